"""
A linear probe of embeddings, and how strong its penalty should be
==================================================================

A linear probe is a softmax regression on the outputs of a network that is not trained.
The probe tells what the network has made easy to see, and often the probe is classifier
enough. The one parameter is the strength of the penalty. This example follows a path of
penalties, each fit starting from the last fit, and validation rows choose.
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

from sksoftmax import SoftmaxRegressionClassifier

n_samples, n_features, n_classes = 10000, 64, 200
rng = np.random.default_rng(0)
y = rng.integers(n_classes, size=n_samples)
centres = rng.normal(size=(n_classes, n_features))
X = centres[y] + rng.normal(scale=2, size=(n_samples, n_features))
X = X.astype(np.float32)

X_train, X_val, X_test = np.split(X, [6000, 8000])
y_train, y_val, y_test = np.split(y, [6000, 8000])

# %%
# From strong to weak
# -------------------
# ``warm_start=True`` makes a fit begin with the weights of the fit before. A strong
# penalty leaves weights small, and small weights are learned soonest. So the path goes
# from strong to weak, and each fit has only the difference to learn. (One thread is
# enough for matrices of this size.)
alphas = np.logspace(-1, -4, 7)


def path(clf):
    """Fit for one alpha after the other; return the scores and the epochs."""
    rows = []
    for alpha in alphas:
        clf.set_params(alpha=alpha).fit(X_train, y_train)
        scores = []
        for X, y in [(X_val, y_val), (X_test, y_test)]:
            proba = clf.predict_proba(X)
            right = (clf.classes_[proba.argmax(axis=1)] == y).mean()
            scores += [right, log_loss(y, proba, labels=clf.classes_)]
        rows.append([*scores, proba.max(axis=1).mean(), clf.n_iter_])
    return np.array(rows).T


with threadpool_limits(1):
    warm = path(SoftmaxRegressionClassifier(warm_start=True, random_state=0))
val_accuracy, val_loss, test_accuracy, test_loss, confidence, epochs = warm

print("  alpha  validation: accuracy  log-loss  epochs")
for alpha, accuracy, loss, n_iter in zip(
    alphas, val_accuracy, val_loss, epochs, strict=True
):
    print(f"{alpha:7.0e}{accuracy:22.3f}{loss:10.3f}{n_iter:8.0f}")

# %%
# Cold starts begin with weights of zero. If the penalty is weak, cold starts take more
# epochs, and reach about the same models. (If your models differ by more, lower
# ``tol``.)
with threadpool_limits(1):
    cold = path(SoftmaxRegressionClassifier(random_state=0))
print(f"epochs: warm starts {epochs.sum():.0f}, cold starts {cold[-1].sum():.0f}")
print(f"validation log-losses differ by at most {np.abs(cold[1] - val_loss).max():.3f}")

# %%
# Which alpha?
# ------------
# Validation rows choose, and test rows measure the choice. Accuracy and log-loss prefer
# different penalties. A rather strong penalty most often puts the right class first.
# The confidence, the mean probability of the predicted class, is then far below the
# share that is right. A weak penalty makes the confidence too large. Take log-loss if
# you use the probabilities, and accuracy if you use only the predictions.
by_loss, by_accuracy = val_loss.argmin(), val_accuracy.argmax()
for name, i in {"log-loss": by_loss, "accuracy": by_accuracy}.items():
    print(
        f"best validation {name:8}: alpha={alphas[i]:.0e}, test accuracy "
        f"{test_accuracy[i]:.3f}, confidence {confidence[i]:.3f}, log-loss "
        f"{test_loss[i]:.3f}"
    )

i = len(alphas) - 1
print(
    f"weakest penalty: alpha={alphas[i]:.0e}, test accuracy {test_accuracy[i]:.3f}, "
    f"confidence {confidence[i]:.3f}, log-loss {test_loss[i]:.3f}"
)

figure, (upper, lower) = plt.subplots(
    2, 1, figsize=(6.4, 7), sharex=True, layout="constrained"
)
for axes, of_val, of_test, best in [
    (upper, val_accuracy, test_accuracy, by_accuracy),
    (lower, val_loss, test_loss, by_loss),
]:
    axes.semilogx(alphas, of_val, "-o", color="black", label="validation rows")
    axes.semilogx(alphas, of_test, "--s", color="0.55", label="test rows")
    axes.plot(
        *(alphas[best], of_val[best]),
        marker="o",
        markersize=14,
        markerfacecolor="none",
        color="black",
        linestyle="none",
        label="best for validation rows",
    )
    axes.grid(color="0.9")
upper.set(ylabel="accuracy (share of rows)", title="A path of penalties")
lower.set(ylabel="log-loss (nats)", xlabel="alpha, strength of the penalty")
lower.invert_xaxis()
lower.legend()

plt.show()
