"""How is a backward pass drawn where cells are no grid, or layers are asked for? In rows, arrows reversed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ...graphs.block_gradients import BlockGradients
from ...graphs.blocks import Block, Blocks
from ...graphs.contributions import MEASURES
from ...graphs.ledger import Ledger
from ...graphs.recorded import RecordedGraph
from ..scene import style
from ..scene.scene import Scene, Wire
from ..scene.text import number
from .backward import ANOTHER_GRAPH, ARROW, CAPTION, CAPTION_LINE, wrapped
from .blocks import BlocksPicture, lay_blocks
from .layers import LayersPicture, lay_layers

SENTENCES = (
    "Backward, against the direction in which values went.",
    "In a box: norm of the gradient of what it gives.",
    "In a panel: norm of each Parameter's whole gradient G.",
    "Arrow width: norm of what crosses, of all steps together where one arrow stands for several.",
)


class _Gradients(BlocksPicture):
    """What a picture of blocks says of a backward pass."""

    ledger: Ledger

    def _begin(self, blocks: Blocks) -> None:
        super()._begin(blocks)
        self.gradients = BlockGradients(blocks, self.ledger)
        if not self.gradients.known:
            raise ValueError(ANOTHER_GRAPH)

    def words(self, block: Block) -> list[str]:
        """What a box says, and how large the gradient is that comes to it."""
        size = self.gradients.at(block)
        if block.kind == "many" or (block.kind == "loss" and size is None):
            return super().words(block)
        return [*super().words(block), "no gradient" if size is None else f"grad {number(size)}"]

    def chip_note(self, parameter: int) -> str:
        """Beside a Parameter's shape: how large its gradient is."""
        return f"  |G| = {number(self.gradients.whole(parameter))}"


class BackwardRows(_Gradients):
    """Cells and what stands between them, of a pass."""

    def __init__(self, graph: RecordedGraph, ledger: Ledger, steps: Sequence[int] | None) -> None:
        self.ledger = ledger
        super().__init__(graph, steps)


class BackwardLayers(_Gradients, LayersPicture):
    """Layers and modules, of a pass."""

    def __init__(self, graph: RecordedGraph, ledger: Ledger, lanes: int) -> None:
        self.ledger = ledger
        LayersPicture.__init__(self, graph, lanes)


def draw_backward_rows(
    graph: RecordedGraph, ledger: Ledger, measure: str, steps: Sequence[int] | None
) -> Scene:
    """A pass through cells that are no grid. Raises ValueError as :func:`draw_backward` does."""
    _check(measure)
    picture = BackwardRows(graph, ledger, steps)
    return _reversed(picture, lay_blocks(picture))


def draw_backward_layers(graph: RecordedGraph, ledger: Ledger, measure: str) -> Scene:
    """A pass through layers, or through modules. Raises ValueError as :func:`draw_backward` does."""
    _check(measure)
    scene, picture = lay_layers(lambda lanes: BackwardLayers(graph, ledger, lanes))
    return _reversed(picture, scene)


def _check(measure: str) -> None:
    if measure not in MEASURES:
        raise ValueError(f"backward_measure={measure!r}: expected 'projection' or 'norm'")


def _reversed(picture: BlocksPicture, scene: Scene) -> Scene:
    """The scene with every line the other way round, as wide and as dark as what crosses it."""
    assert isinstance(picture, _Gradients)
    sizes = {k: picture.gradients.crosses(what) for k, what in picture.crossings.items()}
    most = {
        kind: max(
            (s for k, s in sizes.items() if (scene.wires[k].kind == "use") == kind), default=0.0
        )
        for kind in (True, False)
    }
    scene.title = f"Backward through {scene.title}"
    for k, size in sizes.items():
        scene.wires[k] = _turned(scene.wires[k], size, most[scene.wires[k].kind == "use"])
    left, _, right, top = scene.bounds()
    lines = wrapped([*SENTENCES], max(right - left, 420.0))
    for k, line in enumerate(lines):
        y = top + 12 + CAPTION_LINE * (len(lines) - 1 - k)
        scene.text(None, f"says{k}", line, (left + right) / 2, y, CAPTION, style.PLAIN)
    return scene


def _turned(wire: Wire, size: float, most: float) -> Wire:
    share = size / most if most and math.isfinite(size) else 0.0
    crossing = bool(size)
    end, before = wire.route[0], wire.route[1]
    short = abs(end[0] - before[0]) + abs(end[1] - before[1]) < 10 * ARROW  # no room for its head
    scene = Scene("")
    scene.wire(
        wire.head,
        wire.tail,
        wire.route[::-1],
        of=wire.of,
        kind=wire.kind,
        color=style.RAMP[min(int(share * 5), 4)] if crossing else style.QUIET,
        pen=1 + 5 * share if crossing else 1.0,
        arrow=ARROW if crossing and not short else 0.0,
        radius=wire.bend[0],
        dashed=wire.attrs.get("style") == "dashed",
        tooltip=f"{size:.6g}" if crossing else "nothing crosses",
        gradient=True,
    )
    return replace(scene.wires[0])
