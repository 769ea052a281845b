"""
Test loss against seconds, beside scikit-learn's classifiers
============================================================

This example trains four linear classifiers on the same rows, and draws the test loss
against the seconds of training. The data, and the units of the features most of all,
decide which classifier gets to a good model first. So there are two runs: unscaled, and
standardised. Change the sizes or put in your own data to see what you may expect.
"""

# %%
# Rows with ten classes and a known best loss
# -------------------------------------------
# The labels are drawn from a softmax model, so the log-loss of this model is known. No
# trained model can be expected to beat the model that made the labels. The features are
# correlated, and their units differ by a factor of up to a thousand.
from time import perf_counter
from warnings import catch_warnings, simplefilter

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier

n_train, n_test, n_features, n_classes = 10000, 3000, 100, 10
rng = np.random.default_rng(0)
mixing = np.eye(n_features) + 0.15 * rng.normal(size=(n_features, n_features))
X = rng.normal(size=(n_train + n_test, n_features)) @ mixing
true_proba = softmax(X @ rng.normal(scale=0.2, size=(n_features, n_classes)), axis=1)
y = rng.multinomial(1, true_proba).argmax(axis=1)
X *= 10 ** rng.uniform(-1, 2, size=n_features)

y_train, y_test = y[:n_train], y[n_train:]
best = log_loss(y_test, true_proba[n_train:])
print(f"test log-loss of the model that made the labels: {best:.3f}")

# %%
# Four classifiers, one penalty
# -----------------------------
# All classifiers have the L2 penalty of ``LogisticRegression(C=1)``, which is alpha = 1
# / n_train in sksoftmax. Their objectives are not quite the same:
#
# - ``SoftmaxRegressionClassifier`` and ``LogisticRegression``: the log-loss of the
#   softmax, and the penalty.
# - ``MLPClassifier`` without hidden layers: the same. MLPClassifier divides its alpha
#   by the rows of a batch, so this example multiplies alpha by the rows of a batch.
# - ``SGDClassifier``: one classifier for each class against the rest. Its probabilities
#   are those of the ten classifiers, scaled to sum to one. So the test log-loss would
#   end elsewhere even after endless training.
alpha, batch_size = 1 / n_train, 200
budget = 0.3  # seconds for each curve


def seconds_to_fit(clf, X, y):
    """Fit once, quietly if it is cut short, and return the seconds."""
    with catch_warnings():
        simplefilter("ignore", ConvergenceWarning)
        start = perf_counter()
        clf.fit(X, y)
        return perf_counter() - start


def by_max_iter(make, counts, X, y, X_test):
    """Train a new model for each number of iterations, until the budget is spent."""
    curve = []
    for max_iter in counts:
        clf = make(max_iter)
        seconds = seconds_to_fit(clf, X, y)
        curve.append((seconds, log_loss(y_test, clf.predict_proba(X_test))))
        if seconds > budget or np.max(clf.n_iter_) < max_iter:
            break
    curve = np.array(curve)
    # A longer fit passes through the models of shorter ones, and not earlier than them.
    curve[:, 0] = np.minimum.accumulate(curve[::-1, 0])[::-1]
    return curve


def by_partial_fit(clf, X, y, X_test):
    """Train an epoch after the other, until the budget is spent."""
    curve, seconds = [], 0
    while seconds < budget:
        start = perf_counter()
        clf.partial_fit(X, y, classes=np.arange(n_classes))
        seconds += perf_counter() - start
        curve.append((seconds, log_loss(y_test, clf.predict_proba(X_test))))
    return np.array(curve)


def curves(X, X_test):
    """Return the seconds and the test log-loss of each classifier."""

    def softmax_regression(max_iter):
        return SoftmaxRegressionClassifier(
            alpha=alpha, max_iter=max_iter, tol=None, random_state=0
        )

    def logistic_regression(max_iter):
        return LogisticRegression(C=1.0, max_iter=max_iter)

    # The first fit of all loads libraries.
    for make in (softmax_regression, logistic_regression):
        seconds_to_fit(make(1), X[:500], y_train[:500])
    sgd = SGDClassifier(loss="log_loss", alpha=alpha, random_state=0)
    mlp = MLPClassifier(
        (), alpha=alpha * batch_size, batch_size=batch_size, random_state=0
    )
    few = [1, 2, 3, 4, 6, 8, 12, 16, 24]
    many = [2, 5, 10, 20, 40, 80, 160, 320]
    return {
        "SoftmaxRegressionClassifier": by_max_iter(
            softmax_regression, few, X, y_train, X_test
        ),
        "LogisticRegression": by_max_iter(
            logistic_regression, many, X, y_train, X_test
        ),
        "MLPClassifier without layers": by_partial_fit(mlp, X, y_train, X_test),
        "SGDClassifier": by_partial_fit(sgd, X, y_train, X_test),
    }


# %%
# ``tol=None`` trains ``SoftmaxRegressionClassifier`` for ``max_iter`` epochs. All
# classifiers have one thread: with matrices as small as these, more threads make times
# vary and save little.
X_scaled = StandardScaler().fit(X[:n_train]).transform(X)
results = {}
with threadpool_limits(1):
    for units, data in {"as they are": X, "standardised": X_scaled}.items():
        results[units] = curves(data[:n_train], data[n_train:])

for units, of_units in results.items():
    print(f"\nfeatures {units}: seconds and test log-loss at the end of each curve")
    for name, curve in of_units.items():
        print(f"{name:27}{curve[-1, 0]:5.2f} s{curve[-1, 1]:7.3f}")

# %%
# Features as they are
# --------------------
# The curves show the distance to the model that made the labels. Part of the distance
# stays, since 10000 rows do not tell 1000 weights exactly.
looks = {
    "SoftmaxRegressionClassifier": {"color": "black", "marker": "o"},
    "LogisticRegression": {"color": "#0072b2", "marker": "s", "linestyle": "--"},
    "MLPClassifier without layers": {
        "color": "#d55e00",
        "marker": "^",
        "linestyle": "-.",
    },
    "SGDClassifier": {"color": "0.6", "marker": "D", "linestyle": ":"},
}


def draw_curves(units, title):
    """Draw the test log-loss against seconds, for features in these units."""
    _, axes = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
    for name, curve in results[units].items():
        axes.loglog(
            curve[:, 0],
            curve[:, 1] - best,
            markevery=1 + len(curve) // 12,
            label=name,
            **looks[name],
        )
    ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
    axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set(
        xlabel="seconds of training",
        ylabel="test log-loss above the best (nats)",
        xlim=(0.007, 0.7),
        ylim=(0.03, 1000),
        title=title,
    )
    axes.grid(color="0.9")
    axes.legend(loc="upper right")


draw_curves("as they are", "Unscaled features slow the others down")

# %%
# Standardised features
# ---------------------
# ``SoftmaxRegressionClassifier`` has the same curve in both pictures. On data as small
# as these all steps are Newton's on all rows, and Newton's method does not depend on
# units. The other classifiers should be given standardised features.
# ``LogisticRegression`` is a good choice, too, for standardised features and as few
# rows as these. On far more rows ``SoftmaxRegressionClassifier`` trains in minibatches
# first, and the difference is larger; the benchmarks have such data.
#
# The curve of ``SGDClassifier`` is that of a weak penalty. The first steps have a size
# that grows as alpha shrinks, and repairing these steps takes epochs. A learning rate
# of another kind, found by trying, does better.
draw_curves("standardised", "Standardised features help the others")

# %%
# Seconds to a good model
# -----------------------
for units, of_units in results.items():
    print(f"\nfeatures {units}: seconds to within .1 nats of the best")
    for name, curve in of_units.items():
        near = curve[curve[:, 1] < best + 0.1, 0]
        print(f"{name:28}{f'{near.min():7.2f} s' if len(near) else '  not reached'}")

plt.show()
