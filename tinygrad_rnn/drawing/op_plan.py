"""Where the steps stand at op level: columns of steps, rows of layers, and a bus a Parameter."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import style
from .faces import fold_count, fold_heading
from .lanes import Lane, NoLatticeError
from .notes import LINE
from .params import HEIGHT as PARAM_HEIGHT
from .rails import BESIDE, HANDOVER, Rails, handovers, is_joined
from .shapes import Picture, Point
from .slots import Slot
from .style import Look, state_looks
from .templates import Spot, Template
from .unroll import Lattice
from .words import plural, span, sub, text_width

PILL, PILL_HEIGHT, SPACE, BUS_PITCH = 28.0, 24.0, 16.0, 48.0
JOINED = 46.0  # the room above steps for the joined outputs of two directions
ROW_GAP, CHANNEL, RISE, FOLD_TAP, FEED = 34.0, 14.0, 16.0, 16.0, 18.0


@dataclass(frozen=True, slots=True)
class Bus:
    """A Parameter's line: its height, and from which side of the steps its taps come."""

    parameter: int
    side: str
    y: float


@dataclass
class Plan(Rails):
    """All positions that the parts of the picture share."""

    lattice: Lattice
    picture: Picture
    templates: dict[Lane, Template]
    shifts: dict[tuple[int, Slot], tuple[float, float]]  # where a slot begins and how wide it is
    bases: list[float]
    buses: list[list[Bus]]
    pill: float
    gap: float
    looks: dict[str, Look]
    pill_height: float = PILL_HEIGHT
    taps: dict[tuple[int, int], list[float]] = field(default_factory=dict)

    def left(self, lane: Lane, slot: Slot) -> float:
        """The left edge of a slot's frame."""
        return self.shifts[lane.block, slot][0]

    def width(self, lane: Lane, slot: Slot) -> float:
        """The width of a slot's frame."""
        return self.shifts[lane.block, slot][1]

    def edges(self, lane: Lane, slot: Slot) -> tuple[float, float]:
        """The left and the right side of a slot's frame."""
        left, width = self.shifts[lane.block, slot]
        return left, left + width

    def at(self, lane: Lane, slot: Slot, point: Point) -> Point:
        """A point of the lane's template, in the picture."""
        template = self.templates[lane]
        return self.left(lane, slot) + point[0] - template.frame[0], point[1] + self.bases[lane.row]

    def entry(self, lane: Lane, state: str) -> float:
        """The height at which a state comes in."""
        return entry_height(self, lane, state)

    def noted(
        self,
        id: str,
        label: str,
        node: int | None,
        x: float,
        y: float,
        width: float,
        height: float,
        look: Look,
        cls: str,
        *,
        size: float = style.OP_SIZE,
        bold: bool = False,
        dashed: bool = False,
    ) -> str:
        """A box whose label stands over what there is to say of a node's values."""
        notes = self.lattice.notes
        if node not in notes.nodes:
            return self.picture.box(
                id, label, x, y, width, height, look, cls, size=size, bold=bold, dashed=dashed
            )
        self.picture.box(id, "", x, y, width, height, look, cls, dashed=dashed)
        self.picture.text(f"{id}.label", label, x, y + 8, size, look.text, bold=bold)
        notes.draw(self.picture, id, node, x, y - 8)
        return id

    def frame(self, lane: Lane) -> tuple[float, float]:
        """Bottom and top of the lane's frames."""
        _, bottom, _, top = self.templates[lane].frame
        return bottom + self.bases[lane.row], top + self.bases[lane.row]


def make_plan(
    lattice: Lattice,
    templates: dict[Lane, Template],
    roles: dict[tuple[Lane, Slot], dict[str, int]],
) -> Plan:
    """Measure what is written, and set columns, rows and buses accordingly."""
    slots = [slot for block in lattice.blocks for slot in block]
    last = max(slot.last for slot in slots)
    states = tuple(dict.fromkeys(s for lane in lattice.lanes for s in lane.states))
    names = [text_width(sub(s, last), style.STATE, True) + 10 for s in (*states, "x")]
    notes = lattice.notes
    pill = max([PILL, *names, notes.width + 12 if notes else 0.0])
    gap = pill + SPACE + 1 + BESIDE * is_joined(lattice)
    shifts: dict[tuple[int, Slot], tuple[float, float]] = {}
    x = 1.0
    for b, block in enumerate(lattice.blocks):
        here = [lane for lane in templates if lane.block == b]
        wide = max(templates[lane].frame[2] - templates[lane].frame[0] for lane in here)
        x += HANDOVER * max(handovers(lattice, b) - 1, 0)
        for slot in block:
            width = _fold_width(lattice, here, templates, slot) if slot.folded else wide
            shifts[b, slot] = (x, width)
            x += width + gap
        x += gap
    bases: list[float] = []
    buses: list[list[Bus]] = []
    top = 0.0
    feed = FEED if lattice.fed else 0.0
    for i, row in enumerate(lattice.rows):
        sides = _sides(lattice, row.lanes, templates, roles)
        base, here_buses, top = _stack(row.lanes, templates, sides, top, None if i else feed)
        top += JOINED * any(lane.partner is not None for lane in row.lanes)
        bases.append(base)
        buses.append(here_buses)
    steps = sum(slot.count for slot in slots)
    titles = ", ".join(dict.fromkeys(lane.title for lane in templates))
    picture = Picture(f"{titles} ops, {plural(steps, 'step')}")
    looks, tall = state_looks(states), PILL_HEIGHT + LINE * bool(notes)
    return Plan(lattice, picture, templates, shifts, bases, buses, pill, gap, looks, tall)


def _sides(
    lattice: Lattice,
    lanes: list[Lane],
    templates: dict[Lane, Template],
    roles: dict[tuple[Lane, Slot], dict[str, int]],
) -> dict[int, str]:
    """The side of each Parameter's bus, in the order in which the template's ops take them."""
    sides: dict[int, str] = {}
    for lane in lanes:
        for slot in lattice.slots(lane):
            for spot in templates[lane].spots:
                for parameter in operand_params(lattice, lane, roles.get((lane, slot), {}), spot):
                    if sides.setdefault(parameter, spot.side) != spot.side or not spot.side:
                        raise NoLatticeError
    return sides


def operand_params(lattice: Lattice, lane: Lane, roles: dict[str, int], spot: Spot) -> list[int]:
    """The cell's Parameters among an op's operands."""
    if spot.role not in roles:
        return []
    inputs = spot.params or lattice.nodes[roles[spot.role]].inputs
    return [i for i in inputs if i in lane.uses]


def _stack(
    lanes: list[Lane],
    templates: dict[Lane, Template],
    sides: dict[int, str],
    top: float,
    feed: float | None,
) -> tuple[float, list[Bus], float]:
    """Where one row stands above the last: its base, its buses, and the top of it all.

    The lowest row has room for the line that feeds its inputs (``feed``, else None).
    """
    over = [p for p, side in sides.items() if side == "above"]
    under = [p for p, side in sides.items() if side == "below"]
    low = min(templates[lane].frame[1] for lane in lanes)
    high = max(templates[lane].frame[3] for lane in lanes)
    below = max(templates[lane].below for lane in lanes) + (feed or 0.0)
    above = max(templates[lane].above for lane in lanes)
    depth = below + BUS_PITCH * (len(under) - 1) + PARAM_HEIGHT / 2 if under else 40.0
    base = 0.0 if feed is not None else top + ROW_GAP + depth - low
    buses = [Bus(p, "below", base + low - below - BUS_PITCH * k) for k, p in enumerate(under)]
    count = len(over) - 1
    buses += [
        Bus(p, "above", base + high + above + BUS_PITCH * (count - k)) for k, p in enumerate(over)
    ]
    height = above + BUS_PITCH * count + PARAM_HEIGHT / 2 if over else 0.0
    return base, buses, base + high + height


def _fold_width(
    lattice: Lattice, lanes: list[Lane], templates: dict[Lane, Template], slot: Slot
) -> float:
    """Room for the words and, below the frame, the inputs beside the dashed taps."""
    taps = max(len(lattice.rows[lane.row].params) for lane in lanes)
    more = max((templates[lane].inputs for lane in lanes), key=len)
    named = ["x", *(role.removeprefix("x_") for role in more)]
    inputs = sum(
        text_width(span(name, slot.first, slot.last), style.STATE, True) + 14 for name in named
    )
    words = text_width(fold_count(slot), style.NAME, True) + 16
    heading = text_width(fold_heading(slot), style.TITLE) + 24
    return max(110.0, words, heading, inputs + 14 + FOLD_TAP * taps + 6)


def step_id(lane: Lane, slot: Slot) -> str:
    """The id of a step's frame, which its parts' ids begin with."""
    return f"{lane.key}.t{slot.first}"


def entry_height(plan: Plan, lane: Lane, state: str) -> float:
    """The height at which a state comes in, and its pill stands."""
    return plan.templates[lane].entry(state) + plan.bases[lane.row]
