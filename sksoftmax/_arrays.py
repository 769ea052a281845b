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

_KNOWN: dict = {}  # by type or name of the namespace, and device


def namespace(array):
    """Return the functions for arrays of this kind, on the device of this one."""
    if isinstance(array, np.ndarray) or sp.issparse(array):
        return NUMPY
    kind = type(array), array.device
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
    here = xp.__name__, array.device
    return _KNOWN.setdefault(here, _KNOWN.get(here) or kind(xp, array.device))


def namespace_given(X):
    """Return the functions for an X as a caller gives it.

    For lists, data frames and sparse matrices these are NumPy's, and for arrays of
    other libraries too, unless scikit-learn's `array_api_dispatch` is on.
    """
    if isinstance(X, np.ndarray) or sp.issparse(X):
        return NUMPY
    strided = str(getattr(X, "layout", "torch.strided")) == "torch.strided"
    if not strided or type(X).__module__.startswith("cupyx.scipy.sparse"):
        raise TypeError(
            f"X is a sparse {_name(X)}, but sparse X is wanted as a SciPy CSR array, "
            "and on other devices X is wanted dense. Convert it to one of these, for "
            "example with X.to_dense()."
        )
    if get_config()["array_api_dispatch"] and is_array_api_obj(X):
        return namespace(X)
    return NUMPY


def given_to_numpy(array):
    """Return labels, weights or whatever is no array of another library in NumPy."""
    xp = NUMPY if array is None else namespace_given(array)
    return array if xp is NUMPY else xp.to_numpy(array)


def _name(array) -> str:
    kind = type(array)
    return f"{kind.__module__}.{kind.__qualname__}"
