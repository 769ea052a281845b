"""What is added to the loss to keep the weights small."""

import numpy as np

from sksoftmax._batches import pick


class L2:
    """alpha / 2 * ||coef||_2^2 on weights of shape (n_weights, n_columns).

    `alpha` has the shape (n_weights, 1): the row of the intercept has none.
    """

    def __init__(self, alpha: float, n_features: int, fit_intercept: bool, dtype):
        self.alpha = np.full((n_features + fit_intercept, 1), alpha, dtype)
        self.alpha[n_features:] = 0

    def value(self, weights, rows=slice(None)):
        """Return the penalty of those rows of the weights."""
        return 0.5 * float(np.vdot(weights, self.gradient(weights, rows)))

    def gradient(self, weights, rows=slice(None)):
        """Return the gradient at those rows of the weights."""
        return pick(self.alpha, rows) * weights

    def shrink(self, weights, step_size, rows=slice(None), times=1):
        """Apply, in place and `times` over, a step against the penalty alone.

        `step_size` and `times` are numbers or of shape (n_rows, 1).
        """
        weights *= np.maximum(1 - step_size * pick(self.alpha, rows), 0) ** times
