"""How does a module become an ONNX file? ``to_onnx`` traces its forward on an example and writes the graph.

The forward runs again on other values (and other lengths of the dynamic axes), like the example's and
wilder. What all runs did alike is written; a constant that differs came from the input in a way that the
trace cannot see, and is refused instead of being frozen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..engine.places import state
from ..engine.values import Literal, Node
from ..files import atomic
from ..nn.module import Module
from ..ops import dtypes
from ..ops.row import ROWS
from ..tensors import Tensor, as_tensor
from . import onnx_layers, onnx_ops
from .onnx_graph import Applied, ExportError, GraphBuilder, library, same, sized
from .onnx_trace import Axes, Event, Inputs, OnnxTrace, Unroll, flat, is_array, weights_of


def to_onnx(
    module: Module,
    path: Any,
    *example: Any,
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    dynamic_axes: Axes | None = None,
    unroll: Unroll = False,
    **keywords: Any,
) -> None:
    """Write ``module(*example, **keywords)`` to an ONNX file (opset 17), in evaluation mode.

    RNN, LSTM and GRU become ONNX's nodes of those names: layers, directions, ``lengths=``, initial
    states, learned ones too, peepholes, coupled gates; so do Embedding and LayerNorm. Everything else
    that ``forward`` does with tensors is written op by op. Lengths of axes are those of the example
    unless ``dynamic_axes`` names them: ``{"input": {0: "time", 1: "batch"}}``. What ONNX has no node
    for (projections, a cell of your own) is refused by name, or with ``unroll=True`` written step by
    step for exactly the example's time steps; ``unroll="all"`` writes every recurrent layer so, for
    runtimes that leave options of ONNX's recurrent nodes out. Inputs are called as forward calls
    them, parts of a tuple with a number behind it. ``path`` may be an open binary file. Raises ExportError (a
    ValueError) for what cannot be exported, ImportError without the extra ``onnx``.

        tg.interop.to_onnx(model, "model.onnx", x, dynamic_axes={"input": {0: "time", 1: "batch"}})
    """
    library()
    if not isinstance(module, Module):
        raise TypeError(f"to_onnx takes a Module, not {type(module).__name__}")
    if unroll not in (True, False, "all"):
        raise ValueError(f'unroll is True, False or "all", not {unroll!r}')
    inputs = Inputs(module, example, keywords, input_names, dynamic_axes)
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        first, *others = [OnnxTrace(module, inputs, twin, unroll) for twin in (0, 1)]
        others += _wilder(module, inputs, unroll)
    finally:
        for part, mode in modes:
            part.__dict__["training"] = mode
    for other in others:
        model = _Writer(module, inputs, first, other).model(output_names)
    data = model.SerializeToString()
    if hasattr(path, "write"):
        path.write(data)
    else:
        atomic.write(Path(path), [data])


def _wilder(module: Module, inputs: Inputs, unroll: Unroll) -> list[OnnxTrace]:
    """The run on the wildest values that the forward takes: not all take NaN, or an index beyond."""
    for wild in (3, 2):
        try:
            return [OnnxTrace(module, inputs, wild, unroll)]
        except ExportError:
            raise
        except Exception:  # whatever the forward says to such values
            continue
    return []


# ---- writing ---------------------------------------------------------------------------------------


class _Writer:
    """Two traces that must agree, and the graph that is made of them."""

    def __init__(self, module: Module, inputs: Inputs, one: OnnxTrace, two: OnnxTrace) -> None:
        self.module, self.inputs, self.one, self.two = module, inputs, one, two
        self.b = GraphBuilder()
        self.known: dict[int, str] = {}  # by node
        self.shapes: dict[int, Any] = {}  # by node, in the other trace
        self.parts: dict[int, tuple[str, ...]] = {}  # of ops with several outputs, by node
        self.lengths: dict[str, str] = {}  # of dynamic axes, by their word
        self.arrays: dict[int, str] = {}  # by the array of a value that depends on inputs
        self.parameters = {id(p._node): (n, p) for n, p in module.named_parameters()}
        self.buffers = {id(t): n for n, t in module.named_buffers()}

    def model(self, output_names: list[str] | None) -> Any:
        """The whole model."""
        rows = zip(self.inputs.names, self.one.leaves, self.two.leaves, strict=True)
        for name, leaf, twin in rows:
            axes = self.inputs.dynamic.get(name, {})
            shape = [axes.get(k, side) for k, side in enumerate(leaf.shape)]
            self.b.inputs.append(self.b.value_info(self.b.name(name), leaf.dtype, shape))
            self._know(leaf, twin, name)
        if len(self.one.events) != len(self.two.events):
            raise self._unlike("it does another number of operations")
        for event, other in zip(self.one.events, self.two.events, strict=True):
            self._write(event, other)
        results = list(zip(flat(self.one.output), flat(self.two.output), strict=True))
        if output_names is None:
            output_names = (
                ["output"] if len(results) == 1 else [f"output_{k}" for k in range(len(results))]
            )
        if len(output_names) != len(results):
            raise ValueError(
                f"to_onnx: {len(output_names)} output_names for {len(results)} outputs"
            )
        for name, (result, twin) in zip(output_names, results, strict=True):
            inner = self._name(result, None, twin)
            taken = self.b.name(name)
            self.b.nodes.append(
                self.b.onnx.helper.make_node("Identity", [inner], [taken], f"{taken}_is")
            )
            self.b.outputs.append(
                self.b.value_info(taken, result.dtype, self._sides(result.shape, twin.shape))
            )
        return self.b.model(type(self.module).__name__, repr(self.module))

    def _sides(self, one: Any, two: Any) -> list[Any]:
        """An output's shape, its dynamic lengths by name where it is one of the inputs'."""
        return [
            p if p == q else self.inputs.word(p, q) or f"side_{k}"
            for k, (p, q) in enumerate(zip(one, two, strict=True))
        ]

    def _length(self, one: int, two: int) -> str | None:
        """The name of a dynamic length, read from an input: a vector of one."""
        word = self.inputs.word(one, two)
        if word is None:
            return None
        rows = (
            (n, axis)
            for n, axes in self.inputs.dynamic.items()
            for axis, w in axes.items()
            if w == word
        )
        if word not in self.lengths:
            self.lengths[word] = self.b.side(*next(rows))
        return self.lengths[word]

    def _unlike(self, how: str) -> ExportError:
        words = (
            " with other lengths of " + ", ".join(self.inputs.sizes) if self.inputs.sizes else ""
        )
        return ExportError(
            f"{type(self.module).__name__} cannot be exported: on other values{words}, {how} (a loop over "
            "time, or a choice that depends on values): leave dynamic_axes out, or write it with tensors"
        )

    def _know(self, result: Tensor, twin: Tensor, name: str) -> None:
        node = result._node
        self.known[id(node)], self.shapes[id(node)] = name, twin.shape
        self.arrays[id(result._data)] = name

    def _write(self, event: Event, twin: Event) -> None:
        if event.kind != twin.kind or (event.kind != "layer" and event.what != twin.what):
            raise self._unlike("it does other operations")
        if event.kind == "layer":
            return self._write_layer(event, twin)
        if event.kind == "compare":
            return self._write_comparison(event, twin)
        node, other = event.results[0]._node, twin.results[0]._node
        if not (isinstance(node, Node) and isinstance(other, Node)):
            return None  # of constants alone: it is one, too
        inputs, shapes = [], ([], [])  # type: ignore[var-annotated]
        operands = event.operands if len(event.operands) == len(node.parents) else node.parents
        others = twin.operands if len(twin.operands) == len(node.parents) else other.parents
        name = _row_name(node.op)
        for k, parent in enumerate(node.parents):
            dtype = node.dtype if name in onnx_ops.SAME_DTYPE or (name == "where" and k) else None
            inputs.append(self._name(operands[k], dtype, others[k], parent, other.parents[k]))
            shapes[0].append(parent.shape)
            shapes[1].append(other.parents[k].shape)
        made = self._emit(onnx_ops.EMIT, name, event.place, inputs, shapes, node, other)
        self._know(event.results[0], twin.results[0], made)
        return None

    def _emit(
        self, table: Any, name: str, place: str, inputs: Any, shapes: Any, node: Any, other: Any
    ) -> Any:
        cut = 1 if node.op.variadic else len(node.parents)
        ndim = len(node.shape)
        applied = Applied(
            name, place, inputs, shapes, (node.saved[cut:], other.saved[cut:]), node.dtype, ndim,
            lambda array: self.arrays.get(id(array)), self._length,
        )  # fmt: skip
        if name not in table:
            raise applied.failure("ONNX has no such op, or it is not in the table")
        scope = node.place.scope
        self.b.prefix = "" if scope is None else scope.path().partition(".")[2]
        return table[name](self.b, applied)

    def _write_comparison(self, event: Event, twin: Event) -> None:
        if event.constants != twin.constants:
            raise self._unlike("it does other operations")
        name = onnx_ops.LOGICAL.get(event.what, event.what)
        arrays = [a._data if isinstance(a, Tensor) else a for a in event.operands]
        dtype = np.result_type(*arrays)
        inputs = [
            self._name(a, dtype, c) for a, c in zip(event.operands, twin.operands, strict=True)
        ]
        if name != event.what:  # of truths: what is not 0
            inputs = [self.b.true(one, dtype) for one in inputs]
            dtype = np.dtype(bool)
        shapes = [[np.shape(a) for a in e.operands] for e in (event, twin)]
        applied = Applied(
            name,
            event.place,
            inputs,
            (shapes[0], shapes[1]),
            (event.constants, twin.constants),
            dtype,
            event.results[0].ndim,
            lambda array: None,
            self._length,
        )
        if name.startswith(("bitwise", "invert")) and dtype.kind != "b":
            raise applied.failure("of integers, bit by bit")
        if name not in onnx_ops.COMPARE:
            raise applied.failure("it is not in the table of functions without a derivative")
        self._know(event.results[0], twin.results[0], onnx_ops.COMPARE[name](self.b, applied))

    def _write_layer(self, event: Event, twin: Event) -> None:
        path, part = event.what
        if event.what[1] is not twin.what[1]:
            raise self._unlike("it calls other layers")
        write = onnx_layers.writer(part)
        if write is None:
            raise ExportError(f"{path}: {type(part).__name__} cannot be exported")
        now = weights_of(part)
        for then in (event.constants, twin.constants):
            if len(then) != len(now) or not all(map(same, then, now)):
                raise ExportError(
                    f"{path}: a weight of this {type(part).__name__} is computed from the input, or differs "
                    "from call to call, and would be frozen in the export"
                )
        args, kwargs = event.operands
        ndim = next(
            a.ndim for a in (*args, *kwargs.values()) if isinstance(a, (Tensor, np.ndarray))
        )

        def names(value: Any, other: Any) -> Any:
            if isinstance(value, (tuple, list)) and any(
                is_array(v) or isinstance(v, tuple) for v in value
            ):
                return tuple(names(v, o) for v, o in zip(value, other, strict=True))
            if value is None or isinstance(value, (bool, int)):
                return value
            return self._name(as_tensor(value), None, as_tensor(other))

        given = names(args, twin.operands[0]) if args else ()
        keywords = {k: names(v, twin.operands[1][k]) for k, v in kwargs.items()}
        self.b.prefix = path
        made = flat(write(self.b, part, given, keywords, ndim))
        for result, other, name in zip(event.results, twin.results, made, strict=True):
            self._know(result, other, name)

    def _name(self, value: Any, dtype: Any, twin: Any, node: Any = None, other: Any = None) -> str:
        """The name of an operand, cast where it must be; a constant if no input has a part in it."""
        node = value._node if node is None and isinstance(value, Tensor) else node
        if isinstance(node, Literal):
            value, twin = node.value, other.value
        if isinstance(value, dtypes.NUMBERS):
            if same(value, twin):
                return self.b.const(np.array(value, dtype))
            length = self._length(int(value), int(twin)) if type(value) is int else None
            if length is None:
                raise self._unlike(f"it computes with {value} and {twin}")
            return self.b.cast(self.b.squeeze(length, 0), np.int64, dtype)
        found = None if node is None else self.known.get(id(node))
        if found is None and isinstance(node, Node) and node.op.item:
            found = self._item(node, other if other is not None else twin._node)
        given = node.dtype if node is not None else value.dtype
        if found is None and isinstance(value, Tensor):
            found = self.arrays.get(id(value._data))  # detached: the same values
        if found is None:
            found = self._constant(value, twin, node)
        return found if dtype is None else self.b.cast(found, given, dtype)

    def _constant(self, value: Any, twin: Any, node: Any) -> str:
        if id(node) in self.parameters:
            name, parameter = self.parameters[id(node)]
            self.known[id(node)] = made = self.b.parameter(name, parameter._data)
            return made
        if not isinstance(value, Tensor) or not isinstance(twin, Tensor):
            raise ExportError(
                f"a value of shape {value.shape} leaves no trace of where it comes from"
            )
        if (uniform := self._uniform(value._data, twin._data)) is not None:
            return uniform
        if not same(value._data, twin._data):
            raise ExportError(
                f"{state.place}a value of shape {value.shape} depends on the input in a way that leaves no "
                "trace (argmax, integers made of floats, no_grad, numpy) and would be frozen in the export"
            )
        if id(value) in self.buffers:
            return self.b.parameter(self.buffers[id(value)], value._data)
        return self.b.const(value._data)

    def _uniform(self, one: Any, two: Any) -> str | None:
        """A constant of one value in a shape that follows the example's, as zeros for a first state."""
        if one.ndim != two.ndim or one.shape == two.shape or not one.size:
            return None
        if not ((one == one.flat[0]).all() and (two == one.flat[0]).all()):
            return None
        pairs = zip(one.shape, two.shape, strict=True)
        sides = [int(p) if p == q else self._length(p, q) for p, q in pairs]
        if any(side is None for side in sides):
            return None
        start = self.b.const(one.flat[0].reshape((1,) * one.ndim))
        return str(self.b.op("Expand", start, sized(self.b, sides)))  # type: ignore[arg-type]

    def _item(self, node: Any, other: Any) -> str:
        """One of an op's several outputs."""
        whole, twin = node.parents[0], other.parents[0]
        if id(whole) not in self.parts:
            source, origin = whole.parents[0], twin.parents[0]
            below = self._name(source, None, origin, source, origin)
            shapes = ([source.shape], [origin.shape])
            place = str(whole.place)
            made = self._emit(
                onnx_ops.EMIT, _row_name(whole.op), place, [below], shapes, whole, twin
            )
            self.parts[id(whole)] = made
        name: str = self.parts[id(whole)][node.saved[-1]]
        self.known[id(node)], self.shapes[id(node)] = name, other.shape
        return name


def _row_name(op: Any) -> str:
    """The name of an op's row (several rows may be shown under one name)."""
    return next((name for name, known in ROWS.items() if known is op), str(op.name))


__all__ = ["to_onnx"]
