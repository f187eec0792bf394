"""What does a compiled call tell of its steps? The arrays that a recorded loop would leave, over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from .values import Array, Leaf, Node, Value

if TYPE_CHECKING:
    from ..ops.row import Op
    from .lazy_output import Fold


@dataclass(slots=True)
class UseOverTime:
    """One use of one Parameter at every step: an op of the step, and which operand the Parameter is.

    ``gradient`` is that of the op's output at each step, (time, *shape), of an op with several outputs a
    list of them; ``out`` and ``saved`` are what the
    op's rules read, those named in ``varying`` (``-1``: the output) with an axis of time in front.
    ``reached`` says at which steps a gradient came at all. ``leaf`` is the Parameter's own node.
    """

    op: Op
    operand: int
    leaf: Leaf
    parents: tuple[Value, ...]
    gradient: Any
    out: Any
    saved: tuple[Any, ...]
    varying: frozenset[int]
    reached: Array
    states: dict[int, int]  # which operands are which parts of the state that comes in
    number: int  # which of the uses at one step this is


@dataclass(slots=True)
class Inside:
    """What flowed through one cell's run in one backward pass, in the order of time.

    ``entering[k]`` is what each step sent to the k-th part of the state that it started from, (time,
    *shape), and ``entered[k]`` whether anything did. ``totals`` are the whole gradients of the output and of
    the parts of the new state, None for one that the step only hands on. ``x`` is what it sent to its input,
    None where the input asks for nothing.
    """

    steps: range
    backwards: bool
    uses: list[UseOverTime]
    entering: list[Array]
    entered: list[Array]
    totals: list[Array | None]
    x: Array | None = None
    x_node: Value | None = None

    def in_time(self) -> Inside:
        """The same of a run that began at the last step: its arrays turned round, into the order of time."""

        def turned(array: Array) -> Array:
            return array[::-1]

        uses = [
            replace(
                use,
                gradient=[*map(turned, use.gradient)]
                if isinstance(use.gradient, list)
                else turned(use.gradient),
                out=turned(use.out) if -1 in use.varying else use.out,
                saved=tuple(turned(a) if k in use.varying else a for k, a in enumerate(use.saved)),
                reached=turned(use.reached),
            )
            for use in self.uses
        ]
        entering, entered = map(turned, self.entering), map(turned, self.entered)
        totals = [None if total is None else turned(total) for total in self.totals]
        states = replace(self, entering=[*entering], entered=[*entered], totals=totals)
        return replace(states, backwards=True, uses=uses)


class Hearing(Protocol):
    """Who hears of compiled calls as wholes, and of what flowed inside, where they can tell it."""

    def takes(self, fold: Fold) -> bool:
        """Whether a call need not be recorded op by op for the hearing's sake."""

    def heard(self, node: Node, insides: list[Inside | None], gradients: list[Any]) -> None:
        """The one node of a call has had its turn: what flowed inside, cell by cell, and to its parents."""
