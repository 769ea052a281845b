"""How Sphinx builds the site: python -m sphinx -W docs docs/_build."""

import re
import sys
from pathlib import Path

import sksoftmax

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project, author = "sksoftmax", "The sksoftmax developers"
copyright = author
version = release = sksoftmax.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # formulas need no internet
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "interactive",  # docs/_ext
]
exclude_patterns = ["_build", "examples", "learn"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

toc_object_entries_show_parents = "hide"
default_role = "code"  # what docstrings put between single backticks
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False
# All checks but those that ask each method for an extended summary, links or examples,
# which the class has, and that names of what is returned, as in scikit-learn, be none.
numpydoc_validation_checks = {"all", "ES01", "SA01", "EX01", "RT02"}

copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": ["learn", "examples"],
    "gallery_dirs": ["auto_learn", "auto_examples"],
    "filename_pattern": "plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "image_srcset": ["2x"],
    "capture_repr": (),
    "copyfile_regex": "index.rst",
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1000,
    "plot_gallery": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "sksoftmax"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"index": [], "auto_learn/*": [], "compare": []}
html_theme_options = {
    "logo": {"text": "sksoftmax"},
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "show_prev_next": False,
}


def to_gallery(app, docname, source):
    """Let links to scripts, which work between files, lead to their pages."""
    script = r"\((?:\.\./)?(?:docs/)?examples/(plot_\w+)\.py\)"
    source[0] = re.sub(script, r"(/auto_examples/\1)", source[0])


def setup(app):
    """Connect what Sphinx is to call."""
    app.connect("source-read", to_gallery)
