"""How do modules hold their parts by name? ``ModuleDict``, ``ParameterDict`` and ``ParameterList``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..nn.module import Module, Parameter
from ..tensors import Tensor


class ParameterList(Module):
    """Parameters in a list that their owner's parameters include, named by their places.

    Tensors become Parameters, as in PyTorch.

    >>> import tinygrad_rnn as tg
    >>> weights = tg.nn.ParameterList([tg.nn.Parameter(tg.ones(2)) for _ in range(3)])
    >>> len(weights), [name for name, _ in weights.named_parameters()]
    (3, ['0', '1', '2'])
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(list(self._parameters.values()))

    def __getitem__(self, index: Any) -> Any:
        """The Parameter at a place; of a slice, a list of this kind."""
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        return list(self)[index]

    def __setitem__(self, index: int, parameter: Any) -> None:
        self.register_parameter(list(self._parameters)[index], _parameter(parameter))

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def append(self, value: Any) -> ParameterList:
        """Add a Parameter at the end; returns this."""
        self.register_parameter(str(len(self)), _parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add Parameters at the end; returns this."""
        for value in list(values):
            self.append(value)
        return self


class _ByName(Module):
    """What is owned by name, in the order in which it came."""

    _kind = ""

    def _held(self) -> dict[str, Any]:
        return dict(self._table(self._kind))

    def __len__(self) -> int:
        return len(self._held())

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def __contains__(self, key: object) -> bool:
        return key in self._held()

    def __getitem__(self, key: str) -> Any:
        return self._held()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"{type(self).__name__}: names are texts, not {type(key).__name__}")
        if hasattr(type(self), key):  # its method would be hidden
            raise KeyError(f"{type(self).__name__} has an attribute {key!r}: take another name")
        self._enter(key, value)

    def _enter(self, key: str, value: Any) -> None:
        raise NotImplementedError  # each kind checks what it holds

    def __delitem__(self, key: str) -> None:
        self[key]
        delattr(self, key)

    def keys(self) -> Any:
        """The names."""
        return self._held().keys()

    def values(self) -> Any:
        """What they name."""
        return self._held().values()

    def items(self) -> Any:
        """Pairs of both."""
        return self._held().items()

    def pop(self, key: str) -> Any:
        """Take out what has this name, and return it."""
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Take all out."""
        for key in self._held():
            del self[key]

    def update(self, given: Any) -> None:
        """Hold what a mapping, or pairs, name."""
        pairs = given.items() if isinstance(given, (Mapping, _ByName)) else given
        for key, value in list(pairs):
            self[key] = value


class ModuleDict(_ByName):
    """Modules by name, which their owner's parameters include.

    >>> import tinygrad_rnn as tg
    >>> heads = tg.nn.ModuleDict({"a": tg.nn.Linear(2, 1), "b": tg.nn.Linear(2, 3)})
    >>> heads["b"](tg.ones(1, 2)).shape, list(heads)
    ((1, 3), ['a', 'b'])
    """

    _kind = "_modules"

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update(modules or {})

    def _enter(self, key: str, value: Any) -> None:
        if not isinstance(value, Module):
            raise TypeError(f"ModuleDict holds Modules, and {key!r} is a {type(value).__name__}")
        self.add_module(key, value)


class ParameterDict(_ByName):
    """Parameters by name, which their owner's parameters include; tensors become Parameters.

    >>> import tinygrad_rnn as tg
    >>> held = tg.nn.ParameterDict({"scale": tg.ones(2)})
    >>> [name for name, _ in held.named_parameters()]
    ['scale']
    """

    _kind = "_parameters"

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update(parameters or {})

    def _enter(self, key: str, value: Any) -> None:
        self.register_parameter(key, _parameter(value))


class DataParallel(Module):
    """A module as ``module``, called as it is: there is one place to compute.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.DataParallel(tg.nn.Linear(2, 1))(tg.ones(3, 2)).shape
    (3, 1)
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module takes in, what it gives out."""
        return self.module(*inputs, **options)


def _parameter(value: Any) -> Parameter:
    """A Parameter as it is, a tensor as one."""
    if isinstance(value, Parameter):
        return value
    if not isinstance(value, Tensor):
        raise TypeError(f"a Parameter or a tensor is held here, not a {type(value).__name__}")
    return Parameter(value.detach())
