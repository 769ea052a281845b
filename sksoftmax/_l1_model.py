"""The minimum of a quadratic model with L1, by an interior point method.

Of  g'd + d'Hd / 2 + sum(strength |w + d|)  with a dense H: in each |w + d| <= t both
slacks and their multipliers stay positive, and a step solves one system with H plus a
diagonal, by Mehrotra's predictor and corrector (Kim, Koh, Lustig, Boyd and Gorinevsky
2007; Nocedal and Wright 2006, chapter 16), whatever the condition of H.
"""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

MAX_STEPS = 60
TO_BOUNDARY = 0.995  # share of the way to the next slack or multiplier of zero


def minimise(hessian, grad, strength, weights, tol: float):
    """Return d, (n,), in NumPy and float64, up to `tol` above the minimum.

    hessian : (n, n), grad : (n,), strength : (n,), zero where there is no penalty,
    weights : (n,). Weights that are zero at the minimum become zero.
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
        size = TO_BOUNDARY * min(_longest(slacks, ds), _longest(duals, dz))
        size = min(1.0, size)
        d = d + size * change
        slacks, duals = slacks + size * ds, duals + size * dz
    zeros = bound[duals.min(axis=0) > 1e-4 * weight]
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

    def solve(target):  # of slack times multiplier
        wanted = target / slacks
        right = -slope
        rest = wanted.sum(axis=0) - weight
        right[bound] += wanted[1] - wanted[0] + difference / total * rest
        change = cho_solve(factor, right, check_finite=False)
        dt = (rest + difference * change[bound]) / total
        ds = np.stack([dt - change[bound], dt + change[bound]])
        return change, ds, wanted - duals - ratio * ds

    _, ds, dz = solve(np.zeros_like(slacks))
    size = min(1.0, _longest(slacks, ds), _longest(duals, dz))
    after = float(((slacks + size * ds) * (duals + size * dz)).mean()) if mean else 0.0
    target = mean * (after / mean) ** 3 if mean else 0.0
    return solve(target - ds * dz)


def _longest(values, change) -> float:
    """Return the longest step with which no value gets below zero."""
    falls = change < 0
    return float((-values[falls] / change[falls]).min(initial=np.inf))
