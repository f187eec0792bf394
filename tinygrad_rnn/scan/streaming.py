"""How does a layer run one time step at a time? Without gradients, and checks that have passed.

What depends on the weights alone is done once and kept while there is the cell, until a weight is
written (values never change: a write installs another array).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from ..engine.places import state as now
from ..engine.values import Array
from ..nn.bare import step_after
from ..nn.compiling import State
from ..nn.module import Module
from ..tensors import Tensor
from . import variants
from .backends import FIRST
from .cells import BUILT_IN, variant_of
from .tracing import Untraceable
from .variants import Variant

if TYPE_CHECKING:
    from ..nn.stacks import RecurrentLayer


def _loops_of(cell: Module | None, variant: Variant) -> str:
    """Whose loops are to run a cell's next step, which is counted."""
    return variants.back_end(cell, False, variant.found.work, variants.STEPS)


class Stream:
    """A layer's step on inputs and states of one shape, for the weights as they are."""

    __slots__ = ("cells", "dtype", "first", "modules", "states", "values", "variants", "x")

    def __init__(self, layer: RecurrentLayer, x: Array, states: list[Array]) -> None:
        self.x, self.states = x.shape, [(s.shape, s.dtype) for s in states]
        self.dtype, self.first = x.dtype, False
        self.cells: list[tuple[Any, Any]] = []  # of each the step, and what it was prepared from
        self.modules = [ref(cell) for cell in layer.cells()]
        self.variants: list[Variant] = []
        self.values: list[tuple[Tensor, Array]] = []
        shape = x.shape[1]
        for cell in layer.cells():
            if type(cell) not in BUILT_IN:
                raise Untraceable("its equations are not a built-in cell's")
            mine = [Tensor._wrap(np.zeros(s.shape[1:], s.dtype), None) for s in states]
            given = np.zeros((1, x.shape[0], shape), x.dtype)
            variant = variant_of(cell, given, mine[0] if len(mine) == 1 else tuple(mine), None, {})
            by = _loops_of(cell, variant)
            self.first |= by == FIRST
            made = variant.found.stream(by)
            if made is None:
                raise Untraceable("two parts of its state are one value")
            prepare, step = made
            weights = variant.weights({})
            self.cells.append((step, prepare(*[w._data for w in weights])))
            self.variants.append(variant)
            self.values += [(w, w._data) for w in weights]
            shape = cell.output_size

    def turns(self) -> bool:
        """Whether numpy has run its steps, and the next one is machine code's; the step is counted."""
        pairs = zip(self.modules, self.variants, strict=True)
        return FIRST not in [_loops_of(known(), variant) for known, variant in pairs]

    def fits(self, layer: RecurrentLayer, x: Array, states: list[Array]) -> bool:
        """Whether input and states have the shapes, and nothing has changed since it was made."""
        if x.shape != self.x or x.dtype != self.dtype:
            return False
        if [(s.shape, s.dtype) for s in states] != self.states:
            return False
        for tensor, array in self.values:
            if tensor._data is not array:
                return False
        for cell, known in zip(layer.cells(), self.modules, strict=True):
            if known() is not cell:
                return False
        return all(variant.holds() for variant in self.variants)


whole = np.ascontiguousarray
prepared: WeakKeyDictionary[Module, Stream] = WeakKeyDictionary()  # the steps of layers, by layer


def streamed(layer: RecurrentLayer, x: Any, state: State) -> tuple[Tensor, State] | None:
    """(output, new state) of one step, as ``layer.step`` returns them.

    None where the ordinary way must be gone: for what it says, for what it records, or because nothing
    is compiled.
    """
    parts = (state,) if state.__class__ is Tensor else state
    if x.__class__ is not Tensor or parts.__class__ is not tuple:
        return None
    data = x._data
    try:
        states = [part._data for part in parts]
    except AttributeError:
        return None
    stream = prepared.get(layer)
    if stream is None or not stream.fits(layer, data, states) or (stream.first and stream.turns()):
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
    try:
        if len(stream.cells) == 1:
            step, ready = stream.cells[0]
            y, *last = step(ready, y, *map(whole, states))
        else:
            each = []
            for k, (step, ready) in enumerate(stream.cells):
                y, *new = step(ready, y, *[whole(s[k : k + 1]) for s in states])
                each.append(new)
            last = [np.concatenate(new) for new in zip(*each, strict=True)]
    except MemoryError:
        raise
    except Exception:
        return None  # the ordinary way knows what to do, and says why
    wrap = Tensor._wrap
    if len(last) == 1:
        return wrap(y[0], None), wrap(last[0], None, turn)
    return wrap(y[0], None), tuple([wrap(array, None, turn) for array in last])


def _right(layer: RecurrentLayer, x: Array, states: list[Array]) -> bool:
    """Whether input and states are what the layer takes, in its own precision."""
    dtype, sizes = layer._first.weight_ih.dtype, layer._first.state_sizes().values()
    if layer.bidirectional or layer._backwards(0) or x.ndim != 2 or len(states) != len(sizes):
        return False
    if x.shape[1] != layer.input_size:
        return False
    count = len(layer.cells())
    shapes = [(count, x.shape[0], size) for size in sizes]
    return [s.shape for s in states] == shapes and all(a.dtype == dtype for a in (x, *states))
