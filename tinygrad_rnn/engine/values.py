"""What is a value to the engine? An array and the node that made it.

A recorded op leaves a :class:`Node`: the op, its parents in order, what its rules need, and where it
was made. It never holds its own output's Tensor, so graphs are free of reference cycles and vanish
with the last tensor that points at them. Nodes are numbered as they are made.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Self
from weakref import ref

import numpy as np

from .places import NOWHERE, Place, users_calls

if TYPE_CHECKING:
    from types import CodeType

    from ..ops.row import Op
    from ..tensors import Tensor
    from .hooks import Hook

DType = np.dtype[Any]
Array = np.ndarray[Any, DType]
Grad = Array | None  # None: nothing came


class Handle:
    """The slots of a Tensor: an array, the node that made it, the time step that rides on it, who shares
    its memory. ``kind`` is the class that results are made of: the floor above sets it."""

    __slots__ = ("_alias", "_data", "_node", "_tag")
    _alias: Any  # see ``tensors.writing``
    _data: Array
    _node: Value | None
    _tag: int | None
    kind: ClassVar[type[Tensor]]


def handle(data: Array, node: Value | None) -> Any:
    """A tensor on an array that nobody else writes (``Tensor._wrap``, for what is an array for sure)."""
    t = object.__new__(Handle.kind)
    t._data, t._node = data, node
    t._tag = t._alias = None
    return t


# ---- nodes ----------------------------------------------------------------------------------

STRIDE = 1 << 32  # room between two numbers for the nodes that one folded node stands for
next_number = count(0, STRIDE).__next__


class Node:
    """A recorded op: ``(op, parents, what its rules need, where it was made)``.

    ``saved`` holds, in the order of the rules' arguments, the operands that a rule reads (None for
    those that none reads) and then the op's constants; ``out`` the output where a rule reads it.
    """

    __slots__ = (
        "dtype",
        "hooks",  # set by the first hook alone
        "name",
        "number",
        "op",
        "out",
        "parents",
        "place",
        "retained",
        "saved",
        "shape",
    )
    needs: ClassVar[bool] = True
    hooks: list[Hook]

    def __init__(
        self,
        op: Op,
        parents: tuple[Value, ...],
        out: Any,
        saved: tuple[Any, ...],
        shape: tuple[Any, ...],
        dtype: DType,
        place: Place,
    ) -> None:
        self.op = op
        self.parents = parents
        self.out = out
        self.saved = saved
        self.shape = shape
        self.dtype = dtype
        self.place = place
        self.number = next_number()
        self.name: str | None = None
        self.retained: list[Any] | None = None


class _Source:
    """What no op made: the common part of leaves, constants and literals.

    ``held`` is what pictures learn the value from: a number, or a weak reference to the tensor's array.
    """

    __slots__ = ("dtype", "held", "name", "number", "place", "shape")
    op: ClassVar[None] = None
    parents: ClassVar[tuple[Value, ...]] = ()
    retained: ClassVar[None] = None

    def __init__(self, shape: tuple[int, ...], dtype: Any, name: str | None = None) -> None:
        self.shape = shape
        self.dtype = dtype
        self.name = name
        self.place = NOWHERE
        self.number = next_number()
        self.held: Any = None

    def hold(self, data: Array) -> Self:
        """Remember whose value this is, without keeping more than a number alive; returns itself."""
        self.held = data.item() if data.size == 1 else ref(data)
        return self


class Constant(_Source):
    """A value that takes no gradient. It keeps no array alive: only what a picture says of it.

    ``since`` is the time step that made it, where it is a state that was cut off from what made it.
    """

    __slots__ = ("since",)
    needs: ClassVar[bool] = False

    def __init__(self, shape: tuple[int, ...], dtype: Any, name: str | None = None) -> None:
        super().__init__(shape, dtype, name)
        self.since: int | None = None


class Literal(_Source):
    """A Python number among the operands."""

    __slots__ = ("value",)
    needs: ClassVar[bool] = False

    def __init__(self, value: bool | int | float) -> None:
        super().__init__((), type(value).__name__)
        self.value = value


class Leaf(_Source):
    """Where gradients arrive. Each write to its tensor replaces it and marks the old one stale.

    ``key`` stays the same through writes, so that a Parameter knows itself in any graph. ``role`` is
    "parameter", or "input" for a sequence that a recurrent layer was given. ``made`` says which of the user's
    calls made it, where it is known.
    """

    __slots__ = ("grad", "hooks", "key", "made", "needs", "role", "stale", "stale_at")
    hooks: list[Hook]
    made: tuple[tuple[CodeType, int], ...]

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: DType,
        needs: bool = True,
        name: str | None = None,
        key: int | None = None,
    ) -> None:
        super().__init__(shape, dtype, name)
        self.needs = needs
        self.key = self.number if key is None else key
        self.role = "parameter"
        self.grad: Tensor | None = None
        self.stale: str | None = None
        self.stale_at = 0

    def by_user(self) -> Leaf:
        """The same leaf, which remembers the user's calls that it is being made in."""
        self.made = users_calls()
        return self

    def renew(self, data: Array) -> None:
        """Be the leaf of the tensor's new value, of its shape and dtype: only the tensor refers to it."""
        self.number = next_number()
        self.held = ref(data) if data.size != 1 else data.item()

    def replaced(self, shape: tuple[int, ...], dtype: Any, by: str) -> Leaf:
        """The leaf of the tensor's new value; this one becomes stale."""
        fresh: Leaf = object.__new__(Leaf)  # as the constructor does, without its calls
        fresh.shape, fresh.dtype, fresh.name, fresh.place = shape, dtype, self.name, NOWHERE
        fresh.number, fresh.held = next_number(), None
        fresh.needs, fresh.key, fresh.role = self.needs, self.key, "parameter"
        fresh.grad, fresh.stale, fresh.stale_at = self.grad, None, 0
        if hasattr(self, "hooks"):
            fresh.hooks = self.hooks
        if hasattr(self, "made"):
            fresh.made = self.made
        self.stale, self.stale_at = by, fresh.number
        return fresh


Value = Node | Leaf | Constant | Literal


def reachable(roots: Iterable[Value]) -> list[Value]:
    """Every node that the roots were computed from, the roots included, without recursion."""
    stack = list(roots)
    seen = {id(node) for node in stack}
    found: list[Value] = []
    while stack:
        node = stack.pop()
        found.append(node)
        for parent in node.parents:
            key = id(parent)
            if key not in seen:
                seen.add(key)
                stack.append(parent)
    return found


def as_array(value: Any) -> Any:
    """A value as it is, but for numpy's scalars, which arithmetic of 0-d arrays gives: 0-d arrays again.

    Every value of a tensor and every gradient is an array: an op that meets a scalar would take it for
    a number without a past, and a tensor of one could not be locked.
    """
    return np.asarray(value) if isinstance(value, np.generic) else value
