"""Cross-entropy as a function of the raw predictions, and of nothing else.

Two classes have one output and a sigmoid; more classes have one output a class and a
softmax. `cross_entropy` chooses the loss, and other modules see arrays with `n_outputs`
columns.

Targets `y` are class indices, (n_samples,), or soft targets, (n_samples, n_classes), in
rows that sum to one.
"""

import math
from itertools import accumulate, pairwise

from sksoftmax._arrays import count_rows, namespace

LARGEST_CHANGE = 80.0  # of raw predictions; exp(80) is finite in float32


def cross_entropy(n_classes: int) -> "SigmoidCrossEntropy | SoftmaxCrossEntropy":
    """Return the loss for n_classes classes."""
    return SigmoidCrossEntropy() if n_classes == 2 else SoftmaxCrossEntropy(n_classes)


class SoftmaxCrossEntropy:
    """-log softmax(raw_prediction)[y], for arrays of shape (n_samples, n_classes).

    The loss of a soft target is the mean of this over the classes, by probability.
    """

    def __init__(self, n_classes: int) -> None:
        self.n_outputs = n_classes
        self.loss_at_zero = math.log(n_classes)

    def loss_gradient(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses and its gradient; overwrites its input.

        The caller scales `sample_weight`, (n_samples,).
        """
        xp = namespace(raw_prediction)
        raw = xp.column_major(raw_prediction)
        raw -= xp.max(raw, axis=1)[:, None]
        raw_true = _target_prediction(xp, y, raw)
        normaliser = _exponentiate(xp, raw)
        raw *= (sample_weight / normaliser)[:, None]
        if y.ndim == 1:
            xp.add_to_label(raw, y, -sample_weight)
        else:
            raw -= xp.column_major(y) * sample_weight[:, None]
        return xp.weighted_sum(xp.log(normaliser) - raw_true, sample_weight), raw

    def losses(self, raw_prediction, y):
        """Return the loss of each row, (n_samples,); overwrites `raw_prediction`."""
        xp = namespace(raw_prediction)
        raw = xp.column_major(raw_prediction)
        raw -= xp.max(raw, axis=1)[:, None]
        raw_true = _target_prediction(xp, y, raw)
        return xp.log(_exponentiate(xp, raw)) - raw_true

    def loss(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses; overwrites `raw_prediction`."""
        return _weighted_loss(self, raw_prediction, y, sample_weight)

    def proba(self, raw_prediction):
        """Return softmax(raw_prediction); overwrites its input."""
        xp = namespace(raw_prediction)
        raw = xp.column_major(raw_prediction)
        raw -= xp.max(raw, axis=1)[:, None]
        raw /= _exponentiate(xp, raw)[:, None]
        return raw

    def predict(self, raw_prediction):
        """Return the most probable class of each row."""
        return namespace(raw_prediction).argmax(raw_prediction, axis=1)

    def predict_proba(self, raw_prediction):
        """Return the probability of each class; overwrites its input."""
        return self.proba(raw_prediction)

    def predict_log_proba(self, raw_prediction):
        """Return the logarithm of the probability of each class."""
        return namespace(raw_prediction).log_softmax(raw_prediction)

    def mean_curvature(self, proba):
        """Return each row's mean nonzero eigenvalue of the Hessian diag(p) - p p'.

        This Hessian has the rank n_classes - 1 and the trace 1 - sum(p^2).
        """
        squares = namespace(proba).row_dots(proba, proba)
        return (1 - squares) / (self.n_outputs - 1)

    def hessian_product(self, proba, direction):
        """Return (diag(p) - p p') direction for each row; overwrites `direction`."""
        direction -= namespace(proba).row_dots(proba, direction)[:, None]
        direction *= proba
        return direction

    def hessian(self, proba, S, sample_weight, columns=None):
        """Return sum_i s_i (diag(p_i) - p_i p_i') kron (x_i x_i'), x_i the rows of S.

        Each block, of the shape of S' S, belongs to two classes. The blocks of a class
        sum to exactly zero; diagonal blocks from p (1 - p) would sum to a rounding
        error. `columns` has the columns of S that count for each class, if not all do.
        """
        if columns is not None:
            return self._hessian_of_columns(proba, S, sample_weight, columns)
        xp, width = namespace(proba), S.shape[1]
        size = self.n_outputs * width
        hessian = xp.zeros((size, size), S.dtype)
        blocks = [slice(k * width, (k + 1) * width) for k in range(self.n_outputs)]
        for k, first in enumerate(blocks):
            weighted = S * (sample_weight * proba[:, k])[:, None]
            for j, second in enumerate(blocks[:k]):
                block = xp.matmul(weighted.T, S * proba[:, j][:, None])
                hessian[first, second], hessian[second, first] = -block, -block.T
                hessian[first, first] += block
                hessian[second, second] += block
        return hessian

    def _hessian_of_columns(self, proba, S, sample_weight, columns):
        xp, edges = namespace(proba), [0, *accumulate(map(count_rows, columns))]
        hessian = xp.zeros((edges[-1], edges[-1]), S.dtype)
        weighted = xp.empty((S.shape[0], edges[-1]), S.dtype)
        for k, (start, stop) in enumerate(pairwise(edges)):
            block, before = slice(start, stop), slice(0, start)
            S_k = xp.take(S, columns[k], axis=1)
            weighted[:, block] = S_k * proba[:, k][:, None]
            left = (weighted[:, block] * sample_weight[:, None]).T
            hessian[block, before] = -xp.matmul(left, weighted[:, before])
            hessian[before, block] = hessian[block, before].T
            # 1 - p would lose the digits of small curvatures.
            others = xp.sum(proba[:, :k], axis=1) + xp.sum(proba[:, k + 1 :], axis=1)
            hessian[block, block] = xp.matmul(left, S_k * others[:, None])
        return hessian

    def linearization_error(self, raw_prediction, change):
        """Return how far linearised probabilities are from the new probabilities.

        The error of a row is the Kullback-Leibler divergence of the linearised
        p' = p + (diag(p) - p p') change from p_new = softmax(raw_prediction + change).
        The error is zero if p' are no probabilities or the change is too large. Such
        rows have p_new - p' in the second array returned, (n_samples, n_classes), which
        is zero in all other rows. Overwrites its input.
        """
        xp = namespace(raw_prediction)
        new_raw, change = raw_prediction + change, xp.column_major(change)
        proba = self.proba(raw_prediction)
        change -= xp.row_dots(proba, change)[:, None]
        infeasible = ((change < -1) & (proba > 0)) | (change > LARGEST_CHANGE)
        infeasible = xp.any(infeasible, axis=1)[:, None]
        bounded = xp.clip(change, -1.0, LARGEST_CHANGE)
        growth = xp.exp(bounded)
        grown = proba * growth
        normaliser = xp.sum(grown, axis=1)[:, None]
        error = xp.where(infeasible, 0.0, (1 + bounded) * normaliser / growth - 1)
        error = xp.sum(grown / normaliser * _divergence(xp, error), axis=1)
        rest = xp.zeros(proba.shape, proba.dtype)
        if xp.any(infeasible):
            linear = proba * (1 + change)
            rest = xp.where(infeasible, self.proba(new_raw) - linear, 0.0)
        return error, rest


class SigmoidCrossEntropy:
    """-log expit(+-raw_prediction), for arrays of shape (n_samples, 1).

    The loss of a soft target is the mean of this over both classes, by probability.
    """

    n_outputs = 1
    loss_at_zero = math.log(2)

    def loss_gradient(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses and its gradient; overwrites its input."""
        xp, margin = namespace(raw_prediction), raw_prediction[:, 0]
        if y.ndim == 2:
            losses = self.losses(raw_prediction, y)
            xp.subtract(xp.expit(margin), y[:, 1], out=margin)
            margin *= sample_weight
            return xp.weighted_sum(losses, sample_weight), raw_prediction
        sign = xp.astype(2 * y - 1, margin.dtype)
        margin *= sign
        loss, proba_wrong = _softplus_expit(xp, margin)
        # expit(margin) - 1 would lose the digits of sure and right rows.
        xp.multiply(proba_wrong, sample_weight, out=margin)
        margin *= -sign
        return xp.weighted_sum(loss, sample_weight), raw_prediction

    def losses(self, raw_prediction, y):
        """Return the loss of each row, (n_samples,)."""
        xp, odds = namespace(raw_prediction), raw_prediction[:, 0]
        if y.ndim == 1:
            sign = xp.astype(2 * y - 1, odds.dtype)
            return _softplus_expit(xp, odds * sign)[0]
        first_losses, second_losses = (_softplus_expit(xp, m)[0] for m in (-odds, odds))
        return y[:, 0] * first_losses + y[:, 1] * second_losses

    def loss(self, raw_prediction, y, sample_weight):
        """Return the weighted sum of losses."""
        return _weighted_loss(self, raw_prediction, y, sample_weight)

    def proba(self, raw_prediction):
        """Return the probability of the second class, shape (n_samples, 1)."""
        return namespace(raw_prediction).expit(raw_prediction)

    def predict(self, raw_prediction):
        """Return the more probable class of each row."""
        xp = namespace(raw_prediction)
        return xp.astype(raw_prediction[:, 0] > 0, xp.index_dtype)

    def predict_proba(self, raw_prediction):
        """Return the probability of both classes; overwrites its input."""
        xp, odds = namespace(raw_prediction), raw_prediction[:, 0]
        largest = 88.0 if odds.dtype == xp.float32 else 709.0  # exp must stay finite
        xp.exp(xp.minimum(odds, largest, out=odds), out=odds)
        proba = xp.empty((odds.shape[0], 2), odds.dtype)
        # 1 - p would lose the digits of small probabilities.
        xp.divide(odds, odds + 1, out=proba[:, 1])
        xp.divide(1.0, odds + 1, out=proba[:, 0])
        return proba

    def predict_log_proba(self, raw_prediction):
        """Return the logarithm of the probability of both classes."""
        xp = namespace(raw_prediction)
        margins = -raw_prediction, raw_prediction
        return -xp.concat([_softplus_expit(xp, m)[0] for m in margins], axis=1)

    def mean_curvature(self, proba):
        """Return each row's second derivative p (1 - p)."""
        return proba[:, 0] * (1 - proba[:, 0])

    def hessian_product(self, proba, direction):
        """Return p (1 - p) direction for each row; overwrites `direction`."""
        direction *= proba * (1 - proba)
        return direction

    def hessian(self, proba, S, sample_weight, columns=None):
        """Return sum_i s_i p_i (1 - p_i) x_i x_i', x_i the rows of S."""
        if columns is not None:
            S = namespace(S).take(S, columns[0], axis=1)
        k = proba[:, 0] * (1 - proba[:, 0])
        return namespace(S).matmul((S * (sample_weight * k)[:, None]).T, S)

    def linearization_error(self, raw_prediction, change):
        """Return the errors, and new - linearised probabilities, (n_samples, 1)."""
        xp = namespace(raw_prediction)
        p, q = xp.expit(raw_prediction), xp.expit(-raw_prediction)
        raw_prediction = raw_prediction + change
        new_p, new_q = xp.expit(raw_prediction), xp.expit(-raw_prediction)
        infeasible = (1 + q * change < 0) | (1 - p * change < 0)
        infeasible = infeasible | (xp.abs(change) > LARGEST_CHANGE)
        rest = xp.where(infeasible, new_p - p - p * q * change, 0.0)
        change = xp.clip(change, -LARGEST_CHANGE, LARGEST_CHANGE)
        # expit(a + d) - expit(a) = expit(a + d) expit(-a) (1 - exp(-d)) keeps digits.
        error = p * q * change + new_p * q * xp.expm1(-change)
        error = xp.where(infeasible, 0.0, error)
        tiny = float(xp.finfo(raw_prediction.dtype).smallest_normal)
        divergence = 0.0
        for proba, gain in ((new_p, error), (new_q, -error)):
            ratio = gain / xp.maximum(proba, tiny)
            divergence = divergence + proba * _divergence(xp, ratio)
        return divergence[:, 0], rest


def _weighted_loss(loss, raw_prediction, y, sample_weight):
    losses = loss.losses(raw_prediction, y)
    return namespace(losses).weighted_sum(losses, sample_weight)


def _divergence(xp, excess):
    """Return (1 + excess) log(1 + excess) - excess, which is never negative.

    The sum of q times this over the classes is the divergence of q (1 + excess) from q.
    """
    safe = xp.maximum(excess, -1 + 1e-6)
    return xp.where(excess < safe, 1.0, (1 + safe) * xp.log1p(safe) - safe)


def _target_prediction(xp, y, raw):
    """Return the raw prediction of each row's class, or the mean by soft targets."""
    if y.ndim == 1:
        return xp.take_label(raw, y)
    return xp.row_dots(xp.column_major(y), raw)


def _exponentiate(xp, raw):
    """Exponentiate in place and return the sum of each row, shape (n_samples,)."""
    return xp.sum(xp.exp(raw, out=raw), axis=1)


def _softplus_expit(xp, margin):
    """Return log(1 + exp(-margin)) and expit(-margin) without overflow."""
    small = xp.exp(-xp.abs(margin))
    softplus = xp.maximum(-margin, 0.0) + xp.log1p(small)
    return softplus, xp.where(margin > 0, small, 1.0) / (1 + small)
