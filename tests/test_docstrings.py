"""The examples in docstrings run, and print what they say."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    ("module", "needs"),
    [
        ("sksoftmax._classifier", "sklearn"),
        ("sksoftmax.inspection", "matplotlib"),
        ("sksoftmax.onnx", "skl2onnx"),
    ],
)
def test_examples(module, needs, monkeypatch):
    pytest.importorskip(needs, reason=f"the examples of {module} need {needs}")
    monkeypatch.setenv("MPLBACKEND", "Agg")

    result = doctest.testmod(importlib.import_module(module))

    assert result.attempted > 0
    assert result.failed == 0
