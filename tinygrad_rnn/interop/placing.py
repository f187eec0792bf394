"""Which array is whose? Names taken apart into layers, directions and parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..engine.values import Array
from .conventions import Row
from .packing import Place, WeightsError

Directions = Callable[[Row, Mapping[str, Array], Mapping[str, int]], bool]


def matched_name(row: Row, name: str) -> re.Match[str] | None:
    """How an array's name is taken apart by a row; None where it is none of the row's."""
    for at, _ in enumerate(row.names):
        found = _pattern(row, at).fullmatch(name)
        if found is not None:
            return found
    return None


_PATTERNS: dict[tuple[int, int], re.Pattern[str]] = {}


def _pattern(row: Row, at: int) -> re.Pattern[str]:
    key = (id(row), at)
    if key not in _PATTERNS:
        parts = sorted({re.escape(p.name) for p in row.parts}, key=len, reverse=True)
        text = "|".join(parts)
        _PATTERNS[key] = re.compile(row.names[at].read.replace("PART", text))
    return _PATTERNS[key]


def natural(text: str) -> list[Any]:
    """What a text sorts by so that 2 comes before 10."""
    return [(1, int(t), "") if t.isdigit() else (0, 0, t) for t in re.split(r"(\d+)", text)]


def placed_arrays(
    row: Row, arrays: Mapping[str, Array], two: Directions
) -> tuple[dict[Place, dict[int, list[str]]], list[str]]:
    """For every layer and direction, the names of the arrays of each part; and the names left aside."""
    seen: list[tuple[int, str, str, int, str]] = []  # naming, part, rest, way, name
    numbers: dict[str, int] = {}
    extras = []
    for name in arrays:
        found = None
        for at, names in enumerate(row.names):
            found = _pattern(row, at).fullmatch(name)
            if found is not None:
                part = found.group("part")
                rest = name[: found.start("part")] + "\0" + name[found.end("part") :]
                way = int(re.search(names.backward, rest.replace("\0", "")) is not None)
                bare = re.sub(names.backward, "", rest.replace("\0", ""))
                bare = re.sub(names.onward, "", bare)
                key = f"{at}:{bare}"
                if "k" in found.groupdict():
                    numbers[key] = int(found.group("k"))
                seen.append((at, part, key, way, name))
                break
        if found is None:
            if re.fullmatch(row.extras, name) or name in row.initial:
                extras.append(name)
                continue
            raise WeightsError(f"{row.title}: {name} is none of its arrays ({wanted(row)})")
    if not seen:
        raise WeightsError(f"{row.title}: none of its arrays is here ({wanted(row)})")
    order = _numbered({key for _, _, key, _, _ in seen}, numbers, row)
    placed: dict[Place, dict[int, list[str]]] = {}
    for at, part, key, way, name in seen:
        k = order[key]
        if row.names[at].by_cell:
            k, way = divmod(k, 2) if two(row, arrays, order) else (k, 0)
        slots = placed.setdefault((k, way), {})
        for index, candidate in enumerate(row.parts):
            if candidate.name == part:
                slots.setdefault(index, []).append(name)
    return placed, extras


def _numbered(keys: set[str], numbers: Mapping[str, int], row: Row) -> dict[str, int]:
    """Each place's layer number: as its name says, else the order in which numbers sort."""
    if all(key in numbers for key in keys):
        found = dict(numbers)
        heads: dict[tuple[str, int], set[str]] = {}
        for key, k in numbers.items():
            heads.setdefault((key.split(":", 1)[0], k), set()).add(key)
        twice = next((names for names in heads.values() if len(names) > 1), None)
        if twice is not None:
            words = " and ".join(repr(name.split(":", 1)[1]) for name in sorted(twice))
            raise WeightsError(f"{row.title}: arrays of two layers are mixed: {words}")
        return found
    return {key: k for k, key in enumerate(sorted(keys, key=natural))}


def wanted(row: Row) -> str:
    """The names that a row has, for an error."""
    return "expected " + ", ".join(dict.fromkeys(p.name for p in row.parts))


def two_directions(row: Row, arrays: Mapping[str, Array], order: Mapping[str, int]) -> bool:
    """Whether cells of an NStep link are two directions: seen in the inputs of the cells after the first."""
    cells = max(order.values()) + 1
    width: dict[int, int] = {}
    high = 0
    for name, array in arrays.items():
        found = matched_name(row, name)
        if found is not None and found.group("part") == "w0" and array.ndim == 2:
            width[int(found.group("k"))], high = array.shape[1], array.shape[0]
    if cells == 1:
        return False
    deep = cells % 2 == 0 and width.get(1) == width.get(0)
    deep = deep and all(width.get(k) == 2 * high for k in range(2, cells))
    flat = all(width.get(k) == high for k in range(1, cells))
    if deep and flat:
        raise WeightsError(
            f"{row.title}: two cells whose inputs are of their own size may be two layers or two "
            "directions: say direction='bidirectional' or 'forward'"
        )
    return deep
