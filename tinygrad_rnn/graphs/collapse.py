"""Which boxes stand outside the cells? Ops, whole modules, inputs, and outputs collected as y."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from .between import Between
from .chains import Output
from .meaning import ValueBox
from .recorded import HANDS_ON, PASS_THROUGH, GraphNode
from .unrolled import UnrolledGraph


@dataclass(eq=False)
class OuterBox:
    """One box outside the cells, and what it is fed from, in the order of its operands.

    ``kind`` is loss, module, op, input, or y, which stands for the outputs of several steps together.
    """

    id: str
    kind: str
    nodes: list[int]  # those that it stands for, the last of which is its value
    feeds: list[OuterBox] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    bands: list[Between] = field(default_factory=list)
    params: list[int] = field(default_factory=list)
    collects: bool = False

    @property
    def node(self) -> int:
        """The node whose value the box is."""
        return self.nodes[-1]

    @property
    def meaning(self) -> ValueBox:
        """What the box means to who draws or measures it."""
        return ValueBox(self.node, self.id)


class OuterBoxes:
    """The boxes of some nodes outside the cells, in the order of their making.

    ``collapse`` makes a module one box. ``shown`` are nodes that have a box even where they only hand on
    what others made.
    """

    def __init__(
        self,
        unrolled: UnrolledGraph,
        nodes: Sequence[int],
        collapse: bool,
        key: str = "out",
        shown: Collection[int] = (),
    ) -> None:
        self.unrolled, self.key = unrolled, key
        self.all: list[OuterBox] = []
        self._extra: dict[int, OuterBox] = {}
        working = [i for i in nodes if unrolled.nodes[i].op not in PASS_THROUGH or i in shown]
        self._elsewhere = unrolled.front.difference(nodes)
        first = _groups(unrolled, working, collapse)
        members: dict[int, list[int]] = {}
        for i in working:
            members.setdefault(first[i], []).append(i)
        boxes = {k: self._add(self._kind(ids), ids) for k, ids in members.items()}
        self._box_of = {i: boxes[first[i]] for i in working}
        for k, ids in members.items():
            for i in ids:
                for operand in unrolled.nodes[i].inputs:
                    literal = unrolled.nodes[operand].op == "literal"
                    if first.get(operand) != k and not literal:
                        self._link(boxes[k], operand)
            _mark_collection(boxes[k])

    def box_of(self, node: int) -> OuterBox | None:
        """The box that makes a node, through what hands it on."""
        while node not in self._box_of and self.unrolled.nodes[node].op in HANDS_ON:
            node = self.unrolled.nodes[node].inputs[0]
        return self._box_of.get(node)

    @property
    def boxes(self) -> dict[int, OuterBox]:
        """By node, the box that it is inside."""
        return {**self._box_of, **self._extra}

    def _add(self, kind: str, nodes: list[int]) -> OuterBox:
        box = OuterBox(f"{self.key}{len(self.all)}", kind, nodes)
        self.all.append(box)
        return box

    def _kind(self, ids: Sequence[int]) -> str:
        last = self.unrolled.nodes[ids[-1]]
        if last.shape == () and ids[-1] in self.unrolled.graph.outputs:
            return "loss"
        recurrent = any(chain.path == last.path for chain in self.unrolled.chains)
        whole = len(ids) > 1 or bool(self._params_of(ids[0]))
        return "module" if last.path and not recurrent and whole else "op"

    def _params_of(self, node: int) -> list[int]:
        inputs = self.unrolled.nodes[node].inputs
        return [i for i in inputs if self.unrolled.nodes[i].op == "parameter"]

    def _link(self, box: OuterBox, node: int) -> None:
        """Feed ``box`` from a node: a cell's output, a Parameter, another box or an input."""
        found = self._resolve(node)
        if isinstance(found, Output):
            box.outputs.append(found)
        elif isinstance(found, Between):
            box.bands.append(found)
        elif isinstance(found, OuterBox):
            box.feeds.append(found)
        else:
            box.params.append(found)

    def _resolve(self, node: int) -> Output | Between | OuterBox | int:
        while True:
            if node in self.unrolled.made:
                return self.unrolled.made[node]
            if (between := self.unrolled.betweens.box_of(node)) is not None:
                return between
            here = self.unrolled.nodes[node]
            if here.op == "parameter":
                return node
            if node in self._box_of:
                return self._box_of[node]
            whole = node in self._elsewhere and here.op not in PASS_THROUGH
            if whole or here.op in ("input", "literal"):
                if node not in self._extra:
                    self._extra[node] = self._add("input", [node])
                return self._extra[node]
            picked = self._picked(here)
            if picked is None:
                return self._passed(here)
            node = picked

    def _picked(self, node: GraphNode) -> int | None:
        """The one operand that a pass-through op hands on, if that is all it does."""
        inputs = node.inputs
        if node.op in HANDS_ON or (node.op in ("stack", "cat") and len(inputs) == 1):
            return inputs[0]
        return self.unrolled.graph.picked(node.id)

    def _passed(self, node: GraphNode) -> OuterBox:
        """A stack of many outputs is drawn as y; another pass-through op that matters, as what it is."""
        if node.id in self._extra:
            return self._extra[node.id]
        outputs = [self.unrolled.made[i] for i in node.inputs if i in self.unrolled.made]
        if len(outputs) == len(node.inputs) and len({(o.chain, o.role) for o in outputs}) == 1:
            box = self._extra[node.id] = self._add("y", [node.id])
            box.outputs = outputs
            _mark_collection(box)
            return box
        box = self._extra[node.id] = self._add("op", [node.id])
        for operand in node.inputs:
            self._link(box, operand)
        _mark_collection(box)
        return box


def _mark_collection(box: OuterBox) -> None:
    """One wire collects the same output of several steps; different outputs have wires of their own."""
    kinds = {(output.chain, output.role) for output in box.outputs}
    steps = {output.step for output in box.outputs}
    shown = all(c.collected and role in (c.out_role, "y") for c, role in kinds)
    box.collects = len(kinds) == 1 and 1 < len(box.outputs) == len(steps) and shown


def depths(boxes: Sequence[OuterBox]) -> dict[OuterBox, int]:
    """How many boxes are before each one on the longest way to it."""
    depth: dict[OuterBox, int] = {}
    stack = list(boxes)
    while stack:
        box = stack[-1]
        waiting = [feed for feed in box.feeds if feed not in depth]
        if waiting:
            stack += waiting
        else:
            stack.pop()
            depth[box] = max((depth[feed] + 1 for feed in box.feeds), default=0)
    return depth


def _groups(unrolled: UnrolledGraph, nodes: Sequence[int], collapse: bool) -> dict[int, int]:
    """For each node the first node of its box: a module's (if asked for), a running sum's, its own."""
    grouped = _joined(unrolled, nodes, collapse)
    if collapse and _cyclic(unrolled, nodes, grouped):
        return _joined(unrolled, nodes, False)
    return grouped


def _joined(unrolled: UnrolledGraph, nodes: Sequence[int], modules: bool) -> dict[int, int]:
    first: dict[int, int] = {}
    for i in nodes:
        node = unrolled.nodes[i]
        first[i] = i
        for k in node.inputs:
            if k not in first:
                continue
            before = unrolled.nodes[k]
            module = modules and node.path and node.path == before.path
            running_sum = node.op == before.op == "add" and unrolled.consumers[k] == [i]
            if module or running_sum:
                first[i] = first[k]
                break
    return first


def _cyclic(unrolled: UnrolledGraph, nodes: Sequence[int], first: dict[int, int]) -> bool:
    reach: dict[int, set[int]] = {}
    for i in nodes:
        group = reach.setdefault(first[i], set())
        for k in unrolled.nodes[i].inputs:
            if k in first and first[k] != first[i]:
                group |= {first[k], *reach.get(first[k], ())}
    return any(group in inner for group, inner in reach.items())
