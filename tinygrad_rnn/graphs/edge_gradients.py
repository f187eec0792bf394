"""How much gradient crosses each line of an unrolled graph, and how much arrives at each state?"""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np

from ..engine.values import Array
from .chains import Chain, Column
from .collapse import OuterBoxes
from .contributions import Contributions
from .flows import Flows
from .ledger import Ledger
from .meaning import CellAt, Feed, Input, Meaning, Out, State, ValueBox, Weights
from .recorded import PASS_THROUGH
from .unrolled import UnrolledGraph

After = tuple[Chain, int, str]  # a state after a step: chain, step, name


class EdgeGradients:
    """Norms of the gradients of one pass: ``lines[tail, head]`` by what the ends mean, ``states[state]``.

    ``arriving[state]`` is what comes to a state's pill from its right (from its left in a chain that runs
    backwards); ``still`` are the states that take no gradient: theirs is what would go on.
    """

    def __init__(self, unrolled: UnrolledGraph, parts: Contributions, ledger: Ledger) -> None:
        self.unrolled, self.parts = unrolled, parts
        self.lines: dict[tuple[Meaning, Meaning], float] = {}
        self.states: dict[State, float | None] = {}
        self.arriving: dict[State, float] = {}
        self.still: set[State] = set()
        after = OuterBoxes(unrolled, unrolled.after, True)
        self.before = OuterBoxes(unrolled, unrolled.before, True, "in")
        outer = {**after.boxes, **self.before.boxes}
        self.values = {node: box.meaning for node, box in outer.items()}
        bands = unrolled.betweens.all
        self.values |= {node: band.meaning for band in bands for node in band.nodes}
        self._bands: set[Hashable] = {band.meaning for band in bands}
        self.boxes: dict[int, Hashable] = {
            node.id: node.call for node in unrolled.nodes if node.call is not None
        }
        self.boxes.update(self.values)
        self._held: dict[After, list[int]] = {}
        self._join_and_hold()
        loose = {n.id for n in unrolled.nodes if n.op in PASS_THROUGH and n.id not in self.boxes}
        values = {*unrolled.made, *(i for ids in self._held.values() for i in ids), *self.values}
        values |= {
            i for chain in unrolled.chains for c in chain.calls.values() for i in c.inputs.values()
        }
        raw = unrolled.graph._raw
        starts = [
            i
            for chain in unrolled.chains
            if chain.states
            for role, i in chain.start.inputs.items()
            if role in chain.states
        ]
        still = {i for i in starts if not raw[i].needs}
        self.flows = Flows(unrolled.graph, ledger, self.boxes, values, loose, still)
        self._calls = {
            call.id: (chain, step)
            for chain in unrolled.chains
            for step, call in chain.calls.items()
        }
        for chain in unrolled.chains:
            for column in unrolled.columns(chain):
                self._cross_states(chain, column)
                for role in chain.input_roles:
                    self._cross_input(chain, column, role)
                self._cross_uses(chain, column)
            self._cross_start(chain)
        self._cross_outside()

    # ---- what is inside which box

    def _join_and_hold(self) -> None:
        """Outputs joined of two directions are boxes of their own; what a loop holds is its cell's."""
        unrolled = self.unrolled
        for node in unrolled.nodes:
            if node.op == "cat" and node.id in unrolled.made and node.call is None:
                self.boxes[node.id] = ("joined", node.id)
            if node.op != "held":
                continue
            inner = node.inputs[0]
            while unrolled.nodes[inner].op == "held":
                inner = unrolled.nodes[inner].inputs[0]
            output = unrolled.made.get(inner)
            if unrolled.graph[node.id].op == "where" and output is not None:
                self.boxes[node.id] = output.chain.calls[output.step].id
                self._held.setdefault((output.chain, output.step, output.role), []).append(node.id)
        for node in reversed(unrolled.nodes):
            if (
                node.op == "held" and node.id not in self.boxes
            ):  # a mask: part of the cell it enters
                users = {self.boxes.get(k) for k in unrolled.consumers.get(node.id, ())}
                if len(users) == 1 and None not in users:
                    self.boxes[node.id] = users.pop()

    def _nodes(self, chain: Chain, step: int, state: str) -> list[int]:
        """The nodes that are a state after a step: the cell's, and what the loop holds of it."""
        out = chain.calls[step].outputs.get(state)
        own = [] if out is None else [out]
        if state == "y" or (state == chain.out_role and not own):
            own += self.unrolled.own_outputs(chain, step)
        return [*own, *self._held.get((chain, step, state), ())]

    def _entry(self, chain: Chain, step: int, state: str) -> int | None:
        """The value that a cell takes as a state, before any mask of its own."""
        call = chain.calls[step]
        node = call.inputs.get(state)
        while node is not None and self.boxes.get(node) == call.id:
            node = self.unrolled.nodes[node].inputs[0]
        return node

    # ---- what comes from where

    def _arrivals(self, key: After) -> dict[Hashable, Array]:
        """What came to a state after a step, by who sent it."""
        found: dict[Hashable, Array] = {}
        for value in self._nodes(*key):
            for sender, d in self.flows.arrived.get(value, {}).items():
                if sender != key[0].calls[key[1]].id:
                    found[sender] = found[sender] + d if sender in found else d
        return found

    def _route(self, key: After, sender: Hashable) -> str:
        """By which line it came: the state's pill, the output y above the cell, or up to another cell."""
        chain, step, state = key
        if sender in self._calls:
            other, at = self._calls[sender]
            if other is chain:
                return "pill"
            came = other.calls[at].inputs
            given = [came[role] for role in other.input_roles if role in came]
            origins = [self.unrolled.origin(x).output for x in given]
            same = any(o is not None and (o.chain, o.step) == (chain, step) for o in origins)
            return "up" if same else "pill"
        if isinstance(sender, tuple):
            return "joined"
        if sender in self._bands:
            return "up"
        single = chain.collected and chain.partner is None
        return "y" if single and state == chain.out_role else "pill"

    def _cross_states(self, chain: Chain, column: Column) -> None:
        cell, run = CellAt(chain, column), self.unrolled.columns_run(chain)
        following = run[run.index(column) + 1 :][:1]
        here = chain.here(column)
        step = here[0] if chain.backwards else here[-1]
        for name in chain.states:
            pill, key = self.unrolled.state_after(chain, column, name), (chain, step, name)
            by_sender = self._arrivals(key)
            mine = [d for s, d in by_sender.items() if self._route(key, s) == "pill"]
            self.lines[cell, pill] = self.arriving[pill] = norm_of_sum(mine)
            for after in following:
                there = chain.here(after)
                at = there[-1] if chain.backwards else there[0]
                entering = self._entering(chain, at, name)
                self.lines[pill, CellAt(chain, after)] = self.arriving[pill] = entering
            self.states[pill] = self._state_size(chain, step, name)
            for sender, d in by_sender.items():
                if isinstance(sender, ValueBox) and sender not in self._bands:
                    end = Out(chain, column) if self._route(key, sender) == "y" else pill
                    self.lines[end, sender] = _size(d)
        self._cross_outputs(chain, column)
        self._cross_bands(chain, column)

    def _cross_outputs(self, chain: Chain, column: Column) -> None:
        """The y above a cell, and who takes it."""
        cell, out, made = CellAt(chain, column), Out(chain, column), self.unrolled.made
        up: list[float] = []
        takers: dict[ValueBox, list[float]] = {}
        above = next((other for other in self.unrolled.chains if other.partner is chain), None)
        for step in chain.here(column):
            for role in {chain.out_role, "y"}:
                key = (chain, step, role)
                by_sender = self._arrivals(key)
                routes = {s: self._route(key, s) for s in by_sender}
                up.append(
                    norm_of_sum([d for s, d in by_sender.items() if routes[s] in ("y", "joined")])
                )
                for sender, d in by_sender.items():
                    if isinstance(sender, ValueBox) and routes[sender] == "y":
                        takers.setdefault(sender, []).append(_size(d))
            if chain.partner is not None:
                for node in [n for n, o in made.items() if o == (chain, step, "y")]:
                    for sender, d in self.flows.arrived.get(node, {}).items():
                        if isinstance(sender, ValueBox):
                            takers.setdefault(sender, []).append(_size(d))
        if chain.collected:
            self.lines[cell, out] = math.hypot(*up)
        elif above is not None:
            self.lines[cell, Out(above, column)] = math.hypot(*up)
        for taker, sizes in takers.items():
            self.lines[out, taker] = math.hypot(*sizes)

    def _cross_bands(self, chain: Chain, column: Column) -> None:
        """What comes down to a cell from what stands between rows."""
        here, sizes = {*chain.here(column)}, dict[tuple[Meaning, Meaning], list[float]]()
        for band in self.unrolled.betweens.all:
            for node, output in band.outputs.items():
                if output.chain is chain and output.step in here:
                    joined = chain.partner is not None and output.role == "y"
                    tail = Out(chain, column) if joined else CellAt(chain, column)
                    d = self.flows.arrived.get(node, {}).get(band.meaning)
                    sizes.setdefault((tail, band.meaning), []).append(
                        0.0 if d is None else _size(d)
                    )
        self.lines.update({key: math.hypot(*found) for key, found in sizes.items()})

    def _entering(self, chain: Chain, step: int, state: str) -> float:
        """What a cell sends back by way of one of its states."""
        value, call = self._entry(chain, step, state), chain.calls[step].id
        if value is None:
            return 0.0
        d = self.flows.arrived.get(value, {}).get(call)
        return 0.0 if d is None else _size(d)

    def _state_size(self, chain: Chain, step: int, state: str) -> float | None:
        """The norm of all that came to a state after a step, to sequences that have ended too.

        Where a loop holds an old state, out = where(live, new, old): what comes to ``old`` is added to
        what comes to the cell's own output, ``new``.
        """
        values = self._nodes(chain, step, state)
        if not values:
            return None
        total, graph = self.flows.total(values[0]), self.unrolled.graph
        for value in values[1:]:
            held = self.flows.total(value)
            if held is not None and graph[graph[value].inputs[2]].op != "literal":
                rest = np.where(graph._raw[value].saved[0], 0, held)
                total = rest if total is None else total + rest
        return None if total is None else _size(total)

    def _cross_start(self, chain: Chain) -> None:
        """The states that a chain starts from."""
        unrolled, step, raw = self.unrolled, chain.runs[0], self.unrolled.graph._raw
        for name in chain.states:
            pill, value = unrolled.state_before(chain, name), self._entry(chain, step, name)
            if value is None:
                continue
            size: float | None = self._entering(chain, step, name)
            total = self.flows.total(value)
            self.states[pill] = None if total is None else _size(total)
            if not raw[value].needs:
                if not self._whole_story(chain, name):
                    size = self.states[pill] = None
                else:
                    self.still.add(pill)
            if size is not None:
                self.lines[pill, CellAt(chain, unrolled.columns_run(chain)[0])] = size
                self.arriving[pill] = size
            origin = unrolled.origin(chain.calls[step].inputs[name])
            if origin.output is not None and origin.output.role != "y":
                last = unrolled.last_state(origin.output.chain, origin.output.role)
                self.lines[last, pill] = size or 0.0
            elif raw[value].needs and origin.output is None:
                source = self._source(origin.node)
                if source is not None:
                    self.lines[source, pill] = self.states[pill] or 0.0

    def _source(self, node: int) -> Meaning | None:
        """What an initial state comes from: a Parameter, or a box before the cells."""
        if node in self.unrolled.names:
            return self.unrolled.parameter(node)
        box = self.before.box_of(node)
        return None if box is None else box.meaning

    def _whole_story(self, chain: Chain, state: str) -> bool:
        """Whether every way by which a constant state enters its cell was recorded, as at the next step.

        Ops on constants alone leave no node; where one of the ways is such an op, its part is unknown.
        """
        if len(chain.runs) < 2:
            return False
        ways, nodes = [], self.unrolled.nodes
        for step in chain.runs[:2]:
            call = chain.calls[step]
            value = call.inputs.get(state)
            places = (
                (nodes[i].op, k, o) for i in call.nodes for k, o in enumerate(nodes[i].inputs)
            )
            ways.append(sorted((op, k) for op, k, operand in places if operand == value))
        return ways[0] == ways[1]

    def _cross_input(self, chain: Chain, column: Column, role: str) -> None:
        """x: what a cell sends back to its input, and from there to the layer below."""
        unrolled, here = self.unrolled, chain.here(column)
        size = math.hypot(*(self._entering(chain, step, role) for step in here))
        x = Input(chain, column, role)
        self.lines[x, CellAt(chain, column)] = size
        if (band := unrolled.betweens.taken.get((chain, here[0], role))) is not None:
            self.lines[band.meaning, x] = size
            return
        node = chain.calls[here[0]].inputs.get(role)
        origin = None if node is None else unrolled.origin(node)
        if origin is None:
            return
        if origin.output is None:
            self.lines[Feed(origin.node), x] = size
            return
        lower = origin.output.chain
        at = next(c for c in unrolled.segments[lower.segment] if origin.output.step in c.steps)
        self.lines[CellAt(lower, at), x] = size
        self.lines[Out(lower, column), x] = size

    def _cross_uses(self, chain: Chain, column: Column) -> None:
        params = [p.id for p in self.unrolled.rows[chain.row].params]
        counts = {p: n for p in params if (n := chain.count(p, column))}
        use = self.unrolled.use(chain, column, counts)
        self.lines[use, CellAt(chain, column)] = self.parts.used_at(params, (chain, column))

    def _cross_outside(self) -> None:
        """Lines between the boxes outside the cells, and from the Parameters that these use."""
        sizes: dict[tuple[Meaning, Meaning], list[float]] = {}
        for node, value in self.values.items():
            for sender, d in self.flows.arrived.get(node, {}).items():
                if isinstance(sender, ValueBox):
                    sizes.setdefault((value, sender), []).append(_size(d))
        for (parameter, node), entries in self.parts.outside.items():
            user = self.values.get(node)
            if user is None:
                continue
            norms = [entry.norm() for entry in entries]
            sources: list[Meaning] = [self.unrolled.parameter(parameter)]
            rows = enumerate(self.unrolled.rows)
            sources += [Weights(i) for i, row in rows if parameter in {p.id for p in row.params}]
            for source in sources:
                sizes.setdefault((source, user), []).extend(norms)
        self.lines.update({key: math.hypot(*found) for key, found in sizes.items()})


def _size(d: Array) -> float:
    return float(np.linalg.norm(d))


def norm_of_sum(arrays: list[Array]) -> float:
    """The norm of a sum of arrays; 0 of none."""
    return _size(sum(arrays[1:], arrays[0])) if arrays else 0.0
