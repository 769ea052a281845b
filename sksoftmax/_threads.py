"""How many BLAS threads a training loop gets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_limit = threading.Lock()
# Multiply-adds below which OpenBLAS takes one thread of its own accord.
_TINY_PRODUCT = 9000


@cache
def _blas_libraries() -> list:
    """Find the BLAS libraries once: the search takes milliseconds."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def blas_threads_for(multiply_adds: float, large: float) -> Iterator[None]:
    """Keep BLAS on one thread where its matrix products are not large.

    Threads wait for each other at every product: `large` is what makes up for it.

    Of fits that overlap in several Python threads one alone sets the limit and lifts
    it. Each would restore what it found, and the last find one thread and leave BLAS
    there for ever.
    """
    tiny = 0 < multiply_adds < _TINY_PRODUCT
    if tiny or multiply_adds >= large or not _limit.acquire(blocking=False):
        yield
        return
    found = [(library, library.get_num_threads()) for library in _blas_libraries()]
    try:
        for library, _ in found:
            library.set_num_threads(1)
        yield
    finally:
        for library, n_threads in found:
            library.set_num_threads(n_threads)
        _limit.release()
