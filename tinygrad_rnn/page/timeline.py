"""When is a use, and what do the uses of each time add? Before all steps, at a step, or after them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..engine.values import Array
from ..graphs.accounts import Account
from ..graphs.readback import norm
from ..graphs.recorded import RecordedGraph

MOST = 1 << 22  # numbers of contributions that are made at once


class Added(NamedTuple):
    """By column the norm of what its uses add, their part along the whole gradient G, and the running norm.

    ``whole`` is |G|, ``cancels`` the share of the norms that cancels in the sum.
    """

    norms: Array
    along: Array
    running: Array
    whole: float
    cancels: float


class Timeline:
    """The columns of the slider, in the order of time: -1 before all steps, the steps, -2 after them."""

    def __init__(self, graph: RecordedGraph) -> None:
        self._graph = graph
        raw = graph._raw
        self._last = max((i for i, n in enumerate(raw) if n.place.step is not None), default=-1)
        found = graph.every_step
        for name in graph.parameters:
            found.update(self._at(use.step, use.node) for use in graph.uses(name))
        self.positions = sorted(found, key=lambda p: (p == -2, p))
        self._index = {p: k for k, p in enumerate(self.positions)}

    def of_uses(self, name: str) -> Array:
        """The column of every use of a Parameter, in the order of the steps, those outside time last."""
        inside: list[range] = []
        outside: list[int] = []
        for use in self._graph.uses(name):
            column = self._index[self._at(use.step, use.node)]
            if use.step is None:
                outside.append(column)
            else:
                call = self._graph._raw[use.node].place.call
                times = 1 if call is None else self._graph._weight(call)
                inside.append(range(column, column + times))
        stretches = [np.asarray(each) for each in inside]
        return np.concatenate([np.sort(np.concatenate([[], *stretches])), outside]).astype(int)

    def _of_all(self, account: Account) -> Array:
        """The column of every use of a Parameter."""
        column = np.empty(len(account), int)
        steps = account.step_numbers
        known = np.array([p for p in self.positions if p >= 0], int)
        places = np.array([self._index[p] for p in known.tolist()], int)
        inside = steps >= 0
        column[inside] = places[np.searchsorted(known, steps[inside])]
        for at, entry in account.alone_at():
            if entry.step is None:
                node = self._graph._index.get(id(entry.node), self._last + 1)
                column[at] = self._index[self._at(None, node)]
        return column

    def added(self, account: Account, shape: tuple[int, ...]) -> Added:
        """What each column adds to a gradient, from the last column to the first."""
        count, column = len(self.positions), self._of_all(account)
        order = np.argsort(column, kind="stable")
        used, starts = np.unique(column[order], return_index=True)
        ends = np.append(starts[1:], len(order))
        whole = np.zeros(int(np.prod(shape, dtype=int)))
        norms, running, along = np.zeros(count), np.zeros(count), np.zeros(count)
        with np.errstate(all="ignore"):
            last = len(used)
            while last:  # as many columns at once as fit
                high = int(ends[last - 1])
                fits = np.searchsorted(starts[:last], high - max(MOST // max(whole.size, 1), 1))
                first = min(int(fits), last - 1)
                low = int(starts[first])
                made = account.contributions(order[low:high]).reshape(high - low, -1)
                parts = made[::-1].astype(np.float64)  # from the last on
                if high - low > last - first:
                    parts = np.add.reduceat(parts[::-1], starts[first:last] - low)[::-1]
                here = used[first:last][::-1]
                norms[here] = _sizes(parts)
                parts[0] += whole
                tails = np.cumsum(parts, 0, out=parts)
                running[here] = _sizes(tails)
                whole, last = tails[-1].copy(), first
            place = np.searchsorted(used, np.arange(count))  # a column without uses adds nothing
            running = np.append(running[used], 0.0)[place]
            length, total = norm(whole), float(norms.sum())
            if length:
                np.add.at(along, column, account.along(whole.reshape(shape)) / length)
        cancels = max(0.0, 1 - length / total) if total and np.isfinite(total) else 0.0
        return Added(norms, along, running, length, cancels)

    def _at(self, step: int | None, node: int) -> int:
        if step is not None:
            return step
        return -1 if node < self._last else -2


def _sizes(rows: Array) -> Array:
    """The norm of every row."""
    sizes: Array = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return sizes
