"""What does a step do to each number? Functions that numpy applies to arrays, and machine code to numbers.

They are written of ``+ - * /``, square root and maximum alone, which both round alike, and they branch on
options alone: so it does not show in any bit who applies them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# What applies them as machine code and returns None where it cannot: there is one once a layer's machine
# code is loaded (``scan.applied``). A loop over 13 passes of numpy takes five to seven times as long.
machine: list[Callable[[Any, Sequence[Any], Sequence[Any], int], Any]] = []


def applied(
    update: Callable[..., Any], arrays: Sequence[Any], numbers: Sequence[Any], wanted: int
) -> Any:
    """The first ``wanted`` results of an update of arrays, some of which may be numbers for now."""
    for apply in machine:
        found = apply(update, arrays, numbers, wanted)
        if found is not None:
            return found
    return update(*arrays, *numbers)[:wanted]


def sgd(
    p: Any, g: Any, v: Any, decay: Any, momentum: Any, share: Any, rate: Any, nesterov: Any
) -> Any:
    """(Parameter, velocity) after a step of ``SGD``."""
    if decay:
        g = g + decay * p
    if momentum:
        v = momentum * v + share * g
        g = g + momentum * v if nesterov else v
    return p - rate * g, v


def adam(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    top: Any,
    keep: Any,
    decay: Any,
    b1: Any,
    a1: Any,
    b2: Any,
    a2: Any,
    root: Any,
    eps: Any,
    rate: Any,
    amsgrad: Any,
) -> Any:
    """(Parameter, averages of g and its square, largest so far of the latter) after a step of ``Adam``.

    ``a1`` and ``a2`` are 1 - ``b1`` and 1 - ``b2``; ``keep`` is what decoupled decay leaves of p.
    """
    if keep != 1:
        p = p * keep
    if decay:
        g = g + decay * p
    m = b1 * m + a1 * g
    v = b2 * v + a2 * (g * g)
    if amsgrad:
        top = np.maximum(top, v)
        return p - rate * (m / (np.sqrt(top) / root + eps)), m, v, top
    return p - rate * (m / (np.sqrt(v) / root + eps)), m, v, v


__all__ = ["adam", "applied", "machine", "sgd"]
