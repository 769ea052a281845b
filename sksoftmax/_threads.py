"""How many threads a training loop gets for its products."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_blas_limit, _pool_limit = threading.Lock(), threading.Lock()
# Multiply-adds below which OpenBLAS takes one thread of its own accord.
_TINY_PRODUCT = 9000


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

    Of fits that overlap in several Python threads one alone sets the limit and lifts
    it. (Of PyTorch's threads a Python thread that first uses it meanwhile keeps one.)
    Each would restore what it found, and the last find one thread and leave BLAS
    there for ever.
    """
    tiny = 0 < multiply_adds < _TINY_PRODUCT
    libraries = [] if tiny or multiply_adds >= large else _blas_libraries()
    with _one_thread(libraries, _blas_limit), _one_thread(pools, _pool_limit):
        yield


@contextmanager
def _one_thread(libraries, limit) -> Iterator[None]:
    if not libraries or not limit.acquire(blocking=False):
        yield
        return
    found = [(library, library.get_num_threads()) for library in libraries]
    try:
        for library, _ in found:
            library.set_num_threads(1)
        yield
    finally:
        for library, n_threads in found:
            library.set_num_threads(n_threads)
        limit.release()
