"""How much gradient crosses each line of the picture of cells, and how much arrives at each state."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..graphs.flows import Flows
from .cells import CellGrid
from .items import Items
from .lanes import Lane
from .parts import Book
from .plumbing import PLUMBING
from .slots import Slot

if TYPE_CHECKING:
    from ..autograd import Array
    from ..graphs.ledger import Ledger

Key = tuple[Lane, int, str]  # a state after a step: lane, step, name


class Crossings:
    """Norms of the gradients of one pass: ``lines[tail, head]`` by the ids of the boxes, ``pills[id]``.

    ``arriving[pill]`` is what comes to a state's pill from its right (from its left in a lane that runs
    backwards); ``still`` are the pills whose state takes no gradient: theirs is what would go on.
    """

    def __init__(self, plan: CellGrid, book: Book, ledger: Ledger) -> None:
        self.plan, self.book = plan, book
        lattice = plan.lattice
        self.lines: dict[tuple[str, str], float] = {}
        self.pills: dict[str, float | None] = {}
        self.arriving: dict[str, float] = {}
        self.still: set[str] = set()
        self.boxes: dict[int, Hashable] = {
            node.id: node.call for node in lattice.nodes if node.call is not None
        }
        self.after = Items(lattice, lattice.after, True)
        self.before = Items(lattice, lattice.before, True, "in")
        self.boxes.update(self.after.boxes)
        self.boxes.update(self.before.boxes)
        self._held: dict[Key, list[int]] = {}
        self._join_and_hold()
        loose = {n.id for n in lattice.nodes if n.op in PLUMBING and n.id not in self.boxes}
        values = {*lattice.made, *(i for ids in self._held.values() for i in ids)}
        values |= {
            i for lane in lattice.lanes for c in lane.calls.values() for i in c.inputs.values()
        }
        values |= {*self.after.boxes, *self.before.boxes}
        raw = lattice.graph._raw
        starts = [
            i
            for lane in lattice.lanes
            if lane.states
            for r, i in lane.start.inputs.items()
            if r != "x"
        ]
        still = {i for i in starts if not raw[i].needs}
        self.flows = Flows(lattice.graph, ledger, self.boxes, values, loose, still)
        self._calls = {
            call.id: (lane, step) for lane in lattice.lanes for step, call in lane.calls.items()
        }
        for lane in lattice.lanes:
            for slot in lattice.slots(lane):
                self._cross_states(lane, slot)
                self._cross_inputs(lane, slot)
                self._cross_taps(lane, slot)
            self._cross_start(lane)
        self._cross_items()

    # ---- what is inside which box

    def _join_and_hold(self) -> None:
        """Outputs joined of two directions are boxes of their own; what a loop holds is its cell's."""
        lattice = self.plan.lattice
        for node in lattice.nodes:
            if node.op == "cat" and node.id in lattice.made and node.call is None:
                self.boxes[node.id] = ("joined", node.id)
            if node.op != "held":
                continue
            inner = node.inputs[0]
            while lattice.nodes[inner].op == "held":
                inner = lattice.nodes[inner].inputs[0]
            output = lattice.made.get(inner)
            if lattice.graph[node.id].op == "where" and output is not None:
                self.boxes[node.id] = output.lane.calls[output.step].id
                self._held.setdefault((output.lane, output.step, output.role), []).append(node.id)
        for node in reversed(lattice.nodes):
            if (
                node.op == "held" and node.id not in self.boxes
            ):  # a mask: part of the cell that it enters
                users = {self.boxes.get(k) for k in lattice.consumers.get(node.id, ())}
                if len(users) == 1 and None not in users:
                    self.boxes[node.id] = users.pop()

    def _values(self, lane: Lane, step: int, state: str) -> list[int]:
        """The nodes that are a state after a step: the cell's, and what the loop holds of it."""
        out = lane.calls[step].outputs.get(state)
        own = [] if out is None else [out]
        if state == "y" or (state == lane.out_role and not own):
            own += [i for i in lane.calls[step].nodes if self._is_output(i)]
        return [*own, *self._held.get((lane, step, state), ())]

    def _is_output(self, node: int) -> bool:
        output = self.plan.lattice.made.get(node)
        return output is not None and output.role == "y"

    def _entry(self, lane: Lane, step: int, state: str) -> int | None:
        """The value that a cell takes as a state, before any mask of its own."""
        call = lane.calls[step]
        node = call.inputs.get(state)
        while node is not None and self.boxes.get(node) == call.id:
            node = self.plan.lattice.nodes[node].inputs[0]
        return node

    # ---- what comes from where

    def _arrivals(self, key: Key) -> dict[Hashable, Array]:
        """What came to a state after a step, by who sent it."""
        found: dict[Hashable, Array] = {}
        for value in self._values(*key):
            for sender, d in self.flows.arrived.get(value, {}).items():
                if sender != key[0].calls[key[1]].id:
                    found[sender] = found[sender] + d if sender in found else d
        return found

    def _route(self, key: Key, sender: Hashable) -> str:
        """By which line it came: the state's pill, the output y above the cell, or up to another cell."""
        lane, step, state = key
        if sender in self._calls:
            other, at = self._calls[sender]
            if other is lane:
                return "pill"
            x = other.calls[at].inputs.get("x")
            origin = None if x is None else self.plan.lattice.origin(x).output
            same = origin is not None and (origin.lane, origin.step) == (lane, step)
            return "up" if same else "pill"
        if isinstance(sender, tuple):
            return "joined"
        return "y" if lane.collected and lane.partner is None and state == lane.out_role else "pill"

    def _last(self, lane: Lane, slot: Slot) -> int:
        """The step of a slot that ran last."""
        here = lane.here(slot)
        return here[0] if lane.backwards else here[-1]

    def _first(self, lane: Lane, slot: Slot) -> int:
        here = lane.here(slot)
        return here[-1] if lane.backwards else here[0]

    def _cross_states(self, lane: Lane, slot: Slot) -> None:
        plan, cell = self.plan, self.plan.id(lane, slot)
        run = plan.slots_run(lane)
        following = run[run.index(slot) + 1 :][:1]
        number, _ = plan.pill_after(lane, slot)
        step = self._last(lane, slot)
        for state in lane.states:
            pill, key = f"{lane.key}.{state}{number}", (lane, step, state)
            by_sender = self._arrivals(key)
            mine = [d for s, d in by_sender.items() if self._route(key, s) == "pill"]
            self.lines[f"{cell}.{state}", pill] = norm_of_sum(mine)
            for after in following:
                at = self._first(lane, after)
                self.lines[pill, self._end(lane, after, state)] = self._entering(lane, at, state)
                self.arriving[pill] = self._entering(lane, at, state)
            if not following:
                self.arriving[pill] = norm_of_sum(mine)
            self.pills[pill] = self._state_size(lane, step, state)
            for sender, d in by_sender.items():
                if isinstance(sender, str):
                    end = f"{lane.key}.y{slot.first}" if self._route(key, sender) == "y" else pill
                    self.lines[end, sender] = float(np.linalg.norm(d))
        self._cross_outputs(lane, slot)

    def _cross_outputs(self, lane: Lane, slot: Slot) -> None:
        """The y above a cell, and who takes it."""
        cell, box = self.plan.id(lane, slot), f"{lane.key}.y{slot.first}"
        up: list[float] = []
        takers: dict[str, list[float]] = {}
        above = next((other for other in self.plan.lattice.lanes if other.partner is lane), None)
        for step in lane.here(slot):
            for role in {lane.out_role, "y"}:
                key = (lane, step, role)
                by_sender = self._arrivals(key)
                routes = {s: self._route(key, s) for s in by_sender}
                up.append(
                    norm_of_sum([d for s, d in by_sender.items() if routes[s] in ("y", "joined")])
                )
                for sender, d in by_sender.items():
                    if isinstance(sender, str) and routes[sender] == "y":
                        takers.setdefault(sender, []).append(float(np.linalg.norm(d)))
            if lane.partner is not None:
                joined = [n for n, o in self.plan.lattice.made.items() if o == (lane, step, "y")]
                for node in joined:
                    for sender, d in self.flows.arrived.get(node, {}).items():
                        if isinstance(sender, str):
                            takers.setdefault(sender, []).append(float(np.linalg.norm(d)))
        target = box if lane.collected else f"{above.key}.y{slot.first}" if above else ""
        if target:
            self.lines[f"{cell}.title", target] = math.hypot(*up)
        for sender, sizes in takers.items():
            self.lines[box, sender] = math.hypot(*sizes)

    def _entering(self, lane: Lane, step: int, state: str) -> float:
        """What a cell sends back by way of one of its states."""
        value, call = self._entry(lane, step, state), lane.calls[step].id
        if value is None:
            return 0.0
        d = self.flows.arrived.get(value, {}).get(call)
        return 0.0 if d is None else float(np.linalg.norm(d))

    def _end(self, lane: Lane, slot: Slot, state: str) -> str:
        entering = state == self.plan.boxes[lane].face.entering
        return f"{self.plan.id(lane, slot)}.{'z' if entering else state}"

    def _state_size(self, lane: Lane, step: int, state: str) -> float | None:
        """The norm of all that came to a state after a step, to sequences that have ended too.

        Where a loop holds an old state, out = where(live, new, old): what comes to ``old`` is added to
        what comes to the cell's own output, ``new``.
        """
        values = self._values(lane, step, state)
        if not values:
            return None
        total, graph = self.flows.total(values[0]), self.plan.lattice.graph
        for value in values[1:]:
            held = self.flows.total(value)
            if held is not None and graph[graph[value].inputs[2]].op != "literal":
                rest = np.where(graph._raw[value].saved[0], 0, held)
                total = rest if total is None else total + rest
        return None if total is None else float(np.linalg.norm(total))

    def _size(self, value: int | None) -> float | None:
        total = None if value is None else self.flows.total(value)
        return None if total is None else float(np.linalg.norm(total))

    def _cross_start(self, lane: Lane) -> None:
        """The states that a lane starts from."""
        if not lane.states:
            return
        slot, (number, _) = self.plan.slots_run(lane)[0], self.plan.pill_before(lane)
        step, raw = lane.runs[0], self.plan.lattice.graph._raw
        for state in lane.states:
            pill, value = f"{lane.key}.{state}{number}", self._entry(lane, step, state)
            if value is None:
                continue
            size: float | None = self._entering(lane, step, state)
            self.pills[pill] = self._size(value)
            if not raw[value].needs:
                if not self._whole_story(lane, state):
                    size = self.pills[pill] = None
                else:
                    self.still.add(pill)
            if size is not None:
                self.lines[pill, self._end(lane, slot, state)] = size
                self.arriving[pill] = size
            origin = self.plan.lattice.origin(lane.calls[step].inputs[state])
            if origin.output is not None and origin.output.role != "y":
                other = origin.output.lane
                last = self.plan.slots_run(other)[-1]
                from_, _ = self.plan.pill_after(other, last)
                self.lines[f"{other.key}.{origin.output.role}{from_}", pill] = size or 0.0
            elif raw[value].needs and origin.output is None:
                for source in (
                    f"param.{self.plan.lattice.names.get(origin.node)}",
                    self._item(origin.node),
                ):
                    self.lines[source, pill] = self.pills[pill] or 0.0

    def _item(self, node: int) -> str:
        item = self.before.item_of(node)
        return item.id if item is not None else ""

    def _whole_story(self, lane: Lane, state: str) -> bool:
        """Whether every way by which a constant state enters its cell was recorded, as at the next step.

        Ops on constants alone leave no node; where one of the ways is such an op, its part is unknown.
        """
        if len(lane.runs) < 2:
            return False
        ways = []
        for step in lane.runs[:2]:
            call, nodes = lane.calls[step], self.plan.lattice.nodes
            value = call.inputs.get(state)
            ways.append(
                sorted(
                    (nodes[i].op, k)
                    for i in call.nodes
                    for k, operand in enumerate(nodes[i].inputs)
                    if operand == value
                )
            )
        return ways[0] == ways[1]

    def _cross_inputs(self, lane: Lane, slot: Slot) -> None:
        """x: what a cell sends back to its input, and from there to the layer below."""
        pill, cell = f"{lane.key}.x{slot.first}", self.plan.id(lane, slot)
        sizes = [self._entering(lane, step, "x") for step in lane.here(slot)]
        size = math.hypot(*sizes)
        for part in ("z", "title"):
            self.lines[pill, f"{cell}.{part}"] = size
        node = lane.calls[lane.here(slot)[0]].inputs.get("x")
        origin = None if node is None else self.plan.lattice.origin(node).output
        if origin is None:
            self.lines["feed", pill] = size
            return
        lower = origin.lane
        at = next(s for s in self.plan.lattice.blocks[lower.block] if origin.step in s.steps)
        self.lines[f"{self.plan.id(lower, at)}.title", pill] = size
        self.lines[f"{lower.key}.y{slot.first}", pill] = size

    def _cross_taps(self, lane: Lane, slot: Slot) -> None:
        params = [p.id for p in self.plan.lattice.rows[lane.row].params]
        size = self.book.used_at(params, (lane, slot))
        for part in ("z", "title"):
            self.lines[f"{lane.key}.tap{slot.first}", f"{self.plan.id(lane, slot)}.{part}"] = size

    def _cross_items(self) -> None:
        """Lines between the boxes outside the cells, and from the Parameters that these use."""
        sizes: dict[tuple[str, str], list[float]] = {}
        for node, item in {**self.after.boxes, **self.before.boxes}.items():
            for sender, d in self.flows.arrived.get(node, {}).items():
                if isinstance(sender, str):
                    sizes.setdefault((item, sender), []).append(float(np.linalg.norm(d)))
        for (parameter, node), entries in self.book.outside.items():
            box = self.boxes.get(node)
            if isinstance(box, str):
                name = f"param.{self.plan.lattice.names[parameter]}"
                for entry in entries:
                    sizes.setdefault((name, box), []).append(entry.norm())
                row = next((i for i, r in enumerate(self._rows()) if parameter in r), None)
                if row is not None:
                    sizes.setdefault((f"row{row}.bar", box), []).extend(e.norm() for e in entries)
        self.lines.update({key: math.hypot(*found) for key, found in sizes.items()})

    def _rows(self) -> Iterator[set[int]]:
        return ({p.id for p in row.params} for row in self.plan.lattice.rows)


def norm_of_sum(arrays: list[Array]) -> float:
    """The norm of a sum of arrays; 0 of none."""
    return float(np.linalg.norm(sum(arrays[1:], arrays[0]))) if arrays else 0.0
