"""A layer's call that is like an earlier one: what that one found out is not asked again.

That is the common case of training: one cell in one direction, over whole batches, with the same
Parameters as before. At a batch of one the questions cost more than the loop.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..autograd import state as now
from ..nn.module import Module
from ..nn.recurrent import as_input
from ..tensors import Tensor
from .cells import BUILT_IN, OPTIONS, Compiled
from .folding import Fold
from .running import Stack, refusal


class Ready:
    """What calls of a layer with one built-in cell need, on inputs of one shape a step."""

    __slots__ = (
        "arrays",
        "axis",
        "cell",
        "dtype",
        "found",
        "names",
        "options",
        "shape",
        "states",
        "weights",
        "zeros",
    )

    def __init__(self, layer: Any, x: Any, axis: int, found: Compiled) -> None:
        (cell,) = layer.cells()
        self.cell = cell.__dict__
        self.found, self.axis, self.dtype = found, axis, x.dtype
        self.shape: tuple[int, int] = (x.shape[1 - axis], x.shape[2])
        self.options = [self.cell.get(name) for name in OPTIONS]
        sizes = cell.state_sizes()
        self.names = tuple(sizes)
        self.states = [(1, self.shape[0], size) for size in sizes.values()]
        self.zeros = [np.zeros(shape[1:], x.dtype) for shape in self.states]
        tables = [m.__dict__["_parameters"] for m in cell.modules()]
        self.weights = [
            (t, n, w, w._data.shape) for t in tables for n, w in t.items() if w is not None
        ]

    def fits(self, x: Any) -> bool:
        """Whether an input's array is like the first one, and the cell as it was."""
        shape, axis = x.shape, self.axis
        if len(shape) != 3 or x.dtype is not self.dtype or not shape[axis]:
            return False
        if (shape[1 - axis], shape[2]) != self.shape:
            return False
        for table, name, tensor, size in self.weights:
            if table[name] is not tensor or tensor._data.shape != size:
                return False
        cell = self.cell
        return "step" not in cell and [cell.get(name) for name in OPTIONS] == self.options

    def start(self, hx: Any) -> list[Any] | None:
        """The arrays of a given state of the right shapes that takes no gradient; None for another."""
        parts = (hx,) if hx.__class__ is Tensor else hx
        if parts.__class__ is not tuple or len(parts) != len(self.states):
            return None
        arrays = []
        for part, shape in zip(parts, self.states, strict=True):
            if part.__class__ is not Tensor or (part._node is not None and part._node.needs):
                return None
            data = part._data
            if data.shape != shape or data.dtype is not self.dtype:
                return None
            arrays.append(data[0])
        return arrays


_ready: WeakKeyDictionary[Module, Ready] = WeakKeyDictionary()  # of layers


def remember(layer: Any, stack: Stack, found: Compiled) -> None:
    """Make later calls like this one quick, where the layer is of the kind."""
    x, known = stack.x._data, _ready.get(layer)
    if type(layer.cells()[0]) not in BUILT_IN or x.ndim != 3:
        return
    if known is None or not known.fits(x):
        _ready[layer] = Ready(layer, x, stack.time_axis, found)


def run_again(layer: Any, x: Any, hx: Any, first_step: int) -> tuple[Tensor, Any] | None:
    """The layer's call, where it is like an earlier one; None where it may not be."""
    ready = _ready.get(layer)
    if ready is None or x.__class__ is not Tensor or refusal(layer) is not None:
        return None
    data, node = x._data, x._node
    if not ready.fits(data):
        return None
    start = ready.zeros if hx is None else ready.start(hx)
    if start is None:
        return None
    as_input(x)
    if ready.axis:
        data = data.swapaxes(0, 1)
    weights = [w for _, _, w, _ in ready.weights]
    needs_x = node is not None and node.needs
    asking = (False,) * len(start) + tuple([w._node.needs for w in weights])
    keep = now.recording and (needs_x or True in asking)
    loops = ready.found.loops(keep, keep and needs_x)
    arrays = [np.ascontiguousarray(data), *start, *[w._data for w in weights]]
    steps = len(data)
    y, finals, kept = loops.forward(arrays, steps, keep)
    flat = [y.swapaxes(0, 1) if ready.axis else y, *[final[None] for final in finals]]
    layer.__dict__["_ran"] = loops.ran
    if keep:
        recorded = partial(_recorded, layer, x, hx, ready.axis, first_step)
        call = _Call(x, ready.axis, first_step, None, recorded, True)
        call.loops, call.kept, call.asks = loops, kept, (needs_x, *asking[len(start) :])
        given = () if hx is None else (hx,) if hx.__class__ is Tensor else hx
        outputs = call.outputs(flat, loops.needing(asking, needs_x), (x, *given, *weights))
    else:
        outputs = [Tensor._wrap(array, None) for array in flat]
    end = first_step + steps - 1
    for name, last in zip(ready.names, outputs[1:], strict=True):
        last._tag = end
        if last._node is not None:
            last._node.name = f"{name}_n"
    return outputs[0], outputs[1] if len(outputs) == 2 else tuple(outputs[1:])


def _recorded(layer: Any, x: Tensor, hx: Any, axis: int, first_step: int, only: Any = None) -> Any:
    """The same call, op by op."""
    states = layer._states(hx, x._data.shape[1 - axis])
    return layer._recorded(x, states, axis, None, first_step, only)


class _Call(Fold):
    """One such call, for gradients."""

    loops: Any
    kept: Any
    asks: tuple[bool, ...]  # the input, then the weights

    def gradients(self, g: list[Any]) -> list[Any]:
        """Of the input where it asks, then of the weights that do."""
        dy = g[0].swapaxes(0, 1) if self.time_axis else g[0]
        last = [None if d is None else d[0] for d in g[1:]]
        dx, _, found = self.loops.backward(self.kept, self.count, np.ascontiguousarray(dy), last)
        if self.time_axis and dx is not None:
            dx = dx.swapaxes(0, 1)
        asked = [d for d, asks in zip((dx, *found), self.asks, strict=True) if asks]
        return [
            np.zeros(p._data.shape, p._data.dtype) if d is None else d.reshape(p._data.shape)
            for d, p in zip(asked, self.parents, strict=True)
        ]
