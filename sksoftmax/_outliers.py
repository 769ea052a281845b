"""Bounded weights for rows that are far from all others."""

from typing import NamedTuple

import numpy as np

from sksoftmax._arrays import namespace
from sksoftmax._columns import nonzero_quantile

# A row is an outlier if its size is OUTLIER_SIZE times the size of a large row. The
# size is the root of the sum of fourth powers of the entries, each in units of the
# large entries of its column. One huge entry thus counts, even among many columns.
# "Large" is the quantile LARGE_QUANTILE of the nonzero values of a sample. Columns with
# a smaller share of nonzero entries than COMMON_SHARE do not count. A rare pixel, for
# example, may be dark in the sample and bright elsewhere. Measured sizes of the largest
# row: 1.6 on MNIST, 3.8 on 20 newsgroups.
OUTLIER_SIZE, LARGE_QUANTILE, COMMON_SHARE = 10.0, 0.9, 0.03
SAMPLED_ROWS = 256
FEW_ROWS = 32  # a sample of fewer rows says little about the other rows


class OutlierBounds(NamedTuple):
    """Center and inverse bound of each column, (n_features,), in NumPy and float64.

    The norm of (x - center)^2 * inverse is the size of a row, in units of the size at
    which outliers begin. Sparse columns have no center, so that they stay sparse.
    """

    center: np.ndarray
    inverse: np.ndarray  # zero in columns that do not count

    @classmethod
    def unlimited(cls, n_features: int) -> "OutlierBounds":
        """Return bounds under which no row is an outlier."""
        return cls(*np.zeros((2, n_features)))

    @classmethod
    def from_sample(cls, data, rows, fill_value) -> "OutlierBounds":
        """Return the bounds from `rows` of the data, an index array.

        The center of a dense column is its entry of `fill_value`, (n_features,), or
        else the median, if the column is far from zero.
        """
        columns, center = data.sample_columns(rows), np.zeros(data.n_features)
        if data.is_dense:
            low, median, high = columns.quantiles(
                (1 - LARGE_QUANTILE, 0.5, LARGE_QUANTILE)
            )
            center = np.where(np.abs(median) > high - low, median, 0.0)
            center = np.where(fill_value != 0, fill_value, center)
        squares = columns.squares(center)
        large, n_nonzero = columns.nonzero_quantile(squares, LARGE_QUANTILE)
        large[_is_rare(n_nonzero, rows.shape[0])] = 0
        factor = _finite_inverse(large)
        squared_sizes = squares**2 @ factor**2
        size = nonzero_quantile(squared_sizes[None, :], LARGE_QUANTILE)[0] ** 0.5
        return cls(center, factor / (OUTLIER_SIZE * size or 1))

    @classmethod
    def from_moments(cls, moments, is_dense: bool) -> "OutlierBounds":
        """Return the bounds from the moments of earlier rows."""
        mean, total = moments.mean, moments.total or 1.0
        center = np.zeros_like(mean)
        if is_dense:
            is_far = total * mean**2 > 4 * moments.squares
            center = np.where(
                is_far & (moments.fill_value == 0), mean, moments.fill_value
            )
        square = moments.squares / total + (mean - center) ** 2
        share = np.where(
            center == moments.fill_value, moments.non_fill_weight / total, 1.0
        )
        share[_is_rare(share, 1.0)] = 0
        # 1.5 times the root of the sum of fourth powers of normal numbers, rounded up.
        size = (7 * share.sum()) ** 0.5
        return cls(center, share * _finite_inverse(square) / (OUTLIER_SIZE * size or 1))

    def bound_weight(self, columns, sample_weight):
        """Return the weights, (n_rows,), each outlier's divided by its size.

        The size of a row is a norm, and the sum of the same entries is an upper bound
        in a third of the time. The size is thus computed only for rows with a sum above
        one. Rows with a square above the largest number of the dtype keep their weight,
        as the scale of such a column is refused.
        """
        if not self.inverse.any():
            return sample_weight
        squares, xp = columns.squares(self.center), namespace(sample_weight)
        suspects = np.flatnonzero(~(columns.row_sums(squares, self.inverse) <= 1))
        if not len(suspects):
            return sample_weight
        largest, squared_sizes = columns.squared_norms(squares, suspects, self.inverse)
        squared_sizes[~(largest <= np.finfo(columns.dtype).max)] = 1
        squared_sizes[~np.isfinite(squared_sizes)] = 1
        sizes = np.ones(sample_weight.shape[0])
        sizes[suspects] = np.sqrt(np.maximum(squared_sizes, 1))
        return sample_weight / xp.asarray(sizes, sample_weight.dtype)


def _is_rare(n_entries, n_rows):
    """Return for each column whether too few entries are nonzero for it to count."""
    return n_entries < min(COMMON_SHARE * n_rows, n_entries.max(initial=0) / 4)


def _finite_inverse(values):
    """Return 1 / values, and zero for inverses without a finite square."""
    return np.divide(1, values, out=np.zeros_like(values), where=values > 1e-150)
