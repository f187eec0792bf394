"""What takes several tensors, none of them first? Joining, products, arithmetic with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ops import curves, products, shapes
from ..ops import elementwise as e
from .arrays import as_tensor, is_tensor
from .axes import axis_of

if TYPE_CHECKING:
    from .value import Tensor

__all__ = [
    "add",
    "arctan2",
    "atan2",
    "bmm",
    "cat",
    "concat",
    "div",
    "divide",
    "einsum",
    "lerp",
    "matmul",
    "maximum",
    "meshgrid",
    "minimum",
    "mm",
    "mul",
    "multiply",
    "pow",
    "stack",
    "sub",
    "subtract",
    "true_divide",
    "where",
]


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
    axis = axis_of(model, dim)
    if model.ndim > 1:
        empty = (*model.shape[:axis], 0, *model.shape[axis + 1 :])
        parts = [t.reshape(empty) if t.shape == (0,) else t for t in parts]
    offsets = shapes._offsets(tuple([t.shape[axis] if t.ndim > axis else 0 for t in parts]))
    return shapes.cat(*parts, axis, offsets)


concat = cat


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
    if any(as_tensor(t).ndim > 1 for t in tensors):
        raise ValueError(f"meshgrid takes vectors, not shapes {[np.shape(t) for t in tensors]}")
    places = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        places[:2] = 1, 0
    sides = [1] * len(vectors)
    for vector, place in zip(vectors, places, strict=True):
        sides[place] = len(vector)
    shape = [[-1 if i == place else 1 for i in range(len(sides))] for place in places]
    return tuple(v.reshape(own).expand(sides) for v, own in zip(vectors, shape, strict=True))


def einsum(equation: str, *operands: Any) -> Tensor:
    """Products of elements, summed over the axes whose letters the output does not have.

    ``"ij,jk->ik"`` is the matrix product; ``...`` means axes that broadcast; a letter twice in one
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


def matmul(input: Any, other: Any) -> Tensor:
    """The matrix product, 1-d to batched n-d.

    >>> import tinygrad_rnn as tg
    >>> tg.matmul(tg.ones(2, 3), tg.ones(3)).shape
    (2,)
    """
    return products.matmul(as_tensor(input), other)


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


# ---- elementwise ------------------------------------------------------------------------------


def paired(op: Any, input: Any, other: Any) -> Tensor:
    """An op of two operands, of which either may be a Python number: it takes the other's dtype."""
    result: Tensor = op(input if is_tensor(other) else as_tensor(input), other)
    return result


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


def lerp(input: Any, end: Any, weight: Any) -> Tensor:
    """``input + weight * (end - input)``: the point that divides the way to ``end``.

    >>> import tinygrad_rnn as tg
    >>> tg.lerp(tg.zeros(2), tg.ones(2), 0.25)
    tensor([0.25, 0.25])
    """
    start = input if is_tensor(end) else as_tensor(input)
    result: Tensor = start + weight * (end - start)
    return result


def atan2(input: Any, other: Any) -> Tensor:
    """The angle of the point (``other``, ``input``), from -pi to pi; at the origin its slopes are taken as 0.

    >>> import tinygrad_rnn as tg
    >>> tg.atan2(tg.tensor([1.0, 0.0]), tg.tensor([1.0, -1.0]))
    tensor([0.7854, 3.1416])
    """
    return paired(curves.atan2, input, other)


arctan2 = atan2


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


def _times(other: Any, alpha: float) -> Any:
    if alpha == 1:
        return other
    return (other if isinstance(other, (int, float)) else as_tensor(other)) * alpha
