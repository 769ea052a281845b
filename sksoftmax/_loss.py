"""Cross-entropy as a function of the raw predictions, and of nothing else.

Two classes are one column and a sigmoid, more are one column a class and a softmax.
`cross_entropy` decides which; whoever uses the result sees arrays with `n_columns`
columns and needs not ask.
"""

import numpy as np
from scipy.special import expit, log_softmax


def cross_entropy(n_classes: int) -> "SigmoidCrossEntropy | SoftmaxCrossEntropy":
    """Return the loss for so many classes."""
    return SigmoidCrossEntropy() if n_classes == 2 else SoftmaxCrossEntropy(n_classes)


class SoftmaxCrossEntropy:
    """-log softmax(raw_prediction)[y], for arrays of shape (n_samples, n_classes)."""

    def __init__(self, n_classes: int) -> None:
        self.n_columns = n_classes
        self.loss_of_ignorance = float(np.log(n_classes))

    def loss_gradient(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses and its gradient; overwrites its input.

        The caller has scaled `sample_weight`, shape (n_samples,).
        """
        raw, rows = by_column(raw_prediction), np.arange(y.shape[0])
        raw -= raw.max(axis=1)[:, None]
        raw_true = raw[rows, y]
        normaliser = _exponentiate(raw)
        raw *= (sample_weight / normaliser)[:, None]
        raw[rows, y] -= sample_weight
        return _weighted_sum(np.log(normaliser) - raw_true, sample_weight), raw

    def loss(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses; overwrites `raw_prediction`."""
        raw = by_column(raw_prediction)
        raw -= raw.max(axis=1)[:, None]
        raw_true = raw[np.arange(y.shape[0]), y]
        return _weighted_sum(np.log(_exponentiate(raw)) - raw_true, sample_weight)

    def proba(self, raw_prediction):
        """Return softmax(raw_prediction); overwrites its input."""
        raw = by_column(raw_prediction)
        raw -= raw.max(axis=1)[:, None]
        raw /= _exponentiate(raw)[:, None]
        return raw

    def predict(self, raw_prediction):
        """Return the most probable class of each row."""
        return raw_prediction.argmax(axis=1)

    def predict_proba(self, raw_prediction):
        """Return the probability of each class; overwrites its input."""
        return np.ascontiguousarray(self.proba(raw_prediction))

    def predict_log_proba(self, raw_prediction):
        """Return the logarithm of the probability of each class."""
        return log_softmax(raw_prediction, axis=1)

    def curvature(self, proba):
        """Return each row's mean eigenvalue of the Hessian diag(p) - p p'.

        It has rank n_classes - 1 and the trace 1 - sum(p^2).
        """
        return (1 - np.einsum("ij,ij->i", proba, proba)) / (self.n_columns - 1)

    def hessian_product(self, proba, direction):
        """Return (diag(p) - p p') direction for each row; overwrites `direction`."""
        direction -= np.einsum("ij,ij->i", proba, direction)[:, None]
        direction *= proba
        return direction


class SigmoidCrossEntropy:
    """-log expit(+-raw_prediction), for arrays of shape (n_samples, 1)."""

    n_columns = 1
    loss_of_ignorance = float(np.log(2))

    def loss_gradient(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses and its gradient; overwrites its input."""
        sign = _sign(y, raw_prediction.dtype)
        margin = raw_prediction[:, 0]
        margin *= sign
        loss, proba_wrong = _softplus_expit(margin)
        # -expit(-margin), not expit(margin) - 1: a sure and right row keeps its digits.
        np.multiply(proba_wrong, sample_weight, out=margin)
        margin *= -sign
        return _weighted_sum(loss, sample_weight), raw_prediction

    def loss(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses."""
        margin = raw_prediction[:, 0] * _sign(y, raw_prediction.dtype)
        return _weighted_sum(_softplus_expit(margin)[0], sample_weight)

    def proba(self, raw_prediction):
        """Return the probability of the second class, shape (n_samples, 1)."""
        return expit(raw_prediction)

    def predict(self, raw_prediction):
        """Return the more probable class of each row."""
        return (raw_prediction[:, 0] > 0).astype(np.intp)

    def predict_proba(self, raw_prediction):
        """Return the probability of both classes; overwrites its input."""
        odds = raw_prediction[:, 0]
        largest = 88 if odds.dtype == np.float32 else 709  # exp must stay finite
        np.exp(np.minimum(odds, largest, out=odds), out=odds)
        proba = np.empty((len(odds), 2), odds.dtype)
        # Not 1 - p: what is nearly sure keeps the digits of its surprise.
        np.divide(odds, odds + 1, out=proba[:, 1])
        np.reciprocal(odds + 1, out=proba[:, 0])
        return proba

    def predict_log_proba(self, raw_prediction):
        """Return the logarithm of the probability of both classes."""
        return -np.hstack(
            [_softplus_expit(m)[0] for m in (-raw_prediction, raw_prediction)]
        )

    def curvature(self, proba):
        """Return each row's second derivative p (1 - p)."""
        return proba[:, 0] * (1 - proba[:, 0])

    def hessian_product(self, proba, direction):
        """Return p (1 - p) direction for each row; overwrites `direction`."""
        direction *= proba * (1 - proba)
        return direction


def by_column(raw_prediction):
    """Lay few columns out one after the other.

    Reductions over ten classes are then loops over whole columns instead of one short
    loop a row, five times faster; with many classes the copy would cost more.
    """
    if raw_prediction.shape[1] < 64:
        return np.asfortranarray(raw_prediction)
    return raw_prediction


def _exponentiate(raw):
    """Exponentiate in place and return the sum of each row, shape (n_samples,)."""
    np.exp(raw, out=raw)
    return raw.sum(axis=1)


def _sign(y, dtype):
    """Return -1 for class 0 and +1 for class 1."""
    return (2 * y - 1).astype(dtype)


def _softplus_expit(margin):
    """Return log(1 + exp(-margin)) and expit(-margin) without overflow."""
    small = np.exp(-np.abs(margin))
    softplus = np.maximum(-margin, 0) + np.log1p(small)
    return softplus, np.where(margin > 0, small, 1) / (1 + small)


def _weighted_sum(losses, sample_weight):
    """Add up in float64, whatever the dtype of the losses."""
    return float(np.einsum("i,i->", losses, sample_weight, dtype=np.float64))
