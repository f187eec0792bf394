"""What comes into the cells from below: x, or the h of the layer underneath."""

from __future__ import annotations

from . import style
from .anchors import Anchor
from .cell_plan import INPUT_DROP, INPUT_HEIGHT, Plan, cell_id
from .lanes import Lane, NoLatticeError, Output
from .slots import Slot
from .style import Look
from .words import class_name, span, sub, text_width


def draw_inputs(plan: Plan) -> list[Anchor]:
    """Draw the x of every cell; return those that the nodes before the cells feed."""
    fed: list[Anchor] = []
    for lane in plan.lattice.lanes:
        for slot in plan.lattice.slots(lane):
            first = lane.here(slot)[0]
            node = lane.calls[first].inputs.get("x")
            if node is None:
                continue
            origin = plan.lattice.origin(node)
            pill = _draw_input(plan, lane, slot, origin.output)
            x, y = plan.column(lane, slot).input, plan.height(lane, -INPUT_DROP)
            if origin.output is not None:
                _draw_from_below(plan, lane, slot, origin.output, origin.via)
            elif plan.lattice.nodes[origin.node].op not in ("input", "literal"):
                fed.append(Anchor(pill, x, y - INPUT_HEIGHT / 2, origin.node))
    return fed


def row_of_inputs(plan: Plan) -> float:
    """The y of the line that feeds the inputs of the lowest row."""
    return plan.bottoms[0] - INPUT_DROP - INPUT_HEIGHT / 2 - 9


def _draw_input(plan: Plan, lane: Lane, slot: Slot, source: Output | None) -> str:
    """The x below a cell, or, in an upper layer, the h that comes from the layer below."""
    face, column = plan.faces[lane], plan.column(lane, slot)
    y = plan.height(lane, -INPUT_DROP)
    name, look = span("x", slot.first, slot.last), style.INPUT
    if source is not None:
        look = plan.looks.get(source.role, style.INPUT)
        shift = source.step - lane.here(slot)[0]
        if not lane.states:
            name = span(source.role, slot.first + shift, slot.last + shift)
        elif (source.role in plan.looks or source.lane.partner) and not slot.folded:
            name += f" = {sub(source.role, slot.first + shift)}"
    pen = style.PLAIN if look is style.INPUT else look.stroke
    width = max(plan.pill, text_width(name, style.STATE, True) + 10)
    pill = plan.picture.box(
        f"{lane.key}.x{slot.first}",
        name,
        column.input,
        y,
        width,
        INPUT_HEIGHT,
        Look(look.stroke, look.fill, look.text),
        f"io x t{slot.first}",
        size=style.STATE,
        bold=True,
        dashed=slot.folded,
    )
    cell = cell_id(lane, slot)
    plan.picture.line(
        pill,
        f"{cell}.z" if face.z else f"{cell}.title",
        [(column.input, y + INPUT_HEIGHT / 2), (column.input, plan.height(lane, face.floor))],
        color=pen,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
    )
    return pill


def _draw_from_below(
    plan: Plan, lane: Lane, slot: Slot, source: Output, via: tuple[str, ...]
) -> None:
    """The line from a lower layer's cell up to the input of an upper one, across its bar."""
    lower = source.lane
    if lower.row >= lane.row:
        raise NoLatticeError
    if lower.partner is not None and source.role == "y":
        _draw_from_joined(plan, lane, slot, lower)
        return
    at = next(s for s in plan.lattice.blocks[lower.block] if source.step in s.steps)
    column = plan.column(lower, at)
    x0 = column.input
    top = plan.height(lower, plan.faces[lower].height)
    x1, end = plan.column(lane, slot).input, plan.height(lane, -INPUT_DROP - INPUT_HEIGHT / 2)
    look = plan.looks.get(source.role, style.OP)
    route = [(x0, top), (x1, end)]
    if x0 != x1:
        route[1:1] = [(x0, top + 10), (x1, top + 10)]
    plan.picture.line(
        f"{cell_id(lower, at)}.title",
        f"{lane.key}.x{slot.first}",
        route,
        color=look.stroke,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=5,
        cls=f"up {class_name(source.role)} t{slot.first}",
    )
    if via:
        words = " ".join(dict.fromkeys(via))
        plan.picture.text(
            f"{lane.key}.via{slot.first}", words, x1 + 5, end - 7, 8.5, style.PLAIN, left=True
        )


def _draw_from_joined(plan: Plan, lane: Lane, slot: Slot, lower: Lane) -> None:
    """From the joined output of two directions to an input of the layer above, past what is between."""
    box = next(n for n in plan.picture.nodes if n.id == f"{lower.key}.y{slot.first}")
    pill = next(n for n in plan.picture.nodes if n.id == f"{lane.key}.x{slot.first}")
    if lane.row == lower.row + 1:
        x = pill.x
        route = [(x, box.sides[3]), (x, pill.sides[1])]
    else:
        x = plan.beside_left(lane, slot)
        route = [(box.sides[0], box.y), (x, box.y), (x, pill.y), (pill.sides[0], pill.y)]
    plan.picture.line(
        box.id,
        pill.id,
        route,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=5,
        cls=f"up y t{slot.first}",
    )
