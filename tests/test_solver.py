"""The SGD loop, its stopping and its cutting of batches."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sksoftmax._batches import spread
from sksoftmax._solver import (
    Plateau,
    batch_edges,
    constant,
    inverse_scaling,
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

    assert_array_equal(spread(rows, 4), [100, 125, 150, 175])
    assert_array_equal(spread(rows, 4, shift=0.5), [112, 137, 162, 187])
    assert_array_equal(spread(rows, 1000), rows)


def test_schedules_count_from_one():
    assert [constant(0.3)(t) for t in (1, 7)] == [0.3, 0.3]
    assert [inverse_scaling(0.3, 0.5)(t) for t in (1, 4)] == [0.3, 0.15]
