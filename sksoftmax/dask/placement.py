"""The workers that keep blocks, and work that is done there."""

import asyncio
from collections import Counter
from concurrent.futures import wait
from contextlib import nullcontext

import dask
from dask.base import get_scheduler
from dask.core import get_dependencies
from dask.utils import ensure_dict
from distributed import Future, futures_of

_PATIENCE = 3.0  # seconds until it is asked whether all workers are there


class WorkerLost(Exception):
    """A worker that kept blocks is gone."""


class Placement:
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

    def pin(self, p: int):
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
                # A task for a worker that is gone would never end.
                if not set(self.workers) <= {None, *self._client.nthreads()}:
                    raise WorkerLost
            return gathered.result()
        except BaseException:
            future.cancel()
            raise


def _find_keys(block) -> set:
    """Return the keys of the futures that a delayed block is made of."""
    graph, keys, visited, pending = ensure_dict(block.dask), set(), set(), [block.key]
    while pending:
        key = pending.pop()
        task = graph.get(key)
        if task is None or isinstance(task, Future):
            keys.add(key if task is None else task.key)
        elif key not in visited:
            visited.add(key)
            if hasattr(task, "dependencies"):
                pending += task.dependencies
            else:  # a tuple, as in older versions
                keys |= {future.key for future in futures_of([task])}
                pending += get_dependencies(graph, task=task)
    return keys
