"""Which functions go with an array. No other file asks for the library it is of.

Operators, slices and attributes are what NumPy shares with the Python array API
standard. So code for arrays of any kind names all axes in square brackets, reads
shape[0] instead of len(), and calls functions of

    xp = namespace(array)

They are NumPy's, but for a few that _numpy_arrays.py describes. Reductions name their
axis. `out` is where the result is written, and may be an argument.

Reading a number from a device, by float() or bool(), waits for all that was asked of
it before. Nothing does so for each batch.
"""

import numpy as np
import scipy.sparse as sp
from sklearn import get_config

from sksoftmax._compat import (
    array_namespace,
    is_array_api_obj,
    is_lazy_array,
    is_writeable_array,
)
from sksoftmax._numpy_arrays import NUMPY
from sksoftmax._other_arrays import StandardArrays, TorchArrays, TorchOnCPU

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
    here = xp.__name__, str(array.device)
    if here not in _KNOWN:
        _KNOWN[here] = kind(xp, array.device)
    return _KNOWN[here]


def namespace_given(array, name: str):
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


def given_to_numpy(array, name: str):
    """Return an array of any library in NumPy, and all else as it is."""
    if array is None or isinstance(array, np.ndarray | np.generic):
        return array
    xp = namespace_given(array, name)
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
