"""Inventories of other packages' names, written at each build, without the internet.

Links lead to the public addresses of the packages' documentation.
"""

import importlib
import pkgutil
import zlib
from pathlib import Path

import numpy
import sklearn

# Modules whose public names have a page each, and the address of that page.
PAGES = {
    "sklearn": (
        [
            *(
                f"sklearn.{module.name}"
                for module in pkgutil.iter_modules(sklearn.__path__)
                if not module.name.startswith("_") and module.name != "conftest"
            ),
            "sklearn.feature_extraction.text",
            "sklearn.metrics.pairwise",
        ],
        "https://scikit-learn.org/stable/",
        "modules/generated/{name}.html",
    ),
    "numpy": (
        ["numpy", "numpy.linalg"],
        "https://numpy.org/doc/stable/",
        "reference/generated/{name}.html",
    ),
    "scipy": (
        ["scipy.sparse", "scipy.special", "scipy.stats"],
        "https://docs.scipy.org/doc/scipy/",
        "reference/generated/{name}.html",
    ),
    "matplotlib": (
        ["matplotlib.pyplot"],
        "https://matplotlib.org/stable/",
        "api/_as_gen/{name}.html",
    ),
}
# Names whose page has another address, with their roles.
OTHERS = {
    "numpy": {
        "numpy.random.default_rng": ("function", "reference/random/generator.html"),
        "numpy.random.Generator": ("class", "reference/random/generator.html"),
        "numpy.random.RandomState": ("class", "reference/random/legacy.html"),
    }
}
NUMPY_CLASSES = {"ndarray", "memmap"}  # the pages of other types have other addresses


def public_names(module_name: str) -> dict[str, str]:
    """Return the roles of a module's public classes and functions by full name."""
    module = importlib.import_module(module_name)
    roles = {}
    for name in getattr(module, "__all__", dir(module)):
        member = vars(module).get(name)
        if name.startswith("_") or getattr(member, "__name__", None) != name:
            continue  # a constant, a module, or another name of a function
        is_pyplot = module_name == "matplotlib.pyplot"
        if is_pyplot and getattr(member, "__module__", None) != module_name:
            continue  # imported from elsewhere
        if isinstance(member, type):
            if module is not numpy or name in NUMPY_CLASSES:
                roles[f"{module_name}.{name}"] = "class"
        else:
            roles[f"{module_name}.{name}"] = "function"
    return roles


def write(folder: Path) -> dict[str, tuple[str, str]]:
    """Write the inventories and return what `intersphinx_mapping` holds."""
    folder.mkdir(exist_ok=True)
    mapping = {}
    for project, (modules, address, page) in PAGES.items():
        entries = {
            name: (role, page.format(name=name))
            for module in modules
            for name, role in public_names(module).items()
        } | OTHERS.get(project, {})
        lines = [
            f"{name} py:{role} 1 {where}#$ -" for name, (role, where) in entries.items()
        ]
        header = [
            "# Sphinx inventory version 2",
            f"# Project: {project}",
            "# Version: stable",
            "# The remainder of this file is compressed using zlib.",
        ]
        path = folder / f"{project}.inv"
        path.write_bytes(
            "".join(f"{line}\n" for line in header).encode()
            + zlib.compress("".join(f"{line}\n" for line in lines).encode())
        )
        mapping[project] = address, str(path)
    return mapping
