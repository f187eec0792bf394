"""What were the numbers of a recorded graph? Values read back or computed again, gradients sent anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.autograd import flow
from ..engine.scatter import At, AtOutput
from ..engine.values import Array, Constant, Leaf, Literal
from ..ops.row import ROWS
from .ledger import Ledger

if TYPE_CHECKING:
    from .recorded import RecordedGraph

MOST = 50_000  # nodes; of a larger graph only those values are known that its rules kept


def values_of(graph: RecordedGraph) -> dict[int, Array]:
    """The value of each node, by id, where it can be known; of an op with several outputs all in one row."""
    return {i: _joined(value) for i, value in raw_values(graph).items()}


def raw_values(graph: RecordedGraph) -> dict[int, Any]:
    """The value of each node, by id, where it can be known; of an op with several outputs a list.

    A graph keeps what its rules need: operands, outputs. The rest is computed again by the same forwards,
    without recording; Parameters are read where their module lives and they were not written since, other
    leaves and constants where the tensor lives or is a single number.
    """
    raw = graph._raw
    known: dict[int, Any] = {}
    for _, module in graph._roots.values():
        for _, parameter in module.named_parameters() if module is not None else ():
            i = graph._index.get(id(parameter._node))
            if i is not None:
                known[i] = parameter._data
    for i, node in enumerate(raw):
        if isinstance(node, Literal):
            known[i] = np.asarray(node.value)
        elif node.op is None and i not in known and (held := _held(node)) is not None:
            known[i] = held
        elif node.op is not None:
            if isinstance(node.out, np.ndarray):
                known[i] = node.out
            for parent, kept in zip(graph._parents(node), _kept(node), strict=False):
                if _fits(kept, parent):
                    known.setdefault(graph._index[id(parent)], kept)
    if len(raw) <= MOST:
        with np.errstate(all="ignore"):
            _compute(graph, known)
    return known


def flows_of(graph: RecordedGraph) -> tuple[dict[int, Array], dict[tuple[int, int], Array]]:
    """The gradient of the graph's one number by each node, and what crosses each edge (node, operand).

    Those by constants, which take no gradient in training, are there too. Empty where the graph has
    another end than one number.
    """
    nodes: dict[int, Array] = {}
    edges: dict[tuple[int, int], Array] = {}
    end = graph._ends[0]
    if len(graph._ends) != 1 or any(side != 1 for side in end.shape) or not end.needs:
        return nodes, edges

    def seen(node: Any, k: int, g: Any, d: Any) -> None:
        i = graph._index[id(node)]
        if not isinstance(g, list):
            nodes[i] = np.asarray(g)
        edges[i, k] = _dense(node.parents[k], d)
        for other, constant in enumerate(node.parents):
            if (
                isinstance(constant, Constant)
                and constant.dtype.kind == "f"
                and not node.op.several
            ):
                rule = node.op.rules[0 if node.op.variadic else other]
                if rule is not None and (i, other) not in edges:
                    delta = node.op.delta(node, other, g, node.out, node.saved)
                    edges[i, other] = _dense(constant, delta)

    with np.errstate(all="ignore"):
        flow([(end, np.ones(end.shape, end.dtype))], observer=seen)
    nodes[graph._index[id(end)]] = np.ones(end.shape, end.dtype)
    for (i, k), d in edges.items():
        parent = graph._raw[i].parents[k]
        if parent.op is None:
            at = graph._index[id(parent)]
            nodes[at] = nodes[at] + d if at in nodes else d
    return nodes, edges


def _dense(parent: Any, d: Any) -> Array:
    if isinstance(d, AtOutput):
        return np.asarray(d.value)
    return np.asarray(d.dense(parent.shape, parent.dtype) if isinstance(d, At) else d)


def _held(node: Any) -> Any:
    """The value of a leaf or a constant, from the number or the array that it remembers."""
    held = node.held
    if isinstance(held, (bool, int, float)):
        return np.full(node.shape, held, node.dtype)
    return None if held is None else held()


def apply(node: Any, operands: list[Any]) -> Any:
    """What a node's op gives for these operands, a number for each that was written as one."""
    if node.op.item:
        return operands[0][node.saved[1]]
    if node.op.variadic:
        return np.asarray(node.op.forward(tuple(operands), *node.saved[1:]))
    numbers = [p.value if isinstance(p, Literal) else None for p in node.parents]
    given = [v if n is None else n for n, v in zip(numbers, operands, strict=True)]
    made = node.op.forward(*given, *node.saved[len(given) :])
    return list(made) if node.op.several else np.asarray(made)


def root_of(graph: RecordedGraph) -> Any:
    """The node of a graph's one scalar output; None where there is no gradient of it to see."""
    roots = [graph._raw[i] for i in graph.outputs]
    if len(roots) != 1 or roots[0].shape not in ((), (1,), (1, 1)) or not roots[0].needs:
        return None
    if any(isinstance(node, Leaf) and node.stale is not None for node in graph._raw):
        return None
    return roots[0]


def gradients_of(graph: RecordedGraph) -> tuple[Ledger, dict[int, float]] | None:
    """A ledger of the graph's one scalar output, and the norm of each node's gradient, by id.

    The rules run as in ``backward``, and no tensor's ``grad`` is touched. None where the graph has no
    single scalar output, or that needs no gradient, or where a Parameter was written since the graph used it.
    """
    root = root_of(graph)
    if root is None:
        return None
    ledger, norms = Ledger(), dict[int, float]()

    def note(node: Any, operand: int, gradient: Any, delta: Any) -> None:
        ledger.note(node, operand, gradient, delta)
        i = graph._index.get(id(node))
        if i is not None and i not in norms:
            norms[i] = norm(*gradient) if node.op.several else norm(gradient)

    with np.errstate(all="ignore"):
        reached = flow([(root, np.ones(root.shape, root.dtype))], observer=note)
        for leaf, gradient, _ in reached.values():
            if isinstance(gradient, np.ndarray) and id(leaf) in graph._index:
                norms[graph._index[id(leaf)]] = norm(gradient)
    return ledger, norms


def norm(*arrays: Array) -> float:
    """The Euclidean norm of all numbers together, in float64."""
    return float(np.sqrt(sum(np.square(a, dtype=np.float64).sum() for a in arrays)))


def _compute(graph: RecordedGraph, known: dict[int, Any]) -> None:
    """Fill in what can be computed from what is known, in the order of the ops."""
    table = {id(op) for op in ROWS.values()}
    for i, node in enumerate(graph._raw):
        if i in known or node.op is None or id(node.op) not in table:
            continue
        if (output := graph.output_of(node)) is not None:  # not all that was stacked is here
            known[i] = output
            continue
        operands: list[Any] = [known.get(graph._index[id(p)]) for p in graph._parents(node)]
        if any(value is None for value in operands):
            continue
        known[i] = apply(node, operands)


def _joined(value: Any) -> Array:
    """An array; of an op with several outputs all of them in one row."""
    if isinstance(value, list):
        return np.concatenate([part.ravel() for part in value])
    return np.asarray(value)


def _kept(node: Any) -> tuple[Any, ...]:
    """What a node keeps of its operands, in their order."""
    if not node.op.variadic:
        return tuple(node.saved)
    first = node.saved[0] if node.saved else None
    return first if isinstance(first, tuple) else ()


def _fits(kept: Any, parent: Any) -> bool:
    return (
        isinstance(kept, np.ndarray) and kept.shape == parent.shape and kept.dtype == parent.dtype
    )
