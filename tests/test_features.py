"""What callers pass as X: duplicates in sparse data, dates, values of other types."""

import datetime
import decimal
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._data import make_data

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The number of unique classes:UserWarning",
)

# Duplicates: a value is stored as often as it occurs.

LARGE = {  # four of them are out of range
    "bool": True,
    "int8": 100,
    "uint8": 200,
    "int16": 30_000,
    "uint16": 60_000,
    "int32": 2**30,
    "int64": 2**61,
    "float32": 0.1,
    "float64": 0.1,
}
FORMATS = ["csr", "csc", "coo", "bsr"]
KINDS = ["array", "matrix"]
N_ROWS = 60
Y = np.arange(N_ROWS) % 3


def repeated(dtype, layout="csr", kind="array", order=1):
    """Return sparse data with duplicates, and the float64 array that they stand for.

    Column k of a row of class k has four entries, and column 2 - k has one.
    """
    rows = np.repeat(np.arange(N_ROWS), 5)
    columns = np.concatenate([[k] * 4 + [2 - k] for k in Y])
    values = np.full(len(rows), LARGE[dtype], dtype)
    dense = np.zeros((N_ROWS, 3))
    np.add.at(dense, (rows, columns), values.astype(float))
    columns = columns.reshape(N_ROWS, 5)[:, ::order].ravel()
    entries = values, columns, np.arange(N_ROWS + 1) * 5
    if layout == "coo":
        make = getattr(sp, f"coo_{kind}")
        return make((values, (rows, columns)), shape=dense.shape), dense
    X = sp.csr_array(entries, shape=dense.shape)
    if layout == "csc":  # the transposed data, as a conversion could sum
        order = np.argsort(columns, kind="stable")
        starts = np.searchsorted(columns[order], np.arange(4))
        entries = values[order], rows[order], starts
        return getattr(sp, f"csc_{kind}")(entries, shape=dense.shape), dense
    if layout == "bsr":
        blocks = values.reshape(-1, 1, 1)
        make = getattr(sp, f"bsr_{kind}")
        return make((blocks, columns, entries[2]), shape=dense.shape), dense
    return getattr(sp, f"csr_{kind}")(X), dense


def fit(clf, X, **others):
    return clf.fit(X, Y, **others)


def fit_minibatches(clf, X):
    return clf.set_params(batch_size=16, max_iter=3, tol=None).fit(X, Y)


def fit_stream(clf, X):
    for _ in range(2):
        clf.partial_fit(X, Y, classes=[0, 1, 2])
    return clf


def fit_warm(clf, X):
    return clf.set_params(warm_start=True).fit(X, Y).fit(X, Y)


TRAINING = {
    "fit": fit,
    "minibatches": fit_minibatches,
    "partial_fit": fit_stream,
    "warm start": fit_warm,
    "svrg": lambda clf, X: fit(clf.set_params(solver="svrg", batch_size=16), X),
    "L1": lambda clf, X: fit(clf.set_params(l1_ratio=0.5), X),
    "gram": lambda clf, X: fit_minibatches(clf.set_params(preconditioner="gram"), X),
    "validation": lambda clf, X: fit(clf, X, X_val=X, y_val=Y),
    "early stopping": lambda clf, X: fit(clf.set_params(early_stopping=True), X),
}
PREDICTIONS = [
    "decision_function",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "predictive_entropy",
]


def assert_same_training(train, X, expected):
    """Assert that X trains the same model as sparse data without duplicates."""
    clf = train(SoftmaxRegressionClassifier(random_state=0), X)
    other = train(SoftmaxRegressionClassifier(random_state=0), expected)

    scale = np.abs(other.coef_).max()
    assert_allclose(clf.coef_, other.coef_, rtol=1e-3, atol=1e-4 * scale)
    assert_array_equal(clf.predict(X), other.predict(expected))
    for name in ("loss_curve_", "validation_loss_curve_"):
        if hasattr(other, name):
            assert_allclose(getattr(clf, name), getattr(other, name), rtol=1e-3)


@pytest.mark.parametrize("dtype", LARGE)
@pytest.mark.parametrize("train", TRAINING.values(), ids=TRAINING)
def test_duplicates_train_as_their_sum(train, dtype):
    X, dense = repeated(dtype)

    # Small dtypes are trained in float32.
    trained_in = np.float32 if X.dtype.itemsize <= 2 else np.float64
    trained_in = X.dtype if X.dtype.kind == "f" else trained_in
    assert_same_training(train, X, sp.csr_array(dense.astype(trained_in)))


@pytest.mark.parametrize("order", [1, -1], ids=["sorted", "unsorted"])
@pytest.mark.parametrize(
    "dtype",
    [
        "bool",
        pytest.param("uint8", marks=pytest.mark.slow),
        pytest.param("int16", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "validation"])
def test_duplicates_of_each_format(method, layout, kind, dtype, order):
    X, dense = repeated(dtype, layout, kind, order)

    assert_same_training(TRAINING[method], X, sp.csr_array(dense.astype(np.float32)))


@pytest.mark.parametrize("dtype", LARGE)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", FORMATS)
def test_duplicates_are_predicted_as_their_sum(layout, kind, dtype):
    X, dense = repeated(dtype, layout, kind)
    clf = fit(SoftmaxRegressionClassifier(), dense / dense.max())
    clf.coef_ /= dense.max()

    for name in PREDICTIONS:
        assert_allclose(getattr(clf, name)(X), getattr(clf, name)(dense), rtol=1e-6)
    assert clf.score(X, Y) == clf.score(dense, Y) == 1
    assert_allclose(clf.surprisal(X, Y), clf.surprisal(dense, Y), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:The best score is at:UserWarning")
@pytest.mark.parametrize("is_val_sparse", [False, True])
@pytest.mark.parametrize("dtype", LARGE)
@pytest.mark.parametrize("kind", KINDS)
def test_duplicates_beside_dense_rows_of_a_path_stand_for_their_sum(
    kind, dtype, is_val_sparse
):
    X, dense = repeated(dtype, "csr", kind)
    others = np.where(dense > 0, LARGE[dtype], 0).astype(dtype)
    parts, sums = (X, others), [sp.csr_array(dense), sp.csr_array(others.astype(float))]
    if is_val_sparse:
        parts, sums = parts[::-1], sums[::-1]
    clf = SoftmaxRegressionClassifierCV(alphas=[1e-3], random_state=0)
    expected = clone(clf).fit(sums[0], Y, X_val=sums[1], y_val=Y)

    clf.fit(parts[0], Y, X_val=parts[1], y_val=Y)

    scale = np.abs(expected.coef_).max()
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-3, atol=1e-4 * scale)
    assert_allclose(clf.scores_, expected.scores_, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:The best score is at:UserWarning")
@pytest.mark.parametrize("dtype", ["float16", ">f8", ">i4"])
def test_dense_rows_that_scipy_has_no_dtype_for_validate_sparse_ones(dtype):
    X, dense = repeated("int16")
    others = (dense > 0).astype(dtype)
    clf = SoftmaxRegressionClassifierCV(alphas=[1e-3], random_state=0)
    expected = clone(clf).fit(X, Y, X_val=others.astype(float), y_val=Y)

    clf.fit(X, Y, X_val=others, y_val=Y)

    assert_allclose(clf.scores_, expected.scores_, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, -1], ids=["sorted", "unsorted"])
@pytest.mark.parametrize("dtype", ["bool", "float32", "float64"])
@pytest.mark.parametrize("layout", FORMATS)
def test_sparse_x_is_not_modified(layout, dtype, order):
    X, _ = repeated(dtype, layout, order=order)
    names = ["data", *(("row", "col") if layout == "coo" else ("indices", "indptr"))]
    before = [getattr(X, name).copy() for name in names]

    for train in TRAINING.values():
        clf = train(SoftmaxRegressionClassifier(random_state=0), X)
    for name in PREDICTIONS:
        getattr(clf, name)(X)
    clf.surprisal(X, Y)

    for name, values in zip(names, before, strict=True):
        assert_array_equal(getattr(X, name), values)


@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_sparse_data_without_duplicates_are_not_copied(dtype, is_sorted):
    values = np.random.RandomState(0).uniform(-49, 1, (4000, 500)) * 200
    X = sp.csr_array(np.maximum(values, 0).astype(dtype))
    if not is_sorted:
        X.indices = X.indices.reshape(-1)[::-1].copy()
        X.data = X.data[::-1].copy()
        X.indptr = (X.nnz - X.indptr[::-1]).copy()
        X.has_sorted_indices = False
    X = sp.csr_array((X.data, X.indices, X.indptr), shape=X.shape)
    n_bytes = X.data.nbytes + X.indices.nbytes

    tracemalloc.start()
    data = make_data(X, np.float64, True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert data.X is X
    assert X.has_sorted_indices == is_sorted
    # The check sorts copies of 2**18 values, and the columns have some arrays.
    assert peak < n_bytes / 2 + 8 * 2**18


def test_one_duplicate_among_unsorted_indices_is_found():
    X = sp.csr_array(np.ones((1000, 900)))
    X.indices = np.tile(np.arange(900)[::-1], 1000).astype(X.indices.dtype)
    X = sp.csr_array((X.data, X.indices, X.indptr), shape=X.shape)
    assert make_data(X, np.float64, True).X is X
    X = sp.csr_array((X.data, X.indices.copy(), X.indptr), shape=X.shape)
    X.indices[-1] = X.indices[-2]

    assert make_data(X, np.float64, True).n_stored == X.nnz - 1


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bool", "uint8", "float64"])
@pytest.mark.parametrize("layout", FORMATS)
def test_duplicates_in_blocks_of_dask(layout, dtype):
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    from sksoftmax.dask import DaskSoftmaxRegressionClassifier

    X, dense = repeated(dtype, layout)
    models = []
    trained_in = np.float64 if dtype == "float64" else np.float32
    for rows in (X, sp.csr_array(dense.astype(trained_in))):
        blocks = [dask.delayed(rows) for _ in range(2)], [dask.delayed(Y)] * 2
        clf = DaskSoftmaxRegressionClassifier(tol=1e-6, random_state=0)
        with dask.config.set(scheduler="synchronous"):
            models.append(clf.fit(*blocks).coef_)

    scale = np.abs(models[1]).max()
    assert_allclose(models[0], models[1], rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.parametrize("X", [sp.csr_array(np.eye(3)), sp.coo_array(np.eye(3))])
def test_the_error_of_a_sparse_y_is_that_of_scikit_learn(X):
    with pytest.raises(TypeError, match="Sparse data was passed"):
        SoftmaxRegressionClassifier().fit(X, sp.csr_array(np.eye(3)))


# Dates and durations: NumPy converts them to numbers without their unit.

DAYS = np.datetime64("2020-01-01") + np.arange(N_ROWS)
DURATIONS = np.arange(N_ROWS).astype("m8[D]")
DATES = [datetime.date(2020, 1, 1) + datetime.timedelta(i) for i in range(N_ROWS)]
DATETIMES = [datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)] * N_ROWS
NUMBERS = np.linspace(0, 1, N_ROWS)


def objects(values):
    """Return the values in an array of objects."""
    array = np.empty(len(values), object)
    array[:] = list(values)
    return array


def among_numbers(values):
    """Return rows of a number and a value."""
    return np.column_stack([NUMBERS.astype(object), objects(values)])


class Labelled:
    """An array with NumPy's dtypes that is not NumPy's, such as xarray's."""

    def __init__(self, array):
        self.array, self.dtype, self.shape = array, array.dtype, array.shape

    def __array__(self, dtype=None, copy=None):
        return self.array.astype(dtype or self.dtype)


DATE_ARRAYS = {
    "datetime64": lambda: DAYS[:, None],
    "datetime64[ns]": lambda: DAYS[:, None].astype("M8[ns]"),
    "datetime64, swapped": lambda: DAYS[:, None].astype(">M8[s]"),
    "timedelta64": lambda: DURATIONS[:, None],
    "timedelta64 without unit": lambda: np.arange(N_ROWS)[:, None].astype("m8"),
    "datetime64 objects": lambda: objects(DAYS)[:, None],
    "timedelta64 objects": lambda: objects(DURATIONS)[:, None],
    "datetime64 among numbers": lambda: among_numbers(DAYS),
    "timedelta64 among numbers": lambda: among_numbers(DURATIONS),
    "dates": lambda: objects(DATES)[:, None],
    "datetimes among numbers": lambda: among_numbers(DATETIMES),
    "times": lambda: objects([datetime.time(1)] * N_ROWS)[:, None],
    "durations": lambda: among_numbers([datetime.timedelta(1)] * N_ROWS),
    "list of datetime64": lambda: [[day] for day in DAYS],
    "list of timedelta64": lambda: [[duration] for duration in DURATIONS],
    "list of datetime64 and numbers": lambda: [[day, 1.0] for day in DAYS],
    "list of timedelta64 and numbers": lambda: [[d, 1.0] for d in DURATIONS],
    "list of dates": lambda: [[day, 1.0] for day in DATES],
    "another library's": lambda: Labelled(DAYS[:, None]),
}


def pandas_columns(pandas):
    """Return columns of dates and durations of pandas, by name."""
    days, durations = pandas.Series(DAYS.astype("M8[s]")), pandas.Series(DURATIONS)
    times = pandas.Series(objects([datetime.time(1)] * N_ROWS))
    columns = {
        "datetime64": days,
        "datetime64[ns]": days.astype("M8[ns]"),
        "time zone": days.dt.tz_localize("UTC"),
        "timedelta64": durations,
        "period": days.dt.to_period("D"),
        "categories": days.astype("category"),
        "date": pandas.Series(objects(DATES)),
        "datetime": pandas.Series(objects(DATETIMES)),
        "time": times,
        "Timestamp": pandas.Series(objects(days)),
        "datetime64 objects": pandas.Series(objects(DAYS)),
        "timedelta64 objects": pandas.Series(objects(DURATIONS)),
    }
    pyarrow = pytest.importorskip("pyarrow")
    for name, dtype in {
        "Arrow timestamp": pyarrow.timestamp("us"),
        "Arrow date": pyarrow.date32(),
    }.items():
        columns[name] = days.astype(pandas.ArrowDtype(dtype))
    columns["Arrow duration"] = durations.astype(
        pandas.ArrowDtype(pyarrow.duration("us"))
    )
    return columns


PANDAS_COLUMNS = [
    *("datetime64", "datetime64[ns]", "time zone", "timedelta64", "period"),
    *("categories", "date", "datetime", "time", "Timestamp"),
    *("datetime64 objects", "timedelta64 objects"),
    *("Arrow timestamp", "Arrow date", "Arrow duration"),
]
VALUES = {
    "date": DATES,
    "datetime": DATETIMES,
    "duration": [datetime.timedelta(1)] * N_ROWS,
    "time": [datetime.time(1)] * N_ROWS,
}
DATE_FRAMES = [
    *(("pandas", name) for name in PANDAS_COLUMNS),
    *((library, name) for library in ("polars", "pyarrow") for name in VALUES),
]


def date_frame(library, name, is_alone):
    """Return a frame with a column "when", alone or after a column of numbers."""
    frames = pytest.importorskip(library)
    before = {} if is_alone else {"number": NUMBERS}
    if library == "pandas":
        return frames.DataFrame({**before, "when": pandas_columns(frames)[name]})
    make = frames.DataFrame if library == "polars" else frames.table
    return make({**before, "when": VALUES[name]})


def fitted(n_features):
    X = np.random.RandomState(0).standard_normal((N_ROWS, n_features))
    return SoftmaxRegressionClassifier().fit(X, Y)


METHODS = {
    "fit": lambda clf, X: clf.fit(X, Y),
    "partial_fit": lambda clf, X: clf.partial_fit(X, Y),
    "X_val": lambda clf, X: clf.fit(
        np.ones((N_ROWS, 1)) * Y[:, None], Y, X_val=X, y_val=Y
    ),
    "score": lambda clf, X: clf.score(X, Y),
    "surprisal": lambda clf, X: clf.surprisal(X, Y),
    **{name: lambda clf, X, n=name: getattr(clf, n)(X) for name in PREDICTIONS},
}
each_method = pytest.mark.parametrize("call", METHODS.values(), ids=METHODS)
DATE_MESSAGE = r"X must hold numbers, got dates or times \(.*np\.timedelta64\(1, 'D'\)"


@pytest.mark.parametrize("kind", DATE_ARRAYS)
@each_method
def test_arrays_of_dates_are_refused(call, kind):
    X = DATE_ARRAYS[kind]()
    clf = fitted(np.shape(X)[1])

    with pytest.raises(TypeError, match=DATE_MESSAGE) as error:
        call(clf, X)

    if np.shape(X)[1] == 2:
        column = 0 if isinstance(X, list) else 1
        assert f"in column {column}." in str(error.value)


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "among numbers"])
@pytest.mark.parametrize(("library", "name"), DATE_FRAMES)
def test_dates_in_a_frame_are_refused_by_name(library, name, is_alone):
    X = date_frame(library, name, is_alone)
    clf = fitted(X.shape[1])

    for call in METHODS.values():
        with pytest.raises(TypeError, match=DATE_MESSAGE) as error:
            call(clf, X)
        assert "in column 'when'." in str(error.value)


@pytest.mark.parametrize("name", ["datetime64[ns]", "time zone", "timedelta64", "date"])
@pytest.mark.parametrize("method", ["fit", "partial_fit", "sample_weight_val"])
def test_weights_that_are_dates_are_refused(method, name):
    dates = pandas_columns(pytest.importorskip("pandas"))[name]
    X, clf = NUMBERS[:, None], fitted(1)
    weights = {"sample_weight": dates}
    if method == "sample_weight_val":
        method, weights = "fit", {method: dates, "X_val": X, "y_val": Y}

    with pytest.raises(TypeError, match="sample_weight must hold numbers, got dates"):
        getattr(clf, method)(X, Y, **weights)


def test_a_refused_date_leaves_the_estimator_as_it_was():
    clf = SoftmaxRegressionClassifier()

    with pytest.raises(TypeError, match=DATE_MESSAGE):
        clf.fit(DAYS[:, None], Y)

    assert vars(clf) == vars(SoftmaxRegressionClassifier())


def test_the_way_out_of_dates_predicts_the_same_in_each_unit():
    def days(X):
        return (X - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")

    y = np.arange(N_ROWS) // 30
    clf = SoftmaxRegressionClassifier().fit(days(DAYS[:, None].astype("M8[us]")), y)

    assert_array_equal(clf.predict(days(DAYS[:, None].astype("M8[ns]"))), y)


# Values of other types: numbers in disguise are taken, others are named.

SOME = [1.0, 2.0] * (N_ROWS // 2)


def pandas_series(values, dtype=object):
    return lambda pandas: pandas.Series(values, dtype=dtype)


TAKEN = {
    "booleans": (pandas_series(NUMBERS > 0.5, bool), NUMBERS > 0.5),
    "text of numbers": (pandas_series(list(map(str, SOME))), SOME),
    "decimals": (pandas_series([decimal.Decimal(str(v)) for v in SOME]), SOME),
    "fractions": (
        pandas_series([Fraction(int(v), 2) for v in SOME]),
        np.array(SOME) / 2,
    ),
    "categories of numbers": (pandas_series(SOME, "category"), SOME),
    "nullable integers": (pandas_series(SOME, "Int64"), SOME),
    "nullable floats": (pandas_series(SOME, "Float64"), SOME),
}
REFUSED = {  # value, what the error says
    "text": ("red", ValueError, "text in row 3 of column 'b': .*'red'.*OneHotEncoder"),
    "bytes": (b"red", ValueError, "text in row 3 of column 'b'"),
    "list": ([1, 2], ValueError, "a value of type list in row 3 of column 'b'"),
    "tuple": ((1, 2), ValueError, "a value of type tuple in row 3 of column 'b'"),
    "array": (np.ones(2), ValueError, "a value of type ndarray in row 3 of column 'b'"),
    "dict": ({"a": 1}, TypeError, "a value of type dict in row 3 of column 'b'"),
    "set": ({1}, TypeError, "a value of type set in row 3 of column 'b'"),
    "object": (object(), TypeError, "a value of type object in row 3 of column 'b'"),
    "date": (DATES[0], TypeError, r"dates or times \(date\) in column 'b'"),
    "pd.NA": ("NA", TypeError, "a missing value in row 3 of column 'b'"),
    "pd.NaT": ("NaT", TypeError, "a missing value in row 3 of column 'b'"),
    "complex": (1j, TypeError, "a value of type complex in row 3 of column 'b'"),
    "too large": (10**400, ValueError, "X must hold numbers in the range of float64"),
    "None": (None, ValueError, "Input X contains NaN"),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("kind", TAKEN)
def test_numbers_of_other_types_are_taken(kind):
    pandas = pytest.importorskip("pandas")
    make, numbers = TAKEN[kind]
    X = pandas.DataFrame({"a": NUMBERS, "b": make(pandas)})
    expected = np.column_stack([NUMBERS, numbers]).astype(float)

    clf = SoftmaxRegressionClassifier().fit(X, Y)

    assert_allclose(clf.coef_, SoftmaxRegressionClassifier().fit(expected, Y).coef_)
    assert_allclose(clf.predict_proba(X), clf.predict_proba(X.to_numpy(float)))


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.parametrize("kind", REFUSED)
def test_other_values_in_a_frame_are_named(kind):
    pandas = pytest.importorskip("pandas")
    value, error, message = REFUSED[kind]
    value = getattr(pandas, value) if kind.startswith("pd.") else value
    column = objects(NUMBERS)
    column[3] = value
    X = pandas.DataFrame({"a": NUMBERS, "b": pandas.Series(column, dtype=object)})
    clf = fitted(2)

    for call in METHODS.values():
        with pytest.raises(error, match=f"(?s){message}"):
            call(clf, X)


@pytest.mark.parametrize("kind", REFUSED)
def test_other_values_in_an_array_of_objects_are_named(kind):
    value, error, message = REFUSED[kind]
    if kind.startswith("pd."):
        value = getattr(pytest.importorskip("pandas"), value)
    X = among_numbers(NUMBERS)
    X[3, 1] = value

    with pytest.raises(error, match=f"(?s){message}".replace("'b'", "1")):
        fitted(2).predict(X)


@pytest.mark.parametrize(
    ("library", "values"),
    [
        ("polars", ["red"] * N_ROWS),
        ("polars", [[1, 2]] * N_ROWS),
        ("polars", [{"a": 1, "b": 2}] * N_ROWS),
        ("pyarrow", ["red"] * N_ROWS),
        ("pyarrow", [[1, 2]] * N_ROWS),
        ("pyarrow", [{"a": 1, "b": 2}] * N_ROWS),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value[0]).__name__,
)
def test_other_values_in_frames_of_other_libraries_are_named(library, values):
    frames = pytest.importorskip(library)
    make = frames.DataFrame if library == "polars" else frames.table

    with pytest.raises((TypeError, ValueError), match="row 0 of column 'b'"):
        SoftmaxRegressionClassifier().fit(make({"a": NUMBERS, "b": values}), Y)


def test_sparse_columns_with_another_fill_value_are_named():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"a": NUMBERS}).astype(pandas.SparseDtype(float, 1.0))

    with pytest.raises(ValueError, match="X must have the fill value 0 in sparse"):
        SoftmaxRegressionClassifier().fit(X, Y)


NO_ROWS = "X must be an array, a data frame or a list of rows, got an object of type"
WRONG_SHAPES = {
    "ragged lists": (lambda: [[1.0, 2.0], [3.0]] * 30, "got 2 in row 0 and 1 in row 1"),
    "ragged arrays": (lambda: [np.ones(2), np.ones(3)] * 30, "2 in row 0 and 3 in row"),
    "lists in a row": (lambda: [[1.0, [2.0, 3.0]]] * 60, "list in row 0 of column 1"),
    "three levels": (lambda: [[[1.0], [2.0]]] * 60, r"got the shape \(60, 2, 1\)"),
    "texts": (lambda: ["a red apple"] * 60, "got text in row 0: .*TfidfVectorizer"),
    "dicts": (lambda: [{"a": 1}] * 60, "a value of type dict in row 0: "),
    "None": (lambda: None, NO_ROWS + " NoneType"),
    "text": (lambda: "hello", NO_ROWS + " str"),
    "set": (lambda: {1, 2}, NO_ROWS + " set"),
    "dict": (lambda: {"a": [1, 2]}, NO_ROWS + " dict"),
    "generator": (lambda: (row for row in [[1.0]]), NO_ROWS + " generator"),
    "map": (lambda: map(list, [[1.0]]), NO_ROWS + " map"),
    "values of a dict": (lambda: {"a": [1, 2]}.values(), NO_ROWS + " dict_values"),
    "complex numbers": (lambda: np.full((60, 1), 1j), "Complex data not supported: X"),
    "complex lists": (lambda: [[1j]] * 60, "Complex data not supported: X and y"),
    "records": (lambda: np.zeros(60, "f8, f8"), "X must hold numbers, got a value"),
}


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (method, kind)
        for method in ("fit", "partial_fit", "predict", "X_val")
        for kind in WRONG_SHAPES
        if (method, kind) != ("X_val", "None")  # no validation data
    ],
)
def test_what_is_no_table_of_numbers_is_named(method, kind):
    make, message = WRONG_SHAPES[kind]

    with pytest.raises((TypeError, ValueError), match=message) as error:
        METHODS[method](fitted(1), make())

    assert ("validation data" in str(error.value)) == (method == "X_val")


@pytest.mark.parametrize(
    "rows",
    [[[1, 2]] * 60, [[True, False]] * 60, [["1", "2.5"]] * 60, [(0.5, 2**70)] * 60],
    ids=["integers", "booleans", "text of numbers", "large integers"],
)
def test_lists_are_trained_in_float64(rows):
    clf = SoftmaxRegressionClassifier().fit(rows, Y)

    assert clf.coef_.dtype == np.float64
    expected = SoftmaxRegressionClassifier().fit(np.array(rows, float), Y)
    assert_array_equal(clf.coef_, expected.coef_)


TEXT_COLUMNS = {
    "text": lambda pd, codes: pd.Series(codes, dtype=object),
    "strings": lambda pd, codes: pd.Series(codes, dtype="string"),
    "categories": lambda pd, codes: pd.Series(codes, dtype="category"),
    "Polars strings": lambda pd, codes: pytest.importorskip("polars").Series(codes),
    "Polars categories": lambda pd, codes: pytest.importorskip("polars").Series(
        codes, dtype=pytest.importorskip("polars").Categorical
    ),
}


@pytest.mark.parametrize("kind", TEXT_COLUMNS)
def test_columns_of_text_are_numbers_if_they_read_as_numbers(kind):
    pd = pytest.importorskip("pandas")

    def table(codes):
        column = TEXT_COLUMNS[kind](pd, codes * 20)
        frame = pd if isinstance(column, pd.Series) else pytest.importorskip("polars")
        return frame.DataFrame({"postcode": column})

    numbers = np.array([[1067.0], [1099.0], [4103.0]] * 20)
    expected = SoftmaxRegressionClassifier().fit(numbers, Y)

    clf = SoftmaxRegressionClassifier().fit(table(["01067", "01099", "04103"]), Y)

    assert_array_equal(clf.coef_, expected.coef_)
    with pytest.raises(ValueError, match=r"got text in row 2 of column 'postcode'"):
        clf.fit(table(["01067", "01099", "D-04103"]), Y)


def test_sparse_rows_that_lost_all_entries_are_zeros():
    X = sp.csr_array(([0.0, 0.0, 0.0], [2, 0, 1], [0, 2, 3, 3]), shape=(3, 3))
    assert not X.has_sorted_indices
    X.eliminate_zeros()
    assert X.nnz == 0

    clf = SoftmaxRegressionClassifier().fit(X, [0, 1, 1])

    assert_array_equal(clf.coef_, np.zeros((1, 3)))


@pytest.mark.filterwarnings("ignore:The best score is at")
@pytest.mark.parametrize("has_entry", [False, True], ids=["none", "without weight"])
@pytest.mark.parametrize("n_features", [3, 100])
@pytest.mark.parametrize(
    "clf",
    [
        SoftmaxRegressionClassifier(l1_ratio=1.0),
        SoftmaxRegressionClassifier(l1_ratio=0.5),
        SoftmaxRegressionClassifier(preconditioner="diagonal"),
        SoftmaxRegressionClassifier(solver="svrg"),
        SoftmaxRegressionClassifier(solver="svrg", l1_ratio=1.0, batch_size=4),
        SoftmaxRegressionClassifierCV(l1_ratio=1.0),
        SoftmaxRegressionClassifierCV(alphas=[1.0, 0.1], preconditioner="diagonal"),
    ],
    ids=repr,
)
def test_sparse_data_without_entries_train_as_zeros(clf, n_features, has_entry):
    entry = [1.0] * has_entry, ([0] * has_entry, [0] * has_entry)
    X = sp.csr_array(sp.coo_array(entry, shape=(24, n_features)))
    y, sample_weight = [0, 1, 2] * 8, np.ones(24)
    sample_weight[0] = not has_entry
    clf = clone(clf).set_params(fit_intercept=False)

    clf.fit(X, y, sample_weight=sample_weight)

    assert_array_equal(clf.coef_, np.zeros((3, n_features)))
    assert_allclose(clf.predict_proba(X[1:]), 1 / 3)
