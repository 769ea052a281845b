"""The Dask classifier beside the optimum of one machine: gaps, passes and times.

python docs/benchmarks/partitions.py [--data DIR] [--cluster]

Needs the extra dask. MNIST and 20 newsgroups come from DIR, without it digits alone are
tried. --cluster uses two worker processes in place of threads.
"""

import argparse
import time
import warnings
from pathlib import Path

import dask
import numpy as np
from distributed import Client, LocalCluster
from scipy.special import logsumexp
from tasks import digits, mnist, news20

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.dask import DaskSoftmaxRegressionClassifier


def objective(clf, X, y, weight, alpha) -> float:
    """Return the objective in float64, written down once more."""
    coef = clf.coef_.astype(np.float64)
    raw = X @ coef.T + clf.intercept_
    losses = logsumexp(raw, axis=1) - raw[np.arange(len(y)), y]
    return weight @ losses / weight.sum() + alpha / 2 * (coef**2).sum()


def cut(rows, n_partitions):
    """Return delayed blocks of an array or CSR matrix."""
    size = -(-rows.shape[0] // n_partitions)
    starts = range(0, rows.shape[0], size)
    return [dask.delayed(rows[at : at + size], traverse=False) for at in starts]


def cases(task):
    """Yield a name, rows, weights and tries: numbers of partitions and tolerances."""
    n_rows = len(task.y)
    as_they_are, weight = np.arange(n_rows), np.ones(n_rows)
    tries = [(1, 1e-5), (8, 1e-5), (40, 1e-5), (8, 1e-2), (8, 1e-3)]
    yield "shuffled", as_they_are, weight, tries
    by_class = np.argsort(task.y, kind="stable")
    yield "sorted by class", by_class, weight, [(8, 1e-5)]
    weight = np.random.RandomState(1).exponential(size=n_rows)
    yield "weights", as_they_are, weight, [(8, 1e-5)]


def lines(task):
    """Yield the lines of the table."""
    for name, order, weight, tries in cases(task):
        X, y, alpha = task.X[order], task.y[order], 1 / (task.C * weight.sum())
        params = {"alpha": alpha, "random_state": 0, "max_iter": 3000}
        exact = SoftmaxRegressionClassifier(solver="svrg", tol=1e-6, **params)
        exact.fit(X, y, weight)
        optimum = objective(exact, X, y, weight, alpha)
        for n_partitions, tol in tries:
            blocks = (cut(rows, n_partitions) for rows in (X, y, weight))
            clf = DaskSoftmaxRegressionClassifier(tol=tol, **params)
            started = time.perf_counter()
            clf.fit(*blocks)
            seconds = time.perf_counter() - started
            gap = objective(clf, X, y, weight, alpha) / optimum - 1
            agree = np.mean(
                clf.to_local().predict(task.X_test) == exact.predict(task.X_test)
            )
            yield (
                f"| {task.name}, {name} | {n_partitions} | {tol:g} | {gap:.1e} | "
                f"{agree:.4f} | {clf.n_passes_} | {seconds:.1f} |"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cluster", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "Sending large graph")  # X is in this process
    if args.cluster:
        Client(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0"))
    print("| task | partitions | tol | relative gap | same labels | passes | seconds |")
    print("|---|---|---|---|---|---|---|")
    tasks = [mnist(args.data), news20(args.data)] if args.data else [digits()]
    for task in tasks:
        for line in lines(task):
            print(line, flush=True)


if __name__ == "__main__":
    main()
