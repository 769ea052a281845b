"""The optimum is LogisticRegression's, and so are the defaults' predictions."""

import pickle
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier

RELEASE = tuple(map(int, sklearn.__version__.split(".")[:2]))

DATA = pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
C = pytest.mark.parametrize(
    "C",
    [
        pytest.param(0.1, marks=pytest.mark.slow),
        1,
        pytest.param(10, marks=pytest.mark.slow),
    ],
)
VARIANT = pytest.mark.parametrize(
    "variant", ["plain", "sample_weight", "balanced", "no intercept", "float32"]
)


@pytest.fixture(scope="module")
def task(datasets, solve):
    """Return a function that makes a task and solves it with LogisticRegression."""

    @cache
    def task(name, C, variant):
        X, y = datasets[name]
        solved = solve(X, y, C, variant)
        return X.astype(np.float32 if variant == "float32" else X.dtype), y, *solved

    return task


@DATA
@C
@VARIANT
def test_full_batch_reaches_the_optimum(task, objective, name, C, variant):
    X, y, sample_weight, row_weight, params, exact = task(name, C, variant)

    clf = SoftmaxRegressionClassifier(batch_size=len(y), tol=1e-6, **params)
    clf.fit(X, y, sample_weight)

    best, ours = (
        objective(X, y, row_weight, params["alpha"], model.coef_, model.intercept_)
        for model in (exact, clf)
    )
    # In float32 the sums over features and rows are good to five digits or so.
    assert ours <= best * (1 + (1e-4 if variant == "float32" else 1e-6))
    assert_allclose(clf.predict_proba(X), exact.predict_proba(X), atol=1e-3)
    assert clf.coef_.dtype == clf.predict_proba(X).dtype == X.dtype


@DATA
@C
@VARIANT
def test_defaults_are_within_one_percent(task, objective, name, C, variant):
    X, y, sample_weight, row_weight, params, exact = task(name, C, variant)

    clf = SoftmaxRegressionClassifier(**params).fit(X, y, sample_weight)

    best, ours = (
        objective(X, y, row_weight, params["alpha"], model.coef_, model.intercept_)
        for model in (exact, clf)
    )
    assert ours <= max(best * 1.01, best + 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("preconditioner", ["gram", "diagonal"])
@pytest.mark.parametrize("n_classes", [2, 10])
def test_minibatches_come_near_the_optimum(
    digits, objective, solve, preconditioner, n_classes
):
    X, y = digits
    X, y = X[y < n_classes], y[y < n_classes]
    alpha = 1e-3
    *_, exact = solve(X, y, 1 / (alpha * len(y)), "plain")

    models = [
        SoftmaxRegressionClassifier(
            alpha=alpha,
            batch_size=32,
            tol=1e-3,
            preconditioner=preconditioner,
            random_state=seed,
        ).fit(X, y)
        for seed in range(5)
    ]

    best, *ours = (
        objective(X, y, np.ones(len(y)), alpha, model.coef_, model.intercept_)
        for model in (exact, *models)
    )
    assert np.median(ours) <= best * 1.02
    assert max(ours) <= best * 1.05
    for model in models:
        assert np.mean(model.predict(X) == exact.predict(X)) > 0.99


def distance(clf, exact):
    """Return the norm of the difference of the weights, relative to their norm."""
    ours, theirs = (coef - coef.mean(axis=0) * (len(coef) > 1) for coef in (clf, exact))
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


@DATA
@pytest.mark.parametrize("C", [0.01, 1, 100])
@pytest.mark.parametrize(
    ("tol", "documented"), [(1e-2, 3e-2), (1e-4, 3e-3), (1e-6, 2e-4), (1e-8, 2e-5)]
)
def test_digits_of_penalised_coefficients(task, name, C, tol, documented):
    X, y, _, _, params, exact = task(name, C, "plain")

    clf = SoftmaxRegressionClassifier(solver="svrg", tol=tol, **params).fit(X, y)

    assert distance(clf.coef_, exact.coef_) < 2 * documented


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("common", [0, 0.8])
@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_digits_of_unpenalised_coefficients(n_classes, common, tol):
    rng = np.random.RandomState(0)
    X = (1 - common) * rng.standard_normal((1000, 8)) + common * rng.rand(1000, 1)
    noise = rng.gumbel(size=(1000, n_classes))
    y = np.argmax(X @ rng.standard_normal((8, n_classes)) + noise, axis=1)
    C = np.inf if RELEASE >= (1, 8) else 1e12
    exact = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12).fit(X, y)

    clf = SoftmaxRegressionClassifier(alpha=0, tol=tol).fit(X, y)

    assert distance(clf.coef_, exact.coef_) < 1e-5


@pytest.mark.parametrize("batch_size", ["auto", 32])
def test_units_of_the_features_do_not_matter(digits, batch_size):
    X, y = digits
    units = 10 ** np.random.RandomState(0).uniform(-3, 3, X.shape[1])
    params = {"alpha": 0, "batch_size": batch_size, "random_state": 0, "max_iter": 3}

    models = [
        SoftmaxRegressionClassifier(tol=None, **params).fit(data, y)
        for data in (X, X * units)
    ]

    assert_allclose(
        models[0].predict_proba(X), models[1].predict_proba(X * units), atol=1e-6
    )


@pytest.mark.parametrize("preconditioner", ["gram", "diagonal"])
@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_offsets_of_the_features_do_not_matter(digits, preconditioner, batch_size):
    X, y = digits
    params = {"preconditioner": preconditioner, "batch_size": batch_size}
    near, far = (
        SoftmaxRegressionClassifier(tol=1e-3, random_state=0, **params).fit(
            X + shift, y
        )
        for shift in (0, 1000)
    )

    # What is centered differs, so the paths do; the models may not.
    loss_near, loss_far = near.loss_curve_[-1], far.loss_curve_[-1]
    assert loss_far == pytest.approx(loss_near, rel=0.1)
    assert far.score(X + 1000, y) == pytest.approx(near.score(X, y), abs=0.01)


# The full batch says that float32 ends its progress early; both are good models.
@pytest.mark.filterwarnings("ignore:.*no step lowered the objective in float32")
@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_offsets_at_the_limit_of_float32_are_no_silent_failure(digits, batch_size):
    X, y = digits
    far = (X + 1e5).astype(np.float32)  # in steps of 1 / 128

    clf = SoftmaxRegressionClassifier(batch_size=batch_size, random_state=0).fit(far, y)

    assert clf.score(far, y) > 0.9


@pytest.mark.slow
def test_many_classes_and_unscaled_features(objective):
    rng = np.random.RandomState(0)
    centers = rng.standard_normal((300, 20)) * 50
    y = np.repeat(np.arange(300), 10)
    X = centers[y] + rng.standard_normal((3000, 20)) * 30
    lr = LogisticRegression(C=1 / (1e-4 * 3000), max_iter=1000)
    with threadpool_limits(1):
        lr.fit(X, y)

    clf = SoftmaxRegressionClassifier(batch_size=256, random_state=0).fit(X, y)

    ours, theirs = (
        objective(X, y, np.ones(3000), 1e-4, m.coef_, m.intercept_) for m in (clf, lr)
    )
    assert ours <= theirs + 0.05


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("preconditioner", ["gram", "diagonal"])
def test_the_model_has_the_objective_it_reports(
    objective, solve, layout, preconditioner
):
    rng = np.random.RandomState(0)
    X = rng.uniform(1, 4, size=(600, 40))  # each column far from zero
    raw = (X - 2.5) @ rng.standard_normal((40, 5))
    y = (raw + rng.gumbel(size=(600, 5))).argmax(axis=1)

    clf = SoftmaxRegressionClassifier(preconditioner=preconditioner).fit(layout(X), y)

    ours = objective(X, y, np.ones(600), 1e-4, clf.coef_, clf.intercept_)
    assert clf.loss_curve_[-1] == pytest.approx(ours, rel=1e-9)
    *_, exact = solve(X, y, 1 / (1e-4 * 600), "plain")
    best = objective(X, y, np.ones(600), 1e-4, exact.coef_, exact.intercept_)
    assert ours <= 1.01 * best


@pytest.mark.parametrize(("n_features", "alpha"), [(300, 1e-2), (2100, 1e-2)])
def test_more_features_than_rows(objective, n_features, alpha):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((50, n_features))
    y = (X[:, 0] + 0.5 * rng.standard_normal(50) > 0).astype(int)
    lr = LogisticRegression(C=1 / (alpha * 50), tol=1e-8, max_iter=5000).fit(X, y)

    clf = SoftmaxRegressionClassifier(alpha=alpha).fit(X, y)

    ours, best = (
        objective(X, y, np.ones(50), alpha, m.coef_, m.intercept_) for m in (clf, lr)
    )
    assert ours <= 1.01 * best


@DATA
@VARIANT
def test_alpha_of_one_by_the_weights_is_the_penalty_of_c_1(task, name, variant):
    X, y, sample_weight, _, params, exact = task(name, 1, variant)
    params = {**params, "alpha": "1/n_samples"}

    clf = SoftmaxRegressionClassifier(solver="svrg", tol=1e-7, **params)
    clf.fit(X, y, sample_weight)

    assert_allclose(clf.predict_proba(X), exact.predict_proba(X), atol=1e-3)
    assert clf.get_params()["alpha"] == "1/n_samples"


WEIGHT = 1.0 + np.arange(150) % 3
ONE_BY_THE_WEIGHTS = {
    "weights": ({}, {"sample_weight": WEIGHT}, 300),
    "weights of zero": ({}, {"sample_weight": WEIGHT - 1}, 150),
    "small weights": ({}, {"sample_weight": WEIGHT / 300}, 1),
    "class weights": ({"class_weight": {0: 2, 1: 0.5}}, {}, 175),
    "balanced": ({"class_weight": "balanced"}, {"sample_weight": WEIGHT}, 300),
    "both": ({"class_weight": {0: 3}}, {"sample_weight": WEIGHT}, 498),
    "L1": ({"l1_ratio": 1.0}, {"sample_weight": WEIGHT}, 300),
    "minibatches": ({"batch_size": 32}, {"sample_weight": WEIGHT}, 300),
    "textbook": ({"learning_rate": "constant", "tol": None, "max_iter": 3}, {}, 150),
    "PHM": ({"phm_order": 2, "preconditioner": "diagonal"}, {}, 150),
    "rows set aside": ({"early_stopping": True}, {}, 135),
    "validation rows": ({}, {"X_val": np.eye(4), "y_val": np.arange(4) % 3}, 150),
}


def check_alpha_of_one_by_the_weights(X, y, total_weight, params, arrays):
    by_words, by_number = (
        SoftmaxRegressionClassifier(alpha=alpha, random_state=0, **params)
        for alpha in ("1/n_samples", 1 / total_weight)
    )

    by_words.fit(X, y, **arrays)
    by_number.fit(X, y, **arrays)

    assert_allclose(by_words.coef_, by_number.coef_, rtol=1e-6, atol=1e-9)
    assert_allclose(by_words.intercept_, by_number.intercept_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("case", ONE_BY_THE_WEIGHTS)
def test_alpha_of_one_by_the_weights_equals_the_number(datasets, case):
    X, y = datasets["iris"]
    if case == "PHM":  # 3 x 4 weights are too few to save any
        X = np.hstack([X, X**2, X**3, X**0.5, 1 / X])

    params, arrays, total_weight = ONE_BY_THE_WEIGHTS[case]
    check_alpha_of_one_by_the_weights(X, y, total_weight, params, arrays)


@pytest.mark.parametrize("class_weight", [None, {0: 2, 1: 0.5}])
def test_alpha_of_one_by_the_weights_of_rows_of_probabilities(datasets, class_weight):
    X, y = datasets["iris"]
    y = np.eye(3)[y] * 0.7 + 0.1
    factors = np.ones(3) if class_weight is None else np.array([2, 0.5, 1])
    arrays = {"sample_weight": WEIGHT}

    check_alpha_of_one_by_the_weights(
        X, y, (WEIGHT * (y @ factors)).sum(), {"class_weight": class_weight}, arrays
    )


def test_alpha_of_one_by_the_weights_in_searches_pickles_and_warm_starts(datasets):
    X, y = datasets["iris"]
    clf = SoftmaxRegressionClassifier(alpha="1/n_samples", warm_start=True)
    grid = {"alpha": ["1/n_samples", 1e-4]}

    search = GridSearchCV(clf, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    by_number = clone(clf).set_params(alpha=1 / 75)
    score = cross_val_score(by_number, X, y, cv=2, scoring="neg_log_loss").mean()
    copy = pickle.loads(pickle.dumps(clf.fit(X, y)))
    coef = clf.set_params(alpha=1 / 150).fit(X, y).coef_

    assert search.cv_results_["mean_test_score"][0] == pytest.approx(score, rel=1e-6)
    assert copy.alpha == "1/n_samples"
    assert_allclose(coef, copy.coef_, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("first", ["nothing", "fit", "partial_fit"])
def test_alpha_of_one_by_the_weights_is_an_error_in_partial_fit(datasets, first):
    X, y = datasets["iris"]
    clf = SoftmaxRegressionClassifier(random_state=0)
    if first == "fit":
        clf.set_params(alpha="1/n_samples").fit(X, y)
    elif first == "partial_fit":
        clf.partial_fit(X, y, classes=[0, 1, 2])
    clf.set_params(alpha="1/n_samples")
    before = vars(clf).copy()

    with pytest.raises(ValueError, match="alpha must be a number in partial_fit, got"):
        clf.partial_fit(X, y, classes=[0, 1, 2])

    assert vars(clf) == before
    clf.set_params(alpha=1e-3).partial_fit(X, y, classes=[0, 1, 2])
