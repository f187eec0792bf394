"""Which norms over groups of channels stand beside recurrent layers in PyTorch's scripts?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.places import state
from ..nn import init
from ..nn.module import Module, Parameter
from ..nn.placing import placed
from ..ops.dtypes import EPS
from ..tensors import Tensor, as_tensor, get_default_dtype
from .layers import BatchNorm1d


def group_norm(
    input: Any,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each group of channels of each example to mean 0 and variance 1 (Wu & He 2018), then scaled, shifted.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.group_norm(tg.tensor([[[1.0, 3.0]]]), 1, eps=0.0).tolist()
    [[[-1.0, 1.0]]]
    """
    x = as_tensor(input)
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(f"{state.place}group_norm: {num_groups} groups of x of shape {x.shape}")
    parts = x.reshape(x.shape[0], num_groups, -1)
    mean, var = parts.mean(-1, keepdim=True), parts.var(-1, correction=0, keepdim=True)
    y = ((parts - mean) / (var + eps).sqrt()).reshape(x.shape)
    side = (1, -1, *(1,) * (x.ndim - 2))
    y = y if weight is None else y * weight.reshape(side)
    return y if bias is None else y + bias.reshape(side)


def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each example to mean 0 and variance 1; without running values."""
    if running_mean is not None or running_var is not None or not use_input_stats:
        raise ValueError("instance_norm keeps no running values here")
    x = as_tensor(input)
    return group_norm(x, x.shape[1], weight, bias, eps)


def rms_norm(
    input: Any, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """``x / sqrt(mean(x**2) + eps) * weight`` over the last axes (Zhang & Sennrich 2019)."""
    x, shape = as_tensor(input), tuple(normalized_shape)
    if tuple(x.shape[x.ndim - len(shape) :]) != shape:
        raise ValueError(f"{state.place}rms_norm: x has shape {x.shape}, expected (..., {shape})")
    least = EPS[x.dtype] if eps is None else eps
    axes = tuple(range(-len(shape), 0))
    y = x / (x.square().mean(axes, keepdim=True) + least).sqrt()
    return y if weight is None else y * weight


class BatchNorm2d(BatchNorm1d):
    """``BatchNorm1d`` of (batch, channels, height, width).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.BatchNorm2d(3)(tg.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    _axes = (4,)


@placed
class GroupNorm(Module):
    """Groups of channels to mean 0 and variance 1; see ``nn.functional.group_norm``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.GroupNorm(1, 2)(tg.ones(3, 2, 4)).shape
    (3, 2, 4)
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_channels} channels in {num_groups} groups")
        self.num_groups, self.num_channels, self.eps, self.affine = (
            num_groups,
            num_channels,
            eps,
            affine,
        )
        dtype = get_default_dtype()
        for name, start in (("weight", np.ones), ("bias", np.zeros)):
            made = Parameter(start(num_channels), dtype=dtype) if affine else None
            self.register_parameter(name, made)

    def reset_parameters(self) -> None:
        """The weight 1, the bias 0."""
        init._scale_and_shift(self)

    def forward(self, input: Any) -> Tensor:
        """(batch, channels, ...) in, the same out."""
        x = as_tensor(input) if self.weight is None else self._cast(input, self.weight)
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


@placed
class InstanceNorm1d(GroupNorm):
    """Each channel of each example to mean 0 and variance 1: (batch, channels, time), or one alone."""

    _axes = 1

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        if track_running_stats:
            raise ValueError(f"{type(self).__name__} keeps no running values here")
        super().__init__(num_features, num_features, eps, affine)
        self.num_features = num_features

    def forward(self, input: Any) -> Tensor:
        """(batch, channels, ...) or (channels, ...) in, the same out."""
        x = as_tensor(input)
        if x.ndim == self._axes + 1:
            return super().forward(x.unsqueeze(0)).squeeze(0)
        if x.ndim != self._axes + 2:
            raise ValueError(
                f"{state.place}{type(self).__name__}: x has shape {x.shape}, expected (batch, "
                f"channels) and {self._axes} more, or that without the batch"
            )
        return super().forward(x)


class InstanceNorm2d(InstanceNorm1d):
    """``InstanceNorm1d`` of (batch, channels, height, width)."""

    _axes = 2


@placed
class RMSNorm(Module):
    """``x / sqrt(mean(x**2) + eps) * weight``; see ``nn.functional.rms_norm``."""

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        one = isinstance(normalized_shape, int)
        self.normalized_shape = (normalized_shape,) if one else tuple(normalized_shape)
        self.eps = eps
        made = Parameter(np.ones(self.normalized_shape), dtype=get_default_dtype())
        self.register_parameter("weight", made if elementwise_affine else None)

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        x = as_tensor(input) if self.weight is None else self._cast(input, self.weight)
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The shape."""
        return f"{self.normalized_shape}, eps={self.eps}"
