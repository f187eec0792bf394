"""Rows that move values without changing them: reshape, permute, join, split."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from ..autograd import Part
from .row import Row, row

Shape = tuple[int, ...]


def _along(axis: int, index: Any) -> tuple[Any, ...]:
    """An index into one axis, all of the axes before it whole."""
    return (slice(None),) * axis + (index,)


def _split(a: Any, sizes: Shape, axis: int) -> list[Any]:
    return [a[window] for window in _windows(sizes, axis)]


@functools.lru_cache(maxsize=256)
def _windows(sizes: Shape, axis: int) -> tuple[Any, ...]:
    """The index of each part."""
    offsets = _offsets(sizes)
    return tuple(_along(axis, slice(*ends)) for ends in itertools.pairwise(offsets))


def _inverse(axes: Shape) -> Shape:
    return tuple([axes.index(i) for i in range(len(axes))])


def _opened(a: Any, axis: int) -> Any:
    """An array with a new axis of length 1."""
    return a.reshape((*a.shape[:axis], 1, *a.shape[axis:]))


@functools.lru_cache(maxsize=256)
def _offsets(sizes: Shape) -> Shape:
    """Where parts of these sizes begin, and where the last ends."""
    return (0, *itertools.accumulate(sizes))


reshape = row(
    "reshape",
    lambda a, to: a.reshape(to),
    lambda g, _y, shape, to: g.reshape(shape),
)
permute: Row = row(
    "permute",
    lambda a, axes: a.transpose(axes),
    lambda g, _y, _a, axes: permute(g, _inverse(axes)),
)
broadcast = row(
    "broadcast",
    lambda a, to: np.broadcast_to(a, to),
    lambda g, _y, _a, to: g,  # the engine sums it back to the operand's shape
)
flip: Row = row("flip", lambda a, axes: np.flip(a, axes), lambda g, _y, _a, axes: flip(g, axes))
cat = row(
    "cat",
    lambda arrays, axis, offsets: np.concatenate(arrays, axis),
    lambda i, g, _y, _a, axis, offsets: g[_along(axis, slice(offsets[i], offsets[i + 1]))],
    variadic=True,
    promote=0,
)
stack = row(
    "stack",
    lambda arrays, axis: np.stack(arrays, axis) if len(arrays) > 1 else _opened(arrays[0], axis),
    lambda i, g, _y, _a, axis: g[_along(axis, i)],
    variadic=True,
    promote=0,
)
split = row(
    "split",
    _split,
    lambda g, _y, _a, sizes, axis: cat(*g, axis, _offsets(sizes)),
    several=True,
)
unbind = row(
    "unbind",
    lambda a, axis: list(a if axis == 0 else np.moveaxis(a, axis, 0)),
    lambda g, _y, _a, axis: stack(*g, axis),
    several=True,
)
item = row("item", lambda parts, k: parts[k], lambda g, _y, _parts, k: Part(k, g), sparse=True)
