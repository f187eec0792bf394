"""Where do a tensor's elements go? Other shapes, parts of it, elements picked and put."""

# mypy: disable-error-code="misc,no-any-return"
# `self` is the Tensor that inherits these methods (mypy wants a supertype there); operators with an operand
# of any kind give Any.

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.places import state
from ..ops import elementwise as e
from ..ops import indexing, shapes
from .arrays import as_tensor, cast_like, check_within, index_of, integers, made
from .axes import axes_of, axis_of, sizes_of
from .several import cat

if TYPE_CHECKING:
    from .value import Tensor


class Shaping:
    """What a tensor does with the places of its elements; their values stay."""

    __slots__ = ()

    # ---- shapes

    def reshape(self: Tensor, *shape: Any) -> Tensor:
        """The same values in another shape; one side may be -1."""
        return shapes.reshape(self, sizes_of(shape))

    view = reshape

    def view_as(self: Tensor, other: Any) -> Tensor:
        """The values in the shape of another tensor."""
        return self.reshape(other.shape)

    reshape_as = view_as

    def flatten(self: Tensor, start_dim: Any = 0, end_dim: Any = -1) -> Tensor:
        """The axes from ``start_dim`` to ``end_dim`` as one.

        >>> import tinygrad_rnn as tg
        >>> tg.flatten(tg.ones(2, 3)).shape
        (6,)
        """
        if not self.ndim:
            return self.reshape(1)
        a, b = axis_of(self, start_dim), axis_of(self, end_dim)
        return self.reshape((*self.shape[:a], -1, *self.shape[b + 1 :]))

    def ravel(self: Tensor) -> Tensor:
        """All elements as one axis.

        >>> import tinygrad_rnn as tg
        >>> tg.ravel(tg.ones(2, 3)).shape
        (6,)
        """
        return self.reshape(-1)

    def transpose(self: Tensor, dim0: Any, dim1: Any) -> Tensor:
        """Two axes swapped (PyTorch's meaning; ``np.transpose(t, axes)`` permutes all).

        >>> import tinygrad_rnn as tg
        >>> tg.transpose(tg.ones(2, 3), 0, 1).shape
        (3, 2)
        """
        a, b = axis_of(self, dim0), axis_of(self, dim1)
        if not self.ndim:
            return self.clone()
        axes = list(range(self.ndim))
        axes[a], axes[b] = b, a
        return shapes.permute(self, tuple(axes))

    swapaxes = transpose

    def t(self: Tensor) -> Tensor:
        """The transpose of a matrix; a vector or a scalar as it is."""
        if self.ndim > 2:
            raise ValueError(f"t() is for at most 2 axes, and this has shape {self.shape}: use mT")
        return self.T

    def permute(self: Tensor, *dims: Any) -> Tensor:
        """The axes in another order."""
        axes = tuple(axis_of(self, d) for d in sizes_of(dims))
        if sorted(axes) != list(range(self.ndim)):
            raise ValueError(f"permute: {axes} is no order of the {self.ndim} axes of {self.shape}")
        return shapes.permute(self, axes)

    @property
    def T(self: Tensor) -> Tensor:  # noqa: N802 (numpy's name)
        """All axes reversed."""
        n = self._data.ndim
        return shapes.permute(self, (1, 0) if n == 2 else tuple(range(n))[::-1])

    @property
    def mT(self: Tensor) -> Tensor:  # noqa: N802 (numpy's name)
        """The last two axes swapped."""
        return self.transpose(-1, -2)

    def expand(self: Tensor, *sizes: Any) -> Tensor:
        """Axes of length 1 stretched (-1 leaves one as it is) and new ones put in front."""
        to = list(sizes_of(sizes))
        lead = len(to) - self.ndim
        for i, side in enumerate(to):
            if side == -1:
                if i < lead:
                    raise ValueError(f"expand: -1 at {i} of {tuple(to)} is no axis of {self.shape}")
                to[i] = self.shape[i - lead]
        return shapes.broadcast(self, tuple(to))

    def expand_as(self: Tensor, other: Any) -> Tensor:
        """Stretched to the shape of another tensor."""
        return self.expand(other.shape)

    def broadcast_to(self: Tensor, shape: Sequence[Any]) -> Tensor:
        """Stretched to ``shape`` by broadcasting; -1 leaves an axis as it is (PyTorch's meaning).

        >>> import tinygrad_rnn as tg
        >>> tg.broadcast_to(tg.ones(3), (2, 3)).shape
        (2, 3)
        """
        return self.expand(shape)

    def squeeze(self: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
        """Without axes of length 1: all of them, or those in ``dim`` that have it.

        >>> import tinygrad_rnn as tg
        >>> tg.squeeze(tg.ones(1, 3)).shape
        (3,)
        """
        dim = dim if axis is None else axis
        drop = range(self.ndim) if dim is None else axes_of(self, dim)
        return self.reshape(tuple(s for i, s in enumerate(self.shape) if s != 1 or i not in drop))

    def unsqueeze(self: Tensor, dim: Any) -> Tensor:
        """With a new axis of length 1 at ``dim``.

        >>> import tinygrad_rnn as tg
        >>> tg.unsqueeze(tg.ones(3), 0).shape
        (1, 3)
        """
        at = dim + self.ndim + 1 if dim < 0 else dim
        if not 0 <= at <= self.ndim:
            raise IndexError(f"unsqueeze: dim {dim} is out of range for shape {self.shape}")
        return self.reshape((*self.shape[:at], 1, *self.shape[at:]))

    def roll(self: Tensor, shifts: Any, dims: Any = None) -> Tensor:
        """The elements moved on along some axes, the last ones to the front; flattened without ``dims``.

        >>> import tinygrad_rnn as tg
        >>> tg.roll(tg.arange(4), 1)
        tensor([3, 0, 1, 2])
        """
        by = tuple(int(k) for k in shifts) if isinstance(shifts, (tuple, list)) else (shifts,)
        if dims is None:
            if len(by) != 1:
                raise ValueError(f"roll: {len(by)} shifts and no dims")
            flat = self.reshape(-1)
            return shapes.roll(flat, (int(by[0]),), (0,)).reshape(self.shape)
        along = tuple(dims) if isinstance(dims, (tuple, list)) else (dims,)
        if len(by) != len(along):
            raise ValueError(f"roll: {len(by)} shifts and {len(along)} dims")
        if not self.ndim:
            raise IndexError("roll: a 0-d tensor has no dims")
        return shapes.roll(self, tuple(map(int, by)), tuple(axis_of(self, d) for d in along))

    def flip(self: Tensor, *axes: Any, dims: Any = None) -> Tensor:
        """The order along some axes reversed."""
        over = sizes_of(axes) if dims is None else sizes_of((dims,))
        return shapes.flip(self, tuple(axis_of(self, d) for d in over))

    def repeat(self: Tensor, *sizes: Any) -> Tensor:
        """The whole copied ``sizes`` times along each axis (PyTorch's; ``np.repeat`` repeats elements)."""
        times = sizes_of(sizes)
        if len(times) < self.ndim:
            raise ValueError(f"repeat: {times} has fewer numbers than {self.shape} has axes")
        if any(k < 0 for k in times):
            raise ValueError(f"repeat: {times} has a negative number")
        return shapes.tile(self, times)

    def tile(self: Tensor, *dims: Any) -> Tensor:
        """As ``repeat``, but ``dims`` may be fewer than the axes: the last ones are meant."""
        times = sizes_of(dims)
        return self.repeat((1,) * (self.ndim - len(times)) + times)

    def clone(self: Tensor) -> Tensor:
        """The same value as a node of its own; a write to one is not seen by the other."""
        t = shapes.reshape(self, self.shape)
        if state.tracer is None:
            t._alias, flags = None, t._data.flags
            if not (
                flags.c_contiguous or flags.f_contiguous
            ):  # a part of something: now it is whole
                t._data = t._data.copy("K")
        return t

    def contiguous(self: Tensor) -> Tensor:
        """Itself where its elements lie in order, else a copy that shares no memory."""
        return self if state.tracer is not None or self._data.flags.c_contiguous else self.clone()

    # ---- parts

    def __getitem__(self: Tensor, index: Any) -> Tensor:
        return indexing.getitem(self, index_of(index))

    @property
    def at(self: Tensor) -> _At:
        """Functional updates: ``x.at[i].set(v)`` and ``x.at[i].add(v)`` return new tensors.

        >>> import tinygrad_rnn as tg
        >>> tg.zeros(3).at[1].set(5.0)
        tensor([0., 5., 0.])
        """
        return _At(self)

    def split(self: Tensor, split_size_or_sections: Any, dim: Any = 0) -> tuple[Tensor, ...]:
        """Parts of a length, or of the lengths in a list, along ``dim`` (PyTorch's ``split``).

        >>> import tinygrad_rnn as tg
        >>> [part.shape for part in tg.split(tg.ones(5), 2)]
        [(2,), (2,), (1,)]
        """
        axis = axis_of(self, dim)
        n = self.shape[axis]
        if isinstance(split_size_or_sections, int):
            k = split_size_or_sections
            if k < 1:
                raise ValueError(f"split: parts of {k}")
            sizes = tuple(min(k, n - i) for i in range(0, n, k)) or (0,)
        else:
            sizes = tuple(split_size_or_sections)
            if sum(sizes) != n:
                raise ValueError(
                    f"split: sections {sizes} make {sum(sizes)}, and axis {axis} of {self.shape} has {n}"
                )
        return _parts(shapes.split(self, sizes, axis))

    def chunk(self: Tensor, chunks: Any, dim: Any = 0) -> tuple[Tensor, ...]:
        """``chunks`` parts of equal length (the last may be shorter) along ``dim``.

        >>> import tinygrad_rnn as tg
        >>> [part.shape for part in tg.chunk(tg.ones(4, 6), 3, dim=-1)]
        [(4, 2), (4, 2), (4, 2)]
        """
        if chunks < 1:
            raise ValueError(f"chunk: {chunks} parts")
        axis = self._data.ndim - 1 if dim == -1 else axis_of(self, dim)
        n = self._data.shape[axis]
        if n % chunks:
            return self.split(-(-n // chunks), axis)
        return _parts(shapes.split(self, (n // chunks,) * chunks, axis))

    def unbind(self: Tensor, dim: Any = 0) -> tuple[Tensor, ...]:
        """The slices along ``dim``, without that axis.

        >>> import tinygrad_rnn as tg
        >>> len(tg.unbind(tg.ones(3, 2)))
        3
        """
        return _parts(shapes.unbind(self, axis_of(self, dim)))

    def narrow(self: Tensor, dim: Any, start: Any, length: Any) -> Tensor:
        """The slices ``start`` to ``start + length - 1`` along ``dim``, in the same memory."""
        if not self.ndim:
            raise IndexError("narrow: a 0-d tensor has no slices")
        axis, first, many = axis_of(self, dim), int(start), int(length)
        side = self.shape[axis]
        first = first + side if first < 0 else first
        if not (first >= 0 and many >= 0 and first + many <= side):
            raise IndexError(f"narrow: {many} slices from {start} on, and axis {axis} has {side}")
        return self[(*(slice(None),) * axis, slice(first, first + many))]

    # ---- picking

    def gather(self: Tensor, dim: Any, index: Any) -> Tensor:
        """``out[i][j] = x[index[i][j]][j]`` for dim 0, and so on (PyTorch's ``gather``).

        Raises IndexError for an index below 0 or too large, ValueError where the shapes do not fit.

        >>> import tinygrad_rnn as tg
        >>> tg.gather(tg.tensor([[1.0, 2.0]]), 1, tg.tensor([[1]]))
        tensor([[2.]])
        """
        where, axis = integers("gather", index), axis_of(self, dim)
        if not self.ndim and where.ndim < 2:  # PyTorch takes no axis for one of length 1
            flat = as_tensor(index).reshape(-1)
            return self.reshape(1).gather(0, flat).reshape(where.shape)
        if self.ndim == 1 and not where.ndim:
            return self.gather(0, as_tensor(index).reshape(1)).reshape(())
        if where.ndim != self.ndim and where.size:
            raise ValueError(f"gather: index has {where.ndim} axes, the tensor {self.ndim}")
        if not where.size:
            return indexing.getitem(self.reshape(-1), where)
        if any(
            k > n for i, (k, n) in enumerate(zip(where.shape, self.shape, strict=True)) if i != axis
        ):
            raise ValueError(
                f"gather: index of shape {where.shape} reaches beyond shape {self.shape} apart from "
                f"dim {axis}"
            )
        check_within("gather", where, 0, self.shape[axis])
        grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in where.shape)])
        grid[axis] = where
        return indexing.getitem(self, _beside(where, grid))

    def take_along_dim(self: Tensor, indices: Any, dim: Any = None) -> Tensor:
        """As ``gather``, but the other axes broadcast and an index may count from the end.

        Without ``dim`` the indices are into the flattened tensor, and the result is flat. Raises
        IndexError for an index out of range, ValueError where the shapes do not fit.

        >>> import tinygrad_rnn as tg
        >>> tg.take_along_dim(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([[-1]]), 1)
        tensor([[2.],
                [4.]])
        """
        where = integers("take_along_dim", indices)
        if dim is None:
            return self.reshape(-1).take_along_dim(as_tensor(indices).reshape(-1), 0)
        axis = axis_of(self, dim)
        if where.ndim != self.ndim or not self.ndim:
            raise ValueError(f"take_along_dim: index has {where.ndim} axes, the tensor {self.ndim}")
        n = self.shape[axis]
        check_within("take_along_dim", where, -n, n)
        grid: list[Any] = []
        for i, side in enumerate(self.shape):
            if i == axis:
                grid.append(where)
                continue
            if side != where.shape[i] and 1 not in (side, where.shape[i]):
                raise ValueError(
                    f"take_along_dim: index of shape {where.shape} does not broadcast to {self.shape} "
                    f"apart from dim {axis}"
                )
            along = np.arange(side) if side != 1 else np.zeros(1, np.intp)
            grid.append(along.reshape((-1,) + (1,) * (self.ndim - 1 - i)))
        return indexing.getitem(self, _beside(where, grid))

    def index_select(self: Tensor, dim: Any, index: Any) -> Tensor:
        """The slices along ``dim`` that a vector of integers names.

        >>> import tinygrad_rnn as tg
        >>> tg.index_select(tg.tensor([[1.0, 2.0, 3.0]]), 1, tg.tensor([2, 0]))
        tensor([[3., 1.]])
        """
        if not self.ndim:
            return self.reshape(1)[index].reshape(())
        return self[(*(slice(None),) * axis_of(self, dim), index)]

    def nonzero(self: Tensor, *, as_tuple: bool = False) -> Any:
        """Where it is not 0: a row of indices an element, or with ``as_tuple`` a vector an axis.

        (``np.nonzero`` and numpy's own method give the tuple.)
        """
        if state.tracer is not None:
            state.tracer.looks("nonzero()")
        if as_tuple:
            found = np.nonzero(np.atleast_1d(self._data))
            return tuple(made(places) for places in found)
        places = np.nonzero(np.atleast_1d(self._data))
        return made(np.stack(places, 1)[:, : self.ndim])

    def masked_select(self: Tensor, mask: Any) -> Tensor:
        """The elements where the mask is true, as a vector; the two are broadcast to one shape."""
        where = as_tensor(mask)
        if where.dtype.kind != "b":
            raise TypeError(f"masked_select takes a mask of bools, not of {where.dtype}")
        shape = np.broadcast_shapes(self.shape, where.shape)
        return self.expand(shape)[where.expand(shape)]

    def diff(
        self: Tensor, n: int = 1, dim: Any = -1, prepend: Any = None, append: Any = None
    ) -> Tensor:
        """The differences of neighbours along ``dim``, ``n`` times over.

        >>> import tinygrad_rnn as tg
        >>> tg.diff(tg.tensor([1.0, 3.0, 4.0]))
        tensor([2., 1.])
        """
        if not self.ndim:
            raise ValueError("diff: a 0-d tensor has no neighbours")
        axis = axis_of(self, dim)
        around = [t for t in (prepend, self, append) if t is not None]
        t = cat(around, axis) if len(around) > 1 else self
        if n < 0:
            raise ValueError(f"diff: n is {n}, and must not be negative")
        lead = (slice(None),) * axis
        if not n:
            return self
        for _ in range(min(n, t.shape[axis])):
            t = t[(*lead, slice(1, None))] - t[(*lead, slice(None, -1))]
        return t

    # ---- putting

    def scatter(self: Tensor, dim: Any, index: Any, src: Any = None, **options: Any) -> Tensor:
        """``out[index[i][j]][j] = src[i][j]`` for dim 0, and so on (PyTorch's ``scatter``).

        ``src`` is a tensor, of which the part that ``index`` covers is taken, or a number (``value=``
        too). ``reduce="add"`` adds instead. Raises IndexError for an index out of range, and where
        two elements go to one place and a gradient is asked for (which of them stays is chance).

        >>> import tinygrad_rnn as tg
        >>> tg.scatter(tg.zeros(3), 0, tg.tensor([2, 0]), tg.tensor([5.0, 7.0]))
        tensor([7., 0., 5.])
        """
        src = options.pop("value", src) if src is None else src
        add = options.pop("reduce", None)
        if add == "add":
            return self.scatter_add(dim, index, src)
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
        one = not self.ndim
        written = indexing.put(self.reshape(1) if one else self, part, places)
        return written.reshape(()) if one else written

    def scatter_add(self: Tensor, dim: Any, index: Any, src: Any) -> Tensor:
        """``out[index[i][j]][j] += src[i][j]`` for dim 0, and so on; all that go to one place are added.

        >>> import tinygrad_rnn as tg
        >>> tg.scatter_add(tg.zeros(3), 0, tg.tensor([2, 2]), tg.tensor([5.0, 7.0]))
        tensor([ 0.,  0., 12.])
        """
        places = _places(self, "scatter_add", dim, index, src)
        part = as_tensor(_covered(src, places[0].shape, self)).expand(places[0].shape)
        shape = self.shape or (1,)
        return self + indexing.place(part, (places,), shape, self.dtype).reshape(self.shape)

    def masked_fill(self: Tensor, mask: Any, value: Any) -> Tensor:
        """``value`` where the mask is true.

        >>> import tinygrad_rnn as tg
        >>> tg.masked_fill(tg.ones(2), tg.tensor([True, False]), 0.0)
        tensor([0., 1.])
        """
        return e.where(as_tensor(mask).bool(), value, self)

    def tril(self: Tensor, diagonal: int = 0) -> Tensor:
        """The lower triangle of matrices (..., n, m), 0 above; ``diagonal`` counts upwards from the main one.

        >>> import tinygrad_rnn as tg
        >>> tg.tril(tg.ones(2, 2))
        tensor([[1., 0.],
                [1., 1.]])
        """
        return _triangle(self, np.tri, diagonal, "tril")

    def triu(self: Tensor, diagonal: int = 0) -> Tensor:
        """The upper triangle of matrices (..., n, m), 0 below; see ``tril``.

        >>> import tinygrad_rnn as tg
        >>> tg.triu(tg.ones(2, 2), 1)
        tensor([[0., 1.],
                [0., 0.]])
        """
        return _triangle(self, lambda n, m, k: ~np.tri(n, m, k - 1, dtype=bool), diagonal, "triu")


class _At:
    """``x.at[i]``: where a functional update goes."""

    def __init__(self, tensor: Tensor, index: Any = ...) -> None:
        self._tensor, self._index = tensor, index

    def __getitem__(self, index: Any) -> _At:
        return _At(self._tensor, index_of(index))

    def set(self, value: Any) -> Tensor:
        """The tensor with ``value`` at the index; its gradient there goes to ``value``."""
        t = self._tensor
        taken = np.arange(t.numel()).reshape(t.shape)[self._index]
        if np.unique(taken).size != np.size(taken):
            raise IndexError("at[...].set: the index names an element twice; use .add(value)")
        return indexing.put(t, cast_like(value, t), self._index)

    def add(self, value: Any) -> Tensor:
        """The tensor with ``value`` added at the index; an element named twice gets both."""
        t = self._tensor
        shape, value = t._data[self._index].shape, cast_like(value, t)
        while value.ndim > len(shape) and value.shape[0] == 1:  # as numpy writes
            value = value.squeeze(0)
        value = value.broadcast_to(shape)
        return t + indexing.place(value, (self._index,), t.shape, t.dtype)


def _parts(several: Any) -> tuple[Tensor, ...]:
    """What a row with several outputs returns."""
    return several


def _triangle(tensor: Any, make: Any, diagonal: int, who: str) -> Tensor:

    if tensor.ndim < 2:
        raise ValueError(f"{who} takes matrices (..., n, m), not shape {tensor.shape}")
    return e.where(make(*tensor.shape[-2:], diagonal).astype(bool), tensor, 0)


def _places(tensor: Any, who: str, dim: Any, index: Any, src: Any) -> tuple[Any, ...]:
    """The indices of the places that ``scatter`` writes to, each of the shape of ``index``."""
    where, axis = integers(who, index), axis_of(tensor, dim)
    whole = tensor.shape or (1,)
    if not tensor.ndim:
        where = where.reshape(-1)
    if where.ndim != len(whole) and where.size:
        raise ValueError(f"{who}: index has {where.ndim} axes, the tensor {tensor.ndim}")
    check_within(who, where, 0, whole[axis])
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

    return as_tensor(src)[tuple(slice(n) for n in shape)].to(like.dtype)


def _collide(shape: tuple[int, ...], places: tuple[Any, ...]) -> bool:
    """Whether two elements go to one place."""
    flat = np.ravel_multi_index(places, shape or (1,)).ravel()
    return bool(len(np.unique(flat)) < flat.size)


def _beside(where: Any, grid: list[Any]) -> tuple[Any, ...]:
    """An index of arrays, of which a trace hears that all but one are counted and not data."""
    if state.tracer is not None:
        for array in grid:
            if array is not where:
                state.tracer.counted(array)
    return tuple(grid)
