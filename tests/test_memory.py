"""What a fit allocates, by Python's own count of NumPy's memory."""

import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV


def peak_of(work):
    """Return the most bytes that were allocated at a time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.RandomState(0)
    return rng.randint(256, size=(200_000, 100), dtype=np.uint8), rng.randint(
        10, size=200_000
    )


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_fit_copies_no_x_and_no_table_of_rows_by_classes(pixels, dtype):
    X, y = pixels
    X = X.astype(dtype, copy=False)
    clf = SoftmaxRegressionClassifier(max_iter=2, tol=None)

    peak = peak_of(lambda: clf.fit(X, y))

    # Less than X as bytes; a copy in float32 would take four times as much.
    assert peak < X.size


@pytest.mark.slow
def test_a_scorer_copies_the_test_rows_of_columns_alone():
    rng = np.random.RandomState(0)
    X, y = (
        rng.standard_normal((20_000, 400)).astype(np.float32),
        rng.randint(2, size=20_000),
    )
    clf = SoftmaxRegressionClassifierCV(alphas=[1e3], cv=10, scoring="f1")
    clf.fit(X[:200], y[:200])

    peaks = [peak_of(lambda X=X: clf.fit(X, y)) for X in (X, np.asfortranarray(X))]

    assert peaks[1] < peaks[0] + 0.3 * X.nbytes


def test_fit_does_not_copy_soft_targets_in_columns():
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((20_000, 10)), np.full((20_000, 200), 1 / 200)
    clf = SoftmaxRegressionClassifier(batch_size=512, max_iter=1, tol=None)
    clf.fit(X[:2000], y[:2000])

    peaks = [peak_of(lambda y=y: clf.fit(X, y)) for y in (y, np.asfortranarray(y))]

    assert peaks[1] < peaks[0] + 0.3 * y.nbytes


@pytest.mark.slow
@pytest.mark.parametrize("least", [0.0, 1.0], ids=["some rows", "all rows"])
def test_fit_does_not_copy_soft_targets_of_heavy_rows(least):
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((20_000, 10)), np.full((20_000, 200), 1 / 200)
    sample_weight = np.ones(20_000)
    sample_weight[::1000], sample_weight[1] = 1e4, least
    clf = SoftmaxRegressionClassifier(batch_size=512, max_iter=1, tol=None)
    clf.fit(X[:2000], y[:2000])

    peaks = [
        peak_of(lambda weight=weight: clf.fit(X, y, sample_weight=weight))
        for weight in (None, sample_weight)
    ]

    assert peaks[1] < peaks[0] + 0.1 * y.nbytes


def test_predict_copies_no_x_and_no_table_of_rows_by_classes(pixels):
    X, y = pixels
    clf = SoftmaxRegressionClassifier().fit(X[:5000], y[:5000])

    peak = peak_of(lambda: clf.predict(X))

    assert peak < 1.5 * X.size


@pytest.mark.slow
def test_sparse_rows_are_never_densified():
    rng = np.random.RandomState(0)
    entries = rng.standard_normal(10**6), rng.randint(50_000, size=10**6)
    X = sp.csr_array((*entries, np.arange(0, 10**6 + 1, 50)), shape=(20_000, 50_000))
    X.sum_duplicates()
    y = rng.randint(20, size=20_000)
    clf = SoftmaxRegressionClassifier(max_iter=2, tol=None)

    peak = peak_of(lambda: clf.fit(X, y))

    assert peak < 6 * clf.coef_.nbytes + 30e6


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", ["auto", 1000], ids=["grows", "minibatches"])
def test_svrg_keeps_no_residuals(batch_size):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((20_000, 10)).astype(np.float32)
    y = rng.randint(400, size=20_000)
    clf = SoftmaxRegressionClassifier(
        solver="svrg", batch_size=batch_size, max_iter=6, tol=None
    )

    peak = peak_of(lambda: clf.fit(X, y))

    assert peak < 20_000 * 400 * X.itemsize  # rows times classes


@pytest.mark.slow
def test_svrg_keeps_no_table_of_sparse_rows_by_classes():
    rng = np.random.RandomState(0)
    X = sp.random(40_000, 40, 0.05, format="csr", random_state=rng)
    y = rng.randint(200, size=40_000)
    clf = SoftmaxRegressionClassifier(solver="svrg", max_iter=3, tol=None)

    peak = peak_of(lambda: clf.fit(X, y))

    assert peak < 40_000 * 200 * X.dtype.itemsize


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["sgd", "svrg"])
def test_l1_keeps_no_table_of_sparse_rows_by_classes(solver):
    rng = np.random.RandomState(0)
    X = sp.random(30_000, 200, 0.02, "csr", np.float32, rng)
    y = rng.randint(200, size=30_000)
    clf = SoftmaxRegressionClassifier(
        l1_ratio=1.0, alpha=1e-6, solver=solver, max_iter=1, tol=None
    )

    peak = peak_of(lambda: clf.fit(X, y))

    assert peak < 30_000 * 200 * X.dtype.itemsize


@pytest.mark.parametrize(
    "params",
    [{}, pytest.param({"l1_ratio": 0.5, "max_iter": 2}, marks=pytest.mark.slow)],
)
def test_a_path_copies_no_x_and_no_table_of_rows_by_classes(pixels, params):
    X, y = pixels
    X, alphas = X.astype(np.float32), [1e4, 1e3]
    clf = SoftmaxRegressionClassifierCV(alphas=alphas, cv=3, **params)

    with warnings.catch_warnings(), threadpool_limits(1):  # each thread has chunks
        warnings.simplefilter("ignore")
        peak = peak_of(lambda: clf.fit(X, y))

    # A few numbers of each row for each of four models, and chunks of rows.
    assert peak < 4 * 8 * 4 * len(y) + 20e6 < X.nbytes
