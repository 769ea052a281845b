"""The penalty against its formula."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._penalty import L2


@pytest.fixture
def weights():
    return np.random.RandomState(0).standard_normal((4, 3))


def test_value_and_gradient_leave_the_intercept_out(weights):
    penalty = L2(0.3, 3, True, np.float64)

    assert penalty.value(weights) == pytest.approx(0.15 * (weights[:3] ** 2).sum())
    assert_allclose(penalty.gradient(weights)[:3], 0.3 * weights[:3])
    assert_array_equal(penalty.gradient(weights)[3], 0)


def test_without_intercept_all_rows_are_penalised(weights):
    penalty = L2(0.3, 4, False, np.float64)

    assert penalty.value(weights) == pytest.approx(0.15 * (weights**2).sum())


def test_a_gradient_step_multiplies_all_but_the_intercept(weights):
    penalty = L2(0.3, 3, True, np.float64)

    factor = np.exp(penalty.log_decay(0.5))

    assert_allclose(weights - 0.5 * penalty.gradient(weights), weights * factor)


def test_a_gradient_step_too_long_ends_at_zero(weights):
    penalty = L2(10.0, 3, True, np.float64)

    factor = np.exp(penalty.log_decay(1.0))

    assert_allclose((weights * factor)[:3], 0, atol=1e-15)
    assert_array_equal((weights * factor)[3], weights[3])


def test_a_proximal_step_minimises_penalty_plus_half_the_squared_distance(weights):
    penalty = L2(0.3, 3, True, np.float64)
    step_size = np.array([[0.5], [2.0], [50.0], [1.0]])

    after = weights * np.exp(penalty.log_prox(step_size))

    # Where the derivative of step_size * penalty + distance^2 / 2 vanishes.
    assert_allclose(
        step_size * penalty.gradient(after) + after - weights, 0, atol=1e-15
    )
