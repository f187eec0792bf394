"""The loop over time: one cell, applied at every step with the same weights.

``Recurrent`` is the one loop; ``RNN`` and ``LSTM`` are stacks of it under PyTorch's names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..autograd import Call, Leaf, Place, state
from ..functions import stack
from ..tensors import Tensor, as_tensor
from .cells import Cell, LSTMCell, RNNCell
from .module import Module, Parameter
from .naming import name_all, named_input

# ---- one step ---------------------------------------------------------------------------------


def parts(value: Any, names: tuple[str, ...] = ()) -> list[tuple[str, Tensor]]:
    """The tensors of a state of any nesting, each with a name for its place."""
    if value is None:
        return []
    if isinstance(value, Tensor):
        return [(names[0] if names else "h", value)]
    if isinstance(value, dict):
        pairs = [(str(key), part) for key, part in value.items()]
    elif len(names) == len(value):
        pairs = list(zip(names, value, strict=True))
    else:
        pairs = [(f"s{k + 1}", part) for k, part in enumerate(value)]
    found = []
    for label, part in pairs:
        if isinstance(part, Tensor):
            found.append((label, part))
        else:
            found += [(f"{label}_{inner}", t) for inner, t in parts(part)]
    return found


def apply_step(
    cell: Module, x: Any, carried: Any, step: int, label: str, constants: dict[str, Any]
) -> tuple[Any, Any]:
    """Apply the cell's equations once, as time step ``step``; what is recorded knows it."""
    before = state.place
    names = getattr(cell, "states", ())
    inputs: list[tuple[str, Any]] = []
    if state.recording:
        inputs = [("x" if k == "h" else f"x_{k}", named_input(t, "x", step)) for k, t in parts(x)]
        inputs += [(k, named_input(t, k, None)) for k, t in parts(carried, names)]
    call = Call(type(cell), label, before.scope, step, tuple(inputs))
    state.place = Place(before.scope, step, call)
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
            if node is None or node.op is None:
                tensor._tag = step
            elif node.name is None:
                node.name = name
    finally:
        state.place = before
    return result


def bare_step(cell: Cell, input: Any, carried: Any) -> Any:
    """A built-in cell called by itself: check, find the time step on the state, apply, return the state."""
    x = cell._cast(input, cell.weight_ih)
    who = f"{state.place}" or f"{type(cell).__name__.lower()}: "
    if x.ndim not in (1, 2):
        raise ValueError(
            f"{who}x has shape {x.shape}, expected (batch, {cell.input_size}) or ({cell.input_size},)"
        )
    _check_features(who, x, cell.input_size, "(batch, features)" if x.ndim == 2 else "(features,)")
    batch = x.shape[0] if x.ndim == 2 else None
    if carried is None:
        carried = cell.initial_state(batch)
    given = [carried] if len(cell.states) == 1 else carried
    if not isinstance(given, (tuple, list)) or len(given) != len(cell.states):
        raise TypeError(
            f"{who}the state must be ({', '.join(cell.states)}), got {type(carried).__name__}"
        )
    want = (cell.hidden_size,) if batch is None else (batch, cell.hidden_size)
    checked = []
    for name, part in zip(cell.states, given, strict=True):
        part = cell._cast(part, cell.weight_hh)
        if part.shape != want:
            raise ValueError(f"{who}{name} has shape {part.shape}, expected {want}")
        checked.append(part)
    step = state.place.step
    if step is None:
        tags = [part._step for part in checked if part._step is not None]
        step = max(tags) + 1 if tags else 0
    new = tuple(checked) if len(checked) > 1 else checked[0]
    return apply_step(cell, x, new, step, "", {})[1]


# ---- the loop -----------------------------------------------------------------------------------


class Recurrent(Module):
    """A cell over time: ``output_t, state_t = cell(x_t, state_{t-1})``, the same cell at every step.

    ``cell`` is any Module with ``step`` or ``forward(x_t, state, **constants) -> (output, state)``,
    the state of any nesting of tensors; where the call gives no state, ``cell.initial_state(batch)``
    makes it. ``x`` is (time, batch, features) or, unbatched, (time, features); with ``batch_first``
    (batch, time, features). Returns (outputs stacked over time, last state). Raises ValueError for an
    empty sequence, TypeError for a cell that does not return a pair.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> class Leaky(nn.Module):
    ...     def forward(self, x, h):
    ...         h = 0.9 * h + 0.1 * x
    ...         return h, h
    ...     def initial_state(self, batch):
    ...         return tg.zeros(batch, 2)
    >>> y, h = nn.Recurrent(Leaky())(tg.ones(5, 3, 2))
    >>> y.shape, h.shape
    ((5, 3, 2), (3, 2))
    """

    def __init__(self, cell: Module, batch_first: bool = False) -> None:
        super().__init__()
        if not callable(getattr(cell, "step", None)) and type(cell).forward is Module.forward:
            raise TypeError(f"{type(cell).__name__} has neither step nor forward")
        self.cell = cell
        self.batch_first = batch_first

    def forward(self, x: Any, state: Any = None, **constants: Any) -> tuple[Tensor, Any]:
        """(time, batch, features) and a state in, (outputs, last state) out."""
        x = as_tensor(x)
        if isinstance(self.cell, Cell):
            x = self._cast(x, self.cell.weight_ih)
            who = f"{_place()}{type(self.cell).__name__}: "
            _check_features(who, x, self.cell.input_size, "(time, batch, features)")
        if x.ndim < 2:
            raise ValueError(
                f"{_place()}x has shape {x.shape}, expected (time, batch, features) or (time, features)"
            )
        time_axis = 1 if self.batch_first and x.ndim > 2 else 0
        if state is None:
            state = self._initial_state(None if x.ndim == 2 else x.shape[1 - time_axis])
        outputs, state = self.run(sequence(x, time_axis), state, "", constants)
        return stacked(outputs, time_axis), state

    def run(
        self, xs: Sequence[Any], state: Any, label: str, constants: dict[str, Any]
    ) -> tuple[list[Tensor], Any]:
        """The loop itself: the outputs of every step, and the last state."""
        outputs = []
        for t, x_t in enumerate(xs):
            output, state = apply_step(self.cell, x_t, state, t, label, constants)
            outputs.append(output)
        if not outputs:
            raise ValueError(f"{_place()}the sequence has no time steps")
        return outputs, state

    def _initial_state(self, batch: int | None) -> Any:
        make = getattr(self.cell, "initial_state", None)
        if make is None:
            raise TypeError(
                f"{type(self.cell).__name__} has no initial_state(batch): write it, or pass a state"
            )
        return make(batch)


def sequence(x: Tensor, time_axis: int = 0) -> Sequence[Tensor]:
    """The steps of an input; one that asks for a gradient is an input and no Parameter."""
    if isinstance(x._node, Leaf) and not isinstance(x, Parameter):
        x._node.name, x._node.role = x._node.name or "x", "input"
    return x.unbind(time_axis)


def stacked(outputs: Sequence[Tensor], axis: int) -> Tensor:
    """Outputs of all steps as one tensor with a time axis."""
    return stack(list(outputs), axis)


def _place() -> str:
    return str(state.place)


def _check_features(who: str, x: Tensor, expected: int, axes: str) -> None:
    if x.ndim and x.shape[-1] != expected:
        raise ValueError(
            f"{who}x has {x.shape[-1]} features, expected {expected}; x has shape {x.shape} = {axes}"
        )
    if not x.is_floating_point():
        raise TypeError(
            f"{who}x holds {x.dtype}, expected floats (an index needs nn.Embedding first)"
        )


# ---- PyTorch's layers ---------------------------------------------------------------------------


class RecurrentLayer(Module):
    """What ``RNN`` and ``LSTM`` share: a stack of ``Recurrent``, under PyTorch's parameter names.

    Layer k's weights are ``weight_ih_l{k}`` (gates * H, features), ``weight_hh_l{k}`` (gates * H, H),
    ``bias_ih_l{k}`` and ``bias_hh_l{k}`` (gates * H,): one set each, whatever the sequence's length.
    """

    cell_class: ClassVar[type[Cell]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        **options: Any,
    ) -> None:
        super().__init__()
        if not isinstance(num_layers, int) or num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers!r}")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        cells = [self.cell_class(size, hidden_size, bias, **options) for size in sizes]
        self._stack = [Recurrent(cell) for cell in cells]
        for k, cell in enumerate(cells):
            for name, parameter in cell.__dict__["_parameters"].items():
                if parameter is not None:
                    parameter._node.name = f"{name}_l{k}"
                    self.register_parameter(f"{name}_l{k}", parameter)

    def __setattr__(self, name: str, value: Any) -> None:
        """A Parameter that replaces one of a layer's also replaces it in that layer's cell."""
        super().__setattr__(name, value)
        short, _, k = name.rpartition("_l")
        if isinstance(value, Parameter) and k.isdigit() and int(k) < self.num_layers:
            setattr(self._stack[int(k)].cell, short, value)

    def reset_parameters(self, generator: Any = None) -> None:
        """Start all weights anew; see the cell's ``reset_parameters``."""
        for layer in self._stack:
            layer.cell.reset_parameters(generator)

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Any]:
        """(outputs of the last layer at every step, last state of every layer)."""
        first: Any = self._stack[0].cell
        x = self._cast(input, first.weight_ih)
        batch_axis = 0 if self.batch_first else 1
        axes = "(batch, time, features)" if self.batch_first else "(time, batch, features)"
        if x.ndim not in (2, 3):
            raise ValueError(
                f"{_place()}x has shape {x.shape}, expected {axes} or, unbatched, (time, features)"
            )
        who = f"{_place().removesuffix(': ')} (layer 0): "
        _check_features(who, x, self.input_size, axes if x.ndim == 3 else "(time, features)")
        batch = x.shape[batch_axis] if x.ndim == 3 else None
        time_axis = 1 if self.batch_first and x.ndim == 3 else 0
        starts = self._states(hx, batch, x.shape[time_axis])
        xs: Sequence[Tensor] = sequence(x, time_axis)
        finals = []
        for k, (layer, start) in enumerate(zip(self._stack, starts, strict=True)):
            label = f"layer {k}" if self.num_layers > 1 else ""
            xs, final = layer.run(xs, start, label, {})
            finals.append(final)
        y = stacked(xs, time_axis)
        each = [finals] if len(first.states) == 1 else zip(*finals, strict=True)
        last = {f"{n}_n": stacked(part, 0) for n, part in zip(first.states, each, strict=True)}
        name_all(**last)
        return y, tuple(last.values()) if len(last) > 1 else last["h_n"]

    def _states(self, hx: Any, batch: int | None, time: int) -> list[Any]:
        """The initial state of each layer, checked; zeros where none is given."""
        first: Any = self._stack[0].cell
        names = first.states
        if hx is None:
            return [layer._initial_state(batch) for layer in self._stack]
        given = [hx] if len(names) == 1 else hx
        if not isinstance(given, (tuple, list)) or len(given) != len(names):
            raise TypeError(
                f"{_place()}the state must be ({', '.join(f'{n}_0' for n in names)}), "
                f"got {type(hx).__name__}"
            )
        middle = () if batch is None else (batch,)
        want = (self.num_layers, *middle, self.hidden_size)
        each = []
        for name, part in zip(names, given, strict=True):
            part = self._cast(part, first.weight_hh)
            if part.shape != want:
                text = f"{_place()}{name}_0 has shape {part.shape}, expected {want} = "
                text += "(layers, batch, hidden)" if batch is not None else "(layers, hidden)"
                if batch is not None and part.shape == (batch, self.num_layers, self.hidden_size):
                    text += f": use {name}_0.transpose(0, 1)"
                elif batch is not None and part.shape == (want[0], time, want[2]):
                    text += f"; x has {time} time steps and a batch of {batch}: were they swapped "
                    text += f"(batch_first={not self.batch_first})?"
                raise ValueError(text)
            each.append(part.unbind(0))
        if len(names) == 1:
            return list(each[0])
        return list(zip(*each, strict=True))

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.num_layers > 1:
            text += f", num_layers={self.num_layers}"
        if not self.bias:
            text += ", bias=False"
        return text + (", batch_first=True" if self.batch_first else "")


class RNN(RecurrentLayer):
    """A simple recurrent net over a sequence, ``torch.nn.RNN``'s signature, names and results.

    ``h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)``, the same W at every t (Elman 1990)

    x (time, batch, features) (``batch_first``: (batch, time, features); unbatched: (time, features))
    and an optional h_0 (layers, batch, H) give (output, h_n): output (time, batch, H) is the last
    layer's h at every step, h_n (layers, batch, H) every layer's last h. Weights: see
    ``RecurrentLayer`` for names and shapes; they start as ``RNNCell.reset_parameters`` says.
    Raises ValueError, naming layer and shapes, where something does not fit.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(input_size=2, hidden_size=3)
    >>> y, h = rnn(tg.zeros(7, 5, 2))
    >>> y.shape, h.shape
    ((7, 5, 3), (1, 5, 3))
    """

    cell_class = RNNCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            nonlinearity=nonlinearity,
            generator=generator,
        )
        self.nonlinearity = nonlinearity


class LSTM(RecurrentLayer):
    """Long short-term memory over a sequence, ``torch.nn.LSTM``'s signature, names and results.

    ``i, f, g, o = split(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, 4)``;
    ``c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)``; ``h_t = sigmoid(o) * tanh(c_t)``:
    the same W at every t (Hochreiter & Schmidhuber 1997; Gers et al. 2000)

    x (time, batch, features) (``batch_first``: (batch, time, features); unbatched: (time, features))
    and an optional (h_0, c_0), each (layers, batch, H), give (output, (h_n, c_n)): output
    (time, batch, H) is the last layer's h at every step, h_n and c_n (layers, batch, H) every layer's
    last state. ``forget_bias`` is where the forget gate's bias starts (see ``LSTMCell``). Weights: see
    ``RecurrentLayer``. Raises ValueError, naming layer and shapes, where something does not fit.

    >>> import tinygrad_rnn as tg
    >>> lstm = tg.nn.LSTM(input_size=2, hidden_size=3)
    >>> y, (h, c) = lstm(tg.zeros(7, 5, 2))
    >>> y.shape, h.shape, c.shape
    ((7, 5, 3), (1, 5, 3), (1, 5, 3))
    """

    cell_class = LSTMCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        *,
        forget_bias: float = 1.0,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            forget_bias=forget_bias,
            generator=generator,
        )
        self.forget_bias = forget_bias
