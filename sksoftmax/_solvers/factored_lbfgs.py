"""L-BFGS on the factors of weights that are a sum of Kronecker products.

SGD projects the weights onto the nearest sum in units of the features. The objective
measures distances otherwise, so projected SGD may stop far above each local optimum.
Steps along the gradient in the factors come to a local optimum. The factors are
balanced: A_i and S_i, in units of the features, have the same norm.
"""

import math
from dataclasses import replace

import numpy as np

from sksoftmax._oracle import Oracle
from sksoftmax._penalty import ElasticNet
from sksoftmax._preconditioner import ridge
from sksoftmax._solvers.lbfgs import LBFGSIterate
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._solvers.state import State
from sksoftmax._stacked_oracle import Evaluation

# On a plateau, the last third of the steps gained at most this multiple of the least
# promise. Or this many steps in a row gained less than the least promise each.
LARGEST_RECENT_GAIN, SLOW_STEPS = 5.0, 100
DAMPING = 1e-3  # of the mean curvature, for directions that a sample misses


class FactoredLBFGS:
    """L-BFGS steps on all rows in A, S and the intercept, after minibatches."""

    steps_per_epoch = 10  # that count as one epoch for the patience of validation

    def __init__(self, oracle: Oracle, state: State) -> None:
        """Initialise from the model in `state`, and update its model and t later."""
        self._oracle, self._state, problem = oracle, state, oracle.problem
        self._sums, self._problem = problem.constraint.sums, problem
        self._n_features = problem.data.n_features
        coef, intercept = np.split(state.average, [self._n_features])
        A, S = self._sums.factors(coef.T)
        self._scale = self._sums.scale.astype(S.dtype)
        S = S * self._scale
        factors = np.concatenate([A.ravel(), S.ravel(), intercept.ravel()])[:, None]
        self._shapes = A.shape, S.shape, intercept.shape
        # The penalty of the weights is a part of the loss of the factors.
        no_penalty = ElasticNet(0.0, 0.0, factors.size, False, factors.dtype)
        factor_problem = replace(problem, penalty=no_penalty)
        with oracle.threads():
            evaluation = self._evaluate(factors)
            self._iterate = LBFGSIterate(factor_problem, factors, evaluation)
            weights = self._join(factors)
            hessian = oracle.sampled_hessian(oracle.preconditioner_class, weights)
            preconditioner = FactorPreconditioner(problem, hessian, A, S)
            self._iterate.set_penalty(no_penalty, preconditioner)
            self._iterate.set_length(self._measure_curvature)

    @property
    def model(self):
        """The current weights, (n_weights, n_outputs)."""
        self._state.weights = self._join(self._iterate.weights)
        self._state.average = self._state.weights
        return self._state.weights

    def iterate_to_plateau(self, tol: float, patience: int):
        """Yield itself, the objective and whether it has converged, each step.

        The objective has converged in three cases. First, each of `patience` further
        steps promises to lower it by less than `tol` times itself, and the last third
        of the steps gained little. Second, SLOW_STEPS steps in a row gained less than
        `tol` each. Third, rounding stops the progress, and half of the digits are
        right.
        """
        iterate, plateau = self._iterate, Plateau(tol, SLOW_STEPS, self._problem.floor)
        steps = iterate.iterate(tol, math.inf, patience, LARGEST_RECENT_GAIN)
        evaluation, n_steps = None, 0
        while True:
            try:
                trial, converged = steps.send(evaluation), False
            except StopIteration as end:
                trial, converged = None, end.value or self._is_rounded
            n_new = iterate.n_steps - n_steps  # 0, or 1 after a good trial
            if n_new or trial is None:
                n_steps += n_new
                self._state.t += n_new
                self._state.n_averages += n_new
                converged |= plateau.reached(iterate.objective)
                yield self, iterate.objective, converged
            if trial is None:
                return
            with self._oracle.threads():
                evaluation = self._evaluate(trial)

    @property
    def _is_rounded(self) -> bool:
        """Whether steps promise less than half of the digits of the objective."""
        promise, objective = self._iterate.decrement() / 2, self._iterate.objective
        eps = float(np.finfo(self._iterate.weights.dtype).eps)
        return promise <= math.sqrt(eps) * max(objective, self._problem.floor)

    def _split(self, factors):
        """Return A, S in scaled units, and the intercept, as views."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])[:-1]
        parts = np.split(factors, ends)
        return [p.reshape(s) for p, s in zip(parts, self._shapes, strict=True)]

    def _join(self, factors):
        """Return the weights, (n_weights, n_outputs)."""
        A, S, intercept = self._split(factors)
        return np.concatenate([self._sums.join(A, S / self._scale).T, intercept])

    def _evaluate(self, factors) -> Evaluation:
        """Return the objective and its gradient in the factors."""
        A, S, _ = self._split(factors)
        weights, penalty = self._join(factors), self._problem.penalty
        loss, grad = self._oracle.loss_gradient(weights)
        grad = grad + penalty.gradient(weights)
        coef_grad, intercept_grad = np.split(grad, [self._n_features])
        A_grad, S_grad = self._sums.gradient(coef_grad.T, A, S / self._scale)
        gradients = A_grad, S_grad / self._scale, intercept_grad
        flat = [part.ravel() for part in gradients]
        objective = float(loss) + float(penalty.value(weights))
        return Evaluation(objective, np.concatenate(flat)[:, None], None)

    def _measure_curvature(self, factors, direction) -> float:
        """Return the curvature of the objective as the weights move along a line."""
        # The weights are linear in A and in S, so the central difference is exact.
        step = (self._join(factors + direction) - self._join(factors - direction)) / 2
        curvature = self._oracle.sampled_curvature(self._join(factors), step)
        return curvature + float(np.vdot(step, self._problem.penalty.l2 * step))


class FactorPreconditioner:
    """Inverses of approximate Hessians in A, in S and in the intercept.

    The Hessian K of the other preconditioners serves all outputs. The weights are
    linear in A, and linear in S. So one matrix serves all rows of the A_i, and one
    matrix all rows of the S_i. A diagonal K gives the diagonals of both.
    """

    def __init__(self, problem, hessian, A, S) -> None:
        """Initialise at A and S, in scaled units, with K, as the oracle measures it."""
        n, n_features = len(A), problem.data.n_features
        self._shapes = A.shape, S.shape
        intercept = hessian[n_features:, -1].sum()  # mean square of one
        penalty = ridge(0.0, problem.scaling.scale, problem.penalty.l2, 0.0)[
            :n_features
        ]
        cut = problem.constraint.sums.cut_features
        if hessian.shape[1] > 1:
            K = cut(hessian[:n_features, :n_features] + np.diag(penalty))
            A_hessian = np.einsum("khw,lhv,jwmv->kjlm", S, S, K, optimize=True)
            S_hessian = np.einsum("kij,lim,jwmv->kwlv", A, A, K, optimize=True)
        else:
            K = cut(hessian[:n_features, 0] + penalty)
            A_hessian = np.einsum("khw,jw->kj", S**2, K)
            S_hessian = np.einsum("kij,jw->kw", A**2, K)
        self._inverses = [_invert(h, n) for h in (A_hessian, S_hessian)]
        self._intercept = 1 / intercept if intercept > 0 else 1.0

    def apply(self, grad):
        """Return the preconditioned gradient, a new array, (n_parameters, 1)."""
        parts, start = [], 0
        for inverse, shape in zip(self._inverses, self._shapes, strict=True):
            end = start + math.prod(shape)
            part = grad[start:end].reshape(shape).transpose(0, 2, 1)
            columns = part.reshape(-1, shape[1])
            is_full = inverse.ndim == 2
            columns = inverse @ columns if is_full else inverse[:, None] * columns
            parts.append(columns.reshape(part.shape).transpose(0, 2, 1).ravel())
            start = end
        parts.append(self._intercept * grad[start:, 0])
        return np.concatenate(parts).astype(grad.dtype)[:, None]


def _invert(hessian, order: int):
    """Return the damped inverse of a matrix, or of a diagonal, cut in `order` parts."""
    is_full = hessian.ndim == 4
    size = order * hessian.shape[1]
    hessian = hessian.reshape((size, size) if is_full else size).astype(np.float64)
    diagonal = np.diagonal(hessian) if is_full else hessian
    damping = DAMPING * diagonal.mean() or 1.0
    if is_full:
        return np.linalg.inv(hessian + damping * np.eye(size))
    return 1 / (hessian + damping)
