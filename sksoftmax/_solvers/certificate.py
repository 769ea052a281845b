"""Bounds of the gap: how far the objective is above its optimum at most.

A bound by Fenchel duality is a proof. The others are factors times a decrement; they
are measured on tests/battery.py and stand in where the penalty is too weak for a proof.
"""

import math

# <r, M r> times this stands in for a bound that the penalty is too weak to give.
SAFETY = 1000.0
# Times the gap allowed: after a larger fall of the objective no bound is computed.
LARGEST_FALL = 20.0
# Share of <G, M G> that is left after products with the Hessian, if M is its inverse.
SOLVED_SHARE = 1e-5


class Certificate:
    """The bounds after a Newton step, and what earlier steps tell of them."""

    def __init__(self, oracle) -> None:
        """Certify models of the problem of `oracle`, in its active weights."""
        self._oracle, self._problem = oracle, oracle.problem
        self._active, data = oracle.active, oracle.problem.data
        self._xp = data.xp
        self.objectives: list[float] = []  # after each step
        self.first_decrement = math.inf  # <G, M G> before products with the Hessian
        n_outputs = self._problem.loss.n_outputs
        self.intercept_curvature = self._xp.zeros((n_outputs,), data.dtype)

    def recent_fall(self, n_steps: int) -> float:
        """Return by how much the last steps have lowered the objective."""
        if len(self.objectives) <= n_steps:
            return math.inf
        return self.objectives[-1 - n_steps] - self.objectives[-1]

    def by_duality(self, old_weights, new_weights, model_grad, target, decrements):
        """Return the bound after a step to new weights, infinite if above `target`.

        The probabilities p' = p + (diag(p) - p p') dz, which the quadratic model
        expected, are a point of the dual problem. The gap there is the mean of
        KL(p' || p_new), of which `linearization_error` is a bound, and what the penalty
        and its conjugate make of the gradient of the model. Rows for which p' are no
        probabilities have p_new instead. For `decrements` see `by_decrement`.
        """
        proof, factor = self.by_penalty(new_weights, model_grad)
        estimate = self.by_decrement(new_weights, model_grad, proof, target, decrements)
        if min(proof, estimate) > target:
            return math.inf  # saves a pass over the rows
        error, correction = self._oracle.linearization_error(old_weights, new_weights)
        if correction is not None:
            proof, factor = self.by_penalty(new_weights, model_grad + correction)
            estimate = math.inf  # it was that of these rows before the step
        return min(proof + factor * error, estimate + 2 * error)

    def by_penalty(self, weights, grad):
        """Return the bound for the quadratic model, and the dual point's factor.

        `grad` is the gradient of the model's smooth part, (n_weights, n_outputs).
        """
        penalty = self._problem.penalty
        if not penalty.alpha:
            return math.inf, 1.0
        objective = self.objectives[-1]
        gap, factor = penalty.duality_gap(weights, grad, objective, self._active)
        return self._intercept_bound(grad) + gap, factor

    def _intercept_bound(self, grad) -> float:
        """Return an empirical bound for what the intercepts' gradient hides.

        The dual problem asks this gradient to be zero. The curvature of a class without
        rows is next to nothing there.
        """
        if self._problem.data.n_weights == self._problem.data.n_features:
            return 0.0
        xp, slope = self._xp, grad[-1, :]
        tiny = float(xp.finfo(slope.dtype).smallest_normal)
        curvature = xp.maximum(self.intercept_curvature, tiny)
        share = xp.where(slope == 0, 0.0, slope**2 / curvature)
        return SAFETY * float(xp.total(share))

    def by_decrement(self, weights, grad, by_penalty, target, decrements) -> float:
        """Return a large factor times <G, M G>, if M is the inverse Hessian.

        <W - W*, r> is at most the product of their norms in the Hessian and in its
        inverse, for which the preconditioner stands in. `decrements(pseudo_gradient)`
        returns <G, M G> and the part of weights held at zero, or None if the
        preconditioner is no inverse. With L1 a bound by the penalty that has a meaning
        comes first: <G, M G> says little of weights held at zero.
        """
        n_steps, penalty = len(self.objectives), self._problem.penalty
        if penalty.makes_zeros and by_penalty <= LARGEST_FALL**2 * target:
            return math.inf
        if n_steps < 3 or self.recent_fall(n_steps // 3) > target:
            return math.inf
        if self.recent_fall(1) > 1e-4 * target:
            return math.inf
        parts = decrements(penalty.pseudo_gradient(weights, grad, self._active))
        if parts is None or not parts[0] <= SOLVED_SHARE * self.first_decrement:
            return math.inf  # for one product with the Hessian it was no inverse
        return 1e3 * SAFETY * sum(parts)

    def by_rounding(self, decrement, new_decrement, gain: float, eps: float) -> float:
        """Return a bound for a model that rounding keeps from any progress.

        `decrement` and `new_decrement` are <G, M G> before the step and at the minimum
        of its model, which is lower by `gain`.
        """
        rounding = 1e3 * eps * self.objectives[-1]
        is_penalised = bool(self._problem.penalty.alpha)
        if not is_penalised and gain > rounding:
            return math.inf  # the objective differs from its model by more
        if decrement <= rounding:
            return 1e3 * SAFETY * decrement
        if not is_penalised and new_decrement > 1e-2 * decrement:
            return math.inf  # the model was not minimised
        return 1e3 * SAFETY * max(decrement, abs(gain))
