"""The picture at cell level: a box for every step, states on their rails, weights as foundation."""

from __future__ import annotations

from collections.abc import Callable

from . import style
from .anchors import fed_states
from .cell_inputs import draw_inputs, row_of_inputs
from .cell_plan import INPUT_HEIGHT, OUTPUT_RISE, Plan, cell_id, make_plan
from .cell_states import bar_ends, draw_states_in, draw_states_out, output_anchors
from .faces import BAND, CHIP_GAP, CHIP_HEIGHT, Z_HEIGHT, fold_count, fold_heading
from .handover import is_cut
from .lanes import Lane
from .legend import Item, draw_legend
from .outside import draw_after, draw_before
from .shapes import Picture, Point
from .slab import Tap, draw_slabs, use_class
from .slots import Slot
from .style import Look
from .unroll import Lattice
from .words import class_name, plural, span, sub, text_width

Foundation = Callable[[Picture, list[list[Tap]], list[float], float], None]


def draw_cells(lattice: Lattice) -> Picture:
    """Lay out the unrolled cells, the slab below them and what comes before and after."""

    def slabs(picture: Picture, taps: list[list[Tap]], bars: list[float], right: float) -> None:
        draw_slabs(picture, lattice, taps, bars, right)

    plan = lay_cells(make_plan(lattice), slabs)
    _draw_legend(plan)
    return plan.picture


def lay_cells(plan: Plan, slabs: Foundation) -> Plan:
    """Draw everything but the legend; ``slabs`` draws the foundation, given taps, bars and the right edge."""
    lattice = plan.lattice
    taps: list[list[Tap]] = [[] for _ in lattice.rows]
    for lane in lattice.lanes:
        for slot in lattice.slots(lane):
            _draw_cell(plan, lane, slot)
            draw_states_out(plan, lane, slot)
            if tap := _draw_tap(plan, lane, slot):
                taps[lane.row].append(tap)
        draw_states_in(plan, lane)
        _draw_outputs(plan, lane)
    draw_before(
        plan.picture,
        lattice,
        draw_inputs(plan),
        fed_states(lattice, plan.picture),
        row_of_inputs(plan),
    )
    bars = [plan.bar(i) for i in range(len(lattice.rows))]
    slabs(plan.picture, taps, bars, plan.right)
    draw_after(plan.picture, lattice, output_anchors(plan), bar_ends(plan), collapse=True)
    return plan


def _draw_cell(plan: Plan, lane: Lane, slot: Slot) -> None:
    """The box of one slot: frame, title, bands, chips and the row z."""
    picture, face, column = plan.picture, plan.faces[lane], plan.column(lane, slot)
    cell, middle = cell_id(lane, slot), column.left + column.width / 2
    bottom, ended = plan.height(lane, 0), is_ended(lane, slot)
    picture.frame(
        cell,
        (column.left, bottom, column.right, bottom + face.height),
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
        look = style.FAINT if ended else plan.looks[state]
        text = face.held_text(state, slot.first) if ended else face.band_text(state, slot.first)
        picture.box(
            f"{cell}.{state}",
            "·  ·  ·" if slot.folded else text,
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


def is_ended(lane: Lane, slot: Slot) -> bool:
    """Whether a step drawn alone is beyond the length of every sequence."""
    return not slot.folded and slot.steps[0] in lane.ended


def _draw_chips(plan: Plan, lane: Lane, slot: Slot) -> None:
    face, column = plan.faces[lane], plan.column(lane, slot)
    width = (column.width - 2 * 5 - CHIP_GAP) / 2
    for i, chip in enumerate(face.chips):
        alone = i % 2 == 0 and i == len(face.chips) - 1
        offset = 0.0 if alone else (width + CHIP_GAP) / 2 * (1 if i % 2 else -1)
        plan.picture.box(
            f"{cell_id(lane, slot)}.gate{i}",
            chip,
            column.left + column.width / 2 + offset,
            plan.height(lane, face.chip_row(i // 2)),
            width,
            CHIP_HEIGHT,
            style.FAINT if is_ended(lane, slot) else style.GATE_CHIP,
            "gate",
            size=style.NOTE,
        )


def _draw_z(plan: Plan, lane: Lane, slot: Slot, text: str, size: float) -> None:
    column = plan.column(lane, slot)
    plan.picture.box(
        f"{cell_id(lane, slot)}.z",
        text,
        column.left + column.width / 2,
        plan.height(lane, plan.faces[lane].z_middle),
        column.width - 10,
        Z_HEIGHT,
        style.FAINT if is_ended(lane, slot) else style.OP,
        "z",
        size=size,
        dashed=slot.folded,
    )


def _draw_folded_middle(plan: Plan, lane: Lane, slot: Slot) -> None:
    """What a dashed cell says of the steps inside: how many, and that their weights are the same."""
    face, column, cell = plan.faces[lane], plan.column(lane, slot), cell_id(lane, slot)
    words = "same weights" if lane.uses else "same ops"
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


def _draw_tap(plan: Plan, lane: Lane, slot: Slot) -> Tap | None:
    """The thick line from the bar into one cell: one use of every Parameter of the slab."""
    params = [p.id for p in plan.lattice.rows[lane.row].params]
    counts = {p: n for p in params if (n := lane.count(p, slot))}
    if not counts:
        return None
    face, x, bar = plan.faces[lane], plan.column(lane, slot).tap, plan.bar(lane.row)
    tap, cell = f"{lane.key}.tap{slot.first}", cell_id(lane, slot)
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
    """The y above each cell of the last layer: y_t is h_t, not another value, or the h of both ways."""
    if not lane.collected:
        return
    face, role = plan.faces[lane], lane.out_role
    own = any(output.lane is lane and output.role == "y" for output in plan.lattice.made.values())
    look = style.OP if own or role not in plan.looks else plan.looks[role]
    look = plan.looks[role] if lane.partner is not None else look
    for slot in plan.lattice.slots(lane):
        column = plan.column(lane, slot)
        x, top = column.left + column.width / 2, plan.height(lane, face.height)
        name = span("y", slot.first, slot.last)
        same = "" if own or slot.folded else f" = {sub(role, slot.first)}"
        if lane.partner is not None and not slot.folded:
            same = " = [fwd; rev]"
        if slot.steps[0] in lane.ended and not slot.folded and not own:
            same, look = " = 0", style.FAINT
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
            f"{cell_id(lane, slot)}.title",
            box,
            [(x, top), (x, top + OUTPUT_RISE - INPUT_HEIGHT / 2)],
            color=look.stroke,
            pen=style.INPUT_PEN,
            arrow=style.SMALL_ARROW,
        )
        if lane.partner is not None:
            _draw_joining(plan, lane.partner, slot, box, (x + width / 2, top + OUTPUT_RISE))


def _draw_joining(plan: Plan, lane: Lane, slot: Slot, box: str, end: Point) -> None:
    """From a cell of the forward direction, past the cell above it, to the output that joins both."""
    column, beside = plan.column(lane, slot), plan.beside_right(lane, slot)
    x, top = column.left + column.width / 2, plan.height(lane, plan.faces[lane].height)
    route = [(x, top), (x, top + 9), (beside, top + 9), (beside, end[1]), end]
    plan.picture.line(
        f"{cell_id(lane, slot)}.title",
        box,
        route,
        color=plan.looks[lane.out_role].stroke,
        pen=style.INPUT_PEN,
        arrow=style.SMALL_ARROW,
        radius=5,
        cls=f"up h t{slot.first}",
    )


def _draw_legend(plan: Plan) -> None:
    items = []
    if any(row.params for row in plan.lattice.rows):
        items.append(Item("a dot connects: every tap leaves the same bar", "bus"))
    for state, look in plan.looks.items():
        items.append(Item(state, "line", look.stroke))
    items.append(Item("input", "thin"))
    if any(slot.folded for slot in (s for block in plan.lattice.blocks for s in block)):
        items.append(Item("dashed: steps not drawn one by one", "dashed"))
    if is_cut(plan):
        items.append(Item("// cut: the state goes on, no gradient comes back", "text"))
    formulas = [f for face in plan.faces.values() for f in (*face.formulas.values(), face.z)]
    if any(lane.ended for lane in plan.lattice.lanes):
        items.append(Item("grey: beyond the length of every sequence, states hold still", "text"))
    if any("*" in formula for formula in formulas):
        items.append(Item("* elementwise", "text"))
    left = min([0.0, *(frame.box[0] for frame in plan.picture.frames)])
    draw_legend(plan.picture, items, left + 16)
