"""Matrix products: 1-d to batched n-d ``matmul``, and ``linear`` with its bias in one row."""

from __future__ import annotations

from typing import Any

import numpy as np

from .row import row


def _by_left(g: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (b @ g[..., None])[..., 0]
    return g @ b.mT


def _by_right(g: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return (g[..., None] * a).reshape((-1, a.shape[-1])).sum(0)
    if a.ndim == 1:
        return a[:, None] * g[..., None, :]
    return a.mT @ g


def _flat(a: Any) -> Any:
    return a if a.ndim == 2 else a.reshape((-1, a.shape[-1]))


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    y = x @ weight.T
    y += bias
    return y


matmul = row(
    "matmul",
    np.matmul,
    lambda g, _y, a, b: _by_left(g, a, b),
    lambda g, _y, a, b: _by_right(g, a, b),
    promote=0,
)
linear = row(
    "linear",
    _linear,
    lambda g, _y, _x, w, _b: g @ w,
    lambda g, _y, x, _w, _b: _flat(g).mT @ _flat(x),
    lambda g, _y, _x, _w, _b: g,
    promote=0,
)
linear_without_bias = row(
    "linear_without_bias",
    lambda x, weight: x @ weight.T,
    lambda g, _y, _x, w: g @ w,
    lambda g, _y, x, _w: _flat(g).mT @ _flat(x),
    promote=0,
    shown="linear",
)
