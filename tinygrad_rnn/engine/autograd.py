"""How does a gradient flow? From the roots to the leaves, each node once, in the reverse of their making.

A backward pass takes nodes from a heap, the last made first, hence without recursion and for graphs of any
depth; what arrives at a node is complete by then, since all that was made of it came later. What a gradient
is made of stands in ``values``, where the pass starts and ends in ``gradients``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from .hooks import Hook, hooked
from .lazy_output import LazyOutput, unfold_others
from .recorded import as_tensors, gathered
from .scatter import At, AtOutput
from .values import Array, Leaf, Node, Value, as_array, reachable

if TYPE_CHECKING:
    from .inside import Hearing

Observer = Callable[[Node, int, Any, Any], None]
Reached = tuple[Any, Any, bool]  # a node, its gradient, whether the gradient's memory is ours


# ---- the pass -----------------------------------------------------------------------------------


def flow(
    roots: Sequence[tuple[Node | Leaf, Any]],
    wanted: dict[int, Value] | None = None,
    observer: Observer | None = None,
    recorded: bool = False,
    hearing: Hearing | None = None,
) -> dict[int, Reached]:
    """Send gradients from the roots to the leaves, or to the ``wanted`` nodes, and return them.

    The result maps a node's number to (node, gradient, whether the gradient's memory is ours). Nothing
    of the graph is changed. ``recorded`` runs the same rules on Tensors, so that the result can be
    derived again. ``observer`` is told (node, parent index, gradient of the node, gradient that
    crosses this edge) for every edge. A ``hearing`` beside it hears of compiled calls as wholes, of those
    that it takes; for an observer alone they are recorded op by op.
    """
    # Keys are numbers with a minus: the heap gives the node that was made last. All that was made of a node
    # came after it, so that whatever it will ever get has arrived when its turn comes.
    # What came is an array, the parts of several outputs, or (recorded) a list to be summed; ``owned`` says
    # whose gradient lies in memory of our own, which may be added into.
    nodes: dict[int, Value] = {}
    grads: dict[int, Any] = {}
    owned: set[int] = set()
    heap: list[int] = []
    reached: dict[int, Reached] = {}
    # a leaf's key is the number of its first version: older ones, which are stale, must be met too
    last = -min(getattr(n, "key", k) for k, n in wanted.items()) if wanted else 0
    ndarray = np.ndarray

    def arrive(parent: Value, d: Any) -> None:
        """The gradient ``d`` joins what has come to ``parent``: the first is borrowed, the second
        makes memory of our own, later ones add in place."""
        kind = d.__class__
        if kind is AtOutput:
            arrive_in(parent, d.position, d.value)
            return
        k = -parent.number
        old = grads.get(k)
        if old is None:
            nodes[k] = parent
            if parent.__class__ is not Leaf:  # nothing follows a leaf: it needs no turn
                heappush(heap, k)
        # recorded gradients are Tensors: one op sums them when the node's turn comes
        if recorded and (kind is At or old.__class__ is list):
            grads[k] = [*(old if old.__class__ is list else [] if old is None else [old]), d]
        elif kind is At:
            if old is None:
                old = np.zeros(parent.shape, parent.dtype)
            elif k not in owned or old.__class__ is not np.ndarray:
                old = np.array(old, parent.dtype)
            owned.add(k)
            grads[k] = old
            d.add_to(old)
        elif old is None:
            grads[k] = d
        elif k in owned and old.__class__ is np.ndarray:
            old += d
        else:
            grads[k] = old + d
            if not recorded:
                owned.add(k)

    def arrive_in(whole: Value, position: int, g: Any) -> None:
        """The gradient of one of several outputs takes its place among them."""
        k = -whole.number
        parts = grads.get(k)
        if parts is None:
            parts = grads[k] = [None] * len(whole.shape)
            nodes[k] = whole
            heappush(heap, k)
        parts[position] = g if parts[position] is None else parts[position] + g

    unfolded = recorded or observer is not None or hearing is not None
    if hearing is not None:
        unfold_others(roots, hearing)
    elif unfolded:
        reachable([node for node, _ in roots])  # looks at every node: none is folded from here on
    for root, g in roots:
        arrive(root, g)

    while heap:
        k = heappop(heap)
        if k > last:  # older than all that is wanted
            break
        node: Any = nodes.pop(k)  # a Node, from the first line on that asks for more than its op
        g = grads.pop(k)
        if g.__class__ is not ndarray:
            if g.__class__ is not list:
                g = as_array(g)
            elif node.op is None or not node.op.several:
                g = gathered(g, node)
        if Hook.registered and hasattr(node, "hooks"):
            g = hooked(node, g)
        if node.__class__ is LazyOutput and node.whole is not None and (node.fold or not unfolded):
            if node.retained is not None or (wanted is not None and -k in wanted):
                reached[-k] = (node, g, k in owned)
            # a compiled layer: one node ran, and goes back once its outputs have all been heard
            arrive_in(node.whole, node.position, g)
            continue
        op = node.op
        if op is None or node.retained is not None or (wanted is not None and -k in wanted):
            reached[-k] = (node, g, k in owned)
            if op is None:
                continue
        if op.several:
            for part in g:
                if part.__class__ is not ndarray:  # nothing came to it, or a number, or a Tensor
                    g = op.filled(node, g)
                    break
            if op.joint is not None:
                if hearing is None:
                    sent = op.joint(node, g)
                else:
                    sent, insides = node.saved[0].told(g)
                    hearing.heard(node, insides, sent)
                for parent, d in zip(node.parents, sent, strict=True):
                    if d is not None:  # nothing that asks depends on it
                        arrive(parent, d)
                continue
        elif op.item and observer is None:  # straight into its place among the parts
            arrive_in(node.parents[0], node.saved[1], g)
            continue
        out, saved = as_tensors(node) if recorded else (node.out, node.saved)
        rules, variadic, sparse = op.rules, op.variadic, op.sparse
        for i, parent in enumerate(node.parents):
            if not parent.needs:
                continue
            d = rules[0](i, g, out, *saved) if variadic else rules[i](g, out, *saved)
            if sparse:
                arrive(parent, d)
            else:  # as ``arrive`` does, written out: a call costs as much as the rule of a small op
                if d.shape != parent.shape:
                    d = sum_to(d, parent.shape)
                if d.dtype is not parent.dtype and d.dtype != parent.dtype:
                    d = d.astype(parent.dtype)
                j = -parent.number
                old = grads.get(j)
                if old is None:
                    grads[j] = d
                    nodes[j] = parent
                    if parent.__class__ is not Leaf:
                        heappush(heap, j)
                elif j in owned and old.__class__ is ndarray:
                    old += d
                else:
                    arrive(parent, d)
            if observer is not None:
                observer(node, i, g, as_array(d))
    for k, leaf in nodes.items():
        if leaf.__class__ is Leaf:
            g = grads[k]
            if g.__class__ is not ndarray:
                g = gathered(g, leaf) if g.__class__ is list else as_array(g)
            if Hook.registered and hasattr(leaf, "hooks"):
                g = hooked(leaf, g)
            reached[-k] = (leaf, g, k in owned)
    return reached


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: sum ``g`` over the axes along which ``shape`` was stretched."""
    lead = len(g.shape) - len(shape)
    if lead < 0:  # written into fewer axes: all the others have length 1
        return g.reshape(shape)
    if lead == 1 and g.shape[1:] == shape:
        if g.shape[0] == 1:
            return g.reshape(shape)
        return np.add.reduce(g, 0) if g.__class__ is np.ndarray else g.sum(0)
    stretched = tuple(range(lead)) + tuple(
        lead + i for i, side in enumerate(shape) if side == 1 and g.shape[lead + i] != 1
    )
    if stretched:
        g = g.sum(stretched)
    return g if g.shape == shape else g.reshape(shape)


def spread(g: Array, shape: tuple[int, ...]) -> Array:
    """One number as an array of a shape, without its memory: what ``np.broadcast_to`` gives, sooner."""
    view: Array = np.ndarray(shape, g.dtype, g, 0, (0,) * len(shape))
    view.flags.writeable = False
    return view
