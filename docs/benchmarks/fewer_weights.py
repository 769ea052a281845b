"""What `phm_order` saves and costs: a table for MNIST and for scikit-learn's digits.

python docs/benchmarks/fewer_weights.py [--data DIR]

MNIST comes from mnist.npz in DIR; without DIR the digits alone are tried. Seconds are
the median of five fits. C is 10, a weak penalty.
"""

import argparse
import pickle
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from sklearn.metrics import log_loss
from tasks import digits, mnist

from sksoftmax import SoftmaxRegressionClassifier

ORDERS = {"mnist": [None, 2, 4, 5, 8, 10, 16], "digits": [None, 2, 4, 5]}
REPEATS = 5


def row(task, order) -> str:
    """Return a line of the table."""
    seconds, scores, losses = [], [], []
    for seed in range(REPEATS):
        clf = SoftmaxRegressionClassifier(
            alpha=task.alpha, phm_order=order, random_state=seed
        )
        started = time.perf_counter()
        clf.fit(task.X, task.y)
        seconds.append(time.perf_counter() - started)
        scores.append(clf.score(task.X_test, task.y_test))
        losses.append(log_loss(task.y_test, clf.predict_proba(task.X_test)))
    size = clf.coef_.size if order is None else clf.n_parameters_
    cells = [
        task.name,
        "none" if order is None else order,
        size,
        f"{median(scores):.4f}",
        f"{median(losses):.4f}",
        f"{median(seconds):.2g}",
        len(pickle.dumps(clf)),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path)
    folder = parser.parse_args().data
    print("| task | order | weights | accuracy | log-loss | seconds | bytes |")
    print("|---|---|---|---|---|---|---|")
    for task in [mnist(folder), digits()] if folder else [digits()]:
        for order in ORDERS[task.name]:
            print(row(replace(task, C=10.0), order), flush=True)


if __name__ == "__main__":
    main()
