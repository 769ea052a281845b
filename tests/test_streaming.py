"""partial_fit over many calls."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

CLASSES = np.arange(10)
TEXTBOOK = {"learning_rate": "constant", "average": False}
SETTINGS = {
    "gram": {},
    "diagonal": {"preconditioner": "diagonal"},
    "last iterate": {"average": False},
    "textbook": TEXTBOOK,
    "momentum": {**TEXTBOOK, "momentum": 0.9},
}
settings = pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)


def stream(clf, X, y, size, start=0, stop=None, weight=1.0):
    """Feed the rows from start to stop in calls of that size."""
    for first in range(start, len(y) if stop is None else stop, size):
        rows = slice(first, first + size)
        sample_weight = np.full(len(y[rows]), weight)
        clf.partial_fit(X[rows], y[rows], CLASSES, sample_weight)
    return clf


def log_loss(clf, X, y):
    return -clf.predict_log_proba(X)[np.arange(len(y)), y].mean()


@pytest.fixture
def permuted(digits):
    order = np.random.RandomState(0).permutation(len(digits[1]))
    return digits[0][order], digits[1][order]


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize(
    ("size", "worst"),
    [(200, 0.25), (50, 0.25), pytest.param(1, 0.5, marks=pytest.mark.slow)],
)
def test_one_pass_in_calls_of_any_size_learns(permuted, layout, size, worst):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0)

    stream(clf, layout(X), y, size)

    assert log_loss(clf, X, y) < worst


@settings
@pytest.mark.parametrize("way", ["pickle", "joblib", "deepcopy"])
def test_copy_in_mid_stream_goes_on_to_the_same_bits(permuted, params, way):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0, **params)
    stream(clf, X, y, 100, stop=1000)
    if way == "pickle":
        revived = pickle.loads(pickle.dumps(clf))
    elif way == "joblib":
        file = io.BytesIO()
        joblib.dump(clf, file)
        revived = joblib.load(io.BytesIO(file.getvalue()))
    else:
        revived = copy.deepcopy(clf)

    stream(clf, X, y, 100, start=1000)
    stream(revived, X, y, 100, start=1000)

    assert_array_equal(clf.coef_, revived.coef_)
    assert_array_equal(clf.intercept_, revived.intercept_)
    assert clf.t_ == revived.t_ == 18


@settings
def test_pickle_in_mid_stream_holds_sums_but_no_rows(params):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((3000, 80)).astype(np.float32)
    y = rng.randint(10, size=3000)
    clf = SoftmaxRegressionClassifier(random_state=0, **params)

    stream(clf, X, y, 1000)

    size = len(pickle.dumps(clf))
    curvature = 81**2 * 4 if params == {} or params == {"average": False} else 0
    # The generator's state and the names take up five thousand bytes.
    assert size < 6 * clf.coef_.nbytes + curvature + 5000
    assert size < X.nbytes / 10


def test_stream_with_a_shared_generator_draws_from_its_own(permuted):
    X, y = permuted
    shared = np.random.RandomState(0)
    clf = SoftmaxRegressionClassifier(random_state=shared, batch_size=100)
    clf.partial_fit(X, y, classes=CLASSES)
    state = shared.get_state()[1].copy()

    clf.partial_fit(X, y)

    assert_array_equal(shared.get_state()[1], state)


def test_shallow_copies_do_not_share_the_generator(permuted):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0).fit(X[:500], y[:500])
    first, second = copy.copy(clf), copy.copy(clf)

    for model in (first, second):
        model.partial_fit(X[500:], y[500:])

    assert_array_equal(first.coef_, second.coef_)


def test_stream_after_fit_goes_on_from_its_model(permuted):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0, batch_size=100)
    clf.fit(X, y)
    t, n_iter, before = clf.t_, clf.n_iter_, log_loss(clf, X, y)

    clf.partial_fit(X, y)

    assert clf.t_ == t + 18
    assert clf.n_iter_ == n_iter + 1
    assert log_loss(clf, X, y) < before


def test_stream_after_fit_stays_near_the_optimum(permuted):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(alpha=1e-3, random_state=0).fit(X, y)
    before = log_loss(clf, X, y)

    stream(clf, X, y, 100)

    assert log_loss(clf, X, y) < 1.2 * before


def test_stream_goes_on_from_edited_coefficients(permuted):
    X, y = permuted
    clf = stream(SoftmaxRegressionClassifier(random_state=0), X, y, 100)
    swapped = y.copy()
    swapped[y == 3], swapped[y == 4] = 4, 3
    order = [0, 1, 2, 4, 3, 5, 6, 7, 8, 9]

    clf.coef_ = clf.coef_[order]
    clf.intercept_ = clf.intercept_[order]
    clf.partial_fit(X[:100], swapped[:100])

    assert clf.score(X, swapped) > 0.9


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.01},
        {"batch_size": 30},
        {"average": False},
        {"fit_intercept": False},
        {"preconditioner": "diagonal"},
        {"learning_rate": "constant"},
        {"learning_rate": "invscaling", "momentum": 0.5},
        {"class_weight": {1: 2.0}},
        {"shuffle": False},
    ],
    ids=str,
)
def test_changed_parameters_take_effect_at_once(permuted, change):
    X, y = permuted
    same = stream(SoftmaxRegressionClassifier(random_state=0), X, y, 100)
    changed = copy.deepcopy(same).set_params(**change)
    before = log_loss(same, X, y)

    for clf in (same, changed):
        stream(clf, X, y, 100)

    assert not np.array_equal(same.coef_, changed.coef_) or change == {"shuffle": False}
    assert np.isfinite(changed.coef_).all()
    expected = before
    if "alpha" in change:
        expected = log_loss(SoftmaxRegressionClassifier(**change).fit(X, y), X, y)
    assert log_loss(changed, X, y) < 1.1 * expected
    changed.set_params(**same.get_params())
    stream(changed, X, y, 100)
    assert log_loss(changed, X, y) < 1.1 * before


def test_sparsified_coefficients_are_densified_by_the_next_call(permuted):
    X, y = permuted
    dense = stream(SoftmaxRegressionClassifier(random_state=0), X, y, 100)
    sparse = copy.deepcopy(dense).sparsify()

    for clf in (dense, sparse):
        clf.partial_fit(X[:100], y[:100])

    assert isinstance(sparse.coef_, np.ndarray)
    assert_array_equal(sparse.coef_, dense.coef_)


def test_dtype_of_the_first_call_stays(permuted):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0)
    stream(clf, X.astype(np.float32), y, 100, stop=900)

    stream(clf, X, y, 100, start=900)

    assert clf.coef_.dtype == clf.predict_proba(X).dtype == np.float32
    assert log_loss(clf, X, y) < 0.25


@pytest.mark.parametrize("edited", ["coef_", "intercept_", "sparse coef_"])
def test_dtype_of_weights_set_after_a_call_without_weight_stays(permuted, edited):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0)
    zeros = np.zeros(100)
    clf.partial_fit(X[:100].astype(np.float32), y[:100], range(10), zeros)
    clf.coef_ = np.full((10, 64), float(edited != "intercept_"), np.float32)
    if edited == "sparse coef_":
        clf.sparsify()
    clf.intercept_ = np.full(10, float(edited == "intercept_"), np.float32)

    clf.partial_fit(X, y)

    assert clf.coef_.dtype == clf.predict_proba(X).dtype == np.float32


TINY_WEIGHTS = [
    (np.float32, 1e-60),
    (np.float32, 1e-44),
    (np.float32, 1e-39),
    (np.float64, 5e-324),
    (np.float64, 1e-310),
]


@pytest.mark.parametrize("by_class", [True, False])
@pytest.mark.parametrize("n_rows", [20, 500])
@pytest.mark.parametrize(("dtype", "weight"), TINY_WEIGHTS)
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array])
def test_calls_of_weights_that_underflow_change_nothing(
    permuted, layout, dtype, weight, n_rows, by_class
):
    X, y = layout(permuted[0].astype(dtype)), permuted[1]
    clf = SoftmaxRegressionClassifier(random_state=0)
    rows, classes = slice(n_rows), range(10)
    expected = clone(clf).partial_fit(X[rows], y[rows], classes, np.zeros(n_rows))
    stream(expected, X, y, 500)

    def call():
        factors = dict.fromkeys(classes, weight) if by_class else None
        given = np.full(n_rows, 1.0 if by_class else weight)
        clf.set_params(class_weight=factors)
        clf.partial_fit(X[rows], y[rows], classes, given)
        clf.set_params(class_weight=None)

    call()
    assert not clf.coef_.any()
    stream(clf, X, y, 500)
    call()

    assert clf.coef_.dtype == dtype
    assert_array_equal(clf.coef_, expected.coef_)
    assert_array_equal(clf.intercept_, expected.intercept_)


@pytest.mark.parametrize(
    ("dtype", "first", "second"),
    [(np.float32, 1e-30, 1e30), (float, 1e-300, 1e10), (float, 1e-300, 1e300)],
)
def test_calls_of_very_different_weights_complete_each_other(
    permuted, dtype, first, second
):
    X, y = permuted[0].astype(dtype), permuted[1]
    models = []
    for weights in ((first, second), (1e-6, 1.0)):
        clf = SoftmaxRegressionClassifier(alpha=0, random_state=0)
        for k, weight in enumerate((*weights, weights[1])):
            rows = slice(100 * k, 100 * (k + 1))
            clf.partial_fit(X[rows], y[rows], range(10), np.full(100, weight))
        models.append(clf)

    assert models[0].score(X, y) == pytest.approx(models[1].score(X, y), abs=0.01)


@pytest.mark.parametrize("preconditioner", ["auto", "diagonal"])
def test_sparse_calls_after_dense_calls_give_the_model_of_dense_calls(
    permuted, preconditioner
):
    X, y = permuted
    dense = SoftmaxRegressionClassifier(preconditioner=preconditioner, random_state=0)
    mixed = copy.deepcopy(dense)

    stream(dense, X, y, 100)
    stream(mixed, X, y, 100, stop=900)
    stream(mixed, sp.csr_array(X), y, 100, start=900)

    assert_allclose(mixed.coef_, dense.coef_, atol=1e-9)


def test_weights_of_a_call_are_absolute(permuted):
    X, y = permuted
    twice, once = (
        SoftmaxRegressionClassifier(random_state=0, **TEXTBOOK, alpha=0)
        .partial_fit(X[:100], y[:100], classes=CLASSES, sample_weight=weight)
        .coef_
        for weight in (np.full(100, 2.0), None)
    )

    assert_allclose(twice, 2 * once, rtol=1e-12)


@pytest.mark.parametrize("weight", [1e-9, 1e-3])
@pytest.mark.parametrize("alpha", [1e-4, 0])
@pytest.mark.parametrize(
    ("dtype", "params"),
    [
        (np.float64, {}),
        (np.float32, {"batch_size": 64}),
        (np.float64, {"preconditioner": "diagonal"}),
        (np.float32, {"average": False}),
    ],
)
def test_light_rows_change_little(permuted, dtype, params, alpha, weight):
    X, y = permuted
    X = X.astype(dtype)
    clf = SoftmaxRegressionClassifier(random_state=0, alpha=alpha, **params)
    for _ in range(20):  # until the average stays
        clf.partial_fit(X, y, classes=CLASSES)
    before = clf.predict_proba(X)
    heavy = copy.deepcopy(clf)

    for _ in range(5):
        clf.partial_fit(X, (y + 1) % 10, sample_weight=np.full(len(y), weight))
        heavy.partial_fit(X, (y + 1) % 10)

    changes = [abs(m.predict_proba(X) - before).mean() for m in (clf, heavy)]
    assert changes[0] < max(10 * weight, 0.005)
    assert changes[1] > 0.1


@pytest.mark.parametrize("weight", [1e-3, 1.0, 1e3])
def test_a_heavy_call_slows_no_later_calls(permuted, weight):
    X, y = permuted
    heavy = SoftmaxRegressionClassifier(random_state=0)
    plain = SoftmaxRegressionClassifier(random_state=0)
    for clf, factor in ((heavy, 20), (plain, 1)):
        unit = weight * np.ones(100)
        clf.partial_fit(X[:100], y[:100], CLASSES, unit)
        clf.partial_fit(X[100:200], y[100:200], None, factor * unit)
        for _ in range(3):
            stream(clf, X[200:], y[200:], 100, weight=weight)

        swapped = np.where(y == 3, 5, np.where(y == 5, 3, y))
        for _ in range(2):
            stream(clf, X, swapped, 100, weight=weight)

    assert heavy.score(X, swapped) > 0.9
    assert plain.score(X, swapped) > 0.9


def test_the_unit_of_weights_in_fit_is_that_of_later_calls():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 30))
    y = (X @ rng.standard_normal((30, 8)) + rng.gumbel(size=(20_000, 8))).argmax(axis=1)
    models = []
    for unit in (1.0, 1e-4):
        clf = SoftmaxRegressionClassifier(alpha=0, random_state=0)
        clf.set_params(batch_size=512).fit(X, y, np.full(20_000, unit))
        for _ in range(5):
            clf.partial_fit(X, (y + 1) % 8, sample_weight=np.full(20_000, unit))
        models.append(clf)

    assert_allclose(*(m.coef_ for m in models), atol=0.1)
    assert models[1].score(X, (y + 1) % 8) > 0.5


@pytest.mark.parametrize(
    "clf",
    [
        SoftmaxRegressionClassifier(random_state=0),
        SoftmaxRegressionClassifier(random_state=0, solver="svrg", batch_size=200),
        SoftmaxRegressionClassifierCV(alphas=[1e-3], random_state=0),
    ],
    ids=lambda clf: f"{type(clf).__name__}-{clf.get_params().get('solver')}",
)
@pytest.mark.parametrize("unit", [2.0**-14, 2.0**14])
def test_columns_that_move_after_fit_are_scaled_alike_in_any_unit(clf, unit):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 3))
    y = (X[:, 0] > 0).astype(int)
    models = []
    for weight in (np.ones(1000), np.full(1000, unit)):
        model = clone(clf).fit(X, y, sample_weight=weight)
        for _ in range(3):
            model.partial_fit(100 * X + 1000, y, sample_weight=weight)
        models.append(model)

    assert_allclose(models[1].coef_, models[0].coef_, rtol=1e-3)


@pytest.mark.parametrize(
    "clf",
    [
        SoftmaxRegressionClassifier(random_state=0),
        SoftmaxRegressionClassifierCV(alphas=[1e-3], random_state=0),
    ],
    ids=lambda clf: type(clf).__name__,
)
@pytest.mark.parametrize("scale", [1.0, 1e6, 1e140])
def test_calls_after_a_fit_of_large_weights_keep_its_model(permuted, clf, scale):
    X, y = permuted[0] * scale, permuted[1]
    clf = clone(clf).fit(X, y, np.full(len(y), 1e300))
    coef, score = clf.coef_, clf.score(X, y)

    for rows in np.split(np.arange(1000), 10):
        clf.partial_fit(X[rows], y[rows])

    assert_allclose(clf.coef_ * scale, coef * scale, atol=0.05)
    assert clf.score(X, y) == pytest.approx(score, abs=0.01)


def test_first_calls_without_weight_decide_nothing():
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((4000, 4))
    y = (3 * Z[:, 0] + rng.logistic(size=4000) > 0).astype(int)
    X = (Z + 1e6).astype(np.float32)
    clf = SoftmaxRegressionClassifier(random_state=0)
    expected, zeros = clone(clf), np.zeros((100, 4), np.float32)

    for _ in range(2):
        clf.partial_fit(zeros, y[:100], [0, 1], np.zeros(100))
    for model in (clf, expected):
        for rows in np.split(np.arange(4000), 10):
            model.partial_fit(X[rows], y[rows], [0, 1])

    assert clf.coef_.dtype == expected.coef_.dtype == np.float64
    assert_allclose(clf.coef_, expected.coef_)
    assert clf.n_iter_ == expected.n_iter_


def test_a_wild_row_alone_lengthens_no_step(permuted):
    X, y = permuted
    clf = stream(SoftmaxRegressionClassifier(random_state=0), X[:1000], y[:1000], 500)
    accuracy = clf.score(X, y)

    clf.partial_fit(1e4 * X[:1], y[:1])
    stream(clf, X[1000:1100], y[1000:1100], 1)

    assert clf.score(X, y) > accuracy - 0.05


def test_a_row_of_twice_a_small_weight_has_twice_the_effect(permuted):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0, alpha=0, average=False)
    clf.partial_fit(X, y, classes=CLASSES)
    once, twice = (copy.deepcopy(clf) for _ in range(2))

    once.partial_fit(X[:200], y[:200], sample_weight=np.full(200, 1e-3))
    twice.partial_fit(X[:200], y[:200], sample_weight=np.full(200, 2e-3))

    step, double = once.coef_ - clf.coef_, twice.coef_ - clf.coef_
    assert_allclose(double, 2 * step, atol=0.01 * abs(step).max())


def test_class_weights_multiply_the_weights_of_a_call(permuted):
    X, y = permuted
    by_class = SoftmaxRegressionClassifier(random_state=0, class_weight={3: 4.0})
    by_row = SoftmaxRegressionClassifier(random_state=0)
    for start in range(0, 900, 100):
        rows = slice(start, start + 100)
        weight = np.where(y[rows] == 3, 4.0, 1.0)

        by_class.partial_fit(X[rows], y[rows], classes=CLASSES)
        by_row.partial_fit(X[rows], y[rows], classes=CLASSES, sample_weight=weight)

    assert_allclose(by_class.coef_, by_row.coef_, atol=1e-12)


@pytest.mark.parametrize("known", [2, 10])
def test_balanced_weights_follow_the_counts_so_far(permuted, known):
    X, y = permuted
    rare = np.flatnonzero((y < known) & ((y != 1) | (np.arange(len(y)) % 5 == 0)))
    weight = np.random.RandomState(0).exponential(size=len(y))
    balanced = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    by_hand = SoftmaxRegressionClassifier(random_state=0)
    totals = np.zeros(10)
    classes = np.arange(10)

    for start in range(0, len(rare), 100):
        rows = rare[start : start + 100]
        totals += np.bincount(y[rows], weight[rows], minlength=10)
        per_class = totals.sum() / (totals > 0).sum() / np.maximum(totals, 1e-300)
        by_hand.set_params(class_weight=dict(enumerate(per_class * (totals > 0))))
        for clf in (balanced, by_hand):
            clf.partial_fit(X[rows], y[rows], classes, weight[rows])

    assert_allclose(balanced.coef_, by_hand.coef_, rtol=1e-9, atol=1e-12)


def test_balanced_counts_of_a_fit_go_on_in_the_stream(permuted):
    X, y = permuted
    first, second = slice(0, 900), slice(900, 1000)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    clf.fit(X[first], y[first])
    twin = copy.deepcopy(clf)

    clf.partial_fit(X[second], y[second])

    counts = np.bincount(y[:1000], minlength=10)
    twin.set_params(class_weight=dict(enumerate(100 / counts)))
    twin.partial_fit(X[second], y[second])
    assert_allclose(clf.coef_, twin.coef_, rtol=1e-9)


def test_balanced_stream_finds_rare_classes(permuted):
    X, y = permuted
    rows = np.flatnonzero((y < 8) | (np.arange(len(y)) % 20 == 0))
    test = np.setdiff1d(np.arange(len(y)), rows)
    recall = {}
    for class_weight in (None, "balanced"):
        clf = SoftmaxRegressionClassifier(
            alpha=0.1, class_weight=class_weight, random_state=0
        )
        for start in range(0, len(rows), 50):
            part = rows[start : start + 50]
            clf.partial_fit(X[part], y[part], classes=np.arange(10))
        recall[class_weight] = clf.score(X[test], y[test])

    assert recall["balanced"] > recall[None] + 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("average", "n_updates"), [(False, 10), (True, 400)], ids=["last", "average"]
)
def test_stream_follows_a_change_in_the_data(permuted, average, n_updates):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0, average=average)
    stream(clf, X, y, 100)
    swapped = y.copy()
    swapped[y == 3], swapped[y == 4] = 4, 3

    for update in range(n_updates):
        rows = np.arange(100 * update, 100 * update + 100) % len(y)
        clf.partial_fit(X[rows], swapped[rows])

    assert clf.score(X, swapped) > 0.9


def test_average_of_a_long_stream_takes_a_thousandth_of_512_rows(permuted):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0)
    clf.partial_fit(X[:100], y[:100], classes=CLASSES)
    # As after 512 million rows: the average takes a thousandth of a batch's iterate.
    clf._state["solver_state"]["n_averages"] = 10**6
    average, ahead = clf.coef_.copy(), clf._state["iterate_minus_average"][0].T

    clf.partial_fit(X[100:200], y[100:200])

    iterate = clf.coef_ + clf._state["iterate_minus_average"][0].T
    share = 1 - 0.999 ** (100 / 512)
    assert_allclose(clf.coef_, average + share * (iterate - average), atol=1e-12)
    assert not np.allclose(iterate, average + ahead, atol=1e-6)


@pytest.mark.parametrize("way", ["fit", "svrg", "cv"])
def test_calls_of_one_row_after_fit_keep_the_model(permuted, way):
    X, y = permuted
    clf = SoftmaxRegressionClassifier(random_state=0)
    if way == "svrg":
        clf.set_params(solver="svrg", batch_size=100)
    elif way == "cv":
        clf = SoftmaxRegressionClassifierCV(alphas=[1e-3], random_state=0)
    clf.fit(X[:1400], y[:1400])
    before = log_loss(clf, X[1400:], y[1400:])

    stream(clf, X, y, 1, start=1400, stop=1420)

    assert log_loss(clf, X[1400:], y[1400:]) < 1.05 * before


@pytest.mark.slow
def test_stream_with_new_units_of_features_learns_them(permuted):
    X, y = permuted
    clf = stream(SoftmaxRegressionClassifier(random_state=0), X, y, 50)

    for _ in range(10):
        stream(clf, 100 * X, y, 50)

    assert np.isfinite(clf.coef_).all()
    assert clf.score(100 * X, y) > 0.9


def test_columns_that_begin_to_vary_in_mid_stream_are_learned(permuted):
    X, y = permuted
    late = X.copy()
    late[:200] = 5.0
    plain, stream = (SoftmaxRegressionClassifier(random_state=0) for _ in range(2))

    for model, rows in ((plain, X), (stream, late)):
        for _ in range(3):
            for start in range(0, len(y), 200):
                part = slice(start, start + 200)
                model.partial_fit(rows[part], y[part], classes=np.unique(y))

    assert stream.score(X[200:], y[200:]) > plain.score(X[200:], y[200:]) - 0.03


@pytest.mark.slow
def test_average_forgets_by_rows_however_the_rows_are_cut(permuted):
    X, y = sp.csr_array(permuted[0]), permuted[1]
    clf = SoftmaxRegressionClassifier(
        preconditioner="diagonal", batch_size=4, shuffle=False, random_state=0
    ).partial_fit(X, y, classes=np.unique(y))
    clf._state["solver_state"]["n_averages"] = 10**6  # after a long stream
    before, coefs = clf.coef_.copy(), []

    for size in (len(y), 96):
        model = copy.deepcopy(clf)
        for start in range(0, len(y), size):
            part = slice(start, start + size)
            model.partial_fit(X[part], 9 - y[part])
        coefs.append(model.coef_)

    moved = [np.linalg.norm(coef - before) for coef in coefs]
    assert moved[0] == pytest.approx(moved[1], rel=0.2)


@pytest.fixture(scope="module")
def normal():
    """Return rows of two classes in 20 dimensions, and rows of low rank."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((6000, 20))
    raw = X @ rng.standard_normal(20) / 2
    y = (raw + rng.logistic(size=len(X)) > 0).astype(int)
    return X, X[:, :4] @ rng.standard_normal((4, 20)) + 0.05 * X, y


@pytest.mark.parametrize("is_low_rank", [False, True])
@pytest.mark.parametrize(("n_first", "weight"), [(1, 1.0), (1, 100.0), (100, 1e-6)])
def test_a_first_call_that_tells_little_changes_little(
    normal, is_low_rank, n_first, weight
):
    X, y = normal[int(is_low_rank)], normal[2]
    losses = []
    for sample_weight in (None, np.full(n_first, weight)):
        clf = SoftmaxRegressionClassifier(random_state=0)
        if sample_weight is not None:
            clf.partial_fit(X[:n_first], y[:n_first], [0, 1], sample_weight)
        for start in range(n_first, 2000, 500):
            rows = slice(start, start + 500)
            clf.partial_fit(X[rows], y[rows], classes=[0, 1])
        losses.append(log_loss(clf, X[3000:], y[3000:]))

    assert losses[1] < 1.05 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"), [(1e-4, 1.0), (1e-4, 100.0), (100.0, 1e-4)]
)
def test_a_new_alpha_takes_effect_within_thirty_calls(normal, before, after):
    X, _, y = normal
    models = [
        SoftmaxRegressionClassifier(alpha=alpha, random_state=0)
        for alpha in (before, after)
    ]
    for start in range(0, 6000, 100):
        rows = slice(start, start + 100)
        if start == 3000:
            models[0].set_params(alpha=after)
        for clf in models:
            clf.partial_fit(X[rows], y[rows], classes=[0, 1])

    changed, fresh = (
        log_loss(clf, X, y) + after / 2 * np.sum(clf.coef_**2) for clf in models
    )
    assert changed < 1.05 * fresh


def test_a_stream_worse_than_weights_of_zero_starts_again(normal):
    X, _, y = normal
    changed = X.copy()
    changed[:, 0] *= 1000
    clf = SoftmaxRegressionClassifier(random_state=0)
    for rows in (X, changed):
        for start in range(0, 2000, 100):
            part = slice(start, start + 100)
            clf.partial_fit(rows[part], y[part], classes=[0, 1])

    assert log_loss(clf, changed, y) < np.log(2)


def test_one_bad_call_in_mid_stream_costs_little(normal):
    X, _, y = normal
    bad = X.copy()
    bad[2000:2100] *= 1e4
    losses = []
    for rows in (X, bad):
        clf = SoftmaxRegressionClassifier(random_state=0)
        for start in range(0, 2200, 100):
            part = slice(start, start + 100)
            clf.partial_fit(rows[part], y[part], classes=[0, 1])
        losses.append(log_loss(clf, X[3000:], y[3000:]))

    assert losses[1] < 1.05 * losses[0]


def test_features_that_grow_make_no_new_average():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=512)
    X = 1e-3 * (rng.standard_normal((512, 20)) + y[:, None])
    clf = SoftmaxRegressionClassifier(alpha=1e-5, random_state=0)
    for _ in range(50):
        clf.partial_fit(X, y, classes=[0, 1])

    clf.partial_fit(np.tile(30 * X, (3, 1)), np.tile(y, 3))

    assert clf.score(X, y) > 0.8  # .46 after a new average


def test_a_call_of_no_weight_is_no_reason_to_start_again(permuted):
    X, y = permuted
    X = X.astype(np.float32)
    clf = stream(SoftmaxRegressionClassifier(random_state=0), X, y, 100)
    clf.partial_fit(X[:100], (y[:100] + 5) % 10)  # raises an alarm
    assert clf.progressive_loss_curve_[-1] > 2 * np.log(10)

    clf.partial_fit(X, y, sample_weight=np.full(len(y), 1e-50))

    assert clf.coef_.any()
