"""Newton's method on all rows: preconditioned, inexact, and with a bound of the gap.

Each step minimises the quadratic model of the objective by conjugate gradients. Their
products with the Hessian read all rows (Dembo, Eisenstat and Steihaug 1982).
"""

import math

from sksoftmax._arrays import chunks, take
from sksoftmax._oracle import OracleProtocol
from sksoftmax._preconditioner import GAP_FACTOR
from sksoftmax._solvers.certificate import LARGEST_FALL, Certificate
from sksoftmax._solvers.curvature import PAID_SHARE, Curvature
from sksoftmax._solvers.line_search import WOLFE, run_search, wolfe_search
from sksoftmax._solvers.state import State

# Conjugate gradients stop when k more products with the Hessian would lower the model
# by less than this share of the gain so far (Nash and Sofer 1990). Each product is
# expected to gain as much as the last one. Measured on digits: .05 takes 27 passes over
# the rows, .2 and .4 take 22.
FORCING = 0.2
# Multiple of the allowed gap. More products with the Hessian do not lower a larger
# bound by the penalty to the allowed gap.
HOPELESS_BOUND = 1e4
# With the Hessian, in one run of conjugate gradients. A step with L1 has many runs.
MAX_PRODUCTS = 250
# The solver gives up after this many steps that together gain next to nothing of the
# allowed gap. No gap is allowed if `tol` is 0 or None, and then the solver gives up
# only where no step lowers the objective.
IDLE_STEPS = 30
# On a plateau, the last step gained what its model promised, up to this multiple of the
# allowed gap.
LARGEST_MODEL_ERROR = 1.0
# A step enlarges scaled weights at most by this factor, plus the square of the factor.
LARGEST_GROWTH = 10.0
# The Gram matrix confirms a plateau of the diagonal preconditioner if it estimates the
# gap at no more than this multiple of the objective. Measured, with a sample of 512
# rows: .02 on independent features; 11 on MNIST at 1.4 times the optimum, 46 on 2100
# features of low rank at 3.8 times, and 50 to 70 on lags of a random walk at 4 to 7
# times the optimum. With 4, MNIST is confirmed at 1.4 times the optimum.
LARGEST_CONFIRMED_GAP = 1.0
# After MANY_PRODUCTS products with the Hessian, which cost more than another trial, a
# line search has to shrink the slope to the share STRONG_WOLFE.
STRONG_WOLFE, MANY_PRODUCTS = 0.25, 4
# The strict rule compares the allowed gap with this multiple of the decrement. Measured
# over paths of decreasing alpha: with 1, objectives were up to 3 % above those of cold
# fits; with 2, at most 1.3 %; with 4, fits took a third longer.
STRICT_FACTOR = 2.0


class Newton:
    """Newton steps from preconditioned conjugate gradients.

    Objective, gradient and products with the Hessian come from `oracle`, wherever the
    rows are.
    """

    # Steps that count as one epoch for the patience of a validation loss.
    steps_per_epoch = 5
    # Steps after minibatches that together have to gain the allowed gap.
    plateau_steps = 5

    def __init__(self, oracle: OracleProtocol, state: State) -> None:
        """Initialise from the model in `state`, and update its model and t later."""
        problem, data = oracle.problem, oracle.problem.data
        self._problem, self._oracle, self._state = problem, oracle, state
        self._curvature, weights = Curvature(oracle), state.average
        self._xp, self._active = data.xp, oracle.active
        # Without data only the penalty counts, and its minimum is at zero.
        state.weights = self._xp.where(problem.penalty.penalised, 0.0, weights)
        state.average = state.weights
        self._weights = self._xp.copy(take(weights, self._active))
        self._l2 = take(problem.penalty.l2, self._active)
        self._tol, self._patience, self._is_strict = 0.0, math.inf, False
        self._is_on_plateau = self._is_as_modelled = False
        # Whether a plateau is confirmed, and whether Gram has replaced the diagonal.
        self._is_confirmed = self._has_gram = False
        self._certificate, self.stalled = Certificate(oracle), False
        self._is_idle, self._forcing = False, FORCING
        self.max_products = math.inf  # with the Hessian, in a step without L1
        self._threads = oracle.threads
        with self._threads():
            objective, grad = self._evaluate(self._weights)
            if not objective <= problem.loss.loss_at_zero:  # zeros are a better start
                self._weights = self._xp.zeros(self._weights.shape, data.dtype)
                objective, grad = self._evaluate(self._weights)
        self._accept(objective, self._weights, grad)
        self.last_step = self._weights, self._weights  # before it and after

    @property
    def model(self):
        """The current weights, (n_weights, n_outputs)."""
        self.save()
        return self._state.weights

    def save(self) -> None:
        """Update the state in place: write the current weights to the state."""
        self._xp.assign_rows(self._state.weights, self._active, self._weights)
        self._state.average = self._state.weights

    def iterate_to_gap(self, tol: float):
        """Yield itself, the objective and whether its gap is within tol, each step."""
        self._tol = tol
        for _ in self._steps():
            yield self, self.objective, self.gap_is_within(tol)

    def iterate_to_plateau(self, tol: float, patience: int, is_strict: bool = False):
        """Yield itself, the objective and whether the objective converged, each step.

        The objective has converged in three cases. First, the gap is within tol; if
        rounding stops the progress, half of the digits are enough. Second, all steps
        were as modelled, and `patience` products with the Hessian in a row promised
        less than tol each. Third, the last step was as modelled, and the last
        `plateau_steps` steps together gained less than tol.

        Under the strict rule, the decrement <r, M r> of the quadratic model's residual
        r must be small, too. The rule is for warm starts: a model for another penalty
        is far from the optimum in directions of little curvature. There the first
        products promise little, and many products together gain much.

        The diagonal preconditioner hides such directions from a cold start, too. So the
        Gram matrix has to confirm a plateau that no bound of the gap proves. Without a
        Gram matrix, the strict rule is for all starts.
        """
        self._tol, self._patience, self._is_strict = tol, patience, is_strict
        for _ in self._steps():
            required_tol = max(tol, math.sqrt(self._eps)) if self.stalled else tol
            is_plateau = self._is_on_plateau
            if len(self._certificate.objectives) > self.plateau_steps + 1:
                fall = self._certificate.recent_fall(self.plateau_steps)
                is_plateau |= self._is_as_modelled and fall <= self._allowed_gap(tol)
            converged = self.gap_is_within(required_tol)
            if is_plateau and not converged:
                with self._threads():
                    converged = self._confirm_plateau()
            yield self, self.objective, converged

    def _confirm_plateau(self) -> bool:
        """Return whether the Gram matrix confirms a plateau of the diagonal.

        The Gram matrix replaces the diagonal if it does not.
        """
        curvature = self._curvature
        if curvature.takes_hessian:
            return curvature.is_hessian  # if the last step had it
        if self._is_confirmed or not (curvature.is_lazy or self._has_gram):
            return True
        if curvature.is_lazy:
            oracle = self._oracle.select_gram()
            if oracle is None:
                return True
            curvature = Curvature(oracle)
            curvature.measure(self._weights, lambda: self.model)
        gap = GAP_FACTOR * float(self._xp.vdot(self._grad, curvature.apply(self._grad)))
        self._is_confirmed = gap <= LARGEST_CONFIRMED_GAP * self.objective
        if self._curvature.is_lazy and not self._is_confirmed:
            self._oracle, self._curvature, self._has_gram = oracle, curvature, True
        return self._is_confirmed

    def gap_is_within(self, tol: float) -> bool:
        """Return whether the gap is at most tol times the objective (or its floor)."""
        return self.gap_bound <= self._allowed_gap(tol)

    def gap_estimate(self) -> float:
        """Return an estimate of the gap from <G, M G>, without reading rows."""
        self.prepare()
        self._curvature.restrict(None, 0.0)
        return GAP_FACTOR * self._decrement(self._pseudo_gradient())

    def gradient_of_loss(self):
        """Return the gradient of the loss alone, (n_weights, n_outputs)."""
        grad = self._problem.zeros()
        active_grad = self._grad - self._l2 * self._weights
        self._xp.assign_rows(grad, self._active, active_grad)
        return grad

    def accept_if_lower(self, weights) -> bool:
        """Return whether the objective is lower at `weights`, and then adopt them."""
        weights = take(weights, self._active)
        with self._threads():
            objective, grad = self._evaluate(weights)
            if not objective < self.objective:
                return False
            self._accept(objective, self._xp.copy(weights), grad)
        return True

    def step(self) -> None:
        """Update in place by one step, or set `stalled` if no progress is left."""
        self.prepare()
        self._state.t += 1
        self._state.n_averages += 1
        self._curvature.n_products, self._is_idle = 0, False
        direction, model_grad, gain = self._minimise_model()
        direction = self._shorten(direction)
        trial = self._search(direction)
        old_weights = self._weights
        # Steps of no gain may alternate between two points.
        if trial is not None and gain <= self._rounding and trial[1] >= self.objective:
            trial = None
        if trial is None:
            self.stalled = not self._can_shorten()
            self._certificate.objectives.append(self.objective)
            self._is_on_plateau = False
            self._bound_gap(old_weights, old_weights + direction, model_grad, 2 * gain)
            bound = self._bound_by_rounding(model_grad, gain)
            self.gap_bound = min(self.gap_bound, bound)
            return
        step_size, objective, weights, grad = trial
        fall = self.objective - objective
        self.last_step = old_weights, weights
        self._accept(objective, weights, grad)
        is_as_modelled = step_size == 1 and gain / 2 < fall < 1.5 * gain
        self._is_as_modelled = is_as_modelled
        error, allowed = abs(fall - gain), self._allowed_gap(self._tol)
        is_exact = error <= LARGEST_MODEL_ERROR * allowed
        self._is_on_plateau = self._is_idle and is_as_modelled and is_exact
        if not is_as_modelled:
            self._patience = math.inf
        if step_size == 1 and fall <= LARGEST_FALL * self._allowed_gap(self._tol):
            self._bound_gap(old_weights, self._weights, model_grad)
        self._adapt(step_size, fall, gain)

    def _search(self, direction):
        """Return step size, objective, weights and gradient of a good step, or None."""
        slope = float(self._xp.vdot(self._grad, direction))
        first = WOLFE if self._curvature.n_products < MANY_PRODUCTS else STRONG_WOLFE
        start = self._weights, self.objective, direction, slope
        search = wolfe_search(self._xp, *start, first, self._rounding)
        return run_search(search, self._evaluate)

    def _can_shorten(self) -> bool:
        """Return False: the next search would have no result either."""
        return False

    def _adapt(self, step_size: float, fall: float, gain: float) -> None:
        """Return None: the model has no parameter to adapt."""

    def _bound_gap(self, old_weights, new_weights, model_grad, excess: float = 0.0):
        """Update the bound of the gap: the bound after a step, plus `excess`."""
        step, target = (old_weights, new_weights), self._allowed_gap(self._tol)
        bound = self._certificate.duality_bound(
            *step, model_grad, target, self._decrements
        )
        self.gap_bound = min(self.gap_bound, bound + excess)

    def _bound_by_rounding(self, model_grad, gain: float) -> float:
        """Return a bound for a model from which rounding allows no progress."""
        old, new = self._decrement(self._grad), self._decrement(model_grad)
        return self._certificate.rounding_bound(old, new, gain, self._eps)

    def _decrements(self, grad):
        """Return <G, M G> and zero, or None unless M is the inverse of the Hessian."""
        return (self._decrement(grad), 0.0) if self._curvature.is_exact else None

    def _decrement(self, grad) -> float:
        return float(self._xp.vdot(grad, self._curvature.apply(grad)))

    def prepare(self) -> None:
        """Update the preconditioner, if products have cost as much as a measurement."""
        with self._threads():
            self._curvature.measure(self._weights, lambda: self.model)

    def _hessian_product(self, direction):
        """Return the Hessian of the smooth part times a direction."""
        product = self._curvature.product(self._weights, direction)
        self._certificate.intercept_curvature = self._curvature.mean_curvature
        return product

    def _shorten(self, direction):
        """Return the direction, or a part of the direction if weights grow too large.

        A model with little curvature, from saturated rows for example, asks for far too
        large steps.
        """
        xp, scale = self._xp, take(self._problem.scaling.scale, self._active)
        size, limit = (
            float(xp.max(xp.max(xp.abs(scale * weights), axis=0), axis=0))
            for weights in (direction, self._weights)
        )
        limit = LARGEST_GROWTH * (LARGEST_GROWTH + limit)
        return direction if size <= limit else direction * (limit / size)

    def _steps(self):
        while not self.stalled:
            with self._threads():
                self.step()
            fall = self._certificate.recent_fall(IDLE_STEPS)
            is_idle = fall <= 1e-4 * self._allowed_gap(self._tol)
            self.stalled |= self._tol > 0 and is_idle
            if not math.isfinite(self.objective):
                raise FloatingPointError(f"the objective became {self.objective}")
            yield

    def _allowed_gap(self, tol: float) -> float:
        return tol * max(self.objective, self._problem.floor)

    def _accept(self, objective: float, weights, grad) -> None:
        self.objective, self._weights, self._grad = objective, weights, grad
        self._certificate.objectives.append(objective)
        self.gap_bound = objective  # loss and penalty are never negative

    def _minimise_model(self):
        """Return the step to the minimum of a quadratic model of the objective.

        Also return the gradient of the model at its minimum, and the gain: by how much
        the step lowers the model.
        """
        xp, grad = self._xp, self._grad
        direction = xp.zeros(grad.shape, grad.dtype)
        products = xp.zeros(grad.shape, grad.dtype)
        self._curvature.restrict(None, 0.0)
        limit = self.max_products
        self._conjugate_gradients(grad, direction, products, max_products=limit)
        value = xp.vdot(grad, direction) + xp.vdot(direction, products) / 2
        return direction, grad + products, -float(value)

    def _conjugate_gradients(
        self, grad, direction, products, free=None, gain=0.0, max_products=math.inf
    ) -> float:
        """Update `direction` and `products` in place, and return the gain.

        The update lowers the model along the free weights. `grad` is the gradient of
        the model at zero, and `products` are the Hessian times the direction. `gain` is
        the amount by which the model is lower than at zero so far. `free` is 1 for
        weights that may move, else 0. The step takes about `max_products` products at
        most.
        """
        vdot, target, n_idle = self._xp.vdot, self._allowed_gap(self._tol), 0
        residual = -(grad + products)
        if free is not None:
            residual *= free
        conjugate = self._curvature.apply(residual, free)
        power = float(vdot(residual, conjugate))
        if free is None:
            self._certificate.first_decrement = power
        for k in range(1, MAX_PRODUCTS + 1):
            if not power > 0:
                return gain
            product = self._hessian_product(conjugate)
            curvature = float(vdot(conjugate, product))
            if not curvature > 0:
                if k == 1 and not self._xp.any(
                    direction
                ):  # a flat model: the line search decides
                    direction += conjugate
                    products += product
                return gain
            share = power / curvature
            direction += share * conjugate
            products += share * product
            last_gain = share * power / 2
            gain += last_gain
            if not last_gain > 0:
                return gain
            if free is None and self._curvature.change_to_hessian(PAID_SHARE):
                return gain
            if self._curvature.n_products > max_products:
                return gain
            residual -= share * (product if free is None else product * free)
            preconditioned = self._curvature.apply(residual, free)
            old_power, power = power, float(vdot(residual, preconditioned))
            expected = share * power / 2  # of the next product
            promise = expected
            if self._is_strict:
                promise = max(expected, STRICT_FACTOR * power)
            n_idle = n_idle + 1 if promise <= target else 0
            self._is_idle = n_idle >= self._patience
            if self._is_idle:
                return gain
            limit = (k + 1) * expected
            if gain <= 0.5 * target:  # perhaps the last step, if a bound shows it
                bound = self._model_bound(direction, products, target)
                if bound <= target / 2:
                    return gain
                can_be_shown = bound < HOPELESS_BOUND * target
                if limit <= (1e-6 if can_be_shown else self._forcing) * gain:
                    self._curvature.change_to_hessian()
                    return gain
            elif limit <= self._forcing * gain:
                return gain
            conjugate *= power / old_power
            conjugate += preconditioned
        return gain

    def _model_bound(self, direction, products, target: float) -> float:
        """Return the bound of the gap if the quadratic model were the objective."""
        weights, grad = self._weights + direction, self._grad + products
        proof = self._certificate.penalty_bound(weights, grad)[0]
        bound = self._certificate.decrement_bound(
            weights, grad, proof, target, self._decrements
        )
        return min(proof, bound)

    @property
    def _rounding(self) -> float:
        # Rounding errors of many rows in float64 have added up to much less than eps.
        return self._eps * abs(self.objective) / 4

    @property
    def _eps(self) -> float:
        return float(self._xp.finfo(self._weights.dtype).eps)

    def _pseudo_gradient(self):
        """Return the pseudo-gradient, which is the gradient without L1."""
        penalty = self._problem.penalty
        return penalty.pseudo_gradient(self._weights, self._grad, self._active)

    def _evaluate(self, weights):
        """Return objective and gradient of the smooth part, in one pass over rows."""
        penalty, active = self._problem.penalty, self._active
        objective, grad = self._oracle.loss_gradient(weights)
        grad = self._curvature.clear_constant(grad)
        objective += penalty.value(weights, active)
        size = self._xp.chunk_size // weights.shape[1]
        for chunk in chunks(slice(0, grad.shape[0]), size + 1):
            grad_chunk = grad[chunk, :]
            grad_chunk += self._l2[chunk, :] * weights[chunk, :]
        return float(objective), grad
