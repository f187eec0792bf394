"""Which activations are modules? ReLU, Tanh and their kin, for ``Sequential``."""

from __future__ import annotations

from typing import Any

from ..tensors import Tensor
from . import functional as f
from .module import TensorModule


class Tanh(TensorModule):
    """``tanh(x)``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Tanh()(tg.zeros(1))
    tensor([0.])
    """

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.tanh(input)


class Sigmoid(TensorModule):
    """``1 / (1 + exp(-x))``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Sigmoid()(tg.zeros(1))
    tensor([0.5])
    """

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.sigmoid(input)


class ReLU(TensorModule):
    """``max(x, 0)``; ``inplace`` writes and returns the input.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.ReLU()(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.relu(input, self.inplace) if self.inplace else f.relu(input)


class LeakyReLU(TensorModule):
    """``x`` where x > 0, ``negative_slope x`` elsewhere; see ``nn.functional.leaky_relu``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.LeakyReLU(0.5)(tg.tensor([-1.0, 2.0]))
    tensor([-0.5,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """The slope."""
        return f"negative_slope={self.negative_slope}"


class ELU(TensorModule):
    """``x`` where x > 0, ``alpha (exp(x) - 1)`` elsewhere; see ``nn.functional.elu``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.ELU()(tg.tensor([0.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """The scale."""
        return f"alpha={self.alpha}"


class GELU(TensorModule):
    """``x P(Z < x)`` for Z of N(0, 1), exact or by tanh; see ``nn.functional.gelu``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.GELU()(tg.tensor([-1.0, 1.0]))
    tensor([-0.1587,  0.8413])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: approximate must be 'none' or 'tanh', got {approximate!r}")
        self.approximate = approximate

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """The way it is computed."""
        return f"approximate={self.approximate!r}"


class SiLU(TensorModule):
    """``x sigmoid(x)``; see ``nn.functional.silu``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.SiLU()(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7311])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.silu(input, self.inplace)


class Softplus(TensorModule):
    """``log(1 + exp(beta x)) / beta``; see ``nn.functional.softplus``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Softplus()(tg.zeros(1))
    tensor([0.6931])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.softplus(input, self.beta, self.threshold)


class Softmax(TensorModule):
    """``exp(x) / sum(exp(x))`` along ``dim``; see ``nn.functional.softmax``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Softmax(dim=0)(tg.zeros(2))
    tensor([0.5, 0.5])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """``log(softmax(x))`` along ``dim``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.LogSoftmax(dim=0)(tg.zeros(2))
    tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.log_softmax(input, self.dim)
