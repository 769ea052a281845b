"""The examples in docstrings and in the user guide run, and print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Keep pictures off the screen and files out of the tree."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("module", "needs"),
    [
        ("sksoftmax._classifier", "sklearn"),
        ("sksoftmax.inspection", "matplotlib"),
        ("sksoftmax.onnx", "skl2onnx"),
    ],
)
def test_docstrings(module, needs):
    pytest.importorskip(needs, reason=f"the examples of {module} need {needs}")

    result = doctest.testmod(importlib.import_module(module))

    assert result.attempted > 0
    assert result.failed == 0


# A release of skl2onnx or skops may not know yet what scikit-learn or Python warn of.
@pytest.mark.filterwarnings("default::DeprecationWarning")
@pytest.mark.filterwarnings("default::FutureWarning")
def test_user_guide():
    extras = ["matplotlib", "onnxruntime", "skl2onnx", "skops"]
    for needs in ["sklearn.callback", *extras]:
        pytest.importorskip(needs, reason=f"the user guide needs {needs}")

    result = doctest.testfile(str(DOCS / "user_guide.md"), module_relative=False)

    assert result.attempted > 0
    assert result.failed == 0


def test_larger_than_memory():
    result = doctest.testfile(
        str(DOCS / "larger_than_memory.md"), module_relative=False
    )

    assert result.attempted > 0
    assert result.failed == 0
