"""The functions for NumPy's arrays, and the contract of the other namespaces.

The docstrings here describe each function for all namespaces.
"""

import numpy as np
from scipy.linalg.lapack import get_lapack_funcs
from scipy.special import entr, expit, log_softmax

from sksoftmax._threads import one_blas_thread, ordered_map, prefetch

SHORT = 2  # bytes; numbers of this size are exact in float32
_SINGLE = 4  # bytes of float32
NOT_DEFINITE = "the curvature matrix is not positive definite"
_INTEGERS = [np.dtype(code).type for code in "?bBhHiIlLqQ"]


class NumPyArrays:
    """The functions of NumPy and SciPy, each by the fastest method."""

    # Numbers in a chunk: large enough for NumPy, small enough for the cache of a core.
    chunk_size = 2**18
    matmul_chunk_size = 2**20  # numbers in a chunk for matrix products
    wide_batches = False  # whether only large batches are worth their overhead
    block_work = 3e7  # multiply-adds from which a product is split for threads
    thread_pools = ()  # libraries other than BLAS, see one_blas_thread

    # Numbers of other dtypes are converted to float64.
    accepted_dtypes = (np.float64, np.float32, np.float16, *_INTEGERS)
    float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
    index_dtype = np.dtype(np.intp)

    def __reduce__(self):
        """Return the name of the only instance, for pickles."""
        return "NUMPY"

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
    diagonal = staticmethod(np.diagonal)
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
    ordered_map = staticmethod(ordered_map)  # by threads
    prefetch = staticmethod(prefetch)  # by a thread
    reshape = staticmethod(np.reshape)
    sign = staticmethod(np.sign)
    sqrt = staticmethod(np.sqrt)
    subtract = staticmethod(np.subtract)
    sum = staticmethod(np.add.reduce)
    where = staticmethod(np.where)
    zeros = staticmethod(np.zeros)

    def __str__(self) -> str:
        return "NumPy"

    @staticmethod
    def to_numpy(array):
        """Return the array in NumPy."""
        return array

    @staticmethod
    def detach(X):
        """Return X without the graph that a library keeps for derivatives."""
        return X

    @staticmethod
    def numpy_dtype(dtype) -> np.dtype:
        """Return the NumPy dtype of a float dtype."""
        return np.dtype(dtype)

    @staticmethod
    def training_dtype(X):
        """Return the dtype to train in, exact for X: float32 or float64."""
        largest = _SINGLE if X.dtype.kind == "f" else SHORT
        return np.dtype(np.float32 if X.dtype.itemsize <= largest else np.float64)

    @staticmethod
    def copy(array):
        return array.copy()

    @staticmethod
    def take(array, indices, axis):
        """Return the rows, columns, ... of an array at `indices`, a copy."""
        if axis == 0 and not array.flags.c_contiguous:  # else take would copy the array
            return array[indices]
        return array.take(indices, axis)

    @staticmethod
    def astype(array, dtype):
        """Return the array in `dtype`, without a copy if it has this dtype."""
        return array.astype(dtype, copy=False)

    @staticmethod
    def column_major(array):
        """Return an array of few columns in column-major order.

        Reductions over ten classes are then loops over whole columns, five times faster
        than one short loop a row. The copy would cost more with many classes.
        """
        return np.asfortranarray(array) if array.shape[1] < 64 else array

    @staticmethod
    def row_major(array):
        """Return the array in row-major order."""
        return np.ascontiguousarray(array)

    @staticmethod
    def flatnonzero(vector):
        """Return an index of the nonzero entries of a NumPy vector.

        The index may contain zero entries, too, if there are many entries. The index is
        empty if all entries are zero.
        """
        return np.flatnonzero(vector)

    @staticmethod
    def assign_rows(array, indices, values) -> None:
        """Update in place: array[indices] = values, for a slice or distinct indices."""
        array[indices, ...] = values

    @staticmethod
    def not_equal(X, value):
        """Return 1 for entries of X that differ from `value`, else 0, in X's dtype."""
        return (value != X).astype(X.dtype)

    @staticmethod
    def take_rows(X, rows, dtype, out):
        """Return rows of X in `dtype`, perhaps in the memory of `out`."""
        if X.dtype == dtype and X.flags.c_contiguous:  # else take would copy all of X
            return np.take(X, rows, axis=0, out=out, mode="clip")
        out[...] = X[rows]
        return out

    @staticmethod
    def matmul_into_rows(left, right, n_rows: int):
        """Return left @ right, extended to n_rows rows that are not initialised."""
        product = np.empty((n_rows, right.shape[1]), right.dtype)
        np.matmul(left, right, out=product[: left.shape[0]])
        return product

    @staticmethod
    def vdot(a, b):
        """Return the sum of the products of all entries of a and b."""
        return float(np.vdot(a, b))

    @staticmethod
    def row_dots(a, b):
        """Return the inner product of each row of a and b, (n_rows,)."""
        return np.einsum("ij,ij->i", a, b)

    @staticmethod
    def weighted_sum(values, weights):
        """Return the weighted sum of the values, in float64."""
        return np.einsum("i,i->", values, weights, dtype=np.float64)

    @staticmethod
    def total(values):
        """Return the sum of all values, in float64."""
        return values.sum(dtype=np.float64)

    @staticmethod
    def polyak_step_size(step_size: float, slope, loss, dtype):
        """Return the smaller one of the step size and loss / slope."""
        return float(loss / slope) if slope * step_size > loss else step_size

    @staticmethod
    def take_label(array, labels):
        """Return the value of each row in the column of its label."""
        return array[np.arange(len(labels)), labels]

    @staticmethod
    def add_to_label(array, labels, values) -> None:
        """Update in place: add a value to each row, in the column of its label."""
        array[np.arange(len(labels)), labels] += values

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
        """Return the inverse of a symmetric positive definite matrix.

        Cholesky factors are four times faster than inv().
        """
        factor, invert = get_lapack_funcs(("potrf", "potri"), (matrix,))
        # SciPy and NumPy have separate BLAS libraries, whose threads would compete.
        # Measured with 51 and 785 features: 14 and 25 ms on two threads, 0.1 and 11 ms
        # on one.
        with one_blas_thread():
            triangle, info = factor(matrix.T, lower=False, overwrite_a=True)
            if info == 0:
                triangle, info = invert(triangle, lower=False, overwrite_c=True)
        if info != 0:
            raise FloatingPointError(NOT_DEFINITE)
        inverse = triangle + triangle.T  # the lower triangle of potrf is zero
        inverse.flat[:: len(inverse) + 1] /= 2
        return inverse


NUMPY = NumPyArrays()
