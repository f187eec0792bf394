"""What recording costs in memory: bytes a node, and nothing that stays."""

import gc
import tracemalloc

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import runtime

# Measured 287 bytes in CPython 3.11: the node, its tuple of parents and a 0-d array.
MOST_BYTES_A_NODE = 450


def chain(length):
    y = tg.tensor(0.5, requires_grad=True)
    for _ in range(length):
        y = y.tanh()
    return y


def test_a_recorded_scalar_op_takes_a_bounded_number_of_bytes():
    chain(10)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    y = chain(10_000)
    took = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert took / 10_000 < MOST_BYTES_A_NODE, took / 10_000
    assert y.requires_grad


def test_a_backward_pass_needs_little_beside_the_graph():
    """Gradients are dropped as soon as they have been handed on: the frontier is all that lives."""
    y = chain(20_000)
    tracemalloc.start()
    y.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000, peak


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_two_hundred_backward_passes_leave_the_size_flat(kind, rng, monkeypatch):
    # a table as long as all that other tests left alive would move to new memory once, for all of them
    monkeypatch.setattr(runtime, "_ready", {})
    layer, x = kind(2, 4), rng.standard_normal((10, 3, 2)).astype(np.float32)
    optimizer = tg.optim.Adam(layer.parameters())
    sizes = []
    tracemalloc.start()
    for k in range(301):
        optimizer.zero_grad()
        layer(x)[0].square().sum().backward()
        optimizer.step()
        if k in (100, 300):  # by then what is kept for all calls is there
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 10_000, sizes


def test_two_hundred_backward_passes_through_one_graph_leave_the_size_flat():
    y = chain(1000)
    y.backward()
    gc.collect()
    tracemalloc.start()
    for _ in range(200):
        y.backward()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 10_000, size
