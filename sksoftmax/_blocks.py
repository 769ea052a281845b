"""Blocks of rows in Dask collections, and work that is done where they are kept."""

import asyncio
import math
from collections import Counter
from concurrent.futures import wait
from contextlib import nullcontext

import dask
import dask.array as da
from dask.base import get_scheduler
from dask.core import get_dependencies
from dask.delayed import delayed
from dask.utils import ensure_dict
from distributed import Future, futures_of

_PATIENCE = 3.0  # seconds until it is asked whether all workers are there


class Blocks:
    """The delayed blocks of a collection, in their order."""

    def __init__(self, rows, name: str) -> None:
        """Take a dask array or data frame, or a list of delayed blocks."""
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
        self._needed = [set()] * len(self)
        if self._futures:
            self._needed = [_needed(block) for block in self.delayed]

    def __len__(self) -> int:
        return len(self.delayed)

    def at_home(self, work):
        """Return work(homes), begun anew where a worker is lost on the way."""
        while True:
            try:
                return work(Homes(self._futures, self._needed))
            except HomeLost:
                continue


class HomeLost(Exception):
    """A worker that kept blocks is gone."""


class Homes:
    """The workers that keep blocks: there are none without a cluster.

    Left to itself, Dask rather moves a block than lets a worker wait.
    """

    def __init__(self, futures, needed) -> None:
        """Take futures, and the keys of those that each block is made of."""
        # With a cluster it is a method of the client.
        self._client = getattr(get_scheduler(), "__self__", None)
        self.workers: list = [None] * len(needed)  # their addresses
        if self._client is not None and futures:
            keepers = self._client.who_has(futures)
            for p, keys in enumerate(needed):
                kept_by = Counter(w for key in keys for w in keepers.get(key, ()))
                # Of those that keep as much, not all blocks the same.
                best = [w for w, n in kept_by.items() if n == max(kept_by.values())]
                if best:
                    self.workers[p] = sorted(best)[p % len(best)]

    def of(self, p: int):
        """Return the context in which to make the tasks on a block."""
        if self.workers[p] is None:
            return nullcontext()
        return dask.annotate(workers=[self.workers[p]], allow_other_workers=False)

    def result(self, task):
        """Return what a delayed task computes to."""
        if self._client is None:
            return dask.compute(task)[0]
        future = self._client.compute(task)
        # One request for the result, whatever time it takes: one that ran out of time
        # may take the next one with it.
        gathered = asyncio.run_coroutine_threadsafe(
            self._client.gather(future, asynchronous=True),
            self._client.loop.asyncio_loop,
        )
        try:
            while not wait([gathered], timeout=_PATIENCE).done:
                # A task for a worker that is gone would wait for ever.
                if not set(self.workers) <= {None, *self._client.nthreads()}:
                    raise HomeLost
            return gathered.result()
        except BaseException:
            future.cancel()
            raise


def _needed(block) -> set:
    """Return the keys of the futures that a delayed block is made of."""
    graph, found, seen, left = ensure_dict(block.dask), set(), set(), [block.key]
    while left:
        key = left.pop()
        task = graph.get(key)
        if task is None or isinstance(task, Future):
            found.add(key if task is None else task.key)
        elif key not in seen:
            seen.add(key)
            if hasattr(task, "dependencies"):
                left += task.dependencies
            else:  # a tuple, as in older versions
                found |= {future.key for future in futures_of([task])}
                left += get_dependencies(graph, task=task)
    return found
