"""The page of promises names tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "promises.md"


def test_all_tests_that_are_named_exist():
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE.read_text()))

    missing = [
        f"{file}::{function}"
        for file, function in named
        if f"def {function}(" not in (TESTS / file).read_text()
    ]

    assert len(named) > 50
    assert missing == []
