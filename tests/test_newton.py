"""Newton's method on all rows: to the optimum by descent, with a bound of the gap."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax

from sksoftmax import _l1_model as l1_model
from sksoftmax._data import Batch, make_data
from sksoftmax._hessian import Hessian
from sksoftmax._loss import SigmoidCrossEntropy, SoftmaxCrossEntropy, cross_entropy
from sksoftmax._moments import ColumnScaling, measure_moments
from sksoftmax._oracle import Oracle
from sksoftmax._penalty import ElasticNet
from sksoftmax._preconditioner import Diagonal, Gram
from sksoftmax._problem import Problem
from sksoftmax._solvers.proximal_newton import make_newton
from sksoftmax._solvers.state import State

PRECONDITIONERS = pytest.mark.parametrize(
    "preconditioner_class", [Gram, Diagonal, Hessian]
)
# L1 wants a metric that can be restricted to some of the weights.
PENALTIES = pytest.mark.parametrize(
    ("preconditioner_class", "l1_ratio"),
    [(Gram, 0.0), *product([Diagonal, Hessian], [0.0, 0.5, 1.0])],
)


def make_solver(
    X, y, preconditioner_class, alpha=1e-3, l1_ratio=0.0, weights=None, dtype=np.float64
):
    data = make_data(X, dtype, True)
    weight = np.ones(X.shape[0], dtype)
    scaling = ColumnScaling.from_moments(measure_moments(data, weight), True, dtype)
    data.set_center(scaling.center)
    loss = cross_entropy(int(y.max()) + 1)
    penalty = ElasticNet(alpha, l1_ratio, X.shape[1], True, dtype)
    problem = Problem(data, y, weight, loss, penalty, scaling)
    weights = problem.zeros() if weights is None else weights
    # The whole Hessian takes over from another one.
    first = Diagonal if preconditioner_class is Hessian else preconditioner_class
    oracle = Oracle(problem, np.arange(X.shape[0]), first)
    solver = make_newton(oracle, State(weights, weights))
    if preconditioner_class is Hessian:
        solver.prepare()
        solver._curvature._class = Hessian
    return solver


def run(solver, n_steps, tol=0.0):
    """Return the objectives of n_steps steps, and whether the last converged."""
    objectives, converged = [solver.objective], False
    for _, objective, converged in solver.iterate_to_gap(tol):
        objectives.append(objective)
        if converged or len(objectives) > n_steps:
            break
    return objectives, converged


@pytest.fixture(scope="module")
def optimum(datasets):
    """Return a function that solves a problem to the last digit, once for all tests."""
    known = {}

    def optimum(name, alpha, l1_ratio):
        key = name, alpha, l1_ratio
        if key not in known:
            solver = make_solver(*datasets[name], Diagonal, alpha, l1_ratio)
            known[key] = min(run(solver, 300, 1e-11)[0])
        return known[key]

    return optimum


@pytest.mark.parametrize(
    ("n_rows", "n_features", "n_products"),
    [(30_000, 40, [2, 1, 1]), (400_000, 3, [2, 2, 1])],
    ids=["kept", "more numbers than a chunk"],
)
def test_small_tables_of_rows_by_classes_are_kept_between_products(
    monkeypatch, n_rows, n_features, n_products
):
    rng, counts = np.random.RandomState(0), []
    X, y = rng.standard_normal((n_rows, n_features)), rng.randint(3, size=n_rows)
    oracle = make_solver(X, y, Gram)._oracle
    n_chunks = -(-n_rows // make_data(X, np.float64, True).matmul_chunk_rows(3))
    weights, direction = rng.standard_normal((2, n_features + 1, 3))
    product = Batch._product
    monkeypatch.setattr(
        Batch, "_product", lambda *args: counts.append(1) or product(*args)
    )

    results = []
    for _ in range(2):
        results.append(oracle.hessian_product(weights, direction)[0])
        results.append(len(counts) / n_chunks)
        counts.clear()
    oracle.loss_gradient(weights + direction)

    assert n_chunks > 1
    assert [*results[1::2], len(counts) / n_chunks] == n_products
    assert_array_equal(results[0], results[2])


@PENALTIES
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_step_never_raises_the_objective(
    datasets, preconditioner_class, l1_ratio, dtype
):
    X, y = datasets["wine"]
    solver = make_solver(
        X.astype(dtype), y, preconditioner_class, l1_ratio=l1_ratio, dtype=dtype
    )

    objectives, _ = run(solver, 30)

    rounding = 8 * np.finfo(dtype).eps
    assert (np.diff(objectives) <= rounding).all()


@PRECONDITIONERS
def test_gradient_vanishes_where_the_steps_stop(datasets, preconditioner_class):
    X, y = datasets["wine"]
    solver = make_solver(X, y, preconditioner_class)

    objectives, converged = run(solver, 100)

    assert solver.stalled or converged
    assert len(objectives) < 60
    assert solver.gap_estimate() < 1e-14
    assert np.abs(solver._pseudo_gradient()).max() < 1e-8


@PENALTIES
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize(
    "name", ["wine", pytest.param("digits", marks=pytest.mark.slow)]
)
def test_gap_at_the_stop_is_at_most_tol(
    datasets, optimum, preconditioner_class, l1_ratio, tol, name
):
    solver = make_solver(*datasets[name], preconditioner_class, 1e-3, l1_ratio)

    objectives, converged = run(solver, 300, tol)

    assert converged
    assert objectives[-1] / optimum(name, 1e-3, l1_ratio) - 1 < tol


@PENALTIES
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
@pytest.mark.parametrize("alpha", [1e-4, 1e-1])
def test_bound_of_the_gap_is_never_below_the_gap(
    datasets, optimum, preconditioner_class, l1_ratio, name, alpha
):
    best = optimum(name, alpha, l1_ratio)
    rounding = 1e-10 * best

    for tol in (1e-2, 1e-4, 1e-6):  # the tolerance decides where it is looked for
        solver = make_solver(*datasets[name], preconditioner_class, alpha, l1_ratio)
        for _, objective, converged in solver.iterate_to_gap(tol):
            assert solver.gap_bound >= objective - best - rounding
            if converged:
                break


def test_sparse_rows_take_the_same_steps_as_dense_ones():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((60, 40)) * (rng.uniform(size=(60, 40)) < 0.1)
    X[:, 7] = 0
    y = rng.randint(3, size=60)

    dense, sparse = (
        run(make_solver(rows, y, Diagonal), 4)[0] for rows in (X, sp.csr_array(X))
    )

    assert_allclose(dense, sparse, rtol=1e-10)


def test_weights_of_empty_columns_go_to_zero_only_with_a_penalty():
    rng = np.random.RandomState(0)
    X = sp.csr_array(rng.standard_normal((60, 40)) * (rng.uniform(size=(60, 40)) < 0.1))
    X = sp.csr_array(sp.hstack([X, sp.csr_array((60, 50))]))
    y = rng.randint(3, size=60)
    start = np.ones((91, 3))

    penalised = make_solver(X, y, Diagonal, alpha=1e-3, weights=start.copy())
    free = make_solver(X, y, Diagonal, alpha=0.0, weights=start.copy())

    for solver, expected in ((penalised, 0), (free, 1)):
        next(solver.iterate_to_gap(0.0))
        assert_array_equal(solver.model[40:90], expected)


def test_steps_are_counted_in_the_state(datasets):
    X, y = datasets["iris"]
    solver = make_solver(X, y, Gram)

    run(solver, 5)

    assert solver._state.t == 5


def test_weights_that_are_no_lower_are_not_accepted(datasets):
    solver = make_solver(*datasets["iris"], Gram)
    run(solver, 3)
    model, objective = solver.model.copy(), solver.objective

    assert not solver.accept_if_lower(model + 1.0 * (np.arange(3) == 0))
    assert not solver.accept_if_lower(np.full_like(model, np.nan))
    assert_array_equal(solver.model, model)
    assert solver.objective == objective


def test_weights_that_are_lower_are_accepted(datasets):
    solver, other = (make_solver(*datasets["iris"], Gram) for _ in range(2))
    run(other, 5)

    assert solver.accept_if_lower(other.model)
    assert solver.objective == other.objective
    assert_allclose(solver.gradient_of_loss(), other.gradient_of_loss(), atol=1e-15)


def test_start_worse_than_zeros_is_replaced_by_zeros(datasets):
    X, y = datasets["iris"]
    far = 1e6 * np.random.RandomState(0).standard_normal((5, 3))

    objectives, _ = run(make_solver(X, y, Gram, weights=far), 2)

    assert objectives[0] == pytest.approx(np.log(3))


def numerical_hessian(loss, X, weights, y, sample_weight, shift=1e-5):
    """Return the Hessian in weights laid out class after class, from gradients."""

    def gradient(flat):
        raw = X @ flat.reshape(weights.shape[::-1]).T
        return (X.T @ loss.loss_gradient(raw, y, sample_weight)[1]).T.ravel()

    flat = weights.T.ravel()
    columns = [
        (gradient(flat + shift * e) - gradient(flat - shift * e)) / (2 * shift)
        for e in np.eye(flat.size)
    ]
    return np.array(columns)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_hessian_of_the_loss_is_that_of_finite_differences(n_classes):
    rng = np.random.RandomState(n_classes)
    loss = cross_entropy(n_classes)
    X, weights = rng.standard_normal((30, 4)), rng.standard_normal((4, loss.n_outputs))
    y, sample_weight = rng.randint(n_classes, size=30), rng.exponential(size=30)

    hessian = loss.hessian(loss.proba(X @ weights), X, sample_weight)

    expected = numerical_hessian(loss, X, weights, y, sample_weight)
    assert_allclose(hessian, expected, rtol=0, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 3])
def test_hessian_of_sparse_rows_densifies_few_at_a_time(n_classes):
    rng, n_rows = np.random.RandomState(0), 40_000
    X = sp.random(n_rows, 150, 0.02, format="csr", random_state=rng)
    oracle = make_solver(X, rng.randint(n_classes, size=n_rows), Diagonal)._oracle
    shape = oracle.problem.zeros().shape
    weights, direction = rng.standard_normal((2, *shape))
    product = oracle.hessian_product(weights, direction)[0]

    tracemalloc.start()
    hessian = oracle.hessian(weights)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    scale = oracle.problem.scaling.scale[oracle.active]
    result = hessian @ (scale * direction).T.ravel()
    assert_allclose(scale * result.reshape(shape[::-1]).T, product, atol=1e-10)
    assert peak < X.shape[0] * X.shape[1] * 8


@pytest.mark.parametrize("n_classes", [2, 4])
def test_hessian_of_candidates_is_a_part_of_the_whole_hessian(n_classes):
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((60, 5)), rng.randint(n_classes, size=60)
    for rows in (X, sp.csr_array(X)):
        solver = make_solver(rows, y, Diagonal, l1_ratio=1.0)
        weights = rng.standard_normal((6, solver._weights.shape[1]))
        candidates = rng.uniform(size=weights.shape) < 0.5
        candidates[-1] = True

        part = solver._oracle.hessian(weights, candidates)

        places = np.flatnonzero(candidates.T)
        whole = solver._oracle.hessian(weights)
        assert_allclose(part, whole[np.ix_(places, places)], atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_products_with_the_hessian_are_those_of_its_matrix(n_classes):
    rng = np.random.RandomState(n_classes)
    loss = cross_entropy(n_classes)
    X = rng.standard_normal((30, 4))
    weights, direction = rng.standard_normal((2, 4, loss.n_outputs))
    sample_weight = rng.exponential(size=30)
    proba = loss.proba(X @ weights)

    curved = loss.hessian_product(proba, X @ direction)

    curved = X.T @ (curved * sample_weight[:, None])
    hessian = loss.hessian(proba, X, sample_weight)
    assert_allclose(curved.T.ravel(), hessian @ direction.T.ravel(), atol=1e-12)


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("some_are_free", [False, True])
def test_hessian_as_a_preconditioner_solves_its_equations(l2, some_are_free):
    rng = np.random.RandomState(0)
    loss, X = cross_entropy(3), rng.standard_normal((50, 4))
    scale = rng.exponential(size=(4, 1))
    proba = loss.proba(X @ rng.standard_normal((4, 3)))
    sample_weight = rng.exponential(size=50)
    # The Hessian of all three classes is singular.
    more = rng.exponential(size=(3, 4))
    hessian = loss.hessian(proba, X / scale.T, sample_weight)
    hessian += np.diag((more / scale.T**2).ravel())
    strength = np.full((4, 1), l2)
    free = rng.uniform(size=(4, 3)) < 0.5 if some_are_free else np.full((4, 3), True)
    preconditioner = Hessian(hessian, strength, scale)
    preconditioner.restrict(free if some_are_free else None, 0.0)
    grad = rng.standard_normal((4, 3)) * free

    solution = preconditioner.apply(grad)

    whole = loss.hessian(proba, X, sample_weight) + np.diag(more.ravel() + l2)
    result = (whole @ solution.T.ravel()).reshape(3, 4).T
    assert_allclose(result[free], grad[free], atol=1e-6)
    assert (solution[~free] == 0).all()


def direct_divergences(n_classes, raw, change):
    """Return KL(p' || new p) of each row in extended precision, NaN without p'."""
    raw, change = raw.astype(np.longdouble), change.astype(np.longdouble)
    if n_classes == 2:
        raw, change = (np.hstack([0 * a, a]) for a in (raw, change))
    p, new = (np.exp(a - a.max(axis=1, keepdims=True)) for a in (raw, raw + change))
    p /= p.sum(axis=1, keepdims=True)
    new /= new.sum(axis=1, keepdims=True)
    expected = p * (1 + change - (p * change).sum(axis=1, keepdims=True))
    feasible = (expected >= 0).all(axis=1)
    safe = np.where(expected > 0, expected, 1)
    terms = np.where(expected > 0, safe * np.log(safe / new), 0)
    return np.where(feasible, terms.sum(axis=1), np.nan), p, new, expected


@pytest.mark.parametrize("n_classes", [2, 3, 20])
@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.1, 1.0, 5.0])
@pytest.mark.parametrize("sureness", [0.1, 3.0, 30.0])
def test_linearization_error_is_the_divergence(n_classes, size, sureness):
    rng = np.random.RandomState(n_classes)
    loss = cross_entropy(n_classes)
    raw = sureness * rng.standard_normal((200, loss.n_outputs))
    change = size * rng.standard_normal((200, loss.n_outputs))
    expected, _, new, linear = direct_divergences(n_classes, raw, change)
    feasible = np.isfinite(expected)

    errors, rest = loss.linearization_error(raw.copy(), change.copy())

    assert_allclose(errors[feasible], expected[feasible], rtol=1e-5, atol=1e-17)
    assert (errors[~feasible] == 0).all()
    assert (rest[feasible] == 0).all()
    difference = (new - linear)[:, -loss.n_outputs :]
    if feasible.any() or size > 1:
        assert_allclose(
            rest[~feasible].astype(float),
            difference[~feasible].astype(float),
            rtol=1e-6,
            atol=1e-12 * max(1, size),
        )


@pytest.mark.parametrize("loss", [SigmoidCrossEntropy(), SoftmaxCrossEntropy(4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linearization_error_of_any_change_is_finite(loss, dtype):
    rng = np.random.RandomState(0)
    sizes = 10.0 ** rng.uniform(-40, 30, (2, 300, 1))
    raw, change = sizes * rng.standard_normal((2, 300, loss.n_outputs))
    raw = np.clip(raw, -1e30, 1e30)

    errors, rest = loss.linearization_error(raw.astype(dtype), change.astype(dtype))

    assert np.isfinite(errors).all()
    assert (errors >= 0).all()
    assert np.isfinite(rest).all()


def test_linearization_errors_of_sigmoid_and_softmax_agree():
    """With two classes the softmax of (0, raw) is the sigmoid of raw."""
    rng = np.random.RandomState(0)
    raw, change = rng.standard_normal((2, 50, 1))
    two = SoftmaxCrossEntropy(2)
    assert_allclose(softmax(np.hstack([0 * raw, raw]), axis=1)[:, 1:], expit(raw))

    one_column, _ = SigmoidCrossEntropy().linearization_error(raw.copy(), change.copy())
    pair = (np.hstack([0 * a, a]) for a in (raw, change))
    two_columns, _ = two.linearization_error(*pair)

    assert_allclose(one_column, two_columns, rtol=1e-10)


@pytest.mark.parametrize("condition", [1e2, 1e8, 1e14])
@pytest.mark.parametrize("started", [False, True])
def test_minimum_of_a_quadratic_with_l1_meets_the_optimality_conditions(
    condition, started
):
    rng = np.random.RandomState(0)
    A = rng.standard_normal((60, 60)) * np.geomspace(1, condition**-0.5, 60)
    hessian, grad = A.T @ A / 60, A.T @ rng.standard_normal(60)
    strength = 0.5 * np.abs(grad)[rng.permutation(60)]
    strength[-1] = 0.0
    weights = rng.standard_normal(60) * started
    weights[::3] = 0.0

    step = l1_model.minimise(hessian, grad, strength, weights, 1e-14)

    solution, slope = weights + step, grad + hessian @ step
    zero = (solution == 0) & (strength > 0)
    assert zero.any()
    assert (np.abs(slope[zero]) <= strength[zero] * (1 + 1e-6)).all()
    expected = -strength * np.sign(solution)
    rounding = 1e-9 * np.abs(grad) + 1e-12 * np.abs(hessian) @ np.abs(step)
    assert (np.abs(slope - expected) <= rounding)[~zero].all()


def test_common_changes_of_unpenalised_weights_hide_no_other_changes():
    rng = np.random.RandomState(0)
    loss, X = cross_entropy(3), rng.standard_normal((50, 4))
    proba, weight = loss.proba(X @ rng.standard_normal((4, 3))), np.full(50, 1 / 50)
    hessian, ones = loss.hessian(proba, X, weight), np.ones((4, 1))
    preconditioner = Hessian(hessian, 0 * ones, ones, np.full((4, 1), False))
    preconditioner.restrict(None, 0.0)
    grad = rng.standard_normal((4, 3))
    grad -= grad.mean(axis=1, keepdims=True)  # as all gradients of the loss

    solution = preconditioner.apply(grad)

    expected = np.linalg.pinv(hessian, rcond=1e-12) @ grad.T.ravel()
    # The damping is a share of 1e-10 of the diagonal.
    assert_allclose(solution.T.ravel(), expected, rtol=1e-7, atol=1e-8)
    assert_allclose(solution.sum(axis=1), 0, atol=1e-9)
