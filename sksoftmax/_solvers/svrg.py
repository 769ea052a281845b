"""SVRG: minibatch steps whose noise vanishes at the optimum."""

import math

import numpy as np

from sksoftmax._arrays import take
from sksoftmax._oracle import Oracle
from sksoftmax._problem import Problem
from sksoftmax._solvers.proximal_newton import make_newton
from sksoftmax._solvers.sampler import BatchSampler
from sksoftmax._solvers.sgd import SGD
from sksoftmax._solvers.state import State
from sksoftmax._solvers.steps import PreconditionedStep

# An idle epoch gains at most the share IDLE_GAIN of the estimated gap, or of the
# objective if that is less. Steps on all rows take over after IDLE_EPOCHS idle epochs
# in a row, or with `may_switch` after one.
IDLE_EPOCHS, IDLE_GAIN = 3, 1e-3


class SVRGStep(PreconditionedStep):
    """A minibatch step less its own error at a snapshot of known gradient.

    The gradient of SVRG (Johnson and Zhang 2013) is unbiased, and exact at the
    snapshot. Weights outside of a batch catch up on the snapshot's part of their steps
    at their next use.
    """

    n_deferred = 0

    def __init__(
        self, problem: Problem, state: State, preconditioner_class, rng, damping: float
    ):
        super().__init__(problem, state, preconditioner_class, rng)
        self.damping = damping
        self._prior_hessian_rows = 0  # of the same rows, at weights of epochs before

    def needs_measuring(self, state: State) -> bool:
        """Return False: the curvature is measured between epochs."""
        return False

    def set_snapshot(self, weights, grad) -> None:
        """Update in place: use `weights`, and the gradient of the loss on all rows."""
        self.snapshot, self._grad = weights, grad
        if self.lazy:
            exp = self._problem.data.xp.exp
            scaled = exp(self.shrinkage.log_factor) * self._preconditioner.inverse
            self.snapshot_step = self._step_size * scaled * grad

    def shorten(self, factor: float) -> None:
        """Update in place: multiply the step size by `factor`."""
        self._set_step_size(self._step_size * factor)

    def descend(self, weights, grad, loss, active) -> None:
        """Update the active weights in place by a step."""
        grad += take(self._grad, active)
        if not self.lazy:
            grad += self._problem.penalty.gradient(weights)
        direction = self._preconditioner.apply(grad, active)
        direction *= self._step_size
        weights -= direction
        if self.lazy:
            self.shrinkage.repeat(weights, np.ones(1), active)


class SVRG:
    """Epochs of SVRG steps, each followed by an objective on all rows."""

    steps_per_epoch = 1  # for the patience of a validation loss

    def __init__(
        self,
        problem: Problem,
        state: State,
        sampler: BatchSampler,
        preconditioner_class,
    ) -> None:
        """Initialise from the model in `state`, and update its model and t later."""
        self._problem, self._state, self._sampler = problem, state, sampler
        rows, rng = sampler.rows, sampler.rng
        n_weights = problem.data.n_weights
        # The preconditioner is as noisy as the sample of rows that it is measured on.
        n_measured = min(len(rows), preconditioner_class.sample_size(n_weights))
        self._damping = min(
            preconditioner_class.damping, 1.0, max(0.1, 3 * n_weights / n_measured)
        )
        self._step = SVRGStep(problem, state, preconditioner_class, rng, self._damping)
        self._newton = make_newton(Oracle(problem, rows, preconditioner_class), state)
        self._factor = 1.0  # on the step size, halved after each refused epoch

    @property
    def model(self):
        """The weights after the last epoch, (n_weights, n_outputs)."""
        return self._newton.model

    def iterate_to_gap(self, tol: float, may_switch: bool):
        """Yield a solver, the objective and whether its gap is small, each epoch.

        Newton steps take over in three cases. First, the estimate of the gap is within
        tol, as only Newton steps bound the gap. Second, epochs no longer help. Third,
        with `may_switch`, an epoch helps less than as many passes over all rows would.
        """
        newton, n_idle, k = self._newton, 0, 0
        newton.prepare()
        yield self, newton.objective, newton.gap_is_within(tol)
        while n_idle < IDLE_EPOCHS:
            old_objective, gap = newton.objective, newton.gap_estimate()
            if gap <= tol * old_objective:
                break
            self._epoch(measure=k & (k + 1) == 0)
            k += 1
            if not newton.accept_if_lower(self._state.average):
                self._factor /= 2
                self._step.shorten(0.5)
            least_gain = IDLE_GAIN * min(gap, old_objective)
            n_idle = 0 if old_objective - newton.objective > least_gain else n_idle + 1
            yield self, newton.objective, newton.gap_is_within(tol)
            if may_switch and (n_idle or newton.gap_estimate() > gap / 4):
                break
        yield from newton.iterate_to_gap(tol)

    def _epoch(self, measure: bool) -> None:
        state, step = self._state, self._step
        weights = self._newton.model
        copy = self._problem.data.xp.copy
        state.weights, state.average = copy(weights), copy(weights)
        state.n_averages = 0
        sampler = self._sampler
        order = sampler.draw()
        if measure:
            step.measure(state, order, sampler.largest)
            step.shorten(self._factor)
        step.set_snapshot(weights, self._newton.gradient_of_loss())
        try:
            SGD(self._problem, state, step).epoch(order, sampler.edges)
        except FloatingPointError:  # `accept_if_lower` refuses NaN
            state.average[...] = math.nan
