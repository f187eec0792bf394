"""How is an ONNX file read? ``from_onnx``: its graph as a module that computes, is drawn and is trained.

The graph is walked in its own order at every call, each node by its row in ``onnx_read_ops``; RNN, LSTM and
GRU nodes are layers, made once when the file is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.places import Place, Scope, at_place, state
from ..files import FileFormatError
from ..nn.module import Module, Parameter
from ..tensors import Tensor, as_tensor
from ..tensors.several import stack
from . import onnx_read_ops as ops
from .onnx_graph import library
from .onnx_read_layers import GATES, OnnxOutput, OnnxRecurrent
from .onnx_read_ops import OnnxNode, ReadError
from .packing import WeightsError

Values = dict[str, Any]
CONTROL = ("If", "Loop", "Scan")
STANDARD = ("", "ai.onnx")


def from_onnx(path: Any) -> OnnxModel:
    """A module that computes what an ONNX file says: ``y = model(x)``, by place or by name.

    Nodes RNN, LSTM and GRU become recurrent layers, whatever their attributes (directions, peepholes,
    lengths, initial states, clip, coupled gates, activations, both resets, layout); everything else
    runs op by op. Float initializers of at least one axis are Parameters, so that the model can be
    trained further, taken apart by the ledger and drawn; numbers, integers and ``Constant`` nodes stay
    what they are. Inputs are those of the graph in its order; one output comes back as a Tensor,
    several as a tuple. ``path`` may be a path, bytes, an open binary file or a ModelProto. Raises
    ReadError (a ValueError), naming node and op, for what is not known here, FileFormatError for a
    file that is no ONNX model, ImportError without the extra ``onnx``.

        model = tg.interop.from_onnx("model.onnx")
        y = model(x)
    """
    library("from_onnx")
    name = str(path) if isinstance(path, (str, os.PathLike)) else "the model"
    proto = _loaded(path, name)
    try:
        return OnnxModel(proto, name)
    except (ReadError, FileFormatError, MemoryError):
        raise
    except Exception as error:  # a damaged file may hold anything in a field's place
        raise FileFormatError(f"{name} is damaged: {error}") from error


def _loaded(path: Any, name: str) -> Any:
    """The ModelProto, checked, its local functions written out."""
    onnx = library("from_onnx")
    from onnx import inliner

    if isinstance(path, onnx.ModelProto):
        model = path
    else:
        try:
            if isinstance(path, (bytes, bytearray, memoryview)):
                model = onnx.load_model_from_string(bytes(path))
            elif hasattr(path, "read"):
                model = onnx.load_model_from_string(path.read())
            else:
                model = onnx.load(Path(path))  # with what lies in files beside it
        except FileNotFoundError:
            raise
        except Exception as error:
            raise FileFormatError(f"{name} is no ONNX model: {error}") from error
    if not model.opset_import or not model.graph.output:
        raise FileFormatError(f"{name} is no ONNX model: it has no operator set or no outputs")
    return inliner.inline_local_functions(model) if model.functions else model


class _Graph:
    """A graph's nodes in order, with the names of what goes in and out."""

    def __init__(self, inputs: list[str], outputs: list[str], nodes: list[OnnxNode]) -> None:
        self.inputs, self.outputs, self.nodes = inputs, outputs, nodes


class OnnxModel(Module):
    """An ONNX graph as a module; made by ``from_onnx``, which says what becomes of what.

    ``input_names`` and ``output_names`` are the graph's; ``forward`` takes inputs by place or by name.
    """

    def __init__(self, model: Any, name: str = "the model") -> None:
        super().__init__()
        self._file = name
        self._opsets = {o.domain: o.version for o in model.opset_import}
        self._held: dict[
            str, tuple[Module, str]
        ] = {}  # initializers that are Parameters or buffers
        self._arrays: dict[str, Tensor] = {}
        given = {i.name for i in model.graph.initializer}
        self._dtypes = {
            i.name: _dtype(i.type.tensor_type.elem_type)
            for i in model.graph.input
            if i.name not in given
        }
        self.input_names = list(self._dtypes)
        # What the file says of each input's shape: numbers, or names of what it leaves open.
        self.input_shapes: dict[str, list[int | str]] = {
            i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim]
            for i in model.graph.input
            if i.name in self._dtypes
        }
        self.output_names = [o.name for o in model.graph.output]
        arrays = self._initializers(model.graph)
        self._graph = self._read(model.graph)
        self._check_names(self._graph, {*self._dtypes, *arrays})
        self._recurrent_layers(arrays)
        self._graph.nodes = _live(self._graph)
        used = _used(self._graph)
        for key, array in arrays.items():
            if key in used:
                self._hold(key, array)

    # ---- reading the file

    def _initializers(self, graph: Any) -> dict[str, Any]:
        from onnx import numpy_helper

        if graph.sparse_initializer:
            raise ReadError(f"{self._file}: sparse initializers are not known here")
        found = {}
        for tensor in graph.initializer:
            try:
                found[tensor.name] = numpy_helper.to_array(tensor)
            except Exception as error:  # whatever a damaged file makes it raise
                raise FileFormatError(
                    f"{self._file}: the initializer {tensor.name!r} is damaged: {error}"
                ) from error
        return found

    def _read(self, graph: Any) -> _Graph:
        nodes = [self._node(proto, k) for k, proto in enumerate(graph.node)]
        return _Graph([i.name for i in graph.input], [o.name for o in graph.output], nodes)

    def _check_names(self, graph: _Graph, known: set[str]) -> None:
        """Every name that is read must have been made before."""
        for n in graph.nodes:
            lacking = [name for name in n.inputs if name and name not in known]
            if lacking:
                raise ReadError(
                    f"{self._file}: {n.refuse(f'nothing makes its input {lacking[0]!r}')}"
                )
            for value in n.attributes.values():
                if isinstance(value, _Graph):
                    self._check_names(value, known | set(value.inputs))
            known |= {name for name in n.outputs if name}
        lacking = [name for name in graph.outputs if name not in known]
        if lacking:
            raise ReadError(f"{self._file}: nothing makes the output {lacking[0]!r}")

    def _node(self, proto: Any, place: int) -> OnnxNode:
        from onnx import helper, numpy_helper

        n = OnnxNode(
            proto.op_type,
            proto.domain,
            proto.name or f"{proto.op_type}_{place}",
            tuple(proto.input),
            tuple(proto.output),
            {},
            self._opsets.get(proto.domain, self._opsets.get("", 0)),
        )
        known = n.domain in STANDARD and (n.op in ops.RULES or n.op in GATES or n.op in CONTROL)
        if not known:
            raise ReadError(f"{self._file}: {n.refuse('this op is not known here')}")
        for attribute in proto.attribute:
            value = helper.get_attribute_value(attribute)
            if attribute.type == attribute.TENSOR:
                value = numpy_helper.to_array(value)
            elif attribute.type == attribute.GRAPH:
                inner = self._initializers(value)
                value = self._read(value)
                value.nodes[:0] = [
                    OnnxNode("Constant", "", key, (), (key,), {"value": array}, n.opset)
                    for key, array in inner.items()
                ]
            elif isinstance(value, bytes):
                value = value.decode()
            elif isinstance(value, (list, tuple)) or attribute.type in (
                attribute.INTS,
                attribute.FLOATS,
            ):
                value = [v.decode() if isinstance(v, bytes) else v for v in value]
            n.attributes[attribute.name] = value
        return n

    def _recurrent_layers(self, arrays: dict[str, Any]) -> None:
        """A layer for every RNN, LSTM and GRU whose weights depend on no input."""
        known: Values = {key: Tensor._wrap(np.array(a), None) for key, a in arrays.items()}
        for n in self._graph.nodes:
            if n.op not in GATES:
                if all(name == "" or name in known for name in n.inputs) and n.op not in CONTROL:
                    known.update(zip(n.outputs, self._apply(n, known), strict=False))
                continue
            names = [*n.inputs, *[""] * (8 - len(n.inputs))]
            lacking = [k for k in (*names[1:4], names[7]) if k and k not in known]
            if lacking or not names[1] or not names[2]:
                what = f"{lacking[0]!r} depends on an input" if lacking else "W or R is missing"
                raise ReadError(
                    f"{self._file}: {n.refuse(f'its weights must be constant: {what}')}"
                )
            keys = {"W": names[1], "R": names[2], "B": names[3], "P": names[7]}
            arrays_of = {part: ops.array(known[key]) for part, key in keys.items() if key}
            try:
                layer = OnnxRecurrent(n.op, n.attributes, arrays_of)
            except WeightsError as why:
                raise ReadError(f"{self._file}: {n.refuse(str(why))}") from why
            attribute = self._free(re.sub(r"\W+", "_", n.name).strip("_").lower() or n.op.lower())
            self.add_module(attribute, layer)
            n.held["layer"] = attribute
            n.inputs = (names[0], "", "", "", *names[4:7], "")

    def _hold(self, key: str, array: Any) -> None:
        """An initializer becomes a Parameter (floats with an axis) or a tensor beside them."""
        data = np.array(array)
        if (
            data.dtype.kind not in "fiub"
            or data.dtype.itemsize > 8
            or data.dtype.name == "bfloat16"
        ):
            raise ReadError(
                f"{self._file}: the initializer {key!r} holds {data.dtype}, not known here"
            )
        if data.dtype.kind != "f" or not data.ndim:
            self._arrays[key] = Tensor._wrap(data, None)
            return
        *path, last = [p for p in key.split(".") if p] or ["weight"]
        owner: Module = self
        if not all(part.isidentifier() for part in (*path, last)) or hasattr(
            type(self), path[0] if path else last
        ):
            path, last = [], re.sub(r"\W+", "_", key).strip("_") or "weight"
        for part in path:
            inner = owner.__dict__["_modules"].get(part)
            if not isinstance(inner, Module) or isinstance(inner, OnnxRecurrent):
                if part in owner.__dict__:
                    path, last, owner = [], re.sub(r"\W+", "_", key), self
                    break
                inner = _Weights()
                owner.add_module(part, inner)
            owner = inner
        name = self._free(last) if owner is self else last
        owner.register_parameter(name, Parameter(data, dtype=data.dtype))
        self._held[key] = (owner, name)

    def _free(self, wish: str) -> str:
        """A name for an attribute that nothing has yet."""
        wish = wish if wish.isidentifier() else f"_{wish}"
        name, k = wish, 1
        while name in self.__dict__ or hasattr(type(self), name):
            k += 1
            name = f"{wish}_{k}"
        return name

    # ---- computing

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The graph's outputs: a Tensor, or a tuple where there are several."""
        values: Values = dict(self._arrays)
        for key, (owner, name) in self._held.items():
            values[key] = getattr(owner, name)
        values.update(self._given(args, kwargs))
        self._run(self._graph, values)
        found = tuple(ops.plain(values[name]) for name in self.output_names)
        return found[0] if len(found) == 1 else found

    def _given(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Values:
        """Inputs by name, in the file's dtypes."""
        names = self.input_names
        if len(args) > len(names):
            raise TypeError(f"{len(args)} inputs for {len(names)}: {', '.join(names)}")
        given = dict(zip(names, args, strict=False))
        for key, value in kwargs.items():
            if key not in names or key in given:
                raise TypeError(
                    f"no input is called {key!r}: {', '.join(names)}"
                    if key not in names
                    else f"the input {key!r} is given twice"
                )
            given[key] = value
        lacking = [name for name in names if name not in given]
        if lacking:
            raise TypeError(f"the input {lacking[0]!r} is missing; there are {', '.join(names)}")
        found: Values = {}
        for key, value in given.items():
            t, dtype = as_tensor(value), self._dtypes[key]
            if dtype is not None and t.dtype != dtype:
                if (dtype.kind == "f") != t.is_floating_point():
                    raise TypeError(f"the input {key!r} holds {t.dtype}, expected {dtype}")
                t = t.to(dtype) if dtype.kind == "f" else ops.whole(ops.array(t), dtype)
            found[key] = t
        return found

    def _run(self, graph: _Graph, values: Values) -> None:
        for n in graph.nodes:
            values.update(zip(n.outputs, self._apply(n, values), strict=False))

    def _apply(self, n: OnnxNode, values: Values) -> tuple[Any, ...]:
        """One node's outputs; errors name it."""
        if n.op in CONTROL:
            return self._control(n, values)
        given = [values[name] if name else None for name in n.inputs]
        try:
            if n.op in GATES:
                return self._recurrent(n, given)
            while given and given[-1] is None:
                given.pop()
            with at_place(self._place(n)):
                return ops.apply(n, given)
        except ReadError:
            raise
        except (ValueError, TypeError, IndexError, KeyError, RuntimeError) as error:
            raise type(error)(f"{self._file}: {n.refuse(str(error))}") from error

    def _place(self, n: OnnxNode) -> Place:
        """Where an op is recorded: in the part of the model that has its weights, as pictures name it."""
        owners = (self._held[name][0] for name in n.inputs if name in self._held)
        owner = next((o for o in owners if o is not self), None)
        if owner is None:
            return state.place
        around = state.place.scope
        return Place(Scope(owner, around, self._name_of(owner)), state.place.step, state.place.call)

    def _name_of(self, part: Module) -> str:
        return next(name for name, module in self.named_modules() if module is part)

    def _recurrent(self, n: OnnxNode, given: list[Any]) -> tuple[Any, ...]:
        layer: OnnxRecurrent = getattr(self, n.held["layer"])
        batch_first = bool(n.get("layout", 0))
        x = ops.plain(given[0])
        states = [None if s is None else ops.plain(s) for s in given[5:7]]
        if batch_first:
            x = x.transpose(0, 1)
            states = [None if s is None else s.transpose(0, 1) for s in states]
        lengths = None if given[4] is None else ops.array(given[4]).astype(np.int64)
        y, last = layer(x, lengths, states)
        if batch_first:
            last = [s.transpose(0, 1) for s in last]
        return (OnnxOutput(y, layer.ways, "BTDH" if batch_first else "TDBH"), *last)

    # ---- graphs inside nodes

    def _control(self, n: OnnxNode, values: Values) -> tuple[Any, ...]:
        given: list[Any] = [ops.plain(values[name]) if name else None for name in n.inputs]
        if n.op == "If":
            branch = "then_branch" if ops.array(given[0]).any() else "else_branch"
            return self._body(n.attributes[branch], [], values)
        return self._loop(n, given, values) if n.op == "Loop" else self._scan(n, given, values)

    def _body(self, graph: _Graph, inputs: Sequence[Any], values: Values) -> tuple[Any, ...]:
        inner = {**values, **dict(zip(graph.inputs, inputs, strict=True))}
        self._run(graph, inner)
        return tuple(ops.plain(inner[name]) for name in graph.outputs)

    def _loop(self, n: OnnxNode, given: list[Any], values: Values) -> tuple[Any, ...]:
        most, go, *carried = given
        body, k = n.attributes["body"], 0
        limit = None if most is None else int(ops.array(most).item())
        going = go is None or bool(ops.array(go).any())
        count = len(carried)
        scanned: list[list[Any]] = [[] for _ in range(len(n.outputs) - count)]
        while going and (limit is None or k < limit):
            found = self._body(body, [ops.whole(k, np.int64), ops.whole(True), *carried], values)
            going, carried = bool(ops.array(found[0]).any()), list(found[1 : 1 + count])
            for rows, row in zip(scanned, found[1 + count :], strict=True):
                rows.append(row)
            k += 1
        if not k and scanned:
            raise n.refuse("it ran no step, and what it stacks has no shape")
        return (*carried, *(_stacked(rows, 0) for rows in scanned))

    def _scan(self, n: OnnxNode, given: list[Any], values: Values) -> tuple[Any, ...]:
        if n.opset < 9:
            raise n.refuse("Scan before opset 9 is not known here")
        count = int(n.attributes["num_scan_inputs"])
        carried, inputs = list(given[: len(given) - count]), given[len(given) - count :]
        axes = n.get("scan_input_axes") or [0] * count
        back = n.get("scan_input_directions") or [0] * count
        outs = len(n.outputs) - len(carried)
        out_axes = n.get("scan_output_axes") or [0] * outs
        out_back = n.get("scan_output_directions") or [0] * outs
        rows = [list(x.unbind(axis)) for x, axis in zip(inputs, axes, strict=True)]
        rows = [r[::-1] if turn else r for r, turn in zip(rows, back, strict=True)]
        scanned: list[list[Any]] = [[] for _ in range(outs)]
        for now in zip(*rows, strict=True):
            found = self._body(n.attributes["body"], [*carried, *now], values)
            carried = list(found[: len(carried)])
            for each, row in zip(scanned, found[len(carried) :], strict=True):
                each.append(row)
        ends = [r[::-1] if turn else r for r, turn in zip(scanned, out_back, strict=True)]
        return (*carried, *(_stacked(r, axis) for r, axis in zip(ends, out_axes, strict=True)))

    def extra_repr(self) -> str:
        """The names of what goes in and out."""
        return f"{', '.join(self.input_names)} -> {', '.join(self.output_names)}"


class _Weights(Module):
    """Initializers whose names share a beginning: they keep their dotted names."""


def _stacked(rows: list[Any], axis: int) -> Tensor:
    if not ops.floating(*rows):
        return ops.whole(np.stack([ops.array(r) for r in rows], axis))
    return stack(rows, axis)


def _live(graph: _Graph) -> list[OnnxNode]:
    """The nodes that an output depends on: what a layer's weights were made of is not computed again."""
    wanted, kept = set(graph.outputs), []
    for n in reversed(graph.nodes):
        if wanted & set(n.outputs):
            kept.append(n)
            wanted |= _used(_Graph([], [], [n]))
    return kept[::-1]


def _used(graph: _Graph) -> set[str]:
    """The names that a graph reads, those of graphs inside its nodes included."""
    found = set(graph.outputs)
    for n in graph.nodes:
        found |= set(n.inputs)
        for value in n.attributes.values():
            if isinstance(value, _Graph):
                found |= _used(value)
    return found


def _dtype(element: int) -> Any:
    from onnx import helper

    return np.dtype(helper.tensor_dtype_to_np_dtype(element)) if element else None
