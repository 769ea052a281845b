"""The folds of rows in partitions: stratified, or by given numbers."""

import zlib
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import column_or_1d

from sksoftmax._labels import find_positions
from sksoftmax._splits import N_SPLITS
from sksoftmax.dask.sketch import check_unchanged


class StratifiedFolds(NamedTuple):
    """The folds of StratifiedKFold, which has no need of the rows before."""

    n_before: np.ndarray  # (n_classes,), weighted rows of each in earlier partitions
    edges: np.ndarray  # (n_splits - 1, n_classes), the first rows of the later folds

    def assign(self, codes, fold, is_counted) -> np.ndarray:
        """Return the fold of each row, (n_rows,), from the classes of the rows.

        Rows that are not counted, as they have no weight, are in no fold: -1.
        """
        folds = np.full(len(codes), -1, np.int32)
        folds[is_counted] = self._assign(codes[is_counted])
        return folds

    def _assign(self, codes) -> np.ndarray:
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(self.n_before)))
        number = np.empty(len(codes), np.int64)  # among the rows of the class
        number[order] = np.arange(len(codes)) - starts[codes[order]]
        number += self.n_before[codes]
        folds = np.zeros(len(codes), np.int32)
        for edge in self.edges:
            folds += number >= edge[codes]
        return folds


class GivenFolds(NamedTuple):
    """Folds by the numbers that the user has given for each row."""

    numbers: np.ndarray  # (n_splits,), sorted
    checksum: int  # of the numbers of the partition's rows in the first pass

    def assign(self, codes, fold, is_counted) -> np.ndarray:
        """Return the fold of each row, (n_rows,), and -1 for rows of no fold."""
        fold = validate_folds(fold, len(codes))
        check_unchanged(measure_folds(fold)[1] == self.checksum, "cv")
        positions = np.searchsorted(self.numbers, fold)
        return np.where(fold < 0, -1, positions).astype(np.int32)


def validate_folds(fold, n_rows: int) -> np.ndarray:
    """Return fold numbers as integers, or raise ValueError."""
    values = column_or_1d(fold)
    if len(values) != n_rows:
        raise ValueError(
            f"cv must have as many rows as X, {n_rows}, got {len(values)}. Pass a fold "
            "number for each row of X."
        )
    is_invalid = np.ones(n_rows, bool)
    try:
        numbers = values.astype(np.int64)
        is_invalid = np.logical_not((numbers == values) & (numbers >= -1))
    except (TypeError, ValueError, OverflowError):  # no numbers
        pass
    if is_invalid.any():
        raise ValueError(
            "cv must hold fold numbers, integers from 0 on, or -1 for rows that are "
            f"never tested, got {values[is_invalid][0]!r}. Number the folds, or pass "
            "their count."
        )
    return numbers


def measure_folds(numbers) -> tuple:
    """Return the distinct fold numbers, sorted, and a checksum."""
    return np.unique(numbers), zlib.crc32(np.ascontiguousarray(numbers))


def has_numbers(cv) -> bool:
    """Return whether `cv` holds fold numbers."""
    return not (cv is None or isinstance(cv, Integral))


def make_folds(cv, summaries, classes) -> tuple:
    """Return the number of splits, and the folds of each partition.

    `cv` is None, a number of folds, or fold numbers in partitions. `summaries` are the
    PartitionSummaries, which are None for empty partitions.
    """
    if has_numbers(cv):
        numbers = [s.folds[0] for s in summaries if s is not None]
        numbers = np.unique(np.concatenate(numbers))
        numbers = numbers[numbers >= 0]
        if not len(numbers):
            raise ValueError(
                "cv must give at least one split, got fold numbers of -1 alone. Give "
                "test rows the number of a fold, from 0 on."
            )
        folds = [s and GivenFolds(numbers, s.folds[1]) for s in summaries]
        return len(numbers), folds
    return _stratify(cv, summaries, classes)


def _stratify(n_splits, summaries, classes) -> tuple:
    """Return the result of `make_folds` for the folds of StratifiedKFold.

    Its folds are blocks of each class's rows with weight. Their sizes follow from the
    counts of the classes and the order in which the classes first occur.
    """
    counts, first, n_rows = [], np.full(len(classes), np.iinfo(np.int64).max), 0
    for summary in summaries:
        count = np.zeros(len(classes), np.int64)
        if summary is not None:
            positions = find_positions(summary.labels, classes)
            count[positions] = summary.n_rows
            occurs = summary.n_rows > 0
            positions, starts = positions[occurs], summary.label_starts[occurs]
            first[positions] = np.minimum(first[positions], n_rows + starts)
            n_rows += summary.n_samples
        counts.append(count)
    total = np.sum(counts, axis=0)
    n_splits = int(n_splits or max(2, min(N_SPLITS, total.max())))
    y = np.repeat(np.arange(len(classes)), np.minimum(total, n_splits))
    next(StratifiedKFold(n_splits).split(y, y))  # raises and warns of rare classes
    order = np.argsort(first)
    ends = np.cumsum(total[order])
    # Every n_splits-th row belongs to a fold, if the rows are sorted by class.
    ends = [(ends - k + n_splits - 1) // n_splits for k in range(n_splits)]
    sizes = np.empty((n_splits, len(classes)), np.int64)
    sizes[:, order] = np.diff(ends, axis=1, prepend=0)
    edges = np.cumsum(sizes, axis=0)[:-1]
    n_before = np.cumsum(counts, axis=0) - counts
    return n_splits, [StratifiedFolds(n, edges) for n in n_before]
