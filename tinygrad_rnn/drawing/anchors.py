"""Ends for lines between the cells and what stands outside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .lanes import Lane
from .shapes import Picture, Point
from .unroll import Lattice


class Anchor(NamedTuple):
    """An end for a line: the drawn thing's id and the point.

    ``rise`` is the height to which a line must first go up from there; ``side`` is where it may leave
    to the right instead, if nothing stands there.
    """

    id: str
    x: float
    y: float
    node: int = -1
    rise: float | None = None
    side: Point | None = None


Anchors = Mapping[tuple[Lane, int, str], Anchor]


def route_from(end: Anchor, at: Point) -> list[Point]:
    """From an anchor to a box's left side; a line that must rise goes over everything first."""
    start = (end.x, end.y)
    if end.rise is None:
        return [start, at]
    if end.rise == at[1]:
        return [start, (end.x, at[1]), at]
    return [start, (end.x, end.rise), (at[0] - 12, end.rise), (at[0] - 12, at[1]), at]


def fed_states(lattice: Lattice, picture: Picture) -> list[Anchor]:
    """The pills of initial states that are computed from something, or are Parameters themselves."""
    boxes = {node.id: node for node in picture.nodes}
    fed: list[Anchor] = []
    over = picture.bounds()[3] + 24
    for lane in lattice.lanes:
        for state in lane.states:
            node = lane.start.inputs.get(state)
            if node is None:
                continue
            origin = lattice.origin(node)
            outside = lattice.nodes[origin.node].op not in ("input", "literal")
            if origin.output is None and outside:
                pill = boxes[start_id(lattice, lane, state)]
                if not lane.backwards:
                    fed.append(Anchor(pill.id, pill.sides[0], pill.y, origin.node))
                    continue
                over += 9.0
                fed.append(Anchor(pill.id, pill.sides[2], pill.y, origin.node, rise=over))
    return fed


def start_id(lattice: Lattice, lane: Lane, state: str) -> str:
    """The id of the pill of an initial state."""
    slots = lattice.slots(lane)
    return f"{lane.key}.{state}{slots[-1].last + 1 if lane.backwards else slots[0].first - 1}"
