"""What does a write in place change? The tensors that share one memory, and what becomes of each.

Views (an item, a slice, a transpose, a part of a split) and what was cut from the graph (``detach()``,
``data``) share the memory of the tensor that they come from: what is written into one is seen by all. The
rows that make views note that in ``_alias`` (``sharing.joined``).

Values under a graph stay what they were all the same. A write makes a new array and moves the tensors
there; only memory that provably nobody else holds, no node and no array handed out, is written where it
lies. A leaf is replaced, and old graphs refuse to send a gradient to it. Where gradients are concerned the
base gets a new node, which puts what is written in its place, and its views are taken anew.
"""

from __future__ import annotations

from collections import Counter
from sys import getrefcount
from typing import TYPE_CHECKING, Any
from weakref import getweakrefcount, ref

import numpy as np

from ..engine.places import NOWHERE, state
from ..engine.scatter import is_basic
from ..engine.switches import enable_grad
from ..engine.values import Array, Constant, Handle, Leaf, Literal, Node
from ..ops import indexing, shapes, watching
from ..ops.dtypes import NUMBERS
from ..ops.recording import constant, joined, parent_of

if TYPE_CHECKING:
    from .value import Tensor

Members = list[ref["Tensor"]]  # all that share one memory
_RANKS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 2}  # complex: only inside gradcheck


class Parted:
    """What those have who shared a memory, once one of them was given an array of its own."""

    __slots__ = ("by",)
    of = None

    def __init__(self, by: str) -> None:
        self.by = by


class Snapshot:
    """What a value of a state dict has: it writes what it is a value of, and keeps its own when that is
    written by others."""

    __slots__ = ("of",)

    def __init__(self, of: Members) -> None:
        self.of = of


class Data(Snapshot):
    """What ``t.data`` has: it goes along with ``t``, and errors call a write by it that."""

    __slots__ = ()


# ---- who shares a memory --------------------------------------------------------------------------


def _token(t: Tensor) -> Any:
    return t._alias[0] if t._alias.__class__ is tuple else t._alias


def _members(t: Tensor) -> Members | None:
    """The list of weak references to all that share the memory of ``t``, or None."""
    token = _token(t)
    return token if token is None or token.__class__ is list else token.of


def _sharing(t: Tensor) -> list[Tensor]:
    """The living tensors that share the memory of ``t``, itself among them."""
    members = _members(t)
    if members is None:
        return [t]
    return [m for r in members if (m := r()) is not None and _members(m) is members]


def _stands_for(t: Tensor) -> Tensor:
    """What the graph leads ``t`` to when it is written: what it is a view of, or itself."""
    return t._alias[1] if t._alias.__class__ is tuple else t


def _base(t: Tensor, by: str) -> Tensor:
    """What ``t`` stands for. Raises RuntimeError where that has an array of its own by now."""
    base, token = _stands_for(t), _token(t)
    if token.__class__ is Parted or _members(base) is not _members(t):
        other = f" by {token.by}" if token.__class__ is Parted else ""
        raise RuntimeError(
            f"{by}: this tensor of shape {t.shape} was a view of another one, which has got new values"
            f"{other} since: take the view again, or clone() it to write a copy"
        )
    return base


def share(a: Tensor, t: Tensor) -> Tensor:
    """``t``, which has the values of ``a`` and no part in its graph, shares its memory."""
    joined(a, t, False)
    return t


def snapshot(t: Tensor) -> Tensor:
    """The values of ``t`` as an entry of a state dict; see ``Snapshot``."""
    entry = t.detach()
    if (members := _members(entry)) is not None:
        entry._alias = Snapshot(members)
    return entry


def data(t: Tensor) -> Tensor:
    """``t.data``."""
    made = share(t, Handle.kind._wrap(t._data, None))
    if (members := _members(made)) is not None:
        made._alias = Data(members)
    return made


def leave(t: Tensor, by: str) -> None:
    """``t`` gets an array of its own by ``by``; whoever shared its memory keeps the old values."""
    if t._alias is None:
        return
    others, t._alias = _sharing(t), None
    _part([m for m in others if m is not t], by)


def _part(those: list[Tensor], by: str) -> None:
    parted = Parted(by)
    for m in those:
        m._alias = parted


def adopt(t: Tensor, new: Tensor, by: str) -> None:
    """``t.data = new``: take the array of ``new`` and share it; the old one is left to those who have it."""
    if new._data is t._data:
        return  # ``t.data += 1`` has been written already
    same = new._data.dtype == t._data.dtype
    t._alias = None
    t._data = new._data if same else new._data.astype(t._data.dtype)
    _outside(t, by)
    if same:
        joined(new, t, False)


def cut(t: Tensor) -> Tensor:
    """``t.detach_()``: the same tensor without its past."""
    if t._alias.__class__ is tuple:
        t._alias = t._alias[0]
    t._tag, t._node = t._step, None
    return t


def turn(t: Tensor, view: Any, by: str) -> Tensor:
    """``t`` becomes a view of what it was, as ``t.t_()`` does; whoever shares its memory still does.

    Raises RuntimeError for a leaf that requires a gradient: its gradient has its shape.
    """
    if state.tracer is not None:
        state.tracer.looks(f"{by} writes in place")
    if t.requires_grad and t._node.__class__ is Leaf:
        raise RuntimeError(f"{by}: a leaf that requires a gradient keeps its shape: use {by[:-1]}")
    if view._data.base is None and view._data is not t._data:
        raise RuntimeError(f"{by}: this tensor's memory has no such view: clone() it")
    t._data, t._node = view._data, view._node
    return t


# ---- writing ----------------------------------------------------------------------------------------


def write(t: Tensor, value: Any, by: str, index: Any = None) -> Tensor:
    """``t[index] = value`` (all of ``t`` without an index) in whatever shares its memory; returns ``t``.

    The value is cast to the dtype of ``t`` and broadcast. While ops are recorded, gradients go to the value
    and, but for what was overwritten, to what ``t`` was. Raises RuntimeError for a leaf that requires a
    gradient, where recording is on, ValueError where shapes do not fit, IndexError for an index outside.
    """
    if state.tracer is not None:
        state.tracer.looks(f"{by} writes in place")
    if value.__class__ not in NUMBERS and not isinstance(value, Handle):
        value = value.item() if isinstance(value, np.generic) else Handle.kind._made(value)
    return _write(t, value, by, index, False)


def become(t: Tensor, new: Any, by: str) -> Tensor:
    """``t`` takes the result of an op on it, as ``t += v`` does; returns ``t``. Raises as ``write`` does,
    and TypeError where the dtype of ``t`` cannot hold the result."""
    alone = len(_sharing(t)) == 1
    if state.tracer is not None and not (alone and state.tracer.rebinds):
        state.tracer.looks(f"{by} writes in place")
    if new.shape != t.shape:
        raise ValueError(
            f"{state.place}{by}: the result has shape {new.shape}, and it is written into a tensor of shape "
            f"{t.shape}: write x = x + y for a new one"
        )
    if _RANKS[new._data.dtype.kind] > _RANKS[t._data.dtype.kind]:
        raise TypeError(
            f"{state.place}{by}: {t.dtype} cannot hold a result of {new.dtype}: "
            "write x = x + y for a new tensor"
        )
    if not alone:
        return _write(t, new, by, None, True)
    base = _base(t, by)
    recorded = _recorded(base, new, by)
    if recorded and not new.requires_grad:
        return _write(t, new, by, None, True)
    if new._data.dtype != t._data.dtype:
        new = new.to(t.dtype) if new._data.dtype.kind != "c" else new
    t._data = new._data
    if recorded:
        _renode(t, new._node)
    else:
        _outside(t, by)
    return t


def _write(t: Tensor, value: Any, by: str, index: Any, whole: bool) -> Tensor:
    base = _base(t, by)
    if _token(t).__class__ is Data:
        by = f"data.{by}" if by[-1] == "_" else f"data {by}"
    recorded = _recorded(base, value, by)
    if index is not None and _is_itself(t, index, value):
        return t
    target = t._data[index] if index is not None and is_basic(index) else t._data
    if shapes.stretched(target):
        raise RuntimeError(
            f"{state.place}{by}: elements of an expanded tensor of shape {t.shape} lie in one place: "
            "clone() it"
        )
    del target  # a reference more to the memory
    live, behind = _following(t)
    alone = t._data.flags.writeable and _alone(live)
    node = None
    if recorded:
        before = base._node or (Constant(base.shape, base.dtype) if alone else constant(base))
        node = value._node if whole and base is t else None
        if node is None or not node.needs:
            node = _put(base, before, t, index, value, by)
    _store(live, alone, t, index, value, by)
    _part(behind, by)
    if recorded:
        if watching.watching:
            watching.watcher(indexing.put.op, base, (value,))  # type: ignore[attr-defined]
        _renode(base, node)
    for m in live:
        if _stands_for(m) is m and not (recorded and m is base):
            _outside(m, by)
    for m in live:
        head = _stands_for(m)
        if head is not m:
            _view_again(m, head, t, recorded and head is base)
    return t


def _following(t: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Who shares the memory of ``t`` and goes where a write by it goes, and who stays behind."""
    live, token = _sharing(t), _token(t)
    behind = [m for m in live if _token(m).__class__ is Snapshot and _token(m) is not token]
    return [m for m in live if not any(m is b for b in behind)], behind


def _recorded(base: Tensor, value: Any, by: str) -> bool:
    """Whether a write is part of a graph; raises where it must not be."""
    if not state.recording:
        return False
    node = base._node
    own = None if value.__class__ in NUMBERS else value._node
    needs, asks = node is not None and node.needs, own is not None and own.needs
    if not (needs or asks):
        return False
    if node.__class__ is Leaf:
        if needs:
            raise RuntimeError(
                f"{state.place}{by}: writing a leaf that requires a gradient is not recorded: "
                "do it under tg.no_grad()"
            )
        raise RuntimeError(
            f"{state.place}{by}: a leaf that requires no gradient cannot take a value that has one: "
            "detach() it"
        )
    if not base.is_floating_point():
        raise TypeError(
            f"{state.place}{by}: a tensor of {base.dtype} would lose the gradient of what is written: "
            "detach() it"
        )
    return True


# ---- memory -----------------------------------------------------------------------------------------


class _Holder:
    """What holds an array as a tensor does."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = np.zeros(1)


_probe = _Holder()
_ONE = getrefcount(_probe._data)  # what is counted of an array that a tensor holds and nobody else


def _alone(live: list[Any]) -> bool:
    """Whether nobody but these tensors can see their memory: then it may be written where it lies.

    Nodes, arrays handed out and tensors that share it unknown to us (a clone) hold references.
    """
    if watching.watching:
        return False
    held = Counter([id(m._data) for m in live])
    owner = -1
    views = set()
    for m in live:
        if m._node.__class__ is Leaf:
            return False
        if m._data.base is None:
            owner = id(m._data)
        else:
            views.add(id(m._data))
            if getrefcount(m._data) != _ONE + held[id(m._data)] - 1 or getweakrefcount(m._data):
                return False
    m = live[0]
    known = held.get(owner, 0) + len(views)
    if m._data.base is None:
        count, weak, flags = getrefcount(m._data), getweakrefcount(m._data), m._data.flags
    elif isinstance(m._data.base, np.ndarray):
        count, weak = getrefcount(m._data.base), getweakrefcount(m._data.base)
        flags = m._data.base.flags
    else:
        return False
    return count == _ONE + known - 1 and not weak and flags.owndata and flags.writeable


def _at(a: Array) -> int:
    """Where an array begins."""
    start: int = a.__array_interface__["data"][0]
    return start


def _window(a: Array, start: int, line: Array) -> Array:
    """What ``a`` takes from the memory that begins at ``start``, taken from ``line`` that stands for it."""
    if not a.size:
        return np.empty(a.shape, line.dtype)
    one, size = a.itemsize, line.itemsize
    strides = [s // one * size for s in a.strides]
    return np.ndarray(a.shape, line.dtype, line, (_at(a) - start) // one * size, strides)


def _store(live: list[Tensor], alone: bool, t: Tensor, index: Any, value: Any, by: str) -> None:
    """Write where the memory lies, or into a copy of it to which all that share it are moved."""
    plain = value if value.__class__ in NUMBERS else value._data
    where = ... if index is None else index
    old = t._data
    complexes = plain.__class__ is np.ndarray and plain.dtype.kind == "c" != old.dtype.kind
    if alone and not complexes:
        _assign(old, where, plain, by)
        return
    root: Any = old if old.base is None else old.base
    line: Any = root.ravel("K") if isinstance(root, np.ndarray) else None
    if line is None or (line is not root and line.base is not root):
        raise RuntimeError(f"{by}: this tensor's memory cannot be copied as a whole: clone() it")
    start = _at(root)
    line = line.astype(np.complex128 if complexes else line.dtype)  # a copy
    _assign(_window(old, start, line), where, plain, by)
    moved: dict[int, Array] = {}
    for m in live:
        a = m._data
        if id(a) not in moved:
            moved[id(a)] = _window(a, start, line)
        m._data = moved[id(a)]


def _assign(target: Array, where: Any, value: Any, by: str) -> None:
    region = indexing.taken(target, where)
    while np.ndim(value) > region.ndim and len(value) == 1:
        value = value[0]
    try:
        if is_basic(where):
            region[...] = value
        else:
            target[where] = value
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{state.place}{by}: a value of shape {np.shape(value)} does not fit {region.shape}"
        ) from error


def _is_itself(t: Tensor, index: Any, value: Any) -> bool:
    """Whether what is written is the very view that it is written to, as ``x[i] += v`` has it."""
    if value.__class__ in NUMBERS or t._alias is None or _stands_for(value) is not _stands_for(t):
        return False
    a, b = indexing.taken(t._data, index), value._data
    return _at(a) == _at(b) and a.shape == b.shape and a.strides == b.strides


# ---- the graph --------------------------------------------------------------------------------------


def _renode(t: Tensor, node: Any) -> None:
    """A computed value takes the place of the old one; who wants to see its gradient sees the new one's."""
    old = t._node
    if isinstance(old, Node) and old.retained is not None and node.retained is None:
        node.retained = [old.retained[0]]
    t._node = node


def _outside(t: Tensor, by: str) -> None:
    """A value was written outside of the graph: a leaf is replaced; what was computed keeps its node."""
    node = t._node
    if node.__class__ is Leaf:
        t._node = node.replaced(t._data.shape, t._data.dtype, by).hold(t._data)
    elif node is not None and not isinstance(node, Node):
        t._node = None
        if node.name is not None or node.place is not NOWHERE:
            constant(t, node.name, node.place.step)


def _view_again(m: Tensor, head: Tensor, t: Tensor, recorded: bool) -> None:
    """The node of a view whose memory has been written by way of ``t``, from what it is a view of.

    ``recorded``: the write has made a new node of ``head``. Otherwise it is a new one if it is a leaf.
    """
    if recorded:
        if not np.may_share_memory(m._data, t._data):
            return  # it is as it was, and so is its derivative
    elif head._node.__class__ is not Leaf or not isinstance(m._node, Node):
        if not isinstance(m._node, Node):
            _outside(m, "")
        return
    with enable_grad():
        source = Handle.kind._wrap(head._data, head._node)
        again = indexing.getitem(source, index_in(head._data, m._data))
        if again.shape != m.shape:  # more elements only where one number was expanded
            again = (shapes.reshape if again.numel() == m.numel() else shapes.broadcast)(
                again, m.shape
            )
    if again._node is not None:
        _renode(m, again._node)


def _put(base: Tensor, before: Any, t: Tensor, index: Any, value: Any, by: str) -> Node:
    """The node of ``base`` with ``value`` at ``t[index]``."""
    region = t._data if index is None else indexing.taken(t._data, index)
    asks = value.__class__ not in NUMBERS and value.requires_grad
    basic = index is None or is_basic(index)
    if asks and not basic:
        _once(t, index, by)
    where: Any
    if base is t:
        where = ... if index is None else index
    elif basic:
        where = index_in(base._data, region)
    elif not base.ndim:
        where = ...
    else:
        numbers = np.arange(base.numel()).reshape(base.shape)[index_in(base._data, t._data)]
        where = np.unravel_index(numbers.reshape(t.shape)[index], base.shape)
    if asks:
        shape = np.shape(base._data[where])
        while value.ndim > region.ndim and value.shape[0] == 1:
            value = shapes.reshape(value, value.shape[1:])
        if shape != region.shape:
            if value.shape != region.shape:
                value = shapes.broadcast(value, region.shape)
            value = shapes.reshape(value, shape)
    parent = Literal(value) if value.__class__ in NUMBERS else parent_of(value)
    op = indexing.put.op  # type: ignore[attr-defined]
    saved = (None, None, where)
    return Node(op, (before, parent), None, saved, base._data.shape, base._data.dtype, state.place)


def _once(t: Tensor, index: Any, by: str) -> None:
    """Raise where an index names an element twice: it is not said which value stays."""
    named = np.arange(t.numel()).reshape(t.shape)[index]
    if np.unique(named).size != np.size(named):
        raise IndexError(
            f"{state.place}{by}: the index names an element twice, and only one of the values stays: "
            "x = x.at[index].add(value) adds both"
        )


def index_in(outer: Array, inner: Array) -> Any:
    """An index that takes from ``outer`` what ``inner``, a view of the same memory, has; the shape may
    differ by axes of length 1."""
    return _slices(outer, inner) or _positions(outer, inner)


def _slices(outer: Array, inner: Array) -> Any:
    """As slices of the axes in their order, where it is that simple; else None."""
    left = _at(inner) - _at(outer)
    sides = [(n, s) for n, s in zip(inner.shape, inner.strides, strict=True) if n != 1]
    index: list[Any] = [slice(None)] * outer.ndim
    starts: dict[int, int] = {}
    for axis in sorted(range(outer.ndim), key=lambda k: -outer.strides[k]):
        stride = outer.strides[axis]
        if outer.shape[axis] > 1:
            if stride <= 0:
                return None
            starts[axis], left = divmod(left, stride)
    rest = list(sides)
    for axis in sorted(starts):
        start, stride, n = starts[axis], outer.strides[axis], outer.shape[axis]
        stop, step = start + 1, 1
        if rest and rest[0][1] > 0 and not rest[0][1] % stride:
            length, by = rest[0][0], rest[0][1] // stride
            if start + (length - 1) * by < n:
                stop, step = start + (length - 1) * by + 1, by
                rest.pop(0)
        index[axis] = slice(start, stop, step)
    found = outer[tuple(index)]
    same = [(n, s) for n, s in zip(found.shape, found.strides, strict=True) if n != 1] == sides
    return tuple(index) if same and not left and not rest and _at(found) == _at(inner) else None


def _positions(outer: Array, inner: Array) -> Any:
    """As an array of integers for each axis."""
    root = outer if outer.base is None else outer.base
    numbers = np.empty(root.size, np.intp)
    start = _at(root)
    _window(outer, start, numbers)[...] = np.arange(outer.size).reshape(outer.shape)
    found = _window(inner, start, numbers)
    return np.unravel_index(found, outer.shape) if outer.ndim else ...
