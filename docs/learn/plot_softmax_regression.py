"""
Softmax regression, from pixels to probabilities
================================================

This page follows one handwritten digit: from a picture to numbers, scores and
probabilities, and on to the step that improves the model. The page explains each idea
of softmax regression on the way.

You need to know what a matrix product and a derivative are. Every number on the page is
computed when the page is built. The blocks run in their order, with ``sksoftmax``, its
extra ``plot`` and pandas (:doc:`/install`). The code that draws the figures is left out
here; the script at the foot of the page has all of it. A table compares the `Symbols`_
of this page, of a textbook and of scikit-learn.
"""

# %%
# .. raw:: html
#
#    <style>
#    .bd-article details { margin: 0 0 1.2rem; padding: .4rem .9rem;
#      border: 1px solid var(--pst-color-border); border-radius: .3rem; }
#    .bd-article details > summary { cursor: pointer; font-weight: 600; }
#    .bd-article .output_html table { margin: .5rem 0 1rem; font-size: .9rem; }
#    .bd-article .output_html ~ br { display: none; }
#    .bd-article .output_html th, .bd-article .output_html td {
#      padding: .15rem .7rem; text-align: right; }
#    .bd-article .output_html tbody tr { border-top: 1px solid
#      var(--pst-color-border); }
#    </style>
#
# The data are the digits that scikit-learn embeds, of 8 x 8 pixels. A quarter of them
# is set aside as the **test set**. The model is fitted to the others, the training
# digits. `Training`_ explains this fit later; until then the finished model lends us
# its weights. Our digit is a training digit. The model is not certain of our digit, and
# its upper half could be that of a 9.
#
# The figure shows the digit as a picture, a strip of pixels, ten scores and ten
# probabilities. In all figures, the bar of the true class is blue and hatched.
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier

X, y = load_digits(return_X_y=True)
X = X / 16  # from white, 0, to black, 1
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
clf = SoftmaxRegressionClassifier().fit(X_train, y_train)

digit, label = X_train[1164], y_train[1164]
print(f"{len(X_train)} training digits and {len(X_test)} test digits")
print(f"our digit is a {label}; the model says {clf.predict([digit])[0]}")
# sphinx_gallery_start_ignore
import matplotlib.pyplot as plt

plt.rcParams.update(
    {
        "font.size": 13,
        "axes.titlesize": 13,
        "figure.titlesize": 14,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.constrained_layout.use": True,
        "figure.max_open_warning": 0,
    }
)
LIGHT, DARK, TRUE = "0.75", "0.3", "#0072b2"  # the true class is blue and hatched
FOR, AGAINST = "#542788", "#b35806"  # the ends of the map PuOr
DIGITS = [str(k) for k in range(10)]


def figure_of(title, *args, height=3.0, width=6.4, **kwargs):
    """Return a figure with a title, which is also its text for screen readers."""
    figure, axes = plt.subplots(*args, figsize=(width, height), **kwargs)
    figure.suptitle(title)
    return figure, axes


def draw_picture(ax, pixels, title=None, shape=(8, 8)):
    """Draw grey pixels."""
    ax.imshow(np.reshape(pixels, shape), cmap="Greys", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(True)


def draw_minus_signs(ax, values, limit, size=28):
    """Draw a minus sign on the large negative numbers, white on dark orange."""
    for color, low, high in [("black", -0.6, -0.2), ("white", -1.01, -0.6)]:
        where = (values >= low * limit) & (values < high * limit)
        rows, columns = np.nonzero(where)
        ax.scatter(columns, rows, marker="_", color=color, s=size, linewidth=size / 20)


def draw_signed(ax, values, limit, title=None, shape=(8, 8), marks=True):
    """Draw signed numbers: purple for, orange and a minus sign against."""
    values = np.reshape(values, shape)
    image = ax.imshow(values, cmap="PuOr", vmin=-limit, vmax=limit)
    if marks:
        draw_minus_signs(ax, values, limit)
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(True)
    return image


def draw_bars(ax, values, true=label, names=DIGITS, title=None, fmt=None):
    """Draw a bar for each class, with the true class marked."""
    bars = ax.bar(range(len(values)), values, color=LIGHT, edgecolor=DARK)
    if true is not None:
        bars[true].set(facecolor=TRUE, hatch="///", edgecolor="black")
    ticks = [f"{n}\ntrue" if k == true else n for k, n in enumerate(names)]
    ax.set_xticks(range(len(names)), ticks)
    ax.axhline(0, color=DARK, linewidth=0.8)
    ax.set_title(title)
    if fmt:
        ax.bar_label(bars, fmt=fmt, fontsize=11.5, padding=2)
        ax.margins(y=0.22)
    return bars


figure, axes = figure_of(
    f"Our digit, a {label}: from pixels to probabilities",
    1,
    4,
    height=3.1,
    width=7.2,
    gridspec_kw={"width_ratios": [3, 0.7, 3.2, 3.2]},
)
draw_picture(axes[0], digit, "picture")
draw_picture(axes[1], digit, "strip", (64, 1))
axes[1].set_aspect("auto")
for ax, values, title in [
    (axes[2], clf.decision_function([digit])[0], "scores"),
    (axes[3], clf.predict_proba([digit])[0], "probabilities"),
]:
    bars = ax.barh(range(10), values, color=LIGHT, edgecolor=DARK)
    bars[label].set(facecolor=TRUE, hatch="///", edgecolor="black")
    names = [f"true {k}" if k == label else str(k) for k in range(10)]
    ax.set_yticks(range(10), names)
    ax.invert_yaxis()
    ax.axvline(0, color=DARK, linewidth=0.8)
    ax.set_title(title)
plt.show()
# sphinx_gallery_end_ignore

# %%
# The question: which one
# -----------------------
#
# How much, or which one
# ^^^^^^^^^^^^^^^^^^^^^^
# **Regression** answers the question how much. **Classification** answers the question
# which one, out of q **classes**. Our digit has an answer to both questions.
#
# Each point of the figure is a training digit. The width counts the columns with a
# pixel darker than half; a little noise parts equal widths. The left line predicts a
# number, the ink, from the width of the digit. The right line predicts no number. The
# line is the border of two classes: the model says 0 below the line and 1 above. The
# right side shows only the digits 0 and 1, by the mean ink of the four pixels in the
# centre.
print(f"how much ink: {digit.sum():.1f} black pixels")
print(f"which digit: {label}")
# sphinx_gallery_start_ignore
figure, axes = figure_of(
    "Regression draws a line, classification a border",
    1,
    2,
    height=3.4,
)
width = (X_train.reshape(-1, 8, 8).max(axis=1) > 0.5).sum(axis=1)
jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(width))
axes[0].plot(width + jitter, X_train.sum(axis=1), ".", color="0.6", markersize=3)
line = np.polyfit(width, X_train.sum(axis=1), 1)
ends = np.array([1, 8])
axes[0].plot(ends, np.polyval(line, ends), color="black")
ours = width[1164] + jitter[1164], digit.sum()
axes[0].plot(*ours, "*", color=TRUE, ms=17, mec="white", label="our digit")
axes[0].legend(fontsize=13, loc="upper left", handletextpad=0.2)
axes[0].set(
    xlabel="width in pixels", ylabel="ink in pixels", title="how much ink", ylim=(9, 32)
)
some = np.isin(y_train, [0, 1])
centre = X_train.reshape(-1, 8, 8)[:, 3:5, 3:5].mean(axis=(1, 2))
flat = np.column_stack([width + jitter, centre])[some]
border = SoftmaxRegressionClassifier().fit(flat, y_train[some])
for k, marker, size in [(0, "o", 4), (1, "|", 7)]:
    own = flat[y_train[some] == k]
    axes[1].plot(*own.T, marker, color=DARK, ms=size, mew=1, label=f"a {k}")
w, c0 = border.coef_[0], border.intercept_[0]
axes[1].plot(ends, -(c0 + w[0] * ends) / w[1], color="black")
axes[1].set(
    xlabel="width in pixels",
    ylabel="ink in the centre",
    title="which digit, 0 or 1",
    ylim=(-0.05, 1.4),
    yticks=[0, 0.5, 1],
)
axes[1].legend(
    fontsize=13,
    loc="upper center",
    ncols=2,
    columnspacing=1,
    handletextpad=0.2,
)
plt.show()
# sphinx_gallery_end_ignore

# %%
# .. list-table::
#    :header-rows: 1
#    :widths: 16 42 42
#
#    * -
#      - Regression
#      - Classification
#    * - answer
#      - a number; there are numbers between any two
#      - a class; nothing lies between two classes
#    * - example
#      - the price of a building
#      - house, hospital or cottage
#    * - error
#      - a distance: 4.9 in place of 5 is nearly right
#      - right or wrong: a 4 in place of a 5 is as wrong as a 0
#    * - usual loss
#      - the squared distance
#      - the surprisal of the right class, see `The loss`_
#
# The name softmax *regression* comes from statistics. The model is a regression of
# probabilities, which are numbers, and its purpose is classification.
#
# Hard and soft answers
# ^^^^^^^^^^^^^^^^^^^^^
# A **hard** answer names a class. A **soft** answer gives each class a probability. The
# soft answer holds the hard one, and tells how sure the model is.
print("hard:", clf.predict([digit])[0])
print("soft:", clf.predict_proba([digit])[0].round(2))

# %%
# Training judges the soft answer, even if the application needs the hard answer alone.
# `The most probable class`_ tells the reason.
#
# Classes with an order, and several classes at once
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The classes small, medium and large have an order. Softmax regression does not use
# the order: small is as far from large as from medium. Models of *ordinal regression*
# use the order; this package has none. Grades with many steps, such as an age in years,
# are often best treated as numbers, by regression.
#
# Softmax regression gives each row one class. A photo that shows a cat and a dog has
# two. Such a task needs a yes or no for each class: one model of two classes for each
# of them, as scikit-learn's ``OneVsRestClassifier`` makes.

# %%
# From a picture to numbers
# -------------------------
#
# A picture is a table of numbers
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A grey picture is a number for each pixel. This data set counts ink from 0 to 16.
print((16 * digit).astype(int).reshape(8, 8))

# %%
# **Flattening** writes the rows of the table one after the other. The 8 x 8 pixels
# become a strip of 64 numbers, the **features** :math:`x_1, \ldots, x_{64}`.
strip = digit.reshape(-1)
print(strip.shape, "; the second row of the picture:", strip[8:16].round(2))
# sphinx_gallery_start_ignore
figure, axes = plt.subplot_mosaic(
    [["picture", "numbers"], ["strip", "strip"]],
    figsize=(7.2, 5.0),
    height_ratios=[5, 1],
)
figure.suptitle("Our digit as a picture, as numbers and as a strip of pixels")
draw_picture(axes["picture"], digit, "64 pixels")
draw_picture(axes["numbers"], 0 * digit, "64 numbers")
for i, value in enumerate(digit):
    axes["numbers"].text(
        i % 8, i // 8, f"{16 * value:.0f}", ha="center", va="center", fontsize=12
    )
draw_picture(axes["strip"], digit, "64 features, row after row", (1, 64))
axes["strip"].set_aspect("auto")
axes["strip"].set_xticks(np.arange(8) * 8 + 3.5, [f"row {i + 1}" for i in range(8)])
axes["strip"].tick_params(length=0)
axes["strip"].set_xticks(np.arange(8, 64, 8) - 0.5, minor=True)
axes["strip"].tick_params(which="minor", length=16)
plt.show()
# sphinx_gallery_end_ignore

# %%
# 28 x 28 pixels become 784
# ^^^^^^^^^^^^^^^^^^^^^^^^^
# The digits of the well-known set MNIST have 28 x 28 pixels, hence 784 features. We
# enlarge our digit to this size by linear interpolation. The large picture has no new
# detail, as each of its pixels is a mean of pixels of the small one. The picture serves
# to show the sizes. A later section, `784 pixels`_, fits a model to digits of this
# size.
from scipy.ndimage import zoom


def enlarge(pictures):
    """Return flat pictures of 28 x 28 pixels for flat ones of 8 x 8."""
    small = np.reshape(pictures, (-1, 8, 8))
    return zoom(small, (1, 3.5, 3.5), order=1).reshape(len(small), 784)


large = enlarge([digit])[0]
print(large.reshape(28, 28).shape, "->", large.shape)
# sphinx_gallery_start_ignore
figure, axes = plt.subplot_mosaic(
    [["small", "large"], ["strip", "strip"]],
    figsize=(7.2, 4.8),
    height_ratios=[5, 1],
)
figure.suptitle("Our digit with 28 x 28 pixels, and as a strip of 784")
draw_picture(axes["small"], digit, "8 x 8")
draw_picture(axes["large"], large, "28 x 28, interpolated", (28, 28))
draw_picture(axes["strip"], large, "784 features, row after row", (1, 784))
axes["strip"].set_aspect("auto")
axes["strip"].set_xticks(
    np.arange(0, 28, 4) * 28 + 13.5, [f"row {i + 1}" for i in range(0, 28, 4)]
)
plt.show()
# sphinx_gallery_end_ignore

# %%
# One-hot labels
# ^^^^^^^^^^^^^^
# The label needs numbers too. A **one-hot** label has a place for each class, a one in
# the place of the right class, and zeros elsewhere.
one_hot = np.eye(10)[label]
print("class:  ", np.arange(10))
print("one-hot:", one_hot.astype(int))

# %%
# A one-hot label is also a distribution: all of the probability lies on one class. A
# model that predicts a distribution can be compared with it, place by place. Any two
# different one-hot labels are equally far apart, so no class is nearer than another.
#
# The wrong way: one number for the class
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A single number per class, 1, 2, 3, looks simpler. Such numbers tell the model
# something false: that the classes have an order and distances. We measure the harm.
# Linear regression predicts the number, and the nearest class is the answer. Then the
# same linear regression predicts the ten places of the one-hot label.
from sklearn.linear_model import LinearRegression


def accuracy_with_numbers(code):
    """Return the test accuracy of regression on one number for each class."""
    line = LinearRegression().fit(X_train, code[y_train])
    distance = np.abs(line.predict(X_test)[:, None] - code)
    return (distance.argmin(axis=1) == y_test).mean()


numbers = np.arange(10)
line = LinearRegression().fit(X_train, numbers[y_train])
places = LinearRegression().fit(X_train, np.eye(10)[y_train])
by_places = (places.predict(X_test).argmax(axis=1) == y_test).mean()
print(f"our digit, a {label}, gets the number {line.predict([digit])[0]:.2f}")
print(f"accuracy with one number:       {accuracy_with_numbers(numbers):.3f}")
print(f"accuracy with one-hot labels:   {by_places:.3f}")
print(f"accuracy of softmax regression: {clf.score(X_test, y_test):.3f}")

# %%
# The number of our digit lies between 3 and 8, its two most probable classes.
# The nearest class is neither of them. Another numbering of the classes gives another
# model, while one-hot labels give the same model under any numbering.
rng = np.random.default_rng(0)
numberings = [rng.permutation(10) for _ in range(30)]
renumbered = [accuracy_with_numbers(code) for code in numberings]
print(f"30 numberings: {min(renumbered):.3f} to {max(renumbered):.3f}")
# sphinx_gallery_start_ignore
figure, ax = figure_of("Test accuracy by the way the class is written", height=2.8)
ax.plot(renumbered, np.zeros(30), "|", color="black", markersize=18)
ax.plot(by_places, 1, "o", color="black", markersize=8)
ax.plot(clf.score(X_test, y_test), 2, "s", color=TRUE, markersize=8)
ax.set_yticks(
    range(3), ["one number,\n30 numberings", "one-hot,\nlinear", "one-hot,\nsoftmax"]
)
ax.set(xlim=(0, 1), ylim=(-0.6, 2.5), xlabel="share of test digits that is right")
plt.show()
# sphinx_gallery_end_ignore

# %%
# A network with one layer
# ------------------------
#
# Four pixels and three classes
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Take the smallest pictures first, of 2 x 2 pixels, with three classes: a dark *row*, a
# dark *column* and a dark *diagonal*. (Textbooks have cats, chickens and dogs here.)
# Each class gets a **score**, :math:`o` (the package says raw prediction, others say
# logit). Each pixel speaks for or against each class by a **weight**, and an
# **intercept** c is added (others say bias or offset):
#
# .. math::
#
#    o_1 &= w_{11} x_1 {+} w_{12} x_2 {+} w_{13} x_3 {+} w_{14} x_4 {+} c_1 \\
#    o_2 &= w_{21} x_1 {+} w_{22} x_2 {+} w_{23} x_3 {+} w_{24} x_4 {+} c_2 \\
#    o_3 &= w_{31} x_1 {+} w_{32} x_2 {+} w_{33} x_3 {+} w_{34} x_4 {+} c_3
#
# The weight :math:`w_{jm}` leads from pixel m to class j. Row j of the matrix W holds
# the weights of class j. So the equations are one **affine transformation**,
# :math:`o = W x + c`, which is a matrix product and a sum.
#
# Here we set the twelve weights by hand: 1 for the pixels that should be dark, -1 for
# the others. Each line of the figure is a weight. The left circles are the pixels, and
# the right ones are the scores. The intercepts are zero here, and not drawn. The
# picture is a dark row, which has the largest score.
names = ["row", "column", "diagonal"]
picture = np.array([[0.9, 0.8], [0.1, 0.2]])
x = picture.reshape(-1)
W = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])
c = np.zeros(3)
for name, score in zip(names, W @ x + c, strict=True):
    print(f"score of {name:8} {score:+.1f}")
# sphinx_gallery_start_ignore
figure, (left, ax) = figure_of(
    "A picture of four pixels, and the network with twelve weights",
    1,
    2,
    height=4.8,
    gridspec_kw={"width_ratios": [1, 2.2]},
)
draw_picture(left, picture, "2 x 2 pixels", (2, 2))
for i, value in enumerate(x):
    left.text(
        i % 2,
        i // 2,
        f"$x_{i + 1}$\n{value}",
        ha="center",
        va="center",
        color="white" if value > 0.5 else "black",
    )
heights = 1.5 - np.arange(4)
tops = 1.0 - np.arange(3)
for j in range(3):
    for i in range(4):
        style = "-" if W[j, i] > 0 else "--"
        color = FOR if W[j, i] > 0 else AGAINST
        ax.plot([0, 1], [heights[i], tops[j]], style, color=color, linewidth=1.6)
        ax.text(
            0.24,
            0.76 * heights[i] + 0.24 * tops[j],
            f"$w_{{{j + 1}{i + 1}}}$",
            ha="center",
            va="center",
            fontsize=12,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )
for i, value in enumerate(x):
    grey = plt.get_cmap("Greys")(value)
    ax.scatter(0, heights[i], s=750, color=grey, edgecolor="black", zorder=3)
    color = "white" if value > 0.5 else "black"
    ax.text(0, heights[i], f"$x_{i + 1}$", ha="center", va="center", color=color)
for j, score in enumerate(W @ x):
    ax.scatter(1, tops[j], s=750, color="white", edgecolor="black", zorder=3)
    ax.text(1, tops[j], f"$o_{j + 1}$", ha="center", va="center")
    ax.text(1.1, tops[j], f"{names[j]}\n{score:+.1f}", va="center")
ax.plot([], [], "-", color=FOR, label="weight 1")
ax.plot([], [], "--", color=AGAINST, label="weight -1")
ax.legend(loc="lower right", fontsize=13, frameon=False)
ax.set(xlim=(-0.12, 1.45), ylim=(-1.9, 1.9), title="4 inputs, 3 outputs")
ax.axis("off")
plt.show()
# sphinx_gallery_end_ignore

# %%
# The scores of our digit
# ^^^^^^^^^^^^^^^^^^^^^^^
# Our digit has 64 inputs and 10 outputs, so W has 10 x 64 weights. The intercept of a
# class is the score of a picture without ink.
W, c = clf.coef_, clf.intercept_
scores = W @ digit + c
print("W", W.shape, "c", c.shape)
print("scores:", scores.round(1))
print("same as decision_function:", clf.decision_function([digit])[0].round(1))

# %%
# A score is a sum of 64 products, ink times weight, and the intercept. The figure shows
# the products for the classes 3 and 8. Purple speaks for the class, and orange against
# it. A minus sign marks the darker orange.

# sphinx_gallery_start_ignore
figure, axes = figure_of("How the scores for 3 and for 8 come about", 2, 3, height=5.6)
limit = np.abs(W).max()
for row, k in zip(axes, [3, 8], strict=True):
    draw_picture(row[0], digit, "our digit")
    draw_signed(row[1], W[k], limit, f"weights of {k}")
    product = W[k] * digit
    image = draw_signed(row[2], product, limit, f"products: {product.sum():+.2f}")
    row[2].set_xlabel(f"intercept {c[k]:+.2f}\nscore {scores[k]:+.2f}")
    row[0].set_ylabel(f"class {k}")
figure.colorbar(image, ax=axes, label="weight or product", shrink=0.8)
plt.show()
# sphinx_gallery_end_ignore
for k in (3, 8):
    total = (W[k] * digit).sum()
    print(f"{k}: products {total:+.2f}, intercept {c[k]:+.2f}", end=", ")
    print(f"score {scores[k]:+.2f}")

# %%
# Fully connected: pixels in any order
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Each output depends on each input. In the language of neural networks, this
# transformation is one **fully connected** layer. The layer does not know which pixels
# are neighbours. We shuffle the pixels of all digits in the same way and fit again. The
# new model has the same weights, shuffled, and the same probabilities. The printed
# differences are rounding errors.
order = np.random.default_rng(0).permutation(64)
clf_shuffled = SoftmaxRegressionClassifier().fit(X_train[:, order], y_train)
proba = clf.predict_proba(X_test)
proba_shuffled = clf_shuffled.predict_proba(X_test[:, order])
difference = np.abs(clf_shuffled.coef_ - W[:, order]).max()
print(f"largest difference of a weight:      {difference:.0e}")
difference = np.abs(proba_shuffled - proba).max()
print(f"largest difference of a probability: {difference:.0e}")
# sphinx_gallery_start_ignore
figure, axes = figure_of(
    "Shuffled pixels give the same model",
    2,
    3,
    height=5.2,
    gridspec_kw={"width_ratios": [1, 1, 1.7]},
)
for row, name, pixels, model in [
    (axes[0], "in order", digit, clf),
    (axes[1], "shuffled", digit[order], clf_shuffled),
]:
    draw_picture(row[0], pixels, f"our digit,\n{name}")
    draw_signed(row[1], model.coef_[3], limit, f"weights of 3,\n{name}")
    draw_bars(row[2], model.predict_proba([pixels])[0], title="probabilities")
    row[2].set_ylim(0, 1)
plt.show()
# sphinx_gallery_end_ignore

# %%
# People cannot read the shuffled picture; the model can. Convolutional networks know
# neighbours, and lose this property.
#
# What a layer costs
# ^^^^^^^^^^^^^^^^^^
# A layer with d inputs and q outputs has d q weights, and needs as many
# multiplications for each row.
for d, q in [(4, 3), (64, 10), (784, 10), (2048, 1000)]:
    print(f"d = {d:4}, q = {q:4}: {d * q:7} weights and {q:4} intercepts")

# %%
# Zhang et al. (2021) save most of the weights. The **Kronecker product**
# :math:`A \otimes S` is a large matrix from two small ones. The product puts a copy of
# S in the place of each number of A, and multiplies the copy by this number.
print(np.kron([[1, 10], [0, -1]], [[1, 2, 3]]))

# %%
# W becomes a sum of n such products, :math:`W = \sum_{k=1}^n A_k \otimes S_k`. Here n,
# the ``phm_order`` of this package, is a number of products, not of rows. Each *mixing
# matrix* :math:`A_k` has n x n numbers. Each :math:`S_k` has the size of W divided by n
# in both directions. The sum stores this many numbers:
#
# .. math::
#
#    \underbrace{n \cdot n^2}_{\text{all } A_k} +
#    \underbrace{n \cdot \frac{q}{n} \cdot \frac{d}{n}}_{\text{all } S_k}
#    = n^3 + \frac{d q}{n}.
#
# The second part is the saving that the authors name: d q numbers shrink n-fold. The
# first part, :math:`n^3`, grows with n and eats the saving. The best n makes the
# derivative :math:`3 n^2 - d q / n^2` zero, so :math:`n = \sqrt[4]{d q / 3}`.
d, q = 784, 10
print(f"best n for d = {d}, q = {q}: {(d * q / 3) ** 0.25:.1f}")
for n in (2, 5, 10):
    share = d * q // n
    print(f"n = {n:2}: {n**3:4} + {share:4} = {n**3 + share} numbers")
# sphinx_gallery_start_ignore
figure, ax = figure_of("Numbers to store for 784 inputs and 10 outputs", height=3.4)
n = np.arange(1, 15)
ax.bar(n, d * q / n, color=LIGHT, edgecolor=DARK, label="$d\\,q / n$")
ax.bar(
    n,
    n**3,
    bottom=d * q / n,
    color="white",
    hatch="///",
    edgecolor="black",
    label="$n^3$",
)
ax.set(xlabel="n", ylabel="numbers", xticks=n)
ax.legend()
plt.show()
# sphinx_gallery_end_ignore

# %%
# So n = 10 saves less than n = 5 here: its mixing matrices alone have a thousand
# numbers. ``phm_order=n`` fits such weights. The model pads W so that n divides both
# sizes, which adds a few numbers. A sum of few products cannot be every matrix. But the
# accuracies differ by less than their standard error, which `The test set`_ computes.
large_train, large_test = enlarge(X_train), enlarge(X_test)
for n in (None, 2, 5, 10):
    model = SoftmaxRegressionClassifier(phm_order=n, random_state=0)
    model.fit(large_train, y_train)
    size = getattr(model, "n_parameters_", model.coef_.size)
    accuracy = model.score(large_test, y_test)
    print(f"phm_order={n!s:4} {size:5} numbers, test accuracy {accuracy:.3f}")

# %%
# For the small digits, with 640 weights, n = 10 would even store more than all weights,
# and the estimator refuses it.
try:
    SoftmaxRegressionClassifier(phm_order=10).fit(X_train, y_train)
except ValueError as error:
    print(str(error).split(": ")[1])

# %%
# Softmax: from scores to probabilities
# -------------------------------------
#
# Why scores are not probabilities
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Probabilities are at least zero and sum to one. Scores can be negative, and sum to
# anything. Training the scores towards one-hot labels by least squares, as the linear
# regression above did, does not help. Its outputs sum to one, but leave the range from
# 0 to 1.
outputs = places.predict(X_test)
outside = ((outputs < 0) | (outputs > 1)).any(axis=1)
print("our digit:", places.predict([digit])[0].round(2))
print(f"test digits with an output below 0 or above 1: {outside.mean():.0%}")
lost = (outputs[range(len(y_test)), y_test] < 0).sum()
print(f"test digits whose right class has a negative output: {lost}")

# %%
# Negative outputs could be set to zero, and all be divided by their sum. The results
# are probabilities, but bad ones. A class of probability 0 is impossible to the model,
# and the last line shows that such a class can be the right one. An output that is cut
# off at zero also has no slope: a small change of the weights changes nothing, and
# training gets no direction.
#
# Three steps: exp, sum, divide
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The **softmax** takes the exponential of each score, which is positive. Then the
# softmax divides by the sum, so that the probabilities sum to one:
#
# .. math::
#
#    p_j = \frac{\exp(o_j)}{\sum_k \exp(o_k)}.
#
# The exponential also stretches: a class that leads by a few units takes nearly all.
exponentials = np.exp(scores)
p = exponentials / exponentials.sum()
print(f"sum of the exponentials: {exponentials.sum():.1f}")
for k in (2, 3, 8):
    power = f"exp({scores[k]:.2f}) = {exponentials[k]:6.1f}"
    print(f"{k}: {power}, p = {p[k]:.3f}")
print("largest difference from predict_proba:", end=" ")
print(f"{np.abs(p - clf.predict_proba([digit])[0]).max():.0e}")
# sphinx_gallery_start_ignore
figure, axes = figure_of(
    "From scores to probabilities, for our digit", 3, 1, height=7.0
)
draw_bars(axes[0], scores, title="scores o", fmt="%.1f")
draw_bars(axes[1], exponentials, title="exponentials exp(o)", fmt="%.2f")
draw_bars(axes[2], p, title="probabilities p", fmt="%.2f")
plt.show()
# sphinx_gallery_end_ignore

# %%
# The order stays: the class with the largest score has the largest probability. A
# number that is added to all scores cancels out in the division. The code therefore
# subtracts the largest score, and nothing can overflow.


def softmax(scores):
    """Return the probabilities of each row of scores."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


with np.errstate(over="ignore", invalid="ignore"):
    naive = np.exp([1001.0, 1002, 1003]) / np.exp([1001.0, 1002, 1003]).sum()
print("as the formula says:", naive)
print("largest subtracted: ", softmax(np.array([1001.0, 1002, 1003])).round(3))
print("the same as of 1 2 3:", softmax(np.array([1.0, 2, 3])).round(3))

# %%
# Odds and log-odds
# ^^^^^^^^^^^^^^^^^
# The **odds** of two classes are the ratio of their probabilities. The sum cancels out,
# and the logarithm of the odds is the difference of the scores:
#
# .. math::
#
#    \log \frac{p_j}{p_k} = o_j - o_k.
#
# So a score has a unit: one more unit multiplies the odds by e, about 2.72. Only
# differences of scores matter.
print(f"odds of 3 to 8: {p[3]:.3f} / {p[8]:.3f} = {p[3] / p[8]:.2f}")
print(f"their logarithm: {np.log(p[3] / p[8]):.3f}")
print(f"difference of the scores: {scores[3] - scores[8]:.3f}")

# %%
# A weight is thus a change of log-odds: black ink on a pixel adds the difference of two
# weights to the log-odds of their classes. The name *linear model* is about log-odds:
# the log-odds are affine in the pixels, and the probabilities are not.
#
# Two classes: the sigmoid
# ^^^^^^^^^^^^^^^^^^^^^^^^
# Two classes have one difference of scores, :math:`z = o_2 - o_1`. The softmax becomes
# the **sigmoid** of logistic regression:
#
# .. math::
#
#    p_2 = \frac{\exp o_2}{\exp o_1 + \exp o_2} = \frac{1}{1 + \exp(-z)}.
#
# The estimator stores one row of weights for two classes. Here it learns to tell 3 from
# 8 alone.
pair = np.isin(y_train, [3, 8])
two = SoftmaxRegressionClassifier().fit(X_train[pair], y_train[pair])
z = two.decision_function([digit])[0]
print("weights:", two.coef_.shape)
print(f"z of our digit: {z:.3f}, where the second class is {two.classes_[1]}")
print(f"sigmoid of z: {1 / (1 + np.exp(-z)):.4f}")
print(f"predict_proba: {two.predict_proba([digit])[0, 1]:.4f}")
# sphinx_gallery_start_ignore
figure, ax = figure_of("Two classes: the sigmoid of one score", height=3.2)
grid = np.linspace(-9, 9, 200)
ax.plot(grid, 1 / (1 + np.exp(-grid)), color="black")
pair_test = np.isin(y_test, [3, 8])
z_test = two.decision_function(X_test[pair_test])
is_8 = y_test[pair_test] == 8
ax.plot(z_test[is_8], np.full(is_8.sum(), 1.06), "|", color=DARK, markersize=9)
ax.plot(z_test[~is_8], np.full((~is_8).sum(), -0.06), "|", color=DARK, markersize=9)
ax.plot(z, 1 / (1 + np.exp(-z)), "o", color=TRUE, markersize=9)
ax.annotate(
    "our digit",
    (z, 1 / (1 + np.exp(-z))),
    xytext=(12, -4),
    textcoords="offset points",
)
ax.text(-8.8, 0.08, "test digits: 3", fontsize=13)
ax.text(8.8, 0.86, "test digits: 8", fontsize=13, ha="right")
ax.set(xlabel="z, the log-odds of 8 to 3", ylabel="probability of 8", xlim=(-9, 9))
plt.show()
# sphinx_gallery_end_ignore

# %%
# This model knows two classes only, and has other weights than the model of ten. Their
# probabilities of 8 need not agree.
#
# Temperature
# ^^^^^^^^^^^
# A **temperature** T divides the scores before the softmax; the name is from physics. A
# high temperature makes all classes alike, a low one makes the leading class nearly
# certain. The order of the classes stays. A temperature above 1 mends a model that is
# too sure: see :doc:`/auto_examples/plot_temperature`.
temperatures = [0.5, 1, 2, 10]
for T in temperatures:
    heated = softmax(scores / T)
    print(f"T = {T:4}: p(3) = {heated[3]:.3f}, p(8) = {heated[8]:.3f}")
# sphinx_gallery_start_ignore
figure, axes = figure_of(
    "Our digit at four temperatures", 2, 2, height=4.4, sharey=True
)
for ax, T in zip(axes.flat, temperatures, strict=True):
    draw_bars(ax, softmax(scores / T), title=f"T = {T}")
axes[0, 0].set_ylim(0, 1)
plt.show()
# sphinx_gallery_end_ignore

# %%
# The sliders set three scores and the temperature. At first, the scores are those of
# the dark row in `Four pixels and three classes`_. The figure also shows the loss,
# which `The loss`_ explains.
#
# .. interactive:: scores
#    :classes: row, column, diagonal
#    :scores: 1.4, 0, 0.2

# %%
# Many digits at once: minibatches
# --------------------------------
#
# One product for all rows
# ^^^^^^^^^^^^^^^^^^^^^^^^
# A **minibatch** of b digits is a matrix X of b rows. One product gives all scores,
# :math:`O = X W^\top + c`, and one softmax for each row gives all probabilities. The
# intercepts c are added to each row. Our digit is the first row here, followed by
# training digits in their order. The batch has 64 digits, as many as a digit has
# pixels.
batch = np.vstack([digit, X_train[:63]])
batch_scores = batch @ W.T + c
batch_proba = softmax(batch_scores)
print("X", batch.shape, "times W.T", W.T.shape, "gives O", batch_scores.shape)
print("sums of the rows:", np.unique(batch_proba.sum(axis=1).round(12)))
# sphinx_gallery_start_ignore
figure, (left, right) = figure_of(
    "A minibatch of 64 digits, and its matrix of 64 rows", 1, 2, height=4.0
)
tiles = batch.reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(64, 64)
draw_picture(left, tiles, "64 digits, ours first", (64, 64))
for edge in np.arange(8, 64, 8) - 0.5:
    left.axhline(edge, color="0.8", linewidth=0.8)
    left.axvline(edge, color="0.8", linewidth=0.8)
left.add_patch(plt.Rectangle((-0.5, -0.5), 8, 8, fill=False, edgecolor=TRUE, lw=2))
draw_picture(right, batch, "X, a row for each digit", (64, 64))
right.set(xlabel="64 features")
right.set_yticks([0, 32], ["ours", "64\ndigits"])
right.get_yticklabels()[0].set_color(TRUE)
right.tick_params(length=0)
plt.show()
# sphinx_gallery_end_ignore

# %%
# Vectorising: a loop against one product
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# **Vectorising** means to write many small products as one large one. A loop pays the
# cost of a call for each row, and the large product pays once. The program below
# measures both on the training digits, the best of five tries, while this page is
# built.
from timeit import repeat


def with_a_loop():
    """Return the probabilities of all training digits, one after the other."""
    return np.array([softmax(W @ row + c) for row in X_train])


def with_a_product():
    """Return the probabilities of all training digits at once."""
    return softmax(X_train @ W.T + c)


same = np.abs(with_a_loop() - with_a_product()).max() < 1e-12
slow = min(repeat(with_a_loop, number=1, repeat=5))
fast = min(repeat(with_a_product, number=1, repeat=5))
print("the same probabilities:", "yes" if same else "no")
print(f"loop {1e3 * slow:.1f} ms, product {1e3 * fast:.2f} ms", end=", ")
print(f"{slow / fast:.0f} times as fast")

# %%
# The speed is one reason for minibatches. `Minibatch SGD in ten lines`_ has the
# other: a step on a few rows costs little, so there can be many steps.

# %%
# The loss
# --------
#
# Likelihood
# ^^^^^^^^^^
# A model is good if it gives high probabilities to the labels that occurred. Two
# indices need care. A superscript numbers **rows**, i = 1, ..., n. A subscript numbers
# **classes**, j = 1, ..., q. So :math:`p^{(i)}_j` is the probability that the model
# gives to class j in row i, and row i has the class :math:`k_i`. A p without
# superscript belongs to one row. The **likelihood** L is the probability of all labels
# together, given the pictures; others write P(Y | X). The probabilities are multiplied,
# because we suppose that the rows do not depend on each other:
#
# .. math::
#
#    L = p^{(1)}_{k_1} \cdot p^{(2)}_{k_2} \cdots p^{(n)}_{k_n}
#      = \prod_{i=1}^n p^{(i)}_{k_i}.
#
# **Maximum likelihood** chooses the weights with the largest L. For five training
# digits, of which the first is ours, L is a product of five numbers.
rows = [1164, 22, 175, 1009, 161]
right = clf.predict_proba(X_train[rows])[range(5), y_train[rows]]
factors = " x ".join(f"{value:.3f}" for value in right)
print(f"L = {factors} = {right.prod():.3f}")
# sphinx_gallery_start_ignore
figure, axes = figure_of(
    f"Likelihood of five labels: L = {right.prod():.3f}", 1, 5, height=2.4
)
for ax, i, value in zip(axes, rows, right, strict=True):
    draw_picture(ax, X_train[i], f"a {y_train[i]}")
    ax.set_xlabel(f"p = {value:.3f}")
plt.show()
# sphinx_gallery_end_ignore

# %%
# A product of many small numbers is too small for a computer. The sum of the logarithms
# is not, and the logarithm keeps the order: the largest L has the smallest
# :math:`-\log L`.
n = len(X_train)
print("L of a model that guesses:", np.prod(np.full(n, 0.1)))
print(f"its -log L: {-n * np.log(0.1):.0f}")
everything = clf.predict_proba(X_train)[range(n), y_train]
print(f"-log L of our model: {-np.log(everything).sum():.0f}")

# %%
# Cross-entropy
# ^^^^^^^^^^^^^
# Let :math:`y^{(i)}` be the one-hot label of row i, so :math:`y^{(i)}_j` is 1 for
# :math:`j = k_i` and else 0. Then
#
# .. math::
#
#    -\log L &= \sum_{i=1}^n l(y^{(i)}, p^{(i)}), \\
#    l(y, p) &= -\sum_{j=1}^q y_j \log p_j.
#
# The loss :math:`l` of one row is the **cross-entropy**. Its one-hot label leaves one
# term, minus the logarithm of the probability of the right class. Training minimises
# the mean over the rows, so that the loss does not grow with their number.
y_one_hot = np.eye(10)[label]
loss = -(y_one_hot * np.log(p)).sum()
print(f"cross-entropy of our digit: {loss:.3f} = -log {p[label]:.3f}")
print(f"mean over the training digits: {-np.log(everything).mean():.3f}")

# %%
# Soft labels
# ^^^^^^^^^^^
# The formula does not ask for a one-hot, or hard, label. Suppose that five people read
# our digit, and three of them say 3 and two say 8. The **soft label** has .6 and .4 in
# these places. The loss is then the mean of two losses, with the weights .6 and .4. The
# loss is smallest if the model predicts the label itself, p = y. This minimum is not
# zero, because nobody can predict the votes with certainty.
votes = np.zeros(10)
votes[[3, 8]] = 3 / 5, 2 / 5
print(f"loss with the soft label: {-(votes * np.log(p)).sum():.3f}")
smallest = -(votes[[3, 8]] * np.log(votes[[3, 8]])).sum()
print(f"smallest possible loss: {smallest:.3f}")
# sphinx_gallery_start_ignore
figure, ax = figure_of("Loss of a hard and of a soft label", height=3.2)
grid = np.linspace(0.005, 0.995, 300)
ax.plot(grid, -np.log(grid), color="black", label="hard label: 3")
soft = -0.6 * np.log(grid) - 0.4 * np.log(1 - grid)
ax.plot(grid, soft, "--", color="black", label="soft label: 3 with .6, 8 with .4")
ax.plot(0.6, soft.min(), "v", color=TRUE, markersize=10, label="minimum at p = .6")
ax.set(
    xlabel="predicted probability of 3 (8 has the rest)",
    ylabel="loss (nats)",
    ylim=(0, 3),
)
ax.legend(fontsize=13)
plt.show()
# sphinx_gallery_end_ignore

# %%
# The estimator takes a table of probabilities as ``y``. We put the votes into the row
# of our digit, and leave all other rows one-hot. ``label_smoothing`` is a shortcut: it
# moves a share of each label to all classes alike.
Y_train = np.eye(10)[y_train]
Y_votes = Y_train.copy()
Y_votes[1164] = votes
doubtful = SoftmaxRegressionClassifier().fit(X_train, Y_votes)
smoothed = SoftmaxRegressionClassifier(label_smoothing=0.1)
smoothed.fit(X_train, y_train)
models = {"one-hot": clf, "votes": doubtful, "smoothed": smoothed}
for name, model in models.items():
    q3, q8 = model.predict_proba([digit])[0, [3, 8]]
    print(f"{name:9} p(3) = {q3:.2f}, p(8) = {q8:.2f}")

# %%
# The model of the votes comes near .6 and .4. Smoothing makes the model less sure of
# every training digit. :doc:`/auto_examples/plot_soft_labels` compares votes,
# majorities and smoothing.

# %%
# Surprise in bits
# ----------------
#
# Surprisal
# ^^^^^^^^^
# Information theory gives the loss a second meaning. The **surprisal** of an event of
# probability p is :math:`-\log_2 p`, in **bits**. A certain event has 0 bits, and one
# side of a fair coin has 1 bit. A digit that one can only guess has :math:`\log_2 10`
# bits. A bit is the answer to a yes-or-no question: one of eight equally probable
# things takes three questions. The probabilities of independent events multiply, so
# their surprisals add up.
surprisal = clf.surprisal([digit], [label])[0]
print(f"surprisal of our label: {surprisal:.3f} bits")
print(f"its loss: {loss:.3f} nats, by log 2: {loss / np.log(2):.3f} bits")
print(f"a guessed digit: {np.log2(10):.3f} bits")
# sphinx_gallery_start_ignore
figure, ax = figure_of("Surprisal of an event of probability p", height=3.2)
grid = np.linspace(0.01, 1, 400)
ax.plot(grid, -np.log2(grid), color="black")
for value, name in [
    (1, "certain"),
    (p[label], "our digit"),
    (0.5, "a coin"),
    (0.125, "one of eight"),
    (0.1, "a guessed digit"),
]:
    ours = name == "our digit"
    ax.plot(value, -np.log2(value), "o", color=TRUE if ours else "black", ms=7)
    place = {"certain": (2, -18), "one of eight": (9, -3), "a guessed digit": (8, 7)}
    ax.annotate(
        f"{name}: {abs(np.log2(value)):.2f}",
        (value, -np.log2(value)),
        xytext=place.get(name, (8, 6)),
        textcoords="offset points",
        ha="right" if name == "certain" else "left",
    )
ax.set(xlabel="p", ylabel="bits", xlim=(0, 1.03), ylim=(-0.8, 6))
plt.show()
# sphinx_gallery_end_ignore

# %%
# The natural logarithm measures in **nats**; one nat is 1.44 bits. Losses here are in
# nats, as in scikit-learn, and surprisals in bits.
#
# Entropy
# ^^^^^^^
# The **entropy** of a distribution is its mean surprisal, the bits that an answer
# carries on average:
#
# .. math::
#
#    H(p) = -\sum_j p_j \log_2 p_j.
#
# Data with a low entropy are easy to predict, and a good code stores them in few bits.
# A *code* writes answers as a string of bits. A code takes at least the entropy for an
# answer on average. A code for many answers together comes near the entropy (Shannon
# 1948). One answer alone can need more: a flip of the coin
# with 90 % heads takes a whole bit.


def entropy(p):
    """Return the mean surprisal of a distribution in bits."""
    positive = p[p > 0]
    return (positive * np.log2(1 / positive)).sum()


print(f"fair coin:         {entropy(np.array([0.5, 0.5])):.3f} bits")
print(f"coin, 90 % heads:  {entropy(np.array([0.9, 0.1])):.3f} bits")
print(f"one-hot label:     {entropy(y_one_hot):.3f} bits")
print(f"votes:             {entropy(votes):.3f} bits")
print(f"our prediction:    {entropy(p):.3f} bits")
print(f"by the estimator:  {clf.predictive_entropy([digit])[0]:.3f} bits")
# sphinx_gallery_start_ignore
figure, ax = figure_of("Entropy of a coin", height=3.0)
grid = np.linspace(0.001, 0.999, 400)
curve = -grid * np.log2(grid) - (1 - grid) * np.log2(1 - grid)
ax.plot(grid, curve, color="black")
for value, name in [(0.5, "fair"), (0.9, "90 % heads"), (0.999, "nearly certain")]:
    height = entropy(np.array([value, 1 - value]))
    ax.plot(value, height, "o", color="black", ms=7, clip_on=False)
    ax.annotate(
        f"{name}: {height:.2f}",
        (value, height),
        xytext=(-12, 2 if value > 0.95 else -10) if value > 0.5 else (0, -18),
        textcoords="offset points",
        ha="right" if value > 0.5 else "center",
    )
ax.set(xlabel="probability of heads", ylabel="bits", ylim=(0, 1.1))
plt.show()
# sphinx_gallery_end_ignore

# %%
# Cross-entropy and Kullback-Leibler divergence
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The truth is a distribution y, and an observer believes p. The observer's mean
# surprisal is the cross-entropy:
#
# .. math::
#
#    H(y, p) &= -\sum_j y_j \log_2 p_j \\
#            &= H(y) + D(y \,\|\, p), \\
#    D(y \,\|\, p) &= \sum_j y_j \log_2 \frac{y_j}{p_j}.
#
# The first part, the entropy, is there even for an observer who knows y. The second
# part is the price of the wrong belief, the **Kullback-Leibler divergence** D. The
# divergence is never negative, and zero only for p = y. A one-hot label has no entropy,
# so its whole cross-entropy is divergence. The figure has a coin with 90 % heads.
cross_entropy = -(votes[[3, 8]] * np.log2(p[[3, 8]])).sum()
divergence = cross_entropy - entropy(votes)
print("the votes on our digit, and the prediction of the model, in bits:")
print(f"entropy {entropy(votes):.3f} + divergence {divergence:.3f}", end=" ")
print(f"= cross-entropy {cross_entropy:.3f}")
# sphinx_gallery_start_ignore
figure, ax = figure_of(
    "A coin with 90 % heads, and an observer who believes p", height=3.4
)
grid = np.linspace(0.02, 0.998, 400)
curve = -0.9 * np.log2(grid) - 0.1 * np.log2(1 - grid)
floor = entropy(np.array([0.9, 0.1]))
ax.fill_between(grid, floor, curve, color=LIGHT, label="divergence")
ax.fill_between(
    grid, 0, floor, facecolor="white", edgecolor="0.6", hatch="//", label="entropy"
)
ax.plot(grid, curve, color="black", label="cross-entropy")
ax.plot(0.9, floor, "v", color=TRUE, ms=10, label="belief equals truth")
ax.set(
    xlabel="believed probability of heads",
    ylabel="bits",
    xlim=(0, 1),
    ylim=(0, 4),
)
ax.legend(fontsize=13)
plt.show()
# sphinx_gallery_end_ignore

# %%
# Both views agree on the model: the largest likelihood is the smallest mean surprisal.
# The mean surprisal has a scale that one can read. 0 bits is knowing everything, and
# :math:`\log_2 10` bits is knowing nothing about ten equally frequent classes.
for name, own_X, own_y in [
    ("training", X_train, y_train),
    ("test", X_test, y_test),
]:
    mean = clf.surprisal(own_X, own_y).mean()
    print(f"{name:8} digits: {mean:.3f} bits a digit")

# %%
# The gradient
# ------------
#
# Prediction minus label
# ^^^^^^^^^^^^^^^^^^^^^^
# Training changes the weights so that the loss falls. The derivatives of the loss tell
# the direction. Put the softmax into the loss of one row:
#
# .. math::
#
#    l(y, p) &= -\sum_j y_j \log \frac{\exp o_j}{\sum_k \exp o_k} \\
#            &= \log \sum_k \exp o_k - \sum_j y_j o_j,
#
# because the :math:`y_j` sum to one. The derivative of the logarithm is one over the
# sum, times the derivative of the sum. So the derivative with respect to a score is
#
# .. math::
#
#    \frac{\partial l}{\partial o_j}
#      = \frac{\exp o_j}{\sum_k \exp o_k} - y_j = p_j - y_j.
#
# The gradient is the prediction minus the label, the probability that each class has
# in excess. Its parts sum to zero, and a perfect prediction leaves no gradient.
# Half the squared distance, the loss of linear regression, has the same gradient, with
# the predicted number in place of p.
gradient = p - y_one_hot
print("p - y:", gradient.round(2))
# sphinx_gallery_start_ignore
figure, axes = figure_of("The gradient in the scores of our digit", 3, 1, height=6.6)


def signed(value):
    """Return a number with a sign, or 0."""
    return f"{value:+.2f}" if abs(value) > 0.005 else "0"


draw_bars(axes[0], p, title="prediction p")
draw_bars(axes[1], y_one_hot, title="label y")
draw_bars(axes[2], gradient, title="gradient p - y", fmt=signed)
for ax in axes:
    ax.set_ylim(-0.45 if ax is axes[2] else 0, 1.05 if ax is not axes[2] else 0.45)
plt.show()
# sphinx_gallery_end_ignore

# %%
# We check the formula against the definition of a derivative: raise one score a little
# and see what the loss does.
for k in (3, 8):
    raised = scores + 1e-6 * np.eye(10)[k]
    slope = (-np.log(softmax(raised)[label]) - loss) / 1e-6
    print(f"score of {k}: measured {slope:+.4f}, formula {gradient[k]:+.4f}")

# %%
# From scores to weights
# ^^^^^^^^^^^^^^^^^^^^^^
# The weight :math:`w_{jm}` of pixel m acts on the score of class j. By the chain rule,
# the derivative of the weight is the derivative of the score times the pixel:
#
# .. math::
#
#    \frac{\partial l}{\partial w_{jm}} = (p_j - y_j) \, x_m, \quad
#    \frac{\partial l}{\partial c_j} = p_j - y_j.
#
# So the gradient of a class is the digit itself, times one number. A step subtracts a
# faint copy of the digit from the weights of 8, and adds one to the weights of 3.
grad_W = np.outer(p - y_one_hot, digit)
print("gradient in W:", grad_W.shape)
# sphinx_gallery_start_ignore
figure, axes = figure_of(
    "The downhill direction for our digit, a picture for each class",
    2,
    5,
    height=3.7,
)
limit = np.abs(grad_W).max()
for k, ax in enumerate(axes.flat):
    name = f"{k}, true" if k == label else str(k)
    image = draw_signed(ax, -grad_W[k], limit, name)
figure.colorbar(image, ax=axes, label="minus the gradient", shrink=0.9)
plt.show()
# sphinx_gallery_end_ignore

# %%
# A step downhill
# ^^^^^^^^^^^^^^^
# A **step** subtracts the gradient times a **step size** :math:`\eta` (others say
# learning rate) from the weights. We take one step for our digit alone, on a copy of
# the weights.
step_size = 0.1
W_new = W - step_size * grad_W
c_new = c - step_size * gradient
p_new = softmax(W_new @ digit + c_new)
print(f"p(3) {p[3]:.3f} -> {p_new[3]:.3f}, p(8) {p[8]:.3f} -> {p_new[8]:.3f}")
print(f"surprisal {-np.log2(p[3]):.3f} -> {-np.log2(p_new[3]):.3f} bits")
everyone = softmax(X_train @ W_new.T + c_new)[range(n), y_train]
before, after = -np.log2(everything).mean(), -np.log2(everyone).mean()
print(f"mean of all training digits {before:.4f} -> {after:.4f} bits")
# sphinx_gallery_start_ignore
figure, axes = figure_of(
    "Our digit before and after one step of its own", 1, 2, height=2.8, sharey=True
)
draw_bars(axes[0], p, title="before")
draw_bars(axes[1], p_new, title="after")
axes[0].set(ylim=(0, 1), ylabel="probability")
plt.show()
# sphinx_gallery_end_ignore

# %%
# The other digits pay for this step. A good step is a compromise, the mean gradient of
# many digits. The mean over a minibatch is one product, :math:`(P - Y)^\top X / b`. The
# rows of the matrix P are the probabilities, and those of Y are the one-hot labels.


def loss_gradient(W, c, X, Y):
    """Return the mean cross-entropy and its derivatives in W and c."""
    P = softmax(X @ W.T + c)
    loss = -(Y * np.log(P)).sum() / len(X)
    return loss, (P - Y).T @ X / len(X), (P - Y).mean(axis=0)


# %%
# By hand: house, hospital or cottage
# -----------------------------------
#
# The table
# ^^^^^^^^^
# This section takes the same steps with numbers that a pocket calculator can follow.
# Three buildings have three features: floors, tens of windows, and 1 for a garden.
import pandas as pd

kinds = ["house", "hospital", "cottage"]
buildings = pd.DataFrame(
    [[2, 1, 1], [5, 10, 0], [1, 0.5, 1]],
    index=kinds,
    columns=["floors", "windows / 10", "garden"],
)
places_of_y = [f"y {kind}" for kind in kinds]
labels = pd.DataFrame(np.eye(3), index=kinds, columns=places_of_y)
# sphinx_gallery_capture_repr_block = ("_repr_html_",)
buildings.join(labels.astype(int))

# %%
# The first step
# ^^^^^^^^^^^^^^
# All weights are zero at first. So all scores are zero, all probabilities are 1/3, and
# the loss of each row is log 3. The gradient in the scores is 1/3 - 1 for the right
# class and 1/3 for the others.
x_hand, y_hand = buildings.to_numpy(), np.eye(3)
W_hand, c_hand = np.zeros((3, 3)), np.zeros(3)
p_hand = softmax(x_hand @ W_hand.T + c_hand)
print("p - y:")
print((p_hand - y_hand).round(3))
print(f"loss {-np.log(p_hand[0, 0]):.4f} = log 3 = {np.log(3):.4f}")

# %%
# The gradient of a weight is the mean over the three rows. Take the weight of *windows*
# for the class *hospital*. Its three terms have the factors 1/3, -2/3 and 1/3:
terms = (p_hand - y_hand)[:, 1] * x_hand[:, 1]
print(" + ".join(f"({term:+.4f})" for term in terms), end=" ")
print(f"= {terms.sum():+.4f}; divided by 3: {terms.mean():+.4f}")
_, grad_hand, grad_c = loss_gradient(W_hand, c_hand, x_hand, y_hand)
print(f"by the formula: {grad_hand[1, 1]:+.4f}")

# %%
# The step size is .1, so the weight becomes -.1 times this number. The table has all
# weights after the step. The intercepts stay 0, because each column of p - y sums to 0.


def weights_by_hand():
    """Return a table of the weights and intercepts."""
    columns = [*buildings.columns, "intercept"]
    weights = np.column_stack([W_hand, c_hand])
    return pd.DataFrame(weights, index=kinds, columns=columns).round(4)


W_hand = W_hand - 0.1 * grad_hand
c_hand = c_hand - 0.1 * grad_c
# sphinx_gallery_capture_repr_block = ("_repr_html_",)
weights_by_hand()

# %%
# The second step
# ^^^^^^^^^^^^^^^
# Now the scores differ. The table has all numbers of the row *house*:
scores_hand = x_hand @ W_hand.T + c_hand
p_hand = softmax(scores_hand)
# sphinx_gallery_capture_repr_block = ("_repr_html_",)
pd.DataFrame(
    {
        "score": scores_hand[0],
        "exp(score)": np.exp(scores_hand[0]),
        "p": p_hand[0],
        "y": y_hand[0],
        "p - y": p_hand[0] - y_hand[0],
    },
    index=kinds,
).round(4)

# %%
total = np.exp(scores_hand[0]).sum()
of_house = p_hand[0, 0]
print(f"p = {np.exp(scores_hand[0, 0]):.4f} / {total:.4f} = {of_house:.4f}")
print(f"loss of the house: -log {of_house:.4f} = {-np.log(of_house):.4f}")
loss_hand, grad_hand, grad_c = loss_gradient(W_hand, c_hand, x_hand, y_hand)
print(f"mean loss: {np.log(3):.4f} at first, {loss_hand:.4f} after a step")

# %%
# The table has the weights after the second step, which goes down the new gradient. The
# intercepts move now, because the columns of p - y no longer sum to 0.
W_hand = W_hand - 0.1 * grad_hand
c_hand = c_hand - 0.1 * grad_c
# sphinx_gallery_capture_repr_block = ("_repr_html_",)
weights_by_hand()

# %%
# The mean loss fell in the first step, and the loss of the house rose above log 3. The
# hospital has many windows, so its row decided the first step. Later steps mend the
# other rows, as the losses after the steps show:
W_later, c_later = W_hand, c_hand
for step in range(2, 101):
    p_later = softmax(x_hand @ W_later.T + c_later)
    if step in (2, 10, 100):
        house, hospital, cottage = -np.log(p_later.diagonal())
        print(f"step {step:3}: house {house:.3f}", end=", ")
        print(f"hospital {hospital:.3f}, cottage {cottage:.3f}")
    _, grad_W, grad_c = loss_gradient(W_later, c_later, x_hand, y_hand)
    W_later = W_later - 0.1 * grad_W
    c_later = c_later - 0.1 * grad_c

# %%
# The check
# ^^^^^^^^^
# The estimator takes the same two steps by its textbook setting: a constant step size,
# all three rows in each step, no penalty and no average. The sections `The penalty`_
# and `Training`_ explain the last two.
steps = SoftmaxRegressionClassifier(
    learning_rate="constant",
    eta0=0.1,
    batch_size=3,
    max_iter=2,
    alpha=0,
    average=False,
    shuffle=False,
    tol=None,
)
steps.fit(x_hand, kinds)
rows = [list(steps.classes_).index(kind) for kind in kinds]
print(f"largest difference: {np.abs(steps.coef_[rows] - W_hand).max():.0e}")
print("classes_ are sorted:", steps.classes_)

# %%
# At last the estimator trains to the end, with a penalty, and sees a manor: three
# floors, 40 windows and a garden.
trained = SoftmaxRegressionClassifier(alpha=0.01).fit(x_hand, kinds)
manor = trained.predict_proba([[3, 4, 1]])[0]
for kind, probability in zip(trained.classes_, manor, strict=True):
    print(f"{kind:8} {probability:.2f}")

# %%
# Training
# --------
#
# Minibatch SGD in ten lines
# ^^^^^^^^^^^^^^^^^^^^^^^^^^
# **Stochastic gradient descent**, in short SGD, draws a minibatch, takes a step down
# its gradient, and repeats. The gradient of a minibatch is the gradient of all rows
# plus noise, at a fraction of the cost. One round through all rows is an **epoch**.
batch_size, step_size, n_epochs = 64, 0.5, 200
W, c = np.zeros((10, 64)), np.zeros(10)
history = [(W, c)]
for _ in range(n_epochs):
    for start in range(0, len(X_train), batch_size):
        some = slice(start, start + batch_size)
        _, grad_W, grad_c = loss_gradient(W, c, X_train[some], Y_train[some])
        W = W - step_size * grad_W
        c = c - step_size * grad_c
    history.append((W, c))
for epoch in (0, 1, 2, 5, 20, 200):
    W_then, c_then = history[epoch]
    P = softmax(X_test @ W_then.T + c_then)
    accuracy = (P.argmax(axis=1) == y_test).mean()
    surprise = -np.log2(P[range(len(y_test)), y_test]).mean()
    print(f"epoch {epoch:3}: {surprise:.3f} bits, accuracy {accuracy:.3f}")

# %%
# Weights of zero give all classes the probability 1/10, and so :math:`\log_2 10` bits.
# The classes are tied, and ``argmax`` decides for class 0.
#
# Our digit over the epochs
# ^^^^^^^^^^^^^^^^^^^^^^^^^
# The model learns most digits sooner than ours, which the model takes for an 8 until
# after epoch 20. The last column is the median over the training digits of 1 - p, with
# the p of the right class. This number is the size of the gradient in the right score.
# The median digit has little gradient left when our digit changes from 8 to 3.
for epoch in (0, 1, 2, 5, 20, 50, 200):
    W_then, c_then = history[epoch]
    p_then = softmax(W_then @ digit + c_then)
    P = softmax(X_train @ W_then.T + c_then)
    rest = np.median(1 - P[range(n), y_train])
    print(f"epoch {epoch:3}: p(3) = {p_then[3]:.2f}", end=", ")
    print(f"p(8) = {p_then[8]:.2f}, median {rest:.2f}")
# sphinx_gallery_start_ignore
curves = np.array([softmax(W_e @ digit + c_e) for W_e, c_e in history])
figure, ax = figure_of("Probabilities of our digit over the epochs", height=3.2)
for k, style, name in [
    (3, "-", "3, the true class"),
    (8, "--", "8"),
    (2, ":", "2"),
]:
    color = TRUE if k == label else "black"
    ax.plot(curves[:, k], style, color=color, linewidth=2, label=name)
ax.set_xscale("symlog", linthresh=1)
ax.set_xticks([0, 1, 2, 5, 10, 20, 50, 100, 200])
ax.xaxis.set_major_formatter("{x:.0f}")
ax.set(xlabel="epoch", ylabel="probability", ylim=(0, 1), xlim=(0, 200))
ax.legend(fontsize=13)
plt.show()
# sphinx_gallery_end_ignore

# %%
# The weights over the epochs
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The weights of each class begin as a blank and grow into a pattern. A row of the
# figure is an epoch, and a column is a class. Class 0 learns its hole first: ink in the
# centre speaks against a 0.

# sphinx_gallery_start_ignore
shown = (0, 1, 2, 5, 20, 200)
figure, ax = figure_of("Weights of the ten classes over the epochs", height=4.9)
gap = np.full((6, 10, 10, 10), np.nan)
for row, epoch in enumerate(shown):
    gap[row, :, 1:9, 1:9] = history[epoch][0].reshape(10, 8, 8)
mosaic = gap.transpose(0, 2, 1, 3).reshape(60, 100)
limit = np.abs(W).max()
image = ax.imshow(mosaic, cmap="PuOr", vmin=-limit, vmax=limit)
draw_minus_signs(ax, np.nan_to_num(mosaic), limit, size=9)
ax.set_xticks(np.arange(10) * 10 + 4.5, [f"{k}" for k in range(10)])
ax.set_yticks(np.arange(6) * 10 + 4.5, [f"epoch {e}" for e in shown])
ax.tick_params(length=0)
ax.spines[:].set_visible(False)
figure.colorbar(
    image, ax=ax, label="weight", orientation="horizontal", shrink=0.6, aspect=40
)
plt.show()
# sphinx_gallery_end_ignore
for epoch in (1, 5, 20, 200):
    largest = np.abs(history[epoch][0]).max()
    print(f"epoch {epoch:3}: largest weight {largest:.2f}")

# %%
# Why the order is shuffled
# ^^^^^^^^^^^^^^^^^^^^^^^^^
# The loop above keeps the order of the rows, which the split had shuffled. If the
# digits were sorted by class, the last minibatches of an epoch would hold only nines
# and eights. A step on nines alone raises the score of 9 for everything. A new order in
# each epoch makes each minibatch a fair sample.
textbook = {
    "learning_rate": "constant",
    "eta0": step_size,
    "batch_size": batch_size,
    "max_iter": 20,
    "alpha": 0,
    "average": False,
    "tol": None,
}
by_class = np.argsort(y_train)
for shuffle in (False, True):
    model = SoftmaxRegressionClassifier(**textbook, random_state=0)
    model.set_params(shuffle=shuffle)
    model.fit(X_train[by_class], y_train[by_class])
    nines = (model.predict(X_test) == 9).mean()
    accuracy = model.score(X_test, y_test)
    print(f"shuffle={shuffle!s:5} accuracy {accuracy:.3f}, 9s: {nines:.1%}")
print(f"true share of 9: {(y_test == 9).mean():.1%}")

# %%
# The same with the estimator
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^
# ``SoftmaxRegressionClassifier`` has this algorithm inside. Its textbook setting takes
# the very same steps as our ten lines.
model = SoftmaxRegressionClassifier(**textbook, shuffle=False)
model.set_params(max_iter=n_epochs).fit(X_train, y_train)
print(f"largest difference of a weight: {np.abs(model.coef_ - W).max():.0e}")
print(f"accuracy: {model.score(X_test, y_test):.3f}")

# %%
# The step size, and how to do without one
# ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A small step size is slow. A large one overshoots: the loss jumps up and down. The
# right size differs from data to data.
#
# The default of the estimator chooses the steps itself. Some directions of the loss are
# steep and others flat. The estimator measures the curvature on a sample of the rows,
# and multiplies each step by a matrix that makes up for it, the *preconditioner*. The
# size of the steps follows from the same curvature. The model is the average of the
# weights after each step, in which the noise cancels out. :doc:`/algorithm` has the
# formulas.
#
# The figure shows the *objective*, the loss of the training digits and a small penalty.
# `The penalty`_ explains the second part. All four fits take minibatches of 64 digits.
# The step size 0.5 also runs with an average of its weights.
settings = {
    "step size 0.02": {**textbook, "alpha": 1e-4, "eta0": 0.02},
    "step size 0.5": {**textbook, "alpha": 1e-4},
    "step size 10": {**textbook, "alpha": 1e-4, "eta0": 10},
    "automatic steps": {"batch_size": 64, "max_iter": 20, "tol": None},
}
curves = {}
for name, params in settings.items():
    model = SoftmaxRegressionClassifier(**params, random_state=0)
    curves[name] = model.fit(X_train, y_train).loss_curve_
    accuracy = model.score(X_test, y_test)
    last = curves[name][-1]
    print(f"{name:15} objective {last:.3f}, accuracy {accuracy:.3f}")
params = {**settings["step size 0.5"], "average": True}
model = SoftmaxRegressionClassifier(**params, random_state=0)
accuracy = model.fit(X_train, y_train).score(X_test, y_test)
print(f"step size 0.5 with the average: accuracy {accuracy:.3f}")
# sphinx_gallery_start_ignore
figure, ax = figure_of("Objective for three step sizes and automatic steps", height=3.6)
for (name, curve), style in zip(curves.items(), [":", "-.", "--", "-"], strict=True):
    color = TRUE if style == "-" else "black"
    ax.semilogy(range(1, 21), curve, style, color=color, label=name)
ax.set(xlabel="epoch", ylabel="objective (nats)")
ax.set_xticks(range(5, 21, 5))
ax.legend(fontsize=13)
plt.show()
# sphinx_gallery_end_ignore

# %%
# The same step size of 0.5 has other accuracies above. Without an average, the accuracy
# depends on the last few minibatches, whose order is another one here. The average
# takes out this noise.
#
# With all of its defaults, the estimator takes so few digits as one batch, and steps
# without noise to the optimum. The result is the model ``clf`` of the other sections.
W, c = clf.coef_, clf.intercept_

# %%
# The trained model
# -----------------
#
# The weights as pictures
# ^^^^^^^^^^^^^^^^^^^^^^^
# Each class has a weight for each pixel, so its weights are a picture too. Ink on
# purple pixels speaks for the class, ink on orange pixels against it. The outer columns
# are white in nearly all digits, and have small weights. The top and the bottom row
# have ink in many digits, and large weights.
from sksoftmax.inspection import CoefficientImageDisplay

pixels = np.arange(64).reshape(8, 8)
for name, some in [
    ("outer columns", pixels[:, [0, 7]].ravel()),
    ("top and bottom", pixels[[0, 7], 1:7].ravel()),
]:
    ink = (X_train[:, some] > 0).mean()
    print(f"{name:14} ink in {ink:3.0%} of the pixels", end=", ")
    print(f"largest weight {np.abs(clf.coef_[:, some]).max():.2f}")
display = CoefficientImageDisplay.from_estimator(clf, image_shape=(8, 8))
# sphinx_gallery_start_ignore
display.figure_.suptitle("The weights of each class")
display.figure_.set_size_inches(0.85 * display.figure_.get_size_inches())
for ax, weights in zip(display.axes_, clf.coef_, strict=True):
    ax.spines[:].set_visible(True)
    draw_minus_signs(ax, weights.reshape(8, 8), np.abs(clf.coef_).max(), size=12)
plt.show()
# sphinx_gallery_end_ignore

# %%
# The table of probabilities
# ^^^^^^^^^^^^^^^^^^^^^^^^^^
# This table is the whole answer of the model for our digit. The columns lead from the
# score to the probability, and on to the surprisal. The probabilities sum to one, here
# up to their rounding. The surprisal of a row is the one that the model would have if
# the class of the row were the true one.
ranks = np.argsort(-scores)
answer = pd.DataFrame(
    {
        "score": [f"{scores[k]:.2f}" for k in ranks],
        "exp(score)": exponentials[ranks],
        "probability": p[ranks],
        "surprisal (bits)": [f"{-np.log2(p[k]):.2f}" for k in ranks],
    },
    index=[f"{k} (true)" if k == label else f"{k}" for k in ranks],
)
answer.loc["total"] = ["", exponentials.sum(), p.sum(), ""]
# sphinx_gallery_capture_repr_block = ("_repr_html_",)
answer.round(4)

# %%
# Draw a digit
# ^^^^^^^^^^^^
# The model ``clf`` of this page runs in the next figure. Draw a digit, and see its
# probabilities, and the pixels that speak for and against a class. The button *ours*
# shows our digit, and *unsure* shows the first digit of `An uncertain digit`_. A clear
# sheet has the probabilities of the intercepts alone.
#
# .. interactive:: digit
#
# Decision regions
# ^^^^^^^^^^^^^^^^
# The whole model fits into one picture if there are two features. The features here are
# the mean ink in two patches at the left of the digit, which the small picture shows.
# The table has the median of each class:
four = [3, 6, 8, 9]


def patches_of(rows):
    """Return the ink in the upper and in the lower patch."""
    pictures = rows.reshape(-1, 8, 8)
    upper = pictures[:, 2:4, 2:4].mean(axis=(1, 2))
    lower = pictures[:, 4:6, 1:4].mean(axis=(1, 2))
    return np.column_stack([upper, lower])


patches = patches_of(X_train)
some = np.isin(y_train, four)
medians = pd.DataFrame(patches[some], columns=["upper", "lower"])
# sphinx_gallery_capture_repr_block = ("_repr_html_",)
medians.groupby(y_train[some]).median().round(2)

# %%
# A 3 is open at the left and has little ink in both patches. The other three have about
# the same ink in the upper patch, and the lower patch parts them. A 9 is open there and
# has little ink, an 8 has more, and a 6 has the most.
flat = SoftmaxRegressionClassifier().fit(patches[some], y_train[some])
some_test = np.isin(y_test, four)
accuracy = flat.score(patches_of(X_test[some_test]), y_test[some_test])
print(f"test accuracy with two features: {accuracy:.3f}")
upper, lower = patches[1164]
print(f"our digit: upper {upper:.2f}, lower {lower:.2f}")
for name, probability in zip(
    flat.classes_, flat.predict_proba(patches[[1164]])[0], strict=True
):
    print(f"p({name}) = {probability:.2f}")

# %%
# Two classes have equal probabilities if their scores are equal. The difference of two
# scores is affine in the features, so the border is a straight line. These are the
# borders of the 9:
for k in (0, 2):
    w = flat.coef_[3] - flat.coef_[k]
    c0 = flat.intercept_[3] - flat.intercept_[k]
    print(f"9 and {four[k]}: {w[0]:+.1f} upper {w[1]:+.1f} lower", end=" ")
    print(f"{c0:+.1f} = 0")
# sphinx_gallery_start_ignore
from matplotlib.patheffects import withStroke

figure, axes = plt.subplot_mosaic(
    [["patches", "names"], ["regions", "regions"]],
    figsize=(6.4, 7.8),
    height_ratios=[1, 3.4],
)
figure.suptitle("Decision regions of four digits")
ax = axes["regions"]
gx, gy = np.meshgrid(np.linspace(-0.02, 1.02, 261), np.linspace(-0.02, 1.02, 261))
on_grid = flat.predict_proba(np.column_stack([gx.ravel(), gy.ravel()]))
region = on_grid.argmax(axis=1).reshape(gx.shape)
ax.contourf(
    gx,
    gy,
    region,
    levels=[-0.5, 0.5, 1.5, 2.5, 3.5],
    colors=["#cfe3f2", "#fde7c4", "#e8e8e8", "#f6d5cb"],
)
sure = ax.contour(
    gx,
    gy,
    on_grid.max(axis=1).reshape(gx.shape),
    levels=[0.5, 0.7, 0.9],
    colors="0.35",
    linewidths=0.8,
    linestyles="dotted",
)
for text in ax.clabel(sure, fmt="%.1f", fontsize=13):
    text.set_bbox({"facecolor": "white", "alpha": 0.7, "lw": 0, "pad": 0.5})
    text.set_zorder(4)
for k, name in enumerate(four):
    margin = on_grid[:, k] - np.delete(on_grid, k, axis=1).max(axis=1)
    ax.contour(
        gx, gy, margin.reshape(gx.shape), levels=[0], colors="black", linewidths=1.2
    )
    where = region == k
    number = ax.text(gx[where].mean(), gy[where].mean(), name, fontsize=34, zorder=5)
    number.set_path_effects([withStroke(linewidth=4, foreground="white")])
for k, marker in zip(four, ["o", "^", "s", "x"], strict=True):
    own = patches[y_train == k]
    ax.plot(*own.T, marker, color="0.2", ms=4, mfc="none", mew=0.8, label=str(k))
ax.plot(*patches[1164], "*", color=TRUE, ms=20, mec="white", label="our digit")
ax.set(xlabel="ink, upper patch", ylabel="ink, lower patch")
draw_picture(axes["patches"], digit, "upper and lower patch")
for corner, wide in [((1.5, 1.5), 2), ((0.5, 3.5), 3)]:
    frame = plt.Rectangle(corner, wide, 2, fill=False, edgecolor=TRUE, lw=3)
    axes["patches"].add_patch(frame)
axes["names"].axis("off")
axes["names"].legend(*ax.get_legend_handles_labels(), loc="center")
plt.show()
# sphinx_gallery_end_ignore

# %%
# The border of 3 and 9 is steep: the upper patch decides. The borders of 8 with 6 and
# with 9 are nearly level: the lower patch decides. Dotted lines join the points where
# the largest probability is equal, and far from the borders the model is sure. Many
# marks lie on the wrong side, above all between 6 and 8: two features are too few. A
# model with 64 features has flat borders too, in 64 dimensions, and errs less.
#
# 784 pixels
# ^^^^^^^^^^
# The enlarged digits are fitted in the same way. The weights are larger pictures, and
# the accuracy changes little: interpolation added pixels and no information. Our digit
# becomes more certain, because twelve pixels now share the work of one. Their weights
# are smaller, so the penalty on them is in effect weaker (see `The penalty`_).
model = SoftmaxRegressionClassifier().fit(large_train, y_train)
print(f"{model.coef_.size} weights instead of {clf.coef_.size}")
print(f"test accuracy {model.score(large_test, y_test):.3f}", end=" ")
print(f"instead of {clf.score(X_test, y_test):.3f}")
print(f"our digit: p(3) = {model.predict_proba([large])[0, 3]:.2f}")
display = CoefficientImageDisplay.from_estimator(model, image_shape=(28, 28))
# sphinx_gallery_start_ignore
display.figure_.suptitle("The weights of 784 pixels")
display.figure_.set_size_inches(0.85 * display.figure_.get_size_inches())
for ax in display.axes_:
    ax.spines[:].set_visible(True)
plt.show()
# sphinx_gallery_end_ignore

# %%
# Prediction and accuracy
# -----------------------
#
# The most probable class
# ^^^^^^^^^^^^^^^^^^^^^^^
# The hard answer is the class with the largest probability. **Accuracy** is the share
# of rows for which this class is the right one.
#
# Accuracy is often the goal, but training cannot use it. We change one weight, of class
# 8 for the pixel in row 4 and column 5, and watch the training digits. The accuracy
# moves in steps, and between the steps its derivative is zero. The loss is smooth, and
# its slope shows the way.
weight_range = np.linspace(-4, 4, 161)
losses, accuracies = [], []
W_moved = W.copy()
for change in weight_range:
    W_moved[8, 28] = W[8, 28] + change
    P = softmax(X_train @ W_moved.T + c)
    losses.append(-np.log(P[range(n), y_train]).mean())
    accuracies.append((P.argmax(axis=1) == y_train).mean())
print(f"different values of the loss: {len(np.unique(losses))}")
print(f"different values of the accuracy: {len(np.unique(accuracies))}")
# sphinx_gallery_start_ignore
figure, axes = figure_of(
    "Loss and accuracy while one weight changes",
    1,
    2,
    height=3.0,
)
axes[0].plot(weight_range, losses, color="black")
axes[0].set(ylabel="loss (nats)", xlabel="change of the weight")
axes[1].step(weight_range, accuracies, color="black")
axes[1].set(ylabel="accuracy", xlabel="change of the weight")
for ax in axes:
    ax.set_xticks([-4, -2, 0, 2, 4])
plt.show()
# sphinx_gallery_end_ignore

# %%
# The test set
# ^^^^^^^^^^^^
# A model may know its training digits by heart. The **test set** holds digits that
# took no part in any choice: not in the fit, and not in the choice of a penalty. The
# accuracy on these digits estimates the accuracy on new ones. Our digit is a training
# digit, so its good prediction proves nothing. This page prints test accuracies often,
# and chooses nothing by them.
#
# Two numbers belong beside an accuracy. The first is the accuracy of a trivial answer.
# The second is the standard error, which tells how far chance moves the accuracy of so
# few test digits. An accuracy a of n test digits has the standard error
# :math:`\sqrt{a (1 - a) / n}`.
accuracy = clf.score(X_test, y_test)
error = np.sqrt(accuracy * (1 - accuracy) / len(y_test))
print(f"training digits: {clf.score(X_train, y_train):.3f}")
print(f"test digits:     {accuracy:.3f}, standard error {error:.3f}")
frequent = np.bincount(y_train).argmax()
print(f"always a {frequent}:      {(y_test == frequent).mean():.3f}")

# %%
# The test digits come from the same writers as the training digits. The test set should
# hold other writers if the model is for new writers. Exercise 7 has the difference.
#
# An uncertain digit
# ^^^^^^^^^^^^^^^^^^
# ``predictive_entropy`` tells how uncertain a prediction is, without the label. These
# are the test digit with the largest entropy, and the one with the largest surprisal.
# The model knows that the first digit is doubtful. The model is sure of the second
# digit, and wrong.
doubt = clf.predictive_entropy(X_test)
bits = clf.surprisal(X_test, y_test)
answers = clf.predict(X_test)
for name, i in [
    ("most uncertain", doubt.argmax()),
    ("most surprising", bits.argmax()),
]:
    print(f"{name:15}: a {y_test[i]}, predicted {answers[i]}", end=", ")
    print(f"entropy {doubt[i]:.2f} bits, surprisal {bits[i]:.2f} bits")
# sphinx_gallery_start_ignore
figure, axes = figure_of(
    "An uncertain digit, and a surprising one",
    2,
    2,
    height=5.0,
    gridspec_kw={"width_ratios": [1, 2.6]},
)
for row, i, name in [
    (axes[0], doubt.argmax(), "uncertain"),
    (axes[1], bits.argmax(), "surprising"),
]:
    draw_picture(row[0], X_test[i], f"{name}, a {y_test[i]}")
    proba = clf.predict_proba(X_test[[i]])[0]
    draw_bars(row[1], proba, true=y_test[i], title="probabilities")
    row[1].set_ylim(0, 1)
plt.show()
# sphinx_gallery_end_ignore

# %%
# A program can hand the uncertain digits to a person, and answer the others itself:
order = np.argsort(doubt)
right = answers == y_test
for share in (0, 0.05, 0.1, 0.2):
    kept = order[: round((1 - share) * len(order))]
    accuracy = right[kept].mean()
    print(f"{share:4.0%} handed over: accuracy on the others {accuracy:.3f}")

# %%
# Overfitting and the penalty
# ---------------------------
#
# Learning by heart
# ^^^^^^^^^^^^^^^^^
# Take only the first 100 training digits. 640 weights can tell so few digits apart
# without error. Larger multiples of such weights lower the loss further. The rest of
# the training digits watches as a **validation set**: the model does not train on them.
# The loss of the training digits falls towards zero. The validation loss falls, turns
# and rises, which is **overfitting**.
from sksoftmax.inspection import LossCurveDisplay

X_few, y_few = X_train[:100], y_train[:100]
X_val, y_val = X_train[100:], y_train[100:]
model = SoftmaxRegressionClassifier(
    alpha=0,
    batch_size=20,
    max_iter=100,
    tol=None,
    early_stopping=False,
    random_state=0,
)
model.fit(X_few, y_few, X_val=X_val, y_val=y_val)
curve = model.validation_loss_curve_
print(f"training loss at the end: {model.loss_curve_[-1]:.4f}")
print(f"validation loss: lowest {min(curve):.3f} in epoch", end=" ")
print(f"{np.argmin(curve) + 1}, {curve[-1]:.3f} at the end")
display = LossCurveDisplay.from_estimator(model, name="no penalty")
# sphinx_gallery_start_ignore
display.figure_.set_size_inches(6.4, 3.8)
display.figure_.suptitle("Overfitting: 100 training digits, no penalty")
display.ax_.legend(
    ["training loss", f"validation loss, lowest in epoch {np.argmin(curve) + 1}"],
    loc="upper right",
)
display.ax_.set_ylim(0, 1)
plt.show()
# sphinx_gallery_end_ignore

# %%
# One remedy is to stop early. ``fit`` with ``X_val`` stops early by default, and
# returns the model of the best epoch.
#
# The penalty
# ^^^^^^^^^^^
# The other remedy makes large weights expensive. A **penalty** joins the loss, and the
# sum is the **objective**:
#
# .. math::
#
#    \frac{1}{n} \sum_i l(y^{(i)}, p^{(i)})
#    + \frac{\alpha}{2} \sum_{j, m} w_{jm}^2.
#
# The strength of the penalty is :math:`\alpha`, in code ``alpha``. The intercepts have
# no penalty. The gradient of the
# penalty, :math:`\alpha w_{jm}`, draws each weight towards zero in each step. Others
# say weight decay. The model learns chance details by heart under a weak penalty, and
# next to nothing under a strong one.
alphas = np.logspace(-7, 0, 15)
models = [SoftmaxRegressionClassifier(alpha=alpha) for alpha in alphas]
for model in models:
    model.fit(X_few, y_few)
train_loss, val_loss = (
    [model.surprisal(rows, labels).mean() * np.log(2) for model in models]
    for rows, labels in [(X_few, y_few), (X_val, y_val)]
)
best = np.argmin(val_loss)
for i in (0, best, -1):
    print(f"alpha {alphas[i]:.0e}: training {train_loss[i]:.3f}", end=", ")
    print(f"validation {val_loss[i]:.3f}, largest weight", end=" ")
    print(f"{np.abs(models[i].coef_).max():.2f}")
# sphinx_gallery_start_ignore
figure, ax = figure_of(
    "Loss of 100 training digits and of others, by alpha", height=3.6
)
ax.semilogx(alphas, train_loss, "--", color="black", label="training loss")
ax.semilogx(alphas, val_loss, "-", color="black", label="validation loss")
ax.plot(alphas[best], val_loss[best], "v", color=TRUE, ms=11, label="best alpha")
ax.axhline(np.log(10), color="0.6", linewidth=1)
ax.text(alphas[0], np.log(10) - 0.17, "knowing nothing, log 10", fontsize=13)
ax.set(xlabel="alpha, from weak to strong", ylabel="loss (nats)", ylim=(0, 2.5))
ax.legend(fontsize=13, loc="center left")
plt.show()
# sphinx_gallery_end_ignore

# %%
# The weights show the effect. Each picture has its own colour scale, up to its largest
# weight. The penalty shrinks the weights, and the strong one also leaves out details.

# sphinx_gallery_start_ignore
figure, axes = figure_of(
    "Weights of 3 under a weak, the best and a strong penalty", 1, 3, height=3.3
)
for ax, i in zip(axes, (0, best, -3), strict=True):
    weights = models[i].coef_[3]
    limit = np.abs(weights).max()
    draw_signed(ax, weights, limit, f"alpha {alphas[i]:.0e}")
    ax.set_xlabel(f"largest weight {limit:.2f}")
plt.show()
# sphinx_gallery_end_ignore
for i in (0, best, -3):
    accuracy = models[i].score(X_val, y_val)
    print(f"alpha {alphas[i]:.0e}: validation accuracy {accuracy:.3f}")

# %%
# Choosing the strength
# ^^^^^^^^^^^^^^^^^^^^^
# ``SoftmaxRegressionClassifierCV`` chooses alpha by **cross-validation**. Each fifth of
# the training digits is the validation set once. The test set waits until the choice is
# made, and is used once. :doc:`/auto_examples/plot_penalty` has more.
from sksoftmax import SoftmaxRegressionClassifierCV

chosen = SoftmaxRegressionClassifierCV().fit(X_train, y_train)
accuracy = chosen.score(X_test, y_test)
print(f"alpha {chosen.alpha_:.0e}, test accuracy {accuracy:.3f}")
print(f"alpha {clf.alpha:.0e}, the default: {clf.score(X_test, y_test):.3f}")

# %%
# Two fits with the same alpha may differ in a few digits, because each fit stops a
# little before the optimum.
#
# Symbols
# -------
# The textbook is *Dive into Deep Learning* (Zhang, Lipton, Li and Smola): its section
# on softmax regression, and other sections for what that one leaves out.
# Estimators of both packages share scikit-learn's names, but for ``alpha`` and those
# marked *ours*. Python counts rows, features and classes from zero, and ``y`` and
# ``classes_`` have labels where the page has places.
#
# .. list-table::
#    :header-rows: 1
#    :widths: 34 20 20 26
#
#    * - meaning
#      - this page
#      - textbook
#      - scikit-learn
#    * - number of rows
#      - :math:`n`
#      - :math:`n`
#      - ``n_samples``
#    * - number of features
#      - :math:`d`
#      - :math:`d`
#      - ``n_features``
#    * - number of classes
#      - :math:`q`
#      - :math:`q`
#      - ``n_classes``
#    * - features of all rows
#      - :math:`X`, n x d
#      - :math:`\mathbf{X}`, n x d
#      - ``X``
#    * - features of a row
#      - :math:`x`
#      - :math:`\mathbf{x}`
#      - ``X[i]``
#    * - weights
#      - :math:`W`, q x d
#      - :math:`\mathbf{W}`, q x d for a row, d x q for a batch
#      - ``coef_``, q x d; 1 x d for two classes
#    * - weight of feature m, class j
#      - :math:`w_{jm}`
#      - :math:`w_{jm}`
#      - ``coef_[j, m]``
#    * - intercepts
#      - :math:`c`
#      - :math:`\mathbf{b}`, bias
#      - ``intercept_``
#    * - scores
#      - :math:`o = W x + c`
#      - :math:`\mathbf{o}`, logits
#      - ``decision_function``
#    * - score of the second of two classes
#      - :math:`z`
#      - :math:`o_2 - o_1`
#      - ``decision_function``
#    * - probabilities
#      - :math:`p`
#      - :math:`\hat{\mathbf{y}}`
#      - ``predict_proba``
#    * - predicted class
#      - the class of the largest :math:`p_j`
#      - :math:`\mathrm{argmax}_j \, \hat{y}_j`
#      - ``predict``
#    * - temperature
#      - :math:`T`
#      - :math:`T`
#      - ``CalibratedClassifierCV(method="temperature")`` finds it
#    * - scores, probabilities and labels of a batch
#      - :math:`O, P, Y`
#      - :math:`\mathbf{O}, \hat{\mathbf{Y}}, \mathbf{Y}`
#      - the same names as for a row
#    * - one-hot or soft label
#      - :math:`y`
#      - :math:`\mathbf{y}`
#      - ``y`` has labels; ours also takes a table
#    * - label of row i, place j
#      - :math:`y^{(i)}_j`
#      - :math:`y^{(i)}_j`
#      - ``y[i] == classes_[j]``
#    * - class of row i
#      - :math:`k_i`
#      - the place of the 1 in :math:`\mathbf{y}^{(i)}`
#      - ``y[i]``, its label
#    * - likelihood
#      - :math:`L`
#      - :math:`P(\mathbf{Y} \mid \mathbf{X})`
#      - ``exp(-n * log_loss)``
#    * - loss of a row
#      - :math:`l(y, p)`
#      - :math:`l(\mathbf{y}, \hat{\mathbf{y}})`
#      - ``log_loss`` is the mean
#    * - surprisal, in bits
#      - :math:`-\log_2 p_j`
#      - :math:`-\log P(j)`, in nats
#      - ours: ``surprisal``
#    * - entropy, in bits
#      - :math:`H(p)`
#      - :math:`H[P]`, in nats
#      - ours: ``predictive_entropy``
#    * - cross-entropy, in bits
#      - :math:`H(y, p)`
#      - :math:`H(P, Q)`, in nats
#      - ``log_loss`` divided by log 2
#    * - divergence, in bits
#      - :math:`D(y \,\|\, p)`
#      - :math:`D_{\mathrm{KL}}`, in its appendix
#      - none; SciPy: ``entropy(y, p, base=2)``
#    * - rows in a minibatch
#      - :math:`b`
#      - :math:`n`, elsewhere :math:`|\mathcal{B}|`
#      - ``batch_size``
#    * - step size
#      - :math:`\eta`
#      - :math:`\eta`, learning rate
#      - ``eta0``
#    * - penalty
#      - :math:`\alpha`
#      - :math:`\lambda`, weight decay
#      - ``alpha``; ``C`` = 1 / (n alpha)
#    * - number of Kronecker products
#      - :math:`n`, there alone
#      - :math:`n`
#      - ours: ``phm_order``
#    * - parts of product k
#      - :math:`A_k, S_k`
#      - none
#      - ours: ``phm_A_``, ``phm_S_``

# %%
# Summary
# -------
# - Classification asks which one. The label is one-hot, or a distribution.
# - A picture is flattened into features. One fully connected layer makes a score for
#   each class, by d q weights and q intercepts.
# - The softmax turns scores into probabilities. Differences of scores are log-odds, and
#   two classes give the sigmoid.
# - The loss is minus the logarithm of the probability of the right class. The loss is
#   minus the log-likelihood, the surprisal, and the cross-entropy with a one-hot label.
# - The gradient in the scores is prediction minus label, and in the weights this
#   difference times the features.
# - Minibatch SGD steps down the mean gradient of a few rows. A matrix product does all
#   of the rows at once.
# - A test set measures the model, and a penalty, chosen on validation rows, keeps it
#   from learning by heart.
#
# Exercises
# ---------
# The answers are folded. Their code runs when the page is built.
#
# **1. Ten classes or a thousand.** A model with weights of zero predicts the same
# probability for each class. Compute its loss in nats and in bits for 2, 10 and 1000
# classes. A model of 1000 classes has a loss of 5 nats: is it better than a guess?
#
# .. raw:: html
#
#    <details><summary>Answer</summary>
#
# The loss is log q. A loss of 5 nats is better than a guess among 1000 classes, and as
# good as a guess among exp(5) classes.
for q in (2, 10, 1000):
    print(f"{q:4} classes: {np.log(q):.3f} nats = {np.log2(q):.3f} bits")
print(f"5 nats are a guess among {np.exp(5):.0f} classes")

# %%
# .. raw:: html
#
#    </details>
#
# **2. The second derivative.** Show that the second derivative of the loss in the score
# :math:`o_j` is :math:`p_j (1 - p_j)`. Find a random variable with this variance, and
# check the formula for our digit and class 3.
#
# .. raw:: html
#
#    <details><summary>Answer</summary>
#
# The first derivative is :math:`p_j - y_j`. By the quotient rule, the derivative of
# :math:`p_j` in :math:`o_j` is :math:`p_j - p_j^2`. The random variable is place j of a
# one-hot label whose class is drawn from p. The matrix of all second derivatives is the
# covariance matrix of the places, so the loss is convex in the scores.
step = 1e-4
up, down = (softmax(scores + s * np.eye(10)[3])[3] for s in (step, -step))
print(f"measured {(up - down) / (2 * step):.6f}", end=", ")
print(f"formula {p[3] * (1 - p[3]):.6f}")

# %%
# .. raw:: html
#
#    </details>
#
# **3. A code for three symbols.** Three symbols are equally frequent. A code with the
# words 0, 10 and 11 takes more bits than the entropy. Find a better code.
#
# .. raw:: html
#
#    <details><summary>Answer</summary>
#
# Number the :math:`3^m` possible strings of m symbols, and write the number in binary.
# The bits for a symbol come near the entropy, log2 3.
print(f"0, 10, 11: {(1 + 2 + 2) / 3:.3f} bits; entropy {np.log2(3):.3f} bits")
for m in (1, 2, 5, 17):
    print(f"strings of {m:2}: {np.ceil(m * np.log2(3)) / m:.3f} bits a symbol")

# %%
# .. raw:: html
#
#    </details>
#
# **4. A smooth maximum.** The loss contains the function
# :math:`\log \sum_k \exp o_k`. Show that the function is larger than the largest score,
# by at most log q. Then divide the scores by T, multiply the result by T, and let T go
# to zero.
#
# .. raw:: html
#
#    <details><summary>Answer</summary>
#
# The sum is larger than its largest term, and at most q times as large. T makes the
# bound T log q, so the limit is the maximum. The gradient of the function is the
# softmax.
for T in (2, 1, 0.5, 0.2):
    top = scores.max()
    smooth = top + T * np.log(np.exp((scores - top) / T).sum())
    print(f"T = {T:4}: {smooth:.4f}, largest score {top:.4f}")

# %%
# .. raw:: html
#
#    </details>
#
# **5. Pixels that teach nothing.** The first pixel is white in all digits. What is its
# gradient, and what does the penalty do with its weight?
#
# .. raw:: html
#
#    <details><summary>Answer</summary>
#
# The gradient is zero, a difference times a pixel of zero. The weight stays at its
# start if there is no penalty. Under a penalty, a weight other than zero costs and
# helps nothing.
unused = X_train.max(axis=0) == 0
print("pixels that are white in all training digits:", np.flatnonzero(unused))
print("largest weight of these pixels:", np.abs(clf.coef_[:, unused]).max())

# %%
# .. raw:: html
#
#    </details>
#
# **6. The best number of products.** A layer has 2048 inputs and 1000 outputs. For
# which n does a sum of n Kronecker products store the fewest numbers, and how many?
#
# .. raw:: html
#
#    <details><summary>Answer</summary>
#
# The formula is :math:`\sqrt[4]{d q / 3}`, for an n that divides both sizes. The
# padding rounds q / n and d / n up, so the program counts the numbers for each n.
d, q = 2048, 1000
sizes = {n: n**3 + n * -(-q // n) * -(-d // n) for n in range(1, 60)}
n_best = min(sizes, key=sizes.get)
print(f"formula: n = {(d * q / 3) ** 0.25:.1f}")
print(f"counted: n = {n_best}, {sizes[n_best]} numbers instead of {d * q}")

# %%
# .. raw:: html
#
#    </details>
#
# **7. New writers.** The digits come in the order of their writers. Take the last
# quarter as the test set instead of a random one, and compare the accuracy.
#
# .. raw:: html
#
#    <details><summary>Answer</summary>
#
# ``shuffle=False`` keeps the order. The model has seen few digits of the last writers,
# or none, and errs more often on their digits. For an application with new writers,
# this is the honest number.
split = train_test_split(X, y, shuffle=False)
model = SoftmaxRegressionClassifier().fit(split[0], split[2])
print(f"random quarter: {clf.score(X_test, y_test):.3f}")
print(f"last quarter:   {model.score(split[1], split[3]):.3f}")

# %%
# .. raw:: html
#
#    </details>
#
# **8. Soft label or two rows.** Put two rows into the place of the row with the votes
# .6 for 3 and .4 for 8. Both rows are the digit, with the labels 3 and 8. Find the
# sample weights that give the same model.
#
# .. raw:: html
#
#    <details><summary>Answer</summary>
#
# The weights are the votes, .6 and .4. The loss is linear in y, so both ways give the
# same sum and the same optimum.
X_two = np.vstack([X_train, digit])
y_two = np.append(y_train, 8)
weight = np.ones(len(y_two))
weight[[1164, -1]] = 0.6, 0.4
exact = {"solver": "svrg", "tol": 1e-9}
two_rows = SoftmaxRegressionClassifier(**exact)
two_rows.fit(X_two, y_two, sample_weight=weight)
one_row = SoftmaxRegressionClassifier(**exact).fit(X_train, Y_votes)
print("two rows: ", two_rows.predict_proba([digit])[0, [3, 8]].round(4))
print("soft label:", one_row.predict_proba([digit])[0, [3, 8]].round(4))

# %%
# .. raw:: html
#
#    </details>
#
# The next pages
# --------------
# - :doc:`/auto_examples/plot_digits` does all of this in a Pipeline, with a confusion
#   matrix.
# - :doc:`/auto_examples/index` has recipes for text, embeddings, streams and more.
# - :doc:`/parameters` maps the parameters of other libraries to ours.
# - :doc:`/algorithm` has the formulas of the solvers, with their sources.
#
# Sources: Zhang, Lipton, Li and Smola, "Dive into Deep Learning"; Zhang, Tay, Zhang,
# Chan, Luu, Hui and Fu (2021), "Beyond Fully-Connected Layers with Quaternions:
# Parameterization of Hypercomplex Multiplications with 1/n Parameters"; Shannon
# (1948), "A Mathematical Theory of Communication"; the digits of Alpaydin and Kaynak,
# from the UCI repository.
