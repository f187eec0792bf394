"""A long backward pass through compiled layers is told without being recorded, and tells the same.

Held against it is the pass through the recorded steps: the ledger's rows, every number and line of a picture.
"""

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.graphs import ledger as ledgers
from tinygrad_rnn.graphs.excerpt import Excerpt, excerpt
from tinygrad_rnn.scan import backends

T = 30


@pytest.fixture(autouse=True)
def numpy_loops():
    """Machine code would be compiled anew for every cell here; some are below."""
    with backends.using("numpy"):
        yield


class Leaky(nn.Module):
    """A weight of its own beside a layer."""

    def __init__(self, size):
        super().__init__()
        self.W = nn.Linear(2 * size, size)
        self.a = nn.Parameter(tg.rand(size, dtype=tg.float64))

    def initial_state(self, batch):
        return tg.zeros(batch, self.W.out_features, dtype=tg.float64)

    def forward(self, x, h):
        h = self.a * h + 0.1 * tg.tanh(self.W(tg.cat([x, h], -1)))
        return h, h


class Odd(nn.Module):
    """Weights in products from either side, in parts, in sums with a state, and as numbers."""

    def __init__(self, size):
        super().__init__()
        self.size = size
        for name, *shape in (("W", size, size), ("V", size, size), ("a", size), ("b", 2 * size)):
            setattr(self, name, nn.Parameter(tg.randn(*shape, dtype=tg.float64)))
        self.k = nn.Parameter(tg.tensor(0.3, dtype=tg.float64))

    def initial_state(self, batch):
        zeros = tg.zeros(batch, self.size, dtype=tg.float64)
        return zeros, zeros + 1

    def forward(self, x, state):
        h, c = state
        p, q = self.b.chunk(2)
        new = tg.tanh(x @ self.W.T + h @ self.V + p * self.a) * self.k
        kept = tg.where(new > 0, c * 0.5, c) * q.sigmoid() + self.a
        return (new * kept) @ self.W, (new, kept)


class Stacked(nn.Module):
    """Two layers of different kinds, something between them, and a head."""

    def __init__(self, between=None):
        super().__init__()
        self.a, self.b, self.head = nn.LSTM(3, 4), nn.GRU(4, 3), nn.Linear(3, 2)
        self.between = between

    def forward(self, x):
        y, _ = self.a(x)
        z, _ = self.b(y if self.between is None else self.between(y))
        return self.head(z[-1]), None


class Embedded(nn.Module):
    """A layer over an embedding, with a head at every step."""

    def __init__(self, **options):
        super().__init__()
        self.table, self.layer = nn.Embedding(7, 3), nn.LSTM(3, 4, **options)
        self.head = nn.Linear(8 if options.get("bidirectional") else 4, 2)

    def forward(self, words):
        return self.head(self.layer(self.table(words))[0]).mean(0), None


class EncoderDecoder(nn.Module):
    """One layer starts from the state that another left."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder, self.head = nn.LSTM(3, 4), nn.LSTM(3, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.decoder(x * 0.5, self.encoder(x)[1])[0]), None


def squares(model, x):
    return (model(x)[0] ** 2).sum()


def last(model, x):
    return model(x)[0][-1].square().sum()


def middle(model, x):
    return model(x)[0][12].square().sum()


def states(model, x):
    state = model(x)[1]
    return (state[0] if isinstance(state, tuple) else state).square().sum()


def decayed(model, x):
    return last(model, x) + 0.1 * sum((p**2).sum() for p in model.parameters())


def twice(model, x):
    y, state = model(x)
    return (model(y @ tg.ones(4, 3, dtype=tg.float64), state)[0] ** 2).sum()


def siamese(model, x):
    return (model(x)[0][-1] * model(x * 2)[0][-1]).sum()


KINDS = {
    "LSTM": lambda **o: nn.LSTM(3, 4, **o),
    "GRU": lambda **o: nn.GRU(3, 4, **o),
    "RNN": lambda **o: nn.RNN(3, 4, **o),
}
WAYS = {
    "one layer": {},
    "two layers": {"num_layers": 2},
    "both ways": {"bidirectional": True},
    "two layers both ways": {"num_layers": 2, "bidirectional": True},
    "dropout": {"num_layers": 2, "dropout": 0.5},
    "dropout both ways": {"num_layers": 2, "dropout": 0.5, "bidirectional": True},
}
LAYERS = {
    f"{kind}, {way}": lambda make=make, o=o: make(**o)
    for kind, make in KINDS.items()
    for way, o in WAYS.items()
}
LAYERS |= {
    "peephole": lambda: nn.LSTM(3, 4, peephole=True),
    "projection": lambda: nn.LSTM(3, 4, proj_size=2),
    "learned state": lambda: nn.LSTM(3, 4, learned_state=True),
    "own cell": lambda: nn.Recurrent(Leaky(3)),
    "cells both ways": lambda: nn.Recurrent(nn.GRUCell(3, 4), reverse=nn.GRUCell(3, 4)),
}
ODD = {
    "many ways of a weight": lambda: nn.Recurrent(Odd(3)),
    "layer norm": lambda: nn.Recurrent(nn.LayerNormLSTMCell(3, 4)),
    "coupled": lambda: nn.Recurrent(nn.CoupledLSTMCell(3, 4)),
}
MODELS = {
    "layer over layer": (Stacked, last),
    "relu between": (lambda: Stacked(lambda y: y.relu()), last),
    "turned between": (lambda: Stacked(lambda y: y.flip(0)), last),
    "embedding": (Embedded, squares),
    "embedding both ways": (lambda: Embedded(num_layers=2, bidirectional=True), squares),
    "encoder and decoder": (EncoderDecoder, squares),
    "weight decay": (LAYERS["LSTM, one layer"], decayed),
    "one layer twice": (LAYERS["LSTM, one layer"], twice),
    "siamese": (LAYERS["LSTM, one layer"], siamese),
}


def inputs(model, seed=0, **options):
    if isinstance(model, Embedded):
        return tg.tensor(np.random.default_rng(seed).integers(0, 7, (T, 2)))
    return tg.randn(T, 2, 3, dtype=tg.float64, **options)


def passed(monkeypatch, make, loss_of, told, **options):
    """The model, the loss and the ledger of one pass: told by the compiled calls, or recorded."""
    monkeypatch.setattr(ledgers, "LONG", 1 if told else 10**9)
    tg.manual_seed(3)
    model = make().double()
    loss = loss_of(model, inputs(model, **options))
    ledger = loss.backward(ledger=True)
    assert bool(ledger._over_time) == told
    return model, loss, ledger


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def check_rows(monkeypatch, make, loss_of, **options):
    one, _, recorded = passed(monkeypatch, make, loss_of, False, **options)
    two, _, told = passed(monkeypatch, make, loss_of, True, **options)
    for (name, p), (_, q) in zip(one.named_parameters(), two.named_parameters(), strict=True):
        assert (p in recorded) == (q in told), name
        assert (p.grad is None) == (q.grad is None), name
        if p not in recorded:
            continue
        close(q.grad.numpy(), p.grad.numpy())
        assert told.steps(q) == recorded.steps(p)
        close(told[q], recorded[p])
        close(told[q].sum(0), q.grad.numpy())
        close(told.norms(q), recorded.norms(p))
        close(told.projection(q), recorded.projection(p))
        close(told.total(q), recorded.total(p))
        close(told.cancellation(q), recorded.cancellation(p))
    assert repr(told) == repr(recorded)
    assert told.nbytes > 0


def with_losses(kinds, losses):
    """Each kind with one of the losses, in turn."""
    pairs = [(kind, losses[k % len(losses)]) for k, kind in enumerate(kinds)]
    return pytest.mark.parametrize(
        ("kind", "loss_of"), pairs, ids=lambda v: getattr(v, "__name__", v)
    )


@with_losses([*LAYERS, *ODD], [squares, middle, states])
def test_rows_are_those_of_the_recorded_steps(monkeypatch, kind, loss_of):
    check_rows(monkeypatch, {**LAYERS, **ODD}[kind], loss_of)


@pytest.mark.parametrize("kind", ["LSTM, two layers both ways", "GRU, one layer", "own cell"])
def test_machine_code_tells_the_same(monkeypatch, kind):
    pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    with backends.using("numba"):
        check_rows(monkeypatch, LAYERS[kind], squares)


@pytest.mark.parametrize("kind", MODELS)
def test_rows_of_models_are_those_of_the_recorded_steps(monkeypatch, kind):
    check_rows(monkeypatch, *MODELS[kind])


def test_what_a_gradient_does_not_reach_has_no_row(monkeypatch):
    """The output gate's weights at the last step, where c alone is used, and the readout where h is."""

    class Readout(Leaky):
        def __init__(self, size):
            super().__init__(size)
            self.out = nn.Linear(size, 2)

        def forward(self, x, h):
            return self.out(h), super().forward(x, h)[1]

    for loss_of in (squares, states):
        check_rows(monkeypatch, lambda: nn.Recurrent(Readout(3)), loss_of)


def test_an_input_that_takes_a_gradient_has_its_row(monkeypatch):
    monkeypatch.setattr(ledgers, "LONG", 1)
    layer, x = nn.LSTM(3, 4), tg.randn(T, 2, 3, requires_grad=True)
    ledger = layer(x)[0].sum().backward(ledger=True)
    np.testing.assert_allclose(ledger[x][0], x.grad.numpy(), rtol=1e-6)


def test_what_cannot_be_told_is_recorded(monkeypatch):
    monkeypatch.setattr(ledgers, "LONG", 1)
    layer = nn.LSTM(3, 4)
    ledger = layer(tg.randn(5, 2, 3), lengths=[5, 2])[0].sum().backward(ledger=True)
    assert not ledger._over_time
    assert ledger.steps(layer.weight_hh_l0) == [0, 1, 2, 3, 4]
    state = tg.zeros(1, 2, 4, requires_grad=True)
    ledger = nn.GRU(3, 4)(tg.randn(5, 2, 3), state)[0].sum().backward(ledger=True)
    assert ledger._over_time  # a state that is a leaf is taken apart before the steps
    cell = nn.GRUCell(3, 4)
    start = tg.zeros(2, 4, requires_grad=True)
    ledger = nn.Recurrent(cell)(tg.randn(5, 2, 3), start)[0].sum().backward(ledger=True)
    assert not ledger._over_time
    assert len(ledger[start]) > 1  # each of its uses at the first step


def test_a_pass_is_told_of_the_weights_as_they_were(monkeypatch):
    """A step of an optimizer between forward and picture changes nothing of what is told."""
    monkeypatch.setattr(ledgers, "LONG", 1)
    layer, x = nn.LSTM(3, 4), tg.randn(T, 2, 3)
    loss = layer(x)[0].square().sum()
    ledger = loss.backward(ledger=True)
    before, rows = tg.graph(loss).to_dot(backward=ledger), ledger[layer.weight_hh_l0]
    with tg.no_grad():
        layer.weight_hh_l0 *= 2
    assert tg.graph(loss).to_dot(backward=ledger) == before
    assert np.array_equal(ledger._rows(layer.weight_hh_l0).contributions(), rows)


# ---- pictures ----------------------------------------------------------------------------------


def rounded(text):
    """With all numbers in five digits: those of another order of adding differ in the sixth."""
    return re.sub(r"\d+\.\d+(?:e-?\d+)?", lambda m: f"{float(m[0]):.4g}", text)


def check_picture(monkeypatch, make, loss_of, x=None, **options):
    pictures = []
    for told in (False, True):
        _, loss, ledger = passed(monkeypatch, make, loss_of, told, **(x or {}))
        graph = tg.graph(loss)
        if told:
            assert isinstance(excerpt(graph, options.get("steps"), true=True), Excerpt)
        pictures.append(rounded(graph.to_dot(backward=ledger, **options)))
    assert pictures[1] == pictures[0]


@with_losses(LAYERS, [last, squares, middle])
def test_the_picture_is_that_of_the_recorded_steps(monkeypatch, kind, loss_of):
    check_picture(monkeypatch, LAYERS[kind], loss_of)


@pytest.mark.parametrize("level", ["auto", "layer"])
@pytest.mark.parametrize("kind", MODELS)
def test_pictures_of_models_are_those_of_the_recorded_steps(monkeypatch, kind, level):
    check_picture(monkeypatch, *MODELS[kind], level=level)


@pytest.mark.parametrize("way", ["one layer", "two layers both ways"])
def test_what_comes_to_the_input_is_told(monkeypatch, way):
    check_picture(
        monkeypatch, LAYERS[f"LSTM, {way}"], squares, {"requires_grad": True}, level="cell"
    )


@pytest.mark.parametrize(
    "options", [{"backward_measure": "norm"}, *({"steps": s} for s in ([0, 1, 15, 29], [5], [-1]))]
)
def test_other_steps_and_norms_are_told(monkeypatch, options):
    check_picture(monkeypatch, LAYERS["GRU, two layers both ways"], squares, **options)


def test_only_what_crosses_stands_beside_the_last_state(monkeypatch):
    """Of a layer under another nothing goes on from the last h: all of it went up at that step."""
    for told in (False, True):
        _, loss, ledger = passed(monkeypatch, Stacked, last, told)
        text = tg.graph(loss).to_dot(backward=ledger)
        assert re.search(rf'"l0\.h{T}\.came" \[label="none"', text)
