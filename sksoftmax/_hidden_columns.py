"""What is hidden beside a model by rows that it is sure of."""

import math
from typing import NamedTuple

import numpy as np

from sksoftmax._arrays import chunks, count_rows, evenly_spaced, take
from sksoftmax._preconditioner import Gram
from sksoftmax._problem import Problem

# The rows that a model is sure of have this share of the loss together. Their entries
# may be far larger than all others, and then hide what the other rows tell of a column:
# a step that would help the other rows moves the sure rows first, and promises nothing.
SURE_SHARE = 0.01
# They hide nothing unless a column's variance in the other rows is less than this share
# of that in all rows. A first, cheaper check has another limit, as it knows the loss
# alone: some of the large rows may then be among the other ones.
SCALE_SHARE, LEAST_SCALE_SHARE = 0.01, 0.3
COMMON_SHARE = 0.1  # of the unsure rows that are not zero in a common column
# How much larger than noise the square of a gradient is that tells of the classes.
LEAST_SCORE = 4.0
MOST_NUMBERS = 2**22  # of X, stored values, that are read
SCALE_ROWS, CHUNK_ROWS = 1024, 1024
MOST_WEIGHTS = 1024  # of an output, for a matrix of all pairs


class ColumnGains(NamedTuple):
    """What the weights of each column alone would gain beside a model."""

    gains: np.ndarray  # (n_features,), of the loss, 0 for mere noise
    curvatures: np.ndarray  # (n_features,), of the loss
    grad: np.ndarray  # (n_features, n_outputs), of the loss


def measure_gains(problem: Problem, weights, n_rows: int) -> ColumnGains:
    """Return the ColumnGains of the rows that the model is not sure of.

    `weights`, (n_weights, n_outputs), are those of the model. At most n_rows rows are
    read, evenly spaced. The penalty does not count, and intercepts follow the other
    weights.
    """
    data, loss, xp = problem.data, problem.loss, problem.data.xp
    n_features = data.n_features
    sample = _read(problem, weights, _limit(data, n_rows))
    rows, weight = data.index(sample.numbers), sample.weight * sample.is_unsure
    curvature = weight * loss.mean_curvature(loss.proba(xp.copy(sample.raw)))
    grad = _to_float64(xp, _gradient(problem, sample))
    batch = data.batch(rows, compact=False)
    sums = _to_float64(xp, batch.gradient(xp.copy(curvature[:, None])))
    columns, total = data.columns(rows), float(xp.total(curvature))
    mean, squares = columns.mean_and_squares(columns.cast_weight(curvature), total)
    if data.n_weights > n_features:
        grad -= sums * (grad[-1:, :] / (total or 1.0))
    else:
        squares += total * mean**2
    grad = grad[:n_features, :]
    eps = 4 * float(xp.finfo(data.dtype).eps)
    varies = (squares > total * (eps * mean) ** 2) & (sample.noise * squares > 0)
    scores = np.zeros(n_features)
    scores[varies] = score(grad[varies], sample.noise * squares[varies])
    return ColumnGains(scores * sample.noise / 2, squares, grad)


def hidden_gap(problem: Problem, weights, *, is_sample: bool) -> float:
    """Return an estimate of the gap of the rows that the model is not sure of.

    `weights`, (n_weights, n_outputs), are those of the model, and X is dense. The
    estimate is in units of the objective. It is 0 for wide X, and if the sure rows are
    not of another scale. `is_sample` tells whether the problem has only a sample of the
    rows: the expected share of noise is then subtracted.
    """
    data, xp = problem.data, problem.data.xp
    if data.n_weights > MOST_WEIGHTS:
        return 0.0
    sample = _read(problem, weights, _limit(data, SCALE_ROWS))
    if not _has_small_columns(data, sample, LEAST_SCALE_SHARE):
        return 0.0
    sample = _read(problem, weights, Gram.sample_size(data.n_weights))
    sizes = _measure_sizes(data.sample_columns(data.index(sample.numbers)))
    sample = sample._replace(is_unsure=_find_unsure(xp, sample.losses, sizes))
    if not _has_small_columns(data, sample, SCALE_SHARE):
        return 0.0
    grad = _gradient(problem, sample) + problem.penalty.l2 * weights
    is_unsure = xp.to_numpy(sample.is_unsure) > 0
    unsure = data.index(sample.numbers[is_unsure])
    hessian = Gram.measure(problem, unsure, xp.astype(weights, xp.float64))
    total = float(xp.total(take(problem.sample_weight, data.index(sample.numbers))))
    inverse = Gram.build(problem, hessian * (count_rows(unsure) / total), None)
    gap = float(xp.vdot(grad, inverse.apply(grad))) / 2
    is_sample |= not sample.is_all
    return gap - sample.noise * data.n_weights / 2 if is_sample else gap


class _Sample(NamedTuple):
    """Evenly spaced rows of weight, read beside a model."""

    numbers: np.ndarray  # (n_rows,)
    weight: object  # (n_rows,), of the sum one
    raw: object  # (n_rows, n_outputs), raw predictions
    losses: np.ndarray  # (n_rows,), times the weights
    is_unsure: object  # (n_rows,), one or zero
    is_all: bool  # whether there are no more rows of weight
    noise: float  # mean square of a gradient, over its curvature, if labels are chance


def _read(problem, weights, n_rows):
    """Return the _Sample of at most n_rows rows."""
    data, loss, xp = problem.data, problem.loss, problem.data.xp
    weighted = np.flatnonzero(xp.to_numpy(problem.sample_weight))
    numbers = evenly_spaced(weighted, n_rows)
    is_all, rows = len(numbers) == len(weighted), data.index(numbers)
    weight = take(problem.sample_weight, rows)
    weight = weight / float(xp.total(weight))
    batches = (data.batch(part, compact=False) for part in chunks(rows, CHUNK_ROWS))
    raw = xp.concat([batch.raw_prediction(weights) for batch in batches], axis=0)
    losses = xp.to_numpy(weight * loss.losses(xp.copy(raw), problem.y[rows]))
    noise = max(1, loss.n_outputs - 1) * float(xp.vdot(weight, weight))
    is_unsure = _find_unsure(xp, losses)
    return _Sample(numbers, weight, raw, losses, is_unsure, is_all, noise)


def _gradient(problem, sample):
    """Return the gradient of the loss of the unsure rows, (n_weights, n_outputs)."""
    data, weight, total = problem.data, sample.weight * sample.is_unsure, 0.0
    rows = data.index(sample.numbers)
    raw, y = data.xp.copy(sample.raw), problem.y[rows]
    outputs = problem.loss.loss_gradient(raw, y, weight)[1]
    for part in chunks(slice(0, len(sample.numbers)), CHUNK_ROWS):
        batch = data.batch(rows[part], compact=False)
        total = total + batch.gradient(outputs[part, :])
    return total


def _find_unsure(xp, losses, sizes=1.0):
    """Return which rows a model is not sure of: one or zero, (n_rows,).

    The sure rows have the share SURE_SHARE of the losses, (n_rows,), together. They are
    the rows of the least loss for their size, (n_rows,).
    """
    order = np.argsort(losses / sizes)
    n_sure = np.searchsorted(losses[order].cumsum(), SURE_SHARE * losses.sum())
    is_unsure = np.ones(len(losses), losses.dtype)
    is_unsure[order[:n_sure]] = 0
    return xp.asarray(is_unsure)


def _measure_sizes(columns):
    """Return the squared size of each row, (n_rows,), in units of the median row.

    Each column is in units of its own median. Rows below the median row have size 1, as
    it does not matter how small a row is.
    """
    squares = columns.squares(columns.quantiles((0.5,))[0])
    unit, _ = columns.nonzero_quantile(squares, 0.5)
    factor = np.divide(1, unit, out=np.zeros_like(unit), where=unit > 1e-150)
    sizes = columns.row_sums(squares, factor)
    return np.maximum(sizes / (np.median(sizes) or 1.0), 1.0)


def _has_small_columns(data, sample, share):
    """Return whether a common column is much smaller in the unsure rows than in all.

    That is, their variance is less than this share of that of all rows. Rare columns
    are often zero in all unsure rows.
    """
    columns = data.columns(data.index(sample.numbers))
    zeros, variances = np.zeros(data.n_features), []
    for weight in (sample.weight, sample.weight * sample.is_unsure):
        total = float(data.xp.total(weight)) or 1.0
        weight = columns.cast_weight(weight)
        variances.append(columns.mean_and_squares(weight, total)[1] / total)
    is_common = columns.non_fill_weight(weight, total, zeros) > COMMON_SHARE * total
    return bool((is_common & (variances[1] < share * variances[0])).any())


def _limit(data, n_rows):
    """Return a number of rows, at most n_rows, of at most MOST_NUMBERS numbers."""
    return min(n_rows, 1 + MOST_NUMBERS // (1 + data.n_stored // data.n_samples))


def score(grad, noise):
    """Return how many times the noise squared gradients are, and 0 for mere noise.

    `grad` is (n_columns, n_outputs). `noise`, (n_columns,), is the mean of its squared
    rows if labels do not depend on the columns. Much larger squares tell of the classes
    (the score test, Rao 1948).
    """
    scores = (grad**2).sum(axis=1) / noise
    scores[scores < LEAST_SCORE + 2 * math.log(max(1, len(scores)))] = 0
    return scores


def _to_float64(xp, array):
    return xp.to_numpy(array).astype(np.float64)
