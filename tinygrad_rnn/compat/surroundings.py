"""Which further layers do scripts put between others? Padding, shapes, other lengths, bags of words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.random import generator_or_default
from ..nn import init
from ..nn.functional import embedding, pad, softmax
from ..nn.module import Parameter, TensorModule
from ..nn.placing import placed
from ..tensors import Tensor, as_tensor, get_default_dtype
from ..tensors.several import einsum
from .shaping import unflatten


def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(batch, channels, ...) in other lengths: each element the nearest one, or on the line between two.

    ``mode`` is "nearest", or "linear" of one axis and "bilinear" of two; either ``size`` or ``scale_factor``
    says how long; with ``recompute_scale_factor`` the factor is what the lengths make it. Raises ValueError
    for other modes.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.interpolate(tg.tensor([[[1.0, 2.0]]]), scale_factor=2).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]
    """
    x = as_tensor(input)
    n = x.ndim - 2
    if n < 1 or (size is None) == (scale_factor is None):
        raise ValueError("interpolate takes (batch, channels, ...), and size or scale_factor")
    if mode not in ("nearest", {1: "linear", 2: "bilinear"}.get(n)):
        raise ValueError(f"interpolate: there is no mode {mode!r} for {n} axes here")
    if antialias:
        raise ValueError("interpolate: antialias=True is not there")
    given = scale_factor if size is None else size
    each = tuple(given) if isinstance(given, (tuple, list)) else (given,) * n
    for axis, wanted in zip(range(2, x.ndim), each, strict=True):
        side = x.shape[axis]
        many = int(wanted) if scale_factor is None else math.floor(side * wanted)
        by_lengths = scale_factor is None or recompute_scale_factor
        step = side / many if by_lengths else 1 / wanted
        places = np.arange(many)
        if mode == "nearest":
            at = np.minimum(np.floor(places * step).astype(int), side - 1)
            x = x.index_select(axis, Tensor._made(at))
            continue
        if align_corners:
            exact = places * ((side - 1) / max(many - 1, 1))
        else:
            exact = np.maximum((places + 0.5) * step - 0.5, 0)
        low = np.minimum(np.floor(exact).astype(int), side - 1)
        high = np.minimum(low + 1, side - 1)
        shape = [-1 if k == axis else 1 for k in range(x.ndim)]
        part = Tensor._made((exact - low).reshape(shape), x.dtype)
        a, b = (x.index_select(axis, Tensor._made(at)) for at in (low, high))
        x = a + (b - a) * part
    return x


def upsample(input: Any, size: Any = None, scale_factor: Any = None, **options: Any) -> Tensor:
    """The old name of ``interpolate``."""
    return interpolate(input, size, scale_factor, **options)


def gumbel_softmax(
    logits: Any, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """``softmax((x + g) / tau)`` with Gumbel's noise g: a choice with a gradient (Jang et al. 2017).

    ``hard`` gives 1 at the largest and 0 elsewhere, with the gradient of the soft choice.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.gumbel_softmax(tg.zeros(5, 3), hard=True).sum(1).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    x = as_tensor(logits)
    noise = generator_or_default(None).gumbel(size=x.shape)
    soft = softmax((x + Tensor._made(noise, x.dtype)) / tau, dim)
    if not hard:
        return soft
    best = soft.detach().argmax(dim, keepdim=True)
    one = soft.detach().new_zeros(soft.shape).scatter(dim, best, 1.0)
    return one - soft.detach() + soft


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """``y[..., o] = a^T W[o] b + bias[o]``: (..., n), (..., m) and W (out, n, m) give (..., out)."""
    a, b, w = as_tensor(input1), as_tensor(input2), as_tensor(weight)
    y = einsum("...i,oij,...j->...o", a, w, b)
    return y if bias is None else y + bias


@placed
class Bilinear(TensorModule):
    """``a^T W b + bias`` for each output; see ``nn.functional.bilinear``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Bilinear(2, 3, 4)(tg.ones(5, 2), tg.ones(5, 3)).shape
    (5, 4)
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True
    ) -> None:
        super().__init__()
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        shape, dtype = (out_features, in1_features, in2_features), get_default_dtype()
        self.weight = Parameter(np.zeros(shape), dtype=dtype)
        started = Parameter(np.zeros(out_features), dtype=dtype) if bias else None
        self.register_parameter("bias", started)
        for parameter in self.parameters():
            init.uniform_(parameter, -1 / math.sqrt(in1_features), 1 / math.sqrt(in1_features))

    def forward(self, input1: Any, input2: Any) -> Tensor:
        """(..., in1), (..., in2) in, (..., out) out."""
        return bilinear(input1, input2, self.weight, self.bias)


class Upsample(TensorModule):
    """(batch, channels, ...) in other lengths; see ``nn.functional.interpolate``."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners = align_corners

    def forward(self, input: Any) -> Tensor:
        """(batch, channels, ...) in, the same with other lengths out."""
        return interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners)


class Unflatten(TensorModule):
    """An axis as several; see ``unflatten``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Unflatten(1, (2, 3))(tg.ones(4, 6)).shape
    (4, 2, 3)
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Any) -> Tensor:
        """(..., n, ...) in, (..., *sizes, ...) out."""
        return unflatten(input, self.dim, self.unflattened_size)


class _Pad(TensorModule):
    """Values put around the last axes."""

    _mode, _axes = "constant", 1

    def __init__(self, padding: Any) -> None:
        super().__init__()
        one = isinstance(padding, int)
        self.padding = (padding,) * (2 * self._axes) if one else tuple(padding)

    def forward(self, input: Any) -> Tensor:
        """(batch, channels, ...) in, the same with longer axes out."""
        return pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """How much."""
        return str(self.padding)


class ReflectionPad1d(_Pad):
    """The values before the end again, mirrored."""

    _mode = "reflect"


class ReplicationPad1d(_Pad):
    """The value at the end again."""

    _mode = "replicate"


class ConstantPad1d(_Pad):
    """One value."""

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Any) -> Tensor:
        """(batch, channels, ...) in, the same with longer axes out."""
        return pad(input, self.padding, "constant", self.value)


class ConstantPad2d(ConstantPad1d):
    """One value around two axes."""

    _axes = 2


class ZeroPad1d(_Pad):
    """Zeros."""


class ZeroPad2d(_Pad):
    """Zeros around two axes."""

    _axes = 2


@placed
class EmbeddingBag(TensorModule):
    """The mean, sum or largest of the rows that each bag of integers names: (bags, n) gives (bags, size).

    Or one vector of integers and ``offsets``, where each bag begins. An empty bag gives 0.

    >>> import tinygrad_rnn as tg
    >>> bags = tg.nn.EmbeddingBag(10, 4)
    >>> bags(tg.tensor([1, 2, 3]), tg.tensor([0, 2])).shape
    (2, 4)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, mode: str = "mean") -> None:
        super().__init__()
        if mode not in ("mean", "sum", "max"):
            raise ValueError(f"EmbeddingBag: mode is 'mean', 'sum' or 'max', not {mode!r}")
        self.num_embeddings, self.embedding_dim, self.mode = num_embeddings, embedding_dim, mode
        shape = (num_embeddings, embedding_dim)
        self.weight = Parameter(np.zeros(shape), dtype=get_default_dtype())
        init.normal_(self.weight)

    def forward(self, input: Any, offsets: Any = None) -> Tensor:
        """Integers, and where bags begin, in; (bags, embedding_dim) out."""
        words = as_tensor(input)
        if (words.ndim == 1) == (offsets is None):
            raise ValueError("EmbeddingBag takes (bags, n), or a vector and offsets")
        if offsets is None:
            rows = embedding(words, self.weight)
            if self.mode == "max":
                return rows.amax(1)
            return rows.mean(1) if self.mode == "mean" else rows.sum(1)
        starts = as_tensor(offsets).tolist()
        ends = [*starts[1:], words.shape[0]]
        return einsum("bn,nd->bd", self._shares(starts, ends), embedding(words, self.weight))

    def _shares(self, starts: list[int], ends: list[int]) -> Tensor:
        if self.mode == "max":
            raise ValueError("EmbeddingBag: mode 'max' takes (bags, n) here, not offsets")
        shares = np.zeros((len(starts), ends[-1]))
        for bag, (a, b) in enumerate(zip(starts, ends, strict=True)):
            shares[bag, a:b] = 1 / (b - a) if self.mode == "mean" and b > a else 1
        return Tensor._made(shares, self.weight.dtype)
