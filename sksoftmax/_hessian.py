"""The whole Hessian, or that of candidates, as a preconditioner for few weights."""

import math

import numpy as np

from sksoftmax._arrays import namespace, take
from sksoftmax._l1_model import minimise
from sksoftmax._preconditioner import damped_inverse, rounding_damping


class Hessian:
    """The whole Hessian, with n_outputs * n_weights entries on both axes.

    All rows and all pairs of classes count. Only the weights that are free to move are
    preconditioned if the penalty has L1. The Hessian of candidates has their entries
    alone, and all other weights stay as they are.
    """

    name = "hessian"
    lazy = False
    largest = 2000  # weights of all classes; the inversion takes 0.5 s

    def __init__(self, hessian, l2, scale, penalised=None, candidates=None) -> None:
        """Initialise with the Hessian of the loss, in the scaled columns.

        `hessian` has n_outputs * n_weights entries on both axes, or those of
        `candidates`, (n_weights, n_outputs) in NumPy. `l2`, `scale` and `penalised` are
        (n_weights, 1), and `penalised` is None if all weights are. The loss has no
        curvature for a common change of a weight in all classes. Without a penalty the
        Hessian gets one, as a large inverse would round the other changes.
        """
        xp, n_weights = namespace(hessian), scale.shape[0]
        if candidates is None:
            n_outputs = hessian.shape[0] // n_weights
            candidates = np.ones((n_weights, n_outputs), bool)
        self._shape = n_outputs, n_weights = candidates.shape[::-1]
        candidates = np.flatnonzero(candidates.T)
        self._candidates = xp.indices(candidates)
        features = xp.indices(candidates % n_weights)
        if penalised is not None and n_outputs > 1:
            is_free = ~take(penalised, features)[:, 0]
            hessian = _add_common_curvature(hessian, n_outputs, features, is_free)
        scale = take(scale, features)[:, 0]
        penalty = take(l2, features)[:, 0] / scale**2
        self._hessian = xp.add_to_diagonal(hessian, penalty)
        self._scale = scale
        diagonal = xp.diagonal(self._hessian)
        self._diagonal = xp.where(diagonal > 0, diagonal, 1.0)
        self._free = None

    @classmethod
    def work(cls, size: int, n_rows: int, n_outputs: int) -> float:
        """Return the multiply-adds of a measurement.

        `size` is the number of weights of all outputs together. The work is infinite
        for too many weights, and for none.
        """
        if not 0 < size <= cls.largest:
            return math.inf
        return size**3 + max(size**2 * n_rows / 2, n_outputs**2 * 1e5)

    def restrict(self, free, damping: float) -> None:
        """Update in place: invert the damped Hessian of the free weights.

        `free` is None if all weights are free.
        """
        xp = namespace(self._hessian)
        matrix, diagonal = self._hessian, self._diagonal
        if free is not None:
            free = np.flatnonzero(xp.to_numpy(self._flatten(free)))
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
            return xp.to_numpy(self._flatten(values)).astype(np.float64)

        scale = xp.to_numpy(self._scale).astype(np.float64)
        strength = flat(l1 + xp.zeros(weights.shape, weights.dtype)) / scale
        hessian = xp.to_numpy(self._hessian).astype(np.float64)
        np.fill_diagonal(
            hessian, hessian.diagonal() + damping * xp.to_numpy(self._diagonal)
        )
        slope, start = flat(grad) / scale, flat(weights) * scale
        step = minimise(hessian, slope, strength, start, tol) / scale
        return self._expand(xp.asarray(step, weights.dtype), 0.0 * weights)

    def damping_diagonal(self, others):
        """Return the diagonal, (n_weights, n_outputs).

        `others`, (n_weights, 1), has the values of weights that are no candidates.
        """
        diagonal = self._diagonal * self._scale**2
        xp, shape = namespace(diagonal), self._shape[::-1]
        return self._expand(diagonal, others + xp.zeros(shape, diagonal.dtype))

    def _flatten(self, values):
        """Return the values of the candidates, from (n_weights, n_outputs)."""
        xp = namespace(values)
        return take(xp.reshape(values.T, (-1,)), self._candidates)

    def _expand(self, values, others):
        """Return the values of candidates among those of all weights."""
        xp = namespace(values)
        flat = xp.copy(xp.reshape(others.T, (-1,)))
        xp.assign_rows(flat, self._candidates, values)
        return xp.copy(xp.reshape(flat, self._shape).T)

    def apply(self, grad, active=slice(None)):
        """Return the preconditioned gradient, (n_weights, n_outputs)."""
        xp = namespace(grad)
        vector = self._flatten(grad) / self._scale
        if self._free is None:
            vector = xp.matmul(self._inverse, vector)
        else:
            product = xp.matmul(self._inverse, xp.take(vector, self._free, axis=0))
            product = xp.concat([product, xp.zeros((1,), product.dtype)], axis=0)
            vector = xp.take(product, self._positions, axis=0)
        return self._expand(vector / self._scale, 0.0 * grad)


def _add_common_curvature(hessian, n_outputs: int, features, is_free):
    """Return the Hessian with a curvature for common changes of the free weights.

    `features` are the numbers of the features of the entries, and `is_free` is true for
    weights without a penalty, in all classes.
    """
    xp = namespace(hessian)
    is_same = (features[:, None] == features[None, :]) & is_free[:, None]
    is_same = xp.astype(is_same, hessian.dtype)
    common = xp.matmul(is_same, xp.diagonal(hessian)) / n_outputs**2
    return hessian + is_same * common[:, None]
