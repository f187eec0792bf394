"""What are PyTorch's recurrent layers? Stacks of ``Recurrent`` under PyTorch's parameter names."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, overload

import numpy as np

from ..engine.places import Place, Scope, at_place
from ..engine.places import state as now
from ..engine.values import Array
from ..tensors import Tensor
from ..tensors.several import cat
from . import functional as f
from . import init
from .bare import step_after
from .cells import Cell, GRUCell, LSTMCell, RNNCell
from .checks import check_flags, check_rate, check_sizes
from .compiling import Direction, LayerCall, Stage, State, compiler
from .lengths import checked_lengths
from .module import Module, Parameter, holds_tensors
from .more_cells import PeepholeLSTMCell
from .placing import placed
from .recurrent import (
    Loop,
    Recurrent,
    explained,
    initial_state,
    run_compiled,
    sequence,
    stacked,
)
from .some_steps import SomeSteps
from .stepping import (
    apply_step,
    as_input,
    check_features,
    check_floats,
    first_of,
    mark_last,
    name_all,
    refusal,
)
from .utils.rnn import PackedSequence

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

S = TypeVar("S", covariant=True)


class LayerSignature(Protocol[S]):
    """What a call of a layer takes and gives, for type checkers: ``S`` is the last state."""

    @overload
    def __call__(
        self,
        input: PackedSequence,
        hx: Any = None,
        *,
        lengths: None = None,
        first_step: int = 0,
    ) -> tuple[PackedSequence, S]: ...

    @overload
    def __call__(
        self,
        input: Tensor | ArrayLike,
        hx: Any = None,
        *,
        lengths: Any = None,
        first_step: int = 0,
    ) -> tuple[Tensor, S]: ...


@dataclass(slots=True)
class Recorded:
    """What a call's recorded loop runs: cells, layer by layer, directions, dropout between the layers.

    It is noted when the call begins, so that a loop recorded later is that call's. ``masks`` are what
    dropout drew, by layer, where it has.
    """

    cells: list[Module]
    backwards: list[bool]
    dropout: float = 0.0
    masks: list[Any] | None = None


class RecurrentLayer(Module):
    """What ``RNN``, ``LSTM`` and ``GRU`` share: a stack of ``Recurrent``, under PyTorch's names.

    Layer k's weights are ``weight_ih_l{k}`` (gates * H, features), ``weight_hh_l{k}`` (gates * H, H),
    ``bias_ih_l{k}`` and ``bias_hh_l{k}`` (gates * H,), those of the backward direction end in
    ``_reverse``: one set each, whatever the sequence's length. ``learned_state=True`` adds a Parameter
    ``{state}_0`` (layers * directions, features) that sequences start from where the call gives no
    state.
    """

    cell_class: ClassVar[type[Cell]]
    compiled: bool = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        *,
        learned_state: bool,
        generator: np.random.Generator | None,
        **options: Any,
    ) -> None:
        super().__init__()
        who = type(self).__name__
        check_sizes(who, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_flags(who, bias=bias, batch_first=batch_first, bidirectional=bidirectional)
        check_rate(who, dropout)
        if dropout and num_layers == 1:
            warnings.warn(
                f"{type(self).__name__}: dropout={dropout} acts between layers, so it does nothing "
                "with num_layers=1",
                stacklevel=4,
            )
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = float(dropout), bidirectional
        self.generator = generator
        ways = 2 if bidirectional else 1
        self._stack: list[Recurrent] = []
        for k in range(num_layers):
            size = input_size if k == 0 else ways * self._stack[0].cell.output_size
            for _ in range(ways):
                cell = self.cell_class(size, hidden_size, bias, generator=generator, **options)
                self._stack.append(Recurrent(cell))
        for at, layer in enumerate(self._stack):
            for name, parameter in layer.cell.__dict__["_parameters"].items():
                if parameter is not None:
                    parameter._node.name = name + self._suffix(at)
        self.output_size = ways * self._stack[0].cell.output_size
        if learned_state:
            self._shapes = {}
            for name, size in self._first.state_sizes().items():
                self._shapes[f"{name}_0"] = (len(self._stack), size)
                start = Parameter(
                    np.zeros((len(self._stack), size)), dtype=self._first.weight_hh.dtype
                )
                self.register_parameter(f"{name}_0", start)
        self.learned_state = learned_state
        if type(self).reset_parameters is not RecurrentLayer.reset_parameters:
            init._begin(
                self, generator
            )  # the cells have begun in their way, this is the subclass's

    def _suffix(self, at: int) -> str:
        """How PyTorch ends the names of the cell at a place in the stack."""
        ways = 2 if self.bidirectional else 1
        return f"_l{at // ways}" + ("_reverse" if at % ways else "")

    @property
    def _first(self) -> Any:
        return self._stack[0].cell

    def cells(self) -> list[Module]:
        """The cells, layer by layer, forward before backward."""
        return [layer.cell for layer in self._stack]

    # ---- the weights, which the cells own

    def _whose(self, name: str) -> tuple[Cell, str] | None:
        """The cell that owns what has this name here, and its name there; None for the layer's own."""
        for at, layer in enumerate(self.__dict__.get("_stack", ())):
            cell, short = layer.cell, name.removesuffix(self._suffix(at))
            tables = cell.__dict__
            if short != name and any(
                short in tables[table] for table in ("_shapes", "_parameters", "_buffers")
            ):
                return cell, short
        return None

    def _table(self, table: str) -> Mapping[str, Any]:
        """What the cells own, each name with the end that PyTorch gives it, then what the layer owns."""
        shown: dict[str, Any] = {}
        if table != "_modules":
            for at, layer in enumerate(self.__dict__.get("_stack", ())):
                cell, end = layer.cell, self._suffix(at)
                shown.update({name + end: value for name, value in cell.__dict__[table].items()})
                for path, part in cell.named_modules() if cell.__dict__["_modules"] else ():
                    if part is not cell:
                        below = part.__dict__[table].items()
                        shown.update({f"{path}.{name}{end}": value for name, value in below})
        return {**shown, **self.__dict__[table]}

    def _owned(self, table: str) -> Iterable[Any]:
        """The values of ``_table``, without their names."""
        cells = [layer.cell for layer in self.__dict__.get("_stack", ())]
        if any(cell.__dict__["_modules"] for cell in cells):
            return self._table(table).values()
        return chain(*[cell.__dict__[table].values() for cell in cells], super()._owned(table))

    def _assign(self, name: str, value: Any, known_as: tuple[str, str] | None = None) -> None:
        """Set an attribute; a cell's weight is set in the cell."""
        owner = self._whose(name)
        if owner is None:
            super()._assign(name, value, known_as)
            return
        cell, short = owner
        if isinstance(value, Parameter) and value._node.name is None:
            value._node.name = name
        cell._assign(short, value, (type(self).__name__, name))

    def _own(self, table: str, name: str, value: Any) -> None:
        owner = self._whose(name)
        if owner is None:
            super()._own(table, name, value)
        else:
            cell, short = owner
            cell._check(short, value, (type(self).__name__, name))
            cell._own(table, short, value)

    def __getattr__(self, name: str) -> Parameter:
        owner = self._whose(name)
        found: Parameter = super().__getattr__(name) if owner is None else getattr(*owner)
        return found

    def __delattr__(self, name: str) -> None:
        owner = self._whose(name)
        if owner is None:
            super().__delattr__(name)
        else:
            delattr(*owner)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._table("_parameters"), *self._table("_buffers")]

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Start all weights anew; see the cell's ``reset_parameters``."""
        for cell in self.cells():
            cell.reset_parameters(generator)

    def _backwards(self, way: int) -> bool:
        """Whether the cell of this direction runs from the last step to the first."""
        return way == 1

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` in a scope of this module; what records nothing needs neither."""
        quick = not (now.recording or kwargs) and 0 < len(args) < 3
        plain = quick and type(self).forward is _FORWARD and not _INSTEAD & self.__dict__.keys()
        if plain and refusal(self) is None:
            found = compiler().without_gradients(self, *args)
            if found is not None:
                return found
        return super().__call__(*args, **kwargs)

    def forward(
        self, input: Any, hx: Any = None, *, lengths: Any = None, first_step: int | None = None
    ) -> tuple[Any, Any]:
        """(outputs of the last layer at every step, last state of every layer and direction).

        ``lengths`` (batch,) says how many steps of each sequence count (see ``Recurrent``);
        ``first_step`` is the number of the input's first time step, for pictures and ledgers: without it
        0, on a state that this layer left the step after that, for one step inside of ``tg.steps`` its
        turn. A ``PackedSequence`` brings its lengths, and one comes back.
        """
        if isinstance(input, PackedSequence):
            return self._packed(input, hx, first_step)
        if refusal(self) is None:
            found = compiler().layer_again(self, input, hx, first_step, lengths)
            if found is not None:
                return found
        x, batch, time_axis = self._input(input)
        steps = x._data.shape[time_axis]
        if first_step is None:
            first_step = self._first_step(hx, steps)
        if lengths is not None:
            lengths = checked_lengths(lengths, batch, steps)
        starts = self._states(hx, batch, steps)
        as_input(x)
        ways = 2 if self.bidirectional else 1
        cells, back = self.cells(), [self._backwards(way) for way in range(ways)]
        how = Recorded(cells, back, self.dropout if self.training else 0.0)
        stages = []
        for k in range(0, len(cells), ways):
            each = [Direction(cells[k + way], starts[k + way], back[way]) for way in range(ways)]
            stages.append(Stage(each, how.dropout if k else 0.0))

        def recorded(only: SomeSteps | None = None, masks: Any = None) -> tuple[Tensor, Any]:
            run = replace(how, masks=masks)
            return self._recorded(x, starts, time_axis, lengths, first_step, only, run)

        names = self._first.states
        y, last = run_compiled(
            LayerCall(self, x, time_axis, stages, recorded, lengths, first_step, {}, names)
        )
        mark_last(self, last, first_step + steps - 1)
        return y, last

    def _first_step(self, hx: Any, count: int) -> int:
        """The number of the first of ``count`` steps, where the caller does not say it."""
        onward = not self.bidirectional and not self._backwards(0)
        return first_of(self, hx, count) if onward else 0

    def _packed(
        self, packed: PackedSequence, hx: State, first_step: int | None
    ) -> tuple[PackedSequence, State]:
        """``forward`` of a packed batch, which lies (time, batch, features) whatever ``batch_first`` says."""
        turn = self.batch_first
        x = packed.padded.transpose(0, 1) if turn else packed.padded
        y, last = self.forward(x, hx, lengths=packed.lengths, first_step=first_step)
        return PackedSequence._of(y.transpose(0, 1) if turn else y, packed.lengths), last

    def _recorded(
        self,
        x: Tensor,
        starts: list[State],
        time_axis: int,
        lengths: Array | None,
        first_step: int,
        only: SomeSteps | None,
        how: Recorded,
    ) -> tuple[Tensor, Any]:
        """All layers op by op: the outputs, and the last states."""
        xs: Sequence[Tensor] = sequence(x, time_axis, only)
        ways = len(how.backwards)
        finals: list[State] = []
        for k in range(len(how.cells) // ways):
            if k and how.dropout:
                xs = self._dropped(xs, k, only, how)
            outputs = []
            for way, back in enumerate(how.backwards):
                at = k * ways + way
                some = None if only is None else only.of(at)
                loop = Loop(self._label(at), first_step, back, lengths, only=some)
                ys, final = self._stack[at].run(xs, starts[at], loop, {}, cell=how.cells[at])
                outputs.append(ys)
                finals.append(final)
            xs = outputs[0] if ways == 1 else [cat(pair, -1) for pair in zip(*outputs, strict=True)]
        return stacked(xs, time_axis), self._last(finals)

    def flatten_parameters(self) -> None:
        """Nothing: PyTorch's name, kept so that its scripts run (weights are laid out when they run)."""

    def _dropped(
        self, xs: Sequence[Tensor], layer: int, only: Sequence[int] | None, how: Recorded
    ) -> list[Tensor]:
        """What enters a layer, with features dropped: by masks that were drawn, or by new ones."""
        if how.masks is None:
            return [f.dropout(x_t, how.dropout, True, generator=self.generator) for x_t in xs]
        mask = how.masks[layer]
        times = range(len(xs)) if only is None else only
        return [x_t * Tensor._wrap(mask[t], None) for t, x_t in zip(times, xs, strict=True)]

    def explain(self) -> str:
        """How the layer's last call ran, compiled or recorded op by op, and why."""
        return explained(self)

    def step(self, x_t: Any, state: Any = None) -> tuple[Tensor, Any]:
        """One time step of all layers: ``y_t, state = layer.step(x_t, state)``, for streams.

        x_t is (batch, features) or (features,), the state what the sequence call returns. Equal to
        the sequence call, one step at a time. Raises TypeError on a bidirectional layer, which would
        need the future.

        >>> import tinygrad_rnn as tg
        >>> lstm = tg.nn.LSTM(2, 3)
        >>> y, state = lstm.step(tg.zeros(5, 2))
        >>> y.shape
        (5, 3)
        """
        if not now.recording and state is not None and refusal(self) is None:
            found = compiler().streamed(self, x_t, state)
            if found is not None:
                return found
        place, around = now.place, now.place.scope
        name = "" if around is None else self._name_below(around.module())
        with at_place(Place(Scope(self, around, name), place.step, place.call)):
            return self._step(x_t, state, place.step)

    def _step(self, x_t: Any, hx: Any, turn: int | None) -> tuple[Tensor, Any]:
        """``step`` inside the layer's scope; a loop's own time (``turn``) wins over the state's."""
        if self.bidirectional or self._backwards(0):
            raise TypeError(
                f"{_place(self)}a {'bidirectional' if self.bidirectional else 'reverse'} layer needs "
                "the whole sequence, not a step"
            )
        x = self._cast(x_t, self._first.weight_ih)
        if x.ndim not in (1, 2):
            raise ValueError(f"{_place(self)}x_t has shape {x.shape}, expected (batch, features)")
        check_features(f"{_place(self)}", x, self.input_size, "(batch, features)")
        starts = self._states(hx, x.shape[0] if x.ndim == 2 else None)
        finals = []
        for at, (cell, start) in enumerate(zip(self.cells(), starts, strict=True)):
            parts = (start,) if isinstance(start, Tensor) else start
            t = turn if turn is not None else step_after(parts)
            label = self._label(at)
            final = compiler().step_again(cell, x, parts, t, label) if self.compiled else None
            if final is None:
                x, final = apply_step(cell, x, start, t, label, {})
            else:
                x = final if isinstance(final, Tensor) else final[0]
            finals.append(final)
        last = self._last(finals)
        mark_last(self, last, t)
        return x, last

    def _label(self, at: int) -> str:
        """What tells this cell of the stack from the others, in words."""
        ways = 2 if self.bidirectional else 1
        words = [f"layer {at // ways}"] if self.num_layers > 1 else []
        words += ["reverse"] if at % ways else []
        return " ".join(words)

    def _last(self, finals: list[Any]) -> Any:
        """The last states of all cells, stacked: (layers * directions, batch, features) each."""
        names = self._first.states
        each = [finals] if len(names) == 1 else zip(*finals, strict=True)
        last = {f"{n}_n": stacked(part, 0) for n, part in zip(names, each, strict=True)}
        name_all(**last)
        return tuple(last.values()) if len(last) > 1 else last["h_n"]

    def _input(self, input: Any) -> tuple[Tensor, int | None, int]:
        """The input, checked: the tensor, its batch (None without one) and its axis of time."""
        x = self._cast(input, self._first.weight_ih)
        axes = "(batch, time, features)" if self.batch_first else "(time, batch, features)"
        shape = x._data.shape
        if len(shape) not in (2, 3):
            raise ValueError(
                f"{_place(self)}x has shape {x.shape}, expected {axes} or, unbatched, (time, features)"
            )
        who = f"{_place(self).removesuffix(': ')} (layer 0): "
        check_features(who, x, self.input_size, axes if len(shape) == 3 else "(time, features)")
        if len(shape) == 2:
            return x, None, 0
        return x, shape[0 if self.batch_first else 1], 1 if self.batch_first else 0

    def _states(self, hx: Any, batch: int | None, time: int | None = None) -> list[Any]:
        """The initial state of each cell, checked; learned or zeros where none is given."""
        names = self._first.states
        if hx is None and not self.learned_state:
            return [initial_state(cell, batch) for cell in self.cells()]
        sizes = self._first.state_sizes()
        count = len(self._stack)
        if hx is None:
            learned = [getattr(self, f"{name}_0") for name in names]
            if batch is not None:
                learned = [p.unsqueeze(1).expand(count, batch, p.shape[-1]) for p in learned]
            hx = learned[0] if len(names) == 1 else tuple(learned)
        given = [hx] if len(names) == 1 and not holds_tensors(hx) else hx
        fits = isinstance(given, (tuple, list)) and len(given) == len(names)
        if not fits or (len(names) == 1 and given is hx):
            raise TypeError(
                f"{_place(self)}the state must be ({', '.join(f'{n}_0' for n in names)}), "
                f"got {type(hx).__name__}"
            )
        middle = () if batch is None else (batch,)
        each = []
        for name, part in zip(names, given, strict=True):
            part = self._cast(part, self._first.weight_hh)
            want = (count, *middle, sizes[name])
            if part.shape != want:
                lead = "layers * directions" if self.bidirectional else "layers"
                axes = f"({lead}, batch, hidden)" if middle else f"({lead}, hidden)"
                text = f"{_place(self)}{name}_0 has shape {part.shape}, expected {want} = {axes}"
                if middle and part.shape == (batch, count, sizes[name]):
                    text += f": use {name}_0.transpose(0, 1)"
                elif middle and part.shape == (count, time, sizes[name]):
                    text += f"; x has {time} time steps and a batch of {batch}: were they swapped "
                    text += f"(batch_first={not self.batch_first})?"
                raise ValueError(text)
            check_floats(_place(self), f"{name}_0", part)
            tag, pieces = part._step, part.unbind(0)
            for piece in pieces:
                piece._tag = tag
            each.append(pieces)
        if len(names) == 1:
            return list(each[0])
        return list(zip(*each, strict=True))

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.num_layers > 1:
            text += f", num_layers={self.num_layers}"
        text += "" if self.bias else ", bias=False"
        text += ", batch_first=True" if self.batch_first else ""
        text += f", dropout={self.dropout}" if self.dropout else ""
        text += ", bidirectional=True" if self.bidirectional else ""
        for name, usual in _USUAL.items():
            value = self.__dict__.get(name, usual)
            text += f", {name}={value!r}" if value != usual else ""
        return text


_FORWARD = RecurrentLayer.forward
_INSTEAD = frozenset(("_hooks", "forward"))  # what an instance may have for or around it
_USUAL = {  # options that only some layers have, and their defaults
    "nonlinearity": "tanh",
    "proj_size": 0,
    "peephole": False,
    "reset_after": True,
    "learned_state": False,
}


def _place(layer: Module) -> str:
    return str(now.place) or f"{type(layer).__name__.lower()}: "


@placed
class RNN(RecurrentLayer):
    """A simple recurrent net over a sequence, ``torch.nn.RNN``'s signature, names and results.

    ``h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)``, the same W at every t (Elman 1990)

    x (time, batch, features) (``batch_first``: (batch, time, features); unbatched: (time, features))
    and an optional h_0 (layers * directions, batch, H) give (output, h_n): output
    (time, batch, directions * H) is the last layer's h at every step, h_n (layers * directions,
    batch, H) every layer's last state. ``dropout`` acts between layers, in training;
    ``bidirectional`` adds a cell that runs from the last step to the first; ``lengths=`` in the call
    takes ragged batches. ``nonlinearity`` is "tanh" or "relu". Weights: see ``RecurrentLayer`` for names
    and shapes; they start as ``RNNCell.reset_parameters`` says.
    Raises ValueError, naming layer and shapes, where something does not fit.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(input_size=2, hidden_size=3)
    >>> y, h = rnn(tg.zeros(7, 5, 2))
    >>> y.shape, h.shape
    ((7, 5, 3), (1, 5, 3))
    """

    cell_class = RNNCell

    __call__: LayerSignature[Tensor]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        learned_state: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        usual = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        more: dict[str, Any] = {"learned_state": learned_state, "generator": generator}
        super().__init__(*usual, **more, nonlinearity=nonlinearity)
        self.nonlinearity = nonlinearity


@placed
class LSTM(RecurrentLayer):
    """Long short-term memory over a sequence, ``torch.nn.LSTM``'s signature, names and results.

    ``i, f, g, o = split(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, 4)``;
    ``c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)``; ``h_t = sigmoid(o) * tanh(c_t)``:
    the same W at every t (Hochreiter & Schmidhuber 1997; Gers et al. 2000)

    x (time, batch, features) (``batch_first``: (batch, time, features); unbatched: (time, features))
    and an optional (h_0, c_0), each (layers * directions, batch, H), give (output, (h_n, c_n)): output
    (time, batch, directions * H) is the last layer's h at every step, h_n and c_n (layers * directions,
    batch, H) every layer's last state. ``dropout`` acts between layers, in training;
    ``bidirectional`` adds a cell that runs from the last step to the first; ``lengths=`` in the call
    takes ragged batches. ``proj_size`` makes h_t = W_hr h of that many features; ``peephole=True``
    lets gates see the cell state (``PeepholeLSTMCell``); ``forget_bias`` is where the forget gate's
    bias starts (see ``LSTMCell``). Weights: see ``RecurrentLayer`` for names and shapes; they start
    as ``LSTMCell.reset_parameters`` says.
    Raises ValueError, naming layer and shapes, where something does not fit.

    >>> import tinygrad_rnn as tg
    >>> lstm = tg.nn.LSTM(input_size=2, hidden_size=3)
    >>> y, (h, c) = lstm(tg.zeros(7, 5, 2))
    >>> y.shape, h.shape, c.shape
    ((7, 5, 3), (1, 5, 3), (1, 5, 3))
    """

    cell_class = LSTMCell

    __call__: LayerSignature[tuple[Tensor, Tensor]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        peephole: bool = False,
        forget_bias: float = 1.0,
        learned_state: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        if peephole:
            self.__dict__["cell_class"] = PeepholeLSTMCell
        usual = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        more: dict[str, Any] = {"learned_state": learned_state, "generator": generator}
        super().__init__(*usual, **more, proj_size=proj_size, forget_bias=forget_bias)
        self.proj_size, self.peephole, self.forget_bias = proj_size, peephole, forget_bias


@placed
class GRU(RecurrentLayer):
    """Gated recurrent units over a sequence, ``torch.nn.GRU``'s signature, names and results.

    ``r, z = sigmoid(...)``; ``n = tanh(W_in x_t + b_in + r * (W_hn h_{t-1} + b_hn))``;
    ``h_t = (1 - z) * n + z * h_{t-1}``: the same W at every t (Cho et al. 2014); see ``GRUCell``

    x (time, batch, features) (``batch_first``: (batch, time, features); unbatched: (time, features))
    and an optional h_0 (layers * directions, batch, H) give (output, h_n): output
    (time, batch, directions * H) is the last layer's h at every step, h_n (layers * directions,
    batch, H) every layer's last state. ``dropout`` acts between layers, in training;
    ``bidirectional`` adds a cell that runs from the last step to the first; ``lengths=`` in the call
    takes ragged batches. ``reset_after=False`` gives the paper's form. Weights: see
    ``RecurrentLayer`` for names and shapes; they start as ``GRUCell.reset_parameters`` says.
    Raises ValueError, naming layer and shapes, where something does not fit.

    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(input_size=2, hidden_size=3)
    >>> y, h = gru(tg.zeros(7, 5, 2))
    >>> y.shape, h.shape
    ((7, 5, 3), (1, 5, 3))
    """

    cell_class = GRUCell

    __call__: LayerSignature[Tensor]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        reset_after: bool = True,
        learned_state: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        usual = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        more: dict[str, Any] = {"learned_state": learned_state, "generator": generator}
        super().__init__(*usual, **more, reset_after=reset_after)
        self.reset_after = reset_after
