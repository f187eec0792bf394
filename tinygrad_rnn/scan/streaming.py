"""How does a layer run without gradients, a step or a sequence? With checks that have passed.

What depends on the weights alone is done once and kept while there is the cell, until a weight is
written (values never change: a write installs another array).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from ..engine.places import state as now
from ..engine.values import Array
from ..nn.bare import step_after
from ..nn.compiling import Ran, State
from ..nn.module import Module
from ..nn.stacks import RecurrentLayer
from ..nn.stepping import LastStep, last_step
from ..tensors import Tensor
from . import variants
from .backends import FIRST
from .cells import BUILT_IN, variant_of
from .tracing import Untraceable
from .variants import OFTEN, Variant, counted, named, unchanged, written


def _loops_of(cell: Module | None, variant: Variant) -> str:
    """Whose loops are to run a cell's next step, which is counted."""
    return variants.back_end(cell, False, variant.found.work, variants.STEPS)


class Stream:
    """A layer's step on inputs and states of one shape: each cell's, and what it has made of its weights."""

    __slots__ = (
        "again",
        "backwards",
        "calls",
        "cells",
        "dtype",
        "first",
        "modules",
        "over_time",
        "ran",
        "shape",
        "states",
        "tag",
        "variants",
        "zeros",
    )

    def __init__(self, layer: RecurrentLayer, x: Array, states: list[Array]) -> None:
        self.shape, self.states = x.shape[1:], [s.shape for s in states]
        self.dtype, self.first = x.dtype, False
        self.zeros = [np.zeros(shape, x.dtype) for shape in self.states]
        self.tag: LastStep | None = None  # of the last call over a sequence
        self.calls = 0  # so far
        self.again: Callable[..., list[Array] | None] = _never
        self.cells: list[ReadyLoops] = []
        self.over_time: list[ReadyLoops] = []  # the same for any number of steps, by machine code
        self.backwards = _directions(layer)
        self.modules = [ref(cell) for cell in layer.cells()]
        self.variants: list[Variant] = []
        self.ran: Ran = frozenset()
        batch, features = self.shape
        for k, cell in enumerate(layer.cells(), 1):
            if type(cell) not in BUILT_IN:
                raise Untraceable("its equations are not a built-in cell's")
            mine = [Tensor._wrap(zero[0], None) for zero in self.zeros]
            given = np.zeros((1, batch, features), x.dtype)
            variant = variant_of(cell, given, mine[0] if len(mine) == 1 else tuple(mine), None, {})
            by = _loops_of(cell, variant)
            self.first |= by == FIRST
            made = variant.found.prepared(by, "stream")
            if made is None:
                raise Untraceable("two parts of its state are one value")
            loops = variant.found.loops(False, False, by)
            self.ran |= loops.ran
            weights = variant.weights({})
            self.cells.append(ReadyLoops(made, weights))
            if loops.name == "numba":
                found = variant.found.prepared(by, "sequence")
                self.over_time.append(ReadyLoops(found, weights))
            self.variants.append(variant)
            if k % len(self.backwards) == 0:
                features = cell.output_size * len(self.backwards)

    def turns(self) -> bool:
        """Whether numpy has run its steps, and the next one is machine code's; the step is counted."""
        pairs = zip(self.modules, self.variants, strict=True)
        return FIRST not in [_loops_of(known(), variant) for known, variant in pairs]

    def fits(self, layer: RecurrentLayer, x: Array, states: list[Array]) -> bool:
        """Whether input (time, batch, features) and states have the shapes, and the layer is as it was."""
        if x.shape[1:] != self.shape or x.dtype != self.dtype:
            return False
        if states is not self.zeros and [s.shape for s in states] != self.states:
            return False
        for state in states:
            if state.dtype is not self.dtype and state.dtype != self.dtype:
                return False
        for cell, known in zip(layer.cells(), self.modules, strict=True):
            if known() is not cell:
                return False
        if self.backwards != _directions(layer):
            return False
        return all(map(Variant.holds, self.variants))

    def run(self, x: Array, states: list[Array]) -> list[Array]:
        """The output (time, batch, features) and the last states, (cells, batch, features) each."""
        cells, ways = self.cells if len(x) == 1 else self.over_time, len(self.backwards)
        if len(cells) == 1 and not self.backwards[0]:
            return list(cells[0].run(x, states))
        each, beside = [], []
        for k, cell in enumerate(cells):
            back = self.backwards[k % ways]
            y, *new = cell.run(x[::-1] if back else x, [s[k : k + 1] for s in states])
            each.append(new)
            beside.append(y[::-1] if back else y)
            if len(beside) == ways:
                x, beside = beside[0] if ways == 1 else np.concatenate(beside, -1), []
        return [x, *[np.concatenate(new) for new in zip(*each, strict=True)]]


def _never(_layer: RecurrentLayer, _x: Array, _hx: State) -> None:
    """Of no call is it known that it is like earlier ones."""


def _again(stream: Stream, layer: RecurrentLayer) -> Callable[..., list[Array] | None]:
    """What ``fits`` asks and ``run`` does, of one cell of machine code that goes forward, in one function.

    ``again(layer, x, hx)`` takes the input's array and the state as it was given, and says None where
    not everything is the very object that it was when the weights were last made ready.
    """
    kind, base = type(layer), RecurrentLayer
    if kind.cells is not base.cells or kind._backwards is not base._backwards:
        return _never
    if len(stream.cells) != 1 or stream.backwards != [False] or not stream.over_time:
        return _never
    (one,), (many,), (variant,) = stream.cells, stream.over_time, stream.variants
    names: dict[str, Any] = {"Tensor": Tensor, "whole": whole, "one": one, "many": many}
    names |= {"zeros": tuple(stream.zeros), "of_one": one.loops, "of_many": many.loops}
    terms = [f"x.shape[1:] == {stream.shape}", f"x.dtype is {named(stream.dtype, names)}"]
    terms += [f"layer.__class__ is {named(kind, names)}", "len(stack) == 1"]
    terms += [f"stack[0].__dict__['cell'] is {named(stream.modules[0], names)}()"]
    terms += ["own['bidirectional'] is False", "'cells' not in own", "'_backwards' not in own"]
    for method in ("cells", "_backwards"):
        of = named(getattr(base, method), names)
        terms.append(f"{named(kind, names)}.{method} is {of}")
    terms += unchanged(variant.guards, names)
    terms += [f"{named(w, names)}._data is arrays[{k}]" for k, w in enumerate(one.weights)]
    parts = [f"s{k}" for k in range(len(stream.states))]
    right = [
        f"h{s}.__class__ is Tensor and ({s} := h{s}._data).shape == {shape} and {s}.dtype is x.dtype"
        for s, shape in zip(parts, stream.states, strict=True)
    ]
    given = "".join(f"{s}, " for s in parts)
    taken = f"{''.join(f'h{s}, ' for s in parts)}= hx" if len(parts) > 1 else "hs0 = hx"
    lines = [
        "own = layer.__dict__",
        "try:",
        "    stack, alone = own['_stack'], len(x) == 1",
        "    arrays, made = one.ready if alone else many.ready",
        f"    if not ({' and '.join(terms)}):",
        "        return None",
        "    if hx is None and not own['learned_state']:",
        f"        {given}= zeros",
        "    else:",
        *["        if hx.__class__ is not tuple: return None"] * (len(parts) > 1),
        f"        {taken}",
        f"        if not ({' and '.join(right)}):",
        "            return None",
        f"    return (of_one if alone else of_many)(made, whole(x), {given[:-2]})",
        "except MemoryError:",
        "    raise",
        "except Exception:",
        "    return None",
    ]
    found: Callable[..., list[Array] | None] = written("again", ["layer", "x", "hx"], lines, names)
    return found


class ReadyLoops:
    """A cell's loops with what they make of the weights alone, which is made anew when one is written."""

    __slots__ = ("loops", "prepare", "ready", "weights")

    def __init__(self, made: Any, weights: list[Tensor]) -> None:
        (self.prepare, self.loops), self.weights = made, weights
        self.ready: tuple[list[Any], Any] = [None] * len(weights), None  # of which arrays, and what

    def run(self, x: Array, states: list[Array]) -> Sequence[Array]:
        """The output and the new states."""
        arrays, ready = self.ready
        for weight, array in zip(self.weights, arrays, strict=True):
            if weight._data is not array:
                arrays = [w._data for w in self.weights]
                ready = self.prepare(*arrays)
                self.ready = arrays, ready
                break
        found: Sequence[Array] = self.loops(ready, whole(x), *map(whole, states))
        return found


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
    try:
        states = [part._data for part in parts]
    except AttributeError:
        return None
    data, stream = x._data[None], prepared.get(layer)
    found = None if stream is None else stream.again(layer, data, state)
    if found is None:
        if _directions(layer) != [False]:
            return None
        if (
            stream is None
            or not stream.fits(layer, data, states)
            or (stream.first and stream.turns())
        ):
            stream = _made(layer, data, states)
        found = None if stream is None else _tried(stream, layer, data, states)
        if found is None:
            return None
    turn = now.place.step
    if turn is None:
        turn = step_after(parts)
    y, *last = found
    return _wrapped(y[0], last, turn)


def without_gradients(
    layer: RecurrentLayer, x: Any, hx: State = None
) -> tuple[Tensor, State] | None:
    """(output, last states) of a call that records nothing, as the layer returns them.

    None where the ordinary way must be gone, and while the first calls are numpy's.
    """
    if x.__class__ is not Tensor or x._node is not None or x._data.ndim != 3:
        return None
    data, axis, stream = x._data, layer.batch_first, prepared.get(layer)
    if axis:
        data = data.swapaxes(0, 1)
    count = len(data)
    if not count:
        return None
    found = None if stream is None else stream.again(layer, data, hx)
    if found is None:
        stream, found = _at_length(layer, stream, data, hx)
    if stream is None or found is None:
        return None
    tag, onward = stream.tag, stream.backwards == [False]
    parts: Any = (hx,) if hx.__class__ is Tensor else hx  # two at the most
    if hx is None and (count > 1 or not onward):
        end = count - 1
    elif (
        (tag is not None and onward and hx is not None)
        and parts[0]._tag is tag is parts[-1]._tag
        and (count > 1 or now.place.step is None)
    ):
        end = tag + count  # from where the latest call ended
    else:
        end = (now.place.step or 0 if hx is None else layer._first_step(hx, count)) + count - 1
    if tag is None or tag != end:
        tag = stream.tag = last_step(layer, end)
    layer.__dict__["_ran"] = stream.ran
    y, *last = found
    return _wrapped(y.swapaxes(0, 1) if axis else y, last, tag)


def _at_length(
    layer: RecurrentLayer, stream: Stream | None, data: Array, hx: State
) -> tuple[Stream | None, list[Array] | None]:
    """How a layer runs on an array (time, batch, features), and what that gives, every question asked."""
    if layer.dropout and layer.training:
        return None, None
    if hx is not None:
        parts: Any = (hx,) if hx.__class__ is Tensor else hx
        if parts.__class__ is not tuple or any(part.__class__ is not Tensor for part in parts):
            return None, None
        states = [part._data for part in parts]
    elif layer.learned_state:
        return None, None
    elif stream is not None and stream.shape == data.shape[1:]:
        states = stream.zeros
    else:
        sizes = layer._first.state_sizes().values()
        states = [np.zeros((len(layer.cells()), data.shape[1], n), data.dtype) for n in sizes]
    if stream is None or stream.first or not stream.fits(layer, data, states):
        if any(map(counted, layer.cells())):
            return None, None
        stream = _made(layer, data, states)
    if stream is None or (len(data) > 1 and not stream.over_time):
        return None, None
    return stream, _tried(stream, layer, data, states)


def _wrapped(y: Array, last: list[Array], tag: Any) -> tuple[Tensor, State]:
    """Output and last states as a layer returns them; the states know their step."""
    wrap = Tensor._wrap
    if len(last) == 1:
        return wrap(y, None), wrap(last[0], None, tag)
    h, c = last
    return wrap(y, None), (wrap(h, None, tag), wrap(c, None, tag))


def _directions(layer: RecurrentLayer) -> list[bool]:
    """Of each cell that reads the input, whether it runs from the last step to the first."""
    back = layer._backwards
    return [back(0), back(1)] if layer.bidirectional else [back(0)]


def _made(layer: RecurrentLayer, x: Array, states: list[Array]) -> Stream | None:
    """A layer's step, from now on; None where there is none for such input and states."""
    if not _right(layer, x, states):
        return None
    try:
        stream = prepared[layer] = Stream(layer, x, states)
    except Untraceable:
        return None
    return stream


def _tried(
    stream: Stream, layer: RecurrentLayer, x: Array, states: list[Array]
) -> list[Array] | None:
    """What a step gives; None where it raises, but for lack of memory."""
    try:
        found = stream.run(x, states)
    except MemoryError:
        raise
    except Exception:
        return None  # the ordinary way knows what to do, and says why
    stream.calls += not stream.first
    if stream.calls == OFTEN:
        stream.again = _again(stream, layer)
    return found


def _right(layer: RecurrentLayer, x: Array, states: list[Array]) -> bool:
    """Whether input and states are what the layer takes, in its own precision."""
    dtype, sizes = layer._first.weight_ih.dtype, layer._first.state_sizes().values()
    if x.ndim != 3 or len(states) != len(sizes):
        return False
    if x.shape[2] != layer.input_size:
        return False
    count = len(layer.cells())
    shapes = [(count, x.shape[1], size) for size in sizes]
    return [s.shape for s in states] == shapes and all(a.dtype == dtype for a in (x, *states))
