"""The functions for NumPy's arrays, in the way that is quickest there.

Those of NumPy itself, and those that the others have to imitate: here is what each of
them is to do.
"""

import math

import numpy as np
from scipy.linalg.lapack import get_lapack_funcs
from scipy.special import entr, expit, log_softmax

from sksoftmax._threads import threads_for

SHORT = 2  # bytes; numbers of this size are exact in float32
NOT_DEFINITE = "the curvature matrix is not positive definite"
_INTEGERS = [np.dtype(code).type for code in "?bBhHiIlLqQ"]


class NumPyArrays:
    """The functions of NumPy and SciPy, in the way that is quickest there."""

    # Numbers: enough to keep NumPy busy, few enough to stay in a core's cache.
    chunk_size = 2**18
    matmul_chunk_size = 2**20  # the same for matrix products
    wide_batches = False  # whether a batch has to be large to be worth its overhead
    thread_pools = ()  # other than BLAS's, see threads_for

    # float64 is what other kinds of numbers are converted to.
    accepted_dtypes = (np.float64, np.float32, np.float16, *_INTEGERS)
    float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
    index_dtype = np.dtype(np.intp)

    def __reduce__(self):
        """Say that there is only one of them."""
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
        """Return X without what a library for derivatives remembers of it."""
        return X

    @staticmethod
    def numpy_dtype(dtype) -> np.dtype:
        """Return NumPy's name of a float dtype."""
        return np.dtype(dtype)

    @staticmethod
    def training_dtype(X):
        """Return the dtype to train in, exact for X: float32 or float64."""
        if X.dtype.kind == "f" and X.dtype.itemsize > SHORT:
            return X.dtype
        return np.dtype(np.float32 if X.dtype.itemsize <= SHORT else np.float64)

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
    def column_major(array):
        """Lay few columns out one after the other.

        Reductions over ten classes are then loops over whole columns instead of one
        short loop a row, five times faster; with many classes the copy would cost more.
        """
        return np.asfortranarray(array) if array.shape[1] < 64 else array

    @staticmethod
    def row_major(array):
        """Lay rows out one after the other."""
        return np.ascontiguousarray(array)

    @staticmethod
    def flatnonzero(vector):
        """Return what picks the entries of a NumPy vector that are not zero.

        It may pick others too where they are many, and none if all are zero.
        """
        return np.flatnonzero(vector)

    @staticmethod
    def not_equal(X, value):
        """Return 1 where X is not `value`, else 0, in the dtype of X."""
        return (value != X).astype(X.dtype)

    @staticmethod
    def take_rows(X, rows, dtype, out):
        """Return those rows of X; they may be put into `out`, which has that dtype."""
        if X.dtype == dtype and X.flags.c_contiguous:  # else take would copy X whole
            return np.take(X, rows, axis=0, out=out, mode="clip")
        out[...] = X[rows]
        return out

    @staticmethod
    def matmul_into_rows(left, right, n_rows: int):
        """Return left @ right with n_rows rows, those below it not filled."""
        product = np.empty((n_rows, right.shape[1]), right.dtype)
        np.matmul(left, right, out=product[: left.shape[0]])
        return product

    @staticmethod
    def vdot(a, b):
        """Return the sum of all products of entries."""
        return float(np.vdot(a, b))

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
    def polyak_step_size(step_size: float, slope, loss, dtype):
        """Return the step size, or loss / slope where it is the smaller one."""
        return float(loss / slope) if slope * step_size > loss else step_size

    @staticmethod
    def take_label(array, labels):
        """Return the value in one column of each row."""
        return array[np.arange(len(labels)), labels]

    @staticmethod
    def add_to_label(array, labels, values) -> None:
        """Add a value in one column of each row."""
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
            raise FloatingPointError(NOT_DEFINITE)
        inverse = triangle + triangle.T  # potrf has left zeros below
        inverse.flat[:: len(inverse) + 1] /= 2
        return inverse


NUMPY = NumPyArrays()
