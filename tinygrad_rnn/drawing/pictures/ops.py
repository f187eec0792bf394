"""How are ops drawn? Every op of every step, Parameters as buses with a dot for each use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ...graphs.chains import Chain, Column, NotUnrollableError, Output
from ...graphs.meaning import CellAt, Out, State, Uses
from ...graphs.steps import Step, first_step, read_step
from ...graphs.unrolled import UnrolledGraph
from ..layout.folding import fold
from ..layout.grid import (
    ASIDE,
    PARAM_HEIGHT,
    Anchor,
    AnyGrid,
    Grid,
    StepBox,
    Ways,
    draw_param,
    make_grid,
    param_width,
    samples_of,
)
from ..layout.router import settle
from ..layout.step_layout import lay_out
from ..layout.surroundings import draw_after, draw_before
from ..layout.templates import Spot, Template, match, mirrored, tap_offsets
from ..layout.wires import (
    draw_inputs,
    draw_outputs,
    draw_states,
    fed_states,
    name_row,
    state_anchors,
)
from ..scene import style
from ..scene.notes import Notes
from ..scene.scene import Box, Key, Point, Sample
from ..scene.style import Line, Look
from ..scene.text import (
    OPERATORS,
    SYMBOLS,
    fold_count,
    fold_heading,
    op_words,
    plural,
    span,
    state_name,
    text_width,
    words_of_op,
)

TITLE_ROOM = 18.0  # of a folded frame's heading, and of what stands over its taps
TWO_LINES = 36.0
BUS_PITCH, FOLD_TAP, FEED, JOINED = 48.0, 16.0, 18.0, 46.0
ROW_GAP, CHANNEL, RISE = 34.0, 14.0, 16.0
Roles = dict[tuple[Chain, Column], dict[str, int]]


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

    least = 0.0
    input_height, input_line, has_bands, joined_look = 24.0, style.OTHER, False, True

    def __init__(self, chain: Chain, template: Template) -> None:
        self.chain, self.template, self.curved = chain, template, template.curved
        _, self.bottom, _, self.top = template.frame

    def at(self, grid: AnyGrid, column: Column, point: Point) -> Point:
        """A point of the template, in the picture."""
        left, _ = grid.edges(self.chain, column)
        return left + point[0] - self.template.frame[0], grid.y(self.chain, point[1])

    def entry(self, state: str) -> float:
        """At the first op that takes it."""
        return self.template.entry(state)

    def leaves(
        self, grid: AnyGrid, column: Column, state: str, pill: Point
    ) -> tuple[Key, list[Point]]:
        """From the op that writes a state (or a folded frame's edge)."""
        cell = CellAt(self.chain, column)
        end = (pill[0] - grid.sign(self.chain) * grid.pill / 2, pill[1])
        if column.folded:
            return (cell, f"out.{state}"), [(grid.leaves(self.chain, column), end[1]), end]
        route = [self.at(grid, column, p) for p in self.template.way_out(state)[:-1]]
        return (cell, self.template.states[state]), [*route, end]

    def ways_in(self, grid: AnyGrid, column: Column, role: str, start: Point) -> Ways:
        """To every op that takes a state or an input (or a folded frame's edge)."""
        cell, state = CellAt(self.chain, column), role.removesuffix("'")
        if not column.folded:
            spots = self.template.takers(role)
            ways = [
                [self.at(grid, column, p) for p in self.template.way_in(role, spot)]
                for spot in spots
            ]
            if state != role:
                ways = [[start, *way[1:]] for way in ways]
            return [((cell, s.role), way) for s, way in zip(spots, ways, strict=True)]
        if state != role:
            return [((cell, f"in.{state}"), [start, (grid.enters(self.chain, column), start[1])])]
        end = (start[0], grid.frame(self.chain)[0])
        return [(grid.scene.port((cell, f"in.{role}"), *end), [start, end])]

    def from_pill(
        self, route: list[Point], x: float, y: float, width: float, tall: float
    ) -> list[Point]:
        """From the pill's side where it stands beside what takes it, from its top below a fold."""
        if len(route) == 2 and route[0] == (x, y) and route[1][0] == x:
            return [(x, y + tall / 2), route[1]]
        if route[0][1] == y:
            sign = -1 if self.chain.backwards else 1
            return [(x + sign * width / 2, y), *route[1:]]
        return route

    def up(self, grid: AnyGrid, column: Column) -> tuple[Key, Point]:
        """Where the output goes up; its dot where that is not the top of a box."""
        cell, template = CellAt(self.chain, column), self.template
        if column.folded:
            at = (grid.edges(self.chain, column)[0] + 24, grid.frame(self.chain)[1])
            return grid.scene.port((cell, "up"), *at), at
        role = self._writes()
        (x, y), spot = self.at(grid, column, template.leave), template.spot(role)
        if y != grid.y(self.chain, spot.y + spot.height / 2):
            grid.scene.dot((cell, "up.dot"), x, y, grid.looks[self.chain.out_role].stroke, 5)
        return (cell, role), (x, y)

    def up_to(self, grid: AnyGrid, column: Column, x: float) -> tuple[Key, Point, float]:
        """Where the line to a layer above begins, and the channel between the layers."""
        channel = grid.tops[self.chain.row] + CHANNEL
        if column.folded:
            at = (x, grid.frame(self.chain)[1])
            return grid.scene.port((CellAt(self.chain, column), "up"), *at), at, channel
        _, at = self.up(grid, column)
        return (CellAt(self.chain, column), self._writes()), at, channel

    def _writes(self) -> str:
        """The role that writes the output. Raises NotUnrollableError where that is no state."""
        role = self.template.states.get(self.chain.out_role)
        if role is None:
            raise NotUnrollableError
        return role

    def inputs(self, grid: AnyGrid, column: Column) -> Iterator[tuple[str, Point]]:
        """x and what else comes in, left of the step or below it."""
        template, (left, right) = self.template, grid.edges(self.chain, column)
        here = self.chain.calls[self.chain.here(column)[0]].inputs
        for role in ("x", *template.inputs) if "x" in here else template.inputs:
            y = template.inputs.get(role, template.input[1])
            x, y = self.at(grid, column, (template.input[0], y))
            if not left < x < right:
                x = grid.enters(self.chain, column) - grid.sign(self.chain) * grid.gap / 2
            yield role, (x, y)

    def folded_at(self, grid: AnyGrid, column: Column, _at: Point, aside: float) -> Point:
        """Side by side below the frame."""
        return grid.edges(self.chain, column)[0] + 2 + aside, grid.frame(self.chain)[0] - 18

    def input_name(
        self, column: Column, role: str, source: Output | None, _looks: Mapping[str, Look]
    ) -> str:
        """The input's name, or that of the output below."""
        word = role if role == "x" else role.removeprefix("x_")
        if source is None:
            return span(word, column.first, column.last)
        shift = source.step - self.chain.here(column)[0]
        name = state_name(source.role, source.chain.layer)
        return span(name, column.first + shift, column.last + shift)

    def input_color(self, source: Output | None, look: Look) -> str:
        """That of the state that it is."""
        return style.PLAIN if source is None else look.stroke

    def from_joined(
        self, grid: AnyGrid, column: Column, y: Box, pill: Box, next_row: bool
    ) -> tuple[list[Point], str]:
        """Up into the next row, else past it at the right."""
        channel, color = y.sides[3] + 9, grid.looks[self.chain.out_role].stroke
        x, end = pill.x, [(pill.x, pill.sides[1])]
        if not next_row:
            x = grid.edges(self.chain, column)[1] + (grid.gap + grid.pill) / 2 + ASIDE
            end = [(x, pill.y), (pill.sides[2], pill.y)]
        return [(y.x, y.sides[3]), (y.x, channel), (x, channel), *end], color


def draw_ops(unrolled: UnrolledGraph, notes: Notes | None = None) -> OpGrid:
    """Lay out every step by its cell's template. Raises NotUnrollableError where a cell has none."""
    if unrolled.betweens.all:
        raise NotUnrollableError
    templates, roles = _templates(unrolled, notes)
    boxes = {chain: OpBox(chain, template) for chain, template in templates.items()}
    grid = _grid(unrolled, boxes, roles, notes)
    for chain in unrolled.chains:
        for column in unrolled.columns(chain):
            if column.folded:
                _draw_fold(grid, chain, column)
            else:
                _draw_step(grid, chain, column, roles[chain, column])
        draw_states(grid, chain)
        no_room = (grid.edges(chain, unrolled.columns(chain)[0])[0] + 2, grid.frame(chain)[1] + 8)
        name_row(grid, chain, grid.boxes[chain].top - 12, 6, no_room, 1)
    _draw_buses(grid)
    for chain in unrolled.chains:
        draw_outputs(grid, chain, single=False)
    fed, states = draw_inputs(grid), fed_states(unrolled, grid.scene)
    feed = min((anchor.y for anchor in fed), default=0.0)
    feed = min(feed, *(grid.frame(chain)[0] for chain in unrolled.rows[0].chains)) - 8
    if fed or states or unrolled.before:
        draw_before(grid, fed, states, _bus_ends(grid), feed)
    if grid.unrolled.goes_on:
        draw_after(grid, _output_anchors(grid), _bus_ends(grid), collapse=False)
    settle(grid.scene)
    fold(grid.scene, style.WIDEST)
    star = any(spot.ops == "mul" for t in templates.values() for spot in t.spots)
    samples = [*samples_of(grid.scene, grid.looks, of_ops=True, elementwise=star)]
    samples += [
        Sample(words, "text", style.GRADIENT.stroke) for words in (notes.legend if notes else ())
    ]
    grid.scene.legend(samples, grid.left + 7)
    return grid


def _grid(
    unrolled: UnrolledGraph, boxes: dict[Chain, OpBox], roles: Roles, notes: Notes | None
) -> OpGrid:
    """Measure what is written, and set columns, rows and buses accordingly."""

    def width(segment: int, column: Column) -> float:
        here = [boxes[chain] for chain in boxes if chain.segment == segment]
        if column.folded:
            return _fold_width(unrolled, here, column)
        return max(box.template.frame[2] - box.template.frame[0] for box in here)

    columns = [column for segment in unrolled.segments for column in segment]
    steps = plural(sum(column.count for column in columns), "step")
    title = f"{', '.join(dict.fromkeys(chain.title for chain in boxes))} ops, {steps}"
    grid = OpGrid(**vars(make_grid(unrolled, boxes, title, width, 1.0, 17.0, notes)))
    top, feed = 0.0, FEED if unrolled.fed else 0.0
    for i, row in enumerate(unrolled.rows):
        here = [boxes[chain].template for chain in row.chains]
        sides = _sides(unrolled, row.chains, boxes, roles)
        base, buses, top = _stack(here, sides, top, None if i else feed)
        top += JOINED * any(chain.partner is not None for chain in row.chains)
        grid.bases.append(base)
        grid.buses.append(buses)
        over = [bus.y + PARAM_HEIGHT / 2 for bus in buses if bus.side == "above"]
        grid.tops.append(max([*over, *(base + template.frame[3] for template in here)]))
    return grid


def _sides(
    unrolled: UnrolledGraph,
    chains: list[Chain],
    boxes: dict[Chain, OpBox],
    roles: Roles,
) -> dict[int, str]:
    """The side of each Parameter's bus, in the order in which the template's ops take them."""
    sides: dict[int, str] = {}
    for chain in chains:
        for column in unrolled.columns(chain):
            for spot in boxes[chain].template.spots:
                for parameter in _operand_params(
                    unrolled, chain, roles.get((chain, column), {}), spot
                ):
                    if sides.setdefault(parameter, spot.side) != spot.side or not spot.side:
                        raise NotUnrollableError
    return sides


def _operand_params(
    unrolled: UnrolledGraph, chain: Chain, roles: dict[str, int], spot: Spot
) -> list[int]:
    """The cell's Parameters among an op's operands."""
    if spot.role not in roles:
        return []
    inputs = spot.params or unrolled.nodes[roles[spot.role]].inputs
    return [i for i in inputs if i in chain.uses]


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


def _fold_width(unrolled: UnrolledGraph, boxes: list[OpBox], column: Column) -> float:
    """Room for the words and, below the frame, the inputs beside the dashed taps."""
    taps = max(len(unrolled.rows[box.chain.row].params) for box in boxes)
    more = max((box.template.inputs for box in boxes), key=len)
    named = ["x", *(role.removeprefix("x_") for role in more)]
    inputs = sum(
        text_width(span(name, column.first, column.last), style.STATE, True) + 14 for name in named
    )
    words = text_width(fold_count(column), style.NAME, True) + 16
    heading = text_width(fold_heading(column), style.TITLE) + 24
    return max(110.0, words, heading, inputs + 14 + FOLD_TAP * taps + 6)


def _templates(unrolled: UnrolledGraph, notes: Notes | None) -> tuple[dict[Chain, Template], Roles]:
    """The template of each chain, and for each step drawn the node of each of its roles.

    Raises NotUnrollableError where the steps of a chain differ from one another.
    """
    templates: dict[Chain, Template] = {}
    roles: Roles = {}
    states = tuple(dict.fromkeys(s for chain in unrolled.chains for s in chain.states))
    for chain in unrolled.chains:
        later: Step | None = None
        for column in sorted(unrolled.columns(chain), key=lambda s: s.steps[0] == chain.runs[0]):
            if column.folded:
                continue
            call = chain.calls[column.steps[0]]
            if later is not None and (first := first_step(unrolled.nodes, call, later)) is not None:
                roles[chain, column] = first
                continue
            matched = None if notes else match(unrolled.nodes, call)
            if matched is None:
                own = unrolled.own_outputs(chain, column.steps[0])
                out = own[0] if len(own) == 1 else None
                later, found = read_step(unrolled.nodes, call, chain.states, out)
                gates = tuple(chain.gates.items())
                matched = lay_out(later, gates, states, notes.width if notes else 0.0), found
            if templates.setdefault(chain, matched[0]) is not matched[0]:
                raise NotUnrollableError
            roles[chain, column] = matched[1]
        if chain not in templates:
            raise NotUnrollableError
    return {k: mirrored(t) if k.backwards else t for k, t in templates.items()}, roles


# ---- steps ------------------------------------------------------------------------------------------


def _draw_step(grid: OpGrid, chain: Chain, column: Column, roles: dict[str, int]) -> None:
    """One step: its frame, its ops, the wires between them as recorded, and its taps."""
    scene, box, cell = grid.scene, grid.boxes[chain], CellAt(chain, column)
    template = box.template
    (left, right), (bottom, top) = grid.edges(chain, column), grid.frame(chain)
    scene.frame(cell, (left, bottom, right, top), style.OP, filled=False, tooltip=chain.path)
    at, words = box.at(grid, column, template.heading), f"t = {column.first}"
    scene.text(cell, "heading", words, *at, style.TITLE, style.PLAIN, left=True)
    if column.steps[0] in chain.ended:
        at, words = ((left + right) / 2, top + 10), "beyond every length"
        scene.text(cell, "ended", words, *at, style.NOTE, style.PLAIN)
    for spot in template.spots:
        _draw_op(grid, chain, column, spot, roles.get(spot.role, -1))
    for k, (text, *place) in enumerate(template.texts):
        at = box.at(grid, column, (place[0], place[1]))
        scene.text(cell, f"text{k}", text, *at, style.SMALL, style.PLAIN)
    for k, (role, point) in enumerate(template.dots):
        color, size = _role_color(grid, template, role), 5.0 if template.curved else style.JUNCTION
        scene.dot((cell, f"dot{k}"), *box.at(grid, column, point), color, size)
    _draw_own_output(grid, chain, column)
    for spot in template.spots:
        for tail in dict.fromkeys(spot.takes):
            if not tail.endswith("'") and tail != "x" and tail not in template.inputs:
                _draw_edge(grid, chain, column, tail, spot.role)
        params = _operand_params(grid.unrolled, chain, roles, spot)
        _draw_taps(grid, chain, column, spot, roles.get(spot.role, -1), params)


def _draw_op(grid: OpGrid, chain: Chain, column: Column, spot: Spot, node: int) -> None:
    """The box of an op; a gate has its word over its equation."""
    scene, notes, size = grid.scene, grid.notes, (spot.width, spot.height)
    x, y = grid.boxes[chain].at(grid, column, (spot.x, spot.y))
    of, part, look = CellAt(chain, column, node), spot.role, spot.look
    if node < 0:
        note = "constant or not run in this step: nothing was recorded"
        box = (of, spot.label, x, y, *size, look, "op")
        scene.box(*box, part=part, dashed=True, tooltip=note)
        return
    nodes = grid.unrolled.nodes
    label = spot.label or words_of_op(nodes, nodes[node])
    if notes and not spot.gate:
        label = _spelled(grid, node) or label
        bold = node in notes.nodes
        grid.noted(of, label, node, (x, y), size, look, "op", part=part, bold=bold)
        return
    if not spot.gate:
        scene.box(of, label, x, y, *size, look, "op", part=part)
        return
    scene.box(of, "", x, y, *size, look, "gate", part=part)
    if notes:
        y += 7
        notes.draw(scene, of, f"{part}.", node, x, y - 21)
    made = nodes[node]
    word = chain.gates.get(made.name, part)
    equation = spot.label or f"{part} = {SYMBOLS.get(made.op, made.op)}(z_{part})"
    scene.text(of, f"{part}.word", word, x, y + 6, style.OP_SIZE, style.INK, bold=True, owner=part)
    scene.text(of, f"{part}.rule", equation, x, y - 8, style.SMALL, style.SECOND, owner=part)


def _spelled(grid: OpGrid, node: int) -> str:
    """An op with the names of what it takes, where one of them is a Parameter: ``w * h``."""
    nodes, made = grid.unrolled.nodes, grid.unrolled.made
    here = nodes[node]
    operands = [nodes[i] for i in here.inputs]
    if len(operands) != 2 or SYMBOLS.get(here.op) not in OPERATORS:
        return ""
    if not any(operand.op == "parameter" for operand in operands):
        return ""
    names = []
    for operand in operands:
        outside = operand.id in made or operand.call != here.call or operand.op == "literal"
        short = operand.op == "parameter"
        name = grid.unrolled.short(operand.id) if short else operand.name if outside else ""
        names.append(name)
    return op_words(here.op, *names)


def _draw_edge(grid: OpGrid, chain: Chain, column: Column, tail: str, head: str) -> None:
    """A wire inside a step, along the template's route, else straight."""
    box, cell = grid.boxes[chain], CellAt(chain, column)
    template = box.template
    swing = template.swings.get((tail, head))
    a, b = template.spot(tail), template.spot(head)
    if swing is not None:
        route: tuple[Point, ...] = ((a.x + swing, a.y + a.height / 2), (b.x, b.y - b.height / 2))
    else:
        route = template.routes.get((tail, head)) or _straight(a, b)
    through = a.look.pen > 1 and b.look.pen > 1 and a.y == b.y  # a state on its way
    inner = tail in template.states.values() and not through
    line = replace(style.VALUE if inner else style.OTHER, radius=14)
    if through:
        line = replace(style.RAIL_IN, kind="", radius=14)
    color = a.look.stroke if through or inner else ""
    how = "v" if swing is not None else "h" if template.curved else ""
    points = [box.at(grid, column, point) for point in route]
    grid.scene.wire((cell, tail), (cell, head), points, line, of=cell, color=color, swing=how)


def _role_color(grid: OpGrid, template: Template, role: str) -> str:
    """The colour of the wires that leave a role."""
    if role.endswith("'"):
        return grid.looks[role.removesuffix("'")].stroke
    return template.spot(role).look.stroke if role in template.states.values() else style.PLAIN


def _straight(a: Spot, b: Spot) -> tuple[Point, Point]:
    if a.y == b.y:
        sign = 1 if b.x > a.x else -1
        return (a.x + sign * a.width / 2, a.y), (b.x - sign * b.width / 2, b.y)
    up = 1 if b.y > a.y else -1
    return (b.x, a.y + up * a.height / 2), (b.x, b.y - up * b.height / 2)


def _draw_own_output(grid: OpGrid, chain: Chain, column: Column) -> None:
    """The wire from the op that makes an output that is no state to where it goes up, at the right."""
    box, cell = grid.boxes[chain], CellAt(chain, column)
    role = box.template.output
    if role:
        route = [box.at(grid, column, point) for point in box.template.routes[role, ">y"]]
        end = grid.scene.port((cell, "y"), *route[-1])
        grid.scene.wire((cell, role), end, route, Line("out"), of=cell, swing="h")


# ---- uses -------------------------------------------------------------------------------------------


def _draw_taps(
    grid: OpGrid, chain: Chain, column: Column, spot: Spot, node: int, params: list[int]
) -> None:
    """One tap for each Parameter of an op, from the dot on its bus."""
    buses = {bus.parameter: bus for bus in grid.buses[chain.row]}
    inputs = grid.unrolled.nodes[node].inputs if node >= 0 else ()
    offsets, cell = tap_offsets(len(params)), CellAt(chain, column)
    for k, (parameter, offset) in enumerate(zip(params, offsets, strict=True)):
        bus, dot = buses[parameter], (cell, f"tap.{spot.role}{k}")
        x, y = grid.boxes[chain].at(grid, column, (spot.x + offset, spot.y))
        above = bus.side == "above"
        end = (x, y + spot.height / 2 * (1 if above else -1))
        use = grid.unrolled.use(chain, column, {parameter: 1})
        _draw_tap(grid, bus, dot, (cell, spot.role), end, use)
        said = None
        if parameter in inputs and grid.notes is not None:
            said = grid.notes.uses.get((node, inputs.index(parameter)))
        if said is not None:
            wide = text_width(said, style.NOTE, True)
            at = (x + 6 if k == len(params) - 1 else x - 6 - wide, bus.y + (9 if above else -10))
            color, part = style.GRADIENT.stroke, f"{dot[1]}.adds"
            grid.scene.text(cell, part, said, *at, style.NOTE, color, bold=True, left=True)


def _draw_tap(grid: OpGrid, bus: Bus, dot: Key, head: Key, end: Point, use: Uses) -> None:
    assert use.chain is not None
    assert use.column is not None
    grid.scene.dot(dot, end[0], bus.y, style.ORANGE)
    grid.taps.setdefault((use.chain.row, bus.parameter), []).append(end[0])
    route, folded = [(end[0], bus.y), end], use.column.folded
    grid.scene.wire(dot, head, route, style.USE, of=use, dashed=folded)


def _draw_fold(grid: OpGrid, chain: Chain, column: Column) -> None:
    """Several steps as one dashed frame, with a dashed tap from every bus."""
    scene, cell, unrolled = grid.scene, CellAt(chain, column), grid.unrolled
    (left, right), (bottom, top) = grid.edges(chain, column), grid.frame(chain)
    middle, (room, y) = (left + right) / 2, _quiet_height(grid, chain)
    heading, count = fold_heading(column), fold_count(column)
    scene.frame(cell, (left, bottom, right, top), style.OP, filled=False, dashed=True)
    scene.text(cell, "heading", heading, middle, top - 12, style.TITLE, style.PLAIN)
    two = room > TWO_LINES
    scene.text(cell, "count", count, middle, y + 8 * two, style.NAME, style.PLAIN, bold=True)
    if two:
        scene.text(cell, "same", "same weights", middle, y - 8, style.NOTE, style.PLAIN)
    for state in chain.states:
        _draw_state_through(grid, chain, column, state)
    counts = {bus: chain.count(bus.parameter, column) for bus in grid.buses[chain.row]}
    for side, edge in (("below", bottom), ("above", top)):
        used = [bus for bus, n in counts.items() if bus.side == side and n]
        for k, bus in enumerate(used):
            x = right - 10 - FOLD_TAP * (len(used) - 1 - k)
            use = unrolled.use(chain, column, {bus.parameter: counts[bus]})
            name = unrolled.names[bus.parameter]
            port = scene.port((cell, f"port.{name}"), x, edge)
            _draw_tap(grid, bus, (cell, f"tap.{name}"), port, (x, edge), use)
        if used:
            least, most = min(counts[b] for b in used), max(counts[b] for b in used)
            words = plural(most, "use") if least == most else f"{least} to {most} uses"
            x = right - 6 - text_width(words, 9.5, True) / 2
            at = (x, edge + (10 if side == "below" else -27))
            use = unrolled.use(chain, column, {bus.parameter: counts[bus] for bus in used})
            scene.text(use, f"uses.{side}", words, *at, 9.5, style.ORANGE, bold=True)


def _draw_state_through(grid: OpGrid, chain: Chain, column: Column, state: str) -> None:
    """A state on its way through folded steps."""
    y, cell = grid.entry(chain, state), CellAt(chain, column)
    a, b = grid.enters(chain, column), grid.leaves(chain, column)
    tail, head = (grid.scene.port((cell, f"{n}.{state}"), x, y) for n, x in (("in", a), ("out", b)))
    of, line = State(chain, column.first, state), replace(style.RAIL, kind="rail fold")
    color = grid.looks[state].stroke
    grid.scene.wire(tail, head, [(a, y), (b, y)], line, of=of, color=color, dashed=True)


def _quiet_height(grid: OpGrid, chain: Chain) -> tuple[float, float]:
    """The widest gap between what is in a folded frame and the states that cross it, and its middle."""
    bottom, top = grid.frame(chain)
    if any(bus.side == "below" for bus in grid.buses[chain.row]):
        bottom += TITLE_ROOM
    ys = sorted([bottom, top - TITLE_ROOM, *(grid.entry(chain, s) for s in chain.states)])
    return max((b - a, (a + b) / 2) for a, b in pairwise(ys))


def _draw_buses(grid: OpGrid) -> None:
    """Each Parameter once, at the left, and its line to the last dot."""
    right = _params_end(grid)
    for i, buses in enumerate(grid.buses):
        for bus in buses:
            taps, of = grid.taps.get((i, bus.parameter)), grid.unrolled.parameter(bus.parameter)
            x = right - param_width(grid, bus.parameter) / 2
            key = draw_param(grid, bus.parameter, x, bus.y)
            if taps:
                end = grid.scene.port((of, "end"), max(taps), bus.y)
                route = [(right, bus.y), (max(taps), bus.y)]
                grid.scene.wire(key, end, route, style.BUS, of=of)


def _params_end(grid: OpGrid) -> float:
    """The right side of the Parameters: in a stack, left of the wires that go up to the first x."""
    templates = [box.template for box in grid.boxes.values()]
    near = min(template.params for template in templates) + grid.left
    inputs = min(template.input[0] - template.frame[0] for template in templates)
    beside = grid.left - (grid.gap + grid.pill) / 2 - 7
    return min(near, beside) if len(grid.bases) > 1 and inputs < 0 else near


def _bus_ends(grid: OpGrid) -> dict[int, Anchor]:
    """Where a use after the cells leaves each Parameter's bus: at its last dot."""
    return {
        bus.parameter: Anchor((grid.unrolled.parameter(bus.parameter), "end"), max(taps), bus.y)
        for i, buses in enumerate(grid.buses)
        for bus in buses
        if (taps := grid.taps.get((i, bus.parameter)))
    }


# ---- outputs ----------------------------------------------------------------------------------------


def _output_anchors(grid: OpGrid) -> dict[tuple[Chain, int, str], Anchor]:
    """Where a wire may start for each output: the last pills, y, and the output over the top of its step."""
    unrolled, boxes = grid.unrolled, grid.scene.boxes
    if not unrolled.goes_on:
        return {}
    anchors, chains = state_anchors(grid, max(grid.tops) + 2 * RISE + JOINED), list(unrolled.chains)
    for chain in chains:
        output = grid.boxes[chain].template.output
        rising = chain.collected and chain.on_top(chains) and not output and chain.partner is None
        for column in unrolled.columns(chain):
            found = []
            if output:
                found.append(("y", _own_anchor(grid, chain, column)))
            if chain.partner is not None:
                y = boxes[Out(chain, column), ""]
                found.append(("y", Anchor(y.key, y.x, y.sides[3], rise=y.sides[3] + RISE)))
            if rising:
                found.append((chain.out_role, _rising(grid, chain, column)))
            for inside in column.steps:
                for role, anchor in found:
                    last = anchors.get((chain, inside, role)) if rising else None
                    side = None if last is None else (last.x, last.y)
                    anchors[chain, inside, role] = anchor._replace(side=side)
    return anchors


def _own_anchor(grid: OpGrid, chain: Chain, column: Column) -> Anchor:
    box, key, rise = grid.boxes[chain], (CellAt(chain, column), "y"), grid.tops[chain.row] + RISE
    if column.folded:
        x, y = grid.edges(chain, column)[0] + 24, grid.frame(chain)[1]
        return Anchor(grid.scene.port(key, x, y), x, y, rise=rise)
    x, y = box.at(grid, column, box.template.routes[box.template.output, ">y"][-1])
    return Anchor(key, x, y, rise=rise)


def _rising(grid: OpGrid, chain: Chain, column: Column) -> Anchor:
    rise = grid.tops[chain.row] + RISE
    if column.folded:
        x, y = grid.edges(chain, column)[1] - 24, grid.frame(chain)[1]
        return Anchor((CellAt(chain, column), "heading"), x, y, rise=rise)
    key, (x, y) = grid.boxes[chain].up(grid, column)
    return Anchor(key, x, y, rise=rise)
