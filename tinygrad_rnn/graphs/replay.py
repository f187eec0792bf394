"""What does backward do at each node? What arrived at it, and what it sent on, a node at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.gradients import commit, root_and_seed
from ..engine.hooks import Hook, hooked
from ..engine.scatter import At, AtOutput
from ..engine.values import Array, as_array

if TYPE_CHECKING:
    from ..tensors import Tensor


@dataclass(frozen=True, slots=True)
class BackwardStep:
    """One node's turn: its whole gradient, and what it sent to each operand that needs one.

    ``op`` is "parameter" or "input" for a leaf, which sends nothing; ``step`` is the time step, or None;
    ``gradient`` is a tuple for an op with several outputs; ``sent`` are pairs (operand's position, gradient
    in the operand's shape, or of the part alone for an op that reads a part of it, as ``y[t]`` does).
    """

    op: str
    name: str | None
    step: int | None
    gradient: Array | tuple[Array, ...]
    sent: tuple[tuple[int, Array], ...]


def backward_steps(tensor: Tensor, gradient: Any = None) -> Iterator[BackwardStep]:
    """``tensor.backward(gradient)`` as a generator; see ``Tensor.backward_steps``."""
    root, seed = root_and_seed(tensor, gradient)
    waiting: dict[int, tuple[Any, Any]] = {root.number: (root, seed)}
    order = [-root.number]
    ours: set[int] = set()
    reached: list[tuple[Any, Any, bool]] = []
    while order:
        node, g = waiting.pop(-heappop(order))
        g = as_array(g)
        if Hook.registered:
            g = hooked(node, g)
        if node.op is None or node.retained is not None:
            reached.append((node, g, False))
        if node.op is None:
            yield BackwardStep(node.role, node.name, None, _shown(g), ())
            continue
        if node.op.several:
            g = node.op.filled(node, g)
        sent = []
        for i, parent in enumerate(node.parents):
            if parent.needs:
                d = node.op.delta(node, i, g, node.out, node.saved)
                if parent.number not in waiting:
                    heappush(order, -parent.number)
                before = waiting.get(parent.number, (parent, None))[1]
                waiting[parent.number] = (parent, joined(before, d, parent, ours))
                sent.append((i, _shown(d)))
        gradient = tuple(map(_shown, g)) if node.op.several else _shown(g)
        yield BackwardStep(node.op.name, node.name, node.place.step, gradient, tuple(sent))
    commit(reached, root)


def joined(before: Any, d: Any, parent: Any, ours: set[int]) -> Any:
    """What has come to a node so far, and one more; ``ours`` have a buffer of their own."""
    if isinstance(d, AtOutput):
        parts = [None] * len(parent.shape) if before is None else before
        old = parts[d.position]  # of a graph read whole, none: an output has one node
        parts[d.position] = d.value if old is None else old + d.value
        return parts
    if isinstance(d, At):
        if parent.number not in ours or before is None:
            before = np.zeros(parent.shape, parent.dtype) if before is None else np.array(before)
            ours.add(parent.number)
        d.add_to(before)
        return before
    return d if before is None else before + d


def _shown(g: Any) -> Array:
    """A gradient as an array that a reader may look at and not change."""
    view = np.asarray(g.value if isinstance(g, (At, AtOutput)) else g).view()
    view.flags.writeable = False
    return view
