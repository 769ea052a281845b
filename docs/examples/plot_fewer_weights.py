"""
A fraction of the weights
=========================

This example trains models that describe all weights by a fraction of the numbers.
Softmax regression has a weight for each feature and class. There are 640 weights for
8x8 images of ten digits, and millions for wide features of many classes.
``phm_order=n`` makes the weights a sum of n Kronecker products (parameterised
hypercomplex multiplication, Zhang et al. 2021). About an n-th of the numbers is left.
"""

# %%
# Fewer and fewer
# ---------------
# A larger n makes the factors smaller, except the n x n x n numbers that mix the
# factors.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inspection import CoefficientImageDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)

full = SoftmaxRegressionClassifier(random_state=0).fit(X_train, y_train)
score = full.score(X_test, y_test)
print(f"all weights: {full.coef_.size} numbers, accuracy {score:.3f}")
models = {}
for n in (2, 4, 5):
    clf = SoftmaxRegressionClassifier(phm_order=n, tol=1e-3, random_state=0)
    models[n] = clf.fit(X_train, y_train)
    score = clf.score(X_test, y_test)
    print(f"phm_order={n}: {clf.n_parameters_} numbers, accuracy {score:.3f}")


# %%
# The weights as images
# ---------------------
# Purple pixels speak for a class, and orange ones (with a minus) against it. The first
# picture has all weights, each free to be another number.


def draw_weights(clf, title):
    """Draw the weights of each class as an image, with a minus on negative ones."""
    figure, all_axes = plt.subplots(2, 5, figsize=(5.2, 3.2), layout="constrained")
    CoefficientImageDisplay.from_estimator(clf, image_shape=(8, 8), ax=all_axes)
    limit = np.abs(clf.coef_).max()
    for axes, weights in zip(all_axes.flat, clf.coef_.reshape(-1, 8, 8), strict=True):
        rows, columns = np.nonzero(weights < -limit / 6)
        axes.scatter(columns, rows, s=7, marker="_", color="black")
    figure.suptitle(title)


draw_weights(full, f"{full.coef_.size} numbers: each weight is free")

# %%
# The second picture has weights that share patterns. The same small patterns look at
# each part of the image, mixed in a different way for each class.

# sphinx_gallery_thumbnail_number = 2
draw_weights(models[5], f"{models[5].n_parameters_} numbers: weights share patterns")

# %%
# The factors
# -----------
# ``coef_`` is there as always. Its numbers come from the factors, and a pickle or an
# ONNX file holds the factors alone. In the order of features ``phm_permutation_``,
# ``coef_`` is the sum of ``kron(A, S)``, cut to the shape of ``coef_``.
clf = models[5]
total = sum(map(np.kron, clf.phm_A_, clf.phm_S_))
weights = np.empty_like(total)
weights[:, clf.phm_permutation_] = total
difference = np.abs(weights[:10, :64] - clf.coef_).max()
print(f"largest difference from coef_: {difference:.0e}")

# %%
# Another seed, another solution
# ------------------------------
# The problem is no longer convex, so another seed finds another solution. Validation
# data tell how good each solution is.
scores = [
    clf.set_params(random_state=seed).fit(X_train, y_train).score(X_test, y_test)
    for seed in range(5)
]
print("accuracy with five seeds:", np.round(scores, 3))

plt.show()
