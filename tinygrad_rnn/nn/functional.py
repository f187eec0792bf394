"""Layers and losses as functions: PyTorch's ``nn.functional`` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import state
from ..functions import log_softmax, relu, sigmoid, softmax, tanh, where
from ..ops import elementwise as e
from ..ops import indexing, products, shapes
from ..random import generator_or_default
from ..tensors import Tensor, as_tensor

__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mse_loss",
    "nll_loss",
    "pad",
    "relu",
    "sigmoid",
    "silu",
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


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """x where x > 0, ``negative_slope`` x elsewhere (Maas et al. 2013).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.leaky_relu(tg.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5,  2. ])
    """
    return e.leaky_relu(as_tensor(input), negative_slope)


def elu(input: Any, alpha: float = 1.0) -> Tensor:
    """x where x > 0, ``alpha (exp(x) - 1)`` elsewhere (Clevert et al. 2016).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.elu(tg.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.    ])
    """
    return e.elu(as_tensor(input), alpha)


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
    return (e.gelu if approximate == "none" else e.gelu_by_tanh)(as_tensor(input))


def silu(input: Any) -> Tensor:
    """x sigmoid(x), also called swish (Elfwing et al. 2018).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.silu(tg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7311])
    """
    return e.silu(as_tensor(input))


def pad(
    input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """``value`` (0) put around: ``pad`` is (before, after) of the last axis, then of the one before it, ...

    A negative number cuts off instead. (PyTorch's order; ``np.pad`` means numpy's.) Raises ValueError
    where ``pad`` does not fit the shape, NotImplementedError for a mode other than "constant".

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.pad(tg.ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.])
    """
    x, sides = as_tensor(input), [int(n) for n in pad]
    if mode != "constant":
        raise NotImplementedError(f"pad: mode {mode!r}; there is 'constant'")
    if len(sides) % 2 or len(sides) > 2 * x.ndim:
        raise ValueError(
            f"pad: {len(sides)} numbers, and shape {x.shape} takes an even number, at most {2 * x.ndim}"
        )
    given = [(sides[i], sides[i + 1]) for i in range(0, len(sides), 2)]
    widths = ((0, 0),) * (x.ndim - len(given)) + tuple(given[::-1])
    return shapes.pad(x, widths, 0.0 if value is None else value)


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


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """``w (p y log(1 + exp(-x)) + (1 - y) log(1 + exp(x)))``: x are logits, y in 0 to 1.

    ``weight`` w and ``pos_weight`` p, 1 unless given, broadcast to x; p > 1 makes positives count
    more. Raises ValueError where the shapes do not fit.

    >>> import tinygrad_rnn as tg
    >>> loss = tg.nn.functional.binary_cross_entropy_with_logits(tg.zeros(2), tg.ones(2))
    >>> round(loss.item(), 4)
    0.6931
    """
    who = "binary_cross_entropy_with_logits"
    x, y = _pair(who, input, target)
    if pos_weight is None:
        loss = softplus(x) - x * y
    else:
        loss = (1 - y) * softplus(x) + y * softplus(-x) * _factor(who, "pos_weight", pos_weight, x)
    return _reduced(loss if weight is None else loss * _factor(who, "weight", weight, x), reduction)


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """``-w[y] x[y]``: log-probabilities (batch, classes, ...) and classes y (batch, ...), reduced.

    ``weight`` w (classes,) is 1 unless given. A target that is ``ignore_index`` counts nothing; the
    mean is over the others, ``sum(-w[y] x[y]) / sum(w[y])``. Raises ValueError where the shapes do not
    fit or a mean is left without any target, IndexError for a class out of range.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.nll_loss(tg.tensor([[-1.0, -2.0]]), tg.tensor([1])).item()
    2.0
    """
    return _class_loss(
        "nll_loss", as_tensor(input), as_tensor(target), weight, ignore_index, reduction, 0.0
    )


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """``-w[y] log softmax(x)[y]``: logits (batch, classes, ...) and classes y (batch, ...), reduced.

    A floating target of the logits' shape is a distribution q over the classes, and the loss
    ``-sum(w q log softmax(x))``. ``label_smoothing`` s mixes the target with the uniform distribution,
    ``(1 - s) q + s / classes`` (Szegedy et al. 2016). ``weight``, ``ignore_index`` (of classes alone)
    and the mean are those of ``nll_loss``, and so is what is raised; the mean over distributions
    divides by their number.

    >>> import tinygrad_rnn as tg
    >>> loss = tg.nn.functional.cross_entropy(tg.zeros(1, 2), tg.tensor([0]))
    >>> round(loss.item(), 4)
    0.6931
    """
    x, y = as_tensor(input), as_tensor(target)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
    axis = 1 if x.ndim > 1 else 0
    logs = log_softmax(x, axis)
    if not y.is_floating_point():
        return _class_loss(
            "cross_entropy", logs, y, weight, ignore_index, reduction, label_smoothing
        )
    if ignore_index >= 0:
        raise ValueError("cross_entropy: ignore_index needs classes, and target is a distribution")
    _, y = _pair("cross_entropy", x, y)
    if label_smoothing:
        y = y * (1 - label_smoothing) + label_smoothing / x.shape[axis]
    if weight is not None:
        y = y * _class_weights("cross_entropy", weight, x, axis)
    return _reduced(-(logs * y).sum(axis), reduction)


def _class_loss(
    who: str,
    logs: Tensor,
    y: Tensor,
    weight: Any,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """``nll_loss``, its target mixed with the uniform distribution."""
    if y.dtype.kind not in "iu":
        raise TypeError(f"{who}: target holds classes as integers, not {y.dtype}")
    axis = 1 if logs.ndim > 1 else 0
    wanted = logs.shape[:axis] + logs.shape[axis + 1 :]
    if not logs.ndim or wanted != y.shape:
        raise ValueError(
            f"{who}: input has shape {logs.shape} = (batch, classes, ...), "
            f"so target must have {wanted}, and has {y.shape}"
        )
    classes, kept = logs.shape[axis], y._data != ignore_index
    found = y._data[kept]
    if found.size and not (found.min() >= 0 and found.max() < classes):
        raise IndexError(f"{who}: a target class is outside 0 ... {classes - 1}")
    at = Tensor(np.where(kept, y._data, 0))
    loss = -logs.gather(axis, at.unsqueeze(axis)).squeeze(axis)
    spread = logs
    counts = Tensor(kept, logs.dtype)
    if weight is not None:
        w = _class_weights(who, weight, logs, axis)
        counts, spread = w.flatten()[at] * counts, logs * w
        loss = loss * counts
    if smoothing:
        loss = (1 - smoothing) * loss - (smoothing / classes) * spread.sum(axis)
    if not kept.all():
        loss = where(kept, loss, 0.0)
    elif weight is None:
        return _reduced(loss, reduction)
    if reduction != "mean":
        return _reduced(loss, reduction)
    total = counts.sum()
    if not total.item():
        raise ValueError(f"{who}: no target is left to take the mean of, or none with a weight")
    return loss.sum() / total


def _class_weights(who: str, weight: Any, x: Tensor, axis: int) -> Tensor:
    """One weight a class, in the shape that multiplies logits."""
    w, classes = as_tensor(weight), x.shape[axis]
    if w.shape != (classes,):
        raise ValueError(f"{who}: weight has shape {w.shape}, expected ({classes},), one a class")
    return w.to(x.dtype).reshape((classes,) + (1,) * (x.ndim - axis - 1))


def _factor(who: str, name: str, given: Any, x: Tensor) -> Tensor:
    """A weight of elements, which must broadcast to the input's shape."""
    w = as_tensor(given)
    sides = zip(reversed(w.shape), reversed(x.shape), strict=False)
    if w.ndim > x.ndim or any(a not in (1, b) for a, b in sides):
        raise ValueError(f"{who}: {name} has shape {w.shape}, which does not stretch to {x.shape}")
    return w.to(x.dtype)
