"""Limited-memory BFGS (Liu and Nocedal 1989), preconditioned.

Several models can share the passes over the rows. The pairs of a step and the change of
the gradient outlive a change of the penalty: the gradient is linear in the strength, so
a pair stays exact.
"""

import math
from dataclasses import replace
from functools import partial

from sksoftmax._oracle import Oracle
from sksoftmax._preconditioner import GAP_FACTOR
from sksoftmax._solvers.line_search import wolfe_search
from sksoftmax._solvers.state import State
from sksoftmax._stacked_oracle import Evaluation

MEMORY = 5  # pairs; 10 save a tenth of 250 steps on KDD Cup 99
# Largest share of the slope that the first trial may leave: another trial costs as much
# as another step.
FIRST_WOLFE = 0.9
# Steps may promise little and gain more, hundreds of times. So on a plateau, the last
# third of the steps also gained little: at most this multiple of the least promise.
# Measured: on KDD Cup 99, promises alone end at 2.2 to 3.8 times the optimum; with
# multiples of 5, 7 and 10, it is 1.05, 1.2 and up to 2.3 times. On eleven generated
# problems (counts, one-hot columns, low rank), 1.07 times with 5 and 1.04 with 3, after
# 17 and 24 steps. Nothing changes on MNIST and normal features.
RECENT_SHARE, LARGEST_RECENT_GAIN = 1 / 3, 3.0
# L-BFGS gives up for Newton's method after this many steps without a plateau, if the
# last third of the steps gained at most this share of the objective.
FEWEST_STEPS, SLOW_RECENT_GAIN = 30, 0.05
LARGEST_PLATEAU_GAP = 4.0  # the gap of a plateau, as a multiple of the objective
# A small sample tells little of the curvature where most rows are sure of their class,
# or where features are rare, and steps then promise little at many times the optimum.
# Before a plateau, and after some steps, the matrix is thus measured on more rows, if
# that costs at most as many multiply-adds as this many passes. Measured on 42000 rows
# with two rare classes of large values, six times: 1.003 to 1.02 times the optimum
# after 14 to 23 steps, instead of 1.02 to 2.9 times after 4 to 118. On KDD Cup 99, 2^16
# rows change little, and all rows make steps worse.
MORE_ROWS, MOST_MEASURING_PASSES, MORE_AFTER_STEPS = 2**16, 8, 8


class LBFGSIterate:
    """One model, its objective, and the pairs of its last steps."""

    def __init__(self, problem, weights, evaluation) -> None:
        """Initialise at weights, (n_weights, n_outputs), with their Evaluation."""
        self.problem, self.weights, self.evaluation = problem, weights, evaluation
        self._xp = problem.data.xp
        self._pairs: list = []  # step, change of the gradient, their product
        self.n_steps, self._measure_curvature = 0, None
        self._objectives: list[float] = []  # of the steps of `iterate`
        self._set_objective()

    def set_penalty(self, penalty, preconditioner, keeps_pairs: bool = True) -> None:
        """Update in place: continue with another penalty; the pairs stay exact.

        `preconditioner` is one for the new penalty. If it knows more of the curvature
        than the pairs, they are not kept.
        """
        change = penalty.l2 - self.problem.penalty.l2
        self.problem = replace(self.problem, penalty=penalty)
        self._preconditioner, self._length, pairs = preconditioner, 1.0, self._pairs
        self._pairs = []
        for step, grad_change, _ in pairs if keeps_pairs else []:
            grad_change += change * step
            self._remember(step, grad_change)
        self._set_objective()

    def set_length(self, measure_curvature) -> None:
        """Update in place: measure how long the first step is.

        `measure_curvature` returns the curvature of the loss along a direction, at
        given weights. `iterate` will confirm plateaus by it.
        """
        self._measure_curvature, direction = measure_curvature, self._direction()
        slope = float(self._xp.vdot(self._grad, direction))
        self._length = self._best_length(direction, slope) or self._length

    def _best_length(self, direction, slope: float) -> float:
        """Return the multiple of `direction` with the lowest objective; 0 if unknown.

        `slope` is that of the objective along `direction`, and thus negative.

        Where most rows are sure of their class, the preconditioner overstates the
        curvature that is left, and steps promise too little. Measured on 50000 rows of
        100 normal features and 60 classes, nearly separable: plateaus that are
        confirmed by the curvature along the direction end at 1.00 times the optimum
        after 19 steps, instead of 1.74 times after 3. On 55 generated problems that
        ended 7 % above the optimum: 4 % in twice as many steps. MNIST takes 3 steps
        instead of 2; a probe of 1000 classes and tall data take no step more.
        """
        if self._measure_curvature is None:
            return 0.0
        curvature = self._measure_curvature(self.weights, direction)
        l2 = self.problem.penalty.l2
        curvature += float(self._xp.vdot(direction, l2 * direction))
        return -slope / curvature if curvature > 0 and slope < 0 else 0.0

    def move(self, weights, evaluation) -> None:
        """Update in place: continue from other weights, with their Evaluation."""
        self.weights, self.evaluation = weights, evaluation
        self._set_objective()

    def iterate(
        self,
        tol: float,
        max_steps: float,
        patience=1,
        most_recent=math.inf,
        least_steps=1,
    ):
        """Yield weights and receive their Evaluation; return whether it converged.

        The iteration converged if `patience` steps in a row were expected to gain less
        than `tol` times the objective, also by the curvature along each, and the last
        third of the steps gained at most `most_recent` times as much. It also converged
        if no step lowers the objective any more, and the preconditioner alone expects
        to gain less than that. There are `least_steps` steps, 0 or 1, unless the first
        one would gain nothing.
        """
        first, n_idle, self._objectives = self.n_steps, 0, [self.objective]
        while True:
            direction = self._direction()
            slope = float(self._xp.vdot(self._grad, direction))
            allowed = tol * max(self.objective, self.problem.floor)
            gained_little = self.recent_gain <= most_recent * allowed
            if self.n_steps < first + least_steps:
                allowed = min(allowed, self._rounding)
            promise = -slope / 2
            if gained_little and promise <= allowed:
                promise *= max(1.0, self._best_length(direction, slope))
            n_idle = n_idle + 1 if gained_little and promise <= allowed else 0
            if n_idle == patience:
                return True
            if self.n_steps == first + max_steps:
                return False
            if not (yield from self._step(direction, slope)):
                if not self._pairs:
                    return -slope / 2 <= tol * max(self.objective, self.problem.floor)
                self._pairs.clear()  # the next direction is the preconditioner's alone
                continue
            self._objectives.append(self.objective)

    @property
    def recent_gain(self) -> float:
        """By how much the last third of the steps lowered the objective."""
        n_recent = math.ceil(RECENT_SHARE * (len(self._objectives) - 1))
        return self._objectives[-1 - n_recent] - self._objectives[-1]

    def _step(self, direction, slope: float):
        """Yield the trials of a line search; return whether a trial was good."""
        start = self.weights, self.objective, direction, slope
        search = wolfe_search(self._xp, *start, FIRST_WOLFE, self._rounding)
        evaluations = []
        try:
            trial = next(search)
            while True:
                evaluation = yield trial
                evaluations.append((trial, evaluation))
                trial = search.send(self._add_penalty(trial, evaluation))
        except StopIteration as end:
            found = end.value
        if found is None:
            return False
        _, objective, weights, grad = found
        self._remember(weights - self.weights, grad - self._grad)
        self.weights, self.objective, self._grad = weights, objective, grad
        self.evaluation = next(e for trial, e in evaluations if trial is weights)
        self.n_steps += 1
        return True

    def _direction(self):
        """Return the direction of the two-loop recursion."""
        direction, shares = self._xp.copy(self._grad), []
        for step, change, curvature in reversed(self._pairs):
            share = float(self._xp.vdot(step, direction)) / curvature
            shares.append(share)
            direction -= share * change
        direction = self._preconditioner.apply(direction)
        direction *= self._length
        for step, change, curvature in self._pairs:
            share = shares.pop()
            share -= float(self._xp.vdot(change, direction)) / curvature
            direction += share * step
        direction *= -1
        return direction

    def _remember(self, step, change) -> None:
        """Update in place: keep the pair if its curvature is positive."""
        curvature = float(self._xp.vdot(step, change))
        preconditioned = float(
            self._xp.vdot(change, self._preconditioner.apply(change))
        )
        if curvature > 0 and preconditioned > 0:
            self._pairs = [*self._pairs[1 - MEMORY :], (step, change, curvature)]
            self._length = curvature / preconditioned

    @property
    def _rounding(self) -> float:
        return float(self._xp.finfo(self.weights.dtype).eps) * abs(self.objective)

    def _set_objective(self) -> None:
        self.objective, self._grad = self._add_penalty(self.weights, self.evaluation)

    def _add_penalty(self, weights, evaluation):
        """Return the objective and its gradient."""
        penalty = self.problem.penalty
        objective = evaluation.loss + float(penalty.value(weights))
        return objective, evaluation.grad + penalty.gradient(weights)

    def decrement(self, preconditioner=None) -> float:
        """Return <G, M G>; M is its own preconditioner, or another one."""
        preconditioner = preconditioner or self._preconditioner
        return float(self._xp.vdot(self._grad, preconditioner.apply(self._grad)))


class LBFGS:
    """L-BFGS steps of one model on all rows, after minibatches."""

    steps_per_epoch = 5  # that count as one epoch for the patience of validation

    def __init__(self, oracle: Oracle, state: State) -> None:
        """Initialise from the model in `state`, and update its model and t later."""
        self._oracle, self._state = oracle, state
        weights, problem = oracle.problem.data.xp.copy(state.average), oracle.problem
        with oracle.threads():
            self._iterate = LBFGSIterate(problem, weights, self._evaluate(weights))
            self._measure(oracle.n_measured)
            self._iterate.set_length(oracle.sampled_curvature)

    @property
    def model(self):
        """The current weights, (n_weights, n_outputs)."""
        self._state.weights = self._oracle.problem.data.xp.copy(self._iterate.weights)
        self._state.average = self._state.weights
        return self._state.weights

    def iterate_to_plateau(self, tol: float, patience: int):
        """Yield itself, the objective and whether it has converged, each step.

        The objective has converged if the last third of the steps gained little, each
        of `patience` further steps promises to lower it by less than `tol` times
        itself, and the gap is not estimated at many times the objective. The iteration
        ends earlier where many steps gain little and promise more.
        """
        rules = tol, math.inf, patience, LARGEST_RECENT_GAIN
        steps = self._iterate.iterate(*rules)
        evaluation, n_steps = None, 0
        while True:
            trial, is_plateau = _advance(steps, evaluation)
            if is_plateau and self._measure_more():
                steps = self._iterate.iterate(*rules, least_steps=0)
                trial, is_plateau = _advance(steps)
            n_new = self._iterate.n_steps - n_steps  # 0, or 1 after a good trial
            if n_new or trial is None:
                n_steps += n_new
                self._state.t += n_new
                self._state.n_averages += n_new
                objective = self._iterate.objective
                gap = GAP_FACTOR * self._iterate.decrement() if is_plateau else math.inf
                yield self, objective, gap <= LARGEST_PLATEAU_GAP * objective
            if trial is None or (n_steps >= FEWEST_STEPS and self._gains_little):
                return
            if n_steps == MORE_AFTER_STEPS:
                self._measure_more()
            with self._oracle.threads():
                evaluation = self._evaluate(trial)

    def _measure(self, n_rows: int) -> None:
        """Update in place: measure the preconditioner at the current weights."""
        oracle, problem, self._n_measured = self._oracle, self._oracle.problem, n_rows
        preconditioner = oracle.preconditioner_class.build_exactly(
            problem,
            partial(oracle.measure_hessian, n_rows=n_rows),
            self._iterate.weights,
            n_rows if n_rows < oracle.n_rows else None,
        )
        self._iterate.set_penalty(problem.penalty, preconditioner)

    def _measure_more(self) -> bool:
        """Return whether the preconditioner was measured on more rows."""
        oracle, problem = self._oracle, self._oracle.problem
        n_rows = min(oracle.n_rows, MORE_ROWS)
        work = oracle.preconditioner_class.work(problem, n_rows)
        pass_work = 2 * oracle.product_work * problem.loss.n_outputs
        if self._n_measured >= n_rows or work > MOST_MEASURING_PASSES * pass_work:
            return False
        with oracle.threads():
            self._measure(n_rows)
        return True

    @property
    def _gains_little(self) -> bool:
        gain, objective = self._iterate.recent_gain, self._iterate.objective
        return gain <= SLOW_RECENT_GAIN * objective

    def _evaluate(self, weights) -> Evaluation:
        loss, grad = self._oracle.loss_gradient(weights)
        if not math.isfinite(float(loss)):
            raise FloatingPointError(f"the loss became {float(loss)}")
        return Evaluation(float(loss), grad, None)


def _advance(steps, evaluation=None):
    """Return the next weights to evaluate, or None; and whether there is a plateau."""
    try:
        return steps.send(evaluation), False
    except StopIteration as end:
        return None, end.value
