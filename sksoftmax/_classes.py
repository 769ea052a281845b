"""The classes of y, the classes that a caller names, and class weights."""

import sys
from datetime import date, timedelta
from numbers import Real

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from sksoftmax._compat import warn
from sksoftmax._labels import (
    are_comparable,
    are_same,
    find_positions,
    validate_labels,
)
from sksoftmax._targets import ProbabilityTable

_LARGEST = sys.float_info.max


def find_classes(y, known=None):
    """Return the classes of y, (n_classes,), sorted.

    `known` are the classes of the model at a warm start. Columns of y without names
    stand for these classes if the numbers agree.
    """
    if not isinstance(y, ProbabilityTable):
        check_labels(y)
        return np.unique(y)
    check_several_classes(y.classes[y.is_probable])
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
        return y.classes
    classes = _to_list(classes, "classes")
    if known is not None and are_same(classes, known):
        return known
    all_classes = np.unique(classes)
    check_labels(np.repeat(all_classes, 3), "classes")
    if known is not None:
        check_new_classes(all_classes, known)
        if are_same(all_classes, known):
            all_classes = known
    if is_table and y.names is None and not are_same(classes, all_classes):
        raise ValueError(
            "classes must be sorted if the columns of y have no names, got "
            f"{classes.tolist()}. Sort both as {all_classes}, or pass y as a data "
            "frame."
        )
    return all_classes


def _to_list(argument, name: str):
    """Return an argument of labels as an array of one dimension."""
    labels = np.asarray(validate_labels(argument, name))
    if labels.ndim == 0 or labels.size != len(labels):
        raise ValueError(
            f"{name} must be a list of labels, got {argument}. Pass a list or an array "
            "of one dimension, with a label an entry."
        )
    return labels.ravel()


def check_labels(labels, name: str = "y"):
    """Raise ValueError unless the labels are classes, not measurements.

    scikit-learn warns of many classes with few rows, unless labels are repeated.
    """
    try:
        with np.errstate(invalid="ignore"):  # scikit-learn casts floats to integers
            check_classification_targets(labels)
    except ValueError as error:
        raise ValueError(
            f"{error} {name} must hold labels of classes, got other values. Bin the "
            "values, or use a regressor."
        ) from error


def check_new_classes(classes, known, name: str = "classes"):
    """Raise ValueError unless sorted `classes` include the `known` ones of a model.

    `name` is the argument that holds the classes.
    """
    positions = find_positions(known, classes)
    if positions[0] < 0 or (positions[1:] <= positions[:-1]).any():
        check_class_order(known)
        raise ValueError(
            f"{name} must include the classes of the model, {known}, got {classes}. "
            "Classes can be added, not taken away: name the known ones too, start with "
            "a clone, or fit with warm_start=False."
        )


def check_class_order(classes):
    """Raise ValueError unless the classes of a model are sorted numbers or text.

    The classes may have been set by hand, and the search for labels needs their order.
    """
    labels = validate_labels(classes, "classes_")
    if not are_same(np.unique(labels), classes):
        raise ValueError(
            "classes_ must be sorted, without duplicates, and in an array of numbers "
            f"or text, got {classes.tolist()} of {classes.dtype}. Set classes_ to "
            "numpy.unique of a list of the labels, and sort the rows of coef_ and "
            "intercept_ alike. Two classes have one row: multiply it by -1 if they "
            "change places."
        )


def check_classes(classes):
    """Raise ValueError unless there are at least two classes."""
    if len(classes) < 2:
        raise ValueError(
            f"classes must name at least two classes, got {classes.tolist()}. "
            "Pass all labels that later calls will hold."
        )


def check_class_totals(classes, totals):
    """Raise ValueError unless there are two classes, and one has a positive weight.

    `totals`, (n_classes,), are the total weights of the classes.
    """
    check_several_classes(classes)
    if not (totals > 0).any():
        raise ValueError(
            "sample_weight (times class_weight) must be positive in some row, got "
            "zeros. Give some rows a positive weight."
        )


def check_several_classes(classes):
    """Raise ValueError unless y holds at least two classes."""
    if len(classes) < 2:
        raise ValueError(
            "y must hold at least two classes in all, got one class, "
            f"{classes.tolist()[0]!r}. Add rows of another class. Shuffle rows that "
            "are sorted by class."
        )


def encode(y, classes):
    """Return y as class indices, (n_samples,), or as probabilities of all classes."""
    if isinstance(y, ProbabilityTable):
        return y.align_to(classes)
    positions = find_positions(y, classes)
    if (positions < 0).any():
        _raise_unknown(y[positions < 0], classes)
    return positions


def encode_for_score(y, classes):
    """Return labels as class indices, -1 for labels that are no classes.

    Labels of another kind than the classes, such as text for numbers, are an error.
    """
    y = _to_list(y, "y")
    positions = find_positions(y, classes)
    unknown = y[positions < 0]
    if len(unknown):
        check_labels(np.repeat(unknown, 3))
        if not are_comparable(unknown, classes):
            _raise_unknown(unknown, classes)
    return positions


def _raise_unknown(unknown, classes):
    """Raise ValueError for labels of y that are no classes."""
    check_class_order(classes)
    check_labels(np.repeat(unknown, 3))
    way_out = (
        "Leave these rows out, or name new classes in the argument `classes` of "
        "partial_fit (validation rows can have no new classes)."
    )
    if classes.dtype.kind == "b" and unknown.dtype.kind in "UO":
        # A cast of text is an error or True, by the version of NumPy.
        way_out = "Convert y, for example with y == 'True': text is never a bool."
    elif not are_comparable(unknown, classes):
        dtype = "str" if classes.dtype.kind in "UO" else repr(str(classes.dtype))
        way_out = (
            f"Convert y, for example with y.astype({dtype}), as text, numbers, dates "
            "and durations are never the same label."
        )
    raise ValueError(
        f"y must hold labels among the classes {classes} of the model, got "
        f"{np.unique(unknown)}. {way_out}"
    )


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
    if classes.dtype.kind in "mM":  # a list would hold numbers of nanoseconds
        labels = list(classes)
        class_weight = {_to_date(k, classes.dtype): w for k, w in class_weight.items()}
    n_weighted = sum(map(class_weight.__contains__, labels))
    if n_weighted < min(len(class_weight), len(labels)):
        _report_absent_classes(class_weight, labels, n_weighted)
    class_factors = [class_weight.get(k, 1.0) for k in labels]
    if not _are_real(class_factors):
        # The entries of a tensor are arrays without axes, each of one number.
        class_factors = [
            w.item() if getattr(w, "shape", None) == () else w for w in class_factors
        ]
    if not (
        _are_real(class_factors) and all(0 <= w <= _LARGEST for w in class_factors)
    ):
        raise ValueError(
            "class_weight must hold finite numbers of at least 0, got "
            f"{class_weight}. Use 0 to leave a class out."
        )
    return np.array(class_factors, float)


def _to_date(key, dtype):
    """Return a date or duration in the dtype of the classes; other keys as they are.

    A key of a finer unit that the dtype would round is no class.
    """
    kinds = {"M": (np.datetime64, date), "m": (np.timedelta64, timedelta)}
    if not isinstance(key, kinds[dtype.kind]):
        return key
    own = np.array(key, f"{dtype.kind}8")  # in a unit of its own
    converted = own.astype(dtype)
    return converted[()] if converted == own else key


def _are_real(values: list) -> bool:
    """Return whether all values are real numbers."""
    return all(issubclass(kind, Real) for kind in set(map(type, values)))


def _report_absent_classes(class_weight, labels, n_weighted: int) -> None:
    """Warn of keys of class_weight that are no classes, or raise if no key is one.

    A key may be misspelt if a class has no weight; LogisticRegression raises then.
    """
    known = set(labels)
    absent = [key for key in class_weight if key not in known]
    if not n_weighted:
        raise ValueError(
            f"class_weight must name classes among {labels}, got {absent}. Correct the "
            "labels, or leave class_weight out."
        )
    unweighted = [label for label in labels if label not in class_weight]
    warn(
        f"class_weight names {absent[:9]}, which are no classes, and not the classes "
        f"{unweighted[:9]}. The former are ignored, and the latter have the weight 1. "
        "Name all classes."
    )
