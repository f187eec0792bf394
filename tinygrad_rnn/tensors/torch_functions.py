"""Functions that PyTorch's scripts call as ``torch.*`` and that mean the same here."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..engine.autograd import _SetRecording
from ..engine.devices import check_device
from ..engine.places import state
from ..engine.random import generator_or_default
from ..ops import elementwise as e
from .functions import paired
from .torch_names import Sorted
from .value import Tensor, _sizes, as_tensor, tensor


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
    drawn = generator_or_default(generator).integers(int(start), int(end), _sizes((shape,)))
    return Tensor._made(drawn, np.int64 if dtype is None else dtype)


def randperm(n: int, generator: Any = None, device: Any = None) -> Tensor:
    """The numbers 0 to n - 1 in random order.

    >>> import tinygrad_rnn as tg
    >>> tg.randperm(3).sort().values
    tensor([0, 1, 2])
    """
    check_device(device)
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
    return Tensor._made(generator_or_default(generator).normal(size=t.shape), dtype or t.dtype)


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
    return Tensor._made(generator_or_default(generator).random(t.shape), dtype or t.dtype)


def full_like(input: Any, fill_value: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """One value, of another tensor's shape and dtype.

    >>> import tinygrad_rnn as tg
    >>> tg.full_like(tg.ones(2), 3)
    tensor([3., 3.])
    """
    check_device(device)
    t = as_tensor(input)
    return Tensor._made(np.full(t.shape, fill_value), dtype or t.dtype)


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
    from .functions import zeros

    return zeros(*sizes, size=size, dtype=dtype, device=device, requires_grad=requires_grad)


def empty_like(input: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros of another tensor's shape and dtype, to be written.

    >>> import tinygrad_rnn as tg
    >>> tg.empty_like(tg.ones(2, 3)).shape
    (2, 3)
    """
    return full_like(input, 0, dtype, device)


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


def sort(
    input: Any, dim: int = -1, descending: bool = False, *, stable: builtins.bool = True
) -> Sorted:
    """The values in order along ``dim``, and where they were.

    >>> import tinygrad_rnn as tg
    >>> tg.sort(tg.tensor([1.0, 3.0, 2.0]), descending=True).values
    tensor([3., 2., 1.])
    """
    return as_tensor(input).sort(dim, descending)


def argsort(
    input: Any, dim: int = -1, descending: bool = False, *, stable: builtins.bool = True
) -> Tensor:
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


def round(input: Any, *, decimals: int = 0) -> Tensor:
    """The nearest number of so many ``decimals``, halves to the even one; the derivative is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.round(tg.tensor([0.5, 1.6]))
    tensor([0., 2.])
    """
    return as_tensor(input).round(decimals=decimals)


def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """``input + alpha * other``.

    >>> import tinygrad_rnn as tg
    >>> tg.add(tg.ones(2), tg.ones(2), alpha=3)
    tensor([4., 4.])
    """
    return paired(e.add, input, _times(other, alpha))


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """``input - alpha * other``.

    >>> import tinygrad_rnn as tg
    >>> tg.sub(tg.ones(2), tg.ones(2), alpha=3)
    tensor([-2., -2.])
    """
    return paired(e.sub, input, _times(other, alpha))


subtract = sub


def mul(input: Any, other: Any) -> Tensor:
    """The product, elementwise.

    >>> import tinygrad_rnn as tg
    >>> tg.mul(tg.tensor([1.0, 2.0]), 3.0)
    tensor([3., 6.])
    """
    return paired(e.mul, input, other)


multiply = mul


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """The quotient; ``rounding_mode`` "floor" or "trunc" gives whole numbers.

    >>> import tinygrad_rnn as tg
    >>> tg.div(tg.tensor([-7.0, 7.0]), 2.0, rounding_mode="trunc")
    tensor([-3.,  3.])
    """
    if rounding_mode is None:
        return paired(e.div, input, other)
    return as_tensor(input).div(other, rounding_mode=rounding_mode)


divide = true_divide = div


def neg(input: Any) -> Tensor:
    """-x.

    >>> import tinygrad_rnn as tg
    >>> tg.neg(tg.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return -as_tensor(input)


def amax(input: Any, dim: Any = None, keepdim: builtins.bool = False) -> Tensor:
    """The largest values over some axes; ties share the gradient evenly.

    >>> import tinygrad_rnn as tg
    >>> tg.amax(tg.tensor([[1.0, 3.0], [2.0, 0.0]]), 1)
    tensor([3., 2.])
    """
    return as_tensor(input).amax(dim, keepdim)


def amin(input: Any, dim: Any = None, keepdim: builtins.bool = False) -> Tensor:
    """The smallest values over some axes; ties share the gradient evenly.

    >>> import tinygrad_rnn as tg
    >>> tg.amin(tg.tensor([[1.0, 3.0], [2.0, 0.0]]), 1)
    tensor([1., 0.])
    """
    return as_tensor(input).amin(dim, keepdim)


def lerp(input: Any, end: Any, weight: Any) -> Tensor:
    """``input + weight * (end - input)``: the point that divides the way to ``end``.

    >>> import tinygrad_rnn as tg
    >>> tg.lerp(tg.zeros(2), tg.ones(2), 0.25)
    tensor([0.25, 0.25])
    """
    start = input if isinstance(end, Tensor) else as_tensor(input)
    result: Tensor = start + weight * (end - start)
    return result


def erf(input: Any) -> Tensor:
    """The error function; the derivative is 2 / sqrt(pi) exp(-x**2).

    >>> import tinygrad_rnn as tg
    >>> tg.erf(tg.tensor([0.5, 0.0]))
    tensor([0.5205, 0.    ])
    """
    return as_tensor(input).erf()


def atan2(input: Any, other: Any) -> Tensor:
    """The angle of the point (``other``, ``input``), from -pi to pi; at the origin its slopes are taken as 0.

    >>> import tinygrad_rnn as tg
    >>> tg.atan2(tg.tensor([1.0, 0.0]), tg.tensor([1.0, -1.0]))
    tensor([0.7854, 3.1416])
    """
    return paired(e.atan2, input, other)


arctan2 = atan2


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (mat1 @ mat2)``: (n, m), (m, p) and what broadcasts to (n, p).

    >>> import tinygrad_rnn as tg
    >>> tg.addmm(tg.ones(2), tg.ones(1, 3), tg.ones(3, 2))
    tensor([[4., 4.]])
    """
    return as_tensor(input).addmm(mat1, mat2, beta=beta, alpha=alpha)


def mv(input: Any, vec: Any) -> Tensor:
    """The product of a matrix and a vector: (n, m), (m,) give (n,). Raises ValueError for other shapes.

    >>> import tinygrad_rnn as tg
    >>> tg.mv(tg.ones(2, 3), tg.ones(3))
    tensor([3., 3.])
    """
    return as_tensor(input).mv(as_tensor(vec))


def nan_to_num(
    input: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """NaN, inf and -inf replaced, by 0 and the largest and smallest number unless given.

    >>> import tinygrad_rnn as tg
    >>> tg.nan_to_num(tg.tensor([tg.nan, tg.inf, 2.0]), posinf=9.0)
    tensor([0., 9., 2.])
    """
    return as_tensor(input).nan_to_num(nan, posinf, neginf)


def logical_and(input: Any, other: Any) -> Tensor:
    """Where both are true (not 0).

    >>> import tinygrad_rnn as tg
    >>> tg.logical_and(tg.tensor([1.0, 0.0]), tg.tensor([2.0, 2.0]))
    tensor([ True, False])
    """
    return as_tensor(input).logical_and(other)


def logical_or(input: Any, other: Any) -> Tensor:
    """Where one is true (not 0).

    >>> import tinygrad_rnn as tg
    >>> tg.logical_or(tg.tensor([1.0, 0.0]), tg.tensor([0.0, 0.0]))
    tensor([ True, False])
    """
    return as_tensor(input).logical_or(other)


def logical_xor(input: Any, other: Any) -> Tensor:
    """Where exactly one is true (not 0).

    >>> import tinygrad_rnn as tg
    >>> tg.logical_xor(tg.tensor([1.0, 0.0]), tg.tensor([2.0, 2.0]))
    tensor([False,  True])
    """
    return as_tensor(input).logical_xor(other)


def logical_not(input: Any) -> Tensor:
    """Where it is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.logical_not(tg.tensor([1.0, 0.0]))
    tensor([False,  True])
    """
    return as_tensor(input).logical_not()


def ravel(input: Any) -> Tensor:
    """All elements as one axis.

    >>> import tinygrad_rnn as tg
    >>> tg.ravel(tg.ones(2, 3)).shape
    (6,)
    """
    return as_tensor(input).ravel()


def tril(input: Any, diagonal: int = 0) -> Tensor:
    """The lower triangle of matrices (..., n, m), 0 above; ``diagonal`` counts upwards from the main one.

    >>> import tinygrad_rnn as tg
    >>> tg.tril(tg.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return as_tensor(input).tril(diagonal)


def triu(input: Any, diagonal: int = 0) -> Tensor:
    """The upper triangle of matrices (..., n, m), 0 below; see ``tril``.

    >>> import tinygrad_rnn as tg
    >>> tg.triu(tg.ones(2, 2), 1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return as_tensor(input).triu(diagonal)


def cumprod(input: Any, dim: int, dtype: Any = None) -> Tensor:
    """The products of the elements up to each one along ``dim``; the gradient is right where some are 0.

    >>> import tinygrad_rnn as tg
    >>> tg.cumprod(tg.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 2., 6.])
    """
    return as_tensor(input, dtype).cumprod(dim)


def cummax(input: Any, dim: int) -> Sorted:
    """The largest value up to each element along ``dim``, and where it was (last, of equal ones).

    >>> import tinygrad_rnn as tg
    >>> tg.cummax(tg.tensor([2.0, 1.0, 3.0]), 0).values
    tensor([2., 2., 3.])
    """
    return as_tensor(input).cummax(dim)


def cummin(input: Any, dim: int) -> Sorted:
    """The smallest value up to each element along ``dim``, and where it was; see ``cummax``.

    >>> import tinygrad_rnn as tg
    >>> tg.cummin(tg.tensor([2.0, 1.0, 3.0]), 0).values
    tensor([2., 1., 1.])
    """
    return as_tensor(input).cummin(dim)


def median(input: Any, dim: Any = None, keepdim: builtins.bool = False) -> Any:
    """The middle value, the lower of two; along ``dim`` a pair (values, indices). See ``Tensor.median``.

    >>> import tinygrad_rnn as tg
    >>> tg.median(tg.tensor([4.0, 1.0, 2.0, 3.0])).item()
    2.0
    """
    return as_tensor(input).median(dim, keepdim)


def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """The differences of neighbours along ``dim``, ``n`` times over.

    >>> import tinygrad_rnn as tg
    >>> tg.diff(tg.tensor([1.0, 3.0, 4.0]))
    tensor([2., 1.])
    """
    return as_tensor(input).diff(n, dim, prepend, append)


def scatter(input: Any, dim: int, index: Any, src: Any = None, **options: Any) -> Tensor:
    """``out[index[i][j]][j] = src[i][j]`` for dim 0, and so on; see ``Tensor.scatter``.

    >>> import tinygrad_rnn as tg
    >>> tg.scatter(tg.zeros(3), 0, tg.tensor([2, 0]), tg.tensor([5.0, 7.0]))
    tensor([7., 0., 5.])
    """
    return as_tensor(input).scatter(dim, index, src, **options)


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Tensor:
    """``out[index[i][j]][j] += src[i][j]`` for dim 0, and so on; all that go to one place are added.

    >>> import tinygrad_rnn as tg
    >>> tg.scatter_add(tg.zeros(3), 0, tg.tensor([2, 2]), tg.tensor([5.0, 7.0]))
    tensor([ 0.,  0., 12.])
    """
    return as_tensor(input).scatter_add(dim, index, src)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Vectors (n,), (m,), ... as coordinates of a grid: each of shape (n, m, ...), with "xy" (m, n, ...).

    >>> import tinygrad_rnn as tg
    >>> tg.meshgrid(tg.arange(2), tg.arange(3))[1]
    tensor([[0, 1, 2],
            [0, 1, 2]])
    """
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing is 'ij' or 'xy', not {indexing!r}")
    vectors = [as_tensor(t).reshape(-1) for t in tensors]
    if builtins.any(as_tensor(t).ndim > 1 for t in tensors):
        raise ValueError(f"meshgrid takes vectors, not shapes {[np.shape(t) for t in tensors]}")
    places = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        places[:2] = 1, 0
    sides = [1] * len(vectors)
    for vector, place in zip(vectors, places, strict=True):
        sides[place] = len(vector)
    shape = [[-1 if i == place else 1 for i in range(len(sides))] for place in places]
    return tuple(v.reshape(own).expand(sides) for v, own in zip(vectors, shape, strict=True))


def unique(
    input: Any,
    sorted: builtins.bool = True,
    return_inverse: builtins.bool = False,
    return_counts: builtins.bool = False,
    dim: Any = None,
) -> Any:
    """The different values in order, and on demand which each is, and how many; see ``Tensor.unique``.

    >>> import tinygrad_rnn as tg
    >>> tg.unique(tg.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    return as_tensor(input).unique(sorted, return_inverse, return_counts, dim)


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 occurs in a vector, or the sums of their ``weights``.

    >>> import tinygrad_rnn as tg
    >>> tg.bincount(tg.tensor([2, 0, 2]))
    tensor([1, 0, 2])
    """
    return as_tensor(input).bincount(weights, minlength)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor with a copy of what another library offers by ``__dlpack__``.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> tg.from_dlpack(np.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    return Tensor._made(np.from_dlpack(ext_tensor))


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


def _times(other: Any, alpha: float) -> Any:
    if alpha == 1:
        return other
    return (other if isinstance(other, (int, float)) else as_tensor(other)) * alpha


def _float() -> Any:
    from .value import get_default_dtype

    return get_default_dtype()
