"""No fit stops far from the optimum without a warning, on hard random problems."""

import importlib.util
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest


def _load_battery():
    path = Path(__file__).with_name("battery.py")
    spec = importlib.util.spec_from_file_location("sksoftmax_battery", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


battery = _load_battery()

N_SEEDS, LARGEST_QUICK, LARGEST_SLOW = 400, 1e5, 3e6
SOLVERS = {
    "default": {},
    "svrg 1e-4": {"solver": "svrg", "tol": 1e-4},
    "svrg 1e-6": {"solver": "svrg", "tol": 1e-6},
}


def _seeds(n_seeds, largest):
    """Return the first seeds of problems of at most `largest` cells."""
    found, seed = [], 0
    while len(found) < n_seeds:
        _, n, d, q, *_ = battery.sizes(seed)
        if n * d * q <= largest:
            found.append(seed)
        seed += 1
    return found


# The problem of seed 10 alone takes 9 s, all others together 3 s.
QUICK = [seed for seed in _seeds(N_SEEDS // 10, LARGEST_QUICK) if seed != 10]
SLOW = [seed for seed in _seeds(N_SEEDS, LARGEST_SLOW) if seed not in QUICK]
# With max_iter=1000 these take longer than all others together.
LONG = {107, 124, 150}
SEEDS = QUICK + [pytest.param(seed, marks=pytest.mark.slow) for seed in SLOW]


@cache
def _problem(seed):
    problem = battery.make_problem(seed)
    return problem, battery.reference(problem)


@cache
def _result(seed, solver):
    problem, solution = _problem(seed)
    shorter = {"max_iter": 100} if seed in LONG else {}
    return battery.check(problem, solution, **SOLVERS[solver], **shorter)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_gap_is_within_tol_or_fit_warns(seed, solver):
    result = _result(seed, solver)
    tol = SOLVERS[solver].get("tol", 1e-2)
    # The evaluation in float64 rounds too.
    within = result.gap <= tol + result.uncertainty + 1e-12
    if solver == "default":
        within |= result.excess <= 1e-3
    assert within or result.warned, (_problem(seed)[0].description, result)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["svrg 1e-4", "svrg 1e-6"])
def test_svrg_warns_on_five_percent_at_most(solver):
    # Measured: 2.3 % with tol=1e-4 and 3.3 % with 1e-6. Most of these models are at the
    # optimum, but their penalty is too weak for a bound of the gap in float64.
    others = [seed for seed in QUICK + SLOW if seed not in LONG]
    warned = [seed for seed in others if _result(seed, solver).warned]
    # The long ones count as if they warned; another worker fits them, above.
    assert len(warned) + len(LONG) <= N_SEEDS / 20, warned


def test_reference_is_certified_by_its_lower_bound():
    gaps = []
    for problem, solution in map(_problem, QUICK):
        if solution.lower is not None:
            scale = battery.scale_of_gap(problem, solution.value)
            gaps.append((solution.value - solution.lower) / scale)
    assert min(gaps) >= -1e-7
    # Where columns of scales 1e-8 to 1e8 are collinear, dual points are not exact.
    assert np.mean(np.array(gaps) <= 1e-7) >= 0.9


def test_problems_are_the_same_for_the_same_seed():
    first, second = battery.make_problem(3), battery.make_problem(3)
    assert first.description == second.description
    np.testing.assert_array_equal(first.y, second.y)
