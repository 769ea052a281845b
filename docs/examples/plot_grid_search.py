"""
Choose the penalty by cross-validation
======================================

Two parameters of the penalty decide what is learned. ``alpha`` is the strength of the
penalty, and ``l1_ratio`` is the share of L1, which makes weights zero. ``GridSearchCV``
tries pairs of both. Score by log-loss if you use probabilities: log-loss still tells
two models of the same accuracy apart.
"""

# %%
# Two sets of data
# ----------------
# The first set has the tumours that scikit-learn embeds, with 30 measurements of each.
# The second set has 50 columns of noise beside these measurements. The noise stands for
# the many measurements in practice that have nothing to do with the question.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier

X, y = load_breast_cancer(return_X_y=True)
noise = np.random.default_rng(0).normal(size=(len(y), 50))
data = {"30 measurements": X, "and 50 columns of noise": np.hstack([X, noise])}
train, test = train_test_split(
    np.arange(len(y)), test_size=0.3, stratify=y, random_state=0
)

# %%
# Eighteen penalties
# ------------------
# The penalty weighs more on features with small values, so the features have to be
# standardised. The scaler is in the Pipeline, so each fold has a scaler of its own. All
# rows of such small data are one batch, and zeros are those of the optimum. On larger
# data take ``solver="svrg"`` for these zeros.
alphas = np.logspace(-1, -3.5, 6)
l1_ratios = [0, 0.5, 1]
folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
searches = {}
for name, X in data.items():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SoftmaxRegressionClassifier()),
        {
            "softmaxregressionclassifier__alpha": alphas,
            "softmaxregressionclassifier__l1_ratio": l1_ratios,
        },
        scoring="neg_log_loss",
        cv=folds,
    )
    searches[name] = search.fit(X[train], y[train])
    best = search.best_estimator_[-1]
    print(f"{name}: alpha={best.alpha:.1g}, l1_ratio={best.l1_ratio:g}")
    print(f"  {(best.coef_ != 0).sum()} of {best.coef_.size} weights are not zero")
    print(f"  log-loss in cross-validation {-search.best_score_:.3f}")
    proba = search.predict_proba(X[test])
    print(f"  test log-loss {log_loss(y[test], proba):.3f}", end=", ")
    print(f"accuracy {search.best_estimator_.score(X[test], y[test]):.3f}")

# %%
# The grids
# ---------
# Each cell is the mean log-loss of the five folds, and the best cell is framed. Many of
# the 30 measurements say much the same. L1 picks a few of these measurements and L2
# uses all, and L1 is a little better. If most columns are noise, L1 is better by more:
# L1 drops the noise.
n_kept = (best.coef_[0, 30:] != 0).sum()
print(f"weights of columns of noise that are not zero: {n_kept} of 50")

figure, all_axes = plt.subplots(
    1, 2, figsize=(7, 5.4), sharey=True, layout="constrained"
)
for axes, (name, search) in zip(all_axes, searches.items(), strict=True):
    losses = -search.cv_results_["mean_test_score"]
    losses = losses.reshape(len(alphas), len(l1_ratios))
    image = axes.imshow(losses, cmap="Greys", vmin=0.05, vmax=0.3, aspect="auto")
    for (i, j), loss in np.ndenumerate(losses):
        color = "white" if loss > 0.18 else "black"
        axes.text(j, i, f"{loss:.3f}", ha="center", va="center", color=color)
    i, j = np.unravel_index(losses.argmin(), losses.shape)
    frame = plt.Rectangle((j - 0.45, i - 0.45), 0.9, 0.9, fill=False, linewidth=2.5)
    axes.add_patch(frame)
    axes.set_xticks(range(len(l1_ratios)), labels=l1_ratios)
    axes.set_yticks(range(len(alphas)), labels=[f"{alpha:.1g}" for alpha in alphas])
    axes.set(xlabel="l1_ratio", title=name)
all_axes[0].set_ylabel("alpha")
figure.colorbar(image, ax=all_axes, label="log-loss in cross-validation (nats)")

# %%
# For alpha alone, a path
# -----------------------
# A grid search begins each fit from zero. If only alpha is to be chosen, a loop over
# the folds with ``warm_start=True``, from strong to weak, takes fewer steps.
losses, n_steps = np.zeros(len(alphas)), {"warm": 0, "cold": 0}
for fit, validate in folds.split(X[train], y[train]):
    scaler = StandardScaler().fit(X[train][fit])
    X_fit, X_val = (scaler.transform(X[train][rows]) for rows in (fit, validate))
    y_fit, y_val = y[train][fit], y[train][validate]
    warm = SoftmaxRegressionClassifier(l1_ratio=1, warm_start=True)
    cold = SoftmaxRegressionClassifier(l1_ratio=1)
    for i, alpha in enumerate(alphas):
        warm.set_params(alpha=alpha).fit(X_fit, y_fit)
        cold.set_params(alpha=alpha).fit(X_fit, y_fit)
        n_steps["warm"] += warm.n_iter_
        n_steps["cold"] += cold.n_iter_
        losses[i] += log_loss(y_val, warm.predict_proba(X_val)) / folds.get_n_splits()
best = losses.argmin()
print(f"a path chooses alpha={alphas[best]:.1g}, log-loss {losses[best]:.3f}")
print(f"passes over the rows: {n_steps['warm']} warm, {n_steps['cold']} cold")

plt.show()
