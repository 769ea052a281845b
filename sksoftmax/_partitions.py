"""Rows in the partitions of Dask collections, and sums over them.

What takes a partition's rows runs where these are: on a worker, or in a thread. What
travels is sums over rows, weights of the model, and the rows of one sample.
"""

import math
from dataclasses import replace
from functools import reduce, wraps
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
from sksoftmax._blocks import Blocks
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
# Weights travel within the graph of tasks, of which Dask warns from 10 MB on.
_WEIGHTS_ARE_NO_MISTAKE = {"distributed.admin.large-graph-warning-threshold": "1GB"}


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
        self.X = Blocks(X, "X")
        self.y = self._cut_alike(y, "y")
        self.weight = self._cut_alike(sample_weight, "sample_weight")

    def _cut_alike(self, rows, name: str) -> list:
        """Return delayed blocks of labels or weights, cut where X is."""
        if rows is None:
            return [None] * len(self.X)
        if isinstance(rows, da.Array):
            given, wanted = rows.shape[0], sum(self.X.lengths)
            if not math.isnan(given + wanted):
                if given != wanted:
                    raise ValueError(
                        f"{name} has {given} rows, but X has {wanted}. Pass one for "
                        "each row of X."
                    )
                rows = rows.rechunk({0: self.X.lengths})
        blocks = Blocks(rows, name)
        if len(blocks) != len(self.X):
            raise ValueError(
                f"{name} has {len(blocks)} partitions, but X has {len(self.X)}, and "
                f"their lengths are not known. Cut {name} where X is cut."
            )
        return blocks.delayed

    def look(self) -> list:
        """Check all that was given; return Found of each partition, None of no rows."""
        found = self._combined(_joined, _look)
        holding = [p for p, here in enumerate(found) if here is not None]
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
        return found

    def with_targets(self, found, classes, per_class, smoothing: float, dtype):
        """Return the rows with weight for training, by what `look` has found.

        Weights are multiplied by `per_class`, (n_classes,), and targets smoothed.
        """
        n_rows = [0] * len(self.X)
        for p, here in enumerate(found):
            if here is not None:
                counts = per_class[np.searchsorted(classes, here.labels)] > 0
                n_rows[p] = int(here.n_rows @ counts)
        task = delayed(_encode)
        shared = [_sent(v) for v in (classes, per_class, smoothing, dtype)]
        blocks = zip(self.y, self.weight, strict=True)
        targets = [task(p, *block, *shared) for p, block in enumerate(blocks)]
        return TrainingPartitions(self.X, targets, n_rows)

    def mapped(self, model, method: str, nothing) -> da.Array:
        """Return what that method of the model says of the rows, lazily.

        `nothing` is what it says of no rows.
        """
        task, model = delayed(_apply), _sent(model)
        blocks = [
            da.from_delayed(
                task(p, X, model, method, nothing),
                (length, *nothing.shape[1:]),
                meta=nothing,
            )
            for p, (X, length) in enumerate(
                zip(self.X.delayed, self.X.lengths, strict=True)
            )
        ]
        return da.concatenate(blocks, allow_unknown_chunksizes=True)

    def accuracy(self, model) -> float:
        """Return the share of the rows, by weight, whose class the model predicts."""
        right, total = self._combined(_added, _right, _sent(model))
        return float(right / total)

    def _combined(self, combine, function, *shared):
        """Return what combines the function's results of the partitions."""

        def work(homes):
            blocks = zip(self.X.delayed, self.y, self.weight, strict=True)
            terms = []
            for p, block in enumerate(blocks):
                with homes.of(p):
                    terms.append(delayed(function)(p, *block, *shared))
            return homes.result(_tree(combine, terms))

        return self.X.at_home(work)


class TrainingPartitions:
    """Blocks of rows whose targets and weights are known, and kept."""

    def __init__(self, X: Blocks, targets, n_rows) -> None:
        """Take delayed targets, and how many rows of each partition have weight.

        These rows are numbered through; partitions without any are left out.
        """
        self._X, self._numbers = X, np.flatnonzero(n_rows).tolist()
        self._edges = np.cumsum([0, *(n_rows[p] for p in self._numbers)])
        self._targets = dask.persist(*(targets[p] for p in self._numbers))
        self.n_rows, self.n_passes = int(self._edges[-1]), 1  # times that X was read

    def of_problem(self, problem: Problem, metric) -> "AllPartitions":
        """Return all rows as one batch of a problem that has no rows yet."""
        return AllPartitions(problem, self, metric)

    def sample(self, rows, per_piece: int):
        """Return those rows, sorted numbers: X, targets and weights.

        They travel in pieces of so many rows, one at a time.
        """
        per_piece = max(1, per_piece)

        def work(homes):
            taken, pieces = {}, []
            for block, places in zip(self._blocks(), self._places(rows), strict=True):
                if len(places):
                    some = list(parts(places, per_piece))
                    with homes.of(block[0]):
                        task = delayed(_take, nout=len(some))
                        taken[block[0]] = task(*block, some)
            kept = dask.persist(*taken.values())
            for p, of_block in zip(taken, kept, strict=True):
                with homes.of(p):
                    pieces += [homes.result(piece) for piece in of_block]
            return pieces

        self.n_passes += 1
        X, y, weight = zip(*self._X.at_home(work), strict=True)
        X = sp.vstack(X, "csr") if any(map(sp.issparse, X)) else np.concatenate(X)
        return X, np.concatenate(y), np.concatenate(weight)

    def moments(self, usual, dtype, fit_intercept: bool) -> Moments:
        """Return the moments of the columns, whose usual values are these."""
        return self.combined(_merged, _moments, _sent(usual), dtype, fit_intercept)

    def combined(self, combine, function, *shared, rows=None):
        """Return what combines the function's results of the partitions, in a tree.

        The function is called with a partition's number, X and targets, the `shared`
        arguments and, if they are given, those of the `rows` that it holds.
        """
        each = [()] * len(self._numbers)
        if rows is not None:
            each = [(places,) for places in self._places(rows)]

        def work(homes):
            terms = []
            for block, own in zip(self._blocks(), each, strict=True):
                with homes.of(block[0]):
                    terms.append(delayed(function)(*block, *shared, *own))
            return homes.result(_tree(combine, terms))

        self.n_passes += 1
        return self._X.at_home(work)

    def _blocks(self):
        X = [self._X.delayed[p] for p in self._numbers]
        return zip(self._numbers, X, self._targets, strict=True)

    def _places(self, rows) -> list:
        """Return which of the rows with weight of each partition those are."""
        of_partitions = np.split(rows, np.searchsorted(rows, self._edges[1:-1]))
        starts = zip(of_partitions, self._edges[:-1], strict=True)
        return [here - start for here, start in starts]


def _tree(combine, terms):
    """Return the delayed combination of delayed terms, a few at a time."""
    combine = delayed(combine)
    while len(terms) > 1:
        edges = range(0, len(terms), _SUMMANDS)
        terms = [combine(*terms[at : at + _SUMMANDS]) for at in edges]
    return terms[0]


class AllPartitions:
    """The rows of a problem, wherever they are: AllRows for partitions."""

    columns = slice(None)

    def __init__(self, problem: Problem, partitions: TrainingPartitions, metric):
        """Take a problem without rows, and the metric in which steps are taken."""
        self.problem, self.metric, self._partitions = problem, metric, partitions
        self._sent = dask.persist(_sent(problem))[0]  # once

    def loss_gradient(self, weights):
        """Return the loss and its gradient at these weights."""
        n_rows = self._partitions.n_rows
        return self._combined(_loss_gradient, self.metric, weights, n_rows)

    def curvature(self, metric, weights):
        """Return that of the loss in the metric, measured on a sample of the rows."""
        n_wanted = _CURVATURE_ROWS * metric.rows_wanted(self.problem.data.n_weights)
        rows = evenly(self._partitions.n_rows, n_wanted)
        return self._combined(_curvature, metric, weights, len(rows), rows=rows)[0]

    def _combined(self, function, metric, weights, n_rows, rows=None):
        shared = self._sent, metric, _sent(weights), n_rows
        # Weights are in the graph of tasks: they are what must be sent.
        with dask.config.set(
            {"distributed.admin.large-graph-warning-threshold": "1GB"}
        ):
            sums = self._partitions.combined(_added, function, *shared, rows=rows)
        return [_aligned(value) for value in sums]

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
                return function(*map(_aligned, args))
        except (TypeError, ValueError) as error:
            raise ValueError(f"Partition {number}: {error}") from error

    return named


@of_partition
def _look(X, y, sample_weight) -> list:
    """Return Found, or None if there are no rows, in a list."""
    if not _length(X):
        return [None]
    if is_table(y):
        raise ValueError(
            f"y has the shape {np.shape(y)}, but labels in one column are wanted."
        )
    judge = SoftmaxRegressionClassifier()
    X, y = judge._validate_both(X, y, reset=True)
    weight = checked_weight(sample_weight, X)
    labels, codes = np.unique(y, return_inverse=True)
    check_classification_targets(np.repeat(labels, 3))  # else it warns of many classes
    found = Found(
        judge.n_features_in_,
        tuple(getattr(judge, "feature_names_in_", ())),
        NUMPY.training_dtype(X),
        X.shape[0],
        X.nnz if sp.issparse(X) else X.size,
        labels,
        np.bincount(codes, weight),
        np.bincount(codes, weight > 0),
    )
    return [found]


@of_partition
def _apply(X, model, method, nothing):
    return getattr(model, method)(X) if _length(X) else nothing


@of_partition
def _right(X, y, sample_weight, model):
    """Return the weight of the rows whose class is predicted, and of all."""
    if not _length(X):
        return 0.0, 0.0
    weight = checked_weight(sample_weight, X)
    return model.score(X, y, weight) * weight.sum(), weight.sum()


@of_partition
def _encode(y, sample_weight, classes, per_class, smoothing, dtype) -> Targets:
    """Return smoothed targets, and weights times `per_class`, (n_classes,)."""
    codes = np.searchsorted(classes, column_or_1d(np.asarray(y))).astype(np.int32)
    factors = [per_class[codes]]
    if sample_weight is not None:
        factors.append(np.asarray(sample_weight, np.float64))
    positive = np.all([factor > 0 for factor in factors], axis=0)
    # Rows with weight were counted: none of them may vanish.
    weight = np.maximum(math.prod(factors), np.finfo(dtype).tiny) * positive
    y = by_rows(codes, smoothing, len(classes), dtype, NUMPY)
    return Targets(y, weight.astype(dtype))


@of_partition
def _take(X, targets: Targets, pieces) -> tuple:
    """Return pieces of the sample: rows, targets and weights of each."""
    X, with_weight = _rows(X), np.flatnonzero(targets.weight)
    pieces = [with_weight[places] for places in pieces]
    return tuple((X[rows], targets.y[rows], targets.weight[rows]) for rows in pieces)


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


def _joined(*lists: list) -> list:
    return [value for some in lists for value in some]


def _merged(*moments: Moments) -> Moments:
    return reduce(Moments.merge, moments)


def _sent(value):
    """Return the value as a key that tasks share: it travels once to each worker."""
    return delayed(value, traverse=False)


def _aligned(value):
    """Return the value; an array that has travelled may lie at an odd address.

    BLAS crashes there, and SciPy would leave such an array as it was for its copy.
    """
    if isinstance(value, np.ndarray):
        return np.require(value, requirements="A")
    if sp.issparse(value) and value.format == "csr":
        entries = value.data, value.indices, value.indptr
        if not all(array.flags.aligned for array in entries):
            entries = tuple(map(_aligned, entries))
            return type(value)(entries, shape=value.shape, copy=False)
    if isinstance(value, Targets):
        return Targets(*map(_aligned, value))
    return value


def _length(rows) -> int:
    return rows.shape[0] if hasattr(rows, "shape") else len(rows)


def _rows(X):
    """Return a block that was looked at as an array or CSR."""
    accepted = NUMPY.accepted_dtypes
    return check_array(X, accept_sparse="csr", dtype=accepted, ensure_all_finite=False)


def _features(found: Found) -> str:
    names = f" named {list(found.feature_names)}" if found.feature_names else ""
    return f"{found.n_features} features{names}"
