"""The state of training between calls: from a model to attributes, and back.

A fitted estimator has `coef_`, `intercept_`, `t_`, and one dict, `_state`:

solver_state : dict
    The fields of State except the weights and t.
iterate_minus_average : (coef, intercept), transposed, or None
    The last iterate minus the average. Training so continues from the current `coef_`
    and `intercept_`, including manual edits.
counts : dict
    The number of rows with weight, and the sum of the sample weights of each class,
    over all calls.
moments : dict
    Moments of the columns of all these rows.
rng : RandomState
    The generator of the order of the rows.

Functions return new dicts, and change none.
"""

import math
from contextlib import contextmanager
from numbers import Real

import numpy as np
import scipy.sparse as sp

from sksoftmax._arrays import namespace
from sksoftmax._kronecker import KroneckerSums, is_sum
from sksoftmax._labels import are_same, find_positions
from sksoftmax._solvers.state import State
from sksoftmax._strategy import is_automatic


@contextmanager
def all_or_nothing(estimator):
    """Restore the estimator if the block raises an exception, interrupts included."""
    attributes = vars(estimator).copy()
    generators = [estimator.random_state, attributes.get("_state", {}).get("rng")]
    generators = [g for g in generators if isinstance(g, np.random.RandomState)]
    generator_states = [generator.get_state() for generator in generators]
    try:
        with np.errstate(all="ignore"):
            yield
    except BaseException as error:
        vars(estimator).clear()
        vars(estimator).update(attributes)
        for generator, state in zip(generators, generator_states, strict=True):
            generator.set_state(state)
        if isinstance(error, FloatingPointError):
            way_out = "Scale X, for example with StandardScaler."
            if not is_automatic(estimator):
                way_out = (
                    f"eta0={estimator.eta0} is too large for these data: lower eta0, "
                    "scale X, or use learning_rate='auto'."
                )
            raise ValueError(f"Training diverged: {error}. {way_out}") from error
        raise


def make_memory(rows, moments, rng, earlier=None) -> dict:
    """Return the counts, moments and rng of `_state` after training on these rows.

    `earlier` is the `_state` of earlier calls.
    """
    n_rows = len(rows.indices) + (earlier["counts"]["n_rows"] if earlier else 0)
    counts = {"n_rows": n_rows, "class_count": rows.class_count}
    return {"counts": counts, "moments": moments._asdict(), "rng": rng}


def make_state(weights, average: bool) -> State:
    """Return a state at t = 0 that owns these weights and may write to them."""
    return State(weights, namespace(weights).copy(weights) if average else weights)


def to_attributes(params, problem, state: State, model, memory: dict, dtype=None):
    """Return the attributes of the model, with a `_state` for `partial_fit`.

    `params` has the estimator's parameters. `memory` holds counts, moments and rng. The
    attributes have the `dtype` if it is given and has enough digits, else the dtype of
    the problem.
    """
    phm_attributes = {}
    if problem.constraint is not None:
        model, phm_attributes = problem.constraint.factorize(model)
    coef, intercept = from_weights(problem, model)
    if dtype is not None and dtype != coef.dtype:
        xp = problem.data.xp
        rounded = [xp.astype(a, dtype) for a in (coef, intercept)]
        if _is_as_good(problem, params.tol, model, to_weights(problem, *rounded)):
            coef, intercept = rounded
    solver_state = vars(state).copy()
    del solver_state["weights"], solver_state["average"], solver_state["t"]
    difference = None
    if state.is_averaging:
        difference = from_weights(problem, state.weights - state.average)
    return {
        "coef_": coef.T,
        "intercept_": intercept,
        "t_": state.t,
        "_state": {
            **memory,
            "solver_state": solver_state,
            "iterate_minus_average": difference,
        },
        **phm_attributes,
    }


def from_attributes(estimator, problem) -> State:
    """Return the state of the solver at the end of the last call."""
    memory = estimator._state
    state = make_state(model_weights(estimator, problem), estimator.average)
    if estimator.average and memory["iterate_minus_average"] is not None:
        state.weights += to_weights(problem, *memory["iterate_minus_average"])
    vars(state).update(memory["solver_state"], t=estimator.t_)
    return state


def forget_curvature(attributes: dict) -> dict:
    """Return the attributes without the Hessian and the preconditioner."""
    memory = attributes["_state"]
    solver_state = {**memory["solver_state"], "hessian": None, "inverse": None}
    return {**attributes, "_state": {**memory, "solver_state": solver_state}}


def model_weights(estimator, problem):
    """Return coef_ and intercept_ as weights, (n_weights, n_outputs)."""
    detach = problem.data.xp.detach
    coef, intercept = detach(make_dense(estimator.coef_)), detach(estimator.intercept_)
    return to_weights(problem, coef.T, intercept)


def make_dense(coef):
    """Return `coef_` as an array."""
    return coef.toarray() if sp.issparse(coef) else coef


def to_weights(problem, coef, intercept):
    """Return weights for the centred features, a new array.

    coef, (n_features, n_outputs), and intercept are for the features of the caller.
    """
    weights, data = problem.zeros(), problem.data
    weights[: coef.shape[0], :] = coef
    if data.n_weights > data.n_features:
        weights[-1, :] = intercept + data.shift(weights)
    return weights


def from_weights(problem, weights):
    """Return coef, (n_features, n_outputs), and intercept for the caller's features."""
    xp, data = problem.data.xp, problem.data
    coef = xp.copy(weights[: data.n_features, :])
    if data.n_weights == data.n_features:
        return coef, xp.full((coef.shape[1],), 0.0, coef.dtype)
    intercept = weights[-1, :] - data.shift(weights)
    if intercept.shape[0] > 1:  # a shift of all intercepts changes no probability
        intercept = intercept - xp.sum(intercept, axis=0) / intercept.shape[0]
    return coef, intercept


def _is_as_good(problem, tol: float | None, weights, rounded) -> bool:
    """Return whether rounding the weights raises the objective by less than tol / 10.

    The bound is at least 1e-6 of the objective, as float32 has no more digits.
    """
    rows = problem.data.index(np.arange(problem.data.n_samples))
    objective, rounded_objective = (
        problem.objective(rows, w) for w in (weights, rounded)
    )
    allowed = min(tol or 0.0, 1e-2) / 10 + 1e-6
    return rounded_objective - objective <= allowed * max(objective, problem.floor)


def add_classes(estimator, classes) -> dict:
    """Return the attributes of a fitted model with more classes.

    `classes`, (n_classes,), are sorted and include the classes of the model. The dict
    is empty without new classes.
    """
    known_classes, memory = estimator.classes_, estimator._state
    if are_same(known_classes, classes):
        return {}
    positions, n_classes = find_positions(known_classes, classes), len(classes)

    def expand(array):
        return expand_outputs(array, positions, n_classes)

    coef = expand(make_dense(estimator.coef_).T).T
    intercept = expand(estimator.intercept_)
    if estimator.fit_intercept:
        xp = namespace(intercept)
        known_intercept, known_coef = (
            xp.to_numpy(x)[positions] for x in (intercept, coef)
        )
        # The mean is zero except with L1, as then rows of coef_ do not sum to zero.
        mean_prediction = known_coef.mean(axis=0) @ memory["moments"]["mean"]
        new_intercept = known_intercept.mean() + mean_prediction
        new_intercept -= math.log(memory["counts"]["n_rows"] + 1)
        is_new = np.isin(np.arange(n_classes), positions, invert=True)
        intercept = xp.where(xp.asarray(is_new), float(new_intercept), intercept)
    difference = memory["iterate_minus_average"]
    if difference is not None:
        difference = tuple(map(expand, difference))
    class_count = np.zeros(n_classes)
    class_count[positions] = memory["counts"]["class_count"]
    return {
        "classes_": classes,
        "coef_": coef,
        "intercept_": intercept,
        "_state": {
            **memory,
            "solver_state": expand_state(
                memory["solver_state"], estimator.t_, positions, n_classes
            ),
            "iterate_minus_average": difference,
            "counts": {**memory["counts"], "class_count": class_count},
        },
    }


def expand_outputs(array, positions, n_classes: int):
    """Return an array, (..., n_outputs), with zero columns for new classes.

    `positions`, (n_known,), are the positions of the known classes among n_classes. The
    one column of two classes, the difference of their predictions, is split in halves.
    The array must be linear in the weights.
    """
    xp = namespace(array)
    if array.shape[-1] == 1:
        array = xp.concat([-array / 2, array / 2], axis=-1)
    known, source = np.zeros(n_classes, bool), np.zeros(n_classes, np.intp)
    known[positions], source[positions] = True, np.arange(len(positions))
    expanded = xp.take(array, xp.indices(source), axis=-1)
    return xp.where(xp.asarray(known), expanded, 0.0)


def expand_state(state: dict, t: int, positions, n_classes: int) -> dict:
    """Return the solver's state (see State) for more classes, after t updates.

    New classes are improbable at first, so the Hessian of each row keeps its
    eigenvalues and gets new ones next to zero. The mean eigenvalue falls as the number
    of classes grows. For two classes the eigenvalue is p (1 - p) in one column, and
    twice as much in two columns. Steps keep their length.

    New classes soon become probable. Averaging therefore starts again, and the
    curvature is measured as often as after the first update. Measured on MNIST, for a
    tenth class after a stream of nine: the log-loss after 2000 rows is .44. It is 1.15
    with the old average, and .62 if the curvature is measured at once, while the new
    class has little weight.
    """
    state = {**state, "inverse": None, "refresh_origin": t - 1, "n_averages": 0}
    if state["hessian"] is not None:
        n_known = len(positions)
        share = (n_known - 1) / (n_classes - 1)
        state["step_size"] *= share
        mean_eigenvalue = 2 * share if n_known == 2 else share
        state["hessian"] = state["hessian"] * mean_eigenvalue
        state["ridge"] = state["ridge"] * mean_eigenvalue
    if state["velocity"] is not None:
        state["velocity"] = expand_outputs(state["velocity"], positions, n_classes)
    return state


def to_pickle(attributes: dict) -> dict:
    """Return the attributes for a pickle, without those that follow from others."""
    if "_state" not in attributes:
        return attributes
    memory = attributes["_state"]
    solver_state = {**memory["solver_state"], "inverse": None}
    # NumPy 1 cannot read generators of NumPy 2, so arrays and numbers are pickled.
    memory = {**memory, "rng": memory["rng"].get_state(legacy=False)}
    attributes = {**attributes}
    if is_sum(attributes):  # coef_ follows from the factors
        solver_state.update(hessian=None, velocity=None)
        memory["iterate_minus_average"] = attributes["coef_"] = None
    return {**attributes, "_state": {**memory, "solver_state": solver_state}}


def from_pickle(attributes: dict) -> dict:
    """Return the attributes from the result of `to_pickle`."""
    if "_state" not in attributes:
        return attributes
    rng = np.random.RandomState()
    rng.set_state(attributes["_state"]["rng"])
    attributes = {**attributes, "_state": {**attributes["_state"], "rng": rng}}
    if attributes["coef_"] is None:
        A, S, permutation = (
            attributes[name] for name in ("phm_A_", "phm_S_", "phm_permutation_")
        )
        shape = len(attributes["intercept_"]), attributes["n_features_in_"]
        attributes["coef_"] = KroneckerSums(len(A), shape, permutation).join(A, S)
    return attributes


def convert_arrays(attributes: dict, converter) -> dict:
    """Return the attributes that hold arrays of the model, with converted arrays."""

    def convert(value):
        if isinstance(value, dict):
            return {key: convert(v) for key, v in value.items()}
        if isinstance(value, tuple):
            return tuple(map(convert, value))
        is_array = value is not None and not isinstance(value, str | Real)
        return converter(value) if is_array else value

    converted = {
        name: convert(attributes[name])
        for name in ("coef_", "intercept_")
        if name in attributes
    }
    if "_state" in attributes:
        memory = attributes["_state"]
        converted["_state"] = memory | {
            name: convert(memory[name])
            for name in ("solver_state", "iterate_minus_average")
        }
    return converted
