"""How are weights drawn under the cells? Each Parameter once, as a chip in the panel of its row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ...graphs.meaning import Uses, Weights
from ...graphs.recorded import GraphNode, count_numbers
from ...graphs.unrolled import LayerRow, UnrolledGraph
from ..scene import style
from ..scene.scene import Key, Scene
from ..scene.style import Look
from ..scene.text import plural, shape_text, shorten, text_width
from .grid import AnyGrid

# ---- panels under the cells -------------------------------------------------------------------------

BAR = 6.0
INSET = 10.0  # from the panel's side to the bar's end
BAR_DROP, FRAME_DROP, FRAME_PAD, FOOT = 11.0, 29.0, 6.0, 6.0
CHIP_HEIGHT, CHIP_GAP, COLUMN_GAP, MIN_CHIP, MAX_CHIP = 28.0, 5.0, 10.0, 160.0, 230.0
MIN_HEIGHT, PANEL_GAP, FEEDER = 106.0, 14.0, 16.0
HEADING, NOTE = 12.5, 9.5
MOST_ROWS, WIDEST = 4, 640.0  # beyond so many rows of chips, a panel may be wider than its cells
SENTENCE = ("One set of weights,", "used at every step")
ALONE = "Weights of its own,"
PANEL = Look(style.PARAM.stroke, style.PARAM.fill, style.PARAM.text, 2.5)


class Tap(NamedTuple):
    """Where a use leaves the bar."""

    use: Uses
    x: float


class Panel(NamedTuple):
    """One row's panel: how large it is at least, and who draws what stands in it.

    ``height`` is that at a width; ``draw`` takes left side, right side and top.
    """

    least: float
    height: Callable[[float], float]
    draw: Callable[[float, float, float], None]


def stack_panels(
    grid: AnyGrid, panels: dict[int, Panel], taps: list[list[Tap]], bars: list[float]
) -> None:
    """A panel for each row that has Parameters, one below the other, all of one width.

    The lowest row's taps leave its panel's own bar. An upper row has its bar under its cells, and a
    feeder at the left joins it to its panel.
    """
    if not panels:
        return
    scene, right = grid.scene, grid.right
    width = max(right, *(panel.least for panel in panels.values()))
    top = bars[0] + BAR_DROP
    left = max((right - width) / 2, _free_from(scene, grid.left, top))
    outer = min(scene.bounds()[0], left)
    for i, panel in panels.items():
        weights, bar, height = Weights(i), top - BAR_DROP, panel.height(width)
        scene.frame(weights, (left, top - height, left + width, top), PANEL, part="slab")
        _draw_bar(scene, (weights, "slabbar" if i else "bar"), left, left + width, bar)
        panel.draw(left, left + width, top)
        if i:
            begin = grid.begin_of(i)
            _draw_bar(scene, (weights, "bar"), begin, grid.end_of(i), bars[i])
            x = outer - FEEDER * i
            route = [(left + INSET, bar), (x, bar), (x, bars[i]), (begin + INSET, bars[i])]
            scene.wire((weights, "slabbar"), (weights, "bar"), route, style.FEEDER, of=weights)
        for tap in taps[i]:
            scene.dot((tap.use, ""), tap.x, bars[i], style.ORANGE, style.TAP_DOT)
        top -= height + PANEL_GAP


def _free_from(scene: Scene, begin: float, top: float) -> float:
    """Where a wide panel may begin: right of what stands left of the cells and reaches below a height."""
    sides = (box.sides for box in scene.boxes.values() if box.kind not in ("port", "dot"))
    return max((s[2] + PANEL_GAP for s in sides if s[2] < begin and s[1] < top), default=-math.inf)


def _draw_bar(scene: Scene, key: Key, left: float, right: float, y: float) -> None:
    """The bar that taps leave, within two sides of a panel."""
    x, width = (left + right) / 2, right - left - 2 * INSET
    look = Look(style.ORANGE, style.ORANGE, style.ORANGE, 0)
    scene.box(key[0], "", x, y, width, BAR, look, "bar", part=key[1], square=True)


def draw_panels(grid: AnyGrid, taps: list[list[Tap]], bars: list[float]) -> None:
    """The panels of the forward picture: chips in a frame, a riser to the bar, and a sentence."""
    rows = {i: row for i, row in enumerate(grid.unrolled.rows) if row.params}
    stack_panels(grid, {i: _panel(grid, row, i, taps[i]) for i, row in rows.items()}, taps, bars)


def _panel(grid: AnyGrid, row: LayerRow, i: int, taps: Sequence[Tap]) -> Panel:
    """How the chips of a row are arranged within (or, if need be, beyond) the cells' width."""
    unrolled, right = grid.unrolled, grid.right
    widest = max(text_width(_detail(unrolled, p), style.SMALL) for p in row.params)
    chip = min(max(MIN_CHIP, widest + 8), MAX_CHIP)
    words = max(
        *(text_width(line, HEADING, True) for line in _sentence(unrolled, row)),
        *(text_width(line, NOTE) for line in _notes(unrolled, row)),
    )
    room = right - 16 - words - 24 - INSET - 2 * FRAME_PAD + COLUMN_GAP
    columns = max(1, min(2 if len(row.params) <= 4 else 4, int(room // (chip + COLUMN_GAP))))
    columns = min(columns, len(row.params))
    rows = -(-len(row.params) // columns)
    while rows > MOST_ROWS and 16 + words + 24 + (columns + 1) * (chip + COLUMN_GAP) < WIDEST:
        columns += 1
        rows = -(-len(row.params) // columns)
    wide = columns * (chip + COLUMN_GAP) - COLUMN_GAP + 2 * FRAME_PAD + 2
    tall = rows * (CHIP_HEIGHT + CHIP_GAP) - CHIP_GAP + 2 * FRAME_PAD - 2
    height = max(MIN_HEIGHT, FRAME_DROP + tall + FOOT)

    def draw(left: float, right: float, top: float) -> None:
        scene, weights, end = grid.scene, Weights(i), right - INSET
        begin, ceiling = end - wide, top - FRAME_DROP
        frame = Look(style.ORANGE, style.PARAM.fill, style.PARAM.text, 1.5)
        box = (begin, ceiling - tall, end, ceiling)
        scene.frame(weights, box, frame, part="chips", filled=False)
        x = _between([] if i else [tap.x for tap in taps], begin + 12, end - 12)
        scene.stroke(weights, "riser", (x, ceiling), (x, top - BAR_DROP), style.RISER)
        for k, parameter in enumerate(row.params):
            x = begin + FRAME_PAD + 1 + chip / 2 + (k % columns) * (chip + COLUMN_GAP)
            y = ceiling - FRAME_PAD - CHIP_HEIGHT / 2 - (k // columns) * (CHIP_HEIGHT + CHIP_GAP)
            _draw_chip(grid, parameter, x, y, chip)
        _draw_sentence(grid, row, weights, left + 16, top)

    return Panel(16 + words + 24 + wide + INSET, lambda _width: height, draw)


def _draw_chip(grid: AnyGrid, parameter: GraphNode, x: float, y: float, width: float) -> None:
    of, text, color = (
        grid.unrolled.parameter(parameter.id),
        _detail(grid.unrolled, parameter),
        style.CHIP,
    )
    short = shorten(of.short, style.STATE, width - 8, bold=True)
    small = shorten(text, style.SMALL, width - 6)
    box = (x, y, width, CHIP_HEIGHT, style.CHIP, "param")
    grid.scene.box(of, "", *box, square=True, tooltip=text)
    grid.scene.text(of, "name", short, x, y + 5, style.STATE, color.text, bold=True)
    grid.scene.text(of, "detail", small, x, y - 7.5, style.SMALL, color.text)


def _draw_sentence(grid: AnyGrid, row: LayerRow, weights: Weights, x: float, top: float) -> None:
    scene, color, unrolled = grid.scene, style.PARAM.text, grid.unrolled
    for k, line in enumerate(_sentence(unrolled, row)):
        y = top - 38 - 16 * k
        scene.text(weights, f"says{k}", line, x, y, HEADING, color, bold=True, left=True)
    for k, line in enumerate(_notes(unrolled, row)):
        scene.text(weights, f"note{k}", line, x, top - 76 - 12 * k, NOTE, color, left=True)


def _only_step(unrolled: UnrolledGraph, row: LayerRow) -> int | None:
    """The one step that a row's weights serve where others serve the rest: separate weights a step."""
    own = {step for chain in row.chains for step in chain.calls}
    others = {step for chain in unrolled.chains for step in chain.calls} - own
    return min(own) if len(own) == 1 and others else None


def _sentence(unrolled: UnrolledGraph, row: LayerRow) -> tuple[str, str]:
    step = _only_step(unrolled, row)
    return SENTENCE if step is None else (ALONE, f"used at t = {step + 1} alone")


def _notes(unrolled: UnrolledGraph, row: LayerRow) -> list[str]:
    numbers = sum(count_numbers(p.shape) for p in row.params)
    name = f"{row.name}: " if row.name else ""
    alone = _only_step(unrolled, row) is not None
    first = f"{name}{plural(len(row.params), 'Parameter')}, {numbers:,} numbers,"
    return [first, "none for another step" if alone else "the same for any T"]


def _detail(unrolled: UnrolledGraph, parameter: GraphNode) -> str:
    """The small line of a Parameter: dotted name, shape and use count."""
    name = unrolled.names[parameter.id]
    uses = plural(unrolled.graph.use_count(name), "use")
    return f"{name} · {shape_text(parameter.shape)} · {uses}"


def _between(taps: list[float], low: float, high: float) -> float:
    """The x of the riser: near the middle of the chips, as far from every tap as may be."""
    middle = (low + high) / 2
    halves = [(a + b) / 2 for a, b in pairwise(taps) if low < (a + b) / 2 < high]
    if halves:
        return min(halves, key=lambda x: abs(x - middle))
    if not taps or min(abs(middle - x) for x in taps) > 20:
        return middle
    return low if taps[0] > middle else high
