"""The penalty: a term of the objective that keeps weights small, or zero.

`_training.make_problem` builds it from the estimator's parameters.
"""

import math
from typing import NamedTuple

import numpy as np

from sksoftmax._arrays import NUMPY, namespace, take


class ElasticNet:
    """alpha * ((1 - l1_ratio) / 2 * ||coef||_2^2 + l1_ratio * ||coef||_1).

    Weights have the shape (n_weights, n_outputs). The strengths `l2` and `l1` have the
    shape (n_weights, 1), with zero for the intercept. Strengths below the smallest
    normal number of the dtype become zero: a squared gradient that has become zero,
    divided by such a strength, would prove that no gap is left.
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
        for strength, value in ((l2, alpha * (1 - l1_ratio)), (l1, alpha * l1_ratio)):
            if value >= np.finfo(strength.dtype).smallest_normal:
                strength[:n_features] = value
        self.l2, self.l1, self.penalised = map(xp.asarray, (l2, l1, l2 + l1 > 0))
        self.has_l2, self.makes_zeros = bool(l2.any()), bool(l1.any())

    def value(self, weights, active=slice(None)):
        """Return the penalty of the active weights, a number on their device."""
        xp = namespace(weights)
        row_values = take(self.l2, active)[:, 0] * xp.row_dots(weights, weights) / 2
        if self.makes_zeros:
            row_values += take(self.l1, active)[:, 0] * xp.sum(xp.abs(weights), axis=1)
        return xp.total(row_values)

    def gradient(self, weights, active=slice(None)):
        """Return the gradient of the smooth part, at the active weights."""
        return take(self.l2, active) * weights

    def pseudo_gradient(self, weights, grad, active=slice(None)):
        """Return the shortest subgradient, from the gradient of the smooth part.

        The pseudo-gradient is zero at the optimum. Without l1 the pseudo-gradient is
        `grad` itself.
        """
        if not self.makes_zeros:
            return grad
        xp, l1 = namespace(weights), take(self.l1, active)
        return xp.where(
            weights == 0, soft_threshold(grad, l1), grad + l1 * xp.sign(weights)
        )

    def duality_gap(self, weights, grad, objective: float, active=slice(None)):
        """Return the gap between the penalty and its conjugate, and a factor.

        `grad` is the gradient of the smooth part, loss and l2, at the dual point, and
        `objective` the value at the weights. Pure L1 bounds the gradient of the loss,
        so the dual point and the loss are multiplied by the factor. Weights without a
        penalty are left out. The gap follows from the inequality of Fenchel and Young,
        and is infinite without a penalty.
        """
        if not (self.has_l2 or self.makes_zeros):
            return math.inf, 1.0
        xp = namespace(weights)
        l1, l2 = take(self.l1, active), take(self.l2, active)
        if not self.makes_zeros:
            divisor = xp.where(l2 > 0, l2, 1.0)[:, 0]
            terms = xp.where(l2[:, 0] > 0, xp.row_dots(grad, grad) / divisor, 0.0)
            return float(xp.total(terms)) / 2, 1.0
        pull = xp.where(l1 > 0, l2 * weights - grad, 0.0)
        if self.has_l2:
            divisor, sign = xp.where(l2 > 0, l2, 1.0), xp.sign(pull)
            excess = xp.abs(pull) - l1
            outside = l1 * (xp.abs(weights) - sign * weights) + (
                l2 * weights - sign * excess
            ) ** 2 / (2 * divisor)
            inside = l1 * xp.abs(weights) - pull * weights + l2 * weights**2 / 2
            terms = xp.where(excess > 0, outside, inside)
            return float(xp.total(xp.where(l1 > 0, terms, 0.0))), 1.0
        largest = float(xp.max(xp.max(xp.abs(pull), axis=0), axis=0))
        factor = min(1.0, self.alpha * self.l1_ratio / largest) if largest > 0 else 1.0
        terms = l1 * xp.abs(weights) - factor * pull * weights
        loss = max(objective - float(self.value(weights, active)), 0.0)
        return float(xp.total(terms)) + (1 - factor) * loss, factor

    def common_part(self, weights, active=slice(None)):
        """Return the change of all outputs of a row without which L1 is least, (n, 1).

        The derivative of the penalty in the common change is increasing. Its zero is
        the median of the weights and of the zeros of the pieces between the weights
        (Li and Osher 2009).
        """
        xp, n_outputs = namespace(weights), weights.shape[1]
        l1, l2 = (xp.to_numpy(take(values, active)) for values in (self.l1, self.l2))
        values = xp.to_numpy(weights)
        slope = l1 * np.sign(values).sum(axis=1, keepdims=True)
        slope += l2 * values.sum(axis=1, keepdims=True)
        n_zeros = n_outputs - np.count_nonzero(values, axis=1)[:, None]
        rows = np.flatnonzero(np.abs(slope) > l1 * n_zeros * (1 + 1e-9))
        part = np.zeros(l1.shape, values.dtype)
        if self.l1_ratio < 1:
            ratio, mean = self.l1_ratio / (1 - self.l1_ratio), values[rows].mean(axis=1)
        else:  # of all medians the one nearest zero
            ratio, mean = 1e30, np.zeros(len(rows))
        shares = 1 - 2 * np.arange(n_outputs + 1) / n_outputs
        zeros = mean[:, None] + ratio * shares
        part[rows, 0] = np.median(np.hstack([values[rows], zeros]), axis=1)
        part[l1 == 0] = 0
        return xp.asarray(part, weights.dtype)

    def soft_threshold_weights(
        self, weights, step_size: float, active=slice(None)
    ) -> None:
        """Update the active weights in place by a proximal step on l1."""
        if self.makes_zeros:
            weights[...] = soft_threshold(weights, step_size * take(self.l1, active))

    def gradient_step(self, step_size) -> "Shrinkage":
        """Return the shrinkage by a gradient step on l2 and a proximal step on l1.

        `step_size` is a number or has the shape (n_weights, 1).
        """
        xp = namespace(self.l2)
        largest = 1 - float(xp.finfo(self.l2.dtype).eps)
        log_factor = xp.log1p(-xp.minimum(step_size * self.l2, largest))
        return Shrinkage(log_factor, step_size * self.l1, self.makes_zeros)

    def proximal_step(self, step_size) -> "Shrinkage":
        """Return the shrinkage by a proximal step, which never overshoots zero."""
        xp = namespace(self.l2)
        log_factor = -xp.log1p(step_size * self.l2)
        threshold = step_size * self.l1 * xp.exp(log_factor)
        return Shrinkage(log_factor, threshold, self.makes_zeros)


class Shrinkage(NamedTuple):
    """The map w <- soft(factor * w, threshold), with a formula for repetitions."""

    log_factor: np.ndarray  # (n_weights, 1)
    threshold: np.ndarray  # (n_weights, 1)
    makes_zeros: bool

    def repeat(self, weights, times, active=slice(None), displacement=None) -> None:
        """Update the active weights in place: apply the map `times` times.

        `times` are NumPy integers of shape (n_weights,), or (1,) for one number for all
        weights. The map is w <- soft(factor * w - displacement, threshold) if
        `displacement`, of the shape of `weights`, is not None.
        """
        xp, log_factor = namespace(weights), take(self.log_factor, active)
        if len(times) == 1:  # a number needs no transfer to the device
            times = float(times[0])
        else:
            times = xp.asarray(times[:, None], weights.dtype)
        if not self.makes_zeros:
            weights *= xp.exp(times * log_factor)
            if displacement is not None:
                weights -= displacement * _geometric(xp, times, log_factor)
            return
        threshold = take(self.threshold, active)
        if displacement is None:
            weights *= xp.exp(times * log_factor)
            threshold = threshold * _geometric(xp, times, log_factor)
            weights[...] = soft_threshold(weights, threshold)
        else:
            weights[...] = _repeat_with_displacement(
                xp, weights, times, log_factor, threshold, displacement
            )


def soft_threshold(values, threshold):
    """Return values moved towards zero by the threshold, or zero if closer to it."""
    return values - namespace(values).clip(values, -threshold, threshold)


def _geometric(xp, times, log_factor):
    """Return 1 + factor + ... + factor^(times - 1)."""
    small = xp.where(log_factor == 0, 1.0, xp.expm1(log_factor))
    return xp.where(log_factor == 0, times, xp.expm1(times * log_factor) / small)


def _repeat_with_displacement(xp, weights, times, log_factor, threshold, displacement):
    """Return weights after `times` repetitions of the map of `Shrinkage.repeat`.

    The size of a weight falls by displacement + threshold a step until the weight
    reaches zero. One step crosses zero, and after zero the threshold opposes the
    displacement.
    """
    sign = xp.where(weights == 0, -xp.sign(displacement), xp.sign(weights))
    size, displacement = xp.abs(weights), sign * displacement
    decrease = displacement + threshold  # of the size, in each step before zero
    decreases = decrease > 0
    limit = xp.where(log_factor == 0, 1.0, -xp.expm1(log_factor))
    share = size * limit / xp.where(decreases, decrease, 1.0)
    steps = xp.where(
        log_factor == 0,
        share,
        xp.log1p(share) / xp.where(log_factor == 0, 1.0, -log_factor),
    )
    n_before_zero = xp.where(decreases, xp.clip(xp.ceil(steps) - 1, 0.0, times), times)
    size_at_zero = xp.exp(n_before_zero * log_factor) * size - decrease * _geometric(
        xp, n_before_zero, log_factor
    )
    value_at_zero = xp.exp(log_factor) * xp.maximum(size_at_zero, 0.0) - displacement
    size_beyond_zero = xp.maximum(-soft_threshold(value_at_zero, threshold), 0.0)
    n_after_zero = xp.maximum(times - n_before_zero - 1, 0.0)
    size_beyond_zero = xp.exp(
        n_after_zero * log_factor
    ) * size_beyond_zero + xp.maximum(displacement - threshold, 0.0) * _geometric(
        xp, n_after_zero, log_factor
    )
    return sign * xp.where(n_before_zero < times, -size_beyond_zero, size_at_zero)
