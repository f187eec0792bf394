"""How are signatures read? In ``help`` and ``inspect.signature`` as they are written, without quotes.

Annotations are kept as text and never evaluated when the package is imported, so Python would show each as
a string. Here each becomes a string whose ``repr`` is the text itself; ``typing.get_type_hints`` reads it as
before.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any, ForwardRef


class Written(str):
    """An annotation as text.

    >>> Written("Tensor | None")
    Tensor | None
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_KNOWN: dict[str, Written] = {}
_done: set[type] = set()


def readable(module: str) -> None:
    """Have the signatures of a module's functions and classes read as they are written.

    >>> import inspect, tinygrad_rnn as tg
    >>> inspect.signature(tg.chunk)
    <Signature (input: Tensor, chunks: Any, dim: Any = 0) -> tuple[Tensor, ...]>
    """
    for value in vars(sys.modules[module]).values():
        written(value)


def written(value: Any) -> Any:
    """The same value: of a function, a class or an instance of this package, signatures that read so."""
    if isinstance(value, FunctionType):
        _function(value)
        return value
    for kind in (*(value.__mro__ if isinstance(value, type) else ()), *type(value).__mro__):
        if kind not in _done and kind.__module__.startswith("tinygrad_rnn."):
            _done.add(kind)
            for part in vars(kind).values():
                _function(part if isinstance(part, FunctionType) else _inner(part))
    return value


def _inner(part: Any) -> Any:
    """The function behind a class method, a static one or a property."""
    return getattr(part, "__func__", None) or getattr(part, "fget", None)


def _function(function: Any) -> None:
    if isinstance(function, FunctionType):
        found = function.__annotations__
        for name, text in found.items():
            if text.__class__ is ForwardRef:  # as a NamedTuple keeps its fields
                text = text.__forward_arg__
            if text.__class__ is str:
                found[name] = _KNOWN.get(text) or _KNOWN.setdefault(text, Written(text))
