"""Cross-entropy as a function of the raw predictions, and of nothing else.

Two classes are one column and a sigmoid, more are one column a class and a softmax.
`cross_entropy` decides which; whoever uses the result sees arrays with `n_columns`
columns and needs not ask.

Targets `y` are class indices, (n_samples,), or the probabilities of all classes,
(n_samples, n_classes), in rows that sum to one.
"""

import numpy as np
from scipy.special import expit, log_softmax


def cross_entropy(n_classes: int) -> "SigmoidCrossEntropy | SoftmaxCrossEntropy":
    """Return the loss for so many classes."""
    return SigmoidCrossEntropy() if n_classes == 2 else SoftmaxCrossEntropy(n_classes)


class SoftmaxCrossEntropy:
    """-log softmax(raw_prediction)[y], for arrays of shape (n_samples, n_classes).

    Of targets that are probabilities, the mean under them.
    """

    def __init__(self, n_classes: int) -> None:
        self.n_columns = n_classes
        self.loss_of_ignorance = float(np.log(n_classes))

    def loss_gradient(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses and its gradient; overwrites its input.

        The caller has scaled `sample_weight`, shape (n_samples,).
        """
        raw = by_column(raw_prediction)
        raw -= raw.max(axis=1)[:, None]
        raw_true = _under(y, raw)
        normaliser = _exponentiate(raw)
        raw *= (sample_weight / normaliser)[:, None]
        if y.ndim == 1:
            raw[np.arange(len(y)), y] -= sample_weight
        else:
            raw -= by_column(y) * sample_weight[:, None]
        return _weighted_sum(np.log(normaliser) - raw_true, sample_weight), raw

    def losses(self, raw_prediction, y):
        """Return the loss of each row, (n_samples,); overwrites `raw_prediction`."""
        raw = by_column(raw_prediction)
        raw -= raw.max(axis=1)[:, None]
        raw_true = _under(y, raw)
        return np.log(_exponentiate(raw)) - raw_true

    def loss(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses; overwrites `raw_prediction`."""
        return _weighted_sum(self.losses(raw_prediction, y), sample_weight)

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
    """-log expit(+-raw_prediction), for arrays of shape (n_samples, 1).

    Of targets that are probabilities, the mean under them.
    """

    n_columns = 1
    loss_of_ignorance = float(np.log(2))

    def loss_gradient(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses and its gradient; overwrites its input."""
        margin = raw_prediction[:, 0]
        if y.ndim == 2:
            losses = self.losses(raw_prediction, y)
            np.subtract(expit(margin), y[:, 1], out=margin)
            margin *= sample_weight
            return _weighted_sum(losses, sample_weight), raw_prediction
        sign = _sign(y, raw_prediction.dtype)
        margin *= sign
        loss, proba_wrong = _softplus_expit(margin)
        # -expit(-margin), not expit(margin) - 1: a sure and right row keeps its digits.
        np.multiply(proba_wrong, sample_weight, out=margin)
        margin *= -sign
        return _weighted_sum(loss, sample_weight), raw_prediction

    def losses(self, raw_prediction, y):
        """Return the loss of each row, (n_samples,)."""
        odds = raw_prediction[:, 0]
        if y.ndim == 1:
            return _softplus_expit(odds * _sign(y, odds.dtype))[0]
        of_first, of_second = (_softplus_expit(m)[0] for m in (-odds, odds))
        return y[:, 0] * of_first + y[:, 1] * of_second

    def loss(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses."""
        return _weighted_sum(self.losses(raw_prediction, y), sample_weight)

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


def _under(y, raw):
    """Return the raw prediction of each row's class, or its mean under y's row."""
    if y.ndim == 1:
        return raw[np.arange(len(y)), y]
    return np.einsum("ij,ij->i", by_column(y), raw)


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
