"""Measure one piece of the benchmark, in a process that `run.py` starts.

What has been measured is in a JSON file after every fit, so that nothing is lost if a
library ends the process: it is started again and goes on.
"""

import argparse
import json
import sys
import traceback
from pathlib import Path
from statistics import median

import choose
import costs
import gaps
import guard
import machine
import numpy as np
import public_data
import quality
import systems
import tasks
from analysis import OURS, REFERENCE
from systems import Fit, System
from tasks import Task

ROUNDS = ((5.0, 5), (15.0, 2), (np.inf, 1))  # seconds of a fit, and how often
REFERENCE_ROUNDS = 2  # at least
SLOW = 30.0  # seconds of ours, after which it is not fitted beside every fit of a peer
CURVE_PATIENCE = 8.0  # seconds; a curve ends with the fit that takes longer
CLOSE = 1.01  # times the test log-loss of LogisticRegression at its defaults
MAKERS = {**tasks.TASKS, **public_data.TASKS}


class Record:
    """What has been measured, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        empty = {"log": [], "curves": {}, "close": {}, "skipped": {}, "running": None}
        self.found = json.loads(path.read_text()) if path.exists() else empty

    def save(self) -> None:
        """Write the file, whole or not at all."""
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(self.found))
        draft.replace(self.path)

    def fit(self, system: System, task: Task, seed: int, epochs: int | None) -> dict:
        """Return a judged fit. None if it failed; then the reason is recorded."""
        self.found["running"] = system.name
        self.save()
        try:
            found = judge(task, system.fit(task, seed, epochs))
        except Exception as error:  # a peer's failure is a result, too
            if system.name in OURS:
                raise
            traceback.print_exc()
            self.found["skipped"][system.name] = f"failed: {error}"[:200]
            return None
        share = system.n_rows(task) / task.X.shape[0]
        found |= {"system": system.name, "epochs": epochs}
        found["waited"] = found["seconds"] * share
        print(f"  {system.name}, {epochs or 'default'}: {_words(found)}", flush=True)
        return found

    def is_out(self, system: System, task: Task) -> bool:
        """Return whether a system sits out, after recording the reason."""
        why = system.why_not(task)
        if why:
            self.found["skipped"].setdefault(system.name, why)
        return system.name in self.found["skipped"]


def judge(task: Task, fit: Fit) -> dict:
    """Return what a model is worth: on test rows, and as a minimiser."""
    proba = np.concatenate(
        [np.asarray(fit.predict_proba(part)) for part in _parts(task.X_test)]
    )
    place = np.searchsorted(np.unique(task.y), task.y_test)
    found = {
        "seconds": fit.seconds,
        "cpu": fit.cpu,
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


def _words(found):
    words = f"{found['seconds']:.3g} s, CPU {found['cpu']:.3g} s, "
    words += f"log-loss {found['log_loss']:.4f}, accuracy {found['accuracy']:.4f}"
    return words + (f" ({found['note']})" if found["note"] else "")


def n_rounds(waited: float) -> int:
    """Return how often a fit that takes this long is repeated."""
    return next(times for limit, times in ROUNDS if waited <= limit)


def compare(
    task: Task, ours: System, reference: System, peers: list[System], record: Record
) -> None:
    """Fit ours and the peers in turns: ours before and after each fit of a peer.

    If a fit of ours is slow, ours is fitted before all peers and after them.
    """
    log = record.found["log"]
    for turn in range(ROUNDS[0][1]):
        for peer in peers:
            if record.is_out(peer, task):
                continue
            if not peer.stops:
                why = "has no stopping rule; its curve is below"
                record.found["skipped"][peer.name] = why
                continue
            known = [entry["waited"] for entry in log if entry["system"] == peer.name]
            enough = n_rounds(max(known, default=0))
            if peer is reference and max(known, default=0) < 60:
                enough = max(enough, REFERENCE_ROUNDS)
            if len(known) > turn or len(known) >= enough:
                continue
            slow = [e for e in log if e["system"] == ours.name and e["waited"] > SLOW]
            for system in (peer,) if slow else (ours, peer):
                found = record.fit(system, task, len(log), None)
                log += [found] if found else []
    if log and log[-1]["system"] != ours.name:
        log.append(record.fit(ours, task, len(log), None))
    record.save()


def draw_curves(task: Task, candidates: list[System], record: Record) -> None:
    """Fit each system with more and more epochs, one fit each."""
    for system in candidates:
        whole = system.n_rows(task) == task.X.shape[0]
        failed = record.found["skipped"].get(system.name, "").startswith("failed")
        if failed or not system.epochs or not whole or system.why_not(task):
            continue
        curve = record.found["curves"].setdefault(system.name, [])
        for epochs in system.epochs[len(curve) :]:
            if curve and curve[-1]["waited"] > CURVE_PATIENCE:
                break
            found = record.fit(system, task, 0, epochs)
            if found is None:
                break
            curve.append(found)


def budgets(record: Record) -> list[dict]:
    """Return a point for each system and budget; a default fit's is a median."""
    points = [p for curve in record.found["curves"].values() for p in curve]
    fits: dict[str, list[dict]] = {}
    for entry in record.found["log"]:
        if "estimated" not in entry["note"]:
            fits.setdefault(entry["system"], []).append(entry)
    for entries in fits.values():
        middle = {k: median(e[k] for e in entries) for k in ("seconds", "log_loss")}
        points.append(entries[0] | middle)
    return points


def time_to_close(task: Task, candidates: list[System], record: Record) -> None:
    """Time the first fit of each system that is as good as LogisticRegression's."""
    points = budgets(record)
    mark = [
        point["log_loss"]
        for point in points
        if point["system"] == REFERENCE[0] and point["epochs"] is None
    ]
    if not mark:  # it failed
        return
    target = record.found["target"] = CLOSE * mark[0]
    first, close = {}, record.found["close"]
    for point in sorted(points, key=lambda p: p["seconds"]):
        if point["log_loss"] <= target:
            first.setdefault(point["system"], point)
    for turn in range(ROUNDS[0][1]):
        for system in candidates:
            point = first.get(system.name)
            fits = close.setdefault(system.name, []) if point else []
            if point and len(fits) == turn < n_rounds(point["waited"]):
                found = record.fit(system, task, turn, point["epochs"])
                fits += [found] if found else []
    record.save()


def warm_up(task: Task, candidates: list[System]) -> None:
    """Fit everything to a few rows, so that no fit pays for a first call."""
    few = task.first(min(300, task.X.shape[0]))
    for system in candidates:
        if system.why_not(task) is None:
            try:
                system.train(few, 0, 1)
            except Exception as error:
                print(f"  {system.name}, warming up: {error}", flush=True)


def measure_task(options, record: Record) -> None:
    """Compare all systems on one task."""
    task = MAKERS[options.name](options.folder)
    record.found["title"] = task.title
    names = options.peers or [peer.name for peer in systems.PEERS]
    peers = [p for p in systems.PEERS if p.name in names or p is systems.REFERENCE]
    if options.mode != "one":
        why = "uses one thread, and is in the table for one thread"
        alone = {peer.name: why for peer in peers if peer.one_thread}
        record.found["skipped"] |= alone
        peers = [peer for peer in peers if not peer.one_thread]
    everyone = [systems.OURS, *peers]
    warm_up(task, everyone)
    compare(task, systems.OURS, systems.REFERENCE, peers, record)
    if options.mode != "busy":
        draw_curves(task, everyone, record)
        time_to_close(task, everyone, record)


def measure_choice(options, record: Record) -> None:
    """Compare the ways to the penalty on one task."""
    task = choose.reduce(MAKERS[options.name](options.folder))
    record.found["title"] = task.title.rsplit(",", 1)[0]
    systems.OURS.train(task.first(300), 0, 1)  # for what a first call costs
    compare(task, choose.OURS, choose.REFERENCE, choose.PEERS, record)


def measure_costs(options, record: Record) -> None:
    """Time single operations, and growth."""
    rows = []
    if options.name != "quick":
        mnist = MAKERS["mnist"](options.folder)
        rows += [costs.epoch(mnist), costs.stream(mnist)]
    small = options.name == "quick"
    n_rows = 10**5 if small else 10**6
    rows += [*costs.predictions(n_rows), costs.prediction_memory(n_rows)]
    growth = costs.growth(1 if small else 5, small)
    record.found |= {"rows": rows, "growth": growth}


def measure_quality(options, record: Record) -> None:
    """Compare test log-losses on ten more data sets."""
    record.found["rows"] = quality.compare()


def measure_gaps(options, record: Record) -> None:
    """Time the way to the optimum on one task."""
    record.found["rows"] = gaps.compare(MAKERS[options.name](options.folder))


def measure_guard(options, record: Record) -> None:
    """Measure the ratios that guard against slowness."""
    record.found["ratios"] = guard.ratios()


KINDS = {
    "task": measure_task,
    "choose": measure_choice,
    "costs": measure_costs,
    "quality": measure_quality,
    "gaps": measure_gaps,
    "guard": measure_guard,
}


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("name", help="of a task, or quick")
    parser.add_argument("mode", choices=["one", "all", "busy"])
    parser.add_argument("record", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--peers", nargs="+")
    options = parser.parse_args()
    if options.mode == "one":
        machine.stay_on_one_core()
    record = Record(options.record)
    KINDS[options.kind](options, record)
    record.found["machine"] = machine.describe()
    record.found["running"] = None
    record.save()
    middle = [e["seconds"] for e in record.found["log"] if e["system"] == "sksoftmax"]
    if middle:
        print(f"  ours: median {median(middle):.3g} s of {len(middle)} fits")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
