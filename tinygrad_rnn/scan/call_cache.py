"""What does a call that is like an earlier one skip? All that the earlier one found out: a cache of calls.

These are the common cases of training: a layer with one built-in cell in one direction, with lengths or
without, and a built-in cell that is called in a loop of the user's own, each with the same Parameters as
before. At a batch of one the questions cost more than the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from ..engine.inside import Inside
from ..engine.places import state as now
from ..engine.values import Array, DType, Grad
from ..nn.cells import Cell
from ..nn.compiling import LayerCall, State
from ..nn.module import Module
from ..nn.recurrent import Loop, Recurrent, initial_state
from ..nn.some_steps import SomeSteps
from ..nn.stacks import Recorded, RecurrentLayer
from ..nn.stepping import LastStep, apply_step, as_input, first_of, last_step, mapped, parts
from ..ops import dtypes
from ..tensors import Tensor
from .backends import CALLS, choice
from .cells import BUILT_IN, nesting, variant_of
from .folding import CallAsNode, only
from .probing import probe_of, tells
from .running import BEGIN, valid_rows
from .runtime import of_shape
from .tracing import Untraceable
from .variants import STEPS, Compiled, Variant, counted

if TYPE_CHECKING:
    from ..nn.compiling import Layer
    from .numpy_loops import NumpyLoops
    from .ragged import OverRows, Ragged
    from .running import Pass


class Prepared:
    """What calls of a built-in cell need, on inputs of one shape a step, ``(batch, features)``."""

    __slots__ = (
        "axis",
        "cell",
        "dtype",
        "names",
        "reach",
        "shape",
        "sizes",
        "tag",
        "variant",
        "weights",
        "zeros",
    )

    def __init__(
        self, cell: Cell, shape: tuple[int, ...], dtype: DType, variant: Variant, axis: int = 0
    ):
        self.tag: LastStep | None = None  # of the last call over a sequence
        self.cell, self.variant, self.weights = ref(cell), variant, variant.weights({})
        self.reach = variant.found.reach
        self.shape, self.axis, self.dtype = shape, axis, dtype
        sizes = cell.state_sizes()
        self.names, self.sizes = tuple(sizes), [*sizes.values()]
        self.zeros = self.begin(shape[0])

    def fits(self, shape: tuple[int, ...], dtype: DType) -> bool:
        """Whether an input's step is like the first one's, and the cell as it was."""
        return shape == self.shape and dtype is self.dtype and self.variant.holds()

    def begin(self, batch: int) -> list[Array]:
        """The first state of so many sequences."""
        return [np.zeros((batch, size), self.dtype) for size in self.sizes]

    def starts(self, given: Any, *lead: int) -> bool:
        """Whether the parts of a state have the right shapes, after ``lead``, and the right dtype."""
        if given.__class__ is not tuple or len(given) != len(self.sizes):
            return False
        for part, size in zip(given, self.sizes, strict=True):
            if part.__class__ is not Tensor or part._data.dtype is not self.dtype:
                return False
            if part._data.shape != (*lead, size):
                return False
        return True


class Run(CallAsNode):
    """One run of the loops; as a node it gives gradients to input, first states and weights that ask."""

    most = CALLS  # by numpy, where machine code takes over

    def __init__(self, prepared: Prepared | PreparedCell, x: Tensor, steps: range) -> None:
        super().__init__(steps)
        self.x, self.time_axis, self.weights = x, prepared.axis, prepared.weights
        self.cell: Any = prepared.cell()
        self.variant = prepared.variant

    def forward(
        self,
        prepared: Prepared | PreparedCell,
        x: Array,
        states: list[Array],
        asking: tuple[bool, ...],
    ) -> tuple[Array, list[Array]]:
        """(outputs, last states) of arrays; ``asking``: which of the first states ask for a gradient."""
        node, weights = self.x._node, self.weights
        needs_x = node is not None and node.needs
        of_weights = [w._node is not None and w._node.needs for w in weights]
        self.asking, self.dtype = (needs_x, *asking, *of_weights), x.dtype
        self.keep = now.recording and True in self.asking
        self.reach = prepared.reach
        self.loops = loops = self.turn(self.keep, self.keep and needs_x)
        self.first = states
        arrays = [np.ascontiguousarray(x), *states, *[w._data for w in weights]]
        self.y, finals, self.kept = loops.tried(arrays, len(self.steps), self.keep)
        return self.y, finals

    def turn(self, derive: bool, x: bool) -> NumpyLoops | OverRows:
        """The loops whose turn it is."""
        found: Compiled = self.variant.found
        return found.turn(self.cell, derive, x, len(self.steps), self.most)

    def variants(self) -> list[Variant]:
        """What the cell had read."""
        return [self.variant]

    def results(
        self, arrays: Sequence[Array], states: Sequence[Tensor], first: int = 0
    ) -> list[Tensor]:
        """Output and last states, from the ``first`` of these on, as tensors; recorded where one asks."""
        if not self.keep:
            return [Tensor._wrap(array, None) for array in arrays]
        needs = self.reach.needing(self.asking[1:], self.asking[0], len(self.steps))
        return self.outputs(arrays, needs[first:], (self.x, *states, *self.weights))

    def gradients(self, g: list[Grad]) -> list[Grad]:
        """From those of all outputs to those of all that asks."""
        return self.backward(*self._split(g))

    def _split(self, g: list[Grad]) -> tuple[Grad, list[Grad]]:
        """The gradients of the outputs over time and of the last states."""
        raise NotImplementedError

    def tells(self) -> bool:
        """Whether the cell's step can be looked into."""
        if self.nested or self.lengths is not None or self.starts_from_leaves():
            return False
        return tells(self.variant.found, self.loops.name, len(self.steps))

    def _given(self) -> tuple[Array, list[Array], list[Any]]:
        """Input (time, batch, features) and weights as they were, and the weights' nodes."""
        taken = self.taken()
        x, weights = taken[id(self.x)][0], [taken[id(w)] for w in self.weights]
        x = x.swapaxes(0, 1) if self.time_axis else x
        return x, [data for data, _ in weights], [node for _, node in weights]

    def told(self, g: list[Grad]) -> tuple[list[Grad], list[Inside | None]]:
        """As ``gradients``, and what flowed inside."""
        dy, last = self._split(g)
        x, weights, leaves = self._given()
        probe = probe_of(self.variant.found)
        flow, inside = probe.backward(self.loops.name, x, self.first, weights, leaves, dy, last)
        came = (dy is not None, *[d is not None for d in last])
        flow = only(self.reach.reached(came, len(self.steps)), flow)
        inside.steps, inside.x_node = self.steps, self.taken()[id(self.x)][1]
        if not self.asking[0]:
            inside.x = None
        return self._asked(*flow), [inside]

    def output(self) -> Array:
        """The values of the output over time, as the call returned them."""
        return np.moveaxis(self.y, 0, self.time_axis)

    def entered(self) -> list[list[Array]]:
        """The values of the state that every step starts from."""
        x, weights, _ = self._given()
        return [probe_of(self.variant.found).entered(self.loops.name, x, self.first, weights)]

    def backward(self, dy: Grad, last: list[Grad]) -> list[Grad]:
        """The gradients of all that asks, from those of the outputs and of the last states."""
        came, steps = (dy is not None, *[d is not None for d in last]), len(self.steps)
        if dy is None:
            dy = np.zeros((steps, *self.y.shape[1:]), self.dtype)
        first = True in self.asking[1 : 1 + len(last)]
        found = self.loops.backward(self.kept, steps, np.ascontiguousarray(dy), last, first)
        return self._asked(*only(self.reach.reached(came, steps), found))

    def _asked(self, dx: Grad, dstates: list[Grad], dweights: list[Grad]) -> list[Grad]:
        """The gradients of the parents, in their shapes."""
        if self.time_axis and dx is not None:
            dx = dx.swapaxes(0, 1)
        asked = compress((dx, *dstates, *dweights), self.asking)
        return [
            d if d is None else of_shape(d, p._data.shape)
            for d, p in zip(asked, self.parents, strict=True)
        ]


class RunOverTime(Run):
    """A run over a layer's sequence, whose batch may come first."""

    def given(
        self,
        layer: Layer,
        prepared: Prepared | PreparedCell,
        arrays: list[Array],
        states: Sequence[Tensor],
    ) -> list[Tensor]:
        """Output and last states of a layer that ran; the first array is (time, batch, features)."""
        self.layer = layer
        layer.__dict__["_ran"] = self.loops.ran
        if self.time_axis:
            arrays[0] = arrays[0].swapaxes(0, 1)
        outputs = self.results(arrays, states)
        tag, end = prepared.tag, self.steps[-1]
        if tag is None or tag != end:
            tag = prepared.tag = last_step(layer, end)
        for last in outputs[1:]:
            last._tag = tag
        return outputs

    def of_output(self, g: Grad) -> Grad:
        """The gradient of the output, (time, batch, features)."""
        return g.swapaxes(0, 1) if self.time_axis and g is not None else g

    def begin(self) -> tuple[Array, Any]:
        """Values of the first steps."""
        y, first = self.y[:BEGIN], slice(0, BEGIN)
        return (y.swapaxes(0, 1), (slice(None), first)) if self.time_axis else (y, first)


_prepared: WeakKeyDictionary[Module, Prepared] = (
    WeakKeyDictionary()
)  # of layers, and of cells called bare
_of_rows: WeakKeyDictionary[Module, Prepared] = WeakKeyDictionary()  # of layers, with lengths


# ---- layers ---------------------------------------------------------------------------------------


def remember(call: LayerCall, done: Pass) -> None:
    """Make later calls like this one quick, where the layer is of the kind.

    With lengths what is known is a step of one row, whatever the batch.
    """
    layer, x, axis = call.layer, call.x._data, call.time_axis
    assert isinstance(layer, RecurrentLayer)
    (cell,) = layer.cells()
    ragged = call.lengths is not None
    table, variant = (_of_rows, done.of_rows) if ragged else (_prepared, done.variant)
    if (
        isinstance(cell, Cell)
        and type(cell) in BUILT_IN
        and x.ndim == 3
        and variant is not None
        and not done.direction.backwards
    ):
        shape, known = (1 if ragged else x.shape[1 - axis], x.shape[2]), table.get(layer)
        if known is None or not _is_like(known, layer, shape, x.dtype):
            made = table[layer] = Prepared(cell, shape, x.dtype, variant, axis)
            made.reach = done.variant.found.reach  # which knows that sequences end


def _is_like(
    prepared: Prepared, layer: RecurrentLayer, shape: tuple[int, ...], dtype: DType
) -> bool:
    """Whether a call is like the one that was remembered, and the layer as it was."""
    same = prepared.axis == layer.batch_first and prepared.cell() is layer.cells()[0]
    return same and not layer._backwards(0) and prepared.fits(shape, dtype)


def run_again(
    layer: RecurrentLayer, x: Any, hx: State, first_step: int | None, lengths: Any = None
) -> tuple[Tensor, State] | None:
    """The layer's call, where it is like an earlier one; None where it may not be."""
    prepared = (_prepared if lengths is None else _of_rows).get(layer)
    if prepared is None or x.__class__ is not Tensor:
        return None
    data = x._data
    if prepared.axis:
        data = data.swapaxes(0, 1) if data.ndim == 3 else data[:0]
    if data.ndim != 3 or not len(data):
        return None
    _, batch, features = data.shape
    given_lengths, rows = None, None
    if not _is_like(prepared, layer, (batch if lengths is None else 1, features), data.dtype):
        return None
    if lengths is not None:
        given_lengths = np.array(lengths._data if isinstance(lengths, Tensor) else lengths)
        if given_lengths.dtype.kind not in "iu" or given_lengths.shape != (batch,):
            return None
        rows = valid_rows(given_lengths, len(data))
        if rows is None:
            return None
    given = hx if isinstance(hx, (tuple, list)) else () if hx is None else (hx,)
    if hx is None and layer.learned_state:
        return None
    if hx is None:
        starts = prepared.zeros if lengths is None else prepared.begin(batch)
    elif not prepared.starts(given, 1, batch) or any(t.requires_grad for t in given):
        return None
    else:
        starts = [t._data[0] for t in given]
    if x._node is not None:
        as_input(x)
    first = first_of(layer, hx, len(data)) if first_step is None else first_step
    call = _LayerAgain(prepared, x, range(first, first + len(data)))
    call.lengths, call.rows = given_lengths, rows
    try:
        y, finals = call.forward(prepared, data, starts, (False,) * len(starts))
    except Untraceable:
        return None
    call.hx = hx
    outputs = call.given(layer, prepared, [y, *[final[None] for final in finals]], given)
    for name, last in zip(prepared.names, outputs[1:], strict=True):
        if last._node is not None:
            last._node.name = f"{name}_n"
    return outputs[0], outputs[1] if len(outputs) == 2 else tuple(outputs[1:])


class _LayerAgain(RunOverTime):
    """A layer's call."""

    hx: State
    rows: Ragged | None

    def turn(self, derive: bool, x: bool) -> NumpyLoops | OverRows:
        """The loops whose turn it is; with lengths those of machine code, or none."""
        if self.rows is None:
            return super().turn(derive, x)
        if choice()[0] != "numba" or counted(self.cell, derive):
            raise Untraceable("it is numpy's turn, which sees whole batches")
        return self.rows.over(self.variant.found.ragged(derive, x))

    def _split(self, g: list[Grad]) -> tuple[Grad, list[Grad]]:
        return self.of_output(g[0]), [None if d is None else d[0] for d in g[1:]]

    def recorded(self, only: SomeSteps | None) -> list[Tensor]:
        """The layer's own loop."""
        batch = self.x._data.shape[1 - self.time_axis]
        given = [initial_state(self.cell, batch)] if self.hx is None else None
        states = given or self.layer._states(self.hx, batch)
        first = self.steps[0]
        run = Recorded([self.cell], [False])
        y, last = self.layer._recorded(
            self.x, states, self.time_axis, self.lengths, first, only, run
        )
        return [y, *([last] if isinstance(last, Tensor) else last)]


# ---- any cell over time ---------------------------------------------------------------------------


class PreparedCell:
    """What calls of a ``Recurrent`` layer need, on inputs of one shape a step and states of one nesting."""

    __slots__ = (
        "axis",
        "cell",
        "default",
        "dtype",
        "nesting",
        "reach",
        "shape",
        "steps",
        "tag",
        "variant",
        "weights",
    )

    def __init__(
        self, layer: Recurrent, x: Array, axis: int, state: State, variant: Variant
    ) -> None:
        self.tag: LastStep | None = None
        self.cell, self.variant, self.weights = ref(layer.cell), variant, variant.weights({})
        self.reach = variant.found.reach
        self.shape, self.dtype, self.axis = _step_shape(x, axis), x.dtype, axis
        self.nesting, self.default = nesting(state), dtypes.default_dtype
        self.steps = min(x.shape[axis], len(parts(state)) + 1)

    def fits(self, x: Array, axis: int) -> bool:
        """Whether an input is like the first one, and the cell as it was."""
        same = self.axis == axis and x.dtype is self.dtype and dtypes.default_dtype is self.default
        return same and _step_shape(x, axis) == self.shape and self.variant.holds()


def _step_shape(x: Array, axis: int) -> tuple[int, ...]:
    shape: tuple[int, ...] = x.shape
    return shape[:axis] + shape[axis + 1 :]


_prepared_cells: WeakKeyDictionary[Module, PreparedCell] = WeakKeyDictionary()


def remember_cell(call: LayerCall, done: Pass) -> None:
    """Make later calls like this one of a ``Recurrent`` layer quick."""
    assert isinstance(call.layer, Recurrent)
    if call.constants or call.lengths is not None:
        return
    variant, known = done.variant, _prepared_cells.get(call.layer)
    if known is None or known.variant is not variant:
        state = call.stages[0].directions[0].state
        _prepared_cells[call.layer] = PreparedCell(
            call.layer, call.x._data, call.time_axis, state, variant
        )


def run_cell_again(
    layer: Recurrent, x: Any, state: State, first_step: int | None
) -> tuple[Tensor, State] | None:
    """The call of a ``Recurrent`` layer, where it is like an earlier one; None where it may not be."""
    prepared = _prepared_cells.get(layer)
    if prepared is None or x.__class__ is not Tensor or layer.reverse is not None:
        return None
    data, cell = x._data, layer.cell
    axis = 1 if layer.batch_first and data.ndim > 2 else 0
    steps = data.shape[axis] if data.ndim > 1 else 0
    if not steps or prepared.cell() is not cell or (layer.variational and layer.training):
        return None
    if not prepared.fits(data, axis):
        return None
    if first_step is None:
        first_step = first_of(layer, state, steps)
    if state is None:
        state = initial_state(cell, None if data.ndim == 2 else data.shape[1 - axis])
    try:
        if nesting(state) != prepared.nesting:
            return None
        states = [state] if state.__class__ is Tensor else [t for _, t in parts(state)]
        if min(steps, len(states) + 1) != prepared.steps:
            return None
        if x._node is not None:
            as_input(x)
        call = _CellCall(prepared, x, range(first_step, first_step + steps))
        asking = tuple([t._node is not None and t._node.needs for t in states])
        arrays = [t._data for t in states]
        y, finals = call.forward(prepared, data.swapaxes(0, 1) if axis else data, arrays, asking)
    except Untraceable:
        return None
    call.state = state
    outputs = call.given(layer, prepared, [y, *finals], states)
    if len(outputs) == 2 and state.__class__ is Tensor:
        return outputs[0], outputs[1]
    rest = iter(outputs[1:])
    return outputs[0], mapped(lambda _: next(rest), state)


class _CellCall(RunOverTime):
    """A call of a ``Recurrent`` layer."""

    state: State

    def _split(self, g: list[Grad]) -> tuple[Grad, list[Grad]]:
        return self.of_output(g[0]), [*g[1:]]

    def first_states(self) -> Sequence[Tensor]:
        """The parts of the first state."""
        return [t for _, t in parts(self.state)]

    def recorded(self, only: SomeSteps | None) -> list[Tensor]:
        """The layer's own loop."""
        loop = Loop(first_step=self.steps[0], only=only)
        y, (last,) = self.layer._recorded(
            self.x, [self.state], self.time_axis, loop, {}, [self.cell]
        )
        return [y, *(t for _, t in parts(last))]


# ---- cells in a loop of the user's own --------------------------------------------------------------


def step_again(
    cell: Module, x: Tensor, state: tuple[Tensor, ...], step: int, label: str = ""
) -> Tensor | tuple[Tensor, ...] | None:
    """The new state of a built-in cell after one time step; None where it is to be recorded.

    The output is the state's first part. ``label`` tells the cell from others of its layer, in words.
    """
    if not cell.compiled or now.tracer is not None or now.watch is not None:
        return None
    if now.records or now.listeners or x._data.ndim != 2:
        return None
    data, prepared = x._data, _prepared.get(cell)
    if prepared is None or not prepared.fits(data.shape, data.dtype):
        prepared = _prepare(cell, data, state)
        if prepared is None:
            return None
    if not prepared.starts(state, len(data)):
        return None
    call = _StepAgain(prepared, x, range(step, step + 1))
    starts = [t._data for t in state]
    asking = tuple([t._node is not None and t._node.needs for t in state])
    try:
        _, finals = call.forward(prepared, data[None], starts, asking)
    except Untraceable:
        return None
    call.state, call.label = state, label
    outputs = call.results(finals, state, 1)
    for name, last in zip(prepared.names, outputs, strict=True):
        last._tag = step
        if last._node is not None:
            last._node.name = name
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _prepare(cell: Module, x: Array, state: tuple[Tensor, ...]) -> Prepared | None:
    """What the cell's steps on inputs like this need; None where they cannot be compiled."""
    if type(cell) not in BUILT_IN:
        return None
    assert isinstance(cell, Cell)
    given = state[0] if len(state) == 1 else state
    try:
        variant = variant_of(cell, x[None], given, None, {})
    except Untraceable:
        return None
    prepared = Prepared(cell, x.shape, x.dtype, variant)
    if not prepared.fits(x.shape, x.dtype):
        return None
    _prepared[cell] = prepared
    return prepared


class _StepAgain(Run):
    """A cell's step."""

    nested = True
    most = STEPS
    state: tuple[Tensor, ...]
    label: str

    def _split(self, g: list[Grad]) -> tuple[Grad, list[Grad]]:
        return None if g[0] is None else g[0][None], [None, *g[1:]]  # its output is the first part

    def recorded(self, only: SomeSteps | None) -> list[Tensor]:
        """The cell's own equations."""
        state = self.state[0] if len(self.state) == 1 else self.state
        _, new = apply_step(self.cell, self.x, state, self.steps[0], self.label, {})
        return [t for _, t in parts(new)]

    def begin(self) -> tuple[Array, Any]:
        """The new state's first part."""
        return self.y[0], ...
