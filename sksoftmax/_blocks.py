"""Blocks of rows in Dask collections, and work that is done where they are kept."""

import math
from contextlib import nullcontext

import dask
import dask.array as da
from dask.base import get_scheduler
from dask.delayed import delayed
from distributed import futures_of

_PATIENCE = 3.0  # seconds until it is asked whether all workers are there


class Blocks:
    """The delayed blocks of a collection, in their order."""

    def __init__(self, rows, name: str) -> None:
        """Take a dask array or data frame, or a list of delayed blocks."""
        self._futures = []
        if isinstance(rows, da.Array):
            if rows.ndim > 1:
                rows = rows.rechunk({axis: -1 for axis in range(1, rows.ndim)})
            blocks, self.lengths = rows.to_delayed().ravel().tolist(), rows.chunks[0]
        elif hasattr(rows, "to_delayed"):
            blocks = rows.to_delayed()
        elif isinstance(rows, list | tuple) and all(hasattr(b, "key") for b in rows):
            blocks = [delayed(block) for block in rows]  # futures too
        else:
            blocks = []
        if not len(blocks):
            raise TypeError(
                f"{name} is {type(rows).__name__}, but a dask array or data frame, or "
                "a list of delayed partitions, is wanted. For data in memory use "
                "SoftmaxRegressionClassifier, or cut them with dask.array.from_array."
            )
        self.delayed = list(blocks)
        if not isinstance(rows, da.Array):
            self.lengths = (math.nan,) * len(self)
        self._futures = futures_of(rows)

    def __len__(self) -> int:
        return len(self.delayed)

    def at_home(self, work):
        """Return work(homes), begun anew where a worker is lost on the way."""
        while True:
            try:
                return work(Homes(self.delayed, self._futures))
            except HomeLost:
                continue


class HomeLost(Exception):
    """A worker that kept blocks is gone."""


class Homes:
    """The workers that keep blocks: there are none without a cluster.

    Left to itself, Dask rather moves a block than lets a worker wait.
    """

    def __init__(self, blocks, futures) -> None:
        # With a cluster it is a method of the client.
        self._client = getattr(get_scheduler(), "__self__", None)
        self._workers = [None] * len(blocks)
        if self._client is not None and futures:
            keepers = self._client.who_has(futures)
            for p, block in enumerate(blocks):
                if kept_by := sorted(keepers.get(block.key, ())):
                    self._workers[p] = kept_by[p % len(kept_by)]

    def of(self, p: int):
        """Return the context in which to make the tasks on a block."""
        if self._workers[p] is None:
            return nullcontext()
        return dask.annotate(workers=[self._workers[p]], allow_other_workers=False)

    def result(self, task):
        """Return what a delayed task computes to."""
        if self._client is None:
            return dask.compute(task)[0]
        future = self._client.compute(task)
        while True:
            try:
                return future.result(timeout=_PATIENCE)
            except TimeoutError:
                if future.done():
                    raise
                # A task for a worker that is gone would wait for ever.
                if not set(self._workers) <= {None, *self._client.nthreads()}:
                    future.cancel()
                    raise HomeLost from None
