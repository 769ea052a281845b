"""When a sequence of values has stopped to improve."""

import math


class Plateau:
    """A test whether a sequence of values has stopped to improve."""

    def __init__(self, tol: float, patience: int, floor: float) -> None:
        """Require improvements of tol * max(best value, floor) in `patience` steps."""
        self._tol, self._patience, self._floor = tol, patience, floor
        self._best, self._threshold, self._n_idle = math.inf, math.inf, 0

    def reached(self, value: float, steps_per_epoch: int = 1) -> bool:
        """Return whether to stop after this value, the next one.

        `steps_per_epoch` of these steps count as one.
        """
        self._n_idle = 0 if value <= self._threshold else self._n_idle + 1
        self._best = min(self._best, value)
        self._threshold = self._best - self._tol * max(self._best, self._floor)
        return self._n_idle >= self._patience * steps_per_epoch
