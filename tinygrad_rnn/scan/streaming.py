"""A layer one time step at a time, without gradients: no checks that the last step has passed already.

What depends on the weights alone is done once and kept while there is the cell, until a weight is
written (values never change: a write installs another array).
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..autograd import state as now
from ..nn.module import Module
from ..nn.recurrent import step_after
from ..tensors import Tensor
from .cells import BUILT_IN, OPTIONS, compiled, weights_of
from .running import refusal
from .tracing import Untraceable


class Stream:
    """A layer's step on inputs and states of one shape, for the weights as they are."""

    __slots__ = ("cells", "dtype", "options", "states", "weights", "x")

    def __init__(self, layer: Any, x: Any, states: list[Any]) -> None:
        self.x, self.states = x.shape, [(s.shape, s.dtype) for s in states]
        self.dtype = x.dtype
        self.cells: list[
            tuple[Any, Any]
        ] = []  # of each cell the step, and what it was prepared from
        self.weights: list[tuple[dict[str, Any], str, Tensor | None, Any]] = []
        self.options: list[tuple[dict[str, Any], Any, Any]] = []
        shape = x.shape[1]
        for cell in layer.cells():
            if type(cell) not in BUILT_IN or callable(cell.__dict__.get("step")):
                raise Untraceable("its equations are not a built-in cell's")
            slots = weights_of(cell)
            if slots is None:
                raise Untraceable("a computed tensor stands in the place of a Parameter")
            mine = [Tensor._wrap(np.zeros(s.shape[1:], s.dtype), None) for s in states]
            given = np.zeros((1, x.shape[0], shape), x.dtype)
            found, weights = compiled(
                cell, given, mine[0] if len(mine) == 1 else tuple(mine), None, {}
            )
            made = found.stream()
            if made is None:
                raise Untraceable("two parts of its state are one value")
            prepare, step = made
            self.cells.append((step, prepare(*[w._data for w in weights])))
            self._note(cell, slots)
            shape = cell.output_size

    def _note(self, cell: Any, slots: list[tuple[dict[str, Any], str, Tensor | None]]) -> None:
        """What a cell's step was prepared from."""
        self.weights += [(d, n, t, None if t is None else t._data) for d, n, t in slots]
        attributes = cell.__dict__
        look = itemgetter(*[name for name in OPTIONS if name in attributes])
        self.options.append((attributes, look, look(attributes)))

    def fits(self, x: Any, states: list[Any]) -> bool:
        """Whether input and states have the shapes, and nothing has changed since it was made."""
        if x.shape != self.x or x.dtype != self.dtype:
            return False
        if [(s.shape, s.dtype) for s in states] != self.states:
            return False
        for table, name, tensor, array in self.weights:
            if table.get(name) is not tensor or (tensor is not None and tensor._data is not array):
                return False
        for attributes, look, known in self.options:
            if look(attributes) != known or "step" in attributes:
                return False
        return True


whole = np.ascontiguousarray
prepared: WeakKeyDictionary[Module, Stream] = WeakKeyDictionary()  # the steps of layers, by layer


def streamed(layer: Any, x: Any, state: Any) -> tuple[Tensor, Any] | None:
    """(output, new state) of one step, as ``layer.step`` returns them.

    None where the ordinary way must be gone: for what it says, for what it records, or because nothing
    is compiled.
    """
    parts = (state,) if state.__class__ is Tensor else state
    if x.__class__ is not Tensor or parts.__class__ is not tuple or refusal(layer) is not None:
        return None
    data = x._data
    try:
        states = [part._data for part in parts]
    except AttributeError:
        return None
    stream = prepared.get(layer)
    if stream is None or not stream.fits(data, states):
        if not _right(layer, data, states):
            return None
        try:
            stream = prepared[layer] = Stream(layer, data, states)
        except Untraceable:
            return None
    turn = now.place.step
    if turn is None:
        turn = step_after(parts)
    y = whole(data[None])
    if len(stream.cells) == 1:
        step, ready = stream.cells[0]
        y, *last = step(ready, y, *map(whole, states))
    else:
        each = []
        for k, (step, ready) in enumerate(stream.cells):
            y, *new = step(ready, y, *[whole(s[k : k + 1]) for s in states])
            each.append(new)
        last = [np.concatenate(new) for new in zip(*each, strict=True)]
    wrap = Tensor._wrap
    if len(last) == 1:
        return wrap(y[0], None), wrap(last[0], None, turn)
    return wrap(y[0], None), tuple([wrap(array, None, turn) for array in last])


def _right(layer: Any, x: Any, states: list[Any]) -> bool:
    """Whether input and states are what the layer takes, in its own precision."""
    dtype, sizes = layer._first.weight_ih.dtype, layer._first.state_sizes().values()
    if layer.bidirectional or layer._backwards(0) or x.ndim != 2 or len(states) != len(sizes):
        return False
    if x.shape[1] != layer.input_size:
        return False
    count = len(layer.cells())
    shapes = [(count, x.shape[0], size) for size in sizes]
    return [s.shape for s in states] == shapes and all(a.dtype == dtype for a in (x, *states))
