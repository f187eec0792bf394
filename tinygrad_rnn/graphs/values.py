"""What the values of a graph were, and the gradient of each: found from what the graph keeps.

A node keeps only what its rule needs. Whatever else is wanted is computed again from that, op by op.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Array, At, Constant, Leaf, Literal, Part, flow
from .graph import Graph


def values_of(graph: Graph) -> dict[int, Any]:
    """The value of each node by its id: an array, a list of them, a number; None where it is lost.

    Lost is the value of an input that nothing kept: no op's rule, and no variable of the user's.
    """
    found: dict[int, Any] = dict.fromkeys(range(len(graph)))
    for node in graph._raw:
        for k, parent in enumerate(graph._parents(node)):
            kept = _operand(node, k)
            if kept is not None:
                found[graph._index[id(parent)]] = kept
    for i, node in enumerate(graph._raw):
        if found[i] is None:
            found[i] = _source(node) if node.op is None else _computed(graph, node, found)
    return found


def _operand(node: Any, k: int) -> Any:
    """The k-th operand as a node keeps it for its rule, else None."""
    if node.op.item:
        return None
    kept: Any = node.saved[0] if node.op.variadic else node.saved
    if node.op.variadic and not isinstance(kept, tuple):
        return None
    return kept[k] if k < len(node.parents) and isinstance(kept[k], np.ndarray) else None


def _source(node: Any) -> Any:
    if isinstance(node, Literal):
        return node.value
    held = node.held
    if isinstance(held, (bool, int, float)):
        return np.full(node.shape, held, node.dtype)
    return None if held is None else held()


def _computed(graph: Graph, node: Any, found: dict[int, Any]) -> Any:
    if node.out is not None:
        return node.out
    operands = [found[graph._index[id(parent)]] for parent in graph._parents(node)]
    if any(value is None for value in operands):
        return None
    return apply(node, operands)


def apply(node: Any, operands: list[Any]) -> Any:
    """What a node's op gives for other operands than it had."""
    op = node.op
    if op.item:
        return operands[0][node.saved[-1]]
    if op.variadic:
        return np.asanyarray(op.forward(operands, *node.saved[1:]))
    result = op.forward(*operands, *node.saved[len(node.parents) :])
    return list(result) if op.several else np.asanyarray(result)


def gradients_of(graph: Graph) -> tuple[dict[int, Array], dict[tuple[int, int], Array]]:
    """The gradients of the graph's one number by node, and what crossed each edge (node, operand).

    Those of inputs, which take no gradient in training, are there too. Empty where the graph's end is
    not one number.
    """
    nodes: dict[int, Array] = {}
    edges: dict[tuple[int, int], Array] = {}
    end = graph._ends[0]
    if len(graph._ends) != 1 or any(side != 1 for side in end.shape):
        return nodes, edges

    def add(parent: Any, d: Any) -> Array:
        if isinstance(d, Part):
            return np.asarray(d.value)
        dense = d.dense(parent.shape, parent.dtype) if isinstance(d, At) else np.asarray(d)
        return np.asarray(dense)

    def seen(node: Any, k: int, g: Any, d: Any) -> None:
        i, parent = graph._index[id(node)], node.parents[k]
        if not isinstance(g, list):
            nodes[i] = np.asarray(g)
        edges[i, k] = add(parent, d)
        for other, constant in enumerate(node.parents):
            wanted = isinstance(constant, Constant) and (i, other) not in edges
            if wanted and not node.op.several and constant.dtype.kind == "f":
                rule = node.op.rules[0 if node.op.variadic else other]
                if rule is not None:
                    edges[i, other] = add(
                        constant, node.op.delta(node, other, g, node.out, node.saved)
                    )

    flow([(end, np.ones(end.shape, end.dtype))], None, seen)
    nodes[graph._index[id(end)]] = np.ones(end.shape, end.dtype)
    for (i, k), d in edges.items():
        parent = graph._raw[i].parents[k]
        if isinstance(parent, (Leaf, Constant)):
            at = graph._index[id(parent)]
            nodes[at] = nodes[at] + d if at in nodes else d
    return nodes, edges
