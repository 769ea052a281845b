"""Gaps, warnings and CPU time on the random problems of tests/battery.py.

Run: python docs/benchmarks/battery.py --seeds 0 400 --solver svrg --tol 1e-4

LogisticRegression solves the same problem with tighter and tighter `tol` until it comes
as near to the optimum as ours did; the quickest of its solvers that does is compared.
"""

import argparse
import importlib.util
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

PATH = Path(__file__).resolve().parents[2] / "tests" / "battery.py"
SPEC = importlib.util.spec_from_file_location("sksoftmax_battery", PATH)
battery = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = battery
SPEC.loader.exec_module(battery)

TOLERANCES = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10)


def sklearn_seconds(problem, target, give_up_after):
    """Return CPU seconds and solver of the quickest fit with an objective of `target`.

    None where no solver comes as near, or where y holds probabilities.
    """
    if problem.y.ndim == 2:
        return None
    Y, _ = battery.weighted_targets(problem)
    weight = problem.sample_weight
    weight = np.ones(len(Y)) if weight is None else weight.astype(float)
    params = dict(problem.params)
    alpha, l1_ratio = params.pop("alpha"), params.pop("l1_ratio")
    total = (weight * battery.row_factors(problem, Y, weight)).sum()
    C = 1 / (alpha * total) if alpha else np.inf
    solvers = ["lbfgs", "newton-cholesky"]
    if alpha and l1_ratio:
        solvers, params["l1_ratio"] = ["saga"], l1_ratio
    X, found = problem.X, []
    n_weights = X.shape[1] * Y.shape[1]
    for solver in solvers:
        if solver == "newton-cholesky" and n_weights > 3000:
            continue
        for tol in TOLERANCES:
            clf = LogisticRegression(
                C=C, solver=solver, tol=tol, max_iter=3000, random_state=0, **params
            )
            start = time.process_time()
            try:
                with warnings.catch_warnings(), threadpool_limits(1):
                    warnings.simplefilter("ignore")
                    clf.fit(X, problem.y, problem.sample_weight)
            except ValueError:
                break
            seconds = time.process_time() - start
            value = battery.objective(problem, clf.coef_, clf.intercept_)
            if value <= target:
                found.append((seconds, solver))
                break
            if seconds > give_up_after:
                break
    return min(found, default=None)


def measure(seed, options):
    """Print a line about one problem and return it as a dict."""
    problem = battery.make_problem(seed)
    solution = battery.reference(problem)
    params = {} if options.solver == "default" else {"solver": options.solver}
    params["tol"] = options.tol
    row = {"seed": seed, "problem": problem}
    try:
        result = battery.check(problem, solution, **params)
    except Exception as error:  # a failure like others, to be counted
        print(f"{problem.description}\n    {type(error).__name__}: {error}", flush=True)
        return {**row, "failed": True, "ratio": None, "warned": False}
    within = result.gap <= options.tol + result.uncertainty + 1e-12
    if options.solver == "default":
        within |= result.excess <= 1e-3
    failed = not (within or result.warned)
    ratio, rival = None, None
    if options.ratios and within:
        scale = battery.scale_of_gap(problem, solution.value)
        target = solution.value + max(result.gap, 1e-9) * scale
        rival = sklearn_seconds(problem, target, 20 * result.seconds + 1)
        ratio = result.seconds / max(rival[0], 1e-4) if rival else None
    line = (
        f"{'FAIL' if failed else 'warn' if result.warned else 'ok':4s} "
        f"gap {result.gap:9.1e} unsure {result.uncertainty:7.1e} "
        f"steps {result.steps:5d} CPU {result.seconds:7.3f} s"
    )
    if ratio:
        line += f" = {ratio:6.1f} x {rival[1]}"
    print(line, problem.description, flush=True)
    return {**row, "failed": failed, "ratio": ratio, **result._asdict()}


def summarize(rows):
    """Print counts of failures by group, and the slowest fits against sklearn's."""
    failed = [row for row in rows if row["failed"]]
    warned = [row for row in rows if row["warned"]]
    print(f"\n{len(rows)} problems: {len(failed)} failed, {len(warned)} warned")
    all_tags, tags, loud = Counter(), Counter(), Counter()
    for row in rows:
        all_tags.update(row["problem"].tags)
        tags.update(row["problem"].tags if row["failed"] else ())
        loud.update(row["problem"].tags if row["warned"] else ())
    for tag in sorted(all_tags):
        print(
            f"{tag:20s} {tags[tag]:4d} failed {loud[tag]:4d} warned of {all_tags[tag]}"
        )
    print("seeds failed:", *(row["seed"] for row in failed))
    print("seeds warned:", *(row["seed"] for row in warned))
    rated = sorted((r for r in rows if r["ratio"]), key=lambda r: -r["ratio"])
    if rated:
        median = np.median([row["ratio"] for row in rated])
        print(f"CPU time against LogisticRegression: median {median:.2g}; the worst:")
    for row in rated[:5]:
        print(
            f"{row['ratio']:7.1f} x, {row['seconds']:.3f} s, "
            f"{row['problem'].description}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 400))
    parser.add_argument(
        "--solver", choices=["default", "sgd", "svrg"], default="default"
    )
    parser.add_argument("--tol", type=float)
    parser.add_argument(
        "--largest",
        type=float,
        default=np.inf,
        help="leave out problems of more n * d * q",
    )
    parser.add_argument("--no-ratios", dest="ratios", action="store_false")
    options = parser.parse_args()
    if options.tol is None:
        options.tol = 1e-4 if options.solver == "svrg" else 1e-2
    rows = []
    for seed in range(*options.seeds):
        _, n, d, q, *_ = battery.sizes(seed)
        if n * d * q <= options.largest:
            rows.append(measure(seed, options))
    summarize(rows)


if __name__ == "__main__":
    main()
