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

    def log_decay(self, step_size):
        """Return the log of what a gradient step on the penalty multiplies weights by.

        Shape (n_weights, 1); `step_size` is a number or of that shape.
        """
        largest = 1 - np.finfo(self.alpha.dtype).eps
        return np.log1p(-np.minimum(step_size * self.alpha, largest))

    def log_prox(self, step_size):
        """Return the same for a proximal step, which no length makes overshoot."""
        return -np.log1p(step_size * self.alpha)
