"""
Find wrong labels by their surprisal
====================================

This example makes 3 % of the labels of the digits wrong on purpose, and finds them
again. A label to which a model gives a very small probability is either a hard case or
a wrong label.
"""

# %%
# Spoil some labels
# -----------------
# Each spoilt label becomes another digit, drawn at random. From here on only the labels
# ``given`` are used; the labels ``true`` wait for the comparison at the end.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from sksoftmax import SoftmaxRegressionClassifier

X, true = load_digits(return_X_y=True)
X = X / 16
n_samples = len(true)

rng = np.random.default_rng(0)
flipped = np.zeros(n_samples, dtype=bool)
flipped[rng.choice(n_samples, size=round(0.03 * n_samples), replace=False)] = True
given = np.where(flipped, (true + rng.integers(1, 10, n_samples)) % 10, true)
print(f"{flipped.sum()} of {n_samples} labels are wrong")

# %%
# Ask models that have not seen the label
# ---------------------------------------
# A model that was trained on a wrong label has begun to believe this label. So each
# fifth of the rows is judged by a model of the other four fifths. Some labels of these
# four fifths are wrong too, but the wrong labels are few, and do not agree with each
# other.
surprisal = np.empty(n_samples)
entropy = np.empty(n_samples)
proba = np.empty((n_samples, 10))
folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
for train, test in folds.split(X, given):
    clf = SoftmaxRegressionClassifier().fit(X[train], given[train])
    surprisal[test] = clf.surprisal(X[test], given[test])
    entropy[test] = clf.predictive_entropy(X[test])
    proba[test] = clf.predict_proba(X[test])

# %%
# Three words for one quantity
# ----------------------------
# The *surprisal* of a label is -log2 of its probability, in bits. The *entropy* of a
# prediction is the surprisal that the model itself expects, before the label is known.
# The *cross-entropy* is the mean surprisal of the given labels: log-loss divided by ln
# 2, as log-loss is in nats.
print(f"mean surprisal  {surprisal.mean():.4f} bits")
print(f"log-loss / ln 2 {log_loss(given, proba) / np.log(2):.4f} bits")
print(f"mean entropy    {entropy.mean():.4f} bits")

# %%
# The labels surprise the models more than the models expected. The wrong labels are the
# reason: right labels surprise the models less than expected.
for name, rows in {"right": ~flipped, "wrong": flipped}.items():
    print(
        f"{name} labels: mean surprisal {surprisal[rows].mean():.2f} bits, "
        f"mean entropy {entropy[rows].mean():.2f} bits"
    )

# %%
# Read the most surprising rows first
# -----------------------------------
# People who check labels by hand have time for a few rows. The program counts the wrong
# labels among the 5 % with the largest surprisal.
order = np.argsort(surprisal)[::-1]
to_check = order[: round(0.05 * n_samples)]
n_found = flipped[to_check].sum()
print(
    f"{n_found} of {flipped.sum()} wrong labels ({n_found / flipped.sum():.0%}) are "
    f"among the {len(to_check)} most surprising rows"
)

figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
bins = np.linspace(0, np.ceil(surprisal.max()), 31)
axes.hist(surprisal[~flipped], bins, color="0.8", edgecolor="0.5", label="right label")
axes.hist(
    surprisal[flipped],
    bins,
    histtype="step",
    color="black",
    linewidth=1.5,
    hatch="///",
    label="wrong label",
)
axes.axvline(
    surprisal[to_check[-1]], color="black", linestyle="--", label="5 % lie to the right"
)
axes.set(
    xlabel="surprisal of the given label (bits)",
    ylabel="labels",
    yscale="log",
    title="Wrong labels surprise far more than right ones",
)
axes.legend()

# %%
# The most surprising digits
# --------------------------
# Each of these images was given the label of another digit.

# sphinx_gallery_thumbnail_number = 2
figure, all_axes = plt.subplots(2, 4, figsize=(5.2, 4.2), layout="constrained")
for axes, i in zip(all_axes.flat, order[:8], strict=True):
    axes.imshow(X[i].reshape(8, 8), cmap="Greys")
    axes.set(xticks=[], yticks=[])
    axes.set_title(
        f"given {given[i]}, true {true[i]}\n{surprisal[i]:.1f} bits", fontsize=10
    )
figure.suptitle("The labels that surprise most are wrong")

plt.show()
