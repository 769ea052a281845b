"""The recipes of docs/interoperability.md run, and print what they say."""

import ast
import doctest
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "interoperability.md"
SETUP, *RECIPES = re.split(r"^## (?=\S)", PAGE.read_text(), flags=re.MULTILINE)
RECIPES = {recipe.splitlines()[0]: recipe for recipe in RECIPES}


def examples(text):
    return doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)


def needed(recipe):
    """Return the packages that a recipe imports."""
    packages = set()
    for example in examples(recipe).examples:
        for node in ast.walk(ast.parse(example.source)):
            if isinstance(node, ast.Import):
                packages |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                packages.add(node.module.split(".")[0])
    return sorted(packages)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Keep files out of the tree, and the packages off the network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


# Packages may not know yet what other packages deprecate. Our own warnings are errors.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_recipe(recipe):
    missing = [name for name in needed(recipe) if find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed; see docs/interoperability.md")

    result = doctest.DocTestRunner().run(examples(SETUP + recipe))

    assert result.attempted > 8
    assert result.failed == 0


def test_a_recipe_needs_what_it_imports():
    assert needed(RECIPES["skrub"]) == ["pandas", "skrub"]
    assert needed(RECIPES["Hummingbird"]) == ["hummingbird"]


def test_the_first_table_names_each_recipe():
    links = re.findall(r"\[([^\]]+)\]\(#", SETUP)

    assert sorted(links) == sorted(RECIPES)
