"""Sums over all rows, as a full step needs them."""

from functools import reduce
from typing import Any, Protocol

import numpy as np

from sksoftmax._arrays import add_tuples, chunks, evenly_spaced, take
from sksoftmax._collinear import BlockDiagonal
from sksoftmax._hessian import Hessian
from sksoftmax._preconditioner import Diagonal, Gram
from sksoftmax._problem import Problem
from sksoftmax._threads import one_blas_thread

# The largest work of a Gram matrix that replaces the diagonal, in products with the
# Hessian. A matrix product does about ten times as many multiply-adds a second.
LARGEST_GRAM_WORK = 100
HESSIAN_ROWS = 1024  # dense rows at a time for the whole Hessian, or more if narrow


class OracleProtocol(Protocol):
    """The sums that solvers on all rows ask for, wherever the rows are.

    `Oracle` adds them up on one machine, `dask.oracle.PartitionedOracle` on a cluster.
    """

    problem: Problem
    preconditioner_class: type  # to begin with
    active: Any  # the weights that move: indices or a slice
    n_rows: int
    n_measured: int  # rows of a sampled Hessian
    product_work: float  # multiply-adds of a product with one output

    def loss_gradient(self, weights):
        """Return the mean loss and its gradient, (n_active, n_outputs)."""

    def hessian_product(self, weights, direction):
        """Return the Hessian of the loss times a direction, and mean curvatures."""

    def hessian(self, weights, candidates=None):
        """Return the whole Hessian of the loss, or that of candidates."""

    def hessian_work(self, n_weights: int) -> float:
        """Return the multiply-adds of `hessian`, infinite if it is too large.

        `n_weights` are those of all outputs together.
        """

    def linearization_error(self, weights, new_weights):
        """Return by how much linearised probabilities differ from those of a step."""

    def sampled_hessian(self, preconditioner_class, weights):
        """Return the matrix of a preconditioner, measured on a sample of the rows."""

    def sampled_hessian_work(self, preconditioner_class) -> float:
        """Return the multiply-adds of the sampled matrix."""

    def select_gram(self):
        """Return an oracle of the same rows for Gram, None if Gram costs too much."""

    def threads(self):
        """Return the context in which sums are computed."""


class _Chunk:
    """Some rows of an oracle, and what is kept of the last weights."""

    def __init__(self, rows, batch) -> None:
        """Initialise with row numbers, or a slice with both ends.

        `batch` is the batch of these rows, or None if each pass reads them again.
        """
        self.rows, self.batch = rows, batch
        self.raw = None  # weights, and their raw predictions
        # Weights of the last Hessian, and their raw predictions, probabilities and mean
        # curvature.
        self.expanded = None


class Oracle:
    """The rows of a problem, read a chunk at a time.

    Arrays of the size (n_rows, n_outputs) are kept if each array has no more numbers
    than a chunk of X. Measured on 2^13 rows of 150 features in 5 classes: Newton's
    method takes .7 times as long.
    """

    def __init__(
        self,
        problem: Problem,
        rows,
        preconditioner_class,
        n_rows: int = 0,
        features=None,
    ) -> None:
        """Initialise with row numbers, in NumPy, and the class of the preconditioner.

        `n_rows` is the number of rows of the mean loss, of which `rows` are a share;
        the gradient then has all columns. `features` are sorted feature numbers in
        NumPy; the weights of all other features stay zero.
        """
        if preconditioner_class is Diagonal and problem.collinear is not None:
            preconditioner_class = BlockDiagonal
        self.problem, self.preconditioner_class, data = (
            problem,
            preconditioner_class,
            problem.data,
        )
        self.n_rows, self._row_numbers = n_rows or len(rows), rows
        sample = evenly_spaced(rows, preconditioner_class.sample_size(data.n_weights))
        self.n_measured = len(sample)  # rows to measure the curvature on
        # Multiply-adds of a product with one output.
        self.product_work = data.product_work * len(rows) / data.n_samples
        self._sample = data.index(sample)
        self._chunk_rows = min(
            len(rows), data.matmul_chunk_rows(problem.loss.n_outputs)
        )
        batch = None
        if features is not None:
            batch = data.make_feature_batch(data.index(rows), features)
            self.product_work *= batch.n_stored / max(1, data.n_stored)
            n_chunk_rows = data.xp.matmul_chunk_size // problem.loss.n_outputs
            self._chunk_rows = max(1, min(len(rows), n_chunk_rows))
        elif len(rows) <= self._chunk_rows:
            compact = preconditioner_class.lazy and not n_rows
            batch = data.full_batch(data.index(rows), compact)
            if not batch.n_stored:  # a solver needs at least one weight
                batch = data.full_batch(data.index(rows), compact=False)
        self.active = slice(None) if batch is None else batch.active
        # Whether the rows are few enough for one chunk.
        self.is_one_chunk = len(rows) <= self._chunk_rows
        n_numbers = len(rows) * problem.loss.n_outputs
        self._keeps = n_numbers <= data.xp.matmul_chunk_size
        is_all = len(rows) == data.n_samples
        self._rows = slice(0, len(rows)) if is_all else data.index(rows)
        if self.n_measured == len(rows):
            self._sample = self._rows
        self._chunks = self._cut(batch)

    def _cut(self, batch) -> list[_Chunk]:
        """Return the rows in chunks, with parts of the batch of all rows, if any."""
        parts = chunks(self._rows, self._chunk_rows)
        if batch is None or self.is_one_chunk:
            return [_Chunk(part, batch) for part in parts]
        positions = chunks(slice(0, len(self._row_numbers)), self._chunk_rows)
        return [
            _Chunk(part, batch.take_rows(position))
            for part, position in zip(parts, positions, strict=True)
        ]

    def select_features(self, features):
        """Return the oracle of the same rows, with only `features`."""
        rows, preconditioner_class = self._row_numbers, self.preconditioner_class
        return Oracle(self.problem, rows, preconditioner_class, features=features)

    def select_gram(self):
        """Return the oracle of the same rows for Gram, or None.

        None stands for a Gram matrix that costs much more than a pass over the rows,
        and for an oracle of some of the weights.
        """
        data, n_outputs = self.problem.data, self.problem.loss.n_outputs
        work = Gram.work(self.problem, Gram.sample_size(data.n_weights))
        largest_work = LARGEST_GRAM_WORK * 2 * self.product_work * n_outputs
        if not isinstance(self.active, slice) or work > largest_work:
            return None
        return Oracle(self.problem, self._row_numbers, Gram, self.n_rows)

    @property
    def lacks_gram(self) -> bool:
        """Whether the diagonal preconditioner alone can judge a plateau."""
        return self.preconditioner_class.lazy and self.select_gram() is None

    def loss_gradient(self, weights):
        """Return the loss and its gradient at the active `weights`."""

        def share(chunk):
            batch, rows = self._make_batch(chunk), chunk.rows
            raw = self._raw_prediction(chunk, batch, weights)
            return self.problem.loss_gradient_from_raw(batch, raw, rows, self.n_rows)

        return self._sum(share)

    def hessian_product(self, weights, direction):
        """Return the Hessian of the loss at `weights` times a direction.

        Also return the mean curvature of each output, (n_outputs,).
        """
        problem = self.problem

        def share(chunk):
            batch = self._make_batch(chunk)
            _, _, proba, mean_curvature = self._expand(chunk, batch, weights)
            product = problem.hessian_product(
                batch, proba, direction, chunk.rows, self.n_rows
            )
            return product, mean_curvature

        return self._sum(share)

    def _expand(self, chunk, batch, weights):
        """Return weights, raw predictions, probabilities and mean curvature."""
        if chunk.expanded is not None and chunk.expanded[0] is weights:
            return chunk.expanded
        problem, xp = self.problem, self.problem.data.xp
        raw = self._raw_prediction(chunk, batch, weights)
        kept = xp.copy(raw) if self._keeps else None
        proba = problem.loss.proba(raw)
        share = take(problem.sample_weight, chunk.rows) / self.n_rows
        expanded = weights, kept, proba, xp.matmul(share, proba * (1 - proba))
        if self._keeps:
            chunk.expanded = expanded
        return expanded

    def hessian_work(self, n_weights: int) -> float:
        """Return the multiply-adds of `hessian` for n_weights weights of all outputs.

        The work is infinite for too many weights.
        """
        return Hessian.work(n_weights, self.n_rows, self.problem.loss.n_outputs)

    def hessian(self, weights, candidates=None):
        """Return the whole Hessian of the loss at `weights`, in the scaled columns.

        Both axes have the weights of the first output, then those of the second, and so
        on. `candidates`, (n_active, n_outputs) in NumPy, are true for the weights that
        count, if not all do; the intercepts always count.
        """
        problem, xp = self.problem, self.problem.data.xp
        features, columns = self._find_columns(candidates)
        n_columns = weights.shape[0] if candidates is None else int(candidates.sum())
        # Dense copies of sparse rows and of candidates are about as large as a chunk.
        size = max(HESSIAN_ROWS, xp.matmul_chunk_size // max(1, n_columns))

        def select(batch):
            return batch if features is None else batch.take_features(features)

        def share(chunk):
            batch = self._make_batch(chunk)
            proba = self._expand(chunk, batch, weights)[2]
            weight, total = take(problem.sample_weight, chunk.rows) / self.n_rows, 0.0
            for part in chunks(slice(0, proba.shape[0]), size):
                S = select(batch.take_rows(part)).scaled(problem.scaling.scale)
                total += problem.loss.hessian(proba[part, :], S, weight[part], columns)
            return (total,)

        return xp.asarray(self._sum(share)[0])

    def _find_columns(self, candidates):
        """Return the features of candidates, and their columns for each output."""
        if candidates is None:
            return None, None
        data = self.problem.data
        n_features = len(candidates) - (data.n_weights - data.n_features)
        is_used = candidates.any(axis=1)
        is_used[n_features:] = True
        columns = [np.flatnonzero(output) for output in candidates[is_used].T]
        return np.flatnonzero(is_used[:n_features]), list(map(data.index, columns))

    def linearization_error(self, weights, new_weights):
        """Return how far linearised probabilities are from the new probabilities.

        The first value is the weighted mean of the errors of the rows, as the loss
        computes them. The second is the gradient from the rows without an error, or
        None.
        """
        problem, xp = self.problem, self.problem.data.xp

        def share(chunk):
            batch = self._make_batch(chunk)
            raw = self._raw_prediction(chunk, batch, weights)
            change = self._raw_prediction(chunk, batch, new_weights)
            change -= raw
            sample_weight = take(problem.sample_weight, chunk.rows) / self.n_rows
            errors, rest = problem.loss.linearization_error(raw, change)
            total = float(xp.weighted_sum(errors, sample_weight))
            if not xp.any(rest):
                return total, None
            return total, batch.gradient(rest * sample_weight[:, None])

        return self._sum(share)

    def _sum(self, share):
        """Return the sum of the tuples that `share` returns for chunks of rows.

        Threads compute the chunks. The chunks and their order depend on the data alone.
        """
        ordered_map = self.problem.data.xp.ordered_map
        return reduce(add_tuples, ordered_map(share, self._chunks))

    def _make_batch(self, chunk):
        return chunk.batch or self.problem.data.batch(chunk.rows, compact=False)

    def _raw_prediction(self, chunk, batch, weights):
        """Return the raw predictions, (n_rows, n_outputs), a new array.

        The raw predictions of the last weights and of the last Hessian are kept.
        """
        if not self._keeps:
            return batch.raw_prediction(weights)
        copy = self.problem.data.xp.copy
        if chunk.expanded is not None and chunk.expanded[0] is weights:
            return copy(chunk.expanded[1])
        if chunk.raw is None or chunk.raw[0] is not weights:
            chunk.raw = weights, batch.raw_prediction(weights)
        return copy(chunk.raw[1])

    def sampled_hessian(self, preconditioner_class, weights):
        """Return the preconditioner's Hessian of the loss, from a sample of rows."""
        return preconditioner_class.measure(self.problem, self._sample, weights)

    def measure_hessian(self, weights, n_rows: int):
        """Return the preconditioner's Hessian of the loss, from n_rows rows."""
        rows = self.problem.data.index(evenly_spaced(self._row_numbers, n_rows))
        return self.preconditioner_class.measure(self.problem, rows, weights)

    def sampled_curvature(self, weights, direction) -> float:
        """Return the curvature of the loss along a direction.

        As many rows as those of `sampled_hessian` measure it, but other rows, unless
        these are all rows.
        """
        problem, data, total = self.problem, self.problem.data, 0.0
        sample = evenly_spaced(self._row_numbers, self.n_measured, shift=0.5)
        for rows in chunks(data.index(sample), self._chunk_rows):
            batch = data.batch(rows, compact=False)
            proba = problem.loss.proba(batch.raw_prediction(weights))
            product = problem.hessian_product(
                batch, proba, direction, rows, self.n_measured
            )
            total += float(data.xp.vdot(direction, product))
        return total

    def sampled_hessian_work(self, preconditioner_class) -> float:
        """Return the multiply-adds of `sampled_hessian`."""
        return preconditioner_class.work(self.problem, self.n_measured)

    def threads(self):
        """Return the context manager that sets the threads for a step."""
        data, n_outputs = self.problem.data, self.problem.loss.n_outputs
        multiply_adds = self.problem.multiply_adds(self._chunk_rows)
        multiply_adds += (data.n_weights * n_outputs) ** 2  # of the preconditioner
        return one_blas_thread(multiply_adds, data.xp.thread_pools)
