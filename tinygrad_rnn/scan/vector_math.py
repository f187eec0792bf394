"""Which curves do numba's loops call? tanh, sigmoid and exp that vectorise.

In float32 the three are polynomials after exact range reduction, at most 4 ulp off over the whole range
(measured in ``tests/test_scan_numba.py``: 2.5 for tanh, 2.4 for sigmoid), right in the tails down to
denormal numbers; NaN stays NaN. A sigmoid ends where the engine's does: what is not 0 op by op, so that
infinity times it is infinity, is not 0 here. They are compiled without fast-math flags: reordering would
undo the reduction. In float64 they are the C library's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from ..ops.curves import _GONE

if TYPE_CHECKING:
    from numba.core.typing import Signature
    from numba.core.typing.context import BaseContext as Context

    from ..engine.values import Array

    Code = Callable[[Context, ir.IRBuilder, Signature, list[ir.Value]], ir.Value]

f32 = np.float32


@intrinsic
def _fma(_context: Context, a: types.Type, b: types.Type, c: types.Type) -> tuple[Signature, Code]:
    """a * b + c, rounded once."""

    def code(_c: Context, builder: ir.IRBuilder, _s: Signature, args: list[ir.Value]) -> ir.Value:
        kind = ir.FloatType()
        one = ir.FunctionType(kind, [kind] * 3)
        return builder.call(builder.module.declare_intrinsic("llvm.fma", [kind], one), args)

    return types.float32(types.float32, types.float32, types.float32), code


@intrinsic
def _round(_context: Context, a: types.Type) -> tuple[Signature, Code]:
    """The nearest whole number."""

    def code(_c: Context, builder: ir.IRBuilder, _s: Signature, args: list[ir.Value]) -> ir.Value:
        return builder.call(builder.module.declare_intrinsic("llvm.rint", [ir.FloatType()]), args)

    return types.float32(types.float32), code


@intrinsic
def _whole(_context: Context, a: types.Type) -> tuple[Signature, Code]:
    """A whole number as an integer."""

    def code(_c: Context, builder: ir.IRBuilder, _s: Signature, args: list[ir.Value]) -> ir.Value:
        return builder.fptosi(args[0], ir.IntType(32))

    return types.int32(types.float32), code


@intrinsic
def _power_of_two(_context: Context, a: types.Type) -> tuple[Signature, Code]:
    """2**n for -126 <= n <= 127, by its exponent's bits."""

    def code(_c: Context, builder: ir.IRBuilder, _s: Signature, args: list[ir.Value]) -> ir.Value:
        whole = ir.IntType(32)
        bits = builder.shl(builder.add(args[0], whole(127)), whole(23))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(types.int32), code


@intrinsic
def _signed(_context: Context, a: types.Type, b: types.Type) -> tuple[Signature, Code]:
    """The size of a with the sign of b."""

    def code(_c: Context, builder: ir.IRBuilder, _s: Signature, args: list[ir.Value]) -> ir.Value:
        kind = ir.FloatType()
        two = ir.FunctionType(kind, [kind] * 2)
        return builder.call(builder.module.declare_intrinsic("llvm.copysign", [kind], two), args)

    return types.float32(types.float32, types.float32), code


LOG2E, HIGH, LOW = f32(1.4426950408889634), f32(-0.693359375), f32(2.12194440e-4)
C2, C3, C4, C5, C6, C7 = (f32(1 / math.factorial(k)) for k in range(2, 8))
ZERO, ONE, TWO, MINUS_TWO = f32(0), f32(1), f32(2), f32(-2)
NO_MORE, GONE, TOO_MUCH = f32(-40), f32(-104), f32(89)
# below it a sigmoid is 0: exp of minus it is beyond the largest number
LEAST32, LEAST64 = (-np.log(np.finfo(kind).max) for kind in (f32, float))
NOTHING32, NOTHING64 = f32(_GONE), float(_GONE)  # where silu's factor is 0


@njit(error_model="numpy", forceinline=True)
def _reduced(x: float) -> float:
    """(n, exp(r) - 1) with x = n log(2) + r and |r| <= log(2) / 2."""
    n = _round(x * LOG2E)
    r = _fma(n, LOW, _fma(n, HIGH, x))
    q = _fma(r, _fma(r, _fma(r, _fma(r, _fma(r, C7, C6), C5), C4), C3), C2)
    return n, _fma(r * r, q, r)


@njit(error_model="numpy", forceinline=True)
def tanh32(x: float) -> float:
    """The hyperbolic tangent."""
    y = MINUS_TWO * abs(x)
    n, p = _reduced(NO_MORE if y < NO_MORE else y)
    s = _power_of_two(_whole(n))
    e = _fma(s, p, s - ONE)  # exp(-2 |x|) - 1
    return _signed(e / (TWO + e), x)


@njit(error_model="numpy", forceinline=True)
def _exp(y: float) -> float:
    """exp(y) for y <= TOO_MUCH, through the denormal numbers to 0."""
    n, p = _reduced(GONE if y < GONE else y)
    k = _whole(n)
    half = k >> 1
    return (_power_of_two(half) * (ONE + p)) * _power_of_two(k - half)


@njit(error_model="numpy", forceinline=True)
def sigmoid32(x: float) -> float:
    """1 / (1 + exp(-x))."""
    e = _exp(-abs(x))
    y = (e if x < ZERO else ONE) / (ONE + e)
    return ZERO if x < LEAST32 else y


@njit(error_model="numpy", forceinline=True)
def exp32(x: float) -> float:
    """The exponential function."""
    return _exp(TOO_MUCH if x > TOO_MUCH else x)


@njit(error_model="numpy", forceinline=True)
def sigmoid64(x: float) -> float:
    """1 / (1 + exp(-x)), by the C library's exp."""
    e = math.exp(-abs(x))
    y = (e if x < 0.0 else 1.0) / (1.0 + e)
    return 0.0 if x < LEAST64 else y


@njit(error_model="numpy", forceinline=True)
def silu32(x: float) -> float:
    """x sigmoid(x)."""
    return x * (sigmoid32(x) if x > NOTHING32 else ZERO)


@njit(error_model="numpy", forceinline=True)
def silu64(x: float) -> float:
    """x sigmoid(x)."""
    return x * (sigmoid64(x) if x > NOTHING64 else 0.0)


@njit(error_model="numpy", forceinline=True)
def tanh64(x: float) -> float:
    """The C library's."""
    return math.tanh(x)


@njit(error_model="numpy", forceinline=True)
def exp64(x: float) -> float:
    """The C library's."""
    return math.exp(x)


@njit(error_model="numpy", forceinline=True)
def floor_quotient64(a: float, b: float) -> float:
    """numpy's ``floor_divide``: 0.5 // 0.1 is 4, since 0.1 is a little more, though 0.5 / 0.1 rounds to 5."""
    if b == 0:
        return a / b
    rest = np.fmod(a, b)
    q = (a - rest) / b
    if rest != 0 and (b < 0) != (rest < 0):
        q -= 1
    low = np.floor(q)
    return low + 1 if q - low > 0.5 else low


@njit(error_model="numpy", forceinline=True)
def floor_quotient32(a: float, b: float) -> float:
    """The same, whose remainder is exact in float64 too."""
    return f32(floor_quotient64(float(a), float(b)))


HALF32, ROOT_HALF32, BEND32, SLOPE32 = (
    f32(0.5),
    f32(0.5**0.5),
    f32(0.044715),
    f32(0.7978845608028654),
)


@njit(error_model="numpy", forceinline=True)
def normal_cdf32(x: float) -> float:
    """The share of N(0, 1) below x, by the C library's erfc."""
    return HALF32 * f32(math.erfc(-x * ROOT_HALF32))


@njit(error_model="numpy", forceinline=True)
def normal_cdf64(x: float) -> float:
    """The share of N(0, 1) below x, by the C library's erfc."""
    return 0.5 * math.erfc(-x * 0.7071067811865476)


@njit(error_model="numpy", forceinline=True)
def gelu_by_tanh32(x: float) -> float:
    """x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2."""
    return HALF32 * x * (ONE + tanh32((x + x * x * x * BEND32) * SLOPE32))


@njit(error_model="numpy", forceinline=True)
def gelu_by_tanh64(x: float) -> float:
    """x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2."""
    return 0.5 * x * (1.0 + math.tanh((x + x * x * x * 0.044715) * 0.7978845608028654))


@njit(error_model="numpy", forceinline=True)
def copy(to: Array, source: Array, count: int) -> None:
    """The first ``count`` numbers of an array into another."""
    for j in range(count):
        to[j] = source[j]


@njit(error_model="numpy", boundscheck=True)
def checked_copy(to: Array, source: Array, count: int) -> None:
    """As ``copy``, every index tested."""
    for j in range(count):
        to[j] = source[j]


@njit(error_model="numpy", fastmath={"reassoc", "nsz", "contract"}, forceinline=True)
def plus(a: float, b: float) -> float:
    """One more summand of a sum whose order is free: so it adds up whole vectors."""
    return a + b
