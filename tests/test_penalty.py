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


def test_many_shrinkages_at_once_equal_one_after_the_other(weights):
    penalty = L2(0.3, 3, True, np.float64)
    at_once, one_by_one = weights.copy(), weights.copy()
    times = np.array([[0], [2], [5], [5]])

    penalty.shrink(at_once, 0.5, times=times)
    for row, n_times in enumerate(times[:, 0]):
        for _ in range(n_times):
            penalty.shrink(one_by_one[row : row + 1], 0.5, np.array([row]))

    assert_allclose(at_once, one_by_one, rtol=1e-14)
    assert_array_equal(at_once[3], weights[3])


def test_a_step_too_long_ends_at_zero(weights):
    penalty = L2(10.0, 3, True, np.float64)

    penalty.shrink(weights, 1.0)

    assert_array_equal(weights[:3], 0)
