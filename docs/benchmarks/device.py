"""The same model on PyTorch tensors: on a GPU, or on the CPU beside NumPy.

python docs/benchmarks/device.py [--device cuda] [--data DIR] [--rows N]

For MNIST (from DIR) and a linear probe of N x 1024, 1000 classes (500000 unless told):
what three epochs of ours reach with NumPy, and then the seconds on the device to come
as far: ours, LogisticRegression, and the loop that people write by hand. The share of
the peak is that of a large matrix product on the same device.
"""

import argparse
import os
import time
import warnings
from itertools import islice
from pathlib import Path
from statistics import median

os.environ["SCIPY_ARRAY_API"] = "1"  # scikit-learn needs it before SciPy is imported

import numpy as np
import torch
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from systems import TORCH_RATES, torch_epochs
from tasks import Task, mnist, probe
from torch.utils._python_dispatch import TorchDispatchMode

from sksoftmax import SoftmaxRegressionClassifier

EPOCHS = 3
REPEATS = 5


class Reads(TorchDispatchMode):
    """Count the numbers read from the device: each waits for all work before it."""

    def __init__(self):
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Count float(), bool(), item() and copies to the CPU."""
        name = str(func)
        self.n += name.startswith("aten._local_scalar_dense")
        self.n += "nonzero" in name or "masked_select" in name
        return func(*args, **(kwargs or {}))


def wait(device: str) -> None:
    """Wait until the device has done what it was asked for."""
    if device == "cuda":
        torch.cuda.synchronize()


def timed(device: str, make, *data):
    """Return the seconds of a fit and the model."""
    wait(device)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # max_iter stops the fit on purpose
        model = make().fit(*data)
    wait(device)
    return time.perf_counter() - started, model


def log_loss(proba, task: Task) -> float:
    """Return the mean surprise on the test rows, in nats."""
    proba = proba.cpu().numpy() if isinstance(proba, torch.Tensor) else proba
    return float(-np.log(proba[np.arange(len(task.y_test)), task.y_test]).mean())


def peak(device: str) -> float:
    """Return the multiply-adds a second of a large product in float32."""
    n = 8192 if device == "cuda" else 2048
    a = torch.ones((n, n), device=device)
    seconds = []
    for _ in range(5):
        wait(device)
        started = time.perf_counter()
        a @ a
        wait(device)
        seconds.append(time.perf_counter() - started)
    return n**3 / min(seconds)


def compare(task: Task, device: str) -> None:
    """Print what everyone takes on one task."""
    print(f"\n{task.title}, {device}")
    X, y, X_test = (
        torch.asarray(array, device=device) for array in (task.X, task.y, task.X_test)
    )

    def ours(epochs=None):
        until = {} if epochs is None else {"max_iter": epochs, "tol": None}
        return SoftmaxRegressionClassifier(alpha=task.alpha, random_state=0, **until)

    ratios = []
    for _ in range(REPEATS):
        on_numpy, known = timed("cpu", lambda: ours(EPOCHS), task.X, task.y)
        on_device, model = timed(device, lambda: ours(EPOCHS), X, y)
        ratios.append(on_device / on_numpy)
    target = log_loss(known.predict_proba(task.X_test), task)
    print(f"| {EPOCHS} epochs, NumPy | {on_numpy:.3f} s | log-loss {target:.4f} |")
    reached = log_loss(model.predict_proba(X_test), task)
    print(
        f"| {EPOCHS} epochs | {on_device:.3f} s, {median(ratios):.2f} times NumPy's | "
        f"log-loss {reached:.4f} |"
    )
    for epochs in range(1, 60):
        seconds, model = timed(device, lambda n=epochs: ours(n), X, y)
        if log_loss(model.predict_proba(X_test), task) <= target:
            print(f"| ours, as far | {seconds:.3f} s | {epochs} epochs |")
            break
        if len(model.loss_curve_) < epochs:  # at the optimum
            print(f"| ours, as far | not reached | {epochs - 1} epochs |")
            break
    seconds, model = timed(device, ours, X, y)
    reached = log_loss(model.predict_proba(X_test), task)
    print(f"| ours, defaults | {seconds:.3f} s | log-loss {reached:.4f} |")

    reads = []
    for epochs in (1, 2):
        with Reads() as counted:
            _, model = timed(device, lambda n=epochs: ours(n), X, y)
        reads.append((counted.n, model.t_))
    (first, _), (second, _) = reads
    one, three = (
        min(timed(device, lambda n=n: minibatches(task, n), X, y)[0] for _ in range(3))
        for n in (1, 3)
    )
    products = 2 * task.X.size * int(y.max() + 1) * (3 - 1)
    share = products / (three - one) / peak(device)
    print(f"| reads from the device | {second - first} in the second epoch | |")
    print(f"| share of the peak, minibatches | {share:.1%} | |")

    for optimizer, rates in TORCH_RATES.items():
        best = np.inf, "not there after 20 epochs"
        for rate in rates:
            for fit in islice(torch_epochs(task, 0, optimizer, rate, device), 20):
                if log_loss(fit.predict_proba(task.X_test), task) <= target:
                    best = min(best, (fit.seconds, f"rate {rate}, {fit.n_iter} epochs"))
                    break
        print(f"| PyTorch, {optimizer} | {best[0]:.3f} s | {best[1]} |")
    seconds, model = timed(device, lambda: LogisticRegression(C=task.C), X, y)
    reached = log_loss(model.predict_proba(X_test), task)
    print(f"| LogisticRegression | {seconds:.3f} s | log-loss {reached:.4f} |")


def minibatches(task: Task, epochs: int):
    """Return our fit of some epochs of minibatches of 2048 rows."""
    return SoftmaxRegressionClassifier(
        alpha=task.alpha, batch_size=2048, max_iter=epochs, tol=None, random_state=0
    )


def main() -> None:
    """Read the arguments and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=500_000)
    options = parser.parse_args()
    with config_context(array_api_dispatch=True):
        if options.data:
            compare(mnist(options.data), options.device)
        compare(probe(None, options.rows, 1024), options.device)


if __name__ == "__main__":
    main()
