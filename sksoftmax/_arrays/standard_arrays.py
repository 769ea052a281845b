"""The functions for arrays of other libraries than NumPy, each on one device.

The file _arrays/numpy_arrays.py describes the functions.
"""

import math

import numpy as np

from sksoftmax._arrays.numpy_arrays import NOT_DEFINITE, NUMPY, SHORT
from sksoftmax._compat import convert_to_numpy


class StandardArrays:
    """The functions of another namespace, on one device, by the standard alone.

    Functions of NumPyArrays that this class does not define come from the namespace.
    """

    def __init__(self, xp, device) -> None:
        self._xp, self._device = xp, device
        info = xp.__array_namespace_info__()
        floats = info.dtypes(device=device, kind="real floating")
        self.float32 = floats["float32"]
        self.float64 = floats.get("float64", self.float32)  # not on all devices
        integers = info.dtypes(device=device, kind=("bool", "integral"))
        self.accepted_dtypes = self.float64, self.float32, *integers.values()
        self.index_dtype = info.default_dtypes(device=device)["indexing"]
        # Chunks on a CPU have the size for NumPy. On other devices a launch takes
        # longer than a small product, so chunks are larger.
        self.wide_batches, self.thread_pools = not is_cpu(device), ()
        if self.wide_batches:
            self.chunk_size = self.matmul_chunk_size = 2**26
        else:
            self.chunk_size, self.matmul_chunk_size = (
                NUMPY.chunk_size,
                NUMPY.matmul_chunk_size,
            )

    def __getattr__(self, name):
        return getattr(self._xp, name)

    def __str__(self) -> str:
        return f"{self._xp.__name__.split('.')[-1]} on {self._device}"

    def asarray(self, array, dtype=None):
        """Return an array of NumPy or this namespace as an array on this device."""
        if isinstance(array, np.ndarray):
            if dtype is None and array.dtype == np.float64:
                dtype = self.float64
            if dtype is not None and array.dtype.kind == "f":
                array = array.astype(self.numpy_dtype(dtype), copy=False)
            array = np.ascontiguousarray(array)
            if not array.flags.writeable:
                array = array.copy()
        return self._xp.asarray(array, dtype=dtype, device=self._device)

    def indices(self, array):
        """Return NumPy indices as an array on this device, other indices unchanged."""
        if not isinstance(array, np.ndarray):
            return array
        return self._xp.asarray(array, dtype=self.index_dtype, device=self._device)

    def to_numpy(self, array):
        return convert_to_numpy(array, self._xp)

    def detach(self, X):
        return X

    def numpy_dtype(self, dtype) -> np.dtype:
        return np.dtype(f"f{self._xp.finfo(dtype).bits // 8}")

    # Other libraries have threads of their own.
    ordered_map = prefetch = staticmethod(map)
    block_work = math.inf

    def training_dtype(self, X):
        xp = self._xp
        if xp.isdtype(X.dtype, "bool"):
            return xp.float32
        is_float = xp.isdtype(X.dtype, "real floating")
        info = (xp.finfo if is_float else xp.iinfo)(X.dtype)
        if info.bits <= 8 * SHORT:
            return xp.float32
        return X.dtype if is_float else self.float64

    def empty(self, shape, dtype):
        return self._xp.empty(shape, dtype=dtype, device=self._device)

    def zeros(self, shape, dtype):
        return self._xp.zeros(shape, dtype=dtype, device=self._device)

    def ones(self, shape, dtype):
        return self._xp.ones(shape, dtype=dtype, device=self._device)

    def full(self, shape, value, dtype):
        return self._xp.full(shape, value, dtype=dtype, device=self._device)

    def copy(self, array):
        return self._xp.asarray(array, copy=True)

    def astype(self, array, dtype):
        return self._xp.astype(array, dtype, copy=False)

    def column_major(self, array):
        return array

    def row_major(self, array):
        return array

    def exp(self, array, out=None):
        return _write_out(out, self._xp.exp(array))

    def minimum(self, array, bound, out=None):
        return _write_out(out, self._xp.where(array > bound, bound, array))

    def maximum(self, array, bound):
        return self._xp.where(array < bound, bound, array)

    def clip(self, array, smallest, largest):
        return self.minimum(self.maximum(array, smallest), largest)

    def divide(self, a, b, out=None):
        return _write_out(out, a / b)

    def multiply(self, a, b, out=None):
        return _write_out(out, a * b)

    def subtract(self, a, b, out=None):
        return _write_out(out, a - b)

    def expit(self, array):
        return 1 / (1 + self._xp.exp(-array))

    def entr(self, array):
        safe = self._xp.where(array > 0, array, 1.0)
        return -safe * self._xp.log(safe)

    def flatnonzero(self, vector):
        return slice(0, vector.shape[0] if vector.any() else 0)

    def assign_rows(self, array, indices, values) -> None:
        if isinstance(indices, slice):
            array[indices, ...] = values
            return
        # The standard has no assignment to indices, so all rows are copied.
        n_rows, n_values = array.shape[0], values.shape[0]
        sources = n_values + np.arange(n_rows)
        sources[self.to_numpy(indices)] = np.arange(n_values)
        both = self._xp.concat([values, array], axis=0)
        array[...] = self._xp.take(both, self.indices(sources), axis=0)

    def not_equal(self, X, value):
        return self._xp.astype(value != X, X.dtype)

    def take_rows(self, X, rows, dtype, out):
        return self.astype(self._xp.take(X, rows, axis=0), dtype)

    def matmul_into_rows(self, left, right, n_rows: int):
        product = self.empty((n_rows, right.shape[1]), right.dtype)
        product[: left.shape[0], :] = left @ right
        return product

    def vdot(self, a, b):
        return self._xp.sum(a * b)

    def row_dots(self, a, b):
        return self._xp.sum(a * b, axis=1)

    def weighted_sum(self, values, weights):
        return self._xp.sum(values * weights, dtype=self.float64)

    def total(self, values):
        return self._xp.sum(values, dtype=self.float64)

    def polyak_step_size(self, step_size, slope, loss, dtype):
        xp = self._xp
        step_size = xp.where(slope * step_size > loss, loss / slope, step_size)
        return xp.astype(step_size, dtype)

    def take_label(self, array, labels):
        rows = self._xp.arange(array.shape[0], dtype=labels.dtype, device=self._device)
        return array[rows, labels]

    def add_to_label(self, array, labels, values) -> None:
        all_labels = self._xp.arange(
            array.shape[1], dtype=labels.dtype, device=self._device
        )
        mask = labels[:, None] == all_labels[None, :]
        array += self._xp.where(mask, values[:, None], 0.0)

    def log_softmax(self, array):
        xp = self._xp
        array = array - xp.max(array, axis=1, keepdims=True)
        return array - xp.log(xp.sum(xp.exp(array), axis=1, keepdims=True))

    def diagonal(self, matrix):
        return self._xp.linalg.diagonal(matrix)

    def trace(self, matrix) -> float:
        return float(self._xp.linalg.trace(matrix))

    def add_to_diagonal(self, matrix, values):
        n = matrix.shape[0]
        eye = self._xp.eye(n, dtype=matrix.dtype, device=self._device)
        return matrix + eye * values

    def inverse(self, matrix):
        inverse = self._xp.linalg.inv(matrix)
        if not bool(self._xp.all(self._xp.linalg.diagonal(inverse) > 0)):
            raise FloatingPointError(NOT_DEFINITE)
        return (inverse + inverse.T) / 2


def is_cpu(device) -> bool:
    """Return whether arrays on the device are in the memory of the computer."""
    return "cpu" in str(device).lower()


def _write_out(out, result):
    if out is None:
        return result
    out[...] = result
    return out
