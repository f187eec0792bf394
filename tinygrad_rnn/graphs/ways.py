"""Which calls of cells in a graph are the steps of a compiled call?"""

from __future__ import annotations

from typing import Any

from .accounts import StepRows
from .recorded import RecordedGraph

Way = tuple[Any, ...]  # the cell, the module's call around it, and its label there


class Ways:
    """The calls of a graph by what those of one run of a cell have in common."""

    def __init__(self, graph: RecordedGraph) -> None:
        self.calls: dict[Way, dict[int, int]] = {}
        for call, id in graph._call_ids.items():
            self.calls.setdefault((call.cell, call.scope, call.label), {})[call.step] = id

    def call_of(self, rows: StepRows) -> int | None:
        """The id of one of the calls whose uses some rows are; None where the graph has none of them."""
        return next(iter(self.steps_of(*rows.way).values()), None)

    def steps_of(self, node: Any, cell: int) -> dict[int, int]:
        """The ids of the calls of one cell of a compiled call, by step."""
        ways = node.saved[0].ways
        return self.calls.get(ways[cell], {}) if cell < len(ways) else {}
