"""The delayed blocks of the rows of Dask collections."""

import math
from collections import Counter

import dask
import dask.array as da
import numpy as np
from dask.delayed import delayed
from distributed import futures_of

from sksoftmax.dask.placement import Placement, WorkerLost, _find_keys


class Blocks:
    """The delayed blocks of a collection, in order."""

    def __init__(self, rows, name: str) -> None:
        """Build from a dask array or data frame, or a list of delayed blocks."""
        kind, grid = type(rows).__name__, (0,)
        if isinstance(rows, np.ndarray) and rows.dtype == object:
            grid = rows.shape  # such as of to_delayed() of a dask array
            rows = rows.ravel().tolist()
        elif isinstance(rows, list | tuple) and all(map(_are_blocks, rows)):
            grid = len(rows), max(map(len, rows), default=0)
            rows = [block for row in rows for block in row]
        if math.prod(grid[1:]) > 1:
            raise ValueError(
                f"{name} must be cut into rows alone, got blocks in the grid {grid}, "
                "which has cuts between columns. Join the columns before to_delayed: "
                f"{name}.rechunk({{1: -1}})."
            )
        if isinstance(rows, da.Array):
            if not rows.ndim:
                raise ValueError(
                    f"{name} must have rows, got a dask array of the shape (). Pass "
                    "an array with an entry for each sample."
                )
            if rows.ndim > 1:
                rows = rows.rechunk({axis: -1 for axis in range(1, rows.ndim)})
            blocks, self.lengths = rows.to_delayed().ravel().tolist(), rows.chunks[0]
        elif hasattr(rows, "to_delayed"):
            blocks = rows.to_delayed()
            if isinstance(blocks, list) and len(blocks) != rows.npartitions:
                # Dask has joined small partitions, of y in other places than of X.
                blocks = rows.simplify().to_delayed(optimize_graph=False)
        else:
            blocks = rows
        if not _are_blocks(blocks):
            raise TypeError(
                f"{name} must be a dask array or data frame, or a list of delayed "
                f"partitions, got {kind}. Use "
                "SoftmaxRegressionClassifier for data in memory, or cut them with "
                "dask.array.from_array."
            )
        self.delayed = [delayed(block) for block in blocks]  # of futures too
        self.n_passes = 0  # times that training has read the blocks
        if not isinstance(rows, da.Array):
            self.lengths = (math.nan,) * len(self)
        self._futures = futures_of(rows)
        self._needed_keys = [set()] * len(self)
        if self._futures:
            self._needed_keys = [_find_keys(block) for block in self.delayed]

    def __len__(self) -> int:
        return len(self.delayed)

    def run_pinned(self, work):
        """Return work(placement); repeat it each time a worker is lost.

        Raise RuntimeError if a block has lost its worker more often than Dask allows.
        """
        # Dask counts the workers that a task has killed, but the tasks of a repetition
        # are new to Dask. A block that fills the memory of each worker would otherwise
        # be repeated without end.
        n_allowed = dask.config.get("distributed.scheduler.allowed-failures")
        n_losses: Counter = Counter()
        while True:
            try:
                return work(Placement(self._futures, self._needed_keys))
            except WorkerLost as lost:
                n_losses.update(*lost.args)
                n = max(n_losses.values())
                if n > n_allowed:
                    p = np.sort([p for p, n_lost in n_losses.items() if n_lost == n])
                    raise RuntimeError(
                        "X must have partitions for which workers have memory, got "
                        f"{n} lost workers in one pass, each with the partitions "
                        f"{np.array2string(p, threshold=10)}. Cut X into smaller "
                        "partitions, or give workers more memory."
                    ) from None


def _are_blocks(rows) -> bool:
    """Return whether an object is a list, tuple or array of delayed blocks."""
    is_list = isinstance(rows, list | tuple)
    is_list |= isinstance(rows, np.ndarray) and rows.ndim == 1
    return is_list and len(rows) > 0 and all(hasattr(block, "key") for block in rows)
