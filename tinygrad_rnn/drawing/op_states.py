"""States and inputs at op level: pills, rails, what goes up a layer, and what leaves at the end."""

from __future__ import annotations

from collections.abc import Iterator

from . import style
from .anchors import Anchor
from .op_plan import CHANNEL, PILL_HEIGHT, RISE, Plan, entry_height, step_id
from .params import HEIGHT as PARAM_HEIGHT
from .shapes import Point
from .slots import Slot
from .style import Look
from .unroll import Lane, NoLatticeError, Output
from .words import class_name, span, sub, text_width


def draw_states_out(plan: Plan, lane: Lane, slot: Slot) -> None:
    """Each state's pill after a slot, the rail to it, and the rail into the next slot."""
    right = plan.left(lane, slot) + plan.width(lane, slot)
    x = right + plan.gap / 2
    slots = plan.lattice.slots(lane)
    following = slots[slots.index(slot) + 1 :][:1]
    for state in lane.states:
        pill, y = _pill(plan, lane, state, slot.last, x)
        end = (x - plan.pill / 2, y)
        tail, route = _way_out(plan, lane, slot, state, end)
        plan.picture.line(
            tail,
            pill,
            route,
            color=plan.looks[state].stroke,
            pen=style.RAIL_PEN,
            cls=f"rail {class_name(state)}",
            radius=10,
        )
        for after in following:
            _draw_rail_in(plan, lane, after, state, pill, (x + plan.pill / 2, y))


def draw_states_in(plan: Plan, lane: Lane) -> None:
    """The initial states and their rails, and the name of the row where there are several."""
    slot = plan.lattice.slots(lane)[0]
    x = plan.left(lane, slot) - plan.gap / 2
    for state in lane.states:
        pill, y = _pill(plan, lane, state, slot.first - 1, x)
        _draw_rail_in(plan, lane, slot, state, pill, (x + plan.pill / 2, y))
        start = lane.calls[lane.steps[0]].inputs.get(state)
        output = None if start is None else plan.lattice.origin(start).output
        if output is not None and output.role != "y":
            _draw_handover(plan, output, pill, (x - plan.pill / 2, y))
    row = plan.lattice.rows[lane.row]
    if row.name and lane is row.lanes[0]:
        y = plan.frame(lane)[1] - 12
        right = plan.left(lane, slot) - 6 - text_width(row.name, style.NOTE) / 2
        plan.picture.text(f"{lane.key}.row", row.name, right, y, style.NOTE, style.PLAIN)


def _draw_handover(plan: Plan, output: Output, pill: str, end: Point) -> None:
    """A rail from the last state of one lane to the first of another: they are the same value."""
    last = plan.lattice.slots(output.lane)[-1]
    right = plan.left(output.lane, last) + plan.width(output.lane, last)
    start = (right + (plan.gap + plan.pill) / 2, entry_height(plan, output.lane, output.role))
    plan.picture.line(
        f"{output.lane.key}.{output.role}{last.last}",
        pill,
        [start, end],
        color=plan.looks[output.role].stroke,
        pen=style.RAIL_PEN,
        swing="" if start[1] == end[1] else "h",
        cls=f"rail {class_name(output.role)}",
    )


def draw_rail_through(plan: Plan, lane: Lane, slot: Slot, state: str) -> None:
    """A state on its way through folded steps."""
    y, left = entry_height(plan, lane, state), plan.left(lane, slot)
    right, step = left + plan.width(lane, slot), step_id(lane, slot)
    plan.picture.line(
        plan.picture.port(f"{step}.in.{state}", left, y),
        plan.picture.port(f"{step}.out.{state}", right, y),
        [(left, y), (right, y)],
        color=plan.looks[state].stroke,
        pen=style.RAIL_PEN,
        dashed=True,
        cls=f"rail fold {class_name(state)}",
    )


def _pill(plan: Plan, lane: Lane, state: str, step: int, x: float) -> tuple[str, float]:
    """A state between two steps, at the height at which it enters; its id and y."""
    y = entry_height(plan, lane, state)
    id = plan.picture.box(
        f"{lane.key}.{state}{step}",
        sub(state, step),
        x,
        y,
        plan.pill,
        PILL_HEIGHT,
        plan.looks[state],
        f"state {class_name(state)} t{step}",
        size=style.STATE,
        bold=True,
    )
    return id, y


def _way_out(plan: Plan, lane: Lane, slot: Slot, state: str, end: Point) -> tuple[str, list[Point]]:
    """From the op that writes a state (or a folded frame's edge) to the state's pill."""
    step = step_id(lane, slot)
    if slot.folded:
        start = (plan.left(lane, slot) + plan.width(lane, slot), end[1])
        return f"{step}.out.{state}", [start, end]
    template = plan.templates[lane]
    spot = template.spot(template.states[state])
    route = [plan.at(lane, slot, p) for p in template.routes.get((spot.role, state), ())[:-1]]
    if not route:
        route = [plan.at(lane, slot, (spot.x + spot.width / 2, spot.y))]
    return f"{step}.{spot.role}", [*route, end]


def _draw_rail_in(plan: Plan, lane: Lane, slot: Slot, state: str, pill: str, start: Point) -> None:
    step, left = step_id(lane, slot), plan.left(lane, slot)
    if slot.folded:
        end, head = (left, start[1]), f"{step}.in.{state}"
    else:
        template = plan.templates[lane]
        spot = next(spot for spot in template.spots if f"{state}'" in spot.takes)
        end = plan.at(lane, slot, (spot.x - spot.width / 2, spot.y))
        head = f"{step}.{spot.role}"
    plan.picture.line(
        pill,
        head,
        [start, end],
        color=plan.looks[state].stroke,
        pen=style.RAIL_PEN,
        arrow=style.ARROW,
        cls=f"rail {class_name(state)}",
    )


def draw_inputs(plan: Plan, lane: Lane) -> Iterator[Anchor]:
    """The x of every step, or the h that comes from the layer below; yields those fed from before."""
    template = plan.templates[lane]
    for slot in plan.lattice.slots(lane):
        node = lane.calls[lane.here(slot)[0]].inputs["x"]
        origin = plan.lattice.origin(node)
        source = origin.output
        look = style.INPUT if source is None else plan.looks.get(source.role, style.INPUT)
        name = span("x" if source is None else source.role, slot.first, slot.last)
        width = max(plan.pill, text_width(name, style.STATE, True) + 10)
        x, y = plan.at(lane, slot, template.input)
        if slot.folded:
            x, y = plan.left(lane, slot) + width / 2 + 2, plan.frame(lane)[0] - 18
        pill = plan.picture.box(
            f"{lane.key}.x{slot.first}",
            name,
            x,
            y,
            width,
            PILL_HEIGHT,
            Look(look.stroke, look.fill, look.text),
            f"io x t{slot.first}",
            size=style.STATE,
            bold=True,
            dashed=slot.folded,
        )
        color = style.PLAIN if source is None else look.stroke
        _draw_input_line(plan, lane, slot, pill, (x, y, width), color)
        if source is not None:
            if source.lane.row >= lane.row or origin.via:
                raise NoLatticeError
            _draw_from_below(plan, lane, slot, source.lane, pill, (x, y))
        elif plan.lattice.nodes[origin.node].op not in ("input", "literal"):
            yield Anchor(pill, x, y - PILL_HEIGHT / 2, origin.node)


def _draw_input_line(
    plan: Plan,
    lane: Lane,
    slot: Slot,
    pill: str,
    box: tuple[float, float, float],
    color: str,
) -> None:
    template, step = plan.templates[lane], step_id(lane, slot)
    x, y, width = box
    if slot.folded:
        end = (x, plan.frame(lane)[0])
        head, route = plan.picture.port(f"{step}.in.x", *end), [(x, y + PILL_HEIGHT / 2), end]
    else:
        spot = next(spot for spot in template.spots if "x" in spot.takes)
        way = template.routes.get(("x", spot.role))
        ends = way or ((0.0, 0.0), (spot.x - spot.width / 2, spot.y))
        route = [plan.at(lane, slot, point) for point in ends]
        route[0] = route[0] if way else (x + width / 2, y)
        head = f"{step}.{spot.role}"
    plan.picture.line(pill, head, route, color=color, arrow=style.SMALL_ARROW, radius=10)


def _draw_from_below(plan: Plan, lane: Lane, slot: Slot, lower: Lane, pill: str, at: Point) -> None:
    """The line from a lower layer's h, through the channel between the layers, up to its x."""
    template, step = plan.templates[lower], step_id(lower, slot)
    if slot not in plan.lattice.slots(lower):
        raise NoLatticeError
    top = max(bus.y + PARAM_HEIGHT / 2 for bus in plan.buses[lower.row])
    channel = max(top, plan.frame(lower)[1]) + CHANNEL
    if slot.folded:
        start = (at[0], plan.frame(lower)[1])
        tail = plan.picture.port(f"{step}.up", *start)
    else:
        start = plan.at(lower, slot, template.leave)
        spot = template.spot(template.states["h"])
        tail = f"{step}.{spot.role}"
        if start[1] != spot.y + spot.height / 2 + plan.bases[lower.row]:
            plan.picture.dot(f"{step}.up.dot", *start, style.H.stroke)
    end = (at[0], at[1] - PILL_HEIGHT / 2)
    plan.picture.line(
        tail,
        pill,
        [start, end]
        if start[0] == end[0]
        else [start, (start[0], channel), (end[0], channel), end],
        color=style.H.stroke,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        cls=f"up h t{slot.first}",
    )


def output_anchors(plan: Plan) -> dict[tuple[Lane, int, str], Anchor]:
    """Where a line may start for each output: the last pills, and h over the top of its step."""
    anchors: dict[tuple[Lane, int, str], Anchor] = {}
    boxes = {node.id: node for node in plan.picture.nodes}
    lanes = list(plan.lattice.lanes)
    for lane in lanes:
        slots = plan.lattice.slots(lane)
        for state in lane.states:
            pill = boxes[f"{lane.key}.{state}{slots[-1].last}"]
            key = (lane, slots[-1].steps[-1], state)
            anchors[key] = Anchor(pill.id, pill.sides[2], pill.y)
        if lane.collected and lane.on_top(lanes):
            for slot in slots:
                _add_rising(plan, lane, slot, anchors)
    return anchors


def _add_rising(
    plan: Plan, lane: Lane, slot: Slot, anchors: dict[tuple[Lane, int, str], Anchor]
) -> None:
    step, role = step_id(lane, slot), lane.out_role
    tops = [bus.y + PARAM_HEIGHT / 2 for bus in plan.buses[lane.row]]
    rise = max([*tops, plan.frame(lane)[1]]) + RISE
    if slot.folded:
        x, y = plan.left(lane, slot) + plan.width(lane, slot) - 24, plan.frame(lane)[1]
        id = f"{step}.heading"
    else:
        template = plan.templates[lane]
        x, y = plan.at(lane, slot, template.leave)
        id = f"{step}.{template.states[role]}"
        if template.spot(template.states[role]).y + plan.bases[lane.row] == y:
            plan.picture.dot(f"{step}.up.dot", x, y, style.H.stroke)
    for inside in slot.steps:
        last = anchors.get((lane, inside, role))
        side = None if last is None else (last.x, last.y)
        anchors[lane, inside, role] = Anchor(id, x, y, rise=rise, side=side)


def bus_ends(plan: Plan) -> dict[int, Anchor]:
    """Where a use after the cells leaves each Parameter's bus: at its last dot."""
    ends: dict[int, Anchor] = {}
    for i, buses in enumerate(plan.buses):
        for bus in buses:
            taps = plan.taps.get((i, bus.parameter))
            if taps:
                id = f"param.{plan.lattice.names[bus.parameter]}.end"
                ends[bus.parameter] = Anchor(id, max(taps), bus.y)
    return ends
