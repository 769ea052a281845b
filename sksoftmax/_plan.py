"""Which solver takes which batches, in what order."""

import math

from sksoftmax._all_rows import AllRows
from sksoftmax._batches import spread
from sksoftmax._kronecker import better_cut
from sksoftmax._lbfgs import FullBatch
from sksoftmax._preconditioner import Diagonal, Gram
from sksoftmax._solver import (
    MONITORED_ROWS,
    SGD,
    AutomaticStep,
    Plateau,
    Problem,
    ScheduledStep,
    State,
    batch_edges,
    constant,
    inverse_scaling,
)
from sksoftmax._svrg import SVRG

# n_features^2 per row and column up to which one batch takes the full matrix: at 200,
# inverting it costs about what a few hundred gradients do.
_GRAM_PAYS = 200
_EPOCHS_PAY = 0.05  # least gain of one before "svrg", where batch_size is given
_MINIBATCH_ROWS = 2**16  # after which to look whether more minibatches pay
_LARGEST_GRAM = 20_000  # features; its two matrices would fill several gigabytes


class Plan:
    """How the estimator's parameters want a problem to be solved."""

    def __init__(self, params, problem: Problem) -> None:
        """Read the parameters off the attributes of `params`, the estimator."""
        self._params, self._problem = params, problem
        # Python's, as NumPy's narrow ones overflow.
        self._patience = int(params.n_iter_no_change)
        self._automatic = params.learning_rate == "auto"

    def epochs(self, state: State, rows, rng):
        """Yield a solver, objective and whether it has converged after each epoch."""
        params, problem, data = self._params, self._problem, self._problem.data
        tol, exact = params.tol or 0.0, params.solver == "svrg"
        if params.phm_order:
            yield from self._epochs_of_fewer_weights(state, rows, rng, tol)
            return
        batch_size = self._batch_size(len(rows), may_be_all=True)
        edges = self._edges(len(rows), batch_size)
        if self._automatic and batch_size == len(rows):
            all_rows = AllRows(problem, rows, self.metric(n_rows=len(rows)))
            yield from FullBatch(all_rows, state).to_the_optimum(tol)
            return
        may_grow = self._automatic and params.batch_size == "auto"
        passes_pay = may_grow and data.full_passes_pay
        if not (exact or passes_pay):
            plateau = Plateau(tol, self._patience, problem.floor)
            solver = self._sgd(state, rng)
            yield from solver.epochs(rows, edges, rng, params.shuffle, plateau)
            return
        warm = bool(data.xp.any(state.average))
        if not (exact and warm):  # a warm start would suffer from noise
            n_rows = min(len(rows), _MINIBATCH_ROWS) if params.shuffle else len(rows)
            pays = data.epochs_pay if may_grow else _EPOCHS_PAY
            plateau = Plateau(pays if exact else max(tol, pays), 1, problem.floor)
            solver = self._sgd(state, rng)
            epochs = solver.epochs(
                rows, self._edges(n_rows, batch_size), rng, params.shuffle, plateau
            )
            for _, objective, slow in epochs:
                yield solver, objective, False
                if slow:
                    break
        metric = self.metric(state.metric)
        if exact and (passes_pay or not may_grow):
            svrg = SVRG(problem, state, rows, metric, rng)
            yield from svrg.to_the_optimum(edges, params.shuffle, tol, may_grow)
            return
        full_batch = FullBatch(AllRows(problem, rows, metric), state)
        if exact:
            yield from full_batch.to_the_optimum(tol)
        else:  # passes are cheap and gain unevenly: two count as one epoch
            plateau = Plateau(tol, 2 * self._patience, problem.floor)
            yield from full_batch.while_it_pays(plateau)

    def _epochs_of_fewer_weights(self, state: State, rows, rng, tol: float):
        """Yield the same; which cut of the weights is better shows after an epoch."""
        problem, shuffle = self._problem, self._params.shuffle
        solver = self.one_pass(state, rows, rng, min_share=0.0)
        coef = state.average[: problem.data.n_features].T
        problem.penalty.sums = better_cut(int(self._params.phm_order), coef)
        for weights in (state.weights, state.average):
            problem.penalty.constrain(weights)
        monitored = spread(rows, MONITORED_ROWS)
        yield solver, problem.objective(monitored, solver.model), False
        edges = self._edges(len(rows), self._batch_size(len(rows), may_be_all=False))
        plateau = Plateau(tol, self._patience, problem.floor)
        yield from solver.epochs(rows, edges, rng, shuffle, plateau)

    def one_pass(self, state: State, rows, rng, min_share: float) -> SGD:
        """Make one pass of minibatch SGD; see SGD for `min_share`."""
        order = rng.permutation(rows) if self._params.shuffle else rows
        batch_size = self._batch_size(len(rows), may_be_all=False)
        solver = self._sgd(state, rng, min_share)
        solver.epoch(order, self._edges(len(rows), batch_size))
        return solver

    def _batch_size(self, n_rows: int, may_be_all: bool) -> int:
        """Return how many of these rows make a batch."""
        data, n_columns = self._problem.data, self._problem.loss.n_columns
        batch_size = self._params.batch_size
        if batch_size == "auto":
            batch_size = 256
            if self._automatic:
                work = data.n_stored * n_columns
                batch_size = data.batch_size
                if may_be_all and work <= data.full_batch_work:
                    batch_size = n_rows
                elif (
                    self._params.phm_order
                ):  # the nearest sum to a long step is far away
                    batch_size = min(batch_size, max(32, n_rows // 20))
                elif n_columns > batch_size:  # or most classes are absent
                    batch_size = min(n_columns, 2 * batch_size)
        return min(int(batch_size), n_rows)

    def _edges(self, n_rows: int, batch_size: int):
        """Return where to cut rows into batches: as textbooks do, or all alike."""
        return batch_edges(n_rows, batch_size, even=self._automatic)

    def _sgd(self, state: State, rng, min_share: float = 0.0) -> SGD:
        """Return the minibatch solver that the parameters ask for."""
        params, problem = self._params, self._problem
        if self._automatic:
            step = AutomaticStep(problem, state, self.metric(state.metric), rng)
        else:
            schedule = {
                "constant": constant(params.eta0),
                "invscaling": inverse_scaling(params.eta0, params.power_t),
            }[params.learning_rate]
            step = ScheduledStep(problem, state, schedule, params.momentum)
        return SGD(problem, state, step, min_share)

    def metric(self, known: str | None = None, n_rows: float = math.inf):
        """Return Gram or Diagonal; in a stream "auto" stays with what it has.

        `n_rows` make a batch of all the data: of few, many steps are cheaper than one
        matrix for all pairs of features.
        """
        params, problem, data = self._params, self._problem, self._problem.data
        name = params.preconditioner if params.preconditioner != "auto" else known
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
            worthwhile = _GRAM_PAYS * n_rows * problem.loss.n_columns
            wide = data.n_features > data.max_gram_features
            name = "diagonal" if wide or data.n_features**2 > worthwhile else "gram"
        if name == "gram" and data.n_features > _LARGEST_GRAM:
            raise ValueError(
                f"preconditioner='gram' was wanted for {data.n_features} features; it "
                f"holds matrices of n_features^2 numbers and takes {_LARGEST_GRAM} at "
                "most. Use 'diagonal' or 'auto'."
            )
        return {"gram": Gram, "diagonal": Diagonal}[name]
