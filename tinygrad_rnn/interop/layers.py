"""What does another framework's recurrent layer do? Its rule, and what becomes of padded steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nn import Module
from ..nn.checks import check_sizes
from ..nn.stacks import RecurrentLayer
from ..nn.utils.rnn import PackedSequence
from ..tensors import Tensor, as_tensor, functions, several
from .cells import CELLS, Rule

DIRECTIONS = ("forward", "reverse", "bidirectional")
OURS = (
    "zero",
    "zero",
    "initial",
)  # outputs beyond the lengths, of both directions; states at length 0
MERGES = ("concat", "sum", "ave", "mul", None)


def merged(y: Any, merge: str | None) -> Any:
    """The outputs of two directions, joined along the features, as one of ``MERGES`` joins them."""
    if merge == "concat":
        return y
    one, two = y.chunk(2, -1)
    if merge is None:
        return one, two
    return one * two if merge == "mul" else (one + two) * (0.5 if merge == "ave" else 1.0)


class Layer(RecurrentLayer):
    """A recurrent layer of another framework where ``nn.RNN``, ``LSTM`` and ``GRU`` have another rule.

    Called as those are: ``y, state = layer(x, state, lengths=...)``, the state h (and c for an LSTM),
    each (layers * directions, batch, H). ``rule`` says the equations; ``direction`` may also be
    "reverse": the only cell runs from the last step to the first, outputs in the order of time, or
    with ``flipped`` in its own (Keras's ``go_backwards``). ``merge`` joins two directions' outputs:
    "concat", "sum", "ave", "mul" or None for a pair. ``padded`` is what outputs beyond a sequence's
    length are, of each direction, and the state of a sequence of length 0.
    """

    def __init__(
        self,
        rule: Rule,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        *,
        direction: str = "forward",
        merge: str | None = "concat",
        padded: tuple[str, str, str] = OURS,
        flipped: bool = False,
        proj_size: int = 0,
        learned_state: bool = False,
    ) -> None:
        if direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {DIRECTIONS}, got {direction!r}")
        if merge not in MERGES:
            raise ValueError(f"merge must be one of {MERGES}, got {merge!r}")
        check_sizes("Layer", input_size=input_size, hidden_size=hidden_size)
        both = direction == "bidirectional"
        if merge != "concat" and (num_layers > 1 or not both):
            raise ValueError(f"merge={merge!r} is for one bidirectional layer")
        self.__dict__["cell_class"] = CELLS[rule.family]
        self.__dict__["direction"] = direction
        more: dict[str, Any] = {"proj_size": proj_size} if proj_size else {}
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, 0.0, both,
            learned_state=learned_state, generator=None, rule=rule, **more,
        )  # fmt: skip
        self.rule, self.merge, self.padded, self.proj_size = rule, merge, padded, proj_size
        self.flipped = flipped
        if both and merge not in ("concat", None):
            self.output_size //= 2

    def _backwards(self, way: int) -> bool:
        return way == 1 or bool(self.direction == "reverse")

    def forward(
        self, input: Any, hx: Any = None, *, lengths: Any = None, first_step: int | None = None
    ) -> tuple[Any, Any]:
        """(outputs of the last layer at every step, last state of every layer and direction)."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx, first_step)
        if self.rule.first_without_state and hx is None:
            y, last = self._from_nothing(input, lengths, first_step)
        elif lengths is not None and self.padded[0] == "computed":
            y, last = self._computed_on(input, hx, lengths, first_step)
        else:
            y, last = super().forward(input, hx, lengths=lengths, first_step=first_step)
            if lengths is not None and self.padded != OURS:
                y, last = self._as_there(y, last, np.asarray(lengths))
        if self.flipped:
            y = functions.flip(y, [1 if self.batch_first and y.ndim == 3 else 0])
        return merged(y, self.merge if self.bidirectional else "concat"), last

    def _as_there(self, y: Tensor, last: Any, lengths: Any) -> tuple[Tensor, Any]:
        """Zeros beyond the lengths and initial states at length 0, made what the framework gives."""
        time = 1 if self.batch_first else 0
        steps = y.shape[time]
        wanted = self.padded[: 2 if self.bidirectional else 1]
        if self.direction == "reverse":
            wanted = (self.padded[1],)
        halves = y.chunk(len(wanted), -1)
        each = [
            repeat_last(half, lengths, batch_first=self.batch_first) if how == "repeat" else half
            for how, half in zip(wanted, halves, strict=True)
        ]
        y = each[0] if len(each) == 1 else several.cat(each, -1)
        if self.padded[2] == "zero" and steps:
            some = Tensor._wrap((lengths > 0)[None, :, None], None)
            parts = (last,) if isinstance(last, Tensor) else last
            kept = tuple(several.where(some, part, 0.0) for part in parts)
            last = kept[0] if isinstance(last, Tensor) else kept
        return y, last

    def _computed_on(
        self, input: Any, hx: Any, lengths: Any, first_step: int | None
    ) -> tuple[Tensor, Any]:
        """Flax: padded steps are computed as if they counted; at length 0 the state of the last step."""
        if self.direction != "forward":
            raise ValueError(
                "padded='theirs' with computed padding is for the forward direction alone"
            )
        y, _ = super().forward(input, hx, first_step=first_step)
        lengths = np.asarray(lengths)
        steps = y.shape[1 if self.batch_first else 0]
        counted = np.where(lengths == 0, steps, lengths)
        _, last = super().forward(input, hx, lengths=counted, first_step=first_step)
        return y, last

    def _from_nothing(self, input: Any, lengths: Any, first_step: int | None) -> tuple[Tensor, Any]:
        """Chainer's first step without a state: h takes no part in it, and neither do its biases."""
        cell: Any = self._first
        if self.num_layers > 1 or self.direction != "forward" or lengths is not None:
            raise ValueError(
                "a first step without a state is for one forward layer without lengths"
            )
        x, _, time = self._input(as_tensor(input))
        steps = x.shape[time]
        a = _some(x, time, 0, 1) @ cell.weight_ih.transpose(0, 1)
        if cell.bias_ih is not None:
            a = a + cell.bias_ih
        _, z, n = a.chunk(3, -1)
        y = (1 - functions.sigmoid(z)) * functions.tanh(n)
        state = y.transpose(0, 1) if time == 1 else y
        if x.ndim == 2:
            state = y
        if steps == 1:
            return y, state
        rest, last = super().forward(
            _some(x, time, 1, steps), state, first_step=(first_step or 0) + 1
        )
        return several.cat([y, rest], time), last

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        text = super().extra_repr()
        words = self.rule.differs()
        text = f"{self.rule.family}, {text}" + (f", {words}" if words else "")
        text += f", direction={self.direction!r}" if self.direction == "reverse" else ""
        text += f", merge={self.merge!r}" if self.merge != "concat" else ""
        return text + (f", padded={self.padded}" if self.padded[0] != "zero" else "")


class WithReadout(Module):
    """A recurrent layer and a linear map of its outputs: ``y, state = layer(x, state)``, y = W h + b."""

    def __init__(self, recurrent: Layer, out: Module) -> None:
        super().__init__()
        self.recurrent, self.out = recurrent, out

    def forward(self, input: Any, hx: Any = None, **options: Any) -> tuple[Tensor, Any]:
        """The outputs at every step, and the recurrent layer's last state."""
        y, last = self.recurrent(input, hx, **options)
        return self.out(y), last


def repeat_last(y: Any, lengths: Any, batch_first: bool = False) -> Tensor:
    """Outputs whose padded steps hold each sequence's last output again, as Keras and TF.js give them.

    y is (time, batch, features), with ``batch_first`` (batch, time, features); lengths (batch,). A
    sequence of length 0 keeps its zeros. Raises ValueError where the lengths do not fit.

    >>> import tinygrad_rnn as tg
    >>> y = tg.tensor([[[1.0]], [[2.0]], [[0.0]]])
    >>> tg.interop.repeat_last(y, [2]).flatten()
    tensor([1., 2., 2.])
    """
    y = as_tensor(y)
    lengths = np.asarray(lengths)
    if y.ndim != 3 or lengths.shape != (y.shape[0 if batch_first else 1],):
        raise ValueError(
            f"repeat_last: y has shape {y.shape} and lengths {lengths.shape}, expected three axes and "
            "a length for each sequence"
        )
    steps, rows = y.shape[1 if batch_first else 0], np.arange(len(lengths))
    at = np.minimum(np.arange(steps)[:, None], np.maximum(lengths - 1, 0)[None])
    found: Tensor = y[rows[:, None], at.T] if batch_first else y[at, rows[None]]
    return found


def _some(x: Tensor, axis: int, start: int, stop: int) -> Tensor:
    """A stretch of an axis."""
    return x[(slice(None),) * axis + (slice(start, stop),)]
