"""Rows of X, a batch at a time, dense or sparse. No other file asks which.

Below, `weights` has the shape (n_weights, n_outputs): a row for each feature and, where
an intercept is fitted, one more at the end.
"""

import math

import numpy as np
import scipy.sparse as sp

from sksoftmax._arrays import chunks, evenly_spaced, namespace, take
from sksoftmax._moments import Moments
from sksoftmax._outliers import (
    FEW_ROWS,
    LARGE_QUANTILE,
    OUTLIER_SIZE,
    SAMPLED_ROWS,
    bound_weights,
    finite_inverse,
    is_rare,
    large_quantile,
)
from sksoftmax._threads import threads_for


def make_data(X, dtype, fit_intercept: bool) -> "DenseData | SparseData":
    """Return a view of X, (n_samples, n_features), with batches in `dtype`."""
    rows = SparseData if sp.issparse(X) else DenseData
    return rows(X, dtype, fit_intercept)


class _Data:
    """What dense and sparse rows share."""

    def __init__(self, X, dtype, fit_intercept: bool) -> None:
        self.X, self.dtype, self.xp = X, dtype, namespace(X)
        self.n_samples, self.n_features = X.shape
        self.n_weights = self.n_features + fit_intercept
        self.set_center(np.zeros(self.n_features, self.xp.numpy_dtype(dtype)))

    def index(self, rows):
        """Return row numbers, a NumPy array, as batches are taken with."""
        return self.xp.indices(rows)

    def set_center(self, center) -> None:
        """Hand out features minus `center`, (n_features,) in NumPy, from now on.

        X itself stays as it is: the products with a batch make up for it.
        """
        self.centered = self.xp.flatnonzero(center)
        self.center = self.xp.asarray(center[self.centered][:, None])

    def copy_center(self, other: "_Data") -> None:
        """Hand out features minus the centers of other rows."""
        self.centered, self.center = other.centered, other.center

    def shift(self, weights):
        """Return what the centers add to the raw predictions, (n_outputs,)."""
        return self.center[:, 0] @ take(weights, self.centered)

    def moments(self, sample_weight, fill_value=None) -> Moments:
        """Return the moments of the columns; sample_weight: (n_samples,), as batches.

        `fill_value`, (n_features,), are the usual values, if they are known.
        """
        if fill_value is None:
            rows = np.flatnonzero(self.xp.to_numpy(sample_weight))
            fill_value = self._fill_values(self.index(evenly_spaced(rows, 128)))
        no_bounds = np.zeros((2, self.n_features))
        return self._moments(sample_weight, fill_value, *no_bounds)[1]

    def bounded_moments(
        self, sample_weight, fill_value=None, known: Moments | None = None
    ):
        """Return weights that bound outliers, (n_samples,), and the moments under them.

        The weight of an outlier is divided by its size, in units of the size at which
        outliers begin. That grows with the square of its entries: its curvature is then
        at most that of a row of this size, and its gradient is smaller. All other
        weights stay as they are, to the bit. `known` are the moments of earlier rows;
        what is an outlier to these must be one among the rows at hand, too, unless they
        are few.
        """
        rows = np.flatnonzero(self.xp.to_numpy(sample_weight))
        if fill_value is None:
            fill_value = self._fill_values(self.index(evenly_spaced(rows, 128)))
        is_few = len(rows) < FEW_ROWS
        if known is not None:
            bounded, moments = self._moments(
                sample_weight, fill_value, *self._bounds_from_moments(known)
            )
            if is_few or not bool(self.xp.any(bounded != sample_weight)):
                return bounded, moments
        inverse_bound = np.zeros((2, self.n_features))
        if not is_few:
            inverse_bound = self._bounds_from_sample(
                self.index(evenly_spaced(rows, SAMPLED_ROWS)), fill_value
            )
        return self._moments(sample_weight, fill_value, *inverse_bound)

    def _moments(self, sample_weight, fill_value, center, inverse_bound):
        zeros = np.zeros(self.n_features)
        moments, bounded = Moments(0.0, zeros, zeros, fill_value, zeros), []
        with threads_for(0, math.inf, self.xp.thread_pools):
            for part in chunks(slice(0, self.n_samples), self._chunk_rows):
                weight, chunk = self._chunk_moments(
                    part, sample_weight[part], fill_value, center, inverse_bound
                )
                bounded.append(weight)
                moments = moments.merge(chunk)
        return self.xp.concat(bounded or [sample_weight]), moments

    def _bounds_from_sample(self, rows, fill_value):
        """Return center and inverse bound of each column, (n_features,), in NumPy.

        The size of a row, with that at which outliers begin as its unit, is the norm of
        (x - center)^2 * inverse_bound. Dense columns far from zero have a center.
        """
        center, large, squares = self._large_squares(rows, fill_value)
        factor = finite_inverse(large)
        size = large_quantile((squares**2 @ factor**2)[None, :])[0] ** 0.5
        return center, factor / (OUTLIER_SIZE * size or 1)

    def _bounds_from_moments(self, moments: Moments):
        """Return the same, from the moments of earlier rows."""
        mean, total = moments.mean, moments.total or 1.0
        center = np.zeros_like(mean)
        if self.is_dense:
            is_far = total * mean**2 > 4 * moments.squares
            center = np.where(
                is_far & (moments.fill_value == 0), mean, moments.fill_value
            )
        square = moments.squares / total + (mean - center) ** 2
        share = np.where(
            center == moments.fill_value, moments.non_fill_weight / total, 1.0
        )
        share[is_rare(share, 1.0)] = 0
        # The root of the mean fourth power of normal numbers, and half of it more.
        size = (7 * share.sum()) ** 0.5
        return center, share * finite_inverse(square) / (OUTLIER_SIZE * size or 1)

    def _fill_values(self, rows):
        """Return the value that most of these rows share in each column, or zero."""
        fill_value = np.zeros(self.n_features)
        if rows.shape[0] >= 32:  # what few rows share says little
            columns, X = self._dense_columns(rows)
            X = self.xp.to_numpy(X)
            median = np.median(X, axis=0).astype(X.dtype)
            n_shared = np.count_nonzero(median == X, axis=0)
            fill_value[columns] = np.where(n_shared > rows.shape[0] / 2, median, 0)
        return fill_value

    def make_feature_batch(self, rows, features):
        """Return a batch over some features, sorted, in NumPy, that stays valid.

        It holds a copy of their values.
        """
        intercept = np.arange(self.n_features, self.n_weights)
        active = self.xp.indices(np.concatenate([features, intercept]))
        centered = self.xp.to_numpy(self.centered)
        kept = np.flatnonzero(np.isin(centered, features))
        positions = self.xp.indices(np.searchsorted(features, centered[kept]))
        center = take(self.center, self.xp.indices(kept))
        X = self._take_features(rows, features)
        return self.batch_type(X, self, active, positions, center)


class Batch:
    """A few rows, dense or CSR, over the weights that `active` names."""

    def __init__(
        self, X, source: _Data, active=slice(None), centered=None, center=None
    ) -> None:
        """Take X over those columns; those at `centered` are to be centered."""
        self.X, self.active, self._xp = X, active, source.xp
        self._fit_intercept = source.n_weights > source.n_features
        self._centered = source.centered if centered is None else centered
        self._center = source.center if center is None else center

    @property
    def n_stored(self) -> int:
        """How many values it holds."""
        return self.X.shape[0] * self.X.shape[1]

    def raw_prediction(self, weights):
        """Return X coef + intercept, shape (n_rows, n_outputs)."""
        if not self._fit_intercept:
            return self._product(weights)
        raw = self._product(weights[:-1, :])
        intercept = weights[-1, :]
        if self._center.shape[0]:
            intercept = intercept - self._center[:, 0] @ take(weights, self._centered)
        raw += intercept
        return raw

    def gradient(self, grad_raw):
        """Return the derivative in the weights from that in the raw predictions."""
        grad = self._transposed_product(grad_raw)
        if self._fit_intercept:
            total = self._xp.sum(grad_raw, axis=0)
            if self._center.shape[0]:
                grad[self._centered, ...] -= self._center * total
            grad[-1, :] = total
        return grad

    def scaled(self, scale):
        """Return its rows, dense, as (X - center) / scale with a column of ones."""
        X, n_features, xp = self._dense_X(), self.X.shape[1], self._xp
        scale = take(scale, self.active)
        n_weights = n_features + self._fit_intercept
        scaled = xp.empty((X.shape[0], n_weights), scale.dtype)
        features = scaled[:, :n_features]
        if self._center.shape[0]:
            features[...] = X
            features[:, self._centered] -= self._center[:, 0]
            features /= scale[:n_features, 0]
        else:
            xp.divide(X, scale[:n_features, 0], out=features)
        scaled[:, n_features:] = 1
        return scaled

    def _dense_X(self):
        return self.X

    def _product(self, weights):
        """Return X weights, for those of the features."""
        return self._xp.matmul(self.X, weights)

    def _transposed_product(self, grad_raw):
        """Return X' grad_raw, with room for the intercept below it."""
        n_weights = self.X.shape[1] + self._fit_intercept
        return self._xp.matmul_into_rows(self.X.T, grad_raw, n_weights)


class SparseBatch(Batch):
    """A few rows in CSR format."""

    @property
    def n_stored(self) -> int:
        """How many values it holds."""
        return self.X.nnz

    def _dense_X(self):
        return self.X.toarray()

    def _product(self, weights):
        return self.X @ weights

    def _transposed_product(self, grad_raw):
        X = self.X
        shape = X.shape[1] + self._fit_intercept, X.shape[0]
        transposed = sp.csc_array((X.data, X.indices, X.indptr), shape=shape)
        return transposed @ grad_raw


class DenseData(_Data):
    """Rows of an array (or memmap) of any layout, cast to dtype batch by batch."""

    batch_type = Batch
    is_dense = True  # each batch all weights
    blas_share = 1

    def __init__(self, X, dtype, fit_intercept) -> None:
        super().__init__(X, dtype, fit_intercept)
        self._chunk_rows = max(1, self.xp.chunk_size // self.n_features)
        self._buffer = self.xp.empty((0, self.n_features), dtype)
        self.n_stored = self.product_work = X.shape[0] * X.shape[1]

    def batch(self, rows, compact: bool = True) -> Batch:
        """Return a batch of those rows; it is valid until the next one is taken."""
        if isinstance(rows, slice):
            return Batch(self.xp.astype(self.X[rows, :], self.dtype), self)
        n_rows = rows.shape[0]
        if n_rows > self._buffer.shape[0]:
            self._buffer = self.xp.empty((n_rows, self.n_features), self.dtype)
        out = self._buffer[:n_rows, :]
        return Batch(self.xp.take_rows(self.X, rows, self.dtype, out), self)

    def full_batch(self, rows, compact: bool = True) -> Batch:
        """Return one batch that stays valid; all rows of a float X are not copied."""
        if rows.shape[0] == self.n_samples:
            return self.batch(slice(None))
        X = self.xp.take(self.X, rows, axis=0)
        return Batch(self.xp.astype(X, self.dtype), self)

    def matmul_chunk_rows(self, n_outputs: int) -> int:
        """Return how many rows to take at a time in a pass over many."""
        return max(1, self.xp.matmul_chunk_size // max(self.n_features, n_outputs))

    def _take_features(self, rows, features):
        X = self.xp.take(self.full_batch(rows).X, self.xp.indices(features), axis=1)
        return self.xp.astype(X, self.dtype)

    def _dense_columns(self, rows):
        return slice(None), self.batch(rows).X

    def _large_squares(self, rows, fill_value):
        """Return centers, the columns' large squares, zero if rare, and all squares."""
        X = self.xp.to_numpy(self.batch(rows).X).astype(np.float64)
        ordered = np.sort(X.T, axis=1)
        low, median, high = (
            ordered[:, int(share * X.shape[0])]
            for share in (1 - LARGE_QUANTILE, 0.5, LARGE_QUANTILE)
        )
        center = np.where(np.abs(median) > high - low, median, 0.0)
        center = np.where(fill_value != 0, fill_value, center)
        X -= center
        X *= X
        large = large_quantile(X.T)
        large[is_rare(np.count_nonzero(X, axis=0), len(X))] = 0
        return center, large, X

    def _chunk_moments(self, part, sample_weight, fill_value, center, inverse_bound):
        xp, dtype = self.xp, self.xp.numpy_dtype(self.dtype)

        def weighted_sum(X):
            return xp.to_numpy(sample_weight @ X).astype(np.float64)

        X = xp.astype(self.X[part, :], self.dtype)
        squares = X * X
        if inverse_bound.any():
            deviation_squares = squares
            if center.any():
                deviation_squares = X - xp.asarray(center.astype(dtype))
                deviation_squares *= deviation_squares
            factor = xp.asarray(
                np.minimum(inverse_bound, np.finfo(dtype).max).astype(dtype)
            )
            sample_weight = bound_weights(
                sample_weight,
                deviation_squares,
                inverse_bound,
                deviation_squares @ factor,
                dtype,
            )
        total = float(xp.total(sample_weight))
        fill = 0  # a number is quicker
        if fill_value.any():
            fill = xp.asarray(fill_value.astype(dtype))
        non_fill_weight = weighted_sum(xp.not_equal(X, fill))
        mean = weighted_sum(X) / (total or 1)
        squares = weighted_sum(squares) - total * mean**2
        if (total * mean**2 > 4 * squares).any():
            # Of a mean far from zero float32 loses digits, which the deviations have.
            # Plain BLAS adds up so badly that the mean itself is off: then once more.
            for _ in range(2):
                first_mean = mean.astype(dtype)
                deviation = X - xp.asarray(first_mean)
                rest = weighted_sum(deviation) / (total or 1)
                deviation *= deviation
                squares = weighted_sum(deviation) - total * rest**2
                mean = first_mean + rest
                if not (total * rest**2 > squares).any():
                    break
        squares = np.maximum(squares, 0)
        return sample_weight, Moments(total, mean, squares, fill_value, non_fill_weight)


class SparseData(_Data):
    """Rows of a CSR array; a batch knows the columns in which it has entries."""

    batch_type = SparseBatch
    is_dense = False
    blas_share = 0  # SciPy multiplies sparse matrices itself

    def __init__(self, X, dtype, fit_intercept) -> None:
        if not X.has_canonical_format:  # duplicates would spoil squares and counts
            X = X.copy()
            X.sum_duplicates()
        super().__init__(X, dtype, fit_intercept)
        self.n_stored = X.nnz
        self.product_work = 8 * X.nnz  # in multiply-adds of BLAS, which is that quick
        # A chunk's statistics are dense: more entries than columns make them pay.
        self._row_size = 1 + X.nnz // max(1, self.n_samples)
        chunk_size = max(self.xp.chunk_size, self.n_features)
        self._chunk_rows = max(1, chunk_size // self._row_size)
        self._position = np.empty(self.n_features, np.int32)
        self._present = np.zeros(self.n_features, bool)

    def batch(self, rows, compact: bool = True) -> SparseBatch:
        """Return a batch of those rows, over their own columns only if compact."""
        X = self._csr_rows(rows)
        if not compact:
            return SparseBatch(X, self)
        self._present[X.indices] = True
        self._present[self.centered] = True  # as they are in almost every row
        present = np.flatnonzero(self._present)
        self._present[present] = False
        if len(present) > self.n_features // 2:
            return SparseBatch(X, self)
        return self._compact_batch(X, present)

    def full_batch(self, rows, compact: bool = True) -> SparseBatch:
        """Return one batch that stays valid.

        If compact, its columns come in the order of their frequency: what is needed
        often lies close together. Measured on 20 newsgroups, 26 ms for both products
        become 19.
        """
        X = self._csr_rows(slice(None) if len(rows) == self.n_samples else rows)
        if not compact:
            return SparseBatch(X, self)
        n_stored = np.bincount(X.indices, minlength=self.n_features)
        n_stored[self.centered] += 1
        n_present = np.count_nonzero(n_stored)
        return self._compact_batch(X, np.argsort(-n_stored, kind="stable")[:n_present])

    def _compact_batch(self, X, present) -> SparseBatch:
        """Return a batch over those columns, among which are all that X has."""
        self._position[present] = np.arange(len(present), dtype=np.int32)
        entries = X.data, self._position[X.indices], X.indptr
        X = sp.csr_array(entries, shape=(X.shape[0], len(present)))
        intercept = np.arange(self.n_features, self.n_weights)
        active = np.concatenate([present, intercept])
        return SparseBatch(X, self, active, self._position[self.centered])

    def matmul_chunk_rows(self, n_outputs: int) -> int:
        """Return how many rows to take at a time in a pass over many.

        Each time a gradient of all columns is written: entries have to outnumber them.
        """
        widest = max(self._row_size, n_outputs)
        return max(1, max(self.xp.matmul_chunk_size, 16 * self.n_features) // widest)

    def _take_features(self, rows, features):
        return self._csr_rows(rows)[:, features]

    def _dense_columns(self, rows):
        """Return the columns of which most of these rows store a value, and these."""
        X = self._csr_rows(rows)
        n_stored = np.bincount(X.indices, minlength=self.n_features)
        columns = np.flatnonzero(n_stored > len(rows) / 2)
        return columns, X[:, columns].toarray()

    def _csr_rows(self, rows):
        X = self.X
        if not (isinstance(rows, slice) and rows == slice(None)):
            X = X[rows]
        return X.astype(self.dtype, copy=False)

    def _large_squares(self, rows, fill_value):
        """Return centers of zero, the columns' large squares, and all squares."""
        X = sp.csr_array(self._csr_rows(rows), dtype=np.float64, copy=True)
        X.data *= X.data
        X.eliminate_zeros()
        order = np.lexsort((X.data, X.indices))
        columns, start, n_stored = np.unique(
            X.indices[order], return_index=True, return_counts=True
        )
        large = np.zeros(self.n_features)
        large[columns] = X.data[
            order[start + (LARGE_QUANTILE * n_stored).astype(np.intp)]
        ]
        large[columns[is_rare(n_stored, X.shape[0])]] = 0
        return np.zeros_like(large), large, X

    def _chunk_moments(self, part, sample_weight, fill_value, center, inverse_bound):
        X = self._csr_rows(part).astype(np.float64)
        squares = sp.csr_array((X.data * X.data, X.indices, X.indptr), shape=X.shape)
        bounded = bound_weights(
            sample_weight, squares, inverse_bound, squares @ inverse_bound, self.dtype
        )
        sample_weight = bounded.astype(np.float64)
        total = float(sample_weight.sum())
        mean = (X.T @ sample_weight) / (total or 1)
        shared = fill_value.astype(self.dtype)[X.indices]
        # What is not stored is zero, unusual where the usual value is not.
        X.data = np.subtract(X.data != shared, shared != 0, dtype=np.float64)
        non_fill_weight = X.T @ sample_weight + total * (fill_value != 0)
        squares = np.maximum(squares.T @ sample_weight - total * mean**2, 0)
        return bounded, Moments(total, mean, squares, fill_value, non_fill_weight)
