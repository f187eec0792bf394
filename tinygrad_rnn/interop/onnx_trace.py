"""What does a forward do with its inputs? Noted while it runs: ops, comparisons, and whole layers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

from ..engine.listening import Listener, unheard
from ..engine.places import state
from ..engine.switches import enable_grad, no_grad
from ..engine.values import Leaf
from ..nn.module import Module
from ..nn.recurrent import Recurrent
from ..nn.stacks import RecurrentLayer
from ..nn.utils.rnn import PackedSequence
from ..ops import dtypes, watching
from ..ops.row import Op
from ..tensors import Tensor, as_tensor
from . import onnx_layers
from .onnx_graph import ExportError

Axes = Mapping[str, Mapping[int, str]]
Unroll = bool | Literal["all"]


# ---- inputs ----------------------------------------------------------------------------------------


class Inputs:
    """The example: tensors by name, and where they stand in the call."""

    def __init__(
        self, module: Module, example: Any, keywords: Any, names: Any, dynamic: Axes | None
    ) -> None:
        try:
            bound = inspect.signature(module.forward).bind(*example, **keywords)
        except TypeError as error:
            raise TypeError(
                f"to_onnx: the example does not fit {type(module).__name__}: {error}"
            ) from None
        labels: list[str] = []
        for label, value in bound.arguments.items():
            several = isinstance(value, (tuple, dict)) and label in ("args", "kwargs")
            kind = inspect.signature(module.forward).parameters[label].kind
            if several and kind is inspect.Parameter.VAR_POSITIONAL:
                labels += [f"{label}_{k}" for k in range(len(value))]
            elif kind is inspect.Parameter.VAR_KEYWORD:
                labels += list(value)
            else:
                labels.append(label)
        self.positional, self.keywords = example, keywords
        self.names: list[str] = []
        self.tensors: list[Tensor] = []
        for label, value in zip(labels, [*example, *keywords.values()], strict=False):
            self._collect(label, value)
        if not self.tensors:
            raise ValueError("to_onnx needs an example input")
        if names is not None:
            if len(names) != len(self.names):
                raise ValueError(
                    f"to_onnx: {len(names)} input_names for the inputs {', '.join(self.names)}"
                )
            self.names = list(names)
        self.dynamic: dict[str, dict[int, str]] = {
            n: dict(axes) for n, axes in (dynamic or {}).items()
        }
        for name, axes in self.dynamic.items():
            if name not in self.names:
                raise ValueError(
                    f"dynamic_axes names {name!r}, and the inputs are {', '.join(self.names)}"
                )
            ndim = self.tensors[self.names.index(name)].ndim
            if any(not 0 <= axis < ndim for axis in axes):
                raise ValueError(
                    f"dynamic_axes: {name} has the axes 0 to {ndim - 1}, not {list(axes)}"
                )
        self.sizes: dict[str, int] = {}
        for name, tensor in zip(self.names, self.tensors, strict=True):
            for axis, word in self.dynamic.get(name, {}).items():
                if self.sizes.setdefault(word, tensor.shape[axis]) != tensor.shape[axis]:
                    raise ValueError(
                        f"dynamic_axes: {word!r} is {self.sizes[word]} and {tensor.shape[axis]} in the "
                        "example"
                    )

    def _collect(self, label: str, value: Any) -> None:
        parts = _nested(value)
        if parts is not None:
            for k, part in parts.items():
                self._collect(f"{label}_{k}", part)
        elif is_array(value) or (isinstance(value, list) and value):
            self.names.append(label)
            self.tensors.append(as_tensor(value))

    def call(self, module: Module, twin: int) -> tuple[Any, list[Tensor]]:
        """Run the module on leaves of its own: the output, and the leaves; see ``_twin``."""
        leaves: list[Tensor] = []

        def fresh(value: Any) -> Any:
            parts = _nested(value)
            if parts is not None:
                return _renewed(value, {k: fresh(v) for k, v in parts.items()})
            if not (is_array(value) or (isinstance(value, list) and value)):
                return value
            k = len(leaves)
            data = self.tensors[k]._data
            leaf = Tensor._wrap(self._twin(k, data, twin) if twin else np.array(data), None)
            leaf._node = Leaf(
                leaf.shape, leaf.dtype
            )  # also for integers: all that is done is recorded
            leaves.append(leaf)
            return leaf

        args = [fresh(value) for value in self.positional]
        return module(*args, **{key: fresh(value) for key, value in self.keywords.items()}), leaves

    def more(self, word: str) -> int:
        """By how much a dynamic length is longer in the other example, each by its own number."""
        return list(self.sizes).index(word) + 1

    def word(self, one: int, two: int) -> str | None:
        """The dynamic length that is ``one`` in the example and ``two`` in the other."""
        words = {(size, size + self.more(word)): word for word, size in self.sizes.items()}
        return words.get((one, two))

    def _twin(self, k: int, data: Any, wild: int) -> Any:
        """Other values, and more along each dynamic axis: 1 of the first, 2 of the second ...

        They are within the example's bounds (1), drawn from wider ones (2), or anything: NaN and
        infinities among them, integers beyond the largest (3).
        """
        for axis, word in self.dynamic.get(self.names[k], {}).items():
            longer = data.shape[axis] + self.more(word)
            data = np.take(data, np.arange(longer) % data.shape[axis], axis)
        draw = np.random.default_rng((wild, k))
        if data.dtype.kind == "b":
            return ~data if wild == 1 else draw.random(data.shape) < 0.5
        if data.dtype.kind in "iu" and data.size:
            if wild == 1:
                return data.max() - data + data.min()
            most = int(data.max()) + (wild == 3)
            return draw.integers(int(data.min()), most, data.shape, endpoint=True).astype(
                data.dtype
            )
        if wild == 1:
            return (data[::-1] if data.ndim else data) * data.dtype.type(0.75) + data.dtype.type(
                0.125
            )
        values = np.round(draw.normal(size=data.shape) * 10 * (1 + np.abs(data)), 1)
        if wild == 3:
            odd = draw.choice([np.nan, np.inf, -np.inf, 0.0], data.shape)
            values = np.where(draw.random(data.shape) < 0.4, odd, values)
        return values.astype(data.dtype)


def is_array(value: Any) -> bool:
    """Whether a value is a Tensor or an array."""
    return isinstance(value, (Tensor, np.ndarray))


def _nested(value: Any) -> dict[Any, Any] | None:
    """The parts of a tuple, list or dict that holds arrays at any depth; None for any other value."""
    if isinstance(value, dict):
        parts = dict(value)
    else:
        parts = dict(enumerate(value)) if isinstance(value, (tuple, list)) else {}
    found = any(
        is_array(v) or isinstance(v, tuple) or _nested(v) is not None for v in parts.values()
    )
    return parts if found else None


def _renewed(value: Any, parts: dict[Any, Any]) -> Any:
    """The nesting of a value around other parts."""
    if isinstance(value, dict):
        return parts
    if hasattr(value, "_fields"):
        return type(value)(*parts.values())
    return list(parts.values()) if isinstance(value, list) else tuple(parts.values())


# ---- tracing ---------------------------------------------------------------------------------------


class Event:
    """Something that was done: an op, a comparison, or a whole layer."""

    def __init__(
        self,
        kind: str,
        what: Any,
        results: list[Tensor],
        operands: Any,
        place: str,
        constants: tuple[Any, ...] = (),
    ) -> None:
        self.kind, self.what, self.results = kind, what, results
        self.operands, self.place, self.constants = operands, place, constants


class OnnxTrace(Listener):
    """One run of the forward: its events in order, and its output.

    Random numbers that are drawn are constants of the graph, and a detached tensor is known by its array.
    """

    whole = True  # values alone are written, no gradient; lengths that are read would be frozen

    def __init__(self, module: Module, inputs: Inputs, twin: int, unroll: Unroll) -> None:
        self.events: list[Event] = []
        with self._listening(module, unroll):
            self.output, self.leaves = inputs.call(module, twin)

    @contextmanager
    def _listening(self, module: Module, unroll: Unroll) -> Iterator[None]:
        before = state.tracer, state.watch
        changed: list[tuple[Module, dict[str, Any]]] = []
        for path, part in module.named_modules():
            own = part.__dict__
            if onnx_layers.writer(part) is not None and not self._unrolled(path, part, unroll):
                changed.append((part, {"forward": own.get("forward")}))
                own["forward"] = self._layer(path, part, part.forward)
            elif isinstance(part, (RecurrentLayer, Recurrent)):
                changed.append((part, {"compiled": own.get("compiled")}))
                own["compiled"] = False
        state.tracer = state.watch = self
        try:
            with watching.looking(), enable_grad(), np.errstate(all="ignore"):
                yield
        finally:
            state.tracer, state.watch = before
            for part, attributes in changed:
                for name, value in attributes.items():
                    if value is None:
                        del part.__dict__[name]
                    else:
                        part.__dict__[name] = value

    def _unrolled(self, path: str, part: Module, unroll: Unroll) -> bool:
        """Whether a layer is to be written step by step."""
        if not isinstance(part, (RecurrentLayer, Recurrent)):
            return False
        why = onnx_layers.refusal(part)
        if why is not None and not unroll:
            where = f"{path}: " if path else ""
            raise ExportError(
                f"{where}{type(part).__name__} cannot be exported: {why}; unroll=True writes it step by "
                "step, for the example's number of time steps alone"
            )
        return why is not None or unroll == "all"

    def _layer(self, path: str, part: Module, forward: Any) -> Any:
        """What stands for a layer's forward: runs it unseen, and notes the call."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if args and isinstance(args[0], PackedSequence):  # runs this layer on what it holds
                hx = args[1] if len(args) > 1 else kwargs.get("hx")
                return part._packed(args[0], hx, kwargs.get("first_step"))
            with unheard(), no_grad():
                output = forward(*args, **kwargs)
            results: list[Tensor] = []

            def leaf(value: Any) -> Any:
                if isinstance(value, (tuple, list)):
                    return tuple(leaf(v) for v in value)
                fresh = Tensor._wrap(value._data.copy(), None)
                fresh._node = Leaf(fresh.shape, fresh.dtype)
                results.append(fresh)
                return fresh

            made = leaf(output)
            weights = weights_of(part)
            self.events.append(Event("layer", (path, part), results, (args, kwargs), "", weights))
            return made

        return call

    # ---- what ``state.tracer`` and ``state.watch`` are asked

    def looks(self, how: str) -> None:
        """Python reads a value."""
        raise ExportError(
            f"{state.place}forward reads a value while it runs ({how}): what it does with it cannot be "
            "exported"
        )

    def compared(
        self, name: str, result: Tensor, operands: tuple[Any, ...], constants: Any = ()
    ) -> None:
        """A comparison was made."""
        self.marked(name, result, operands, constants)

    def marked(
        self, name: str, result: Tensor, operands: tuple[Any, ...], constants: tuple[Any, ...]
    ) -> None:
        """A function without a derivative has computed."""
        result._node = Leaf(result.shape, result.dtype)
        given = tuple(as_tensor(a) if not isinstance(a, dtypes.NUMBERS) else a for a in operands)
        self.events.append(Event("compare", name, [result], given, str(state.place), constants))

    def is_made(self, t: Any) -> bool:
        """Whether a tensor is the same in every run: a graph's constants are."""
        return True

    def look(self, op: Op, result: Tensor, operands: Any, _constants: Any = ()) -> None:
        """An op was applied."""
        if result.__class__ is Tensor:
            self.events.append(Event("op", op, [result], operands, str(state.place)))


def weights_of(part: Module) -> tuple[Any, ...]:
    """The arrays that a layer computes with: Parameters, and computed tensors in their places."""
    cells = part.cells() if isinstance(part, RecurrentLayer) else []
    inside = (module for root in (part, *cells) for module in root.modules())
    return tuple(v._data for m in inside for v in vars(m).values() if isinstance(v, Tensor))


def flat(output: Any) -> list[Any]:
    """The tensors (or the names) of an output of any nesting, in order."""
    if isinstance(output, (tuple, list)):
        return [part for value in output for part in flat(value)]
    if isinstance(output, dict):
        return [part for value in output.values() for part in flat(value)]
    if not isinstance(output, (Tensor, str)):
        raise ExportError(
            f"forward returned a {type(output).__name__}, and a graph's outputs are tensors"
        )
    return [output]
