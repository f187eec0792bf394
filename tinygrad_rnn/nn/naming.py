"""What is a value called? Names for values, and time steps for loops over bare Parameters."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from ..engine.places import Place, state
from ..engine.values import Constant, Node
from ..ops.recording import constant
from ..tensors import Tensor, as_tensor


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
    for listener in _now.listeners:
        listener(name, tensor)
    return tensor


def name_all(**values: Tensor) -> None:
    """Name the recorded ones among some values: ``name_all(i=i, f=f)``."""
    for label, tensor in values.items():
        node = tensor._node
        if isinstance(node, Node):
            node.name = label
        for listener in _now.listeners:
            listener(label, tensor)


class _Now(threading.local):
    """Who wants to hear of named values, each thread for itself."""

    def __init__(self) -> None:
        self.records: list[Any] = []  # the open gate records
        self.listeners: list[Any] = []  # what the running cell's values are told to


_now = _Now()


def listening(cell: Any, label: str, step: int) -> tuple[list[Any], list[Any]]:
    """Have the records that watch a cell hear what it names from now on: (them, who heard before)."""
    before = _now.listeners
    if _now.records:
        _now.listeners = [r.listener(cell, label, step) for r in _now.records if r.watches(cell)]
    return _now.listeners, before


def stop_listening(before: list[Any]) -> None:
    """Give the ear back to who had it."""
    _now.listeners = before


def run_begins(cell: Any, first: int, steps: int, lengths: Any) -> None:
    """Tell the records that watch a cell that it is about to run over some steps."""
    for record in _now.records:
        if record.watches(cell):
            record.begins(cell, first, steps, lengths)


def named_input(tensor: Tensor, label: str, step: int | None) -> Any:
    """The node of a value that enters a cell, named by its role where it has no name yet."""
    node = tensor._node
    if node is None:
        return constant(tensor, label, step)
    if isinstance(node, Constant):
        stale = node.name == label and node.place.step != step
        if node.name is None or stale:
            return constant(tensor, label, step)
    return node


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
