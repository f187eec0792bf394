"""Which recorded ops only hand values on: pictures follow them and, where they can, omit them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .recorded import GraphNode

SOURCES = ("input", "parameter", "literal")
# Those that hand on one value whole, only in another shape or dtype, or take one of several apart.
SHAPES = {
    "transpose",
    "permute",
    "reshape",
    "flatten",
    "squeeze",
    "unsqueeze",
    "expand",
    "broadcast",
}
HANDS_ON = frozenset(SHAPES | {"cast", "item", "unbind", "held"})
PASS_THROUGH = HANDS_ON | {"stack", "cat", "chunk", "split", "getitem", "flip"}


def mark_held(nodes: Sequence[GraphNode], paths: Collection[str]) -> list[GraphNode]:
    """The nodes, those that a layer's loop puts between its cells as ``held``, which hands one value on.

    These are the choice of what to keep where a sequence has ended (``where``), and the masks of
    variational dropout (``mul`` by a constant).
    """
    return [_mark_held(nodes, node) if node.path in paths else node for node in nodes]


def _mark_held(nodes: Sequence[GraphNode], node: GraphNode) -> GraphNode:
    if node.call is not None or node.op not in ("where", "mul"):
        return node
    values = tuple(i for i in node.inputs if nodes[i].op not in ("input", "literal"))
    if node.op == "where":
        return replace(node, op="held", inputs=node.inputs[1:2])
    if len(values) == 2 or all(nodes[i].op == "literal" for i in node.inputs):
        return node
    return replace(node, op="held", inputs=(values or node.inputs)[:1])
