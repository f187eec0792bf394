"""Would a gradient reach a value that has been written since? Then backward refuses, and says why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .places import NOWHERE, Scope
from .values import Leaf, reachable


class StaleGraphError(RuntimeError):
    """A gradient was about to reach a tensor that was written after the graph had used it."""


def refuse_stale(reached: Iterable[tuple[Any, Any, bool]], roots: list[Any]) -> None:
    """Raise StaleGraphError where what a pass from the roots reached was written since."""
    for target, _, _ in reached:
        if target.op is None and target.stale is not None:
            raise StaleGraphError(_explain_stale(target, roots))


def leaf_label(leaf: Leaf, scope: Scope | None) -> str:
    """A leaf's dotted name where a module on the way has it, else its own."""
    module = None if scope is None else scope.root.module()
    for name, parameter in module.named_parameters() if module is not None else ():
        if parameter._node.key == leaf.key and scope is not None:
            return f"{scope.root.path()}.{name}"
    return leaf.name or "a tensor"


def _explain_stale(leaf: Leaf, roots: list[Any]) -> str:
    """Name the Parameter, the writer, the state that carried the old graph here, and the cure."""
    nodes = reachable(roots)
    users = [n for n in nodes if leaf in n.parents]
    place = max(users, key=lambda n: n.number).place if users else NOWHERE
    label = leaf_label(leaf, place.scope)
    text = (
        f"{place}the gradient would reach {label} {leaf.shape} as it was before {leaf.stale} changed it, "
        "and its new value had no part in this graph"
    )
    carried = [
        parent
        for n in nodes
        if n.number > leaf.stale_at
        for parent in n.parents
        if parent.op is not None and parent.number < leaf.stale_at
    ]
    if carried:
        node = max(carried, key=lambda n: n.number)
        what = f"the state {node.name!r}" if node.name else f"a value of shape {node.shape}"
        text += (
            f". It is carried here by {what} made at {str(node.place).rstrip(': ') or 'an earlier time'}: "
            "call state.detach() (or tg.detach(state)) before the next chunk"
        )
    else:
        text += ". Call backward() before the write, or compute the loss again after it"
    return text
