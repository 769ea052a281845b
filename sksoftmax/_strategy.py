"""Which solver takes which batches, in what order: the constants and the choices."""

import math
from typing import NamedTuple

from sksoftmax._arrays import evenly_spaced
from sksoftmax._oracle import Oracle
from sksoftmax._preconditioner import Diagonal, Gram
from sksoftmax._problem import Problem
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._solvers.proximal_newton import make_newton
from sksoftmax._solvers.sampler import BatchSampler, batch_edges
from sksoftmax._solvers.sgd import MONITORED_ROWS, SGD
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
    """The numbers that depend on how X is stored, and where."""

    batch_size: int  # rows in a minibatch
    # Stored values times outputs up to which all rows are one batch.
    full_batch_work: float
    # Share of the objective that an epoch of minibatches has to gain for another one.
    least_epoch_gain: float


# Measured: all rows as one batch are as quick as minibatches at half of the work, up to
# 1.4 times as slow here, and exact. An epoch of minibatches costs three to four passes
# over all rows: where it gains less than the share, they gain more in its time.
DENSE = Policy(batch_size=512, full_batch_work=4e7, least_epoch_gain=0.05)
# Less work, as a stored value costs more; not measured. The gain is for the way to the
# optimum: on 20 newsgroups, at the same objective, all rows after minibatches had a
# test log-loss of .69 where minibatches alone had .68, in the same time.
SPARSE = Policy(batch_size=512, full_batch_work=4e6, least_epoch_gain=0.2)
# Estimates for a GPU, where a step takes about .25 ms for its launches alone: MNIST
# with 2048 rows takes as many updates to .245 as with 512 for half as many epochs, a
# probe of 300 classes as many epochs (measured on a CPU); a pass over all rows is no
# longer than a step up to 1e9.
GPU = Policy(batch_size=2048, full_batch_work=1e9, least_epoch_gain=0.05)

TEXTBOOK_BATCH_SIZE = 256
# The nearest sum of Kronecker products to a long step is far away: with PHM an epoch
# has this many batches, if these have the least number of rows.
PHM_BATCHES, PHM_LEAST_BATCH = 20, 32
LEAST_EPOCH_GAIN = 0.05  # before "svrg", where batch_size is given
MINIBATCH_ROWS = 2**16  # after which to look whether more minibatches pay
# All rows check a plateau of minibatches with a given batch_size, and one that comes
# within these epochs at an objective above this share of the loss at zero. The check
# costs a pass, a fifth of a fit on 20 newsgroups. An estimate of the gap above this
# many times the objective is no plateau. Measured: at most 1.4 on MNIST, 20 newsgroups
# and generated data, 500 and more where minibatches had come to nothing.
EARLY_EPOCHS, EARLY_LOSS, LARGEST_RELATIVE_GAP = 3, 0.5, 4.0
STREAM_SHARE = 1e-3  # the least share of a new iterate in the average of a stream

# n_features^2 per row and column up to which one batch takes the full matrix: at 200,
# inverting it costs about what a few hundred gradients do.
GRAM_WORK_RATIO = 200
# A bound on time and memory. Measured, 20000 rows, 10 classes: with 1024 features as
# quick as the diagonal at a lower objective, with 2048 features 1.8 times and with 3000
# three times as slow.
GRAM_FEATURES = 2048
# Of sparse X, applying a full matrix takes this many times the multiply-adds of one
# product with a batch, in BLAS, which is that much faster than sparse loops.
SPARSE_GRAM_RATIO = 8
LARGEST_GRAM = 20_000  # features; its two matrices would fill several gigabytes


def phases(params, problem: Problem, state: State, rows, rng):
    """Yield a solver, the objective and whether that has converged, each epoch.

    `params` has the estimator's parameters, and `rows` are those to train on. The first
    line of the table that fits holds:

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
    a given batch_size            SGD to a plateau; after an early plateau that is
                                  far from the optimum, Newton to a plateau
    dense X                       SGD while it pays (5 %); Newton to a plateau
    sparse X with L1              Newton to the gap
    sparse X                      as with a given batch_size
    ============================  ==================================================

    SGD pays while an epoch gains that share of the objective, and `tol` with "sgd". "To
    the gap" and "to a plateau" are the stopping rules that `tol` describes. With L1,
    WorkingSets to the gap take the place of Newton if X is sparse or its rows are one
    chunk. The size of a minibatch is `batch_size`, or that of the data's Policy.

    Outliers have bounded weights in SGD with automatic steps, and with "sgd" in the
    Newton steps after minibatches.
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
        _reset_if_worse_than_zeros(problem, state, rows)
    is_svrg, makes_zeros = params.solver == "svrg", problem.penalty.makes_zeros
    may_grow = is_automatic(params) and params.batch_size == "auto"
    # Dense rows that follow each other need no gathering.
    if not (is_svrg or (may_grow and (data.is_dense or makes_zeros))):
        sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
        yield from _epochs_to_plateau(params, problem, state, sampler)
        return
    # A warm start would suffer from noise.
    is_warm = is_svrg and bool(data.xp.any(state.average))
    # From few weights, more are found sooner than from many the zeros.
    starts_from_zeros = makes_zeros and not data.is_dense and may_grow
    if not (is_warm or starts_from_zeros):
        yield from _epochs_that_pay(params, problem, state, rows, batch_size, rng)
    name = state.preconditioner_name
    preconditioner_class = choose_preconditioner(params, problem, name)
    if is_svrg and (data.is_dense or not may_grow):
        sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
        svrg = SVRG(problem, state, sampler, preconditioner_class)
        yield from svrg.iterate_to_gap(tol, may_grow)
        return
    if not is_svrg:
        problem = problem.bound_outliers()
    solver = _make_full_solver(Oracle(problem, rows, preconditioner_class), state)
    if is_svrg or isinstance(solver, WorkingSets):
        yield from solver.iterate_to_gap(tol)
    else:
        passes = (2 if preconditioner_class.lazy else 1) * int(params.n_iter_no_change)
        yield from solver.iterate_to_plateau(tol, passes)


def run_pass(
    params, problem: Problem, state: State, rows, rng, min_share=STREAM_SHARE
) -> SGD:
    """Make one pass of minibatch SGD; see SGD for `min_share`."""
    n_outputs = problem.loss.n_outputs
    batch_size = choose_batch_size(params, problem.data, n_outputs, len(rows))
    solver = _make_sgd(params, problem, state, rng, min_share)
    sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
    solver.epoch(sampler.draw(), sampler.edges)
    return solver


def is_automatic(params) -> bool:
    """Return whether steps have an automatic size, and are no textbook's."""
    return params.learning_rate == "auto"


def takes_all_rows(params, data, n_rows: int, n_outputs: int) -> bool:
    """Return whether each step takes all rows, from the start."""
    if not is_automatic(params) or params.phm_order:
        return False
    return choose_batch_size(params, data, n_outputs, n_rows, True) == n_rows


def choose_batch_size(
    params, data, n_outputs: int, n_rows: int, allow_full_batch: bool = False
) -> int:
    """Return how many of n_rows rows make a batch."""
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
    elif n_outputs > batch_size:  # or most classes are absent
        batch_size = min(n_outputs, 2 * batch_size)
    return min(batch_size, n_rows)


def choose_preconditioner(
    params, problem: Problem, known_name: str | None = None, n_rows: float = math.inf
):
    """Return Gram or Diagonal; in a stream "auto" stays with what it has.

    `n_rows` make a batch of all the data: of few, many steps are cheaper than one
    matrix for all pairs of features.
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
        worthwhile = GRAM_WORK_RATIO * n_rows * problem.loss.n_outputs
        wide = data.n_features > _count_gram_features(data)
        name = "diagonal" if wide or data.n_features**2 > worthwhile else "gram"
    if name == "gram" and data.n_features > LARGEST_GRAM:
        raise ValueError(
            f"preconditioner='gram' requires at most {LARGEST_GRAM} features, got "
            f"{data.n_features} features: it holds matrices of n_features^2 numbers. "
            "Use 'diagonal' or 'auto'."
        )
    return {"gram": Gram, "diagonal": Diagonal}[name]


def _find_policy(data) -> Policy:
    if not data.is_dense:
        return SPARSE
    return GPU if data.xp.wide_batches else DENSE


def _count_gram_features(data) -> int:
    """Return up to how many features the full matrix pays."""
    if data.is_dense:
        return GRAM_FEATURES
    row_size = 1 + data.n_stored // max(1, data.n_samples)
    pays = (SPARSE_GRAM_RATIO * SPARSE.batch_size * row_size) ** 0.5
    return int(min(GRAM_FEATURES, pays))


def _epochs_to_plateau(params, problem: Problem, state: State, sampler: BatchSampler):
    """Yield epochs of SGD to a plateau, and Newton steps where that is none."""
    tol, patience = params.tol or 0.0, int(params.n_iter_no_change)
    loss_at_zero = problem.loss.loss_at_zero
    is_checked = is_automatic(params) and params.tol is not None
    plateau = Plateau(tol, patience, problem.floor)
    solver = _make_sgd(params, problem, state, sampler.rng)
    for k, epoch in enumerate(solver.epochs(sampler, plateau), 1):
        _, objective, converged = epoch
        is_early = k <= EARLY_EPOCHS and objective > EARLY_LOSS * loss_at_zero
        is_suspect = is_early or params.batch_size != "auto"
        if converged and is_checked and is_suspect:
            preconditioner_class = choose_preconditioner(
                params, problem, state.preconditioner_name
            )
            bounded_problem = problem.bound_outliers()
            oracle = Oracle(bounded_problem, sampler.rows, preconditioner_class)
            newton = make_newton(oracle, state)
            if newton.gap_estimate() > LARGEST_RELATIVE_GAP * newton.objective:
                yield solver, objective, False
                yield from newton.iterate_to_plateau(tol, patience)
                return
        yield solver, objective, converged


def _epochs_that_pay(
    params, problem: Problem, state: State, rows, batch_size: int, rng
):
    """Yield epochs of SGD, of a part of many rows, while they gain enough."""
    n_rows = min(len(rows), MINIBATCH_ROWS) if params.shuffle else len(rows)
    least_gain = LEAST_EPOCH_GAIN
    if params.batch_size == "auto":
        least_gain = _find_policy(problem.data).least_epoch_gain
    if params.solver != "svrg":
        least_gain = max(params.tol or 0.0, least_gain)
    plateau = Plateau(least_gain, 1, problem.floor)
    sampler = _make_sampler(params, rows, n_rows, batch_size, rng)
    solver = _make_sgd(params, problem, state, rng)
    for _, objective, slow in solver.epochs(sampler, plateau):
        yield solver, objective, False
        if slow:
            break


def _constrained_epochs(params, problem: Problem, state: State, rows, rng):
    """Yield epochs of SGD; which cut of the weights is better shows after the first."""
    solver = run_pass(params, problem, state, rows, rng, min_share=0.0)
    problem.constraint.choose_cut(state.average)
    for weights in (state.weights, state.average):
        problem.constrain(weights)
    monitored = evenly_spaced(rows, MONITORED_ROWS)
    yield solver, problem.objective(monitored, solver.model), False
    n_outputs = problem.loss.n_outputs
    batch_size = choose_batch_size(params, problem.data, n_outputs, len(rows))
    plateau = Plateau(params.tol or 0.0, int(params.n_iter_no_change), problem.floor)
    sampler = _make_sampler(params, rows, len(rows), batch_size, rng)
    yield from solver.epochs(sampler, plateau)


def _make_sampler(params, rows, n_rows: int, batch_size: int, rng) -> BatchSampler:
    """Return epochs of n_rows rows, cut as textbooks do or all batches alike."""
    edges = batch_edges(n_rows, batch_size, even=is_automatic(params))
    return BatchSampler(rows, edges, rng, params.shuffle)


def _make_sgd(params, problem: Problem, state: State, rng, min_share=0.0) -> SGD:
    """Return the minibatch solver that the parameters ask for."""
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
    """Return what solves for all rows: with L1 on few features at a time.

    Not of dense rows that are no single batch, as their values would be copied.
    """
    copies_little = oracle.is_one_batch or not oracle.problem.data.is_dense
    if oracle.problem.penalty.makes_zeros and copies_little:
        return WorkingSets(oracle, state)
    return make_newton(oracle, state)


def _reset_if_worse_than_zeros(problem: Problem, state: State, rows) -> None:
    """Start from zeros instead of a model that has a larger objective.

    Rows on the wrong side of it may be saturated, and their curvature too small for any
    step to come back.
    """
    if not problem.data.xp.any(state.average):
        return
    monitored = problem.data.index(evenly_spaced(rows, MONITORED_ROWS))
    objective = problem.objective(monitored, state.average)
    if not objective <= problem.loss.loss_at_zero:
        state.weights[...] = 0
        state.average[...] = 0
