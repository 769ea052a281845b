"""Labels as arrays that are compared exactly, and the search for them among classes.

NumPy compares numbers of two dtypes in a common one: ids beyond 2^53 become equal, and
numbers become text. The functions compare numbers by value, and text with text only.
"""

from decimal import Decimal
from numbers import Real

import numpy as np

from sksoftmax._arrays import NUMPY, input_to_numpy, namespace

# Labels of these dtypes are on the device of X, others in NumPy.
_DEVICE_DTYPES = frozenset(
    ("bool", "int8", "uint8", "int16", "int32", "int64", "float32", "float64")
)

_NUMBERS, _TEXT = "biuf", "UO"  # kinds of dtypes; objects are text after validation


def validate_labels(labels, name: str = "y"):
    """Return labels as an array of text, numbers or dates, in the shape received.

    `name` is the argument that errors name. Lists and objects of numbers become numbers
    without rounding. A value that holds no labels, such as None, is returned unchanged.
    """
    labels = input_to_numpy(labels, name)
    if type(labels) is np.ndarray and labels.dtype.kind in "biuU":
        return labels
    try:
        array = np.asarray(labels)
    except ValueError as error:
        raise ValueError(
            f"{name} must be a list of labels, got rows of several lengths: {error}. "
            "For several labels a row, use MultiLabelBinarizer and "
            "OneVsRestClassifier."
        ) from error
    if array.dtype.kind == "V" and np.can_cast(array.dtype, np.float64):  # bfloat16
        array = array.astype(np.float64)
    kind = array.dtype.kind
    if array.ndim == 0 or kind == "V":
        return labels
    if kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} must hold text or real numbers, got "
            f"{array.dtype}. Pass real numbers."
        )
    if kind == "S":
        raise ValueError(
            f"{name} must hold text or numbers, got labels represented as bytes. "
            "Decode the labels, for example with numpy.char.decode."
        )
    if np.ma.is_masked(labels):
        _raise_missing(np.ma.getmaskarray(labels), array, name)
    if kind in "fMm":
        missing = np.isnan(array)
        if missing.any():
            _raise_missing(missing, array, name)
    if kind in "OT" or (kind in "fU" and array.size and not hasattr(labels, "dtype")):
        # Conversion of a list may have turned numbers into text, or rounded integers.
        objects = np.asarray(labels, dtype=object)
        converted = _convert_objects(objects, name)
        if kind != "U" or array.tolist() != objects.tolist():
            return converted
    return array


def _convert_objects(objects, name: str):
    """Return an array of objects as numbers, or unchanged if all are text."""
    values = objects.ravel().tolist()
    types = set(map(type, values))
    if all(issubclass(kind, str) for kind in types):
        return objects
    missing = np.array([_is_missing(value) for value in values])
    if missing.any():
        _raise_missing(missing, objects, name)
    # NumPy registers its durations as integers.
    if np.timedelta64 not in types and all(
        issubclass(kind, Real | Decimal | np.bool_) for kind in types
    ):
        return _convert_numbers(values, name).reshape(objects.shape)
    rows = {type(value): row for row, value in reversed(list(enumerate(values)))}
    received = [
        f"{kind.__name__} (row {row})"
        for kind, row in sorted(rows.items(), key=lambda item: item[1])
    ]
    way_out = f"Convert {name}, for example with {name}.astype(str)."
    if types & {list, tuple, np.ndarray}:
        way_out = f"Pass probabilities as one array, numpy.array(list({name}))."
    raise ValueError(
        f"{name} must hold labels that are all text or all numbers, got objects of "
        f"{' and '.join(received)}. {way_out}"
    )


def _convert_numbers(values: list, name: str):
    """Return a list of real numbers as an array that holds the same numbers."""
    values = [v.item() if isinstance(v, np.generic) else v for v in values]
    array = np.asarray(values)
    # Python compares integers with floats exactly.
    has_floats = any(isinstance(value, float) for value in values)
    if array.dtype.kind in "biu" or (
        array.dtype.kind == "f" and has_floats and array.tolist() == values
    ):
        return array
    smallest, largest = min(values), max(values)
    for dtype in (np.int64, np.uint64):
        if np.iinfo(dtype).min <= smallest and largest <= np.iinfo(dtype).max:
            integers = [int(value) for value in values]
            if integers == values:
                return np.array(integers, dtype)
    raise ValueError(
        f"{name} must hold numbers that 64-bit integers or floats hold exactly, got "
        f"numbers from {smallest} to {largest}. Convert {name}, for example with "
        f"{name}.astype(str)."
    )


def _is_missing(label) -> bool:
    """Return whether the label is None, or NaN or NaT, which differ from themselves.

    pandas' NA is the result of its own comparison.
    """
    differs = label != label
    if isinstance(differs, bool | np.bool_):
        return label is None or bool(differs)
    return differs is label


def _raise_missing(missing, labels, name: str):
    """Raise ValueError that names the first row with a missing label."""
    row = int(np.argmax(missing.ravel()))
    raise ValueError(
        f"{name} must not hold missing labels, got a missing label in row {row} "
        f"({labels.ravel()[row]}). Leave such rows out, or give them a label of their "
        "own."
    )


def are_comparable(labels, classes) -> bool:
    """Return whether both arrays are numbers, both text, or both of one other kind."""
    kinds = labels.dtype.kind, classes.dtype.kind
    return kinds[0] == kinds[1] or any(
        kinds[0] in group and kinds[1] in group for group in (_NUMBERS, _TEXT)
    )


def find_positions(labels, classes):
    """Return the position of each label in the sorted classes, -1 for other labels."""
    kind, positions = labels.dtype.kind, None
    if kind != classes.dtype.kind and kind in _NUMBERS:
        classes, positions = _represent(classes, labels.dtype)
    if len(classes) == 0 or not are_comparable(labels, classes):
        return np.full(labels.shape, -1)
    found = np.searchsorted(classes, labels)
    found[found == len(classes)] = 0  # a label above all classes
    is_found = classes[found] == labels
    if positions is not None:
        found = positions[found]
    return np.where(is_found, found, -1)


def _represent(classes, dtype):
    """Return the classes that a dtype of numbers holds exactly, and their positions."""
    if classes.dtype.kind not in _NUMBERS:
        return classes[:0], None
    with np.errstate(invalid="ignore", over="ignore"):
        cast = classes.astype(dtype)
    # Python compares integers with floats exactly, and NumPy rounds both to float64.
    pairs = zip(cast.tolist(), classes.tolist(), strict=True)
    positions = np.flatnonzero([a == b for a, b in pairs])
    return cast[positions], positions


def are_same(labels, classes) -> bool:
    """Return whether labels are the sorted classes, in order."""
    if labels.dtype == classes.dtype:
        return np.array_equal(labels, classes)
    return labels.shape == classes.shape and bool(
        (find_positions(labels, classes) == np.arange(len(classes))).all()
    )


def take_labels(classes, indices):
    """Return classes[indices], on the device of the indices if labels can be there."""
    xp = namespace(indices)
    is_numpy = xp is NUMPY or classes.dtype.name not in _DEVICE_DTYPES
    if is_numpy or not classes.dtype.isnative:
        return classes[xp.to_numpy(indices)]
    return xp.take(xp.asarray(classes), indices, axis=0)


def unite(arrays):
    """Return the sorted labels of all arrays, which must be comparable."""
    if len({array.dtype.kind for array in arrays} - set(_TEXT)) > 1:
        values = set().union(*(array.tolist() for array in arrays))
        return np.unique(_convert_numbers(list(values), "y"))
    return np.unique(np.concatenate(arrays))
