"""The rows of an epoch of minibatches, and their order."""

import numpy as np


class BatchSampler:
    """Rows to draw epochs from, and the edges of the batches in an epoch."""

    def __init__(self, rows, edges, rng, shuffle: bool) -> None:
        """Initialise to cut epochs of `rows`, an index array in NumPy, at `edges`.

        An epoch has edges[-1] rows. The rows get a new order by `shuffle` whenever too
        few rows are left for an epoch.
        """
        self.rows, self.edges, self.rng = rows, edges, rng
        self._shuffle, self._remaining = shuffle, rows[:0]

    @property
    def largest(self) -> int:
        """The number of rows in the largest batch."""
        return int(np.diff(self.edges).max())

    def draw(self):
        """Return the rows of the next epoch, in their order."""
        n_rows = self.edges[-1]
        if len(self._remaining) < n_rows:
            rng, rows = self.rng, self.rows
            self._remaining = rng.permutation(rows) if self._shuffle else rows
        epoch, self._remaining = self._remaining[:n_rows], self._remaining[n_rows:]
        return epoch


def batch_edges(n_rows: int, batch_size: int, even: bool):
    """Return the edges that cut n_rows rows into batches of at most batch_size.

    `even` spreads the remainder over all batches. Otherwise the last batch is short.
    """
    n_batches = -(-n_rows // batch_size)
    if even:
        return np.arange(n_batches + 1) * n_rows // n_batches
    return np.minimum(np.arange(n_batches + 1) * batch_size, n_rows)
