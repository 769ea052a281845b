"""Check and convert the arguments of callers: X, y, weights and validation rows.

Functions that get an estimator set only what scikit-learn's `validate_data` sets: the
number of features and their names. Tasks of Dask call the functions that get none.
"""

import math
import re
from collections.abc import Sized
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
from sksoftmax._compat import (
    check_sample_weight,
    get_feature_names,
    is_array_api_obj,
)
from sksoftmax._frames import (
    check_no_dates,
    column_names,
    explain_conversion,
    is_frame,
)
from sksoftmax._labels import validate_labels
from sksoftmax._loss import cross_entropy
from sksoftmax._targets import (
    ProbabilityTable,
    class_totals,
    is_soft_target,
    most_probable,
    order_of_columns,
    sum_tolerance,
    weights_by_class,
)

# The estimator that scikit-learn's errors name in functions without an estimator.
_NAME = "SoftmaxRegressionClassifier"
_CONVERSION_ERROR = re.compile("could not convert|setting an array element")
_MODEL = "classes_", "coef_", "intercept_"
_SET_OR_FIT = "Set classes_, coef_ and intercept_ that agree, or fit a clone."


def validate_features(estimator, X, y="no_validation", reset=False):
    """Return X as an array or CSR, copied only if needed, and y as labels.

    Only X is returned without y. `reset` sets the estimator's features to those of X.
    """
    X, dtypes = _convert_features(X)
    with _explain_errors(X):  # scikit-learn refuses NaN and infinity here
        return validate_data(
            estimator, X, y, accept_sparse="csr", dtype=dtypes, reset=reset
        )


def validate_rows(estimator, X, y, reset=False):
    """Return X, and y as labels, (n_samples,), or as a ProbabilityTable."""
    if not is_soft_target(y):
        return validate_features(estimator, X, validate_labels(y), reset)
    X = validate_features(estimator, X, reset=reset)
    table = validate_probabilities(y, X)
    check_consistent_length(X, table.rows)
    return X, table


def validate_block(X, y):
    """Return X, the labels y, and the names of the features or None.

    X and y are checked as by `validate_rows`.
    """
    names, y = get_feature_names(X), validate_labels(y)
    X, dtypes = _convert_features(X)
    with _explain_errors(X):
        X, y = check_X_y(X, y, accept_sparse="csr", dtype=dtypes, estimator=_NAME)
    return X, y, names


def _convert_features(X):
    """Return X in a form that scikit-learn checks, and the dtypes to accept."""
    if not hasattr(X, "shape") and not is_frame(X):
        X = _array_from_rows(X)
    if getattr(X, "ndim", 2) > 2:
        raise ValueError(
            f"X must be rows of features, got the shape {tuple(X.shape)}. "
            "Flatten images with X.reshape(n_samples, -1)."
        )
    xp = input_namespace(X, "X")
    X = input_to_numpy(X, "X") if xp is NUMPY else xp.detach(X)
    check_no_dates(X, "X")
    return check_sparse_indices(X), xp.accepted_dtypes


def _array_from_rows(X):
    """Return rows, such as a list of lists, as an array."""
    try:
        array = np.asarray(X)
    except ValueError:  # rows of different lengths, which later checks name
        array = np.asarray(X, object)
    if array.ndim == 0 and array.dtype.kind in "OSU":
        raise TypeError(
            "X must be an array, a data frame or a list of rows, got an object of type "
            f"{type(X).__name__}. Convert X to an array of the shape (n_samples, "
            "n_features)."
        )
    return array.astype(np.float64) if array.dtype.kind in "biuf" else array


@contextmanager
def _explain_errors(X):
    """Raise scikit-learn's errors about X again, with a way out."""
    try:
        with np.errstate(all="ignore"):
            yield
    except OverflowError as error:
        raise ValueError(
            f"X must hold numbers in the range of float64, got a larger one: {error}. "
            "Divide the feature by a constant."
        ) from error
    except (TypeError, ValueError) as error:
        if "Complex data" in str(error):
            raise ValueError(
                "Complex data not supported: X and y must be real. Pass the real and "
                "the imaginary part as two features."
            ) from error
        if "fill value must be 0" in str(error):
            raise ValueError(
                "X must have the fill value 0 in sparse columns, got another one. "
                "Convert X, for example with X.sparse.to_dense()."
            ) from error
        explained = None
        if isinstance(error, TypeError) or _CONVERSION_ERROR.search(str(error)):
            explained = explain_conversion(X, "X", error)
        if explained is None:
            raise
        raise explained from error


def validate_probabilities(y, X=None):
    """Return y, (n_samples, n_classes), as a ProbabilityTable in X's namespace."""
    names, order, xp = None, None, input_namespace(y, "y")
    if xp is NUMPY:
        y = input_to_numpy(y, "y")
    if not hasattr(y, "shape") and not is_frame(y):  # a list of rows
        y = np.asarray(y)
    if isinstance(y, np.ma.MaskedArray):
        y = y.astype(np.float64).filled(np.nan)
    if is_frame(y):
        names, order = order_of_columns(column_names(y))
        if hasattr(y, "sparse"):  # all columns of a pandas frame are sparse
            y = y.sparse.to_dense()
    tolerance = sum_tolerance(getattr(y, "dtype", None))
    try:
        check_no_dates(y, "y")
        if not hasattr(y, "dtype") and not hasattr(y, "iloc"):  # no array, no pandas
            y = np.asarray(y)
        # check_array converts indicators to the first dtype, the smaller one.
        dtypes = [xp.float32, xp.float64]
        rows = check_array(xp.detach(y), dtype=dtypes, input_name="y")
    except (TypeError, ValueError) as error:
        if isinstance(error, ValueError) and not _CONVERSION_ERROR.search(str(error)):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"y of the shape {np.shape(y)} must hold probabilities of the classes, got "
            f"other values: {str(error).rstrip('.')}. Pass labels in one column."
        ) from error
    if order is not None and (order[1:] < order[:-1]).any():
        rows = rows[:, order]
    target_xp = xp if X is None else namespace(X)
    if target_xp is not xp:
        rows = target_xp.asarray(xp.to_numpy(rows))
    return ProbabilityTable(rows, names, tolerance)


def check_namespace(estimator, method: str, X):
    """Raise ValueError unless validated X has the namespace and device of `coef_`."""
    input_xp, model_xp = namespace(X), namespace(estimator.coef_)
    if input_xp is not model_xp:
        raise ValueError(
            f"X passed to {type(estimator).__name__}.{method}() must use the same "
            f"namespace and the same device as X in fit: the model is {model_xp}, "
            f"X is {input_xp}. Convert X, or fit a model on such arrays. (Without "
            "scikit-learn's array_api_dispatch all arrays are taken as NumPy's.)"
        )


def check_model(estimator, n_features=None) -> None:
    """Raise ValueError unless the attributes of the model agree.

    The attributes may have been set by hand. `n_features` is the number of features of
    X, if there is an X.
    """
    classes, coef, intercept = map(vars(estimator).get, _MODEL)
    if type(classes) is type(coef) is type(intercept) is np.ndarray:  # the usual case
        n_outputs = len(classes) if classes.shape != (2,) else 1
        if (
            coef.shape == (n_outputs, n_features)
            and intercept.shape == (n_outputs,)
            and classes.ndim == 1
            and coef.dtype.kind == intercept.dtype.kind == "f"
            and len(classes) > 1
        ):
            return
    _check_model(estimator, n_features)


def _check_model(estimator, n_features) -> None:
    """Raise ValueError that names an attribute unless the attributes agree."""
    for name in _MODEL:
        if not hasattr(estimator, name):
            raise ValueError(
                "classes_, coef_ and intercept_ must be set together, got no "
                f"{name}. {_SET_OR_FIT}"
            )
    classes, coef = estimator.classes_, estimator.coef_
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or len(classes) < 2:
        raise ValueError(
            "classes_ must be an array of at least two labels, (n_classes,), got "
            f"{classes!r}. {_SET_OR_FIT}"
        )
    n_outputs = cross_entropy(len(classes)).n_outputs
    if n_features is None:
        n_features = getattr(estimator, "n_features_in_", None)
    if n_features is None:
        n_features = (0, *np.shape(coef))[-1]
    _check_weights("coef_", coef, (n_outputs, n_features))
    _check_weights("intercept_", estimator.intercept_, (n_outputs,))


def _check_weights(name: str, array, shape) -> None:
    """Raise ValueError unless an attribute holds real numbers in this shape."""
    dtype = getattr(array, "dtype", None)
    if (
        getattr(array, "shape", None) != shape
        or not (sp.issparse(array) or is_array_api_obj(array))
        or getattr(dtype, "kind", "f") not in "fiub"  # other libraries have no kinds
        or isinstance(array, np.matrix | np.ma.MaskedArray)
    ):
        received = type(array).__name__
        if hasattr(array, "shape"):
            received += f" of {dtype or 'columns'} and the shape {tuple(array.shape)}"
        raise ValueError(
            f"{name} must be an array of real numbers of the shape {shape}, as "
            f"classes_ and the features require, got {received}. {_SET_OR_FIT}"
        )


def check_finite_model(estimator) -> None:
    """Raise ValueError unless `coef_` and `intercept_` are finite."""
    for name in ("coef_", "intercept_"):
        array = getattr(estimator, name)
        array = array.toarray() if sp.issparse(array) else array
        array = namespace(array).to_numpy(array)
        invalid = np.argwhere(~np.isfinite(array))
        if len(invalid):
            place = tuple(invalid[0].tolist())
            raise ValueError(
                f"{name} must be finite, got {array[place]} at {name}"
                f"[{', '.join(map(str, place))}]. {_SET_OR_FIT}"
            )


def check_warm_start(estimator, X):
    """Raise ValueError unless a fit on X can start from the model."""
    check_namespace(estimator, "fit", X)
    if estimator.coef_.shape[1] != X.shape[1]:
        raise ValueError(
            f"X must have {estimator.coef_.shape[1]} features with warm_start=True, as "
            f"the fitted model has, got {X.shape[1]}. Set warm_start=False, or fit a "
            "clone."
        )


@dataclass(frozen=True)
class TrainingRows:
    """Arrays of rows to train on, and weights and counts of their classes."""

    X: Any  # (n_samples, n_features)
    y: Any  # class indices, (n_samples,), or probabilities, (n_samples, n_classes)
    weight: np.ndarray  # (n_samples,), sample weight times class weight
    indices: np.ndarray  # rows with positive weight that are not held out
    class_weight: np.ndarray  # (n_classes,)
    class_count: np.ndarray  # (n_classes,), sums of sample weights over all calls

    @property
    def n_classes(self) -> int:
        """Return the number of classes of the model."""
        return len(self.class_weight)

    @property
    def total_weight(self) -> float:
        """Return the sum of the weights of the rows to train on."""
        return float(self.weight[self.indices].sum())

    def split(self, fraction: float, rng):
        """Return the rows without held-out ones, and the indices of the latter.

        Each class keeps a row to train on. Rows of a class that would lose all its
        weight stay.
        """
        kept, held_out = _split(self.indices, self.y, fraction, rng)
        kept_weight = np.zeros_like(self.weight)
        kept_weight[kept] = self.weight[kept]
        is_lost = class_totals(self.y, kept_weight, self.n_classes) == 0
        is_needed = weights_by_class(is_lost * 1.0, self.y)[held_out] > 0
        if is_needed.any():
            kept = np.union1d(kept, held_out[is_needed])
            held_out = held_out[~is_needed]
        if not len(held_out):
            raise ValueError(
                "early_stopping must be False unless a class has a row with weight to "
                "train on and one to set aside, got True. Pass X_val and y_val, or "
                "early_stopping=False."
            )
        return replace(self, indices=kept), held_out

    def without_tiny_weights(self, finfo) -> "TrainingRows":
        """Return the rows, without any weight if no weight is a normal number.

        `finfo` is that of the dtype to train in. The digits of weights below its normal
        numbers are lost, and so are those of steps, which are quotients of small sums.
        """
        if self.weight.max(initial=0.0) >= float(finfo.smallest_normal):
            return self
        none = np.zeros_like(self.weight)
        return replace(self, weight=none, indices=self.indices[:0])

    def normalized(self) -> "TrainingRows":
        """Return the rows with weights of mean one; held-out rows have weight zero."""
        rows, weight = self.indices, np.zeros_like(self.weight)
        weight[rows] = self.weight[rows] * unit_mean_factor(
            len(rows), self.total_weight
        )
        return replace(self, weight=weight)


def weigh_rows(classes, class_weight, X, y, sample_weight, earlier_count=0.0):
    """Return validated rows as TrainingRows.

    `classes` are the classes of the model, and `class_weight` is the parameter.
    `earlier_count`, (n_classes,), is the class count of earlier calls.
    """
    y = encode(y, classes)
    sample_weight = validate_sample_weight(sample_weight, X)
    class_count = class_totals(y, sample_weight, len(classes)) + earlier_count
    class_factors = class_weights(class_weight, classes, class_count)
    weight = sample_weight * weights_by_class(class_factors, y)
    indices = np.flatnonzero(weight)
    return TrainingRows(X, y, weight, indices, class_factors, class_count)


def validate_held_out_rows(estimator, X, y, sample_weight, class_weight, xp):
    """Return fit's validation data: X, targets, and weights, (n_val,), in NumPy.

    `xp` is the namespace of the training rows. `class_weight`, (n_classes,), holds the
    weights of the classes.
    """
    if X is None or y is None:
        present, missing = "X_val", "y_val"
        if X is None:
            present = "y_val" if y is not None else "sample_weight_val"
            missing = "X_val"
        raise ValueError(
            f"{missing} must be passed with {present}, got None. Pass X_val and y_val, "
            "and sample_weight_val if the rows have weights."
        )
    try:
        X, y = validate_rows(estimator, X, y)
        if namespace(X) is not xp:
            raise ValueError(
                f"X_val must use the namespace of X, {xp}, got {namespace(X)}. Convert "
                "X_val."
            )
        y = encode(y, estimator.classes_)
        weight = validate_sample_weight(sample_weight, X)
        weight = weight * weights_by_class(class_weight, y)
        if not weight.any():
            raise ValueError(
                "sample_weight_val (times class_weight) must be positive in some row, "
                "got zeros. Give a row of the validation data a positive weight."
            )
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"The validation data cannot be used: {error}") from error
    return X, y, weight


def _split(rows, y, fraction: float, rng):
    """Return the indices of training rows and of held-out rows, both sorted.

    `rows` are indices of rows of y, (n_samples,) or (n_samples, n_classes). Rows of
    classes with one row are training rows, and the others are stratified if there are
    enough.
    """
    labels = most_probable(y)[rows]
    is_single = np.bincount(labels)[labels] < 2
    single, rows, labels = rows[is_single], rows[~is_single], labels[~is_single]
    if not len(rows):
        return single, rows
    try:
        kept, held_out = train_test_split(
            rows, test_size=fraction, random_state=rng, stratify=labels
        )
    except ValueError:  # a class has too few rows for both sides
        kept, held_out = train_test_split(rows, test_size=fraction, random_state=rng)
    return np.sort(np.concatenate([kept, single])), np.sort(held_out)


def check_sparse_indices(X):
    """Return X, sparse X as CSR; raise ValueError if an index is out of range.

    SciPy's loops do not check indices, so they would read and write out of bounds.
    """
    if not sp.issparse(X) or X.ndim != 2:
        return X
    try:
        if X.format == "csr":
            if not _has_valid_indices(X):
                # check_format writes to its matrix, so it gets a new one.
                entries = X.data, X.indices, X.indptr
                sp.csr_array(entries, shape=X.shape).check_format(full_check=True)
            return X
        if X.format in ("csc", "bsr"):
            kind = sp.csc_array if X.format == "csc" else sp.bsr_array
            entries = X.data, X.indices, X.indptr
            kind(entries, shape=X.shape).check_format(full_check=True)
        return check_sparse_indices(convert_to_csr(X))
    except ValueError as error:
        raise ValueError(
            f"X must have all sparse indices in range, got one out of it: {error}. "
            "Rebuild X, for example with csr_array((data, (rows, columns)), "
            "shape=shape)."
        ) from error


def convert_to_csr(X):
    """Return sparse X as CSR, which keeps duplicates."""
    if X.format == "coo":
        X = sp.coo_array((X.data, (X.row, X.col)), shape=X.shape)
        # SciPy would add up duplicates in the dtype of X, which may overflow.
        X.has_canonical_format = True
    return X.tocsr()


def _has_valid_indices(X) -> bool:
    """Return whether the indices of CSR data are in range; quicker than SciPy."""
    n_stored = X.indptr[-1]
    indices = X.indices[:n_stored]
    return bool(
        len(X.indptr) == X.shape[0] + 1
        and X.indptr[0] == 0
        and (X.indptr[1:] >= X.indptr[:-1]).all()
        and n_stored <= min(len(X.data), len(X.indices))
        # A negative index is too large as an unsigned integer, so max() finds it too.
        and indices.view(f"u{indices.itemsize}").max(initial=0) < max(1, X.shape[1])
    )


def validate_sample_weight(sample_weight, X):
    """Return the weights of the rows of X as a new NumPy array of float64."""
    sample_weight = input_to_numpy(sample_weight, "sample_weight")
    try:
        if isinstance(sample_weight, Sized):
            check_no_dates(np.atleast_1d(sample_weight), "sample_weight")
        sample_weight = check_sample_weight(sample_weight, X.shape[0])
    except (OverflowError, ValueError) as error:
        is_overflow = isinstance(error, OverflowError)
        if not (is_overflow or _CONVERSION_ERROR.search(str(error))):
            raise
        raise ValueError(
            "sample_weight must hold one number for each row, got other values: "
            f"{error}. Pass an array of the shape (n_samples,)."
        ) from error
    check_weight_sum(sample_weight.sum(), np.finfo(float).max)
    return sample_weight


def check_weight_sum(total, largest):
    """Raise ValueError unless the sum of weights is at most `largest`."""
    if not total <= largest:
        raise ValueError(
            "sample_weight (times class_weight) must have a sum of at most "
            f"{largest:.1g}, got {total:.3g}. Divide sample_weight by a constant."
        )


def unit_mean_factor(n_rows, total):
    """Return the factor that scales n_rows weights of the sum `total` to mean 1."""
    check_weight_sum(total, np.finfo(float).max)
    factor = n_rows / float(total)
    if factor == math.inf:
        raise ValueError(
            "sample_weight (times class_weight) must have a sum to divide by, got "
            f"{total:.3g}. Multiply sample_weight by a constant."
        )
    return factor
