"""Where does everything stand? Columns of steps, rows of layers, and the states in the gaps between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, NamedTuple, TypeVar

from ...graphs.between import Between
from ...graphs.chains import Chain, Column, Output
from ...graphs.meaning import CellAt, Input, Out, State, Uses
from ...graphs.unrolled import UnrolledGraph
from ..scene import style
from ..scene.notes import LINE, Notes
from ..scene.scene import Box, Key, Point, Sample, Scene
from ..scene.style import Line, Look
from ..scene.text import plural, shape_text, shorten, state_at, sub, text_width

PILL, PILL_HEIGHT = 28.0, 24.0
BESIDE, ASIDE = 16.0, 5.0  # joined outputs: more room in a gap; how far from a pill a line goes up
CARRY_GAP = 8.0  # between two lines that carry states on to another chain


class Anchor(NamedTuple):
    """An end for a wire: the drawn thing's key and the point.

    ``rise`` is the height to which a wire must first go up from there; ``side`` is where it may leave
    to the right instead, if nothing stands there.
    """

    key: Key
    x: float
    y: float
    node: int = -1
    rise: float | None = None
    side: Point | None = None


Anchors = Mapping[tuple[Chain, int, str], Anchor]
Ways = list[tuple[Key, list[Point]]]


class StepBox(ABC):
    """One chain's step as a level draws it: its size and where values come in and go out.

    Heights are above the row's base; points of the ``grid`` are in the picture.
    """

    least: ClassVar[float]  # how wide a y is at least
    input_height: ClassVar[float]
    input_line: ClassVar[Line]
    # Whether what stands between two rows is drawn at all.
    has_bands: ClassVar[bool]
    # Whether an input that joins two directions has the colour of their y.
    joined_look: ClassVar[bool]
    chain: Chain
    bottom: float
    top: float
    curved = False

    @abstractmethod
    def entry(self, state: str) -> float:
        """The height at which a state comes in, and its pill stands."""

    @abstractmethod
    def leaves(
        self, grid: AnyGrid, column: Column, state: str, pill: Point
    ) -> tuple[Key, list[Point]]:
        """From what writes a state to the state's pill: the tail, and the route."""

    @abstractmethod
    def ways_in(self, grid: AnyGrid, column: Column, role: str, start: Point) -> Ways:
        """From a pill to everything that takes it."""

    @abstractmethod
    def up(self, grid: AnyGrid, column: Column) -> tuple[Key, Point]:
        """Where the output goes up to what stands above."""

    @abstractmethod
    def up_to(self, grid: AnyGrid, column: Column, x: float) -> tuple[Key, Point, float]:
        """Where the wire to a layer above begins, and the level at which it may turn."""

    @abstractmethod
    def inputs(self, grid: AnyGrid, column: Column) -> Iterator[tuple[str, Point]]:
        """The inputs of a step by role, and where their pills stand."""

    def input_middle(self, _grid: AnyGrid, _column: Column, x: float, _width: float) -> float:
        """The middle of an input's pill, whose wires are at x."""
        return x

    @abstractmethod
    def folded_at(self, grid: AnyGrid, column: Column, at: Point, aside: float) -> Point:
        """Where an input of folded steps stands, beside those before it."""

    @abstractmethod
    def input_name(
        self, column: Column, role: str, source: Output | None, looks: Mapping[str, Look]
    ) -> str:
        """What an input's pill says."""

    @abstractmethod
    def input_color(self, source: Output | None, look: Look) -> str:
        """The colour of the wire from an input's pill."""

    @abstractmethod
    def from_pill(
        self, route: list[Point], x: float, y: float, width: float, tall: float
    ) -> list[Point]:
        """The route from an input's middle, as it leaves its pill."""

    @abstractmethod
    def from_joined(
        self, grid: AnyGrid, column: Column, y: Box, pill: Box, next_row: bool
    ) -> tuple[list[Point], str]:
        """From an output that joins two directions to an input of a layer above; the wire's colour."""


B = TypeVar("B", bound=StepBox, covariant=True)


@dataclass
class Grid(Generic[B]):
    """All positions that the parts of a picture share."""

    unrolled: UnrolledGraph
    scene: Scene
    boxes: Mapping[Chain, B]
    extents: dict[tuple[int, Column], tuple[float, float]]  # by segment: left side and width
    pill: float
    gap: float
    looks: dict[str, Look]
    notes: Notes | None
    pill_height: float = PILL_HEIGHT
    bases: list[float] = field(default_factory=list)
    tops: list[float] = field(default_factory=list)  # of each row, with what stands above its steps
    said: dict[tuple[Between, Chain, str], dict[int, list[Output]]] = field(default_factory=dict)

    def edges(self, chain: Chain, column: Column) -> tuple[float, float]:
        """The left and the right side of a step."""
        left, width = self.extents[chain.segment, column]
        return left, left + width

    @property
    def left(self) -> float:
        """The left side of the first step."""
        return min(left for left, _ in self.extents.values())

    @property
    def right(self) -> float:
        """The right side of the last step."""
        return max(left + width for left, width in self.extents.values())

    def begin_of(self, row: int) -> float:
        """The left side of a row's first step: where its weights' bar begins."""
        chains = self.unrolled.rows[row].chains
        return min(self.edges(chain, self.unrolled.columns(chain)[0])[0] for chain in chains)

    def end_of(self, row: int) -> float:
        """The right side of a row's last step: where its weights' bar ends."""
        chains = self.unrolled.rows[row].chains
        return max(self.edges(chain, self.unrolled.columns(chain)[-1])[1] for chain in chains)

    def y(self, chain: Chain, height: float) -> float:
        """A height above the base of the chain's row, in the picture."""
        return self.bases[chain.row] + height

    def frame(self, chain: Chain) -> tuple[float, float]:
        """Bottom and top of the chain's steps."""
        return self.y(chain, self.boxes[chain].bottom), self.y(chain, self.boxes[chain].top)

    def entry(self, chain: Chain, state: str) -> float:
        """The height at which a state comes in, and its pill stands."""
        return self.y(chain, self.boxes[chain].entry(state))

    # ---- which way a chain runs

    def sign(self, chain: Chain) -> int:
        """1 where the chain runs to the right, -1 where it runs to the left."""
        return -1 if chain.backwards else 1

    def leaves(self, chain: Chain, column: Column) -> float:
        """The x of the side where states leave a column."""
        return self.edges(chain, column)[0 if chain.backwards else 1]

    def enters(self, chain: Chain, column: Column) -> float:
        """The x of the side where states come into a column."""
        return self.edges(chain, column)[1 if chain.backwards else 0]

    def pill_after(self, chain: Chain, column: Column) -> float:
        """The x of the pill of the states that leave a column."""
        return self.leaves(chain, column) + self.sign(chain) * self.gap / 2

    def pill_before(self, chain: Chain) -> float:
        """The x of the pill of the states that a chain starts from."""
        column = self.unrolled.columns_run(chain)[0]
        return self.enters(chain, column) - self.sign(chain) * self.gap / 2

    def beside(self, chain: Chain, column: Column, side: int) -> float:
        """The x of a wire that goes up in the gap left (-1) or right (1) of a column, beside the pill."""
        return self.edges(chain, column)[side > 0] + side * ((self.gap - self.pill) / 2 - ASIDE)

    # ---- what is drawn at every level

    def noted(
        self,
        of: CellAt | State | Input | Out,
        label: str,
        node: int | None,
        at: Point,
        size: tuple[float, float],
        look: Look,
        kind: str,
        *,
        part: str = "",
        type_size: float = style.OP_SIZE,
        bold: bool = False,
        dashed: bool = False,
    ) -> Key:
        """A box whose label stands over what there is to say of a node's values."""
        notes, (x, y), rest = self.notes, at, (*size, look, kind)
        if notes is None or node not in notes.nodes:
            box = (of, label, x, y, *rest)
            return self.scene.box(*box, part=part, size=type_size, bold=bold, dashed=dashed)
        self.scene.box(of, "", x, y, *rest, part=part, dashed=dashed)
        prefix = f"{part}." if part else ""
        self.scene.text(of, f"{prefix}label", label, x, y + 8, type_size, look.text, bold=bold)
        notes.draw(self.scene, of, prefix, node, x, y - 8)
        return of, part


AnyGrid = Grid[StepBox]


def make_grid(
    unrolled: UnrolledGraph,
    boxes: Mapping[Chain, B],
    title: str,
    width: Callable[[int, Column], float],
    start: float,
    air: float,
    notes: Notes | None,
) -> Grid[B]:
    """The columns; the rows are left to what the level puts under and over them."""
    last = max(column.last for segment in unrolled.segments for column in segment)
    states = tuple(dict.fromkeys(s for chain in unrolled.chains for s in chain.states))
    written = {state_at(chain, s, last) for chain in unrolled.chains for s in chain.states}
    room = 10 if all(chain.layer is None for chain in unrolled.chains) else 7
    names = [text_width(w, style.STATE, True) + room for w in (*written, sub("x", last))]
    pill = max([PILL, *names, 0.0 if notes is None else notes.width + 12])
    gap = pill + air + BESIDE * unrolled.is_joined
    extents: dict[tuple[int, Column], tuple[float, float]] = {}
    x = start
    for k, segment in enumerate(unrolled.segments):
        x += CARRY_GAP * max(unrolled.carries(k) - 1, 0)
        for column in segment:
            extents[k, column] = (x, width(k, column))
            x += extents[k, column][1] + gap
        x += gap
    tall = PILL_HEIGHT + LINE * (notes is not None)
    return Grid(unrolled, Scene(title), boxes, extents, pill, gap, state_looks(states), notes, tall)


def state_looks(names: tuple[str, ...]) -> dict[str, Look]:
    """A colour for every state: h blue and c green, others take what is left, then grey."""
    looks = {name: {"h": style.H, "c": style.C}[name] for name in names if name in ("h", "c")}
    free = [look for look in (style.H, style.C) if look not in looks.values()]
    grey = Look(style.OP.stroke, style.OP.fill, style.OP.text, 1.5)
    for name in names:
        if name not in looks:
            looks[name] = free.pop(0) if free else grey
    return looks


def route_from(end: Anchor, at: Point) -> list[Point]:
    """From an anchor to a box's left side; a wire that must rise goes over everything first."""
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


# ---- a Parameter as a box of its own ----------------------------------------------------------------

PARAM_HEIGHT, MIN_WIDTH, MAX_WIDTH = 42.0, 102.0, 150.0


def param_width(grid: AnyGrid, parameter: int) -> float:
    """How wide the box of a Parameter is."""
    name, size = _name_and_size(grid.unrolled, parameter)
    widest = max(text_width(name, style.SMALL), text_width(size, style.SMALL))
    if grid.notes is not None:
        widest = max(grid.notes.width, text_width(_heading(grid, parameter), style.OP_SIZE, True))
    return min(max(MIN_WIDTH, widest + 10), MAX_WIDTH)


def draw_param(grid: AnyGrid, parameter: int, x: float, y: float) -> Key:
    """Draw a Parameter's box around (x, y): bold name over dotted name, shape and use count."""
    width, look, of = param_width(grid, parameter), style.PARAM, grid.unrolled.parameter(parameter)
    name, size = _name_and_size(grid.unrolled, parameter)
    tip = f"{name} {size}"
    key = grid.scene.box(of, "", x, y, width, PARAM_HEIGHT, look, "param", square=True, tooltip=tip)
    lines = [("name", of.short, 10.0, style.NAME, True), ("path", name, -2.5, style.SMALL, False)]
    if name == of.short:
        lines = [("name", of.short, 6.0, style.NAME, True)]
    lines.append(("size", size, -13.5 if len(lines) > 1 else -9.0, style.SMALL, False))
    if grid.notes is not None and parameter in grid.notes.nodes:
        # its values stand where the rest of its name was
        lines = [("name", _heading(grid, parameter), 8.0, style.OP_SIZE, True)]
        grid.notes.draw(grid.scene, of, "", parameter, x, y - 9)
    for part, text, rise, type_size, bold in lines:
        words = shorten(text, type_size, width - 6, bold)
        grid.scene.text(of, part, words, x, y + rise, type_size, look.text, bold=bold)
    return key


def _name_and_size(unrolled: UnrolledGraph, parameter: int) -> tuple[str, str]:
    name = unrolled.names[parameter]
    uses = plural(unrolled.graph.use_count(name), "use")
    shape = unrolled.nodes[parameter].shape
    return name, f"{shape_text(shape)} · {uses}" if shape else uses


def _heading(grid: AnyGrid, parameter: int) -> str:
    unrolled = grid.unrolled
    uses = plural(unrolled.graph.use_count(unrolled.names[parameter]), "use")
    return f"{unrolled.short(parameter)} · {uses}"


def use_of(grid: AnyGrid, parameter: int, when: str) -> Uses:
    """A use of one Parameter outside the steps: before the cells, or after them."""
    return Uses((grid.unrolled.parameter(parameter),), when=when)


# ---- what a picture of steps has to explain --------------------------------------------------------


def samples_of(
    scene: Scene, looks: Mapping[str, Look], *, of_ops: bool, elementwise: bool
) -> Iterator[Sample]:
    """What a picture of cells or of ops has to explain: what is there, and nothing else."""
    cells = [frame.of for frame in scene.frames if isinstance(frame.of, CellAt)]
    uses = any(isinstance(wire.of, Uses) and wire.of.column is not None for wire in scene.wires)
    if uses and not of_ops:
        yield Sample("a dot connects: every tap leaves the same bar", "bus")
    elif uses:
        yield Sample("a dot connects,", "bus")
        yield Sample("a crossing without one does not", "cross")
        yield Sample("the same Parameter", "line")
    for state, look in looks.items():
        yield Sample(state, "line", look.stroke)
    if not of_ops:
        yield Sample("input", "thin")
    if any(cell.column.folded for cell in cells):
        yield Sample("dashed: steps not drawn one by one", "dashed")
    if any(wire.kind == "cut" for wire in scene.wires):
        yield Sample("// cut: the state goes on, no gradient comes back", "text")
    if of_ops:
        ops = (box.of for box in scene.boxes.values() if box.kind == "op")
        if any(isinstance(of, CellAt) and of.node < 0 for of in ops):
            yield Sample("dashed op: constant or not run in this step, not recorded", "dashed")
        yield Sample("other values" + ";  * elementwise" * elementwise, "thin")
        return
    if any(cell.chain.ended for cell in cells):
        yield Sample("grey: beyond the length of every sequence, states hold still", "text")
    if elementwise:
        yield Sample("* elementwise", "text")
