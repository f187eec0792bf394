"""Which activations have recurrent layers of other frameworks? By name, with their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..nn import functional as f
from ..tensors import Tensor, functions, several

Activation = tuple[str, tuple[float, ...]]

SELU = (1.6732632423543772, 1.0507009873554805)

# Each with its parameters' defaults, those of ONNX where it has the function.
FUNCTIONS: dict[str, tuple[Callable[..., Tensor], tuple[float, ...]]] = {
    "tanh": (functions.tanh, ()),
    "sigmoid": (functions.sigmoid, ()),
    "relu": (functions.relu, ()),
    "linear": (lambda x: x, ()),
    "hard_sigmoid": (lambda x, a, b: functions.clip(a * x + b, 0.0, 1.0), (0.2, 0.5)),
    "leaky_relu": (f.leaky_relu, (0.01,)),
    "elu": (f.elu, (1.0,)),
    "selu": (lambda x: SELU[1] * f.elu(x, SELU[0]), ()),
    "softsign": (lambda x: x / (1 + functions.abs(x)), ()),
    "softplus": (f.softplus, ()),
    "silu": (f.silu, ()),
    "gelu": (f.gelu, ()),
    "exponential": (functions.exp, ()),
    "affine": (lambda x, a, b: a * x + b, (1.0, 0.0)),
    "scaled_tanh": (lambda x, a, b: a * functions.tanh(b * x), (1.0, 1.0)),
    "thresholded_relu": (lambda x, a: several.where(x > a, x, 0.0), (1.0,)),
    "relu6": (lambda x: functions.clip(x, 0.0, 6.0), ()),
    "hard_tanh": (lambda x: functions.clip(x, -1.0, 1.0), ()),
}
TANH: Activation = ("tanh", ())
SIGMOID: Activation = ("sigmoid", ())
RELU: Activation = ("relu", ())
HARD_SIGMOID: Activation = ("hard_sigmoid", (0.2, 0.5))
HARD_SIGMOID_OF_KERAS_3: Activation = ("hard_sigmoid", (1 / 6, 0.5))


def activation(name: Any, parameters: Sequence[float] = ()) -> Activation:
    """An activation by its name, as it is spelt here; what is not given of its numbers is the default.

    Raises ValueError for a name that is not known or too many numbers.
    """
    if name not in FUNCTIONS:
        raise ValueError(f"there is no activation {name!r}: there are {', '.join(FUNCTIONS)}")
    defaults = FUNCTIONS[name][1]
    if len(parameters) > len(defaults):
        raise ValueError(f"the activation {name} takes {len(defaults)} numbers, got {parameters}")
    given = tuple(float(p) for p in parameters)
    return name, given + defaults[len(given) :]


def apply(which: Activation, x: Tensor) -> Tensor:
    """The activation of a tensor."""
    return FUNCTIONS[which[0]][0](x, *which[1])


def in_words(which: Activation) -> str:
    """As it is written in an equation or an error: ``hard_sigmoid(0.2, 0.5)``."""
    name, numbers = which
    return name + (f"({', '.join(f'{n:.6g}' for n in numbers)})" if numbers else "")
