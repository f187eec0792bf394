"""One step of a cell: which places does its state have, what is recorded of it, who may run it?

The loop over time is in ``recurrent.py``; what a cell does that is called by itself, in ``bare.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

from ..engine.places import Call, Place, state
from ..engine.values import Constant, Leaf, Node, Value
from ..ops.recording import constant
from ..tensors import Tensor
from .compiling import State
from .module import Module, Parameter, holds_tensors
from .state_names import state_names

if TYPE_CHECKING:
    from .cells import Cell


def parts(value: State, names: tuple[str, ...] = ()) -> list[tuple[str, Tensor]]:
    """The tensors of a state of any nesting, each with a name for its place."""
    if value is None:
        return []
    if isinstance(value, Tensor):
        return [(names[0] if names else "h", value)]
    if isinstance(value, dict):
        pairs = [(str(key), part) for key, part in value.items()]
    elif not isinstance(value, (tuple, list)):
        raise TypeError(
            f"{state.place}a state is made of tensors, and this one has {type(value).__name__} ({value!r}) "
            "in it: tg.tensor(...) makes a tensor of a number"
        )
    elif len(names) == len(value):
        pairs = list(zip(names, value, strict=True))
    elif hasattr(value, "_fields"):
        pairs = list(zip(value._fields, value, strict=True))
    else:  # a pair is PyTorch's (h, c)
        plain = ("h", "c") if len(value) == 2 else [f"s{k + 1}" for k in range(len(value))]
        pairs = list(zip(plain, value, strict=True))
    found = []
    for label, part in pairs:
        if isinstance(part, Tensor):
            found.append((label, part))
        else:
            found += [(f"{label}_{inner}", t) for inner, t in parts(part)]
    return found


def mapped(function: Callable[..., Any], value: Any, *others: Any) -> Any:
    """The same nesting with ``function`` applied to each tensor (and its partners in ``others``)."""
    if value is None or isinstance(value, Tensor):
        return value if value is None else function(value, *others)
    if isinstance(value, dict):
        return {k: mapped(function, v, *(o[k] for o in others)) for k, v in value.items()}
    each = [mapped(function, *row) for row in zip(value, *others, strict=True)]
    return type(value)(*each) if hasattr(value, "_fields") else type(value)(each)


def apply_step(
    cell: Module, x: Any, carried: State, step: int, label: str, constants: dict[str, Tensor]
) -> tuple[Any, Any]:
    """Apply the cell's equations once, as time step ``step``; what is recorded knows it."""
    before = state.place
    kind: Any = type(cell)
    names = state_names(kind, getattr(cell, "states", ()))
    inputs: list[tuple[str, Value]] = []
    if state.recording:
        inputs = [("x" if k == "h" else f"x_{k}", named_input(t, "x", step)) for k, t in parts(x)]
        inputs += [(k, named_input(t, k, None)) for k, t in parts(carried, names)]
    call = Call(type(cell), label, before.scope, step, tuple(inputs))
    state.place = Place(before.scope, step, call)
    heard_before = state.listeners
    if state.records:  # those that watch the cell hear what it names
        state.listeners = [r.listener(cell, label, step) for r in state.records if r.watches(cell)]
    try:
        run = getattr(cell, "step", cell)
        result = run(x, carried, **constants)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"{state.place}{type(cell).__name__} must return (output, state), "
                f"and returned {type(result).__name__}"
            )
        for name, tensor in parts(result[1], names):
            node = tensor._node
            if not isinstance(node, Node):
                tensor._tag = step
            elif node.name is None:
                node.name = name
            for listener in state.listeners:
                listener(name, tensor)
    finally:
        state.listeners = heard_before
        state.place = before
    return result


def name_all(**values: Tensor) -> None:
    """Name the recorded ones among some values: ``name_all(i=i, f=f)``."""
    for label, tensor in values.items():
        node = tensor._node
        if isinstance(node, Node):
            node.name = label
        for listener in state.listeners:
            listener(label, tensor)


def named_input(tensor: Tensor, label: str, step: int | None) -> Value:
    """The node of a value that enters a cell, named by its role where it has no name yet."""
    node = tensor._node
    if node is None:
        return constant(tensor, label, step)
    if isinstance(node, Constant):
        stale = node.name == label and node.place.step != step
        if node.name is None or stale:
            return constant(tensor, label, step)
    return node


class LastStep(int):
    """The time step of a layer's last state, which knows whose it is: that layer goes on from there."""

    layer: Any


def first_of(layer: Module, carried: State, count: int) -> int:
    """The number of the first of ``count`` steps, where the caller does not say it.

    One step inside of ``tg.steps`` is that of its turn; on a state that this layer left, the step after it.
    """
    if count == 1 and state.place.step is not None:
        return state.place.step
    first = 0
    given = isinstance(carried, Tensor) or holds_tensors(carried)
    for _, part in parts(carried) if given else ():
        tag = part._tag
        if tag.__class__ is LastStep and tag.layer() is layer:
            first = max(first, tag + 1)
    return first


def last_step(layer: Module, step: int) -> LastStep:
    """What the layer's last state is to know of itself."""
    tag = LastStep(step)
    tag.layer = ref(layer)
    return tag


def mark_last(layer: Module, carried: State, step: int) -> None:
    """Have a layer's last state know its step, and whose it is."""
    tag = last_step(layer, step)
    for _, part in parts(carried):
        part._tag = tag


def checked_state(cell: Cell, carried: State, batch: int | None, who: str) -> list[Tensor]:
    """The parts of a built-in cell's state, each of the right shape; its initial state for None."""
    if carried is None:
        carried = cell.initial_state(batch)
    given = [carried] if len(cell.states) == 1 and not holds_tensors(carried) else carried
    fits = isinstance(given, (tuple, list)) and len(given) == len(cell.states)
    if not fits or (len(cell.states) == 1 and given is carried):
        raise TypeError(
            f"{who}the state must be ({', '.join(cell.states)}), got {type(carried).__name__}"
        )
    lead = () if batch is None else (batch,)
    checked = []
    for (name, size), part in zip(cell.state_sizes().items(), given, strict=True):
        part = cell._cast(part, cell.weight_hh)
        want = (*lead, size)
        if part.shape != want:
            raise ValueError(f"{who}{name} has shape {part.shape}, expected {want}")
        check_floats(who, name, part)
        checked.append(part)
    return checked


def check_features(who: str, x: Tensor, expected: int, axes: str) -> None:
    """Raise where x has another number of features than expected, or holds no floats."""
    if x._data.ndim and x._data.shape[-1] != expected:
        raise ValueError(
            f"{who}x has {x.shape[-1]} features, expected {expected}; x has shape {x.shape} = {axes}"
        )
    check_floats(who, "x", x, " (an index needs nn.Embedding first)")


def check_floats(who: str, name: str, tensor: Tensor, hint: str = "") -> None:
    """Raise TypeError where a tensor holds no floats."""
    if tensor._data.dtype.kind not in "fc":
        raise TypeError(f"{who}{name} holds {tensor.dtype}, expected floats{hint}")


def as_input(x: Tensor) -> None:
    """A leaf that enters a recurrent layer as its sequence is an input and no Parameter."""
    if isinstance(x._node, Leaf) and not isinstance(x, Parameter):
        x._node.name, x._node.role = x._node.name or "x", "input"


# ---- who may run it -----------------------------------------------------------------------------


def refusal(layer: Module) -> str | None:
    """Why a layer's calls are recorded at the moment, whatever its cells are; None if they are not."""
    if not layer.compiled:
        return "layer.compiled is False"
    if state.tracer is not None:
        return "it is part of a cell that is being traced"
    if state.watch is not None:
        return "detect_anomaly looks at every op"
    heard = state.records
    if heard and any(record.watches(cell) for record in heard for cell in layer.cells()):
        return "record_gates listens"
    return None
