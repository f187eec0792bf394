"""Which network predicts the next row? One by its name, or one of the user's own, behind one door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn
from ..engine.switches import no_grad
from ..nn.stacks import RecurrentLayer
from ..tensors import Tensor, as_tensor
from ..tensors.functions import cumsum
from ..tensors.several import cat

NAMES: dict[str, Any] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
TOLERANCE = 1e-4  # of values about 1 in float32
Factory = Callable[[int, int], nn.Module]


class NextRow(nn.Module):
    """A recurrent layer and a linear head that predicts by how much the next row differs from this one.

    ``m_t = (v_1 + ... + v_t) / t``; ``y_t, s_t = rnn((v_t - m_t, k_t), s_{t-1})``;
    ``next_t = v_t + head(dropout(y_t))``

    x (time, batch, inputs) holds the rows' values v, ``columns`` of them, and what else is known, k. It
    gives the next rows (time, batch, copies * columns) and the state; ``copies`` is the number of quantiles.
    The network sees values beside their mean so far, so that a trend does not lead it where it never was.
    """

    def __init__(
        self, rnn: nn.Module, size: int, columns: int, copies: int, dropout: float
    ) -> None:
        super().__init__()
        self.rnn, self.dropout = rnn, nn.Dropout(dropout)
        self.head = nn.Linear(size, copies * columns)
        self.columns, self.copies = columns, copies

    def forward(self, x: Any, state: Any = None) -> tuple[Tensor, Any]:
        """The next rows, and the state after the last step: the layer's, the sum so far, the steps so far."""
        values, beside = x[..., : self.columns], x[..., self.columns :]
        inner, before, seen = (None, 0.0, 0) if state is None else state
        total = cumsum(values, 0) + before
        steps = np.arange(seen + 1, seen + len(x) + 1).reshape(-1, 1, 1).astype(values.dtype)
        read = cat([values - total / steps, beside], -1)
        y, inner = self.rnn(read) if inner is None else self.rnn(read, inner)
        changed = cat([values] * self.copies, -1) + self.head(self.dropout(y))
        return changed, (inner, total[-1], seen + len(x))


def made(
    model: str | nn.Module | Factory,
    inputs: int,
    columns: int,
    copies: int,
    *,
    hidden: int = 16,
    layers: int = 1,
    dropout: float = 0.0,
) -> nn.Module:
    """The network for so many inputs and columns.

    A name gets a :class:`NextRow`; so does a recurrent layer (``nn.LSTM``, ``nn.Recurrent`` of one's own
    cell), as it is. Another Module is taken as it is, and what else can be called is called with (inputs,
    outputs). Raises ValueError for a name that is none, and for a layer that takes another number of
    inputs or reads both ways.
    """
    if isinstance(model, str):
        if model not in NAMES:
            raise ValueError(f"model must be one of {', '.join(NAMES)} or a Module, got {model!r}")
        between = dropout if layers > 1 else 0.0
        rnn = NAMES[model](inputs, hidden, num_layers=layers, dropout=between)
        return NextRow(rnn, hidden, columns, copies, dropout)
    found = model if isinstance(model, nn.Module) else model(inputs, copies * columns)
    if not isinstance(found, nn.Module):
        raise TypeError(
            f"model must give a Module for (inputs, outputs), not {type(found).__name__}"
        )
    for part in found.modules():
        if getattr(part, "bidirectional", False):
            raise ValueError(
                f"{type(part).__name__}: bidirectional=True reads the steps to be forecast as well"
            )
        if getattr(part, "batch_first", False):
            raise ValueError(
                f"{type(part).__name__}: batch_first=True, and a forecaster's x is (time, batch, inputs)"
            )
    if isinstance(found, (RecurrentLayer, nn.Recurrent)):
        size = outputs_of(found, inputs).shape[-1]
        return NextRow(found, size, columns, copies, dropout)
    return found


def checked(model: nn.Module, inputs: int, outputs: int, steps: int) -> bool:
    """Whether a model returns a state; raise ValueError where it cannot forecast.

    Its output must be (time, batch, outputs), must not depend on later inputs, and with a state ``model(x,
    state)`` must go on where the steps before ended, so that a closed loop is the same as the whole
    sequence. This is tried on random inputs.
    """
    mode = model.training
    model.eval()
    name = type(model).__name__
    # not from the library's generator: what is drawn later does not depend on a check
    x = np.random.default_rng(0).standard_normal((max(steps, 2), 2, inputs)).astype(np.float32)
    try:
        whole, last = called(model, x)
        if whole.shape != (*x.shape[:2], outputs):
            raise ValueError(
                f"{name} gave {whole.shape} for x {x.shape}: expected (time, batch, outputs) = "
                f"{(*x.shape[:2], outputs)}"
            )
        later = x.copy()
        later[-1] += 1.0
        if not _close(called(model, later)[0][:-1], whole[:-1]):
            raise ValueError(f"{name}: its output at a step depends on later steps")
        if last is None:
            return False
        first, carried = called(model, x[:1])
        rest, _ = called(model, x[1:], carried)
        if not (_close(first, whole[:1]) and _close(rest, whole[1:])):
            raise ValueError(f"{name}: model(x, state) does not go on where the state was left")
        return True
    finally:
        model.train(mode)


@no_grad()
def called(model: nn.Module, x: Any, state: Any = None) -> tuple[Tensor, Any]:
    """Output and state of a model, without recording; the state is None where it returns none."""
    given = model(as_tensor(x)) if state is None else model(as_tensor(x), state)
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], Tensor):
        return given
    if not isinstance(given, Tensor):
        raise TypeError(
            f"{type(model).__name__} returned a {type(given).__name__}: expected (output, state), or the "
            "output alone"
        )
    return given, None


def outputs_of(layer: nn.Module, inputs: int) -> Tensor:
    """What a recurrent layer gives for one step of this many inputs."""
    try:
        return called(layer, np.zeros((1, 1, inputs), np.float32))[0]
    except ValueError as error:
        raise ValueError(f"{type(layer).__name__} must take {inputs} inputs: {error}") from error


def _close(a: Tensor, b: Tensor) -> bool:
    return bool(np.allclose(a.numpy(), b.numpy(), rtol=TOLERANCE, atol=TOLERANCE))
