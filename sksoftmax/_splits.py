"""Splits of the rows into training and test rows, for cross-validation."""

from collections.abc import Sized
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length

from sksoftmax._classes import class_weights
from sksoftmax._targets import class_totals, most_probable
from sksoftmax._validation import TrainingRows, weights_by_class

N_SPLITS = 5


class Split(NamedTuple):
    """Weights of training rows, and test rows; all arrays are in NumPy."""

    weight: np.ndarray  # (n_samples,), sample weight times class weight, in training
    test: np.ndarray  # numbers of test rows, as the splitter gave them
    scored: np.ndarray  # sorted, the test rows with weight whose class the model knows
    unit: float  # the largest weight of a row of `scored`, or of `test` if none is
    test_weight: np.ndarray  # (2,), the sum over `scored` and over `test`, in units
    test_size: np.ndarray  # (2,), the effective numbers of their rows


def make_splits(estimator, cv, rows: TrainingRows, sample_weight, groups):
    """Return the splits of `cv`, an argument of check_cv, as a list.

    `estimator` has the parameters and `classes_`, `rows` are all rows, and
    `sample_weight` is (n_samples,). If `cv` is a number or None, rows without weight
    are in no fold.
    """
    y, counted = most_probable(rows.y), np.arange(len(sample_weight))
    if cv is None or isinstance(cv, Integral):
        counted = np.flatnonzero(sample_weight)
    if cv is None:  # fewer splits for few rows
        cv = min(N_SPLITS, np.bincount(y[counted]).max())
        if cv < 2:
            raise ValueError(
                "y must have a class with at least two rows for the folds of cv=None, "
                "got one row of each class. Pass X_val and y_val, or use "
                "SoftmaxRegressionClassifier."
            )
    elif not (isinstance(cv, Integral) or hasattr(cv, "split")):
        cv = _check_pairs(cv)
    labels = estimator.classes_[y[counted]]
    splitter = check_cv(cv, labels, classifier=True)
    X = rows.X
    if len(counted) < len(y):
        check_consistent_length(X, groups)
        X = np.empty((len(counted), 0))
        groups = None if groups is None else np.asarray(groups)[counted]
    given = () if groups is None else (groups,)  # a splitter may take no groups
    splits = []
    for k, (train, test) in enumerate(splitter.split(X, labels, *given)):
        train, test = (
            counted[_check_rows(part, name, k, len(counted))]
            for part, name in ((train, "training"), (test, "test"))
        )
        count = np.bincount(train, minlength=len(y))
        splits.append(_make_split(estimator, count, test, rows, sample_weight))
    if not splits:
        raise ValueError(
            "cv must give at least one split, got none. Pass a number of folds, a "
            "splitter, or pairs of training and test rows."
        )
    has_training_rows = [split.weight.any() for split in splits]
    test_weight = np.array([split.test_weight for split in splits])
    check_splits(estimator.scoring, has_training_rows, test_weight)
    return splits


def _make_split(estimator, count, test, rows, sample_weight) -> Split:
    """Return a split; `count`, (n_samples,), tells how often a row is trained on."""
    weight, factors = sample_weight * count, rows.class_weight
    class_weight = estimator.class_weight
    if isinstance(class_weight, str):  # "balanced" counts the training rows alone
        class_count = class_totals(rows.y, weight, rows.n_classes)
        factors = class_weights(class_weight, estimator.classes_, class_count)
    weight = weight * weights_by_class(factors, rows.y)
    known = class_totals(rows.y, weight, rows.n_classes) > 0
    scored = np.sort(test)
    scored = scored[weights_by_class(~known * 1.0, rows.y)[scored] == 0]
    scored = scored[sample_weight[scored] > 0]
    largest = (sample_weight[part].max(initial=0.0) for part in (scored, test))
    unit = float(next(filter(None, largest), 1.0))
    parts = sample_weight[scored] / unit, sample_weight[test] / unit
    totals, sizes = ([f(part) for part in parts] for f in (np.sum, _effective_size))
    return Split(weight, test, scored, unit, np.array(totals), np.array(sizes))


def _effective_size(weight) -> float:
    """Return how many rows of equal weight have as large an error (Kish 1965)."""
    if not weight.any():
        return 0.0
    weight = weight / weight.max()  # squares may overflow
    return weight.sum() ** 2 / (weight @ weight)


def check_splits(scoring, has_training_rows, test_weight) -> None:
    """Raise ValueError unless all splits have training rows, and test rows to score.

    `has_training_rows` is (n_splits,), and `test_weight`, (n_splits, 2), has the weight
    of the rows of classes that are trained on, and of all. The log-loss needs such rows
    in each split, and the end of a path in one.
    """
    if not np.all(has_training_rows):
        raise ValueError(
            f"Split {np.argmin(has_training_rows)} of cv must have a training row with "
            "weight, got none. Use other splits, or positive weights."
        )
    has_known, has_any = test_weight.T > 0
    needs_known = scoring in (None, "neg_log_loss") or not has_known.any()
    if not has_any.all():
        raise ValueError(
            f"Split {np.argmin(has_any)} of cv must have a test row with weight, got "
            "none. Use other splits, or positive weights."
        )
    if needs_known and not has_known.all():
        raise ValueError(
            f"Split {np.argmin(has_known)} of cv must have a test row with weight, and "
            "of a class that its training rows have, got none. Use other splits, for "
            "example StratifiedKFold or StratifiedGroupKFold, or another scoring."
        )


def _check_pairs(cv) -> list:
    """Return the splits of an iterable, or raise ValueError unless they are pairs."""
    pairs = list(cv)
    for k, pair in enumerate(pairs):
        if not (isinstance(pair, Sized) and len(pair) == 2):
            raise ValueError(
                f"Split {k} of cv must be a pair of training and test rows, got an "
                f"object of type {type(pair).__name__}. Use a splitter of "
                "sklearn.model_selection."
            )
    return pairs


def _check_rows(rows, name: str, k: int, n_rows: int) -> np.ndarray:
    """Return row numbers of a split as an array, or raise ValueError."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n_rows,):
        rows = np.flatnonzero(rows)
    received = f"an array of {rows.dtype} and the shape {rows.shape}"
    if rows.ndim == 1 and len(rows) and rows.dtype.kind in "iu":
        received = f"numbers from {rows.min()} to {rows.max()}"
        if -n_rows <= rows.min() and rows.max() < n_rows:
            return rows.astype(np.intp) % n_rows
    raise ValueError(
        f"Split {k} of cv must have {name} rows, as numbers from 0 to {n_rows - 1}, "
        f"got {received}. Use a splitter of sklearn.model_selection."
    )
