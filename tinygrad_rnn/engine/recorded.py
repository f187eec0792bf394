"""How is a gradient made that can be derived again? By the same rules, on Tensors instead of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .scatter import At
from .values import Handle, Node, Value


def as_tensors(node: Node) -> tuple[Any, tuple[Any, ...]]:
    """A node's output and operands as Tensors again, for rules that are to be recorded."""
    wrap = Handle.kind._wrap

    def lift(value: Any, parent: Value) -> Any:
        if value.__class__ is not np.ndarray:
            return value
        return wrap(value, parent)

    out = None if node.out is None else wrap(node.out, node)
    if node.op.variadic and node.saved and node.saved[0].__class__ is tuple:
        operands = tuple(lift(v, p) for v, p in zip(node.saved[0], node.parents, strict=True))
        return out, (operands, *node.saved[1:])
    n = len(node.parents)
    lifted = tuple(lift(v, p) for v, p in zip(node.saved[:n], node.parents, strict=False))
    return out, (*lifted, *node.saved[n:])


def gathered(parts: list[Any], node: Value) -> Any:
    """The recorded sum of dense and sparse gradients of one node."""
    sparse = [p for p in parts if p.__class__ is At]
    total = At.recorded_sum(sparse, node) if sparse else None
    for part in parts:
        if part.__class__ is not At:
            total = part if total is None else total + part
    return total
