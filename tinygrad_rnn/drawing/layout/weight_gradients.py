"""How is a gradient drawn in the panels? A row a Parameter, with what every step adds to its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...graphs.chains import Column
from ...graphs.contributions import Contributions, Moment, Share
from ...graphs.meaning import Contribution, ParameterBox, Weights
from ...graphs.unrolled import LayerRow, UnrolledGraph
from ..scene import style
from ..scene.scene import Scene
from ..scene.style import Line
from ..scene.text import (
    number,
    plural,
    printed,
    shape_text,
    shorten,
    state_at,
    sub,
    text_width,
)
from .grid import AnyGrid
from .weights import INSET, Panel, Tap, stack_panels

CHIP_LEFT, CHIP_HEIGHT, MIN_CHIP, MAX_CHIP = 12.0, 30.0, 118.0, 200.0
BAR_HEIGHT, MIN_BAR, AXIS_GAP, LABEL_GAP = 22.0, 160.0, 6.0, 8.0
HEADING, TITLE_DROP, FIRST_ROW, PITCH = 11.5, 30.0, 57.0, 36.0
# Thin bars, one a step: height, distance, how many at most.
THIN, THIN_GAP, THIN_MOST = 16.0, 4.0, 120
LINE, NOTE_LINE, FOOT, NORM_GAP = 10.2, 11.0, 10.0, 3.0
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class Segment(NamedTuple):
    """What one column adds, as it is written: ``t=3   0.070``."""

    when: str
    value: float
    said: str
    note: str

    @property
    def words(self) -> str:
        """In one line."""
        return f"{self.when}   {self.said}" + f" ({self.note})" * bool(self.note)

    def fit(self, width: float) -> tuple[str, float] | None:
        """What is written inside of that width, and how large; None where nothing fits."""
        for size in (style.NOTE, style.SMALL):
            if text_width(self.words, size, True) + 5 <= width:
                return self.words, size
        two = f"{self.when}\n{self.said}"
        return (two, 8.0) if text_width(two, 8.0) + 2 <= width else None


@dataclass(frozen=True)
class Bar:
    """The segments of one Parameter's gradient G, and what is written of |G|."""

    parameter: ParameterBox
    uses: str
    segments: tuple[Segment, ...]
    whole: str
    gap: float  # between two segments
    moments: tuple[Moment, ...] = ()  # the same step by step, where steps are folded

    def widths(self, width: float) -> list[float]:
        """How long each segment is in a bar of that width."""
        values = [abs(segment.value) for segment in self.segments]
        scale = (width - self.gap * (len(values) - 1)) / sum(values) if any(values) else 0.0
        return [max(value * scale, 2.0) if value else 0.0 for value in values]

    def beside(self, width: float) -> list[str]:
        """What is listed beside the bar: the parts whose segments are too narrow for words."""
        pairs = zip(self.segments, self.widths(width), strict=True)
        return [part.words for part, wide in pairs if not part.value or not part.fit(wide)]


def draw_gradient_panels(
    grid: AnyGrid,
    parts: Contributions,
    measure: str,
    taps: list[list[Tap]],
    bars: list[float],
) -> None:
    """A panel for each row of cells; ``measure`` is projection or norm."""
    rows = {i: row for i, row in enumerate(grid.unrolled.rows) if row.params}
    stack_panels(
        grid, {i: _panel(grid, parts, row, i, measure) for i, row in rows.items()}, taps, bars
    )


def _panel(grid: AnyGrid, parts: Contributions, row: LayerRow, i: int, measure: str) -> Panel:
    """What one panel says, and how wide it must be: chips, numbers beside the bars, bars, sums."""
    found = [parts.added(row, p.id, measure) for p in row.params]
    bars = [
        replace(
            _bar(grid.unrolled, row, p.id, added, whole, measure),
            moments=tuple(parts.over_time(row, p.id, measure, THIN_MOST)),
        )
        for p, (added, whole) in zip(row.params, found, strict=True)
    ]
    heads = [
        text_width(bar.parameter.short, style.STATE, True) + text_width(bar.uses, style.SMALL)
        for bar in bars
    ]
    names = [text_width(bar.parameter.name, style.SMALL) for bar in bars]
    chip = min(max(MIN_CHIP, max(heads) + 22, max(names) + 10), MAX_CHIP)
    sums = max(text_width(bar.whole, style.TITLE, True) for bar in bars) + LABEL_GAP + 12
    segments = [segment for bar in bars for segment in bar.segments]
    labels = max([60.0, *(text_width(s.words, style.SMALL) + 12 for s in segments)])
    other = any(place is None for added, _ in found for place, *_ in added)
    title, notes = _title(row, measure), _notes(grid.unrolled, row, measure, other)
    words = [text_width(title, HEADING, True), *(text_width(n, style.SMALL) for n in notes)]
    least = max(CHIP_LEFT + chip + labels + MIN_BAR + sums, max(words) + 2 * INSET + 12)

    def pitches(width: float) -> list[float]:
        lengths = width - CHIP_LEFT - chip - labels - sums
        return [
            max(PITCH, LINE * len(bar.beside(lengths)) + 6) + (THIN + THIN_GAP) * bool(bar.moments)
            for bar in bars
        ]

    def height(width: float) -> float:
        return FIRST_ROW - PITCH / 2 + sum(pitches(width)) + NOTE_LINE * len(notes) + FOOT

    def draw(left: float, right: float, top: float) -> None:
        scene, weights, color, x = grid.scene, Weights(i), style.PARAM.text, left + CHIP_LEFT
        y, begin, end = top - TITLE_DROP, x + chip + labels, right - sums
        scene.text(weights, "says", title, x + 2, y, HEADING, color, bold=True, left=True)
        y = top - FIRST_ROW + PITCH / 2
        for bar, pitch in zip(bars, pitches(right - left), strict=True):
            thin = (THIN + THIN_GAP) * bool(bar.moments)
            y -= (pitch - thin) / 2
            _draw_chip(scene, bar, x, y, chip)
            _draw_bar(scene, bar, begin, end, y)
            y -= (pitch - thin) / 2
            _draw_moments(scene, bar, begin, end, y + (PITCH - BAR_HEIGHT) / 2 - THIN_GAP)
            y -= thin
        for k, note in enumerate(notes):
            at = y - 3 - NOTE_LINE * (k + 0.5)
            scene.text(weights, f"note{k}", note, x + 2, at, style.SMALL, color, left=True)

    return Panel(least, height, draw)


# ---- words ------------------------------------------------------------------------------------------


def _bar(
    unrolled: UnrolledGraph,
    row: LayerRow,
    parameter: int,
    added: Sequence[Share],
    whole: float,
    measure: str,
) -> Bar:
    said, sum_said = printed([part.value for part in added], whole, adding=measure != "norm")
    several = len(row.chains) > 1 and not any(chain.backwards for chain in row.chains)
    segments = []
    for part, words in zip(added, said, strict=True):
        when, zero = "other", part.zero
        if part.place is not None:
            chain, column = part.place
            when = f"{row.chains.index(chain) + 1}: " * several + _when(column)
        note = "" if zero is None else f"{state_at(zero.chain, zero.name, zero.step)} = 0"
        if not words.strip("0.−"):  # too little for the digits that the others have
            words = number(part.value).replace("-", "−")
        segments.append(Segment(when, part.value, words, note))
    name = unrolled.names[parameter]
    uses = plural(unrolled.graph.use_count(name), "use")
    shape = f"{shape_text(unrolled.nodes[parameter].shape)} · {uses}"
    total = f"|G|  {sum_said}" if measure == "norm" else f"|G| = {sum_said}"
    gap = NORM_GAP if measure == "norm" else 0.0
    return Bar(unrolled.parameter(parameter), shape, tuple(segments), total, gap)


def _when(column: Column) -> str:
    return f"t={column.first}" if len(column.steps) == 1 else f"t={column.first}…{column.last}"


def _title(row: LayerRow, measure: str) -> str:
    n = len(row.params)
    many = NUMBERS[n] if n < len(NUMBERS) else f"{n}"
    who = f"same {many} Parameters get" if n > 1 else "same Parameter gets"
    end = ": how large each is" if measure == "norm" else ", and the parts add up"
    words = f"{who} a part from every step{end}"
    if not row.name:
        return f"The {words}"
    name = row.name
    if name.startswith(("layer", "forward", "reverse")):
        name = name[0].upper() + name[1:]
    return f"{name}: the {words}"


def _notes(unrolled: UnrolledGraph, row: LayerRow, measure: str, other: bool) -> list[str]:
    """What a segment is, and what a folded one or one outside the steps stands for."""
    columns = [column for chain in row.chains for column in unrolled.columns(chain)]
    first, last = min(c.first for c in columns), max(c.last for c in columns)
    if measure == "norm":
        notes = [
            "Segment: |g_t|, the norm of step t's part g_t of the gradient G. "
            "Norms say how loud a step is; they do not make up |G|."
        ]
    else:
        steps = [sub("g", s) for s in range(first, last + 1)] if last - first < 5 else []
        whole = " + ".join(steps) or f"{sub('g', first)} + … + {sub('g', last)}"
        whole += " + other uses" * other
        notes = [
            f"Segment: <g_t, G> / |G|, the signed part of step t along the whole gradient G "
            f"(G = {whole}). Each row has its own scale."
        ]
    if any(column.folded for column in columns):
        notes.append(
            f"Thin bars: the same step by step, t = {first} at the left, t = {last} at the right, down where "
            "it is against the whole."
        )
    for column in columns:
        if column.folded and len(column.steps) > 1:
            what = "the norm of what" if measure == "norm" else "what"
            steps_ = plural(column.count, "step")
            notes.append(f"t={column.first}…{column.last}: {what} its {steps_} add together.")
    return list(dict.fromkeys(notes))


# ---- boxes ------------------------------------------------------------------------------------------


def _draw_chip(scene: Scene, bar: Bar, left: float, y: float, width: float) -> None:
    of, small, color = bar.parameter, style.SMALL, style.CHIP.text
    tip = f"{of.name} · {bar.uses}"
    box = (left + width / 2, y, width, CHIP_HEIGHT, style.CHIP, "param")
    scene.box(of, "", *box, square=True, tooltip=tip)
    room = width - 14 - text_width(bar.uses, small) - 6
    short, x = shorten(of.short, style.STATE, room, bold=True), left + 6
    scene.text(of, "name", short, x, y + 6.5, style.STATE, color, bold=True, left=True)
    at = left + width - 7 - text_width(bar.uses, small) / 2
    scene.text(of, "uses", bar.uses, at, y + 6.5, small, color)
    name = shorten(of.name, small, width - 14)
    scene.text(of, "detail", name, x, y - 7.5, small, color, left=True)


def _draw_bar(scene: Scene, bar: Bar, begin: float, end: float, y: float) -> None:
    """The segments of one row: what is against the whole goes to the left of the line at 0."""
    widths = bar.widths(end - begin)
    against = sum(w for part, w in zip(bar.segments, widths, strict=True) if part.value < 0)
    x = back = zero = begin + against
    largest = max((abs(part.value) for part in bar.segments), default=0.0)
    for k, (part, width) in enumerate(zip(bar.segments, widths, strict=True)):
        if not part.value:
            continue
        negative = part.value < 0
        if negative:
            back -= width
        at = back if negative else x
        if not negative:
            x += width + bar.gap
        loud = abs(part.value) == largest
        look = style.PART_AGAINST if negative else style.PART_MOST if loud else style.PART
        label, size = part.fit(width) or ("", style.SMALL)
        scene.box(
            Contribution(bar.parameter, part.when, negative, k),
            label,
            at + width / 2,
            y,
            max(width - min(1.0, width / 2), 1.0),
            BAR_HEIGHT,
            look,
            "part",
            size=size,
            bold=loud and bool(label),
            square=True,
            tooltip=f"{part.when}: {part.value:.6g}",
        )
    name, color = f"part.{bar.parameter.name}", style.GRADIENT.text
    if against:
        top, bottom = (zero, y + BAR_HEIGHT / 2 + 3), (zero, y - BAR_HEIGHT / 2 - 3)
        scene.stroke(None, f"{name}.zero", top, bottom, Line("zero", color, 1.2))
    listed = bar.beside(end - begin)
    for k, words in enumerate(listed):
        height = y + LINE * ((len(listed) - 1) / 2 - k)
        middle = begin - AXIS_GAP - text_width(words, style.SMALL) / 2
        scene.text(None, f"{name}.beside{k}", words, middle, height, style.SMALL, color)
    at = end + LABEL_GAP
    scene.text(None, f"{name}.whole", bar.whole, at, y, style.TITLE, color, bold=True, left=True)


def _draw_moments(scene: Scene, bar: Bar, begin: float, end: float, top: float) -> None:
    """A thin bar a step, along the axis of time; what is against the whole goes down."""
    if not bar.moments:
        return
    values = [moment.value for moment in bar.moments]
    high, low = max([0.0, *values]), min([0.0, *values])
    scale = THIN / ((high - low) or 1.0)
    first, count = bar.moments[0].first, bar.moments[-1].last - bar.moments[0].first + 1
    zero, wide = top - high * scale, (end - begin) / count
    for moment in bar.moments:
        tall = abs(moment.value) * scale
        if tall < 0.1:
            continue
        left = begin + (moment.first - first) * wide
        width = (moment.last - moment.first + 1) * wide
        look = style.PART_AGAINST if moment.value < 0 else style.PART_MOST
        when = f"t={moment.first}" + f"…{moment.last}" * (moment.last > moment.first)
        scene.box(
            None,
            "",
            left + width / 2,
            zero + (tall / 2 if moment.value > 0 else -tall / 2),
            max(width * 0.8, 0.5),
            tall,
            look,
            "thin",
            part=f"thin.{bar.parameter.name}.{moment.first}",
            square=True,
            tooltip=f"{when}: {moment.value:.6g}",
        )
    line = Line("zero", style.PART.fill, 0.8)
    scene.stroke(None, f"thin.{bar.parameter.name}", (begin, zero), (end, zero), line)
