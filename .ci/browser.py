"""Try the tutorial's figures in a browser: python .ci/browser.py FOLDER of the site.

Playwright drives an installed Chromium without a window. The page is opened as a file.
Expected probabilities are computed here, with the estimator and with NumPy.
"""

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier

PAGE = Path(sys.argv[1]).resolve() / "auto_learn" / "plot_softmax_regression.html"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]
MINUS = "\N{MINUS SIGN}"


def arc(x, y, width, height, start, stop):
    """Return points on an ellipse; angles in turns, clockwise from the right."""
    turns = 2 * np.pi * np.linspace(start, stop, 25)
    return [(x + width * np.cos(t), y + height * np.sin(t)) for t in turns]


# How a person draws the digits: strokes as points, on a sheet from 0 to 1.
STROKES = {
    0: [arc(0.5, 0.5, 0.2, 0.33, -0.25, 0.77)],
    1: [[(0.42, 0.25), (0.53, 0.14), (0.52, 0.85)]],
    2: [[*arc(0.5, 0.33, 0.18, 0.17, -0.5, 0.1), (0.3, 0.82), (0.72, 0.82)]],
    3: [[*arc(0.5, 0.31, 0.17, 0.16, -0.4, 0.2), *arc(0.5, 0.65, 0.2, 0.2, -0.2, 0.4)]],
    4: [[(0.48, 0.14), (0.27, 0.58), (0.72, 0.57)], [(0.58, 0.38), (0.55, 0.88)]],
    5: [
        [(0.34, 0.16), (0.32, 0.45), *arc(0.46, 0.62, 0.19, 0.21, -0.3, 0.4)],
        [(0.34, 0.16), (0.66, 0.15)],
    ],
    6: [[(0.58, 0.13), (0.38, 0.45), *arc(0.5, 0.66, 0.17, 0.19, -0.5, 0.5)]],
    7: [[(0.3, 0.17), (0.7, 0.17), (0.45, 0.86)], [(0.4, 0.52), (0.68, 0.5)]],
    8: [arc(0.5, 0.32, 0.16, 0.18, -0.25, 0.75), arc(0.5, 0.68, 0.2, 0.2, -0.25, 0.75)],
    9: [[*arc(0.49, 0.34, 0.16, 0.17, 0, -1), (0.65, 0.4), (0.6, 0.86)]],
}  # fmt: skip


class Figure:
    """A figure of an opened page."""

    def __init__(self, page, name):
        self.page, self.root = page, page.locator(f"#interactive-{name}")
        self.root.scroll_into_view_if_needed()

    def find(self, selector):
        return self.root.locator(selector)

    def probabilities(self):
        """Return the probabilities of the bars, once they have stopped to change."""
        bars = "bars => bars.map(bar => Number(bar.style.getPropertyValue('--p')))"
        before, now = None, self.find(".bar").evaluate_all(bars)
        while now != before:
            self.page.wait_for_timeout(100)
            before, now = now, self.find(".bar").evaluate_all(bars)
        return np.array(now)

    def number(self, selector):
        text = self.find(selector).first.text_content()
        return float(text.split()[0].replace(MINUS, "-"))

    def strokes(self, digit):
        """Return the strokes of a digit in pixels of the page, with many points."""
        box = self.find(".sheet").bounding_box()
        scale, corner = [box["width"], box["height"]], [box["x"], box["y"]]
        for stroke in STROKES[digit]:
            corners = np.arange(len(stroke))
            between = np.linspace(0, len(stroke) - 1, max(60, 2 * len(stroke)))
            x, y = np.transpose(np.array(stroke) * scale + corner)
            fine = np.interp(between, corners, x), np.interp(between, corners, y)
            yield np.transpose(fine).tolist()

    def draw_by_mouse(self, digit):
        self.find(".clear").click()
        self.find(".sheet").scroll_into_view_if_needed()
        for first, *others in self.strokes(digit):
            self.page.mouse.move(*first)
            self.page.mouse.down()
            for point in others:
                self.page.mouse.move(*point)
            self.page.mouse.up()

    def draw_by_touch(self, digit):
        self.find(".clear").tap()
        self.find(".sheet").scroll_into_view_if_needed()
        session = self.page.context.new_cdp_session(self.page)
        for stroke in self.strokes(digit):
            kind = "touchStart"
            for x, y in stroke:
                points = [{"x": x, "y": y}]
                send = {"type": kind, "touchPoints": points}
                session.send("Input.dispatchTouchEvent", send)
                kind = "touchMove"
            send = {"type": "touchEnd", "touchPoints": []}
            session.send("Input.dispatchTouchEvent", send)


def check(name, holds, *details):
    """Print a result, and stop at the first that does not hold."""
    print("ok    " if holds else "FAILED", name, *details)
    if not holds:
        sys.exit(1)


def check_drawing(page, draw, digits):
    figure = Figure(page, "digit")
    for digit in digits:
        getattr(figure, draw)(digit)
        p = figure.probabilities()
        what = f"a drawn {digit} is recognised ({draw})"
        check(what, p.argmax() == digit, p.round(2).tolist())
        check(
            "its bits", np.isclose(figure.number(".bits"), -np.log2(p.max()), atol=0.01)
        )


def check_examples(page):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    clf = SoftmaxRegressionClassifier(random_state=0).fit(X_train / 16, y_train)
    figure = Figure(page, "digit")
    for digit in range(10):
        row = X_test[y_test == digit][:1] / 16
        expected = clf.predict_proba(row)[0]
        figure.find(f"[data-example='{digit}']").click()
        error = np.abs(figure.probabilities() - expected).max()
        check(
            f"test digit {digit} has the estimator's probabilities", error < 1e-3, error
        )
        true = figure.find(".entry.true input").get_attribute("value")
        check("the true class is marked", true == str(digit), true)
        parts = [figure.number(name) for name in (".sum", ".intercept", ".score")]
        check("the score adds up", abs(parts[0] + parts[1] - parts[2]) < 1e-6, parts)
    figure.find("[name=look][value='4']").check()
    score = (clf.coef_[4] @ row[0] + clf.intercept_[4]).item()
    page.wait_for_timeout(60)
    check("the score of a chosen class", abs(figure.number(".score") - score) < 0.02)
    bits = -np.log2(expected[4])
    check("the bits of a chosen class", abs(figure.number(".bits") - bits) < 0.02)
    figure.find("[name=look][value='top']").check()
    figure.find(".clear").click()
    page.wait_for_timeout(60)
    check("an empty sheet has no true class", not figure.find(".entry.true").count())


def check_keyboard(page):
    """Draw a 0 without a pointer, after walking to the sheet by the tab key."""
    figure = Figure(page, "digit")
    figure.find(".clear").click()
    page.evaluate("document.activeElement.blur()")
    has_focus = "document.activeElement.matches('.sheet')"
    for _ in range(300):
        page.keyboard.press("Tab")
        if page.evaluate(has_focus):
            break
    check("the tab key reaches the sheet", page.evaluate(has_focus))
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    check("the focus is visible", page.evaluate(outline) == "solid")
    before = figure.probabilities()

    def move(*directions, count=1, paint=False):
        if paint:
            page.keyboard.down(" ")
        for _ in range(count):
            for direction in directions:
                page.keyboard.press(f"Arrow{direction}")
        if paint:
            page.keyboard.up(" ")

    move("Up")
    check("moving paints nothing", (figure.probabilities() == before).all())
    move("Right", count=2, paint=True)
    move("Right", "Down")
    move("Down", count=7, paint=True)
    move("Down", "Left")
    move("Left", count=3, paint=True)
    move("Left", "Up")
    move("Up", count=7, paint=True)
    move("Up", "Right")
    page.keyboard.press(" ")
    p = figure.probabilities()
    check("a 0 painted by keyboard is recognised", p.argmax() == 0, p.round(2).tolist())
    page.keyboard.press("Backspace")
    move("Right")
    page.keyboard.press("Backspace")
    check("Backspace erases", not np.allclose(figure.probabilities(), p, atol=1e-6))


def softmax(scores):
    exp = np.exp(scores - np.max(scores))
    return exp / exp.sum()


def check_scores(page):
    figure = Figure(page, "scores")
    sliders = figure.find("input[type=range]")

    def expected():
        *scores, degree = [float(sliders.nth(i).input_value()) for i in range(4)]
        return softmax(np.array(scores) / 2**degree)

    def agrees():
        return np.allclose(figure.probabilities(), expected(), atol=1e-6)

    check("probabilities are the softmax", agrees())
    for i, keys in enumerate((["ArrowRight"] * 4, ["End"], ["ArrowLeft"] * 7)):
        sliders.nth(i).focus()
        for key in keys:
            page.keyboard.press(key)
        p = figure.probabilities()
        check(f"softmax after slider {i} moves", agrees(), p.round(3).tolist())
    for i, value in enumerate(("1.5", "0.7", "-2")):
        sliders.nth(i).fill(value)
        shown = sliders.nth(i).locator("+ output").text_content()
        check(
            "a slider shows its score", float(shown.replace(MINUS, "-")) == float(value)
        )
    p = figure.probabilities()
    check("the values are those of the scores", np.allclose(p, softmax([1.5, 0.7, -2])))
    figure.find("[data-add='1']").click()
    moved = [sliders.nth(i).input_value() for i in range(3)]
    check("+1 moves all scores", moved == ["2.5", "1.7", "-1"], moved)
    check("+1 changes no probability", np.allclose(figure.probabilities(), p))
    style = "circle => ['--x', '--y'].map(axis => circle.style.getPropertyValue(axis))"
    point = [
        float(place.strip("px")) for place in figure.find("circle").evaluate(style)
    ]
    expected_point = p @ [[60, 14], [12, 97], [108, 97]]
    check("the point of the triangle", np.allclose(point, expected_point, atol=1e-2))
    figure.find("[data-double='-1']").click()
    check(
        "half the temperature sharpens", figure.probabilities()[0] > p[0] and agrees()
    )
    check(
        "the temperature is shown",
        sliders.nth(3).locator("+ output").text_content() == "0.50",
    )
    for i in range(3):
        figure.find(f"[name=truth][value='{i}']").check()
        nats = -np.log(figure.probabilities()[i])
        check(f"the loss of class {i}", abs(figure.number(".nats") - nats) < 1e-3)
        check(
            "the same in bits",
            abs(figure.number(".result .bits") - nats / np.log(2)) < 1e-3,
        )
    sliders.nth(0).fill("5")
    disabled = figure.find("[data-add='1']").is_disabled()
    check("no score can leave its slider alone", disabled)
    page.wait_for_timeout(900)
    status = figure.find(".status").text_content()
    check("screen readers hear the result", "loss" in status, status)


def check_phone(page):
    check_drawing(page, "draw_by_touch", (0, 2, 3, 1))
    figure = Figure(page, "digit")
    figure.draw_by_touch(1)
    before = page.evaluate("scrollY")
    figure.draw_by_touch(1)
    after = page.evaluate("scrollY")
    check("drawing does not scroll the page", abs(after - before) < 1, before, after)
    figure = Figure(page, "scores")
    figure.find("[name=truth][value='1']").check()
    figure.find("[data-double='1']").tap()
    check("buttons of the scores", figure.find("output").last.text_content() == "2.00")
    for name in ("digit", "scores"):
        wide = "figure => figure.scrollWidth - figure.clientWidth"
        check(f"{name} fits the phone", Figure(page, name).root.evaluate(wide) <= 0)
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    check("the page does not scroll sideways", overflow <= 0, overflow)


def check_without_javascript(page):
    for name, picture in (("digit", ".evidence"), ("scores", ".simplex svg")):
        figure = Figure(page, name)
        box = figure.find(picture).bounding_box()
        check(
            f"{name}: the picture is there",
            box and min(box["width"], box["height"]) > 90,
        )
        check("its bars", figure.find(".bar").last.is_visible())
        check("its caption", figure.find("figcaption").is_visible())
        inputs = figure.find("input, button").all()
        check("no dead controls", not any(control.is_visible() for control in inputs))
        check("its probabilities", abs(figure.probabilities().sum() - 1) < 1e-3)


@contextmanager
def opened(browser, **options):
    """Open the page, and check at the end that there were no errors or requests."""
    context = browser.new_context(**options)
    context.add_init_script("localStorage.mode = 'auto'")  # else the theme complains
    page = context.new_page()
    errors, requests = [], []
    page.on("console", lambda line: line.type == "error" and errors.append(line.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(PAGE.as_uri())
    yield page
    strange = [url for url in requests if not url.startswith(("file:", "data:"))]
    check("no errors and no network", not errors and not strange, errors, strange)
    context.close()


with sync_playwright() as playwright:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
    wide = {"width": 1280, "height": 900}
    with opened(browser, viewport=wide) as page:
        check_drawing(page, "draw_by_mouse", STROKES)
        check_examples(page)
        check_keyboard(page)
        check_scores(page)
    phone = {"width": 390, "height": 844}
    with opened(browser, viewport=phone, has_touch=True, is_mobile=True) as page:
        check_phone(page)
    with opened(browser, viewport=wide, java_script_enabled=False) as page:
        check_without_javascript(page)
    with opened(browser, viewport=wide, reduced_motion="reduce") as page:
        duration = "bar => getComputedStyle(bar).transitionDuration"
        moving = Figure(page, "digit").find(".bar").first.evaluate(duration)
        check("no motion for who asks for none", moving == "0s", moving)
    browser.close()
