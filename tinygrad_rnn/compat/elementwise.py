"""Which functions of single numbers do PyTorch's scripts call beyond the engine's? All made of its ops.

Each is a function, ``torch.log2(x)``, and a method, ``x.log2()``; a name that ends in ``_`` writes in place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops import curves
from ..ops import elementwise as e
from ..ops.dtypes import EPS
from ..tensors import Tensor, as_tensor
from ..tensors.arrays import promoted
from ..tensors.functions import function_of
from ..tensors.several import div, mul, sub
from ..tensors.untracked import no_gradient, truth, whole

_LN2, _LN10 = math.log(2), math.log(10)


def _tensor(value: Any) -> Tensor:
    tensor: Tensor = value
    return tensor


def _floating(input: Any) -> Tensor:
    """A tensor of floats; integers become the default float, as in PyTorch."""
    t = as_tensor(input)
    return t if t.is_floating_point() else t / 1


def _side(x: Tensor) -> Tensor:
    """-1 or 1: x times it is |x|, with a slope at 0 too, where that of ``abs`` is 0."""
    return e.where(x < 0, -1.0, 1.0)


def positive(input: Any) -> Tensor:
    """x itself."""
    return as_tensor(input)


def absolute(input: Any) -> Tensor:
    """|x|; see ``abs``."""
    return as_tensor(input).abs()


def negative(input: Any) -> Tensor:
    """-x; see ``neg``."""
    return -as_tensor(input)


def exp2(input: Any) -> Tensor:
    """2**x."""
    return (_floating(input) * _LN2).exp()


def log2(input: Any) -> Tensor:
    """The logarithm to base 2."""
    return _floating(input).log() * (1 / _LN2)


def log10(input: Any) -> Tensor:
    """The logarithm to base 10."""
    return _floating(input).log() * (1 / _LN10)


def rsqrt(input: Any) -> Tensor:
    """1 / sqrt(x)."""
    return 1 / _floating(input).sqrt()


def reciprocal(input: Any) -> Tensor:
    """1 / x."""
    return 1 / _floating(input)


def tan(input: Any) -> Tensor:
    """The tangent."""
    x = _floating(input)
    return x.sin() / x.cos()


def asin(input: Any) -> Tensor:
    """The angle from -pi/2 to pi/2 whose sine is x."""
    x = _floating(input)
    return curves.atan2(x, (1 - x).sqrt() * (1 + x).sqrt())


def acos(input: Any) -> Tensor:
    """The angle from 0 to pi whose cosine is x."""
    x = _floating(input)
    return curves.atan2((1 - x).sqrt() * (1 + x).sqrt(), x)


def atan(input: Any) -> Tensor:
    """The angle from -pi/2 to pi/2 whose tangent is x."""
    x = _floating(input)
    return curves.atan2(x, as_tensor(1.0).to(x.dtype))


def sinh(input: Any) -> Tensor:
    """The hyperbolic sine, to the last digits near 0 too."""
    x = _floating(input)
    return (x.expm1() - (-x).expm1()) / 2  # of opposite signs: nothing cancels


def cosh(input: Any) -> Tensor:
    """The hyperbolic cosine."""
    x = _floating(input)
    near = x.abs() < 1
    small = sinh(e.where(near, x, 0.0) / 2)  # near 0 the slope is not to be a difference
    return e.where(near, 1 + small.square() * 2, (x.exp() + (-x).exp()) / 2)


def asinh(input: Any) -> Tensor:
    """The inverse of sinh, to the last digits on both sides."""
    x = _floating(input)
    side = _side(x)
    size = x * side
    large = size > EPS[x.dtype] ** -0.5  # where 1 is nothing beside the square
    small = e.where(large, 1.0, size)
    square = small * small
    near = (small + square / (1 + (1 + square).sqrt())).log1p()
    return side * e.where(large, e.where(large, size, 1.0).log() + _LN2, near)


def acosh(input: Any) -> Tensor:
    """The inverse of cosh, for x of at least 1."""
    return asinh(((_floating(input) - 1) / 2).sqrt()) * 2


def atanh(input: Any) -> Tensor:
    """The inverse of tanh, for x between -1 and 1."""
    x = _floating(input)
    return (x.log1p() - (-x).log1p()) / 2


arcsin, arccos, arctan = asin, acos, atan
arcsinh, arccosh, arctanh = asinh, acosh, atanh


def logit(input: Any, eps: float | None = None) -> Tensor:
    """log(p / (1 - p)); p is clipped to ``eps`` ... 1 - ``eps`` where that is given."""
    p = _floating(input)
    p = p if eps is None else p.clip(eps, 1 - eps)
    return p.log() - (-p).log1p()


def erfc(input: Any) -> Tensor:
    """1 - erf(x), to the last digits of the tail: 2 P(Z > sqrt(2) x)."""
    return curves.normal_cdf(_floating(input) * -math.sqrt(2)) * 2


def sinc(input: Any) -> Tensor:
    """sin(pi x) / (pi x), 1 at 0; computed in float64, since its slope near 0 is a small difference."""
    x = _floating(input)
    wide = x.to(np.float64)
    zero = wide == 0
    angle = e.where(zero, 1.0, wide) * math.pi
    return e.where(zero, 1.0, angle.sin() / angle).to(x.dtype)


def deg2rad(input: Any) -> Tensor:
    """Degrees as radians."""
    return _floating(input) * (math.pi / 180)


def rad2deg(input: Any) -> Tensor:
    """Radians as degrees."""
    return _floating(input) * (180 / math.pi)


def trunc(input: Any) -> Tensor:
    """The whole number towards 0; the derivative is 0."""
    return whole(np.trunc, as_tensor(input))


fix = trunc


def frac(input: Any) -> Tensor:
    """What ``trunc`` cuts off."""
    x = as_tensor(input)
    return x - trunc(x)


def signbit(input: Any) -> Tensor:
    """Where the sign is minus, of -0.0 too."""
    return truth(np.signbit, as_tensor(input))


def sgn(input: Any) -> Tensor:
    """The sign; see ``sign``."""
    return as_tensor(input).sign()


def clamp_min(input: Any, min: Any) -> Tensor:
    """What is below ``min`` raised to it."""
    return as_tensor(input).clip(min)


def clamp_max(input: Any, max: Any) -> Tensor:
    """What is above ``max`` lowered to it."""
    return as_tensor(input).clip(None, max)


def remainder(input: Any, other: Any) -> Tensor:
    """a - b floor(a / b), with the sign of b."""
    return _tensor((input if isinstance(other, Tensor) else as_tensor(input)) % other)


def fmod(input: Any, other: Any) -> Tensor:
    """a - b trunc(a / b), with the sign of a."""
    a, b = promoted(input, other)
    if not a.is_floating_point():
        return whole(np.fmod, a, b)
    side, other_side = _side(a), _side(b)
    return side * ((side * a) % (other_side * b))


def floor_divide(input: Any, other: Any) -> Tensor:
    """floor(a / b)."""
    return _tensor((input if isinstance(other, Tensor) else as_tensor(input)) // other)


def rsub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """``other - alpha * input``."""
    return sub(*promoted(other, input), alpha=alpha)


def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """``input + value * tensor1 * tensor2``."""
    a, b, c = promoted(input, tensor1, tensor2)
    return _tensor(a + b * c * value)


def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """``input + value * tensor1 / tensor2``."""
    a, b, c = promoted(input, tensor1, tensor2)
    return _tensor(a + b / c * value)


def fmax(input: Any, other: Any) -> Tensor:
    """The larger one; a number beside NaN."""
    a, b = promoted(input, other)
    return e.where((a >= b) | b.isnan(), a, b)


def fmin(input: Any, other: Any) -> Tensor:
    """The smaller one; a number beside NaN."""
    a, b = promoted(input, other)
    return e.where((a <= b) | b.isnan(), a, b)


def hypot(input: Any, other: Any) -> Tensor:
    """sqrt(a**2 + b**2), without overflow on the way; the slope at (0, 0) is NaN."""
    a, b = promoted(input, other, floating=True)
    large = e.maximum(a.abs(), b.abs()).detach()
    scale = e.where((large == 0) | (large == math.inf), 1.0, large)
    return ((a / scale).square() + (b / scale).square()).sqrt() * scale


def logaddexp(input: Any, other: Any) -> Tensor:
    """log(exp(a) + exp(b)), without overflow."""
    a, b = promoted(input, other, floating=True)
    large = e.maximum(a, b).detach()
    large = e.where(large.abs() == math.inf, 0.0, large)
    return ((a - large).exp() + (b - large).exp()).log() + large


def copysign(input: Any, other: Any) -> Tensor:
    """|a| with the sign of b."""
    a = _floating(input)
    return e.where(signbit(other), -a.abs(), a.abs())


def heaviside(input: Any, values: Any) -> Tensor:
    """0 below 0, 1 above it, ``values`` at 0."""
    x = as_tensor(input)
    no_gradient(x, "heaviside")
    return e.where(x == 0, as_tensor(values, x.dtype), (x > 0).to(x.dtype))


def xlogy(input: Any, other: Any) -> Tensor:
    """a log(b), 0 where a is 0."""
    a, b = promoted(input, other, floating=True)
    none = (a == 0) & ((b <= 0) | (b == math.inf))  # elsewhere 0 log(b) is 0, with the slope log(b)
    return e.where(none, 0.0, a * e.where(none, 1.0, b).log())


def float_power(input: Any, exponent: Any) -> Tensor:
    """A power in float64."""
    power = exponent.to(np.float64) if isinstance(exponent, Tensor) else exponent
    return as_tensor(input, np.float64) ** power


def dist(input: Any, other: Any, p: float = 2) -> Tensor:
    """The p-norm of the difference."""
    a, b = promoted(input, other)
    return _tensor((a - b).norm(p))


# ---- comparisons


eq, ne, gt = (function_of(method) for method in (Tensor.eq, Tensor.ne, Tensor.gt))
ge, lt, le = (function_of(method) for method in (Tensor.ge, Tensor.lt, Tensor.le))
greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
subtract, multiply, divide, true_divide = sub, mul, div, div


def isclose(
    input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Where two values are within ``atol + rtol |other|``.

    >>> import tinygrad_rnn as tg
    >>> tg.isclose(tg.ones(2), tg.tensor([1.0, 1.1]))
    tensor([ True, False])
    """
    a, b = as_tensor(input)._data, as_tensor(other)._data
    return Tensor._made(np.isclose(a, b, rtol, atol, equal_nan))


def isin(elements: Any, test_elements: Any, *, invert: bool = False) -> Tensor:
    """Where an element is one of ``test_elements``."""
    found = np.isin(as_tensor(elements)._data, as_tensor(test_elements)._data, invert=invert)
    return Tensor._made(found)


def isposinf(input: Any) -> Tensor:
    """Where it is +inf."""
    return eq(input, math.inf)


def isneginf(input: Any) -> Tensor:
    """Where it is -inf."""
    return eq(input, -math.inf)


def isreal(input: Any) -> Tensor:
    """Where it is real: everywhere."""
    return Tensor._made(np.ones(as_tensor(input).shape, bool))


def is_floating_point(input: Any) -> bool:
    """Whether these are floats."""
    return as_tensor(input).is_floating_point()


def is_complex(input: Any) -> bool:
    """False: there are no complex tensors here."""
    return False


def is_nonzero(input: Any) -> bool:
    """Whether a single number is not 0. Raises RuntimeError for more of them."""
    t = as_tensor(input)
    if t.numel() != 1:
        raise RuntimeError(f"is_nonzero takes a single number, not shape {t.shape}")
    return bool(t.item() != 0)


# ---- bits


def bitwise_and(input: Any, other: Any) -> Tensor:
    """a & b."""
    return _tensor(as_tensor(input) & other)


def bitwise_or(input: Any, other: Any) -> Tensor:
    """a | b."""
    return _tensor(as_tensor(input) | other)


def bitwise_xor(input: Any, other: Any) -> Tensor:
    """a ^ b."""
    return _tensor(as_tensor(input) ^ other)


def bitwise_not(input: Any) -> Tensor:
    """~a."""
    return ~as_tensor(input)
