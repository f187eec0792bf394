"""How do wires go where boxes stand in rows and columns? In channels, each value on its own line.

A net is one value (or one set of weights) and all that take it. It leaves its box at the top, goes along
the channel above the row, up or down in a gap between columns, and from below into what takes it. Nets
share neither a track of a channel, nor one of a gap, nor a place at a box's side: lines of different
values cross, and never run on one another or through a box.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..scene.scene import Point

# Between two lines into a box, two lines of a channel, and at its sides.
SLOT, TRACK, AIR = 12.0, 9.0, 9.0
PANEL_GAP = 8.0  # between two that stand left of all columns
LEFT = -1  # the column of what stands left of all columns


@dataclass(eq=False)
class Standing:
    """A box on the grid: the columns that it spans, and its row."""

    columns: list[int]
    level: int
    width: float
    height: float
    narrow: bool = False  # moves to where its line is
    left: float = 0.0
    right: float = 0.0
    y: float = 0.0

    @property
    def span(self) -> range:
        """Every column that it covers: those between its own too."""
        return range(min(self.columns), max(self.columns) + 1)

    @property
    def x(self) -> float:
        """Its middle."""
        return (self.left + self.right) / 2


@dataclass(eq=False)
class Net:
    """One value: where it comes from, what takes it, and whether it is a set of weights."""

    source: Standing
    targets: list[Standing] = field(default_factory=list)
    weights: bool = False
    of: Any = None


@dataclass(frozen=True)
class _Way:
    """How one target is reached: columns, and the gap between them, where one is needed."""

    start: int
    end: int
    gap: int | None
    straight: bool


class Channels:
    """Places for all spots and routes for all nets.

    ``pills`` is the room that each gap (0: left of the first column) keeps free beside its lines. ``base``
    is how far the rows begin above 0. In ``lanes`` of two columns, values keep to the left one.
    ``under`` is the room for words right under the boxes of a row.
    """

    def __init__(
        self,
        spots: Sequence[Standing],
        nets: Sequence[Net],
        pills: Sequence[float],
        margin: float,
        lanes: bool = False,
        under: Mapping[int, float] | None = None,
    ) -> None:
        self.spots, self.nets, self.lanes, self.under = spots, nets, lanes, under or {}
        self.count = len(pills) - 1
        self.levels = max(spot.level for spot in spots) + 1
        self._taken: dict[tuple[int, int], Standing] = {
            (c, spot.level): spot for spot in spots for c in spot.span
        }
        self._wide = {(g, spot.level) for spot in spots for g in spot.span[1:]}
        self._ways = {(net, t): self._way(net, t) for net in nets for t in net.targets}
        self._slot = self._slots()
        self._gap_track, gap_count = self._gap_tracks()
        self._place_columns(pills, margin, gap_count)
        self._track, track_count = self._tracks()
        self._place_rows(track_count)

    # ---- which way

    def _way(self, net: Net, target: Standing) -> _Way:
        a, b = net.source.columns, target.columns
        if net.source.columns == [LEFT]:
            return _Way(LEFT, self._nearest(b, 0), 0, False)
        both = [c for c in a if c in b]
        start = both[(len(both) - self.lanes) // 2] if both else self._nearest(a, b[0])
        end = start if both else self._nearest(b, start)
        low, high = net.source.level, target.level
        between = range(low + 1, high)
        if both and high > low:
            free = [c for c in both if all((c, k) not in self._taken for k in between)]
            if free:
                chosen = min(free, key=lambda c: abs(c - start))
                return _Way(chosen, chosen, None, True)
        if high == low + 1:
            return _Way(start, end, None, False)
        rows = range(min(low + 1, high), max(low + 1, high))
        wanted = end if start < end else end + 1
        gaps = sorted(range(self.count + 1), key=lambda g: (abs(g - wanted), g))
        free_gap = next(g for g in gaps if all((g, k) not in self._wide for k in rows))
        return _Way(start, end, free_gap, False)

    @staticmethod
    def _nearest(columns: Sequence[int], to: int) -> int:
        return min(columns, key=lambda c: (abs(c - to), c))

    # ---- places at boxes, and tracks

    def _slots(self) -> dict[tuple[Net, int, int], int]:
        """By net, column and channel: the place at which its line goes up or down there."""
        runs: dict[tuple[Net, int], list[tuple[int, int]]] = defaultdict(list)
        for (net, target), way in self._ways.items():
            above, under = net.source.level + 1, target.level
            if way.straight:
                runs[net, way.start].append((above, under))
                continue
            if way.start != LEFT:
                runs[net, way.start].append((above, above))
            runs[net, way.end].append((under, under))
        taken: dict[int, list[tuple[int, int, int, Net]]] = defaultdict(list)
        found: dict[tuple[Net, int, int], int] = {}
        order = sorted(
            runs.items(), key=lambda run: (not run[0][0].weights, run[0][0].source.narrow)
        )
        for (net, column), pieces in order:
            for low, high in _joined(pieces):
                aside = net.weights and not self.lanes
                places = _from_right() if aside else _from_middle()
                slot = next(
                    k
                    for k in places
                    if not any(
                        s == k and lo <= high and hi >= low for lo, hi, s, _ in taken[column]
                    )
                )
                taken[column].append((low, high, slot, net))
                for channel in range(low, high + 1):
                    found[net, column, channel] = slot
        self._slots_in = {c: [s for *_, s, _ in here] for c, here in taken.items()}
        return found

    def _gap_tracks(self) -> tuple[dict[tuple[Net, int], int], list[int]]:
        """By net and gap: which track of the gap it goes up or down; and how many each gap has."""
        ranges: dict[tuple[Net, int], tuple[int, int]] = {}
        for (net, target), way in self._ways.items():
            if way.gap is None:
                continue
            ends = (net.source.level + (way.start != LEFT), target.level)
            # From the left a line begins within its row, between two channels.
            low, high = min(ends), max(*ends, net.source.level + 1 if way.start == LEFT else 0)
            before = ranges.get((net, way.gap), (low, high))
            ranges[net, way.gap] = (min(low, before[0]), max(high, before[1]))
        return _on_tracks(ranges.items(), self.count + 1)

    def _place_columns(self, pills: Sequence[float], margin: float, tracks: list[int]) -> None:
        lefts, widths, x = [], [], margin
        self._widen()
        aside = {  # how far from the middle what stands where its line goes up is
            id(net.source): SLOT
            * abs(self._slot[net, self._ways[net, net.targets[0]].start, net.source.level + 1])
            for net in self.nets
            if net.source.narrow
        }
        self._gap_left: list[float] = []
        self._gap_right: list[float] = []

        def gap(c: int) -> float:
            self._gap_left.append(x + AIR)
            wide = max(2 * AIR + TRACK * max(tracks[c] - 1, 0) + pills[c], 20.0)
            self._gap_right.append(x + wide)
            return wide

        for c in range(self.count):
            x += gap(c)
            here = [s.width + 2 * aside.get(id(s), 0) for s in self.spots if s.columns == [c]]
            reach = max(map(abs, self._slots_in.get(c, [0])), default=0)
            widths.append(max([44.0, SLOT * 2 * (reach + 1), *here]))
            lefts.append(x)
            x += widths[-1]
        gap(self.count)
        self.middles = [a + w / 2 for a, w in zip(lefts, widths, strict=True)]
        self.left, self.right = lefts[0], x
        for spot in self.spots:
            if spot.columns == [LEFT]:
                spot.left, spot.right = margin - spot.width, margin
            elif len(spot.columns) == 1:
                middle = self.middles[spot.columns[0]]
                spot.left, spot.right = middle - spot.width / 2, middle + spot.width / 2
            else:
                spot.left = lefts[min(spot.columns)]
                spot.right = lefts[max(spot.columns)] + widths[max(spot.columns)]
        for net in self.nets:  # a pill stands where its line goes up
            if net.source.narrow:
                way = self._ways[net, net.targets[0]]
                middle = self._x(net, way.start, net.source.level + 1)
                half = net.source.width / 2
                net.source.left, net.source.right = middle - half, middle + half

    def _widen(self) -> None:
        """Boxes as wide as the lines into them and out of them ask."""
        for (net, target), way in self._ways.items():
            ends = [(target, way.end, target.level)]
            if way.start != LEFT:
                ends.append((net.source, way.start, net.source.level + 1))
            for spot, column, channel in ends:
                if len(spot.columns) == 1 and not spot.narrow:
                    reach = SLOT * abs(self._slot[net, column, channel])
                    spot.width = max(spot.width, 2 * (reach + 9))

    def _x(self, net: Net, column: int, channel: int) -> float:
        return self.middles[column] + SLOT * self._slot[net, column, channel]

    def gap_x(self, net: Net, gap: int) -> float:
        """Where a net goes up or down in a gap."""
        return self._gap_left[gap] + TRACK * self._gap_track[net, gap]

    def pill_x(self, gap: int, room: float) -> float:
        """The middle of what stands in a gap beside its lines."""
        return self._gap_right[gap] - AIR - room / 2 + 4

    def _tracks(self) -> tuple[dict[tuple[Net, int], int], list[int]]:
        """By net and channel: its track, counted from below; and how many each channel has."""
        extents: dict[tuple[Net, int], list[float]] = defaultdict(list)
        for (net, target), way in self._ways.items():
            above, under = net.source.level + 1, target.level
            if way.straight:
                extents[net, above].append(self._x(net, way.start, above))
                continue
            if way.start != LEFT:
                extents[net, above].append(self._x(net, way.start, above))
            extents[net, under].append(self._x(net, way.end, under))
            if way.gap is not None:
                x = self.gap_x(net, way.gap)
                extents[net, under].append(x)
                if way.start != LEFT:
                    extents[net, above].append(x)
        order = sorted(extents.items(), key=lambda each: not each[0][0].weights)
        wide = [(key, (min(xs) - 8, max(xs) + 8)) for key, xs in order if min(xs) < max(xs)]
        return _on_tracks(wide, self.levels + 2)

    def _place_rows(self, tracks: list[int]) -> None:
        y, self._channel_low = 0.0, []
        for level in range(self.levels):
            self._channel_low.append(y)
            here = [s for s in self.spots if s.level == level]
            lines = TRACK * max(tracks[level] - 1, 0)
            y += lines + (2 * AIR + 6 if tracks[level] else AIR + 7) + self.under.get(level, 0.0)
            aside = [s for s in here if s.columns == [LEFT]]
            high = sum(s.height + PANEL_GAP for s in aside) - PANEL_GAP
            tall = max([high, *(s.height for s in here)])
            for spot in here:
                spot.y = y + tall / 2
            top = y + (tall + high) / 2
            for spot in aside:  # one below the other
                spot.y = top - spot.height / 2
                top -= spot.height + PANEL_GAP
            y += tall
        self._channel_low.append(y)

    def _y(self, net: Net, channel: int) -> float:
        return self._channel_low[channel] + AIR + TRACK * self._track.get((net, channel), 0)

    # ---- routes

    def route(self, net: Net, target: Standing) -> list[Point]:
        """The corners of the line from a net's source to one of its targets."""
        way = self._ways[net, target]
        above, under = net.source.level + 1, target.level
        end = (self._x(net, way.end, under), target.y - target.height / 2)
        if way.start == LEFT:
            x, y = self.gap_x(net, 0), self._y(net, under)
            return [(net.source.right, net.source.y), (x, net.source.y), (x, y), (end[0], y), end]
        start = (self._x(net, way.start, above), net.source.y + net.source.height / 2)
        if start[0] == end[0] and way.gap is None:
            return [start, end]
        first = self._y(net, above)
        if way.gap is None:
            return [start, (start[0], first), (end[0], first), end]
        x, last = self.gap_x(net, way.gap), self._y(net, under)
        corners = [start, (start[0], first), (x, first), (x, last), (end[0], last), end]
        return [p for k, p in enumerate(corners) if k == 0 or p != corners[k - 1]]


def _joined(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of channels, those that touch as one."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(pieces):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def _on_tracks(
    wanted: Iterable[tuple[tuple[Net, int], tuple[float, float]]], count: int
) -> tuple[dict[tuple[Net, int], int], list[int]]:
    """By net and channel (or gap) its track, the first that is free from low to high; how many each has."""
    taken: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    found: dict[tuple[Net, int], int] = {}
    counts = [0] * count
    for (net, place), (low, high) in wanted:
        found[net, place] = track = _free((low, high), taken[place])
        taken[place].append((low, high, track))
        counts[place] = max(counts[place], track + 1)
    return found, counts


def _free(wanted: tuple[float, float], taken: Sequence[tuple[float, float, int]]) -> int:
    """The first track on which nobody is where this one wants to be."""
    track = 0
    while any(t == track and lo <= wanted[1] and hi >= wanted[0] for lo, hi, t in taken):
        track += 1
    return track


def _from_middle() -> Iterable[int]:
    k = 0
    while True:
        yield -k
        if k:
            yield k
        k += 1


def _from_right() -> Iterable[int]:
    yield from (2, 3, 1, 4)
    yield from (k for k in _from_middle() if k not in (1, 2, 3, 4))
