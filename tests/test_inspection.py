"""The displays: what they draw, what they say, and what they refuse."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.inspection import CoefficientImageDisplay, LossCurveDisplay

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra 'plot'")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot", reason="needs the extra 'plot'")
to_rgb = matplotlib.colors.to_rgb

X, Y = load_digits(return_X_y=True)
X, Y = X[:400] / 16, Y[:400]
WORDS = np.array(["zero", "one", "two", "three"])


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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
    ],
    ids=["loss curve", "coefficients"],
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
    assert display.ax_.get_xlabel().endswith("call of partial_fit")


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


def test_positive_weights_are_darker_in_grey(trained):
    display = CoefficientImageDisplay.from_estimator(trained, image_shape=(8, 8))
    shades = display.images_[0].cmap(np.linspace(0, 1, 101))[:, :3] @ [0.3, 0.6, 0.1]
    assert (np.diff(shades) < 0).all()
    assert 0.4 < shades[50] < 0.6


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
    with pytest.raises(ValueError, match=r"10 images, got 12 axes.*Pass ax=None"):
        CoefficientImageDisplay.from_estimator(trained, image_shape=(8, 8), ax=axes)


def test_rows_that_are_not_classes():
    few = Y < 4
    svc = SVC(kernel="linear").fit(X[few], Y[few])  # a row for each pair
    with pytest.raises(ValueError, match=r"got 6 rows for 4 classes\. Pass"):
        CoefficientImageDisplay.from_estimator(svc, image_shape=(8, 8))


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
    ],
    ids=["loss curve", "its plot", "coefficients", "their plot"],
)
def test_without_matplotlib(trained, monkeypatch, draw, caller):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=f"^{caller} needs matplotlib") as error:
        draw(trained)
    assert 'python -m pip install "sksoftmax[plot]"' in str(error.value)
