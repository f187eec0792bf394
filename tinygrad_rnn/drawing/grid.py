"""Where everything stands: columns of steps, rows of layers, and the gaps with the states between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, NamedTuple, TypeVar

from . import style
from .lanes import Lane, Output
from .notes import LINE
from .shapes import Node, Picture, Point
from .slots import Slot
from .style import Look, state_looks
from .unroll import Lattice
from .words import sub, text_width

PILL, PILL_HEIGHT = 28.0, 24.0
BESIDE, ASIDE = 16.0, 5.0  # joined outputs: more room in a gap; how far from a pill a line goes up
HANDOVER = 8.0  # between two lines that hand states on to another lane


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
Ways = list[tuple[str, list[Point]]]


class StepBox(ABC):
    """One lane's step as a level draws it: its size and where values come in and go out.

    Heights are above the row's base; points of the ``grid`` are in the picture.
    """

    rise: ClassVar[float]  # from the top of a row to the middle of the y above it
    least: ClassVar[float]  # how wide a y is at least
    channel: ClassVar[
        float
    ]  # from the top of a row to the line that joins its output with another's
    joined_radius: ClassVar[float]
    up_radius: ClassVar[float]
    input_height: ClassVar[float]
    input_pen: ClassVar[float]
    says_via: ClassVar[
        bool
    ]  # whether ops between two layers are named beside the line, and not drawn
    joined_look: ClassVar[
        bool
    ]  # whether an input that joins two directions has the colour of their y
    lane: Lane
    bottom: float
    top: float
    curved = False

    @abstractmethod
    def entry(self, state: str) -> float:
        """The height at which a state comes in, and its pill stands."""

    @abstractmethod
    def leaves(self, grid: AnyGrid, slot: Slot, state: str, pill: Point) -> tuple[str, list[Point]]:
        """From what writes a state to the state's pill: the id of the tail, and the route."""

    @abstractmethod
    def ways_in(self, grid: AnyGrid, slot: Slot, role: str, start: Point) -> Ways:
        """From a pill to everything that takes it."""

    @abstractmethod
    def up(self, grid: AnyGrid, slot: Slot) -> tuple[str, Point]:
        """Where the output goes up to what stands above."""

    @abstractmethod
    def up_to(self, grid: AnyGrid, slot: Slot, x: float) -> tuple[str, Point, float]:
        """Where the line to a layer above begins, and the level at which it may turn."""

    @abstractmethod
    def inputs(self, grid: AnyGrid, slot: Slot) -> Iterator[tuple[str, Point]]:
        """The inputs of a step by role, and where their pills stand."""

    @abstractmethod
    def folded_at(self, grid: AnyGrid, slot: Slot, at: Point, aside: float) -> Point:
        """Where an input of folded steps stands, beside those before it."""

    @abstractmethod
    def input_name(
        self, slot: Slot, role: str, source: Output | None, looks: Mapping[str, Look]
    ) -> str:
        """What an input's pill says."""

    @abstractmethod
    def input_color(self, source: Output | None, look: Look) -> str:
        """The colour of the line from an input's pill."""

    @abstractmethod
    def from_pill(
        self, route: list[Point], x: float, y: float, width: float, tall: float
    ) -> list[Point]:
        """The route from an input's middle, as it leaves its pill."""

    @abstractmethod
    def from_joined(
        self, grid: AnyGrid, slot: Slot, y: Node, pill: Node, next_row: bool
    ) -> tuple[list[Point], str]:
        """From an output that joins two directions to an input of a layer above; the line's colour."""


B = TypeVar("B", bound=StepBox, covariant=True)


@dataclass
class Grid(Generic[B]):
    """All positions that the parts of a picture share."""

    lattice: Lattice
    picture: Picture
    boxes: Mapping[Lane, B]
    columns: dict[tuple[int, Slot], tuple[float, float]]
    pill: float
    gap: float
    looks: dict[str, Look]
    pill_height: float = PILL_HEIGHT
    bases: list[float] = field(default_factory=list)
    tops: list[float] = field(default_factory=list)  # of each row, with what stands above its steps

    def edges(self, lane: Lane, slot: Slot) -> tuple[float, float]:
        """The left and the right side of a step."""
        left, width = self.columns[lane.block, slot]
        return left, left + width

    def y(self, lane: Lane, height: float) -> float:
        """A height above the base of the lane's row, in the picture."""
        return self.bases[lane.row] + height

    def frame(self, lane: Lane) -> tuple[float, float]:
        """Bottom and top of the lane's steps."""
        return self.y(lane, self.boxes[lane].bottom), self.y(lane, self.boxes[lane].top)

    def entry(self, lane: Lane, state: str) -> float:
        """The height at which a state comes in, and its pill stands."""
        return self.y(lane, self.boxes[lane].entry(state))

    def id(self, lane: Lane, slot: Slot) -> str:
        """The id of a step's box, which its parts' ids begin with."""
        return f"{lane.key}.t{slot.first}"

    # ---- which way a lane runs

    def sign(self, lane: Lane) -> int:
        """1 where the lane runs to the right, -1 where it runs to the left."""
        return -1 if lane.backwards else 1

    def leaves(self, lane: Lane, slot: Slot) -> float:
        """The x of the side where states leave a slot."""
        return self.edges(lane, slot)[0 if lane.backwards else 1]

    def enters(self, lane: Lane, slot: Slot) -> float:
        """The x of the side where states come into a slot."""
        return self.edges(lane, slot)[1 if lane.backwards else 0]

    def pill_after(self, lane: Lane, slot: Slot) -> tuple[int, float]:
        """The state that leaves a slot: its step, counted from 1, and the x of its pill."""
        step = slot.first if lane.backwards else slot.last
        return step, self.leaves(lane, slot) + self.sign(lane) * self.gap / 2

    def pill_before(self, lane: Lane) -> tuple[int, float]:
        """The state that a lane starts from: its step, counted from 1, and the x of its pill."""
        slot = self.slots_run(lane)[0]
        step = slot.last + 1 if lane.backwards else slot.first - 1
        return step, self.enters(lane, slot) - self.sign(lane) * self.gap / 2

    def slots_run(self, lane: Lane) -> list[Slot]:
        """The lane's slots in the order in which they ran."""
        slots = self.lattice.slots(lane)
        return slots[::-1] if lane.backwards else slots

    def beside(self, lane: Lane, slot: Slot, side: int) -> float:
        """The x of a line that goes up in the gap left (-1) or right (1) of a slot, beside the pill."""
        return self.edges(lane, slot)[side > 0] + side * ((self.gap - self.pill) / 2 - ASIDE)

    # ---- what is drawn at every level

    def noted(
        self,
        id: str,
        label: str,
        node: int | None,
        at: Point,
        size: tuple[float, float],
        look: Look,
        cls: str,
        type_size: float = style.OP_SIZE,
        bold: bool = False,
        dashed: bool = False,
    ) -> str:
        """A box whose label stands over what there is to say of a node's values."""
        notes, (x, y) = self.lattice.notes, at
        if node not in notes.nodes:
            box = (id, label, x, y, *size, look, cls)
            return self.picture.box(*box, size=type_size, bold=bold, dashed=dashed)
        self.picture.box(id, "", x, y, *size, look, cls, dashed=dashed)
        self.picture.text(f"{id}.label", label, x, y + 8, type_size, look.text, bold=bold)
        notes.draw(self.picture, id, node, x, y - 8)
        return id


AnyGrid = Grid[StepBox]


def make_grid(
    lattice: Lattice,
    boxes: Mapping[Lane, B],
    title: str,
    width: Callable[[int, Slot], float],
    start: float,
    air: float,
) -> Grid[B]:
    """The columns; the rows are left to what the level puts under and over them."""
    last = max(slot.last for block in lattice.blocks for slot in block)
    states = tuple(dict.fromkeys(s for lane in lattice.lanes for s in lane.states))
    notes = lattice.notes
    names = [text_width(sub(s, last), style.STATE, True) + 10 for s in (*states, "x")]
    pill = max([PILL, *names, notes.width + 12 if notes else 0.0])
    gap = pill + air + BESIDE * is_joined(lattice)
    columns: dict[tuple[int, Slot], tuple[float, float]] = {}
    x = start
    for b, block in enumerate(lattice.blocks):
        x += HANDOVER * max(handovers(lattice, b) - 1, 0)
        for slot in block:
            columns[b, slot] = (x, width(b, slot))
            x += columns[b, slot][1] + gap
        x += gap
    tall = PILL_HEIGHT + LINE * bool(notes)
    return Grid(lattice, Picture(title), boxes, columns, pill, gap, state_looks(states), tall)


def given(lattice: Lattice, lane: Lane, state: str) -> Output | None:
    """The state of another lane that a lane goes on from."""
    start = lane.start.inputs.get(state)
    output = None if start is None else lattice.origin(start).output
    return None if output is None or output.role == "y" else output


def handovers(lattice: Lattice, block: int) -> int:
    """How many states the lanes of a block take from other lanes."""
    return sum(
        given(lattice, lane, state) is not None
        for lane in lattice.lanes
        if lane.block == block
        for state in lane.states
    )


def is_joined(lattice: Lattice) -> bool:
    """Whether the outputs of two directions are joined somewhere."""
    return any(lane.partner is not None for lane in lattice.lanes)


def route_from(end: Anchor, at: Point) -> list[Point]:
    """From an anchor to a box's left side; a line that must rise goes over everything first."""
    start = (end.x, end.y)
    if end.rise is None:
        return [start, at]
    if end.rise == at[1]:
        return [start, (end.x, at[1]), at]
    return [start, (end.x, end.rise), (at[0] - 12, end.rise), (at[0] - 12, at[1]), at]


def jog(start: Point, end: Point, level: float) -> list[Point]:
    """Straight up, or up to a level, across and up again."""
    if start[0] == end[0]:
        return [start, end]
    return [start, (start[0], level), (end[0], level), end]
