"""Where and in which dtype does a layer start? What its ``device=`` and ``dtype=`` say, as in PyTorch."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import Any, TypeVar

from ..engine.devices import check_device
from ..engine.signatures import Written, written

C = TypeVar("C", bound=type)
ADDED = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Written("Any"))
    for name in ("device", "dtype")
]


def placed(layer: C) -> C:
    """The class of a layer, whose constructor takes ``device`` (the CPU) and ``dtype``, as PyTorch's do."""
    begin = layer.__init__  # type: ignore[misc]

    @wraps(begin)
    def placed_init(
        self: Any, *args: Any, device: Any = None, dtype: Any = None, **options: Any
    ) -> None:
        check_device(device)
        begin(self, *args, **options)
        if dtype is not None:
            self.to(dtype)

    taken = inspect.signature(written(begin))
    named = [p for p in taken.parameters.values() if p.kind is not p.VAR_KEYWORD]
    rest = [p for p in taken.parameters.values() if p.kind is p.VAR_KEYWORD]
    placed_init.__signature__ = taken.replace(  # type: ignore[attr-defined]  # what help() shows
        parameters=[*named, *(p for p in ADDED if p.name not in taken.parameters), *rest]
    )
    layer.__init__ = placed_init  # type: ignore[misc]
    return layer
