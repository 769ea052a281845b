"""
Callbacks: watch a training, record it, stop it
===============================================

This example passes callbacks to the classifier, which are objects that ``fit`` calls
after each epoch. They record scores, keep the model of each epoch, or stop the
training. Callbacks are scikit-learn's, from version 1.9 on. ``verbose=1``,
``loss_curve_`` and validation rows work in older versions, too.
"""

# %%
# A score for each epoch
# ----------------------
# ``set_callbacks`` adds callbacks to a classifier, and ``fit`` then reports to them.
# scikit-learn's ``ScoringMonitor`` scores the training rows. (Its ``ProgressBar`` needs
# the package rich, and draws a bar in the terminal.)
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

# sphinx_gallery_start_ignore
if not hasattr(SoftmaxRegressionClassifier, "set_callbacks"):
    print("This example needs the callbacks of scikit-learn 1.9 or newer.")
    raise SystemExit
# sphinx_gallery_end_ignore
from sklearn.callback import ScoringMonitor

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X / 16, y, random_state=0)
params = {"batch_size": 64, "random_state": 0}

monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
clf = SoftmaxRegressionClassifier(**params).set_callbacks(monitor)
clf.fit(X_train, y_train)
epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
for row in epochs[:3]:
    print(
        f"epoch {row['task_id'] + 1}: accuracy {row['accuracy']:.3f}, "
        f"log-loss {-row['neg_log_loss']:.3f}"
    )
print(f"... {len(epochs)} epochs, accuracy {epochs[-1]['accuracy']:.3f} at the end")


# %%
# A callback of your own
# ----------------------
# A callback is any object with four methods. ``fit`` calls ``setup`` and ``teardown``
# at its begin and end, and the other two around each task. The name of a task is "fit"
# or "epoch". A method gets those of the arguments that it names. One of them,
# ``fitted_estimator``, is the model as if training ended now: it can predict.
class Callback:
    """A callback that does nothing yet."""

    def setup(self, estimator, context):
        """Prepare for a fit."""

    def teardown(self, estimator, context):
        """Clean up after a fit, also after an error."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing before an epoch."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        """Do nothing after an epoch."""


class Recorder(Callback):
    """Keep the weights of each epoch, and the accuracy on validation rows."""

    def setup(self, estimator, context):
        """Begin with nothing."""
        self.weights, self.accuracies = [], []

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        """Add what the model of this epoch has."""
        if context.task_name == "epoch":
            self.weights.append(fitted_estimator.coef_.copy())
            self.accuracies.append(fitted_estimator.score(X_val, y_val))


recorder = Recorder()
clf.set_callbacks(recorder).fit(X_train, y_train)
print(f"recorded {len(recorder.weights)} epochs")

# %%
# Accuracy during training
# ------------------------
# The accuracy on rows that are not trained on changes little after the first epochs,
# although training goes on to lower the objective.
figure, axes = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
numbers = np.arange(len(epochs)) + 1
axes.plot(
    numbers,
    [row["accuracy"] for row in epochs],
    "-o",
    color="black",
    label="training rows (ScoringMonitor)",
)
axes.plot(
    numbers,
    recorder.accuracies,
    "--s",
    color="#d55e00",
    label="validation rows (Recorder)",
)
axes.set(
    xlabel="epoch",
    ylabel="accuracy",
    xticks=numbers,
    title="New rows gain little after the first epochs",
)
axes.legend()

# %%
# The weights as they grow
# ------------------------
# The pictures show the weights of one class. Purple pixels speak for a three, and
# orange ones (with a minus) against a three. The pattern is there after one epoch, and
# grows stronger.

# sphinx_gallery_thumbnail_number = 2
shown = np.unique(np.geomspace(1, len(recorder.weights), 4).round().astype(int))
limit = np.abs([weights[3] for weights in recorder.weights]).max()
figure, all_axes = plt.subplots(2, 2, figsize=(5.2, 4.6), layout="constrained")
for axes, epoch in zip(all_axes.flat, shown, strict=True):
    weights = recorder.weights[epoch - 1][3].reshape(8, 8)
    image = axes.imshow(weights, cmap="PuOr", vmin=-limit, vmax=limit)
    rows, columns = np.nonzero(weights < -limit / 6)
    axes.scatter(columns, rows, s=24, marker="_", color="black")
    axes.set(xticks=[], yticks=[], title=f"epoch {epoch}")
figure.colorbar(image, ax=all_axes, label="weight", shrink=0.8)
figure.suptitle("Purple speaks for a three, orange (-) against it")


# %%
# Stop when it is good enough
# ---------------------------
# A callback that returns True stops the training. The model of that epoch stays.
class StopAt(Callback):
    """Stop as soon as the accuracy on validation rows is high enough."""

    def __init__(self, accuracy):
        self.accuracy = accuracy

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        """Return whether to stop."""
        if context.task_name == "epoch":
            return fitted_estimator.score(X_val, y_val) >= self.accuracy
        return False


clf.set_callbacks(StopAt(accuracy=0.95)).fit(X_train, y_train)
print(f"stopped after {clf.n_iter_} epochs: accuracy {clf.score(X_val, y_val):.3f}")


# %%
# A path of penalties
# -------------------
# ``SoftmaxRegressionClassifierCV`` reports each strength of the penalty as a task named
# "alpha". Its model has the strengths so far, and their scores.
class Reporter(Callback):
    """Print each strength and its score."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        """Print a line."""
        if context.task_name == "alpha":
            alpha = fitted_estimator.alphas_[-1]
            loss = -fitted_estimator.mean_score_[-1]
            print(f"alpha={alpha:.1e}: held-out log-loss {loss:.3f}")


chosen = SoftmaxRegressionClassifierCV().set_callbacks(Reporter())
chosen.fit(X_train, y_train)
print(f"chosen: {chosen.alpha_:.1e}")

plt.show()
