"""Both directions at op level: the joined output of each step, and the ways to and from it."""

from __future__ import annotations

from . import style
from .anchors import Anchor
from .lanes import Lane
from .op_plan import JOINED, RISE, Plan, step_id
from .params import HEIGHT as PARAM_HEIGHT
from .rails import ASIDE
from .shapes import Point
from .slots import Slot
from .style import Look
from .words import span, text_width

Y_HEIGHT = 20.0


def draw_joined(plan: Plan, lane: Lane) -> None:
    """The y above each step of the upper of two directions, and the line from each of the two to it."""
    if lane.partner is None:
        return
    look = plan.looks[lane.out_role]
    level = row_top(plan, lane.row) + JOINED - 18
    for slot in plan.lattice.slots(lane):
        left, right = plan.edges(lane, slot)
        name = span("y", slot.first, slot.last)
        label = name if slot.folded else f"{name} = [fwd; rev]"
        width = text_width(label, 9.5) + 12
        box = plan.picture.box(
            f"{lane.key}.y{slot.first}",
            label,
            (left + right) / 2,
            level,
            width,
            Y_HEIGHT,
            Look(look.stroke, look.fill, look.text),
            f"io y t{slot.first}",
            size=9.5,
            dashed=slot.folded,
        )
        middle = (left + right) / 2
        at = leave_point(plan, lane, slot)
        near = (middle - width / 2 if at[0] < middle else middle + width / 2, level)
        _line(plan, lane, slot, box, [at, (at[0], level), near])
        lower, beside = lane.partner, plan.beside_right(lane, slot)
        at = leave_point(plan, lower, slot)
        channel = row_top(plan, lower.row) + 10
        end = (middle + width / 2, level)
        route = [at, (at[0], channel), (beside, channel), (beside, level), end]
        _line(plan, lower, slot, box, route)


def draw_from_joined(plan: Plan, lane: Lane, slot: Slot, lower: Lane) -> None:
    """From the joined output below to the input of one direction of the layer above."""
    boxes = {node.id: node for node in plan.picture.nodes}
    box, pill = boxes[f"{lower.key}.y{slot.first}"], boxes[f"{lane.key}.x{slot.first}"]
    channel = box.sides[3] + 9
    if lane.row == lower.row + 1:
        route = [
            (box.x, box.sides[3]),
            (box.x, channel),
            (pill.x, channel),
            (pill.x, pill.sides[1]),
        ]
    else:
        beside = plan.edges(lane, slot)[1] + (plan.gap + plan.pill) / 2 + ASIDE
        route = [
            (box.x, box.sides[3]),
            (box.x, channel),
            (beside, channel),
            (beside, pill.y),
            (pill.sides[2], pill.y),
        ]
    plan.picture.line(
        box.id,
        pill.id,
        route,
        color=plan.looks[lower.out_role].stroke,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=5,
        cls=f"up y t{slot.first}",
    )


def joined_anchors(plan: Plan, lane: Lane) -> dict[tuple[Lane, int, str], Anchor]:
    """Where a line may leave the joined outputs."""
    anchors: dict[tuple[Lane, int, str], Anchor] = {}
    boxes = {node.id: node for node in plan.picture.nodes}
    for slot in plan.lattice.slots(lane):
        box = boxes[f"{lane.key}.y{slot.first}"]
        for step in slot.steps:
            rise = box.sides[3] + RISE
            anchors[lane, step, "y"] = Anchor(box.id, box.x, box.sides[3], rise=rise)
    return anchors


def leave_point(plan: Plan, lane: Lane, slot: Slot) -> Point:
    """Where the output of a step goes up; its dot where that is not the top of a box."""
    step, template = step_id(lane, slot), plan.templates[lane]
    if slot.folded:
        x, y = plan.left(lane, slot) + 24, plan.frame(lane)[1]
        plan.picture.port(f"{step}.up", x, y)
        return x, y
    x, y = plan.at(lane, slot, template.leave)
    spot = template.spot(template.states[lane.out_role])
    if y != spot.y + spot.height / 2 + plan.bases[lane.row]:
        plan.picture.dot(f"{step}.up.dot", x, y, plan.looks[lane.out_role].stroke, 5)
    return x, y


def row_top(plan: Plan, row: int) -> float:
    """The top of a row's frames and of the Parameters above them."""
    lanes = plan.lattice.rows[row].lanes
    tops = [bus.y + PARAM_HEIGHT / 2 for bus in plan.buses[row] if bus.side == "above"]
    return max([*tops, *(plan.frame(lane)[1] for lane in lanes)])


def _line(plan: Plan, lane: Lane, slot: Slot, box: str, route: list[Point]) -> None:
    step, template = step_id(lane, slot), plan.templates[lane]
    tail = f"{step}.up" if slot.folded else f"{step}.{template.states[lane.out_role]}"
    plan.picture.line(
        tail,
        box,
        route,
        color=plan.looks[lane.out_role].stroke,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=6,
        cls=f"up h t{slot.first}",
    )
