"""Later calls of ``Recurrent`` with a user's cell: quick where they are like an earlier one, and right."""

import enum

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import call_cache, cells, variants


class Pair(nn.Module):
    """A cell of two states."""

    def __init__(self):
        super().__init__()
        self.W, self.U = nn.Parameter(0.4 * numbers((3, 3), 1)), nn.Parameter(numbers((2, 3), 2))
        self.start, self.rate = nn.Parameter(numbers((3,), 3)), 0.5

    def initial_state(self, batch):
        lead = () if batch is None else (batch,)
        return self.start.expand(*lead, 3), tg.zeros(*lead, 3, dtype=tg.float64)

    def forward(self, x, state):
        h, c = state
        c = self.rate * c + (x @ self.U + h @ self.W).tanh()
        return c * h, (c.tanh(), c)


def outcome(layer, x, state, compiled, **options):
    layer.compiled = compiled
    layer.zero_grad()
    x = tg.tensor(x, requires_grad=True)
    y, last = layer(x, state, **options)
    parts = list(last.values() if isinstance(last, dict) else last)
    total = sum((t * tg.tensor(0.3 + numbers(t.shape, k))).sum() for k, t in enumerate([y, *parts]))
    total.backward()
    grads = [p.grad for p in (x, *layer.parameters())]
    return [t.detach().numpy() for t in (y, *parts)] + [
        None if g is None else g.numpy() for g in grads
    ]


def agree(layer, x, state=None, how="compiled", **options):
    fast = outcome(layer, x, state, True, **options)
    assert layer.explain().startswith(how)
    for a, b in zip(fast, outcome(layer, x, state, False, **options), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("shape", [(5, 4, 2), (5, 2), (4, 5, 2)])
def test_a_call_like_an_earlier_one_is_quick_and_right(shape, nothing_asked):
    layer = nn.Recurrent(Pair(), batch_first=shape[0] == 4)
    agree(layer, numbers(shape, 1))
    nothing_asked()
    agree(layer, numbers(shape, 2))
    other = numbers((shape[0], 9, 2) if layer.batch_first else (7, *shape[1:]), 4)
    agree(layer, other)
    _, last = layer(tg.tensor(numbers(shape, 3)))
    agree(layer, numbers(shape, 2), tuple(t.detach() for t in last))
    given = tuple(tg.tensor(t.numpy(), requires_grad=True) for t in last)
    found = []
    for layer.compiled in (True, False):
        for t in given:
            t.grad = None
        y, _ = layer(tg.tensor(numbers(shape, 5)), given)
        y.sum().backward()
        found.append([t.grad.numpy() for t in given])
    np.testing.assert_allclose(*found, rtol=1e-10)


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: setattr(layer.cell, "rate", 0.25),
        lambda layer: setattr(layer, "cell", Pair().double()),
        lambda layer: setattr(layer.cell, "W", nn.Parameter(0.1 * numbers((3, 3), 8))),
        lambda layer: layer.cell.W.requires_grad_(False),
        lambda layer: setattr(layer, "batch_first", True),
        lambda layer: setattr(layer, "reverse", Pair()),
    ],
)
def test_what_has_changed_since_is_seen(change):
    layer, x = nn.Recurrent(Pair()), numbers((4, 4, 2), 1)
    for _ in range(2):
        agree(layer, x)
    change(layer)
    if layer.reverse is None:
        agree(layer, x)
        agree(layer, x)
    else:
        assert layer(tg.tensor(x))[0].shape == (4, 4, 6)


def test_states_of_other_nestings_shapes_and_kinds_are_no_quick_call():
    layer, x = nn.Recurrent(Pair()), numbers((4, 3, 2), 1)
    first = [tg.tensor(numbers((3, 3), k)) for k in range(2)]
    agree(layer, x, tuple(first))
    agree(layer, x, list(first))
    for bad in (first[0], (*first, first[0])):
        for layer.compiled in (True, False):
            with pytest.raises((ValueError, TypeError)):
                layer(tg.tensor(x), bad)
    agree(layer, x, (first[0], tg.tensor(numbers((1, 3), 1))), "recorded")
    agree(layer, x, lengths=[4, 2, 1])
    agree(layer, x)


def test_steps_and_graphs_are_the_recorded_ones():
    layer, x = nn.Recurrent(Pair()), tg.tensor(numbers((3, 2, 2), 1))
    layer(x)
    assert layer in call_cache._prepared_cells
    y, last = layer(x, first_step=4)
    quick = tg.graph(y.sum()).to_dot()
    layer.compiled = False
    y, _ = layer(x, first_step=4)
    assert tg.graph(y.sum()).to_dot() == quick
    layer.compiled = True
    y, _ = layer(x, last)
    quick = tg.graph(y.sum()).to_dot()
    layer.compiled = False
    assert tg.graph(layer(x, last)[0].sum()).to_dot() == quick


SCALE = 1.0


class Watched(nn.Module):
    """A cell that reads what can change: entries by keys of several kinds, settings, a global, a weight."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(numbers((2, 2), 3))
        self.power, self.shift = 1.0, None
        self.table = {Kind.A: 2.0, (1, 2): 3.0, "plain": 1.0}

    def step(self, x, h):
        h = h * self.table[Kind.A] * self.table[1, 2] * self.table["plain"] + x @ self.w
        h = h * self.power * SCALE
        h = h if self.shift is None else h + self.shift
        return h, h

    def initial_state(self, batch):
        return tg.zeros(batch, 2, dtype=np.float64)


class Kind(enum.Enum):
    A = 1


def change(name, value):
    return lambda cell: setattr(cell, name, value)


@pytest.mark.parametrize(
    "after",
    [
        change("power", 2.0),
        change("power", -0.0),
        change("power", 1),
        change("shift", 0.5),
        change("table", {Kind.A: 1.0, (1, 2): 1.0, "plain": 1.0}),
        change("w", nn.Parameter(numbers((2, 2), 4))),
        lambda cell: cell.table.__setitem__(Kind.A, 5.0),
        lambda cell: cell.table.__setitem__("plain", 5.0),
        lambda cell: globals().__setitem__("SCALE", 3.0),
        lambda cell: cell.w.data.mul_(2.0),
        lambda cell: cell.__dict__.__setitem__("step", lambda x, h: (h, h + x)),
        lambda cell: cell.float(),
    ],
)
def test_what_a_step_reads_is_asked_for_after_many_calls_too(after, monkeypatch):
    monkeypatch.setitem(globals(), "SCALE", 1.0)
    layer = nn.Recurrent(Watched())
    x = tg.tensor(numbers((3, 2, 2), 1))
    for _ in range(2 * variants.OFTEN):
        layer(x)
    (known,) = {v for kinds in cells._variants[layer.cell].values() for v in kinds.known}
    assert known.in_one is not bool
    after(layer.cell)
    x = x.to(layer.cell.w.dtype)
    state = tg.zeros(2, 2, dtype=x.dtype)
    found = layer(x, state)[0].numpy()
    layer.compiled = False
    np.testing.assert_allclose(found, layer(x, state)[0].numpy(), rtol=1e-6)
