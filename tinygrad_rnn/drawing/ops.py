"""The picture at op level: every op of every step, Parameters as buses with a dot for each use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from . import style
from .faces import fold_count, fold_heading
from .grid import ASIDE, Anchor, AnyGrid, Grid, StepBox, Ways, make_grid
from .lanes import Lane, NoLatticeError, Output
from .legend import Item, draw_legend
from .notes import GRADIENT
from .outside import draw_after, draw_before
from .params import HEIGHT as PARAM_HEIGHT
from .params import bus_class, draw_param, param_width, tap_class
from .plumbing import PLUMBING
from .shapes import Node, Picture, Point
from .slots import Slot
from .step_graph import Step, first_step, read_step
from .step_layout import lay_out
from .style import Look
from .templates import Spot, Template, match, mirrored, tap_offsets
from .unroll import Lattice
from .wires import draw_inputs, draw_outputs, draw_states, fed_states, is_cut, row_name
from .words import OPERATORS, SYMBOLS, class_name, op_words, plural, span, text_width

BUS_PITCH, FOLD_TAP, FEED, JOINED = 48.0, 16.0, 18.0, 46.0
ROW_GAP, CHANNEL, RISE = 34.0, 14.0, 16.0
Roles = dict[tuple[Lane, Slot], dict[str, int]]


@dataclass(frozen=True, slots=True)
class Bus:
    """A Parameter's line: its height, and from which side of the steps its taps come."""

    parameter: int
    side: str
    y: float


@dataclass
class OpGrid(Grid["OpBox"]):
    """The grid, and the buses of each row with the x of each tap."""

    buses: list[list[Bus]] = field(default_factory=list)
    taps: dict[tuple[int, int], list[float]] = field(default_factory=dict)


class OpBox(StepBox):
    """A step as its template: its ops, and the routes between them and the frame's sides."""

    rise, least, channel, joined_radius, up_radius = JOINED - 18, 0.0, 10.0, 6, 10
    input_height, input_pen, says_via, joined_look = 24.0, style.PLAIN_PEN, False, True

    def __init__(self, lane: Lane, template: Template) -> None:
        self.lane, self.template, self.curved = lane, template, template.curved
        _, self.bottom, _, self.top = template.frame

    def at(self, grid: AnyGrid, slot: Slot, point: Point) -> Point:
        """A point of the template, in the picture."""
        left, _ = grid.edges(self.lane, slot)
        return left + point[0] - self.template.frame[0], grid.y(self.lane, point[1])

    def entry(self, state: str) -> float:
        """At the first op that takes it."""
        return self.template.entry(state)

    def leaves(self, grid: AnyGrid, slot: Slot, state: str, pill: Point) -> tuple[str, list[Point]]:
        """From the op that writes a state (or a folded frame's edge)."""
        step = grid.id(self.lane, slot)
        end = (pill[0] - grid.sign(self.lane) * grid.pill / 2, pill[1])
        if slot.folded:
            return f"{step}.out.{state}", [(grid.leaves(self.lane, slot), end[1]), end]
        route = [self.at(grid, slot, p) for p in self.template.way_out(state)[:-1]]
        return f"{step}.{self.template.states[state]}", [*route, end]

    def ways_in(self, grid: AnyGrid, slot: Slot, role: str, start: Point) -> Ways:
        """To every op that takes a state or an input (or a folded frame's edge)."""
        step, state = grid.id(self.lane, slot), role.removesuffix("'")
        if not slot.folded:
            spots = self.template.takers(role)
            ways = [
                [self.at(grid, slot, p) for p in self.template.way_in(role, spot)] for spot in spots
            ]
            if state != role:
                ways = [[start, *way[1:]] for way in ways]
            return [(f"{step}.{s.role}", way) for s, way in zip(spots, ways, strict=True)]
        if state != role:
            return [(f"{step}.in.{state}", [start, (grid.enters(self.lane, slot), start[1])])]
        end = (start[0], grid.frame(self.lane)[0])
        return [(grid.picture.port(f"{step}.in.{role}", *end), [start, end])]

    def from_pill(
        self, route: list[Point], x: float, y: float, width: float, tall: float
    ) -> list[Point]:
        """From the pill's side where it stands beside what takes it, from its top below a fold."""
        if len(route) == 2 and route[0] == (x, y) and route[1][0] == x:
            return [(x, y + tall / 2), route[1]]
        if route[0][1] == y:
            sign = -1 if self.lane.backwards else 1
            return [(x + sign * width / 2, y), *route[1:]]
        return route

    def up(self, grid: AnyGrid, slot: Slot) -> tuple[str, Point]:
        """Where the output goes up; its dot where that is not the top of a box."""
        step, template = grid.id(self.lane, slot), self.template
        if slot.folded:
            at = (grid.edges(self.lane, slot)[0] + 24, grid.frame(self.lane)[1])
            return grid.picture.port(f"{step}.up", *at), at
        role = template.states[self.lane.out_role]
        (x, y), spot = self.at(grid, slot, template.leave), template.spot(role)
        if y != grid.y(self.lane, spot.y + spot.height / 2):
            grid.picture.dot(f"{step}.up.dot", x, y, grid.looks[self.lane.out_role].stroke, 5)
        return f"{step}.{role}", (x, y)

    def up_to(self, grid: AnyGrid, slot: Slot, x: float) -> tuple[str, Point, float]:
        """Where the line to a layer above begins, and the channel between the layers."""
        channel = grid.tops[self.lane.row] + CHANNEL
        if slot.folded:
            at = (x, grid.frame(self.lane)[1])
            return grid.picture.port(f"{grid.id(self.lane, slot)}.up", *at), at, channel
        _, at = self.up(grid, slot)
        return f"{grid.id(self.lane, slot)}.{self.template.states['h']}", at, channel

    def inputs(self, grid: AnyGrid, slot: Slot) -> Iterator[tuple[str, Point]]:
        """x and what else comes in, left of the step or below it."""
        template, (left, right) = self.template, grid.edges(self.lane, slot)
        for role in ("x", *template.inputs):
            y = template.inputs.get(role, template.input[1])
            x, y = self.at(grid, slot, (template.input[0], y))
            if not left < x < right:
                x = grid.enters(self.lane, slot) - grid.sign(self.lane) * grid.gap / 2
            yield role, (x, y)

    def folded_at(self, grid: AnyGrid, slot: Slot, _at: Point, aside: float) -> Point:
        """Side by side below the frame."""
        return grid.edges(self.lane, slot)[0] + 2 + aside, grid.frame(self.lane)[0] - 18

    def input_name(
        self, slot: Slot, role: str, source: Output | None, _looks: Mapping[str, Look]
    ) -> str:
        """The input's name, or that of the output below."""
        word = role if role == "x" else role.removeprefix("x_")
        return span(word if source is None else source.role, slot.first, slot.last)

    def input_color(self, source: Output | None, look: Look) -> str:
        """That of the state that it is."""
        return style.PLAIN if source is None else look.stroke

    def from_joined(
        self, grid: AnyGrid, slot: Slot, y: Node, pill: Node, next_row: bool
    ) -> tuple[list[Point], str]:
        """Up into the next row, else past it at the right."""
        channel, color = y.sides[3] + 9, grid.looks[self.lane.out_role].stroke
        x, end = pill.x, [(pill.x, pill.sides[1])]
        if not next_row:
            x = grid.edges(self.lane, slot)[1] + (grid.gap + grid.pill) / 2 + ASIDE
            end = [(x, pill.y), (pill.sides[2], pill.y)]
        return [(y.x, y.sides[3]), (y.x, channel), (x, channel), *end], color


def draw_ops(lattice: Lattice) -> Picture:
    """Lay out every step by its cell's template. Raises NoLatticeError where a cell has none."""
    templates, roles = _templates(lattice)
    grid = _grid(lattice, {lane: OpBox(lane, t) for lane, t in templates.items()}, roles)
    for lane in lattice.lanes:
        for slot in lattice.slots(lane):
            if slot.folded:
                _draw_fold(grid, lane, slot)
            else:
                _draw_step(grid, lane, slot, roles[lane, slot])
        draw_states(grid, lane)
        no_room = (grid.edges(lane, lattice.slots(lane)[0])[0] + 2, grid.frame(lane)[1] + 8)
        row_name(grid, lane, grid.boxes[lane].top - 12, 6, no_room, 1)
    _draw_buses(grid)
    for lane in lattice.lanes:
        draw_outputs(grid, lane, single=False)
    fed = draw_inputs(grid)
    feed = min((anchor.y for anchor in fed), default=0.0)
    feed = min(feed, *(grid.frame(lane)[0] for lane in lattice.rows[0].lanes)) - 8
    draw_before(grid.picture, lattice, fed, fed_states(lattice, grid.picture), feed)
    draw_after(grid.picture, lattice, _output_anchors(grid), _bus_ends(grid), collapse=False)
    _draw_legend(grid)
    return grid.picture


def _grid(lattice: Lattice, boxes: dict[Lane, OpBox], roles: Roles) -> OpGrid:
    """Measure what is written, and set columns, rows and buses accordingly."""

    def width(block: int, slot: Slot) -> float:
        here = [boxes[lane] for lane in boxes if lane.block == block]
        if slot.folded:
            return _fold_width(lattice, here, slot)
        return max(box.template.frame[2] - box.template.frame[0] for box in here)

    steps = plural(sum(slot.count for block in lattice.blocks for slot in block), "step")
    title = f"{', '.join(dict.fromkeys(lane.title for lane in boxes))} ops, {steps}"
    grid = OpGrid(**vars(make_grid(lattice, boxes, title, width, 1.0, 17.0)))
    top, feed = 0.0, FEED if lattice.fed else 0.0
    for i, row in enumerate(lattice.rows):
        here = [boxes[lane].template for lane in row.lanes]
        sides = _sides(lattice, row.lanes, boxes, roles)
        base, buses, top = _stack(here, sides, top, None if i else feed)
        top += JOINED * any(lane.partner is not None for lane in row.lanes)
        grid.bases.append(base)
        grid.buses.append(buses)
        over = [bus.y + PARAM_HEIGHT / 2 for bus in buses if bus.side == "above"]
        grid.tops.append(max([*over, *(base + template.frame[3] for template in here)]))
    return grid


def _sides(
    lattice: Lattice,
    lanes: list[Lane],
    boxes: dict[Lane, OpBox],
    roles: Roles,
) -> dict[int, str]:
    """The side of each Parameter's bus, in the order in which the template's ops take them."""
    sides: dict[int, str] = {}
    for lane in lanes:
        for slot in lattice.slots(lane):
            for spot in boxes[lane].template.spots:
                for parameter in _operand_params(lattice, lane, roles.get((lane, slot), {}), spot):
                    if sides.setdefault(parameter, spot.side) != spot.side or not spot.side:
                        raise NoLatticeError
    return sides


def _operand_params(lattice: Lattice, lane: Lane, roles: dict[str, int], spot: Spot) -> list[int]:
    """The cell's Parameters among an op's operands."""
    if spot.role not in roles:
        return []
    inputs = spot.params or lattice.nodes[roles[spot.role]].inputs
    return [i for i in inputs if i in lane.uses]


def _stack(
    templates: list[Template],
    sides: dict[int, str],
    top: float,
    feed: float | None,
) -> tuple[float, list[Bus], float]:
    """Where one row stands above the last: its base, its buses, and the top of it all.

    The lowest row has room for the line that feeds its inputs (``feed``, else None).
    """
    over = [p for p, side in sides.items() if side == "above"]
    under = [p for p, side in sides.items() if side == "below"]
    low = min(t.frame[1] for t in templates)
    high = max(t.frame[3] for t in templates)
    below = max(t.below for t in templates) + (feed or 0.0)
    above = max(t.above for t in templates)
    depth = below + BUS_PITCH * (len(under) - 1) + PARAM_HEIGHT / 2 if under else 40.0
    base = 0.0 if feed is not None else top + ROW_GAP + depth - low
    buses = [Bus(p, "below", base + low - below - BUS_PITCH * k) for k, p in enumerate(under)]
    count = len(over) - 1
    buses += [
        Bus(p, "above", base + high + above + BUS_PITCH * (count - k)) for k, p in enumerate(over)
    ]
    height = above + BUS_PITCH * count + PARAM_HEIGHT / 2 if over else 0.0
    return base, buses, base + high + height


def _fold_width(lattice: Lattice, boxes: list[OpBox], slot: Slot) -> float:
    """Room for the words and, below the frame, the inputs beside the dashed taps."""
    taps = max(len(lattice.rows[box.lane.row].params) for box in boxes)
    more = max((box.template.inputs for box in boxes), key=len)
    named = ["x", *(role.removeprefix("x_") for role in more)]
    inputs = sum(
        text_width(span(name, slot.first, slot.last), style.STATE, True) + 14 for name in named
    )
    words = text_width(fold_count(slot), style.NAME, True) + 16
    heading = text_width(fold_heading(slot), style.TITLE) + 24
    return max(110.0, words, heading, inputs + 14 + FOLD_TAP * taps + 6)


def _own_output(lattice: Lattice, lane: Lane, step: int) -> int | None:
    """The node of a step's output that is used outside and is none of its states."""
    inside = lane.calls[step].nodes
    found = [i for i in inside if i in lattice.made and lattice.made[i].role == "y"]
    return found[0] if len(found) == 1 else None


def _templates(
    lattice: Lattice,
) -> tuple[dict[Lane, Template], dict[tuple[Lane, Slot], dict[str, int]]]:
    """The template of each lane, and for each step drawn the node of each of its roles.

    Raises NoLatticeError where the steps of a lane differ from one another.
    """
    templates: dict[Lane, Template] = {}
    roles: dict[tuple[Lane, Slot], dict[str, int]] = {}
    states = tuple(dict.fromkeys(s for lane in lattice.lanes for s in lane.states))
    for lane in lattice.lanes:
        later: Step | None = None
        for slot in sorted(lattice.slots(lane), key=lambda s: s.steps[0] == lane.runs[0]):
            if slot.folded:
                continue
            call = lane.calls[slot.steps[0]]
            if later is not None and (first := first_step(lattice.nodes, call, later)) is not None:
                roles[lane, slot] = first
                continue
            matched = None if lattice.notes else match(lattice.nodes, call)
            if matched is None:
                out = _own_output(lattice, lane, slot.steps[0])
                later, found = read_step(lattice.nodes, call, lane.states, out)
                gates = tuple(lane.gates.items())
                matched = lay_out(later, gates, states, lattice.notes.width), found
            if templates.setdefault(lane, matched[0]) is not matched[0]:
                raise NoLatticeError
            roles[lane, slot] = matched[1]
        if lane not in templates:
            raise NoLatticeError
    return {k: mirrored(t) if k.backwards else t for k, t in templates.items()}, roles


def _draw_step(grid: OpGrid, lane: Lane, slot: Slot, roles: dict[str, int]) -> None:
    """One step: its frame, its ops, the edges between them as recorded, and its taps."""
    picture, template, step = grid.picture, grid.boxes[lane].template, grid.id(lane, slot)
    left, right = grid.edges(lane, slot)
    bottom, top = grid.frame(lane)
    picture.frame(step, (left, bottom, right, top), style.OP, filled=False, tooltip=lane.path)
    x, y = grid.boxes[lane].at(grid, slot, template.heading)
    ended = slot.steps[0] in lane.ended
    picture.text(f"{step}.heading", f"t = {slot.first}", x, y, style.TITLE, style.PLAIN, left=True)
    if ended:
        words = "beyond every length"
        picture.text(f"{step}.ended", words, (left + right) / 2, top + 10, style.NOTE, style.PLAIN)
    for spot in template.spots:
        _draw_op(grid, lane, slot, spot, roles.get(spot.role))
    for k, (text, *at) in enumerate(template.texts):
        x, y = grid.boxes[lane].at(grid, slot, (at[0], at[1]))
        picture.text(f"{step}.text{k}", text, x, y, style.SMALL, style.PLAIN)
    for k, (role, point) in enumerate(template.dots):
        color, size = _role_color(grid, template, role), 5.0 if template.curved else style.JUNCTION
        picture.dot(f"{step}.dot{k}", *grid.boxes[lane].at(grid, slot, point), color, size)
    _draw_own_output(grid, lane, slot)
    for spot in template.spots:
        for tail in dict.fromkeys(spot.takes):
            if not tail.endswith("'") and tail != "x" and tail not in template.inputs:
                _draw_edge(grid, lane, slot, tail, spot.role)
        params = _operand_params(grid.lattice, lane, roles, spot)
        _draw_taps(grid, lane, slot, spot, roles.get(spot.role), params)


def _draw_op(grid: OpGrid, lane: Lane, slot: Slot, spot: Spot, node: int | None) -> None:
    """The box of an op; a gate has its word over its equation."""
    picture = grid.picture
    x, y = grid.boxes[lane].at(grid, slot, (spot.x, spot.y))
    id = f"{grid.id(lane, slot)}.{spot.role}"
    if node is None:
        note = "constant in this step: nothing was recorded"
        size = (spot.width, spot.height)
        picture.box(id, spot.label, x, y, *size, spot.look, "op", dashed=True, tooltip=note)
        return
    picture.stands[id] = node
    label = "" if spot.gate else spot.label or _words(grid, node)
    cls = "gate" if spot.gate else "op"
    notes = grid.lattice.notes
    if notes and not spot.gate:
        label = _spelled(grid, node) or label
        size = (spot.width, spot.height)
        grid.noted(id, label, node, (x, y), size, spot.look, cls, bold=node in notes.nodes)
        return
    picture.box(id, label, x, y, spot.width, spot.height, spot.look, cls)
    if spot.gate and notes:
        y += 7
        notes.draw(picture, id, node, x, y - 21)
    if spot.gate:
        made = grid.lattice.nodes[node]
        word = lane.gates.get(made.name, spot.role)
        equation = spot.label or f"{spot.role} = {SYMBOLS.get(made.op, made.op)}(z_{spot.role})"
        picture.text(f"{id}.word", word, x, y + 6, style.OP_SIZE, style.INK, bold=True)
        picture.text(f"{id}.rule", equation, x, y - 8, style.SMALL, style.SECOND)


def _words(grid: OpGrid, node: int) -> str:
    """An op's symbol, with the number that it takes before or after it."""
    nodes = grid.lattice.nodes
    numbers = [nodes[k].name if nodes[k].op == "literal" else "" for k in nodes[node].inputs]
    return op_words(nodes[node].op, *(numbers if len(numbers) == 2 else ()))


def _spelled(grid: OpGrid, node: int) -> str:
    """An op with the names of what it takes, where one of them is a Parameter: ``w * h``."""
    nodes, lattice = grid.lattice.nodes, grid.lattice
    here = nodes[node]
    if len(here.inputs) != 2 or SYMBOLS.get(here.op) not in OPERATORS:
        return ""
    names = []
    for i in here.inputs:
        short = nodes[i].op == "parameter"
        named = lattice.short(i) if short else nodes[i].name if _comes_in(grid, i, node) else ""
        names.append(named)
    if not any(nodes[i].op == "parameter" for i in here.inputs):
        return ""
    return op_words(here.op, *names)


def _comes_in(grid: OpGrid, i: int, node: int) -> bool:
    """Whether a value comes into the step that takes it, from outside or from the step before."""
    nodes = grid.lattice.nodes
    return i in grid.lattice.made or nodes[i].call != nodes[node].call or nodes[i].op == "literal"


def _draw_edge(grid: OpGrid, lane: Lane, slot: Slot, tail: str, head: str) -> None:
    """An edge inside a step, along the template's route, else straight."""
    template, step = grid.boxes[lane].template, grid.id(lane, slot)
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
    inner = tail in template.states.values() and not rail
    grid.picture.line(
        f"{step}.{tail}",
        f"{step}.{head}",
        [grid.boxes[lane].at(grid, slot, point) for point in route],
        color=a.look.stroke if rail or inner else style.PLAIN,
        pen=style.RAIL_PEN if rail else style.INPUT_PEN if inner else style.PLAIN_PEN,
        arrow=style.ARROW if rail else style.SMALL_ARROW,
        swing="v" if swing is not None else "h" if template.curved else "",
        radius=14,
    )


def _role_color(grid: OpGrid, template: Template, role: str) -> str:
    """The colour of the lines that leave a role."""
    if role.endswith("'"):
        return grid.looks[role.removesuffix("'")].stroke
    return template.spot(role).look.stroke if role in template.states.values() else style.PLAIN


def _straight(a: Spot, b: Spot) -> tuple[Point, Point]:
    if a.y == b.y:
        sign = 1 if b.x > a.x else -1
        return (a.x + sign * a.width / 2, a.y), (b.x - sign * b.width / 2, b.y)
    up = 1 if b.y > a.y else -1
    return (b.x, a.y + up * a.height / 2), (b.x, b.y - up * b.height / 2)


def _draw_taps(
    grid: OpGrid, lane: Lane, slot: Slot, spot: Spot, node: int | None, params: list[int]
) -> None:
    """One tap for each Parameter of an op, from the dot on its bus."""
    buses = {bus.parameter: bus for bus in grid.buses[lane.row]}
    inputs = grid.lattice.nodes[node].inputs if node is not None else ()
    offsets = tap_offsets(len(params))
    for k, (parameter, offset) in enumerate(zip(params, offsets, strict=True)):
        bus = buses[parameter]
        x, y = grid.boxes[lane].at(grid, slot, (spot.x + offset, spot.y))
        end = y + spot.height / 2 * (1 if bus.side == "above" else -1)
        cls = tap_class(grid.lattice, parameter, f"t{slot.first}")
        dot = f"{grid.id(lane, slot)}.tap.{spot.role}{k}"
        _draw_tap(grid, lane, bus, dot, f"{grid.id(lane, slot)}.{spot.role}", (x, end), cls)
        alone = node is not None and parameter in inputs
        at = (node or 0, inputs.index(parameter)) if alone else None
        said = None if at is None else grid.lattice.notes.uses.get(at)
        if said is not None:
            wide = text_width(said, style.NOTE, True)
            aside = x + 6 if k == len(params) - 1 else x - 6 - wide
            rise, size = (9 if bus.side == "above" else -10), style.NOTE
            picture = grid.picture
            picture.text(
                f"{dot}.adds", said, aside, bus.y + rise, size, GRADIENT, bold=True, left=True
            )


def _draw_tap(
    grid: OpGrid, lane: Lane, bus: Bus, dot: str, head: str, end: Point, cls: str
) -> None:
    grid.picture.dot(dot, end[0], bus.y, style.ORANGE)
    grid.taps.setdefault((lane.row, bus.parameter), []).append(end[0])
    grid.picture.line(
        dot,
        head,
        [(end[0], bus.y), end],
        color=style.ORANGE,
        pen=style.BUS_PEN,
        arrow=style.ARROW,
        cls=cls,
        dashed=" fold " in cls,
    )


def _draw_fold(grid: OpGrid, lane: Lane, slot: Slot) -> None:
    """Several steps as one dashed frame, with a dashed tap from every bus."""
    picture, step = grid.picture, grid.id(lane, slot)
    left, width = grid.columns[lane.block, slot]
    bottom, top = grid.frame(lane)
    middle, y = left + width / 2, _quiet_height(grid, lane)
    picture.frame(step, (left, bottom, left + width, top), style.OP, filled=False, dashed=True)
    heading = fold_heading(slot)
    picture.text(f"{step}.heading", heading, middle, top - 12, style.TITLE, style.PLAIN)
    count = fold_count(slot)
    picture.text(f"{step}.count", count, middle, y + 8, style.NAME, style.PLAIN, bold=True)
    picture.text(f"{step}.same", "same weights", middle, y - 8, style.NOTE, style.PLAIN)
    right = left + width
    for state in lane.states:
        _draw_rail_through(grid, lane, slot, state)
    counts = {bus: lane.count(bus.parameter, slot) for bus in grid.buses[lane.row]}
    for side, edge in (("below", bottom), ("above", top)):
        used = [bus for bus, n in counts.items() if bus.side == side and n]
        for k, bus in enumerate(used):
            x = right - 10 - FOLD_TAP * (len(used) - 1 - k)
            when = f"fold t{slot.first}-t{slot.last} n{counts[bus]}"
            cls = tap_class(grid.lattice, bus.parameter, when)
            name = grid.lattice.names[bus.parameter]
            port = picture.port(f"{step}.port.{name}", x, edge)
            _draw_tap(grid, lane, bus, f"{step}.tap.{name}", port, (x, edge), cls)
        if used:
            least, most = min(counts[b] for b in used), max(counts[b] for b in used)
            words = plural(most, "use") if least == most else f"{least} to {most} uses"
            x = right - 6 - text_width(words, 9.5, True) / 2
            y = edge + (10 if side == "below" else -27)
            picture.text(f"{step}.uses.{side}", words, x, y, 9.5, style.ORANGE, bold=True)


def _quiet_height(grid: OpGrid, lane: Lane) -> float:
    """The middle of the widest gap between a folded frame's edges and the rails that cross it."""
    ys = sorted([*grid.frame(lane), *(grid.entry(lane, s) for s in lane.states)])
    gaps = [(b - a, (a + b) / 2) for a, b in pairwise(ys)]
    return max(gaps)[1]


def _params_end(grid: OpGrid, first: float) -> float:
    """The right side of the Parameters: in a stack, left of the lines that go up to the first x."""
    beside = first - (grid.gap + grid.pill) / 2 - 7
    near = (
        min(template.params for template in [box.template for box in grid.boxes.values()]) + first
    )
    inputs = min(
        template.input[0] - template.frame[0]
        for template in [box.template for box in grid.boxes.values()]
    )
    return min(near, beside) if len(grid.bases) > 1 and inputs < 0 else near


def _draw_buses(grid: OpGrid) -> None:
    """Each Parameter once, at the left, and its line to the last dot."""
    lattice, picture = grid.lattice, grid.picture
    first = min(left for left, _ in grid.columns.values())
    for i, buses in enumerate(grid.buses):
        for bus in buses:
            taps = sorted(grid.taps.get((i, bus.parameter), ()))
            right = _params_end(grid, first)
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


def _draw_legend(grid: OpGrid) -> None:
    items: list[Item] = []
    if any(grid.buses):
        items += [
            Item("a dot connects,", "bus"),
            Item("a crossing without one does not", "cross"),
            Item("the same Parameter", "line"),
        ]
    items += [Item(state, "line", look.stroke) for state, look in grid.looks.items()]
    if any(slot.folded for slot in (s for block in grid.lattice.blocks for s in block)):
        items.append(Item("dashed: steps not drawn one by one", "dashed"))
    if is_cut(grid):
        items.append(Item("// cut: the state goes on, no gradient comes back", "text"))
    boxes = grid.picture.nodes
    if any("constant in this step" in str(box.attrs.get("tooltip", "")) for box in boxes):
        items.append(Item("dashed op: constant in this step, not recorded", "dashed"))
    star = any(
        spot.ops == "mul" for t in [box.template for box in grid.boxes.values()] for spot in t.spots
    )
    items.append(Item("other values" + ";  * elementwise" * star, "thin"))
    items += [Item(words, "text", GRADIENT) for words in grid.lattice.notes.legend]
    left = min(left for left, _ in grid.columns.values())
    draw_legend(grid.picture, items, left + 7)


def _draw_own_output(grid: OpGrid, lane: Lane, slot: Slot) -> None:
    """The line from the op that makes an output that is no state to where it goes up, at the right."""
    box = grid.boxes[lane]
    if not box.template.output:
        return
    spot, step = box.template.spot(box.template.output), grid.id(lane, slot)
    route = [box.at(grid, slot, point) for point in box.template.routes[spot.role, ">y"]]
    end = grid.picture.port(f"{step}.y", *route[-1])
    grid.picture.line(f"{step}.{spot.role}", end, route, swing="h", cls="out")


def _draw_rail_through(grid: OpGrid, lane: Lane, slot: Slot, state: str) -> None:
    """A state on its way through folded steps."""
    y, step = grid.entry(lane, state), grid.id(lane, slot)
    a, b = grid.enters(lane, slot), grid.leaves(lane, slot)
    grid.picture.line(
        grid.picture.port(f"{step}.in.{state}", a, y),
        grid.picture.port(f"{step}.out.{state}", b, y),
        [(a, y), (b, y)],
        color=grid.looks[state].stroke,
        pen=style.RAIL_PEN,
        dashed=True,
        cls=f"rail fold {class_name(state)}",
    )


def _output_anchors(grid: OpGrid) -> dict[tuple[Lane, int, str], Anchor]:
    """Where a line may start for each output: the last pills, y, and the output over the top of its step."""
    anchors: dict[tuple[Lane, int, str], Anchor] = {}
    lattice = grid.lattice
    if all(lattice.nodes[i].op in PLUMBING for i in lattice.after):
        return anchors
    boxes, lanes = {node.id: node for node in grid.picture.nodes}, list(lattice.lanes)
    for lane in lanes:
        step, _ = grid.pill_after(lane, grid.slots_run(lane)[-1])
        for state in lane.states:
            pill = boxes[f"{lane.key}.{state}{step}"]
            end = Anchor(pill.id, pill.sides[2], pill.y)
            if lane.backwards:
                over = max(grid.tops) + 2 * RISE + JOINED
                end = Anchor(pill.id, pill.x, pill.sides[3], rise=over)
            anchors[lane, step - 1, state] = end
        output = grid.boxes[lane].template.output
        rising = lane.collected and lane.on_top(lanes) and not output and lane.partner is None
        for slot in lattice.slots(lane):
            found = []
            if output:
                found.append(("y", _own_anchor(grid, lane, slot)))
            if lane.partner is not None:
                y = boxes[f"{lane.key}.y{slot.first}"]
                found.append(("y", Anchor(y.id, y.x, y.sides[3], rise=y.sides[3] + RISE)))
            if rising:
                found.append((lane.out_role, _rising(grid, lane, slot)))
            for inside in slot.steps:
                for role, anchor in found:
                    last = anchors.get((lane, inside, role)) if rising else None
                    side = None if last is None else (last.x, last.y)
                    anchors[lane, inside, role] = anchor._replace(side=side)
    return anchors


def _own_anchor(grid: OpGrid, lane: Lane, slot: Slot) -> Anchor:
    box, step, rise = grid.boxes[lane], grid.id(lane, slot), grid.tops[lane.row] + RISE
    if slot.folded:
        x, y = grid.edges(lane, slot)[0] + 24, grid.frame(lane)[1]
        return Anchor(grid.picture.port(f"{step}.y", x, y), x, y, rise=rise)
    x, y = box.at(grid, slot, box.template.routes[box.template.output, ">y"][-1])
    return Anchor(f"{step}.y", x, y, rise=rise)


def _rising(grid: OpGrid, lane: Lane, slot: Slot) -> Anchor:
    rise = grid.tops[lane.row] + RISE
    if slot.folded:
        x, y = grid.edges(lane, slot)[1] - 24, grid.frame(lane)[1]
        return Anchor(f"{grid.id(lane, slot)}.heading", x, y, rise=rise)
    id, (x, y) = grid.boxes[lane].up(grid, slot)
    return Anchor(id, x, y, rise=rise)


def _bus_ends(grid: OpGrid) -> dict[int, Anchor]:
    """Where a use after the cells leaves each Parameter's bus: at its last dot."""
    ends: dict[int, Anchor] = {}
    for i, buses in enumerate(grid.buses):
        for bus in buses:
            if taps := grid.taps.get((i, bus.parameter)):
                id = f"param.{grid.lattice.names[bus.parameter]}.end"
                ends[bus.parameter] = Anchor(id, max(taps), bus.y)
    return ends
