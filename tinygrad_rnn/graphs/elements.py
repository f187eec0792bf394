"""What is a graph of arrays as a graph of numbers? Every element a node, with value and gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..engine.values import Leaf, Literal
from .readback import apply, flows_of, raw_values
from .recorded import CellCall, GraphNode, RecordedGraph, Use

MOVES = frozenset(
    "broadcast cast cat chunk expand flip getitem item permute reshape split stack unbind".split()  # noqa: SIM905
)


def size_of(graph: RecordedGraph) -> int:
    """How many numbers a graph computes and is given."""
    total = 0
    for i, node in enumerate(graph._raw):
        if node.op is not None and (node.op.several or node.op.name in MOVES):
            continue
        call = node.place.call
        times = 1 if call is None else graph._weight(call)
        total += times * int(np.prod(graph[i].shape, dtype=np.int64))
    return total


class Elements(RecordedGraph):
    """The numbers of a RecordedGraph: those that an op merely moves are the same number, not another one.

    ``numbers`` and ``gradients`` are their values by id; an edge is there where an element of an op's
    result depends on an element of its operand.
    """

    def __init__(self, graph: RecordedGraph) -> None:
        self._all: list[GraphNode] = []
        self._named: dict[str, GraphNode] = {}
        known = raw_values(graph)
        grads, edges = flows_of(graph)
        self.numbers: dict[int, Any] = {}
        self.gradients: dict[int, float] = {}
        self._cut: dict[int, int | None] = {}
        self.crossing: dict[tuple[int, int], float] = {}  # where an element has one use in an op
        places: dict[int, Any] = {}
        dotted = {node.id: name for name, node in graph.parameters.items()}
        for i, node in enumerate(graph._raw):
            shown = graph[i]
            parents = [graph._index[id(p)] for p in graph._parents(node)]
            if node.op is not None and node.op.name in MOVES:
                places[i] = _moved(node, [places[k] for k in parents])
                continue
            value = None if node.op is not None and node.op.several else known.get(i)
            ids = np.arange(len(self._all), len(self._all) + int(np.prod(shown.shape, dtype=int)))
            places[i] = ids.reshape(shown.shape)
            below: list[tuple[int, ...]] = [()] * len(ids)
            if node.op is not None:
                below = _depends(
                    node, [known.get(k) for k in parents], [places[k] for k in parents]
                )
            names = _names(dotted.get(i, shown.name), shown.shape)
            for k, (at, name) in enumerate(zip(ids.tolist(), names, strict=True)):
                self._all.append(
                    GraphNode(
                        at, shown.op, name, (), shown.dtype, shown.path, shown.step, below[k], None
                    )
                )
                self._cut[at] = graph.cut_from(i)
                self.numbers[at] = None if value is None else np.asarray(value).reshape(-1)[k]
                if i in grads:
                    self.gradients[at] = float(grads[i].reshape(-1)[k])
                if isinstance(node, Leaf) and node.role == "parameter":
                    self._named[name] = self._all[at]
            for k, parent in enumerate(parents):
                if node.op is not None and (i, k) in edges:
                    self._cross(edges[i, k].reshape(-1), np.ravel(places[parent]), ids[0], below)
        ends = [graph._index[id(node)] for node in graph._ends]
        self.outputs = tuple(int(k) for i in ends for k in np.ravel(places[i]))
        self._known_uses: dict[int, list[Use]] = {p.id: [] for p in self._named.values()}
        for part in self._all:
            for k, i in enumerate(part.inputs):
                if i in self._known_uses:
                    self._known_uses[i].append(Use(part.id, k, part.step))

    def _cross(self, d: Any, operand: Any, first: int, below: list[tuple[int, ...]]) -> None:
        """Note what crosses into each element of an operand that one element of the result takes."""
        for value, element in zip(d.tolist(), operand.tolist(), strict=True):
            users = [k for k, ids in enumerate(below) if element in ids]
            if len(users) == 1:
                self.crossing[int(first) + users[0], below[users[0]].index(element)] = value

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[GraphNode]:
        return iter(self._all)

    def __getitem__(self, i: int) -> GraphNode:
        return self._all[i]

    @property
    def nodes(self) -> Sequence[GraphNode]:
        """Every number."""
        return self._all

    @property
    def calls(self) -> list[CellCall]:
        """None: a cell is made of arrays."""
        return []

    @property
    def parameters(self) -> dict[str, GraphNode]:
        """Each number of each Parameter: ``w``, ``lstm.weight_hh_l0[0, 1]``."""
        return self._named

    def uses(self, parameter: Any) -> list[Use]:
        """Every use of one number of a Parameter."""
        node = self._named[parameter] if isinstance(parameter, str) else parameter
        return self._known_uses[node.id]

    def use_count(self, parameter: Any) -> int:
        """How often one number of a Parameter is used."""
        return len(self.uses(parameter))

    def cut_from(self, i: int) -> int | None:
        """The step of the state that an element was one of, and was detached from."""
        return self._cut[i]

    def picked(self, i: int) -> int | None:
        """Indexing is no node here."""
        return None


def _names(name: str, shape: Sequence[int]) -> list[str]:
    """The name of each element; of a single one the array's own."""
    count = int(np.prod(shape, dtype=int))
    if count == 1 or not name:
        return [name] * count
    return [f"{name}[{', '.join(map(str, at))}]" for at in np.ndindex(*shape)]


def _moved(node: Any, places: list[Any]) -> Any:
    """Where each element of a moving op's result comes from."""
    if node.op.name == "cast":
        return places[0]
    return apply(node, places)


def _depends(node: Any, values: list[Any], places: list[Any]) -> list[tuple[int, ...]]:
    """For each element of a result the elements that it depends on: those whose NaN makes it NaN."""
    operands = [
        np.full(ids.shape, 0.5) if value is None else value
        for value, ids in zip(values, places, strict=True)
    ]
    size = int(np.prod(node.shape, dtype=int))
    below: list[list[int]] = [[] for _ in range(size)]
    for k, (value, ids) in enumerate(zip(operands, places, strict=True)):
        if isinstance(node.parents[k], Literal):
            for element in below:
                element.append(int(np.ravel(ids)[0]))
            continue
        if value.dtype.kind != "f":
            continue
        for j, id in enumerate(np.ravel(ids).tolist()):
            tried = np.array(value)
            tried.reshape(-1)[j] = np.nan
            with np.errstate(all="ignore"):
                result = apply(node, [*operands[:k], tried, *operands[k + 1 :]])
            for at in np.flatnonzero(np.isnan(np.broadcast_to(result, node.shape))):
                below[at].append(id)
    return [tuple(ids) for ids in below]
