"""How is an optimizer's update of single numbers applied to arrays as machine code? In one loop over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..optim import updates
from .machine_code import Kept, function

PLAIN = (float, int, bool)
TEXT = """import numpy as np
from numba import njit, types
from tinygrad_rnn.optim.updates import {name} as written
update = njit(error_model="numpy")(written)
given = types.Array(types.float{bits}, 1, "C", readonly=True)
made = types.Array(types.float{bits}, 1, "C")
@njit(types.void({kinds}), error_model="numpy", cache=True)
def loop({arguments}):
    for k in range(a0.size):
        found = update({elements})
{results}
"""


def applied(
    update: Callable[..., Any], arrays: Sequence[Any], numbers: Sequence[Any], wanted: int
) -> Any:
    """As ``optim.updates.applied``; None where not all are arrays of one kind, and Python's numbers."""
    first = arrays[0]
    kind = first.dtype
    if kind.char not in "fd" or not first.size:
        return None
    flat = []
    for a in arrays:
        if a.__class__ is not np.ndarray or a.dtype is not kind or a.shape != first.shape:
            return None
        if not a.flags.c_contiguous:
            return None
        flat.append(a if a.ndim == 1 else a.reshape(-1))
    if not all(
        n.__class__ in PLAIN for n in numbers
    ):  # numpy's may be of more bits than the arrays
        return None
    loop = _loop(update.__name__, len(arrays), len(numbers), wanted, kind.itemsize * 8)
    if loop is None:
        return None
    results = [np.empty(first.shape, kind) for _ in range(wanted)]
    loop(*flat, *map(kind.type, numbers), *[r if r.ndim == 1 else r.reshape(-1) for r in results])
    return results


def offer() -> None:
    """Have optimizers apply their updates so from now on."""
    updates.machine[:] = [applied]


@cache
def _loop(name: str, arrays: int, numbers: int, results: int, bits: int) -> Kept | None:
    """The loop of an update, without what it returns beyond ``results``; None where it cannot be compiled."""
    counts = zip("ano", (arrays, numbers, results), strict=True)
    a, n, o = ([f"{letter}{k}" for k in range(count)] for letter, count in counts)
    kinds = [*["given"] * arrays, *[f"types.float{bits}"] * numbers, *["made"] * results]
    text = TEXT.format(
        name=name,
        bits=bits,
        kinds=", ".join(kinds),
        arguments=", ".join([*a, *n, *o]),
        results="\n".join(f"        {r}[k] = found[{k}]" for k, r in enumerate(o)),
        elements=", ".join([*(f"{x}[k]" for x in a), *n]),
    )
    try:
        return function(text, bits)
    except Exception:  # numpy gives the same bits
        return None


__all__ = ["applied", "offer"]
