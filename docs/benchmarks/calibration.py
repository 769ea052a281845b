"""How often solver="svrg" stops within `tol` of the optimum, and how much nearer.

Run: python docs/benchmarks/calibration.py --data DIR

The reference is the lowest objective that any fit of the problem finds, `tol=1e-9` with
`max_iter=5000` included. Problems of which one fit takes more than ten seconds are left
out. Fits that warn are counted apart, and so are their gaps.
"""

import argparse
import signal
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import tasks
from scipy.special import logsumexp
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier

TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
REFERENCE = 1e-9
SECONDS = 10  # that a fit may take
PENALTIES = {
    "full matrix, L2": ("gram", 0.0),
    "diagonal, L2": ("diagonal", 0.0),
    "elastic net, l1_ratio=.5": ("diagonal", 0.5),
    "L1": ("diagonal", 1.0),
}


def data_sets(folder: Path | None):
    """Yield name, X, y and the values of C."""
    Cs = (0.01, 0.1, 1.0, 10.0, 100.0)
    loaders = {
        "iris": load_iris,
        "wine": load_wine,
        "breast cancer": load_breast_cancer,
        "digits": load_digits,
    }
    drawn = {
        "2 classes": make_classification(400, 30, n_informative=10, random_state=0),
        "20 classes": make_classification(
            900, 15, n_informative=10, n_classes=20, random_state=0
        ),
    }
    for name, (X, y) in drawn.items():
        yield name, X, y, Cs
    for name, load in loaders.items():
        X, y = load(return_X_y=True)
        yield name, X, y, Cs
        yield f"{name}, standardised", StandardScaler().fit_transform(X), y, Cs
    if folder is not None:
        task = tasks.news20(folder).first(1500)
        X = task.X.astype(np.float64)
        used = np.unique(X.indices)
        yield task.name, X[:, used], task.y, Cs[1:4]


def objective(clf, X, y, alpha, l1_ratio):
    """Return the objective of a model in float64."""
    coef = clf.coef_
    raw = X @ coef.T + clf.intercept_
    if raw.shape[1] == 1:
        raw = np.hstack([np.zeros_like(raw), raw])
    own = raw[np.arange(len(y)), np.searchsorted(clf.classes_, y)]
    penalty = (1 - l1_ratio) / 2 * (coef**2).sum() + l1_ratio * np.abs(coef).sum()
    return float((logsumexp(raw, axis=1) - own).mean() + alpha * penalty)


def fit(X, y, tol, **params):
    """Return the model and whether it warned. Raise TimeoutError when late."""
    clf = SoftmaxRegressionClassifier(
        solver="svrg",
        tol=tol,
        max_iter=5000 if tol == REFERENCE else 1000,
        random_state=0,
        **params,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        signal.alarm(SECONDS)
        try:
            clf.fit(X, y)
        finally:
            signal.alarm(0)
    return clf, bool(caught)


def measure(X, y, C):
    """Yield penalty and preconditioner, tol, relative gap and whether it warned."""
    alpha, best = 1 / (C * len(y)), {}
    rows = []
    for kind, (preconditioner, l1_ratio) in PENALTIES.items():
        if preconditioner == "gram" and sp.issparse(X):
            continue
        found = []
        try:
            for tol in (REFERENCE, *TOLERANCES):
                params = {"preconditioner": preconditioner, "l1_ratio": l1_ratio}
                clf, warned = fit(X, y, tol, alpha=alpha, **params)
                value = objective(clf, X, y, alpha, l1_ratio)
                found.append((kind, l1_ratio, tol, value, warned))
        except TimeoutError:
            print(f"    left out: {kind}, C={C}", flush=True)
            continue
        best[l1_ratio] = min([best.get(l1_ratio, np.inf), *(row[3] for row in found)])
        rows += found[1:]
    floor = 1e-3 * np.log(len(np.unique(y)))
    for kind, l1_ratio, tol, value, warned in rows:
        optimum = best[l1_ratio]
        yield kind, tol, (value - optimum) / max(optimum, floor), warned


def late(signum, frame):
    """Raise TimeoutError."""
    raise TimeoutError


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of news20_tfidf.npz")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, late)
    ratios, n_warned = defaultdict(list), defaultdict(int)
    for name, X, y, Cs in data_sets(options.data):
        for C in Cs:
            for kind, tol, gap, warned in measure(X, y, C):
                n_warned[kind] += warned
                if not warned:
                    ratios[kind].append(gap / tol)
                if warned or gap > tol:
                    print(f"    {name}, {C=}, {kind}, {tol=}: {gap:.1e}, {warned=}")
        print(name, {kind: len(found) for kind, found in ratios.items()}, flush=True)
        report(ratios, n_warned)


def report(ratios, n_warned):
    """Print a table of the stops so far."""
    print(
        "| preconditioner, penalty | stops | gap > tol | at most | < tol/100 | warned |"
    )
    print("|---|---|---|---|---|---|")
    for kind, found in ratios.items():
        found = np.array(found)
        print(
            f"| {kind} | {len(found)} | {(found > 1).sum()} | {found.max():.2g} tol | "
            f"{(found < 0.01).sum()} | {n_warned[kind]} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
