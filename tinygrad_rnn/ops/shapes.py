"""Which rows move values without changing them? Reshape, permute, join, split."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from ..engine.autograd import spread
from ..engine.scatter import AtOutput
from .row import Row, row

Shape = tuple[int, ...]


def _along(axis: int, index: Any) -> tuple[Any, ...]:
    """An index into one axis, all of the axes before it whole."""
    return (slice(None),) * axis + (index,)


def _split(a: Any, sizes: Shape, axis: int) -> list[Any]:
    return [a[window] for window in _windows(sizes, axis)]


def _unbound(a: Any) -> list[Any]:
    """The slices along the first axis; those of a vector are 0-d arrays, which its items are not."""
    return list(a) if a.ndim > 1 else [a[i, ...] for i in range(a.size)]


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


def _pad(a: Any, widths: tuple[tuple[int, int], ...], value: float) -> Any:
    """``value`` before and after along each axis; a negative width cuts off instead."""
    shape = [n + before + after for n, (before, after) in zip(a.shape, widths, strict=True)]
    if any(side < 0 for side in shape):
        raise ValueError(f"pad by {widths} cuts off more than there is")
    out = np.full(shape, value, a.dtype)
    to = tuple(
        slice(max(before, 0), side - max(after, 0))
        for side, (before, after) in zip(shape, widths, strict=True)
    )
    kept = tuple(
        slice(max(-before, 0), n - max(-after, 0))
        for n, (before, after) in zip(a.shape, widths, strict=True)
    )
    if 0 not in shape:
        out[to] = a[kept]
    return out


def stretched(a: Any) -> bool:
    """Whether some elements of an array lie in one place, as expanding leaves them."""
    if 0 not in a.strides or not a.size:  # an empty array has strides of 0, and no elements
        return False
    return any(s == 0 and n > 1 for n, s in zip(a.shape, a.strides, strict=True))


def solid(a: Any) -> Any:
    """An array each of whose elements has its own place: what is no view may be written."""
    return a.copy() if stretched(a) else a


def _stacked(arrays: Any, axis: int) -> Any:
    return np.stack(arrays, axis) if len(arrays) > 1 else _opened(solid(arrays[0]), axis)


def _plain(parts: Any) -> bool:
    """Whether gradients are arrays, none of which is to be recorded."""
    return all(part.__class__ is np.ndarray for part in parts)


def _untiled(g: Any, shape: Shape, times: Shape) -> Any:
    """The sum over the copies of each element; there are as many ``times`` as axes of g."""
    sides = (1,) * (len(times) - len(shape)) + shape
    pairs = [side for pair in zip(times, sides, strict=True) for side in pair]
    return g.reshape(tuple(pairs)).sum(axis=tuple(range(0, len(pairs), 2))).reshape(shape)


reshape = row(
    "reshape",
    lambda a, to: a.reshape(to),
    lambda g, _y, shape, to: g.reshape(shape),
    view=True,
)
permute: Row = row(
    "permute",
    lambda a, axes: a.transpose(axes),
    lambda g, _y, _a, axes: permute(g, _inverse(axes)),
    view=True,
)
broadcast = row(
    "broadcast",
    lambda a, to: spread(a, to) if a.size == 1 and a.ndim <= len(to) else np.broadcast_to(a, to),
    lambda g, _y, _a, to: g,  # the engine sums it back to the operand's shape
    view=True,
)
flip: Row = row(
    "flip",
    lambda a, axes: np.flip(solid(a), axes),
    lambda g, _y, _a, axes: flip(g, axes),
    made_of=lambda a, axes: a[
        tuple([slice(None, None, -1 if i in axes else None) for i in range(len(a.shape))])
    ],
)
roll: Row = row(
    "roll",
    lambda a, shifts, axes: np.roll(a, shifts, axes),
    lambda g, _y, _a, shifts, axes: roll(g, tuple([-k for k in shifts]), axes),
    made_of=lambda a, shifts, axes: _roll_of(a, shifts, axes),
)
pad: Row = row(
    "pad",
    lambda a, widths, value: _pad(a, widths, value),
    lambda g, _y, _a, widths, value: pad(g, tuple([(-a, -b) for a, b in widths]), 0.0),
    made_of=lambda a, widths, value: _pad_of(a, widths, value),
)
tile = row(
    "tile",
    lambda a, times: np.tile(a, times),
    lambda g, _y, shape, times: _untiled(g, shape, times),
    made_of=lambda a, times: _tile_of(a, times),
)
cat = row(
    "cat",
    lambda arrays, axis, offsets: np.concatenate(arrays, axis),
    lambda i, g, _y, _a, axis, offsets: g[_along(axis, slice(offsets[i], offsets[i + 1]))],
    variadic=True,
    promote=0,
)
stack = row(
    "stack",
    _stacked,
    lambda i, g, _y, _a, axis: g[_along(axis, i)],
    variadic=True,
    promote=0,
    made_of=lambda *arrays_and_axis: _stack_of(*arrays_and_axis),
)
split = row(
    "split",
    _split,
    lambda g, _y, _a, sizes, axis: (
        np.concatenate(g, axis) if _plain(g) else cat(*g, axis, _offsets(sizes))
    ),
    several=True,
    view=True,
)
unbind = row(
    "unbind",
    lambda a, axis: _unbound(a if axis == 0 else np.moveaxis(a, axis, 0)),
    lambda g, _y, _a, axis: _stacked(g, axis) if _plain(g) else stack(*g, axis),
    several=True,
    view=True,
)
item = row("item", lambda parts, k: parts[k], lambda g, _y, _parts, k: AtOutput(k, g), sparse=True)


# ---- what some are made of ---------------------------------------------------------------------------


def _joined(parts: list[Any], axis: int) -> Any:
    return (
        cat(*parts, axis, _offsets(tuple([p.shape[axis] for p in parts])))
        if parts[1:]
        else parts[0]
    )


def _roll_of(a: Any, shifts: Any, axes: Any) -> Any:
    if axes is None:
        return _roll_of(a.reshape((-1,)), (shifts,), (0,)).reshape(a.shape)
    for k, axis in zip(np.ravel(shifts).tolist(), np.ravel(axes).tolist(), strict=True):
        n = a.shape[axis]
        cut = -k % n if n else 0
        if cut:
            a = _joined([a[_along(axis, slice(cut, n))], a[_along(axis, slice(0, cut))]], axis)
    return a


def _pad_of(a: Any, widths: tuple[tuple[int, int], ...], value: float) -> Any:
    for axis, (before, after) in enumerate(widths):
        n = a.shape[axis]
        if before < 0 or after < 0:
            a = a[_along(axis, slice(max(-before, 0), n - max(-after, 0)))]
        parts = [a]
        for width, at in ((before, 0), (after, 2)):
            if width > 0:
                shape = (*a.shape[:axis], width, *a.shape[axis + 1 :])
                parts.insert(at, np.full(shape, value, a.dtype))
        a = _joined(parts, axis)
    return a


def _tile_of(a: Any, times: Shape) -> Any:
    more = len(times) - len(a.shape)
    times = (1,) * -min(more, 0) + tuple(times)
    sides = (1,) * max(more, 0) + a.shape
    apart = tuple([n for side in sides for n in (1, side)])
    wide = tuple([n for pair in zip(times, sides, strict=True) for n in pair])
    whole = tuple([k * n for k, n in zip(times, sides, strict=True)])
    return broadcast(a.reshape(apart), wide).reshape(whole)


def _stack_of(*arrays_and_axis: Any) -> Any:
    *arrays, axis = arrays_and_axis
    return _joined([a.reshape((*a.shape[:axis], 1, *a.shape[axis:])) for a in arrays], axis)
