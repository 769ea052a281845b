"""Columns of data frames of any library, and values that are not numbers."""

import re

import numpy as np

# The names of dtypes and types of dates and durations in all libraries.
_DATE = re.compile("date|time|duration|period", re.IGNORECASE)
_MISSING = "NAType", "NaTType"
_WAY_OUT_OF_DATES = (
    "Turn them into numbers of one unit, for example days: "
    "(x - np.datetime64('2000-01-01')) / np.timedelta64(1, 'D')."
)


def is_frame(data) -> bool:
    """Return whether the data are a frame of pandas, polars, Arrow or the like."""
    if isinstance(data, np.ndarray):
        return False
    # Lazy frames of polars have none of these names, and warn if asked for `columns`.
    names = "iloc", "iter_columns", "column_names"
    return any(hasattr(data, name) for name in names) and hasattr(data, "columns")


def column_names(frame) -> list:
    """Return the names of the columns of a frame."""
    return list(frame.column_names if _is_arrow(frame) else frame.columns)


def check_no_dates(data, name: str) -> None:
    """Raise TypeError if an array, a column or a frame holds dates or durations.

    NumPy would convert them to numbers, whose unit depends on the dtype. `name` is the
    name of the argument.
    """
    if isinstance(data, np.ndarray):
        if data.dtype.kind not in "mMO":
            return
        columns = _columns(data) if data.dtype.kind == "O" else [("", data)]
    elif is_frame(data) and any(map(_may_hold_dates, set(_dtypes(data)))):
        columns = _columns(data)
    elif getattr(getattr(data, "dtype", None), "kind", None) in ("m", "M"):
        columns = [("", np.asarray(data))]  # of a library with NumPy's dtypes
    else:
        return
    for column, values in columns:
        dates = _date_type(values)
        if dates is not None:
            place = f" in {column}" if column else ""
            raise TypeError(
                f"{name} must hold numbers, got dates or times ({dates}){place}. "
                f"{_WAY_OUT_OF_DATES}"
            )


def explain_conversion(data, name: str, error: Exception) -> Exception | None:
    """Return an error that names the first value that is no number, or None.

    `error` is the error of the conversion of an array or a frame to numbers.
    """
    for column, values in _columns(data):
        values = np.asarray(values)
        if _are_numbers(values):
            continue
        if not column and all(isinstance(v, list | tuple | np.ndarray) for v in values):
            return _length_error(name, list(map(len, values)))
        rows = range(len(values))
        row = next((i for i in rows if not _are_numbers(values[i : i + 1])), 0)
        received, way_out = _describe(values[row])
        place = f"row {row} of {column}" if column else f"row {row}"
        kind = TypeError if isinstance(error, TypeError) else ValueError
        return kind(
            f"{name} must hold numbers, got {received} in {place}: "
            f"{str(error).rstrip('.')}. {way_out}"
        )
    return None


def _is_arrow(frame) -> bool:
    return hasattr(frame, "column_names") and not hasattr(frame, "iloc")


def _columns(data):
    """Yield the name of each column for errors, and its values.

    Vectors are one column without a name. Sparse data have no columns, nor have arrays
    of other libraries than NumPy: they hold numbers alone.
    """
    if is_frame(data):
        for j, name in enumerate(column_names(data)):
            if hasattr(data, "iloc"):
                values = data.iloc[:, j]
            else:
                values = data.column(j) if _is_arrow(data) else data[:, j]
            yield f"column {name!r}", values
    elif isinstance(data, np.ndarray) and data.ndim == 2:
        for j in range(data.shape[1]):
            yield f"column {j}", data[:, j]
    elif isinstance(data, np.ndarray) or hasattr(data, "iloc"):
        yield "", data


def _dtypes(frame):
    """Return the dtypes of the columns."""
    if hasattr(frame, "iloc"):
        return frame.dtypes
    return frame.schema.types if _is_arrow(frame) else frame.schema.values()


def _may_hold_dates(dtype) -> bool:
    name = _value_dtype(dtype)
    return name.lower() == "object" or _DATE.match(name) is not None


def _value_dtype(dtype) -> str:
    """Return the name of the dtype of the values, also of categorical values."""
    categories = getattr(dtype, "categories", None)  # of pandas
    dtype = getattr(categories, "dtype", dtype)
    dtype = getattr(dtype, "value_type", dtype)  # of a dictionary of Arrow
    return dtype.name if isinstance(dtype, np.dtype) else str(dtype)


def _date_type(values) -> str | None:
    """Return the name of the type of dates or durations among the values, or None."""
    names = [_value_dtype(values.dtype if hasattr(values, "dtype") else values.type)]
    if names[0].lower() == "object":
        names = sorted({kind.__name__ for kind in set(map(type, values))})
    return next(filter(_DATE.match, names), None)


def _are_numbers(values) -> bool:
    """Return whether NumPy can convert an array to a vector of floats."""
    if values.ndim != 1 or values.dtype.names is not None:
        return False
    try:
        values.astype(np.float64)
    except (TypeError, ValueError):
        return False
    except OverflowError:  # of an integer
        return True
    return True


def _describe(value) -> tuple[str, str]:
    """Return what a value is that is no number, and a way out."""
    name = type(value).__name__
    if isinstance(value, str | bytes):
        return (
            "text",
            "Encode text with TfidfVectorizer and categories with OneHotEncoder.",
        )
    if name in _MISSING:
        return (
            "a missing value",
            "Replace missing values by numbers, or leave these rows out.",
        )
    if _DATE.match(name):
        return f"dates or times ({name})", _WAY_OUT_OF_DATES
    return f"a value of type {name}", "Pass one number a column."


def _length_error(name: str, lengths: list) -> ValueError:
    row = next((i for i, n in enumerate(lengths) if n != lengths[0]), 0)
    return ValueError(
        f"{name} must have the same number of features in each row, got {lengths[0]} "
        f"in row 0 and {lengths[row]} in row {row}. Pass all features of all rows."
    )
