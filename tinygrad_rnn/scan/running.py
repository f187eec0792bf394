"""A compiled call of a recurrent layer: runs the loops, and is one node for gradients.

To a reader the node is not there: the layer's outputs are :class:`~tinygrad_rnn.autograd.Folded`, and
looking at them records the layer's steps op by op, on the values and Parameters of the call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

import numpy as np

from .. import autograd
from ..autograd import STRIDE, Call, Folded, Node, enable_grad
from ..autograd import state as now
from ..nn import naming
from ..nn.module import Module
from ..nn.recurrent import mapped, parts
from ..ops.row import ROWS, Op
from ..random import generator_or_default
from ..tensors import Tensor
from .cells import compiled
from .tracing import Untraceable

_lock = threading.RLock()


@dataclass(slots=True)
class Way:
    """One cell over the sequence: where it starts and in which direction it runs."""

    cell: Module
    state: Any
    backwards: bool = False
    constants: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """Cells that read the same input (one, or one a direction); ``dropout`` acts on that input."""

    ways: list[Way]
    dropout: float = 0.0
    generator: Any = None


@dataclass(slots=True)
class Stack:
    """What a layer asks for: stages on top of each other over x (time, batch, features).

    ``joined`` names the parts of the state where the last states of all cells are to be stacked, as
    PyTorch's layers return them; without it each cell's is returned in its own nesting. ``recorded``
    gives the same outputs, op by op, of all steps or of some only.
    """

    x: Tensor
    time_axis: int
    stages: list[Stage]
    lengths: Any
    first_step: int
    recorded: Callable[[Sequence[int] | None], tuple[Tensor, Any]]
    joined: tuple[str, ...] = ()
    by: set[tuple[str, str]] = field(
        default_factory=set
    )  # which back end ran, and why if not the usual one


def refusal(layer: Module) -> str | None:
    """Why a layer's calls are recorded at the moment, whatever its cells are; None if they are not."""
    if not layer.compiled:
        return "layer.compiled is False"
    if now.tracer is not None:
        return "it is part of a cell that is being traced"
    if now.watch is not None:
        return "detect_anomaly looks at every op"
    listening = naming._now.records
    if listening and any(record.watches(cell) for record in listening for cell in layer.cells()):
        return "record_gates listens"
    return None


def run(stack: Stack) -> tuple[Tensor, Any]:
    """The outputs of the last stage and the last state of every cell. Raises Untraceable."""
    call = _LayerCall(stack)
    flat = call.forward()
    stack.by = {(p.loops.name, p.loops.why) for stage in call.passes for p in stage}
    if not any(p.keep for stage in call.passes for p in stage):
        return call.shaped([Tensor._wrap(a, None) for a in flat])
    call.remember()
    call.parents = [t for t, _, node in call.values if node is not None and node.needs]
    nodes = tuple([t._node for t in call.parents])
    place, dtype = call.place, flat[0].dtype
    whole = Node(_SCAN, nodes, None, (call,), tuple([a.shape for a in flat]), dtype, place)
    outputs = []
    for k, (array, needed) in enumerate(zip(flat, call.needs(), strict=True)):
        node = None
        if needed:
            inner = Node(_ITEM, (whole,), None, (None, k), array.shape, dtype, place)
            node = Folded(inner, call)
            call.folded.append((k, ref(node)))
        outputs.append(Tensor._wrap(array, node))
    return call.shaped(outputs)


class _Pass:
    """One cell's run: the tensors that went in, and what its loops left for backward."""

    __slots__ = (
        "finals",
        "keep",
        "kept",
        "loops",
        "needs",
        "states",
        "steps",
        "way",
        "weights",
        "y",
    )

    def __init__(self, way: Way, x: Any, live: Any, needs_x: bool) -> None:
        self.way = way
        if way.backwards:
            x = x[::-1]
            live = live if live is None else live[::-1]
        x = np.ascontiguousarray(x)
        state = way.state
        self.states = [state] if isinstance(state, Tensor) else [t for _, t in parts(state)]
        found, self.weights = compiled(way.cell, x, state, live, way.constants)
        given = [*self.states, *self.weights]
        asking = tuple([t._node is not None and t._node.needs for t in given])
        self.keep = now.recording and (needs_x or True in asking)
        self.loops = found.loops(self.keep, self.keep and needs_x)
        self.needs = self.loops.needing(asking, needs_x)
        self.steps = len(x)
        arrays = [x] if live is None else [x, live]
        arrays += [t._data for t in given]
        y, self.finals, self.kept = self.loops.forward(arrays, self.steps, self.keep)
        self.y = y[::-1] if way.backwards else y

    def backward(self, dy: Any, dfinals: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        """The gradients of x (in the order of time) or None, of the states, of the weights."""
        if self.way.backwards:
            dy = dy[::-1]
        dy = np.ascontiguousarray(dy)
        dx, dstates, dweights = self.loops.backward(self.kept, self.steps, dy, dfinals)
        return dx[::-1] if self.way.backwards and dx is not None else dx, dstates, dweights


class _LayerCall:
    """One call of a layer: forward on arrays, backward on arrays, and the way back to the recorded truth."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.parents: list[Tensor] = []
        self.folded: list[tuple[int, Any]] = []  # weakly: the outputs hold the call
        self.passes: list[list[_Pass]] = []
        self.masks: list[Any] = []
        self.fetched: Any = None
        self.generators: list[tuple[Any, Any]] = []  # what dropout draws from, as it was
        if any(stage.dropout for stage in stack.stages):
            drawn = {id(g): g for g in [generator_or_default(s.generator) for s in stack.stages]}
            self.generators = [(g, g.bit_generator.state) for g in drawn.values()]

    def forward(self) -> list[Any]:
        """The arrays of the output and of the last states."""
        stack = self.stack
        x, node = stack.x._data, stack.x._node
        if stack.time_axis:
            x = np.moveaxis(x, stack.time_axis, 0)
        live = None
        if stack.lengths is not None:
            live = (np.arange(len(x))[:, None] < stack.lengths)[..., None]
        finals: list[list[Any]] = []
        needs_x = node is not None and node.needs
        for stage in stack.stages:
            mask = None
            if stage.dropout:
                draw = generator_or_default(stage.generator)
                mask = _dropout_mask(draw, x.shape, stage.dropout, x.dtype)
                x = x * mask
            self.masks.append(mask)
            done = [_Pass(way, x, live, needs_x) for way in stage.ways]
            needs_x = any(p.needs[0] for p in done)
            self.passes.append(done)
            x = done[0].y if len(done) == 1 else np.concatenate([p.y for p in done], -1)
            finals += [p.finals for p in done]
        y = np.moveaxis(x, 0, stack.time_axis) if stack.time_axis else x
        if not stack.joined:
            return [y, *(array for final in finals for array in final)]
        if len(finals) == 1:
            return [y, *[array[None] for array in finals[0]]]
        return [y, *(np.stack(each) for each in zip(*finals, strict=True))]

    def needs(self) -> list[bool]:
        """Which of the outputs depend on something that asks for a gradient."""
        done = [p for stage in self.passes for p in stage]
        y = any(p.needs[0] for p in self.passes[-1])
        if self.stack.joined:
            return [y, *[any(each) for each in zip(*(p.needs[1:] for p in done), strict=True)]]
        return [y, *(need for p in done for need in p.needs[1:])]

    def shaped(self, tensors: list[Tensor]) -> tuple[Tensor, Any]:
        """The output and the last states as tensors in their cells' nesting; they know their step."""
        stack = self.stack
        end = stack.first_step + self.passes[0][0].steps - 1
        if stack.joined:
            last = tensors[1:]
            for name, tensor in zip(stack.joined, last, strict=True):
                tensor._tag = end
                if tensor._node is not None:
                    tensor._node.name = f"{name}_n"
            return tensors[0], last[0] if len(last) == 1 else tuple(last)
        rest = iter(tensors[1:])
        shaped: list[Any] = []
        for stage in stack.stages:
            for way in stage.ways:
                mine = []
                for _ in parts(way.state):
                    tensor = next(rest)
                    tensor._tag = stack.first_step if way.backwards else end
                    mine.append(tensor)
                each = iter(mine)
                shaped.append(mapped(lambda _t, each=each: next(each), way.state))
        return tensors[0], shaped

    # ---- backward

    def gradient(self, i: int, g: list[Any]) -> Any:
        """The gradient of the i-th parent; all of a pass are made when the first is asked for."""
        if self.fetched is None or self.fetched[0] is not g:
            self.fetched = (g, self.gradients(g))
        found = self.fetched[1][i]
        if i == len(self.parents) - 1:
            self.fetched = None
        return found

    def gradients(self, g: list[Any]) -> list[Any]:
        """From the gradients of all outputs to those of all parents."""
        sums: dict[int, Any] = {}

        def add(tensor: Tensor, d: Any) -> None:
            if d is not None:
                key = id(tensor)
                sums[key] = sums[key] + d if key in sums else d

        dy = np.moveaxis(g[0], self.stack.time_axis, 0) if self.stack.time_axis else g[0]
        rest = list(g[1:])
        if self.stack.joined:
            cells = range(len(rest[0]))
            rest = [part[at] for at in cells for part in rest]
        for k in reversed(range(len(self.passes))):
            stage = self.passes[k]
            dx: Any = None
            low = dy.shape[-1]
            for each in reversed(stage):
                mine = dy
                if len(stage) > 1:
                    width = each.y.shape[-1]
                    mine = dy[..., low - width : low]
                    low -= width
                count = len(each.states)
                dfinals, rest = rest[len(rest) - count :], rest[: len(rest) - count]
                d, dstates, dweights = each.backward(mine, dfinals)
                if d is not None:
                    dx = d if dx is None else dx + d
                for tensor, d in zip(each.states, dstates, strict=True):
                    add(tensor, d)
                for tensor, d in zip(each.weights, dweights, strict=True):
                    add(tensor, d)
            if self.masks[k] is not None and dx is not None:
                dx = dx * self.masks[k]
            dy = dx
        if dy is not None:
            add(
                self.stack.x,
                np.moveaxis(dy, 0, self.stack.time_axis) if self.stack.time_axis else dy,
            )
        return [
            sums[id(t)].reshape(t.shape) if id(t) in sums else np.zeros(t.shape, t.dtype)
            for t in self.parents
        ]

    # ---- the recorded truth

    def remember(self) -> None:
        """What the recording needs later: each tensor that went in once, as it is now, and the place."""
        self.place = now.place
        found = {id(self.stack.x): self.stack.x}
        for stage in self.passes:
            for each in stage:
                found.update([(id(t), t) for t in each.states])
                found.update([(id(t), t) for t in each.weights])
        self.values = [(t, t._data, t._node) for t in found.values()]

    def unfold(self) -> None:
        """Record the call op by op, and let the folded outputs become what was recorded."""
        with _lock:
            live = [(k, f()) for k, f in self.folded]
            folded = {k: f for k, f in live if f is not None}
            some = next(iter(folded.values()))
            if some.fold is None:
                return
            mark = autograd._next_number()
            outputs = self._record(None)
            made = self._numbered(outputs, mark, some)
            place = {id(outputs[k]._node): f for k, f in folded.items()}
            some.inner.parents[0].number = made[0].number - 1
            calls: set[Call] = set()
            for node in made:
                if any(id(p) in place for p in node.parents):
                    node.parents = tuple([place.get(id(p), p) for p in node.parents])
                if node.place.call is not None:
                    calls.add(node.place.call)
            for call in calls:
                call.inputs = tuple([(name, place.get(id(n), n)) for name, n in call.inputs])
            for k, f in folded.items():
                f.become(outputs[k]._node)

    # ---- some steps of it, for who needs no more

    @property
    def steps(self) -> range:
        """The time steps that the call ran over."""
        first = self.stack.first_step
        return range(first, first + self.passes[0][0].steps)

    @property
    def changes(self) -> list[int]:
        """The steps from which on another set of sequences has ended: what is recorded differs there."""
        lengths = self.stack.lengths
        if lengths is None or not len(lengths):
            return []
        return [self.stack.first_step + int(n) for n in (lengths.min(), lengths.max())]

    @property
    def before(self) -> list[Any]:
        """The nodes that the call takes: of its input, its first states and its weights."""
        return [node for _, _, node in self.values if node is not None]

    @property
    def sequence(self) -> Any:
        """The folded output over time, None where nothing holds it."""
        return next((f() for k, f in self.folded if k == 0), None)

    def excerpt(self, steps: Sequence[int]) -> tuple[dict[int, Any], list[Any]]:
        """Record only ``steps``, each on the state that the one before among them leaves.

        Returns the node in place of each folded output, by the output's id, and all nodes made; the
        fold stays as it is.
        """
        with _lock:
            folded = {k: f for k, f in [(k, f()) for k, f in self.folded] if f is not None}
            mark = autograd._next_number()
            first = self.stack.first_step
            outputs = self._record([step - first for step in steps])
            made = self._numbered(outputs, mark, next(iter(folded.values())))
            result = {}
            for k, f in folded.items():
                node: Any = outputs[k]._node
                node.shape, node.name = f.shape, f.name or node.name
                result[id(f)] = node
            return result, made

    def _numbered(self, outputs: list[Tensor], mark: int, some: Folded) -> list[Any]:
        """The ops recorded since ``mark`` in their order, now numbered as if made when the call ran."""
        made = sorted(reachable_since(outputs, mark), key=lambda n: n.number)
        whole = some.inner.parents[0]
        start = whole.number - STRIDE + 1
        for k, node in enumerate(made):
            node.number = start + 1 + k
        return made

    def _record(self, steps: Sequence[int] | None) -> list[Tensor]:
        """The outputs of the recorded loop on the values of the call, of all steps or some of them."""
        changed = [(t, t._data, t._node) for t, data, _ in self.values if t._data is not data]
        nodes = [(t, t._node) for t, _, node in self.values if t._node is not node]
        before = now.place, now.watch, now.tracer, naming._now.records, naming._now.listeners
        random = [(g, g.bit_generator.state) for g, _ in self.generators]
        now.place, now.watch, now.tracer = self.place, None, None
        naming._now.records, naming._now.listeners = [], []
        try:
            for t, data, node in self.values:
                t._data, t._node = data, node
            for g, drawn in self.generators:
                g.bit_generator.state = drawn
            with enable_grad():
                y, finals = self.stack.recorded(steps)
        finally:
            for t, data, node in changed:
                t._data, t._node = data, node
            for t, node in nodes:
                t._node = node
            for g, drawn in random:
                g.bit_generator.state = drawn
            now.place, now.watch, now.tracer = before[:3]
            naming._now.records, naming._now.listeners = before[3:]
        if self.stack.joined:
            return [y, *([finals] if isinstance(finals, Tensor) else finals)]
        return [y, *(t for final in finals for _, t in parts(final))]


def reachable_since(outputs: Sequence[Tensor], mark: int) -> list[Any]:
    """The ops behind some outputs that were recorded after a number was given out."""
    stack = [t._node for t in outputs if t._node is not None]
    seen = {id(n) for n in stack}
    found = []
    while stack:
        node = stack.pop()
        if node.op is None or node.number < mark:
            continue
        found.append(node)
        for p in node.parents:
            if id(p) not in seen and p.number > mark:
                seen.add(id(p))
                stack.append(p)
    return found


def _dropout_mask(draw: Any, shape: Any, rate: float, dtype: Any) -> Any:
    """What ``functional.dropout`` multiplies by, for all steps at once: the same draws in the same order."""
    if rate == 1:
        return np.zeros(shape, dtype)
    return ((draw.random(shape) >= rate) / (1 - rate)).astype(dtype)


def _rule(i: int, g: Any, _y: Any, call: Any) -> Any:
    return call.gradient(i, g)


_ITEM = ROWS["item"]
_SCAN = Op(
    "scan",
    run,
    (_rule,),
    variadic=True,
    several=True,
    sparse=False,
    promote=None,
    floating=False,
)

__all__ = ["Stack", "Stage", "Untraceable", "Way", "refusal", "run"]
