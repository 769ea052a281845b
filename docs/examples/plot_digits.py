"""
Handwritten digits, from pixels to probabilities
================================================

This script trains on scikit-learn's embedded digits (8x8 pixels) in a Pipeline, prints
the results and draws them. The folder for the pictures is the argument, or else the
current folder::

    python docs/examples/plot_digits.py [folder]
"""

# %%
# Data and model
# --------------
# Images are flattened into rows of 64 pixels. A Pipeline of a scaler and the classifier
# is trained on four fifths of the images. Minibatches of 64 rows make several epochs,
# so there is a curve to look at; by default these 1437 images would be one batch.
import sys
from pathlib import Path

import matplotlib

if __name__ == "__main__":
    matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay, classification_report, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inspection import CoefficientImageDisplay, LossCurveDisplay

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data, digits.target, test_size=0.2, stratify=digits.target, random_state=0
)
model = make_pipeline(
    MinMaxScaler(),
    SoftmaxRegressionClassifier(batch_size=64, random_state=0, verbose=1),
)
model.fit(X_train, y_train)
classifier = model[-1]

# %%
# How good is it?
# ---------------
proba = model.predict_proba(X_test)
predicted = model.predict(X_test)
print(f"\ntest accuracy {model.score(X_test, y_test):.4f}")
print(f"test log-loss {log_loss(y_test, proba):.4f}\n")
print(classification_report(y_test, predicted))

figures = {}
display = LossCurveDisplay.from_estimator(model)
display.ax_.set_title("Objective after each epoch")
figures["loss_curve"] = display.figure_

figure, axes = plt.subplots(layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    y_test, predicted, cmap="Greys", ax=axes, colorbar=False
)
axes.set_title(f"Test digits: {np.sum(predicted == y_test)} of {len(y_test)} right")
figures["confusion_matrix"] = figure

# %%
# The weights of each class
# -------------------------
# Each class has a weight for each pixel. Ink on a pixel with a positive weight, dark in
# the picture, speaks for the class. Ink on a pixel with a negative weight, light in the
# picture, speaks against the class.
display = CoefficientImageDisplay.from_estimator(model, image_shape=(8, 8))
display.figure_.suptitle("The weights of each class")
figures["weights"] = display.figure_

# %%
# The largest surprises
# ---------------------
# The surprisal of a label is -log2 of the label's probability under the model, in bits.
# A certain label has 0 bits, and a toss of a coin 1 bit. The mean over the test digits
# is their cross-entropy.
surprisal = classifier.surprisal(model[:-1].transform(X_test), y_test)
most_surprising = np.argsort(surprisal)[::-1][:10]
print(f"mean surprisal of the test labels: {surprisal.mean():.3f} bits")

figure, all_axes = plt.subplots(2, 5, figsize=(8, 4.4), layout="constrained")
for axes, i in zip(all_axes.flat, most_surprising, strict=True):
    axes.imshow(X_test[i].reshape(8, 8), cmap="Greys")
    axes.set(xticks=[], yticks=[])
    axes.set_title(
        f"{y_test[i]}, taken for {predicted[i]}\n{surprisal[i]:.1f} bits", fontsize=10
    )
figure.suptitle("Test digits with the largest surprisal")
figures["surprisal"] = figure

# %%
# One digit and its ten probabilities
# -----------------------------------
i = most_surprising[0]
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
left.imshow(X_test[i].reshape(8, 8), cmap="Greys")
left.set(title=f"A {y_test[i]}", xticks=[], yticks=[])
right.axis("off")
cells = [[digit, f"{p:.4f}"] for digit, p in enumerate(proba[i])]
table = right.table(cells, colLabels=["digit", "probability"], loc="center")
table.scale(1, 1.4)
for column in range(2):
    table[int(predicted[i]) + 1, column].set_text_props(weight="bold")
right.set_title("What the model says")
figures["one_digit"] = figure

# %%
# The figures are shown in a notebook or a gallery, and written to files by the program.
if __name__ == "__main__" and "sphinx_gallery" not in sys.modules:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        path = folder / f"digits_{name}.png"
        figure.savefig(path, dpi=120)
        print(f"wrote {path}")
