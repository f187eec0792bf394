"""Pictures of ops are as wide as a page: folded between steps, and every wire goes where it went."""

from __future__ import annotations

import time

import numpy as np
import pytest
from made_up_cells import CELLS, at_random, filled
from picture_checks import check_folded, check_taps, check_type, check_wires
from reading import Read, check_nothing_overlaps
from support import numbers
from users_cells import TABLE, users_cell

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.draw import to_dot


def run(layer, steps=3, size=4, batch=1):
    """A layer over some steps of made-up numbers."""
    return lambda: layer(tg.tensor(numbers((steps, batch, size), 3).astype(np.float32)))[0]


def loss_of(layer, head=None, steps=3):
    """A layer with a head and a loss after it, an embedding before it."""
    table = nn.Embedding(5, 4)
    words = tg.tensor(np.arange(steps).reshape(steps, 1) % 5)
    return lambda: (head or nn.Linear(layer.hidden_size, 1))(layer(table(words))[0]).square().mean()


def scalars(steps):
    """h = tanh(w h + u x + b) on single numbers, as in micrograd."""

    def make():
        named = {"w": 0.8, "u": 0.5, "b": 0.1}.items()
        w, u, b = (tg.name(tg.tensor(v, requires_grad=True), n) for n, v in named)
        h = tg.name(tg.tensor(0.5), "h")
        for x in tg.steps(tg.tensor(numbers((steps,), 3).astype(np.float32))):
            h = tg.name(tg.tanh(w * h + u * x + b), "h")
        return h

    return make


def gated(steps):
    """A step with a gate, on single numbers."""

    def make():
        w, u, v = (tg.name(tg.tensor(0.3 + k, requires_grad=True), n) for k, n in enumerate("wuv"))
        h = tg.tensor(0.5)
        for x in tg.steps(tg.tensor(numbers((steps,), 3).astype(np.float32))):
            z = tg.sigmoid(v * h + x)
            h = tg.name(z * h + (1 - z) * tg.tanh(w * h + u * x), "h")
        return h

    return make


GRU = nn.GRUCell
BUILT_IN = {
    f"{kind.__name__}{number}": run(kind(4, 3, **options), steps)
    for number, (options, steps) in enumerate(
        [
            ({}, 1), ({}, 3), ({}, 5), ({}, 100), ({"num_layers": 2}, 3), ({"bidirectional": True}, 3),
            ({"bidirectional": True, "num_layers": 2}, 4), ({"bias": False}, 3),
            ({"learned_state": True}, 3),
        ]
    )
    for kind in (nn.RNN, nn.LSTM, nn.GRU)
}  # fmt: skip
BUILT_IN |= {
    "reset before": run(nn.GRU(4, 3, reset_after=False)),
    "reset before, both ways": run(nn.GRU(4, 3, reset_after=False, bidirectional=True)),
    "peephole": run(nn.LSTM(4, 3, peephole=True)),
    "peephole, both ways": run(nn.LSTM(4, 3, peephole=True, bidirectional=True)),
    "peephole, long": run(nn.LSTM(4, 3, peephole=True), 40),
    "projection": run(nn.LSTM(4, 3, proj_size=2)),
    "layer norm": run(nn.Recurrent(nn.LayerNormLSTMCell(4, 3))),
    "layer norm, both ways": run(
        nn.Recurrent(nn.LayerNormLSTMCell(4, 3), reverse=nn.LayerNormLSTMCell(4, 3))
    ),
    "coupled": run(nn.Recurrent(nn.CoupledLSTMCell(4, 3))),
    "other cell backwards": run(nn.Recurrent(GRU(4, 3), reverse=GRU(4, 3))),
    "gru, loss": loss_of(nn.GRU(4, 3)),
    "peephole, loss": loss_of(nn.LSTM(4, 3, peephole=True), steps=4),
    "gru, two layers, loss": loss_of(nn.GRU(4, 3, num_layers=2)),
}


def of_cell(make, size=3, steps=3, dtype=tg.float64):
    x = tg.tensor(numbers((steps, 2, size), 3), dtype=dtype, requires_grad=True)
    return lambda: nn.Recurrent(make())(x)[0]


def of_users(equations):
    shape = (3, 3, 2) if equations.batched else (3, 2)
    x = tg.tensor(numbers(shape, 3).astype(np.float32), requires_grad=True)
    return lambda: nn.Recurrent(users_cell(equations, (3, 2, 4)))(x)[0]


USERS = {each.name: of_users(each) for each in TABLE}
USERS |= {cell.__name__: of_cell(lambda cell=cell: filled(cell())) for cell in CELLS}
USERS |= {f"random{k}": of_cell(lambda k=k: filled(at_random(k))) for k in (0, 3, 4)}
SCALARS = {f"scalars, {n}": scalars(n) for n in (1, 2, 3, 5, 30)}
SCALARS |= {f"gate, {n}": gated(n) for n in (1, 3, 9)}


def check(graph, level, what, **options):
    """All that must hold; whether the picture is one of steps on a grid."""
    begun = time.process_time()
    text = to_dot(graph, level, **options)
    assert time.process_time() - begun < 2, what
    if 'layout="nop2"' not in text:
        return False
    check_wires(text, what)
    check_taps(graph, text, what)
    check_type(text, what)
    check_nothing_overlaps(Read(text))
    return True


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_layer(name):
    tg.manual_seed(0)
    assert check(tg.graph(BUILT_IN[name]()), "op", name)


@pytest.mark.parametrize("name", ["GRU1", "peephole", "layer norm", "LSTM4"])
def test_a_layer_with_shapes_and_values(name):
    graph = tg.graph(BUILT_IN[name]())
    assert check(graph, "op", name, shapes=True)
    assert check(graph, "op", name, values=True)


@pytest.mark.parametrize("name", ["hard_sigmoid", "layer_norm", "minimal_gru", "Nested", "rk4"])
def test_a_cell_of_a_user(name):
    assert check(tg.graph(USERS[name]()), "op", name)


@pytest.mark.slow
def test_all_cells_of_users():
    """Those that take a value that is no input, state or Parameter are no steps on a grid."""
    found = [check(tg.graph(make()), "op", name) for name, make in USERS.items()]
    assert sum(found) >= 0.75 * len(found)


@pytest.mark.parametrize("name", SCALARS)
def test_numbers(name):
    h = SCALARS[name]()
    h.backward()
    assert check(tg.graph(h), "scalar", name) or name.endswith(" 1")  # one step is no chain


@pytest.mark.parametrize("name", ["GRU3", "peephole", "layer norm", "GRU4", "GRU5"])
def test_folding_changes_no_wire(name):
    """The same wires from the same to the same as in the picture in one row, by ends and by kind."""
    check_folded(tg.graph(BUILT_IN[name]()), name)


def test_a_step_that_is_wider_than_a_page_is_cut_in_two():
    text = to_dot(tg.graph(USERS["rk4"]()), "op")
    assert "t = 1, continued" in text
    check_folded(tg.graph(USERS["rk4"]()), "rk4")


def test_a_cell_may_call_anything_gates():
    class Gated(nn.Module):
        equations = 3

        def __init__(self):
            super().__init__()
            self.cell = nn.Linear(4, 4)

        def gates(self, x):
            return x.sigmoid()

        def initial_state(self, batch):
            return tg.zeros(batch, 4)

        def forward(self, x, h):
            h = self.cell(self.gates(x) + h).tanh()
            return h, h

    graph = tg.graph(nn.Recurrent(Gated())(tg.zeros(3, 1, 4))[0])
    for level in ("layer", "cell", "op"):
        assert "weight" in to_dot(graph, level)
