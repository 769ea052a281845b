"""The gradient of SVRG: unbiased, and exact at its snapshot."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._data import make_data
from sksoftmax._loss import cross_entropy
from sksoftmax._moments import ColumnScaling, measure_moments
from sksoftmax._penalty import ElasticNet
from sksoftmax._preconditioner import Diagonal, Gram
from sksoftmax._problem import Problem
from sksoftmax._solvers.newton import Newton
from sksoftmax._solvers.sampler import batch_edges
from sksoftmax._solvers.state import State
from sksoftmax._solvers.svrg import SVRGStep

LAYOUT = pytest.mark.parametrize(
    "layout", [np.asarray, sp.csr_array], ids=["dense", "csr"]
)
N_CLASSES = pytest.mark.parametrize("n_classes", [2, 10])


def make_problem(X, y, n_classes):
    rows = np.flatnonzero(y < n_classes)
    rows = rows[: len(rows) // 32 * 32]  # batches of the same size
    X, y = X[rows], y[rows]
    weight = np.linspace(0.5, 1.5, len(y))
    data = make_data(X, np.dtype(np.float64), True)
    scaling = ColumnScaling.from_moments(
        measure_moments(data, weight), True, data.dtype, may_center=True
    )
    data.set_center(scaling.center)
    penalty = ElasticNet(1e-2, 0.0, X.shape[1], True, np.float64)
    return Problem(data, y, weight, cross_entropy(n_classes), penalty, scaling)


def full_gradient(problem, weights):
    rows = np.arange(problem.data.n_samples)
    batch = problem.data.batch(rows, compact=False)
    return problem.loss_gradient(batch, weights, rows, len(rows))[1]


@N_CLASSES
@LAYOUT
def test_mean_gradient_over_an_epoch_is_that_of_all_rows(digits, layout, n_classes):
    X, y = digits
    problem = make_problem(layout(X), y, n_classes)
    rng = np.random.RandomState(0)
    weights, snapshot = rng.standard_normal((2, *problem.zeros().shape))
    order = rng.permutation(problem.data.n_samples)
    edges = batch_edges(len(order), 32, even=True)
    gradient_at_snapshot = full_gradient(problem, snapshot)

    gradients = []
    for start, stop in pairwise(edges):
        rows = order[start:stop]
        batch = problem.data.batch(rows, compact=False)
        _, change = problem.loss_gradient(batch, weights, rows, len(rows), snapshot)
        gradients.append(change + gradient_at_snapshot)

    expected = full_gradient(problem, weights)
    assert_allclose(np.mean(gradients, axis=0), expected, rtol=0, atol=1e-12)
    assert np.std(gradients, axis=0).max() > 1e-2


@N_CLASSES
@LAYOUT
def test_batch_gradient_at_the_snapshot_is_the_full_gradient(digits, layout, n_classes):
    X, y = digits
    problem = make_problem(layout(X), y, n_classes)
    weights = np.random.RandomState(0).standard_normal(problem.zeros().shape)
    rows = np.arange(0, problem.data.n_samples, 7)
    batch = problem.data.batch(rows, compact=False)

    _, change = problem.loss_gradient(batch, weights, rows, len(rows), weights)

    assert_array_equal(change, np.zeros_like(weights))


@pytest.mark.parametrize("preconditioner_class", [Gram, Diagonal])
@LAYOUT
def test_step_at_the_snapshot_follows_the_full_gradient(
    digits, layout, preconditioner_class
):
    X, y = digits
    problem = make_problem(layout(X), y, 10)
    rng = np.random.RandomState(0)
    state = State(problem.zeros(), problem.zeros())
    step = SVRGStep(problem, state, preconditioner_class, rng, damping=0.1)
    rows = np.arange(problem.data.n_samples)
    step.measure(state, rows, 32)
    snapshot = rng.standard_normal(problem.zeros().shape) * 0.1
    grad = full_gradient(problem, snapshot)
    step.set_snapshot(snapshot, grad)

    ends = []
    for _ in range(2):
        sample = rng.permutation(rows)[:32]
        batch = problem.data.batch(sample, compact=False)
        weights = snapshot.copy()
        loss, change = problem.loss_gradient(batch, weights, sample, 32, snapshot)
        step.descend(weights, change, loss, batch.active)
        ends.append(weights)

    assert_array_equal(ends[0], ends[1])
    downhill = grad + problem.penalty.gradient(snapshot)
    assert np.vdot(ends[0] - snapshot, downhill) < 0
    before, after = (problem.objective(rows, w) for w in (snapshot, ends[0]))
    assert after < before


def test_refused_epoch_halves_the_steps_once(monkeypatch):
    X, y = load_digits(return_X_y=True)
    accept_if_lower, shorten = Newton.accept_if_lower, SVRGStep.shorten
    verdicts, factors = iter([False]), []
    monkeypatch.setattr(
        Newton,
        "accept_if_lower",
        lambda *args: next(verdicts, True) and accept_if_lower(*args),
    )

    def spy(step, factor):
        factors.append(factor)
        shorten(step, factor)

    monkeypatch.setattr(SVRGStep, "shorten", spy)
    clf = SoftmaxRegressionClassifier(
        solver="svrg", batch_size=64, max_iter=12, tol=None, random_state=0
    )

    clf.fit(X / 16, y)

    # Once for the refusal; each later measurement starts from half.
    assert factors[:2] == [1.0, 0.5]
    assert set(factors[2:]) == {0.5}
    assert len(factors) == 1 + 1 + 2  # measured for epochs 0, 1 and 3
