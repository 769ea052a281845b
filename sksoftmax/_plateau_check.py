"""The check of a plateau of minibatches: whether the optimum is still far away."""

import math
from functools import partial

from sksoftmax._collinear import collinear_gap
from sksoftmax._oracle import Oracle
from sksoftmax._problem import Problem
from sksoftmax._solvers.monitor import Monitor
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._solvers.proximal_newton import make_newton
from sksoftmax._solvers.state import State

# The check costs a pass over all rows, a fifth of an epoch. It is worth the pass within
# EARLY_EPOCHS if the objective is above EARLY_LOSS times the constant model's loss, and
# after LATE_EPOCHS.
EARLY_EPOCHS, EARLY_LOSS, LATE_EPOCHS = 3, 0.5, 6
# A textbook schedule may come to a plateau because its steps are small. It warns at an
# objective above this multiple of the constant model's loss, if the gap is large.
TEXTBOOK_LOSS = 1 / 3
# The optimum is far away if the gap is estimated at more than this many times the
# objective. Measured: at most 1.4 on MNIST, 20 newsgroups and generated data; at least
# 500 after minibatches that had come to nothing; 14 to 800 where a class has a
# thousandth of the rows or less, at 1.3 to 13 times the optimum; 3 to 6 where features
# with a large common part were not told apart, at 2 to 4 times the optimum.
LARGEST_RELATIVE_GAP = 2.0
# The same after a warm start. Measured over alphas from 1e-1 to 1e-6: with 4,
# objectives were up to 23 % above those of cold fits; with 2, up to 18 %; with .5, at
# most 3 %, in the same time.
WARM_RELATIVE_GAP = 0.5
# The same for the part of the estimate from collinear columns of sparse X, at the
# plateau and at the first slow epoch. Measured where plateaus were 20 % to 130 % above
# the optimum: .6 to 11, and 1.9 to 5. Where they were within 5 %: .04 to .17, and .08
# to .42.
COLLINEAR_RELATIVE_GAP, SLOW_COLLINEAR_GAP = 0.2, 1.0
SLOW_EPOCH_GAIN = 0.2  # a slow epoch gains less than this share of the objective
# The diagonal does not see all that is left, such as directions between collinear
# columns. So a Newton step is tried after MANY_EPOCHS, and kept if it gains this share
# of the objective. Measured: 24 % to 46 % where plateaus were 12 % to 60 % above the
# optimum, and 1 % to 8 % where they were within 7 %. The step costs two or three
# epochs, but a product with the Hessian alone costs an epoch on 2**18 features and 23
# classes. Hence the limit of the products. There is no such step before, except on a
# plateau of a warm start, if X is dense. If epochs improve a warm start by less than
# `tol`, the step is tried for any X, and is kept if it gains `tol`. Measured on sparse
# rows, alphas from 1e-2 to 1e-6: the last fit ended after an epoch at 1.23 times the
# objective of a cold fit.
MANY_EPOCHS, LEAST_STEP_GAIN, TRIAL_PRODUCTS = 10, 0.05, 8


class PlateauCheck:
    """The check, with all rows, whether minibatches stop far from the optimum.

    Minibatches may plateau far from the optimum, in particular with a given batch size,
    without shuffling, or if a sample tells little of the rows. Problems with collinear
    columns are also checked at the first slow epoch, and all problems after
    MANY_EPOCHS, which saves the slow epochs after them.
    """

    def __init__(
        self,
        problem: Problem,
        state: State,
        rows,
        monitor: Monitor,
        preconditioner_class,
        has_good_batches: bool,
        tol: float,
    ) -> None:
        """Initialise before the first epoch on `rows`, row numbers in NumPy.

        `has_good_batches` tells whether the batch size was chosen for the data, and the
        rows are shuffled.
        """
        self._problem, self._state, self._rows = problem, state, rows
        self._preconditioner_class, self._tol = preconditioner_class, tol
        self._is_warm = bool(problem.data.xp.any(state.average))
        self._start_objective = math.inf
        if self._is_warm:
            self._start = problem.data.xp.copy(state.average)
            self._start_objective = monitor.objective(self._start)
        self._largest_gap = LARGEST_RELATIVE_GAP
        if self._is_warm:
            self._largest_gap = WARM_RELATIVE_GAP
        self._is_collinear = problem.collinear is not None
        self._is_always_suspect = not (has_good_batches and monitor.is_typical)
        self._early_loss = EARLY_LOSS * monitor.constant_loss
        self._largest_textbook_loss = TEXTBOOK_LOSS * monitor.constant_loss
        self._slow = Plateau(SLOW_EPOCH_GAIN, 1, problem.floor)
        self._n_epochs, self._was_slow, self._is_over = 0, False, False
        self._was_restored = False
        # Whether Newton's method has the strict rule for a plateau.
        self.is_strict = self._is_warm or self._is_collinear

    def restore_start(self, objective: float, converged: bool) -> float:
        """Return the objective, and that of a warm start if it is lower on a plateau.

        The state is then the start again. Later plateaus, of a validation loss, change
        no state. The arguments are those of `newton_if_far`, which comes after this.
        """
        is_higher = converged and objective >= self._start_objective
        if not is_higher or self._was_restored:
            return objective
        for weights in (self._state.weights, self._state.average):
            weights[...] = self._start
        self._was_restored = True
        return self._start_objective

    def newton_if_far(self, objective: float, converged: bool):
        """Return Newton's method for all rows if the optimum is far, or None.

        `objective` is that of the epoch that ended, and `converged` tells whether
        epochs are on a plateau. No check follows that of the first plateau.
        """
        self._n_epochs += 1
        is_slow = self._sees_first_slow(objective)
        if self._is_over:
            return None
        self._is_over = converged
        sees_columns = self._is_collinear and (converged or is_slow)
        if sees_columns and self._is_far_in_collinear(objective, converged):
            return self._make_newton()
        newton = None
        if converged and self._is_suspect(objective):
            newton = self._newton_if(self._sees_large_gap)
        if newton is not None:
            return newton
        is_warm_plateau = converged and self._is_warm
        if is_warm_plateau and objective > (1 - self._tol) * self._start_objective:
            newton = self._newton_if(partial(self._gains, self._tol))
        elif self._n_epochs == MANY_EPOCHS or (
            is_warm_plateau and self._problem.data.is_dense
        ):
            newton = self._newton_if(partial(self._gains, LEAST_STEP_GAIN))
        self.is_strict |= newton is not None
        return newton

    def is_far(self, objective: float) -> bool:
        """Return whether a textbook schedule stopped far from the optimum.

        Its objective is then near that of the constant model. The state stays.
        """
        if objective <= self._largest_textbook_loss:
            return False
        iterate = vars(self._state).copy()
        is_far = self._newton_if(self._sees_large_gap) is not None
        vars(self._state).update(iterate)
        return is_far

    def _newton_if(self, pays):
        """Return Newton's method if `pays(newton)`; otherwise None, and no change."""
        iterate = vars(self._state).copy()
        newton = self._make_newton()
        if pays(newton):
            return newton
        vars(self._state).update(iterate)  # epochs may go on
        return None

    def _sees_large_gap(self, newton):
        return newton.gap_estimate() > self._largest_gap * newton.objective

    def _gains(self, share, newton):
        """Return whether a step, which is taken, gains this share of the objective."""
        objective, limit = newton.objective, newton.max_products
        newton.max_products = TRIAL_PRODUCTS
        next(newton.iterate_to_gap(0.0))
        newton.max_products = limit
        least = share * max(objective, self._problem.floor)
        return objective - newton.objective > least

    def _sees_first_slow(self, objective):
        is_slow = not self._was_slow and self._slow.reached(objective)
        self._was_slow |= is_slow
        return is_slow

    def _is_far_in_collinear(self, objective, converged):
        gap = collinear_gap(self._problem, self._rows, self._state.average)
        largest = COLLINEAR_RELATIVE_GAP if converged else SLOW_COLLINEAR_GAP
        return gap > largest * objective

    def _is_suspect(self, objective):
        is_early = self._n_epochs <= EARLY_EPOCHS and objective > self._early_loss
        return is_early or self._n_epochs >= LATE_EPOCHS or self._is_always_suspect

    def _make_newton(self):
        oracle = Oracle(self._problem, self._rows, self._preconditioner_class)
        self.is_strict |= oracle.lacks_gram
        return make_newton(oracle, self._state)
