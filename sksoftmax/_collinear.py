"""Collinear columns of sparse X, and a preconditioner that tells them apart.

Some sparse X have a few frequent columns besides many rare ones, such as numbers beside
one-hot columns. A diagonal does not see the small differences of nearly equal columns,
so a step promises little in the directions in which much is to be gained.
"""

import numpy as np

from sksoftmax._arrays import chunks, count_rows, evenly_spaced
from sksoftmax._preconditioner import (
    GAP_FACTOR,
    CenteredDiagonal,
    Diagonal,
    Gram,
)

# Sampled rows, the largest number of columns that are compared, and rows at a time.
SAMPLED_ROWS, MOST_COLUMNS, CHUNK_ROWS = 2048, 512, 4096
# Frequent columns are those that at least the first share of the rows store. They are
# collinear if an eigenvalue of their correlations is below the second number. Measured:
# .049 and .007 for the two shares on 20 newsgroups, where the diagonal is as good;
# .0003 to .03 where minibatches stopped at 14 % to 130 % above the optimum.
FREQUENT = (0.5, 0.03), (0.1, 0.003)
# A smaller eigenvalue is of columns whose sum is constant, such as one-hot columns.
LEAST_EIGENVALUE = 1e-10


def find_collinear(problem, rows):
    """Return the numbers of frequent columns of sparse X if some are collinear.

    Return None without collinear columns, and for a problem with L1, whose steps need a
    diagonal. `rows` and the result are in NumPy, and the result is sorted.
    """
    data = problem.data
    if data.is_dense or problem.penalty.makes_zeros:
        return None
    rows = data.index(evenly_spaced(rows, SAMPLED_ROWS))
    share = data.stored_share(rows)
    most_frequent = np.argsort(-share, kind="stable")[:MOST_COLUMNS]
    for least_share, largest_eigenvalue in FREQUENT:
        columns = np.sort(most_frequent[share[most_frequent] >= least_share])
        if len(columns) < 2:
            continue
        S = _scaled_rows(problem, rows, columns)
        S /= np.sqrt(np.maximum((S**2).sum(axis=0), np.finfo(S.dtype).tiny))
        eigenvalues = np.linalg.eigvalsh(S.T @ S)
        is_small = eigenvalues < largest_eigenvalue
        if (is_small & (eigenvalues > LEAST_EIGENVALUE)).any():
            return columns
    return None


def collinear_gap(problem, rows, weights) -> float:
    """Return the part of the estimated gap from the collinear columns.

    M of <G, M G> is the preconditioner for steps on all rows. `rows` are numbers in
    NumPy.
    """
    data, grad = problem.data, 0.0
    sample = data.index(evenly_spaced(rows, SAMPLED_ROWS))
    matrix = _measure_block(problem, sample, weights)
    n_sampled = SAMPLED_ROWS if len(rows) > SAMPLED_ROWS else None
    inverse = _invert_block(problem, matrix, n_sampled)
    for part in chunks(data.index(rows), CHUNK_ROWS):
        raw = data.batch(part, compact=False).raw_prediction(weights)
        batch = data.make_feature_batch(part, problem.collinear)
        grad += problem.loss_gradient_from_raw(batch, raw, part, len(rows))[1]
    grad += problem.penalty.gradient(weights)[_block_weights(problem)]
    return GAP_FACTOR * float(np.vdot(grad, inverse @ grad))


class BlockDiagonal(CenteredDiagonal):
    """The full matrix for the collinear columns and the intercept, and a diagonal.

    This preconditioner serves batches of all rows. The columns of the diagonal are
    centered at their means if there is an intercept.
    """

    name = "block diagonal"

    @classmethod
    def build(cls, problem, hessian, n_sampled: int | None, active=slice(None)):
        """Return the preconditioner for steps on all rows, which have no noise."""
        (diagonal, matrix), block = hessian, _block_weights(problem)
        preconditioner = super().build(problem, diagonal, n_sampled, active)
        inverse = _invert_block(problem, matrix, n_sampled)
        preconditioner._inverse_block = inverse.astype(diagonal.dtype)
        if not isinstance(active, slice):
            order = np.argsort(active)
            block = order[np.searchsorted(active, block, sorter=order)]
        preconditioner._block = block
        return preconditioner

    @classmethod
    def _make_restricted(cls, inverse, problem, active):
        is_diagonal = np.ones_like(inverse)
        is_diagonal[_block_weights(problem)] = 0
        residual_mean = is_diagonal * problem.scaling.residual_mean
        residual_mean *= _has_intercept(problem)
        scale = problem.scaling.scale
        return cls(is_diagonal * inverse, scale, residual_mean, active)

    @staticmethod
    def work(problem, n_rows: int) -> float:
        """Return the multiply-adds of `measure` on n_rows rows."""
        n_columns = len(problem.collinear)
        return Diagonal.work(problem, n_rows) + n_columns**2 * (n_rows + n_columns)

    @staticmethod
    def sample_size(n_weights: int) -> int:
        """Return the number of rows to measure the curvature on."""
        return SAMPLED_ROWS

    @staticmethod
    def measure(problem, rows, weights):
        """Return the diagonal of K for `rows` at `weights`, and K of the block."""
        kind = CenteredDiagonal if _has_intercept(problem) else Diagonal
        diagonal = kind.measure(problem, rows, weights)
        return diagonal, _measure_block(problem, rows, weights)

    def apply(self, grad, active=slice(None)):
        """Return the preconditioned gradient of the active weights."""
        block = self._inverse_block @ grad[self._block]
        direction = super().apply(grad, active)
        direction[self._block] += block
        return direction


def _measure_block(problem, rows, weights):
    """Return K of the collinear columns and the intercept, in float64."""
    loss, matrix = problem.loss, 0.0
    for part in chunks(rows, CHUNK_ROWS):
        raw = problem.data.batch(part, compact=False).raw_prediction(weights)
        k = loss.mean_curvature(loss.proba(raw)) / count_rows(rows)
        S = _scaled_rows(problem, part, problem.collinear, k)
        matrix = matrix + S.T @ S
    return matrix


def _invert_block(problem, matrix, n_sampled: int | None):
    """Return the inverse of the matrix of `_measure_block`, for columns as they are."""
    block, scaling = _block_weights(problem), problem.scaling
    columns = scaling.mean_square, scaling.scale, problem.penalty.l2
    mean_square, scale, l2 = (column[block].astype(matrix.dtype) for column in columns)
    inverse = Gram.invert_measured(matrix, mean_square, scale, l2, n_sampled)
    return inverse / scale / scale.T


def _scaled_rows(problem, rows, columns, k=1.0):
    """Return rows of `columns`, with ones, times roots of k and the sample weights."""
    batch = problem.data.make_feature_batch(rows, columns)
    S = batch.scaled(problem.scaling.scale).astype(np.float64)
    S *= np.sqrt(k * problem.sample_weight[rows])[:, None]
    return S


def _has_intercept(problem) -> bool:
    return problem.data.n_weights > problem.data.n_features


def _block_weights(problem):
    """Return the numbers of the weights of collinear columns and of the intercept."""
    intercept = np.arange(problem.data.n_features, problem.data.n_weights)
    return np.concatenate([problem.collinear, intercept])
