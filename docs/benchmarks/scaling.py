"""Fits on more cores than there are: python docs/benchmarks/scaling.py [--data DIR].

The script measures rates of this machine, and passes and fits with some numbers of
threads. A model of the parts, as the second number of threads has them, gives the times
for more threads. Run it while nothing else runs.
"""

import argparse
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time

import numpy as np
import tasks
from scipy.sparse import issparse
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier, _threads
from sksoftmax._data import Batch, SparseBatch
from sksoftmax._oracle import Oracle

FITS = {"mnist": {}, "probe": {}, "news20": {"solver": "svrg", "tol": 1e-3}}
MODELLED = (2, 4, 8, 16, 32)
ASSUMPTIONS = """
Modelled, with n threads:
- A shared call of k blocks takes ceil(k / n) times the mean CPU time of its blocks.
- Shared calls read X from memory at {:.0f} GB/s at most, all threads together.
- The time outside of shared calls stays (the serial rest).
- Cores do not slow down, as they do at a lower clock or in a second socket.
"""


class Meter:
    """The parts of a fit, or of its passes over all rows."""

    def __init__(self) -> None:
        self.calls = []  # numbers of blocks, and CPU seconds
        self.shared = self.total = 0.0  # seconds
        self.n_bytes = self.n_runs = 0

    @property
    def rest(self) -> float:
        """Seconds outside of shared calls."""
        return (self.total - self.shared) / self.n_runs

    def model(self, n_threads: int, bandwidth: float) -> float:
        """Return the seconds with n_threads threads; bandwidth is in bytes/s."""
        shared = sum(-(-k // n_threads) * seconds / k for k, seconds in self.calls)
        return self.rest + max(shared, self.n_bytes / bandwidth) / self.n_runs


class Meters:
    """The meters of a fit, and functions of the package that report to them."""

    def __init__(self) -> None:
        self._open, self._map = [], _threads._map_by_threads
        loss_gradient = Oracle.loss_gradient
        _threads._map_by_threads = self._share
        Oracle.loss_gradient = lambda *args: self._run(1, loss_gradient, *args)
        for batch_type in (Batch, SparseBatch):
            batch_type._product = self._count_bytes(batch_type._product)

    def measure(self, fit, *args) -> tuple:
        """Return the meters of the whole of fit(*args), and of passes over all rows."""
        self._both = Meter(), Meter()
        self._run(0, fit, *args)
        return self._both

    def _run(self, k: int, function, *args):
        meter, start = self._both[k], perf_counter()
        self._open.append(meter)
        result = function(*args)
        self._open.remove(meter)
        meter.total += perf_counter() - start
        meter.n_runs += 1
        return result

    def _share(self, function, items):
        """Yield the results of ordered_map."""
        seconds, waited, end = [], 0.0, object()

        def compute(item):
            start = thread_time()
            result = function(item)
            seconds.append(thread_time() - start)
            return result

        results = self._map(compute, items)
        while True:
            start = perf_counter()
            result = next(results, end)
            waited += perf_counter() - start
            if result is end:
                break
            yield result
        for meter in self._open:
            meter.calls.append((len(items), sum(seconds)))
            meter.shared += waited

    def _count_bytes(self, product):
        def call(batch, weights):
            X = batch.X
            n_bytes = X.data.nbytes + X.indices.nbytes if issparse(X) else X.nbytes
            for meter in self._open:
                meter.n_bytes += n_bytes
            return product(batch, weights)

        return call


def measure_rates() -> list:
    """Return GFLOP/s of products, 10^9 exp/s and GB/s of copies, by all threads."""
    blocks = np.random.default_rng(0).random((32, 2**20), "f")
    copies, square, rates = np.empty_like(blocks), blocks[0].reshape(1024, 1024), []
    for amount, function in (
        (2e-9 * 32 * 1024**3, lambda k: square @ square),
        (1e-9 * blocks.size, lambda k: np.exp(blocks[k], out=copies[k])),
        (2e-9 * blocks.nbytes, lambda k: np.copyto(copies[k], blocks[k])),
    ):
        seconds = []
        for _ in range(9):
            start = perf_counter()
            list(_threads.ordered_map(function, range(len(blocks))))
            seconds.append(perf_counter() - start)
        rates.append(amount / median(seconds))
    return rates


def main() -> None:
    """Measure rates, passes and fits, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of mnist and news20")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--fits", nargs="*", default=list(FITS), choices=list(FITS))
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--bandwidth", type=float, help="GB/s, of all threads")
    args = parser.parse_args()
    rates, meters = {}, Meters()
    print(
        "| threads | products, GFLOP/s | exp, 10^9/s | copies, GB/s |\n"
        + "|---" * 4
        + "|"
    )
    for n in args.threads:
        with threadpool_limits(n):
            rates[n] = measure_rates()
        print(f"| {n} |", " | ".join(f"{rate:.3g}" for rate in rates[n]), "|")
    bandwidth = args.bandwidth or 4 * rates[1][2]
    print(ASSUMPTIONS.format(bandwidth))
    titles = ["seconds", *(f"{n}, measured" for n in args.threads), "serial rest"]
    titles += [f"{n}, modelled" for n in MODELLED]
    print("|", " | ".join(titles), "|\n" + "|---" * len(titles) + "|")
    for name in args.fits:
        task, runs = getattr(tasks, name)(args.data), {n: [] for n in args.threads}
        for n in args.threads * args.repeats:
            estimator = SoftmaxRegressionClassifier(alpha=task.alpha, random_state=0)
            fit = estimator.set_params(**FITS[name]).fit
            with threadpool_limits(n):
                runs[n].append(meters.measure(fit, task.X, task.y))
        for measured in runs.values():
            measured.sort(key=lambda pair: pair[0].total)
        for k, title in enumerate(("fit", "pass")):
            medians = [measured[args.repeats // 2][k] for measured in runs.values()]
            row = [m.total / m.n_runs for m in medians] + [medians[1].rest]
            row += [medians[1].model(n, 1e9 * bandwidth) for n in MODELLED]
            print(f"| {name}, {title} |", " | ".join(f"{t:.3g}" for t in row), "|")


if __name__ == "__main__":
    main()
