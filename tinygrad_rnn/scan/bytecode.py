"""What does a step's code do, without running it? What each name may be, and what is done with it.

Every value is a set of atoms: a particular object (``Known``), something that the step is given or a view
of it (``GIVEN``), something made while it runs (``FRESH``), a tuple, an iterator, a function made in it.
Branches that a setting decides are followed as it decides; others both ways. What is put into containers
is kept in one heap for all of them, and the code is followed until the heap no longer grows. Blocks that
can only end in an exception are not followed: who comes there is not compiled.
"""

from __future__ import annotations

import inspect
import operator
import sys
import types
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial, reduce
from importlib.util import resolve_name
from typing import Any, NamedTuple

import numpy as np

from ..nn.module import Module, Parameter, _Ordered
from ..tensors import Tensor
from . import purity
from .purity import CONTAINERS, MISSING, Guards, Impure


class Known:
    """One particular object: a constant, or what was found outside the step."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Known) and self.value is other.value

    def __hash__(self) -> int:
        return hash((Known, id(self.value)))


class Mark(NamedTuple):
    """A kind of thing that nothing more is known of."""

    word: str


class Tup(NamedTuple):
    """A tuple made in the step."""

    items: tuple[Value, ...]


class Seq(NamedTuple):
    """What can be iterated over and not changed, with elements like these."""

    of: Value


class Bound(NamedTuple):
    """A method of a tensor, a container, a string."""

    receiver: Value
    name: str


class Method(NamedTuple):
    """A function of a class, with the object that it was found on."""

    function: Any
    owner: Value


class Super(NamedTuple):
    """``super()``: where the search goes on after a class."""

    after: type
    owner: Known


class ClosureCell(NamedTuple):
    """A variable that functions made in the step share."""

    code: types.CodeType
    name: str


class Local(NamedTuple):
    """A function made in the step."""

    code: types.CodeType
    globals: Known
    defaults: tuple[Value, ...]
    keyword_defaults: tuple[tuple[str, Value], ...]
    cells: tuple[tuple[str, Any], ...]


Value = frozenset[Any]
GIVEN, FRESH, NULL = Mark("given"), Mark("fresh"), Mark("null")
NOTHING: Value = frozenset()
NEW: Value = frozenset({FRESH})
MOST_ATOMS, DEEPEST, MOST_STEPS = 40, 4, 60_000


def known(value: Any) -> Value:
    """The value that is one object."""
    return frozenset({Known(value)})


def single(value: Value) -> Any:
    """The one object that a value can be, or MISSING."""
    if len(value) == 1:
        (atom,) = value
        if isinstance(atom, Known):
            return atom.value
    return MISSING


def union(values: Iterable[Value]) -> Value:
    """What is one of several values."""
    return reduce(operator.or_, values, NOTHING)


class CallFrame:
    """One running function: its code, variables that others share, what it returns."""

    def __init__(self, code: types.CodeType, space: dict[str, Any], cells: dict[str, Any]) -> None:
        self.code, self.globals, self.cells = code, space, cells
        self.returned: Value = NOTHING
        self.keywords: tuple[str, ...] = ()


class Walk:
    """One pass after another over a step's code, until nothing new is found."""

    def __init__(
        self,
        guards: Guards,
        fields: frozenset[str],
        follow: Callable[[Walk, CallFrame, dict[str, Value]], None],
    ) -> None:
        self.guards, self.fields, self.follow = guards, set(fields), follow
        self.heap: Value = NOTHING
        self.boxes: dict[ClosureCell, Value] = {}
        self.keep: list[Any] = []
        self.grew = True
        self.steps = self.depth = 0
        self.memo: dict[Any, Value | None] = {}
        self.watched: set[int] = set()

    # ---- what is in what

    def store(self, *values: Value) -> None:
        """Put values into containers made in the step."""
        if any(map(_holds_array, union(values))):
            raise Impure("it uses a numpy array: keep it as a buffer, tg.tensor(array)")
        new = union(values) - self.heap
        if new:
            self.heap, self.grew = self.heap | new, True

    def outside(self, value: Any) -> Value:
        """An object found outside; the entries of its containers are watched."""
        self.watch(value)
        self.keep.append(value)
        return known(value)

    def watch(self, value: Any) -> None:
        """Note the entries of containers in containers."""
        kind = type(value)
        if kind not in CONTAINERS and not (isinstance(value, tuple) and hasattr(kind, "_fields")):
            return
        if len(value) > purity.MOST_ENTRIES:
            raise Impure(f"it reads a {kind.__name__} of {len(value)} entries")
        if kind in (list, dict, set):
            if id(value) in self.watched:
                return
            self.watched.add(id(value))
            self.keep.append(value)
            self.guards.contents(value)
        for entry in value.values() if kind is dict else value:
            self.watch(entry)

    def elements(self, value: Value) -> Value:
        """What iterating gives."""
        found: Value = NOTHING
        for atom in value:
            if isinstance(atom, Known):
                found |= self._entries(atom.value)
            elif isinstance(atom, Tup):
                found |= union(atom.items)
            elif isinstance(atom, Seq):
                found |= atom.of
            elif atom == FRESH:
                found |= self.heap | NEW
            elif atom == GIVEN:
                found |= {GIVEN}
        return found

    def values(self, value: Value) -> Value:
        """What dictionaries from outside hold."""
        tables = [a.value for a in value if isinstance(a, Known) and type(a.value) is dict]
        return union(self.outside(v) for table in tables for v in table.values())

    def _entries(self, thing: Any) -> Value:
        if isinstance(thing, (tuple, *CONTAINERS)) and purity.plain(thing):
            return union(map(self.outside, thing))
        if type(thing) in (str, bytes, range):
            return NEW
        if isinstance(thing, Tensor):
            return frozenset({GIVEN})
        if hasattr(type(thing), "__iter__"):
            return union(map(self.outside, self._modules(thing)))
        return NOTHING

    def _modules(self, thing: Any, below: bool = False) -> list[Any]:
        """The entries of a ModuleList or Sequential; the modules below any module."""
        ours = isinstance(thing, _Ordered) or (below and isinstance(thing, Module))
        for name in () if below else ("__iter__", "__getitem__", "__len__"):
            ours = ours and getattr(type(thing), name) is getattr(_Ordered, name)
        if not ours:
            raise Impure(f"it reads a {type(thing).__name__}, whose entries may change")
        table = thing.__dict__["_modules"]
        self.guards.contents(table)
        return [module for module in table.values() if module is not None]

    def made(self, atom: Any) -> Value:
        """A tuple or an iterator, unless it is nested too deeply to be worth it."""
        if _depth(atom) > DEEPEST:
            self.store(*(atom.items if isinstance(atom, Tup) else (atom.of,)))
            return NEW
        return frozenset({atom})

    def narrowed(self, value: Value) -> Value:
        """A value of not too many atoms."""
        if len(value) <= MOST_ATOMS:
            return value
        nested = frozenset(a for a in value if isinstance(a, (Tup, Seq)))
        self.store(self.elements(nested))
        return (value - nested) | NEW

    # ---- attributes

    def attribute(self, value: Value, name: str) -> Value:
        """What ``value.name`` may be."""
        return union(self._attribute(atom, name) for atom in value)

    def _attribute(self, atom: Any, name: str) -> Value:
        if isinstance(atom, Known):
            return self._of_known(atom, name)
        if isinstance(atom, Super):
            mro = type(atom.owner.value).__mro__
            later = mro[mro.index(atom.after) + 1 :]
            return self._found(atom.owner, name, later)
        if atom in (GIVEN, FRESH) or isinstance(atom, (Tup, Seq)):
            return self._of_value(atom, name)
        if name in ("__name__", "__qualname__", "__doc__"):
            return NEW
        if name.startswith("__"):
            raise Impure(f"it reads .{name} of a function")
        return NOTHING

    def _of_value(self, atom: Any, name: str) -> Value:
        """Of a tensor, a container, a number or a string."""
        bound = frozenset({Bound(frozenset({atom}), name)})
        if isinstance(atom, (Tup, Seq)):
            if name in self.fields:
                return self.elements(frozenset({atom}))
            return bound if name in purity.OF_CONTAINERS else NOTHING
        if name in self.fields:
            return frozenset({atom}) | (self.heap if atom == FRESH else NOTHING)
        if name in purity.FIELDS:
            return frozenset({atom}) if name in purity.VIEWS else NEW
        if name in purity.OF_TENSORS or name in purity.OF_CONTAINERS:
            return bound
        why = purity.unseen(name)
        if why is not None:
            raise Impure(why)
        if name in purity.OF_NUMBERS or name in ("__class__", "__name__"):
            return NEW
        if atom == FRESH and (name in purity.OF_STRINGS or name in ("set", "add")):
            return bound
        if atom == GIVEN and name in ("set",):
            return bound
        raise Impure(f"it reads .{name} of a value")

    def _of_known(self, atom: Known, name: str) -> Value:
        thing = atom.value
        kind = type(thing)
        guards = self.guards
        if isinstance(thing, types.ModuleType):
            ours = thing.__name__.startswith((purity.PACKAGE, "numpy"))
            if ours:
                getattr(thing, name, None)  # imported when first asked for, there from now on
            value = guards.item(vars(thing), name)
            if value is MISSING:
                if not ours:
                    raise Impure(f"it reads {thing.__name__}.{name}, which is not there")
                value = guards.attribute(thing, name)
            return NOTHING if value is MISSING else self.outside(value)
        if kind in (Tensor, Parameter):
            return self._of_value(GIVEN, name)
        if isinstance(thing, Tensor):
            raise Impure(f"it reads a {kind.__name__}, which is a tensor of its own kind")
        if isinstance(thing, type):
            return self._of_class(thing, name)
        if isinstance(thing, np.ufunc):
            if name not in ("reduce", "accumulate", "outer"):
                raise Impure(f"it uses {thing.__name__}.{name}")
            return frozenset({Bound(NEW, name)})
        if purity.scalar(thing):
            if isinstance(thing, Enum) and name in ("value", "name"):
                return self.outside(getattr(thing, name))
            return frozenset({Bound(frozenset({atom}), name)})
        if kind in CONTAINERS:
            bound = frozenset({Bound(frozenset({atom}), name)})
            return bound if name in purity.OF_CONTAINERS else NOTHING
        if isinstance(thing, tuple) and name in getattr(kind, "_fields", ()):
            return self.outside(getattr(thing, name))
        if isinstance(thing, types.FunctionType):
            value = guards.attribute(thing, name)
            return NOTHING if value is MISSING else self.outside(value)
        if isinstance(thing, (types.BuiltinFunctionType, types.MethodType)):
            if name.startswith("__"):
                raise Impure(f"it reads .{name} of a function")
            return NOTHING
        return self._found(atom, name, kind.__mro__)

    def _of_class(self, cls: type, name: str) -> Value:
        if not purity.usual_class(cls):
            raise Impure(f"it uses {cls.__name__}, whose class is of its own kind")
        if name in ("__name__", "__qualname__", "__module__", "__doc__"):
            return NEW
        if issubclass(cls, Enum) and name in cls.__members__:
            return self.outside(cls[name])
        for one in cls.__mro__:
            raw = self.guards.of_class(one, name)
            if raw is MISSING:
                continue
            if isinstance(raw, staticmethod):
                return self.outside(raw.__func__)
            if isinstance(raw, classmethod):
                return frozenset({Method(Known(raw.__func__), known(cls))})
            return self.outside(raw)
        return NOTHING

    def _found(self, atom: Known, name: str, classes: tuple[type, ...]) -> Value:
        """As Python looks an attribute up: a property, the object's own, its class's."""
        thing, guards = atom.value, self.guards
        kind, own = type(thing), frozenset({atom})
        whole = classes is kind.__mro__
        if getattr(kind, "__getattribute__", None) is not object.__getattribute__:
            raise Impure(f"{kind.__name__} has a __getattribute__ of its own")
        if name == "__class__":
            return known(kind)
        if name == "__dict__":
            raise Impure("it reads __dict__")
        table = getattr(thing, "__dict__", None) if whole else None
        mine = MISSING if table is None else table.get(name, MISSING)
        raw = MISSING
        for one in classes:
            if mine is MISSING or not one.__module__.startswith(purity.PACKAGE):
                raw = guards.of_class(one, name)
            else:
                raw = vars(one).get(name, MISSING)
            if raw is not MISSING:
                break
        if isinstance(raw, property):
            return self.call(self.outside(raw.fget), [own], {})
        if table is not None:
            guards.item(table, name)
            if mine is not MISSING:
                return self.outside(mine)
        if isinstance(raw, types.FunctionType):
            return frozenset({Method(Known(raw), own)})
        if isinstance(raw, staticmethod):
            return self.outside(raw.__func__)
        if isinstance(raw, classmethod):
            return frozenset({Method(Known(raw.__func__), known(kind))})
        if isinstance(raw, types.MemberDescriptorType):
            value = guards.attribute(thing, name)
            return NOTHING if value is MISSING else self.outside(value)
        if raw is not MISSING:
            if hasattr(type(raw), "__get__"):
                raise Impure(f"it uses {kind.__name__}.{name}, which a trace cannot see")
            return self.outside(raw)
        if getattr(kind, "__getattr__", Module.__getattr__) is not Module.__getattr__:
            raise Impure(f"{kind.__name__} has a __getattr__ of its own")
        return NOTHING

    # ---- operators

    def operate(self, *values: Value) -> None:
        """Refuse operators on things that may do more than compute."""
        for atom in union(values):
            if _holds_array(atom):
                raise Impure("it uses a numpy array: keep it as a buffer, tg.tensor(array)")
            if not isinstance(atom, Known) or purity.plain(atom.value):
                continue
            thing = atom.value
            if not purity.inert(thing) or purity.overloads(type(thing)):
                raise Impure(f"it computes with a {type(thing).__name__}, which may change")

    def changes(self, value: Value, how: str) -> None:
        """Refuse to change what was there before the step, or is there after it."""
        for atom in value:
            if atom == GIVEN:
                raise Impure(f"it changes what it is given, {how}")
            if isinstance(atom, Known) and not _fixed(atom.value):
                name = type(atom.value).__name__
                raise Impure(f"it changes a {name} that outlives the step, {how}")

    def truth(self, value: Value) -> bool | None:
        """Whether a value is true; None where that is open."""
        verdicts = {self._truth(atom) for atom in value}
        return verdicts.pop() if len(verdicts) == 1 else None

    def _truth(self, atom: Any) -> bool | None:
        if isinstance(atom, Tup):
            return bool(atom.items)
        if isinstance(atom, (Method, Local, Bound)):
            return True
        if not isinstance(atom, Known):
            return None
        thing = atom.value
        if purity.scalar(thing) or type(thing) in CONTAINERS:
            return bool(thing)
        if isinstance(thing, Tensor):
            return None
        if isinstance(thing, _Ordered):
            return bool(self._modules(thing))
        kind = type(thing)
        if hasattr(kind, "__bool__") or hasattr(kind, "__len__"):
            raise Impure(f"it asks for the truth of a {kind.__name__}, which may change")
        return True

    def compare(self, how: str, a: Value, b: Value) -> Value:
        """``a < b`` and the like."""
        self.operate(a, b)
        left, right = single(a), single(b)
        if purity.scalar(left) and purity.scalar(right):
            try:
                return known(bool(_COMPARISONS[how](left, right)))
            except (TypeError, ValueError, KeyError):
                return NEW
        return NEW

    def identical(self, a: Value, b: Value, negated: bool) -> Value:
        """``a is b``."""
        left, right = single(a), single(b)
        if left is not MISSING and right is not MISSING:
            return known((left is right) != negated)
        named = [v for v in (left, right) if v is not MISSING]
        if not named or not _is_name(named[0]):
            raise Impure("it asks whether two values are the same object")
        other = b if left is not MISSING else a
        if all(isinstance(x, (Tup, Seq, Method, Local, Bound)) for x in other):
            return known(negated)
        objects = [x.value for x in other if isinstance(x, Known)]
        if len(objects) == len(other) and all(v is not named[0] for v in objects):
            return known(negated)
        return NEW

    def contains(self, item: Value, where: Value, negated: bool) -> Value:
        """``item in where``."""
        self.operate(item, where)
        small, large = single(item), single(where)
        if purity.scalar(small) and (type(large) in CONTAINERS or isinstance(large, str)):
            try:
                return known((small in large) != negated)
            except TypeError:
                return NEW
        return NEW

    def subscript(self, value: Value, index: Value) -> Value:
        """``value[index]``."""
        self.operate(index)
        found: Value = NOTHING
        at = single(index)
        for atom in value:
            if isinstance(atom, Tup):
                if isinstance(at, int) and -len(atom.items) <= at < len(atom.items):
                    found |= atom.items[at]
                else:
                    found |= union(atom.items) | self.made(Seq(union(atom.items)))
            elif isinstance(atom, Known):
                found |= self._item(atom.value, at)
            elif atom == FRESH:
                found |= self.heap | NEW
            elif atom == GIVEN:
                found |= {GIVEN}
            elif isinstance(atom, Seq):
                found |= atom.of | {atom}
        return found

    def _item(self, thing: Any, at: Any) -> Value:
        if type(thing) in CONTAINERS or (isinstance(thing, tuple) and purity.plain(thing)):
            if at is not MISSING and not isinstance(at, slice):
                try:
                    return self.outside(thing[at])
                except (LookupError, TypeError):
                    return NOTHING
            of = thing.values() if isinstance(thing, dict) else thing
            every = union(map(self.outside, of))
            return every | self.made(Seq(every))
        if isinstance(thing, Tensor):
            return frozenset({GIVEN})
        if type(thing) in (str, bytes, range) or isinstance(thing, (type, types.GenericAlias)):
            return NEW
        if isinstance(thing, Module) and hasattr(type(thing), "__getitem__"):
            mods = self._modules(thing)
            if isinstance(at, int) and -len(mods) <= at < len(mods):
                return self.outside(mods[at])
            every = union(map(self.outside, mods))
            return every | self.made(Seq(every))
        self.operate(known(thing))
        return NOTHING

    # ---- calls

    def call(self, callee: Value, args: list[Value], kwargs: dict[str, Value]) -> Value:
        """What ``callee(*args, **kwargs)`` may return."""
        found: Value = NOTHING
        for atom in callee:
            if isinstance(atom, Known):
                found |= self._call_known(atom.value, args, kwargs)
            elif isinstance(atom, Method):
                found |= self.call(frozenset({atom.function}), [atom.owner, *args], kwargs)
            elif isinstance(atom, Local):
                found |= self._call_local(atom, args, kwargs)
            elif isinstance(atom, Bound):
                found |= self._call_bound(atom, args, kwargs)
            else:
                found |= NEW
        return self.narrowed(found)

    def _no_hooks(self, modules: Value) -> None:
        """Raise where a module that is called has forward hooks, whose Python is not the step's."""
        for atom in modules:
            module = atom.value if isinstance(atom, Known) else None
            if not isinstance(module, Module):
                continue
            if self.guards.item(module.__dict__, "_hooks") is not purity.MISSING:
                raise Impure(f"{type(module).__name__} has forward hooks")

    def _call_known(self, thing: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
        if isinstance(thing, Module):
            run = self._found(Known(thing), "__call__", type(thing).__mro__)
            return self.call(run, args, kwargs)
        if isinstance(thing, types.FunctionType):
            if purity.calls_forward(thing):
                self._no_hooks(args[0])
                return self.call(self.attribute(args[0], "forward"), args[1:], kwargs)
            if thing is purity.BARE:
                return self._call_bare(args, kwargs)
            if any(thing is one for one in purity.WHOLE):
                return union(args[1:]) | NEW
            if thing is purity.CHILDREN:
                below = (self._modules(a.value, True) for a in args[0] if isinstance(a, Known))
                return self.made(Seq(union(self.outside(m) for each in below for m in each)))
            if not purity.trusted(thing):
                return self._call_function(thing, args, kwargs)
        if isinstance(thing, types.MethodType):
            return self.call(
                self.outside(thing.__func__), [self.outside(thing.__self__), *args], kwargs
            )
        if isinstance(thing, partial):
            given = {k: self.outside(v) for k, v in thing.keywords.items()}
            first = [self.outside(v) for v in thing.args]
            return self.call(self.outside(thing.func), [*first, *args], {**given, **kwargs})
        if thing is getattr or thing is hasattr:
            return self._look_up(thing, args)
        if thing is type and len(args) == 1 and not kwargs:
            one = single(args[0])
            return NEW if one is MISSING else known(type(one))
        if purity.trusted(thing):
            return self._call_trusted(thing, args, kwargs)
        if isinstance(thing, type):
            return self._construct(thing, args, kwargs)
        if purity.scalar(thing) or isinstance(thing, Tensor):
            return NOTHING
        raise Impure(f"it calls {purity.called(thing)}, which may give something else every time")

    def _call_bare(self, args: list[Value], kwargs: dict[str, Value]) -> Value:
        """A built-in cell, called by itself: its step, and the new state."""
        state = args[2] if len(args) > 2 else kwargs.get("state", known(None))
        step = self.attribute(args[0], "step")
        self.attribute(args[0], "initial_state")
        result = self.call(step, [args[1] if len(args) > 1 else NEW, state | {GIVEN}], {})
        return self.elements(result) | NEW

    def _construct(self, cls: type, args: list[Value], kwargs: dict[str, Value]) -> Value:
        if issubclass(cls, BaseException):
            return NEW
        fields = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
        if fields is not None and cls.__new__.__module__ == f"namedtuple_{cls.__name__}":
            self.fields.update(fields)
            return self.made(Tup((*args, *kwargs.values())))
        raise Impure(f"it makes a {cls.__name__}")

    def _look_up(self, how: Any, args: list[Value]) -> Value:
        """``getattr`` and ``hasattr`` of a name that is known."""
        name = single(args[1])
        if not isinstance(name, str):
            raise Impure(f"it calls {how.__name__} with a name that is not a constant")
        found = self.attribute(args[0], name)
        if how is getattr:
            sure = found and single(args[0]) is not MISSING
            return found if sure or len(args) < 3 else found | args[2]
        return known(bool(found)) if single(args[0]) is not MISSING else NEW

    def _call_bound(self, method: Bound, args: list[Value], kwargs: dict[str, Value]) -> Value:
        receiver, name = method
        self.handed(args, kwargs)
        tensors = name in purity.OF_TENSORS
        if name in purity.MUTATORS and not tensors:
            self.changes(receiver, f"by .{name}()")
            self.store(*args, *kwargs.values(), *map(self.elements, args))
            return self.heap | NEW
        if name == "sort":  # a list's or a tensor's
            self.changes(receiver - {GIVEN}, "by .sort()")
            self.callbacks(kwargs, [self.elements(receiver)])
        inside = self.elements(receiver) | self.values(receiver)
        if name == "items":
            return self.made(Seq(self.made(Tup((inside, inside)))))
        if name in ("keys", "values"):
            return self.made(Seq(inside))
        if name in purity.VIEWS and GIVEN in receiver:
            return frozenset({GIVEN, FRESH})
        if not tensors and name in purity.OF_CONTAINERS:
            self.store(inside)
            return inside | NEW | union(args)
        return NEW

    def handed(self, args: list[Value], kwargs: dict[str, Value]) -> None:
        """What is handed to a function of the library, of Python or of numpy."""
        if "out" in kwargs:
            raise Impure("it writes into an array, by out=")
        for value in (*args, *kwargs.values()):
            for atom in value:
                if not isinstance(atom, Known) or not purity.inert(atom.value):
                    self.operate(frozenset({atom}))

    def callbacks(self, given: dict[str, Value], args: list[Value]) -> None:
        """Functions that another one calls."""
        if "key" in given:
            self.call(given["key"], args, {})

    def _call_trusted(self, f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
        special = _SPECIAL.get(f) if isinstance(f, (type, types.BuiltinFunctionType)) else None
        if special is not None:
            return special(self, f, args, kwargs)
        self.handed(args, kwargs)
        if f in (repr, str, format, ascii):
            self.operate(*args)
        name = getattr(f, "__name__", "")
        if name in purity.VIEWS or name in ("as_tensor", "dropout", "name", "asarray"):
            return (union(args) & {GIVEN}) | NEW | frozenset(_tensors(union(args)))
        return NEW

    def _call_function(
        self, f: types.FunctionType, args: list[Value], kwargs: dict[str, Value]
    ) -> Value:
        defaults, named = f.__defaults__, f.__kwdefaults__
        if not f.__module__.startswith(purity.PACKAGE):
            for part in ("__code__", "__defaults__", "__kwdefaults__"):
                self.guards.attribute(f, part)
            if named is not None:
                self.guards.contents(named)
        code = f.__code__
        names = code.co_varnames[: code.co_argcount]
        given: dict[str, Value] = {}
        if defaults:
            for name, value in zip(names[-len(defaults) :], defaults, strict=True):
                given[name] = self.outside(value)
        given.update({k: self.outside(v) for k, v in (named or {}).items()})
        cells = dict(zip(code.co_freevars, map(Known, f.__closure__ or ()), strict=True))
        return self.run(code, f.__globals__, cells, _bound(self, code, given, args, kwargs))

    def _call_local(self, f: Local, args: list[Value], kwargs: dict[str, Value]) -> Value:
        code = f.code
        names = code.co_varnames[: code.co_argcount]
        given = dict(f.keyword_defaults)
        if f.defaults:
            given.update(zip(names[-len(f.defaults) :], f.defaults, strict=True))
        found = _bound(self, code, given, args, kwargs)
        return self.run(code, f.globals.value, dict(f.cells), found)

    def run(
        self,
        code: types.CodeType,
        space: dict[str, Any],
        cells: dict[str, Any],
        variables: dict[str, Value],
    ) -> Value:
        """What a function returns (or, a generator, gives one after the other)."""
        key = (code, id(space), frozenset(cells.items()), frozenset(variables.items()))
        if key in self.memo:
            done = self.memo[key]
            if done is None:
                raise Impure("a function of it calls itself")
            return done
        if self.depth > 40:
            raise Impure("its functions call each other too deeply to be followed")
        if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
            raise Impure("it is asynchronous")
        self.memo[key] = None
        self.depth += 1
        frame = CallFrame(code, space, cells)
        self.follow(self, frame, variables)
        self.depth -= 1
        result = self.narrowed(frame.returned)
        if code.co_flags & inspect.CO_GENERATOR:
            result = self.made(Seq(result))
        self.memo[key] = result
        return result


def _bound(
    walk: Walk,
    code: types.CodeType,
    given: dict[str, Value],
    args: list[Value],
    kwargs: dict[str, Value],
) -> dict[str, Value]:
    """A call's arguments as the function's variables."""
    count = code.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    found = dict(given)
    extra: dict[str, Value] = {}
    rest = kwargs.pop("*", None) if "*" in kwargs else None  # elements of sequences of open length
    found.update(zip(names[:count], args, strict=False))
    for name, value in kwargs.items():
        (found if name in names else extra)[name] = value
    if rest is not None:
        for name in names:
            found[name] = found.get(name, NOTHING) | rest
    at = count + code.co_kwonlyargcount
    if code.co_flags & inspect.CO_VARARGS:
        more = walk.made(Tup(tuple(args[count:])))
        found[code.co_varnames[at]] = more if rest is None else more | walk.made(Seq(rest))
        at += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        walk.store(*extra.values(), *([] if rest is None else [rest]))
        found[code.co_varnames[at]] = NEW
    return found


def _tensors(value: Value) -> Iterable[Any]:
    return (a for a in value if isinstance(a, Known) and isinstance(a.value, Tensor))


def _fixed(value: Any) -> bool:
    """Whether nothing can change a value."""
    return purity.scalar(value) or type(value) in (tuple, frozenset)


def _is_name(value: Any) -> bool:
    """Whether identity with a value is a question of its kind only."""
    return isinstance(value, (type(None), bool, type(Ellipsis), type, Enum))


def _depth(atom: Any) -> int:
    """How deeply tuples and iterators are nested."""
    if isinstance(atom, Tup):
        return 1 + max((_depth(a) for item in atom.items for a in item), default=0)
    if isinstance(atom, Seq):
        return 1 + max((_depth(a) for a in atom.of), default=0)
    return 0


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}


# ---- Python's functions that return what they are given -------------------------------------------------


def _zip(walk: Walk, _f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    return walk.made(Seq(walk.made(Tup(tuple(map(walk.elements, args))))))


def _enumerate(walk: Walk, _f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    return walk.made(Seq(walk.made(Tup((NEW, walk.elements(args[0]))))))


def _iterated(walk: Walk, _f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    if len(args) != 1:
        raise Impure("it calls iter() with a function")
    return walk.made(Seq(walk.elements(args[0])))


def _next(walk: Walk, _f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    return walk.elements(args[0]) | union(args[1:])


def _collected(walk: Walk, f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    entries = union(map(walk.elements, args)) | union(kwargs.values())
    walk.callbacks(kwargs, [entries])
    if f is tuple:
        exact = [a for v in args for a in v if isinstance(a, Tup)]
        return frozenset(exact) if len(exact) == 1 == len(args[0]) else walk.made(Seq(entries))
    if f in (set, frozenset):
        hashed(entries)
    walk.store(entries, union(map(walk.elements, [entries])))
    return NEW


def hashed(entries: Value) -> None:
    """Refuse sets of tensors: their order is that of addresses."""
    for atom in entries:
        if not (isinstance(atom, Known) and purity.scalar(atom.value)) and atom != FRESH:
            raise Impure("it makes a set of values whose order may change")


def _chosen(walk: Walk, _f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    entries = union(map(walk.elements, args)) if len(args) == 1 else union(args)
    walk.handed(args, kwargs)
    walk.operate(entries & frozenset(a for a in entries if isinstance(a, Known)))
    walk.callbacks(kwargs, [entries])
    return entries | NEW


def _mapped(walk: Walk, _f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    return walk.made(Seq(walk.call(args[0], [walk.elements(v) for v in args[1:]], {})))


def _filtered(walk: Walk, _f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    entries = walk.elements(args[1])
    if single(args[0]) is not None:
        walk.call(args[0], [entries], {})
    return walk.made(Seq(entries))


def _reduced(walk: Walk, _f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    entries = walk.elements(args[1]) | union(args[2:])
    once = walk.call(args[0], [entries, entries], {}) | entries
    return walk.call(args[0], [once, once], {}) | once


def _length(walk: Walk, _f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    thing = single(args[0])
    if type(thing) in CONTAINERS or isinstance(thing, str):
        return known(len(thing))
    if isinstance(thing, _Ordered):
        return known(len(walk._modules(thing)))
    if len(args[0]) == 1 and isinstance(next(iter(args[0])), Tup):
        return known(len(next(iter(args[0])).items))
    walk.operate(args[0])
    return NEW


def _is_instance(walk: Walk, f: Any, args: list[Value], kwargs: dict[str, Value]) -> Value:
    thing, kind = single(args[0]), single(args[1])
    for one in kind if isinstance(kind, tuple) else [kind]:
        if isinstance(one, type) and not purity.usual_class(one):
            raise Impure(f"it asks for {one.__name__}, whose class is of its own kind")
    if thing is not MISSING and isinstance(kind, (type, types.UnionType, tuple)):
        return known(bool(f(thing, kind)))
    return NEW


_SPECIAL: dict[Any, Callable[..., Value]] = {
    zip: _zip,
    enumerate: _enumerate,
    iter: _iterated,
    reversed: _iterated,
    next: _next,
    list: _collected,
    tuple: _collected,
    set: _collected,
    frozenset: _collected,
    dict: _collected,
    sorted: _collected,
    min: _chosen,
    max: _chosen,
    sum: _chosen,
    map: _mapped,
    filter: _filtered,
    reduce: _reduced,
    len: _length,
    isinstance: _is_instance,
    issubclass: _is_instance,
}


def imported(frame: CallFrame, name: str, level: Any, names: Any) -> Any:
    """The module that an import statement gives, if it has been imported before."""
    package = frame.globals.get("__package__") or ""
    full = resolve_name("." * (level or 0) + name, package) if level else name
    module = sys.modules.get(full if names else full.partition(".")[0])
    if module is None:
        raise Impure(f"it imports {full}")
    return module


def _holds_array(atom: Any, depth: int = 0) -> bool:
    """Whether a value is, or has somewhere in it, a numpy array that was there before the step: what is
    written into one cannot be watched."""
    if isinstance(atom, Known):
        return _is_array(atom.value)
    parts = union(atom.items) if isinstance(atom, Tup) else atom.of if isinstance(atom, Seq) else ()
    return depth < NESTED and any(_holds_array(part, depth + 1) for part in parts)


def _is_array(thing: Any, depth: int = 0) -> bool:
    if type(thing) in CONTAINERS and depth < NESTED:
        parts = thing.values() if isinstance(thing, dict) else thing
        return any(_is_array(part, depth + 1) for part in parts)
    return isinstance(thing, np.ndarray)


NESTED = 4  # so deep containers are looked into
