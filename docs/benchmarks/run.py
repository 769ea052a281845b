"""Run ours and the peers side by side and write tables and figures.

python docs/benchmarks/run.py --data DIR [DIR ...] [--publish] [--resume]
python docs/benchmarks/run.py --quick

Each task is a piece for itself, with one thread and with all cores, in a process of its
own. Results are written after each piece; --resume leaves out what is there already.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import choose
import guard
import machine
import public_data
import report
import systems
import tasks
from analysis import OURS
from busy import busy_processes

HERE = Path(__file__).parent
FILES = {**tasks.FROM_FILES, **public_data.FROM_FILES}
OTHERS = ("choose", "costs", "quality", "gaps", "public")
BUSY = ("mnist", "news20", "digits", "embeddings")
PUBLIC_PEERS = ["LogisticRegression", "SGDClassifier", "fastText"]
SILENCE = 400.0  # seconds without a result after which a fit is given up


class Piece(NamedTuple):
    """A part of the benchmark that is measured, and measured again, as a whole."""

    kind: str
    name: str
    mode: str  # one (thread), all (cores), busy (all, beside busy processes)
    peers: list[str] | None = None

    @property
    def key(self) -> str:
        """The name among the results."""
        return f"{self.kind} {self.name} {self.mode}"


def pieces(options) -> list[Piece]:
    """Return what the command line asks for, the most important first."""
    if options.quick:
        few = ["LogisticRegression", "SGDClassifier"]
        found = [Piece("task", name, "one", few) for name in ("digits", "tiny")]
        found += [Piece("costs", "quick", "one"), Piece("gaps", "digits", "one")]
        return [*found, Piece("guard", "quick", "one")]
    found = [
        Piece("task", name, mode, options.peers)
        for name in tasks.TASKS
        for mode in ("one", "all")
    ]
    found += [
        Piece("choose", name, mode)
        for name, (_, modes) in choose.TASKS.items()
        for mode in modes
    ]
    found += [Piece("task", name, "busy", ["LogisticRegression"]) for name in BUSY]
    found += [Piece("gaps", name, "one") for name in ("mnist", "news20", "digits")]
    found += [Piece("costs", "mnist", "one"), Piece("quality", "all", "one")]
    found += [Piece("task", n, "one", PUBLIC_PEERS) for n in public_data.TASKS]
    asked = options.task or [*tasks.TASKS, *OTHERS]
    public = public_data.TASKS if "public" in asked else ()
    asked = {*asked, *public}
    return [p for p in found if {p.name, p.kind} & asked and p.mode in options.mode]


def measure(piece: Piece, folder: Path | None, output: Path, resume: bool) -> dict:
    """Measure one piece in a process of its own; start that again if it dies."""
    record = output / "unfinished" / f"{piece.key.replace(' ', '-')}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    if not resume:
        record.unlink(missing_ok=True)
    command = [sys.executable, str(HERE / "measure.py"), *piece[:3], str(record)]
    command += ["--folder", str(folder)] if folder else []
    command += ["--peers", *piece.peers] if piece.peers else []
    limit = SILENCE if piece.kind in ("task", "choose") else 4 * SILENCE
    watch, n_busy = machine.Watch(), os.cpu_count() if piece.mode == "busy" else 0
    with ExitStack() as stack:
        stack.enter_context(busy_processes(n_busy or 0))
        while True:
            end = _wait(command, machine.environment(piece.mode), record, limit)
            found = json.loads(record.read_text()) if record.exists() else {}
            if end is None:
                break
            culprit = found.get("running")
            known = found.get("skipped", {}).get(culprit, "")
            if culprit in (None, *OURS) or known.startswith("failed"):
                raise RuntimeError(f"{piece.key}: {end}")
            print(f"  {culprit}: {end}", flush=True)
            found["skipped"][culprit] = f"failed: {end}"
            record.write_text(json.dumps(found))
    record.unlink()
    if not any(record.parent.iterdir()):
        record.parent.rmdir()
    if piece.mode != "busy":
        found["conditions"] = watch.stop()
    return found | {"finished": time.strftime("%Y-%m-%d %H:%M")}


def _wait(command, environment, record, limit):
    """Run a process to its end; return None, or how it failed."""
    process = subprocess.Popen(command, env=environment)
    try:
        seen, since = None, time.monotonic()
        while process.poll() is None:
            time.sleep(0.2)
            changed = record.stat().st_mtime if record.exists() else None
            if changed != seen:
                seen, since = changed, time.monotonic()
            if time.monotonic() - since > limit:
                return f"no result after {limit:.0f} s"
    finally:
        process.kill()
        process.wait()
    code = process.returncode
    if code < 0:
        return f"the process died, {signal.Signals(-code).name}"
    return f"the process ended with {code}" if code else None


def find_folder(piece: Piece, folders: list[Path]) -> tuple[Path | None, str | None]:
    """Return the folder of the piece's files, or None and which files are missing."""
    needed = FILES.get(piece.name, [])
    for folder in folders:
        if all((folder / file).exists() for file in needed):
            return folder, None
    return None, f"needs {', '.join(needed)} in a folder of --data" if needed else None


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="see DATA.md")
    names = [*tasks.TASKS, *public_data.TASKS, *OTHERS]
    parser.add_argument("--task", nargs="+", choices=names)
    known = [peer.name for peer in systems.PEERS]
    parser.add_argument("--peers", nargs="+", choices=known, help="default: all")
    parser.add_argument("--mode", nargs="+", default=["one", "all", "busy"])
    parser.add_argument("--quick", action="store_true", help="a minute, without files")
    parser.add_argument("--store", action="store_true", help="with --quick: the ratios")
    parser.add_argument("--resume", action="store_true", help="keep what is measured")
    parser.add_argument("--output", type=Path, default=Path("benchmark"))
    parser.add_argument(
        "--publish", action="store_true", help="into results/ and the pages"
    )
    options = parser.parse_args()
    output = report.PUBLISHED if options.publish else options.output

    results, failed = report.load(output), []
    before = machine.check()
    print("Before:", *(machine.objections(before) or ["nothing else runs"]), flush=True)
    for piece in pieces(options):
        if options.resume and piece.key in results["pieces"]:
            continue
        folder, missing = find_folder(piece, options.data)
        if missing:
            print(f"{piece.key}: skipped, {missing}")
            continue
        print(f"{piece.key}, {time.strftime('%H:%M:%S')}", flush=True)
        try:
            found = measure(piece, folder, output, options.resume)
        except RuntimeError as error:
            failed.append(str(error))
            print(f"FAILED {error}", flush=True)
            continue
        found["conditions"] = before | found.get("conditions", {})
        results["pieces"][piece.key] = {**piece._asdict(), **found}
        report.write(output, results)
        if piece.kind == "guard":
            _check_ratios(found["ratios"], options.store)
    if options.publish:
        report.publish(results)
    print((output / "results.md").read_text())
    if failed:
        sys.exit("\n".join(["Failed, --resume tries them again:", *failed]))


def _check_ratios(ratios, store):
    if store:
        guard.STORED.write_text(json.dumps(ratios, indent=1) + "\n")
    if failures := guard.failures(ratios):
        sys.exit("\n".join(["Slower than before:", *failures]))


if __name__ == "__main__":
    main()
