"""Products with the Hessian, and the preconditioner that stands in for its inverse."""

import math

from sksoftmax._arrays import take
from sksoftmax._hessian import Hessian
from sksoftmax._preconditioner import CenteredDiagonal, Diagonal, Gram

# Multiply-adds in the time that the calls of a pass take.
PASS_OVERHEAD = 5e5
# A product with one column reads as much memory as one with this many.
FEWEST_OUTPUTS = 8


class Curvature:
    """The curvature of the objective at the weights, measured when it pays."""

    def __init__(self, oracle) -> None:
        """Begin with the preconditioner class of `oracle`."""
        problem = oracle.problem
        self._oracle, self._problem, self._active = oracle, problem, oracle.active
        self._class, data = oracle.preconditioner_class, problem.data
        if self._class is Diagonal and data.n_weights > data.n_features:
            self._class = CenteredDiagonal
        self._l2 = take(problem.penalty.l2, self._active)
        varying = problem.scaling.varying()
        self._varying = None if varying is None else take(varying, self._active)
        self._preconditioner, self._work, self._total_work = None, math.inf, 0.0
        self.n_products, self.is_exact = 0, False
        self.mean_curvature = None  # of each output, (n_outputs,), at the last product

    @property
    def is_hessian(self) -> bool:
        """Whether the whole Hessian is at hand."""
        return self._class is Hessian

    def measure(self, weights, model) -> None:
        """Measure it, if products since the last time have cost as much.

        `weights` are the active ones of `model()`, (n_weights, n_outputs).
        """
        oracle, problem = self._oracle, self._problem
        one_output = problem.loss.n_outputs == 1
        is_sample = oracle.n_measured < oracle.n_rows
        is_gram = self._class is Gram and one_output and not is_sample
        self.is_exact = self.is_hessian or is_gram
        if self.is_hessian:
            hessian = oracle.hessian(weights)
            scale = take(problem.scaling.scale, self._active)
            self._preconditioner = Hessian(hessian, self._l2, scale)
            return
        if self._work < oracle.sampled_hessian_work(self._class):
            return
        sampled = oracle.sampled_hessian(self._class, model())
        args = problem, sampled, is_sample, self._active
        self._preconditioner = self._class.build(*args)
        self._work = 0.0

    def change_to_hessian(self, after_work: bool = False) -> bool:
        """Return whether the whole Hessian is measured from the next time on.

        With `after_work`, only if products have cost twice as much.
        """
        if self.is_exact or math.isinf(self._oracle.hessian_work):
            return False
        if after_work and self._total_work <= 2 * self._oracle.hessian_work:
            return False
        self._class = Hessian
        return True

    def product(self, weights, direction):
        """Return the Hessian of the smooth part at the weights times a direction."""
        n_outputs = max(self._problem.loss.n_outputs, FEWEST_OUTPUTS)
        self.n_products += 1
        # On small data the number of rows decides nothing: weights are copies of rows.
        work = max(PASS_OVERHEAD, 2 * self._oracle.product_work * n_outputs)
        self._work += work
        self._total_work += work
        product, self.mean_curvature = self._oracle.hessian_product(weights, direction)
        product = self.clear_constant(product)
        product += self._l2 * direction
        return product

    def clear_constant(self, grad):
        """Return the gradient of the loss without the rounding of constant columns."""
        return grad if self._varying is None else grad * self._varying

    def restrict(self, free, damping: float) -> None:
        """Precondition the free weights alone, with a share of the diagonal added."""
        self._preconditioner.restrict(free, damping)

    def apply(self, grad, free=None):
        """Return the preconditioned gradient, of the free weights if not of all."""
        preconditioned = self._preconditioner.apply(grad, self._active)
        return preconditioned if free is None else preconditioned * free

    def diagonal(self):
        """Return the diagonal of the preconditioner's matrix."""
        return self._preconditioner.damping_diagonal(self._active)

    def minimise_l1_model(self, weights, grad, l1, damping: float, tol: float):
        """Return the step to the minimum of the quadratic model with L1."""
        return self._preconditioner.minimise_l1_model(weights, grad, l1, damping, tol)
