"""SVRG: minibatch steps whose noise vanishes at the optimum."""

import math

import numpy as np

from sksoftmax._all_rows import AllRows
from sksoftmax._batches import pick
from sksoftmax._newton import Newton
from sksoftmax._solver import SGD, AutomaticStep, Problem, State

# Where so many epochs in a row gain less than this share of the estimated gap, it is
# left to steps on all rows.
IDLE_EPOCHS, IDLE_GAIN = 3, 1e-3


class AnchoredStep(AutomaticStep):
    """A minibatch step less its own error at an anchor, where the gradient is known.

    That is the gradient of SVRG (Johnson and Zhang 2013): unbiased, and exact at the
    anchor. What the anchor adds for columns that a batch does not hold is made up for
    when they are next used.
    """

    owed = 0

    def __init__(self, problem: Problem, state: State, metric, rng, rho: float):
        super().__init__(problem, state, metric, rng)
        self.rho = rho

    def due(self, state: State) -> bool:
        """Return False: the curvature is measured between epochs."""
        return False

    def cast_anchor(self, weights, grad) -> None:
        """Use these weights and the gradient of the loss of all rows there."""
        self.anchor, self._grad = weights, grad
        if self.lazy:
            exp = self._problem.data.xp.exp
            scaled = exp(self.shrinkage.log_factor) * self._preconditioner.inverse
            self.drift = self._step_size * scaled * grad

    def shorten(self, factor: float) -> None:
        """Make the steps shorter by that factor."""
        self._use(self._step_size * factor)

    def descend(self, weights, grad, loss, columns) -> None:
        """Take a step in the weights of those columns, in place."""
        grad += pick(self._grad, columns)
        if not self.lazy:
            grad += self._problem.penalty.gradient(weights)
        direction = self._preconditioner.apply(grad, columns)
        direction *= self._step_size
        weights -= direction
        if self.lazy:
            self.shrinkage.repeat(weights, np.ones(1), columns)


class SVRG:
    """Epochs of anchored minibatch steps, each followed by a look at all rows."""

    def __init__(self, problem: Problem, state: State, rows, metric, rng) -> None:
        """Start from the model in `state` and leave it the model and t."""
        self._problem, self._state, self._rows, self._rng = problem, state, rows, rng
        n_weights = problem.data.n_weights
        # The noise in the metric is that of the rows it is measured on.
        n_measured = min(len(rows), metric.rows_wanted(n_weights))
        self._rho = min(metric.rho, 1.0, max(0.1, 3 * n_weights / n_measured))
        self._step = AnchoredStep(problem, state, metric, rng, self._rho)
        self._full = Newton(AllRows(problem, rows, metric), state)
        self._factor = 1.0  # on the step size: halved where an epoch was refused

    def iterate_to_gap(self, edges, shuffle: bool, tol: float, while_it_pays: bool):
        """Yield a solver, the objective and whether its gap is small, each epoch.

        Newton steps go on where the gap is within tol by the estimate, as they alone
        show that it is; where an epoch no longer helps; and, with `while_it_pays`,
        where it no longer helps more than as many passes over all rows would.
        """
        full, idle, k = self._full, 0, 0
        full.prepare()
        yield full, full.objective, full.gap_is_within(tol)
        while idle < IDLE_EPOCHS:
            before, gap = full.objective, full.gap_estimate()
            if gap <= tol * before:
                break
            self._epoch(edges, shuffle, measure=k & (k + 1) == 0)
            k += 1
            if not full.accept_if_lower(self._state.average):
                self._factor /= 2
                self._step.shorten(0.5)
            least = IDLE_GAIN * min(gap, before)
            idle = 0 if before - full.objective > least else idle + 1
            yield full, full.objective, full.gap_is_within(tol)
            if while_it_pays and (idle or full.gap_estimate() > gap / 4):
                break
        yield from full.iterate_to_gap(tol)

    def _epoch(self, edges, shuffle: bool, measure: bool) -> None:
        state, step = self._state, self._step
        weights = self._full.model
        copy = self._problem.data.xp.copy
        state.weights, state.average = copy(weights), copy(weights)
        state.n_averages = 0
        order = self._rng.permutation(self._rows) if shuffle else self._rows
        if measure:
            step.measure(state, order, int(np.diff(edges).max()))
            step.shorten(self._factor)
        step.cast_anchor(weights, self._full.gradient_of_loss())
        try:
            SGD(self._problem, state, step).epoch(order, edges)
        except FloatingPointError:  # `accept_if_lower` refuses it
            state.average[...] = math.nan
