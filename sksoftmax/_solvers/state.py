"""What a solver knows between two updates."""

from dataclasses import dataclass
from typing import Any


@dataclass
class State:
    """What a solver knows between two updates.

    It writes to `weights` and `average`, which must be its own; other arrays are
    replaced, never written to.
    """

    weights: Any  # (n_weights, n_outputs), the last iterate
    average: Any  # the model; the same array without averaging
    t: int = 0  # updates so far
    refresh_origin: int = 0  # the t from which the times to measure count
    n_averages: int = 0
    preconditioner_name: str | None = None  # the name of what measured the curvature
    hessian: Any = None
    hessian_rows: int = 0
    ridge: Any = None
    inverse: Any = None  # follows from curvature and ridge
    step_size: float = 0.0
    velocity: Any = None

    @property
    def is_averaging(self) -> bool:
        """Whether the model is an average, not the last iterate."""
        return self.average is not self.weights
