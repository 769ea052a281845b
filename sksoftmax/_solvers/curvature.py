"""Products with the Hessian, and the preconditioner in place of its inverse."""

import math
from functools import partial

import numpy as np

from sksoftmax._arrays import take
from sksoftmax._hessian import Hessian
from sksoftmax._preconditioner import CenteredDiagonal, Diagonal, Gram

# Overhead of the calls of a pass, in multiply-adds.
PASS_OVERHEAD = 5e5
# A product with fewer outputs reads as much memory, and takes as long.
FEWEST_OUTPUTS = 8
# The whole Hessian replaces the preconditioner after products that cost this multiple
# of its work, and the second multiple if a bound of the gap is out of reach without it.
# Measured on 1900 one-hot columns and a wage in 20000 rows: without the second
# multiple, the Hessian took 4 s and all other steps .06 s, for the same objective. With
# 1 / 30 instead of .1, 500 such columns and six prices in 50000 rows took 2.1 s, not
# .07 s.
PAID_SHARE, HOPELESS_SHARE = 2.0, 0.1
# The Hessian of candidates may cost this multiple of the products so far and next.
# Measured on 13 problems of images, tables, genes and texts: 26 s with 1, 31 s with 3;
# 4500 rows of 20 newsgroups took 7.5 and 12 s.
CANDIDATES_SHARE = 1.0


class Curvature:
    """The curvature of the objective at the weights.

    The preconditioner is measured when the measurement pays.
    """

    def __init__(self, oracle) -> None:
        """Initialise with the preconditioner class of `oracle`."""
        problem = oracle.problem
        self._oracle, self._problem, self._active = oracle, problem, oracle.active
        self._class, data = oracle.preconditioner_class, problem.data
        if self._class is Diagonal and data.n_weights > data.n_features:
            self._class = CenteredDiagonal
        self._sampled_class = self._class  # of the preconditioner before the Hessian
        self._l2 = take(problem.penalty.l2, self._active)
        varying = problem.scaling.varying()
        self._varying = None if varying is None else take(varying, self._active)
        self._preconditioner = self._sampled = None
        self._work, self._total_work, self._charged_work = math.inf, 0.0, 0.0
        self._rate = 0.0  # of the last step without the Hessian
        self._candidates, self._size = None, data.n_weights * problem.loss.n_outputs
        self.n_products, self.is_exact = 0, False
        self._is_required = self._is_kept = False  # whatever the Hessian costs
        self.mean_curvature = None  # of each output, (n_outputs,), at the last product

    @property
    def is_hessian(self) -> bool:
        """Whether the preconditioner is the whole Hessian, or that of candidates."""
        return isinstance(self._preconditioner, Hessian)

    @property
    def takes_hessian(self) -> bool:
        """Whether the next measurement is of the Hessian."""
        return self._class is Hessian

    @property
    def is_new(self) -> bool:
        """Whether no preconditioner is measured yet."""
        return self._sampled is None

    @property
    def is_lazy(self) -> bool:
        """Whether the preconditioner is a diagonal."""
        return self._class.lazy

    def measure(self, weights, model) -> None:
        """Update in place: measure the preconditioner.

        Each call measures the Hessian, if that is the preconditioner. All others are
        measured if products have cost as much since the last measurement. `weights` are
        the active weights of `model()`, (n_weights, n_outputs).
        """
        oracle, problem = self._oracle, self._problem
        is_sampled = oracle.n_measured < oracle.n_rows or problem.loss.n_outputs > 1
        self.is_exact = self.takes_hessian or (self._class is Gram and not is_sampled)
        if not self.takes_hessian or self._candidates is not None:
            self._measure_sampled(model)
        self._preconditioner = self._sampled
        if self.takes_hessian:
            hessian = oracle.hessian(weights, self._candidates)
            scale = take(problem.scaling.scale, self._active)
            penalised = take(problem.penalty.penalised, self._active)
            self._preconditioner = Hessian(
                hessian, self._l2, scale, penalised, self._candidates
            )

    def _measure_sampled(self, model) -> None:
        """Update in place: measure the preconditioner without the Hessian, if due."""
        oracle, problem = self._oracle, self._problem
        if self._work < oracle.sampled_hessian_work(self._sampled_class):
            return
        n_sampled = oracle.n_measured if oracle.n_measured < oracle.n_rows else None
        weights, self._work = model(), 0.0
        measure = partial(oracle.sampled_hessian, self._sampled_class)
        if self._sampled_class is Gram:
            self._sampled = Gram.build_exactly(problem, measure, weights, n_sampled)
        else:
            args = problem, measure(weights), n_sampled, self._active
            self._sampled = self._sampled_class.build(*args)

    def choose_size(self, sizes: list, n_products: int) -> int:
        """Return the first of the numbers of candidates whose Hessian pays.

        `n_products` are the products that the next step takes without the Hessian. If
        no Hessian pays, the first number that may have a Hessian later is best.
        """
        affordable = [size for size in sizes if self._pays(size, n_products)]
        possible = [
            size for size in sizes if self._oracle.hessian_work(size) < math.inf
        ]
        return (affordable + possible + sizes)[0]

    def choose_candidates(self, candidates, n_products: int) -> None:
        """Update in place: the next Hessian is that of candidates, if it pays.

        `candidates`, (n_active, n_outputs) in NumPy, are true for the weights that may
        move in the next step. `choose_size` describes `n_products`.
        """
        self._candidates, self._size = candidates, np.count_nonzero(candidates)
        is_possible = self._oracle.hessian_work(self._size) < math.inf
        is_kept = self._is_required or self._is_kept
        pays = is_kept or self._pays(self._size, n_products)
        takes_hessian = is_possible and pays
        self._class = Hessian if takes_hessian else self._sampled_class

    def _pays(self, size: int, n_products: int) -> bool:
        work = self._oracle.hessian_work(size) + self._charged_work
        planned = n_products * self._product_work
        return work <= CANDIDATES_SHARE * (self._total_work + planned)

    def record_fall(self, fall: float, allowed_gap: float) -> None:
        """Update in place: whether the Hessian pays, by the fall of the objective.

        A step with the Hessian is charged if it gained less for its work than the last
        step without it. The Hessian is kept as long as its steps gain more than
        `allowed_gap`: steps without it may gain less than that far from the optimum.
        """
        self._is_kept = self.is_exact and fall > allowed_gap
        if not self.is_exact:
            self._rate = fall / (max(1, self.n_products) * self._product_work)
            return
        work = self._oracle.hessian_work(self._size)
        if fall < self._rate * work:
            self._charged_work += work

    def change_to_hessian(self, paid_share: float = HOPELESS_SHARE) -> bool:
        """Change to the whole Hessian; return whether that was a change.

        The next measurement is of the Hessian. The change needs products that have cost
        `paid_share` of the measurement.
        """
        work = self._oracle.hessian_work(self._size)
        if self.is_exact or self._total_work <= paid_share * work:
            return False
        self._class, self._is_required = Hessian, True
        return True

    def product(self, weights, direction):
        """Return the Hessian of the smooth part at `weights` times a direction."""
        self.n_products += 1
        self._work += self._product_work
        self._total_work += self._product_work
        product, self.mean_curvature = self._oracle.hessian_product(weights, direction)
        product = self.clear_constant(product)
        product += self._l2 * direction
        return product

    @property
    def _product_work(self) -> float:
        n_outputs = max(self._problem.loss.n_outputs, FEWEST_OUTPUTS)
        # On small data the overhead counts, so that a row of weight 2 equals two rows.
        return max(PASS_OVERHEAD, 2 * self._oracle.product_work * n_outputs)

    def clear_constant(self, grad):
        """Return the gradient of the loss without the rounding of constant columns."""
        return grad if self._varying is None else grad * self._varying

    def restrict(self, free, damping: float) -> None:
        """Update in place: precondition the free weights alone, with damping."""
        self._preconditioner.restrict(free, damping)

    def apply(self, grad, free=None):
        """Return the preconditioned gradient of the free weights, or of all if None."""
        preconditioned = self._preconditioner.apply(grad, self._active)
        return preconditioned if free is None else preconditioned * free

    def diagonal(self):
        """Return the diagonal of the preconditioner's matrix."""
        diagonal = self._sampled.damping_diagonal(self._active)
        if self._preconditioner is not self._sampled:
            diagonal = self._preconditioner.damping_diagonal(diagonal)
        return diagonal

    def minimise_l1_model(self, weights, grad, l1, damping: float, tol: float):
        """Return the step to the minimum of the quadratic model with L1."""
        return self._preconditioner.minimise_l1_model(weights, grad, l1, damping, tol)
