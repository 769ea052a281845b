"""What y may be: labels, or a row of class probabilities for each sample.

Inside the package it is class indices, (n_samples,), wherever that says all, and else
an array of probabilities, (n_samples, n_classes), where X is. What is made of it once,
before training, is NumPy's, as the indices are.
"""

from numbers import Number

import numpy as np
from scipy.sparse import issparse

from sksoftmax._arrays import chunks, namespace, take

# Of a row's sum, which is then made one: enough for float16, and for three decimals.
_TOLERANCE = 2e-3


def is_soft_target(y) -> bool:
    """Return whether y has several columns: (n_samples, 1) holds labels."""
    if not hasattr(y, "shape"):
        try:
            y = np.asarray(y)
        except ValueError:  # rows of unequal lengths, refused elsewhere
            return False
    return len(y.shape) == 2 and y.shape[1] != 1 and not issparse(y)


class ProbabilityTable:
    """A y of shape (n_samples, n_classes), checked; its named columns are sorted."""

    def __init__(self, rows, names=None) -> None:
        """Take an array, and the sorted labels of its columns if they have names."""
        self.rows, self.names, self._xp = rows, names, namespace(rows)
        self._check_rows()

    @property
    def classes(self):
        """The labels that the columns stand for, sorted."""
        return np.arange(self.rows.shape[1]) if self.names is None else self.names

    def align_to(self, classes):
        """Return class indices if all rows are one-hot, and else the probabilities.

        Columns without names are those of `classes`.
        """
        matches = len(classes) == self.rows.shape[1] and (
            self.names is None or np.array_equal(self.names, classes)
        )
        if not matches:
            found = f"{self.rows.shape[1]} columns"
            if self.names is not None:
                found += f" named {self.names}"
            raise ValueError(
                f"y has {found}, but a column for each of the classes {classes} is "
                "wanted. Give a class that does not occur a column of zeros, and name "
                "new ones in partial_fit's `classes`."
            )
        return most_probable(self.rows) if self._one_hot else self.rows

    def _check_rows(self) -> None:
        self._one_hot, xp = True, self._xp
        for part in _row_chunks(self.rows):
            rows = self.rows[part, :]
            totals, smallest = (
                xp.to_numpy(values)
                for values in (xp.sum(rows, axis=1), xp.min(rows, axis=1))
            )
            bad = (smallest < 0) | ~(np.abs(totals - 1) <= _TOLERANCE)
            if bad.any():
                i = int(np.argmax(bad))
                raise ValueError(
                    f"y has {self.rows.shape[1]} columns, so its rows must be "
                    "probabilities of the classes, at least 0 and summing to one, but "
                    f"row {part.start + i} is {_format_row(rows[i, :])} with the sum "
                    f"{totals[i]:.6g}. Divide rows by their sums; for several labels "
                    "a sample use MultiOutputClassifier or OneVsRestClassifier."
                )
            n_classes = xp.count_nonzero(rows, axis=1)
            self._one_hot &= bool(xp.all(n_classes == 1))


def order_of_columns(names):
    """Return the labels that columns are named by, sorted, and how to sort them so."""
    is_uniform = all(isinstance(name, str) for name in names) or all(
        isinstance(name, Number | np.generic) and name == name for name in names
    )
    if not is_uniform or len(set(names)) < len(names):
        raise ValueError(
            f"The columns of y are named {list(names)}, but each name is the label of "
            "a class: all strings or all numbers, none missing, and each once. Rename "
            "the columns."
        )
    labels = np.asarray(names)
    order = np.argsort(labels)
    return labels[order], order


class SoftTargets:
    """Targets as probabilities, made a few rows at a time, perhaps smoothed.

    Smoothing (Szegedy et al. 2016) moves this share of each row's probability to all
    classes alike.
    """

    def __init__(self, y, smoothing: float, n_classes: int, dtype) -> None:
        self._y, self._smoothing, self._xp = y, smoothing, namespace(y)
        self._n_classes, self._dtype = n_classes, dtype

    def __getitem__(self, rows):
        """Return the probabilities of those rows, (n_rows, n_classes)."""
        xp, smoothing = self._xp, self._smoothing
        y = take(self._y, rows)
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
    """Return what gives the targets of some rows, as `xp` has them, when indexed."""
    if y.ndim == 1:
        y = xp.indices(y)
    if y.ndim == 1 and not smoothing:
        return y
    return SoftTargets(y, smoothing, n_classes, dtype)


def most_probable(y):
    """Return the most probable class of each row, (n_samples,) in NumPy."""
    if y.ndim == 1:
        return y
    xp = namespace(y)  # by chunks, as argmax would copy columns whole
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

    `per_class`, (n_classes,), and what is returned are NumPy's.
    """
    if y.ndim == 1:
        return per_class[y]
    xp = namespace(y)
    per_class = xp.asarray(per_class, xp.float64)
    rows = [xp.astype(y[chunk, :], xp.float64) @ per_class for chunk in _row_chunks(y)]
    return np.concatenate([xp.to_numpy(chunk) for chunk in rows])


def _row_chunks(table):
    size = max(1, namespace(table).chunk_size // table.shape[1])
    return chunks(slice(0, table.shape[0]), size)


def _format_row(row) -> str:
    text = ", ".join(f"{float(row[i]):.4g}" for i in range(min(6, row.shape[0])))
    return f"[{text}, ...]" if row.shape[0] > 6 else f"[{text}]"
