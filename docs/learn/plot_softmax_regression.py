"""
Softmax regression, from pixels to probabilities
================================================

A machine can tell a picture of a 3 from one of an 8 by about a hundred lines of code.
This page explains these lines, and what our estimator adds to them. You need to know
what a matrix product and a derivative are. Every number below is computed when this
page is built.
"""

# %%
# Classes and one-hot labels
# --------------------------
# The answer in **classification** is one of q classes: is the animal a cat, a chicken
# or a dog? Classes have no order and no distance. Numbering the classes 1, 2, 3 would
# tell the machine something false: that the chicken lies between the other two. A
# **one-hot label** says what is known and no more. The label has a place for each
# class, a one in the place of the right class and zeros elsewhere:
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inspection import CoefficientImageDisplay

classes = ["cat", "chicken", "dog"]
one_hot = np.eye(3, dtype=int)
for name, label in zip(classes, one_hot, strict=True):
    print(f"{name:8s} {label}")

# %%
# A one-hot label is also a distribution: all of the probability lies on one class. A
# model that predicts a distribution can then be compared with the label.
#
# Four pixels and three classes
# -----------------------------
# Take the smallest pictures there are, of 2 x 2 grey pixels. **Flattened**, row after
# row, a picture is four numbers, the features :math:`x_1, \ldots, x_4`. Each class gets
# a raw prediction (or score), called :math:`o`, and each pixel speaks for or against
# the class by a weight. An offset b, the bias or intercept, is added:
#
# .. math::
#
#    o_1 &= x_1 w_{11} + x_2 w_{12} + x_3 w_{13} + x_4 w_{14} + b_1 \\
#    o_2 &= x_1 w_{21} + x_2 w_{22} + x_3 w_{23} + x_4 w_{24} + b_2 \\
#    o_3 &= x_1 w_{31} + x_2 w_{32} + x_3 w_{33} + x_4 w_{34} + b_3
#
# These equations are one **affine transformation**, :math:`o = W x + b`, with a weight
# for each pair of class and pixel and a bias for each class.
picture = np.array([[0.0, 0.9], [0.2, 0.8]])
x = picture.reshape(-1)
rng = np.random.default_rng(0)
W, b = rng.normal(size=(3, 4)), np.zeros(3)
print("flattened:", x)
print("scores:   ", (W @ x + b).round(2))
print(f"{W.size} weights and {b.size} biases")

# %%
# Real pictures are flattened alike. Pictures of 28 x 28 pixels have 784 features:
large = np.zeros((28, 28))
d = large.reshape(-1).size
q = 10
print(f"{d} features and {q} classes: {d * q} weights and {q} biases")

# %%
# Each output depends on each input. In the language of neural networks this
# transformation is a single, **fully connected** layer. The layer has d q weights,
# takes as many multiplications for a picture, and forgets which pixels are neighbours.
# Shuffle the pixels of all pictures in the same way, and you get the same predictions.
#
# For many classes of wide features d q is a large number. A sum of n Kronecker products
# (Zhang et al. 2021) needs about an n-th of the numbers, plus n x n x n.
# ``phm_order=n`` uses such a sum, with a loss of quality that depends on the data;
# :doc:`/auto_examples/plot_fewer_weights` shows the loss.
for n in (2, 5, 10):
    print(f"n = {n}: about {d * q // n + n**3} numbers instead of {d * q}")

# %%
# Softmax
# -------
# Scores are any numbers. Probabilities must be at least zero and sum to one. The
# **softmax** turns scores into probabilities,
#
# .. math::
#
#    \hat y_j = \frac{\exp(o_j)}{\sum_k \exp(o_k)},
#
# in which :math:`\exp` makes all of them positive and the division makes their sum one.
# The order stays as it was, so the class with the largest score is the most probable
# class. A model whose scores are affine is called linear although its probabilities are
# not.
#
# This formula breaks soon: exp(1000) is more than a computer holds. But a number that
# is added to all scores cancels out. So we subtract the largest score: then the largest
# exponential is exp(0) = 1, and nothing can overflow.


def softmax(o):
    """Return the probabilities of each row of scores."""
    shifted = np.exp(o - o.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


scores = np.array([[1.0, 2.0, 3.0], [1001.0, 1002.0, 1003.0]])
print(softmax(scores).round(4))

# %%
# Minibatches
# -----------
# Pictures come in numbers. n pictures make a matrix X of n rows. The scores of all
# pictures are one product, :math:`O = X W^\top + b`, and the probabilities are one
# softmax for each row. A computer does one large product much faster than n small ones.
# This speed is half of the reason for **minibatches** of a few hundred pictures. (The
# other half is noise: see below.)
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
batch = X_train[:256]
W, b = np.zeros((10, 64)), np.zeros(10)
proba = softmax(batch @ W.T + b)
print("digits of 8 x 8 pixels, a minibatch:", batch.shape)
print("its probabilities:", proba.shape, "all", proba[0, 0])

# %%
# Cross-entropy, as likelihood and as surprise
# --------------------------------------------
# How good are predicted probabilities? The model gives the labels that were seen a
# probability: the product, over all pictures, of the probability of the right class.
# The best model is the one that makes this product largest (**maximum likelihood**).
# Products of thousands of small numbers underflow, sums of their logarithms do not, so
# we minimise
#
# .. math::
#
#    -\log P = \sum_i l(y_i, \hat y_i), \qquad
#    l(y, \hat y) = -\sum_j y_j \log \hat y_j.
#
# The loss :math:`l` is the **cross-entropy**. A one-hot label leaves one term, minus
# the logarithm of the probability of the right class.
#
# Information theory arrives at the same place. An event of probability p carries a
# **surprisal** of :math:`-\log_2 p` bits. A certain event has none, a coin has one, and
# a digit that cannot be guessed has :math:`\log_2 10`. The mean surprisal of a source
# is its **entropy**, the bits that are needed to describe its messages. An observer who
# believes in other probabilities than the true ones is surprised more often. The
# observer's mean surprisal is the cross-entropy. The cross-entropy is least, the
# entropy itself, if the observer believes the true probabilities.


def bits(p, believed):
    """Return the mean surprisal under p of who believes in other probabilities."""
    return -(p[p > 0] * np.log2(believed[p > 0])).sum()


coin, loaded = np.array([0.5, 0.5]), np.array([0.9, 0.1])
print(f"entropy of a fair coin: {bits(coin, coin):.3f} bits")
print(f"entropy of a loaded one: {bits(loaded, loaded):.3f} bits")
print(f"the loaded one, believed to be fair: {bits(loaded, coin):.3f} bits")
print(f"a digit that could be any: {np.log2(10):.3f} bits = {np.log(10):.3f} nats")

# %%
# Losses are usually given in nats, with the natural logarithm; a nat is 1.44 bits.
#
# The gradient
# ------------
# Put the softmax into the loss:
#
# .. math::
#
#    l = -\sum_j y_j \log \frac{\exp o_j}{\sum_k \exp o_k}
#      = \log \sum_k \exp o_k - \sum_j y_j o_j,
#
# as the :math:`y_j` sum to one. The derivative in a score is
#
# .. math::
#
#    \frac{\partial l}{\partial o_j}
#      = \frac{\exp o_j}{\sum_k \exp o_k} - y_j = \hat y_j - y_j.
#
# The gradient is the difference between prediction and label, which is as simple as a
# gradient can be. By the chain rule each weight's derivative is this difference times
# the weight's feature: for a minibatch, :math:`(\hat Y - Y)^\top X / n`. We check one
# derivative against the definition of a derivative.


def loss_gradient(W, b, X, Y):
    """Return the mean cross-entropy and its derivatives in W and b."""
    proba = softmax(X @ W.T + b)
    loss = -(Y * np.log(proba)).sum() / len(X)
    return loss, (proba - Y).T @ X / len(X), (proba - Y).sum(axis=0) / len(X)


Y_train = np.eye(10)[y_train]
loss, grad_W, grad_b = loss_gradient(W, b, X_train, Y_train)
moved = W.copy()
moved[3, 20] += 1e-6
difference = (loss_gradient(moved, b, X_train, Y_train)[0] - loss) / 1e-6
print(f"loss of a model that knows nothing: {loss:.4f} = log 10")
print(f"a derivative: {grad_W[3, 20]:.6f}, and by a small step: {difference:.6f}")

# %%
# Minibatch SGD, in ten lines
# ---------------------------
# **Stochastic gradient descent** draws a minibatch, goes a step down its gradient, and
# repeats. A minibatch's gradient is the gradient of all pictures plus noise, at a
# fraction of the price. One round through all pictures is an **epoch**. The length of
# the steps is the **learning rate**, which someone has to choose.
batch_size, learning_rate, n_epochs = 64, 0.1, 10
W, b = np.zeros((10, 64)), np.zeros(10)
for _ in range(n_epochs):
    for start in range(0, len(X_train), batch_size):
        some = slice(start, start + batch_size)
        _, grad_W, grad_b = loss_gradient(W, b, X_train[some], Y_train[some])
        W -= learning_rate * grad_W
        b -= learning_rate * grad_b
accuracy = (softmax(X_test @ W.T + b).argmax(axis=1) == y_test).mean()
print(f"accuracy on test digits after {n_epochs} epochs: {accuracy:.3f}")

# %%
# The model predicts the most probable class, and **accuracy** is the share of pictures
# for which this class is the right one. Accuracy is the goal in the end, but training
# cannot use accuracy. Accuracy has no gradient: a small step changes accuracy not at
# all or all of a sudden.
#
# The same with the estimator
# ---------------------------
# ``SoftmaxRegressionClassifier`` has this algorithm inside, and its textbook setting
# takes the very same steps:
textbook = SoftmaxRegressionClassifier(
    learning_rate="constant",
    eta0=learning_rate,
    batch_size=batch_size,
    max_iter=n_epochs,
    alpha=0,
    average=False,
    shuffle=False,
    tol=None,
)
textbook.fit(X_train, y_train)
print(f"largest difference of a weight: {np.abs(textbook.coef_ - W).max():.1e}")
print(f"accuracy: {textbook.score(X_test, y_test):.3f}")

# %%
# The gain from automatic steps
# -----------------------------
# Without those settings the estimator does not ask for a learning rate. Some directions
# of the loss are steep and others flat, and a step that is right for steep directions
# is wrong for flat ones. The curvature of each direction can be measured on a sample of
# the pictures. Each step is multiplied by a matrix that makes up for the curvature, the
# *preconditioner*. So all directions, and features in any units, are trained at one
# speed. The length of the steps follows from the same curvature. The model is an
# average of the weights after each step, in which the noise of the minibatches cancels
# out. (:doc:`/algorithm` has the formulas.)
#
# Pictures that can be told apart without error have no best weights: larger weights
# always lower the loss. So a **penalty** is added, ``alpha`` times half the sum of the
# squares of the weights. The sum of loss and penalty is the **objective**. Four ways to
# minimise the objective, on minibatches of the same size, are these:
epochs = np.arange(1, 31)
by_hand = {"learning_rate": "constant"}
settings = {
    "learning rate 0.1": {**by_hand, "average": False},
    "learning rate 1": {**by_hand, "eta0": 1.0, "average": False},
    "learning rate 1, averaged": {**by_hand, "eta0": 1.0},
    "automatic steps, averaged": {},
}
styles = [":", "-.", "--", "-"]
figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
for (name, params), style in zip(settings.items(), styles, strict=True):
    clf = SoftmaxRegressionClassifier(
        batch_size=batch_size, max_iter=30, tol=None, random_state=0, **params
    )
    clf.fit(X_train, y_train)
    axes.semilogy(epochs, clf.loss_curve_, style, color="black", label=name)
    print(f"{name:26s} objective after 5 epochs {clf.loss_curve_[4]:.3f}")
axes.set(xlabel="epochs", ylabel="objective on the training digits (nats)")
axes.legend()
plt.show()

# %%
# The weights of each class
# -------------------------
# The default setting goes one step further. So few pictures are one batch, without any
# noise, and training stops near the optimum. A class's 64 weights are a picture too.
# Ink on a dark pixel speaks for the class, and ink on a light pixel speaks against the
# class.
clf = SoftmaxRegressionClassifier(random_state=0).fit(X_train, y_train)
display = CoefficientImageDisplay.from_estimator(clf, image_shape=(8, 8))
display.figure_.suptitle("The weights of each class")
plt.show()

# %%
proba = clf.predict_proba(X_test[:1])[0]
entropy = clf.predictive_entropy(X_test[:1])[0]
surprisal = clf.surprisal(X_test, y_test)
print("the first test digit:", dict(enumerate(proba.round(3).tolist())))
print(f"its entropy: {entropy:.3f} bits; predicted {proba.argmax()}, seen {y_test[0]}")
print(f"accuracy on the test digits: {clf.score(X_test, y_test):.3f}")
print(f"their mean surprisal, the cross-entropy: {surprisal.mean():.3f} bits")

# %%
# The next pages
# --------------
# :doc:`/auto_examples/plot_digits` does all of this in a Pipeline, with a confusion
# matrix. :doc:`/auto_examples/index` has recipes for text, embeddings, streams and
# more. :doc:`/parameters` maps the parameters of other libraries to ours.
