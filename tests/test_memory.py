"""What recording costs in memory: bytes a node, and nothing that stays."""

import gc
import tracemalloc
from weakref import ref

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, cells, runtime

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


class Softened(nn.Module):
    """A cell whose rules read sums, extremes, parts joined and a step's own output."""

    def __init__(self):
        super().__init__()
        self.w, self.norm = nn.Linear(5, 4), nn.LayerNorm(4)

    def forward(self, x, h):
        h = self.norm(tg.tanh(self.w(tg.cat([x[..., :1], h], -1)))) * tg.softmax(h, -1)
        return h, h * x.amax(-1, keepdim=True)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "own"])
def test_a_program_outlives_its_first_layer_and_keeps_none_of_its_arrays(
    kind, backend, monkeypatch
):
    if backend == "numba" and backends.choice()[0] != "numba":
        pytest.skip("numba is not installed (extra fast)")
    for table in ("_loops", "_configurations"):
        monkeypatch.setattr(cells, table, {})

    def run():
        """What a layer's calls give, and references to the arrays of a fresh one."""
        tg.manual_seed(0)
        layer = nn.Recurrent(Softened()) if kind == "own" else getattr(nn, kind)(3, 4)
        x, states = tg.randn(5, 2, 3, requires_grad=True), ()
        if kind == "own":
            states = (tg.randn(2, 4, requires_grad=True),)
        y, _ = layer(x, *states)
        y.square().sum().backward()
        with tg.no_grad():
            layer(x, *states)
            if kind != "own":
                layer.step(x[0])
        gradients = [p.grad.numpy() for p in layer.parameters()]
        held = [ref(t._data) for t in (x, *states, *layer.parameters())]
        return [y.detach().numpy(), x.grad.numpy(), *gradients], held

    with backends.using(backend):
        first, held = run()
        gc.collect()
        assert cells._loops
        assert [array() for array in held] == [None] * len(held)
        for a, b in zip(first, run()[0], strict=True):
            np.testing.assert_array_equal(a, b)
