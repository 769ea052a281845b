"""Rows in the partitions of Dask collections, and sums over them.

What travels is sums over rows, weights of the model, and the rows of one sample.
"""

import math

import dask
import dask.array as da
import numpy as np
import scipy.sparse as sp
from dask.delayed import delayed

from sksoftmax._arrays import chunks, evenly_spaced_indices
from sksoftmax._hessian import Hessian
from sksoftmax._moments import Moments
from sksoftmax._oracle import LARGE_PASS_PRODUCT
from sksoftmax._problem import Problem
from sksoftmax._solvers.curvature import FEWEST_OUTPUTS
from sksoftmax._threads import threads_for
from sksoftmax.dask import tasks
from sksoftmax.dask.blocks import Blocks

_SUMMANDS = 8  # at a time, in a tree
# Rows to measure the curvature on, in units of what one machine takes. Measured, passes
# over MNIST to relative gaps of 1e-2, 1e-3 and 1e-4: with one unit 16, 51, 90, with
# eight 10, 31, 53, with thirty 11, 33, 55. Passes over many rows are dear, these few
# are not.
_SAMPLED_HESSIAN_ROWS = 8
# Products with the Hessian after which the curvature is measured again.
_PRODUCTS_PER_SAMPLED_HESSIAN = 8
SMALL_MESSAGE = 2**16  # numbers, that may travel whatever the size of the model
# Weights travel within the graph of tasks, of which Dask warns from 10 MB on.
_ALLOW_LARGE_GRAPHS = {"distributed.admin.large-graph-warning-threshold": "1GB"}


class Partitions:
    """Blocks of rows, perhaps with labels and weights, all lazy."""

    def __init__(self, X, y=None, sample_weight=None) -> None:
        """Take Dask collections, or lists of delayed blocks."""
        self.X = Blocks(X, "X")
        self.y = self._cut_alike(y, "y")
        self.weight = self._cut_alike(sample_weight, "sample_weight")

    def _cut_alike(self, rows, name: str) -> list:
        """Return delayed blocks of labels or weights, cut where X is."""
        if rows is None:
            return [None] * len(self.X)
        if isinstance(rows, da.Array):
            n_given, n_required = rows.shape[0], sum(self.X.lengths)
            if not math.isnan(n_given + n_required):
                if n_given != n_required:
                    raise ValueError(
                        f"{name} has {n_given} rows, but X has {n_required}. Pass one "
                        "for each row of X."
                    )
                rows = rows.rechunk({0: self.X.lengths})
        blocks = Blocks(rows, name)
        if len(blocks) != len(self.X):
            raise ValueError(
                f"{name} has {len(blocks)} partitions, but X has {len(self.X)}, and "
                f"their lengths are not known. Cut {name} where X is cut."
            )
        return blocks.delayed

    def summarize(self) -> list:
        """Check all that was given; return Found of each partition, None of no rows."""
        summaries = self._reduce_blocks(tasks.join_lists, tasks.summarize)
        nonempty = [p for p, summary in enumerate(summaries) if summary is not None]
        if not nonempty:
            raise ValueError("X has no rows. Pass partitions that have some.")
        first = summaries[nonempty[0]]
        for p in nonempty:
            if summaries[p][:2] != first[:2]:
                raise ValueError(
                    f"Partition {p} of X has {_features(summaries[p])}, but partition "
                    f"{nonempty[0]} has {_features(first)}. All need the same features."
                )
            label, first_label = summaries[p].labels[0], first.labels[0]
            if isinstance(label, str) != isinstance(first_label, str):
                raise ValueError(
                    f"Partition {p} of y has labels like {label!r}, but partition "
                    f"{nonempty[0]} has labels like {first_label!r}. Use either "
                    "strings or numbers."
                )
        return summaries

    def attach_targets(self, summaries, classes, per_class, smoothing: float, dtype):
        """Return the rows with weight for training, by what `summarize` has found.

        Weights are multiplied by `per_class`, (n_classes,), and targets smoothed.
        """
        n_rows = [0] * len(self.X)
        for p, summary in enumerate(summaries):
            if summary is not None:
                counts = per_class[np.searchsorted(classes, summary.labels)] > 0
                n_rows[p] = int(summary.n_rows @ counts)
        task = delayed(tasks.encode)
        shared = [_share(v) for v in (classes, per_class, smoothing, dtype)]
        blocks = zip(self.y, self.weight, strict=True)
        targets = [task(p, *block, *shared) for p, block in enumerate(blocks)]
        n_stored = sum(summary.n_stored for summary in summaries if summary is not None)
        return TrainingPartitions(self.X, targets, n_rows, n_stored)

    def map_blocks(self, model, method: str, empty_result) -> da.Array:
        """Return what that method of the model says of the rows, lazily.

        `empty_result` is what it says of no rows.
        """
        task, model = delayed(tasks.apply), _share(model)
        blocks = [
            da.from_delayed(
                task(p, X, model, method, empty_result),
                (length, *empty_result.shape[1:]),
                meta=empty_result,
            )
            for p, (X, length) in enumerate(
                zip(self.X.delayed, self.X.lengths, strict=True)
            )
        ]
        return da.concatenate(blocks, allow_unknown_chunksizes=True)

    def accuracy(self, model) -> float:
        """Return the share of the rows, by weight, whose class the model predicts."""
        correct_weight, total = self._reduce_blocks(
            tasks.add_tuples, tasks.correct_weight, _share(model)
        )
        return float(correct_weight / total)

    def _reduce_blocks(self, combine, function, *shared):
        """Return what combines the function's results of the partitions."""

        def work(placement):
            blocks = zip(self.X.delayed, self.y, self.weight, strict=True)
            terms = []
            for p, block in enumerate(blocks):
                with placement.pin(p):
                    terms.append(delayed(function)(p, *block, *shared))
            return placement.result(_tree(combine, terms))

        return self.X.run_pinned(work)


class TrainingPartitions:
    """Blocks of rows whose targets and weights are known, and kept."""

    def __init__(self, X: Blocks, targets, n_rows, n_stored: int) -> None:
        """Take delayed targets, and how many rows of each partition have weight.

        These rows are numbered through; partitions without any are left out. X holds
        `n_stored` numbers.
        """
        self._X, self._numbers = X, np.flatnonzero(n_rows).tolist()
        self._edges = np.cumsum([0, *(n_rows[p] for p in self._numbers)])
        self._targets = dask.persist(*(targets[p] for p in self._numbers))
        self.n_rows, self.n_passes = int(self._edges[-1]), 1  # times that X was read
        self.n_stored = n_stored

    def make_oracle(
        self, problem: Problem, preconditioner_class
    ) -> "PartitionedOracle":
        """Return all rows as one batch of a problem that has no rows yet."""
        return PartitionedOracle(problem, self, preconditioner_class)

    def sample(self, rows, per_piece: int):
        """Return those rows, sorted numbers: X, targets and weights.

        They travel in pieces of `per_piece` rows, one at a time.
        """
        per_piece = max(1, per_piece)

        def work(placement):
            taken, pieces = {}, []
            for block, positions in zip(
                self._blocks(), self._positions(rows), strict=True
            ):
                if len(positions):
                    pieces_of_block = list(chunks(positions, per_piece))
                    with placement.pin(block[0]):
                        task = delayed(tasks.sample_rows, nout=len(pieces_of_block))
                        taken[block[0]] = task(*block, pieces_of_block)
            kept = dask.persist(*taken.values())
            for p, block_pieces in zip(taken, kept, strict=True):
                with placement.pin(p):
                    pieces += [placement.result(piece) for piece in block_pieces]
            return pieces

        self.n_passes += 1
        X, y, weight = zip(*self._X.run_pinned(work), strict=True)
        X = sp.vstack(X, "csr") if any(map(sp.issparse, X)) else np.concatenate(X)
        return X, np.concatenate(y), np.concatenate(weight)

    def moments(self, fill_value, dtype, fit_intercept: bool) -> Moments:
        """Return the moments of the columns, whose usual values are these."""
        return self.reduce_blocks(
            tasks.merge_moments, tasks.moments, _share(fill_value), dtype, fit_intercept
        )

    def reduce_blocks(self, combine, function, *shared, rows=None):
        """Return what combines the function's results of the partitions, in a tree.

        The function is called with a partition's number, X and targets, the `shared`
        arguments and, if they are given, those of the `rows` that it holds.
        """
        extras = [()] * len(self._numbers)
        if rows is not None:
            extras = [(positions,) for positions in self._positions(rows)]

        def work(placement):
            terms = {}  # by home: each adds up its own before anything travels
            for block, extra in zip(self._blocks(), extras, strict=True):
                with placement.pin(block[0]):
                    term = delayed(function)(*block, *shared, *extra)
                terms.setdefault(placement.workers[block[0]], []).append(
                    (block[0], term)
                )
            sums = []
            for worker_terms in terms.values():
                with placement.pin(worker_terms[0][0]):
                    sums.append(_tree(combine, [term for _, term in worker_terms]))
            return placement.result(_tree(combine, sums))

        self.n_passes += 1
        return self._X.run_pinned(work)

    def _blocks(self):
        X = [self._X.delayed[p] for p in self._numbers]
        return zip(self._numbers, X, self._targets, strict=True)

    def _positions(self, rows) -> list:
        """Return which of the rows with weight of each partition those are."""
        row_groups = np.split(rows, np.searchsorted(rows, self._edges[1:-1]))
        starts = zip(row_groups, self._edges[:-1], strict=True)
        return [group - start for group, start in starts]


def _tree(combine, terms):
    """Return the delayed combination of delayed terms, a few at a time."""
    combine = delayed(combine)
    while len(terms) > 1:
        edges = range(0, len(terms), _SUMMANDS)
        terms = [combine(*terms[start : start + _SUMMANDS]) for start in edges]
    return terms[0]


class PartitionedOracle:
    """The rows of a problem, wherever they are: Oracle for partitions.

    Each sum over all rows is a pass, and nothing is kept from one pass to the next.
    """

    active = slice(None)

    def __init__(
        self, problem: Problem, partitions: TrainingPartitions, preconditioner_class
    ):
        """Take a problem without rows, and the metric in which steps are taken."""
        self.problem, self.preconditioner_class, self._partitions = (
            problem,
            preconditioner_class,
            partitions,
        )
        self.n_rows = partitions.n_rows
        self.n_measured = len(self._sample(preconditioner_class))
        data, n_outputs = problem.data, problem.loss.n_outputs
        self.product_work = partitions.n_stored
        self.hessian_work = math.inf
        if (data.n_weights * n_outputs) ** 2 <= max(data.n_weights**2, SMALL_MESSAGE):
            self.hessian_work = Hessian.work(data.n_weights, self.n_rows, n_outputs)
        self._shared_problem = dask.persist(_share(problem))[0]  # once

    def loss_gradient(self, weights):
        """Return the loss and its gradient at these weights."""
        return self._sums("loss_gradient", weights)

    def hessian_product(self, weights, direction):
        """Return the Hessian of the loss at these weights times a direction.

        The second is the mean curvature of each raw prediction, (n_outputs,).
        """
        return self._sums("hessian_product", weights, direction)

    def linearization_error(self, weights, new_weights):
        """Return what `Oracle.linearization_error` does of all rows."""
        return self._sums("linearization_error", weights, new_weights)

    def hessian(self, weights):
        """Return the Hessian of the loss at these weights, all of it."""
        return self._sums("hessian", weights)[0]

    def sampled_hessian(self, preconditioner_class, weights):
        """Return that of the loss in the metric, measured on a sample of the rows."""
        rows = self._sample(preconditioner_class)
        shared = self._shared_problem, preconditioner_class, len(rows), _share(weights)
        return self._sum_over_blocks(tasks.sampled_hessian, *shared, rows=rows)[0]

    def sampled_hessian_work(self, preconditioner_class) -> float:
        """Return the multiply-adds of the products that one such pass is worth."""
        return _PRODUCTS_PER_SAMPLED_HESSIAN * 2 * self.product_work * FEWEST_OUTPUTS

    def _sample(self, preconditioner_class):
        sample_size = _SAMPLED_HESSIAN_ROWS * preconditioner_class.sample_size(
            self.problem.data.n_weights
        )
        return evenly_spaced_indices(self.n_rows, sample_size)

    def _sums(self, name: str, *weights) -> list:
        shared = (
            self._shared_problem,
            self.preconditioner_class,
            self.n_rows,
            name,
            *map(_share, weights),
        )
        return self._sum_over_blocks(tasks.sums, *shared)

    def _sum_over_blocks(self, function, *shared, rows=None) -> list:
        with dask.config.set(_ALLOW_LARGE_GRAPHS):
            sums = self._partitions.reduce_blocks(
                tasks.add_tuples, function, *shared, rows=rows
            )
        return [tasks.align(value) for value in sums]

    def threads(self):
        """Return the context of the steps: tasks keep BLAS to one thread each."""
        multiply_adds = self.problem.multiply_adds(self.problem.data.n_weights)
        return threads_for(multiply_adds, LARGE_PASS_PRODUCT)


def _share(value):
    """Return the value as a key that tasks share: it travels once to each worker."""
    return delayed(value, traverse=False)


def _features(summary: tasks.PartitionSummary) -> str:
    names = f" named {list(summary.feature_names)}" if summary.feature_names else ""
    return f"{summary.n_features} features{names}"
