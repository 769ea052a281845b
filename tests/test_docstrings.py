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


@pytest.mark.parametrize("page", ["parameters.md", "faq.md", "index.md"])
def test_pages_of_the_core(page):
    result = doctest.testfile(str(DOCS / page), module_relative=False)

    assert result.attempted > 0
    assert result.failed == 0


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
