"""How do values reach the steps? States from step to step, inputs, outputs, and states of other layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...graphs.chains import Chain, Column, NotUnrollableError, Output
from ...graphs.meaning import Input, Out, State
from ...graphs.unrolled import UnrolledGraph
from ..scene import style
from ..scene.scene import Key, Point, Scene
from ..scene.text import span, state_at, state_name, text_width
from .between import draw_up, said_of
from .grid import CARRY_GAP, PILL_HEIGHT, Anchor, AnyGrid, StepBox, jog

CUT = 5.0
Y_HEIGHT, Y_RISE = 20.0, 28.0  # of a y: how tall, how far its middle is above the row's top
CHANNEL = 10.0  # from the top of a row to the wire that joins its output with another's
CONSTANT = ("input", "literal")
MASK = "m"  # what dropout between two layers multiplies by

# ---- states -------------------------------------------------------------------------------------


def draw_states(grid: AnyGrid, chain: Chain) -> None:
    """Each state's pills, from the one that the chain starts from to the last, and the wires between them."""
    unrolled, box, half = grid.unrolled, grid.boxes[chain], grid.sign(chain) * grid.pill / 2
    for name in chain.states:
        y, x = grid.entry(chain, name), grid.pill_before(chain)
        pill = unrolled.state_before(chain, name)
        _draw_pill(grid, pill, (x, y), pill.node)
        _draw_carry(grid, pill, (x - half, y))
        for column in unrolled.columns_run(chain):
            _draw_state_in(grid, column, pill, (x + half, y))
            x = grid.pill_after(chain, column)
            pill = unrolled.state_after(chain, column, name)
            _draw_pill(grid, pill, (x, y), None if column.folded else pill.node)
            tail, route = box.leaves(grid, column, name, (x, y))
            swing, color = _swing(box, column), grid.looks[name].stroke
            grid.scene.wire(tail, (pill, ""), route, style.RAIL, of=pill, color=color, swing=swing)


def _swing(box: StepBox, column: Column) -> str:
    """How lines go between a step that is drawn alone and what stands beside it."""
    return "h" if box.curved and not column.folded else ""


def _draw_pill(grid: AnyGrid, state: State, at: Point, node: int | None) -> None:
    """A state between two steps."""
    words = state_at(state.chain, state.name, state.step)
    look, size = grid.looks[state.name], grid.pill_height
    box = (state, words, node, at, (grid.pill, size), look, "state")
    grid.noted(*box, type_size=style.STATE, bold=True)


def _draw_state_in(grid: AnyGrid, column: Column, state: State, start: Point) -> None:
    """From a state's pill to everything that takes it; the straight way is the thick one."""
    box = grid.boxes[state.chain]
    ways = box.ways_in(grid, column, f"{state.name}'", start)
    for head, route in ways:
        line, color, swing = style.RAIL_IN, grid.looks[state.name].stroke, "h" if box.curved else ""
        if len(ways) > 1 and any(y != start[1] for _, y in route):
            line = replace(style.VALUE, kind="rail")
        grid.scene.wire((state, ""), head, route, line, of=state, color=color, swing=swing)


def fed_states(unrolled: UnrolledGraph, scene: Scene) -> list[Anchor]:
    """The pills of initial states that are computed from something, or are Parameters themselves."""
    over = scene.bounds()[3] + 24
    fed: list[Anchor] = []
    for chain in unrolled.chains:
        for name in chain.states:
            node = chain.start.inputs.get(name)
            origin = None if node is None else unrolled.origin(node)
            if origin is None or origin.output is not None:
                continue
            if unrolled.nodes[origin.node].op in CONSTANT:
                continue
            pill = scene.boxes[unrolled.state_before(chain, name), ""]
            over += 9.0 * chain.backwards
            side, rise = (pill.sides[2], over) if chain.backwards else (pill.sides[0], None)
            fed.append(Anchor(pill.key, side, pill.y, origin.node, rise=rise))
    return fed


def state_anchors(grid: AnyGrid, over: float) -> dict[tuple[Chain, int, str], Anchor]:
    """Where a wire may start for each last state: right of its pill, or over it in a chain that runs back.

    ``over`` is the height over everything.
    """
    anchors: dict[tuple[Chain, int, str], Anchor] = {}
    for chain in grid.unrolled.chains:
        for name in chain.states:
            state = grid.unrolled.last_state(chain, name)
            pill = grid.scene.boxes[state, ""]
            end = Anchor(pill.key, pill.sides[2], pill.y)
            if chain.backwards:
                end = Anchor(pill.key, pill.x, pill.sides[3], rise=over)
            anchors[chain, state.step - 1, name] = end
    return anchors


# ---- a state that goes on from one chain to another -----------------------------------------------


def _draw_carry(grid: AnyGrid, state: State, end: Point) -> None:
    """The wire to a chain's first pill from the last of another chain: the same value, or a cut.

    Where the state only follows on the step of a chain that ended before, it was cut: the value may go
    on, and no gradient comes back.
    """
    unrolled, chain = grid.unrolled, state.chain
    output = unrolled.carry_of(chain, state.name)
    source = output or unrolled.cut_of(chain, state.name)
    if source is None:
        return
    last = unrolled.columns_run(source.chain)[-1]
    y = grid.entry(source.chain, source.role)
    start = (grid.pill_after(source.chain, last) + grid.sign(source.chain) * grid.pill / 2, y)
    rank = _rank(unrolled, state) if output and start[1] != end[1] else 0
    bend = start[0] + 8 + CARRY_GAP * rank
    route = [start, end] if y == end[1] else [start, (bend, y), (bend, end[1]), end]
    line = replace(style.RAIL, radius=style.TURN) if output else style.CUT
    tail, color = (
        (unrolled.last_state(source.chain, source.role), ""),
        grid.looks[state.name].stroke,
    )
    grid.scene.wire(tail, (state, ""), route, line, of=state, color=color, dashed=not output)
    if output:
        return
    for k, dx in enumerate((-2.5, 2.5)):  # two strokes across the line
        x, part = (start[0] + end[0]) / 2 + dx, f"{chain.key}.cut.{state.name}{k}"
        low, high = (x - 2, end[1] - CUT), (x + 2, end[1] + CUT)
        grid.scene.stroke(None, part, low, high, style.CUT)


def _rank(unrolled: UnrolledGraph, state: State) -> int:
    """Which of the wires into a segment this is: those from above bend first."""
    others = [
        (other, name)
        for other in reversed(list(unrolled.chains))
        if other.segment == state.chain.segment
        for name in other.states
        if unrolled.carry_of(other, name) is not None
    ]
    return others.index((state.chain, state.name))


def name_row(
    grid: AnyGrid, chain: Chain, height: float, aside: float, no_room: Point, side: int
) -> None:
    """The name of a row where there are several; ``no_room`` is where it ends (begins, for ``side`` 1)
    where a state of another chain leaves no room beside the steps."""
    row = grid.unrolled.rows[chain.row]
    if not row.name or chain is not row.chains[0]:
        return
    at = (grid.edges(chain, grid.unrolled.columns(chain)[0])[0] - aside, grid.y(chain, height))
    if grid.unrolled.carries(chain.segment):
        at = no_room
    else:
        side = -1
    x = at[0] + side * text_width(row.name, style.NOTE) / 2
    grid.scene.text(None, row_key(chain)[1], row.name, x, at[1], style.NOTE, style.PLAIN)


def row_key(chain: Chain) -> Key:
    """By what a row's name is found."""
    return None, f"{chain.key}.row"


# ---- inputs ---------------------------------------------------------------------------------------


def draw_inputs(grid: AnyGrid) -> list[Anchor]:
    """What comes into every step from below; returns what the nodes before the cells feed."""
    places = [(chain, c) for chain in grid.unrolled.chains for c in grid.unrolled.columns(chain)]
    return [anchor for chain, column in places for anchor in _draw_inputs(grid, chain, column)]


def _draw_inputs(grid: AnyGrid, chain: Chain, column: Column) -> Iterator[Anchor]:
    unrolled, box, aside = grid.unrolled, grid.boxes[chain], 0.0
    call = chain.calls[chain.here(column)[0]]
    for role, (x, y) in box.inputs(grid, column):
        node = call.inputs.get(role, -1)
        origin = None if node < 0 else unrolled.origin(node)
        source = None if origin is None else origin.output
        band = unrolled.betweens.taken.get((chain, chain.here(column)[0], role))
        look = style.INPUT if source is None else grid.looks.get(source.role, style.INPUT)
        if source is not None and source.chain.partner is not None and box.joined_look:
            look = grid.looks[source.chain.out_role]
        name, of = (
            box.input_name(column, role, source, grid.looks),
            Input(chain, column, role, node),
        )
        if source is not None and not column.folded and unrolled.masked(node):
            before, equal, output = name.rpartition("= ")
            name = f"{before}{equal}{MASK} * {output}"
        if band is not None and source is None and not column.folded:
            name = f"{name} = {said_of(grid, chain, column, role)}"
        width, tall = max(grid.pill, text_width(name, style.STATE, True) + 10), box.input_height
        tall += grid.pill_height - PILL_HEIGHT
        if column.folded:
            x, y = box.folded_at(grid, column, (x, y), width / 2 + aside)
            aside += width + 4
        middle = box.input_middle(grid, column, x, width)
        thin = replace(look, pen=1.0)
        noted = None if column.folded or node < 0 else node
        place = (of, name, noted, (middle, y), (width, tall), thin, "io x")
        key = grid.noted(*place, type_size=style.STATE, bold=True, dashed=column.folded)
        for head, route in box.ways_in(grid, column, role, (x, y)):
            route, color = box.from_pill(route, x, y, width, tall), box.input_color(source, look)
            swing = _swing(box, column)
            grid.scene.wire(key, head, route, box.input_line, of=of, color=color, swing=swing)
        if band is not None:
            draw_up(grid, band, of, (x, y - tall / 2))
        elif source is not None:
            _draw_from_below(grid, of, source, (x, y - tall / 2))
        elif origin is not None and unrolled.nodes[origin.node].op not in CONSTANT:
            yield Anchor(key, x, y - tall / 2, origin.node)


def _draw_from_below(grid: AnyGrid, to: Input, source: Output, end: Point) -> None:
    """The wire from a lower layer's output up to the input of an upper one."""
    lower, box, unrolled = source.chain, grid.boxes[source.chain], grid.unrolled
    if lower.row >= to.chain.row:
        raise NotUnrollableError
    if lower.partner is not None and (source.role == "y" or not box.has_bands):
        _draw_from_joined(grid, to, lower)
        return
    at = next((c for c in unrolled.segments[lower.segment] if source.step in c.steps), None)
    if at is None or (not box.has_bands and to.column not in unrolled.columns(lower)):
        raise NotUnrollableError
    tail, start, level = box.up_to(grid, at, end[0])
    role = source.role if box.has_bands else "h"
    of, color = State(to.chain, to.column.first, role), grid.looks.get(role, style.OP).stroke
    grid.scene.wire(tail, (to, ""), jog(start, end, level), style.UP, of=of, color=color)


def _draw_from_joined(grid: AnyGrid, to: Input, lower: Chain) -> None:
    """From the joined output of two directions to an input of the layer above, past what is between."""
    chain, column = to.chain, to.column
    y, pill = grid.scene.boxes[Out(lower, column), ""], grid.scene.boxes[to, ""]
    next_row = chain.row == lower.row + 1
    route, color = grid.boxes[chain].from_joined(grid, column, y, pill, next_row)
    of = State(chain, column.first, "y")
    grid.scene.wire(y.key, pill.key, route, style.UP, of=of, color=color)


# ---- outputs --------------------------------------------------------------------------------------


def draw_outputs(grid: AnyGrid, chain: Chain, single: bool) -> None:
    """The y above each step: of the last layer where ``single``, or what joins two directions."""
    if not (chain.collected if single else chain.partner is not None):
        return
    unrolled, box, role, partner = grid.unrolled, grid.boxes[chain], chain.out_role, chain.partner
    own = any(output.chain is chain and output.role == "y" for output in unrolled.made.values())
    plain = partner is None and (own or role not in grid.looks)
    shown = {c.layer for c in unrolled.chains if c.collected or c.partner is not None}
    number = chain.layer if len(shown) > 1 else None
    for column in unrolled.columns(chain):
        left, right = grid.edges(chain, column)
        x, level = (left + right) / 2, grid.tops[chain.row] + Y_RISE
        name = span(state_name("y", number), column.first, column.last)
        look = style.OP if plain else grid.looks[role]
        same = "" if own or column.folded else f" = {state_at(chain, role, column.first)}"
        if partner is not None and not column.folded:
            same = " = [fwd; rev]"
        if single and column.steps[0] in chain.ended and not column.folded and not own:
            same, look = " = 0", style.FAINT
        width = max(box.least, text_width(name + same, 9.5) + 12)
        of_y, thin = Out(chain, column, _node_of(unrolled, chain, column)), replace(look, pen=1.0)
        place = (of_y, name + same, x, level, width, Y_HEIGHT, thin, "io y")
        y = grid.scene.box(*place, size=9.5, dashed=column.folded)
        tail, at = box.up(grid, column)
        near = x - width / 2 if at[0] < x else x + width / 2
        route = [at, (at[0], level), (near, level)]
        if at[0] == x:
            route = [at, (x, level - Y_HEIGHT / 2)]
        of, line = State(chain, column.first, "h"), style.OUTSIDE_STATE if single else style.UP
        grid.scene.wire(tail, y, route, line, of=of, color=look.stroke)
        if partner is not None:
            tail, at = grid.boxes[partner].up(grid, column)
            channel = grid.tops[partner.row] + CHANNEL
            beside = grid.beside(partner, column, 1)
            over = [(at[0], channel), (beside, channel), (beside, level), (x + width / 2, level)]
            of, color = State(partner, column.first, "h"), grid.looks[partner.out_role].stroke
            grid.scene.wire(tail, y, [at, *over], style.UP, of=of, color=color)


def _node_of(unrolled: UnrolledGraph, chain: Chain, column: Column) -> int:
    """The node that the y of a step drawn alone stands for: an output of its own, else the state."""
    if column.folded:
        return -1
    step = chain.here(column)[0]
    own = unrolled.own_outputs(chain, step)
    return own[0] if own else chain.calls[step].outputs.get(chain.out_role, -1)
