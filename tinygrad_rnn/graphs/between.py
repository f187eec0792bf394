"""What stands between rows of cells? Which output each x_t is, or else the ops that it is made by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .chains import Chain, NotUnrollableError, Output, operand_of
from .meaning import ValueBox
from .readback import apply
from .recorded import HANDS_ON, PASS_THROUGH, GraphNode, RecordedGraph

MOST = 10_000_000  # elements: larger arrays of labels are not made


class MovedElements:
    """Which of the cells' outputs a value is, where ops between only move elements.

    Where no short way tells it, the ops run once more on labels, a number for every element of every
    output: a value is an output exactly if it has all of its labels, in order.
    """

    def __init__(
        self, graph: RecordedGraph, nodes: Sequence[GraphNode], made: Mapping[int, Output]
    ) -> None:
        self.graph, self.nodes, self.made = graph, nodes, made
        self._labels: dict[int, Any] = {}

    def output(self, node: int) -> Output | None:
        """The output that a value is, element by element; None where it is no one output whole."""
        while node not in self.made:
            here = self.nodes[node]
            operand = operand_of(self.graph, self.nodes, here)
            if operand is None:
                break
            node = operand
        if node in self.made:
            return self.made[node]
        labels = self._labels_of(node)
        if not isinstance(labels, np.ndarray) or not labels.size or labels.flat[0] < 0:
            return None
        owner, first = divmod(int(labels.flat[0]), MOST)
        size = int(np.prod(self.nodes[owner].shape))
        whole = labels.size == size and first == 0
        alike = whole and bool((labels.ravel() == owner * MOST + np.arange(size)).all())
        return self.made[owner] if alike else None

    def sources(self, node: int) -> frozenset[int] | None:
        """The outputs, by node, whose elements a value has; None where it is not only moved."""
        labels = self._labels_of(node)
        if not isinstance(labels, np.ndarray):
            return None
        return frozenset(int(k) for k in np.unique(labels[labels >= 0] // MOST))

    def _labels_of(self, node: int) -> Any:
        todo, stack = {node}, [node]
        while stack:
            for i in self.nodes[stack.pop()].inputs:
                if i not in todo and i not in self._labels and i not in self.made:
                    todo.add(i)
                    stack.append(i)
        for i in sorted(todo):
            if i not in self._labels:
                self._labels[i] = self._labelled(self.nodes[i])
        return self._labels[node]

    def _labelled(self, node: GraphNode) -> Any:
        if node.op not in PASS_THROUGH:
            return None
        operands = [self._operand(i) for i in node.inputs]
        if any(operand is None for operand in operands):
            return None
        if node.op in ("cast", "held"):
            return operands[0]
        if node.op == "stack":
            operands = spread(self.graph, node, operands, -1)
        many = sum(operand.size for operand in operands if isinstance(operand, np.ndarray))
        return None if many > MOST else apply(self.graph._raw[node.id], operands)

    def _operand(self, i: int) -> Any:
        if i not in self.made:
            return self._labels.get(i)
        shape = self.nodes[i].shape
        return i * MOST + np.arange(int(np.prod(shape))).reshape(shape)


def spread(graph: RecordedGraph, node: GraphNode, operands: list[Any], fill: float) -> list[Any]:
    """What was stacked, with ``fill`` in place of what an excerpt left out."""
    raw, count = graph._raw[node.id], graph._count_of(graph._raw[node.id])
    if count == len(operands):
        return operands
    places = [graph._place_of(raw, k) for k in range(count)]
    blank = np.full_like(operands[0], fill)
    return [blank if place is None else operands[place] for place in places]


# ---- ops between rows -----------------------------------------------------------------------------------


@dataclass(eq=False)
class Between:
    """Ops between rows of cells, drawn as one box: what goes in, and which inputs of which cells come out.

    ``values`` are the nodes that the inputs are slices of, mostly one. ``outputs`` are the cells' outputs
    that go in, ``feeds`` boxes of the same kind further down, ``others`` values from outside the cells,
    ``params`` the Parameters. ``takers`` are the inputs by (chain, step, role), with their node.
    """

    id: str
    values: tuple[int, ...]
    nodes: tuple[int, ...]
    outputs: dict[int, Output]
    feeds: list[Between]
    others: list[int]
    params: list[int]
    takers: dict[tuple[Chain, int, str], int] = field(default_factory=dict)

    @property
    def meaning(self) -> ValueBox:
        """What the box means to who draws or measures it."""
        return ValueBox(self.values[-1], self.id)

    @property
    def whole(self) -> list[Between]:
        """The box and all that feed it, from the lowest up."""
        below = [box for feed in self.feeds for box in feed.whole]
        return list(dict.fromkeys([*below, self]))

    @property
    def read(self) -> dict[int, Output]:
        """The outputs that go in here or further down."""
        return {i: output for box in self.whole for i, output in box.outputs.items()}

    @property
    def sources(self) -> list[Chain]:
        """The chains whose outputs go in."""
        return list(dict.fromkeys(output.chain for output in self.outputs.values()))

    @property
    def users(self) -> list[Chain]:
        """The chains whose inputs come out."""
        return list(dict.fromkeys(chain for chain, _, _ in self.takers))

    @property
    def below(self) -> int:
        """The highest row that goes in, -1 for none."""
        rows = [chain.row for chain in self.sources] + [feed.below for feed in self.feeds]
        return max(rows, default=-1)

    @property
    def above(self) -> int:
        """The lowest row that it is for."""
        return min(chain.row for chain in self.users)


class Betweens:
    """All that stands between rows of cells, in the order in which the values flow.

    Raises NotUnrollableError where a value goes on from the inside of such a box.
    """

    def __init__(
        self,
        graph: RecordedGraph,
        nodes: Sequence[GraphNode],
        chains: Iterable[Chain],
        moves: MovedElements,
        down: Collection[int],
    ) -> None:
        self.graph, self.nodes, self.moves, self._down = graph, nodes, moves, down
        self.all: list[Between] = []
        self.taken: dict[tuple[Chain, int, str], Between] = {}
        self._of: dict[int, Between] = {}
        for chain in chains:
            for role in dict.fromkeys(r for call in chain.calls.values() for r in call.inputs):
                if role not in chain.states:
                    self._join(chain, role)

    def box_of(self, node: int) -> Between | None:
        """The box whose value a node is, through what hands it on.

        Raises NotUnrollableError for a node inside of a box.
        """
        while node not in self._of and self.nodes[node].op in HANDS_ON:
            node = self.nodes[node].inputs[0]
        box = self._of.get(node)
        if box is not None and node not in box.values:
            raise NotUnrollableError
        return box

    def inside(self, node: int) -> bool:
        """Whether a node is in a box."""
        return node in self._of

    def _join(self, chain: Chain, role: str) -> None:
        """A box for the inputs of a chain, where they are not the outputs of the steps below them."""
        inputs = {s: call.inputs[role] for s, call in chain.calls.items() if role in call.inputs}
        given = {
            s: i for s, i in inputs.items() if i not in self._down and i not in self.moves.made
        }
        if len(given) == len(inputs):
            return
        outs = {step: self.moves.output(node) for step, node in inputs.items()}
        sources = {None if o is None else (o.chain, o.role) for o in outs.values()}
        level = all(
            out is not None and out.step == step and out.chain.segment == chain.segment
            for step, out in outs.items()
        )
        if not chain.states or (len(sources) == 1 and level):
            return
        made = {step: node for step, node in inputs.items() if step not in given}
        values = tuple(dict.fromkeys(map(self._made_by, made.values())))
        known = next((box for box in self.all if box.values == values), None) or self._box(values)
        takers = {(chain, step, role): node for step, node in made.items()}
        known.takers.update(takers)
        self.taken.update(dict.fromkeys(takers, known))

    def _made_by(self, node: int) -> int:
        """The value that an input is a slice of."""
        while node not in self.moves.made and self.nodes[node].op in HANDS_ON:
            node = self.nodes[node].inputs[0]
        return node

    def _box(self, values: tuple[int, ...]) -> Between:
        made = self.moves.made
        inside: set[int] = set()
        outer: set[int] = set()
        stack = list(values)
        while stack:
            i = stack.pop()
            if i in inside or i in outer:
                continue
            if i in made or i in self._of or i not in self._down:
                outer.add(i)
            else:
                inside.add(i)
                stack += self.nodes[i].inputs
        feeds = list(dict.fromkeys(self._of[i] for i in sorted(outer) if i in self._of))
        if any(i not in self._of[i].values for i in outer if i in self._of):
            raise NotUnrollableError
        rest = [i for i in sorted(outer) if i not in made and i not in self._of]
        params = [i for i in rest if self.nodes[i].op == "parameter"]
        others = [i for i in rest if i not in params and self._matters(i, inside)]
        outputs = {i: made[i] for i in sorted(outer) if i in made}
        box = Between(
            f"between{len(self.all)}", values, tuple(sorted(inside)), outputs, feeds, others, params
        )
        self.all.append(box)
        self._of.update(dict.fromkeys(box.nodes, box))
        return box

    def _matters(self, node: int, inside: Collection[int]) -> bool:
        """Whether a value from outside is worth a box: no number, and no mask or constant of a module."""
        here = self.nodes[node]
        if here.op == "literal" or (here.op == "input" and not here.shape):
            return False
        users = [self.nodes[i] for i in inside if node in self.nodes[i].inputs]
        return here.op != "input" or any(not user.path for user in users)

    # ---- which steps an input reads

    def read_by(
        self, box: Between, inputs: Sequence[int], single: Collection[int]
    ) -> list[set[int]]:
        """For each of some inputs the outputs (by node) that it is computed from.

        An output is NaN in turn, and what becomes NaN reads it: so every op says itself what it takes.
        Only the outputs in ``single`` are told apart from each other; the others count as one, -1.
        """
        moved = [self.moves.sources(i) for i in inputs]
        if all(found is not None for found in moved):
            return [{k if k in single else -1 for k in found or ()} for found in moved]
        reads: list[set[int]] = [set() for _ in inputs]
        groups = [({i}, i) for i in box.read if i in single]
        if rest := {i for i in box.read if i not in single}:
            groups.append((rest, -1))
        for poisoned, name in groups:
            values = self._run(box, inputs, poisoned)
            for found, i in zip(reads, inputs, strict=True):
                if np.isnan(values[i]).any():
                    found.add(name)
        return reads

    def reads(
        self, box: Between, chain: Chain, role: str, alone: Collection[int]
    ) -> dict[int, list[Output]]:
        """For steps that are drawn alone, the outputs that an input is computed from."""
        steps = [step for step in alone if (chain, step, role) in box.takers]
        single = {i for i, output in box.read.items() if output.step in alone}
        inputs = [box.takers[chain, step, role] for step in steps]
        found = self.read_by(box, inputs, single)
        return {
            step: [output for i, output in box.read.items() if -1 in read or i in read]
            for step, read in zip(steps, found, strict=True)
        }

    def _run(
        self, box: Between, inputs: Sequence[int], poisoned: Collection[int]
    ) -> dict[int, Any]:
        values: dict[int, Any] = {}
        rng = np.random.default_rng(0)

        def value(i: int) -> Any:
            if i not in values:
                node = self.nodes[i]
                if node.op == "literal":
                    values[i] = np.asarray(self.graph._raw[i].value)
                elif np.dtype(node.dtype).kind != "f":
                    values[i] = np.zeros(node.shape, node.dtype)
                else:
                    made = rng.uniform(0.25, 0.75, node.shape).astype(node.dtype)
                    values[i] = np.full_like(made, np.nan) if i in poisoned else made
            return values[i]

        todo = sorted({*(i for each in box.whole for i in each.nodes), *self._ways(box, inputs)})
        with np.errstate(all="ignore"):
            for i in todo:
                node = self.nodes[i]
                operands = [value(k) for k in node.inputs]
                if node.op == "held":
                    values[i] = operands[0]
                    continue
                if node.op == "stack":
                    operands = spread(self.graph, node, operands, 0.5)
                values[i] = apply(self.graph._raw[i], operands)
        return values

    def _ways(self, box: Between, inputs: Iterable[int]) -> Iterator[int]:
        """The nodes that hand the box's value on to inputs."""
        for i in inputs:
            while i not in box.values:
                yield i
                i = self.nodes[i].inputs[0]
