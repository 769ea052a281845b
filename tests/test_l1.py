"""Elastic net: the optimum and the zeros are saga's, and lazy steps lose nothing."""

import pickle
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.utils.fixes import parse_version
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._oracle import Oracle
from sksoftmax._penalty import ElasticNet

LAYOUT = pytest.mark.parametrize(
    "layout", [np.asarray, sp.csr_array], ids=["dense", "csr"]
)
L1_RATIO = pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
C = 0.1
# Before 1.8 l1_ratio has to be asked for by name, and from then on must not be.
ASK = {}
if parse_version(sklearn.__version__) < parse_version("1.8"):
    ASK = {"penalty": "elasticnet"}


@pytest.fixture
def elastic_net(objective):
    """Return the documented objective, with L1, in float64."""

    def elastic_net(model, X, y, alpha, l1_ratio):
        coef = np.asarray(model.coef_, np.float64)
        smooth = objective(
            X, y, np.ones(len(y)), alpha * (1 - l1_ratio), coef, model.intercept_
        )
        return smooth + alpha * l1_ratio * np.abs(coef).sum()

    return elastic_net


@pytest.fixture(scope="session")
def task(datasets):
    """Return a function that makes a task and solves it with saga."""

    @cache
    def task(name, l1_ratio):
        X, y = datasets[name.removesuffix(", two classes")]
        if name == "iris":
            X = (X - X.mean(axis=0)) / X.std(axis=0)
        elif name == "digits, two classes":
            X, y = X[y < 2], y[y < 2]
        exact = LogisticRegression(
            C=C,
            l1_ratio=l1_ratio,
            solver="saga",
            tol=1e-8,
            max_iter=100_000,
            random_state=0,
            **ASK,
        )
        with threadpool_limits(1):
            exact.fit(X, y)
        return X, y, {"alpha": 1 / (C * len(y)), "l1_ratio": l1_ratio}, exact

    return task


@pytest.fixture(scope="session")
def counts():
    """Rows like word counts: mostly zeros, more columns than a batch touches."""
    rng = np.random.RandomState(0)
    X = sp.csr_array(sp.random(600, 300, density=0.01, random_state=rng))
    raw = X @ rng.standard_normal((300, 4)) * 5 + rng.gumbel(size=(600, 4))
    return X, raw.argmax(axis=1)


def support(coef):
    return np.abs(coef) > 1e-4 * np.abs(coef).max()


# The optimum


@pytest.mark.parametrize(
    "name",
    [
        "iris",
        pytest.param("digits", marks=pytest.mark.slow),
        "breast_cancer",
        "digits, two classes",
    ],
)
@L1_RATIO
@LAYOUT
def test_all_rows_reach_the_optimum_and_its_zeros(
    task, elastic_net, name, l1_ratio, layout
):
    X, y, params, exact = task(name, l1_ratio)

    clf = SoftmaxRegressionClassifier(solver="svrg", tol=1e-6, **params)
    clf.fit(layout(X), y)

    ours, best = (elastic_net(model, X, y, **params) for model in (clf, exact))
    assert ours == pytest.approx(best, rel=1e-4)
    assert_array_equal(support(clf.coef_), support(exact.coef_))
    assert_array_equal(clf.coef_ == 0, exact.coef_ == 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iris", "digits", "breast_cancer"])
@L1_RATIO
@LAYOUT
def test_minibatches_reach_it_too(task, elastic_net, name, l1_ratio, layout):
    X, y, params, exact = task(name, l1_ratio)

    clf = SoftmaxRegressionClassifier(
        solver="svrg", batch_size=64, tol=1e-5, random_state=0, **params
    ).fit(layout(X), y)

    ours, best = (elastic_net(model, X, y, **params) for model in (clf, exact))
    assert ours == pytest.approx(best, rel=1e-4)
    assert_array_equal(support(clf.coef_), support(exact.coef_))
    assert_array_equal(clf.coef_ == 0, exact.coef_ == 0)


@pytest.mark.parametrize("batch_size", ["auto", 64])
@LAYOUT
def test_much_of_it_leaves_the_intercept_alone(datasets, batch_size, layout):
    X, y = datasets["breast_cancer"]

    clf = SoftmaxRegressionClassifier(
        alpha=10, l1_ratio=1, solver="svrg", batch_size=batch_size, tol=1e-6
    ).fit(layout(X), y)

    assert_array_equal(clf.coef_, np.zeros((1, 30)))
    frequencies = np.bincount(y) / len(y)
    assert_allclose(clf.predict_proba(X), np.tile(frequencies, (len(y), 1)), atol=1e-3)


# The zeros


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["sgd", "svrg"])
def test_sparsify_keeps_what_is_not_zero(digits, solver):
    X, y = digits
    clf = SoftmaxRegressionClassifier(alpha=5e-3, l1_ratio=1, solver=solver).fit(X, y)
    expected, coef, size = clf.predict_proba(X), clf.coef_, len(pickle.dumps(clf))
    n_nonzero = np.count_nonzero(coef)

    clf.sparsify()

    assert 0 < n_nonzero < coef.size / 3
    assert sp.issparse(clf.coef_)
    assert clf.coef_.nnz == n_nonzero
    assert_allclose(clf.predict_proba(X), expected, atol=1e-12)
    assert len(pickle.dumps(clf)) < size


@pytest.mark.slow
@L1_RATIO
@LAYOUT
def test_minibatches_of_sgd_find_zeros(digits, l1_ratio, layout):
    X, y = digits

    clf = SoftmaxRegressionClassifier(
        alpha=5e-3, l1_ratio=l1_ratio, batch_size=64, random_state=0
    ).fit(layout(X), y)

    # Three columns of the digits are zero in all rows; these are not all.
    assert np.count_nonzero(clf.coef_ == 0) > 0.3 * clf.coef_.size
    assert clf.score(X, y) > 0.85


@LAYOUT
def test_streams_find_zeros(digits, layout):
    X, y = digits
    clf = SoftmaxRegressionClassifier(
        alpha=5e-3, l1_ratio=1, batch_size=64, random_state=0
    )

    for start in range(0, len(X), 300):
        rows = slice(start, start + 300)
        clf.partial_fit(layout(X[rows]), y[rows], classes=np.arange(10))

    assert np.count_nonzero(clf.coef_ == 0) > 0.3 * clf.coef_.size
    assert clf.score(X, y) > 0.85


@LAYOUT
def test_l1_may_come_later_in_a_stream(digits, layout):
    X, y = digits
    clf = SoftmaxRegressionClassifier(alpha=5e-3, batch_size=64, random_state=0)
    clf.partial_fit(layout(X), y, classes=np.arange(10))
    n_before = np.count_nonzero(clf.coef_[:, X.any(axis=0)])

    clf.set_params(l1_ratio=1.0).partial_fit(layout(X), y).partial_fit(layout(X), y)

    assert n_before == 10 * np.count_nonzero(X.any(axis=0))
    assert np.count_nonzero(clf.coef_) < 0.7 * n_before
    assert clf.score(X, y) > 0.85


# What may wait until a column is next used


@pytest.mark.parametrize(
    "how",
    [
        {"learning_rate": "auto"},
        {"learning_rate": "constant"},
        {"learning_rate": "constant", "average": False},
        {"learning_rate": "invscaling"},
        {"learning_rate": "auto", "solver": "svrg"},
    ],
    ids=lambda how: "-".join(map(str, how.values())),
)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_lazy_steps_equal_dense_ones(counts, how, l1_ratio):
    X, y = counts
    lazy, dense = (
        SoftmaxRegressionClassifier(
            alpha=1e-3,
            l1_ratio=l1_ratio,
            preconditioner="diagonal",
            batch_size=64,
            max_iter=6,
            tol=None,
            random_state=0,
            **how,
        ).fit(data, y)
        for data in (X, X.toarray())
    )

    size = np.abs(dense.coef_).max()
    assert_allclose(lazy.coef_, dense.coef_, rtol=0, atol=1e-10 * size)
    assert_allclose(lazy.intercept_, dense.intercept_, rtol=0, atol=1e-10 * size)
    assert_array_equal(lazy.coef_ == 0, dense.coef_ == 0)
    assert (dense.coef_ == 0).any() == (l1_ratio > 0)
    assert dense.coef_.any()


# Large values


@L1_RATIO
@pytest.mark.parametrize("n_outputs", [3, 4])
def test_no_common_change_lowers_the_penalty_without_the_common_part(
    n_outputs, l1_ratio
):
    penalty = ElasticNet(0.1, l1_ratio, 20, True, np.float64)
    weights = np.random.default_rng(0).standard_normal((21, n_outputs)).round(1)
    weights[:5, 0] = 0

    part = penalty.common_part(weights)

    assert part[-1] == 0  # the intercept has no penalty
    for row, common in zip(weights[:-1], part[:-1], strict=True):
        changes = np.append(np.linspace(-3, 3, 61), common)[:, None, None]
        values = [penalty.value(row - c, slice(0, 1)) for c in changes]
        assert values[-1] <= min(values) + 1e-9


@pytest.mark.parametrize(
    ("n_classes", "l1_ratio", "alpha"),
    [(3, 1.0, 1e-4), (3, 1.0, 1e-6), (4, 1.0, 1e-5), (3, 0.5, 1e-6)],
)
def test_dates_beside_one_hot_columns_take_few_products(
    monkeypatch, n_classes, l1_ratio, alpha
):
    rng, n_rows, n_categories = np.random.default_rng(0), 300, 10
    category, z = rng.integers(n_categories, size=n_rows), rng.standard_normal(n_rows)
    raw = rng.standard_normal((n_categories, n_classes))[category]
    raw += 0.5 * z[:, None] * rng.standard_normal(n_classes)
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    one_hot = sp.csr_array((np.ones(n_rows), (np.arange(n_rows), category)))
    X = sp.hstack([one_hot, sp.csr_array((1.6e9 + 1e7 * z)[:, None])]).tocsr()
    n_products, product = [], Oracle.hessian_product
    monkeypatch.setattr(
        Oracle, "hessian_product", lambda *args: n_products.append(1) or product(*args)
    )

    SoftmaxRegressionClassifier(alpha=alpha, l1_ratio=l1_ratio).fit(X, y)

    assert len(n_products) <= 60


@pytest.mark.parametrize(("alpha", "most_steps"), [(2e-3, 15), (3e-4, 20)])
def test_images_take_few_steps_to_the_optimum(digits, alpha, most_steps):
    # The conjugate gradients of 8 passes took 45 to 60 steps.
    params = {"alpha": alpha, "l1_ratio": 1.0}
    clf = SoftmaxRegressionClassifier(**params).fit(*digits)

    exact = SoftmaxRegressionClassifier(solver="svrg", tol=1e-6, **params).fit(*digits)
    assert clf.loss_curve_[-1] <= 1.01 * exact.loss_curve_[-1]
    assert clf.n_iter_ <= most_steps


@pytest.mark.parametrize("n_features", [3, 120])
@pytest.mark.parametrize("alpha", [1e-6, 10.0])
def test_weights_without_an_intercept(alpha, n_features):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, n_features)), rng.integers(3, size=40)
    clf = SoftmaxRegressionClassifier(alpha=alpha, l1_ratio=1.0, fit_intercept=False)

    clf.fit(X, y)

    assert np.any(clf.coef_) == (alpha < 1)


# What cannot be


def test_the_full_matrix_makes_no_zeros(digits):
    clf = SoftmaxRegressionClassifier(l1_ratio=0.5, preconditioner="gram")

    with pytest.raises(ValueError, match=r"l1_ratio=0, got 0\.5.*'diagonal'"):
        clf.fit(*digits)
    assert not hasattr(clf, "coef_")


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
def test_svrg_takes_automatic_steps(digits, learning_rate):
    clf = SoftmaxRegressionClassifier(solver="svrg", learning_rate=learning_rate)

    with pytest.raises(ValueError, match=f"{learning_rate}.*learning_rate='auto'"):
        clf.fit(*digits)
    assert not hasattr(clf, "coef_")
