"""The state of training between calls: from a model to attributes, and back.

A fitted estimator has `coef_`, `intercept_`, `t_`, and one dict, `_state`:

solver_state : dict
    The fields of State except the weights and t.
iterate_minus_average : (coef, intercept), transposed, or None
    The last iterate minus the average. Training so continues from the current `coef_`
    and `intercept_`, including manual edits.
counts : dict
    The number of rows with weight, and the sum of the sample weights of each class,
    over all calls; the weight of each class in the last call, or for probabilities
    the quotient of the class's total weight and that sum.
moments : dict
    Moments of the columns of all these rows.
rng : RandomState
    The generator of the order of the rows.

A model whose attributes were set by hand has no `_state`. Functions return new dicts,
and change none, except `all_or_nothing`.
"""

import inspect
import math
from contextlib import contextmanager
from operator import is_

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import InconsistentVersionWarning

from sksoftmax._arrays import input_to_numpy, namespace
from sksoftmax._compat import is_array_api_obj, warn
from sksoftmax._kronecker import PHM_ATTRIBUTES, KroneckerSums, is_sum
from sksoftmax._labels import are_same, find_positions, validate_labels
from sksoftmax._solvers.sgd import AVERAGED_ROWS
from sksoftmax._solvers.state import State
from sksoftmax._solvers.steps import CallWeights
from sksoftmax._strategy import is_automatic
from sksoftmax._targets import class_totals
from sksoftmax._validation import check_finite_model

# Attributes of a model that are right only together.
_LEARNED = ("classes_", "coef_", "intercept_", "t_", "_state", *PHM_ATTRIBUTES)
# Attributes that are NumPy's, whatever the library of the model.
_ALWAYS_NUMPY = ("classes_", "feature_names_in_", *PHM_ATTRIBUTES)


@contextmanager
def all_or_nothing(estimator):
    """Yield a copy to train, whose attributes the estimator has afterwards.

    The estimator changes in one assignment, so other threads see the old model or the
    new one. Nothing changes if the block raises an exception, interrupts included.
    """
    before, trained = vars(estimator).copy(), snapshot(estimator)
    trained.__dict__ = before.copy()
    generators = [estimator.random_state, before.get("_state", {}).get("rng")]
    generators = [g for g in generators if isinstance(g, np.random.RandomState)]
    generator_states = [generator.get_state() for generator in generators]
    new_attributes = None
    try:
        with np.errstate(all="ignore"):
            yield trained
        new_attributes = _apply_changes(vars(estimator), before, vars(trained))
        estimator.__dict__ = new_attributes
    except BaseException as error:
        if vars(estimator) is new_attributes:  # an interrupt after the assignment
            raise
        for generator, state in zip(generators, generator_states, strict=True):
            generator.set_state(state)
        if isinstance(error, FloatingPointError):
            way_out = _way_out(estimator)
            raise ValueError(f"Training diverged: {error}. {way_out}") from error
        raise


def snapshot(estimator):
    """Return an estimator that keeps the attributes of now while others train.

    Both estimators share one dict, which `all_or_nothing` replaces and never writes to.
    """
    view = object.__new__(type(estimator))
    view.__dict__ = estimator.__dict__
    return view


def _apply_changes(attributes: dict, before: dict, after: dict) -> dict:
    """Return the attributes with what differs between `before` and `after`."""
    unchanged = len(attributes) == len(before) and all(
        map(is_, attributes.values(), before.values())
    )
    if unchanged:  # by callbacks or other threads
        return after
    kept = {k: v for k, v in attributes.items() if k in after or k not in before}
    changed = {k: v for k, v in after.items() if k not in before or v is not before[k]}
    if not changed.keys().isdisjoint(_LEARNED):  # then all are of the same model
        changed |= {k: after[k] for k in _LEARNED if k in after}
    return {**kept, **changed}


def _way_out(estimator) -> str:
    """Return what to do about training that diverged."""
    if not hasattr(estimator, "eta0") or is_automatic(estimator):
        return "Scale X, for example with StandardScaler."
    return (
        f"eta0={estimator.eta0} is too large for these data: lower eta0, scale X, or "
        "use learning_rate='auto'."
    )


def make_memory(rows, moments, rng, earlier=None) -> dict:
    """Return the counts, moments and rng of `_state` after training on these rows.

    `earlier` is the `_state` of earlier calls.
    """
    counts = {
        "n_rows": len(rows.indices) + (earlier["counts"]["n_rows"] if earlier else 0),
        "mean_weight": mean_weights(rows, earlier).mean_of_stream,
        "class_count": rows.class_count,
        "class_weight": _class_weight_seen(rows, earlier),
    }
    return {"counts": counts, "moments": moments._asdict(), "rng": rng}


def mean_weights(rows, earlier=None) -> CallWeights:
    """Return the mean weights of these rows, and of these and all earlier rows.

    `earlier` is the `_state` of earlier calls.
    """
    counts, n_rows = earlier["counts"] if earlier else {}, len(rows.indices)
    n_earlier = counts.get("n_rows", 0)
    mean = rows.total_weight / n_rows if n_rows else 1.0
    change = counts.get("mean_weight", 1.0) - mean
    return CallWeights(mean, mean + change * (n_earlier / max(1, n_rows + n_earlier)))


def _class_weight_seen(rows, earlier):
    """Return total weight by sample weight of each class in training, (n_classes,).

    The weight of a row of probabilities counts for all its classes, so the quotient is
    not the class weight.
    """
    if rows.y.ndim == 1:
        return rows.class_weight
    total = class_totals(rows.y, rows.weight, rows.n_classes)
    if earlier:
        counts = earlier["counts"]
        total = total + counts["class_count"] * counts["class_weight"]
    occurs = rows.class_count > 0
    return np.where(
        occurs, total / np.where(occurs, rows.class_count, 1), rows.class_weight
    )


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


def known_state(estimator) -> dict | None:
    """Return the `_state` of the model; None if attributes were set or deleted by hand.

    A `_state` of other shapes than those of the attributes belongs to another model.
    """
    memory = vars(estimator).get("_state")
    if memory is None or not hasattr(estimator, "t_"):
        return None
    n_classes, n_features = len(estimator.classes_), estimator.coef_.shape[1]
    counts = memory["counts"]
    known = len(counts["class_count"]), len(memory["moments"]["mean"])
    if known != (n_classes, n_features):
        return None
    shifted = counts.get("shifted_intercept")
    if shifted is None or _are_same_odds(_to_numpy(estimator.intercept_), shifted):
        return memory
    # An intercept set by hand has no shift of `correct_prior`.
    names = counts.keys() - {"prior_shift", "shifted_intercept"}
    return {**memory, "counts": {name: counts[name] for name in names}}


def _to_numpy(array) -> np.ndarray:
    """Return a copy, which edits of the array do not change."""
    xp = namespace(array)
    return np.array(xp.to_numpy(xp.detach(array)))


def _are_same_odds(intercept, shifted) -> bool:
    """Return whether two intercepts differ by a constant, or by rounding, at most."""
    difference = intercept.astype(np.float64) - shifted
    if len(difference) > 1:
        difference -= difference.mean()
    eps = np.finfo(intercept.dtype).eps if intercept.dtype.kind == "f" else 0.0
    return bool(np.abs(difference).max() <= 4 * eps * np.abs(shifted).max())


def _to_floats(array):
    """Return an array in the dtype to compute in, as integers lose shares."""
    xp = namespace(array)
    return xp.astype(xp.detach(array), xp.training_dtype(array))


def from_attributes(estimator, problem) -> State:
    """Return the state of the solver at the end of the last call."""
    memory = known_state(estimator)
    state = make_state(model_weights(estimator, problem), estimator.average)
    if memory is None:
        return state
    if estimator.average and memory["iterate_minus_average"] is not None:
        state.weights += to_weights(problem, *memory["iterate_minus_average"])
    vars(state).update(memory["solver_state"], t=estimator.t_)
    return state


def forget_curvature(attributes: dict) -> dict:
    """Return the attributes without the Hessian and the preconditioner."""
    memory = attributes["_state"]
    solver_state = {**memory["solver_state"], "hessian": None, "inverse": None}
    return {**attributes, "_state": {**memory, "solver_state": solver_state}}


def count_fitted_rows(attributes: dict) -> dict:
    """Return the attributes of a fit, whose average counts all rows as seen.

    Steps on all rows keep no average. Without the count, the first noisy iterate of a
    stream would replace the model.
    """
    memory = attributes["_state"]
    n_averages = memory["counts"]["n_rows"] / AVERAGED_ROWS
    n_averages = max(n_averages, memory["solver_state"]["n_averages"])
    solver_state = {**memory["solver_state"], "n_averages": n_averages}
    return {**attributes, "_state": {**memory, "solver_state": solver_state}}


def model_weights(estimator, problem):
    """Return coef_ and intercept_ as weights, (n_weights, n_outputs)."""
    xp, dtype = problem.data.xp, problem.data.dtype
    coef, intercept = (
        xp.astype(xp.detach(array), dtype)
        for array in (make_dense(estimator.coef_), estimator.intercept_)
    )
    weights = to_weights(problem, coef.T, intercept)
    if not math.isfinite(xp.vdot(weights, weights)):  # one pass, enough in most cases
        check_finite_model(estimator)
    return weights


def model_arrays(estimator, xp):
    """Return coef_, transposed, and intercept_, in the dtype to compute in.

    Arrays set by hand may be integers or of half precision, in which sums overflow.
    """
    coef, intercept = xp.detach(estimator.coef_.T), xp.detach(estimator.intercept_)
    dtype = xp.training_dtype(coef)
    if not dtype == coef.dtype == intercept.dtype:
        coef, intercept = xp.astype(coef, dtype), xp.astype(intercept, dtype)
    return coef, intercept


def is_zero(estimator) -> bool:
    """Return whether all weights of the model are zero."""
    arrays = make_dense(estimator.coef_), estimator.intercept_
    return not any(namespace(array).any(array) for array in arrays)


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
    known_classes, memory = estimator.classes_, known_state(estimator)
    if are_same(known_classes, classes):
        return {}
    positions, n_classes = find_positions(known_classes, classes), len(classes)

    def expand(array):
        return expand_outputs(_to_floats(array), positions, n_classes)

    coef = expand(make_dense(estimator.coef_).T).T
    intercept = expand(estimator.intercept_)
    attributes = {"classes_": classes, "coef_": coef, "intercept_": intercept}
    if estimator.fit_intercept:
        xp = namespace(intercept)
        known_intercept, known_coef = (
            xp.to_numpy(x)[positions] for x in (intercept, coef)
        )
        new_intercept = known_intercept.mean()
        if memory is not None:
            # The mean is zero except with L1, as then rows of coef_ do not sum to zero.
            new_intercept += known_coef.mean(axis=0) @ memory["moments"]["mean"]
            new_intercept -= math.log(memory["counts"]["n_rows"] + 1)
            # As if added to the model before `correct_prior`.
            new_intercept -= np.mean(memory["counts"].get("prior_shift", 0.0))
        is_new = np.isin(np.arange(n_classes), positions, invert=True)
        intercept = xp.where(xp.asarray(is_new), float(new_intercept), intercept)
        attributes["intercept_"] = intercept
    if memory is None:
        return attributes
    difference = memory["iterate_minus_average"]
    if difference is not None:
        difference = tuple(map(expand, difference))
    counts = {**memory["counts"]}
    values = {"class_count": 0.0, "class_weight": 1.0, "prior_shift": 0.0}
    for name in counts.keys() & values.keys():
        counts[name] = np.full(n_classes, values[name])
        counts[name][positions] = memory["counts"][name]
    if "shifted_intercept" in counts:
        counts["shifted_intercept"] = _to_numpy(attributes["intercept_"])
    attributes["_state"] = {
        **memory,
        "solver_state": expand_state(
            memory["solver_state"], estimator.t_, positions, n_classes
        ),
        "iterate_minus_average": difference,
        "counts": counts,
    }
    return attributes


def shift_prior(estimator, class_prior=None) -> dict:
    """Return the attributes of a model for other shares of the classes.

    `class_prior`, (n_classes,), is the argument of `correct_prior`. The counts remember
    the shift from the model that was trained, so shifts do not add up.
    """
    memory, classes = known_state(estimator), estimator.classes_
    if memory is None:
        raise ValueError(
            "The shares of the classes in the training data must be known, got a model "
            "whose attributes were set by hand. Shift intercept_ by hand, too."
        )
    if not estimator.fit_intercept:
        raise ValueError(
            "correct_prior requires fit_intercept=True, got False. Fit an intercept."
        )
    counts = memory["counts"]
    class_count, class_weight = counts["class_count"], counts["class_weight"]
    prior = class_count
    if class_prior is not None:
        class_prior = input_to_numpy(class_prior, "class_prior")
        try:
            prior = np.asarray(_sort_by_class(class_prior, classes), float)
        except (TypeError, ValueError):
            prior = np.empty(0)
        is_positive = bool((prior > 0).all())  # a quotient has lost the sign
        if prior.size:  # a common factor changes nothing, and sums may overflow
            prior = prior / prior.max()
        if prior.shape != classes.shape or not (is_positive and (prior > 0).all()):
            raise ValueError(
                "class_prior must hold a positive number for each of the "
                f"{len(classes)} classes, got {class_prior}. Pass their shares in the "
                "order of classes_, or a Series that has the classes as index."
            )
    shares = class_count * class_weight  # that training saw
    is_seen = shares > 0
    ratio = np.ones(len(classes))
    ratio[is_seen] = prior[is_seen] / shares[is_seen]
    ratio[is_seen] *= shares[is_seen].sum() / prior[is_seen].sum()
    return _shift_intercept(estimator, memory, np.log(ratio))


def _sort_by_class(shares, classes):
    """Return shares in the order of the classes, if a pandas Series names these.

    The result is None if the Series names other classes.
    """
    if not (hasattr(shares, "reindex") and hasattr(shares, "index")):
        return shares
    positions = find_positions(validate_labels(np.asarray(shares.index)), classes)
    order = np.argsort(positions)
    if np.array_equal(positions[order], np.arange(len(classes))):
        return np.asarray(shares)[order]
    is_unnamed = type(shares.index).__name__ == "RangeIndex"
    return shares if is_unnamed else None


def unshift_prior(estimator) -> dict:
    """Return the attributes of the model before `correct_prior`, to train it further.

    Training draws only a part of the shift back, and would let the next call of
    `correct_prior` add the whole shift to the rest.
    """
    memory = known_state(estimator)
    if memory is None or "prior_shift" not in memory["counts"]:
        return {}
    return _shift_intercept(estimator, memory, np.zeros(len(estimator.classes_)))


def _shift_intercept(estimator, memory: dict, shift) -> dict:
    """Return the attributes of a model `shift`, (n_classes,), from the trained one."""
    counts, intercept = memory["counts"], _to_floats(estimator.intercept_)
    change = shift - counts.get("prior_shift", 0.0)
    change -= change.mean()
    if len(change) == 2:
        change = change[1:] - change[:1]
    intercept = intercept + namespace(intercept).asarray(change, intercept.dtype)
    shifts = {"prior_shift": shift, "shifted_intercept": _to_numpy(intercept)}
    return {
        "intercept_": intercept,
        "_state": {**memory, "counts": {**counts, **shifts}},
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
        state["measured_batch_size"] = 0  # keeps the step size
        mean_eigenvalue = 2 * share if n_known == 2 else share
        state["hessian"] = state["hessian"] * mean_eigenvalue
        state["ridge"] = state["ridge"] * mean_eigenvalue
    if state["velocity"] is not None:
        state["velocity"] = expand_outputs(state["velocity"], positions, n_classes)
    return state


def to_pickle(attributes: dict) -> dict:
    """Return the attributes for a pickle, with the version.

    `coef_` of a model with `phm_order` is left out, as it follows from the factors, and
    so is the inverse of the Hessian. To keep the pickle small, such a model also loses
    its Hessian, velocity and last iterate. The generator is replaced by a copy of its
    state.
    """
    from sksoftmax import __version__  # set only after this module is imported

    attributes = {**attributes, "_sksoftmax_version": __version__}
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


def from_pickle(attributes: dict, estimator_class) -> dict:
    """Return the attributes from the result of `to_pickle`.

    Warn if another version has saved them. Parameters that the other version did not
    know have the defaults of the class.
    """
    from sksoftmax import __version__

    attributes = {**_default_parameters(estimator_class), **attributes}
    saved_by = attributes.pop("_sksoftmax_version", "unknown")
    if saved_by != __version__:
        warn(
            InconsistentVersionWarning(
                estimator_name=f"sksoftmax.{estimator_class.__name__}",
                current_sklearn_version=__version__,
                original_sklearn_version=saved_by,
            )
        )
    if "_state" not in attributes:
        return attributes
    rng = np.random.RandomState()
    rng.set_state(attributes["_state"]["rng"])
    attributes = {**attributes, "_state": {**attributes["_state"], "rng": rng}}
    if attributes.get("coef_", 0) is None:
        A, S, permutation = (
            attributes[name] for name in ("phm_A_", "phm_S_", "phm_permutation_")
        )
        shape = len(attributes["intercept_"]), attributes["n_features_in_"]
        attributes["coef_"] = KroneckerSums(len(A), shape, permutation).join(A, S)
    return attributes


def _default_parameters(estimator_class) -> dict:
    """Return the defaults of the parameters; a subclass may require some of them."""
    parameters = inspect.signature(estimator_class).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def convert_arrays(attributes: dict, converter) -> dict:
    """Return the fitted attributes that hold arrays of the model, converted."""

    def convert(value):
        if isinstance(value, dict):
            return {key: convert(v) for key, v in value.items()}
        if isinstance(value, tuple):
            return tuple(map(convert, value))
        is_array = is_array_api_obj(value) or sp.issparse(value)
        if not is_array or np.isscalar(value):
            return value
        return converter(namespace(value).detach(value))

    converted = {
        name: convert(value)
        for name, value in attributes.items()
        if name.endswith("_") and name not in _ALWAYS_NUMPY
    }
    if "_state" in attributes:
        memory = attributes["_state"]
        converted["_state"] = memory | {
            name: convert(memory[name])
            for name in ("solver_state", "iterate_minus_average")
        }
    return converted
