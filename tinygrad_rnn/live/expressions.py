"""What is an elementwise op in JavaScript? One expression of its operands, a row an op.

Truth values are JavaScript's among expressions and 1 or 0 in memory; both count as numbers there.
Curves that JavaScript has not are functions of ``runtime.js``.
"""

from __future__ import annotations

EXPRESSIONS: dict[str, str] = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "pow": "{0} ** {1}",
    "reciprocal": "1 / {0}",
    "maximum": "Math.max({0}, {1})",
    "minimum": "Math.min({0}, {1})",
    "atan2": "Math.atan2({0}, {1})",
    "where": "{0} ? {1} : {2}",
    "neg": "-{0}",
    "abs": "Math.abs({0})",
    "sign": "Math.sign({0}) || 0",
    "square": "{0} * {0}",
    "sqrt": "Math.sqrt({0})",
    "exp": "Math.exp({0})",
    "expm1": "Math.expm1({0})",
    "log": "Math.log({0})",
    "log1p": "Math.log1p({0})",
    "sin": "Math.sin({0})",
    "cos": "Math.cos({0})",
    "tanh": "tanh({0})",
    "sigmoid": "1 / (1 + Math.exp(-{0}))",
    "relu": "Math.max({0}, 0)",
    "softplus": "softplus({0})",
    "silu": "silu({0})",
    "leaky_relu": "{0} > 0 ? {0} : {0} * {1}",
    "elu": "{0} > 0 ? {0} : Math.expm1({0}) * {1}",
    "normal_cdf": "normalShare({0})",
    "erf": "erf({0})",
    "gelu": "{0} * normalShare({0})",
    "gelu_by_tanh": "0.5 * {0} * (1 + Math.tanh(({0} + 0.044715 * {0} ** 3) * 0.7978845608028654))",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "isnan": "Number.isNaN({0})",
    "isfinite": "Number.isFinite({0})",
    "isinf": "Math.abs({0}) == Infinity",
    "floor": "Math.floor({0})",
    "ceil": "Math.ceil({0})",
    "trunc": "Math.trunc({0})",
}
# Ops on truth values: of whole numbers they are something else, which has no text.
LOGIC: dict[str, str] = {
    "bitwise_and": "{0} & {1}",
    "bitwise_or": "{0} | {1}",
    "bitwise_xor": "{0} ^ {1}",
    "invert": "!{0}",
    "logical_and": "{0} && {1}",
    "logical_or": "{0} || {1}",
    "logical_not": "!{0}",
}
