"""The problem of validated rows, and the loop over epochs that trains a model."""

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sksoftmax._arrays import namespace
from sksoftmax._compat import warn
from sksoftmax._data import make_data
from sksoftmax._kronecker import KroneckerConstraint
from sksoftmax._loss import cross_entropy
from sksoftmax._moments import (
    ColumnScaling,
    Moments,
    measure_bounded_moments,
    measure_moments,
    smallest_scale,
)
from sksoftmax._outliers import FEW_ROWS, SAMPLED_ROWS
from sksoftmax._parameters import check_phm, penalty_strength
from sksoftmax._penalty import ElasticNet
from sksoftmax._problem import Problem
from sksoftmax._solvers.sgd import SGD
from sksoftmax._strategy import is_automatic, takes_all_rows
from sksoftmax._targets import class_totals, make_targets, most_probable
from sksoftmax._threads import one_blas_thread
from sksoftmax._validation import TrainingRows, check_weight_sum

# Largest ratio of a feature's mean to its standard deviation for float32. Beyond this
# ratio, rounding changes the feature's part of the raw predictions by more than 6e-5 of
# the standard deviation of that part.
LARGEST_FLOAT32_MEAN = 1e3
# Outliers keep their full weights in a class that would keep less than this share of
# its weight, unless the class has few rows. Measured on 20000 rows of KDD Cup 99, where
# attacks have rare large values: an accuracy of .998 instead of .994.
LEAST_CLASS_SHARE, FEW_CLASS_ROWS = 0.5, 10
# With `phm_order`, the last objective may be this share above the best one by chance.
# Measured on digits and wine, raw or standardised: 6 % at most.
LARGEST_RISE = 0.1
# An objective that is above that of zeros by less than this share is as good: weights
# near zero are the optimum if X tells nothing of y, or alpha is large.
LEAST_EXCESS = 1e-3


class TrainingData(NamedTuple):
    """Rows as data that give batches, their weights, and the moments of the columns."""

    data: Any  # DenseData or SparseData
    weight: Any  # (n_samples,), in the namespace of the data
    bounded_weight: Any  # (n_samples,), smaller than `weight` for outliers
    moments: Moments  # of the rows of all calls
    dtype: Any  # of the model


def measure(
    params, rows: TrainingRows, is_stream=False, dtype=None, memory=None
) -> TrainingData:
    """Return rows as data of the right dtype, with the moments of the columns.

    `is_stream` announces a single pass by minibatches. `dtype` is the dtype of a fitted
    model, and `memory` is its `_state`; both are None in a first call.
    """
    X, xp, n_rows = rows.X, namespace(rows.X), len(rows.indices)
    if dtype is None:
        dtype = xp.training_dtype(X)
    check_weight_sum(rows.weight.sum(), float(xp.finfo(dtype).max))
    data = make_data(X, dtype, params.fit_intercept)
    n_outputs = cross_entropy(rows.n_classes).n_outputs
    is_full_batch = not is_stream and takes_all_rows(params, data, n_rows, n_outputs)
    if is_full_batch:
        # Rounding limits how near Newton steps come to the optimum: they use float64.
        data = make_data(X, xp.float64, params.fit_intercept)
    weight = xp.asarray(rows.weight, data.dtype)
    known_moments = reference_moments = fill_value = None
    if memory is not None:
        known_moments = Moments(**memory["moments"])
        fill_value = known_moments.fill_value
        if memory["counts"]["n_rows"] >= SAMPLED_ROWS:
            reference_moments = known_moments
    if is_automatic(params) and not is_full_batch:
        bounded_weight, moments = measure_bounded_moments(
            data, weight, fill_value, reference_moments
        )
        if not is_stream:
            bounded_weight = _restore_classes(rows, weight, bounded_weight, xp)
    else:
        bounded_weight, moments = weight, measure_moments(data, weight, fill_value)
    if known_moments is None:
        chosen = choose_dtype(params, dtype, xp, moments)
        if chosen != data.dtype and chosen != dtype:
            return measure(params, rows, is_stream, chosen)
        dtype = chosen
    else:
        if is_automatic(params) and n_rows >= FEW_ROWS:
            known_moments = known_moments.discounted(moments)
        moments = known_moments.merge(moments)
    return TrainingData(data, weight, bounded_weight, moments, dtype)


def _restore_classes(rows: TrainingRows, weight, bounded_weight, xp):
    """Return the bounded weights, but the full weights in classes of outliers.

    If a class loses most of its weight, large values are what tells the class. A row of
    probabilities is of its most probable class.
    """
    if bounded_weight is weight:
        return bounded_weight
    y = most_probable(rows.y)
    full, bounded = (
        class_totals(y, xp.to_numpy(w), rows.n_classes)
        for w in (weight, bounded_weight)
    )
    n_rows = np.bincount(y[rows.indices], minlength=rows.n_classes)
    is_restored = (bounded < LEAST_CLASS_SHARE * full) & (n_rows >= FEW_CLASS_ROWS)
    if not is_restored.any():
        return bounded_weight
    return xp.where(xp.asarray(is_restored[y]), weight, bounded_weight)


def choose_dtype(params, dtype, xp, moments: Moments):
    """Return the dtype of the model: the dtype of X, or float64 for more digits.

    A feature far from zero adds a small difference of large numbers to the raw
    predictions, and float32 would round the difference away. The squares of tiny
    features would become zero.
    """
    if not is_automatic(params) or dtype == xp.float64:
        return dtype
    variance = moments.squares / (moments.total or 1.0)
    square = variance + moments.mean**2
    is_far = moments.mean**2 > LARGEST_FLOAT32_MEAN**2 * variance
    is_far &= variance > (0.01 * np.finfo(np.float32).eps * moments.mean) ** 2
    is_tiny = (square > 0) & (square < smallest_scale(np.float32) ** 2)
    return xp.float64 if (is_far | is_tiny).any() else dtype


def make_problem(
    params,
    training: TrainingData,
    y,
    n_classes: int,
    attributes=None,
    total_weight: float = math.nan,
) -> Problem:
    """Return the problem of the training data and their targets y.

    `attributes` are the attributes of a fitted model from which training continues.
    `total_weight` is the sum of the weights of all training rows, before they are
    scaled. Only an `alpha` that is no number requires `total_weight`.
    """
    data, loss = training.data, cross_entropy(n_classes)
    scaling = ColumnScaling.from_moments(
        training.moments,
        params.fit_intercept,
        data.xp.numpy_dtype(data.dtype),
        may_center=is_automatic(params),
    )
    data.set_center(scaling.center)
    penalty = ElasticNet(
        penalty_strength(params.alpha, total_weight),
        params.l1_ratio,
        data.n_features,
        params.fit_intercept,
        data.dtype,
        data.xp,
    )
    constraint, shape = None, (loss.n_outputs, data.n_features)
    if params.phm_order:
        check_phm(params, data, shape)
        scale = scaling.scale[: data.n_features, 0]
        order = int(params.phm_order)
        constraint = KroneckerConstraint(order, shape, scale, attributes)
    return Problem(
        data,
        make_targets(y, params.label_smoothing, n_classes, data.dtype, data.xp),
        training.weight,
        loss,
        penalty,
        scaling.convert(data.xp),
        training.bounded_weight,
        constraint,
    )


def train(
    params,
    problem: Problem,
    epochs,
    loss_curve: list,
    make_attributes,
    validation,
    callbacks,
):
    """Return the model after training until a rule or a callback stops it.

    `epochs` yields a solver with its model, the objective, and whether the objective
    has converged. The objectives are appended to `loss_curve`. `make_attributes`
    returns the attributes of a fitted estimator for a model. `validation` is None
    without validation rows.
    """
    multiply_adds = problem.multiply_adds(problem.data.n_samples)
    # One thread for what is between passes, too: a thread of BLAS spins after its part
    # of a product, and would take a core from the threads of the next pass.
    with one_blas_thread(multiply_adds, problem.data.xp.thread_pools):
        for solver, objective, converged in callbacks.announce(epochs, params.max_iter):
            loss_curve.append(objective)
            done = converged
            line = f"epoch {len(loss_curve)}: objective {objective:.6f}"
            if validation is not None:
                done = validation.watch(solver, converged)
                line += f", validation log-loss {validation.curve[-1]:.6f}"
            if params.verbose:
                print(line)
            stop = callbacks.end_epoch(partial(make_attributes, solver.model))
            if stop or (done and params.tol is not None):
                cause = "a callback stopped it" if stop else "the stopping rule is met"
                break
        else:
            cause = _describe_end(params, len(loss_curve), solver.model.dtype)
            if converged and len(loss_curve) < params.max_iter:
                cause = "the objective has converged"
            # `done` is False if the solver has converged before the validation loss has
            # a plateau, which is no failure: `converged` decides.
            if params.tol is not None and not converged:
                _warn_not_converged(params, len(loss_curve), solver.model.dtype)
    if params.verbose:
        print(f"training ended: {cause}")
    is_far = validation is None and getattr(solver, "is_far", False)
    # No step of L-BFGS raises the objective.
    is_noisy = problem.constraint is not None and isinstance(solver, SGD)
    if validation is None or validation.best_model is None:
        _warn_if_bad(params, problem, loss_curve, is_far, is_noisy)
        return solver.model
    n_kept = 1 + int(np.argmin(validation.curve))
    _warn_if_bad(params, problem, loss_curve[:n_kept], is_far, is_noisy)
    if problem.constraint is not None:
        problem.constraint.restore_best()
    return validation.best_model


def _describe_end(params, n_epochs: int, dtype) -> str:
    """Return why training ended, if no rule and no callback ended it."""
    if n_epochs < params.max_iter:
        return f"no step lowered the objective in {dtype} any more, or steps did slowly"
    return f"max_iter={params.max_iter} was reached"


def _warn_not_converged(params, n_epochs: int, dtype) -> None:
    """Warn that training ended before its stopping rule was met, with the way out."""
    way_out = "Raise max_iter or tol, or pass tol=None to train for max_iter epochs."
    if n_epochs < params.max_iter:
        way_out = "Raise tol or scale X."
        if "float64" not in str(dtype):
            way_out = "Raise tol, scale X, or pass X as float64."
    warn(
        f"Training ended after {n_epochs} epochs, before the stopping rule with "
        f"tol={params.tol} was met: {_describe_end(params, n_epochs, dtype)}. "
        f"{way_out}",
        ConvergenceWarning,
    )


def _warn_if_bad(
    params, problem: Problem, loss_curve, is_far: bool, is_noisy: bool
) -> None:
    """Warn if zeros or an epoch have a clearly lower objective than the model.

    `loss_curve` ends with the objective of the model. Epochs count if training ended
    with minibatches and `phm_order` (`is_noisy`). Also warn if a textbook schedule
    stopped far from the optimum (`is_far`).
    """
    if is_automatic(params) and not params.phm_order:
        return
    last, best = loss_curve[-1], min(loss_curve)
    loss_at_zero = problem.loss.loss_at_zero
    rise = (last - best) / max(best, problem.floor)
    way_out = (
        f"phm_order={params.phm_order} found no good weights: scale X, for example "
        "with StandardScaler, or pass another random_state."
    )
    if not is_automatic(params):
        way_out = (
            f"eta0={params.eta0} is too large for these data: lower eta0, scale X, or "
            "use learning_rate='auto'."
        )
    if last > (1 + LEAST_EXCESS) * loss_at_zero:
        better = f"weights of zero have {loss_at_zero:.4g}"
    elif is_noisy and rise > LARGEST_RISE:
        better = f"epoch {1 + loss_curve.index(best)} had {best:.4g}"
    elif is_far:
        better = f"tol={params.tol} was met far from the optimum"
        way_out = (
            f"eta0={params.eta0} is too small or too large for these data: change "
            "eta0, lower tol, scale X, or use learning_rate='auto'."
        )
    else:
        return
    warn(
        f"Training ended at an objective of {last:.4g}, but {better}. {way_out}",
        ConvergenceWarning,
    )
