"""How is a tensor copied and pickled? As a leaf of its own: what was computed cannot be, with its past."""

# mypy: disable-error-code="misc"
# `self` is the Tensor that inherits these methods (mypy wants a supertype there).

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.values import Array, Leaf, Node, handle
from .arrays import of_the_one_dtype

if TYPE_CHECKING:
    from .value import Tensor


class Copying:
    """What ``copy``, ``deepcopy`` and ``pickle`` ask for."""

    __slots__ = ()

    def __copy__(self: Tensor) -> Tensor:
        return self.clone()

    def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
        """A leaf of its own with the same values; a computed tensor cannot be copied with its past."""
        if isinstance(self._node, Node):
            raise RuntimeError(
                "only leaves can be deep-copied, and this tensor was computed: detach() it first"
            )
        t = object.__new__(type(self))
        t._data, t._node, t._tag, t._alias = np.array(self._data), None, self._tag, None
        memo[id(self)] = t
        if isinstance(self._node, Leaf):
            t._node = Leaf(self.shape, self.dtype, self._node.needs, self._node.name)
            t._node.hold(t._data)
            grad = self._node.grad
            t._node.grad = None if grad is None else handle(np.array(grad._data), None)
        return t

    def __reduce__(self: Tensor) -> Any:
        if isinstance(self._node, Node):
            raise RuntimeError("a computed tensor cannot be pickled with its past: detach() it")
        node = self._node
        leaf = (node.needs, node.name) if isinstance(node, Leaf) else (False, None)
        return _rebuilt, (type(self), np.array(self._data), *leaf, isinstance(node, Leaf))


def _rebuilt(
    kind: Any, data: Array, requires_grad: bool, name: str | None = None, is_leaf: bool = False
) -> Tensor:
    """Unpickle a leaf (a frozen Parameter is one too) or a constant."""
    t: Tensor = object.__new__(kind)
    data = of_the_one_dtype(data)
    t._data, t._tag, t._node, t._alias = data, None, None, None
    if requires_grad or is_leaf:
        t._node = Leaf(t.shape, t.dtype, requires_grad, name).hold(data)
    return t
