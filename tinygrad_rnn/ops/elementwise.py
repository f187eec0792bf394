"""Which ops go element by element? Each row is a name, a forward and one rule an operand.

Where a derivative does not exist the convention is PyTorch's: ``abs`` and ``relu`` take 0 at 0,
``maximum`` and ``minimum`` share the gradient evenly at a tie, ``clip`` passes it at its bounds.
``sign`` of NaN is 0, so ``abs`` has no slope there. The curves of activations stand in ``curves``.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from . import few_passes as few
from .few_passes import both_quick, quick
from .row import Row, row


def _where(condition: Any, a: Any, b: Any) -> Any:
    """The choice; where one side is the number 0, without a branch an element."""
    if condition.__class__ is np.ndarray and condition.dtype.char == "?":
        if _is_zero(b) and quick(a) and a.shape == condition.shape:
            return few.kept(condition, a)
        if _is_zero(a) and quick(b) and b.shape == condition.shape:
            return few.kept(np.logical_not(condition), b)
    return np.where(condition, a, b)


def _is_zero(a: Any) -> bool:
    """Whether an operand is the number 0.0, and not -0.0."""
    return a.__class__ is float and not a and math.copysign(1.0, a) > 0


def _relu(a: Any) -> Any:
    return few.relu(a) if quick(a) else np.maximum(a, 0)


def _power_by_base(g: Any, a: Any, b: Any) -> Any:
    """b * a**(b-1), and 0 where b is 0, whatever a is."""
    if isinstance(b, (int, float)):
        return g * 0 if b == 0 else g * b * a ** (b - 1) if b != 2 else g * (a * 2)
    return g * where(b == 0, 0.0, b * a ** where(b == 0, 1.0, b - 1))


def _power_by_exponent(g: Any, y: Any, a: Any, b: Any) -> Any:
    """a**b * log(a), and 0 where a is 0 and b is not negative; a number's log in full precision."""
    if isinstance(a, (int, float)) and a > 0:
        return g * y * math.log(a)
    zero = (a == 0) & (b >= 0)
    return g * where(zero, 0.0, y * log(where(zero, 1.0, a)))


def _share(g: Any, a: Any, b: Any, loses: Any) -> Any:
    """The gradient of an operand unless it loses, half of it at a tie; beside a NaN neither loses."""
    return g * where(a == b, 0.5, where(loses, 0.0, 1.0))


add = row(
    "add", np.add, lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: g, promote=0, text="{0} + {1}"
)
sub = row(
    "sub",
    np.subtract,
    lambda g, _y, _a, _b: g,
    lambda g, _y, _a, _b: -g,
    promote=0,
    text="{0} - {1}",
    onnx="Sub",
)
mul = row(
    "mul",
    np.multiply,
    lambda g, _y, _a, b: g * b,
    lambda g, _y, a, _b: g * a,
    promote=0,
    text="{0} * {1}",
)
div = row(
    "div",
    np.true_divide,
    lambda g, _y, _a, b: g / b,
    lambda g, y, _a, b: -g * y / b,
    promote=0,
    floating=True,
    numpy="true_divide",
    text="{0} / {1}",
    onnx="Div",
)
pow = row(
    "pow",
    operator.pow,
    lambda g, _y, a, b: _power_by_base(g, a, b),
    lambda g, y, a, b: _power_by_exponent(g, y, a, b),
    promote=0,
    numpy="power",
    machine="({0}) ** ({1})",
    js="{0} ** {1}",
    onnx="Pow",
)
maximum = row(
    "maximum",
    np.maximum,
    lambda g, _y, a, b: _share(g, a, b, a < b),
    lambda g, _y, a, b: _share(g, a, b, b < a),
    promote=0,
    machine="{0} if {0} >= {1} or {0} != {0} else {1}",
    js="Math.max({0}, {1})",
    onnx="Max",
)
minimum = row(
    "minimum",
    np.minimum,
    lambda g, _y, a, b: _share(g, a, b, a > b),
    lambda g, _y, a, b: _share(g, a, b, b > a),
    promote=0,
    machine="{0} if {0} <= {1} or {0} != {0} else {1}",
    js="Math.min({0}, {1})",
    onnx="Min",
)
where: Row = row(
    "where",
    _where,
    None,
    lambda g, _y, c, _a, _b: where(c, g, 0.0),
    lambda g, _y, c, _a, _b: where(c, 0.0, g),
    promote=1,
    machine="{1} if {0} else {2}",
    js="{0} ? {1} : {2}",
    onnx="Where",
)

# numpy's ufunc is wrong for float32 columns with a stride (2.4): back ends have an operator for it
neg = row("neg", np.negative, lambda g, _y, _a: -g, numpy="", text="-{0}", onnx="Neg")
abs = row(
    "abs", np.abs, lambda g, _y, a: g * sign(a), machine="abs({0})", js="Math.abs({0})", onnx="Abs"
)
sign: Row = row(
    "sign",
    lambda a: _sign(a),
    lambda g, _y, _a: where(False, g, 0.0),
    machine="(one if {0} > zero else -one if {0} < zero else zero)",
    js="Math.sign({0}) || 0",
)
square = row("square", lambda a: _square(a), lambda g, _y, a: g * (a * 2))
sqrt = row(
    "sqrt", np.sqrt, lambda g, y, _a: g / (2 * y), floating=True, text="math.sqrt({0})", onnx="Sqrt"
)
exp = row(
    "exp",
    np.exp,
    lambda g, y, _a: g * y,
    floating=True,
    machine="exp({0})",
    js="Math.exp({0})",
    onnx="Exp",
)
expm1 = row(
    "expm1",
    np.expm1,
    lambda g, y, _a: g * (y + 1),
    floating=True,
    machine="expm1({0})",
    js="Math.expm1({0})",
)
log = row(
    "log",
    np.log,
    lambda g, _y, a: g / a,
    floating=True,
    machine="log({0})",
    js="Math.log({0})",
    onnx="Log",
)
log1p = row("log1p", np.log1p, lambda g, _y, a: g / (a + 1), floating=True, text="math.log1p({0})")
sin: Row = row(
    "sin", np.sin, lambda g, _y, a: g * cos(a), floating=True, text="math.sin({0})", onnx="Sin"
)
cos: Row = row(
    "cos", np.cos, lambda g, _y, a: -g * sin(a), floating=True, text="math.cos({0})", onnx="Cos"
)
tanh = row(
    "tanh",
    np.tanh,
    lambda g, y, _a: few.tanh_slope(g, y) if both_quick(g, y) else g - g * (y * y),
    floating=True,
    text="tanh({0})",
    onnx="Tanh",
)
sigmoid = row(
    "sigmoid",
    few.sigmoid,
    lambda g, y, _a: few.sigmoid_slope(g, y) if both_quick(g, y) else g * (y - y * y),
    floating=True,
    at_once=True,
    machine="sigmoid({0})",
    js="1 / (1 + Math.exp(-{0}))",
    onnx="Sigmoid",
)
relu = row(
    "relu",
    _relu,
    lambda g, y, _a: where(y <= 0, 0.0, g),
    machine="zero if {0} <= zero else {0}",
    js="Math.max({0}, 0)",
    onnx="Relu",
)
clip = row(
    "clip",
    lambda a, low, high: a.clip(low, high),
    lambda g, _y, a, low, high: where(_inside(a, low, high), g, 0.0),
    machine="{1} if {0} < {1} else {2} if {0} > {2} else {0}",
)
cast = row("cast", lambda a, dtype: a.astype(dtype), lambda g, _y, _a, dtype: g, machine="{0}")


def _inside(a: Any, low: Any, high: Any) -> Any:
    """Where low <= a <= high; a bound that is None does not bind."""
    if low is None:
        return a <= high
    return a >= low if high is None else (a >= low) & (a <= high)


def _sign(a: Any) -> Any:
    """-1, 0 or 1; of NaN 0, of bools themselves, as in PyTorch."""
    if a.dtype.kind == "b":
        return a
    if quick(a):
        return few.sign(a)
    y = np.sign(a)
    return np.where(np.isnan(y), y.dtype.type(0), y) if y.dtype.kind == "f" else y


def _square(a: Any) -> Any:
    """x * x; of bools in int64, as in PyTorch."""
    return np.square(a) if a.dtype.kind != "b" else a.astype(np.int64)
