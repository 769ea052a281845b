"""The SGD loop, its averages, its stopping and its cutting of batches."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._arrays import NUMPY, evenly_spaced
from sksoftmax._data import make_data
from sksoftmax._loss import cross_entropy
from sksoftmax._moments import ColumnScaling, measure_moments
from sksoftmax._penalty import ElasticNet
from sksoftmax._preconditioner import Gram
from sksoftmax._problem import Problem
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._solvers.sampler import BatchSampler, batch_edges
from sksoftmax._solvers.sgd import SGD
from sksoftmax._solvers.state import State
from sksoftmax._solvers.steps import (
    PreconditionedStep,
    constant_schedule,
    inverse_scaling_schedule,
)


def test_plateau_stops_where_a_step_improves_too_little():
    plateau = Plateau(tol=0.1, patience=1, floor=0.0)

    assert [plateau.reached(v) for v in (10, 8, 7.3, 6.5, 5.9)] == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_plateau_waits_for_patience_steps_in_a_row():
    plateau = Plateau(tol=0.1, patience=2, floor=0.0)

    stops = [plateau.reached(v) for v in (10, 9.5, 8, 7.9, 7.8)]

    assert stops == [False, False, False, False, True]


def test_plateau_compares_with_the_best_value():
    plateau = Plateau(tol=0.0, patience=2, floor=0.0)

    assert [plateau.reached(v) for v in (5, 6, 5.5)] == [False, False, True]


def test_plateau_ends_below_the_floor():
    values = [1e-6, 5e-7]

    assert [Plateau(0.1, 1, 0.0).reached(v) for v in values] == [False, False]
    plateau = Plateau(tol=0.1, patience=1, floor=1e-3)
    assert [plateau.reached(v) for v in values] == [False, True]


def test_not_a_number_is_no_improvement():
    plateau = Plateau(tol=0.1, patience=1, floor=0.0)

    assert [plateau.reached(v) for v in (1.0, np.nan)] == [False, True]


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "even", "edges"),
    [
        (10, 4, False, [0, 4, 8, 10]),
        (10, 4, True, [0, 3, 6, 10]),
        (8, 4, True, [0, 4, 8]),
        (3, 3, False, [0, 3]),
        (1, 1, True, [0, 1]),
    ],
)
def test_batch_edges(n_rows, batch_size, even, edges):
    assert_array_equal(batch_edges(n_rows, batch_size, even), edges)


def test_spread_takes_rows_evenly():
    rows = np.arange(100, 200)

    for n_selected in (4, 7, 50, 99):
        parts = np.linspace(100, 200, n_selected + 1).astype(int)
        selected = evenly_spaced(rows, n_selected)
        assert (parts[:-1] <= selected).all()
        assert (selected < parts[1:]).all()
    assert evenly_spaced(rows, 4)[0] == 100
    assert not np.isin(evenly_spaced(rows, 4), evenly_spaced(rows, 4, shift=0.5)).any()
    assert_array_equal(evenly_spaced(rows, 1000), rows)


@pytest.mark.parametrize("period", [2, 4, 8, 32, 256])
def test_spread_meets_all_phases_of_a_period(period):
    phases = evenly_spaced(np.arange(2**16), 2048) % period

    counts = np.bincount(phases, minlength=period)
    assert counts.min() >= 0.5 * counts.mean()
    assert counts.max() <= 1.5 * counts.mean()


def test_schedules_count_from_one():
    assert [constant_schedule(0.3)(t) for t in (1, 7)] == [0.3, 0.3]
    assert [inverse_scaling_schedule(0.3, 0.5)(t) for t in (1, 4)] == [0.3, 0.15]


def test_floor_is_a_thousandth_of_the_loss_at_zero(problem):
    assert problem.floor == pytest.approx(np.log(4) / 1000)


@pytest.fixture
def sparse_rows():
    rng = np.random.RandomState(0)
    X = sp.csr_array(sp.random(960, 400, density=0.01, random_state=rng))
    return X, rng.randint(3, size=960)


@pytest.mark.parametrize("batch_size", [10, 60])
def test_averaging_is_rare_where_batches_touch_few_weights(sparse_rows, batch_size):
    X, y = sparse_rows
    clf = SoftmaxRegressionClassifier(batch_size=batch_size, random_state=0)

    clf.partial_fit(X, y, classes=[0, 1, 2])

    assert clf.t_ == 960 // batch_size
    assert 1 < clf._state["solver_state"]["n_averages"] <= clf.t_ / 4


def test_dense_batches_are_averaged_each(sparse_rows):
    X, y = sparse_rows
    clf = SoftmaxRegressionClassifier(batch_size=60, random_state=0)

    clf.partial_fit(X.toarray(), y, classes=[0, 1, 2])

    assert clf.t_ == 16
    assert clf._state["solver_state"]["n_averages"] == len(y) / 512


def test_averaging_a_row_of_weights_at_a_time_changes_nothing(sparse_rows, monkeypatch):
    X, y = sparse_rows
    clf = SoftmaxRegressionClassifier(batch_size=60, random_state=0)
    expected = clf.partial_fit(X, y, classes=[0, 1, 2]).coef_
    clf = SoftmaxRegressionClassifier(batch_size=60, random_state=0)
    monkeypatch.setattr(NUMPY, "chunk_size", 2)

    clf.partial_fit(X, y, classes=[0, 1, 2])

    assert_allclose(clf.coef_, expected, atol=1e-12)


def test_momentum_lasts_from_call_to_call(sparse_rows):
    X, y = sparse_rows[0].toarray(), sparse_rows[1]
    params = {"learning_rate": "constant", "momentum": 0.9, "shuffle": False}
    params |= {"eta0": 0.1, "average": False, "batch_size": 240}
    at_once, in_calls = (SoftmaxRegressionClassifier(**params) for _ in range(2))
    at_once.partial_fit(X, y, classes=[0, 1, 2])

    for start in range(0, 960, 240):
        rows = slice(start, start + 240)
        in_calls.partial_fit(X[rows], y[rows], classes=[0, 1, 2])

    assert_allclose(in_calls.coef_, at_once.coef_, rtol=1e-9, atol=1e-15)


@pytest.fixture
def problem():
    rng = np.random.RandomState(0)
    X, weight = rng.standard_normal((40, 3)), np.ones(40)
    data = make_data(X, np.float64, True)
    moments = measure_moments(data, weight)
    scaling = ColumnScaling.from_moments(moments, True, np.float64)
    penalty, loss = ElasticNet(0.1, 0.0, 3, True, np.float64), cross_entropy(4)
    return Problem(data, rng.randint(4, size=40), weight, loss, penalty, scaling)


@pytest.mark.parametrize("n_known", [0, 100, 10**6])
def test_earlier_curvature_of_a_stream_counts_for_at_most_a_sample(problem, n_known):
    weights, known = problem.zeros(), 2 * np.eye(4)
    state = State(weights, weights, 1, preconditioner_name="gram", hessian=known)
    state.hessian_rows, state.ridge = n_known, np.ones(4)
    step = PreconditionedStep(problem, state, Gram, np.random.RandomState(0))

    step.measure(state, np.arange(40), 40)

    new = Gram.measure(problem, np.arange(40), weights)
    n_kept = min(n_known, Gram.sample_size(40) - 40)
    mixed = (n_kept * known + 40 * new) / (n_kept + 40)
    assert_allclose(state.hessian, mixed, rtol=1e-12, atol=1e-15)
    assert state.hessian_rows == n_kept + 40


@pytest.fixture
def orders(problem):
    """Return a function of a number of epochs: the rows each takes, cut at `edges`."""

    class Recorder(SGD):
        def epoch(self, order, edges):
            taken.append(order)

    taken, weights = [], problem.zeros()
    state, rng = State(weights, weights), np.random.RandomState(0)
    step = PreconditionedStep(problem, state, Gram, rng)

    def orders(edges, n_epochs):
        solver, plateau = Recorder(problem, state, step), Plateau(0.0, 1, 0.0)
        sampler = BatchSampler(np.arange(40), np.array(edges), rng, shuffle=True)
        epochs = solver.epochs(sampler, plateau)
        for _ in range(n_epochs):
            next(epochs)
        return taken

    return orders


def test_short_epochs_take_all_rows_before_any_twice(orders):
    taken = orders([0, 5, 10], 8)

    assert_array_equal(np.sort(np.concatenate(taken[:4])), np.arange(40))
    assert_array_equal(np.sort(np.concatenate(taken[4:])), np.arange(40))
    assert (taken[0] != taken[4]).any()


def test_rows_too_few_for_an_epoch_wait_for_the_next_order(orders):
    taken = orders([0, 5, 17], 5)

    assert [len(order) for order in taken] == [17] * 5
    for first, second in [taken[:2], taken[2:4]]:
        assert len(np.intersect1d(first, second)) == 0
