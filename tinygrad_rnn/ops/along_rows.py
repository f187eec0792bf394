"""How are softmax, its kin and their slopes computed along the rows of a matrix? A few rows at a time.

Where an op goes along the last axis of an array in C order, that array is a matrix of rows. The functions
here take as many rows at once as stay in the processor's cache, through all passes of the formula, and
write them into the result. A largest element is found by ``argmax``, which has a vector loop along rows
where ``max`` has none. They are for float32 and float64 (:func:`rows`); all else, Tensors among it, goes
through the formulas in the rows of the table.
"""

# mypy: disable-error-code="no-any-return"
# (numpy's types say Any of what many of its functions return)

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from math import prod
from typing import Any

import numpy as np

from ..engine.values import Array
from .few_passes import both_quick, quick

_AT_ONCE = 1 << 16  # elements

Axes = tuple[int, ...]


def rows(a: Any, axes: Axes) -> Array | None:
    """An array as a matrix of rows, where ``axes`` are its last ones and memory lies so; else None."""
    if not quick(a) or not a.size or not axes or not a.flags.c_contiguous:
        return None
    first = a.ndim - len(axes)
    if axes[0] != first or axes[-1] != a.ndim - 1:
        return None
    return a.reshape(-1, prod(a.shape[first:]))


def both_rows(a: Array, g: Array, axes: Axes) -> tuple[Array, Array] | None:
    """The same of an operand or output and its gradient, or None."""
    if not both_quick(g, a):
        return None
    of_a = rows(a, axes)
    return None if of_a is None else (of_a, np.ascontiguousarray(g).reshape(of_a.shape))


def _some_at_once(formula: Callable[..., Any]) -> Callable[..., Any]:
    """``f(shape, a, *beside, **numbers)``: a formula of ``(out, a, *beside, **numbers)``, for all rows.

    ``shape`` is the result's: as many numbers a row as the formula writes. What stands beside has a row,
    or a number, for each row of ``a``.
    """

    @wraps(formula)
    def call(shape: tuple[int, ...], a: Array, *beside: Array, **numbers: Any) -> Array:
        n, width = a.shape
        result = np.empty(shape, a.dtype)
        out = result.reshape(n, -1)
        if n * width <= _AT_ONCE:
            formula(out, a, *beside, **numbers)
            return result
        count = max(1, _AT_ONCE // width)
        for k in range(0, n, count):
            t = slice(k, k + count)
            formula(out[t], a[t], *[b[t] for b in beside], **numbers)
        return result

    return call


def _tops(a: Array) -> Array:
    """The largest element of each row, as a column; 0 where that is not finite."""
    top = _tops_as_they_are(a)
    finite = np.isfinite(top)
    return top if finite.all() else np.where(finite, top, top.dtype.type(0))


def _tops_as_they_are(a: Array) -> Array:
    return a[np.arange(len(a)), a.argmax(1)][:, None]


@_some_at_once
def softmax(out: Array, a: Array) -> None:
    """exp(a) / sum(exp(a)) of each row."""
    np.subtract(a, _tops_as_they_are(a), out=out)
    np.exp(out, out=out)
    np.divide(out, np.add.reduce(out, 1, keepdims=True), out=out)


@_some_at_once
def softmax_slope(out: Array, y: Array, g: Array) -> None:
    """y (g - sum(g y))."""
    np.subtract(g, np.vecdot(g, y)[:, None], out=out)
    np.multiply(out, y, out=out)


@_some_at_once
def logsumexp(out: Array, a: Array) -> None:
    """log(sum(exp(a))), a number a row."""
    top = _tops(a)
    e = np.subtract(a, top)
    np.exp(e, out=e)
    np.add(np.log(np.add.reduce(e, 1, keepdims=True)), top, out=out)


@_some_at_once
def log_softmax(out: Array, a: Array) -> None:
    """a - log(sum(exp(a))) of each row."""
    top = _tops(a)
    np.subtract(a, top, out=out)
    np.exp(out, out=out)
    total = np.log(np.add.reduce(out, 1, keepdims=True))
    np.subtract(a, np.add(total, top, out=total), out=out)


@_some_at_once
def log_softmax_slope(out: Array, y: Array, g: Array) -> None:
    """g - exp(y) sum(g)."""
    np.exp(y, out=out)
    np.multiply(out, np.add.reduce(g, 1, keepdims=True), out=out)
    np.subtract(g, out, out=out)


@_some_at_once
def cross_entropy(out: Array, a: Array, classes: Array) -> None:
    """log(sum(exp(a - top))) - (a[class] - top), a number a row, whose digits large logits do not cost."""
    e = np.subtract(a, _tops(a))
    own = e[np.arange(len(e)), classes]
    np.exp(e, out=e)
    total = np.add.reduce(e, 1)
    np.subtract(np.log(total, out=total), own, out=out[:, 0])


@_some_at_once
def cross_entropy_slope(out: Array, a: Array, g: Array, classes: Array) -> None:
    """g (softmax(a) - 1 at the class); g has a number a row."""
    np.subtract(a, _tops_as_they_are(a), out=out)
    np.exp(out, out=out)
    total = np.add.reduce(out, 1)
    np.multiply(out, (g / total)[:, None], out=out)
    out[np.arange(len(a)), classes] -= g


@_some_at_once
def layer_norm(out: Array, a: Array, *, eps: float) -> None:
    """(a - mean) / sqrt(var + eps) of each row."""
    np.multiply(_centred(a, out), _scale(out, eps), out=out)


@_some_at_once
def layer_norm_slope(out: Array, a: Array, g: Array, y: Array, *, eps: float) -> None:
    """(g - mean(g) - y mean(g y)) / sqrt(var(a) + eps)."""
    n = a.dtype.type(a.shape[1])
    scale = _scale(_centred(a, out), eps)
    np.multiply(y, (np.vecdot(g, y) / n)[:, None], out=out)
    np.subtract(g, out, out=out)
    np.subtract(out, (np.add.reduce(g, 1) / n)[:, None], out=out)
    np.multiply(out, scale, out=out)


def _centred(x: Array, out: Array) -> Array:
    mean = np.add.reduce(x, 1, keepdims=True)
    return np.subtract(x, np.divide(mean, x.dtype.type(x.shape[1]), out=mean), out=out)


def _scale(centred: Array, eps: float) -> Array:
    """1 / sqrt(var + eps) as a column."""
    v = np.vecdot(centred, centred)
    np.divide(v, v.dtype.type(centred.shape[1]), out=v)
    np.add(v, v.dtype.type(eps), out=v)
    return np.reciprocal(np.sqrt(v, out=v), out=v)[:, None]
