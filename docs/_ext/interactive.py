"""Figures that a reader can play with: ``.. interactive:: digit`` and ``:: scores``.

The directive writes a figure as HTML, with the values of an example. The figure is
complete without JavaScript. Scripts in `docs/_static` then make its controls work, and
only the pages that have such a figure load the scripts.
"""

import json
from functools import cache
from html import escape
from typing import ClassVar

import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sphinx.util.docutils import SphinxDirective

from sksoftmax import SoftmaxRegressionClassifier

MINUS = "\N{MINUS SIGN}"  # as wide as a plus sign


class Interactive(SphinxDirective):
    """A figure that scripts of the site bring to life.

    The options are for `scores`: the names of three classes, and their first scores.
    """

    required_arguments = 1
    option_spec: ClassVar = {
        "classes": directives.unchanged,
        "scores": directives.unchanged,
    }

    def run(self):
        """Put the figure into the page."""
        name = self.arguments[0]
        if name == "digit":
            html = digit_figure()
        elif name == "scores":
            classes = self.options.get("classes", "cat, chicken, dog").split(",")
            scores = self.options.get("scores", "1.5, 0.5, -1").split(",")
            if len(classes) != 3 or len(scores) != 3:
                raise self.error("Classes and scores must be three each.")
            html = scores_figure([name.strip() for name in classes], scores)
        else:
            raise self.error(f"A figure must be digit or scores, got {name}.")
        return [nodes.raw("", html, format="html", figure=name)]


def add_scripts(app, pagename, templatename, context, doctree):
    """Load the scripts and styles of the figures on the page."""
    raw = doctree.findall(nodes.raw) if doctree else ()
    names = {node["figure"] for node in raw if "figure" in node}
    if names:
        app.add_css_file("interactive.css")
        for name in ("interactive", *(f"interactive_{name}" for name in sorted(names))):
            app.add_js_file(f"{name}.js", loading_method="defer")


# The digit

OURS = 1164  # the training digit that the tutorial follows


@cache
def digit_model():
    """Fit the digits; return the numbers of the model, and digits to look at.

    The examples are the first test digit of each class, the one whose prediction has
    the largest entropy, and the training digit that the tutorial follows.
    """
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    clf = SoftmaxRegressionClassifier(random_state=0).fit(X_train / 16, y_train)
    chosen = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
    chosen.append(clf.predictive_entropy(X_test / 16).argmax())
    rows = np.vstack([X_test[chosen], X_train[OURS]])
    return {
        "coef": clf.coef_.round(5).tolist(),
        "intercept": clf.intercept_.round(5).tolist(),
        "labels": [*y_test[chosen].tolist(), int(y_train[OURS])],
        "examples": rows.astype(int).tolist(),
        "proba": clf.predict_proba(rows / 16).round(6).tolist(),
    }


def digit_figure():
    """Return the figure of a digit, its pixels and its probabilities.

    The figure begins with the last example.
    """
    model = digit_model()
    ink = np.array(model["examples"][-1])
    proba = np.array(model["proba"][-1])
    label = model["labels"][-1]
    top = proba.argmax()
    products = np.array(model["coef"]) * ink / 16
    evidence, limit = products[top], np.abs(products).max()
    weighed = squares(evidence / limit, signs=True)
    intercept = round(model["intercept"][top], 2)
    score = round(evidence.sum() + model["intercept"][top], 2)
    names = ("coef", "intercept", "examples", "labels")
    numbers = {name: model[name] for name in names}
    texts = [str(k) for k in range(10)]
    texts += [f"unsure ({model['labels'][10]})", f"ours ({label})"]
    buttons = "".join(
        f'<button type="button" data-example="{i}">{text}</button>'
        for i, text in enumerate(texts)
    )
    bars = "".join(
        bar_row("look", i, i, proba[i], chosen=i == top, true=i == label)
        for i in range(10)
    )
    return f"""
<figure class="interactive digit" id="interactive-digit">
<div class="parts">
<div class="buttons examples" role="group" aria-label="Start from" hidden>
  <span>Digits:</span> {buttons}
  <button type="button" class="clear">Clear</button></div>
<div class="drawing" hidden>
  <p class="title">Or draw a digit</p>
  <svg class="sheet" viewBox="0 0 16 16" tabindex="0" role="application"
    aria-label="A sheet for a digit" aria-describedby="digit-keys">
    <g class="example" transform="scale(2)">{squares(ink / 16)}</g>
    <path class="ink"/><rect class="cursor" width="1" height="1"/>
  </svg>
  <p class="note" id="digit-keys">By mouse, pen or finger. By keyboard: arrow keys move,
    the space bar held down paints, Backspace erases.</p>
</div>
<div class="pictures">
  <div>
    <p class="title">64 pixels</p>
    <svg class="pixels" viewBox="0 0 8 8" role="img"
      aria-label="The digit in 8 by 8 pixels">{squares(ink / 16)}</svg>
  </div>
  <div>
    <p class="title">For (+) and against (&minus;) <b class="class">{top}</b></p>
    <svg class="evidence" viewBox="0 0 8 8" role="img"
      aria-label="Weight times pixel, for each pixel">{weighed}</svg>
  </div>
</div>
<p class="result">Score of <b class="class">{top}</b>: the products add up to
  <b class="sum">{signed(score - intercept)}</b>, and the intercept is
  <b class="intercept">{signed(intercept)}</b>, together
  <b class="score">{signed(score)}</b>.<br>
  Surprisal of <b class="class">{top}</b>:
  <b class="bits">{-np.log2(proba[top]):.2f} bits</b>. Knowing nothing:
  {np.log2(10):.2f} bits.</p>
<div class="bars" role="radiogroup" aria-label="The class to look at">
  <p class="title">Probabilities</p>
  {bars}
  <label class="controls" hidden><input type="radio" name="look" value="top" checked>
    the most probable</label>
</div>
</div>
<figcaption>A digit as the model sees it, the products of its pixels with the weights of
  a class, and the probabilities of the ten classes. The row with a background is the
  class looked at. A blue, hatched bar is the true class; a drawn digit has none.
  <noscript>With JavaScript, you can draw a digit.</noscript></figcaption>
<p class="status" role="status"></p>
<script type="application/json">{json.dumps(numbers, separators=(",", ":"))}</script>
</figure>
"""


def squares(values, signs=False):
    """Return 64 squares: their ink, or what they say for (+) and against (-)."""
    cells = []
    for i, value in enumerate(values):
        side = ' class="for"' if value > 0 else ' class="against"' if value < 0 else ""
        x, y = i % 8, i // 8
        cells.append(
            f'<rect x="{x}" y="{y}" width="1" height="1"{side if signs else ""} '
            f'fill-opacity="{abs(value):.3f}"/>'
        )
        if signs:
            sign = "" if abs(value) < 0.1 else "+" if value > 0 else MINUS
            cells.append(f'<text x="{x}.5" y="{y}.78">{sign}</text>')
    return "".join(cells)


# The scores

CORNERS = np.array([[60, 14], [12, 97], [108, 97]])


def scores_figure(classes, scores):
    """Return the figure of three scores, their probabilities and the loss."""
    exp = np.exp(np.array(scores, float))
    proba = exp / exp.sum()
    sliders = "".join(
        slider(name, -5, 5, 0.1, float(score), f"{float(score):.1f}")
        for name, score in zip(classes, scores, strict=True)
    )
    bars = "".join(
        bar_row("truth", i, name, proba[i], true=i == 0)
        for i, name in enumerate(classes)
    )
    x, y = proba @ CORNERS
    return f"""
<figure class="interactive scores" id="interactive-scores">
<div class="parts">
<div class="sliders" hidden>
  <p class="title">Scores</p>
  {sliders}
  {slider("temperature", -3, 3, 0.25, 0, "1.00")}
  <div class="buttons">
    <button type="button" data-add="1">+1 to all scores</button>
    <button type="button" data-add="-1">&minus;1 to all</button>
    <button type="button" data-double="-1">Temperature &divide; 2: sharper</button>
    <button type="button" data-double="1">&times; 2: flatter</button>
    <button type="button" class="clear">Start again</button>
  </div>
</div>
<div class="bars" role="radiogroup" aria-label="The true class">
  <p class="title">Probabilities</p>
  {bars}
  <p class="result">Loss if <b class="class">{escape(classes[0])}</b> is the true class:
    <b class="nats">{-np.log(proba[0]):.3f} nats</b> =
    <b class="bits">{-np.log2(proba[0]):.3f} bits</b></p>
</div>
<div class="simplex">
  <p class="title">The triangle of probabilities</p>
  <svg viewBox="0 0 120 112" role="img"
    aria-label="A point in a triangle, near the corner of the most probable class">
    {triangle(classes)}
    <circle r="3" style="--x: {x:.3f}px; --y: {y:.3f}px"/>
  </svg>
</div>
</div>
<figcaption>Three scores, their softmax, and the loss. Each point of the triangle is a
  distribution, and each corner is certain of its class. The blue, hatched bar is the
  true class. Dashed lines part the predicted
  classes; on a thin line the true class has probability ¼, ½ or ¾.
  <noscript>The scores are {", ".join(f"{float(score):.1f}" for score in scores)}; with
  JavaScript, you can move them.</noscript></figcaption>
<p class="status" role="status"></p>
</figure>
"""


def slider(name, low, high, step, value, text):
    """Return a slider with its label and its value."""
    return (
        f'<label class="entry"><span class="name">{escape(name)}</span>'
        f'<input type="range" min="{low}" max="{high}" step="{step}" value="{value}" '
        f'autocomplete="off">'
        f"<output>{text.replace('-', MINUS)}</output></label>"
    )


def triangle(classes):
    """Return the triangle, its labels, and lines of equal probability of each class."""
    center = CORNERS.mean(axis=0)
    parts = [f'<path class="edge" d="{path(*CORNERS)}Z"/>']
    for i, name in enumerate(classes):
        corner, left, right = (CORNERS[(i + k) % 3] for k in range(3))
        parts.append(f'<path class="tie" d="{path(center, (left + right) / 2)}"/>')
        lines = "".join(
            path(p * corner + (1 - p) * left, p * corner + (1 - p) * right)
            for p in (0.25, 0.5, 0.75)
        )
        chosen = " chosen" if i == 0 else ""
        parts.append(f'<path class="equal{chosen}" d="{lines}"/>')
        x, y, anchor = [(60, 9, "middle"), (2, 108, "start"), (118, 108, "end")][i]
        parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(name)}</text>'
        )
    return "".join(parts)


def path(*points):
    """Return a line through points, as SVG writes it."""
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points)


# What both share


def bar_row(group, value, name, proba, chosen=False, true=False):
    """Return a class, its probability as a bar and as a number, and a radio button.

    The row of the class looked at is `chosen`, and the bar of the `true` class hatched.
    """
    checked = " checked" if true and group == "truth" else ""
    mark = (" chosen" if chosen else "") + (" true" if true else "")
    return (
        f'<label class="entry{mark}">'
        f'<input type="radio" name="{group}" value="{value}"{checked} '
        f'autocomplete="off">'
        f'<span class="name">{escape(str(name))}</span>'
        f'<span class="bar" style="--p: {proba:.6f}"></span>'
        f'<span class="value">{proba:.3f}</span></label>'
    )


def signed(number):
    """Return a number with its sign."""
    return f"{number:+.2f}".replace("-", MINUS)


def setup(app):
    """Connect what Sphinx is to call."""
    app.add_directive("interactive", Interactive)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
