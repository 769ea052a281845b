"""y as a table of probabilities, and label smoothing."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier

EXACT = {"tol": 1e-8, "alpha": 1e-2}
TWO_OR_TEN = pytest.mark.parametrize("n_classes", [2, 10])


def of_classes(data, n_classes):
    X, y = data
    return X[y < n_classes], y[y < n_classes]


def one_hot(y):
    return np.eye(y.max() + 1)[y]


def doubtful(y, seed=0):
    """Return probabilities of the classes whose largest one is that of y."""
    rng = np.random.RandomState(seed)
    table = rng.dirichlet(np.full(y.max() + 1, 0.3), size=len(y))
    table = 0.4 * table + 0.6 * one_hot(y)
    return table / table.sum(axis=1, keepdims=True)


SETTINGS = {
    "default": {},
    "minibatches": {"batch_size": 64},
    "svrg": {"solver": "svrg", "batch_size": 64},
    "diagonal": {"preconditioner": "diagonal", "batch_size": 64},
    "textbook": {"learning_rate": "constant", "average": False},
    "balanced": {"class_weight": "balanced", "batch_size": 64},
    "class weights": {"class_weight": {1: 3.0}},
    "smoothed": {"label_smoothing": 0.1, "batch_size": 64},
    "early stopping": {"early_stopping": True, "batch_size": 64},
    "L1": {"l1_ratio": 1.0},
}


@TWO_OR_TEN
@pytest.mark.parametrize(
    "layout", ["dense", pytest.param("csr", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)
def test_one_hot_rows_and_labels_give_the_same_bits(digits, n_classes, layout, params):
    X, y = of_classes(digits, n_classes)
    X, table = sp.csr_array(X) if layout == "csr" else X, one_hot(y)
    weight = np.random.RandomState(1).exponential(size=len(y))
    clf = SoftmaxRegressionClassifier(max_iter=5, tol=None, random_state=0, **params)

    fitted = [clf.fit(X, target, weight).coef_ for target in (y, table)]
    streamed = []
    for target in (y, table):
        stream = SoftmaxRegressionClassifier(random_state=0, **params)
        for rows in (slice(0, 100), slice(100, 250)):
            stream.partial_fit(
                X[rows], target[rows], np.arange(n_classes), weight[rows]
            )
        streamed.append(stream.coef_)

    assert_array_equal(*fitted)
    assert_array_equal(*streamed)


@TWO_OR_TEN
@pytest.mark.parametrize(
    ("layout", "params"),
    [
        ("dense", {}),
        ("csr", {}),
        ("dense", {"solver": "svrg", "batch_size": 64}),
        ("dense", {"fit_intercept": False}),
    ],
    ids=["dense", "csr", "svrg", "no intercept"],
)
def test_a_row_of_probabilities_is_a_row_a_class_with_these_weights(
    digits, n_classes, layout, params
):
    X, y = of_classes(digits, n_classes)
    X, table = X[:200], doubtful(y[:200])
    sample_weight = np.random.RandomState(1).exponential(size=len(X))
    weight = (sample_weight[:, None] * table).ravel()
    exact = LogisticRegression(
        C=1 / (EXACT["alpha"] * weight.sum()),
        tol=1e-12,
        solver="newton-cholesky",
        fit_intercept=params.get("fit_intercept", True),
    )
    copies = np.repeat(X, n_classes, axis=0), np.tile(np.arange(n_classes), len(X))
    with threadpool_limits(1):
        exact.fit(*copies, sample_weight=weight)
    clf = SoftmaxRegressionClassifier(random_state=0, **EXACT, **params)

    clf.fit(sp.csr_array(X) if layout == "csr" else X, table, sample_weight)

    assert_allclose(clf.predict_proba(X), exact.predict_proba(X), atol=2e-4)


def test_the_objective_is_the_mean_cross_entropy(digits):
    X, y = digits
    table = doubtful(y)
    clf = SoftmaxRegressionClassifier(alpha=0, batch_size=64).fit(X, table)

    losses = -(table * clf.predict_log_proba(X)).sum(axis=1)

    assert clf.loss_curve_[-1] == pytest.approx(losses.mean(), rel=1e-6)


def test_a_stream_of_probabilities_learns_them(digits):
    X, y = digits
    table = doubtful(y)
    clf = SoftmaxRegressionClassifier(random_state=0)
    for _ in range(20):
        for start in range(0, len(X), 100):
            clf.partial_fit(X[start : start + 100], table[start : start + 100])
    exact = SoftmaxRegressionClassifier(tol=1e-6).fit(X, table)

    assert_array_equal(clf.classes_, np.arange(10))
    difference = np.abs(clf.predict_proba(X) - exact.predict_proba(X))
    assert difference.mean() < 0.02


@TWO_OR_TEN
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smoothed_labels_are_a_table_of_them(digits, n_classes, dtype):
    X, y = of_classes(digits, n_classes)
    X = X.astype(dtype)
    table = 0.8 * one_hot(y) + 0.2 / n_classes
    params = {"batch_size": 64, "max_iter": 3, "tol": None, "random_state": 0}

    smoothed = SoftmaxRegressionClassifier(label_smoothing=0.2, **params).fit(X, y)

    by_table = SoftmaxRegressionClassifier(**params).fit(X, table)
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    assert_allclose(smoothed.coef_, by_table.coef_, atol=tolerance)
    assert smoothed.loss_curve_ == pytest.approx(by_table.loss_curve_, rel=1e-5)
    assert smoothed.coef_.dtype == dtype


def test_smoothing_of_a_table_and_in_a_stream(digits):
    X, y = digits
    table = doubtful(y)
    plain = SoftmaxRegressionClassifier(random_state=0)
    smoothing = SoftmaxRegressionClassifier(random_state=0, label_smoothing=0.3)

    smoothing.partial_fit(X, table)

    plain.partial_fit(X, 0.7 * table + 0.03)
    assert_allclose(smoothing.coef_, plain.coef_, atol=1e-9)


@pytest.mark.parametrize("given", ["held out", "X_val"])
def test_validation_is_smoothed_as_training_is(digits, given):
    X, y = digits
    clf = SoftmaxRegressionClassifier(
        label_smoothing=0.5, early_stopping=True, random_state=0
    )
    others = {"X_val": X[:300], "y_val": y[:300]} if given == "X_val" else {}

    clf.fit(X, y, **others)

    # The entropy of a label smoothed like that is 1.68: no loss could be smaller.
    assert clf.best_validation_loss_ > 1.68
    assert clf.loss_curve_[-1] > 1.68
    assert clf.score(X, y) > 0.95


@pytest.mark.parametrize("balanced", [False, True])
def test_class_weights_are_mixed_by_the_probabilities(digits, balanced):
    X, y = digits
    X, table = X[:300], doubtful(y[:300])
    per_class = np.ones(10)
    per_class[3] = 5.0
    class_weight = {3: 5.0}
    if balanced:
        class_weight = "balanced"
        per_class = 30 / table.sum(axis=0)
    clf = SoftmaxRegressionClassifier(class_weight=class_weight, tol=1e-6)

    clf.fit(X, table)

    weighted = SoftmaxRegressionClassifier(tol=1e-6)
    weighted.fit(X, table, sample_weight=table @ per_class)
    assert_allclose(clf.coef_, weighted.coef_, atol=1e-8)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_columns_of_a_frame_name_the_classes(datasets, library):
    frames = pytest.importorskip(library)
    X, y = datasets["iris"]
    table = doubtful(y)
    names = ["setosa", "versicolor", "virginica"]
    shuffled = frames.DataFrame({names[k]: table[:, k] for k in (2, 0, 1)})
    clf, plain = SoftmaxRegressionClassifier(), SoftmaxRegressionClassifier()

    clf.fit(X, shuffled)

    assert_array_equal(clf.classes_, names)
    assert_allclose(clf.coef_, plain.fit(X, table).coef_, rtol=1e-9)
    stream = SoftmaxRegressionClassifier(random_state=0).partial_fit(X, shuffled)
    stream.partial_fit(X, shuffled)
    assert_array_equal(stream.classes_, names)
    assert stream.score(X, shuffled) == stream.score(X, np.array(names)[y])


def test_indicators_of_pandas(datasets):
    pandas = pytest.importorskip("pandas")
    X, y = datasets["iris"]
    labels = np.array(["c", "a", "b"])[y]

    clf = SoftmaxRegressionClassifier().fit(X, pandas.get_dummies(labels))

    hard = SoftmaxRegressionClassifier().fit(X, labels)
    assert_array_equal(clf.predict(X), hard.predict(X))
    assert_array_equal(clf.coef_, hard.coef_)


def test_classes_name_the_columns_in_a_stream(datasets):
    X, y = datasets["iris"]
    clf = SoftmaxRegressionClassifier()

    clf.partial_fit(X, doubtful(y), classes=["a", "b", "c"])

    assert_array_equal(clf.classes_, ["a", "b", "c"])
    clf.partial_fit(X, np.array(["a", "b", "c"])[y])  # labels may follow
    clf.partial_fit(X, doubtful(y))


def test_a_column_is_labels(datasets):
    X, y = datasets["iris"]

    with pytest.warns(match="A column-vector y was passed"):
        clf = SoftmaxRegressionClassifier().fit(X, y[:, None])

    assert_array_equal(clf.coef_, SoftmaxRegressionClassifier().fit(X, y).coef_)


def test_a_class_without_probability_stays_a_class(datasets):
    X, y = datasets["iris"]
    table = np.insert(doubtful(y), 1, 0, axis=1)

    clf = SoftmaxRegressionClassifier().fit(X, table)

    assert_array_equal(clf.classes_, np.arange(4))
    assert clf.predict_proba(X)[:, 1].max() < 0.05


def test_score_takes_the_likeliest_class(digits):
    X, y = digits
    table = doubtful(y)
    clf = SoftmaxRegressionClassifier().fit(X, table)
    weight = np.random.RandomState(0).exponential(size=len(y))

    assert clf.score(X, table) == clf.score(X, y)
    assert clf.score(X, table, weight) == clf.score(X, y, weight)
    assert cross_val_score(clf, X, table, cv=3).min() > 0.85


def test_labels_in_several_columns_are_named_as_such(datasets):
    X, y = datasets["iris"]
    names = np.array(["a", "b", "c"])[y]

    with pytest.raises(ValueError, match=r"y of the shape \(150, 2\).*in one column"):
        SoftmaxRegressionClassifier().fit(X, np.column_stack([names, names]))


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_indicators_take_little_memory(dtype):
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((40_000, 5)), rng.randint(200, size=40_000)
    table = np.zeros((40_000, 200), dtype)  # 8 MB
    table[np.arange(len(y)), y] = 1
    clf = SoftmaxRegressionClassifier(max_iter=2, tol=None, batch_size=512)

    tracemalloc.start()
    clf.fit(X, table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 6 * table.nbytes  # float64 would be eight times as large


def test_the_split_is_stratified_by_the_likeliest_class(digits, monkeypatch):
    X, y = digits
    seen = []

    def spy(rows, **options):
        seen.append(options["stratify"])
        return np.split(rows, [1500])

    monkeypatch.setattr("sksoftmax._validation.train_test_split", spy)
    clf = SoftmaxRegressionClassifier(early_stopping=True)

    clf.fit(X, doubtful(y))

    assert_array_equal(seen[0], y)


def test_rows_need_not_sum_to_one_exactly(digits):
    X, y = digits
    table = doubtful(y)
    clf, rounded = (SoftmaxRegressionClassifier(alpha=1e-3, tol=1e-6) for _ in "ab")

    rounded.fit(X, table * 1.0019)

    # A sum of 1.0019, taken literally, has no optimum: intercepts would run away.
    assert_allclose(rounded.intercept_, clf.fit(X, table).intercept_, atol=1e-6)


def test_probabilities_of_float16_and_of_three_decimals(digits):
    X, y = digits
    table = doubtful(y)
    exact = SoftmaxRegressionClassifier(alpha=1e-2).fit(X, table).predict_proba(X)
    for coarse in (table.astype(np.float16), np.tile([0.333, 0.333, 0.333], (30, 1))):
        clf = SoftmaxRegressionClassifier(alpha=1e-2).fit(X[: len(coarse)], coarse)
        if len(coarse) == len(X):
            assert_allclose(clf.predict_proba(X), exact, atol=5e-3)
        else:
            assert_allclose(clf.predict_proba(X), 1 / 3, atol=1e-6)


def with_row(row):
    table = doubtful(np.arange(30) % 3)
    table[7] = row
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (with_row([0.5, 0.6, -0.1]), r"got \[0.5, 0.6, -0.1\] .* in row 7"),
        (with_row([0.5, 0.5, 0.5]), r"summing to one.*sum 1.5 in row 7\. Divide rows"),
        (with_row([1, 1, 0]), r"several labels a sample use MultiOutputClassifier"),
        (with_row([np.nan, 0, 1]), "Input y contains NaN"),
        (with_row([np.inf, 0, 1]), "Input y contains inf"),
        (with_row([0, 0, 1])[:29], r"numbers of samples: \[30, 29\]"),
        (np.tile([0.0, 1.0], (30, 1)), "at least two classes .*one class"),
        (np.empty((30, 0)), r"0 feature\(s\) \(shape=\(30, 0\)\)"),
        (np.full((30, 3, 1), 1.0), "dim 3|3 dim|got an array of shape|1d array"),
    ],
    ids=["negative", "sum", "labels", "NaN", "inf", "rows", "one class", "none", "3-D"],
)
def test_tables_that_are_no_probabilities_are_refused(table, message):
    X = np.random.RandomState(0).standard_normal((30, 4))
    clf = SoftmaxRegressionClassifier()

    with pytest.raises(ValueError, match=message):
        clf.fit(X, table)
    assert vars(clf) == vars(SoftmaxRegressionClassifier())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": 4}, r"classes \[0 1 2\], got 4 columns\."),
        ({"names": ["a", "b", "c"]}, r"3 columns named \['a' 'b' 'c'\]"),
        ({"names": ["a", "a", "c"]}, "each once|unique column names"),
        ({"names": ["a", 1, 2]}, "all strings or all numbers"),
        ({"names": [0.0, 1.0, np.nan]}, "none missing"),
        ({"names": [("a", 1), ("a", 2), ("b", 1)]}, "Rename the columns"),
        ({"classes": [2, 1, 0]}, r"classes must be sorted.*got \[2, 1, 0\]"),
    ],
    ids=["number", "names", "twice", "mixed", "missing", "two levels", "order"],
)
def test_tables_of_other_classes_are_refused(arguments, message):
    pandas = pytest.importorskip("pandas")
    rng = np.random.RandomState(0)
    X, table = rng.standard_normal((30, 4)), doubtful(np.arange(30) % 3)
    clf = SoftmaxRegressionClassifier().partial_fit(X, table)
    before = clf.coef_.copy()
    if "columns" in arguments:
        table = np.insert(table, 1, 0, axis=1)
    if "names" in arguments:
        table = pandas.DataFrame(table, columns=arguments["names"])

    with pytest.raises(ValueError, match=message):
        clf.partial_fit(X, table, classes=arguments.get("classes"))
    assert_array_equal(clf.coef_, before)
    assert_array_equal(clf.classes_, [0, 1, 2])


def test_a_large_table_is_not_copied():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((20_000, 5))
    table = rng.dirichlet(np.ones(100), size=20_000)  # 16 MB
    clf = SoftmaxRegressionClassifier(max_iter=2, tol=None, batch_size=512)

    tracemalloc.start()
    clf.fit(X, table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < table.nbytes / 2
