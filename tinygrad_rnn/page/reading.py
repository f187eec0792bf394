"""What of a graph is read for a page? All of it; of long compiled layers the steps that are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.autograd import flow
from ..engine.values import Array
from ..graphs.columns import Unlike
from ..graphs.excerpt import Excerpt, excerpt
from ..graphs.ledger import LONG, Ledger
from ..graphs.readback import gradients_of, norm, root_of
from ..graphs.sweep import Hearer, Sweep
from .views import shown_of

if TYPE_CHECKING:
    from ..graphs.graph import Graph
    from ..graphs.recorded import RecordedGraph


@dataclass
class Reading:
    """A graph as it is read for a page, a ledger of its one scalar, and the norm of each node's gradient."""

    graph: RecordedGraph
    ledger: Ledger | None
    norms: dict[int, float] = field(default_factory=dict)


def reading_of(graph: Graph) -> Reading:
    """What a page reads of a graph."""
    short = _short(graph)
    if short is not None:
        try:
            return _told(short)
        except Unlike:
            pass  # what flowed in the steps left out cannot be told
    found = gradients_of(graph)
    return Reading(graph, None) if found is None else Reading(graph, *found)


def _short(graph: Graph) -> Excerpt | None:
    """The graph without the middle of its long compiled calls, where all that is long in it are those."""
    first = excerpt(graph)
    if not isinstance(first, Excerpt) or first.leaves_out_recorded:
        return None
    spans = {fold.steps for fold in first.folds()}
    if max(map(len, spans), default=0) < LONG:
        return None
    shown = shown_of(spans.pop()) if len(spans) == 1 else None
    short = excerpt(graph, shown, true=True)
    return short if isinstance(short, Excerpt) else None


def _told(graph: Excerpt) -> Reading:
    """Ledger and norms of a graph some of whose steps were left out."""
    root = root_of(graph)
    if root is None:
        return Reading(graph, None)
    seed, ledger, norms = np.ones(root.shape, root.dtype), Ledger(), _Norms()
    with np.errstate(all="ignore"):
        flow([(root, seed)], observer=ledger.note, hearing=ledger)
        Sweep(graph, norms).run(root, seed)
        for node in graph.parameters.values():
            key = graph._raw[node.id].key
            if key in ledger.leaves:
                norms.found[node.id] = norm(ledger.account_of(key).sum())
    return Reading(graph, ledger, norms.found)


class _Norms(Hearer):
    """The norm of all that comes to each node."""

    def __init__(self) -> None:
        self.found: dict[int, float] = {}

    def whole(self, value: int, g: Any) -> None:
        """All that came to a node; of an op with several outputs, to each of them."""
        parts: list[Array] = (
            [part for part in g if part is not None] if isinstance(g, list) else [g]
        )
        self.found[value] = norm(*parts)
