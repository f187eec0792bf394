"""What do the steps of each column add to the gradient of each Parameter?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..engine.values import Array
from .accounts import Entry, UsesByPlace
from .chains import Chain, Column
from .ledger import Ledger
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


class Contributions(UsesByPlace):
    """A ledger's rows by the columns of an unrolled graph."""

    def __init__(self, unrolled: UnrolledGraph, ledger: Ledger) -> None:
        self.unrolled, nodes = unrolled, unrolled.nodes
        self._columns = {chain: unrolled.columns(chain) for chain in unrolled.chains}
        place: dict[int | None, Place] = {
            chain.calls[step].id: (chain, column)
            for chain, columns in self._columns.items()
            for column in columns
            for step in chain.here(column)
        }
        calls = {id_: at for id_, at in place.items() if id_ is not None}
        super().__init__(unrolled.graph, ledger, lambda node: place.get(nodes[node].call), calls)
        self._along: dict[int, tuple[Array, float]] = {}
        # by Parameter and the node that uses it
        self.outside: dict[tuple[int, int], list[Entry]] = {}
        for parameter, uses in self.accounts.items():
            for entry in uses.alone:
                node = unrolled.graph._index.get(id(entry.node), -1)
                if node >= 0 and nodes[node].call is None:
                    self.outside.setdefault((parameter, node), []).append(entry)

    def used_at(self, parameters: Sequence[int], place: Place) -> float:
        """The norm of what a column adds to several Parameters together."""
        return math.hypot(*(self.norm_at(p, place) for p in parameters))

    def added(self, row: LayerRow, parameter: int, measure: str) -> tuple[list[Share], float]:
        """The parts of one Parameter of a row of cells, in the order of time, and the norm of the whole.

        Projections add up to it.
        """
        rows = self.rows[parameter]
        places: list[Place | None] = [
            (chain, column) for chain in row.chains for column in self._columns[chain]
        ]
        places = [place for place in [*places, None] if place in rows]
        along, whole = self._projected(parameter)
        found = []
        for place in places:
            if measure == "norm":
                value = self.norm_at(parameter, place)
            else:
                value = float(sum(along[rows[place]].tolist())) / whole if whole else 0.0
            zero = None if value or place is None else self._zero_state(parameter, place)
            found.append(Share(place, value, zero))
        return found, whole

    def _projected(self, parameter: int) -> tuple[Array, float]:
        """<g, G> of each use's part g with the whole gradient G, and |G|."""
        if parameter not in self._along:
            uses = self.accounts[parameter]
            total = uses.sum() if len(uses) else np.zeros(1)
            self._along[parameter] = uses.along(total), float(np.linalg.norm(total))
        return self._along[parameter]

    def over_time(self, row: LayerRow, parameter: int, measure: str, most: int) -> list[Moment]:
        """What each step of a row's cells adds, or each of ``most`` equal stretches of many steps."""
        if not any(column.folded for chain in row.chains for column in self._columns[chain]):
            return []
        inside = [at for place, at in self.rows[parameter].items() if place is not None]
        if not inside:
            return []
        uses, (along, whole) = self.accounts[parameter], self._projected(parameter)
        at = np.sort(np.concatenate(inside))
        steps = uses.step_numbers[at]
        low, high = int(steps.min()), int(steps.max())
        wide = -(-(high - low + 1) // most)
        stretch = (steps - low) // wide
        return [
            Moment(
                low + k * wide + 1,
                min(low + (k + 1) * wide, high + 1),
                self.norm_of(parameter, here)
                if measure == "norm"
                else float(sum(along[here].tolist())) / (whole or 1.0),
            )
            for k in np.unique(stretch).tolist()
            if len(here := at[stretch == k])
        ]

    def _zero_state(self, parameter: int, place: Place) -> State | None:
        """The state that the first step starts from, where all uses multiply it and it is 0."""
        chain, column = place
        if len(column.steps) > 1 or chain.runs[0] not in column.steps:
            return None
        uses, at = self.accounts[parameter], self.rows[parameter][place].tolist()
        entries, raw = [uses.entry(k) for k in at], self.unrolled.graph._raw
        parts = [role for role in chain.start.inputs if role in chain.states]
        for name in chain.states:
            state = self.unrolled.state_before(chain, name)
            part = parts.index(name) if name in parts else -1
            if state.node >= 0 and all(_multiplies_zero(e, raw[state.node], part) for e in entries):
                return state
        return None


def _multiplies_zero(entry: Entry, state: object, part: int) -> bool:
    """Whether a use multiplies this very state (that part of it), and the state is 0."""
    node = entry.node
    states = getattr(node, "states", {})  # of a compiled call's row
    for k, parent in enumerate(node.parents):
        same = parent is state or states.get(k) == part
        if same and k < len(node.saved) and isinstance(node.saved[k], np.ndarray):
            return not node.saved[k].any()
    return False
