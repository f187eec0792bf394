"""What happens in one time step? Each cell is its ``step``, its equations: input and state in, state out.

PyTorch's names, shapes and gate order: weights are (gates * H, features), gates i, f, g, o. Variations of the
LSTM stand in ``more_cells``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..engine.values import handle
from ..ops.elementwise import relu, sigmoid, tanh
from ..ops.products import linear
from ..tensors import Tensor, get_default_dtype
from . import init
from .bare import bare_step
from .checks import check_flags, check_projection, check_sizes
from .module import Module, Parameter
from .placing import placed
from .stepping import name_all


class Cell(Module):
    """What the built-in cells share: weights, biases, a zero state, and the bare call.

    ``states`` names the parts of the state, ``gates`` what each gate is for (``squashed`` those that
    a sigmoid keeps between 0 and 1); ``equations`` are the cell's equations as a picture writes them,
    with ``'`` for the value of the step before. A call is one node of a graph, with the ops behind it, to be
    recorded when somebody looks; with ``compiled = False`` they are recorded at once.
    """

    compiled: bool = True
    states: ClassVar[tuple[str, ...]] = ("h",)
    gates: ClassVar[dict[str, str]] = {}
    squashed: ClassVar[tuple[str, ...]] = ()
    equations: dict[str, str] = {}  # noqa: RUF012 (an instance may replace it, none writes into it)

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        output_size: int = 0,
        generator: Any = None,
    ) -> None:
        super().__init__()
        self._shapes = {}
        check_sizes(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        check_flags(type(self).__name__, bias=bias)
        self.input_size, self.hidden_size, self.bias = int(input_size), int(hidden_size), bias
        self.output_size = output_size or self.hidden_size
        rows = max(len(self.gates), 1) * self.hidden_size
        self._add("weight_ih", rows, self.input_size)
        self._add("weight_hh", rows, self.output_size)
        for name in ("bias_ih", "bias_hh"):
            if bias:
                self._add(name, rows)
            else:
                self._shapes[name] = (rows,)
                self.register_parameter(name, None)
        self._add_more()
        init._begin(self, generator)

    def _add(self, name: str, *shape: int) -> None:
        self._shapes[name] = shape
        self.register_parameter(name, Parameter(np.zeros(shape), dtype=get_default_dtype()))

    def _add_more(self) -> None:
        """Parameters that a cell has beyond the usual four."""

    def reset_parameters(self, generator: Any = None) -> None:
        """W_ih from U(-1/sqrt(H), 1/sqrt(H)), each gate's block of W_hh orthogonal, biases 0."""
        bound = 1 / math.sqrt(self.hidden_size)
        init.uniform_(self.weight_ih, -bound, bound, generator)
        init.recurrent_(self.weight_hh, max(len(self.gates), 1), generator)
        for bias in (self.bias_ih, self.bias_hh):
            if bias is not None:
                init.zeros_(bias)

    def state_sizes(self) -> dict[str, int]:
        """The number of features of each part of the state."""
        return {name: self.output_size if name == "h" else self.hidden_size for name in self.states}

    def initial_state(self, batch: int | None = None) -> Any:
        """Zeros: one (batch, H) tensor for each part of the state, (H,) without a batch."""
        lead = () if batch is None else (batch,)
        dtype = self.weight_hh._data.dtype
        zeros = [
            handle(np.zeros((*lead, size), dtype), None) for size in self.state_sizes().values()
        ]
        return zeros[0] if len(zeros) == 1 else tuple(zeros)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One time step: (output, new state)."""
        raise NotImplementedError  # each cell writes its own equations

    def forward(self, input: Any, state: Any = None) -> Any:
        """One bare step on (batch, features) or (features,): the new state.

        The time step rides on the state: the first call is step 0, a call on the state that it
        returned is step 1, and so on. Raises ValueError where a shape does not fit.
        """
        return bare_step(self, input, state)

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


@placed
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

    if TYPE_CHECKING:

        def __call__(self, input: Any, state: Any = None) -> Tensor:
            """h of this step."""

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


@placed
class LSTMCell(Cell):
    """One step of long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    ``i, f, g, o = split(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, 4)``;
    ``c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)``; ``h_t = sigmoid(o) * tanh(c_t)``

    x (batch, input_size) and (h, c), each (batch, hidden_size), give (h, c); all may lack the batch.
    The forget gate's bias starts at ``forget_bias`` (Jozefowicz et al. 2015): the sum of the two
    biases is meant, ``bias_ih`` gets it and ``bias_hh`` starts at 0. ``proj_size`` P makes
    h_t = W_hr (sigmoid(o) * tanh(c_t)) of P features (Sak et al. 2014). Raises ValueError for a shape
    that does not fit.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.LSTMCell(2, 3)
    >>> h, c = cell(tg.zeros(5, 2))
    >>> h.shape, c.shape
    ((5, 3), (5, 3))
    """

    states: ClassVar[tuple[str, ...]] = ("h", "c")
    gates: ClassVar[dict[str, str]] = {"i": "input", "f": "forget", "g": "cell", "o": "output"}
    squashed: ClassVar[tuple[str, ...]] = ("i", "f", "o")
    equations: dict[str, str] = {  # noqa: RUF012
        "z": "W_ih x + b_ih + W_hh h' + b_hh",
        "c": "f * c' + i * g",
        "h": "o * tanh(c)",
    }

    if TYPE_CHECKING:

        def __call__(self, input: Any, state: Any = None) -> tuple[Tensor, Tensor]:
            """(h, c) of this step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        forget_bias: float = 1.0,
        proj_size: int = 0,
        *,
        generator: Any = None,
    ) -> None:
        who = type(self).__name__
        check_sizes(who, hidden_size=hidden_size)
        check_projection(who, proj_size, hidden_size)
        self.__dict__.update(forget_bias=forget_bias, proj_size=proj_size)
        super().__init__(input_size, hidden_size, bias, output_size=proj_size, generator=generator)
        self.forget_bias, self.proj_size = forget_bias, proj_size
        if proj_size:
            self.equations = {**type(self).equations, "h": "W_hr (o * tanh(c))"}

    def _add_more(self) -> None:
        if self.__dict__["proj_size"]:
            self._add("weight_hr", self.__dict__["proj_size"], self.hidden_size)

    def reset_parameters(self, generator: Any = None) -> None:
        """As ``Cell`` does; ``weight_hr`` like ``weight_ih``; the forget gate's bias ``forget_bias``."""
        super().reset_parameters(generator)
        if self.__dict__["proj_size"]:
            bound = 1 / math.sqrt(self.hidden_size)
            init.uniform_(self.weight_hr, -bound, bound, generator)
        if self.bias_ih is not None:
            init.forget_bias_(self, self.__dict__["forget_bias"])

    def project(self, h: Tensor) -> Tensor:
        """W_hr h where the cell has a projection, else h."""
        return linear(h, self.weight_hr) if self.proj_size else h

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        """The LSTM's equations: (h, (h, c))."""
        h, c = state
        z = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = z.chunk(4, -1)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        c = f * c + i * g
        h = self.project(o * tanh(c))
        name_all(z=z, i=i, f=f, g=g, o=o, c=c, h=h)
        return h, (h, c)

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        return super().extra_repr() + (f", proj_size={self.proj_size}" if self.proj_size else "")


@placed
class GRUCell(Cell):
    """One step of a gated recurrent unit (Cho et al. 2014), PyTorch's form.

    ``r = sigmoid(W_ir x_t + b_ir + W_hr h + b_hr)``; ``z = sigmoid(W_iz x_t + b_iz + W_hz h + b_hz)``;
    ``n = tanh(W_in x_t + b_in + r * (W_hn h + b_hn))``; ``h_t = (1 - z) * n + z * h``, h = h_{t-1}

    With ``reset_after=False`` the reset comes before the product, as in the paper:
    ``n = tanh(W_in x_t + b_in + W_hn (r * h) + b_hn)``. Gates are in the order r, z, n. x (batch,
    input_size) and h (batch, hidden_size) give h; both may lack the batch. Raises ValueError for a
    shape that does not fit.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.GRUCell(2, 3)(tg.zeros(5, 2)).shape
    (5, 3)
    """

    gates: ClassVar[dict[str, str]] = {"r": "reset", "z": "update", "n": "new"}
    squashed: ClassVar[tuple[str, ...]] = ("r", "z")
    equations: dict[str, str] = {  # noqa: RUF012
        "products": "W_ih x + b_ih; W_hh h' + b_hh",
        "h": "(1 - z) * n + z * h'",
    }

    if TYPE_CHECKING:

        def __call__(self, input: Any, state: Any = None) -> Tensor:
            """h of this step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        reset_after: bool = True,
        *,
        generator: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, generator=generator)
        self.reset_after = reset_after

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The GRU's equations: (h, h)."""
        h = state
        x_r, x_z, x_n = linear(x, self.weight_ih, self.bias_ih).chunk(3, -1)
        if self.reset_after:
            h_r, h_z, h_n = linear(h, self.weight_hh, self.bias_hh).chunk(3, -1)
            r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
            n = tanh(x_n + r * h_n)
        else:
            W_r, W_z, W_n = self.weight_hh.chunk(3)  # noqa: N806 (the equation's names)
            b_r, b_z, b_n = (None,) * 3 if self.bias_hh is None else self.bias_hh.chunk(3)
            r, z = sigmoid(x_r + linear(h, W_r, b_r)), sigmoid(x_z + linear(h, W_z, b_z))
            n = tanh(x_n + linear(r * h, W_n, b_n))
        h = (1 - z) * n + z * h
        name_all(r=r, z=z, n=n, h=h)
        return h, h

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")
