"""How does a user's own network become JavaScript? Its layers as steps, all around them as one program.

The model is called once, on a shadow of it, with each recurrent layer as one whole: what it takes, what
it gives. What is around the layers (heads, losses, embeddings of floats) is traced like a step, and runs
in sections: what a layer needs, the layer, what the next one needs, at last the loss.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...engine.listening import unheard
from ...engine.places import state
from ...engine.values import Leaf, Node
from ...nn.compiling import LayerCall
from ...nn.module import Module
from ...nn.stepping import parts
from ...scan.tracing import CellCopy, Trace, Tracer, Untraceable, in_order, leaf, tracing
from ...tensors import Tensor
from .indices import Indexed, Taken, reach
from .lowering import NoText
from .places import ArrayView
from .program_text import StepText
from .steps import step_of

Loss = Callable[[Any, Any], Tensor]


@dataclass(slots=True)
class CalledLayer:
    """A recurrent layer's call, and what it gave: y, then the last states."""

    call: LayerCall
    results: list[Tensor] = field(default_factory=list)


class LayersAsWholes(Tracer):
    """A tracer to which a recurrent layer is one whole: its results begin anew."""

    def __init__(self) -> None:
        super().__init__()
        self.layers: list[CalledLayer] = []
        self.taken: Taken = {}

    def takes(self, index: Any, array: Any) -> bool:
        """An index of integers that may be others at the next run."""
        followed = getattr(index, "_node", None) is not None and array.dtype.kind in "iu"
        if followed:
            self.taken[id(array)] = (array, index._node)
        return followed

    def counted(self, array: Any) -> None:
        """The same at every run."""
        self.indexes(array)

    def fixed(self, array: Any) -> Any:
        """Of an index that may be another, that it is one."""
        return ("data", array.shape) if id(array) in self.taken else super().fixed(array)

    def is_index(self, array: Any) -> bool:
        """Whether it is known what an array is."""
        return id(array) in self.taken or super().is_index(array)

    def layer(self, call: LayerCall) -> Any:
        """What a layer gives, on leaves of their own."""
        called = CalledLayer(call)
        with unheard():  # what is recorded inside of a layer is not the network's
            result = call.recorded()

        def fresh(value: Any) -> Any:
            if isinstance(value, Tensor):
                made = leaf(value._data)
                called.results.append(made)
                return made
            if value is None:
                return None
            if isinstance(value, dict):
                return {k: fresh(v) for k, v in value.items()}
            each = [fresh(v) for v in value]
            return type(value)(*each) if hasattr(value, "_fields") else type(value)(each)

        given = fresh(result)
        self.layers.append(called)
        return given


class Network:
    """A model, its data and its loss as JavaScript: ``text`` is an object, ``weights`` are the Parameters
    by name, in the order of the object's. With ``hold`` gates can be held (see ``steps.step_of``). Where
    ``y`` is None it has the prediction's shape: its values come later. Integers in x and y choose rows of
    an embedding and classes; ``symbols`` and ``classes`` say how many there are, None of other data.

    Raises NoText, in words, for what has no text.
    """

    def __init__(self, model: Module, x: Any, y: Any, loss: Loss, hold: bool = False) -> None:
        self.hold = hold
        self.constants: dict[str, Any] = {}
        x = np.asarray(x)
        self.x: Any = x
        self.kind = x.dtype.char if x.dtype.kind == "f" else _kind_of(model)
        self.y: Any = y if y is None else np.asarray(y)
        self.weights = dict(model.named_parameters())
        try:
            self._trace(model, x, loss)
            self._check_with_others(model, loss)
        except Untraceable as reason:
            raise NoText(str(reason)) from reason

    # ---- what happens, by calling the model once

    def _trace(self, model: Module, x: Any, loss: Loss) -> None:
        shadow = CellCopy(model)
        for module in shadow.cell.modules():
            module.__dict__["training"] = False
        given = leaf(x)
        with tracing(LayersAsWholes()) as tracer:
            prediction = shadow.cell(given)
            if not isinstance(prediction, Tensor):
                raise NoText(
                    f"the model returns a {type(prediction).__name__}: only one tensor can be learnt from"
                )
            if self.y is None:
                self.y = np.zeros(prediction.shape, self.kind)
            target = leaf(self.y)
            total = loss(prediction, target)
        known = {id(p): name for name, p in model.named_parameters()}
        self.names = [known.get(id(t), f"constant {k}") for k, t in enumerate(shadow.tensors)]
        self.values = [t._data for t in shadow.tensors]
        self.learnt = [id(t) in known and t.requires_grad for t in shadow.tensors]
        self._of_copy = {id(c): k for k, c in enumerate(shadow.copies)}
        given_nodes = {"x0": given._node, "x1": target._node}
        self._finish(tracer, given_nodes, [c._node for c in shadow.copies], total, prediction)

    def _check_with_others(self, model: Module, loss: Loss) -> None:
        """Raise NoText where other integers give another program: an index that was made past the trace."""
        others = tuple(_others(a) for a in (self.x, self.y))
        if all(a is b for a, b in zip(others, (self.x, self.y), strict=True)):
            return
        twin = object.__new__(Network)
        twin.__dict__.update(self.__dict__, x=others[0], y=others[1])
        twin._trace(model, others[0], loss)
        if twin.signature != self.signature:
            raise NoText("it makes an index of its data in a way that cannot be followed")

    def _finish(
        self,
        tracer: LayersAsWholes,
        data: dict[str, Any],
        weights: list[Any],
        total: Any,
        prediction: Any,
    ) -> None:
        """The texts, from what was recorded around the layers; ``weights`` are nodes."""
        if tracer.looked:
            raise NoText(tracer.looked)
        self.layers = tracer.layers
        inputs = dict(data) | {f"w{k}": node for k, node in enumerate(weights)}
        results = [t for layer in self.layers for t in layer.results]
        inputs |= {f"s{k}": t._node for k, t in enumerate(results)}
        if total._node is None or total._data.shape:
            raise NoText("the loss is no single number that depends on the model")
        outputs: list[Any] = [total._node, prediction._node]
        self.entries: list[
            list[tuple[str, Any]]
        ] = []  # of each layer: ("out", number) or ("fixed", array)
        for layer in self.layers:
            mine: list[tuple[str, Any]] = []
            begun = [way.state for stage in layer.call.stages for way in stage.directions]
            for t in (layer.call.x, *[t for each in begun for _, t in parts(each)]):
                if not isinstance(t._node, (Node, Leaf)):
                    mine.append(("fixed", t._data))
                else:
                    mine.append(("out", len(outputs)))
                    outputs.append(t._node)
            self.entries.append(mine)
        before, state.tracer = state.tracer, tracer
        try:
            trace = Trace(inputs, outputs)
        finally:
            state.tracer = before
        self.signature = trace.signature
        self.outer = _OuterText(trace, self.layers, self.entries, self.kind, tracer.taken)
        self.symbols, self.classes = (reach(self.outer.p, role) for role in ("x0", "x1"))
        self._write()

    # ---- the text

    def _write(self) -> None:
        steps: list[str] = []
        made: dict[Any, int] = {}
        layers: list[str] = []
        at = 0
        for layer, entries in zip(self.layers, self.entries, strict=True):
            call = layer.call
            stages: list[str] = []
            data = np.moveaxis(call.x._data, call.time_axis, 0) if call.time_axis else call.x._data
            rest = iter(entries[1:])
            live = None
            if call.lengths is not None:
                live = (np.arange(len(data))[:, None] < call.lengths)[..., None]
            for stage in call.stages:
                words = []
                outputs = []
                for way in stage.directions:
                    cell, first, back = way.cell, way.state, way.backwards
                    step = step_of(
                        cell, np.ascontiguousarray(data), first, live, call.constants, self.hold
                    )
                    key = step.text
                    if key not in made:
                        made[key] = len(steps)
                        steps.append(step.text)
                    weights = [self._weight(t) for t in step.weights]
                    starts = [self._entry(next(rest)) for _ in step.states]
                    words.append(
                        f"{{step: {made[key]}, back: {str(back).lower()}, weights: {weights}, "
                        f"starts: [{', '.join(starts)}], states: {quoted(step.states)}, "
                        f'kind: "{type(cell).__name__}", gates: {quoted(getattr(cell, "gates", {}))}}}'
                    )
                    outputs.append(self._width(step.text))
                rate = getattr(call.layer, "dropout", 0.0) if stages else 0.0
                stages.append(f"{{dropout: {rate or stage.dropout}, ways: [{', '.join(words)}]}}")
                lead = data.shape[:-1]
                width = sum(outputs) // max(math.prod(lead[1:]), 1)
                data = np.zeros((*lead, width), data.dtype)
            batch = math.prod(data.shape[1:-1])
            lengths = "null" if call.lengths is None else str([int(n) for n in call.lengths])
            layers.append(
                f"{{name: {quoted(_called(call.layer))}, T: {len(data)}, B: {batch}, "
                f"turned: {str(bool(call.time_axis)).lower()}, lengths: {lengths}, "
                f"joined: {len(call.joined)}, x: {self._entry(entries[0])}, "
                f"results: {list(range(at, at + len(layer.results)))}, stages: [{', '.join(stages)}]}}"
            )
            at += len(layer.results)
        table = [
            f"{{name: {quoted(name)}, shape: {list(v.shape)}, learnt: {str(learnt).lower()}}}"
            for name, v, learnt in zip(self.names, self.values, self.learnt, strict=True)
        ]
        kind = "Float32Array" if self.kind == "f" else "Float64Array"
        self.text = "\n".join(
            [
                "{",
                f"kind: {kind},",
                f"constants: {self._constants()},",
                f"x: {list(self.x.shape)}, y: {list(self.y.shape)}, "
                f"prediction: {list(self.outer.shape_of_prediction)},",
                f"weights: [{', '.join(table)}],",
                f"layers: [{', '.join(layers)}],",
                "steps: [",
                *(f"{text}," for text in steps),
                "],",
                f"outer: {self.outer.text()},",
                "}",
            ]
        )

    def _constants(self) -> str:
        """Further data that is the same at every call, by role."""
        return (
            "{" + ", ".join(f"{k}: {v.ravel().tolist()}" for k, v in self.constants.items()) + "}"
        )

    def _weight(self, t: Tensor) -> int:
        found = self._of_copy.get(id(t))
        if found is None:
            raise NoText("a layer that uses a tensor that is not the model's own")
        return found

    def _entry(self, entry: tuple[str, Any]) -> str:
        kind, value = entry
        if kind == "out":
            return f"{{out: {value}}}"
        if not np.any(value):
            return "{}"
        return f"{{fixed: {np.asarray(value, 'd').ravel().tolist()}}}"

    def _width(self, text: str) -> int:
        found = re.search(r"\by: (\d+)\}", text)
        assert found is not None
        return int(found[1])


def quoted(value: Any) -> str:
    """Plain data in JavaScript."""
    import json

    return json.dumps(list(value) if isinstance(value, tuple) else value).replace("<", "\\u003c")


def _kind_of(model: Module) -> str:
    """The one kind of float of a model's Parameters."""
    kinds = {np.dtype(p.dtype).char for p in model.parameters()}
    if len(kinds) != 1 or not kinds <= {"f", "d"}:
        raise NoText("Parameters that are not all float32 or all float64")
    return kinds.pop()


def _others(array: Any) -> Any:
    """Integers of the same kind at other places; floats as they are."""
    if array.dtype.kind not in "iu" or not array.size:
        return array
    kinds, which = np.unique(array, return_inverse=True)
    return np.roll(kinds[(which.ravel() + 1) % len(kinds)], 1).reshape(array.shape)


def _called(layer: Any) -> str:
    return type(layer).__name__


class _OuterText(StepText):
    """Everything around the layers: one program, run once, in sections.

    ``forward[k](m)`` makes what layer k takes, the last one the loss; ``backward[k](m)`` makes the
    gradients of what layer k gave, the last one those of the weights.
    """

    def __init__(
        self, trace: Trace, layers: list[CalledLayer], entries: Any, dtype: str, taken: Taken
    ) -> None:
        self.layers, self.entries = layers, entries
        used = {id(n) for n in in_order(trace.outputs)}
        self.dead = {role for role, n in trace.inputs.items() if id(n) not in used}
        with tracing(Tracer()) as tracer:
            wanted = [r for r in trace.inputs if r not in self.dead and (r[0] != "x" or r == "x0")]
            program = Indexed(trace, True, wanted, taken)
        if tracer.looked:
            raise NoText(f"a gradient: {tracer.looked}")
        super().__init__(program, None, dtype)
        self.shape_of_prediction = program.values[program.outputs[1]].shape

    def array(self, name: str, shape: Any, over: str = "", later: bool = False) -> ArrayView:
        """A place in an array of this name: there is no time around the layers."""
        del over, later
        return super().array(name, shape)

    def _give_places(self) -> None:
        for role, v in self.p.inputs.items():
            self.places[v] = self.array(role, self.p.values[v].shape)

    def _plan(self) -> None:
        self.kept: set[int] = set()
        self.onto: set[int] = set()
        self.invariant = []

    def weight_gradient(self, role: str) -> ArrayView:
        """Where the gradient of an input is."""
        return self.array(f"g{role}", self.p.values[self.p.inputs[role]].shape)

    def text(self) -> str:
        """The object, as text."""
        body = self._body()
        done: set[int] = set()
        sections: list[list[str]] = []

        def emit(results: list[int]) -> None:
            todo = [v for v in self._needed(results) if v not in done]
            done.update(todo)
            body.emit(todo, set(todo))

        def section() -> None:
            sections.append(body.lines)
            body.lines = []

        outs = self.outputs
        for entries in self.entries:
            numbers = [k for kind, k in entries if kind == "out"]
            emit([outs[k] for k in numbers])
            for k in numbers:
                body.copy(
                    self.array(f"out{k}", self.low.value(outs[k]).shape), body._source(outs[k])
                )
            section()
        emit(outs[:2])
        for k in range(2):
            body.copy(self.array(f"out{k}", self.low.value(outs[k]).shape), body._source(outs[k]))
        section()
        forward, sections = sections, []
        at = sum(len(layer.results) for layer in self.layers)
        for layer in reversed(self.layers):
            at -= len(layer.results)
            roles = [f"s{at + k}" for k in range(len(layer.results))]
            self._gradients_of(roles, emit, body)
            section()
        self._gradients_of([r for r in self.gradients if r[0] in "wx"], emit, body)
        section()
        backward = sections
        rooms = self._rooms(lambda size, _over: str(size))
        lines = [
            "{",
            "memory(F) {",
            "  return {",
            *(f"    {r}" for r in rooms),
            "  };",
            "},",
            "forward: [",
        ]
        for part in forward:
            lines += ["(m) => {", *self._function(part, []), "},"]
        lines += ["],", "backward: ["]
        for part in backward:
            lines += ["(m) => {", *self._function(part, []), "},"]
        return "\n".join([*lines, "],", "}"])

    def _gradients_of(self, roles: list[str], emit: Any, body: Any) -> None:
        found = [r for r in roles if r in self.gradients]
        emit([self.gradients[r] for r in found])
        for r in found:
            body.copy(self.weight_gradient(r), body._source(self.gradients[r]))
