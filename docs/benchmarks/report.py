"""Tables in Markdown, figures, and the parts of README.md that hold figures.

python docs/benchmarks/report.py [FOLDER] writes them again from results.json, without
FOLDER those of the documentation. With --again, those in FOLDER count for the ratios of
the documentation, beside those that are there.
"""

import json
import re
import sys
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path

import analysis
import machine
import public_data
from analysis import OURS, REFERENCE, fits, fixed, middle, of_kind, spread, times

PUBLISHED = Path(__file__).parent / "results"
PAGES = (PUBLISHED.parent / "README.md", PUBLISHED.parents[2] / "README.md")
MODES = {"one": "one thread", "all": "all cores", "busy": "beside busy processes"}
LABELS = {"seconds": "wall", "cpu": "CPU"}
WAYS = (REFERENCE[1], "LogisticRegressionCV")  # to the penalty
LONGEST = 12  # lines of "where a peer wins" that README.md has room for


def table(titles: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown, or that there are no rows."""
    if not rows:
        return "Nothing has been measured yet.\n"
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def task_table(piece: dict) -> str:
    """Return the default fits of one piece: a row for each system, and why not."""
    titles = [
        *(
            "system",
            "wall seconds",
            "CPU seconds",
            "times sksoftmax, wall",
            "times sksoftmax, CPU",
        ),
        *("test log-loss", "accuracy", "objective", "epochs", "fits"),
    ]
    rows = []
    for name, found in fits(piece).items():
        note = f" ({found[0]['note']})" if found[0]["note"] else ""
        ratios = [
            "1" if name in OURS else times(analysis.ratio(piece, name, key))
            for key in ("seconds", "cpu")
        ]
        walls, cpus = ([fit[key] for fit in found] for key in ("seconds", "cpu"))
        values = [spread(walls), spread(cpus), *ratios]
        for key in ("log_loss", "accuracy", "objective"):
            value = middle(found, key)
            values.append("-" if value is None else f"{value:.4f}")
        values += [fixed(middle(found, "n_iter"), 2), str(len(found))]
        rows.append([name + note, *values])
    skipped = [
        f"- Not measured: {name}, {why}." for name, why in piece["skipped"].items()
    ]
    return table(titles, rows) + "\n".join(["", *skipped, ""]) * bool(skipped)


def close_table(piece: dict) -> str:
    """Return the time to within 1 % of LogisticRegression's test log-loss."""
    rows = []
    for name, curve in analysis.points(piece).items():
        found = piece["close"].get(name)
        if found:
            budget = found[0]["epochs"] or "default"
            walls, cpus = ([fit[key] for fit in found] for key in ("seconds", "cpu"))
            loss = f"{middle(found, 'log_loss'):.4f}"
            rows.append([name, spread(walls), spread(cpus), budget, loss, len(found)])
        else:
            longest, loss = curve[-1][0], min(loss for _, loss in curve)
            words = f"not in {fixed(longest, 2)} s, its longest fit"
            rows.append([name, words, "", "", f"{loss:.4f}", ""])
    titles = ["system", "wall seconds", "CPU seconds", "epochs", "log-loss", "fits"]
    return table(titles, rows)


def wins_rows(results: dict) -> list[list[str]]:
    """Return every task and budget at which a peer has the better test log-loss."""
    rows = []
    for piece in of_kind(results, "task", "one", "all"):
        for span in analysis.wins(piece) if piece["curves"] else []:
            until = f"to {fixed(span['to'], 2)} s" if span["to"] else "on"
            pairs = []
            for peer, ours in (span["at_first"], span["at_last"]):
                mine = "no model yet" if ours == float("inf") else f"{ours:.4f}"
                pairs.append(f"{peer:.4f} against {mine}")
            when = f"from {fixed(span['from'], 2)} s {until}"
            place = f"{piece['name']}, {MODES[piece['mode']]}"
            rows.append([place, span["peer"], when, *pairs])
    return rows


def single_ratios(piece: dict, ratio: Callable[[dict], float | None]) -> list[str]:
    """Return that ratio of each row, with its range if further runs count for it."""
    words = []
    for runs in zip(piece["rows"], *piece.get("again", []), strict=True):
        ratios = [ratio(row) for row in runs]
        words.append(fixed(ratios[0], 2))
        if len(runs) > 1 and None not in ratios:
            words[-1] += f" ({fixed(min(ratios), 2)} to {fixed(max(ratios), 2)})"
    return words


def cost_tables(piece: dict) -> str:
    """Return what single operations cost, and growth."""
    rows = []
    ratios = single_ratios(piece, lambda row: row.get("ratio"))
    for row, ratio in zip(piece["rows"], ratios, strict=True):
        other = [fixed(row.get("other")), ratio]
        rows.append([row["name"], fixed(row["seconds"]), *other, row.get("note", "")])
    titles = ["ours / compared with", "seconds", "of the other", "ratio", ""]
    growth = []
    for name, found in piece["growth"].items():
        steps = ", ".join(f"{b / a:.2f}" for (_, a), (_, b) in pairwise(found))
        growth.append([name, *(f"{fixed(t)} ({n})" for n, t in found), steps])
    return (
        f"## Single operations\n\n{table(titles, rows)}\n"
        "## An epoch's seconds as one size doubles\n\n"
        + table(["", "1", "2", "4", "times for each doubling"], growth)
        + "\n![Seconds of an epoch as rows, features or classes grow up to fourfold]"
        "(growth.png)\n"
    )


def quality_table(piece: dict) -> str:
    """Return the comparison on ten more data sets."""
    titles = ["", "log-loss, ours", "LogisticRegression's", "difference"]
    rows = []
    for row in piece["rows"]:
        ours, peer = row["log_loss"]
        losses = [f"{ours:.4f}", f"{peer:.4f}", f"{ours - peer:+.4f}"]
        rows.append([row["name"], *losses, *(f"{a:.4f}" for a in row["accuracy"])])
    return table([*titles, "accuracy, ours", "LogisticRegression's"], rows)


def gap_table(results: dict) -> str:
    """Return the seconds to come near the optimum, one thread."""
    titles = [
        *("task", "gap", 'solver="svrg"', "quickest of LogisticRegression", "times"),
        *("all of them", "ours with tol=gap", "its true gap"),
    ]
    rows, pieces = [], of_kind(results, "gaps")
    ratios = [
        ratio
        for piece in pieces
        for ratio in single_ratios(piece, lambda row: row["other"] / row["seconds"])
    ]
    gaps = [row for piece in pieces for row in piece["rows"]]
    for row, ratio in zip(gaps, ratios, strict=True):
        peers = ", ".join(f"{name} {fixed(s)}" for name, s in row["peers"].items())
        rows.append(
            [
                *(row["task"], f"{row['gap']:g}", fixed(row["seconds"])),
                f"{fixed(row['other'])} ({row['peer']})",
                ratio,
                *(peers, fixed(row["by_tol"]), fixed(row["found"], 2)),
            ]
        )
    return table(titles, rows)


def machine_words(results: dict) -> str:
    """Return where the figures come from, and whether they may be published."""
    pieces = list(results["pieces"].values())
    if not pieces:
        return "Nothing has been measured yet.\n"
    system = pieces[-1]["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in system["versions"].items() if v)
    dates = sorted(piece["finished"] for piece in pieces)
    words = (
        f"{system['processor']}, {system['architecture']}, {system['cores']} cores; "
        f"Python {system['python']}, {versions}; BLAS: {', '.join(system['blas'])}.\n"
        f"Measured from {dates[0]} to {dates[-1]}.\n"
    )
    doubts = {
        key: reasons
        for key, piece in results["pieces"].items()
        if (reasons := machine.objections(piece["conditions"]))
    }
    if not doubts:
        return (
            f"{words}Nothing else ran on the machine: the figures may be published.\n"
        )
    examples = "; ".join(f"{k}: {', '.join(v)}" for k, v in list(doubts.items())[:3])
    return (
        f"{words}\n**{len(doubts)} of {len(pieces)} pieces are not to be published, "
        f"because the machine was busy** ({examples}).\n"
    )


def by_mode(results: dict, kind: str) -> dict[str, dict[str, dict]]:
    """Return the pieces of each task by mode, without those of public data."""
    found: dict[str, dict[str, dict]] = {}
    for piece in of_kind(results, kind):
        if piece["name"] not in public_data.TASKS:
            found.setdefault(piece["name"], {})[piece["mode"]] = piece
    return found


def headline(results: dict) -> str:
    """Return the seconds to LogisticRegression's test log-loss, for README.md."""
    names = ["sksoftmax", "LogisticRegression", "quickest other peer"]
    titles = ["task", *(f"{name}, one thread" for name in names)]
    titles += [f"{name}, all cores" for name in names]
    rows = []
    for task, modes in by_mode(results, "task").items():
        row = [task]
        for mode in ("one", "all"):
            if mode in modes:
                other = analysis.quickest_peer(modes[mode])
                names = (OURS[0], REFERENCE[0], other)
                row += [_close_cell(modes[mode], name) for name in names]
            else:
                row += ["not measured"] * 3
        rows.append(row)
    alt = "Marks on a scale of seconds, a row a task: sksoftmax, LogisticRegression and"
    alt += " the quickest other library, with ranges; the table above has the figures"
    figure = f"\n![{alt}](results/time_to_quality.png)\n"
    return table(titles, rows) + figure * bool(rows)


def _close_cell(piece, name):
    found = piece["close"].get(name)
    if found:
        cell = spread([fit["seconds"] for fit in found])
        return cell if name in (*OURS, *REFERENCE) else f"{name}: {cell}"
    if name is None:
        return "none"
    loss = min(loss for _, loss in analysis.points(piece)[name])
    return f"never ({loss:.4f}, required {piece['target']:.4f})"


def default_words(results: dict) -> str:
    """Return default fits beside LogisticRegression's, for README.md."""
    titles = ["task", "sksoftmax, one thread, CPU s", "times: one thread, CPU"]
    titles += ["all cores, wall", "all cores, CPU", "beside busy processes, wall"]
    rows = []
    for modes in by_mode(results, "task").values():
        first = next(iter(modes.values()))
        columns = [("one", "cpu"), ("all", "seconds"), ("all", "cpu")]
        ratios = [
            times(analysis.ratio(modes[mode], REFERENCE[0], key))
            if REFERENCE[0] in fits(modes.get(mode, {"log": []}))
            else "not measured"
            for mode, key in [*columns, ("busy", "seconds")]
        ]
        both = [fits(first).get(name, []) for name in (OURS[0], REFERENCE[0])]
        losses = ", ".join(f"{middle(e, 'log_loss') or 0:.4f}" for e in both)
        cpus = spread([fit["cpu"] for fit in both[0]])
        rows.append([first["title"], cpus, *ratios, losses])
    return table([*titles, "test log-loss, sksoftmax, LogisticRegression"], rows)


def choice_words(results: dict) -> str:
    """Return the seconds until the penalty is chosen, for README.md."""
    titles = ["task", "sksoftmax, one thread, CPU s"]
    short = ["grid search", "CV class"]
    titles += [f"{way}: times, {m}" for way in short for m in ("one", "all")]
    rows = []
    for modes in by_mode(results, "choose").values():
        first = next(iter(modes.values()))
        found = fits(first)
        ratios = [
            times(analysis.ratio(modes[mode], way, key))
            if mode in modes and way in fits(modes[mode])
            else "not measured"
            for way in WAYS
            for mode, key in (("one", "cpu"), ("all", "seconds"))
        ]
        losses = [middle(found.get(way, []), "log_loss") for way in (OURS[1], *WAYS)]
        words = ", ".join("-" if loss is None else f"{loss:.4f}" for loss in losses)
        cpus = spread([fit["cpu"] for fit in found[OURS[1]]])
        rows.append([first["title"], cpus, *ratios, words])
    return table([*titles, "test log-losses"], rows)


def public_words(results: dict) -> str:
    """Return public data with one thread, beside published baselines."""
    rows = []
    for piece in of_kind(results, "task", "one"):
        found = fits(piece)
        if piece["name"] not in public_data.TASKS or REFERENCE[0] not in found:
            continue
        both = [found[OURS[0]], found[REFERENCE[0]]]
        cpus = [fixed(middle(entries, "cpu")) for entries in both]
        rows.append(
            [
                *(piece["title"], *cpus),
                times(analysis.ratio(piece, REFERENCE[0], "cpu")),
                ", ".join(f"{middle(e, 'log_loss'):.4f}" for e in both),
                ", ".join(f"{middle(e, 'accuracy'):.4f}" for e in both),
                public_data.PUBLISHED.get(piece["name"], ""),
            ]
        )
    titles = ["task", "sksoftmax, CPU s", "LogisticRegression, CPU s", "times, CPU"]
    pair = "sksoftmax, LogisticRegression"
    titles += [f"log-loss, {pair}", f"accuracy, {pair}", "published accuracy"]
    return table(titles, rows)


def wins_words(results: dict) -> str:
    """Return where a peer wins once ours has a model, as README.md has room."""
    rows = [row for row in wins_rows(results) if "no model" not in row[-1]]
    lines = [
        f"- {place}: {peer}, {when} ({last})."
        for place, peer, when, _, last in rows[:LONGEST]
    ]
    if len(rows) > LONGEST:
        lines.append(f"- {len(rows) - LONGEST} more are [listed](results/results.md).")
    return "\n".join(lines or ["- Nothing has been measured."]) + "\n"


def summary(results: dict) -> str:
    """Return a few tasks with one thread, one of them without gain, for the README."""
    rows = []
    for kind, name, ours, peer, words in (
        ("task", "mnist", OURS[0], REFERENCE[0], "one fit"),
        ("task", "news20", OURS[0], REFERENCE[0], "one fit"),
        ("task", "embeddings", OURS[0], REFERENCE[0], "one fit"),
        (
            "choose",
            "mnist",
            OURS[1],
            "LogisticRegressionCV",
            "penalty chosen, five folds",
        ),
    ):
        for piece in of_kind(results, kind, "one"):
            found = fits(piece)
            if piece["name"] == name and peer in found:
                title = piece["title"].replace(": ", ", ", 1).rsplit(", C=", 1)[0]
                cells = [
                    f"{fixed(middle(found[system], 'cpu'), 2)} s, "
                    f"{middle(found[system], 'log_loss'):.3f}"
                    for system in (ours, peer)
                ]
                ratio = times(analysis.ratio(piece, peer, "cpu"))
                rows.append([f"{title}: {words}", *cells, ratio])
    titles = ["one thread: CPU seconds, test log-loss", "sksoftmax"]
    return table([*titles, "scikit-learn", "speed-up"], rows)


BLOCKS = {
    "summary": summary,
    "machine": machine_words,
    "headline": headline,
    "default": default_words,
    "choice": choice_words,
    "public": public_words,
    "wins": wins_words,
}


def agreement(results: dict) -> str:
    """Return each ratio of the pages beside the published one."""
    published, rows = load(PUBLISHED)["pieces"], []
    for kind, peers in (("task", REFERENCE[:1]), ("choose", WAYS)):
        for piece in of_kind(results, kind):
            for key, peer in product(("seconds", "cpu"), peers):
                known = published.get(f"{kind} {piece['name']} {piece['mode']}")
                if not known or not {peer} & fits(piece).keys() & fits(known).keys():
                    continue
                ratios = [analysis.ratio(found, peer, key) for found in (piece, known)]
                _, least, greatest = ratios[1]
                is_inside = least <= ratios[0][0] <= greatest
                place = f"{piece['name']}, {MODES[piece['mode']]}, {LABELS[key]}"
                words = ["inside" if is_inside else "outside"]
                rows.append([place, peer, *map(times, ratios), *words])
    titles = ["task", "times sksoftmax", "here", "published", "the median is"]
    return table(titles, rows)


def add_again(results: dict) -> None:
    """Let another run count for the published ratios."""
    published = load(PUBLISHED)
    for key, piece in results["pieces"].items():
        known = published["pieces"].get(key)
        if known and piece["log"]:
            keys = "system", "seconds", "cpu"
            log = [{key: entry[key] for key in keys} for entry in piece["log"]]
            known.setdefault("again", []).append(log)
        elif known and key.startswith(("gaps", "costs")):
            known.setdefault("again", []).append(piece["rows"])
    publish(published)


def fill(page: Path, results: dict) -> None:
    """Write the blocks of the page that hold figures, between their marks."""
    text, total = page.read_text(), 0
    for name, words in BLOCKS.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        block = f"{begin}\n\n{words(results)}\n{end}"
        pattern = re.compile(f"{begin}.*?{end}", re.DOTALL)
        text, count = pattern.subn(lambda _, block=block: block, text)
        total += count
    if not total:
        raise ValueError(f"{page} must have marks like <!-- begin machine -->.")
    page.write_text(text)


def load(folder: Path) -> dict:
    """Return what earlier runs have left in that folder."""
    file = folder / "results.json"
    return json.loads(file.read_text()) if file.exists() else {"pieces": {}}


def write(folder: Path, results: dict) -> None:
    """Write all results as JSON, as tables and as figures."""
    import figures  # needs Matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results) + "\n")
    texts = ["# All tables", machine_words(results)]
    texts += ["Seconds are medians, with ranges in parentheses.\n"]
    if folder != PUBLISHED:
        texts += ["## Beside the published ratios\n", agreement(results)]
    texts += ["## Where a peer wins", "", "Every budget with which a peer has the"]
    texts[-1] += " better test log-loss, from the curves.\n"
    titles = ["task", "peer", "budget", "at its beginning", "at its end"]
    texts += [table(titles, wins_rows(results))]
    texts += ["## Public data, one thread\n", public_words(results)]
    for piece in of_kind(results, "choose"):
        texts += [f"## The penalty of {piece['title']}; {MODES[piece['mode']]}\n"]
        texts += [task_table(piece)]
    for piece in of_kind(results, "task"):
        texts += [f"## {piece['title']}; {MODES[piece['mode']]}\n", task_table(piece)]
        if piece["name"] in figures.CURVES and piece["mode"] == "one":
            alt = f"Test log-loss over seconds, a line a library, on {piece['name']}"
            texts += [f"![{alt}](curve_{piece['name']}.png)\n"]
        if piece["curves"]:
            words = (
                "To 1.01 times the test log-loss of LogisticRegression's default fit:"
            )
            texts += [f"{words}\n", close_table(piece)]
    texts += ["## To the optimum, one thread\n", gap_table(results)]
    texts += [cost_tables(piece) for piece in of_kind(results, "costs")]
    for piece in of_kind(results, "quality"):
        texts += ["## Ten more data sets, C=1; LogisticRegression with max_iter=1000\n"]
        texts += [quality_table(piece)]
    (folder / "results.md").write_text("\n".join(texts))
    figures.draw_all(results, folder)


def publish(results: dict) -> None:
    """Write the documentation's results and the figures of the pages."""
    write(PUBLISHED, results)
    for page in PAGES:
        fill(page, results)


if __name__ == "__main__":
    folder = Path(next((word for word in sys.argv[1:] if word != "--again"), PUBLISHED))
    if "--again" in sys.argv:
        add_again(load(folder))
    elif folder == PUBLISHED:
        publish(load(folder))
    else:
        write(folder, load(folder))
