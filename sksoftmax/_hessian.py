"""The whole Hessian as a preconditioner, for few weights."""

import math

import numpy as np

from sksoftmax._arrays import namespace
from sksoftmax._l1_model import minimise
from sksoftmax._preconditioner import damped_inverse, rounding_damping


class Hessian:
    """The whole Hessian, with n_outputs * n_weights entries on both axes.

    All rows and all pairs of classes count. Only the weights that are free to move are
    preconditioned if the penalty has L1.
    """

    name = "hessian"
    lazy = False
    largest = 2000  # weights of all classes; the inversion takes 0.5 s

    def __init__(self, hessian, l2, scale, penalised=None) -> None:
        """Initialise with the Hessian of the loss, in the scaled columns.

        `hessian` has n_outputs * n_weights entries on both axes; `l2`, `scale` and
        `penalised` are (n_weights, 1), and `penalised` is None if all weights are. The
        loss has no curvature for a common change of a weight in all classes. Without a
        penalty the Hessian gets one, as a large inverse would round the other changes.
        """
        xp, n_outputs = namespace(hessian), hessian.shape[0] // scale.shape[0]
        if penalised is not None and n_outputs > 1:
            hessian = _add_common_curvature(hessian, n_outputs, ~penalised[:, 0])
        scale = xp.concat([scale[:, 0]] * n_outputs, axis=0)
        penalty = xp.concat([l2[:, 0]] * n_outputs, axis=0) / scale**2
        self._hessian = xp.add_to_diagonal(hessian, penalty)
        self._scale, self._shape = scale, (n_outputs, -1)
        diagonal = xp.diagonal(self._hessian)
        self._diagonal = xp.where(diagonal > 0, diagonal, 1.0)
        self._free = None

    @classmethod
    def work(cls, n_weights: int, n_rows: int, n_outputs: int) -> float:
        """Return the multiply-adds of a measurement, infinite for too many weights."""
        size = n_weights * n_outputs
        if size > cls.largest:
            return math.inf
        return size**3 + max(size**2 * n_rows / 2, n_outputs**2 * 1e5)

    def restrict(self, free, damping: float) -> None:
        """Update in place: invert the damped Hessian of the free weights.

        `free` is None if all weights are free.
        """
        xp = namespace(self._hessian)
        matrix, diagonal = self._hessian, self._diagonal
        if free is not None:
            free = xp.reshape(free.T, (-1,))
            free = np.flatnonzero(xp.to_numpy(free))
            # Weights that are not free take a zero behind the others.
            positions = np.full(matrix.shape[0], len(free))
            positions[free] = np.arange(len(free))
            self._free, self._positions = xp.indices(free), xp.indices(positions)
            matrix = xp.take(xp.take(matrix, self._free, axis=0), self._free, axis=1)
            diagonal = xp.take(diagonal, self._free, axis=0)
        damping += rounding_damping(matrix)
        matrix = xp.add_to_diagonal(matrix, damping * diagonal)
        self._inverse = damped_inverse(matrix, diagonal)

    def minimise_l1_model(self, weights, grad, l1, damping: float, tol: float):
        """Return the step to the minimum of the quadratic model with L1.

        `grad` is the gradient of the smooth part, and `l1`, (n_weights, 1), the
        strengths of L1. `damping` is the share of the diagonal to add. The model may
        stay `tol` above its minimum.
        """
        xp = namespace(self._hessian)

        def flat(values):
            values = xp.reshape(values.T, (-1,))
            return xp.to_numpy(values).astype(np.float64)

        scale = xp.to_numpy(self._scale).astype(np.float64)
        strength = flat(l1 + xp.zeros(weights.shape, weights.dtype)) / scale
        hessian = xp.to_numpy(self._hessian).astype(np.float64)
        np.fill_diagonal(
            hessian, hessian.diagonal() + damping * xp.to_numpy(self._diagonal)
        )
        slope, start = flat(grad) / scale, flat(weights) * scale
        step = minimise(hessian, slope, strength, start, tol) / scale
        step = np.ascontiguousarray(step.reshape(self._shape).T)
        return xp.asarray(step, weights.dtype)

    def damping_diagonal(self, active):
        """Return the diagonal, (n_weights, n_outputs)."""
        xp = namespace(self._hessian)
        return xp.reshape(self._diagonal * self._scale**2, self._shape).T

    def apply(self, grad, active=slice(None)):
        """Return the preconditioned gradient, (n_weights, n_outputs)."""
        xp = namespace(grad)
        vector = xp.reshape(grad.T, (-1,)) / self._scale
        if self._free is None:
            vector = xp.matmul(self._inverse, vector)
        else:
            product = xp.matmul(self._inverse, xp.take(vector, self._free, axis=0))
            product = xp.concat([product, xp.zeros((1,), product.dtype)], axis=0)
            vector = xp.take(product, self._positions, axis=0)
        return xp.copy(xp.reshape(vector / self._scale, self._shape).T)


def _add_common_curvature(hessian, n_outputs: int, free):
    """Return the Hessian with a curvature for common changes of the free weights.

    `free`, (n_weights,), is true for weights without a penalty.
    """
    xp = namespace(hessian)
    blocks = xp.reshape(hessian, (n_outputs, -1, n_outputs, free.shape[0]))
    diagonal = xp.reshape(xp.diagonal(hessian), (n_outputs, -1))
    common = xp.where(free, xp.sum(diagonal, axis=0), 0.0) / n_outputs**2
    matrix = xp.add_to_diagonal(xp.zeros((free.shape[0],) * 2, hessian.dtype), common)
    return xp.reshape(blocks + matrix[None, :, None, :], hessian.shape)
