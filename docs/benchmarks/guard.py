"""Ratios of CPU seconds, ours over LogisticRegression's, that guard against slowness.

One thread, in turns, medians of five. `guard.json` holds the ratios of a quiet machine;
a ratio above 1.5 times the stored one in three tries fails the quick benchmark.
"""

import json
import time
import warnings
from dataclasses import replace
from pathlib import Path
from statistics import median

import tasks
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

STORED = Path(__file__).parent / "guard.json"
TOLERANCE, TRIES, REPEATS = 1.5, 3, 5


def pairs() -> dict:
    """Return functions without arguments: ours and LogisticRegression's, for a name."""
    digits, embeddings = tasks.digits(), tasks.embeddings().first(4000)
    tall = tasks.tall(n_train=50_000)
    wide = tasks.wide(n_train=4000, n_features=20_000)
    found = {}
    for task in (digits, embeddings, tall, wide):
        task = replace(task, name=task.name.split("[")[0], C=1.0)
        found[task.name] = (
            lambda task=task: SoftmaxRegressionClassifier(
                alpha=task.alpha, random_state=0
            ).fit(task.X, task.y),
            lambda task=task: LogisticRegression(C=task.C).fit(task.X, task.y),
        )
    search = GridSearchCV(LogisticRegression(), {"C": [0.01, 0.1, 1, 10, 100]}, cv=5)
    found["digits, the penalty"] = (
        lambda: SoftmaxRegressionClassifierCV().fit(digits.X, digits.y),
        lambda: search.fit(digits.X, digits.y),
    )
    return found


def ratios() -> dict[str, float]:
    """Return the median ratio of each pair; those that are too high are tried again."""
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    found = {}
    for name, (ours, peer) in pairs().items():
        for _ in range(TRIES):
            ratio = median(_cpu(ours) / _cpu(peer) for _ in range(REPEATS))
            found[name] = min(ratio, found.get(name, ratio))
            if found[name] <= TOLERANCE * stored.get(name, found[name]):
                break
        print(f"  {name}: {found[name]:.3f}, stored {stored.get(name)}", flush=True)
    return found


def failures(found: dict[str, float]) -> list[str]:
    """Return what is slower than the stored ratios allow."""
    stored = json.loads(STORED.read_text())
    return [
        f"{name}: ours takes {ratio:.3f} of LogisticRegression's CPU seconds, "
        f"stored {stored[name]:.3f}, allowed {TOLERANCE * stored[name]:.3f}"
        for name, ratio in found.items()
        if ratio > TOLERANCE * stored[name]
    ]


def _cpu(work):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.process_time()
        work()
        return time.process_time() - started
