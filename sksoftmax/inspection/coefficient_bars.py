"""The largest weights of classes as bars, with the names of their features."""

from typing import Any, Self

import numpy as np

from sksoftmax.inspection.coefficients import (
    check_axes,
    check_n_top,
    check_names,
    find_linear,
    make_grid,
    make_titles,
    name_features,
    select_rows,
    to_matrix,
)
from sksoftmax.inspection.estimators import import_pyplot

_GRID_COLUMNS, _GRID_WIDTH = 3, 8.0  # most axes in a row, and inches of them
_WIDTH, _LETTER, _MOST_LETTERS = 2.2, 0.08, 40  # inches of bars and of a name's letter
_HEIGHT, _BAR = 1.0, 0.2  # inches of title and axis, and of a bar
# Purple and orange of the map PuOr, which differ in shades of grey too.
_POSITIVE, _NEGATIVE = "#542788", "#e08214"


class CoefficientDisplay:
    """Draw the largest weights of each class as bars, with names of features.

    Each class has axes of its own, with the features of the largest absolute weights.
    The bars are in the order of their weights, with the largest weight at the top. A
    large value of a feature with a positive weight speaks for the class, a large value
    of a feature with a negative weight against the class. Weights of zero are left out.
    All axes have the same limits, so lengths can be compared between classes.

    Weights compare features only if the features have similar scales, as after a
    :class:`~sklearn.preprocessing.StandardScaler`.

    Two classes have one row of weights: positive weights speak for the second class and
    against the first.

    Parameters
    ----------
    coefficients : {array-like, sparse matrix} of shape (n_rows, n_features)
        Weights of the features, a row for each class, or one row for two classes.

    feature_names : array-like of shape (n_features,)
        Names of the features.

    classes : array-like of shape (n_rows,) or (2,)
        Labels of the rows; both labels if one row is for two classes.

    Attributes
    ----------
    top_features_ : list of list of (str, float)
        Names and weights of the bars of each row, from top to bottom.

    bars_ : ndarray of shape (n_rows,)
        The matplotlib BarContainer of each row.

    axes_ : ndarray of shape (n_rows,)
        The matplotlib Axes of each row.

    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    CoefficientImageDisplay : Weights of pixels as images.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inspection import CoefficientDisplay
    >>> iris = load_iris()
    >>> model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier())
    >>> display = CoefficientDisplay.from_estimator(
    ...     model.fit(iris.data, iris.target), feature_names=iris.feature_names, n_top=2
    ... )
    >>> [name for name, weight in display.top_features_[0]]
    ['petal width (cm)', 'petal length (cm)']
    >>> plt.show()
    """

    def __init__(self, *, coefficients: Any, feature_names: Any, classes: Any) -> None:
        self.coefficients = coefficients
        self.feature_names = feature_names
        self.classes = classes

    def plot(
        self,
        ax: Any = None,
        *,
        n_top: int = 10,
        bar_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Axes for the bars, n_rows in all. None: a grid in a new figure.
        n_top : int, default=10
            Largest number of features for each row of weights.
        bar_kw : dict, default=None
            Keywords for matplotlib's `barh`, for example ``{"color": "black"}``.

        Returns
        -------
        display : CoefficientDisplay
            This display.

        Raises
        ------
        ValueError
            If `n_top`, the names, the classes or the axes do not fit the coefficients.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        coef = to_matrix(self.coefficients)
        titles = make_titles(self.classes, len(coef))
        names = check_names(self.feature_names, coef.shape[1])
        check_n_top(n_top)
        indices = [_largest(row, n_top) for row in coef]
        top_features = [
            [(names[k], float(row[k])) for k in largest]
            for row, largest in zip(coef, indices, strict=True)
        ]
        axes = _grid(plt, top_features) if ax is None else check_axes(ax, len(coef))
        limits = _limits(top_features)
        self.bars_ = np.empty(len(coef), dtype=object)
        for i, (axis, title) in enumerate(zip(axes, titles, strict=True)):
            self.bars_[i] = _draw(axis, top_features[i], bar_kw or {})
            axis.set(**limits, xlabel="weight")
            axis.set_title(title, parse_math=False)
        self.axes_, self.figure_ = axes, axes[0].figure
        self.top_features_ = top_features
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        feature_names: Any = None,
        n_top: int = 10,
        classes: Any = None,
        ax: Any = None,
        bar_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the largest weights of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `coef_` and `classes_`, or a Pipeline with such a last step.
        feature_names : array-like of shape (n_features,), default=None
            Names of the features that have weights. None: the classifier's
            `feature_names_in_`, or else `get_feature_names_out` of the other steps of
            a Pipeline, or else x0, x1, ...
        n_top : int, default=10
            Largest number of features for each row of weights.
        classes : array-like of shape (n_rows,), default=None
            Labels of the classes to draw, in this order. None: all. A model of two
            classes has one row of weights for any labels.
        ax : matplotlib Axes or array of them, default=None
            Axes for the bars, n_rows in all. None: a grid in a new figure.
        bar_kw : dict, default=None
            Keywords for matplotlib's `barh`, see `plot`.

        Returns
        -------
        display : CoefficientDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the estimator has no `coef_`, if a label in `classes` is unknown, or if
            the names or the axes do not fit. If a step of the Pipeline has no
            `get_feature_names_out` and no names are given.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        linear = find_linear(estimator)
        coef, labels = select_rows(linear, classes)
        names = name_features(estimator, feature_names, coef.shape[1])
        display = cls(coefficients=coef, feature_names=names, classes=labels)
        return display.plot(ax=ax, n_top=n_top, bar_kw=bar_kw)


def _largest(row, n_top):
    """Return the indices of the largest absolute weights, by descending weight."""
    largest = np.argsort(-np.abs(row), kind="stable")[:n_top]
    largest = largest[row[largest] != 0]
    return largest[np.argsort(-row[largest], kind="stable")]


def _grid(plt, top_features):
    """Return axes of a new figure with room for bars and names."""
    longest = max((len(name) for row in top_features for name, _ in row), default=0)
    n_bars = max(map(len, top_features))
    width = _WIDTH + _LETTER * min(longest, _MOST_LETTERS)
    n_columns = min(len(top_features), _GRID_COLUMNS, max(1, int(_GRID_WIDTH / width)))
    height = _HEIGHT + _BAR * n_bars
    return make_grid(plt, len(top_features), n_columns, width, height)


def _limits(top_features):
    """Return limits of all axes, with room for the same number of bars in each."""
    weights = [weight for row in top_features for _, weight in row]
    low, high = min([0.0, *weights]), max([0.0, *weights])
    margin = 0.05 * (high - low) or 1.0
    lowest_bar = -max([1, *map(len, top_features)])
    return {"xlim": (low - margin, high + margin), "ylim": (lowest_bar + 0.4, 0.6)}


def _draw(axis, top_features, bar_kw):
    """Draw bars from position 0 down, and return their container."""
    names = [name for name, _ in top_features]
    weights = np.array([weight for _, weight in top_features])
    positions = -np.arange(len(names))
    if not {"color", "facecolor", "fc"} & set(bar_kw):
        bar_kw = {"color": list(np.where(weights > 0, _POSITIVE, _NEGATIVE)), **bar_kw}
    bars = axis.barh(positions, weights, **bar_kw)
    axis.set_yticks(positions, labels=names, parse_math=False)
    axis.axvline(0, color="black", linewidth=0.8)
    return bars
