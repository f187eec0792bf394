"""How is a wide picture folded? Cut between its steps, as text is broken into lines, every wire led on.

A strip is what stands between two cuts. A wire that crosses a cut goes round the end of its strip, between
the two, and in at the left of the next; wires of different values have tracks of their own there. The line of
a Parameter needs none: it leaves its box at the left, too, and goes down to every strip that has uses of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

from ...graphs.meaning import CellAt, ParameterBox, Uses
from ..scene import style
from ..scene.scene import Frame, Point, Rectangle, Scene, Wire, drawn_line
from .router import nets_of

TRACK, TRUNK, EDGE, BETWEEN = 9.0, 9.0, 7.0, 12.0  # between wires that turn; how far out they do
CLEAR, PULLED = 3.0, 14.0  # free on both sides of a cut; between two buses of a later strip
INDENT = 170.0  # what stands further left of the first step has no room left under it
STRIP, THROUGH, CROSS = 1e4, 1e6, 10.0  # what a strip costs, a cut through a step, a wire cut
TURN = 6.0


class Cut(NamedTuple):
    """A place where a picture can be cut: what crosses it, by value and height."""

    x: float
    crossed: tuple[tuple[int, float], ...]  # from the top down
    through: bool  # a step

    def track(self, net: int, y: float) -> int:
        """Which of the wires that go round this is, from the top."""
        return self.crossed.index((net, round(y, 1)))


@dataclass
class Strip:
    """What stands between two cuts, and how far it moves."""

    left: float
    right: float
    dx: float = 0.0
    dy: float = 0.0
    pulls: list[tuple[float, float]] = field(default_factory=list)  # heights that come nearer

    def holds(self, x: float) -> bool:
        """Whether something at x stands in it."""
        return self.left <= x < self.right

    def at(self, x: float, y: float) -> Point:
        """Where a point goes."""
        return x + self.dx, self.pulled(y) + self.dy

    def pulled(self, y: float) -> float:
        """A height, the lines of Parameters beyond the first pulled together."""
        up = 0.0
        for low, high in self.pulls:
            part = min(max((high - y) / (high - low), 0.0), 1.0)
            up += part * max(high - low - PULLED, 0.0)
        return y + up


def fold(scene: Scene, limit: float) -> None:
    """Fold a picture of steps that is wider than ``limit``; one that cannot be folded stays as it is."""
    left, _, right, _ = scene.bounds()
    if right - left <= limit:
        return
    folding = Folding(scene)
    cuts = folding.choose(limit)
    if cuts:
        folding.apply(cuts)


class Folding:
    """One picture, and how it is cut."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.nets = scene, nets_of(scene)
        self.sides = scene.bounds()
        self.steps = sorted({f.box[0] for f in scene.frames if isinstance(f.of, CellAt)})
        self.buses = {
            k: wire.tail[0]
            for k, wire in enumerate(scene.wires)
            if isinstance(wire.tail[0], ParameterBox) and self._is_bus(wire)
        }

    def _is_bus(self, wire: Wire) -> bool:
        """Whether a wire is a Parameter's line that can leave its box at the left, too."""
        if wire.kind != "bus" or len(wire.route) != 2 or wire.route[0][1] != wire.route[1][1]:
            return False
        box = self.scene.boxes[wire.tail]
        bottom, top = box.y - 1, box.y + 1
        return not any(
            other.kind not in ("text", "port", "dot")
            and other.sides[2] < box.sides[0]
            and other.sides[1] < top
            and other.sides[3] > bottom
            for other in self.scene.boxes.values()
        )

    # ---- where

    def places(self) -> list[Cut]:
        """Where the picture can be cut, between steps and through them: from the left."""
        boxes = [box.sides for box in self.scene.boxes.values() if box.kind != "port"]
        solid = [(sides[0], sides[2]) for sides in boxes]
        solid += [span for wire in self.scene.wires for span in _uneven(wire)]
        frames = [(f.box[0], f.box[2]) for f in self.scene.frames if isinstance(f.of, CellAt)]
        solid += [(side, side) for frame in frames for side in frame]
        found = []
        for x in _free(solid, self.steps[0]):
            through = any(a - CLEAR < x < b + 1 for a, b in frames)
            crossed = {
                (self.nets[k], round(y, 1))
                for k, wire in enumerate(self.scene.wires)
                if k not in self.buses
                for y in _heights(wire, x)
            }
            order = sorted(crossed, key=lambda each: -each[1])
            found.append(Cut(x, tuple(order), through))
        return found

    def choose(self, limit: float) -> list[Cut]:
        """The cheapest cuts that make every strip narrow enough; none where there are no such."""
        left, _, right, _ = self.sides
        places = self.places()
        ends = [*places, Cut(right + 1, (), False)]
        best: dict[int, tuple[float, list[Cut]]] = {}
        room = limit - TRUNK * len(self.buses)
        starts = [self.aligned(cut.x) - self.indent() for cut in places]
        for k, end in enumerate(ends):
            options = [(self._price(left, end, left, room), [end])]
            for j in range(k - 1, -1, -1):
                if end.x - starts[j] > room:
                    break
                if j in best:
                    price = self._price(ends[j].x, end, starts[j], room)
                    options.append((best[j][0] + price, [*best[j][1], end]))
            cost, cuts = min(options, key=lambda option: option[0])
            if cost < float("inf"):
                best[k] = cost, cuts
        return best[len(ends) - 1][1][:-1] if len(ends) - 1 in best else []

    def _price(self, begin: float, end: Cut, start: float, room: float) -> float:
        """What a strip costs from its begin to an end, if it stands from ``start`` on."""
        width = end.x - start + (EDGE + TRACK * len(end.crossed) if end.crossed else 0.0)
        if width > room or end.x - begin < 2 * CLEAR:
            return float("inf")
        rest = ((room - width) / room) ** 2  # alike in length, where there is a choice
        return STRIP + THROUGH * end.through + CROSS * len(end.crossed) + 100 * rest + begin / 1e4

    def indent(self) -> float:
        """How far from the left the first step of every strip stands."""
        return min(self.steps[0] - self.sides[0], INDENT)

    def aligned(self, x: float) -> float:
        """The left side of the first step after a cut; the cut itself inside of one, or after all."""
        return next((s for s in self.steps if x <= s <= x + INDENT), x)

    # ---- how

    def apply(self, cuts: Sequence[Cut]) -> None:
        """Move everything into its strip, and lead every wire from one to the next."""
        edges = [-1e9, *(cut.x for cut in cuts), 1e9]
        self.cuts = list(cuts)
        self.strips = [Strip(a, b) for a, b in pairwise(edges)]
        for strip in self.strips[1:]:
            home = self.steps[0] if self.indent() < INDENT else self.sides[0] + INDENT
            strip.dx = home - self.aligned(strip.left)
            strip.pulls = self._pulls(strip)
        self._set_heights()
        starts = [
            strip.left + strip.dx - EDGE - TRACK * len(cut.crossed)
            for strip, cut in zip(self.strips[1:], cuts, strict=True)
        ]
        self.trunks = min([self.sides[0], *starts]) - TRUNK
        wires = list(self.scene.wires)
        self._move_boxes()
        self.scene.wires = []
        for k, wire in enumerate(wires):
            if k not in self.buses:
                self.scene.wires.append(self._led(wire, self.nets[k]))
        self._draw_buses([wires[k] for k in self.buses], wires)

    def _pulls(self, strip: Strip) -> list[tuple[float, float]]:
        """Between which heights nothing but lines of Parameters stands in a later strip."""
        levels = sorted({self.scene.wires[k].route[0][1] for k in self.buses})
        taken = [
            box.sides
            for box in self.scene.boxes.values()
            if strip.holds(box.x) and box.kind != "port" and box.kind != "dot"
        ]
        taken += [f.box for f in self.scene.frames if strip.holds(f.box[0])]
        lines = [
            p[1]
            for k, wire in enumerate(self.scene.wires)
            if k not in self.buses
            for p, q in pairwise(wire.route)
            if p[1] == q[1] and max(p[0], q[0]) > strip.left and min(p[0], q[0]) < strip.right
        ]
        return [
            (low, high)
            for low, high in pairwise(levels)
            if not any(sides[1] < high and sides[3] > low for sides in taken)
            and not any(low < y < high for y in lines)
        ]

    def _set_heights(self) -> None:
        """One strip below the other, with the wires that go from one to the next between them."""
        floor = self._extent(self.strips[0])[0]
        self.between: list[float] = []
        for strip, cut in zip(self.strips[1:], self.cuts, strict=True):
            low, high = self._extent(strip)
            self.between.append(floor - BETWEEN)
            top = floor - 2 * BETWEEN - TRACK * max(len(cut.crossed) - 1, 0)
            strip.dy = top - high
            floor = low + strip.dy

    def _extent(self, strip: Strip) -> tuple[float, float]:
        """The lowest and the highest of a strip, before it moves."""
        ys = [
            y
            for box in self.scene.boxes.values()
            if strip.holds(box.x)
            for y in (box.sides[1], box.sides[3])
        ]
        ys += [y for f in self.scene.frames if _meets(f.box, strip) for y in f.box[1::2]]
        for wire in self.scene.wires:
            points = wire.points
            ys += [p[1] for p in points if strip.holds(p[0])]
            for p, q in pairwise(wire.route):
                if p[1] == q[1] and min(p[0], q[0]) < strip.right and max(p[0], q[0]) > strip.left:
                    ys.append(p[1])
        return strip.pulled(min(ys)), strip.pulled(max(ys))

    def _strip(self, x: float) -> Strip:
        return next(strip for strip in self.strips if strip.holds(x))

    def _move_boxes(self) -> None:
        scene, frames = self.scene, []
        for key, box in scene.boxes.items():
            x, y = self._strip(box.x).at(box.x, box.y)
            scene.boxes[key] = replace(box, x=x, y=y)
        for frame in scene.frames:
            for k, strip in enumerate(s for s in self.strips if _meets(frame.box, s)):
                left, bottom = strip.at(max(frame.box[0], strip.left), frame.box[1])
                right, top = strip.at(min(frame.box[2], strip.right), frame.box[3])
                part = f"{frame.part}part{k + 1}" if k else frame.part
                frames.append(Frame(frame.of, part, (left, bottom, right, top), frame.attrs))
                if k and isinstance(frame.of, CellAt):
                    words, at = f"t = {frame.of.column.first}, continued", (left + 13, top - 12)
                    scene.text(
                        frame.of, f"{part}.heading", words, *at, style.TITLE, style.PLAIN, left=True
                    )
        scene.frames = frames

    # ---- wires

    def _led(self, wire: Wire, net: int) -> Wire:
        """A wire that goes on from strip to strip."""
        pieces = self._pieces(wire.route, net)
        if len(pieces) == 1:
            strip = self._strip(wire.route[0][0])
            move = strip.at
            tip = None if wire.tip is None else move(*wire.tip)
            points = tuple(move(*p) for p in wire.points)
            route = tuple(move(*p) for p in wire.route)
            return replace(wire, points=points, tip=tip, route=route)
        radius, swing = wire.bend
        route = tuple(p for piece in pieces for p in piece)
        arrow = wire.attrs["arrowsize"] if wire.tip else 0.0
        pen = wire.attrs["penwidth"]
        if not swing:
            return replace(wire.along(_distinct(route), TURN), route=route, bend=(radius, ""))
        points, tip = (), None
        for k, piece in enumerate(pieces):
            last = k == len(pieces) - 1
            line = _distinct(piece)
            if len(line) == 1:
                continue
            some, tip = drawn_line(line, arrow if last else 0.0, pen, TURN, "" if k % 2 else swing)
            points = (*points, *some[bool(points) :])
        return replace(wire, points=points, tip=tip, route=route)

    def _pieces(self, route: Sequence[Point], net: int) -> list[list[Point]]:
        """A route in its places: what is in a strip, and in turn what leads from one to the next."""
        here = self._strip(route[0][0])
        pieces = [[here.at(*route[0])]]
        for (x0, y0), (x1, y1) in pairwise(route):
            way = 1 if x1 > x0 else -1
            for n in range(len(self.cuts))[::way]:
                cut = self.cuts[n]
                if not min(x0, x1) < cut.x < max(x0, x1):
                    continue
                around = self._around(n, net, y0)[::way]
                pieces[-1].append(around[0])
                pieces += [around, [around[-1]]]
                here = self.strips[n + (way > 0)]
            pieces[-1].append(here.at(x1, y1))
        return pieces

    def _around(self, n: int, net: int, y: float) -> list[Point]:
        """From the end of a strip to the begin of the next."""
        cut, before, after = self.cuts[n], self.strips[n], self.strips[n + 1]
        k, count = cut.track(net, y), len(cut.crossed)
        start, end = before.at(cut.x, y), after.at(cut.x, y)
        right = start[0] + EDGE + TRACK * (count - 1 - k)
        left = end[0] - EDGE - TRACK * k
        level = self.between[n] - TRACK * (count - 1 - k)
        corners = [(right, start[1]), (right, level), (left, level), (left, end[1])]
        return [start, *corners, end]

    # ---- Parameters

    def _draw_buses(self, buses: Sequence[Wire], wires: Sequence[Wire]) -> None:
        """The line of each Parameter in every strip that has uses of it."""
        order = sorted(buses, key=lambda wire: -wire.route[0][1])
        for k, bus in enumerate(order):
            self._draw_bus(bus, self.trunks - TRUNK * k, wires)

    def _draw_bus(self, bus: Wire, trunk: float, wires: Sequence[Wire]) -> None:
        scene, (start, end) = self.scene, bus.route
        of, y = bus.tail[0], start[1]
        taps = [
            wire.route[0][0]
            for wire in wires
            if wire.kind == "use" and isinstance(wire.of, Uses) and of in wire.of.parameters
            and wire.route[0][1] == y
        ]  # fmt: skip
        taps.append(end[0])
        ends = {n: max(x for x in taps if s.holds(x))
                for n, s in enumerate(self.strips) if any(map(s.holds, taps))}  # fmt: skip
        last = max(ends)
        for n, x in ends.items():
            to = self.strips[n].at(x, y)
            head = bus.head if n == last else scene.port((of, f"end{n}"), *to)
            begin = start
            if n == 0:
                route = [begin, to]
            else:
                side = scene.boxes[bus.tail].sides[0]
                route = [(side, y), (trunk, y), (trunk, to[1]), to]
                if n != last:
                    scene.dot((of, f"turn{n}"), trunk, to[1], style.ORANGE)
            scene.wires.append(replace(bus.along(route, TURN), head=head))


def _meets(box: Rectangle, strip: Strip) -> bool:
    return box[0] < strip.right and box[2] > strip.left


def _distinct(route: Iterable[Point]) -> list[Point]:
    """A route without points that stand on the one before."""
    found: list[Point] = []
    for point in route:
        if not found or max(abs(point[0] - found[-1][0]), abs(point[1] - found[-1][1])) > 0.01:
            found.append(point)
    return found


def _uneven(wire: Wire) -> Iterator[tuple[float, float]]:
    """Over which x a wire is not level."""
    for (x0, y0), (x1, y1) in pairwise(wire.route):
        if y0 != y1:
            yield min(x0, x1), max(x0, x1)


def _heights(wire: Wire, x: float) -> Iterator[float]:
    """The heights at which a wire crosses an x."""
    for (x0, y0), (x1, _) in pairwise(wire.route):
        if min(x0, x1) < x < max(x0, x1):
            yield y0


def _free(solid: Iterable[tuple[float, float]], begin: float) -> list[float]:
    """The x where nothing stands, one beside each thing that does, right of it."""
    found, reach = [], begin
    for left, right in sorted(solid):
        if left - CLEAR > reach + CLEAR and reach > begin:
            found.append(reach + CLEAR)
        reach = max(reach, right)
    return [*found, reach + CLEAR] if reach > begin else found
