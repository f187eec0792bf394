"""States between the cells: pills, rails, and what leaves the cells at the end."""

from __future__ import annotations

from collections.abc import Iterator

from . import style
from .anchors import Anchor
from .cell_plan import COLLECT_RISE, PILL_HEIGHT, Plan, cell_id
from .slots import Slot
from .unroll import Lane, Output
from .words import class_name, sub, text_width


def draw_states_out(plan: Plan, lane: Lane, slot: Slot) -> None:
    """Each state's pill after a slot, and the rails to it and from it into the next cell."""
    face, column = plan.faces[lane], plan.column(lane, slot)
    x, cell = column.right + plan.gap / 2, cell_id(lane, slot)
    slots = plan.lattice.slots(lane)
    following = slots[slots.index(slot) + 1 :][:1]
    for state in lane.states:
        look, band = plan.looks[state], plan.height(lane, face.bands[state])
        pill = _pill(plan, lane, state, slot.last, x)
        entry = plan.height(lane, face.enters_at(state))
        left, up = x - plan.pill / 2, entry + PILL_HEIGHT / 2
        start = (column.right - 0.5, band)
        route = [start, (left, band)] if band == entry else [start, (x, band), (x, up)]
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
    slot = plan.lattice.slots(lane)[0]
    x = plan.column(lane, slot).left - plan.gap / 2
    for state in lane.states:
        pill = _pill(plan, lane, state, slot.first - 1, x)
        _draw_rail_in(plan, lane, state, pill, x, slot)
        start = lane.calls[lane.steps[0]].inputs.get(state)
        output = None if start is None else plan.lattice.origin(start).output
        if output is not None and output.role != "y":
            _draw_handover(plan, output, pill, (x, plan.height(lane, 0)), state, lane)
    row = plan.lattice.rows[lane.row]
    if row.name and lane is row.lanes[0]:
        top = plan.height(lane, plan.faces[lane].title_middle)
        right = plan.column(lane, slot).left - 6
        x = right - text_width(row.name, style.NOTE) / 2
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
    face, column = plan.faces[lane], plan.column(lane, slot)
    y = plan.height(lane, face.enters_at(state))
    inset, end = (5.0, "z") if state == face.entering else (0.5, state)
    plan.picture.line(
        pill,
        f"{cell_id(lane, slot)}.{end}",
        [(x + plan.pill / 2, y), (column.left + inset, y)],
        color=plan.looks[state].stroke,
        pen=style.RAIL_PEN,
        arrow=style.ARROW,
        cls=f"rail {class_name(state)}",
    )


def _draw_handover(
    plan: Plan, output: Output, pill: str, at: tuple[float, float], state: str, lane: Lane
) -> None:
    """A rail from the last state of one lane to the first of another: they are the same value."""
    last = plan.lattice.slots(output.lane)[-1]
    x0 = plan.column(output.lane, last).right + plan.gap / 2 + plan.pill / 2
    y0 = plan.height(output.lane, plan.faces[output.lane].enters_at(output.role))
    end = (at[0] - plan.pill / 2, plan.height(lane, plan.faces[lane].enters_at(state)))
    plan.picture.line(
        f"{output.lane.key}.{output.role}{last.last}",
        pill,
        [(x0, y0), end],
        color=plan.looks[state].stroke,
        pen=style.RAIL_PEN,
        swing="" if y0 == end[1] else "h",
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
    face, column = plan.faces[lane], plan.column(lane, slot)
    step = slot.steps[-1]
    for state in lane.states:
        x = column.right + plan.gap / 2 + plan.pill / 2
        y = plan.height(lane, face.enters_at(state))
        if slot is plan.lattice.slots(lane)[-1]:
            yield (lane, step, state), Anchor(f"{lane.key}.{state}{slot.last}", x, y)
    if lane.collected:
        box = next(n for n in plan.picture.nodes if n.id == f"{lane.key}.y{slot.first}")
        side = (box.sides[2], box.y) if slot is plan.lattice.slots(lane)[-1] else None
        anchor = Anchor(box.id, box.x, box.sides[3], rise=box.sides[3] + COLLECT_RISE, side=side)
        for inside in slot.steps:
            for role in (lane.out_role, "y"):
                yield (lane, inside, role), anchor


def bar_ends(plan: Plan) -> dict[int, Anchor]:
    """Where a use after the cells may leave the bar of each Parameter's slab."""
    ends: dict[int, Anchor] = {}
    for i, row in enumerate(plan.lattice.rows):
        for parameter in row.params:
            ends[parameter.id] = Anchor(f"row{i}.bar", plan.right - 10, plan.bar(i))
    return ends
