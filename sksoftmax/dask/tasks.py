"""What is done with a partition where its rows are: on a worker, or in a thread."""

import math
from dataclasses import replace
from functools import reduce, wraps
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sksoftmax._arrays import NUMPY, chunks
from sksoftmax._data import make_data
from sksoftmax._moments import Moments, measure_bounded_moments
from sksoftmax._oracle import Oracle
from sksoftmax._problem import Problem
from sksoftmax._targets import is_soft_target, make_targets
from sksoftmax._threads import threads_for
from sksoftmax._validation import validate_block, validate_sample_weight


class PartitionSummary(NamedTuple):
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


def partition_task(function):
    """Return the function of a partition, by its number, with errors that tell it.

    It gets one thread: there are other partitions.
    """

    @wraps(function)
    def run(number, *args):
        try:
            with threads_for(0, math.inf), np.errstate(all="ignore"):
                return function(*map(align, args))
        except (TypeError, ValueError) as error:
            raise ValueError(f"Partition {number}: {error}") from error

    return run


@partition_task
def summarize(X, y, sample_weight) -> list:
    """Return a PartitionSummary, or None if there are no rows, in a list."""
    if not _length(X):
        return [None]
    if is_soft_target(y):
        raise ValueError(
            f"y must be labels in one column, got the shape {np.shape(y)}."
        )
    X, y, feature_names = validate_block(X, y)
    weight = validate_sample_weight(sample_weight, X)
    labels, codes = np.unique(y, return_inverse=True)
    check_classification_targets(np.repeat(labels, 3))  # else it warns of many classes
    summary = PartitionSummary(
        X.shape[1],
        () if feature_names is None else tuple(feature_names),
        NUMPY.training_dtype(X),
        X.shape[0],
        X.nnz if sp.issparse(X) else X.size,
        labels,
        np.bincount(codes, weight),
        np.bincount(codes, weight > 0),
    )
    return [summary]


@partition_task
def apply(X, model, method, empty_result):
    return getattr(model, method)(X) if _length(X) else empty_result


@partition_task
def correct_weight(X, y, sample_weight, model):
    """Return the weight of the rows whose class is predicted, and of all."""
    if not _length(X):
        return 0.0, 0.0
    weight = validate_sample_weight(sample_weight, X)
    return model.score(X, y, weight) * weight.sum(), weight.sum()


@partition_task
def encode(y, sample_weight, classes, per_class, smoothing, dtype) -> Targets:
    """Return smoothed targets, and weights times `per_class`, (n_classes,)."""
    codes = np.searchsorted(classes, column_or_1d(np.asarray(y))).astype(np.int32)
    factors = [per_class[codes]]
    if sample_weight is not None:
        factors.append(np.asarray(sample_weight, np.float64))
    positive = np.all([factor > 0 for factor in factors], axis=0)
    # Rows with weight were counted: none of them may vanish.
    weight = np.maximum(math.prod(factors), np.finfo(dtype).tiny) * positive
    y = make_targets(codes, smoothing, len(classes), dtype, NUMPY)
    return Targets(y, weight.astype(dtype))


@partition_task
def sample_rows(X, targets: Targets, pieces) -> tuple:
    """Return pieces of the sample: rows, targets and weights of each."""
    X, weighted_rows = _check_block(X), np.flatnonzero(targets.weight)
    pieces = [weighted_rows[positions] for positions in pieces]
    return tuple((X[rows], targets.y[rows], targets.weight[rows]) for rows in pieces)


@partition_task
def moments(X, targets: Targets, fill_value, dtype, fit_intercept) -> Moments:
    rows = make_data(_check_block(X), dtype, fit_intercept)
    return measure_bounded_moments(rows, targets.weight, fill_value)[1]


@partition_task
def sums(
    X, targets: Targets, problem, preconditioner_class, n_rows, name: str, *weights
) -> tuple:
    """Return this partition's share of what that method of Oracle returns."""
    local_problem, n_local_rows = _attach_rows(problem, X, targets), len(targets.weight)
    weights, shares = [align(value) for value in weights], []
    # The Hessian needs copies of its rows.
    for rows in chunks(
        np.arange(n_local_rows), 2048 if name == "hessian" else n_local_rows
    ):
        share = getattr(
            Oracle(local_problem, rows, preconditioner_class, n_rows), name
        )(*weights)
        shares.append(share if isinstance(share, tuple) else (share,))
    return add_tuples(*shares)


@partition_task
def sampled_hessian(
    X, targets: Targets, problem, preconditioner_class, n_rows, weights, positions
):
    if not len(positions):
        return ()
    rows = np.flatnonzero(targets.weight)[positions]
    share = len(rows) / n_rows
    return (
        share
        * preconditioner_class.measure(
            _attach_rows(problem, X, targets), rows, weights
        ),
    )


def _attach_rows(problem: Problem, X, targets: Targets) -> Problem:
    """Return the problem with a partition's rows."""
    source = problem.data
    fit_intercept = source.n_weights > source.n_features
    data = make_data(_check_block(X), source.dtype, fit_intercept)
    data.copy_center(source)
    weight = targets.weight.astype(source.dtype, copy=False)
    return replace(problem, data=data, y=targets.y, sample_weight=weight)


def add_tuples(*terms):
    """Return the sums of the places of tuples; a tuple may be empty, a place None."""
    terms = [term for term in terms if term] or terms[:1]
    return tuple(
        reduce(_add_or_none, terms_of_place)
        for terms_of_place in zip(*terms, strict=True)
    )


def _add_or_none(a, b):
    if a is None or b is None:
        return b if a is None else a
    return np.add(a, b)


def join_lists(*lists: list) -> list:
    return [value for values in lists for value in values]


def merge_moments(*moments: Moments) -> Moments:
    return reduce(Moments.merge, moments)


def align(value):
    """Return the value; an array that has travelled may lie at an odd address.

    BLAS crashes there, and SciPy would leave such an array as it was for its copy.
    """
    if isinstance(value, np.ndarray):
        return np.require(value, requirements="A")
    if sp.issparse(value) and value.format == "csr":
        entries = value.data, value.indices, value.indptr
        if not all(array.flags.aligned for array in entries):
            entries = tuple(map(align, entries))
            return type(value)(entries, shape=value.shape, copy=False)
    if isinstance(value, Targets):
        return Targets(*map(align, value))
    return value


def _length(rows) -> int:
    return rows.shape[0] if hasattr(rows, "shape") else len(rows)


def _check_block(X):
    """Return a block that was looked at as an array or CSR."""
    accepted = NUMPY.accepted_dtypes
    return check_array(X, accept_sparse="csr", dtype=accepted, ensure_all_finite=False)
