"""What is a picture as data? Boxes, texts, dots, frames and wires, placed, with what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

from ...graphs.meaning import Meaning
from . import style
from .style import Line, Look
from .text import text_width

Point = tuple[float, float]
Key = tuple[Meaning | None, str]  # what a thing belongs to, and which part of that it is
Rectangle = tuple[float, float, float, float]  # left, bottom, right, top
DROP, LINE_HEIGHT, LENGTH, SPACE, GAP = 16.0, 15.0, 20.0, 6.0, 13.0  # of the legend
_KAPPA = 0.45  # how far a rounded corner's handles stay from the corner, as a part of its radius


@dataclass(frozen=True, slots=True)
class Box:
    """A box, a text or a dot, at its centre, with the DOT attributes that make it look so."""

    of: Meaning | None
    part: str
    kind: str
    label: str
    x: float
    y: float
    width: float
    height: float
    attrs: dict[str, object]
    owner: str = ""  # of a text: the part of the same thing that it belongs to

    @property
    def key(self) -> Key:
        """By what wires and others find it."""
        return self.of, self.part

    @property
    def sides(self) -> Rectangle:
        """Left, bottom, right, top."""
        w, h = self.width / 2, self.height / 2
        return self.x - w, self.y - h, self.x + w, self.y + h


@dataclass(frozen=True, slots=True)
class Wire:
    """An edge along Bezier control points (3 n + 1 of them), with an arrow's tip if it has one."""

    of: Meaning | None
    kind: str
    tail: Key
    head: Key
    points: tuple[Point, ...]
    tip: Point | None
    attrs: dict[str, object]
    route: tuple[Point, ...] = ()  # as it was given, to be drawn again the other way round
    bend: tuple[float, str] = (10.0, "")  # its radius and swing
    tooltip: str = ""
    gradient: bool = False  # whether it shows what crosses it in a backward pass

    def along(self, route: Sequence[Point], radius: float) -> Wire:
        """The same wire by another route, in straight stretches."""
        arrow = self.attrs["arrowsize"] if self.tip else 0.0
        points, tip = drawn_line(route, arrow, self.attrs["penwidth"], radius, "")
        return replace(self, points=points, tip=tip, route=tuple(route), bend=(radius, ""))


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle behind everything: a step, a cell, a panel."""

    of: Meaning | None
    part: str
    box: Rectangle
    attrs: dict[str, object]


class Sample(NamedTuple):
    """One sample of the legend and its words; ``kind`` is bus, cross, line, thin, dashed or text."""

    words: str
    kind: str
    color: str = style.ORANGE


@dataclass
class Scene:
    """Everything that is drawn, in the order of drawing; the methods add one thing each."""

    title: str
    order: str = "edgesfirst"  # what is drawn first; the other is drawn over it
    frames: list[Frame] = field(default_factory=list)
    boxes: dict[Key, Box] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)

    def frame(
        self,
        of: Meaning | None,
        box: Rectangle,
        look: Look,
        *,
        part: str = "",
        filled: bool = True,
        dashed: bool = False,
        tooltip: str = "",
    ) -> None:
        """A rounded rectangle behind the boxes."""
        attrs: dict[str, object] = {
            "style": "rounded" + ",filled" * filled + ",dashed" * dashed,
            "color": look.stroke,
            "penwidth": look.pen,
        }
        if filled:
            attrs["fillcolor"] = look.fill
        if tooltip:
            attrs["tooltip"] = tooltip
        self.frames.append(Frame(of, part, box, attrs))

    def _add(
        self,
        key: Key,
        kind: str,
        label: str,
        at: Rectangle,
        attrs: dict[str, object],
        owner: str = "",
    ) -> Key:
        self.boxes[key] = Box(*key, kind, label, *at, {"fixedsize": "true", **attrs}, owner)
        return key

    def box(
        self,
        of: Meaning | None,
        label: str,
        x: float,
        y: float,
        width: float,
        height: float,
        look: Look,
        kind: str,
        *,
        part: str = "",
        size: float = style.OP_SIZE,
        bold: bool = False,
        square: bool = False,
        dashed: bool = False,
        tooltip: str = "",
    ) -> Key:
        """A box with a label in its middle; returns its key."""
        shape = "filled" if square else "rounded,filled"
        attrs: dict[str, object] = {
            "style": shape + ",dashed" * dashed,
            "fontsize": size,
            "fontcolor": look.text,
            "color": look.stroke,
            "fillcolor": look.fill,
            "penwidth": look.pen,
            "margin": 0,
        }
        if bold:
            attrs["fontname"] = style.BOLD
        if tooltip:
            attrs["tooltip"] = tooltip
        return self._add((of, part), kind, label, (x, y, width, height), attrs)

    def pill(self, of: Meaning, label: str, at: Point, size: Point, look: Look) -> Key:
        """A state between two steps: its name in bold."""
        return self.box(of, label, *at, *size, look, "state", size=style.STATE, bold=True)

    def text(
        self,
        of: Meaning | None,
        part: str,
        label: str,
        x: float,
        y: float,
        size: float,
        color: str,
        *,
        bold: bool = False,
        left: bool = False,
        owner: str = "",
    ) -> Key:
        """Free text, centred on (x, y), or beginning at x where ``left``; ``owner`` is the part it is of."""
        width = text_width(label, size, bold)
        height = size * 1.2 * (label.count("\n") + 1)
        attrs: dict[str, object] = {
            "shape": "plaintext",
            "style": "",
            "margin": 0,
            "fontsize": size,
            "fontcolor": color,
        }
        if bold:
            attrs["fontname"] = style.BOLD
        if left:
            attrs["labeljust"] = "l"
            width += 6  # room for a renderer whose font is a little wider
            x += width / 2
        else:
            attrs["fixedsize"] = "shape"
        return self._add((of, part), "text", label, (x, y, width, height), attrs, owner)

    def dot(self, key: Key, x: float, y: float, color: str, size: float = style.JUNCTION) -> Key:
        """A junction: where wires connect."""
        attrs: dict[str, object] = {"shape": "point", "color": color, "fillcolor": color}
        return self._add(key, "dot", "", (x, y, size, size), attrs)

    def port(self, key: Key, x: float, y: float) -> Key:
        """An invisible end for a wire."""
        return self._add(key, "port", "", (x, y, 1, 1), {"shape": "plaintext", "style": ""})

    def wire(
        self,
        tail: Key,
        head: Key,
        route: Sequence[Point],
        line: Line = style.STROKE,
        *,
        of: Meaning | None = None,
        color: str = "",
        dashed: bool = False,
        swing: str = "",
        tooltip: str = "",
        gradient: bool = False,
    ) -> None:
        """A line along straight stretches with rounded corners, or in S-curves (``swing`` v or h).

        ``color`` is that of this wire, where it is another than the line's. The tip of an arrow is pulled
        back by 0.45 of the pen, since old Graphviz draws it over the target by that much.
        """
        attrs: dict[str, object] = {
            "arrowhead": "normal" if line.arrow else "none",
            "arrowsize": line.arrow or style.SMALL_ARROW,
            "penwidth": line.pen,
            "color": color or line.color,
        }
        if dashed:
            attrs["style"] = "dashed"
        drawn = drawn_line(route, line.arrow, line.pen, line.radius, swing)
        bend = (line.radius, swing)
        wire = Wire(of, line.kind, tail, head, *drawn, attrs, tuple(route), bend, tooltip, gradient)
        self.wires.append(wire)

    def stroke(self, of: Meaning | None, part: str, a: Point, b: Point, line: Line) -> None:
        """A straight line that joins nothing, from one point to another."""
        tail, head = (self.port((of, f"{part}.{n}"), *at) for n, at in (("a", a), ("b", b)))
        self.wire(tail, head, [a, b], line, of=of)

    def legend(self, samples: Iterable[Sample], left: float) -> None:
        """The small print that says what dots, colours and dashes mean, below everything that is drawn.

        In as many lines as the width asks for.
        """
        _, bottom, right, _ = self.bounds()
        right = max(right, left + 330)
        x, y = left, bottom - DROP
        for i, sample in enumerate(samples):
            length = {"text": 0.0, "cross": 14.0}.get(sample.kind, LENGTH)
            room = length + SPACE * bool(length)
            width = room + text_width(sample.words, style.NOTE)
            if x > left and x + width > right:
                x, y = left, y - LINE_HEIGHT
            self._sample(f"legend{i}", sample, x, y, length)
            own = sample.kind == "text" and sample.color != style.ORANGE
            color, part = sample.color if own else style.PLAIN, f"legend{i}.text"
            self.text(None, part, sample.words, x + room, y, style.NOTE, color, left=True)
            x += width + GAP

    def _sample(self, part: str, sample: Sample, x: float, y: float, length: float) -> None:
        kind, middle = sample.kind, x + length / 2
        if kind == "text":
            return
        if kind == "dashed":
            look = style.INPUT
            self.box(None, "", middle, y, length, 12, look, "legend", part=part, dashed=True)
            return
        line = Line("legend", sample.color, style.STATE_PEN)
        if kind == "thin":
            line = Line("legend", style.PLAIN, 1.4)
        self.stroke(None, part, (x, y), (x + length, y), line)
        if kind == "bus":
            self.dot((None, f"{part}.dot"), middle, y, sample.color)
        if kind == "cross":
            self.stroke(None, f"{part}v", (middle, y - 7), (middle, y + 7), line)

    @property
    def width(self) -> float:
        """How wide all of it is."""
        left, _, right, _ = self.bounds()
        return right - left

    def bounds(self) -> Rectangle:
        """Left, bottom, right, top of everything drawn."""
        sides = [box.sides for box in self.boxes.values()] + [frame.box for frame in self.frames]
        sides += [(x, y, x, y) for wire in self.wires for x, y in wire.points]
        if not sides:
            return (0, 0, 1, 1)
        lefts, bottoms, rights, tops = zip(*sides, strict=True)
        return (min(lefts), min(bottoms), max(rights), max(tops))


def drawn_line(
    route: Sequence[Point], arrow: Any, pen: Any, radius: float, swing: str
) -> tuple[tuple[Point, ...], Point | None]:
    """The control points of a line, and the tip of its arrow."""
    points, tip = list(route), None
    if arrow:
        tip = _pulled(points[-2], points[-1], 0.45 * pen, swing)
        points[-1] = _pulled(points[-2], tip, 10 * arrow, swing)
    return tuple(_swings(points, swing) if swing else _rounded(points, radius)), tip


def _pulled(before: Point, end: Point, by: float, swing: str) -> Point:
    """``end`` moved back along the line's last direction."""
    dx, dy = end[0] - before[0], end[1] - before[1]
    if swing == "v":
        dx = 0
    elif swing == "h":
        dy = 0
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    return end[0] - by * dx / length, end[1] - by * dy / length


def _swings(points: Sequence[Point], how: str) -> list[Point]:
    """S-curves from point to point, straight where two are in line."""
    curve = [points[0]]
    for a, b in pairwise(points):
        level = a[1] == b[1] if how == "h" else a[0] == b[0]
        curve += _straight(a, b) if level else _swing(a, b, how)
    return curve


def _swing(a: Point, b: Point, how: str) -> list[Point]:
    if how == "v":
        middle = (a[1] + b[1]) / 2
        return [(a[0], middle), (b[0], middle), b]
    middle = (a[0] + b[0]) / 2
    return [(middle, a[1]), (middle, b[1]), b]


def _rounded(points: Sequence[Point], radius: float) -> list[Point]:
    """Bezier points along a polyline whose corners are rounded."""
    curve: list[Point] = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        r = min(radius, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start, end = _toward(corner, before, r), _toward(corner, after, r)
        curve += _straight(curve[-1], start)
        curve += [_toward(corner, before, r * _KAPPA), _toward(corner, after, r * _KAPPA), end]
    return curve + _straight(curve[-1], points[-1])


def _straight(a: Point, b: Point) -> list[Point]:
    dx, dy = (b[0] - a[0]) / 3, (b[1] - a[1]) / 3
    return [(a[0] + dx, a[1] + dy), (a[0] + 2 * dx, a[1] + 2 * dy), b]


def _toward(a: Point, b: Point, by: float) -> Point:
    length = _distance(a, b) or 1.0
    return a[0] + (b[0] - a[0]) * by / length, a[1] + (b[1] - a[1]) * by / length


def _distance(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)
