"""Which steps of a call are recorded, where not all are? Some, each from a state that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..engine.values import Array
from ..tensors import Tensor
from .stepping import mapped


class SomeSteps(tuple[int, ...]):
    """The steps of a call that are to be recorded where not all are (for a picture of a long graph).

    Each goes on from the one before among them; ``entered[cell][step]`` are the values that the state of a
    cell then has, where those of all steps are known: a list of arrays, for steps after a gap.
    """

    entered: Sequence[Mapping[int, Sequence[Array]]] = ()

    def of(self, cell: int) -> SomeSteps:
        """The same for one cell of the call."""
        made = SomeSteps(self)
        made.entered = self.entered[cell : cell + 1]
        return made

    def state(self, step: int, state: Any) -> Any:
        """The state that a step starts from, with its own values."""
        known = self.entered[0].get(step) if self.entered else None
        if known is None:
            return state
        values = iter(known)
        return mapped(lambda t: _valued(t, next(values)), state)


def _valued(t: Tensor, data: Array) -> Tensor:
    made = Tensor._wrap(data, t._node)
    made._tag = t._tag
    return made
