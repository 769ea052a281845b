"""The display of a path of penalties: scores, choices, coefficients, errors."""

import sys
from itertools import pairwise

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LassoCV, LogisticRegression
from sklearn.metrics import log_loss, make_scorer, matthews_corrcoef
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.inspection import PenaltyPathDisplay

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra 'plot'")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot", reason="needs the extra 'plot'")

IRIS = load_iris()
X, Y = IRIS.data, IRIS.target
WORDS = np.array(["setosa", "versicolor", "virginica"])
ALPHAS = [1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5]
RELEASE = tuple(map(int, sklearn.__version__.split(".")[:2]))
needs_edge = pytest.mark.filterwarnings("ignore:The best score is at:UserWarning")


@pytest.fixture(scope="module")
def trained():
    """Return a classifier with two choices of its strength."""
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(X, WORDS[Y])
    assert clf.alpha_1se_ > clf.alpha_min_
    return clf


@pytest.fixture(scope="module")
def two_classes():
    few = Y > 0
    return SoftmaxRegressionClassifierCV().fit(X[few], WORDS[Y[few]])


def make(**params):
    """Return a display of a path that is made by hand."""
    path = {"alphas": [1.0, 0.1, 0.01], "mean_score": [-0.9, -0.3, -0.4]}
    return PenaltyPathDisplay(**{**path, **params})


def texts(display):
    return {text.get_text() for text in display.ax_.texts}


def markers(display):
    """Return the strength of each mark on the curve, by its marker."""
    return {
        line.get_marker(): line.get_xdata()[0]
        for line in display.ax_.lines
        if line.get_markersize() == 12
    }


def test_curve_of_the_log_loss(trained):
    display = PenaltyPathDisplay.from_estimator(trained)

    (line,) = display.lines_
    assert_array_equal(line.get_xdata(), trained.alphas_)
    assert_array_equal(line.get_ydata(), -trained.mean_score_)
    assert display.ax_.get_ylabel() == "held-out log-loss (nats)"
    assert display.ax_.get_xlabel() == "alpha, strength of the penalty"
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_legend() is None


def test_bars_are_one_standard_error(trained):
    display = PenaltyPathDisplay.from_estimator(trained)

    (bars,) = display.errors_[2]
    lengths = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
    assert_allclose(lengths, trained.standard_error_)


def test_strong_penalties_are_on_the_left(trained):
    display = PenaltyPathDisplay.from_estimator(trained)
    again = display.plot(display.ax_)

    left, right = again.ax_.get_xlim()
    assert left > max(ALPHAS) > min(ALPHAS) > right > 0
    assert again.ax_.get_xscale() == "log"


def test_marks_of_the_choices(trained):
    display = PenaltyPathDisplay.from_estimator(trained)

    assert markers(display) == {"o": trained.alpha_min_, "s": trained.alpha_1se_}
    assert texts(display) == {
        f"best\n{trained.alpha_min_:.2g}",
        f"one standard error\n{trained.alpha_1se_:.2g}",
    }


def test_equal_choices_have_one_mark():
    display = make(alpha_min=0.1, alpha_1se=0.1, alpha=0.1).plot()

    assert markers(display) == {"o": 0.1}
    assert texts(display) == {"best, one standard error\n0.1"}


def test_another_choice_has_a_mark():
    display = make(alpha_min=0.1, alpha_1se=1.0, alpha=0.01).plot()

    assert markers(display) == {"o": 0.1, "s": 1.0, "D": 0.01}
    assert "chosen\n0.01" in texts(display)


@pytest.mark.parametrize("sign", [1, -1], ids=["score", "loss"])
def test_dotted_line_is_one_standard_error_worse(sign):
    scoring = None if sign < 0 else "accuracy"
    display = make(
        mean_score=[0.5, 0.9, 0.8],
        standard_error=[0.1, 0.2, 0.3],
        scoring=scoring,
        alpha_min=0.1,
        alpha_1se=1.0,
    ).plot()

    (line,) = [line for line in display.ax_.lines if line.get_linestyle() == ":"]
    assert_allclose(line.get_ydata(), sign * 0.7)
    assert_array_equal(line.get_xdata(), [1.0, 0.1])


def own_score(estimator, X, y):
    return 0.5


@pytest.mark.parametrize(
    ("scoring", "sign", "label"),
    [
        (None, -1, "log-loss (nats)"),
        ("neg_log_loss", -1, "log-loss (nats)"),
        ("accuracy", 1, "accuracy"),
        ("neg_brier_score", -1, "brier score"),
        ("roc_auc_ovr", 1, "roc auc ovr"),
        (own_score, 1, "own score"),
        (make_scorer(matthews_corrcoef), 1, "matthews corrcoef"),
        (make_scorer(log_loss, greater_is_better=False), -1, "log loss"),
        (lambda *_: 1, 1, "<lambda>"),
    ],
)
def test_label_and_sign_of_scores(scoring, sign, label):
    display = make(scoring=scoring).plot()

    assert display.ax_.get_ylabel() == f"held-out {label}"
    assert_allclose(display.lines_[0].get_ydata(), sign * np.array([-0.9, -0.3, -0.4]))


@needs_edge
@pytest.mark.parametrize("alphas", [[1.0, 0.1, 0.01, 0], [0.0], [0.3, 0.0]], ids=str)
def test_a_strength_of_zero(alphas):
    clf = SoftmaxRegressionClassifierCV(alphas=alphas).fit(X, Y)
    display = PenaltyPathDisplay.from_estimator(clf)
    display.figure_.canvas.draw()

    ax = display.ax_
    left, right = ax.get_xlim()
    assert left > max(alphas) >= 0 > right
    ticks = ax.get_xticks()
    assert [tick for tick in ticks if left > tick > right and tick <= 0] == [0]
    places = ax.transData.transform([(alpha, 0.5) for alpha in alphas])[:, 0]
    assert (np.diff(places) > 10).all()  # dots


@needs_edge
def test_one_strength():
    clf = SoftmaxRegressionClassifierCV(alphas=[0.01]).fit(X, Y)
    display = PenaltyPathDisplay.from_estimator(clf)
    display.figure_.canvas.draw()

    assert display.ax_.get_xlim()[0] > 0.01 > display.ax_.get_xlim()[1]
    assert texts(display) == {"best, one standard error\n0.01"}


@pytest.mark.parametrize(
    ("alphas", "n_labels"), [([1e3, 1e-9], 5), ([0.5, 0.4], 1), ([1e3, 1e-9, 0], 5)]
)
def test_ticks_have_labels_that_do_not_overlap(alphas, n_labels):
    display = make(alphas=alphas, mean_score=[0.5] * len(alphas)).plot()
    display.figure_.canvas.draw()

    labels = display.ax_.get_xticklabels() + display.ax_.get_xticklabels(minor=True)
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    low, high = display.ax_.bbox.x0, display.ax_.bbox.x1
    boxes = [b for b in boxes if low <= (b.x0 + b.x1) / 2 <= high]
    assert len(boxes) >= n_labels
    boxes.sort(key=lambda box: box.x0)
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


@pytest.mark.parametrize("best", [0, 1, 2])
@pytest.mark.parametrize("strongest", [0, 1, 2])
def test_names_of_marks_are_within_the_axes_and_apart(best, strongest):
    alphas = [1.0, 0.1, 0.01]
    display = make(
        alpha_min=alphas[best], alpha_1se=alphas[strongest], alpha=0.1, alphas=alphas
    ).plot()
    display.figure_.canvas.draw()

    boxes = [text.get_window_extent() for text in display.ax_.texts]
    frame = display.ax_.bbox
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not any(a.overlaps(b) for a, b in pairs)


@pytest.mark.parametrize("scoring", [None, "accuracy"], ids=["loss", "score"])
@pytest.mark.parametrize("n_curves", [1, 2])
def test_names_of_marks_are_apart_from_the_curves_and_their_bars(scoring, n_curves):
    values = {"mean_score": [0.2, 0.3, 0.4], "standard_error": [0.05, 0.2, 0.2]}
    choices = {"alpha_min": 0.01, "alpha_1se": 1.0, "alpha": 0.1}
    ax = None
    for _ in range(n_curves):
        display = make(scoring=scoring, **values, **choices).plot(ax)
        ax = display.ax_
    display.figure_.canvas.draw()

    score = (1 if scoring else -1) * np.array(values["mean_score"])
    ends = [score - values["standard_error"], score + values["standard_error"]]
    drawn = ax.transData.transform([(0.1, end) for end in np.ravel(ends)])[:, 1]
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 3
    assert all(box.y1 <= drawn.min() or box.y0 >= drawn.max() for box in boxes)


def test_one_split_without_a_standard_error():
    display = make(standard_error=[np.nan] * 3, alpha_min=0.1, alpha_1se=0.1).plot()
    display.figure_.canvas.draw()

    assert_array_equal(display.lines_[0].get_ydata(), [0.9, 0.3, 0.4])


def test_rows_of_the_caller_as_the_only_split():
    clf = SoftmaxRegressionClassifierCV()
    clf.fit(X[::2], Y[::2], X_val=X[1::2], y_val=Y[1::2])
    display = PenaltyPathDisplay.from_estimator(clf)

    (bars,) = display.errors_[2]
    assert all(np.ptp(segment[:, 1]) > 0 for segment in bars.get_segments())


def test_scores_that_are_nan_are_gaps():
    display = make(mean_score=[np.nan, -0.3, -0.4], alpha_min=0.1, alpha_1se=0.1).plot()
    display.figure_.canvas.draw()

    assert np.isnan(display.lines_[0].get_ydata()[0])


def test_paths_on_the_same_axes(trained, two_classes):
    first = PenaltyPathDisplay.from_estimator(trained, name="three")
    second = PenaltyPathDisplay.from_estimator(two_classes, name="two", ax=first.ax_)

    (a,), (b,) = first.lines_, second.lines_
    assert second.ax_ is first.ax_
    assert a.get_marker() != b.get_marker()
    assert a.get_color() != b.get_color()
    legend = second.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["three", "two"]
    assert len(second.ax_.texts) == 2  # names of the marks of the first
    alphas = np.r_[trained.alphas_, two_classes.alphas_]
    left, right = second.ax_.get_xlim()
    assert left > alphas.max() > alphas.min() > right


@needs_edge
def test_a_path_with_zero_on_the_axes_of_another_one(trained):
    first = PenaltyPathDisplay.from_estimator(trained)
    make(alphas=[1.0, 0.1, 0.0]).plot(first.ax_)

    place = first.ax_.transData.transform
    positions = [place((alpha, 0.5))[0] for alpha in [*ALPHAS, 0]]
    assert (np.diff(positions) > 5).all()


def test_keywords_of_the_curve(trained):
    kwargs = {"c": "red", "lw": 3}
    display = PenaltyPathDisplay.from_estimator(trained, line_kw=kwargs)

    (line,) = display.lines_
    assert (line.get_color(), line.get_linewidth()) == ("red", 3)
    assert kwargs == {"c": "red", "lw": 3}


def test_given_axes_and_again(trained):
    figure, ax = plt.subplots()
    display = PenaltyPathDisplay.from_estimator(trained, ax=ax)

    assert display.ax_ is ax
    assert display.plot() is display
    assert display.figure_ is not figure


def largest(clf, n_top, rows=slice(None)):
    """Return row and feature of the largest coefficients at the chosen strength."""
    coef = clf.coef_path_[list(clf.alphas_).index(clf.alpha_)]
    order = np.argsort(-np.abs(coef[rows]), axis=None, kind="stable")[:n_top]
    return [np.unravel_index(k, coef[rows].shape) for k in order]


def test_largest_coefficients_have_names(trained):
    display = PenaltyPathDisplay.from_estimator(trained, kind="coef", n_top=4)

    for line, (row, feature) in zip(display.lines_, largest(trained, 4), strict=True):
        assert line.get_label() == f"x{feature}, class {WORDS[row]}"
        assert_array_equal(line.get_xdata(), trained.alphas_)
        assert_array_equal(line.get_ydata(), trained.coef_path_[:, row, feature])
    assert {line.get_label() for line in display.lines_} < texts(display)
    (others,) = display.ax_.collections
    assert len(others.get_segments()) == 12 - 4
    assert display.ax_.get_ylabel() == "coefficient"
    assert display.errors_ is None


def test_coefficients_of_some_classes(trained):
    display = PenaltyPathDisplay.from_estimator(
        trained, kind="coef", classes=["virginica"], n_top=9, feature_names=list("abcd")
    )

    names = ["abcd"[feature] for _, feature in largest(trained, 4, [2])]
    assert [line.get_label() for line in display.lines_] == names
    assert display.ax_.get_title() == "class virginica"


def test_coefficients_of_two_classes(two_classes):
    display = PenaltyPathDisplay.from_estimator(two_classes, kind="coef")

    names = [f"x{feature}" for _, feature in largest(two_classes, 4)]
    assert [line.get_label() for line in display.lines_] == names
    title = "positive: class virginica\nnegative: class versicolor"
    assert display.ax_.get_title() == title


def test_names_of_columns_through_a_pipeline():
    pytest.importorskip("pandas", reason="needs pandas")
    data = load_breast_cancer(as_frame=True)
    model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifierCV(cv=3))
    model.fit(data.data, data.target)
    display = PenaltyPathDisplay.from_estimator(model, kind="coef", n_top=3)

    names = [data.feature_names[feature] for _, feature in largest(model[-1], 3)]
    assert [line.get_label() for line in display.lines_] == names


def test_names_beside_equal_coefficients_are_apart():
    path = np.zeros((3, 1, 8))
    path[:, 0, :] = [[1], [2], [3]]
    display = make(coefficients=path, classes=["a", "b"]).plot(kind="coef", n_top=8)
    display.figure_.canvas.draw()

    names = [t for t in display.ax_.texts if t.get_text().startswith("x")]
    extent = matplotlib.text.Text.get_window_extent  # without lines to the curves
    heights = np.sort([extent(name).y0 for name in names])
    assert np.diff(heights).min() > 5  # dots


def test_names_are_no_formulas():
    display = make(
        coefficients=np.ones((3, 1, 2)), classes=["$_$"], feature_names=["$x_$", "\\"]
    ).plot(kind="coef")
    display.figure_.canvas.draw()

    assert {"$x_$", "\\"} <= texts(display)


def test_figures_have_at_most_a_thousand_grey_lines():
    display = make(coefficients=np.ones((3, 1, 2000)), classes=[0, 1]).plot(kind="coef")

    assert len(display.ax_.collections[0].get_segments()) == 995


@pytest.mark.parametrize("kind", ["score", "coef"])
def test_paths_of_tensors(trained, kind):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    if RELEASE < (1, 9):
        pytest.skip("array API input needs scikit-learn 1.9")
    with sklearn.config_context(array_api_dispatch=True):
        clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS)
        clf.fit(torch.asarray(X), torch.asarray(Y))
    assert isinstance(clf.coef_path_, torch.Tensor)
    assert isinstance(clf.mean_score_, torch.Tensor)

    tensors = PenaltyPathDisplay.from_estimator(clf, kind=kind)
    arrays = PenaltyPathDisplay.from_estimator(trained, kind=kind)

    for line, expected in zip(tensors.lines_, arrays.lines_, strict=True):
        assert_allclose(line.get_ydata(), expected.get_ydata(), rtol=1e-4)


class Other(BaseEstimator):
    """Another estimator with the attributes of a path, such as Dask's."""

    scoring = "accuracy"

    def fit(self):
        self.alphas_ = np.array([1.0, 0.1])
        self.mean_score_ = np.array([0.5, 0.6])
        self.standard_error_ = np.array([0.1, 0.1])
        self.alpha_ = self.alpha_min_ = 0.1
        self.alpha_1se_ = 1.0
        return self


def test_another_estimator_with_a_path():
    display = PenaltyPathDisplay.from_estimator(Other().fit())

    assert_array_equal(display.lines_[0].get_ydata(), [0.5, 0.6])
    assert display.ax_.get_ylabel() == "held-out accuracy"


@pytest.mark.parametrize(
    "estimator",
    [
        SoftmaxRegressionClassifierCV(),
        make_pipeline(StandardScaler(), SoftmaxRegressionClassifierCV()),
    ],
    ids=["classifier", "pipeline"],
)
def test_unfitted_estimators_are_refused(estimator):
    with pytest.raises(NotFittedError, match="SoftmaxRegressionClassifierCV instance"):
        PenaltyPathDisplay.from_estimator(estimator)


@pytest.mark.parametrize(
    ("estimator", "missing"),
    [
        (SoftmaxRegressionClassifier(), "alphas_"),
        (LogisticRegression(max_iter=1000), "alphas_"),
        (LassoCV(), "mean_score_"),
        (GridSearchCV(SoftmaxRegressionClassifier(), {"alpha": [0.1]}), "alphas_"),
        (GridSearchCV(SoftmaxRegressionClassifierCV(), {"cv": [2]}, cv=2), "alphas_"),
    ],
    ids=["no path", "another", "lasso", "search", "search of paths"],
)
def test_estimators_without_a_path_are_refused(estimator, missing):
    with pytest.raises(
        ValueError, match=rf"estimator must have alphas_ .* without {missing}\. Pass a"
    ):
        PenaltyPathDisplay.from_estimator(estimator.fit(X, Y))
    assert not plt.get_fignums()


def test_a_path_without_coefficients_is_refused():
    match = r"estimator must have coef_path_, .* pass fewer alphas .* kind=\"score\""
    with pytest.raises(ValueError, match=match):
        PenaltyPathDisplay.from_estimator(Other().fit(), kind="coef")
    with pytest.raises(ValueError, match="coefficients and classes must be given"):
        make().plot(kind="coef")
    assert not plt.get_fignums()


def test_a_path_without_later_classes_is_refused():
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(X, Y)
    clf.partial_fit(X, Y, classes=range(4))

    with pytest.raises(ValueError, match=r"got 3 rows for 4 classes\. Call fit again"):
        PenaltyPathDisplay.from_estimator(clf, kind="coef")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"kind": "loss"}, 'kind must be "score" or "coef", got \'loss\'. Leave'),
        ({"kind": None}, 'kind must be "score" or "coef", got None'),
        ({"kind": "coef", "n_top": 0}, "n_top must be an integer of at least 1, got 0"),
        ({"kind": "coef", "classes": ["iris"]}, "classes must be a list of labels"),
        ({"kind": "coef", "classes": "setosa"}, "classes must be a list of labels"),
        ({"kind": "coef", "feature_names": ["a"]}, "must be a list of 4 names"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit(trained, arguments, match):
    with pytest.raises(ValueError, match=match):
        PenaltyPathDisplay.from_estimator(trained, **arguments)
    assert not plt.get_fignums()


@pytest.mark.parametrize("shape", [(3, 4), (2, 1, 4), (4,)], ids=str)
def test_coefficients_of_another_shape_are_refused(shape):
    display = make(coefficients=np.ones(shape), classes=[0, 1])

    with pytest.raises(ValueError, match=r"must be of shape \(3, n_rows, n_features\)"):
        display.plot(kind="coef")
    assert not plt.get_fignums()


def test_a_step_without_names_needs_an_argument():
    model = make_pipeline(FunctionTransformer(np.sqrt), SoftmaxRegressionClassifierCV())
    model.fit(X, Y)
    with pytest.raises(ValueError, match="feature_names must be given"):
        PenaltyPathDisplay.from_estimator(model, kind="coef")

    display = PenaltyPathDisplay.from_estimator(
        model, kind="coef", feature_names=list("abcd"), classes=[0]
    )

    assert {line.get_label() for line in display.lines_} == set("abcd")


@pytest.mark.parametrize(
    ("draw", "caller"),
    [
        (PenaltyPathDisplay.from_estimator, "PenaltyPathDisplay.from_estimator"),
        (lambda _: make().plot(), "PenaltyPathDisplay.plot"),
    ],
    ids=["estimator", "plot"],
)
def test_without_matplotlib(trained, monkeypatch, draw, caller):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=f"^{caller} needs matplotlib") as error:
        draw(trained)
    assert 'python -m pip install "sksoftmax[plot]"' in str(error.value)
