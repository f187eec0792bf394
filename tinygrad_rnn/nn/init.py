"""How parameters start. Each function writes a tensor in place and returns it.

Randomness comes from ``generator`` (a ``numpy.random.Generator``), by default the one that
``tinygrad_rnn.manual_seed`` sets.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import no_grad
from ..random import generator_or_default
from ..tensors import Tensor

if TYPE_CHECKING:
    from numpy.random import Generator


def _write(tensor: Tensor, values: Any, by: str) -> Tensor:
    with no_grad():
        return tensor.copy_(values, by=f"nn.init.{by}")


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every value ``val``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.constant_(tg.zeros(2), 3.0)
    tensor([3., 3.])
    """
    return _write(tensor, val, "constant_")


def zeros_(tensor: Tensor) -> Tensor:
    """Every value 0.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.zeros_(tg.ones(2))
    tensor([0., 0.])
    """
    return _write(tensor, 0.0, "zeros_")


def ones_(tensor: Tensor) -> Tensor:
    """Every value 1.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.ones_(tg.zeros(2))
    tensor([1., 1.])
    """
    return _write(tensor, 1.0, "ones_")


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Values from U(a, b).

    >>> import tinygrad_rnn as tg
    >>> t = tg.nn.init.uniform_(tg.zeros(100), -2.0, 2.0)
    >>> bool((t.abs() <= 2).all())
    True
    """
    return _write(tensor, generator_or_default(generator).uniform(a, b, tensor.shape), "uniform_")


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Values from N(mean, std squared).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.normal_(tg.zeros(2, 3)).shape
    (2, 3)
    """
    return _write(
        tensor, generator_or_default(generator).normal(mean, std, tensor.shape), "normal_"
    )


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    >>> import tinygrad_rnn as tg
    >>> t = tg.nn.init.xavier_uniform_(tg.zeros(3, 3))
    >>> bool((t.abs() <= 1).all())
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"xavier_uniform_ needs at least 2 axes, got shape {tensor.shape}")
    area = math.prod(tensor.shape[2:])
    bound = gain * math.sqrt(6 / ((tensor.shape[0] + tensor.shape[1]) * area))
    values = generator_or_default(generator).uniform(-bound, bound, tensor.shape)
    return _write(tensor, values, "xavier_uniform_")


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """A matrix with orthonormal rows or columns, times ``gain`` (Saxe, McClelland & Ganguli 2014).

    The Q of the QR decomposition of a normal matrix, with the signs that make it uniform.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> q = tg.nn.init.orthogonal_(tg.zeros(3, 3, dtype=tg.float64))
    >>> bool(np.allclose(q.numpy() @ q.numpy().T, np.eye(3)))
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs at least 2 axes, got shape {tensor.shape}")
    return _write(tensor, gain * _orthogonal(tensor.shape, generator), "orthogonal_")


def _orthogonal(shape: tuple[int, ...], generator: Generator | None) -> Any:
    rows, columns = shape[0], math.prod(shape[1:])
    normal = generator_or_default(generator).normal(size=(rows, columns))
    q, r = np.linalg.qr(normal if rows >= columns else normal.T)
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


def recurrent_(weight: Tensor, gates: int, generator: Generator | None = None) -> Tensor:
    """A recurrent weight (gates * H, H): each gate's (H, H) block orthogonal on its own.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.recurrent_(tg.zeros(8, 2), gates=4).shape
    (8, 2)
    """
    side = (weight.shape[0] // gates, weight.shape[1])
    blocks = [_orthogonal(side, generator) for _ in range(gates)]
    return _write(weight, np.concatenate(blocks), "recurrent_")
