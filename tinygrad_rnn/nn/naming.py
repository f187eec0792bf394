"""What is a value called? Names for values, and time steps for loops over bare Parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..engine.places import Place, state
from ..ops.recording import constant
from ..tensors import Tensor, as_tensor
from .stepping import named_input


def name(tensor: Tensor, name: str) -> Tensor:
    """Name a value for graphs and pictures; returns the same tensor.

    >>> import tinygrad_rnn as tg
    >>> w = tg.name(tg.tensor(0.5, requires_grad=True), "w")
    >>> list(tg.graph(w * 2).parameters)
    ['w']
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"name() takes a Tensor, not {type(tensor).__name__}")
    if tensor._node is None:
        constant(tensor, name)
    else:
        tensor._node.name = name
    for listener in state.listeners:
        listener(name, tensor)
    return tensor


def steps(x: Any) -> Iterator[Tensor]:
    """Iterate over time, marking each turn of the loop as a time step: ``for x_t in tg.steps(x)``.

    ``x`` is (time, ...), or an int for that many turns, which then yields the step's number. What the
    loop's body records belongs to steps 0, 1, 2 ...

    >>> import tinygrad_rnn as tg
    >>> W, h = tg.name(tg.ones(2, 2, requires_grad=True), "W"), tg.zeros(2)
    >>> for x_t in tg.steps(tg.ones(3, 2)):
    ...     h = (W @ h + x_t).tanh()
    >>> [use.step for use in tg.graph(h).uses("W")]
    [0, 1, 2]
    """
    before = state.place
    turns: Any = range(x) if isinstance(x, int) else as_tensor(x).unbind(0)
    try:
        for t, x_t in enumerate(turns):
            state.place = Place(before.scope, t, before.call)
            if isinstance(x_t, Tensor):
                named_input(x_t, "x", t)
            yield x_t
    finally:
        state.place = before
