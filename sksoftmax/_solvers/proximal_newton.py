"""Newton's method with L1: proximal steps, which make weights zero.

An interior point method minimises the quadratic model with L1 if the Hessian is
the preconditioner. Otherwise active sets and conjugate gradients do (FPC_AS, Wen, Yin,
Goldfarb and Zhang 2010). The damping of the model is Levenberg and Marquardt's.
"""

import numpy as np

from sksoftmax._arrays import take
from sksoftmax._penalty import soft_threshold
from sksoftmax._preconditioner import Gram, inversion_bias
from sksoftmax._solvers.certificate import SAFETY
from sksoftmax._solvers.line_search import armijo_search, run_search
from sksoftmax._solvers.newton import Newton
from sksoftmax._solvers.state import State

# Share of the preconditioner's diagonal that the first step adds to the Hessian. The
# penalty is linear between two signs, so a model without curvature has no minimum.
FIRST_DAMPING = 1e-3
LEAST_DAMPING = 1e-15  # with the whole Hessian; otherwise FIRST_DAMPING
# After a step that gains no more than this share of the allowed gap, the whole Hessian
# bounds the gap sooner. Measured on 5000 rows of 300 one-hot columns and 4 numbers with
# alpha=1e-6: 50 steps, and a warning, without it.
IDLE_SHARE = 1e-3
# The least number of weights that may move in a step, and how many times the weights
# that are not zero may move. The second number is for a Hessian that is too costly with
# the first one.
FEWEST_CANDIDATES, GROWTHS = 100, (2.0, 1.25)
MAX_ACTIVE_SETS = 100  # in a step
MAX_PASSES = 8  # in a step; see `make_newton`
# Passes in a step after plateaus that nothing confirmed, and the number of such
# plateaus with as many passes after which the fit ends with a warning. Measured on 2500
# rows of 6000 features of low rank: steps of 64 passes gain no more than .2 to 1.5 %.
LARGEST_PASS_LIMIT, MOST_REFUSED = 32, 5
# The limit of products with the Gram matrix in all runs of conjugate gradients of a
# step, and the share that replaces FORCING for these products. Measured on lags of a
# random walk: with FORCING, the model promised .9 % at 7 times the optimum.
GRAM_PRODUCTS, GRAM_FORCING = 400, 1e-3
# The model with the Gram matrix may promise this share of the allowed gap on a plateau.
GRAM_SHARE = 0.2


def make_newton(oracle, state: State, max_passes: int = MAX_PASSES):
    """Return a solver on all rows for the problem of `oracle`.

    With L1, a step reads all rows about `max_passes` times at most.
    """
    if oracle.problem.penalty.makes_zeros:
        return ProximalNewton(oracle, state, max_passes)
    return Newton(oracle, state)


class ProximalNewton(Newton):
    """Newton steps on the smooth part of the objective, with L1 as it is."""

    plateau_steps = 2

    def __init__(self, oracle, state: State, max_passes: int = MAX_PASSES) -> None:
        """Initialise; a step reads all rows about `max_passes` times at most."""
        self._l1 = take(oracle.problem.penalty.l1, oracle.active)
        self._max_passes, self._damping = max_passes, FIRST_DAMPING
        self._damping_diagonal, self._free = 0.0, None
        self._candidates = None
        self._bounded = None  # the weights in the decrement: free candidates
        self._gram_oracle = self._gram = None
        self._n_exact = 0  # last steps with the whole Hessian
        self._n_refused = 0  # plateaus in spite of the most passes
        self._gram_pays = False  # whether the last step with the Gram matrix did
        super().__init__(oracle, state)

    def iterate_to_plateau(self, tol: float, patience: int, is_strict: bool = False):
        """Yield the same values as Newton, without regard to `patience`.

        Products with the Hessian say little about the next signs. The strict rule
        requires one more step. Measured on 10000 rows of MNIST after warm starts:
        without this step, objectives were up to 41 % above those of cold fits.
        """
        self.plateau_steps += is_strict
        yield from super().iterate_to_plateau(tol, np.inf, is_strict)

    def step(self) -> None:
        """Update in place by one step, or set `stalled` if no progress is left."""
        if self._gram_pays and not self._curvature.takes_hessian:
            self._gram_step()
        else:
            self._choose_candidates()
            old_objective = self.objective
            super().step()
            fall = old_objective - self.objective
            self._curvature.record_fall(fall, self._allowed_gap(self._tol))
            is_exact = self._curvature.is_exact
            self._n_exact = self._n_exact + 1 if is_exact else 0

    def _confirm_plateau(self) -> bool:
        """Return whether a model with the Gram matrix promises next to nothing.

        The limit of passes has cut the steps before, so that small gains are no
        evidence. Products with the Gram matrix need no pass, so that a step can
        minimise the model with this matrix. A step of little gain and a larger promise
        raises the limit, or has the whole Hessian measured.
        """
        if self._omitted_gain() > self._allowed_gap(self._tol):
            return False
        if self._curvature.is_exact:
            is_damped = self._damping > FIRST_DAMPING
            return not is_damped and self._n_exact >= self.plateau_steps
        if self._curvature.takes_hessian:  # in the next step
            return False
        if self._is_confirmed:
            return True
        if self._gram_oracle is None:
            self._gram_oracle = self._oracle.select_gram()
        if self._gram_oracle is None:
            self._is_confirmed = self._curvature.n_products <= self._max_passes
        else:
            gain = self._gram_step()
            is_small = gain <= GRAM_SHARE * self._allowed_gap(self._tol)
            self._is_confirmed = is_small and not self._gram_pays
        if not (self._is_confirmed or self._gram_pays):
            self._curvature.change_to_hessian()
            self._n_refused += self._max_passes >= LARGEST_PASS_LIMIT
            self.stalled = self._n_refused >= MOST_REFUSED
            self._max_passes = min(2 * self._max_passes, LARGEST_PASS_LIMIT)
        return self._is_confirmed

    def _gram_step(self) -> float:
        """Update in place by a step to the minimum of the model with the Gram matrix.

        Return the gain that the model promised.
        """
        self.prepare()
        oracle, old_objective = self._gram_oracle, self.objective
        gram = oracle.sampled_hessian(Gram, self.model)
        if oracle.n_measured < oracle.n_rows:
            gram *= inversion_bias(gram.shape[0], oracle.n_measured)
        limits = self._max_passes, self._damping, self._forcing
        self._max_passes, self._damping = GRAM_PRODUCTS, LEAST_DAMPING
        self._forcing, self._gram = GRAM_FORCING, gram
        self._curvature.n_products, self._is_idle = 0, False
        direction, _, gain = self._minimise_model()
        self._max_passes, self._damping, self._forcing = limits
        self._gram = None
        trial = self._search(self._shorten(direction))
        if trial is not None:
            self._state.t += 1
            self._state.n_averages += 1
            _, objective, weights, grad = trial
            self.last_step = self._weights, weights
            self._accept(objective, weights, grad)
        fall = old_objective - self.objective
        self._gram_pays = fall > self._allowed_gap(self._tol)
        self._is_as_modelled = False  # by the Hessian
        return gain

    def _choose_candidates(self) -> None:
        """Update in place: the weights that may move in the next step.

        These are the weights that are not zero, and those that promise most. Beyond
        FEWEST_CANDIDATES, there are at most twice as many candidates as weights that
        are not zero, so that a poor model far from the optimum moves few others.
        """
        if self._curvature.is_new:
            self.prepare()
        xp, n_products = self._xp, self._max_passes + 2
        gains = xp.to_numpy(self._gains())
        has_moved = xp.to_numpy((self._weights != 0) | (self._l1 == 0))
        size = np.count_nonzero(has_moved)
        sizes = [max(FEWEST_CANDIDATES, int(growth * size)) for growth in GROWTHS]
        size = self._curvature.choose_size(sizes, n_products)
        ranked = np.where(has_moved, np.inf, gains)
        candidates = np.ones(gains.shape, bool)
        if size < gains.size:
            least = np.partition(ranked, -size, axis=None)[-size]
            candidates = (ranked >= least) & (ranked > 0)
        self._candidates = xp.asarray(candidates)
        self._curvature.choose_candidates(candidates, n_products)

    def _gains(self):
        """Return twice the gains that steps in single weights promise."""
        return self._pseudo_gradient() ** 2 / self._curvature.diagonal()

    def _omitted_gain(self) -> float:
        """Return what steps in the weights that are no candidates promise."""
        xp = self._xp
        return float(xp.total(xp.where(self._candidates, 0.0, self._gains()))) / 2

    def rank_features(self):
        """Return the features with weights, and missing features, the best first.

        The order is by the gain that a step in the weight of one class promises. Both
        are feature numbers in NumPy.
        """
        self.prepare()
        xp, n_features = self._xp, self._problem.data.n_features
        gains = xp.to_numpy(xp.max(self._gains(), axis=1))
        has_weight = xp.to_numpy(xp.any(self._weights != 0, axis=1))
        features = np.arange(self._problem.data.n_weights)
        if not isinstance(self._active, slice):
            features = xp.to_numpy(self._active)
        is_feature = features < n_features
        missing = np.flatnonzero(is_feature & ~has_weight & (gains > 0))
        missing = missing[np.argsort(-gains[missing], kind="stable")]
        return features[is_feature & has_weight], features[missing]

    def adopt(self, other: "Newton", tol: float) -> None:
        """Update in place: adopt the model of a solver with fewer features.

        The gap is bounded in a second way, if the first bound is not within tol.
        """
        self._tol, problem = tol, self._problem
        expanded = problem.zeros(), problem.zeros()
        for all_weights, weights in zip(expanded, other.last_step, strict=True):
            self._xp.assign_rows(all_weights, other._active, weights)
        old_weights, new_weights = (take(weights, self._active) for weights in expanded)
        certificate = self._certificate
        certificate.intercept_curvature = other._certificate.intercept_curvature
        with self._threads():
            objective, grad = self._evaluate(new_weights)
            self._accept(objective, new_weights, grad)
            bound = certificate.penalty_bound(new_weights, grad)[0]
            self.gap_bound = min(self.gap_bound, bound)
            if other.gap_is_within(tol) and not self.gap_is_within(tol):
                self._weights = old_weights
                model_grad = self._evaluate(old_weights)[1]
                self._damping_diagonal = 0.0  # of other steps
                model_grad += self._hessian_product(new_weights - old_weights)
                self._weights = new_weights
                self._bound_gap(old_weights, new_weights, model_grad)

    def _search(self, direction):
        start = self._weights, self.objective, direction, self._grad, self._l1
        search = armijo_search(self._xp, *start, self._rounding)
        return run_search(search, self._evaluate)

    def _can_shorten(self) -> bool:
        """Raise the damping; return whether a shorter step may still be of help."""
        self._damping = max(64 * self._damping, 1e-4)
        self._is_as_modelled = False
        return self._damping < 1e4

    def _adapt(self, step_size: float, fall: float, gain: float) -> None:
        """Update the damping: less after a good step, more after a bad step."""
        is_good = step_size >= 1 and fall > gain / 4
        has_hessian = self._curvature.is_hessian
        least = LEAST_DAMPING if has_hessian else FIRST_DAMPING
        self._damping = max(least, self._damping * (1 / 8 if is_good else 8))
        if fall <= IDLE_SHARE * self._allowed_gap(self._tol):
            self._curvature.change_to_hessian()

    def _bound_by_rounding(self, model_grad, gain: float) -> float:
        if not self._curvature.is_exact:
            return np.inf
        self._restrict(LEAST_DAMPING)
        return 1e3 * SAFETY * (abs(gain) + sum(self._undamped(self._pseudo_gradient())))

    def _decrements(self, grad):
        """Return <G, M G> of free weights, and the part of weights held at zero.

        Return None if M is not the inverse of the Hessian, or if damping hides flat
        directions.
        """
        if not self._curvature.is_exact or self._damping > LEAST_DAMPING:
            return None
        return self._undamped(grad)

    def _undamped(self, grad):
        xp = self._xp
        outside = xp.where(self._bounded, 0.0, grad)
        diagonal = self._curvature.diagonal()
        held = float(xp.total(outside**2 / diagonal))
        return self._decrement(grad), held

    def _restrict(self, damping: float) -> None:
        """Update in place: precondition the free candidates alone, with damping."""
        self._curvature.restrict(self._free, damping)
        self._bounded = self._free & self._candidates

    def _hessian_product(self, direction):
        if self._gram is None:
            product = super()._hessian_product(direction)
        else:
            scale = self._problem.scaling.scale
            product = scale * self._xp.matmul(self._gram, scale * direction)
            product = self._curvature.clear_constant(product) + self._l2 * direction
            self._curvature.n_products += 1
        product += self._damping_diagonal * direction
        return product

    def _minimise_model(self):
        """Return the step to the minimum of the model, which contains L1 itself.

        Also return the gradient of the smooth part at the minimum, without the damping,
        and the gain: by how much the step lowers the model.
        """
        self._damping_diagonal = self._damping * self._curvature.diagonal()
        found = None
        if self._curvature.is_hessian:
            found = self._minimise_by_interior_point()
        direction, products = found or self._minimise_by_active_sets()
        value = self._model_value(direction, products)
        products = products - self._damping_diagonal * direction
        return direction, self._grad + products, -float(value)

    def _minimise_by_interior_point(self):
        """Return the minimiser of the model, and the Hessian times it.

        Return None if the minimiser does not lower the model.
        """
        weights, l1 = self._weights, self._l1
        tol = 1e-6 * self._allowed_gap(self._tol)
        direction = self._curvature.minimise_l1_model(
            weights, self._grad, l1, self._damping, tol
        )
        products = self._hessian_product(direction)
        direction, products = self._remove_common_part(direction, products)
        if not self._model_value(direction, products) < 0:
            return None
        self._free = (weights + direction != 0) | (l1 == 0)
        self._restrict(self._damping)
        return direction, products

    def _minimise_by_active_sets(self):
        """Return the minimiser of the model with L1, and the Hessian times it.

        Proximal gradient steps find the weights of zero and the signs of the others.
        Conjugate gradients find the minimum for these signs, until weights change sign
        (as in FPC_AS, Wen, Yin, Goldfarb and Zhang 2010). No step raises the model, but
        the removal of a common part may raise the damping's share of the model.
        """
        xp, l1, diagonal = self._xp, self._l1, self._curvature.diagonal()
        direction = products = xp.zeros(self._grad.shape, self._grad.dtype)
        value, length = 0.0, 1.0
        for attempt in range(MAX_ACTIVE_SETS):
            old_value = value
            for _ in range(2):
                direction, products, length = self._proximal_step(
                    direction, products, diagonal, length
                )
            direction, products = self._remove_common_part(direction, products)
            signs = xp.where(l1 > 0, xp.sign(self._weights + direction), 0.0)
            self._free = (signs != 0) | (l1 == 0)
            if attempt % 8 == 0:  # few weights change in 8 attempts
                self._restrict(self._damping)
            direction, products, value, is_settled = self._minimise_for_signs(
                direction, products, signs
            )
            if self._is_idle or (is_settled and self._zeros_are_optimal(products)):
                break
            if self._ends_early(old_value - value, value):
                break
        return direction, products

    def _remove_common_part(self, direction, products):
        """Return the direction with the least L1 of all with its loss, and products.

        The softmax does not depend on a change that all outputs of a feature share. L1
        alone decides about this change, and is weaker than the damping if values of the
        feature are large.
        """
        if direction.shape[1] == 1 or self._gram is not None:
            return direction, products
        new_weights = self._weights + direction
        part = self._problem.penalty.common_part(new_weights, self._active)
        at_zero = (new_weights == part) & (part != 0)
        direction = self._xp.where(at_zero, -self._weights, direction - part)
        return direction, products - (self._l2 + self._damping_diagonal) * part

    def _minimise_for_signs(self, direction, products, signs):
        """Return direction, products and value of the model's minimum for `signs`.

        The search ends on the way to the minimum if a shorter step is lower, with
        weights of zero in place of a change of sign. The last result is whether the
        minimum was reached, and no weight changed sign.
        """
        xp, weights = self._xp, self._weights
        value = self._model_value(direction, products)
        minimiser, change = xp.copy(direction), xp.copy(products)
        grad = self._grad + self._l1 * signs
        moving = xp.astype(self._free, grad.dtype)
        self._conjugate_gradients(
            grad, minimiser, change, moving, -value, self._max_passes
        )
        step, change = minimiser - direction, change - products
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
                return new, new_products, new_value, share == 1 and not any_changes
        return direction, products, value, False

    def _zeros_are_optimal(self, products) -> bool:
        """Return whether no weight of zero would lower the model by moving."""
        xp, grad = self._xp, self._grad + products
        excess = xp.where(self._free, 0.0, xp.abs(grad) - self._l1 * (1 + 1e-6))
        if self._gram is None:
            excess = xp.where(self._candidates, excess, 0.0)
        return not xp.any(excess > 0)

    def _ends_early(self, gain: float, value: float) -> bool:
        """Return whether to leave the model, whose value the last signs lowered."""
        is_cheap = self._gram is not None
        is_small = -value <= 1.5 * self._allowed_gap(self._tol)
        if gain <= (1e-4 if is_cheap or is_small else 0.02) * -value:
            return True
        too_many = self._curvature.n_products > self._max_passes
        return too_many and not self._curvature.is_hessian

    def _proximal_step(self, direction, products, diagonal, length: float):
        """Return direction and products after a proximal step, and its length.

        The step is as long as the curvature of the model along the step allows.
        """
        xp, l1, start = self._xp, self._l1, self._weights + direction
        grad = (self._grad + products) / diagonal
        while True:
            new_weights = start - length * grad
            new_weights = xp.where(
                l1 > 0, soft_threshold(new_weights, length * l1 / diagonal), new_weights
            )
            if self._gram is None:
                new_weights = xp.where(self._candidates, new_weights, start)
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
