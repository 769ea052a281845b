"""How many threads a training loop gets for its products."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# Multiply-adds below which OpenBLAS takes one thread of its own accord.
_TINY_PRODUCT = 9000
_lock = threading.RLock()
_limits: dict = {}  # of libraries, by their id


@cache
def _blas_libraries() -> list:
    """Find the BLAS libraries once: the search takes milliseconds."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def threads_for(multiply_adds: float, large: float, pools=()) -> Iterator[None]:
    """Keep BLAS on one thread where its matrix products are not large.

    Threads wait for each other at every product: `large` is what makes up for it.
    `pools` are other libraries, with get_num_threads and set_num_threads, which leave
    the products to BLAS and get one thread.

    Where fits overlap in several Python threads the limit lasts from the first one to
    the last: each would restore what it found, and the last find one thread and leave
    BLAS there for ever. (A Python thread that first uses PyTorch meanwhile keeps one.)
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
        except BaseException:  # an interrupt, which a second one does not follow
            _leave(libraries, user)
            raise


def _leave(libraries, user) -> None:
    for library in libraries:
        with _lock:
            if id(library) in _limits:
                _limits[id(library)].leave(user)


class _Limit:
    """One thread for a library, from its first user to its last.

    An interrupt may come between any two lines. Whatever was done before it, `leave`
    undoes, also when it is called again.
    """

    def __init__(self, library) -> None:
        self._library, self._users, self._found = library, [], None

    def enter(self, user) -> None:
        self._users.append(user)
        if self._found is None:
            self._found = self._library.get_num_threads()
            self._set(1)

    def leave(self, user) -> None:
        if self._users == [user]:
            self.lift()
        if user in self._users:
            self._users.remove(user)

    def lift(self) -> None:
        if self._found is not None:
            self._set(self._found)
            self._found = None

    def _set(self, n_threads: int) -> None:
        self._library.set_num_threads(n_threads)
        # From version 3.8 on threadpoolctl lets no other thread change OpenBLAS's
        # number until this one says that it is done.
        if hasattr(self._library, "clear_controlling_thread"):
            self._library.clear_controlling_thread()


def _reset_after_fork() -> None:
    """Lift, in a fork, the limits of the parent's other threads."""
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
