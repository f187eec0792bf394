"""Where and in which dtype does a layer start? What its ``device=`` and ``dtype=`` say, as in PyTorch."""

from __future__ import annotations

from functools import wraps
from typing import Any, TypeVar

from ..engine.devices import check_device

C = TypeVar("C", bound=type)


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

    layer.__init__ = placed_init  # type: ignore[misc]
    return layer
