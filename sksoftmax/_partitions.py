"""Rows in the partitions of Dask collections, and sums over them.

What travels is sums over rows, weights of the model, and the rows of one sample.
"""

import math

import dask
import dask.array as da
import numpy as np
import scipy.sparse as sp
from dask.delayed import delayed

from sksoftmax import _partition_tasks as tasks
from sksoftmax._all_rows import LARGE_PRODUCT
from sksoftmax._batches import Moments, evenly, parts
from sksoftmax._blocks import Blocks
from sksoftmax._newton import FEWEST_COLUMNS
from sksoftmax._preconditioner import Hessian
from sksoftmax._solver import Problem
from sksoftmax._threads import threads_for

_SUMMANDS = 8  # at a time, in a tree
# Rows to measure the curvature on, in units of what one machine takes. Measured, passes
# over MNIST to relative gaps of 1e-2, 1e-3 and 1e-4: with one unit 16, 51, 90, with
# eight 10, 31, 53, with thirty 11, 33, 55. Passes over many rows are dear, these few
# are not.
_CURVATURE_ROWS = 8
# Products with the Hessian after which the curvature is measured again.
_PRODUCTS_PER_CURVATURE = 8
SMALL_MESSAGE = 2**16  # numbers, that may travel whatever the size of the model
# Weights travel within the graph of tasks, of which Dask warns from 10 MB on.
_WEIGHTS_ARE_NO_MISTAKE = {"distributed.admin.large-graph-warning-threshold": "1GB"}


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
            given, wanted = rows.shape[0], sum(self.X.lengths)
            if not math.isnan(given + wanted):
                if given != wanted:
                    raise ValueError(
                        f"{name} has {given} rows, but X has {wanted}. Pass one for "
                        "each row of X."
                    )
                rows = rows.rechunk({0: self.X.lengths})
        blocks = Blocks(rows, name)
        if len(blocks) != len(self.X):
            raise ValueError(
                f"{name} has {len(blocks)} partitions, but X has {len(self.X)}, and "
                f"their lengths are not known. Cut {name} where X is cut."
            )
        return blocks.delayed

    def look(self) -> list:
        """Check all that was given; return Found of each partition, None of no rows."""
        found = self._combined(tasks.joined, tasks.look)
        holding = [p for p, here in enumerate(found) if here is not None]
        if not holding:
            raise ValueError("X has no rows. Pass partitions that have some.")
        first = found[holding[0]]
        for p in holding:
            if found[p][:2] != first[:2]:
                raise ValueError(
                    f"Partition {p} of X has {_features(found[p])}, but partition "
                    f"{holding[0]} has {_features(first)}. All need the same features."
                )
            ours, theirs = found[p].labels[0], first.labels[0]
            if isinstance(ours, str) != isinstance(theirs, str):
                raise ValueError(
                    f"Partition {p} of y has labels like {ours!r}, but partition "
                    f"{holding[0]} has labels like {theirs!r}. Use either strings or "
                    "numbers."
                )
        return found

    def with_targets(self, found, classes, per_class, smoothing: float, dtype):
        """Return the rows with weight for training, by what `look` has found.

        Weights are multiplied by `per_class`, (n_classes,), and targets smoothed.
        """
        n_rows = [0] * len(self.X)
        for p, here in enumerate(found):
            if here is not None:
                counts = per_class[np.searchsorted(classes, here.labels)] > 0
                n_rows[p] = int(here.n_rows @ counts)
        task = delayed(tasks.encode)
        shared = [_sent(v) for v in (classes, per_class, smoothing, dtype)]
        blocks = zip(self.y, self.weight, strict=True)
        targets = [task(p, *block, *shared) for p, block in enumerate(blocks)]
        n_stored = sum(here.n_stored for here in found if here is not None)
        return TrainingPartitions(self.X, targets, n_rows, n_stored)

    def mapped(self, model, method: str, nothing) -> da.Array:
        """Return what that method of the model says of the rows, lazily.

        `nothing` is what it says of no rows.
        """
        task, model = delayed(tasks.apply), _sent(model)
        blocks = [
            da.from_delayed(
                task(p, X, model, method, nothing),
                (length, *nothing.shape[1:]),
                meta=nothing,
            )
            for p, (X, length) in enumerate(
                zip(self.X.delayed, self.X.lengths, strict=True)
            )
        ]
        return da.concatenate(blocks, allow_unknown_chunksizes=True)

    def accuracy(self, model) -> float:
        """Return the share of the rows, by weight, whose class the model predicts."""
        right, total = self._combined(tasks.added, tasks.right, _sent(model))
        return float(right / total)

    def _combined(self, combine, function, *shared):
        """Return what combines the function's results of the partitions."""

        def work(homes):
            blocks = zip(self.X.delayed, self.y, self.weight, strict=True)
            terms = []
            for p, block in enumerate(blocks):
                with homes.of(p):
                    terms.append(delayed(function)(p, *block, *shared))
            return homes.result(_tree(combine, terms))

        return self.X.at_home(work)


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

    def of_problem(self, problem: Problem, metric) -> "AllPartitions":
        """Return all rows as one batch of a problem that has no rows yet."""
        return AllPartitions(problem, self, metric)

    def sample(self, rows, per_piece: int):
        """Return those rows, sorted numbers: X, targets and weights.

        They travel in pieces of so many rows, one at a time.
        """
        per_piece = max(1, per_piece)

        def work(homes):
            taken, pieces = {}, []
            for block, places in zip(self._blocks(), self._places(rows), strict=True):
                if len(places):
                    some = list(parts(places, per_piece))
                    with homes.of(block[0]):
                        task = delayed(tasks.take, nout=len(some))
                        taken[block[0]] = task(*block, some)
            kept = dask.persist(*taken.values())
            for p, of_block in zip(taken, kept, strict=True):
                with homes.of(p):
                    pieces += [homes.result(piece) for piece in of_block]
            return pieces

        self.n_passes += 1
        X, y, weight = zip(*self._X.at_home(work), strict=True)
        X = sp.vstack(X, "csr") if any(map(sp.issparse, X)) else np.concatenate(X)
        return X, np.concatenate(y), np.concatenate(weight)

    def moments(self, usual, dtype, fit_intercept: bool) -> Moments:
        """Return the moments of the columns, whose usual values are these."""
        return self.combined(
            tasks.merged, tasks.moments, _sent(usual), dtype, fit_intercept
        )

    def combined(self, combine, function, *shared, rows=None):
        """Return what combines the function's results of the partitions, in a tree.

        The function is called with a partition's number, X and targets, the `shared`
        arguments and, if they are given, those of the `rows` that it holds.
        """
        each = [()] * len(self._numbers)
        if rows is not None:
            each = [(places,) for places in self._places(rows)]

        def work(homes):
            terms = {}  # by home: each adds up its own before anything travels
            for block, own in zip(self._blocks(), each, strict=True):
                with homes.of(block[0]):
                    term = delayed(function)(*block, *shared, *own)
                terms.setdefault(homes.workers[block[0]], []).append((block[0], term))
            sums = []
            for of_home in terms.values():
                with homes.of(of_home[0][0]):
                    sums.append(_tree(combine, [term for _, term in of_home]))
            return homes.result(_tree(combine, sums))

        self.n_passes += 1
        return self._X.at_home(work)

    def _blocks(self):
        X = [self._X.delayed[p] for p in self._numbers]
        return zip(self._numbers, X, self._targets, strict=True)

    def _places(self, rows) -> list:
        """Return which of the rows with weight of each partition those are."""
        of_partitions = np.split(rows, np.searchsorted(rows, self._edges[1:-1]))
        starts = zip(of_partitions, self._edges[:-1], strict=True)
        return [here - start for here, start in starts]


def _tree(combine, terms):
    """Return the delayed combination of delayed terms, a few at a time."""
    combine = delayed(combine)
    while len(terms) > 1:
        edges = range(0, len(terms), _SUMMANDS)
        terms = [combine(*terms[at : at + _SUMMANDS]) for at in edges]
    return terms[0]


class AllPartitions:
    """The rows of a problem, wherever they are: AllRows for partitions.

    Each sum over all rows is a pass, and nothing is kept from one pass to the next.
    """

    columns = slice(None)

    def __init__(self, problem: Problem, partitions: TrainingPartitions, metric):
        """Take a problem without rows, and the metric in which steps are taken."""
        self.problem, self.metric, self._partitions = problem, metric, partitions
        self.n_rows = partitions.n_rows
        self.n_measured = len(self._sample(metric))
        data, n_columns = problem.data, problem.loss.n_columns
        self.product_work = partitions.n_stored
        self.hessian_work = math.inf
        if (data.n_weights * n_columns) ** 2 <= max(data.n_weights**2, SMALL_MESSAGE):
            self.hessian_work = Hessian.work(data.n_weights, self.n_rows, n_columns)
        self._sent = dask.persist(_sent(problem))[0]  # once

    def loss_gradient(self, weights):
        """Return the loss and its gradient at these weights."""
        return self._sums("loss_gradient", weights)

    def hessian_product(self, weights, direction):
        """Return the Hessian of the loss at these weights times a direction.

        The second is the mean curvature of each raw prediction, (n_columns,).
        """
        return self._sums("hessian_product", weights, direction)

    def linearization_error(self, weights, new_weights):
        """Return what `AllRows.linearization_error` does of all rows."""
        return self._sums("linearization_error", weights, new_weights)

    def hessian(self, weights):
        """Return the Hessian of the loss at these weights, all of it."""
        return self._sums("hessian", weights)[0]

    def curvature(self, metric, weights):
        """Return that of the loss in the metric, measured on a sample of the rows."""
        rows = self._sample(metric)
        shared = self._sent, metric, len(rows), _sent(weights)
        return self._added(tasks.curvature, *shared, rows=rows)[0]

    def curvature_work(self, metric) -> float:
        """Return the multiply-adds of the products that one such pass is worth."""
        return _PRODUCTS_PER_CURVATURE * 2 * self.product_work * FEWEST_COLUMNS

    def _sample(self, metric):
        n_wanted = _CURVATURE_ROWS * metric.rows_wanted(self.problem.data.n_weights)
        return evenly(self.n_rows, n_wanted)

    def _sums(self, name: str, *weights) -> list:
        shared = self._sent, self.metric, self.n_rows, name, *map(_sent, weights)
        return self._added(tasks.sums, *shared)

    def _added(self, function, *shared, rows=None) -> list:
        with dask.config.set(_WEIGHTS_ARE_NO_MISTAKE):
            sums = self._partitions.combined(tasks.added, function, *shared, rows=rows)
        return [tasks.aligned(value) for value in sums]

    def threads(self):
        """Return the context of the steps: tasks keep BLAS to one thread each."""
        multiply_adds = self.problem.multiply_adds(self.problem.data.n_weights)
        return threads_for(multiply_adds, LARGE_PRODUCT)


def _sent(value):
    """Return the value as a key that tasks share: it travels once to each worker."""
    return delayed(value, traverse=False)


def _features(found: tasks.Found) -> str:
    names = f" named {list(found.feature_names)}" if found.feature_names else ""
    return f"{found.n_features} features{names}"
