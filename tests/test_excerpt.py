"""Long graphs are read without their middle: the same picture, and only where steps are alike."""

from __future__ import annotations

import numpy as np
import pytest
from reading import Read

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing import draw as dot
from tinygrad_rnn.graphs import excerpt as reading
from tinygrad_rnn.graphs.excerpt import Excerpt, excerpt, segments

T = 40


def build(make, compiled, what, batch=1, **call):
    tg.manual_seed(0)
    layer = make()
    layer.compiled = compiled
    first = getattr(layer, "batch_first", False)
    y, state = layer(tg.randn(batch, T, 4) if first else tg.randn(T, batch, 4), **call)
    h = state
    while isinstance(h, tuple):
        h = h[0]
    head = nn.Linear(y.shape[-1], 1)
    last = y[:, -1] if first else y[-1]
    ends = {"y": y, "h": h, "loss": head(last).square().sum()}
    ends["picked"] = (y[:, T // 2] if first else y[T // 2]).sum() + h.sum()
    return tg.graph(ends[what]), (layer, head)


LAYERS = {
    "lstm": lambda: nn.LSTM(4, 3),
    "gru, learned": lambda: nn.GRU(4, 3, num_layers=2, learned_state=True),
    "rnn": lambda: nn.RNN(4, 3, num_layers=2),
    "batch first": lambda: nn.LSTM(4, 3, batch_first=True),
    "both ways": lambda: nn.RNN(4, 3, bidirectional=True, num_layers=2),
    "dropout": lambda: nn.LSTM(4, 3, num_layers=2, dropout=0.5),
    "own": lambda: nn.Recurrent(nn.LayerNormLSTMCell(4, 3), reverse=nn.LSTMCell(4, 3)),
}


def whole(monkeypatch, graph, level, **options):
    with monkeypatch.context() as patch:
        patch.setattr(reading, "excerpt", lambda graph, shown=None: graph)
        return dot.to_dot(graph, level, **options)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_the_picture_is_that_of_the_whole_graph(monkeypatch, name, compiled):
    for what in ("y", "h", "loss"):
        for options in ({}, {"steps": [0, T // 2, -1]}):
            for level in ("cell", "op"):
                graph, _ = build(LAYERS[name], compiled, what)
                text = dot.to_dot(graph, level, **options)
                assert text == whole(monkeypatch, graph, level, **options), (what, level, options)


@pytest.mark.parametrize("level", ["cell", "op"])
@pytest.mark.parametrize("lengths", [[T, 30, 5], [T, T, T], [9, 9, 2]])
def test_ragged_steps_are_left_out_only_among_their_like(monkeypatch, lengths, level):
    graph, _ = build(lambda: nn.LSTM(4, 3), True, "y", 3, lengths=lengths)
    text = dot.to_dot(graph, level)
    assert text == whole(monkeypatch, graph, level)


@pytest.mark.parametrize("level", ["cell", "op"])
@pytest.mark.parametrize("what", ["y", "h", "loss", "picked"])
def test_a_compiled_and_a_recorded_layer_are_the_same_bytes(what, level):
    texts = [
        dot.to_dot(build(lambda: nn.LSTM(4, 3, num_layers=2), compiled, what)[0], level)
        for compiled in (True, False)
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("compiled", [True, False])
def test_the_size_of_a_picture_does_not_grow_with_the_steps(compiled):
    def boxes(steps):
        layer = nn.LSTM(4, 3)
        layer.compiled = compiled
        return dot.to_dot(tg.graph(layer(tg.zeros(steps, 1, 4))[0]), "op").count("\n")

    assert boxes(3000) == boxes(50)
    assert boxes(3000) < boxes(4) + 60


def test_a_compiled_layer_stays_folded_when_it_is_drawn():
    layer = nn.LSTM(4, 3)
    y, _ = layer(tg.randn(500, 1, 4))
    dot.to_dot(tg.graph(y))
    assert y._node.fold is not None
    before = dot.to_dot(tg.graph(y), "op")
    assert len(tg.graph(y).nodes) > 500 * 12  # which reads all of it
    assert y._node.fold is None
    assert dot.to_dot(tg.graph(y), "op") == before


def test_drawing_draws_nothing_from_the_generator_and_changes_no_gradient():
    layer = nn.LSTM(4, 3, num_layers=2, dropout=0.5)
    x = tg.randn(60, 2, 4)
    grads = []
    for draw in (False, True):
        tg.manual_seed(1)
        y, _ = layer(x)
        if draw:
            dot.to_dot(tg.graph(y), "op")
        rest = tg.randn(3)
        layer.zero_grad()
        y.square().sum().backward()
        grads.append([rest.numpy(), *(p.grad.numpy().copy() for p in layer.parameters())])
    for a, b in zip(*grads, strict=True):
        assert np.array_equal(a, b)


class Alternating(nn.Module):
    """A cell whose weights depend on the step: what no picture may fold as alike unseen."""

    def __init__(self, odd):
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.odd, self.t = odd, 0

    def forward(self, x, h):
        self.t += 1
        h = tg.tanh((self.b if self.odd(self.t) else self.a)(x + h))
        return h, h

    def initial_state(self, batch):
        return tg.zeros(batch, 3)


@pytest.mark.parametrize(
    "odd", [lambda t: t % 2, lambda t: t == 23, lambda t: t > 20], ids=["every", "one", "half"]
)
def test_steps_that_differ_are_counted_one_by_one(odd):
    layer = nn.Recurrent(Alternating(odd))
    layer.compiled = False
    graph = tg.graph(layer(tg.zeros(T, 1, 3))[0])
    assert excerpt(graph) is graph
    text = dot.to_dot(graph, "cell")
    for name in ("a", "b"):
        n = len(graph.uses(f"recurrent.cell.{name}.weight"))
        assert f"recurrent.cell.{name}.weight · (3, 3) · {n} use" in text


def test_a_loop_over_cells_is_read_in_part_too(monkeypatch):
    lower, upper = nn.LSTMCell(4, 3), nn.GRUCell(3, 3)
    a, b = None, None
    for _ in range(T):
        a = lower(tg.zeros(2, 4), a)
        b = upper(a[0], b)
    graph = tg.graph(b.sum())
    assert isinstance(excerpt(graph), Excerpt)
    assert dot.to_dot(graph, "cell") == whole(monkeypatch, graph, "cell")


def test_losses_at_every_step_are_read_whole(monkeypatch):
    rnn, head = nn.RNN(4, 3), nn.Linear(3, 1)
    y, _ = rnn(tg.zeros(T, 1, 4))
    graph = tg.graph(sum(head(y[t]).sum() for t in range(T)))
    text = dot.to_dot(graph, "cell")
    assert Read(text).taps()["linear.weight"] == T
    assert text == whole(monkeypatch, graph, "cell")


def test_use_counts_need_no_reading_of_every_step():
    layer = nn.LSTM(4, 3)
    y, _ = layer(tg.zeros(300, 1, 4))
    short = excerpt(tg.graph(y))
    assert short.use_count(layer.weight_hh_l0) == 300
    assert len(short) < 400


def test_segments():
    assert segments(range(100), [], None, []) == [(6, 93)]
    assert segments(range(12), [], None, []) == []
    assert segments(range(100), [50], None, [70]) == [(6, 45), (54, 65), (75, 93)]
    assert segments(range(10, 110), [], [0, 60, -1], []) == [(14, 55), (65, 104)]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_uses_are_told_without_reading_every_step(name, compiled):
    for what in ("y", "h", "loss", "picked"):
        short, (layer, head) = build(LAYERS[name], compiled, what)
        whole, _ = build(LAYERS[name], compiled, what)
        assert len(whole) == len(whole.nodes)  # all of it is read
        for (key, p), q in zip(
            [*layer.named_parameters(), *head.named_parameters()],
            [*_[0].parameters(), *_[1].parameters()],
            strict=True,
        ):
            try:
                expected = whole.uses(q)
            except KeyError:
                continue
            assert short.uses(p) == expected, (key, what)
            assert short.use_count(p) == len(expected), (key, what)


def test_a_long_compiled_layer_is_counted_at_once():
    layer = nn.LSTM(4, 3, num_layers=2)
    y, _ = layer(tg.zeros(2000, 1, 4))
    graph = tg.graph(y)
    uses = graph.uses(layer.weight_hh_l1)
    assert [use.step for use in uses] == list(range(2000))
    assert y._node.fold is not None  # nothing was unfolded for it
    for use in (uses[0], uses[1000], uses[-1]):
        node = graph[use.node]
        assert (node.op, node.step) == ("linear", use.step)
        assert graph[node.inputs[use.operand]].name == "lstm.weight_hh_l1"
