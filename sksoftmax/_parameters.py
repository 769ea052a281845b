"""Checks of parameters against each other and the data, and the generator."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from sksoftmax._arrays import NUMPY
from sksoftmax._kronecker import KroneckerSums


def penalty_strength(alpha, total_weight: float) -> float:
    """Return the number that the parameter `alpha` stands for.

    `total_weight` is the sum of the weights of the training rows.
    """
    return 1 / float(total_weight) if isinstance(alpha, str) else alpha


def check_stream_alpha(alpha):
    """Raise ValueError unless alpha is a number, as calls of partial_fit require."""
    if isinstance(alpha, str):
        raise ValueError(
            f"alpha must be a number in partial_fit, got {alpha!r}: the sum of the "
            "weights of all calls is not known. Pass 1 divided by that sum, or use fit."
        )


def check_solver(params):
    """Raise ValueError unless the solver supports the learning rate."""
    if params.solver == "svrg" and params.learning_rate != "auto":
        raise ValueError(
            "solver='svrg' requires learning_rate='auto', got "
            f"{params.learning_rate!r}. Use learning_rate='auto', or solver='sgd' for "
            "the textbook schedules."
        )


def check_phm(params, data, shape):
    """Raise ValueError unless sums of Kronecker products work and save weights.

    `shape` is the shape of coef, (n_outputs, n_features).
    """
    size = shape[0] * shape[1]
    n_parameters = KroneckerSums(int(params.phm_order), shape).n_parameters
    is_dense = data.xp is NUMPY and not sp.issparse(data.X)
    name = f"phm_order={params.phm_order}"
    if n_parameters >= size:
        raise ValueError(
            f"phm_order must be None or save weights, got {params.phm_order}: coef_ "
            f"has {size} weights, and its factors would have {n_parameters}. Use "
            "another phm_order, or None."
        )
    if params.l1_ratio != 0:
        raise ValueError(
            f"{name} requires l1_ratio=0, got {params.l1_ratio}: sums of Kronecker "
            "products keep no zeros. Use l1_ratio=0."
        )
    if params.solver != "sgd":
        raise ValueError(
            f"{name} requires solver='sgd', got {params.solver!r}: the problem is not "
            "convex. Use solver='sgd'."
        )
    if not is_dense:
        raise ValueError(
            f"{name} requires dense NumPy arrays, got X as {type(data.X).__name__}. "
            "Convert X, for example with X.toarray()."
        )


def make_generator(random_state):
    """Return a new generator, seeded from the parameter."""
    seed = check_random_state(random_state).randint(2**31 - 1)
    return np.random.RandomState(seed)
