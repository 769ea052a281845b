"""Losses and gradients of several models in one pass over the rows.

The weights of the models stand side by side, (n_weights, n_models * n_outputs), so that
one product reads X for all of them. Each model has its own weights of the rows, which
are zero for rows that it must not see. The same pass scores these rows.
"""

import math
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from sksoftmax._arrays import (
    add_tuples,
    chunks,
    evenly_spaced,
    namespace,
    take,
)
from sksoftmax._problem import Problem
from sksoftmax._threads import one_blas_thread

# A Hessian of n weights is measured on FEW_HESSIAN_ROWS, or on more rows as long as n^2
# times the rows is at most HESSIAN_WORK: 2^16 rows for 100 weights. A Hessian copies
# its rows, a chunk at a time.
FEW_HESSIAN_ROWS, HESSIAN_WORK, HESSIAN_CHUNK_ROWS = 2**13, 6.6e8, 2048


class Evaluation(NamedTuple):
    """Sums over the rows at the weights of a model."""

    loss: float  # the mean loss of the training rows
    grad: Any  # of the mean loss, (n_weights, n_outputs)
    scores: np.ndarray  # (3,), of the test rows, see `score_sums`


class TestRows(NamedTuple):
    """The rows that score a model; all arrays are in the namespace of the data."""

    numbers: np.ndarray  # sorted, in NumPy
    y: Any  # y[numbers] are the targets of these rows, without smoothing
    weight: Any  # of these rows in the log-loss, zero in classes that are not learned
    hit_weight: Any  # of these rows in the accuracy, or None if it is not asked for

    def within(self, rows: slice) -> slice:
        """Return the part of `numbers` within a slice of rows."""
        return slice(*np.searchsorted(self.numbers, (rows.start, rows.stop)))


def score_sums(problem: Problem, test: TestRows, part: slice, raw) -> np.ndarray:
    """Return weighted sums over test rows: of losses, of their squares, and of hits.

    `raw` are the raw predictions of a part of the test rows, and is overwritten.
    """
    xp, hits = problem.data.xp, 0.0
    y, weight = test.y[problem.data.index(test.numbers[part])], test.weight[part]
    if test.hit_weight is not None:
        labels = y if y.ndim == 1 else xp.argmax(y, axis=1)
        is_hit = problem.loss.predict(raw) == labels
        hits = xp.total(xp.where(is_hit, test.hit_weight[part], 0.0))
    losses = problem.loss.losses(raw, y)
    if test.hit_weight is not None:  # squares may overflow in rows without weight
        losses = xp.where(weight > 0, losses, 0.0)
    sums = xp.weighted_sum(losses, weight), xp.weighted_sum(losses**2, weight), hits
    return np.array([*map(float, sums)])


def stack(weights: dict):
    """Return the weights of models side by side, (n_weights, n_models * n_outputs)."""
    arrays = list(weights.values())
    return namespace(arrays[0]).concat(arrays, axis=1)


def unstack(models, losses, grad, scores) -> dict:
    """Return the Evaluation of each model, from the result of `StackedOracle.sums`."""
    n_outputs = grad.shape[1] // len(losses)
    copy = namespace(grad).copy
    grads = (
        copy(grad[:, j * n_outputs : (j + 1) * n_outputs]) for j in range(len(losses))
    )
    evaluations = map(Evaluation, map(float, losses), grads, scores)
    return dict(zip(models, evaluations, strict=True))


class StackedOracle:
    """Sums over all rows for several models."""

    affords_newton = True  # a product with the Hessian, for one model, is a pass

    def __init__(self, problems: list, tests: list, n_rows: int = 0) -> None:
        """Initialise with a Problem, and TestRows or None, of each model.

        The problems differ in the weights of the rows alone. These have the mean one
        over all rows. `n_rows` is the number of all rows if the data are a share.
        """
        self.problems, self._tests, self.n_passes = problems, tests, 0
        self._data, self._loss = problems[0].data, problems[0].loss
        self._n_rows = n_rows or self._data.n_samples
        self._varying = problems[0].scaling.varying()

    def evaluate(self, weights: dict) -> dict:
        """Return the Evaluation of each model, by its number, in one pass."""
        self.n_passes += 1
        models, stacked, data = list(weights), stack(weights), self._data
        multiply_adds = data.n_samples * stacked.shape[0]
        with one_blas_thread(multiply_adds, data.xp.thread_pools):
            return unstack(models, *self.sums(models, stacked))

    def sums(self, models: list, stacked):
        """Return losses, the gradient, (n_weights, n_models * n_outputs), and scores.

        `stacked` are the weights of the models.
        """
        data, xp, n_outputs = self._data, self._data.xp, self._loss.n_outputs
        size = data.matmul_chunk_rows(stacked.shape[1])

        def share(rows):
            batch = data.batch(rows, compact=False)
            raw = xp.column_major(batch.raw_prediction(stacked))
            losses, scores = np.zeros(len(models)), np.zeros((len(models), 3))
            for j, model in enumerate(models):
                part = raw[:, j * n_outputs : (j + 1) * n_outputs]
                scores[j] = self._score(model, rows, part)
                losses[j], grad = self._loss_gradient(model, rows, part)
                if grad is not part:
                    part[...] = grad
            return losses, batch.gradient(raw), scores

        shares = xp.ordered_map(share, chunks(slice(0, data.n_samples), size))
        losses, grad, scores = reduce(add_tuples, shares)
        if self._varying is not None:
            grad = grad * self._varying
        return losses, grad, scores

    def hessians(self, weights: dict) -> dict:
        """Return the whole Hessian of the loss of each model, in one pass."""
        self.n_passes += 1
        hessians = self.hessian_sums(list(weights), stack(weights))
        return dict(zip(weights, hessians, strict=True))

    def hessian_sums(self, models: list, stacked) -> tuple:
        """Return the Hessian of the loss of each model, in the scaled columns.

        Evenly spaced rows are measured, among those from which the last model learns.
        """
        data, loss, n_outputs = self._data, self._loss, self._loss.n_outputs
        scale, size = self.problems[0].scaling.scale, stacked.shape[0] * n_outputs
        weighted = np.flatnonzero(data.xp.to_numpy(self.problems[-1].sample_weight))
        n_weighted = max(1, len(weighted))
        n_measured = max(FEW_HESSIAN_ROWS, HESSIAN_WORK / size**2)
        n_measured *= data.n_samples / (self._n_rows * n_weighted)
        rows = evenly_spaced(weighted, math.ceil(min(1.0, n_measured) * n_weighted))
        total = self._n_rows * len(rows) / n_weighted

        def share(rows):
            batch = data.batch(rows, compact=False)
            raw, S = batch.raw_prediction(stacked), batch.scaled(scale)
            hessians = []
            for j, model in enumerate(models):
                part = data.xp.copy(raw[:, j * n_outputs : (j + 1) * n_outputs])
                weight = take(self.problems[model].sample_weight, rows) / total
                hessians.append(loss.hessian(loss.proba(part), S, weight))
            return tuple(hessians)

        parts = chunks(data.index(rows), HESSIAN_CHUNK_ROWS)
        return reduce(add_tuples, data.xp.ordered_map(share, parts))

    def _loss_gradient(self, model, rows, raw):
        """Return the loss of a chunk, and the gradient in its raw predictions."""
        problem = self.problems[model]
        weight = take(problem.sample_weight, rows) / self._n_rows
        return problem.loss.loss_gradient(raw, problem.y[rows], weight)

    def _score(self, model, rows, raw) -> np.ndarray:
        """Return the sums of `score_sums` over the test rows of a chunk."""
        test = self._tests[model]
        part = slice(0, 0) if test is None else test.within(rows)
        if part.start == part.stop:
            return np.zeros(3)
        raw = take(raw, self._data.index(test.numbers[part] - rows.start))
        return score_sums(self.problems[model], test, part, raw)
