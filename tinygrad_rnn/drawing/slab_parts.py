"""The foundation of the backward picture: a row a Parameter, with what every step adds to its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import style
from .params import param_tokens
from .parts import Book, Part, Parts
from .shapes import Picture
from .slab import BAR_DROP, FEEDER, INSET, SLAB_GAP, Tap, draw_bar, draw_upper_bar
from .style import Look
from .unroll import Lattice, Row
from .words import class_name, plural, shape_text, shorten, sub, text_width

CHIP_LEFT, CHIP_HEIGHT, MIN_CHIP, MAX_CHIP = 12.0, 30.0, 118.0, 200.0
BAR_HEIGHT, MIN_BAR, AXIS_GAP, LABEL_GAP = 22.0, 160.0, 6.0, 8.0
HEADING, TITLE_DROP, FIRST_ROW, PITCH, LINE, NOTE_LINE, FOOT = (
    11.5,
    30.0,
    57.0,
    36.0,
    10.2,
    11.0,
    10.0,
)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class Plan(NamedTuple):
    """What one slab says, and how wide it must be: chips, the numbers beside the bars, bars, sums."""

    parts: list[Parts]
    measure: str
    chip: float
    labels: float
    sums: float
    least: float
    title: str
    notes: list[str]

    def bar(self, width: float) -> float:
        """How long the bars are in a slab of that width."""
        return width - CHIP_LEFT - self.chip - self.labels - self.sums

    def pitches(self, width: float) -> list[float]:
        """How tall each row is: tall enough for what is written beside its bar."""
        lists = (_beside(each, self.bar(width), self.measure) for each in self.parts)
        return [max(PITCH, LINE * len(lines) + 6) for lines in lists]

    def height(self, width: float) -> float:
        """How tall the slab is."""
        body = sum(self.pitches(width)) + NOTE_LINE * len(self.notes)
        return FIRST_ROW - PITCH / 2 + body + FOOT


def draw_part_slabs(
    picture: Picture,
    book: Book,
    measure: str,
    taps: list[list[Tap]],
    bars: list[float],
    right: float,
) -> None:
    """A slab for each row of cells, one below the other, as ``slab.draw_slabs`` places them."""
    lattice = book.lattice
    plans = {i: _plan(book, row, measure) for i, row in enumerate(lattice.rows) if row.params}
    if not plans:
        return
    width = max(right, *(plan.least for plan in plans.values()))
    left = (right - width) / 2
    outer = min(picture.bounds()[0], left)
    top = bars[0] + BAR_DROP
    for i, plan in plans.items():
        slab = Look(style.PARAM.stroke, style.PARAM.fill, style.PARAM.text, 2.5)
        height = plan.height(width)
        picture.frame(f"row{i}.slab", (left, top - height, left + width, top), slab)
        draw_bar(
            picture,
            f"row{i}.bar" if i == 0 else f"row{i}.slabbar",
            left,
            left + width,
            top - BAR_DROP,
        )
        _draw_rows(picture, lattice, lattice.rows[i], i, plan, left, left + width, top)
        if i:
            draw_upper_bar(picture, i, bars[i], outer - FEEDER * i, top - BAR_DROP, left, right)
        for tap in taps[i]:
            picture.dot(tap.id, tap.x, bars[i], style.ORANGE, style.SLAB_DOT)
        top -= height + SLAB_GAP


def _plan(book: Book, row: Row, measure: str) -> Plan:
    lattice = book.lattice
    parts = [book.parts(row, p.id, measure) for p in row.params]
    heads = [
        text_width(lattice.short(p.id), style.STATE, True)
        + text_width(_uses(lattice, p.id), style.SMALL)
        for p in row.params
    ]
    names = [text_width(lattice.names[p.id], style.SMALL) for p in row.params]
    chip = min(max(MIN_CHIP, max(heads) + 22, max(names) + 10), MAX_CHIP)
    sums = (
        max(text_width(_sum_words(p, measure), style.TITLE, True) for p in parts) + LABEL_GAP + 12
    )
    labels = max([60.0, *(text_width(_words(q), style.SMALL) + 12 for p in parts for q in p.parts)])
    title, notes = _title(row, measure), _notes(book, row, measure, parts)
    words = [text_width(title, HEADING, True), *(text_width(n, style.SMALL) for n in notes)]
    least = max(CHIP_LEFT + chip + labels + MIN_BAR + sums, max(words) + 2 * INSET + 12)
    return Plan(parts, measure, chip, labels, sums, least, title, notes)


def _title(row: Row, measure: str) -> str:
    n = len(row.params)
    many = NUMBERS[n] if n < len(NUMBERS) else f"{n}"
    name = f"{row.name}: " if row.name else ""
    who = f"same {many} Parameters get" if n > 1 else "same Parameter gets"
    end = ": how large each is" if measure == "norm" else ", and the parts add up"
    words = f"{name}{'the' if name else 'The'} {who} a part from every step{end}"
    return (
        words[0].upper() + words[1:] if name.startswith(("layer", "forward", "reverse")) else words
    )


def _notes(book: Book, row: Row, measure: str, parts: Sequence[Parts]) -> list[str]:
    """What a segment is, and what a folded one or one outside the steps stands for."""
    slots = [slot for lane in row.lanes for slot in book.lattice.slots(lane)]
    first, last = min(s.first for s in slots), max(s.last for s in slots)
    if measure == "norm":
        notes = [
            "Segment: |g_t|, the norm of step t's part g_t of the gradient G. "
            "Norms say how loud a step is; they do not make up |G|."
        ]
    else:
        steps = [sub("g", s) for s in range(first, last + 1)] if last - first < 5 else []
        whole = " + ".join(steps) or f"{sub('g', first)} + … + {sub('g', last)}"
        if any(part.column is None for p in parts for part in p.parts):
            whole += " + other uses"
        notes = [
            f"Segment: <g_t, G> / |G|, the signed part of step t along the whole gradient G "
            f"(G = {whole}). Each row has its own scale."
        ]
    for slot in slots:
        if slot.folded and len(slot.steps) > 1:
            what = "the norm of what" if measure == "norm" else "what"
            notes.append(
                f"t={slot.first}…{slot.last}: {what} its {plural(len(slot.steps), 'step')} add together."
            )
    return list(dict.fromkeys(notes))


def _uses(lattice: Lattice, parameter: int) -> str:
    name = lattice.names[parameter]
    uses = plural(len(lattice.graph.uses(name)), "use")
    return f"{shape_text(lattice.nodes[parameter].shape)} · {uses}"


def _words(part: Part) -> str:
    return f"{part.when}   {part.said}" + f" ({part.note})" * bool(part.note)


def _sum_words(parts: Parts, measure: str) -> str:
    return f"|G|  {parts.said}" if measure == "norm" else f"|G| = {parts.said}"


def _fit(part: Part, width: float) -> tuple[str, float] | None:
    """What is written inside a segment of that width, and how large; None where nothing fits."""
    one = _words(part)
    for size in (style.NOTE, style.SMALL):
        if text_width(one, size, True) + 5 <= width:
            return one, size
    two = f"{part.when}\n{part.said}"
    return (two, 8.0) if text_width(two, 8.0) + 2 <= width else None


def _beside(parts: Parts, width: float, measure: str) -> list[str]:
    """What is listed beside the bar: the parts whose segments are too narrow for words."""
    widths = _widths(parts, width, measure)
    return [
        _words(p) for p, w in zip(parts.parts, widths, strict=True) if not p.value or not _fit(p, w)
    ]


def _widths(parts: Parts, width: float, measure: str) -> list[float]:
    gaps = 3.0 * (len(parts.parts) - 1) if measure == "norm" else 0.0
    whole = sum(abs(part.value) for part in parts.parts)
    scale = (width - gaps) / whole if whole else 0.0
    return [max(abs(part.value) * scale, 2.0) if part.value else 0.0 for part in parts.parts]


def _draw_rows(
    picture: Picture,
    lattice: Lattice,
    row: Row,
    i: int,
    plan: Plan,
    left: float,
    right: float,
    top: float,
) -> None:
    color, id = style.PARAM.text, f"row{i}"
    x = left + CHIP_LEFT
    picture.text(
        f"{id}.says", plan.title, x + 2, top - TITLE_DROP, HEADING, color, bold=True, left=True
    )
    y = top - FIRST_ROW + PITCH / 2
    begin, end = x + plan.chip + plan.labels, right - plan.sums
    pitches = plan.pitches(right - left)
    for parameter, parts, pitch in zip(row.params, plan.parts, pitches, strict=True):
        y -= pitch / 2
        _draw_chip(picture, lattice, parameter.id, x, y, plan.chip)
        _draw_bar_of(picture, lattice, parameter.id, parts, plan.measure, (begin, end, y))
        y -= pitch / 2
    for k, note in enumerate(plan.notes):
        at = y - 3 - NOTE_LINE * (k + 0.5)
        picture.text(f"{id}.note{k}", note, x + 2, at, style.SMALL, color, left=True)


def _draw_chip(
    picture: Picture, lattice: Lattice, parameter: int, left: float, y: float, width: float
) -> None:
    name, short, look = lattice.names[parameter], lattice.short(parameter), style.CHIP
    id, uses = f"param.{name}", _uses(lattice, parameter)
    cls = f"param {param_tokens(short, name)}"
    picture.box(
        id,
        "",
        left + width / 2,
        y,
        width,
        CHIP_HEIGHT,
        look,
        cls,
        square=True,
        tooltip=f"{name} · {uses}",
    )
    room = width - 14 - text_width(uses, style.SMALL) - 6
    bold = shorten(short, style.STATE, room, bold=True)
    picture.text(
        f"{id}.name", bold, left + 6, y + 6.5, style.STATE, look.text, bold=True, left=True
    )
    x = left + width - 7 - text_width(uses, style.SMALL) / 2
    picture.text(f"{id}.uses", uses, x, y + 6.5, style.SMALL, look.text)
    small = shorten(name, style.SMALL, width - 14)
    picture.text(f"{id}.detail", small, left + 6, y - 7.5, style.SMALL, look.text, left=True)


def _draw_bar_of(
    picture: Picture,
    lattice: Lattice,
    parameter: int,
    parts: Parts,
    measure: str,
    place: tuple[float, float, float],
) -> None:
    """The segments of one row: what is against the whole goes to the left of the line at 0."""
    begin, end, y = place
    widths = _widths(parts, end - begin, measure)
    gap = 3.0 if measure == "norm" else 0.0
    against = sum(w for p, w in zip(parts.parts, widths, strict=True) if p.value < 0)
    zero = begin + against
    x, back = zero, zero
    largest = max((abs(p.value) for p in parts.parts), default=0.0)
    id, short = f"part.{lattice.names[parameter]}", class_name(lattice.short(parameter))
    listed: list[str] = []
    for k, (part, width) in enumerate(zip(parts.parts, widths, strict=True)):
        if not part.value:
            listed.append(_words(part))
            continue
        negative = part.value < 0
        if negative:
            back -= width
        at = back if negative else x
        if not negative:
            x += width + gap
        loud = abs(part.value) == largest
        look = style.PART_AGAINST if negative else style.PART_MOST if loud else style.PART
        fit = _fit(part, width)
        label, size = fit or ("", style.SMALL)
        if not fit:
            listed.append(_words(part))
        thin = min(1.0, width / 2)
        picture.box(
            f"{id}.{k}",
            label,
            at + width / 2,
            y,
            max(width - thin, 1.0),
            BAR_HEIGHT,
            look,
            f"part {short} {class_name(part.when)}" + " negative" * negative,
            size=size,
            bold=loud and bool(label),
            square=True,
            tooltip=f"{part.when}: {part.value:.6g}",
        )
    if against:
        ends = [(zero, y + BAR_HEIGHT / 2 + 3), (zero, y - BAR_HEIGHT / 2 - 3)]
        picture.line(
            picture.port(f"{id}.zero.a", *ends[0]),
            picture.port(f"{id}.zero.b", *ends[1]),
            ends,
            color=style.GRADIENT.text,
            pen=1.2,
            cls="zero",
        )
    for k, words in enumerate(listed):
        at = y + LINE * ((len(listed) - 1) / 2 - k)
        middle = begin - AXIS_GAP - text_width(words, style.SMALL) / 2
        picture.text(f"{id}.beside{k}", words, middle, at, style.SMALL, style.GRADIENT.text)
    total = _sum_words(parts, measure)
    picture.text(
        f"{id}.whole",
        total,
        end + LABEL_GAP,
        y,
        style.TITLE,
        style.GRADIENT.text,
        bold=True,
        left=True,
    )
