"""Which nodes of ONNX move values? Rows for shapes, joining and splitting, indexing."""

from __future__ import annotations

from typing import Any

import numpy as np

from .onnx_graph import Applied, GraphBuilder, same, sized


def reshape(b: GraphBuilder, a: Applied) -> str:
    """What differs with the example is as it was (0), an input's length, or what is left (-1)."""
    (one,), (two,) = a.all_constants
    was, then = a.shapes[0][0], a.shapes[1][0]
    if len(one) != len(two):
        raise a.failure(f"it has another number of axes for another example: {one}, {two}")
    to: list[int | str] = []
    for i, (p, q) in enumerate(zip(one, two, strict=True)):
        if p == q and p != 0:
            to.append(int(p))
        elif i < len(was) and (p, q) == (was[i], then[i]):
            to.append(0)
        else:
            to.append(a.length(p, q) or -1)
    if to.count(-1) > 1:
        raise a.failure(f"more than one length of its shape depends on the example: {one}, {two}")
    return str(b.op("Reshape", a.inputs[0], sized(b, to)))


def broadcast(b: GraphBuilder, a: Applied) -> str:
    """What is stretched keeps its own lengths (1), or takes an input's."""
    (one,), (two,) = a.all_constants
    was, then = a.shapes[0][0], a.shapes[1][0]
    to: list[int | str] = []
    lead = len(one) - len(was)
    for i, (p, q) in enumerate(zip(one, two, strict=True)):
        own = (was[i - lead], then[i - lead]) if i >= lead else None
        side = int(p) if p == q else 1 if (p, q) == own else a.length(p, q)
        if side is None:
            raise a.failure(f"it stretches an axis to a length of the example: {one}, {two}")
        to.append(side)
    return str(b.op("Expand", a.inputs[0], sized(b, to)))


def permute(b: GraphBuilder, a: Applied) -> str:
    """Axes in another order."""
    (axes,) = a.constants
    return str(
        b.op("Transpose", *a.inputs, perm=list(axes)) if axes else b.op("Identity", *a.inputs)
    )


def flip(b: GraphBuilder, a: Applied) -> str:
    """A slice that steps backwards."""
    (axes,) = a.constants
    if not axes:
        return str(b.op("Identity", a.inputs[0]))
    n = len(axes)
    first, end = b.ints(*[-1] * n), b.ints(*[-(2**63)] * n)
    return str(b.op("Slice", a.inputs[0], first, end, b.ints(*axes), b.ints(*[-1] * n)))


def roll(b: GraphBuilder, a: Applied) -> str:
    """A Gather in the rolled order, for an axis of fixed length."""
    shifts, axes = a.constants
    x = a.inputs[0]
    for by, axis in zip(shifts, axes, strict=True):
        sides = {a.shapes[0][0][axis], a.shapes[1][0][axis]}
        if len(sides) > 1:
            raise a.failure("it rolls along an axis whose length depends on the example")
        side = sides.pop()
        order = np.roll(np.arange(side), by)
        x = b.op("Gather", x, b.const(order.astype(np.int64)), axis=axis)
    return x


def pad(b: GraphBuilder, a: Applied) -> str:
    """A value around; a negative width cuts off."""
    widths, value = a.constants
    x, cut = a.inputs[0], [(k, w) for k, w in enumerate(widths) if min(w) < 0]
    if cut:  # a negative width cuts off
        first = b.ints(*[max(-before, 0) for _, (before, _) in cut])
        end = b.ints(*[after if after < 0 else 2**63 - 1 for _, (_, after) in cut])
        x = b.op("Slice", x, first, end, b.ints(*[k for k, _ in cut]))
    pads = [max(w[end], 0) for end in (0, 1) for w in widths]
    return str(
        b.op("Pad", x, b.ints(*pads), b.const(np.array(value, a.dtype)))
        if any(pads)
        else b.op("Identity", x)
    )


def tile(b: GraphBuilder, a: Applied) -> str:
    """The whole, several times."""
    (times,) = a.constants
    x, more = a.inputs[0], len(times) - len(a.shapes[0][0])
    return str(b.op("Tile", b.unsqueeze(x, *range(more)) if more else x, b.ints(*times)))


def cat(b: GraphBuilder, a: Applied) -> str:
    """Joined; the offsets among the constants follow from the inputs."""
    return str(
        b.op("Concat", *a.inputs, axis=int(a.all_constants[0][0]))
    )  # offsets follow the inputs


def stack(b: GraphBuilder, a: Applied) -> str:
    """Joined along a new axis."""
    (axis,) = a.constants
    return str(b.op("Concat", *[b.unsqueeze(x, axis) for x in a.inputs], axis=int(axis)))


def split(b: GraphBuilder, a: Applied) -> tuple[str, ...]:
    """Parts of fixed lengths."""
    sizes, axis = a.constants
    parts = b.op("Split", a.inputs[0], b.ints(*sizes), outputs=len(sizes), axis=int(axis))
    return (parts,) if len(sizes) == 1 else parts


def unbind(b: GraphBuilder, a: Applied) -> tuple[str, ...]:
    """The slices along an axis of fixed length."""
    (axis,) = a.constants
    counts = {shape[0][axis] for shape in a.shapes}
    if len(counts) > 1:
        raise a.failure(
            f"it takes an axis apart that may have any length (axis {axis}: {sorted(counts)}): a loop "
            "over it would be written for one length alone"
        )
    indices = [b.const(np.array(k, np.int64)) for k in range(counts.pop())]
    return tuple(b.op("Gather", a.inputs[0], k, axis=int(axis)) for k in indices)


def getitem(b: GraphBuilder, a: Applied) -> str:
    """Slices, integers, new axes, and one array of integers."""
    one, two = a.all_constants[0][0], a.all_constants[1][0]
    parts = list(one) if isinstance(one, tuple) else [one]
    if any(isinstance(p, np.ndarray) for p in parts):
        return _taken(b, a, parts, list(two) if isinstance(two, tuple) else [two])
    (_,) = a.constants
    ndim = len(a.shapes[0][0])
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    at = parts.index(Ellipsis)
    parts[at : at + 1] = [slice(None)] * (ndim - used)
    x, axis = a.inputs[0], 0
    drop: list[int] = []
    new: list[int] = []
    cut: list[tuple[int, int, int, int]] = []
    for part in parts:
        if part is None:
            new.append(axis + len(new) - len(drop))
            continue
        if isinstance(part, slice):
            if part != slice(None):
                cut.append((axis, *_bounds(part)))
        else:
            k = int(part)
            cut.append((axis, k, k + 1 if k != -1 else 2**63 - 1, 1))
            drop.append(axis)
        axis += 1
    if cut:
        axes, first, end, step = (b.ints(*column) for column in zip(*cut, strict=True))
        x = b.op("Slice", x, first, end, axes, step)
    if drop:
        x = b.squeeze(x, *drop)
    if new:
        x = b.unsqueeze(x, *new)
    return x if cut or drop or new else str(b.op("Identity", x))


def _bounds(part: slice) -> tuple[int, int, int]:
    step = 1 if part.step is None else int(part.step)
    back = step < 0
    first = (2**63 - 1 if back else 0) if part.start is None else int(part.start)
    end = (-(2**63) if back else 2**63 - 1) if part.stop is None else int(part.stop)
    return first, end, step


def _taken(b: GraphBuilder, a: Applied, one: list[Any], two: list[Any]) -> str:
    """``x[:, index]``: one array of integers among whole axes."""
    arrays = [k for k, p in enumerate(one) if isinstance(p, np.ndarray)]
    rest = [p for k, p in enumerate(one) if k not in arrays]
    plain = all(isinstance(p, slice) and p == slice(None) for p in rest)
    if len(arrays) != 1 or not plain or one[arrays[0]].dtype.kind not in "iu":
        raise a.failure("of indices by arrays there is x[:, index] with one array of integers")
    return _gathered(b, a, a.inputs[0], one[arrays[0]], two[arrays[0]], arrays[0])


def _gathered(b: GraphBuilder, a: Applied, x: str, one: Any, two: Any, axis: int) -> str:
    index = a.symbol(one)
    if index is None:
        if not same(one, two):
            raise a.failure("its index is computed from the input in a way that leaves no trace")
        index = b.const(np.asarray(one, np.int64))
    return str(b.op("Gather", x, index, axis=axis))


def embedding(b: GraphBuilder, a: Applied) -> str:
    """Rows by index."""
    one, two = a.all_constants
    return _gathered(b, a, a.inputs[0], one[0], two[0], 0)
