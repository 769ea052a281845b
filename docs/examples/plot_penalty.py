"""
Choosing the penalty
====================

This example chooses ``alpha``, the strength of the penalty, which is the one parameter
of softmax regression that needs a value. ``SoftmaxRegressionClassifierCV`` chooses
alpha by cross-validation. On dense rows without L1, the models of all folds share their
passes over the rows, so the choice costs about as much as 2 to 20 single fits.
"""

# %%
# The curve
# ---------
# The digits that scikit-learn embeds come in the order of their writers, so the last
# rows are the test. The default has five folds, two strengths a decade, and the
# log-loss as the score. The path ends by itself after the loss has risen.
from time import perf_counter
from warnings import catch_warnings, simplefilter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.inspection import PenaltyPathDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.3, shuffle=False
)
clf = SoftmaxRegressionClassifierCV().fit(X_train, y_train)
figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
PenaltyPathDisplay.from_estimator(clf, ax=axes)
axes.set_title("A weaker penalty helps, up to a point")

# %%
# The strength falls from left to right, and the bars are one standard error. Two
# strengths are marked:
#
# - The ring, ``alpha_min_``, has the best mean score. The classifier takes this one by
#   default.
# - The square, ``alpha_1se_``, is the largest strength whose score is within one
#   standard error of the best one. Its weights are smaller, and the folds do not show
#   that its predictions are worse. ``selection="1se"`` takes this one.
for selection in ["min", "1se"]:
    clf.set_params(selection=selection).fit(X_train, y_train)
    print(
        f"selection={selection!r}: alpha={clf.alpha_:.2g}, test log-loss "
        f"{log_loss(y_test, clf.predict_proba(X_test)):.3f}, accuracy "
        f"{clf.score(X_test, y_test):.3f}, largest weight {np.abs(clf.coef_).max():.1f}"
    )

# %%
# Coefficients along the path
# ---------------------------
# ``coef_path_`` keeps the weights of all strengths. The tumours have 30 measurements,
# many of which say much the same. Positive weights speak for a benign tumour. L2
# shrinks the weights of all measurements. The features have to be standardised here,
# because the penalty weighs more on features with small values.
X, y = load_breast_cancer(return_X_y=True)
names = load_breast_cancer().feature_names
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, stratify=y, random_state=0
)


def draw_coefficients(l1_ratio):
    """Fit, and draw the weights against the strength of the penalty."""
    clf = SoftmaxRegressionClassifierCV(l1_ratio=l1_ratio)
    model = make_pipeline(StandardScaler(), clf).fit(X_train, y_train)
    _, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
    PenaltyPathDisplay.from_estimator(
        model, kind="coef", feature_names=names, n_top=5, ax=axes
    )
    n_weights = (clf.coef_ != 0).sum()
    name = {0: "L2", 1: "L1"}[l1_ratio]
    axes.set_title(f"{name} keeps {n_weights} of {len(names)} measurements")


draw_coefficients(l1_ratio=0)

# %%
# L1 gives a weight to few measurements at a time, and all others are exactly zero.
draw_coefficients(l1_ratio=1)

# %%
# A path for each share of L1
# ---------------------------
# ``l1_ratio`` is compared by a path for each value. The data are the same measurements,
# and 50 columns of noise beside them. The noise stands for the many measurements in
# practice that have nothing to do with the question. Each fold leaves the same rows
# out, so the curves can be compared.
noise = np.random.default_rng(0).normal(size=(len(y), 50))
wide = np.hstack([X, noise])
wide_train, wide_test, y_train, y_test = train_test_split(
    wide, y, test_size=0.3, stratify=y, random_state=0
)
figure, axes = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
for l1_ratio in [0, 0.5, 1]:
    clf = SoftmaxRegressionClassifierCV(l1_ratio=l1_ratio)
    model = make_pipeline(StandardScaler(), clf).fit(wide_train, y_train)
    PenaltyPathDisplay.from_estimator(model, name=f"l1_ratio={l1_ratio:g}", ax=axes)
    print(
        f"l1_ratio={l1_ratio:g}: alpha={clf.alpha_:.2g}, "
        f"test log-loss {log_loss(y_test, model.predict_proba(wide_test)):.3f}, "
        f"weights of noise {(clf.coef_[0, 30:] != 0).sum()} of 50"
    )
axes.set(title="Beside 50 columns of noise, L1 does better", ylim=(0, 0.5))

# %%
# Other parameters, in a Pipeline
# -------------------------------
# ``GridSearchCV`` tries values of other steps. The classifier chooses its own alpha in
# each fit, so the grid has no alpha. The folds are nested: the scaler, the components
# and the choice of alpha never see the test rows of an outer fold.
search = GridSearchCV(
    make_pipeline(StandardScaler(), PCA(), SoftmaxRegressionClassifierCV()),
    {"pca__n_components": [2, 5, 10, 20]},
    scoring="neg_log_loss",
).fit(X_train, y_train)
results = search.cv_results_
for n, score in zip(
    results["param_pca__n_components"], results["mean_test_score"], strict=True
):
    print(f"{n:2} components: log-loss in cross-validation {-score:.3f}")
best = search.best_estimator_
print(f"chosen: {best['pca'].n_components} components, alpha={best[-1].alpha_:.2g}")

# %%
# Time
# ----
# A search without a path makes a fit for each fold and strength. ``GridSearchCV`` gets
# the strengths of this path, and ``LogisticRegressionCV`` has its default of ten values
# and five folds. All of them choose by log-loss, on one thread.
X, y = make_classification(
    8000, 100, n_informative=50, n_classes=10, class_sep=2, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=3000, random_state=0
)


def seconds_to_fit(model):
    """Fit, print the test log-loss, and return the seconds."""
    start = perf_counter()
    with catch_warnings(), threadpool_limits(1):
        simplefilter("ignore", FutureWarning)  # of defaults that will change
        model.fit(X_train, y_train)
    seconds = perf_counter() - start
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"{type(model).__name__:30}{seconds:6.2f} s, test log-loss {loss:.3f}")
    return seconds


seconds_to_fit(SoftmaxRegressionClassifier())  # the first fit loads libraries
path = SoftmaxRegressionClassifierCV()
seconds = {"SoftmaxRegressionClassifierCV": seconds_to_fit(path)}
search = GridSearchCV(
    SoftmaxRegressionClassifier(), {"alpha": path.alphas_}, scoring="neg_log_loss"
)
seconds["GridSearchCV"] = seconds_to_fit(search)
logistic = LogisticRegressionCV(scoring="neg_log_loss", max_iter=1000)
seconds["LogisticRegressionCV"] = seconds_to_fit(logistic)

figure, axes = plt.subplots(figsize=(5.2, 2.6), layout="constrained")
bars = axes.barh(list(seconds), list(seconds.values()), color="0.4")
axes.bar_label(bars, fmt="%.2f s", padding=3)
axes.invert_yaxis()
axes.margins(x=0.25)
axes.set_xlabel("seconds of training")
figure.suptitle("Shared passes choose the penalty sooner")

plt.show()
