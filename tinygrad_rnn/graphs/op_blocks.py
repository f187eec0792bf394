"""Which boxes does a graph have op by op? Each op one, over time in lanes of its step."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from .blocks import Block, Blocks
from .chains import Column
from .elements import Elements
from .layered import LayerBlocks
from .recorded import PASS_THROUGH, GraphNode, RecordedGraph

HIDDEN = frozenset(
    {"held", "item", "unbind"}
)  # what hands on a value as it is, or takes several apart


class EachOp(Blocks):
    """Every op a box of its own, that of a cell or module too."""

    whole = False

    def __init__(self, graph: RecordedGraph, steps: Sequence[int] | None = None) -> None:
        self._needed = _needed(list(graph))
        super().__init__(graph, steps)

    def _module(self, i: int) -> Any:
        return None

    def _is_transparent(self, node: GraphNode) -> bool:
        """Plumbing at the end, what is one of several that were stacked, and stacks only taken apart."""
        if node.op in HIDDEN or not self._needed[node.id] or self._element(node.id) is not None:
            return True
        return node.op in ("stack", "cat") and self._only_taken_apart(node.id)

    def _element(self, i: int) -> int | None:
        return None if isinstance(self.graph, Elements) else super()._element(i)

    def _joins(self, node: GraphNode) -> Block | None:
        return None

    def _is_loss(self, i: int) -> bool:
        """A number of arrays, or of what was computed from such."""
        return super()._is_loss(i) and any(node.shape for node in self.nodes)


def _needed(nodes: Sequence[GraphNode]) -> list[bool]:
    """Plumbing at the end, which nothing works on, is left out, unless there is nothing else."""
    needed = [node.op not in PASS_THROUGH and node.op != "input" for node in nodes]
    if not any(needed[node.id] and node.op != "parameter" for node in nodes):
        return [True] * len(nodes)
    for node in reversed(nodes):
        if needed[node.id]:
            for i in node.inputs:
                needed[i] = True
    return needed


class OpColumns(EachOp):
    """The ops of a graph over time: its steps side by side, each as many columns wide as it has lanes.

    ``lanes`` are the columns of a step, ``most`` the steps that are drawn one by one. ``times`` are the
    columns of steps, before their lanes.
    """

    def __init__(
        self, graph: RecordedGraph, steps: Sequence[int] | None, lanes: int, most: int
    ) -> None:
        self.lanes, self.most = lanes, most
        super().__init__(graph, steps)

    def _fold(self) -> None:
        """Each op of a step apart, and without what goes from one folded step to the next."""
        seen: dict[Hashable, int] = {}
        for block in self.blocks:
            if block.kind == "op":
                here = (block.row, *self._places[block])
                seen[here] = seen.get(here, -1) + 1
                block.row = (block.row, seen[here])
            block.feeds = [
                (source, value, role)
                for source, value, role in block.feeds
                if not self._is_hidden(source, block) or self._places[source] == self._places[block]
            ]
        super()._fold()

    def _is_hidden(self, source: Block, block: Block) -> bool:
        """Whether both are in one column of folded steps."""
        same = source.columns == block.columns and len(block.columns) == 1
        return same and self.columns[block.columns[0]].folded

    # ---- rows and lanes

    def _rows(self) -> None:
        """Each as low as what it takes lets it stand, in a lane near that; inputs right under their users."""
        rows = self._keyed()
        number = {block: key for key, mine in rows.items() for block in mine}
        below: dict[Hashable, dict[Hashable, None]] = {key: {} for key in rows}
        for block in self.blocks:
            for source, _, _ in block.feeds:
                a, b = number[source], number[block]
                if a != b and {*source.columns} & {*block.columns}:
                    below[b][a] = None
        inputs = [key for key, mine in rows.items() if mine[0].kind == "input"]
        levels: dict[Hashable, int] = {}
        lanes: dict[Hashable, int] = {}
        self._taken: set[tuple[int, int, int]] = set()
        for key in _in_turn({k: b.keys() - inputs for k, b in below.items() if k not in inputs}):
            under = [k for k in below[key] if k in levels]
            levels[key] = max((levels[k] + 1 for k in under), default=0)
            self._stand(rows[key], key, levels, lanes, [lanes[k] for k in under], 1)
        for key in inputs:
            above = [k for k, under in below.items() if key in under]
            levels[key] = min((levels[k] for k in above), default=0) - 1
            self._stand(rows[key], key, levels, lanes, [lanes[k] for k in above], -1)
        lowest = min(levels.values(), default=0)
        for key, mine in rows.items():
            for block in mine:
                block.level = levels[key] - lowest
                block.columns = self._columns_of(block, lanes[key])
        self.height = max(levels.values(), default=0) - lowest + 1
        self.times: list[Column] = self.columns
        self.columns = [column for column in self.times for _ in range(self.lanes)]
        self.segment = [k for k in self.segment for _ in range(self.lanes)]

    def _meet(self, a: Block, b: Block) -> bool:
        """Whether boxes are in one step: in what lies between its steps a box over several leaves room."""
        return not set(a.columns).isdisjoint(b.columns)

    def _columns_of(self, block: Block, lane: int) -> list[int]:
        if len(block.columns) == 1:
            return [block.columns[0] * self.lanes + lane]
        return [c * self.lanes + k for c in block.columns for k in range(self.lanes)]

    def _stand(
        self,
        mine: Sequence[Block],
        key: Hashable,
        levels: dict[Hashable, int],
        lanes: dict[Hashable, int],
        near: Sequence[int],
        way: int,
    ) -> None:
        """Find the first level on one way, and there a lane, that is free in all columns."""
        wide = any(len(block.columns) > 1 for block in mine)
        columns = {c for block in mine for c in block.columns}
        wanted = near[0] if near else 0
        order = sorted(range(self.lanes), key=lambda k: (abs(k - wanted), k))
        while True:
            for lane in order:
                needs = range(self.lanes) if wide else (lane,)
                spots = {(levels[key], c, k) for c in columns for k in needs}
                if self._taken.isdisjoint(spots):
                    self._taken |= spots
                    lanes[key] = lane
                    return
            levels[key] += way


def _in_turn(below: dict[Hashable, set[Hashable]]) -> list[Hashable]:
    """Each after what is below it; the first of those that wait for one another in a ring."""
    done: dict[Hashable, None] = {}
    waiting = dict(below)
    while waiting:
        free = [key for key, under in waiting.items() if not under & waiting.keys()]
        for key in free or [next(iter(waiting))]:
            done[key] = None
            del waiting[key]
    return list(done)


class OpLanes(EachOp, LayerBlocks):
    """The ops of a graph without time, from below; of very many those in the middle are one box."""

    def _merge(self) -> None:
        """Nothing is done at several steps."""
        self._taken: dict[Block, list[tuple[Block, int]]] = {}
        self._values: dict[tuple[Block, Block, int, str], tuple[int, ...]] = {}
        for block in self.blocks:
            self._take_as_they_are(block)
