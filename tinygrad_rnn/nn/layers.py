"""Which layers have no time? Linear, embeddings, norms, dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.places import state
from ..tensors import Tensor, as_tensor, get_default_dtype
from . import functional as f
from . import init
from .module import Parameter, TensorModule
from .placing import placed


def _misfit(layer: TensorModule, name: str, value: Tensor, expected: str) -> str:
    """What is wrong with a weight that was assigned and has another shape than the layer's equation takes."""
    kind = type(layer).__name__
    return f"{state.place}{kind}.{name} has shape {value.shape}, expected {expected}"


@placed
class Linear(TensorModule):
    """``y = x W^T + b``: x (..., in_features) gives (..., out_features).

    ``weight`` (out, in) and ``bias`` (out,) start from U(-1/sqrt(in), 1/sqrt(in)). Raises ValueError
    where x has another number of features, or a weight was assigned that does not take them.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Linear(3, 2)(tg.zeros(5, 3)).shape
    (5, 2)
    """

    bias: Parameter | None

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
        init._begin(self, generator)

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Start weight and bias anew."""
        bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                init.uniform_(parameter, -bound, bound, generator)

    def forward(self, input: Any) -> Tensor:
        """(..., in_features) in, (..., out_features) out."""
        weight, bias, size = self.weight, self.bias, self.in_features
        x = self._cast(input, weight)
        if not x.ndim or x.shape[-1] != size:
            raise ValueError(f"{state.place}x has shape {x.shape}, expected (..., {size})")
        if weight.ndim not in (1, 2) or weight.shape[-1] != size:
            raise ValueError(_misfit(self, "weight", weight, f"({self.out_features}, {size})"))
        if bias is not None and bias.shape not in (weight.shape[:-1], (1,), ()):
            raise ValueError(
                _misfit(self, "bias", bias, f"{weight.shape[:-1]}, by its weight {weight.shape}")
            )
        return f.linear(x, weight, bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


@placed
class Embedding(TensorModule):
    """A table of ``num_embeddings`` rows, looked up by integer: (...) gives (..., embedding_dim).

    ``weight`` starts from N(0, 1), its row ``padding_idx`` at 0; that row takes no gradient. ``sparse`` has
    no effect: a gradient has its tensor's shape. Raises IndexError for an index out of range.

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
        sparse: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx
        self.weight = Parameter(
            np.zeros((num_embeddings, embedding_dim)), dtype=get_default_dtype()
        )
        init._begin(self, generator)

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Start the table anew, with a row of zeros for the padding."""
        init.normal_(self.weight, generator=generator)
        if self.padding_idx is not None:
            rows = np.array(self.weight._data)
            rows[self.padding_idx] = 0
            init._write(self.weight, rows, "padding_idx")

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None
    ) -> Embedding:
        """A table of these rows (num_embeddings, embedding_dim), a copy; trained unless ``freeze``."""
        rows = as_tensor(embeddings).detach()
        if rows.ndim != 2 or not rows.is_floating_point():
            raise ValueError(
                f"from_pretrained takes floats (rows, size), not {rows.dtype} of shape {rows.shape}"
            )
        made = cls(rows.shape[0], rows.shape[1], padding_idx)
        made.weight = Parameter(rows, requires_grad=not freeze)
        return made

    def forward(self, input: Any) -> Tensor:
        """Integers (...) in, rows (..., embedding_dim) out."""
        return f.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Dropout(TensorModule):
    """Zero each element with probability ``p`` while training, scale the rest by 1 / (1 - p).

    ``inplace`` writes and returns the input.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Dropout(0.5).eval()(tg.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(
        self, p: float = 0.5, inplace: bool = False, *, generator: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p must be between 0 and 1, got {p}")
        self.p = p
        self.generator, self.inplace = generator, inplace

    def forward(self, input: Any) -> Tensor:
        """Any shape in, the same out."""
        return f.dropout(input, self.p, self.training, self.inplace, generator=self.generator)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


@placed
class LayerNorm(TensorModule):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last axes (Ba, Kiros & Hinton 2016).

    ``normalized_shape`` are those axes (an int for the last one); the variance divides by n. ``weight``
    starts at 1, ``bias`` at 0. Raises ValueError where x ends in another shape, or an assigned weight has
    another.

    >>> import tinygrad_rnn as tg
    >>> y = tg.nn.LayerNorm(3)(tg.tensor([[1.0, 2.0, 3.0]]))
    >>> round(y[0, 2].item(), 3)
    1.225
    """

    weight: Parameter | None
    bias: Parameter | None

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

    def reset_parameters(self) -> None:
        """The weight 1, the bias 0."""
        init._scale_and_shift(self)

    def forward(self, input: Any) -> Tensor:
        """(..., *normalized_shape) in, the same out."""
        x = input if self.weight is None else self._cast(input, self.weight)
        for name, value in (("weight", self.weight), ("bias", self.bias)):
            if value is not None and value.shape != self.normalized_shape:
                raise ValueError(_misfit(self, name, value, f"{self.normalized_shape}"))
        return f.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The shape."""
        return f"{self.normalized_shape}, eps={self.eps}"


class Identity(TensorModule):
    """``x`` itself: in place of a layer that is left out.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Identity()(tg.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Any) -> Tensor:
        """Anything in, the same out."""
        return as_tensor(input)


class Flatten(TensorModule):
    """The axes from ``start_dim`` to ``end_dim`` as one; see ``Tensor.flatten``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Flatten()(tg.ones(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Tensor:
        """(batch, ...) in, (batch, features) out, unless told otherwise."""
        return as_tensor(input).flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
