"""Moments of the columns, their fill values, and the scaling that follows."""

from typing import Any, NamedTuple

import numpy as np

from sksoftmax._arrays import chunks, evenly_spaced, namespace, take
from sksoftmax._outliers import (
    COMMON_SHARE,
    FEW_ROWS,
    OUTLIER_SIZE,
    SAMPLED_ROWS,
    OutlierBounds,
)
from sksoftmax._threads import one_blas_thread

_THREAD_CHUNKS = 16  # that a thread measures one after the other
_FILL_VALUE_ROWS = 128  # sampled rows, to find the fill values of the columns

LARGEST_SUM = 1e307  # leaves room for the sums of later calls

# Squared correlations of a column with the intercept below this one are neglected.
_CORRELATED = 1e-3


class Moments(NamedTuple):
    """Weighted statistics of the columns of some rows, in NumPy and float64."""

    total: float  # sum of the sample weights
    mean: np.ndarray  # (n_features,)
    squares: np.ndarray  # (n_features,), sum of weight * (x - mean)^2
    fill_value: np.ndarray  # (n_features,), the value that most entries share, or zero
    # (n_features,), sum of the weights of all other entries.
    non_fill_weight: np.ndarray

    def merge(self, other: "Moments") -> "Moments":
        """Return the moments of both sets of rows (Chan, Golub and LeVeque 1983).

        Both have the same fill values.
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
            self.fill_value,
            self.non_fill_weight + other.non_fill_weight,
        )

    def discounted(self, newer: "Moments") -> "Moments":
        """Return these moments, with less weight if most columns have become small.

        The columns have become small if the median column's ratio of mean squares,
        earlier to newer, is above OUTLIER_SIZE^2. The weight is then divided by this
        ratio, or by the ratio of mean squares around the newer means, which is larger
        for columns far from zero. One call thus clears the scales of a bad chunk.
        """
        is_common = newer.non_fill_weight >= COMMON_SHARE * newer.total
        ratio = self._median_ratio(newer, 0.0, is_common)
        if not OUTLIER_SIZE**2 < ratio < np.inf:
            return self
        centered_ratio = self._median_ratio(newer, newer.mean, is_common)
        if centered_ratio < np.inf:
            ratio = max(ratio, centered_ratio)
        return self.weighted(1 / ratio)

    def weighted(self, factor: float) -> "Moments":
        """Return the moments of the same rows with weights times the factor.

        A factor that would make a sum infinite is lowered. Such rows outweigh those of
        later calls by far in any case.
        """
        largest = max(self.total, float(self.squares.max(initial=0.0)))
        if largest > 0:
            factor = min(factor, LARGEST_SUM / largest)
        return self._replace(
            total=self.total * factor,
            squares=self.squares * factor,
            non_fill_weight=self.non_fill_weight * factor,
        )

    def _median_ratio(self, newer: "Moments", center, columns) -> float:
        """Return the median ratio of mean squares around the centers, 1 for none."""
        earlier, current = (
            (moments.squares / (moments.total or 1) + (moments.mean - center) ** 2)
            for moments in (self, newer)
        )
        is_counted = columns & (current > 0)
        ratios = earlier[is_counted] / current[is_counted]
        return float(np.median(ratios)) if len(ratios) else 1.0


class ColumnScaling(NamedTuple):
    """Centers and scales of the columns, and statistics of the scaled columns."""

    center: Any  # (n_features,), in NumPy, zero where a column is not centered
    scale: Any  # (n_weights, 1), 1 for the intercept
    mean_square: Any  # (n_weights, 1), of the centered and scaled columns
    residual_mean: Any  # (n_weights, 1), of the centered columns, zero if negligible

    def varying(self):
        """Return 0 for weights of constant columns, else 1, (n_weights, 1), or None.

        Centered constant columns are zero but for rounding. None stands for no constant
        column.
        """
        xp = namespace(self.mean_square)
        is_centered = np.zeros(self.mean_square.shape, bool)
        is_centered[: len(self.center), 0] = self.center != 0
        is_constant = is_centered & (xp.to_numpy(self.mean_square) == 0)
        if not is_constant.any():
            return None
        return xp.asarray(np.where(is_constant, 0.0, 1.0), self.mean_square.dtype)

    @classmethod
    def from_moments(
        cls, moments: Moments, fit_intercept: bool, dtype, may_center: bool = True
    ) -> "ColumnScaling":
        """Return the scaling that follows from the moments, in NumPy and `dtype`.

        A scale is the root mean square of the nonzero entries of the centered column. A
        column with a fill value is centered at this value, so a background of images
        counts as zero however it is stored. Other columns are centered at their mean if
        they are far from zero, |mean| > 2 std. The intercept makes up for the
        centering, without which a common offset would hide all variation. The remaining
        columns are not centered, so that sparse columns stay sparse. Constant columns
        get the scale of their value.
        """
        mean, total = moments.mean, moments.total or 1.0
        variance = moments.squares / total
        center = np.where(mean**2 > 4 * variance, mean, 0.0)
        # In a stream, later entries may have another fill value than earlier ones.
        has_fill_value = (moments.fill_value != 0) & (
            moments.non_fill_weight < total / 2
        )
        center = np.where(has_fill_value, moments.fill_value, center)
        center *= fit_intercept and may_center
        constant = np.sqrt(variance) <= 4 * np.finfo(dtype).eps * np.abs(mean)
        constant |= has_fill_value & (moments.non_fill_weight <= 1e-12 * total)
        square = np.where(constant & (center != 0), 0, variance + (mean - center) ** 2)
        nonzero_share = np.where(
            center == moments.fill_value, moments.non_fill_weight / total, 1.0
        )
        nonzero_share[square == 0] = 1.0
        scale = np.sqrt(square / np.maximum(nonzero_share, np.finfo(dtype).tiny))
        scale = np.where(constant & (center != 0), np.abs(mean), scale)
        finfo = np.finfo(dtype)
        _check_scale(scale, largest_scale(dtype), finfo)
        scale = np.where(scale == 0, 1, np.maximum(scale, smallest_scale(dtype)))
        residual_mean = np.where(
            (mean - center) ** 2 > _CORRELATED * square, mean - center, 0
        )

        def append_intercept(column, value):
            intercept = np.full(int(fit_intercept), value)
            return np.append(column, intercept)[:, None].astype(dtype)

        return cls(
            center.astype(dtype),
            append_intercept(scale, 1),
            append_intercept(square / scale**2, 1),
            append_intercept(residual_mean, 0),
        )

    def convert(self, xp) -> "ColumnScaling":
        """Return the scaling with all arrays but the centers in the namespace xp."""
        return ColumnScaling(self.center, *map(xp.asarray, self[1:]))


def smallest_scale(dtype) -> float:
    """Return the least scale whose square has its digits in `dtype`."""
    return 1e3 * float(np.finfo(dtype).tiny) ** 0.5


def largest_scale(dtype) -> float:
    """Return the largest scale whose square leaves room for sums in `dtype`."""
    return 1e-3 * float(np.finfo(dtype).max) ** 0.5


def _check_scale(scale, largest: float, finfo) -> None:
    """Raise ValueError unless all scales, (n_features,), are at most `largest`."""
    too_large = ~(scale <= largest)
    if too_large.any():
        column = int(np.argmax(too_large))
        is_finite = np.isfinite(scale[column])
        received = f"{scale[column]:.2g}" if is_finite else "an overflow"
        raise ValueError(
            f"X holds values too large to train on in {finfo.dtype}: the root mean "
            f"square of each feature must be at most {largest:.1g}, got {received} for "
            f"feature {column}. Divide the feature by a constant or scale X, for "
            "example with StandardScaler"
            + (
                ", or pass X as float64, in a stream from the first call on."
                if finfo.bits < 64
                else "."
            )
        )


def measure_moments(data, sample_weight, fill_value=None) -> Moments:
    """Return the moments of the columns.

    `sample_weight`, (n_samples,), has the array type of batches. `fill_value`,
    (n_features,), is found on a sample of the rows if it is None.
    """
    if fill_value is None:
        fill_value = _find_fill_value(data, _nonzero_rows(data, sample_weight))
    bounds = OutlierBounds.unlimited(data.n_features)
    return _measure(data, sample_weight, fill_value, bounds)[1]


def measure_bounded_moments(
    data, sample_weight, fill_value=None, known: Moments | None = None
):
    """Return weights that bound outliers, (n_samples,), and the moments under them.

    The weight of an outlier is divided by its size, in units of the size at which
    outliers begin. The size grows with the square of the entries. A weighted outlier
    thus has at most the curvature of a row of size one, and a smaller gradient. All
    other weights are returned unchanged, to the bit.

    `known` are the moments of earlier rows. An outlier by `known` must also be an
    outlier among the current rows, unless these are few.
    """
    rows = _nonzero_rows(data, sample_weight)
    if fill_value is None:
        fill_value = _find_fill_value(data, rows)
    is_few = len(rows) < FEW_ROWS
    if known is not None:
        bounds = OutlierBounds.from_moments(known, data.is_dense)
        bounded, moments = _measure(data, sample_weight, fill_value, bounds)
        if is_few or not bool(data.xp.any(bounded != sample_weight)):
            return bounded, moments
    bounds = OutlierBounds.unlimited(data.n_features)
    if not is_few:
        sample = data.index(evenly_spaced(rows, SAMPLED_ROWS))
        bounds = OutlierBounds.from_sample(data, sample, fill_value)
    return _measure(data, sample_weight, fill_value, bounds)


def _measure(data, sample_weight, fill_value, bounds: OutlierBounds):
    """Return the weights under `bounds`, (n_samples,), and the moments."""
    zeros, bounded = np.zeros(data.n_features), []
    moments = Moments(0.0, zeros, zeros, fill_value, zeros)

    def sum_columns(columns, bounded_weight):
        weight = columns.cast_weight(bounded_weight)
        total = float(data.xp.total(weight))
        mean, squares = columns.mean_and_squares(weight, total)
        non_fill_weight = columns.non_fill_weight(weight, total, fill_value)
        return Moments(total, mean, squares, fill_value, non_fill_weight)

    def measure(rows):
        columns = data.columns(rows)
        bounded_weight = bounds.bound_weight(columns, sample_weight[rows])
        moments = sum_columns(columns, bounded_weight)
        if not np.isfinite(moments.squares).all():
            # Squares that overflow do not matter in rows without weight.
            weighted = _nonzero_rows(data, bounded_weight)
            columns = data.columns(data.index(rows.start + weighted))
            weight = take(bounded_weight, data.index(weighted))
            moments = sum_columns(columns, weight)
        return bounded_weight, moments

    def measure_chunks(rows):
        return list(map(measure, chunks(rows, data.chunk_rows)))

    with one_blas_thread(data.n_samples * data.n_features, data.xp.thread_pools):
        rows = chunks(slice(0, data.n_samples), _THREAD_CHUNKS * data.chunk_rows)
        for measured in data.xp.ordered_map(measure_chunks, rows):
            for bounded_weight, chunk_moments in measured:
                bounded.append(bounded_weight)
                moments = moments.merge(chunk_moments)
    return data.xp.concat(bounded or [sample_weight]), moments


def _find_fill_value(data, rows):
    """Return for each column the value that most of a sample share, or zero."""
    rows = data.index(evenly_spaced(rows, _FILL_VALUE_ROWS))
    fill_value = np.zeros(data.n_features)
    if rows.shape[0] >= FEW_ROWS:
        columns, X = data.dense_columns(rows)
        X = data.xp.to_numpy(X)
        median = np.median(X, axis=0).astype(X.dtype)
        n_shared = np.count_nonzero(median == X, axis=0)
        fill_value[columns] = np.where(n_shared > rows.shape[0] / 2, median, 0)
    return fill_value


def _nonzero_rows(data, sample_weight):
    """Return the numbers of the rows with a nonzero weight, in NumPy."""
    return np.flatnonzero(data.xp.to_numpy(sample_weight))
