"""`graph.to_html(path, live=True)`: the network behind a graph's number runs in node as it was recorded."""

import shutil

import numpy as np
import pytest
from made_up import filled
from support import numbers
from test_live_network import LOOK, B, H, I, Model, T, Two, node_of

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional as F
from tinygrad_rnn.page.live.lowering import NoText
from tinygrad_rnn.page.live.page_data import found_in
from tinygrad_rnn.page.live.recorded_network import RecordedNetwork


@pytest.fixture(autouse=True)
def node():
    if shutil.which("node") is None:
        pytest.skip("needs node on the PATH")


def same(model, x, loss, folder, drawn):
    total = loss(model, x)
    graph = tg.graph(total)
    if drawn:
        graph.to_dot()
        list(graph)
    network = RecordedNetwork(graph)
    target = network.y if network.y.size else []
    seen = node_of(
        network,
        x.numpy(),
        np.zeros(0),
        f"if (net.m.x1) net.m.x1.set({np.ravel(target).tolist()}); {LOOK}",
        folder,
    )
    for p in model.parameters():
        p.grad = None
    loss(model, x).backward()
    assert seen["loss"] == pytest.approx(float(total), rel=1e-12)
    known = dict(model.named_parameters())
    found = 0
    for name, grad in zip(network.names, seen["grads"], strict=True):
        p = next(
            p for n, p in known.items() if n == name or name.endswith("." + n) or n.endswith(name)
        )
        right = np.zeros(len(grad)) if p.grad is None else p.grad.numpy().ravel()
        assert np.abs(grad - right).max() <= 1e-11 * max(np.abs(right).max(), 1e-6), name
        found += 1
    assert found == len(list(model.parameters()))
    return network


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.LSTM(I, H),
        lambda: nn.GRU(I, H, num_layers=2, bidirectional=True),
        lambda: nn.RNN(I, H, batch_first=True),
        lambda: nn.LSTM(I, H, learned_state=True),
    ],
)
def test_a_layer_a_head_and_a_loss(layer, calls, drawn, tmp_path):
    model = filled(Model(layer()))
    first = model.rnn.batch_first
    x = tg.tensor(numbers((B, T, I) if first else (T, B, I), 1))
    y = tg.tensor(numbers((B, 2), 2))
    for _ in range(calls - 1):
        model(x)
    network = same(model, x, lambda m, a: F.mse_loss(m(a), y), tmp_path, drawn)
    np.testing.assert_array_equal(network.y, y.numpy())


def test_two_layers_and_ops_between(tmp_path):
    model = filled(Two())
    y = tg.tensor(numbers((T, B, H), 2))
    x = tg.tensor(numbers((T, B, I), 1))
    same(model, x, lambda m, a: F.mse_loss(m(a), y), tmp_path, False)


@pytest.mark.parametrize("calls", [1, 2])
def test_a_layer_with_lengths(calls, tmp_path):
    model, x = filled(Model(nn.LSTM(I, H))), tg.tensor(numbers((T, B, I), 1))

    def loss(m, a):
        return m.head(m.rnn(a, lengths=[T, 2, 4])[0]).square().sum()

    for _ in range(calls - 1):
        loss(model, x)
    same(model, x, loss, tmp_path, False)


def test_a_loss_without_a_target(tmp_path):
    model, x = filled(Model(nn.LSTM(I, H))), tg.tensor(numbers((T, B, I), 1))
    same(model, x, lambda m, a: m(a).square().sum(), tmp_path, False)


def test_what_the_graph_does_not_say_is_named():
    model = filled(Model(nn.LSTM(I, H)))
    x = tg.tensor(numbers((T, B, I), 1))
    loss = F.mse_loss(model(x), tg.tensor(numbers((B, 2), 2)))  # the target is gone
    with pytest.raises(NoText, match="gone"):
        RecordedNetwork(tg.graph(loss))
    assert "gone" in found_in(tg.graph(loss)).why
    loss = model(x).sum()
    with tg.no_grad():
        model.head.bias.zero_()
    with pytest.raises(NoText, match="written"):
        RecordedNetwork(tg.graph(loss))
    model.rnn.compiled = False
    with pytest.raises(NoText, match="compiled"):
        RecordedNetwork(tg.graph(model(x).sum()))
