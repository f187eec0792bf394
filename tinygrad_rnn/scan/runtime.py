"""What do loops, and the lines around them, call while they run? Memory, views, ops, weights laid out.

Large arrays are used again: fresh memory costs a page fault every 4 kB, more than the work done on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, lru_cache
from math import prod
from typing import Any, Literal
from weakref import ref

import numpy as np

from ..engine.values import Array, DType, Grad
from ..ops.row import ROWS
from ..ops.without_gradient import numpys
from .program import Labels, Value
from .threads import MEMORY
from .tracing import bare_constant

Flow = tuple[Grad, list[Grad], list[Grad]]  # gradients of x, of the states, of the weights
TIME = -1  # the label of time in an einsum
LEAST = 1 << 16  # bytes from which reuse pays
MOST = 1 << 28  # bytes that are held for reuse at most
_held: dict[int, list[Array]] = {}
_total = 0


def empty(shape: tuple[int, ...], dtype: DType, size: int) -> Array:
    """``np.empty(shape, dtype)``, of ``size`` bytes, where it can in memory that we have done with.

    An array is free when nobody but the list here refers to it: every view keeps it.
    """
    global _total
    if size < LEAST or size > MOST // 4:
        return np.empty(shape, dtype)
    with MEMORY:
        held = _held.setdefault(size, [])
        for k in range(len(held)):
            if sys.getrefcount(held[k]) == 2:
                return held[k].view(dtype).reshape(shape)
        while _total + size > MOST and _drop(size):
            pass
        block = np.empty(size, np.uint8)
        if _total + size <= MOST:
            held.append(block)
            _total += size
        return block.view(dtype).reshape(shape)


def _drop(size: int) -> bool:
    """Give one free block of another size back to the system."""
    global _total
    for other, blocks in _held.items():
        for k in range(len(blocks)):
            if other != size and sys.getrefcount(blocks[k]) == 2:
                del blocks[k]
                _total -= other
                return True
    return False


# ---- arrays --------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def ones(count: int, dtype: DType) -> Array:
    """So many ones, for a sum as a product."""
    return np.ones(count, dtype)


def begun(
    given: Grad, shape: tuple[int, ...], dtype: DType, order: Literal["C", "F"] = "C"
) -> Array:
    """How the gradient of a state begins: as it was given, or zeros."""
    if given is None:
        return np.zeros(shape, dtype, order)
    return np.array(given.reshape(shape), dtype, order=order)


def each(a: Array) -> list[Array]:
    """The numbers of an array over time, each as an array without axes."""
    return [a[t, ...] for t in range(len(a))]


def full(a: Array, shape: tuple[int, ...], order: Literal["C", "F"]) -> Array:
    """An array broadcast to a shape, with memory for all of it."""
    return np.array(np.broadcast_to(a, shape), order=order)


def of_shape(a: Array, shape: tuple[int, ...]) -> Array:
    """An array of a shape: as it is where it has it. What is a view must be copied to become a gradient."""
    return a if a.shape == shape else a.reshape(shape)


def whole(a: Array) -> Array:
    """An array in one piece, in the order of its axes."""
    if a.flags.c_contiguous:
        return a
    out = empty(a.shape, a.dtype, a.nbytes)
    np.copyto(out, a)
    return out


def turn(a: Array) -> Array:
    """An array (time, batch, features) laid out with the features first."""
    return whole(a.transpose(0, 2, 1)).transpose(0, 2, 1)


def window(low: int, high: int) -> Callable[[Array], Array]:
    """A function that gives a range of an array's features."""
    return lambda a: a[..., low:high]


# ---- weights laid out for products ----------------------------------------------------------------

# A weight's array is never written while anything refers to it: a write, an optimizer's step, a loaded
# state dict, ``p.data = x`` install another one (``tensors.writing``). So what was made of an array stays
# right until the array goes, and goes with it: nothing has to be told that a weight has changed. The
# reference held here is a weak one, which counts where a write asks who else can see its memory.
_ready: dict[tuple[int, bool], _Ready] = {}


class _Ready(ref):  # type: ignore[type-arg]
    """What refers to an array, with its panels."""

    __slots__ = ("key", "panels")
    key: tuple[int, bool]
    panels: Array


def _gone(gone: _Ready) -> None:
    """An array is no more."""
    if _ready.get(gone.key) is gone:
        del _ready[gone.key]


def laid_out(w: Array, transposed: bool) -> Array:
    """A matrix (inner, width), or its transpose, in panels of columns as ``products`` reads them."""
    key = (id(w), transposed)
    found = _ready.get(key)
    if found is not None and found() is w:
        return found.panels
    flags = w.flags
    whole_panel = not transposed and w.shape[1] in _packer(w.itemsize * 8)[2]
    if whole_panel and flags.c_contiguous and flags.writeable:
        return w.reshape(-1)  # it lies so
    made = _Ready(w, _gone)
    made.key, made.panels = key, _packed(whole(w), transposed)
    _ready[key] = made  # whole, for other threads, and where packing fails
    return made.panels


def _packed(w: Array, transposed: bool) -> Array:
    inner, width = w.shape[:: -1 if transposed else 1]
    pack, lanes, _ = _packer(w.itemsize * 8)
    size = inner * (-(-width // lanes) * lanes)
    room = empty((size + lanes,), w.dtype, (size + lanes) * w.itemsize)
    place = room.__array_interface__["data"][0]
    begin = -place // w.itemsize % lanes  # else every vector lies in two cache lines
    panels = room[begin : begin + size]
    row, column = (1, inner) if transposed else (width, 1)
    pack(w, panels, inner, width, row, column)
    return panels


@cache
def _packer(bits: int) -> tuple[Any, int, frozenset[int]]:
    """What packs, how many numbers a vector has, and how many columns a panel may have."""
    from .machine_code import kernels
    from .products import LANES, WIDTHS

    return kernels(bits), LANES[bits], frozenset(n * LANES[bits] for n in WIDTHS)


# ---- ops -----------------------------------------------------------------------------------------


def by_step(function: Callable[..., Array], over_time: list[bool], *args: Array) -> Array:
    """What a function of one step's values gives at every step, of those that have time before their axes."""
    steps = len(args[over_time.index(True)])
    pairs = list(zip(args, over_time, strict=True))
    return np.stack(
        [function(*[a[t, ...] if each else a for a, each in pairs]) for t in range(steps)]
    )


def forward_of(value: Value) -> Callable[..., Array]:
    """A value as a function of its operands, by its op's own forward."""
    forward, dtype = _forward(value), value.dtype

    def call(*arrays: Array) -> Array:
        made: Array = forward(*arrays)  # Python numbers alone make one of the default dtype
        return made if made.dtype == dtype else made.astype(dtype)

    return call


def product_over_time(terms: tuple[Labels, Labels], to: Labels) -> Callable[[Array, Array], Array]:
    """An einsum of two values summed over all steps: a product of matrices, or one for each shared label.

    Its rows are what the first alone has, its columns what the second alone has; time is summed like the
    labels that the result has not.
    """
    a, b = terms
    every = [n for n in a if n in b and n in to]
    summed = [n for n in a if n not in to]
    rows, columns = ([n for n in to if n not in other] for other in (b, a))
    axes = [[*every, TIME, *summed, *own] for own in (rows, columns)]
    orders = [
        [(TIME, *term).index(n) for n in labels] for term, labels in zip(terms, axes, strict=True)
    ]
    back = [[*every, *rows, *columns].index(n) for n in to]
    low, high = len(every), len(every) + 1 + len(summed)

    def product(a: Array, b: Array) -> Array:
        first, second = a.transpose(orders[0]), b.transpose(orders[1])
        lead, here, there = first.shape[:low], first.shape[high:], second.shape[high:]
        left, right = (
            one.reshape(*lead, prod(first.shape[low:high]), prod(own))
            for one, own in ((first, here), (second, there))
        )
        return (left.swapaxes(-1, -2) @ right).reshape(*lead, *here, *there).transpose(back)

    return product


def _forward(value: Value) -> Callable[..., Any]:
    op, consts = value.op, bare_constant(value.consts)
    if op == "constant":
        return lambda: consts[0]
    if op == "zeros":
        return lambda: np.zeros(value.shape, value.dtype)
    if op == "dot":
        return (lambda a, w: a.dot(w.T)) if consts[0] else (lambda a, w: a.dot(w))
    if op == "slice":
        return window(*consts)
    if op == "concat":
        return lambda *arrays: np.concatenate(arrays, -1)
    if op == "outer":
        return lambda g, x: np.atleast_2d(g).T.dot(np.atleast_2d(x))
    if op not in ROWS:
        plain: Callable[..., Any] = numpys(op)
        return plain
    row = ROWS[op]
    if row.variadic:
        return lambda *arrays: row.forward(arrays, *consts)
    return lambda *arrays: row.forward(*arrays, *consts)


CALLED = (empty, whole, each, ones, begun, turn, full, by_step)  # by their names in the text
