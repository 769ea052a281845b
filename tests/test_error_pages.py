"""The index of errors is complete, and the examples of the pages on errors run."""

import ast
import doctest
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import InconsistentVersionWarning

import sksoftmax

DOCS = Path(__file__).parents[1] / "docs"
PACKAGE = Path(sksoftmax.__file__).parent
# Other errors of scikit-learn and Python are listed under the last heading.
INDEX, FOREIGN = (DOCS / "errors.md").read_text().split("\n## Errors of scikit-learn\n")


def template(message: ast.expr) -> str:
    """Return the text of a message, with an ellipsis for each value in it."""
    if isinstance(message, ast.Constant):
        return str(message.value)
    if isinstance(message, ast.JoinedStr):
        return "".join(map(template, message.values))
    if isinstance(message, ast.BinOp):
        return template(message.left) + template(message.right)
    return "…"


def normalize(message: str) -> str:
    """Return a message without the values in front of its first words."""
    return re.sub(r"^(…:? ?)+", "", " ".join(message.split()))


def sites():
    """Return the class and the message of each error and warning of the package.

    A FloatingPointError is the cause in a message of the index, "Training diverged".
    """
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            is_error = name == "kind" or name.endswith(("Error", "Warning"))
            if name == "warn" and not isinstance(node.args[0], ast.Call):
                kind = ast.unparse(node.args[1]) if node.args[1:] else "UserWarning"
                found.append((kind, template(node.args[0])))
            elif is_error and node.args:  # without them scikit-learn words the message
                found.append((name, template(node.args[0])))
    return [
        (kind, normalize(message))
        for kind, message in found
        if kind != "FloatingPointError" and normalize(message)
    ]


def entries(text):
    """Return the messages and the explanations of definition lists, as pairs."""
    found = re.findall(r"^`([^`]+)`\n: ((?:.+\n|\n(?=  ))+)", text, re.MULTILINE)
    return [(normalize(message), " ".join(text.split())) for message, text in found]


def test_the_index_explains_each_error_and_warning():
    index, found = entries(INDEX), sites()

    missing = []
    for kind, message in found:
        texts = [text for entry, text in index if message.startswith(entry)]
        # The page says that errors without a name are ValueError.
        if not any(kind in ("ValueError", "kind") or kind in text for text in texts):
            missing.append((kind, message))

    assert len(found) > 100
    assert not missing


def test_the_index_lists_no_other_messages():
    messages = [message for _, message in sites()]

    entered = [entry for entry, _ in entries(INDEX)]

    assert [e for e in entered if not any(m.startswith(e) for m in messages)] == []
    assert len(set(entered)) == len(entered)
    assert min(len(entry.split()) for entry in entered) >= 2


def fit(X, y, **parameters):
    return sksoftmax.SoftmaxRegressionClassifier(**parameters).fit(X, y)


def named(columns):
    pandas = pytest.importorskip("pandas", reason="frames need pandas")
    return pandas.DataFrame(X, columns=list(columns))


X, y = np.eye(4), [0, 1, 0, 1]


def load_of_another_version():
    clf = fit(X, y)
    clf.__setstate__({**clf.__getstate__(), "_sksoftmax_version": "0.0"})


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (ValueError, lambda: fit(X, y, alpha=-1)),
        (ValueError, lambda: fit(np.full((4, 4), np.nan), y)),
        (ValueError, lambda: fit(np.full((4, 4), np.inf), y)),
        (ValueError, lambda: fit(X[0], y)),
        (ValueError, lambda: fit(X, y[:3])),
        (ValueError, lambda: fit(X, y).predict(X[:, :3])),
        (ValueError, lambda: fit(named("abcd"), y).predict(named("abdc"))),
        (UserWarning, lambda: fit(named("abcd"), y).predict(X)),
        (ValueError, lambda: sksoftmax.SoftmaxRegressionClassifier().predict(X)),
        (InconsistentVersionWarning, load_of_another_version),
        (TypeError, lambda: fit(X, y, C=1)),
    ],
)
def test_the_index_lists_messages_of_scikit_learn(kind, call):
    with pytest.raises(kind) as raised:
        call()

    message = str(raised.value)
    patterns = re.findall(r"^`(.+)`\n: ", FOREIGN, re.MULTILINE)
    patterns = [".*".join(map(re.escape, p.split("…"))) for p in patterns]
    assert any(re.match(pattern, message) for pattern in patterns), message


@pytest.mark.parametrize("page", ["errors.md", "guide/pitfalls.md"])
def test_examples(page, tmp_path, monkeypatch):
    for needs in ["pandas", "sklearn.callback"]:  # as the pages print errors of 1.9
        pytest.importorskip(needs, reason=f"{page} needs {needs}")
    monkeypatch.chdir(tmp_path)

    result = doctest.testfile(
        str(DOCS / page), module_relative=False, optionflags=doctest.ELLIPSIS
    )

    assert result.attempted > 20
    assert result.failed == 0
