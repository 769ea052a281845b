"""What single columns tell of the classes beside a model."""

import math
from typing import NamedTuple

import numpy as np

from sksoftmax._arrays import evenly_spaced, take
from sksoftmax._problem import Problem

# The rows that a model is sure of have this share of the loss together. Their entries
# may be far larger than all others, and then hide what the other rows tell of a column:
# a step that would help the other rows moves the sure rows first, and promises nothing.
SURE_SHARE = 0.01
# How much larger than noise the square of a gradient is that tells of the classes.
LEAST_SCORE = 4.0
MOST_NUMBERS = 2**22  # of X, stored values, that are read


class ColumnGains(NamedTuple):
    """What the weights of each column alone would gain beside a model."""

    gains: np.ndarray  # (n_features,), of the loss, 0 for mere noise
    curvatures: np.ndarray  # (n_features,), of the loss
    grad: np.ndarray  # (n_features, n_outputs), of the loss


def measure_gains(problem: Problem, weights, n_rows: int, l2=None) -> ColumnGains:
    """Return the ColumnGains of the rows that the model is not sure of.

    `weights`, (n_weights, n_outputs), are those of the model. At most n_rows rows are
    read, evenly spaced. `l2`, (n_weights, 1), is the curvature of the penalty, or None
    if the penalty does not count. Intercepts follow the other weights.
    """
    data, loss, xp = problem.data, problem.loss, problem.data.xp
    n_features, row_size = data.n_features, 1 + data.n_stored // data.n_samples
    rows = np.flatnonzero(xp.to_numpy(problem.sample_weight))
    n_rows = min(n_rows, 1 + MOST_NUMBERS // row_size)
    rows = data.index(evenly_spaced(rows, n_rows))
    weight = take(problem.sample_weight, rows)
    weight = weight / float(xp.total(weight))
    noise = max(1, loss.n_outputs - 1) * float(xp.vdot(weight, weight))
    batch, y = data.batch(rows, compact=False), problem.y[rows]
    raw = batch.raw_prediction(weights)
    weight = weight * _find_unsure(xp, weight * loss.losses(xp.copy(raw), y))
    curvature = weight * loss.mean_curvature(loss.proba(xp.copy(raw)))
    grad = _to_float64(xp, batch.gradient(loss.loss_gradient(raw, y, weight)[1]))
    sums = _to_float64(xp, batch.gradient(xp.copy(curvature[:, None])))
    columns, total = data.columns(rows), float(xp.total(curvature))
    mean, squares = columns.mean_and_squares(columns.cast_weight(curvature), total)
    if data.n_weights > n_features:
        grad -= sums * (grad[-1:, :] / (total or 1.0))
    else:
        squares += total * mean**2
    grad, penalty = grad[:n_features, :], np.zeros(n_features)
    if l2 is not None:
        grad += _to_float64(xp, (l2 * weights)[:n_features, :])
        penalty = _to_float64(xp, l2)[:n_features, 0]
    eps = 4 * float(xp.finfo(data.dtype).eps)
    varies = (squares > total * (eps * mean) ** 2) & (noise * squares > 0)
    scores = np.zeros(n_features)
    scores[varies] = score(grad[varies], noise * squares[varies])
    gains = scores * noise * squares / (squares + penalty).clip(1e-300) / 2
    return ColumnGains(gains, squares, grad)


def score(grad, noise):
    """Return how many times the noise squared gradients are, and 0 for mere noise.

    `grad` is (n_columns, n_outputs). `noise`, (n_columns,), is the mean of its squared
    rows if labels do not depend on the columns. Much larger squares tell of the classes
    (the score test, Rao 1948).
    """
    scores = (grad**2).sum(axis=1) / noise
    scores[scores < LEAST_SCORE + 2 * math.log(max(1, len(scores)))] = 0
    return scores


def _find_unsure(xp, losses):
    """Return one for rows with all but the share SURE_SHARE of the losses, or zero."""
    losses = xp.to_numpy(losses)
    order = np.argsort(losses)
    n_sure = np.searchsorted(losses[order].cumsum(), SURE_SHARE * losses.sum())
    is_unsure = np.ones(len(losses), losses.dtype)
    is_unsure[order[:n_sure]] = 0
    return xp.asarray(is_unsure)


def _to_float64(xp, array):
    return xp.to_numpy(array).astype(np.float64)
