"""L-BFGS for one of several models that share passes over the rows.

Limited-memory BFGS (Liu and Nocedal 1989), preconditioned. The pairs of a step and the
change of the gradient outlive a change of the penalty: the gradient is linear in the
strength, so a pair stays exact.
"""

from dataclasses import replace

from sksoftmax._solvers.line_search import wolfe_search

MEMORY = 5  # pairs
# Largest share of the slope that the first trial may leave: another trial costs as much
# as another step.
FIRST_WOLFE = 0.9
# A step ends the iteration if it is expected to gain less than this share of `tol`
# times the objective. Measured on MNIST, with 1, .3 and .1 of a tolerance of 1e-2: the
# path takes 22, 26 and 37 passes, to held-out losses of .3073, .3052 and .3050.
GAIN_SHARE = 0.2


class LBFGS:
    """One model, its objective, and the pairs of its last steps."""

    def __init__(self, problem, weights, evaluation) -> None:
        """Initialise at weights, (n_weights, n_outputs), with their Evaluation."""
        self.problem, self.weights, self.evaluation = problem, weights, evaluation
        self._xp = problem.data.xp
        self._pairs: list = []  # step, change of the gradient, their product
        self.n_steps = 0
        self._set_objective()

    def set_penalty(self, penalty, preconditioner) -> None:
        """Update in place: continue with another penalty; the pairs stay exact.

        `preconditioner` is one for the new penalty.
        """
        change = penalty.l2 - self.problem.penalty.l2
        self.problem = replace(self.problem, penalty=penalty)
        self._preconditioner, self._length, pairs = preconditioner, 1.0, self._pairs
        self._pairs = []
        for step, grad_change, _ in pairs:
            grad_change += change * step
            self._remember(step, grad_change)
        self._set_objective()

    def move(self, weights, evaluation) -> None:
        """Update in place: continue from other weights, with their Evaluation."""
        self.weights, self.evaluation = weights, evaluation
        self._set_objective()

    def iterate(self, tol: float, max_steps: int):
        """Yield weights and receive their Evaluation; return whether it converged.

        The iteration converged if another step is expected to gain little.
        """
        first, target = self.n_steps, GAIN_SHARE * tol
        while True:
            direction = self._direction()
            slope = float(self._xp.vdot(self._grad, direction))
            allowed = target * max(self.objective, self.problem.floor)
            if self.n_steps == first:  # a step, unless it would gain nothing
                allowed = min(allowed, self._rounding)
            if -slope / 2 <= allowed:
                return True
            if self.n_steps == first + max_steps:
                return False
            if not (yield from self._step(direction, slope)):
                if not self._pairs:
                    return False
                self._pairs.clear()  # which once more leaves the preconditioner alone

    def _step(self, direction, slope: float):
        """Yield the trials of a line search; return whether a trial was good."""
        state = self.weights, self.objective, direction, slope
        search = wolfe_search(self._xp, *state, FIRST_WOLFE, self._rounding)
        evaluations = []
        try:
            trial = next(search)
            while True:
                evaluation = yield trial
                evaluations.append((trial, evaluation))
                trial = search.send(self._add_penalty(trial, evaluation))
        except StopIteration as end:
            found = end.value
        if found is None:
            return False
        _, objective, weights, grad = found
        self._remember(weights - self.weights, grad - self._grad)
        self.weights, self.objective, self._grad = weights, objective, grad
        self.evaluation = next(e for trial, e in evaluations if trial is weights)
        self.n_steps += 1
        return True

    def _direction(self):
        """Return the direction of the two-loop recursion."""
        direction, shares = self._xp.copy(self._grad), []
        for step, change, curvature in reversed(self._pairs):
            share = float(self._xp.vdot(step, direction)) / curvature
            shares.append(share)
            direction -= share * change
        direction = self._preconditioner.apply(direction)
        direction *= self._length
        for step, change, curvature in self._pairs:
            share = shares.pop()
            share -= float(self._xp.vdot(change, direction)) / curvature
            direction += share * step
        direction *= -1
        return direction

    def _remember(self, step, change) -> None:
        """Update in place: keep the pair if its curvature is positive."""
        curvature = float(self._xp.vdot(step, change))
        preconditioned = float(
            self._xp.vdot(change, self._preconditioner.apply(self._xp.copy(change)))
        )
        if curvature > 0 and preconditioned > 0:
            self._pairs = [*self._pairs[1 - MEMORY :], (step, change, curvature)]
            self._length = curvature / preconditioned

    @property
    def _rounding(self) -> float:
        return float(self._xp.finfo(self.weights.dtype).eps) * abs(self.objective)

    def _set_objective(self) -> None:
        self.objective, self._grad = self._add_penalty(self.weights, self.evaluation)

    def _add_penalty(self, weights, evaluation):
        """Return the objective and its gradient."""
        penalty = self.problem.penalty
        objective = evaluation.loss + float(penalty.value(weights))
        return objective, evaluation.grad + penalty.gradient(weights)
