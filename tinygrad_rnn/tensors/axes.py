"""How do users write axes and shapes? As numbers from either end, by PyTorch's names or numpy's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, TypedDict, overload

if TYPE_CHECKING:
    from .value import Tensor


Axis = int | Sequence[int] | None


class NumpyNames(TypedDict, total=False):
    """What reductions take beside ``dim`` and ``keepdim``: the same in numpy's words."""

    axis: Any
    keepdims: Any


class Extremes(NamedTuple):
    """What ``max(dim)`` and ``min(dim)`` return: the values and where they were found."""

    values: Tensor
    indices: Tensor


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


def sizes_of(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape that was given as numbers or as one sequence."""
    if len(shape) == 1 and not hasattr(shape[0], "__index__"):
        shape = tuple(shape[0])
    return tuple(int(side) for side in shape)


def axis_of(tensor: Tensor, dim: Any) -> int:
    """An axis counted from 0. Raises IndexError for one that is not there."""
    n = max(tensor.ndim, 1)
    at = int(dim)
    if not -n <= at < n:
        raise IndexError(f"dim {dim} is out of range for a tensor of shape {tensor.shape}")
    return at % n


def axes_of(tensor: Tensor, dim: Axis) -> tuple[int, ...]:
    """Axes counted from 0 in their order, all for None. Raises ValueError for one that is named twice."""
    if dim is None:
        return tuple(range(tensor.ndim))
    dims = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    axes = tuple(sorted(axis_of(tensor, d) for d in dims))
    if len(set(axes)) != len(axes):
        raise ValueError(f"dim {dims} names an axis twice")
    return axes if tensor.ndim else ()


def axes_and_keep(
    tensor: Tensor, dim: Axis, keepdim: bool, names: NumpyNames
) -> tuple[tuple[int, ...], bool]:
    """The axes of a reduction and whether they stay, by PyTorch's names or numpy's."""
    if not names:
        return axes_of(tensor, dim), bool(keepdim)
    axis = names.get("axis")
    if unknown := names.keys() - {"axis", "keepdims"}:
        raise TypeError(
            f"no such argument: {', '.join(sorted(unknown))}; there are dim and keepdim"
        )
    if dim is not None and axis is not None:
        raise TypeError("give dim or axis, not both")
    return axes_of(tensor, dim if axis is None else axis), bool(names.get("keepdims", keepdim))
