"""All rows as one batch: the sums over them that a full step needs."""

from sksoftmax._batches import parts, spread
from sksoftmax._solver import Problem
from sksoftmax._threads import threads_for

# Multiply-adds from which a product gets all BLAS threads. Measured: at 8 million two
# threads take 0.6 of the time of one; here little else happens between products.
LARGE_PRODUCT = 4e6


class AllRows:
    """The rows of a problem, read a part at a time.

    Nothing of the size (n_rows, n_columns) is held, unless all rows are one part.
    """

    def __init__(self, problem: Problem, rows, metric, n_rows: int = 0) -> None:
        """Take row numbers, in NumPy, and the metric in which steps are taken.

        With `n_rows` these are a share of so many: of the mean loss over all of them
        theirs is returned, and the gradient in all columns.
        """
        self.problem, self.metric, data = problem, metric, problem.data
        self._n_rows = n_rows or len(rows)
        self._sample = data.index(spread(rows, metric.rows_wanted(data.n_weights)))
        self._part_rows = min(len(rows), data.part_rows(problem.loss.n_columns))
        self._batch = None
        if len(rows) <= self._part_rows:
            compact = metric.lazy and not n_rows
            self._batch = data.full_batch(data.index(rows), compact)
        self.columns = slice(None) if self._batch is None else self._batch.columns
        is_all = len(rows) == data.n_samples
        self._rows = slice(0, len(rows)) if is_all else data.index(rows)

    def loss_gradient(self, weights):
        """Return the loss and its gradient at these weights, those of `columns`."""
        problem, total, grad = self.problem, 0.0, None
        for rows in parts(self._rows, self._part_rows):
            batch = self._batch or problem.data.batch(rows, compact=False)
            loss, part = problem.loss_gradient(batch, weights, rows, self._n_rows)
            total += loss
            if grad is None:
                grad = part
            else:
                grad += part
        return total, grad

    def curvature(self, metric, weights):
        """Return that of the loss in the metric, measured on a sample of the rows."""
        return metric.measure(self.problem, self._sample, weights)

    def threads(self):
        """Return the context in which all this is done."""
        multiply_adds = self.problem.multiply_adds(self._part_rows)
        pools = self.problem.data.xp.thread_pools
        return threads_for(multiply_adds, LARGE_PRODUCT, pools)
