"""Bounds of the gap between the objective and its optimum.

A bound by Fenchel duality is a proof. The other bounds are factors times a decrement.
These factors are measured on tests/battery.py, and serve problems whose penalty is too
weak for a proof.
"""

import math
from itertools import pairwise

# Factor on <r, M r> for a bound, if the penalty is too weak for a proof.
SAFETY = 1000.0
# Multiple of the allowed gap. After a larger fall of the objective, no bound is tried.
LARGEST_FALL = 20.0
# Share of <G, M G> that products with the Hessian leave at most, if M is its inverse.
SOLVED_SHARE = 1e-5
N_FALLS = 6  # steps whose gains show whether rounding alone stops the progress


class Certificate:
    """The bounds of the gap after a Newton step, and the history that they need."""

    def __init__(self, oracle) -> None:
        """Initialise for the problem of `oracle`, and the oracle's active weights."""
        self._oracle, self._problem = oracle, oracle.problem
        self._active, data = oracle.active, oracle.problem.data
        self._xp = data.xp
        self.objectives: list[float] = []  # after each step
        self.first_decrement = math.inf  # <G, M G> before products with the Hessian
        n_outputs = self._problem.loss.n_outputs
        self.intercept_curvature = self._xp.zeros((n_outputs,), data.dtype)

    def recent_fall(self, n_steps: int) -> float:
        """Return the fall of the objective in the last n_steps steps."""
        if len(self.objectives) <= n_steps:
            return math.inf
        return self.objectives[-1 - n_steps] - self.objectives[-1]

    def duality_bound(self, old_weights, new_weights, model_grad, target, decrements):
        """Return the bound after a step to new weights, infinite if above `target`.

        The quadratic model expected the probabilities p' = p + (diag(p) - p p') dz,
        which are a dual point. The gap at this dual point has two terms. The first is
        the mean of KL(p' || p_new), which `linearization_error` bounds. The second is
        the gap between the penalty and its conjugate at the gradient of the model. A
        row whose p' are no probabilities has p_new instead. The method
        `decrement_bound` describes `decrements`.
        """
        proof, factor = self.penalty_bound(new_weights, model_grad)
        estimate = self.decrement_bound(
            new_weights, model_grad, proof, target, decrements
        )
        if min(proof, estimate) > target:
            return math.inf  # saves a pass over the rows
        error, correction = self._oracle.linearization_error(old_weights, new_weights)
        if correction is not None:
            proof, factor = self.penalty_bound(new_weights, model_grad + correction)
            estimate = math.inf  # the correction changes the model gradient
        return min(proof + factor * error, estimate + 2 * error)

    def penalty_bound(self, weights, grad):
        """Return the bound for the quadratic model, and the factor of the dual point.

        `grad` is the gradient of the model's smooth part, (n_weights, n_outputs).
        """
        penalty, objective = self._problem.penalty, self.objectives[-1]
        gap, factor = penalty.duality_gap(weights, grad, objective, self._active)
        return self._intercept_bound(grad) + gap, factor

    def _intercept_bound(self, grad) -> float:
        """Return an empirical bound for the part of the gap from the intercepts.

        A dual point has a gradient of zero in the intercepts. In the intercept of a
        class without rows, the curvature is nearly zero.
        """
        if self._problem.data.n_weights == self._problem.data.n_features:
            return 0.0
        xp, slope = self._xp, grad[-1, :]
        tiny = float(xp.finfo(slope.dtype).smallest_normal)
        curvature = xp.maximum(self.intercept_curvature, tiny)
        share = xp.where(slope == 0, 0.0, slope**2 / curvature)
        return SAFETY * float(xp.total(share))

    def decrement_bound(
        self, weights, grad, penalty_bound, target, decrements
    ) -> float:
        """Return a large factor times <G, M G>, if M is the inverse Hessian.

        The product <W - W*, r> is at most the norm of W - W* in the Hessian times the
        norm of r in the inverse Hessian. The preconditioner stands in for this inverse.
        `decrements(pseudo_gradient)` returns <G, M G> and the part of weights held at
        zero, or None if the preconditioner is not the inverse. A bound by the penalty
        near `target` has precedence, because <G, M G> says little of weights that L1
        holds at zero.
        """
        n_steps, penalty = len(self.objectives), self._problem.penalty
        if penalty.makes_zeros and penalty_bound <= LARGEST_FALL**2 * target:
            return math.inf
        if n_steps < 3 or self.recent_fall(n_steps // 3) > target:
            return math.inf
        if self.recent_fall(1) > 1e-4 * target:
            return math.inf
        parts = decrements(penalty.pseudo_gradient(weights, grad, self._active))
        if parts is None or not parts[0] <= SOLVED_SHARE * self.first_decrement:
            return math.inf  # M was not the inverse for a product with the Hessian
        return 1e3 * SAFETY * sum(parts)

    def rounding_bound(
        self, decrement, new_decrement, gain: float, eps: float
    ) -> float:
        """Return a bound for a model from which rounding allows no progress.

        `decrement` and `new_decrement` are <G, M G> before the step and at the minimum
        of its quadratic model. The minimum is lower by `gain`.
        """
        rounding = 1e3 * eps * self.objectives[-1]
        bound = self._decayed_fall_bound(rounding)
        penalty = self._problem.penalty
        is_penalised = penalty.has_l2 or penalty.makes_zeros
        if not is_penalised and gain > rounding:
            return bound  # the error of the quadratic model exceeds rounding
        if decrement <= rounding:
            return min(bound, 1e3 * SAFETY * decrement)
        if not is_penalised and new_decrement > 1e-2 * decrement:
            return bound  # the model was not minimised
        return min(bound, 1e3 * SAFETY * max(decrement, abs(gain)))

    def _decayed_fall_bound(self, rounding: float) -> float:
        """Return a large factor times the last falls, if the falls have decayed.

        The gains of Newton steps decay a hundredfold in five steps near the optimum.
        Gains that do not decay come from an objective unlike its model.
        """
        if len(self.objectives) <= N_FALLS + 1:
            return math.inf
        values = self.objectives[-N_FALLS - 2 : -1]  # the last step had no result
        falls = [max(old - new, rounding) for old, new in pairwise(values)]
        decays = all(new <= old for old, new in pairwise(falls))
        decays &= falls[-2] <= max(1e-2 * falls[0], rounding)
        return SAFETY * falls[-2] if decays else math.inf
