"""What the displays of weights share: rows of `coef_`, names, titles and axes."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

from sksoftmax._arrays import namespace
from sksoftmax._labels import find_positions, validate_labels
from sksoftmax.inspection.estimators import find_fitted


def find_linear(estimator):
    """Return a fitted linear classifier, perhaps the last step of a Pipeline."""
    linear = find_fitted(
        estimator,
        ["coef_", "classes_"],
        "Pass a linear classifier, or a Pipeline that ends with one. For a search, "
        "pass its best_estimator_.",
    )
    # Three classes have as many pairs. Only SVC and NuSVC have this parameter.
    if len(linear.classes_) > 2 and hasattr(linear, "decision_function_shape"):
        raise ValueError(
            "coefficients must have a row for each class, or one row for two classes, "
            f"got those of {type(linear).__name__}, which has a row for each pair of "
            "classes. Pass a LinearSVC or another linear classifier."
        )
    return linear


def select_rows(estimator, classes):
    """Return the rows of `coef_` of these classes, in NumPy, and their labels.

    None selects all classes. A model of two classes has one row for any labels.
    """
    coef, labels = estimator.coef_, estimator.classes_
    if not sp.issparse(coef):
        coef = np.atleast_2d(namespace(coef).to_numpy(coef))
    rows = find_classes(classes, labels)
    if classes is not None and len(labels) > 2:
        coef, labels = coef[rows], labels[rows]
    return coef, labels


def find_classes(classes, labels):
    """Return the positions of the classes among the labels; None stands for all."""
    if classes is None:
        return np.arange(len(labels))
    drawn = np.atleast_1d(validate_labels(classes, "classes"))
    rows = find_positions(drawn, labels)
    if np.ndim(classes) != 1 or drawn.size == 0 or (rows < 0).any():
        raise ValueError(
            f"classes must be a list of labels among {labels.tolist()}, got {classes}. "
            "Leave classes out to draw all."
        )
    return rows


def name_features(estimator, names, n_features):
    """Return the names of the features that have weights, as a list of strings.

    None stands for the names that the estimator knows, or else x0, x1, ...
    """
    linear = estimator
    while isinstance(linear, Pipeline):
        linear = linear[-1]
    if names is None:
        names = getattr(linear, "feature_names_in_", None)
    if names is None:
        names = _names_from_steps(estimator)
    if names is None:
        names = [f"x{i}" for i in range(n_features)]
    return check_names(names, n_features)


def _names_from_steps(estimator):
    """Return the names that the steps of a Pipeline give to the last step, or None."""
    names = None
    while isinstance(estimator, Pipeline):
        if len(estimator) > 1:
            try:
                names = estimator[:-1].get_feature_names_out(names)
            except AttributeError as error:
                raise ValueError(
                    "feature_names must be given if a step of the Pipeline has no "
                    f"get_feature_names_out, got None ({error}) Pass the names of the "
                    "features that the last step gets."
                ) from error
        estimator = estimator[-1]
    return names


def check_names(names, n_features):
    """Return the names as a list of strings; raise ValueError unless they fit."""
    if isinstance(names, str) or np.ndim(names) != 1 or len(names) != n_features:
        n_names = f"{len(names)} names" if np.ndim(names) == 1 else repr(names)
        raise ValueError(
            f"feature_names must be a list of {n_features} names, one for each column "
            f"of the coefficients, got {n_names}. Name the features that the last step "
            "of a Pipeline gets, or leave feature_names out."
        )
    return [str(name) for name in names]


def check_n_top(n_top):
    """Raise ValueError unless n_top is a positive integer."""
    if not isinstance(n_top, Integral) or n_top < 1:
        raise ValueError(
            f"n_top must be an integer of at least 1, got {n_top!r}. Leave n_top out "
            "to draw the default number of features."
        )


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
