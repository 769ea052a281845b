"""Which solver takes which batches, in what order."""

import math

from sksoftmax._arrays import evenly_spaced
from sksoftmax._kronecker import better_cut
from sksoftmax._loss import cross_entropy
from sksoftmax._oracle import Oracle
from sksoftmax._preconditioner import Diagonal, Gram
from sksoftmax._problem import Problem
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._solvers.proximal_newton import make_newton
from sksoftmax._solvers.sgd import MONITORED_ROWS, SGD, batch_edges
from sksoftmax._solvers.state import State
from sksoftmax._solvers.steps import (
    PreconditionedStep,
    ScheduledStep,
    constant_schedule,
    inverse_scaling_schedule,
)
from sksoftmax._solvers.svrg import SVRG
from sksoftmax._solvers.working_sets import WorkingSets

# n_features^2 per row and column up to which one batch takes the full matrix: at 200,
# inverting it costs about what a few hundred gradients do.
_GRAM_WORK_RATIO = 200
_LEAST_EPOCH_GAIN = 0.05  # least gain of one before "svrg", where batch_size is given
_MINIBATCH_ROWS = 2**16  # after which to look whether more minibatches pay
# A plateau of minibatches is looked at from all rows where it came after this many
# epochs or, with a given batch_size, at all. Where the estimate of the gap is this many
# times the objective, it is no plateau. Measured: at most 1.4 on MNIST, 20 newsgroups
# and generated data, 500 and more where minibatches had come to nothing.
_EARLY_EPOCHS, _LARGEST_RELATIVE_GAP = 3, 4.0
_LARGEST_GRAM = 20_000  # features; its two matrices would fill several gigabytes


class Plan:
    """How the estimator's parameters want a problem to be solved."""

    def __init__(self, params) -> None:
        """Read the parameters off the attributes of `params`, the estimator."""
        self._params = params
        # Python's, as NumPy's narrow ones overflow.
        self._patience = int(params.n_iter_no_change)
        self._automatic = params.learning_rate == "auto"

    def takes_all_rows(self, data, n_rows: int, n_classes: int) -> bool:
        """Return whether each step takes all rows, from the start."""
        if not self._automatic or self._params.phm_order:
            return False
        n_outputs = cross_entropy(n_classes).n_outputs
        return (
            self._batch_size(data, n_outputs, n_rows, allow_full_batch=True) == n_rows
        )

    def epochs(self, problem: Problem, state: State, rows, rng):
        """Yield a solver, objective and whether it has converged after each epoch."""
        params, data = self._params, problem.data
        tol, is_svrg = params.tol or 0.0, params.solver == "svrg"
        if params.phm_order:
            yield from self._phm_epochs(problem, state, rows, rng, tol)
            return
        n_outputs = problem.loss.n_outputs
        batch_size = self._batch_size(data, n_outputs, len(rows), allow_full_batch=True)
        edges = self._edges(len(rows), batch_size)
        if self._automatic and batch_size == len(rows):
            oracle = Oracle(
                problem, rows, self.choose_preconditioner(problem, n_rows=len(rows))
            )
            yield from _make_solver(oracle, state).iterate_to_gap(tol)
            return
        if self._automatic:
            _reset_if_worse_than_zeros(problem, state, rows)
        may_grow = self._automatic and params.batch_size == "auto"
        prefers_passes = may_grow and (
            data.full_passes_pay or problem.penalty.makes_zeros
        )
        if not (is_svrg or prefers_passes):
            plateau = Plateau(tol, self._patience, problem.floor)
            solver = self._sgd(problem, state, rng)
            epochs = solver.epochs(rows, edges, rng, params.shuffle, plateau)
            for k, (_, objective, converged) in enumerate(epochs, 1):
                is_early = k <= _EARLY_EPOCHS or not may_grow
                if (
                    converged
                    and self._automatic
                    and is_early
                    and params.tol is not None
                ):
                    bounded_problem = problem.bound_outliers()
                    preconditioner_class = self.choose_preconditioner(
                        problem, state.preconditioner_name
                    )
                    newton = make_newton(
                        Oracle(bounded_problem, rows, preconditioner_class), state
                    )
                    if newton.gap_estimate() > _LARGEST_RELATIVE_GAP * newton.objective:
                        yield solver, objective, False
                        yield from newton.iterate_to_plateau(tol, self._patience)
                        return
                yield solver, objective, converged
            return
        is_warm = bool(data.xp.any(state.average))
        # From few weights, more are found sooner than from many the zeros.
        starts_from_zeros = (
            problem.penalty.makes_zeros and not data.full_passes_pay and may_grow
        )
        # A warm start would suffer from noise.
        if not ((is_svrg and is_warm) or starts_from_zeros):
            n_rows = min(len(rows), _MINIBATCH_ROWS) if params.shuffle else len(rows)
            least_gain = data.epochs_pay if may_grow else _LEAST_EPOCH_GAIN
            plateau = Plateau(
                least_gain if is_svrg else max(tol, least_gain), 1, problem.floor
            )
            solver = self._sgd(problem, state, rng)
            epochs = solver.epochs(
                rows, self._edges(n_rows, batch_size), rng, params.shuffle, plateau
            )
            for _, objective, slow in epochs:
                yield solver, objective, False
                if slow:
                    break
        preconditioner_class = self.choose_preconditioner(
            problem, state.preconditioner_name
        )
        if is_svrg and (data.full_passes_pay or not may_grow):
            svrg = SVRG(problem, state, rows, preconditioner_class, rng)
            yield from svrg.iterate_to_gap(edges, params.shuffle, tol, may_grow)
            return
        if not is_svrg:
            problem = problem.bound_outliers()
        solver = _make_solver(Oracle(problem, rows, preconditioner_class), state)
        if is_svrg or isinstance(solver, WorkingSets):
            yield from solver.iterate_to_gap(tol)
        else:
            passes = (2 if preconditioner_class.lazy else 1) * self._patience
            yield from solver.iterate_to_plateau(tol, passes)

    def _phm_epochs(self, problem: Problem, state: State, rows, rng, tol: float):
        """Yield the same; which cut of the weights is better shows after an epoch."""
        shuffle = self._params.shuffle
        solver = self.run_pass(problem, state, rows, rng, min_share=0.0)
        coef = state.average[: problem.data.n_features].T
        problem.penalty.sums = better_cut(int(self._params.phm_order), coef)
        for weights in (state.weights, state.average):
            problem.penalty.constrain(weights)
        monitored = evenly_spaced(rows, MONITORED_ROWS)
        yield solver, problem.objective(monitored, solver.model), False
        size = self._batch_size(problem.data, problem.loss.n_outputs, len(rows), False)
        plateau = Plateau(tol, self._patience, problem.floor)
        edges = self._edges(len(rows), size)
        yield from solver.epochs(rows, edges, rng, shuffle, plateau)

    def run_pass(
        self, problem: Problem, state: State, rows, rng, min_share: float
    ) -> SGD:
        """Make one pass of minibatch SGD; see SGD for `min_share`."""
        order = rng.permutation(rows) if self._params.shuffle else rows
        data, n_outputs = problem.data, problem.loss.n_outputs
        batch_size = self._batch_size(
            data, n_outputs, len(rows), allow_full_batch=False
        )
        solver = self._sgd(problem, state, rng, min_share)
        solver.epoch(order, self._edges(len(rows), batch_size))
        return solver

    def _batch_size(
        self, data, n_outputs: int, n_rows: int, allow_full_batch: bool
    ) -> int:
        """Return how many of these rows make a batch."""
        batch_size = self._params.batch_size
        if batch_size == "auto":
            batch_size = 256
            if self._automatic:
                work = data.n_stored * n_outputs
                batch_size = data.batch_size
                if allow_full_batch and work <= data.full_batch_work:
                    batch_size = n_rows
                elif (
                    self._params.phm_order
                ):  # the nearest sum to a long step is far away
                    batch_size = min(batch_size, max(32, n_rows // 20))
                elif n_outputs > batch_size:  # or most classes are absent
                    batch_size = min(n_outputs, 2 * batch_size)
        return min(int(batch_size), n_rows)

    def _edges(self, n_rows: int, batch_size: int):
        """Return where to cut rows into batches: as textbooks do, or all alike."""
        return batch_edges(n_rows, batch_size, even=self._automatic)

    def _sgd(self, problem: Problem, state: State, rng, min_share: float = 0.0) -> SGD:
        """Return the minibatch solver that the parameters ask for."""
        params = self._params
        if self._automatic:
            problem = problem.bound_outliers()
            preconditioner_class = self.choose_preconditioner(
                problem, state.preconditioner_name
            )
            step = PreconditionedStep(problem, state, preconditioner_class, rng)
        else:
            schedule = {
                "constant": constant_schedule(params.eta0),
                "invscaling": inverse_scaling_schedule(params.eta0, params.power_t),
            }[params.learning_rate]
            step = ScheduledStep(problem, state, schedule, params.momentum)
        return SGD(problem, state, step, min_share)

    def choose_preconditioner(
        self, problem: Problem, known_name: str | None = None, n_rows: float = math.inf
    ):
        """Return Gram or Diagonal; in a stream "auto" stays with what it has.

        `n_rows` make a batch of all the data: of few, many steps are cheaper than one
        matrix for all pairs of features.
        """
        params, data = self._params, problem.data
        name = params.preconditioner if params.preconditioner != "auto" else known_name
        if problem.penalty.makes_zeros:
            if params.preconditioner == "gram":
                raise ValueError(
                    "preconditioner='gram' was wanted with l1_ratio="
                    f"{params.l1_ratio}; proximal steps, which make weights zero, need "
                    "a diagonal metric. Use preconditioner='auto' or 'diagonal', or "
                    "l1_ratio=0."
                )
            name = "diagonal"
        if name is None:
            worthwhile = _GRAM_WORK_RATIO * n_rows * problem.loss.n_outputs
            wide = data.n_features > data.max_gram_features
            name = "diagonal" if wide or data.n_features**2 > worthwhile else "gram"
        if name == "gram" and data.n_features > _LARGEST_GRAM:
            raise ValueError(
                f"preconditioner='gram' was wanted for {data.n_features} features; it "
                f"holds matrices of n_features^2 numbers and takes {_LARGEST_GRAM} at "
                "most. Use 'diagonal' or 'auto'."
            )
        return {"gram": Gram, "diagonal": Diagonal}[name]


def _make_solver(oracle: Oracle, state: State):
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
