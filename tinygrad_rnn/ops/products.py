"""Matrix products: 1-d to batched n-d ``matmul``, and ``linear`` with its bias in one row."""

from __future__ import annotations

from typing import Any

import numpy as np

from .row import row


def _product(a: Any, b: Any) -> Any:
    """``a @ b``; two plain matrices go through ``dot``, which starts sooner."""
    if a.__class__ is np.ndarray and a.ndim == 2 and b.ndim == 2:
        return a.dot(b)
    return a @ b


def _by_left(g: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (b @ g[..., None])[..., 0]
    return _product(g, b.mT)


def _by_right(g: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return (g[..., None] * a).reshape((-1, a.shape[-1])).sum(0)
    if a.ndim == 1:
        return a[:, None] * g[..., None, :]
    return _product(a.mT, g)


def _flat(a: Any) -> Any:
    return a if a.ndim == 2 else a.reshape((-1, a.shape[-1]))


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    y = _product(x, weight.T)
    y += bias
    return y


matmul = row(
    "matmul",
    lambda a, b: _product(a, b),
    lambda g, _y, a, b: _by_left(g, a, b),
    lambda g, _y, a, b: _by_right(g, a, b),
    promote=0,
)
linear = row(
    "linear",
    _linear,
    lambda g, _y, _x, w, _b: _product(g, w),
    lambda g, _y, x, _w, _b: _product(_flat(g).mT, _flat(x)),
    lambda g, _y, _x, _w, _b: g,
    promote=0,
)
linear_without_bias = row(
    "linear_without_bias",
    lambda x, weight: _product(x, weight.T),
    lambda g, _y, _x, w: _product(g, w),
    lambda g, _y, x, _w: _product(_flat(g).mT, _flat(x)),
    promote=0,
    shown="linear",
)
