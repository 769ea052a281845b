"""
Two classes: a threshold from costs
===================================

This example chooses the probability above which a classifier of two classes says yes.
``predict`` says yes above 0.5, which is right only if both kinds of errors cost the
same. The threshold is a decision of its own, after training, and needs no change of the
model.
"""

# %%
# Machines that may fail
# ----------------------
# One in ten of these (made up) machines is about to fail. An inspection costs 1, and
# prevents the failure. A failure costs 10. The model tells machines apart by their
# measurements, but not well.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import (
    make_scorer,
    precision_recall_curve,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from sksoftmax import SoftmaxRegressionClassifier

X, y = make_classification(
    20000,
    n_features=20,
    n_informative=8,
    weights=[0.9],
    class_sep=0.6,
    flip_y=0.02,
    random_state=0,
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)
inspection, failure = 1, 10
clf = SoftmaxRegressionClassifier().fit(X_train, y_train)
proba = clf.predict_proba(X_test)[:, 1]


def cost(fails, inspected):
    """Return the mean cost of 100 machines."""
    missed = (fails == 1) & (inspected == 0)
    return 100 * (inspection * np.mean(inspected == 1) + failure * np.mean(missed))


# %%
# The threshold follows from the costs
# ------------------------------------
# Take a machine that fails with probability p. Leaving the machine alone costs 10 p on
# average, and an inspection costs 1. So inspect if p is above 1 / 10. This rule needs
# probabilities that can be trusted, so the model has no class weights.
by_costs = inspection / failure

# %%
# Cross-validation finds a threshold without this rule. ``TunedThresholdClassifierCV``
# tries thresholds on rows that the model was not trained on, and takes the best score.
# The search also works if probabilities are wrong, or if the score is no cost of single
# rows, such as the F1 score.
tuned = TunedThresholdClassifierCV(
    SoftmaxRegressionClassifier(),
    scoring=make_scorer(cost, greater_is_better=False),
    thresholds=np.linspace(0.02, 0.6, 117),
)
tuned.fit(X_train, y_train)
thresholds = {
    "predict": 0.5,
    "from the costs": by_costs,
    "tuned": tuned.best_threshold_,
}
for name, threshold in thresholds.items():
    predicted = proba > threshold
    print(
        f"{name:14} threshold {threshold:.3f}, cost {cost(y_test, predicted):.1f}, "
        f"recall {recall_score(y_test, predicted):.2f}, "
        f"precision {precision_score(y_test, predicted):.2f}"
    )

# %%
# Cost of each threshold
# ----------------------
# A low threshold inspects nearly all machines, and a high one misses most failures.
# The lowest cost on test machines is near both choices, and far from 0.5. Near the
# minimum the curve is flat, so the threshold need not be exact.
looks = {
    "predict": {"marker": "X", "color": "#d55e00"},
    "from the costs": {"marker": "o", "color": "black"},
    "tuned": {"marker": "s", "color": "#0072b2"},
}


def draw_thresholds(axes, points):
    """Mark the point (x, y) of each threshold, and name the thresholds."""
    for name, (x, y) in points.items():
        label = f"{name}: {thresholds[name]:.2f}"
        axes.plot(x, y, markersize=10, linestyle="none", label=label, **looks[name])
    axes.legend(title="threshold")


grid = np.linspace(0.005, 0.9, 180)
figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
axes.plot(grid, [cost(y_test, proba > threshold) for threshold in grid], color="0.5")
costs = {name: (t, cost(y_test, proba > t)) for name, t in thresholds.items()}
draw_thresholds(axes, costs)
axes.set(
    xlabel="inspect if the probability is above",
    ylabel="cost for 100 machines",
    title="A threshold of 0.5 costs far more than needed",
    ylim=(0, None),
)

# %%
# Precision and recall
# --------------------
# The same thresholds are points on the curve of precision and recall. The curve shows
# what can be had from this model: to find more failures, inspect more sound machines.
# Only costs, or another aim, can tell which point is best.
precision, recall, _ = precision_recall_curve(y_test, proba)
figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
axes.plot(recall, precision, color="0.5")
found = {
    name: (recall_score(y_test, proba > t), precision_score(y_test, proba > t))
    for name, t in thresholds.items()
}
draw_thresholds(axes, found)
axes.set(
    xlabel="recall (share of the failures found)",
    ylabel="precision (share of inspections needed)",
    title="A lower threshold finds and inspects more",
    ylim=(0, 1.02),
)

plt.show()
