"""What y may be: labels, or a row of class probabilities for each sample.

Inside the package it is class indices, (n_samples,), wherever that says all, and else
an array of probabilities, (n_samples, n_classes).
"""

from numbers import Number

import numpy as np
from scipy.sparse import issparse

from sksoftmax._batches import CHUNK_SIZE, parts
from sksoftmax._loss import by_column

# Of a row's sum, which is then made one: enough for float16, and for three decimals.
_TOLERANCE = 2e-3


def is_table(y) -> bool:
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
        self.rows, self.names = rows, names
        self._check_rows()

    @property
    def classes(self):
        """The labels that the columns stand for, sorted."""
        return np.arange(self.rows.shape[1]) if self.names is None else self.names

    def over(self, classes):
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
        return likeliest(self.rows) if self._one_hot else self.rows

    def _check_rows(self) -> None:
        self._one_hot = True
        size = max(1, CHUNK_SIZE // self.rows.shape[1])
        for part in parts(slice(0, len(self.rows)), size):
            rows = self.rows[part]
            totals = rows.sum(axis=1)
            bad = (rows.min(axis=1) < 0) | ~(np.abs(totals - 1) <= _TOLERANCE)
            if bad.any():
                i = int(np.argmax(bad))
                raise ValueError(
                    f"y has {self.rows.shape[1]} columns, so its rows must be "
                    "probabilities of the classes, at least 0 and summing to one, but "
                    f"row {part.start + i} is {_shown(rows[i])} with the sum "
                    f"{totals[i]:.6g}. Divide rows by their sums; for several labels "
                    "a sample use MultiOutputClassifier or OneVsRestClassifier."
                )
            self._one_hot &= bool((np.count_nonzero(rows, axis=1) == 1).all())


def order_of_columns(names):
    """Return the labels that columns are named by, sorted, and how to sort them so."""
    alike = all(isinstance(name, str) for name in names) or all(
        isinstance(name, Number | np.generic) and name == name for name in names
    )
    if not alike or len(set(names)) < len(names):
        raise ValueError(
            f"The columns of y are named {list(names)}, but each name is the label of "
            "a class: all strings or all numbers, none missing, and each once. Rename "
            "the columns."
        )
    labels = np.asarray(names)
    order = np.argsort(labels)
    return labels[order], order


class RowTargets:
    """Targets as probabilities, made a few rows at a time, perhaps smoothed.

    Smoothing (Szegedy et al. 2016) moves this share of each row's probability to all
    classes alike.
    """

    def __init__(self, y, smoothing: float, n_classes: int, dtype) -> None:
        self._y, self._smoothing = y, smoothing
        self._n_classes, self._dtype = n_classes, dtype

    def __getitem__(self, rows):
        """Return the probabilities of those rows, (n_rows, n_classes)."""
        y, smoothing = self._y[rows], self._smoothing
        if y.ndim == 1:
            shape = len(y), self._n_classes
            targets = np.full(shape, smoothing / self._n_classes, self._dtype)
            targets[np.arange(len(y)), y] += 1 - smoothing
            return targets
        targets = by_column(y.astype(self._dtype))
        targets *= (1 - smoothing) / targets.sum(axis=1, keepdims=True)
        targets += smoothing / self._n_classes
        return targets


def by_rows(y, smoothing: float, n_classes: int, dtype):
    """Return what gives the targets of some rows when it is indexed with them."""
    if y.ndim == 1 and not smoothing:
        return y
    return RowTargets(y, smoothing, n_classes, dtype)


def likeliest(y):
    """Return the most probable class of each row, (n_samples,)."""
    if y.ndim == 1:
        return y
    size = max(1, CHUNK_SIZE // y.shape[1])  # argmax would copy columns whole
    rows = parts(slice(0, len(y)), size)
    return np.concatenate([y[some].argmax(axis=1) for some in rows])


def class_totals(y, weight, n_classes: int):
    """Return the sum of the weights of each class, (n_classes,)."""
    if y.ndim == 1:
        return np.bincount(y, weight, minlength=n_classes)
    return np.einsum("i,ij->j", weight, y)


def weights_by_class(per_class, y):
    """Return each row's class weight; of probabilities, their mean, (n_samples,)."""
    return per_class[y] if y.ndim == 1 else np.einsum("ij,j->i", y, per_class)


def _shown(row) -> str:
    shown = ", ".join(f"{value:.4g}" for value in row[:6])
    return f"[{shown}, ...]" if len(row) > 6 else f"[{shown}]"
