"""Which cells have other frameworks that ``nn`` has not? With other activations, peepholes, gates."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from ..nn.cells import Cell, GRUCell, LSTMCell, RNNCell
from ..nn.functional import linear
from ..nn.layers import Linear
from ..nn.module import Module, ModuleList
from ..nn.stepping import name_all
from ..ops.elementwise import sigmoid, tanh
from ..tensors import Tensor
from ..tensors.functions import clip
from ..tensors.several import cat, where
from .activations import SIGMOID, TANH, Activation, apply, in_words


@dataclass(frozen=True)
class Rule:
    """What a layer computes, wherever its weights come from: everything but the numbers.

    ``family`` is LSTM, GRU, RNN, MGU, SLSTM or CfC; ``gates`` the order in our weights; ``gate`` the
    activation of gates, ``act`` of the candidate (an RNN's only one), ``out`` of c on its way to h;
    ``peephole`` is "", "vector" or "matrix"; ``coupled`` makes f = 1 - i; ``cell_state=False`` puts
    the last h in place of c; ``clip`` bounds what activations get; ``residual`` adds an RNN's state;
    ``gated=False`` leaves out the gate that an MGU's candidate or a CfC's first branch has;
    ``first_without_state`` leaves out all of h at a first step that has no state given;
    ``unused_forget`` keeps a coupled LSTM's forget gate among the weights, where it does nothing.
    """

    family: str
    gate: Activation = SIGMOID
    act: Activation = TANH
    out: Activation = TANH
    reset_after: bool = True
    peephole: str = ""
    coupled: bool = False
    cell_state: bool = True
    clip: float | None = None
    residual: bool = False
    gated: bool = True
    first_without_state: bool = False
    threshold: float | None = None
    kept_state: bool = True
    unused_forget: bool = False

    @property
    def gates(self) -> str:
        """The gates in the order of our weights' blocks."""
        if self.family == "LSTM" and self.coupled and not self.unused_forget:
            return "igo"
        return {"LSTM": "ifgo", "GRU": "rzn", "RNN": "h", "MGU": "fn", "SLSTM": "ifgo"}.get(
            self.family, ""
        )

    def differs(self) -> str:
        """What is not PyTorch's in this rule, in words."""
        plain = Rule(self.family)
        words = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(plain, field.name):
                known = isinstance(value, tuple) and isinstance(value[0], str)
                words.append(f"{field.name}={in_words(value) if known else repr(value)}")
        return ", ".join(words)


class RuleLSTMCell(LSTMCell):
    """An LSTM with the activations, peepholes and couplings that a ``Rule`` says.

    ``i = gate(z_i + P_i c')``; ``f = gate(z_f + P_f c')`` or, coupled, ``1 - i``;
    ``c = f c' + i act(z_g)``; ``h = gate(z_o + P_o c) out(c)``, with c' = h' where there is no c
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool, *, rule: Rule, **more: Any):
        names = dict(LSTMCell.gates)
        self.__dict__.update(
            rule=rule,
            gates={k: names[k] for k in rule.gates},
            squashed=tuple(k for k in rule.gates if k != "g"),
        )
        if not rule.cell_state:
            self.__dict__["states"] = ("h",)
        super().__init__(input_size, hidden_size, bias, **more)

    def _add_more(self) -> None:
        super()._add_more()
        rule: Rule = self.__dict__["rule"]
        if rule.peephole == "vector":
            self._add("weight_peephole", 3 * self.hidden_size)
        if rule.peephole == "matrix":
            for k in "io" if rule.coupled else "ifo":
                self._add(f"weight_c{k}", self.hidden_size, self.hidden_size)

    def reset_parameters(self, generator: Any = None) -> None:
        """As ``Cell`` does; the forget gate's bias at 1 where it is a gate of its own."""
        if "f" in self.gates:
            super().reset_parameters(generator)
        else:
            Cell.reset_parameters(self, generator)

    def _peep(self, k: str, z: Tensor, c: Tensor) -> Tensor:
        if self.rule.peephole == "matrix":
            return z + linear(c, getattr(self, f"weight_c{k}"))
        if self.rule.peephole == "vector":
            weights: Tensor = self.weight_peephole
            return z + weights.chunk(3)["ifo".index(k)] * c
        return z

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The equations: (h, (h, c))."""
        rule: Rule = self.rule
        h, c = state if rule.cell_state else (state, state)
        z = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        part = dict(zip(rule.gates, z.chunk(len(rule.gates), -1), strict=True))
        i = apply(rule.gate, _clipped(rule, self._peep("i", part["i"], c)))
        f = 1 - i
        if not rule.coupled:
            f = apply(rule.gate, _clipped(rule, self._peep("f", part["f"], c)))
        g = apply(rule.act, _clipped(rule, part["g"]))
        c = f * c + i * g
        o = apply(rule.gate, _clipped(rule, self._peep("o", part["o"], c)))
        h = self.project(o * apply(rule.out, c))
        name_all(z=z, i=i, f=f, g=g, o=o, c=c, h=h)
        return h, (h, c) if rule.cell_state else h

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        return _more(super().extra_repr(), self.rule)


class RuleGRUCell(GRUCell):
    """A GRU with the activations that a ``Rule`` says, reset before or after; see ``nn.GRUCell``."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, *, rule: Rule, **more: Any):
        self.__dict__["rule"] = rule
        super().__init__(input_size, hidden_size, bias, rule.reset_after, **more)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equations: (h, h)."""
        rule: Rule = self.rule
        x_r, x_z, x_n = linear(x, self.weight_ih, self.bias_ih).chunk(3, -1)
        w_r, w_z, w_n = self.weight_hh.chunk(3)
        b_r, b_z, b_n = (None,) * 3 if self.bias_hh is None else self.bias_hh.chunk(3)
        r = apply(rule.gate, _clipped(rule, x_r + linear(state, w_r, b_r)))
        z = apply(rule.gate, _clipped(rule, x_z + linear(state, w_z, b_z)))
        h_n = r * linear(state, w_n, b_n) if rule.reset_after else linear(r * state, w_n, b_n)
        n = apply(rule.act, _clipped(rule, x_n + h_n))
        h = (1 - z) * n + z * state
        name_all(r=r, z=z, n=n, h=h)
        return h, h

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        return _more(super().extra_repr(), self.rule)


class RuleRNNCell(RNNCell):
    """A simple recurrent net with any activation, ``residual`` adding the state: h = act(z + h')."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, *, rule: Rule, **more: Any):
        self.__dict__["rule"] = rule
        super().__init__(input_size, hidden_size, bias, **more)
        self.equations = {**type(self).equations, "h": f"{in_words(rule.act)} of z"}

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """h = act(W_ih x + b_ih + W_hh h + b_hh): (h, h)."""
        rule: Rule = self.rule
        z = linear(x, self.weight_ih, self.bias_ih) + linear(state, self.weight_hh, self.bias_hh)
        if rule.residual:
            z = z + state
        h = apply(rule.act, _clipped(rule, z))
        name_all(z=z, h=h)
        return h, h

    def extra_repr(self) -> str:
        """The sizes, and what differs from the default."""
        return _more(super().extra_repr(), self.rule)


class MGUCell(Cell):
    """One step of a minimal gated unit (Zhou et al. 2016), Flax's form.

    ``f = sigmoid(W_if x + b_if + W_hf h')``; ``n = tanh(W_in x + b_in + f (W_hn h' + b_hn))``, f left
    out with ``gated=False``; ``h = (1 - f) n + f h'``
    """

    gates: ClassVar[dict[str, str]] = {"f": "forget", "n": "new"}
    squashed: ClassVar[tuple[str, ...]] = ("f",)
    equations: dict[str, str] = {  # noqa: RUF012
        "products": "W_ih x + b_ih; W_hh h' + b_hh",
        "h": "(1 - f) * n + f * h'",
    }

    def __init__(self, input_size: int, hidden_size: int, bias: bool, *, rule: Rule, **more: Any):
        self.__dict__["rule"] = rule
        super().__init__(input_size, hidden_size, bias, **more)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equations: (h, h)."""
        rule: Rule = self.rule
        x_f, x_n = linear(x, self.weight_ih, self.bias_ih).chunk(2, -1)
        h_f, h_n = linear(state, self.weight_hh, self.bias_hh).chunk(2, -1)
        f = apply(rule.gate, x_f + h_f)
        n = apply(rule.act, x_n + (f * h_n if rule.gated else h_n))
        h = (1 - f) * n + f * state
        name_all(f=f, n=n, h=h)
        return h, h


class SpikingLSTMCell(LSTMCell):
    """An LSTM whose output is a spike where h is above a threshold, snntorch's SLSTM.

    ``h, c`` as in ``nn.LSTMCell``; output 1 where h > threshold, else 0. A spike has no slope and
    passes no gradient here (snntorch puts a surrogate in its place): train through the state.
    ``kept_state=False`` is what snntorch does where input and state differ in size: every step starts
    from zeros.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool, *, rule: Rule, **more: Any):
        self.__dict__["rule"] = rule
        super().__init__(input_size, hidden_size, bias, **more)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The equations: (spikes, (h, c))."""
        if not self.rule.kept_state:
            state = (0 * state[0], 0 * state[1])
        h, new = super().step(x, state)
        return where(h > self.rule.threshold, 1.0, 0.0).to(h.dtype), new


class CfCCell(Module):
    """One step of a closed-form continuous-time cell (Hasani et al. 2022), as ncps has it, ts = 1.

    ``z = backbone([x, h'])``; ``k = sigmoid(time_a z + time_b z)``;
    ``h = tanh(ff1 z) (1 - k) + k tanh(ff2 z)``; with ``gated=False`` (ncps's "no_gate")
    ``h = tanh(ff1 z) + k tanh(ff2 z)``
    """

    states: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(self, rule: Rule, input_size: int, hidden_size: int, widths: list[int]) -> None:
        super().__init__()
        self.__dict__["rule"] = rule
        self.input_size, self.hidden_size = input_size, hidden_size
        size = input_size + hidden_size
        self.backbone = ModuleList()
        for width in widths:
            self.backbone.append(Linear(size, width))
            size = width
        self.ff1, self.ff2 = Linear(size, hidden_size), Linear(size, hidden_size)
        self.time_a, self.time_b = Linear(size, hidden_size), Linear(size, hidden_size)

    def initial_state(self, batch: int | None) -> Tensor:
        """Zeros."""
        lead = () if batch is None else (batch,)
        return Tensor._wrap(np.zeros((*lead, self.hidden_size), self.ff1.weight.dtype), None)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equations: (h, h)."""
        rule: Rule = self.rule
        z = cat([x, state], -1)
        for layer in self.backbone:
            z = apply(rule.act, layer(z))
        k = sigmoid(self.time_a(z) + self.time_b(z))
        one, two = tanh(self.ff1(z)), tanh(self.ff2(z))
        h = one * (1 - k) + k * two if rule.gated else one + k * two
        name_all(k=k, h=h)
        return h, h


CELLS: dict[str, type[Cell]] = {
    "LSTM": RuleLSTMCell,
    "GRU": RuleGRUCell,
    "RNN": RuleRNNCell,
    "MGU": MGUCell,
    "SLSTM": SpikingLSTMCell,
}


def _clipped(rule: Rule, z: Tensor) -> Tensor:
    return z if rule.clip is None else clip(z, -rule.clip, rule.clip)


def _more(text: str, rule: Rule) -> str:
    words = rule.differs()
    return f"{text}, {words}" if words else text
