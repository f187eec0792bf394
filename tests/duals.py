"""Forward-mode derivatives in plain numpy: what the tests hold the engine against owes nothing to it.

A :class:`Dual` is a value and its derivatives along some directions: one array with a leading axis more.
Values may be complex: with a step along the imaginary axis, the imaginary part of a derivative is the
second derivative along it, to rounding (every function here is real where its argument is, and compares
and rounds by the real part alone).
"""

from __future__ import annotations

import math

import numpy as np


class Dual:
    """A value ``v`` of shape S and its derivatives ``d`` of shape (directions, *S)."""

    __slots__ = ("d", "v")

    def __init__(self, v, d):
        self.v, self.d = np.asarray(v), np.asarray(d)

    @property
    def shape(self):
        return self.v.shape

    @property
    def ndim(self):
        return self.v.ndim

    def __add__(self, other):
        return PAIRS["add"](self, other)

    def __mul__(self, other):
        return PAIRS["mul"](self, other)

    def __getitem__(self, where_):
        return index(self, where_)

    def sum(self):
        return total(self, None, False)

    def flip(self, axes):
        return flip(self, axes)

    def detach(self):
        return constant(self.v, len(self.d))


def constant(v, count):
    """A value that no direction changes."""
    v = np.asarray(v)
    return Dual(v, np.zeros((count, *v.shape), v.dtype))


def lifted(d, ndim):
    """Derivatives with axes of length 1 after the directions, for a value of ``ndim`` axes."""
    return d.reshape((len(d),) + (1,) * (ndim - d.ndim + 1) + d.shape[1:])


def like(number, a):
    """A Python number as a Dual beside ``a``; a Dual as it is."""
    return number if isinstance(number, Dual) else constant(np.asarray(number, a.v.dtype), len(a.d))


# ---- elementwise ---------------------------------------------------------------------------------


def apart(real, slope):
    """A function that numpy has for real numbers only, along the imaginary axis by its slope."""

    def function(x):
        if not np.iscomplexobj(x):
            return real(x)
        return real(x.real) + 1j * (x.imag * slope(x.real))

    return function


def bell(x):
    return np.exp(x * x / -2) / math.sqrt(2 * math.pi)


_share = np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2, otypes=[float])
normal_cdf = apart(lambda x: _share(x) if np.size(x) else np.zeros(np.shape(x)), bell)


def positive(x):
    return np.real(x) > 0


def sign(x):
    s = np.sign(np.real(x))
    return np.where(np.isnan(s), 0.0, s)


def sigmoid(x):
    low = np.real(x) < 0
    e = np.exp(np.where(low, x, -x))
    return np.where(low, e / (1 + e), 1 / (1 + e))


def softplus(x):
    return np.where(positive(x), x, 0) + np.log1p(np.exp(np.where(positive(x), -x, x)))


ROOT = math.sqrt(2 / math.pi)


def bent(x):
    return np.tanh(ROOT * (x + 0.044715 * x**3))


def elu(x, alpha=1.0):
    return np.where(positive(x), x, np.expm1(np.where(positive(x), 0, x)) * alpha)


# name: (the function, its slope from the operand and the value)
CURVES = {
    "neg": (np.negative, lambda x, y: -np.ones_like(x)),
    "abs": (lambda x: np.where(np.real(x) < 0, -x, x), lambda x, y: sign(x)),
    "sign": (lambda x: sign(x) + 0 * x, lambda x, y: 0 * x),
    "square": (lambda x: x * x, lambda x, y: 2 * x),
    "sqrt": (np.sqrt, lambda x, y: 0.5 / y),
    "exp": (np.exp, lambda x, y: y),
    "expm1": (np.expm1, lambda x, y: np.exp(x)),
    "log": (np.log, lambda x, y: 1 / x),
    "log1p": (np.log1p, lambda x, y: 1 / (1 + x)),
    "sin": (np.sin, lambda x, y: np.cos(x)),
    "cos": (np.cos, lambda x, y: -np.sin(x)),
    "tanh": (np.tanh, lambda x, y: 1 - y * y),
    "sigmoid": (sigmoid, lambda x, y: y * (1 - y)),
    "relu": (lambda x: np.where(np.real(x) < 0, 0, x), lambda x, y: positive(x) * 1.0),
    "softplus": (softplus, lambda x, y: sigmoid(x)),
    "silu": (lambda x: x * sigmoid(x), lambda x, y: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "normal_cdf": (normal_cdf, lambda x, y: bell(x)),
    "erf": (
        lambda x: 2 * normal_cdf(x * math.sqrt(2)) - 1,
        lambda x, y: 2 * math.sqrt(2) * bell(x * math.sqrt(2)),
    ),
    "gelu": (lambda x: x * normal_cdf(x), lambda x, y: normal_cdf(x) + x * bell(x)),
    "gelu_by_tanh": (
        lambda x: 0.5 * x * (1 + bent(x)),
        lambda x, y: (
            0.5 * (1 + bent(x)) + 0.5 * x * (1 - bent(x) ** 2) * ROOT * (1 + 3 * 0.044715 * x * x)
        ),
    ),
}


def curve(name):
    """The function of Duals that ``CURVES`` names."""
    function, slope = CURVES[name]

    def of(a):
        y = function(a.v)
        return Dual(y, a.d * slope(a.v, y))

    return of


def leaky_relu(a, slope):
    return Dual(
        np.where(positive(a.v), a.v, a.v * slope), a.d * np.where(positive(a.v), 1.0, slope)
    )


def elu_of(a, alpha):
    below = np.where(positive(a.v), 0, a.v)
    return Dual(elu(a.v, alpha), a.d * np.where(positive(a.v), 1.0, alpha * np.exp(below)))


def clip(a, low, high):
    x = np.real(a.v)
    inside = np.ones(x.shape, bool)
    y = a.v
    if low is not None:
        inside, y = inside & (x >= low), np.where(x < low, low, y)
    if high is not None:
        inside, y = inside & (x <= high), np.where(x > high, high, y)
    return Dual(y, a.d * inside)


def rounded(how):
    """floor, ceil, round: steps, whose slope is 0."""
    return lambda a: Dual(how(np.real(a.v)) + 0 * a.v, 0 * a.d)


def to_float32(a):
    """Through float32 and back: the value loses digits, the derivative is passed on."""

    def lose(x):
        near = np.asarray(np.real(x), np.float32).astype(np.float64)
        return near + 1j * np.imag(x) if np.iscomplexobj(x) else near

    return Dual(lose(a.v), a.d)


def pair(value, by_a, by_b):
    """A function of two Duals, or of one and a number, that broadcasts."""

    def of(a, b):
        a, b = (like(a, b), b) if isinstance(b, Dual) else (a, like(b, a))
        y = value(a.v, b.v)
        da, db = lifted(a.d, y.ndim), lifted(b.d, y.ndim)
        d = da * by_a(a.v, b.v, y) + db * by_b(a.v, b.v, y)
        return Dual(y, np.broadcast_to(d, (len(d), *y.shape)))

    return of


def _shares(larger):
    def won(a, b, _y):
        a, b = np.real(a), np.real(b)
        return np.where(a == b, 0.5, np.where(a > b if larger else a < b, 1.0, 0.0))

    return won


def _pick(larger):
    def pick(a, b):
        x, y = np.real(a), np.real(b)
        return np.where(x > y if larger else x < y, a, b)

    return pick


def _times(q, b):
    """q b, and 0 where q is, of infinity too."""
    return np.where(q == 0, 0.0, q * b)


def _square_sum(a, b):
    size = a * a + b * b
    return np.where(size == 0, 1, size)


def _angle(a, b):
    """The angle of (b, a), and how it moves with a step along the imaginary axis."""
    x, y = np.real(b), np.real(a)
    turn = (np.imag(a) * x - np.imag(b) * y) / _square_sum(y, x)
    angle = np.arctan2(y, x)
    return angle + 1j * turn if np.iscomplexobj(a) or np.iscomplexobj(b) else angle


def _log_where(a):
    """log(a), and 0 where nobody asks for it."""
    return np.log(np.where(np.real(a) > 0, a, 1))


PAIRS = {
    "add": pair(lambda a, b: a + b, lambda a, b, y: 1.0, lambda a, b, y: 1.0),
    "sub": pair(lambda a, b: a - b, lambda a, b, y: 1.0, lambda a, b, y: -1.0),
    "mul": pair(lambda a, b: a * b, lambda a, b, y: b, lambda a, b, y: a),
    "div": pair(lambda a, b: a / b, lambda a, b, y: 1 / b, lambda a, b, y: -y / b),
    "pow": pair(
        lambda a, b: a**b,
        lambda a, b, y: np.where(b == 0, 0, b * a ** np.where(b == 0, 1, b - 1)),
        lambda a, b, y: y * _log_where(a),
    ),
    "atan2": pair(
        lambda a, b: _angle(a, b),
        lambda a, b, y: b / _square_sum(a, b),
        lambda a, b, y: -a / _square_sum(a, b),
    ),
    "maximum": pair(_pick(True), _shares(True), lambda a, b, y: _shares(True)(b, a, y)),
    "minimum": pair(_pick(False), _shares(False), lambda a, b, y: _shares(False)(b, a, y)),
    "remainder": pair(
        lambda a, b: a - _times(np.floor_divide(np.real(a), np.real(b)), b),
        lambda a, b, y: 1.0,
        lambda a, b, y: -np.floor_divide(np.real(a), np.real(b)),
    ),
    "floor_divide": pair(
        lambda a, b: np.floor_divide(np.real(a), np.real(b)) + 0 * a * b,
        lambda a, b, y: 0.0,
        lambda a, b, y: 0.0,
    ),
}

COMPARISONS = {
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def compared(how, a, b):
    """A plain array of booleans: the operands are Duals or numbers."""
    return COMPARISONS[how](*(np.real(x.v if isinstance(x, Dual) else x) for x in (a, b)))


def where(condition, a, b):
    a, b = (like(a, b), b) if isinstance(b, Dual) else (a, like(b, a))
    y = np.where(condition, a.v, b.v)
    d = np.where(condition, lifted(a.d, y.ndim), lifted(b.d, y.ndim))
    return Dual(y, np.broadcast_to(d, (len(a.d), *y.shape)))


# ---- shapes: linear, each direction as the value -------------------------------------------------


def linear_map(function):
    """What moves values: ``function(array, lead)`` where the first ``lead`` axes stay as they are."""
    return lambda a: Dual(function(a.v, 0), function(a.d, 1))


def normal(axes, ndim):
    """Axes as negative numbers, so that they mean the same behind a leading axis."""
    axes = range(ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
    return tuple(axis - ndim if axis >= 0 else axis for axis in axes)


def index(a, where_):
    whole = where_ if isinstance(where_, tuple) else (where_,)
    return Dual(a.v[whole], a.d[(slice(None), *whole)])


def reshape(a, to):
    y = a.v.reshape(to)
    return Dual(y, a.d.reshape((len(a.d), *y.shape)))


def permute(a, axes):
    return Dual(a.v.transpose(axes), a.d.transpose((0, *(x % a.ndim + 1 for x in axes))))


def broadcast(a, to):
    return Dual(np.broadcast_to(a.v, to), np.broadcast_to(lifted(a.d, len(to)), (len(a.d), *to)))


def flip(a, axes):
    axes = normal(axes, a.ndim)
    return linear_map(lambda x, lead: np.flip(x, axes))(a)


def roll(a, shift, axis):
    axis = normal(axis, a.ndim)
    return linear_map(lambda x, lead: np.roll(x, shift, axis))(a)


def pad(a, widths, value):
    """``widths``: (before, after) an axis, none negative."""
    return Dual(np.pad(a.v, widths, constant_values=value), np.pad(a.d, ((0, 0), *widths)))


def tile(a, times):
    return Dual(np.tile(a.v, times), np.tile(lifted(a.d, max(a.ndim, len(times))), (1, *times)))


def cat(parts, axis):
    axis = axis if axis < 0 else axis - parts[0].ndim
    return Dual(
        np.concatenate([p.v for p in parts], axis), np.concatenate([p.d for p in parts], axis)
    )


def stack(parts, axis):
    axis = axis if axis < 0 else axis - parts[0].ndim - 1
    return Dual(np.stack([p.v for p in parts], axis), np.stack([p.d for p in parts], axis))


def added_at(a, where_, value):
    """``a`` with ``value`` added at an index that names no element twice."""
    y, d = np.array(a.v), np.array(a.d)
    y[where_] += value.v
    d[(slice(None), *_tuple(where_))] += lifted(value.d, y[where_].ndim)
    return Dual(y, d)


def set_at(a, where_, value):
    y, d = np.array(a.v), np.array(a.d)
    y[where_] = value.v
    d[(slice(None), *_tuple(where_))] = lifted(value.d, y[where_].ndim)
    return Dual(y, d)


def _tuple(where_):
    return where_ if isinstance(where_, tuple) else (where_,)


# ---- products ------------------------------------------------------------------------------------


def matmul(a, b):
    if a.ndim == b.ndim == 1:
        return vector_product(a, b)
    if a.ndim == 1:
        y = matmul(Dual(a.v[None], a.d[:, None]), b)
        return Dual(y.v[..., 0, :], y.d[..., 0, :])
    if b.ndim == 1:
        y = matmul(a, Dual(b.v[:, None], b.d[..., None]))
        return Dual(y.v[..., 0], y.d[..., 0])
    ndim = max(a.ndim, b.ndim)
    return Dual(a.v @ b.v, lifted(a.d, ndim) @ b.v + a.v @ lifted(b.d, ndim))


def vector_product(a, b):
    """Two vectors, by rows and columns: ``a @ b``."""
    return Dual((a.v * b.v).sum(), (a.d * b.v + a.v * b.d).sum(-1))


def linear(x, w, b=None):
    y = matmul(x, permute(w, (1, 0)))
    return y if b is None else PAIRS["add"](y, b)


def einsum(equation, *parts):
    """With an arrow; the letter Z is ours."""
    left, right = equation.split("->")
    terms = left.split(",")
    d = 0.0
    for k, part in enumerate(parts):
        moved = ",".join(("Z" if j == k else "") + t for j, t in enumerate(terms))
        each = [part.d if j == k else p.v for j, p in enumerate(parts)]
        d = d + np.einsum(f"{moved}->Z{right}", *each)
    return Dual(np.einsum(equation, *(p.v for p in parts)), d)


# ---- reductions: axes is a tuple, or None for all ------------------------------------------------


def total(a, axes, keep):
    axes = normal(axes, a.ndim)
    return linear_map(lambda x, lead: x.sum(axis=axes, keepdims=keep))(a)


def count(a, axes):
    return math.prod(a.shape[k] for k in normal(axes, a.ndim))


def mean(a, axes, keep):
    return PAIRS["div"](total(a, axes, keep), float(count(a, axes)))


def var(a, axes, correction, keep):
    centred = PAIRS["sub"](a, mean(a, axes, True))
    squares = total(PAIRS["mul"](centred, centred), axes, keep)
    return PAIRS["div"](squares, float(count(a, axes) - correction))


def root(a):
    """The square root, with slope 0 at 0."""
    y = np.sqrt(a.v)
    return Dual(y, np.where(y == 0, 0, a.d * 0.5 / np.where(y == 0, 1, y)))


def std(a, axes, correction, keep):
    return root(var(a, axes, correction, keep))


def norm(a, p, axes, keep):
    if p == 2:
        return root(total(PAIRS["mul"](a, a), axes, keep))
    size = curve("abs")(a)
    if p == 1:
        return total(size, axes, keep)
    if p == math.inf:
        return extreme(size, axes, keep, np.max)
    return PAIRS["pow"](total(PAIRS["pow"](size, float(p)), axes, keep), 1 / p)


def prod(a, axes, keep):
    axes = normal(axes, a.ndim)
    rows = np.moveaxis(a.v, axes, range(-len(axes), 0)) if axes else a.v[..., None]
    outer = rows.shape[: rows.ndim - len(axes)] if axes else a.shape
    rows = rows.reshape((*outer, math.prod(rows.shape[len(outer) :])))
    moved = np.moveaxis(a.d, axes, range(-len(axes), 0)) if axes else a.d[..., None]
    moved = moved.reshape((len(a.d), *rows.shape))
    y, d = rows.prod(-1), np.zeros((len(a.d), *outer), rows.dtype)
    for k in range(rows.shape[-1]):
        d = d + moved[..., k] * np.delete(rows, k, -1).prod(-1)
    if keep:
        y, d = np.expand_dims(y, axes), np.expand_dims(d, axes)
    return Dual(y, d)


def cumsum(a, axis):
    axis = normal(axis, a.ndim)[0]
    return linear_map(lambda x, lead: np.cumsum(x, axis))(a)


def cumprod(a, axis):
    axis = normal(axis, a.ndim)[0]
    v, d = np.moveaxis(a.v, axis, 0), np.moveaxis(a.d, axis, 0)
    value, slopes = np.ones(v.shape[1:], v.dtype), np.zeros(d.shape[1:], v.dtype)
    values, rows = [], []
    for x, dx in zip(v, d, strict=True):
        value, slopes = value * x, slopes * x + value * dx
        values.append(value)
        rows.append(slopes)
    return Dual(np.moveaxis(np.stack(values), 0, axis), np.moveaxis(np.stack(rows), 0, axis))


def extreme(a, axes, keep, pick):
    """The largest or smallest by the real part; ties share evenly."""
    axes = normal(axes, a.ndim)
    best = pick(np.real(a.v), axis=axes, keepdims=True)
    hit = np.real(a.v) == best
    share = hit / np.maximum(hit.sum(axis=axes, keepdims=True), 1)
    return linear_map(lambda x, lead: (x * share).sum(axis=axes, keepdims=keep))(a)


def logsumexp(a, axes, keep):
    top = constant(np.max(np.real(a.v), axis=normal(axes, a.ndim), keepdims=True), len(a.d))
    e = curve("exp")(PAIRS["sub"](a, top))
    y = PAIRS["add"](curve("log")(total(e, axes, True)), top)
    return y if keep else total(y, axes, False)


def softmax(a, axis):
    return curve("exp")(log_softmax(a, axis))


def log_softmax(a, axis):
    return PAIRS["sub"](a, logsumexp(a, axis, True))
