"""Entries of a few rows, dense or CSR, for the statistics of the columns.

Both classes have the same methods. Weights and `squares` have the array type of the
rows, and everything else is in NumPy. Sums over rows are in float64.
"""

import numpy as np
import scipy.sparse as sp

from sksoftmax._arrays import NUMPY, chunks, take

# The squares are kept without functools.cached_property: in Python 3.11 all threads
# share its lock, and a process that is forked meanwhile would wait for it without end.

# Sums of squares lose more than six of float64's 16 digits where |mean| is more than
# the root of this many times the standard deviation.
_FAR = 1e6


class DenseColumns:
    """Entries of an array, (n_rows, n_features), in the dtype of training."""

    def __init__(self, X, xp) -> None:
        self._X, self._xp, self.dtype = X, xp, xp.numpy_dtype(X.dtype)
        self._known_squares = None

    @property
    def _squares(self):
        if self._known_squares is None:
            self._known_squares = self._X * self._X
        return self._known_squares

    def squares(self, center):
        """Return (X - center)^2; center: (n_features,)."""
        if not center.any():
            return self._squares
        squares = self._X - self._xp.asarray(center.astype(self.dtype))
        squares *= squares
        return squares

    def row_sums(self, squares, factor):
        """Return the sum of each row of squares * factor; factor: (n_features,)."""
        largest = np.finfo(self.dtype).max
        factor = self._xp.asarray(np.minimum(factor, largest).astype(self.dtype))
        return self._xp.to_numpy(squares @ factor)

    def squared_norms(self, squares, rows, factor):
        """Return the largest square of each of `rows`, and |squares * factor|^2."""
        xp = self._xp
        squares = take(squares, xp.indices(rows))
        scaled = squares * xp.asarray(factor)  # in float64
        norms = xp.row_dots(scaled, scaled)
        return xp.to_numpy(xp.max(squares, axis=1)), xp.to_numpy(norms)

    def quantiles(self, shares):
        """Return a quantile of each column, (n_features,), for each of `shares`."""
        ordered = np.sort(self._xp.to_numpy(self._X).T, axis=1)
        return [ordered[:, int(share * ordered.shape[1])] for share in shares]

    def nonzero_quantile(self, squares, share: float):
        """Return a quantile of the nonzero squares in each column, and their number."""
        squares = self._xp.to_numpy(squares)
        return nonzero_quantile(squares.T, share), np.count_nonzero(squares, axis=0)

    def cast_weight(self, sample_weight):
        """Return the weights, (n_rows,), in the dtype of the sums."""
        return sample_weight

    def mean_and_squares(self, sample_weight, total: float):
        """Return the columns' weighted means, and sums of weight * (x - mean)^2."""
        X, xp = self._X, self._xp
        mean = self._weighted_sum(X, sample_weight) / (total or 1)
        squares = self._weighted_sum(self._squares, sample_weight) - total * mean**2
        if (total * mean**2 > 4 * squares).any():
            # float32 rounds sums of squares far from zero, so deviations are summed.
            # Plain BLAS also rounds the mean: a mean that is off takes a second round.
            for _ in range(2):
                first_mean = mean.astype(self.dtype)
                deviation = X - xp.asarray(first_mean)
                rest = self._weighted_sum(deviation, sample_weight) / (total or 1)
                deviation *= deviation
                squares = self._weighted_sum(deviation, sample_weight)
                squares -= total * rest**2
                mean = first_mean + rest
                if not (total * rest**2 > squares).any():
                    break
        return mean, np.maximum(squares, 0)

    def non_fill_weight(self, sample_weight, total: float, fill_value):
        """Return the weight of each column's entries that differ from its fill value.

        `fill_value` has the shape (n_features,).
        """
        fill = 0  # comparing with a number is faster than with an array
        if fill_value.any():
            fill = self._xp.asarray(fill_value.astype(self.dtype))
        return self._weighted_sum(self._xp.not_equal(self._X, fill), sample_weight)

    def _weighted_sum(self, X, sample_weight):
        return self._xp.to_numpy(sample_weight @ X).astype(np.float64)


class SparseColumns:
    """Entries of a CSR array, (n_rows, n_features), copied to float64.

    `dtype` is the dtype of training.
    """

    def __init__(self, X, dtype) -> None:
        self._X, self.dtype = sp.csr_array(X, dtype=np.float64, copy=True), dtype
        self._known_squares = None

    @property
    def _squares(self):
        if self._known_squares is None:
            X = self._X
            parts = X.data * X.data, X.indices, X.indptr
            self._known_squares = sp.csr_array(parts, shape=X.shape)
        return self._known_squares

    def squares(self, center):
        """Return X^2; center, (n_features,), is zero for sparse rows."""
        return self._squares

    def row_sums(self, squares, factor):
        """Return the sum of each row of squares * factor; factor: (n_features,)."""
        return squares @ factor

    def squared_norms(self, squares, rows, factor):
        """Return the largest square of each of `rows`, and |squares * factor|^2."""
        squares = squares[rows]
        return squares.max(axis=1).toarray().ravel(), squares.power(2) @ factor**2

    def nonzero_quantile(self, squares, share: float):
        """Return a quantile of the nonzero squares in each column, and their number."""
        squares = squares.copy()
        squares.eliminate_zeros()
        order = np.lexsort((squares.data, squares.indices))
        columns, start, n_stored = np.unique(
            squares.indices[order], return_index=True, return_counts=True
        )
        positions = order[start + (share * n_stored).astype(np.intp)]
        quantile, n_nonzero = np.zeros((2, squares.shape[1]))
        quantile[columns], n_nonzero[columns] = squares.data[positions], n_stored
        return quantile, n_nonzero

    def cast_weight(self, sample_weight):
        """Return the weights, (n_rows,), in the dtype of the sums."""
        return sample_weight.astype(np.float64)

    def mean_and_squares(self, sample_weight, total: float):
        """Return the columns' weighted means, and sums of weight * (x - mean)^2."""
        mean = (self._X.T @ sample_weight) / (total or 1)
        squares = self._squares.T @ sample_weight - total * mean**2
        # Almost all rows store a far column, unless few rows have most of the weight.
        # So these columns take no more memory than X, a few of them at a time.
        far = np.flatnonzero(total * mean**2 > _FAR * squares)
        row_size = 1 + self._X.nnz // max(1, self._X.shape[0])
        for columns in chunks(far, row_size):
            dense = DenseColumns(self._X[:, columns].toarray(), NUMPY)
            moments = dense.mean_and_squares(sample_weight, total)
            mean[columns], squares[columns] = moments
        return mean, np.maximum(squares, 0)

    def non_fill_weight(self, sample_weight, total: float, fill_value):
        """Return the weight of each column's entries that differ from its fill value.

        `fill_value` has the shape (n_features,).
        """
        X = self._X
        fill = fill_value.astype(self.dtype)[X.indices]
        # Entries that are not stored are zero, and differ from a nonzero fill value.
        difference = np.subtract(X.data != fill, fill != 0, dtype=np.float64)
        X = sp.csr_array((difference, X.indices, X.indptr), shape=X.shape)
        return X.T @ sample_weight + total * (fill_value != 0)


def nonzero_quantile(rows, share: float):
    """Return a quantile of the nonzero entries of each row, or zero.

    No entry is negative.
    """
    rows = np.sort(rows, axis=1)
    n_zeros, n = np.count_nonzero(rows == 0, axis=1), rows.shape[1]
    positions = np.minimum(n_zeros + (share * (n - n_zeros)).astype(np.intp), n - 1)
    return rows[np.arange(len(rows)), positions]
