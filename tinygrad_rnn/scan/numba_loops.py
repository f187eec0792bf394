"""How do loops of machine code run? Forward in one run, backward in blocks of steps."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine.values import Array, Grad
from .applied import offer
from .batched import TIME, Lines
from .loop_nests import Nests
from .numba_text import NumbaText
from .numpy_loops import NumpyLoops, Unsupported
from .runtime import Flow, empty
from .schedule import Schedule
from .threads import in_parts

CACHE = 1 << 20  # bytes that backward may leave for its sums, to be still in the cache then


class NumbaLoops(NumpyLoops):
    """A schedule as two functions whose loops are machine code."""

    name = "numba"
    aliases = turns = False
    skips = True

    def __init__(self, schedule: Schedule, why: str = "") -> None:
        super().__init__(schedule, why)
        offer()
        gradients = schedule.program.gradients.items()
        sums = self._bytes(v for role, v in gradients if role[0] == "w")
        each = self._bytes(schedule.stored)
        self.block = CACHE // max(each, 1)  # steps whose part of backward fits the cache
        if 3 * sums > CACHE:  # adding to the sums again and again would cost more
            self.block = sys.maxsize
        self.block = max(self.block, 1)

    def _bytes(self, which: Iterable[int]) -> int:
        """How much memory some values take at one step."""
        values = [self.program.values[v] for v in which]
        return sum(int(np.prod(v.shape)) * np.dtype(v.dtype).itemsize for v in values)

    def backward(
        self, kept: Any, steps: int, dy: Array, dstates: list[Grad], first: bool = True
    ) -> Flow:
        """As ``NumpyLoops.backward``, a block of steps at a time where there are many.

        What the loop leaves for the sums over time is summed while it is still in the cache.
        """
        block, skip = self.block, -1 if first else 0
        if steps // 2 < block:
            dx, dstates, sums = self._backward(steps, kept, dy, *dstates, skip=skip)
            return dx, dstates if first else [None] * len(dstates), sums
        dx, sums = None, None
        for stop in range(steps, 0, -block):
            start = max(stop - block, 0)
            part = self.part(kept, start, stop)
            of_x, dstates, found = self._backward(
                stop - start, part, dy[start:stop], *dstates, skip=-1 if start else skip
            )
            if of_x is not None:
                if dx is None:
                    dx = empty((steps, *of_x.shape[1:]), of_x.dtype, steps * of_x[0].nbytes)
                dx[start:stop] = of_x
            sums = added(sums, found)
        return dx, dstates if first else [None] * len(dstates), sums or []

    def sequence(self) -> tuple[Any, Any]:
        """(prepare, run): as ``stream``, for any number of steps."""
        first = self._of_weights()
        lines, arguments = self._until_the_loop_is_over(False, first)
        lines.lines.insert(0, f"{TIME} = len({arguments[0]})")
        last = [f"S{k}[-1:]" for k in self.schedule.state_in.values()]
        lines.line(f"return {', '.join([self.y, *last])}")
        return self._prepared(first, lines, arguments, "run")

    def part(self, kept: Any, start: int, stop: int) -> list[Any]:
        """What forward kept of some steps, or rows: slices of what is over time."""
        pairs = zip(kept, self.over_time, strict=True)
        return [a[start:stop] if over_time else a for a, over_time in pairs]

    def loop(self, lines: Lines, backward: bool, stored: frozenset[int]) -> None:
        """Write the arguments of a loop, and its call."""
        before = lines.copied()
        loop = NumbaText(self.schedule, backward, stored, lines)
        try:
            kept = loop.compiled()
            divides = loop.divides()
        except Unsupported:  # no rows of columns
            if not self.schedule.fused:
                raise
            lines.reset(before)
            loop = Nests(self.schedule, backward, stored, lines)
            kept, divides = loop.compiled(), False
        self.loops[backward] = kept
        width = int(np.prod(self.program.values[self.program.y].shape))

        def first(*arguments: Any) -> None:
            kept(*arguments)
            function = kept.function  # from now on without a detour
            lines.space["loop"] = in_parts(function, loop.rows, width) if divides else function

        lines.space["loop"] = first
        head = [TIME, str(loop.rows), *["skip"] * backward]
        if self.ragged:
            head[:2] = ["rows.steps", "rows.batch", "rows.starts"]
        elif not backward:
            head += [str(loop.rows), "0"]
        lines.line(f"loop({', '.join([*head, *loop.arguments.values()])})")


def added(sums: list[Grad] | None, found: list[Grad]) -> list[Grad]:
    """The sums over time of the blocks so far and of one more; None for what no gradient came to."""
    if sums is None:
        return found
    both = zip(sums, found, strict=True)
    return [b if a is None else a if b is None else a + b for a, b in both]


__all__ = ["NumbaLoops", "Unsupported", "added"]
