"""When is a use, and what do the uses of each time add? Before all steps, at a step, or after them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..engine.values import Array
from .ledger import Entry
from .readback import norm
from .recorded import RecordedGraph, Use


class Added(NamedTuple):
    """By column the norm of what its uses add, their part along the whole gradient G, and the running norm.

    ``whole`` is |G|, ``cancels`` the share of the norms that cancels in the sum.
    """

    norms: Array
    along: Array
    running: Array
    whole: float
    cancels: float


class Timeline:
    """The columns of the slider, in the order of time: -1 before all steps, the steps, -2 after them."""

    def __init__(self, graph: RecordedGraph) -> None:
        self._graph = graph
        raw = graph._raw
        self._last = max((i for i, n in enumerate(raw) if n.place.step is not None), default=-1)
        found: set[int] = set(graph.steps)
        for name in graph.parameters:
            found.update(self._at(use.step, use.node) for use in graph.uses(name))
        self.positions = sorted(found, key=lambda p: (p == -2, p))
        self._index = {p: k for k, p in enumerate(self.positions)}

    def of_use(self, use: Use) -> int:
        """The column of a use."""
        return self._index[self._at(use.step, use.node)]

    def of_row(self, row: Entry) -> int:
        """The column of a ledger's row."""
        return self._index[self._at(row.step, self._graph._index.get(id(row.node), self._last + 1))]

    def added(self, rows: list[Entry], shape: tuple[int, ...]) -> Added:
        """What each column adds to a gradient, from the last column to the first."""
        count = len(self.positions)
        at: dict[int, list[Entry]] = {}
        for row in rows:
            at.setdefault(self.of_row(row), []).append(row)
        whole = np.zeros(shape)
        norms, running, along = np.zeros(count), np.zeros(count), np.zeros(count)
        with np.errstate(all="ignore"):
            for k in reversed(range(count)):
                part = np.zeros(shape)
                for row in at.get(k, ()):
                    part += row.contribution()
                norms[k] = norm(part)
                whole += part
                running[k] = norm(whole)
            length, total = norm(whole), float(norms.sum())
            for k, found in at.items():
                along[k] = sum(row.along(whole) for row in found) / length if length else 0.0
        cancels = max(0.0, 1 - length / total) if total and np.isfinite(total) else 0.0
        return Added(norms, along, running, length, cancels)

    def _at(self, step: int | None, node: int) -> int:
        if step is not None:
            return step
        return -1 if node < self._last else -2
