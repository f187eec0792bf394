"""Methods that PyTorch's scripts call and that mean the same here; ``Tensor`` inherits them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from .autograd import state
from .devices import CPU, device, no_gpu
from .random import generator_or_default
from .writing import adopt, become, cut, data, write

if TYPE_CHECKING:
    from .tensors import Tensor


def _in_place(name: str) -> Callable[[Any], Tensor]:
    """The method that writes what the method ``name`` returns."""

    def method(self: Any) -> Tensor:
        return _tensor(become(self, getattr(self, name)(), f"{name}_"))

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"``{name}()`` in place; see ``copy_``."
    return method


class Sorted(NamedTuple):
    """What ``sort`` and ``topk`` return: the values and where they were found."""

    values: Tensor
    indices: Tensor


class TorchNames:
    """Names of PyTorch's ``Tensor`` beyond those that the engine itself needs."""

    __slots__ = ()

    # ---- where it lives

    @property
    def device(self: Any) -> device:
        """The CPU, always."""
        return CPU

    @property
    def is_cuda(self: Any) -> bool:
        """False, always."""
        return False

    def cpu(self: Any) -> Tensor:
        """Itself: tensors live on the CPU."""
        tensor: Tensor = self
        return tensor

    def cuda(self: Any, device: Any = None) -> NoReturn:
        """Raises RuntimeError: there is no GPU here."""
        no_gpu("cuda()")

    @property
    def data(self: Any) -> Tensor:
        """The values outside the graph, in the same memory: ``p.data[0].zero_()`` writes p, unrecorded.

        ``p.data = x`` lets p have the memory of x instead of its own.
        """
        return _tensor(data(self))

    @data.setter
    def data(self: Any, value: Any) -> None:
        from .tensors import as_tensor

        new = as_tensor(value)
        if new.shape != self.shape:
            raise ValueError(f"data has shape {new.shape}, expected {self.shape}")
        adopt(self, new, "data =")

    # ---- new tensors like it

    def new_zeros(self: Any, *size: Any) -> Tensor:
        """Zeros in another shape and this dtype."""
        return _like(self, np.zeros, size)

    def new_ones(self: Any, *size: Any) -> Tensor:
        """Ones in another shape and this dtype."""
        return _like(self, np.ones, size)

    def new_full(self: Any, size: Any, fill_value: Any) -> Tensor:
        """One value in another shape and this dtype."""
        return _like(self, lambda shape: np.full(shape, fill_value), (size,))

    def new_empty(self: Any, *size: Any) -> Tensor:
        """Zeros in another shape and this dtype, to be written."""
        return _like(self, np.zeros, size)

    def new_tensor(self: Any, data: Any) -> Tensor:
        """Other data in this dtype."""
        from .tensors import Tensor

        return Tensor._made(data, self.dtype)

    # ---- shapes

    def view_as(self: Any, other: Any) -> Tensor:
        """The values in the shape of another tensor."""
        return _tensor(self.reshape(other.shape))

    reshape_as = view_as

    def expand_as(self: Any, other: Any) -> Tensor:
        """Stretched to the shape of another tensor."""
        return _tensor(self.expand(other.shape))

    # ---- choosing

    def masked_fill(self: Any, mask: Any, value: Any) -> Tensor:
        """``value`` where the mask is true."""
        from .ops.elementwise import where
        from .tensors import as_tensor

        return where(as_tensor(mask).bool(), value, self)

    def index_select(self: Any, dim: Any, index: Any) -> Tensor:
        """The slices along ``dim`` that a vector of integers names."""
        from .tensors import _axis

        return _tensor(self[(*(slice(None),) * _axis(self, dim), index)])

    def argsort(self: Any, dim: Any = -1, descending: bool = False, stable: bool = True) -> Tensor:
        """The order that sorts along ``dim``; equal values keep theirs, NaN counts as largest."""
        return _tensor(_order(self, dim, descending))

    def sort(self: Any, dim: Any = -1, descending: bool = False, stable: bool = True) -> Sorted:
        """The values in order along ``dim``, and where they were; see ``argsort``."""
        order = _order(self, dim, descending)
        return Sorted(self.gather(dim, order) if self.ndim else self, order)

    def topk(self: Any, k: int, dim: Any = -1, largest: bool = True, sorted: bool = True) -> Sorted:
        """The k largest (or smallest) values along ``dim``, in order, and where they were."""
        n = self.shape[dim] if self.ndim else 1
        if not 0 <= k <= n:
            raise ValueError(f"topk: k={k} of {n} values along dim {dim}")
        order = _order(self, dim, largest)
        if not self.ndim:
            return Sorted(self, order)
        first = order.split([k, n - k], dim)[0]
        return Sorted(self.gather(dim, first), first)

    def multinomial(
        self: Any, num_samples: int, replacement: bool = False, *, generator: Any = None
    ) -> Tensor:
        """Indices drawn with the weights in each row, from ``generator`` or the library's.

        Raises ValueError for weights that are negative, not finite, all 0, or too few.
        """
        from .tensors import Tensor

        weights = np.asarray(self._data, np.float64)
        if not weights.ndim or weights.ndim > 2:
            raise ValueError(f"multinomial takes (classes,) or (rows, classes), not {self.shape}")
        rows, draw, found = np.atleast_2d(weights), generator_or_default(generator), []
        for row in rows:
            if not (np.isfinite(row).all() and (row >= 0).all() and row.sum() > 0):
                raise ValueError("multinomial: weights must be finite, not negative, and not all 0")
            if not replacement and num_samples > np.count_nonzero(row):
                raise ValueError(
                    f"multinomial: {num_samples} samples of {np.count_nonzero(row)} weights that are not "
                    "0: draw with replacement=True"
                )
            found.append(draw.choice(row.size, num_samples, replacement, row / row.sum()))
        indices = np.array(found, np.int64).reshape(len(rows), num_samples)
        return Tensor._made(indices[0] if weights.ndim == 1 else indices)

    # ---- comparing

    def eq(self: Any, other: Any) -> Tensor:
        """Where it equals another."""
        return _tensor(self == other)

    def ne(self: Any, other: Any) -> Tensor:
        """Where it differs from another."""
        return _tensor(self != other)

    def lt(self: Any, other: Any) -> Tensor:
        """Where it is less."""
        return _tensor(self < other)

    def le(self: Any, other: Any) -> Tensor:
        """Where it is at most that."""
        return _tensor(self <= other)

    def gt(self: Any, other: Any) -> Tensor:
        """Where it is greater."""
        return _tensor(self > other)

    def ge(self: Any, other: Any) -> Tensor:
        """Where it is at least that."""
        return _tensor(self >= other)

    def isinf(self: Any) -> Tensor:
        """Where values are infinite."""
        return _tensor(np.isinf(self))

    def equal(self: Any, other: Any) -> bool:
        """Whether shape and all values are the same."""
        return self.shape == other.shape and bool((self == other).all())

    def allclose(
        self: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> bool:
        """Whether all values are within ``atol + rtol |other|``."""
        return bool(np.allclose(self, other, rtol, atol, equal_nan))

    # ---- whole numbers

    def floor(self: Any) -> Tensor:
        """The whole number below; the derivative is 0."""
        return _whole(np.floor, self)

    def ceil(self: Any) -> Tensor:
        """The whole number above; the derivative is 0."""
        return _whole(np.ceil, self)

    def round(self: Any) -> Tensor:
        """The nearest whole number, halves to the even one; the derivative is 0."""
        return _whole(np.rint, self)

    def __mod__(self: Any, other: Any) -> Tensor:
        """a - b floor(a / b): the sign is the divisor's."""
        if self.is_floating_point() or getattr(other, "dtype", np.dtype(type(other))).kind == "f":
            return _tensor(self - (self / other).floor() * other)
        return _whole(np.mod, self, other)

    def __floordiv__(self: Any, other: Any) -> Tensor:
        """floor(a / b) of whole numbers; of floats the derivative is 0."""
        if self.is_floating_point() or getattr(other, "dtype", np.dtype(type(other))).kind == "f":
            return _tensor((self / other).floor())
        return _whole(np.floor_divide, self, other)

    # ---- writing in place: see ``copy_``

    def uniform_(self: Any, a: float = 0.0, b: float = 1.0, *, generator: Any = None) -> Tensor:
        """Write values from U(a, b); see ``copy_``."""
        drawn = generator_or_default(generator).uniform(a, b, self.shape)
        return _tensor(write(self, drawn, "uniform_"))

    def normal_(self: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
        """Write values from N(mean, std**2); see ``copy_``."""
        drawn = generator_or_default(generator).normal(mean, std, self.shape)
        return _tensor(write(self, drawn, "normal_"))

    def bernoulli_(self: Any, p: float = 0.5, *, generator: Any = None) -> Tensor:
        """Write 1 with the probability p, else 0; see ``copy_``."""
        drawn = generator_or_default(generator).random(self.shape) < p
        return _tensor(write(self, drawn, "bernoulli_"))

    def add_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """Add ``alpha * other`` in place; see ``copy_``."""
        return _tensor(become(self, self + (other if alpha == 1 else other * alpha), "add_"))

    def sub_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """Subtract ``alpha * other`` in place; see ``copy_``."""
        return _tensor(become(self, self - (other if alpha == 1 else other * alpha), "sub_"))

    def mul_(self: Any, other: Any) -> Tensor:
        """Multiply in place; see ``copy_``."""
        return _tensor(become(self, self * other, "mul_"))

    def div_(self: Any, other: Any) -> Tensor:
        """Divide in place; see ``copy_``."""
        return _tensor(become(self, self / other, "div_"))

    def pow_(self: Any, exponent: Any) -> Tensor:
        """Raise to a power in place; see ``copy_``."""
        return _tensor(become(self, self**exponent, "pow_"))

    def remainder_(self: Any, other: Any) -> Tensor:
        """The remainder of a division in place; see ``copy_``."""
        return _tensor(become(self, self % other, "remainder_"))

    def addcmul_(self: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
        """Add ``value * tensor1 * tensor2`` in place; see ``copy_``."""
        return _tensor(become(self, self + tensor1 * tensor2 * value, "addcmul_"))

    def addcdiv_(self: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
        """Add ``value * tensor1 / tensor2`` in place; see ``copy_``."""
        return _tensor(become(self, self + tensor1 / tensor2 * value, "addcdiv_"))

    def lerp_(self: Any, end: Any, weight: Any) -> Tensor:
        """Go the part ``weight`` of the way to ``end`` in place; see ``copy_``."""
        return _tensor(become(self, self + (end - self) * weight, "lerp_"))

    def clamp_(self: Any, min: Any = None, max: Any = None) -> Tensor:
        """Clip in place; see ``copy_``."""
        return _tensor(become(self, self.clip(min, max), "clamp_"))

    clip_ = clamp_
    abs_ = _in_place("abs")
    ceil_ = _in_place("ceil")
    cos_ = _in_place("cos")
    exp_ = _in_place("exp")
    expm1_ = _in_place("expm1")
    floor_ = _in_place("floor")
    log_ = _in_place("log")
    log1p_ = _in_place("log1p")
    neg_ = _in_place("neg")
    relu_ = _in_place("relu")
    round_ = _in_place("round")
    sigmoid_ = _in_place("sigmoid")
    sign_ = _in_place("sign")
    sin_ = _in_place("sin")
    sqrt_ = _in_place("sqrt")
    square_ = _in_place("square")
    tanh_ = _in_place("tanh")

    def detach_(self: Any) -> Tensor:
        """Cut this tensor from its graph. Raises RuntimeError for a leaf: requires_grad_(False) is meant."""
        if self.is_leaf and self.requires_grad:
            raise RuntimeError(
                "detach_: a leaf has no past: use requires_grad_(False), or detach()"
            )
        return _tensor(cut(self))

    def masked_fill_(self: Any, mask: Any, value: Any) -> Tensor:
        """Write ``value`` where the mask, which is broadcast, is true; see ``copy_``."""
        where = np.broadcast_to(np.asarray(mask).astype(bool), self.shape)
        return _tensor(write(self, value, "masked_fill_", where.copy()))

    def index_fill_(self: Any, dim: Any, index: Any, value: Any) -> Tensor:
        """Write ``value`` into the slices along ``dim`` that a vector names; see ``copy_``."""
        return _tensor(write(self, value, "index_fill_", _slices(self, dim, index)))

    def index_copy_(self: Any, dim: Any, index: Any, source: Any) -> Tensor:
        """Write the slices of ``source`` into those along ``dim`` that a vector names; see ``copy_``."""
        return _tensor(write(self, source, "index_copy_", _slices(self, dim, index)))

    def index_add_(self: Any, dim: Any, index: Any, source: Any, *, alpha: float = 1) -> Tensor:
        """Add the slices of ``source`` to those along ``dim`` that a vector names; see ``copy_``."""
        part = source if alpha == 1 else source * alpha
        return _tensor(become(self, self.at[_slices(self, dim, index)].add(part), "index_add_"))

    def scatter_(self: Any, dim: Any, index: Any, src: Any) -> Tensor:
        """``self[index[i][j]][j] = src[i][j]`` for dim 0, and so on, or a number; see ``copy_``."""
        grid, src = _grid(self, "scatter_", dim, index, src)
        return _tensor(write(self, src, "scatter_", grid))

    def scatter_add_(self: Any, dim: Any, index: Any, src: Any) -> Tensor:
        """``self[index[i][j]][j] += src[i][j]`` for dim 0, and so on; see ``copy_``."""
        grid, src = _grid(self, "scatter_add_", dim, index, src)
        return _tensor(become(self, self.at[grid].add(src), "scatter_add_"))

    def fill_diagonal_(self: Any, value: Any) -> Tensor:
        """Write ``value`` on the diagonal of a matrix; see ``copy_``."""
        if self.ndim != 2:
            raise ValueError(f"fill_diagonal_ takes a matrix, not shape {self.shape}")
        along = np.arange(min(self.shape))
        return _tensor(write(self, value, "fill_diagonal_", (along, along)))


# ---- what they share ------------------------------------------------------------------------------


def _tensor(value: Any) -> Tensor:
    tensor: Tensor = value
    return tensor


def _slices(tensor: Any, dim: Any, index: Any) -> tuple[Any, ...]:
    """The index of the slices along ``dim`` that a vector of integers names."""
    from .tensors import _axis, _integers

    return (*(slice(None),) * _axis(tensor, dim), _integers("the index", index).reshape(-1))


def _grid(tensor: Any, who: str, dim: Any, index: Any, src: Any) -> tuple[tuple[Any, ...], Any]:
    """Where ``scatter_`` puts things, and the things."""
    from .tensors import _axis, _integers, _within

    where, axis = _integers(who, index), _axis(tensor, dim)
    if where.ndim != tensor.ndim or not tensor.ndim:
        raise ValueError(f"{who}: index has {where.ndim} axes, the tensor {tensor.ndim}")
    sides = zip(where.shape, tensor.shape, strict=True)
    if any(k > n for i, (k, n) in enumerate(sides) if i != axis):
        raise ValueError(f"{who}: index of shape {where.shape} reaches beyond shape {tensor.shape}")
    _within(who, where, 0, tensor.shape[axis])
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in where.shape)])
    grid[axis] = where
    if getattr(src, "ndim", 0):
        if src.ndim != where.ndim or any(
            a < b for a, b in zip(src.shape, where.shape, strict=True)
        ):
            raise ValueError(f"{who}: src of shape {src.shape} does not cover {where.shape}")
        src = src[tuple(slice(n) for n in where.shape)]
    return tuple(grid), src


def _like(tensor: Any, make: Any, size: tuple[Any, ...]) -> Tensor:
    from .tensors import Tensor, _sizes

    return Tensor._made(make(_sizes(size)), tensor.dtype)


def _order(tensor: Any, dim: Any, descending: bool) -> Any:
    from .tensors import Tensor, _axis

    if state.tracer is not None:
        state.tracer.looks("sorting")
    if not tensor.ndim:
        return Tensor._made(np.array(0))
    axis = _axis(tensor, dim)
    if not descending:
        return Tensor._made(np.argsort(tensor._data, axis, kind="stable"))
    back = np.flip(tensor._data, axis)  # stable, and NaN first
    order = np.flip(np.argsort(back, axis, kind="stable"), axis)
    return Tensor._made(tensor.shape[axis] - 1 - order)


def _whole(function: Any, *operands: Any) -> Tensor:
    """A function with the derivative 0, of arrays: what a trace must hear of like a comparison."""
    from .tensors import Tensor

    arrays = [getattr(a, "_data", a) for a in operands]
    result = Tensor._wrap(np.asarray(function(*arrays)).astype(arrays[0].dtype, copy=False), None)
    if state.tracer is not None:
        state.tracer.compared(function.__name__, result, operands)
    return result


__all__ = ["Sorted", "TorchNames"]
