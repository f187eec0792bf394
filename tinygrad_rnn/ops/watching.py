"""Who looks on while ops are called? ``detect_anomaly`` sees each result, a trace hears of values made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.places import state
from ..engine.values import Array
from .dtypes import NUMBERS

if TYPE_CHECKING:
    from ..tensors import Tensor
    from .row import Op

watching: list[object] = []  # an entry for each who looks at ops, in any thread
_lock = threading.Lock()


@contextmanager
def looking() -> Iterator[None]:
    """Inside, ``state.watch`` of a thread that has one is shown every op's result."""
    with _lock:
        watching.append(None)
    try:
        yield
    finally:
        with _lock:
            watching.pop()


def watcher(op: Op, result: Any, operands: tuple[Any, ...], constants: Any = ()) -> None:
    """What ops call with their result while any thread looks: the watch of this thread looks."""
    if state.watch is not None:
        state.watch.look(op, result, operands, constants)


def written_down(t: Tensor, data: Any) -> Tensor:
    """A tensor, of which a trace hears where it is made of Python's numbers and numpy's arrays alone."""
    if state.tracer is not None and _of_numbers(data):
        state.tracer.made(t)
    return t


def index_known(index: Any, array: Array) -> Array:
    """An array that is an index, of which a trace hears whether it could be another one."""
    if state.tracer is not None:
        if _of_numbers(index) or state.tracer.is_made(index):
            state.tracer.indexes(array)
        elif not state.tracer.takes(index, array):
            state.tracer.looks("an index")
    return array


def _of_numbers(data: Any) -> bool:
    """Whether data holds no tensor, whose values would depend on what a step is given."""
    if isinstance(data, (list, tuple)):
        return all(map(_of_numbers, data))
    return isinstance(data, (np.ndarray, np.generic, *NUMBERS)) and np.asarray(data).dtype != object
