"""Classes that are added to a model that is trained already."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._state import expand_state

TEXTBOOK = {"learning_rate": "constant", "average": False}
SETTINGS = {
    "default": {},
    "diagonal": {"preconditioner": "diagonal"},
    "last iterate": {"average": False},
    "textbook": TEXTBOOK,
    "momentum": {**TEXTBOOK, "momentum": 0.9},
    "L1": {"l1_ratio": 0.5},
}


def stream(clf, X, y, size=50, **classes):
    for start in range(0, X.shape[0], size):
        rows = slice(start, start + size)
        clf.partial_fit(X[rows], y[rows], **classes)
    return clf


def grow(clf, classes):
    """Add classes by a call that teaches nothing."""
    X, y = np.ones((1, clf.n_features_in_)), clf.classes_[:1]
    return clf.partial_fit(X, y, classes=classes, sample_weight=[0.0])


@pytest.fixture
def stream_of(digits):
    """Return a function that trains on the rows of some classes."""
    X, y = digits

    def stream_of(classes, **params):
        rows = np.isin(y, classes)
        clf = SoftmaxRegressionClassifier(random_state=0, **params)
        return stream(clf, X[rows], y[rows], classes=classes)

    return stream_of


@pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)
def test_a_new_class_starts_at_zero_and_rare(digits, stream_of, params):
    X, _ = digits
    clf = stream_of([0, 2, 4], **params)
    coef, intercept, t = clf.coef_, clf.intercept_, clf.t_
    n_seen = sum(np.isin(digits[1], [0, 2, 4]))
    proba = clf.predict_proba(X)

    grow(clf, [4, 3, 0, 2])

    assert_array_equal(clf.classes_, [0, 2, 3, 4])
    assert clf.t_ == t
    assert_array_equal(clf.coef_, np.insert(coef, 2, 0, axis=0))
    rare = intercept.mean() - np.log(n_seen + 1)
    if "l1_ratio" in params:  # what the classes' weights add at the mean of the rows
        rare += coef.mean(axis=0) @ X[np.isin(digits[1], [0, 2, 4])].mean(axis=0)
    assert_allclose(clf.intercept_, np.insert(intercept, 2, rare), rtol=1e-12)
    grown = clf.predict_proba(X)
    known = np.delete(grown, 2, axis=1)
    assert_allclose(known / known.sum(axis=1, keepdims=True), proba, atol=1e-12)
    assert grown[:, 2].mean() < 1 / n_seen


@pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)
def test_two_classes_split_their_row(digits, stream_of, params):
    X, _ = digits
    clf = stream_of([3, 8], **params)
    coef, intercept = clf.coef_[0], clf.intercept_[0]
    proba, n_seen = clf.predict_proba(X), sum(np.isin(digits[1], [3, 8]))

    grow(clf, [3, 5, 8])

    assert_allclose(clf.coef_, [-coef / 2, 0 * coef, coef / 2], rtol=1e-15)
    half = intercept / 2
    assert_allclose(clf.intercept_, [-half, -np.log(n_seen + 1), half], rtol=1e-12)
    known = clf.predict_proba(X)[:, [0, 2]]
    assert_allclose(known / known.sum(axis=1, keepdims=True), proba, atol=1e-12)


# Without "textbook", whose steps take an intercept from -7 to 0 in hundreds.
@pytest.mark.parametrize(
    "params", [v for k, v in SETTINGS.items() if k != "textbook"], ids=str
)
@pytest.mark.parametrize("n_known", [2, pytest.param(3, marks=pytest.mark.slow), 9])
@pytest.mark.parametrize(
    "layout", ["dense", pytest.param("csr", marks=pytest.mark.slow)]
)
def test_new_classes_are_learnt_and_old_ones_kept(digits, n_known, layout, params):
    X, y = digits
    rows, known = (sp.csr_array(X) if layout == "csr" else X), y < n_known
    clf = SoftmaxRegressionClassifier(random_state=0, **params)
    stream(clf, rows[known], y[known], classes=np.arange(n_known))
    clf.partial_fit(rows, y, classes=np.arange(10))

    for _ in range(2):
        stream(clf, rows, y)

    informed = SoftmaxRegressionClassifier(random_state=0, **params)
    informed.partial_fit(rows[known], y[known], classes=np.arange(10))
    for _ in range(3):
        stream(informed, rows, y)
    assert clf.score(X, y) > informed.score(X, y) - 0.03
    assert clf.score(X[~known], y[~known]) > 0.85


@pytest.mark.parametrize("params", [{}, TEXTBOOK], ids=["automatic", "textbook"])
@pytest.mark.parametrize("n_known", [2, 5])
def test_new_classes_keep_the_last_iterate_and_restart_the_average(
    digits, stream_of, n_known, params
):
    X, y = digits
    averaged, last = (
        stream_of(np.arange(n_known), **{**params, "average": average})
        for average in (True, False)
    )
    assert np.abs(averaged.coef_ - last.coef_).max() > 1e-3

    for clf in (averaged, last):
        clf.partial_fit(X[:50], y[:50], classes=np.arange(10))

    # An average of one update is that update.
    assert_allclose(averaged.coef_, last.coef_, atol=1e-10)
    assert_allclose(averaged.intercept_, last.intercept_, atol=1e-10)


@pytest.mark.parametrize(
    ("n_known", "n_classes", "of_step", "of_curvature"),
    [(2, 3, 1 / 2, 1), (2, 5, 1 / 4, 1 / 2), (4, 7, 1 / 2, 1 / 2)],
)
def test_what_is_known_of_the_curvature(n_known, n_classes, of_step, of_curvature):
    columns = 1 if n_known == 2 else n_known
    state = {
        "step_size": 4.0,
        "hessian": np.full((3, 3), 8.0),
        "ridge": np.full(3, 2.0),
        "velocity": np.ones((3, columns)),
        "n_averages": 9,
        "refresh_origin": 0,
        "inverse": np.eye(3),
    }

    grown = expand_state(state, 20, np.arange(n_known), n_classes)

    # Two classes: p (1 - p) for one column is 2 p (1 - p) for two.
    assert grown["step_size"] == 4 * of_step
    assert_array_equal(grown["hessian"], 8 * of_curvature * np.ones((3, 3)))
    assert_array_equal(grown["ridge"], 2 * of_curvature * np.ones(3))
    assert grown["velocity"].shape == (3, n_classes)
    assert grown["inverse"] is None
    assert state["step_size"] == 4
    assert state["n_averages"] == 9


def test_growing_by_one_class_after_another(digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier(random_state=0)
    for n_classes in range(2, 11):
        rows = y < n_classes
        stream(clf, X[rows], y[rows], classes=np.arange(n_classes))

    assert clf.score(X, y) > 0.9


def test_old_classes_are_not_unsettled_by_a_new_name(digits, stream_of):
    X, y = digits
    clf = stream_of(list(range(9)))
    rows = y < 9
    before = clf.score(X[rows], y[rows])

    grow(clf, np.arange(10))
    scores = []
    for start in range(0, 500, 50):
        clf.partial_fit(X[rows][start : start + 50], y[rows][start : start + 50])
        scores.append(clf.score(X[rows], y[rows]))

    assert min(scores) > before - 0.02


def test_a_copy_that_has_grown_goes_on_to_the_same_bits(digits, stream_of):
    X, y = digits
    clf = grow(stream_of([1, 7]), np.arange(10))
    loaded = pickle.loads(pickle.dumps(clf))

    for model in (clf, loaded):
        stream(model, X, y)

    assert_array_equal(clf.coef_, loaded.coef_)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_features_far_from_zero_make_no_class_of_its_own(datasets, l1_ratio):
    X, y = datasets["iris"]
    X, four = X + 1000, np.where((y == 2) & (X[:, 2] > 5.5), 3, y)
    clf = SoftmaxRegressionClassifier(l1_ratio=l1_ratio, alpha=1e-3, random_state=0)
    clf.fit(X, y)

    grow(clf, range(4))
    assert clf.predict_proba(X)[:, 3].max() < 0.1
    for _ in range(30):
        clf.partial_fit(X, four)

    assert clf.surprisal(X, four).mean() < 1


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fitted_model_grows(digits, warm_start):
    X, y = digits
    rows = y < 5
    clf = SoftmaxRegressionClassifier(random_state=0, warm_start=warm_start)
    clf.fit(X[rows], y[rows])
    intercept = clf.intercept_

    grow(clf, np.arange(7))

    assert clf.coef_.shape == (7, 64)
    rare = intercept.mean() - np.log(rows.sum() + 1)
    assert_allclose(clf.intercept_[5:], rare, rtol=1e-12)
    if warm_start:
        cold = SoftmaxRegressionClassifier().fit(X, y)
        clf.fit(X, y)
        assert_array_equal(clf.classes_, np.arange(10))
        assert_allclose(clf.loss_curve_[-1], cold.loss_curve_[-1], rtol=0.02)


def test_a_warm_start_grows_from_the_model(digits):
    X, y = digits
    rows = y < 9
    clf = SoftmaxRegressionClassifier(warm_start=True).fit(X[rows], y[rows])
    grown = grow(copy.deepcopy(clf), np.arange(10))

    clf.set_params(eta0=1e-12, max_iter=1, tol=None, **TEXTBOOK).fit(X, y)

    assert_allclose(clf.coef_, grown.coef_, atol=1e-9)
    centered = grown.intercept_ - grown.intercept_.mean()
    assert_allclose(clf.intercept_, centered, atol=1e-9)


def test_labels_of_strings_without_intercept_after_sparsify(datasets):
    X, y = datasets["iris"]
    names = np.array(["iris", "lily", "rose"])[y]
    rows = y > 0
    clf = SoftmaxRegressionClassifier(fit_intercept=False, random_state=0)
    clf.fit(X[rows], names[rows]).sparsify()

    for _ in range(20):
        clf.partial_fit(X, names, classes=["iris", "lily", "rose"])

    assert_array_equal(clf.classes_, ["iris", "lily", "rose"])
    assert_array_equal(clf.intercept_, np.zeros(3))
    assert clf.score(X, names) >= 0.9


def test_class_counts_grow_too(digits, stream_of):
    X, y = digits
    clf = stream_of([0, 1], class_weight="balanced")
    seen = np.isin(y, [0, 1])
    twin = copy.deepcopy(clf)

    clf.partial_fit(X, y, classes=np.arange(10))

    counts = np.bincount(y[seen], minlength=10) + np.bincount(y)
    weights = dict(enumerate(counts.sum() / (10 * counts)))
    twin.set_params(class_weight=weights).partial_fit(X, y, classes=np.arange(10))
    assert_allclose(clf.coef_, twin.coef_, rtol=1e-9)


@pytest.mark.parametrize(
    ("classes", "y", "message"),
    [
        ([0, 1, 2], [5], r"among the classes \[0 1 2\] of the model, got \[5\]"),
        ([0, 2], [0], r"the model, \[0 1\], got \[0 2\].*can be added, not"),
        (["0", "1", "2"], ["2"], r"the model, \[0 1\], got \['0' '1' '2'\]"),
    ],
    ids=["not announced", "taken away", "of another kind"],
)
def test_refusals_leave_the_model_as_it_was(stream_of, classes, y, message):
    clf = stream_of([0, 1])
    before = pickle.dumps(clf)

    with pytest.raises(ValueError, match=message):
        clf.partial_fit(np.ones((1, 64)), y, classes=classes)

    assert pickle.dumps(clf) == before
