"""How is one step of a cell recorded? On inputs of its own: the trace that programs are made of.

A trace is a recorded graph like any other. The cell is not run itself but a shadow of it: a copy that
shares all values, with leaves of its own. So a trace leaves no mark on the cell's graph; that the cell
does nothing but compute is known before it is traced (``purity``), but for random draws, which are
refused when they come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from ..engine.listening import Listener
from ..engine.places import NOWHERE, state, unobserved
from ..engine.switches import enable_grad
from ..engine.values import Constant, Leaf, Literal, Node, reachable
from ..engine.values import Value as Recorded
from ..nn.module import Module, Parameter
from ..ops import watching
from ..ops.row import ROWS, Op
from ..ops.without_gradient import FUNCTIONS
from ..tensors import Tensor

Signature = tuple[Any, ...]


class Untraceable(Exception):  # noqa: N818 (an answer, not a mistake)
    """Why a cell cannot be compiled, in words for ``layer.explain()``."""


def failure(name: str, error: Exception) -> str:
    """What a back end says that raises an error."""
    first = str(error).strip().partition("\n")[0]
    return f"{name} cannot run it: {type(error).__name__}: {first[:200]}"


class Unrecorded(Node):
    """In a trace: a value that takes no gradient but depends on inputs, as a comparison does."""

    __slots__ = ()
    needs = False


class Comparison:
    """What stands for an op's row in an unrecorded node: a function of numpy or a row's forward, no rules.

    Beside those: ``constant``, an array that Python made of its own numbers, and ``detach``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.variadic = self.several = False


_CONSTANT: Any = Comparison("constant")


class Fixed:
    """An array that is the same at every step: equal to others by what it holds."""

    __slots__ = ("array", "key")

    def __init__(self, array: Any) -> None:
        self.array = array.copy()
        self.key = (array.shape, array.dtype.str, array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fixed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"<array {hashlib.sha256(repr(self.key).encode()).hexdigest()[:24]}>"


def _is(node: Recorded | None, name: str) -> bool:
    """Whether a node is an unrecorded one of a name."""
    return isinstance(node, Unrecorded) and bool(node.op.name == name)


class Tracer(Listener):
    """What ``state.tracer`` hears while a cell is traced."""

    rebinds = True  # nodes keep the old value

    def __init__(self) -> None:
        self.looked: str | None = None
        self._indices: list[Any] = []  # arrays that are the same at every step
        self.trusts = False  # whether all indices are: those of a trace and of its derivative

    def draws(self) -> None:
        """Random numbers are about to be drawn."""
        raise Untraceable("it draws random numbers while it runs")

    def looks(self, how: str) -> None:
        """Python reads a value: what it does with it the trace cannot know."""
        self.looked = self.looked or f"it reads values while it runs ({how})"

    def made(self, t: Tensor) -> None:
        """A tensor was made of Python's numbers: at every step it is, in a pure step, the same one."""
        if t._node is None:
            consts, op = (Fixed(t._data),), _CONSTANT
            t._node = Unrecorded(op, (), None, consts, t.shape, t.dtype, NOWHERE)

    def is_made(self, t: Any) -> bool:
        """Whether a tensor is one that Python made of its own numbers."""
        return isinstance(t, Tensor) and _is(t._node, "constant")

    def indexes(self, array: Any) -> None:
        """An array that is the same at every step is an index."""
        self._indices.append(array)

    def is_index(self, array: Any) -> bool:
        """Whether an array is known to be the same at every step."""
        return self.trusts or any(array is known for known in self._indices)

    def fixed(self, array: Any) -> Any:
        """What an array that is an index is, hashable."""
        return Fixed(array)

    def detached(self, result: Tensor, source: Tensor) -> None:
        """The same values without a gradient."""
        self.compared("detach", result, (source,))

    def compared(
        self, name: str, result: Tensor, operands: tuple[Any, ...], constants: Any = ()
    ) -> None:
        """A function without a derivative made a tensor."""
        parents: list[Any] = []
        for a in operands:
            if isinstance(a, Tensor):
                if a._node is None:
                    a._node = Constant(a.shape, a.dtype)
                parents.append(a._node)
            elif isinstance(a, (bool, int, float)):
                parents.append(Literal(a))
            else:
                made = Tensor._made(a)
                self.made(made)
                parents.append(made._node)
        saved = (*[None] * len(parents), *constants)
        op: Any = Comparison(name)
        result._node = Unrecorded(
            op, tuple(parents), None, saved, result.shape, result.dtype, NOWHERE
        )

    def marked(self, name: str, result: Tensor, operands: Any, constants: Any) -> None:
        """Another function without a derivative made a tensor: one that no program knows is from outside."""
        if name in FUNCTIONS or name in ROWS:
            self.compared(name, result, operands, constants)

    def look(self, op: Op, result: Tensor, operands: tuple[Any, ...], constants: Any = ()) -> None:
        """An op was applied: where it was not recorded, it is here (the weights that ``maximum`` shares
        its gradient by are made of comparisons)."""
        if result._node is None and not op.several and not op.item:
            self.compared(row_name(op), result, operands, constants)

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Tensor:
        """The gradient of an output that nothing came to."""
        op: Any = Comparison("zeros")
        node = Unrecorded(op, (), None, (), shape, dtype, NOWHERE)
        return Tensor._wrap(np.zeros(shape, dtype), node)


T = TypeVar("T", bound=Tracer)


@contextmanager
def tracing(tracer: T) -> Iterator[T]:
    """Inside, values are recorded for a trace: nobody listens, and nothing is drawn."""
    with (
        unobserved(tracer=tracer, watch=tracer),  # it looks at every op
        watching.looking(),
        enable_grad(),
        np.errstate(all="ignore"),
    ):
        yield tracer


# ---- shadows ------------------------------------------------------------------------------------


class CellCopy:
    """A copy of a cell with the same values and leaves of its own.

    ``tensors`` are the cell's own tensors (Parameters by dotted name, then buffers and plain
    attributes), ``copies`` the shadow's in the same order.
    """

    def __init__(self, cell: Module) -> None:
        self._copies: dict[int, Any] = {}
        self._held: list[Any] = []  # what has a copy, so that its id stays its own
        self.tensors: list[Tensor] = []
        self.copies: list[Tensor] = []
        for parameter in cell.parameters():
            self._twin(parameter)
        self.cell: Any = self._copy(cell)

    def _twin(self, tensor: Tensor) -> Any:
        key = id(tensor)
        if key not in self._copies:
            fresh = bare(tensor)
            kind = Leaf if tensor.is_floating_point() else Constant
            fresh._node = kind(tensor.shape, tensor.dtype)
            self._copies[key] = fresh
            self.tensors.append(tensor)
            self.copies.append(fresh)
        return self._copies[key]

    def _copy(self, value: Any) -> Any:
        key = id(value)
        if key in self._copies:
            return self._copies[key]
        made: Any = value
        if isinstance(value, Tensor):
            return self._twin(value)
        if isinstance(value, Module):
            made = self._copies[key] = object.__new__(type(value))
            inside = {k: v for k, v in vars(value).items() if k != "_known_as"}
            made.__dict__.update({k: self._copy(v) for k, v in inside.items()})
        elif type(value) is dict:
            made = self._copies[key] = {}
            made.update({k: self._copy(v) for k, v in value.items()})
        elif type(value) is list:
            made = self._copies[key] = []
            made.extend(map(self._copy, value))
        elif type(value) is tuple:
            made = tuple(map(self._copy, value))
        self._copies[key] = made
        self._held.append(value)
        return made


def bare(t: Tensor) -> Tensor:
    """A tensor of the same values without a node."""
    made: Tensor = object.__new__(type(t))
    made._data, made._tag, made._alias = t._data, t._tag, None
    return made


# ---- traces -------------------------------------------------------------------------------------


class Trace:
    """One recorded step: which nodes are its inputs, which its outputs, and what tells it from others."""

    def __init__(self, inputs: dict[str, Recorded], outputs: list[Recorded]) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.nodes = in_order(outputs)
        known = {id(node): k for k, node in enumerate(inputs.values())}
        entries: list[Any] = [(role, n.shape, n.dtype.char) for role, n in inputs.items()]
        for node in self.nodes:
            if id(node) in known:
                continue
            entries.append(entry(node, known))
            known[id(node)] = len(known)
        self.signature: Signature = (*entries, tuple(known[id(node)] for node in outputs))

    def forget(self) -> None:
        """Keep of what rules read shapes and dtypes alone: a program outlives the layer of its trace."""
        for node in self.nodes:
            if isinstance(node, Node):
                operands = 1 if node.op.variadic else len(node.parents)
                read, constants = node.saved[:operands], node.saved[operands:]
                node.saved = (*map(_of_its_kind, read), *constants)
                node.out = _of_its_kind(node.out)


def _of_its_kind(value: Any) -> Any:
    """An array of the same shape and dtype without memory for its numbers, which are 0."""
    if isinstance(value, tuple):
        return tuple(map(_of_its_kind, value))
    if not isinstance(value, np.ndarray):
        return value
    return np.broadcast_to(np.zeros((), value.dtype), value.shape)


def in_order(nodes: Iterable[Recorded]) -> list[Recorded]:
    """What some nodes were computed from, in the order in which it was made."""
    return sorted(reachable(nodes), key=lambda node: node.number)


def row_name(op: Op | Comparison) -> str:
    """The name of an op's row (several rows may be shown under one name)."""
    if not _NAMES:
        _NAMES.update({id(known): name for name, known in ROWS.items()})
    return str(_NAMES.get(id(op), op.name))


_NAMES: dict[int, str] = {}


def entry(node: Recorded, known: dict[int, int]) -> Hashable:
    """One node as plain data; raises Untraceable for what the trace does not explain."""
    if isinstance(node, Literal):
        return (type(node.value).__name__, repr(node.value))
    if not isinstance(node, Node):
        what = "a Parameter" if isinstance(node, Leaf) else "an array"
        raise Untraceable(
            f"it uses {what} of shape {node.shape} from outside: keep it on the cell, or pass it "
            "to the call as a keyword argument"
        )
    arguments = tuple(known[id(parent)] for parent in node.parents)
    kind = (node.shape, node.dtype.char, node.needs)  # without a gradient it is another program
    return (row_name(node.op), arguments, constants(node), *kind)


def constants(node: Node) -> tuple[Any, ...]:
    """An op's constants, hashable."""
    operands = 1 if node.op.variadic else len(node.parents)
    return tuple(hashable(c) for c in node.saved[operands:])


def hashable(value: Any) -> Any:
    """A constant as hashable data; raises Untraceable for an array."""
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    if isinstance(value, (tuple, list)):
        return tuple(hashable(part) for part in value)
    if isinstance(value, np.ndarray):
        tracer = state.tracer
        if not isinstance(tracer, Tracer) or not tracer.is_index(value):
            raise Untraceable("it indexes with an array from outside")
        return tracer.fixed(value)
    return value


def unhashed(value: Any) -> Any:
    """The constant that ``hashable`` was given; an array stays wrapped, so that its text says what it is."""
    if isinstance(value, tuple):
        if len(value) == 4 and value[0] == "slice":
            return slice(*value[1:])
        return tuple(unhashed(part) for part in value)
    return value


def bare_constant(value: Any) -> Any:
    """A constant as an op takes it: arrays that are the same at every step as they are."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(bare_constant, value))
    return value.array if isinstance(value, Fixed) else value


def leaf(data: Any) -> Tensor:
    """A tensor with the given values that begins a trace."""
    t = Tensor._wrap(data, None)
    t._node = (
        Leaf(data.shape, data.dtype) if data.dtype.kind == "f" else Constant(data.shape, data.dtype)
    )
    return t


def trace(run: Callable[[], list[Tensor]], inputs: dict[str, Any], tracer: Tracer) -> Trace:
    """Run one step and read what it recorded; ``inputs`` are nodes by role, ``run`` gives the outputs."""
    outputs = run()
    if tracer.looked:
        raise Untraceable(tracer.looked)
    nodes = []
    for t in outputs:
        if not isinstance(t, Tensor) or t._node is None:
            raise Untraceable("an output or a state depends on none of its inputs")
        if isinstance(t._node, Unrecorded):
            raise Untraceable("an output or a state is computed without a gradient")
        nodes.append(t._node)
    return Trace(inputs, nodes)


__all__ = [
    "CellCopy",
    "Parameter",
    "Signature",
    "Trace",
    "Tracer",
    "Untraceable",
    "bare",
    "leaf",
    "trace",
    "tracing",
]
