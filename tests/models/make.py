"""Write the models of the present version, for later ones to load.

Run at each release, with the lowest versions of the dependencies that are supported,
which the newer ones can read::

    python tests/models/make.py

It makes a folder named after the version, with a pickle a model and what each predicts
in ``expected.npz``. Commit it, and never change it afterwards.
"""

import pickle
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import sksoftmax
from sksoftmax import SoftmaxRegressionClassifier

FOLDER = Path(__file__).parent


def data(n_classes, dtype=np.float64, n_features=6, n_rows=240):
    """Return features and labels that a linear model can nearly tell apart."""
    rng = np.random.RandomState(n_classes)
    X = rng.standard_normal((n_rows, n_features))
    raw = X @ rng.standard_normal((n_features, n_classes))
    return X.astype(dtype), (raw + rng.standard_normal(raw.shape)).argmax(axis=1)


def models():
    """Yield the name of each model, the model, and rows with labels to try it on."""
    seeded = {"random_state": 0}

    X, y = data(2)
    yield "two_classes", SoftmaxRegressionClassifier(**seeded).fit(X, y), X, y

    X, y = data(10, np.float32)
    clf = SoftmaxRegressionClassifier(batch_size=64, **seeded).fit(X, y)
    yield "ten_classes_float32", clf, X, y

    X, y = data(3, n_features=30)
    X[np.abs(X) < 1] = 0
    clf = SoftmaxRegressionClassifier(alpha=0.02, l1_ratio=1.0, **seeded)
    yield "sparse_l1", clf.fit(sp.csr_array(X), y).sparsify(), X, y

    X, y = data(4)
    clf = SoftmaxRegressionClassifier(**seeded)
    for start in range(0, 150, 30):
        rows = slice(start, start + 30)
        clf.partial_fit(X[rows], y[rows], classes=np.arange(4))
    yield "stream", clf, X, y

    X, y = data(5)
    clf = SoftmaxRegressionClassifier(
        batch_size=32, preconditioner="diagonal", class_weight="balanced", **seeded
    )
    for start in range(0, 150, 30):
        rows = slice(start, start + 30)
        clf.partial_fit(sp.csr_array(X[rows]), y[rows], classes=np.arange(5))
    yield "stream_diagonal", clf, X, y

    X, y = data(3)
    y = np.array(["Anna", "Björn", "Zoë"])[y]
    clf = SoftmaxRegressionClassifier(early_stopping=True, **seeded).fit(X, y)
    yield "strings", clf, X, y


def main():
    """Write the folder of this version."""
    folder = FOLDER / sksoftmax.__version__
    folder.mkdir()
    expected = {}
    for name, clf, X, y in models():
        with open(folder / f"{name}.pkl", "wb") as file:
            pickle.dump(clf, file, protocol=4)
        expected[f"{name}.X"], expected[f"{name}.y"] = X[:40], y[:40]
        expected[f"{name}.proba"] = clf.predict_proba(X[:40])
        expected[f"{name}.predicted"] = clf.predict(X[:40])
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    main()
