"""Layers and losses as functions: PyTorch's ``nn.functional`` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import state
from ..functions import log_softmax, relu, sigmoid, softmax, tanh
from ..ops import elementwise as e
from ..ops import indexing, products
from ..random import generator_or_default
from ..tensors import Tensor, as_tensor

__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "embedding",
    "l1_loss",
    "layer_norm",
    "linear",
    "log_softmax",
    "mse_loss",
    "nll_loss",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "tanh",
]


def linear(input: Any, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``y = x W^T + b``: x (..., in), W (out, in), b (out,) give (..., out).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.linear(tg.ones(2, 3), tg.ones(4, 3)).shape
    (2, 4)
    """
    if bias is None:
        return products.linear_without_bias(input, weight)
    return products.linear(input, weight, bias)


def softplus(input: Any) -> Tensor:
    """log(1 + exp(x)), without overflow.

    >>> import tinygrad_rnn as tg
    >>> round(tg.nn.functional.softplus(tg.tensor(0.0)).item(), 4)
    0.6931
    """
    return e.softplus(as_tensor(input))


def dropout(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Zero each element with probability ``p`` and scale the rest by 1 / (1 - p), while training.

    (Srivastava et al. 2014.) Raises ValueError where p is outside 0 to 1.

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
    return x * Tensor(kept / (1 - p) if p < 1 else np.zeros(x.shape), x.dtype)


def embedding(input: Any, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of ``weight`` (count, size) by integer index (...): (..., size).

    ``padding_idx`` names a row that takes no gradient. Raises IndexError for an index out of range.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.embedding(tg.tensor([1, 0]), tg.eye(2))
    tensor([[0., 1.],
            [1., 0.]])
    """
    index = as_tensor(input)._data
    count = weight.shape[0]
    if index.dtype.kind not in "iu":
        raise TypeError(f"embedding looks rows up by integers, not by {index.dtype}")
    if index.size and not (index.min() >= 0 and index.max() < count):
        raise IndexError(
            f"embedding: index {int(index.max() if index.max() >= count else index.min())} "
            f"is outside 0 ... {count - 1}"
        )
    padding = None if padding_idx is None else padding_idx % count
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
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"{state.place}layer_norm: x has shape {x.shape}, expected (..., {shape})")
    axes = tuple(range(-len(shape), 0))
    centred = x - x.mean(axes, keepdim=True)
    y = centred / (centred.square().mean(axes, keepdim=True) + eps).sqrt()
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


# ---- losses ------------------------------------------------------------------------------------


def _pair(who: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Prediction and target of one shape: losses never broadcast."""
    x = as_tensor(input)
    y = as_tensor(target)
    if x.shape != y.shape:
        raise ValueError(
            f"{who}: input has shape {x.shape} and target {y.shape}; they must be equal, since "
            "broadcasting would compare every value with every other"
        )
    return x, y.to(x.dtype)


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """``(x - y)**2``, reduced. Raises ValueError where the shapes differ.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.mse_loss(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0])).item()
    2.0
    """
    x, y = _pair("mse_loss", input, target)
    return _reduced((x - y).square(), reduction)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """``|x - y|``, reduced. Raises ValueError where the shapes differ.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.l1_loss(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0])).item()
    1.0
    """
    x, y = _pair("l1_loss", input, target)
    return _reduced((x - y).abs(), reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """``log(1 + exp(x)) - x y``: x are logits, y in 0 to 1. Raises ValueError where the shapes differ.

    >>> import tinygrad_rnn as tg
    >>> loss = tg.nn.functional.binary_cross_entropy_with_logits(tg.zeros(2), tg.ones(2))
    >>> round(loss.item(), 4)
    0.6931
    """
    x, y = _pair("binary_cross_entropy_with_logits", input, target)
    return _reduced(softplus(x) - x * y, reduction)


def nll_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """``-x[target]``: log-probabilities (batch, classes, ...) and classes (batch, ...), reduced.

    Raises ValueError where the shapes do not fit, IndexError for a class out of range.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.nll_loss(tg.tensor([[-1.0, -2.0]]), tg.tensor([1])).item()
    2.0
    """
    x, y = as_tensor(input), as_tensor(target)
    if y.dtype.kind not in "iu":
        raise TypeError(f"nll_loss: target holds classes as integers, not {y.dtype}")
    axis = 1 if x.ndim > 1 else 0
    if not x.ndim or x.shape[:axis] + x.shape[axis + 1 :] != y.shape:
        raise ValueError(
            f"nll_loss: input has shape {x.shape} = (batch, classes, ...), "
            f"so target must have {x.shape[:axis] + x.shape[axis + 1 :]}, and has {y.shape}"
        )
    classes = x.shape[axis]
    if y.numel() and not (y._data.min() >= 0 and y._data.max() < classes):
        raise IndexError(f"nll_loss: a target class is outside 0 ... {classes - 1}")
    return _reduced(-x.gather(axis, y.unsqueeze(axis)).squeeze(axis), reduction)


def cross_entropy(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """``-log softmax(x)[target]``: logits (batch, classes, ...) and classes (batch, ...), reduced.

    A floating target of the logits' shape is a distribution over the classes. Raises as ``nll_loss``.

    >>> import tinygrad_rnn as tg
    >>> loss = tg.nn.functional.cross_entropy(tg.zeros(1, 2), tg.tensor([0]))
    >>> round(loss.item(), 4)
    0.6931
    """
    x, y = as_tensor(input), as_tensor(target)
    axis = 1 if x.ndim > 1 else 0
    logs = log_softmax(x, axis)
    if y.is_floating_point():
        _, y = _pair("cross_entropy", x, y)
        return _reduced(-(logs * y).sum(axis), reduction)
    return nll_loss(logs, y, reduction)
