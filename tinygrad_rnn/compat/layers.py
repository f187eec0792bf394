"""Which norms and dropouts stand beside recurrent layers in PyTorch's scripts?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.places import state
from ..engine.random import generator_or_default
from ..engine.switches import no_grad
from ..nn import init
from ..nn.layers import Linear
from ..nn.module import Parameter, TensorModule
from ..nn.placing import placed
from ..ops.elementwise import maximum
from ..tensors import Tensor, as_tensor, get_default_dtype


def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias``, a mean and a variance a channel; see ``BatchNorm1d``.

    In ``training`` they are the batch's, and the running ones go the part ``momentum`` of the way to
    them; else they are the running ones.

    >>> import tinygrad_rnn as tg
    >>> y = tg.nn.functional.batch_norm(tg.tensor([[1.0], [3.0]]), None, None, training=True, eps=0.0)
    >>> y.tolist()
    [[-1.0], [1.0]]
    """
    x = as_tensor(input)
    if x.ndim < 2:
        raise ValueError(
            f"{state.place}batch_norm: x has shape {x.shape}, expected (batch, channels, ...)"
        )
    axes, side = (0, *range(2, x.ndim)), (1, -1, *(1,) * (x.ndim - 2))
    if training:
        count = x.numel() // max(x.shape[1], 1)
        if count < 2:
            raise ValueError(
                f"{state.place}batch_norm: x has shape {x.shape}: in training a channel needs two values"
            )
        mean, var = x.mean(axes), x.var(axes, correction=0)
        with no_grad():
            for kept, now in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
                if kept is not None:
                    kept.mul_(1 - momentum).add_(now.to(kept.dtype), alpha=momentum)
    else:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: without running values it needs training=True")
        mean, var = running_mean, running_var
    y = (x - mean.reshape(side)) / (var.reshape(side) + eps).sqrt()
    y = y if weight is None else y * weight.reshape(side)
    return y if bias is None else y + bias.reshape(side)


@placed
class BatchNorm1d(TensorModule):
    """Each channel to mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe & Szegedy 2015).

    ``(x - mean) / sqrt(var + eps) * weight + bias``: x is (batch, channels) or (batch, channels, time). In
    training mean and variance (divided by n) are the batch's, and ``running_mean`` and ``running_var``
    (divided by n - 1) go the part ``momentum`` of the way to them, or with ``momentum=None`` are the mean of
    all batches; in evaluation they take their place. Raises ValueError for other shapes, and in
    training for one value a channel.

    >>> import tinygrad_rnn as tg
    >>> norm = tg.nn.BatchNorm1d(1)
    >>> norm(tg.tensor([[1.0], [3.0]])).shape, round(norm.running_mean.item(), 4)
    ((2, 1), 0.2)
    """

    _axes: tuple[int, ...] = (2, 3)
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        dtype, n = get_default_dtype(), num_features
        for name, start in (("weight", np.ones(n)), ("bias", np.zeros(n))):
            self.register_parameter(name, Parameter(start, dtype=dtype) if affine else None)
        for name, start in (("running_mean", np.zeros(n)), ("running_var", np.ones(n))):
            kept = Tensor._made(start, dtype) if track_running_stats else None
            self.register_buffer(name, kept)
        counter = Tensor._made(0) if track_running_stats else None
        self.register_buffer("num_batches_tracked", counter)

    def reset_running_stats(self) -> None:
        """Forget the batches that were seen."""
        if self.running_mean is not None and self.running_var is not None:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            self.num_batches_tracked = Tensor._made(0)

    def reset_parameters(self) -> None:
        """The weight 1, the bias 0, no batches seen."""
        self.reset_running_stats()
        init._scale_and_shift(self)

    def forward(self, input: Any) -> Tensor:
        """(batch, channels) or (batch, channels, time) in, the same out."""
        x = as_tensor(input) if self.weight is None else self._cast(input, self.weight)
        if x.ndim not in self._axes or x.shape[1] != self.num_features:
            shapes = ["", ", time", ", height, width"]
            wanted = " or ".join(f"(batch, {self.num_features}{shapes[n - 2]})" for n in self._axes)
            raise ValueError(f"{state.place}x has shape {x.shape}, expected {wanted}")
        own = self.training or not self.track_running_stats
        momentum = self.momentum
        if own and self.training and self.num_batches_tracked is not None:
            seen = int(self.num_batches_tracked.item()) + 1
            self.num_batches_tracked.fill_(seen)
            momentum = 1 / seen if momentum is None else momentum
        return batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            own,
            0.0 if momentum is None else momentum,
            self.eps,
        )

    def extra_repr(self) -> str:
        """The size."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


def _channels_dropped(
    who: str, x: Tensor, lead: int, p: float, training: bool, inplace: bool, generator: Any
) -> Tensor:
    """Whole channels, the last of the first ``lead`` axes, zeroed with probability p."""
    if not 0 <= p <= 1:
        raise ValueError(f"{who}: p must be between 0 and 1, got {p}")
    if not training or p == 0:
        return x
    shape = x.shape[:lead] + (1,) * (x.ndim - lead)
    kept = generator_or_default(generator).random(shape) >= p
    factor = Tensor._made(kept / (1 - p) if p < 1 else np.zeros(shape), x.dtype)
    return x.mul_(factor) if inplace else x * factor


def dropout1d(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Tensor:
    """Zero whole channels of (batch, channels, time) or (channels, time) with probability ``p``.

    The rest is scaled by 1 / (1 - p). Raises ValueError for another number of axes.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.dropout1d(tg.ones(1, 1, 3), 0.5, training=False).tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    x = as_tensor(input)
    if x.ndim not in (2, 3):
        raise ValueError(
            f"dropout1d takes (batch, channels, time) or (channels, time), not {x.shape}"
        )
    return _channels_dropped("dropout1d", x, x.ndim - 1, p, training, inplace, generator)


def dropout2d(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Tensor:
    """Zero whole channels of (batch, channels, ...) with probability ``p``.

    The rest is scaled by 1 / (1 - p); of (batch, channels) each number is a channel. Raises ValueError for
    another number of axes.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.dropout2d(tg.ones(1, 1, 1, 2), 0.5, training=False).tolist()
    [[[[1.0, 1.0]]]]
    """
    x = as_tensor(input)
    if x.ndim not in (2, 3, 4):
        raise ValueError(f"dropout2d takes (batch, channels, height, width), not {x.shape}")
    return _channels_dropped("dropout2d", x, 2, p, training, inplace, generator)


class Dropout1d(TensorModule):
    """Zero whole channels of (batch, channels, time) while training; see ``nn.functional.dropout1d``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Dropout1d(0.5).eval()(tg.ones(1, 1, 2)).tolist()
    [[[1.0, 1.0]]]
    """

    _function = staticmethod(dropout1d)

    def __init__(self, p: float = 0.5, inplace: bool = False, *, generator: Any = None) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p must be between 0 and 1, got {p}")
        self.p, self.inplace, self.generator = p, inplace, generator

    def forward(self, input: Any) -> Tensor:
        """The same shape in and out."""
        return self._function(input, self.p, self.training, self.inplace, generator=self.generator)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class Dropout2d(Dropout1d):
    """Zero whole channels of (batch, channels, ...) while training; see ``nn.functional.dropout2d``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Dropout2d(0.5).eval()(tg.ones(1, 1, 1, 2)).tolist()
    [[[[1.0, 1.0]]]]
    """

    _function = staticmethod(dropout2d)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """``a . b / (max(|a|, eps) max(|b|, eps))`` along ``dim``; the two are broadcast to one shape.

    >>> import tinygrad_rnn as tg
    >>> tg.cosine_similarity(tg.tensor([[3.0, 4.0]]), tg.tensor([[4.0, 3.0]]))
    tensor([0.96])
    """
    a, b = as_tensor(x1), as_tensor(x2)
    if not (a.is_floating_point() and b.is_floating_point()):
        raise TypeError(f"cosine_similarity takes floats, not {a.dtype} and {b.dtype}")
    shape = np.broadcast_shapes(a.shape, b.shape)
    a, b = a.expand(shape), b.expand(shape)
    lengths = [maximum(t.norm(dim=dim, keepdim=True), eps) for t in (a, b)]
    return ((a / lengths[0]) * (b / lengths[1])).sum(dim)


class CosineSimilarity(TensorModule):
    """``a . b / (|a| |b|)`` along ``dim``; see ``nn.functional.cosine_similarity``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.CosineSimilarity()(tg.tensor([[3.0, 4.0]]), tg.tensor([[4.0, 3.0]]))
    tensor([0.96])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Any, x2: Any) -> Tensor:
        """Two tensors in, the cosines out."""
        return cosine_similarity(x1, x2, self.dim, self.eps)


NonDynamicallyQuantizableLinear = Linear  # what PyTorch calls the last layer of attention
