"""Run ours and the peers side by side and write a table and figures.

python docs/benchmarks/run.py [--data DIR] [--task NAME] [--peers NAME] [--quick]

Ours is fitted before and after each fit of a peer, so that all see the same machine.
The quality that a fit has to reach is LogisticRegression's of the same run.
"""

import argparse
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from statistics import median

import costs
import gaps
import numpy as np
import quality
import report
from systems import OURS, PEERS, REFERENCE, TORCH_RATES, Fit, System, torch_epochs
from tasks import FROM_FILES, TASKS, Task
from threadpoolctl import threadpool_info

SLOW = 20.0  # seconds; a peer's fits that take longer are not repeated
LIBRARIES = (
    *("sksoftmax", "numpy", "scipy", "scikit-learn", "scikit-learn-intelex"),
    *("snapml", "torch", "river", "mlxtend"),
)


def machine() -> dict:
    """Return what the figures were made on, in general terms."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    blas = {
        f"{i['internal_api']} {i['version']}": i["num_threads"]
        for i in threadpool_info()
        if i["user_api"] == "blas"
    }
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "versions": versions,
        "blas threads": blas,
    }


def judge(task: Task, fit: Fit) -> dict:
    """Return what a model is worth: on test rows, and as a minimiser."""
    proba = np.concatenate(
        [np.asarray(fit.predict_proba(part)) for part in _parts(task.X_test)]
    )
    place = np.searchsorted(np.unique(task.y), task.y_test)
    found = {
        "seconds": fit.seconds,
        "log_loss": _log_loss(proba, place),
        "accuracy": float(np.mean(proba.argmax(axis=1) == place)),
        "n_iter": fit.n_iter,
        "note": fit.note,
    }
    if fit.weights is not None:
        losses, n_rows = 0.0, task.X.shape[0]
        place = np.searchsorted(np.unique(task.y), task.y)
        for start, part in zip(range(0, n_rows, 20_000), _parts(task.X), strict=True):
            proba = np.asarray(fit.predict_proba(part))
            losses += _log_loss(proba, place[start : start + 20_000]) * len(proba)
        squares = float(np.sum(np.asarray(fit.weights, np.float64) ** 2))
        found["objective"] = losses / n_rows + task.alpha / 2 * squares
    return found


def _parts(X):
    return (X[start : start + 20_000] for start in range(0, X.shape[0], 20_000))


def _log_loss(proba, place):
    proba = proba[np.arange(len(place)), place].astype(np.float64)
    return float(-np.log(np.maximum(proba, np.finfo(np.float64).tiny)).mean())


def compare(task: Task, peers: list[System], repeats: int, named: bool) -> dict:
    """Fit ours and the peers in turns; return a summary a system."""
    fits: dict[str, list[dict]] = {OURS.name: []}
    skipped = {}

    def run(system, seed):
        found = judge(task, system.fit(task, seed, None))
        fits.setdefault(system.name, []).append(found)
        print(f"  {system.name}: {_words(found)}", flush=True)
        return found

    for seed in range(repeats):
        for peer in peers:
            why = peer.why_not(task)
            if why and not (named and "--peers" in why):
                if peer.name not in skipped:
                    print(f"  {peer.name}: skipped, {why}", flush=True)
                skipped[peer.name] = why
                continue
            known = fits.get(peer.name, [])
            if peer.name in skipped:
                continue
            if known and known[0]["seconds"] > SLOW and peer is not REFERENCE:
                continue
            run(OURS, len(fits[OURS.name]))
            try:
                run(peer, seed)
            except Exception as error:  # a peer's failure is a result, too
                skipped[peer.name] = f"failed: {error}"[:200]
                print(f"  {peer.name}: {skipped[peer.name]}", flush=True)
        run(OURS, len(fits[OURS.name]))
    return {"title": task.title, "fits": fits, "skipped": skipped}


def best_torch(task: Task, optimizer: str, target: float, patience: float) -> dict:
    """Return the fit of the best rate: first at the target, or nearest to it.

    The search over the rates is not charged.
    """
    curves = []
    for rate in TORCH_RATES[optimizer]:
        curve = []
        for fit in islice(torch_epochs(task, 0, optimizer, rate), 20):
            curve.append(judge(task, fit))
            if curve[-1]["log_loss"] <= target or fit.seconds > patience:
                break
        curves.append(curve)
    best = min(curves, key=lambda c: (max(c[-1]["log_loss"], target), c[-1]["seconds"]))
    reached = best[-1]["log_loss"] <= target
    best[-1]["note"] += "" if reached else ", the target was not reached"
    print(f"  PyTorch {optimizer}: {_words(best[-1])}", flush=True)
    return {"best": best[-1], "curve": best}


def curves(task: Task, systems: list[System]) -> dict[str, list[dict]]:
    """Return what each system has after each number of epochs, one fit a point."""
    lines = {}
    for system in systems:
        if system.epochs and not system.why_not(task):
            lines[system.name] = []
            for n_epochs in system.epochs:
                found = judge(task, system.fit(task, 0, n_epochs))
                lines[system.name].append(found)
                if found["seconds"] > SLOW:
                    break
            print(f"  curve of {system.name}: done", flush=True)
    return lines


def _words(found):
    words = f"{found['seconds']:.3g} s, log-loss {found['log_loss']:.4f}, "
    words += f"accuracy {found['accuracy']:.4f}"
    if "objective" in found:
        words += f", objective {found['objective']:.4f}"
    return words + (f" ({found['note']})" if found["note"] else "")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, help="folder of mnist.npz, news20_tfidf.npz"
    )
    others = ["costs", "quality", "gaps"]
    parser.add_argument("--task", nargs="+", choices=[*TASKS, *others])
    parser.add_argument(
        "--peers", nargs="+", help="names as in the table; default: all"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--curves", action="store_true", help="also draw them")
    parser.add_argument("--quick", action="store_true", help="digits, tiny and costs")
    parser.add_argument("--output", type=Path, default=Path("benchmark"))
    options = parser.parse_args()

    known = {peer.name: peer for peer in PEERS} | {
        f"PyTorch {n}": n for n in TORCH_RATES
    }
    unknown = set(options.peers or []) - set(known)
    if unknown:
        parser.error(f"unknown peers {sorted(unknown)}; known: {', '.join(known)}")
    selected = options.peers or list(known)
    peers = [p for p in PEERS if p.name in selected or p is REFERENCE]
    if options.quick:
        peers = [p for p in peers if p.name in ("LogisticRegression", "SGDClassifier")]
    names = options.task or (
        ["digits", "tiny", "costs", "gaps"] if options.quick else None
    )
    names = names or [*TASKS, *others]

    results = report.load(options.output) | {"machine": machine()}
    results.setdefault("tasks", {})
    for name in [name for name in names if name in TASKS]:
        if not _has_data(name, options.data):
            print(f"{name}: skipped, needs {FROM_FILES[name]} in --data")
            continue
        task = TASKS[name](options.data)
        print(task.title, flush=True)
        result = compare(task, peers, options.repeats, options.peers is not None)
        if not options.quick:
            _add_torch(task, result, selected)
        if options.curves:
            result["curves"] = curves(task, [OURS, *peers])
            for key, found in result.get("torch", {}).items():
                result["curves"][f"PyTorch {key}"] = found["curve"]
        results["tasks"][name] = result
        report.write(options.output, results)
    if "costs" in names:
        print("costs", flush=True)
        results |= _costs(options)
        report.write(options.output, results)
    if "quality" in names:
        print("quality", flush=True)
        results["quality"] = quality.compare()
        report.write(options.output, results)
    if "gaps" in names:
        results["gaps"] = []
        for name in ("digits",) if options.quick else ("mnist", "news20", "digits"):
            if _has_data(name, options.data):
                print(f"gaps on {name}", flush=True)
                results["gaps"] += gaps.compare(TASKS[name](options.data))
                report.write(options.output, results)
    print((options.output / "results.md").read_text())


def _has_data(name, folder):
    file = FROM_FILES.get(name)
    return file is None or (folder is not None and (folder / file).exists())


def _add_torch(task, result, selected):
    import importlib.util

    reference = result["fits"].get(REFERENCE.name)
    for optimizer in TORCH_RATES:
        name = f"PyTorch {optimizer}"
        if name not in selected or reference is None:
            continue
        if importlib.util.find_spec("torch") is None:
            result["skipped"][name] = "torch is not installed"
        elif not isinstance(task.X, np.ndarray):
            result["skipped"][name] = "nn.Linear takes no sparse rows"
        else:
            target = median(f["log_loss"] for f in reference) + 0.003
            patience = 2 * median(f["seconds"] for f in reference)
            found = best_torch(task, optimizer, target, min(patience, 30.0))
            result.setdefault("torch", {})[optimizer] = found


def _costs(options):
    small, rows = options.quick, []
    if _has_data("mnist", options.data):
        mnist = TASKS["mnist"](options.data)
        rows += [costs.epoch(mnist), costs.stream(mnist)]
        rows += [] if small else [costs.search(mnist)]
    else:
        print("  epoch, stream and search need mnist.npz in --data: skipped")
    rows += costs.predictions(10**5 if small else 10**6)
    rows.append(costs.prediction_memory(10**5 if small else 10**6))
    return {"costs": rows, "growth": costs.growth(1 if small else 5, small)}


if __name__ == "__main__":
    main()
