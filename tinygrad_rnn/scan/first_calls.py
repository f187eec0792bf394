"""Which back end runs this call? Numpy a cell's first calls, machine code all later ones.

Machine code is compiled in seconds and loaded in half a second; on numpy a script of ten calls is over by
then. Which call is the first by machine code follows from counts and sizes alone, never from a clock:
another run of the same script comes to the same bits, whether the code was in the cache or not. For the
same reason no thread compiles it meanwhile: it would have to be waited for at the same call, and so few
calls take less time than what the two would cost each other.

The count stands on the cell: every new model begins anew, and copies, pickles and state dicts take it along.
Calls that keep nothing for backward have a count of their own, so that to look at a network in training does
not change how it is trained.
"""

from __future__ import annotations

import math
from typing import Any

from ..tensors.state_dicts import CALLED
from . import backends

FIRST = "first calls"  # numpy's loops, with what they say of themselves
CALLS = 16  # of a layer
STEPS = 1024  # of a cell in a loop of the user's own, or of ``layer.step``
WORK = 150e6  # nanoseconds, by estimate, that all of them may take on numpy
WHY = f"its first calls; by call {CALLS + 1} at the latest machine code takes over"
OP, NUMBER, PRODUCT = 1200.0, 1.0, 0.1  # nanoseconds of an op, of its numbers, of multiply-adds

PRODUCTS = ("matmul", "linear", "linear_without_bias", "dot", "einsum")


def back_end(cell: Any, derive: bool, work: float, most: int = CALLS) -> str:
    """The back end of a call of a cell that takes numpy about ``work`` nanoseconds; the call is counted.

    ``most`` calls like it are numpy's, or as many as do not take too long.
    """
    name, _, waits = backends.chosen()
    if not waits:
        return name
    training, alone = cell.__dict__.get(CALLED, (0.0, 0.0))
    if training > 1 or (alone > 1 and not derive):
        return name
    share = max(1 / most, work / WORK)
    if derive:
        training += share
    else:
        alone += share
    cell.__dict__[CALLED] = training, alone
    return name if (training if derive else alone) > 1 else FIRST


def work(trace: Any) -> float:
    """About how many nanoseconds a traced step takes numpy, with its backward step."""
    total = 0.0
    for node in trace.nodes:
        if node.op is None or node.op.name == "item" or not _whole([node]):
            continue  # parts of a value are views of it
        size, *sizes = [math.prod(each.shape) for each in (node, *_whole(node.parents))]
        total += OP + NUMBER * max([size, *sizes])
        if node.op.name in PRODUCTS:
            total += PRODUCT * size * (node.parents[0].shape or (1,))[-1]
    return total


def _whole(nodes: Any) -> list[Any]:
    """Those that are one value."""
    return [node for node in nodes if not (node.shape and isinstance(node.shape[0], tuple))]
