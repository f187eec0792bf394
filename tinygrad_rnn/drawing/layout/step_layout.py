"""Where do the ops of any cell's step stand? Columns of ops, rows of straight tracks, as a Template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import dist

from ...graphs.steps import Step, StepOp
from ..scene import style
from ..scene.notes import LINE
from ..scene.scene import Point
from ..scene.style import Look
from ..scene.text import SYMBOLS, op_words, short_literal, text_width
from .grid import state_looks
from .templates import Spot, Template, tap_offsets

HEIGHT, TWO_LINES, AIR, LINE_AIR, GAP, HEADING, MARGIN = 24.0, 32.0, 15.0, 9.0, 20.0, 30.0, 12.0
PORT, SUB_GAP, SWEEPS = 7.0, 8.0, 4
HEADING_AT, HEADING_ROOM = 13.0, 44.0


@dataclass
class Ranks:
    """The step in columns: the rank of each role, and links between neighbouring columns only.

    What spans several columns runs through places ``(role, rank)`` in between, shared by all that take
    it; a state that leaves ends at ``>h``.
    """

    step: Step
    rank: dict[str, int] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)
    way: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The rank of the states that leave."""
        return max(self.rank.values())

    def link(self, a: str, b: str) -> None:
        """Join two places of neighbouring columns."""
        if b not in self.after.setdefault(a, []):
            self.after[a].append(b)
            self.before.setdefault(b, []).append(a)


@dataclass
class StepGrid:
    """Where everything stands: rows of tracks from the top, x and width of each op."""

    columns: Ranks
    ops: Mapping[str, StepOp]
    row: dict[str, int]
    y: dict[str, float]
    x: dict[str, float]
    sides: dict[int, tuple[float, float]]  # the left and right edge of each rank's column
    note: float = 0.0  # the width of a second line in every box


@lru_cache(maxsize=64)
def lay_out(
    step: Step, gates: tuple[tuple[str, str], ...], states: tuple[str, ...], note: float = 0.0
) -> Template:
    """The Template of a step that has none; the same for every step that was recorded alike.

    ``states`` are those of the whole picture, which gives each its colour; ``note`` is the width of the
    line that every box has room for beside its words.
    """
    words = dict(gates)
    columns = _in_ranks(step)
    tracks = _ordered(columns, _tracks_of(columns))
    ops = {op.role: op for op in step.ops}
    row = _rows(columns, tracks)
    more = LINE if note else 0.0
    grid = StepGrid(columns, ops, row, _heights(columns, row, ops, words, more), {}, {}, note)
    side = _sides(grid)
    _set_columns(grid, side, words)
    looks = state_looks(states)
    spots = tuple(_spot(grid, op, side, words, looks, step) for op in step.ops)
    top = max(grid.y[s.role] + s.height / 2 for s in spots)
    half = (HEIGHT + more) / 2
    top = max([top, *(grid.y[s] + half for s in step.sources), *grid.y.values()]) + HEADING
    bottom = min(grid.y[s.role] - s.height / 2 for s in spots)
    bottom = min([bottom - AIR, *(grid.y[s] - half - AIR for s in step.sources)])
    bottom = min(bottom, min(grid.y.values()) - LINE_AIR)
    right = grid.sides[columns.last][1]
    writer = dict(step.states)
    h = "h" if "h" in writer else step.order[-1] if step.order else ""
    routes, dots = _routes(grid, {s.role: s for s in spots})
    return Template(
        frame=(0, bottom, right, top),
        spots=spots,
        states=writer,
        input=(-23, grid.y[step.inputs[0]] if step.inputs else 0.0),
        heading=(_heading(spots), top - 12),
        above=34,
        below=43,
        leave=(right - 7, grid.y[f"{h}'"]) if h else (right - 7, 0.0),
        params=4,
        routes=routes,
        dots=dots,
        entries={state: grid.y[f"{state}'"] for state in step.order},
        output=step.output,
        inputs={role: grid.y[role] for role in step.inputs[1:]},
        curved=True,
    )


def _heading(spots: Sequence[Spot]) -> float:
    """Where "t = 1" begins: the first place from the left that no tap from above runs through."""
    above = [spot for spot in spots if spot.side == "above"]
    taps = sorted(s.x + d for s in above for d in tap_offsets(len(s.params)))
    start = HEADING_AT
    for tap in taps:
        if tap > start + HEADING_ROOM:
            break
        start = tap + 8
    return start


# ---- which column, and which track -------------------------------------------------------------


def _in_ranks(step: Step) -> Ranks:
    """Every op as far left as what it takes allows; what takes Parameters alone, as far right."""
    columns = Ranks(step)
    rank = columns.rank
    for source in step.sources:
        rank[source] = 0
    for op in step.ops:
        rank[op.role] = 1 + max((rank[t] for t in op.takes), default=0)
    for op in reversed(step.ops):
        users = [rank[other.role] for other in step.ops if op.role in other.takes]
        if not op.takes and users:
            rank[op.role] = max(1, min(users) - 1)
    last = max(rank.values()) + 1
    for state in step.order:
        rank[f">{state}"] = last
    edges = [(tail, op.role) for op in step.ops for tail in dict.fromkeys(op.takes)]
    edges += [(role, f">{state}") for state, role in step.states]
    if step.output:
        rank[">y"] = last
        edges.append((step.output, ">y"))
    for tail, head in edges:
        way = [tail, *(f"{tail}|{k}" for k in range(rank[tail] + 1, rank[head])), head]
        for k, place in enumerate(way[1:-1], rank[tail] + 1):
            rank[place] = k
        for a, b in pairwise(way):
            columns.link(a, b)
        columns.way[tail, head] = way
    return columns


def _tracks_of(columns: Ranks) -> list[list[str]]:
    """The places as tracks that run straight, one place a column: first the states' own ways."""
    taken: set[str] = set()
    tracks: list[list[str]] = []
    for state in columns.step.order:
        track = _spine(columns, state, taken)
        taken.update(track)
        tracks.append(track)
    for source in [*columns.step.inputs, *(s for s in columns.rank if s not in taken)]:
        track = []
        place: str | None = source
        while place is not None and place not in taken:
            taken.add(place)
            track.append(place)
            place = next((n for n in columns.after.get(place, ()) if n not in taken), None)
        if track:
            tracks.append(track)
    return tracks


def _spine(columns: Ranks, state: str, taken: set[str]) -> list[str]:
    """From where a state comes in to where it leaves, through as few ops as may be."""
    start, end = f"{state}'", f">{state}"
    best: dict[str, tuple[int, list[str]]] = {start: (0, [start])}
    for place in sorted(columns.rank, key=lambda place: columns.rank[place]):
        if place not in best:
            continue
        cost, way = best[place]
        for following in columns.after.get(place, ()):
            if following in taken:
                continue
            new = cost + ("|" not in following)
            if following not in best or new < best[following][0]:
                best[following] = (new, [*way, following])
    return best[end][1] if end in best else [start]


# ---- rows -------------------------------------------------------------------------------------


def _ordered(columns: Ranks, tracks: list[list[str]]) -> list[list[str]]:
    """The tracks from the top down, so that lines between them are short and rarely cross."""
    best = list(tracks)
    cost = _cost(columns, best)
    for _ in range(SWEEPS):
        before = cost
        for track in list(best):
            rest = [other for other in best if other is not track]
            for k in range(len(best)):
                tried = [*rest[:k], track, *rest[k:]]
                found = _cost(columns, tried)
                if found < cost:
                    best, cost = tried, found
        if cost == before:
            break
    return best


def _cost(columns: Ranks, tracks: Sequence[Sequence[str]]) -> float:
    """How far lines go up and down, how often they cross, and what stands against the order of rails."""
    row = _rows(columns, tracks)
    links = [(row[a], row[b], columns.rank[a]) for a, ends in columns.after.items() for b in ends]
    cost = float(sum(abs(a - b) for a, b, _ in links)) + 0.3 * max(row.values())
    gaps: dict[int, list[tuple[int, int]]] = {}
    for a, b, rank in links:
        gaps.setdefault(rank, []).append((a, b))
    for gap in gaps.values():
        for k, (a, b) in enumerate(gap):
            cost += 1.5 * sum((a - c) * (b - d) < 0 for c, d in gap[:k])
    cost += sum(2 * abs(row[f">{s}"] - row[f"{s}'"]) for s in columns.step.order)
    sources = [row[source] for source in columns.step.sources]
    return cost + 50 * sum(a >= b for k, b in enumerate(sources) for a in sources[:k])


def _rows(columns: Ranks, tracks: Sequence[Sequence[str]]) -> dict[str, int]:
    """The row of each place, from 0 at the top: as high as the tracks above it let it be."""
    height: dict[int, int] = {}
    row: dict[str, int] = {}
    for track in tracks:
        ranks = [columns.rank[place] for place in track]
        here = max(height.get(rank, 0) for rank in ranks)
        row.update(dict.fromkeys(track, here))
        height.update(dict.fromkeys(ranks, here + 1))
    return row


def _heights(
    columns: Ranks,
    row: Mapping[str, int],
    ops: Mapping[str, StepOp],
    words: Mapping[str, str],
    more: float,
) -> dict[str, float]:
    """The y of each place: rows of boxes stand further apart than rows of lines."""
    tall: dict[int, float] = {}
    for place, k in row.items():
        size = 0.0 if "|" in place else HEIGHT + more
        if place in ops:
            size = (TWO_LINES if ops[place].name in words else HEIGHT) + more
        tall[k] = max(tall.get(k, 0.0), size)
    y, middle = 0.0, {0: 0.0}
    for k in range(1, max(tall) + 1):
        boxes = tall[k - 1] and tall[k]
        y -= (tall[k - 1] + tall[k]) / 2 + (AIR if boxes else LINE_AIR)
        middle[k] = y
    return {place: middle[k] for place, k in row.items()}


# ---- columns ----------------------------------------------------------------------------------


def _sides(grid: StepGrid) -> dict[str, str]:
    """From which side each op's Parameters come: all ops that share one, from the same."""
    groups: list[tuple[set[int], list[str]]] = []
    for op in grid.ops.values():
        if not op.params:
            continue
        mine = [group for group in groups if group[0] & set(op.params)]
        params = set(op.params).union(*(group[0] for group in mine))
        roles = [role for group in mine for role in group[1]] + [op.role]
        groups = [group for group in groups if group not in mine] + [(params, roles)]
    levels = [grid.y[role] for role in grid.ops]
    middle = (max(levels) + min(levels)) / 2
    side: dict[str, str] = {}
    for _, roles in groups:
        mean = sum(grid.y[role] for role in roles) / len(roles)
        side.update(dict.fromkeys(roles, "above" if mean > middle else "below"))
    return side


def _set_columns(grid: StepGrid, side: Mapping[str, str], words: Mapping[str, str]) -> None:
    """Set x: in each column, ops stand apart where one would be in the way of another's taps."""
    columns = grid.columns
    x = 8.0 if len(columns.step.sources) else 0.0
    grid.sides[0] = (x, x)
    for rank in range(1, columns.last + 1):
        here = [role for role in grid.ops if columns.rank[role] == rank]
        steep = [
            abs(grid.y[a] - grid.y[b])
            for a, ends in columns.after.items()
            for b in ends
            if columns.rank[b] == rank
        ]
        x += GAP + min(0.12 * max(steep, default=0.0), 18.0) - (8 if rank == columns.last else 0)
        left = x
        for k, together in enumerate(_subcolumns(grid, here, side)):
            wide = max(op_width(grid.ops[role], words, grid.note) for role in together)
            x += SUB_GAP * (k > 0)
            grid.x.update(dict.fromkeys(together, x + wide / 2))
            x += wide
        grid.sides[rank] = (left, x)
    left, right = grid.sides[columns.last]
    grid.sides[columns.last] = (left, right + MARGIN)


def _subcolumns(grid: StepGrid, here: Iterable[str], side: Mapping[str, str]) -> list[list[str]]:
    """Ops of one column, those together of which none stands in the way of another's taps."""
    found: list[list[str]] = []
    for role in sorted(here, key=lambda role: -grid.y[role]):
        for together in found:
            if not any(_blocked(grid, role, other, side) for other in together):
                together.append(role)
                break
        else:
            found.append([role])
    return found


def _blocked(grid: StepGrid, a: str, b: str, side: Mapping[str, str]) -> bool:
    """Whether the taps of one of two ops would run through the other."""
    upper, lower = (a, b) if grid.y[a] > grid.y[b] else (b, a)
    return side.get(upper) == "below" or side.get(lower) == "above"


def op_label(op: StepOp) -> str:
    """What an op's box says: its symbol, with a number beside it, or what it takes apart."""
    said = op.detail or op_words(op.op)
    if len(op.numbers) == 2:
        said = op_words(op.op, *map(short_literal, op.numbers))
    return f"{op.name} = {said}" if op.name and len(op.name) < 9 else said


def _rule(op: StepOp) -> str:
    return f"{op.name} = {SYMBOLS.get(op.op, op.op)}(…)"


def op_width(op: StepOp, words: Mapping[str, str], note: float) -> float:
    """How wide an op's box is for its words, its note and its taps."""
    taps = max(24.0 * len(op.params) + 8, note + 12 if note else 0.0)
    if op.name in words:
        word = text_width(words[op.name], style.OP_SIZE, True)
        return max(taps, word + 14, text_width(_rule(op), style.SMALL) + 12)
    return max(26.0, taps, text_width(op_label(op), style.OP_SIZE) + 14)


def _spot(
    grid: StepGrid,
    op: StepOp,
    side: Mapping[str, str],
    words: Mapping[str, str],
    looks: Mapping[str, Look],
    step: Step,
) -> Spot:
    gate = op.name in words
    look = style.GATE if gate else style.OP
    named = op
    for state, role in step.states:
        if role == op.role:
            stroke = looks[state].stroke
            look = Look(stroke, style.OP.fill, style.OP.text, 1.5)
            named = op._replace(name="")
    return Spot(
        op.role,
        op.op,
        op.takes,
        grid.x[op.role],
        grid.y[op.role],
        op_width(named, words, grid.note),
        look,
        gate=gate,
        side=side.get(op.role, ""),
        label=_rule(op) if gate else op_label(named),
        params=op.params,
        more=LINE if grid.note else 0.0,
    )


# ---- lines --------------------------------------------------------------------------------------


def _routes(
    grid: StepGrid, spots: Mapping[str, Spot]
) -> tuple[dict[tuple[str, str], tuple[Point, ...]], tuple[tuple[str, Point], ...]]:
    """The way of every line, and the dots where several leave one."""
    columns = grid.columns
    ports = _ports(grid, spots)
    routes: dict[tuple[str, str], tuple[Point, ...]] = {}
    for (tail, head), way in columns.way.items():
        points: list[Point] = []
        for place in way[:-1]:
            left, right = grid.sides[columns.rank[place]]
            y = grid.y[place]
            if place in spots:
                points.append((spots[place].x + spots[place].width / 2, y))
            else:
                points.append((0.0 if place == tail else left, y))
            points.append((right, y))
        end = grid.sides[columns.rank[head]][0]
        if head in spots:
            y = ports[way[-2], head]
            points += [(end, y), (spots[head].x - spots[head].width / 2, y)]
        elif head == ">y":
            points.append((grid.sides[columns.last][1] - MARGIN, grid.y[head]))
        else:
            state = head.removeprefix(">")
            points += [
                (end, grid.y[f"{state}'"]),
                (grid.sides[columns.last][1], grid.y[f"{state}'"]),
            ]
        routes[tail, head] = (
            *tuple(a for a, b in pairwise(points) if dist(a, b) > 0.01),
            points[-1],
        )
    dots = tuple(
        (place.partition("|")[0], (grid.sides[columns.rank[place]][1], grid.y[place]))
        for place, ends in columns.after.items()
        if len(ends) > 1 and place not in spots
    )
    return routes, dots


def _ports(grid: StepGrid, spots: Mapping[str, Spot]) -> dict[tuple[str, str], float]:
    """The height at which each line arrives: a straight one in the middle, others beside it."""
    ports: dict[tuple[str, str], float] = {}
    for head, tails in grid.columns.before.items():
        if head not in spots:
            continue
        falling = sorted(tails, key=lambda tail: -grid.y[tail])
        straight = [k for k, tail in enumerate(falling) if grid.y[tail] == grid.y[head]]
        middle = straight[0] if straight else (len(falling) - 1) / 2
        for k, tail in enumerate(falling):
            ports[tail, head] = grid.y[head] + PORT * (middle - k)
    return ports
