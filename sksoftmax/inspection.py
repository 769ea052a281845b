"""Pictures of fitted models: how the training went and what was learned.

They follow scikit-learn's displays: `from_estimator` draws a fitted estimator, the
display keeps the data, and `plot` draws them again, perhaps on other axes.
"""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sksoftmax._arrays import namespace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CoefficientImageDisplay", "LossCurveDisplay"]

# Black, orange, blue, vermilion and sky blue of Okabe and Ito. Shades of grey may be
# alike, but 5 and 7 have no common factor: markers tell even those curves apart.
_COLORS = ["#000000", "#e69f00", "#0072b2", "#d55e00", "#56b4e9"]
_MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
_GROUP = "loss-curve"  # begins the group ids of curves, to count them on an axis
_MOST_MARKS = 20  # along a curve
_COLUMNS = 5  # of the grid of images


class LossCurveDisplay:
    """Draw the objective after each epoch, and the validation log-loss.

    `from_estimator` makes it of a fitted estimator. To compare several, draw them on
    the same axes: each gets a colour and a marker of its own.

    The objective includes the penalty, the validation log-loss does not.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Objective on the training data after each epoch.

    validation_loss_curve : array-like of shape (n_epochs,), default=None
        Log-loss of the validation data after each epoch.

    estimator_name : str, default=None
        Name for the legend. None: the legend tells no estimators apart.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The objective and, if there is one, the validation log-loss.

    ax_ : matplotlib Axes
        What was drawn on.

    figure_ : matplotlib Figure
        The figure it is part of.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores for growing training sets.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inspection import LossCurveDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(batch_size=64, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(clf.fit(X, y), name="no validation")
    >>> clf.set_params(early_stopping=True).fit(X, y)
    SoftmaxRegressionClassifier(batch_size=64, early_stopping=True, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(
    ...     clf, name="stopped early", ax=display.ax_
    ... )
    >>> plt.show()
    """

    def __init__(
        self,
        *,
        loss_curve: Any,
        validation_loss_curve: Any = None,
        estimator_name: str | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.estimator_name = estimator_name

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        name: str | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on. None: a new figure.
        name : str, default=None
            Name for the legend. None: `estimator_name`.
        line_kw : dict, default=None
            Keywords of both lines for matplotlib's `plot`, in place of our colour,
            marker and so on. The validation log-loss stays dashed, with one mark in
            its best epoch.

        Returns
        -------
        display : LossCurveDisplay
            This display.
        """
        plt = _pyplot(f"{type(self).__name__}.plot")
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        number = sum(str(line.get_gid()).startswith(_GROUP) for line in ax.lines)
        name = self.estimator_name if name is None else name
        prefix = "" if name is None else f"{name}: "
        look = {
            "color": _COLORS[number % len(_COLORS)],
            "marker": _MARKERS[number % len(_MARKERS)],
            "markersize": 5,
            "markevery": 1 + len(self.loss_curve) // _MOST_MARKS,
            "label": f"{prefix}training objective",
            **normalize_kwargs(line_kw or {}, Line2D),
        }
        curves = [(self.loss_curve, {**look, "gid": f"{_GROUP}-{number}"})]
        if self.validation_loss_curve is not None:
            best = int(np.argmin(self.validation_loss_curve))
            validation_label = {
                "linestyle": "--",
                "markersize": 2 * look["markersize"],
                "markerfacecolor": "none",
                "markevery": [best],
                "label": f"{prefix}validation log-loss, lowest in epoch {best + 1}",
            }
            curves.append((self.validation_loss_curve, {**look, **validation_label}))
        self.lines_ = [
            ax.plot(np.arange(1, len(curve) + 1), curve, **kwargs)[0]
            for curve, kwargs in curves
        ]
        ax.set(xlabel="epoch", ylabel="loss (nats)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        name: str | None = None,
        ax: "Axes | None" = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with a `loss_curve_`, or a Pipeline with such a last step. Also
            :class:`~sklearn.neural_network.MLPClassifier` has one.
        name : str, default=None
            Name for the legend. None: the name of the estimator's class.
        ax : matplotlib Axes, default=None
            What to draw on, for example `ax_` of another display. None: a new figure.
        line_kw : dict, default=None
            Keywords for matplotlib's `plot`, see `plot`.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If it keeps no `loss_curve_`, as after `partial_fit` alone.
        """
        _pyplot(f"{cls.__name__}.from_estimator")
        estimator = _trained(
            estimator,
            ["loss_curve_"],
            "partial_fit alone keeps no losses, and few estimators do: call fit of one "
            "that does. Of a search, pass the best_estimator_.",
        )
        display = cls(
            loss_curve=estimator.loss_curve_,
            validation_loss_curve=getattr(estimator, "validation_loss_curve_", None),
            estimator_name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, line_kw=line_kw)


class CoefficientImageDisplay:
    """Draw the weights of each class as an image.

    A feature is a pixel. All images have the same colours, symmetric around zero, which
    is mid-grey: a large value of X speaks for the class where the image is dark
    (positive weights) and against it where the image is light (negative weights).

    Two classes have one image: positive weights speak for the second class against the
    first.

    Parameters
    ----------
    coefficients : {array-like, sparse matrix} of shape (n_images, n_features)
        Weights of the features, a row for each class, or one row for two classes.

    image_shape : tuple of (int, int)
        Height and width of the images in pixels; n_features pixels in all.

    classes : array-like of shape (n_images,) or (2,)
        Labels of the rows; both labels if one row is for two classes.

    Attributes
    ----------
    images_ : ndarray of shape (n_images,)
        The matplotlib AxesImage of each row.

    colorbar_ : matplotlib Colorbar
        The colours of all images.

    axes_ : ndarray of shape (n_images,)
        The matplotlib Axes of each row.

    figure_ : matplotlib Figure
        The figure they are part of.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inspection import CoefficientImageDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(alpha=0.1).fit(X, y)
    >>> display = CoefficientImageDisplay.from_estimator(clf, image_shape=(8, 8))
    >>> display.images_.shape
    (10,)
    >>> plt.show()
    """

    def __init__(
        self, *, coefficients: Any, image_shape: tuple[int, int], classes: Any
    ) -> None:
        self.coefficients = coefficients
        self.image_shape = image_shape
        self.classes = classes

    def plot(self, ax: Any = None, *, im_kw: dict[str, Any] | None = None) -> Self:
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            What to draw on, n_images in all. None: a grid in a new figure.
        im_kw : dict, default=None
            Keywords for matplotlib's `imshow`, for example ``{"cmap": "RdBu"}``.

        Returns
        -------
        display : CoefficientImageDisplay
            This display.

        Raises
        ------
        ValueError
            If `image_shape`, the classes or the axes do not fit the coefficients.
        """
        plt = _pyplot(f"{type(self).__name__}.plot")
        sparse = sp.issparse(self.coefficients)
        coef = self.coefficients.toarray() if sparse else np.asarray(self.coefficients)
        titles, shape = self._titles(len(coef)), self._height_and_width(coef.shape[1])
        axes = np.ravel(_grid(plt, len(coef), shape) if ax is None else ax)
        if len(axes) != len(coef):
            raise ValueError(
                f"ax holds {len(axes)} axes, but there are {len(coef)} images. Pass "
                f"{len(coef)} axes, or ax=None for a new figure."
            )
        largest = np.abs(coef).max() or 1.0
        kwargs = {"cmap": "Greys", **(im_kw or {})}
        if "norm" not in kwargs:
            kwargs = {"vmin": -largest, "vmax": largest, **kwargs}
        self.images_ = np.empty(len(coef), dtype=object)
        for i, (axis, row, title) in enumerate(zip(axes, coef, titles, strict=True)):
            self.images_[i] = axis.imshow(row.reshape(shape), **kwargs)
            axis.set(title=title, xticks=[], yticks=[])
        self.axes_, self.figure_ = axes, axes[0].figure
        self.colorbar_ = self.figure_.colorbar(
            self.images_[0], ax=list(axes), label="weight"
        )
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: tuple[int, int],
        classes: Any = None,
        ax: Any = None,
        im_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the weights of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `coef_` and `classes_`, or a Pipeline with such a last step.
        image_shape : tuple of (int, int)
            Height and width of the images in pixels; n_features pixels in all.
        classes : array-like of shape (n_images,), default=None
            Labels of the classes to draw, in this order. None: all. Of two classes
            there is one image, whichever are named.
        ax : matplotlib Axes or array of them, default=None
            What to draw on, n_images in all. None: a grid in a new figure.
        im_kw : dict, default=None
            Keywords for matplotlib's `imshow`, see `plot`.

        Returns
        -------
        display : CoefficientImageDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If it has no `coef_`, if it does not know one of the classes, or if
            `image_shape` or the axes do not fit.
        """
        _pyplot(f"{cls.__name__}.from_estimator")
        estimator = _trained(
            estimator,
            ["coef_", "classes_"],
            "Pass a linear classifier, or a Pipeline that ends with one; of a search, "
            "the best_estimator_.",
        )
        coef, labels = estimator.coef_, estimator.classes_
        coef = namespace(coef).to_numpy(coef)
        if classes is not None:
            known = labels.tolist()
            named = np.ndim(classes) == 1 and len(classes) > 0
            if not named or any(label not in known for label in classes):
                raise ValueError(
                    f"classes={classes}, but a list of labels among {labels} is "
                    "wanted. Leave classes out to draw all."
                )
            if len(labels) > 2:
                rows = [known.index(label) for label in classes]
                coef, labels = coef[rows], labels[rows]
        display = cls(coefficients=coef, image_shape=image_shape, classes=labels)
        return display.plot(ax=ax, im_kw=im_kw)

    def _titles(self, n_images):
        """Return what to write above each image."""
        classes = self.classes
        if n_images == 1 and len(classes) == 2:
            return [f"positive: class {classes[1]}\nnegative: class {classes[0]}"]
        if n_images != len(classes):
            raise ValueError(
                f"coefficients has {n_images} rows for {len(classes)} classes, but a "
                "row for each class, or one for two classes, is wanted."
            )
        return [f"class {label}" for label in classes]

    def _height_and_width(self, n_features):
        """Return `image_shape` as a tuple, checked."""
        shape = np.atleast_1d(self.image_shape)
        if len(shape) != 2 or (shape < 1).any() or np.prod(shape) != n_features:
            raise ValueError(
                f"image_shape={self.image_shape} was given for {n_features} weights a "
                f"class, but (height, width) with height * width = {n_features} is "
                "wanted. If a step of a Pipeline makes other features of the pixels, "
                "their weights are no image: leave that step out."
            )
        return tuple(int(size) for size in shape)


def _pyplot(caller):
    """Return matplotlib.pyplot, or say how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed. Install it with "
            'python -m pip install "sksoftmax[plot]"'
        ) from error
    return plt


def _trained(estimator, attributes, way_out):
    """Return the estimator, or a Pipeline's last step, if it has the attributes."""
    while isinstance(estimator, Pipeline):
        estimator = estimator[-1]
    check_is_fitted(estimator)
    missing = [name for name in attributes if not hasattr(estimator, name)]
    if missing:
        raise ValueError(
            f"An estimator with {' and '.join(attributes)} is wanted, but this "
            f"{type(estimator).__name__} has no {missing[0]}. {way_out}"
        )
    return estimator


def _grid(plt, n_images, shape):
    """Return that many axes of a new figure, n_images of a height and width."""
    n_columns = min(n_images, _COLUMNS)
    n_rows = -(-n_images // n_columns)
    width = min(3.0, 7.5 / n_columns)  # of an image, in inches
    height = width * np.clip(shape[0] / shape[1], 0.25, 4) + 0.4  # with its title
    _, axes = plt.subplots(
        n_rows,
        n_columns,
        squeeze=False,
        figsize=(n_columns * width + 1, max(2, n_rows * height)),
        layout="constrained",
    )
    for unused in axes.flat[n_images:]:
        unused.remove()
    return axes.flat[:n_images]
