"""The picture of a backward pass: the cells with every arrow reversed, as wide as what crosses it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from . import style
from .cells import CellGrid, cell_grid, lay_cells
from .crossings import Crossings
from .grid import PILL_HEIGHT
from .items import Items
from .lanes import Lane
from .parts import MEASURES, Book, number
from .shapes import Line, Node, Picture, Point
from .slab import Tap
from .slab_parts import draw_part_slabs
from .unroll import Lattice
from .words import plural, sub, text_width

if TYPE_CHECKING:
    from ..graphs.ledger import Ledger

TALL, RAIL_ROOM, ARROW = 28.0, 48.0, 0.5  # a pill of two lines; between rails; arrow heads
NAME_RISE, NUMBER_DROP, BESIDE_PILL = 5.5, 7.5, 8.5
CAPTION, CAPTION_LINE = 9.5, 14.0
SAME = ("riser", "legend", "zero")  # lines that carry no gradient


def draw_backward(lattice: Lattice, ledger: Ledger, measure: str = "projection") -> Picture:
    """Lay out the cells and what the pass of ``ledger`` sent through them.

    ``measure`` is ``"projection"`` or ``"norm"``. Raises ValueError for another one, and for a ledger of
    another graph.
    """
    if measure not in MEASURES:
        raise ValueError(f"backward_measure={measure!r}: expected 'projection' or 'norm'")
    book = Book(lattice, ledger)
    if not book.known:
        raise ValueError(
            "backward=: this ledger is of another graph: it must come from the backward pass of what is "
            "drawn, as in ledger = loss.backward(ledger=True); tg.draw(loss, path, backward=ledger)"
        )

    def slabs(picture: Picture, taps: list[list[Tap]], bars: list[float], right: float) -> None:
        draw_part_slabs(picture, book, measure, taps, bars, right)

    _uncollect(lattice)
    straight = any(len(lane.states) > 1 for lane in lattice.lanes)
    plan = lay_cells(cell_grid(lattice, RAIL_ROOM) if straight else cell_grid(lattice), slabs)
    crossings = Crossings(plan, book, ledger)
    picture = plan.picture
    titles = ", ".join(dict.fromkeys(lane.title for lane in lattice.lanes if lane.states))
    steps = sum(len(slot.steps) for block in lattice.blocks for slot in block)
    picture.title = f"Backward through {plural(steps, f'{titles} step')}"
    _reverse(picture, crossings)
    _write_pills(plan, crossings)
    _write_inputs(plan, crossings)
    _write_outside(plan, book, ledger, crossings)
    _write_captions(plan, crossings)
    return picture


def _uncollect(lattice: Lattice) -> None:
    """Where only the last output goes on, it leaves from its state's pill, and no y is drawn."""
    items = Items(lattice, lattice.after, True).all
    for lane in lattice.lanes:
        used = {o.step for item in items for o in item.outputs if o.lane is lane}
        roles = {o.role for item in items for o in item.outputs if o.lane is lane}
        if used == {lane.runs[-1]} and lane.partner is None and roles <= {*lane.states}:
            lane.collected = False


# ---- arrows ------------------------------------------------------------------------------------


def _reverse(picture: Picture, crossings: Crossings) -> None:
    """Draw every line the other way round, as wide and as dark as what crosses it."""
    lines, picture.lines = picture.lines, []
    amounts = _amounts(picture, lines, crossings)
    taps = [a for line, a in amounts if _is_tap(line)]
    rails = [a for line, a in amounts if not _is_tap(line)]
    most = {True: max(taps, default=0.0), False: max(rails, default=0.0)}
    pills = {node.id: node for node in picture.nodes if _is_pill(node)}
    dots = _dots(picture)
    bars = {node.id for node in picture.nodes if node.id in dots and node.width == style.SLAB_DOT}
    for line, amount in amounts:
        classes = str(line.attrs.get("class", ""))
        if {*classes.split()} & {*SAME}:
            picture.lines.append(line)
            continue
        tap = _is_tap(line)
        share = amount / most[tap] if most[tap] else 0.0
        route = [_at_pill(pills.get(line.head), line.route[-1])]
        route += [*line.route[-2:0:-1], _at_pill(pills.get(line.tail), line.route[0])]
        if tap and line.tail in bars:  # the arrow ends on top of the bar's dot
            route[-1] = (route[-1][0], route[-1][1] + style.SLAB_DOT / 2)
        radius, swing = line.bend
        crossing = bool(amount) and math.isfinite(amount)
        joint = line.tail in dots
        picture.line(
            line.head,
            line.tail,
            route,
            color=style.RAMP[min(int(share * 5), 4)] if crossing else style.QUIET,
            pen=(1 + 8 * share if tap else 0.8 + 6 * share) if crossing else 1.0,
            arrow=ARROW if crossing and not (joint and not tap) else 0.0,
            radius=radius,
            swing=swing,
            dashed=line.attrs.get("style") == "dashed",
            cls=f"{classes} grad".strip(),
            tooltip=f"{amount:.6g}" if crossing else "nothing crosses",
        )


def _amounts(picture: Picture, lines: list[Line], crossings: Crossings) -> list[tuple[Line, float]]:
    """What crosses each line; along dots, where slices of one value part or meet, all of them together."""
    known: dict[int, float] = {}
    dots = _dots(picture)
    for k, line in enumerate(lines):
        amount = crossings.lines.get((line.tail, line.head))
        if amount is None and line.tail in dots:
            amount = crossings.lines.get(("feed", line.head))
        if amount is None and line.head in dots and ".dot" in line.head:
            amount = crossings.lines.get((line.tail, line.head.partition(".dot")[0]))
        if amount is not None:
            known[k] = amount
    leaving, coming = _ends(lines, 0), _ends(lines, 1)
    for order, towards in ((range(len(lines) - 1, -1, -1), True), (range(len(lines)), False)):
        for k in order:
            dot = lines[k].head if towards else lines[k].tail
            if k in known or dot not in dots:
                continue
            others = leaving.get(dot, []) if towards else coming.get(dot, [])
            if others and all(n in known for n in others):
                known[k] = math.hypot(*(known[n] for n in others))
    return [(line, known.get(k, 0.0)) for k, line in enumerate(lines)]


def _ends(lines: list[Line], which: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for k, line in enumerate(lines):
        found.setdefault(line.head if which else line.tail, []).append(k)
    return found


def _dots(picture: Picture) -> set[str]:
    return {node.id for node in picture.nodes if node.attrs.get("class") == "dot"}


def _is_tap(line: Line) -> bool:
    return str(line.attrs.get("class", "")).startswith("use ")


def _is_pill(node: Node) -> bool:
    return str(node.attrs.get("class", "")).startswith("state ")


def _at_pill(pill: Node | None, point: Point) -> Point:
    """Where a line ends at the top or the bottom of a pill: that of the taller one."""
    if pill is None or abs(abs(point[1] - pill.y) - PILL_HEIGHT / 2) > 0.01:
        return point
    return point[0], pill.y + math.copysign(TALL / 2, point[1] - pill.y)


# ---- numbers -----------------------------------------------------------------------------------


def _write_pills(plan: CellGrid, crossings: Crossings) -> None:
    """In a pill its name over the norm of all that comes to it; beside it what came along the rail."""
    picture = plan.picture
    spots = {node.id: k for k, node in enumerate(picture.nodes)}
    for lane, state, pill, last in _all_pills(plan):
        k = spots[pill]
        node = picture.nodes[k]
        attrs = {**node.attrs, "fontsize": style.STATE}
        size = crossings.pills.get(pill)
        words = f"{pill}: nothing comes" if size is None else f"norm of the gradient: {size:.6g}"
        picture.nodes[k] = replace(node, label="", height=TALL, attrs={**attrs, "tooltip": words})
        look = plan.looks[state]
        rise = NAME_RISE if size is not None else 0.0
        picture.text(
            f"{pill}.name", node.label, node.x, node.y + rise, style.STATE, look.text, bold=True
        )
        if size is not None:
            at = node.y - NUMBER_DROP
            picture.text(f"{pill}.norm", number(size), node.x, at, style.SMALL, look.text)
        came = crossings.arriving.get(pill)
        if came is None:
            continue
        below = state == plan.boxes[lane].face.entering
        y = node.y + (-1 if below else 1) * (TALL / 2 + BESIDE_PILL)
        told = number(came) if came or not last else "none"
        picture.text(
            f"{pill}.came", told, node.x, y, style.NOTE, style.GRADIENT.stroke, bold=bool(came)
        )
    for k, node in enumerate(picture.nodes):  # the rows' names make room for the numbers
        if node.id.endswith(".row") and node.attrs.get("class") == "text":
            picture.nodes[k] = replace(node, y=node.y + 15)


def _all_pills(plan: CellGrid) -> Iterator[tuple[Lane, str, str, bool]]:
    """Every state's pill: lane, state, id, whether it is the lane's last."""
    for lane in plan.lattice.lanes:
        if not lane.states:
            continue
        run = plan.slots_run(lane)
        numbers = [plan.pill_before(lane)[0], *(plan.pill_after(lane, slot)[0] for slot in run)]
        for k, at in enumerate(numbers):
            for state in lane.states:
                yield lane, state, f"{lane.key}.{state}{at}", k == len(run)


def _write_inputs(plan: CellGrid, crossings: Crossings) -> None:
    """Beside the line from a cell to its input: what crosses it, where the input takes a gradient."""
    for node in list(plan.picture.nodes):
        if not str(node.attrs.get("class", "")).startswith("io x "):
            continue
        sizes = [a for (tail, _), a in crossings.lines.items() if tail == node.id]
        if sizes and sizes[0]:
            words = number(sizes[0])
            x, y = node.x + 4, node.sides[3] + 7
            plan.picture.text(
                f"{node.id}.came",
                words,
                x,
                y,
                style.SMALL,
                style.GRADIENT.stroke,
                bold=True,
                left=True,
            )


def _write_outside(plan: CellGrid, book: Book, ledger: Ledger, crossings: Crossings) -> None:
    """The loss says its value; a Parameter outside the cells the norm of its gradient."""
    picture, lattice = plan.picture, plan.lattice
    cells = {p.id for row in lattice.rows for p in row.params}
    boxes = {node.id: node for node in picture.nodes}
    for parameter, name in lattice.names.items():
        node = boxes.get(f"param.{name}")
        if parameter in cells or node is None:
            continue
        words = f"|G| = {number(book.whole(parameter))}"
        y = node.sides[1] - 7
        picture.text(
            f"{node.id}.whole", words, node.x, y, style.NOTE, style.GRADIENT.text, bold=True
        )
    root = next(
        (i for i, n in enumerate(lattice.graph._raw) if n is (ledger.root or (None,))[0]), -1
    )
    box = crossings.after.boxes.get(root)
    if ledger.loss is None or box is None:
        return
    for k, node in enumerate(picture.nodes):
        if node.id == box and "loss" in str(node.attrs.get("class", "")):
            words = f"L = {number(ledger.loss)}"
            width = max(node.width, text_width(words, style.OP_SIZE) + 12)
            # what it is made of goes; the box keeps its left side, where lines come in
            x = node.sides[0] + width / 2
            picture.nodes[k] = replace(
                node, label=f"loss\n{words}", x=x, width=width, height=max(node.height, 30.0)
            )


# ---- words -------------------------------------------------------------------------------------


def _write_captions(plan: CellGrid, crossings: Crossings) -> None:
    """What the numbers mean, above the picture, in lines that fit its width."""
    picture = plan.picture
    left, _, right, top = picture.bounds()
    lines = _wrapped(list(_sentences(plan, crossings)), max(right - left, 420.0))
    for k, line in enumerate(lines):
        y = top + 12 + CAPTION_LINE * (len(lines) - 1 - k)
        picture.text(f"says{k}", line, (left + right) / 2, y, CAPTION, style.PLAIN)


def _sentences(plan: CellGrid, crossings: Crossings) -> Iterator[str]:
    lanes = [lane for lane in plan.lattice.lanes if lane.states]
    states = sorted({s for lane in lanes for s in lane.states}, key=lambda s: (s == "h", s))
    named = " or ".join(f"dL/d{s}" for s in states)
    both = len({lane.backwards for lane in lanes}) > 1
    if not both:
        yield (
            "Backward, left to right."
            if lanes and lanes[0].backwards
            else "Backward, right to left."
        )
    else:
        yield "Backward: against the direction of each row."
    yield f"In a pill: norm of the total {named}."
    yield "Purple number and arrow width: norm of what crosses."
    yield from _about_ends(plan, crossings)
    rows = plan.lattice.rows
    most = max((len(row.params) for row in rows), default=0)
    if most > 1:
        yield "Arrows down: all Parameters of a slab together."
    if crossings.still:
        names = list(dict.fromkeys(_pill_name(pill) for pill in sorted(crossings.still)))
        several = len(names) > 1
        yield (
            f"{', '.join(names)} {'take' if several else 'takes'} no gradient: "
            f"{'their numbers are' if several else 'its number is'} what would go on."
        )


def _about_ends(plan: CellGrid, crossings: Crossings) -> Iterator[str]:
    """Where the last c is not used by what follows: what came to it came inside the cell."""
    silent: list[str] = []
    for lane in (lane for lane in plan.lattice.lanes if "h" in lane.states):
        at, _ = plan.pill_after(lane, plan.slots_run(lane)[-1])
        came = {s: crossings.arriving.get(f"{lane.key}.{s}{at}") for s in lane.states}
        for state in lane.states:
            total = crossings.pills.get(f"{lane.key}.{state}{at}")
            if state != "h" and total and not came[state]:
                h, name = sub("h", at), sub(state, at)
                only = f"The loss uses only {h}: nothing" if came["h"] else "Nothing"
                silent.append(
                    f"{only} crosses from {name}, all of its {number(total)} comes from {h} inside the cell."
                )
    if len(silent) == 1:
        yield silent[0]
    elif silent:
        yield "None: nothing crosses there, and what a last c gets comes from h inside its cell."


def _pill_name(pill: str) -> str:
    """``c₀`` of ``l0.c0``."""
    words = pill.partition(".")[2]
    state = words.rstrip("0123456789")
    return sub(state, int(words[len(state) :]))


def _wrapped(sentences: list[str], width: float) -> list[str]:
    lines: list[str] = []
    for sentence in sentences:
        joined = f"{lines[-1]}  {sentence}" if lines else sentence
        if lines and text_width(joined, CAPTION) <= width:
            lines[-1] = joined
        else:
            lines.append(sentence)
    return lines
