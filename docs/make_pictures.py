"""Draw every picture that the README and the docs show, into docs/pictures/.

    python docs/make_pictures.py

The pictures are recorded graphs, drawn by the project itself. Look at them when they change.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from misconception import misconception

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.output import svg_of

Draw = Callable[[], tg.Tensor | list[tg.Tensor]]
State = tuple[tg.Tensor, tg.Tensor]
HERE = Path(__file__).parent / "pictures"


def lstm_cells() -> tg.Tensor:
    """The README's picture: an LSTM over four steps."""
    y, _ = nn.LSTM(input_size=4, hidden_size=3)(tg.randn(4, 1, 4))
    return y


def rnn_cells() -> tg.Tensor:
    """A simple recurrent net over four steps."""
    y, _ = nn.RNN(input_size=2, hidden_size=3)(tg.randn(4, 1, 2))
    return y


def long_lstm() -> tg.Tensor:
    """A hundred steps, the middle folded."""
    y, _ = nn.LSTM(input_size=4, hidden_size=3)(tg.randn(100, 1, 4))
    return y


def two_layers() -> tg.Tensor:
    """Two layers, each with its own set of weights."""
    y, _ = nn.LSTM(input_size=4, hidden_size=3, num_layers=2)(tg.randn(3, 1, 4))
    return y


def head_and_loss() -> tg.Tensor:
    """A forecast from the last output, and its loss."""
    lstm, head = nn.LSTM(input_size=2, hidden_size=8), nn.Linear(8, 1)
    y, _ = lstm(tg.randn(4, 1, 2))
    return nn.functional.mse_loss(head(y[-1]), tg.zeros(1, 1))


def bare_parameters(steps: int = 3) -> tg.Tensor:
    """The question's own loop: h = tanh(W_hh @ h + W_xh @ x_t), on bare Parameters."""
    w_hh = tg.name(tg.randn(3, 3, requires_grad=True), "W_hh")
    w_xh = tg.name(tg.randn(3, 2, requires_grad=True), "W_xh")
    h = tg.name(tg.zeros(3), "h")
    for x_t in tg.steps(tg.randn(steps, 2)):
        h = tg.name(tg.tanh(w_hh @ h + w_xh @ x_t), "h")
    return h


def lstm_of_my_own() -> tg.Tensor:
    """A user's own cell, gate by gate, run by nn.Recurrent."""
    return nn.Recurrent(OwnLSTM())(tg.randn(3, 1, 4))[0]


def my_own_loop() -> tg.Tensor:
    """The same cell in a loop of the user's own."""
    cell, ys = OwnLSTM(), []
    state = cell.initial_state(1)
    for x_t in tg.steps(tg.randn(3, 1, 4)):
        y, state = cell(x_t, state)
        ys.append(y)
    return tg.stack(ys)


class OwnLSTM(nn.Module):
    """The equations as one writes them down: a Parameter for each product."""

    def __init__(self) -> None:
        super().__init__()
        self.W_f, self.W_g, self.W_o = (nn.Parameter(tg.randn(4, 3)) for _ in range(3))
        self.U_f, self.U_g, self.U_o = (nn.Parameter(tg.randn(3, 3)) for _ in range(3))

    def forward(self, x: tg.Tensor, state: State) -> tuple[tg.Tensor, State]:
        """f forgets, and what it forgets is replaced by g."""
        h, c = state
        f = tg.name(tg.sigmoid(x @ self.W_f + h @ self.U_f), "f")
        g = tg.name(tg.tanh(x @ self.W_g + h @ self.U_g), "g")
        o = tg.name(tg.sigmoid(x @ self.W_o + h @ self.U_o), "o")
        c = f * c + (1 - f) * g
        h = o * tg.tanh(c)
        return h, (h, c)

    def initial_state(self, batch: int) -> State:
        """Zeros."""
        return tg.zeros(batch, 3), tg.zeros(batch, 3)


def bare_parameters_long() -> tg.Tensor:
    """The question's own loop over forty steps."""
    return bare_parameters(40)


def scalars() -> tg.Tensor:
    """h = tanh(w h + u x + b) on single numbers."""
    w, u, b = (tg.tensor(v, requires_grad=True) for v in (0.8, 0.5, 0.1))
    for name, parameter in zip("wub", (w, u, b), strict=True):
        tg.name(parameter, name)
    h = tg.name(tg.tensor(0.5), "h")
    for x in tg.steps(tg.tensor([1.0, -0.5, 2.0])):
        h = tg.name(tg.tanh(w * h + u * x + b), "h")
    return h


def two_loops() -> tg.Tensor:
    """One loop after another, the second with an input beside x."""
    parameters = [tg.name(tg.randn(3, 3, requires_grad=True), name) for name in "WUV"]
    w, u, v = parameters
    h = tg.name(tg.zeros(3), "h")
    for x in tg.steps(tg.randn(2, 3)):
        h = tg.name(tg.tanh(w @ h + x), "h")
    s, wind = h, tg.randn(3, 3)
    for t, x in enumerate(tg.steps(tg.randn(3, 3))):
        s = tg.name(tg.tanh(u @ s + x + v @ tg.name(wind[t], "u")), "s")
    return s


tg.manual_seed(0)  # layers that are made here start alike in every run
ENCODER, DECODER = nn.LSTM(4, 3, num_layers=2), nn.LSTM(2, 3, num_layers=2)
CHUNKED = nn.RNN(2, 3)


def encoder_decoder() -> tg.Tensor:
    """Two layers that read, two that go on from their states."""
    _, state = ENCODER(tg.randn(3, 1, 4))
    return DECODER(tg.randn(2, 1, 2), state)[0]


def truncated() -> list[tg.Tensor]:
    """Three chunks of truncated backpropagation."""
    return [chunk.output for chunk in nn.tbptt(CHUNKED, tg.randn(6, 1, 2), k1=2)]


CELLS = [nn.LSTMCell(4, 3) for _ in range(3)]
SHARED = nn.LSTM(4, 3)


def separate() -> tg.Tensor:
    """The misconception: three steps, each with weights of its own."""
    state = None
    for cell in CELLS:
        state = cell(tg.randn(1, 4), state)
    return state[0]


def run(layer: nn.Module, steps: int = 3, **call: object) -> Draw:
    """A layer over a few steps of noise; it stays alive, so that its Parameters keep their names."""

    def make() -> tg.Tensor:
        batch = len(call["lengths"]) if "lengths" in call else 1  # type: ignore[arg-type]
        y: tg.Tensor = layer(tg.randn(steps, batch, 4), **call)[0]
        return y

    return make


BOTH_LEVELS = {
    "gru": run(nn.GRU(4, 3)),
    "gru_reset_before": run(nn.GRU(4, 3, reset_after=False)),
    "lstm_peephole": run(nn.LSTM(4, 3, peephole=True)),
    "lstm_projection": run(nn.LSTM(4, 3, proj_size=2)),
    "lstm_layer_norm": run(nn.Recurrent(nn.LayerNormLSTMCell(4, 3))),
    "lstm_coupled": run(nn.Recurrent(nn.CoupledLSTMCell(4, 3))),
    "lstm_both_ways": run(nn.LSTM(4, 3, bidirectional=True)),
    "rnn_both_ways_30_steps": run(nn.RNN(4, 3, bidirectional=True), 30),
    "lstm_both_ways_two_layers": run(nn.LSTM(4, 3, num_layers=2, bidirectional=True)),
    "lstm_ragged": run(nn.LSTM(4, 3), 4, lengths=[2, 2, 1]),
    "lstm_learned_state": run(nn.LSTM(4, 3, learned_state=True)),
    "lstm_variational": run(nn.Recurrent(nn.LSTMCell(4, 3), variational=0.3)),
    "gru_reverse_cell": run(nn.Recurrent(nn.GRUCell(4, 3), reverse=nn.GRUCell(4, 3))),
    "own_cell": lstm_of_my_own,
}
PICTURES: list[tuple[str, Draw, str]] = [
    ("lstm_cells", lstm_cells, "cell"),
    ("lstm_ops", run(nn.LSTM(4, 3)), "op"),
    ("rnn_cells", rnn_cells, "cell"),
    ("rnn_ops", run(nn.RNN(4, 3)), "op"),
    ("lstm_100_steps", long_lstm, "cell"),
    ("lstm_two_layers", two_layers, "cell"),
    ("lstm_head_and_loss", head_and_loss, "cell"),
    ("lstm_two_layers_as_layers", run(nn.LSTM(4, 3, num_layers=2), 100), "layer"),
    ("encoder_decoder", encoder_decoder, "cell"),
    ("tbptt", truncated, "cell"),
    ("scalars", scalars, "scalar"),
    ("two_loops", two_loops, "op"),
    ("separate_weights", separate, "cell"),
    ("bare_parameters", bare_parameters, "op"),
    ("bare_parameters_40_steps", bare_parameters_long, "op"),
    ("own_loop", my_own_loop, "op"),
    *((f"{name}_cells", make, "cell") for name, make in BOTH_LEVELS.items()),
    *((f"{name}_ops", make, "op") for name, make in BOTH_LEVELS.items()),
]


def last_output(layer: nn.Module, steps: int) -> Draw:
    """The loss that the backward pictures are of: the square of the last output alone."""

    def make() -> tg.Tensor:
        y: tg.Tensor = layer(tg.randn(steps, 1, 4))[0]
        return y[-1].square().sum()

    return make


def every_output() -> tg.Tensor:
    """A layer in both directions, with a loss on every output."""
    return nn.LSTM(4, 3, bidirectional=True)(tg.randn(3, 1, 4))[0].square().sum()


BACKWARD: list[tuple[str, Draw, str]] = [
    ("backward_lstm", last_output(nn.LSTM(4, 3), 4), "projection"),
    ("backward_lstm_norms", last_output(nn.LSTM(4, 3), 4), "norm"),
    ("backward_rnn", last_output(nn.RNN(4, 3), 4), "projection"),
    ("backward_gru", last_output(nn.GRU(4, 3), 4), "projection"),
    ("backward_two_layers", last_output(nn.LSTM(4, 3, num_layers=2), 3), "projection"),
    ("backward_lstm_100_steps", last_output(nn.LSTM(4, 3, forget_bias=3.0), 100), "projection"),
    ("backward_rnn_100_steps", last_output(nn.RNN(4, 3), 100), "projection"),
    ("backward_both_ways", every_output, "projection"),
    ("backward_head_and_loss", head_and_loss, "projection"),
    ("backward_own_cell", last_output(nn.Recurrent(OwnLSTM()), 4), "projection"),
]


def main() -> None:
    """Draw all of them, and write the page that shows them."""
    HERE.mkdir(exist_ok=True)
    page = ["# The pictures", "", "Recorded graphs, drawn by `python docs/make_pictures.py`.", ""]
    text = misconception(tg.graph(separate()), tg.graph(SHARED(tg.randn(4, 1, 4))[0]))
    (HERE / "misconception.svg").write_text(svg_of(text), encoding="utf-8")
    page += ["## The misconception beside the truth", ""]
    page += [
        "![A weight for each step, crossed out; one weight for all steps](misconception.svg)",
        "",
    ]
    for name, make, level in PICTURES:
        tg.manual_seed(0)
        print(tg.draw(make(), HERE / f"{name}.svg", level=level))
        title = name.replace("_", " ").capitalize()
        page += [f"## {title}", "", f"![{title}, {level} level]({name}.svg)", ""]
    for name, make, measure in BACKWARD:
        tg.manual_seed(0)
        loss = make()
        ledger = loss.backward(ledger=True)
        print(tg.draw(loss, HERE / f"{name}.svg", backward=ledger, backward_measure=measure))
        title = name.replace("_", " ").capitalize()
        page += [f"## {title}", "", f"![{title}]({name}.svg)", ""]
    (HERE / "README.md").write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
