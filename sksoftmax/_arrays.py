"""What is done differently with NumPy's arrays and with others. No other file asks.

All else is common to them: operators, slices and methods that NumPy shares with the
Python array API standard. So code that takes arrays of any kind names all axes in
square brackets, reads shape[0] instead of len(), and calls what it needs from

    xp = namespace(array)

whose functions are NumPy's, but for the few that are described here. Reductions name
their axis. `out` is where the result is written, and may be an argument.

Reading a number from a device, by float() or bool(), waits for all that was asked of
it before. Nothing does so for each batch.
"""

import math

import numpy as np
import scipy.sparse as sp
from scipy.linalg.blas import daxpy, saxpy
from scipy.linalg.lapack import get_lapack_funcs
from scipy.special import entr, expit, log_softmax
from sklearn import get_config

from sksoftmax._compat import (
    array_namespace,
    convert_to_numpy,
    is_array_api_obj,
    is_lazy_array,
    is_writeable_array,
)
from sksoftmax._threads import threads_for

_INTEGERS = [np.dtype(code).type for code in "?bBhHiIlLqQ"]
_SHORT = 2  # bytes; numbers of this size are exact in float32
_NOT_DEFINITE = "the curvature matrix is not positive definite"


class NumPyArrays:
    """The functions of NumPy and SciPy, in the way that is quickest there."""

    # Numbers: enough to keep NumPy busy, few enough to stay in a core's cache.
    chunk_size = 2**18
    part_size = 2**20  # the same for matrix products
    wide_batches = False  # whether a batch has to be large to be worth its overhead
    thread_pools = ()  # other than BLAS's, see threads_for

    # float64 is what other kinds of numbers are converted to.
    accepted_dtypes = (np.float64, np.float32, np.float16, *_INTEGERS)
    float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
    index_dtype = np.dtype(np.intp)

    abs = staticmethod(np.abs)
    all = staticmethod(np.all)
    any = staticmethod(np.any)
    argmax = staticmethod(np.argmax)
    asarray = staticmethod(np.asarray)
    indices = staticmethod(np.asarray)
    ceil = staticmethod(np.ceil)
    clip = staticmethod(np.clip)
    concat = staticmethod(np.concatenate)
    count_nonzero = staticmethod(np.count_nonzero)
    divide = staticmethod(np.divide)
    empty = staticmethod(np.empty)
    entr = staticmethod(entr)  # -x log(x)
    exp = staticmethod(np.exp)
    expit = staticmethod(expit)  # 1 / (1 + exp(-x))
    expm1 = staticmethod(np.expm1)
    finfo = staticmethod(np.finfo)
    full = staticmethod(np.full)
    isfinite = staticmethod(np.isfinite)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    matmul = staticmethod(np.matmul)
    max = staticmethod(np.maximum.reduce)
    maximum = staticmethod(np.maximum)
    min = staticmethod(np.minimum.reduce)
    minimum = staticmethod(np.minimum)
    multiply = staticmethod(np.multiply)
    ones = staticmethod(np.ones)
    sign = staticmethod(np.sign)
    sqrt = staticmethod(np.sqrt)
    subtract = staticmethod(np.subtract)
    sum = staticmethod(np.add.reduce)
    vdot = staticmethod(np.vdot)  # the sum of all products of entries
    where = staticmethod(np.where)
    zeros = staticmethod(np.zeros)

    def __str__(self) -> str:
        return "NumPy"

    @staticmethod
    def to_numpy(array):
        """Return the array in NumPy."""
        return array

    @staticmethod
    def without_history(X):
        """Return X without what a library for derivatives remembers of it."""
        return X

    @staticmethod
    def numpy_dtype(dtype) -> np.dtype:
        """Return NumPy's name of a float dtype."""
        return np.dtype(dtype)

    @staticmethod
    def training_dtype(X):
        """Return the dtype to train in, exact for X: float32 or float64."""
        if X.dtype.kind == "f" and X.dtype.itemsize > _SHORT:
            return X.dtype
        return np.dtype(np.float32 if X.dtype.itemsize <= _SHORT else np.float64)

    @staticmethod
    def copy(array):
        return array.copy()

    @staticmethod
    def take(array, indices, axis):
        return array.take(indices, axis)

    @staticmethod
    def astype(array, dtype):
        """Convert the array, which is not copied if it has that dtype."""
        return array.astype(dtype, copy=False)

    @staticmethod
    def by_column(array):
        """Lay few columns out one after the other.

        Reductions over ten classes are then loops over whole columns instead of one
        short loop a row, five times faster; with many classes the copy would cost more.
        """
        return np.asfortranarray(array) if array.shape[1] < 64 else array

    @staticmethod
    def by_row(array):
        """Lay rows out one after the other."""
        return np.ascontiguousarray(array)

    @staticmethod
    def places(vector):
        """Return what picks the entries of a NumPy vector that are not zero.

        It may pick others too where they are many, and none if all are zero.
        """
        return np.flatnonzero(vector)

    @staticmethod
    def differs(X, common):
        """Return 1 where X is not `common`, else 0, in the dtype of X."""
        return (common != X).astype(X.dtype)

    @staticmethod
    def take_rows(X, rows, dtype, out):
        """Return those rows of X; they may be put into `out`, which has that dtype."""
        if X.dtype == dtype and X.flags.c_contiguous:  # else take would copy X whole
            return np.take(X, rows, axis=0, out=out, mode="clip")
        out[...] = X[rows]
        return out

    @staticmethod
    def product_with_room(left, right, n_rows: int):
        """Return left @ right with n_rows rows, those below it not filled."""
        product = np.empty((n_rows, right.shape[1]), right.dtype)
        np.matmul(left, right, out=product[: left.shape[0]])
        return product

    @staticmethod
    def row_dots(a, b):
        """Return the product of each row with the other's, shape (n_rows,)."""
        return np.einsum("ij,ij->i", a, b)

    @staticmethod
    def weighted_sum(values, weights):
        """Add up products in float64, whatever the dtype."""
        return np.einsum("i,i->", values, weights, dtype=np.float64)

    @staticmethod
    def total(values):
        """Add up all values in float64, whatever their dtype."""
        return values.sum(dtype=np.float64)

    @staticmethod
    def capped(step_size: float, slope, loss, dtype):
        """Return the step size, or loss / slope where it is the smaller one."""
        slope = float(slope)
        return float(loss / slope) if slope * step_size > loss else step_size

    @staticmethod
    def at(array, columns):
        """Return the value in one column of each row."""
        return array[np.arange(len(columns)), columns]

    @staticmethod
    def add_at(array, columns, values) -> None:
        """Add a value in one column of each row."""
        array[np.arange(len(columns)), columns] += values

    @staticmethod
    def add_scaled(array, other, factor) -> None:
        """Add factor * other to the array; both are laid out by row."""
        axpy = saxpy if array.itemsize == 4 else daxpy
        axpy(other.ravel(), array.ravel(), a=factor)

    @staticmethod
    def restricted(places):
        """Return how to restrict arrays to some entries, and how to undo that.

        `places` are their truth values. Undoing puts zeros elsewhere.
        """
        indices = np.flatnonzero(places)

        def undo(values):
            everywhere = np.zeros(places.shape, values.dtype)
            everywhere.put(indices, values)
            return everywhere

        return (lambda array: array.take(indices)), undo

    @staticmethod
    def log_softmax(array):
        return log_softmax(array, axis=1)

    @staticmethod
    def trace(matrix) -> float:
        return float(np.trace(matrix))

    @staticmethod
    def add_to_diagonal(matrix, values):
        """Return the matrix with a vector added to its diagonal."""
        matrix = matrix.copy()
        matrix.flat[:: len(matrix) + 1] += values
        return matrix

    @staticmethod
    def inverse(matrix):
        """Invert a symmetric positive definite matrix, four times faster than inv()."""
        factor, invert = get_lapack_funcs(("potrf", "potri"), (matrix,))
        # SciPy's BLAS is another one than NumPy's: their threads would be in each
        # other's way. Measured, 51 and 785 features: 14 and 25 ms with two threads, 0.1
        # and 11 ms with one.
        with threads_for(0, math.inf):
            triangle, info = factor(matrix.T, lower=False, overwrite_a=True)
            if info == 0:
                triangle, info = invert(triangle, lower=False, overwrite_c=True)
        if info != 0:
            raise FloatingPointError(_NOT_DEFINITE)
        inverse = triangle + triangle.T  # potrf has left zeros below
        inverse.flat[:: len(inverse) + 1] /= 2
        return inverse


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
        self.wide_batches, self.thread_pools = not _is_cpu(device), ()
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
        if info.bits <= 8 * _SHORT:
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

    def add_scaled(self, array, other, factor) -> None:
        array += self._xp.astype(factor, array.dtype) * other

    def restricted(self, places):
        def zero_elsewhere(array):
            return self._xp.where(places, array, 0.0)

        return zero_elsewhere, zero_elsewhere

    def log_softmax(self, array):
        xp = self._xp
        array = array - xp.max(array, axis=1, keepdims=True)
        return array - xp.log(xp.sum(xp.exp(array), axis=1, keepdims=True))

    def trace(self, matrix) -> float:
        return float(self._xp.linalg.trace(matrix))

    def add_to_diagonal(self, matrix, values):
        n = matrix.shape[0]
        eye = self._xp.eye(n, dtype=matrix.dtype, device=self._device)
        return matrix + eye * values

    def inverse(self, matrix):
        inverse = self._xp.linalg.inv(matrix)
        if not bool(self._xp.all(self._xp.linalg.diagonal(inverse) > 0)):
            raise FloatingPointError(_NOT_DEFINITE)
        return (inverse + inverse.T) / 2


class TorchArrays(StandardArrays):
    """The same for PyTorch, where it is quicker in another way.

    On a CPU NumPy multiplies the same memory, one library for all threads, and picks
    rows of it. Measured: with ten columns PyTorch's own products take three times as
    long, and on several threads a hundred times as long where another program keeps a
    core busy.
    """

    def __init__(self, xp, device) -> None:
        super().__init__(xp, device)
        import torch

        self._torch = torch
        self.accepted_dtypes += torch.float16, torch.bfloat16
        if device.type == "cpu":
            self.thread_pools = (torch,)
            self.matmul = self._matmul_by_numpy
            self.product_with_room = self._product_by_numpy
            self.take_rows = self._take_rows_by_numpy

    def to_numpy(self, array):
        return array.detach().cpu().numpy()

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

    def _take_rows_by_numpy(self, X, rows, dtype, out):
        if X.dtype == dtype:
            NUMPY.take_rows(X.numpy(), rows.numpy(), out.numpy().dtype, out.numpy())
            return out
        return self.take(X, rows, axis=0).to(dtype)

    def _matmul_by_numpy(self, left, right):
        return self._torch.from_numpy(left.numpy() @ right.numpy())

    def _product_by_numpy(self, left, right, n_rows: int):
        product = NUMPY.product_with_room(left.numpy(), right.numpy(), n_rows)
        return self._torch.from_numpy(product)

    def at(self, array, columns):
        return array.gather(1, columns[:, None])[:, 0]

    def add_at(self, array, columns, values) -> None:
        array.scatter_add_(1, columns[:, None], values[:, None])

    def inverse(self, matrix):
        factor, info = self._torch.linalg.cholesky_ex(matrix)
        if int(info):
            raise FloatingPointError(_NOT_DEFINITE)
        return self._torch.cholesky_inverse(factor)


NUMPY = NumPyArrays()
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
    kind = TorchArrays if xp.__name__.endswith("torch") else StandardArrays
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


def _is_cpu(device) -> bool:
    return "cpu" in str(device).lower()


def _name(array) -> str:
    kind = type(array)
    return f"{kind.__module__}.{kind.__qualname__}"


def _into(out, result):
    if out is None:
        return result
    out[...] = result
    return out
