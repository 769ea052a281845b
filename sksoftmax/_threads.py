"""How many BLAS threads a training loop gets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# Measured: below some thirty million multiply-adds a matrix product, two threads
# spend more time waiting for each other than they save.
SMALL_PRODUCT = 30_000_000

_lock = threading.Lock()
_n_users = 0
_limit = None


@cache
def _controller() -> ThreadpoolController:
    """Find the BLAS libraries once: the search takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def blas_threads_for(multiply_adds: float) -> Iterator[None]:
    """Keep BLAS on one thread while its matrix products are small.

    Fits that overlap in several Python threads share one limit: the first to come
    sets it, the last to go lifts it. Nested limits of their own would restore each
    other's values and leave BLAS on one thread for ever.
    """
    global _n_users, _limit
    if multiply_adds >= SMALL_PRODUCT:
        yield
        return
    with _lock:
        if _n_users == 0:
            _limit = _controller().limit(limits=1, user_api="blas")
        _n_users += 1
    try:
        yield
    finally:
        with _lock:
            _n_users -= 1
            if _n_users == 0:
                _limit.restore_original_limits()
                _limit = None
