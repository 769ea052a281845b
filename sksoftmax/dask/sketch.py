"""Sketches of rows: a few sums, which show whether rows have changed since."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sksoftmax._arrays import GOLDEN_RATIO, NUMPY, evenly_spaced_indices

# A sketch reads this many numbers, and more of blocks with more than 1.6 million.
# Measured on one core, a sketch of dense and CSR blocks takes 20 to 90 microseconds,
# where Dask spends 1 to 2.5 ms on a task. It takes .1 to .9 % of a product of larger
# blocks with the Hessian for 10 classes.
_FEWEST_NUMBERS, _FEWEST_ROWS, _LEAST_SHARE = 4096, 8, 1 / 400
_N_SUMS = 16


class Sketch(NamedTuple):
    """Sums over evenly spaced rows; the factors depend on row and column.

    Other rows, another order of rows and another order of columns change the sums.
    """

    shape: tuple  # n_rows, n_columns, and the number of stored numbers
    sums: np.ndarray  # (n_sums,)
    tolerances: np.ndarray  # (n_sums,), differences by rounding errors

    @classmethod
    def measure(cls, X) -> "Sketch":
        """Return the sketch of an array or CSR matrix."""
        n_rows, n_columns = X.shape
        n_stored = X.nnz if sp.issparse(X) else X.size
        n_few = _FEWEST_NUMBERS * n_rows // max(1, n_stored)
        n_sampled = max(_FEWEST_ROWS, n_few, int(n_rows * _LEAST_SHARE))
        rows = evenly_spaced_indices(n_rows, n_sampled)
        row_sums = (_sum_csr_rows if sp.issparse(X) else _sum_dense_rows)(X, rows)
        sums = row_sums * _factors(np.arange(len(rows)))
        if len(rows):
            starts = evenly_spaced_indices(len(rows), _N_SUMS)
            sums = np.add.reduceat(sums, starts, axis=1)
        # Rounding errors differ between machines and numbers of threads.
        eps = float(np.finfo(NUMPY.training_dtype(X)).eps)
        return cls((n_rows, n_columns, n_stored), sums[0], eps**0.7 * sums[1])

    def check(self, X, name: str) -> None:
        """Raise ValueError unless X, (n_rows, n_columns), has the sketched rows."""
        other = Sketch.measure(X)
        is_unchanged = self.shape == other.shape
        if is_unchanged:
            close = np.abs(self.sums - other.sums) <= self.tolerances
            is_unchanged = bool(np.all(close | ~np.isfinite(self.sums)))
        check_unchanged(is_unchanged, name)


def check_unchanged(is_unchanged: bool, name: str) -> None:
    """Raise ValueError unless a block has not changed since the first pass."""
    if not is_unchanged:
        raise ValueError(
            f"{name} must hold the same rows in each pass, got other rows than in the "
            "first one. Keep the blocks, X, y = dask.persist(X, y), or make their "
            "source deterministic: sort its rows, and set its seeds."
        )


def _sum_dense_rows(X, rows):
    """Return weighted sums of the rows, and of absolute values, (2, n_rows)."""
    if len(rows) < X.shape[0]:
        X = X[rows]
    factors = _factors(np.arange(X.shape[1]))
    # The smallest integer, such as -128 in int8, has no absolute value there.
    X = X.astype(np.promote_types(X.dtype, np.float32), copy=False)
    return np.stack([X @ factors, np.abs(X) @ factors])


def _sum_csr_rows(X, rows):
    """Return weighted sums of the rows, and of absolute values, (2, n_rows)."""
    starts, n_entries = X.indptr[rows], X.indptr[rows + 1] - X.indptr[rows]
    row = np.repeat(np.arange(len(rows)), n_entries)
    first = np.cumsum(n_entries) - n_entries
    entries = np.arange(len(row)) + (starts - first)[row]
    terms = X.data[entries] * _factors(X.indices[entries])
    return np.stack([np.bincount(row, t, len(rows)) for t in (terms, np.abs(terms))])


def _factors(positions):
    """Return numbers between 1 and 2, different for each position."""
    return 1 + positions * GOLDEN_RATIO % 1
