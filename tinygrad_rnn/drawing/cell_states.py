"""States between the cells: pills, rails, and what leaves the cells at the end."""

from __future__ import annotations

from collections.abc import Iterator

from . import style
from .anchors import Anchor
from .cell_plan import COLLECT_RISE, PILL_HEIGHT, Plan, cell_id
from .handover import draw_handover
from .lanes import Lane
from .rails import handovers, is_joined
from .slots import Slot
from .words import class_name, sub, text_width


def draw_states_out(plan: Plan, lane: Lane, slot: Slot) -> None:
    """Each state's pill after a slot, and the rails to it and from it into the next cell."""
    face, cell, sign = plan.faces[lane], cell_id(lane, slot), plan.sign(lane)
    step, x = plan.pill_after(lane, slot)
    slots = plan.slots_run(lane)
    following = slots[slots.index(slot) + 1 :][:1]
    for state in lane.states:
        look, band = plan.looks[state], plan.height(lane, face.bands[state])
        pill = _pill(plan, lane, state, step, x)
        entry = plan.height(lane, face.enters_at(state))
        near, up = x - sign * plan.pill / 2, entry + PILL_HEIGHT / 2
        start = (plan.leaves(lane, slot) - sign * 0.5, band)
        route = [start, (near, band)] if band == entry else [start, (x, band), (x, up)]
        plan.picture.line(
            f"{cell}.{state}",
            pill,
            route,
            color=look.stroke,
            pen=style.RAIL_PEN,
            cls=f"rail {class_name(state)}",
        )
        for after in following:
            _draw_rail_in(plan, lane, state, pill, x, after)


def draw_states_in(plan: Plan, lane: Lane) -> None:
    """The initial states, and the rail from another lane where one goes on from it."""
    slot, (step, x) = plan.slots_run(lane)[0], plan.pill_before(lane)
    for state in lane.states:
        pill = _pill(plan, lane, state, step, x)
        _draw_rail_in(plan, lane, state, pill, x, slot)
        y = plan.height(lane, plan.faces[lane].enters_at(state))
        draw_handover(plan, lane, state, pill, (x - plan.sign(lane) * plan.pill / 2, y))
    row = plan.lattice.rows[lane.row]
    if row.name and lane is row.lanes[0]:
        top = plan.height(lane, plan.faces[lane].title_middle)
        right = plan.column(lane, plan.lattice.slots(lane)[0]).left - 6
        if is_joined(plan.lattice):
            right -= (plan.gap - plan.pill) / 2
        wide = text_width(row.name, style.NOTE)
        x = right - wide / 2
        if handovers(plan.lattice, lane.block):  # there is no room beside the cell
            x = plan.column(lane, slot).input - 8 - wide / 2
            top = plan.height(lane, plan.faces[lane].height + 8)
        plan.picture.text(f"{lane.key}.row", row.name, x, top, style.NOTE, style.PLAIN)


def _pill(plan: Plan, lane: Lane, state: str, step: int, x: float) -> str:
    """A state on its rail, between two steps."""
    return plan.picture.box(
        f"{lane.key}.{state}{step}",
        sub(state, step),
        x,
        plan.height(lane, plan.faces[lane].enters_at(state)),
        plan.pill,
        PILL_HEIGHT,
        plan.looks[state],
        f"state {class_name(state)} t{step}",
        size=style.STATE,
        bold=True,
    )


def _draw_rail_in(plan: Plan, lane: Lane, state: str, pill: str, x: float, slot: Slot) -> None:
    face, sign = plan.faces[lane], plan.sign(lane)
    y = plan.height(lane, face.enters_at(state))
    inset, end = (5.0, "z") if state == face.entering else (0.5, state)
    plan.picture.line(
        pill,
        f"{cell_id(lane, slot)}.{end}",
        [(x + sign * plan.pill / 2, y), (plan.enters(lane, slot) + sign * inset, y)],
        color=plan.looks[state].stroke,
        pen=style.RAIL_PEN,
        arrow=style.ARROW,
        cls=f"rail {class_name(state)}",
    )


def output_anchors(plan: Plan) -> dict[tuple[Lane, int, str], Anchor]:
    """Where a line may start for each output that is drawn: its y, else the last pill."""
    anchors: dict[tuple[Lane, int, str], Anchor] = {}
    for lane in plan.lattice.lanes:
        for slot in plan.lattice.slots(lane):
            anchors.update(_slot_anchors(plan, lane, slot))
    return anchors


def _slot_anchors(
    plan: Plan, lane: Lane, slot: Slot
) -> Iterator[tuple[tuple[Lane, int, str], Anchor]]:
    face, last = plan.faces[lane], slot is plan.slots_run(lane)[-1]
    number, x = plan.pill_after(lane, slot)
    if last:
        for state in lane.states:
            y, id = plan.height(lane, face.enters_at(state)), f"{lane.key}.{state}{number}"
            yield (lane, number - 1, state), _end_of(plan, lane, id, x, y)
    if lane.collected:
        box = next(n for n in plan.picture.nodes if n.id == f"{lane.key}.y{slot.first}")
        right = slot is plan.lattice.slots(lane)[-1] and lane.partner is None
        side = (box.sides[2], box.y) if right else None
        anchor = Anchor(box.id, box.x, box.sides[3], rise=box.sides[3] + COLLECT_RISE, side=side)
        for inside in slot.steps:
            for role in (lane.out_role, "y"):
                if role == "y" or lane.partner is None:
                    yield (lane, inside, role), anchor


def _end_of(plan: Plan, lane: Lane, id: str, x: float, y: float) -> Anchor:
    """The end of a rail: at the right, or at the left, from where a line must go over everything."""
    if not lane.backwards:
        return Anchor(id, x + plan.pill / 2, y)
    rise = max(plan.top(i) for i in range(len(plan.bottoms))) + 2 * COLLECT_RISE
    return Anchor(id, x, y + PILL_HEIGHT / 2, rise=rise)


def bar_ends(plan: Plan) -> dict[int, Anchor]:
    """Where a use after the cells may leave the bar of each Parameter's slab."""
    ends: dict[int, Anchor] = {}
    for i, row in enumerate(plan.lattice.rows):
        for parameter in row.params:
            ends[parameter.id] = Anchor(f"row{i}.bar", plan.right - 10, plan.bar(i))
    return ends
