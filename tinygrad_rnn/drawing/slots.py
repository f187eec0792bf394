"""The columns of a picture: which steps are drawn one by one, and which are folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import style


@dataclass(frozen=True, slots=True)
class Slot:
    """A column of the picture: one step, or several that are folded into one dashed box."""

    steps: tuple[int, ...]
    folded: bool

    @property
    def first(self) -> int:
        """The first step, counted from 1 as pictures do."""
        return self.steps[0] + 1

    @property
    def last(self) -> int:
        """The last step, counted from 1."""
        return self.steps[-1] + 1


def fold(steps: Sequence[int], limit: int, shown: Sequence[int] | None = None) -> list[Slot]:
    """Columns for ``steps``: each its own, or the first and last two and the rest in one between.

    >>> [len(slot.steps) for slot in fold(range(100), 6)]
    [1, 1, 96, 1, 1]
    """
    ends = style.ENDS
    if shown is None:
        if len(steps) <= max(limit, 2 * ends + 1):
            return [Slot((s,), False) for s in steps]
        keep = {*steps[:ends], *steps[-ends:]}
    else:
        keep = {steps[s] if -len(steps) <= s < 0 else s for s in shown}
        if missing := sorted(keep.difference(steps)):
            raise ValueError(
                f"steps={list(shown)}: the graph has no step {missing[0]}; "
                f"its steps are {steps[0]} to {steps[-1]}"
            )
    slots: list[Slot] = []
    hidden: list[int] = []
    for step in steps:
        if step not in keep:
            hidden.append(step)
            continue
        if hidden:
            slots.append(Slot(tuple(hidden), True))
            hidden = []
        slots.append(Slot((step,), False))
    return [*slots, Slot(tuple(hidden), True)] if hidden else slots
