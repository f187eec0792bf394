"""How else do PyTorch's scripts start weights? Cut off normals, sparse ones, a convolution's identity."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from ..engine.random import generator_or_default
from ..nn.init import _write
from ..tensors import Tensor


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> Tensor:
    """Values from N(mean, std**2) between ``a`` and ``b``. Raises ValueError where no part lies there.

    >>> import tinygrad_rnn as tg
    >>> bool((tg.nn.init.trunc_normal_(tg.zeros(50), std=9.0).abs() <= 2).all())
    True
    """
    standard = NormalDist()
    low, high = (standard.cdf((end - mean) / std) for end in (a, b))
    if not low < high:
        raise ValueError(f"trunc_normal_: no part of N({mean}, {std}**2) is from {a} to {b}")
    parts = generator_or_default(generator).uniform(low, high, tensor.shape)
    tiny = 1e-12  # the ends themselves have no finite place
    places = np.vectorize(standard.inv_cdf, otypes=[float])(np.clip(parts, tiny, 1 - tiny))
    return _write(tensor, np.clip(places * std + mean, a, b), "trunc_normal_")


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Values from N(0, std**2), the part ``sparsity`` of each column of a matrix 0 (Martens 2010)."""
    if tensor.ndim != 2:
        raise ValueError(f"sparse_ takes a matrix, not shape {tensor.shape}")
    rng = generator_or_default(generator)
    values = rng.normal(0, std, tensor.shape)
    many = int(np.ceil(sparsity * tensor.shape[0]))
    for column in range(tensor.shape[1]):
        values[rng.permutation(tensor.shape[0])[:many], column] = 0
    return _write(tensor, values, "sparse_")


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution's weight that keeps its input: 1 in the kernel's middle, from channel k to channel k."""
    if tensor.ndim not in (3, 4, 5) or tensor.shape[0] % groups:
        raise ValueError(f"dirac_ takes a convolution's weight, not shape {tensor.shape}")
    values = np.zeros(tensor.shape)
    middle = tuple(side // 2 for side in tensor.shape[2:])
    out = tensor.shape[0] // groups
    for group in range(groups):
        for k in range(min(out, tensor.shape[1])):
            values[(group * out + k, k, *middle)] = 1
    return _write(tensor, values, "dirac_")
