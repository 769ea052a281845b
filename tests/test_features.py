"""What callers pass as X: duplicates in sparse data."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier
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
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16"])
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
