"""Figures of what was measured: one panel each, lines with labels, in grey."""

import math
from pathlib import Path

from analysis import OURS, REFERENCE, middle, of_kind, points, quickest_peer
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

DPI = 200
# As wide as a page on a phone, where 8 points are then 8 pixels.
WIDTH, TEXT, SMALL_TEXT = 5.0, 8, 7.5
CURVES = ("mnist", "news20", "embeddings", "digits")
STYLES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"), ("--", "v"), (":", "P"))
GREYS = ("0.2", "0.35", "0.45")


@rc_context({"font.size": TEXT})
def draw_all(results: dict, folder: Path) -> None:
    """Draw curves of a few tasks with one thread, the times to quality, and growth."""
    pieces = of_kind(results, "task", "one")
    for piece in pieces:
        if piece["curves"] and piece["name"] in CURVES:
            path = folder / f"curve_{piece['name']}.png"
            draw_curves(piece["name"], points(piece), piece.get("target"), path)
    close = of_kind(results, "task", "one", "all")
    if any(piece["close"] for piece in close):
        draw_times(close, folder / "time_to_quality.png")
    for piece in of_kind(results, "costs"):
        draw_growth(piece["growth"], folder / "growth.png")


def draw_curves(name: str, curves: dict[str, list], target, path: Path) -> None:
    """Draw test log-loss against seconds, one thread, and a line at `target`."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.subplots()
    best = min(loss for curve in curves.values() for _, loss in curve)
    top, ends = max(1.5 * best, 1.05 * (target or 0)), []
    shown = {n: [p for p in c if p[1] < top] for n, c in curves.items()}
    for k, (system, curve) in enumerate((n, c) for n, c in shown.items() if c):
        ours = system in OURS
        line, marker = STYLES[k % len(STYLES)]
        style = {"color": "black" if ours else GREYS[k % 3], "lw": 2.4 if ours else 1.1}
        axes.plot(*zip(*curve, strict=True), line, marker=marker, ms=4, **style)
        ends.append((curve[-1], system, style["color"], ours))
    _scale_seconds(axes)
    axes.set_ylim(0.97 * best, top)
    if target:
        axes.axhline(target, color="0.7", lw=0.8, zorder=0)
    axes.set(xlabel="seconds, one thread", ylabel="test log-loss")
    words = f"{name}: the line is 1 % above LogisticRegression's default fit"
    axes.set_title(words, loc="left", fontsize=TEXT)
    _label_ends(axes, ends, gap=0.04 * (top - 0.97 * best))
    axes.grid(alpha=0.25)
    figure.savefig(path, dpi=DPI)


def _scale_seconds(axes):
    """Use a log scale, with numbers that need no exponent."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _label_ends(axes, ends, gap):
    """Write the names to the right of all lines, at different heights."""
    right = max(x for (x, _), *_ in ends)
    axes.set_xlim(right=right * 30)
    height = -math.inf
    for (x, y), name, color, ours in sorted(
        ends, key=lambda end: (round(end[0][1] / gap), -end[0][0])
    ):
        height = max(y, height + gap)
        axes.annotate(
            _short(name),
            (x, y),
            (right * 1.6, height),
            color=color,
            fontsize=SMALL_TEXT,
            fontweight="bold" if ours else "normal",
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": "0.8",
                "lw": 0.6,
                "relpos": (0, 0.5),
            },
        )
    axes.set_ylim(top=max(axes.get_ylim()[1], height + gap))


def draw_times(pieces: list[dict], path: Path) -> None:
    """Draw the seconds to the quality, with ranges; a row for each task."""
    names = list(dict.fromkeys(piece["name"] for piece in pieces))
    figure = Figure(figsize=(WIDTH, 1.2 + 0.38 * len(names)), layout="constrained")
    axes = figure.subplots()
    for piece in pieces:
        row, other = names.index(piece["name"]), quickest_peer(piece)
        is_one = piece["mode"] == "one"
        height = row - 0.05 if is_one else row + 0.25
        for system, marker, face in (
            (REFERENCE[0], "s", "white"),
            (other, "^", "0.6"),
            (OURS[0], "o", "black"),  # last, so that no other mark hides it
        ):
            found = piece["close"].get(system)
            if not found:
                if system in OURS:
                    place = axes.get_yaxis_transform(), (0.99, height)
                    _note(axes, "sksoftmax does not get there", *place, ha="right")
                continue
            seconds = [fit["seconds"] for fit in found]
            axes.plot([min(seconds), max(seconds)], [height, height], "-", color="0.4")
            at = middle(found, "seconds")
            style = {
                "mfc": face,
                "mec": "black",
                "ms": 6 if is_one else 3.5,
                "zorder": 3,
            }
            axes.plot([at], [height], marker, **style)
            if system == other and is_one:
                _note(axes, _short(other), axes.transData, (at, height), ha="center")
    axes.set_yticks(range(len(names)), names)
    _scale_seconds(axes)
    left, right = axes.get_xlim()
    axes.set_xlim(left / 2.5, right * 2)  # room for names
    axes.set_ylim(len(names) - 0.4, -0.8)
    axes.set_xlabel("seconds to LogisticRegression's log-loss + 1 %, with range")
    axes.set_title(
        "● sksoftmax   □ LogisticRegression   ▲ quickest other\n"
        "large: one thread, small: all cores\n"
        "saga, newton-cg, newton-cholesky: solvers of LogisticRegression",
        loc="left",
        fontsize=TEXT,
    )
    axes.grid(axis="x", alpha=0.25)
    figure.savefig(path, dpi=DPI)


def _short(system: str) -> str:
    """Return a name for a figure: a solver of LogisticRegression has its own."""
    return system.removeprefix(f"{REFERENCE[0]} ").removesuffix(" without layers")


def _note(axes, text, transform, place, ha):
    """Write a small text above a place."""
    style = {"xytext": (0, 6), "textcoords": "offset points", "fontsize": SMALL_TEXT}
    style["ha"] = ha
    axes.annotate(text, place, xycoords=transform, **style)


def draw_growth(curves: dict[str, list], path: Path) -> None:
    """Draw how an epoch's seconds grow with rows (n), features (d) and classes (q)."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes, ends = figure.subplots(), []
    for k, (name, found) in enumerate(curves.items()):
        sizes, seconds = zip(*found, strict=True)
        curve = [
            (size / sizes[0], second / seconds[0])
            for size, second in zip(sizes, seconds, strict=True)
        ]
        line, marker = STYLES[k % len(STYLES)]
        axes.plot(*zip(*curve, strict=True), line, marker=marker, color=GREYS[k % 3])
        ends.append((curve[-1], name, GREYS[k % 3], False))
    axes.set(xlabel="size, times the smallest", ylabel="seconds, times the first")
    axes.set_title("an epoch as one size grows", loc="left", fontsize=TEXT)
    axes.set_xticks([1, 2, 4])
    low, high = axes.get_ylim()
    _label_ends(axes, ends, gap=0.04 * (high - low))
    axes.set_xlim(0.9, 8.5)
    figure.savefig(path, dpi=DPI)
