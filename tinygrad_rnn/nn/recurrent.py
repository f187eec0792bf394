"""What is the loop over time? One cell, applied at every step with the same weights.

``Recurrent`` is the one loop; what stacks it under PyTorch's names is in ``stacks.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.places import state
from ..engine.values import Array
from ..ops import shapes
from ..tensors import Tensor, as_tensor
from ..tensors.several import cat
from .cells import Cell
from .compiling import Direction, LayerCall, Stage, State, compiler
from .lengths import checked_lengths, kept, live_only, running
from .module import Module
from .some_steps import SomeSteps
from .stepping import (
    apply_step,
    as_input,
    check_features,
    checked_state,
    first_of,
    mark_last,
    refusal,
)
from .variational import masks

# ---- the loop -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Loop:
    """How to run over time: where steps are counted from, in which direction, how long each sequence is.

    ``only`` are the steps to run where not all of them are wanted.
    """

    label: str = ""
    first_step: int = 0
    backwards: bool = False
    lengths: Array | None = None
    variational: float = 0.0
    generator: np.random.Generator | None = None
    only: SomeSteps | None = None


def run_compiled(call: LayerCall) -> tuple[Tensor, Any]:
    """What ``call.recorded`` returns, outputs and last states, by compiled loops where they can run."""
    layer = call.layer
    if not call.x._data.shape[call.time_axis]:
        raise ValueError(f"{_place()}the sequence has no time steps")
    whole = None if state.tracer is None else state.tracer.layer
    if whole is not None:  # a network is read, to which a layer is one whole
        given: tuple[Tensor, Any] = whole(call)
        return given
    why = refusal(layer)
    result, how = compiler().run(call) if why is None else (None, why)
    if result is None:
        layer.__dict__["_ran"] = f"recorded op by op: {how}"
        return call.recorded()
    layer.__dict__["_ran"] = how
    return result


def explained(layer: Module) -> str:
    """How a layer's last call ran."""
    ran = layer.__dict__.get("_ran", "not run yet")
    if isinstance(ran, str):
        return ran
    usual = compiler().usual()
    return "compiled, " + "; ".join(f"run by {name} ({why or usual})" for name, why in sorted(ran))


class Recurrent(Module):
    """A cell over time: ``output_t, state_t = cell(x_t, state_{t-1})``, the same cell at every step.

    ``cell`` is any Module with ``step`` or ``forward(x_t, state, **constants) -> (output, state)``,
    the state of any nesting of tensors; where the call gives no state, ``cell.initial_state(batch)``
    makes it. ``x`` is (time, batch, features) or, unbatched, (time, features); with ``batch_first``
    (batch, time, features). Returns (outputs stacked over time, last state).

    ``lengths`` (batch,) says how many steps of each sequence count: a sequence's state stops at its
    length, its outputs beyond are 0, and what the padding holds, NaN included, has no influence.
    ``reverse`` is a second cell that runs from the last step to the first: outputs are then joined
    along the features, and states are pairs. ``variational=p`` drops features of the input and of the
    state's first part with one mask for all steps, in training (Gal & Ghahramani 2016). Further
    keyword arguments of the call go to the cell at every step (attention, conditioning). Raises
    ValueError for an empty sequence or lengths that do not fit, TypeError for a cell that does not
    return a pair.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> class Leaky(nn.Module):
    ...     def forward(self, x, h):
    ...         h = 0.9 * h + 0.1 * x
    ...         return h, h
    ...     def initial_state(self, batch):
    ...         return tg.zeros(batch, 2)
    >>> y, h = nn.Recurrent(Leaky())(tg.ones(5, 3, 2), lengths=[5, 2, 0])
    >>> y.shape, h.shape
    ((5, 3, 2), (3, 2))
    """

    compiled: bool = True

    if TYPE_CHECKING:

        def __call__(
            self,
            x: Any,
            state: Any = None,
            *,
            lengths: Any = None,
            first_step: int = 0,
            **constants: Any,
        ) -> tuple[Tensor, Any]:
            """(outputs of all steps, last state)."""

    def __init__(
        self,
        cell: Module,
        batch_first: bool = False,
        reverse: Module | None = None,
        variational: float = 0.0,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        for one in (cell, reverse):
            if one is not None and not _is_cell(one):
                raise TypeError(f"{type(one).__name__} has neither step nor forward")
        if not 0 <= variational < 1:
            raise ValueError(f"variational must be at least 0 and below 1, got {variational}")
        self.cell = cell
        self.reverse = reverse
        self.batch_first = batch_first
        self.variational, self.generator = variational, generator

    def cells(self) -> list[Module]:
        """The cell, and the one that runs backwards where there is one."""
        return [self.cell] if self.reverse is None else [self.cell, self.reverse]

    def extra_repr(self) -> str:
        """What differs from the default."""
        words = ["batch_first=True"] if self.batch_first else []
        return ", ".join(words + [f"variational={self.variational}"] * bool(self.variational))

    def forward(
        self,
        x: Any,
        state: Any = None,
        *,
        lengths: Any = None,
        first_step: int | None = None,
        **constants: Any,
    ) -> tuple[Tensor, Any]:
        """(time, batch, features) and a state in, (outputs, last state) out."""
        if lengths is None and not constants and refusal(self) is None:
            found = compiler().cell_again(self, x, state, first_step)
            if found is not None:
                return found
        x = as_tensor(x)
        if isinstance(self.cell, Cell):
            x = self._cast(x, self.cell.weight_ih)
            who = f"{_place()}{type(self.cell).__name__}: "
            check_features(who, x, self.cell.input_size, "(time, batch, features)")
        if x.ndim < 2 or (isinstance(self.cell, Cell) and x.ndim > 3):
            raise ValueError(
                f"{_place()}x has shape {x.shape}, expected (time, batch, features) or (time, features)"
            )
        time_axis = 1 if self.batch_first and x.ndim > 2 else 0
        batch = None if x.ndim == 2 else x.shape[1 - time_axis]
        count = x.shape[time_axis]
        if first_step is None:
            first_step = 0 if self.reverse is not None else first_of(self, state, count)
        loop = Loop(
            first_step=first_step,
            lengths=None if lengths is None else checked_lengths(lengths, batch, count),
            variational=self.variational if self.training else 0.0,
            generator=self.generator,
        )
        if self.reverse is None:
            starts = [state]
        elif state is None:
            starts = [None, None]
        elif isinstance(state, (tuple, list)) and len(state) == 2:
            starts = list(state)
        else:
            raise TypeError(
                f"{_place()}with a reverse cell the state is a pair (forward's, reverse's), "
                f"got {type(state).__name__}"
            )
        for k, cell in enumerate(self.cells()):
            starts[k] = _checked(cell, starts[k], batch)
            if starts[k] is None:
                starts[k] = initial_state(cell, batch)
        as_input(x)

        cells = self.cells()

        def recorded(
            only: SomeSteps | None = None, _masks: Any = None
        ) -> tuple[Tensor, list[State]]:
            return self._recorded(x, starts, time_axis, replace(loop, only=only), constants, cells)

        if loop.variational:
            self.__dict__["_ran"] = (
                "recorded op by op: variational dropout is drawn anew at every call"
            )
            y, finals = recorded()
        else:
            for cell in cells:
                cell._name_below(self)  # a graph says it later, whatever is in its place then
            both = [Direction(cell, starts[k], k == 1) for k, cell in enumerate(cells)]
            y, finals = run_compiled(
                LayerCall(
                    self, x, time_axis, [Stage(both)], recorded, loop.lengths, first_step, constants
                )
            )
        if self.reverse is not None:
            return y, tuple(finals)
        mark_last(self, finals[0], first_step + count - 1)
        return y, finals[0]

    def _recorded(
        self,
        x: Tensor,
        starts: list[State],
        time_axis: int,
        loop: Loop,
        constants: dict[str, Tensor],
        cells: list[Module],
    ) -> tuple[Tensor, list[State]]:
        """The loop op by op: the outputs, and the last state of each cell."""
        xs = sequence(x, time_axis, loop.only)
        ahead = replace(loop, only=_of(loop.only, 0))
        outputs, last = self.run(xs, starts[0], ahead, constants, cell=cells[0])
        if len(cells) == 1:
            return stacked(outputs, time_axis), [last]
        back = replace(loop, label="reverse", backwards=True, only=_of(loop.only, 1))
        others, first = self.run(xs, starts[1], back, constants, cell=cells[1])
        joined = [cat([a, b], -1) for a, b in zip(outputs, others, strict=True)]
        return stacked(joined, time_axis), [last, first]

    def explain(self) -> str:
        """How the layer's last call ran, compiled or recorded op by op, and why."""
        return explained(self)

    def run(
        self,
        xs: Sequence[Tensor],
        state: State,
        loop: Loop,
        constants: dict[str, Tensor],
        *,
        cell: Module | None = None,
    ) -> tuple[list[Tensor], State]:
        """The loop itself: the outputs of every step in the order of time, and the last state."""
        cell = self.cell if cell is None else cell
        steps = len(xs)
        if not steps:
            raise ValueError(f"{_place()}the sequence has no time steps")
        drop = masks(loop.variational, loop.generator, xs[0], state) if loop.variational else None
        _begins(cell, loop, steps)
        outputs: list[Any] = [None] * steps
        times = range(steps) if loop.only is None else loop.only
        for k in range(steps - 1, -1, -1) if loop.backwards else range(steps):
            t = times[k]
            if loop.only is not None:
                state = loop.only.state(t, state)
            live = None if loop.lengths is None else running(loop.lengths, t)
            x, entered = xs[k] if live is None else live_only(live, xs[k]), state
            if drop is not None:
                x, entered = drop[0](x), drop[1](state)
            output, new = apply_step(cell, x, entered, loop.first_step + t, loop.label, constants)
            if live is not None:
                output, new = live_only(live, output), kept(live, new, state)
            outputs[k], state = output, new
        return outputs, state


def _begins(cell: Module, loop: Loop, steps: int) -> None:
    """Tell the gate records that watch a cell that it is about to run over some steps."""
    for record in state.records:
        if record.watches(cell):
            record.begins(cell, loop.first_step, steps, loop.lengths)


def _checked(cell: Module, given: State, batch: int | None) -> State:
    """A state as given; a built-in cell's is checked first."""
    if given is None or not isinstance(cell, Cell):
        return given
    checked = checked_state(cell, given, batch, f"{_place()}{type(cell).__name__}: ")
    return tuple(checked) if len(checked) > 1 else checked[0]


def _is_cell(module: Module) -> bool:
    return callable(getattr(module, "step", None)) or type(module).forward is not Module.forward


def initial_state(cell: Any, batch: int | None) -> Any:
    """The state that a cell starts from."""
    make = getattr(cell, "initial_state", None)
    if make is None:
        raise TypeError(
            f"{type(cell).__name__} has no initial_state(batch): write it, or pass a state"
        )
    return make(batch)


def sequence(x: Tensor, time_axis: int = 0, only: Sequence[int] | None = None) -> Sequence[Tensor]:
    """The steps of an input, all or some of them."""
    if only is not None and (x._node is None or not x._node.needs):  # nothing is recorded of it
        return [Tensor._wrap(x._data.take(t, time_axis), None) for t in only]
    steps: Sequence[Tensor] = shapes.unbind(x, time_axis)  # type: ignore[assignment]
    return steps if only is None else [steps[t] for t in only]


def stacked(outputs: Sequence[Tensor], axis: int) -> Tensor:
    """Outputs of all steps as one tensor with a time axis."""
    return shapes.stack(*outputs, axis)


def _of(only: SomeSteps | None, cell: int) -> SomeSteps | None:
    return None if only is None else only.of(cell)


def _place() -> str:
    return str(state.place)
