"""Sums over columns, dense and sparse: the same numbers as of plain arrays."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._arrays import NUMPY
from sksoftmax._columns import DenseColumns, SparseColumns, nonzero_quantile

rng = np.random.RandomState(0)
X = rng.standard_normal((40, 6)) * (rng.uniform(size=(40, 6)) < 0.5)
X[:, 5] = 0
WEIGHT = rng.exponential(size=40)
FACTOR = rng.exponential(size=6)
SQUARES = X**2


@pytest.fixture(params=["dense", "sparse"])
def columns(request):
    if request.param == "dense":
        return DenseColumns(X.copy(), NUMPY)
    return SparseColumns(sp.csr_array(X), np.dtype(np.float64))


def test_sizes_of_rows(columns):
    rows = np.array([3, 17])

    squares = columns.squares(np.zeros(6))
    largest, squared_norms = columns.squared_norms(squares, rows, FACTOR)

    assert_allclose(columns.row_sums(squares, FACTOR), SQUARES @ FACTOR)
    assert_array_equal(largest, SQUARES[rows].max(axis=1))
    assert_allclose(squared_norms, (SQUARES**2 @ FACTOR**2)[rows])


def test_dense_squares_are_of_deviations_from_the_centers():
    center = np.arange(6.0)

    squares = DenseColumns(X.copy(), NUMPY).squares(center)

    assert_allclose(squares, (X - center) ** 2)


def test_quantile_of_the_nonzero_squares(columns):
    quantile, n_nonzero = columns.nonzero_quantile(columns.squares(np.zeros(6)), 0.9)

    nonzero = [np.sort(column[column > 0]) for column in SQUARES.T]
    assert_array_equal(n_nonzero, [len(values) for values in nonzero])
    expected = [values[int(0.9 * len(values))] for values in nonzero[:5]]
    assert_array_equal(quantile, [*expected, 0])


def test_quantile_of_rows_without_nonzero_entries_is_zero():
    rows = np.array([[0.0, 0, 0], [0, 3, 1]])

    assert_array_equal(nonzero_quantile(rows, 0.5), [0, 3])


def test_weighted_sums(columns):
    total = WEIGHT.sum()
    fill_value = np.array([0, X[0, 1], 0, 7, 0, 0])

    mean, squares = columns.mean_and_squares(columns.cast_weight(WEIGHT), total)
    non_fill_weight = columns.non_fill_weight(WEIGHT, total, fill_value)

    assert_allclose(mean, WEIGHT @ X / total)
    assert_allclose(squares, WEIGHT @ (X - WEIGHT @ X / total) ** 2, atol=1e-13)
    assert_allclose(non_fill_weight, WEIGHT @ (fill_value != X), atol=1e-13)


FAR = [(1e9, 1.0), (1.7e12, 1e4), (1.7e9, 30.0), (1e6, 0.01), (-1e8, 1.0)]


@pytest.mark.parametrize("n_unstored", [0, 2])
def test_sparse_moments_far_from_zero_keep_their_digits(n_unstored):
    X_far = np.hstack([mean + std * rng.standard_normal((300, 1)) for mean, std in FAR])
    weight = rng.exponential(size=300)
    X_far[:n_unstored, 1:3] = 0
    weight[:n_unstored] *= 1e-13
    columns = SparseColumns(sp.csr_array(X_far), np.dtype(np.float64))

    mean, squares = columns.mean_and_squares(weight, weight.sum())

    expected = np.average(X_far.astype(np.longdouble), axis=0, weights=weight)
    deviations = X_far - expected
    assert_allclose(mean, expected.astype(float), rtol=1e-14)
    assert_allclose(squares, (weight @ deviations**2).astype(float), rtol=1e-6)


@pytest.mark.parametrize(("mean", "std"), FAR)
@pytest.mark.parametrize("n_rows", [500, 20_000])
def test_fits_of_columns_far_from_zero_are_the_same_in_each_layout(mean, std, n_rows):
    random = np.random.RandomState(1)
    z = random.standard_normal((n_rows, 2))
    y = (2 * z[:, 0] + random.logistic(size=n_rows) > 0).astype(int)
    dense = z * [std, 1] + [mean, 0]
    clf = SoftmaxRegressionClassifier(alpha=0, random_state=0)

    of_dense = clf.fit(dense, y).predict_proba(dense)
    of_sparse = clf.fit(sp.csr_array(dense), y).predict_proba(dense)

    assert_allclose(of_sparse, of_dense, atol=1e-3)
    assert clf.score(dense, y) > 0.75
