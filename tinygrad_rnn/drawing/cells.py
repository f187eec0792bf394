"""The picture at cell level: a box for every step, states on their rails, weights as foundation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import style
from .faces import (
    BAND,
    CHIP_GAP,
    CHIP_HEIGHT,
    INPUT_AT,
    PAD,
    ROOMY_WIDTH,
    TAP_AT,
    Z_HEIGHT,
    Face,
    face_of,
    fold_count,
    fold_heading,
)
from .legend import Item, draw_legend
from .outside import Anchor, draw_after, draw_before
from .shapes import Picture
from .slab import BAR, Tap, draw_slabs, use_class
from .style import C, H, Look, state_looks
from .unroll import Lane, Lattice, NoLattice, Output, Slot
from .words import class_name, plural, span, sub, text_width

PILL, PILL_HEIGHT, ARROW_ROOM = 28.0, 24.0, 11.0
INPUT_DROP, INPUT_HEIGHT = 29.0, 20.0  # below the cell's bottom: the middle of x
SLAB_DROP, BAR_DROP = 57.0, 68.0  # below the cell's bottom: the slab's top, its bar
UPPER_GAP, UPPER_BAR = 86.0, 24.0  # between two rows: in all, and from the lower one's top to the bar
OUTPUT_RISE, COLLECT_RISE = 27.0, 16.0  # from a cell's top to its y, and from there to their line


@dataclass(frozen=True, slots=True)
class Column:
    """Where a slot stands."""

    left: float
    width: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def input(self) -> float:
        """Where x comes in."""
        return self.left + INPUT_AT * self.width

    @property
    def tap(self) -> float:
        """Where the weights come in."""
        return self.left + TAP_AT * self.width


@dataclass
class Plan:
    """All positions that the parts of the picture share."""

    lattice: Lattice
    picture: Picture
    faces: dict[Lane, Face]
    columns: dict[tuple[int, Slot], Column]
    bottoms: list[float]
    pill: float
    gap: float
    looks: dict[str, Look]

    def column(self, lane: Lane, slot: Slot) -> Column:
        """Where this lane's cell of this slot stands."""
        return self.columns[lane.block, slot]

    def height(self, lane: Lane, above: float) -> float:
        """A height above the bottom of the lane's cells, as y."""
        return self.bottoms[lane.row] + above

    @property
    def right(self) -> float:
        """The right edge of the last cell."""
        return max(column.right for column in self.columns.values())

    def bar(self, row: int) -> float:
        """The y of a row's bar."""
        if row == 0:
            return self.bottoms[0] - BAR_DROP
        return self.bottoms[row] - UPPER_GAP + UPPER_BAR


def draw_cells(lattice: Lattice) -> Picture:
    """Lay out the unrolled cells, the slab below them and what comes before and after."""
    plan = _plan(lattice)
    taps: list[list[Tap]] = [[] for _ in lattice.rows]
    for lane in lattice.lanes:
        for slot in lattice.slots(lane):
            _draw_cell(plan, lane, slot)
            _draw_states_out(plan, lane, slot)
            if tap := _draw_tap(plan, lane, slot):
                taps[lane.row].append(tap)
        _draw_states_in(plan, lane)
        _draw_outputs(plan, lane)
    draw_before(plan.picture, lattice, _inputs(plan), _fed_states(plan), _row_of_inputs(plan))
    bars = [plan.bar(i) for i in range(len(lattice.rows))]
    draw_slabs(plan.picture, lattice, taps, bars, plan.right)
    draw_after(plan.picture, lattice, _anchors(plan), _bar_ends(plan), collapse=True)
    _draw_legend(plan)
    return plan.picture


def _plan(lattice: Lattice) -> Plan:
    slots = [slot for block in lattice.blocks for slot in block]
    folded = any(slot.folded for slot in slots)
    faces = {
        lane: face_of(
            lane,
            lattice.nodes,
            [lattice.short(p.id) for p in lattice.rows[lane.row].params],
            folded,
        )
        for lane in lattice.lanes
    }
    roomy = len(slots) <= 4
    width = max(face.width(slots, roomy) for face in faces.values())
    states = tuple(dict.fromkeys(s for lane in lattice.lanes for s in lane.states))
    last = max(slot.last for slot in slots)
    pill = max(
        [PILL, *(text_width(sub(s, last), style.STATE, True) + 10 for s in (*states, "x"))]
    )
    gap = pill + (2 * ARROW_ROOM if roomy else 2 * ARROW_ROOM - 4)
    columns: dict[tuple[int, Slot], Column] = {}
    x = 0.0
    for b, block in enumerate(lattice.blocks):
        for slot in block:
            wide = max(f.fold_width(slot) for f in faces.values()) if slot.folded else width
            columns[b, slot] = Column(x, wide)
            x += wide + gap
        x += gap
    bottoms = [-9.0]
    for row in lattice.rows[:-1]:
        tallest = max(faces[lane].height for lane in row.lanes)
        bottoms.append(bottoms[-1] + tallest + UPPER_GAP)
    steps = sum(len(slot.steps) for slot in slots)
    title = f"{', '.join(dict.fromkeys(f.title for f in faces.values()))}, {plural(steps, 'step')}"
    picture = Picture(f"{title}, one set of weights")
    return Plan(lattice, picture, faces, columns, bottoms, pill, gap, state_looks(states))


def _cell_id(lane: Lane, slot: Slot) -> str:
    return f"{lane.key}.t{slot.first}"


def _draw_cell(plan: Plan, lane: Lane, slot: Slot) -> None:
    """The box of one slot: frame, title, bands, chips and the row z."""
    picture, face, column = plan.picture, plan.faces[lane], plan.column(lane, slot)
    cell, middle = _cell_id(lane, slot), column.left + column.width / 2
    bottom = plan.height(lane, 0)
    picture.frame(
        cell,
        (column.left, bottom, column.right, bottom + face.height),
        style.OP,
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
        style.SECOND if slot.folded else style.INK,
        bold=not slot.folded,
    )
    for state, y in face.bands.items():
        look = plan.looks[state]
        picture.box(
            f"{cell}.{state}",
            "·  ·  ·" if slot.folded else face.band_text(state, slot.first),
            middle,
            bottom + y,
            column.width - 1,
            BAND,
            Look(look.stroke, look.fill, look.text, 0),
            f"band {class_name(state)}",
            size=style.NAME if slot.folded else style.NOTE,
            bold=slot.folded,
            square=True,
        )
    if slot.folded:
        _draw_folded_middle(plan, lane, slot)
    else:
        _draw_chips(plan, lane, slot)
        if face.z:
            size = face.z_size(column.width)
            text = face.z_text(slot.first, size, column.width - 14)
            _draw_z(plan, lane, slot, text, size)


def _draw_chips(plan: Plan, lane: Lane, slot: Slot) -> None:
    face, column = plan.faces[lane], plan.column(lane, slot)
    width = (column.width - 2 * 5 - CHIP_GAP) / 2
    for i, chip in enumerate(face.chips):
        alone = i % 2 == 0 and i == len(face.chips) - 1
        offset = 0.0 if alone else (width + CHIP_GAP) / 2 * (1 if i % 2 else -1)
        plan.picture.box(
            f"{_cell_id(lane, slot)}.gate{i}",
            chip,
            column.left + column.width / 2 + offset,
            plan.height(lane, face.chip_row(i // 2)),
            width,
            CHIP_HEIGHT,
            style.GATE_CHIP,
            "gate",
            size=style.NOTE,
        )


def _draw_z(plan: Plan, lane: Lane, slot: Slot, text: str, size: float) -> None:
    column = plan.column(lane, slot)
    plan.picture.box(
        f"{_cell_id(lane, slot)}.z",
        text,
        column.left + column.width / 2,
        plan.height(lane, plan.faces[lane].z_middle),
        column.width - 10,
        Z_HEIGHT,
        style.OP,
        "z",
        size=size,
        dashed=slot.folded,
    )


def _draw_folded_middle(plan: Plan, lane: Lane, slot: Slot) -> None:
    """What a dashed cell says of the steps inside: how many, and that their weights are the same."""
    face, column, cell = plan.faces[lane], plan.column(lane, slot), _cell_id(lane, slot)
    words = "same weights" if lane.uses else "same cell"
    if face.z and not face.chips:
        _draw_z(plan, lane, slot, f"{fold_count(slot)}\n{words}", style.NOTE)
        return
    middle, top = column.left + column.width / 2, plan.height(lane, face.chip_row(0))
    picture = plan.picture
    picture.text(
        f"{cell}.count", fold_count(slot), middle, top - 3, style.NAME, style.INK, bold=True
    )
    picture.text(f"{cell}.same", words, middle, top - 18, style.NOTE, style.SECOND)
    if face.z:
        _draw_z(plan, lane, slot, "z", style.NOTE)


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


def _draw_states_out(plan: Plan, lane: Lane, slot: Slot) -> None:
    """Each state's pill after a slot, and the rails to it and from it into the next cell."""
    face, column = plan.faces[lane], plan.column(lane, slot)
    x, cell = column.right + plan.gap / 2, _cell_id(lane, slot)
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


def _draw_rail_in(plan: Plan, lane: Lane, state: str, pill: str, x: float, slot: Slot) -> None:
    face, column = plan.faces[lane], plan.column(lane, slot)
    y = plan.height(lane, face.enters_at(state))
    inset, end = (5.0, "z") if state == face.entering else (0.5, state)
    plan.picture.line(
        pill,
        f"{_cell_id(lane, slot)}.{end}",
        [(x + plan.pill / 2, y), (column.left + inset, y)],
        color=plan.looks[state].stroke,
        pen=style.RAIL_PEN,
        arrow=style.ARROW,
        cls=f"rail {class_name(state)}",
    )


def _draw_states_in(plan: Plan, lane: Lane) -> None:
    """The initial states, and the rail from another lane where one goes on from it."""
    slot = plan.lattice.slots(lane)[0]
    x = plan.column(lane, slot).left - plan.gap / 2
    for state in lane.states:
        pill = _pill(plan, lane, state, slot.first - 1, x)
        _draw_rail_in(plan, lane, state, pill, x, slot)
        start = lane.calls[lane.steps[0]].inputs.get(state)
        output = None if start is None else plan.lattice.made.get(start)
        if output is not None and output.lane is not lane and output.role != "y":
            _draw_handover(plan, output, pill, (x, plan.height(lane, 0)), state, lane)
    row = plan.lattice.rows[lane.row]
    if row.name and lane is row.lanes[0]:
        top = plan.height(lane, plan.faces[lane].title_middle)
        right = plan.column(lane, slot).left - 6
        x = right - text_width(row.name, style.NOTE) / 2
        plan.picture.text(f"{lane.key}.row", row.name, x, top, style.NOTE, style.PLAIN)


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


def _draw_tap(plan: Plan, lane: Lane, slot: Slot) -> Tap | None:
    """The thick line from the bar into one cell: one use of every Parameter of the slab."""
    params = [p.id for p in plan.lattice.rows[lane.row].params]
    counts = {p: n for p in params if (n := lane.count(p, slot))}
    if not counts:
        return None
    face, x, bar = plan.faces[lane], plan.column(lane, slot).tap, plan.bar(lane.row)
    tap, cell = f"{lane.key}.tap{slot.first}", _cell_id(lane, slot)
    plan.picture.line(
        tap,
        f"{cell}.z" if face.z else f"{cell}.title",
        [(x, bar), (x, plan.height(lane, face.floor))],
        color=style.ORANGE,
        pen=style.TAP_PEN,
        arrow=style.TAP_ARROW,
        dashed=slot.folded,
        cls=use_class(plan.lattice, counts, slot),
    )
    if slot.folded:
        plan.picture.text(
            f"{tap}.uses",
            plural(max(counts.values()), "use"),
            x + 7,
            plan.height(lane, -38),
            9.5,
            style.ORANGE,
            bold=True,
            left=True,
        )
    return Tap(tap, x)


def _draw_outputs(plan: Plan, lane: Lane) -> None:
    """The y above each cell of the last layer: y_t is h_t, not another value."""
    if not lane.collected:
        return
    face, role = plan.faces[lane], lane.out_role
    own = any(output.lane is lane and output.role == "y" for output in plan.lattice.made.values())
    look = style.OP if own or role not in plan.looks else plan.looks[role]
    for slot in plan.lattice.slots(lane):
        column = plan.column(lane, slot)
        x, top = column.left + column.width / 2, plan.height(lane, face.height)
        name = span("y", slot.first, slot.last)
        same = "" if own or slot.folded else f" = {sub(role, slot.first)}"
        width = max(58.0, text_width(name + same, 9.5) + 12)
        box = plan.picture.box(
            f"{lane.key}.y{slot.first}",
            name + same,
            x,
            top + OUTPUT_RISE,
            width,
            INPUT_HEIGHT,
            Look(look.stroke, look.fill, look.text),
            f"io y t{slot.first}",
            size=9.5,
            dashed=slot.folded,
        )
        plan.picture.line(
            f"{_cell_id(lane, slot)}.title",
            box,
            [(x, top), (x, top + OUTPUT_RISE - INPUT_HEIGHT / 2)],
            color=look.stroke,
            pen=style.INPUT_PEN,
            arrow=style.SMALL_ARROW,
        )


def _inputs(plan: Plan) -> list[Anchor]:
    """Draw the x of every cell; return those that the nodes before the cells feed."""
    fed: list[Anchor] = []
    for lane in plan.lattice.lanes:
        for slot in plan.lattice.slots(lane):
            first = lane.here(slot)[0]
            node = lane.calls[first].inputs.get("x")
            if node is None:
                continue
            origin = plan.lattice.origin(node)
            pill = _draw_input(plan, lane, slot, origin.output)
            x, y = plan.column(lane, slot).input, plan.height(lane, -INPUT_DROP)
            if origin.output is not None:
                _draw_from_below(plan, lane, slot, origin.output, origin.via)
            elif plan.lattice.nodes[origin.node].op not in ("input", "literal"):
                fed.append(Anchor(pill, x, y - INPUT_HEIGHT / 2, origin.node))
    return fed


def _draw_input(plan: Plan, lane: Lane, slot: Slot, source: Output | None) -> str:
    """The x below a cell, or, in an upper layer, the h that comes from the layer below."""
    face, column = plan.faces[lane], plan.column(lane, slot)
    y = plan.height(lane, -INPUT_DROP)
    name, look = span("x", slot.first, slot.last), style.INPUT
    if source is not None and source.role in plan.looks:
        look = plan.looks[source.role]
        shift = source.step - lane.here(slot)[0]
        same = "" if slot.folded else f" = {sub(source.role, slot.first + shift)}"
        name += same
    pen = style.PLAIN if look is style.INPUT else look.stroke
    width = max(plan.pill, text_width(name, style.STATE, True) + 10)
    pill = plan.picture.box(
        f"{lane.key}.x{slot.first}",
        name,
        column.input,
        y,
        width,
        INPUT_HEIGHT,
        Look(look.stroke, look.fill, look.text),
        f"io x t{slot.first}",
        size=style.STATE,
        bold=True,
        dashed=slot.folded,
    )
    cell = _cell_id(lane, slot)
    plan.picture.line(
        pill,
        f"{cell}.z" if face.z else f"{cell}.title",
        [(column.input, y + INPUT_HEIGHT / 2), (column.input, plan.height(lane, face.floor))],
        color=pen,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
    )
    return pill


def _draw_from_below(
    plan: Plan, lane: Lane, slot: Slot, source: Output, via: tuple[str, ...]
) -> None:
    """The line from a lower layer's cell up to the input of an upper one, across its bar."""
    lower = source.lane
    if lower.row >= lane.row:
        raise NoLattice
    at = next(s for s in plan.lattice.blocks[lower.block] if source.step in s.steps)
    column = plan.column(lower, at)
    x0 = column.input
    top = plan.height(lower, plan.faces[lower].height)
    x1, end = plan.column(lane, slot).input, plan.height(lane, -INPUT_DROP - INPUT_HEIGHT / 2)
    look = plan.looks.get(source.role, style.OP)
    route = [(x0, top), (x1, end)]
    if x0 != x1:
        route[1:1] = [(x0, top + 10), (x1, top + 10)]
    plan.picture.line(
        f"{_cell_id(lower, at)}.title",
        f"{lane.key}.x{slot.first}",
        route,
        color=look.stroke,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=5,
        cls=f"up {class_name(source.role)} t{slot.first}",
    )
    if via:
        words = " ".join(dict.fromkeys(via))
        plan.picture.text(
            f"{lane.key}.via{slot.first}", words, x1 + 5, end - 7, 8.5, style.PLAIN, left=True
        )


def _fed_states(plan: Plan) -> list[Anchor]:
    """The initial states that are computed from something, or are Parameters themselves."""
    fed: list[Anchor] = []
    for lane in plan.lattice.lanes:
        slot = plan.lattice.slots(lane)[0]
        x = plan.column(lane, slot).left - plan.gap / 2 - plan.pill / 2
        for state in lane.states:
            node = lane.calls[lane.steps[0]].inputs.get(state)
            if node is None or slot.folded:
                continue
            origin = plan.lattice.origin(node)
            if origin.output is None and plan.lattice.nodes[origin.node].op not in (
                "input",
                "literal",
            ):
                y = plan.height(lane, plan.faces[lane].enters_at(state))
                pill = f"{lane.key}.{state}{slot.first - 1}"
                fed.append(Anchor(pill, x, y, origin.node))
    return fed


def _row_of_inputs(plan: Plan) -> float:
    """The y of the line that feeds the inputs of the lowest row."""
    return plan.bottoms[0] - INPUT_DROP - INPUT_HEIGHT / 2 - 9


def _anchors(plan: Plan) -> dict[tuple[Lane, int, str], Anchor]:
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


def _bar_ends(plan: Plan) -> dict[int, Anchor]:
    """Where a use after the cells may leave the bar of each Parameter's slab."""
    ends: dict[int, Anchor] = {}
    for i, row in enumerate(plan.lattice.rows):
        for parameter in row.params:
            ends[parameter.id] = Anchor(f"row{i}.bar", plan.right - 10, plan.bar(i))
    return ends


def _draw_legend(plan: Plan) -> None:
    items = []
    if any(row.params for row in plan.lattice.rows):
        items.append(Item("a dot connects: every tap leaves the same bar", "bus"))
    for state, look in plan.looks.items():
        items.append(Item(state, "line", look.stroke))
    items.append(Item("input", "thin"))
    if any(slot.folded for slot in (s for block in plan.lattice.blocks for s in block)):
        items.append(Item("dashed: steps not drawn one by one", "dashed"))
    formulas = [f for face in plan.faces.values() for f in (*face.formulas.values(), face.z)]
    if any("*" in formula for formula in formulas):
        items.append(Item("* elementwise", "text"))
    draw_legend(plan.picture, items, 16)
