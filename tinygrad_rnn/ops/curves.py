"""Which curves are there beside tanh, sigmoid and relu? Those of activations, and an angle; rows as ever.

``leaky_relu`` and ``elu`` take the left derivative at 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import few_passes as few
from .elementwise import exp, sigmoid, tanh, where
from .few_passes import both_quick, quick
from .normal import error_function, normal_share
from .row import Row, row


def _silu(a: Any) -> Any:
    return few.silu(a) if quick(a) else a * few.sigmoid(a)


def _softplus(a: Any) -> Any:
    return few.softplus(a) if quick(a) else np.logaddexp(0, a)


def _leaky_relu(a: Any, slope: Any) -> Any:
    if quick(a) and 0 < slope <= 1:
        return few.leaky_relu(a, slope)
    return np.where(a > 0, a, a * slope)


def _elu(a: Any, alpha: Any) -> Any:
    if quick(a) and math.isfinite(alpha):
        return few.elu(a, alpha)
    return np.where(a > 0, a, np.expm1(np.minimum(a, 0)) * alpha)


def _silu_rule(g: Any, a: Any) -> Any:
    s = sigmoid(a)
    return g * (s * (1 + a * (1 - s)))


def _leaky_relu_rule(g: Any, a: Any, slope: Any) -> Any:
    if both_quick(g, a) and 0 < slope <= 1:
        return few.leaky_relu_slope(g, a, slope)
    return where(a > 0, g, g * slope)


def _elu_rule(g: Any, a: Any, alpha: Any) -> Any:
    if both_quick(g, a) and alpha == 1:
        return few.elu_slope(g, a)
    return where(a <= 0, g * alpha * exp(where(a <= 0, a, 0.0)), g)


def _bell(a: Any) -> Any:
    """The density of N(0, 1)."""
    return exp(a * a * -0.5) * 0.3989422804014327


def _bent(a: Any) -> Any:
    """sqrt(2 / pi) (x + 0.044715 x**3), whose tanh is nearly erf(x / sqrt(2))."""
    return (a + a * a * a * 0.044715) * 0.7978845608028654


def _gelu_by_tanh_rule(g: Any, a: Any, t: Any) -> Any:
    slope = (1 + a * a * (3 * 0.044715)) * 0.7978845608028654
    return g * (0.5 * (1 + t) + 0.5 * a * (1 - t * t) * slope)


def _square_sum(a: Any, b: Any) -> Any:
    """a**2 + b**2, and 1 at the origin, where the angle has no slope and 0 is taken."""
    size = a * a + b * b
    return where(size == 0, 1.0, size)


atan2 = row(
    "atan2",
    np.arctan2,
    lambda g, _y, a, b: g * (b / _square_sum(a, b)),
    lambda g, _y, a, b: g * (-a / _square_sum(a, b)),
    promote=0,
    floating=True,
    text="math.atan2({0}, {1})",
)
softplus = row(
    "softplus",
    _softplus,
    lambda g, _y, a: few.softplus_slope(g, a) if both_quick(g, a) else g * sigmoid(a),
    floating=True,
    at_once=True,
    text="softplus({0})",
    onnx="Softplus",
)
silu = row(
    "silu",
    _silu,
    lambda g, y, a: few.silu_slope(g, y, a) if both_quick(g, a) else _silu_rule(g, a),
    floating=True,
    at_once=True,
    text="silu({0})",
)
leaky_relu = row(
    "leaky_relu",
    _leaky_relu,
    lambda g, _y, a, slope: _leaky_relu_rule(g, a, slope),
    floating=True,
    at_once=True,
    machine="{0} if {0} > zero else {0} * {1}",
    js="{0} > 0 ? {0} : {0} * {1}",
)
elu = row(
    "elu",
    _elu,
    lambda g, _y, a, alpha: _elu_rule(g, a, alpha),
    floating=True,
    at_once=True,
    machine="{0} if {0} > zero else expm1({0}) * {1}",
    js="{0} > 0 ? {0} : Math.expm1({0}) * {1}",
)
normal_cdf: Row = row(
    "normal_cdf",
    lambda a: normal_share(a),
    lambda g, _y, a: g * _bell(a),
    floating=True,
    at_once=True,
    machine="normal_cdf({0})",
    js="normalShare({0})",
)
erf = row(
    "erf",
    lambda a: error_function(a),
    lambda g, _y, a: g * (exp(-(a * a)) * 1.1283791670955126),  # 2 / sqrt(pi)
    floating=True,
    machine="math.erf({0})",
    js="erf({0})",
    onnx="Erf",
)
gelu = row(
    "gelu",
    lambda a: a * normal_share(a, derived=True),
    lambda g, y, a: (
        few.gelu_slope(g, y, a) if both_quick(g, a) else g * (normal_cdf(a) + a * _bell(a))
    ),
    floating=True,
    at_once=True,
    machine="{0} * normal_cdf({0})",
    js="{0} * normalShare({0})",
)
gelu_by_tanh = row(
    "gelu_by_tanh",
    lambda a: 0.5 * a * (1 + np.tanh(_bent(a))),
    lambda g, _y, a: _gelu_by_tanh_rule(g, a, tanh(_bent(a))),
    floating=True,
    at_once=True,
    shown="gelu",
    machine="gelu_by_tanh({0})",
    js="geluByTanh({0})",
)
