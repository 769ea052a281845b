"""Imports in the package point one way: down, or along a floor; the map names all."""

import ast
import re
from pathlib import Path

import pytest

import sksoftmax

FLOORS = [
    {"", "inspection", "onnx", "dask", "_classifier", "_classifier_cv"}
    | {"_cross_validation"},
    {"_validation", "_parameters", "_classes", "_training", "_strategy", "_state"}
    | {"_monitoring", "_prediction", "_splits", "_alphas", "_penalty_path"}
    | {"_plateau_check", "_hidden_columns"},
    {"_solvers"},
    {"_oracle", "_stacked_oracle", "_problem"},
    {"_loss", "_penalty", "_kronecker", "_preconditioner", "_moments", "_outliers"}
    | {"_columns", "_data", "_labels", "_targets", "_hessian", "_l1_model"}
    | {"_collinear"},
    {"_arrays", "_frames", "_threads", "_compat"},
]
FOLDER = Path(sksoftmax.__file__).parent


def imports():
    """Return the modules of the package that each of them imports, by name."""
    paths = {}
    for path in sorted(FOLDER.rglob("*.py")):
        parts = path.relative_to(FOLDER).with_suffix("").parts
        paths[".".join(part for part in parts if part != "__init__")] = path
    return {name: imported(path.read_text(), paths) for name, path in paths.items()}


def imported(source, modules):
    """Return those of the modules that a source file imports; "" is the package."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [(alias.name,) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports within the package are absolute"
            names = [
                (f"{node.module}.{alias.name}", node.module) for alias in node.names
            ]
        for candidates in names:
            for name in candidates:
                package, _, module = name.partition(".")
                if package == "sksoftmax" and module in modules:
                    found.add(module)
                    break
    return found - {""}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from sksoftmax import _state", {"_state"}),
        ("from sksoftmax._state import make_state", {"_state"}),
        ("from sksoftmax._solvers import newton", {"_solvers.newton"}),
        ("import sksoftmax._solvers.newton", {"_solvers.newton"}),
        ("def f():\n    from sksoftmax import _state", {"_state"}),
        ("from sksoftmax import __version__", set()),
        ("import numpy\nfrom scipy import sparse", set()),
    ],
)
def test_each_form_of_import_is_found(source, found):
    modules = {"", "_state", "_solvers", "_solvers.newton"}

    assert imported(source, modules) == found


def test_imports_go_down_or_stay_on_a_floor():
    floor = {name: k for k, names in enumerate(FLOORS) for name in names}

    upward = [
        (module, other)
        for module, others in imports().items()
        for other in others
        if floor[other.split(".")[0]] < floor[module.split(".")[0]]
    ]

    assert upward == []


def test_no_module_imports_itself_on_a_way_round():
    graph, left = imports(), None
    while graph and left != len(graph):
        left = len(graph)
        graph = {m: o & graph.keys() for m, o in graph.items() if o & graph.keys()}

    assert graph == {}


def test_the_map_in_contributing_names_every_module():
    page = Path(__file__).parents[1] / "docs" / "contributing.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`([\w/]+\.py)`", row)}

    modules = {path.name for path in FOLDER.rglob("*.py")}

    assert {name.split("/")[-1] for name in named} >= modules
