"""Processes that compute without end, to fit beside."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager


def spin() -> None:
    """Compute without end, and without a lock."""
    while True:
        sum(range(10000))


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Yield while as many processes compute."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=spin, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()
