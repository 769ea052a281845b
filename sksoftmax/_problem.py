"""The objective to minimise: data, targets, weights, loss, penalty, scaling."""

from dataclasses import dataclass, replace
from typing import Any

from sksoftmax._arrays import chunks, take
from sksoftmax._moments import ColumnScaling
from sksoftmax._threads import one_blas_thread

MOST_BLOCKS = 4  # of a minibatch, so at most four threads gain


@dataclass(frozen=True)
class Problem:
    """The objective to minimise: the mean loss of weighted rows plus a penalty.

    All arrays have the namespace and the device of the data.
    """

    data: Any  # DenseData or SparseData
    y: Any  # y[rows] are the targets of these rows, in the form of the loss
    sample_weight: Any  # (n_samples,), of mean 1 in fit
    loss: Any
    penalty: Any
    scaling: ColumnScaling
    bounded_weight: Any = None  # weights for minibatches, smaller for outliers
    constraint: Any = None  # with a method `project`, or None
    # Numbers of the frequent columns of sparse X if some are collinear, or None.
    collinear: Any = None

    def bound_outliers(self) -> "Problem":
        """Return the problem in which outliers have their bounded weights."""
        return replace(self, sample_weight=self.bounded_weight)

    def constrain(self, weights) -> None:
        """Update in place: replace all weights by the nearest allowed ones."""
        if self.constraint is not None:
            self.constraint.project(weights)

    def zeros(self):
        """Return weights to start from, (n_weights, n_outputs)."""
        shape = self.data.n_weights, self.loss.n_outputs
        return self.data.xp.zeros(shape, self.data.dtype)

    def multiply_adds(self, batch_size: int) -> float:
        """Return the multiply-adds of a product of BLAS with a batch."""
        data, n_outputs = self.data, self.loss.n_outputs
        return data.blas_share * batch_size * data.n_features * n_outputs

    @property
    def floor(self) -> float:
        """An objective below which relative improvements do not count."""
        return 1e-3 * self.loss.loss_at_zero

    def loss_gradient(self, batch, weights, rows, n_rows: int, snapshot=None):
        """Return a batch's share of the mean loss of n_rows rows, and its gradient.

        The loss is a number on the device. The gradient at `snapshot`, other weights or
        None, is subtracted.
        """
        n_blocks = self.count_blocks(n_rows)
        if n_blocks > 1:
            return self._loss_gradient_in_blocks(
                batch, weights, rows, n_rows, snapshot, n_blocks
            )
        raw = batch.raw_prediction(weights)
        if snapshot is not None:
            snapshot = batch.raw_prediction(snapshot)
        return self.loss_gradient_from_raw(batch, raw, rows, n_rows, snapshot)

    def count_blocks(self, n_rows: int) -> int:
        """Return the number of blocks of a batch, which threads compute."""
        work = self.multiply_adds(n_rows) / self.data.xp.block_work
        return int(min(MOST_BLOCKS, max(1, work)))

    def _loss_gradient_in_blocks(
        self, batch, weights, rows, n_rows: int, snapshot, n_blocks: int
    ):
        """Return the result of `loss_gradient`, by blocks of rows and then of outputs.

        `weights`, `snapshot` and the gradient are (n_weights, n_outputs).
        """
        xp, n_outputs = self.data.xp, self.loss.n_outputs
        grad_raw = xp.empty((n_rows, n_outputs), weights.dtype)
        grad = xp.empty(weights.shape, weights.dtype)

        def compute_rows(part):
            block = batch.take_rows(part)
            raw = block.raw_prediction(weights)
            old_raw = None if snapshot is None else block.raw_prediction(snapshot)
            loss, grad_raw[part, :] = self._gradient_in_raw(
                raw, rows[part], n_rows, old_raw
            )
            return loss

        def compute_outputs(part):
            grad[:, part] = batch.gradient(grad_raw[:, part])

        row_parts, output_parts = (
            chunks(slice(0, size), -(-size // n_blocks)) for size in (n_rows, n_outputs)
        )
        loss = sum(xp.ordered_map(compute_rows, row_parts))
        list(xp.ordered_map(compute_outputs, output_parts))
        return loss, grad

    def loss_gradient_from_raw(self, batch, raw, rows, n_rows: int, snapshot=None):
        """Return the same loss and gradient from raw predictions; overwrites `raw`."""
        value, grad_raw = self._gradient_in_raw(raw, rows, n_rows, snapshot)
        return value, batch.gradient(grad_raw)

    def _gradient_in_raw(self, raw, rows, n_rows: int, snapshot):
        """Return the loss and its gradient in raw predictions, (n_rows, n_outputs)."""
        y, sample_weight = self.y[rows], take(self.sample_weight, rows) / n_rows
        value, grad_raw = self.loss.loss_gradient(raw, y, sample_weight)
        if snapshot is not None:
            grad_raw -= self.loss.loss_gradient(snapshot, y, sample_weight)[1]
        return value, grad_raw

    def hessian_product(self, batch, proba, direction, rows, n_rows: int):
        """Return a batch's share of the Hessian of the mean loss times a direction.

        `proba` are the probabilities at the weights, (n_rows, n_outputs).
        """
        grad_raw = self.data.xp.column_major(batch.raw_prediction(direction))
        grad_raw = self.loss.hessian_product(proba, grad_raw)
        grad_raw *= (take(self.sample_weight, rows) / n_rows)[:, None]
        return batch.gradient(grad_raw)

    def mean_loss(self, rows, weights) -> float:
        """Return the weighted mean loss of `rows`, an index array."""
        xp = self.data.xp

        def share(part):
            raw = self.data.batch(part, compact=False).raw_prediction(weights)
            return self.loss.loss(raw, self.y[part], self.sample_weight[part])

        multiply_adds = self.multiply_adds(min(4096, rows.shape[0]))
        with one_blas_thread(multiply_adds, xp.thread_pools):
            total = sum(xp.ordered_map(share, chunks(rows, 4096)))
        return float(total / xp.total(self.sample_weight[rows]))

    def objective(self, rows, weights) -> float:
        """Return the mean loss of `rows` plus the penalty."""
        return self.mean_loss(rows, weights) + float(self.penalty.value(weights))
