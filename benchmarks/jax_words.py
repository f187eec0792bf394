"""The words that users' cells are written in, over jax.numpy: the same lines run in both libraries.

An ``Array`` is a ``jax.numpy`` value with a Tensor's methods; under ``jax.jit`` it exists while tracing only
and costs a call nothing. ``TG`` and ``F`` stand for the package and its functional module.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

FLOAT = {"dtype": None}  # the run's floating type


def value(given: Any) -> Any:
    """What is inside."""
    if isinstance(given, (list, tuple)):
        return type(given)(map(value, given))
    return given.value if isinstance(given, Array) else given


def unary(function: Any) -> Any:
    """A method of no argument."""
    return lambda self: Array(function(self.value))


def binary(function: Any, turned: bool = False) -> Any:
    """An operator's method."""
    if turned:
        return lambda self, other: Array(function(value(other), self.value))
    return lambda self, other: Array(function(self.value, value(other)))


def reducing(function: Any) -> Any:
    """A method that reduces over an axis."""

    def run(self: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return Array(function(self.value, axis=dim, keepdims=keepdim))

    return run


def spread(function: Any) -> Any:
    """As ``reducing``, of variances: without Bessel's correction where ``unbiased`` is false."""

    def run(self: Any, dim: Any, unbiased: bool = True, keepdim: bool = False) -> Any:
        return Array(function(self.value, axis=dim, ddof=int(unbiased), keepdims=keepdim))

    return run


class Array:
    """A value of JAX with a Tensor's methods."""

    __array_priority__ = 1000
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, given: Any) -> None:
        self.value = given

    __add__, __radd__ = binary(jnp.add), binary(jnp.add, True)
    __sub__, __rsub__ = binary(jnp.subtract), binary(jnp.subtract, True)
    __mul__, __rmul__ = binary(jnp.multiply), binary(jnp.multiply, True)
    __truediv__, __rtruediv__ = binary(jnp.divide), binary(jnp.divide, True)
    __matmul__, __rmatmul__ = binary(jnp.matmul), binary(jnp.matmul, True)
    __mod__ = binary(jnp.mod)
    __lt__, __gt__ = binary(jnp.less), binary(jnp.greater)
    __le__, __ge__ = binary(jnp.less_equal), binary(jnp.greater_equal)
    __eq__ = binary(jnp.equal)
    __neg__ = unary(jnp.negative)

    def __pow__(self, other: Any) -> Array:
        return Array(self.value ** value(other))

    def __getitem__(self, index: Any) -> Array:
        index = np.asarray(index) if isinstance(index, list) else index
        if isinstance(index, tuple):
            index = tuple(np.asarray(k) if isinstance(k, list) else k for k in index)
        return Array(self.value[index])

    tanh, sigmoid, exp, log = map(unary, (jnp.tanh, jax.nn.sigmoid, jnp.exp, jnp.log))
    sqrt, square, abs, sign = map(unary, (jnp.sqrt, jnp.square, jnp.abs, jnp.sign))
    cos, sin, floor, round = map(unary, (jnp.cos, jnp.sin, jnp.floor, jnp.round))
    detach, T = unary(jax.lax.stop_gradient), property(unary(jnp.transpose))
    mean, sum, prod = map(reducing, (jnp.mean, jnp.sum, jnp.prod))
    amax, amin, norm = map(reducing, (jnp.max, jnp.min, jnp.linalg.norm))
    var, std = spread(jnp.var), spread(jnp.std)

    def float(self) -> Array:
        return Array(self.value.astype(FLOAT["dtype"]))

    def clip(self, min: Any = None, max: Any = None) -> Array:
        return Array(jnp.clip(self.value, min, max))

    clamp = clip

    def chunk(self, count: int, dim: int) -> list[Array]:
        return [Array(v) for v in jnp.split(self.value, count, dim)]

    def cumsum(self, dim: int) -> Array:
        return Array(jnp.cumsum(self.value, dim))

    def reshape(self, *shape: int) -> Array:
        return Array(self.value.reshape(shape))

    def transpose(self, a: int, b: int) -> Array:
        return Array(jnp.swapaxes(self.value, a, b))

    def unsqueeze(self, dim: int) -> Array:
        return Array(jnp.expand_dims(self.value, dim))

    def squeeze(self, dim: int) -> Array:
        return Array(jnp.squeeze(self.value, dim))

    def repeat(self, *counts: int) -> Array:
        return Array(jnp.tile(self.value, counts))

    def flip(self, dim: int) -> Array:
        return Array(jnp.flip(self.value, dim))

    def roll(self, shift: int, dim: int) -> Array:
        return Array(jnp.roll(self.value, shift, dim))


def plain(function: Any) -> Any:
    """A function of jax.numpy that takes and gives Arrays."""

    def run(*given: Any, **options: Any) -> Array:
        options = {{"dim": "axis", "keepdim": "keepdims"}.get(k, k): v for k, v in options.items()}
        return Array(function(*map(value, given), **options))

    return run


def layer_norm(z: Array, shape: tuple[int, ...]) -> Array:
    """Over the last axis."""
    v = z.value - z.value.mean(-1, keepdims=True)
    return Array(v / jnp.sqrt((v * v).mean(-1, keepdims=True) + 1e-5))


def pad(z: Array, sides: tuple[int, int]) -> Array:
    """Zeros at both ends of the last axis."""
    return Array(jnp.pad(z.value, [(0, 0)] * (z.value.ndim - 1) + [sides]))


TG = SimpleNamespace(
    softmax=plain(jax.nn.softmax),
    log_softmax=plain(jax.nn.log_softmax),
    logsumexp=lambda z, dim, keepdim=False: Array(
        jax.nn.logsumexp(z.value, axis=dim, keepdims=keepdim)
    ),
    maximum=plain(jnp.maximum),
    minimum=plain(jnp.minimum),
    where=plain(jnp.where),
    zeros_like=plain(jnp.zeros_like),
    ones=lambda *shape: Array(jnp.ones(shape, FLOAT["dtype"])),
    eye=lambda n: Array(jnp.eye(n, dtype=FLOAT["dtype"])),
    tensor=lambda given: Array(jnp.asarray(given, FLOAT["dtype"])),
    cat=plain(jnp.concatenate),
    stack=plain(jnp.stack),
    einsum=plain(jnp.einsum),
)
F = SimpleNamespace(
    relu=plain(jax.nn.relu),
    softplus=plain(jax.nn.softplus),
    elu=plain(jax.nn.elu),
    silu=plain(jax.nn.silu),
    gelu=lambda z, approximate="none": Array(
        jax.nn.gelu(z.value, approximate=approximate == "tanh")
    ),
    layer_norm=layer_norm,
    pad=pad,
)
