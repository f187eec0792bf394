"""Pictures as they were when somebody last looked at them, byte for byte.

A difference is no error where it is meant: draw the pictures, look at them, and write the files anew with
``PYTHONPATH=. python tests/test_snapshots.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.dot import to_dot
from tinygrad_rnn.drawing.misconception import misconception

HERE = Path(__file__).parent / "snapshots"


def output(layer, steps, size=4):
    return tg.graph(layer(tg.zeros(steps, 1, size))[0])


def scalars():
    w, u = (tg.name(tg.tensor(v, requires_grad=True), n) for n, v in (("w", 0.5), ("u", 0.25)))
    h = tg.name(tg.tensor(0.5), "h")
    for x in tg.steps(tg.tensor([1.0, -1.0])):
        h = tg.name(w * h + u * x, "h")
    return tg.graph(h)


def two_halves():
    cells, shared, state = [nn.LSTMCell(4, 3) for _ in range(3)], nn.LSTM(4, 3), None
    for cell in cells:
        state = cell(tg.zeros(1, 4), state)
    return misconception(tg.graph(*state), output(shared, 4))


PICTURES = {
    "lstm_cells": lambda: to_dot(output(nn.LSTM(4, 3), 4), "cell"),
    "lstm_100_ops": lambda: to_dot(output(nn.LSTM(4, 3), 100), "op"),
    "rnn_both_ways_cells": lambda: to_dot(output(nn.RNN(4, 3, bidirectional=True), 3), "cell"),
    "gru_shapes": lambda: to_dot(output(nn.GRU(4, 3), 2), "op", shapes=True),
    "lstm_layers": lambda: to_dot(output(nn.LSTM(4, 3, num_layers=2), 100), "layer"),
    "scalars": lambda: to_dot(scalars(), "scalar"),
    "misconception": two_halves,
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_as_it_was(name):
    assert PICTURES[name]() == (HERE / f"{name}.dot").read_text(encoding="utf-8")


if __name__ == "__main__":
    for name, make in PICTURES.items():
        (HERE / f"{name}.dot").write_text(make(), encoding="utf-8")
