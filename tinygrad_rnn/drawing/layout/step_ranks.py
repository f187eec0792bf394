"""In which column of a step does each op stand? As far left as what it takes allows, on straight tracks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...graphs.steps import Step


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


def in_ranks(step: Step) -> Ranks:
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
        for a, b in itertools.pairwise(way):
            columns.link(a, b)
        columns.way[tail, head] = way
    return columns


def tracks_of(columns: Ranks) -> list[list[str]]:
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
    for place in _by_rank(columns):
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


def _by_rank(columns: Ranks) -> Iterator[str]:
    return iter(sorted(columns.rank, key=lambda place: columns.rank[place]))
