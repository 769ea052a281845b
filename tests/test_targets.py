"""y as a table of probabilities, and label smoothing."""

import datetime
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    names = NAMES
    shuffled = frames.DataFrame({names[k]: table[:, k] for k in (2, 0, 1)})
    clf, plain = SoftmaxRegressionClassifier(), SoftmaxRegressionClassifier()

    clf.fit(X, shuffled)

    assert_array_equal(clf.classes_, names)
    assert_allclose(clf.coef_, plain.fit(X, table).coef_, rtol=1e-9)
    stream = SoftmaxRegressionClassifier(random_state=0).partial_fit(X, shuffled)
    stream.partial_fit(X, shuffled)
    assert_array_equal(stream.classes_, names)
    assert stream.score(X, shuffled) == stream.score(X, np.array(names)[y])


NAMES = ["setosa", "versicolor", "virginica"]


def memory_map(X, folder):
    mapped = np.memmap(folder / "X", float, "w+", shape=X.shape)
    mapped[:] = X
    return mapped


def frame(library, array, names=NAMES, order=(0, 1, 2)):
    """Return a frame of a library, or a RecordBatch, with columns in this order."""
    columns = {names[k]: array[:, k] for k in order}
    if library in ("pandas", "polars"):
        return pytest.importorskip(library).DataFrame(columns)
    pyarrow = pytest.importorskip("pyarrow")
    if library == "pyarrow":
        return pyarrow.table(columns)
    if library == "chunks":
        parts = [frame("pyarrow", array[rows], names, order) for rows in HALVES]
        return pyarrow.concat_tables(parts)
    arrays = list(map(pyarrow.array, columns.values()))
    return pyarrow.RecordBatch.from_arrays(arrays, names=list(columns))


def nullable(array):
    return frame("pandas", array).convert_dtypes()


def sparse_frame(array):
    pandas = pytest.importorskip("pandas")
    return frame("pandas", array).astype(
        pandas.SparseDtype(array.dtype, array.dtype.type(0))
    )


HALVES = slice(0, 70), slice(70, 150)
FORMATS = ["csr", "csc", "coo", "bsr", "lil", "dok"]
CONVERT_X = {
    "list": lambda X, _: X.tolist(),
    "list of arrays": lambda X, _: list(X),
    "column-major": lambda X, _: np.asfortranarray(X),
    "memory map": memory_map,
    **{
        library: lambda X, _, library=library: frame(library, X, "abc")
        for library in ("pandas", "polars", "pyarrow", "chunks", "RecordBatch")
    },
    "nullable": lambda X, _: nullable(X),
    "sparse frame": lambda X, _: sparse_frame(X),
    **{
        f"{name}_array": lambda X, _, name=name: getattr(sp, f"{name}_array")(X)
        for name in FORMATS
    },
    **{
        f"{name}_matrix": lambda X, _, name=name: getattr(sp, f"{name}_matrix")(X)
        for name in FORMATS
    },
}
CONVERT_TABLE = {
    "array": np.asarray,
    "list": np.ndarray.tolist,
    "list of arrays": list,
    "column-major": np.asfortranarray,
    "float32": lambda table: table.astype(np.float32),
    **{
        library: lambda table, library=library: frame(library, table)
        for library in ("pandas", "polars", "pyarrow", "chunks", "RecordBatch")
    },
    "nullable": nullable,
    "sparse frame": sparse_frame,
    "objects": lambda table: frame("pandas", table.astype(object)),
}


def pairs_of_kinds():
    """Yield each kind of X with each kind of table, as slow tests if both are rare."""
    for x, convert_x in CONVERT_X.items():
        for table, convert_table in CONVERT_TABLE.items():
            is_common = table == "array" or x in ("list", "pandas", "csr_array")
            is_slow = not is_common or x.endswith("_matrix")
            marks = pytest.mark.slow if is_slow else ()
            yield pytest.param(convert_x, convert_table, id=f"{x}-{table}", marks=marks)


@pytest.mark.parametrize(("convert_x", "convert_table"), [*pairs_of_kinds()])
def test_each_kind_of_x_with_each_kind_of_table(
    datasets, convert_x, convert_table, tmp_path
):
    X, y = datasets["iris"]
    X, table = X[:, :3], doubtful(y)  # three columns, as the table has
    rows, target = convert_x(X, tmp_path), convert_table(table)
    clf, expected = (
        SoftmaxRegressionClassifier(batch_size=50, max_iter=2, tol=None, random_state=0)
        for _ in "ab"
    )

    clf.fit(rows, target, X_val=rows, y_val=target)

    expected.fit(X, table, X_val=X, y_val=table)
    names = NAMES if hasattr(target, "columns") else range(3)
    assert_array_equal(clf.classes_, names)
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-4)
    assert clf.best_validation_loss_ == pytest.approx(expected.best_validation_loss_)
    assert clf.score(rows, target) == expected.score(X, table)
    assert_allclose(clf.surprisal(rows, target), expected.surprisal(X, table), 1e-4)
    clf.partial_fit(rows, target)
    expected.partial_fit(X, table)
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-4)
    clf.set_params(early_stopping=True).fit(rows, target)
    expected.set_params(early_stopping=True).fit(X, table)
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-4)


@pytest.mark.parametrize("dtype", [bool, np.uint8, int, float])
@pytest.mark.parametrize("name", CONVERT_TABLE)
def test_one_hot_tables_of_each_kind(datasets, name, dtype):
    X, y = datasets["iris"]
    X = frame("pandas", X[:, :3], "abc")
    target = CONVERT_TABLE[name](one_hot(y).astype(dtype))

    clf = SoftmaxRegressionClassifier().fit(X, target)

    expected = SoftmaxRegressionClassifier().fit(X, y)
    assert_array_equal(clf.coef_, expected.coef_)
    first = SoftmaxRegressionClassifier(random_state=0).partial_fit(X, target)
    other = SoftmaxRegressionClassifier(random_state=0)
    other.partial_fit(X, y, classes=[0, 1, 2])
    assert_array_equal(first.coef_, other.coef_)


LIBRARIES = ["pandas", "polars", "pyarrow", "chunks", "RecordBatch"]


@pytest.mark.parametrize("first", LIBRARIES)
@pytest.mark.parametrize("second", LIBRARIES)
def test_the_order_of_named_columns_does_not_matter(datasets, first, second):
    X, y = datasets["iris"]
    table = doubtful(y)
    clf = SoftmaxRegressionClassifier(random_state=0)

    clf.partial_fit(X, frame(first, table, order=(2, 0, 1)))
    clf.partial_fit(X, frame(second, table, order=(1, 2, 0)))

    plain = SoftmaxRegressionClassifier(random_state=0)
    plain.partial_fit(X, table).partial_fit(X, table)
    assert_array_equal(clf.classes_, NAMES)
    assert_array_equal(clf.coef_, plain.coef_)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "names",
    [["a", "a\0", "b"], ["", "a", "één"], ["column_names", "columns", "dtype"]],
    ids=["NUL", "empty", "attributes"],
)
def test_unusual_names_of_columns(datasets, library, names):
    X, y = datasets["iris"]
    clf = SoftmaxRegressionClassifier()

    clf.fit(X, frame(library, doubtful(y), names, order=(2, 1, 0)))

    assert clf.classes_.tolist() == names
    assert set(clf.predict(X)) == set(names)
    expected = SoftmaxRegressionClassifier().fit(X, doubtful(y))
    score = clf.score(X, frame(library, doubtful(y), names))
    assert score == expected.score(X, doubtful(y)) > 0.8


@pytest.mark.parametrize(
    "names",
    [[5, 2**63 + 1, 2**64 - 1], [2**62, 2**62 + 1, 2**62 + 2], [0, 0.5, 1]],
)
def test_names_of_columns_keep_their_value(datasets, names):
    X, y = datasets["iris"]

    clf = SoftmaxRegressionClassifier().fit(X, frame("pandas", doubtful(y), names))

    assert clf.classes_.tolist() == names


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize(
    "value", ["a", datetime.date(2020, 1, 1), {"a": 1}, None], ids=str
)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score", "surprisal"])
def test_other_values_in_a_table_are_refused(datasets, library, value, method):
    X, y = datasets["iris"]
    clf = SoftmaxRegressionClassifier().fit(X, frame("pandas", doubtful(y)))
    columns = {"setosa": [value] * 150, "versicolor": 1.0 * y, "virginica": 0.0 * y}
    library = pytest.importorskip(library)
    make = library.table if library.__name__ == "pyarrow" else library.DataFrame

    with pytest.raises(
        (TypeError, ValueError),
        match=r"y of the shape \(150, 3\).*in one column|y contains NaN|Each row of",
    ):
        getattr(clf, method)(X, make(columns))


@pytest.mark.parametrize("library", ["numpy", "pandas", "polars", "pyarrow", "list"])
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score", "surprisal"])
def test_durations_are_no_probabilities(datasets, library, method):
    X, y = datasets["iris"]
    table = one_hot(y).astype("m8[us]")
    if library == "list":
        table = table.tolist()
    elif library != "numpy":
        columns = dict(enumerate(table.T))
        if library != "pandas":
            columns = {str(k): column for k, column in columns.items()}
        library = pytest.importorskip(library)
        make = library.table if library.__name__ == "pyarrow" else library.DataFrame
        table = make(columns)
    clf = SoftmaxRegressionClassifier()
    if method != "fit":
        clf.fit(X, y)

    with pytest.raises(TypeError, match=r"y of the shape .*got dates or times"):
        getattr(clf, method)(X, table)


def test_masked_probabilities_are_missing(digits):
    X, y = digits
    table = np.ma.array(one_hot(y), mask=np.zeros((len(y), 10)))
    expected = SoftmaxRegressionClassifier().fit(X, y)
    assert_array_equal(
        SoftmaxRegressionClassifier().fit(X, table).coef_, expected.coef_
    )
    table.mask[7, 0] = True

    with pytest.raises(ValueError, match="Input y contains NaN"):
        SoftmaxRegressionClassifier().fit(X, table)


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


@pytest.mark.parametrize("class_weight", [None, "balanced", {1: 3.0}])
def test_sums_of_rows_are_no_weights(digits, class_weight):
    X, y = digits
    table, sums = doubtful(y), np.linspace(0.9981, 1.0019, len(y))
    params = {"batch_size": 200, "max_iter": 2, "tol": None, "random_state": 0}
    clf, expected = (
        SoftmaxRegressionClassifier(class_weight=class_weight, **params) for _ in "ab"
    )

    clf.fit(X, table * sums[:, None])

    assert_allclose(clf.coef_, expected.fit(X, table).coef_, rtol=1e-3, atol=1e-5)


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
