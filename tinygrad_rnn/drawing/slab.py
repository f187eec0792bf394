"""The foundation of the cell level: Parameters once, in a slab, and the bar that every tap leaves."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from . import style
from .params import param_tokens
from .shapes import Picture
from .slots import Slot
from .style import Look
from .unroll import Lattice, Row
from .words import (
    count_numbers,
    plural,
    shape_text,
    shorten,
    text_width,
)

if TYPE_CHECKING:
    from ..graphs.graph import GraphNode

BAR = 6.0
INSET = 10.0  # from the slab's side to the bar's end
BAR_DROP, FRAME_DROP, FRAME_PAD, FOOT = 11.0, 29.0, 6.0, 6.0
CHIP_HEIGHT, CHIP_GAP, COLUMN_GAP, MIN_CHIP, MAX_CHIP = 28.0, 5.0, 10.0, 160.0, 230.0
MIN_HEIGHT, SLAB_GAP, FEEDER = 106.0, 14.0, 16.0
HEADING, NOTE = 12.5, 9.5
MOST_ROWS, WIDEST = 4, 640.0  # beyond so many rows of chips, a slab may be wider than its cells
SENTENCE = ("One set of weights,", "used at every step")
ALONE = "Weights of its own,"


class Tap(NamedTuple):
    """Where a use leaves the bar: the dot's id and x."""

    id: str
    x: float


class Plan(NamedTuple):
    """The size of one row's slab: the width of a chip, columns and rows of chips."""

    chip: float
    columns: int
    rows: int
    width: float
    height: float


def use_class(lattice: Lattice, counts: Mapping[int, int], slot: Slot) -> str:
    """The classes of a tap: ``use t3``, then for each Parameter ``W_hh p-lstm.weight_hh_l0``.

    A Parameter that is used twice there has its dotted name twice. A dashed tap is
    ``use fold t3-t98 n96`` (n: uses of each Parameter) and names each Parameter once.
    """
    tokens = ["use"]
    if slot.folded:
        tokens += ["fold", f"t{slot.first}-t{slot.last}", f"n{max(counts.values())}"]
    else:
        tokens.append(f"t{slot.first}")
    for parameter, n in counts.items():
        short, name = lattice.short(parameter), lattice.names[parameter]
        tokens.append(param_tokens(short, name, 1 if slot.folded else n))
    return " ".join(tokens)


def detail(graph_name: str, node: GraphNode, uses: int) -> str:
    """The small line of a Parameter: dotted name, shape and use count."""
    return f"{graph_name} · {shape_text(node.shape)} · {plural(uses, 'use')}"


def slab_width(lattice: Lattice, row: Row, right: float) -> Plan:
    """How the chips of a row's slab are arranged within (or, if need be, beyond) the cells' width."""
    widest = max(text_width(_detail(lattice, p), style.SMALL) for p in row.params)
    chip = min(max(MIN_CHIP, widest + 8), MAX_CHIP)
    words = max(
        *(text_width(line, HEADING, True) for line in _sentence(lattice, row)),
        *(text_width(line, NOTE) for line in _notes(lattice, row)),
    )
    room = right - 16 - words - 24 - INSET - 2 * FRAME_PAD + COLUMN_GAP
    columns = max(1, min(2 if len(row.params) <= 4 else 4, int(room // (chip + COLUMN_GAP))))
    columns = min(columns, len(row.params))
    rows = -(-len(row.params) // columns)
    while rows > MOST_ROWS and 16 + words + 24 + (columns + 1) * (chip + COLUMN_GAP) < WIDEST:
        columns += 1
        rows = -(-len(row.params) // columns)
    frame = columns * (chip + COLUMN_GAP) - COLUMN_GAP + 2 * FRAME_PAD + 2
    tall = FRAME_DROP + rows * (CHIP_HEIGHT + CHIP_GAP) - CHIP_GAP + 2 * FRAME_PAD - 2 + FOOT
    width = max(right, 16 + words + 24 + frame + INSET)
    return Plan(chip, columns, rows, width, max(MIN_HEIGHT, tall))


def draw_slabs(
    picture: Picture, lattice: Lattice, taps: list[list[Tap]], bars: list[float], right: float
) -> None:
    """A slab for each row that has Parameters, one below the other.

    The lowest row's taps leave its slab's own bar. An upper row has its bar under its cells, and a
    feeder at the left joins it to its slab.
    """
    plans = {i: slab_width(lattice, row, right) for i, row in enumerate(lattice.rows) if row.params}
    if not plans:
        return
    width = max(plan.width for plan in plans.values())
    left = (right - width) / 2
    outer = min(picture.bounds()[0], left)
    top = bars[0] + BAR_DROP
    for i, plan in plans.items():
        row = lattice.rows[i]
        _draw_slab(picture, lattice, row, i, plan, (left, top, width), taps[i])
        if i:
            x = outer - FEEDER * i
            draw_upper_bar(picture, i, bars[i], x, top - BAR_DROP, left, right)
        for tap in taps[i]:
            picture.dot(tap.id, tap.x, bars[i], style.ORANGE, style.SLAB_DOT)
        top -= plan.height + SLAB_GAP


def _draw_slab(
    picture: Picture,
    lattice: Lattice,
    row: Row,
    i: int,
    plan: Plan,
    place: tuple[float, float, float],
    taps: list[Tap],
) -> None:
    left, top, width = place
    id, bar = f"row{i}", top - BAR_DROP
    slab = Look(style.PARAM.stroke, style.PARAM.fill, style.PARAM.text, 2.5)
    picture.frame(f"{id}.slab", (left, top - plan.height, left + width, top), slab)
    draw_bar(picture, f"{id}.bar" if i == 0 else f"{id}.slabbar", left, left + width, bar)
    end = left + width - INSET
    begin = end - (plan.columns * (plan.chip + COLUMN_GAP) - COLUMN_GAP + 2 * FRAME_PAD + 2)
    frame_top = top - FRAME_DROP
    tall = plan.rows * (CHIP_HEIGHT + CHIP_GAP) - CHIP_GAP + 2 * FRAME_PAD - 2
    frame = Look(style.ORANGE, style.PARAM.fill, style.PARAM.text, 1.5)
    picture.frame(f"{id}.chips", (begin, frame_top - tall, end, frame_top), frame, filled=False)
    riser = _between([tap.x for tap in taps] if i == 0 else [], begin + 12, end - 12)
    picture.line(
        picture.port(f"{id}.riser.a", riser, frame_top),
        picture.port(f"{id}.riser.b", riser, bar),
        [(riser, frame_top), (riser, bar)],
        color=style.ORANGE,
        pen=style.RISER_PEN,
        cls="riser",
    )
    for k, parameter in enumerate(row.params):
        x = begin + FRAME_PAD + 1 + plan.chip / 2 + (k % plan.columns) * (plan.chip + COLUMN_GAP)
        y = frame_top - FRAME_PAD - CHIP_HEIGHT / 2 - (k // plan.columns) * (CHIP_HEIGHT + CHIP_GAP)
        _draw_chip(picture, lattice, parameter, x, y, plan.chip)
    _draw_sentence(picture, lattice, id, row, left + 16, top)


def _draw_sentence(
    picture: Picture, lattice: Lattice, id: str, row: Row, x: float, top: float
) -> None:
    color = style.PARAM.text
    for k, line in enumerate(_sentence(lattice, row)):
        y = top - 38 - 16 * k
        picture.text(f"{id}.says{k}", line, x, y, HEADING, color, bold=True, left=True)
    for k, line in enumerate(_notes(lattice, row)):
        picture.text(f"{id}.note{k}", line, x, top - 76 - 12 * k, NOTE, color, left=True)


def _only_step(lattice: Lattice, row: Row) -> int | None:
    """The one step that a row's weights serve where others serve the rest: separate weights a step."""
    own = {step for lane in row.lanes for step in lane.calls}
    others = {step for lane in lattice.lanes for step in lane.calls} - own
    return min(own) if len(own) == 1 and others else None


def _sentence(lattice: Lattice, row: Row) -> tuple[str, str]:
    step = _only_step(lattice, row)
    return SENTENCE if step is None else (ALONE, f"used at t = {step + 1} alone")


def _notes(lattice: Lattice, row: Row) -> list[str]:
    numbers = sum(count_numbers(p.shape) for p in row.params)
    name = f"{row.name}: " if row.name else ""
    many = plural(len(row.params), "Parameter")
    first = f"{name}{many}, {numbers:,} numbers"
    step = _only_step(lattice, row)
    return (
        [f"{first},", "the same for any T"]
        if step is None
        else [f"{first},", "none for another step"]
    )


def _detail(lattice: Lattice, parameter: GraphNode) -> str:
    name = lattice.names[parameter.id]
    return detail(name, parameter, lattice.graph.use_count(name))


def _draw_chip(
    picture: Picture, lattice: Lattice, parameter: GraphNode, x: float, y: float, width: float
) -> None:
    name, look = lattice.names[parameter.id], style.CHIP
    id, text = f"param.{name}", _detail(lattice, parameter)
    cls = f"param {param_tokens(lattice.short(parameter.id), name)}"
    short = shorten(lattice.short(parameter.id), style.STATE, width - 8, bold=True)
    small = shorten(text, style.SMALL, width - 6)
    picture.box(id, "", x, y, width, CHIP_HEIGHT, look, cls, square=True, tooltip=text)
    picture.text(f"{id}.name", short, x, y + 5, style.STATE, look.text, bold=True)
    picture.text(f"{id}.detail", small, x, y - 7.5, style.SMALL, look.text)


def draw_bar(picture: Picture, id: str, left: float, right: float, y: float) -> None:
    """The bar that taps leave, within two sides of a slab."""
    x, width = (left + right) / 2, right - left - 2 * INSET
    look = Look(style.ORANGE, style.ORANGE, style.ORANGE, 0)
    picture.box(id, "", x, y, width, BAR, look, "bar", square=True)


def draw_upper_bar(
    picture: Picture, i: int, y: float, feeder: float, start: float, left: float, right: float
) -> None:
    """The bar under an upper row and the thick line that joins it to its slab."""
    draw_bar(picture, f"row{i}.bar", 0.0, right, y)
    route = [(left + INSET, start), (feeder, start), (feeder, y), (INSET, y)]
    picture.line(
        f"row{i}.slabbar",
        f"row{i}.bar",
        route,
        color=style.ORANGE,
        pen=style.RISER_PEN,
        cls="riser feeder",
    )


def _between(taps: list[float], low: float, high: float) -> float:
    """The x of the riser: near the middle of the chips, as far from every tap as may be."""
    middle = (low + high) / 2
    halves = [(a + b) / 2 for a, b in pairwise(taps) if low < (a + b) / 2 < high]
    if halves:
        return min(halves, key=lambda x: abs(x - middle))
    if not taps or min(abs(middle - x) for x in taps) > 20:
        return middle
    return low if taps[0] > middle else high
