"""The picture at cell level: a box for every step, states on their rails, weights as foundation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from . import style
from .faces import (
    BAND,
    CHIP_GAP,
    CHIP_HEIGHT,
    INPUT_AT,
    RAIL_PITCH,
    TAP_AT,
    Z_HEIGHT,
    Face,
    face_of,
    fold_count,
    fold_heading,
)
from .grid import BESIDE, PILL_HEIGHT, Anchor, AnyGrid, Grid, StepBox, Ways, is_joined, make_grid
from .lanes import Lane, Output
from .legend import Item, draw_legend
from .outside import draw_after, draw_before
from .shapes import Node, Picture, Point
from .slab import Tap, draw_slabs, use_class
from .slots import Slot
from .style import Look
from .unroll import Lattice
from .wires import draw_inputs, draw_outputs, draw_states, fed_states, is_cut, row_name
from .words import class_name, plural, span, sub, text_width

Foundation = Callable[[Picture, list[list[Tap]], list[float], float], None]
INPUT_DROP = 29.0  # below the cell's bottom: the middle of x
BAR_DROP = 68.0  # below the cell's bottom: the bar of the lowest row
UPPER_GAP, UPPER_BAR = 86.0, 24.0  # between two rows: in all, and from the lower one to the bar
COLLECT_RISE, JOINED = (
    16.0,
    40.0,
)  # from a y to the line that collects them; room for joined outputs


class CellBox(StepBox):
    """A cell as a box: states come in at their bands, x and the weights at the bottom."""

    rise, least, channel, joined_radius, up_radius = 27.0, 58.0, 9.0, 5, 5
    input_height, input_pen, says_via, joined_look = 20.0, style.INPUT_PEN, True, False

    def __init__(self, lane: Lane, face: Face) -> None:
        self.lane, self.face = lane, face
        self.bottom, self.top = 0.0, face.height

    def entry(self, state: str) -> float:
        """At the row z, or at the state's own band."""
        return self.face.enters_at(state)

    def part(self, state: str) -> str:
        """Which part of the cell takes a state or an input."""
        if state in self.face.bands and state != self.face.entering:
            return state
        return "z" if self.face.z else "title"

    def leaves(self, grid: AnyGrid, slot: Slot, state: str, pill: Point) -> tuple[str, list[Point]]:
        """From the state's band; the state that enters z turns down to its pill."""
        sign, band = grid.sign(self.lane), grid.y(self.lane, self.face.bands[state])
        start, (x, y) = (grid.leaves(self.lane, slot) - sign * 0.5, band), pill
        turn = [start, (x, band), (x, y + PILL_HEIGHT / 2)]
        route = [start, (x - sign * grid.pill / 2, y)] if band == y else turn
        return f"{grid.id(self.lane, slot)}.{state}", route

    def ways_in(self, grid: AnyGrid, slot: Slot, role: str, start: Point) -> Ways:
        """A state at the side, x from below."""
        state, cell = role.removesuffix("'"), grid.id(self.lane, slot)
        if state == role:
            return [
                (
                    f"{cell}.{self.part(role)}",
                    [start, (start[0], grid.y(self.lane, self.face.floor))],
                )
            ]
        inset = 5.0 if state == self.face.entering else 0.5
        x = grid.enters(self.lane, slot) + grid.sign(self.lane) * inset
        return [(f"{cell}.{self.part(state)}", [start, (x, start[1])])]

    def up(self, grid: AnyGrid, slot: Slot) -> tuple[str, Point]:
        """The middle of the top."""
        left, right = grid.edges(self.lane, slot)
        return f"{grid.id(self.lane, slot)}.title", (
            (left + right) / 2,
            grid.y(self.lane, self.top),
        )

    def up_to(self, grid: AnyGrid, slot: Slot, _x: float) -> tuple[str, Point, float]:
        """Where the line to a layer above begins, and the level at which it may turn."""
        tail, (_, top) = self.up(grid, slot)
        return tail, (self.at(grid, slot, INPUT_AT), top), top + 10

    def at(self, grid: AnyGrid, slot: Slot, share: float) -> float:
        """An x inside the cell."""
        left, right = grid.edges(self.lane, slot)
        return left + share * (right - left)

    def inputs(self, grid: AnyGrid, slot: Slot) -> Iterator[tuple[str, Point]]:
        """x alone, below the cell."""
        if "x" in self.lane.calls[self.lane.here(slot)[0]].inputs:
            yield "x", (self.at(grid, slot, INPUT_AT), grid.y(self.lane, -INPUT_DROP))

    def folded_at(self, _grid: AnyGrid, _slot: Slot, at: Point, _aside: float) -> Point:
        """As of a single step."""
        return at

    def input_name(
        self, slot: Slot, _role: str, source: Output | None, looks: Mapping[str, Look]
    ) -> str:
        """x, and which output of the layer below it is."""
        name = span("x", slot.first, slot.last)
        if source is None:
            return name
        shift = source.step - self.lane.here(slot)[0]
        if not self.lane.states:
            return span(source.role, slot.first + shift, slot.last + shift)
        known = (source.role in looks or source.lane.partner) and not slot.folded
        return f"{name} = {sub(source.role, slot.first + shift)}" if known else name

    def input_color(self, _source: Output | None, look: Look) -> str:
        """That of the state that it is."""
        return style.PLAIN if look is style.INPUT else look.stroke

    def from_pill(
        self, route: list[Point], x: float, y: float, _width: float, tall: float
    ) -> list[Point]:
        """From the pill's top."""
        return [(x, y + tall / 2), *route[1:]]

    def from_joined(
        self, grid: AnyGrid, slot: Slot, y: Node, pill: Node, next_row: bool
    ) -> tuple[list[Point], str]:
        """Straight up into the next row, else past it at the left."""
        if next_row:
            return [(pill.x, y.sides[3]), (pill.x, pill.sides[1])], ""
        x = grid.beside(self.lane, slot, -1)
        return [(y.sides[0], y.y), (x, y.y), (x, pill.y), (pill.sides[0], pill.y)], ""


CellGrid = Grid[CellBox]


def draw_cells(lattice: Lattice) -> Picture:
    """Lay out the unrolled cells, the slab below them and what comes before and after."""

    def slabs(picture: Picture, taps: list[list[Tap]], bars: list[float], right: float) -> None:
        draw_slabs(picture, lattice, taps, bars, right)

    grid = lay_cells(cell_grid(lattice), slabs)
    _draw_legend(grid)
    return grid.picture


def cell_grid(lattice: Lattice, rail_pitch: float = RAIL_PITCH) -> CellGrid:
    """Measure everything that is written, and set columns and rows accordingly."""
    slots = [slot for block in lattice.blocks for slot in block]
    folded, roomy = any(slot.folded for slot in slots), len(slots) <= 4
    boxes: dict[Lane, CellBox] = {}
    for lane in lattice.lanes:
        weights = [lattice.short(p.id) for p in lattice.rows[lane.row].params]
        face = face_of(lane, lattice.nodes, weights, folded)
        boxes[lane] = CellBox(lane, replace(face, rail_pitch=rail_pitch))
    faces = [box.face for box in boxes.values()]
    wide = max(face.width(slots, roomy) for face in faces)
    if len(lattice.rows) > 1:
        step = max(slot.last for slot in slots)
        label = text_width(f"{sub('x', step)} = {sub('h', step)}", style.STATE, True) + 10
        wide = max(wide, (label / 2 + 9) / (TAP_AT - INPUT_AT))

    def width(_block: int, slot: Slot) -> float:
        folds = max(face.fold_width(slot) for face in faces) + 2 * BESIDE * is_joined(lattice)
        return folds if slot.folded else wide

    steps = plural(sum(slot.count for slot in slots), "step")
    title = f"{', '.join(dict.fromkeys(f.title for f in faces))}, {steps}, one set of weights"
    grid = make_grid(lattice, boxes, title, width, 0.0, 22.0 if roomy else 18.0)
    base = -9.0
    for row in lattice.rows:
        tallest = max(boxes[lane].top for lane in row.lanes)
        grid.bases.append(base)
        grid.tops.append(base + tallest)
        base += tallest + JOINED * any(lane.partner for lane in row.lanes) + UPPER_GAP
    return grid


def bar(grid: CellGrid, row: int) -> float:
    """The y of a row's bar."""
    return grid.bases[row] - (UPPER_GAP - UPPER_BAR if row else BAR_DROP)


def right_of(grid: CellGrid) -> float:
    """The right edge of the last cell."""
    return max(left + width for left, width in grid.columns.values())


def lay_cells(grid: CellGrid, slabs: Foundation) -> CellGrid:
    """Draw everything but the legend; ``slabs`` draws the foundation, given taps, bars and the right edge."""
    lattice = grid.lattice
    taps: list[list[Tap]] = [[] for _ in lattice.rows]
    for lane in lattice.lanes:
        box = grid.boxes[lane]
        for slot in lattice.slots(lane):
            _draw_cell(grid, lane, slot)
            if tap := _draw_tap(grid, lane, slot):
                taps[lane.row].append(tap)
        draw_states(grid, lane)
        aside = 6 + (grid.gap - grid.pill) / 2 * is_joined(lattice)
        first = box.at(grid, grid.slots_run(lane)[0], INPUT_AT) - 8
        no_room = (first, grid.y(lane, box.top + 8))
        row_name(grid, lane, box.face.title_middle, aside, no_room, -1)
        draw_outputs(grid, lane, single=True)
    feed = grid.bases[0] - INPUT_DROP - CellBox.input_height / 2 - 9
    picture, fed = grid.picture, draw_inputs(grid)
    draw_before(picture, lattice, fed, fed_states(lattice, picture), feed)
    slabs(picture, taps, [bar(grid, i) for i in range(len(lattice.rows))], right_of(grid))
    draw_after(picture, lattice, _output_anchors(grid), _bar_ends(grid), collapse=True)
    return grid


def _output_anchors(grid: CellGrid) -> dict[tuple[Lane, int, str], Anchor]:
    """Where a line may start for each output that is drawn: its y, else the last pill."""
    anchors: dict[tuple[Lane, int, str], Anchor] = {}
    boxes = {node.id: node for node in grid.picture.nodes}
    over = max(
        top + JOINED * any(lane.partner for lane in row.lanes)
        for top, row in zip(grid.tops, grid.lattice.rows, strict=True)
    )
    for lane in grid.lattice.lanes:
        step, _ = grid.pill_after(lane, grid.slots_run(lane)[-1])
        for state in lane.states:
            pill = boxes[f"{lane.key}.{state}{step}"]
            end = Anchor(pill.id, pill.sides[2], pill.y)
            if lane.backwards:
                end = Anchor(pill.id, pill.x, pill.sides[3], rise=over + 2 * COLLECT_RISE)
            anchors[lane, step - 1, state] = end
        for slot in grid.lattice.slots(lane) if lane.collected else ():
            y = boxes[f"{lane.key}.y{slot.first}"]
            last = slot is grid.lattice.slots(lane)[-1] and lane.partner is None
            side, rise = (y.sides[2], y.y) if last else None, y.sides[3] + COLLECT_RISE
            anchor = Anchor(y.id, y.x, y.sides[3], rise=rise, side=side)
            for inside in slot.steps:
                if lane.partner is None:
                    anchors[lane, inside, lane.out_role] = anchor
                anchors[lane, inside, "y"] = anchor
    return anchors


def _bar_ends(grid: CellGrid) -> dict[int, Anchor]:
    """Where a use after the cells may leave the bar of each Parameter's slab."""
    ends = [
        Anchor(f"row{i}.bar", right_of(grid) - 10, bar(grid, i)) for i in range(len(grid.bases))
    ]
    rows = zip(grid.lattice.rows, ends, strict=True)
    return {parameter.id: end for row, end in rows for parameter in row.params}


def _draw_cell(grid: CellGrid, lane: Lane, slot: Slot) -> None:
    """The box of one slot: frame, title, bands, chips and the row z."""
    picture, face, (left, right) = grid.picture, grid.boxes[lane].face, grid.edges(lane, slot)
    cell, middle = grid.id(lane, slot), (left + right) / 2
    bottom, ended = grid.y(lane, 0), is_ended(lane, slot)
    picture.frame(
        cell,
        (left, bottom, right, bottom + face.height),
        style.FAINT if ended else style.OP,
        dashed=slot.folded,
        tooltip=lane.path,
    )
    heading = fold_heading(slot) if slot.folded else face.heading(slot.first)
    picture.text(
        f"{cell}.title",
        heading,
        middle,
        bottom + face.title_middle,
        style.TITLE,
        style.SECOND if slot.folded else style.FAINT.text if ended else style.INK,
        bold=not slot.folded,
    )
    for state, y in face.bands.items():
        look = style.FAINT if ended else grid.looks[state]
        text = face.held_text(state, slot.first) if ended else face.band_text(state, slot.first)
        picture.box(
            f"{cell}.{state}",
            "·  ·  ·" if slot.folded else text,
            middle,
            bottom + y,
            (right - left) - 1,
            BAND,
            Look(look.stroke, look.fill, look.text, 0),
            f"band {class_name(state)}",
            size=style.NAME if slot.folded else style.NOTE,
            bold=slot.folded,
            square=True,
        )
    if slot.folded:
        _draw_folded_middle(grid, lane, slot)
    else:
        _draw_chips(grid, lane, slot)
        if face.z:
            size = face.z_size(right - left)
            text = face.z_text(slot.first, size, (right - left) - 14)
            _draw_z(grid, lane, slot, text, size)


def is_ended(lane: Lane, slot: Slot) -> bool:
    """Whether a step drawn alone is beyond the length of every sequence."""
    return not slot.folded and slot.steps[0] in lane.ended


def _draw_chips(grid: CellGrid, lane: Lane, slot: Slot) -> None:
    face, (left, right) = grid.boxes[lane].face, grid.edges(lane, slot)
    width = ((right - left) - 2 * 5 - CHIP_GAP) / 2
    for i, chip in enumerate(face.chips):
        alone = i % 2 == 0 and i == len(face.chips) - 1
        offset = 0.0 if alone else (width + CHIP_GAP) / 2 * (1 if i % 2 else -1)
        grid.picture.box(
            f"{grid.id(lane, slot)}.gate{i}",
            chip,
            (left + right) / 2 + offset,
            grid.y(lane, face.chip_row(i // 2)),
            width,
            CHIP_HEIGHT,
            style.FAINT if is_ended(lane, slot) else style.GATE_CHIP,
            "gate",
            size=style.NOTE,
        )


def _draw_z(grid: CellGrid, lane: Lane, slot: Slot, text: str, size: float) -> None:
    left, right = grid.edges(lane, slot)
    grid.picture.box(
        f"{grid.id(lane, slot)}.z",
        text,
        (left + right) / 2,
        grid.y(lane, grid.boxes[lane].face.z_middle),
        (right - left) - 10,
        Z_HEIGHT,
        style.FAINT if is_ended(lane, slot) else style.OP,
        "z",
        size=size,
        dashed=slot.folded,
    )


def _draw_folded_middle(grid: CellGrid, lane: Lane, slot: Slot) -> None:
    """What a dashed cell says of the steps inside: how many, and that their weights are the same."""
    face, (left, right), cell = grid.boxes[lane].face, grid.edges(lane, slot), grid.id(lane, slot)
    words = "same weights" if lane.uses else "same ops"
    if face.z and not face.chips:
        _draw_z(grid, lane, slot, f"{fold_count(slot)}\n{words}", style.NOTE)
        return
    middle, top = (left + right) / 2, grid.y(lane, face.chip_row(0))
    picture = grid.picture
    picture.text(
        f"{cell}.count", fold_count(slot), middle, top - 3, style.NAME, style.INK, bold=True
    )
    picture.text(f"{cell}.same", words, middle, top - 18, style.NOTE, style.SECOND)
    if face.z:
        _draw_z(grid, lane, slot, "z", style.NOTE)


def _draw_tap(grid: CellGrid, lane: Lane, slot: Slot) -> Tap | None:
    """The thick line from the bar into one cell: one use of every Parameter of the slab."""
    params = [p.id for p in grid.lattice.rows[lane.row].params]
    counts = {p: n for p in params if (n := lane.count(p, slot))}
    if not counts:
        return None
    face, x, y = grid.boxes[lane].face, grid.boxes[lane].at(grid, slot, TAP_AT), bar(grid, lane.row)
    tap, cell = f"{lane.key}.tap{slot.first}", grid.id(lane, slot)
    grid.picture.line(
        tap,
        f"{cell}.z" if face.z else f"{cell}.title",
        [(x, y), (x, grid.y(lane, face.floor))],
        color=style.ORANGE,
        pen=style.TAP_PEN,
        arrow=style.TAP_ARROW,
        dashed=slot.folded,
        cls=use_class(grid.lattice, counts, slot),
    )
    if slot.folded:
        grid.picture.text(
            f"{tap}.uses",
            plural(max(counts.values()), "use"),
            x + 7,
            grid.y(lane, -38),
            9.5,
            style.ORANGE,
            bold=True,
            left=True,
        )
    return Tap(tap, x)


def _draw_legend(grid: CellGrid) -> None:
    items = []
    if any(row.params for row in grid.lattice.rows):
        items.append(Item("a dot connects: every tap leaves the same bar", "bus"))
    for state, look in grid.looks.items():
        items.append(Item(state, "line", look.stroke))
    items.append(Item("input", "thin"))
    if any(slot.folded for slot in (s for block in grid.lattice.blocks for s in block)):
        items.append(Item("dashed: steps not drawn one by one", "dashed"))
    if is_cut(grid):
        items.append(Item("// cut: the state goes on, no gradient comes back", "text"))
    formulas = [
        f
        for face in (box.face for box in grid.boxes.values())
        for f in (*face.formulas.values(), face.z)
    ]
    if any(lane.ended for lane in grid.lattice.lanes):
        items.append(Item("grey: beyond the length of every sequence, states hold still", "text"))
    if any("*" in formula for formula in formulas):
        items.append(Item("* elementwise", "text"))
    left = min([0.0, *(frame.box[0] for frame in grid.picture.frames)])
    draw_legend(grid.picture, items, left + 16)
