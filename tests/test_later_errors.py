"""Loops that raise an error in a later call: it is recorded, and nothing has changed before that."""

from importlib.util import find_spec

import numpy as np
import pytest
from made_up import filled, flat
from support import assert_close as close
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan.numpy_loops import NumpyLoops

F, H = 2, 3


def assert_close(a, b, tol=1e-12):
    close(a, b, tol)


class Leaky(nn.Module):
    """A cell of a user's own."""

    def __init__(self):
        super().__init__()
        self.W, self.U = nn.Parameter(numbers((H, H))), nn.Parameter(numbers((F, H)))

    def forward(self, x, state):
        h, c = state
        c = 0.5 * c + (x @ self.U + h @ self.W).tanh()
        return h * c, (c.sigmoid(), c)

    def initial_state(self, batch):
        return tuple(tg.zeros(2, batch, H, dtype=tg.float64))


class InALoop(nn.Module):
    """A built-in cell in a loop of one's own."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(F, H)

    def forward(self, x):
        state, outputs = None, []
        for x_t in x:
            state = self.cell(x_t, state)
            outputs.append(state[0] * state[1])
        return tg.stack(outputs), state


LAYERS = {
    "LSTM": lambda: nn.LSTM(F, H),
    "batch first": lambda: nn.GRU(F, H, batch_first=True),
    "dropout": lambda: nn.GRU(F, H, num_layers=3, dropout=0.5),
    "both ways": lambda: nn.LSTM(F, H, num_layers=2, bidirectional=True, dropout=0.25),
    "learned state": lambda: nn.GRU(F, H, learned_state=True),
    "two cells": lambda: nn.Recurrent(nn.GRUCell(F, H), reverse=nn.LSTMCell(F, H)),
    "own": lambda: nn.Recurrent(Leaky()),
    "a loop": InALoop,
}


def failing(monkeypatch, which, k, error):
    """From now on the k-th run of loops raises, and those after it."""
    runs = []

    def plant(loops):
        sound = getattr(loops, which)

        def planted(*args):
            runs.append(args)
            if len(runs) >= k:
                raise error
            return sound(*args)

        monkeypatch.setattr(loops, which, planted)

    for loops in kinds_of_loops():
        if which in vars(loops):
            plant(loops)
    return runs


def kinds_of_loops():
    """The loops that run by themselves; quick ones run by those of numpy."""
    if find_spec("numba") is None:
        return [NumpyLoops]
    from tinygrad_rnn.scan.numba_loops import NumbaLoops

    return [NumpyLoops, NumbaLoops]


def outcome(layer, scale, part):
    """Output, states, and gradients of a call, the first one's of a part of the outputs."""
    tg.manual_seed(5)
    x = tg.tensor(numbers((4, 4, F), 3) * scale, requires_grad=True)
    before = (2 * x).tanh()
    y, last = layer(before)
    outputs = [y, *flat(last)]
    chosen = outputs if part is None else [outputs[part]]
    loss = sum(((t * t).sum() for t in chosen), tg.tensor(0.0, dtype=tg.float64))
    layer.zero_grad()
    loss.backward()
    drawn = tg.rand(3).numpy()
    grads = [x.grad, *(p.grad for p in layer.parameters())]
    return [t.numpy() for t in outputs], [g if g is None else g.numpy() for g in grads], drawn


def recorded(layer):
    """Have all of a layer recorded."""
    for module in layer.modules():
        if hasattr(module, "compiled"):
            module.compiled = False
    return layer


def same(found, right):
    for a, b in zip(found[0], right[0], strict=True):
        assert_close(a, b)
    for a, b in zip(found[1], right[1], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert_close(a, b)
    np.testing.assert_array_equal(found[2], right[2])


@pytest.mark.parametrize("part", [None, 0, -1])
@pytest.mark.parametrize("which", ["forward", "backward"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_later_error_is_recorded(kind, which, part, monkeypatch):
    layer, other = filled(LAYERS[kind]()), recorded(filled(LAYERS[kind]()))
    outcome(layer, 1.0, part)
    for k in (1, 2, 3):
        with monkeypatch.context() as patch:
            runs = failing(patch, which, k, TypeError("planted"))
            same(outcome(layer, 0.5, part), outcome(other, 0.5, part))
            if len(runs) >= k and hasattr(layer, "explain"):
                assert "recorded op by op" in layer.explain()
                assert "TypeError: planted" in layer.explain()
        assert len(runs) >= 1
    same(outcome(layer, 0.25, part), outcome(other, 0.25, part))
    if hasattr(layer, "explain"):
        assert layer.explain().startswith("compiled, run by")


@pytest.mark.parametrize("which", ["forward", "backward"])
def test_lack_of_memory_is_no_reason_to_take_more(which, monkeypatch):
    layer = filled(nn.GRU(F, H, num_layers=2, dropout=0.5))
    right = outcome(layer, 1.0, None)
    with monkeypatch.context() as patch:
        failing(patch, which, 2, MemoryError("planted"))
        with pytest.raises(MemoryError, match="planted"):
            outcome(layer, 1.0, None)
    same(outcome(layer, 1.0, None), right)


def test_an_error_in_one_step_is_recorded(monkeypatch):
    layer, x = nn.GRU(F, H), tg.tensor(numbers((5, 2, F)).astype(np.float32))
    with tg.no_grad():
        right, _ = layer(x)
        y, state = layer.step(x[0], None)
        for t in range(1, 5):
            if t == 3:
                from tinygrad_rnn.scan import streaming

                def broken(*_):
                    raise TypeError("planted")

                stream = streaming.prepared[layer]
                for cell in stream.cells:
                    monkeypatch.setattr(cell, "loops", broken)
            y, state = layer.step(x[t], state)
            assert_close(y.numpy(), right[t].numpy(), 1e-6)


def test_draws_are_undone_where_the_call_is_recorded(monkeypatch):
    """The masks of a recorded call are those of the layer that was never compiled."""
    layer, x = filled(nn.GRU(F, H, num_layers=3, dropout=0.5)), tg.tensor(numbers((4, 2, F)))
    layer(x)
    failing(monkeypatch, "forward", 3, TypeError("planted"))
    tg.manual_seed(1)
    y, _ = layer(x)
    layer.compiled = False
    tg.manual_seed(1)
    right, _ = layer(x)
    assert_close(y.numpy(), right.numpy())
