"""A layer one time step at a time, without gradients: no checks that the last step has passed already.

What depends on the weights alone is done once and kept while there is the cell, until a weight is
written (values never change: a write installs another array).
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..nn.module import Module
from ..tensors import Tensor
from .cells import BUILT_IN, OPTIONS, compiled, weights_of
from .running import refusal
from .tracing import Untraceable


class Stream:
    """One built-in cell's step on arrays (1, batch, features), for the weights as they are."""

    __slots__ = ("arrays", "batch", "options", "prepared", "step", "weights")

    def __init__(self, cell: Any, x: Any, states: list[Any]) -> None:
        given = [Tensor._wrap(s[0], None) for s in states]
        state = given[0] if len(given) == 1 else tuple(given)
        found, self.weights = compiled(cell, x, state, None, {})
        made = found.stream()
        if made is None:
            raise Untraceable("two parts of its state are one value")
        prepare, self.step = made
        self.arrays = [w._data for w in self.weights]
        self.prepared = prepare(*self.arrays)
        self.batch, self.options = x.shape[1], [cell.__dict__.get(name) for name in OPTIONS]

    def fits(self, cell: Any, batch: int) -> bool:
        """Whether nothing has changed since it was made."""
        if batch != self.batch or [cell.__dict__.get(name) for name in OPTIONS] != self.options:
            return False
        for w, known, array in zip(weights_of(cell), self.weights, self.arrays, strict=True):
            if w is not known or w._data is not array:
                return False
        return True


prepared: WeakKeyDictionary[Module, Stream] = WeakKeyDictionary()  # the steps of cells, by cell


def streamed(layer: Any, x: Any, state: Any) -> tuple[Tensor, list[Any]] | None:
    """(output, last states of all cells as arrays (layers, batch, features)) of one step, or None where the
    ordinary way must be gone: for what it says, for what it records, or because nothing is compiled."""
    if not isinstance(x, Tensor):
        return None
    cells: list[Module] = layer.cells()
    names = layer._first.states
    parts = (state,) if len(names) == 1 else state
    data, like = x._data, layer._first.weight_ih._data
    if (
        data.ndim != 2
        or data.dtype != like.dtype
        or data.shape[1] != layer.input_size
        or parts.__class__ is not tuple
        or len(parts) != len(names)
        or refusal(layer) is not None
    ):
        return None
    batch = data.shape[0]
    for size, part in zip(layer._first.state_sizes().values(), parts, strict=True):
        if (
            not isinstance(part, Tensor)
            or part._data.shape != (len(cells), batch, size)
            or part._data.dtype != like.dtype
        ):
            return None
    y = np.ascontiguousarray(data[None])
    arrays = [np.ascontiguousarray(part._data) for part in parts]
    last = []
    for k, cell in enumerate(cells):
        mine = arrays if len(cells) == 1 else [a[k : k + 1] for a in arrays]
        stream = prepared.get(cell)
        if stream is None or not stream.fits(cell, batch):
            if type(cell) not in BUILT_IN or callable(cell.__dict__.get("step")):
                return None
            try:
                stream = prepared[cell] = Stream(cell, y, mine)
            except Untraceable:
                return None
        y, *new = stream.step(stream.prepared, y, *mine)
        last.append(new)
    if len(cells) == 1:
        return Tensor._wrap(y[0], None), last[0]
    return Tensor._wrap(y[0], None), [np.concatenate(each) for each in zip(*last, strict=True)]
