"""Which activations do PyTorch's scripts use beside the engine's? As functions and as modules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..nn.functional import elu, sigmoid, softmax, softplus, tanh, written
from ..nn.module import Module, Parameter
from ..nn.placing import placed
from ..ops import elementwise as e
from ..tensors import Tensor, as_tensor, get_default_dtype


def hardtanh(
    input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x clipped to ``min_val`` ... ``max_val``; the slope at the ends is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.hardtanh(tg.tensor([-3.0, 0.5]))
    tensor([-1. ,  0.5])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is above max_val {max_val}")
    x = as_tensor(input)
    made = e.where(x <= min_val, min_val, e.where(x >= max_val, max_val, x))
    return written(input, made.to(x.dtype), inplace)


def relu6(input: Any, inplace: bool = False) -> Tensor:
    """x clipped to 0 ... 6."""
    return hardtanh(input, 0.0, 6.0, inplace)


def selu(input: Any, inplace: bool = False) -> Tensor:
    """``1.0507 elu(x, 1.6733)``: keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return written(input, elu(input, 1.6732632423543772) * 1.0507009873554805, inplace)


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, ``alpha (exp(x / alpha) - 1)`` elsewhere."""
    x = as_tensor(input)
    low = e.where(x > 0, 0.0, x)
    return written(input, e.where(x > 0, x, alpha * (low / alpha).expm1()), inplace)


def mish(input: Any, inplace: bool = False) -> Tensor:
    """``x tanh(softplus(x))`` (Misra 2019)."""
    return written(input, as_tensor(input) * tanh(softplus(input)), inplace)


def softsign(input: Any) -> Tensor:
    """``x / (1 + |x|)``."""
    x = as_tensor(input)
    return x / (1 + x.abs())


def tanhshrink(input: Any) -> Tensor:
    """``x - tanh(x)``."""
    x = as_tensor(input)
    return x - x.tanh()


def hardsigmoid(input: Any, inplace: bool = False) -> Tensor:
    """``x / 6 + 1/2`` clipped to 0 ... 1."""
    return written(input, hardtanh(as_tensor(input) / 6 + 0.5, 0.0, 1.0), inplace)


def hardswish(input: Any, inplace: bool = False) -> Tensor:
    """``x hardsigmoid(x)``."""
    return written(input, as_tensor(input) * hardsigmoid(input), inplace)


def softshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """x drawn towards 0 by ``lambd``, 0 where it would cross it."""
    x = as_tensor(input)
    return e.where(x.abs() > lambd, x - lambd * x.detach().sign(), x * 0.0)


def hardshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """x, 0 where ``|x| <= lambd``."""
    x = as_tensor(input)
    return e.where(x.abs() <= lambd, 0.0, x)


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > ``threshold`` (NaN stays NaN), ``value`` elsewhere."""
    x = as_tensor(input)
    return written(input, e.where(x <= threshold, float(value), x), inplace)


def logsigmoid(input: Any) -> Tensor:
    """``log(sigmoid(x))``, without overflow."""
    return -softplus(-as_tensor(input))


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """``softmax(-x)``."""
    return softmax(-as_tensor(input, dtype), dim)


def glu(input: Any, dim: int = -1) -> Tensor:
    """``a sigmoid(b)`` of the two halves along ``dim`` (Dauphin et al. 2017). Raises ValueError for odd ones.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.glu(tg.tensor([2.0, 0.0]))
    tensor([1.])
    """
    x = as_tensor(input)
    if x.shape[dim] % 2:
        raise ValueError(f"glu halves axis {dim} of shape {x.shape}, which is odd")
    a, b = x.chunk(2, dim)
    return a * sigmoid(b)


def prelu(input: Any, weight: Any) -> Tensor:
    """x where x > 0, ``weight x`` elsewhere: one weight, or one a channel (axis 1) (He et al. 2015).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.prelu(tg.tensor([-2.0, 1.0]), tg.tensor([0.25]))
    tensor([-0.5,  1. ])
    """
    x, w = as_tensor(input), as_tensor(weight)
    if w.numel() > 1:
        if x.ndim < 2 or x.shape[1] != w.numel():
            raise ValueError(f"prelu: {w.numel()} weights for x of shape {x.shape}")
        w = w.reshape((1, -1) + (1,) * (x.ndim - 2))
    return e.where(x > 0, x, w * x)


def rrelu(
    input: Any,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x where x >= 0, else x times a slope from U(lower, upper), in evaluation times their mean."""
    x = as_tensor(input)
    slope: Any = (lower + upper) / 2
    if training:
        slope = x.detach().new_empty(x.shape).uniform_(lower, upper)
    return written(input, e.where(x >= 0, x, x * slope), inplace)


class _Activation(Module):
    """A function as a module; its arguments are the module's attributes."""

    _function: Any = None
    _arguments: tuple[str, ...] = ()

    def _holding(self, **arguments: Any) -> None:
        super().__init__()
        for name, value in arguments.items():
            setattr(self, name, value)
        self._arguments = tuple(arguments)

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        made: Tensor = type(self)._function(input, **{k: getattr(self, k) for k in self._arguments})
        return made

    def extra_repr(self) -> str:
        """The arguments."""
        return ", ".join(f"{k}={getattr(self, k)}" for k in self._arguments)


class _InPlace(_Activation):
    """One that may write its input and has no other argument."""

    def __init__(self, inplace: bool = False) -> None:
        self._holding(inplace=inplace)


class Hardtanh(_Activation):
    """x clipped to ``min_val`` ... ``max_val``; see ``nn.functional.hardtanh``."""

    _function = staticmethod(hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        self._holding(min_val=min_val, max_val=max_val, inplace=inplace)


class ReLU6(_InPlace):
    """x clipped to 0 ... 6."""

    _function = staticmethod(relu6)


class SELU(_InPlace):
    """See ``nn.functional.selu``."""

    _function = staticmethod(selu)


class CELU(_Activation):
    """See ``nn.functional.celu``."""

    _function = staticmethod(celu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self._holding(alpha=alpha, inplace=inplace)


class Mish(_InPlace):
    """See ``nn.functional.mish``."""

    _function = staticmethod(mish)


class Softsign(_Activation):
    """``x / (1 + |x|)``."""

    _function = staticmethod(softsign)


class Tanhshrink(_Activation):
    """``x - tanh(x)``."""

    _function = staticmethod(tanhshrink)


class Hardsigmoid(_InPlace):
    """See ``nn.functional.hardsigmoid``."""

    _function = staticmethod(hardsigmoid)


class Hardswish(_InPlace):
    """See ``nn.functional.hardswish``."""

    _function = staticmethod(hardswish)


class Softshrink(_Activation):
    """See ``nn.functional.softshrink``."""

    _function = staticmethod(softshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        self._holding(lambd=lambd)


class Hardshrink(Softshrink):
    """See ``nn.functional.hardshrink``."""

    _function = staticmethod(hardshrink)


class Threshold(_Activation):
    """See ``nn.functional.threshold``."""

    _function = staticmethod(threshold)

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        self._holding(threshold=threshold, value=value, inplace=inplace)


class LogSigmoid(_Activation):
    """``log(sigmoid(x))``."""

    _function = staticmethod(logsigmoid)


class Softmin(_Activation):
    """``softmax(-x)``."""

    _function = staticmethod(softmin)

    def __init__(self, dim: int | None = None) -> None:
        self._holding(dim=dim)


class Softmax2d(_Activation):
    """Softmax over the channels of (batch, channels, height, width)."""

    def forward(self, input: Any) -> Tensor:
        """Images in, probabilities out."""
        return softmax(input, -3)


class GLU(_Activation):
    """``a sigmoid(b)`` of two halves; see ``nn.functional.glu``."""

    _function = staticmethod(glu)

    def __init__(self, dim: int = -1) -> None:
        self._holding(dim=dim)


@placed
class PReLU(Module):
    """x where x > 0, ``weight x`` elsewhere, the weight learned; see ``nn.functional.prelu``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.PReLU()(tg.tensor([-2.0, 1.0])).tolist()
    [-0.5, 1.0]
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter(np.full(num_parameters, init), dtype=get_default_dtype())

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return prelu(self._cast(input, self.weight), self.weight)

    def extra_repr(self) -> str:
        """The number of weights."""
        return f"num_parameters={self.num_parameters}"


class AlphaDropout(Module):
    """Dropout that keeps mean and variance: what is dropped becomes SELU's lower limit, then rescaled."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p, self.inplace = p, inplace

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return alpha_dropout(input, self.p, self.training, self.inplace)


def alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """See ``nn.AlphaDropout``."""
    x = as_tensor(input)
    if not training or p == 0:
        return x
    low = -1.0507009873554805 * 1.6732632423543772
    scale = 1 / math.sqrt((1 - p) * (1 + p * low * low))
    kept = x.detach().new_empty(x.shape).bernoulli_(1 - p)
    return written(input, (x * kept + low * (1 - kept)) * scale - scale * p * low, inplace)
