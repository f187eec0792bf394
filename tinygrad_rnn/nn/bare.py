"""What does a cell do that is called by itself? One step, whose number rides on the state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..engine.places import state
from ..tensors import Tensor
from .compiling import State, compiler
from .stepping import apply_step, check_features, checked_state

if TYPE_CHECKING:
    from .cells import Cell


def bare_step(cell: Cell, input: Any, carried: State) -> Any:
    """A built-in cell called by itself: check, find the time step on the state, apply, return the state."""
    x = cell._cast(input, cell.weight_ih)
    who = f"{state.place}" or f"{type(cell).__name__.lower()}: "
    if x.ndim not in (1, 2):
        raise ValueError(
            f"{who}x has shape {x.shape}, expected (batch, {cell.input_size}) or ({cell.input_size},)"
        )
    check_features(who, x, cell.input_size, "(batch, features)" if x.ndim == 2 else "(features,)")
    batch = x.shape[0] if x.ndim == 2 else None
    checked = checked_state(cell, carried, batch, who)
    step = state.place.step
    if step is None:
        step = step_after(checked)
    parts_now = tuple(checked)
    found = compiler().step_again(cell, x, parts_now, step)
    if found is None:
        entered = parts_now if len(parts_now) > 1 else parts_now[0]
        found = apply_step(cell, x, entered, step, "", {})[1]
    return found


def step_after(state: Iterable[Tensor]) -> int:
    """The time step after the latest that the parts of a state know of; 0 where none does."""
    latest = -1
    for part in state:
        step = part._tag if part._tag is not None else part._step
        if step is not None and step > latest:
            latest = step
    return latest + 1
