"""Defaults against LogisticRegression's test log-loss on ten more kinds of data."""

import warnings
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier


def data_sets() -> Iterator[tuple[str, object, np.ndarray]]:
    """Yield name, X and y; from scikit-learn as they are, or drawn with a seed."""
    yield "iris", *load_iris(return_X_y=True)
    yield "wine, unscaled", *load_wine(return_X_y=True)
    yield "breast cancer, unscaled", *load_breast_cancer(return_X_y=True)
    X, y = load_digits(return_X_y=True)
    yield "digits as uint8", X.astype(np.uint8), y
    rng = np.random.RandomState(0)
    yield (
        "redundant features, 20000 x 60",
        *make_classification(
            20_000, 60, n_informative=15, n_redundant=30, n_classes=5, random_state=0
        ),
    )
    yield (
        "two classes, 2 % positive, 40000 x 30",
        *make_classification(40_000, 30, weights=[0.98], flip_y=0.005, random_state=0),
    )
    X = rng.standard_normal((20_000, 50))
    raw = X @ rng.standard_normal((50, 6))
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    yield (
        "heavy tails in mixed units, 20000 x 50",
        np.sinh(2 * X) * 10 ** rng.uniform(-2, 2, 50),
        y,
    )
    levels = rng.randint(12, size=(30_000, 15))
    raw = rng.standard_normal((15, 12, 8))[np.arange(15), levels].sum(axis=1)
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    columns = (levels + 12 * np.arange(15)).ravel()
    starts = np.arange(0, columns.size + 1, 15)
    one_hot = sp.csr_array(
        (np.ones(columns.size), columns, starts), shape=(30_000, 180)
    )
    yield "one-hot categories, sparse 30000 x 180", one_hot, y
    X = rng.standard_normal((300, 3000)).astype(np.float32)
    y = (X[:, :5].sum(axis=1) + rng.standard_normal(300) > 0).astype(int)
    yield "more features than rows, 300 x 3000", X, y
    latent = rng.standard_normal((6000, 20))
    X = latent @ rng.standard_normal((20, 2500)) + 0.1 * rng.standard_normal(
        (6000, 2500)
    )
    raw = latent @ rng.standard_normal((20, 10))
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    yield "rank 20 and noise, 6000 x 2500", X.astype(np.float32), y


def compare() -> list[dict]:
    """Return both test log-losses on each data set, at C=1."""
    rows = []
    for name, X, y in data_sets():
        X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
        ours = SoftmaxRegressionClassifier(alpha=1 / X.shape[0], random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = LogisticRegression(max_iter=1000).fit(X, y)
        losses = [
            log_loss(y_test, model.predict_proba(X_test).astype(np.float64))
            for model in (ours.fit(X, y), peer)
        ]
        accuracies = [model.score(X_test, y_test) for model in (ours, peer)]
        rows.append({"name": name, "log_loss": losses, "accuracy": accuracies})
        print(f"  {name}: {losses[0]:.4f} against {losses[1]:.4f}", flush=True)
    return rows
