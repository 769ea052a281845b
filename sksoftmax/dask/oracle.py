"""Rows in the partitions of Dask collections, and sums over these rows.

Only sums over rows, weights of the model, and the rows of one sample travel.
"""

import math
import pickle

import dask
import dask.array as da
import numpy as np
import scipy.sparse as sp
from dask.delayed import delayed

from sksoftmax._arrays import chunks, evenly_spaced_indices
from sksoftmax._hessian import Hessian
from sksoftmax._labels import are_comparable, find_positions
from sksoftmax._moments import Moments
from sksoftmax._problem import Problem
from sksoftmax._solvers.curvature import FEWEST_OUTPUTS
from sksoftmax._stacked_oracle import stack, unstack
from sksoftmax._threads import one_blas_thread
from sksoftmax._validation import check_weight_sum
from sksoftmax.dask import tasks
from sksoftmax.dask.blocks import Blocks

_SUMMANDS = 8  # of a node of a tree
# Rows of a sampled Hessian, in units of the sample that one machine takes. Measured,
# passes over MNIST to relative gaps of 1e-2, 1e-3 and 1e-4: 16, 51 and 90 with one
# unit; 10, 31 and 53 with eight; 11, 33 and 55 with thirty. A pass over all rows costs
# more than these few rows.
_SAMPLED_HESSIAN_ROWS = 8
# Products with the Hessian between two sampled Hessians.
_PRODUCTS_PER_SAMPLED_HESSIAN = 8
SMALL_MESSAGE = 2**16  # numbers that may travel for a model of any size
# Bytes of weights in a graph of tasks, as Dask warns of graphs of more than 10 MB.
_PIECE_SIZE = 2**22


class Partitions:
    """Lazy blocks of rows, perhaps with labels, weights and fold numbers."""

    def __init__(self, X, y=None, sample_weight=None, fold=None) -> None:
        """Build from Dask collections, or lists of delayed blocks."""
        self.X = Blocks(X, "X")
        self.y = self._cut_like_X(y, "y")
        self.weight = self._cut_like_X(sample_weight, "sample_weight")
        self.fold = self._cut_like_X(fold, "cv")

    def _cut_like_X(self, rows, name: str) -> list:
        """Return delayed blocks of a number or label a row, cut where X is cut."""
        if rows is None:
            return [None] * len(self.X)
        if isinstance(rows, da.Array) and rows.ndim:
            n_received, n_required = rows.shape[0], sum(self.X.lengths)
            if not math.isnan(n_received + n_required):
                if n_received != n_required:
                    raise ValueError(
                        f"{name} must have as many rows as X, {n_required}, got "
                        f"{n_received}. Pass one for each row of X."
                    )
                rows = rows.rechunk({0: self.X.lengths})
        blocks = Blocks(rows, name)
        if len(blocks) != len(self.X):
            raise ValueError(
                f"{name} must have as many partitions as X, {len(self.X)}, got "
                f"{len(blocks)}. Cut {name} where X is cut, and persist both in one "
                f"call, X, {name} = dask.persist(X, {name}). Dask joins small Parquet "
                "files: pass .to_delayed(optimize_graph=False) of both frames."
            )
        return blocks.delayed

    def summarize(self) -> list:
        """Return a checked PartitionSummary of each partition, None for empty ones."""
        self.X.n_passes += 1
        columns = self.y, self.weight, self.fold
        summaries = self._reduce_blocks(tasks.join_lists, tasks.summarize, columns)
        nonempty = [p for p, summary in enumerate(summaries) if summary is not None]
        self._check_row_count(len(nonempty))
        q = nonempty[0]
        first = summaries[q]
        for p in nonempty:
            if summaries[p][:2] != first[:2]:
                raise ValueError(
                    f"Partition {p}: X must have the features of partition {q}, "
                    f"{_format_features(first)}, got {_format_features(summaries[p])}. "
                    "Select the same features in all partitions."
                )
            labels = summaries[p].labels
            if not are_comparable(labels, first.labels):
                raise ValueError(
                    f"Partition {p}: y must hold labels like those of partition {q}, "
                    f"{first.labels[:1]}, got {labels[:1]}. Use either strings or "
                    "numbers."
                )
        return summaries

    def attach_targets(
        self,
        summaries,
        classes,
        class_factors,
        is_learned,
        smoothing: float,
        dtype,
        folds=None,
    ):
        """Return the rows with weight for training, from the result of `summarize`.

        Weights are multiplied by `class_factors`, (n_classes,). `is_learned` tells
        whether a model learns from the rows of a class. Targets are smoothed. `folds`
        are those of each partition, from `make_folds`.
        """
        n_rows = [0] * len(self.X)
        for p, summary in enumerate(summaries):
            if summary is not None:
                counts = class_factors[find_positions(summary.labels, classes)] > 0
                n_rows[p] = int(summary.n_rows @ counts)
        task = delayed(tasks.encode)
        shared = classes, class_factors, is_learned, smoothing, dtype
        shared = [*map(_share, shared)]
        folds = folds or [None] * len(self.X)
        columns = self.y, self.weight, self.fold, summaries, folds
        targets = [
            summary
            and task(
                p,
                y,
                weight,
                fold,
                *map(_share, (summary.fingerprint, summary.huge_rows, rule)),
                *shared,
            )
            for p, (y, weight, fold, summary, rule) in enumerate(
                zip(*columns, strict=True)
            )
        ]
        n_stored = sum(summary.n_stored for summary in summaries if summary is not None)
        return TrainingPartitions(self.X, targets, n_rows, n_stored)

    def map_blocks(self, model, method: str, empty_result) -> da.Array:
        """Return the result of a method of the model for the rows, lazily.

        `empty_result` is the result for no rows.
        """
        task, model = delayed(tasks.apply), _share(model)
        # Dask drops blocks that it knows to be empty, so no length is named at first.
        shape = (math.nan, *empty_result.shape[1:])
        blocks = [
            da.from_delayed(
                task(p, X, model, method, empty_result), shape, meta=empty_result
            )
            for p, X in enumerate(self.X.delayed)
        ]
        joined = da.concatenate(blocks, allow_unknown_chunksizes=True)
        chunks = (tuple(self.X.lengths), *joined.chunks[1:])
        return da.Array(joined.dask, joined.name, chunks, meta=empty_result)

    def accuracy(self, model) -> float:
        """Return the share of the rows, by weight, whose class the model predicts."""
        correct_weight, total, n_rows = self._reduce_blocks(
            tasks.add_tuples,
            tasks.correct_weight,
            (self.y, self.weight),
            _send(model),
        )
        self._check_row_count(n_rows)
        check_weight_sum(total, np.finfo(float).max)
        if not total:
            raise ValueError(
                "sample_weight must be positive in some row, got zeros. Give a row a "
                "positive weight."
            )
        return float(correct_weight / total)

    def _check_row_count(self, n_rows: int) -> None:
        if not n_rows:
            raise ValueError(
                f"X must have rows, got {len(self.X)} empty partitions. Pass "
                "partitions with rows."
            )

    def _reduce_blocks(self, combine, function, columns, *shared):
        """Return the combined results of the function for all partitions."""

        def work(placement):
            blocks = zip(self.X.delayed, *columns, strict=True)
            terms = []
            for p, block in enumerate(blocks):
                with placement.pin(p):
                    terms.append(delayed(function)(p, *block, *shared))
            return placement.result(_tree(combine, terms))

        return self.X.run_pinned(work)


class TrainingPartitions:
    """Blocks of rows, with targets and weights that the workers keep."""

    def __init__(self, X: Blocks, targets, n_rows, n_stored: int) -> None:
        """Build from delayed targets, and the weighted rows of each partition.

        `n_rows` counts these rows, which are numbered over all partitions.
        Partitions without such rows are left out. X holds `n_stored` numbers.
        """
        self._X, self._numbers = X, np.flatnonzero(n_rows).tolist()
        self._edges = np.cumsum([0, *(n_rows[p] for p in self._numbers)])
        self._targets = dask.persist(*(targets[p] for p in self._numbers))
        self.n_rows = int(self._edges[-1])
        self.n_stored = n_stored

    @property
    def n_passes(self) -> int:
        """Times that X was read, for other partitions of the same X too."""
        return self._X.n_passes

    def make_oracle(
        self, problem: Problem, preconditioner_class, n_units=_SAMPLED_HESSIAN_ROWS
    ) -> "PartitionedOracle":
        """Return the oracle of all rows, for a problem without rows.

        A sampled Hessian has `n_units` times the rows that one machine takes.
        """
        return PartitionedOracle(problem, self, preconditioner_class, n_units)

    def sample(self, rows, piece_size: int):
        """Return X, targets and weights of `rows`, sorted numbers of rows.

        Rows travel in pieces of `piece_size` rows, one piece at a time.
        """
        piece_size = max(1, piece_size)

        def work(placement):
            taken, pieces = {}, []
            for block, positions in zip(
                self._blocks(), self._positions(rows), strict=True
            ):
                if len(positions):
                    pieces_of_block = list(chunks(positions, piece_size))
                    with placement.pin(block[0]):
                        task = delayed(tasks.sample_rows, nout=len(pieces_of_block))
                        taken[block[0]] = task(*block, pieces_of_block)
            kept = dask.persist(*taken.values())
            for p, block_pieces in zip(taken, kept, strict=True):
                with placement.pin(p):
                    pieces += [placement.result(piece) for piece in block_pieces]
            return pieces

        self._X.n_passes += 1
        X, y, weight = zip(*self._X.run_pinned(work), strict=True)
        X = sp.vstack(X, "csr") if any(map(sp.issparse, X)) else np.concatenate(X)
        return X, np.concatenate(y), np.concatenate(weight)

    def moments(self, fill_value, dtype, fit_intercept: bool) -> Moments:
        """Return the moments of the columns, about the fill values."""
        return self.reduce_blocks(
            tasks.merge_moments, tasks.moments, _send(fill_value), dtype, fit_intercept
        )

    def fold_totals(self, n_splits: int, n_classes: int) -> tuple:
        """Return sums of weights and of their squares, (n_splits + 1, n_classes) each.

        The last line has the rows of no fold.
        """
        shared = tasks.fold_totals, n_splits, n_classes
        return self.reduce_blocks(tasks.add_tuples, *shared, reads_X=False)

    def reduce_blocks(self, combine, function, *shared, rows=None, reads_X=True):
        """Return the combined results of the function for all partitions, by a tree.

        The function gets the number, X and targets of a partition, and the `shared`
        arguments. If `rows` are given, it also gets the positions of those in the
        partition. X is None if `reads_X` is false, and then there is no pass over X.
        """
        extras = [()] * len(self._numbers)
        if rows is not None:
            extras = [(positions,) for positions in self._positions(rows)]

        def work(placement):
            # Workers combine their own terms first, so that fewer sums travel.
            terms = {}
            for (p, X, targets), extra in zip(self._blocks(), extras, strict=True):
                X = X if reads_X else None
                with placement.pin(p):
                    term = delayed(function)(p, X, targets, *shared, *extra)
                terms.setdefault(placement.workers[p], []).append((p, term))
            sums = []
            for worker_terms in terms.values():
                with placement.pin(worker_terms[0][0]):
                    sums.append(_tree(combine, [term for _, term in worker_terms]))
            return placement.result(_tree(combine, sums))

        self._X.n_passes += reads_X
        return self._X.run_pinned(work)

    def _blocks(self):
        X = [self._X.delayed[p] for p in self._numbers]
        return zip(self._numbers, X, self._targets, strict=True)

    def _positions(self, rows) -> list:
        """Return the positions of `rows` among the weighted rows of each partition."""
        row_groups = np.split(rows, np.searchsorted(rows, self._edges[1:-1]))
        starts = zip(row_groups, self._edges[:-1], strict=True)
        return [group - start for group, start in starts]


def _tree(combine, terms):
    """Return the delayed combination of delayed terms, _SUMMANDS at a time."""
    combine = delayed(combine)
    while len(terms) > 1:
        edges = range(0, len(terms), _SUMMANDS)
        terms = [combine(*terms[start : start + _SUMMANDS]) for start in edges]
    return terms[0]


class PartitionedOracle:
    """The oracle of rows in partitions, with the methods of Oracle.

    Each sum over all rows is a pass. Passes keep nothing for the next pass.
    """

    active = slice(None)

    def __init__(
        self,
        problem: Problem,
        partitions: TrainingPartitions,
        preconditioner_class,
        n_units=_SAMPLED_HESSIAN_ROWS,
    ):
        """Build from a problem without rows, and the class of the preconditioner.

        `n_units` is explained in `make_oracle`.
        """
        self._n_units = n_units
        self.problem, self.preconditioner_class, self._partitions = (
            problem,
            preconditioner_class,
            partitions,
        )
        self.n_rows = partitions.n_rows
        self.n_measured = len(self._sample(preconditioner_class))
        self.product_work = partitions.n_stored
        self._shared_problem = dask.persist(_send(problem))[0]  # once

    def loss_gradient(self, weights):
        """Return the loss and its gradient at these weights."""
        return self._sums("loss_gradient", weights)

    def hessian_product(self, weights, direction):
        """Return the Hessian of the loss at these weights times a direction.

        The second result is the mean curvature of each output, (n_outputs,).
        """
        return self._sums("hessian_product", weights, direction)

    def linearization_error(self, weights, new_weights):
        """Return the result of `Oracle.linearization_error` for all rows."""
        return self._sums("linearization_error", weights, new_weights)

    def hessian(self, weights, candidates=None):
        """Return the Hessian of the loss at these weights, as `Oracle.hessian`."""
        arrays = (weights,) if candidates is None else (weights, candidates)
        return self._sums("hessian", *arrays)[0]

    def hessian_work(self, n_weights: int) -> float:
        """Return the multiply-adds of `hessian`, infinite if it is a large message."""
        n_features = self.problem.data.n_weights
        if n_weights**2 > max(n_features**2, SMALL_MESSAGE):
            return math.inf
        return Hessian.work(n_weights, self.n_rows, self.problem.loss.n_outputs)

    def sampled_hessian(self, preconditioner_class, weights):
        """Return the Hessian for the preconditioner, measured on sampled rows."""
        rows = self._sample(preconditioner_class)
        shared = self._shared_problem, preconditioner_class, len(rows), _send(weights)
        return self._sum_over_blocks(tasks.sampled_hessian, *shared, rows=rows)[0]

    def sampled_hessian_work(self, preconditioner_class) -> float:
        """Return the multiply-adds of the products between two sampled Hessians."""
        n_outputs = max(self.problem.loss.n_outputs, FEWEST_OUTPUTS)
        return _PRODUCTS_PER_SAMPLED_HESSIAN * 2 * self.product_work * n_outputs

    def _sample(self, preconditioner_class):
        n_weights = self.problem.data.n_weights
        sample_size = self._n_units * preconditioner_class.sample_size(n_weights)
        return evenly_spaced_indices(self.n_rows, sample_size)

    def _sums(self, name: str, *weights) -> list:
        shared = (
            self._shared_problem,
            self.preconditioner_class,
            self.n_rows,
            name,
            *map(_send, weights),
        )
        return self._sum_over_blocks(tasks.sums, *shared)

    def _sum_over_blocks(self, function, *shared, rows=None) -> list:
        sums = self._partitions.reduce_blocks(
            tasks.add_tuples, function, *shared, rows=rows
        )
        return [tasks.align(value) for value in sums]

    def select_gram(self):
        """Return None: training on a cluster keeps its preconditioner."""

    def threads(self):
        """Return the context of a step, with threads for products with the weights."""
        multiply_adds = self.problem.multiply_adds(self.problem.data.n_weights)
        return one_blas_thread(multiply_adds)


class PartitionedStackedOracle:
    """Sums over all rows for several models, with the methods of StackedOracle."""

    affords_newton = False  # each product with the Hessian of a model is a pass

    def __init__(
        self, problem: Problem, partitions: TrainingPartitions, splits: tasks.Splits
    ) -> None:
        """Build from a problem without rows."""
        self.problems, self._partitions = [problem] * len(splits.factors), partitions
        self._shared = *dask.persist(_send(problem), _send(splits)), partitions.n_rows

    @property
    def n_passes(self) -> int:
        """Times that X was read."""
        return self._partitions.n_passes

    def evaluate(self, weights: dict) -> dict:
        """Return the Evaluation of each model, by its number, in one pass."""
        return unstack(weights, *self._sums(tasks.stacked_sums, weights))

    def hessians(self, weights: dict) -> dict:
        """Return the whole Hessian of the loss of each model, in one pass."""
        hessians = self._sums(tasks.stacked_hessians, weights)
        return dict(zip(weights, hessians, strict=True))

    def _sums(self, function, weights: dict) -> list:
        shared = *self._shared, tuple(weights), _send(stack(weights))
        sums = self._partitions.reduce_blocks(tasks.add_tuples, function, *shared)
        return [tasks.align(value) for value in sums]


def _share(value):
    """Return the value as a key that tasks share, so it travels once to a worker."""
    return delayed(value, traverse=False)


def _send(value):
    """Return the value as by `_share`, a large one from pieces in graphs of their own.

    The scheduler keeps the pieces while the result is in use.
    """
    pickled = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    if len(pickled) <= _PIECE_SIZE:
        return _share(value)
    pieces = [
        dask.persist(_share(pickled[start : start + _PIECE_SIZE]))[0]
        for start in range(0, len(pickled), _PIECE_SIZE)
    ]
    return delayed(tasks.unpickle)(*pieces)


def _format_features(summary: tasks.PartitionSummary) -> str:
    names = f" named {list(summary.feature_names)}" if summary.feature_names else ""
    return f"{summary.n_features} features{names}"
