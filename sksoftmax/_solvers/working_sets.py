"""Newton's method with L1 on few features at a time: most weights stay zero.

A working set has the features with weights and the features that violate the optimality
conditions most. After a solution, the gradient in all features shows which features are
missing (Massias, Gramfort and Salmon 2018).
"""

import numpy as np

from sksoftmax._solvers.newton import Newton
from sksoftmax._solvers.proximal_newton import make_newton

FEWEST_FEATURES = 50  # features in the first set
# Allowed gap in a working set, as a share of the gap with all features. If no feature
# is missing, the share is of the last allowed gap.
GAP_SHARE = 0.1
# Share of the required gap, or of rounding if none is required. A smaller gap in a
# working set does not help.
LEAST_GAP_SHARE = 1e-4
# Passes over the rows in a step, cheap with few features. Measured on 4500
# rows of 20 newsgroups: 24 s with 8 passes, 9 s with 30, more than 9 s with 100.
MAX_PASSES = 30


class WorkingSets:
    """A solver of a growing part of the features, until the others may stay zero."""

    steps_per_epoch = Newton.steps_per_epoch

    def __init__(self, oracle, state) -> None:
        """Initialise from the model in `state`, and update its model and t later."""
        self._oracle, self._state = oracle, state
        self._newton = make_newton(oracle, state)

    def iterate_to_gap(self, tol: float):
        """Yield a solver, the objective and whether its gap is within tol, each step.

        The gap is the distance to the optimum with all features.
        """
        problem, newton = self._oracle.problem, self._newton
        features, size, inner_tol = np.empty(0, np.intp), FEWEST_FEATURES, GAP_SHARE
        best, tried = newton.objective, features  # features since the best objective
        eps = float(problem.data.xp.finfo(problem.data.dtype).eps)
        while inner_tol > LEAST_GAP_SHARE * (tol or eps):
            active_features, missing = newton.rank_features()
            size = max(size, 2 * len(active_features))
            features = np.union1d(
                active_features, missing[: size - len(active_features)]
            )
            if not 0 < len(features) <= problem.data.n_features // 2:
                break
            restricted_oracle = self._oracle.select_features(features)
            newton.save()
            restricted = make_newton(restricted_oracle, self._state, MAX_PASSES)
            for _, objective, converged in restricted.iterate_to_gap(inner_tol):
                if converged:
                    break
                yield restricted, objective, False
            newton.adopt(restricted, tol)
            yield newton, newton.objective, newton.gap_is_within(tol)
            gap = newton.gap_bound / max(newton.objective, problem.floor)
            inner_tol = min(inner_tol, max(GAP_SHARE * gap, 0.5 * tol))
            is_idle = False
            if newton.objective < best:
                best, tried = newton.objective, features
            else:
                is_idle = bool(np.isin(features, tried).all())
                tried = np.union1d(tried, features)
            if is_idle and restricted.stalled:
                break  # the next set would be the same, and no step would lower it
            # Rounding alone misses features that were in an idle set.
            if is_idle or not len(missing):
                inner_tol *= GAP_SHARE
        newton.save()
        yield from newton.iterate_to_gap(tol)
