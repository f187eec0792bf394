"""Sums and what is made of them. Axes arrive as a sorted tuple of non-negative integers.

``amax`` and ``amin`` share the gradient evenly among ties, as PyTorch's do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import exp
from .row import row
from .shapes import broadcast

Axes = tuple[int, ...]


def _open(v: Any, shape: tuple[int, ...], axes: Axes) -> Any:
    """A reduced value with its axes back, each of length 1."""
    return v.reshape(tuple(1 if i in axes else side for i, side in enumerate(shape)))


def _count(shape: tuple[int, ...], axes: Axes) -> int:
    n = 1
    for i in axes:
        n *= shape[i]
    return n


def _spread(g: Any, shape: tuple[int, ...], axes: Axes) -> Any:
    """The gradient of a sum: the same value for every element that went in."""
    return broadcast(_open(g, shape, axes), shape)


def _extreme(g: Any, y: Any, a: Any, axes: Axes) -> Any:
    """The gradient goes to the extreme elements, in equal shares."""
    hit = a == _open(y, a.shape, axes)
    ties = hit.sum(axis=axes, keepdims=True)
    return _open(g, a.shape, axes) * hit / ties.astype(g.dtype)


def _sum_dtype(a: Any) -> Any:
    """Integers and bools add up in int64, as PyTorch's do."""
    return None if a.dtype.kind == "f" else np.int64


def _mean(a: Any, axes: Axes) -> Any:
    return np.add.reduce(a, axis=axes) / a.dtype.type(_count(a.shape, axes) or np.nan)


def _var(a: Any, axes: Axes, correction: float, keepdims: bool) -> Any:
    centred = a - a.mean(axis=axes, keepdims=True)
    n = a.dtype.type(max(_count(a.shape, axes) - correction, 0) or np.nan)
    return (centred * centred).sum(axis=axes, keepdims=keepdims) / n


def _var_rule(g: Any, _y: Any, a: Any, axes: Axes, correction: float, keepdims: bool) -> Any:
    n = max(_count(a.shape, axes) - correction, 0) or float("nan")
    return _open(g, a.shape, axes) * (a - a.mean(axis=axes, keepdims=True)) * (2 / n)


def _logsumexp(a: Any, axes: Axes, keepdims: bool) -> Any:
    top = np.max(a, axis=axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(a.dtype)
    y = np.log(np.exp(a - top).sum(axis=axes, keepdims=True)) + top
    return y if keepdims else y.reshape([s for i, s in enumerate(y.shape) if i not in axes])


def _log_softmax(a: Any, axes: Axes) -> Any:
    return a - _logsumexp(a, axes, True)


def _softmax(a: Any, axes: Axes) -> Any:
    e = np.exp(a - np.max(a, axis=axes, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=axes, keepdims=True)


sum = row(
    "sum",
    lambda a, axes, keepdims: a.sum(axes, _sum_dtype(a), None, keepdims),
    lambda g, _y, shape, axes, keepdims: _spread(g, shape, axes),
)
mean = row(
    "mean",
    lambda a, axes, keepdims: _open(_mean(a, axes), a.shape, axes) if keepdims else _mean(a, axes),
    lambda g, _y, shape, axes, keepdims: _spread(g / _count(shape, axes), shape, axes),
    floating=True,
)
var = row("var", _var, _var_rule, floating=True)
amax = row(
    "amax",
    lambda a, axes, keepdims: np.max(a, axis=axes, keepdims=keepdims),
    lambda g, y, a, axes, keepdims: _extreme(g, y, a, axes),
)
amin = row(
    "amin",
    lambda a, axes, keepdims: np.min(a, axis=axes, keepdims=keepdims),
    lambda g, y, a, axes, keepdims: _extreme(g, y, a, axes),
)
logsumexp = row(
    "logsumexp",
    _logsumexp,
    lambda g, y, a, axes, keepdims: _weighted(g, y, a, axes),
    floating=True,
)
softmax = row(
    "softmax",
    _softmax,
    lambda g, y, _a, axes: y * (g - (g * y).sum(axis=axes, keepdims=True)),
    floating=True,
)
log_softmax = row(
    "log_softmax",
    _log_softmax,
    lambda g, y, _a, axes: g - exp(y) * g.sum(axis=axes, keepdims=True),
    floating=True,
)


def _weighted(g: Any, y: Any, a: Any, axes: Axes) -> Any:
    """The gradient of a logsumexp: the softmax, written with the output at hand."""
    return _open(g, a.shape, axes) * exp(a - _open(y, a.shape, axes))
