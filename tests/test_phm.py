"""Weights that are sums of Kronecker products (phm_order)."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._kronecker import PHM_ATTRIBUTES, KroneckerSums, best_cut
from sksoftmax._solvers.monitor import Monitor

ORDERS = pytest.mark.parametrize("order", [2, 3, 4, 5])


def random_sum(order, shape, interleaved, seed=0):
    """Return Kronecker sums, and one of them with its factors."""
    rng = np.random.RandomState(seed)
    sums = KroneckerSums(order, shape)
    if interleaved:
        sums = KroneckerSums(
            order, shape, sums.permutation.reshape(-1, order).T.ravel()
        )
    height, width = (-(-size // order) for size in shape)
    A, S = (
        rng.standard_normal((order,) * 3),
        rng.standard_normal((order, height, width)),
    )
    return sums, sums.join(A, S), A, S


def kronecker(clf):
    """Return coef_ from the factors, by the definition."""
    total = sum(map(np.kron, clf.phm_A_, clf.phm_S_))
    padded = np.empty_like(total)
    padded[:, clf.phm_permutation_] = total
    return padded[: len(clf.classes_), : clf.n_features_in_]


@pytest.mark.parametrize("shape", [(12, 60), (7, 50), (10, 64)], ids=str)
@pytest.mark.parametrize("interleaved", [True, False])
@ORDERS
def test_a_sum_is_its_own_nearest(order, interleaved, shape):
    sums, coef, *_ = random_sum(order, shape, interleaved)

    near = sums.nearest(coef)

    assert near.shape == shape
    assert_allclose(near, coef, atol=1e-12)
    assert_allclose(sums.join(*sums.factors(coef)), coef, atol=1e-12)


def test_the_nearest_sum_is_a_stationary_point():
    sums, near, A, S = random_sum(2, (4, 8), True)
    coef = near + np.random.RandomState(1).standard_normal((4, 8))

    near = KroneckerSums(2, (4, 8), sums.permutation).nearest(coef)

    A, S = sums.factors(near)
    residual = coef - near
    for k in np.ndindex(A.shape):
        change = np.zeros_like(A)
        change[k] = 1
        assert abs((residual * sums.join(change, S)).sum()) < 1e-12
    for k in np.ndindex(S.shape):
        change = np.zeros_like(S)
        change[k] = 1
        assert abs((residual * sums.join(A, change)).sum()) < 1e-12


@pytest.mark.parametrize("interleaved", [True, False])
def test_the_cut_that_a_sum_has_is_found(interleaved):
    sums, coef, *_ = random_sum(3, (9, 60), interleaved)

    assert_array_equal(best_cut(3, coef, np.ones(60)).permutation, sums.permutation)


def test_places_that_stand_for_no_weight_are_free():
    _, coef, *_ = random_sum(3, (8, 59), False)
    restarted = KroneckerSums(3, (8, 59))

    lost = [np.abs(coef - restarted.nearest(coef)).max() for _ in range(500)]

    assert lost[0] > 0.1
    assert lost[-1] < 1e-3


@pytest.fixture(scope="module")
def split(digits):
    return train_test_split(*digits, random_state=0)


@pytest.mark.slow
@ORDERS
def test_the_factors_are_the_weights(split, order):
    X, X_test, y, y_test = split
    full = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    clf = SoftmaxRegressionClassifier(phm_order=order, random_state=0)

    clf.fit(X, y)

    assert_allclose(clf.coef_, kronecker(clf), atol=1e-13)
    assert clf.n_parameters_ == clf.phm_A_.size + clf.phm_S_.size < full.coef_.size
    assert clf.phm_A_.dtype == clf.phm_S_.dtype == clf.coef_.dtype
    assert clf.score(X_test, y_test) > 0.87 > 0.1 + full.score(X_test, y_test) / 2


@pytest.mark.parametrize("learning_rate", ["auto", "constant"])
@pytest.mark.parametrize("average", [True, False])
def test_a_stream_and_one_epoch_have_factors_too(split, learning_rate, average):
    X, X_test, y, y_test = split
    params = {"learning_rate": learning_rate, "average": average, "random_state": 0}
    clf = SoftmaxRegressionClassifier(phm_order=5, batch_size=32, **params)

    for start in range(0, len(X), 200):
        rows = slice(start, start + 200)
        clf.partial_fit(X[rows], y[rows], classes=np.arange(10))
        assert_allclose(clf.coef_, kronecker(clf), atol=1e-13)
    in_a_stream = clf.score(X_test, y_test)
    clf.set_params(max_iter=1, tol=None).fit(X, y)

    assert in_a_stream > (0.8 if learning_rate == "auto" else 0.4)
    assert_allclose(clf.coef_, kronecker(clf), atol=1e-13)


def test_validation_watches_the_model_of_fewer_weights(split):
    X, X_test, y, y_test = split
    clf = SoftmaxRegressionClassifier(phm_order=4, random_state=0)

    clf.fit(X, y, X_val=X_test, y_val=y_test)

    loss = log_loss(y_test, clf.predict_proba(X_test))
    assert clf.best_validation_loss_ == pytest.approx(loss, rel=1e-3)
    assert min(clf.validation_loss_curve_) < clf.validation_loss_curve_[0]
    assert len(clf.loss_curve_) == clf.n_iter_


@pytest.mark.parametrize("average", [True, False])
def test_the_objective_of_the_last_epoch_is_that_of_the_model(split, average):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(
        phm_order=4,
        average=average,
        preconditioner="diagonal",
        alpha=0.1,
        random_state=0,
    )

    clf.fit(X, y)

    objective = log_loss(y, clf.predict_proba(X)) + 0.05 * np.square(clf.coef_).sum()
    assert clf.loss_curve_[-1] == pytest.approx(objective, rel=1e-9)


@pytest.mark.parametrize("learning_rate", ["auto", "constant", "invscaling"])
@pytest.mark.parametrize("order", [None, 4])
def test_a_warm_start_worse_than_zeros_starts_from_zeros(split, order, learning_rate):
    X, _, y, _ = split
    params = {"phm_order": order, "learning_rate": learning_rate, "random_state": 0}
    params |= {"max_iter": 5, "tol": None}
    cold = SoftmaxRegressionClassifier(**params).fit(X, y)
    warm = SoftmaxRegressionClassifier(warm_start=True, **params)
    warm.classes_, warm.intercept_ = np.arange(10), np.zeros(10)
    warm.coef_ = 1e4 * np.random.RandomState(0).standard_normal((10, 64))

    warm.fit(X, y)

    assert_array_equal(warm.coef_, cold.coef_)


@pytest.mark.parametrize("average", [True, False])
def test_the_best_model_with_padding_is_returned(average):
    rng = np.random.RandomState(0)
    coef = rng.standard_normal((5, 101))
    X = rng.standard_normal((1200, 101))
    y = (X @ coef.T + 3 * rng.gumbel(size=(1200, 5))).argmax(axis=1)
    clf = SoftmaxRegressionClassifier(
        phm_order=4,
        alpha=1e-6,
        average=average,
        tol=1e-3,
        n_iter_no_change=10,
        random_state=0,
    )

    clf.fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])

    loss = log_loss(y[400:], clf.predict_proba(X[400:]))
    assert np.argmin(clf.validation_loss_curve_) < clf.n_iter_ - 5
    assert clf.best_validation_loss_ == pytest.approx(loss, rel=1e-9)
    assert_allclose(clf.coef_, kronecker(clf), atol=1e-13)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (1.05, None),
        (1.2, "1.2, but epoch 2 had 1. phm_order=4 "),
        (2.31, "2.31, but weights of zero have 2.303. phm_order=4 "),
        (25.0, "25, but weights of zero have 2.303. phm_order=4 "),
    ],
)
def test_a_bad_last_epoch_warns(split, monkeypatch, last, expected):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, max_iter=3, tol=None)
    objectives = iter([2.0, 2.0, 1.0, last])
    monkeypatch.setattr(Monitor, "objective", lambda *_: next(objectives))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf.fit(X, y)

    messages = [str(one.message) for one in caught]
    assert len(messages) == (expected is not None)
    assert all(expected in text and "StandardScaler" in text for text in messages)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("order", [2, 4])
def test_features_in_other_units_train(split, order, size):
    X, X_test, y, y_test = split
    scales = 10 ** np.random.RandomState(0).uniform(-size, size, X.shape[1])
    clf = SoftmaxRegressionClassifier(phm_order=order, random_state=0)

    clf.fit(X * scales, y)

    assert clf.score(X_test * scales, y_test) > 0.85
    assert clf.loss_curve_[-1] < 0.4


@pytest.mark.parametrize("shape", [(12, 60), (7, 50)], ids=str)
@ORDERS
def test_the_gradient_in_the_factors_is_that_of_their_sum(order, shape):
    sums, _, A, S = random_sum(order, shape, True)
    rng = np.random.RandomState(1)
    grad, dA, dS = map(rng.standard_normal, (shape, A.shape, S.shape))

    A_grad, S_grad = sums.gradient(grad, A, S)

    # The sum is linear in both factors, so central differences are exact.
    change = (sums.join(A + dA, S + dS) - sums.join(A - dA, S - dS)) / 2
    assert (A_grad * dA).sum() + (S_grad * dS).sum() == pytest.approx(
        (grad * change).sum(), rel=1e-9
    )


def polish(clf, X, y, sample_weight=None, label_smoothing=0.0):
    """Return the objective of the model, and after SciPy's steps in the factors."""
    sums = KroneckerSums(len(clf.phm_A_), clf.coef_.shape, clf.phm_permutation_)
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    weight = weight / weight.sum()
    target = (1 - label_smoothing) * np.eye(10)[y] + label_smoothing / 10
    start = [clf.phm_A_, clf.phm_S_, clf.intercept_]
    ends = np.cumsum([part.size for part in start])[:-1]

    def evaluate(flat):
        A, S, intercept = np.split(flat, ends)
        A, S = A.reshape(start[0].shape), S.reshape(start[1].shape)
        coef = sums.join(A, S)
        log_proba = log_softmax(X @ coef.T + intercept, axis=1)
        raw_grad = weight[:, None] * (np.exp(log_proba) - target)
        grads = sums.gradient(raw_grad.T @ X + clf.alpha * coef, A, S)
        value = -(weight @ (target * log_proba).sum(axis=1))
        value += clf.alpha / 2 * np.square(coef).sum()
        grad = [*grads, clf.fit_intercept * raw_grad.sum(axis=0)]
        return value, np.concatenate([part.ravel() for part in grad])

    flat = np.concatenate([part.ravel() for part in start])
    options = {"maxiter": 400}
    polished = minimize(evaluate, flat, jac=True, method="L-BFGS-B", options=options)
    return evaluate(flat)[0], polished.fun


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "is_weighted"),
    [
        ({"phm_order": 2, "alpha": 1e-4}, False),
        ({"phm_order": 4, "alpha": 1e-4}, True),
        ({"phm_order": 4, "alpha": 1e-4, "label_smoothing": 0.1}, False),
        ({"phm_order": 2, "alpha": 1e-4, "preconditioner": "diagonal"}, False),
        ({"phm_order": 5, "alpha": 1e-4, "fit_intercept": False}, False),
    ],
)
def test_training_ends_near_a_local_optimum(split, params, is_weighted):
    X, _, y, _ = split
    X, y, weight = X[:400], y[:400], None
    if is_weighted:
        weight = np.random.RandomState(0).uniform(0.2, 2, 400)
    clf = SoftmaxRegressionClassifier(random_state=0, **params)

    clf.fit(X, y, weight)

    smoothing = params.get("label_smoothing", 0.0)
    objective, best = polish(clf, X, y, weight, smoothing)
    assert clf.loss_curve_[-1] == pytest.approx(objective, rel=1e-6)
    assert objective < 1.03 * best


@pytest.mark.parametrize(("factor", "alpha"), [(0, 1e-4), (1, 100)])
def test_weights_near_zero_at_the_optimum_do_not_warn(split, factor, alpha):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, alpha=alpha, random_state=0)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(factor * X, y)

    assert clf.loss_curve_[-1] < np.log(10)


def test_training_that_ends_before_its_plateau_warns(split):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, max_iter=20, random_state=0)

    with pytest.warns(ConvergenceWarning, match="max_iter=20 was reached"):
        clf.fit(X, y)


def test_no_iteration_raises_the_scaled_distance(monkeypatch):
    rng = np.random.RandomState(0)
    coef, scale = rng.standard_normal((7, 50)), 10 ** rng.uniform(-1, 1, 50)

    distances = []
    for n_iterations in range(10):
        monkeypatch.setattr("sksoftmax._kronecker.N_ITERATIONS", n_iterations)
        near = KroneckerSums(3, coef.shape, scale=scale).nearest(coef)
        distances.append(np.square((coef - near) * scale).sum())

    assert (np.diff(distances) < 0).all()


def test_features_far_from_zero_keep_their_intercept(split):
    X, X_test, y, y_test = split
    near, far = (
        SoftmaxRegressionClassifier(phm_order=5, random_state=0, max_iter=1, tol=None)
        for _ in range(2)
    )
    near.fit(X, y)

    far.fit(X + 1000, y)

    assert far.score(X_test + 1000, y_test) > near.score(X_test, y_test) - 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("order", "shape"), [(3, (6, 30)), (5, (10, 64))])
def test_planted_factors_are_found(order, shape):
    _, coef, *_ = random_sum(order, shape, False)
    coef = coef * 1.5 / np.sqrt(shape[1])
    rng = np.random.RandomState(0)
    X = rng.standard_normal((40_000, shape[1]))
    raw = X @ coef.T
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    train, test = slice(0, 20_000), slice(20_000, None)
    clf = SoftmaxRegressionClassifier(phm_order=order, random_state=0)

    clf.fit(X[train], y[train])

    proba = np.exp(raw[test])
    proba /= proba.sum(axis=1, keepdims=True)
    found, planted = (log_loss(y[test], p) for p in (clf.predict_proba(X[test]), proba))
    assert found < 1.01 * planted
    full = SoftmaxRegressionClassifier(random_state=0).fit(X[train], y[train])
    # As good with a third of the weights, or a fifth: the full model overfits little.
    assert found < 1.002 * log_loss(y[test], full.predict_proba(X[test]))


def test_diverging_steps_are_named(split):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(
        phm_order=2, learning_rate="constant", eta0=1e300, batch_size=100
    )

    with pytest.raises(ValueError, match=r"Training diverged.*eta0=1e\+300"):
        clf.fit(X * 1e10, y)

    assert not hasattr(clf, "coef_")


@pytest.mark.slow
def test_wide_rows_take_the_diagonal_metric(split):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, random_state=0)

    clf.fit(np.tile(X, 40), y)

    assert clf._state["solver_state"]["preconditioner_name"] == "diagonal"
    assert_allclose(clf.coef_, kronecker(clf), atol=1e-13)
    assert clf.score(np.tile(X, 40), y) > 0.9


def test_none_is_the_ordinary_model(split):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=2, random_state=0).fit(X, y)

    clf.set_params(phm_order=None).fit(X, y)

    plain = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    assert_array_equal(clf.coef_, plain.coef_)
    assert set(vars(clf)) == set(vars(plain))


def test_pickles_hold_the_factors_alone(split):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, random_state=0).fit(X, y)

    copied = pickle.loads(pickle.dumps(clf))

    assert clf.__getstate__()["coef_"] is None
    assert_array_equal(copied.coef_, clf.coef_)
    assert_allclose(copied.predict_proba(X), clf.predict_proba(X), atol=1e-14)
    copied.partial_fit(X[:100], y[:100])
    assert_allclose(copied.coef_, kronecker(copied), atol=1e-13)


def test_edited_weights_are_kept_whole(split):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, random_state=0).fit(X, y)
    clf.coef_ = clf.coef_ + np.arange(64)

    copied = pickle.loads(pickle.dumps(clf))

    assert_array_equal(copied.coef_, clf.coef_)


def test_a_copy_keeps_an_edited_dtype(split):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, random_state=0)
    clf.fit(X.astype(np.float32), y)
    clf.coef_ = clf.coef_.astype(np.float64)

    copied = pickle.loads(pickle.dumps(clf))

    assert copied.coef_.dtype == np.float64
    assert_array_equal(copied.coef_, clf.coef_)


def test_new_classes_come_and_orders_change(split):
    X, _, y, _ = split
    known = y < 7
    clf = SoftmaxRegressionClassifier(phm_order=3, random_state=0)
    clf.fit(X[known], y[known])

    for _ in range(5):
        clf.partial_fit(X, y, classes=np.arange(10))
    after_three = clf.score(X, y)
    clf.set_params(phm_order=2).partial_fit(X, y)

    assert after_three > 0.8
    assert clf.phm_A_.shape == (2, 2, 2)
    assert_allclose(clf.coef_, kronecker(clf), atol=1e-13)


def test_a_stream_without_the_order_has_no_factors(split):
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, random_state=0).fit(X, y)

    clf.set_params(phm_order=None).partial_fit(X, y)

    assert vars(clf).keys().isdisjoint(PHM_ATTRIBUTES)


def test_classes_without_rows_leave_no_factors_of_other_classes(split):
    X, _, y, _ = split
    known = y < 8
    clf = SoftmaxRegressionClassifier(phm_order=4, random_state=0)
    clf.fit(X[known], y[known])

    clf.partial_fit(X, y, classes=np.arange(10), sample_weight=np.zeros(len(X)))

    assert vars(clf).keys().isdisjoint(PHM_ATTRIBUTES)
    clf.partial_fit(X, y)
    assert_allclose(clf.coef_, kronecker(clf), atol=1e-13)


def test_onnx_holds_the_factors_alone(split):
    pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="as above")
    import skl2onnx

    from sksoftmax.onnx import register

    register()
    X, X_test, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, random_state=0).fit(X, y)

    model = skl2onnx.to_onnx(clf, X[:1], options={"zipmap": False})

    sizes = [int(np.prod(one.dims)) for one in model.graph.initializer]
    assert max(sizes) == clf.phm_S_.size < clf.coef_.size
    session = onnxruntime.InferenceSession(model.SerializeToString())
    _, proba = session.run(None, {"X": X_test})
    assert_allclose(proba, clf.predict_proba(X_test), atol=1e-6)


@pytest.mark.parametrize("opset", [9, 10])
def test_onnx_without_padding_by_an_input_is_refused(split, opset):
    skl2onnx = pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")
    from sksoftmax.onnx import register

    register()
    X, _, y, _ = split
    clf = SoftmaxRegressionClassifier(phm_order=4, random_state=0).fit(X, y)

    with pytest.raises(ValueError, match=f"at least 11 .*phm_order=4, got {opset}"):
        skl2onnx.to_onnx(clf, X[:1], options={"zipmap": False}, target_opset=opset)


@pytest.mark.parametrize(
    ("params", "change", "message"),
    [
        (
            {"phm_order": 9},
            None,
            r"phm_order .* got 9: coef_ has 640 weights, .* would have 873",
        ),
        ({"phm_order": 1}, None, "'phm_order' parameter"),
        ({"phm_order": 2, "l1_ratio": 0.5}, None, "Use l1_ratio=0"),
        ({"phm_order": 2, "solver": "svrg"}, None, "Use solver='sgd'"),
        ({"phm_order": 2}, "sparse", "dense NumPy arrays|Sparse data was passed"),
        ({"phm_order": 2}, "two classes", "coef_ has 64 weights, .* 72"),
    ],
)
def test_what_does_not_work_says_what_to_do(split, params, change, message):
    X, _, y, _ = split
    X = sp.csr_array(X) if change == "sparse" else X
    y = y % 2 if change == "two classes" else y
    clf = SoftmaxRegressionClassifier(**params)

    with pytest.raises((ValueError, TypeError), match=message):
        clf.fit(X, y)

    assert not hasattr(clf, "coef_")
