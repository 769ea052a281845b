"""
A class between two others: softmax and one-versus-rest
=======================================================

This example shows what one-versus-rest loses if one class lies between two others.
One-versus-rest asks of each class whether a straight line cuts the class off from all
other rows. No line cuts off a class in the middle. Softmax regression compares the
classes with each other, and finds the class in the middle.
"""

# %%
# Three classes in a row
# ----------------------
# Each class is a round cloud in the plane. A fifth of the rows are in the middle.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, recall_score
from sklearn.multiclass import OneVsRestClassifier

from sksoftmax import SoftmaxRegressionClassifier

names = np.array(["left", "middle", "right"])
centres = np.array([[-1.5, -0.5], [0, 0], [1.5, 0.5]])
rng = np.random.default_rng(0)


def make_rows(n_rows):
    """Return rows of the three classes and their labels."""
    y = rng.choice(3, size=n_rows, p=[0.4, 0.2, 0.4])
    return centres[y] + rng.normal(scale=0.5, size=(n_rows, 2)), names[y]


X_train, y_train = make_rows(400)
X_test, y_test = make_rows(5000)

# %%
# Two linear classifiers
# ----------------------
# Both have a row of weights for each class. ``OneVsRestClassifier`` trains each row
# alone, as a classifier of two classes, and scales the three probabilities to sum to
# one. Softmax regression trains all rows together, by the log-loss of the scaled
# probabilities.
models = {
    "Softmax regression": SoftmaxRegressionClassifier(),
    "One-versus-rest": OneVsRestClassifier(LogisticRegression()),
}
found = {}
for name, model in models.items():
    model.fit(X_train, y_train)
    found[name] = recall_score(y_test, model.predict(X_test), average=None)[1]
    print(
        f"{name:19} accuracy {model.score(X_test, y_test):.3f}, "
        f"log-loss {log_loss(y_test, model.predict_proba(X_test)):.3f}, "
        f"share of the middle class found {found[name]:.3f}"
    )

# %%
# The regions
# -----------
# A shade shows the class that a model predicts at each point. Both models cut the plane
# into strips. Softmax regression puts its borders between the clouds.
shades = ["#fdd9b5", "#f7f7f7", "#c6dbef"]
looks = {"left": ("o", "#d55e00"), "middle": ("s", "black"), "right": ("^", "#0072b2")}
grid = np.linspace(-3.5, 3.5, 300)
points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)


def draw_regions(name):
    """Draw the predicted classes as shades, and the training rows as points."""
    predicted = models[name].predict(points)
    regions = np.searchsorted(names, predicted).reshape(len(grid), len(grid))
    _, axes = plt.subplots(figsize=(5, 4.6), layout="constrained")
    axes.contourf(grid, grid, regions, [-0.5, 0.5, 1.5, 2.5], colors=shades)
    axes.contour(grid, grid, regions, [0.5, 1.5], colors="black", linewidths=1)
    for label, (marker, color) in looks.items():
        rows = X_train[y_train == label]
        axes.scatter(*rows.T, s=16, marker=marker, color=color, label=label)
    axes.set(xlabel="first feature", ylabel="second feature", aspect="equal")
    axes.set_title(f"{name} finds {found[name]:.0%} of the middle class")
    axes.legend(title="true class", loc="upper left")


draw_regions("Softmax regression")

# %%
# One-versus-rest has a strip that is too narrow, and the neighbours get the rest.
draw_regions("One-versus-rest")

# %%
# Why the strip is narrow
# -----------------------
# This picture follows the line through the three centres. The classifier of the middle
# class against the rest is of no use. Along the line its probability stays near a
# fifth, the share of the class. So the middle class is predicted only where both other
# classifiers say even less. The probability of softmax regression rises to nearly one.
steps = np.linspace(-2, 2, 200)
line = steps[:, None] * centres[2]
alone = models["One-versus-rest"].estimators_[1].predict_proba(line)[:, 1]

figure, axes = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
axes.plot(
    steps,
    models["Softmax regression"].predict_proba(line)[:, 1],
    color="black",
    label="softmax regression",
)
axes.plot(
    steps, alone, color="#d55e00", linestyle="--", label="middle against the rest"
)
axes.axhline(0.2, color="0.7", linewidth=3, zorder=0, label="share of the class")
axes.set(
    ylabel="probability of the middle class",
    ylim=(0, 1.02),
    title="Only softmax regression sees the middle class",
)
axes.set_xticks([-1, 0, 1], labels=["centre of left", "of middle", "of right"])
axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12))

plt.show()
