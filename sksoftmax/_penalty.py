"""What is added to the loss to keep the weights small, or zero."""

from typing import NamedTuple

import numpy as np

from sksoftmax._batches import pick


class ElasticNet:
    """alpha * ((1 - l1_ratio) / 2 * ||coef||_2^2 + l1_ratio * ||coef||_1).

    For weights of shape (n_weights, n_columns). The strengths `l2` and `l1` have the
    shape (n_weights, 1): the row of the intercept has none.
    """

    def __init__(
        self, alpha: float, l1_ratio: float, n_features: int, fit_intercept: bool, dtype
    ) -> None:
        self.l2, self.l1 = np.zeros((2, n_features + fit_intercept, 1), dtype)
        self.l2[:n_features] = alpha * (1 - l1_ratio)
        self.l1[:n_features] = alpha * l1_ratio
        self.penalised = self.l2 + self.l1 > 0
        self.makes_zeros = bool(self.l1.any())

    def value(self, weights, rows=slice(None)) -> float:
        """Return the penalty of those rows of the weights."""
        squares = np.einsum("ij,ij->i", weights, weights)
        of_rows = pick(self.l2, rows)[:, 0] * squares / 2
        if self.makes_zeros:
            of_rows += pick(self.l1, rows)[:, 0] * np.abs(weights).sum(axis=1)
        return float(of_rows.sum(dtype=np.float64))

    def gradient(self, weights, rows=slice(None)):
        """Return the gradient of the smooth part at those rows of the weights."""
        return pick(self.l2, rows) * weights

    def pseudo_gradient(self, weights, grad, rows=slice(None)):
        """Return the shortest subgradient, given the gradient of all that is smooth.

        It is zero at the optimum. Without l1 it is `grad` itself.
        """
        if not self.makes_zeros:
            return grad
        l1 = pick(self.l1, rows)
        return np.where(weights == 0, _soft(grad, l1), grad + l1 * np.sign(weights))

    def soften(self, weights, step_size: float, rows=slice(None)) -> None:
        """Take a proximal step on l1 alone in those rows of the weights, in place."""
        if self.makes_zeros:
            weights[...] = _soft(weights, step_size * pick(self.l1, rows))

    def gradient_step(self, step_size) -> "Shrinkage":
        """Return what a gradient step on l2 and a proximal one on l1 do to weights.

        `step_size` is a number or has the shape (n_weights, 1).
        """
        largest = 1 - np.finfo(self.l2.dtype).eps
        log_factor = np.log1p(-np.minimum(step_size * self.l2, largest))
        return Shrinkage(log_factor, step_size * self.l1, self.makes_zeros)

    def proximal_step(self, step_size) -> "Shrinkage":
        """Return what a proximal step does, which no length makes overshoot."""
        log_factor = -np.log1p(step_size * self.l2)
        threshold = step_size * self.l1 * np.exp(log_factor)
        return Shrinkage(log_factor, threshold, self.makes_zeros)


class Shrinkage(NamedTuple):
    """The map w <- soft(factor * w, threshold), which can be repeated at one go."""

    log_factor: np.ndarray  # (n_weights, 1)
    threshold: np.ndarray  # (n_weights, 1)
    makes_zeros: bool

    def repeat(self, weights, times, columns=slice(None), drift=None) -> None:
        """Apply it so many times to the weights of those columns, in place.

        `times`: shape (len(weights),), integers. With `drift`, of the shape of
        `weights`, the map is w <- soft(factor * w - drift, threshold).
        """
        log_factor = pick(self.log_factor, columns)
        times = times.astype(weights.dtype)[:, None]
        if not self.makes_zeros:
            weights *= np.exp(times * log_factor)
            if drift is not None:
                weights -= drift * _geometric(times, log_factor)
            return
        threshold = pick(self.threshold, columns)
        if drift is None:
            weights *= np.exp(times * log_factor)
            threshold = threshold * _geometric(times, log_factor)
            weights[...] = _soft(weights, threshold)
        else:
            weights[...] = _drifted(weights, times, log_factor, threshold, drift)


def _soft(values, threshold):
    """Draw values towards zero by the threshold; those within it become zero."""
    return values - np.clip(values, -threshold, threshold)


def _geometric(times, log_factor):
    """Return 1 + factor + ... + factor^(times - 1)."""
    small = np.where(log_factor == 0, 1, np.expm1(log_factor))
    return np.where(log_factor == 0, times, np.expm1(times * log_factor) / small)


def _drifted(weights, times, log_factor, threshold, drift):
    """Return weights after so many times w <- soft(factor * w - drift, threshold).

    Until a weight reaches zero its size falls by drift and threshold together, there it
    takes one step of another kind, and beyond it goes on against the threshold.
    """
    sign = np.where(weights == 0, -np.sign(drift), np.sign(weights))
    size, drift = np.abs(weights), sign * drift
    fall = drift + threshold  # of size, in each step before zero
    falls = fall > 0
    limit = np.where(log_factor == 0, 1, -np.expm1(log_factor))
    share = size * limit / np.where(falls, fall, 1)
    steps = np.where(
        log_factor == 0,
        share,
        np.log1p(share) / np.where(log_factor == 0, 1, -log_factor),
    )
    first = np.where(falls, np.clip(np.ceil(steps) - 1, 0, times), times)
    fallen = np.exp(first * log_factor) * size - fall * _geometric(first, log_factor)
    at_zero = np.exp(log_factor) * np.maximum(fallen, 0) - drift
    beyond = np.maximum(-_soft(at_zero, threshold), 0)
    rest = np.maximum(times - first - 1, 0)
    beyond = np.exp(rest * log_factor) * beyond + np.maximum(
        drift - threshold, 0
    ) * _geometric(rest, log_factor)
    return sign * np.where(first < times, -beyond, fallen)
