"""Which steps of each sequence count? Those before its length: states stop there, outputs are 0 beyond."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.places import state
from ..engine.values import Array
from ..ops.elementwise import where
from ..tensors import Tensor
from .compiling import State
from .stepping import mapped


def checked_lengths(lengths: Any, batch: int | None, steps: int) -> Array:
    """The lengths as an integer array; zero is allowed."""
    if batch is None:
        raise ValueError(f"{state.place}lengths need a batch, and x is one sequence without it")
    if isinstance(lengths, Tensor) and not (state.tracer is None or state.tracer.is_made(lengths)):
        state.tracer.looks("lengths")
    given = np.array(lengths._data if isinstance(lengths, Tensor) else lengths)
    if given.dtype.kind not in "iu" or given.shape != (batch,):
        raise ValueError(
            f"{state.place}lengths must be {batch} integers, one a sequence of the batch; "
            f"got shape {given.shape} of {given.dtype}"
        )
    if given.size and (given.min() < 0 or given.max() > steps):
        raise ValueError(
            f"{state.place}lengths must be 0 to {steps} (the input's time steps); "
            f"got {given.min()} to {given.max()}"
        )
    return given


def running(lengths: Array, step: int) -> Array | None:
    """Which sequences have not ended before a step; None where all go on."""
    live: Array = lengths > step
    return None if live.all() else live


def _column(live: Array, like: Tensor) -> Tensor:
    """Which sequences are alive, as a condition that broadcasts over a tensor's other axes."""
    return Tensor._wrap(live.reshape((-1,) + (1,) * (like.ndim - 1)), None)


def kept(live: Array, new: State, old: State) -> Any:
    """The new state, but the old one for the sequences that have ended."""
    return mapped(lambda a, b: where(_column(live, a), a, b), new, old)


def live_only(live: Array, value: State) -> Any:
    """A value with 0 for the sequences that have ended."""

    def masked(t: Tensor) -> Tensor:
        zero = 0.0 if t.is_floating_point() else False  # False leaves integers what they are
        return where(_column(live, t), t, zero)

    return mapped(masked, value)
