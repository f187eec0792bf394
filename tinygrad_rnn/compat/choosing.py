"""Which functions do PyTorch's scripts choose, draw and begin with? Mostly methods, called as functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.random import generator_or_default
from ..tensors import Tensor, as_tensor, get_default_dtype
from ..tensors.making import arange, linspace, randint, zeros
from .layers import cosine_similarity

__all__ = ["cosine_similarity"]


def narrow(input: Any, dim: int, start: Any, length: int) -> Tensor:
    """The slices ``start`` to ``start + length - 1`` along ``dim``, in the same memory.

    >>> import tinygrad_rnn as tg
    >>> tg.narrow(tg.arange(5), 0, 1, 2)
    tensor([1, 2])
    """
    return as_tensor(input).narrow(dim, start, length)


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """Where it is not 0: a row of indices an element, or with ``as_tuple`` a vector an axis.

    >>> import tinygrad_rnn as tg
    >>> tg.nonzero(tg.tensor([0.0, 2.0, 3.0]))
    tensor([[1],
            [2]])
    """
    return as_tensor(input).nonzero(as_tuple=as_tuple)


def masked_select(input: Any, mask: Any) -> Tensor:
    """The elements where the mask is true, as a vector; the two are broadcast to one shape.

    >>> import tinygrad_rnn as tg
    >>> tg.masked_select(tg.tensor([1.0, 2.0]), tg.tensor([False, True]))
    tensor([2.])
    """
    return as_tensor(input).masked_select(mask)


def bernoulli(input: Any, *, generator: Any = None) -> Tensor:
    """1 with the probability that each element says, else 0. Raises ValueError outside 0 to 1.

    >>> import tinygrad_rnn as tg
    >>> tg.bernoulli(tg.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    p = as_tensor(input)
    if not p.is_floating_point() or not bool(((p >= 0) & (p <= 1)).all()):
        raise ValueError("bernoulli takes probabilities, floats from 0 to 1")
    drawn = generator_or_default(generator).random(p.shape) < p._data
    return zeros(0, dtype=p.dtype).new_tensor(drawn)


def typename(obj: Any) -> str:
    """``tensor.type()``, and the name of the class of anything else.

    >>> import tinygrad_rnn as tg
    >>> tg.typename(tg.ones(1))
    'torch.FloatTensor'
    """
    if isinstance(obj, Tensor):
        return str(obj.type())
    return f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")


def asarray(obj: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of anything; see ``as_tensor``."""
    return as_tensor(obj, dtype)


def range(start: float, end: float | None = None, step: float = 1, **options: Any) -> Tensor:
    """start, start + step, ... up to ``end``, which is there too (PyTorch's old ``range``; see ``arange``).

    >>> import tinygrad_rnn as tg
    >>> tg.range(1, 3)
    tensor([1., 2., 3.])
    """
    first, last = (0, start) if end is None else (start, end)
    dtype = options.pop("dtype", None) or get_default_dtype()
    many = int(np.floor((last - first) / step)) + 1
    return arange(many, dtype=dtype, **options) * step + first


def logspace(start: float, end: float, steps: int, base: float = 10.0, **options: Any) -> Tensor:
    """``base`` to the powers from ``start`` to ``end``."""
    return base ** linspace(start, end, steps, **options)


def randint_like(input: Any, *bounds: int, **options: Any) -> Tensor:
    """Integers from low to high - 1 of another tensor's shape and dtype; see ``randint``."""
    t = as_tensor(input)
    bounds = bounds + tuple(options.pop(k) for k in ("low", "high") if k in options)
    return randint(*bounds, t.shape, **{"dtype": t.dtype, **options})
