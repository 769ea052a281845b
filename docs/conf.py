"""How Sphinx builds the site: python -m sphinx -W docs docs/_build."""

import os
import re
import sys
import tomllib
from pathlib import Path

import sksoftmax

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import inventories  # docs/_ext

HERE = Path(__file__).parent
URLS = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["urls"]

project, author = "sksoftmax", "The sksoftmax developers"
copyright = author
version = release = sksoftmax.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # formulas need no internet
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "interactive",  # docs/_ext
    "cards",
    "members",
]
exclude_patterns = ["_build", "examples", "learn", "auto_learn/index.rst"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

toc_object_entries_show_parents = "hide"
default_role = "code"  # what docstrings put between single backticks
autodoc_typehints = "none"  # the docstrings name the types
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False
# All checks but those that ask each method for an extended summary, links or examples,
# which the class has, and that names of what is returned, as in scikit-learn, be none.
numpydoc_validation_checks = {"all", "ES01", "SA01", "EX01", "RT02"}

intersphinx_mapping = inventories.write(HERE / "auto_inventories")

copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": ["learn", "examples"],
    "gallery_dirs": ["auto_learn", "auto_examples"],
    "filename_pattern": "plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sksoftmax",),
    "download_all_examples": False,
    "remove_config_comments": True,
    "image_scrapers": ("alt_texts",),  # docs/_ext
    "image_srcset": ["2x"],
    "capture_repr": (),
    "reset_modules": ("matplotlib", "strict_examples.raise_warnings"),
    "reset_modules_order": "both",
    "copyfile_regex": "index.rst",
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1000,
    "parallel": os.cpu_count(),
    "plot_gallery": True,
}

html_context = {"default_mode": "auto"}
html_theme = "pydata_sphinx_theme"
html_title = f"sksoftmax {version}"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_search_scorer = str(HERE / "_static" / "search_scorer.js")
html_show_sourcelink = False
html_sidebars = {"index": [], "install": [], "auto_learn/*": []}  # no pages beside them
html_theme_options = {
    "logo": {
        "text": "sksoftmax",
        "image_light": "_static/favicon.svg",
        "image_dark": "_static/favicon.svg",
    },
    "header_links_before_dropdown": 7,
    "navbar_start": ["navbar-logo", "version"],
    "navbar_end": ["theme-switcher", "navbar-icon-links"],
    # The header links the repository once pyproject.toml names its address.
    "icon_links": [
        {"name": "Source", "url": url, "icon": "fa-solid fa-code-branch"}
        for name, url in URLS.items()
        if name in ("Source", "Repository")
    ],
    "footer_start": ["copyright"],
    "footer_end": ["licence"],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "show_prev_next": False,
}


def to_gallery(app, docname, source):
    """Let links to scripts, which work between files, lead to their pages."""
    script = r"\((?:\.\./)?(?:docs/)?examples/(plot_\w+)\.py\)"
    source[0] = re.sub(script, r"(/auto_examples/\1)", source[0])


def without_last_line(app, docname, source):
    """Drop the empty line that ends the output of an example for doctest alone."""
    example = r"^( *```python\n(?:(?! *```).*\n)*?)\n( *```)$"
    source[0] = re.sub(example, r"\1\2", source[0], flags=re.MULTILINE)


def with_pages_of_benchmarks(app, docname, source):
    """Let the page of the benchmarks, which is read elsewhere too, list the others."""
    if docname == "benchmarks/README":
        source[0] += "\n```{toctree}\n:hidden:\n\nmore\nresults/results\nDATA\n```\n"


def with_breaks_in_names(app, pagename, templatename, context, doctree):
    """Let names in headings and signatures break between words, on phones."""
    if pagename.startswith("generated/"):
        context["body"] = re.sub(
            r"<h1>\S+?<|descname\"><span class=\"pre\">\w+<",
            lambda name: re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\.)", "<wbr>", name[0]),
            context["body"],
        )


def setup(app):
    """Connect what Sphinx is to call."""
    app.connect("source-read", to_gallery)
    app.connect("source-read", without_last_line)
    app.connect("source-read", with_pages_of_benchmarks)
    app.connect("html-page-context", with_breaks_in_names)
