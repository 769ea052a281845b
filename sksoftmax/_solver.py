"""Minibatch SGD: the loop, its two kinds of steps, its state and its stopping."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sksoftmax._batches import parts, pick, put, spread
from sksoftmax._preconditioner import largest_eigenvalue, ridge
from sksoftmax._threads import threads_for

MONITORED_ROWS = 2048
# Multiply-adds from which a product gets all BLAS threads. Measured: at 4 million one
# thread is twice as fast as two; at 26 million they are alike; at 80 two are faster.
LARGE_PRODUCT = 3e7
# Where averaging touches weights that the batch did not, it is done every so many
# batches, and at least so many times an epoch.
LAZY_BATCHES, LAZY_AVERAGES = 24, 4


@dataclass(frozen=True)
class Problem:
    """What is minimised: the mean loss of weighted rows plus a penalty.

    All arrays are of the namespace and on the device of the data.
    """

    data: Any  # DenseRows or SparseRows
    y: Any  # indexed with rows: their targets, as the loss takes them
    sample_weight: Any  # (n_samples,), of mean 1 in fit
    loss: Any
    penalty: Any
    scale: Any  # (n_weights, 1), of the columns
    coverage: Any  # (n_weights, 1), mean squares of the scaled columns
    offset: Any  # (n_weights, 1), means of the columns as they are centered
    bounded_weight: Any = None  # sample_weight, of outliers less: for minibatches

    def with_bounded_outliers(self) -> "Problem":
        """Return the problem in which outliers have their bounded weights."""
        return replace(self, sample_weight=self.bounded_weight)

    def zeros(self):
        """Return weights to start from, (n_weights, n_columns)."""
        shape = self.data.n_weights, self.loss.n_columns
        return self.data.xp.zeros(shape, self.data.dtype)

    @property
    def coef_shape(self):
        """The shape of coef, (n_columns, n_features)."""
        return self.loss.n_columns, self.data.n_features

    def multiply_adds(self, batch_size: int) -> float:
        """Return the size of the BLAS products that a batch takes."""
        data, n_columns = self.data, self.loss.n_columns
        return data.blas_share * batch_size * data.n_features * n_columns

    @property
    def floor(self) -> float:
        """An objective below which relative improvements do not count."""
        return 1e-3 * self.loss.loss_of_ignorance

    def loss_gradient(self, batch, weights, rows, n_rows: int, anchor=None):
        """Return a batch's share of the mean loss of n_rows rows, and its gradient.

        The loss is a number on the device. With `anchor`, other weights, the gradient
        is less the one at those.
        """
        raw = batch.raw_prediction(weights)
        if anchor is not None:
            anchor = batch.raw_prediction(anchor)
        return self.loss_gradient_of(batch, raw, rows, n_rows, anchor)

    def loss_gradient_of(self, batch, raw, rows, n_rows: int, anchor=None):
        """Return the same from raw predictions, which are overwritten."""
        y, sample_weight = self.y[rows], pick(self.sample_weight, rows) / n_rows
        value, grad_raw = self.loss.loss_gradient(raw, y, sample_weight)
        if anchor is not None:
            grad_raw -= self.loss.loss_gradient(anchor, y, sample_weight)[1]
        return value, batch.gradient(grad_raw)

    def hessian_product(self, batch, proba, direction, rows, n_rows: int):
        """Return a batch's share of the Hessian of the mean loss times a direction.

        `proba` are the probabilities at the weights, (n_rows, n_columns).
        """
        curved = self.data.xp.by_column(batch.raw_prediction(direction))
        curved = self.loss.hessian_product(proba, curved)
        curved *= (pick(self.sample_weight, rows) / n_rows)[:, None]
        return batch.gradient(curved)

    def mean_loss(self, rows, weights) -> float:
        """Return the weighted mean loss of those rows, an index array."""
        total, xp = 0.0, self.data.xp
        multiply_adds = self.multiply_adds(min(4096, rows.shape[0]))
        with threads_for(multiply_adds, LARGE_PRODUCT, xp.thread_pools):
            for part in parts(rows, 4096):
                raw = self.data.batch(part, compact=False).raw_prediction(weights)
                total += self.loss.loss(raw, self.y[part], self.sample_weight[part])
        return float(total / xp.total(self.sample_weight[rows]))

    def objective(self, rows, weights) -> float:
        """Return the mean loss of those rows plus the penalty."""
        return self.mean_loss(rows, weights) + float(self.penalty.value(weights))


@dataclass
class State:
    """What a solver knows between two updates.

    It writes to `weights` and `average`, which must be its own; other arrays are
    replaced, never written to.
    """

    weights: Any  # (n_weights, n_columns), the last iterate
    average: Any  # the model; the same array without averaging
    t: int = 0  # updates so far
    measured_from: int = 0  # the t from which the times to measure count
    n_averages: int = 0
    metric: str | None = None  # the name of what measured the curvature
    curvature: Any = None
    curvature_rows: int = 0
    ridge: Any = None
    inverse: Any = None  # follows from curvature and ridge
    step_size: float = 0.0
    velocity: Any = None


class Plateau:
    """Tell when a sequence of values has stopped to improve."""

    def __init__(self, tol: float, patience: int, floor: float) -> None:
        """Want an improvement by tol * max(best value, floor) in `patience` steps."""
        self._tol, self._patience, self._floor = tol, patience, floor
        self._best, self._wanted, self._since = math.inf, math.inf, 0

    def reached(self, value: float, slowness: int = 1) -> bool:
        """Take the next value; return whether to stop.

        `slowness` of these steps count as one.
        """
        self._since = 0 if value <= self._wanted else self._since + 1
        self._best = min(self._best, value)
        self._wanted = self._best - self._tol * max(self._best, self._floor)
        return self._since >= self._patience * slowness


class AutomaticStep:
    """Steps in the metric of the curvature, of a size that follows from it too."""

    owed = 1  # proximal steps that `descend` leaves for when the weights are next used
    anchor = drift = None  # those are SVRG's

    def __init__(self, problem: Problem, state: State, metric, rng) -> None:
        """Go on from the curvature in `state`; `metric` is Gram or Diagonal."""
        self._problem, self._metric, self._rng = problem, metric, rng
        self.rho = metric.rho
        known = state.curvature
        if (
            known is None
            or state.metric != metric.name
            or known.shape[0] != problem.data.n_weights
        ):
            state.metric, state.curvature, state.curvature_rows = metric.name, None, 0
        self._prior, self._prior_rows = state.curvature, state.curvature_rows
        self.lazy = metric.lazy
        if state.curvature is not None:
            self._adopt(state)

    def due(self, state: State) -> bool:
        """Return whether it is time to measure the curvature anew."""
        t = state.t - state.measured_from
        return state.curvature is None or t in self._metric.refresh_times

    def measure(self, state: State, order, batch_size: int) -> None:
        """Measure the curvature and the step size.

        Rows are taken evenly from the whole order, in NumPy. Where these are few, in a
        stream, what earlier calls measured is mixed in.
        """
        problem, weights = self._problem, state.weights
        data = problem.data
        n_wanted = self._metric.rows_wanted(data.n_weights)
        rows = spread(order, n_wanted)
        curvature = self._metric.measure(problem, data.index(rows), weights)
        kept = max(0, min(self._prior_rows, n_wanted - len(rows)))
        if kept:
            curvature += (self._prior - curvature) * (kept / (kept + len(rows)))
        state.curvature, state.curvature_rows = curvature, kept + len(rows)
        trace = self._metric.trace(curvature)
        state.ridge = ridge(trace, problem.scale, problem.penalty.l2, self.rho)
        state.inverse = None
        self._adopt(state)
        # One number a feature and one a class: no draw depends on the rows.
        start = [
            data.xp.asarray(self._rng.standard_normal(shape), weights.dtype)
            for shape in ((data.n_weights, 1), (1, weights.shape[1]))
        ]
        start[0] /= problem.scale
        batches = [data.index(spread(order, batch_size))]
        if batch_size < 256:
            batches.append(data.index(spread(order, batch_size, shift=0.5)))
        eigenvalue = largest_eigenvalue(
            problem, batches, weights, self._preconditioner, start
        )
        state.step_size = 1 / eigenvalue if eigenvalue > 0 else 1.0
        self._use(state.step_size)

    def descend(self, weights, grad, loss, columns) -> None:
        """Take a step in the weights of those columns, in place.

        Where it would promise to lower the batch's loss below zero it is cut (Polyak).
        """
        if not self.lazy:
            grad += self._problem.penalty.gradient(weights)
        direction = self._preconditioner.apply(grad, columns)
        xp = self._problem.data.xp
        slope = xp.vdot(grad, direction)
        direction *= xp.capped(self._step_size, slope, loss, weights.dtype)
        weights -= direction
        self._problem.penalty.constrain(weights)

    def _adopt(self, state: State) -> None:
        if state.inverse is None:
            state.inverse = self._metric.invert(state.curvature, state.ridge)
        self._preconditioner = self._metric(state.inverse, self._problem.scale)
        self._use(state.step_size)

    def _use(self, step_size: float) -> None:
        self._step_size = step_size
        if self.lazy:
            # The Polyak cap leaves the penalty's part of a step as it is: it must not
            # depend on when a weight that no batch touched catches up.
            step_size = step_size * self._preconditioner.inverse
            self.shrinkage = self._problem.penalty.proximal_step(step_size)


class ScheduledStep:
    """Steps along the gradient by a schedule of t = 1, 2, ..., with momentum."""

    owed = 0
    anchor = drift = None

    def __init__(
        self, problem: Problem, state: State, schedule: Callable, momentum: float
    ) -> None:
        self._state, self._penalty = state, problem.penalty
        self._schedule, self._momentum = schedule, momentum
        # What may wait must not depend on when it is made up for.
        self.lazy = momentum == 0 and schedule(1) == schedule(2)
        self.shrinkage = problem.penalty.gradient_step(schedule(1))
        if momentum == 0:
            state.velocity = None
        elif (
            state.velocity is None or state.velocity.shape[0] != problem.data.n_weights
        ):
            state.velocity = problem.zeros()

    def due(self, state: State) -> bool:
        """Return False: nothing is measured."""
        return False

    def descend(self, weights, grad, loss, columns) -> None:
        """Take a step in the weights of those columns, in place."""
        step_size = self._schedule(self._state.t)
        grad += self._penalty.gradient(weights, columns)
        if self._momentum:
            grad += self._momentum * self._state.velocity
            self._state.velocity = grad
            weights -= step_size * grad
        else:
            grad *= step_size
            weights -= grad
        self._penalty.soften(weights, step_size, columns)
        self._penalty.constrain(weights)


class SGD:
    """Minibatch SGD with averaged iterates."""

    slowness = 1  # epochs that count as one where a validation loss is watched

    def __init__(self, problem: Problem, state: State, step, min_share=0.0) -> None:
        """Go on from `state`; to an average an update adds at least `min_share`."""
        self._start = self._averaged_at = state.t
        self._problem, self.state, self._step = problem, state, step
        self._min_share = min_share
        self._averages = state.average is not state.weights
        # How many updates after the start the weights last took their share of the
        # penalty; one number if together.
        n_counts = 1 if problem.data.touches_all else problem.data.n_weights
        self._last = np.zeros(n_counts, np.int64) if step.lazy else None

    def epochs(self, rows, edges, rng, shuffle: bool, plateau: Plateau):
        """Yield itself, objective and whether that has converged after each epoch."""
        monitored = self._problem.data.index(spread(rows, MONITORED_ROWS))
        if self._problem.data.xp.any(self.state.average):  # a warm start
            # It has to be improved upon.
            plateau.reached(self._problem.objective(monitored, self.state.average))
        order = rows[:0]
        while True:
            if len(order) < edges[-1]:
                order = rng.permutation(rows) if shuffle else rows
            epoch, order = np.split(order, edges[-1:])
            self.epoch(epoch, edges)
            objective = self._problem.objective(monitored, self.model)
            if not math.isfinite(objective):
                raise FloatingPointError(f"the objective became {objective}")
            yield self, objective, plateau.reached(objective)

    @property
    def model(self):
        """The weights to keep, (n_weights, n_columns)."""
        return self.state.average

    def epoch(self, order, edges) -> None:
        """Make one pass over the rows in `order`, cut into batches at `edges`.

        Both are NumPy's. No number is read from the device but where the curvature is
        measured, and at the end.
        """
        multiply_adds = self._problem.multiply_adds(np.diff(edges).max())
        pools = self._problem.data.xp.thread_pools
        with threads_for(multiply_adds, LARGE_PRODUCT, pools):
            self._epoch(order, edges)

    def _epoch(self, order, edges) -> None:
        problem, state, xp = self._problem, self.state, self._problem.data.xp
        n_batches, largest = len(edges) - 1, int(np.diff(edges).max())
        index, edges, sum_of_losses = problem.data.index(order), edges.tolist(), 0.0
        n_averages = n_batches
        if self._step.lazy:
            n_averages = max(n_batches // LAZY_BATCHES, min(n_batches, LAZY_AVERAGES))
        for k in range(n_batches):
            if self._step.due(state):
                self._settle()  # a new metric must not shrink for old steps
                self._step.measure(state, order, largest)
            rows = index[edges[k] : edges[k + 1]]
            batch = problem.data.batch(rows, compact=self._step.lazy)
            weights = self._catch_up(batch.columns)
            anchor = None
            if self._step.anchor is not None:
                anchor = pick(self._step.anchor, batch.columns)
            n_rows = edges[k + 1] - edges[k]
            loss, grad = problem.loss_gradient(batch, weights, rows, n_rows, anchor)
            sum_of_losses = sum_of_losses + loss
            state.t += 1
            self._step.descend(weights, grad, loss, batch.columns)
            if self._last is not None:
                self._last[batch.columns] = self._elapsed - self._step.owed
            if not isinstance(batch.columns, slice):
                put(state.weights, batch.columns, weights)
            if self._averages and (k + 1) * n_averages // n_batches > (
                k * n_averages // n_batches
            ):
                self._average()
        self._settle()
        if self._averages and problem.penalty.makes_zeros:
            state.average[state.weights == 0] = 0  # an average hardly ever is
        if self._averages:
            problem.penalty.constrain(state.average)
        if not math.isfinite(sum_of_losses):
            raise FloatingPointError("the loss became infinite")
        if not xp.all(xp.isfinite(state.average)):
            raise FloatingPointError("the weights became infinite")

    def _average(self) -> None:
        state = self.state
        self._settle()
        state.n_averages += 1
        kept = (1 - self._min_share) ** (state.t - self._averaged_at)
        share = max(min(1.0, 8 / (state.n_averages + 7)), 1 - kept)
        self._averaged_at = state.t
        chunk_size = self._problem.data.xp.chunk_size
        size = max(1, chunk_size // state.weights.shape[1])
        for part in parts(slice(0, state.weights.shape[0]), size):
            average = state.average[part, :]
            change = state.weights[part, :] - average
            change *= share
            average += change

    def _catch_up(self, columns):
        """Return the weights of those columns, a view or a copy, up to date."""
        weights = pick(self.state.weights, columns)
        if self._last is not None:
            missed = self._elapsed - self._last[columns]
            if missed.any():
                drift = self._step.drift
                if drift is not None:
                    drift = pick(drift, columns)
                self._step.shrinkage.repeat(weights, missed, columns, drift)
        return weights

    def _settle(self) -> None:
        self._catch_up(slice(None))
        if self._last is not None:
            self._last[:] = self._elapsed

    @property
    def _elapsed(self) -> int:
        return self.state.t - self._start


def batch_edges(n_rows: int, batch_size: int, even: bool):
    """Return where to cut so many rows into batches of at most batch_size rows.

    `even` spreads the remainder over all batches; else the last one is short.
    """
    n_batches = -(-n_rows // batch_size)
    if even:
        return np.arange(n_batches + 1) * n_rows // n_batches
    return np.minimum(np.arange(n_batches + 1) * batch_size, n_rows)


def constant(eta0: float) -> Callable[[int], float]:
    """Return the step size as a function of the update number t = 1, 2, ..."""
    return lambda t: eta0


def inverse_scaling(eta0: float, power_t: float) -> Callable[[int], float]:
    """Return the step size eta0 / t**power_t."""
    return lambda t: eta0 * t**-power_t  # t**power_t might overflow
