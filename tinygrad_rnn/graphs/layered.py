"""Which boxes does a graph have where time is left out? A layer, a module, an op, each for all its steps."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from .blocks import Block, Blocks
from .numbers import numbers_of
from .recorded import CellCall, ChainKey, GraphNode, RecordedGraph

MOST = 5000  # nodes of a graph whose modules are looked for
TALLEST, ENDS = 160, 40  # of more boxes the first and the last are drawn, and the rest as one
RUNS = 3  # runs of one layer side by side; of more, all are one box


class LayerBlocks(Blocks):
    """The blocks of a graph, all steps of a layer in one, and what is done at every step in one too.

    ``calls_of`` are the calls that a layer's block stands for, ``looped`` the layers of more than one step.
    """

    def _arrange(self, steps: Sequence[int] | None) -> None:
        self.calls_of: dict[Block, list[CellCall]] = {}
        self._merge()
        self._shorten()
        self.numbers = numbers_of([calls[0] for calls in self.calls_of.values()])

    def _is_transparent(self, node: GraphNode) -> bool:
        """The outputs of one layer, collected, are what the layer gives."""
        return super()._is_transparent(node) or self._collects_one(node)

    def _collects_one(self, node: GraphNode) -> bool:
        if node.op != "stack":
            return False
        made = {self._row_of(k) for k in node.inputs}
        return len(made) == 1 and None not in made

    def _row_of(self, i: int) -> Hashable:
        """The row of the cells that gave a value; None where none did."""
        call = self.nodes[i].call
        if call is not None:
            return self.calls[call].chain
        seen = self._of.get(i)
        return seen.row if seen is not None and seen.step is not None else None

    # ---- what is one

    def _merge(self) -> None:
        """All steps of a layer as one block, and likewise what is done at each of several steps."""
        spots = self._spots(self._segments())
        runs = self._runs()
        several: dict[Hashable, set[ChainKey]] = {}
        for chain in runs.values():
            several.setdefault(chain[:3], set()).add(chain)
        count: dict[Hashable, int] = {}
        groups: dict[Hashable, list[Block]] = {}
        for block in self.blocks:
            if block.kind == "input":
                continue
            key: Hashable = id(block)
            if block.call is not None:
                chain = runs[block.call.chain]
                key = chain[:3] if len(several[chain[:3]]) > RUNS else chain
            elif len(spots[block]) == 1:
                here = (block.row, spots[block][0])
                key = (block.row, count.setdefault(here, 0))
                count[here] += 1
            groups.setdefault(key, []).append(block)
        place = {block: mine[0] for mine in groups.values() for block in mine}
        self._join_inputs(place)
        self._join(place)
        for mine in groups.values():
            mine[0].times = self._times(mine)

    def _runs(self) -> dict[ChainKey, ChainKey]:
        """For each run of a layer, the first of those that go on from one another's states."""
        found = {call.chain: call.chain for call in self.calls}
        for block in self.blocks:
            for source, _, role in block.feeds if block.call is not None else ():
                if role and source.call is not None and block.call is not None:
                    before, here = found[source.call.chain], found[block.call.chain]
                    if before[:3] == here[:3]:
                        found = {k: before if run == here else run for k, run in found.items()}
        self.runs = found
        return found

    def runs_of(self, block: Block) -> int:
        """How many runs of a layer a block stands for, each from a state of its own."""
        return len({self.runs[call.chain] for call in self.calls_of[block]})

    def _times(self, mine: Sequence[Block]) -> int:
        """How often it is done: of a graph read in part, as often as the layer that it follows has steps."""
        for source, _, _ in mine[0].feeds:
            calls = self.calls_of.get(source, ())
            if len(calls) == len(mine) > 1:
                return sum(call.times for call in calls)
        return len(mine)

    def _join_inputs(self, place: dict[Block, Block]) -> None:
        """What comes into a layer at its steps from outside is one input."""
        users: dict[Block, list[tuple[Block, str]]] = {}
        for block in self.blocks:
            for source, _, role in block.feeds:
                if source.kind == "input":
                    users.setdefault(source, []).append((block, role))
        seen: dict[Hashable, int] = {}
        firsts: dict[Hashable, Block] = {}
        for block, mine in users.items():
            name = self.nodes[block.node].name
            into = (frozenset((place[user], role) for user, role in mine), name)
            at = (into, frozenset(mine))
            k = seen.get(at, 0)
            seen[at] = k + 1
            place[block] = firsts.setdefault((into, k), block)

    def _join(self, place: dict[Block, Block]) -> None:
        kept: dict[Block, list[tuple[Block, int, str]]] = {}
        for block in self.blocks:
            first = place.get(block, block)
            if block.call is not None:
                self.calls_of.setdefault(first, []).append(block.call)
            feeds = kept.setdefault(first, [])
            feeds += [(place.get(s, s), value, role) for s, value, role in block.feeds]
            if first is not block:
                first.nodes = [*first.nodes, *block.nodes]
                first.uses.update(block.uses)
                first.count += block.count
                first.step = None
        self.blocks = list(kept)
        self._taken: dict[Block, list[tuple[Block, int]]] = {}
        self._values: dict[tuple[Block, Block, int, str], tuple[int, ...]] = {}
        for block, feeds in kept.items():
            found: dict[tuple[Block, str, str], list[int]] = {}
            self._taken[block] = [(source, value) for source, value, _ in feeds]
            for source, value, role in feeds:
                if source is not block:
                    found.setdefault((source, self.said(source, value), role), []).append(value)
            block.feeds = [(source, mine[0], role) for (source, _, role), mine in found.items()]
            for (source, _, role), mine in found.items():
                self._values[block, source, mine[0], role] = tuple(dict.fromkeys(mine))

    def _shorten(self) -> None:
        """Of very many boxes those in the middle are one."""
        boxes = [block for block in self.blocks if block.kind != "input"]
        inner = [block for block in boxes[ENDS:-ENDS] if block not in self.calls_of]
        if len(boxes) <= TALLEST or len(inner) < 2:
            return
        first, gone = inner[0], set(inner)
        made = Block("many", [i for block in inner for i in block.nodes], first.row)
        made.title = "ops" if all(block.kind == "op" for block in inner) else "modules and ops"
        made.count = len(inner)
        for block in inner:
            made.uses += block.uses
        self.blocks = [
            made if b is first else b for b in self.blocks if b is first or b not in gone
        ]
        taken = [feed for block in inner for feed in block.feeds]
        for block in self.blocks:
            feeds = taken if block is made else block.feeds
            moved = ((made if s in gone else s, value, role) for s, value, role in feeds)
            block.feeds = list(dict.fromkeys(feed for feed in moved if feed[0] is not block))
            self._take_as_they_are(block)
        used = {source for block in self.blocks for source, _, _ in block.feeds}
        self.blocks = [b for b in self.blocks if b.kind != "input" or b in used]

    def _take_as_they_are(self, block: Block) -> None:
        """Each feed of a block stands for one value, where it is not known to stand for more."""
        self._taken[block] = [(source, value) for source, value, _ in block.feeds]
        for source, value, role in block.feeds:
            self._values.setdefault((block, source, value, role), (value,))

    def taken_by(self, block: Block) -> list[tuple[Block, int]]:
        """All that comes into a block, its own states too."""
        return self._taken[block]

    def values_of(self, block: Block, source: Block, value: int, role: str) -> tuple[int, ...]:
        """The nodes of all values for which one feed of a block stands."""
        return self._values[block, source, value, role]

    def said(self, block: Block, value: int) -> str:
        """What a value of a block is called: the state of a layer, the name or the op of another."""
        for call in self.calls_of.get(block, ()):
            for role, i in call.outputs.items():
                if i == value:
                    return role
        if block.kind == "many":  # each value for itself
            return str(value)
        return self.nodes[value].name or self.nodes[value].op

    def steps_of(self, block: Block) -> range:
        """The steps of a layer, from the first to after the last."""
        calls = self.calls_of[block]
        return range(min(c.step for c in calls), max(c.step + c.times for c in calls))

    def states_of(self, block: Block) -> list[str]:
        """The states of a layer, c above h."""
        calls = self.calls_of.get(block, ())
        names = dict.fromkeys(role for call in calls for role in call.outputs)
        return sorted(names, key=lambda name: name == "h")


def has_modules(graph: RecordedGraph) -> bool:
    """Whether calls of modules are boxes of a graph, and no time steps are in it."""
    if len(graph) > MOST or graph.steps:
        return False
    return any(block.kind == "module" for block in LayerBlocks(graph).blocks)
