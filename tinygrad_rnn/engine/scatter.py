"""How is a gradient added that touches a part only, some places many times? In the same order every time.

``np.add.at`` says it, and takes 10 ns a number where rows are added. Here rows that go to one place are
brought together by a stable sort and added up at once; a mask names no place twice, and needs no more than
``+=``. The sums of a place are always formed in the same order, so that the same call gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from .values import Array, Value

_PAIRS = {"f": "F", "d": "D"}  # complex numbers, which add part by part
_FEW = 1 << 15  # numbers up to which one by one is quickest
_FULL = slice(None)
_TRUE = np.ones(1, bool)


def add_at(buffer: Array, index: Any, value: Array) -> None:
    """``np.add.at(buffer, index, value)``: an index that occurs twice adds twice."""
    parts = index if index.__class__ is tuple else (index,)
    parts = tuple(np.asarray(p) if p.__class__ is list else p for p in parts)
    arrays = [p for p in parts if isinstance(p, np.ndarray)]
    if len(arrays) == 1 and arrays[0].dtype.kind == "b":
        buffer[index] += value
        return
    places = _places(buffer, parts) if buffer.flags.c_contiguous else None
    if places is None or value.shape != places[1]:
        np.add.at(buffer, index, value)
    elif value.size:
        width = value.size // places[0].size
        _add_rows(buffer.reshape(-1, width), places[0], value.reshape(-1, width))


def _places(buffer: Array, parts: tuple[Any, ...]) -> tuple[Any, tuple[int, ...]] | None:
    """The rows of a buffer that an index names, and the shape of what it takes from there.

    Of indices like ``i``, ``(i, j)`` and ``(:, :, i, j)``, where i and j are integers; else None.
    """
    lead = 0
    while lead < len(parts) and parts[lead].__class__ is slice and parts[lead] == _FULL:
        lead += 1
    if not all(isinstance(p, (int, np.integer, np.ndarray)) for p in parts[lead:]):
        return None
    indices, end = [np.asarray(p) for p in parts[lead:]], len(parts)
    if any(i.dtype.kind not in "iu" for i in indices):
        return None
    sides = buffer.shape[lead:end]
    at: Any = 0
    for k, (index, side) in enumerate(zip(indices, sides, strict=True)):
        i = index.astype(np.intp, copy=False)
        if i.size and i.item(i.argmin()) < 0:  # sooner than a reduction
            i = np.where(i < 0, i + side, i)
        at = at * side + i if k else i
    at = np.asarray(at)
    shape = buffer.shape[:lead] + at.shape + buffer.shape[end:]
    at = at.ravel()
    if lead:
        blocks = np.arange(prod(buffer.shape[:lead])) * prod(sides)
        at = (blocks[:, None] + at).ravel()
    return at, shape


def _add_rows(buffer: Array, at: Array, rows: Array) -> None:
    """``buffer[at[k]] += rows[k]`` for all k, in a fixed order."""
    n, width = rows.shape
    if width == 1 or rows.size <= _FEW:
        pair = _PAIRS.get(buffer.dtype.char)
        if width % 2 == 0 and pair and rows.dtype == buffer.dtype:  # two numbers at a time
            buffer, rows = buffer.view(pair), np.ascontiguousarray(rows).view(pair)
            width //= 2
        one_by_one = at if width == 1 else (at[:, None] * width + np.arange(width)).ravel()
        np.add.at(buffer.reshape(-1), one_by_one, rows.ravel())
        return
    order = _sorted(at, len(buffer))
    there = at[order]
    starts = np.flatnonzero(np.concatenate((_TRUE, there[1:] != there[:-1])))
    counts = np.concatenate((starts[1:], [n])) - starts
    most = int(counts.max())
    if most == 1:
        buffer[at] += rows
    elif most * 1000 > rows.size:
        buffer[there[starts]] += np.add.reduceat(rows[order], starts, axis=0)
    else:  # the first row of each place, then the second of each that has one, ...: places with most first
        by_count = np.argsort(-counts, kind="stable")
        again = np.arange(n) - np.repeat(starts, counts)  # how often its place came before
        rank = np.empty_like(starts)
        rank[by_count] = np.arange(len(starts))
        in_turns = _sorted(again * len(starts) + np.repeat(rank, counts), most * len(starts))
        rows = rows.take(order[in_turns], 0)
        first, *more = np.bincount(again).tolist()
        total, k = rows[:first], first
        for m in more:
            total[:m] += rows[k : k + m]
            k += m
        buffer[there[starts[by_count]]] += total


def _sorted(keys: Array, count: int) -> Array:
    """The stable order of keys below ``count``; few different ones are sorted by their digits."""
    return np.argsort(keys.astype(np.uint16) if count <= 1 << 16 else keys, kind="stable")


# ---- gradients that touch a part only ---------------------------------------------------------


class At:
    """A gradient that is zero but at ``index``: what the rule of an indexing op returns."""

    __slots__ = ("index", "value")
    recorded_sum: ClassVar[Callable[[list[At], Value], Any]]  # set by the row that makes them

    def __init__(self, index: Any, value: Any) -> None:
        self.index = index
        self.value = value

    def add_to(self, buffer: Array) -> None:
        """Add into a dense buffer; an index that occurs twice adds twice."""
        if is_basic(self.index):
            buffer[self.index] += self.value
        else:
            add_at(buffer, self.index, self.value)

    def dense(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """The same gradient as a full array."""
        buffer = np.zeros(shape, dtype)
        self.add_to(buffer)
        return buffer


class AtOutput:
    """The gradient of one item of an op that has several outputs."""

    __slots__ = ("position", "value")

    def __init__(self, position: int, value: Any) -> None:
        self.position = position
        self.value = value


def is_basic(index: Any) -> bool:
    """Whether an index takes a view: integers, slices, ``None`` and ``...``."""
    for p in index if isinstance(index, tuple) else (index,):
        if p.__class__ is int or p.__class__ is slice or p is None or p is Ellipsis:
            continue
        if not isinstance(p, int) or isinstance(p, bool):
            return False
    return True
