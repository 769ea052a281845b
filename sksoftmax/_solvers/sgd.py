"""Minibatch SGD: the loop over batches, its averages and epochs."""

import math
from functools import partial

import numpy as np

from sksoftmax._arrays import chunks, put_rows, take
from sksoftmax._problem import Problem
from sksoftmax._solvers.monitor import Monitor
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._solvers.sampler import BatchSampler
from sksoftmax._solvers.state import State
from sksoftmax._threads import one_blas_thread

# Averaging touches all weights, but a batch of a lazy step does not. The average is
# then updated every LAZY_BATCHES batches, and at least LAZY_AVERAGES times an epoch.
LAZY_BATCHES, LAZY_AVERAGES = 24, 4
# An update of this many rows counts as one in averages, so that an iterate after a call
# of one row does not weigh as much as one after a batch.
AVERAGED_ROWS = 512
# Multiply-adds of two matrices from which OpenBLAS takes several threads.
SHARED_PRODUCT = 2**18
# Numbers in a batch that another thread copies. Measured: the exchange takes 60 us, and
# as many numbers are copied from memory in 200 us.
PREFETCHED_NUMBERS = 2**16


class SGD:
    """Minibatch SGD with averaged iterates."""

    steps_per_epoch = 1  # epochs that count as one for the validation loss

    def __init__(self, problem: Problem, state: State, step, min_share=0.0) -> None:
        """Initialise from `state`.

        Iterates enter averages by `min_share` per AVERAGED_ROWS rows at least.
        """
        self._start = state.t
        self._problem, self.state, self._step = problem, state, step
        self._min_share = min_share
        self._is_averaging, self.progressive_loss = state.is_averaging, 0.0
        self.is_far = False  # whether a check found the optimum far from a plateau
        # Updates between the start and the last penalty step of each weight, or one
        # number if all weights move together.
        n_counts = 1 if problem.data.is_dense else problem.data.n_weights
        self._last_update = np.zeros(n_counts, np.int64) if step.lazy else None

    def monitor(self, rows) -> Monitor:
        """Return the monitor of the objective of `rows`, in NumPy."""
        return Monitor(self._problem, rows)

    def epochs(self, sampler: BatchSampler, plateau: Plateau, monitor=None):
        """Yield itself, objective and whether the objective converged, each epoch."""
        monitor = monitor or self.monitor(sampler.rows)
        if self._problem.data.xp.any(self.state.average):  # a warm start
            # The first epoch must improve on the warm start.
            plateau.reached(monitor.objective(self.state.average))
        while True:
            self.epoch(sampler.draw(), sampler.edges)
            objective = monitor.objective(self.model)
            if not math.isfinite(objective):
                raise FloatingPointError(f"the objective became {objective}")
            yield self, objective, plateau.reached(objective)

    @property
    def model(self):
        """The weights to keep, (n_weights, n_outputs)."""
        return self.state.average

    def prepare(self, order, edges, call_weights) -> None:
        """Update in place before a call of a stream: renew what no longer fits."""
        batch_size = int(np.diff(edges).max())
        self._step.prepare(self.state, order, batch_size, call_weights)

    def epoch(self, order, edges) -> None:
        """Update in place by one pass over the rows in `order`, cut at `edges`.

        Both are NumPy arrays. `progressive_loss` becomes the sum of weight times loss
        over the rows, each measured before its update. Numbers are read from the device
        only at measurements of the curvature and at the end.
        """
        problem, n_outputs = self._problem, self._problem.loss.n_outputs
        multiply_adds = problem.multiply_adds(np.diff(edges).max())
        work = 0 if self._step.lazy else problem.data.n_weights**2 * n_outputs
        if n_outputs == 1 or work >= SHARED_PRODUCT:  # the preconditioner's matrix
            multiply_adds += work
        pools = problem.data.xp.thread_pools
        with one_blas_thread(multiply_adds, pools):
            self._epoch(order, edges)

    def _epoch(self, order, edges) -> None:
        problem, state, xp = self._problem, self.state, self._problem.data.xp
        n_batches, largest = len(edges) - 1, int(np.diff(edges).max())
        index, edges, total_loss = problem.data.index(order), edges.tolist(), 0.0
        n_averages = n_batches
        if self._step.lazy:
            n_averages = max(n_batches // LAZY_BATCHES, min(n_batches, LAZY_AVERAGES))
        # Lazy batches between two averages count together.
        n_updates = len(order) / (AVERAGED_ROWS * n_averages)
        batch_rows = [index[edges[k] : edges[k + 1]] for k in range(n_batches)]
        self._measure(order, largest)
        for k, batch in enumerate(self._batches(batch_rows, largest)):
            rows = batch_rows[k]
            weights = self._catch_up(batch.active)
            snapshot = None
            if self._step.snapshot is not None:
                snapshot = take(self._step.snapshot, batch.active)
            n_rows = edges[k + 1] - edges[k]
            loss, grad = problem.loss_gradient(batch, weights, rows, n_rows, snapshot)
            total_loss = total_loss + n_rows * loss
            state.t += 1
            self._step.descend(weights, grad, loss, batch.active)
            if self._last_update is not None:
                self._last_update[batch.active] = self._elapsed - self._step.n_deferred
            if not isinstance(batch.active, slice):
                put_rows(state.weights, batch.active, weights)
            if self._is_averaging and (k + 1) * n_averages // n_batches > (
                k * n_averages // n_batches
            ):
                self._average(n_updates)
            if k + 1 < n_batches:
                self._measure(order, largest)
        self._catch_up_all()
        if self._is_averaging and problem.penalty.makes_zeros:
            state.average[state.weights == 0] = 0  # an average rarely is
        problem.constrain(state.average)
        self.progressive_loss = float(total_loss)
        if not math.isfinite(self.progressive_loss):
            raise FloatingPointError("the loss became infinite")
        if not xp.all(xp.isfinite(state.average)):
            raise FloatingPointError("the weights became infinite")

    def _measure(self, order, batch_size: int) -> None:
        """Measure the curvature, if the measurement is due."""
        if self._step.needs_measuring(self.state):
            self._catch_up_all()  # the new preconditioner is not for earlier steps
            self._step.measure(self.state, order, batch_size)

    def _batches(self, batch_rows, n_rows: int):
        """Yield the batches; a thread copies the rows of the next one meanwhile."""
        data = self._problem.data
        make_batch = partial(data.batch, compact=self._step.lazy)
        copies_much = data.is_dense and n_rows * data.n_features >= PREFETCHED_NUMBERS
        copies_much &= self._problem.count_blocks(n_rows) == 1
        return (data.xp.prefetch if copies_much else map)(make_batch, batch_rows)

    def _average(self, n_updates: float) -> None:
        """Update in place: average the iterate, which counts as `n_updates`."""
        state = self.state
        self._catch_up_all()
        state.n_averages += n_updates
        share = 8 * n_updates / (state.n_averages + 7 * n_updates)
        share = max(min(1.0, share), 1 - (1 - self._min_share) ** n_updates)
        chunk_size = self._problem.data.xp.chunk_size
        size = max(1, chunk_size // state.weights.shape[1])
        for part in chunks(slice(0, state.weights.shape[0]), size):
            average = state.average[part, :]
            change = state.weights[part, :] - average
            change *= share
            average += change

    def _catch_up(self, active):
        """Return the active weights, up to date, as a view or a copy."""
        weights = take(self.state.weights, active)
        if self._last_update is not None:
            missed = self._elapsed - self._last_update[active]
            if missed.any():
                displacement = self._step.snapshot_step
                if displacement is not None:
                    displacement = take(displacement, active)
                self._step.shrinkage.repeat(weights, missed, active, displacement)
        return weights

    def _catch_up_all(self) -> None:
        self._catch_up(slice(None))
        if self._last_update is not None:
            self._last_update[:] = self._elapsed

    @property
    def _elapsed(self) -> int:
        return self.state.t - self._start
