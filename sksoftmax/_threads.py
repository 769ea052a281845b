"""Threads for blocks of rows, while BLAS has one thread."""

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import joblib
import numpy as np
from threadpoolctl import ThreadpoolController

# OpenBLAS takes one thread by itself below this number of multiply-adds.
_TINY_PRODUCT = 9000
_lock = threading.RLock()
_limits: dict = {}  # by the id of the library, and the thread of other libraries
_busy: dict = {}  # threads of each call of ordered_map
_local = threading.local()


@cache
def _blas_libraries() -> list:
    """Return the BLAS libraries, cached because the search takes milliseconds."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def one_blas_thread(multiply_adds: float = 0, pools=()) -> Iterator[None]:
    """Yield with BLAS on one thread.

    Threads of BLAS wait for each other at every product, and wait long beside a busy
    core. `ordered_map` gives whole blocks of rows to threads instead. Products of fewer
    `multiply_adds` than OpenBLAS shares need no limit. `pools` are other libraries,
    with get_num_threads and set_num_threads, which get one thread, too.

    The limit is held from the first overlapping fit to the last. Otherwise the last fit
    would restore a limit of one thread permanently. PyTorch has a number of its own for
    each Python thread, and a thread that first uses it in the meantime keeps one.
    """
    tiny = 0 < multiply_adds < _TINY_PRODUCT
    user, thread = object(), threading.get_ident()
    libraries = {
        id(library): library for library in ([] if tiny else _blas_libraries())
    }
    libraries.update({(id(library), thread): library for library in pools})
    try:
        for key, library in libraries.items():
            with _lock:
                _limits.setdefault(key, _Limit(library)).enter(user)
        yield
    finally:
        try:
            _leave(libraries, user)
        except BaseException:  # an interrupt; no second interrupt is expected
            _leave(libraries, user)
            raise


def ordered_map(function, items) -> Iterator:
    """Return function(item) for each item, in order, computed by several threads.

    The threads live until the last result. There are as many threads as this process
    has cores and BLAS has threads, and fewer if other calls have some of them. Only one
    thread is used within `single_thread`, and within threads that another call started.
    The thread of that call's caller computes blocks too, and a call within such a block
    gets the threads that are left.
    """
    items = list(items)
    if len(items) < 2:
        return map(function, items)
    return _map_by_threads(function, items)


def _map_by_threads(function, items):
    with one_blas_thread(), _reserve_threads(len(items)) as n_threads:
        if n_threads == 1:
            yield from map(function, items)
            return
        executor = _start_threads(n_threads - 1)
        try:
            yield from _share_work(executor, function, items, 2 * n_threads)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def count_free_threads() -> int:
    """Return how many threads `ordered_map` would use for many items.

    Only work whose result is the same for any cut may depend on this number.
    """
    with _reserve_threads(2**30) as n_threads:
        return n_threads


def prefetch(function, items) -> Iterator:
    """Yield function(item) for each item, each computed while the caller has the last.

    The results stay valid while the next one is computed.
    """
    items = iter(items)
    with _reserve_threads(2) as n_threads:
        if n_threads == 1:
            yield from map(function, items)
            return
        executor = _start_threads(1)
        try:
            following = executor.submit(function, next(items))
            for item in items:
                result = following.result()
                following = executor.submit(function, item)
                yield result
            yield following.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _start_threads(n_threads: int):
    """Return an executor whose threads compute one block after the other."""
    # Imported here because scikit-learn does not import it, and few data need it.
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(n_threads, initializer=_set_single_thread)


def _share_work(executor, function, items, n_ahead: int):
    """Yield results in order; the caller's thread computes, too.

    At most `n_ahead` results wait, because a result may be as large as the weights.
    """
    from concurrent.futures import Future  # see _start_threads

    pending, waiting = deque(), deque(items)

    def compute(item):
        with np.errstate(all="ignore"):
            return function(item)

    while pending or waiting:
        while waiting and len(pending) < n_ahead:
            item = waiting.popleft()
            pending.append((executor.submit(compute, item), item))
        if not pending[0][0].done():
            # The caller takes the first block that no thread has begun.
            for k, (future, item) in enumerate(pending):
                if future.cancel():
                    pending[k] = done, item = Future(), item
                    done.set_result(compute(item))
                    break
        yield pending.popleft()[0].result()


@contextmanager
def _reserve_threads(n_items: int) -> Iterator[int]:
    """Yield how many threads may compute; they count as busy meanwhile."""
    if n_items < 2 or getattr(_local, "is_single", False):
        yield 1
        return
    call, limit = object(), _count_threads()
    try:
        with _lock:
            n_threads = max(1, min(n_items, limit - sum(_busy.values())))
            _busy[call] = n_threads
        yield n_threads
    finally:
        try:
            _busy.pop(call, None)
        except BaseException:  # an interrupt; no second interrupt is expected
            _busy.pop(call, None)
            raise


def _count_threads() -> int:
    """Return the cores of this process, or the threads of BLAS if they are fewer."""
    affinity = getattr(os, "sched_getaffinity", lambda pid: None)(0)
    n_threads = _count_cores(affinity and tuple(affinity))
    for library in _blas_libraries():
        limit = _limits.get(id(library))
        n_allowed = limit and limit.n_threads
        n_threads = min(n_threads, n_allowed or library.get_num_threads())
    return n_threads


@cache
def _count_cores(affinity) -> int:
    """Return the cores, which joblib counts by affinity and container."""
    return joblib.cpu_count()


@contextmanager
def single_thread() -> Iterator[None]:
    """Yield with `ordered_map` and BLAS on one thread, as other tasks run beside."""
    earlier, _local.is_single = getattr(_local, "is_single", False), True
    try:
        with one_blas_thread():
            yield
    finally:
        _local.is_single = earlier


def _set_single_thread() -> None:
    _local.is_single = True


def _leave(keys, user) -> None:
    for key in keys:
        with _lock:
            if key in _limits:
                _limits[key].leave(user)
                if not _limits[key].users:
                    del _limits[key]


class _Limit:
    """One thread for a library, from its first user to its last.

    An interrupt may come between any two lines. `leave` undoes all that was done before
    the interrupt, and a second call of `leave` is safe.
    """

    def __init__(self, library) -> None:
        self._library, self.users, self.n_threads = library, [], None

    def enter(self, user) -> None:
        self.users.append(user)
        if self.n_threads is None:
            self.n_threads = self._library.get_num_threads()
            self._set(1)

    def leave(self, user) -> None:
        if self.users == [user]:
            self.lift()
        if user in self.users:
            self.users.remove(user)

    def lift(self) -> None:
        if self.n_threads is not None:
            self._set(self.n_threads)
            self.n_threads = None

    def _set(self, n_threads: int) -> None:
        self._library.set_num_threads(n_threads)
        # From version 3.8 on, threadpoolctl lets no other thread change the number of
        # OpenBLAS until this thread clears its control.
        if hasattr(self._library, "clear_controlling_thread"):
            self._library.clear_controlling_thread()


def _reset_after_fork() -> None:
    """Update a fork in place: lift the limits of the parent's other threads."""
    global _lock
    _lock = threading.RLock()
    _busy.clear()
    for key, limit in _limits.items():
        if not isinstance(key, tuple) or key[1] == threading.get_ident():
            limit.lift()
    _limits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _lock.acquire(),
        after_in_parent=lambda: _lock.release(),
        after_in_child=_reset_after_fork,
    )
