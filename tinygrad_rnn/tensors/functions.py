"""Functions that users type as ``tg.*``: making tensors, and PyTorch's functions of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.devices import check_device
from ..engine.random import generator_or_default
from ..ops import elementwise as e
from ..ops import products, row, shapes
from .value import Tensor, _axis, _sizes, as_tensor

if TYPE_CHECKING:
    from numpy.random import Generator


# ---- making tensors ---------------------------------------------------------------------------


def _made(data: Any, dtype: Any, requires_grad: bool) -> Tensor:
    return Tensor._made(data, row.default_dtype if dtype is None else dtype, requires_grad)


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
    return _made(np.zeros(_sizes(sizes if size is None else (size,))), dtype, requires_grad)


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
    return _made(np.ones(_sizes(sizes if size is None else (size,))), dtype, requires_grad)


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
    value = Tensor._made(fill_value, dtype)
    return Tensor._made(np.full(_sizes((size,)), value._data), None, requires_grad)


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
    return _made(np.eye(n, m), dtype, requires_grad)


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
    values = np.arange(*(b.item() if isinstance(b, Tensor) else b for b in bounds))
    if dtype is None:
        dtype = row.default_dtype if values.dtype.kind == "f" else np.int64
    return Tensor._made(values, dtype, requires_grad)


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
        if isinstance(t, Tensor) and t.requires_grad:
            raise TypeError("linspace: the gradient of an end would be lost: detach() it")
        ends.append(t.item() if isinstance(t, Tensor) else t)
    return _made(np.linspace(ends[0], ends[1], steps), dtype, requires_grad)


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
    return _made(np.zeros(t.shape), dtype or t.dtype, requires_grad)


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
    return _made(np.ones(t.shape), dtype or t.dtype, requires_grad)


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
    return _made(
        generator_or_default(generator).normal(size=_sizes(sizes if size is None else (size,))),
        dtype,
        requires_grad,
    )


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
    return _made(
        generator_or_default(generator).random(_sizes(sizes if size is None else (size,))),
        dtype,
        requires_grad,
    )


def paired(op: Any, input: Any, other: Any) -> Tensor:
    """An op of two operands, of which either may be a Python number: it takes the other's dtype."""
    result: Tensor = op(input if isinstance(other, Tensor) else as_tensor(input), other)
    return result


# ---- elementwise -------------------------------------------------------------------------------


def abs(input: Any) -> Tensor:
    """|x|; the derivative at 0 is taken as 0.

    >>> import tinygrad_rnn as tg
    >>> tg.abs(tg.tensor([-2.0, 3.0]))
    tensor([2., 3.])
    """
    return as_tensor(input).abs()


def sqrt(input: Any) -> Tensor:
    """The square root.

    >>> import tinygrad_rnn as tg
    >>> tg.sqrt(tg.tensor(9.0)).item()
    3.0
    """
    return as_tensor(input).sqrt()


def exp(input: Any) -> Tensor:
    """e**x.

    >>> import tinygrad_rnn as tg
    >>> tg.exp(tg.tensor(0.0)).item()
    1.0
    """
    return as_tensor(input).exp()


def log(input: Any) -> Tensor:
    """The natural logarithm.

    >>> import tinygrad_rnn as tg
    >>> tg.log(tg.tensor(1.0)).item()
    0.0
    """
    return as_tensor(input).log()


def log1p(input: Any) -> Tensor:
    """log(1 + x), exact for small x.

    >>> import tinygrad_rnn as tg
    >>> tg.log1p(tg.tensor(0.0)).item()
    0.0
    """
    return as_tensor(input).log1p()


def expm1(input: Any) -> Tensor:
    """e**x - 1, exact for small x.

    >>> import tinygrad_rnn as tg
    >>> tg.expm1(tg.tensor(0.0)).item()
    0.0
    """
    return as_tensor(input).expm1()


def sin(input: Any) -> Tensor:
    """The sine of an angle in radians.

    >>> import tinygrad_rnn as tg
    >>> tg.sin(tg.tensor(0.0)).item()
    0.0
    """
    return as_tensor(input).sin()


def cos(input: Any) -> Tensor:
    """The cosine of an angle in radians.

    >>> import tinygrad_rnn as tg
    >>> tg.cos(tg.tensor(0.0)).item()
    1.0
    """
    return as_tensor(input).cos()


def square(input: Any) -> Tensor:
    """x * x.

    >>> import tinygrad_rnn as tg
    >>> tg.square(tg.tensor([-2.0, 3.0]))
    tensor([4., 9.])
    """
    return as_tensor(input).square()


def sign(input: Any) -> Tensor:
    """-1, 0 or 1; of NaN 0 (PyTorch's meaning; ``np.sign`` gives NaN). The derivative is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.sign(tg.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.,  0.,  1.])
    """
    return as_tensor(input).sign()


def tanh(input: Any) -> Tensor:
    """The hyperbolic tangent; dy/dx = 1 - y**2.

    >>> import tinygrad_rnn as tg
    >>> tg.tanh(tg.tensor(0.0)).item()
    0.0
    """
    return as_tensor(input).tanh()


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + exp(-x)), without overflow; dy/dx = y (1 - y).

    >>> import tinygrad_rnn as tg
    >>> tg.sigmoid(tg.tensor(0.0)).item()
    0.5
    """
    return as_tensor(input).sigmoid()


def relu(input: Any, inplace: bool = False) -> Tensor:
    """max(x, 0); the derivative at 0 is taken as 0. ``inplace`` writes and returns the input.

    >>> import tinygrad_rnn as tg
    >>> tg.relu(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    t = as_tensor(input)
    return t.relu_() if inplace else t.relu()


def pow(input: Any, exponent: Any) -> Tensor:
    """x ** exponent.

    >>> import tinygrad_rnn as tg
    >>> tg.pow(tg.tensor(3.0), 2).item()
    9.0
    """
    return paired(e.pow, input, exponent)


def maximum(input: Any, other: Any) -> Tensor:
    """The larger of two, elementwise; a tie shares the gradient evenly.

    >>> import tinygrad_rnn as tg
    >>> tg.maximum(tg.tensor([1.0, 4.0]), tg.tensor([3.0, 2.0]))
    tensor([3., 4.])
    """
    return paired(e.maximum, input, other)


def minimum(input: Any, other: Any) -> Tensor:
    """The smaller of two, elementwise; a tie shares the gradient evenly.

    >>> import tinygrad_rnn as tg
    >>> tg.minimum(tg.tensor([1.0, 4.0]), tg.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return paired(e.minimum, input, other)


def clip(input: Any, min: Any = None, max: Any = None) -> Tensor:
    """Values below ``min`` or above ``max`` become those; PyTorch's ``clamp``.

    >>> import tinygrad_rnn as tg
    >>> tg.clip(tg.tensor([-2.0, 0.5, 2.0]), -1.0, 1.0)
    tensor([-1. ,  0.5,  1. ])
    """
    return as_tensor(input).clip(min, max)


clamp = clip


def where(condition: Any, input: Any = None, other: Any = None) -> Tensor:
    """``input`` where the condition holds, ``other`` elsewhere.

    Of a condition alone its places, a vector an axis: ``nonzero(as_tuple=True)``.

    >>> import tinygrad_rnn as tg
    >>> tg.where(tg.tensor([True, False]), 1.0, 2.0)
    tensor([1., 2.])
    """
    if input is None or other is None:
        if input is not other:
            raise TypeError("where takes a condition alone, or a condition, input and other")
        places: Any = as_tensor(condition).nonzero(as_tuple=True)
        return places  # type: ignore[no-any-return]
    return e.where(as_tensor(condition).bool(), input, other)


# ---- reductions --------------------------------------------------------------------------------


def sum(input: Any, dim: Any = None, keepdim: bool = False, **names: Any) -> Tensor:
    """The sum over some axes, or over all.

    >>> import tinygrad_rnn as tg
    >>> tg.sum(tg.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    return as_tensor(input, names.pop("dtype", None)).sum(dim, keepdim, **names)


def mean(input: Any, dim: Any = None, keepdim: bool = False, **names: Any) -> Tensor:
    """The mean over some axes, or over all.

    >>> import tinygrad_rnn as tg
    >>> tg.mean(tg.tensor([1.0, 3.0])).item()
    2.0
    """
    return as_tensor(input, names.pop("dtype", None)).mean(dim, keepdim, **names)


def var(
    input: Any, dim: Any = None, correction: Any = 1, keepdim: bool = False, **names: Any
) -> Tensor:
    """The variance, divided by n - ``correction``.

    >>> import tinygrad_rnn as tg
    >>> tg.var(tg.tensor([1.0, 3.0])).item()
    2.0
    """
    return as_tensor(input).var(dim, correction, keepdim, **names)


def std(
    input: Any, dim: Any = None, correction: Any = 1, keepdim: bool = False, **names: Any
) -> Tensor:
    """The square root of ``var``; its gradient is 0 where it is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.std(tg.tensor([1.0, 2.0, 3.0])).item()
    1.0
    """
    return as_tensor(input).std(dim, correction, keepdim, **names)


def prod(input: Any, dim: Any = None, keepdim: bool = False, **names: Any) -> Tensor:
    """The product over some axes, or over all; the gradient is right where factors are 0.

    >>> import tinygrad_rnn as tg
    >>> tg.prod(tg.tensor([2.0, 3.0])).item()
    6.0
    """
    return as_tensor(input, names.pop("dtype", None)).prod(dim, keepdim, **names)


def cumsum(input: Any, dim: int, dtype: Any = None) -> Tensor:
    """The sums of the elements up to each one along ``dim``.

    >>> import tinygrad_rnn as tg
    >>> tg.cumsum(tg.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    return as_tensor(input, dtype).cumsum(dim)


def norm(input: Any, p: Any = 2, dim: Any = None, keepdim: bool = False, **names: Any) -> Tensor:
    """The p-norm of the elements, ``sum(|x|**p)**(1/p)``; see ``Tensor.norm``.

    >>> import tinygrad_rnn as tg
    >>> tg.norm(tg.tensor([3.0, -4.0])).item(), tg.norm(tg.tensor([3.0, -4.0]), 1).item()
    (5.0, 7.0)
    """
    return as_tensor(input).norm(p, dim, keepdim, **names)


def max(input: Any, dim: Any = None, keepdim: bool = False, **names: Any) -> Any:
    """The largest value, or along ``dim`` the pair (values, indices); ``maximum`` of two tensors.

    >>> import tinygrad_rnn as tg
    >>> tg.max(tg.tensor([[1.0, 3.0]]), dim=1).indices
    tensor([1])
    """
    return as_tensor(input).max(dim, keepdim, **names)


def min(input: Any, dim: Any = None, keepdim: bool = False, **names: Any) -> Any:
    """The smallest value, or along ``dim`` the pair (values, indices); ``minimum`` of two tensors.

    >>> import tinygrad_rnn as tg
    >>> tg.min(tg.tensor([2.0, 1.0])).item()
    1.0
    """
    return as_tensor(input).min(dim, keepdim, **names)


def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Tensor:
    """log(sum(exp(x))) along ``dim``, without overflow.

    >>> import tinygrad_rnn as tg
    >>> round(tg.logsumexp(tg.zeros(2), 0).item(), 4)
    0.6931
    """
    return as_tensor(input).logsumexp(dim, keepdim)


def softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along ``dim``; without one PyTorch's choice: 0 of 0, 1 or 3 axes, else 1.

    >>> import tinygrad_rnn as tg
    >>> tg.softmax(tg.zeros(2), 0)
    tensor([0.5, 0.5])
    """
    x = as_tensor(input, dtype)
    return x.softmax(_usual_axis(x) if dim is None else dim)


def log_softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along ``dim``; without one PyTorch's choice, see ``softmax``.

    >>> import tinygrad_rnn as tg
    >>> tg.log_softmax(tg.zeros(2), 0)
    tensor([-0.6931, -0.6931])
    """
    x = as_tensor(input, dtype)
    return x.log_softmax(_usual_axis(x) if dim is None else dim)


def _usual_axis(x: Tensor) -> int:
    return 0 if x.ndim in (0, 1, 3) else 1


def argmax(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The index of the largest value, in all or along one axis.

    >>> import tinygrad_rnn as tg
    >>> tg.argmax(tg.tensor([1.0, 3.0])).item()
    1
    """
    return as_tensor(input).argmax(dim, keepdim)


# ---- products and shapes -------------------------------------------------------------------------


def matmul(input: Any, other: Any) -> Tensor:
    """The matrix product, 1-d to batched n-d.

    >>> import tinygrad_rnn as tg
    >>> tg.matmul(tg.ones(2, 3), tg.ones(3)).shape
    (2,)
    """
    return products.matmul(as_tensor(input), other)


def dot(input: Any, other: Any) -> Tensor:
    """The sum of the products of two vectors of one length.

    Raises ValueError for other shapes (``np.dot`` means more).

    >>> import tinygrad_rnn as tg
    >>> tg.dot(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])).item()
    11.0
    """
    return as_tensor(input).dot(other)


def outer(input: Any, vec2: Any) -> Tensor:
    """Every element of a vector times every element of another: (n,), (m,) give (n, m).

    >>> import tinygrad_rnn as tg
    >>> tg.outer(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    return as_tensor(input).outer(vec2)


def einsum(equation: str, *operands: Any) -> Tensor:
    """Products of elements, summed over the axes whose letters the output does not have.

    ``"ij,jk->ik"`` is the matrix product; ``...`` stands for axes that broadcast; a letter twice in one
    term takes the diagonal; without ``->`` the output has the letters that occur once, in order.
    Operands may come as one list. Raises ValueError where equation and shapes do not fit.

    >>> import tinygrad_rnn as tg
    >>> tg.einsum("ij,kj->ik", tg.ones(2, 3), tg.ones(4, 3)).shape
    (2, 4)
    >>> tg.einsum("ii", tg.eye(3)).item()
    3.0
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise TypeError('einsum: the equation comes first, as text: einsum("ij,jk->ik", a, b)')
    parts = [as_tensor(t) for t in operands]
    terms, to = products.parsed(equation, [t.shape for t in parts])
    return products.einsum(*parts, terms, to)


def reshape(input: Any, shape: Any) -> Tensor:
    """The same values in another shape; one side may be -1.

    >>> import tinygrad_rnn as tg
    >>> tg.reshape(tg.ones(6), (2, -1)).shape
    (2, 3)
    """
    return as_tensor(input).reshape(shape)


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from ``start_dim`` to ``end_dim`` as one.

    >>> import tinygrad_rnn as tg
    >>> tg.flatten(tg.ones(2, 3)).shape
    (6,)
    """
    return as_tensor(input).flatten(start_dim, end_dim)


def transpose(input: Any, dim0: int, dim1: int) -> Tensor:
    """Two axes swapped (``np.transpose(t, axes)`` permutes all).

    >>> import tinygrad_rnn as tg
    >>> tg.transpose(tg.ones(2, 3), 0, 1).shape
    (3, 2)
    """
    return as_tensor(input).transpose(dim0, dim1)


swapaxes = swapdims = transpose


def permute(input: Any, dims: Sequence[int]) -> Tensor:
    """The axes in another order.

    >>> import tinygrad_rnn as tg
    >>> tg.permute(tg.ones(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return as_tensor(input).permute(*dims)


def squeeze(input: Any, dim: Any = None) -> Tensor:
    """Without axes of length 1: all of them, or those in ``dim``.

    >>> import tinygrad_rnn as tg
    >>> tg.squeeze(tg.ones(1, 3)).shape
    (3,)
    """
    return as_tensor(input).squeeze(dim)


def unsqueeze(input: Any, dim: int) -> Tensor:
    """With a new axis of length 1 at ``dim``.

    >>> import tinygrad_rnn as tg
    >>> tg.unsqueeze(tg.ones(3), 0).shape
    (1, 3)
    """
    return as_tensor(input).unsqueeze(dim)


def flip(input: Any, dims: Any) -> Tensor:
    """The order along some axes reversed.

    >>> import tinygrad_rnn as tg
    >>> tg.flip(tg.arange(3), [0])
    tensor([2, 1, 0])
    """
    return as_tensor(input).flip(dims)


def roll(input: Any, shifts: Any, dims: Any = None) -> Tensor:
    """The elements moved on along some axes, those at the end to the front; flattened without ``dims``.

    >>> import tinygrad_rnn as tg
    >>> tg.roll(tg.arange(4), 1)
    tensor([3, 0, 1, 2])
    """
    return as_tensor(input).roll(shifts, dims)


def tile(input: Any, dims: Any) -> Tensor:
    """The whole copied ``dims`` times along each axis (the last axes, where ``dims`` are fewer).

    >>> import tinygrad_rnn as tg
    >>> tg.tile(tg.arange(2), (2,))
    tensor([0, 1, 0, 1])
    """
    return as_tensor(input).tile(dims)


def broadcast_to(input: Any, shape: Sequence[int]) -> Tensor:
    """Stretched to ``shape`` by broadcasting; -1 leaves an axis as it is.

    >>> import tinygrad_rnn as tg
    >>> tg.broadcast_to(tg.ones(3), (2, 3)).shape
    (2, 3)
    """
    return as_tensor(input).broadcast_to(shape)


def stack(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis.

    >>> import tinygrad_rnn as tg
    >>> tg.stack([tg.zeros(3), tg.ones(3)]).shape
    (2, 3)
    """
    parts = [as_tensor(t) for t in tensors]
    if not parts:
        raise ValueError("stack needs at least one tensor")
    n = parts[0].ndim + 1
    if not -n <= dim < n:
        raise IndexError(f"stack: dim {dim} is out of range for tensors of shape {parts[0].shape}")
    return shapes.stack(*parts, dim % n)


def cat(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Tensors joined along an axis that they have.

    An empty tensor of shape (0,) joins with tensors of any shape and adds nothing, as in PyTorch.

    >>> import tinygrad_rnn as tg
    >>> tg.cat([tg.zeros(2), tg.ones(1)])
    tensor([0., 0., 1.])
    """
    parts = [as_tensor(t) for t in tensors]
    if not parts:
        raise ValueError("cat needs at least one tensor")
    if any(not t.ndim for t in parts):
        raise ValueError("cat cannot join 0-d tensors: use stack")
    model = next((t for t in parts if t.shape != (0,)), parts[0])
    axis = _axis(model, dim)
    if model.ndim > 1:
        empty = (*model.shape[:axis], 0, *model.shape[axis + 1 :])
        parts = [t.reshape(empty) if t.shape == (0,) else t for t in parts]
    offsets = shapes._offsets(tuple([t.shape[axis] if t.ndim > axis else 0 for t in parts]))
    return shapes.cat(*parts, axis, offsets)


concat = cat


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of a length, or of the lengths in a list, along ``dim``.

    >>> import tinygrad_rnn as tg
    >>> [part.shape for part in tg.split(tg.ones(5), 2)]
    [(2,), (2,), (1,)]
    """
    return as_tensor(tensor).split(split_size_or_sections, dim)


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """``chunks`` parts of equal length (the last may be shorter) along ``dim``.

    >>> import tinygrad_rnn as tg
    >>> [part.shape for part in tg.chunk(tg.ones(4, 6), 3, dim=-1)]
    [(4, 2), (4, 2), (4, 2)]
    """
    return as_tensor(input).chunk(chunks, dim)


def unbind(input: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along ``dim``, without that axis.

    >>> import tinygrad_rnn as tg
    >>> len(tg.unbind(tg.ones(3, 2)))
    3
    """
    return as_tensor(input).unbind(dim)


def gather(input: Any, dim: int, index: Any) -> Tensor:
    """``out[i][j] = x[index[i][j]][j]`` for dim 0, and so on.

    >>> import tinygrad_rnn as tg
    >>> tg.gather(tg.tensor([[1.0, 2.0]]), 1, tg.tensor([[1]]))
    tensor([[2.]])
    """
    return as_tensor(input).gather(dim, index)


def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Tensor:
    """As ``gather``, but the other axes broadcast and an index may count from the end.

    >>> import tinygrad_rnn as tg
    >>> tg.take_along_dim(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([[-1]]), 1)
    tensor([[2.],
            [4.]])
    """
    return as_tensor(input).take_along_dim(indices, dim)


def detach(state: Any) -> Any:
    """A tensor, or the tensors of a state of any nesting, cut from the graph; see ``Tensor.detach``.

    >>> import tinygrad_rnn as tg
    >>> h, (c,) = tg.detach((tg.ones(2), (tg.zeros(2),)))
    >>> h.requires_grad
    False
    """
    if isinstance(state, Tensor):
        return state.detach()
    if isinstance(state, dict):
        return {key: detach(part) for key, part in state.items()}
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(detach(part) for part in state))
    if isinstance(state, (tuple, list)):
        return type(state)(detach(part) for part in state)
    return state


def is_tensor(value: Any) -> bool:
    """Whether a value is a Tensor.

    >>> import tinygrad_rnn as tg
    >>> tg.is_tensor(tg.ones(1)), tg.is_tensor(1.0)
    (True, False)
    """
    return isinstance(value, Tensor)
