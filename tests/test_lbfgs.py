"""Full-batch L-BFGS: goes to the optimum, by descent only."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._all_rows import AllRows
from sksoftmax._batches import training_rows
from sksoftmax._lbfgs import FullBatch
from sksoftmax._loss import cross_entropy
from sksoftmax._penalty import ElasticNet
from sksoftmax._preconditioner import Diagonal, Gram, center_and_scale
from sksoftmax._solver import Problem, State


def make_solver(X, y, metric, alpha=1e-3, l1_ratio=0.0, weights=None, dtype=np.float64):
    data = training_rows(X, dtype, True)
    weight = np.ones(X.shape[0], dtype)
    center, *of_columns = center_and_scale(data.moments(weight), True, dtype)
    data.center_at(center)
    loss = cross_entropy(int(y.max()) + 1)
    penalty = ElasticNet(alpha, l1_ratio, X.shape[1], True, dtype)
    problem = Problem(data, y, weight, loss, penalty, *of_columns)
    weights = problem.zeros() if weights is None else weights
    rows = np.arange(X.shape[0])
    return FullBatch(AllRows(problem, rows, metric), State(weights, weights))


def run(solver, n_steps, tol=0.0):
    """Return the objectives of so many steps, and whether the last had converged."""
    objectives = [solver.objective]
    for _, objective, converged in solver.to_the_optimum(tol):
        objectives.append(objective)
        if converged or len(objectives) > n_steps:
            return objectives, converged


@pytest.mark.parametrize("metric", [Gram, Diagonal])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_step_raises_the_objective(datasets, metric, dtype):
    X, y = datasets["wine"]
    objectives, _ = run(make_solver(X.astype(dtype), y, metric, dtype=dtype), 30)

    rounding = 8 * np.finfo(dtype).eps
    assert (np.diff(objectives) <= rounding).all()


def test_at_the_optimum_the_gradient_vanishes_and_it_stops(datasets):
    X, y = datasets["wine"]
    solver = make_solver(X, y, Gram)

    _, converged = run(solver, 500)

    assert converged
    assert solver.gap_estimate() < 1e-14


@pytest.mark.parametrize("metric", [Gram, Diagonal])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
def test_the_gap_at_the_stop_is_at_most_tol(datasets, metric, l1_ratio, tol):
    X, y = datasets["digits"]
    optimum = min(run(make_solver(X, y, Diagonal, l1_ratio=l1_ratio), 3000, 1e-12)[0])
    solver = make_solver(X, y, metric, l1_ratio=l1_ratio)

    objectives, converged = run(solver, 3000, tol)

    assert converged
    assert tol / 100 < objectives[-1] / optimum - 1 < tol


def test_sparse_rows_take_the_same_steps_as_dense_ones():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((60, 40)) * (rng.uniform(size=(60, 40)) < 0.1)
    X[:, 7] = 0
    y = rng.randint(3, size=60)

    dense, sparse = (
        run(make_solver(rows, y, Diagonal), 12)[0] for rows in (X, sp.csr_array(X))
    )

    assert_allclose(dense, sparse, rtol=1e-10)


def test_weights_of_absent_columns_go_to_their_optimum():
    rng = np.random.RandomState(0)
    X = sp.csr_array(rng.standard_normal((60, 40)) * (rng.uniform(size=(60, 40)) < 0.1))
    X = sp.csr_array(sp.hstack([X, sp.csr_array((60, 50))]))
    y = rng.randint(3, size=60)
    start = np.ones((91, 3))

    penalised = make_solver(X, y, Diagonal, alpha=1e-3, weights=start.copy())
    free = make_solver(X, y, Diagonal, alpha=0.0, weights=start.copy())

    for solver, expected in ((penalised, 0), (free, 1)):
        next(solver.to_the_optimum(0.0))
        assert_array_equal(solver.model[40:90], expected)


def test_it_counts_its_steps_in_the_state(datasets):
    X, y = datasets["iris"]
    solver = make_solver(X, y, Gram)

    run(solver, 5)

    assert solver._state.t == 5
