"""The columns of a picture: which steps are drawn one by one, and which are folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# How many cells, or op-level steps, are drawn one by one before the middle is folded to so many at both ends.
CELLS, OP_STEPS, ENDS = 6, 4, 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the picture: one step, or several that are folded into one dashed box.

    ``steps`` are those that were read; ``last`` is the last step, counted from 1 as pictures do, and
    ``count`` how many there are with those that others stand for.
    """

    steps: tuple[int, ...]
    folded: bool
    last: int
    count: int

    @property
    def first(self) -> int:
        """The first step, counted from 1."""
        return self.steps[0] + 1


def fold(
    steps: Sequence[int],
    limit: int,
    shown: Sequence[int] | None = None,
    times: Mapping[int, int] | None = None,
) -> list[Column]:
    """Columns for ``steps``: each its own, or the first and last two and the rest in one between.

    ``times`` says of steps how many they stand for, themselves and those after them, where that is
    more than one.

    >>> [column.count for column in fold(range(100), 6)]
    [1, 1, 96, 1, 1]
    """
    ends, times = ENDS, times or {}

    def column(members: Sequence[int], folded: bool) -> Column:
        last = members[-1] + times.get(members[-1], 1)
        return Column(tuple(members), folded, last, sum(times.get(s, 1) for s in members))

    if shown is None:
        if sum(times.get(s, 1) for s in steps) <= max(limit, 2 * ends + 1):
            return [column([s], False) for s in steps]
        keep = {*steps[:ends], *steps[-ends:]}
    else:
        end = steps[-1] + times.get(steps[-1], 1)
        keep = {s if s >= 0 else end + s for s in shown}
        if missing := sorted(keep.difference(steps)):
            raise ValueError(
                f"steps={list(shown)}: the graph has no step {missing[0]}; "
                f"its steps are {steps[0]} to {end - 1}"
            )
    columns: list[Column] = []
    hidden: list[int] = []
    for step in steps:
        if step not in keep:
            hidden.append(step)
            continue
        if hidden:
            columns.append(column(hidden, True))
            hidden = []
        columns.append(column([step], False))
    return [*columns, column(hidden, True)] if hidden else columns
