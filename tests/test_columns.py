"""Sums over columns, dense and sparse: the same numbers as of plain arrays."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

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
