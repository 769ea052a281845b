"""Preconditioned L-BFGS: steps in which one batch is all the data."""

import math
from collections import deque

from sksoftmax._arrays import namespace
from sksoftmax._batches import parts, pick
from sksoftmax._preconditioner import CenteredDiagonal, Diagonal, ridge
from sksoftmax._solver import Plateau, State

MEMORY = 5
REFRESH_TIMES = frozenset([0] + [8 * 4**k for k in range(24)])  # steps
RHO = 0.01  # ridge where there is no noise to guard against


class FullBatch:
    """L-BFGS with the preconditioner as its first guess of the inverse Hessian.

    Objective and gradient come from one pass over the rows, wherever these are.
    """

    # Steps gain unevenly, even more so on other rows. Measured, validation losses of
    # digits, stopped after 1, 3, 5 or 10 without gain: 25, 13, 4, 1 % above the best.
    slowness = 5

    def __init__(self, all_rows, state: State) -> None:
        """Start from the model in `state` and leave it the model and t.

        `all_rows` is AllRows, or what has its attributes and methods.
        """
        problem, data = all_rows.problem, all_rows.problem.data
        self._problem, self._all_rows, self._state = problem, all_rows, state
        self._metric, weights = all_rows.metric, state.average
        if self._metric is Diagonal and data.n_weights > data.n_features:
            self._metric = CenteredDiagonal
        self._xp, self._columns, self._n_steps = data.xp, all_rows.columns, 0
        # Where there is no data the penalty alone decides, and its minimum is zero.
        state.weights = self._xp.where(problem.penalty.penalised, 0.0, weights)
        state.average = state.weights
        self._weights = pick(weights, self._columns)
        self._pairs: deque = deque(maxlen=MEMORY)
        self.stalled = False
        self._threads = all_rows.threads
        with self._threads():
            self.objective, self._grad = self._evaluate(self._weights)
        self._slopes = self._pseudo_gradient()
        self._objectives = [self.objective]
        self._spare = None  # memory: fresh one costs more than the arithmetic in it
        self._fewest_steps = 2
        if not self._xp.any(weights):
            self._fewest_steps = 6 if self._metric.lazy else 3
        self._measured_at = None

    @property
    def model(self):
        """The weights that it has come to, (n_weights, n_columns)."""
        self._state.weights[self._columns, ...] = self._weights
        self._state.average = self._state.weights
        return self._state.weights

    def to_the_optimum(self, tol: float):
        """Yield itself, the objective and whether its gap is small, step by step.

        Ends where rounding leaves no progress to make.
        """
        for _ in self._steps(RHO):
            yield self, self.objective, self.is_near(tol)

    def while_it_pays(self, plateau: Plateau):
        """Yield itself, the objective and whether that has converged, step by step."""
        for _ in self._steps(self._metric.rho):
            yield self, self.objective, plateau.reached(self.objective) or self.stalled

    def is_near(self, tol: float) -> bool:
        """Return whether the objective is at most about tol times itself too high."""
        if self.stalled:
            tol = max(tol, 200 * self._eps)
        return self.gap_estimate() <= tol * max(self.objective, self._problem.floor)

    def gap_estimate(self) -> float:
        """Return how far the objective is above the optimum at most, by experience.

        Half of <G, M G> in the metric's M and in that of L-BFGS, which knows the
        directions lately taken, are both too small where others matter: the larger one
        counts twenty times. With a diagonal metric, whose steps are many and short,
        the last eighth of them has to have gained little, too.

        Neither says anything before some steps are done, two from a warm start and more
        from weights of zero: where features are nearly collinear the first one hardly
        moves.

        Measured on 33 problems with the full matrix, each for five values of tol: at
        the stop the true gap was never above tol, and in a fifth of them below tol /
        100. On 99 with a diagonal it was above it in one of seventeen, by a factor of
        eight at most, near separable data mostly. Collinear features can fool it by
        more.
        """
        slopes, vdot = self._slopes, self._xp.vdot
        expected = vdot(slopes, self._preconditioned), -vdot(slopes, self._next)
        estimate = 10 * max(map(float, expected))
        if self.stalled:
            return estimate
        if len(self._objectives) <= self._fewest_steps:
            return math.inf
        if self._metric.lazy:
            lately = self._objectives[-1 - max(1, len(self._objectives) // 8)]
            estimate = max(estimate, 3 * (lately - self.objective))
        return estimate

    def start(self, rho: float) -> None:
        """Measure the curvature and find the first direction."""
        self._rho = rho
        with self._threads():
            self._prepare()

    def _steps(self, rho: float):
        self.start(rho)
        while not self.stalled:
            with self._threads():
                self.step()
                self._prepare()
            if not math.isfinite(self.objective):
                raise FloatingPointError(f"the objective became {self.objective}")
            yield

    def _prepare(self) -> None:
        """Find the next direction, measuring the curvature anew when it is time to."""
        if self._n_steps in REFRESH_TIMES and self._n_steps != self._measured_at:
            self._measure()
        self._next = self._direction()
        if self._problem.penalty.makes_zeros:  # to stay on this side of zero
            stays = pick(self._problem.penalty.l1, self._columns) > 0
            self._next[stays & (self._next * self._slopes >= 0)] = 0

    def _measure(self) -> None:
        self._measured_at = self._n_steps
        problem, state = self._problem, self._state
        curvature, model = state.curvature, self.model
        known = state.metric == self._metric.name and curvature is not None
        if self._n_steps > 0 or not known:
            curvature = self._all_rows.curvature(self._metric, model)
        trace = self._metric.trace(curvature)
        noise = ridge(trace, problem.scale, problem.penalty.l2, self._rho)
        inverse = self._metric.invert(curvature, noise)
        if self._metric is CenteredDiagonal:
            self._preconditioner = CenteredDiagonal(
                inverse, problem.scale, problem.offset, self._columns
            )
        else:
            self._preconditioner = self._metric(inverse, problem.scale)
        self._preconditioned = self._apply(self._slopes)
        if self._pairs:
            _, change, curvature = self._pairs[-1]
            product = float(self._xp.vdot(change, self._apply(change)))
            self._length = _length(curvature, product)

    def loss_gradient(self):
        """Return the gradient of the loss alone, (n_weights, n_columns)."""
        grad = self._problem.zeros()
        of_penalty = self._problem.penalty.gradient(self._weights, self._columns)
        grad[self._columns, ...] = self._grad - of_penalty
        return grad

    def consider(self, weights) -> bool:
        """Go on from these weights, if the objective is lower there."""
        weights = pick(weights, self._columns)
        with self._threads():
            objective, grad = self._evaluate(weights)
            if not objective < self.objective:
                return False
            self._go_to(objective, self._xp.copy(weights), grad)
            self._prepare()
        return True

    def step(self) -> None:
        """Take one step of L-BFGS; with no progress left, `stalled` is set."""
        self._n_steps += 1
        self._state.t += 1
        self._state.n_averages += 1
        makes_zeros = self._problem.penalty.makes_zeros
        search = self._search_orthant if makes_zeros else self._search
        found = search(self._next, float(self._xp.vdot(self._slopes, self._next)))
        if found is not None:
            self._go_to(*found)
            return
        self.stalled = not self._pairs  # else try once more without a memory
        self._pairs.clear()

    def _go_to(self, objective: float, weights, grad) -> None:
        xp = self._xp
        step = xp.subtract(weights, self._weights, out=self._weights)
        change = xp.subtract(grad, self._grad, out=self._grad)
        self.objective, self._weights, self._grad = objective, weights, grad
        self._objectives.append(objective)
        self._slopes = self._pseudo_gradient()
        before, spare = self._preconditioned, self._spare
        self._preconditioned = self._apply(self._slopes, out=spare)
        self._spare = before
        curvature = float(xp.vdot(step, change))
        if not curvature > 0:
            return
        self._pairs.append((step, change, curvature))
        if not self._problem.penalty.makes_zeros:  # then slopes are gradients
            before -= self._preconditioned  # minus M change
            self._length = _length(curvature, -float(xp.vdot(change, before)))

    def _direction(self):
        """Return minus the gradient times L-BFGS's inverse Hessian (two-loop).

        Where zeros are made, that of the weights alone that are free to move.
        """
        if not self._pairs:
            return -self._preconditioned
        if not self._problem.penalty.makes_zeros:
            slopes = self._xp.copy(self._slopes)
            direction = _two_loop(self._pairs, slopes, self._apply, self._length)
            direction *= -1
            return direction
        vdot = self._xp.vdot
        free, everywhere = self._xp.restricted(
            (self._weights != 0) | (self._slopes != 0)
        )

        def apply(grad, out=None):
            return free(self._apply(everywhere(grad)))

        pairs = [(free(step), free(change)) for step, change, _ in self._pairs]
        pairs = [(*pair, float(vdot(*pair))) for pair in pairs]
        pairs = [pair for pair in pairs if pair[2] > 0]
        length = 1.0
        if pairs:
            _, change, curvature = pairs[-1]
            length = _length(curvature, float(vdot(change, apply(change))))
        direction = _two_loop(pairs, free(self._slopes), apply, length)
        return everywhere(-direction)

    def _search(self, direction, slope: float):
        """Return objective, weights and gradient after a good step.

        Good: the objective falls and its slope along the line shrinks (Wolfe). The
        slope grows along the line, so its zero is bracketed. Where the slope leaps, as
        between separable rows, no step is good and the best one found is returned.
        """
        rounding = self._rounding
        low, low_slope, high, high_slope = 0.0, slope, math.inf, math.inf
        if -slope <= rounding:
            return None
        step_size, best = 1.0, None
        for attempt in range(16):
            weights = step_size * direction
            weights += self._weights
            objective, grad = self._evaluate(weights)
            new_slope = float(self._xp.vdot(grad, direction))
            if objective <= self.objective + 1e-4 * step_size * slope + rounding:
                if best is None or objective < best[0]:
                    best = objective, weights, grad
                if abs(new_slope) <= 0.9 * abs(slope):
                    break
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

    def _search_orthant(self, direction, slope: float):
        """Return the same where no weight may change its sign but to zero.

        That is OWL-QN (Andrew and Gao 2007): within an orthant the penalty is smooth,
        and a weight that would leave it stays on its border, at zero.
        """
        before, xp = self._weights, self._xp
        orthant = xp.sign(xp.where(before == 0, -self._slopes, before))
        has_l1 = pick(self._problem.penalty.l1, self._columns) > 0
        orthant = xp.where(has_l1, orthant, 0.0)
        rounding = self._rounding
        if -slope <= rounding:
            return None
        for attempt in range(24):
            weights = before + direction * 0.5**attempt
            weights[weights * orthant < 0] = 0
            objective, grad = self._evaluate(weights)
            expected = float(xp.vdot(self._slopes, weights - before))
            wanted = self.objective + min(0.0, 1e-4 * expected + rounding)
            if objective < self.objective and objective <= wanted:
                return objective, weights, grad
        return None

    @property
    def _rounding(self) -> float:
        # In float64 the roundings of many rows have added up to much less than one.
        return self._eps * abs(self.objective) / 4

    @property
    def _eps(self) -> float:
        return float(self._xp.finfo(self._weights.dtype).eps)

    def _pseudo_gradient(self):
        penalty = self._problem.penalty
        return penalty.pseudo_gradient(self._weights, self._grad, self._columns)

    def _evaluate(self, weights):
        """Return objective and smooth part's gradient, in one pass over the rows."""
        penalty, columns = self._problem.penalty, self._columns
        objective, grad = self._all_rows.loss_gradient(weights)
        objective += penalty.value(weights, columns)
        l2, size = pick(penalty.l2, columns), self._xp.chunk_size // weights.shape[1]
        for some in parts(slice(0, grad.shape[0]), size + 1):
            here = grad[some, :]
            here += l2[some, :] * weights[some, :]
        return float(objective), grad

    def _apply(self, grad, out=None):
        return self._preconditioner.apply(grad, self._columns, out)


def _length(curvature: float, product: float) -> float:
    """Return how much longer the inverse Hessian is than the metric M along a pair.

    `curvature` is <step, change>, `product` <change, M change>; it may underflow.
    """
    return curvature / product if product > 0 else 1.0


def _two_loop(pairs, slopes, apply, length: float):
    """Return L-BFGS's inverse Hessian times the slopes, which are overwritten.

    `pairs` are steps, changes of the gradient and their products; `length` makes the
    metric that `apply` stands for as long as the last pair.
    """
    xp, shares = namespace(slopes), []
    for step, change, curvature in reversed(pairs):
        shares.append(xp.vdot(step, slopes) / curvature)
        xp.add_scaled(slopes, change, -shares[-1])
    direction = xp.by_row(apply(slopes, out=slopes))
    direction *= length
    for step, change, curvature in pairs:
        share = shares.pop() - xp.vdot(change, direction) / curvature
        xp.add_scaled(direction, step, share)
    return direction
