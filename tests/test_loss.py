"""The losses against finite differences, SciPy and extreme predictions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax

from sksoftmax._loss import cross_entropy

N_CLASSES = pytest.mark.parametrize("n_classes", [2, 3, 10, 70])


@pytest.fixture(params=["labels", "probabilities"])
def sample(n_classes, request):
    rng = np.random.RandomState(0)
    loss = cross_entropy(n_classes)
    raw = 2 * rng.standard_normal((9, loss.n_outputs))
    y = rng.randint(n_classes, size=9)
    weight = rng.exponential(size=9)
    if request.param == "probabilities":
        y = rng.dirichlet(np.ones(n_classes), size=9)
    return loss, raw, y, weight


def full_columns(raw):
    """Return one column a class; two classes are log odds against zero."""
    return np.hstack([np.zeros_like(raw), raw]) if raw.shape[1] == 1 else raw


def as_table(y, loss):
    """Return a column a class for targets of either kind."""
    return np.eye(max(2, loss.n_outputs))[y] if y.ndim == 1 else y


@N_CLASSES
def test_value_is_the_weighted_sum_of_cross_entropies(sample):
    loss, raw, y, weight = sample
    losses = -(as_table(y, loss) * log_softmax(full_columns(raw), axis=1)).sum(axis=1)
    expected = weight @ losses

    assert_allclose(loss.losses(raw.copy(), y), losses, rtol=1e-12)
    assert loss.loss(raw.copy(), y, weight) == pytest.approx(expected, rel=1e-13)
    value, _ = loss.loss_gradient(raw.copy(), y, weight)
    assert value == pytest.approx(expected, rel=1e-13)


@N_CLASSES
def test_gradient_is_the_derivative_of_the_value(sample):
    loss, raw, y, weight = sample
    _, grad = loss.loss_gradient(raw.copy(), y, weight)

    differences = np.empty_like(raw)
    for place in np.ndindex(*raw.shape):
        moved = [raw.copy(), raw.copy()]
        moved[0][place] += 1e-5
        moved[1][place] -= 1e-5
        values = [loss.loss(m, y, weight) for m in moved]
        differences[place] = (values[0] - values[1]) / 2e-5

    assert_allclose(grad, differences, atol=1e-8)


@N_CLASSES
def test_hessian_product_is_the_derivative_of_the_gradient(sample):
    loss, raw, y, _ = sample
    ones = np.ones(9)
    direction = np.random.RandomState(1).standard_normal(raw.shape)

    product = loss.hessian_product(loss.proba(raw.copy()), direction.copy())

    ahead, behind = (
        loss.loss_gradient(raw + sign * 1e-5 * direction, y, ones)[1]
        for sign in (1, -1)
    )
    assert_allclose(product, (ahead - behind) / 2e-5, atol=1e-8)


@N_CLASSES
def test_curvature_is_the_mean_eigenvalue_of_the_hessian(sample):
    loss, raw, _, _ = sample
    proba = loss.proba(raw.copy())
    curvature = loss.mean_curvature(proba)

    for i in range(len(raw)):
        columns = np.eye(loss.n_outputs)
        hessian = [
            loss.hessian_product(proba[i : i + 1], column[None].copy())[0]
            for column in columns
        ]
        rank = max(1, loss.n_outputs - 1)
        assert curvature[i] == pytest.approx(np.trace(hessian) / rank)


@N_CLASSES
def test_predictions_agree_with_softmax(sample):
    loss, raw, _, _ = sample
    expected = log_softmax(full_columns(raw), axis=1)

    assert_allclose(
        loss.predict_log_proba(raw.copy()), expected, rtol=1e-12, atol=1e-14
    )
    assert_allclose(loss.predict_proba(raw.copy()), np.exp(expected), rtol=1e-12)
    assert_allclose(loss.predict(raw.copy()), expected.argmax(axis=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-30, 50.0, 1e4, 1e30])
@N_CLASSES
def test_no_magnitude_overflows(sample, size, dtype):
    loss, raw, y, weight = sample
    raw = (raw * size).astype(dtype)

    value, grad = loss.loss_gradient(raw.copy(), y, weight.astype(dtype))

    assert np.isfinite(value)
    assert np.isfinite(grad).all()
    assert np.isfinite(loss.predict_log_proba(raw.copy())).all()
    assert grad.dtype == loss.predict_proba(raw.copy()).dtype == dtype
    # The most wrong rows teach the most: the gradient is the whole weight.
    if size == 1e30 and loss.n_outputs > 1:
        sure = np.eye(loss.n_outputs)[raw.argmax(axis=1)]
        expected = weight[:, None] * (sure - as_table(y, loss))
        assert_allclose(grad, expected, atol=1e-6)


def test_a_sure_and_right_row_keeps_its_tiny_gradient():
    loss = cross_entropy(2)
    raw = np.array([[40.0], [-600.0]])

    value, grad = loss.loss_gradient(raw, np.array([1, 0]), np.ones(2))

    assert_allclose(grad[:, 0], [-np.exp(-40), np.exp(-600)], rtol=1e-14)
    assert value == pytest.approx(np.exp(-40), rel=1e-14)


def test_loss_is_summed_in_float64():
    loss = cross_entropy(2)
    n = 300_000
    raw = np.zeros((n, 1), np.float32)

    total = loss.loss(raw, np.zeros(n, int), np.ones(n, np.float32))

    assert total == pytest.approx(n * float(np.float32(np.log(2))), rel=1e-9)
