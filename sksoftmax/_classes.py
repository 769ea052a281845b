"""Classes: those of y, those that a caller names, and their weights."""

import math
from numbers import Real

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from sksoftmax._targets import ProbabilityTable


def find_classes(y, known=None):
    """Return the classes of y, (n_classes,), sorted.

    `known` are those of a model to start from: columns without names may stand for
    them.
    """
    if not isinstance(y, ProbabilityTable):
        check_classification_targets(y)
        return np.unique(y)
    if known is not None and y.names is None and len(y.classes) == len(known):
        return known
    return y.classes


def validate_classes(classes, y, known=None):
    """Return the classes of partial_fit, (n_classes,), sorted.

    `classes` is the argument of that name, and `known` are the classes of the model,
    None in a first call. Without both, a y that is a table names the classes.
    """
    is_table = isinstance(y, ProbabilityTable)
    if classes is None:
        if known is not None:
            return known
        if not is_table:
            raise ValueError("classes must be passed on the first call to partial_fit.")
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
            f"classes={classes} are not sorted, but columns of y without names are "
            f"read in the order of {all_classes}. Sort both, or pass y as a data "
            "frame."
        )
    return all_classes


def check_new_classes(classes, known):
    """Raise ValueError unless a model of the `known` classes can get these, sorted."""
    if (
        len(classes) == 0
        or isinstance(known[0], str) != isinstance(classes[0], str)
        or not np.isin(known, classes).all()
    ):
        raise ValueError(
            f"The model knows the classes {known}, but {classes} are to take their "
            "place. Classes can be added, not taken away: name the known ones too, "
            "or start with a clone (or fit with warm_start=False)."
        )


def check_classes(classes):
    """Raise ValueError unless there are two classes."""
    if len(classes) < 2:
        raise ValueError(
            f"classes must name at least two classes, got {classes.tolist()}. "
            "Name in `classes` all labels that there will be."
        )


def check_class_totals(classes, totals):
    """Raise ValueError unless rows of two classes have positive weight.

    `totals`, (n_classes,), are the total weights of the classes.
    """
    seen = classes[totals > 0]
    if not len(seen):
        raise ValueError(
            "All rows have the weight zero (sample_weight times class_weight): "
            "there is nothing to fit. Give some row a positive weight."
        )
    if len(seen) < 2:
        raise ValueError(
            "y must hold at least two classes with a positive weight, but all rows "
            f"with one are of one class, {seen.tolist()[0]!r}. Add rows of another."
        )


def encode(y, classes):
    """Return class indices, (n_samples,), or probabilities of all classes."""
    if isinstance(y, ProbabilityTable):
        return y.align_to(classes)
    if not np.isin(y, classes).all():
        check_classification_targets(y)
        raise ValueError(
            f"y holds the labels {np.setdiff1d(y, classes)}, which are not "
            f"among the classes {classes} of the model. Leave these rows "
            "out, or teach the model these classes first: partial_fit takes new "
            "ones in the `classes` of any call."
        )
    return np.searchsorted(classes, y)


def class_weights(class_weight, classes, class_count):
    """Return the weight of each class, (n_classes,).

    `class_weight` is the parameter. "balanced" follows from `class_count`, the sum of
    each class's sample weights: all classes that occur get the same total.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        seen = class_count > 0
        share = class_count.sum() / max(1, np.count_nonzero(seen))
        return share / np.where(seen, class_count, np.inf)
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown:
        raise ValueError(
            f"class_weight names {unknown}, which are not among the classes "
            f"{labels}. Leave them out."
        )
    per_class = [class_weight.get(k, 1.0) for k in labels]
    if not all(isinstance(w, Real) and 0 <= w < math.inf for w in per_class):
        raise ValueError(
            f"class_weight={class_weight} holds a weight that is no number, "
            "negative or not finite. Weights must be at least 0."
        )
    return np.array(per_class, float)
