"""Who else looks at a gradient on its way? Hooks, called once a pass with all that arrived at a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

import numpy as np

from .values import Handle, Leaf, Node, Value

if TYPE_CHECKING:
    from ..tensors import Tensor


class Hook:
    """What ``register_hook`` returns: ``remove()`` ends the hook. Hooks are called in their order."""

    registered = False  # whether there ever was one: passes look for hooks only then
    alive: ClassVar[WeakSet[Hook]] = WeakSet()  # those neither removed nor gone with their node

    def __init__(self, node: Node | Leaf, function: Callable[[Tensor], Any]) -> None:
        self.function = function
        Hook.registered = True
        Hook.alive.add(self)
        if not hasattr(node, "hooks"):
            node.hooks = []
        node.hooks[:] = [*filter(Hook.alive.__contains__, node.hooks), self]

    def remove(self) -> None:
        """Call the hook no more."""
        Hook.alive.discard(self)

    def __enter__(self) -> Hook:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def hooked(node: Value, g: Any) -> Any:
    """The gradient that goes on from a node, after what its hooks made of it."""
    tensor: Any = Handle.kind
    for hook in [*filter(Hook.alive.__contains__, getattr(node, "hooks", ()))]:
        given = isinstance(g, tensor)
        made = hook.function(g if given else tensor._wrap(np.array(g), None))
        if made is None:
            continue
        if not isinstance(made, tensor) or made.shape != node.shape:
            came = getattr(made, "shape", type(made).__name__)
            raise ValueError(
                f"a hook returned {came}, expected None or a Tensor of shape {node.shape}"
            )
        made = made.to(node.dtype)
        g = made if given else np.array(made._data)
    return g
