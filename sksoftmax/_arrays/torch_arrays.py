"""The functions for PyTorch's tensors, on CPUs and GPUs."""

import numpy as np

from sksoftmax._arrays.numpy_arrays import NOT_DEFINITE, NUMPY
from sksoftmax._arrays.standard_arrays import StandardArrays


class TorchArrays(StandardArrays):
    """The functions of StandardArrays, with PyTorch's own where these are faster."""

    def __init__(self, xp, device) -> None:
        super().__init__(xp, device)
        import torch

        self._torch = torch
        self.accepted_dtypes += torch.float16, torch.bfloat16

    def assign_rows(self, array, indices, values) -> None:
        array[indices, ...] = values

    def to_numpy(self, array):
        array = array.detach().cpu().resolve_neg()
        if array.dtype == self._torch.bfloat16:  # NumPy has no bfloat16
            array = array.float()
        return array.numpy()

    def detach(self, X):
        return X.detach()

    def copy(self, array):
        return array.clone()

    def column_major(self, array):
        return array.T.contiguous().T if array.shape[1] < 64 else array

    def row_major(self, array):
        return array.contiguous()

    def exp(self, array, out=None):
        return self._torch.exp(array, out=out)

    def divide(self, a, b, out=None):
        return self._torch.div(a, b, out=out)

    def multiply(self, a, b, out=None):
        return self._torch.mul(a, b, out=out)

    def subtract(self, a, b, out=None):
        return self._torch.sub(a, b, out=out)

    def not_equal(self, X, value):
        return (X - value).sign_().square_()  # booleans take four times as long

    def expit(self, array):
        return self._torch.special.expit(array)

    def entr(self, array):
        return self._torch.special.entr(array)

    def log_softmax(self, array):
        return self._torch.log_softmax(array, dim=1)

    def take_label(self, array, labels):
        return array.gather(1, labels[:, None])[:, 0]

    def add_to_label(self, array, labels, values) -> None:
        array.scatter_add_(1, labels[:, None], values[:, None])

    def inverse(self, matrix):
        factor, info = self._torch.linalg.cholesky_ex(matrix)
        if int(info):
            raise FloatingPointError(NOT_DEFINITE)
        return self._torch.cholesky_inverse(factor)


class TorchOnCPU(TorchArrays):
    """PyTorch on a CPU: NumPy does the slowest functions, on the same memory.

    Only one library has threads. Measured: PyTorch's own products with ten columns take
    three times as long, and its exp takes ten times as long. If another program keeps a
    core busy, all functions on several threads take a hundred times as long.
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

    def column_major(self, array):
        return self._torch.from_numpy(NUMPY.column_major(array.numpy()))

    def take(self, array, indices, axis):
        if array.dtype == self._torch.bfloat16:  # NumPy has no bfloat16
            return self._torch.index_select(array, axis, indices)
        return self._torch.from_numpy(NUMPY.take(array.numpy(), indices.numpy(), axis))

    def matmul(self, left, right):
        return self._torch.from_numpy(left.numpy() @ right.numpy())

    def inverse(self, matrix):
        return self._torch.from_numpy(NUMPY.inverse(matrix.numpy()))

    def matmul_into_rows(self, left, right, n_rows: int):
        product = NUMPY.matmul_into_rows(left.numpy(), right.numpy(), n_rows)
        return self._torch.from_numpy(product)
