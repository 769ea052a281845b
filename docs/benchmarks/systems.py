"""Ours and its peers, each through its own library at its own defaults.

A system is a function of a task, a seed and a number of epochs (None: its own stopping
rule) that returns a fitted model. Importing a library is not part of a fit.
"""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from tasks import Task

from sksoftmax import SoftmaxRegressionClassifier


@dataclass
class Fit:
    """A fitted model and what it took."""

    seconds: float
    cpu: float  # seconds, of all threads
    predict_proba: Callable[[Any], np.ndarray]
    n_iter: int | None = None
    weights: np.ndarray | None = None  # of a softmax: coefficients, (n_classes, d)
    note: str = ""


class Clock:
    """Seconds on the wall, and of the processor for this process and its children."""

    seconds = cpu = 0.0

    @contextmanager
    def run(self) -> Iterator[None]:
        """Add what the block takes."""
        children = _children_cpu()  # bbai computes in a process of its own
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.seconds += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        self.cpu += _children_cpu() - children


def _children_cpu() -> float:
    ticks = 0
    for task in Path("/proc/self/task").glob("*/children"):
        for pid in task.read_text().split():
            stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class System:
    """How to fit, what it needs, and up to what size it is worth waiting for."""

    name: str
    train: Callable[[Task, int, int | None], Fit]
    library: str = "sklearn"
    largest_work: float = np.inf  # stored values times classes; above: first rows only
    largest_rows: float = np.inf
    largest_model: float = np.inf  # features times classes; above: left out
    takes_sparse: bool = True
    takes_texts: bool = False
    stops: bool = True  # by a rule of its own
    one_thread: bool = False  # however many cores there are
    epochs: tuple[int, ...] = ()  # for the curves

    def why_not(self, task: Task) -> str | None:
        """Return why this system sits out that task, or None."""
        if find_spec(self.library) is None:
            return f"{self.library} is not installed"
        if self.takes_texts and task.texts is None:
            return "trains on texts, and the task has none"
        if sp.issparse(task.X) and not self.takes_sparse:
            return "takes no sparse rows"
        n_weights = task.X.shape[1] * task.n_classes
        if n_weights > self.largest_model:
            return f"would take many minutes or gigabytes for {n_weights} weights"
        first = task.y[: self.n_rows(task)]
        if len(first) < len(task.y) and len(np.unique(first)) < task.n_classes:
            return "would take many minutes, and a few of the rows lack classes"
        return None

    def n_rows(self, task: Task) -> int:
        """Return how many rows it is fitted to; its time is estimated from them."""
        n_rows = task.X.shape[0]
        share = min(1.0, self.largest_work / (task.n_stored * task.n_classes))
        return int(min(n_rows * share, self.largest_rows, n_rows))

    def fit(self, task: Task, seed: int, epochs: int | None) -> Fit:
        """Return a fitted model; seconds are those of all rows, or estimated."""
        n_rows, all_rows = self.n_rows(task), task.X.shape[0]
        if n_rows == all_rows:
            return self.train(task, seed, epochs)
        fit = self.train(task.first(n_rows), seed, epochs)
        fit.seconds *= all_rows / n_rows
        fit.cpu *= all_rows / n_rows
        note = f"seconds estimated from the first {n_rows} rows, quality of these"
        fit.note = ", ".join(filter(None, (fit.note, note)))
        fit.weights = None
        return fit


def _estimator(make) -> Callable[[Task, int, int | None], Fit]:
    def fit(task, seed, epochs):
        model, clock = make(task, seed, epochs), Clock()
        X = task.X
        if sp.issparse(X) and type(model).__module__.startswith("snapml"):
            X = sp.csr_matrix(X)  # it takes no sparse arrays
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged: the table says how far
            with clock.run():
                model.fit(X, task.y)
        n_iter = getattr(model, "n_iter_", None)
        n_iter = None if n_iter is None else int(np.max(n_iter))
        is_softmax = isinstance(model, SoftmaxRegressionClassifier) or (
            type(model).__name__ == "LogisticRegression" and hasattr(model, "solver")
        )
        weights = np.asarray(model.coef_) if is_softmax else None
        proba = model.predict_proba
        if X is not task.X:
            proba = lambda rows: model.predict_proba(sp.csr_matrix(rows))  # noqa: E731
        return Fit(clock.seconds, clock.cpu, proba, n_iter, weights)

    return fit


def _budget(epochs, tol=None):
    """Return parameters for exactly this number of epochs, or none for the defaults."""
    return {} if epochs is None else {"max_iter": epochs, "tol": tol}


def _ours(task, seed, epochs):
    return SoftmaxRegressionClassifier(
        alpha=task.alpha, random_state=seed, **_budget(epochs)
    )


def _logistic_regression(solver):
    def make(task, seed, epochs):
        return LogisticRegression(
            C=task.C, solver=solver, random_state=seed, **_budget(epochs, 1e-12)
        )

    return make


def _sgd_classifier(task, seed, epochs):
    return SGDClassifier(
        loss="log_loss", alpha=task.alpha, random_state=seed, **_budget(epochs)
    )


def _mlp_classifier(task, seed, epochs):
    # Its alpha is per batch row: sum of squares * alpha / (2 n_rows_of_the_batch).
    n_rows = min(200, task.X.shape[0])
    return MLPClassifier(
        hidden_layer_sizes=(),
        alpha=task.alpha * n_rows,
        random_state=seed,
        **_budget(epochs, 0.0),
    )


def _intelex(task, seed, epochs):
    from sklearnex.linear_model import LogisticRegression as Accelerated

    return Accelerated(C=task.C, random_state=seed, **_budget(epochs, 1e-12))


def _snapml(task, seed, epochs):
    from snapml import LogisticRegression as Snap

    # Its objective is a sum over the rows, as LogisticRegression's.
    budget = _budget(epochs, 1e-12)
    return Snap(regularizer=1 / task.C, random_state=seed, **budget)


def _mlxtend(task, seed, epochs):
    from mlxtend.classifier import SoftmaxRegression

    model, clock = SoftmaxRegression(l2=1 / task.C, random_seed=seed), Clock()
    with clock.run():
        model.fit(np.asarray(task.X, np.float64), task.y)
    return Fit(clock.seconds, clock.cpu, model.predict_proba)


def _river(task, seed, epochs):
    from river.linear_model import SoftmaxRegression

    model, clock = SoftmaxRegression(l2=task.alpha), Clock()
    with clock.run():
        for x, label in zip(task.X.tolist(), task.y.tolist(), strict=True):
            model.learn_one(dict(enumerate(x)), label)
    classes, features = np.unique(task.y).tolist(), range(task.X.shape[1])
    coef = np.array([[model.weights[c].get(j, 0.0) for j in features] for c in classes])
    return Fit(clock.seconds, clock.cpu, lambda X: _softmax(X @ coef.T))


def _fasttext(task, seed, epochs):
    import fasttext

    path, clock = f"/tmp/fasttext-{os.getpid()}.txt", Clock()
    with open(path, "w") as file:
        for text, label in zip(task.texts, task.y, strict=True):
            file.write(f"__label__{label} {text}\n")
    budget = {} if epochs is None else {"epoch": epochs}
    threads = len(os.sched_getaffinity(0))
    with clock.run():
        model = fasttext.train_supervised(
            path, wordNgrams=2, thread=threads, seed=seed, verbose=0, **budget
        )
    os.unlink(path)
    places = {f"__label__{c}": k for k, c in enumerate(np.unique(task.y))}

    def predict_proba(rows):  # the test rows are the only ones that are asked for
        proba = np.zeros((rows.shape[0], len(places)))
        for k, found in enumerate(
            zip(*model.predict(task.texts_test, k=-1), strict=True)
        ):
            for label, p in zip(*found, strict=True):
                proba[k, places[label]] = p
        return proba

    return Fit(clock.seconds, clock.cpu, predict_proba)


def torch_epochs(
    task: Task, seed: int, optimizer: str, rate: float, device: str = "cpu"
) -> Iterator[Fit]:
    """Yield a model after each epoch of the loop that people write by hand."""
    import torch

    torch.manual_seed(seed)
    X = torch.from_numpy(np.ascontiguousarray(task.X, np.float32)).to(device)
    y = torch.from_numpy(np.ascontiguousarray(task.y, np.int64)).to(device)
    layer = torch.nn.Linear(X.shape[1], int(y.max()) + 1, device=device)
    groups = [
        {"params": [layer.weight], "weight_decay": task.alpha},
        {"params": [layer.bias]},
    ]
    step = getattr(torch.optim, optimizer)(groups, lr=rate)

    def predict_proba(rows):
        with torch.no_grad():
            rows = torch.from_numpy(np.ascontiguousarray(rows, np.float32)).to(device)
            return torch.softmax(layer(rows), dim=1).cpu().numpy()

    clock, epoch = Clock(), 0
    while True:
        with clock.run():
            for rows in torch.randperm(len(y), device=device).split(256):
                step.zero_grad()
                loss = torch.nn.functional.cross_entropy(layer(X[rows]), y[rows])
                loss.backward()
                step.step()
            weights = layer.weight.detach().cpu().numpy()  # waits for the device
        epoch += 1
        note = f"rate {rate:g}, the best of three on the test rows"
        yield Fit(clock.seconds, clock.cpu, predict_proba, epoch, weights, note)


TORCH_RATES = {"Adam": (1e-3, 3e-3, 1e-2), "SGD": (0.03, 0.1, 0.3)}
TORCH_PATIENCE = 5.0  # seconds for each rate in the search for the best one
_best_rates: dict[tuple[str, str], float] = {}


def _torch(optimizer):
    def fit(task, seed, epochs):
        key = (task.name, optimizer)
        if key not in _best_rates:  # the search is not charged
            losses = {
                r: _torch_loss(task, optimizer, r) for r in TORCH_RATES[optimizer]
            }
            _best_rates[key] = min(losses, key=losses.get)
        found = torch_epochs(task, seed, optimizer, _best_rates[key])
        return next(islice(found, epochs - 1, None))

    return fit


def _torch_loss(task, optimizer, rate):
    for fit in islice(torch_epochs(task, 0, optimizer, rate), 8):
        if fit.seconds > TORCH_PATIENCE:
            break
    rows = slice(0, 20_000)
    proba = fit.predict_proba(task.X_test[rows])
    return log_loss(task.y_test[rows], proba, labels=np.arange(proba.shape[1]))


def _softmax(raw):
    raw = raw - raw.max(axis=1, keepdims=True)
    np.exp(raw, out=raw)
    return raw / raw.sum(axis=1, keepdims=True)


OURS = System("sksoftmax", _estimator(_ours), "sksoftmax", epochs=(1, 2, 3, 4, 6, 10))
REFERENCE = System(
    "LogisticRegression",
    _estimator(_logistic_regression("lbfgs")),
    epochs=(5, 10, 20, 30, 45, 70, 100, 200),
)
PEERS = [
    REFERENCE,
    System(
        "LogisticRegression newton-cg",
        _estimator(_logistic_regression("newton-cg")),
        largest_work=3e10,
        epochs=(1, 2, 3, 4, 6),
    ),
    System(
        "LogisticRegression newton-cholesky",
        _estimator(_logistic_regression("newton-cholesky")),
        largest_work=1e9,
        largest_model=2000,  # its Hessian has the square of that
        epochs=(1, 2, 3, 4, 6),
    ),
    System(
        "LogisticRegression saga",
        _estimator(_logistic_regression("saga")),
        largest_work=1.1e8,
        one_thread=True,
        epochs=(1, 3, 10, 30),
    ),
    System(
        "SGDClassifier",
        _estimator(_sgd_classifier),
        largest_work=5e8,
        largest_rows=60_000,
        epochs=(1, 2, 4, 8),
    ),
    System(
        "MLPClassifier without layers",
        _estimator(_mlp_classifier),
        largest_work=5e8,
        largest_model=1e6,
        epochs=(1, 2, 4, 8, 16, 32),
    ),
    System(
        "scikit-learn-intelex",
        _estimator(_intelex),
        "sklearnex",
        largest_work=5e9,
        epochs=(10, 20, 40, 100),
    ),
    System(
        "snapml",
        _estimator(_snapml),
        "snapml",
        largest_work=2.5e8,
        largest_rows=60_000,
        one_thread=True,
        epochs=(1, 3, 10, 30),
    ),
    *(
        System(name, fit, name, largest_rows=n, takes_sparse=False, one_thread=True)
        for name, fit, n in (("mlxtend", _mlxtend, 2000), ("river", _river, 1000))
    ),
    System(
        "fastText",
        _fasttext,
        "fasttext",
        takes_texts=True,
        epochs=(5, 10, 25, 50, 100),
    ),
    *(
        System(
            f"PyTorch {name}",
            _torch(name),
            "torch",
            takes_sparse=False,
            stops=False,
            epochs=(1, 2, 4, 8, 16),
        )
        for name in TORCH_RATES
    ),
]
