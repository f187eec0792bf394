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
from functools import lru_cache, wraps
from math import prod
from typing import Any

import numpy as np

from ..engine.values import Array
from .few_passes import both_quick, leave, quick

_AT_ONCE = 1 << 16  # elements
_BLOCK, _FEW_SUMS = 16, 2048  # elements
_MILD = 32.0  # quotients of exp of two such numbers, and their sums, are still finite in float32
_LEAST = 1e-30  # a share from which on it is a normal number of float32

Axes = tuple[int, ...]


def rows(a: Any, axes: Axes) -> Array | None:
    """An array as a matrix of rows, where ``axes`` are its last ones and memory lies so; else None."""
    if not quick(a) or not a.size or not axes or not a.flags.c_contiguous:
        return None
    first = a.ndim - len(axes)
    if axes[0] != first or axes[-1] != a.ndim - 1:
        return None
    if first == 1 and a.ndim == 2:
        return a
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


def _sums(a: Array) -> Array:
    """The sum of each row. (``add.reduce`` along rows this short takes twice the time.)"""
    return np.vecdot(a, _ones(a.shape[1], a.dtype.char))


@lru_cache(maxsize=64)
def _ones(n: int, code: str) -> Array:
    return np.ones(n, code)


def _mild(a: Array) -> bool:
    """Whether exp(a) is far from both ends of the dtype, so that nothing need be taken off before."""
    return bool(a.item(a.argmax()) < _MILD and a.item(a.argmin()) > -_MILD)  # of NaN neither


def _tops(a: Array) -> Array:
    """The largest element of each row, as a column."""
    return a.reshape(-1)[_at(a.argmax(1), a.shape[1])][:, None]


def _finite_tops(a: Array) -> Array:
    """The same, and 0 where that is not finite."""
    top = _tops(a)
    finite = np.isfinite(top)
    return top if finite.all() else np.where(finite, top, top.dtype.type(0))


def _exp(a: Array, out: Array) -> Array:
    """exp(a) times a number a row, which is 1 where that is safe; its sum is neither 0 nor infinite."""
    return np.exp(a if _mild(a) else np.subtract(a, _tops(a), out=out), out=out)


@_some_at_once
def softmax(out: Array, a: Array) -> None:
    """exp(a) / sum(exp(a)) of each row."""
    np.divide(_exp(a, out), _sums(out)[:, None], out=out)


@_some_at_once
def softmax_slope(out: Array, y: Array, g: Array) -> None:
    """y (g - sum(g y))."""
    np.subtract(g, np.vecdot(g, y)[:, None], out=out)
    np.multiply(out, y, out=out)


@_some_at_once
def logsumexp(out: Array, a: Array) -> None:
    """log(sum(exp(a))), a number a row; of one number that number."""
    if a.shape[1] > 1 and _mild(a):
        np.log(_sums(np.exp(a)), out=out[:, 0])
        return
    top = _finite_tops(a)
    e = np.subtract(a, top)
    np.add(np.log(_sums(np.exp(e, out=e)))[:, None], top, out=out)


@_some_at_once
def log_softmax(out: Array, a: Array) -> None:
    """a - log(sum(exp(a))) of each row: below its top, so that a row of one number is 0."""
    np.subtract(a, _finite_tops(a), out=out)
    total = _sums(np.exp(out))
    np.subtract(out, np.log(total, out=total)[:, None], out=out)


@_some_at_once
def log_softmax_slope(out: Array, y: Array, g: Array) -> None:
    """g - exp(y) sum(g)."""
    np.multiply(np.exp(y, out=out), _sums(g)[:, None], out=out)
    np.subtract(g, out, out=out)


def _at(classes: Array, width: int) -> Array:
    """Where each row's class lies in a matrix of rows that is read as one line."""
    at = np.arange(0, len(classes) * width, width)
    return np.add(at, classes, out=at, dtype=at.dtype, casting="same_kind")  # of any integers


@_some_at_once
def cross_entropy(out: Array, a: Array, classes: Array) -> None:
    """log(sum(exp(a)) / exp(a[class])), a number a row, whose digits large logits do not cost."""
    if _mild(a):
        _log_share(out[:, 0], np.exp(a), classes)
        return
    e = np.subtract(a, _finite_tops(a))
    below = e.reshape(-1)[_at(classes, e.shape[1])]
    total = _sums(np.exp(e, out=e))
    np.subtract(np.log(total, out=total), below, out=out[:, 0])


def cross_entropy_at_once(a: Array, classes: Array) -> Array | None:
    """The same of a matrix of few mild rows, whose exponentials are left for the slope; else None."""
    if a.ndim != 2 or a.size > _AT_ONCE or not _mild(a):
        return None
    e = np.exp(a)
    share = _log_share(np.empty(len(e), e.dtype), e, classes)
    leave(a, "exp", e)  # the slope writes over it
    return share


def cross_entropy_of(share: Array, classes: Array) -> Array | None:
    """The same of softmax's rows; None where a class has so small a share that its digits are gone."""
    at = share.reshape(-1)[_at(classes.reshape(-1), share.shape[1])]
    if not at.item(at.argmin()) > _LEAST:  # NaN is none
        return None
    return np.log(np.reciprocal(at, out=at), out=at).reshape(classes.shape)


def _log_share(out: Array, e: Array, classes: Array) -> Array:
    """log(sum(e) / e[class]) of each row."""
    np.divide(_sums(e), e.reshape(-1)[_at(classes, e.shape[1])], out=out)
    return np.log(out, out=out)


@_some_at_once
def cross_entropy_slope(out: Array, a: Array, g: Array, classes: Array) -> None:
    """g (softmax(a) - 1 at the class); g has a number a row."""
    cross_entropy_slope_of(_exp(a, out), g, classes)


def cross_entropy_slope_of(e: Array, g: Array, classes: Array) -> Array:
    """The same of exponentials, in their memory."""
    np.multiply(e, (g / _sums(e))[:, None], out=e)
    e.reshape(-1)[_at(classes, e.shape[1])] -= g  # a row's memory follows the one before
    return e


@_some_at_once
def layer_norm(out: Array, a: Array, scale: Array, *, eps: float) -> None:
    """(a - mean) / sqrt(var + eps) of each row; ``scale`` becomes 1 / sqrt(var + eps)."""
    np.multiply(_centred(a, out), _scale(out, eps, scale), out=out)


@_some_at_once
def layer_norm_slope(
    out: Array, a: Array, g: Array, y: Array, scale: Array | None = None, *, eps: float
) -> None:
    """(g - mean(g) - y mean(g y)) / sqrt(var(a) + eps)."""
    n = a.dtype.type(a.shape[1])
    column = scale[:, None] if scale is not None else _scale(_centred(a, out), eps)
    np.multiply(y, (np.vecdot(g, y) / n)[:, None], out=out)
    np.subtract(g, out, out=out)
    np.subtract(out, (_sums(g) / n)[:, None], out=out)
    np.multiply(out, column, out=out)


def _centred(x: Array, out: Array) -> Array:
    mean = _sums(x)
    return np.subtract(x, np.divide(mean, x.dtype.type(x.shape[1]), out=mean)[:, None], out=out)


def _scale(centred: Array, eps: float, scale: Array | None = None) -> Array:
    """1 / sqrt(var + eps) as a column, in the memory that is given."""
    v = np.vecdot(centred, centred, out=scale)
    np.divide(v, v.dtype.type(centred.shape[1]), out=v)
    np.add(v, v.dtype.type(eps), out=v)
    return np.reciprocal(np.sqrt(v, out=v), out=v)[:, None]


def cumsum(a: Array, back: bool = False) -> Array | None:
    """The sums up to each element of the rows, or from each one on; None where it is not done so.

    Blocks of a row times a triangle of ones, after what comes before a block has joined its first element.
    (``np.cumsum`` waits for every sum before it begins the next.) A product with 0 would spread what is not
    finite.
    """
    width = a.shape[-1] if a.ndim else 0
    if width < 4 * _BLOCK or a.size < _FEW_SUMS or not quick(a):
        return None
    blocks = -(-width // _BLOCK)
    b = np.zeros((*a.shape[:-1], blocks * _BLOCK), a.dtype)
    b[..., :width] = a
    b = b.reshape(-1, blocks, _BLOCK)
    ends = b.reshape(-1, _BLOCK).dot(_ones(_BLOCK, a.dtype.char)).reshape(-1, blocks)
    before = np.cumsum(ends[:, :0:-1] if back else ends[:, :-1], 1)
    if not (np.isfinite(before).all() and np.isfinite(ends).all()):
        return None
    if back:
        b[:, :-1, -1] += before[:, ::-1]
    else:
        b[:, 1:, 0] += before
    sums = b.reshape(-1, _BLOCK).dot(_triangle(a.dtype.char, back)).reshape(-1, blocks * _BLOCK)
    return np.ascontiguousarray(sums[:, :width]).reshape(a.shape)


@lru_cache(maxsize=4)
def _triangle(code: str, back: bool) -> Array:
    ones = np.ones((_BLOCK, _BLOCK), code)
    return np.tril(ones) if back else np.triu(ones)
