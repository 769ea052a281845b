"""Predictions of many rows, a chunk at a time."""

import math
from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from sksoftmax._arrays import chunks, namespace
from sksoftmax._classes import encode
from sksoftmax._loss import cross_entropy
from sksoftmax._state import model_arrays, snapshot
from sksoftmax._targets import make_targets
from sksoftmax._validation import (
    check_finite_model,
    check_model,
    check_namespace,
    validate_features,
    validate_rows,
)

_NO_LABELS = object()


def predict_in_chunks(estimator, method: str, X, transform, y=_NO_LABELS):
    """Return transform(loss, raw predictions, targets), computed chunk by chunk.

    Copies, such as casts of integers, have the size of a chunk. Errors name `method`,
    the method that the caller called. A fit in another thread changes nothing here.
    """
    estimator = snapshot(estimator)
    if "coef_" not in vars(estimator):  # the check takes 3 us
        check_is_fitted(estimator)
    has_labels = y is not _NO_LABELS
    if not has_labels:
        X = validate_features(estimator, X)
    else:
        X, y = validate_rows(estimator, X, y)
    check_model(estimator, X.shape[1])
    check_namespace(estimator, method, X)
    xp, n_classes = namespace(X), len(estimator.classes_)
    coef, intercept = model_arrays(estimator, xp)
    if has_labels:
        y = encode(y, estimator.classes_)
        y = make_targets(y, 0.0, n_classes, coef.dtype, xp)
    loss, product = cross_entropy(n_classes), xp.matmul
    if sp.issparse(X) or sp.issparse(coef):
        product = partial(safe_sparse_dot, dense_output=True)
    row_size = X.nnz // max(1, X.shape[0]) if sp.issparse(X) else X.shape[1]
    width = max(4 * coef.shape[1], row_size)
    size = max(1, xp.matmul_chunk_size // width)
    largest = float(xp.finfo(coef.dtype).max) / 2  # as losses subtract two of them
    rows = list(chunks(slice(0, X.shape[0]), size))

    def predict(chunk):
        raw = product(xp.astype(X[chunk, :], coef.dtype), coef)
        raw += intercept
        if not (
            math.isfinite(xp.vdot(raw, raw))  # one pass, and enough in most cases
            or xp.all(xp.abs(raw) <= largest)
        ):
            check_finite_model(estimator)
            raise ValueError(
                f"X passed to {type(estimator).__name__}.{method}() must have raw "
                f"predictions in the range of {coef.dtype}, got values of X that "
                "are too large. Scale X as in fit."
            )
        return transform(loss, raw, y[chunk] if has_labels else None)

    with np.errstate(all="ignore"):
        if len(rows) == 1:
            return xp.row_major(predict(rows[0]))
        result = None
        for chunk, predicted in zip(rows, xp.ordered_map(predict, rows), strict=True):
            if result is None:
                shape = (X.shape[0], *predicted.shape[1:])
                result = xp.empty(shape, predicted.dtype)
            result[chunk, ...] = predicted
        return result
