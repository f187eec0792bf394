"""May a compiled step stand for a cell's Python? What that Python could do, and what it reads.

A trace shows tensors and nothing else. So before a cell is traced its code is followed, from the step
through everything that it calls (``bytecode`` does that, without running it): a step that only computes
from what it is given, from the cell's tensors and from settings that can be watched is *pure*, and a
program may stand for it. Whatever else it might do (set an attribute, draw, print, keep a tensor in a
list, ask whether a value requires a gradient) has a reason in words, and the step is recorded.

What such a step reads is its **guards**: attributes, globals, closures, classes, the entries of lists.
While all of them hold, the program is the cell's, and the cell need not be run at all.
"""

from __future__ import annotations

import abc
import builtins
import contextlib
import enum
import functools
import math
import operator
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..engine import switches
from ..nn import cells as known_cells
from ..nn import module as modules
from ..nn.stacks import RecurrentLayer
from ..nn.stepping import name_all
from ..tensors import Tensor

MISSING: Any = object()
PACKAGE = __package__.rpartition(".")[0]


class Impure(Exception):  # noqa: N818 (an answer, not a mistake)
    """Why a step's Python cannot be replaced by a program, in words for ``layer.explain()``."""


# ---- what a step reads --------------------------------------------------------------------------------


Guard = tuple[Callable[..., Any], Any, Any]  # (get, key, value): get(key, MISSING) gave value


class Guards:
    """Where a step looked, and what it found there."""

    def __init__(self) -> None:
        self.entries: dict[Any, Guard] = {}
        self._owners: list[Any] = []  # alive while their ids are keys

    def note(self, owner: Any, get: Callable[..., Any], key: Any, value: Any) -> None:
        """``get(key, MISSING)`` gave ``value``."""
        entry = (id(owner), key)
        if entry not in self.entries:
            self._owners.append(owner)
            self.entries[entry] = (get, key, value)

    def item(self, table: Mapping[Any, Any], key: Any) -> Any:
        """A table's entry (MISSING where there is none), noted."""
        value = table.get(key, MISSING)
        self.note(table, table.get, key, value)
        return value

    def of_class(self, cls: type, key: str) -> Any:
        """An entry of a class's own namespace, noted."""
        value = vars(cls).get(key, MISSING)
        if cls.__flags__ & _HEAP_TYPE:  # others cannot change
            self.note(cls, vars(cls).get, key, value)
        return value

    def attribute(self, owner: Any, name: str) -> Any:
        """A plain attribute, noted."""
        value = getattr(owner, name, MISSING)
        self.note(owner, functools.partial(getattr, owner), name, value)
        return value

    def contents(self, container: Any) -> None:
        """The entries of a list, dict or set, noted."""
        get = Contents(container)
        self.note(container, get, _ENTRIES, get(_ENTRIES, None))

    def finished(self) -> list[Guard]:
        """All of them."""
        return list(self.entries.values())


_HEAP_TYPE = 1 << 9
_ENTRIES = "its entries"


class Contents:
    """Reads and writes all entries of a list, dict or set."""

    def __init__(self, container: Any) -> None:
        self.container = container

    def __call__(self, _key: Any, _none: Any) -> tuple[Any, ...]:
        """What it holds now; of a dict, its keys and then its values."""
        if isinstance(self.container, dict):
            return (*self.container, *self.container.values())
        return tuple(self.container)

    def put(self, _key: Any, entries: tuple[Any, ...]) -> None:
        """Let the container hold these again."""
        container = self.container
        if isinstance(container, list):
            container[:] = entries
            return
        half = len(entries) // 2
        container.clear()
        if isinstance(container, dict):
            container.update(zip(entries[:half], entries[half:], strict=True))
        else:
            container.update(entries)


@contextlib.contextmanager
def as_before(guards: Iterable[Guard]) -> Iterator[None]:
    """Inside, a cell has the attributes and entries again that its step read.

    Raises RuntimeError where something else has changed since, which cannot be put back: a class, a
    global, a function.
    """
    undo: list[tuple[Callable[..., None], Any, Any]] = []
    try:
        for get, key, value in guards:
            now = get(key, MISSING)
            if now is value or same(now, value):
                continue
            put = _writer(get)
            if put is None:
                raise RuntimeError(
                    f"the steps of a compiled call cannot be recorded as they were: {_what(get, key)} has "
                    "changed since; ask for them before it changes, or call with layer.compiled = False"
                )
            undo.append((put, key, now))
            put(key, value)
        yield
    finally:
        for put, key, value in reversed(undo):
            put(key, value)


def _writer(get: Callable[..., Any]) -> Callable[..., None] | None:
    """What writes where a guard reads, if that is a module's own attribute or a container."""
    if isinstance(get, Contents):
        return get.put
    table = getattr(get, "__self__", None)
    if type(table) is not dict or "_parameters" not in table:
        return None

    def put(key: Any, value: Any) -> None:
        if value is MISSING:
            table.pop(key, None)
        else:
            table[key] = value

    return put


def _what(get: Callable[..., Any], key: Any) -> str:
    """Where a guard reads, in words."""
    if isinstance(get, functools.partial):
        owner = get.args[0]
        name = getattr(owner, "__qualname__", type(owner).__name__)
        return (
            f"a variable of the function around it ({key})" if name == "cell" else f"{name}.{key}"
        )
    table = getattr(get, "__self__", None)
    return f"the global {key!r}" if type(table) is dict else f"the class's {key!r}"


def same(a: Any, b: Any) -> bool:
    """Whether two settings are the same to any code: one object, equal numbers, strings, tuples of such."""
    if a is b:
        return True
    kind = a.__class__
    if kind is not b.__class__:
        return False
    if kind is tuple:
        return len(a) == len(b) and all(map(same, a, b))
    if kind in (float, complex) or isinstance(a, np.generic):
        return repr(a) == repr(b)  # the sign of a zero, too, and NaN
    return kind in _VALUES and bool(a == b)


_VALUES = frozenset((bool, int, str, bytes, range, slice, types.MethodType))


def named(words: str) -> frozenset[str]:
    """A set of names."""
    return frozenset(words.split())


# ---- what things are ------------------------------------------------------------------------------------

_NAMES = map(type, (None, Ellipsis, NotImplemented))
_EXACT = frozenset((bool, int, float, complex, str, bytes, slice, range, *_NAMES))
CONTAINERS = (tuple, list, dict, set, frozenset)
MOST_ENTRIES = 256  # of a container that is watched


def scalar(value: Any) -> bool:
    """Whether a value is a number, a string or the like that never changes, with no say of its own."""
    kind = type(value)
    if kind in _EXACT:
        return True
    if isinstance(value, enum.Enum):
        return not overloads(kind)
    return isinstance(value, (np.generic, np.dtype)) and kind.__module__.startswith("numpy")


def overloads(kind: type) -> bool:
    """Whether a class says itself what operators do with it."""
    usual = named("__init__ __call__ __repr__ __init_subclass__ __new__ __getnewargs__ __replace__")
    return any(
        isinstance(value, types.FunctionType) and name.startswith("__") and name not in usual
        for one in kind.__mro__
        if one.__module__ != "enum" and not one.__module__.startswith(PACKAGE)
        for name, value in vars(one).items()
    )


def usual_class(cls: Any) -> bool:
    """Whether a class does with attributes, calls and ``isinstance`` what classes do."""
    return type(cls) in (type, abc.ABCMeta, enum.EnumMeta)


def plain(value: Any) -> bool:
    """Whether operators and library functions do with a value what they always do."""
    kind = type(value)
    if scalar(value):
        return True
    if kind in (Tensor, modules.Parameter) or kind in CONTAINERS:
        return True
    return isinstance(value, tuple) and hasattr(kind, "_fields") and not overloads(kind)


def inert(value: Any) -> bool:
    """Whether a value can do nothing when it is handed to a library function: that raises, or ignores it.

    (A generator's draws are refused while a step is traced.)
    """
    kinds = (modules.Module, type, types.FunctionType, types.ModuleType, types.BuiltinFunctionType)
    return isinstance(value, (*kinds, np.random.Generator, types.MethodType, np.ufunc))


# ---- what can be trusted ----------------------------------------------------------------------------------

_ROOMS = tuple(
    f"{PACKAGE}.{room}" for room in named("ops. tensors. nn.functional nn.loss_functions nn.naming")
)
_WRITES = f"{PACKAGE}.tensors.writing"
_NEVER = named(
    "manual_seed set_rng_state get_rng_state set_default_dtype get_default_dtype steps "
    "is_grad_enabled set_grad_enabled as_input"
)
_MATH = frozenset(f for f in vars(math).values() if callable(f))
_OPERATORS = frozenset(
    getattr(operator, name)
    for name in named(
        "abs add and_ concat contains eq floordiv ge getitem gt index inv invert is_ is_not "
        "le lt matmul mod mul ne neg not_ or_ pos pow sub truediv truth xor length_hint"
    )
)
_BUILTINS = frozenset(
    getattr(builtins, name)
    for name in named(
        "abs all any ascii bin bool bytes callable chr complex dict divmod enumerate filter "
        "float format frozenset hex int isinstance issubclass iter len list map max min next "
        "oct ord pow range repr reversed round slice sorted str sum tuple zip object"
    )
)
_NUMPY = frozenset(
    getattr(np, name)
    for name in named(
        "abs absolute all allclose any arange argmax argmin argsort array asarray block "
        "broadcast_shapes broadcast_to ceil clip concatenate cumsum cumprod diag diff dot dtype "
        "einsum expand_dims eye flip float32 float64 floor full full_like identity inner int32 "
        "int64 isclose isfinite isnan kron linspace logspace matmul max maximum mean min minimum "
        "moveaxis ndim ones ones_like outer pad prod ravel repeat reshape result_type roll rot90 "
        "round shape sign size sort split squeeze stack std sum swapaxes take take_along_axis "
        "tensordot tile trace unique column_stack "
        "transpose tri tril triu var where zeros zeros_like hstack vstack atleast_1d "
        "atleast_2d isscalar promote_types bool_"
    )
    if hasattr(np, name)
)
_FUNCTIONS = _MATH | _OPERATORS | _BUILTINS | _NUMPY | {functools.reduce, np.linalg.norm, name_all}
_CONTEXTS = (switches.no_grad, switches.enable_grad, contextlib.nullcontext)


def calls_forward(value: Any) -> bool:
    """Whether a callable is what a module's call does, which is its forward."""
    return any(value is call for call in _CALLS)


def trusted(value: Any) -> bool:
    """Whether a callable is the library's, Python's or numpy's own and computes from its arguments only."""
    if isinstance(value, np.ufunc) or (isinstance(value, type) and issubclass(value, np.generic)):
        return True
    room = value.__module__ if isinstance(value, types.FunctionType) else None
    if room is not None and room.startswith(_ROOMS) and room != _WRITES:
        ours = value.__globals__ is vars(sys.modules[room])
        return ours and value.__name__ not in _NEVER
    try:
        return value in _FUNCTIONS or value in _CONTEXTS or value is Tensor
    except TypeError:  # no hash
        return False


_ORDERED = modules._Ordered
WHOLE = frozenset((modules.Module._cast, _ORDERED.__len__))  # methods that are trusted as they are
CHILDREN = modules.Module.children
_CALLS = (modules.Module.__call__, RecurrentLayer.__call__)
BARE = known_cells.Cell.forward

# what a tensor has that differs from call to call though its values do not, or that writes
_UNSEEN = named(
    "requires_grad is_leaf grad grad_fn data retain_grad backward backward_steps "
    "register_hook retains_grad requires_grad_"
)
FIELDS = named("shape ndim dtype T mT device is_cuda at real imag")  # no methods
VIEWS = named(
    "T mT data detach view view_as reshape reshape_as t transpose permute squeeze unsqueeze "
    "expand expand_as broadcast_to chunk split unbind contiguous to type_as float double half "
    "cpu flatten ravel swapaxes swapdims diagonal narrow select unfold movedim moveaxis unflatten "
    "expand_dims hsplit vsplit array_split tensor_split atleast_1d atleast_2d masked_select"
)
MUTATORS = named(
    "append extend insert remove pop popitem clear update setdefault add discard sort reverse "
    "appendleft popleft extendleft rotate intersection_update difference_update "
    "symmetric_difference_update __setitem__ __delitem__"
)
OF_CONTAINERS = named(
    "append extend insert remove pop popitem clear update setdefault add discard sort reverse "
    "index count copy keys values items get union intersection difference issubset issuperset "
    "isdisjoint symmetric_difference _replace _asdict _fields"
)
OF_TENSORS = frozenset(  # but for what a container does by the same name
    name for name in dir(Tensor) if not name.startswith("_") and not name.endswith("_")
) - (_UNSEEN | MUTATORS | OF_CONTAINERS)
OF_STRINGS = frozenset(name for name in dir(str) if not name.startswith("_"))
OF_NUMBERS = named(
    "real imag conjugate is_integer bit_length denominator numerator item start stop step "
    "name value kind itemsize char"
)


def unseen(name: str) -> str | None:
    """Why an attribute of a tensor is not for a step that is to be compiled, in words, or None."""
    if name in _UNSEEN:
        return f"it reads .{name} of a tensor, which a compiled step does not carry"
    if name.startswith("_") and not name.startswith("__"):
        return f"it reads .{name} of a tensor, which is private"
    if name.endswith("_") and not name.startswith("__"):
        return f"it writes a tensor in place, by .{name}()"
    return None


def called(value: Any) -> str:
    """A callable's name in words."""
    name: str = getattr(value, "__qualname__", "") or type(value).__name__
    module = getattr(value, "__module__", None)
    return name if module in (None, "builtins") else f"{module}.{name}"
