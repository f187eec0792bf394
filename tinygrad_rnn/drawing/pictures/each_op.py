"""How are the ops of any other graph drawn? Those of a step in lanes, steps side by side, Parameters once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...graphs.blocks import Block, Blocks
from ...graphs.chains import CELLS
from ...graphs.op_blocks import OpColumns, OpLanes
from ...graphs.recorded import RecordedGraph, short_name
from ..scene import style
from ..scene.notes import Notes
from ..scene.scene import Sample, Scene
from ..scene.style import Look
from ..scene.text import (
    fold_count,
    fold_heading,
    op_words,
    plural,
    short_literal,
    state_name,
    sub,
)
from .blocks import BlocksPicture, lay_blocks
from .layers import LayersPicture, lay_layers

SHORT = 12  # a longer name is not repeated in an op
# Lanes a step, and steps drawn one by one: the first of these that is no wider than a screen.
SHAPES = ((4, CELLS), (3, CELLS), (4, 3), (3, 3), (2, CELLS), (2, 3), (1, CELLS), (1, 3))


class _Words(BlocksPicture):
    """What boxes of ops say."""

    notes: Notes | None = None

    def _name(self) -> None:
        self.scene.title = f"Graph, {plural(len(self.names), 'Parameter')}"

    def samples(self) -> Iterator[Sample]:
        """What lines mean here, and what stands in boxes."""
        yield from super().samples()
        for words in self.notes.legend_of_boxes if self.notes else ():
            yield Sample(words, "text", style.GRADIENT.stroke)

    def words(self, block: Block) -> list[str]:
        """What a box says, line by line."""
        if block.kind == "many":
            return super().words(block)
        node, note = self.nodes[block.node], self._note(block)
        if block.kind == "input":
            return [*super().words(block), *note]
        words = [self._op_words(block.node) or node.op]
        if node.name:
            folded = block.column is not None and block.column.folded
            timed, name = block.step is not None and not folded, self._numbered(block, node.name)
            words.insert(0, sub(name, (block.step or 0) + 1) if timed else name)
        if block.kind == "loss" and "loss" not in words:
            words.insert(0, "loss")
        return [*words, *note]

    def _numbered(self, block: Block, name: str) -> str:
        """The name of a value, with its run's number where it is a state and there are several."""
        call = self.blocks._call_of(block)
        if call is None or call.outputs.get(name) != block.node:
            return name
        return state_name(name, self.blocks.layers.get(call.chain))

    def _op_words(self, i: int) -> str:
        """An op with what it takes, where that is a Parameter, has a name, or is one value twice."""
        node = self.nodes[i]
        if len(node.inputs) != 2:
            return node.detail or super()._op_words(i)
        first, second = (self._operand(k) for k in node.inputs)
        if node.inputs[0] == node.inputs[1]:
            first = second = first or "x"
        return op_words(node.op, first, second)

    def _operand(self, i: int) -> str:
        node = self.nodes[i]
        if node.op == "literal":
            return short_literal(node.name)
        name = short_name(self.names[i]) if i in self.names else node.name
        return name if node.op in ("parameter", "input") and len(name) <= SHORT else ""

    def _note(self, block: Block) -> list[str]:
        folded = block.column is not None and block.column.folded
        parts = self.notes.nodes.get(block.node) if self.notes and not folded else None
        return [" | ".join(parts)] if parts else []

    def chip_note(self, parameter: int) -> str:
        """What stands beside the shape of a Parameter."""
        parts = self.notes.nodes.get(parameter) if self.notes else None
        return "  " + " | ".join(parts) if parts else ""


class StepsPicture(_Words):
    """Ops over time."""

    def __init__(
        self,
        graph: RecordedGraph,
        steps: Sequence[int] | None,
        notes: Notes | None,
        lanes: int,
        most: int,
    ) -> None:
        self.notes, self.lanes, self.most = notes, lanes, most
        super().__init__(graph, steps)
        self._name()

    def _read(self, graph: RecordedGraph, steps: Sequence[int] | None) -> Blocks:
        return OpColumns(graph, steps, self.lanes, self.most)

    def _state_of(self, source: Block, value: int, role: str) -> str:
        call = self.blocks._call_of(source)
        outputs = {} if call is None else call.outputs
        return next((r for r, i in outputs.items() if i == value), role)

    def look_of(self, source: Block, said: str) -> Look | None:
        """A state's, where a value is one."""
        return self.looks.get(said)

    def draw_times(self) -> None:
        """Under each step's columns, which one it is."""
        blocks, channels = self.blocks, self.channels
        assert isinstance(blocks, OpColumns)
        _, bottom, _, _ = self.scene.bounds()
        for k, column in enumerate(blocks.times):
            middles = channels.middles[k * blocks.lanes : (k + 1) * blocks.lanes]
            words = fold_heading(column) + (f", {fold_count(column)}" if column.folded else "")
            at = ((middles[0] + middles[-1]) / 2, bottom - 12, style.TITLE, style.PLAIN)
            self.scene.text(None, f"time{k}", words, *at)


class LoosePicture(_Words, LayersPicture):
    """Ops without time."""

    def __init__(self, graph: RecordedGraph, notes: Notes | None, lanes: int) -> None:
        self.notes = notes
        super().__init__(graph, lanes)
        self._name()

    def _read(self, graph: RecordedGraph, steps: Sequence[int] | None) -> Blocks:
        return OpLanes(graph, steps)


def draw_each_op(
    graph: RecordedGraph, steps: Sequence[int] | None = None, notes: Notes | None = None
) -> Scene:
    """Every op of any graph. Raises ValueError for steps that the graph does not have."""
    if steps is None and all(node.step is None for node in graph):
        return lay_layers(lambda lanes: LoosePicture(graph, notes, lanes))[0]
    scenes: list[Scene] = []
    for lanes, most in SHAPES:
        scenes.append(lay_blocks(StepsPicture(graph, steps, notes, lanes, most)))
        if scenes[-1].width <= style.WIDEST:
            break
    return min(scenes, key=lambda scene: scene.width)
