"""Which curves do loops of machine code call? tanh, sigmoid, exp and what is made of them that vectorise.

In float32 they are polynomials after exact range reduction, at most 5 ulp off over the whole range, the
normal distribution 6 (measured in ``tests/test_scan_numba.py``: 2.5 for tanh, 2.3 for sigmoid), right in the
tails down to denormal numbers; NaN stays NaN. A sigmoid ends where the engine's does: what is not 0 op by op,
so that infinity times it is infinity, is not 0 here. They are compiled without fast-math flags: reordering
would undo the reduction. In float64 they are the C library's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from llvmlite import ir

from .llvm import Instructions

if TYPE_CHECKING:
    from ..engine.values import Array

f32, FLOAT, WHOLE = np.float32, ir.FloatType(), ir.IntType(32)
Function = TypeVar("Function", bound=Callable[..., Any])


def _written(write: Callable[..., Any]) -> Any:
    """A function of float32 as LLVM's instructions."""
    return Instructions(write, "f32")


def fastmath(*flags: str) -> Callable[[Function], Function]:
    """What LLVM may do to the numbers of a function."""

    def flagged(function: Function) -> Function:
        function.__dict__["fastmath"] = flags
        return function

    return flagged


def _intrinsic(b: ir.IRBuilder, name: str, *operands: ir.Value) -> ir.Value:
    """What LLVM has by a name, of float32."""
    shape = ir.FunctionType(FLOAT, [FLOAT] * len(operands))
    return b.call(b.module.declare_intrinsic(f"llvm.{name}", [FLOAT], shape), operands)


@_written
def _fma(b: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    """x * y + z, rounded once."""
    return _intrinsic(b, "fma", x, y, z)


@_written
def _power_of_two(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """2**n of SHIFT + n for a whole n, -126 <= n <= 127: n is what its last bits are, an exponent's bits."""
    shifted = b.shl(b.bitcast(x, WHOLE), WHOLE(23))
    return b.bitcast(b.add(shifted, WHOLE(127 << 23)), FLOAT)


def _scale(b: ir.IRBuilder, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """(x's bits, k shifted to an exponent's place) with x = m 2**k and m from sqrt(1/2) to sqrt(2)."""
    bits = b.bitcast(x, WHOLE)
    return bits, b.and_(b.sub(bits, WHOLE(ROOT_HALF_BITS)), WHOLE(-(1 << 23)))


@_written
def _exponent(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """k of x = m 2**k with m from sqrt(1/2) to sqrt(2), of a normal x > 0."""
    return b.sitofp(b.ashr(_scale(b, x)[1], WHOLE(23)), FLOAT)


@_written
def _mantissa(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """m of the same."""
    return b.bitcast(b.sub(*_scale(b, x)), FLOAT)


@_written
def _signed(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """The size of x with the sign of y."""
    return _intrinsic(b, "copysign", x, y)


ROOT_HALF_BITS = int(f32(0.5**0.5).view(np.int32))
LOG2E, HIGH, LOW = f32(1.4426950408889634), f32(-0.693359375), f32(2.12194440e-4)
# (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2: exp(r) - 1 of it is off by at most 2e-8 of itself, the least
# possible (Lawson's weights at 4000 Chebyshev points)
C2, C3, C4, C5, C6 = map(f32, (0.49999997, 0.16666542, 0.041667204, 0.008366647, 0.0013882498))
SHIFT = f32(3 << 22)  # so large that a sum with it is rounded to a whole number
A3, A5, A7, A9, A11, A13, A15 = (f32(1 / k) for k in range(3, 17, 2))  # of artanh, up to 1/3
ZERO, ONE, TWO, MINUS_TWO, HALF32 = f32(0), f32(1), f32(2), f32(-2), f32(0.5)
NORMAL, UP, UP_BY, LARGEST = np.finfo(f32).tiny, f32(2**23), f32(23), np.finfo(f32).max
INFINITY, NAN = f32(np.inf), f32(np.nan)
NO_MORE, GONE, TOO_MUCH = f32(-40), f32(-104), f32(89)
# below it a sigmoid is 0: exp of minus it is beyond the largest number
LEAST32, LEAST64 = (-np.log(np.finfo(kind).max) for kind in (f32, float))


def _reduced(x: float) -> float:
    """(SHIFT + n, exp(r) - 1) with x = n log(2) + r and |r| <= log(2) / 2."""
    shifted = _fma(x, LOG2E, SHIFT)
    n = shifted - SHIFT
    r = _fma(n, LOW, _fma(n, HIGH, x))
    square = r * r
    q = _fma(square, _fma(square, C6, _fma(r, C5, C4)), _fma(r, C3, C2))
    return shifted, _fma(square, q, r)


def tanh32(x: float) -> float:
    """The hyperbolic tangent."""
    y = MINUS_TWO * abs(x)
    n, p = _reduced(NO_MORE if y < NO_MORE else y)
    s = _power_of_two(n)
    e = _fma(s, p, s - ONE)  # exp(-2 |x|) - 1
    return _signed(e / (TWO + e), x)


def _exp(y: float) -> float:
    """exp(y) for y <= TOO_MUCH, through the denormal numbers to 0."""
    n, p = _reduced(GONE if y < GONE else y)
    k = n - SHIFT
    half = _fma(k, HALF32, SHIFT)
    return (_power_of_two(half) * (ONE + p)) * _power_of_two(SHIFT + (k - (half - SHIFT)))


def sigmoid32(x: float) -> float:
    """1 / (1 + exp(-x)), by halves: exp(-x) itself may be beyond float32 where the result is a number."""
    y = TOO_MUCH if -x > TOO_MUCH else -x
    n, p = _reduced(NO_MORE if y < NO_MORE else y)
    s = _power_of_two(n - ONE)
    y = HALF32 / (HALF32 + _fma(s, p, s))
    return ZERO if x < LEAST32 else y


def exp32(x: float) -> float:
    """The exponential function."""
    return _exp(TOO_MUCH if x > TOO_MUCH else x)


def expm132(x: float) -> float:
    """exp(x) - 1."""
    y = TOO_MUCH if x > TOO_MUCH else x
    n, p = _reduced(NO_MORE if y < NO_MORE else y)
    s = _power_of_two(n - ONE)  # half of it: the largest power is beyond float32
    return _signed(TWO * _fma(s, p, s - HALF32), x)


def softplus32(x: float) -> float:
    """log(1 + exp(x)): the larger of x and 0, and log(1 + e) = 2 artanh(e / (2 + e)) of e = exp(-|x|)."""
    e = _exp(-abs(x))
    s = e / (TWO + e)
    q = s * s
    r = _fma(q, _fma(q, _fma(q, _fma(q, _fma(q, _fma(q, A15, A13), A11), A9), A7), A5), A3)
    return (x if x > ZERO else ZERO) + TWO * _fma(s * q, r, s)


def log32(x: float) -> float:
    """The natural logarithm: k log(2) + 2 artanh((m - 1) / (m + 1)) of x = m 2**k."""
    small = x < NORMAL
    y = x * UP if small else x
    k = _exponent(y) - (UP_BY if small else ZERO)
    f = _mantissa(y) - ONE
    s = f / (TWO + f)
    q = s * s
    r = _fma(q, _fma(q, _fma(q, _fma(q, A11, A9), A7), A5), A3)
    found = _fma(k, -HIGH, TWO * _fma(s * q, r, s) - k * LOW)
    beyond = INFINITY if x > ZERO else -INFINITY if x == ZERO else NAN
    return found if ZERO < x <= LARGEST else beyond


def log64(x: float) -> float:
    """The C library's."""
    return math.log(x)


def expm164(x: float) -> float:
    """The C library's."""
    return math.expm1(x)


def softplus64(x: float) -> float:
    """log(1 + exp(x)), by the C library's functions."""
    return (x if x > 0.0 else 0.0) + math.log1p(math.exp(-abs(x)))


def sigmoid64(x: float) -> float:
    """1 / (1 + exp(-x)), by the C library's exp."""
    e = math.exp(-abs(x))
    y = (e if x < 0.0 else 1.0) / (1.0 + e)
    return 0.0 if x < LEAST64 else y


def silu32(x: float) -> float:
    """x sigmoid(x)."""
    return x * sigmoid32(x)


def silu64(x: float) -> float:
    """x sigmoid(x)."""
    return x * sigmoid64(x)


def tanh64(x: float) -> float:
    """The C library's."""
    return math.tanh(x)


def exp64(x: float) -> float:
    """The C library's."""
    return math.exp(x)


def floor_quotient64(a: float, b: float) -> float:
    """numpy's ``floor_divide``: 0.5 // 0.1 is 4, since 0.1 is a little more, though 0.5 / 0.1 rounds to 5."""
    return _floor_quotient(a, b, np.fmod(a, b))


def floor_quotient32(a: float, b: float) -> float:
    """The same; below 2**29 the quotient's whole part is right in float64, and so is what remains.

    The C library's remainder would keep a loop from being vectorised.
    """
    x, y = np.float64(a), np.float64(b)
    whole = np.trunc(x / y)
    return _floor_quotient(a, b, f32(x if whole == 0 else x - whole * y))


def _floor_quotient(a: float, b: float, rest: float) -> float:
    """By the remainder of a through b, which has a's sign."""
    q = (a - rest) / b
    if rest != 0 and (b < 0) != (rest < 0):
        q -= 1
    low = np.floor(q)
    if q - low > 0.5:
        low += 1
    return a / b if b == 0 else low


BEND32, SLOPE32 = f32(0.044715), f32(0.7978845608028654)
# (z + 3) exp(z**2 / 2) P(Z > z) as a polynomial in (z - 3) / (z + 3), to 3e-8 for z of 0 to 15: the least
# squares at 4000 Chebyshev points of scipy's erfcx, each weighted to be relative
G0, G1, G2, G3, G4, G5, G6, G7, G8, G9 = map(
    f32,
    (
        0.729083692,
        -0.509332179,
        0.230017647,
        -0.047257927,
        -0.0104616901,
        0.00693642429,
        0.00101402508,
        -0.000946387032,
        -0.000199858632,
        5.39140648e-05,
    ),
)
THREE, FAR = f32(3), f32(15)


def normal_cdf32(x: float) -> float:
    """The share of N(0, 1) below x: a tail is exp(-x**2 / 2) times what bends little."""
    z = abs(x)
    z = FAR if z > FAR else z
    square = z * z
    rest = _fma(z, z, -square)
    r = ONE / (z + THREE)
    u = (z - THREE) * r
    g = _fma(
        u,
        _fma(
            u,
            _fma(
                u,
                _fma(u, _fma(u, _fma(u, _fma(u, _fma(u, _fma(u, G9, G8), G7), G6), G5), G4), G3),
                G2,
            ),
            G1,
        ),
        G0,
    )
    tail = _exp(-HALF32 * square) * _fma(-HALF32, rest, ONE) * (g * r)
    return tail if x < ZERO else ONE - tail


def normal_cdf64(x: float) -> float:
    """The share of N(0, 1) below x, by the C library's erfc."""
    return 0.5 * math.erfc(-x * 0.7071067811865476)


def gelu_by_tanh32(x: float) -> float:
    """x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2."""
    return HALF32 * x * (ONE + tanh32((x + x * x * x * BEND32) * SLOPE32))


def gelu_by_tanh64(x: float) -> float:
    """x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2."""
    return 0.5 * x * (1.0 + math.tanh((x + x * x * x * 0.044715) * 0.7978845608028654))


def copy(to: Array, source: Array, count: int) -> None:
    """The first ``count`` numbers of an array into another."""
    for j in range(count):
        to[j] = source[j]


@fastmath("contract", "nsz", "reassoc")
def plus(a: float, b: float) -> float:
    """One more summand of a sum whose order is free: so it adds up whole vectors."""
    return a + b


@fastmath("nnan", "nsz")
def larger(a: float, b: float) -> float:
    """The larger of two numbers, none of which is NaN: so a loop takes whole vectors."""
    return a if a > b else b


@fastmath("nnan", "nsz")
def smaller(a: float, b: float) -> float:
    """The smaller one."""
    return a if a < b else b
