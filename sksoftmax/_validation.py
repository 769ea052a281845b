"""Checks of what callers pass: sparse indices and sample weights."""

import math

import numpy as np
import scipy.sparse as sp

from sksoftmax._arrays import input_to_numpy
from sksoftmax._compat import check_sample_weight


def check_sparse_indices(X):
    """Return X, and sparse X as CSR, if all its numbers have a place within it.

    SciPy's loops do not look: they would read and write beyond their arrays.
    """
    if not sp.issparse(X) or X.ndim != 2:
        return X
    try:
        if X.format == "csr":
            if not _has_valid_indices(X):
                entries = X.data, X.indices, X.indptr  # the check writes to its matrix
                sp.csr_array(entries, shape=X.shape).check_format(full_check=True)
            return X
        if X.format == "coo":
            sp.coo_array((X.data, (X.row, X.col)), shape=X.shape)
        elif X.format in ("csc", "bsr"):
            kind = sp.csc_array if X.format == "csc" else sp.bsr_array
            entries = X.data, X.indices, X.indptr
            kind(entries, shape=X.shape).check_format(full_check=True)
        return check_sparse_indices(X.tocsr())
    except ValueError as error:
        raise ValueError(
            f"X is a sparse matrix with an index out of its range: {error}. Build X "
            "anew, for example with csr_array((data, (rows, columns)), shape=shape)."
        ) from error


def _has_valid_indices(X) -> bool:
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


def validate_sample_weight(sample_weight, X):
    """Return the weights of the rows of X, a new NumPy array of float64."""
    sample_weight = input_to_numpy(sample_weight, "sample_weight")
    sample_weight = check_sample_weight(sample_weight, X.shape[0])
    check_weight_sum(sample_weight.sum(), np.finfo(float).max)
    return sample_weight


def check_weight_sum(total, largest):
    """Want weights whose sum is at most that."""
    if not total <= largest:
        raise ValueError(
            f"sample_weight (times class_weight) has the sum {total:.3g}, where at "
            f"most {largest:.1g} is wanted. Divide sample_weight by a constant."
        )


def unit_mean_factor(n_rows, total):
    """Return the factor that gives so many weights of that sum the mean one."""
    check_weight_sum(total, np.finfo(float).max)
    factor = n_rows / float(total)
    if factor == math.inf:
        raise ValueError(
            f"sample_weight (times class_weight) has the sum {total:.3g}, which is too "
            "small to divide by. Multiply sample_weight by a constant."
        )
    return factor
