"""Parameters that do not go together or with the data, and the generator."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from sksoftmax._arrays import NUMPY
from sksoftmax._kronecker import KroneckerSums


def check_solver(params):
    """Raise ValueError unless the solver goes with the learning rate."""
    if params.solver == "svrg" and params.learning_rate != "auto":
        raise ValueError(
            "solver='svrg' was wanted with learning_rate="
            f"{params.learning_rate!r}; its steps have to fit the curvature. Use "
            "learning_rate='auto', or solver='sgd' for the textbook schedules."
        )


def check_phm(params, data, shape):
    """Raise ValueError unless sums of Kronecker products work and save weights.

    `shape` is that of coef, (n_outputs, n_features).
    """
    size = shape[0] * shape[1]
    n_parameters = KroneckerSums(int(params.phm_order), shape).n_parameters
    is_dense = data.xp is NUMPY and not sp.issparse(data.X)
    for is_met, way_out in [
        (
            n_parameters < size,
            f"but it saves nothing: coef_ has {size} weights, its factors would "
            f"have {n_parameters}. Try another, or None.",
        ),
        (params.l1_ratio == 0, "but it keeps no zeros. Use l1_ratio=0."),
        (params.solver == "sgd", "but it is not convex. Use solver='sgd'."),
        (is_dense, "but it wants dense NumPy arrays. Convert X."),
    ]:
        if not is_met:
            raise ValueError(f"phm_order={params.phm_order} was wanted, {way_out}")


def make_generator(random_state):
    """Return a generator of our own, seeded from the parameter."""
    seed = check_random_state(random_state).randint(2**31 - 1)
    return np.random.RandomState(seed)
