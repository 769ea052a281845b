"""The state of a solver between two updates."""

from dataclasses import dataclass
from typing import Any


@dataclass
class State:
    """The state of a solver between two updates.

    A solver writes to `weights` and `average`, so no other object may share these
    arrays. Other arrays are replaced, never written to.
    """

    weights: Any  # (n_weights, n_outputs), the last iterate
    average: Any  # the model; the same array without averaging
    t: int = 0  # updates so far
    refresh_origin: int = 0  # the origin of t for the times to measure
    # Updates in the average, in units of AVERAGED_ROWS rows; a step on all rows is one.
    n_averages: float = 0.0
    preconditioner_name: str | None = None  # its measurement is `hessian`
    hessian: Any = None
    hessian_rows: int = 0
    # Of the last measurement: scales of the columns, (n_weights, 1), the mean weight of
    # the rows, and the number of rows in a batch.
    measured_scale: Any = None
    measured_weight: float = 1.0
    measured_batch_size: int = 0
    ridge: Any = None
    inverse: Any = None  # follows from hessian and ridge
    step_size: float = 0.0
    velocity: Any = None

    @property
    def is_averaging(self) -> bool:
        """Whether the model is an average, not the last iterate."""
        return self.average is not self.weights
