"""How is an optimizer's update of single numbers applied to arrays as machine code? In one loop over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..optim import updates
from .machine_code import function

if TYPE_CHECKING:
    from .native import CompiledLoop

PLAIN = frozenset((float, int, bool))  # numpy's numbers may be of more bits than the arrays
TEXT = """import numpy as np
from tinygrad_rnn.optim.updates import {name} as update
@compiled()
def loop(count, K, {arrays}):
    {read}
    for k in range(count):
        found = update({elements})
        {results}
"""


def applied(
    update: Callable[..., Any], arrays: Sequence[Any], numbers: Sequence[Any], wanted: int
) -> Any:
    """As ``optim.updates.applied``; None where not all are arrays of one kind, and Python's numbers."""
    first = arrays[0]
    shape, kind, strides = first.shape, first.dtype, first.strides
    if kind.char not in "fd" or not first.size or not PLAIN.issuperset(map(type, numbers)):
        return None
    for a in arrays:
        if a.__class__ is not np.ndarray or a.dtype is not kind or a.shape != shape:
            return None
        if a.strides != strides:
            strides = ()
    options = tuple(n if isinstance(n, bool) else None for n in numbers)
    loop = _loop(update.__name__, len(arrays), options, wanted)
    if loop is None:
        return None
    results = [np.empty(shape, kind) for _ in range(wanted)]
    every = [*arrays, *results]
    if strides != (kind.itemsize,):  # not all are rows
        every = [a.ravel() for a in every]
    run = loop.function or loop  # after the first call without a detour
    run(first.size, np.array(numbers, kind), *every)
    return results


def offer() -> None:
    """Have optimizers apply their updates so from now on."""
    updates.machine[:] = [applied]


@cache
def _loop(
    name: str, arrays: int, options: tuple[bool | None, ...], results: int
) -> CompiledLoop | None:
    """The loop of an update, without what it returns beyond ``results``; None where it cannot be compiled."""
    a, o = (
        [f"{letter}{k}" for k in range(count)] for letter, count in (("a", arrays), ("o", results))
    )
    n = [f"n{k}" if option is None else str(option) for k, option in enumerate(options)]
    text = TEXT.format(
        name=name,
        arrays=", ".join([*a, *o]),
        read="; ".join(f"n{k} = K[{k}]" for k in range(len(n))),
        elements=", ".join([*(f"{x}[k]" for x in a), *n]),
        results="; ".join(f"{r}[k] = found[{k}]" for k, r in enumerate(o)),
    )
    try:
        made: CompiledLoop = function(text)
        return made
    except Exception:  # numpy gives the same bits
        return None


__all__ = ["applied", "offer"]
