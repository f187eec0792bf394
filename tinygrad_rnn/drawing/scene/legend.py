"""What do dots, colours and dashes mean? The line of small print under a picture says it of what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ...graphs.meaning import CellAt, Uses
from . import style
from .scene import Scene
from .style import Look
from .text import text_width

DROP, LINE_HEIGHT, LENGTH, SPACE, GAP = 16.0, 15.0, 20.0, 6.0, 13.0


class Sample(NamedTuple):
    """One sample and its words; ``kind`` is bus, cross, line, thin, dashed or text."""

    words: str
    kind: str
    color: str = style.ORANGE


def samples_of(
    scene: Scene, looks: Mapping[str, Look], *, of_ops: bool, elementwise: bool
) -> Iterator[Sample]:
    """What a picture of cells or of ops has to explain: what is there, and nothing else."""
    cells = [frame.of for frame in scene.frames if isinstance(frame.of, CellAt)]
    uses = any(isinstance(wire.of, Uses) and wire.of.column is not None for wire in scene.wires)
    if uses and not of_ops:
        yield Sample("a dot connects: every tap leaves the same bar", "bus")
    elif uses:
        yield Sample("a dot connects,", "bus")
        yield Sample("a crossing without one does not", "cross")
        yield Sample("the same Parameter", "line")
    for state, look in looks.items():
        yield Sample(state, "line", look.stroke)
    if not of_ops:
        yield Sample("input", "thin")
    if any(cell.column.folded for cell in cells):
        yield Sample("dashed: steps not drawn one by one", "dashed")
    if any(wire.kind == "cut" for wire in scene.wires):
        yield Sample("// cut: the state goes on, no gradient comes back", "text")
    if of_ops:
        ops = (box.of for box in scene.boxes.values() if box.kind == "op")
        if any(isinstance(of, CellAt) and of.node < 0 for of in ops):
            yield Sample("dashed op: constant or not run in this step, not recorded", "dashed")
        yield Sample("other values" + ";  * elementwise" * elementwise, "thin")
        return
    if any(cell.chain.ended for cell in cells):
        yield Sample("grey: beyond the length of every sequence, states hold still", "text")
    if elementwise:
        yield Sample("* elementwise", "text")


def draw_legend(scene: Scene, samples: Sequence[Sample], left: float) -> None:
    """Write the samples below everything that is drawn, in as many lines as the width asks for."""
    _, bottom, right, _ = scene.bounds()
    right = max(right, left + 330)
    x, y = left, bottom - DROP
    for i, sample in enumerate(samples):
        length = {"text": 0.0, "cross": 14.0}.get(sample.kind, LENGTH)
        width = length + SPACE * bool(length) + text_width(sample.words, style.NOTE)
        if x > left and x + width > right:
            x, y = left, y - LINE_HEIGHT
        _draw_sample(scene, f"legend{i}", sample, x, y, length)
        at = x + length + SPACE * bool(length)
        own = sample.kind == "text" and sample.color != style.ORANGE
        color = sample.color if own else style.PLAIN
        scene.text(None, f"legend{i}.text", sample.words, at, y, style.NOTE, color, left=True)
        x += width + GAP


def _draw_sample(
    scene: Scene, part: str, sample: Sample, x: float, y: float, length: float
) -> None:
    middle = x + length / 2
    if sample.kind == "text":
        return
    if sample.kind == "dashed":
        scene.box(None, "", middle, y, length, 12, style.INPUT, "legend", part=part, dashed=True)
        return
    _draw_stroke(scene, part, sample, [(x, y), (x + length, y)])
    if sample.kind == "bus":
        scene.dot((None, f"{part}.dot"), middle, y, sample.color)
    if sample.kind == "cross":
        _draw_stroke(scene, f"{part}v", sample, [(middle, y - 7), (middle, y + 7)])


def _draw_stroke(scene: Scene, part: str, sample: Sample, ends: list[tuple[float, float]]) -> None:
    thin = sample.kind == "thin"
    scene.wire(
        scene.port((None, f"{part}.a"), *ends[0]),
        scene.port((None, f"{part}.b"), *ends[1]),
        ends,
        kind="legend",
        color=style.PLAIN if thin else sample.color,
        pen=1.4 if thin else style.STATE_PEN,
    )
