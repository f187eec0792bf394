"""Draw every picture that the README and the docs show, into docs/pictures/.

    python docs/make_pictures.py

The pictures are recorded graphs, drawn by the project itself. Look at them when they change.
"""

from __future__ import annotations

from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import nn

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


def bare_parameters() -> tg.Tensor:
    """The question's own loop: h = tanh(W_hh @ h + W_xh @ x_t), on bare Parameters."""
    w_hh = tg.name(tg.randn(3, 3, requires_grad=True), "W_hh")
    w_xh = tg.name(tg.randn(3, 2, requires_grad=True), "W_xh")
    h = tg.name(tg.zeros(3), "h")
    for x_t in tg.steps(tg.randn(3, 2)):
        h = tg.name(tg.tanh(w_hh @ h + w_xh @ x_t), "h")
    return h


PICTURES = [
    ("lstm_cells", lstm_cells, "cell"),
    ("lstm_ops", lambda: nn_steps(nn.LSTM(4, 3), 3), "op"),
    ("rnn_cells", rnn_cells, "cell"),
    ("rnn_ops", lambda: nn_steps(nn.RNN(2, 3), 3), "op"),
    ("lstm_100_steps", long_lstm, "cell"),
    ("lstm_two_layers", two_layers, "cell"),
    ("lstm_head_and_loss", head_and_loss, "cell"),
    ("bare_parameters", bare_parameters, "op"),
]


def nn_steps(layer: nn.RNN | nn.LSTM, steps: int) -> tg.Tensor:
    """A layer over a few steps of noise."""
    y, _ = layer(tg.randn(steps, 1, layer.input_size))
    return y


def main() -> None:
    """Draw all of them."""
    HERE.mkdir(exist_ok=True)
    for name, make, level in PICTURES:
        tg.manual_seed(0)
        print(tg.draw(make(), HERE / f"{name}.svg", level=level))


if __name__ == "__main__":
    main()
