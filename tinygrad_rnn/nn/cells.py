"""The equations of one time step. Each cell is its ``step``: input and state in, state out.

PyTorch's names, shapes and gate order: weights are (gates * H, features), gates i, f, g, o.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ..ops.elementwise import relu, sigmoid, tanh
from ..tensors import Tensor, get_default_dtype
from . import init
from .functional import linear
from .module import Module, Parameter
from .naming import name_all


class Cell(Module):
    """What the built-in cells share: weights, biases, a zero state, and the bare call.

    ``states`` names the parts of the state and ``gates`` what each gate is for; ``equations`` are the
    cell's equations as a picture writes them, with ``'`` for the value of the step before.
    """

    states: ClassVar[tuple[str, ...]] = ("h",)
    gates: ClassVar[dict[str, str]] = {}
    equations: dict[str, str] = {}  # noqa: RUF012 (an instance may replace it, none writes into it)

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, generator: Any = None
    ) -> None:
        super().__init__()
        for what, value in (("input_size", input_size), ("hidden_size", hidden_size)):
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{type(self).__name__}: {what} must be at least 1, got {value!r}")
        self.input_size, self.hidden_size, self.bias = int(input_size), int(hidden_size), bias
        rows = max(len(self.gates), 1) * self.hidden_size
        self.weight_ih = Parameter(np.zeros((rows, input_size)), dtype=get_default_dtype())
        self.weight_hh = Parameter(np.zeros((rows, hidden_size)), dtype=get_default_dtype())
        for name in ("bias_ih", "bias_hh"):
            start = Parameter(np.zeros(rows), dtype=get_default_dtype()) if bias else None
            self.register_parameter(name, start)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Any = None) -> None:
        """W_ih from U(-1/sqrt(H), 1/sqrt(H)), each gate's block of W_hh orthogonal, biases 0."""
        bound = 1 / math.sqrt(self.hidden_size)
        init.uniform_(self.weight_ih, -bound, bound, generator)
        init.recurrent_(self.weight_hh, max(len(self.gates), 1), generator)
        for bias in (self.bias_ih, self.bias_hh):
            if bias is not None:
                init.zeros_(bias)

    def initial_state(self, batch: int | None = None) -> Any:
        """Zeros: one (batch, H) tensor for each part of the state, (H,) without a batch."""
        shape = (self.hidden_size,) if batch is None else (batch, self.hidden_size)
        zeros = [Tensor._wrap(np.zeros(shape, self.weight_hh.dtype), None) for _ in self.states]
        return zeros[0] if len(zeros) == 1 else tuple(zeros)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One time step: (output, new state)."""
        raise NotImplementedError  # each cell writes its own equations

    def forward(self, input: Any, state: Any = None) -> Any:
        """One bare step on (batch, features) or (features,): the new state.

        The time step rides on the state: the first call is step 0, a call on the state that it
        returned is step 1, and so on. Raises ValueError where a shape does not fit.
        """
        from .recurrent import bare_step

        return bare_step(self, input, state)

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(Cell):
    """One step of a simple recurrent net (Elman 1990), with PyTorch's two biases.

    ``h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)``

    x (batch, input_size) and h (batch, hidden_size) give h; both may lack the batch. ``nonlinearity``
    is "tanh" or "relu". See ``reset_parameters`` for how weights start. Raises ValueError for a shape
    that does not fit.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.RNNCell(2, 3)
    >>> cell(tg.zeros(5, 2)).shape
    (5, 3)
    """

    equations: dict[str, str] = {  # noqa: RUF012
        "z": "W_ih x + b_ih + W_hh h' + b_hh",
        "h": "tanh(z)",
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        generator: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, bias, generator=generator)
        self.nonlinearity = nonlinearity
        if nonlinearity == "relu":
            self.equations = {**type(self).equations, "h": "relu(z)"}

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """h = tanh(W_ih x + b_ih + W_hh h + b_hh): (h, h)."""
        z = linear(x, self.weight_ih, self.bias_ih) + linear(state, self.weight_hh, self.bias_hh)
        h = tanh(z) if self.nonlinearity == "tanh" else relu(z)
        name_all(z=z, h=h)
        return h, h

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        return super().extra_repr() + (
            "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}"
        )


class LSTMCell(Cell):
    """One step of long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    ``i, f, g, o = split(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, 4)``;
    ``c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)``; ``h_t = sigmoid(o) * tanh(c_t)``

    x (batch, input_size) and (h, c), each (batch, hidden_size), give (h, c); all may lack the batch.
    The forget gate's bias starts at ``forget_bias`` (Jozefowicz et al. 2015): the sum of the two
    biases is meant, ``bias_ih`` gets it and ``bias_hh`` starts at 0. Raises ValueError for a shape that
    does not fit.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.LSTMCell(2, 3)
    >>> h, c = cell(tg.zeros(5, 2))
    >>> h.shape, c.shape
    ((5, 3), (5, 3))
    """

    states: ClassVar[tuple[str, ...]] = ("h", "c")
    gates: ClassVar[dict[str, str]] = {"i": "input", "f": "forget", "g": "cell", "o": "output"}
    equations: dict[str, str] = {  # noqa: RUF012
        "z": "W_ih x + b_ih + W_hh h' + b_hh",
        "c": "f * c' + i * g",
        "h": "o * tanh(c)",
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        forget_bias: float = 1.0,
        *,
        generator: Any = None,
    ) -> None:
        self.__dict__["forget_bias"] = forget_bias
        super().__init__(input_size, hidden_size, bias, generator=generator)
        self.forget_bias = forget_bias

    def reset_parameters(self, generator: Any = None) -> None:
        """As ``Cell`` does; then the forget gate's part of ``bias_ih`` is set to ``forget_bias``."""
        super().reset_parameters(generator)
        if self.bias_ih is not None:
            start = np.zeros(self.bias_ih.shape)
            start[self.hidden_size : 2 * self.hidden_size] = self.__dict__["forget_bias"]
            init._write(self.bias_ih, start, "forget_bias")

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        """The LSTM's equations: (h, (h, c))."""
        h, c = state
        z = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = z.chunk(4, -1)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * tanh(c)
        name_all(z=z, i=i, f=f, g=g, o=o, c=c, h=h)
        return h, (h, c)
