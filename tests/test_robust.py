"""Outliers, heavy tails, collinear features and old models: fit fits all the same."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier, _plateau_check, _strategy
from sksoftmax._oracle import Oracle

ALPHA = 1e-4
SLOW = pytest.mark.slow
EXACT = {"solver": "svrg", "tol": 1e-4}
SOLVERS = pytest.mark.parametrize(
    ("params", "tol"), [({}, 1e-2), (EXACT, 1e-4)], ids=["default", "svrg"]
)


@pytest.fixture
def excess(objective):
    """Return a function: by what share a model is above LogisticRegression's optimum.

    The second number is by how much its accuracy is below that of the optimum.
    """

    def excess(clf, X, y, alpha=ALPHA, solvers=("newton-cholesky", "newton-cg")):
        ones, X = np.ones(len(y)), np.asarray(X, np.float64)
        values, scores = [], []
        for solver in solvers:
            exact = LogisticRegression(
                C=1 / (alpha * len(y)) if alpha else np.inf,
                solver=solver,
                tol=1e-10,
                max_iter=2000,
                fit_intercept=clf.fit_intercept,
            )
            with threadpool_limits(1), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exact.fit(X, y)
            model = exact.coef_, exact.intercept_
            values.append(objective(X, y, ones, alpha, *model))
            scores.append(exact.score(X, y))
        reached = objective(X, y, ones, alpha, clf.coef_, clf.intercept_)
        best = int(np.argmin(values))
        return reached / values[best] - 1, scores[best] - clf.score(X, y)

    return excess


def assert_at_the_optimum(excess, tol):
    above, lost = excess
    assert above <= tol
    assert lost <= 0.01


def draw(rng, raw):
    """Return classes drawn with the probabilities of the raw predictions.

    Classes that were not drawn are left out of the numbering.
    """
    drawn = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    return np.unique(drawn, return_inverse=True)[1]


def normal_rows(n_rows, n_features, n_classes, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    return X, draw(rng, X @ rng.standard_normal((n_features, n_classes)))


# All rows in a batch


@SOLVERS
@pytest.mark.parametrize("seed", [0, 11, 12])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e7])
def test_one_wild_value_of_the_right_sign_hides_nothing(
    params, tol, seed, size, excess
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((1000, 3))
    y = (2 * X[:, 0] + rng.logistic(size=1000) > 0).astype(int)
    X[7, 0] = size if y[7] else -size

    clf = SoftmaxRegressionClassifier(**params).fit(X, y)

    assert_at_the_optimum(excess(clf, X, y), tol)


@SOLVERS
@pytest.mark.parametrize("preconditioner", ["auto", "diagonal"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_one_wild_row_hides_nothing(params, tol, preconditioner, n_classes, excess):
    X, y = normal_rows(400, 6, n_classes, seed=13)
    X[5] *= 1e5

    clf = SoftmaxRegressionClassifier(preconditioner=preconditioner, **params)
    clf.fit(X, y)

    assert_at_the_optimum(excess(clf, X, y), tol)


@SOLVERS
@pytest.mark.parametrize(
    "seed", [0, 1, 71, 72, *(pytest.param(k, marks=SLOW) for k in range(2, 60))]
)
def test_heavy_tails_end_at_the_optimum(params, tol, seed, excess):
    rng = np.random.default_rng(seed)
    X = rng.pareto(1.2, (200, 10))
    y = draw(rng, np.log1p(X) @ rng.standard_normal((10, 4)) * 2)

    clf = SoftmaxRegressionClassifier(**params).fit(X, y)

    assert excess(clf, X, y)[0] <= tol


@SOLVERS
@pytest.mark.parametrize("n_lags", [5, 20])
@pytest.mark.parametrize("seed", [0, 21])
def test_lags_of_a_smooth_series_end_at_the_optimum(params, tol, n_lags, seed, excess):
    rng = np.random.default_rng(seed)
    series = rng.standard_normal(1000 + n_lags).cumsum().cumsum()
    X = np.column_stack([series[k : k + 1000] for k in range(n_lags)])
    trend = X[:, -1] - X[:, -2]
    y = (trend + rng.logistic(size=1000) * trend.std() / 4 > np.median(trend)) * 1

    clf = SoftmaxRegressionClassifier(**params).fit(X, y)

    assert_at_the_optimum(excess(clf, X, y), tol)


@pytest.mark.parametrize("params", [{}, {"solver": "svrg", "tol": 1e-6}])
@pytest.mark.parametrize(("first", "last"), [(2000, 2020), (1900, 1990)])
def test_years_and_their_squares_end_at_the_optimum(params, first, last, objective):
    year = np.linspace(first, last, 500)
    middle = (last + first) / 2
    y = (np.abs(year - middle) < (last - first) / 4).astype(int)
    y ^= np.random.default_rng(first).random(500) < 0.1
    X, ones = np.column_stack([year, year**2]), np.ones(500)

    clf = SoftmaxRegressionClassifier(alpha=0, **params).fit(X, y)

    # The same model, of features that are easy.
    t = (year - middle) / (last - first)
    Z = np.column_stack([t, t**2])
    exact = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(Z, y)
    best = objective(Z, y, ones, 0, exact.coef_, exact.intercept_)
    reached = objective(X, y, ones, 0, clf.coef_, clf.intercept_)
    assert reached / best - 1 <= (params or {"tol": 1e-2})["tol"]
    assert clf.score(X, y) >= exact.score(Z, y) - 0.01


@SOLVERS
@pytest.mark.parametrize("mean", [1e5, 1e7])
def test_float32_far_from_zero_loses_nothing(params, tol, mean, objective):
    Z, y = normal_rows(400, 4, 3, seed=31)
    X, ones = (3 * Z + mean).astype(np.float32), np.ones(400)
    rows = X.astype(np.float64) - mean  # exact

    clf = SoftmaxRegressionClassifier(**params).fit(X, y)

    exact = LogisticRegression(C=1 / (ALPHA * 400), solver="newton-cholesky", tol=1e-10)
    exact.fit(rows, y)
    best = objective(rows, y, ones, ALPHA, exact.coef_, exact.intercept_)
    reached = objective(X, y, ones, ALPHA, clf.coef_, clf.intercept_)
    assert reached / best - 1 <= tol
    assert clf.score(X, y) >= exact.score(rows, y) - 0.01


@pytest.mark.parametrize("mean", [1e5, 1e7])
def test_streams_of_float32_far_from_zero_lose_little(mean):
    Z, y = normal_rows(4000, 4, 3, seed=31)
    X = (3 * Z + mean).astype(np.float32)
    clf = SoftmaxRegressionClassifier(random_state=0)

    for start in range(0, 4000, 400):
        rows = slice(start, start + 400)
        clf.partial_fit(X[rows], y[rows], classes=range(3))

    plain = SoftmaxRegressionClassifier(random_state=0).fit(3 * Z, y)
    assert clf.score(X, y) >= plain.score(3 * Z, y) - 0.02


@SOLVERS
@pytest.mark.parametrize("offset", [1e3, 1e4])
@pytest.mark.parametrize("seed", [0, 41])
def test_no_intercept_far_from_zero_ends_at_the_optimum(
    params, tol, offset, seed, excess
):
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((500, 5))
    y = draw(rng, Z @ rng.standard_normal((5, 3)) * 1.3)
    X = Z + offset * rng.uniform(0.5, 1.5, 5)

    clf = SoftmaxRegressionClassifier(fit_intercept=False, **params).fit(X, y)

    assert_at_the_optimum(excess(clf, X, y), tol)


@SOLVERS
@pytest.mark.parametrize("alpha", [1e-4, 1e-6])
@pytest.mark.parametrize(
    ("n_rows", "n_features", "solver"),
    [
        (40, 1000, "newton-cg"),
        pytest.param(100, 20_000, "lbfgs", marks=SLOW),
    ],
)
def test_few_rows_of_many_unequal_columns_end_at_the_optimum(
    params, tol, alpha, n_rows, n_features, solver, objective, excess
):
    rng = np.random.default_rng(n_rows)
    scales = np.exp(rng.uniform(-4.6, 4.6, n_features))
    X, y = rng.standard_normal((n_rows, n_features)) * scales, np.arange(n_rows) % 5

    clf = SoftmaxRegressionClassifier(alpha=alpha, **params).fit(X, y)

    above, lost = excess(clf, X, y, alpha, [solver])
    reached = objective(X, y, np.ones(n_rows), alpha, clf.coef_, clf.intercept_)
    floor = 1e-3 * np.log(5)  # below which `tol` is a share of this
    assert above * reached <= tol * max(reached, floor) * (1 + above)
    assert lost <= 0


@SOLVERS
@pytest.mark.parametrize("batch_size", ["auto", 16])
@pytest.mark.parametrize("distance", [30, 1e4])
def test_a_warm_start_far_away_reaches_the_optimum(params, tol, batch_size, distance):
    Z = np.linspace(-3.5, 3.5, 64)[:, None]
    z = (Z[:, 0] > 0).astype(int)
    clf = SoftmaxRegressionClassifier(
        warm_start=True, batch_size=batch_size, random_state=0, **params
    )
    cold = SoftmaxRegressionClassifier(**EXACT).fit(-Z - distance, z)

    clf.fit(Z + distance, z).fit(-Z - distance, z)

    assert clf.score(-Z - distance, z) >= cold.score(-Z - distance, z) - 0.02
    if batch_size == "auto":
        assert clf.loss_curve_[-1] <= (1 + 2 * tol) * cold.loss_curve_[-1]


@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_a_warm_start_from_an_absurd_model_is_forgotten(datasets, batch_size):
    X, y = datasets["digits"]
    clf = SoftmaxRegressionClassifier(
        warm_start=True, batch_size=batch_size, random_state=0
    )
    expected = clf.fit(X, y).score(X, y)
    clf.coef_ = 1e5 * np.random.RandomState(0).standard_normal(clf.coef_.shape)

    clf.fit(X, y)

    assert clf.score(X, y) >= expected - 0.02


# Minibatches and streams


def train(how, X, y):
    params = {
        "default": {},
        "svrg": {"solver": "svrg", "tol": 1e-3},
        "diagonal": {"preconditioner": "diagonal"},
        "batch_size": {"batch_size": 256},
        "stream": {},
    }[how]
    clf = SoftmaxRegressionClassifier(random_state=0, **params)
    if how != "stream":
        return clf.fit(X, y)
    for start in range(0, len(y), 600):
        rows = slice(start, start + 600)
        clf.partial_fit(X[rows], y[rows], classes=np.unique(y))
    return clf


def nearly_separable_rows(rng, n_rows=20000, n_classes=23, n_kinds=18):
    """Return rows of numbers with heavy tails and of categories, standardised."""
    shares = np.arange(1, n_classes + 1) ** -1.5
    y = rng.choice(n_classes, n_rows, p=shares / shares.sum())
    centres = (
        6 * rng.standard_normal((n_classes, 20)) * (rng.random((n_classes, 20)) < 0.5)
    )
    numbers = centres[y] + rng.standard_normal((n_rows, 20))
    columns = [np.sign(numbers) * np.expm1(np.minimum(np.abs(numbers), 12))]
    for _ in range(4):
        proba = rng.dirichlet(np.full(n_kinds, 0.1), n_classes)
        kinds = (rng.random((n_rows, 1)) > proba.cumsum(axis=1)[y]).sum(axis=1)
        columns.append(np.eye(n_kinds)[np.minimum(kinds, n_kinds - 1)])
    X = np.hstack(columns)
    spread = X.std(axis=0)
    return ((X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype("f4"), y


@pytest.mark.slow
def test_rows_sure_of_their_class_hide_no_plateau(monkeypatch, objective):
    policy = _strategy.DENSE._replace(full_batch_work=0)
    monkeypatch.setattr(_strategy, "DENSE", policy)
    rng = np.random.default_rng(1)
    X, weights = rng.standard_normal((20_000, 60)), rng.standard_normal((60, 40))
    y = draw(rng, 2 * X @ weights)
    clf = SoftmaxRegressionClassifier(alpha=ALPHA, random_state=0)
    exact = clone(clf).set_params(tol=1e-4).fit(X, y)

    clf.fit(X, y)

    best = objective_of(objective, exact, X, y)
    assert objective_of(objective, clf, X, y) <= 1.02 * best


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_steps_that_promise_little_and_gain_more_go_on(seed, objective):
    X, y = nearly_separable_rows(np.random.default_rng(seed))
    objectives = []
    for params in ({}, {"solver": "svrg", "tol": 1e-3}):
        clf = SoftmaxRegressionClassifier(alpha=1e-5, random_state=seed, **params)
        model = clf.fit(X, y).coef_, clf.intercept_
        objectives.append(objective(X, y, np.ones(len(y)), 1e-5, *model))
    reached, best = objectives
    assert reached <= 1.25 * best


@pytest.mark.slow
@pytest.mark.parametrize("how", ["default", "diagonal", "batch_size", "stream", "svrg"])
@pytest.mark.parametrize(("n_rows", "n_features"), [(6000, 20), (60_000, 100)])
def test_one_wild_row_among_many_changes_little(how, n_rows, n_features):
    X, y = normal_rows(n_rows + n_rows // 10, n_features, 10, seed=51)
    others, truth, X, y = X[n_rows:], y[n_rows:], X[:n_rows], y[:n_rows]
    clean = train(how, X, y).score(others, truth)
    X[7] *= 1e5

    clf = train(how, X, y)

    assert clf.score(others, truth) >= clean - 0.01


@pytest.mark.parametrize(
    "n_calls", [60, pytest.param(400, marks=SLOW)], ids=["short", "long"]
)
def test_a_bad_row_in_the_first_call_of_a_stream_is_forgotten(n_calls):
    rng = np.random.default_rng(61)
    W = rng.standard_normal((20, 5))
    others = rng.standard_normal((5000, 20))
    truth = draw(rng, others @ W)

    scores = []
    for factor in (1, 1e5):
        rng, clf = (
            np.random.default_rng(62),
            SoftmaxRegressionClassifier(random_state=0),
        )
        for k in range(n_calls):
            X = rng.standard_normal((500, 20))
            y = draw(rng, X @ W)
            X[7] *= factor if k == 0 else 1
            clf.partial_fit(X, y, classes=range(5))
        scores.append(clf.score(others, truth))

    assert scores[1] >= scores[0] - 0.01


# Intercepts


def assert_sum_is_zero(clf):
    intercept = clf.intercept_.astype(np.float64)
    assert np.abs(intercept).max() > 0
    assert np.abs(intercept.sum()) <= 1e-6 * np.abs(intercept).max()


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("params", [{}, EXACT, {"batch_size": 50}])
@pytest.mark.parametrize("name", ["iris", "wine"])
def test_intercepts_of_fit_sum_to_zero(datasets, layout, l1_ratio, params, name):
    X, y = datasets[name]
    clf = SoftmaxRegressionClassifier(
        alpha=1e-3, l1_ratio=l1_ratio, random_state=0, **params
    )

    assert_sum_is_zero(clf.fit(layout(X + 3), y))


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("params", [{}, {"learning_rate": "constant", "eta0": 1e-3}])
def test_intercepts_of_a_stream_that_grows_sum_to_zero(datasets, l1_ratio, params):
    X, y = datasets["digits"]
    clf = SoftmaxRegressionClassifier(
        alpha=1e-3, l1_ratio=l1_ratio, random_state=0, **params
    )

    for n_classes in (3, 4, 10):
        rows = y < n_classes
        clf.partial_fit(X[rows], y[rows], classes=np.arange(n_classes))
        assert_sum_is_zero(clf)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_intercepts_of_a_warm_start_sum_to_zero(datasets, l1_ratio):
    X, y = datasets["wine"]
    clf = SoftmaxRegressionClassifier(alpha=1e-3, l1_ratio=l1_ratio, warm_start=True)
    clf.fit(X, y)
    clf.intercept_ = clf.intercept_ + 1e6

    assert_sum_is_zero(clf.fit(X, y))
    assert np.abs(clf.intercept_).max() < 1e3


COLLINEAR = {
    "float64, 1e4": (np.float64, 1e4),
    "float64, 1e2": (np.float64, 1e2),
    "float32, 1e3": (np.float32, 1e3),
}


@pytest.mark.parametrize("kind", COLLINEAR)
@pytest.mark.parametrize("batch_size", ["auto", 256])
def test_features_with_a_large_common_part_are_told_apart(
    monkeypatch, kind, batch_size
):
    dtype, factor = COLLINEAR[kind]
    policy = _strategy.DENSE._replace(full_batch_work=0)
    monkeypatch.setattr(_strategy, "DENSE", policy)
    rng = np.random.RandomState(0)
    common, own = rng.standard_normal((6000, 1)), rng.standard_normal((6000, 12))
    raw = 3 * common @ rng.standard_normal((1, 5)) + own @ rng.standard_normal((12, 5))
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    X = (factor * common + own).astype(dtype)

    clf = SoftmaxRegressionClassifier(batch_size=batch_size, random_state=0).fit(X, y)

    exact = SoftmaxRegressionClassifier(solver="svrg", tol=1e-4).fit(
        X.astype(np.float64), y
    )
    losses = [log_loss(y, model.predict_proba(X)) for model in (clf, exact)]
    assert losses[0] <= 1.03 * losses[1]


LAGS = {
    "l1": {"alpha": 1e-6, "l1_ratio": 1.0},
    "elastic net": {"alpha": 1e-6, "l1_ratio": 0.1},
    "diagonal": {"alpha": 1e-7, "preconditioner": "diagonal"},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("l1", 1),
        ("l1", 3),
        ("elastic net", 1),
        ("elastic net", 3),
        ("diagonal", 0),
        ("diagonal", 3),
    ],
)
def test_lags_of_a_random_walk_end_near_the_optimum(monkeypatch, name, seed):
    policy = _strategy.DENSE._replace(full_batch_work=0)
    monkeypatch.setattr(_strategy, "DENSE", policy)
    params = LAGS[name]
    X, y = lags_of_a_random_walk(np.random.default_rng(seed), 24_000, 50, 4)

    clf = SoftmaxRegressionClassifier(random_state=0, **params).fit(X, y)

    exact = SoftmaxRegressionClassifier(solver="svrg", tol=1e-3, **params).fit(X, y)
    assert clf.loss_curve_[-1] <= 1.05 * exact.loss_curve_[-1]


def lags_of_a_random_walk(rng, n_rows, n_lags, n_classes):
    walk = rng.standard_normal(n_rows + n_lags - 1).cumsum()
    walk = (walk - walk.mean()) / walk.std()
    X = np.lib.stride_tricks.sliding_window_view(walk, n_lags)
    weights = np.diff(rng.standard_normal((n_lags + 1, n_classes)), axis=0)
    raw = X @ weights * (5 / 3 * np.sqrt(n_rows))
    y, order = draw(rng, raw - raw.mean(axis=0)), rng.permutation(n_rows)
    return X[order], y[order]


@pytest.mark.slow
@pytest.mark.parametrize("n_features", [400, 2100])
@pytest.mark.parametrize("seed", [0, 1])
def test_wide_features_of_low_rank_end_near_the_optimum(monkeypatch, n_features, seed):
    policy = _strategy.DENSE._replace(full_batch_work=0)
    monkeypatch.setattr(_strategy, "DENSE", policy)
    monkeypatch.setattr(_strategy, "GRAM_FEATURES", 300)
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((3000, 20)) @ rng.standard_normal((20, n_features))
    X = factors / 5 + rng.standard_normal(factors.shape) / 10
    weights = rng.standard_normal((n_features, 10)) / np.sqrt(n_features) * 3
    y = draw(rng, X @ weights)

    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, y)

    exact = SoftmaxRegressionClassifier(solver="svrg", tol=1e-3).fit(X, y)
    assert clf.loss_curve_[-1] <= 1.1 * exact.loss_curve_[-1]


def one_hot_and_collinear(seed, n_rows, share=1.0, noise=0.02):
    """Return sparse X and y: a category tells pairs of classes, numbers the class.

    The numbers are equal but for `noise`, and their differences tell the class. They
    are stored in a `share` of the rows.
    """
    rng = np.random.default_rng(seed)
    category, coin = rng.integers(0, 500, n_rows), rng.integers(0, 2, n_rows)
    numbers = rng.standard_normal((n_rows, 1))
    numbers = numbers + noise * rng.standard_normal((n_rows, 20))
    numbers[:, ::2] += noise * (2 * coin - 1)[:, None]
    numbers *= rng.uniform(size=(n_rows, 1)) < share
    ones = np.ones(n_rows), (np.arange(n_rows), category)
    X = sp.hstack([sp.csr_array(ones), sp.csr_array(numbers)])
    return X.tocsr(), category % 5 * 2 + coin


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("share", "params"),
    [
        (1.0, {}),
        (0.3, {}),
        (1.0, {"preconditioner": "diagonal"}),
        (1.0, {"fit_intercept": False}),
    ],
    ids=str,
)
def test_collinear_numbers_beside_one_hot_columns_are_told_apart(
    share, params, seed, objective
):
    X, y = one_hot_and_collinear(seed, 12_000, share)
    params = {"alpha": 1e-5, "random_state": 0, **params}
    exact = SoftmaxRegressionClassifier(solver="svrg", tol=1e-2, **params).fit(X, y)

    clf = SoftmaxRegressionClassifier(batch_size=256, **params).fit(X, y)

    reached, optimum = (
        objective(X, y, np.ones(len(y)), clf.alpha, m.coef_, m.intercept_)
        for m in (clf, exact)
    )
    assert reached <= 1.05 * optimum


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["sgd", "svrg"])
def test_collinear_numbers_in_few_rows_are_told_apart(solver, objective):
    X, y = one_hot_and_collinear(0, 2000)
    params = {"alpha": 1e-3, "random_state": 0}
    exact = SoftmaxRegressionClassifier(solver="svrg", tol=1e-6, **params).fit(X, y)

    clf = SoftmaxRegressionClassifier(solver=solver, batch_size=100, **params).fit(X, y)

    reached, optimum = (
        objective(X, y, np.ones(len(y)), clf.alpha, m.coef_, m.intercept_)
        for m in (clf, exact)
    )
    assert reached <= 1.03 * optimum


@pytest.mark.slow
def test_collinear_numbers_are_told_apart_with_validation_rows():
    X, y = one_hot_and_collinear(0, 20_000)
    clf = SoftmaxRegressionClassifier(alpha=1e-5, early_stopping=True, random_state=0)

    clf.fit(X, y)

    assert min(clf.validation_loss_curve_) < 0.25


@pytest.mark.parametrize("alpha", [1e-4, 1e-6])
def test_amounts_beside_one_hot_columns_take_no_costly_hessian(
    alpha, monkeypatch, objective
):
    rng, n_rows, n_categories = np.random.default_rng(0), 3000, 1500
    category, z = rng.integers(n_categories, size=n_rows), rng.standard_normal(n_rows)
    raw = z + rng.standard_normal(n_categories)[category]
    y = draw(rng, np.column_stack([np.zeros(n_rows), raw]))
    one_hot = sp.csr_array((np.ones(n_rows), (np.arange(n_rows), category)))
    amount, standardised = (
        sp.hstack([one_hot, sp.csr_array(column[:, None])]).tocsr()
        for column in (np.exp(10 + 0.5 * z), np.exp(0.5 * z))
    )
    n_hessians, hessian = [], Oracle.hessian
    monkeypatch.setattr(
        Oracle, "hessian", lambda *args: n_hessians.append(1) or hessian(*args)
    )

    clf = SoftmaxRegressionClassifier(alpha=alpha).fit(amount, y)

    assert not n_hessians  # one costs 100 times as much as all products
    exact = LogisticRegression(C=1 / (alpha * n_rows)).fit(standardised, y)
    reached, above = (  # the penalty of a standardised column is larger
        objective(X, y, np.ones(n_rows), alpha, m.coef_, m.intercept_)
        for X, m in ((amount, clf), (standardised, exact))
    )
    assert reached <= 1.01 * above


def word_counts(seed, n_rows=4000, n_words=2000, n_classes=5):
    """Return sparse counts by Zipf's law in documents of unequal lengths, and y.

    A tenth of the classes are drawn again.
    """
    rng = np.random.default_rng(seed)
    y, words = rng.integers(n_classes, size=n_rows), np.arange(n_words)
    topics = 0.3 * rng.standard_normal((n_classes, n_words)) * (words > 20)
    proba = np.exp(topics) / (words + 2.7)
    proba /= proba.sum(axis=1, keepdims=True)
    lengths = 1 + (100 * rng.lognormal(size=n_rows)).astype(int)
    X = rng.multinomial(lengths, proba[y]).astype(float)
    drawn = rng.random(n_rows) < 0.1
    y[drawn] = rng.integers(n_classes, size=drawn.sum())
    return sp.csr_array(X), y


def assert_ends_near_the_optimum(objective, X, y, alpha, **params):
    clf = SoftmaxRegressionClassifier(alpha=alpha, random_state=0)
    exact = clone(clf).set_params(solver="svrg", tol=1e-2).fit(X, y)

    clf.set_params(**params).fit(X, y)

    reached, optimum = (
        objective(X, y, np.ones(len(y)), alpha, m.coef_, m.intercept_)
        for m in (clf, exact)
    )
    assert reached <= 1.05 * optimum


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_epochs_that_go_on_for_long_end_near_the_optimum(seed, objective):
    X, y = word_counts(seed)
    assert_ends_near_the_optimum(objective, X, y, 1e-4, batch_size=128)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.2, 0.3])
def test_slightly_collinear_numbers_end_near_the_optimum(noise, objective):
    X, y = one_hot_and_collinear(0, 20_000, noise=noise)
    assert_ends_near_the_optimum(objective, X, y, 1e-5)


@pytest.mark.slow
def test_a_refused_step_on_all_rows_changes_no_later_epoch(monkeypatch):
    X, y = one_hot_and_collinear(0, 4000, noise=0.3)
    clf = SoftmaxRegressionClassifier(alpha=1e-5, batch_size=256, random_state=0)
    monkeypatch.setattr(_plateau_check, "LEAST_STEP_GAIN", np.inf)
    clf.fit(X, y)
    monkeypatch.setattr(_plateau_check, "MANY_EPOCHS", np.inf)

    untried = clone(clf).fit(X, y)

    assert len(clf.loss_curve_) > 10
    assert_array_equal(clf.coef_, untried.coef_)
    assert clf.loss_curve_ == untried.loss_curve_


def test_rows_in_a_periodic_order_are_monitored_alike():
    rng = np.random.RandomState(0)
    n_rows = 2**14
    y = np.arange(n_rows) % 4
    X = rng.standard_normal((n_rows, 5))
    X[y == 0, 0] += 8  # an easy class

    clf = SoftmaxRegressionClassifier(batch_size=512, random_state=0).fit(X, y)

    loss = log_loss(y, clf.predict_proba(X))
    assert clf.loss_curve_[-1] == pytest.approx(loss, rel=0.05)


def test_sizes_in_a_periodic_order_are_no_outliers():
    rng = np.random.RandomState(0)
    n_rows = 2**14
    X = rng.standard_normal((n_rows, 5))
    X[1::2] *= 10  # two sensors in turns
    slope = np.where(np.arange(n_rows) % 2, -0.2, 2.0)
    y = slope * X[:, 0] + rng.logistic(size=n_rows) > 0

    clf = SoftmaxRegressionClassifier(batch_size=512, random_state=0).fit(X, y)

    assert clf._state["moments"]["total"] == pytest.approx(n_rows, rel=0.02)


@pytest.mark.parametrize("value", [0.0, 1e-300])
@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_zeros_without_an_intercept(batch_size, value):
    X, y = np.full((3000, 2), value), np.arange(3000) % 2
    clf = SoftmaxRegressionClassifier(fit_intercept=False, batch_size=batch_size)

    clf.fit(X, y)

    assert_allclose(clf.predict_proba(X), 0.5, atol=1e-6)


def test_a_warm_start_outlives_a_wild_row():
    rng = np.random.RandomState(0)
    X, weights = rng.standard_normal((6000, 20)), rng.standard_normal((20, 10))
    y = (X @ weights + rng.gumbel(size=(6000, 10))).argmax(axis=1)
    y[0] = (X[0] @ weights).argmin()
    X[0] *= 1e5
    clf = SoftmaxRegressionClassifier(batch_size=256, warm_start=True, random_state=0)
    first = clf.fit(X, y).loss_curve_[0]

    assert clf.fit(X, y).loss_curve_[0] < first


@pytest.mark.slow
def test_averaging_goes_on_after_a_plateau_that_validation_outlives():
    rng = np.random.RandomState(0)
    n_rows = 6000
    X, y = rng.standard_normal((n_rows, 20)), rng.randint(2, size=n_rows)
    X[:, 0] = 0
    easy = np.arange(n_rows) % 50 == 7
    X[easy, 0] = rng.choice([-1, 1], easy.sum())
    y[easy] = X[easy, 0] > 0
    clf = SoftmaxRegressionClassifier(batch_size=64, alpha=1e-6, random_state=0)

    clf.fit(X, y, X_val=X[easy], y_val=y[easy])

    assert clf.n_iter_ > 5
    assert clf._state["iterate_minus_average"] is not None


@pytest.mark.parametrize("batch_size", ["auto", 64])
@pytest.mark.parametrize("unit", [1e-12, 1e-18, 1e-22, 1e-30, 1e-36])
def test_tiny_features_in_float32(unit, batch_size):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((600, 5))
    y = (X[:, 0] + rng.standard_normal(600) > 0) * 1
    clf = SoftmaxRegressionClassifier(alpha=0, batch_size=batch_size, random_state=0)
    expected = clone(clf).fit(X, y)

    clf.fit((X * unit).astype(np.float32), y)

    assert_allclose(clf.loss_curve_[-1], expected.loss_curve_[-1], rtol=1e-3)


def rare_classes_of_large_values(seed, n=42_000, d=100):
    """Return X and y: classes 8 and 9 are rare, and some of their values large."""
    rng = np.random.default_rng(seed)
    y = rng.choice(10, n, p=[0.45, 0.45] + [0.1 / 8] * 8)
    X = 0.3 * rng.normal(size=(n, d))
    X[np.arange(n), y] += 1
    is_rare = y >= 8
    n_rare = is_rare.sum()
    X[is_rare, 8:10] = 0.3 * rng.normal(size=(n_rare, 2))
    X[is_rare, 0] += 1
    X[is_rare, 10:30] = 20 * rng.normal(size=(n_rare, 20))
    X[is_rare, 30] += np.where(y[is_rare] == 9, 0.5, -0.5)
    return X, y


def objective_of(objective, clf, X, y):
    return objective(X, y, np.ones(len(y)), ALPHA, clf.coef_, clf.intercept_)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("share", [0.999, 1.0])
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_rare_classes_of_large_values(objective, seed, share):
    X, y = rare_classes_of_large_values(seed)
    table = np.eye(10)[y] * share + (1 - share) / 10
    other = LogisticRegression(C=1 / (ALPHA * len(y))).fit(
        X, y
    )  # 2 % above the optimum

    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, table)

    best = objective_of(objective, other, X, y)
    assert objective_of(objective, clf, X, y) <= 1.05 * best


def rare_categories(seed, share, n=210_000):
    """Return sparse X of twenty categories, and y with a share of ones."""
    rng = np.random.default_rng(seed)
    n_columns, n_values = 20, 50
    columns = rng.integers(0, n_values, (n, n_columns))
    columns += np.arange(n_columns) * n_values
    ends = np.arange(n + 1) * n_columns
    shape = n, n_columns * n_values
    X = sp.csr_array((np.ones(columns.size, "f4"), columns.ravel(), ends), shape=shape)
    score = X @ rng.normal(size=shape[1]) + 0.5 * rng.logistic(size=n)
    return X, (score > np.quantile(score, 1 - share)) * 1


@pytest.mark.slow
@pytest.mark.parametrize("share", [1e-3, 1e-4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_rare_class_of_sparse_rows(objective, seed, share):
    X, y = rare_categories(seed, share)
    exact = SoftmaxRegressionClassifier(solver="svrg").fit(X, y)

    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, y)

    best = objective_of(objective, exact, X, y)
    assert objective_of(objective, clf, X, y) <= 1.05 * best


@pytest.mark.slow
def test_a_few_heavy_rows_of_sparse_rows(objective):
    X, y = rare_categories(0, 0.5)
    weight = np.full(len(y), 1e-12)
    weight[::500] = 1.0
    exact = SoftmaxRegressionClassifier(solver="svrg").fit(X, y, weight)

    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, y, weight)

    heavy = X[::500], y[::500]
    best = objective_of(objective, exact, *heavy)
    assert objective_of(objective, clf, *heavy) <= 1.05 * best
