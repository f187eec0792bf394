"""Everyday calls of PyTorch's give its values and gradients here, or raise: never other values.

``golden/one_liners.npz`` holds what PyTorch makes of each line of ``one_liners.txt``
(``golden/make_one_liners.py``).
"""

import re
import warnings
from pathlib import Path

import numpy as np
import one_liners
import pytest
from golden.store import read, read_table

import tinygrad_rnn as tg
import tinygrad_rnn.utils.data  # the lines name it by a path, as they do PyTorch's

GROUPS = one_liners.groups()
NOT_HERE = "Not here: an error says so"
STORED = read("one_liners")
DTYPES = read_table("one_liners", "dtypes")


def ours(line):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return one_liners.ran(tg, line)


def test_every_line_is_stored():
    lines = [line for group in GROUPS.values() for line in group]
    assert set(lines) == set(STORED)
    assert len(lines) == len(set(lines)) > 900
    assert sum(any(k.startswith("grad") for k in STORED[line]) for line in lines) > 500


@pytest.mark.parametrize("group", [name for name in GROUPS if name != NOT_HERE])
def test_the_values_and_gradients_are_pytorchs(group):
    differing = {}
    for line in GROUPS[group]:
        found, stored, dtypes = ours(line), STORED[line], DTYPES[line]
        try:
            assert set(found) == set(stored)
            for key, array in found.items():
                assert array.shape == stored[key].shape, key
                assert str(array.dtype) == dtypes[key], key
                np.testing.assert_allclose(array, stored[key], 3e-5, 3e-6)
        except AssertionError as error:
            differing[line] = str(error)
    assert not differing


def test_what_is_not_here_raises():
    silent = []
    for line in GROUPS[NOT_HERE]:
        try:
            ours(line)
        except (AttributeError, TypeError, ValueError, RuntimeError):
            continue
        silent.append(line)
    assert not silent


def test_the_page_lists_what_was_run():
    """``python docs/make_calls.py`` runs every line that the page has."""
    page = (Path(__file__).parent.parent / "docs" / "pytorch_calls.md").read_text(encoding="utf-8")
    right = [line for name, lines in GROUPS.items() if name != NOT_HERE for line in lines]
    blocks = re.findall(r"```text\n(.*?)\n```", page, flags=re.S)
    assert "\n".join(blocks).splitlines() == right
    rows = [part for part in page.splitlines() if part.startswith("| `")]
    assert len(rows) == len(GROUPS[NOT_HERE])
    assert f"{len(right):,} calls were run" in page
