"""With solver="svrg" the model is the optimum, LogisticRegression's, to many digits."""

import warnings
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from sksoftmax import SoftmaxRegressionClassifier, _strategy

LAYOUT = pytest.mark.parametrize(
    "layout", [np.asarray, sp.csr_array], ids=["dense", "csr"]
)
SMALL = [
    "iris",
    "wine",
    "breast_cancer",
    pytest.param("digits", marks=pytest.mark.slow),
]
NAME = pytest.mark.parametrize(
    "name", [*SMALL, "two classes", "many classes", "wide", "mostly zeros"]
)
VARIANTS = ["plain", "sample_weight", "balanced", "no intercept"]


def generated(name):
    rng = np.random.RandomState(0)
    if name == "two classes":
        return make_classification(400, 30, n_informative=10, random_state=rng)
    if name == "many classes":
        return make_classification(
            900, 15, n_informative=12, n_classes=20, random_state=rng
        )
    if name == "wide":
        return make_classification(
            60, 150, n_informative=20, n_classes=3, random_state=rng
        )
    X = rng.exponential(size=(500, 40)) * (rng.uniform(size=(500, 40)) < 0.1)
    raw = X @ rng.standard_normal((40, 5)) + rng.gumbel(size=(500, 5))
    return X, raw.argmax(axis=1)


@pytest.fixture(scope="session")
def task(datasets, solve):
    """Return a function that makes a task and solves it with LogisticRegression."""

    @cache
    def task(name, variant="plain", C=1.0):
        X, y = datasets[name] if name in datasets else generated(name)
        return X, y, *solve(X, y, C, variant)

    return task


@NAME
@pytest.mark.parametrize("variant", VARIANTS)
@LAYOUT
def test_probabilities_in_one_batch_are_those_of_the_optimum(
    task, name, variant, layout
):
    X, y, sample_weight, _, params, exact = task(name, variant)

    clf = SoftmaxRegressionClassifier(solver="svrg", tol=1e-9, **params)
    clf.fit(layout(X), y, sample_weight)

    assert_allclose(clf.predict_proba(X), exact.predict_proba(X), rtol=0, atol=1e-4)


@NAME
@LAYOUT
def test_probabilities_in_float32_are_those_of_the_optimum(task, name, layout):
    X, y, _, _, params, exact = task(name)
    single = layout(X.astype(np.float32))

    clf = SoftmaxRegressionClassifier(solver="svrg", tol=1e-6, **params).fit(single, y)

    proba = clf.predict_proba(single)
    assert proba.dtype == np.float32
    assert_allclose(proba, exact.predict_proba(X), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "preconditioner"),
    [
        ("wine", "gram"),
        ("wine", "diagonal"),
        pytest.param("digits", "gram", marks=pytest.mark.slow),
        ("mostly zeros", "gram"),
        ("mostly zeros", "diagonal"),
    ],
)
@LAYOUT
def test_probabilities_in_minibatches_are_those_of_the_optimum(
    task, name, preconditioner, layout
):
    X, y, _, _, params, exact = task(name)

    clf = SoftmaxRegressionClassifier(
        solver="svrg",
        batch_size=64,
        tol=1e-8,
        preconditioner=preconditioner,
        random_state=0,
        **params,
    ).fit(layout(X), y)

    assert_allclose(clf.predict_proba(X), exact.predict_proba(X), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("C", [1, 100])
@pytest.mark.parametrize(
    "tol", [*(pytest.param(t, marks=pytest.mark.slow) for t in (1e-2, 1e-4)), 1e-6]
)
@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_gap_to_the_optimum_is_within_tol(task, objective, name, C, tol, batch_size):
    X, y, _, row_weight, params, exact = task(name, C=C)

    clf = SoftmaxRegressionClassifier(
        solver="svrg",
        tol=tol,
        batch_size=batch_size,
        max_iter=5000,
        random_state=0,
        **params,
    ).fit(X, y)

    best, ours = (
        objective(X, y, row_weight, params["alpha"], model.coef_, model.intercept_)
        for model in (exact, clf)
    )
    # Below a thousandth of log(n_classes), tol is relative to that.
    floor = 1e-3 * np.log(len(clf.classes_))
    assert ours - best <= tol * max(best, floor)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_path_of_warm_starts_takes_fewer_epochs_to_the_same_objectives(
    digits, objective, batch_size
):
    X, y = digits
    params = {"solver": "svrg", "tol": 1e-4, "batch_size": batch_size}
    warm = SoftmaxRegressionClassifier(warm_start=True, random_state=0, **params)
    n_warm, n_cold, values = [], [], []

    for alpha in np.logspace(-1, -4, 10):
        cold = SoftmaxRegressionClassifier(alpha=alpha, random_state=0, **params)
        n_cold.append(cold.fit(X, y).n_iter_)
        n_warm.append(warm.set_params(alpha=alpha).fit(X, y).n_iter_)
        values.append(
            [
                objective(X, y, np.ones(len(y)), alpha, model.coef_, model.intercept_)
                for model in (warm, cold)
            ]
        )

    values_warm, values_cold = np.transpose(values)
    assert_allclose(values_warm, values_cold, rtol=1e-4)
    assert sum(n_warm[1:]) < 0.8 * sum(n_cold[1:])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("tol", [0.0, None])
def test_separable_rows_with_a_tiny_penalty_end_at_a_finite_model(dtype, l1_ratio, tol):
    X, y = np.array([[-1.0], [1.0]] * 20, dtype), [0, 1] * 20
    clf = SoftmaxRegressionClassifier(
        solver="svrg", alpha=1e-30, l1_ratio=l1_ratio, tol=tol, max_iter=200
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no optimum to converge to
        clf.fit(X, y)

    assert clf.loss_curve_[-1] < 1e-6
    assert np.isfinite(clf.coef_).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "l1_ratio"), [(1e-46, 0.0), (1e-46, 0.5), (1e-40, 1 - 1e-7)]
)
def test_a_penalty_below_the_range_of_float32_trains_as_none(alpha, l1_ratio):
    rng = np.random.RandomState(0)
    Z, common = rng.standard_normal((20_000, 20)), rng.standard_normal((20_000, 1))
    X = (3 * common + np.logspace(0, -3, 20) * Z).astype(np.float32)
    y = (Z[:, 10:].sum(axis=1) + rng.standard_normal(20_000) > 0).astype(int)
    y += Z[:, 0] > 1
    params = {"solver": "svrg", "batch_size": 256, "preconditioner": "diagonal"}
    params.update(fit_intercept=False, tol=1e-4, max_iter=20, random_state=0)
    clf = SoftmaxRegressionClassifier(l1_ratio=l1_ratio, **params)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # max_iter is 20
        coefs = [clone(clf).set_params(alpha=a).fit(X, y).coef_ for a in (0, alpha)]

    assert coefs[0].dtype == np.float32
    assert_array_equal(coefs[1], coefs[0])


@pytest.mark.parametrize(
    ("eps", "params"), [(1e-3, {}), (0.01, {"preconditioner": "diagonal"})]
)
def test_fit_of_collinear_features_goes_beyond_the_first_step(eps, params):
    rng = np.random.RandomState(0)
    Z = rng.standard_normal((4000, 8))
    y = (Z @ rng.standard_normal(8) + rng.standard_normal(4000) > 0).astype(int)
    X = rng.standard_normal((4000, 1)) + eps * Z

    clf = SoftmaxRegressionClassifier(alpha=1e-8, **params).fit(X, y)

    assert clf.score(X, y) > 0.85  # the first step leaves it at .51


@pytest.mark.slow
@pytest.mark.parametrize(
    ("common", "n_features", "batch_size"),
    [(1000, 50, 256), (3000, 20, 256), (1000, 200, "auto")],
)
def test_float32_tells_features_with_a_large_common_part_apart(
    monkeypatch, common, n_features, batch_size
):
    rng, shape = np.random.RandomState(0), (8000, n_features)
    factor, own = rng.standard_normal((shape[0], 1)), rng.standard_normal(shape)
    raw = 3 * factor @ rng.standard_normal((1, 5))
    raw += own @ rng.standard_normal((n_features, 5)) * 3 / n_features**0.5
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    X = (common * factor + own).astype(np.float32)

    exact = SoftmaxRegressionClassifier().fit(X, y)
    policy = _strategy.DENSE._replace(full_batch_work=0)
    monkeypatch.setattr(_strategy, "DENSE", policy)
    clf = SoftmaxRegressionClassifier(batch_size=batch_size, random_state=0).fit(X, y)

    # float32 hid the own parts from the preconditioner: 2.3, 2.4 and 1.03 times the
    # optimum.
    assert clf.coef_.dtype == np.float32
    assert clf.loss_curve_[-1] < 1.02 * exact.loss_curve_[-1]


@pytest.mark.parametrize("batch_size", ["auto", 10])
def test_optimum_of_zeros_is_found_without_a_warning(batch_size, recwarn):
    X = np.random.RandomState(0).standard_normal((100, 4))
    clf = SoftmaxRegressionClassifier(
        solver="svrg", l1_ratio=1.0, alpha=10.0, fit_intercept=False
    )

    clf.set_params(batch_size=batch_size).fit(X, X[:, 0] > 0)

    assert not clf.coef_.any()
    assert not recwarn.list


def test_stream_after_svrg_stays_near_the_optimum(datasets, objective):
    X, y = datasets["digits"]
    clf = SoftmaxRegressionClassifier(
        solver="svrg", batch_size=64, alpha=1e-3, tol=1e-4, random_state=0
    ).fit(X, y)
    best, count = clf.loss_curve_[-1], clf.t_

    for _ in range(5):
        clf.partial_fit(X, y)

    after = objective(X, y, np.ones(len(y)), 1e-3, clf.coef_, clf.intercept_)
    assert after < 1.05 * best  # minibatch noise leads away from it, but not far
    assert clf.t_ > count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "n_classes", "decay", "factor", "batch_size", "exponents"),
    [
        ((20000, 50), 50, 1.0, 11.3, "auto", [-3, -4, -5]),
        ((4000, 40), 20, 0.5, 6.3, 256, [-3, -4, -4.5, -5, -5.5]),
    ],
)
def test_a_path_of_warm_starts_ends_no_worse_than_other_fits(
    objective, shape, n_classes, decay, factor, batch_size, exponents
):
    rng = np.random.RandomState(0)
    scale = shape[1] ** 0.5 / 3 * (1.0 + np.arange(shape[1])) ** -decay
    X = rng.standard_normal(shape) * scale
    raw = factor * X @ rng.standard_normal((shape[1], n_classes))
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    params = {"batch_size": batch_size, "random_state": 0}
    warm = SoftmaxRegressionClassifier(warm_start=True, **params)
    values_warm, values_cold = [], []

    for alpha in 10.0 ** np.array(exponents):
        cold = SoftmaxRegressionClassifier(alpha=alpha, **params)
        for model, values in ((warm, values_warm), (cold, values_cold)):
            model.set_params(alpha=alpha).fit(X.astype(np.float32), y)
            arrays = np.ones(len(y)), alpha, model.coef_, model.intercept_
            values.append(objective(X, y, *arrays))

    floor = 1e-3 * np.log(n_classes)
    assert (np.array(values_warm) <= 1.04 * np.array(values_cold) + floor).all()


def sparse_rows():
    rng = np.random.RandomState(0)
    X = sp.random(20000, 2000, 0.02, format="csr", random_state=0)
    raw = 20 * (X @ rng.standard_normal((2000, 10)))
    return X, (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("tol", [1e-2, 1e-4])
def test_a_warm_start_at_the_optimum_becomes_no_worse(objective, tol):
    X, y = sparse_rows()
    X, y = X[:2500], y[:2500]
    clf = SoftmaxRegressionClassifier(
        alpha=1e-5, solver="svrg", tol=1e-4, random_state=0
    ).fit(X, y)
    weights = np.ones(2500), 1e-5
    best = objective(X, y, *weights, clf.coef_, clf.intercept_)

    clf.set_params(warm_start=True, solver="sgd", batch_size=256, tol=tol)
    clf.fit(X, y)

    assert objective(X, y, *weights, clf.coef_, clf.intercept_) <= (1 + 1e-5) * best


@pytest.mark.slow
def test_an_epoch_of_noise_does_not_end_a_warm_start_on_sparse_rows(objective):
    X, y = sparse_rows()
    warm = SoftmaxRegressionClassifier(warm_start=True, random_state=0)
    for alpha in 10.0 ** np.array([-4, -4.5, -5, -5.5, -6]):
        warm.set_params(alpha=alpha).fit(X, y)
    cold = clone(warm).set_params(warm_start=False).fit(X, y)

    value, expected = (
        objective(X, y, np.ones(len(y)), 1e-6, m.coef_, m.intercept_)
        for m in (warm, cold)
    )
    assert value <= 1.05 * expected


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("max_iter", [9, 10, 11])
def test_the_loss_curve_ends_at_the_objective_of_the_model(objective, max_iter):
    rng = np.random.RandomState(0)  # the tenth epoch ends with a trial of a Newton step
    X = rng.standard_normal((2000, 40)) * 2 / (1.0 + np.arange(40)) ** 0.5
    raw = 6 * X @ rng.standard_normal((40, 20))
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    clf = SoftmaxRegressionClassifier(
        alpha=1e-6, batch_size=32, tol=1e-4, max_iter=max_iter, random_state=0
    ).fit(X, y)

    value = objective(X, y, np.ones(2000), 1e-6, clf.coef_, clf.intercept_)
    assert clf.loss_curve_[-1] == pytest.approx(value, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [1e-4, 1e-5, 1e-6])
def test_given_batches_end_near_the_optimum_of_weak_penalties(alpha):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((4000, 40)) * 2 / (1.0 + np.arange(40)) ** 0.5
    raw = 6 * X @ rng.standard_normal((40, 20))
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    clf = SoftmaxRegressionClassifier(alpha=alpha, random_state=0)
    optimum = clone(clf).set_params(solver="svrg").fit(X, y).loss_curve_[-1]

    clf.set_params(batch_size=256).fit(X, y)

    value = log_loss(y, clf.predict_proba(X)) + alpha / 2 * np.square(clf.coef_).sum()
    assert value < 1.1 * optimum
