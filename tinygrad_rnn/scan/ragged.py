"""How does a batch of sequences of several lengths run in the time of its valid steps alone?

Its rows, one a sequence and step, are put one after another, step by step, the longest sequence first: the
sequences that go on at a step are then the first rows of those that went on before. The loops of machine code
run over as many rows as there are; what stands around them sees one row a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..engine.values import Array, Grad
from ..nn.compiling import Ran
from .numba_loops import NumbaLoops, added
from .runtime import Flow, empty


@dataclass(slots=True)
class ValidRows:
    """Where the rows of each step begin, and where the state lies from which each row starts.

    ``before`` and ``last`` (of each sequence its last state) count in the array of states, in which the
    ``batch`` first ones come before those that the steps made.
    """

    batch: int
    starts: Array
    before: Array | None
    last: Array | None

    @property
    def steps(self) -> int:
        """The length of the longest sequence."""
        return len(self.starts) - 1

    def part(self, first: int, stop: int) -> ValidRows:
        """Of some steps."""
        return ValidRows(self.batch, self.starts[first : stop + 1] - self.starts[first], None, None)


class Ragged:
    """The layout of a batch: what its rows are in an array (time, batch, features), and back."""

    def __init__(self, lengths: Array, steps: int) -> None:
        self.order = order = np.argsort(-lengths, kind="stable")
        size, batch = lengths[order], len(lengths)
        counts = (size > np.arange(size[0])[:, None]).sum(1)
        starts = np.concatenate([[0], np.cumsum(counts)])
        t = np.repeat(np.arange(size[0]), counts)
        b = np.arange(starts[-1]) - starts[t]
        self.shape, self.count = (steps, batch), int(starts[-1])
        self.forward = t * batch + order[b]
        self.backward = (size[b] - 1 - t) * batch + order[b]
        self.back = np.argsort(order)
        before = np.where(t, batch + starts[t - 1] + b, b)
        last = np.where(size, batch + starts[size - 1] + np.arange(batch), np.arange(batch))
        self.rows = ValidRows(batch, starts, before, last[self.back])

    def over(self, loops: RaggedLoops, backwards: bool = False) -> OverRows:
        """The loops as others are called; ``backwards`` for a cell that comes from the end."""
        return OverRows(loops, self, backwards)

    def packed(self, a: Array, backwards: bool) -> Array:
        """The valid rows of an array (time, batch, features), as (rows, 1, features)."""
        flat = a.reshape(-1, a.shape[-1])
        out = empty((self.count, a.shape[-1]), a.dtype, self.count * a[0, 0].nbytes)
        flat.take(self.backward if backwards else self.forward, 0, out, "clip")
        return out[:, None]

    def padded(self, a: Array, backwards: bool) -> Array:
        """Rows as an array (time, batch, features), with 0 where no step is valid."""
        found = np.zeros((self.shape[0] * self.shape[1], a.shape[-1]), a.dtype)
        found[self.backward if backwards else self.forward] = a[:, 0]
        return found.reshape(*self.shape, -1)


@lru_cache(maxsize=64)
def layout(lengths: bytes, steps: int) -> Ragged | None:
    """The layout of a batch by its lengths: training asks for the same ones again.

    None where no step is valid, and for lengths that are none.
    """
    given = np.frombuffer(lengths, np.intp)
    if not given.any() or given.min() < 0 or given.max() > steps:
        return None
    return Ragged(given, steps)


class RaggedLoops(NumbaLoops):
    """The loops of a step of one row, over the rows of a ragged batch."""

    ragged = True

    def run(self, layout: Ragged, arrays: list[Any], keep: bool) -> Any:
        """As ``tried``: input (rows, 1, features), then states of the batch, then weights."""
        end = len(self.program.states) + 1
        x, states, weights = arrays[0], arrays[1:end], arrays[end:]
        states = [a.take(layout.order, 0) for a in states]
        taken: list[Any] = [x, *states, *weights, layout.rows]
        return self.tried(taken, len(x), keep)

    def gradients(
        self, layout: Ragged, kept: Any, dy: Any, last: list[Any], asked: bool = True
    ) -> Any:
        """As ``backward``, a block of steps at a time where there are many."""
        rows, skip = layout.rows, -1 if asked else 0
        dstates = [None if d is None else d.take(layout.order, 0) for d in last]
        if layout.count <= self.block:
            of_x, dstates, sums = self._backward(len(dy), kept, dy, *dstates, rows, skip=skip)
        else:
            of_x, dstates, sums = self._in_blocks(rows, kept, dy, dstates, skip)
        if not asked:
            return of_x, [None] * len(dstates), sums
        return of_x, [d if d is None else d.take(layout.back, 0) for d in dstates], sums

    def _in_blocks(self, rows: ValidRows, kept: Any, dy: Any, dstates: list[Any], skip: int) -> Any:
        stop, dx, sums = rows.steps, [], None
        while stop:
            first = int(np.searchsorted(rows.starts, rows.starts[stop] - self.block))
            first = min(first, stop - 1)
            low, high = rows.starts[first], rows.starts[stop]
            of_x, dstates, found = self._backward(
                int(high - low),
                self.part(kept, low, high),
                dy[low:high],
                *dstates,
                rows.part(first, stop),
                skip=-1 if first else skip,
            )
            dx.append(of_x)
            sums = added(sums, found)
            stop = first
        return None if dx[0] is None else np.concatenate(dx[::-1]), dstates, sums


@dataclass(slots=True)
class OverRows:
    """A batch's loops, called as other loops are: what they take and give is (time, batch, features)."""

    loops: RaggedLoops
    layout: Ragged
    backwards: bool

    @property
    def name(self) -> str:
        """The back end."""
        return self.loops.name

    @property
    def ran(self) -> Ran:
        """The back end, and why."""
        return self.loops.ran

    def tried(self, inputs: list[Array], _steps: int, keep: bool) -> tuple[Array, list[Array], Any]:
        """As ``NumpyLoops.tried``."""
        x, *more = inputs
        x = self.layout.packed(x, self.backwards)
        y, finals, kept = self.loops.run(self.layout, [x, *more], keep)
        return self.layout.padded(y, self.backwards), finals, kept

    def backward(
        self, kept: Any, _steps: int, dy: Array, dstates: list[Grad], first: bool = True
    ) -> Flow:
        """As ``NumpyLoops.backward``."""
        dy = self.layout.packed(dy, self.backwards)
        dx, *others = self.loops.gradients(self.layout, kept, dy, dstates, first)
        return None if dx is None else self.layout.padded(dx, self.backwards), *others
