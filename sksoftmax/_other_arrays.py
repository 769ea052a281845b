"""The functions for arrays of other libraries than NumPy, each on one device.

What they do is described in _numpy_arrays.py.
"""

import numpy as np

from sksoftmax._compat import convert_to_numpy
from sksoftmax._numpy_arrays import NOT_DEFINITE, NUMPY, SHORT


class StandardArrays:
    """The functions of another namespace, on one device, by the standard alone.

    Those that NumPyArrays describes and this class does not are the namespace's own.
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
        # On a CPU the same as NumPy; elsewhere what counts is that launching a small
        # product takes longer than the product.
        self.wide_batches, self.thread_pools = not is_cpu(device), ()
        if self.wide_batches:
            self.chunk_size = self.part_size = 2**26
        else:
            self.chunk_size, self.part_size = NUMPY.chunk_size, NUMPY.part_size

    def __getattr__(self, name):
        return getattr(self._xp, name)

    def __str__(self) -> str:
        return f"{self._xp.__name__.split('.')[-1]} on {self._device}"

    def asarray(self, array, dtype=None):
        """Return the array, which may be NumPy's, in this namespace, on its device."""
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
        """Return a NumPy array of indices here, others as they are."""
        if not isinstance(array, np.ndarray):
            return array
        return self._xp.asarray(array, dtype=self.index_dtype, device=self._device)

    def to_numpy(self, array):
        return convert_to_numpy(array, self._xp)

    def without_history(self, X):
        return X

    def numpy_dtype(self, dtype) -> np.dtype:
        return np.dtype(f"f{self._xp.finfo(dtype).bits // 8}")

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

    def by_column(self, array):
        return array

    def by_row(self, array):
        return array

    def exp(self, array, out=None):
        return _into(out, self._xp.exp(array))

    def minimum(self, array, bound, out=None):
        return _into(out, self._xp.where(array > bound, bound, array))

    def maximum(self, array, bound):
        return self._xp.where(array < bound, bound, array)

    def clip(self, array, smallest, largest):
        return self.minimum(self.maximum(array, smallest), largest)

    def divide(self, a, b, out=None):
        return _into(out, a / b)

    def multiply(self, a, b, out=None):
        return _into(out, a * b)

    def subtract(self, a, b, out=None):
        return _into(out, a - b)

    def expit(self, array):
        return 1 / (1 + self._xp.exp(-array))

    def entr(self, array):
        safe = self._xp.where(array > 0, array, 1.0)
        return -safe * self._xp.log(safe)

    def places(self, vector):
        return slice(0, vector.shape[0] if vector.any() else 0)

    def differs(self, X, common):
        return self._xp.astype(common != X, X.dtype)

    def take_rows(self, X, rows, dtype, out):
        return self.astype(self._xp.take(X, rows, axis=0), dtype)

    def product_with_room(self, left, right, n_rows: int):
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

    def capped(self, step_size, slope, loss, dtype):
        xp = self._xp
        step_size = xp.where(slope * step_size > loss, loss / slope, step_size)
        return xp.astype(step_size, dtype)

    def at(self, array, columns):
        rows = self._xp.arange(array.shape[0], dtype=columns.dtype, device=self._device)
        return array[rows, columns]

    def add_at(self, array, columns, values) -> None:
        all_columns = self._xp.arange(
            array.shape[1], dtype=columns.dtype, device=self._device
        )
        here = columns[:, None] == all_columns[None, :]
        array += self._xp.where(here, values[:, None], 0.0)

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


class TorchArrays(StandardArrays):
    """The same for PyTorch, where it is quicker in another way."""

    def __init__(self, xp, device) -> None:
        super().__init__(xp, device)
        import torch

        self._torch = torch
        self.accepted_dtypes += torch.float16, torch.bfloat16

    def to_numpy(self, array):
        array = array.detach().cpu().resolve_neg()
        if array.dtype == self._torch.bfloat16:  # which NumPy does not have
            array = array.float()
        return array.numpy()

    def without_history(self, X):
        return X.detach()

    def copy(self, array):
        return array.clone()

    def by_column(self, array):
        return array.T.contiguous().T if array.shape[1] < 64 else array

    def by_row(self, array):
        return array.contiguous()

    def exp(self, array, out=None):
        return self._torch.exp(array, out=out)

    def divide(self, a, b, out=None):
        return self._torch.div(a, b, out=out)

    def multiply(self, a, b, out=None):
        return self._torch.mul(a, b, out=out)

    def subtract(self, a, b, out=None):
        return self._torch.sub(a, b, out=out)

    def differs(self, X, common):
        return (X - common).sign_().square_()  # truth values take four times as long

    def expit(self, array):
        return self._torch.special.expit(array)

    def entr(self, array):
        return self._torch.special.entr(array)

    def log_softmax(self, array):
        return self._torch.log_softmax(array, dim=1)

    def at(self, array, columns):
        return array.gather(1, columns[:, None])[:, 0]

    def add_at(self, array, columns, values) -> None:
        array.scatter_add_(1, columns[:, None], values[:, None])

    def inverse(self, matrix):
        factor, info = self._torch.linalg.cholesky_ex(matrix)
        if int(info):
            raise FloatingPointError(NOT_DEFINITE)
        return self._torch.cholesky_inverse(factor)


class TorchOnCPU(TorchArrays):
    """PyTorch on a CPU: NumPy does what takes longest, on the same memory.

    One library has all threads. Measured: PyTorch's own products with ten columns take
    three times as long, its exp ten times; and on several threads everything a hundred
    times as long where another program keeps a core busy.
    """

    def __init__(self, xp, device) -> None:
        super().__init__(xp, device)
        self.thread_pools = (self._torch,)

    def take_rows(self, X, rows, dtype, out):
        if X.dtype == dtype:
            NUMPY.take_rows(X.numpy(), rows.numpy(), out.numpy().dtype, out.numpy())
            return out
        return self._torch.index_select(X, 0, rows).to(dtype)

    def exp(self, array, out=None):
        if out is None:
            return self._torch.from_numpy(np.exp(array.numpy()))
        np.exp(array.numpy(), out=out.numpy())
        return out

    def log(self, array):
        return self._torch.from_numpy(np.log(array.numpy()))

    def sum(self, array, axis):
        total = np.add.reduce(array.numpy(), axis=axis)
        return self._torch.from_numpy(np.asarray(total))

    def max(self, array, axis):
        largest = np.maximum.reduce(array.numpy(), axis=axis)
        return self._torch.from_numpy(np.asarray(largest))

    def by_column(self, array):
        return self._torch.from_numpy(NUMPY.by_column(array.numpy()))

    def take(self, array, indices, axis):
        return self._torch.from_numpy(array.numpy().take(indices.numpy(), axis))

    def matmul(self, left, right):
        return self._torch.from_numpy(left.numpy() @ right.numpy())

    def inverse(self, matrix):
        return self._torch.from_numpy(NUMPY.inverse(matrix.numpy()))

    def product_with_room(self, left, right, n_rows: int):
        product = NUMPY.product_with_room(left.numpy(), right.numpy(), n_rows)
        return self._torch.from_numpy(product)


def is_cpu(device) -> bool:
    """Return whether arrays there are in the memory of the computer."""
    return "cpu" in str(device).lower()


def _into(out, result):
    if out is None:
        return result
    out[...] = result
    return out
