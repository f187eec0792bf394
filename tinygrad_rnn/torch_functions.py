"""Functions that PyTorch's scripts call as ``torch.*`` and that mean the same here."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from .autograd import _SetRecording, state
from .random import generator_or_default
from .tensors import Tensor, _sizes, as_tensor, tensor
from .torch_names import Sorted


def randint(*bounds_and_size: Any, generator: Any = None, dtype: Any = None) -> Tensor:
    """Integers from low to high - 1: ``randint(high, size)`` or ``randint(low, high, size)``.

    >>> import tinygrad_rnn as tg
    >>> x = tg.randint(3, 7, (2, 5)); x.shape, bool((x >= 3).all() and (x < 7).all())
    ((2, 5), True)
    """
    *bounds, size = bounds_and_size
    low, high = (0, *bounds) if len(bounds) == 1 else bounds
    drawn = generator_or_default(generator).integers(int(low), int(high), _sizes((size,)))
    return Tensor._made(drawn, np.int64 if dtype is None else dtype)


def randperm(n: int, generator: Any = None) -> Tensor:
    """The numbers 0 to n - 1 in random order.

    >>> import tinygrad_rnn as tg
    >>> tg.randperm(3).sort().values
    tensor([0, 1, 2])
    """
    return Tensor._made(generator_or_default(generator).permutation(n))


def normal(mean: Any, std: Any, size: Any = None, generator: Any = None) -> Tensor:
    """Values from N(mean, std**2), of a shape or of the shape of ``mean`` and ``std``.

    >>> import tinygrad_rnn as tg
    >>> tg.normal(0.0, 1.0, (2, 3)).shape
    (2, 3)
    """
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std)) if size is None else _sizes((size,))
    drawn: Any = generator_or_default(generator).normal(size=shape)
    return tensor(drawn, dtype=_float()) * as_tensor(std) + as_tensor(mean)


def randn_like(input: Any, generator: Any = None) -> Tensor:
    """Values from N(0, 1) of another tensor's shape and dtype.

    >>> import tinygrad_rnn as tg
    >>> tg.randn_like(tg.ones(2, 3)).shape
    (2, 3)
    """
    t = as_tensor(input)
    return Tensor._made(generator_or_default(generator).normal(size=t.shape), t.dtype)


def rand_like(input: Any, generator: Any = None) -> Tensor:
    """Values from U(0, 1) of another tensor's shape and dtype.

    >>> import tinygrad_rnn as tg
    >>> tg.rand_like(tg.ones(2, 3)).shape
    (2, 3)
    """
    t = as_tensor(input)
    return Tensor._made(generator_or_default(generator).random(t.shape), t.dtype)


def full_like(input: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """One value, of another tensor's shape and dtype.

    >>> import tinygrad_rnn as tg
    >>> tg.full_like(tg.ones(2), 3)
    tensor([3., 3.])
    """
    t = as_tensor(input)
    return Tensor._made(np.full(t.shape, fill_value), dtype or t.dtype)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros, to be written (PyTorch's hold whatever lay there).

    >>> import tinygrad_rnn as tg
    >>> tg.empty(2, 3).shape
    (2, 3)
    """
    from .functions import zeros

    return zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)


def empty_like(input: Any, dtype: Any = None) -> Tensor:
    """Zeros of another tensor's shape and dtype, to be written.

    >>> import tinygrad_rnn as tg
    >>> tg.empty_like(tg.ones(2, 3)).shape
    (2, 3)
    """
    return full_like(input, 0, dtype)


def multinomial(
    input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None
) -> Tensor:
    """Indices drawn with the weights in each row; see ``Tensor.multinomial``.

    >>> import tinygrad_rnn as tg
    >>> tg.multinomial(tg.tensor([0.0, 1.0]), 1)
    tensor([1])
    """
    return as_tensor(input).multinomial(num_samples, replacement, generator=generator)


def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Sorted:
    """The k largest (or smallest) values along ``dim``, and where they were.

    >>> import tinygrad_rnn as tg
    >>> tg.topk(tg.tensor([1.0, 3.0, 2.0]), 2).indices
    tensor([1, 2])
    """
    return as_tensor(input).topk(k, dim, largest)


def sort(input: Any, dim: int = -1, descending: bool = False) -> Sorted:
    """The values in order along ``dim``, and where they were.

    >>> import tinygrad_rnn as tg
    >>> tg.sort(tg.tensor([1.0, 3.0, 2.0]), descending=True).values
    tensor([3., 2., 1.])
    """
    return as_tensor(input).sort(dim, descending)


def argsort(input: Any, dim: int = -1, descending: bool = False) -> Tensor:
    """The order that sorts along ``dim``.

    >>> import tinygrad_rnn as tg
    >>> tg.argsort(tg.tensor([1.0, 3.0, 2.0]))
    tensor([0, 2, 1])
    """
    return as_tensor(input).argsort(dim, descending)


def argmin(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest value, in all or along one axis.

    >>> import tinygrad_rnn as tg
    >>> tg.argmin(tg.tensor([1.0, 3.0])).item()
    0
    """
    return as_tensor(input).argmin(dim, keepdim)


def allclose(
    input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all values are within ``atol + rtol |other|``.

    >>> import tinygrad_rnn as tg
    >>> tg.allclose(tg.ones(2), tg.ones(2) + 1e-6)
    True
    """
    return as_tensor(input).allclose(other, rtol, atol, equal_nan)


def equal(input: Any, other: Any) -> bool:
    """Whether shape and all values are the same.

    >>> import tinygrad_rnn as tg
    >>> tg.equal(tg.ones(2), tg.ones(3))
    False
    """
    return as_tensor(input).equal(other)


def isnan(input: Any) -> Tensor:
    """Where values are NaN.

    >>> import tinygrad_rnn as tg
    >>> tg.isnan(tg.tensor([1.0, tg.nan]))
    tensor([False,  True])
    """
    return as_tensor(input).isnan()


def isinf(input: Any) -> Tensor:
    """Where values are infinite.

    >>> import tinygrad_rnn as tg
    >>> tg.isinf(tg.tensor([1.0, tg.inf]))
    tensor([False,  True])
    """
    return as_tensor(input).isinf()


def isfinite(input: Any) -> Tensor:
    """Where values are neither NaN nor infinite.

    >>> import tinygrad_rnn as tg
    >>> tg.isfinite(tg.tensor([1.0, tg.inf]))
    tensor([ True, False])
    """
    return as_tensor(input).isfinite()


def all(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether every value is true (not 0).

    >>> import tinygrad_rnn as tg
    >>> tg.all(tg.tensor([True, False])).item()
    False
    """
    return as_tensor(input).all(dim, keepdim)


def any(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether any value is true (not 0).

    >>> import tinygrad_rnn as tg
    >>> tg.any(tg.tensor([True, False])).item()
    True
    """
    return as_tensor(input).any(dim, keepdim)


def floor(input: Any) -> Tensor:
    """The whole number below; the derivative is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.floor(tg.tensor([-1.5, 1.5]))
    tensor([-2.,  1.])
    """
    return as_tensor(input).floor()


def ceil(input: Any) -> Tensor:
    """The whole number above; the derivative is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.ceil(tg.tensor([-1.5, 1.5]))
    tensor([-1.,  2.])
    """
    return as_tensor(input).ceil()


def round(input: Any) -> Tensor:
    """The nearest whole number, halves to the even one; the derivative is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.round(tg.tensor([0.5, 1.6]))
    tensor([0., 2.])
    """
    return as_tensor(input).round()


def numel(input: Any) -> int:
    """How many numbers a tensor holds.

    >>> import tinygrad_rnn as tg
    >>> tg.numel(tg.ones(2, 3))
    6
    """
    return as_tensor(input).numel()


def masked_fill(input: Any, mask: Any, value: Any) -> Tensor:
    """``value`` where the mask is true.

    >>> import tinygrad_rnn as tg
    >>> tg.masked_fill(tg.ones(2), tg.tensor([True, False]), 0.0)
    tensor([0., 1.])
    """
    return as_tensor(input).masked_fill(mask, value)


def index_select(input: Any, dim: int, index: Any) -> Tensor:
    """The slices along ``dim`` that a vector of integers names.

    >>> import tinygrad_rnn as tg
    >>> tg.index_select(tg.tensor([[1.0, 2.0, 3.0]]), 1, tg.tensor([2, 0]))
    tensor([[3., 1.]])
    """
    return as_tensor(input).index_select(dim, index)


def bmm(input: Any, mat2: Any) -> Tensor:
    """The matrix products of two batches: (b, n, m), (b, m, p) give (b, n, p).

    Raises ValueError for other shapes.

    >>> import tinygrad_rnn as tg
    >>> tg.bmm(tg.ones(2, 3, 4), tg.ones(2, 4, 5)).shape
    (2, 3, 5)
    """
    a, b = as_tensor(input), as_tensor(mat2)
    if a.ndim != 3 or b.ndim != 3 or a.shape[0] != b.shape[0]:
        raise ValueError(f"bmm takes (b, n, m) and (b, m, p), not {a.shape} and {b.shape}")
    return a @ b


def mm(input: Any, mat2: Any) -> Tensor:
    """The product of two matrices: (n, m), (m, p) give (n, p). Raises ValueError for other shapes.

    >>> import tinygrad_rnn as tg
    >>> tg.mm(tg.ones(2, 3), tg.ones(3, 4)).shape
    (2, 4)
    """
    a, b = as_tensor(input), as_tensor(mat2)
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"mm takes two matrices, not shapes {a.shape} and {b.shape}")
    return a @ b


class set_grad_enabled(_SetRecording):  # noqa: N801 (PyTorch's name)
    """Recording on or off, from now on, or inside a ``with``.

    >>> import tinygrad_rnn as tg
    >>> with tg.set_grad_enabled(False):
    ...     tg.is_grad_enabled()
    False
    """

    def __init__(self, mode: builtins.bool) -> None:
        super().__init__()
        self._first: list[builtins.bool] = [state.recording]
        self.value = mode  # type: ignore[misc]
        state.recording = mode

    def __enter__(self) -> None:
        before = self._first.pop() if self._first else state.recording
        self._before.append(before)
        state.recording = self.value


def _float() -> Any:
    from .tensors import get_default_dtype

    return get_default_dtype()
