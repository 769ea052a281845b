"""
Temperature scaling of an over-confident model
==============================================

This example makes an over-confident model honest by temperature scaling: one number
divides the raw predictions. A model without a penalty that has seen few rows separates
these rows perfectly, and from then on only grows more certain. The class
``CalibratedClassifierCV`` of scikit-learn 1.8 or newer finds the number.
"""

# %%
# A model that is too sure of itself
# ----------------------------------
# The model has 200 digits to train on, and no penalty. The model is nearly certain of
# most test digits and wrong about one in six.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, train_size=200, stratify=y, random_state=0
)
clf = SoftmaxRegressionClassifier(alpha=0).fit(X_train, y_train)

# %%
# One number for the temperature
# ------------------------------
# The log-loss of held-out predictions chooses the temperature. Five models make these
# predictions, each for the fifth of the training rows that the model has not seen.
# Under ``ensemble=False`` the scaled model is again trained on all 200 rows, and thus
# equals the model above.
calibrated = CalibratedClassifierCV(clf, method="temperature", cv=5, ensemble=False)
calibrated.fit(X_train, y_train)

# %%
# Dividing all raw predictions of a row by the same number keeps their order. The
# predicted classes stay the same, and only the probabilities change.
probabilities = {
    "before": clf.predict_proba(X_test),
    "after": calibrated.predict_proba(X_test),
}
for name, proba in probabilities.items():
    right = proba.argmax(axis=1) == y_test
    print(
        f"{name:6}: accuracy {right.mean():.3f}, "
        f"mean confidence {proba.max(axis=1).mean():.3f}, "
        f"log-loss {log_loss(y_test, proba):.3f}"
    )

# %%
# Confidence and the share that is right
# --------------------------------------
# The confidence is the probability of the predicted class. On the diagonal the
# confidence is the share of digits that are predicted right. Below the diagonal the
# model is too confident.
looks = {
    "before": {"color": "black", "marker": "o", "linestyle": "-"},
    "after": {"color": "0.5", "marker": "s", "linestyle": "--"},
}
figure, axes = plt.subplots(figsize=(5, 4.6), layout="constrained")
for name, proba in probabilities.items():
    right = proba.argmax(axis=1) == y_test
    CalibrationDisplay.from_predictions(
        right, proba.max(axis=1), n_bins=10, name=name, ax=axes, **looks[name]
    )
axes.set(
    xlabel="confidence",
    ylabel="share that is right",
    title="Before, the model is far too sure of itself",
)

# %%
# The number of sure predictions
# ------------------------------
# A point of the curve above that stands for few digits says little. Before, most digits
# had a confidence above 0.9.
figure, axes = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
for name, proba in probabilities.items():
    axes.hist(
        proba.max(axis=1),
        np.linspace(0, 1, 11),
        histtype="step",
        linewidth=2,
        color=looks[name]["color"],
        linestyle=looks[name]["linestyle"],
        label=name,
    )
axes.set(
    xlabel="confidence",
    ylabel="test digits",
    title="Temperature scaling spreads the confidence",
)
axes.legend(loc="upper left")

# %%
# What a temperature cannot do
# ----------------------------
# Before, the model was far too sure of itself. Now the surest predictions are about as
# sure as they should be, and predictions in the middle are a little too modest. One
# number cannot bend the curve everywhere. Temperature scaling also does not mend
# predictions, as a penalty would have done.
penalised = SoftmaxRegressionClassifier(alpha=1e-3).fit(X_train, y_train)
print(
    f"with a penalty: accuracy {penalised.score(X_test, y_test):.3f}, "
    f"log-loss {log_loss(y_test, penalised.predict_proba(X_test)):.3f}"
)

plt.show()
