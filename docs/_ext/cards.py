"""Pictures of the first page, drawn at each build.

Models give the pictures of the cards, and the benchmarks those of the times. Their
colours are legible on white and on black: the background is transparent.
"""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import analysis  # docs/benchmarks
import numpy as np
from sklearn.datasets import load_digits

from sksoftmax import SoftmaxRegressionClassifierCV

RESULTS = Path(analysis.__file__).parent / "results" / "results.json"
BLUE, ORANGE, GREY = "#3d85c6", "#e07b1f", "#888888"
WIDTH, HEIGHT = 260, 150
TEXT = "sans-serif", "currentColor"


def rectangle(x, y, width, height, colour, opacity=1.0, radius=0):
    """Return a filled rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{radius}" fill="{colour}" fill-opacity="{opacity:.2f}"/>'
    )


def words(x, y, text, size=13, anchor="start", family="monospace", colour=GREY):
    """Return a line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'font-family="{family}" fill="{colour}">{text}</text>'
    )


def pixels(image, left, top, size, positive, negative=ORANGE):
    """Return an image as squares, whose opacity is the magnitude."""
    shares = image / np.abs(image).max()
    return [
        rectangle(
            left + column * size,
            top + row * size,
            size,
            size,
            positive if share > 0 else negative,
            abs(share),
        )
        for (row, column), share in np.ndenumerate(shares)
        if abs(share) > 0.02
    ]


def install():
    """Return a terminal with the lines that everything begins with."""
    frame = f'fill="none" stroke="{GREY}" stroke-width="2"'
    return [
        f'<rect x="4" y="8" width="252" height="134" rx="10" {frame}/>',
        *(f'<circle cx="{x}" cy="27" r="5" {frame}/>' for x in (22, 40, 58)),
        words(16, 66, "$ python -m pip install .", 15.2),
        words(16, 94, "$ python", 15.2),
        words(16, 122, "&gt;&gt;&gt; import sksoftmax", 15.2, colour=BLUE),
    ]


def learn(clf, X):
    """Return the least certain digit of those predicted above one half, and bars."""
    proba = clf.predict_proba(X)
    top = proba.max(axis=1)
    row = np.flatnonzero(top > 0.5)[top[top > 0.5].argmin()]
    bars = [
        part
        for name, p in enumerate(proba[row])
        for part in (
            rectangle(184, 2 + 15 * name, max(120 * p, 1.5), 11, BLUE, radius=2),
            words(177, 13 + 15 * name, str(name), 15, "end", "sans-serif"),
        )
    ]
    arrow = f'stroke="{GREY}" stroke-width="3" fill="none"'
    return [
        *pixels(X[row].reshape(8, 8), 0, 7, 17, GREY),
        f'<path d="M134 75h20m-8 -8l8 8l-8 8" {arrow}/>',
        *bars,
    ]


def guide(clf):
    """Return the held-out log-loss along the path of penalties."""
    losses = -clf.mean_score_
    x = np.interp(np.log(clf.alphas_), np.log(clf.alphas_[[-1, 0]]), (18, 246))
    y = np.interp(losses, (losses.min(), losses.max()), (108, 12))
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    best = losses.argmin()
    return [
        f'<path d="M6 4V124H254" stroke="{GREY}" stroke-width="2" fill="none"/>',
        f'<polyline points="{line}" fill="none" stroke="{BLUE}" stroke-width="3"/>',
        *(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{BLUE}"/>'
            for a, b in zip(x, y, strict=True)
        ),
        f'<circle cx="{x[best]:.1f}" cy="{y[best]:.1f}" r="8" fill="{ORANGE}"/>',
        words(254, 145, "penalty", 18, "end", "sans-serif"),
        words(14, 20, "held-out log-loss", 18, "start", "sans-serif"),
    ]


def examples(clf):
    """Return the weights of the ten digits as images."""
    return [
        part
        for name, weights in enumerate(clf.coef_)
        for part in pixels(
            weights.reshape(8, 8), 1 + 53 * (name % 5), 22 + 56 * (name // 5), 5.6, BLUE
        )
    ]


def times(results: dict) -> str:
    """Return the seconds to LogisticRegression's quality: a row for each task."""
    pieces = analysis.of_kind(results, "task", "one")
    bottom, parts, quickest = 56 + 22 * len(pieces), [], 0
    for power in range(-3, 3):
        x = across(10.0**power)
        line = 'stroke="currentColor" stroke-opacity="0.25"'
        parts.append(f'<path d="M{x:.1f} 48V{bottom}" {line}/>')
        number = f"{10.0**power:g}"
        parts.append(words(x, bottom + 16, number, 12, "middle", *TEXT))
    parts.append(words(254, bottom + 36, "seconds, one thread", 12, "middle", *TEXT))
    for x, y, name, mark in (
        (8, 12, "sksoftmax", circle),
        (98, 12, "LogisticRegression", square),
        (248, 12, "quickest other library", triangle),
    ):
        parts += [mark(x, y), words(x + 9, y + 4, name, 12, "start", *TEXT)]
    for row, piece in enumerate(pieces):
        y = 64 + 22 * row
        parts.append(words(104, y + 4, piece["name"], 12, "end", *TEXT))
        names = analysis.OURS[0], analysis.REFERENCE[0], analysis.quickest_peer(piece)
        ours, *_ = seconds = [
            analysis.middle(piece["close"].get(name) or [], "seconds") for name in names
        ]
        for value, mark in zip(seconds[::-1], (triangle, square, circle), strict=True):
            parts += [mark(across(value), y)] if value else []
        if ours is None:
            note = "sksoftmax: not reached"
            parts.append(words(116, y + 4, note, 12, "start", *TEXT))
        quickest += ours is not None and ours == min(filter(None, seconds))
    label = (
        "Dot plot of seconds on a logarithmic axis, with a row for each of "
        f"{len(pieces)} tasks. sksoftmax is the quickest in {quickest} of them."
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 {bottom + 44}" '
        f'class="times" role="img" aria-label="{label}">{"".join(parts)}</svg>\n'
    )


def across(seconds):
    """Return the place of a time on the axis of the times."""
    return 122 + 53 * (np.log10(seconds) + 3)


def circle(x, y):
    """Return the mark of sksoftmax."""
    return f'<circle cx="{x:.1f}" cy="{y}" r="5.5" fill="{BLUE}"/>'


def square(x, y):
    """Return the mark of LogisticRegression."""
    frame = f'fill="none" stroke="{ORANGE}" stroke-width="2"'
    return f'<rect x="{x - 5:.1f}" y="{y - 5}" width="10" height="10" {frame}/>'


def triangle(x, y):
    """Return the mark of the quickest other library."""
    return f'<path d="M{x - 6:.1f} {y + 5}h12l-6 -11z" fill="{GREY}"/>'


def draw(folder: Path) -> None:
    """Write the pictures."""
    X, y = load_digits(return_X_y=True)
    clf = SoftmaxRegressionClassifierCV().fit(X[:1500], y[:1500])
    pictures = {
        "install": install(),
        "learn": learn(clf, X[1500:]),
        "guide": guide(clf),
        "examples": examples(clf),
    }
    folder.mkdir(exist_ok=True)
    for name, parts in pictures.items():
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
            f"{''.join(parts)}</svg>\n"
        )
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    (folder / "times.svg").write_text(times(results), encoding="utf-8")


def setup(app):
    """Connect what Sphinx is to call."""
    app.connect("builder-inited", lambda app: draw(Path(app.srcdir) / "auto_cards"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
