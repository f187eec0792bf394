"""What do the steps of each column add to the gradient of each Parameter?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .chains import Chain, Column
from .ledger import Entry, Ledger
from .meaning import State
from .unrolled import LayerRow, UnrolledGraph

MEASURES = ("projection", "norm")
Place = tuple[Chain, Column]


class Share(NamedTuple):
    """What one column adds: its signed projection (or its norm); ``place`` None: the uses outside the cells.

    ``zero`` is the state that the step starts from, where that is 0 and therefore the part too.
    """

    place: Place | None
    value: float
    zero: State | None = None


class Moment(NamedTuple):
    """What some steps, counted from 1, add: their signed projection, or their norm."""

    first: int
    last: int
    value: float


class Contributions:
    """A ledger's rows by the columns of an unrolled graph."""

    def __init__(self, unrolled: UnrolledGraph, ledger: Ledger) -> None:
        self.unrolled, self.ledger = unrolled, ledger
        graph = unrolled.graph
        index = graph._index
        place = {
            call.id: (chain, column)
            for chain in unrolled.chains
            for column in unrolled.columns(chain)
            for call in (chain.calls[step] for step in chain.here(column))
        }
        self._along: dict[int, tuple[dict[int, float], float]] = {}
        self._rows: dict[int, dict[Place | None, list[Entry]]] = {}
        # by Parameter and the node that uses it
        self.outside: dict[tuple[int, int], list[Entry]] = {}
        for parameter in graph.parameters.values():
            rows: dict[Place | None, list[Entry]] = {}
            for entry in ledger.entries(graph._raw[parameter.id].key):
                node = index.get(id(entry.node), -1)
                call = unrolled.nodes[node].call if node >= 0 else None
                here = None if call is None else place[call]
                rows.setdefault(here, []).append(entry)
                if here is None and node >= 0:
                    self.outside.setdefault((parameter.id, node), []).append(entry)
            self._rows[parameter.id] = rows
        entries = (e for rows in self._rows.values() for r in rows.values() for e in r)
        root = (ledger.root or (None,))[0]
        self.known = id(root) in index or any(id(e.node) in index for e in entries)

    def whole(self, parameter: int) -> float:
        """|G|: the norm of the whole gradient of a Parameter."""
        rows = [entry for part in self._rows[parameter].values() for entry in part]
        return float(np.linalg.norm(self.ledger.sum_of(rows))) if rows else 0.0

    def used_at(self, parameters: Sequence[int], place: Place) -> float:
        """The norm of what a column adds to several Parameters together."""
        return math.hypot(*(self._norm(self._rows[p].get(place, [])) for p in parameters))

    def added(self, row: LayerRow, parameter: int, measure: str) -> tuple[list[Share], float]:
        """The parts of one Parameter of a row of cells, in the order of time, and the norm of the whole.

        Projections add up to it.
        """
        rows = self._rows[parameter]
        places: list[Place | None] = [
            (chain, column) for chain in row.chains for column in self.unrolled.columns(chain)
        ]
        places = [place for place in [*places, None] if place in rows]
        along, whole = self._projected(parameter)
        found = []
        for place in places:
            here = rows[place]
            if measure == "norm":
                value = self._norm(here)
            else:
                value = sum(along[id(entry)] for entry in here) / whole if whole else 0.0
            zero = None if value or place is None else self._zero_state(place, here)
            found.append(Share(place, value, zero))
        return found, whole

    def _projected(self, parameter: int) -> tuple[dict[int, float], float]:
        """<g, G> of each use's part g with the whole gradient G, by the entry's id, and |G|."""
        if parameter not in self._along:
            entries = [entry for part in self._rows[parameter].values() for entry in part]
            total = self.ledger.sum_of(entries) if entries else np.zeros(1)
            along = {id(entry): entry.along(total) for entry in entries}
            self._along[parameter] = along, float(np.linalg.norm(total))
        return self._along[parameter]

    def over_time(self, row: LayerRow, parameter: int, measure: str, most: int) -> list[Moment]:
        """What each step of a row's cells adds, or each of ``most`` equal stretches of many steps."""
        if not any(
            column.folded for chain in row.chains for column in self.unrolled.columns(chain)
        ):
            return []
        rows = self._rows[parameter]
        along, whole = self._projected(parameter)
        steps: dict[int, list[Entry]] = {}
        for place, part in rows.items():
            for entry in part if place is not None else ():
                steps.setdefault(entry.step or 0, []).append(entry)
        if not steps:
            return []
        low, high = min(steps), max(steps)
        wide = -(-(high - low + 1) // most)
        found: dict[int, list[Entry]] = {}
        for step, here in sorted(steps.items()):
            found.setdefault((step - low) // wide, []).extend(here)
        return [
            Moment(
                low + k * wide + 1,
                min(low + (k + 1) * wide, high + 1),
                self._norm(here)
                if measure == "norm"
                else sum(along[id(entry)] for entry in here) / (whole or 1.0),
            )
            for k, here in found.items()
        ]

    def _norm(self, entries: list[Entry]) -> float:
        if len(entries) == 1:
            return entries[0].norm()
        return float(np.linalg.norm(self.ledger.sum_of(entries))) if entries else 0.0

    def _zero_state(self, place: Place, entries: Sequence[Entry]) -> State | None:
        """The state that the first step starts from, where all uses multiply it and it is 0."""
        chain, column = place
        if len(column.steps) > 1 or chain.runs[0] not in column.steps:
            return None
        raw = self.unrolled.graph._raw
        for name in chain.states:
            state = self.unrolled.state_before(chain, name)
            if state.node >= 0 and all(_multiplies_zero(e, raw[state.node]) for e in entries):
                return state
        return None


def _multiplies_zero(entry: Entry, state: object) -> bool:
    """Whether a use multiplies this very state, and the state is 0."""
    node = entry.node
    for k, parent in enumerate(node.parents):
        if parent is state and k < len(node.saved) and isinstance(node.saved[k], np.ndarray):
            return not node.saved[k].any()
    return False
