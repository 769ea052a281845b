"""Parameters and attributes of documented classes: anchors, index entries, links.

The anchor of a parameter is its full name, as `sksoftmax.Some.alpha`, and so is its
name in the inventory of the site.
"""

import inspect

from docutils import nodes
from numpydoc.docscrape import NumpyDocString
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

import sksoftmax
import sksoftmax.dask
import sksoftmax.inspection

SECTIONS = {"Parameters": "parameter", "Attributes": "attribute"}
SELF_EXPLAINED = {"X", "y"}  # parameters of every method: not in the index


def documented_names(documented) -> set[str]:
    """Return the parameters and attributes in the docstring of a class or method."""
    doc = NumpyDocString(inspect.getdoc(documented))
    return {
        name.strip()
        for section in SECTIONS
        for item in doc[section]
        for name in item.name.split(",")
    }


# Where a name leads first, in the index and in a search: the last object of these.
FIRST = {
    name: f"sksoftmax.{documented.__qualname__}"
    for documented in (
        sksoftmax.SoftmaxRegressionClassifierCV.fit,
        sksoftmax.SoftmaxRegressionClassifier.partial_fit,
        sksoftmax.SoftmaxRegressionClassifier.fit,
        sksoftmax.SoftmaxRegressionClassifierCV,
        sksoftmax.SoftmaxRegressionClassifier,
    )
    for name in documented_names(documented) - SELF_EXPLAINED
}
CLASSES = {
    name: f"{module.__name__}.{name}"
    for module in (sksoftmax, sksoftmax.dask, sksoftmax.inspection)
    for name in module.__all__
}


def definitions(content: nodes.Element):
    """Yield the kind, the names and the node of what numpydoc's lists define."""
    for fields in content.children:
        if not isinstance(fields, nodes.field_list):
            continue
        for field in fields.children:
            kind = SECTIONS.get(field[0].astext())
            if kind is None:
                continue
            for item in field.findall(nodes.definition_list_item):
                if item.parent.parent is not field[1]:
                    continue  # a list within a description
                strong = next(item[0].findall(nodes.strong), item[0])
                names = strong.astext().split(" : ")[0]
                yield kind, [name.strip() for name in names.split(",")], item


class AnchorsOfMembers(SphinxTransform):
    """Give each parameter and attribute an anchor, and link its name to the anchor."""

    default_priority = 800  # before Sphinx collects the index entries

    def apply(self, **kwargs):
        """Change the page of each documented class."""
        for description in self.document.findall(addnodes.desc):
            if description.get("domain") == "py":
                self.mark(description)
        for description in self.document.findall(addnodes.desc):
            if not any(
                isinstance(node, addnodes.desc) for node in _ancestors(description)
            ):
                self.link(description)

    def mark(self, description):
        """Put anchors and index entries at what a class or function defines."""
        signature = description[0]
        module, owner = signature.get("module"), signature.get("fullname")
        domain = self.env.domains["py"]
        is_class = description["objtype"] == "class"
        for kind, names, item in definitions(description[-1]):
            index = addnodes.index(entries=[])
            for name in names:
                anchor = f"{module}.{owner}.{name}"
                if anchor in domain.objects:  # a property has its own entry
                    continue
                item[0]["ids"].append(anchor)
                if is_class:
                    domain.note_object(anchor, "attribute", anchor, location=item)
                if FIRST.get(name) == f"{module}.{owner}":
                    entry = name, "main"
                elif is_class or name not in SELF_EXPLAINED:
                    entry = f"{name} ({owner} {kind})", ""
                else:
                    continue
                index["entries"].append(("single", entry[0], anchor, entry[1], None))
            item[0].insert(0, index)

    def link(self, description):
        """Link the names that the texts of a class or function mention."""
        signature = description[0]
        prefix = f"{signature.get('module')}.{signature.get('fullname')}."
        content = description[-1]
        anchors = {id_ for node in content.findall() for id_ in _ids(node)}
        for literal in list(content.findall(nodes.literal)):
            name = literal.astext()
            anchor = prefix + name
            ancestors = list(_ancestors(literal))
            if any(
                isinstance(node, nodes.reference | addnodes.pending_xref)
                or anchor in _ids(node.children[0])  # in its own description
                for node in ancestors
            ):
                continue
            if anchor in anchors:
                link = nodes.reference("", "", literal.deepcopy(), refid=anchor)
                link["internal"] = True
                literal.replace_self(link)
            elif CLASSES.get(name, prefix[:-1]) != prefix[:-1]:
                link = addnodes.pending_xref("", literal.deepcopy())
                link.update_all_atts(
                    {
                        "refdomain": "py",
                        "reftype": "class",
                        "reftarget": CLASSES[name],
                        "refexplicit": True,
                        "refdoc": self.env.docname,
                    }
                )
                literal.replace_self(link)


def _ids(node):
    return node.get("ids", ()) if isinstance(node, nodes.Element) else ()


def _ancestors(node):
    while (node := node.parent) is not None:
        yield node


def setup(app):
    """Connect what Sphinx is to call."""
    app.add_transform(AnchorsOfMembers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
