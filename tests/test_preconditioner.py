"""Metric and step size against the matrices that they stand for."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._collinear import BlockDiagonal, collinear_gap, find_collinear
from sksoftmax._data import make_data
from sksoftmax._loss import cross_entropy
from sksoftmax._moments import ColumnScaling, Moments, measure_moments
from sksoftmax._penalty import ElasticNet
from sksoftmax._preconditioner import (
    CenteredDiagonal,
    Diagonal,
    Gram,
    largest_eigenvalue,
    ridge,
)
from sksoftmax._problem import Problem

ALPHA = 0.05


def make_problem(X, y, weight, n_classes, fit_intercept=True):
    data = make_data(X, np.float64, fit_intercept)
    moments = measure_moments(data, weight)
    scaling = ColumnScaling.from_moments(moments, fit_intercept, np.float64)
    data.set_center(scaling.center)
    penalty = ElasticNet(ALPHA, 0.0, X.shape[1], fit_intercept, np.float64)
    loss = cross_entropy(n_classes)
    return Problem(data, y, weight, loss, penalty, scaling)


@pytest.fixture(params=[2, 4], ids=["two classes", "four classes"])
def problem(request):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((50, 6)) * (rng.uniform(size=(50, 6)) < 0.6)
    X[:, 2] += 30  # far from zero: centered
    y, weight = rng.randint(request.param, size=50), rng.exponential(size=50)
    return make_problem(X, y, weight, request.param)


def scaled_rows(problem):
    """Return all rows centered and scaled, with their ones."""
    X = problem.data.X.copy()
    X[:, 2] -= X.T[2] @ problem.sample_weight / problem.sample_weight.sum()
    return np.hstack([X / problem.scaling.scale[:-1, 0], np.ones((len(X), 1))])


def weights_of(problem):
    rng = np.random.RandomState(1)
    return (
        0.3 * rng.standard_normal((7, problem.loss.n_outputs)) / problem.scaling.scale
    )


def full_hessian(problem, weights):
    """Return the Hessian of the objective in weights.ravel(), and the metric's K."""
    S, loss, q = scaled_rows(problem), problem.loss, problem.loss.n_outputs
    proba = loss.proba(S @ (weights * problem.scaling.scale))
    hessian = np.kron(np.diag(problem.penalty.l2[:, 0]), np.eye(q))
    rows = S * problem.scaling.scale[:, 0]
    for row, p, s in zip(rows, proba, problem.sample_weight, strict=True):
        columns = [loss.hessian_product(p[None], e[None].copy())[0] for e in np.eye(q)]
        hessian += s / len(rows) * np.kron(np.outer(row, row), np.array(columns))
    k = loss.mean_curvature(proba) * problem.sample_weight / len(rows)
    return hessian, (S * k[:, None]).T @ S


def test_gram_measures_the_weighted_gram_matrix(problem):
    weights = weights_of(problem)

    hessian = Gram.measure(problem, np.arange(50), weights)

    assert_allclose(hessian, full_hessian(problem, weights)[1], atol=1e-13)


def test_gram_applies_the_inverse(problem):
    weights = weights_of(problem)
    K = Gram.measure(problem, np.arange(50), weights)
    diagonal = ridge(np.trace(K), problem.scaling.scale, problem.penalty.l2, 0.5)
    grad = np.random.RandomState(2).standard_normal(weights.shape)

    direction = Gram(Gram.invert(K, diagonal), problem.scaling.scale).apply(grad)

    scale = np.diag(problem.scaling.scale[:, 0])
    assert_allclose(
        scale @ (K + np.diag(diagonal)) @ scale @ direction, grad, atol=1e-12
    )


@pytest.mark.parametrize("n_sampled", [120, 400, 4000])
def test_the_inverse_of_a_sampled_matrix_has_the_right_mean(n_sampled):
    n_weights, rng = 40, np.random.default_rng(0)
    ones = np.ones((n_weights, 1))
    mean = 0.0
    for _ in range(20):
        S = rng.standard_normal((n_sampled, n_weights))
        sampled = S.T @ S / n_sampled
        inverse = Gram.invert_measured(sampled, ones, ones, 0 * ones, n_sampled)
        mean += np.trace(inverse) / n_weights / 20

    assert mean == pytest.approx(1.0, abs=0.03)


def test_ridge_adds_noise_and_penalty(problem):
    diagonal = ridge(3.5, problem.scaling.scale, problem.penalty.l2, 0.5)

    assert diagonal[-1] == pytest.approx(0.5 * 3.5 / 7)
    assert_allclose(
        diagonal[:-1],
        0.5 * 3.5 / 7 + ALPHA / problem.scaling.scale[:-1, 0] ** 2,
        rtol=1e-12,
    )


def test_ridge_is_positive_without_any_curvature():
    assert ridge(0.0, np.ones((3, 1)), np.zeros((3, 1)), 0.01)[0] > 0


def test_an_indefinite_matrix_is_refused():
    with pytest.raises(FloatingPointError, match="not positive definite"):
        Gram.invert(-np.eye(3), np.zeros(3))


def test_diagonal_has_the_mean_curvature_times_the_mean_squares(problem):
    weights, weight = weights_of(problem), problem.sample_weight
    S = scaled_rows(problem)
    k = problem.loss.mean_curvature(
        problem.loss.proba(S @ (weights * problem.scaling.scale))
    )

    hessian = Diagonal.measure(problem, np.arange(50), weights)

    mean_square = weight @ S**2 / weight.sum()
    assert_allclose(hessian[:, 0], mean_square * (k @ weight) / 50, rtol=1e-10)


def test_the_centered_diagonal_has_the_variances_for_mean_squares(problem):
    X = problem.data.X + np.array([1, -0.5, 0, 0.5, 0.25, 0])
    problem = make_problem(X, problem.y, problem.sample_weight, 4)
    weights = np.zeros((7, problem.loss.n_outputs))

    hessian = CenteredDiagonal.measure(problem, np.arange(50), weights)

    assert (problem.scaling.residual_mean[[0, 1, 3, 4]] != 0).all()
    weight = problem.sample_weight / problem.sample_weight.sum()
    S = scaled_rows(problem)
    expected = (
        weight @ S**2
        - (problem.scaling.residual_mean / problem.scaling.scale)[:, 0] ** 2
    )
    shifted = problem.scaling.residual_mean[:, 0] != 0
    assert_allclose(expected[shifted], weight @ (S - weight @ S)[:, shifted] ** 2)
    k = problem.loss.mean_curvature(np.full((1, 4), 0.25))[0]
    assert_allclose(hessian[:, 0], expected * k * problem.sample_weight.mean())


def test_diagonal_of_sparse_rows_equals_that_of_dense_rows():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((50, 6)) * (rng.uniform(size=(50, 6)) < 0.3)
    y, weight = rng.randint(3, size=50), np.ones(50)
    weights = rng.standard_normal((7, 3))

    dense, sparse = (
        Diagonal.measure(make_problem(rows, y, weight, 3), np.arange(50), weights)
        for rows in (X, sp.csr_array(X))
    )

    assert_allclose(dense, sparse, rtol=1e-12)


@pytest.mark.parametrize("preconditioner_class", [Gram, Diagonal])
def test_largest_eigenvalue_is_that_of_the_preconditioned_hessian(
    problem, preconditioner_class
):
    weights, rows = weights_of(problem), np.arange(50)
    K = preconditioner_class.measure(problem, rows, weights)
    diagonal = ridge(
        preconditioner_class.trace(K), problem.scaling.scale, problem.penalty.l2, 1.0
    )
    preconditioner = preconditioner_class(
        preconditioner_class.invert(K, diagonal), problem.scaling.scale
    )
    q = weights.shape[1]
    starts = [
        (
            rng.standard_normal((7, 1)) / problem.scaling.scale,
            rng.standard_normal((1, q)),
        )
        for rng in map(np.random.RandomState, range(9))
    ]

    values = [
        largest_eigenvalue(problem, [rows], weights, preconditioner, start)
        for start in starts
    ]

    if preconditioner_class.lazy:  # its steps on the penalty are proximal
        nothing = ElasticNet(0.0, 0.0, 6, True, np.float64)
        problem = replace(problem, penalty=nothing)
    hessian, _ = full_hessian(problem, weights)
    inverse = np.array(
        [preconditioner.apply(e.reshape(7, q)).ravel() for e in np.eye(7 * q)]
    )
    exact = np.linalg.eigvals(inverse @ hessian).real.max()
    assert max(values) <= exact * (1 + 1e-9)
    assert max(values) == pytest.approx(exact, rel=0.1)


def test_largest_eigenvalue_takes_the_larger_of_two_batches(problem):
    weights, rows = weights_of(problem), np.arange(50)
    K = Gram.measure(problem, rows, weights)
    inverse = Gram.invert(K, np.ones(7))
    preconditioner = Gram(inverse, problem.scaling.scale)
    start = 1 / problem.scaling.scale, np.ones((1, weights.shape[1]))
    halves = [rows[:25], rows[25:]]

    values = [
        largest_eigenvalue(problem, batches, weights, preconditioner, start)
        for batches in ([halves[0]], [halves[1]], halves)
    ]

    assert values[2] == max(values[:2])


def moments(mean, variance, non_fill_weight=10.0, fill_value=0.0):
    values = mean, variance * 10, fill_value, non_fill_weight
    return Moments(10.0, *(np.array([value], float) for value in values))


@pytest.mark.parametrize("fill_value", [0.0, -0.25, 1e3])
def test_scale_is_the_root_mean_square_of_what_differs_from_the_usual_value(fill_value):
    # Two tenths of the entries are 3 more than the rest.
    scaling = ColumnScaling.from_moments(
        moments(fill_value + 0.6, 9 * 0.2 - 0.36, 2.0, fill_value), True, np.float64
    )

    assert_array_equal(scaling.center, [fill_value])
    assert scaling.scale[0, 0] == pytest.approx(3.0)
    assert scaling.scale[1, 0] == scaling.mean_square[1, 0] == 1
    assert scaling.mean_square[0, 0] == pytest.approx(0.2)


def test_columns_far_from_zero_are_centered_where_there_is_an_intercept():
    far = moments(30.0, 4.0)

    scaling = ColumnScaling.from_moments(far, True, np.float64)
    assert_array_equal(scaling.center, [30.0])
    assert scaling.scale[0, 0] == pytest.approx(2.0)
    scaling = ColumnScaling.from_moments(far, False, np.float64)
    assert_array_equal(scaling.center, [0])
    assert scaling.scale[:, 0] == pytest.approx([np.sqrt(904)])


@pytest.mark.parametrize("intercept", [True, False])
def test_columns_of_nothing_keep_their_scale(intercept):
    nothing = moments(0.0, 0.0, 0.0)

    scaling = ColumnScaling.from_moments(nothing, intercept, np.float64)

    assert_array_equal(scaling.scale, 1)


@pytest.mark.parametrize("value", [1e3, -1e3])
def test_constant_columns_do_not_blow_up_rounding(value):
    constant = moments(value, (1e3 * np.finfo(np.float32).eps) ** 2)

    scaling = ColumnScaling.from_moments(constant, True, np.float32)

    assert scaling.scale[0, 0] == 1e3


def test_constant_columns_have_no_scale_from_rounding():
    # Of the squares of sparse rows, rounding is left where there is no variance.
    scaling = ColumnScaling.from_moments(
        moments(1e5, 1e-6, non_fill_weight=0.0, fill_value=1e5), True, np.float64
    )

    assert_array_equal(scaling.center, [1e5])
    assert scaling.scale[0, 0] == 1e5
    assert scaling.mean_square[0, 0] == 0


@pytest.mark.parametrize(
    ("of_column", "expected"),
    [
        ({"mean": 1.0, "variance": 4.0}, 1.0),
        ({"mean": -1.0, "variance": 4.0}, -1.0),
        ({"mean": 0.01, "variance": 4.0}, 0.0),
        ({"mean": 30.0, "variance": 4.0}, 0.0),
        (
            {
                "mean": 1000.6,
                "variance": 1.44,
                "non_fill_weight": 2.0,
                "fill_value": 1e3,
            },
            0.6,
        ),
        (
            {
                "mean": 1000.001,
                "variance": 1.44,
                "non_fill_weight": 2.0,
                "fill_value": 1e3,
            },
            0.0,
        ),
    ],
    ids=[
        "above",
        "below",
        "slightly above",
        "centered",
        "off the usual",
        "on the usual",
    ],
)
def test_offsets_are_of_columns_that_correlate_with_the_intercept(of_column, expected):
    scaling = ColumnScaling.from_moments(moments(**of_column), True, np.float64)

    assert_allclose(scaling.residual_mean[:, 0], [expected, 0])


def test_what_is_usual_no_longer_is_no_center():
    scaling = ColumnScaling.from_moments(
        moments(1.0, 4.0, non_fill_weight=8.0, fill_value=30.0), True, np.float64
    )

    assert_array_equal(scaling.center, [0.0])
    assert scaling.scale[0, 0] == pytest.approx(np.sqrt(5))


def test_huge_values_are_refused_by_the_feature():
    squares, zeros = np.array([1.0, 1e38]), np.zeros(2)
    huge = Moments(10.0, zeros, squares, zeros, np.full(2, 10.0))

    with pytest.raises(
        ValueError, match=r"got 3\.2e\+18 for feature 1\..*X as float64"
    ):
        ColumnScaling.from_moments(huge, True, np.float32)
    ColumnScaling.from_moments(huge, True, np.float64)


# Collinear columns of sparse X


@pytest.fixture(params=[True, False], ids=["intercept", "no intercept"])
def sparse_problem(request):
    rng = np.random.default_rng(0)
    rare = rng.standard_normal((300, 6)) * (rng.uniform(size=(300, 6)) < 0.05)
    numbers = rng.standard_normal((300, 1)) + 0.1 * rng.standard_normal((300, 3))
    X = sp.csr_array(np.hstack([rare[:, :4], 100 * numbers, rare[:, 4:]]))
    y, weight = rng.integers(4, size=300), rng.exponential(size=300)
    return make_problem(X, y, weight, 4, request.param)


def test_collinear_columns_beside_rare_ones_are_found(sparse_problem):
    assert_array_equal(find_collinear(sparse_problem, np.arange(300)), [4, 5, 6])


def test_independent_and_one_hot_columns_are_not_collinear():
    rng = np.random.default_rng(0)
    numbers = np.hstack(
        [rng.standard_normal((300, 3)), np.eye(3)[rng.integers(3, size=300)]]
    )
    X = sp.csr_array(numbers)
    problem = make_problem(X, rng.integers(4, size=300), np.ones(300), 4)

    assert find_collinear(problem, np.arange(300)) is None


def block_matrix(problem, block):
    """Return K of the weights in `block` at weights of zero, plus the penalty."""
    S = problem.data.X.toarray()
    if problem.data.n_weights > problem.data.n_features:
        S = np.hstack([S, np.ones((len(S), 1))])
    k = problem.loss.mean_curvature(np.full((len(S), 4), 0.25))
    K = (S.T * (k * problem.sample_weight / len(S))) @ S
    return (K + np.diag(problem.penalty.l2[:, 0]))[np.ix_(block, block)]


def test_the_block_diagonal_inverts_the_matrix_of_collinear_columns(sparse_problem):
    problem = replace(sparse_problem, collinear=np.array([4, 5, 6]))
    n_weights = problem.data.n_weights
    hessian = BlockDiagonal.measure(problem, np.arange(300), np.zeros((n_weights, 4)))

    preconditioner = BlockDiagonal.build(problem, hessian, None)
    M = preconditioner.apply(np.eye(n_weights))

    block = np.append([4, 5, 6], np.arange(9, n_weights))
    expected = np.linalg.inv(block_matrix(problem, block))
    assert_allclose(M, M.T, atol=1e-12)
    assert np.linalg.eigvalsh(M).min() > 0
    assert_allclose(M[4:7, 4:7], expected[:3, :3], rtol=1e-4)


def test_the_block_diagonal_knows_the_order_of_the_weights(sparse_problem):
    problem = replace(sparse_problem, collinear=np.array([4, 5, 6]))
    n_weights, rng = problem.data.n_weights, np.random.default_rng(1)
    hessian = BlockDiagonal.measure(problem, np.arange(300), np.zeros((n_weights, 4)))
    active = np.append(rng.permutation(n_weights - 1), n_weights - 1)
    grad = rng.standard_normal((n_weights, 4))

    preconditioner = BlockDiagonal.build(problem, hessian, None, active)
    direction = preconditioner.apply(grad[active])

    expected = BlockDiagonal.build(problem, hessian, None).apply(grad)[active]
    assert_allclose(direction, expected, rtol=1e-10, atol=1e-12)


def test_the_gap_of_collinear_columns_is_ten_times_their_decrement(sparse_problem):
    problem = replace(sparse_problem, collinear=np.array([4, 5, 6]))
    weights = np.zeros((problem.data.n_weights, 4))
    weights[4] = 1e-3

    gap = collinear_gap(problem, np.arange(300), weights)

    batch = problem.data.batch(slice(None), compact=False)
    grad = problem.loss_gradient(batch, weights, np.arange(300), 300)[1]
    grad += problem.penalty.gradient(weights)
    block = np.append([4, 5, 6], np.arange(9, len(weights)))
    step = np.linalg.solve(block_matrix(problem, block), grad[block])
    assert gap == pytest.approx(10 * np.vdot(grad[block], step), rel=0.05)
