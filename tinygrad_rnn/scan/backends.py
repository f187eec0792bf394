"""Which back end runs compiled loops? Numba's machine code where it is installed, else numpy calls.

Unless one of them is asked for by its name, the first calls of a cell are numpy's (``variants``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec

from ..ops.at_once import CHOICE, ask, asking
from .numpy_loops import NumpyLoops, QuickLoops, Unsupported
from .program import Program
from .rewrites import RewrittenProgram
from .schedule import Schedule

AUTO = "auto"  # machine code where it is installed, after first calls by numpy
FIRST = "first calls"  # numpy's loops, with what they say of themselves
CALLS = 16  # of a layer, at most
WHY = f"its first calls; by call {CALLS + 1} at the latest machine code takes over"

_asked: list[str] = []  # by ``using``, the last one counts


@contextmanager
def using(name: str) -> Iterator[None]:
    """Inside, compiled layers run by the named back end: the docs and the tests fix it."""
    _asked.append(name)
    chosen.cache_clear()
    try:
        with asking(name == "numba"):
            yield
    finally:
        _asked.pop()
        chosen.cache_clear()


@cache
def chosen() -> tuple[str, str, bool]:
    """(the back end in use, "numba" or "numpy", why, whether the first calls of a cell are numpy's)."""
    if not _asked:
        return _usual()
    return _installed() if _asked[-1] == AUTO else (_asked[-1], "the program asks for it", False)


def choice() -> tuple[str, str]:
    """(the back end in use, why): "numba" or "numpy"."""
    return chosen()[:2]


@cache
def _usual() -> tuple[str, str, bool]:
    """What the environment says: TINYGRAD_RNN_BACKEND, or what is installed."""
    asked = os.environ.get(CHOICE, "") or AUTO
    if asked not in (AUTO, "numpy", "numba"):
        raise ValueError(f"{CHOICE} must be 'auto', 'numpy' or 'numba', got {asked!r}")
    if asked == "numpy":
        return "numpy", f"{CHOICE} asks for it", False
    name, why, waits = _installed()
    if asked == name == "numba":
        ask()
        return name, f"{CHOICE} asks for it", False
    if asked == "numba":
        raise ImportError(f"{CHOICE} asks for numba: {why}")
    return name, why, waits


@cache
def _installed() -> tuple[str, str, bool]:
    """Machine code where there is what makes it."""
    missing = [name for name in ("numba", "scipy") if find_spec(name) is None]
    if missing:
        words = f"{' and '.join(missing)} not installed: pip install 'tinygrad_rnn[fast]' is faster"
        return "numpy", words, False
    return "numba", "numba and scipy are installed", True


def loops(program: Program, name: str, why: str = "") -> NumpyLoops:
    """The loops of a program by a back end; ``why`` it is not the usual one. Raises Unsupported."""
    if name == "numpy":
        kind = QuickLoops if isinstance(program, RewrittenProgram) else NumpyLoops
        return kind(Schedule(program), why)
    from .numba_loops import NumbaLoops

    try:
        return NumbaLoops(Schedule(program, hoist=False), why)
    except Unsupported:  # no rows of columns
        return NumbaLoops(Schedule(program, hoist=False, fused=True), why)


def words() -> str:
    """Which back end is in use, and why."""
    name, why, waits = chosen()
    return f"run by {name} ({why})" + ", a cell's first calls by numpy" * waits


__all__ = ["NumpyLoops", "Unsupported", "choice", "chosen", "loops", "using", "words"]
