"""Where the cells stand: columns of steps, rows of layers, and the space between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import style
from .faces import INPUT_AT, RAIL_PITCH, TAP_AT, Face, face_of
from .lanes import Lane
from .rails import BESIDE, HANDOVER, Rails, handovers, is_joined
from .shapes import Picture
from .slots import Slot
from .style import Look, state_looks
from .unroll import Lattice
from .words import plural, sub, text_width

PILL, PILL_HEIGHT, ARROW_ROOM = 28.0, 24.0, 11.0
INPUT_DROP, INPUT_HEIGHT = 29.0, 20.0  # below the cell's bottom: the middle of x
BAR_DROP = 68.0  # below the cell's bottom: the bar of the lowest row
UPPER_GAP, UPPER_BAR = 86.0, 24.0  # between two rows: in all, and from the lower one to the bar
OUTPUT_RISE, COLLECT_RISE = 27.0, 16.0  # from a cell's top to its y, and from there to their line
JOINED = 40.0  # the room above cells for the joined outputs of two directions


@dataclass(frozen=True, slots=True)
class Column:
    """Where a slot stands."""

    left: float
    width: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def input(self) -> float:
        """Where x comes in."""
        return self.left + INPUT_AT * self.width

    @property
    def tap(self) -> float:
        """Where the weights come in."""
        return self.left + TAP_AT * self.width


@dataclass
class Plan(Rails):
    """All positions that the parts of the picture share."""

    lattice: Lattice
    picture: Picture
    faces: dict[Lane, Face]
    columns: dict[tuple[int, Slot], Column]
    bottoms: list[float]
    pill: float
    gap: float
    looks: dict[str, Look]

    def column(self, lane: Lane, slot: Slot) -> Column:
        """Where this lane's cell of this slot stands."""
        return self.columns[lane.block, slot]

    def edges(self, lane: Lane, slot: Slot) -> tuple[float, float]:
        """The left and the right side of a cell."""
        column = self.column(lane, slot)
        return column.left, column.right

    def top(self, row: int) -> float:
        """The top of a row's cells, their joined outputs included."""
        lanes = self.lattice.rows[row].lanes
        top = max(self.height(lane, self.faces[lane].height) for lane in lanes)
        return top + JOINED * any(lane.partner is not None for lane in lanes)

    def entry(self, lane: Lane, state: str) -> float:
        """The height at which a state comes in."""
        return self.height(lane, self.faces[lane].enters_at(state))

    def height(self, lane: Lane, above: float) -> float:
        """A height above the bottom of the lane's cells, as y."""
        return self.bottoms[lane.row] + above

    @property
    def right(self) -> float:
        """The right edge of the last cell."""
        return max(column.right for column in self.columns.values())

    def bar(self, row: int) -> float:
        """The y of a row's bar."""
        if row == 0:
            return self.bottoms[0] - BAR_DROP
        return self.bottoms[row] - UPPER_GAP + UPPER_BAR


def make_plan(lattice: Lattice, rail_pitch: float = RAIL_PITCH) -> Plan:
    """Measure everything that is written, and set columns and rows accordingly."""
    slots = [slot for block in lattice.blocks for slot in block]
    folded = any(slot.folded for slot in slots)
    faces = {
        lane: face_of(
            lane,
            lattice.nodes,
            [lattice.short(p.id) for p in lattice.rows[lane.row].params],
            folded,
        )
        for lane in lattice.lanes
    }
    faces = {lane: replace(face, rail_pitch=rail_pitch) for lane, face in faces.items()}
    roomy = len(slots) <= 4
    width = max(face.width(slots, roomy) for face in faces.values())
    if len(lattice.rows) > 1:
        step = max(slot.last for slot in slots)
        label = text_width(f"{sub('x', step)} = {sub('h', step)}", style.STATE, True) + 10
        width = max(width, (label / 2 + 9) / (TAP_AT - INPUT_AT))
    states = tuple(dict.fromkeys(s for lane in lattice.lanes for s in lane.states))
    last = max(slot.last for slot in slots)
    pill = max([PILL, *(text_width(sub(s, last), style.STATE, True) + 10 for s in (*states, "x"))])
    joined = is_joined(lattice)
    gap = pill + (2 * ARROW_ROOM if roomy else 2 * ARROW_ROOM - 4) + BESIDE * joined
    columns: dict[tuple[int, Slot], Column] = {}
    x = 0.0
    for b, block in enumerate(lattice.blocks):
        x += HANDOVER * max(handovers(lattice, b) - 1, 0)
        for slot in block:
            folds = max(f.fold_width(slot) for f in faces.values()) + 2 * BESIDE * joined
            wide = folds if slot.folded else width
            columns[b, slot] = Column(x, wide)
            x += wide + gap
        x += gap
    bottoms = [-9.0]
    for row in lattice.rows[:-1]:
        tallest = max(faces[lane].height for lane in row.lanes)
        tallest += JOINED * any(lane.partner is not None for lane in row.lanes)
        bottoms.append(bottoms[-1] + tallest + UPPER_GAP)
    steps = sum(slot.count for slot in slots)
    title = f"{', '.join(dict.fromkeys(f.title for f in faces.values()))}, {plural(steps, 'step')}"
    picture = Picture(f"{title}, one set of weights")
    return Plan(lattice, picture, faces, columns, bottoms, pill, gap, state_looks(states))


def cell_id(lane: Lane, slot: Slot) -> str:
    """The id of a cell's box, which its parts' ids begin with."""
    return f"{lane.key}.t{slot.first}"
