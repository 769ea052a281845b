"""Imports between the modules of the package point one way: down, or along a floor."""

import ast
from pathlib import Path

import sksoftmax

FLOORS = [
    {"", "inspection", "onnx", "dask", "_classifier", "_classifier_cv"},
    {"_validation", "_parameters", "_classes", "_training", "_strategy", "_state"}
    | {"_monitoring", "_prediction"},
    {"_solvers"},
    {"_oracle", "_problem"},
    {"_loss", "_penalty", "_kronecker", "_preconditioner", "_moments", "_outliers"}
    | {"_columns", "_data", "_targets", "_hessian", "_l1_model"},
    {"_arrays", "_threads", "_compat"},
]
FOLDER = Path(sksoftmax.__file__).parent


def imports():
    """Return the modules of the package that each of them imports, by name."""
    paths = {}
    for path in sorted(FOLDER.rglob("*.py")):
        parts = path.relative_to(FOLDER).with_suffix("").parts
        paths[".".join(part for part in parts if part != "__init__")] = path
    found = {name: set() for name in paths}
    for name, path in paths.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("sksoftmax"):
                module = node.module.removeprefix("sksoftmax").lstrip(".")
                for alias in node.names:
                    submodule = f"{module}.{alias.name}"
                    found[name].add(submodule if submodule in paths else module)
        found[name].discard("")
    return found


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
