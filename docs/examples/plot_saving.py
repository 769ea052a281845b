"""
Save a model, and serve it elsewhere
====================================

This example saves a fitted model in several ways, and compares the predictions of the
loaded models and the sizes of the files. The formats pickle and joblib keep everything,
and skops is safe to load. ``to_logistic_regression`` serves tools that know
scikit-learn, and ONNX serves systems without Python.

The script needs ``python -m pip install ".[plot,onnx]" skops`` in the project's folder.
"""

# %%
# A model to save
# ---------------
# The model is a scaler and the classifier. Training uses minibatches of the digits, as
# larger data would.
import pickle
import tempfile
import zipfile
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import skl2onnx
import skops.io
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sksoftmax.onnx
from sksoftmax import SoftmaxRegressionClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
clf = SoftmaxRegressionClassifier(batch_size=256, random_state=0)
pipeline = make_pipeline(StandardScaler(), clf).fit(X_train, y_train)
proba = pipeline.predict_proba(X_test)
print(f"test accuracy {pipeline.score(X_test, y_test):.3f}")

folder = tempfile.TemporaryDirectory()
paths, loaded = {}, {}


def path(name, file):
    """Return where to write the file, and remember it for the comparison."""
    paths[name] = Path(folder.name, file)
    return paths[name]


# %%
# pickle and joblib
# -----------------
# Both keep all attributes, and ``partial_fit`` can go on from the file. After
# minibatches, most of the file is the preconditioner's sums over products of features,
# of size (n_features + 1)^2. Loading a pickle can run any code. Load only files that
# you trust. Another version of sksoftmax warns, and predicts as before.
with open(path("pickle", "model.pickle"), "wb") as file:
    pickle.dump(pipeline, file)
with open(paths["pickle"], "rb") as file:
    loaded["pickle"] = pickle.load(file).predict_proba(X_test)

joblib.dump(pipeline, path("joblib, compressed", "model.joblib"), compress=3)
model = joblib.load(paths["joblib, compressed"])
loaded["joblib, compressed"] = model.predict_proba(X_test)

# %%
# skops
# -----
# skops runs no code from the file, and loads unknown types only if you name the types.
# This package has one such type. Read the list before you trust a file of somebody
# else.
skops.io.dump(pipeline, path("skops", "model.skops"))
skops.io.dump(
    pipeline,
    path("skops, compressed", "compressed.skops"),
    compression=zipfile.ZIP_DEFLATED,
)
print("not known to skops:", skops.io.get_untrusted_types(file=paths["skops"]))
trusted = ["sksoftmax._classifier.SoftmaxRegressionClassifier"]
for name in ["skops", "skops, compressed"]:
    model = skops.io.load(paths[name], trusted=trusted)
    loaded[name] = model.predict_proba(X_test)

# %%
# As a LogisticRegression
# -----------------------
# ``to_logistic_regression`` returns a fitted ``LogisticRegression`` with the same
# predictions. Loading this model needs scikit-learn alone.
model = make_pipeline(*pipeline[:-1], pipeline[-1].to_logistic_regression())
with open(path("LogisticRegression", "logistic_regression.pickle"), "wb") as file:
    pickle.dump(model, file)
with open(paths["LogisticRegression"], "rb") as file:
    loaded["LogisticRegression"] = pickle.load(file).predict_proba(X_test)

# %%
# ONNX
# ----
# After ``register`` skl2onnx can convert the classifier, in a Pipeline too. A server of
# the file needs onnxruntime alone. The rows given to skl2onnx set the dtypes of X and
# of the probabilities: float32 is usual and costs some digits. The weights keep the
# dtype of ``coef_``, so a fit on float32 makes the file smaller.
sksoftmax.onnx.register()
for dtype in (np.float32, np.float64):
    name = f"ONNX, {np.dtype(dtype)}"
    converted = skl2onnx.to_onnx(
        pipeline, X_test[:1].astype(dtype), options={"zipmap": False}
    )
    path(name, f"{np.dtype(dtype)}.onnx").write_bytes(converted.SerializeToString())
    session = onnxruntime.InferenceSession(paths[name])
    _, loaded[name] = session.run(None, {"X": X_test.astype(dtype)})

# %%
# Equal predictions, different sizes
# ----------------------------------
sizes = {name: file.stat().st_size / 1000 for name, file in paths.items()}
for name, size in sizes.items():
    difference = np.abs(loaded[name] - proba).max()
    print(f"{name:20}{size:6.1f} kB, probabilities differ by at most {difference:.0e}")

figure, axes = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
bars = axes.barh(list(sizes), list(sizes.values()), color="0.6", edgecolor="black")
axes.bar_label(bars, fmt="%.1f", padding=3)
axes.invert_yaxis()
axes.margins(x=0.2)
axes.set(xlabel="size of the file (kB)", title="Files that only predict are small")

# %%
# Files that only predict are small: ONNX and ``LogisticRegression`` hold the weights
# and the scaler, and little more. (So these files cannot go on with ``partial_fit``.)
# pickle is the simplest way for a model that stays with Python and with you. Take skops
# for files that come from somebody else.
folder.cleanup()

plt.show()
