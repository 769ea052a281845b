"""
Handwritten digits, from pixels to probabilities
================================================

This example trains softmax regression on small images of handwritten digits, and shows
what the model has learnt. There are its weights, its probabilities and its errors. The
images are embedded in scikit-learn, so nothing is downloaded.
"""

# %%
# Data and model
# --------------
# An image is a row of 64 pixels, with values from 0 (paper) to 16 (ink). Three fifths
# of the images are for training. A fifth tells when to stop, and a fifth is the test.
# Minibatches of 64 rows make several epochs, so there is a curve to look at. By default
# these few images would be one batch.
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inspection import CoefficientImageDisplay, LossCurveDisplay

# sphinx_gallery_start_ignore
plt.switch_backend("Agg")  # draw to files, not to windows
# sphinx_gallery_end_ignore
X, y = load_digits(return_X_y=True)
X_rest, X_test, y_rest, y_test = train_test_split(
    X / 16, y, test_size=0.2, stratify=y, random_state=0
)
X_train, X_val, y_train, y_val = train_test_split(
    X_rest, y_rest, test_size=0.25, stratify=y_rest, random_state=0
)

clf = SoftmaxRegressionClassifier(
    batch_size=64, n_iter_no_change=3, random_state=0, verbose=1
)
start = perf_counter()
clf.fit(X_train, y_train, X_val=X_val, y_val=y_val)
seconds = perf_counter() - start
print(f"\nTraining on {len(X_train)} images took {seconds:.2f} seconds.")
print(f"{clf.score(X_test, y_test):.1%} of {len(X_test)} test images are read right.")

# %%
# The course of training
# ----------------------
# Training lowers the objective, which is the mean loss of the training images and the
# penalty. The validation images are not trained on. Their loss tells how well the model
# reads new images. Both are in nats, the unit of natural logarithms, and a nat is 1.44
# bits. Training ends once three epochs gain little, and keeps the epoch with the lowest
# validation loss.
figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
LossCurveDisplay.from_estimator(clf, name="digits", ax=axes)
figure.suptitle("Both losses level off, and that of new images is higher")

# %%
# Bits of surprise
# ----------------
# The surprisal of a label is -log2 of the label's probability under the model, in bits.
# A certain label has 0 bits, and the toss of a coin 1 bit. A model that knows nothing
# gives each of the ten digits a probability of 1/10, which makes log2(10) bits.
surprisal = clf.surprisal(X_test, y_test)
print(f"Knowing nothing costs log2(10) = {np.log2(10):.2f} bits for each digit.")
print(f"The model needs {surprisal.mean():.2f} bits for a test digit on average.")
print(f"Half of the test digits need less than {np.median(surprisal):.3f} bits.")

# %%
# The weights of each class
# -------------------------
# Each class has a weight for each pixel. Ink on a pixel with a positive weight speaks
# for the class, and ink on a pixel with a negative weight against the class. A zero
# has a hole: ink in the middle speaks against a zero.

# sphinx_gallery_thumbnail_number = 2
figure, all_axes = plt.subplots(2, 5, figsize=(5.2, 2.9), layout="constrained")
CoefficientImageDisplay.from_estimator(clf, image_shape=(8, 8), ax=all_axes)
limit = np.abs(clf.coef_).max()
for axes, weights in zip(all_axes.flat, clf.coef_.reshape(-1, 8, 8), strict=True):
    rows, columns = np.nonzero(weights < -limit / 6)
    axes.scatter(columns, rows, s=7, marker="_", color="black")
figure.suptitle(
    "Ink on purple pixels speaks for a digit,\non orange pixels (-) against it"
)

# %%
# One digit and its ten probabilities
# -----------------------------------
# The test digit in which the model is least sure has the probabilities of a guess
# between some digits. The other probabilities are nearly zero.
i = clf.predictive_entropy(X_test).argmax()
proba = clf.predict_proba(X_test[i : i + 1])[0]


def draw_image(axes, pixels, title):
    """Draw a row of pixels as an image."""
    axes.imshow(pixels.reshape(8, 8), cmap="Greys")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=11)


figure, (left, right) = plt.subplots(
    1, 2, figsize=(5.2, 3.6), width_ratios=[1, 1.4], layout="constrained"
)
draw_image(left, X_test[i], f"true digit: {y_test[i]}")
colors = np.where(clf.classes_ == y_test[i], "#0072b2", "0.75")
bars = right.barh(clf.classes_, proba, color=colors, edgecolor="black")
labels = [f"{p:.2f}" for p in proba]
labels[y_test[i]] += " true"
right.bar_label(bars, labels, padding=3)
right.set(xlabel="probability", ylabel="digit", xlim=(0, 1), yticks=clf.classes_)
right.invert_yaxis()
figure.suptitle(
    f"The least certain test digit: the true {y_test[i]} gets {proba[y_test[i]]:.2f}"
)

# %%
# The largest surprises
# ---------------------
# These are the test digits whose true class gets the smallest probability. The model
# takes most of them for another digit, and people would hesitate at some.
predicted = clf.predict(X_test)
figure, all_axes = plt.subplots(2, 4, figsize=(5.2, 4), layout="constrained")
for axes, i in zip(all_axes.flat, np.argsort(-surprisal), strict=False):
    title = f"true {y_test[i]}, read {predicted[i]}\n{surprisal[i]:.1f} bits"
    draw_image(axes, X_test[i], title)
figure.suptitle("The test digits that surprise the model most")

# %%
# Confused digits
# ---------------
# A row of the matrix has the images of one true digit, and a column those that the
# model reads as one digit. Off the diagonal are the errors.
figure, axes = plt.subplots(figsize=(5.2, 5), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    y_test, predicted, cmap="Greys", ax=axes, colorbar=False
)
axes.set(xlabel="read as", ylabel="true digit")
figure.suptitle(
    f"{np.sum(predicted == y_test)} of {len(y_test)} test digits are read right"
)
# sphinx_gallery_start_ignore
import sys

# As a program, write the pictures to files, and say what is to be seen.
if "sphinx_gallery" not in sys.modules:
    names = ["loss_curve", "weights", "one_digit", "surprisal", "confusion_matrix"]
    for name, number in zip(names, plt.get_fignums(), strict=True):
        figure = plt.figure(number)
        figure.savefig(f"digits_{name}.png", dpi=120)
        print(f"wrote digits_{name}.png: {figure.get_suptitle()}")
# sphinx_gallery_end_ignore
