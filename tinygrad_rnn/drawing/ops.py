"""The picture at op level: every op of every step, Parameters as buses with a dot for each use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import style
from .faces import fold_count, fold_heading
from .legend import Item, draw_legend
from .outside import Anchor, draw_after, draw_before
from .params import HEIGHT as PARAM_HEIGHT
from .params import bus_class, draw_param, param_width, tap_class
from .shapes import Picture, Point
from .style import Look, state_looks
from .templates import Spot, Template, match
from .unroll import Lane, Lattice, NoLattice, Slot
from .words import SYMBOLS, class_name, plural, span, sub, text_width

PILL, PILL_HEIGHT, SPACE, BUS_PITCH, TAP_APART = 28.0, 24.0, 16.0, 48.0, 12.0
ROW_GAP, CHANNEL, RISE, FOLD_TAP = 34.0, 14.0, 16.0, 16.0


@dataclass(frozen=True, slots=True)
class Bus:
    """A Parameter's line: its height, and from which side of the steps its taps come."""

    parameter: int
    side: str
    y: float


@dataclass
class Plan:
    """All positions that the parts of the picture share."""

    lattice: Lattice
    picture: Picture
    templates: dict[Lane, Template]
    shifts: dict[tuple[int, Slot], tuple[float, float]]  # where a slot begins and how wide it is
    bases: list[float]
    buses: list[list[Bus]]
    pill: float
    gap: float
    looks: dict[str, Look]
    taps: dict[tuple[int, int], list[float]] = field(default_factory=dict)

    def left(self, lane: Lane, slot: Slot) -> float:
        """The left edge of a slot's frame."""
        return self.shifts[lane.block, slot][0]

    def width(self, lane: Lane, slot: Slot) -> float:
        """The width of a slot's frame."""
        return self.shifts[lane.block, slot][1]

    def at(self, lane: Lane, slot: Slot, point: Point) -> Point:
        """A point of the lane's template, in the picture."""
        template = self.templates[lane]
        return self.left(lane, slot) + point[0] - template.frame[0], point[1] + self.bases[lane.row]

    def frame(self, lane: Lane) -> tuple[float, float]:
        """Bottom and top of the lane's frames."""
        _, bottom, _, top = self.templates[lane].frame
        return bottom + self.bases[lane.row], top + self.bases[lane.row]


def draw_ops(lattice: Lattice) -> Picture:
    """Lay out every step by its cell's template. Raises NoLattice where a cell has none."""
    templates: dict[Lane, Template] = {}
    roles: dict[tuple[Lane, Slot], dict[str, int]] = {}
    for lane in lattice.lanes:
        for slot in lattice.slots(lane):
            if slot.folded:
                continue
            matched = match(lattice.nodes, lane.calls[slot.steps[0]])
            if matched is None or templates.setdefault(lane, matched[0]) is not matched[0]:
                raise NoLattice
            roles[lane, slot] = matched[1]
        if lane not in templates:
            raise NoLattice
    plan = _plan(lattice, templates, roles)
    for lane in lattice.lanes:
        for slot in lattice.slots(lane):
            if slot.folded:
                _draw_fold(plan, lane, slot)
            else:
                _draw_step(plan, lane, slot, roles[lane, slot])
            _draw_states_out(plan, lane, slot)
        _draw_states_in(plan, lane)
    fed = [anchor for lane in lattice.lanes for anchor in _draw_inputs(plan, lane)]
    lowest = min(plan.frame(lane)[0] for lane in lattice.rows[0].lanes)
    _draw_buses(plan)
    draw_before(plan.picture, lattice, fed, _fed_states(plan), lowest - 44)
    draw_after(plan.picture, lattice, _anchors(plan), _bus_ends(plan), collapse=False)
    _draw_legend(plan)
    return plan.picture


def _plan(
    lattice: Lattice,
    templates: dict[Lane, Template],
    roles: dict[tuple[Lane, Slot], dict[str, int]],
) -> Plan:
    slots = [slot for block in lattice.blocks for slot in block]
    last = max(slot.last for slot in slots)
    states = tuple(dict.fromkeys(s for lane in lattice.lanes for s in lane.states))
    names = [text_width(sub(s, last), style.STATE, True) + 10 for s in (*states, "x")]
    pill = max([PILL, *names])
    gap = pill + SPACE + 1
    shifts: dict[tuple[int, Slot], tuple[float, float]] = {}
    x = 1.0
    for b, block in enumerate(lattice.blocks):
        here = [lane for lane in templates if lane.block == b]
        wide = max(templates[lane].frame[2] - templates[lane].frame[0] for lane in here)
        for slot in block:
            width = _fold_width(lattice, here, slot) if slot.folded else wide
            shifts[b, slot] = (x, width)
            x += width + gap
        x += gap
    bases: list[float] = []
    buses: list[list[Bus]] = []
    top = 0.0
    for i, row in enumerate(lattice.rows):
        sides = _sides(lattice, row.lanes, templates, roles)
        base, here_buses, top = _stack(row.lanes, templates, sides, top, first=i == 0)
        bases.append(base)
        buses.append(here_buses)
    steps = sum(len(slot.steps) for slot in slots)
    titles = ", ".join(dict.fromkeys(lane.title for lane in templates))
    picture = Picture(f"{titles} ops, {plural(steps, 'step')}")
    return Plan(
        lattice, picture, templates, shifts, bases, buses, pill, gap, state_looks(states)
    )


def _sides(
    lattice: Lattice,
    lanes: list[Lane],
    templates: dict[Lane, Template],
    roles: dict[tuple[Lane, Slot], dict[str, int]],
) -> dict[int, str]:
    """The side of each Parameter's bus, in the order in which the template's ops take them."""
    sides: dict[int, str] = {}
    for lane in lanes:
        for slot in lattice.slots(lane):
            for spot in templates[lane].spots:
                for parameter in _params(lattice, roles.get((lane, slot), {}), spot):
                    if sides.setdefault(parameter, spot.side) != spot.side or not spot.side:
                        raise NoLattice
    return sides


def _params(lattice: Lattice, roles: dict[str, int], spot: Spot) -> list[int]:
    """The Parameters among an op's operands."""
    if spot.role not in roles:
        return []
    inputs = lattice.nodes[roles[spot.role]].inputs
    return [i for i in inputs if lattice.nodes[i].op == "parameter"]


def _stack(
    lanes: list[Lane],
    templates: dict[Lane, Template],
    sides: dict[int, str],
    top: float,
    first: bool,
) -> tuple[float, list[Bus], float]:
    """Where one row stands above the last: its base, its buses, and the top of it all."""
    over = [p for p, side in sides.items() if side == "above"]
    under = [p for p, side in sides.items() if side == "below"]
    low = min(templates[lane].frame[1] for lane in lanes)
    high = max(templates[lane].frame[3] for lane in lanes)
    below = max(templates[lane].below for lane in lanes)
    above = max(templates[lane].above for lane in lanes)
    depth = below + BUS_PITCH * (len(under) - 1) + PARAM_HEIGHT / 2 if under else 40.0
    base = 0.0 if first else top + ROW_GAP + depth - low
    buses = [Bus(p, "below", base + low - below - BUS_PITCH * k) for k, p in enumerate(under)]
    count = len(over) - 1
    buses += [
        Bus(p, "above", base + high + above + BUS_PITCH * (count - k)) for k, p in enumerate(over)
    ]
    height = above + BUS_PITCH * count + PARAM_HEIGHT / 2 if over else 0.0
    return base, buses, base + high + height


def _fold_width(lattice: Lattice, lanes: list[Lane], slot: Slot) -> float:
    """Room for the words and, below the frame, the inputs beside the dashed taps."""
    taps = max(len(lattice.rows[lane.row].params) for lane in lanes)
    inputs = text_width(span("x", slot.first, slot.last), style.STATE, True) + 10
    words = text_width(fold_count(slot), style.NAME, True) + 16
    heading = text_width(fold_heading(slot), style.TITLE) + 24
    return max(110.0, words, heading, inputs + 18 + FOLD_TAP * taps + 6)


def _step_id(lane: Lane, slot: Slot) -> str:
    return f"{lane.key}.t{slot.first}"


def _draw_step(plan: Plan, lane: Lane, slot: Slot, roles: dict[str, int]) -> None:
    """One step: its frame, its ops, the edges between them as recorded, and its taps."""
    picture, template, step = plan.picture, plan.templates[lane], _step_id(lane, slot)
    left, right = plan.left(lane, slot), plan.left(lane, slot) + plan.width(lane, slot)
    bottom, top = plan.frame(lane)
    picture.frame(step, (left, bottom, right, top), style.OP, filled=False, tooltip=lane.path)
    x, y = plan.at(lane, slot, template.heading)
    picture.text(
        f"{step}.heading", f"t = {slot.first}", x, y, style.TITLE, style.PLAIN, left=True
    )
    for spot in template.spots:
        _draw_op(plan, lane, slot, spot, roles[spot.role])
    for k, (text, *at) in enumerate(template.texts):
        x, y = plan.at(lane, slot, (at[0], at[1]))
        picture.text(f"{step}.text{k}", text, x, y, style.SMALL, style.SECOND)
    if template.junction is not None:
        role, point = template.junction
        color = template.spot(role).look.stroke
        picture.dot(f"{step}.{role}.dot", *plan.at(lane, slot, point), color)
    for spot in template.spots:
        for tail in spot.takes:
            if not tail.endswith("'") and tail != "x":
                _draw_edge(plan, lane, slot, tail, spot.role)
        _draw_taps(plan, lane, slot, spot, _params(plan.lattice, roles, spot))


def _draw_op(plan: Plan, lane: Lane, slot: Slot, spot: Spot, node: int) -> None:
    """The box of an op; a gate has its word over its equation."""
    picture, op = plan.picture, plan.lattice.nodes[node].op
    x, y = plan.at(lane, slot, (spot.x, spot.y))
    id, symbol = f"{_step_id(lane, slot)}.{spot.role}", SYMBOLS.get(op, op)
    label = "" if spot.gate else symbol
    cls = "gate" if spot.gate else "op"
    picture.box(id, label, x, y, spot.width, spot.height, spot.look, cls)
    if spot.gate:
        word = lane.gates.get(spot.role, spot.role)
        equation = f"{spot.role} = {symbol}(z_{spot.role})"
        picture.text(f"{id}.word", word, x, y + 6, style.OP_SIZE, style.INK, bold=True)
        picture.text(f"{id}.rule", equation, x, y - 8, style.SMALL, style.SECOND)


def _draw_edge(plan: Plan, lane: Lane, slot: Slot, tail: str, head: str) -> None:
    """An edge inside a step, along the template's route, else straight."""
    template, step = plan.templates[lane], _step_id(lane, slot)
    swing = template.swings.get((tail, head))
    a, b = template.spot(tail), template.spot(head)
    if swing is not None:
        route: tuple[Point, ...] = (
            (a.x + swing, a.y + a.height / 2),
            (b.x, b.y - b.height / 2),
        )
    else:
        route = template.routes.get((tail, head)) or _straight(a, b)
    rail = a.look.pen > 1 and b.look.pen > 1 and a.y == b.y
    inner = template.junction is not None and template.junction[0] == tail
    plan.picture.line(
        f"{step}.{tail}",
        f"{step}.{head}",
        [plan.at(lane, slot, point) for point in route],
        color=a.look.stroke if rail or inner else style.PLAIN,
        pen=style.RAIL_PEN if rail else style.INPUT_PEN if inner else style.PLAIN_PEN,
        arrow=style.ARROW if rail else style.SMALL_ARROW,
        swing="v" if swing is not None else "",
        radius=14,
    )


def _straight(a: Spot, b: Spot) -> tuple[Point, Point]:
    if a.y == b.y:
        return (a.x + a.width / 2, a.y), (b.x - b.width / 2, b.y)
    up = 1 if b.y > a.y else -1
    return (b.x, a.y + up * a.height / 2), (b.x, b.y - up * b.height / 2)


def _draw_taps(plan: Plan, lane: Lane, slot: Slot, spot: Spot, params: list[int]) -> None:
    """One tap for each Parameter of an op, from the dot on its bus."""
    buses = {bus.parameter: bus for bus in plan.buses[lane.row]}
    for k, parameter in enumerate(params):
        bus = buses[parameter]
        offset = TAP_APART * (2 * k - (len(params) - 1))
        x, y = plan.at(lane, slot, (spot.x + offset, spot.y))
        end = y + spot.height / 2 * (1 if bus.side == "above" else -1)
        cls = tap_class(plan.lattice, parameter, f"t{slot.first}")
        dot = f"{_step_id(lane, slot)}.tap.{spot.role}{k}"
        _draw_tap(plan, lane, bus, dot, f"{_step_id(lane, slot)}.{spot.role}", (x, end), cls)


def _draw_tap(
    plan: Plan, lane: Lane, bus: Bus, dot: str, head: str, end: Point, cls: str
) -> None:
    plan.picture.dot(dot, end[0], bus.y, style.ORANGE)
    plan.taps.setdefault((lane.row, bus.parameter), []).append(end[0])
    plan.picture.line(
        dot,
        head,
        [(end[0], bus.y), end],
        color=style.ORANGE,
        pen=style.BUS_PEN,
        arrow=style.ARROW,
        cls=cls,
        dashed=" fold " in cls,
    )


def _draw_fold(plan: Plan, lane: Lane, slot: Slot) -> None:
    """Several steps as one dashed frame, with a dashed tap from every bus."""
    picture, step = plan.picture, _step_id(lane, slot)
    left, width = plan.left(lane, slot), plan.width(lane, slot)
    bottom, top = plan.frame(lane)
    middle, y = left + width / 2, _quiet_height(plan, lane)
    picture.frame(step, (left, bottom, left + width, top), style.OP, filled=False, dashed=True)
    heading = fold_heading(slot)
    picture.text(f"{step}.heading", heading, middle, top - 12, style.TITLE, style.PLAIN)
    count = fold_count(slot)
    picture.text(f"{step}.count", count, middle, y + 8, style.NAME, style.PLAIN, bold=True)
    picture.text(f"{step}.same", "same weights", middle, y - 8, style.NOTE, style.PLAIN)
    right = left + width
    for state in lane.states:
        _draw_rail_through(plan, lane, slot, state)
    counts = {bus: lane.count(bus.parameter, slot) for bus in plan.buses[lane.row]}
    for side, edge in (("below", bottom), ("above", top)):
        used = [bus for bus, n in counts.items() if bus.side == side and n]
        for k, bus in enumerate(used):
            x = right - 10 - FOLD_TAP * (len(used) - 1 - k)
            when = f"fold t{slot.first}-t{slot.last} n{counts[bus]}"
            cls = tap_class(plan.lattice, bus.parameter, when)
            port = picture.port(f"{step}.port.{bus.parameter}", x, edge)
            _draw_tap(plan, lane, bus, f"{step}.tap.{bus.parameter}", port, (x, edge), cls)
        if used:
            least, most = min(counts[b] for b in used), max(counts[b] for b in used)
            words = plural(most, "use") if least == most else f"{least} to {most} uses"
            x = right - 6 - text_width(words, 9.5, True) / 2
            y = edge + (10 if side == "below" else -27)
            picture.text(f"{step}.uses.{side}", words, x, y, 9.5, style.ORANGE, bold=True)


def _quiet_height(plan: Plan, lane: Lane) -> float:
    """The middle of the widest gap between a folded frame's edges and the rails that cross it."""
    ys = sorted([*plan.frame(lane), *(_entry_height(plan, lane, s) for s in lane.states)])
    gaps = [(b - a, (a + b) / 2) for a, b in zip(ys, ys[1:], strict=False)]
    return max(gaps)[1]


def _draw_rail_through(plan: Plan, lane: Lane, slot: Slot, state: str) -> None:
    """A state on its way through folded steps."""
    y, left = _entry_height(plan, lane, state), plan.left(lane, slot)
    right, step = left + plan.width(lane, slot), _step_id(lane, slot)
    plan.picture.line(
        plan.picture.port(f"{step}.in.{state}", left, y),
        plan.picture.port(f"{step}.out.{state}", right, y),
        [(left, y), (right, y)],
        color=plan.looks[state].stroke,
        pen=style.RAIL_PEN,
        dashed=True,
        cls=f"rail fold {class_name(state)}",
    )


def _entry_height(plan: Plan, lane: Lane, state: str) -> float:
    spots = plan.templates[lane].spots
    entry = next(spot for spot in spots if f"{state}'" in spot.takes)
    return entry.y + plan.bases[lane.row]


def _pill(plan: Plan, lane: Lane, state: str, step: int, x: float) -> tuple[str, float]:
    """A state between two steps, at the height at which it enters; its id and y."""
    y = _entry_height(plan, lane, state)
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


def _draw_states_out(plan: Plan, lane: Lane, slot: Slot) -> None:
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


def _way_out(
    plan: Plan, lane: Lane, slot: Slot, state: str, end: Point
) -> tuple[str, list[Point]]:
    """From the op that writes a state (or a folded frame's edge) to the state's pill."""
    step = _step_id(lane, slot)
    if slot.folded:
        start = (plan.left(lane, slot) + plan.width(lane, slot), end[1])
        return f"{step}.out.{state}", [start, end]
    template = plan.templates[lane]
    spot = template.spot(template.states[state])
    route = [plan.at(lane, slot, p) for p in template.routes.get((spot.role, state), ())[:-1]]
    if not route:
        route = [plan.at(lane, slot, (spot.x + spot.width / 2, spot.y))]
    return f"{step}.{spot.role}", [*route, end]


def _draw_rail_in(
    plan: Plan, lane: Lane, slot: Slot, state: str, pill: str, start: Point
) -> None:
    step, left = _step_id(lane, slot), plan.left(lane, slot)
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


def _draw_states_in(plan: Plan, lane: Lane) -> None:
    slot = plan.lattice.slots(lane)[0]
    x = plan.left(lane, slot) - plan.gap / 2
    for state in lane.states:
        pill, y = _pill(plan, lane, state, slot.first - 1, x)
        _draw_rail_in(plan, lane, slot, state, pill, (x + plan.pill / 2, y))
        start = lane.calls[lane.steps[0]].inputs.get(state)
        output = None if start is None else plan.lattice.made.get(start)
        if output is not None and output.lane is not lane:
            raise NoLattice
    row = plan.lattice.rows[lane.row]
    if row.name and lane is row.lanes[0]:
        y = plan.frame(lane)[1] - 12
        right = plan.left(lane, slot) - 6 - text_width(row.name, style.NOTE) / 2
        plan.picture.text(f"{lane.key}.row", row.name, right, y, style.NOTE, style.PLAIN)


def _draw_inputs(plan: Plan, lane: Lane) -> Iterator[Anchor]:
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
            x, y = plan.left(lane, slot) + width / 2 + 2, plan.frame(lane)[0] - 24
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
                raise NoLattice
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
    template, step = plan.templates[lane], _step_id(lane, slot)
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
    plan.picture.line(
        pill, head, route, color=color, arrow=style.SMALL_ARROW, radius=10
    )


def _draw_from_below(
    plan: Plan, lane: Lane, slot: Slot, lower: Lane, pill: str, at: Point
) -> None:
    """The line from a lower layer's h, through the channel between the layers, up to its x."""
    template, step = plan.templates[lower], _step_id(lower, slot)
    if slot not in plan.lattice.slots(lower):
        raise NoLattice
    top = max(bus.y + PARAM_HEIGHT / 2 for bus in plan.buses[lower.row])
    channel = max(top, plan.frame(lower)[1]) + CHANNEL
    if slot.folded:
        start = (plan.left(lower, slot) + 20, plan.frame(lower)[1])
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
        [start, (start[0], channel), (end[0], channel), end],
        color=style.H.stroke,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        cls=f"up h t{slot.first}",
    )


def _params_end(plan: Plan, first: float) -> float:
    """The right side of the Parameters: in a stack, left of the lines that go up to the first x."""
    beside = first - (plan.gap + plan.pill) / 2 - 7
    near = min(template.params for template in plan.templates.values()) + first
    inputs = min(template.input[0] - template.frame[0] for template in plan.templates.values())
    return min(near, beside) if len(plan.bases) > 1 and inputs < 0 else near


def _draw_buses(plan: Plan) -> None:
    """Each Parameter once, at the left, and its line to the last dot."""
    lattice, picture = plan.lattice, plan.picture
    first = min(left for left, _ in plan.shifts.values())
    for i, buses in enumerate(plan.buses):
        for bus in buses:
            taps = sorted(plan.taps.get((i, bus.parameter), ()))
            right = _params_end(plan, first)
            x = right - param_width(lattice, bus.parameter) / 2
            box = draw_param(picture, lattice, bus.parameter, x, bus.y)
            if taps:
                end = picture.port(f"{box}.end", taps[-1], bus.y)
                picture.line(
                    box,
                    end,
                    [(right, bus.y), (taps[-1], bus.y)],
                    color=style.ORANGE,
                    pen=style.BUS_PEN,
                    cls=bus_class(lattice, bus.parameter),
                )


def _fed_states(plan: Plan) -> list[Anchor]:
    """The initial states that are computed from something, or are Parameters themselves."""
    fed: list[Anchor] = []
    for lane in plan.lattice.lanes:
        slot = plan.lattice.slots(lane)[0]
        for state in lane.states:
            node = lane.calls[lane.steps[0]].inputs.get(state)
            if node is None:
                continue
            origin = plan.lattice.origin(node)
            outside = plan.lattice.nodes[origin.node].op not in ("input", "literal")
            if origin.output is None and outside:
                pill = f"{lane.key}.{state}{slot.first - 1}"
                box = next(drawn for drawn in plan.picture.nodes if drawn.id == pill)
                fed.append(Anchor(pill, box.sides[0], box.y, origin.node))
    return fed


def _anchors(plan: Plan) -> dict[tuple[Lane, int, str], Anchor]:
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
    step, role = _step_id(lane, slot), lane.out_role
    tops = [bus.y + PARAM_HEIGHT / 2 for bus in plan.buses[lane.row]]
    rise = max([*tops, plan.frame(lane)[1]]) + RISE
    if slot.folded:
        x, y = plan.left(lane, slot) + plan.width(lane, slot) - 24, plan.frame(lane)[1]
        id = f"{step}.heading"
    else:
        template = plan.templates[lane]
        x, y = plan.at(lane, slot, template.leave)
        id = f"{step}.{template.states[role]}"
    for inside in slot.steps:
        last = anchors.get((lane, inside, role))
        side = None if last is None else (last.x, last.y)
        anchors[lane, inside, role] = Anchor(id, x, y, rise=rise, side=side)


def _bus_ends(plan: Plan) -> dict[int, Anchor]:
    """Where a use after the cells leaves each Parameter's bus: at its last dot."""
    ends: dict[int, Anchor] = {}
    for i, buses in enumerate(plan.buses):
        for bus in buses:
            taps = plan.taps.get((i, bus.parameter))
            if taps:
                id = f"param.{plan.lattice.names[bus.parameter]}.end"
                ends[bus.parameter] = Anchor(id, max(taps), bus.y)
    return ends


def _draw_legend(plan: Plan) -> None:
    items: list[Item] = []
    if any(plan.buses):
        items += [
            Item("a dot connects,", "bus"),
            Item("a crossing without one does not", "cross"),
            Item("the same Parameter", "line"),
        ]
    items += [Item(state, "line", look.stroke) for state, look in plan.looks.items()]
    if any(slot.folded for slot in (s for block in plan.lattice.blocks for s in block)):
        items.append(Item("dashed: steps not drawn one by one", "dashed"))
    star = any(spot.ops == "mul" for t in plan.templates.values() for spot in t.spots)
    items.append(Item("other values" + ";  * elementwise" * star, "thin"))
    left = min(left for left, _ in plan.shifts.values())
    draw_legend(plan.picture, items, left + 7)
