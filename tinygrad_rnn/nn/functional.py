"""Which layers and losses are functions? PyTorch's ``nn.functional`` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..doors import for_scripts, public_names
from ..engine.places import state
from ..engine.random import generator_or_default
from ..engine.signatures import readable
from ..ops import curves, indexing, products, reductions, shapes
from ..ops import elementwise as e
from ..tensors import Tensor, as_tensor
from ..tensors.functions import log_softmax, relu, sigmoid, softmax, tanh
from ..tensors.making import arange
from ..tensors.several import where
from .loss_functions import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pad",
    "relu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
]


def linear(input: Any, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``y = x W^T + b``: x (..., in), W (out, in), b (out,) give (..., out); W (in,) gives (...).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.linear(tg.ones(2, 3), tg.ones(4, 3)).shape
    (2, 4)
    """
    if weight.ndim == 1:
        product = products.matmul(as_tensor(input), weight)
        return product if bias is None else product + bias
    return products.linear(input, weight, bias)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, without overflow; x itself where beta x is above ``threshold``.

    >>> import tinygrad_rnn as tg
    >>> round(tg.nn.functional.softplus(tg.tensor(0.0)).item(), 4)
    0.6931
    """
    x = as_tensor(input)
    if (
        beta == 1 and threshold >= 20
    ):  # above it the row gives x already, to the last digit of float32
        return curves.softplus(x)
    return e.where(x * beta > threshold, x, curves.softplus(x * beta) / beta)


def written(input: Any, made: Tensor, inplace: bool) -> Tensor:
    """The result, written into the input where that is asked for."""
    if not inplace:
        return made
    result: Tensor = input.copy_(made)
    return result


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, ``negative_slope`` x elsewhere (Maas et al. 2013).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.leaky_relu(tg.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5,  2. ])
    """
    return written(input, curves.leaky_relu(as_tensor(input), negative_slope), inplace)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, ``alpha (exp(x) - 1)`` elsewhere (Clevert et al. 2016).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.elu(tg.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """
    return written(input, curves.elu(as_tensor(input), alpha), inplace)


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """x P(Z < x) for Z of N(0, 1) (Hendrycks & Gimpel 2016).

    The probability is exact (float64 to rounding, the lower tail too); ``approximate="tanh"`` is
    ``x (1 + tanh(sqrt(2/pi) (x + 0.044715 x**3))) / 2``. Raises ValueError for another word.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.gelu(tg.tensor([-1.0, 1.0]))
    tensor([-0.1587,  0.8413])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return (curves.gelu if approximate == "none" else curves.gelu_by_tanh)(as_tensor(input))


def silu(input: Any, inplace: bool = False) -> Tensor:
    """x sigmoid(x), also called swish (Elfwing et al. 2018).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.silu(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7311])
    """
    return written(input, curves.silu(as_tensor(input)), inplace)


def pad(
    input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """``value`` (0) put around: ``pad`` is (before, after) of the last axis, then of the one before it, ...

    A negative number cuts off instead. The ``mode`` "reflect" puts the mirrored elements around,
    "replicate" the outermost, "circular" those of the other end, at most as many as there are. (PyTorch's
    order; ``np.pad`` means numpy's.) Raises ValueError where ``pad`` does not fit the shape,
    NotImplementedError for another mode.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.pad(tg.ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.])
    """
    x, sides = as_tensor(input), [int(n) for n in pad]
    if mode not in ("constant", "circular", *_AROUND):
        raise NotImplementedError(
            f"pad: mode is 'constant', 'reflect', 'replicate' or 'circular', not {mode!r}"
        )
    if len(sides) % 2 or len(sides) > 2 * x.ndim:
        raise ValueError(
            f"pad: {len(sides)} numbers, and shape {x.shape} takes an even number, at most {2 * x.ndim}"
        )
    given = [(sides[i], sides[i + 1]) for i in range(0, len(sides), 2)]
    widths = ((0, 0),) * (x.ndim - len(given)) + tuple(given[::-1])
    if mode == "constant":
        return shapes.pad(x, widths, 0.0 if value is None else value)
    for axis, (before, after) in enumerate(widths):
        x = _padded_by_its_own(x, axis, before, after, mode)
    return x


def _padded_by_its_own(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    """One axis padded with the tensor's own elements."""
    if before == after == 0:
        return x
    n = x.shape[axis]
    own = np.arange(max(-before, 0), n - max(-after, 0)) if mode == "circular" else np.arange(n)
    most = {"reflect": n - 1, "circular": own.size}.get(mode, max(before, after) if n else 0)
    if max(before, after) > most or n + before + after < 1:
        raise ValueError(
            f"pad: {before} and {after} by {mode!r} do not fit axis {axis} of {x.shape}"
        )
    if mode == "circular":  # goes around what is left where it cuts off
        index = own[np.arange(-max(before, 0), own.size + max(after, 0)) % own.size]
    else:
        index = _AROUND[mode](np.arange(-before, n + after), n)
    return x[(*(slice(None),) * axis, index)]


_AROUND: dict[str, Any] = {  # which element stands at a place i beyond the n there are
    "reflect": lambda i, n: n - 1 - np.abs(n - 1 - np.abs(i)),
    "replicate": lambda i, n: np.clip(i, 0, n - 1),
}


def dropout(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Zero each element with probability ``p`` and scale the rest by 1 / (1 - p), while training.

    (Srivastava et al. 2014.) ``inplace`` writes and returns the input.
    Raises ValueError where p is outside 0 to 1.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.dropout(tg.ones(3), 0.5, training=False)
    tensor([1., 1., 1.])
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must be between 0 and 1, got {p}")
    x = as_tensor(input)
    if not training or p == 0:
        return x
    kept = generator_or_default(generator).random(x.shape) >= p
    factor = Tensor._made(kept / (1 - p) if p < 1 else np.zeros(x.shape), x.dtype)
    return x.mul_(factor) if inplace else x * factor


def embedding(input: Any, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of ``weight`` (count, size) by integer index (...): (..., size).

    ``padding_idx`` names a row that takes no gradient. Raises IndexError for an index out of range.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.embedding(tg.tensor([1, 0]), tg.eye(2))
    tensor([[0., 1.],
            [1., 0.]])
    """
    index = as_tensor(input)._data
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight must be (count, size), and has shape {weight.shape}")
    count = weight.shape[0]
    if index.dtype.kind not in "iu":
        raise TypeError(f"embedding looks rows up by integers, not by {index.dtype}")
    if index.size:
        least, most = index.item(index.argmin()), index.item(index.argmax())
        if least < 0 or most >= count:
            raise IndexError(
                f"embedding: index {most if most >= count else least} is outside 0 ... {count - 1}"
            )
    padding = None if padding_idx is None else padding_idx % count
    if state.tracer is not None and state.tracer.takes(input, index):  # what it is given may change
        found = weight[input]
        if padding is None:
            return found
        return where((input == padding).unsqueeze(-1), found.detach(), found)
    return indexing.embedding(weight, index, padding)


def layer_norm(
    input: Any,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last axes; see ``nn.LayerNorm``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.layer_norm(tg.tensor([1.0, 3.0]), 2, eps=0.0)
    tensor([-1.,  1.])
    """
    x = as_tensor(input)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x._data.shape[-len(shape) :] != shape:
        raise ValueError(f"{state.place}layer_norm: x has shape {x.shape}, expected (..., {shape})")
    y = reductions.layer_norm(x, tuple(range(x.ndim - len(shape), x.ndim)), eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """Integers (...) as rows (..., num_classes) of int64, 1 at the integer and 0 elsewhere.

    ``num_classes=-1`` is one more than the largest. Raises TypeError for floats, ValueError for an
    integer outside 0 to num_classes - 1.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.one_hot(tg.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    given = as_tensor(tensor)
    index = given._data
    if index.dtype.kind not in "iu":
        raise TypeError(f"one_hot takes integers, not {index.dtype}")
    if num_classes == -1:
        if not index.size:
            raise ValueError("one_hot: of no integers, num_classes must be given")
        if state.tracer is not None:
            state.tracer.looks("the number of classes in one_hot()")
        num_classes = int(index.max()) + 1
    if index.size and not (index.min() >= 0 and index.max() < num_classes):
        raise ValueError(f"one_hot: a class is outside 0 ... {num_classes - 1}")
    if state.tracer is not None:  # comparisons that a trace can follow
        return (given.unsqueeze(-1) == arange(num_classes)).to(np.int64)
    return Tensor._made((index[..., None] == np.arange(num_classes)).astype(np.int64))


def __getattr__(name: str) -> Any:
    """What PyTorch's scripts alone ask for, imported when they do."""
    return for_scripts(__name__, name)


def __dir__() -> list[str]:
    """The public names and nothing else, for an editor's list."""
    return public_names(__name__, __all__)


readable(__name__)
