"""How does calling a row record it? By one recorder an arity, made when the row is.

All of them compute first, and leave a node only where an operand needs a gradient. They are written out for
one operand, for two and for views, since an op must cost little over the numpy call that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from ..engine.places import Place, state
from ..engine.values import Constant, Handle, Literal, Node, as_array, handle
from . import dtypes
from .dtypes import NUMBERS, PLAIN
from .watching import watcher, watching, written_down

if TYPE_CHECKING:
    from .row import Op

_ndarray = np.ndarray
_new = object.__new__
_ITEM_SAVED = tuple((None, k) for k in range(16))  # what the first items of a split save


def recorder(op: Op, rows: dict[str, Op]) -> Callable[..., Any]:
    """The function that applies an op: to Tensors, which it records, or to arrays."""
    rules, forward = op.rules, op.forward
    if op.several:
        return _several(op, rows)
    if op.variadic:
        return _variadic(op)
    if op.view:
        return _view(op)
    if len(rules) == 1:
        return _unary(op)
    if len(rules) == 2 and op.promote == 0 and not takes_constants(forward, 2):
        return _binary(op)
    return _general(op)


def arguments(function: Callable[..., Any]) -> list[str]:
    """The names of a plain function's arguments."""
    code = function.__code__
    return list(code.co_varnames[: code.co_argcount])


def takes_constants(forward: Callable[..., Any], arity: int) -> bool:
    """Whether a forward has arguments beyond its operands; numpy's and operator's have none."""
    return hasattr(forward, "__code__") and len(arguments(forward)) > arity


# ---- one recorder an arity ------------------------------------------------------------------------


def _unary(op: Op) -> Callable[..., Any]:
    keep_out, floating = op.keep_out, op.floating
    keep_value, keep_shape = op.keep[0] == "value", op.keep[0] == "shape"
    keep_any, nothing = keep_value or keep_shape, (None,)

    def call(a: Any, *constants: Any) -> Any:
        if a.__class__ is _ndarray:
            return op.forward(a, *constants)
        try:
            parent, x = a._node, a._data
        except AttributeError:
            return op.forward(a, *constants)
        needs = parent is not None and parent.needs  # only floats can need a gradient
        if floating and not needs and x.dtype.kind in "iub":
            x = x.astype(dtypes.default_dtype)
        try:
            y = op.forward(x, *constants)  # ``at_once`` may change it
        except ValueError as error:
            raise shape_error(op, (x,), error) from None
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
            raise shape_error(op, (x,), error) from None
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
            raise shape_error(op, (x, y), error) from None
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
        t = handle(z, node)
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
            raise shape_error(op, arrays, error) from None
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
        t = handle(y, node)
        if watching:
            watcher(op, t, tensors, constants)
        return t

    return call


def _variadic(op: Op) -> Callable[..., Any]:
    """``call(*operands, *constants)`` where constants are what is neither Tensor, array nor number."""
    forward, keep = op.forward, op.keep[0]
    n_constants = len(arguments(forward)) - 1

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
            raise shape_error(op, arrays, error) from None
        node = None
        if wants_node(tensors):
            saved: Any = None
            if keep:
                saved = tuple(_kept(a, keep) for a in arrays)
            out = y if op.keep_out else None
            parents = tuple(map(parent_of, tensors))
            node = Node(op, parents, out, (saved, *constants), y.shape, y.dtype, state.place)
        t = handle(y, node)
        if watching:
            watcher(op, t, tensors, constants)
        return t

    return call


def _several(op: Op, rows: dict[str, Op]) -> Callable[..., Any]:
    """An op with several outputs: one node for the tuple, and an ``item`` node for each part."""
    forward, keep = op.forward, op.keep[0]

    def call(a: Any, *constants: Any) -> Any:
        try:
            parent, x = a._node, a._data
        except AttributeError:
            return forward(a, *constants)
        parts = forward(x, *constants)
        if parent is None or not (parent.needs and state.recording):
            several = tuple([handle(part, None) for part in parts])
            if op.view:
                all_joined(a, several, parent is None or not parent.needs)
            if state.tracer is not None and state.tracer.parts is not None:
                state.tracer.parts(op, several, a, constants)
            return several
        place = state.place
        dtype = x.dtype
        saved = (_kept(x, keep), *constants)
        sizes = tuple([part.shape for part in parts])
        whole = Node(op, (parent,), None, saved, sizes, dtype, place)
        item, parents = rows["item"], (whole,)
        shape: Any = None
        for k, part in enumerate(parts):  # items of one shape share one tuple
            if shape != part.shape:
                shape = part.shape
            saved = _ITEM_SAVED[k] if k < len(_ITEM_SAVED) else (None, k)
            parts[k] = handle(part, Node(item, parents, None, saved, shape, dtype, place))
        if op.view:
            all_joined(a, parts, True)
        return tuple(parts)

    return call


# ---- what the recorders share -------------------------------------------------------------------


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
    node.since = tensor._tag
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
        dtype = dtypes.common_dtype(tensors[op.promote :], op.floating)
        for i in range(op.promote, len(arrays)):
            a = arrays[i]
            if isinstance(a, _ndarray) and a.dtype != dtype:
                arrays[i] = a.astype(dtype)
        if not any(isinstance(a, _ndarray) for a in arrays[op.promote :]):
            arrays[op.promote] = np.asarray(arrays[op.promote], dtype)  # numbers alone
    elif op.floating:
        first = arrays[0]
        if isinstance(first, _ndarray) and first.dtype.kind in "iub":
            arrays[0] = first.astype(dtypes.default_dtype)
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


def shape_error(op: Op, arrays: Any, error: Exception) -> ValueError:
    """What numpy said of shapes, with the op, the module and the step that it happened in."""
    if "negative integer powers" in str(error):
        return ValueError(
            f"{state.place}{op.name}: integers to negative integer powers are not allowed: "
            "make the base a float, x.float() ** -1"
        )
    shapes = " and ".join(str(np.shape(a)) for a in arrays)
    return ValueError(f"{state.place}{op.name} cannot take shapes {shapes}: {error}")


# ---- who shares one memory, for writes in place ------------------------------------------------------


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
