"""What flowed where in one backward pass? The gradient at values, and who sent which part of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.autograd import flow
from ..engine.scatter import At, AtOutput
from ..engine.values import Array, as_array
from .excerpt import Excerpt
from .sweep import Hearer, Sweep

if TYPE_CHECKING:
    from .ledger import Ledger
    from .recorded import RecordedGraph

OUTSIDE = "outside"  # who sends what comes from nodes that the graph does not have


class Flows(Hearer):
    """The gradients of one backward pass through a graph, by value and by sender.

    ``arrived[value][sender]`` is what the nodes of one box sent to a value together, ``total(value)`` all
    that came to it, from inside its own box too: dL/dvalue. The pass runs once more for it, by the same
    rules on the same saved values, so that the numbers are those of the ledger's pass bit for bit; no
    ``grad`` is touched.

    ``boxes`` says which box each node is inside (a node without one is a box of its own), ``values`` of
    which nodes to keep what came, ``through`` which nodes only hand on: what they pass is credited to
    the box behind them. To the ``still`` values, which take no gradient (a zero initial state), comes
    what would go on.
    """

    def __init__(
        self,
        graph: RecordedGraph,
        ledger: Ledger,
        boxes: Mapping[int, Hashable],
        values: Collection[int],
        through: Collection[int],
        still: Collection[int] = (),
    ) -> None:
        self.arrived: dict[int, dict[Hashable, Array]] = {value: {} for value in values}
        self._totals: dict[int, Array] = {}
        self.graph, self._index = graph, graph._index
        self._boxes, self._values, self._through = boxes, set(values), set(through)
        self._passed: dict[int, dict[Hashable, Any]] = {}
        self._still = {*still}
        if ledger.root is None:
            raise ValueError("this ledger is empty: it comes from loss.backward(ledger=True)")
        root, seed = ledger.root
        self.leave(root, OUTSIDE, seed)
        if isinstance(graph, Excerpt):
            Sweep(graph, self).run(root, seed)
        else:
            flow([(root, seed)], observer=self.note)

    def total(self, value: int) -> Array | None:
        """All that came to a value, None where nothing did."""
        if value in self._totals:
            return self._totals[value]
        parts = list(self.arrived[value].values())
        return sum(parts[1:], parts[0]) if parts else None

    def whole(self, value: int, g: Any) -> None:
        """All that came to a value."""
        if value in self._values and g.__class__ is not list:
            self._totals[value] = np.asarray(g)

    def hands_on(self, node: int) -> bool:
        """Whether what a node sends is credited to those that sent it there."""
        return node in self._through

    def sender(self, child: int) -> Hashable:
        """Who is named as the sender of what a node sends."""
        return self._boxes.get(child, child)

    def note(
        self, node: Any, i: int, g: Any, d: Any, sent: Callable[[Any], Any] | None = None
    ) -> None:
        """The engine's observer; ``sent`` says what a node sends of another gradient than its own."""
        parents = self.graph._parents(node)
        child = self._index.get(id(node), -1)
        if child in self._values and g.__class__ is not list:
            self._totals[child] = np.asarray(g)
        if child in self._through:
            passed = self._passed.get(child, {})
            for sender, mine in passed.items():
                if len(passed) > 1 or sent is not None:
                    whole = node.op.filled(node, list(mine)) if node.op.several else mine
                    part = sent or partial(_sent, node, i)
                    d = part(whole)
                self.leave(parents[i], sender, d)
            return
        sender = OUTSIDE if child < 0 else self.sender(child)
        self.leave(parents[i], sender, d)
        if self._still:
            self._would_go_on(node, i, g, sender)

    def _would_go_on(self, node: Any, i: int, g: Any, sender: Hashable) -> None:
        """What the node would send to values that take no gradient; told with its first edge alone."""
        first = next(k for k, parent in enumerate(node.parents) if parent.needs)
        if i != first:
            return
        for k, parent in enumerate(node.parents):
            if not parent.needs and self._index.get(id(parent), -1) in self._still:
                self.leave(parent, sender, node.op.delta(node, k, g, node.out, node.saved))

    def leave(self, parent: Any, sender: Hashable, d: Any) -> None:
        """A gradient comes to a node."""
        to = self._index.get(id(parent), -1)
        if to < 0:
            return
        if to in self._values and self._boxes.get(to, to) != sender:
            self._add(self.arrived[to], sender, _dense(d, parent))
        if to in self._through:
            here = self._passed.setdefault(to, {})
            if d.__class__ is AtOutput:
                parts = here.setdefault(sender, [None] * len(parent.shape))
                old = parts[d.position]
                parts[d.position] = d.value if old is None else old + d.value
            else:
                self._add(here, sender, _dense(d, parent))

    @staticmethod
    def _add(book: dict[Any, Any], key: Any, d: Array) -> None:
        book[key] = as_array(book[key] + d) if key in book else d


def _sent(node: Any, i: int, g: Any) -> Any:
    return node.op.delta(node, i, g, node.out, node.saved)


def _dense(d: Any, parent: Any) -> Array:
    if d.__class__ is At:
        return d.dense(parent.shape, parent.dtype)
    return np.asarray(d)
