"""What is done with a partition where its rows are: on a worker, or in a thread."""

import math
from dataclasses import replace
from functools import reduce, wraps
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sksoftmax._all_rows import AllRows
from sksoftmax._arrays import NUMPY
from sksoftmax._batches import Moments, parts, training_rows
from sksoftmax._classifier import SoftmaxRegressionClassifier, checked_weight
from sksoftmax._solver import Problem
from sksoftmax._targets import by_rows, is_table
from sksoftmax._threads import threads_for


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


def of_partition(function):
    """Return the function of a partition, by its number, with errors that tell it.

    It gets one thread: there are other partitions.
    """

    @wraps(function)
    def named(number, *args):
        try:
            with threads_for(0, math.inf), np.errstate(all="ignore"):
                return function(*map(aligned, args))
        except (TypeError, ValueError) as error:
            raise ValueError(f"Partition {number}: {error}") from error

    return named


@of_partition
def look(X, y, sample_weight) -> list:
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
def apply(X, model, method, nothing):
    return getattr(model, method)(X) if _length(X) else nothing


@of_partition
def right(X, y, sample_weight, model):
    """Return the weight of the rows whose class is predicted, and of all."""
    if not _length(X):
        return 0.0, 0.0
    weight = checked_weight(sample_weight, X)
    return model.score(X, y, weight) * weight.sum(), weight.sum()


@of_partition
def encode(y, sample_weight, classes, per_class, smoothing, dtype) -> Targets:
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
def take(X, targets: Targets, pieces) -> tuple:
    """Return pieces of the sample: rows, targets and weights of each."""
    X, with_weight = _rows(X), np.flatnonzero(targets.weight)
    pieces = [with_weight[places] for places in pieces]
    return tuple((X[rows], targets.y[rows], targets.weight[rows]) for rows in pieces)


@of_partition
def moments(X, targets: Targets, usual, dtype, fit_intercept) -> Moments:
    rows = training_rows(_rows(X), dtype, fit_intercept)
    return rows.bounded_moments(targets.weight, usual)[1]


@of_partition
def sums(X, targets: Targets, problem, metric, n_rows, name: str, *weights) -> tuple:
    """Return this partition's share of what that method of AllRows returns."""
    here, n_here = _with_rows(problem, X, targets), len(targets.weight)
    weights, shares = [aligned(value) for value in weights], []
    # The Hessian needs copies of its rows.
    for rows in parts(np.arange(n_here), 2048 if name == "hessian" else n_here):
        share = getattr(AllRows(here, rows, metric, n_rows), name)(*weights)
        shares.append(share if isinstance(share, tuple) else (share,))
    return added(*shares)


@of_partition
def curvature(X, targets: Targets, problem, metric, n_rows, weights, places):
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
    weight = targets.weight.astype(source.dtype, copy=False)
    return replace(problem, data=data, y=targets.y, sample_weight=weight)


def added(*terms):
    """Return the sums of the places of tuples; a tuple may be empty, a place None."""
    terms = [term for term in terms if term] or terms[:1]
    return tuple(reduce(_plus, place) for place in zip(*terms, strict=True))


def _plus(a, b):
    if a is None or b is None:
        return b if a is None else a
    return np.add(a, b)


def joined(*lists: list) -> list:
    return [value for some in lists for value in some]


def merged(*moments: Moments) -> Moments:
    return reduce(Moments.merge, moments)


def aligned(value):
    """Return the value; an array that has travelled may lie at an odd address.

    BLAS crashes there, and SciPy would leave such an array as it was for its copy.
    """
    if isinstance(value, np.ndarray):
        return np.require(value, requirements="A")
    if sp.issparse(value) and value.format == "csr":
        entries = value.data, value.indices, value.indptr
        if not all(array.flags.aligned for array in entries):
            entries = tuple(map(aligned, entries))
            return type(value)(entries, shape=value.shape, copy=False)
    if isinstance(value, Targets):
        return Targets(*map(aligned, value))
    return value


def _length(rows) -> int:
    return rows.shape[0] if hasattr(rows, "shape") else len(rows)


def _rows(X):
    """Return a block that was looked at as an array or CSR."""
    accepted = NUMPY.accepted_dtypes
    return check_array(X, accept_sparse="csr", dtype=accepted, ensure_all_finite=False)
