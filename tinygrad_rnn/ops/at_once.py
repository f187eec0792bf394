"""When does an op run as one loop of machine code? Where machine code is asked for by its name.

numpy goes over memory once for each part of a formula. A row that is marked ``at_once`` goes over it once a
row of numbers: its loop is compiled from what the row says of itself (``scan.row_loops``). Last bits differ
from numpy's, and an op has no count of its own calls as a cell has; so only ``TINYGRAD_RNN_BACKEND=numba``
(or ``backends.using``) asks for it, and then from the first call on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ..doors import door

if TYPE_CHECKING:
    from .row import Op, Rule

CHOICE = "TINYGRAD_RNN_BACKEND"
_ndarray = np.ndarray
_marked: list[tuple[Op, Callable[..., Any], tuple[Rule, ...]]] = []  # with numpy's formulas
_asked = [
    os.environ.get(CHOICE) == "numba" and find_spec("numba") is not None
]  # the last one counts


def mark(op: Op) -> None:
    """An op of one operand runs at once where that is asked for."""
    _marked.append((op, op.forward, op.rules))
    _switch(_marked[-1:])


def ask(wanted: bool = True) -> None:
    """From now on marked ops run as loops of machine code, or none does."""
    _asked[-1] = wanted
    _switch(_marked)


@contextmanager
def asking(wanted: bool) -> Iterator[None]:
    """The same inside."""
    _asked.append(wanted)
    _switch(_marked)
    try:
        yield
    finally:
        _asked.pop()
        _switch(_marked)


def asked() -> bool:
    """Whether marked ops run as loops now."""
    return _asked[-1]


def by_loop(row: Any, *given: Any) -> Any:
    """The forward of a row, if a loop gives it; else None."""
    return _loops()(row.op, False, given) if _asked[-1] else None


@cache
def _loops() -> Callable[[Op, bool, tuple[Any, ...]], Any]:
    """What gives a forward or a slope of what that is given; None where no loop takes it."""
    return door("row_loop")


def _switch(marked: list[tuple[Op, Callable[..., Any], tuple[Rule, ...]]]) -> None:
    """Their forwards and rules are loops, or numpy's formulas."""
    for op, forward, rules in marked:
        op.forward = _at_once(op, False, forward) if _asked[-1] else forward
        op.rules = (_at_once(op, True, rules[0]),) if _asked[-1] else rules


def _at_once(op: Op, slope: bool, formula: Any) -> Callable[..., Any]:
    """An op's forward or its rule: a loop, and the formula for all that none takes."""

    def call(*given: Any) -> Any:
        if given[0].__class__ is _ndarray:
            found = _loops()(op, slope, given)
            if found is not None:
                return found
        return formula(*given)

    return call


__all__ = ["ask", "asked", "asking", "by_loop", "mark"]
