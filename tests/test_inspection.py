"""The displays: what they draw, what they say, and what they refuse."""

import re
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
from sklearn.svm import SVC, LinearSVC

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.inspection import (
    CoefficientDisplay,
    CoefficientImageDisplay,
    LossCurveDisplay,
)

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra 'plot'")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot", reason="needs the extra 'plot'")
to_rgb = matplotlib.colors.to_rgb

X, Y = load_digits(return_X_y=True)
X, Y = X[:400] / 16, Y[:400]
WORDS = np.array(["zero", "one", "two", "three"])
RELEASE = tuple(map(int, sklearn.__version__.split(".")[:2]))
NAMES = [f"pixel {i}" for i in range(64)]


@pytest.fixture(scope="module")
def trained():
    """Return a classifier that took several epochs and kept no validation curve."""
    return SoftmaxRegressionClassifier(batch_size=32, random_state=0).fit(X, Y)


@pytest.fixture(scope="module")
def validated():
    """Return a classifier whose best epoch is neither the first nor the last."""
    clf = SoftmaxRegressionClassifier(
        alpha=0,
        batch_size=32,
        random_state=0,
        early_stopping=True,
        max_iter=40,
        tol=None,
    ).fit(X, Y)
    assert 0 < np.argmin(clf.validation_loss_curve_) < clf.n_iter_ - 1
    return clf


@pytest.fixture(scope="module")
def two_classes():
    few = Y < 2
    return SoftmaxRegressionClassifier().fit(X[few], WORDS[Y[few]])


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def titles(display):
    return [axes.get_title() for axes in display.axes_]


def test_loss_curve_is_drawn_from_the_first_epoch_on(trained):
    display = LossCurveDisplay.from_estimator(trained)
    (line,) = display.lines_
    assert len(trained.loss_curve_) > 2
    assert_array_equal(line.get_xdata(), np.arange(1, len(trained.loss_curve_) + 1))
    assert_array_equal(line.get_ydata(), trained.loss_curve_)
    assert line.get_linestyle() == "-"
    assert labels(display) == ["SoftmaxRegressionClassifier: training objective"]


def test_axes_of_the_loss_curve(trained):
    display = LossCurveDisplay.from_estimator(trained)
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_ylabel() == "loss (nats)"
    assert display.figure_ is display.ax_.figure
    assert display.lines_[0].axes is display.ax_


@pytest.mark.parametrize("n_epochs", [1, 2, 3, 5, 12, 100])
def test_ticks_are_whole_epochs(n_epochs):
    display = LossCurveDisplay(loss_curve=np.linspace(1, 0.5, n_epochs)).plot()
    low, high = display.ax_.get_xlim()
    ticks = display.ax_.get_xticks()
    assert_array_equal(ticks, np.round(ticks))
    assert ((ticks >= low) & (ticks <= high)).any()


def test_validation_loss_is_dashed_with_one_mark_in_the_best_epoch(validated):
    display = LossCurveDisplay.from_estimator(validated, name="clf")
    objective, validation = display.lines_
    best = int(np.argmin(validated.validation_loss_curve_))
    assert_array_equal(validation.get_ydata(), validated.validation_loss_curve_)
    assert_array_equal(validation.get_xdata(), objective.get_xdata())
    assert validation.get_linestyle() == "--"
    assert validation.get_color() == objective.get_color()
    assert validation.get_marker() == objective.get_marker() != "None"
    assert validation.get_markevery() == [best]
    assert labels(display) == [
        "clf: training objective",
        f"clf: validation log-loss, lowest in epoch {best + 1}",
    ]


def test_estimators_on_the_same_axes_look_different_in_grey_too(trained, validated):
    first = LossCurveDisplay.from_estimator(validated, name="a")
    second = LossCurveDisplay.from_estimator(trained, name="b", ax=first.ax_)
    third = LossCurveDisplay.from_estimator(trained, name="c", ax=first.ax_)
    lines = [display.lines_[0] for display in (first, second, third)]
    assert second.ax_ is third.ax_ is first.ax_
    assert len({line.get_marker() for line in lines}) == 3
    shades = sorted(np.dot(to_rgb(line.get_color()), [0.3, 0.6, 0.1]) for line in lines)
    assert np.diff(shades).min() > 0.1
    assert [label[0] for label in labels(third)] == ["a", "a", "b", "c"]


def test_no_two_of_35_curves_look_the_same():
    _, ax = plt.subplots()
    display = LossCurveDisplay(loss_curve=[2, 1])
    lines = [display.plot(ax).lines_[0] for _ in range(35)]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 35


def test_lines_of_others_are_not_counted(trained):
    _, ax = plt.subplots()
    ax.axhline(0.1)
    beside = LossCurveDisplay.from_estimator(trained, ax=ax).lines_[0]
    alone = LossCurveDisplay.from_estimator(trained).lines_[0]
    assert beside.get_color() == alone.get_color()


def test_long_curves_have_few_markers():
    (line,) = LossCurveDisplay(loss_curve=np.linspace(1, 0.5, 1000)).plot().lines_
    assert 10 <= 1000 // line.get_markevery() <= 20


def test_keywords_of_the_lines(validated):
    kwargs = {"c": "red", "linewidth": 3, "ls": ":"}
    display = LossCurveDisplay.from_estimator(validated, line_kw=kwargs)
    assert [line.get_color() for line in display.lines_] == ["red", "red"]
    assert [line.get_linewidth() for line in display.lines_] == [3, 3]
    assert [line.get_linestyle() for line in display.lines_] == [":", "--"]
    assert kwargs == {"c": "red", "linewidth": 3, "ls": ":"}


@pytest.mark.parametrize(
    ("estimator_name", "name", "label"),
    [
        (None, None, "training objective"),
        ("clf", None, "clf: training objective"),
        ("clf", "other", "other: training objective"),
    ],
)
def test_names_of_a_display_made_by_hand(estimator_name, name, label):
    display = LossCurveDisplay(loss_curve=[2, 1], estimator_name=estimator_name)
    assert display.plot(name=name) is display
    assert labels(display) == [label]


def test_loss_curve_of_a_pipeline(trained):
    model = make_pipeline(MinMaxScaler(), make_pipeline(clone(trained))).fit(X, Y)
    display = LossCurveDisplay.from_estimator(model)
    assert_array_equal(display.lines_[0].get_ydata(), model[-1][-1].loss_curve_)
    assert labels(display) == ["SoftmaxRegressionClassifier: training objective"]


def test_loss_curve_of_another_kind_of_classifier():
    mlp = MLPClassifier(
        (5,), early_stopping=True, tol=0.1, n_iter_no_change=3, random_state=0
    ).fit(X, Y)
    display = LossCurveDisplay.from_estimator(mlp)
    (line,) = display.lines_
    assert_array_equal(line.get_ydata(), mlp.loss_curve_)
    assert labels(display) == ["MLPClassifier: training objective"]


@pytest.mark.parametrize(
    "draw",
    [
        LossCurveDisplay.from_estimator,
        lambda clf: CoefficientImageDisplay.from_estimator(clf, image_shape=(8, 8)),
        CoefficientDisplay.from_estimator,
    ],
    ids=["loss curve", "images", "bars"],
)
@pytest.mark.parametrize(
    "estimator",
    [
        SoftmaxRegressionClassifier(),
        make_pipeline(MinMaxScaler(), SoftmaxRegressionClassifier()),
    ],
    ids=["classifier", "pipeline"],
)
def test_unfitted_estimators_are_refused(draw, estimator):
    with pytest.raises(NotFittedError, match="SoftmaxRegressionClassifier instance is"):
        draw(estimator)


def test_calls_without_weight_alone_have_no_loss_curve():
    clf = SoftmaxRegressionClassifier()
    clf.partial_fit(X, Y, classes=np.arange(10), sample_weight=np.zeros(len(X)))
    with pytest.raises(
        ValueError,
        match="estimator must have loss_curve_, got a "
        r"SoftmaxRegressionClassifier without loss_curve_\. Call fit",
    ):
        LossCurveDisplay.from_estimator(clf)


@pytest.mark.filterwarnings("ignore:The best score is at")
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_penalty_path_instead_of_a_loss_curve_is_named(in_pipeline):
    clf = SoftmaxRegressionClassifierCV(alphas=[1e-1, 1e-2, 1e-3], cv=2)
    clf = make_pipeline(MinMaxScaler(), clf) if in_pipeline else clf
    clf.fit(X, Y)

    match = r"without loss_curve_\. This class has a penalty .* PenaltyPathDisplay"
    with pytest.raises(ValueError, match=match):
        LossCurveDisplay.from_estimator(clf)


def test_a_classifier_without_a_loss_curve_is_told_which_class_has_one():
    clf = LinearDiscriminantAnalysis().fit(X[:, 20:24], Y)

    with pytest.raises(ValueError, match="Call fit of a SoftmaxRegressionClassifier"):
        LossCurveDisplay.from_estimator(clf)


@pytest.mark.parametrize("n_epochs", [0, 2])
@pytest.mark.filterwarnings(
    "ignore:Training ended:sklearn.exceptions.ConvergenceWarning"
)
def test_progressive_losses_follow_the_epochs_of_fit(n_epochs):
    clf = SoftmaxRegressionClassifier(max_iter=2, random_state=0)
    if n_epochs:
        clf.fit(X, Y)
    for _ in range(3):
        clf.partial_fit(X, Y, classes=np.arange(10))

    display = LossCurveDisplay.from_estimator(clf)

    line = display.lines_[-1]
    assert len(display.lines_) == 1 + bool(n_epochs)
    assert line.get_label() == "SoftmaxRegressionClassifier: progressive loss"
    assert line.get_linestyle() == ":"
    assert_array_equal(line.get_xdata(), np.arange(3) + 1 + n_epochs)
    assert_array_equal(line.get_ydata(), clf.progressive_loss_curve_)
    counted = ["epoch"] * bool(n_epochs) + ["call of partial_fit"]
    assert display.ax_.get_xlabel() == ", ".join(counted)


def test_the_label_of_shared_axes_counts_for_all_curves(trained):
    stream = SoftmaxRegressionClassifier(random_state=0)
    stream.partial_fit(X, Y, classes=np.arange(10))
    _, ax = plt.subplots()
    ax.set_xlabel("another label")

    LossCurveDisplay.from_estimator(stream, ax=ax)
    assert ax.get_xlabel() == "call of partial_fit"
    LossCurveDisplay.from_estimator(trained, ax=ax)
    LossCurveDisplay.from_estimator(stream, ax=ax)

    assert ax.get_xlabel() == "epoch, call of partial_fit"


def test_each_class_is_an_image_of_its_weights(trained):
    display = CoefficientImageDisplay.from_estimator(trained, image_shape=(8, 8))
    assert display.images_.shape == display.axes_.shape == (10,)
    for image, axes, row in zip(
        display.images_, display.axes_, trained.coef_, strict=True
    ):
        assert image.axes is axes
        assert_array_equal(image.get_array(), row.reshape(8, 8))
    assert titles(display) == [f"class {digit}" for digit in range(10)]


def test_image_shape_is_height_and_width(trained):
    display = CoefficientImageDisplay.from_estimator(trained, image_shape=(4, 16))
    image = display.images_[3].get_array()
    assert_array_equal(image, trained.coef_[3].reshape(4, 16))


def test_colours_are_symmetric_and_the_same_for_all(trained):
    display = CoefficientImageDisplay.from_estimator(trained, image_shape=(8, 8))
    largest = np.abs(trained.coef_).max()
    assert {image.get_clim() for image in display.images_} == {(-largest, largest)}
    assert display.colorbar_.ax.get_ylabel() == "weight"
    assert display.figure_.axes == [*display.axes_, display.colorbar_.ax]


def test_zero_is_white_between_orange_and_purple(trained):
    display = CoefficientImageDisplay.from_estimator(trained, image_shape=(8, 8))
    negative, zero, positive = display.images_[0].cmap([0.2, 0.5, 0.8])[:, :3]
    assert zero.min() > 0.95
    assert negative[0] > 1.2 * negative[2]  # orange
    assert positive[2] > 1.2 * positive[1]  # purple


def test_keywords_of_the_images(trained):
    display = CoefficientImageDisplay.from_estimator(
        trained, image_shape=(8, 8), im_kw={"cmap": "RdBu", "vmin": -9}
    )
    assert {image.cmap.name for image in display.images_} == {"RdBu"}
    assert {image.get_clim()[0] for image in display.images_} == {-9}


def test_some_classes_in_the_order_given(trained):
    display = CoefficientImageDisplay.from_estimator(
        trained, image_shape=(8, 8), classes=[8, 3]
    )
    assert titles(display) == ["class 8", "class 3"]
    for image, digit in zip(display.images_, [8, 3], strict=True):
        assert_array_equal(image.get_array(), trained.coef_[digit].reshape(8, 8))
    largest = np.abs(trained.coef_[[8, 3]]).max()
    assert display.images_[0].get_clim() == (-largest, largest)


def test_one_class_of_many(trained):
    display = CoefficientImageDisplay.from_estimator(
        trained, image_shape=(8, 8), classes=[7]
    )
    assert titles(display) == ["class 7"]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, object, "list"])
def test_classes_to_draw_are_compared_by_value(trained, dtype):
    classes = [8, 3] if dtype == "list" else np.array([8, 3]).astype(dtype)

    display = CoefficientImageDisplay.from_estimator(
        trained, image_shape=(8, 8), classes=classes
    )

    assert [axes.get_title() for axes in display.axes_] == ["class 8", "class 3"]


@pytest.mark.parametrize("classes", [None, ["one", "zero"], ["zero"]])
def test_two_classes_have_one_image_of_the_second_against_the_first(
    two_classes, classes
):
    display = CoefficientImageDisplay.from_estimator(
        two_classes, image_shape=(8, 8), classes=classes
    )
    (image,) = display.images_
    assert_array_equal(image.get_array(), two_classes.coef_.reshape(8, 8))
    assert list(two_classes.classes_) == ["one", "zero"]
    assert titles(display) == ["positive: class zero\nnegative: class one"]


def test_a_norm_takes_the_place_of_our_range(trained):
    from matplotlib.colors import CenteredNorm

    display = CoefficientImageDisplay.from_estimator(
        trained, image_shape=(8, 8), im_kw={"norm": CenteredNorm(halfrange=7)}
    )

    assert display.images_[0].get_clim() == (-7, 7)


@pytest.mark.parametrize("classes", [None, [2, 5, 1]], ids=["all", "some"])
def test_sparse_coefficients(trained, classes):
    sparse = clone(trained).fit(X, Y).sparsify()
    assert sp.issparse(sparse.coef_)
    displays = [
        CoefficientImageDisplay.from_estimator(clf, image_shape=(8, 8), classes=classes)
        for clf in (trained, sparse)
    ]
    for dense, drawn in zip(*(d.images_ for d in displays), strict=True):
        assert_array_equal(drawn.get_array(), dense.get_array())
    assert sp.issparse(sparse.coef_)


def test_coefficients_of_a_pipeline(trained):
    model = make_pipeline(MinMaxScaler(), clone(trained)).fit(X, Y)
    display = CoefficientImageDisplay.from_estimator(model, image_shape=(8, 8))
    image = display.images_[4].get_array()
    assert_array_equal(image, model[-1].coef_[4].reshape(8, 8))


def test_coefficients_of_another_linear_classifier():
    clf = LogisticRegression(max_iter=1000).fit(X, Y)
    display = CoefficientImageDisplay.from_estimator(clf, image_shape=(8, 8))
    assert_array_equal(display.images_[9].get_array(), clf.coef_[9].reshape(8, 8))


def test_zero_coefficients_are_in_the_middle_of_the_colours():
    display = CoefficientImageDisplay(
        coefficients=np.zeros((3, 4)), image_shape=(2, 2), classes=[0, 1, 2]
    ).plot()
    ((low, high),) = {image.get_clim() for image in display.images_}
    assert low == -high < 0


@pytest.mark.parametrize("n_classes", [3, 4, 5, 6, 7, 11])
def test_a_grid_has_no_empty_axes(n_classes):
    display = CoefficientImageDisplay(
        coefficients=np.ones((n_classes, 6)),
        image_shape=(2, 3),
        classes=np.arange(n_classes),
    ).plot()
    assert len(display.figure_.axes) == n_classes + 1  # with the colour bar


def test_images_on_given_axes(trained):
    figure, axes = plt.subplots(2, 5)
    display = CoefficientImageDisplay.from_estimator(
        trained, image_shape=(8, 8), ax=axes
    )
    assert display.figure_ is figure
    assert list(display.axes_) == list(axes.flat)
    assert [image.axes for image in display.images_] == list(axes.flat)


def test_one_image_on_one_given_axes(two_classes):
    _, ax = plt.subplots()
    display = CoefficientImageDisplay.from_estimator(
        two_classes, image_shape=(8, 8), ax=ax
    )
    assert list(display.axes_) == [ax]


def test_drawn_again(trained):
    display = CoefficientImageDisplay.from_estimator(trained, image_shape=(8, 8))
    before = display.figure_
    assert display.plot(im_kw={"cmap": "gray"}) is display
    assert display.figure_ is not before
    assert display.images_[0].cmap.name == "gray"


@pytest.mark.parametrize("shape", [(8, 7), (64,), (4, 4, 4), (-8, -8), 8], ids=str)
def test_image_shape_that_does_not_fit(trained, shape):
    with pytest.raises(ValueError, match=r"height \* width = 64, ") as error:
        CoefficientImageDisplay.from_estimator(trained, image_shape=shape)
    assert f"got {shape}. If a step" in str(error.value)
    assert not plt.get_fignums()


def test_weights_of_other_features_are_no_image(trained):
    model = make_pipeline(PCA(10), clone(trained)).fit(X, Y)
    with pytest.raises(ValueError, match=r"height \* width = 10.*leave that step out"):
        CoefficientImageDisplay.from_estimator(model, image_shape=(8, 8))


@pytest.mark.parametrize("classes", [[3, 11], ["3"], []], ids=str)
def test_unknown_classes(trained, classes):
    with pytest.raises(
        ValueError, match="classes must be a list of labels among "
    ) as error:
        CoefficientImageDisplay.from_estimator(
            trained, image_shape=(8, 8), classes=classes
        )
    assert f", got {classes}. Leave" in str(error.value)


def test_wrong_number_of_axes(trained):
    _, axes = plt.subplots(3, 4)
    with pytest.raises(ValueError, match=r"10 axes.*, got 12 axes.*Pass ax=None"):
        CoefficientImageDisplay.from_estimator(trained, image_shape=(8, 8), ax=axes)


WEIGHTS = pytest.mark.parametrize(
    ("display", "params"),
    [(CoefficientImageDisplay, {"image_shape": (8, 8)}), (CoefficientDisplay, {})],
)


@WEIGHTS
def test_rows_that_are_not_classes(trained, display, params):
    drawn = display.from_estimator(trained, **params)
    drawn.coefficients = drawn.coefficients[:6]
    with pytest.raises(ValueError, match=r"got 6 rows for 10 classes\. Pass"):
        drawn.plot()


@WEIGHTS
@pytest.mark.parametrize("n_classes", [3, 4])  # of which three have as many pairs
def test_rows_of_pairs(display, params, n_classes):
    few, two = n_classes > Y, Y < 2
    svc = SVC(kernel="linear").fit(X[few], Y[few])
    with pytest.raises(ValueError, match=r"got those of SVC, .* each pair of classes"):
        display.from_estimator(svc, **params)

    display.from_estimator(SVC(kernel="linear").fit(X[two], Y[two]), **params)


@pytest.mark.parametrize(
    ("estimator", "missing"),
    [(SVC(), "coef_"), (LinearRegression(), "classes_")],
    ids=["not linear", "no classifier"],
)
def test_estimators_without_coefficients_of_classes(estimator, missing):
    with pytest.raises(
        ValueError,
        match="estimator must have coef_ and classes_, got a "
        f"{type(estimator).__name__} without {missing}. Pass a linear classifier",
    ):
        CoefficientImageDisplay.from_estimator(estimator.fit(X, Y), image_shape=(8, 8))


def drawn(display):
    """Return the names and lengths of the bars of each axes, from top to bottom."""
    rows = []
    for bars, axes in zip(display.bars_, display.axes_, strict=True):
        labels = dict(zip(axes.get_yticks(), axes.get_yticklabels(), strict=True))
        from_the_top = sorted(bars, key=lambda bar: -bar.get_y())
        middles = [bar.get_y() + bar.get_height() / 2 for bar in from_the_top]
        names = [labels[round(middle)].get_text() for middle in middles]
        lengths = [bar.get_width() for bar in from_the_top]
        rows.append(list(zip(names, lengths, strict=True)))
    return rows


def largest(row, n_top, names):
    """Return the names and weights of the largest absolute weights, sorted."""
    by_size = sorted(zip(names, row.tolist(), strict=True), key=lambda p: -abs(p[1]))
    return sorted(by_size[:n_top], key=lambda pair: -pair[1])


@pytest.mark.slow
@pytest.mark.parametrize("n_top", [1, 5, 10, 64, 1000, np.int64(3)])
def test_bars_are_the_largest_weights_by_size_in_order(trained, n_top):
    display = CoefficientDisplay.from_estimator(
        trained, feature_names=NAMES, n_top=n_top
    )
    expected = [largest(row, n_top, NAMES) for row in trained.coef_]
    expected = [[pair for pair in row if pair[1]] for row in expected]  # blank pixels
    assert drawn(display) == display.top_features_ == expected
    assert titles(display) == [f"class {digit}" for digit in range(10)]
    assert display.bars_.shape == display.axes_.shape == (10,)
    assert {axes.get_xlabel() for axes in display.axes_} == {"weight"}


def test_ten_features_by_default(trained):
    display = CoefficientDisplay.from_estimator(trained)
    assert [len(row) for row in drawn(display)] == [10] * 10


def test_weights_of_zero_have_no_bars():
    coef = np.array([[0.0, 2, 0, -3], [0, 0, 0, 0], [1, 1, 1, 1]])
    display = CoefficientDisplay(
        coefficients=coef, feature_names=list("abcd"), classes=[0, 1, 2]
    ).plot(n_top=3)
    assert drawn(display) == [
        [("b", 2), ("d", -3)],
        [],
        [("a", 1), ("b", 1), ("c", 1)],
    ]


def test_no_weight_at_all_is_a_figure_without_bars():
    display = CoefficientDisplay(
        coefficients=np.zeros((2, 3)), feature_names=list("abc"), classes=[0, 1]
    ).plot()
    display.figure_.canvas.draw()
    assert display.top_features_ == [[], []]


def test_bars_have_the_same_scale_and_thickness_in_all_axes(trained):
    display = CoefficientDisplay.from_estimator(trained, n_top=70)
    ((low, high),) = {axes.get_xlim() for axes in display.axes_}
    assert low < trained.coef_.min() < 0 < trained.coef_.max() < high
    assert len({axes.get_ylim() for axes in display.axes_}) == 1
    bottom, top = display.axes_[0].get_ylim()
    edges = [bar.get_y() for bars in display.bars_ for bar in bars]
    assert bottom < min(edges) < max(edges) < top


def test_positive_and_negative_bars_differ_in_grey(trained):
    display = CoefficientDisplay.from_estimator(trained)
    shades = {True: set(), False: set()}
    for bar in (bar for bars in display.bars_ for bar in bars):
        shade = np.dot(bar.get_facecolor()[:3], [0.3, 0.6, 0.1])
        shades[bar.get_width() > 0].add(round(shade, 6))
    (positive,), (negative,) = shades[True], shades[False]
    assert abs(positive - negative) > 0.2


@pytest.mark.parametrize("key", ["color", "facecolor", "fc"])
def test_keywords_of_the_bars(trained, key):
    kwargs = {key: "red", "height": 0.5}
    display = CoefficientDisplay.from_estimator(trained, bar_kw=kwargs)
    bars = [bar for bars in display.bars_ for bar in bars]
    assert {bar.get_facecolor() for bar in bars} == {(1, 0, 0, 1)}
    assert {round(bar.get_height(), 9) for bar in bars} == {0.5}
    assert kwargs == {key: "red", "height": 0.5}


@pytest.mark.parametrize("classes", [[8, 3], [7], (0, 1), np.array([2, 5, 1])], ids=str)
def test_bars_of_some_classes_in_the_order_given(trained, classes):
    display = CoefficientDisplay.from_estimator(
        trained, feature_names=NAMES, classes=classes
    )
    assert titles(display) == [f"class {digit}" for digit in classes]
    assert drawn(display) == [largest(trained.coef_[k], 10, NAMES) for k in classes]


@pytest.mark.parametrize("classes", [None, ["one", "zero"], ["zero"]])
def test_two_classes_have_bars_of_the_second_against_the_first(two_classes, classes):
    display = CoefficientDisplay.from_estimator(
        two_classes, feature_names=NAMES, classes=classes
    )
    assert drawn(display) == [largest(two_classes.coef_[0], 10, NAMES)]
    assert titles(display) == ["positive: class zero\nnegative: class one"]


@pytest.mark.parametrize("classes", [None, [2, 5, 1]], ids=["all", "some"])
def test_bars_of_sparse_coefficients(trained, classes):
    sparse = clone(trained).fit(X, Y).sparsify()
    dense, drawn_sparse = (
        drawn(CoefficientDisplay.from_estimator(clf, classes=classes))
        for clf in (trained, sparse)
    )
    assert drawn_sparse == dense
    assert sp.issparse(sparse.coef_)


@pytest.mark.parametrize(
    "container", [sp.csr_matrix, sp.csc_array, sp.coo_array, np.ndarray.tolist]
)
def test_bars_of_coefficients_given_by_hand(container):
    coef = np.array([[0.5, 0, -2], [-0.5, 1, 2]])
    display = CoefficientDisplay(
        coefficients=container(coef), feature_names=list("abc"), classes=["u", "v"]
    ).plot()
    assert drawn(display) == [
        [("a", 0.5), ("c", -2)],
        [("c", 2), ("b", 1), ("a", -0.5)],
    ]


def test_bars_of_tensors():
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    if RELEASE < (1, 9):
        pytest.skip("array API input needs scikit-learn 1.9")
    with sklearn.config_context(array_api_dispatch=True):
        clf = SoftmaxRegressionClassifier().fit(torch.asarray(X), torch.asarray(Y))
    assert isinstance(clf.coef_, torch.Tensor)
    display = CoefficientDisplay.from_estimator(clf, feature_names=NAMES)
    assert drawn(display) == [largest(row, 10, NAMES) for row in np.asarray(clf.coef_)]


@pytest.mark.parametrize(
    "clf",
    [
        LogisticRegression(max_iter=1000),
        SGDClassifier(random_state=0),
        LinearDiscriminantAnalysis(),
        RidgeClassifier(),
        LinearSVC(),
    ],
    ids=lambda clf: type(clf).__name__,
)
def test_bars_of_another_linear_classifier(clf):
    few = Y < 4
    pixels = X[few][:, X[few].std(axis=0) > 0]
    names = [f"pixel {i}" for i in range(pixels.shape[1])]
    clf.fit(pixels, WORDS[Y[few]])
    display = CoefficientDisplay.from_estimator(clf, feature_names=names)
    assert drawn(display) == [largest(row, 10, names) for row in clf.coef_]
    assert titles(display) == ["class one", "class three", "class two", "class zero"]


def names_drawn(display):
    return {name for row in drawn(display) for name, _ in row}


@pytest.mark.parametrize(
    "names",
    [NAMES, tuple(NAMES), np.array(NAMES), np.array(NAMES, object), range(64)],
    ids=lambda names: type(names).__name__,
)
def test_names_are_any_list(trained, names):
    display = CoefficientDisplay.from_estimator(trained, feature_names=names)
    assert names_drawn(display) <= {str(name) for name in names}


@pytest.mark.slow
def test_names_without_any_are_numbered(trained):
    display = CoefficientDisplay.from_estimator(trained, n_top=64)
    assert names_drawn(display) <= {f"x{i}" for i in range(64)}
    assert drawn(display)[4] == [
        (f"x{i}", trained.coef_[4, i])
        for i in np.argsort(-trained.coef_[4], kind="stable")
        if trained.coef_[4, i]
    ]


def named_frame():
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    return pandas.DataFrame(X, columns=NAMES)


def test_names_of_columns(trained):
    clf = clone(trained).fit(named_frame(), Y)
    display = CoefficientDisplay.from_estimator(clf)
    assert names_drawn(display) <= set(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize("frame", [False, True])
@pytest.mark.parametrize(
    ("steps", "pattern", "from_frame"),
    [
        ([MinMaxScaler()], "x\\d+", "pixel \\d+"),
        ([PCA(10)], "pca\\d", "pca\\d"),
        (["passthrough"], "x\\d+", "pixel \\d+"),
        ([], "x\\d+", "pixel \\d+"),
        ([VarianceThreshold(0.05), MinMaxScaler()], "x\\d+", "pixel \\d+"),
        (
            [make_pipeline(MinMaxScaler(), VarianceThreshold(0.05))],
            "x\\d+",
            "pixel \\d+",
        ),
        (
            [
                ColumnTransformer(
                    [("half", MinMaxScaler(), slice(32))], remainder="drop"
                )
            ],
            "half__x\\d+",
            "half__pixel \\d+",
        ),
    ],
    ids=["scaler", "pca", "passthrough", "none", "two", "nested", "columns"],
)
def test_names_through_a_pipeline(trained, steps, pattern, from_frame, frame, output):
    model = make_pipeline(*steps, clone(trained).set_params(max_iter=3, tol=None))
    if output == "pandas":
        pytest.importorskip("pandas", reason="needs pandas")
    model.set_output(transform=output).fit(named_frame() if frame else X, Y)
    display = CoefficientDisplay.from_estimator(model)
    pattern = from_frame if frame else pattern
    assert all(re.fullmatch(pattern, name) for name in names_drawn(display))


def test_names_through_pipelines_in_the_last_step(trained):
    inner = make_pipeline(VarianceThreshold(0.05), clone(trained))
    model = make_pipeline(MinMaxScaler(), inner).fit(named_frame(), Y)
    kept = np.array(NAMES)[inner[0].get_support()]
    display = CoefficientDisplay.from_estimator(model)
    assert drawn(display) == [largest(row, 10, kept) for row in inner[-1].coef_]


def test_names_of_words():
    texts = ["a red apple", "a green apple", "the blue sea", "the deep sea"] * 5
    model = make_pipeline(TfidfVectorizer(), SoftmaxRegressionClassifier())
    model.fit(texts, ["fruit", "fruit", "water", "water"] * 5)
    display = CoefficientDisplay.from_estimator(model, n_top=4)
    names = [name for name, _ in drawn(display)[0]]
    assert set(names[:2]) == {"sea", "the"}
    assert names[-1] == "apple"


@pytest.mark.parametrize("names", [["$x_$", "$\\frac$", "a_b", ""]], ids=["signs"])
def test_names_are_no_formulas(names):
    display = CoefficientDisplay(
        coefficients=np.ones((2, 4)), feature_names=names, classes=["$_$", "v"]
    ).plot()
    display.figure_.canvas.draw()
    assert [name for name, _ in drawn(display)[0]] == names


def test_an_argument_replaces_the_names_of_columns(trained):
    model = make_pipeline(MinMaxScaler(), clone(trained)).fit(named_frame(), Y)
    display = CoefficientDisplay.from_estimator(model, feature_names=range(64))
    assert names_drawn(display) <= set(map(str, range(64)))


def test_a_step_without_names_needs_an_argument(trained):
    model = make_pipeline(FunctionTransformer(np.sqrt), clone(trained)).fit(X, Y)
    with pytest.raises(
        ValueError,
        match=r"feature_names must be given if .* got None \(.*Pass the names",
    ):
        CoefficientDisplay.from_estimator(model)
    assert not plt.get_fignums()
    display = CoefficientDisplay.from_estimator(model, feature_names=NAMES)
    assert names_drawn(display) <= set(NAMES)


@pytest.mark.parametrize(
    ("names", "received"),
    [
        (NAMES[:3], "3 names"),
        ([*NAMES, "more"], "65 names"),
        ([], "0 names"),
        (5, "5"),
        ("x" * 64, "'xxx"),
        (np.array([NAMES]), "array"),
    ],
    ids=lambda value: str(value)[:10],
)
def test_names_that_do_not_fit(trained, names, received):
    with pytest.raises(ValueError, match="must be a list of 64 names") as error:
        CoefficientDisplay.from_estimator(trained, feature_names=names)
    assert f", got {received}" in str(error.value)
    assert not plt.get_fignums()


@pytest.mark.parametrize("n_top", [0, -1, 2.5, "5", None])
def test_n_top_that_is_no_count(trained, n_top):
    with pytest.raises(ValueError, match="n_top must be an integer of at least 1, got"):
        CoefficientDisplay.from_estimator(trained, n_top=n_top)
    assert not plt.get_fignums()


@pytest.mark.parametrize("classes", [[3, 11], ["3"], [], 3], ids=str)
def test_bars_of_unknown_classes(trained, classes):
    with pytest.raises(ValueError, match="classes must be a list of labels among "):
        CoefficientDisplay.from_estimator(trained, classes=classes)


@pytest.mark.slow
def test_bars_on_given_axes_and_again(trained):
    figure, axes = plt.subplots(2, 5)
    display = CoefficientDisplay.from_estimator(trained, ax=axes)
    assert display.figure_ is figure
    assert list(display.axes_) == list(axes.flat)
    assert display.plot(n_top=2) is display
    assert display.figure_ is not figure
    assert [len(row) for row in display.top_features_] == [2] * 10
    with pytest.raises(ValueError, match=r"10 axes, .* got 1 axes\. Pass ax=None"):
        display.plot(ax=figure.axes[0])


@pytest.mark.parametrize("n_classes", [1, 2, 3, 4, 7])
def test_a_grid_of_bars_has_no_empty_axes(n_classes):
    display = CoefficientDisplay(
        coefficients=np.ones((n_classes, 3)),
        feature_names=list("abc"),
        classes=np.arange(n_classes),
    ).plot()
    assert len(display.figure_.axes) == n_classes


@pytest.mark.parametrize(
    "make",
    [
        lambda coef: CoefficientDisplay(
            coefficients=coef, feature_names=list("ab"), classes=[0, 1]
        ),
        lambda coef: CoefficientImageDisplay(
            coefficients=coef, image_shape=(1, 2), classes=[0, 1]
        ),
    ],
    ids=["bars", "images"],
)
def test_coefficients_of_one_dimension(make):
    with pytest.raises(ValueError, match=r"coefficients must be of shape .*\(2,\)"):
        make([1.0, 2.0]).plot()


@pytest.mark.parametrize(
    ("estimator", "missing"),
    [(SVC(), "coef_"), (LinearRegression(), "classes_")],
    ids=["not linear", "no classifier"],
)
def test_bars_of_estimators_without_coefficients(estimator, missing):
    with pytest.raises(
        ValueError, match=f"estimator must have coef_ and classes_, .* {missing}. Pass"
    ):
        CoefficientDisplay.from_estimator(estimator.fit(X, Y))


@pytest.mark.parametrize(
    ("draw", "caller"),
    [
        (LossCurveDisplay.from_estimator, "LossCurveDisplay.from_estimator"),
        (
            lambda clf: LossCurveDisplay(loss_curve=clf.loss_curve_).plot(),
            "LossCurveDisplay.plot",
        ),
        (
            lambda clf: CoefficientImageDisplay.from_estimator(clf, image_shape=(8, 8)),
            "CoefficientImageDisplay.from_estimator",
        ),
        (
            lambda clf: CoefficientImageDisplay(
                coefficients=clf.coef_, image_shape=(8, 8), classes=clf.classes_
            ).plot(),
            "CoefficientImageDisplay.plot",
        ),
        (CoefficientDisplay.from_estimator, "CoefficientDisplay.from_estimator"),
        (
            lambda clf: CoefficientDisplay(
                coefficients=clf.coef_, feature_names=NAMES, classes=clf.classes_
            ).plot(),
            "CoefficientDisplay.plot",
        ),
    ],
    ids=["loss curve", "its plot", "images", "their plot", "bars", "bars' plot"],
)
def test_without_matplotlib(trained, monkeypatch, draw, caller):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=f"^{caller} needs matplotlib") as error:
        draw(trained)
    assert 'python -m pip install "sksoftmax[plot]"' in str(error.value)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, bool])
def test_weights_of_other_dtypes_are_drawn(dtype):
    weights = np.array([[0, 1, 2], [1, 0, 0]]).astype(dtype)
    display = CoefficientDisplay(
        coefficients=weights, feature_names=["a", "b", "c"], classes=["x", "y", "z"][:2]
    )

    assert display.plot().top_features_[1] == [("a", 1.0)]


def test_one_row_of_weights_may_be_flat():
    clf = SoftmaxRegressionClassifier().fit(X[Y < 2], Y[Y < 2])
    expected = CoefficientDisplay.from_estimator(clf).top_features_
    clf.coef_ = clf.coef_[0]  # as RidgeClassifier of two classes has it

    assert CoefficientDisplay.from_estimator(clf).top_features_ == expected
