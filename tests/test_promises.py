"""docs/promises.md: every promise has its test, and every test that it names exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "promises.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_exists(file, name):
    text = (TESTS / file).read_text(encoding="utf-8")
    assert re.search(rf"^(def {name}\(|{name} = |class {name}\b)", text, re.MULTILINE)


def test_every_promise_has_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| ---", "| Promise"))]
    without = [row for row in promises if "::" not in row and "all that follows" not in row]
    assert len(promises) >= 40
    assert not without
