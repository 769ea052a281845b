"""From checked rows to a model: the problem to solve, and the loop over epochs."""

import warnings
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sksoftmax._arrays import namespace
from sksoftmax._data import make_data
from sksoftmax._kronecker import KroneckerConstraint
from sksoftmax._loss import cross_entropy
from sksoftmax._moments import (
    ColumnScaling,
    Moments,
    measure_bounded_moments,
    measure_moments,
)
from sksoftmax._outliers import FEW_ROWS, SAMPLED_ROWS
from sksoftmax._parameters import check_phm
from sksoftmax._penalty import ElasticNet
from sksoftmax._problem import Problem
from sksoftmax._strategy import is_automatic, takes_all_rows
from sksoftmax._targets import make_targets
from sksoftmax._validation import TrainingRows, check_weight_sum

# Standard deviations from zero to a mean from which float32 rounds a feature's part
# of the raw predictions by more than 6e-5 of their standard deviation.
LARGEST_FLOAT32_MEAN = 1e3


class TrainingData(NamedTuple):
    """Rows that give batches, with weights, and the moments of their columns."""

    data: Any  # DenseData or SparseData
    weight: Any  # (n_samples,), where the data are
    bounded_weight: Any  # the same, of outliers less
    moments: Moments  # those of earlier calls included
    dtype: Any  # of the model


def measure(
    params, rows: TrainingRows, is_stream=False, dtype=None, memory=None
) -> TrainingData:
    """Return rows as data of the right dtype, with the moments of the columns.

    `is_stream` is for one pass by minibatches. After a first call `dtype` is that of
    the model, and `memory` what earlier calls have left in `_state`.
    """
    X, xp, n_rows = rows.X, namespace(rows.X), len(rows.indices)
    if dtype is None:
        dtype = xp.training_dtype(X)
    check_weight_sum(rows.weight.sum(), float(xp.finfo(dtype).max))
    data = make_data(X, dtype, params.fit_intercept)
    n_outputs = cross_entropy(rows.n_classes).n_outputs
    is_full_batch = not is_stream and takes_all_rows(params, data, n_rows, n_outputs)
    if is_full_batch and not xp.wide_batches:
        # Steps on all rows come as near the optimum as their numbers allow.
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
    else:
        bounded_weight, moments = weight, measure_moments(data, weight, fill_value)
    if known_moments is None:
        dtype = choose_dtype(params, dtype, xp, moments)
    else:
        if is_automatic(params) and n_rows >= FEW_ROWS:
            known_moments = known_moments.discounted(moments)
        moments = known_moments.merge(moments)
    if dtype == xp.float64 != data.dtype:
        data = make_data(X, dtype, params.fit_intercept)
        weight, bounded_weight = (xp.astype(w, dtype) for w in (weight, bounded_weight))
    return TrainingData(data, weight, bounded_weight, moments, dtype)


def choose_dtype(params, dtype, xp, moments: Moments):
    """Return the dtype of the model: that of X, or float64 for more digits.

    The raw prediction of a feature far from zero is a small difference of large
    numbers, of which float32 would round the difference away.
    """
    if not is_automatic(params) or dtype == xp.float64:
        return dtype
    variance = moments.squares / (moments.total or 1.0)
    is_far = moments.mean**2 > LARGEST_FLOAT32_MEAN**2 * variance
    is_far &= variance > (0.01 * np.finfo(np.float32).eps * moments.mean) ** 2
    return xp.float64 if is_far.any() else dtype


def make_problem(
    params, training: TrainingData, y, n_classes: int, attributes=None
) -> Problem:
    """Return the problem of these data, y being their targets.

    `attributes` are those of a fitted model to go on from.
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
        params.alpha,
        params.l1_ratio,
        data.n_features,
        params.fit_intercept,
        data.dtype,
        data.xp,
    )
    constraint, shape = None, (loss.n_outputs, data.n_features)
    if params.phm_order:
        check_phm(params, data, shape)
        constraint = KroneckerConstraint(int(params.phm_order), shape, attributes)
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
    depth: int = 1,
):
    """Train until a rule or a callback says so; return the model.

    `epochs` yields a solver with its model, the objective and whether that has
    converged. The objectives are added to `loss_curve`. `make_attributes` makes a model
    attributes of a fitted estimator. `validation` is None without rows to validate on.
    `depth` counts the calls from `fit` to this function: warnings name the caller of
    `fit`.
    """
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
            break
    else:  # not `done`: with validation, a solver at its end is no failure
        if params.tol is not None and not converged:
            _warn_not_converged(params, len(loss_curve), solver.model.dtype, depth + 4)
    loss_at_zero = problem.loss.loss_at_zero
    if not is_automatic(params) and loss_curve[-1] > loss_at_zero:
        warnings.warn(
            f"The objective came to {loss_curve[-1]:.3g}; weights of zero "
            f"have {loss_at_zero:.3g}. eta0={params.eta0} is too large for these "
            "data: lower eta0, scale X, or use learning_rate='auto'.",
            ConvergenceWarning,
            stacklevel=depth + 3,
        )
    if validation is None or validation.best_model is None:
        return solver.model
    return validation.best_model


def _warn_not_converged(params, n_epochs: int, dtype, stacklevel: int) -> None:
    """Warn of what came before the stopping rule, with the way out."""
    cause = f"max_iter={params.max_iter} epochs were over"
    way_out = "Raise max_iter or tol, or pass tol=None to train for max_iter epochs."
    if n_epochs < params.max_iter:
        cause = f"no step lowered the objective in {dtype} any more"
        way_out = "Raise tol, scale X, or pass X as float64."
    warnings.warn(
        f"After {n_epochs} epochs {cause}, before the stopping "
        f"rule with tol={params.tol} was met. {way_out}",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )
