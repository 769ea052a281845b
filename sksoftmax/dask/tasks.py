"""Functions of a partition that run at its rows: on a worker, or in a thread."""

import math
import pickle
import zlib
from dataclasses import replace
from functools import reduce, wraps
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array, column_or_1d

from sksoftmax._arrays import NUMPY, chunks
from sksoftmax._classes import check_labels
from sksoftmax._classes import encode as encode_labels
from sksoftmax._data import make_data
from sksoftmax._labels import validate_labels
from sksoftmax._moments import Moments, largest_scale, measure_bounded_moments
from sksoftmax._oracle import Oracle
from sksoftmax._problem import Problem
from sksoftmax._stacked_oracle import StackedOracle, TestRows
from sksoftmax._targets import is_soft_target, make_targets
from sksoftmax._threads import single_thread
from sksoftmax._validation import (
    convert_to_csr,
    validate_block,
    validate_sample_weight,
)
from sksoftmax.dask.folds import measure_folds, validate_folds
from sksoftmax.dask.sketch import Sketch, check_unchanged


class PartitionSummary(NamedTuple):
    """The features, labels and sums of a partition, to compare and add."""

    n_features: int
    feature_names: tuple
    dtype: np.dtype  # to train in
    n_samples: int
    n_stored: int  # numbers in X
    labels: np.ndarray  # (n_labels,), sorted
    totals: np.ndarray  # (n_labels,), sums of the weights of each label's rows
    n_rows: np.ndarray  # (n_labels,), the number of these rows with weight
    label_starts: np.ndarray  # (n_labels,), the first of these rows with weight
    huge_rows: np.ndarray  # the numbers of rows whose squares may overflow
    fingerprint: tuple  # sketch of X, checksum of y, sketch of the weights
    folds: tuple | None  # the distinct numbers of given folds, and a checksum


class Targets(NamedTuple):
    """The targets and weights of a partition's rows."""

    y: Any  # the targets that the loss takes; an index selects rows
    weight: np.ndarray  # (n_rows,)
    sketch: Sketch  # of X in the first pass
    short_rows: np.ndarray  # the numbers of huge rows that are made shorter
    fold: Any = None  # (n_rows,), the number of the split that tests a row, or -1


def partition_task(function):
    """Return a function that also gets the partition's number, for its errors.

    The function runs on one thread, as other partitions run beside it.
    """

    @wraps(function)
    def run(number, *args):
        try:
            with single_thread(), np.errstate(all="ignore"):
                return function(*map(align, args))
        except (TypeError, ValueError) as error:
            raise ValueError(f"Partition {number}: {error}") from error

    return run


@partition_task
def summarize(X, y, sample_weight, fold) -> list:
    """Return a PartitionSummary, or None if there are no rows, in a list."""
    if not _count_rows(X):
        _check_no_rows(y, sample_weight)
        if fold is not None:
            validate_folds(fold, 0)
        return [None]
    if is_soft_target(y):
        raise ValueError(
            f"y must be labels in one column, got the shape {np.shape(y)}. Pass the "
            "most probable class of each row, or use SoftmaxRegressionClassifier for "
            "probabilities."
        )
    X, y, feature_names = validate_block(X, y)
    weight = validate_sample_weight(sample_weight, X)
    labels, codes, checksum = _encode_labels(y)
    check_labels(np.repeat(labels, 3))
    starts = np.zeros(len(labels), np.int64)
    weighted = np.flatnonzero(weight)[::-1]
    starts[codes[weighted]] = weighted  # the last assignment counts
    summary = PartitionSummary(
        X.shape[1],
        () if feature_names is None else tuple(feature_names),
        NUMPY.training_dtype(X),
        X.shape[0],
        X.nnz if sp.issparse(X) else X.size,
        labels,
        np.bincount(codes, weight),
        np.bincount(codes, weight > 0).astype(np.int64),
        starts,
        _find_huge_rows(X),
        (Sketch.measure(X), checksum, Sketch.measure(weight[:, None])),
        None if fold is None else measure_folds(validate_folds(fold, len(codes))),
    )
    return [summary]


@partition_task
def apply(X, model, method, empty_result):
    """Return the result of a method of the model for the rows of X."""
    return getattr(model, method)(X) if _count_rows(X) else empty_result


@partition_task
def correct_weight(X, y, sample_weight, model):
    """Return the weight of correctly classified rows, of all rows, and their number."""
    n_rows = _count_rows(X)
    if not n_rows:
        _check_no_rows(y, sample_weight)
        return 0.0, 0.0, 0
    weight = validate_sample_weight(sample_weight, np.empty((n_rows, 0)))
    total = weight.sum()
    # scikit-learn refuses weights of zero, but X and y must be checked.
    return model.score(X, y, weight if total else None) * total, total, n_rows


@partition_task
def encode(
    y,
    sample_weight,
    fold,
    fingerprint,
    huge_rows,
    folds,
    classes,
    class_factors,
    is_learned,
    smoothing,
    dtype,
) -> Targets:
    """Return smoothed targets, and weights times `class_factors`, (n_classes,).

    `is_learned`, (n_classes,), tells whether a model learns from the rows of a class.
    `fingerprint` and `huge_rows` are those of the first pass. `folds` are those of the
    partition, or None; `fold` holds given numbers.
    """
    sketch, first_checksum, weight_sketch = fingerprint
    labels, codes, checksum = _encode_labels(column_or_1d(validate_labels(y)))
    check_unchanged(checksum == first_checksum, "y")
    codes = encode_labels(labels, classes).astype(np.int32)[codes]
    factors = [class_factors[codes]]
    if sample_weight is not None:
        factors.append(np.asarray(sample_weight, np.float64))
        if factors[1].ndim:
            weight_sketch.check(factors[1][:, None], "sample_weight")
    positive = math.prod(factor > 0 for factor in factors)
    # Weights may underflow in dtype. They stay positive, as their rows were counted.
    weight = np.maximum(math.prod(factors), np.finfo(dtype).tiny) * positive
    y = make_targets(codes, smoothing, len(classes), dtype, NUMPY)
    if folds is not None:
        is_counted = np.ones(len(codes), bool)
        if sample_weight is not None:
            is_counted &= factors[1] > 0
        fold = folds.assign(codes, fold, is_counted)
    # The loss of a huge row may overflow, and infinity times zero is no number.
    is_read = positive * is_learned[codes]
    short_rows = huge_rows[is_read[huge_rows] == 0]
    return Targets(y, weight.astype(dtype), sketch, short_rows, fold)


@partition_task
def sample_rows(X, targets: Targets, pieces) -> tuple:
    """Return X, targets and weights of each piece of the sample."""
    X, weighted_rows = _check_block(X, targets), np.flatnonzero(targets.weight)
    pieces = [weighted_rows[positions] for positions in pieces]
    check_unchanged(all(_is_finite(X[rows]) for rows in pieces), "X")
    return tuple((X[rows], targets.y[rows], targets.weight[rows]) for rows in pieces)


@partition_task
def moments(X, targets: Targets, fill_value, dtype, fit_intercept) -> Moments:
    """Return the moments of the columns of a partition."""
    rows = make_data(_check_block(X, targets), dtype, fit_intercept)
    result = measure_bounded_moments(rows, targets.weight, fill_value)[1]
    _check_finite_rows(X, targets, result)
    return result


@partition_task
def sums(
    X, targets: Targets, problem, preconditioner_class, n_rows, name: str, *weights
) -> tuple:
    """Return the share of this partition in the result of a method of Oracle."""
    local_problem, n_local_rows = _attach_rows(problem, X, targets), len(targets.weight)
    weights, shares = [align(value) for value in weights], []
    # The Hessian copies rows, so it takes 2048 at a time.
    for rows in chunks(
        np.arange(n_local_rows), 2048 if name == "hessian" else n_local_rows
    ):
        share = getattr(
            Oracle(local_problem, rows, preconditioner_class, n_rows), name
        )(*weights)
        shares.append(share if isinstance(share, tuple) else (share,))
    total = add_tuples(*shares)
    _check_finite_rows(X, targets, total)
    return total


class Splits(NamedTuple):
    """The models of the splits, and of all rows, on a partition."""

    factors: np.ndarray  # (n_models, n_classes), of the weights in training
    is_known: np.ndarray  # (n_splits, n_classes), whether the training rows have it
    smoothing: float
    counts_hits: bool

    def make_oracle(self, problem, targets: Targets, n_rows: int) -> StackedOracle:
        """Return the sums of all models over the rows of a partition."""
        codes, weight, fold = targets.y, targets.weight, targets.fold
        n_classes = self.factors.shape[1]
        y = make_targets(codes, self.smoothing, n_classes, weight.dtype, NUMPY)
        problems, tests = [], []
        for k, factors in enumerate(self.factors.astype(weight.dtype)):
            model_weight = weight * factors[codes] * (fold != k)
            problems.append(replace(problem, y=y, sample_weight=model_weight))
        for k, is_known in enumerate(self.is_known):
            is_scored = is_known[codes]
            is_read = is_scored | self.counts_hits
            numbers = np.flatnonzero((fold == k) & is_read & (weight > 0))
            hit_weight = weight[numbers] if self.counts_hits else None
            scored_weight = weight[numbers] * is_scored[numbers]
            tests.append(TestRows(numbers, codes, scored_weight, hit_weight))
        return StackedOracle(problems, [*tests, None], n_rows)


@partition_task
def fold_totals(X, targets: Targets, n_splits: int, n_classes: int) -> tuple:
    """Return sums of weights and of their squares, (n_splits + 1, n_classes) each.

    The last line has the rows of no fold.
    """
    shape = n_splits + 1, n_classes
    cells = np.ravel_multi_index((targets.fold, targets.y), shape, mode="wrap")
    weight = targets.weight.astype(np.float64)
    return tuple(
        np.bincount(cells, column, math.prod(shape)).reshape(shape)
        for column in (weight, weight**2)
    )


@partition_task
def stacked_sums(
    X, targets: Targets, problem, splits: Splits, n_rows: int, models, stacked
) -> tuple:
    """Return the share of this partition in the result of `StackedOracle.sums`."""
    problem = _attach_rows(problem, X, targets)
    total = splits.make_oracle(problem, targets, n_rows).sums(models, align(stacked))
    _check_finite_rows(X, targets, total)
    return total


@partition_task
def stacked_hessians(
    X, targets: Targets, problem, splits: Splits, n_rows: int, models, stacked
) -> tuple:
    """Return the share of this partition in `StackedOracle.hessian_sums`."""
    oracle = splits.make_oracle(_attach_rows(problem, X, targets), targets, n_rows)
    total = oracle.hessian_sums(models, align(stacked))
    _check_finite_rows(X, targets, total)
    return total


@partition_task
def sampled_hessian(
    X, targets: Targets, problem, preconditioner_class, n_rows, weights, positions
):
    """Return the share of a partition in a sampled Hessian, in a tuple."""
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
    """Return the problem with the rows of a partition."""
    source = problem.data
    fit_intercept = source.n_weights > source.n_features
    data = make_data(_check_block(X, targets), source.dtype, fit_intercept)
    data.copy_center(source)
    weight = targets.weight.astype(source.dtype, copy=False)
    return replace(problem, data=data, y=targets.y, sample_weight=weight)


def add_tuples(*terms):
    """Return the sum of tuples, item by item; tuples may be empty, items None."""
    terms = [term for term in terms if term] or terms[:1]
    with np.errstate(over="ignore"):
        return tuple(reduce(_add_or_none, items) for items in zip(*terms, strict=True))


def _add_or_none(a, b):
    if a is None or b is None:
        return b if a is None else a
    return np.add(a, b)


def join_lists(*lists: list) -> list:
    """Return the lists as one list."""
    return [value for values in lists for value in values]


def merge_moments(*moments: Moments) -> Moments:
    """Return the moments of all rows."""
    return reduce(Moments.merge, moments)


def align(value):
    """Return the value with aligned arrays.

    An array that has travelled may have an odd address. BLAS crashes at such addresses,
    and SciPy does not align the arrays of a copy.
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


def unpickle(*pieces: bytes):
    """Return the object whose pickle was cut into these pieces."""
    return pickle.loads(b"".join(pieces))


def _count_rows(rows) -> int:
    try:
        return rows.shape[0] if hasattr(rows, "shape") else len(rows)
    except (TypeError, IndexError) as error:
        raise TypeError(
            "X must be rows, an array, CSR matrix or data frame, got "
            f"{type(rows).__name__}. Return such a block."
        ) from error


def _check_no_rows(y, sample_weight) -> None:
    """Raise ValueError if there are labels or weights without rows."""
    n_labels = 0 if y is None else _count_rows(y)
    n_weights = 0 if np.ndim(sample_weight) == 0 else _count_rows(sample_weight)
    if n_labels or n_weights:
        raise ValueError(
            "y and sample_weight must have as many rows as X, 0, got "
            f"{n_labels} and {n_weights}. Pass one for each row of X."
        )


def _encode_labels(y):
    """Return the sorted labels of y, (n_labels,), their positions, and a checksum."""
    labels, positions = np.unique(y, return_inverse=True)
    checksum = zlib.crc32(str(labels.tolist()).encode())
    return labels, positions, zlib.crc32(np.ascontiguousarray(positions), checksum)


def _check_block(X, targets: Targets):
    """Return a block, of which `summarize` has checked the values, as array or CSR.

    Raise ValueError if the rows are not those of the first pass.
    """
    X = check_array(
        convert_to_csr(X) if sp.issparse(X) else X,
        accept_sparse="csr",
        dtype=NUMPY.accepted_dtypes,
        ensure_all_finite=False,
        ensure_min_samples=0,
        ensure_min_features=0,
    )
    targets.sketch.check(X, "X")
    return _shorten_rows(X, targets.short_rows) if len(targets.short_rows) else X


def _find_huge_rows(X):
    """Return the numbers of the rows whose squares may overflow, mostly none."""
    values = X.data[: X.nnz] if sp.issparse(X) else X
    largest = largest_scale(NUMPY.training_dtype(X))
    if not values.size or (values.min() >= -largest and values.max() <= largest):
        return np.empty(0, np.intp)
    is_huge = (values > largest) | (values < -largest)
    if sp.issparse(X):
        entries = np.flatnonzero(is_huge)
        return np.unique(np.searchsorted(X.indptr, entries, side="right") - 1)
    return np.flatnonzero(is_huge.any(axis=1))


def _shorten_rows(X, rows):
    """Return a copy of an array or CSR matrix with huge `rows` made shorter.

    The accuracy counts such rows if their class has the weight zero. Shorter rows have
    the same predictions, see `_cross_validation`.
    """
    dtype = NUMPY.training_dtype(X)
    X, largest = X.astype(dtype), largest_scale(dtype)  # a copy
    is_sparse = sp.issparse(X)
    for row in rows:
        entries = X.data[slice(*X.indptr[row : row + 2])] if is_sparse else X[row]
        entries *= largest / float(np.abs(entries).max())
    return X


def _check_finite_rows(X, targets: Targets, sums) -> None:
    """Raise ValueError if sums over the rows of X are not finite because of X."""
    if not all(_is_finite(value) for value in sums if value is not None):
        check_unchanged(_is_finite(_check_block(X, targets)), "X")


def _is_finite(values) -> bool:
    return bool(np.isfinite(values.data if sp.issparse(values) else values).all())
