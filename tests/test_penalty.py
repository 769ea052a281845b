"""The penalty against its formula, and many small steps at once against a loop."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar

from sksoftmax._penalty import ElasticNet


@pytest.fixture
def weights():
    return np.random.RandomState(0).standard_normal((4, 3))


def elastic_net(alpha=0.3, l1_ratio=0.0, fit_intercept=True):
    return ElasticNet(alpha, l1_ratio, 4 - fit_intercept, fit_intercept, np.float64)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
def test_value_leaves_the_intercept_out(weights, l1_ratio):
    squares, sizes = (weights[:3] ** 2).sum(), np.abs(weights[:3]).sum()

    value = elastic_net(l1_ratio=l1_ratio).value(weights)

    assert value == pytest.approx(
        0.15 * (1 - l1_ratio) * squares + 0.3 * l1_ratio * sizes
    )


def test_without_intercept_all_rows_are_penalised(weights):
    penalty = elastic_net(fit_intercept=False)

    assert penalty.value(weights) == pytest.approx(0.15 * (weights**2).sum())


def test_the_gradient_is_that_of_l2_alone(weights):
    gradient = elastic_net(l1_ratio=0.5).gradient(weights)

    assert_allclose(gradient[:3], 0.15 * weights[:3])
    assert_array_equal(gradient[3], 0)


def test_the_value_of_many_float32_weights_keeps_its_digits():
    weights = np.full((200_000, 20), 0.1, np.float32)
    penalty = ElasticNet(1e-3, 0.0, 200_000, False, np.float32)

    exact = 1e-3 / 2 * np.float64(np.float32(0.1)) ** 2 * 4e6
    assert penalty.value(weights) == pytest.approx(exact, rel=1e-6)


def test_the_pseudo_gradient_is_the_shortest_subgradient(weights):
    weights[1] = 0
    grad = np.array([[0.1] * 3, [0.05, -0.5, 0.2], [-1, 0, 1], [3, 0, -3]])
    penalty = elastic_net(l1_ratio=0.5)

    slopes = penalty.pseudo_gradient(weights, grad)

    at_zero = [0, -0.35, 0.2 - 0.15]  # 0.3 * 0.5 = 0.15 towards zero
    assert_allclose(slopes[1], at_zero, atol=1e-15)
    for row in (0, 2):
        assert_allclose(slopes[row], grad[row] + 0.15 * np.sign(weights[row]))
    assert_array_equal(slopes[3], grad[3])


def test_without_l1_the_pseudo_gradient_is_the_gradient(weights):
    assert elastic_net().pseudo_gradient(weights, weights) is weights


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("alpha", "dtype"),
    [(0.0, "f8"), (1e-310, "f8"), (1e-46, "f4"), (1e-44, "f4"), (1e-39, "f4")],
)
def test_a_strength_below_the_range_of_the_dtype_proves_no_gap(alpha, dtype, l1_ratio):
    penalty = ElasticNet(alpha, l1_ratio, 3, False, np.dtype(dtype))
    zeros, grad = np.zeros((2, 3, 1), dtype)
    grad += np.finfo(dtype).smallest_subnormal

    assert penalty.duality_gap(zeros, grad, 1.0) == (math.inf, 1.0)
    assert not penalty.penalised.any()


def test_the_gap_of_l1_with_an_l2_below_the_range_is_that_of_l1_alone(weights):
    weights, grad = weights.astype(np.float32), np.full((4, 3), 0.1, np.float32)
    pure, mixed = (
        ElasticNet(1e-36, l1_ratio, 4, False, np.float32) for l1_ratio in (1, 1 - 1e-7)
    )

    gap, factor = mixed.duality_gap(weights, grad, 1.0)

    assert mixed.penalised.all()
    assert (gap, factor) == pytest.approx(pure.duality_gap(weights, grad, 1.0))


def test_a_gradient_step_multiplies_all_but_the_intercept(weights):
    penalty = elastic_net()
    expected = weights - 0.5 * penalty.gradient(weights)

    penalty.gradient_step(0.5).repeat(weights, np.ones(4, int))

    assert_allclose(weights, expected)


def test_a_gradient_step_too_long_ends_at_zero(weights):
    intercept = weights[3].copy()

    elastic_net(alpha=10.0).gradient_step(1.0).repeat(weights, np.ones(4, int))

    assert_allclose(weights[:3], 0, atol=1e-15)
    assert_array_equal(weights[3], intercept)


@pytest.mark.parametrize("step_size", [0.1, 2.0, 50.0])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_a_proximal_step_minimises_penalty_plus_half_the_squared_distance(
    l1_ratio, step_size
):
    before, alpha = -0.7, 0.3

    def cost(weight):
        size = (1 - l1_ratio) / 2 * weight**2 + l1_ratio * abs(weight)
        return step_size * alpha * size + (weight - before) ** 2 / 2

    weights = np.full((4, 3), before)
    penalty = elastic_net(alpha, l1_ratio)
    penalty.proximal_step(step_size).repeat(weights, np.ones(4, int))

    best = minimize_scalar(cost, bounds=(-1, 1), options={"xatol": 1e-10}).x
    assert_allclose(weights[:3], best, atol=1e-6)
    assert_array_equal(weights[3], before)


@pytest.mark.parametrize("kind", ["gradient_step", "proximal_step"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_many_steps_at_once_are_as_many_steps(weights, kind, l1_ratio):
    step_size = np.array([[0.1], [0.02], [0.5], [1.0]])
    shrinkage = getattr(elastic_net(l1_ratio=l1_ratio), kind)(step_size)
    times, one_by_one = np.array([7, 0, 30, 5]), weights.copy()

    shrinkage.repeat(weights, times)

    for t in range(30):
        shrinkage.repeat(one_by_one, (times > t).astype(int))
    assert_allclose(weights, one_by_one, atol=1e-15)
    assert_array_equal(weights == 0, one_by_one == 0)
    assert l1_ratio < 1 or (weights == 0).any()


def test_only_the_rows_that_are_named_shrink(weights):
    rows = np.array([0, 2])
    shrinkage = elastic_net(l1_ratio=0.5).proximal_step(
        np.array([[0.1], [9], [2.0], [9]])
    )
    everything, some = weights.copy(), weights[rows]

    shrinkage.repeat(everything, np.full(4, 3))
    shrinkage.repeat(some, np.full(2, 3), rows)

    assert_allclose(some, everything[rows])


@pytest.mark.parametrize("kind", ["gradient_step", "proximal_step"])
@pytest.mark.parametrize("alpha", [0.0, 1e-3, 0.3])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_many_steps_against_a_drift_are_as_many_steps(kind, alpha, l1_ratio):
    rng = np.random.RandomState(0)
    n_weights = 2000
    shape = n_weights, 3
    penalty = ElasticNet(alpha, l1_ratio, n_weights - 1, True, np.float64)
    step_size = 10 ** rng.uniform(-3, 0, (n_weights, 1))
    weights = rng.standard_normal(shape) * rng.randint(0, 3, shape)  # a third zero
    drift = 10 ** rng.uniform(-4, 0, shape) * rng.randint(-1, 2, shape)
    times = rng.randint(0, 51, n_weights)
    # A step multiplies by this, then draws towards zero by that.
    l2, l1 = (
        step_size * np.append(np.full(n_weights - 1, alpha * share), 0)[:, None]
        for share in (1 - l1_ratio, l1_ratio)
    )
    factor, threshold = 1 - l2, l1
    if kind == "proximal_step":
        factor, threshold = 1 / (1 + l2), l1 / (1 + l2)
    one_by_one = weights.copy()
    for t in range(50):
        moved = factor * one_by_one - drift
        moved = np.sign(moved) * np.maximum(np.abs(moved) - threshold, 0)
        one_by_one = np.where(t < times[:, None], moved, one_by_one)

    getattr(penalty, kind)(step_size).repeat(weights, times, displacement=drift)

    assert_allclose(weights, one_by_one, rtol=1e-12, atol=1e-12)
    assert_array_equal(weights == 0, one_by_one == 0)
