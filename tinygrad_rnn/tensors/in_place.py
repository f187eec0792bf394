"""What writes into a tensor itself? What a name that ends in ``_`` does, ``t += v``, ``t[i] = v``."""

# mypy: disable-error-code="misc,no-any-return"
# `self` is the Tensor that inherits these methods (mypy wants a supertype there); operators with an operand
# of any kind give Any.

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.random import generator_or_default
from .arrays import index_of, integers
from .axes import axis_of
from .writing import become, cut, turn, write

if TYPE_CHECKING:
    from .value import Tensor


def _in_place(name: str) -> Callable[[Any], Tensor]:
    """The method that writes what the method ``name`` returns."""

    def method(self: Tensor) -> Tensor:
        return become(self, getattr(self, name)(), f"{name}_")

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"``{name}()`` in place; see ``copy_``."
    return method


class InPlace:
    """What changes this tensor and, as ``writing`` says, those that share its memory."""

    __slots__ = ()

    def copy_(self: Tensor, source: Any, *, by: str = "copy_") -> Tensor:
        """Write new values, cast and broadcast, here and in whatever shares the memory; returns the tensor.

        Views see it and are seen, as in PyTorch: an item, a slice, a transpose, a part of a split,
        ``detach()``, ``data``. Values under a graph stay what they were: what has been recorded keeps the
        old ones, what is recorded from now on gets the new ones, and gradients go to ``source`` and, but for
        what was overwritten, to what this tensor was. A leaf that requires a gradient is written under
        ``no_grad`` (or by ``data``) alone; backward of graphs made before raises ``StaleGraphError`` and
        names ``by``. Raises RuntimeError for such a leaf while recording, ValueError where shapes do not fit.

        >>> import tinygrad_rnn as tg
        >>> x = tg.zeros(2, 3)
        >>> _ = x.T[0].copy_(tg.tensor([1.0, 2.0]))
        >>> x
        tensor([[1., 0., 0.],
                [2., 0., 0.]])
        """
        return write(self, source, by)

    def zero_(self: Tensor) -> Tensor:
        """Set every value to 0; see ``copy_``."""
        return write(self, 0, "zero_")

    def fill_(self: Tensor, value: Any) -> Tensor:
        """Set every value to ``value``, a number or a 0-d tensor; see ``copy_``."""
        return write(self, value, "fill_")

    def __iadd__(self: Tensor, other: Any) -> Any:
        return become(self, self + other, "+=")

    def __isub__(self: Tensor, other: Any) -> Any:
        return become(self, self - other, "-=")

    def __imul__(self: Tensor, other: Any) -> Any:
        return become(self, self * other, "*=")

    def __itruediv__(self: Tensor, other: Any) -> Any:
        return become(self, self / other, "/=")

    def __ipow__(self: Tensor, other: Any) -> Any:
        return become(self, self**other, "**=")

    def __ifloordiv__(self: Tensor, other: Any) -> Any:
        return become(self, self // other, "//=")

    def __imod__(self: Tensor, other: Any) -> Any:
        return become(self, self % other, "%=")

    def __iand__(self: Tensor, other: Any) -> Any:
        return become(self, self & other, "&=")

    def __ior__(self: Tensor, other: Any) -> Any:
        return become(self, self | other, "|=")

    def __ixor__(self: Tensor, other: Any) -> Any:
        return become(self, self ^ other, "^=")

    def __setitem__(self: Tensor, index: Any, value: Any) -> None:
        write(self, value, "x[...] = v", index_of(index))

    def add_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        """Add ``alpha * other`` in place; see ``copy_``."""
        return become(self, self + (other if alpha == 1 else other * alpha), "add_")

    def sub_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        """Subtract ``alpha * other`` in place; see ``copy_``."""
        return become(self, self - (other if alpha == 1 else other * alpha), "sub_")

    def mul_(self: Tensor, other: Any) -> Tensor:
        """Multiply in place; see ``copy_``."""
        return become(self, self * other, "mul_")

    def div_(self: Tensor, other: Any) -> Tensor:
        """Divide in place; see ``copy_``."""
        return become(self, self / other, "div_")

    def pow_(self: Tensor, exponent: Any) -> Tensor:
        """Raise to a power in place; see ``copy_``."""
        return become(self, self**exponent, "pow_")

    def remainder_(self: Tensor, other: Any) -> Tensor:
        """The remainder of a division in place; see ``copy_``."""
        return become(self, self % other, "remainder_")

    def addcmul_(self: Tensor, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
        """Add ``value * tensor1 * tensor2`` in place; see ``copy_``."""
        return become(self, self + tensor1 * tensor2 * value, "addcmul_")

    def addcdiv_(self: Tensor, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
        """Add ``value * tensor1 / tensor2`` in place; see ``copy_``."""
        return become(self, self + tensor1 / tensor2 * value, "addcdiv_")

    def lerp_(self: Tensor, end: Any, weight: Any) -> Tensor:
        """Go the part ``weight`` of the way to ``end`` in place; see ``copy_``."""
        return become(self, self + (end - self) * weight, "lerp_")

    def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
        """Clip in place; see ``copy_``."""
        return become(self, self.clip(min, max), "clamp_")

    clip_ = clamp_

    def clamp_min_(self: Tensor, min: Any) -> Tensor:
        """Raise what is below ``min`` to it, in place; see ``copy_``."""
        return become(self, self.clip(min), "clamp_min_")

    def clamp_max_(self: Tensor, max: Any) -> Tensor:
        """Lower what is above ``max`` to it, in place; see ``copy_``."""
        return become(self, self.clip(None, max), "clamp_max_")

    def reciprocal_(self: Tensor) -> Tensor:
        """1 / x in place; see ``copy_``."""
        return become(self, 1 / self, "reciprocal_")

    def cumsum_(self: Tensor, dim: Any) -> Tensor:
        """The sums along ``dim`` in place; see ``copy_``."""
        return become(self, self.cumsum(dim), "cumsum_")

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

    # ---- drawn

    def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Any = None) -> Tensor:
        """Write values from U(a, b); see ``copy_``."""
        drawn = generator_or_default(generator).uniform(a, b, self.shape)
        return write(self, drawn, "uniform_")

    def normal_(
        self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None
    ) -> Tensor:
        """Write values from N(mean, std**2); see ``copy_``."""
        drawn = generator_or_default(generator).normal(mean, std, self.shape)
        return write(self, drawn, "normal_")

    def bernoulli_(self: Tensor, p: float = 0.5, *, generator: Any = None) -> Tensor:
        """Write 1 with the probability p, else 0; see ``copy_``."""
        drawn = generator_or_default(generator).random(self.shape) < p
        return write(self, drawn, "bernoulli_")

    # ---- the same elements in another shape

    def unsqueeze_(self: Tensor, dim: Any) -> Tensor:
        """The tensor itself with a new axis at ``dim``; see ``unsqueeze``."""
        return turn(self, self.unsqueeze(dim), "unsqueeze_")

    def squeeze_(self: Tensor, dim: Any = None) -> Tensor:
        """The tensor itself without axes of length 1; see ``squeeze``."""
        return turn(self, self.squeeze(dim), "squeeze_")

    def t_(self: Tensor) -> Tensor:
        """The tensor itself, transposed; see ``t``."""
        return turn(self, self.t(), "t_")

    def transpose_(self: Tensor, dim0: Any, dim1: Any) -> Tensor:
        """The tensor itself with two axes swapped; see ``transpose``."""
        return turn(self, self.transpose(dim0, dim1), "transpose_")

    def detach_(self: Tensor) -> Tensor:
        """Cut this tensor from its graph. Raises RuntimeError for a leaf: requires_grad_(False) is meant."""
        if self.is_leaf and self.requires_grad:
            raise RuntimeError(
                "detach_: a leaf has no past: use requires_grad_(False), or detach()"
            )
        return cut(self)

    # ---- at some places

    def masked_fill_(self: Tensor, mask: Any, value: Any) -> Tensor:
        """Write ``value`` where the mask, which is broadcast, is true; see ``copy_``."""
        where = np.broadcast_to(np.asarray(mask).astype(bool), self.shape)
        return write(self, value, "masked_fill_", where.copy())

    def index_fill_(self: Tensor, dim: Any, index: Any, value: Any) -> Tensor:
        """Write ``value`` into the slices along ``dim`` that a vector names; see ``copy_``."""
        return write(self, value, "index_fill_", _slices(self, dim, index))

    def index_copy_(self: Tensor, dim: Any, index: Any, source: Any) -> Tensor:
        """Write the slices of ``source`` into those along ``dim`` that a vector names; see ``copy_``."""
        return write(self, source, "index_copy_", _slices(self, dim, index))

    def index_add_(self: Tensor, dim: Any, index: Any, source: Any, *, alpha: float = 1) -> Tensor:
        """Add the slices of ``source`` to those along ``dim`` that a vector names; see ``copy_``."""
        part = source if alpha == 1 else source * alpha
        return become(self, self.at[_slices(self, dim, index)].add(part), "index_add_")

    def scatter_(self: Tensor, dim: Any, index: Any, src: Any = None, **options: Any) -> Tensor:
        """``scatter`` in place; see ``copy_``."""
        return become(self, self.scatter(dim, index, src, **options), "scatter_")

    def scatter_add_(self: Tensor, dim: Any, index: Any, src: Any) -> Tensor:
        """``scatter_add`` in place; see ``copy_``."""
        return become(self, self.scatter_add(dim, index, src), "scatter_add_")

    def index_put_(self: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
        """``self[indices] = values``, or ``+=`` for every time that an element is named; see ``copy_``."""
        where = tuple(np.array(getattr(i, "_data", i)) for i in indices)
        if accumulate:
            return become(self, self.at[where].add(values), "index_put_")
        return write(self, values, "index_put_", where)

    def fill_diagonal_(self: Tensor, value: Any) -> Tensor:
        """Write ``value`` on the diagonal of a matrix; see ``copy_``."""
        if self.ndim != 2:
            raise ValueError(f"fill_diagonal_ takes a matrix, not shape {self.shape}")
        along = np.arange(min(self.shape))
        return write(self, value, "fill_diagonal_", (along, along))


def _slices(tensor: Any, dim: Any, index: Any) -> tuple[Any, ...]:
    """The index of the slices along ``dim`` that a vector of integers names."""
    return (*(slice(None),) * axis_of(tensor, dim), integers("the index", index).reshape(-1))
