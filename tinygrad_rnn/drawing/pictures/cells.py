"""How are cells drawn? A box for every step, states from box to box, the weights as their foundation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...graphs.chains import Chain, Column
from ...graphs.meaning import CellAt, Out, Weights
from ...graphs.recorded import short_name
from ...graphs.unrolled import UnrolledGraph
from ..layout.between import draw_bands, room_under
from ..layout.cell_box import (
    BAND,
    BESIDE_TAP,
    CHIP_GAP,
    CHIP_HEIGHT,
    INPUT_AT,
    INPUT_DROP,
    INPUT_PITCH,
    STATE_PITCH,
    TAP_AT,
    Z_HEIGHT,
    CellBox,
)
from ..layout.grid import (
    BESIDE,
    PILL,
    Anchor,
    AnyGrid,
    Grid,
    make_grid,
    samples_of,
)
from ..layout.router import settle
from ..layout.surroundings import draw_after, draw_before
from ..layout.weights import Tap, draw_panels
from ..layout.wires import (
    MASK,
    draw_inputs,
    draw_outputs,
    draw_states,
    fed_states,
    name_row,
    state_anchors,
)
from ..scene import style
from ..scene.text import (
    fold_count,
    fold_heading,
    plural,
    span,
    state_name,
    sub,
    text_width,
)

Foundation = Callable[[AnyGrid, list[list[Tap]], list[float]], None]
BAR_DROP = 68.0  # below the cell's bottom: the bar of the lowest row
UPPER_GAP, UPPER_BAR = 86.0, 24.0  # between two rows: in all, and from the lower one to the bar
COLLECT_RISE, JOINED = 16.0, 40.0  # from a y to the wire that collects them; for joined outputs


CellGrid = Grid[CellBox]


def draw_cells(unrolled: UnrolledGraph) -> CellGrid:
    """Lay out the unrolled cells, the weights below them and what comes before and after."""
    grid = lay_cells(cell_grid(unrolled), draw_panels)
    settle(grid.scene)
    formulas = [f for box in grid.boxes.values() for f in (*box.formulas.values(), box.z)]
    left = min([0.0, *(frame.box[0] for frame in grid.scene.frames)])
    star = any("*" in formula for formula in formulas)
    samples = samples_of(grid.scene, grid.looks, of_ops=False, elementwise=star)
    grid.scene.legend([*samples], left + 16)
    return grid


def cell_grid(unrolled: UnrolledGraph, state_pitch: float = STATE_PITCH) -> CellGrid:
    """Measure everything that is written, and set columns and rows accordingly."""
    columns = [column for segment in unrolled.segments for column in segment]
    folded, roomy = any(column.folded for column in columns), len(columns) <= 4
    air = 22.0 if roomy else 18.0
    boxes: dict[Chain, CellBox] = {}
    for chain in unrolled.chains:
        weights = [short_name(unrolled.names[p]) for p in chain.uses]
        masked = frozenset(name for name in chain.states if _is_masked(unrolled, chain, name))
        boxes[chain] = CellBox(chain, unrolled.nodes, weights, folded, masked, state_pitch)
    wide = max(box.width(columns, roomy) for box in boxes.values())
    most = max(len(chain.input_roles) for chain in boxes)
    if most > 1:
        wide = max(wide, (INPUT_PITCH * (most - 1) + 34) / (TAP_AT - INPUT_AT))
    if len(unrolled.rows) > 1:
        step = max(column.last for column in columns)
        starts = [i for chain in boxes for i in chain.start.inputs.values()]
        mask = f"{MASK} * " * any(map(unrolled.masked, starts))
        h = state_name("h", max((chain.layer or 0 for chain in boxes), default=0) or None)
        words = f"{sub('x', step)} = {mask}{sub(h, step)}"
        label = text_width(words, style.STATE, True) + 10
        if any(not column.folded for column in columns) and unrolled.betweens.all:
            said = f"{sub('x', step)} = f({span(h, step, step + 1)})"
            label = max(label, text_width(said, style.STATE, True) + 10)
        wide = max(wide, label + 2 * BESIDE_TAP - PILL - air)  # between two taps

    def width(_segment: int, column: Column) -> float:
        folds = max(box.fold_width(column) for box in boxes.values())
        return folds + 2 * BESIDE * unrolled.is_joined if column.folded else wide

    steps = plural(sum(column.count for column in columns), "step")
    titles = ", ".join(dict.fromkeys(chain.title for chain in boxes))
    title = f"{titles}, {steps}, one set of weights"
    grid = make_grid(unrolled, boxes, title, width, 0.0, air, None)
    base = -9.0
    for i, row in enumerate(unrolled.rows):
        base += room_under(grid, i) if unrolled.betweens.all else 0.0
        tallest = max(boxes[chain].top for chain in row.chains)
        grid.bases.append(base)
        grid.tops.append(base + tallest)
        shown = any(chain.partner or chain.collected for chain in row.chains)
        base += tallest + JOINED * shown + UPPER_GAP
    return grid


def _is_masked(unrolled: UnrolledGraph, chain: Chain, state: str) -> bool:
    """Whether a state enters the cell times a mask, at any step."""
    came = (call.inputs.get(state) for call in chain.calls.values())
    return any(node is not None and unrolled.masked(node) for node in came)


def bar(grid: CellGrid, row: int) -> float:
    """The y of a row's bar."""
    return grid.bases[row] - (UPPER_GAP - UPPER_BAR if row else BAR_DROP)


def lay_cells(grid: CellGrid, panels: Foundation) -> CellGrid:
    """Draw everything but the legend; ``panels`` draws the weights, given taps and bars.

    Wires may still run through boxes: what is made larger must be so before they are settled.
    """
    unrolled = grid.unrolled
    taps: list[list[Tap]] = [[] for _ in unrolled.rows]
    for chain in unrolled.chains:
        box = grid.boxes[chain]
        for column in unrolled.columns(chain):
            _draw_cell(grid, chain, column)
            if tap := _draw_tap(grid, chain, column):
                taps[chain.row].append(tap)
        draw_states(grid, chain)
        aside = 6 + (grid.gap - grid.pill) / 2 * unrolled.is_joined
        first = box.at(grid, unrolled.columns_run(chain)[0], INPUT_AT) - 8
        no_room = (first, grid.y(chain, box.top + 8))
        name_row(grid, chain, box.title_middle, aside, no_room, -1)
        draw_outputs(grid, chain, single=True)
    feed = grid.bases[0] - INPUT_DROP - CellBox.input_height / 2 - 9
    bars = [bar(grid, i) for i in range(len(unrolled.rows))]
    operands = draw_bands(grid, bars, _bar_ends(grid)) if unrolled.betweens.all else []
    fed, states = draw_inputs(grid), [*fed_states(unrolled, grid.scene), *operands]
    if fed or states or unrolled.before:
        draw_before(grid, fed, states, _bar_ends(grid, -1), feed)
    panels(grid, taps, bars)
    if grid.unrolled.goes_on:
        draw_after(grid, _output_anchors(grid), _bar_ends(grid), collapse=True)
    return grid


def _output_anchors(grid: CellGrid) -> dict[tuple[Chain, int, str], Anchor]:
    """Where a wire may start for each output that is drawn: its y, else the last pill."""
    boxes, unrolled = grid.scene.boxes, grid.unrolled
    over = max(
        top + JOINED * any(chain.partner for chain in row.chains)
        for top, row in zip(grid.tops, unrolled.rows, strict=True)
    )
    anchors = state_anchors(grid, over + 2 * COLLECT_RISE)
    for chain in unrolled.chains:
        for column in unrolled.columns(chain) if chain.collected else ():
            y = boxes[Out(chain, column), ""]
            last = column is unrolled.columns(chain)[-1] and chain.partner is None
            side, rise = (y.sides[2], y.y) if last else None, y.sides[3] + COLLECT_RISE
            anchor = Anchor(y.key, y.x, y.sides[3], rise=rise, side=side)
            for inside in column.steps:
                if chain.partner is None:
                    anchors[chain, inside, chain.out_role] = anchor
                anchors[chain, inside, "y"] = anchor
    return anchors


def _bar_ends(grid: CellGrid, side: int = 1) -> dict[int, Anchor]:
    """Where a use outside the cells may leave the bar of each Parameter's panel, at its right or left end."""
    ends: dict[int, Anchor] = {}
    for i, row in enumerate(grid.unrolled.rows):
        right = grid.end_of(i) if i else grid.right
        x = right - 10 if side > 0 else grid.begin_of(i) + 10
        ends |= {p.id: Anchor((Weights(i), "bar"), x, bar(grid, i)) for p in row.params}
    return ends


def _draw_cell(grid: CellGrid, chain: Chain, column: Column) -> None:
    """The box of one column: frame, title, bands, chips and the row z."""
    scene, box, (left, right) = grid.scene, grid.boxes[chain], grid.edges(chain, column)
    cell, middle = CellAt(chain, column), (left + right) / 2
    bottom, ended = grid.y(chain, 0), is_ended(chain, column)
    look, outer = style.FAINT if ended else style.OP, (left, bottom, right, bottom + box.top)
    scene.frame(cell, outer, look, dashed=column.folded, tooltip=chain.path)
    heading = fold_heading(column) if column.folded else box.heading(column.first)
    color = style.SECOND if column.folded else style.FAINT.text if ended else style.INK
    at, bold = (middle, bottom + box.title_middle), not column.folded
    scene.text(cell, "title", heading, *at, style.TITLE, color, bold=bold)
    outputs = chain.calls[chain.here(column)[0]].outputs
    for state, y in box.bands.items():
        look = style.FAINT if ended else grid.looks[state]
        text = box.held_text(state, column.first) if ended else box.band_text(state, column.first)
        of, place = CellAt(chain, column, outputs.get(state, -1)), (middle, bottom + y)
        if column.folded:
            of, text = cell, "·  ·  ·"
        size = style.NAME if column.folded else style.NOTE
        look = replace(look, pen=0)
        band = (of, text, *place, (right - left) - 1, BAND, look, "band")
        scene.box(*band, part=state, size=size, bold=column.folded, square=True)
    if column.folded:
        _draw_folded_middle(grid, chain, column)
    else:
        _draw_chips(grid, chain, column)
        if box.z:
            size = box.z_size(right - left)
            text = box.z_text(column.first, size, (right - left) - 14)
            _draw_z(grid, chain, column, text, size)


def is_ended(chain: Chain, column: Column) -> bool:
    """Whether a step drawn alone is beyond the length of every sequence."""
    return not column.folded and column.steps[0] in chain.ended


def _named(grid: CellGrid, chain: Chain, column: Column, name: str) -> int:
    """The node of a step drawn alone that has a name, -1 for none."""
    nodes, inside = grid.unrolled.nodes, chain.calls[chain.here(column)[0]].nodes
    return next((i for i in reversed(inside) if nodes[i].name == name), -1)


def _draw_chips(grid: CellGrid, chain: Chain, column: Column) -> None:
    box, (left, right) = grid.boxes[chain], grid.edges(chain, column)
    width = ((right - left) - 2 * 5 - CHIP_GAP) / 2
    for i, (name, words) in enumerate(box.chips.items()):
        alone = i % 2 == 0 and i == len(box.chips) - 1
        offset = 0.0 if alone else (width + CHIP_GAP) / 2 * (1 if i % 2 else -1)
        of = CellAt(chain, column, _named(grid, chain, column, name))
        place = ((left + right) / 2 + offset, grid.y(chain, box.chip_row(i // 2)))
        look = style.FAINT if is_ended(chain, column) else style.GATE_CHIP
        chip = (of, words, *place, width, CHIP_HEIGHT, look, "gate")
        grid.scene.box(*chip, part=f"gate{i}", size=style.NOTE)


def _draw_z(grid: CellGrid, chain: Chain, column: Column, text: str, size: float) -> None:
    left, right = grid.edges(chain, column)
    alone = not column.folded and "z" not in chain.gates and "z" not in chain.states
    of = CellAt(chain, column, _named(grid, chain, column, "z") if alone else -1)
    place = ((left + right) / 2, grid.y(chain, grid.boxes[chain].z_middle))
    look = style.FAINT if is_ended(chain, column) else style.OP
    box = (of, text, *place, (right - left) - 10, Z_HEIGHT, look, "z")
    grid.scene.box(*box, part="z", size=size, dashed=column.folded)


def _draw_folded_middle(grid: CellGrid, chain: Chain, column: Column) -> None:
    """What a dashed cell says of the steps inside: how many, and that their weights are the same."""
    box, (left, right), cell = grid.boxes[chain], grid.edges(chain, column), CellAt(chain, column)
    words, count = "same weights" if chain.uses else "same ops", fold_count(column)
    if box.z and not box.chips:
        _draw_z(grid, chain, column, f"{count}\n{words}", style.NOTE)
        return
    middle, top = (left + right) / 2, grid.y(chain, box.chip_row(0))
    grid.scene.text(cell, "count", count, middle, top - 3, style.NAME, style.INK, bold=True)
    grid.scene.text(cell, "same", words, middle, top - 18, style.NOTE, style.SECOND)
    if box.z:
        _draw_z(grid, chain, column, "z", style.NOTE)


def _draw_tap(grid: CellGrid, chain: Chain, column: Column) -> Tap | None:
    """The thick wire from the bar into one cell: one use of every Parameter of the panel."""
    params = [p.id for p in grid.unrolled.rows[chain.row].params]
    counts = {p: n for p in params if (n := chain.count(p, column))}
    if not counts:
        return None
    use = grid.unrolled.use(chain, column, counts)
    box, x, y = grid.boxes[chain], grid.boxes[chain].at(grid, column, TAP_AT), bar(grid, chain.row)
    route = [(x, y), (x, grid.y(chain, box.floor))]
    head = (CellAt(chain, column), box.part(""))
    grid.scene.wire((use, ""), head, route, style.TAP, of=use, dashed=column.folded)
    if column.folded:
        words, at = plural(max(counts.values()), "use"), (x + 7, grid.y(chain, -38))
        grid.scene.text(use, "uses", words, *at, 9.5, style.ORANGE, bold=True, left=True)
    return Tap(use, x)
