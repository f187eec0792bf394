"""The wires outside the steps: states on their rails, inputs, outputs, and what hands states on."""

from __future__ import annotations

from collections.abc import Iterator

from . import style
from .grid import HANDOVER, PILL_HEIGHT, Anchor, AnyGrid, given, handovers, jog
from .lanes import Lane, NoLatticeError, Output
from .shapes import Picture, Point
from .slots import Slot
from .style import Look
from .unroll import Lattice
from .words import class_name, span, sub, text_width

CUT = 5.0
Y_HEIGHT = 20.0

# ---- states -------------------------------------------------------------------------------------


def draw_states(grid: AnyGrid, lane: Lane) -> None:
    """Each state's pills, from the one that the lane starts from to the last, and the rails between them."""
    box, run, half = grid.boxes[lane], grid.slots_run(lane), grid.sign(lane) * grid.pill / 2
    for state in lane.states:
        y, cls = grid.entry(lane, state), f"rail {class_name(state)}"
        step, x = grid.pill_before(lane)
        pill = _pill(grid, lane, state, step, (x, y), lane.start.inputs.get(state))
        _draw_handover(grid, lane, state, pill, (x - half, y))
        for slot in run:
            _draw_rail_in(grid, lane, slot, state, pill, (x + half, y))
            step, x = grid.pill_after(lane, slot)
            node = None if slot.folded else lane.calls[slot.steps[0]].outputs.get(state)
            pill = _pill(grid, lane, state, step, (x, y), node)
            tail, route = box.leaves(grid, slot, state, (x, y))
            grid.picture.line(
                tail,
                pill,
                route,
                color=grid.looks[state].stroke,
                pen=style.RAIL_PEN,
                cls=cls,
                swing="h" if box.curved and not slot.folded else "",
            )


def _pill(grid: AnyGrid, lane: Lane, state: str, step: int, at: Point, node: int | None) -> str:
    """A state between two steps."""
    size, cls = (grid.pill, grid.pill_height), f"state {class_name(state)} t{step}"
    id, words, look = f"{lane.key}.{state}{step}", sub(state, step), grid.looks[state]
    return grid.noted(id, words, node, at, size, look, cls, type_size=style.STATE, bold=True)


def _draw_rail_in(
    grid: AnyGrid, lane: Lane, slot: Slot, state: str, pill: str, start: Point
) -> None:
    """From a state's pill to everything that takes it; the straight way is the rail."""
    box = grid.boxes[lane]
    ways = box.ways_in(grid, slot, f"{state}'", start)
    for head, route in ways:
        straight = len(ways) == 1 or all(y == start[1] for _, y in route)
        grid.picture.line(
            pill,
            head,
            route,
            color=grid.looks[state].stroke,
            pen=style.RAIL_PEN if straight else style.INPUT_PEN,
            arrow=style.ARROW if straight else style.SMALL_ARROW,
            cls=f"rail {class_name(state)}",
            swing="h" if box.curved else "",
        )


def start_id(lattice: Lattice, lane: Lane, state: str) -> str:
    """The id of the pill of an initial state."""
    slots = lattice.slots(lane)
    return f"{lane.key}.{state}{slots[-1].last + 1 if lane.backwards else slots[0].first - 1}"


def fed_states(lattice: Lattice, picture: Picture) -> list[Anchor]:
    """The pills of initial states that are computed from something, or are Parameters themselves."""
    boxes, over = {node.id: node for node in picture.nodes}, picture.bounds()[3] + 24
    fed: list[Anchor] = []
    for lane in lattice.lanes:
        for state in lane.states:
            node = lane.start.inputs.get(state)
            origin = None if node is None else lattice.origin(node)
            if origin is None or origin.output is not None:
                continue
            if lattice.nodes[origin.node].op in ("input", "literal"):
                continue
            pill = boxes[start_id(lattice, lane, state)]
            over += 9.0 * lane.backwards
            side, rise = (pill.sides[2], over) if lane.backwards else (pill.sides[0], None)
            fed.append(Anchor(pill.id, side, pill.y, origin.node, rise=rise))
    return fed


# ---- a state that goes on from one lane to another ------------------------------------------------


def _draw_handover(grid: AnyGrid, lane: Lane, state: str, pill: str, end: Point) -> None:
    """The rail to a lane's first pill from the last of another lane: the same value, or a cut.

    Where the state only follows on the step of a lane that ended before, it was cut: the value may go
    on, and no gradient comes back.
    """
    output = given(grid.lattice, lane, state)
    source = output or cut_from(grid, lane, state)
    if source is None:
        return
    step, x = grid.pill_after(source.lane, grid.slots_run(source.lane)[-1])
    y = grid.entry(source.lane, source.role)
    start = (x + grid.sign(source.lane) * grid.pill / 2, y)
    bend = start[0] + 8 + (HANDOVER * _rank(grid, lane, state) if start[1] != end[1] else 0)
    route = [start, end] if y == end[1] else [start, (bend, y), (bend, end[1]), end]
    grid.picture.line(
        f"{source.lane.key}.{source.role}{step}",
        pill,
        route,
        color=grid.looks[state].stroke,
        pen=style.RAIL_PEN if output else style.INPUT_PEN,
        radius=6,
        dashed=not output,
        cls=f"{'rail' if output else 'cut'} {class_name(state)}",
    )
    if output:
        return
    for k, dx in enumerate((-2.5, 2.5)):  # two strokes across the line
        x, id = (start[0] + end[0]) / 2 + dx, f"{lane.key}.cut.{class_name(state)}{k}"
        ends = [(x - 2, end[1] - CUT), (x + 2, end[1] + CUT)]
        a, b = (grid.picture.port(f"{id}.{end}", *at) for end, at in zip("ab", ends, strict=True))
        grid.picture.line(a, b, ends, color=style.PLAIN, pen=style.INPUT_PEN, cls="cut")


def cut_from(grid: AnyGrid, lane: Lane, state: str) -> Output | None:
    """The last state of the lane that ran the steps before, where this one starts from a constant."""
    start = lane.start.inputs.get(state)
    if start is None or grid.lattice.nodes[start].op != "input" or lane.backwards:
        return None
    for other in grid.lattice.lanes:
        alike = (other.path, other.label, other.row) == (lane.path, lane.label, lane.row)
        if alike and other.block == lane.block - 1 and state in other.states:
            last = grid.lattice.slots(other)[-1]
            if last.last == lane.steps[0] and not other.backwards:
                return Output(other, other.steps[-1], state)
    return None


def is_cut(grid: AnyGrid) -> bool:
    """Whether a state is cut anywhere."""
    return any(cut_from(grid, lane, s) for lane in grid.lattice.lanes for s in lane.states)


def _rank(grid: AnyGrid, lane: Lane, state: str) -> int:
    """Which of the lines into a block this is: those from above bend first."""
    others = [
        (other, s)
        for other in reversed(list(grid.lattice.lanes))
        if other.block == lane.block
        for s in other.states
        if given(grid.lattice, other, s) is not None
    ]
    return others.index((lane, state))


def row_name(
    grid: AnyGrid, lane: Lane, height: float, aside: float, no_room: Point, side: int
) -> None:
    """The name of a row where there are several; ``no_room`` is where it ends (begins, for ``side`` 1)
    where a handover leaves no room beside the steps."""
    row = grid.lattice.rows[lane.row]
    if not row.name or lane is not row.lanes[0]:
        return
    at = (grid.edges(lane, grid.lattice.slots(lane)[0])[0] - aside, grid.y(lane, height))
    if handovers(grid.lattice, lane.block):
        at = no_room
    else:
        side = -1
    x = at[0] + side * text_width(row.name, style.NOTE) / 2
    grid.picture.text(f"{lane.key}.row", row.name, x, at[1], style.NOTE, style.PLAIN)


# ---- inputs ---------------------------------------------------------------------------------------


def draw_inputs(grid: AnyGrid) -> list[Anchor]:
    """What comes into every step from below; returns what the nodes before the cells feed."""
    slots = [(lane, slot) for lane in grid.lattice.lanes for slot in grid.lattice.slots(lane)]
    return [anchor for lane, slot in slots for anchor in _draw_step_inputs(grid, lane, slot)]


def _draw_step_inputs(grid: AnyGrid, lane: Lane, slot: Slot) -> Iterator[Anchor]:
    box, call, aside = grid.boxes[lane], lane.calls[lane.here(slot)[0]], 0.0
    for role, (x, y) in box.inputs(grid, slot):
        node = call.inputs.get(role)
        origin = None if node is None else grid.lattice.origin(node)
        source = None if origin is None else origin.output
        look = style.INPUT if source is None else grid.looks.get(source.role, style.INPUT)
        if source is not None and source.lane.partner is not None and box.joined_look:
            look = grid.looks[source.lane.out_role]
        name = box.input_name(slot, role, source, grid.looks)
        width, tall = max(grid.pill, text_width(name, style.STATE, True) + 10), box.input_height
        tall += grid.pill_height - PILL_HEIGHT
        if slot.folded:
            x, y = box.folded_at(grid, slot, (x, y), width / 2 + aside)
            aside += width + 4
        pill = grid.noted(
            f"{lane.key}.{class_name(role)}{slot.first}",
            name,
            None if slot.folded else node,
            (x, y),
            (width, tall),
            Look(look.stroke, look.fill, look.text),
            f"io x t{slot.first}",
            type_size=style.STATE,
            bold=True,
            dashed=slot.folded,
        )
        for head, route in box.ways_in(grid, slot, role, (x, y)):
            grid.picture.line(
                pill,
                head,
                box.from_pill(route, x, y, width, tall),
                color=box.input_color(source, look),
                pen=box.input_pen,
                arrow=style.SMALL_ARROW,
                radius=10,
                swing="h" if box.curved and not slot.folded else "",
            )
        if source is not None and origin is not None:
            _draw_from_below(grid, lane, slot, source, origin.via, pill, (x, y - tall / 2))
        elif origin is not None and grid.lattice.nodes[origin.node].op not in ("input", "literal"):
            yield Anchor(pill, x, y - tall / 2, origin.node)


def _draw_from_below(
    grid: AnyGrid,
    lane: Lane,
    slot: Slot,
    source: Output,
    via: tuple[str, ...],
    pill: str,
    end: Point,
) -> None:
    """The line from a lower layer's output up to the input of an upper one."""
    lower, box = source.lane, grid.boxes[source.lane]
    if lower.row >= lane.row or (via and not box.says_via):
        raise NoLatticeError
    if lower.partner is not None and (source.role == "y" or not box.says_via):
        _draw_from_joined(grid, lane, slot, lower, pill)
        return
    at = next((s for s in grid.lattice.blocks[lower.block] if source.step in s.steps), None)
    if at is None or (not box.says_via and slot not in grid.lattice.slots(lower)):
        raise NoLatticeError
    tail, start, level = box.up_to(grid, at, end[0])
    role = source.role if box.says_via else "h"
    grid.picture.line(
        tail,
        pill,
        jog(start, end, level),
        color=grid.looks.get(role, style.OP).stroke,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=box.up_radius,
        cls=f"up {class_name(role)} t{slot.first}",
    )
    if via:
        words, at_ = " ".join(dict.fromkeys(via)), (end[0] + 5, end[1] - 7)
        grid.picture.text(f"{lane.key}.via{slot.first}", words, *at_, 8.5, style.PLAIN, left=True)


# ---- outputs --------------------------------------------------------------------------------------


def draw_outputs(grid: AnyGrid, lane: Lane, single: bool) -> None:
    """The y above each step: of the last layer where ``single``, or what joins two directions."""
    if not (lane.collected if single else lane.partner is not None):
        return
    box, role, partner = grid.boxes[lane], lane.out_role, lane.partner
    own = any(output.lane is lane and output.role == "y" for output in grid.lattice.made.values())
    plain = partner is None and (own or role not in grid.looks)
    for slot in grid.lattice.slots(lane):
        left, right = grid.edges(lane, slot)
        x, level = (left + right) / 2, grid.tops[lane.row] + box.rise
        name, look = span("y", slot.first, slot.last), style.OP if plain else grid.looks[role]
        same = "" if own or slot.folded else f" = {sub(role, slot.first)}"
        if partner is not None and not slot.folded:
            same = " = [fwd; rev]"
        if single and slot.steps[0] in lane.ended and not slot.folded and not own:
            same, look = " = 0", style.FAINT
        width = max(box.least, text_width(name + same, 9.5) + 12)
        y = grid.picture.box(
            f"{lane.key}.y{slot.first}",
            name + same,
            x,
            level,
            width,
            Y_HEIGHT,
            Look(look.stroke, look.fill, look.text),
            f"io y t{slot.first}",
            size=9.5,
            dashed=slot.folded,
        )
        tail, at = box.up(grid, slot)
        near = x - width / 2 if at[0] < x else x + width / 2
        route = [at, (at[0], level), (near, level)]
        if at[0] == x:
            route = [at, (x, level - Y_HEIGHT / 2)]
        _up(grid, lane, slot, tail, y, route, look, single)
        if partner is not None:
            tail, at = grid.boxes[partner].up(grid, slot)
            channel, beside = grid.tops[partner.row] + box.channel, grid.beside(partner, slot, 1)
            over = [(at[0], channel), (beside, channel), (beside, level), (x + width / 2, level)]
            _up(grid, partner, slot, tail, y, [at, *over], grid.looks[partner.out_role], False)


def _up(
    grid: AnyGrid,
    lane: Lane,
    slot: Slot,
    tail: str,
    head: str,
    route: list[Point],
    look: Look,
    straight: bool,
) -> None:
    grid.picture.line(
        tail,
        head,
        route,
        color=look.stroke,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=10 if straight else grid.boxes[lane].joined_radius,
        cls="" if straight else f"up h t{slot.first}",
    )


def _draw_from_joined(grid: AnyGrid, lane: Lane, slot: Slot, lower: Lane, pill_id: str) -> None:
    """From the joined output of two directions to an input of the layer above, past what is between."""
    boxes = {node.id: node for node in grid.picture.nodes}
    y, pill = boxes[f"{lower.key}.y{slot.first}"], boxes[pill_id]
    route, color = grid.boxes[lane].from_joined(grid, slot, y, pill, lane.row == lower.row + 1)
    grid.picture.line(
        y.id,
        pill.id,
        route,
        color=color or style.PLAIN,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=5,
        cls=f"up y t{slot.first}",
    )
