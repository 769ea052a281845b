"""Arrays from what callers pass, and the errors of what cannot be used.

No function keeps anything of an estimator but what scikit-learn's `validate_data` sets:
the number of features and their names. Tasks of Dask call the functions without one.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import train_test_split
from sklearn.utils import (
    check_array,
    check_consistent_length,
    check_X_y,
)
from sklearn.utils.validation import validate_data

from sksoftmax._arrays import NUMPY, input_namespace, input_to_numpy, namespace
from sksoftmax._classes import class_weights, encode
from sksoftmax._compat import check_sample_weight, get_feature_names
from sksoftmax._targets import (
    ProbabilityTable,
    class_totals,
    is_soft_target,
    most_probable,
    order_of_columns,
    weights_by_class,
)

# Whom scikit-learn's errors name where there is no estimator.
_NAME = "SoftmaxRegressionClassifier"


def validate_features(estimator, X, y="no_validation", reset=False):
    """Return X as it is, if it is rows of numbers, and y as a column of labels.

    Without y only X is returned. With `reset` the estimator gets X's features.
    """
    X, dtypes = _convert_features(X)
    with _name_ways_out():  # scikit-learn refuses NaN and infinity here
        return validate_data(
            estimator, X, y, accept_sparse="csr", dtype=dtypes, reset=reset
        )


def validate_rows(estimator, X, y, reset=False):
    """Return X and y: labels, (n_samples,), or a ProbabilityTable."""
    if not is_soft_target(y):
        return validate_features(estimator, X, input_to_numpy(y, "y"), reset)
    X = validate_features(estimator, X, reset=reset)
    table = validate_probabilities(y, X)
    check_consistent_length(X, table.rows)
    return X, table


def validate_block(X, y):
    """Return X, the labels y, and the names of the features or None.

    The checks are those of `validate_rows`.
    """
    names, y = get_feature_names(X), input_to_numpy(y, "y")
    X, dtypes = _convert_features(X)
    with _name_ways_out():
        X, y = check_X_y(X, y, accept_sparse="csr", dtype=dtypes, estimator=_NAME)
    return X, y, names


def _convert_features(X):
    """Return X as scikit-learn checks it, and the dtypes to accept."""
    if getattr(X, "ndim", 2) > 2:
        raise ValueError(
            f"X must be rows of features, got the shape {tuple(X.shape)}. "
            "Flatten images with X.reshape(n_samples, -1)."
        )
    xp = input_namespace(X, "X")
    X = input_to_numpy(X, "X") if xp is NUMPY else xp.detach(X)
    return check_sparse_indices(X), xp.accepted_dtypes


@contextmanager
def _name_ways_out():
    """Raise scikit-learn's errors about X with a way out."""
    try:
        with np.errstate(all="ignore"):
            yield
    except OverflowError as error:
        raise ValueError(
            f"X holds numbers that are too large for float64 ({error}). Divide the "
            "feature by a constant."
        ) from error
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(
            f"X must hold numbers, but {error}. Encode text with TfidfVectorizer "
            "and categories with OneHotEncoder."
        ) from error


def validate_probabilities(y, X=None):
    """Return y, of several columns, as a ProbabilityTable, where X is."""
    names, order, xp = None, None, input_namespace(y, "y")
    if xp is NUMPY:
        y = input_to_numpy(y, "y")
    if hasattr(y, "columns"):
        names, order = order_of_columns(y.columns)
    if not hasattr(y, "dtype") and not hasattr(y, "iloc"):  # nor array nor pandas
        y = np.asarray(y)
    try:  # of the kinds allowed the first is for indicators: they take enough room
        kinds = [xp.float32, xp.float64]
        rows = check_array(xp.detach(y), dtype=kinds, input_name="y")
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(
            f"y has the shape {y.shape}, so its rows must be probabilities of the "
            f"classes, but {error}. Labels are to be in one column."
        ) from error
    if order is not None and (order[1:] < order[:-1]).any():
        rows = rows[:, order]
    target_xp = xp if X is None else namespace(X)
    if target_xp is not xp:
        rows = target_xp.asarray(xp.to_numpy(rows))
    return ProbabilityTable(rows, names)


def check_namespace(estimator, method: str, X):
    """Raise ValueError unless X, validated, is where the weights of the model are."""
    input_xp, model_xp = namespace(X), namespace(estimator.coef_)
    if input_xp is not model_xp:
        raise ValueError(
            f"X passed to {type(estimator).__name__}.{method}() must use the same "
            f"namespace and the same device as X in fit: the model is {model_xp}, "
            f"X is {input_xp}. Move X, or fit the model there. (Without "
            "scikit-learn's array_api_dispatch all X are taken as NumPy's.)"
        )


def check_warm_start(estimator, X):
    """Raise ValueError unless a fit on X can start from the model."""
    check_namespace(estimator, "fit", X)
    if estimator.coef_.shape[1] != X.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} features, but with warm_start=True fit goes "
            f"on from a model of {estimator.coef_.shape[1]}. Set warm_start=False, "
            "or fit a clone."
        )


@dataclass(frozen=True)
class TrainingRows:
    """Rows to train on, as arrays, and what they hold of each class."""

    X: Any  # (n_samples, n_features)
    y: Any  # class indices, (n_samples,), or probabilities, (n_samples, n_classes)
    weight: np.ndarray  # (n_samples,), sample weight times class weight
    indices: np.ndarray  # the rows with weight, without those set aside
    class_weight: np.ndarray  # (n_classes,)
    # (n_classes,), the sums of sample weights, those of earlier calls included.
    class_count: np.ndarray

    @property
    def n_classes(self) -> int:
        """The number of the classes of the model."""
        return len(self.class_weight)

    def split(self, fraction: float, rng):
        """Return the rows without some to validate on, and the indices of these."""
        kept, held_out = _split(self.indices, self.y, fraction, rng)
        return replace(self, indices=kept), held_out

    def normalized(self) -> "TrainingRows":
        """Return the rows with weights of mean one, zero for rows set aside."""
        rows, weight = self.indices, np.zeros_like(self.weight)
        weight[rows] = self.weight[rows] * unit_mean_factor(
            len(rows), self.weight[rows].sum()
        )
        return replace(self, weight=weight)


def weigh_rows(classes, class_weight, X, y, sample_weight, earlier_count=0.0):
    """Return validated rows as TrainingRows.

    `classes` are those of the model. `class_weight` is the parameter, and
    `earlier_count`, (n_classes,), the class count of earlier calls.
    """
    y = encode(y, classes)
    sample_weight = validate_sample_weight(sample_weight, X)
    class_count = class_totals(y, sample_weight, len(classes)) + earlier_count
    per_class = class_weights(class_weight, classes, class_count)
    weight = sample_weight * weights_by_class(per_class, y)
    return TrainingRows(X, y, weight, np.flatnonzero(weight), per_class, class_count)


def validate_held_out_rows(estimator, X, y, sample_weight, class_weight, xp):
    """Return fit's validation data: X, targets, and weights, (n_val,), in NumPy.

    `xp` is the namespace of the rows to train on; `class_weight`, (n_classes,), are the
    weights of the classes.
    """
    if X is None or y is None:
        given, missing = "X_val", "y_val"
        if X is None:
            given = "y_val" if y is not None else "sample_weight_val"
            missing = "X_val"
        raise ValueError(
            f"{given} was given without {missing}. To validate, pass X_val and "
            "y_val, and sample_weight_val if the rows have weights."
        )
    try:
        X, y = validate_rows(estimator, X, y)
        if namespace(X) is not xp:
            raise ValueError(f"X_val is {namespace(X)}, X is {xp}. Move X_val.")
        y = encode(y, estimator.classes_)
        weight = validate_sample_weight(sample_weight, X)
        weight = weight * weights_by_class(class_weight, y)
        if not weight.any():
            raise ValueError("all weights are zero.")
    except ValueError as error:
        raise ValueError(f"The validation data cannot be used: {error}") from error
    return X, y, weight


def _split(rows, y, fraction: float, rng):
    """Return the numbers of the rows to train on and of those set aside, sorted.

    `rows` are numbers of rows of y, (n_samples,) or (n_samples, n_classes).
    """
    try:
        split = train_test_split(
            rows,
            test_size=fraction,
            random_state=rng,
            stratify=most_probable(y)[rows],
        )
    except ValueError:  # too few of a class to have some on both sides
        split = train_test_split(rows, test_size=fraction, random_state=rng)
    return np.sort(split[0]), np.sort(split[1])


def check_sparse_indices(X):
    """Return X, sparse X as CSR; raise ValueError if an index is out of range.

    SciPy's loops do not check: they would read and write beyond their arrays.
    """
    if not sp.issparse(X) or X.ndim != 2:
        return X
    try:
        if X.format == "csr":
            if not _has_valid_indices(X):
                entries = X.data, X.indices, X.indptr  # the check writes to its matrix
                sp.csr_array(entries, shape=X.shape).check_format(full_check=True)
            return X
        if X.format == "coo":
            sp.coo_array((X.data, (X.row, X.col)), shape=X.shape)
        elif X.format in ("csc", "bsr"):
            kind = sp.csc_array if X.format == "csc" else sp.bsr_array
            entries = X.data, X.indices, X.indptr
            kind(entries, shape=X.shape).check_format(full_check=True)
        return check_sparse_indices(X.tocsr())
    except ValueError as error:
        raise ValueError(
            f"X is a sparse matrix with an index out of its range: {error}. Build X "
            "again, for example with csr_array((data, (rows, columns)), shape=shape)."
        ) from error


def _has_valid_indices(X) -> bool:
    """Return whether rows and columns of CSR data are in order; quicker than SciPy."""
    n_stored = X.indptr[-1]
    indices = X.indices[:n_stored]
    return bool(
        len(X.indptr) == X.shape[0] + 1
        and X.indptr[0] == 0
        and (X.indptr[1:] >= X.indptr[:-1]).all()
        and n_stored <= min(len(X.data), len(X.indices))
        # As unsigned integers negative ones are too large.
        and indices.view(f"u{indices.itemsize}").max(initial=0) < max(1, X.shape[1])
    )


def validate_sample_weight(sample_weight, X):
    """Return the weights of the rows of X, a new NumPy array of float64."""
    sample_weight = input_to_numpy(sample_weight, "sample_weight")
    sample_weight = check_sample_weight(sample_weight, X.shape[0])
    check_weight_sum(sample_weight.sum(), np.finfo(float).max)
    return sample_weight


def check_weight_sum(total, largest):
    """Raise ValueError unless the sum of weights is at most that."""
    if not total <= largest:
        raise ValueError(
            "sample_weight (times class_weight) must have a sum of at most "
            f"{largest:.1g}, got {total:.3g}. Divide sample_weight by a constant."
        )


def unit_mean_factor(n_rows, total):
    """Return the factor that gives n_rows weights with the sum `total` the mean 1."""
    check_weight_sum(total, np.finfo(float).max)
    factor = n_rows / float(total)
    if factor == math.inf:
        raise ValueError(
            f"sample_weight (times class_weight) has the sum {total:.3g}, which is too "
            "small to divide by. Multiply sample_weight by a constant."
        )
    return factor
