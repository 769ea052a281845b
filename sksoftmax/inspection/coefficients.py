"""What the displays of weights share: rows of `coef_`, their titles and their axes."""

import numpy as np
import scipy.sparse as sp

from sksoftmax._arrays import namespace
from sksoftmax._labels import find_positions, validate_labels
from sksoftmax.inspection.estimators import find_fitted


def find_linear(estimator):
    """Return a fitted linear classifier, perhaps the last step of a Pipeline."""
    return find_fitted(
        estimator,
        ["coef_", "classes_"],
        "Pass a linear classifier, or a Pipeline that ends with one. For a search, "
        "pass its best_estimator_.",
    )


def select_rows(estimator, classes):
    """Return the rows of `coef_` of these classes, in NumPy, and their labels.

    None selects all classes. A model of two classes has one row for any labels.
    """
    coef, labels = estimator.coef_, estimator.classes_
    if not sp.issparse(coef):
        coef = np.atleast_2d(namespace(coef).to_numpy(coef))
    if classes is None:
        return coef, labels
    drawn = np.atleast_1d(validate_labels(classes, "classes"))
    rows = find_positions(drawn, labels)
    if np.ndim(classes) != 1 or drawn.size == 0 or (rows < 0).any():
        raise ValueError(
            f"classes must be a list of labels among {labels.tolist()}, got {classes}. "
            "Leave classes out to draw all."
        )
    if len(labels) > 2:
        coef, labels = coef[rows], labels[rows]
    return coef, labels


def to_matrix(coefficients):
    """Return the coefficients as a dense matrix in NumPy."""
    is_sparse = sp.issparse(coefficients)
    coef = np.asarray(coefficients.toarray() if is_sparse else coefficients, float)
    if coef.ndim != 2:
        raise ValueError(
            "coefficients must be of shape (n_rows, n_features), got "
            f"{coef.shape}. Pass a row for each class, or one row for two classes."
        )
    return coef


def make_titles(classes, n_rows):
    """Return the title of each row of coefficients."""
    if n_rows == 1 and len(classes) == 2:
        return [f"positive: class {classes[1]}\nnegative: class {classes[0]}"]
    if n_rows != len(classes):
        raise ValueError(
            "coefficients must have a row for each class, or one row for two "
            f"classes, got {n_rows} rows for {len(classes)} classes. Pass one "
            "label in classes for each row."
        )
    return [f"class {label}" for label in classes]


def check_axes(ax, n_rows):
    """Return the given axes as a flat array, an axes for each row of coefficients."""
    axes = np.ravel(ax)
    if len(axes) != n_rows:
        raise ValueError(
            f"ax must hold {n_rows} axes, one for each row of coefficients, got "
            f"{len(axes)} axes. Pass ax=None for a new figure."
        )
    return axes


def make_grid(plt, n_axes, n_columns, width, height):
    """Return axes of a new figure, each of this width and height in inches."""
    n_rows = -(-n_axes // n_columns)
    _, axes = plt.subplots(
        n_rows,
        n_columns,
        squeeze=False,
        figsize=(n_columns * width + 1, max(2, n_rows * height)),
        layout="constrained",
    )
    for unused in axes.flat[n_axes:]:
        unused.remove()
    return axes.flat[:n_axes]
