"""A test whether a sequence of values has stopped improving."""

import math


class Plateau:
    """A test whether a sequence of values has stopped improving."""

    def __init__(self, tol: float, patience: int, floor: float) -> None:
        """Initialise to require tol * max(best, floor) in `patience` steps."""
        self._tol, self._patience, self._floor = tol, patience, floor
        self._best, self._threshold, self._n_idle = math.inf, math.inf, 0

    def reached(self, value: float, steps_per_epoch: int = 1) -> bool:
        """Return whether to stop after `value`, the next one of the sequence.

        `steps_per_epoch` of these values count as one step of the patience.
        """
        self._n_idle = 0 if value <= self._threshold else self._n_idle + 1
        self._best = min(self._best, value)
        self._threshold = self._best - self._tol * max(self._best, self._floor)
        return self._n_idle >= self._patience * steps_per_epoch
