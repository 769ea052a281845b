"""The workers that keep blocks, and tasks that are pinned to these workers."""

import asyncio
import math
import time
from collections import Counter
from concurrent.futures import wait
from contextlib import nullcontext

import dask
from dask.base import get_scheduler
from dask.core import get_dependencies
from dask.utils import ensure_dict
from distributed import Future, futures_of

from sksoftmax._compat import warn

_POLL_INTERVAL = 3.0  # seconds between checks that all workers are alive
_WORKERLESS_TIME = 30.0  # seconds without any worker before a warning


class WorkerLost(Exception):
    """A worker that kept blocks has left the cluster.

    The argument is the list of the blocks whose worker is lost or unknown, as a task of
    any of them may have ended the worker.
    """


class Placement:
    """The workers that keep blocks; there are none without a cluster.

    Without pinning, Dask prefers to move a block over letting a worker queue.
    """

    def __init__(self, futures, needed_keys) -> None:
        """Build from futures, and the keys of the futures that each block needs."""
        # The scheduler of a cluster is a method of the client.
        self._client = getattr(get_scheduler(), "__self__", None)
        self.workers: list = [None] * len(needed_keys)  # addresses, one a block
        if self._client is not None and futures:
            keepers = self._client.who_has(futures)
            for p, keys in enumerate(needed_keys):
                counts = Counter(w for key in keys for w in keepers.get(key, ()))
                # Blocks take turns between workers that keep as many of the futures.
                largest = max(counts.values(), default=0)
                best = sorted(w for w, n in counts.items() if n == largest)
                if best:
                    self.workers[p] = best[p % len(best)]

    def pin(self, p: int):
        """Return the context that pins new tasks to the worker of block p."""
        if self.workers[p] is None:
            return nullcontext()
        return dask.annotate(workers=[self.workers[p]], allow_other_workers=False)

    def result(self, task):
        """Return the result of a delayed task."""
        if self._client is None:
            return dask.compute(task)[0]
        future = self._client.compute(task)
        # A request that times out may cancel the next one too, so there is one request
        # without a limit of time.
        gathered = asyncio.run_coroutine_threadsafe(
            self._client.gather(future, asynchronous=True),
            self._client.loop.asyncio_loop,
        )
        try:
            deadline = time.monotonic() + _WORKERLESS_TIME
            while not wait([gathered], timeout=_POLL_INTERVAL).done:
                workers = self._client.nthreads()
                # A task that is pinned to a lost worker would never end.
                if not set(self.workers) <= {None, *workers}:
                    raise WorkerLost(
                        [p for p, w in enumerate(self.workers) if w not in workers]
                    )
                if workers:
                    deadline = time.monotonic() + _WORKERLESS_TIME
                elif time.monotonic() >= deadline:
                    warn(
                        f"The cluster has had no worker for {_WORKERLESS_TIME:g} s. "
                        "The fit or score waits until one starts; interrupt it to end."
                    )
                    deadline = math.inf
            return gathered.result()
        except BaseException:
            future.cancel()
            raise


def _find_keys(block) -> set:
    """Return the keys of the futures that a delayed block depends on."""
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
            else:  # a tuple in older versions of Dask
                keys |= {future.key for future in futures_of([task])}
                pending += get_dependencies(graph, task=task)
    return keys
