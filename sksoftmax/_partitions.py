"""Rows in the partitions of Dask collections, and sums over them.

What takes a partition's rows runs where these are: on a worker, or in a thread. What
travels is sums over rows, weights of the model, and the rows of one sample.
"""

import math
from dataclasses import replace
from functools import reduce, wraps
from itertools import repeat
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
import scipy.sparse as sp
from dask.delayed import delayed
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sksoftmax._all_rows import LARGE_PRODUCT, AllRows
from sksoftmax._arrays import NUMPY
from sksoftmax._batches import Moments, evenly, parts, training_rows
from sksoftmax._classifier import SoftmaxRegressionClassifier, checked_weight
from sksoftmax._solver import Problem
from sksoftmax._targets import by_rows, is_table
from sksoftmax._threads import threads_for

_SUMMANDS = 8  # at a time, in a tree
# Rows to measure the curvature on, in units of what one machine takes. Measured, passes
# over MNIST to relative gaps of 1e-2, 1e-3 and 1e-4: with one unit 16, 51, 90, with
# eight 10, 31, 53, with thirty 11, 33, 55. Passes over many rows are dear, these few
# are not.
_CURVATURE_ROWS = 8


class Found(NamedTuple):
    """What a partition holds, as far as it concerns the others."""

    n_features: int
    feature_names: tuple
    dtype: np.dtype  # to train in
    n_samples: int
    n_stored: int  # numbers in X
    labels: np.ndarray  # (n_labels,), sorted
    totals: np.ndarray  # (n_labels,), sums of the weights of each label's rows
    n_rows: np.ndarray  # (n_labels,), how many of these have weight


class Targets(NamedTuple):
    """The targets and weights of a partition's rows."""

    y: Any  # indexed with rows: their targets, as the loss takes them
    weight: np.ndarray  # (n_rows,)


class Partitions:
    """Blocks of rows, perhaps with labels and weights, all lazy."""

    def __init__(self, X, y=None, sample_weight=None) -> None:
        """Take Dask collections, or lists of delayed blocks."""
        self.X, self.n_rows = _blocks(X, "X")
        self.y = self._cut_alike(y, "y")
        self.weight = self._cut_alike(sample_weight, "sample_weight")

    def __len__(self) -> int:
        return len(self.X)

    def _cut_alike(self, rows, name: str) -> list:
        """Return the blocks of labels or weights, cut where X is."""
        if rows is None:
            return [None] * len(self)
        if isinstance(rows, da.Array):
            given, wanted = rows.shape[0], sum(self.n_rows)
            if not math.isnan(given + wanted):
                if given != wanted:
                    raise ValueError(
                        f"{name} has {given} rows, but X has {wanted}. Pass one for "
                        "each row of X."
                    )
                rows = rows.rechunk({0: self.n_rows})
        blocks, _ = _blocks(rows, name)
        if len(blocks) != len(self):
            raise ValueError(
                f"{name} has {len(blocks)} partitions, but X has {len(self)}, and "
                f"their lengths are not known. Cut {name} where X is cut."
            )
        return blocks

    def each(self, function, *shared) -> list:
        """Return the function's result for each partition, delayed."""
        task = delayed(function)
        blocks = zip(self.X, self.y, self.weight, strict=True)
        return [task(p, *block, *shared) for p, block in enumerate(blocks)]

    def look(self) -> list:
        """Check all that was given; return Found of each partition, None of no rows."""
        found = dask.compute(*self.each(_look))
        holding = [p for p in range(len(self)) if found[p] is not None]
        if not holding:
            raise ValueError("X has no rows. Pass partitions that have some.")
        first = found[holding[0]]
        for p in holding:
            if found[p][:2] != first[:2]:
                raise ValueError(
                    f"Partition {p} of X has {_features(found[p])}, but partition "
                    f"{holding[0]} has {_features(first)}. All need the same features."
                )
            ours, theirs = found[p].labels[0], first.labels[0]
            if isinstance(ours, str) != isinstance(theirs, str):
                raise ValueError(
                    f"Partition {p} of y has labels like {ours!r}, but partition "
                    f"{holding[0]} has labels like {theirs!r}. Use either strings or "
                    "numbers."
                )
        return list(found)

    def with_targets(self, found, classes, per_class, smoothing: float, dtype):
        """Return the rows with weight for training, by what `look` has found.

        Weights are multiplied by `per_class`, (n_classes,), and targets smoothed.
        """
        n_rows = [0] * len(self)
        for p, here in enumerate(found):
            if here is not None:
                counts = per_class[np.searchsorted(classes, here.labels)] > 0
                n_rows[p] = int(here.n_rows @ counts)
        targets = self.each(
            _encode, *map(_sent, (classes, per_class, smoothing, dtype))
        )
        return TrainingPartitions(self.X, targets, n_rows)

    def mapped(self, model, method: str, nothing) -> da.Array:
        """Return what that method of the model says of the rows, lazily.

        `nothing` is what it says of no rows.
        """
        results = self.each(_apply, _sent(model), method, nothing)
        blocks = [
            da.from_delayed(result, (n_rows, *nothing.shape[1:]), meta=nothing)
            for result, n_rows in zip(results, self.n_rows, strict=True)
        ]
        return da.concatenate(blocks, allow_unknown_chunksizes=True)

    def accuracy(self, model) -> float:
        """Return the share of the rows, by weight, whose class the model predicts."""
        terms = dask.compute(*self.each(_right, _sent(model)))
        right, total = np.sum(terms, axis=0)
        return float(right / total)


class TrainingPartitions:
    """Blocks of rows whose targets and weights are known, and kept."""

    def __init__(self, X, targets, n_rows) -> None:
        """Take blocks of rows, their targets and how many rows of each have weight.

        These rows are numbered through; partitions without any are left out.
        """
        self._numbers = np.flatnonzero(n_rows).tolist()
        self._edges = np.cumsum([0, *(n_rows[p] for p in self._numbers)])
        self._X = [X[p] for p in self._numbers]
        self._targets = dask.persist(*(targets[p] for p in self._numbers))
        self.n_rows, self.n_passes = int(self._edges[-1]), 1  # times that X was read

    def of_problem(self, problem: Problem, metric) -> "AllPartitions":
        """Return all rows as one batch of a problem that has no rows yet."""
        return AllPartitions(problem, self, metric)

    def start(self, rows, per_piece: int, model, n_classes: int):
        """Return coef, intercept and usual values of the model, fitted to those rows.

        They are sorted numbers, and travel in pieces of so many rows.
        """
        self.n_passes += 1
        task, pieces = delayed(_take), []
        for block, places in zip(self._blocks(), self._places(rows), strict=True):
            for some in parts(places, max(1, per_piece)):
                pieces.append(task(*block, some))
        return dask.compute(delayed(_fit)(model, n_classes, *pieces))[0]

    def moments(self, usual, dtype, fit_intercept: bool) -> Moments:
        """Return the moments of the columns, whose usual values are these."""
        return self.sum(_merged, _moments, _sent(usual), dtype, fit_intercept)

    def sum(self, combined, function, *shared, rows=None):
        """Return what combines the function's results of the partitions, in a tree.

        The function is called with a partition's number, X and targets, the `shared`
        arguments and, if they are given, those of the `rows` that it holds.
        """
        self.n_passes += 1
        task, combine, terms = delayed(function), delayed(combined), []
        each = repeat(()) if rows is None else zip(self._places(rows))
        for block, own in zip(self._blocks(), each, strict=False):
            terms.append(task(*block, *shared, *own))
        while len(terms) > 1:
            edges = range(0, len(terms), _SUMMANDS)
            terms = [combine(*terms[at : at + _SUMMANDS]) for at in edges]
        return dask.compute(terms[0])[0]

    def _blocks(self):
        return zip(self._numbers, self._X, self._targets, strict=True)

    def _places(self, rows) -> list:
        """Return which of the rows with weight of each partition those are."""
        of_partitions = np.split(rows, np.searchsorted(rows, self._edges[1:-1]))
        starts = zip(of_partitions, self._edges[:-1], strict=True)
        return [here - start for here, start in starts]


class AllPartitions:
    """The rows of a problem, wherever they are: AllRows for partitions."""

    columns = slice(None)

    def __init__(self, problem: Problem, partitions: TrainingPartitions, metric):
        """Take a problem without rows, and the metric in which steps are taken."""
        self.problem, self.metric, self._partitions = problem, metric, partitions
        self._sent = dask.persist(_sent(problem))[0]  # once

    def loss_gradient(self, weights):
        """Return the loss and its gradient at these weights."""
        shared = self._sent, self.metric, _sent(weights), self._partitions.n_rows
        return self._partitions.sum(_added, _loss_gradient, *shared)

    def curvature(self, metric, weights):
        """Return that of the loss in the metric, measured on a sample of the rows."""
        n_wanted = _CURVATURE_ROWS * metric.rows_wanted(self.problem.data.n_weights)
        rows = evenly(self._partitions.n_rows, n_wanted)
        shared = self._sent, metric, _sent(weights), len(rows)
        (curvature,) = self._partitions.sum(_added, _curvature, *shared, rows=rows)
        return curvature

    def threads(self):
        """Return the context of the steps: tasks keep BLAS to one thread each."""
        multiply_adds = self.problem.multiply_adds(self.problem.data.n_weights)
        return threads_for(multiply_adds, LARGE_PRODUCT)


def of_partition(function):
    """Return the function of a partition, by its number, with errors that tell it.

    It gets one thread: there are other partitions.
    """

    @wraps(function)
    def named(number, *args):
        try:
            with threads_for(0, math.inf), np.errstate(all="ignore"):
                return function(*args)
        except (TypeError, ValueError) as error:
            raise ValueError(f"Partition {number}: {error}") from error

    return named


@of_partition
def _look(X, y, sample_weight) -> Found | None:
    if not _length(X):
        return None
    if is_table(y):
        raise ValueError(
            f"y has the shape {np.shape(y)}, but labels in one column are wanted."
        )
    judge = SoftmaxRegressionClassifier()
    X, y = judge._validate_both(X, y, reset=True)
    weight = checked_weight(sample_weight, X)
    labels, codes = np.unique(y, return_inverse=True)
    check_classification_targets(np.repeat(labels, 3))  # else it warns of many classes
    return Found(
        judge.n_features_in_,
        tuple(getattr(judge, "feature_names_in_", ())),
        NUMPY.training_dtype(X),
        X.shape[0],
        X.nnz if sp.issparse(X) else X.size,
        labels,
        np.bincount(codes, weight),
        np.bincount(codes, weight > 0),
    )


@of_partition
def _apply(X, y, sample_weight, model, method, nothing):
    return getattr(model, method)(X) if _length(X) else nothing


@of_partition
def _right(X, y, sample_weight, model):
    """Return the weight of the rows whose class is predicted, and of all."""
    if not _length(X):
        return 0.0, 0.0
    weight = checked_weight(sample_weight, X)
    return model.score(X, y, weight) * weight.sum(), weight.sum()


@of_partition
def _encode(X, y, sample_weight, classes, per_class, smoothing, dtype) -> Targets:
    """Return smoothed targets, and weights times `per_class`, (n_classes,)."""
    codes = np.searchsorted(classes, column_or_1d(np.asarray(y))).astype(np.int32)
    weight = per_class[codes]
    if sample_weight is not None:
        weight = weight * np.asarray(sample_weight, np.float64)
    y = by_rows(codes, smoothing, len(classes), dtype, NUMPY)
    return Targets(y, weight.astype(dtype))


@of_partition
def _take(X, targets: Targets, places):
    rows = np.flatnonzero(targets.weight)[places]
    return _rows(X)[rows], targets.y[rows], targets.weight[rows]


def _fit(model, n_classes: int, *pieces):
    """Fit a model to pieces of a sample; it knows so many classes then."""
    X, y, weight = zip(*pieces, strict=True)
    y, weight = np.concatenate(y), np.concatenate(weight)
    X = sp.vstack(X, format="csr") if any(map(sp.issparse, X)) else np.concatenate(X)
    if y.ndim == 1 and len(np.unique(y)) < 2:
        zeros = np.zeros((n_classes if n_classes > 2 else 1, X.shape[1] + 1))
        return zeros[:, :-1], zeros[:, -1], None
    model.fit(X, y, weight)
    model._grow(np.arange(n_classes))
    return model.coef_, model.intercept_, model._moments["usual"]


@of_partition
def _moments(X, targets: Targets, usual, dtype, fit_intercept) -> Moments:
    return training_rows(_rows(X), dtype, fit_intercept).moments(targets.weight, usual)


@of_partition
def _loss_gradient(X, targets: Targets, problem, metric, weights, n_rows):
    here = _with_rows(problem, X, targets)
    share = AllRows(here, np.arange(len(targets.weight)), metric, n_rows)
    return share.loss_gradient(weights)


@of_partition
def _curvature(X, targets: Targets, problem, metric, weights, n_rows, places):
    if not len(places):
        return ()
    rows = np.flatnonzero(targets.weight)[places]
    share = len(rows) / n_rows
    return (share * metric.measure(_with_rows(problem, X, targets), rows, weights),)


def _with_rows(problem: Problem, X, targets: Targets) -> Problem:
    """Return the problem with a partition's rows."""
    source = problem.data
    fit_intercept = source.n_weights > source.n_features
    data = training_rows(_rows(X), source.dtype, fit_intercept)
    data.center_as(source)
    return replace(problem, data=data, y=targets.y, sample_weight=targets.weight)


def _added(*terms):
    """Return the sums of the places of tuples; a tuple may be empty."""
    terms = [term for term in terms if term] or terms[:1]
    return tuple(reduce(np.add, place) for place in zip(*terms, strict=True))


def _merged(*moments: Moments) -> Moments:
    return reduce(Moments.merge, moments)


def _sent(value):
    """Return the value as a key that tasks share: it travels once to each worker."""
    return delayed(value, traverse=False)


def _length(rows) -> int:
    return rows.shape[0] if hasattr(rows, "shape") else len(rows)


def _rows(X):
    """Return a block that was looked at as an array or CSR."""
    accepted = NUMPY.accepted_dtypes
    return check_array(X, accept_sparse="csr", dtype=accepted, ensure_all_finite=False)


def _features(found: Found) -> str:
    names = f" named {list(found.feature_names)}" if found.feature_names else ""
    return f"{found.n_features} features{names}"


def _blocks(rows, name: str):
    """Return delayed blocks and their lengths, NaN where these are not known."""
    if isinstance(rows, da.Array):
        if rows.ndim > 1:
            rows = rows.rechunk({axis: -1 for axis in range(1, rows.ndim)})
        return rows.to_delayed().ravel().tolist(), rows.chunks[0]
    blocks = None
    if hasattr(rows, "to_delayed"):  # a data frame
        blocks = rows.to_delayed()
    elif isinstance(rows, list | tuple) and all(hasattr(b, "key") for b in rows):
        blocks = [delayed(block) for block in rows]  # they or futures
    if not blocks:
        raise TypeError(
            f"{name} is {type(rows).__name__}, but a dask array or data frame, or a "
            "list of delayed partitions, is wanted. For data in memory use "
            "SoftmaxRegressionClassifier, or cut them with dask.array.from_array."
        )
    return blocks, (math.nan,) * len(blocks)
