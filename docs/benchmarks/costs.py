"""What single operations cost: an epoch, a stream, predictions, growth."""

import time
import tracemalloc
import warnings
from statistics import median

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, SGDClassifier
from tasks import Task
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier


def seconds(work) -> float:
    """Return how long one call takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        work()
        return time.perf_counter() - started


def ratio(ours, peer, repeats: int = 3, calls: int = 1) -> tuple[float, float]:
    """Return the median seconds of both, run in turns: ours, peer, ours."""
    mine, theirs = [], []
    for _ in range(repeats):
        mine += [seconds(ours) for _ in range(calls)]
        theirs += [seconds(peer) for _ in range(calls)]
        mine += [seconds(ours) for _ in range(calls)]
    return median(mine), median(theirs)


def epoch(task: Task, batch_size: int = 512, repeats: int = 5) -> dict:
    """Compare an epoch with its two matrix products and the gathering of its rows."""
    n_rows, n_features = task.X.shape
    weights = np.zeros((n_features, len(np.unique(task.y))), task.X.dtype)
    buffer = np.empty((batch_size, n_features), task.X.dtype)

    def floor():
        order = np.random.RandomState(0).permutation(n_rows)
        for start in range(0, n_rows - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            np.take(task.X, rows, axis=0, out=buffer, mode="clip")
            buffer.T @ (buffer @ weights)

    def fit(n_epochs):
        SoftmaxRegressionClassifier(
            alpha=task.alpha,
            batch_size=batch_size,
            max_iter=n_epochs,
            tol=None,
            random_state=0,
        ).fit(task.X, task.y)

    ours, floors = [], []
    for _ in range(repeats):
        few, many = seconds(lambda: fit(2)), seconds(lambda: fit(6))
        ours.append((many - few) / 4)
        with threadpool_limits(1, user_api="blas"):  # as our epoch has it here
            floors.append(seconds(floor))
    return _row("one epoch / its products and gather", median(ours), median(floors))


def stream(task: Task, n_rows: int = 1000, repeats: int = 3) -> dict:
    """Compare rows per second of partial_fit with SGDClassifier's."""
    classes = np.unique(task.y)

    def run(model):
        for start in range(0, task.X.shape[0], n_rows):
            rows = slice(start, start + n_rows)
            model.partial_fit(task.X[rows], task.y[rows], classes=classes)

    ours, peer = ratio(
        lambda: run(SoftmaxRegressionClassifier(alpha=task.alpha, random_state=0)),
        lambda: run(SGDClassifier(loss="log_loss", alpha=task.alpha, random_state=0)),
        repeats,
    )
    row = _row("partial_fit, 1000 rows a call / SGDClassifier", ours, peer)
    row["note"] = f"{task.X.shape[0] / ours:.0f} against {task.X.shape[0] / peer:.0f}"
    row["note"] += " rows a second"
    return row


def predictions(n_rows: int = 10**6) -> list[dict]:
    """Compare predict_proba of one row and of many with LogisticRegression's."""
    rows = []
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 50), dtype=np.float32)
    for n_classes in (2, 10):
        y = rng.integers(n_classes, size=2000)
        ours = SoftmaxRegressionClassifier().fit(X[:2000], y)
        peer = LogisticRegression().fit(X[:2000], y)
        for n, calls in ((1, 300), (n_rows, 1)):
            pair = ratio(
                lambda n=n, ours=ours: ours.predict_proba(X[:n]),
                lambda n=n, peer=peer: peer.predict_proba(X[:n]),
                repeats=5,
                calls=calls,
            )
            name = f"predict_proba, {n} rows x 50, {n_classes} classes"
            rows.append(_row(f"{name} / LogisticRegression", *pair))
    return rows


def prediction_memory(n_rows: int = 10**6, n_classes: int = 1000) -> dict:
    """Return the most memory that predicting takes, X aside."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 20), dtype=np.float32)
    y = np.arange(2 * n_classes) % n_classes
    model = SoftmaxRegressionClassifier(max_iter=1, tol=None).fit(X[: len(y)], y)
    tracemalloc.start()
    taken = seconds(lambda: model.predict(X))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    name = f"predict, {n_rows} rows x 20, {n_classes} classes"
    return {"name": name, "seconds": taken, "note": f"peak {peak / 1e6:.0f} MB"}


def growth(repeats: int = 5, small: bool = False) -> dict[str, list]:
    """Return seconds of an epoch as one size doubles, and the others stay."""
    base = (
        {"n": 10_000, "d": 100, "q": 10} if small else {"n": 40_000, "d": 250, "q": 20}
    )
    curves = {}
    for kind, size in (
        ("dense, gram", "n"),
        ("dense, gram", "q"),
        ("dense, diagonal", "n"),
        ("dense, diagonal", "d"),
        ("dense, diagonal", "q"),
        ("sparse", "n"),
        ("sparse", "q"),
    ):
        points = []
        for factor in (1, 2, 4):
            sizes = {**base, size: base[size] * factor}
            points.append((sizes[size], _epoch_seconds(kind, sizes, repeats)))
        curves[f"{kind}, {size}"] = points
    return curves


def _epoch_seconds(kind, sizes, repeats):
    rng = np.random.default_rng(0)
    n, d, q = sizes["n"], sizes["d"], sizes["q"]
    y = rng.integers(q, size=n)
    if kind == "sparse":
        entries = (
            rng.random(50 * n, dtype=np.float32),
            rng.integers(100 * d, size=50 * n),
        )
        X = sp.csr_array((*entries, np.arange(n + 1) * 50), shape=(n, 100 * d))
        X.sum_duplicates()
    else:
        X = rng.standard_normal((n, d), dtype=np.float32)

    def fit(n_epochs):
        SoftmaxRegressionClassifier(
            batch_size=512,
            preconditioner="gram" if "gram" in kind else "diagonal",
            max_iter=n_epochs,
            tol=None,
            random_state=0,
        ).fit(X, y)

    few, many = (
        min(seconds(lambda n=n: fit(n)) for _ in range(repeats)) for n in (1, 4)
    )
    return (many - few) / 3


def _row(name, ours, other):
    return {"name": name, "seconds": ours, "other": other, "ratio": ours / other}
