"""How much gradient crosses the lines between the blocks of a graph, and how much comes to each block?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .accounts import UsesByPlace
from .blocks import Block, Blocks
from .flows import Flows
from .ledger import Ledger
from .recorded import PASS_THROUGH


@dataclass(frozen=True)
class Crossing:
    """What a line carries: values into a block, or its use of Parameters."""

    block: Block
    values: tuple[int, ...] = ()
    parameters: tuple[int, ...] = ()


class BlockGradients(UsesByPlace):
    """Norms of the gradients of one pass, by block; ``known`` says whether the ledger is of this graph."""

    def __init__(self, blocks: Blocks, ledger: Ledger) -> None:
        self.blocks, graph = blocks, blocks.graph
        box = {i: block for block in blocks.blocks for i in block.nodes}
        super().__init__(
            graph, ledger, box.get, {call.id: box.get(call.nodes[0]) for call in graph.calls}
        )
        # a layer's own states go from call to call
        senders = {i: (block, blocks.nodes[i].call) for i, block in box.items()}
        self._taken: dict[Block, set[int]] = {}
        for block in blocks.blocks:
            for source, value in blocks.taken_by(block):
                self._taken.setdefault(source, set()).add(value)
        if not self.known:
            return
        values = {value for mine in self._taken.values() for value in mine}
        loose = {n.id for n in blocks.nodes if n.op in PASS_THROUGH and n.id not in box}
        self._flows = Flows(graph, ledger, senders, values, loose)

    def crosses(self, crossing: Crossing) -> float:
        """The norm of what crosses a line: of several values or Parameters, all together."""
        if crossing.parameters:
            return _together(self.norm_at(p, crossing.block) for p in crossing.parameters)
        return _together(self._into(crossing.block, value) for value in crossing.values)

    def _into(self, block: Block, value: int) -> float:
        """The norm of what a block sends back to a value."""
        sent = self._flows.arrived[value].items() if value in self._flows.arrived else ()
        parts = [d for sender, d in sent if isinstance(sender, tuple) and sender[0] is block]
        return float(np.linalg.norm(sum(parts[1:], parts[0]))) if parts else 0.0

    def at(self, block: Block) -> float | None:
        """The norm of the gradients of all that others take of a block; None where nothing comes."""
        totals = [self._flows.total(value) for value in self._taken.get(block, ())]
        found = [float(np.linalg.norm(total)) for total in totals if total is not None]
        return _together(found) if found else None


def _together(norms: Iterable[float]) -> float:
    return math.hypot(*norms)
