"""The data sets of the benchmark: two from files, two from scikit-learn, four drawn.

A task is one problem for all systems: the same rows in the same order, the same penalty
`C` in LogisticRegression's meaning, the same test rows. `public_data` has more of them.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import train_test_split


@dataclass(frozen=True)
class Task:
    """Rows to train on, rows to test on, and the penalty."""

    name: str
    X: Any  # (n_samples, n_features), ndarray or CSR
    y: np.ndarray  # (n_samples,)
    X_test: Any
    y_test: np.ndarray
    C: float
    texts: list[str] | None = None  # what X was made of, if it was text
    texts_test: list[str] | None = None

    @property
    def n_stored(self) -> int:
        """The stored values of X."""
        return self.X.nnz if sp.issparse(self.X) else self.X.size

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return len(np.unique(self.y))

    @property
    def alpha(self) -> float:
        """The same penalty in the meaning of SGDClassifier and of ours."""
        return 1 / (self.C * self.X.shape[0])

    @property
    def title(self) -> str:
        """Name and sizes for people."""
        kind = "sparse" if sp.issparse(self.X) else str(self.X.dtype)
        rows, columns = self.X.shape
        sizes = f"{rows} x {columns} {kind}, {self.n_classes} classes"
        return f"{self.name}: {sizes}, C={self.C:g}"

    def first(self, n_rows: int) -> "Task":
        """Return the task with its first rows only, and with the same `alpha`."""
        return replace(
            self,
            name=f"{self.name}[:{n_rows}]",
            X=self.X[:n_rows],
            y=self.y[:n_rows],
            C=self.C * self.X.shape[0] / n_rows,
            texts=self.texts and self.texts[:n_rows],
        )


def mnist(folder: Path) -> Task:
    """Return MNIST in float32 from mnist.npz; pixels from 0 to 1."""
    with np.load(folder / "mnist.npz") as file:
        arrays = {name: file[name] for name in file.files}
    order = np.random.RandomState(0).permutation(len(arrays["y_train"]))
    train, test = (
        arrays[name].reshape(len(arrays[name]), -1).astype(np.float32) / np.float32(255)
        for name in ("X_train", "X_test")
    )
    y = arrays["y_train"].astype(int)
    return Task(
        "mnist", train[order], y[order], test, arrays["y_test"].astype(int), C=1.0
    )


def news20(folder: Path) -> Task:
    """Return the 20 newsgroups as tf-idf from news20_tfidf.npz."""
    with np.load(folder / "news20_tfidf.npz") as file:
        train, test = (
            sp.csr_array(
                tuple(file[f"X_{part}_{k}"] for k in ("data", "indices", "indptr")),
                shape=tuple(file[f"X_{part}_shape"]),
            )
            for part in ("train", "test")
        )
        y, y_test = (file[f"y_{part}"].astype(int) for part in ("train", "test"))
    order = np.random.RandomState(0).permutation(len(y))
    return Task("news20", train[order], y[order], test, y_test, C=10.0)


def digits(folder: Path | None = None) -> Task:
    """Return scikit-learn's 8x8 digits; pixels from 0 to 1."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0)
    return Task("digits", X, y, X_test, y_test, C=1.0)


def tiny(folder: Path | None = None) -> Task:
    """Return iris, tested on itself: only the time is of interest."""
    X, y = load_iris(return_X_y=True)
    return Task("tiny", X, y, X, y, C=1.0)


def probe(folder=None, n_train: int = 50_000, n_features: int = 512) -> Task:
    """Return embeddings of 1000 overlapping classes; their spectrum falls as 1/k."""
    rng = np.random.default_rng(0)
    n_samples, n_classes = n_train + 10_000, 1000
    centers = rng.standard_normal((n_classes, n_features), dtype=np.float32)
    y = rng.integers(n_classes, size=n_samples)
    X = centers[y] * np.float32(0.25)
    X += rng.standard_normal(X.shape, dtype=np.float32)
    X = X @ _mixing(rng, n_features)
    return _split("probe", X, y, n_train, C=1.0)


def embeddings(folder: Path | None = None) -> Task:
    """Return embeddings of 50 classes with noise in all directions alike."""
    rng = np.random.default_rng(0)
    y = rng.integers(50, size=20_000)
    X = rng.normal(size=(50, 300))[y] + rng.normal(scale=4, size=(20_000, 300))
    return _split("embeddings", X.astype(np.float32), y, 16_000, C=1.0)


def tall(folder: Path | None = None, n_train: int = 2_000_000) -> Task:
    """Return many rows of few, correlated features."""
    rng = np.random.default_rng(0)
    n_samples, n_features, n_classes = n_train + 100_000, 50, 10
    X = rng.standard_normal((n_samples, n_features), dtype=np.float32)
    raw = X @ rng.standard_normal((n_features, n_classes), dtype=np.float32)
    raw *= np.float32(0.5)
    raw += rng.gumbel(size=raw.shape).astype(np.float32)  # argmax: softmax labels
    X = X @ _mixing(rng, n_features)
    return _split("tall", X, raw.argmax(axis=1), n_train, C=1.0)


def wide(folder=None, n_train: int = 100_000, n_features: int = 200_000) -> Task:
    """Return rows like short texts: words by Zipf's law, an eighth of them topical."""
    rng = np.random.default_rng(0)
    n_samples, n_classes, n_words = n_train + 20_000, 20, 50
    y = rng.integers(n_classes, size=n_samples)
    uniform = rng.random((n_samples, n_words))
    words = (np.exp(uniform * np.log(n_features)) - 1).astype(np.int64)
    topical = rng.random(words.shape) < 0.125
    own = (words * 31 + 7919 * (y[:, None] + 1)) % n_features
    words = np.where(topical, own, words).clip(0, n_features - 1)
    starts = np.arange(n_samples + 1, dtype=np.int32) * n_words
    words = words.ravel().astype(np.int32)  # SGDClassifier takes no larger indices
    X = sp.csr_array(
        (np.ones(words.size, np.float32), words, starts), shape=(n_samples, n_features)
    )
    X.sum_duplicates()
    norm = np.sqrt(X.multiply(X).sum(axis=1))
    X.data /= np.repeat(norm, np.diff(X.indptr)).astype(np.float32)
    return _split("wide", X, y, n_train, C=1.0)


def _mixing(rng, n_features):
    """Return a matrix that gives white features a falling spectrum and unit size."""
    spectrum = np.arange(1, n_features + 1) ** -0.5
    spectrum /= np.sqrt(np.mean(spectrum**2))
    rotation = np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
    return (spectrum[:, None] * rotation).astype(np.float32)


def _split(name, X, y, n_train: int, C: float) -> Task:
    return Task(name, X[:n_train], y[:n_train], X[n_train:], y[n_train:], C)


TASKS = {
    make.__name__: make
    for make in (mnist, news20, digits, embeddings, tall, wide, probe, tiny)
}
FROM_FILES = {"mnist": ["mnist.npz"], "news20": ["news20_tfidf.npz"]}
