"""Warnings of the gallery's examples are errors, as they are in the tests."""

import warnings

_catchers: list = []  # of the example that runs


def raise_warnings(gallery_conf, name, when):
    """Make warnings errors before an example, and what they were after it."""
    if when == "before":
        _catchers.append(warnings.catch_warnings(action="error"))
        _catchers[-1].__enter__()
    else:
        _catchers.pop().__exit__(None, None, None)
