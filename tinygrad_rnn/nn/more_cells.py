"""Which other LSTMs are there? With peepholes, with layer normalisation, with coupled gates."""

from __future__ import annotations

from typing import Any, ClassVar

from ..ops.elementwise import sigmoid, tanh
from ..ops.products import linear
from ..tensors import Tensor
from .cells import LSTMCell
from .layers import LayerNorm
from .stepping import name_all


class PeepholeLSTMCell(LSTMCell):
    """An LSTM whose gates see the cell state (Gers, Schraudolph & Schmidhuber 2002).

    ``i = sigmoid(z_i + p_i * c_{t-1})``; ``f = sigmoid(z_f + p_f * c_{t-1})``;
    ``c_t = f * c_{t-1} + i * tanh(z_g)``; ``o = sigmoid(z_o + p_o * c_t)``; ``h_t = o * tanh(c_t)``

    ``weight_peephole`` (3H,) holds p_i, p_f, p_o and starts at 0; the rest is as in ``LSTMCell``.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.PeepholeLSTMCell(2, 3)
    >>> cell.weight_peephole.shape
    (9,)
    """

    def _add_more(self) -> None:
        super()._add_more()
        self._add("weight_peephole", 3 * self.hidden_size)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        """The peephole LSTM's equations: (h, (h, c))."""
        h, c = state
        z = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = z.chunk(4, -1)
        p_i, p_f, p_o = self.weight_peephole.chunk(3)
        i, f, g = sigmoid(i + p_i * c), sigmoid(f + p_f * c), tanh(g)
        c = f * c + i * g
        o = sigmoid(o + p_o * c)
        h = self.project(o * tanh(c))
        name_all(z=z, i=i, f=f, g=g, o=o, c=c, h=h)
        return h, (h, c)


class LayerNormLSTMCell(LSTMCell):
    """An LSTM with layer normalisation (Ba, Kiros & Hinton 2016).

    ``i, f, g, o = split(LN(W_ih x_t) + LN(W_hh h_{t-1}) + b, 4)``;
    ``c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)``; ``h_t = sigmoid(o) * tanh(LN(c_t))``

    Each LN has its own gain and bias: ``norm_ih`` and ``norm_hh`` over 4H, ``norm_c`` over H; b is
    ``bias_ih``. Run it with ``nn.Recurrent``.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Recurrent(tg.nn.LayerNormLSTMCell(2, 3))
    >>> y, (h, c) = layer(tg.zeros(7, 5, 2))
    >>> y.shape
    (7, 5, 3)
    """

    equations = LSTMCell.equations | {
        "z": "LN(W_ih x) + LN(W_hh h') + b_ih",
        "h": "o * tanh(LN(c))",
    }

    def _add_more(self) -> None:
        super()._add_more()
        self.register_parameter("bias_hh", None)
        self._shapes["bias_hh"] = None
        self.norm_ih = LayerNorm(4 * self.hidden_size)
        self.norm_hh = LayerNorm(4 * self.hidden_size)
        self.norm_c = LayerNorm(self.hidden_size)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        """The equations: (h, (h, c))."""
        h, c = state
        z = self.norm_ih(linear(x, self.weight_ih)) + self.norm_hh(linear(h, self.weight_hh))
        if self.bias_ih is not None:
            z = z + self.bias_ih
        i, f, g, o = z.chunk(4, -1)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        c = f * c + i * g
        h = self.project(o * tanh(self.norm_c(c)))
        name_all(z=z, i=i, f=f, g=g, o=o, c=c, h=h)
        return h, (h, c)


class CoupledLSTMCell(LSTMCell):
    """An LSTM whose input gate is what the forget gate leaves: i = 1 - f (Greff et al. 2017, CIFG).

    ``f, g, o = split(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, 3)``;
    ``c_t = sigmoid(f) * c_{t-1} + (1 - sigmoid(f)) * tanh(g)``; ``h_t = sigmoid(o) * tanh(c_t)``

    Weights are (3H, features), gates in the order f, g, o. Run it with ``nn.Recurrent``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.CoupledLSTMCell(2, 3).weight_ih.shape
    (9, 2)
    """

    gates: ClassVar[dict[str, str]] = {"f": "forget", "g": "cell", "o": "output"}
    squashed: ClassVar[tuple[str, ...]] = ("f", "o")
    equations = LSTMCell.equations | {"c": "f * c' + (1 - f) * g"}

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        """The equations: (h, (h, c))."""
        h, c = state
        z = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        f, g, o = z.chunk(3, -1)
        f, g, o = sigmoid(f), tanh(g), sigmoid(o)
        c = f * c + (1 - f) * g
        h = self.project(o * tanh(c))
        name_all(z=z, f=f, g=g, o=o, c=c, h=h)
        return h, (h, c)
