"""`correct_prior`: probabilities for other shares of the classes than training saw."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier


@pytest.fixture(scope="module")
def unequal_digits(digits):
    """Return digits of which every second class has a tenth of its rows."""
    X, y = digits
    rng = np.random.default_rng(0)
    kept = (y % 2 == 0) | (rng.random(len(y)) < 0.1)
    return train_test_split(X[kept], y[kept], random_state=0, stratify=y[kept])


def make_rows(n_classes, n=400, seed=0):
    """Return rows of normal classes, the first of which is rare."""
    rng = np.random.default_rng(seed)
    share = np.r_[0.05, np.full(n_classes - 1, 0.95 / (n_classes - 1))]
    y = rng.choice(n_classes, n, p=share)
    y[:n_classes] = np.arange(n_classes)
    return rng.standard_normal((n, 3)) + np.eye(n_classes, 3)[y], y


def test_balanced_and_corrected_digits_are_calibrated_as_unweighted_ones(
    unequal_digits,
):
    X, X_test, y, y_test = unequal_digits
    params = {"solver": "svrg", "alpha": 1e-3}
    plain = SoftmaxRegressionClassifier(**params).fit(X, y)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", **params).fit(X, y)
    share = np.bincount(y_test) / len(y_test)

    def distance(model):
        return np.abs(model.predict_proba(X_test).mean(axis=0) - share).max()

    balanced_loss = log_loss(y_test, clf.predict_proba(X_test))
    balanced_distance = distance(clf)
    clf.correct_prior()

    assert distance(clf) < distance(plain) + 0.005 < balanced_distance
    loss = log_loss(y_test, clf.predict_proba(X_test))
    assert loss < log_loss(y_test, plain.predict_proba(X_test)) + 0.01
    assert loss < balanced_loss


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 5.0}, {0: 3, 1: 0.2}])
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array, np.float32])
def test_odds_are_those_of_bayes(layout, class_weight, n_classes):
    X, y = make_rows(n_classes)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(y))
    clf = SoftmaxRegressionClassifier(class_weight=class_weight)
    clf.fit(layout(X), y, weight)
    count = np.bincount(y, weight)
    factors = 1 / count
    if class_weight != "balanced":
        factors = np.array([class_weight.get(k, 1) for k in range(n_classes)])
    expected = clf.predict_proba(layout(X)) / factors
    expected /= expected.sum(axis=1, keepdims=True)

    clf.correct_prior()

    assert_allclose(clf.predict_proba(layout(X)), expected, rtol=1e-4)
    again = clf.intercept_.copy()
    assert_allclose(clf.correct_prior().intercept_, again, rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_given_prior_replaces_an_earlier_one(n_classes):
    X, y = make_rows(n_classes)
    clf = SoftmaxRegressionClassifier(class_weight="balanced").fit(X, y)
    balanced = clf.predict_proba(X)
    prior = np.arange(1.0, n_classes + 1)
    expected = balanced * prior
    expected /= expected.sum(axis=1, keepdims=True)

    clf.correct_prior().correct_prior(prior / prior.sum())

    assert_allclose(clf.predict_proba(X), expected, rtol=1e-6)
    assert_allclose(clf.correct_prior(100 * prior).predict_proba(X), expected)
    assert_allclose(
        clf.correct_prior(np.ones(n_classes)).predict_proba(X), balanced, rtol=1e-6
    )


def test_without_class_weight_nothing_changes():
    X, y = make_rows(3)
    clf = SoftmaxRegressionClassifier().fit(X, y)
    intercept = clf.intercept_.copy()

    assert_allclose(clf.correct_prior().intercept_, intercept, rtol=1e-12)


def test_rare_classes_of_a_large_sample_are_found_by_their_true_share():
    rng = np.random.default_rng(1)
    X, y = make_rows(2, n=20000)
    kept = (y == 0) | (rng.random(len(y)) < 0.05)  # a sample by cases and controls
    full = LogisticRegression(C=np.inf).fit(X, y)

    clf = SoftmaxRegressionClassifier(alpha=0, tol=1e-4).fit(X[kept], y[kept])
    clf.correct_prior(np.bincount(y) / len(y))

    difference = clf.predict_proba(X) - full.predict_proba(X)
    assert np.abs(difference).mean() < 0.03  # the sample has 950 rows of a class
    assert abs(clf.predict_proba(X)[:, 0].mean() - (y == 0).mean()) < 0.01


@pytest.mark.parametrize("given", [None, [0.2, 0.3, 0.5]])
def test_an_unseen_class_stays_improbable(given):
    X, y = make_rows(2)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    for _ in range(20):
        clf.partial_fit(X, y, classes=[0, 1, 2])
    before = clf.predict_proba(X)[:, 2].mean()

    clf.correct_prior(given)

    assert clf.predict_proba(X)[:, 2].mean() < 5 * before
    assert np.isfinite(clf.intercept_).all()


def test_a_stream_continues_and_a_pickle_remembers():
    X, y = make_rows(3)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    clf.partial_fit(X, y, classes=[0, 1, 2]).correct_prior()
    stored = pickle.loads(pickle.dumps(clf))
    intercept = clf.intercept_.copy()

    assert_allclose(stored.correct_prior().intercept_, intercept)
    stored.partial_fit(X, y, classes=[0, 1, 2, 3])
    assert stored.correct_prior().intercept_.shape == (4,)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_calls_between_those_of_a_stream_do_not_add_up(n_classes):
    X, y = make_rows(n_classes, n=1000)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    other = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    for rows in np.array_split(np.arange(len(y)), 50):
        part = X[rows], y[rows], np.arange(n_classes)
        other.partial_fit(*part)
        stored = pickle.loads(pickle.dumps(clf.partial_fit(*part).correct_prior()))

    other.correct_prior()

    for model in (clf, stored):
        assert_allclose(model.coef_, other.coef_, rtol=1e-6)
        assert_allclose(model.intercept_, other.intercept_, rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("in_place", [False, True])
def test_an_intercept_set_after_the_call_is_used_as_it_is(n_classes, in_place):
    X, y = make_rows(n_classes)
    given = LogisticRegression().fit(X, y)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    clf.fit(X, y)
    corrected = copy.deepcopy(clf).correct_prior()
    for model in (clf, corrected):
        model.coef_ = given.coef_.copy()
        if in_place:
            model.intercept_[:] = given.intercept_
        else:
            model.intercept_ = given.intercept_.copy()

    shifted = copy.deepcopy(corrected).correct_prior()

    assert_allclose(shifted.intercept_, copy.deepcopy(clf).correct_prior().intercept_)
    assert np.abs(shifted.intercept_ - given.intercept_).max() > 0.5
    for model in (clf, corrected):
        model.partial_fit(X, y)
    assert_allclose(corrected.intercept_, clf.intercept_)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_rounded_intercept_is_no_other_one(n_classes):
    X, y = make_rows(n_classes)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    clf.fit(X, y).correct_prior()
    intercept = clf.intercept_.copy()

    if n_classes > 2:  # a constant changes no probability
        clf.intercept_ = intercept + 1
        assert_allclose(clf.correct_prior().intercept_, intercept + 1)
    clf.intercept_ = intercept.astype(np.float16)
    assert_allclose(clf.correct_prior().intercept_, intercept, rtol=2e-3)


def test_a_stored_call_is_known_after_new_classes():
    X, y = make_rows(2)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    clf.fit(X, y).correct_prior()
    other = copy.deepcopy(clf)

    for model in (clf, other):  # of no weight
        model.partial_fit(X, y, [0, 1, 2], np.zeros(len(y)))
        model.correct_prior()
    stored = pickle.loads(pickle.dumps(other)).correct_prior()

    assert_allclose(stored.intercept_, clf.intercept_)


def test_a_warm_start_continues_from_before_the_call():
    X, y = make_rows(3)
    params = {"class_weight": "balanced", "warm_start": True, "random_state": 0}
    brief = {"max_iter": 1, "tol": None, "batch_size": 32}
    clf, other = (SoftmaxRegressionClassifier(**params, **brief) for _ in "ab")
    clf.fit(X, y).correct_prior()

    assert_allclose(clf.fit(X, y).coef_, other.fit(X, y).fit(X, y).coef_)


def test_classes_added_after_the_call_leave_the_odds_of_the_others():
    X, y = make_rows(2)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    clf.fit(X, y).correct_prior()
    expected = clf.predict_proba(X)

    clf.partial_fit(X, y, [0, 1, 2], np.zeros(len(y)))  # of no weight

    proba = clf.predict_proba(X)[:, :2]
    assert_allclose(proba / proba.sum(axis=1, keepdims=True), expected, rtol=1e-5)
    assert_allclose(clf.correct_prior().predict_proba(X)[:, :2], proba, rtol=1e-5)


@pytest.mark.parametrize("clf", ["no counts", "no intercept", "unfitted"])
def test_models_without_counts_or_intercept_are_refused(clf):
    X, y = make_rows(3)
    model = SoftmaxRegressionClassifier(fit_intercept=clf != "no intercept")
    match = "fit_intercept=True"
    if clf == "unfitted":
        match = "not fitted"
    elif clf == "no counts":
        match = "must be known"
        source = LogisticRegression().fit(X, y)
        for name in ("classes_", "coef_", "intercept_"):
            setattr(model, name, getattr(source, name))
    else:
        model.fit(X, y)

    with pytest.raises(ValueError, match=match):
        model.correct_prior()


@pytest.mark.parametrize(
    "prior",
    [
        [0.5, 0.5],
        [0, 0.5, 0.5],
        [-1, 1, 1],
        [-1, -2, -3],
        [np.nan, 1, 1],
        [np.inf, 1, 1],
        "balanced",
        0.5,
        [[0.2, 0.3, 0.5]],
        ["a", "b", "c"],
    ],
)
def test_a_prior_that_is_none_is_refused(prior):
    clf = SoftmaxRegressionClassifier().fit(*make_rows(3))
    before = vars(clf).copy()

    with pytest.raises(ValueError, match="class_prior must hold"):
        clf.correct_prior(prior)

    assert all(vars(clf)[name] is value for name, value in before.items())


def test_a_factor_of_the_prior_does_not_overflow():
    clf = SoftmaxRegressionClassifier().fit(*make_rows(3))
    expected = clf.correct_prior([1, 1, 2]).intercept_

    assert_allclose(clf.correct_prior([8e307, 8e307, 16e307]).intercept_, expected)


@pytest.mark.parametrize("n_calls", [0, 3])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 5.0, 2: 0.2}])
def test_probabilities_as_targets_have_their_shares_back(class_weight, n_calls):
    X, y = make_rows(3, n=3000)
    soft = 0.7 * np.eye(3)[y] + 0.1
    clf = SoftmaxRegressionClassifier(class_weight=class_weight, random_state=0)
    clf.fit(X, soft)
    for _ in range(n_calls):
        clf.partial_fit(X, soft)
    error = np.abs(clf.predict_proba(X).mean(axis=0) - soft.mean(axis=0)).max()

    clf.correct_prior()

    corrected_error = np.abs(clf.predict_proba(X).mean(axis=0) - soft.mean(axis=0))
    assert corrected_error.max() < min(0.03, error / 3)


# sparsify


def test_a_threshold_makes_small_coefficients_zero():
    clf = SoftmaxRegressionClassifier().fit(*make_rows(3))
    coef = clf.coef_.copy()
    threshold = np.sort(np.abs(coef).ravel())[4]

    clf.sparsify(threshold)

    assert clf.coef_.nnz == 5
    assert_array_equal(clf.coef_.toarray(), np.where(abs(coef) < threshold, 0, coef))
    assert clf.sparsify().coef_.nnz == 5
    earlier = clf.coef_
    assert clf.sparsify(1e9).coef_.nnz == 0
    assert earlier.nnz == 5


@pytest.mark.parametrize("threshold", [-1, np.nan, np.inf, "0", None, 1j, [0.1]])
def test_a_threshold_that_is_none_is_refused(threshold):
    clf = SoftmaxRegressionClassifier().fit(*make_rows(3))

    with pytest.raises(ValueError, match="threshold must be"):
        clf.sparsify(threshold)

    assert isinstance(clf.coef_, np.ndarray)


def test_a_new_class_starts_alike_with_and_without_correction():
    X, y = make_rows(2)
    clf = SoftmaxRegressionClassifier(class_weight="balanced").fit(X, y)
    corrected = copy.deepcopy(clf).correct_prior()

    for model in (clf, corrected):
        model.partial_fit(X[:32], np.full(32, 2), classes=[0, 1, 2])

    assert_allclose(corrected.intercept_, clf.intercept_, rtol=1e-6)


@pytest.mark.parametrize("labels", [[0, 1, 2], ["a", "b", "c"]])
def test_a_series_names_the_classes_of_its_shares(labels):
    pd = pytest.importorskip("pandas")
    X, y = make_rows(3)
    clf = SoftmaxRegressionClassifier().fit(X, np.array(labels)[y])
    expected = copy.deepcopy(clf).correct_prior([0.5, 0.2, 0.3])
    shuffled = pd.Series([0.3, 0.5, 0.2], index=[labels[k] for k in (2, 0, 1)])
    by_position = pd.Series([0.5, 0.2, 0.3])

    index = pd.Index([0.5, 0.2, 0.3])
    for prior in (shuffled, by_position, index):
        model = copy.deepcopy(clf).correct_prior(prior)
        assert_array_equal(model.intercept_, expected.intercept_)


@pytest.mark.parametrize("index", [["a", "b", "c"], [0, 1, 1], [1, 2, 3]])
def test_a_series_of_other_classes_is_refused(index):
    pd = pytest.importorskip("pandas")
    clf = SoftmaxRegressionClassifier().fit(*make_rows(3))

    with pytest.raises(ValueError, match="class_prior must hold"):
        clf.correct_prior(pd.Series([0.5, 0.2, 0.3], index=index))
