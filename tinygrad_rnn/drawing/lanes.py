"""Lanes: one cell applied over and over, each call on the states that the one before gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from .loops import Loop, loop_calls
from .perstep import Repeated
from .plumbing import THROUGH
from .slots import Slot
from .words import title_of

if TYPE_CHECKING:
    from ..graphs.graph import CellCall, Graph, GraphNode


class NoLatticeError(Exception):
    """This graph is no grid of cells over time; it is laid out as a general graph instead."""


class Call(NamedTuple):
    """One box of a lane: which nodes came in (``x`` and the states), which went out, which are inside."""

    id: int
    inputs: dict[str, int]
    outputs: dict[str, int]
    nodes: tuple[int, ...]
    times: int = 1  # how many calls this one stands for


class Output(NamedTuple):
    """A value that left a cell: which lane, at which step, as which state (``y``: no state)."""

    lane: Lane
    step: int
    role: str


@dataclass(eq=False)
class Lane:
    """One cell applied over and over: its calls by step, in one row of the picture.

    ``kin`` is what lanes have in common that belong in one row though they share no Parameter.
    """

    key: str
    title: str
    path: str
    equations: Mapping[str, str]
    gates: Mapping[str, str]
    states: tuple[str, ...]
    calls: dict[int, Call]
    kin: str = ""
    label: str = ""
    backwards: bool = False
    partner: Lane | None = None  # the lane below whose outputs are joined with this one's
    ended: set[int] = field(default_factory=set)  # steps beyond the length of every sequence
    row: int = 0
    block: int = 0
    uses: dict[int, dict[int, int]] = field(default_factory=dict)
    collected: bool = False
    y_role: str = ""  # which state goes on as y, where that is another than usual

    @property
    def steps(self) -> list[int]:
        """The steps at which the cell ran, in the order of time."""
        return sorted(self.calls)

    @property
    def runs(self) -> list[int]:
        """The steps at which the cell ran, in the order in which it did."""
        return sorted(self.calls, reverse=self.backwards)

    @property
    def start(self) -> Call:
        """The call that ran first."""
        return self.calls[self.runs[0]]

    @property
    def out_role(self) -> str:
        """Which output is the layer's y: h, the cell's last state, or another that goes on at every step."""
        if self.y_role:
            return self.y_role
        return "h" if "h" in self.states or not self.states else self.states[-1]

    def on_top(self, lanes: Sequence[Lane]) -> bool:
        """Whether no other lane stands above this one."""
        return all(other.block != self.block or other.row <= self.row for other in lanes)

    def here(self, slot: Slot) -> list[int]:
        """The steps of this slot at which the cell ran."""
        return [step for step in slot.steps if step in self.calls]

    def count(self, parameter: int, slot: Slot) -> int:
        """How often a Parameter is used in this slot."""
        used = self.uses.get(parameter, {})
        return sum(used.get(step, 0) for step in slot.steps)


def cells_of(graph: Graph) -> tuple[list[GraphNode], list[CellCall]]:
    """The nodes and the calls of cells; of a graph without any, the turns of its loops."""
    from ..graphs.graph import CellCall

    nodes = list(graph)
    if graph.calls:
        return nodes, graph.calls
    loop = loop_calls(nodes)
    if loop is None:
        raise NoLatticeError
    inside, turns = loop
    calls = [
        CellCall(
            k,
            Loop,
            "",
            f"loop {turn.loop}",
            turn.step,
            turn.loop,
            turn.inputs,
            turn.outputs,
            turn.nodes,
        )
        for k, turn in enumerate(turns)
    ]
    return inside, calls


def chained(calls: list[CellCall], nodes: Sequence[GraphNode]) -> list[CellCall]:
    """The calls with the runs that they form where what a loop holds still counts as handed on."""
    run_of: dict[int, int] = {}
    chained: list[CellCall] = []
    for call in calls:
        run = call.run
        for role, i in call.inputs.items():
            while nodes[i].op == "held":
                i = nodes[i].inputs[0]
            if role in call.outputs and i in run_of:
                run = run_of[i]
                break
        run_of.update(dict.fromkeys(call.outputs.values(), run))
        chained.append(replace(call, run=run))
    return chained


def lanes_of(calls: Sequence[CellCall]) -> list[Lane]:
    """The chains that the cells' calls form through their states."""
    lanes: dict[tuple[object, ...], Lane] = {}
    for call in calls:
        key = (call.cell, call.path, call.label, call.run)
        if key not in lanes:
            equations: dict[str, str] = getattr(call.cell, "equations", {})
            gates: dict[str, str] = getattr(call.cell, "gates", {})
            title = title_of(call.cell)
            lanes[key] = Lane("", title, call.path, equations, gates, (), {}, label=call.label)
        lane = lanes[key]
        if call.step in lane.calls:
            raise NoLatticeError
        lane.calls[call.step] = Call(call.id, call.inputs, call.outputs, call.nodes, call.times)
    for lane in lanes.values():
        names = {s for call in lane.calls.values() for s in (*call.inputs, *call.outputs)}
        lane.states = tuple(
            s for s in sorted(names, key=_state_order) if s != "x" and not s.startswith("x_")
        )
    return list(lanes.values())


def module_lanes(nodes: Sequence[GraphNode], groups: Sequence[Repeated], number: int) -> list[Lane]:
    """The lanes of modules that run once a step: no state, one input, one output."""
    lanes: list[Lane] = []
    for group in groups:
        calls: dict[int, Call] = {}
        for step, ids in group.steps.items():
            inside = set(ids)
            outer = (i for k in ids for i in nodes[k].inputs if i not in inside)
            x = [i for i in outer if nodes[i].op not in ("parameter", "literal")]
            calls[step] = Call(number, {"x": x[0]} if x else {}, {}, ids)
            number += 1
        lanes.append(Lane("", group.title, group.path, {}, {}, (), calls, f"module {group.path}"))
    return lanes


def _state_order(name: str) -> tuple[int, str]:
    return ({"c": 0, "h": 2}.get(name, 1), name)


def outputs_of(lanes: list[Lane], nodes: Sequence[GraphNode]) -> dict[int, Output]:
    """The values that left the cells, by node: states, and whatever else is used outside."""
    made: dict[int, Output] = {}
    owner: dict[int, Output] = {}
    for lane in lanes:
        for step, call in lane.calls.items():
            for role, out in call.outputs.items():
                made[out] = Output(lane, step, role)
            owner[call.id] = Output(lane, step, "y")
    for node in nodes:
        for i in node.inputs:
            call_id = nodes[i].call
            if call_id is not None and call_id != node.call and i not in made:
                made[i] = owner[call_id]
    return made


def check_chain(lane: Lane, made: dict[int, Output], nodes: Sequence[GraphNode]) -> None:
    """A rail may be drawn only where each call took the very states that the call before gave.

    A lane whose first step goes on from its second runs backwards.
    """

    def giver(step: int, state: str) -> Output | None:
        came = lane.calls[step].inputs.get(state)
        while came is not None and came not in made and nodes[came].op in THROUGH:
            came = nodes[came].inputs[0]
        return None if came is None else made.get(came)

    if lane.states and len(lane.calls) > 1:
        first, second = lane.steps[:2]
        lane.backwards = giver(first, lane.states[0]) == Output(lane, second, lane.states[0])
    else:
        lane.backwards = "reverse" in lane.label
    for before, step in pairwise(lane.runs):
        for state in lane.states:
            if giver(step, state) != Output(lane, before, state):
                raise NoLatticeError


def join_directions(nodes: Sequence[GraphNode], made: dict[int, Output]) -> None:
    """Where the outputs of two directions are joined, that is the y of the lane that runs backwards."""
    for node in nodes:
        if node.op != "cat" or node.call is not None or len(node.inputs) != 2:
            continue
        found = []
        for i in node.inputs:
            while i not in made and nodes[i].op in THROUGH:
                i = nodes[i].inputs[0]
            found.append(made.get(i))
        ahead, back = found
        if ahead is None or back is None or ahead.step != back.step:
            continue
        if back.lane.backwards and not ahead.lane.backwards and ahead.role == back.role:
            back.lane.partner = ahead.lane
            made[node.id] = Output(back.lane, back.step, "y")
