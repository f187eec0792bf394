"""One test for each kind of thing that a picture of cells must not say falsely."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np
import pytest
from picture_checks import check_taps, check_wires
from reading import Read, box

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.draw import to_dot
from tinygrad_rnn.nn.stepping import apply_step


def x(steps=4, size=3, grad=False):
    data = np.random.default_rng(0).normal(size=(steps, 1, size))
    return tg.tensor(data, dtype=tg.float32, requires_grad=grad)


def drawn(loss, level="cell"):
    graph = tg.graph(loss)
    text = to_dot(graph, level)
    check_wires(text, "")
    check_taps(graph, text, "")
    return Read(text)


def labels(read, *classes):
    return [attrs["label"].removesuffix("\\l") for attrs in read.of_class(*classes).values()]


def uppers(read):
    return [label for label in labels(read, "io", "x") if " = " in label]


# ---- what stands between two layers ------------------------------------------------------------------


def two(between):
    a, b = nn.LSTM(3, 3), nn.LSTM(3, 3)
    return b(between(a(x())[0]))[0].sum()


def test_what_is_no_h_t_is_said_and_drawn():
    read = drawn(two(lambda y: y.flip(0)))
    assert uppers(read) == ["x₁ = h⁽¹⁾₄", "x₂ = h⁽¹⁾₃", "x₃ = h⁽¹⁾₂", "x₄ = h⁽¹⁾₁"]
    assert "flip" in labels(read, "op")
    assert uppers(drawn(two(lambda y: y[2:]))) == ["x₁ = h⁽¹⁾₃", "x₂ = h⁽¹⁾₄"]
    assert uppers(drawn(two(lambda y: y))) == [f"x{k} = h⁽¹⁾{k}" for k in "₁₂₃₄"]
    assert uppers(drawn(two(lambda y: y.flip(0).flip(0)))) == [f"x{k} = h⁽¹⁾{k}" for k in "₁₂₃₄"]
    mean = drawn(two(lambda y: y - y.mean(0, keepdim=True)))
    assert uppers(mean) == [f"x{k} = f(h⁽¹⁾₁ … ₄)" for k in "₁₂₃₄"]
    assert uppers(drawn(two(lambda y: y.tanh()))) == [f"x{k} = f(h⁽¹⁾{k})" for k in "₁₂₃₄"]


def test_a_residual_has_its_skip_and_a_linear_its_parameters():
    a, b, given = nn.LSTM(3, 3), nn.LSTM(3, 3), x()
    read = drawn(b(given + a(given)[0])[0].sum())
    assert uppers(read) == [f"x{k} = f(h⁽¹⁾{k})" for k in "₁₂₃₄"]
    band = next(id for id, attrs in read.of_class("op").items() if attrs["label"] == "+")
    sources = {tail for tail, head, _ in read.edges if head == band}
    assert any("(4, 1, 3)" in read.nodes[tail]["label"] for tail in sources)
    linear = nn.Linear(3, 3)
    read = drawn(two(linear))
    assert read.taps()["linear.weight"] == read.taps()["linear.bias"] == 1


@pytest.mark.parametrize("steps", [2, 3])
@pytest.mark.parametrize("rest", ["table", "given"])
@pytest.mark.parametrize("first", ["h", "f(h)", "f(h, h)"])
def test_only_the_first_input_of_a_decoder_comes_from_cells(first, rest, steps):
    encoder, table, decoder = nn.RNN(3, 3), nn.Embedding(5, 3), nn.RNNCell(3, 3)
    y, _ = encoder(x(3))
    into = {"h": y[-1], "f(h)": y[-1] * 2, "f(h, h)": y.mean(0)}[first]
    h, states = None, []
    for t in tg.steps(range(steps)):
        h = decoder(into, h)
        states.append(h)
        # a choice, by which no gradient comes
        into = table(tg.tensor([t])) if rest == "table" else tg.ones(1, 3)
    read = drawn(tg.stack(states).square().sum())
    assert read.taps()["rnncell.weight_hh"] == steps
    if rest == "table":
        assert read.taps()["embedding.weight"] == steps - 1


def test_what_feeds_a_band_may_come_from_another_band_and_go_on():
    layers = [nn.GRU(3, 3) for _ in range(3)]
    value = nn.Embedding(5, 3)(tg.tensor([[1], [2], [3], [4]]))
    for layer in layers:
        value = value + layer(value)[0]
    read = drawn(value.square().mean())
    assert labels(read, "op").count("+") == 3  # two bands, and the last sum


def test_a_cell_that_reads_a_memory_has_a_wire_for_it():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x, h, memory):
            weight = (memory * h).sum(-1, keepdim=True).softmax(0)
            h = (self.linear(x + (weight * memory).sum(0)) + h).tanh()
            return h, h

        def initial_state(self, batch):
            return tg.zeros(batch, 3)

    memory, _ = nn.GRU(3, 3)(x())
    y, _ = nn.Recurrent(Reader())(x(3), memory=memory)
    read = Read(to_dot(tg.graph(y.sum()), "cell"))
    into = {}
    for tail, head, _ in read.edges:
        into.setdefault(head, set()).add(tail)
    collected = [
        id for id, a in read.nodes.items() if a["label"].startswith("y") and "4" in a["label"]
    ]
    assert collected
    assert sum(tail in collected for tails in into.values() for tail in tails) >= 3


def test_dropout_between_layers_and_over_time_is_said():
    y, _ = nn.LSTM(3, 3, num_layers=2, dropout=0.5)(x())
    assert uppers(drawn(y.sum())) == [f"x{k} = m * h⁽¹⁾{k}" for k in "₁₂₃₄"]
    y, _ = nn.LSTM(3, 3, num_layers=2, dropout=0.5).eval()(x())
    assert uppers(drawn(y.sum())) == [f"x{k} = h⁽¹⁾{k}" for k in "₁₂₃₄"]
    y, _ = nn.Recurrent(nn.GRUCell(3, 3), variational=0.5)(x())
    assert all("W_hh (m * h" in row for row in labels(drawn(y.sum()), "z"))


def test_every_input_of_a_cell_has_a_pill():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 3)

        def forward(self, pair, h):
            h = (self.linear(tg.cat(list(pair), -1)) + h).tanh()
            return h, h

    cell, h, (below, _) = Pair(), tg.zeros(1, 3), nn.GRU(3, 3)(x())
    for t, x_t in enumerate(tg.steps(x())):
        _, h = apply_step(cell, (x_t, below[t]), h, t, "", {})
    read = drawn(h.sum())
    assert [label for label in uppers(read) if label.endswith("h⁽¹⁾₂")] == ["x_c₂ = h⁽¹⁾₂"]


# ---- wires ------------------------------------------------------------------------------------------------


def test_runs_of_one_layer_have_wires_of_their_own():
    layer = nn.LSTM(3, 3)
    drawn((layer(x())[1][0][-1] * layer(x())[1][0][-1]).sum())
    drawn(sum(layer(x())[0].sum() for _ in range(3)))
    y, (h, c) = layer(x())
    drawn((h * c).sum() + y.sum())


@pytest.mark.parametrize("level", ["cell", "op"])
def test_layers_on_one_computed_input(level):
    value = nn.Embedding(5, 3)(tg.tensor([[1], [2], [3], [4]]))
    a, b = nn.LSTM(3, 3), nn.GRU(3, 3)
    text = to_dot(tg.graph((a(value)[0][-1] * b(value)[0][-1]).sum()), level)
    check_wires(text, level)


# ---- steps and states ---------------------------------------------------------------------------------


def test_equations_have_the_state_that_enters():
    cell, states = nn.LSTMCell(3, 3), [(tg.zeros(1, 3), tg.zeros(1, 3))] * 3
    for x_t in tg.steps(x(6)):
        states.append(cell(x_t, states[-3]))
    read = drawn(sum(h.sum() for h, _ in states[-3:]))
    rows = labels(read, "z")
    assert len(rows) == 6
    for row in rows:
        at, before = (
            int(re.search(rf"{name}(−?[₀-₉]+|-[₀-₉]+)", row)[1].translate(DIGITS)) for name in "xh"
        )
        assert before == at - 3


DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉−", "0123456789-")


def layers():
    yield nn.LSTM(3, 3, num_layers=2)
    yield nn.GRU(3, 3)
    yield nn.RNN(3, 3, batch_first=True)
    yield nn.Recurrent(nn.GRUCell(3, 3))


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_step_rides_on_a_layers_state(compiled, marked):
    for layer in layers():
        layer.compiled, state, ys, given = compiled, None, [], x()
        for x_t in tg.steps(given) if marked else given:
            x_t = x_t.unsqueeze(0)
            y, state = layer(x_t, state)
            ys.append(y)
        loss = tg.cat(ys).sum()
        graph, ledger = tg.graph(loss), loss.backward(ledger=True)
        for p in layer.parameters():
            assert sorted({use.step for use in graph.uses(p)}) == [0, 1, 2, 3], layer
            assert ledger.steps(p) == [0, 1, 2, 3], layer
        titles = labels(Read(to_dot(graph, "cell")), "text")
        for t in range(1, 5):
            assert any(title.endswith(f"t = {t}") for title in titles), layer


def test_whose_state_it_is_says_from_where_steps_count():
    a, b = nn.LSTM(3, 3), nn.LSTM(3, 3)

    def steps(layer, y):
        return sorted({use.step for use in tg.graph(y.sum()).uses(layer.weight_hh_l0)})

    _, state = a(x(3))
    y, _ = b(x(2), state)
    assert steps(b, y) == [0, 1]  # a decoder counts its own steps
    y, _ = a(x(2), tuple(s.detach() for s in state))
    assert steps(a, y) == [3, 4]
    y, _ = a(x(2), state, first_step=7)
    assert steps(a, y)[-2:] == [7, 8]
    both = nn.LSTM(3, 3, bidirectional=True)
    _, state = both(x(3))
    y, _ = both(x(2), state)
    assert steps(both, y) == [0, 1, 2]


def test_a_tuple_of_states_is_called_as_the_equations_say():
    class Three(nn.Module):
        equations: ClassVar = {"a": "0.5 a' + W x", "h": "tanh(a)", "m": "m' + h"}

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x, state):
            a, h, m = state
            a = 0.5 * a + self.linear(x) + 0.1 * h
            h = a.tanh()
            m = m + h
            return h, (a, h, m)

        def initial_state(self, batch):
            return tg.zeros(batch, 3), tg.zeros(batch, 3), tg.zeros(batch, 3)

    y, (_, _, m) = nn.Recurrent(Three())(x())
    pills = {re.sub("[₀-₉]", "", label) for label in labels(drawn(y.sum() + m.sum()), "state")}
    assert pills == {"a", "h", "m"}


# ---- Parameters ----------------------------------------------------------------------------------------


def test_a_parameter_inside_and_outside_of_the_loop():
    table, layer = nn.Embedding(5, 3), nn.GRU(3, 3)
    y, _ = layer(table(tg.tensor([[1], [2], [3], [4]])))
    assert drawn((y @ table.weight.transpose(0, 1)).square().mean()).taps()["embedding.weight"] == 2
    rnn = nn.RNN(3, 3)
    assert drawn((rnn(x())[0][-1] @ rnn.weight_hh_l0).sum()).taps()["rnn.weight_hh_l0"] == 5
    assert drawn(rnn(x() @ rnn.weight_hh_l0)[0][-1].sum()).taps()["rnn.weight_hh_l0"] == 5


def test_a_frozen_layer_under_an_input_that_takes_a_gradient():
    layer, given = nn.LSTM(3, 3), x(grad=True)
    for p in layer.parameters():
        p.requires_grad = False
    loss = layer(given)[0].sum()
    drawn(loss)
    ledger = loss.backward(ledger=True)
    check_wires(to_dot(tg.graph(loss), backward=ledger), "backward")


def test_a_bar_is_as_long_as_its_row_of_cells():
    a, b = nn.GRU(3, 3), nn.GRU(3, 3)
    _, state = a(x(4))
    y, _ = b(x(2), state)
    read = drawn(y.sum())
    cells = [box(a)[0] for id, a in read.of_class("z").items() if id.startswith("l1.")]
    left, _, right, _ = box(read.nodes["row1.bar"])
    assert min(cells) - 10 < left
    taps = [
        float(a["pos"].split(",")[0])
        for a in read.of_class("dot").values()
        if a["color"] == "#C65102"
    ]
    assert all(left <= tap <= right for tap in taps if tap > min(cells))


# ---- loops written by hand ----------------------------------------------------------------------------


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("losses", ["none", "sum", "list", "states"])
def test_a_loop_by_hand_has_its_t_and_h(losses, marked):
    u, w, v = (
        tg.tensor(np.eye(3) * k, dtype=tg.float32, requires_grad=True) for k in (0.5, 0.7, 0.9)
    )
    h, given, total, kept = tg.zeros(1, 3), x(), 0.0, []
    for t in tg.steps(4) if marked else range(4):
        h = tg.tanh(given[t] @ u + h @ w)
        if losses == "sum":
            total = total + (h @ v - 1).square().mean()
        elif losses != "none":
            kept.append((h @ v - 1).square().mean() if losses == "list" else h)
    loss = {"none": h.sum(), "sum": total}.get(losses)
    if loss is None:
        loss = tg.stack(kept).square().sum()
    graph = tg.graph(loss)
    text = to_dot(graph)
    read = Read(text)
    assert [f"t = {t}" in labels(read, "text") for t in range(1, 5)] == [True] * 4
    assert {"h₀", "h₁", "h₄"} <= {*labels(read, "state")}
    check_taps(graph, text, losses)
    check_wires(text, losses)


def test_what_only_looks_like_a_loop_has_no_steps():
    layers = [tg.tensor(np.eye(3), dtype=tg.float32, requires_grad=True) for _ in range(4)]
    value = x(1)[0]
    for w in layers:  # weights of its own at every depth
        value = (value @ w).tanh()
    assert "t = 1" not in labels(Read(to_dot(tg.graph(value.sum()))), "text")
