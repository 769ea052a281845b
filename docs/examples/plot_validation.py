"""
Early stopping on validation data of your own
=============================================

This example stops training by validation rows that you choose, and scales them in a
Pipeline. ``early_stopping=True`` sets rows aside at random. If rows come in groups,
such as images by the same writer, a random choice is too kind. The rows set aside then
resemble the training rows. In this case pass validation rows to ``fit``.
"""

# %%
# Three parts, in order
# ---------------------
# Neighbouring rows of the embedded digits are often by the same writer, so the digits
# are cut in order. The first part is for training, the second part says when to stop,
# and the third part is for the test.
import matplotlib.pyplot as plt
import sklearn
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inspection import LossCurveDisplay

X, y = load_digits(return_X_y=True)
X_train, y_train = X[:1000], y[:1000]
X_val, y_val = X[1000:1400], y[1000:1400]
X_test, y_test = X[1400:], y[1400:]

# %%
# Through a Pipeline
# ------------------
# The validation rows have to be scaled as the training rows are, and three settings
# make the Pipeline do so. Metadata routing is enabled, the classifier asks for
# ``X_val`` and ``y_val``, and ``X_val`` is to be transformed on its way.


def pipeline(**params):
    """Return a scaler and a classifier that trains in small batches."""
    clf = SoftmaxRegressionClassifier(batch_size=32, random_state=0, **params)
    clf.set_fit_request(X_val=True, y_val=True)
    return Pipeline(
        [("scale", StandardScaler()), ("classify", clf)], transform_input=["X_val"]
    )


models = {}
with sklearn.config_context(enable_metadata_routing=True):
    for alpha in [0, 1e-3, 1e-2]:
        model = pipeline(alpha=alpha, n_iter_no_change=5, tol=1e-3)
        model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
        models[f"alpha={alpha:g}"] = model

# %%
# The course of training
# ----------------------
# The objective, that is, log-loss and penalty on the training data, goes on falling.
# The dashed log-loss of the validation data soon stops falling. Training stops after
# five epochs without a new low, and the model is that of the best epoch, which is
# marked.
figure, axes = plt.subplots(figsize=(5.2, 5), layout="constrained")
for name, model in models.items():
    LossCurveDisplay.from_estimator(model, name=name, ax=axes)
axes.set(ylim=(0, 0.5), title="The loss of new rows soon stops falling")
axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.15))

# %%
# The loss of test rows
# ---------------------
# The same models are trained for 100 epochs, without validation data.
for name, model in models.items():
    classifier = model[-1]
    with sklearn.config_context(enable_metadata_routing=True):
        long = pipeline(alpha=classifier.alpha, max_iter=100, tol=None)
        long.fit(X_train, y_train)
    stopped_loss = log_loss(y_test, model.predict_proba(X_test))
    long_loss = log_loss(y_test, long.predict_proba(X_test))
    print(
        f"{name:11} test log-loss {stopped_loss:.3f} after {classifier.n_iter_} "
        f"epochs, {long_loss:.3f} after 100"
    )

# %%
# Stopping early matters most without a penalty: early stopping limits the weights, as a
# penalty does.
plt.show()
