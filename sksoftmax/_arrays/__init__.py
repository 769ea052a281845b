"""Which functions go with an array. No other file asks for the library it is of.

Operators, slices and attributes are what NumPy shares with the Python array API
standard. So code for arrays of any kind names all axes in square brackets, reads
shape[0] instead of len(), and calls functions of

    xp = namespace(array)

They are NumPy's, but for a few that _arrays/numpy_arrays.py describes. Reductions name
their axis. `out` is where the result is written, and may be an argument.

Reading a number from a device, by float() or bool(), waits for all that was asked of
it before. Nothing does so for each batch.
"""

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
_KNOWN: dict = {}  # by type or name of the namespace, and device


def namespace(array):
    """Return the functions for arrays of this kind, on the device of this one."""
    if isinstance(array, np.ndarray) or sp.issparse(array):
        return NUMPY
    kind = type(array), str(array.device)  # CuPy's devices cannot be hashed
    if kind not in _KNOWN:
        _KNOWN[kind] = _find(array)
    return _KNOWN[kind]


def _find(array):
    if array_namespace is None:
        raise TypeError(
            f"X is a {_name(array)}, and scikit-learn's array_api_dispatch is on: for "
            "that scikit-learn 1.9 or newer is wanted. Convert X to NumPy, or upgrade."
        )
    if is_lazy_array(array) or not is_writeable_array(array):
        raise TypeError(
            f"X is a {_name(array)}, but arrays are wanted that hold their numbers and "
            "can be written to, such as NumPy's, PyTorch's and CuPy's. Convert X."
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
    """Return the functions for an array as a caller gives it; `name` is for errors.

    For lists, data frames and sparse matrices these are NumPy's, and for arrays of
    other libraries too, unless scikit-learn's `array_api_dispatch` is on.
    """
    if isinstance(array, np.ndarray | np.generic) or sp.issparse(array):
        return NUMPY
    is_array = is_array_api_obj(array)
    strided = not is_array or str(getattr(array, "layout", _STRIDED)) == _STRIDED
    if not strided or type(array).__module__.startswith("cupyx.scipy.sparse"):
        raise TypeError(
            f"{name} is a sparse {_name(array)}, but sparse X is wanted as a SciPy CSR "
            "array, and all else dense. Convert it, for example with to_dense()."
        )
    if not (is_array and get_config()["array_api_dispatch"]):
        return NUMPY
    if "complex" in str(array.dtype):
        raise ValueError(
            f"Complex data not supported: {name} is of {array.dtype}. Pass reals."
        )
    return namespace(array)


def input_to_numpy(array, name: str):
    """Return an array of any library in NumPy, and all else as it is."""
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
            f"{name}, of the type {_name(array)} on {array.device}, cannot be taken as "
            f"NumPy's: {error}. To train and predict where X is, call "
            "sklearn.set_config(array_api_dispatch=True) first."
        ) from error


def _name(array) -> str:
    kind = type(array)
    return f"{kind.__module__}.{kind.__qualname__}"


def chunks(rows, size: int):
    """Cut row numbers, an array or a slice with both ends, into parts of that size."""
    if isinstance(rows, slice):
        for start in range(rows.start, rows.stop, size):
            yield slice(start, min(start + size, rows.stop))
    else:
        n_rows = rows.shape[0]
        for start in range(0, n_rows, size):
            yield rows[start : min(start + size, n_rows)]


def count_rows(rows) -> int:
    """Return how many row numbers an array, or a slice with both ends, holds."""
    return rows.stop - rows.start if isinstance(rows, slice) else rows.shape[0]


def evenly_spaced(rows, n_selected: int, shift: float = 0.0):
    """Return so many of the rows, or all if they are fewer, evenly spaced."""
    if n_selected >= len(rows):
        return rows
    return rows[evenly_spaced_indices(len(rows), n_selected, shift)]


def evenly_spaced_indices(n_rows: int, n_selected: int, shift: float = 0.0):
    """Return the numbers of so many of n_rows rows, or of all if they are fewer."""
    if n_selected >= n_rows:
        return np.arange(n_rows)
    return ((np.arange(n_selected) + shift) * (n_rows / n_selected)).astype(np.intp)


def take(array, indices):
    """Return array[indices], for an index array the fast way."""
    if isinstance(indices, slice):
        return array[indices, ...]
    return namespace(array).take(array, indices, axis=0)


def put_rows(array, indices, values) -> None:
    """Do array[indices] = values for an index array, whole rows at a time.

    Both arrays are contiguous. Measured: in a third of the time of the assignment.
    """
    row = np.dtype((np.void, array.strides[0]))
    array.view(row)[:, 0].put(indices, values.view(row))
