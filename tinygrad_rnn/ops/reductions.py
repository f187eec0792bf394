"""What is made of sums along axes? Axes arrive as a sorted tuple of non-negative integers.

Conventions are PyTorch's: ``amax`` and ``amin`` share the gradient evenly among ties (so does
``max`` of all, where a NaN is the largest); ``std`` and ``norm`` have gradient 0 where they are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.autograd import spread
from ..engine.places import state
from ..engine.values import as_array
from . import along_rows as along
from . import few_passes as few
from .at_once import asked, by_loop
from .elementwise import abs, exp, log, sign, sqrt, square, where
from .indexing import beside, getitem, put
from .row import Row, row
from .shapes import _along, broadcast, cat, flip, permute

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
    if len(axes) == len(shape):
        plain = g.__class__ is np.ndarray and g.size == 1 and g.ndim <= len(shape)
        return spread(g, shape) if plain else broadcast(g, shape)
    return broadcast(_open(g, shape, axes), shape)


def _extreme(g: Any, y: Any, a: Any, axes: Axes) -> Any:
    """The gradient goes to the extreme elements, in equal shares."""
    hit = (a == _open(y, a.shape, axes)).astype(g.dtype)
    return _open(g, a.shape, axes) * hit / hit.sum(axis=axes, keepdims=True)


def _extreme_of_all(g: Any, y: Any, a: Any) -> Any:
    """The gradient goes in equal shares to the extreme elements: the NaNs, where there are any."""
    hit = ((a == y) | ((a != a) & (y != y))).astype(g.dtype)
    return g * hit / hit.sum()


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


def _std(a: Any, axes: Axes, correction: float, keepdims: bool) -> Any:
    return np.sqrt(_var(a, axes, correction, keepdims))


def _std_rule(g: Any, y: Any, a: Any, axes: Axes, correction: float, keepdims: bool) -> Any:
    """(x - mean) / ((n - correction) std), and 0 where the deviation is 0."""
    n = max(_count(a.shape, axes) - correction, 0) or float("nan")
    g = where(y == 0, 0.0, g / where(y == 0, 1.0, y))
    return _open(g, a.shape, axes) * (a - a.mean(axis=axes, keepdims=True)) * (1 / n)


def _prod_rule(g: Any, y: Any, a: Any, axes: Axes) -> Any:
    """The product of all the other elements: y / x, or multiplied anew where a product is 0."""
    g = _open(g, a.shape, axes)
    if state.tracer is None and not (bool((y == 0).any()) or bool((a == 0).any())):
        return g * _open(y, a.shape, axes) / a
    order = (*(i for i in range(len(a.shape)) if i not in axes), *axes)
    turned = permute(a, order)
    rows = turned.reshape((*turned.shape[: len(order) - len(axes)], _count(a.shape, axes)))
    last = len(rows.shape) - 1
    after = flip(_before(flip(rows, (last,)), last), (last,))
    others = (_before(rows, last) * after).reshape(turned.shape)
    return g * permute(others, tuple([order.index(i) for i in range(len(order))]))


def _before(a: Any, axis: int) -> Any:
    """The product of the elements before each one along the last axis, in log2(n) passes."""
    n = a.shape[axis]
    one = np.ones((*a.shape[:axis], 1), a.dtype)
    a = cat(one, a[_along(axis, slice(0, n - 1))], axis, (0, 1, n))
    k = 1
    while k < n:
        ahead = a[_along(axis, slice(k, n))] * a[_along(axis, slice(0, n - k))]
        a = cat(a[_along(axis, slice(0, k))], ahead, axis, (0, k, n))
        k *= 2
    return a


def _cumsum(a: Any, axis: int) -> Any:
    if axis == a.ndim - 1 and (sums := along.cumsum(a)) is not None:
        return sums
    dtype = _sum_dtype(a) or a.dtype
    return np.cumsum(a, axis, dtype) if a.ndim else a.astype(dtype)


def _cumsum_rule(g: Any, axis: int) -> Any:
    """Each element went into all sums from its own on."""
    if g.__class__ is np.ndarray and axis == g.ndim - 1 and not asked():
        sums = along.cumsum(g, back=True)
        if sums is not None:
            return sums
    return flip(cumsum(flip(g, (axis,)), axis), (axis,)) if g.shape else g


def _cumprod_rule(g: Any, a: Any, axis: int) -> Any:
    """The product of the elements before each one times s_i = g_i + a_{i+1} s_{i+1}: right where a is 0.

    The recurrence is solved from behind in log2(n) passes, each of which joins twice as many terms.
    """
    if not a.shape or not a.shape[axis]:
        return g
    axes = (*(i for i in range(len(a.shape)) if i != axis), axis)
    a, s = permute(a, axes), permute(g, axes)
    n, last = a.shape[-1], len(a.shape) - 1
    factor = cat(
        a[_along(last, slice(1, n))], np.zeros((*a.shape[:-1], 1), a.dtype), last, (0, n - 1, n)
    )
    k = 1
    while k < n:
        rest, ahead = _along(last, slice(n - k, n)), _along(last, slice(k, n))
        here = _along(last, slice(0, n - k))
        s = cat(s[here] + factor[here] * s[ahead], s[rest], last, (0, n - k, n))
        end = np.zeros((*a.shape[:-1], k), a.dtype)  # what reaches beyond the last element
        factor = cat(factor[here] * factor[ahead], end, last, (0, n - k, n))
        k *= 2
    inverse = tuple([axes.index(i) for i in range(len(axes))])
    return permute(_before(a, last) * s, inverse)


def _norm(a: Any, p: float, axes: Axes, keepdims: bool) -> Any:
    if p == 2:
        return np.sqrt((a * a).sum(axis=axes, keepdims=keepdims))
    if p == 0:
        return (a != 0).sum(axis=axes, keepdims=keepdims).astype(a.dtype)
    size = np.abs(a)
    if p == 1:
        return size.sum(axis=axes, keepdims=keepdims)
    if p in (np.inf, -np.inf) or (p < 0 and not _count(a.shape, axes)):
        return (np.max if p > 0 else np.min)(size, axis=axes, keepdims=keepdims)
    return (size**p).sum(axis=axes, keepdims=keepdims) ** (1 / p)


def _norm_rule(g: Any, y: Any, a: Any, p: float, axes: Axes) -> Any:
    """PyTorch's subgradients: 0 where the norm is 0; ties of the extremes share evenly."""
    g, y = _open(g, a.shape, axes), _open(y, a.shape, axes)
    if p == 0:
        return where(False, g * sign(a), 0.0)
    if p == 1:
        return g * sign(a)
    if p in (np.inf, -np.inf):
        hit = ((abs(a) == y) | ((a != a) & (y != y))).astype(g.dtype)
        return g / hit.sum(axis=axes, keepdims=True) * sign(a) * hit
    g, y = where(y == 0, 0.0, g), where(y == 0, 1.0, y)
    if p == 2:
        return g * (a / y)
    size = abs(where(a == 0, 1.0, a)) ** (p - 1)
    return where(a == 0, 0.0, sign(a) * size) * (g / y ** (p - 1))


def _logsumexp(a: Any, axes: Axes, keepdims: bool) -> Any:
    if (rows := along.rows(a, axes)) is not None:
        return along.logsumexp(a.shape[: -len(axes)] + (1,) * len(axes) * keepdims, rows)
    top = np.max(a, axis=axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(a.dtype)
    y = np.log(np.exp(a - top).sum(axis=axes, keepdims=True)) + top
    return y if keepdims else y.reshape([s for i, s in enumerate(y.shape) if i not in axes])


def _log_softmax(a: Any, axes: Axes) -> Any:
    if (rows := along.rows(a, axes)) is not None:
        return along.log_softmax(a.shape, rows)
    return a - _logsumexp(a, axes, True)


def _log_softmax_rule(g: Any, y: Any, axes: Axes) -> Any:
    if (both := along.both_rows(y, g, axes)) is not None:
        return along.log_softmax_slope(y.shape, *both)
    return g - exp(y) * g.sum(axis=axes, keepdims=True)


def _softmax_rule(g: Any, y: Any, axes: Axes) -> Any:
    if (both := along.both_rows(y, g, axes)) is not None:
        return along.softmax_slope(y.shape, *both)
    return y * (g - (g * y).sum(axis=axes, keepdims=True))


def _softmax(a: Any, axes: Axes) -> Any:
    if (rows := along.rows(a, axes)) is not None:
        return along.softmax(a.shape, rows)
    e = np.exp(a - np.max(a, axis=axes, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=axes, keepdims=True)


sum = row(
    "sum",
    lambda a, axes, keepdims: np.add.reduce(a, axes, _sum_dtype(a), keepdims=keepdims),
    lambda g, _y, shape, axes, keepdims: _spread(g, shape, axes),
)
mean = row(
    "mean",
    lambda a, axes, keepdims: _open(_mean(a, axes), a.shape, axes) if keepdims else _mean(a, axes),
    lambda g, _y, shape, axes, keepdims: _spread(as_array(g / _count(shape, axes)), shape, axes),
    floating=True,
    made_of=lambda a, axes, keepdims: sum(a, axes, keepdims) / _count(a.shape, axes),
)
var = row(
    "var",
    _var,
    _var_rule,
    floating=True,
    at_once=True,
    made_of=lambda a, axes, correction, keepdims: _var_of(a, axes, correction, keepdims),
)
std = row(
    "std",
    _std,
    _std_rule,
    floating=True,
    at_once=True,
    made_of=lambda a, axes, correction, keepdims: sqrt(_var_of(a, axes, correction, keepdims)),
)
prod = row(
    "prod",
    lambda a, axes, keepdims: a.prod(axes, _sum_dtype(a), None, keepdims),
    lambda g, y, a, axes, keepdims: _prod_rule(g, y, a, axes),
)
cumsum: Row = row(
    "cumsum",
    _cumsum,
    lambda g, _y, _a, axis: _cumsum_rule(g, axis),
    at_once=True,
)
cumprod = row(
    "cumprod",
    lambda a, axis: (
        np.cumprod(a, axis, _sum_dtype(a)) if a.ndim else a.astype(_sum_dtype(a) or a.dtype)
    ),
    lambda g, _y, a, axis: _cumprod_rule(g, a, axis),
)
norm = row(
    "norm",
    _norm,
    lambda g, y, a, p, axes, keepdims: _norm_rule(g, y, a, p, axes),
    floating=True,
    at_once=True,
    made_of=lambda a, p, axes, keepdims: _norm_of(a, p, axes, keepdims),
)
max_of_all = row(
    "max_of_all",
    np.max,
    lambda g, y, a: _extreme_of_all(g, y, a),
    shown="amax",
    made_of=lambda a: amax(a, tuple(range(len(a.shape))), False),
)
min_of_all = row(
    "min_of_all",
    np.min,
    lambda g, y, a: _extreme_of_all(g, y, a),
    shown="amin",
    made_of=lambda a: amin(a, tuple(range(len(a.shape))), False),
)
amax: Row = row(
    "amax",
    lambda a, axes, keepdims: np.max(a, axis=axes, keepdims=keepdims),
    lambda g, y, a, axes, keepdims: _extreme(g, y, a, axes),
)
amin: Row = row(
    "amin",
    lambda a, axes, keepdims: np.min(a, axis=axes, keepdims=keepdims),
    lambda g, y, a, axes, keepdims: _extreme(g, y, a, axes),
)
logsumexp = row(
    "logsumexp",
    _logsumexp,
    lambda g, y, a, axes, keepdims: _weighted(g, y, a, axes),
    floating=True,
    at_once=True,
    made_of=lambda a, axes, keepdims: _logsumexp_of(a, axes, keepdims),
)
softmax = row(
    "softmax",
    _softmax,
    lambda g, y, _a, axes: _softmax_rule(g, y, axes),
    floating=True,
    at_once=True,
    made_of=lambda a, axes: _softmax_of(a, axes),
)
log_softmax = row(
    "log_softmax",
    _log_softmax,
    lambda g, y, _a, axes: _log_softmax_rule(g, y, axes),
    floating=True,
    at_once=True,
    made_of=lambda a, axes: _log_softmax_of(a, axes),
)
cross_entropy = row(
    "cross_entropy",
    lambda a, axis, classes: _cross_entropy(a, axis, classes),
    lambda g, _y, a, axis, classes: _cross_entropy_rule(g, a, axis, classes),
    floating=True,
    made_of=lambda a, axis, classes: (
        logsumexp(a, (axis,), False) - getitem(a, beside(axis, classes))
    ),
)
layer_norm = row(
    "layer_norm",
    lambda a, axes, eps: _layer_norm(a, axes, eps),
    lambda g, y, a, axes, eps: _layer_norm_rule(g, y, a, axes, eps),
    floating=True,
    at_once=True,
    made_of=lambda a, axes, eps: _layer_norm_of(a, axes, eps),
)


def _cross_entropy(a: Any, axis: int, classes: Any) -> Any:
    """``logsumexp(a) - a[class]`` along an axis, for integers that are within it."""
    if (rows := along.rows(a, (axis,))) is not None:
        if (e := by_loop(softmax, rows, (1,))) is not None:
            if (y := along.cross_entropy_of(e, classes)) is not None:
                if a.ndim == 2:
                    few.leave(a, "exp", e)
                return y
        elif (y := along.cross_entropy_at_once(a, classes)) is not None:
            return y
        return along.cross_entropy(classes.shape, rows, classes.reshape(-1))
    return _logsumexp(a, (axis,), False) - a[beside(axis, classes)]


def _cross_entropy_rule(g: Any, a: Any, axis: int, classes: Any) -> Any:
    """The softmax less 1 at the class."""
    if g.__class__ is np.ndarray and (rows := along.rows(a, (axis,))) is not None:
        if (e := few.take(a, "exp")) is not None:
            return along.cross_entropy_slope_of(e, g, classes)
        if (e := by_loop(softmax, rows, (1,))) is not None:
            along.cross_entropy_slope_of(e, g.reshape(-1), classes.reshape(-1))
            return e.reshape(a.shape)
        return along.cross_entropy_slope(a.shape, rows, g.reshape(-1), classes.reshape(-1))
    share, at = softmax(a, (axis,)), beside(axis, classes)
    return _open(g, a.shape, (axis,)) * put(share, share[at] - 1, at)


def _layer_norm(a: Any, axes: Axes, eps: float) -> Any:
    if (rows := along.rows(a, axes)) is not None:
        scale = np.empty(len(rows), a.dtype)
        y = along.layer_norm(a.shape, rows, scale, eps=eps)
        few.leave(a, f"scale {axes} {eps}", scale)
        return y
    centred = a - a.mean(axis=axes, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=axes, keepdims=True) + eps)


def _layer_norm_rule(g: Any, y: Any, a: Any, axes: Axes, eps: float) -> Any:
    """(g - mean(g) - y mean(g y)) / sqrt(var + eps)."""
    if (both := along.both_rows(a, g, axes)) is not None:
        beside = [y.reshape(both[0].shape)]
        if (scale := few.take(a, f"scale {axes} {eps}")) is not None:
            beside.append(scale)
        return along.layer_norm_slope(a.shape, *both, *beside, eps=eps)
    centred = a - a.mean(axis=axes, keepdims=True)
    spread = ((centred * centred).mean(axis=axes, keepdims=True) + eps) ** 0.5
    g = g - g.mean(axis=axes, keepdims=True) - y * (g * y).mean(axis=axes, keepdims=True)
    return g / spread


def _weighted(g: Any, y: Any, a: Any, axes: Axes) -> Any:
    """The gradient of a logsumexp: the softmax, written with the output at hand."""
    return _open(g, a.shape, axes) * exp(a - _open(y, a.shape, axes))


# ---- what some are made of ---------------------------------------------------------------------------


def _var_of(a: Any, axes: Axes, correction: float, keepdims: bool) -> Any:
    centred = a - mean(a, axes, True)
    n = max(_count(a.shape, axes) - correction, 0) or float("nan")
    return sum(centred * centred, axes, keepdims) / n


def _layer_norm_of(a: Any, axes: Axes, eps: float) -> Any:
    centred = a - mean(a, axes, True)
    return centred / sqrt(mean(square(centred), axes, True) + eps)


def _norm_of(a: Any, p: float, axes: Axes, keepdims: bool) -> Any:
    if p == 2:
        return sqrt(sum(a * a, axes, keepdims))
    if p == 0:
        return sum((a != 0).astype(a.dtype), axes, keepdims)
    size = abs(a)
    if p == 1:
        return sum(size, axes, keepdims)
    if p in (np.inf, -np.inf):
        return (amax if p > 0 else amin)(size, axes, keepdims)
    return sum(size**p, axes, keepdims) ** (1 / p)


def _finite_top(a: Any, axes: Axes) -> Any:
    """The largest element, and 0 where that is not finite."""
    top = amax(a, axes, True)
    return where(top - top == 0, top, 0.0)


def _logsumexp_of(a: Any, axes: Axes, keepdims: bool) -> Any:
    top = _finite_top(a, axes)
    y = log(sum(exp(a - top), axes, True)) + top
    return y if keepdims else y.reshape([n for i, n in enumerate(y.shape) if i not in axes])


def _log_softmax_of(a: Any, axes: Axes) -> Any:
    """Below its top: a row of one number is 0, and large numbers cost no digits."""
    below = a - _finite_top(a, axes)
    return below - log(sum(exp(below), axes, True))


def _softmax_of(a: Any, axes: Axes) -> Any:
    e = exp(a - amax(a, axes, True))
    return e / sum(e, axes, True)
