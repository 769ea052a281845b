"""Newton's method on all rows: preconditioned, inexact, and with a bound on the gap.

Each step minimises the quadratic model of the objective by conjugate gradients, whose
products with the Hessian read all rows (Dembo, Eisenstat and Steihaug 1982). With L1
the steps are proximal, with active sets (Wen, Yin, Goldfarb and Zhang 2010).
"""

import math

import numpy as np

from sksoftmax._arrays import chunks, take
from sksoftmax._penalty import soft_threshold
from sksoftmax._preconditioner import CenteredDiagonal, Diagonal, Gram, Hessian
from sksoftmax._solvers.state import State

# Conjugate gradients stop when k products with the Hessian, each with the gain of the
# last one, would lower the model by less than this share of what was gained so far
# (Nash and Sofer 1990). Measured on digits: .05 takes 27 passes over the rows, .2 and
# .4 take 22.
FORCING = 0.2
# <r, M r> times this stands in for a bound where the penalty is too weak to give one.
SAFETY = 1000.0
# Share of the preconditioner's diagonal that is first added to the Hessian with L1:
# between two signs the penalty is linear, and without curvature has no minimum.
FIRST_DAMPING = 1e-3
LEAST_DAMPING = 1e-15  # with the whole Hessian; else the first one
# Times the gap wanted: after a larger fall of the objective it is not looked for.
LARGEST_FALL = 20.0
# Times the gap wanted: a bound that the penalty gives and that more products with the
# Hessian will not bring down to it.
HOPELESS_BOUND = 1e4
# Share of <G, M G> that is left after products with the Hessian, if M is its inverse.
SOLVED_SHARE = 1e-5
MAX_ACTIVE_SETS = 100  # in a step with L1
MAX_PRODUCTS = 250  # with the Hessian, in a step
# Steps that together gain next to nothing of the gap wanted, after which to give up.
IDLE_STEPS = 30
# Steps after minibatches that together have to gain the gap wanted.
PLATEAU_STEPS = 5
MAX_TRIALS = 40  # of a line search
# A step makes scaled weights no more than so many times as large, or the square of it.
LARGEST_GROWTH = 10.0
# A line search accepts a slope of this share of the first one, and a smaller one after
# this many products, which cost more than another trial does.
WOLFE, STRONG_WOLFE, MANY_PRODUCTS = 0.35, 0.25, 4
# Multiply-adds in the time that the calls of a pass take.
PASS_OVERHEAD = 5e5
# A product with one column reads as much memory as one with this many.
FEWEST_OUTPUTS = 8


class Newton:
    """Newton steps from conjugate gradients in the preconditioner's metric.

    Objective, gradient and products with the Hessian come from `oracle`, wherever the
    rows are.
    """

    # Where a validation loss is watched, as many steps count as one epoch.
    steps_per_epoch = 5

    def __init__(self, oracle, state: State, max_passes: int = 8) -> None:
        """Start from the model in `state` and leave it the model and t.

        `oracle` is Oracle, or what has its attributes and methods. A step with L1
        takes about `max_passes` over the rows at most.
        """
        problem, data = oracle.problem, oracle.problem.data
        self._problem, self._oracle, self._state = problem, oracle, state
        self._preconditioner_class, weights = oracle.preconditioner_class, state.average
        if self._preconditioner_class is Diagonal and data.n_weights > data.n_features:
            self._preconditioner_class = CenteredDiagonal
        self._xp, self._active = data.xp, oracle.active
        # The penalty alone decides where there is no data, and its minimum is zero.
        state.weights = self._xp.where(problem.penalty.penalised, 0.0, weights)
        state.average = state.weights
        self._weights = self._xp.copy(take(weights, self._active))
        self._l2 = take(problem.penalty.l2, self._active)
        self._l1 = take(problem.penalty.l1, self._active)
        self._varies = take(problem.mean_square, self._active) > 0
        self._makes_zeros = problem.penalty.makes_zeros
        self._preconditioner, self._work, self._total_work = None, math.inf, 0.0
        self._hessian_work = oracle.hessian_work
        self._damping = FIRST_DAMPING if problem.penalty.makes_zeros else 0.0
        self._tol, self._patience = 0.0, math.inf
        self._is_on_plateau = self._is_as_modelled = False
        self.stalled, self._first_decrement = False, math.inf
        self._n_products, self._max_passes = 0, max_passes
        self._intercept_curvature = self._xp.zeros((weights.shape[1],), data.dtype)
        self._threads = oracle.threads
        with self._threads():
            self.objective, self._grad = self._evaluate(self._weights)
            if self.objective > problem.loss.loss_at_zero:
                # Zeros are a better start than these, which may be far away.
                self._weights = self._xp.zeros(self._weights.shape, data.dtype)
                self.objective, self._grad = self._evaluate(self._weights)
        self._pseudo_gradient, self.gap_bound = (
            self._compute_pseudo_gradient(),
            self.objective,
        )
        self._objectives = [self.objective]
        self.last_step = self._weights, self._weights  # before it and after

    @property
    def model(self):
        """The weights that it has come to, (n_weights, n_outputs)."""
        self.save()
        return self._state.weights

    def save(self) -> None:
        """Write the weights that it has come to to the state."""
        self._state.weights[self._active, ...] = self._weights
        self._state.average = self._state.weights

    def iterate_to_gap(self, tol: float):
        """Yield itself, the objective and whether its gap is within tol, each step.

        Ends where rounding leaves no progress to make.
        """
        self._tol = tol
        for _ in self._steps():
            yield self, self.objective, self.gap_is_within(tol)

    def iterate_to_plateau(self, tol: float, patience: int):
        """Yield itself, the objective and whether that has converged, each step.

        It has when `patience` more products with the Hessian, a pass over the rows
        each, would lower the model by less than tol times the objective each, and the
        objective fell as the model had said. From a step on that was not as the model
        had said, the optimum is far, and the gap has to be within tol, or, where
        rounding leaves no progress to make, within half of the digits. Or a few
        steps, with L1 two, together have lowered the objective by less than tol.
        """
        self._tol = tol
        self._patience = math.inf if self._makes_zeros else patience
        for _ in self._steps():
            required_tol = max(tol, math.sqrt(self._eps)) if self.stalled else tol
            converged = self._is_on_plateau or self.gap_is_within(required_tol)
            n_steps = 2 if self._makes_zeros else PLATEAU_STEPS
            if len(self._objectives) > n_steps + 1:
                fall = self._objectives[-1 - n_steps] - self.objective
                converged |= self._is_as_modelled and fall <= self._allowed_gap(tol)
            yield self, self.objective, converged

    def gap_is_within(self, tol: float) -> bool:
        """Return whether the gap is at most tol times the objective (or its floor)."""
        return self.gap_bound <= self._allowed_gap(tol)

    def gap_estimate(self) -> float:
        """Return ten times <G, M G>: a guess of the gap, with no pass over the rows."""
        self.prepare()
        self._preconditioner.restrict(None, 0.0)
        return 10 * float(
            self._xp.vdot(self._pseudo_gradient, self._apply(self._pseudo_gradient))
        )

    def gradient_of_loss(self):
        """Return the gradient of the loss alone, (n_weights, n_outputs)."""
        grad = self._problem.zeros()
        grad[self._active, ...] = self._grad - self._l2 * self._weights
        return grad

    def accept_if_lower(self, weights) -> bool:
        """Go on from these weights, if the objective is lower there."""
        weights = take(weights, self._active)
        with self._threads():
            objective, grad = self._evaluate(weights)
            if not objective < self.objective:
                return False
            self._accept(objective, self._xp.copy(weights), grad)
        return True

    def rank_features(self):
        """Return the features that have weights, and those that miss theirs by most.

        That is by the gain that a step in the weight of one class promises. Both are
        feature numbers in NumPy.
        """
        self.prepare()
        xp, n_features = self._xp, self._problem.data.n_features
        gains = self._pseudo_gradient**2 / self._preconditioner.damping_diagonal(
            self._active
        )
        gains = xp.to_numpy(xp.max(gains, axis=1))
        has_weight = xp.to_numpy(xp.any(self._weights != 0, axis=1))
        features = np.arange(self._problem.data.n_weights)
        if not isinstance(self._active, slice):
            features = xp.to_numpy(self._active)
        is_feature = features < n_features
        missing = np.flatnonzero(is_feature & ~has_weight & (gains > 0))
        missing = missing[np.argsort(-gains[missing], kind="stable")]
        return features[is_feature & has_weight], features[missing]

    def adopt(self, other: "Newton", tol: float) -> None:
        """Go on from the model of another one, whose steps moved fewer features.

        A bound of the gap is looked for that is within tol.
        """
        self._tol, problem = tol, self._problem
        expanded = problem.zeros(), problem.zeros()
        for all_weights, weights in zip(expanded, other.last_step, strict=True):
            all_weights[other._active, ...] = weights
        old_weights, new_weights = (take(weights, self._active) for weights in expanded)
        with self._threads():
            self._intercept_curvature = other._intercept_curvature
            objective, grad = self._evaluate(new_weights)
            self._accept(objective, new_weights, grad)
            bound = self._penalty_bound(new_weights, grad)[0]
            self.gap_bound = min(self.gap_bound, bound)
            if other.gap_is_within(tol) and not self.gap_is_within(tol):
                self._weights = old_weights
                model_grad = self._evaluate(old_weights)[1]
                self._damping_diagonal = 0.0  # of other steps
                model_grad = model_grad + self._hessian_product(
                    new_weights - old_weights
                )
                self._weights = new_weights
                bound = self._bound_of_gap(old_weights, new_weights, model_grad)
                self.gap_bound = min(self.gap_bound, bound)

    def prepare(self) -> None:
        """Measure the preconditioner, if products since then have cost as much."""
        oracle, problem = self._oracle, self._problem
        one_output = problem.loss.n_outputs == 1
        is_sample = oracle.n_measured < oracle.n_rows
        self._is_exact = self._preconditioner_class is Hessian or (
            self._preconditioner_class is Gram and one_output and not is_sample
        )
        if self._preconditioner_class is Hessian:
            hessian = oracle.hessian(self._weights)
            scale = take(problem.scale, self._active)
            self._preconditioner = Hessian(hessian, self._l2, scale)
            return
        if self._work < oracle.sampled_hessian_work(self._preconditioner_class):
            return
        with self._threads():
            sampled_hessian = oracle.sampled_hessian(
                self._preconditioner_class, self.model
            )
        self._preconditioner = self._preconditioner_class.build(
            problem, sampled_hessian, is_sample, self._active
        )
        self._work = 0.0

    def step(self) -> None:
        """Take one step; where no progress is left, `stalled` is set."""
        self.prepare()
        self._state.t += 1
        self._state.n_averages += 1
        direction, model_grad, n_products, gain = self._minimise_model()
        direction = self._shorten(direction)
        slope = float(self._xp.vdot(self._pseudo_gradient, direction))
        wolfe = WOLFE if n_products < MANY_PRODUCTS else STRONG_WOLFE
        search = self._armijo_search if self._makes_zeros else self._wolfe_search
        trial = search(direction, slope, wolfe)
        old_weights = self._weights
        if trial is None:
            if self._makes_zeros:
                self._damping = max(64 * self._damping, 1e-4)
            self.stalled = not 0 < self._damping < 1e4
            new_weights = old_weights + direction
            self._objectives.append(self.objective)
            bound = 2 * gain + self._bound_of_gap(old_weights, new_weights, model_grad)
            bound = min(bound, self._bound_by_rounding(model_grad, gain))
            self.gap_bound = min(self.gap_bound, bound)
            self._is_on_plateau = False
            return
        step_size, objective, weights, grad = trial
        fall = self.objective - objective
        self.last_step = old_weights, weights
        self._accept(objective, weights, grad)
        is_as_modelled = step_size == 1 and gain / 2 < fall < 1.5 * gain
        self._is_on_plateau, self._is_as_modelled = (
            self._is_idle and is_as_modelled,
            is_as_modelled,
        )
        if not is_as_modelled:
            self._patience = math.inf
        if step_size == 1 and fall <= LARGEST_FALL * self._allowed_gap(self._tol):
            bound = self._bound_of_gap(old_weights, self._weights, model_grad)
            self.gap_bound = min(self.gap_bound, bound)
        if self._makes_zeros:
            is_good = (step_size >= 1) and fall > gain / 4
            self._damping *= 1 / 8 if is_good else 8
            least = (
                LEAST_DAMPING
                if self._preconditioner_class is Hessian
                else FIRST_DAMPING
            )
            self._damping = max(self._damping, least)

    def _shorten(self, direction):
        """Return it, or what is left where it makes weights too many times as large.

        Where all rows are saturated a model without curvature promises too much.
        """
        xp, scale = self._xp, take(self._problem.scale, self._active)
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
            if len(self._objectives) > IDLE_STEPS:
                fall = self._objectives[-1 - IDLE_STEPS] - self.objective
                self.stalled |= self._tol > 0 and fall <= 1e-4 * self._allowed_gap(
                    self._tol
                )
            if not math.isfinite(self.objective):
                raise FloatingPointError(f"the objective became {self.objective}")
            yield

    def _allowed_gap(self, tol: float) -> float:
        return tol * max(self.objective, self._problem.floor)

    def _accept(self, objective: float, weights, grad) -> None:
        self.objective, self._weights, self._grad = objective, weights, grad
        self._pseudo_gradient = self._compute_pseudo_gradient()
        self._objectives.append(objective)
        self.gap_bound = objective  # as neither loss nor penalty is ever negative

    def _minimise_model(self):
        """Return the step to the minimum of a quadratic model of the objective.

        The model is that of the smooth part, and L1 itself. Returned are the direction,
        the gradient of the smooth part of the model there, the number of products with
        the Hessian, and by how much the model is lower.
        """
        xp, pseudo_gradient = self._xp, self._pseudo_gradient
        direction = xp.zeros(pseudo_gradient.shape, pseudo_gradient.dtype)
        products = xp.zeros(pseudo_gradient.shape, pseudo_gradient.dtype)
        self._n_products, self._is_idle = 0, False
        if not self._makes_zeros:
            self._preconditioner.restrict(None, 0.0)
            self._conjugate_gradients(pseudo_gradient, direction, products)
            value = (
                xp.vdot(pseudo_gradient, direction) + xp.vdot(direction, products) / 2
            )
        else:
            direction, products = self._settle_signs(direction, products)
            value = self._model_value(direction, products)
            # What keeps steps short is no part of the objective.
            products = products - self._damping_diagonal * direction
        return direction, self._grad + products, self._n_products, -float(value)

    def _settle_signs(self, direction, products):
        """Return the minimiser of the model with L1, and the Hessian times it.

        Proximal gradient steps find which weights are zero and the signs of the others,
        conjugate gradients the minimum for these signs, up to where weights change
        theirs (as in FPC_AS, Wen, Yin, Goldfarb and Zhang 2010). No step raises the
        model.
        """
        xp, weights, l1 = self._xp, self._weights, self._l1
        diagonal = self._preconditioner.damping_diagonal(self._active)
        self._damping_diagonal = self._damping * diagonal
        value, length, target = 0.0, 1.0, self._allowed_gap(self._tol)
        if self._preconditioner_class is Hessian:
            solution = self._preconditioner.minimise_l1_model(
                weights, self._grad, l1, self._damping, 1e-6 * target
            )
            change = self._hessian_product(solution)
            if self._model_value(solution, change) < 0:
                self._free = (weights + solution != 0) | (l1 == 0)
                self._preconditioner.restrict(self._free, self._damping)
                return solution, change
        for attempt in range(MAX_ACTIVE_SETS):
            old_value = value
            for _ in range(2):
                direction, products, length = self._proximal_step(
                    direction, products, diagonal, length
                )
            value = self._model_value(direction, products)
            moved_weights = weights + direction
            signs = xp.where(l1 > 0, xp.sign(moved_weights), 0.0)
            free = (signs != 0) | (l1 == 0)
            self._free = free
            if attempt % 8 == 0:  # in between few weights change
                self._preconditioner.restrict(free, self._damping)
            minimiser, change = xp.copy(direction), xp.copy(products)
            pseudo_gradient = self._grad + l1 * signs
            moving = xp.astype(free, pseudo_gradient.dtype)
            self._conjugate_gradients(
                pseudo_gradient, minimiser, change, moving, -value
            )
            step, change = minimiser - direction, change - products
            is_settled = False
            for share in (1.0, 0.5, 0.1):
                new, new_products = direction + share * step, products + share * change
                changes_sign = (weights + new) * signs < 0
                any_changes = bool(xp.any(changes_sign))
                if any_changes:
                    return_step = xp.where(changes_sign, -weights - new, 0.0)
                    new = new + return_step
                    new_products = new_products + self._hessian_product(return_step)
                new_value = self._model_value(new, new_products)
                if new_value <= value:
                    direction, products, value = new, new_products, new_value
                    is_settled = share == 1 and not any_changes
                    break
            if self._is_idle:
                break
            if is_settled:
                grad = self._grad + products
                excess = xp.where(free, 0.0, xp.abs(grad) - l1 * (1 + 1e-6))
                if not xp.any(excess > 0):
                    break
            least_share = 1e-4 if -value <= 1.5 * target else 0.02
            if old_value - value <= least_share * -value:
                break
            if (
                self._preconditioner_class is not Hessian
                and self._n_products > self._max_passes
            ):
                break
        return direction, products

    def _proximal_step(self, direction, products, diagonal, length: float):
        """Return direction and products after a step, and the length that it may have.

        It is as long as the model's curvature along it allows.
        """
        xp, l1, start = self._xp, self._l1, self._weights + direction
        grad = (self._grad + products) / diagonal
        while True:
            new_weights = start - length * grad
            new_weights = xp.where(
                l1 > 0, soft_threshold(new_weights, length * l1 / diagonal), new_weights
            )
            step = new_weights - start
            change = self._hessian_product(step)
            curvature = float(xp.vdot(step, change))
            size = float(xp.vdot(step, diagonal * step))
            if curvature * length <= size or length < 1e-9:
                return direction + step, products + change, length
            length /= 2

    def _model_value(self, direction, products) -> float:
        vdot, weights = self._xp.vdot, self._weights
        value = vdot(self._grad, direction) + vdot(direction, products) / 2
        norms = self._l1_norm(weights + direction) - self._l1_norm(weights)
        return float(value) + norms

    def _l1_norm(self, weights) -> float:
        return float(self._xp.total(self._l1 * self._xp.abs(weights)))

    def _conjugate_gradients(
        self, pseudo_gradient, direction, products, free=None, gain: float = 0.0
    ) -> float:
        """Lower the model along the free weights, from a direction on, in place.

        `pseudo_gradient` is the gradient of the model at zero, `products` the Hessian
        times the direction, `gain` by how much the model has been lowered so far; what
        it is afterwards is returned. `free` is 1 for weights that may move, else 0.
        """
        vdot, target, n_idle = self._xp.vdot, self._allowed_gap(self._tol), 0
        residual = -(pseudo_gradient + products)
        if free is not None:
            residual *= free
        conjugate = self._apply(residual, free)
        power = float(vdot(residual, conjugate))
        if free is None:
            self._first_decrement = power
        for k in range(1, MAX_PRODUCTS + 1):
            if not power > 0:
                return gain
            product = self._hessian_product(conjugate)
            curvature = float(vdot(conjugate, product))
            if not curvature > 0:
                if k == 1 and not self._xp.any(direction):  # flat: the search decides
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
            if self._total_work > 2 * self._hessian_work and self._use_hessian():
                return gain
            if free is not None and self._n_products > self._max_passes:
                return gain
            residual -= share * (product if free is None else product * free)
            preconditioned = self._apply(residual, free)
            old_power, power = power, float(vdot(residual, preconditioned))
            expected = share * power / 2  # of the next product
            n_idle = n_idle + 1 if expected <= target else 0
            self._is_idle = n_idle >= self._patience
            if self._is_idle:
                return gain
            limit = (k + 1) * expected
            if gain <= 0.5 * target:  # perhaps the last step: can that be shown?
                weights, grad = self._weights + direction, self._grad + products
                bound = self._penalty_bound(weights, grad)[0]
                bound = min(bound, self._decrement_bound(weights, grad, bound))
                if bound <= target / 2:
                    return gain
                if (
                    limit
                    <= (1e-6 if bound < HOPELESS_BOUND * target else FORCING) * gain
                ):
                    self._use_hessian()
                    return gain
            elif limit <= FORCING * gain:
                return gain
            conjugate *= power / old_power
            conjugate += preconditioned
        return gain

    def _use_hessian(self) -> bool:
        """Return whether the next step begins to take the whole Hessian."""
        if self._is_exact or math.isinf(self._hessian_work):
            return False
        self._preconditioner_class = Hessian
        return True

    def _hessian_product(self, direction):
        problem = self._problem
        n_outputs = max(problem.loss.n_outputs, FEWEST_OUTPUTS)
        self._n_products += 1
        # On small data the number of rows decides nothing: weights are copies of rows.
        work = max(PASS_OVERHEAD, 2 * self._oracle.product_work * n_outputs)
        self._work += work
        self._total_work += work
        product, curvature = self._oracle.hessian_product(self._weights, direction)
        self._intercept_curvature = curvature
        product += self._l2 * direction
        if self._makes_zeros:
            product += self._damping_diagonal * direction
        return product

    def _bound_of_gap(self, old_weights, new_weights, model_grad) -> float:
        """Return how far the objective is above the optimum at most.

        By Fenchel duality. The probabilities p' = p + (diag(p) - p p') dz, which the
        quadratic model expected, are a point of the dual problem. The gap there is the
        mean of KL(p' || p_new), of which `linearization_error` is a bound, and what the
        penalty and its conjugate make of the gradient of the model. Rows for which p'
        are no probabilities have p_new instead.
        """
        strong, factor = self._penalty_bound(new_weights, model_grad)
        decrement_bound = self._decrement_bound(new_weights, model_grad, strong)
        target = self._allowed_gap(self._tol)
        if min(strong, decrement_bound) > target:
            return math.inf  # without another pass
        error, correction = self._oracle.linearization_error(old_weights, new_weights)
        if correction is not None:
            model_grad = model_grad + correction
            strong, factor = self._penalty_bound(new_weights, model_grad)
            decrement_bound = math.inf  # it was that of these rows before the step
        return min(strong + factor * error, decrement_bound + 2 * error)

    def _intercept_bound(self, grad) -> float:
        """Return a bound for what the intercept's gradient hides, an empirical one.

        The dual wants it to be zero. The curvature of a class without rows is next to
        nothing there.
        """
        if self._problem.data.n_weights == self._problem.data.n_features:
            return 0.0
        xp, slope = self._xp, grad[-1, :]
        tiny = float(xp.finfo(slope.dtype).smallest_normal)
        curvature = xp.maximum(self._intercept_curvature, tiny)
        share = xp.where(slope == 0, 0.0, slope**2 / curvature)
        return SAFETY * float(xp.total(share))

    def _bound_by_rounding(self, model_grad, gain: float) -> float:
        """Return a bound for where rounding is in the way of any progress."""
        if self._makes_zeros:
            if not self._is_exact:
                return math.inf
            self._preconditioner.restrict(self._free, LEAST_DAMPING)
            return (
                1e3
                * SAFETY
                * (abs(gain) + sum(self._decrements(self._pseudo_gradient)))
            )
        old_decrement, new_decrement = (
            float(self._xp.vdot(grad, self._apply(grad)))
            for grad in (self._pseudo_gradient, model_grad)
        )
        rounding = 1e3 * self._eps * self.objective
        if not self._problem.penalty.alpha and gain > rounding:
            return math.inf  # that is no rounding: the objective is not as modelled
        if old_decrement <= rounding:
            return 1e3 * SAFETY * old_decrement
        if not self._problem.penalty.alpha and new_decrement > 1e-2 * old_decrement:
            return math.inf  # the model was not minimised
        return 1e3 * SAFETY * max(old_decrement, abs(gain))

    def _decrement_bound(self, weights, grad, by_penalty: float) -> float:
        """Return what the metric says of the gradient of the model, many times.

        <W - W*, r> is at most the product of their norms in the Hessian and in its
        inverse, for which the preconditioner stands in. With L1 it does so only where
        the bound by the penalty has no meaning: weights held at zero are not in it.
        """
        target, objectives = self._allowed_gap(self._tol), self._objectives
        if self._makes_zeros and by_penalty <= LARGEST_FALL * LARGEST_FALL * target:
            return math.inf
        old_objective = objectives[-1 - len(objectives) // 3]
        damped = self._damping > LEAST_DAMPING  # which would hide flat directions
        if damped or not self._is_exact or old_objective - self.objective > target:
            return math.inf
        if len(objectives) < 3 or objectives[-2] - objectives[-1] > 1e-4 * target:
            return math.inf
        pseudo_gradient = self._problem.penalty.pseudo_gradient(
            weights, grad, self._active
        )
        decrement, outside_part = self._decrements(pseudo_gradient)
        if not decrement <= SOLVED_SHARE * self._first_decrement:
            return math.inf  # for one product with the Hessian it was no inverse
        return 1e3 * SAFETY * (decrement + outside_part)

    def _decrements(self, pseudo_gradient):
        """Return <G, M G>, and with L1 what the weights held at zero add to it.

        The inverse is then of the others alone.
        """
        decrement, excess = (
            float(self._xp.vdot(pseudo_gradient, self._apply(pseudo_gradient))),
            0.0,
        )
        if self._makes_zeros:
            outside = self._xp.where(self._free, 0.0, pseudo_gradient)
            diagonal = self._preconditioner.damping_diagonal(self._active)
            excess = float(self._xp.total(outside**2 / diagonal))
        return decrement, excess

    def _penalty_bound(self, weights, grad):
        """Return what the penalised weights add to a bound of the gap, and a factor.

        `grad` is that of the smooth part. With L1 alone the dual point has to be made
        smaller by a factor, which is returned as well.
        """
        xp, penalty = self._xp, self._problem.penalty
        l1, l2 = self._l1, self._l2
        if not penalty.alpha:
            return math.inf, 1.0
        # The loss has no gradient in constant columns but rounding.
        grad = xp.where(self._varies, grad, l2 * weights)
        bound = self._intercept_bound(grad)
        if not self._makes_zeros:
            safe = xp.where(l2 > 0, l2, 1.0)
            share = xp.where(l2 > 0, grad**2 / safe, 0.0)
            return bound + float(xp.total(share)) / 2, 1.0
        pull = xp.where(l1 > 0, l2 * weights - grad, 0.0)
        if penalty.l1_ratio < 1:
            safe, sign = xp.where(l2 > 0, l2, 1.0), xp.sign(pull)
            excess = xp.abs(pull) - l1
            outside = l1 * (xp.abs(weights) - sign * weights) + (
                l2 * weights - sign * excess
            ) ** 2 / (2 * safe)
            inside = l1 * xp.abs(weights) - pull * weights + l2 * weights**2 / 2
            share = xp.where(excess > 0, outside, inside)
            return bound + float(xp.total(xp.where(l1 > 0, share, 0.0))), 1.0
        largest = float(xp.max(xp.max(xp.abs(pull), axis=0), axis=0))
        factor = min(1.0, penalty.alpha / largest) if largest > 0 else 1.0
        share = l1 * xp.abs(weights) - factor * pull * weights
        penalty_value = float(penalty.value(weights, self._active))
        loss = max(self.objective - penalty_value, 0.0)
        return bound + float(xp.total(share)) + (1 - factor) * loss, factor

    def _wolfe_search(self, direction, slope: float, wolfe: float):
        """Return step size, objective, weights and gradient after a good step.

        Good: the objective falls and its slope along the line shrinks (Wolfe). The
        slope grows along the line, so its zero is bracketed. Where the slope leaps, as
        between separable rows, no step is good and the best one found is returned.
        """
        rounding = self._rounding
        low, low_slope, high, high_slope = 0.0, slope, math.inf, math.inf
        if not -slope > 1e-3 * rounding:
            return None
        step_size, best = 1.0, None
        for attempt in range(MAX_TRIALS):
            weights = self._weights + step_size * direction
            objective, grad = self._evaluate(weights)
            new_slope = float(self._xp.vdot(grad, direction))
            if objective <= self.objective + 1e-4 * step_size * slope + rounding:
                if best is None or objective < best[1]:
                    best = step_size, objective, weights, grad
                if abs(new_slope) <= (WOLFE if attempt else wolfe) * abs(slope):
                    break
            if new_slope < 0:
                low, low_slope = step_size, new_slope
            else:  # or it is not a number: much too far
                high, high_slope = step_size, new_slope
            if high == math.inf:
                gain = slope / (slope - new_slope) if new_slope > slope else math.inf
                step_size *= min(max(gain, 2.0), 10.0)
                continue
            share = 0.5 if attempt % 2 else low_slope / (low_slope - high_slope)
            if not math.isfinite(high_slope):
                share = 0.1
            step_size = low + (high - low) * min(max(share, 0.05), 0.95)
        return best

    def _armijo_search(self, direction, slope: float, wolfe: float):
        """Return the same with L1, whose slope leaps wherever a weight is zero."""
        xp, old_weights, rounding = self._xp, self._weights, self._rounding
        norm = self._l1_norm(old_weights)
        linear = float(xp.vdot(self._grad, direction))
        step_size, best = 1.0, None
        for _ in range(MAX_TRIALS):
            weights = old_weights + step_size * direction
            objective, grad = self._evaluate(weights)
            expected = step_size * linear + self._l1_norm(weights) - norm
            if objective <= self.objective + min(0.0, 1e-4 * expected) + rounding:
                if best is not None and not objective < best[1]:
                    break
                best = step_size, objective, weights, grad
                signs = xp.sign(xp.where(weights == 0, direction, weights))
                new_slope = float(xp.vdot(grad + self._l1 * signs, direction))
                if step_size < 1 or not new_slope < WOLFE * expected / step_size:
                    break
                step_size *= 4
            elif best is not None:
                break
            else:
                step_size /= 4
        if best is not None and not best[1] < self.objective + rounding:
            return None
        return best

    @property
    def _rounding(self) -> float:
        # In float64 the roundings of many rows have added up to much less than one.
        return self._eps * abs(self.objective) / 4

    @property
    def _eps(self) -> float:
        return float(self._xp.finfo(self._weights.dtype).eps)

    def _compute_pseudo_gradient(self):
        penalty = self._problem.penalty
        return penalty.pseudo_gradient(self._weights, self._grad, self._active)

    def _evaluate(self, weights):
        """Return objective and smooth part's gradient, in one pass over the rows."""
        penalty, active = self._problem.penalty, self._active
        objective, grad = self._oracle.loss_gradient(weights)
        objective += penalty.value(weights, active)
        size = self._xp.chunk_size // weights.shape[1]
        for chunk in chunks(slice(0, grad.shape[0]), size + 1):
            grad_chunk = grad[chunk, :]
            grad_chunk += self._l2[chunk, :] * weights[chunk, :]
        return float(objective), grad

    def _apply(self, grad, free=None):
        """Return the preconditioned gradient, of the free weights if not of all."""
        preconditioned = self._preconditioner.apply(grad, self._active)
        return preconditioned if free is None else preconditioned * free
