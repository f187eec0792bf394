"""Layers without time, and losses and activations as modules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensors import Tensor, as_tensor, get_default_dtype
from . import functional as f
from . import init
from .module import Module, Parameter


class Linear(Module):
    """``y = x W^T + b``: x (..., in_features) gives (..., out_features).

    ``weight`` (out, in) and ``bias`` (out,) start from U(-1/sqrt(in), 1/sqrt(in)). Raises ValueError
    where x has another number of features.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Linear(3, 2)(tg.zeros(5, 3)).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        dtype = get_default_dtype()
        self.weight = Parameter(np.zeros((out_features, in_features)), dtype=dtype)
        self.register_parameter(
            "bias", Parameter(np.zeros(out_features), dtype=dtype) if bias else None
        )
        bound = 1 / math.sqrt(in_features) if in_features else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound, generator)

    def forward(self, input: Any) -> Tensor:
        """(..., in_features) in, (..., out_features) out."""
        x = self._cast(input, self.weight)
        if not x.ndim or x.shape[-1] != self.in_features:
            from ..autograd import state

            raise ValueError(
                f"{state.place}x has shape {x.shape}, expected (..., {self.in_features})"
            )
        return f.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """A table of ``num_embeddings`` rows, looked up by integer: (...) gives (..., embedding_dim).

    ``weight`` starts from N(0, 1), its row ``padding_idx`` at 0; that row takes no gradient. Raises
    IndexError for an index out of range.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Embedding(10, 4)(tg.tensor([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx
        self.weight = Parameter(
            np.zeros((num_embeddings, embedding_dim)), dtype=get_default_dtype()
        )
        init.normal_(self.weight, generator=generator)
        if padding_idx is not None:
            rows = np.array(self.weight._data)
            rows[padding_idx] = 0
            init._write(self.weight, rows, "padding_idx")

    def forward(self, input: Any) -> Tensor:
        """Integers (...) in, rows (..., embedding_dim) out."""
        return f.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Dropout(Module):
    """Zero each element with probability ``p`` while training, scale the rest by 1 / (1 - p).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Dropout(0.5).eval()(tg.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, generator: np.random.Generator | None = None) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p must be between 0 and 1, got {p}")
        self.p = p
        self.generator = generator

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.dropout(input, self.p, self.training, self.generator)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class LayerNorm(Module):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last axes (Ba, Kiros & Hinton 2016).

    ``normalized_shape`` are those axes (an int for the last one); the variance divides by n. ``weight``
    starts at 1, ``bias`` at 0. Raises ValueError where x ends in another shape.

    >>> import tinygrad_rnn as tg
    >>> y = tg.nn.LayerNorm(3)(tg.tensor([[1.0, 2.0, 3.0]]))
    >>> round(y[0, 2].item(), 3)
    1.225
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape, self.eps = tuple(shape), eps
        dtype = get_default_dtype()
        for name, value, wanted in (
            ("weight", np.ones(shape), elementwise_affine),
            ("bias", np.zeros(shape), elementwise_affine and bias),
        ):
            self.register_parameter(name, Parameter(value, dtype=dtype) if wanted else None)

    def forward(self, input: Any) -> Tensor:
        """(..., *normalized_shape) in, the same out."""
        x = input if self.weight is None else self._cast(input, self.weight)
        return f.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The shape."""
        return f"{self.normalized_shape}, eps={self.eps}"


class Tanh(Module):
    """``tanh(x)``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Tanh()(tg.zeros(1))
    tensor([0.])
    """

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.tanh(input)


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Sigmoid()(tg.zeros(1))
    tensor([0.5])
    """

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.sigmoid(input)


class ReLU(Module):
    """``max(x, 0)``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.ReLU()(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.relu(input)


class LeakyReLU(Module):
    """``x`` where x > 0, ``negative_slope x`` elsewhere; see ``nn.functional.leaky_relu``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.LeakyReLU(0.5)(tg.tensor([-1.0, 2.0]))
    tensor([-0.5,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """The slope."""
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """``x`` where x > 0, ``alpha (exp(x) - 1)`` elsewhere; see ``nn.functional.elu``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.ELU()(tg.tensor([0.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.elu(input, self.alpha)

    def extra_repr(self) -> str:
        """The scale."""
        return f"alpha={self.alpha}"


class GELU(Module):
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


class SiLU(Module):
    """``x sigmoid(x)``; see ``nn.functional.silu``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.SiLU()(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7311])
    """

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.silu(input)


class _Loss(Module):
    """A loss of an input and a target, reduced by "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
        self.reduction = reduction


class MSELoss(_Loss):
    """``mean((x - y)**2)``; see ``nn.functional.mse_loss``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.MSELoss()(tg.zeros(2), tg.ones(2)).item()
    1.0
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two tensors of one shape in, the loss out."""
        return f.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """``mean(|x - y|)``; see ``nn.functional.l1_loss``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.L1Loss()(tg.zeros(2), tg.ones(2)).item()
    1.0
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two tensors of one shape in, the loss out."""
        return f.l1_loss(input, target, self.reduction)


class _ClassLoss(_Loss):
    """A loss of classes, each with a weight, one of them perhaps ignored."""

    weight: Tensor | None

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", None if weight is None else as_tensor(weight))
        self.ignore_index = ignore_index


class CrossEntropyLoss(_ClassLoss):
    """``-w[y] log softmax(x)[y]``; see ``nn.functional.cross_entropy``.

    >>> import tinygrad_rnn as tg
    >>> round(tg.nn.CrossEntropyLoss()(tg.zeros(1, 2), tg.tensor([0])).item(), 4)
    0.6931
    """

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Tensor:
        """Logits and classes in, the loss out."""
        return f.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_ClassLoss):
    """``-w[y] x[y]``; see ``nn.functional.nll_loss``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.NLLLoss()(tg.tensor([[-1.0, -2.0]]), tg.tensor([0])).item()
    1.0
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """Log-probabilities and classes in, the loss out."""
        return f.nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class BCEWithLogitsLoss(_Loss):
    """``log(1 + exp(x)) - x y``; see ``nn.functional.binary_cross_entropy_with_logits``.

    >>> import tinygrad_rnn as tg
    >>> round(tg.nn.BCEWithLogitsLoss()(tg.zeros(1), tg.ones(1)).item(), 4)
    0.6931
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
    ) -> None:
        super().__init__(reduction)
        for name, value in (("weight", weight), ("pos_weight", pos_weight)):
            self.register_buffer(name, None if value is None else as_tensor(value))

    def forward(self, input: Any, target: Any) -> Tensor:
        """Logits and targets of one shape in, the loss out."""
        return f.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )
