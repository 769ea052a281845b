"""Run ours and the peers side by side and write a table and figures.

python docs/benchmarks/run.py [--data DIR] [--task NAME] [--peers NAME] [--quick]

Ours is fitted before and after each fit of a peer, so that all see the same machine.
The quality that a fit has to reach is LogisticRegression's of the same run.
"""

import argparse
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from itertools import islice, pairwise
from pathlib import Path
from statistics import median

import costs
import numpy as np
from systems import OURS, PEERS, REFERENCE, TORCH_RATES, Fit, System, torch_epochs
from tasks import FROM_FILES, TASKS, Task
from threadpoolctl import threadpool_info

HERE = Path(__file__).parent
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
            if known and known[0]["seconds"] > SLOW and peer is not REFERENCE:
                continue
            run(OURS, len(fits[OURS.name]))
            run(peer, seed)
        run(OURS, len(fits[OURS.name]))
    return {"fits": fits, "skipped": skipped}


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
    """Return what each system has after so many epochs, one fit a point."""
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


def table(title: str, result: dict) -> str:
    """Return one task's comparison in Markdown."""
    fits = {name: list(found) for name, found in result["fits"].items()}
    for name, found in result.get("torch", {}).items():
        fits[f"PyTorch {name}"] = [found["best"]]
    ours = median(f["seconds"] for f in fits[OURS.name])
    lines = [
        f"### {title}",
        "",
        "| system | seconds | times ours | test log-loss | accuracy | objective "
        "| epochs | fits |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in fits.items():
        middle = {
            key: median(f[key] for f in found)
            for key in ("seconds", "log_loss", "accuracy", "objective", "n_iter")
            if all(f.get(key) is not None for f in found)
        }
        objective = f"{middle['objective']:.4f}" if "objective" in middle else "-"
        epochs = f"{middle['n_iter']:g}" if "n_iter" in middle else "-"
        note = f" ({found[0]['note']})" if found[0]["note"] else ""
        lines.append(
            f"| {name}{note} "
            f"| {middle['seconds']:.3g} | {middle['seconds'] / ours:.2g} "
            f"| {middle['log_loss']:.4f} | {middle['accuracy']:.4f} | {objective} "
            f"| {epochs} | {len(found)} |"
        )
    for name, why in result["skipped"].items():
        lines.append(f"| {name} | skipped: {why} | | | | | | |")
    return "\n".join(lines) + "\n"


def cost_table(rows: list[dict]) -> str:
    """Return what single operations cost, in Markdown."""
    lines = [
        "### Single operations",
        "",
        "| ours / what it is compared with | seconds | of the other | ratio | |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        other = f"{row['other']:.3g} | {row['ratio']:.2f}" if "other" in row else " | "
        note = row.get("note", "")
        lines.append(f"| {row['name']} | {row['seconds']:.3g} | {other} | {note} |")
    return "\n".join(lines) + "\n"


def growth_table(curves: dict[str, list]) -> str:
    """Return how an epoch's time grows as one size doubles, in Markdown."""
    lines = [
        "### An epoch's seconds as one size doubles",
        "",
        "| | 1 | 2 | 4 | times for each doubling |",
        "|---|---|---|---|---|",
    ]
    for name, points in curves.items():
        times = [t for _, t in points]
        steps = ", ".join(f"{b / a:.2f}" for a, b in pairwise(times))
        cells = " | ".join(f"{t:.3g} ({size})" for size, t in points)
        lines.append(f"| {name} | {cells} | {steps} |")
    return "\n".join(lines) + "\n"


def draw_curves(name: str, lines: dict[str, list[dict]], path: Path) -> None:
    """Draw test log-loss and objective against seconds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    panels = figure.subplots(1, 2)
    for panel, key in zip(panels, ("log_loss", "objective"), strict=True):
        for system, found in lines.items():
            points = [(f["seconds"], f[key]) for f in found if key in f]
            if points:
                panel.plot(*zip(*points, strict=True), "o-", ms=3, label=system)
        panel.set(xscale="log", yscale="log", xlabel="seconds")
        panel.grid(alpha=0.3, which="both")
    panels[0].set_title(f"{name}: test log-loss")
    panels[1].set_title(f"{name}: training objective")
    panels[0].legend(fontsize="small")
    figure.savefig(path, dpi=110)


def draw_growth(curves: dict[str, list], path: Path) -> None:
    """Draw an epoch's seconds against rows, features and classes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for panel, size in zip(figure.subplots(1, 3), "ndq", strict=True):
        for name, points in curves.items():
            if name.endswith(f", {size}"):
                panel.plot(*zip(*points, strict=True), "o-", ms=3, label=name[:-3])
        panel.set(
            xscale="log", yscale="log", xlabel=size, title=f"epoch against {size}"
        )
        panel.set_ylabel("seconds")
        panel.grid(alpha=0.3, which="both")
        panel.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, help="folder of mnist.npz, news20_tfidf.npz"
    )
    parser.add_argument("--task", nargs="+", choices=[*TASKS, "costs"])
    parser.add_argument(
        "--peers", nargs="+", help="names as in the table; default: all"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--curves", action="store_true", help="also draw them")
    parser.add_argument("--quick", action="store_true", help="digits, tiny and costs")
    parser.add_argument("--output", type=Path, default=HERE / "results")
    options = parser.parse_args()

    known = {peer.name: peer for peer in PEERS} | {
        f"PyTorch {n}": n for n in TORCH_RATES
    }
    unknown = set(options.peers or []) - set(known)
    if unknown:
        parser.error(f"unknown peers {sorted(unknown)}; known: {', '.join(known)}")
    wanted = options.peers or list(known)
    peers = [p for p in PEERS if p.name in wanted or p is REFERENCE]
    if options.quick:
        peers = [p for p in peers if p.name in ("LogisticRegression", "SGDClassifier")]
    names = options.task or (["digits", "tiny", "costs"] if options.quick else None)
    names = names or [*TASKS, "costs"]
    options.output.mkdir(parents=True, exist_ok=True)

    results, texts = {"machine": machine()}, []
    mnist = None
    for name in names:
        if name == "costs":
            continue
        file = FROM_FILES.get(name)
        if file and not (options.data and (options.data / file).exists()):
            print(f"{name}: skipped, needs {file} in --data")
            continue
        task = TASKS[name](options.data)
        mnist = task if name == "mnist" else mnist
        print(task.title, flush=True)
        result = compare(task, peers, options.repeats, options.peers is not None)
        if not options.quick:
            _add_torch(task, result, wanted)
        if options.curves:
            result["curves"] = curves(task, [OURS, *peers])
            for key, found in result.get("torch", {}).items():
                result["curves"][f"PyTorch {key}"] = found["curve"]
            draw_curves(name, result["curves"], options.output / f"curve_{name}.png")
        results[name] = result
        texts.append(table(task.title, result))
        _write(options.output, results, texts)
    if "costs" in names:
        results |= _costs(mnist, options, texts)
        _write(options.output, results, texts)
    print((options.output / "results.md").read_text())


def _add_torch(task, result, wanted):
    import importlib.util

    reference = result["fits"].get(REFERENCE.name)
    for optimizer in TORCH_RATES:
        name = f"PyTorch {optimizer}"
        if name not in wanted or reference is None:
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


def _costs(mnist, options, texts):
    print("costs", flush=True)
    small = options.quick
    rows = []
    if mnist is None and options.data and (options.data / FROM_FILES["mnist"]).exists():
        mnist = TASKS["mnist"](options.data)
    if mnist is not None:
        rows += [costs.epoch(mnist), costs.stream(mnist)]
        rows += [] if small else [costs.search(mnist)]
    else:
        print("  epoch, stream and search need mnist.npz in --data: skipped")
    rows += costs.predictions(10**5 if small else 10**6)
    rows.append(costs.prediction_memory(10**5 if small else 10**6))
    growth = costs.growth(1 if small else 3, small)
    draw_growth(growth, options.output / "growth.png")
    texts += [cost_table(rows), growth_table(growth)]
    print(cost_table(rows))
    return {"costs": rows, "growth": growth}


def _write(folder, results, texts):
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    system = results["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in system["versions"].items() if v)
    head = f"{system['cores']} cores, {system['architecture']}, Python "
    head += f"{system['python']}; {versions}; BLAS threads {system['blas threads']}\n"
    (folder / "results.md").write_text("\n".join([head, *texts]))


if __name__ == "__main__":
    main()
