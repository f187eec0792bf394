"""How are softmax, its kin and their slopes computed along the rows of a matrix? A few rows at a time.

Where an op goes along the last axis of an array in C order, that array is a matrix of rows. The functions
here take as many rows at once as stay in the processor's cache, through all passes of the formula, and
write them into the result. A largest element is found by ``argmax``, which has a vector loop along rows
where ``max`` has none. They are for float32 and float64 (:func:`rows`); all else, Tensors among it, goes
through the formulas in the rows of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .few_passes import both_quick, quick

_AT_ONCE = 1 << 16  # elements

Axes = tuple[int, ...]


def rows(a: Any, axes: Axes) -> Any:
    """An array as a matrix of rows, where ``axes`` are its last ones and memory lies so; else None."""
    if not quick(a) or not a.size or not axes or not a.flags.c_contiguous:
        return None
    first = a.ndim - len(axes)
    if axes[0] != first or axes[-1] != a.ndim - 1:
        return None
    if len(axes) == 1:
        return a if a.ndim == 2 else a.reshape(-1, a.shape[-1])
    return a.reshape(*a.shape[:first], -1).reshape(
        -1, a.size // max(1, int(np.prod(a.shape[:first])))
    )


def both_rows(g: Any, a: Any, axes: Axes) -> tuple[Any, Any] | None:
    """The same of a gradient and what it belongs to, or None."""
    if not both_quick(g, a):
        return None
    of_a = rows(a, axes)
    return None if of_a is None else (np.ascontiguousarray(g).reshape(of_a.shape), of_a)


def _turns(a: Any) -> Iterator[slice]:
    """The rows that are taken at once."""
    n, width = a.shape
    if n * width <= _AT_ONCE:
        yield slice(None)
        return
    count = max(1, _AT_ONCE // width)
    for k in range(0, n, count):
        yield slice(k, k + count)


def _tops(a: Any) -> Any:
    """The largest element of each row, as a column; 0 where that is not finite."""
    top = a[np.arange(len(a)), a.argmax(1)][:, None]
    finite = np.isfinite(top)
    return top if finite.all() else np.where(finite, top, top.dtype.type(0))


def _tops_as_they_are(a: Any) -> Any:
    return a[np.arange(len(a)), a.argmax(1)][:, None]


def softmax(shape: tuple[int, ...], a: Any) -> Any:
    """exp(a) / sum(exp(a)) of each row, in the shape that the array had."""
    y = np.empty(shape, a.dtype)
    of_y = y.reshape(a.shape)
    for t in _turns(a):
        x, e = a[t], of_y[t]
        np.subtract(x, _tops_as_they_are(x), out=e)
        np.exp(e, out=e)
        np.divide(e, np.add.reduce(e, 1, keepdims=True), out=e)
    return y


def softmax_slope(g: Any, y: Any, shape: tuple[int, ...]) -> Any:
    """y (g - sum(g y))."""
    d = np.empty(shape, y.dtype)
    of_d = d.reshape(y.shape)
    for t in _turns(y):
        part, here = of_d[t], g[t]
        np.subtract(here, np.vecdot(here, y[t])[:, None], out=part)
        np.multiply(part, y[t], out=part)
    return d


def logsumexp(a: Any) -> Any:
    """log(sum(exp(a))) of each row."""
    y = np.empty(len(a), a.dtype)
    for t in _turns(a):
        x = a[t]
        top = _tops(x)
        e = np.subtract(x, top)
        np.exp(e, out=e)
        np.add(np.log(np.add.reduce(e, 1)), top[:, 0], out=y[t])
    return y


def log_softmax(shape: tuple[int, ...], a: Any) -> Any:
    """a - log(sum(exp(a))) of each row, in the shape that the array had."""
    y = np.empty(shape, a.dtype)
    of_y = y.reshape(a.shape)
    for t in _turns(a):
        x, part = a[t], of_y[t]
        top = _tops(x)
        e = np.subtract(x, top, out=part)
        np.exp(e, out=e)
        total = np.log(np.add.reduce(e, 1, keepdims=True))
        np.subtract(x, np.add(total, top, out=total), out=part)
    return y


def log_softmax_slope(g: Any, y: Any, shape: tuple[int, ...]) -> Any:
    """g - exp(y) sum(g)."""
    d = np.empty(shape, y.dtype)
    of_d = d.reshape(y.shape)
    for t in _turns(y):
        part, here = of_d[t], g[t]
        np.exp(y[t], out=part)
        np.multiply(part, np.add.reduce(here, 1, keepdims=True), out=part)
        np.subtract(here, part, out=part)
    return d


def cross_entropy(a: Any, classes: Any) -> Any:
    """log(sum(exp(a - top))) - (a[class] - top) of each row, whose digits large logits do not cost."""
    y = np.empty(len(a), a.dtype)
    for t in _turns(a):
        x = a[t]
        e = np.subtract(x, _tops(x))
        own = e[np.arange(len(e)), classes[t]]
        np.exp(e, out=e)
        total = np.add.reduce(e, 1)
        np.subtract(np.log(total, out=total), own, out=y[t])
    return y


def cross_entropy_slope(g: Any, a: Any, classes: Any, shape: tuple[int, ...]) -> Any:
    """g (softmax(a) - 1 at the class); g has a number a row."""
    d = np.empty(shape, a.dtype)
    of_d = d.reshape(a.shape)
    numbers = np.arange(len(a))
    for t in _turns(a):
        x, part, scale = a[t], of_d[t], g[t]
        np.subtract(x, _tops_as_they_are(x), out=part)
        np.exp(part, out=part)
        total = np.add.reduce(part, 1)
        np.multiply(part, (scale / total)[:, None], out=part)
        part[numbers[: len(x)], classes[t]] -= scale
    return d


def layer_norm(a: Any, eps: float, shape: tuple[int, ...]) -> Any:
    """(a - mean) / sqrt(var + eps) of each row, in the shape that the array had."""
    y = np.empty(shape, a.dtype)
    of_y = y.reshape(a.shape)
    for t in _turns(a):
        x, part = a[t], of_y[t]
        np.multiply(_centred(x, part), _scale(part, eps), out=part)
    return y


def layer_norm_slope(g: Any, y: Any, a: Any, eps: float, shape: tuple[int, ...]) -> Any:
    """(g - mean(g) - y mean(g y)) / sqrt(var(a) + eps)."""
    d = np.empty(shape, a.dtype)
    of_d = d.reshape(a.shape)
    n = a.dtype.type(a.shape[1])
    for t in _turns(a):
        part, here, out = of_d[t], g[t], y[t]
        scale = _scale(_centred(a[t], part), eps)
        np.multiply(out, (np.vecdot(here, out) / n)[:, None], out=part)
        np.subtract(here, part, out=part)
        np.subtract(part, (np.add.reduce(here, 1) / n)[:, None], out=part)
        np.multiply(part, scale, out=part)
    return d


def _centred(x: Any, out: Any) -> Any:
    mean = np.add.reduce(x, 1, keepdims=True)
    return np.subtract(x, np.divide(mean, x.dtype.type(x.shape[1]), out=mean), out=out)


def _scale(centred: Any, eps: float) -> Any:
    """1 / sqrt(var + eps) as a column."""
    v = np.vecdot(centred, centred)
    np.divide(v, v.dtype.type(centred.shape[1]), out=v)
    np.add(v, v.dtype.type(eps), out=v)
    return np.reciprocal(np.sqrt(v, out=v), out=v)[:, None]
