"""States and inputs at op level: pills, rails, what goes up a layer, and what leaves at the end."""

from __future__ import annotations

from collections.abc import Iterator

from . import style
from .anchors import Anchor
from .handover import draw_handover
from .lanes import Lane, NoLatticeError
from .op_joined import draw_from_joined, joined_anchors, leave_point, row_top
from .op_plan import CHANNEL, JOINED, RISE, Plan, entry_height, step_id
from .own_output import own_anchors
from .params import HEIGHT as PARAM_HEIGHT
from .plumbing import PLUMBING
from .rails import handovers
from .shapes import Point
from .slots import Slot
from .style import Look
from .unroll import Origin
from .words import class_name, span, sub, text_width


def draw_states_out(plan: Plan, lane: Lane, slot: Slot) -> None:
    """Each state's pill after a slot, the rail to it, and the rail into the next slot."""
    (step, x), sign = plan.pill_after(lane, slot), plan.sign(lane)
    slots = plan.slots_run(lane)
    following = slots[slots.index(slot) + 1 :][:1]
    for state in lane.states:
        node = None if slot.folded else lane.calls[slot.steps[0]].outputs.get(state)
        pill, y = _pill(plan, lane, state, step, x, node)
        end = (x - sign * plan.pill / 2, y)
        tail, route = _way_out(plan, lane, slot, state, end)
        plan.picture.line(
            tail,
            pill,
            route,
            color=plan.looks[state].stroke,
            pen=style.RAIL_PEN,
            cls=f"rail {class_name(state)}",
            swing="h" if plan.templates[lane].curved and not slot.folded else "",
        )
        for after in following:
            _draw_rail_in(plan, lane, after, state, pill, (x + sign * plan.pill / 2, y))


def draw_states_in(plan: Plan, lane: Lane) -> None:
    """The initial states and their rails, and the name of the row where there are several."""
    slot, (step, x), sign = plan.slots_run(lane)[0], plan.pill_before(lane), plan.sign(lane)
    for state in lane.states:
        node = lane.start.inputs.get(state)
        pill, y = _pill(plan, lane, state, step, x, node)
        _draw_rail_in(plan, lane, slot, state, pill, (x + sign * plan.pill / 2, y))
        draw_handover(plan, lane, state, pill, (x - sign * plan.pill / 2, y))
    row = plan.lattice.rows[lane.row]
    if row.name and lane is row.lanes[0]:
        y = plan.frame(lane)[1] - 12
        right = (
            plan.left(lane, plan.lattice.slots(lane)[0]) - 6 - text_width(row.name, style.NOTE) / 2
        )
        if handovers(plan.lattice, lane.block):  # there is no room beside the step
            right, y = right + 8 + text_width(row.name, style.NOTE), y + 20
        plan.picture.text(f"{lane.key}.row", row.name, right, y, style.NOTE, style.PLAIN)


def draw_rail_through(plan: Plan, lane: Lane, slot: Slot, state: str) -> None:
    """A state on its way through folded steps."""
    y, step = entry_height(plan, lane, state), step_id(lane, slot)
    a, b = plan.enters(lane, slot), plan.leaves(lane, slot)
    plan.picture.line(
        plan.picture.port(f"{step}.in.{state}", a, y),
        plan.picture.port(f"{step}.out.{state}", b, y),
        [(a, y), (b, y)],
        color=plan.looks[state].stroke,
        pen=style.RAIL_PEN,
        dashed=True,
        cls=f"rail fold {class_name(state)}",
    )


def _pill(
    plan: Plan, lane: Lane, state: str, step: int, x: float, node: int | None
) -> tuple[str, float]:
    """A state between two steps, at the height at which it enters; its id and y."""
    y = entry_height(plan, lane, state)
    id = plan.noted(
        f"{lane.key}.{state}{step}",
        sub(state, step),
        node,
        x,
        y,
        plan.pill,
        plan.pill_height,
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
        return f"{step}.out.{state}", [(plan.leaves(lane, slot), end[1]), end]
    template = plan.templates[lane]
    route = [plan.at(lane, slot, p) for p in template.way_out(state)[:-1]]
    return f"{step}.{template.states[state]}", [*route, end]


def _draw_rail_in(plan: Plan, lane: Lane, slot: Slot, state: str, pill: str, start: Point) -> None:
    """From a state's pill to every op that takes it; the straight way is the rail."""
    step, template = step_id(lane, slot), plan.templates[lane]
    ways: list[tuple[str, list[Point]]] = []
    if slot.folded:
        ways.append((f"{step}.in.{state}", [start, (plan.enters(lane, slot), start[1])]))
    else:
        for spot in template.takers(f"{state}'"):
            inside = [plan.at(lane, slot, p) for p in template.way_in(f"{state}'", spot)]
            ways.append((f"{step}.{spot.role}", [start, *inside[1:]]))
    for head, route in ways:
        straight = len(ways) == 1 or all(y == start[1] for _, y in route)
        plan.picture.line(
            pill,
            head,
            route,
            color=plan.looks[state].stroke,
            pen=style.RAIL_PEN if straight else style.INPUT_PEN,
            arrow=style.ARROW if straight else style.SMALL_ARROW,
            cls=f"rail {class_name(state)}",
            swing="h" if template.curved else "",
        )


def draw_inputs(plan: Plan, lane: Lane) -> Iterator[Anchor]:
    """The inputs of every step, or the h that comes from the layer below; yields those fed from before."""
    for slot in plan.lattice.slots(lane):
        aside = 0.0
        for role in ("x", *plan.templates[lane].inputs):
            _, width, anchor = _draw_input(plan, lane, slot, role, aside)
            aside += width + 4
            if anchor is not None:
                yield anchor


def _draw_input(
    plan: Plan, lane: Lane, slot: Slot, role: str, aside: float
) -> tuple[str, float, Anchor | None]:
    """One input of a step: its pill, how wide that is, and where it is to be fed if it must be."""
    template = plan.templates[lane]
    node = lane.calls[lane.here(slot)[0]].inputs.get(role)
    origin = Origin(None, -1, ()) if node is None else plan.lattice.origin(node)
    source = origin.output
    look = style.INPUT if source is None else plan.looks.get(source.role, style.INPUT)
    word = role if role == "x" else role.removeprefix("x_")
    name = span(word if source is None else source.role, slot.first, slot.last)
    if source is not None and source.lane.partner is not None:
        look = plan.looks[source.lane.out_role]
    width = max(plan.pill, text_width(name, style.STATE, True) + 10)
    x, y = plan.at(lane, slot, (template.input[0], template.inputs.get(role, template.input[1])))
    if not plan.edges(lane, slot)[0] < x < plan.edges(lane, slot)[1]:
        x = plan.enters(lane, slot) - plan.sign(lane) * plan.gap / 2
    if slot.folded:
        x, y = plan.left(lane, slot) + width / 2 + 2 + aside, plan.frame(lane)[0] - 18
    pill = plan.noted(
        f"{lane.key}.{class_name(role)}{slot.first}",
        name,
        None if slot.folded else node,
        x,
        y,
        width,
        plan.pill_height,
        Look(look.stroke, look.fill, look.text),
        f"io x t{slot.first}",
        size=style.STATE,
        bold=True,
        dashed=slot.folded,
    )
    color = style.PLAIN if source is None else look.stroke
    _draw_input_line(plan, lane, slot, role, pill, (x, y, width), color)
    if source is not None:
        if source.lane.row >= lane.row or origin.via:
            raise NoLatticeError
        if source.lane.partner is not None:
            draw_from_joined(plan, lane, slot, source.lane)
        else:
            _draw_from_below(plan, lane, slot, source.lane, pill, (x, y))
    elif node is not None and plan.lattice.nodes[origin.node].op not in ("input", "literal"):
        return pill, width, Anchor(pill, x, y - plan.pill_height / 2, origin.node)
    return pill, width, None


def _draw_input_line(
    plan: Plan,
    lane: Lane,
    slot: Slot,
    role: str,
    pill: str,
    box: tuple[float, float, float],
    color: str,
) -> None:
    """From an input to every op that takes it."""
    template, step = plan.templates[lane], step_id(lane, slot)
    x, y, width = box
    ways: list[tuple[str, list[Point]]] = []
    if slot.folded:
        end = (x, plan.frame(lane)[0])
        port = plan.picture.port(f"{step}.in.{class_name(role)}", *end)
        ways.append((port, [(x, y + plan.pill_height / 2), end]))
    else:
        for spot in template.takers(role):
            route = [plan.at(lane, slot, point) for point in template.way_in(role, spot)]
            if route[0][1] == y:
                route[0] = (x + plan.sign(lane) * width / 2, y)
            ways.append((f"{step}.{spot.role}", route))
    for head, route in ways:
        swing = "h" if template.curved and not slot.folded else ""
        plan.picture.line(
            pill, head, route, color=color, arrow=style.SMALL_ARROW, radius=10, swing=swing
        )


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
        start, tail = leave_point(plan, lower, slot), f"{step}.{template.states['h']}"
    end = (at[0], at[1] - plan.pill_height / 2)
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
    nodes = plan.lattice.nodes
    if all(nodes[i].op in PLUMBING for i in plan.lattice.after):
        return anchors
    boxes = {node.id: node for node in plan.picture.nodes}
    lanes = list(plan.lattice.lanes)
    for lane in lanes:
        slots = plan.lattice.slots(lane)
        for state in lane.states:
            step, _ = plan.pill_after(lane, plan.slots_run(lane)[-1])
            pill = boxes[f"{lane.key}.{state}{step}"]
            key = (lane, step - 1, state)
            anchors[key] = Anchor(pill.id, pill.sides[2], pill.y)
            if lane.backwards:
                rise = max(row_top(plan, i) for i in range(len(plan.bases))) + 2 * RISE + JOINED
                anchors[key] = Anchor(pill.id, pill.x, pill.sides[3], rise=rise)
        if plan.templates[lane].output:
            anchors |= own_anchors(plan, lane)
        if lane.partner is not None:
            anchors |= joined_anchors(plan, lane)
        elif not plan.templates[lane].output and lane.collected and lane.on_top(lanes):
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
        (x, y), id = leave_point(plan, lane, slot), f"{step}.{plan.templates[lane].states[role]}"
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
