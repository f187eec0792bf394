"""Which cells ran at which step? A recorded graph read as rows of cells on a grid of time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from .between import Between, Betweens, MovedElements
from .chains import (
    Chain,
    Column,
    NotUnrollableError,
    Output,
    cells_of,
    chained,
    chains_of,
    check_chain,
    check_inputs,
    fold,
    join_directions,
    mark_held,
    module_chains,
    operand_of,
    outputs_of,
    time_distributed,
)
from .loops import LoopCell
from .meaning import ParameterBox, State, Uses, ValueBox
from .numbers import StateRun, name_of, numbers_of_runs
from .recorded import (
    HANDS_ON,
    PASS_THROUGH,
    SOURCES,
    GraphNode,
    RecordedGraph,
    consumers_of,
    short_name,
    title_of,
)

MOST_SEGMENTS = 6


class Origin(NamedTuple):
    """Where a cell's input comes from: another cell, a box between rows, or a node before all cells."""

    output: Output | None
    node: int
    box: Between | None = None


@dataclass(eq=False)
class LayerRow:
    """Chains that use the same Parameters, one after the other, above their slab."""

    chains: list[Chain]
    params: list[GraphNode]
    name: str = ""


@dataclass(eq=False)
class UnrolledGraph:
    """A graph on the grid: rows of chains, segments of columns, and what stays outside the cells."""

    graph: RecordedGraph
    nodes: Sequence[GraphNode]
    rows: list[LayerRow]
    segments: list[list[Column]]
    made: dict[int, Output]
    consumers: dict[int, list[int]]
    before: list[int]
    after: list[int]
    betweens: Betweens = field(init=False)

    @classmethod
    def read(
        cls, graph: RecordedGraph, limit: int, steps: Sequence[int] | None = None
    ) -> UnrolledGraph:
        """Read ``graph`` as cells on a grid; more than ``limit`` steps are folded in the middle.

        Modules that run once a step outside the cells (an embedding, a head) become chains of their own.
        Raises :class:`NotUnrollableError` where that cannot be drawn truly: no cells, two calls at one place,
        a Parameter that is used between cells, or a chain of states that is broken at every step.
        """
        nodes, calls = cells_of(graph)
        nodes = mark_held(nodes, {call.path for call in calls if call.path})
        calls = chained(graph, calls, nodes)
        nodes, groups = time_distributed(nodes, calls)
        chains = [*chains_of(calls), *module_chains(nodes, groups, len(calls))]
        chains.sort(key=lambda chain: chain.calls[chain.steps[0]].nodes[0])
        for i, chain in enumerate(chains):
            chain.key = f"l{i}"
        made = outputs_of(chains, nodes)
        before, between, after = _outside(nodes)
        consumers = consumers_of(nodes)
        moves = MovedElements(graph, nodes, made)
        for chain in chains:
            check_chain(chain, moves.output)
            check_inputs(chain, nodes)
            chain.since = _since(graph, chain)
        if len(chains) > 1:
            runs = [_run_of(chain, nodes) for chain in chains]
            for chain, number in zip(chains, numbers_of_runs(runs), strict=True):
                chain.layer = number
        join_directions(nodes, made)
        _count_uses(graph, nodes, chains)
        for node in nodes:
            if node.op == "held" and node.detail == "where: none" and node.inputs[0] in made:
                output = made[node.inputs[0]]
                output.chain.ended.add(output.step)
        unrolled = cls(graph, nodes, _rows(graph, chains), [], made, consumers, before, after)
        _place_in_segments(chains, unrolled)
        unrolled.betweens = Betweens(graph, nodes, unrolled.chains, unrolled.moves, unrolled._down)
        unrolled.check_between(between)
        _mark_collected(chains, made, consumers, after)
        count = max(chain.segment for chain in chains) + 1
        if count > MOST_SEGMENTS:
            raise NotUnrollableError
        unrolled.segments = _columns(chains, count, limit, steps)
        return unrolled

    @property
    def chains(self) -> Iterator[Chain]:
        """All chains, from the lowest row up."""
        return (chain for row in self.rows for chain in row.chains)

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

    def parameter(self, node: int) -> ParameterBox:
        """What a Parameter is called: its dotted name, and its short one in this picture."""
        return ParameterBox(node, self.names[node], self.short(node))

    def value(self, node: int) -> ValueBox:
        """A given value that stands beside what takes it."""
        return ValueBox(node, f"given{node}")

    def use(self, chain: Chain, column: Column, counts: Mapping[int, int]) -> Uses:
        """The use of some Parameters, each so many times, in the cell (or the folded cells) of a column."""
        parameters = tuple(map(self.parameter, counts))
        return Uses(parameters, tuple(counts.values()), chain, column)

    # ---- which way a chain runs

    def columns(self, chain: Chain) -> list[Column]:
        """The columns in which a chain has a cell."""
        return [column for column in self.segments[chain.segment] if chain.here(column)]

    def columns_run(self, chain: Chain) -> list[Column]:
        """The chain's columns in the order in which they ran."""
        columns = self.columns(chain)
        return columns[::-1] if chain.backwards else columns

    def state_before(self, chain: Chain, name: str) -> State:
        """The state that a chain starts from."""
        step = chain.before(chain.runs[0]) + 1
        return State(chain, step, name, chain.start.inputs.get(name, -1))

    def state_after(self, chain: Chain, column: Column, name: str) -> State:
        """The state that leaves a column."""
        here = chain.here(column)
        call = chain.calls[here[0] if chain.backwards else here[-1]]
        step = column.first if chain.backwards else column.last
        return State(chain, step, name, call.outputs.get(name, -1))

    def last_state(self, chain: Chain, name: str) -> State:
        """The state that a chain ends with."""
        return self.state_after(chain, self.columns_run(chain)[-1], name)

    def own_outputs(self, chain: Chain, step: int) -> list[int]:
        """The nodes of a step that are used outside and are none of its states."""
        made, nodes = self.made, chain.calls[step].nodes
        return [i for i in nodes if i in made and made[i].role == "y"]

    # ---- what goes on from one chain to another

    @property
    def is_joined(self) -> bool:
        """Whether the outputs of two directions are joined somewhere."""
        return any(chain.partner is not None for chain in self.chains)

    def carry_of(self, chain: Chain, state: str) -> Output | None:
        """The state of another chain that a chain starts from."""
        start = chain.start.inputs.get(state)
        output = None if start is None else self.origin(start).output
        return None if output is None or output.role == "y" else output

    def carries(self, segment: int) -> int:
        """How many states the chains of a segment take from other chains."""
        return sum(
            self.carry_of(chain, state) is not None
            for chain in self.chains
            if chain.segment == segment
            for state in chain.states
        )

    def cut_of(self, chain: Chain, state: str) -> Output | None:
        """The last state of the chain that ran the steps before, where this one starts from a constant."""
        start = chain.start.inputs.get(state)
        if start is None or chain.since is None or chain.backwards:
            return None
        for other in self.chains:
            alike = (other.path, other.label, other.row) == (chain.path, chain.label, chain.row)
            if alike and other.segment == chain.segment - 1 and state in other.states:
                last = self.columns(other)[-1]
                if last.last == chain.since + 1 and not other.backwards:
                    return Output(other, other.steps[-1], state)
        return None

    # ---- where values come from

    @property
    def goes_on(self) -> bool:
        """Whether anything but pass-through ops follows the cells."""
        return any(self.nodes[i].op not in PASS_THROUGH for i in self.after)

    @cached_property
    def moves(self) -> MovedElements:
        """Which of the cells' outputs a value is."""
        return MovedElements(self.graph, self.nodes, self.made)

    def origin(self, node: int) -> Origin:
        """Where a cell's input comes from.

        Raises NotUnrollableError where it is computed from cells' outputs, and no box between rows makes it.
        """
        output = self.moves.output(node)
        if output is not None:
            return Origin(output, node)
        if node in self._down:
            box = self.betweens.box_of(node) if hasattr(self, "betweens") else None
            if box is None:
                raise NotUnrollableError
            return Origin(None, node, box)
        while True:
            here = self.nodes[node]
            inner = [i for i in here.inputs if self.nodes[i].op not in ("input", "literal")]
            working = here.op not in PASS_THROUGH
            if not inner and not working and len(here.inputs) == 1:  # slices of what is given
                node = here.inputs[0]
                continue
            drawn = working or inner[1:] or self._reordered(node)
            if here.op in SOURCES or not inner or (node in self.front and drawn):
                return Origin(None, node)
            if len(inner) != 1:
                raise NotUnrollableError
            node = inner[0]

    def masked(self, node: int) -> bool:
        """Whether a value is a cell's output times a mask: dropout between two layers."""
        while node not in self.made:
            if self.nodes[node].op == "held" and self.graph[node].op == "mul":
                return True
            operand = operand_of(self.graph, self.nodes, self.nodes[node])
            if operand is None:
                return False
            node = operand
        return False

    def check_between(self, between: Sequence[int]) -> None:
        """NotUnrollableError where a box cannot stand between two rows, or a Parameter is used elsewhere."""
        for box in self.betweens.all:
            if box.below >= box.above:
                raise NotUnrollableError
        for i in between:
            uses = any(self.nodes[k].op == "parameter" for k in self.nodes[i].inputs)
            if uses and not self.betweens.inside(i):
                raise NotUnrollableError

    @property
    def fed(self) -> bool:
        """Whether the inputs of the lowest row are computed from something."""
        calls = (chain.calls[chain.steps[0]] for chain in self.rows[0].chains)
        origins = [self.origin(call.inputs["x"]) for call in calls if "x" in call.inputs]
        return any(
            origin.output is None and self.nodes[origin.node].op not in ("input", "literal")
            for origin in origins
        )

    def _reordered(self, node: int) -> bool:
        """Whether a value that several cells take steps of has other steps than what it was made of."""
        here = self.nodes[node]
        if here.op not in ("flip", "getitem") or node not in self.front:
            return False
        calls: set[int] = set()
        stack = [node]
        while stack and len(calls) < 2:
            for user in self.consumers.get(stack.pop(), ()):
                call = self.nodes[user].call
                calls |= set() if call is None else {call}
                stack += [user] if call is None and self.nodes[user].op in HANDS_ON else []
        return len(calls) > 1

    @cached_property
    def front(self) -> frozenset[int]:
        """The nodes that what comes into cells is computed from."""
        return frozenset(self.before)

    @cached_property
    def _down(self) -> frozenset[int]:
        """The nodes outside the cells that are computed from what cells gave."""
        found: set[int] = set()
        for node in self.nodes:
            if node.call is None and any(
                self.nodes[i].call is not None or i in found for i in node.inputs
            ):
                found.add(node.id)
        return frozenset(found)


def _since(graph: RecordedGraph, chain: Chain) -> int | None:
    """The step of the state that a chain starts from, where that was cut off from what made it."""
    first = chain.runs[0]
    starts = [chain.start.inputs[s] for s in chain.states if s in chain.start.inputs]
    steps = [step for i in starts if (step := graph.cut_from(i)) is not None]
    known = [step for step in steps if step < first and not chain.backwards]
    return max(known, default=None)


def _run_of(chain: Chain, nodes: Sequence[GraphNode]) -> StateRun:
    steps = {s + k for s, call in chain.calls.items() for k in range(call.times)}
    name = name_of(chain.path or chain.title, chain.label)
    starts = [nodes[i] for s, i in chain.start.inputs.items() if s in chain.states]
    given = chain.since is None and all(node.op in SOURCES for node in starts) and chain.states
    begins = chain.before(chain.runs[0]) if given else None
    return StateRun(name, "reverse" * ("reverse" in chain.label), steps, chain.states, begins)


def _columns(
    chains: list[Chain], count: int, limit: int, shown: Sequence[int] | None
) -> list[list[Column]]:
    """The columns of each segment. NotUnrollableError where chains differ in what stands for what."""
    times: list[dict[int, int]] = []
    for b in range(count):
        here: dict[int, set[int]] = {}
        for chain in chains:
            for step, call in chain.calls.items() if chain.segment == b else ():
                here.setdefault(step, set()).add(call.times)
        if any(len(found) > 1 for found in here.values()):
            raise NotUnrollableError
        times.append({step: here[step].pop() for step in sorted(here)})
    known = set().union(*times)
    lost = [s for s in shown or () if s >= 0 and s not in known]
    segments: list[list[Column]] = []
    for steps in times:
        mine = [s for s in shown or () if s < 0 or s in steps] or None
        runs = [(c.steps[0], c.steps[-1]) for c in chains if c.segment == len(segments)]
        segments.append(fold(list(steps), limit, lost or mine, steps, list(dict.fromkeys(runs))))
    return segments


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


def _count_uses(graph: RecordedGraph, nodes: Sequence[GraphNode], chains: list[Chain]) -> None:
    """Give each chain its uses of each Parameter by step."""
    owner = {call.id: (chain, step) for chain in chains for step, call in chain.calls.items()}
    for name, parameter in graph.parameters.items():
        for use in graph.uses(name):
            call = nodes[use.node].call
            if call is not None:
                chain, step = owner[call]
                if parameter.id in chain.calls[step].inputs.values():
                    continue  # a state that it starts from
                used = chain.uses.setdefault(parameter.id, {})
                used[step] = used.get(step, 0) + chain.calls[step].times


def _rows(graph: RecordedGraph, chains: list[Chain]) -> list[LayerRow]:
    """Chains that share a Parameter share a row."""
    rows: list[LayerRow] = []
    for chain in chains:
        mine = [
            row
            for row in rows
            if any(not chain.uses.keys().isdisjoint(other.uses) for other in row.chains)
        ]
        merged = LayerRow([other for row in mine for other in row.chains] + [chain], [])
        rows = [row for row in rows if row not in mine] + [merged]
    rows.sort(key=lambda row: chains.index(row.chains[0]))
    names = [row.chains[0].path.rpartition(".")[2] or row.chains[0].title for row in rows]
    both = any(chain.backwards for chain in chains)
    for i, row in enumerate(rows):
        used = {p for chain in row.chains for p in chain.uses}
        row.params = [node for node in graph.parameters.values() if node.id in used]
        if len(rows) > 1:
            nth = names[: i + 1].count(names[i])
            word = "loop" if names[i] == title_of(LoopCell) else "layer"
            layer = f"{word} {nth}" if names.count(names[i]) > 1 else ""
            if both and row.chains[0].states:
                layer = _layer_words(row.chains[0])
            row.name = layer if len(set(names)) == 1 else f"{names[i]} {layer}".rstrip()
        for chain in row.chains:
            chain.row = i
    return rows


def _layer_words(chain: Chain) -> str:
    """Which layer, counted from 1, and which direction."""
    layer = re.search(r"layer (\d+)", chain.label)
    words = f"layer {int(layer[1]) + 1}, " if layer else ""
    return words + ("reverse" if chain.backwards else "forward")


def _place_in_segments(chains: list[Chain], unrolled: UnrolledGraph) -> None:
    """Chains of one row stand side by side; a chain that goes on from another stands after it.

    A module that runs beside the cells stands in the columns of the cells it serves.
    """
    made = unrolled.made
    taken: dict[int, int] = {}
    owner = {call.id: chain for chain in chains for call in chain.calls.values()}
    for chain in chains:
        if not chain.states:
            continue
        first = chain.start
        given = [
            unrolled.origin(i).output for role, i in first.inputs.items() if role in chain.states
        ]
        starts = [output.chain for output in given if output is not None]
        after = max((other.segment + 1 for other in starts if other is not chain), default=0)
        chain.segment = max(after, taken.get(chain.row, 0))
        taken[chain.row] = chain.segment + 1
    for chain in chains:
        if chain.states:
            continue
        first = chain.start
        users = (unrolled.nodes[k].call for i in first.nodes for k in unrolled.consumers.get(i, ()))
        near = [made[i].chain for i in first.inputs.values() if i in made]
        near += [owner[call] for call in users if call is not None]
        chain.segment = max((other.segment for other in near if other is not chain), default=0)


def _mark_collected(
    chains: list[Chain],
    made: dict[int, Output],
    consumers: dict[int, list[int]],
    after: list[int],
) -> None:
    """A chain whose outputs are used after the cells, at all steps or several, shows them as y."""
    tail = set(after)
    _choose_y(made, consumers, tail)
    seen: dict[Chain, set[int]] = {chain: set() for chain in chains}
    for node, output in made.items():
        if output.role in (output.chain.out_role, "y") and any(
            user in tail for user in consumers.get(node, ())
        ):
            seen[output.chain].add(output.step)
    for chain, steps in seen.items():
        several = len(steps) > 1 or (len(steps) == 1 and len(chain.calls) == 1)
        chain.collected = chain.partner is not None or (several and chain.on_top(chains))


def _choose_y(made: dict[int, Output], consumers: dict[int, list[int]], tail: set[int]) -> None:
    """The y of a cell of the user's own is the state that goes on at several steps, if one alone does."""
    going: dict[Chain, dict[str, set[int]]] = {}
    for node, (chain, step, role) in made.items():
        if any(user in tail for user in consumers.get(node, ())):
            going.setdefault(chain, {}).setdefault(role, set()).add(step)
    for chain, roles in going.items():
        several = [role for role, steps in roles.items() if len(steps) > 1]
        if len(several) == 1 and several[0] in chain.states:
            chain.y_role = several[0]
