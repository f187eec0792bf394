"""Which boxes stand outside the cells: ops, whole modules, inputs, and outputs collected as y."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import style
from .lanes import Output
from .plumbing import PLUMBING, THROUGH
from .style import Look
from .unroll import Lattice
from .words import SYMBOLS, op_words, shape_text, text_width

if TYPE_CHECKING:
    from ..graphs.graph import GraphNode

HEIGHT, HEIGHT_OF_TWO = 24.0, 30.0


@dataclass(eq=False)
class Item:
    """One box outside the cells, and what it is fed from, in the order of its operands."""

    id: str
    lines: tuple[str, ...]
    look: Look
    cls: str
    square: bool = False
    feeds: list[Item] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    params: list[int] = field(default_factory=list)
    collects: bool = False
    node: int = -1  # the last of the nodes that it stands for
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        """Wide enough for its words."""
        widths = [text_width(self.lines[0], style.OP_SIZE)]
        widths += [text_width(line, style.OP_SIZE) for line in self.lines[1:]]
        return max(26.0, max(widths) + 14)

    @property
    def height(self) -> float:
        """One line or two."""
        return HEIGHT if len(self.lines) == 1 else HEIGHT_OF_TWO


class Items:
    """The boxes of some nodes outside the cells, in the order of their making."""

    def __init__(
        self, lattice: Lattice, nodes: Sequence[int], collapse: bool, key: str = "out"
    ) -> None:
        self.lattice, self.key = lattice, key
        self.all: list[Item] = []
        self._extra: dict[int, Item] = {}
        working = [i for i in nodes if lattice.nodes[i].op not in PLUMBING]
        first = _groups(lattice, working, collapse)
        members: dict[int, list[int]] = {}
        for i in working:
            members.setdefault(first[i], []).append(i)
        boxes = {k: self._box(k, ids) for k, ids in members.items()}
        self._item_of = {i: boxes[first[i]] for i in working}
        for k, ids in members.items():
            for i in ids:
                for operand in lattice.nodes[i].inputs:
                    literal = lattice.nodes[operand].op == "literal"
                    if first.get(operand) != k and not literal:
                        self._link(boxes[k], operand)
            _mark_collection(boxes[k])
            boxes[k].node = ids[-1]
        for i, item in self._extra.items():
            item.node = i

    def item_of(self, node: int) -> Item | None:
        """The box that makes a node, through plumbing."""
        while node not in self._item_of and self.lattice.nodes[node].op in THROUGH:
            inner = self.lattice.nodes[node].inputs
            node = inner[0]
        return self._item_of.get(node)

    @property
    def boxes(self) -> dict[int, str]:
        """By node, the id of the box that it is inside."""
        drawn = {**self._item_of, **self._extra}
        return {node: item.id for node, item in drawn.items()}

    def _add(self, *args: object, **kwargs: object) -> Item:
        item = Item(f"{self.key}{len(self.all)}", *args, **kwargs)  # type: ignore[arg-type]
        self.all.append(item)
        return item

    def _box(self, k: int, ids: Sequence[int]) -> Item:
        nodes = self.lattice.nodes
        last = nodes[ids[-1]]
        if last.shape == () and ids[-1] in self.lattice.graph.outputs:
            op = last.name or self._words(last)
            lines = ("loss",) if op == "loss" else ("loss", op)
            return self._add(lines, style.LOSS, "loss", square=True)
        recurrent = any(lane.path == last.path for lane in self.lattice.lanes)
        if last.path and not recurrent and self._whole_module(ids):
            return self._add((last.path.rpartition(".")[2],), style.OP, "module")
        label = last.name or self._words(last)
        return self._add((label,), style.OP, "op")

    def _words(self, node: GraphNode) -> str:
        """An op's symbol, with a number where one of its two operands is one."""
        operands = [self.lattice.nodes[i] for i in node.inputs]
        numbers = [part.name if part.op == "literal" else "" for part in operands]
        return op_words(node.op, *numbers) if len(operands) == 2 else op_words(node.op)

    def _whole_module(self, ids: Sequence[int]) -> bool:
        return len(ids) > 1 or bool(self._params_of(ids[0]))

    def _params_of(self, node: int) -> list[int]:
        inputs = self.lattice.nodes[node].inputs
        return [i for i in inputs if self.lattice.nodes[i].op == "parameter"]

    def _link(self, item: Item, node: int) -> None:
        """Feed ``item`` from a node: a cell's output, a Parameter, another box or an input."""
        found = self._resolve(node)
        if isinstance(found, Output):
            item.outputs.append(found)
        elif isinstance(found, Item):
            item.feeds.append(found)
        else:
            item.params.append(found)

    def _resolve(self, node: int) -> Output | Item | int:
        while True:
            if node in self.lattice.made:
                return self.lattice.made[node]
            here = self.lattice.nodes[node]
            if here.op == "parameter":
                return node
            if node in self._item_of:
                return self._item_of[node]
            if here.op in ("input", "literal"):
                return self._source(here)
            picked = self._picked(here)
            if picked is None:
                return self._plumbing(here)
            node = picked

    def _picked(self, node: GraphNode) -> int | None:
        """The one operand that a plumbing op hands on, if that is all it does."""
        inputs = node.inputs
        if node.op in THROUGH or (node.op in ("stack", "cat") and len(inputs) == 1):
            return inputs[0]
        return self.lattice.graph.picked(node.id)

    def _source(self, node: GraphNode) -> Item:
        if node.id not in self._extra:
            lines = (node.name or "input", shape_text(node.shape))
            self._extra[node.id] = self._add(lines, style.INPUT, "io")
        return self._extra[node.id]

    def _plumbing(self, node: GraphNode) -> Item:
        """A stack of many outputs is drawn as y; other plumbing that matters, as what it is."""
        if node.id in self._extra:
            return self._extra[node.id]
        outputs = [self.lattice.made.get(i) for i in node.inputs]
        lanes = {(o.lane, o.role) for o in outputs if o is not None}
        if None not in outputs and len(lanes) == 1:
            lane, role = next(iter(lanes))
            look = style.H if role == lane.out_role else style.OP
            item = self._add(("y", shape_text(node.shape)), look, "io y")
            item.outputs = [o for o in outputs if o is not None]
            _mark_collection(item)
            self._extra[node.id] = item
            return item
        label = getattr(node, "detail", "") or SYMBOLS.get(node.op, node.op)
        item = self._add((label,), style.OP, "op")
        self._extra[node.id] = item
        for operand in node.inputs:
            self._link(item, operand)
        return item


def _mark_collection(item: Item) -> None:
    rows = {output.lane.row for output in item.outputs}
    shown = all(output.lane.collected for output in item.outputs)
    item.collects = len(item.outputs) > 1 and len(rows) == 1 and shown


def depths(items: Sequence[Item]) -> dict[Item, int]:
    """How many boxes are before each one on the longest way to it."""
    depth: dict[Item, int] = {}
    stack = list(items)
    while stack:
        item = stack[-1]
        waiting = [feed for feed in item.feeds if feed not in depth]
        if waiting:
            stack += waiting
        else:
            stack.pop()
            depth[item] = max((depth[feed] + 1 for feed in item.feeds), default=0)
    return depth


def _groups(lattice: Lattice, nodes: Sequence[int], collapse: bool) -> dict[int, int]:
    """For each node the first node of its box: a module's (if asked for), a running sum's, its own."""
    grouped = _joined(lattice, nodes, collapse)
    if collapse and _cyclic(lattice, nodes, grouped):
        return _joined(lattice, nodes, False)
    return grouped


def _joined(lattice: Lattice, nodes: Sequence[int], modules: bool) -> dict[int, int]:
    first: dict[int, int] = {}
    for i in nodes:
        node = lattice.nodes[i]
        first[i] = i
        for k in node.inputs:
            if k not in first:
                continue
            before = lattice.nodes[k]
            module = modules and node.path and node.path == before.path
            running_sum = node.op == before.op == "add" and lattice.consumers[k] == [i]
            if module or running_sum:
                first[i] = first[k]
                break
    return first


def _cyclic(lattice: Lattice, nodes: Sequence[int], first: dict[int, int]) -> bool:
    reach: dict[int, set[int]] = {}
    for i in nodes:
        group = reach.setdefault(first[i], set())
        for k in lattice.nodes[i].inputs:
            if k in first and first[k] != first[i]:
                group |= {first[k], *reach.get(first[k], ())}
    return any(group in inner for group, inner in reach.items())
