"""Newton's method with L1 on few features at a time: most weights stay zero.

The problem is solved with the features that have weights and those that miss the
optimality conditions by most; the gradient in all features then shows which others are
missing (Massias, Gramfort and Salmon 2018).
"""

import numpy as np

from sksoftmax._newton import Newton

FEWEST = 50  # features in the first set
# The gap to leave with some of the features, as a share of that with all of them. Where
# no feature is missing, as a share of the last one.
SHARE = 0.1
# Of the gap wanted: if less is left with some features, more digits are no help.
LEAST_SHARE = 1e-4
# Passes over the rows in a step: they are cheap with few features. Measured on 4500
# rows of 20 newsgroups: 24 s with 8 passes, 9 s with 30, more than 9 s with 100.
MAX_PASSES = 30


class WorkingSets:
    """Solves the problem with some of the features until the others may stay zero."""

    slowness = Newton.slowness

    def __init__(self, all_rows, state) -> None:
        """Start from the model in `state` and leave it the model and t."""
        self._all_rows, self._state = all_rows, state
        self._all = Newton(all_rows, state)

    def iterate_to_gap(self, tol: float):
        """Yield a solver, the objective and whether its gap is within tol, each step.

        The gap is that to the optimum with all features.
        """
        problem, newton = self._all_rows.problem, self._all
        features, size, inner_tol = np.empty(0, np.intp), FEWEST, SHARE
        while inner_tol > LEAST_SHARE * tol:
            in_use, missing = newton.features_to_move()
            size = max(size, 2 * len(in_use))
            features = np.union1d(in_use, missing[: size - len(in_use)])
            if not 0 < len(features) <= problem.data.n_features // 2:
                break
            some_rows = self._all_rows.of_features(features)
            newton.save()
            some = Newton(some_rows, self._state, MAX_PASSES)
            for _, objective, converged in some.iterate_to_gap(inner_tol):
                if converged:
                    break
                yield some, objective, False
            newton.take_over(some, tol)
            yield newton, newton.objective, newton.gap_is_within(tol)
            gap = newton.gap_bound / max(newton.objective, problem.floor)
            inner_tol = min(inner_tol, max(SHARE * gap, 0.5 * tol))
            if not len(missing):
                inner_tol *= SHARE
        newton.save()
        yield from newton.iterate_to_gap(tol)
