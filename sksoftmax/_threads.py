"""How many BLAS threads a training loop gets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_limit = threading.Lock()


@cache
def _controller() -> ThreadpoolController:
    """Find the BLAS libraries once: the search takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def blas_threads_for(multiply_adds: float, large: float) -> Iterator[None]:
    """Keep BLAS on one thread where its matrix products are not large.

    Threads wait for each other at every product: `large` is what makes up for it.

    Of fits that overlap in several Python threads one alone sets the limit and lifts
    it. Each would restore what it found, and the last find one thread and leave BLAS
    there for ever.
    """
    if multiply_adds >= large or not _limit.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _limit.release()
