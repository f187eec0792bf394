"""Which calls form a chain? One cell over and over, each call on the states that the one before gave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

from .loops import LoopCell, in_turns, loop_calls
from .recorded import (
    HANDS_ON,
    PASS_THROUGH,
    SAME,
    SOURCES,
    CellCall,
    ChainKey,
    GraphNode,
    RecordedGraph,
    title_of,
)

# How many cells, or op-level steps, are drawn one by one before the middle is folded to so many at both ends.
CELLS, OP_STEPS, ENDS = 6, 4, 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the picture: one step, or several that are folded into one dashed box.

    ``steps`` are those that were read; ``last`` is the last step, counted from 1 as pictures do, and
    ``count`` how many there are with those that others stand for.
    """

    steps: tuple[int, ...]
    folded: bool
    last: int
    count: int

    @property
    def first(self) -> int:
        """The first step, counted from 1."""
        return self.steps[0] + 1


def no_step(shown: Sequence[int], step: int, first: int, last: int) -> ValueError:
    """The error for a step that was asked for and that the graph does not have."""
    return ValueError(
        f"steps={list(shown)}: the graph has no step {step}; its steps are {first} to {last}"
    )


def fold(
    steps: Sequence[int],
    limit: int,
    shown: Sequence[int] | None = None,
    times: Mapping[int, int] | None = None,
    runs: Sequence[tuple[int, int]] = (),
) -> list[Column]:
    """Columns for ``steps``: each its own, or the first and last two and the rest in one between.

    ``times`` says of steps how many they stand for, themselves and those after them, where that is
    more than one. ``runs`` are the first and the last step of each chain: a folded column has a cell of it
    at every step, or at none.

    >>> [column.count for column in fold(range(100), 6)]
    [1, 1, 96, 1, 1]
    """
    ends, times = ENDS, times or {}

    def column(members: Sequence[int], folded: bool) -> Column:
        last = members[-1] + times.get(members[-1], 1)
        return Column(tuple(members), folded, last, sum(times.get(s, 1) for s in members))

    if shown is None:
        if sum(times.get(s, 1) for s in steps) <= max(limit, 2 * ends + 1):
            return [column([s], False) for s in steps]
        keep = {*steps[:ends], *steps[-ends:]}
        for first, last in runs:
            mine = [step for step in steps if first <= step <= last]
            keep |= {*mine[:ends], *mine[-ends:]}
    else:
        end = steps[-1] + times.get(steps[-1], 1)
        keep = {s if s >= 0 else end + s for s in shown}
        if missing := sorted(keep.difference(steps)):
            raise no_step(shown, missing[0], steps[0], end - 1)
    columns: list[Column] = []
    hidden: list[int] = []
    begins = {first for first, _ in runs} | {last + 1 for _, last in runs}
    for step in [*steps, None]:
        if hidden and (step is None or step in keep or step in begins):
            columns.append(column(hidden, True))
            hidden = []
        if step in keep:
            columns.append(column([step], False))
        elif step is not None:
            hidden.append(step)
    return columns


def merged(columns: Sequence[Column]) -> list[Column]:
    """The first and the last of some columns, and what is between them in one.

    >>> [column.count for column in merged(fold(range(100), 6))]
    [1, 98, 1]
    """
    if len(columns) <= 3:
        return list(columns)
    inner = columns[1:-1]
    steps = tuple(step for column in inner for step in column.steps)
    between = Column(steps, True, inner[-1].last, sum(column.count for column in inner))
    return [columns[0], between, columns[-1]]


class NotUnrollableError(Exception):
    """This graph is no grid of cells over time; it is laid out as a general graph instead."""


class StepCall(NamedTuple):
    """One box of a chain: which nodes came in (``x`` and the states), which went out, which are inside."""

    id: int
    inputs: dict[str, int]
    outputs: dict[str, int]
    nodes: tuple[int, ...]
    times: int = 1  # how many calls this one stands for


class Output(NamedTuple):
    """A value that left a cell: which chain, at which step, as which state (``y``: no state)."""

    chain: Chain
    step: int
    role: str


@dataclass(eq=False)
class Chain:
    """One cell applied over and over: its calls by step, in one row of the picture."""

    key: str
    title: str
    path: str
    equations: Mapping[str, str]
    gates: Mapping[str, str]
    states: tuple[str, ...]
    calls: dict[int, StepCall]
    label: str = ""
    backwards: bool = False
    partner: Chain | None = None  # the chain below whose outputs are joined with this one's
    ended: set[int] = field(default_factory=set)  # steps beyond the length of every sequence
    row: int = 0
    segment: int = 0
    uses: dict[int, dict[int, int]] = field(default_factory=dict)
    collected: bool = False
    layer: int | None = None  # its number, where several layers or runs have states of one name
    y_role: str = ""  # which state goes on as y, where that is another than usual
    since: int | None = None  # the step of the state that it starts from, cut off from what made it

    @property
    def steps(self) -> list[int]:
        """The steps at which the cell ran, in the order of time."""
        return sorted(self.calls)

    @property
    def runs(self) -> list[int]:
        """The steps at which the cell ran, in the order in which it did."""
        return sorted(self.calls, reverse=self.backwards)

    @property
    def input_roles(self) -> tuple[str, ...]:
        """What comes in beside the states, in order: mostly x alone."""
        roles = dict.fromkeys(role for call in self.calls.values() for role in call.inputs)
        return tuple(role for role in roles if role not in self.states)

    @property
    def start(self) -> StepCall:
        """The call that ran first."""
        return self.calls[self.runs[0]]

    def before(self, step: int) -> int:
        """The step whose state a step goes on from; a given first state lies as far back as the second."""
        runs = self.runs
        k = runs.index(step)
        if not k and self.since is not None:
            return self.since
        if k:
            times = 1 if self.backwards else self.calls[runs[k - 1]].times
            return runs[k - 1] + times - 1
        apart = runs[1] - self.before(runs[1]) if runs[1:] else -1 if self.backwards else 1
        return step - apart

    @property
    def out_role(self) -> str:
        """Which output is the layer's y: h, the cell's last state, or another that goes on at every step."""
        if self.y_role:
            return self.y_role
        return "h" if "h" in self.states or not self.states else self.states[-1]

    def on_top(self, chains: Sequence[Chain]) -> bool:
        """Whether no other chain stands above this one."""
        return all(other.segment != self.segment or other.row <= self.row for other in chains)

    def here(self, column: Column) -> list[int]:
        """The steps of this column at which the cell ran."""
        return [step for step in column.steps if step in self.calls]

    def count(self, parameter: int, column: Column) -> int:
        """How often a Parameter is used in this column."""
        used = self.uses.get(parameter, {})
        return sum(used.get(step, 0) for step in column.steps)


def cells_of(graph: RecordedGraph) -> tuple[list[GraphNode], list[CellCall]]:
    """The nodes and the calls of cells; of a graph without any, the turns of its loops."""
    nodes = list(graph)
    if graph.calls:
        return nodes, graph.calls
    loop = loop_calls(in_turns(nodes))
    if loop is None:
        raise NotUnrollableError
    inside, turns = loop
    calls = [
        CellCall(
            k,
            LoopCell,
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


def operand_of(graph: RecordedGraph, nodes: Sequence[GraphNode], here: GraphNode) -> int | None:
    """The operand whose elements a node has, all and in order; None where it is no such node."""
    if here.op in SAME:
        return here.inputs[0]
    if here.op == "getitem":
        return graph.picked(here.id)
    if here.op != "item" or nodes[here.inputs[0]].op != "unbind":
        return None
    unbind = here.inputs[0]
    stack, raw = nodes[unbind].inputs[0], graph._raw
    while nodes[stack].op in ("cast", "held"):
        stack = nodes[stack].inputs[0]
    if nodes[stack].op != "stack" or raw[stack].saved[-1] != raw[unbind].saved[-1]:
        return None
    place = graph._place_of(raw[stack], raw[here.id].saved[1])
    return None if place is None else nodes[stack].inputs[place]


def chained(
    graph: RecordedGraph, calls: list[CellCall], nodes: Sequence[GraphNode]
) -> list[CellCall]:
    """The calls with the runs that they form where a state that is only handed on is the same state."""
    run_of: dict[int, int] = {}
    chained: list[CellCall] = []
    for call in calls:
        run = call.run
        for role, node in call.inputs.items():
            i: int | None = node if role in call.outputs else None
            while i is not None and i not in run_of:
                i = operand_of(graph, nodes, nodes[i])
            if i is not None:
                run = run_of[i]
                break
        run_of.update(dict.fromkeys(call.outputs.values(), run))
        chained.append(replace(call, run=run))
    return chained


def chains_of(calls: Sequence[CellCall]) -> list[Chain]:
    """The chains that the cells' calls form through their states."""
    chains: dict[ChainKey, Chain] = {}
    for call in calls:
        key = call.chain
        if key not in chains:
            equations, gates = _said(call.cell, "equations"), _said(call.cell, "gates")
            title = title_of(call.cell)
            chains[key] = Chain("", title, call.path, equations, gates, (), {}, label=call.label)
        chain = chains[key]
        if call.step in chain.calls:
            raise NotUnrollableError
        chain.calls[call.step] = StepCall(
            call.id, call.inputs, call.outputs, call.nodes, call.times
        )
    for chain in chains.values():
        names = {s for call in chain.calls.values() for s in (*call.inputs, *call.outputs)}
        chain.states = tuple(
            s for s in sorted(names, key=_state_order) if s != "x" and not s.startswith("x_")
        )
    return list(chains.values())


def _said(cell: object, name: str) -> Mapping[str, str]:
    """What a cell says of itself by names; nothing where a user's attribute of the name is something else."""
    said = getattr(cell, name, None)
    if isinstance(said, Mapping) and all(isinstance(w, str) for p in said.items() for w in p):
        return said
    return {}


def module_chains(
    nodes: Sequence[GraphNode], groups: Sequence[TimeDistributed], number: int
) -> list[Chain]:
    """The chains of modules that run once a step: no state, one input, one output."""
    chains: list[Chain] = []
    for group in groups:
        calls: dict[int, StepCall] = {}
        for step, ids in group.steps.items():
            inside = set(ids)
            outer = (i for k in ids for i in nodes[k].inputs if i not in inside)
            x = [i for i in outer if nodes[i].op not in ("parameter", "literal")]
            calls[step] = StepCall(number, {"x": x[0]} if x else {}, {}, ids)
            number += 1
        chains.append(Chain("", group.title, group.path, {}, {}, (), calls, f"module {group.path}"))
    return chains


def _state_order(name: str) -> tuple[int, str]:
    return ({"c": 0, "h": 2}.get(name, 1), name)


def outputs_of(chains: list[Chain], nodes: Sequence[GraphNode]) -> dict[int, Output]:
    """The values that left the cells, by node: states, and whatever else is used outside."""
    made: dict[int, Output] = {}
    owner: dict[int, Output] = {}
    for chain in chains:
        for step, call in chain.calls.items():
            for role, out in call.outputs.items():
                made[out] = Output(chain, step, role)
            owner[call.id] = Output(chain, step, "y")
    for node in nodes:
        for i in node.inputs:
            call_id = nodes[i].call
            if call_id is not None and call_id != node.call and i not in made:
                made[i] = owner[call_id]
    return made


def check_chain(chain: Chain, output_of: Callable[[int], Output | None]) -> None:
    """A rail may be drawn only where each call took the very states that the call before gave.

    A chain whose first step goes on from its second runs backwards. ``output_of`` says which cell's output
    a value is.
    """

    def giver(step: int, state: str) -> Output | None:
        came = chain.calls[step].inputs.get(state)
        return None if came is None else output_of(came)

    if chain.states and len(chain.calls) > 1:
        first, second = chain.steps[:2]
        chain.backwards = giver(first, chain.states[0]) == Output(chain, second, chain.states[0])
    else:
        chain.backwards = "reverse" in chain.label
    for before, step in pairwise(chain.runs):
        for state in chain.states:
            if giver(step, state) != Output(chain, before, state):
                raise NotUnrollableError


def check_inputs(chain: Chain, nodes: Sequence[GraphNode]) -> None:
    """NotUnrollableError where a call takes a computed value that is none of its inputs, and has no wire."""
    for call in chain.calls.values():
        known = {*call.nodes, *call.inputs.values()}
        for i in call.nodes:
            for k in nodes[i].inputs:
                if k not in known and nodes[k].op not in SOURCES:
                    raise NotUnrollableError


def join_directions(nodes: Sequence[GraphNode], made: dict[int, Output]) -> None:
    """Where the outputs of two directions are joined, that is the y of the chain that runs backwards."""
    for node in nodes:
        if node.op != "cat" or node.call is not None or len(node.inputs) != 2:
            continue
        found = []
        for i in node.inputs:
            while i not in made and nodes[i].op in HANDS_ON:
                i = nodes[i].inputs[0]
            found.append(made.get(i))
        ahead, back = found
        if ahead is None or back is None or ahead.step != back.step:
            continue
        if back.chain.backwards and not ahead.chain.backwards and ahead.role == back.role:
            back.chain.partner = ahead.chain
            made[node.id] = Output(back.chain, back.step, "y")


# ---- what a loop puts between its cells ---------------------------------------------------------------


def mark_held(nodes: Sequence[GraphNode], paths: Collection[str]) -> list[GraphNode]:
    """The nodes, those that a layer's loop puts between its cells as ``held``, which hands one value on.

    These are the choice of what to keep where a sequence has ended (``where``), and the masks of
    variational dropout (``mul`` by a constant).
    """
    return [_mark_held(nodes, node) if node.path in paths else node for node in nodes]


def _mark_held(nodes: Sequence[GraphNode], node: GraphNode) -> GraphNode:
    if node.call is not None or node.op not in ("where", "mul"):
        return node
    values = tuple(i for i in node.inputs if nodes[i].op not in ("input", "literal"))
    if node.op == "where":
        return replace(node, op="held", inputs=node.inputs[1:2])
    if len(values) == 2 or all(nodes[i].op == "literal" for i in node.inputs):
        return node
    return replace(node, op="held", inputs=(values or node.inputs)[:1])


# ---- modules that run once a step beside the cells ------------------------------------------------------

Home = tuple[ChainKey, int]
MANY: Home = ((object, "", "", -1), -1)


@dataclass(frozen=True, slots=True)
class TimeDistributed:
    """A module, or a group of loose ops, that ran at several steps: its node ids at each."""

    path: str
    title: str
    steps: dict[int, tuple[int, ...]]


def time_distributed(
    nodes: Sequence[GraphNode], calls: Sequence[CellCall]
) -> tuple[list[GraphNode], list[TimeDistributed]]:
    """Nodes outside the cells that repeat with the steps, as calls of their own.

    Returns the nodes, those of a repeated group now with a call number, counted on from the cells',
    and the groups in the order of these numbers.
    """
    homes = _homes(nodes, calls)
    found: dict[tuple[str, ChainKey], dict[int, list[int]]] = {}
    for node in nodes:
        home = homes[node.id]
        if node.call is None and node.op not in SOURCES and home is not None and home != MANY:
            chain, step = home
            found.setdefault((node.path, chain), {}).setdefault(step, []).append(node.id)
    fresh = list(nodes)
    groups: list[TimeDistributed] = []
    number = len(calls)
    for (path, _), by_step in found.items():
        working = {s: i for s, i in by_step.items() if any(_works(nodes[k]) for k in i)}
        if len(working) < 2:
            continue
        ordered = dict(sorted(working.items()))
        title = path.rpartition(".")[2] or "ops"
        groups.append(TimeDistributed(path, title, {s: tuple(i) for s, i in ordered.items()}))
        for ids in ordered.values():
            for i in ids:
                fresh[i] = replace(nodes[i], call=number)
            number += 1
    return fresh, groups


def _works(node: GraphNode) -> bool:
    return node.op not in PASS_THROUGH


def _homes(nodes: Sequence[GraphNode], calls: Sequence[CellCall]) -> list[Home | None]:
    """The chain of cells and the step that a node belongs to: where it comes from, else goes to."""
    home_of = {call.id: (call.chain, call.step) for call in calls}
    homes: list[Home | None] = []
    for node in nodes:
        if node.call is not None:
            homes.append(home_of[node.call])
        elif node.op in SOURCES:
            homes.append(None)
        elif node.op in ("stack", "cat"):
            homes.append(MANY)
        else:
            homes.append(_one({homes[i] for i in node.inputs}))
    ahead: dict[int, set[Home]] = {}
    for node in reversed(nodes):
        if node.call is not None:
            mine = {home_of[node.call]}
        elif node.op in SOURCES:
            continue
        else:
            mine = ahead.get(node.id, set())
            if homes[node.id] is None and mine:
                homes[node.id] = _one(set(mine))
        for i in node.inputs:
            if homes[i] is None and nodes[i].op not in SOURCES:
                ahead.setdefault(i, set()).update(mine)
    return homes


def _one(homes: set[Home | None]) -> Home | None:
    """The one home of several, the last chain's where all are of one step; MANY otherwise."""
    known = [home for home in homes if home is not None]
    if not known or len({step for _, step in known}) == 1:
        return max(known, default=None, key=lambda home: home[0][-1])
    return MANY
