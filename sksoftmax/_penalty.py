"""What is added to the loss to keep the weights small, or zero."""

from typing import NamedTuple

import numpy as np

from sksoftmax._arrays import NUMPY, namespace
from sksoftmax._batches import pick


class ElasticNet:
    """alpha * ((1 - l1_ratio) / 2 * ||coef||_2^2 + l1_ratio * ||coef||_1).

    For weights of shape (n_weights, n_columns). The strengths `l2` and `l1` have the
    shape (n_weights, 1): the row of the intercept has none.
    """

    def __init__(
        self,
        alpha: float,
        l1_ratio: float,
        n_features: int,
        fit_intercept: bool,
        dtype,
        xp=NUMPY,
    ) -> None:
        self.alpha, self.l1_ratio = alpha, l1_ratio
        l2, l1 = np.zeros((2, n_features + fit_intercept, 1), xp.numpy_dtype(dtype))
        l2[:n_features] = alpha * (1 - l1_ratio)
        l1[:n_features] = alpha * l1_ratio
        self.l2, self.l1, self.penalised = map(xp.asarray, (l2, l1, l2 + l1 > 0))
        self.makes_zeros = bool(l1.any())
        self.sums, self._n_features = None, n_features  # KroneckerSums to stay among

    def value(self, weights, rows=slice(None)):
        """Return the penalty of those rows of the weights, a number on their device."""
        xp = namespace(weights)
        of_rows = pick(self.l2, rows)[:, 0] * xp.row_dots(weights, weights) / 2
        if self.makes_zeros:
            of_rows += pick(self.l1, rows)[:, 0] * xp.sum(xp.abs(weights), axis=1)
        return xp.total(of_rows)

    def gradient(self, weights, rows=slice(None)):
        """Return the gradient of the smooth part at those rows of the weights."""
        return pick(self.l2, rows) * weights

    def pseudo_gradient(self, weights, grad, rows=slice(None)):
        """Return the shortest subgradient, given the gradient of all that is smooth.

        It is zero at the optimum. Without l1 it is `grad` itself.
        """
        if not self.makes_zeros:
            return grad
        xp, l1 = namespace(weights), pick(self.l1, rows)
        return xp.where(
            weights == 0, soft_threshold(grad, l1), grad + l1 * xp.sign(weights)
        )

    def soften(self, weights, step_size: float, rows=slice(None)) -> None:
        """Take a proximal step on l1 alone in those rows of the weights, in place."""
        if self.makes_zeros:
            weights[...] = soft_threshold(weights, step_size * pick(self.l1, rows))

    def constrain(self, weights) -> None:
        """Move all weights, in place, to the nearest that are allowed."""
        if self.sums is not None:
            coef = weights[: self._n_features]
            coef[...] = self.sums.nearest(coef.T).T

    def gradient_step(self, step_size) -> "Shrinkage":
        """Return what a gradient step on l2 and a proximal one on l1 do to weights.

        `step_size` is a number or has the shape (n_weights, 1).
        """
        xp = namespace(self.l2)
        largest = 1 - float(xp.finfo(self.l2.dtype).eps)
        log_factor = xp.log1p(-xp.minimum(step_size * self.l2, largest))
        return Shrinkage(log_factor, step_size * self.l1, self.makes_zeros)

    def proximal_step(self, step_size) -> "Shrinkage":
        """Return what a proximal step does, which no length makes overshoot."""
        xp = namespace(self.l2)
        log_factor = -xp.log1p(step_size * self.l2)
        threshold = step_size * self.l1 * xp.exp(log_factor)
        return Shrinkage(log_factor, threshold, self.makes_zeros)


class Shrinkage(NamedTuple):
    """The map w <- soft(factor * w, threshold), which can be repeated at one go."""

    log_factor: np.ndarray  # (n_weights, 1)
    threshold: np.ndarray  # (n_weights, 1)
    makes_zeros: bool

    def repeat(self, weights, times, columns=slice(None), drift=None) -> None:
        """Apply it so many times to the weights of those columns, in place.

        `times`: NumPy integers of shape (n_weights,), or (1,) for all alike. With
        `drift`, of the shape of `weights`, the map is
        w <- soft(factor * w - drift, threshold).
        """
        xp, log_factor = namespace(weights), pick(self.log_factor, columns)
        if len(times) == 1:  # no array needs to be moved to the weights
            times = float(times[0])
        else:
            times = xp.asarray(times[:, None], weights.dtype)
        if not self.makes_zeros:
            weights *= xp.exp(times * log_factor)
            if drift is not None:
                weights -= drift * _geometric(xp, times, log_factor)
            return
        threshold = pick(self.threshold, columns)
        if drift is None:
            weights *= xp.exp(times * log_factor)
            threshold = threshold * _geometric(xp, times, log_factor)
            weights[...] = soft_threshold(weights, threshold)
        else:
            weights[...] = _drifted(xp, weights, times, log_factor, threshold, drift)


def soft_threshold(values, threshold):
    """Draw values towards zero by the threshold; those within it become zero."""
    return values - namespace(values).clip(values, -threshold, threshold)


def _geometric(xp, times, log_factor):
    """Return 1 + factor + ... + factor^(times - 1)."""
    small = xp.where(log_factor == 0, 1.0, xp.expm1(log_factor))
    return xp.where(log_factor == 0, times, xp.expm1(times * log_factor) / small)


def _drifted(xp, weights, times, log_factor, threshold, drift):
    """Return weights after so many times w <- soft(factor * w - drift, threshold).

    Until a weight reaches zero its size falls by drift and threshold together, there it
    takes one step of another kind, and beyond it goes on against the threshold.
    """
    sign = xp.where(weights == 0, -xp.sign(drift), xp.sign(weights))
    size, drift = xp.abs(weights), sign * drift
    fall = drift + threshold  # of size, in each step before zero
    falls = fall > 0
    limit = xp.where(log_factor == 0, 1.0, -xp.expm1(log_factor))
    share = size * limit / xp.where(falls, fall, 1.0)
    steps = xp.where(
        log_factor == 0,
        share,
        xp.log1p(share) / xp.where(log_factor == 0, 1.0, -log_factor),
    )
    first = xp.where(falls, xp.clip(xp.ceil(steps) - 1, 0.0, times), times)
    fallen = xp.exp(first * log_factor) * size - fall * _geometric(
        xp, first, log_factor
    )
    at_zero = xp.exp(log_factor) * xp.maximum(fallen, 0.0) - drift
    beyond = xp.maximum(-soft_threshold(at_zero, threshold), 0.0)
    rest = xp.maximum(times - first - 1, 0.0)
    beyond = xp.exp(rest * log_factor) * beyond + xp.maximum(
        drift - threshold, 0.0
    ) * _geometric(xp, rest, log_factor)
    return sign * xp.where(first < times, -beyond, fallen)
