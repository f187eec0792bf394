"""How do loops of machine code run on more threads than one? Each on some of a batch's rows.

Forward, a row asks nothing of the others. Parts begin at a whole tile of rows (``products.HEIGHTS``), so that
every row comes to the bits that it has on one thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

NAMES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")  # as numpy's products ask them
TILE, ROWS = 4, 16  # rows of a tile, of a part at the least: fewer would be spanned over steps
LEAST = 1 << 12  # numbers of a state that are worth it, and steps times these
WORK = 1 << 16
# Who needs several takes them in this order.
LOCKS = TRACING, COMPILING, MEMORY = threading.RLock(), threading.RLock(), threading.RLock()


@cache
def threads() -> int:
    """How many threads a loop may take: as many as numpy's products are allowed by name, else one."""
    named = next((os.environ[name] for name in NAMES if os.environ.get(name)), "1")
    return max(int(named), 1) if named.isdecimal() else 1


@cache
def _workers() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # not for those who have one thread

    return ThreadPoolExecutor(threads() - 1, "tinygrad_rnn")


def _hold() -> None:
    """A fork waits for other threads: a child has none of them, and would wait for their locks forever."""
    for lock in LOCKS:
        lock.acquire()


def _release() -> None:
    for lock in LOCKS:
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_release)
    os.register_at_fork(after_in_child=_workers.cache_clear)


def in_parts(loop: Callable[..., Any], batch: int, size: int) -> Callable[..., Any]:
    """A loop of ``(steps, rows, of so many, the first one, ...)`` over a batch, shared among threads.

    The loop itself where it is not worth it: for ``size`` numbers a step, or one thread.
    """
    parts = min(threads(), batch // ROWS) if size >= LEAST else 1
    if parts < 2:
        return loop
    bounds = [batch * k // parts // TILE * TILE for k in range(parts)] + [batch]

    def run(steps: int, rows: int, most: int, low: int, *arguments: Any) -> None:
        if steps * size < WORK:
            loop(steps, rows, most, low, *arguments)
            return
        others = [
            _workers().submit(loop, steps, high - low, most, low, *arguments)
            for low, high in pairwise(bounds[1:])
        ]
        try:
            loop(steps, bounds[1], most, 0, *arguments)
        finally:  # what the others write must be there as long as they do
            failed = [other.exception() for other in others]
        for error in filter(None, failed):
            raise error

    return run
