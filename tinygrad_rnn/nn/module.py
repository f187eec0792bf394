"""What is a module? Named Parameters and submodules, and a scope around each call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Self, TypeVar
from weakref import ref

import numpy as np

from ..doors import asked_by_scripts
from ..engine.devices import check_device, is_device, no_gpu
from ..engine.keywords import check_keywords
from ..engine.places import Place, Scope, state
from ..engine.values import Leaf
from ..tensors import Tensor, as_tensor
from ..tensors.all_or_none import all_or_none
from ..tensors.arrays import LAYER_RESULT
from ..tensors.state_dicts import StateDict, counts, take_counts
from ..tensors.writing import snapshot

M = TypeVar("M", bound="Module")
L = TypeVar("L", bound="_Ordered")


def _nobody() -> None:
    """A weak reference to nothing."""


class Parameter(Tensor):
    """A tensor that a module owns and an optimizer writes: a leaf, float, with a name in its module.

    >>> from tinygrad_rnn import nn
    >>> nn.Parameter([1.0, 2.0]).requires_grad
    True
    """

    __slots__ = ()
    _node: Leaf

    def __init__(self, data: Any, requires_grad: bool = True, dtype: Any = None) -> None:
        self._begin(data, dtype)
        if not self.is_floating_point():
            raise TypeError(f"a Parameter holds floats, not {self.dtype}")
        self._node = Leaf(self.shape, self.dtype, requires_grad).hold(self._data).by_user()

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` found missing and unexpected."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Registry(MutableMapping[str, Any]):
    """``module._parameters`` and its like: what a module owns, by name; writes go through the module."""

    def __init__(self, module: Module, table: str, register: Callable[[str, Any], None]) -> None:
        self._module, self._table, self._register = module, table, register

    def __getitem__(self, name: str) -> Any:
        return self._module._table(self._table)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._register(name, value)

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self._module, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._module._table(self._table))

    def __len__(self) -> int:
        return len(self._module._table(self._table))


class ForwardHook:
    """What ``register_forward_hook`` returns: ``remove()`` ends the hook. Hooks are called in their order."""

    def __init__(self, module: Module, when: str, function: Callable[..., Any]) -> None:
        self.function, self._module, self._when = function, module, when
        hooks = module.__dict__.setdefault("_hooks", {"before": [], "after": []})
        hooks[when].append(self)

    def remove(self) -> None:
        """Call the hook no more."""
        hooks = self._module.__dict__.get("_hooks", {self._when: []})
        if self in hooks[self._when]:
            hooks[self._when].remove(self)
        if not any(hooks.values()):
            self._module.__dict__.pop("_hooks", None)


class Module:
    """The base of layers and models: assign Parameters and Modules as attributes, write ``forward``.

    Calling a module runs ``forward`` inside a scope, so that whatever is recorded knows the path of
    the module that made it.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.head = nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return self.head(x).tanh()
    >>> [name for name, _ in Net().named_parameters()]
    ['head.weight', 'head.bias']
    """

    training: bool
    _shapes: dict[
        str, tuple[int, ...] | None
    ]  # what its equations need; None: nothing of that name

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """A new module, unless a keyword is none of its constructor's: TypeError names what is."""
        if kwargs:
            check_keywords(cls, kwargs)
        return super().__new__(cls)

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _modules={}, _buffers={}, training=True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; subclasses write it."""
        raise TypeError(f"{type(self).__name__} has no forward method")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` in a scope of this module."""
        before = state.place
        around = before.scope
        name = "" if around is None else self._name_below(around.module())
        state.place = Place(Scope(self, around, name), before.step, before.call)
        try:
            if "_hooks" in self.__dict__:
                return self._hooked(args, kwargs)
            return self.forward(*args, **kwargs)
        finally:
            state.place = before

    def _hooked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``forward`` with the hooks before and after it."""
        for before in list(self.__dict__["_hooks"]["before"]):
            made = before.function(self, args)
            if made is not None:
                args = made if isinstance(made, tuple) else (made,)
        result = self.forward(*args, **kwargs)
        for after in list(self.__dict__["_hooks"]["after"]):
            made = after.function(self, args, result)
            result = result if made is None else made
        return result

    def register_forward_hook(self, hook: Callable[[Any, Any, Any], Any]) -> ForwardHook:
        """Have ``hook(module, inputs, result)`` called after every forward; until the handle's ``remove()``.

        ``inputs`` is the tuple of arguments. What the hook returns, if not None, takes the result's place.
        """
        return ForwardHook(self, "after", hook)

    def register_forward_pre_hook(self, hook: Callable[[Any, Any], Any]) -> ForwardHook:
        """Have ``hook(module, inputs)`` called before every forward; it may return other inputs."""
        return ForwardHook(self, "before", hook)

    def _name_below(self, owner: Module | None) -> str:
        """The dotted name under which ``owner``, whose forward is running, has this module."""
        known = self.__dict__.get("_known_as")
        if known is not None and known[0]() is owner:
            return str(known[1])
        names = owner.named_modules() if owner is not None else ()
        name = next((n for n, module in names if module is self), type(self).__name__.lower())
        self.__dict__["_known_as"] = (ref(owner) if owner is not None else _nobody, name)
        return name

    def __copy__(self: M) -> M:
        """A module that shares all values, and has tables of its own."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__getstate__())
        for table in ("_parameters", "_modules", "_buffers"):
            made.__dict__[table] = dict(self.__dict__[table])
        return made

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled and copied: all but the note of who called it last."""
        return {k: v for k, v in self.__dict__.items() if k != "_known_as"}

    # ---- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        self._assign(name, value)

    def _assign(self, name: str, value: Any, known_as: tuple[str, str] | None = None) -> None:
        """Set an attribute; ``known_as`` are the class and the name that an error says, if not these."""
        tables = self.__dict__
        if "_parameters" not in tables:
            if isinstance(value, (Parameter, Module)):
                raise AttributeError(
                    f"{type(self).__name__}: call super().__init__() before assigning {name!r}"
                )
            tables[name] = value
            return
        self._check(name, value, known_as)
        if isinstance(value, Parameter):
            self._own_parameter(name, value)
        elif isinstance(value, Module):
            self._own("_modules", name, value)
        elif value is None and name in tables["_parameters"]:
            self._own("_parameters", name, None)
        elif name in tables["_parameters"]:
            kind, said = known_as or (type(self).__name__, name)
            raise TypeError(
                f"{said!r} is a Parameter of {kind}: assign a Parameter (or del it first: then a "
                "computed tensor may take its place)"
            )
        elif name in tables["_buffers"] and (value is None or isinstance(value, Tensor)):
            self._own("_buffers", name, value)
        else:
            self._forget(name)
            tables[name] = value

    def _check(self, name: str, value: Any, known_as: tuple[str, str] | None = None) -> None:
        """Raise where a value cannot be what the module's equations mean by this name.

        A weight is a Parameter, or (once that is deleted) any tensor of its shape; a bias may be None.
        """
        shapes = self.__dict__.get("_shapes")
        if shapes is None or name not in shapes:
            return
        said, shape = ".".join(known_as or (type(self).__name__, name)), shapes[name]
        if shape is None:
            if value is not None:
                raise TypeError(f"{said}: the equations here have no {name}")
        elif value is None:
            if not name.startswith("bias"):
                raise TypeError(f"{said} cannot be None: only a bias can be left out")
        elif not isinstance(value, Tensor):
            raise TypeError(f"{said} must be a Parameter or a tensor, got {type(value).__name__}")
        elif value.shape != shape:
            raise ValueError(f"{said} has shape {shape}, and this one has {value.shape}")
        elif not value.is_floating_point():
            raise TypeError(f"{said} holds floats, and this one {value.dtype}")

    def __getattr__(self, name: str) -> Any:
        shape = self.__dict__.get("_shapes", {}).get(name)
        if shape is not None:
            raise AttributeError(
                f"{type(self).__name__}.{name} was deleted: assign a Parameter or a tensor of shape "
                f"{shape}"
            )
        return asked_by_scripts(self, name)

    def __delattr__(self, name: str) -> None:
        if not self._forget(name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _own(self, table: str, name: str, value: Any) -> None:
        """Enter a value in a table; it is an attribute like any other, too, and read as quickly."""
        here = self.__dict__[table]
        if name in here:  # keeps its place in the order
            here[name] = self.__dict__[name] = value
            return
        self._forget(name)
        here[name] = self.__dict__[name] = value

    def _forget(self, name: str) -> bool:
        tables = self.__dict__
        known = False
        for table in (tables["_parameters"], tables["_modules"], tables["_buffers"], tables):
            if name in table:
                del table[name]
                known = True
        return known

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Own a Parameter under a name; None for one that is left out (``bias=False``)."""
        if parameter is not None and not isinstance(parameter, Parameter):
            raise TypeError(
                f"register_parameter: {name!r} must be a Parameter, not a {type(parameter).__name__}"
            )
        _check_name(name)
        self._check(name, parameter)
        self._own_parameter(name, parameter)

    def _own_parameter(self, name: str, parameter: Parameter | None) -> None:
        if parameter is not None and parameter._node.name is None:
            parameter._node.name = name
        self._own("_parameters", name, parameter)

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """Own a tensor that is saved with the state but not trained."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"register_buffer: {name!r} must be a tensor, not a {type(tensor).__name__}"
            )
        _check_name(name)
        self._check(name, tensor)
        self._own("_buffers", name, tensor)

    def _table(self, table: str) -> Mapping[str, Any]:
        """What it owns of a kind; a layer shows what its cells own under PyTorch's names."""
        here: dict[str, Any] = self.__dict__[table]
        return here

    def _owned(self, table: str) -> Iterable[Any]:
        """The values of ``_table``, without their names."""
        return self.__dict__[table].values()  # type: ignore[no-any-return]

    @property
    def _parameters(self) -> Registry:
        return Registry(self, "_parameters", self.register_parameter)

    @property
    def _buffers(self) -> Registry:
        return Registry(self, "_buffers", self.register_buffer)

    @property
    def _modules(self) -> Registry:
        return Registry(self, "_modules", self.add_module)

    def add_module(self, name: str, module: Module) -> None:
        """Own a submodule under a name."""
        setattr(self, name, module)

    # ---- walking

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Direct submodules with their names."""
        return iter([(n, m) for n, m in self.__dict__["_modules"].items() if m is not None])

    def children(self) -> Iterator[Module]:
        """Direct submodules."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (named "") and every one below it, each once, with dotted names."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            if not module.__dict__["_modules"]:
                continue
            below = [(f"{path}.{n}" if path else n, m) for n, m in module.named_children()]
            stack.extend(reversed(below))

    def modules(self) -> Iterator[Module]:
        """This module and every one below it, each once."""
        found: dict[int, Module] = {}
        stack: list[Module] = [self]
        while stack:
            module = stack.pop()
            if id(module) not in found:
                found[id(module)] = module
                below = module.__dict__["_modules"].values()
                stack += [child for child in reversed(below) if child is not None]
        return iter(found.values())

    def _named(self, table: str) -> Iterator[tuple[str, Any]]:
        """Every value once, by the first of its names."""
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, value in module._table(table).items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter with its dotted name, each once even where two modules share it."""
        return self._named("_parameters")

    def parameters(self) -> Iterator[Parameter]:
        """Every Parameter, each once."""
        owned = [module._owned("_parameters") for module in self.modules()]
        return iter({id(p): p for each in owned for p in each if p is not None}.values())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its dotted name."""
        return self._named("_buffers")

    def apply(self: M, function: Callable[[Module], Any]) -> M:
        """Call ``function`` on every submodule, then on this module; returns the module."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # ---- modes

    def train(self: M, mode: bool = True) -> M:
        """Set training mode (dropout drops) here and below; returns the module."""
        for module in self.modules():
            module.__dict__["training"] = mode
        return self

    def eval(self: M) -> M:
        """Set evaluation mode here and below; returns the module."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Freeze (False) or free every Parameter; returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every Parameter's gradient (or set it to zeros)."""
        for module in self.modules() if self.__dict__["_modules"] else (self,):
            for parameter in module._table("_parameters").values():
                if parameter is not None and parameter._node.grad is not None:
                    zeros = None if set_to_none else Tensor._made(np.zeros_like(parameter._data))
                    parameter._node.grad = zeros

    def to(self: M, dtype: Any = None, *, device: Any = None) -> M:
        """Every float Parameter and buffer in another dtype (``to("cpu")``: as it is); returns the module."""
        check_device(device)
        if dtype is None or is_device(dtype):
            check_device(dtype)
            return self
        if np.dtype(dtype).kind != "f":
            raise TypeError(f"to(): Parameters hold floats, not {np.dtype(dtype)}")
        owned = [*self.parameters(), *(b for _, b in self.named_buffers() if b.is_floating_point())]
        changed = [t for t in owned if t.dtype != dtype]
        made = [
            (t._data.astype(dtype), None if t.grad is None else t.grad.to(dtype)) for t in changed
        ]
        with all_or_none(changed):
            for t, (data, gradient) in zip(changed, made, strict=True):
                t._install(data, f"to({np.dtype(dtype)})")
                t.grad = gradient
        return self

    def cpu(self: M) -> M:
        """Itself: Parameters live on the CPU."""
        return self

    def cuda(self, device: Any = None) -> NoReturn:
        """Raises RuntimeError: there is no GPU here."""
        no_gpu("cuda()")

    def double(self: M) -> M:
        """Everything in float64; returns the module."""
        return self.to(np.float64)

    def float(self: M) -> M:
        """Everything in float32; returns the module."""
        return self.to(np.float32)

    def half(self: M) -> M:
        """Everything in float16; returns the module."""
        return self.to(np.float16)

    # ---- state

    def _everywhere(self, *tables: str) -> Iterator[tuple[str, Any]]:
        """Every name of every value, also where a module or a Parameter has several; a module at a time."""
        stack: list[tuple[str, Module, tuple[Module, ...]]] = [("", self, ())]
        while stack:
            path, module, above = stack.pop()
            for table in tables:
                for name, value in module._table(table).items():
                    if value is not None:
                        yield path + name, value
            if module not in above:  # a module below itself has no end of names
                below = [(f"{path}{n}.", m, (*above, module)) for n, m in module.named_children()]
                stack.extend(reversed(below))

    def _state(self) -> dict[str, Tensor]:
        """The Parameters and buffers themselves by all their names, in PyTorch's order."""
        return dict(self._everywhere("_parameters", "_buffers"))

    def state_dict(self) -> dict[str, Tensor]:
        """Every Parameter and buffer by its dotted name: a snapshot, which later writes leave alone.

        What is shared is there under each of its names, as in PyTorch. A write to one of the values
        (``module.state_dict()["w"].zero_()``) writes the module's own.
        """
        values = {name: snapshot(value) for name, value in self._state().items()}
        return StateDict(values, counts(self.named_modules()))

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Take values (tensors or arrays) by name; what is shared needs one of its names.

        Raises RuntimeError, before anything is changed, that names every missing, unexpected and
        misshapen entry at once, and two different tensors for one Parameter; ``strict=False`` lets the
        first two pass and returns them.
        """
        return self._take(state_dict, strict, f"load_state_dict of {type(self).__name__}", [])

    def _take(
        self, state_dict: Mapping[str, Any], strict: bool, what: str, faults: list[str]
    ) -> IncompatibleKeys:
        """Take values by name unless there are faults; ``what`` begins the message that lists them."""
        own = self._state()
        given = {n: as_tensor(state_dict[n]).detach() for n in own if n in state_dict}
        there = {id(own[name]) for name in given}
        missing = [name for name in own if id(own[name]) not in there]
        unexpected = [name for name in state_dict if name not in own]
        faults = faults + [
            f"{name} has shape {value.shape}, expected {own[name].shape}"
            for name, value in given.items()
            if value.shape != own[name].shape
        ]
        values: dict[int, tuple[str, Tensor, Any]] = {}  # by what they are for
        for name, value in given.items():
            mine = own[name]
            new = value._data.astype(mine.dtype, copy=True)
            first, _, other = values.setdefault(id(mine), (name, mine, new))
            differ = other is not new and not np.array_equal(new, other, equal_nan=True)
            if differ and new.shape == other.shape:
                faults.append(
                    f"{first} and {name} are one Parameter here, and there two different tensors"
                )
        if strict:
            faults += [f"{name} is missing" for name in missing]
            faults += [f"{name} is not known here" for name in unexpected]
        if faults:
            raise RuntimeError(f"{what}: " + "; ".join(faults))
        with all_or_none([mine for _, mine, _ in values.values()]):
            for _, mine, new in values.values():
                mine._install(new, "load_state_dict")
        take_counts(self.named_modules(), state_dict)
        return IncompatibleKeys(missing, unexpected)

    def save(self, f: Any, metadata: Mapping[str, str] | None = None) -> None:
        """Write the state dict to a safetensors file, with every submodule's class and options beside it.

        PyTorch and every other reader of the format can load it; see ``tg.save`` for what is promised.
        Raises ValueError for a path that ends like another format (``.h5``, ``.pt``).

        >>> import io, tinygrad_rnn as tg
        >>> file = io.BytesIO()  # or a path: "head.safetensors"
        >>> tg.nn.Linear(2, 1).save(file)
        >>> sorted(tg.load(io.BytesIO(file.getvalue())))
        ['bias', 'weight']
        """
        from ..files import save_module

        save_module(self, f, metadata)

    def load(self, f: Any, strict: bool = True) -> IncompatibleKeys:
        """Take the values of a safetensors file, ours or PyTorch's, by name.

        Raises RuntimeError, before anything is changed, that names every missing, extra and misshapen
        entry at once, and every layer that the file says means something else (another nonlinearity,
        say); ``strict=False`` lets missing and extra entries and other meanings pass and returns the
        names. Raises ``tg.FileFormatError`` for a file that is malformed or damaged.

        >>> import io, tinygrad_rnn as tg
        >>> file = io.BytesIO()  # or a path: "head.safetensors"
        >>> tg.nn.Linear(2, 1).save(file)
        >>> tg.nn.Linear(2, 1).load(io.BytesIO(file.getvalue()))
        IncompatibleKeys(missing_keys=[], unexpected_keys=[])
        """
        from ..files import load_module

        loaded: IncompatibleKeys = load_module(self, f, strict)
        return loaded

    # ---- words

    def extra_repr(self) -> str:
        """What ``repr`` shows in the brackets; subclasses write it."""
        return ""

    def __repr__(self) -> str:
        count = sum(p.numel() for p in self.parameters())
        head = f"{type(self).__name__}({self.extra_repr()})"
        lines = [f"{head}  # {count:,} parameter{'s' * (count != 1)}" if count else head]
        for name, child in self.named_children():
            lines += [f"  ({name}): {child!r}".replace("\n", "\n  ")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from ..doors import door

        html: str = door("module_html")(self)
        return html

    def _cast(self, x: Any, like: Tensor) -> Tensor:
        """Input as a Tensor in the precision of the parameters; integers stay what they are.

        Raises TypeError for what is no array: a list of Tensors would lose their gradients.
        """
        if isinstance(x, Tensor):
            t = x
        elif x is None or isinstance(x, (str, dict)) or holds_tensors(x):
            raise TypeError(f"{state.place}expected a tensor, got {type(x).__name__}{_of(x)}")
        else:
            t = as_tensor(x)
        return (
            t.to(like.dtype) if t._data.dtype != like._data.dtype and t.is_floating_point() else t
        )


def _of(x: Any) -> str:
    """What is in a tuple or list that stands where a tensor should, and what to do."""
    if isinstance(x, tuple) and len(x) == 2 and isinstance(x[0], Tensor):
        return LAYER_RESULT.removeprefix("tuple")
    return " of Tensors (tg.stack joins them)" if holds_tensors(x) else ""


def _check_name(name: Any) -> None:
    """Raise KeyError for what is no name in a state dict, where a dot leads to a submodule."""
    if not isinstance(name, str) or not name or "." in name:
        raise KeyError(f"a Parameter or buffer needs a name without dots, not {name!r}")


def holds_tensors(x: Any) -> bool:
    """Whether a nested list or tuple has a Tensor in it."""
    return isinstance(x, (list, tuple)) and any(
        isinstance(item, Tensor) or holds_tensors(item) for item in x
    )


class TensorModule(Module):
    """A module that returns one Tensor, so that an editor and a type checker know what a call gives."""

    if TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
            """Run ``forward``."""


class _Ordered(Module):
    """Submodules in an order, named by their places."""

    def __len__(self) -> int:
        return len(self.__dict__["_modules"])

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: Any) -> Any:
        """The module at a place; of a slice, those modules in one of this kind."""
        if isinstance(index, slice):
            made: _Ordered = Sequential() if isinstance(self, Sequential) else ModuleList()
            return made.extend(list(self.children())[index])
        return list(self.children())[self._place(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        name = list(self.named_children())[self._place(index)][0]
        setattr(self, name, *self._checked([module]))

    def __delitem__(self, index: Any) -> None:
        listed = list(self.children())
        del listed[index if isinstance(index, slice) else self._place(index)]
        self._fill(listed)

    def __iadd__(self: L, modules: Iterable[Module]) -> L:
        return self.extend(modules)

    def append(self: L, module: Module) -> L:
        """Add a module at the end; returns this."""
        return self.extend([module])

    def extend(self: L, modules: Iterable[Module]) -> L:
        """Add modules at the end; returns this."""
        for module in self._checked(modules):
            number = len(self)
            while str(number) in self.__dict__["_modules"]:  # after one was taken out by name
                number += 1
            setattr(self, str(number), module)
        return self

    def insert(self: L, index: int, module: Module) -> L:
        """Put a module before the one at ``index``; returns this."""
        listed = list(self.children())
        listed.insert(index, module)
        self._fill(listed)
        return self

    def pop(self, index: int = -1) -> Module:
        """Take the module at ``index`` out, and return it."""
        module: Module = self[index]
        del self[index]
        return module

    def _place(self, index: Any) -> int:
        """The place in words of a list: negative ones count from the end."""
        size = len(self)
        if not isinstance(index, (int, np.integer)) or isinstance(index, bool):
            raise TypeError(
                f"{type(self).__name__} is indexed by places, not {type(index).__name__}"
            )
        if not -size <= index < size:
            raise IndexError(f"{type(self).__name__} has {size} modules, and no place {index}")
        return int(index) % size

    def _checked(self, modules: Iterable[Any]) -> list[Module]:
        """Modules and nothing else, or a TypeError."""
        listed = list(modules)
        for module in listed:
            if not isinstance(module, Module):
                raise TypeError(
                    f"{type(self).__name__} holds Modules, and this is a {type(module).__name__}"
                )
        return listed

    def _fill(self, modules: list[Any]) -> None:
        """Hold these modules, under the names 0, 1, ..."""
        checked = self._checked(modules)
        for name in list(self.__dict__["_modules"]):
            delattr(self, name)
        self.extend(checked)


class Sequential(_Ordered):
    """Modules called one after the other, each on what the one before returned; a dict gives their names.

    >>> from tinygrad_rnn import nn
    >>> nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    Sequential()  # 13 parameters
      (0): Linear(in_features=2, out_features=3, bias=True)  # 9 parameters
      (1): Tanh()
      (2): Linear(in_features=3, out_features=1, bias=True)  # 4 parameters
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):  # by their own names
            for (name, _), module in zip(
                modules[0].items(), self._checked(modules[0].values()), strict=True
            ):
                self.add_module(name, module)
        else:
            self.extend(modules)

    def forward(self, input: Any) -> Any:
        """The last module's result."""
        for module in self.children():
            input = module(input)
        return input


class ModuleList(_Ordered):
    """A list of modules that their owner's parameters include.

    >>> from tinygrad_rnn import nn
    >>> layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Any = ()) -> None:
        super().__init__()
        self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])
