"""Line searches: the step size along a direction.

A search is a generator: it yields weights, and is sent their objective and gradient.
Searches of several models can thus share the passes over the rows.
"""

import math

MAX_TRIALS = 40
# Largest share of the first slope that a good step may leave.
WOLFE = 0.35


def run_search(search, evaluate):
    """Return the result of a search; `evaluate` returns objective and gradient."""
    try:
        weights = next(search)
        while True:
            weights = search.send(evaluate(weights))
    except StopIteration as end:
        return end.value


def wolfe_search(xp, weights, objective, direction, slope, first, rounding):
    """Return step size, objective, weights and gradient after a good step, or None.

    A good step lowers the objective and shrinks its slope along the line (Wolfe). The
    slope grows along the line, so a bracket holds the zero of the slope. The best step
    is returned if no step is good: on separable rows, for example, the slope leaps.

    Parameters
    ----------
    xp : namespace of the arrays
    weights, direction : arrays of shape (n_weights, n_outputs)
    objective, slope : float
        Values at `weights`; the slope is along `direction`.
    first : float
        Largest share of the slope that the first trial may leave.
    rounding : float
        Rounding error of the objective.
    """
    low, low_slope, high, high_slope = 0.0, slope, math.inf, math.inf
    if not -slope > 1e-3 * rounding:
        return None
    step_size, best = 1.0, None
    for attempt in range(MAX_TRIALS):
        new_weights = weights + step_size * direction
        new_objective, grad = yield new_weights
        new_slope = float(xp.vdot(grad, direction))
        if new_objective <= objective + 1e-4 * step_size * slope + rounding:
            if best is None or new_objective < best[1]:
                best = step_size, new_objective, new_weights, grad
            if abs(new_slope) <= (WOLFE if attempt else first) * abs(slope):
                break
        if new_slope < 0:
            low, low_slope = step_size, new_slope
        else:  # also NaN, after a far too long step
            high, high_slope = step_size, new_slope
        if high == math.inf:
            gain = slope / (slope - new_slope) if new_slope > slope else math.inf
            step_size *= min(max(gain, 2.0), 10.0)
            continue
        share = 0.5 if attempt % 2 else low_slope / (low_slope - high_slope)
        if not math.isfinite(high_slope):
            share = 0.1
        step_size = low + (high - low) * min(max(share, 0.05), 0.95)
    return best


def armijo_search(xp, weights, objective, direction, grad, l1, rounding):
    """Return the values of `wolfe_search`, for an objective with L1.

    The slope of L1 leaps at each weight of zero. `grad`, of the shape of `weights`, is
    the gradient of the smooth part at `weights`. `l1`, (n_weights, 1), are the
    strengths of the penalty.
    """

    def l1_norm(weights):
        return float(xp.total(l1 * xp.abs(weights)))

    old_norm, linear = l1_norm(weights), float(xp.vdot(grad, direction))
    step_size, best = 1.0, None
    for _ in range(MAX_TRIALS):
        new_weights = weights + step_size * direction
        new_objective, new_grad = yield new_weights
        expected = step_size * linear + l1_norm(new_weights) - old_norm
        if new_objective <= objective + min(0.0, 1e-4 * expected) + rounding:
            if best is not None and not new_objective < best[1]:
                break
            best = step_size, new_objective, new_weights, new_grad
            signs = xp.sign(xp.where(new_weights == 0, direction, new_weights))
            new_slope = float(xp.vdot(new_grad + l1 * signs, direction))
            if step_size < 1 or not new_slope < WOLFE * expected / step_size:
                break
            step_size *= 4
        elif best is not None:
            break
        else:
            step_size /= 4
    if best is not None and not best[1] < objective + rounding:
        return None
    return best
