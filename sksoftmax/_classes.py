"""The classes of y, the classes that a caller names, and class weights."""

import math
from numbers import Real

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from sksoftmax._targets import ProbabilityTable


def find_classes(y, known=None):
    """Return the classes of y, (n_classes,), sorted.

    `known` are the classes of the model at a warm start. Columns of y without names
    stand for these classes if the numbers agree.
    """
    if not isinstance(y, ProbabilityTable):
        check_classification_targets(y)
        return np.unique(y)
    if known is not None and y.names is None and len(y.classes) == len(known):
        return known
    return y.classes


def validate_classes(classes, y, known=None):
    """Return the classes of partial_fit, (n_classes,), sorted.

    `classes` is the argument of partial_fit. `known` are the classes of the model, or
    None in a first call. If both are None, a ProbabilityTable y names the classes.
    """
    is_table = isinstance(y, ProbabilityTable)
    if classes is None:
        if known is not None:
            return known
        if not is_table:
            raise ValueError(
                "classes must be passed on the first call to partial_fit. Pass all "
                "labels that later calls will hold."
            )
        return unique_labels(y.classes)
    if known is not None and np.array_equal(classes, known):
        return known
    all_classes = unique_labels(classes)
    if known is not None:
        check_new_classes(all_classes, known)
        if np.array_equal(all_classes, known):
            all_classes = known
    if is_table and y.names is None and not np.array_equal(classes, all_classes):
        raise ValueError(
            "classes must be sorted if the columns of y have no names, got "
            f"{classes}. Sort both as {all_classes}, or pass y as a data frame."
        )
    return all_classes


def check_new_classes(classes, known):
    """Raise ValueError unless sorted `classes` include the `known` ones of a model."""
    if (
        len(classes) == 0
        or isinstance(known[0], str) != isinstance(classes[0], str)
        or not np.isin(known, classes).all()
    ):
        raise ValueError(
            f"classes must include those of the model, {known}, got {classes}. Classes "
            "can be added, not taken away: name the known ones too, start with a "
            "clone, or fit with warm_start=False."
        )


def check_classes(classes):
    """Raise ValueError unless there are at least two classes."""
    if len(classes) < 2:
        raise ValueError(
            f"classes must name at least two classes, got {classes.tolist()}. "
            "Pass all labels that later calls will hold."
        )


def check_class_totals(classes, totals):
    """Raise ValueError unless at least two classes have a positive weight.

    `totals`, (n_classes,), are the total weights of the classes.
    """
    weighted_classes = classes[totals > 0].tolist()
    if not weighted_classes:
        raise ValueError(
            "sample_weight (times class_weight) must be positive in some row, got "
            "zeros. Give rows of two classes a positive weight."
        )
    if len(weighted_classes) < 2:
        raise ValueError(
            "y must hold at least two classes with a positive weight, got one class, "
            f"{weighted_classes[0]!r}. Add rows of another class."
        )


def encode(y, classes):
    """Return y as class indices, (n_samples,), or as probabilities of all classes."""
    if isinstance(y, ProbabilityTable):
        return y.align_to(classes)
    if not np.isin(y, classes).all():
        check_classification_targets(y)
        raise ValueError(
            f"y must hold labels among the classes {classes} of the model, got "
            f"{np.setdiff1d(y, classes)}. Leave these rows out, or name new classes in "
            "the argument `classes` of partial_fit."
        )
    return np.searchsorted(classes, y)


def class_weights(class_weight, classes, class_count):
    """Return the weight of each class, (n_classes,).

    `class_weight` is the parameter. "balanced" gives all classes that occur the same
    total: `class_count` holds the sum of each class's sample weights.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        occurs = class_count > 0
        mean_count = class_count.sum() / max(1, np.count_nonzero(occurs))
        return mean_count / np.where(occurs, class_count, np.inf)
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown:
        raise ValueError(
            f"class_weight must name classes among {labels}, got {unknown}. Leave the "
            "others out."
        )
    class_factors = [class_weight.get(k, 1.0) for k in labels]
    if not all(isinstance(w, Real) and 0 <= w < math.inf for w in class_factors):
        raise ValueError(
            "class_weight must hold finite numbers of at least 0, got "
            f"{class_weight}. Use 0 to leave a class out."
        )
    return np.array(class_factors, float)
