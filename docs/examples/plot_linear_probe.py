"""
A linear probe of embeddings
============================

This example trains a classifier on the embeddings of a network, and lets validation
rows choose its penalty. Such a classifier is called a linear probe, and the network is
not trained. The probe tells what the network has made easy to see, and often the probe
is classifier enough.
"""

# %%
# Embeddings of 200 classes
# -------------------------
# The embeddings of this example are made up: a centre for each class and noise around
# the centre. Real embeddings come from a network, in float32. The 30 rows a class are
# few for 64 features, as is usual for a probe, so the penalty matters.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.inspection import PenaltyPathDisplay

n_samples, n_features, n_classes = 10000, 64, 200
rng = np.random.default_rng(0)
y = rng.integers(n_classes, size=n_samples)
centres = rng.normal(size=(n_classes, n_features))
X = centres[y] + rng.normal(scale=2, size=(n_samples, n_features))
X = X.astype(np.float32)

X_train, X_val, X_test = np.split(X, [6000, 8000])
y_train, y_val, y_test = np.split(y, [6000, 8000])

# %%
# Validation rows choose
# ----------------------
# The protocols of CLIP and DINOv2 train for each strength on the training rows. The
# accuracy on validation rows chooses, and the final model is trained on both kinds of
# rows. ``X_val`` and ``y_val`` do all of this in one call. (One thread is enough for
# matrices of this size.)
probes = {}
with threadpool_limits(1):
    for scoring in ["accuracy", "neg_log_loss"]:
        probe = SoftmaxRegressionClassifierCV(scoring=scoring)
        probe.fit(X_train, y_train, X_val=X_val, y_val=y_val)
        probes[scoring] = probe
        n_alphas, n_passes = len(probe.alphas_), probe.n_passes_
        print(f"{scoring}: {n_alphas} strengths in {n_passes} passes over the rows")


def draw_path(scoring, title):
    """Draw the scores of the validation rows along the path of penalties."""
    _, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
    PenaltyPathDisplay.from_estimator(probes[scoring], ax=axes)
    axes.set_title(title)


draw_path("accuracy", "Accuracy prefers a strong penalty")

# %%
# Accuracy and log-loss
# ---------------------
# The log-loss of the same rows prefers a weaker penalty. A rather strong penalty most
# often puts the right class first. The confidence, the mean probability of the
# predicted class, is then far below the share that is right. Take log-loss if you use
# the probabilities, and accuracy if you use only the predictions.
draw_path("neg_log_loss", "Log-loss prefers a weaker penalty")

# %%
# Test rows show both sides of the choice.


def describe(name, clf):
    """Print how good the predictions and the probabilities are on test rows."""
    proba = clf.predict_proba(X_test)
    print(
        f"{name:24} accuracy {clf.score(X_test, y_test):.3f}, confidence "
        f"{proba.max(axis=1).mean():.3f}, log-loss {log_loss(y_test, proba):.3f}"
    )


for scoring, probe in probes.items():
    describe(f"{scoring}, alpha={probe.alpha_:.2g}", probe)

# %%
# What the validation rows add
# ----------------------------
# The final model has also seen the validation rows. A model of the training rows alone,
# with the same strength, is worse.
alpha = probes["neg_log_loss"].alpha_
with threadpool_limits(1):
    clf = SoftmaxRegressionClassifier(alpha=alpha, random_state=0).fit(X_train, y_train)
describe("training rows alone", clf)

plt.show()
