"""Figures that a reader can play with: the directive ``.. interactive:: NAME``.

The names are `digit` and `scores`.
"""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FIGURES = ("digit", "scores")


class Interactive(SphinxDirective):
    """A figure of the page, drawn by a script."""

    required_arguments = 1
    has_content = False

    def run(self):
        """Put the figure's place into the page."""
        name = self.arguments[0]
        if name not in FIGURES:
            raise self.error(f"There is no figure {name!r}; figures: {FIGURES}.")
        html = f'<div class="interactive" id="interactive-{name}"></div>'
        return [nodes.raw("", html, format="html")]


def setup(app):
    """Connect what Sphinx is to call."""
    app.add_directive("interactive", Interactive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
