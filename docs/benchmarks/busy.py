"""Fits beside busy processes: python docs/benchmarks/busy.py [--data DIR].

One process a core computes without end, or none does. The fits have one thread, or as
many as there are cores. The table shows median wall seconds, and the CPU seconds in
parentheses. Run it while nothing else runs.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import tasks
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier

# The name of a fit, its task, and the estimator for the task.
FITS = {
    "digits": ("digits", lambda task: SoftmaxRegressionClassifier(alpha=task.alpha)),
    "mnist": ("mnist", lambda task: SoftmaxRegressionClassifier(alpha=task.alpha)),
    "news20 svrg": (
        "news20",
        lambda task: SoftmaxRegressionClassifier(
            alpha=task.alpha, solver="svrg", tol=1e-3
        ),
    ),
    "probe": ("probe", lambda task: SoftmaxRegressionClassifier(alpha=task.alpha)),
    "tall": ("tall", lambda task: SoftmaxRegressionClassifier(alpha=task.alpha)),
    "wide": ("wide", lambda task: SoftmaxRegressionClassifier(alpha=task.alpha)),
    "digits, LogisticRegression": ("digits", lambda task: LogisticRegression(C=task.C)),
    "mnist, LogisticRegression": (
        "mnist",
        lambda task: LogisticRegression(C=task.C, tol=1e-3),
    ),
}


def spin() -> None:
    """Compute without end, and without a lock."""
    while True:
        sum(range(10000))


@contextmanager
def busy_processes(count: int):
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


def time_fit(name: str, folder: Path, n_threads: int, repeats: int) -> list:
    """Return the wall and CPU seconds of each fit, after one that is not counted."""
    task_name, make_estimator = FITS[name]
    task = getattr(tasks, task_name)(folder)
    seconds = []
    warnings.simplefilter("ignore")  # LogisticRegression stops after 100 iterations
    with threadpool_limits(n_threads):
        for _ in range(repeats + 1):
            estimator = make_estimator(task).set_params(random_state=0)
            wall, cpu = perf_counter(), process_time()
            estimator.fit(task.X, task.y)
            seconds.append((perf_counter() - wall, process_time() - cpu))
    return seconds[1:]


def main() -> None:
    """Time the fits, each in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of mnist and news20")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--fits", nargs="*", default=list(FITS), choices=list(FITS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        name, n_threads = args.one
        print(json.dumps(time_fit(name, args.data, int(n_threads), args.repeats)))
        return
    n_cores, columns = os.cpu_count() or 1, {}
    print(f"{n_cores} cores, load before {os.getloadavg()[0]:.1f}")
    print("| fit | quiet, 1 thread | quiet, all | busy, 1 thread | busy, all |")
    print("|---|---|---|---|---|")
    for name in args.fits:
        for n_busy in (0, n_cores):
            with busy_processes(n_busy):
                for n_threads in (1, n_cores):
                    command = [sys.executable, __file__, "--one", name, str(n_threads)]
                    command += ["--repeats", str(args.repeats)]
                    command += ["--data", str(args.data)] if args.data else []
                    seconds = json.loads(subprocess.check_output(command))
                    wall, cpu = map(median, zip(*seconds, strict=True))
                    columns[n_busy, n_threads] = f"{wall:.3g} ({cpu:.3g})"
        print(f"| {name} | {' | '.join(columns.values())} |", flush=True)


if __name__ == "__main__":
    main()
