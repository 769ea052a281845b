"""Ours and its peers, each through its own library at its own defaults.

A system is a function of a task, a seed and a number of epochs (None: its own stopping
rule) that returns a fitted model. Importing a library is not part of a fit.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier
from tasks import Task

from sksoftmax import SoftmaxRegressionClassifier


@dataclass
class Fit:
    """A fitted model and what it took."""

    seconds: float
    predict_proba: Callable[[Any], np.ndarray]
    n_iter: int | None = None
    weights: np.ndarray | None = None  # of a softmax: coefficients, (n_classes, d)
    note: str = ""


@dataclass(frozen=True)
class System:
    """How to fit, what it needs, and up to what size it is worth waiting for."""

    name: str
    fit: Callable[[Task, int, int | None], Fit]
    library: str = "sklearn"
    largest_work: float = np.inf  # stored values times classes
    largest_model: float = np.inf  # features times classes
    takes_sparse: bool = True
    epochs: tuple[int, ...] = ()  # for the curves

    def why_not(self, task: Task) -> str | None:
        """Return why this system sits out that task, or None."""
        if find_spec(self.library) is None:
            return f"{self.library} is not installed"
        if sp.issparse(task.X) and not self.takes_sparse:
            return "takes no sparse rows"
        stored = task.X.nnz if sp.issparse(task.X) else task.X.size
        n_classes = len(np.unique(task.y))
        if (
            stored * n_classes > self.largest_work
            or task.X.shape[1] * n_classes > self.largest_model
        ):
            return "would take many minutes; name it in --peers to run it"
        return None


def _estimator(make) -> Callable[[Task, int, int | None], Fit]:
    def fit(task, seed, epochs):
        model = make(task, seed, {} if epochs is None else {"max_iter": epochs})
        X = task.X
        if sp.issparse(X) and type(model).__module__.startswith("snapml"):
            X = sp.csr_matrix(X)  # it takes no sparse arrays
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged: the table says how far
            started = time.perf_counter()
            model.fit(X, task.y)
            seconds = time.perf_counter() - started
        n_iter = getattr(model, "n_iter_", None)
        n_iter = None if n_iter is None else int(np.max(n_iter))
        is_softmax = isinstance(model, SoftmaxRegressionClassifier) or (
            type(model).__name__ == "LogisticRegression"
        )
        weights = np.asarray(model.coef_) if is_softmax else None
        proba = model.predict_proba
        if X is not task.X:
            proba = lambda rows: model.predict_proba(sp.csr_matrix(rows))  # noqa: E731
        return Fit(seconds, proba, n_iter, weights)

    return fit


def _ours(task, seed, budget):
    until = {"tol": None} if budget else {}
    return SoftmaxRegressionClassifier(
        alpha=task.alpha, random_state=seed, **budget, **until
    )


def _logistic_regression(solver):
    def make(task, seed, budget):
        return LogisticRegression(C=task.C, solver=solver, random_state=seed, **budget)

    return make


def _sgd_classifier(task, seed, budget):
    until = {"tol": None} if budget else {}
    return SGDClassifier(
        loss="log_loss", alpha=task.alpha, random_state=seed, **budget, **until
    )


def _mlp_classifier(task, seed, budget):
    # Its alpha is per batch row: sum of squares * alpha / (2 n_rows_of_the_batch).
    n_rows = min(200, task.X.shape[0])
    return MLPClassifier(
        hidden_layer_sizes=(), alpha=task.alpha * n_rows, random_state=seed, **budget
    )


def _intelex(task, seed, budget):
    from sklearnex.linear_model import LogisticRegression as Accelerated

    return Accelerated(C=task.C, random_state=seed, **budget)


def _snapml(task, seed, budget):
    from snapml import LogisticRegression as Snap

    # Its objective is a sum over the rows, as LogisticRegression's.
    return Snap(regularizer=1 / task.C, random_state=seed, **budget)


def _subset(n_rows, fit):
    """Return a system that trains on the first rows only, and says so."""

    def fit_some(task, seed, epochs):
        some = task.first(min(n_rows, task.X.shape[0]))
        result = fit(some, seed, epochs)
        result.note = f"trained on {some.X.shape[0]} rows only"
        return result

    return fit_some


def _mlxtend(task, seed, epochs):
    from mlxtend.classifier import SoftmaxRegression

    budget = {} if epochs is None else {"epochs": epochs}
    model = SoftmaxRegression(l2=1 / task.C, random_seed=seed, **budget)
    started = time.perf_counter()
    model.fit(np.asarray(task.X, np.float64), task.y)
    return Fit(time.perf_counter() - started, model.predict_proba)


def _river(task, seed, epochs):
    from river.linear_model import SoftmaxRegression

    model, n_features = SoftmaxRegression(l2=task.alpha), task.X.shape[1]
    started = time.perf_counter()
    for _ in range(epochs or 1):
        for x, label in zip(task.X.tolist(), task.y.tolist(), strict=True):
            model.learn_one(dict(enumerate(x)), label)
    seconds = time.perf_counter() - started
    classes = np.unique(task.y).tolist()
    coef = np.array(
        [[model.weights[c].get(j, 0.0) for j in range(n_features)] for c in classes]
    )
    return Fit(seconds, lambda X: _softmax(X @ coef.T))


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

    seconds, epoch = 0.0, 0
    while True:
        started = time.perf_counter()
        for rows in torch.randperm(len(y), device=device).split(256):
            step.zero_grad()
            loss = torch.nn.functional.cross_entropy(layer(X[rows]), y[rows])
            loss.backward()
            step.step()
        weights = layer.weight.detach().cpu().numpy()  # waits for the device
        seconds += time.perf_counter() - started
        epoch += 1
        yield Fit(seconds, predict_proba, epoch, weights, f"rate {rate:g}")


TORCH_RATES = {"Adam": (1e-3, 3e-3, 1e-2), "SGD": (0.03, 0.1, 0.3)}


def _softmax(raw):
    raw = raw - raw.max(axis=1, keepdims=True)
    np.exp(raw, out=raw)
    return raw / raw.sum(axis=1, keepdims=True)


OURS = System("sksoftmax", _estimator(_ours), "sksoftmax", epochs=(1, 2, 3, 4, 6, 10))
REFERENCE = System(
    "LogisticRegression",
    _estimator(_logistic_regression("lbfgs")),
    epochs=(5, 10, 20, 40, 70, 100),
)
PEERS = [
    REFERENCE,
    System(
        "LogisticRegression saga",
        _estimator(_logistic_regression("saga")),
        largest_work=5e8,
        epochs=(1, 3, 10),
    ),
    System(
        "LogisticRegression newton-cg",
        _estimator(_logistic_regression("newton-cg")),
        largest_work=5e8,
        epochs=(1, 2, 4),
    ),
    System(
        "SGDClassifier",
        _estimator(_sgd_classifier),
        largest_work=6e8,
        epochs=(1, 2, 4, 8),
    ),
    System(
        "MLPClassifier(())",
        _estimator(_mlp_classifier),
        largest_work=6e8,
        largest_model=1e6,
        epochs=(1, 2, 4, 8, 16),
    ),
    System("scikit-learn-intelex", _estimator(_intelex), "sklearnex", 2e9),
    System("snapml", _estimator(_snapml), "snapml", 5e8),
    System("mlxtend", _subset(2000, _mlxtend), "mlxtend", 5e8, takes_sparse=False),
    System("river", _subset(2000, _river), "river", 5e8, takes_sparse=False),
]
