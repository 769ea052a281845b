"""The number of threads that a training loop gets for its products."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# OpenBLAS takes one thread by itself below this number of multiply-adds.
_TINY_PRODUCT = 9000
_lock = threading.RLock()
_limits: dict = {}  # by the id of the library


@cache
def _blas_libraries() -> list:
    """Return the BLAS libraries, cached because the search takes milliseconds."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def threads_for(multiply_adds: float, large: float, pools=()) -> Iterator[None]:
    """Yield with BLAS on one thread, unless its products are large.

    Threads wait for each other at every product, so only products of at least `large`
    multiply-adds gain from them. `pools` are other libraries, with get_num_threads and
    set_num_threads. These libraries leave the products to BLAS and get one thread.

    The limit is held from the first overlapping fit to the last. Otherwise the last fit
    would restore a limit of one thread permanently. A Python thread that first uses
    PyTorch in the meantime keeps one thread.
    """
    tiny = 0 < multiply_adds < _TINY_PRODUCT
    libraries = [] if tiny or multiply_adds >= large else _blas_libraries()
    libraries, user = [*libraries, *pools], object()
    try:
        for library in libraries:
            with _lock:
                _limits.setdefault(id(library), _Limit(library)).enter(user)
        yield
    finally:
        try:
            _leave(libraries, user)
        except BaseException:  # an interrupt; no second interrupt is expected
            _leave(libraries, user)
            raise


def _leave(libraries, user) -> None:
    for library in libraries:
        with _lock:
            if id(library) in _limits:
                _limits[id(library)].leave(user)


class _Limit:
    """One thread for a library, from its first user to its last.

    An interrupt may come between any two lines. `leave` undoes all that was done before
    the interrupt, and a second call of `leave` is safe.
    """

    def __init__(self, library) -> None:
        self._library, self._users, self._n_threads = library, [], None

    def enter(self, user) -> None:
        self._users.append(user)
        if self._n_threads is None:
            self._n_threads = self._library.get_num_threads()
            self._set(1)

    def leave(self, user) -> None:
        if self._users == [user]:
            self.lift()
        if user in self._users:
            self._users.remove(user)

    def lift(self) -> None:
        if self._n_threads is not None:
            self._set(self._n_threads)
            self._n_threads = None

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
    for limit in _limits.values():
        limit.lift()
    _limits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _lock.acquire(),
        after_in_parent=lambda: _lock.release(),
        after_in_child=_reset_after_fork,
    )
