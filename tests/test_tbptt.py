"""Truncated backpropagation: the closed form, full BPTT, and what a cut drops."""

import gc
import tracemalloc

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Scale(nn.Module):
    """x_t = w x_{t-1}."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w, dtype=tg.float64)

    def initial_state(self, batch):
        return tg.tensor(np.full((batch, 1), 0.9))

    def forward(self, x, state):
        state = self.w * state
        return state, state


@pytest.mark.parametrize(("k2", "expected"), [(1, 0.036), (2, 0.072), (3, 0.108), (9, 0.108)])
def test_closed_form_of_each_window(k2, expected):
    layer = nn.Recurrent(Scale(0.2))
    *_, chunk = nn.tbptt(layer, np.zeros((3, 1, 1)), k1=1, k2=k2)
    chunk.output.sum().backward()
    np.testing.assert_allclose(layer.cell.w.grad.item(), expected, rtol=1e-12)


def losses_of(layer, x, k1, k2, **options):
    return [(chunk, chunk.output.square().sum()) for chunk in nn.tbptt(layer, x, k1, k2, **options)]


@pytest.mark.parametrize("k1", [1, 3, 5, 12])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_window_over_everything_is_full_bptt(kind, k1, rng):
    layer = kind(2, 3, num_layers=2).double()
    x = rng.standard_normal((12, 4, 2))
    layer(x)[0].square().sum().backward()
    full = {name: p.grad.numpy() for name, p in layer.named_parameters()}
    layer.zero_grad()
    for _, loss in losses_of(layer, x, k1, 12):
        loss.backward()
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), full[name], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (4, 2), (2, 5), (5, 1), (12, 3)])
def test_outputs_are_the_sequence_whatever_the_window(k1, k2, rng):
    layer = nn.LSTM(2, 3, batch_first=True).double()
    x = rng.standard_normal((4, 12, 2))
    chunks = list(nn.tbptt(layer, x, k1, k2))
    y, (h, _) = layer(x)
    joined = np.concatenate([chunk.output.numpy() for chunk in chunks], axis=1)
    np.testing.assert_allclose(joined, y.numpy(), rtol=1e-12)
    np.testing.assert_allclose(chunks[-1].state[0].numpy(), h.numpy(), rtol=1e-12)
    assert [chunk.start for chunk in chunks] == list(range(0, 12, k1))


def test_gradient_is_cut_exactly_k2_steps_back(rng):
    """Against a plain loop that detaches the state k2 steps before the end of the chunk."""
    layer, k2 = nn.RNN(2, 3).double(), 3
    x = rng.standard_normal((8, 1, 2))
    *_, chunk = nn.tbptt(layer, x, k1=2, k2=k2)
    chunk.output.square().sum().backward()
    got = {name: p.grad.numpy() for name, p in layer.named_parameters()}
    layer.zero_grad()
    _, h = layer(x[: 8 - k2])
    y, _ = layer(x[8 - k2 :], h.detach())
    y[-2:].square().sum().backward()
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), got[name], rtol=1e-12)


def test_dropped_is_the_gradient_at_the_cut(rng):
    layer = nn.LSTM(2, 3).double()
    x = rng.standard_normal((6, 2, 2))
    first, second = losses_of(layer, x, 3, 3, report=True)
    assert first[0].dropped() == 0.0
    with pytest.raises(RuntimeError, match="backward"):
        second[0].dropped()
    second[1].backward()
    _, (h, c) = layer(x[:3])
    h, c = h.detach().requires_grad_(), c.detach().requires_grad_()
    layer(x[3:], (h, c))[0].square().sum().backward()
    expected = np.sqrt((h.grad.numpy() ** 2).sum() + (c.grad.numpy() ** 2).sum())
    np.testing.assert_allclose(second[0].dropped(), expected, rtol=1e-12)


def test_training_between_chunks_raises_nothing_and_steps_keep_their_number(rng):
    layer = nn.GRU(2, 3)
    optimizer = tg.optim.SGD(layer.parameters(), lr=0.1)
    for chunk in nn.tbptt(layer, rng.standard_normal((9, 1, 2)), k1=3, k2=5):
        optimizer.zero_grad()
        chunk.output.square().sum().backward()
        optimizer.step()
    assert tg.graph(chunk.output).steps == [4, 5, 6, 7, 8]


@pytest.mark.parametrize(("k1", "k2"), [(0, 1), (1, 0), (2.0, 1)])
def test_wrong_windows_are_named(k1, k2):
    with pytest.raises(ValueError, match="must be at least 1"):
        nn.tbptt(nn.RNN(2, 3), np.zeros((4, 1, 2)), k1, k2)


@pytest.mark.slow
def test_a_stream_keeps_its_size():
    """10^5 steps in chunks: memory after the first chunks does not grow."""
    layer = nn.RNN(1, 2)
    optimizer = tg.optim.SGD(layer.parameters(), lr=1e-3)
    x = np.zeros((10**5, 1, 1), np.float32)
    sizes = []
    tracemalloc.start()
    for k, chunk in enumerate(nn.tbptt(layer, x, k1=1000)):
        optimizer.zero_grad()
        chunk.output.square().mean().backward()
        optimizer.step()
        if k in (10, 99):
            del chunk
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 100_000, sizes  # the graph of one chunk takes megabytes


def test_the_state_of_a_chunk_is_cut_and_carries_on_past_a_step():
    """What a chunk hands out has no past: it may be fed on after the optimizer has written."""
    rnn = nn.RNN(2, 3)
    optimizer = tg.optim.SGD(rnn.parameters(), lr=0.1)
    for chunk in nn.tbptt(rnn, tg.ones(6, 1, 2), k1=3):
        assert chunk.output.requires_grad
        assert not chunk.state.requires_grad
        rnn.zero_grad()
        (chunk.output.sum() + rnn(tg.ones(2, 1, 2), chunk.state)[0].sum()).backward()
        optimizer.step()
        y, _ = rnn(tg.ones(2, 1, 2), chunk.state)
        y.sum().backward()
