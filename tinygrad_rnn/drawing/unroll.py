"""Which cells ran at which step: a recorded graph read as rows of cells on a grid of time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from .lanes import (
    Lane,
    NoLatticeError,
    Output,
    cells_of,
    chained,
    check_chain,
    join_directions,
    lanes_of,
    module_lanes,
    outputs_of,
)
from .loops import Loop
from .notes import Notes
from .perstep import regroup
from .plumbing import PLUMBING, SOURCES, ironed
from .slots import Slot, fold
from .words import short_name, title_of

if TYPE_CHECKING:
    from ..graphs.graph import Graph, GraphNode

MOST_BLOCKS = 6


class Origin(NamedTuple):
    """Where a cell's input comes from: another cell, or a node outside all cells; and through what."""

    output: Output | None
    node: int
    via: tuple[str, ...]


@dataclass(eq=False)
class Row:
    """Lanes that use the same Parameters, one after the other, above their slab."""

    lanes: list[Lane]
    params: list[GraphNode]
    name: str = ""


@dataclass(eq=False)
class Lattice:
    """A graph on the grid: rows of lanes, blocks of columns, and what stays outside the cells."""

    graph: Graph
    nodes: Sequence[GraphNode]
    rows: list[Row]
    blocks: list[list[Slot]]
    made: dict[int, Output]
    consumers: dict[int, list[int]]
    before: list[int]
    after: list[int]
    notes: Notes = field(default_factory=Notes)

    @property
    def lanes(self) -> Iterator[Lane]:
        """All lanes, from the lowest row up."""
        return (lane for row in self.rows for lane in row.lanes)

    @cached_property
    def names(self) -> dict[int, str]:
        """The dotted name of each Parameter by its node's id."""
        return {node.id: name for name, node in self.graph.parameters.items()}

    def short(self, parameter: int) -> str:
        """The bold name of a Parameter; of several ``W`` in a row, each with its module's."""
        name = self.names[parameter]
        short = short_name(name)
        if short in self._ambiguous.get(parameter, ()):
            return f"{name.split('.')[-2]}.{short}"
        return short

    @cached_property
    def _ambiguous(self) -> dict[int, set[str]]:
        """By Parameter, which short names stand for several of its row."""
        found: dict[int, set[str]] = {}
        for row in self.rows:
            counts = Counter(short_name(self.names[p.id]) for p in row.params)
            several = {short for short, n in counts.items() if n > 1}
            found.update({p.id: several for p in row.params if self.names[p.id].count(".")})
        return found

    def slots(self, lane: Lane) -> list[Slot]:
        """The columns in which a lane has a cell."""
        return [slot for slot in self.blocks[lane.block] if lane.here(slot)]

    def origin(self, node: int) -> Origin:
        """Follow a cell's input back through what is between the cells.

        A slice of stacked outputs is the output at its own place. Raises NoLatticeError where a value
        comes from several cells at once.
        """
        via: list[str] = []
        place: int | None = None
        while node not in self.made:
            here = self.nodes[node]
            if here.op == "stack" and place is not None and place < len(here.inputs):
                node, place = here.inputs[place], None
                continue
            inner = [i for i in here.inputs if self.nodes[i].op not in ("input", "literal")]
            working = here.op not in PLUMBING
            if here.op in SOURCES or not inner or (node in self._front and (working or inner[1:])):
                return Origin(None, node, tuple(reversed(via)))
            if working:
                via.append(here.path.rpartition(".")[2] or here.op)
            if len(inner) != 1:
                raise NoLatticeError
            if here.op == "item":
                place = self.consumers[inner[0]].index(node)
            node = inner[0]
        return Origin(self.made[node], node, tuple(reversed(via)))

    @property
    def fed(self) -> bool:
        """Whether the inputs of the lowest row are computed from something."""
        calls = (lane.calls[lane.steps[0]] for lane in self.rows[0].lanes)
        origins = [self.origin(call.inputs["x"]) for call in calls if "x" in call.inputs]
        return any(
            origin.output is None and self.nodes[origin.node].op not in ("input", "literal")
            for origin in origins
        )

    @cached_property
    def _front(self) -> frozenset[int]:
        return frozenset(self.before)


def unroll(graph: Graph, limit: int, steps: Sequence[int] | None = None) -> Lattice:
    """Read ``graph`` as cells on a grid; more than ``limit`` steps are folded in the middle.

    Modules that run once a step outside the cells (an embedding, a head) become lanes of their own.
    Raises :class:`NoLatticeError` where that cannot be drawn truly: no cells, two calls at one place, a
    Parameter that is used between cells, or a chain of states that is broken at every step.
    """
    nodes, calls = cells_of(graph)
    nodes = ironed(nodes, {call.path for call in calls if call.path})
    calls = chained(calls, nodes)
    nodes, groups = regroup(nodes, calls)
    lanes = [*lanes_of(calls), *module_lanes(nodes, groups, len(calls))]
    lanes.sort(key=lambda lane: lane.calls[lane.steps[0]].nodes[0])
    for i, lane in enumerate(lanes):
        lane.key = f"l{i}"
    made = outputs_of(lanes, nodes)
    before, between, after = _outside(nodes)
    _count_uses(graph, nodes, lanes, between)
    consumers = _consumers(nodes)
    for lane in lanes:
        check_chain(lane, made, nodes)
    join_directions(nodes, made)
    for node in nodes:
        if node.op == "held" and node.detail == "where: none" and node.inputs[0] in made:
            output = made[node.inputs[0]]
            output.lane.ended.add(output.step)
    lattice = Lattice(graph, nodes, _rows(graph, lanes), [], made, consumers, before, after)
    _place_in_blocks(lanes, lattice)
    _mark_collected(lanes, made, consumers, after)
    count = max(lane.block for lane in lanes) + 1
    if count > MOST_BLOCKS:
        raise NoLatticeError
    lattice.blocks = _columns(lanes, count, limit, steps)
    return lattice


def _columns(
    lanes: list[Lane], count: int, limit: int, shown: Sequence[int] | None
) -> list[list[Slot]]:
    """The columns of each block. Raises NoLatticeError where its lanes differ in what stands for what."""
    times: list[dict[int, int]] = []
    for b in range(count):
        here: dict[int, set[int]] = {}
        for lane in lanes:
            for step, call in lane.calls.items() if lane.block == b else ():
                here.setdefault(step, set()).add(call.times)
        if any(len(found) > 1 for found in here.values()):
            raise NoLatticeError
        times.append({step: here[step].pop() for step in sorted(here)})
    known = set().union(*times)
    lost = [s for s in shown or () if s >= 0 and s not in known]
    blocks = []
    for steps in times:
        mine = [s for s in shown or () if s < 0 or s in steps] or None
        blocks.append(fold(list(steps), limit, lost or mine, steps))
    return blocks


def _outside(nodes: Sequence[GraphNode]) -> tuple[list[int], list[int], list[int]]:
    """Nodes outside all cells: before them, between them, after them."""
    down: list[bool] = []
    for node in nodes:
        down.append(node.call is not None or any(down[i] for i in node.inputs))
    up = [False] * len(nodes)
    for node in reversed(nodes):
        if node.call is not None or up[node.id]:
            for i in node.inputs:
                up[i] = True
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for node in nodes:
        if node.call is not None or (node.op in SOURCES):
            continue
        if down[node.id]:
            parts[1 if up[node.id] else 2].append(node.id)
        elif up[node.id]:
            parts[0].append(node.id)
        else:
            parts[2].append(node.id)
    return parts


def _count_uses(
    graph: Graph, nodes: Sequence[GraphNode], lanes: list[Lane], between: list[int]
) -> None:
    """Give each lane its uses of each Parameter by step; a use between cells has no place here."""
    owner = {call.id: (lane, step) for lane in lanes for step, call in lane.calls.items()}
    barred = set(between)
    for name, parameter in graph.parameters.items():
        for use in graph.uses(name):
            call = nodes[use.node].call
            if call is not None:
                lane, step = owner[call]
                if parameter.id in lane.calls[step].inputs.values():
                    continue  # a state that it starts from
                used = lane.uses.setdefault(parameter.id, {})
                used[step] = used.get(step, 0) + lane.calls[step].times
            elif use.node in barred:
                raise NoLatticeError


def _consumers(nodes: Sequence[GraphNode]) -> dict[int, list[int]]:
    consumers: dict[int, list[int]] = {}
    for node in nodes:
        for i in node.inputs:
            consumers.setdefault(i, []).append(node.id)
    return consumers


def _rows(graph: Graph, lanes: list[Lane]) -> list[Row]:
    """Lanes that share a Parameter share a row."""
    rows: list[Row] = []
    for lane in lanes:
        mine = [row for row in rows if any(_share(lane, other) for other in row.lanes)]
        merged = Row([other for row in mine for other in row.lanes] + [lane], [])
        rows = [row for row in rows if row not in mine] + [merged]
    rows.sort(key=lambda row: lanes.index(row.lanes[0]))
    names = [row.lanes[0].path.rpartition(".")[2] or row.lanes[0].title for row in rows]
    both = any(lane.backwards for lane in lanes)
    for i, row in enumerate(rows):
        used = {p for lane in row.lanes for p in lane.uses}
        row.params = [node for node in graph.parameters.values() if node.id in used]
        if len(rows) > 1:
            nth = names[: i + 1].count(names[i])
            word = "loop" if names[i] == title_of(Loop) else "layer"
            layer = f"{word} {nth}" if names.count(names[i]) > 1 else ""
            if both and row.lanes[0].states:
                layer = _layer_words(row.lanes[0])
            row.name = layer if len(set(names)) == 1 else f"{names[i]} {layer}".rstrip()
        for lane in row.lanes:
            lane.row = i
    return rows


def _layer_words(lane: Lane) -> str:
    """Which layer, counted from 1, and which direction."""
    layer = re.search(r"layer (\d+)", lane.label)
    words = f"layer {int(layer[1]) + 1}, " if layer else ""
    return words + ("reverse" if lane.backwards else "forward")


def _share(a: Lane, b: Lane) -> bool:
    return (a.kin == b.kin != "") or not a.uses.keys().isdisjoint(b.uses)


def _place_in_blocks(lanes: list[Lane], lattice: Lattice) -> None:
    """Lanes of one row stand side by side; a lane that goes on from another stands after it.

    A module that runs beside the cells stands in the columns of the cells it serves.
    """
    made = lattice.made
    taken: dict[int, int] = {}
    owner = {call.id: lane for lane in lanes for call in lane.calls.values()}
    for lane in lanes:
        if not lane.states:
            continue
        first = lane.start
        given = [
            lattice.origin(i).output for role, i in first.inputs.items() if role in lane.states
        ]
        starts = [output.lane for output in given if output is not None]
        after = max((other.block + 1 for other in starts if other is not lane), default=0)
        lane.block = max(after, taken.get(lane.row, 0))
        taken[lane.row] = lane.block + 1
    for lane in lanes:
        if lane.states:
            continue
        first = lane.start
        users = (lattice.nodes[k].call for i in first.nodes for k in lattice.consumers.get(i, ()))
        near = [made[i].lane for i in first.inputs.values() if i in made]
        near += [owner[call] for call in users if call is not None]
        lane.block = max((other.block for other in near if other is not lane), default=0)


def _mark_collected(
    lanes: list[Lane],
    made: dict[int, Output],
    consumers: dict[int, list[int]],
    after: list[int],
) -> None:
    """A lane whose outputs are used after the cells, at all steps or several, shows them as y."""
    tail = set(after)
    _choose_y(made, consumers, tail)
    seen: dict[Lane, set[int]] = {lane: set() for lane in lanes}
    for node, output in made.items():
        if output.role in (output.lane.out_role, "y") and any(
            user in tail for user in consumers.get(node, ())
        ):
            seen[output.lane].add(output.step)
    for lane, steps in seen.items():
        several = len(steps) > 1 or (len(steps) == 1 and len(lane.calls) == 1)
        lane.collected = lane.partner is not None or (several and lane.on_top(lanes))


def _choose_y(made: dict[int, Output], consumers: dict[int, list[int]], tail: set[int]) -> None:
    """The y of a cell of the user's own is the state that goes on at several steps, if one alone does."""
    going: dict[Lane, dict[str, set[int]]] = {}
    for node, (lane, step, role) in made.items():
        if any(user in tail for user in consumers.get(node, ())):
            going.setdefault(lane, {}).setdefault(role, set()).add(step)
    for lane, roles in going.items():
        several = [role for role, steps in roles.items() if len(steps) > 1]
        if len(several) == 1 and several[0] in lane.states:
            lane.y_role = several[0]
