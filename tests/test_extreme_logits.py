"""The losses and proximal maps against 50 digits, where floats run out of range."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._loss import cross_entropy
from sksoftmax._penalty import ElasticNet, Shrinkage

mp = pytest.importorskip("mpmath").MPContext()
mp.dps = 50
exact = np.vectorize(lambda value: mp.mpf(float(value)), otypes=[object])
exp = np.vectorize(mp.exp, otypes=[object])

# Around where exp over- and underflows in float32 (88.7, -87.3, -103.9) and float64
# (709.8, -708.4, -745.1), and where 1 + exp(-x) is 1 (16.6 and 36.7).
SIZES = [0.0, 1e-8, 30.0, 88.0, 89.0, 700.0, 709.0, 710.0, 1e4]
DTYPES = [np.float32, np.float64]

EXTREMES = pytest.mark.parametrize(
    ("size", "dtype"),
    list(product(SIZES, DTYPES)),
    ids=lambda value: getattr(value, "__name__", str(value)),
)
N_CLASSES = pytest.mark.parametrize("n_classes", [2, 3, 70])
TARGETS = pytest.mark.parametrize("targets", ["labels", "probabilities"])


def raw_predictions(size, n_classes, dtype):
    """Return both signs of a size, beside each other, beside others, and in ties."""
    if n_classes == 2:
        return np.array([[size], [-size]], dtype)
    rows = [
        [size, 0, -size],
        [-size, 0, size],
        [size, size, size],
        [-size, -size, -size],
        [size, size, 0],
        [0, -size, -size],
        [-size, 30, 1e-8],
    ]
    if n_classes > 3:
        rows = rows[1::3]
    repeats = -(-n_classes // 3)
    return np.tile(np.array(rows, dtype), repeats)[:, :n_classes]


def with_targets(raw, n_classes, targets):
    """Return each row of raw predictions with each of a few targets and a weight."""
    if targets == "labels":
        choices = np.unique([0, 1, n_classes - 1])
    else:
        sure, likely = np.eye(n_classes)[[0, -1]]
        likely = 0.75 * likely + 0.25 * sure
        even = np.full(n_classes, 1 / n_classes)
        choices = np.array([sure, likely, even], raw.dtype)
    pairs = list(product(range(len(raw)), range(len(choices))))
    of_raw, of_choices = np.array(pairs).T
    weight = np.array([1, 0.3, 0, 0.7], raw.dtype)[np.arange(len(pairs)) % 4]
    return raw[of_raw], choices[of_choices], weight


def full_columns(raw):
    """Return one column a class; two classes are log odds against zero."""
    return np.hstack([np.zeros_like(raw), raw]) if raw.shape[1] == 1 else raw


def log_softmax(raw):
    """Return the logarithms of the probabilities of all classes, in 50 digits."""
    raw = exact(full_columns(raw))
    largest, rows = raw.argmax(axis=1), np.arange(len(raw))
    raw -= raw[rows, largest][:, None]
    others = exp(raw)
    others[rows, largest] = 0  # 50 digits of 1 + exp(-700) would not show it
    return raw - np.array([mp.log1p(rest) for rest in others.sum(axis=1)])[:, None]


def as_table(y, n_classes):
    return exact(np.eye(n_classes)[y] if y.ndim == 1 else y)


def own_columns(table):
    """Return the columns that the loss has: of two classes the second one."""
    return table[:, 1:] if table.shape[1] == 2 else table


def assert_near(got, expected, ulps, at_one=0.0):
    """Compare in units of eps: relative to what is expected, and `at_one` to one.

    Numbers that are not normal have fewer digits: they may be off by the smallest
    normal number.
    """
    finfo = np.finfo(got.dtype)
    eps = mp.mpf(float(finfo.eps))
    bound = eps * (ulps * abs(expected) + at_one) + mp.mpf(float(finfo.tiny))
    error = abs(exact(got) - expected)
    assert np.isfinite(got).all()
    worst = np.unravel_index(np.argmax(error - bound), error.shape)
    assert (error <= bound).all(), (
        f"{got[worst]!r} at {worst} instead of {mp.nstr(expected[worst], 20)}"
    )


def ulps_of_proba(raw):
    """Return the relative error, in eps, that a softmax may have.

    Two for exp, one each for the quotient and its parts, half an eps for each term of
    the sum, and for what subtracting the maximum rounds: half an eps of the difference,
    which exp turns into a relative error.
    """
    raw = full_columns(raw).astype(np.float64)
    distance = raw.max(axis=1, keepdims=True) - raw
    return exact(6 + raw.shape[1] / 2 + distance / 2)


@EXTREMES
@N_CLASSES
def test_probabilities_keep_their_digits_however_small(size, dtype, n_classes):
    raw = raw_predictions(size, n_classes, dtype)
    expected, ulps = exp(log_softmax(raw)), ulps_of_proba(raw)
    loss = cross_entropy(n_classes)

    proba = loss.predict_proba(raw.copy())
    column_statistics = loss.proba(raw.copy())

    assert proba.dtype == column_statistics.dtype == dtype
    assert_near(proba, expected, ulps)
    assert_near(column_statistics, own_columns(expected), own_columns(ulps))
    eps = np.finfo(dtype).eps
    assert_allclose(proba.sum(axis=1), 1, rtol=(4 + n_classes / 2) * eps)


@EXTREMES
@N_CLASSES
def test_logarithms_of_probabilities(size, dtype, n_classes):
    raw = raw_predictions(size, n_classes, dtype)
    expected, loss = log_softmax(raw), cross_entropy(n_classes)

    log_proba = loss.predict_log_proba(raw.copy())

    # The sigmoid has log1p; a softmax is the logarithm of a sum rounded near one.
    at_one = 0 if n_classes == 2 else 4 + n_classes / 2
    assert_near(log_proba, expected, 4, at_one)


@EXTREMES
@N_CLASSES
@TARGETS
def test_losses(size, dtype, n_classes, targets):
    raw = raw_predictions(size, n_classes, dtype)
    raw, y, weight = with_targets(raw, n_classes, targets)
    log_proba, table = log_softmax(raw), as_table(y, n_classes)
    expected, loss = -(table * log_proba).sum(axis=1), cross_entropy(n_classes)

    losses = loss.losses(raw.copy(), y)
    total = loss.loss(raw.copy(), y, weight)
    value, _ = loss.loss_gradient(raw.copy(), y, weight)

    # As of the logarithms, and one for each product that a mean adds up. Of the sigmoid
    # even losses of rows that are sure and right keep all digits.
    n_terms = n_classes if targets == "probabilities" else 1
    ulps, at_one = 5 + n_terms, 0 if n_classes == 2 else 4 + n_classes / 2
    if n_classes > 2 and targets == "probabilities":
        at_one += float(n_terms * size)  # its terms may cancel those of the maximum
    assert_near(losses, expected, ulps, at_one)
    # Their sum is of float64: the errors of the rows add up, and no others.
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
    bound = exact(weight) @ (ulps * expected + at_one) * eps + len(raw) * tiny
    for sum_of_losses in (total, value):
        assert abs(mp.mpf(float(sum_of_losses)) - exact(weight) @ expected) <= bound


@EXTREMES
@N_CLASSES
@TARGETS
def test_gradients(size, dtype, n_classes, targets):
    raw = raw_predictions(size, n_classes, dtype)
    raw, y, weight = with_targets(raw, n_classes, targets)
    table, scale = as_table(y, n_classes), exact(weight)[:, None]
    proba, ulps = exp(log_softmax(raw)), ulps_of_proba(raw) + 2
    of_others = (proba * (1 - table)).sum(axis=1)[:, None]  # where the target is 1
    expected = scale * np.where(table == 1, -of_others, proba - table)

    _, grad = cross_entropy(n_classes).loss_gradient(raw.copy(), y, weight)

    assert grad.dtype == dtype
    if n_classes == 2 and targets == "labels":
        # Nothing is subtracted: a row that is sure and right keeps all digits too.
        assert_near(grad, own_columns(expected), own_columns(ulps))
    else:
        # The errors of a probability, of the target, and of their difference.
        at_one = scale * (ulps * proba + table)
        assert_near(grad, own_columns(expected), 1, own_columns(at_one))


@EXTREMES
@N_CLASSES
def test_curvature_and_products_with_the_hessian(size, dtype, n_classes):
    raw = raw_predictions(size, n_classes, dtype)
    loss, table = cross_entropy(n_classes), exp(log_softmax(raw))
    columns = own_columns(table)
    direction = np.linspace(-2, 3, raw.size).reshape(raw.shape).astype(dtype)
    V, ulps = exact(direction), ulps_of_proba(raw)
    mean_direction = (columns * V).sum(axis=1)[:, None]
    hessian_product = columns * (V - mean_direction)
    curvature = (1 - (table**2).sum(axis=1)) / (n_classes - 1)
    if n_classes == 2:  # its Hessian is one number, half the sum of both eigenvalues
        curvature /= 2
    proba = loss.proba(raw.copy())

    product_with_hessian = loss.hessian_product(proba, direction.copy())

    # Both come from probabilities with their errors, and from differences of numbers
    # of at most 1, and 3 in the directions.
    worst = (ulps.max(axis=1) + n_classes) * 2
    assert_near(loss.mean_curvature(proba), curvature, 0, worst / (n_classes - 1))
    at_one = 2 * 3 * columns * worst[:, None]
    assert_near(product_with_hessian, hessian_product, 0, at_one)


@N_CLASSES
@TARGETS
@pytest.mark.parametrize("size", [0.0, 1e-8, 1.0, 6.0])
def test_derivatives_are_central_differences(size, n_classes, targets):
    raw = raw_predictions(size, n_classes, np.float64)
    raw, y, _ = with_targets(raw, n_classes, targets)
    loss, ones, step = cross_entropy(n_classes), np.ones(len(raw)), 1e-4
    direction = np.cos(np.arange(raw.size)).reshape(raw.shape)

    def gradient(raw):
        return loss.loss_gradient(raw.copy(), y, ones)[1]

    grad = gradient(raw)
    hessian_product = loss.hessian_product(loss.proba(raw.copy()), direction.copy())

    # step^2 / 6 times a third derivative of at most 1 / 8, and rounding / step.
    tolerance = 2e-9 + 8 * np.finfo(float).eps * n_classes / step
    for column in range(raw.shape[1]):
        moved = step * np.eye(raw.shape[1])[column]
        ahead, behind = (loss.losses(raw + s * moved, y) for s in (1, -1))
        assert_allclose(grad[:, column], (ahead - behind) / (2 * step), atol=tolerance)
    ahead, behind = (gradient(raw + s * step * direction) for s in (1, -1))
    assert_allclose(hessian_product, (ahead - behind) / (2 * step), atol=tolerance)


LOG_FACTORS = [0.0, -1e-12, -1e-3, -1.0, -700.0]
THRESHOLDS = [0.0, 1e-12, 1e-3, 0.7]
WEIGHTS = [0.0, 1e-30, -1e-3, 1.0, -1e8]
DRIFTS = [-0.9, -1e-3, 0.0, 1e-12, 2.0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("times", [0, 1, 2, 15])
@pytest.mark.parametrize("drifts", [None, DRIFTS], ids=["no drift", "drift"])
def test_shrinking_many_times_is_a_loop_of_50_digits(dtype, times, drifts):
    log_factor, threshold, weight, drift = np.array(
        list(product(LOG_FACTORS, THRESHOLDS, WEIGHTS, drifts or [0.0])), dtype
    ).T[:, :, None]
    shrinkage = Shrinkage(log_factor, threshold, True)
    factor, reach, expected = exp(exact(log_factor)), exact(threshold), exact(weight)
    for _ in range(times):
        moved = factor * expected - exact(drift)
        expected = np.where(
            abs(moved) <= reach, 0, moved - np.where(moved > 0, reach, -reach)
        )
    weights = weight.copy()

    shrinkage.repeat(weights, np.array([times]), displacement=drift if drifts else None)

    # Each product, geometric sum and difference has a few eps of the largest number
    # that goes into it: the weight as it shrinks, and all that was subtracted.
    kept = np.array([mp.exp(times * f) for f in exact(log_factor)[:, 0]])[:, None]
    terms = np.where(
        factor == 1, times, (1 - kept) / np.where(factor == 1, 1, 1 - factor)
    )
    parts = abs(exact(weight)) * kept + terms * (reach + abs(exact(drift)))
    # A factor that is nearly one has lost digits in 1 - factor, but for expm1.
    rounded = 8 + abs(exact(log_factor)) * times
    assert_near(weights, expected, 0, rounded * parts)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("strength", [0.0, 1e-30, 1e-8, 0.3, 0.999, 1e3, 1e30])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_a_step_of_any_length_is_that_of_50_digits(l1_ratio, strength, dtype):
    weights = np.array([[3.0], [-1e-3], [1e-20], [0.5]], dtype)
    penalty = ElasticNet(strength, l1_ratio, 3, True, dtype)
    l2, l1 = exact(penalty.l2), exact(penalty.l1)
    before = exact(weights)
    size = abs(before) - l1
    expected = np.where(size > 0, size / (1 + l2), 0) * np.sign(weights).astype(int)
    no_overshoot = np.where(l2 < 1, 1 - l2, 0)
    by_gradient = no_overshoot * before
    size = abs(by_gradient) - l1
    by_gradient = np.where(size > 0, size, 0) * np.sign(weights).astype(int)
    proximal, explicit = weights.copy(), weights.copy()

    penalty.proximal_step(1.0).repeat(proximal, np.array([1]))
    penalty.gradient_step(1.0).repeat(explicit, np.array([1]))

    # exp(-log1p(l2)) turns the rounding of the logarithm, at most half an eps of 70,
    # into a relative error; a gradient step that would overshoot keeps one eps.
    assert_near(proximal, expected, 0, 40 * abs(before))
    assert_near(explicit, by_gradient, 0, 40 * abs(before))
    assert_array_equal(proximal[3], weights[3])
    assert_array_equal(explicit[3], weights[3])
