"""The strategy: which solver trains on which batches in which order, and constants."""

import math
from dataclasses import replace
from typing import NamedTuple

from sksoftmax._collinear import collinear_gap, find_collinear
from sksoftmax._oracle import Oracle
from sksoftmax._preconditioner import Diagonal, Gram
from sksoftmax._problem import Problem
from sksoftmax._solvers.lbfgs import LBFGSSolver
from sksoftmax._solvers.monitor import Monitor
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._solvers.proximal_newton import make_newton
from sksoftmax._solvers.sampler import BatchSampler, batch_edges
from sksoftmax._solvers.sgd import SGD
from sksoftmax._solvers.state import State
from sksoftmax._solvers.steps import (
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
# Estimates for a GPU. The launches of a step take about .25 ms, so a pass over all rows
# is no longer than a step up to a work of 1e9. Measured on a CPU, batches of
# 2048 rows against 512: MNIST takes twice as many epochs to .245, in half as many
# updates; a probe of 300 classes takes as many epochs.
GPU = Policy(batch_size=2048, full_batch_work=1e9, least_epoch_gain=0.05)

TEXTBOOK_BATCH_SIZE = 256
# A long step with PHM ends far from the nearest sum of Kronecker products. So an epoch
# has this many batches, as long as a batch has the least number of rows.
PHM_BATCHES, PHM_LEAST_BATCH = 20, 32
LEAST_EPOCH_GAIN = 0.05  # before "svrg" with a given batch_size
# Before L-BFGS, whose step costs about as much as an epoch of minibatches. Measured
# against 5 %: 300 features and 50 classes, nearly separable, take .6 times as long for
# the same objective, and a probe of 1000 classes .8 times. With 50 %, .55 and .7 times,
# at objectives up to 3 % higher.
LBFGS_EPOCH_GAIN = 0.3
MINIBATCH_ROWS = 2**16  # the gain of minibatches is measured after this many rows
# Minibatches may plateau far from the optimum, so all rows estimate the gap after some
# plateaus: any with a given batch_size or of rows of which a sample tells little; any
# within EARLY_EPOCHS at an objective above EARLY_LOSS times the constant model's loss;
# any after LATE_EPOCHS, as the estimate costs a pass, a fifth of an epoch. Newton steps
# follow if the gap is more than LARGEST_RELATIVE_GAP times the objective. Measured: at
# most 1.4 on MNIST, 20 newsgroups and generated data; at least 500 after minibatches
# that had come to nothing; 14 to 800 where a class has a thousandth of the rows or
# less, at 1.3 to 13 times the optimum; 3 to 6 where features with a large common part
# were not told apart, at 2 to 4 times the optimum.
EARLY_EPOCHS, EARLY_LOSS, LATE_EPOCHS, LARGEST_RELATIVE_GAP = 3, 0.5, 6, 2.0
# The same after a warm start. Measured over alphas from 1e-1 to 1e-6: with 4,
# objectives were up to 23 % above those of cold fits; with 2, up to 18 %; with .5, at
# most 3 %, in the same time.
WARM_RELATIVE_GAP = 0.5
# The same for the part of the estimate from collinear columns of sparse X, at the
# plateau and at the first slow epoch. Measured where plateaus were 20 % to 130 % above
# the optimum: .6 to 11, and 1.9 to 5. Where they were within 5 %: .04 to .17, and .08
# to .42.
COLLINEAR_RELATIVE_GAP, SLOW_COLLINEAR_GAP = 0.2, 1.0
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


def phases(params, problem: Problem, state: State, rows, rng):
    """Yield a solver, the objective, and whether training has converged, each epoch.

    `params` has the estimator's parameters, and `rows` are the indices of training
    rows. The first line of the table that fits holds:

    ============================  ==================================================
    Parameters and data           Phases
    ============================  ==================================================
    phm_order                     SGD for an epoch; the choice of the cut; SGD to a
                                  plateau
    learning_rate not "auto"      SGD to a plateau
    all rows are one batch        Newton to the gap
    "svrg", dense X or            SGD while it pays (5 %), unless weights are not
    a given batch_size            zero; SVRG while it pays; Newton to the gap
    "svrg", sparse X              SGD while it pays (20 %), unless weights are not
                                  zero or with L1; Newton to the gap
    a given batch_size            SGD to a plateau; Newton to a plateau if a check (see
                                  LATE_EPOCHS) finds the optimum far away
    dense X, unless weights are   SGD while it pays (30 %); LBFGS to a plateau; Newton
    not zero, L1 or diagonal      to a plateau if LBFGS found none
    dense X                       SGD while it pays (5 %); Newton to a plateau
    sparse X with L1              Newton to the gap
    sparse X                      as with a given batch_size
    ============================  ==================================================

    SGD pays while an epoch gains the share in parentheses of the objective, and also
    `tol` with "sgd". The parameter `tol` describes the stopping rules "to the gap" and
    "to a plateau". Newton to a plateau is stricter after a warm start, and for wide
    data, whose plateau no full matrix confirms. WorkingSets to
    the gap replace Newton for problems with L1, if X is sparse or its rows are one
    chunk. A minibatch has `batch_size` rows, or as many as the Policy of the data.

    Outliers have bounded weights in SGD with automatic steps, and with "sgd" also in
    the steps on all rows after minibatches.

    The choice depends on the data and the parameters alone, not on the number of
    threads. The constants are measured with one thread. Threads shorten passes over all
    rows more than minibatches, so more threads would favour earlier passes.
    """
    if params.phm_order:
        yield from _constrained_epochs(params, problem, state, rows, rng)
        return
    data, n_outputs, tol = problem.data, problem.loss.n_outputs, params.tol or 0.0
    batch_size = choose_batch_size(params, data, n_outputs, len(rows), True)
    if is_automatic(params) and batch_size == len(rows):
        preconditioner_class = choose_preconditioner(params, problem, n_rows=len(rows))
        oracle = Oracle(problem, rows, preconditioner_class)
        yield from _make_full_solver(oracle, state).iterate_to_gap(tol)
        return
    if is_automatic(params):
        bounded_problem = problem.bound_outliers()
        collinear = find_collinear(bounded_problem, rows)
        problem = replace(problem, collinear=collinear)
        _reset_if_worse_than_zeros(bounded_problem, state, rows)
    is_svrg, makes_zeros = params.solver == "svrg", problem.penalty.makes_zeros
    may_grow = is_automatic(params) and params.batch_size == "auto"
    # Full passes pay for dense X, as rows in their order need no gathering.
    if not (is_svrg or (may_grow and (data.is_dense or makes_zeros))):
        sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
        yield from _epochs_to_plateau(params, problem, state, sampler)
        return
    is_warm = bool(data.xp.any(state.average))
    # WorkingSets find the other weights sooner from few weights than zeros from many.
    starts_from_zeros = makes_zeros and not data.is_dense and may_grow
    name = state.preconditioner_name
    preconditioner_class = choose_preconditioner(params, problem, name)
    takes_lbfgs = not (is_svrg or is_warm or makes_zeros or preconditioner_class.lazy)
    # The noise of minibatches would move a warm "svrg" away from the optimum.
    if not ((is_svrg and is_warm) or starts_from_zeros):
        gain = _find_least_gain(params, data, takes_lbfgs)
        yield from _epochs_that_pay(params, problem, state, rows, batch_size, rng, gain)
    if is_svrg and (data.is_dense or not may_grow):
        sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
        svrg = SVRG(problem, state, sampler, preconditioner_class)
        yield from svrg.iterate_to_gap(tol, may_grow)
        return
    if not is_svrg:
        problem = problem.bound_outliers()
    oracle = Oracle(problem, rows, preconditioner_class)
    passes = (2 if preconditioner_class.lazy else 1) * int(params.n_iter_no_change)
    if takes_lbfgs:
        yield from LBFGSSolver(oracle, state).iterate_to_plateau(tol, passes)
    solver = _make_full_solver(oracle, state)
    if is_svrg or isinstance(solver, WorkingSets):
        yield from solver.iterate_to_gap(tol)
    else:
        is_strict = is_warm or _lacks_gram(oracle)
        yield from solver.iterate_to_plateau(tol, passes, is_strict)


def run_pass(
    params, problem: Problem, state: State, rows, rng, min_share=STREAM_SHARE
) -> SGD:
    """Return the solver after one pass of minibatch SGD; see SGD for `min_share`."""
    n_outputs = problem.loss.n_outputs
    batch_size = choose_batch_size(params, problem.data, n_outputs, len(rows))
    solver = _make_sgd(params, problem, state, rng, min_share)
    sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
    solver.epoch(sampler.draw(), sampler.edges)
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
    policy = _find_policy(data)
    batch_size = policy.batch_size
    if allow_full_batch and data.n_stored * n_outputs <= policy.full_batch_work:
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
    name = params.preconditioner if params.preconditioner != "auto" else known_name
    if problem.penalty.makes_zeros:
        if params.preconditioner == "gram":
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


def _epochs_to_plateau(params, problem: Problem, state: State, sampler: BatchSampler):
    """Yield epochs of SGD to a plateau, and Newton steps if the gap is still large.

    Collinear columns are checked at the first slow epoch, too, to save slow epochs.
    """
    tol, patience = params.tol or 0.0, int(params.n_iter_no_change)
    is_checked = is_automatic(params) and params.tol is not None
    is_warm = bool(problem.data.xp.any(state.average))
    is_collinear = problem.collinear is not None
    bounded_problem = problem.bound_outliers()
    plateau = Plateau(tol, patience, problem.floor)
    slow = Plateau(SPARSE.least_epoch_gain, 1, problem.floor)
    was_slow = False
    solver = _make_sgd(params, problem, state, sampler.rng)
    monitor = solver.monitor(sampler.rows)
    early_loss = EARLY_LOSS * monitor.constant_loss
    for k, epoch in enumerate(solver.epochs(sampler, plateau, monitor), 1):
        _, objective, converged = epoch
        is_slow = not was_slow and slow.reached(objective)
        was_slow |= is_slow
        is_far = False
        if is_checked and is_collinear and (is_slow or converged):
            gap = collinear_gap(bounded_problem, sampler.rows, solver.model)
            largest = COLLINEAR_RELATIVE_GAP if converged else SLOW_COLLINEAR_GAP
            is_far = gap > largest * objective
        is_early = k <= EARLY_EPOCHS and objective > early_loss
        is_cheap = k >= LATE_EPOCHS or params.batch_size != "auto"
        is_suspect = is_early or is_cheap or not monitor.is_typical
        if is_checked and (is_far or (converged and is_suspect)):
            preconditioner_class = choose_preconditioner(
                params, problem, state.preconditioner_name
            )
            oracle = Oracle(bounded_problem, sampler.rows, preconditioner_class)
            iterate = vars(state).copy()
            newton = make_newton(oracle, state)
            largest_gap = WARM_RELATIVE_GAP if is_warm else LARGEST_RELATIVE_GAP
            if is_far or newton.gap_estimate() > largest_gap * newton.objective:
                yield newton, objective, False
                is_strict = is_warm or is_collinear or _lacks_gram(oracle)
                yield from newton.iterate_to_plateau(tol, patience, is_strict)
                return
            vars(state).update(iterate)  # epochs may go on, for validation rows
        is_checked &= not converged
        yield solver, objective, converged


def _find_least_gain(params, data, takes_lbfgs: bool) -> float:
    """Return the least share of the objective for which an epoch pays."""
    if takes_lbfgs:
        return max(params.tol or 0.0, LBFGS_EPOCH_GAIN)
    if params.batch_size != "auto":
        return LEAST_EPOCH_GAIN
    tol = 0.0 if params.solver == "svrg" else params.tol or 0.0
    return max(tol, _find_policy(data).least_epoch_gain)


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
    """Yield epochs of SGD; the cut of the weights is chosen after the first one."""
    solver = run_pass(params, problem, state, rows, rng, min_share=0.0)
    problem.constraint.choose_cut(state.average)
    for weights in (state.weights, state.average):
        problem.constrain(weights)
    monitor = solver.monitor(rows)
    yield solver, monitor.objective(solver.model), False
    n_outputs = problem.loss.n_outputs
    batch_size = choose_batch_size(params, problem.data, n_outputs, len(rows))
    plateau = Plateau(params.tol or 0.0, int(params.n_iter_no_change), problem.floor)
    sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
    yield from solver.epochs(sampler, plateau, monitor)


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

    WorkingSets copy the values of dense rows, so dense rows must be a single batch.
    """
    copies_little = oracle.is_one_batch or not oracle.problem.data.is_dense
    if oracle.problem.penalty.makes_zeros and copies_little:
        return WorkingSets(oracle, state)
    return make_newton(oracle, state)


def _lacks_gram(oracle: Oracle) -> bool:
    """Return whether nothing but the diagonal can judge a plateau."""
    return oracle.preconditioner_class.lazy and oracle.select_gram() is None


def _reset_if_worse_than_zeros(problem: Problem, state: State, rows) -> None:
    """Update in place to zeros a state whose objective is larger than that of zeros.

    Rows on the wrong side of such a model may be saturated. Their curvature may then be
    too small for steps to correct the model.
    """
    if not problem.data.xp.any(state.average):
        return
    objective = Monitor(problem, rows).objective(state.average)
    if not objective <= problem.loss.loss_at_zero:
        state.weights[...] = 0
        state.average[...] = 0
