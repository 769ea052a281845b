"""
A stream of rows, with classes that arrive later
================================================

This example learns rows that come one batch after the other, by ``partial_fit``: each
row is seen once and can then be forgotten. If each batch is predicted before training
on the batch, the stream itself tells how good the model is at any time. Three of the
classes are not known at the start.
"""

# %%
# A source of rows
# ----------------
# The source has eight classes with 30 features. Each row is new, as in a stream that
# never ends.
from copy import deepcopy
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import SGDClassifier

from sksoftmax import SoftmaxRegressionClassifier

n_features, batch_size = 30, 25
rng = np.random.default_rng(0)
centres = rng.normal(size=(8, n_features))
units = 10 ** rng.uniform(-1, 2, size=n_features)


def next_batch(n_classes):
    """Return some rows of the classes 0, ..., n_classes - 1."""
    y = rng.integers(n_classes, size=batch_size)
    X = centres[y] + 2 * rng.normal(size=(batch_size, n_features))
    return X * units, y


# %%
# First test, then train
# ----------------------
# A batch is predicted by a model that has not seen the batch, and then trained on. The
# share of right predictions so far, or in the last batches, is called prequential
# accuracy. This test takes no rows away from training.
#
# At first there are five classes; 100 batches later a sixth class comes, and then two
# more. A call of ``partial_fit`` that names new classes adds these classes. The rows of
# such a batch are predicted before the call, so the model cannot be right about the new
# classes.
arrivals = {0: 5, 100: 6, 200: 8}
clf = SoftmaxRegressionClassifier(random_state=0)
n_classes = 0
labels, right = [], []
for i in range(400):
    n_classes = arrivals.get(i, n_classes)
    X, y = next_batch(n_classes)
    if i > 0:
        labels.append(y)
        right.append(clf.predict(X) == y)
    clf.partial_fit(X, y, classes=np.arange(n_classes))

right, labels = np.array(right), np.array(labels)
print(f"{right.size} rows tested, classes {clf.classes_}, {clf.t_} updates")
print(f"accuracy over all of the stream {right.mean():.3f}")


# %%
# The best possible accuracy
# --------------------------
# A judge who knows the centres predicts the nearest centre. On average no other rule
# does better.
def many_rows(n_classes):
    """Return the rows of 400 batches."""
    batches = [next_batch(n_classes) for _ in range(400)]
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


best = {}
for start, n_classes in arrivals.items():
    X, y = many_rows(n_classes)
    distances = ((X / units)[:, None] - centres[:n_classes]) ** 2
    best[start] = (distances.sum(axis=2).argmin(axis=1) == y).mean()
    print(f"{n_classes} classes: accuracy with known centres {best[start]:.3f}")

# %%
# The arrival of a class
# ----------------------
# Accuracy falls, for two reasons. The model does not know the new classes, and more
# classes are harder to tell apart, even with known centres. Accuracy recovers from the
# first reason within some tens of batches. A new class begins with weights of zero and
# the intercept of a very rare class. The old classes keep their weights.
window = 20  # batches


def running_accuracy(counted):
    """Return the accuracy in the last batches, on the rows that are counted."""
    n_right = np.cumsum((right & counted).sum(axis=1))
    n_rows = np.cumsum(counted.sum(axis=1))
    of_rows = n_rows[window:] - n_rows[:-window]
    of_right = n_right[window:] - n_right[:-window]
    return of_right / np.where(of_rows > 0, of_rows, np.nan)


rows_seen = batch_size * (np.arange(window, len(right)) + 1)
figure, axes = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
axes.plot(rows_seen, running_accuracy(labels >= 0), color="black", label="all rows")
axes.plot(
    rows_seen,
    running_accuracy(labels >= 5),
    color="#d55e00",
    linestyle="--",
    label="rows of the three late classes",
)
ends = [*list(arrivals)[1:], len(right)]
for (start, limit), end in zip(best.items(), ends, strict=True):
    axes.hlines(
        limit,
        batch_size * start,
        batch_size * end,
        color="0.6",
        linewidth=4,
        label=None if start else "all rows, with known centres",
    )
    if start:
        axes.axvline(batch_size * start, color="black", linestyle=":")
for i, text in {0: "classes 0 to 4", 100: "class 5 comes", 200: "6 and 7 come"}.items():
    axes.text(batch_size * i + 80, 0.97, text, fontsize="small")
axes.set(
    xlabel="rows of the stream",
    ylabel=f"accuracy in the last {window * batch_size} rows",
    ylim=(0, 1.03),
    title="Accuracy falls as classes come, and recovers",
)
axes.legend(loc="lower right")

# %%
# Classes that no longer come
# ---------------------------
# A stream follows its rows, and classes that no longer come are forgotten. So mix some
# of their rows, kept from before, into each batch.
X, y = many_rows(8)
later = deepcopy(clf)
for _ in range(200):
    later.partial_fit(*next_batch(5))
for name, model in {"now": clf, "after 200 batches of classes 0 to 4": later}.items():
    print(f"accuracy on classes 5 to 7 {name}: {model.score(X[y >= 5], y[y >= 5]):.3f}")

# %%
# A label that no call has named is an error, and the error leaves the model unchanged.
# Name new classes when they come, or all possible classes in the first call.
try:
    clf.partial_fit(X, y + 1)
except ValueError as error:
    print(fill(f"ValueError: {error}", 79))

# %%
# scikit-learn's ``SGDClassifier`` learns from streams, too, and needs all classes in
# the first call.
sgd = SGDClassifier(loss="log_loss").partial_fit(X, y, classes=np.arange(8))
try:
    sgd.partial_fit(X, y, classes=np.arange(9))
except ValueError as error:
    print(fill(f"ValueError: {error}", 79))

plt.show()
