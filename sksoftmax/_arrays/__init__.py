"""The functions for an array. No other file asks which library an array is from.

Code for arrays of any library has only operators, slices and attributes that NumPy
shares with the Python array API standard. Such code names all axes in square brackets,
reads shape[0] instead of len(), and calls functions of

    xp = namespace(array)

The functions are NumPy's and a few that _arrays/numpy_arrays.py describes. Reductions
name their axis. The result is written to `out`, which may be one of the arguments.

Reading a number from a device, by float() or bool(), waits for all earlier work of the
device. No code thus reads a number for each batch.
"""

from operator import iadd

import numpy as np
import scipy.sparse as sp
from sklearn import get_config

from sksoftmax._arrays.numpy_arrays import NUMPY
from sksoftmax._arrays.standard_arrays import StandardArrays
from sksoftmax._arrays.torch_arrays import TorchArrays, TorchOnCPU
from sksoftmax._compat import (
    array_namespace,
    is_array_api_obj,
    is_lazy_array,
    is_writeable_array,
)

_STRIDED = "torch.strided"  # the layout of a dense tensor
_KNOWN: dict = {}  # by array type or namespace, and device
GOLDEN_RATIO = (5**0.5 - 1) / 2


def namespace(array, name: str = "X"):
    """Return the functions for arrays of this type, on the device of `array`.

    `name` is the argument that errors name.
    """
    if isinstance(array, np.ndarray) or sp.issparse(array):
        return NUMPY
    # CuPy's devices cannot be hashed, and Dask's arrays have none.
    kind = type(array), str(getattr(array, "device", None))
    if kind not in _KNOWN:
        _KNOWN[kind] = _find(array, name)
    return _KNOWN[kind]


def _find(array, name: str):
    if array_namespace is None:
        raise TypeError(
            f"{name} must be a NumPy array if array_api_dispatch is on and "
            f"scikit-learn is older than 1.9, got {_name(array)}. Convert {name} to "
            "NumPy, or upgrade scikit-learn."
        )
    if is_lazy_array(array) or not is_writeable_array(array):
        raise TypeError(
            f"{name} must be an array in memory that can be written to, such as "
            f"NumPy's, PyTorch's and CuPy's, got {_name(array)}. Convert {name}."
        )
    xp = array_namespace(array)
    kind = StandardArrays
    if xp.__name__.endswith("torch"):
        kind = TorchOnCPU if array.device.type == "cpu" else TorchArrays
    key = xp.__name__, str(array.device)
    if key not in _KNOWN:
        _KNOWN[key] = kind(xp, array.device)
    return _KNOWN[key]


def input_namespace(array, name: str):
    """Return the functions for an argument of the caller; `name` is for errors.

    Lists, data frames and sparse matrices have the functions of NumPy. Arrays of other
    libraries do too, unless scikit-learn's `array_api_dispatch` is on.
    """
    if isinstance(array, np.ndarray | np.generic) or sp.issparse(array):
        return NUMPY
    is_array = is_array_api_obj(array)
    strided = not is_array or str(getattr(array, "layout", _STRIDED)) == _STRIDED
    if not strided or type(array).__module__.startswith("cupyx.scipy.sparse"):
        raise TypeError(
            f"{name} must be dense, or a SciPy CSR array if X is sparse, got a sparse "
            f"{_name(array)}. Convert {name}, for example with to_dense()."
        )
    if not (is_array and get_config()["array_api_dispatch"]):
        return NUMPY
    if "complex" in str(array.dtype):
        raise ValueError(
            f"Complex data not supported: {name} must be real, got {array.dtype}. "
            "Pass real numbers."
        )
    return namespace(array, name)


def input_to_numpy(array, name: str):
    """Return an array of any library in NumPy, and any other object unchanged."""
    if array is None or isinstance(array, np.ndarray | np.generic):
        return array
    xp = input_namespace(array, name)
    if xp is not NUMPY:
        return xp.to_numpy(array)
    if not is_array_api_obj(array):
        return array
    try:
        return np.asarray(array)
    except (TypeError, RuntimeError) as error:
        raise TypeError(
            f"{name} must be convertible to NumPy, got {_name(array)} on "
            f"{array.device} ({error}). To train and predict on the device of X, call "
            "sklearn.set_config(array_api_dispatch=True) first."
        ) from error


def _name(array) -> str:
    kind = type(array)
    return f"{kind.__module__}.{kind.__qualname__}"


def chunks(rows, size: int):
    """Yield chunks of `size` row numbers from an array or a slice with both ends."""
    if isinstance(rows, slice):
        for start in range(rows.start, rows.stop, size):
            yield slice(start, min(start + size, rows.stop))
    else:
        n_rows = rows.shape[0]
        for start in range(0, n_rows, size):
            yield rows[start : min(start + size, n_rows)]


def count_rows(rows) -> int:
    """Return the number of rows in an array of numbers or a slice with both ends."""
    return rows.stop - rows.start if isinstance(rows, slice) else rows.shape[0]


def evenly_spaced(rows, n_selected: int, shift: float = 0.0):
    """Return n_selected of the rows, evenly spaced, or all if there are fewer."""
    if n_selected >= len(rows):
        return rows
    return rows[evenly_spaced_indices(len(rows), n_selected, shift)]


def evenly_spaced_indices(n_rows: int, n_selected: int, shift: float = 0.0):
    """Return n_selected of n_rows row numbers, or all if there are fewer.

    One row of each of n_selected equal parts is taken. Its place in the part follows
    multiples of the golden ratio, as rows may come in a periodic order.
    """
    if n_selected >= n_rows:
        return np.arange(n_rows)
    numbers = np.arange(n_selected + 1)
    edges = (numbers * (n_rows / n_selected)).astype(np.intp)
    places = (numbers[:-1] * GOLDEN_RATIO + shift) % 1
    return edges[:-1] + (places * np.diff(edges)).astype(np.intp)


def add_tuples(total, terms):
    """Return the sum of two tuples, item by item; arrays of `total` are overwritten.

    Items may be None.
    """
    return tuple(
        b if a is None else a if b is None else iadd(a, b)
        for a, b in zip(total, terms, strict=True)
    )


def take(array, indices):
    """Return array[indices], with the faster function for an index array."""
    if isinstance(indices, slice):
        return array[indices, ...]
    return namespace(array).take(array, indices, axis=0)


def put_rows(array, indices, values) -> None:
    """Update in place: array[indices] = values for an index array, by whole rows.

    Both arrays are contiguous. Measured: a third of the time of the assignment.
    """
    row = np.dtype((np.void, array.strides[0]))
    array.view(row)[:, 0].put(indices, values.view(row))
