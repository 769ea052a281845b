"""What an installation brings along, and what importing it does."""

import importlib.metadata
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import sksoftmax

FOLDER = Path(sksoftmax.__file__).parents[1]
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
REQUIRED = {"numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl"}
LISTEN = """
import builtins, json, os, sys

opened, imported, new, to_import = [], [], [], builtins.__import__

def hear(event, args):
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    if event == "open":
        path, mode, flags = args
        if not (set(mode or "") & set("wax+") or (flags or 0) & writes):
            return
    elif not event.startswith(("socket.", "subprocess.", "os.system", "os.exec")):
        return
    opened.append([event, repr(args)])

def import_and_tell(name, globals=None, locals=None, fromlist=(), level=0):
    if (globals or {}).get("__name__", "").startswith("sksoftmax"):
        imported.append(name)
    return to_import(name, globals, locals, fromlist, level)

sys.addaudithook(hear)
"""
IMPORT = """
import sklearn.linear_model
opened.clear()  # what others do is theirs
before = set(sys.modules)
builtins.__import__ = import_and_tell
import sksoftmax
new += set(sys.modules) - before
import sksoftmax.inspection, sksoftmax.onnx
"""
TELL = """
print(json.dumps({"opened": opened, "imported": imported, "new": new}))
"""


def run(code, *options):
    """Return what a new interpreter prints, from JSON; it must print no warning."""
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    environment.pop("SCIPY_ARRAY_API", None)
    done = subprocess.run(
        [sys.executable, "-B", *options, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def required():
    """Return the requirements of the installed package, without those of extras."""
    required = map(Requirement, importlib.metadata.requires("sksoftmax"))
    return [one for one in required if "extra" not in str(one.marker)]


def test_five_packages_are_required(required):
    names = {one.name for one in required}

    assert names == REQUIRED
    assert all(one.marker is None for one in required)


def test_required_versions_have_a_lower_bound_alone(required):
    operators = {
        one.name: [bound.operator for bound in one.specifier] for one in required
    }

    assert set(map(tuple, operators.values())) == {(">=",)}


def test_the_metadata_are_those_of_the_project(required):
    project = tomllib.loads(PYPROJECT.read_text())["project"]

    expected = {str(Requirement(one)) for one in project["dependencies"]}
    assert {str(one) for one in required} == expected


def test_version_is_written_once_in_the_package():
    project = tomllib.loads(PYPROJECT.read_text())["project"]

    assert project["dynamic"] == ["version"]
    assert importlib.metadata.version("sksoftmax") == sksoftmax.__version__


def test_estimator_pages_are_in_the_linked_documentation():
    urls = tomllib.loads(PYPROJECT.read_text())["project"]["urls"]

    template = sksoftmax.SoftmaxRegressionClassifier._doc_link_template

    assert template.startswith(urls["Documentation"])


def test_the_build_backend_is_pinned_to_a_range():
    build = tomllib.loads(PYPROJECT.read_text())["build-system"]

    backend, *others = map(Requirement, build["requires"])

    assert others == []
    assert backend.name == build["build-backend"].split(".")[0]
    assert {bound.operator for bound in backend.specifier} == {">=", "<"}


def test_files_and_sockets_are_heard(tmp_path):
    path = str(tmp_path / "file")
    code = f"open({path!r}, 'w').close(); os.open({path!r}, os.O_RDWR)"

    found = run(f"{LISTEN}\n{code}; import socket; socket.socket()\n{TELL}")

    assert [event for event, _ in found["opened"]] == ["open", "open", "socket.__new__"]


@pytest.fixture(scope="module")
def at_import():
    """Return what importing all of the package does, warnings being errors."""
    return run(LISTEN + IMPORT + TELL, "-Werror")


@pytest.mark.slow
def test_importing_opens_no_socket_and_writes_no_file(at_import):
    assert at_import["opened"] == []


@pytest.mark.slow
def test_importing_loads_no_module_that_scikit_learn_does_not(at_import):
    new = at_import["new"]

    assert {name.split(".")[0] for name in new} == {"sksoftmax"}
    assert {"sksoftmax.inspection", "sksoftmax.onnx"} & set(new) == set()


@pytest.mark.slow
def test_modules_import_what_is_required_alone(at_import):
    roots = {name.split(".")[0] for name in at_import["imported"]}

    known = {name.replace("scikit-learn", "sklearn") for name in REQUIRED}
    assert roots - sys.stdlib_module_names == known | {"sksoftmax"}
