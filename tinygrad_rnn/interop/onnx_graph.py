"""How is an ONNX graph made? Named values, nodes, initializers, and the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.values import Array

OPSET, IR = 17, 8  # of 2022: what runtimes of the last years read


class ExportError(ValueError):
    """What cannot be said in ONNX: the message names layer or op, and what to do.

    >>> import tinygrad_rnn as tg
    >>> issubclass(tg.interop.ExportError, ValueError)
    True
    """


def library(who: str = "to_onnx") -> Any:
    """The package onnx."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError(f'{who} needs onnx: pip install "tinygrad_rnn[onnx]"') from error
    return onnx


class GraphBuilder:
    """Nodes in order; ``op`` and ``const`` return the names of the values that they make."""

    def __init__(self) -> None:
        self.onnx = library()
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self._taken: set[str] = set()
        self._constants: dict[tuple[Any, ...], str] = {}
        self.prefix = ""  # the path of the module that is being written, for the names of its nodes

    def name(self, wish: str) -> str:
        """A name that nothing has yet."""
        name, k = wish, 1
        while name in self._taken:
            k += 1
            name = f"{wish}_{k}"
        self._taken.add(name)
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node; its output's name, or a tuple of several."""
        where = f"{self.prefix}/{kind}" if self.prefix else kind
        made = [self.name(f"{where}_out") for _ in range(outputs)]
        self.nodes.append(
            self.onnx.helper.make_node(kind, list(inputs), made, self.name(where), **attributes)
        )
        return made[0] if outputs == 1 else tuple(made)

    def const(self, value: Any, dtype: Any = None, wish: str = "const") -> str:
        """An initializer; equal ones are one."""
        array = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self.name(wish)
            self._constants[key] = name
            self.initializers[name] = self.onnx.numpy_helper.from_array(array, name)
        return self._constants[key]

    def true(self, value: str, dtype: Any) -> str:
        """Where a value is not 0; a NaN is not."""
        if np.dtype(dtype).kind == "b":
            return value
        return str(self.op("Not", self.op("Equal", value, self.const(np.array(0, dtype)))))

    def parameter(self, name: str, array: Array) -> str:
        """An initializer under a name of its own."""
        name = self.name(name)
        self.initializers[name] = self.onnx.numpy_helper.from_array(np.array(array), name)
        return name

    def ints(self, *values: int) -> str:
        """A vector of integers, as axes and shapes are given."""
        return self.const(np.array(values, np.int64))

    def cast(self, name: str, dtype: Any, to: Any) -> str:
        """A value in another dtype."""
        if np.dtype(dtype) == np.dtype(to):
            return name
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(to))
        cast: str = self.op("Cast", name, to=kind)
        return cast

    def squeeze(self, name: str, *axes: int) -> str:
        """Without some axes of length 1."""
        made: str = self.op("Squeeze", name, self.ints(*axes))
        return made

    def unsqueeze(self, name: str, *axes: int) -> str:
        """With new axes of length 1."""
        made: str = self.op("Unsqueeze", name, self.ints(*axes))
        return made

    def side(self, name: str, axis: int) -> str:
        """The length of an axis, as a vector of one."""
        made: str = self.op("Gather", self.op("Shape", name), self.ints(axis))
        return made

    def value_info(self, name: str, dtype: Any, shape: list[Any]) -> Any:
        """What an input or output is."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.onnx.helper.make_tensor_value_info(name, kind, shape)

    def model(self, name: str, description: str) -> Any:
        """The checked model, without nodes and initializers that no output needs."""
        helper, wanted, kept = self.onnx.helper, {info.name for info in self.outputs}, []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                kept.append(node)
        used = [tensor for key, tensor in self.initializers.items() if key in wanted]
        graph = helper.make_graph(kept[::-1], name, self.inputs, self.outputs, used)
        made = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="tinygrad_rnn",
            doc_string=description,
        )
        self.onnx.checker.check_model(made, full_check=True)
        return made


# ---- an op to be written ---------------------------------------------------------------------------


class Applied:
    """An op that was applied: its inputs' names, its constants in both traces, shapes and dtypes."""

    def __init__(
        self,
        name: str,
        place: str,
        inputs: list[str],
        shapes: tuple[list[Any], list[Any]],
        constants: tuple[tuple[Any, ...], tuple[Any, ...]],
        dtype: Any,
        ndim: int,
        symbol: Callable[[Any], str | None],
        length: Callable[[int, int], str | None],
    ) -> None:
        self.name, self.place, self.inputs, self.shapes = name, place, inputs, shapes
        self.all_constants, self.dtype, self.ndim = constants, dtype, ndim
        self.symbol, self.length = symbol, length

    @property
    def constants(self) -> tuple[Any, ...]:
        """The constants, which must be the same in both traces."""
        one, two = self.all_constants
        if not same(one, two):
            raise self.failure(
                f"its constants depend on the example: {_short(one)}, and {_short(two)} for another one; "
                "write it without sizes or values of the input (-1 in a shape, a negative index), or "
                "leave dynamic_axes out"
            )
        return one

    def failure(self, why: str) -> ExportError:
        """The error that names the op and says why."""
        return ExportError(f"{self.place}{self.name} cannot be exported: {why}")


def same(a: Any, b: Any) -> bool:
    """Whether two constants of any nesting are equal."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        a, b = np.asarray(a), np.asarray(b)
        return (
            a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, a.dtype.kind == "f")
        )
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


def _short(value: Any) -> str:
    text = ", ".join(str(v) for v in value) if isinstance(value, tuple) else str(value)
    return text if len(text) < 60 else text[:57] + "..."


def sized(b: GraphBuilder, sides: list[int | str]) -> str:
    """A shape of known lengths and of the names of lengths."""
    if all(isinstance(side, int) for side in sides):
        return b.ints(*(int(side) for side in sides))
    parts = [b.ints(side) if isinstance(side, int) else side for side in sides]
    return str(b.op("Concat", *parts, axis=0))
