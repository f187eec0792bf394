"""What is an output of many steps that ran as one? A node that is unfolded when somebody looks into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .values import Leaf, Node, Value, next_number

if TYPE_CHECKING:
    from .inside import Hearing

N = TypeVar("N", bound=Value)
Write = tuple[Callable[[Any, Any], None], Any, Any]


class Fold(Protocol):
    """Who ran the steps: it can say which they were, and record them when somebody looks.

    ``nested``: whether one of its outputs is made of another.
    """

    nested: bool
    steps: range

    def unfold(self) -> None:
        """Record every step, and let the outputs be the nodes that were recorded."""


class LazyOutput(Node):
    """A result of many recorded ops that ran as one: a compiled layer's output.

    Gradients go the short way, as the part ``position`` of those of ``whole``, the one node that ran.
    Whoever reads ``op``, ``parents``, ``saved`` or ``out`` reads what was folded, recorded when first
    looked at: ``fold`` is who can ``unfold()`` it, or record some of its steps alone, and None from then on.
    Where the fold is ``nested``, one output depends on another (a cell's h on its c): each has its own
    derivative only by what was folded, and once that is recorded gradients go there.
    """

    __slots__ = ("__weakref__", "fold", "position", "whole")

    def __init__(self, whole: Node, position: int, fold: Fold) -> None:
        self.whole: Node | None = whole
        self.position = position
        self.fold: Fold | None = fold
        self.shape, self.dtype = whole.shape[position], whole.dtype
        self.number, self.place = next_number(), whole.place
        self.name, self.retained = None, None

    def becoming(self, node: Node) -> list[Write]:
        """What to write for this to be a node that was recorded."""
        values = {slot: getattr(node, slot) for slot in ("op", "parents", "saved", "out", "place")}
        values |= {"number": node.number, "name": self.name or node.name}
        if self.fold is not None and self.fold.nested:
            values["whole"] = None
        return slot_writes(self, **values, fold=None)


def slot_writes(thing: Node, **values: Any) -> list[Write]:
    """Attributes to set, prepared so far that setting them cannot fail: no call is left that takes memory."""
    owners = {slot: Node if slot in Node.__slots__ else type(thing) for slot in values}
    return [(getattr(owners[k], k).__set__, thing, value) for k, value in values.items()]


def is_shortcut(node: Value) -> bool:
    """Whether gradients go from a node to the one node that ran."""
    return isinstance(node, LazyOutput) and node.whole is not None


def grad_parents(node: Value) -> tuple[Value, ...]:
    """Where gradients go on to."""
    if isinstance(node, LazyOutput) and node.whole is not None:
        return (node.whole,)
    return node.parents


def materialize(node: N) -> N:
    """A node whose own derivative is asked for; what it depends on together with others is recorded."""
    if isinstance(node, LazyOutput) and node.fold is not None and node.fold.nested:
        node.fold.unfold()
    return node


def _unfolding(slot: str) -> property:
    """A node's attribute that is there once the node has been unfolded."""
    plain = getattr(Node, slot)

    def read(node: LazyOutput) -> Any:
        if node.fold is not None:
            node.fold.unfold()
        return plain.__get__(node)

    def write(node: LazyOutput, value: Any) -> None:
        read(node)
        plain.__set__(node, value)

    return property(read, write)


for _slot in ("op", "parents", "saved", "out"):
    setattr(LazyOutput, _slot, _unfolding(_slot))


def unfold_others(roots: Sequence[tuple[Node | Leaf, Any]], hearing: Hearing) -> None:
    """Record op by op the compiled calls behind the roots that a hearing does not take."""
    stack: list[Any] = [node for node, _ in roots]
    seen = set(map(id, stack))
    while stack:
        node = stack.pop()
        folded = node.__class__ is LazyOutput and node.fold is not None and hearing.takes(node.fold)
        for below in (node.whole,) if folded else node.parents:
            if id(below) not in seen:
                seen.add(id(below))
                stack.append(below)
