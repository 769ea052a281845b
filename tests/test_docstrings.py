"""The examples in docstrings and in the user guide run, and print what they say."""

import doctest
import importlib
import re
import subprocess
import sys
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
        ("sksoftmax._classifier_cv", "sklearn"),
        ("sksoftmax.inspection.coefficient_bars", "matplotlib"),
        ("sksoftmax.inspection.coefficient_images", "matplotlib"),
        ("sksoftmax.inspection.loss_curve", "matplotlib"),
        ("sksoftmax.inspection.penalty_path", "matplotlib"),
        ("sksoftmax.onnx", "skl2onnx"),
        ("sksoftmax.dask", "dask"),
    ],
)
def test_docstrings(module, needs):
    pytest.importorskip(needs, reason=f"the examples of {module} need {needs}")

    result = doctest.testmod(importlib.import_module(module))

    assert result.attempted > 0
    assert result.failed == 0


# Packages that the pages of the guide need beyond the required ones.
NEEDS = {
    "coefficients": ["matplotlib", "pandas"],
    "categories": ["matplotlib", "pandas"],
    "moving_models": ["onnxruntime", "skl2onnx", "skops"],
    "penalty": ["matplotlib"],
    "soft_labels": ["pandas"],
    "training": ["matplotlib", "pandas", "sklearn.callback"],
}
# Versions of scikit-learn from which on the examples of a page run.
VERSIONS = {"uncertainty": "1.8"}
LONG = {"coefficients", "fewer_weights", "penalty", "reproducibility", "two_classes"}
ELSEWHERE = {"devices", "pitfalls"}  # tested below and in test_error_pages.py
GUIDE = sorted(path.stem for path in (DOCS / "guide").glob("*.md"))


# A release of skl2onnx or skops may not know yet what scikit-learn or Python warn of.
@pytest.mark.filterwarnings("default::DeprecationWarning")
@pytest.mark.filterwarnings("default::FutureWarning")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in LONG))
        for name in GUIDE
        if name not in ELSEWHERE
    ],
)
def test_guide(page):
    for needs in NEEDS.get(page, []):
        pytest.importorskip(needs, reason=f"{page}.md needs {needs}")
    if page in VERSIONS:
        pytest.importorskip("sklearn", minversion=VERSIONS[page])

    result = doctest.testfile(str(DOCS / "guide" / f"{page}.md"), module_relative=False)

    assert result.attempted > 0
    assert result.failed == 0


def test_guide_to_devices():
    pytest.importorskip("sklearn.callback", reason="devices.md needs scikit-learn 1.9")
    pytest.importorskip("torch", reason="devices.md needs PyTorch")
    text = (DOCS / "guide" / "devices.md").read_text()
    blocks = re.findall(r"```\w+\n(.*?)```", text, flags=re.DOTALL)
    code, printed = blocks

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert (result.stdout, result.stderr) == (printed, "")


@pytest.mark.parametrize(
    "page", ["index", "install", "parameters", "to_the_optimum", "user_guide"]
)
def test_pages_of_the_core(page):
    result = doctest.testfile(str(DOCS / f"{page}.md"), module_relative=False)

    assert result.attempted > 0
    assert result.failed == 0


def test_the_front_page_of_the_guide_names_each_page():
    text = (DOCS / "user_guide.md").read_text()

    assert [name for name in GUIDE if text.count(f"\nguide/{name}\n") != 1] == []
    assert [name for name in GUIDE if f"(guide/{name}.md)" not in text] == []


@pytest.mark.parametrize("cluster", [False, True], ids=["one machine", "cluster"])
def test_larger_than_memory(cluster):
    text = (DOCS / "larger_than_memory.md").read_text()
    if cluster:
        for needs in ["dask.dataframe", "dask_ml"]:
            pytest.importorskip(needs, reason=f"the recipes for clusters need {needs}")
    else:
        text, _ = text.split("## On a cluster")
    example = doctest.DocTestParser().get_doctest(text, {}, "recipes", None, 0)

    result = doctest.DocTestRunner().run(example)

    assert result.attempted > 20
    assert result.failed == 0
