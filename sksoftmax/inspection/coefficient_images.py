"""The weights of classes as images."""

from typing import Any, Self

import numpy as np

from sksoftmax.inspection.coefficients import (
    check_axes,
    find_linear,
    make_grid,
    make_titles,
    select_rows,
    to_matrix,
)
from sksoftmax.inspection.estimators import import_pyplot

_GRID_COLUMNS = 5  # images in a row of the figure


class CoefficientImageDisplay:
    """Draw the weights of each class as an image.

    A feature is a pixel. All images share one colour scale, symmetric around zero,
    which is white. A large value of a purple pixel (positive weight) speaks for the
    class, a large value of an orange pixel (negative weight) against the class.

    Two classes have one image: positive weights speak for the second class and against
    the first.

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
        The figure of the axes.

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
            Axes for the images, n_images in all. None: a grid in a new figure.
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
        plt = import_pyplot(f"{type(self).__name__}.plot")
        coef = to_matrix(self.coefficients)
        titles = make_titles(self.classes, len(coef))
        shape = self._check_image_shape(coef.shape[1])
        axes = _grid(plt, len(coef), shape) if ax is None else check_axes(ax, len(coef))
        largest = np.abs(coef).max() or 1.0
        kwargs = {"cmap": "PuOr", **(im_kw or {})}
        if "norm" not in kwargs:
            kwargs = {"vmin": -largest, "vmax": largest, **kwargs}
        self.images_ = np.empty(len(coef), dtype=object)
        for i, (axis, row, title) in enumerate(zip(axes, coef, titles, strict=True)):
            self.images_[i] = axis.imshow(row.reshape(shape), **kwargs)
            axis.set(xticks=[], yticks=[])
            axis.set_title(title, parse_math=False)
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
            Labels of the classes to draw, in this order. None: all. A model of two
            classes has one image for any labels.
        ax : matplotlib Axes or array of them, default=None
            Axes for the images, n_images in all. None: a grid in a new figure.
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
            If the estimator has no `coef_`, if a label in `classes` is unknown, or if
            `image_shape` or the axes do not fit.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        coef, labels = select_rows(find_linear(estimator), classes)
        display = cls(coefficients=coef, image_shape=image_shape, classes=labels)
        return display.plot(ax=ax, im_kw=im_kw)

    def _check_image_shape(self, n_features):
        """Return `image_shape` as a tuple; raise ValueError unless it fits."""
        shape = np.atleast_1d(self.image_shape)
        if len(shape) != 2 or (shape < 1).any() or np.prod(shape) != n_features:
            raise ValueError(
                "image_shape must be (height, width) with height * width = "
                f"{n_features}, the number of weights of a class, got "
                f"{self.image_shape}. If a step of a Pipeline turns the pixels into "
                "other features, leave that step out."
            )
        return tuple(int(size) for size in shape)


def _grid(plt, n_images, shape):
    """Return axes of a new figure for images of shape (height, width)."""
    n_columns = min(n_images, _GRID_COLUMNS)
    width = min(3.0, 7.5 / n_columns)  # inches an image
    height = width * np.clip(shape[0] / shape[1], 0.25, 4) + 0.4  # with the title
    return make_grid(plt, n_images, n_columns, width, height)
