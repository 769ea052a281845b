"""Preconditioned L-BFGS: steps in which one batch is all the data."""

import math
from collections import deque

import numpy as np

from sksoftmax._loss import by_column
from sksoftmax._preconditioner import ridge
from sksoftmax._solver import REFRESH_TIMES, Problem, State

MEMORY = 10
RHO = 0.01  # ridge where there is no noise to guard against


class FullBatch:
    """L-BFGS with the preconditioner as its first guess of the inverse Hessian.

    Raw predictions are linear in the weights: a search along a line costs one product
    with X, however many points it tries. Holds a few (n_rows, n_columns) arrays.
    """

    def __init__(self, problem: Problem, state: State, rows, metric) -> None:
        """Start from the weights in `state` and leave it the model and t."""
        self._state, weights = state, state.weights
        self._problem, self._rows, self._metric = problem, rows, metric
        self._batch = problem.data.full_batch(rows, compact=metric.lazy)
        self._y = problem.y[rows]
        self._sample_weight = problem.sample_weight[rows] / len(rows)
        # Where there is no data the penalty alone decides, and its minimum is zero.
        state.weights = state.average = weights * (problem.penalty.alpha == 0)
        self._columns = self._batch.columns
        self._weights = weights[self._columns]
        self._raw = by_column(self._batch.raw_prediction(self._weights))
        self._pairs: deque = deque(maxlen=MEMORY)
        self.stalled = False
        loss, grad_raw = self._loss_gradient(self._raw.copy())
        self.objective = loss + self._penalty(self._weights)
        self._grad = self._gradient(self._weights, grad_raw)

    def epochs(self, tol: float):
        """Yield model, objective and whether that has converged after each step.

        Ends where rounding leaves no progress to make.
        """
        self.prepare()
        while True:
            self.step()
            self.prepare()
            if not math.isfinite(self.objective):
                raise FloatingPointError(f"the objective became {self.objective}")
            rounding = 10 * float(np.finfo(self._weights.dtype).eps)
            share = max(tol, rounding) if self.stalled else tol
            enough = share * max(self.objective, self._problem.floor)
            yield self._store(), self.objective, self.gap_estimate() <= enough
            if self.stalled:
                return

    def prepare(self) -> None:
        """Measure the curvature anew when it is time to."""
        if self._state.t not in REFRESH_TIMES:
            return
        problem = self._problem
        curvature = self._metric.measure(problem, self._rows, self._store())
        trace = self._metric.trace(curvature)
        noise = ridge(trace, problem.scale, problem.penalty.alpha, RHO)
        inverse = self._metric.invert(curvature, noise)
        self._preconditioner = self._metric(inverse, problem.scale)
        self._preconditioned = self._apply(self._grad)

    def gap_estimate(self) -> float:
        """Return <G, M G> / 2: near the optimum, about the objective's distance to it.

        Measured on sixty problems of four small data sets: where the estimate was at
        most 1e-4 of the objective, the gap was at most 7e-3 of it.
        """
        return float(np.vdot(self._grad, self._preconditioned)) / 2

    def step(self) -> None:
        """Take one step of L-BFGS; with no progress left, `stalled` is set."""
        self._state.t += 1
        self._state.n_averages += 1
        direction = self._direction()
        slope = float(np.vdot(self._grad, direction))
        raw_direction = by_column(self._batch.raw_prediction(direction))
        found = self._search(direction, raw_direction, slope)
        if found is None:
            self.stalled = not self._pairs  # else try once more without a memory
            self._pairs.clear()
            return
        step_size, self.objective, grad_raw = found
        direction *= step_size
        raw_direction *= step_size
        self._raw += raw_direction
        self._weights = self._weights + direction
        grad = self._gradient(self._weights, grad_raw)
        change, self._grad = grad - self._grad, grad
        self._preconditioned = self._apply(grad)
        curvature = float(np.vdot(direction, change))
        if curvature > 0:
            self._pairs.append((direction, change, curvature))

    def _direction(self):
        """Return minus the gradient times L-BFGS's inverse Hessian (two-loop)."""
        grad = self._grad.copy()
        shares = []
        for step, change, curvature in reversed(self._pairs):
            shares.append(float(np.vdot(step, grad)) / curvature)
            grad -= shares[-1] * change
        if not self._pairs:
            return -self._preconditioned
        direction = self._apply(grad)
        _, change, curvature = self._pairs[-1]
        direction *= curvature / float(np.vdot(change, self._apply(change)))
        for step, change, curvature in self._pairs:
            share = shares.pop() - float(np.vdot(change, direction)) / curvature
            direction += share * step
        return np.negative(direction, out=direction)

    def _search(self, direction, raw_direction, slope: float):
        """Return step size, objective and gradient in raw predictions of a good step.

        Good: the objective falls and its slope along the line at least halves. The
        slope grows along the line, so its zero is bracketed. Where the slope leaps, as
        between separable rows, no step is good and the best one found is returned.
        """
        rounding = 4 * float(np.finfo(direction.dtype).eps) * abs(self.objective)
        low, low_slope, high, high_slope = 0.0, slope, math.inf, math.inf
        if -slope <= rounding:
            return None
        step_size, best = 1.0, None
        for attempt in range(16):
            weights = self._weights + step_size * direction
            loss, grad_raw = self._loss_gradient(self._raw + step_size * raw_direction)
            objective = loss + self._penalty(weights)
            new_slope = float(
                np.vdot(grad_raw.ravel("K"), raw_direction.ravel("K"))
            ) + float(np.vdot(self._penalty_gradient(weights), direction))
            if objective <= self.objective + 1e-4 * step_size * slope + rounding:
                if best is None or objective < best[1]:
                    best = step_size, objective, grad_raw
                if abs(new_slope) <= 0.5 * abs(slope):
                    return step_size, objective, grad_raw
            if new_slope < 0:
                low, low_slope = step_size, new_slope
            else:  # or it is not a number: much too far
                high, high_slope = step_size, new_slope
            if high == math.inf:
                gain = slope / (slope - new_slope) if new_slope > slope else math.inf
                step_size *= min(max(gain, 1.1), 10.0)
                continue
            share = 0.5 if attempt % 2 else low_slope / (low_slope - high_slope)
            if not math.isfinite(high_slope):
                share = 0.1
            step_size = low + (high - low) * min(max(share, 0.05), 0.95)
        return best

    def _loss_gradient(self, raw):
        return self._problem.loss.loss_gradient(raw, self._y, self._sample_weight)

    def _gradient(self, weights, grad_raw):
        return self._batch.gradient(grad_raw) + self._penalty_gradient(weights)

    def _penalty_gradient(self, weights):
        return self._problem.penalty.gradient(weights, self._columns)

    def _penalty(self, weights) -> float:
        return self._problem.penalty.value(weights, self._columns)

    def _apply(self, grad):
        return self._preconditioner.apply(grad, self._columns)

    def _store(self):
        """Return all weights, up to date."""
        self._state.weights[self._columns] = self._weights
        return self._state.weights
