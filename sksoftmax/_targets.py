"""Targets: labels, or a soft target of class probabilities for each row.

Inside the package, y holds class indices, (n_samples,), in NumPy, if all targets are
labels or one-hot. Otherwise y holds probabilities, (n_samples, n_classes), on the
device of X. Totals and weights made from y before training are in NumPy.
"""

import numpy as np
from scipy.sparse import issparse

from sksoftmax._arrays import chunks, namespace, take
from sksoftmax._labels import are_same, validate_labels

# Largest error of a row's sum: twice the machine epsilon of float16, and enough for
# three decimals. Training divides rows by their sums.
_TOLERANCE = 2e-3
_BFLOAT16_TOLERANCE = 2 * 2**-7


def is_soft_target(y) -> bool:
    """Return whether y holds soft targets; a y of one column holds labels."""
    if not hasattr(y, "shape"):
        try:
            y = np.asarray(y)
        except ValueError:  # rows of unequal lengths, which other checks refuse
            return False
    return len(y.shape) == 2 and y.shape[1] != 1 and not issparse(y)


def sum_tolerance(dtype) -> float:
    """Return the largest error of the sum of a row of probabilities in this dtype."""
    return _BFLOAT16_TOLERANCE if "bfloat16" in str(dtype) else _TOLERANCE


class ProbabilityTable:
    """Soft targets, (n_samples, n_classes), checked, with sorted columns."""

    def __init__(self, rows, names=None, tolerance: float = _TOLERANCE) -> None:
        """Initialise with an array, and the sorted labels of its columns or None.

        `tolerance` is the largest error of the sum of a row.
        """
        self.rows, self.names, self._xp = rows, names, namespace(rows)
        self._check_rows(tolerance)

    @property
    def classes(self):
        """The labels of the columns, sorted."""
        return np.arange(self.rows.shape[1]) if self.names is None else self.names

    @property
    def is_probable(self):
        """Whether each class has a positive probability in some row, (n_classes,)."""
        n_rows, n_classes = self.rows.shape
        return class_totals(self.rows, np.ones(n_rows), n_classes) > 0

    def align_to(self, classes):
        """Return class indices if all rows are one-hot, else the probabilities.

        Columns without names belong to `classes`, in order.
        """
        matches = len(classes) == self.rows.shape[1] and (
            self.names is None or are_same(self.names, classes)
        )
        if not matches:
            received = f"{self.rows.shape[1]} columns"
            if self.names is not None:
                received += f" named {self.names}"
            raise ValueError(
                f"y must have one column for each of the classes {classes}, got "
                f"{received}. Add a column of zeros for a class that does not occur, "
                "and pass new classes in the `classes` of partial_fit."
            )
        return most_probable(self.rows) if self._one_hot else self.rows

    def _check_rows(self, tolerance) -> None:
        self._one_hot, xp = True, self._xp
        for part in _row_chunks(self.rows):
            rows = self.rows[part, :]
            totals, smallest = (
                xp.to_numpy(values)
                for values in (xp.sum(rows, axis=1), xp.min(rows, axis=1))
            )
            bad = (smallest < 0) | ~(np.abs(totals - 1) <= tolerance)
            if bad.any():
                i = int(np.argmax(bad))
                raise ValueError(
                    f"Each row of a y with {self.rows.shape[1]} columns must be "
                    "probabilities of the classes, at least 0 and summing to one, got "
                    f"{_format_row(rows[i, :])} with the sum {totals[i]:.6g} in row "
                    f"{part.start + i}. Divide rows by their sums. For several labels "
                    "a sample use MultiOutputClassifier or OneVsRestClassifier."
                )
            n_classes = xp.count_nonzero(rows, axis=1)
            self._one_hot &= bool(xp.all(n_classes == 1))


def order_of_columns(names):
    """Return the names of columns as sorted labels, and the order that sorts them."""
    names, error = list(names), None
    try:
        labels = validate_labels(names, "columns")
        if labels.ndim == 1 and len(np.unique(labels)) == len(names):
            order = np.argsort(labels)
            return labels[order], order
    except ValueError as refused:
        error = refused
    raise ValueError(
        "The names of the columns of y must be labels of classes, all strings or all "
        f"numbers, none missing, and each once, got {names}. Rename the columns."
    ) from error


class SoftTargets:
    """Targets as probabilities, computed a few rows at a time, perhaps smoothed.

    `smoothing` is the share of each row's probability that is moved to all classes
    alike (Szegedy et al. 2016).
    """

    def __init__(self, y, smoothing: float, n_classes: int, dtype) -> None:
        self.y, self._smoothing, self._xp = y, smoothing, namespace(y)
        self._n_classes, self._dtype = n_classes, dtype

    def __getitem__(self, rows):
        """Return the probabilities of `rows`, (n_rows, n_classes)."""
        xp, smoothing = self._xp, self._smoothing
        y = take(self.y, rows)
        if y.ndim == 1:
            shape = y.shape[0], self._n_classes
            targets = xp.full(shape, smoothing / self._n_classes, self._dtype)
            xp.add_to_label(targets, y, xp.full(y.shape, 1 - smoothing, self._dtype))
            return targets
        targets = xp.column_major(xp.astype(y, self._dtype))
        targets = targets * ((1 - smoothing) / xp.sum(targets, axis=1)[:, None])
        targets += smoothing / self._n_classes
        return targets


def make_targets(y, smoothing: float, n_classes: int, dtype, xp):
    """Return targets in the namespace `xp`, to be indexed with rows."""
    if y.ndim == 1:
        y = xp.indices(y)
    if y.ndim == 1 and not smoothing:
        return y
    return SoftTargets(y, smoothing, n_classes, dtype)


def unsmoothed(targets):
    """Return the y from which `make_targets` made these targets, before smoothing."""
    return targets.y if isinstance(targets, SoftTargets) else targets


def most_probable(y):
    """Return the most probable class of each row, (n_samples,) in NumPy."""
    if y.ndim == 1:
        return y
    xp = namespace(y)  # in chunks: argmax copies a column-major array
    rows = [xp.argmax(y[chunk, :], axis=1) for chunk in _row_chunks(y)]
    return np.concatenate([xp.to_numpy(chunk) for chunk in rows])


def class_totals(y, weight, n_classes: int):
    """Return the sum of the weights of each class, (n_classes,), all in NumPy."""
    if y.ndim == 1:
        return np.bincount(y, weight, minlength=n_classes)
    xp = namespace(y)
    totals = np.zeros(n_classes)
    for chunk in _row_chunks(y):
        rows = xp.astype(y[chunk, :], xp.float64)
        totals += xp.to_numpy(xp.asarray(weight[chunk], xp.float64) @ rows)
    return totals


def weights_by_class(per_class, y):
    """Return each row's class weight, (n_samples,), or the mean under probabilities.

    Both `per_class`, (n_classes,), and the result are in NumPy.
    """
    if y.ndim == 1:
        return per_class[y]
    xp = namespace(y)
    per_class = xp.asarray(per_class, xp.float64)
    means = []
    for chunk in _row_chunks(y):
        rows = xp.astype(y[chunk, :], xp.float64)
        means.append(xp.to_numpy(rows @ per_class / xp.sum(rows, axis=1)))
    return np.concatenate(means)


def _row_chunks(table):
    size = max(1, namespace(table).chunk_size // table.shape[1])
    return chunks(slice(0, table.shape[0]), size)


def _format_row(row) -> str:
    text = ", ".join(f"{float(row[i]):.4g}" for i in range(min(6, row.shape[0])))
    return f"[{text}, ...]" if row.shape[0] > 6 else f"[{text}]"
