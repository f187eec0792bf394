"""How is an optimizer's update of single numbers applied to arrays as machine code? In one loop over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..optim import updates
from .machine_code import Kept, function

PLAIN = frozenset((float, int, bool))  # numpy's numbers may be of more bits than the arrays
TEXT = """import numpy as np
from numba import njit, types
from tinygrad_rnn.optim.updates import {name} as written
update = njit(error_model="numpy")(written)
given = types.Array(types.float{bits}, 1, "C", readonly=True)
made = types.Array(types.float{bits}, 1, "C")
@njit(types.void({kinds}), error_model="numpy", cache=True)
def loop({arguments}):
    {rounded}
    for k in range(a0.size):
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
    loop = _loop(update.__name__, len(arrays), len(numbers), wanted, kind.itemsize * 8)
    if loop is None:
        return None
    results = [np.empty(shape, kind) for _ in range(wanted)]
    every = [*arrays, *results]
    if strides != (kind.itemsize,):  # not all are rows
        every = [a.ravel() for a in every]
    loop(*every, *map(float, numbers))
    return results


def offer() -> None:
    """Have optimizers apply their updates so from now on."""
    updates.machine[:] = [applied]


@cache
def _loop(name: str, arrays: int, numbers: int, results: int, bits: int) -> Kept | None:
    """The loop of an update, without what it returns beyond ``results``; None where it cannot be compiled."""
    counts = zip("aon", (arrays, results, numbers), strict=True)
    a, o, n = ([f"{letter}{k}" for k in range(count)] for letter, count in counts)
    kinds = [*["given"] * arrays, *["made"] * results, *["types.float64"] * numbers]
    text = TEXT.format(
        name=name,
        bits=bits,
        kinds=", ".join(kinds),
        arguments=", ".join([*a, *o, *n]),
        rounded="; ".join(f"{x} = np.float{bits}({x})" for x in n),
        elements=", ".join([*(f"{x}[k]" for x in a), *n]),
        results="; ".join(f"{r}[k] = found[{k}]" for k, r in enumerate(o)),
    )
    try:
        made: Kept = function(text, bits)
        return made
    except Exception:  # numpy gives the same bits
        return None


__all__ = ["applied", "offer"]
