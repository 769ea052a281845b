"""Predictions of many rows, a part at a time."""

import math
from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from sksoftmax._arrays import chunks, namespace
from sksoftmax._classes import encode
from sksoftmax._loss import cross_entropy
from sksoftmax._targets import make_targets
from sksoftmax._validation import check_namespace, validate_features, validate_rows

# Times `matmul_chunk_size` numbers of X or of predictions at a time.
_PREDICTION_CHUNKS = 4


def predict_in_chunks(estimator, method: str, X, transform, y=None):
    """Return transform(loss, raw predictions, targets), a part of rows at a time.

    Nothing of the size of X is copied, and integers are cast a part at a time.
    `method` is the name of what was called.
    """
    check_is_fitted(estimator)
    if y is None:
        X = validate_features(estimator, X)
    else:
        X, y = validate_rows(estimator, X, y)
    check_namespace(estimator, method, X)
    xp = namespace(X)
    coef, intercept = map(xp.detach, (estimator.coef_.T, estimator.intercept_))
    n_classes = len(estimator.classes_)
    if y is not None:
        y = encode(y, estimator.classes_)
        y = make_targets(y, 0.0, n_classes, coef.dtype, xp)
    loss, product = cross_entropy(n_classes), xp.matmul
    if sp.issparse(X) or sp.issparse(coef):
        product = partial(safe_sparse_dot, dense_output=True)
    width = 4 * coef.shape[1]
    if X.dtype != coef.dtype:  # then a part of X is copied
        width = max(width, X.shape[1])
    size = max(1, _PREDICTION_CHUNKS * xp.matmul_chunk_size // width)
    largest = float(xp.finfo(coef.dtype).max) / 2  # two may be subtracted
    result = None
    for part in chunks(slice(0, X.shape[0]), size):
        with np.errstate(all="ignore"):
            raw = product(xp.astype(X[part, :], coef.dtype), coef)
            raw += intercept
            if not (
                math.isfinite(xp.vdot(raw, raw))  # mostly says it in one pass
                or xp.all(xp.abs(raw) <= largest)
            ):
                raise ValueError(
                    f"X passed to {type(estimator).__name__}.{method}() holds values "
                    f"too large for this model: raw predictions overflow in "
                    f"{coef.dtype}. Scale X as it was in fit."
                )
            transformed = transform(loss, raw, None if y is None else y[part])
        if transformed.shape[0] == X.shape[0]:
            return xp.row_major(transformed)
        if result is None:
            shape = (X.shape[0], *transformed.shape[1:])
            result = xp.empty(shape, transformed.dtype)
        result[part, ...] = transformed
    return result
