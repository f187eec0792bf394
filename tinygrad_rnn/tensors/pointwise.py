"""What does a tensor do to each element by itself? Operators, functions, comparisons, logic, rounding."""

# mypy: disable-error-code="misc,no-any-return"
# `self` is the Tensor that inherits these methods (mypy wants a supertype there); operators with an operand
# of any kind give Any.

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.places import state
from ..ops import curves, dtypes
from ..ops import elementwise as e
from .arrays import as_tensor, is_tensor, promoted, wrapped
from .untracked import compared, floor_quotient, truth, unrecorded, whole

if TYPE_CHECKING:
    from ..ops.row import Row
    from .value import Tensor


class Pointwise:
    """What a tensor does to each element, alone or with the one that stands there in another tensor."""

    __slots__ = ()

    # ---- operators: the rows themselves where the tensor comes first

    __add__: Row = e.add
    __sub__: Row = e.sub
    __mul__: Row = e.mul
    __truediv__: Row = e.div
    __pow__: Row = e.pow
    __neg__: Row = e.neg
    __abs__: Row = e.abs

    def __radd__(self: Tensor, other: Any) -> Tensor:
        return e.add(other, self)

    def __rsub__(self: Tensor, other: Any) -> Tensor:
        return e.sub(other, self)

    def __rmul__(self: Tensor, other: Any) -> Tensor:
        return e.mul(other, self)

    def __rtruediv__(self: Tensor, other: Any) -> Tensor:
        return e.div(other, self)

    def __rpow__(self: Tensor, other: Any) -> Tensor:
        return e.pow(other, self)

    def __pos__(self: Tensor) -> Tensor:
        return self

    def __mod__(self: Tensor, other: Any) -> Tensor:
        """a - b floor(a / b): the sign is the divisor's."""
        a, b, floating = _promoted(self, other)
        if not floating:
            return whole(np.mod, a, b)
        q = whole(floor_quotient, a, b)
        return a - e.where(q == 0, 0.0, q * b)  # of infinity too nothing is taken 0 times

    def __rmod__(self: Tensor, other: Any) -> Tensor:
        return promoted(other, self)[0] % self

    def __floordiv__(self: Tensor, other: Any) -> Tensor:
        """The whole number below the exact a / b; its derivative is 0."""
        a, b, floating = _promoted(self, other)
        return whole(floor_quotient if floating else np.floor_divide, a, b)

    def __rfloordiv__(self: Tensor, other: Any) -> Tensor:
        return promoted(other, self)[0] // self

    def __eq__(self: Tensor, other: Any) -> Tensor:  # type: ignore[override]
        return compared(np.equal, self, other)

    def __ne__(self: Tensor, other: Any) -> Tensor:  # type: ignore[override]
        return compared(np.not_equal, self, other)

    def __lt__(self: Tensor, other: Any) -> Tensor:
        return compared(np.less, self, other)

    def __le__(self: Tensor, other: Any) -> Tensor:
        return compared(np.less_equal, self, other)

    def __gt__(self: Tensor, other: Any) -> Tensor:
        return compared(np.greater, self, other)

    def __ge__(self: Tensor, other: Any) -> Tensor:
        return compared(np.greater_equal, self, other)

    def __and__(self: Tensor, other: Any) -> Tensor:
        return compared(np.bitwise_and, self, other)

    def __or__(self: Tensor, other: Any) -> Tensor:
        return compared(np.bitwise_or, self, other)

    def __xor__(self: Tensor, other: Any) -> Tensor:
        return compared(np.bitwise_xor, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self: Tensor) -> Tensor:
        result = wrapped(~self._data)
        if state.tracer is not None:
            state.tracer.compared("invert", result, (self,))
        return result

    # ---- arithmetic by name

    def add(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        """This plus ``alpha`` times another."""
        return self + (other if alpha == 1 else other * alpha)

    def sub(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        """This minus ``alpha`` times another."""
        return self - (other if alpha == 1 else other * alpha)

    def mul(self: Tensor, other: Any) -> Tensor:
        """The product, elementwise."""
        return self * other

    def div(self: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """The quotient, or with ``rounding_mode`` "floor" or "trunc" the whole number below or towards 0."""
        if rounding_mode is None:
            return self / other
        if rounding_mode == "floor":
            return self // other
        if rounding_mode != "trunc":
            raise ValueError(
                f"div: rounding_mode is None, 'floor' or 'trunc', not {rounding_mode!r}"
            )
        dtype = (self * other).dtype  # what both promote to
        return whole(np.trunc, (self / other).to(dtype) if dtype.kind == "f" else self / other).to(
            dtype
        )

    def pow(self: Tensor, exponent: Any) -> Tensor:
        """x ** exponent."""
        return e.pow(self, exponent)

    def lerp(self: Tensor, end: Any, weight: Any) -> Tensor:
        """This + weight (end - this): the point that divides the way to ``end``."""
        return self + weight * (end - self)

    def neg(self: Tensor) -> Tensor:
        """-x.

        >>> import tinygrad_rnn as tg
        >>> tg.neg(tg.tensor([1.0, -2.0]))
        tensor([-1.,  2.])
        """
        return e.neg(self)

    def abs(self: Tensor) -> Tensor:
        """|x|; the derivative at 0 is taken as 0.

        >>> import tinygrad_rnn as tg
        >>> tg.abs(tg.tensor([-2.0, 3.0]))
        tensor([2., 3.])
        """
        return e.abs(self)

    def sign(self: Tensor) -> Tensor:
        """-1, 0 or 1; of NaN 0 (PyTorch's meaning; ``np.sign`` gives NaN). The derivative is 0.

        >>> import tinygrad_rnn as tg
        >>> tg.sign(tg.tensor([-2.0, 0.0, 3.0]))
        tensor([-1.,  0.,  1.])
        """
        return e.sign(self)

    def square(self: Tensor) -> Tensor:
        """x * x.

        >>> import tinygrad_rnn as tg
        >>> tg.square(tg.tensor([-2.0, 3.0]))
        tensor([4., 9.])
        """
        return e.square(self)

    def maximum(self: Tensor, other: Any) -> Tensor:
        """The larger of two, elementwise; a tie shares the gradient evenly."""
        return e.maximum(self, other)

    def minimum(self: Tensor, other: Any) -> Tensor:
        """The smaller of two, elementwise; a tie shares the gradient evenly."""
        return e.minimum(self, other)

    def clip(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
        """Values below ``min`` or above ``max`` become those; the gradient passes within and at them.

        >>> import tinygrad_rnn as tg
        >>> tg.clip(tg.tensor([-2.0, 0.5, 2.0]), -1.0, 1.0)
        tensor([-1. ,  0.5,  1. ])
        """
        if min is None and max is None:
            raise ValueError("clip: give min, max or both")
        if self._data.dtype.kind == "f" and _is_bound(min) and _is_bound(max):
            return e.clip(self, min, max)
        bounds = [
            b if b is None or isinstance(b, dtypes.NUMBERS) else as_tensor(b) for b in (min, max)
        ]
        low, high = bounds
        t = self.to(dtypes.common_dtype((self, *(b for b in bounds if b is not None))))
        if any(is_tensor(b) and b.requires_grad for b in bounds):
            if low is not None:  # as numpy's, NaN where the bound is
                t = e.where((t < low) | (as_tensor(low) != low), low, t)
            return t if high is None else e.where((t > high) | (as_tensor(high) != high), high, t)
        return e.clip(t, *(b._data.astype(t.dtype) if is_tensor(b) else b for b in bounds))

    clamp = clip

    def where(self: Tensor, condition: Any, other: Any) -> Tensor:
        """This tensor where ``condition`` holds, ``other`` elsewhere."""
        return e.where(condition, self, other)

    def nan_to_num(
        self: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
    ) -> Tensor:
        """NaN, inf and -inf replaced, by 0 and the largest and smallest number unless given.

        >>> import tinygrad_rnn as tg
        >>> tg.nan_to_num(tg.tensor([tg.nan, tg.inf, 2.0]), posinf=9.0)
        tensor([0., 9., 2.])
        """
        if self.dtype.kind != "f":
            return self
        ends = np.finfo(self.dtype)
        high = float(ends.max) if posinf is None else posinf
        low = float(ends.min) if neginf is None else neginf
        made = e.where(self.isnan(), nan, self)
        return e.where(self == np.inf, high, e.where(self == -np.inf, low, made))

    # ---- functions

    def sqrt(self: Tensor) -> Tensor:
        """The square root.

        >>> import tinygrad_rnn as tg
        >>> tg.sqrt(tg.tensor(9.0)).item()
        3.0
        """
        return e.sqrt(self)

    def exp(self: Tensor) -> Tensor:
        """e**x.

        >>> import tinygrad_rnn as tg
        >>> tg.exp(tg.tensor(0.0)).item()
        1.0
        """
        return e.exp(self)

    def log(self: Tensor) -> Tensor:
        """The natural logarithm.

        >>> import tinygrad_rnn as tg
        >>> tg.log(tg.tensor(1.0)).item()
        0.0
        """
        return e.log(self)

    def log1p(self: Tensor) -> Tensor:
        """log(1 + x), exact for small x.

        >>> import tinygrad_rnn as tg
        >>> tg.log1p(tg.tensor(0.0)).item()
        0.0
        """
        return e.log1p(self)

    def expm1(self: Tensor) -> Tensor:
        """e**x - 1, exact for small x.

        >>> import tinygrad_rnn as tg
        >>> tg.expm1(tg.tensor(0.0)).item()
        0.0
        """
        return e.expm1(self)

    def sin(self: Tensor) -> Tensor:
        """The sine of an angle in radians.

        >>> import tinygrad_rnn as tg
        >>> tg.sin(tg.tensor(0.0)).item()
        0.0
        """
        return e.sin(self)

    def cos(self: Tensor) -> Tensor:
        """The cosine of an angle in radians.

        >>> import tinygrad_rnn as tg
        >>> tg.cos(tg.tensor(0.0)).item()
        1.0
        """
        return e.cos(self)

    def tanh(self: Tensor) -> Tensor:
        """The hyperbolic tangent; dy/dx = 1 - y**2.

        >>> import tinygrad_rnn as tg
        >>> tg.tanh(tg.tensor(0.0)).item()
        0.0
        """
        return e.tanh(self)

    def sigmoid(self: Tensor) -> Tensor:
        """1 / (1 + exp(-x)), without overflow; dy/dx = y (1 - y).

        >>> import tinygrad_rnn as tg
        >>> tg.sigmoid(tg.tensor(0.0)).item()
        0.5
        """
        return e.sigmoid(self)

    def relu(self: Tensor) -> Tensor:
        """max(x, 0); the derivative at 0 is taken as 0."""
        return e.relu(self)

    def erf(self: Tensor) -> Tensor:
        """The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x.

        >>> import tinygrad_rnn as tg
        >>> tg.erf(tg.tensor([0.5, 0.0]))
        tensor([0.5205, 0.    ])
        """
        return curves.erf(self)

    def atan2(self: Tensor, other: Any) -> Tensor:
        """The angle of the point (other, this), from -pi to pi; at the origin its slopes are taken as 0."""
        return curves.atan2(self, other)

    arctan2 = atan2

    # ---- whole numbers

    def floor(self: Tensor) -> Tensor:
        """The whole number below; the derivative is 0.

        >>> import tinygrad_rnn as tg
        >>> tg.floor(tg.tensor([-1.5, 1.5]))
        tensor([-2.,  1.])
        """
        return whole(np.floor, self)

    def ceil(self: Tensor) -> Tensor:
        """The whole number above; the derivative is 0.

        >>> import tinygrad_rnn as tg
        >>> tg.ceil(tg.tensor([-1.5, 1.5]))
        tensor([-1.,  2.])
        """
        return whole(np.ceil, self)

    def round(self: Tensor, *, decimals: int = 0) -> Tensor:
        """The nearest number of so many ``decimals``, halves to the even one; the derivative is 0.

        >>> import tinygrad_rnn as tg
        >>> tg.round(tg.tensor([0.5, 1.6]))
        tensor([0., 2.])
        """
        if not decimals:
            return whole(np.rint, self)
        scale = 10.0 ** abs(decimals)
        if decimals < 0:
            return (self / scale).round() * scale
        return (self * scale).round() / scale

    # ---- comparing

    def eq(self: Tensor, other: Any) -> Tensor:
        """Where it equals another."""
        return self == other

    def ne(self: Tensor, other: Any) -> Tensor:
        """Where it differs from another."""
        return self != other

    def lt(self: Tensor, other: Any) -> Tensor:
        """Where it is less."""
        return self < other

    def le(self: Tensor, other: Any) -> Tensor:
        """Where it is at most that."""
        return self <= other

    def gt(self: Tensor, other: Any) -> Tensor:
        """Where it is greater."""
        return self > other

    def ge(self: Tensor, other: Any) -> Tensor:
        """Where it is at least that."""
        return self >= other

    def isnan(self: Tensor) -> Tensor:
        """Where values are NaN.

        >>> import tinygrad_rnn as tg
        >>> tg.isnan(tg.tensor([1.0, tg.nan]))
        tensor([False,  True])
        """
        return unrecorded("isnan", np.isnan(self._data), self)

    def isinf(self: Tensor) -> Tensor:
        """Where values are infinite.

        >>> import tinygrad_rnn as tg
        >>> tg.isinf(tg.tensor([1.0, tg.inf]))
        tensor([False,  True])
        """
        found: Any = np.isinf(self)
        return found

    def isfinite(self: Tensor) -> Tensor:
        """Where values are neither NaN nor infinite.

        >>> import tinygrad_rnn as tg
        >>> tg.isfinite(tg.tensor([1.0, tg.inf]))
        tensor([ True, False])
        """
        return unrecorded("isfinite", np.isfinite(self._data), self)

    def equal(self: Tensor, other: Any) -> bool:
        """Whether shape and all values are the same.

        >>> import tinygrad_rnn as tg
        >>> tg.equal(tg.ones(2), tg.ones(3))
        False
        """
        return self.shape == other.shape and bool((self == other).all())

    def allclose(
        self: Tensor, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> bool:
        """Whether all values are within ``atol + rtol |other|``.

        >>> import tinygrad_rnn as tg
        >>> tg.allclose(tg.ones(2), tg.ones(2) + 1e-6)
        True
        """
        return bool(np.allclose(self, other, rtol, atol, equal_nan))

    # ---- logic

    def logical_and(self: Tensor, other: Any) -> Tensor:
        """Where both are true (not 0).

        >>> import tinygrad_rnn as tg
        >>> tg.logical_and(tg.tensor([1.0, 0.0]), tg.tensor([2.0, 2.0]))
        tensor([ True, False])
        """
        return truth(np.logical_and, self, other)

    def logical_or(self: Tensor, other: Any) -> Tensor:
        """Where one is true (not 0).

        >>> import tinygrad_rnn as tg
        >>> tg.logical_or(tg.tensor([1.0, 0.0]), tg.tensor([0.0, 0.0]))
        tensor([ True, False])
        """
        return truth(np.logical_or, self, other)

    def logical_xor(self: Tensor, other: Any) -> Tensor:
        """Where exactly one is true (not 0).

        >>> import tinygrad_rnn as tg
        >>> tg.logical_xor(tg.tensor([1.0, 0.0]), tg.tensor([2.0, 2.0]))
        tensor([False,  True])
        """
        return truth(np.logical_xor, self, other)

    def logical_not(self: Tensor) -> Tensor:
        """Where it is 0.

        >>> import tinygrad_rnn as tg
        >>> tg.logical_not(tg.tensor([1.0, 0.0]))
        tensor([False,  True])
        """
        return truth(np.logical_not, self)


def _promoted(a: Tensor, b: Any) -> tuple[Tensor, Any, bool]:
    """Two operands in the dtype that they promote to, and whether that is one of floats."""
    b = b if b.__class__ in dtypes.NUMBERS else as_tensor(b)
    dtype = dtypes.common_dtype((a, b))
    return a.to(dtype), b.to(dtype) if is_tensor(b) else b, dtype.kind == "f"


def _is_bound(value: Any) -> bool:
    """Whether a bound of ``clip`` is a number or none, which leaves a float's dtype as it is."""
    return value is None or value.__class__ in dtypes.NUMBERS
