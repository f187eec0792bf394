"""Which way a lane runs: where its states come in and leave, to the right or to the left."""

from __future__ import annotations

from .lanes import Lane, Output
from .shapes import Picture
from .slots import Slot
from .style import Look
from .unroll import Lattice

BESIDE, ASIDE = (
    16.0,
    5.0,
)  # joined outputs: more room in a gap, and how far from a pill a line goes up


HANDOVER = 8.0  # between two lines that hand states on to another lane


class Rails:
    """What the plans of both levels share."""

    lattice: Lattice
    gap: float
    pill: float
    looks: dict[str, Look]
    picture: Picture

    def entry(self, lane: Lane, state: str) -> float:
        """The height at which a state comes in, and its pill stands."""
        raise NotImplementedError

    def edges(self, lane: Lane, slot: Slot) -> tuple[float, float]:
        """The left and the right side of a slot's box."""
        raise NotImplementedError

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

    def beside_left(self, lane: Lane, slot: Slot) -> float:
        """The x of a line that goes up in the gap left of a slot, between the pill and the box."""
        return self.edges(lane, slot)[0] - (self.gap - self.pill) / 2 + ASIDE

    def beside_right(self, lane: Lane, slot: Slot) -> float:
        """The x of a line that goes up in the gap right of a slot, between the box and the pill."""
        return self.edges(lane, slot)[1] + (self.gap - self.pill) / 2 - ASIDE


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
