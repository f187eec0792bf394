"""What a row of the calculus is, and how calling one records it.

A row is a name, a forward on arrays, and one rule for each operand::

    mul = row("mul", np.multiply, lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a)

A rule is called as ``rule(gradient, output, *operands, *constants)`` and returns the gradient of its
operand. The names of its arguments say what a recorded node must keep: an operand (or the output)
whose name begins with an underscore is not kept, one named ``shape`` is kept as its shape alone, any
other is kept. Rules are pure and use only operators, methods and rows, so that the same rule runs on
arrays, and on Tensors when a gradient is to be derived again. Undoing broadcasting and casting is the
engine's work, not the rule's.

The result of :func:`row` dispatches on what it is given: Tensors are recorded, arrays go straight to
the forward.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from ..engine.autograd import sum_to
from ..engine.places import Place, state
from ..engine.values import At, Constant, Handle, Literal, Node, Part, as_array

if TYPE_CHECKING:
    from ..tensors import Tensor

Row = Callable[..., "Tensor"]


@dataclass(frozen=True, slots=True)
class Texts:
    """What back ends call an op, each in its own words; "" where one has none for it.

    ``numpy``: the ufunc that computes it into ``out=``. ``machine``: one number of the result as numba
    compiles it, of the operands ``{0}``, ``{1}`` and then the constants; ``zero``, ``one`` and the curves of
    ``scan/vector_math`` are at hand, and a comparison gives a truth value. ``onnx``: the node's name.
    ``js``: one number of the result in JavaScript, of the operands (a constant is one of them); the curves of
    ``live/runtime.js`` are at hand, truth values are numbers in memory.
    An op with a text for one number is elementwise: its result has the shape that its operands broadcast to.
    """

    numpy: str = ""
    machine: str = ""
    onnx: str = ""
    js: str = ""


ROWS: dict[str, Op] = {}
_NO_TEXTS = Texts()
FUNCTIONS: dict[str, Texts] = {}  # what takes no gradient, and is no row: comparisons, floor
default_dtype: Any = np.dtype(np.float32)

watching = 0  # how many look at ops (detect_anomaly, tracing), in any thread


def watcher(op: Any, result: Any, operands: tuple[Any, ...], constants: Any = ()) -> None:
    """What ops call with their result while any thread looks: the watch of this thread looks."""
    if state.watch is not None:
        state.watch.look(op, result, operands, constants)


def written_down(t: Tensor, data: Any) -> Tensor:
    """A tensor, of which a trace hears where it is made of Python's numbers and numpy's arrays alone."""
    if state.tracer is not None and _of_numbers(data):
        state.tracer.made(t)
    return t


def index_known(index: Any, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An array that is an index, of which a trace hears whether it could be another one."""
    if state.tracer is not None:
        if _of_numbers(index) or state.tracer.is_made(index):
            state.tracer.indexes(array)
        elif not state.tracer.takes(index, array):
            state.tracer.looks("an index")
    return array


def _of_numbers(data: Any) -> bool:
    """Whether data holds no tensor, whose values would depend on what a step is given."""
    if isinstance(data, (list, tuple)):
        return all(map(_of_numbers, data))
    return isinstance(data, (np.ndarray, np.generic, *NUMBERS)) and np.asarray(data).dtype != object


_lock = threading.Lock()

_ndarray = np.ndarray
_new = object.__new__
NUMBERS = (bool, int, float)
PLAIN = frozenset((np.ndarray, *NUMBERS))
_ITEM_SAVED = tuple((None, k) for k in range(16))  # what the first items of a split save


@contextmanager
def looking() -> Iterator[None]:
    """Inside, ``state.watch`` of a thread that has one is shown every op's result."""
    global watching
    with _lock:
        watching += 1
    try:
        yield
    finally:
        with _lock:
            watching -= 1


class Op:
    """A row of the table: the forward, the rules, and what a node of it must keep.

    An op with ``joint`` gives the gradients of all its parents at once, from the node and the list of
    those of its outputs, each in its parent's shape and dtype; None for a parent that has no part in them.
    """

    joint: Callable[[Node, list[Any]], list[Any]] | None = None

    __slots__ = (
        "call",
        "floating",
        "forward",
        "item",
        "keep",
        "keep_out",
        "made_of",
        "name",
        "promote",
        "rules",
        "several",
        "sparse",
        "texts",
        "variadic",
        "view",
    )

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        rules: tuple[Callable[..., Any] | None, ...],
        *,
        variadic: bool,
        several: bool,
        sparse: bool,
        promote: int | None,
        floating: bool,
        view: bool = False,
        texts: Texts | None = None,
        made_of: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.texts, self.made_of = texts or _NO_TEXTS, made_of
        self.call: Any = None  # the function of the row
        self.forward = forward
        self.rules = rules
        self.variadic = variadic
        self.several = several
        self.sparse = sparse
        self.item = name == "item"
        self.promote = promote
        self.floating = floating
        self.view = view
        self.keep_out, self.keep = _what_to_keep(rules, variadic)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def filled(self, node: Node, parts: list[Any]) -> list[Any]:
        """The gradients of several outputs, zeros for those that nothing came to."""
        zeros = np.zeros if state.tracer is None else state.tracer.zeros
        for k, part in enumerate(parts):
            parts[k] = zeros(node.shape[k], node.dtype) if part is None else as_array(part)
        return parts

    def delta(self, node: Node, i: int, g: Any, out: Any, saved: Any) -> Any:
        """The gradient that crosses one edge, in the parent's shape and dtype."""
        parent = node.parents[i]
        rule: Any = self.rules[0] if self.variadic else self.rules[i]
        d = rule(i, g, out, *saved) if self.variadic else rule(g, out, *saved)
        if d.__class__ is At or d.__class__ is Part:
            return d
        if d.shape != parent.shape:
            d = sum_to(d, parent.shape)
        return as_array(d if d.dtype == parent.dtype else d.astype(parent.dtype))


def _what_to_keep(
    rules: tuple[Callable[..., Any] | None, ...], variadic: bool
) -> tuple[bool, tuple[str, ...]]:
    """Read from the rules' argument names what a node keeps: output, and value / shape / nothing."""
    keep_out, keep = False, [""] * len(rules)
    for rule in rules:
        if rule is None:
            continue
        names = _arguments(rule)
        if variadic:
            names = names[1:]
        keep_out |= not names[1].startswith("_")
        for i, name in enumerate(names[2 : 2 + len(rules)]):
            if name.startswith("_"):
                continue
            what = "shape" if name == "shape" else "value"
            if keep[i] not in ("", what):
                raise TypeError(f"operand {i}: one rule keeps its {keep[i]}, another its {what}")
            keep[i] = what
    return keep_out, tuple(keep)


def row(
    name: str,
    forward: Callable[..., Any],
    *rules: Callable[..., Any] | None,
    variadic: bool = False,
    several: bool = False,
    sparse: bool = False,
    promote: int | None = None,
    floating: bool = False,
    view: bool = False,
    shown: str | None = None,
    made_of: Callable[..., Any] | None = None,
    **texts: str,
) -> Row:
    """Add an op to the table and return the function that applies it.

    ``variadic``: any number of operands and one rule, which gets the operand's position first.
    ``several``: the forward returns a list; the rule gets the list of their gradients.
    ``sparse``: the rule returns :class:`At`. ``promote=k``: operands from the k-th on are brought to
    a common dtype first (PyTorch's promotion). ``floating``: integers become the default float first.
    ``view``: the result may lie in the operand's memory, and a write to one is then seen by the other.
    ``shown``: the name that nodes bear where it is not the row's own. ``texts``: see :class:`Texts`.
    ``made_of``: the op said in other rows, called like it: for back ends that have no text for it.
    """
    if name in ROWS:
        raise ValueError(f"the table has a row {name!r} already")
    op = Op(
        shown or name,
        forward,
        rules,
        variadic=variadic,
        several=several,
        sparse=sparse,
        promote=promote,
        floating=floating,
        view=view,
        texts=Texts(**texts),
        made_of=made_of,
    )
    ROWS[name] = op
    if several:
        call = _several(op)
    elif variadic:
        call = _variadic(op)
    elif view:
        call = _view(op)
    elif len(rules) == 1:
        call = _unary(op)
    elif len(rules) == 2 and promote == 0 and not takes_constants(forward, 2):
        call = _binary(op)
    else:
        call = _general(op)
    call.op, op.call = op, call  # type: ignore[attr-defined]
    call.__name__ = call.__qualname__ = name
    return call


def function(name: str, **texts: str) -> None:
    """Say what back ends call a function that takes no gradient, by numpy's name for it."""
    FUNCTIONS[name] = Texts(**texts)


def texts_of(name: str) -> Texts:
    """What back ends call an op: a row, or a function without a gradient."""
    op = ROWS.get(name)
    return FUNCTIONS.get(name, _NO_TEXTS) if op is None else op.texts


def _arguments(function: Callable[..., Any]) -> list[str]:
    """The names of a plain function's arguments."""
    code = function.__code__
    return list(code.co_varnames[: code.co_argcount])


def takes_constants(forward: Callable[..., Any], arity: int) -> bool:
    """Whether a forward has arguments beyond its operands; numpy's and operator's have none."""
    return hasattr(forward, "__code__") and len(_arguments(forward)) > arity


# ---- calling a row: one recorder an arity ------------------------------------------------------


def _unary(op: Op) -> Callable[..., Any]:
    forward, keep_out, floating = op.forward, op.keep_out, op.floating
    keep_value, keep_shape = op.keep[0] == "value", op.keep[0] == "shape"
    keep_any, nothing = keep_value or keep_shape, (None,)

    def call(a: Any, *constants: Any) -> Any:
        if a.__class__ is _ndarray:
            return forward(a, *constants)
        try:
            parent, x = a._node, a._data
        except AttributeError:
            return forward(a, *constants)
        needs = parent is not None and parent.needs  # only floats can need a gradient
        if floating and not needs and x.dtype.kind in "iub":
            x = x.astype(default_dtype)
        try:
            y = forward(x, *constants)
        except ValueError as error:
            raise misfit(op, (x,), error) from None
        if y.__class__ is not _ndarray:
            y = np.asanyarray(y)
        t = _new(Handle.kind)
        t._data = y
        t._tag = t._alias = None
        if needs and state.recording:
            if keep_any or constants:
                kept = x if keep_value else x.shape if keep_shape else None
                saved = (kept, *constants) if constants else (kept,)
            else:
                saved = nothing
            shape = y.shape
            if shape == parent.shape:  # one tuple for equal shapes: less for the collector to visit
                shape = parent.shape
            out = y if keep_out else None
            t._node = Node(op, (parent,), out, saved, shape, y.dtype, state.place)
        else:
            t._node = None
        if watching:
            watcher(op, t, (a,), constants)
        return t

    return call


def _view(op: Op) -> Callable[..., Any]:
    """As ``_unary``, of what keeps no value; the result knows with whom it shares its memory."""
    forward, keep_shape = op.forward, op.keep[0] == "shape"

    def call(a: Any, *constants: Any) -> Any:
        if a.__class__ is _ndarray:
            return forward(a, *constants)
        try:
            parent, x = a._node, a._data
        except AttributeError:
            return forward(a, *constants)
        try:
            y = forward(x, *constants)
        except ValueError as error:
            raise misfit(op, (x,), error) from None
        if y.__class__ is not _ndarray:
            y = np.asanyarray(y)
        t = _new(Handle.kind)
        t._data = y
        t._tag = t._alias = None
        recorded = view = True
        if parent is None or not parent.needs:
            recorded = False
        elif not state.recording:
            recorded = view = False
        if recorded:
            shape = y.shape
            if shape == parent.shape:
                shape = parent.shape
            saved = (x.shape if keep_shape else None, *constants)
            t._node = Node(op, (parent,), None, saved, shape, y.dtype, state.place)
        else:
            t._node = None
        memory = y.base
        if memory is x or (memory is not None and memory is x.base):
            held = a._alias
            if held.__class__ is list and view:  # as joined() does, sooner
                t._alias = (held, a)
                held.append(ref(t))
                if len(held) > 63:
                    thin_out(held)
            else:
                joined(a, t, view)
        if watching:
            watcher(op, t, (a,), constants)
        return t

    return call


def _binary(op: Op) -> Callable[..., Any]:
    forward, keep_out, keep = op.forward, op.keep_out, op.keep
    if "shape" in keep:
        return _general(op)
    keep_a, keep_b = (what == "value" for what in keep)
    keep_any, nothing = keep_a or keep_b, (None, None)

    def call(a: Any, b: Any) -> Any:
        if b.__class__ in NUMBERS:
            return with_number(a, b)
        try:
            pa, pb, x, y = a._node, b._node, a._data, b._data
        except AttributeError:
            return general(a, b)
        needs = False
        if pa is not None and pb is not None and pa.dtype is pb.dtype:
            needs = pa.needs or pb.needs  # only floats can
        if not needs:
            if x.dtype is not y.dtype or x.dtype.kind != "f":
                return general(a, b)
            needs = (pa is not None and pa.needs) or (pb is not None and pb.needs)
        try:
            z = forward(x, y)
        except ValueError as error:
            raise misfit(op, (x, y), error) from None
        if z.__class__ is not _ndarray:
            z = np.asanyarray(z)
        t = _new(Handle.kind)
        t._data = z
        t._tag = t._alias = None
        if needs and state.recording:
            if pa is None:
                pa = constant(a)
            elif pb is None:
                pb = constant(b)
            shape = z.shape
            if shape == pa.shape:
                shape = pa.shape
            saved = (x if keep_a else None, y if keep_b else None) if keep_any else nothing
            out = z if keep_out else None
            t._node = Node(op, (pa, pb), out, saved, shape, z.dtype, state.place)
        else:
            t._node = None
        if watching:
            watcher(op, t, (a, b))
        return t

    def with_number(a: Any, b: Any) -> Any:
        """A float tensor with a Python number: the number never promotes."""
        try:
            parent, x = a._node, a._data
        except AttributeError:
            return forward(a, b)
        if x.dtype.kind != "f":
            return general(a, b)
        z = forward(x, b)
        if z.__class__ is not _ndarray:
            z = np.asanyarray(z)
        node = None
        if parent is not None and parent.needs and state.recording:
            saved = (x if keep_a else None, b if keep_b else None)
            out = z if keep_out else None
            parents = (parent, Literal(b))
            node = Node(op, parents, out, saved, z.shape, z.dtype, state.place)
        t = Handle.kind._wrap(z, node)
        if watching:
            watcher(op, t, (a, b))
        return t

    general = _general(op)
    return call


def _general(op: Op) -> Callable[..., Any]:
    forward, arity, keep_out = op.forward, len(op.rules), op.keep_out
    value, shape = "value", "shape"

    def call(*args: Any) -> Any:
        operands, constants = (args, ()) if len(args) == arity else (args[:arity], args[arity:])
        tensors: Any = operands
        arrays: Any = []
        dtype: Any = None
        needs, strangers = False, 0
        for a in operands:
            if a.__class__ in PLAIN:
                strangers += 1
                continue
            try:
                node, x = a._node, a._data
            except AttributeError:
                strangers += 1
                continue
            needs = needs or (node is not None and node.needs)
            if dtype is None:
                dtype = x.dtype
            elif x.dtype is not dtype:
                strangers = -arity
            arrays.append(x)
        if strangers == arity:
            return forward(*args)
        if strangers or (dtype.kind != "f" and (op.promote is not None or op.floating)):
            tensors, arrays = prepared(op, operands)
        try:
            y = forward(*arrays, *constants)
        except ValueError as error:
            raise misfit(op, arrays, error) from None
        if y.__class__ is not _ndarray:
            y = np.asanyarray(y)
        node = None
        if needs and state.recording:
            saved = [
                x if what is value else np.shape(x) if what is shape else None
                for x, what in zip(arrays, op.keep, strict=True)
            ]
            parents = [
                Literal(a) if a.__class__ in NUMBERS else a._node or constant(a) for a in tensors
            ]
            out = y if keep_out else None
            kept = (*saved, *constants)
            node = Node(op, tuple(parents), out, kept, y.shape, y.dtype, state.place)
        t = Handle.kind._wrap(y, node)
        if watching:
            watcher(op, t, tensors, constants)
        return t

    return call


def _variadic(op: Op) -> Callable[..., Any]:
    """``call(*operands, *constants)`` where constants are what is neither Tensor, array nor number."""
    forward, keep = op.forward, op.keep[0]
    n_constants = len(_arguments(forward)) - 1

    def call(*args: Any) -> Any:
        cut = len(args) - n_constants
        operands, constants = args[:cut], args[cut:]
        for a in operands:
            if a.__class__ is not _ndarray and not isinstance(a, np.generic):
                break
        else:
            return as_array(forward(operands, *constants))
        tensors, arrays = _alike(operands) or prepared(op, operands)
        try:
            y = np.asanyarray(forward(arrays, *constants))
        except ValueError as error:
            raise misfit(op, arrays, error) from None
        node = None
        if wants_node(tensors):
            saved: Any = None
            if keep:
                saved = tuple(_kept(a, keep) for a in arrays)
            out = y if op.keep_out else None
            parents = tuple(map(parent_of, tensors))
            node = Node(op, parents, out, (saved, *constants), y.shape, y.dtype, state.place)
        t = Handle.kind._wrap(y, node)
        if watching:
            watcher(op, t, tensors, constants)
        return t

    return call


def _several(op: Op) -> Callable[..., Any]:
    """An op with several outputs: one node for the tuple, and an ``item`` node for each part."""
    forward, keep = op.forward, op.keep[0]

    def call(a: Any, *constants: Any) -> Any:
        try:
            parent, x = a._node, a._data
        except AttributeError:
            return forward(a, *constants)
        parts = forward(x, *constants)
        wrap = Handle.kind._wrap
        if parent is None or not (parent.needs and state.recording):
            several = tuple([wrap(part, None) for part in parts])
            if op.view:
                all_joined(a, several, parent is None or not parent.needs)
            return several
        place = state.place
        dtype = x.dtype
        saved = (_kept(x, keep), *constants)
        sizes = tuple([part.shape for part in parts])
        whole = Node(op, (parent,), None, saved, sizes, dtype, place)
        item, parents = ROWS["item"], (whole,)
        shape: Any = None
        for k, part in enumerate(parts):  # items of one shape share one tuple
            if shape != part.shape:
                shape = part.shape
            saved = _ITEM_SAVED[k] if k < len(_ITEM_SAVED) else (None, k)
            parts[k] = wrap(part, Node(item, parents, None, saved, shape, dtype, place))
        if op.view:
            all_joined(a, parts, True)
        return tuple(parts)

    return call


# ---- what the recorders share -------------------------------------------------------------------


def joined(a: Any, t: Any, view: bool) -> None:
    """Note that ``t`` shares the memory of ``a``: as a view, whose gradient goes there, or without one.

    A tensor's ``_alias`` is None (it shares with nobody), the list of weak references to all that share
    or a token that has it (it stands for itself), or (that, what it is a view of); see ``writing``.
    """
    held = a._alias
    if held is None:
        held = a._alias = [ref(a)]
    if held.__class__ is tuple:
        token = held[0]
        t._alias = held if view else token
    else:
        token = held
        t._alias = (held, a) if view else held
    members = token if token.__class__ is list else token.of
    if members is None:
        return
    members.append(ref(t))
    if len(members) > 63:
        thin_out(members)


def thin_out(members: list[Any], added: int = 1) -> None:
    """Leave out the tensors that are gone, whenever a power of two has been passed."""
    n = len(members)
    if n.bit_length() != (n - added).bit_length():
        members[:] = [r for r in members if r() is not None]


def all_joined(a: Any, parts: Sequence[Any], view: bool) -> None:
    """``joined`` of every part: all of them have the same ``_alias``."""
    if not parts:
        return
    joined(a, parts[0], view)
    alias = parts[0]._alias
    members = alias[0] if view else alias
    if members.__class__ is not list:
        members = members.of
    for t in parts[1:]:
        t._alias = alias
    if members is not None:
        members += map(ref, parts[1:])
        if len(members) > 63:
            thin_out(members, len(parts) - 1)


def _kept(value: Any, what: str) -> Any:
    if what == "value":
        return value
    return np.shape(value) if what == "shape" else None


def wants_node(operands: tuple[Any, ...]) -> bool:
    """Whether an op on these operands is to be recorded."""
    if not state.recording:
        return False
    for a in operands:
        node = None if a.__class__ in NUMBERS else a._node
        if node is not None and node.needs:
            return True
    return False


def constant(tensor: Any, name: str | None = None, step: int | None = None) -> Constant:
    """The node of a tensor that takes no gradient, made when an op first records it."""
    data = tensor._data
    node: Constant = Constant(data.shape, data.dtype, name).hold(data)
    if step is not None:
        node.place = Place(None, step, None)
    tensor._node = node
    return node


def parent_of(operand: Any) -> Any:
    """The node of an operand: its own, or one for a constant or a Python number."""
    if isinstance(operand, NUMBERS):
        return Literal(operand)
    node = operand._node
    return constant(operand) if node is None else node


def prepared(op: Op, operands: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Operands as Tensors or Python numbers, and the same as arrays of the dtype to compute in."""
    tensors = tuple(
        a
        if isinstance(a, Handle)
        else a.item()
        if isinstance(a, np.generic)
        else a
        if isinstance(a, NUMBERS)
        else written_down(Handle.kind._made(a), a)
        for a in operands
    )
    arrays = [a._data if isinstance(a, Handle) else a for a in tensors]
    if op.promote is not None:
        dtype = common_dtype(tensors[op.promote :], op.floating)
        for i in range(op.promote, len(arrays)):
            a = arrays[i]
            if isinstance(a, _ndarray) and a.dtype != dtype:
                arrays[i] = a.astype(dtype)
        if not any(isinstance(a, _ndarray) for a in arrays[op.promote :]):
            arrays[op.promote] = np.asarray(arrays[op.promote], dtype)  # numbers alone
    elif op.floating:
        first = arrays[0]
        if isinstance(first, _ndarray) and first.dtype.kind in "iub":
            arrays[0] = first.astype(default_dtype)
    return tensors, tuple(arrays)


def _alike(operands: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]] | None:
    """Operands and their arrays where all are Tensors of one float dtype, which needs no preparing."""
    arrays = [getattr(a, "_data", None) for a in operands]
    dtype = None if arrays[0] is None else arrays[0].dtype
    if dtype is None or dtype.kind != "f":
        return None
    for a in arrays:
        if a is None or a.dtype is not dtype:
            return None
    return operands, arrays


_RANK = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}  # complex: only inside gradcheck


def common_dtype(operands: tuple[Any, ...], floating: bool = False) -> Any:
    """PyTorch's promotion: the highest of bool < integer < float decides; within it, tensors with
    dimensions before 0-d tensors before Python numbers, which take the default dtype."""
    best: tuple[int, int] = (-1, -1)
    chosen: Any = None
    for a in operands:
        if isinstance(a, Handle):
            dtype = a._data.dtype
            rank = (_RANK[dtype.kind], 2 if a._data.ndim else 1)
        else:
            kind = "b" if isinstance(a, bool) else "i" if isinstance(a, int) else "f"
            dtype = {"b": np.dtype(bool), "i": np.dtype(np.int64), "f": default_dtype}[kind]
            rank = (_RANK[kind], 0)
        if rank > best:
            best, chosen = rank, dtype
        elif rank == best:
            chosen = np.promote_types(chosen, dtype)
    return default_dtype if floating and best[0] < 2 else chosen


def misfit(op: Op, arrays: Any, error: Exception) -> ValueError:
    """What numpy said of shapes, with the op, the module and the step that it happened in."""
    if "negative integer powers" in str(error):
        return ValueError(
            f"{state.place}{op.name}: integers to negative integer powers are not allowed: "
            "make the base a float, x.float() ** -1"
        )
    shapes = " and ".join(str(np.shape(a)) for a in arrays)
    return ValueError(f"{state.place}{op.name} cannot take shapes {shapes}: {error}")
