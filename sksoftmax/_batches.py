"""Rows of X, a batch at a time, dense or sparse. No other file asks which.

Below, `weights` has the shape (n_weights, n_columns): a row for each feature and, where
an intercept is fitted, one more at the end.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sksoftmax._arrays import namespace
from sksoftmax._threads import threads_for

# A row is an outlier where its size is OUTLYING times that of a large row. Its size is
# the root of the sum of fourth powers of its entries, each in units of the large
# entries of its column: one huge entry counts, even among many columns. "Large" is the
# quantile LARGE of what is not zero, on a sample. Only columns are judged of which the
# share COMMON is not zero: a rare pixel may be dark in the sample and bright elsewhere.
# Measured: the largest row of MNIST has the size 1.6, of 20 newsgroups 3.8.
OUTLYING, LARGE, COMMON = 10.0, 0.9, 0.03
SAMPLED_ROWS = 256
FEW_ROWS = 32  # fewer say little about the rest


class Moments(NamedTuple):
    """Weighted statistics of the columns of some rows, in NumPy and float64."""

    total: float  # sum of the sample weights
    mean: np.ndarray  # (n_features,)
    squares: np.ndarray  # (n_features,), sum of weight * (x - mean)^2
    usual: np.ndarray  # (n_features,), the value that most entries share, or zero
    unusual: np.ndarray  # (n_features,), sum of the weights of all other entries

    def merge(self, other: "Moments") -> "Moments":
        """Return the moments of both sets of rows (Chan, Golub and LeVeque 1983).

        They share their usual values.
        """
        total = self.total + other.total
        if total == 0:
            return self
        shift = other.mean - self.mean
        return Moments(
            total,
            self.mean + shift * (other.total / total),
            self.squares
            + other.squares
            + shift**2 * (self.total * (other.total / total)),
            self.usual,
            self.unusual + other.unusual,
        )

    def discounted(self, newer: "Moments") -> "Moments":
        """Return these moments, of less weight if most columns have become small.

        Where the median column had a mean square over OUTLYING^2 times that in newer
        rows, their weight is divided by this ratio: what a bad chunk has left in a
        scale is gone after one call.
        """
        common = newer.unusual >= COMMON * newer.total
        before, now = (
            (moments.squares / (moments.total or 1) + moments.mean**2)[common]
            for moments in (self, newer)
        )
        ratios = before[now > 0] / now[now > 0]
        ratio = np.median(ratios) if len(ratios) else 1.0
        if not OUTLYING**2 < ratio < np.inf:
            return self
        return self._replace(
            total=self.total / ratio,
            squares=self.squares / ratio,
            unusual=self.unusual / ratio,
        )


def parts(rows, size: int):
    """Cut row numbers, an array or a slice with both ends, into parts of that size."""
    if isinstance(rows, slice):
        for start in range(rows.start, rows.stop, size):
            yield slice(start, min(start + size, rows.stop))
    else:
        n_rows = rows.shape[0]
        for start in range(0, n_rows, size):
            yield rows[start : min(start + size, n_rows)]


def count(rows) -> int:
    """Return how many row numbers an array, or a slice with both ends, holds."""
    return rows.stop - rows.start if isinstance(rows, slice) else rows.shape[0]


def spread(rows, n_wanted: int, shift: float = 0.0):
    """Return so many of the rows, or all if they are fewer, evenly spaced."""
    if n_wanted >= len(rows):
        return rows
    return rows[evenly(len(rows), n_wanted, shift)]


def evenly(n_rows: int, n_wanted: int, shift: float = 0.0):
    """Return the numbers of so many of n_rows rows, or of all if they are fewer."""
    if n_wanted >= n_rows:
        return np.arange(n_rows)
    return ((np.arange(n_wanted) + shift) * (n_rows / n_wanted)).astype(np.intp)


def pick(array, columns):
    """Return array[columns], for an index array the fast way."""
    if isinstance(columns, slice):
        return array[columns, ...]
    return namespace(array).take(array, columns, axis=0)


def put(array, columns, values) -> None:
    """Do array[columns] = values for an index array, whole rows at a time.

    Both arrays are contiguous. Measured: in a third of the time of the assignment.
    """
    row = np.dtype((np.void, array.strides[0]))
    array.view(row)[:, 0].put(columns, values.view(row))


def training_rows(X, dtype, fit_intercept: bool) -> "DenseRows | SparseRows":
    """Return a view of X, (n_samples, n_features), with batches in `dtype`."""
    rows = SparseRows if sp.issparse(X) else DenseRows
    return rows(X, dtype, fit_intercept)


def with_sound_places(X):
    """Return X, and sparse X as CSR, if all its numbers have a place within it.

    SciPy's loops do not look: they would read and write beyond their arrays.
    """
    if not sp.issparse(X) or X.ndim != 2:
        return X
    try:
        if X.format == "csr":
            if not _is_sound(X):
                entries = X.data, X.indices, X.indptr  # the check writes to its matrix
                sp.csr_array(entries, shape=X.shape).check_format(full_check=True)
            return X
        if X.format == "coo":
            sp.coo_array((X.data, (X.row, X.col)), shape=X.shape)
        elif X.format in ("csc", "bsr"):
            kind = sp.csc_array if X.format == "csc" else sp.bsr_array
            entries = X.data, X.indices, X.indptr
            kind(entries, shape=X.shape).check_format(full_check=True)
        return with_sound_places(X.tocsr())
    except ValueError as error:
        raise ValueError(
            f"X is a sparse matrix with an index out of its range: {error}. Build X "
            "anew, for example with csr_array((data, (rows, columns)), shape=shape)."
        ) from error


def _is_sound(X) -> bool:
    """Return whether rows and columns of CSR data are in order; quicker than SciPy."""
    n_stored = X.indptr[-1]
    indices = X.indices[:n_stored]
    return bool(
        len(X.indptr) == X.shape[0] + 1
        and X.indptr[0] == 0
        and (X.indptr[1:] >= X.indptr[:-1]).all()
        and n_stored <= min(len(X.data), len(X.indices))
        # As unsigned integers negative ones are too large.
        and indices.view(f"u{indices.itemsize}").max(initial=0) < max(1, X.shape[1])
    )


class _Rows:
    """What dense and sparse rows share."""

    def __init__(self, X, dtype, fit_intercept: bool) -> None:
        self.X, self.dtype, self.xp = X, dtype, namespace(X)
        self.n_samples, self.n_features = X.shape
        self.n_weights = self.n_features + fit_intercept
        self.center_at(np.zeros(self.n_features, self.xp.numpy_dtype(dtype)))

    def index(self, rows):
        """Return row numbers, a NumPy array, as batches are taken with."""
        return self.xp.indices(rows)

    def center_at(self, center) -> None:
        """Hand out features minus `center`, (n_features,) in NumPy, from now on.

        X itself stays as it is: the products with a batch make up for it.
        """
        self.far = self.xp.places(center)
        self.center = self.xp.asarray(center[self.far][:, None])

    def center_as(self, other: "_Rows") -> None:
        """Hand out features minus the centers of other rows."""
        self.far, self.center = other.far, other.center

    def shift(self, weights):
        """Return what the centers add to the raw predictions, (n_columns,)."""
        return self.center[:, 0] @ pick(weights, self.far)

    def moments(self, sample_weight, usual=None) -> Moments:
        """Return the moments of the columns; sample_weight: (n_samples,), as batches.

        `usual`, (n_features,), are the usual values, if they are known.
        """
        if usual is None:
            rows = np.flatnonzero(self.xp.to_numpy(sample_weight))
            usual = self._usual_values(self.index(spread(rows, 128)))
        nowhere = np.zeros((2, self.n_features))
        return self._moments(sample_weight, usual, *nowhere)[1]

    def bounded_moments(self, sample_weight, usual=None, known: Moments | None = None):
        """Return weights that bound outliers, (n_samples,), and the moments under them.

        The weight of an outlier is divided by its size, in units of the size at which
        outliers begin. That grows with the square of its entries: its curvature is then
        at most that of a row of this size, and its gradient is smaller. All other
        weights stay as they are, to the bit. `known` are the moments of earlier rows;
        what is an outlier to these must be one among the rows at hand, too, unless they
        are few.
        """
        rows = np.flatnonzero(self.xp.to_numpy(sample_weight))
        if usual is None:
            usual = self._usual_values(self.index(spread(rows, 128)))
        few = len(rows) < FEW_ROWS
        if known is not None:
            bounded, moments = self._moments(sample_weight, usual, *self._reach(known))
            if few or not bool(self.xp.any(bounded != sample_weight)):
                return bounded, moments
        reach = np.zeros((2, self.n_features))
        if not few:
            reach = self._sampled_reach(self.index(spread(rows, SAMPLED_ROWS)), usual)
        return self._moments(sample_weight, usual, *reach)

    def _moments(self, sample_weight, usual, center, reach):
        zeros = np.zeros(self.n_features)
        moments, bounded = Moments(0.0, zeros, zeros, usual, zeros), []
        with threads_for(0, math.inf, self.xp.thread_pools):
            for part in parts(slice(0, self.n_samples), self._chunk_rows):
                weight, chunk = self._chunk_moments(
                    part, sample_weight[part], usual, center, reach
                )
                bounded.append(weight)
                moments = moments.merge(chunk)
        return self.xp.concat(bounded or [sample_weight]), moments

    def _sampled_reach(self, rows, usual):
        """Return center and reach of each column, (n_features,), in NumPy and float64.

        The size of a row, with that at which outliers begin as its unit, is the norm of
        (x - center)^2 * reach. Dense columns far from zero have a center.
        """
        center, large, squares = self._large_squares(rows, usual)
        factor = _inverse(large)
        size = _large((squares**2 @ factor**2)[None, :])[0] ** 0.5
        return center, factor / (OUTLYING * size or 1)

    def _reach(self, moments: Moments):
        """Return the same, from the moments of earlier rows."""
        mean, total = moments.mean, moments.total or 1.0
        center = np.zeros_like(mean)
        if self.touches_all:
            far = total * mean**2 > 4 * moments.squares
            center = np.where(far & (moments.usual == 0), mean, moments.usual)
        square = moments.squares / total + (mean - center) ** 2
        share = np.where(center == moments.usual, moments.unusual / total, 1.0)
        share[_rare(share, 1.0)] = 0
        # The root of the mean fourth power of normal numbers, and half of it more.
        size = (7 * share.sum()) ** 0.5
        return center, share * _inverse(square) / (OUTLYING * size or 1)

    def _usual_values(self, rows):
        """Return the value that most of these rows share in each column, or zero."""
        usual = np.zeros(self.n_features)
        if rows.shape[0] >= 32:  # what few rows share says little
            columns, X = self._full_columns(rows)
            X = self.xp.to_numpy(X)
            median = np.median(X, axis=0).astype(X.dtype)
            shared = np.count_nonzero(median == X, axis=0)
            usual[columns] = np.where(shared > rows.shape[0] / 2, median, 0)
        return usual

    def batch_of_features(self, rows, features):
        """Return a batch over some features, sorted, in NumPy, that stays valid.

        It holds a copy of their values.
        """
        intercept = np.arange(self.n_features, self.n_weights)
        columns = self.xp.indices(np.concatenate([features, intercept]))
        far = self.xp.to_numpy(self.far)
        kept = np.flatnonzero(np.isin(far, features))
        positions = self.xp.indices(np.searchsorted(features, far[kept]))
        center = pick(self.center, self.xp.indices(kept))
        X = self._take_features(rows, features)
        return self.batch_type(X, self, columns, positions, center)


class Batch:
    """A few rows, dense or CSR, over the weights that `columns` names."""

    def __init__(
        self, X, source: _Rows, columns=slice(None), far=None, center=None
    ) -> None:
        """Take X over those columns, of which those at `far` are to be centered."""
        self.X, self.columns, self._xp = X, columns, source.xp
        self._fit_intercept = source.n_weights > source.n_features
        self._far = source.far if far is None else far
        self._center = source.center if center is None else center

    @property
    def n_stored(self) -> int:
        """How many values it holds."""
        return self.X.shape[0] * self.X.shape[1]

    def raw_prediction(self, weights):
        """Return X coef + intercept, shape (n_rows, n_columns)."""
        if not self._fit_intercept:
            return self._product(weights)
        raw = self._product(weights[:-1, :])
        intercept = weights[-1, :]
        if self._center.shape[0]:
            intercept = intercept - self._center[:, 0] @ pick(weights, self._far)
        raw += intercept
        return raw

    def gradient(self, grad_raw):
        """Return the derivative in the weights from that in the raw predictions."""
        grad = self._transposed_product(grad_raw)
        if self._fit_intercept:
            total = self._xp.sum(grad_raw, axis=0)
            if self._center.shape[0]:
                grad[self._far, ...] -= self._center * total
            grad[-1, :] = total
        return grad

    def scaled(self, scale):
        """Return its rows, dense, as (X - center) / scale with a column of ones."""
        X, n_features, xp = self._dense_X(), self.X.shape[1], self._xp
        scale = pick(scale, self.columns)
        n_weights = n_features + self._fit_intercept
        scaled = xp.empty((X.shape[0], n_weights), scale.dtype)
        features = scaled[:, :n_features]
        if self._center.shape[0]:
            features[...] = X
            features[:, self._far] -= self._center[:, 0]
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
        return self._xp.product_with_room(self.X.T, grad_raw, n_weights)


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


class DenseRows(_Rows):
    """Rows of an array (or memmap) of any layout, cast to dtype batch by batch."""

    batch_type = Batch
    touches_all = True  # each batch all weights

    # Stored values times columns up to which all rows are one batch. Measured: as quick
    # as minibatches at half of it, up to 1.4 times as slow here, and exact.
    full_batch_work = 4e7
    batch_size = 512
    # A bound on time and memory. Measured, 20000 rows, 10 classes: with 1024 features
    # as quick as the diagonal at a lower objective, with 2048 features 1.8 times and
    # with 3000 three times as slow.
    max_gram_features = 2048
    blas_share = 1
    full_passes_pay = True  # rows that follow each other need no gathering
    # An epoch of minibatches costs three to four passes over all rows: where it gains
    # less than this share of the objective, they gain more in its time.
    epochs_pay = 0.05

    def __init__(self, X, dtype, fit_intercept) -> None:
        super().__init__(X, dtype, fit_intercept)
        self._chunk_rows = max(1, self.xp.chunk_size // self.n_features)
        self._buffer = self.xp.empty((0, self.n_features), dtype)
        self.n_stored = self.product_work = X.shape[0] * X.shape[1]
        if self.xp.wide_batches:
            # Estimates for a GPU, where a step takes about .25 ms for its launches
            # alone: MNIST with 2048 rows takes as many updates to .245 as with 512 for
            # half as many epochs, a probe of 300 classes as many epochs (measured on a
            # CPU); a pass over all rows is no longer than a step up to 1e9.
            self.batch_size, self.full_batch_work = 2048, 1e9

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

    def part_rows(self, n_columns: int) -> int:
        """Return how many rows to take at a time in a pass over many."""
        return max(1, self.xp.part_size // max(self.n_features, n_columns))

    def _take_features(self, rows, features):
        X = self.xp.take(self.full_batch(rows).X, self.xp.indices(features), axis=1)
        return self.xp.astype(X, self.dtype)

    def _full_columns(self, rows):
        return slice(None), self.batch(rows).X

    def _large_squares(self, rows, usual):
        """Return centers, the columns' large squares, zero if rare, and all squares."""
        X = self.xp.to_numpy(self.batch(rows).X).astype(np.float64)
        ordered = np.sort(X.T, axis=1)
        low, median, high = (
            ordered[:, int(share * X.shape[0])] for share in (1 - LARGE, 0.5, LARGE)
        )
        center = np.where(np.abs(median) > high - low, median, 0.0)
        center = np.where(usual != 0, usual, center)
        X -= center
        X *= X
        large = _large(X.T)
        large[_rare(np.count_nonzero(X, axis=0), len(X))] = 0
        return center, large, X

    def _chunk_moments(self, part, sample_weight, usual, center, reach):
        xp, dtype = self.xp, self.xp.numpy_dtype(self.dtype)

        def weighted_sum(X):
            return xp.to_numpy(sample_weight @ X).astype(np.float64)

        X = xp.astype(self.X[part, :], self.dtype)
        squares = X * X
        if reach.any():
            around = squares
            if center.any():
                around = X - xp.asarray(center.astype(dtype))
                around *= around
            factor = xp.asarray(np.minimum(reach, np.finfo(dtype).max).astype(dtype))
            sample_weight = _bounded(
                sample_weight, around, reach, around @ factor, dtype
            )
        total = float(xp.total(sample_weight))
        common = 0  # a number is quicker
        if usual.any():
            common = xp.asarray(usual.astype(dtype))
        unusual = weighted_sum(xp.differs(X, common))
        mean = weighted_sum(X) / (total or 1)
        squares = weighted_sum(squares) - total * mean**2
        if (total * mean**2 > 4 * squares).any():
            # Of a mean far from zero float32 loses digits, which the deviations have.
            # Plain BLAS adds up so badly that the mean itself is off: then once more.
            for _ in range(2):
                near = mean.astype(dtype)
                deviation = X - xp.asarray(near)
                rest = weighted_sum(deviation) / (total or 1)
                deviation *= deviation
                squares = weighted_sum(deviation) - total * rest**2
                mean = near + rest
                if not (total * rest**2 > squares).any():
                    break
        squares = np.maximum(squares, 0)
        return sample_weight, Moments(total, mean, squares, usual, unusual)


class SparseRows(_Rows):
    """Rows of a CSR array; a batch knows the columns in which it has entries."""

    batch_type = SparseBatch
    touches_all = False

    full_batch_work = 4e6  # fewer, as a stored value costs more; not measured
    batch_size = 512
    # On 20 newsgroups, at the same objective, all rows after minibatches had a test
    # log-loss of .69 where minibatches alone had .68, in the same time.
    full_passes_pay = False
    epochs_pay = 0.2  # the same, on the way to the optimum
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
        # There, applying a full matrix takes some eight times the multiply-adds of one
        # product with a batch, in BLAS, which is that much faster than sparse loops.
        self.max_gram_features = int(
            min(2048, (8 * self.batch_size * self._row_size) ** 0.5)
        )
        self._position = np.empty(self.n_features, np.int32)
        self._present = np.zeros(self.n_features, bool)

    def batch(self, rows, compact: bool = True) -> SparseBatch:
        """Return a batch of those rows, over their own columns only if compact."""
        X = self._rows(rows)
        if not compact:
            return SparseBatch(X, self)
        self._present[X.indices] = True
        self._present[self.far] = True  # as they are in almost every row
        present = np.flatnonzero(self._present)
        self._present[present] = False
        if len(present) > self.n_features // 2:
            return SparseBatch(X, self)
        return self._over(X, present)

    def full_batch(self, rows, compact: bool = True) -> SparseBatch:
        """Return one batch that stays valid.

        If compact, its columns come in the order of their frequency: what is needed
        often lies close together. Measured on 20 newsgroups, 26 ms for both products
        become 19.
        """
        X = self._rows(slice(None) if len(rows) == self.n_samples else rows)
        if not compact:
            return SparseBatch(X, self)
        n_stored = np.bincount(X.indices, minlength=self.n_features)
        n_stored[self.far] += 1
        n_present = np.count_nonzero(n_stored)
        return self._over(X, np.argsort(-n_stored, kind="stable")[:n_present])

    def _over(self, X, present) -> SparseBatch:
        """Return a batch over those columns, among which are all that X has."""
        self._position[present] = np.arange(len(present), dtype=np.int32)
        entries = X.data, self._position[X.indices], X.indptr
        X = sp.csr_array(entries, shape=(X.shape[0], len(present)))
        intercept = np.arange(self.n_features, self.n_weights)
        columns = np.concatenate([present, intercept])
        return SparseBatch(X, self, columns, self._position[self.far])

    def part_rows(self, n_columns: int) -> int:
        """Return how many rows to take at a time in a pass over many.

        Each time a gradient of all columns is written: entries have to outnumber them.
        """
        widest = max(self._row_size, n_columns)
        return max(1, max(self.xp.part_size, 16 * self.n_features) // widest)

    def _take_features(self, rows, features):
        return self._rows(rows)[:, features]

    def _full_columns(self, rows):
        """Return the columns of which most of these rows store a value, and these."""
        X = self._rows(rows)
        n_stored = np.bincount(X.indices, minlength=self.n_features)
        columns = np.flatnonzero(n_stored > len(rows) / 2)
        return columns, X[:, columns].toarray()

    def _rows(self, rows):
        X = self.X
        if not (isinstance(rows, slice) and rows == slice(None)):
            X = X[rows]
        return X.astype(self.dtype, copy=False)

    def _large_squares(self, rows, usual):
        """Return centers of zero, the columns' large squares, and all squares."""
        X = sp.csr_array(self._rows(rows), dtype=np.float64, copy=True)
        X.data *= X.data
        X.eliminate_zeros()
        order = np.lexsort((X.data, X.indices))
        columns, start, n_stored = np.unique(
            X.indices[order], return_index=True, return_counts=True
        )
        large = np.zeros(self.n_features)
        large[columns] = X.data[order[start + (LARGE * n_stored).astype(np.intp)]]
        large[columns[_rare(n_stored, X.shape[0])]] = 0
        return np.zeros_like(large), large, X

    def _chunk_moments(self, part, sample_weight, usual, center, reach):
        X = self._rows(part).astype(np.float64)
        squares = sp.csr_array((X.data * X.data, X.indices, X.indptr), shape=X.shape)
        bounded = _bounded(sample_weight, squares, reach, squares @ reach, self.dtype)
        sample_weight = bounded.astype(np.float64)
        total = float(sample_weight.sum())
        mean = (X.T @ sample_weight) / (total or 1)
        shared = usual.astype(self.dtype)[X.indices]
        # What is not stored is zero, unusual where the usual value is not.
        X.data = np.subtract(X.data != shared, shared != 0, dtype=np.float64)
        unusual = X.T @ sample_weight + total * (usual != 0)
        squares = np.maximum(squares.T @ sample_weight - total * mean**2, 0)
        return bounded, Moments(total, mean, squares, usual, unusual)


def _rare(n_entries, n_rows):
    """Return of which columns too few entries are not zero to judge rows by them."""
    return n_entries < min(COMMON * n_rows, n_entries.max(initial=0) / 4)


def _bounded(sample_weight, squares, reach, row_sums, dtype):
    """Return the weights, those of outliers divided by their size.

    The sum of a row of squares * reach is at least its norm, the size, and costs a
    third of it: the size of rows with a sum up to one is not looked at. Rows with a
    square that `dtype` cannot hold keep their weight; their scale is refused.
    """
    xp = namespace(sample_weight)
    suspects = np.flatnonzero(~(xp.to_numpy(row_sums) <= 1))
    if not len(suspects):
        return sample_weight
    squares = (
        squares[suspects]
        if sp.issparse(squares)
        else pick(squares, xp.indices(suspects))
    )
    if sp.issparse(squares):
        largest = squares.max(axis=1).toarray().ravel()
        squared_sizes = squares.power(2) @ reach**2
    else:
        squares = xp.to_numpy(squares)
        largest, scaled = squares.max(axis=1), squares * reach
        squared_sizes = np.einsum("ij,ij->i", scaled, scaled)
    squared_sizes[~(largest <= np.finfo(dtype).max)] = 1
    squared_sizes[~np.isfinite(squared_sizes)] = 1
    sizes = np.ones(sample_weight.shape[0])
    sizes[suspects] = np.sqrt(np.maximum(squared_sizes, 1))
    return sample_weight / xp.asarray(sizes, sample_weight.dtype)


def _large(squares):
    """Return the quantile LARGE of what is not zero in each row, or zero."""
    squares = np.sort(squares, axis=1)
    n_zeros, n = np.count_nonzero(squares == 0, axis=1), squares.shape[1]
    places = np.minimum(n_zeros + (LARGE * (n - n_zeros)).astype(np.intp), n - 1)
    return squares[np.arange(len(squares)), places]


def _inverse(values):
    """Return 1 / values, and zero for those whose inverse has no finite square."""
    return np.divide(1, values, out=np.zeros_like(values), where=values > 1e-150)
