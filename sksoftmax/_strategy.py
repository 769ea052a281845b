"""The strategy: which solver trains on which batches in which order, and constants."""

import math
from dataclasses import replace
from typing import NamedTuple

from sksoftmax._collinear import find_collinear
from sksoftmax._oracle import Oracle
from sksoftmax._outliers import FEW_ROWS
from sksoftmax._plateau_check import PlateauCheck
from sksoftmax._preconditioner import Diagonal, Gram
from sksoftmax._problem import Problem
from sksoftmax._solvers.factored_lbfgs import FactoredLBFGS
from sksoftmax._solvers.lbfgs import LBFGS
from sksoftmax._solvers.monitor import Monitor
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._solvers.proximal_newton import make_newton
from sksoftmax._solvers.sampler import BatchSampler, batch_edges
from sksoftmax._solvers.sgd import SGD
from sksoftmax._solvers.state import State
from sksoftmax._solvers.steps import (
    EQUAL_WEIGHTS,
    CallWeights,
    PreconditionedStep,
    ScheduledStep,
    constant_schedule,
    inverse_scaling_schedule,
)
from sksoftmax._solvers.svrg import SVRG
from sksoftmax._solvers.working_sets import WorkingSets


class Policy(NamedTuple):
    """The constants that depend on the layout and the device of X."""

    batch_size: int  # rows in a minibatch
    # Largest number of stored values times outputs for which all rows are one batch.
    full_batch_work: float
    # Least share of the objective that an epoch of minibatches gains before another.
    least_epoch_gain: float


# Measured: all rows as one batch are as quick as minibatches at half of this work. At
# this work they take up to 1.4 times as long, and are exact. An epoch of minibatches
# costs three to four passes over all rows. If the epoch gains less than the share,
# Newton steps gain more in the same time.
DENSE = Policy(batch_size=512, full_batch_work=4e7, least_epoch_gain=0.05)
# A stored value costs more than in dense X, so the work is less; not measured. The
# gain matters for solvers that go to the optimum. On 20 newsgroups, at the same
# objective and time, the test log-loss was .69 for all rows after minibatches, and .68
# for minibatches alone.
SPARSE = Policy(batch_size=512, full_batch_work=4e6, least_epoch_gain=0.2)
# Measured on an H100, where the launches of a step take about .25 ms: all rows as one
# batch, in float64, take .16 to .9 times as long as minibatches up to a work of 3e9, .3
# or 2.6 times as long at 1e10, and are exact. Measured on a CPU, batches of
# 2048 rows against 512: MNIST takes twice as many epochs to .245, in half as many
# updates; a probe of 300 classes takes as many epochs.
GPU = Policy(batch_size=2048, full_batch_work=3e9, least_epoch_gain=0.05)

TEXTBOOK_BATCH_SIZE = 256
# A long step with PHM ends far from the nearest sum of Kronecker products. So an epoch
# has this many batches, as long as a batch has the least number of rows.
PHM_BATCHES, PHM_LEAST_BATCH = 20, 32
# SGD with PHM pays while an epoch gains the first share. Measured on digits: with 1 %,
# fits take up to twice as long to the same objective.
# A step of L-BFGS costs less than an epoch, so it has to promise only a share of `tol`.
# The last share is for few rows: with .2, digits end up to 5 % above the local optimum.
# With .1 instead of .3, MNIST takes 1.5 times as long, at objectives 1 to 2 % lower and
# the same test log-loss.
PHM_EPOCH_GAIN, PHM_TOL_SHARE, PHM_SMALL_TOL_SHARE = 0.05, 0.3, 0.1
LEAST_EPOCH_GAIN = 0.05  # before "svrg" with a given batch_size
# Before L-BFGS, whose step costs about as much as an epoch of minibatches. Measured
# against 5 %: 300 features and 50 classes, nearly separable, take .6 times as long for
# the same objective, and a probe of 1000 classes .8 times. With 50 %, .55 and .7 times,
# at objectives up to 3 % higher.
LBFGS_EPOCH_GAIN = 0.3
MINIBATCH_ROWS = 2**16  # the gain of minibatches is measured after this many rows
# The model of a stream is compared with zeros after a call whose mean loss is this many
# times that of zeros. Noisy iterates of good models have smaller losses.
DOUBTFUL_LOSS = 2.0
STREAM_SHARE = 1e-3  # the least share of a new iterate in the average of a stream

# One batch of all rows takes the full matrix if n_features^2 is at most this many times
# rows times outputs: at 200, the inversion costs as much as a few hundred gradients.
GRAM_WORK_RATIO = 200
# A bound on time and memory. Measured on 20000 rows and 10 classes, against the
# diagonal: as quick with 1024 features, at a lower objective; 1.8 times as slow with
# 2048 features, three times as slow with 3000.
GRAM_FEATURES = 2048
# The full matrix pays for sparse X if its application takes at most this many times the
# multiply-adds of a product with a batch: BLAS is that much faster than sparse loops.
SPARSE_GRAM_RATIO = 8
LARGEST_GRAM = 20_000  # features, as two matrices would fill several gigabytes


def phases(params, problem: Problem, state: State, rows, rng, n_rows=None):
    """Yield a solver, the objective, and whether training has converged, each epoch.

    `params` has the estimator's parameters, and `rows` are the indices of training
    rows. Whether these are one batch follows from `n_rows`, by default their number.
    The first line of the table that fits holds:

    ============================  ==================================================
    Parameters and data           Phases
    ============================  ==================================================
    phm_order, textbook schedule  SGD for an epoch; the choice of the cut; SGD to a
                                  plateau
    phm_order                     SGD for an epoch; the choice of the cut; SGD while it
                                  pays (5 %); FactoredLBFGS to a plateau
    learning_rate not "auto"      SGD to a plateau; a warning if PlateauCheck finds the
                                  optimum far away
    all rows are one batch        Newton to the gap
    "svrg", dense X or            SGD while it pays (5 %), unless weights are not
    a given batch_size            zero; SVRG while it pays; Newton to the gap
    "svrg", sparse X              SGD while it pays (20 %), unless weights are not
                                  zero or with L1; Newton to the gap
    a given batch_size            SGD to a plateau; Newton to a plateau if PlateauCheck
                                  finds the optimum far away, there or earlier
    dense X, unless weights are   SGD while it pays (30 %); LBFGS to a plateau; Newton
    not zero, L1 or diagonal      to a plateau if LBFGS found none
    dense X                       SGD while it pays (5 %); Newton to a plateau
    sparse X with L1              Newton to the gap
    sparse X                      as with a given batch_size
    ============================  ==================================================

    SGD pays while an epoch gains the share in parentheses of the objective, and also
    `tol` with "sgd". The parameter `tol` describes the stopping rules "to the gap" and
    "to a plateau". Newton to a plateau is stricter after a warm start, for collinear
    columns, and for wide data, whose plateau no full matrix confirms. WorkingSets to
    the gap replace Newton for problems with L1, if X is sparse or its rows are one
    chunk. A minibatch has `batch_size` rows, or as many as the Policy of the data.

    Outliers have bounded weights in SGD with automatic steps, and with "sgd" also in
    the steps on all rows after minibatches.

    The choice depends on the data and the parameters alone, not on the number of
    threads. The constants are measured with one thread. Threads shorten passes over all
    rows more than minibatches, so more threads would favour earlier passes.
    """
    data, n_outputs = problem.data, problem.loss.n_outputs
    if takes_all_rows(params, data, n_rows or len(rows), n_outputs):
        yield from _steps_on_one_batch(params, problem, state, rows)
        return
    bounded_problem = problem.bound_outliers() if is_automatic(params) else problem
    _reset_if_worse_than_zeros(bounded_problem, state, rows)
    if params.phm_order:
        yield from _constrained_epochs(params, problem, state, rows, rng)
        return
    if is_automatic(params):
        collinear = find_collinear(bounded_problem, rows)
        problem = replace(problem, collinear=collinear)
    may_grow = is_automatic(params) and params.batch_size == "auto"
    # Full passes pay for dense X, as rows in their order need no gathering.
    takes_full_passes = may_grow and (data.is_dense or problem.penalty.makes_zeros)
    if params.solver == "svrg":
        epochs = _epochs_of_svrg
    elif takes_full_passes:
        epochs = _full_passes_to_plateau
    else:
        epochs = _epochs_to_plateau
    batch_size = choose_batch_size(params, data, n_outputs, len(rows))
    yield from epochs(params, problem, state, rows, batch_size, rng)


def run_pass(
    params,
    problem: Problem,
    state: State,
    rows,
    rng,
    min_share=STREAM_SHARE,
    last_loss: float = 0.0,
    call_weights: CallWeights = EQUAL_WEIGHTS,
) -> SGD:
    """Return the solver after one pass of minibatch SGD; see SGD for `min_share`.

    `last_loss` is the mean loss of the last call of a stream. After a large one, a
    model that is worse than zeros on `rows` starts again from zeros, unless these rows
    are much lighter than those of the stream.
    """
    n_outputs = problem.loss.n_outputs
    is_doubtful = last_loss > DOUBTFUL_LOSS * problem.loss.loss_at_zero
    is_doubtful &= len(rows) >= FEW_ROWS and is_automatic(params)
    is_doubtful &= not call_weights.are_light
    bounded_problem = problem.bound_outliers()
    if is_doubtful and _reset_if_worse_than_zeros(bounded_problem, state, rows):
        state.hessian, state.n_averages, state.refresh_origin = None, 0.0, state.t
    batch_size = choose_batch_size(params, problem.data, n_outputs, len(rows))
    solver = _make_sgd(params, problem, state, rng, min_share)
    sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
    order = sampler.draw()
    solver.prepare(order, sampler.edges, call_weights)
    solver.epoch(order, sampler.edges)
    return solver


def is_automatic(params) -> bool:
    """Return whether step sizes are automatic, not from a textbook schedule."""
    return params.learning_rate == "auto"


def takes_all_rows(params, data, n_rows: int, n_outputs: int) -> bool:
    """Return whether each step takes all rows from the start."""
    if not is_automatic(params) or params.phm_order:
        return False
    return choose_batch_size(params, data, n_outputs, n_rows, True) == n_rows


def choose_batch_size(
    params, data, n_outputs: int, n_rows: int, allow_full_batch: bool = False
) -> int:
    """Return the number of rows in a batch of n_rows rows."""
    if params.batch_size != "auto":
        return min(int(params.batch_size), n_rows)
    if not is_automatic(params):
        return min(TEXTBOOK_BATCH_SIZE, n_rows)
    batch_size = _find_policy(data).batch_size
    if allow_full_batch and _fits_one_batch(data, n_rows, n_outputs):
        batch_size = n_rows
    elif params.phm_order:
        batch_size = min(batch_size, max(PHM_LEAST_BATCH, n_rows // PHM_BATCHES))
    elif n_outputs > batch_size:  # most classes would be absent from a batch
        batch_size = min(n_outputs, 2 * batch_size)
    return min(batch_size, n_rows)


def choose_preconditioner(
    params, problem: Problem, known_name: str | None = None, n_rows: float = math.inf
):
    """Return Gram or Diagonal; "auto" keeps the preconditioner of a stream.

    `n_rows` is the number of rows if all are one batch. Many steps on few rows are
    cheaper than one matrix of all pairs of features.
    """
    data = problem.data
    is_given = is_automatic(params) and params.preconditioner != "auto"
    name = params.preconditioner if is_given else known_name
    if problem.penalty.makes_zeros:
        if is_given and name == "gram":
            raise ValueError(
                f"preconditioner='gram' requires l1_ratio=0, got {params.l1_ratio}: "
                "proximal steps, which make weights zero, need a diagonal "
                "preconditioner. Use preconditioner='auto' or 'diagonal', or "
                "l1_ratio=0."
            )
        name = "diagonal"
    if name is None:
        is_wide = data.n_features > _count_gram_features(data)
        largest_square = GRAM_WORK_RATIO * n_rows * problem.loss.n_outputs
        is_costly = is_wide or data.n_features**2 > largest_square
        name = "diagonal" if is_costly else "gram"
    if name == "gram" and data.n_features > LARGEST_GRAM:
        raise ValueError(
            f"preconditioner='gram' requires at most {LARGEST_GRAM} features, got "
            f"{data.n_features} features. Use 'diagonal' or 'auto', which hold no "
            "matrices of n_features^2 numbers."
        )
    return {"gram": Gram, "diagonal": Diagonal}[name]


def _fits_one_batch(data, n_rows: int, n_outputs: int) -> bool:
    """Return whether n_rows rows of the data are few enough for a single batch."""
    work = data.n_stored * n_outputs * n_rows  # n_samples times that of n_rows rows
    return work <= _find_policy(data).full_batch_work * data.n_samples


def _find_policy(data) -> Policy:
    if not data.is_dense:
        return SPARSE
    return GPU if data.xp.wide_batches else DENSE


def _count_gram_features(data) -> int:
    """Return the largest number of features for which the full matrix pays."""
    if data.is_dense:
        return GRAM_FEATURES
    row_size = 1 + data.n_stored // max(1, data.n_samples)
    n_features = (SPARSE_GRAM_RATIO * SPARSE.batch_size * row_size) ** 0.5
    return int(min(GRAM_FEATURES, n_features))


def _steps_on_one_batch(params, problem: Problem, state: State, rows):
    """Yield steps that take all rows from the start, to the gap."""
    preconditioner_class = choose_preconditioner(params, problem, n_rows=len(rows))
    oracle = Oracle(problem, rows, preconditioner_class)
    yield from _make_full_solver(oracle, state).iterate_to_gap(params.tol or 0.0)


def _epochs_of_svrg(params, problem: Problem, state: State, rows, batch_size: int, rng):
    """Yield epochs of SGD and of SVRG while they pay, and Newton steps to the gap."""
    data, tol, may_grow = problem.data, params.tol or 0.0, params.batch_size == "auto"
    name = state.preconditioner_name
    preconditioner_class = choose_preconditioner(params, problem, name)
    # The noise of minibatches would move a warm start away from the optimum.
    is_warm = _is_warm(state, data)
    if not (is_warm or _takes_working_sets(problem, may_grow)):
        gain = _find_policy(data).least_epoch_gain if may_grow else LEAST_EPOCH_GAIN
        yield from _epochs_that_pay(params, problem, state, rows, batch_size, rng, gain)
    if data.is_dense or not may_grow:
        sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
        svrg = SVRG(problem, state, sampler, preconditioner_class)
        yield from svrg.iterate_to_gap(tol, may_grow)
    else:
        oracle = Oracle(problem, rows, preconditioner_class)
        yield from _make_full_solver(oracle, state).iterate_to_gap(tol)


def _full_passes_to_plateau(
    params, problem: Problem, state: State, rows, batch_size: int, rng
):
    """Yield epochs of SGD while they pay, and steps on all rows to a plateau."""
    data, tol, is_warm = problem.data, params.tol or 0.0, _is_warm(state, problem.data)
    name = state.preconditioner_name
    preconditioner_class = choose_preconditioner(params, problem, name)
    is_lazy, makes_zeros = preconditioner_class.lazy, problem.penalty.makes_zeros
    takes_lbfgs = not (is_warm or makes_zeros or is_lazy)
    if not _takes_working_sets(problem):
        gain = LBFGS_EPOCH_GAIN if takes_lbfgs else _find_policy(data).least_epoch_gain
        gain = max(tol, gain)
        yield from _epochs_that_pay(params, problem, state, rows, batch_size, rng, gain)
    oracle = Oracle(problem.bound_outliers(), rows, preconditioner_class)
    passes = (2 if is_lazy else 1) * int(params.n_iter_no_change)
    if takes_lbfgs:
        yield from LBFGS(oracle, state).iterate_to_plateau(tol, passes)
    solver = _make_full_solver(oracle, state)
    if isinstance(solver, WorkingSets):
        yield from solver.iterate_to_gap(tol)
    else:
        is_strict = is_warm or oracle.lacks_gram
        yield from solver.iterate_to_plateau(tol, passes, is_strict)


def _is_warm(state: State, data) -> bool:
    return bool(data.xp.any(state.average))


def _takes_working_sets(problem: Problem, may_grow: bool = True) -> bool:
    """Return whether WorkingSets start from zeros, without minibatches before them.

    WorkingSets find the other weights sooner from few weights than zeros from many.
    """
    return may_grow and problem.penalty.makes_zeros and not problem.data.is_dense


def _epochs_to_plateau(
    params, problem: Problem, state: State, rows, batch_size: int, rng
):
    """Yield epochs of SGD to a plateau, and Newton steps if the optimum is far away.

    A warm start comes back on a plateau whose objective is no lower than its own. It
    does not without `tol`, or if `max_iter` comes before a plateau.
    """
    tol, patience = params.tol or 0.0, int(params.n_iter_no_change)
    sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
    solver = _make_sgd(params, problem, state, rng)
    if is_automatic(params):
        problem = problem.bound_outliers()
    monitor, name = solver.monitor(rows), state.preconditioner_name
    preconditioner_class = choose_preconditioner(params, problem, name)
    has_good_batches = params.batch_size == "auto" and params.shuffle
    check = PlateauCheck(
        problem, state, rows, monitor, preconditioner_class, has_good_batches, tol
    )
    plateau = Plateau(tol, patience, problem.floor)
    for _, objective, converged in solver.epochs(sampler, plateau, monitor):
        newton = None
        if params.tol is not None:
            objective = check.restore_start(objective, converged)
            if is_automatic(params):
                newton = check.newton_if_far(objective, converged)
            else:
                solver.is_far = converged and check.is_far(objective)
        if newton:  # it may have taken a step
            yield newton, newton.objective, False
            yield from newton.iterate_to_plateau(tol, patience, check.is_strict)
            return
        yield solver, objective, converged


def _epochs_that_pay(
    params, problem: Problem, state: State, rows, batch_size: int, rng, least_gain
):
    """Yield epochs of SGD, on a sample of many rows if shuffled, while they pay."""
    n_rows = min(len(rows), MINIBATCH_ROWS) if params.shuffle else len(rows)
    plateau = Plateau(least_gain, 1, problem.floor)
    sampler = _make_sampler(params, rows, n_rows, batch_size, rng)
    solver = _make_sgd(params, problem, state, rng)
    for _, objective, slow in solver.epochs(sampler, plateau):
        yield solver, objective, False
        if slow:
            break


def _constrained_epochs(params, problem: Problem, state: State, rows, rng):
    """Yield epochs of SGD, and steps on all rows in the factors to a plateau.

    The cut of the weights is chosen after the first epoch. A textbook schedule ends
    with the epochs.
    """
    solver = run_pass(params, problem, state, rows, rng, min_share=0.0)
    problem.constraint.choose_cut(state.average)
    for weights in (state.weights, state.average):
        problem.constrain(weights)
    monitor = solver.monitor(rows)
    yield solver, monitor.objective(solver.model), False
    n_outputs = problem.loss.n_outputs
    batch_size = choose_batch_size(params, problem.data, n_outputs, len(rows))
    tol, patience = params.tol or 0.0, int(params.n_iter_no_change)
    sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
    if not is_automatic(params):
        plateau = Plateau(tol, patience, problem.floor)
        yield from solver.epochs(sampler, plateau, monitor)
        return
    plateau = Plateau(max(tol, PHM_EPOCH_GAIN), patience, problem.floor)
    for _, objective, slow in solver.epochs(sampler, plateau, monitor):
        yield solver, objective, False
        if slow:
            break
    preconditioner_class = choose_preconditioner(
        params, problem, state.preconditioner_name
    )
    is_small = _fits_one_batch(problem.data, len(rows), n_outputs)
    tol *= PHM_SMALL_TOL_SHARE if is_small else PHM_TOL_SHARE
    oracle = Oracle(problem.bound_outliers(), rows, preconditioner_class)
    yield from FactoredLBFGS(oracle, state).iterate_to_plateau(tol, patience)


def _make_sampler(params, rows, n_rows: int, batch_size: int, rng) -> BatchSampler:
    """Return a sampler of n_rows rows, in equal batches if steps are automatic."""
    edges = batch_edges(n_rows, batch_size, even=is_automatic(params))
    return BatchSampler(rows, edges, rng, params.shuffle)


def _make_sgd(params, problem: Problem, state: State, rng, min_share=0.0) -> SGD:
    """Return the minibatch solver for the parameters."""
    if is_automatic(params):
        problem = problem.bound_outliers()
        preconditioner_class = choose_preconditioner(
            params, problem, state.preconditioner_name
        )
        step = PreconditionedStep(problem, state, preconditioner_class, rng)
    else:
        schedule = {
            "constant": constant_schedule(params.eta0),
            "invscaling": inverse_scaling_schedule(params.eta0, params.power_t),
        }[params.learning_rate]
        step = ScheduledStep(problem, state, schedule, params.momentum)
    return SGD(problem, state, step, min_share)


def _make_full_solver(oracle: Oracle, state: State):
    """Return a solver for all rows; with L1, WorkingSets on few features at a time.

    WorkingSets copy the values of dense rows, so dense rows must be a single chunk.
    """
    copies_little = oracle.is_one_chunk or not oracle.problem.data.is_dense
    if oracle.problem.penalty.makes_zeros and copies_little:
        return WorkingSets(oracle, state)
    return make_newton(oracle, state)


def _reset_if_worse_than_zeros(problem: Problem, state: State, rows) -> bool:
    """Update in place to zeros a state whose objective is larger than that of zeros.

    Return whether the state is reset.
    Rows on the wrong side of such a model may be saturated. Their curvature may then be
    too small for steps to correct the model.
    """
    xp = problem.data.xp
    if not (xp.any(state.average) and xp.any(problem.sample_weight)):
        return False
    objective = Monitor(problem, rows).objective(state.average)
    is_worse = not objective <= problem.loss.loss_at_zero
    if is_worse:
        state.weights[...] = 0
        state.average[...] = 0
    return is_worse
