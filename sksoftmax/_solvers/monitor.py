"""The objective of all rows, measured on some of them."""

from dataclasses import replace

import numpy as np

from sksoftmax._arrays import GOLDEN_RATIO, chunks, evenly_spaced, take
from sksoftmax._problem import Problem
from sksoftmax._targets import class_totals, unsmoothed, weights_by_class

MONITORED_ROWS = 2048
# Rows at equal distances serve if the relative standard error of their mean loss is at
# most this much, for losses that vary by class as those of the constant model do, and
# within a class by the mean loss. Two classes of equal weights reach it at a share of
# 2 %. With a share of .1 %, two of 2048 rows had half of the loss, and minibatches
# seemed to have come to a plateau at 2 to 13 times the optimum.
LARGEST_ERROR = 0.1
# Of the monitored rows. All rows have the mean one in `fit`, and any mean in a stream.
LEAST_MEAN_WEIGHT = 0.5


class Monitor:
    """The objective on at most MONITORED_ROWS rows, the same ones each time.

    Where rare classes or heavy rows have much of the loss, rows are drawn by their
    weight times the sum of the constant model's loss and its mean (importance
    sampling).
    """

    def __init__(self, problem: Problem, rows) -> None:
        """Initialise for the row numbers `rows`, in NumPy."""
        monitored = evenly_spaced(rows, MONITORED_ROWS)
        sample = _ConstantModel(problem, monitored)
        self.is_typical = len(monitored) == len(rows) or sample.is_typical
        if not self.is_typical:
            sample = _ConstantModel(problem, rows)
            bounded = sample.losses + sample.mean_loss
            drawn = _draw(sample.weight * bounded)
            monitored, sample_weight = rows[drawn], np.zeros(problem.data.n_samples)
            sample_weight[monitored] = 1 / bounded[drawn]
            sample_weight = problem.data.xp.asarray(sample_weight, problem.data.dtype)
            problem = replace(problem, sample_weight=sample_weight)
        self._problem, self._rows = problem, problem.data.index(monitored)
        self.constant_loss = sample.mean_loss

    def objective(self, weights) -> float:
        """Return the objective at `weights`, (n_weights, n_outputs)."""
        return self._problem.objective(self._rows, weights)


class _ConstantModel:
    """The best constant model of some rows, and its losses."""

    def __init__(self, problem: Problem, rows) -> None:
        xp, index = problem.data.xp, problem.data.index(rows)
        y, n_classes = unsmoothed(problem.y), max(2, problem.loss.n_outputs)
        # The table of probabilities may be a memory map, so no copy is made.
        size = len(rows) if y.ndim == 1 else max(1, xp.chunk_size // n_classes)
        parts = list(chunks(slice(0, len(rows)), size))

        def take_targets(part):
            targets = take(y, index[part])
            return xp.to_numpy(targets) if y.ndim == 1 else targets

        self.weight = xp.to_numpy(problem.sample_weight[index]).astype(np.float64)
        totals = sum(
            class_totals(take_targets(part), self.weight[part], n_classes)
            for part in parts
        )
        totals += 0.5 * self.weight.mean()  # other rows may be of other classes
        self._proba = totals / totals.sum()
        self._class_losses = -np.log(self._proba)
        self.mean_loss = float(self._proba @ self._class_losses)
        losses = [
            weights_by_class(self._class_losses, take_targets(part)) for part in parts
        ]
        self.losses = np.concatenate(losses)

    @property
    def is_typical(self) -> bool:
        """Whether the rows tell the mean loss of all rows."""
        weight, mean = self.weight, self.mean_loss
        variance = self._proba @ (self._class_losses - mean) ** 2 + mean**2
        n_effective = weight.sum() ** 2 / (weight @ weight)
        is_exact = variance <= n_effective * (LARGEST_ERROR * mean) ** 2
        return bool(is_exact and weight.mean() >= LEAST_MEAN_WEIGHT)


def _draw(shares):
    """Return MONITORED_ROWS numbers, with expected counts proportional to `shares`."""
    ends, numbers = np.cumsum(shares), np.arange(MONITORED_ROWS)
    places = (numbers + numbers * GOLDEN_RATIO % 1) * (ends[-1] / MONITORED_ROWS)
    return np.minimum(np.searchsorted(ends, places, side="right"), len(ends) - 1)
