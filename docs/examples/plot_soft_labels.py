"""
Votes of several annotators as labels, and label smoothing
==========================================================

This example trains on the votes of people who disagree about labels. A majority throws
the disagreement away, and a model that learns from the majority is too sure. ``y`` may
hold soft targets instead: the shares of the votes. If there is only one label a row,
``label_smoothing`` makes the label less than certain.
"""

# %%
# Rows that people disagree about
# -------------------------------
# Four classes overlap. Each annotator names a class with the probability that the row
# has this class. So clear rows get the same name five times, and others do not. The
# test labels are those of a sixth annotator.
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax
from sklearn.metrics import log_loss

from sksoftmax import SoftmaxRegressionClassifier

n_train, n_test, n_features, n_classes, n_annotators = 1000, 5000, 12, 4, 5
rng = np.random.default_rng(0)
X = rng.normal(size=(n_train + n_test, n_features))
true_proba = softmax(X @ rng.normal(scale=0.8, size=(n_features, n_classes)), axis=1)
X_train, X_test = X[:n_train], X[n_train:]

votes = rng.multinomial(n_annotators, true_proba[:n_train])  # a column a class
y_test = rng.multinomial(1, true_proba[n_train:]).argmax(axis=1)
agreed = votes.max(axis=1) == n_annotators
print(f"all {n_annotators} agree on {agreed.mean():.0%} of the rows")

# %%
# Shares, a majority, or one vote
# -------------------------------
# A table for ``y`` has a column for each class, and rows that sum to one. The majority
# among equal numbers of votes is drawn by lot.
shares = votes / n_annotators
majority = (votes + rng.random(votes.shape) / 2).argmax(axis=1)
one_vote = rng.multinomial(1, shares).argmax(axis=1)

targets = {"shares of 5": shares, "majority of 5": majority, "one vote": one_vote}
probabilities = {}
for name, y in targets.items():
    clf = SoftmaxRegressionClassifier().fit(X_train, y)
    probabilities[name] = clf.predict_proba(X_test)


def describe(name, proba):
    """Print how good the probabilities are."""
    print(
        f"{name:20} log-loss {log_loss(y_test, proba):.3f}, "
        f"accuracy {(proba.argmax(axis=1) == y_test).mean():.3f}, "
        f"mean confidence {proba.max(axis=1).mean():.3f}"
    )


for name, proba in probabilities.items():
    describe(name, proba)
describe("who made the labels", true_proba[n_train:])

# %%
# Confidence and the share that is right
# --------------------------------------
# The confidence is the probability of the predicted class, and test rows are put into
# bins by their confidence. On the diagonal the model is right just as often as its
# confidence says. The majority makes the model too sure: rows that are alike nearly all
# get the same name. Single votes do not make the model too sure, as the votes of
# doubtful rows differ. But single votes are a fifth of all votes, so the log-loss is
# higher.
looks = {
    "shares of 5": {"color": "black", "marker": "o", "linestyle": "-"},
    "majority of 5": {"color": "#d55e00", "marker": "s", "linestyle": "--"},
    "one vote": {"color": "0.55", "marker": "^", "linestyle": ":"},
}
edges = np.linspace(0.3, 1, 8)
figure, axes = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
axes.plot([0.3, 1], [0.3, 1], color="0.8", linewidth=3, label="as sure as it should be")
for name, proba in probabilities.items():
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == y_test
    bins = [(confidence > low) & (confidence <= low + 0.1) for low in edges[:-1]]
    axes.plot(
        [confidence[rows].mean() for rows in bins],
        [right[rows].mean() for rows in bins],
        label=name,
        **looks[name],
    )
axes.set(
    xlabel="confidence",
    ylabel="share that is right",
    title="A majority makes the model too sure",
)
axes.legend()

# %%
# Label smoothing for the majority
# --------------------------------
# ``label_smoothing`` moves a share of each label to all classes alike. A good share
# removes most of the excess of confidence. The best share depends on the data. This
# example takes the test rows, to draw the curve; elsewhere let validation rows choose.
smoothings = np.array([0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
curves = {}
for name in ["majority of 5", "one vote"]:
    curves[name] = []
    for share in smoothings:
        clf = SoftmaxRegressionClassifier(label_smoothing=share)
        proba = clf.fit(X_train, targets[name]).predict_proba(X_test)
        curves[name].append((log_loss(y_test, proba), proba.max(axis=1).mean()))


def draw_smoothing(column, from_shares, ylabel, title):
    """Draw a column of the curves against the share that is smoothed."""
    _, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
    for name, curve in curves.items():
        values = [row[column] for row in curve]
        axes.plot(smoothings, values, label=name, **looks[name])
    axes.axhline(from_shares, color="black", label="shares of 5, not smoothed")
    axes.set(xlabel="label_smoothing (share of each label)", ylabel=ylabel, title=title)
    axes.legend()


proba = probabilities["shares of 5"]
draw_smoothing(
    0,
    log_loss(y_test, proba),
    "test log-loss (nats)",
    "Smoothing mends a majority, harms single votes",
)

# %%
# Smoothing works through the confidence, the mean probability of the predicted class.
draw_smoothing(
    1,
    proba.max(axis=1).mean(),
    "mean confidence",
    "Smoothing lowers the confidence",
)

# %%
# The log-loss of the majority is lowest with this much smoothing:
best = np.array(curves["majority of 5"])[:, 0].argmin()
clf = SoftmaxRegressionClassifier(label_smoothing=smoothings[best])
name = f"majority, {smoothings[best]:g}"
describe(name, clf.fit(X_train, majority).predict_proba(X_test))

# %%
# The shares do at least as well with nothing to choose: shares tell which rows are in
# doubt, and smoothing doubts all rows alike. Smoothing makes labels worse that are
# already as uncertain as they should be, such as the single votes.
plt.show()
