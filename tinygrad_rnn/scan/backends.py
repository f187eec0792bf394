"""Which back end runs compiled loops: numba's machine code where it is installed, else numpy calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec

from .few_calls import FewCalls
from .numpy_loops import NumpyLoops, QuickLoops, Unsupported
from .program import Program
from .schedule import Schedule

CHOICE = "TINYGRAD_RNN_BACKEND"


_asked: list[str] = []  # by ``using``, the last one counts


@contextmanager
def using(name: str) -> Iterator[None]:
    """Inside, compiled layers run by the named back end: the docs and the tests fix it."""
    _asked.append(name)
    choice.cache_clear()
    try:
        yield
    finally:
        _asked.pop()
        choice.cache_clear()


@cache
def choice() -> tuple[str, str]:
    """(the back end in use, why), "numba" or "numpy": what the program or TINYGRAD_RNN_BACKEND asks for, else
    what is installed."""
    if _asked:
        return _asked[-1], "the program asks for it"
    asked = os.environ.get(CHOICE, "")
    if asked not in ("", "numpy", "numba"):
        raise ValueError(f"{CHOICE} must be 'numpy' or 'numba', got {asked!r}")
    if asked == "numpy":
        return "numpy", f"{CHOICE} asks for it"
    missing = [name for name in ("numba", "scipy") if find_spec(name) is None]
    if missing:
        words = f"{' and '.join(missing)} not installed: pip install 'tinygrad_rnn[fast]' is faster"
        if asked == "numba":
            raise ImportError(f"{CHOICE} asks for numba: {words}")
        return "numpy", words
    return "numba", "numba and scipy are installed"


def loops(program: Program, name: str, why: str = "") -> NumpyLoops:
    """The loops of a program by a back end; ``why`` it is not the usual one. Raises Unsupported."""
    if name == "numpy":
        kind = QuickLoops if isinstance(program, FewCalls) else NumpyLoops
        return kind(Schedule(program), why)
    from .numba_loops import NumbaLoops

    return NumbaLoops(Schedule(program, hoist=False), why)


def words() -> str:
    """Which back end is in use, and why."""
    name, why = choice()
    return f"run by {name} ({why})"


__all__ = ["NumpyLoops", "Unsupported", "choice", "loops", "using", "words"]
