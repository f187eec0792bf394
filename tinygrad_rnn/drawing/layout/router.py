"""Which way do wires go that would run through others? Around boxes, and never along another value's wire."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ...graphs.chains import NotUnrollableError
from ...graphs.meaning import CellAt, Input, Out, ParameterBox, State, Uses, Weights
from ..scene.scene import Box, Key, Point, Rectangle, Scene, Wire, drawn_line

AIR, LANE = 5.0, 5.0  # between a wire and a box, and between two wires
STUB, HEAD = 6.0, 9.0  # how far a wire leaves and enters a box straight
BEND, CROSSING, WORDS = 12.0, 6.0, 60.0  # what they cost, in points of length
NEAR, LONG = 1.5, 1.5  # wires closer than this over more than that are one to the eye
PIECE, TURN = 60.0, 5.0
FIRST = ("rail", "riser", "riser feeder", "cut", "use", "bus")  # kinds that stay where they are
OPEN = ("port", "dot", "text", "legend", "bar")  # kinds of boxes that are no obstacle
Segment = tuple[Point, Point]


def settle(scene: Scene, head: tuple[float, float] | None = None) -> None:
    """Lead every wire that runs through a foreign box, or along a wire of another value, another way.

    ``head`` is the size of the arrow and the pen with which each wire may be drawn the other way round
    later on: curves then bend elsewhere. Raises NotUnrollableError where there is no way.
    """
    nets = nets_of(scene)
    order = [k for k, wire in enumerate(scene.wires) if wire.tail[0] or wire.head[0]]  # no marks
    order.sort(key=lambda k: _rank(scene.wires[k]))
    walls, laid = list(walls_of(scene)), Laid()
    late = []
    for k in order:
        wire = scene.wires[k]
        lines = segments_of(wire)
        if head is not None and wire.bend[1]:
            lines += segments_of(_turned(wire, *head))
        if runs_through_any(lines, walls, wire) or laid.meets(lines, nets[k]):
            late.append(k)
        else:
            laid.add(lines, nets[k])
    for k in late:
        wire = scene.wires[k]
        route = Roads(scene, walls, laid, wire, nets[k]).way()
        if route is None:
            raise NotUnrollableError
        scene.wires[k] = wire.along(route, TURN)
        laid.add(segments_of(scene.wires[k]), nets[k])


def _rank(wire: Wire) -> tuple[bool, bool]:
    fixed = wire.kind in FIRST and not (isinstance(wire.of, Uses) and wire.of.chain is None)
    return not fixed, wire.kind not in ("up", "collect")


# ---- which wires are of one value -------------------------------------------------------------------


def nets_of(scene: Scene) -> list[int]:
    """For each wire the number that those of the same value share: they may run along each other."""
    parent: dict[Hashable, Hashable] = {}

    def find(key: Hashable) -> Hashable:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for wire in scene.wires:
        ends: list[Hashable] = [wire.tail]
        box = scene.boxes.get(wire.head)
        passes = isinstance(wire.head[0], State | Input | Out) and not wire.head[1]
        if passes or (box is not None and box.kind in ("dot", "port")):
            ends.append(wire.head)
        if isinstance(wire.of, Weights):
            ends.append(wire.of)
        if isinstance(wire.of, Uses) and wire.of.chain is not None:
            ends.append(Weights(wire.of.chain.row))
        if isinstance(wire.tail[0], Weights):
            ends.append(Weights(wire.tail[0].row))
        if isinstance(wire.of, ParameterBox):
            ends.append(wire.of)
        for end in ends[1:]:
            parent[find(end)] = find(ends[0])
    numbers: dict[Hashable, int] = {}  # compared often, and ends are slow to compare
    return [numbers.setdefault(find(wire.tail), len(numbers)) for wire in scene.wires]


# ---- where wires are, and where they may not be ------------------------------------------------------


@dataclass(frozen=True)
class Wall:
    """A box or a frame that only the wires which begin or end there may enter."""

    of: Any
    key: Key
    sides: Rectangle


def walls_of(scene: Scene) -> Iterator[Wall]:
    """Every box, every cell and every panel of weights."""
    for box in scene.boxes.values():
        if box.kind not in OPEN:
            yield Wall(box.of, box.key, box.sides)
    for frame in scene.frames:
        if isinstance(frame.of, CellAt | Weights):
            yield Wall(frame.of, (frame.of, frame.part), frame.box)


def _owns(wire: Wire, wall: Wall) -> bool:
    """Whether a wire may enter: it begins or ends there, or the panel is that of its Parameters."""
    ends = (wire.tail[0], wire.head[0])
    if wall.of is not None and wall.of in ends:
        return True
    if wall.key in (wire.tail, wire.head):
        return True
    if isinstance(wall.of, Weights | ParameterBox):
        row = wire.of.chain.row if isinstance(wire.of, Uses) and wire.of.chain else None
        mine = wire.of if isinstance(wire.of, Weights) else None if row is None else Weights(row)
        return wall.of == mine or (mine is not None and isinstance(wall.of, ParameterBox))
    return False


def segments_of(wire: Wire) -> list[Segment]:
    """The straight stretches of a wire; of a curve short ones."""
    if not wire.bend[1]:
        return list(pairwise(wire.route))
    points: list[Point] = [wire.points[0]]
    for i in range(0, len(wire.points) - 3, 3):
        four = wire.points[i : i + 4]
        points += [_on_curve(four, k / 8) for k in range(1, 9)]
    return list(pairwise(points))


def _turned(wire: Wire, arrow: float, pen: float) -> Wire:
    """A wire from its end to its beginning."""
    points, tip = drawn_line(wire.route[::-1], arrow, pen, *wire.bend)
    return replace(wire, points=points, tip=tip, route=wire.route[::-1])


def _on_curve(four: Sequence[Point], t: float) -> Point:
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    xs, ys = zip(*four, strict=True)
    return (
        sum(w * x for w, x in zip(weights, xs, strict=True)),
        sum(w * y for w, y in zip(weights, ys, strict=True)),
    )


def runs_through_any(lines: Sequence[Segment], walls: Iterable[Wall], wire: Wire) -> bool:
    """Whether a wire enters one of several that are not its own."""
    xs, ys = zip(*(point for line in lines for point in line), strict=True)
    left, right, bottom, top = min(xs), max(xs), min(ys), max(ys)
    return any(
        runs_through(lines, wall, wire)
        for wall in walls
        if wall.sides[0] < right
        and wall.sides[2] > left
        and wall.sides[1] < top
        and wall.sides[3] > bottom
    )


def runs_through(lines: Iterable[Segment], wall: Wall, wire: Wire) -> bool:
    """Whether a wire enters what is not its own."""
    return any(_enters(line, wall.sides) for line in lines) and not _owns(wire, wall)


def _enters(line: Segment, sides: Rectangle, by: float = 1.0) -> bool:
    """Whether a segment has points inside a rectangle, more than ``by`` from its sides."""
    (x0, y0), (x1, y1) = line
    if (x0 < sides[0] and x1 < sides[0]) or (x0 > sides[2] and x1 > sides[2]):
        return False
    left, bottom, right, top = sides[0] + by, sides[1] + by, sides[2] - by, sides[3] - by
    if left >= right or bottom >= top:
        return False
    low, high = 0.0, 1.0
    for start, delta, least, most in ((x0, x1 - x0, left, right), (y0, y1 - y0, bottom, top)):
        if not delta:
            if not least < start < most:
                return False
            continue
        a, b = sorted(((least - start) / delta, (most - start) / delta))
        low, high = max(low, a), min(high, b)
    return low < high


@dataclass
class Laid:
    """The wires that have their places: horizontal and vertical stretches by value."""

    across: list[tuple[float, float, float, int]] = field(default_factory=list)
    up: list[tuple[float, float, float, int]] = field(default_factory=list)
    _near: dict[tuple[bool, float, float], set[tuple[float, float, float, int]]] = field(
        default_factory=dict
    )  # the same by bands as wide as NEAR, each in pieces as long as PIECE, so that few are looked at

    def add(self, lines: Iterable[Segment], net: int) -> None:
        """Take note of a wire."""
        for level, place in self._flat(lines):
            (self.across if level else self.up).append((*place, net))
            for piece in _pieces(place[1], place[2]):
                key = (level, place[0] // NEAR, piece)
                self._near.setdefault(key, set()).add((*place, net))

    def meets(self, lines: Iterable[Segment], net: int) -> bool:
        """Whether a wire would run along one of another value."""
        return any(
            abs(at - there) < NEAR and other != net and min(high, end) - max(low, begin) > LONG
            for level, (at, low, high) in self._flat(lines)
            for piece in _pieces(low, high)
            for band in (at // NEAR - 1, at // NEAR, at // NEAR + 1)
            for there, begin, end, other in self._near.get((level, band, piece), ())
        )

    @staticmethod
    def _flat(lines: Iterable[Segment]) -> Iterator[tuple[bool, tuple[float, float, float]]]:
        for (x0, y0), (x1, y1) in lines:
            if abs(y0 - y1) < 0.1 and abs(x1 - x0) > 0.1:
                yield True, (y0, min(x0, x1), max(x0, x1))
            elif abs(x0 - x1) < 0.1 and abs(y1 - y0) > 0.1:
                yield False, (x0, min(y0, y1), max(y0, y1))


# ---- another way ----------------------------------------------------------------------------------------


class Roads:
    """The lines beside boxes and wires on which one wire may go, and the shortest way along them."""

    def __init__(
        self, scene: Scene, walls: Sequence[Wall], laid: Laid, wire: Wire, net: int
    ) -> None:
        self.wire, self.net = wire, net
        start, end = wire.route[0], wire.route[-1]
        out = _outward(scene.boxes.get(wire.tail), start, wire.route[1])
        back = _outward(scene.boxes.get(wire.head), end, wire.route[-2])
        self.ends = start, end
        self.begin = start[0] + out[0] * STUB, start[1] + out[1] * STUB
        self.goal = end[0] + back[0] * HEAD, end[1] + back[1] * HEAD
        self.heading = (out[0] == 0, back[0] == 0)
        solid = [wall.sides for wall in walls]
        dots = [b.sides for b in scene.boxes.values() if b.kind == "dot"]
        words = [b.sides for b in scene.boxes.values() if b.kind == "text"]
        left, bottom, right, top = scene.bounds()
        reach = (left - 3 * LANE, right + 3 * LANE), (bottom - 3 * LANE, top + 3 * LANE)
        self.xs = self._lines(0, solid, laid.up, reach[0])
        self.ys = self._lines(1, solid, laid.across, reach[1])
        shape = len(self.xs), len(self.ys)
        self.right, self.over = np.zeros(shape), np.zeros(shape)  # the price of the next stretch
        for sides in solid:
            self._price(sides, 2.0, np.inf)
        for sides in dots:
            if not any(_inside(end, sides) for end in self.ends):
                self._price(sides, 1.0, np.inf)
        for sides in words:
            self._price(sides, -2.0, WORDS)
        for at, low, high, other in laid.across:
            if other != net:
                self._price((low, at, high, at), NEAR + 0.5, np.inf, cross=False)
        for at, low, high, other in laid.up:
            if other != net:
                self._price((at, low, at, high), NEAR + 0.5, np.inf, cross=False)

    def _lines(
        self,
        axis: int,
        solid: Sequence[Rectangle],
        laid: Sequence[tuple[float, float, float, int]],
        reach: tuple[float, float],
    ) -> list[float]:
        found = {self.begin[axis], self.goal[axis], *reach}
        for sides in solid:
            for k in (1, 2, 3):
                found |= {sides[axis] - AIR * k, sides[axis + 2] + AIR * k}
        for at, *_ in laid:
            found |= {at - LANE, at + LANE}
        fixed = [self.begin[axis], self.goal[axis]]
        lines: list[float] = []
        for at in sorted(found):
            if at in fixed or not lines or at - lines[-1] > 1.0:
                lines.append(at)
        return lines

    def _price(self, sides: Rectangle, air: float, price: float, cross: bool = True) -> None:
        """Make what runs within some sides dearer; of a wire only what runs along it, a crossing a little."""
        left, bottom, right, top = sides[0] - air, sides[1] - air, sides[2] + air, sides[3] + air
        i0, i1 = bisect_left(self.xs, left), bisect_left(self.xs, right)
        j0, j1 = bisect_left(self.ys, bottom), bisect_left(self.ys, top)
        i, j = max(i0 - 1, 0), max(j0 - 1, 0)
        flat, upright = sides[1] == sides[3] and not cross, sides[0] == sides[2] and not cross
        self.right[i:i1, j0:j1] += CROSSING if upright else price
        self.over[i0:i1, j:j1] += CROSSING if flat else price

    def way(self) -> list[Point] | None:
        """The cheapest way as a route, None where there is none.

        A* (Hart, Nilsson & Raphael 1968) over crossings (i, j), each once for what goes along and once for
        what goes up: a place is one number, ``2 (i count + j) + upright``.
        """
        xs, ys, count = self.xs, self.ys, len(self.ys)
        right = (
            self.right[:-1] + np.diff(xs)[:, None]
        ).tolist()  # lists: one number at a time is asked for
        over = (self.over[:, :-1] + np.diff(ys)).tolist()
        rest_x, rest_y = (
            [abs(a - at) for a in line] for line, at in zip((xs, ys), self.goal, strict=True)
        )
        start = 2 * (xs.index(self.begin[0]) * count + ys.index(self.begin[1])) + self.heading[0]
        goal = 2 * (xs.index(self.goal[0]) * count + ys.index(self.goal[1])) + self.heading[1]
        best = [np.inf] * (2 * len(xs) * count)
        best[start] = 0.0
        came: dict[int, int] = {}
        heap = [(0.0, start)]
        while heap:
            cost, here = heapq.heappop(heap)
            if here == goal:
                return self._route(came, here)
            at, upright = divmod(here, 2)
            i, j = divmod(at, count)
            so_far = best[here]
            if cost > so_far + (rest_x[i] + rest_y[j]) + 1e-9:
                continue
            ways = [(here ^ 1, BEND, i, j)]
            if upright:
                if j:
                    ways.append((here - 2, over[i][j - 1], i, j - 1))
                if j + 1 < count:
                    ways.append((here + 2, over[i][j], i, j + 1))
            else:
                if i:
                    ways.append((here - 2 * count, right[i - 1][j], i - 1, j))
                if i + 1 < len(xs):
                    ways.append((here + 2 * count, right[i][j], i + 1, j))
            for place, price, a, b in ways:
                new = so_far + price
                if new < best[place]:
                    best[place], came[place] = new, here
                    heapq.heappush(heap, (new + (rest_x[a] + rest_y[b]), place))
        return None

    def _route(
        self,
        came: dict[int, int],
        last: int,
    ) -> list[Point]:
        places = [last]
        while places[-1] in came:
            places.append(came[places[-1]])
        crossings = [divmod(place // 2, len(self.ys)) for place in reversed(places)]
        points = [self.ends[0]]
        points += [(self.xs[i], self.ys[j]) for i, j in crossings]
        points.append(self.ends[1])
        route = points[:1]
        for point, after in pairwise(points[1:]):
            a = route[-1]
            straight = (a[0] == point[0] == after[0]) or (a[1] == point[1] == after[1])
            if point != a and not straight:
                route.append(point)
        return [*route, points[-1]]


def _pieces(low: float, high: float) -> Iterator[float]:
    return map(float, range(int(low // PIECE), int(high // PIECE) + 1))


def _inside(point: Point, sides: Rectangle) -> bool:
    return sides[0] <= point[0] <= sides[2] and sides[1] <= point[1] <= sides[3]


def _outward(box: Box | None, at: Point, toward: Point) -> Point:
    """The direction in which a wire leaves what it begins at: away from the side it stands on."""
    if box is not None and box.kind not in ("dot", "port", "text"):
        left, bottom, right, top = box.sides
        gaps = {
            (-1, 0): abs(at[0] - left),
            (1, 0): abs(at[0] - right),
            (0, -1): abs(at[1] - bottom),
            (0, 1): abs(at[1] - top),
        }
        side, gap = min(gaps.items(), key=lambda item: item[1])
        if gap < 1.0:
            return side
    dx, dy = toward[0] - at[0], toward[1] - at[1]
    if abs(dx) > abs(dy):
        return (1.0 if dx > 0 else -1.0), 0.0
    return 0.0, (1.0 if dy > 0 else -1.0)
