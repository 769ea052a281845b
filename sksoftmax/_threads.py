"""How many BLAS threads a training loop gets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# Multiply-adds of a matrix product. Measured: at 4 million one thread is twice as fast
# as two, which wait for each other; at 26 million they are alike; at 80 two are faster.
SMALL_PRODUCT = 30_000_000

_limit = threading.Lock()


@cache
def _controller() -> ThreadpoolController:
    """Find the BLAS libraries once: the search takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def blas_threads_for(multiply_adds: float) -> Iterator[None]:
    """Keep BLAS on one thread while its matrix products are small.

    Of fits that overlap in several Python threads one alone sets the limit and lifts
    it. Each would restore what it found, and the last find one thread and leave BLAS
    there for ever.
    """
    if multiply_adds >= SMALL_PRODUCT or not _limit.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _limit.release()
