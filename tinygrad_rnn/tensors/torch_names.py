"""Methods that PyTorch's scripts call and that mean the same here; ``Tensor`` inherits them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, SupportsIndex, overload

import numpy as np

from ..doors import method_for_scripts
from ..engine.devices import CPU, check_device, device, no_gpu
from ..engine.folded import by_itself
from ..engine.hooks import Hook
from ..engine.places import state
from ..engine.random import generator_or_default
from .writing import adopt, become, cut, data, turn, write

if TYPE_CHECKING:
    from .value import Tensor


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


class Size(tuple[int, ...]):
    """What ``shape`` and ``size()`` are: a tuple that constructors take for a shape, ``Tensor(x.shape)``.

    >>> import tinygrad_rnn as tg
    >>> tg.ones(2, 3).size()[1:].numel()
    3
    """

    __slots__ = ()

    def numel(self) -> int:
        """How many numbers a tensor of this shape holds."""
        return math.prod(self)

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    @overload
    def __getitem__(self, index: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Size: ...
    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found


class TorchNames:
    """Names of PyTorch's ``Tensor`` beyond those that the engine itself needs."""

    __slots__ = ()

    def __getattr__(self: Any, name: str) -> Any:
        """What PyTorch's scripts alone call, imported when they do."""
        return method_for_scripts("tensors.Tensor", self, name)

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
        from .value import as_tensor

        new = as_tensor(value)
        if new.shape != self.shape:
            raise ValueError(f"data has shape {new.shape}, expected {self.shape}")
        adopt(self, new, "data =")

    # ---- new tensors like it

    def new_zeros(self: Any, *size: Any, **options: Any) -> Tensor:
        """Zeros in another shape and this dtype, unless ``dtype`` is given."""
        return _like(self, np.zeros, size, **options)

    def new_ones(self: Any, *size: Any, **options: Any) -> Tensor:
        """Ones in another shape and this dtype, unless ``dtype`` is given."""
        return _like(self, np.ones, size, **options)

    def new_full(self: Any, size: Any, fill_value: Any, **options: Any) -> Tensor:
        """One value in another shape and this dtype, unless ``dtype`` is given."""
        return _like(self, lambda shape: np.full(shape, fill_value), (size,), **options)

    def new_empty(self: Any, *size: Any, **options: Any) -> Tensor:
        """Zeros in another shape and this dtype, unless ``dtype`` is given, to be written."""
        return _like(self, np.zeros, size, **options)

    def new_tensor(self: Any, data: Any) -> Tensor:
        """Other data in this dtype."""
        from .value import Tensor

        return Tensor._made(data, self.dtype)

    def new(self: Any, *data: Any, device: Any = None) -> Tensor:
        """What ``LongTensor(*data)`` and its like make, of this dtype: zeros of these sizes, or this data."""
        from ..doors import typed

        check_device(device)
        made: Tensor = typed("made")("new", self.dtype, data)
        return made

    def type(self: Any, dtype: Any = None, non_blocking: bool = False) -> Any:
        """In another dtype, which may be ``LongTensor`` or "torch.LongTensor"; without one, that name."""
        from ..doors import typed

        return typed("named")(self) if dtype is None else self.to(typed("dtype_of")(dtype))

    def byte(self: Any) -> Tensor:
        """In uint8."""
        return _tensor(self.to(np.uint8))

    @property
    def grad_fn(self: Any) -> Any:
        """The node of the recorded op that made this tensor; None of a leaf."""
        return None if self.is_leaf else self._node

    # ---- shapes

    def narrow(self: Any, dim: Any, start: Any, length: Any) -> Tensor:
        """The slices ``start`` to ``start + length - 1`` along ``dim``, in the same memory."""
        from .value import _axis

        if not self.ndim:
            raise IndexError("narrow: a 0-d tensor has no slices")
        axis, first, many = _axis(self, dim), int(start), int(length)
        side = self.shape[axis]
        first = first + side if first < 0 else first
        if not (first >= 0 and many >= 0 and first + many <= side):
            raise IndexError(f"narrow: {many} slices from {start} on, and axis {axis} has {side}")
        return _tensor(self[(*(slice(None),) * axis, slice(first, first + many))])

    def view_as(self: Any, other: Any) -> Tensor:
        """The values in the shape of another tensor."""
        return _tensor(self.reshape(other.shape))

    reshape_as = view_as

    def expand_as(self: Any, other: Any) -> Tensor:
        """Stretched to the shape of another tensor."""
        return _tensor(self.expand(other.shape))

    # ---- arithmetic by name

    def add(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """This plus ``alpha`` times another."""
        return _tensor(self + (other if alpha == 1 else other * alpha))

    def sub(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """This minus ``alpha`` times another."""
        return _tensor(self - (other if alpha == 1 else other * alpha))

    def mul(self: Any, other: Any) -> Tensor:
        """The product, elementwise."""
        return _tensor(self * other)

    def div(self: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """The quotient, or with ``rounding_mode`` "floor" or "trunc" the whole number below or towards 0."""
        if rounding_mode is None:
            return _tensor(self / other)
        if rounding_mode == "floor":
            return _tensor(self // other)
        if rounding_mode != "trunc":
            raise ValueError(
                f"div: rounding_mode is None, 'floor' or 'trunc', not {rounding_mode!r}"
            )
        dtype = (self * other).dtype  # what both promote to
        return _whole(np.trunc, (self / other).to(dtype) if dtype.kind == "f" else self / other).to(
            dtype
        )

    def lerp(self: Any, end: Any, weight: Any) -> Tensor:
        """This + weight (end - this): the point that divides the way to ``end``."""
        return _tensor(self + weight * (end - self))

    def erf(self: Any) -> Tensor:
        """The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
        from ..ops.elementwise import erf

        return erf(self)

    def atan2(self: Any, other: Any) -> Tensor:
        """The angle of the point (other, this), from -pi to pi; at the origin its slopes are taken as 0."""
        from ..ops.elementwise import atan2

        return atan2(self, other)

    arctan2 = atan2

    def addmm(self: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """``beta`` times this plus ``alpha`` times the product of two matrices; see ``tg.addmm``."""
        from .torch_functions import mm

        product = mm(mat1, mat2)
        return _tensor((product if alpha == 1 else product * alpha) + _scaled(self, beta))

    def mv(self: Any, vec: Any) -> Tensor:
        """The product of a matrix and a vector: (n, m), (m,) give (n,)."""
        if self.ndim != 2 or len(vec.shape) != 1:
            raise ValueError(
                f"mv takes a matrix and a vector, not shapes {self.shape}, {vec.shape}"
            )
        return _tensor(self @ vec)

    def nan_to_num(
        self: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
    ) -> Tensor:
        """NaN, inf and -inf replaced, by 0 and the largest and smallest number unless given."""
        from ..ops.elementwise import where

        if self.dtype.kind != "f":
            return _tensor(self)
        ends = np.finfo(self.dtype)
        high = float(ends.max) if posinf is None else posinf
        low = float(ends.min) if neginf is None else neginf
        made = where(self.isnan(), nan, self)
        return where(self == np.inf, high, where(self == -np.inf, low, made))

    # ---- logic

    def logical_and(self: Any, other: Any) -> Tensor:
        """Where both are true (not 0)."""
        return _truth(np.logical_and, self, other)

    def logical_or(self: Any, other: Any) -> Tensor:
        """Where one is true (not 0)."""
        return _truth(np.logical_or, self, other)

    def logical_xor(self: Any, other: Any) -> Tensor:
        """Where exactly one is true (not 0)."""
        return _truth(np.logical_xor, self, other)

    def logical_not(self: Any) -> Tensor:
        """Where it is 0."""
        return _truth(np.logical_not, self)

    # ---- over axes

    def ravel(self: Any) -> Tensor:
        """All elements as one axis."""
        return _tensor(self.reshape(-1))

    def tril(self: Any, diagonal: int = 0) -> Tensor:
        """The lower triangle of matrices, 0 above; ``diagonal`` counts upwards from the main one."""
        return _triangle(self, np.tri, diagonal, "tril")

    def triu(self: Any, diagonal: int = 0) -> Tensor:
        """The upper triangle of matrices, 0 below; see ``tril``."""
        return _triangle(self, lambda n, m, k: ~np.tri(n, m, k - 1, dtype=bool), diagonal, "triu")

    def cumprod(self: Any, dim: Any) -> Tensor:
        """The products of the elements up to each one along ``dim``; the gradient is right at zeros."""
        from ..ops.reductions import cumprod
        from .value import _axis

        return cumprod(self, _axis(self, dim))

    def cummax(self: Any, dim: Any) -> Sorted:
        """The largest value up to each element along ``dim``, and where it was (last, of equal ones)."""
        return _running(self, np.maximum, dim)

    def cummin(self: Any, dim: Any) -> Sorted:
        """The smallest value up to each element along ``dim``, and where it was; see ``cummax``."""
        return _running(self, np.minimum, dim)

    def median(self: Any, dim: Any = None, keepdim: bool = False) -> Any:
        """The middle value, the lower of two; along ``dim`` a pair (values, indices).

        Without ``dim`` equal values share the gradient evenly; with it the index that is returned gets it
        all. NaN where there is one. (``np.median`` takes the mean of two.)
        """
        if not self.numel():
            raise ValueError(f"median: a tensor of shape {self.shape} has no middle value")
        flat = self.reshape(-1) if dim is None or not self.ndim else self
        found = _middles(flat, 0 if dim is None or not self.ndim else dim)
        if dim is None:
            value = flat.detach()[found._data[0]]
            same = flat == value if not bool(value != value) else flat.isnan()
            return value + (flat[same] - value).mean() if self.requires_grad else value
        if not self.ndim:
            return Sorted(_tensor(self), found.reshape(()))
        values = self.gather(dim, found)
        return Sorted(*(t if keepdim else t.squeeze(dim) for t in (values, found)))

    def diff(
        self: Any, n: int = 1, dim: Any = -1, prepend: Any = None, append: Any = None
    ) -> Tensor:
        """The differences of neighbours along ``dim``, ``n`` times over."""
        from .functions import cat
        from .value import _axis

        if not self.ndim:
            raise ValueError("diff: a 0-d tensor has no neighbours")
        axis = _axis(self, dim)
        around = [t for t in (prepend, self, append) if t is not None]
        t = cat(around, axis) if len(around) > 1 else self
        if n < 0:
            raise ValueError(f"diff: n is {n}, and must not be negative")
        lead = (slice(None),) * axis
        if not n:
            return _tensor(self)
        for _ in range(min(n, t.shape[axis])):
            t = t[(*lead, slice(1, None))] - t[(*lead, slice(None, -1))]
        return _tensor(t)

    def scatter(self: Any, dim: Any, index: Any, src: Any = None, **options: Any) -> Tensor:
        """``out[index[i][j]][j] = src[i][j]`` for dim 0, and so on (PyTorch's ``scatter``).

        ``src`` is a tensor, of which the part that ``index`` covers is taken, or a number (``value=``
        too). ``reduce="add"`` adds instead. Raises IndexError for an index out of range, and where
        two elements go to one place and a gradient is asked for (which of them stays is chance).
        """
        from ..ops.indexing import put

        src = options.pop("value", src) if src is None else src
        add = options.pop("reduce", None)
        if add == "add":
            return _tensor(self.scatter_add(dim, index, src))
        if add is not None or options:
            raise TypeError(
                f"scatter has no {', '.join(options) or f'reduce={add!r}'}: there is 'add'"
            )
        places = _places(self, "scatter", dim, index, src)
        part = _covered(src, places[0].shape, self)
        asked = self.requires_grad or getattr(part, "requires_grad", False)
        if asked and getattr(part, "ndim", 0) and _collide(self.shape, places):
            raise IndexError(
                "scatter: two elements go to one place, and which of them stays (and its gradient) is "
                "chance: use scatter_add, or detach() first"
            )
        if not places[0].size:
            return _tensor(self.clone())
        one = not self.ndim
        made = put(self.reshape(1) if one else self, part, places)
        return _tensor(made.reshape(()) if one else made)

    def scatter_add(self: Any, dim: Any, index: Any, src: Any) -> Tensor:
        """``out[index[i][j]][j] += src[i][j]`` for dim 0, and so on; all that go to one place are added."""
        from ..ops.indexing import place
        from .value import as_tensor

        places = _places(self, "scatter_add", dim, index, src)
        part = as_tensor(_covered(src, places[0].shape, self)).expand(places[0].shape)
        shape = self.shape or (1,)
        return _tensor(self + place(part, (places,), shape, self.dtype).reshape(self.shape))

    def unique(
        self: Any,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: Any = None,
    ) -> Any:
        """The different values in order (or slices along ``dim``), and on demand which each is, and how many.

        There is no gradient: raises TypeError for a tensor that requires one (detach it first).
        """
        from .value import Tensor

        _no_gradient(self, "unique")
        found = np.unique(
            self._data, False, True, True, axis=dim, equal_nan=False
        )  # inverse and counts
        values, inverse, counts = (Tensor._made(a) for a in found)
        inverse = inverse.reshape(self.shape if dim is None else (-1,))
        result = [
            values,
            *([inverse] if return_inverse else []),
            *([counts] if return_counts else []),
        ]
        return tuple(result) if len(result) > 1 else values

    def bincount(self: Any, weights: Any = None, minlength: int = 0) -> Tensor:
        """How often each whole number from 0 occurs in a vector, or the sums of their ``weights``."""
        from ..ops.indexing import place
        from .value import Tensor, as_tensor

        if self.ndim != 1 or self.dtype.kind not in "iu" or (self._data < 0).any():
            raise ValueError("bincount takes a vector of whole numbers that are not negative")
        if weights is None:
            return Tensor._made(np.bincount(self._data, minlength=minlength))
        w = as_tensor(weights)
        if w.shape != self.shape:
            raise ValueError(f"bincount: weights have shape {w.shape}, expected {self.shape}")
        w = w if w.dtype.kind == "f" else w.to(np.float64)
        size = max(int(self._data.max(initial=-1)) + 1, minlength)
        return place(w, ((np.array(self._data),),), (size,), w.dtype)

    # ---- to other libraries, and hooks

    def __dlpack__(self: Any, **options: Any) -> Any:
        """A copy of the values for ``torch.from_dlpack`` and the like (values here never change)."""
        _no_gradient(self, "__dlpack__")
        return np.array(self._data).__dlpack__(**options)

    def __dlpack_device__(self: Any) -> tuple[int, int]:
        """The CPU."""
        found: tuple[int, int] = self._data.__dlpack_device__()
        return found

    def register_hook(self: Any, hook: Any) -> Hook:
        """Have ``hook(gradient)`` called with this tensor's gradient in every backward pass.

        What it returns, if not None, takes the gradient's place, here and for all that comes after. It is
        called once a pass, with the sum of all that arrived. Returns a handle whose ``remove()``
        ends it. Raises RuntimeError for a tensor without a gradient.

        >>> import tinygrad_rnn as tg
        >>> w = tg.tensor(3.0, requires_grad=True)
        >>> handle = w.register_hook(lambda g: g.clip(-1.0, 1.0))
        >>> (w * w).backward()
        >>> w.grad.item()
        1.0
        """
        if state.tracer is not None:
            state.tracer.looks("register_hook()")
        if not self.requires_grad:
            raise RuntimeError("register_hook() needs a tensor that requires a gradient")
        return Hook(by_itself(self._node), hook)

    # ---- choosing

    def nonzero(self: Any, *, as_tuple: bool = False) -> Any:
        """Where it is not 0: a row of indices an element, or with ``as_tuple`` a vector an axis.

        (``np.nonzero`` and numpy's own method give the tuple.)
        """
        from .value import Tensor

        if state.tracer is not None:
            state.tracer.looks("nonzero()")
        if as_tuple:
            found = np.nonzero(np.atleast_1d(self._data))
            return tuple(Tensor._made(places) for places in found)
        places = np.nonzero(np.atleast_1d(self._data))
        return Tensor._made(np.stack(places, 1)[:, : self.ndim])

    def masked_select(self: Any, mask: Any) -> Tensor:
        """The elements where the mask is true, as a vector; the two are broadcast to one shape."""
        from .value import as_tensor

        where = as_tensor(mask)
        if where.dtype.kind != "b":
            raise TypeError(f"masked_select takes a mask of bools, not of {where.dtype}")
        shape = np.broadcast_shapes(self.shape, where.shape)
        return _tensor(self.expand(shape)[where.expand(shape)])

    def masked_fill(self: Any, mask: Any, value: Any) -> Tensor:
        """``value`` where the mask is true."""
        from ..ops.elementwise import where
        from .value import as_tensor

        return where(as_tensor(mask).bool(), value, self)

    def index_select(self: Any, dim: Any, index: Any) -> Tensor:
        """The slices along ``dim`` that a vector of integers names."""
        from .value import _axis

        if not self.ndim:
            return _tensor(self.reshape(1)[index].reshape(()))
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
        from .value import Tensor

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

    def round(self: Any, *, decimals: int = 0) -> Tensor:
        """The nearest number of so many ``decimals``, halves to the even one; the derivative is 0."""
        if not decimals:
            return _whole(np.rint, self)
        scale = 10.0 ** abs(decimals)
        if decimals < 0:
            return _tensor((self / scale).round() * scale)
        return _tensor((self * scale).round() / scale)

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

    def clamp_min_(self: Any, min: Any) -> Tensor:
        """Raise what is below ``min`` to it, in place; see ``copy_``."""
        return _tensor(become(self, self.clip(min), "clamp_min_"))

    def clamp_max_(self: Any, max: Any) -> Tensor:
        """Lower what is above ``max`` to it, in place; see ``copy_``."""
        return _tensor(become(self, self.clip(None, max), "clamp_max_"))

    def reciprocal_(self: Any) -> Tensor:
        """1 / x in place; see ``copy_``."""
        return _tensor(become(self, 1 / self, "reciprocal_"))

    def cumsum_(self: Any, dim: Any) -> Tensor:
        """The sums along ``dim`` in place; see ``copy_``."""
        return _tensor(become(self, self.cumsum(dim), "cumsum_"))

    def unsqueeze_(self: Any, dim: Any) -> Tensor:
        """The tensor itself with a new axis at ``dim``; see ``unsqueeze``."""
        return _tensor(turn(self, self.unsqueeze(dim), "unsqueeze_"))

    def squeeze_(self: Any, dim: Any = None) -> Tensor:
        """The tensor itself without axes of length 1; see ``squeeze``."""
        return _tensor(turn(self, self.squeeze(dim), "squeeze_"))

    def t_(self: Any) -> Tensor:
        """The tensor itself, transposed; see ``t``."""
        return _tensor(turn(self, self.t(), "t_"))

    def transpose_(self: Any, dim0: Any, dim1: Any) -> Tensor:
        """The tensor itself with two axes swapped; see ``transpose``."""
        return _tensor(turn(self, self.transpose(dim0, dim1), "transpose_"))

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

    def scatter_(self: Any, dim: Any, index: Any, src: Any = None, **options: Any) -> Tensor:
        """``scatter`` in place; see ``copy_``."""
        return _tensor(become(self, self.scatter(dim, index, src, **options), "scatter_"))

    def scatter_add_(self: Any, dim: Any, index: Any, src: Any) -> Tensor:
        """``scatter_add`` in place; see ``copy_``."""
        return _tensor(become(self, self.scatter_add(dim, index, src), "scatter_add_"))

    def index_put_(self: Any, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
        """``self[indices] = values``, or ``+=`` for every time that an element is named; see ``copy_``."""
        where = tuple(np.array(getattr(i, "_data", i)) for i in indices)
        if accumulate:
            return _tensor(become(self, self.at[where].add(values), "index_put_"))
        return _tensor(write(self, values, "index_put_", where))

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
    from .value import _axis, _integers

    return (*(slice(None),) * _axis(tensor, dim), _integers("the index", index).reshape(-1))


def _like(
    tensor: Any,
    make: Any,
    size: tuple[Any, ...],
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    from .value import Tensor, _sizes

    check_device(device)
    return Tensor._made(make(_sizes(size)), tensor.dtype if dtype is None else dtype, requires_grad)


def _scaled(tensor: Any, by: float) -> Any:
    """``by`` times a tensor; 0 times NaN is 0 here (PyTorch's ``beta=0``)."""
    if by == 0:
        return tensor.detach().new_zeros(tensor.shape)
    return tensor if by == 1 else tensor * by


def _no_gradient(tensor: Any, who: str) -> None:
    """Raise TypeError where a gradient would be lost; tell a trace that values are looked at."""
    if state.tracer is not None:
        state.tracer.looks(who)
    if state.recording and tensor.requires_grad:
        raise TypeError(
            f"{who} gives values without a gradient, and this one would be lost: detach() first"
        )


def _truth(ufunc: Any, *operands: Any) -> Tensor:
    """A comparison of truth values, which a trace must hear of."""
    from .value import Tensor

    result = Tensor._wrap(np.asarray(ufunc(*(getattr(a, "_data", a) for a in operands))), None)
    if state.tracer is not None:
        state.tracer.compared(ufunc.__name__, result, operands)
    return result


def _triangle(tensor: Any, make: Any, diagonal: int, who: str) -> Tensor:
    from ..ops.elementwise import where

    if tensor.ndim < 2:
        raise ValueError(f"{who} takes matrices (..., n, m), not shape {tensor.shape}")
    return where(make(*tensor.shape[-2:], diagonal).astype(bool), tensor, 0)


def _running(tensor: Any, pick: Any, dim: Any) -> Sorted:
    """The extreme value so far: an element is one where it equals what numpy accumulates, or is NaN."""
    from .value import Tensor, _axis

    if state.tracer is not None:
        state.tracer.looks(f"the running {pick.__name__}")
    if not tensor.ndim:
        return Sorted(tensor, Tensor._made(np.array(0)))
    axis, a = _axis(tensor, dim), tensor._data
    best = pick.accumulate(a, axis)
    shape = [-1 if i == axis else 1 for i in range(a.ndim)]
    at = np.where((a == best) | (a != a), np.arange(a.shape[axis]).reshape(shape), 0)
    found = Tensor._made(np.maximum.accumulate(at, axis))
    return Sorted(tensor.gather(axis, found), found)


def _middles(tensor: Any, dim: Any) -> Any:
    """Where the lower middle value is along ``dim``, kept as an axis of length 1; a NaN comes first."""
    from .value import Tensor, _axis

    if state.tracer is not None:
        state.tracer.looks("the median")
    axis, a = _axis(tensor, dim), tensor._data
    order = np.argsort(a, axis, kind="stable")
    middle = np.take(order, [(a.shape[axis] - 1) // 2], axis)
    odd = a != a
    return Tensor._made(
        np.where(odd.any(axis, keepdims=True), odd.argmax(axis, keepdims=True), middle)
    )


def _places(tensor: Any, who: str, dim: Any, index: Any, src: Any) -> tuple[Any, ...]:
    """The indices of the places that ``scatter`` writes to, each of the shape of ``index``."""
    from .value import _axis, _integers, _within

    where, axis = _integers(who, index), _axis(tensor, dim)
    whole = tensor.shape or (1,)
    if not tensor.ndim:
        where = where.reshape(-1)
    if where.ndim != len(whole) and where.size:
        raise ValueError(f"{who}: index has {where.ndim} axes, the tensor {tensor.ndim}")
    _within(who, where, 0, whole[axis])
    sides, size = where.shape if where.size else (), getattr(src, "shape", ()) or where.shape
    if any(side > whole[i] for i, side in enumerate(sides) if i != axis):
        raise ValueError(
            f"{who}: index of shape {where.shape} reaches beyond shape {tensor.shape} apart from dim {axis}"
        )
    if sides and (len(size) != where.ndim or any(map(int.__gt__, sides, size))):
        raise ValueError(f"{who}: src of shape {size} does not cover the index, {where.shape}")
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in where.shape)])
    grid[axis] = where
    return tuple(np.broadcast_to(part, where.shape) for part in grid)


def _covered(src: Any, shape: tuple[int, ...], like: Any) -> Any:
    """The part of what is written that an index of a shape covers."""
    if not getattr(src, "shape", ()):
        return src
    from .value import as_tensor

    return as_tensor(src)[tuple(slice(n) for n in shape)].to(like.dtype)


def _collide(shape: tuple[int, ...], places: tuple[Any, ...]) -> bool:
    """Whether two elements go to one place."""
    flat = np.ravel_multi_index(places, shape or (1,)).ravel()
    return bool(len(np.unique(flat)) < flat.size)


def _order(tensor: Any, dim: Any, descending: bool) -> Any:
    from .value import Tensor, _axis

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
    from .value import Tensor

    arrays = [getattr(a, "_data", a) for a in operands]
    result = Tensor._wrap(np.asarray(function(*arrays)).astype(arrays[0].dtype, copy=False), None)
    if state.tracer is not None:
        state.tracer.compared(function.__name__, result, operands)
    return result


__all__ = ["Sorted", "TorchNames"]
