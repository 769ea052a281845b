"""A path of models from strong to weak penalties, cross-validated on the way.

There is a model for each split, which has not seen the test rows of the split, and a
last model of all rows. No model ever starts from another one, and each stops by its own
training rows. So the scores of test rows tell nothing that the model has seen.
"""

import math
from dataclasses import replace
from itertools import islice

import numpy as np

from sksoftmax._arrays import chunks, evenly_spaced, take
from sksoftmax._hessian import Hessian
from sksoftmax._hidden_columns import hidden_gap
from sksoftmax._oracle import Oracle
from sksoftmax._penalty import ElasticNet
from sksoftmax._preconditioner import GAP_FACTOR, Gram
from sksoftmax._problem import Problem
from sksoftmax._solvers.lbfgs import LBFGSIterate
from sksoftmax._solvers.proximal_newton import make_newton
from sksoftmax._stacked_oracle import score_sums, stack
from sksoftmax._state import make_state
from sksoftmax._strategy import phases
from sksoftmax._threads import one_blas_thread

# A step ends the iteration if it is expected to gain less than this share of `tol`
# times the objective. Measured on MNIST, with 1, .3 and .1 of a tolerance of 1e-2: the
# path takes 22, 26 and 37 passes, to held-out losses of .3073, .3052 and .3050.
GAIN_SHARE = 0.2
# Newton's method closes the gap of each model if `tol` is below this tolerance.
EXACT_TOL = 1e-2
# Newton's method also trains a model on if its gap is estimated at more than this
# multiple of the objective. Measured on ordinary data: at most .05. With a wild row, it
# is .3 to 1e6.
LARGEST_PLATEAU_GAP = 0.2
# Share of its diagonal to add to the matrix of the preconditioner. Without it, weak
# penalties would magnify rounding errors until they change the steps.
DAMPING = 1e-3
# Models of at most FEW_WEIGHTS take their whole Hessian as the preconditioner, measured
# at each strength, and again if the loss has fallen below the share LARGE_FALL.
FEW_WEIGHTS, LARGE_FALL = 100, 0.5
# So do models of MOST_WEIGHTS from the first strength at which the curvature along the
# weights has fallen to less than LEAST_CURVATURE times the share that the loss has
# fallen to. The curvature at zero is then too large in directions of much gain.
# Measured: 1.1 to 2.8 times on digits, MNIST and normal features; .5 to .9 times where
# columns of counts or with heavy tails ended silently at up to 2.5 times the optimum.
MOST_WEIGHTS, LEAST_CURVATURE, CURVATURE_ROWS = 600, 0.9, 512
# So does it with all models if the last one's gap is estimated at more than this share
# of its objective, without the rows that it is sure of. Measured with a fifth of the
# rows 1e3 to 1e8 times as large: at most 1.05 times the optimum instead of 1.05 to 4.35
# times, silently. No path of nineteen ordinary tables changes.
LARGEST_HIDDEN_GAP = 0.05
# Newton's method looks at the held-out loss after this many steps.
LOSS_STEPS = 10


def make_penalty(params, problem: Problem, alpha: float) -> ElasticNet:
    """Return the penalty of the problem's weights, of the strength alpha."""
    data = problem.data
    fit_intercept = data.n_weights > data.n_features
    return ElasticNet(
        alpha, params.l1_ratio, data.n_features, fit_intercept, data.dtype, data.xp
    )


class StackedPath:
    """Models of dense X without L1, by L-BFGS, in the same passes over the rows."""

    def __init__(
        self, params, oracle, bases: list, starts: list, sample: Problem
    ) -> None:
        """Initialise with a StackedOracle, and the weights of each model.

        `bases` are Oracles of all rows for the preconditioner, without regard to
        labels, and with bounded weights of outliers, if there are any. `sample` is the
        problem of the last model, with its rows or some of them.
        """
        self._params, self._oracle, self._sample = params, oracle, sample
        rows = np.flatnonzero(sample.data.xp.to_numpy(sample.sample_weight))
        self._rows = sample.data.index(evenly_spaced(rows, CURVATURE_ROWS))
        base, self._size = bases[0], math.prod(starts[0].shape)
        self._takes_hessian = [self._size <= FEW_WEIGHTS] * len(starts)
        self._class = base.preconditioner_class
        self._n_sampled = base.n_measured if base.n_measured < base.n_rows else None
        bases = [] if all(self._takes_hessian) else bases
        self._hessians = [self._measure(base) for base in bases]
        weights = dict(enumerate(starts))
        evaluations = self._oracle.evaluate(weights)
        self._models = [
            LBFGSIterate(problem, weights[k], evaluations[k])
            for k, problem in enumerate(oracle.problems)
        ]

    def _measure(self, base):
        """Return the preconditioner's matrix, which all models share.

        At weights of zero no label counts.
        """
        with one_blas_thread():  # see `_training.train`
            hessian = base.sampled_hessian(self._class, base.problem.zeros())
        if self._class is Gram:
            xp = base.problem.data.xp
            hessian = xp.add_to_diagonal(hessian, DAMPING * xp.diagonal(hessian))
        return hessian

    @property
    def n_passes(self) -> int:
        """Passes over the rows so far."""
        return self._oracle.n_passes

    @property
    def n_steps(self) -> int:
        """Steps of the model of all rows so far."""
        return self._models[-1].n_steps

    def train(self, alpha: float, cannot_win=None) -> bool | None:
        """Train all models at a strength; return whether all of them converged.

        The result is None, and the models are of no use, if Newton's method finds that
        the strength cannot win. `cannot_win` tells that from the sums of the losses of
        some splits, by their numbers.
        """
        params, tol, problem = self._params, self._params.tol, self._models[-1].problem
        problem = replace(problem, penalty=make_penalty(params, problem, alpha))
        first = [model.n_steps for model in self._models]
        self._choose_hessians()
        numbers, preconditioners, failed = range(len(first)), {}, []
        while numbers:
            preconditioners |= self._build(problem, numbers)
            losses = [model.evaluation.loss for model in self._models]
            steps = {}
            for k in numbers:
                model = self._models[k]
                keeps_pairs = not self._takes_hessian[k]
                model.set_penalty(problem.penalty, preconditioners[k][0], keeps_pairs)
                max_steps = params.max_iter - (model.n_steps - first[k])
                steps[k] = model.iterate(GAIN_SHARE * tol, max_steps)
            failed += self._share_passes(steps)
            numbers = [
                k
                for k in numbers
                if self._takes_hessian[k]
                and k not in failed
                and self._models[k].evaluation.loss < LARGE_FALL * losses[k]
                and losses[k] > problem.floor
            ]
        for k, model in enumerate(self._models):
            factor = 1.0 if self._takes_hessian[k] else GAP_FACTOR
            gap = factor * max(map(model.decrement, preconditioners[k]))
            largest = LARGEST_PLATEAU_GAP * max(model.objective, problem.floor)
            if k not in failed and gap > largest:
                failed.append(k)
        if self._hides_gap(problem):
            failed = list(range(len(self._models)))
        if not self._oracle.affords_newton:
            return not failed
        numbers = range(len(self._models)) if tol < EXACT_TOL else failed
        n_left = [
            params.max_iter - model.n_steps + n
            for model, n in zip(self._models, first, strict=True)
        ]
        return not numbers or self._close_gaps(numbers, n_left, cannot_win)

    def _hides_gap(self, problem) -> bool:
        """Return whether rows that the model of all rows is sure of hide its gap."""
        model, sample = self._models[-1], self._sample
        is_sample = sample is not self._oracle.problems[-1]
        sample = replace(sample, penalty=problem.penalty)
        gap = hidden_gap(sample, model.weights, is_sample=is_sample)
        return gap > LARGEST_HIDDEN_GAP * max(model.objective, problem.floor)

    def _build(self, problem, numbers) -> dict:
        """Return the preconditioners of each model, the first one for its steps."""
        weights = {
            k: self._models[k].weights for k in numbers if self._takes_hessian[k]
        }
        preconditioners = {}
        if len(weights) < len(numbers):
            shared = [
                self._class.build(problem, hessian, self._n_sampled)
                for hessian in self._hessians
            ]
            preconditioners = dict.fromkeys(numbers, shared)
        if weights:
            penalty, scale = problem.penalty, problem.scaling.scale
            for k, hessian in self._oracle.hessians(weights).items():
                whole = Hessian(hessian, penalty.l2, scale, penalty.penalised)
                whole.restrict(None, 0.0)
                preconditioners[k] = [whole]
        return preconditioners

    def _choose_hessians(self) -> None:
        """Update in place: which models take their whole Hessian from now on."""
        if all(self._takes_hessian) or self._size > MOST_WEIGHTS:
            return
        sample, data, loss = self._sample, self._sample.data, self._sample.loss
        xp, n_outputs = data.xp, loss.n_outputs
        rows = self._rows
        batch = data.batch(rows, compact=False)
        raws = batch.raw_prediction(stack(dict(enumerate(self.weights))))
        at_zero = loss.mean_curvature(loss.proba(xp.zeros((1, n_outputs), data.dtype)))
        for k, model in enumerate(self._models):
            raw = raws[:, k * n_outputs : (k + 1) * n_outputs]
            squares = xp.sum(raw**2, axis=1) * take(sample.sample_weight, rows)
            curvature = loss.mean_curvature(loss.proba(xp.copy(raw))) / at_zero[0]
            least = LEAST_CURVATURE * model.evaluation.loss / loss.loss_at_zero
            self._takes_hessian[k] |= bool(
                xp.total(squares * curvature) < least * xp.total(squares)
            )

    def _share_passes(self, steps: dict) -> list:
        """Run the steps of all models; return the numbers of those that failed."""
        evaluations, failed = dict.fromkeys(steps), []
        while evaluations:
            trials = {}
            for k, evaluation in evaluations.items():
                try:
                    trials[k] = steps[k].send(evaluation)
                except StopIteration as end:
                    if not end.value:
                        failed.append(k)
            evaluations = self._oracle.evaluate(trials) if trials else {}
        return failed

    def _close_gaps(self, numbers, n_left: list, cannot_win) -> bool | None:
        """Train models until their gaps are within `tol`, by Newton's method.

        Return what `train` returns. A model has `n_left` steps at most.
        """
        tol, weights, all_converged, sums = self._params.tol, {}, True, {}
        for k in numbers:
            if not n_left[k]:
                all_converged = False
                continue
            problem = self._models[k].problem
            rows = np.arange(problem.data.n_samples)
            state = make_state(self._models[k].weights, average=False)
            newton = make_newton(Oracle(problem, rows, self._class), state)
            steps, converged = islice(newton.iterate_to_gap(tol), n_left[k]), False
            for n_steps, (_, _, converged) in enumerate(steps):
                is_due = converged or n_steps % LOSS_STEPS == LOSS_STEPS - 1
                if is_due and cannot_win and k < len(self._models) - 1:
                    evaluation = self._oracle.evaluate({k: newton.model})[k]
                    sums[k] = evaluation.scores[0]
                    if cannot_win(sums):
                        return None
                if converged:
                    break
            all_converged &= converged
            weights[k] = newton.model
            self._models[k].n_steps += state.t
        evaluations = self._oracle.evaluate(weights) if weights else {}
        for k, evaluation in evaluations.items():
            self._models[k].move(weights[k], evaluation)
        return all_converged

    @property
    def weights(self) -> list:
        """The weights of each model, arrays that nobody writes to."""
        return [model.weights for model in self._models]

    @property
    def scores(self) -> np.ndarray:
        """The sums of `score_sums` of each split, (n_splits, 3)."""
        return np.array([model.evaluation.scores for model in self._models[:-1]])


class SeparatePaths:
    """Models of sparse X or with L1, each trained as the classifier would be."""

    def __init__(self, params, problems: list, tests: list, starts: list, rngs) -> None:
        """Initialise as StackedPath, and with a generator of each model."""
        self._params, self._problems, self._tests = params, problems, tests
        self.weights, self._rngs = list(starts), rngs
        self.n_passes = self.n_steps = 0
        self._rows = [
            np.flatnonzero(problem.data.xp.to_numpy(problem.sample_weight))
            for problem in problems
        ]

    def train(self, alpha: float, cannot_win=None) -> bool | None:
        """Train all models at a strength; return whether all of them converged.

        The result is None if the strength cannot win, see `StackedPath.train`. Some
        models are then not trained.
        """
        all_converged, sums = True, {}
        for k, problem in enumerate(self._problems):
            all_converged &= self._train(k, alpha)
            if cannot_win and k < len(self._problems) - 1:
                sums[k] = score(problem, self._tests[k], self.weights[k])[0]
                if cannot_win(sums):
                    return None
        return all_converged

    def _train(self, k: int, alpha: float) -> bool:
        """Train a model; return whether it converged."""
        params, problem = self._params, self._problems[k]
        problem = replace(problem, penalty=make_penalty(params, problem, alpha))
        # A copy: the weights of the last strength may be those to deliver.
        state = make_state(problem.data.xp.copy(self.weights[k]), average=True)
        # Data of all rows that are no single batch have no split in a single batch.
        n_rows = len(self._rows[-1])
        epochs = phases(params, problem, state, self._rows[k], self._rngs[k], n_rows)
        n_epochs, model, converged = 0, state.average, False
        for n_epochs, (solver, _, converged) in enumerate(epochs, 1):
            model = solver.model
            if converged or n_epochs == params.max_iter:
                break
        self.n_passes += n_epochs
        if k == len(self._problems) - 1:
            self.n_steps += n_epochs
        self.weights[k] = problem.data.xp.copy(model)
        return converged

    @property
    def scores(self) -> np.ndarray:
        """The sums of `score_sums` of each split, (n_splits, 3)."""
        splits = zip(self._problems, self._tests, self.weights, strict=True)
        return np.array([score(*split) for split in list(splits)[:-1]])


def score(problem: Problem, test, weights) -> np.ndarray:
    """Return the sums of `score_sums` over the test rows."""
    sums = np.zeros(3)
    for part in chunks(slice(0, len(test.numbers)), 4096):
        numbers = problem.data.index(test.numbers[part])
        raw = problem.data.batch(numbers, compact=False).raw_prediction(weights)
        sums += score_sums(problem, test, part, raw)
    return sums


def constant_model(problem: Problem, totals):
    """Return the weights of the best constant model, (n_weights, n_outputs).

    `totals`, (n_classes,), are the weights of the classes. Classes without weight get
    half of the weight of the rarest other class.
    """
    weights, data = problem.zeros(), problem.data
    if data.n_weights > data.n_features:
        logs = np.log(np.where(totals > 0, totals, totals[totals > 0].min() / 2))
        logs = logs[1:] - logs[:1] if len(logs) == 2 else logs - logs.mean()
        weights[-1, :] = data.xp.asarray(logs, data.dtype)
    return weights
