"""How are curves and their slopes computed on arrays in few passes over memory, and without branches?

Each pass of numpy reads and writes its arrays once and costs half a microsecond of calling, so that the
formulas of the rows are written here with one result array that all passes share. Two of numpy's own
functions are left out where others say the same: ``np.where`` takes a branch an element (choosing by the
bits does not), and ``np.maximum`` with a number has no vector loop (``clip`` has).
The functions here are for float32 and float64 arrays (:func:`quick`); every other operand, Tensors and
complex steps among them, goes through the formulas in the rows. None of them writes into an operand.
"""

# mypy: disable-error-code="no-any-return"
# (numpy's types say Any of what many of its functions return)

from __future__ import annotations

from typing import Any, TypeGuard
from weakref import ref

import numpy as np

from ..engine.values import Array

_BITS: dict[str, Any] = {"f": np.dtype(np.int32), "d": np.dtype(np.int64)}
_FEW = 1024  # elements up to which a call costs more than what it does
_MANY = 1 << 16  # elements up to which something is left for the slope
_INFINITY = float("inf")
_DENSITY = {code: np.array(0.3989422804014327, code) for code in "fd"}  # 1 / sqrt(2 pi)
_TINY = 1e-30  # from here down y / a has few digits
_ZEROS = {code: np.array(0, code) for code in "fd"}  # arrays are quicker to take than numbers
ONES: dict[str, Any] = {code: np.array(1, code) for code in "fd"}


def quick(a: Any) -> TypeGuard[Array]:
    """Whether the functions of this file may take an operand."""
    return a.__class__ is np.ndarray and a.dtype.char in _BITS


def both_quick(g: Any, a: Any) -> bool:
    """Whether they may take a gradient and the operand or output that it belongs to."""
    return g.__class__ is np.ndarray and quick(a) and g.dtype is a.dtype and g.shape == a.shape


def kept(mask: Array, a: Array) -> Array:
    """``np.where(mask, a, 0)``: a where the mask, of its shape, is true, NaN and infinity too; else +0."""
    if a.size <= _FEW:
        return np.where(mask, a, _ZEROS[a.dtype.char])
    bits = _BITS[a.dtype.char]
    result = np.empty(a.shape, a.dtype)
    chosen = result.view(bits)
    np.copyto(chosen, mask, casting="unsafe")
    if bits.itemsize == 4:
        np.multiply(chosen, a.view(bits), out=chosen)
    else:  # a product of 64 bits has no instruction on many processors
        np.negative(chosen, out=chosen)
        np.bitwise_and(chosen, a.view(bits), out=chosen)
    return result


# ---- curves ------------------------------------------------------------------------------------------


def relu(a: Array) -> Array:
    """max(a, 0)."""
    if a.size <= _FEW:
        return np.maximum(a, _ZEROS[a.dtype.char], out=np.empty_like(a))
    return a.clip(0, _INFINITY)


def _growth(a: Array) -> Array:
    """1 + exp(-a), infinity included."""
    y = np.negative(a, out=np.empty_like(a))
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    return np.add(y, ONES[a.dtype.char], out=y)


def sigmoid(a: Any) -> Array:
    """1 / (1 + exp(-a)) of any array; right in both tails: exactly 0 where exp(-a) is infinite.

    (A floor there instead, as from a limited exponent, times an input of 1e308 would be a gradient.)
    """
    a = np.asanyarray(a)
    if a.dtype.char == "e":  # half precision, whose exp ends at 11: before the tail
        return sigmoid(a.astype(np.float32)).astype(a.dtype)
    if not quick(a):
        return 1 / (1 + np.exp(-a))  # gradcheck's complex step
    y = _growth(a)
    return np.reciprocal(y, out=y)


def silu(a: Array) -> Array:
    """a / (1 + exp(-a)); NaN of -infinity."""
    y = _growth(a)
    return np.divide(a, y, out=y)


def softplus(a: Array) -> Array:
    """max(a, 0) + log(1 + exp(-|a|))."""
    y = np.abs(a, out=np.empty_like(a))
    np.negative(y, out=y)
    np.exp(y, out=y)
    np.log1p(y, out=y)
    return np.add(y, relu(a), out=y)


def leaky_relu(a: Array, slope: float) -> Array:
    """max(a, slope a), for a slope above 0 and at most 1."""
    y = np.multiply(a, slope, out=np.empty_like(a))
    return np.maximum(a, y, out=y)


def elu(a: Array, alpha: float) -> Array:
    """max(a, 0) + alpha (exp(min(a, 0)) - 1): one of the two is 0."""
    y = a.clip(-_INFINITY, 0, out=np.empty_like(a))
    np.expm1(y, out=y)
    if alpha != 1:
        np.multiply(y, alpha, out=y)
    return np.add(y, relu(a), out=y)


def sign(a: Array) -> Array:
    """-1, 0 or 1, and 0 of NaN."""
    above = np.greater(a, 0, out=np.empty(a.shape, bool)).view(np.int8)
    below = np.less(a, 0, out=np.empty(a.shape, bool)).view(np.int8)
    return np.subtract(above, below, out=above).astype(a.dtype)


# ---- slopes, times the gradient g ----------------------------------------------------------------------


def _square(y: Array) -> Array:
    """y**2, an array even of no axes. (numpy is quickest where it makes the result.)"""
    return np.multiply(y, y) if y.ndim else np.multiply(y, y, np.empty_like(y))


def tanh_slope(g: Array, y: Array) -> Array:
    """g - g y**2."""
    d = _square(y)
    np.multiply(d, g, d)
    return np.subtract(g, d, d)


def sigmoid_slope(g: Array, y: Array) -> Array:
    """g (y - y**2)."""
    d = _square(y)
    np.subtract(y, d, d)
    return np.multiply(d, g, d)


def softplus_slope(g: Array, a: Array) -> Array:
    """g sigmoid(a)."""
    d = sigmoid(a)
    return np.multiply(d, g, out=d)


def gate(y: Array, a: Array) -> Array:
    """s of ``y = a s(a)``, where s(0) is 1/2: y / a, without computing s again."""
    near = np.less(np.abs(a), _TINY, out=np.empty(a.shape, bool))
    if not near.any():
        return np.divide(y, a, out=np.empty_like(a))
    with np.errstate(invalid="ignore"):
        s = np.divide(y, a, out=np.empty_like(a))
    s[near] = 0.5
    return s


def silu_slope(g: Array, y: Array, a: Array) -> Array:
    """g (s + y (1 - s)) where y = a s."""
    s = gate(y, a)
    d = np.subtract(ONES[a.dtype.char], s, out=np.empty_like(a))
    np.multiply(d, y, out=d)
    np.add(d, s, out=d)
    return np.multiply(d, g, out=d)


def gelu_slope(g: Array, y: Array, a: Array) -> Array:
    """g (s + a exp(-a**2 / 2) / sqrt(2 pi)) where y = a s."""
    s = gate(y, a)
    d = take(a, "bell")
    if d is None:
        d = bell(a)
    np.multiply(d, _DENSITY[a.dtype.char], out=d)
    np.multiply(d, a, out=d)
    np.add(d, s, out=d)
    return np.multiply(d, g, out=d)


def bell(a: Array) -> Array:
    """exp(-a**2 / 2)."""
    d = a.astype(np.float64)  # in float32 the rounding of the square would be seen in exp
    np.multiply(d, d, out=d)
    np.multiply(d, -0.5, out=d)
    np.exp(d, out=d)
    return d.astype(a.dtype, copy=False)


def leaky_relu_slope(g: Array, a: Array, slope: float) -> Array:
    """g where a > 0, else g times a slope above 0 and at most 1."""
    d = np.greater(a, 0, out=np.empty(a.shape, bool)).astype(a.dtype)
    d.clip(slope, 1, out=d)
    return np.multiply(d, g, out=d)


def elu_slope(g: Array, a: Array) -> Array:
    """g exp(min(a, 0)), of an ``elu`` whose alpha is 1; g beside a NaN."""
    d = np.fmin(a, _ZEROS[a.dtype.char], out=np.empty_like(a))
    np.exp(d, out=d)
    return np.multiply(d, g, out=d)


# ---- what a forward computes on its way to what its slope needs ----------------------------------------
# It is left beside the operand, for as long as that lives or until the slope takes it. Arrays never change,
# so that who finds nothing computes the same again, to the last bit.

_left: dict[tuple[int, str], tuple[ref[Array], Array]] = {}


def leave(a: Array, what: str, found: Array) -> None:
    """Leave ``found`` beside the array, where that is no large piece of memory."""
    if found.size > _MANY:
        return
    key = id(a), what
    _left[key] = ref(a, lambda _: _left.pop(key, None)), found


def take(a: Array, what: str) -> Array | None:
    """Take what was left there, if anything was."""
    of, found = _left.pop((id(a), what), (None, None))
    return found if of is not None and of() is a else None
