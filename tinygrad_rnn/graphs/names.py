"""What Parameters and cells are called in pictures: the short name of a dotted one, a cell's title."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PARAMETER = re.compile(r"(weight|bias)(?:_(.+?))??(?:_l\d+)?(_reverse)?")


def short_name(dotted: str) -> str:
    """The bold name of a Parameter: ``W_hh`` of ``lstm.weight_hh_l0``, ``b`` of ``head.bias``."""
    name, bracket, element = dotted.partition("[")
    last = name.rpartition(".")[2]
    match = _PARAMETER.fullmatch(last)
    if match is None:
        return last + bracket + element
    kind, role, reverse = match.groups()
    letter = "W" if kind == "weight" else "b"
    return letter + (f"_{role}" if role else "") + (reverse or "") + bracket + element


def title_of(cell: type) -> str:
    """What a cell is called: its class's name less ``Cell``."""
    return cell.__name__.removesuffix("Cell") or cell.__name__


def count_numbers(shape: Iterable[int]) -> int:
    """How many numbers an array of this shape holds."""
    total = 1
    for side in shape:
        total *= side
    return total
