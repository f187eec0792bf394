"""How are parts taken? The gradient is :class:`At`, which the engine adds into one buffer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.scatter import At
from ..engine.values import Value
from .elementwise import where
from .row import Row, row


def _recorded_sum(sparse: list[At], node: Value) -> Any:
    """Several gradients of parts of one node, placed at once, so that the sum can be derived again."""
    values, indices = [at.value for at in sparse], tuple(at.index for at in sparse)
    return place(*values, indices, node.shape, node.dtype)


At.recorded_sum = staticmethod(_recorded_sum)


def _place(values: Any, indices: tuple[Any, ...], shape: Any, dtype: Any) -> Any:
    total = np.zeros(shape, dtype)
    for value, index in zip(values, indices, strict=True):
        At(index, value).add_to(total)
    return total


def taken(a: Any, index: Any) -> Any:
    """``a[index]``, where one number too is a view: a 0-d array."""
    part = a[index]
    if isinstance(part, np.generic):
        part = a[(*index, ...) if index.__class__ is tuple else (index, ...)]
    return part


def beside(axis: int, at: Any) -> tuple[Any, ...]:
    """The index of what stands along ``axis`` at the places ``at``, one for each index of the other axes."""
    n = at.ndim
    others = [
        np.arange(side).reshape((1,) * i + (side,) + (1,) * (n - 1 - i))
        for i, side in enumerate(at.shape)
    ]
    return (*others[:axis], at, *others[axis:])


getitem = row(
    "getitem",
    taken,
    lambda g, _y, _a, index: At(index, g),
    sparse=True,
    view=True,
)
embedding = row(
    "embedding",
    lambda weight, index, padding: weight.take(index, 0),
    lambda g, _y, _w, index, padding: _rows(g, index, padding),
    sparse=True,
)
place = row(
    "place",
    _place,
    lambda i, g, _y, _v, indices, shape, dtype: g[indices[i]],
    variadic=True,
)
put: Row = row(
    "put",
    lambda a, v, index: _put(a, v, index),
    lambda g, _y, _a, _v, index: put(g, 0.0, index),
    lambda g, _y, _a, _v, index: g[index],
    promote=0,
)


def _put(a: Any, value: Any, index: Any) -> Any:
    a = a.copy()
    a[index] = value
    return a


def _rows(g: Any, index: Any, padding: int | None) -> At:
    """The gradient of looked-up rows; the padding row takes none (PyTorch's padding_idx)."""
    if padding is not None:
        g = where((index != padding)[..., None], g, 0.0)
    return At(index, g)
