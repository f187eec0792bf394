"""Which convolutions and poolings stand beside recurrent layers in PyTorch's scripts? Over one or two axes.

A convolution gathers its windows (a slice for every place of the kernel) and multiplies once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from inspect import signature
from typing import Any, Concatenate, ParamSpec

import numpy as np

from ..engine.places import state
from ..engine.signatures import written
from ..nn import init
from ..nn.functional import pad
from ..nn.module import Module, Parameter
from ..nn.placing import placed
from ..tensors import Tensor, as_tensor, get_default_dtype
from ..tensors.making import zeros
from ..tensors.several import cat, stack
from .shaping import movedim

Sides = tuple[int, ...]
P = ParamSpec("P")


def _over(
    n: int, function: Callable[Concatenate[int, P], Tensor], doc: str | None = None
) -> Callable[P, Tensor]:
    """A function over n axes: ``conv1d`` of ``conv``, with its arguments."""

    def over_axes(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        return function(n, *args, **kwargs)

    made: Any = over_axes
    made.__name__ = made.__qualname__ = f"{function.__name__}{n}d"
    made.__doc__ = doc or function.__doc__
    own = signature(written(function))
    made.__signature__ = own.replace(parameters=list(own.parameters.values())[1:])
    return over_axes


def _each(who: str, name: str, value: Any, n: int, least: int = 1) -> Sides:
    """A number for each of n axes."""
    sides = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    sides = sides * n if len(sides) == 1 else sides
    sound = len(sides) == n and all(isinstance(k, (int, np.integer)) and k >= least for k in sides)
    if not sound:
        raise ValueError(
            f"{who}: {name} must be {'an integer' if n == 1 else f'{n} integers'} of at least "
            f"{least}, got {value!r}"
        )
    return tuple(int(k) for k in sides)


def _ends(who: str, padding: Any, reach: Sides, stride: Sides) -> list[tuple[int, int]]:
    """What is put before and after each axis."""
    if padding == "valid":
        return [(0, 0)] * len(reach)
    if padding == "same":
        if set(stride) != {1}:
            raise ValueError(f"{who}: padding='same' needs a stride of 1")
        return [(r // 2, r - r // 2) for r in reach]
    if isinstance(padding, str) or padding is None:
        raise ValueError(f"{who}: padding is a number, 'same' or 'valid', not {padding!r}")
    return [(k, k) for k in _each(who, "padding", padding, len(reach), 0)]


def _padded(
    x: Tensor, ends: list[tuple[int, int]], value: float = 0.0, mode: str = "constant"
) -> Tensor:
    if not any(map(any, ends)):
        return x
    widths = [side for pair in reversed(ends) for side in pair]
    return pad(x, widths, mode, value) if mode == "constant" else pad(x, widths, mode)


def _windows(
    who: str, x: Tensor, kernel: Sides, stride: Sides, dilation: Sides
) -> tuple[Tensor, Sides]:
    """All places of the kernel at all steps: (batch, channels, ...) as (batch, channels, places, steps)."""
    steps = []
    for side, k, hop, apart in zip(x.shape[2:], kernel, stride, dilation, strict=True):
        span = side - apart * (k - 1)
        if span < 1:
            raise ValueError(f"{state.place}{who}: {side} steps are fewer than the kernel needs")
        steps.append((span - 1) // hop + 1)
    taps = []
    for place in itertools.product(*map(range, kernel)):
        cut = [
            slice(k * apart, k * apart + hop * (n - 1) + 1, hop)
            for k, apart, hop, n in zip(place, dilation, stride, steps, strict=True)
        ]
        taps.append(x[(slice(None), slice(None), *cut)])
    return stack(taps, 2), tuple(steps)


def conv(
    n: int,
    input: Any,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """``y[n, o, t] = b[o] + sum_ck w[o, c, k] x[n, c, stride t + dilation k]``, a convolution over time.

    x (batch, channels, time), or without a batch, w (out, channels / groups, kernel) and b (out,) give
    (batch, out, steps). ``padding`` puts so many zeros at both ends; "same" keeps the length (of stride
    1), "valid" puts none. Raises ValueError where shapes do not fit.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.conv1d(tg.ones(1, 2, 5), tg.ones(3, 2, 2)).shape
    (1, 3, 4)
    """
    who, x = f"conv{n}d", as_tensor(input)
    if x.ndim == n + 1:
        alone = conv(n, x.unsqueeze(0), weight, bias, stride, padding, dilation, groups)
        return alone.squeeze(0)
    hop, apart = _each(who, "stride", stride, n), _each(who, "dilation", dilation, n)
    out, inner, *kernel = weight.shape
    if x.ndim != n + 2 or x.shape[1] != inner * groups or out % groups:
        sides = "time" if n == 1 else "height, width"
        raise ValueError(
            f"{state.place}{who}: x has shape {x.shape}, expected (batch, {inner * groups}, {sides}) for "
            f"weights {weight.shape} in {groups} groups"
        )
    reach = tuple(a * (k - 1) for a, k in zip(apart, kernel, strict=True))
    x = _padded(x, _ends(who, padding, reach, hop))
    windows, steps = _windows(who, x, tuple(kernel), hop, apart)
    many = inner * math.prod(kernel)
    windows = windows.reshape(x.shape[0], groups, many, math.prod(steps))
    y: Tensor = weight.reshape(groups, out // groups, many) @ windows
    y = y.reshape(x.shape[0], out, *steps)
    return y if bias is None else y + bias.reshape(-1, *(1,) * n)


conv1d = _over(1, conv)
conv2d = _over(
    2,
    conv,
    """``conv1d`` over two axes: x (batch, channels, height, width), w (out, channels / groups, kh, kw).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.conv2d(tg.ones(1, 2, 5, 4), tg.ones(3, 2, 2, 2)).shape
    (1, 3, 4, 3)
    """,
)


def _spread(x: Tensor, stride: Sides) -> Tensor:
    """Zeros between the elements along the last axes: strides undone."""
    for axis, hop in enumerate(stride, 2):
        if hop > 1:
            gaps = zeros(*x.shape, hop - 1, dtype=x.dtype)
            wide = movedim(cat([x.unsqueeze(-1), gaps], -1), -1, axis + 1)
            side = x.shape[axis] * hop
            x = wide.reshape(*x.shape[:axis], side, *x.shape[axis + 1 :])
            x = x.narrow(axis, 0, side - hop + 1)
    return x


def conv_transpose(
    n: int,
    input: Any,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The map whose matrix is ``conv1d``'s transposed: w (in, out / groups, kernel).

    What a convolution's gradient does: the spread input, convolved with the kernel turned round.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.conv_transpose1d(tg.ones(1, 2, 4), tg.ones(2, 3, 2), stride=2).shape
    (1, 3, 8)
    """
    who, x = f"conv_transpose{n}d", as_tensor(input)
    if x.ndim == n + 1:
        alone = conv_transpose(
            n, x.unsqueeze(0), weight, bias, stride, padding, output_padding, groups, dilation
        )
        return alone.squeeze(0)
    hop, apart = _each(who, "stride", stride, n), _each(who, "dilation", dilation, n)
    less = _each(who, "padding", padding, n, 0)
    more = _each(who, "output_padding", output_padding, n, 0)
    inner, out, *kernel = weight.shape
    if x.ndim != n + 2 or x.shape[1] != inner or inner % groups:
        raise ValueError(
            f"{state.place}{who}: x of shape {x.shape} does not fit weights {weight.shape}"
        )
    reach = [a * (k - 1) for a, k in zip(apart, kernel, strict=True)]
    wide = _padded(_spread(x, hop), [(r, r + m) for r, m in zip(reach, more, strict=True)])
    turned = weight.flip(tuple(range(2, n + 2)))
    turned = turned.reshape(groups, inner // groups, out, *kernel).transpose(1, 2)
    turned = turned.reshape(groups * out, inner // groups, *kernel)
    y = conv(n, wide, turned, bias, 1, 0, apart, groups)
    for axis, cut in enumerate(less, 2):
        y = y.narrow(axis, cut, y.shape[axis] - 2 * cut)
    return y


conv_transpose1d = _over(1, conv_transpose)
conv_transpose2d = _over(2, conv_transpose, "``conv_transpose1d`` over two axes.")


class _Conv(Module):
    """A convolution over n axes; see its function."""

    _n, _turned = 1, False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        who, n = type(self).__name__, self._n
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"{who}: {in_channels} and {out_channels} in {groups} groups")
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(f"{who}: there is no padding_mode {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = _each(who, "kernel_size", kernel_size, n)
        self.stride = _each(who, "stride", stride, n)
        self.dilation = _each(who, "dilation", dilation, n)
        self.padding, self.padding_mode = padding, padding_mode
        _ends(who, padding, (0,) * n, self.stride)
        first, second = (in_channels, out_channels) if self._turned else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        dtype = get_default_dtype()
        self.weight = Parameter(np.zeros(shape), dtype=dtype)
        started = Parameter(np.zeros(out_channels), dtype=dtype) if bias else None
        self.register_parameter("bias", started)
        init._begin(self, generator)

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Start weight and bias anew: U(-1/sqrt(n), 1/sqrt(n)) for n values under the kernel."""
        bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                init.uniform_(parameter, -bound, bound, generator)

    def forward(self, input: Any) -> Tensor:
        """(batch, in_channels, ...) in, (batch, out_channels, ...) out."""
        x, padding = self._cast(input, self.weight), self.padding
        if self.padding_mode != "zeros":
            pairs = zip(self.dilation, self.kernel_size, strict=True)
            reach = tuple(d * (k - 1) for d, k in pairs)
            x = _padded(x, _ends("Conv", padding, reach, self.stride), mode=self.padding_mode)
            padding = 0
        return conv(
            self._n, x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        """The sizes."""
        kernel, stride = (k[0] if self._n == 1 else k for k in (self.kernel_size, self.stride))
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={kernel}, "
            f"stride={stride}, padding={self.padding!r}"
        )


@placed
class Conv1d(_Conv):
    """A convolution over time: x (batch, in_channels, time) gives (batch, out_channels, steps).

    ``steps = (time + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``; see
    ``nn.functional.conv1d``. ``padding_mode`` is "zeros", "reflect", "replicate" or "circular".
    ``weight`` (out, in / groups, kernel) and ``bias`` (out,) start from U(-b, b) with
    ``b = 1 / sqrt(in / groups * kernel)``. Raises ValueError where sizes or shapes do not fit.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Conv1d(2, 3, kernel_size=3, padding=1)(tg.zeros(4, 2, 7)).shape
    (4, 3, 7)
    """


@placed
class Conv2d(_Conv):
    """A convolution over height and width; see ``Conv1d``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Conv2d(1, 3, kernel_size=(2, 3))(tg.zeros(4, 1, 7, 5)).shape
    (4, 3, 6, 3)
    """

    _n = 2


class _ConvTranspose(_Conv):
    _turned = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        sizes = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(*sizes, bias, generator=generator)
        self.output_padding = output_padding

    def forward(self, input: Any) -> Tensor:
        """(batch, in_channels, ...) in, (batch, out_channels, ...) out."""
        x, how = self._cast(input, self.weight), (self.stride, self.padding, self.output_padding)
        return conv_transpose(self._n, x, self.weight, self.bias, *how, self.groups, self.dilation)


@placed
class ConvTranspose1d(_ConvTranspose):
    """The map whose matrix is ``Conv1d``'s transposed; see ``nn.functional.conv_transpose1d``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.ConvTranspose1d(2, 3, 2, stride=2)(tg.zeros(1, 2, 4)).shape
    (1, 3, 8)
    """


@placed
class ConvTranspose2d(_ConvTranspose):
    """``ConvTranspose1d`` over two axes."""

    _n = 2


# ---- pooling


def _pooled(
    who: str,
    n: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any = 1,
    ceil_mode: bool = False,
    fill: float = 0.0,
) -> Any:
    x = as_tensor(input)
    if x.ndim == n + 1:
        x = x.unsqueeze(0)
    if x.ndim != n + 2:
        raise ValueError(f"{state.place}{who}: x has shape {x.shape}, not {n} axes after channels")
    kernel = _each(who, "kernel_size", kernel_size, n)
    hop = _each(who, "stride", kernel if stride is None or stride == [] else stride, n)
    ends = _each(who, "padding", padding, n, 0)
    if any(2 * p > k for p, k in zip(ends, kernel, strict=True)):
        raise ValueError(f"{who}: padding {padding} is more than half of the kernel {kernel_size}")
    if ceil_mode:
        raise ValueError(f"{who}: ceil_mode=True is not there: pad the end yourself")
    wide = _padded(x, [(p, p) for p in ends], fill)
    return _windows(who, wide, kernel, hop, _each(who, "dilation", dilation, n))


def _unbatched(n: int, input: Any, made: Tensor) -> Tensor:
    return made.squeeze(0) if as_tensor(input).ndim == n + 1 else made


def max_pool(
    n: int,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """The largest value of each window of (batch, channels, time), every ``stride`` (``kernel_size``) steps.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.max_pool1d(tg.tensor([[[1.0, 3.0, 2.0, 0.0]]]), 2).tolist()
    [[[3.0, 2.0]]]
    """
    if return_indices:
        raise ValueError(f"max_pool{n}d: return_indices=True is not there")
    who, how = f"max_pool{n}d", (kernel_size, stride, padding, dilation, ceil_mode)
    windows, steps = _pooled(who, n, input, *how, -math.inf)
    best = windows.max(2).values
    return _unbatched(n, input, best.reshape(*best.shape[:2], *steps))


def avg_pool(
    n: int,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window; padding counts as zeros unless ``count_include_pad=False``."""
    windows, steps = _pooled(f"avg_pool{n}d", n, input, kernel_size, stride, padding, 1, ceil_mode)
    made = windows.mean(2)
    if not count_include_pad:
        ones = as_tensor(input).detach() * 0 + 1
        made = made / _pooled(f"avg_pool{n}d", n, ones, kernel_size, stride, padding)[0].mean(2)
    return _unbatched(n, input, made.reshape(*made.shape[:2], *steps))


max_pool1d = _over(1, max_pool)
max_pool2d = _over(2, max_pool, "``max_pool1d`` over two axes.")
avg_pool1d = _over(1, avg_pool)
avg_pool2d = _over(2, avg_pool, "``avg_pool1d`` over two axes.")


def _adaptive(n: int, input: Any, output_size: Any, best: bool) -> Tensor:
    """Windows of about equal size, so many along each axis; they may overlap by one."""
    x = as_tensor(input)
    sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    for axis, size in zip(range(x.ndim - n, x.ndim), sizes, strict=True):
        side = x.shape[axis]
        parts = []
        for k in range(side if size is None else size):
            many = side if size is None else size
            start, end = k * side // many, -(-(k + 1) * side // many)
            part = x.narrow(axis, start, end - start)
            parts.append(part.max(axis).values if best else part.mean(axis))
        x = stack(parts, axis)
    return x


def adaptive_avg_pool(n: int, input: Any, output_size: Any) -> Tensor:
    """The means of so many windows of about equal size along the last axis."""
    return _adaptive(n, input, output_size, best=False)


def adaptive_max_pool(n: int, input: Any, output_size: Any) -> Tensor:
    """The largest values of so many windows of about equal size along the last axis."""
    return _adaptive(n, input, output_size, best=True)


_TWO = "``adaptive_{}_pool1d`` over the last two axes."
adaptive_avg_pool1d = _over(1, adaptive_avg_pool)
adaptive_avg_pool2d = _over(2, adaptive_avg_pool, _TWO.format("avg"))
adaptive_max_pool1d = _over(1, adaptive_max_pool)
adaptive_max_pool2d = _over(2, adaptive_max_pool, _TWO.format("max"))


class _Pool(Module):
    """A pooling as a module."""

    _function: Any = None
    _names: tuple[str, ...] = (
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "return_indices",
        "ceil_mode",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()
        if len(args) > len(self._names):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._names)}")
        self._options = dict(zip(self._names, args, strict=False)) | options
        unknown = set(self._options) - set(self._names)
        if unknown or self._names[0] not in self._options:
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._names)}")

    def __getattr__(self, name: str) -> Any:
        options = self.__dict__.get("_options", {})
        return options[name] if name in options else super().__getattr__(name)

    def forward(self, input: Any) -> Tensor:
        """(batch, channels, ...) in, (batch, channels, windows ...) out."""
        made: Tensor = type(self)._function(input, **self._options)
        return made

    def extra_repr(self) -> str:
        """The options."""
        return ", ".join(f"{k}={v}" for k, v in self._options.items())


class MaxPool1d(_Pool):
    """The largest value of each window; see ``nn.functional.max_pool1d``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.MaxPool1d(2)(tg.tensor([[[1.0, 3.0, 2.0, 0.0]]])).tolist()
    [[[3.0, 2.0]]]
    """

    _function = staticmethod(max_pool1d)


class MaxPool2d(_Pool):
    """The largest value of each window of two axes."""

    _function = staticmethod(max_pool2d)


class AvgPool1d(_Pool):
    """The mean of each window; see ``nn.functional.avg_pool1d``."""

    _function = staticmethod(avg_pool1d)
    _names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")


class AvgPool2d(AvgPool1d):
    """The mean of each window of two axes."""

    _function = staticmethod(avg_pool2d)


class AdaptiveAvgPool1d(_Pool):
    """The means of so many windows; see ``nn.functional.adaptive_avg_pool1d``."""

    _function = staticmethod(adaptive_avg_pool1d)
    _names = ("output_size",)


class AdaptiveAvgPool2d(AdaptiveAvgPool1d):
    """The means of so many windows of two axes."""

    _function = staticmethod(adaptive_avg_pool2d)


class AdaptiveMaxPool1d(AdaptiveAvgPool1d):
    """The largest values of so many windows."""

    _function = staticmethod(adaptive_max_pool1d)


class AdaptiveMaxPool2d(AdaptiveAvgPool1d):
    """The largest values of so many windows of two axes."""

    _function = staticmethod(adaptive_max_pool2d)
