"""A picture as data: boxes, texts, dots, frames and lines, each at its place in points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from . import style
from .style import Look
from .words import text_width

Point = tuple[float, float]
_KAPPA = 0.45  # how far a rounded corner's handles stay from the corner, as a part of its radius


@dataclass(frozen=True, slots=True)
class Node:
    """A box, a text or a dot, at its centre, with the DOT attributes that make it look so."""

    id: str
    label: str
    x: float
    y: float
    width: float
    height: float
    attrs: dict[str, object]

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        w, h = self.width / 2, self.height / 2
        return self.x - w, self.y - h, self.x + w, self.y + h


@dataclass(frozen=True, slots=True)
class Line:
    """An edge along Bezier control points (3 n + 1 of them), with an arrow's tip if it has one."""

    tail: str
    head: str
    points: tuple[Point, ...]
    tip: Point | None
    attrs: dict[str, object]
    route: tuple[Point, ...] = ()  # as it was given, to be drawn again the other way round
    bend: tuple[float, str] = (10.0, "")  # its radius and swing


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle behind everything: a step, a cell, the slab."""

    id: str
    box: tuple[float, float, float, float]
    attrs: dict[str, object]


@dataclass
class Picture:
    """Everything that is drawn, in the order of drawing; the methods add one thing each."""

    title: str
    order: str = "edgesfirst"  # what is drawn first; the other is drawn over it
    frames: list[Frame] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    stands: dict[str, int] = field(default_factory=dict)  # the graph's node that a box stands for

    def frame(
        self,
        id: str,
        box: tuple[float, float, float, float],
        look: Look,
        *,
        filled: bool = True,
        dashed: bool = False,
        pen: float | None = None,
        tooltip: str = "",
    ) -> None:
        """A rounded rectangle (left, bottom, right, top) behind the nodes."""
        attrs: dict[str, object] = {
            "style": _style(filled, dashed),
            "color": look.stroke,
            "penwidth": look.pen if pen is None else pen,
        }
        if filled:
            attrs["fillcolor"] = look.fill
        if tooltip:
            attrs["tooltip"] = tooltip
        self.frames.append(Frame(id, box, attrs))

    def box(
        self,
        id: str,
        label: str,
        x: float,
        y: float,
        width: float,
        height: float,
        look: Look,
        cls: str,
        *,
        size: float = style.OP_SIZE,
        bold: bool = False,
        square: bool = False,
        dashed: bool = False,
        tooltip: str = "",
    ) -> str:
        """A box with a label in its middle; returns its id."""
        shape = "filled" if square else "rounded,filled"
        attrs: dict[str, object] = {
            "class": cls,
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
        self.nodes.append(Node(id, label, x, y, width, height, _fixed(attrs)))
        return id

    def text(
        self,
        id: str,
        label: str,
        x: float,
        y: float,
        size: float,
        color: str,
        *,
        bold: bool = False,
        left: bool = False,
    ) -> str:
        """Free text, centred on (x, y), or beginning at x where ``left``."""
        width = text_width(label, size, bold)
        height = size * 1.2 * (label.count("\n") + 1)
        attrs: dict[str, object] = {
            "class": "text",
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
        self.nodes.append(Node(id, label, x, y, width, height, _fixed(attrs)))
        return id

    def dot(self, id: str, x: float, y: float, color: str, size: float = style.JUNCTION) -> str:
        """A junction: where lines connect."""
        attrs: dict[str, object] = {
            "class": "dot",
            "shape": "point",
            "color": color,
            "fillcolor": color,
        }
        self.nodes.append(Node(id, "", x, y, size, size, _fixed(attrs)))
        return id

    def port(self, id: str, x: float, y: float) -> str:
        """An invisible end for a line."""
        attrs: dict[str, object] = {"class": "port", "shape": "plaintext", "style": ""}
        self.nodes.append(Node(id, "", x, y, 1, 1, _fixed(attrs)))
        return id

    def line(
        self,
        tail: str,
        head: str,
        route: Sequence[Point],
        *,
        color: str = style.PLAIN,
        pen: float = style.PLAIN_PEN,
        arrow: float = 0.0,
        radius: float = 10.0,
        dashed: bool = False,
        cls: str = "",
        swing: str = "",
        tooltip: str = "",
    ) -> None:
        """A line along straight stretches with rounded corners, or in S-curves (``swing`` v or h).

        ``arrow`` is the size of the head; its tip is pulled back by 0.45 of the pen, since old
        Graphviz draws it over the target by that much.
        """
        points, tip = list(route), None
        if arrow:
            tip = _pulled(points[-2], points[-1], _pull(pen), swing)
            points[-1] = _pulled(points[-2], tip, 10 * arrow, swing)
        curve = _swings(points, swing) if swing else _rounded(points, radius)
        attrs: dict[str, object] = {
            "arrowhead": "normal" if arrow else "none",
            "arrowsize": arrow or style.SMALL_ARROW,
            "penwidth": pen,
            "color": color,
        }
        if dashed:
            attrs["style"] = "dashed"
        if cls:
            attrs["class"] = cls
        if tooltip:
            attrs["tooltip"] = tooltip
        self.lines.append(Line(tail, head, tuple(curve), tip, attrs, tuple(route), (radius, swing)))

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of everything drawn."""
        xs = [x for node in self.nodes for x in (node.sides[0], node.sides[2])]
        ys = [y for node in self.nodes for y in (node.sides[1], node.sides[3])]
        for frame in self.frames:
            xs += [frame.box[0], frame.box[2]]
            ys += [frame.box[1], frame.box[3]]
        for line in self.lines:
            xs += [x for x, _ in line.points]
            ys += [y for _, y in line.points]
        if not xs:
            return (0, 0, 1, 1)
        return (min(xs), min(ys), max(xs), max(ys))


def _pull(pen: float) -> float:
    """How far an arrow's tip stays from what it points at."""
    return 0.45 * pen


def _style(filled: bool, dashed: bool) -> str:
    return "rounded" + ",filled" * filled + ",dashed" * dashed


def _fixed(attrs: dict[str, object]) -> dict[str, object]:
    return {"fixedsize": "true", **attrs}


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
        curve += _straight(a, b) if level else _swing(a, b, how)[1:]
    return curve


def _swing(a: Point, b: Point, how: str) -> list[Point]:
    if how == "v":
        middle = (a[1] + b[1]) / 2
        return [a, (a[0], middle), (b[0], middle), b]
    middle = (a[0] + b[0]) / 2
    return [a, (middle, a[1]), (middle, b[1]), b]


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
