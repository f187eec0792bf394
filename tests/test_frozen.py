"""Frozen layers and directions: the gradients of the rest, and none where nothing came."""

import numpy as np
import pytest
from support import assert_close

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.stepping import parts
from tinygrad_rnn.scan import backends


def drawn(seed):
    """A layer drawn at random, what of it is frozen, its input, and what is made of its outputs."""
    draw = np.random.default_rng(seed)
    kind, ways = int(draw.integers(4)), bool(draw.integers(2))
    options = {
        "num_layers": int(draw.integers(1, 4)),
        "bidirectional": ways,
        "bias": bool(draw.integers(2)),
    }
    steps, batch = draw.integers(1, 5, 2)
    x = draw.normal(size=(steps, batch, 2))
    lengths = draw.integers(0, steps + 1, batch) if draw.random() < 0.3 else None
    frozen = draw.random(100) < draw.random()
    asks, use = bool(draw.integers(2)), int(draw.integers(3))

    def make():
        tg.manual_seed(seed)
        if kind == 3:
            layer = nn.Recurrent(nn.LSTMCell(2, 3), reverse=nn.GRUCell(2, 4) if ways else None)
        else:
            layer = (nn.RNN, nn.LSTM, nn.GRU)[kind](2, 3, **options)
        for p, off in zip(layer.double().parameters(), frozen, strict=False):
            p.requires_grad_(not off)
        return layer

    return make, x, lengths, asks, use


def outcome(seed, compiled):
    """Outputs and gradients of two calls, added up."""
    make, given, lengths, asks, use = drawn(seed)
    layer = make()
    layer.compiled = compiled
    x = tg.tensor(given, requires_grad=asks)
    for _ in range(2):
        y, last = layer(x, lengths=lengths)
        states = [t for _, t in parts(last)]
        loss = (y * y).sum() if use != 1 else 0.0
        if use:
            loss = loss + sum((t * t * (k + 1)).sum() for k, t in enumerate(states[: 1 + seed % 3]))
        if loss.requires_grad:
            loss.backward()
    return y.detach().numpy(), [
        None if p.grad is None else p.grad.numpy() for p in (*layer.parameters(), x)
    ]


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=pytest.mark.slow)])
def test_frozen_parts_of_layers(backend):
    if backend == "numba":
        pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    with backends.using(backend):
        for seed in range(80 if backend == "numpy" else 25):
            y, grads = outcome(seed, True)
            expected, right = outcome(seed, False)
            assert_close(y, expected, 1e-12)
            for k, (a, b) in enumerate(zip(grads, right, strict=True)):
                assert (a is None) == (b is None), (seed, k)
                if a is not None:
                    assert_close(a, b, 1e-11)
