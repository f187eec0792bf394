"""Large arrays used again: fresh memory costs a page fault every 4 kB, more than the work done on it."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

LEAST = 1 << 16  # bytes from which reuse pays
MOST = 1 << 28  # bytes that are held for reuse at most
_lock = threading.Lock()
_held: dict[int, list[Any]] = {}
_total = 0


def empty(shape: tuple[int, ...], dtype: Any, size: int) -> Any:
    """``np.empty(shape, dtype)``, of ``size`` bytes, where it can in memory that we have done with.

    An array is free when nobody but the list here refers to it: every view keeps it.
    """
    global _total
    if size < LEAST or size > MOST // 4:
        return np.empty(shape, dtype)
    with _lock:
        held = _held.setdefault(size, [])
        for k in range(len(held)):
            if sys.getrefcount(held[k]) == 2:
                return held[k].view(dtype).reshape(shape)
        while _total + size > MOST and _drop(size):
            pass
        block = np.empty(size, np.uint8)
        if _total + size <= MOST:
            held.append(block)
            _total += size
        return block.view(dtype).reshape(shape)


def _drop(size: int) -> bool:
    """Give one free block of another size back to the system."""
    global _total
    for other, blocks in _held.items():
        for k in range(len(blocks)):
            if other != size and sys.getrefcount(blocks[k]) == 2:
                del blocks[k]
                _total -= other
                return True
    return False
