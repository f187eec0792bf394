"""How is a tensor made? Of data, of one value, of a range, of chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.devices import check_device
from ..engine.random import generator_or_default
from ..engine.values import Array
from ..ops import dtypes, watching
from .arrays import as_tensor, dtype_of, is_tensor, made
from .axes import sizes_of

if TYPE_CHECKING:
    from numpy.random import Generator

    from .value import Tensor

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "get_default_dtype",
    "linspace",
    "normal",
    "ones",
    "ones_like",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "randperm",
    "set_default_dtype",
    "tensor",
    "zeros",
    "zeros_like",
]


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of ``data``.

    Floats without a dtype of their own (Python numbers and lists) become the default float (float32, see
    ``set_default_dtype``), integers int64; arrays keep their dtype. ``requires_grad=True`` makes a leaf.
    Raises TypeError for what is no float16/32/64, integer or bool, and for a list of tensors that
    require a gradient, which would be lost.

    >>> import tinygrad_rnn as tg
    >>> tg.tensor([[1.0, 2.0]]).dtype, tg.tensor(3).dtype
    (dtype('float32'), dtype('int64'))
    """
    check_device(device)
    return watching.written_down(made(data, dtype, requires_grad), data)


def from_numpy(array: Array) -> Tensor:
    """A tensor with a copy of an array, in its dtype (PyTorch's would share the memory).

    >>> import numpy as np, tinygrad_rnn as tg
    >>> tg.from_numpy(np.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy takes an array, not {type(array).__name__}: use tensor()")
    return made(array)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor with a copy of what another library offers by ``__dlpack__``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> tg.from_dlpack(np.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    return made(np.from_dlpack(ext_tensor))


def set_default_dtype(dtype: Any) -> None:
    """The dtype that Python floats, lists of them and new parameters get: float32 unless set.

    >>> import tinygrad_rnn as tg
    >>> tg.set_default_dtype(tg.float64)
    >>> tg.tensor(1.0).dtype
    dtype('float64')
    >>> tg.set_default_dtype(tg.float32)
    """
    found = dtype_of(dtype)
    if found.kind != "f":
        raise TypeError(f"the default dtype must be a float, not {found}")
    dtypes.default_dtype = found


def get_default_dtype() -> np.dtype[Any]:
    """The dtype that Python floats get.

    >>> import tinygrad_rnn as tg
    >>> tg.get_default_dtype()
    dtype('float32')
    """
    found: np.dtype[Any] = dtypes.default_dtype
    return found


# ---- of one value, of a range ------------------------------------------------------------------


def zeros(
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of zeros: ``zeros(2, 3)`` or ``zeros((2, 3))``.

    >>> import tinygrad_rnn as tg
    >>> tg.zeros(2)
    tensor([0., 0.])
    """
    check_device(device)
    return _floats(np.zeros(sizes_of(sizes if size is None else (size,))), dtype, requires_grad)


def ones(
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ones: ``ones(2, 3)`` or ``ones((2, 3))``.

    >>> import tinygrad_rnn as tg
    >>> tg.ones(2)
    tensor([1., 1.])
    """
    check_device(device)
    return _floats(np.ones(sizes_of(sizes if size is None else (size,))), dtype, requires_grad)


def full(
    size: Any,
    fill_value: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor filled with one value, in the dtype that ``tensor(fill_value)`` would have.

    >>> import tinygrad_rnn as tg
    >>> tg.full((2,), 7.0)
    tensor([7., 7.])
    """
    check_device(device)
    value = made(fill_value, dtype)
    t = made(np.full(sizes_of((size,)), value._data), None, requires_grad)
    return watching.written_down(t, fill_value)


def empty(
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Zeros, to be written (PyTorch's hold whatever lay there).

    >>> import tinygrad_rnn as tg
    >>> tg.empty(2, 3).shape
    (2, 3)
    """
    return zeros(*sizes, size=size, dtype=dtype, device=device, requires_grad=requires_grad)


def eye(
    n: int,
    m: int | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The identity matrix of n rows (and m columns).

    >>> import tinygrad_rnn as tg
    >>> tg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_device(device)
    return _floats(np.eye(n, m), dtype, requires_grad)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... below ``end``; integers give int64, floats the default dtype.

    >>> import tinygrad_rnn as tg
    >>> tg.arange(3)
    tensor([0, 1, 2])
    """
    check_device(device)
    bounds = (0, start, step) if end is None else (start, end, step)
    values = np.arange(*(b.item() if is_tensor(b) else b for b in bounds))
    if dtype is None:
        dtype = dtypes.default_dtype if values.dtype.kind == "f" else np.int64
    return watching.written_down(made(values, dtype, requires_grad), bounds)


def linspace(
    start: Any,
    end: Any,
    steps: int,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` evenly spaced values from ``start`` to ``end``, both included.

    The ends are numbers, or 0-d tensors that require no gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    check_device(device)
    ends: list[Any] = []
    for t in (start, end):
        if is_tensor(t) and t.requires_grad:
            raise TypeError("linspace: the gradient of an end would be lost: detach() it")
        ends.append(t.item() if is_tensor(t) else t)
    return _floats(np.linspace(ends[0], ends[1], steps), dtype, requires_grad)


def zeros_like(
    input: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Zeros of the shape and dtype of another tensor.

    >>> import tinygrad_rnn as tg
    >>> tg.zeros_like(tg.ones(2, dtype=tg.float64)).dtype
    dtype('float64')
    """
    check_device(device)
    t = as_tensor(input)
    return _floats(np.zeros(t.shape), dtype or t.dtype, requires_grad)


def ones_like(
    input: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones of the shape and dtype of another tensor.

    >>> import tinygrad_rnn as tg
    >>> tg.ones_like(tg.zeros(2))
    tensor([1., 1.])
    """
    check_device(device)
    t = as_tensor(input)
    return _floats(np.ones(t.shape), dtype or t.dtype, requires_grad)


def full_like(input: Any, fill_value: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """One value, of another tensor's shape and dtype.

    >>> import tinygrad_rnn as tg
    >>> tg.full_like(tg.ones(2), 3)
    tensor([3., 3.])
    """
    check_device(device)
    t = as_tensor(input)
    return watching.written_down(made(np.full(t.shape, fill_value), dtype or t.dtype), fill_value)


def empty_like(input: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros of another tensor's shape and dtype, to be written.

    >>> import tinygrad_rnn as tg
    >>> tg.empty_like(tg.ones(2, 3)).shape
    (2, 3)
    """
    return full_like(input, 0, dtype, device)


# ---- of chance ---------------------------------------------------------------------------------


def randn(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Values from N(0, 1), drawn from ``generator`` or the one that ``manual_seed`` sets.

    >>> import tinygrad_rnn as tg
    >>> tg.randn(2, 3).shape
    (2, 3)
    """
    check_device(device)
    shape = sizes_of(sizes if size is None else (size,))
    return _floats(generator_or_default(generator).normal(size=shape), dtype, requires_grad)


def rand(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Values from U(0, 1), drawn from ``generator`` or the one that ``manual_seed`` sets.

    >>> import tinygrad_rnn as tg
    >>> tg.rand(2, 3).shape
    (2, 3)
    """
    check_device(device)
    shape = sizes_of(sizes if size is None else (size,))
    return _floats(generator_or_default(generator).random(shape), dtype, requires_grad)


def randint(
    *bounds_and_size: Any,
    low: Any = None,
    high: Any = None,
    size: Any = None,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Integers from low to high - 1: ``randint(high, size)`` or ``randint(low, high, size)``, or by name.

    >>> import tinygrad_rnn as tg
    >>> x = tg.randint(3, 7, (2, 5)); x.shape, bool((x >= 3).all() and (x < 7).all())
    ((2, 5), True)
    """
    check_device(device)
    *bounds, shape = (*bounds_and_size, size) if size is not None else bounds_and_size
    bounds = [*([] if low is None else [low]), *bounds, *([] if high is None else [high])]
    start, end = (0, *bounds) if len(bounds) == 1 else bounds
    drawn = generator_or_default(generator).integers(int(start), int(end), sizes_of((shape,)))
    return made(drawn, np.int64 if dtype is None else dtype)


def randperm(n: int, generator: Any = None, device: Any = None) -> Tensor:
    """The numbers 0 to n - 1 in random order.

    >>> import tinygrad_rnn as tg
    >>> tg.randperm(3).sort().values
    tensor([0, 1, 2])
    """
    check_device(device)
    return made(generator_or_default(generator).permutation(n))


def normal(mean: Any, std: Any, size: Any = None, generator: Any = None) -> Tensor:
    """Values from N(mean, std**2), of a shape or of the shape of ``mean`` and ``std``.

    >>> import tinygrad_rnn as tg
    >>> tg.normal(0.0, 1.0, (2, 3)).shape
    (2, 3)
    """
    shape = (
        np.broadcast_shapes(np.shape(mean), np.shape(std)) if size is None else sizes_of((size,))
    )
    drawn: Any = generator_or_default(generator).normal(size=shape)
    return tensor(drawn, dtype=dtypes.default_dtype) * as_tensor(std) + as_tensor(mean)


def randn_like(
    input: Any, generator: Any = None, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Values from N(0, 1) of another tensor's shape and dtype.

    >>> import tinygrad_rnn as tg
    >>> tg.randn_like(tg.ones(2, 3)).shape
    (2, 3)
    """
    check_device(device)
    t = as_tensor(input)
    return made(generator_or_default(generator).normal(size=t.shape), dtype or t.dtype)


def rand_like(
    input: Any, generator: Any = None, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Values from U(0, 1) of another tensor's shape and dtype.

    >>> import tinygrad_rnn as tg
    >>> tg.rand_like(tg.ones(2, 3)).shape
    (2, 3)
    """
    check_device(device)
    t = as_tensor(input)
    return made(generator_or_default(generator).random(t.shape), dtype or t.dtype)


def _floats(data: Any, dtype: Any, requires_grad: bool) -> Tensor:
    t = made(data, dtypes.default_dtype if dtype is None else dtype, requires_grad)
    return watching.written_down(t, data)
