"""What does variational dropout do? One mask for inputs and one for states, the same at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..engine.random import generator_or_default
from ..tensors import Tensor
from .compiling import State
from .stepping import mapped

Change = Callable[[Any], Any]  # what dropout does to an input or a state


def masks(
    rate: float, generator: np.random.Generator | None, x: Tensor, state: State
) -> tuple[Change, Change]:
    """What it does to inputs and states, drawn anew."""
    keep, draw = 1 - rate, generator_or_default(generator)

    def mask(t: Tensor) -> Tensor:
        if not t.is_floating_point():  # an index has no features to drop
            return Tensor._made(1, t.dtype)
        return Tensor._made((draw.random(t.shape) < keep) / keep, t.dtype)

    def first(value: Any) -> Any:
        return value if isinstance(value, Tensor) else first(next(iter(_children(value))))

    mask_x = mapped(mask, x)
    mask_h = mask(first(state))

    def drop_state(value: Any) -> Any:
        head = first(value)
        return mapped(lambda t: t * mask_h if t is head else t, value)

    return (lambda value: mapped(lambda t, m: t * m, value, mask_x)), drop_state


def _children(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
