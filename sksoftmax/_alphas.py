"""The strengths of the penalty to try: given, or from strong to weak by rules."""

import math
from dataclasses import replace
from itertools import count
from numbers import Integral
from typing import NamedTuple

import numpy as np

from sksoftmax._arrays import evenly_spaced, take
from sksoftmax._hidden_columns import measure_gains, score
from sksoftmax._oracle import Oracle
from sksoftmax._preconditioner import Gram
from sksoftmax._problem import Problem

# The strengths that an integer `alphas` spreads evenly on a log scale.
LARGEST_ALPHA, SMALLEST_ALPHA = 1e3, 1e-9
# Strengths of an automatic path, and how many of them are a decade.
FEWEST_ALPHAS, MOST_ALPHAS, PER_DECADE = 6, 25, 2
MOST_COARSE = 12  # strengths above the middle one, see `automatic_alphas`
# An automatic path ends this many strengths after the best score.
PATIENCE = 2
FLAT = 2.5e-3  # a smaller relative change of the log-loss is none
POWER_ITERATIONS, POWER_ROWS = 10, 1024
# The middle strength: rows that are read, and the share of what columns tell of the
# classes that may be held back.
SCORED_ROWS, SIGNAL_SHARE = 2**14, 0.1
MOST_AXES = 256  # features of dense X
# A path also goes on if the weight of one column would lower the loss by more than this
# share, and begins again at this multiple of the strength that halves the weight.
# Measured on 186 generated tables: five paths go on, to .92, .94, .95, 1 and 1 times
# the held-out log-loss. All paths together take 2 % more time.
HIDDEN_SHARE, HIDDEN_RATIO = 0.01, 10.0


def check_alphas(alphas):
    """Return the strengths, falling, or None for an automatic path."""
    if alphas is None:
        return None
    if isinstance(alphas, Integral):
        logs = math.log10(LARGEST_ALPHA), math.log10(SMALLEST_ALPHA)
        return np.logspace(*logs, int(alphas)) if alphas > 1 else np.array([1e-3])
    try:
        values = np.asarray(alphas)
        values = values.astype(float) if values.dtype.kind in "biufO" else np.empty(0)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 1 or not len(values) or not (values >= 0).all():
        raise ValueError(
            "alphas must be finite numbers of at least 0, in one dimension, got "
            f"{alphas!r}. Pass a list of strengths, their number, or None."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"alphas must be finite, got {alphas!r}. Leave others out.")
    return np.unique(values)[::-1]


def automatic_alphas(l1_ratio: float, problem: Problem, weights, moments):
    """Return the middle strength, and falling strengths without end.

    `problem` is that of all rows, `weights` are those of a constant model, and
    `moments` those of the columns. The first strength is large for their scale.
    Stronger penalties than the middle one may hold columns that tell of the classes at
    zero, next to a few columns of large values, so that the scores do not tell of these
    columns yet. There are fewer strengths a decade above the middle one if otherwise
    MOST_ALPHAS would not reach far below it.
    """
    first, middle = _first_and_middle(l1_ratio, problem, weights, moments)
    n_steps = PER_DECADE * (math.log10(first) - math.log10(middle))
    n_coarse = min(math.ceil(n_steps), MOST_COARSE)
    ratio = max(n_steps / MOST_COARSE, 1.0) / PER_DECADE
    logs = (
        ratio * min(k, n_coarse) + max(0, k - n_coarse) / PER_DECADE for k in count()
    )
    return middle, (first * 10**-log for log in logs)


def _first_and_middle(
    l1_ratio: float, problem: Problem, weights, moments
) -> tuple[float, float]:
    """Return a strength of models that barely differ from a constant one, and a middle.

    `weights` are the weights of a constant model. L2 halves the largest change of a
    model if its strength is the largest eigenvalue of the Hessian. L1 holds all weights
    at zero if its strength is the largest entry of the gradient. The smaller strength
    counts, rounded up to half a decade. The middle strength does the same to the column
    of median strength, or to columns and principal axes that tell of the classes.
    """
    data, strengths = problem.data, []
    columns = _measure_columns(problem, weights, moments)
    if columns is None:
        return 1.0, 1.0
    oracle, numbers, grad, curvatures, noise = columns
    if l1_ratio < 1:
        first = _largest_curvature(problem, weights) / (1 - l1_ratio)
        middle = min(
            float(np.median(curvatures)),
            _signal_strength(curvatures, grad, noise * curvatures),
        )
        if data.is_dense and data.n_features <= MOST_AXES:
            axes = _principal_axes(oracle, weights, numbers, grad)
            middle = min(middle, _signal_strength(*axes, noise * axes[0]))
        strengths.append((first, middle / (1 - l1_ratio)))
    if l1_ratio > 0:
        largest = np.abs(grad).max(axis=1) / l1_ratio
        signal = _signal_strength(largest, grad, noise * curvatures)
        middle = min(float(np.median(largest)), signal)
        strengths.append((float(largest.max()), middle))
    first, middle = min(strengths)
    if not 0 < first < math.inf:
        return 1.0, 1.0
    first = 10.0 ** (math.ceil(PER_DECADE * math.log10(first)) / PER_DECADE)
    return first, middle if 0 < middle < first else first


def find_hidden_strength(
    l1_ratio: float, problem: Problem, weights, loss: float
) -> float:
    """Return the middle strength of the column that the penalty holds back the most.

    It is infinite if no column tells much more of the classes than the model, whose
    weights are `weights`: the weight of one column alone would lower the loss by at
    most the share HIDDEN_SHARE of `loss`. A column may tell of the classes beside
    others, and not at the constant model.
    """
    gains, curvatures, grad = measure_gains(problem, weights, SCORED_ROWS)
    best = int(np.argmax(gains))
    if not HIDDEN_SHARE * loss < gains[best] < math.inf:
        return math.inf
    strengths = []
    if l1_ratio < 1:
        strengths.append(float(curvatures[best]) / (1 - l1_ratio))
    if l1_ratio > 0:
        strengths.append(float(np.abs(grad[best]).max()) / l1_ratio)
    return min(strengths)


class ColumnScores(NamedTuple):
    """What the columns that vary tell of the classes, besides a model."""

    oracle: Oracle  # of the rows that are read
    numbers: np.ndarray  # (n_columns,), of the columns
    grad: np.ndarray  # (n_columns, n_outputs), of the loss
    curvatures: np.ndarray  # (n_columns,), of the loss
    noise: float  # mean of grad^2 over curvatures if labels do not depend on a column


def _measure_columns(problem: Problem, weights, moments) -> ColumnScores | None:
    """Return the ColumnScores at `weights`, or None if no column varies."""
    data, xp = problem.data, problem.data.xp
    variances = moments.squares / (moments.total or 1.0)
    rounding = 4 * np.finfo(xp.numpy_dtype(data.dtype)).eps
    numbers = np.flatnonzero(variances > (rounding * moments.mean) ** 2)
    if not len(numbers):
        return None
    rows = np.flatnonzero(xp.to_numpy(problem.sample_weight))
    weight = problem.sample_weight
    weight = weight * (len(rows) / float(xp.total(weight)))
    problem = replace(problem, sample_weight=weight)
    oracle = Oracle(problem, evenly_spaced(rows, SCORED_ROWS), Gram)
    grad = oracle.loss_gradient(weights)[1][: data.n_features, :]
    grad = xp.to_numpy(grad).astype(np.float64)[numbers]
    if data.n_weights == data.n_features:  # without an intercept
        variances = variances + moments.mean**2
    curvatures = _mean_curvature(problem, rows, weights) * variances[numbers]
    noise = max(1, problem.loss.n_outputs - 1) / oracle.n_rows
    return ColumnScores(oracle, numbers, grad, curvatures, noise)


def _signal_strength(strengths, grad, noise) -> float:
    """Return a strength that leaves weights to columns that tell of the classes.

    Columns may have weights below `strengths`, (n_columns,). `grad` is the gradient at
    the constant model, and `noise` as in `score`. The result holds back the share
    SIGNAL_SHARE of the scores, and is infinite if no column tells of the classes.
    """
    scores = score(grad, noise)
    order = np.argsort(strengths)
    total = np.cumsum(scores[order])
    if not 0 < total[-1] < math.inf:
        return math.inf
    k = int(np.searchsorted(total, SIGNAL_SHARE * total[-1]))
    return float(strengths[order[k]])


def _principal_axes(oracle, weights, columns, grad):
    """Return curvatures along principal axes, and the gradient in these axes.

    The shapes are (n_axes,) and (n_axes, n_outputs). The axes are those of some
    columns, whose gradient is `grad`. Axes of a curvature
    that rounding may hide are left out.
    """
    problem, n_features = oracle.problem, oracle.problem.data.n_features
    xp, scale = problem.data.xp, problem.scaling.scale
    unit = float(xp.max(scale[:n_features, 0], axis=0))
    matrix = xp.to_numpy(oracle.sampled_hessian(Gram, weights)).astype(np.float64)
    scale = xp.to_numpy(scale).astype(np.float64) / unit
    scale[n_features:] = 1.0
    matrix *= scale * scale.T
    centered = matrix[np.ix_(columns, columns)]
    if matrix.shape[0] > n_features:
        common = matrix[-1, columns]
        centered = centered - np.outer(common, common) / matrix[-1, -1]
    curvatures, axes = np.linalg.eigh(centered)
    rounding = np.finfo(xp.numpy_dtype(problem.data.dtype)).eps * matrix.shape[0]
    is_sound = curvatures > rounding * curvatures[-1]
    return curvatures[is_sound] * unit**2, axes[:, is_sound].T @ grad


def _largest_curvature(problem: Problem, weights) -> float:
    """Return the largest eigenvalue of the Hessian of the loss at a constant model.

    The intercepts are at their optimum. Sampled rows count, in power iterations. The
    columns are in units of the largest scale, whose fourth power might not be finite.
    """
    data, xp, value = problem.data, problem.data.xp, 0.0
    unit = float(xp.max(problem.scaling.scale[: data.n_features, 0], axis=0))
    rows = np.flatnonzero(xp.to_numpy(problem.sample_weight))
    rows = data.index(evenly_spaced(rows, POWER_ROWS))
    batch = data.batch(rows, compact=False)
    weight = take(problem.sample_weight, rows)
    weight = (weight / float(xp.total(weight)))[:, None]
    proba = problem.loss.proba(batch.raw_prediction(weights))
    direction = np.random.RandomState(0).normal(size=weights.shape)
    direction[data.n_features :] = 0
    direction = xp.asarray(direction, data.dtype)
    for _ in range(POWER_ITERATIONS):
        direction = direction / (xp.vdot(direction, direction) ** 0.5 or 1.0)
        raw = batch.raw_prediction(direction / unit)
        if data.n_weights > data.n_features:
            raw -= xp.sum(weight * raw, axis=0)
        grad = batch.gradient(weight * problem.loss.hessian_product(proba, raw)) / unit
        grad[data.n_features :, :] = 0
        value = float(xp.vdot(direction, grad))
        direction = grad
    return value * unit**2


def _mean_curvature(problem: Problem, rows, weights) -> float:
    """Return the mean curvature of some of the rows."""
    data, xp = problem.data, problem.data.xp
    rows = data.index(evenly_spaced(rows, POWER_ROWS))
    raw = data.batch(rows, compact=False).raw_prediction(weights)
    weight = take(problem.sample_weight, rows)
    curvatures = problem.loss.mean_curvature(problem.loss.proba(raw))
    return float(xp.total(weight * curvatures)) / float(xp.total(weight))


def has_ended(losses: list, best: int, n_early: int) -> bool:
    """Return whether an automatic path ends after these held-out losses.

    `losses` holds the log-loss of each split, (n_splits,), for each strength so far,
    `best` is the number of the strength with the best score, and the first `n_early`
    strengths are above the middle one. Only the other strengths can end the path: some
    strengths after the best one, if the loss has risen by more than the standard error
    of the rise, or if the loss has become flat.
    """
    n_alphas = len(losses)
    if n_alphas >= MOST_ALPHAS:
        return True
    n_late = n_alphas - n_early
    if n_alphas < FEWEST_ALPHAS or n_late <= PATIENCE:
        return False
    means = np.mean(losses, axis=1)
    falls = np.abs(np.diff(means[-1 - PATIENCE :]))
    is_flat = bool((falls <= FLAT * means[-PATIENCE:]).all())
    lowest = int(np.argmin(means))
    n_worse = min(n_alphas - 1 - max(lowest, best), n_late)
    rises = losses[-1] - losses[lowest]
    has_risen = rises.mean() > standard_error(rises) or n_worse >= 2 * PATIENCE
    has_risen &= n_worse >= PATIENCE
    return bool(is_flat or has_risen)


def standard_error(values) -> float:
    """Return the standard error of the mean of the values, 0 for a single one."""
    n_values = len(values)
    return float(np.std(values, ddof=1)) / math.sqrt(n_values) if n_values > 1 else 0.0
