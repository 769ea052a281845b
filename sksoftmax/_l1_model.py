"""The minimum of a quadratic model with L1, by an interior point method.

The model  g'd + d'Hd / 2 + sum(strength |w + d|)  has a dense H. Each |w + d| <= t has
two slacks and two multipliers, which stay positive (Kim, Koh, Lustig, Boyd and
Gorinevsky 2007). A step solves one system with H plus a diagonal, twice, by Mehrotra's
predictor and corrector (Nocedal and Wright 2006, chapter 16).
"""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

MAX_STEPS = 60
BOUNDARY_SHARE = 0.995  # of the way to the next slack or multiplier of zero


def minimise(hessian, grad, strength, weights, tol: float):
    """Return d, (n,), in NumPy and float64, up to `tol` above the minimum.

    `hessian` is (n, n); `grad`, `strength` and `weights` are (n,). `strength` is zero
    for weights without a penalty. Weights that are zero at the minimum become zero.
    """
    bound = np.flatnonzero(strength > 0)
    d, weight, u = np.zeros_like(weights), strength[bound], weights[bound]
    reach = np.abs(u) + np.abs(grad[bound]) / np.diagonal(hessian)[bound]
    t = np.abs(u) + np.maximum(reach, 1e-3 * reach.max(initial=0)) + 1e-300
    slacks = np.stack([t - u, t + u])
    duals = np.stack([weight / 2, weight / 2])
    for _ in range(MAX_STEPS):
        mu = float((slacks * duals).sum())
        slope = grad + hessian @ d
        pull = slope.copy()
        pull[bound] += duals[0] - duals[1]
        if mu <= tol and np.abs(pull).max(initial=0) <= 1e-9 * np.abs(grad).max():
            break
        step = _step(hessian, slope, weight, bound, slacks, duals)
        if step is None:
            break
        change, ds, dz = step
        size = BOUNDARY_SHARE * min(_longest(slacks, ds), _longest(duals, dz))
        size = min(1.0, size)
        d = d + size * change
        slacks, duals = slacks + size * ds, duals + size * dz
    # Multipliers of a weak penalty are still near their start, though the weight is not
    # zero.
    is_small = np.diagonal(hessian)[bound] * (weights + d)[bound] ** 2 <= 10 * tol
    zeros = bound[(duals.min(axis=0) > 1e-4 * weight) & is_small]
    d[zeros] = -weights[zeros]
    return d


def _step(hessian, slope, weight, bound, slacks, duals):
    """Return the changes of d, slacks and multipliers, or None without a factor."""
    matrix, ratio = hessian.copy(), duals / slacks
    total, difference = ratio.sum(axis=0), ratio[0] - ratio[1]
    matrix[bound, bound] += 4 * ratio[0] * ratio[1] / total
    try:
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return None
    mean = float((slacks * duals).mean()) if len(bound) else 0.0

    def solve(target):  # of the product of slack and multiplier
        target_duals = target / slacks
        right = -slope
        rest = target_duals.sum(axis=0) - weight
        right[bound] += target_duals[1] - target_duals[0] + difference / total * rest
        change = cho_solve(factor, right, check_finite=False)
        dt = (rest + difference * change[bound]) / total
        ds = np.stack([dt - change[bound], dt + change[bound]])
        return change, ds, target_duals - duals - ratio * ds

    _, ds, dz = solve(np.zeros_like(slacks))
    size = min(1.0, _longest(slacks, ds), _longest(duals, dz))
    new_products = (slacks + size * ds) * (duals + size * dz)
    new_mean = float(new_products.mean()) if mean else 0.0
    target = mean * (new_mean / mean) ** 3 if mean else 0.0
    return solve(target - ds * dz)


def _longest(values, change) -> float:
    """Return the longest step that keeps all values at zero or above."""
    falls = change < 0
    return float((-values[falls] / change[falls]).min(initial=np.inf))
