"""What the steps of each column add to the gradient of each Parameter, and how the numbers are printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .lanes import Lane
from .slots import Slot
from .words import sub

if TYPE_CHECKING:
    from ..graphs.ledger import Entry, Ledger
    from .unroll import Lattice, Row

MEASURES = ("projection", "norm")
Column = tuple[Lane, Slot]


@dataclass(frozen=True, slots=True)
class Part:
    """What one column adds: its signed projection (or its norm), as a number and as printed."""

    column: Column | None  # None: the uses outside the row's cells, together
    when: str
    value: float
    said: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one Parameter's gradient G; projections add up to ``whole`` = |G|, as printed too."""

    parts: tuple[Part, ...]
    whole: float
    said: str


class Book:
    """A ledger's rows by the columns of a picture."""

    def __init__(self, lattice: Lattice, ledger: Ledger) -> None:
        self.lattice, self.ledger = lattice, ledger
        graph = lattice.graph
        index = graph._index
        place = {
            call.id: (lane, slot)
            for lane in lattice.lanes
            for slot in lattice.slots(lane)
            for call in (lane.calls[step] for step in lane.here(slot))
        }
        self._rows: dict[int, dict[Column | None, list[Entry]]] = {}
        self.outside: dict[
            tuple[int, int], list[Entry]
        ] = {}  # by Parameter and the node that uses it
        for parameter in graph.parameters.values():
            rows: dict[Column | None, list[Entry]] = {}
            for entry in ledger.entries(graph._raw[parameter.id].key):
                node = index.get(id(entry.node), -1)
                call = lattice.nodes[node].call if node >= 0 else None
                column = None if call is None else place[call]
                rows.setdefault(column, []).append(entry)
                if column is None and node >= 0:
                    self.outside.setdefault((parameter.id, node), []).append(entry)
            self._rows[parameter.id] = rows
        self.known = any(
            id(e.node) in index for rows in self._rows.values() for r in rows.values() for e in r
        )

    def whole(self, parameter: int) -> float:
        """|G|: the norm of the whole gradient of a Parameter."""
        rows = [entry for part in self._rows[parameter].values() for entry in part]
        return float(np.linalg.norm(self.ledger.sum_of(rows))) if rows else 0.0

    def norm(self, parameter: int, column: Column | None) -> float:
        """How large what a column adds to a Parameter's gradient is."""
        return _norm(self.ledger, self._rows[parameter].get(column, []))

    def used_at(self, parameters: Sequence[int], column: Column) -> float:
        """The norm of what a column adds to several Parameters together."""
        return math.hypot(*(self.norm(p, column) for p in parameters))

    def parts(self, row: Row, parameter: int, measure: str) -> Parts:
        """The parts of one Parameter of a row of cells, in the order of time."""
        rows = self._rows[parameter]
        columns: list[Column | None] = [
            (lane, slot) for lane in row.lanes for slot in self.lattice.slots(lane)
        ]
        columns = [c for c in columns if c in rows]
        if None in rows:
            columns.append(None)
        entries = [entry for part in rows.values() for entry in part]
        total = self.ledger.sum_of(entries) if entries else np.zeros(1)
        whole = float(np.linalg.norm(total))
        if measure == "norm":
            values = [_norm(self.ledger, rows[c]) for c in columns]
        else:
            values = [
                sum(e.along(total) for e in rows[c]) / whole if whole else 0.0 for c in columns
            ]
        said, whole_said = printed(values, whole, adding=measure != "norm")
        several = len(row.lanes) > 1 and not any(lane.backwards for lane in row.lanes)
        found = []
        for column, value, words in zip(columns, values, said, strict=True):
            note = "" if value or column is None else self._why_nothing(column, rows[column])
            when = "other" if column is None else _when(column[1])
            if several and column is not None:
                when = f"{row.lanes.index(column[0]) + 1}: {when}"
            found.append(Part(column, when, value, words if value else "0", note))
        return Parts(tuple(found), whole, whole_said)

    def _why_nothing(self, column: Column, entries: Sequence[Entry]) -> str:
        """Where the part is 0 because the state that the step starts from is: that state."""
        lane, slot = column
        call = lane.calls[lane.runs[0]]
        if len(slot.steps) > 1 or lane.runs[0] not in slot.steps:
            return ""
        raw = self.lattice.graph._raw
        for state in lane.states:
            start = call.inputs.get(state)
            if start is not None and all(_multiplies_zero(entry, raw[start]) for entry in entries):
                return f"{sub(state, slot.last + 1 if lane.backwards else slot.first - 1)} = 0"
        return ""


def _multiplies_zero(entry: Entry, state: object) -> bool:
    """Whether a use multiplies this very state, and the state is 0."""
    node = entry.node
    for k, parent in enumerate(node.parents):
        if parent is state and k < len(node.saved) and isinstance(node.saved[k], np.ndarray):
            return not node.saved[k].any()
    return False


def _norm(ledger: Ledger, entries: Sequence[Entry]) -> float:
    if len(entries) == 1:
        return entries[0].norm()
    return float(np.linalg.norm(ledger.sum_of(list(entries)))) if entries else 0.0


def _when(slot: Slot) -> str:
    return f"t={slot.first}" if len(slot.steps) == 1 else f"t={slot.first}…{slot.last}"


def printed(values: Sequence[float], whole: float, *, adding: bool = True) -> tuple[list[str], str]:
    """Numbers in the unit of the third digit of ``whole``; where they add up, so do the printed ones.

    Each is rounded to one of its two neighbours, those with the largest remainders up, so that the sum is
    that of the whole as printed.

    >>> printed([0.0004, 0.3334, 0.3333, 0.3333], 1.0004)
    (['0.00', '0.34', '0.33', '0.33'], '1.00')
    """
    size = max([abs(whole), *map(abs, values)])
    if not size or not math.isfinite(size):
        return [number(v) for v in values], number(whole)
    power = math.floor(math.log10(size))
    unit = 10.0 ** (power - 2)
    units = [math.floor(v / unit) for v in values]
    total = round(whole / unit)
    if adding:
        order = sorted(range(len(values)), key=lambda k: units[k] - values[k] / unit)
        for k in order[: total - sum(units)]:
            units[k] += 1
    else:
        units = [round(v / unit) for v in values]
    return [_in_units(n, power) for n in units], _in_units(total, power)


def _in_units(n: int, power: int) -> str:
    """``n`` units of ten to the power - 2, with the exponent written out where it is far from 0."""
    sign, n = "−" * (n < 0), abs(n)
    if -4 < power < 4:
        decimals = max(2 - power, 0)
        return f"{sign}{n * 10.0 ** (power - 2):.{decimals}f}"
    return f"{sign}{n / 100:.2f}e{power}".replace("e-", "e−")


def number(value: float) -> str:
    """A norm in few characters.

    >>> [number(v) for v in (0, 3.2e-5, 0.0042, 0.018, 1.123, 34.51, 345.1, 12345)]
    ['0', '3e−5', '0.004', '0.02', '1.12', '34.5', '345', '1e4']
    """
    if not value or not math.isfinite(value):
        return f"{value:g}"
    size = abs(value)
    if not 0.0005 <= size < 9999.5:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e-", "e−")
    digits = 3 if size < 0.0095 else 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{value:.{digits}f}"
