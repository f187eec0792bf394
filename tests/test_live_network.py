"""A user's network in JavaScript: loss, every weight's gradient and its ledger beside Python's, in node."""

import json
import shutil
import subprocess
from importlib import resources

import numpy as np
import pytest
from live_steps import runtime
from made_up import filled
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.nn import functional as F
from tinygrad_rnn.page.live.lowering import NoText
from tinygrad_rnn.page.live.network import Network

T, B, I, H = 6, 3, 3, 4  # noqa: E741 (the docs' names)


@pytest.fixture(autouse=True)
def node():
    if shutil.which("node") is None:
        pytest.skip("needs node on the PATH")


class Model(nn.Module):
    """A recurrent layer and a head on its last output, or on all of them."""

    def __init__(self, layer, outputs=2, last=True):
        super().__init__()
        self.rnn, self.last = layer, last
        width = layer.output_size if hasattr(layer, "output_size") else layer.cell.output_size
        self.head = nn.Linear(width, outputs)

    def forward(self, x):
        y = self.rnn(x)[0]
        if self.last:
            y = y[:, -1] if getattr(self.rnn, "batch_first", False) else y[-1]
        return self.head(y)


def node_of(network, x, y, lines, folder):
    """What some lines see of a network, in node."""
    js = (resources.files("tinygrad_rnn.page.live") / "network.js").read_text(encoding="utf-8")
    values = [np.asarray(v, "d").ravel().tolist() for v in network.values]
    path = folder / "network.js"
    path.write_text(
        f'"use strict";\n{runtime()}{js}\nconst net = new Network({network.text}, {json.dumps(values)});\n'
        f"net.m.x0.set({np.asarray(x, 'd').ravel().tolist()});\n"
        f"if (net.m.x1) net.m.x1.set({np.asarray(y, 'd').ravel().tolist()});\nconst seen = {{}};\n"
        f"{lines}\nconsole.log(JSON.stringify(seen));\n"
    )
    done = subprocess.run(["node", path], capture_output=True, text=True, timeout=120)
    assert not done.returncode, done.stderr[-2000:]
    return json.loads(done.stdout)


LOOK = """
seen.loss = net.forward();
seen.prediction = Array.from(net.prediction);
net.backward({ledger: true});
seen.grads = net.grads.map((g) => Array.from(g));
seen.sums = net.grads.map((g, k) => {
  const found = net.ledger(k), sum = new Array(g.length).fill(0);
  if (found) found.rows.forEach((v, i) => { sum[i % found.n] += v; });
  return found ? sum : Array.from(g);
});
"""


def same(model, x, y, loss, folder, limit=1e-12, traced=None):
    """All of Python's numbers on x and y; the text is made on the data ``traced``, where it is given."""
    model.eval()
    for module in model.modules():
        module.__dict__["compiled"] = False
    network = Network(model, *(traced or (x, y)), loss)
    seen = node_of(network, x, y, LOOK, folder)
    for p in model.parameters():
        p.grad = None
    prediction = model(tg.tensor(x))
    total = loss(prediction, tg.tensor(y))
    total.backward()
    np.testing.assert_allclose(seen["loss"], float(total), rtol=limit)
    np.testing.assert_allclose(
        seen["prediction"], prediction.numpy().ravel(), rtol=limit, atol=limit
    )
    known = dict(model.named_parameters())
    for name, grad, parts in zip(network.names, seen["grads"], seen["sums"], strict=True):
        right = known[name].grad
        right = np.zeros(len(grad)) if right is None else right.numpy().ravel()
        size = max(np.abs(right).max(), 1e-6)
        assert np.abs(grad - right).max() <= limit * size, name
        assert np.abs(np.subtract(parts, right)).max() <= limit * size, name


OPTIONS = [
    {},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"bias": False},
    {"batch_first": True},
    {"learned_state": True, "num_layers": 2},
    {"num_layers": 2, "dropout": 0.5},
]


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    "kind", ["RNN", "RNN relu", "LSTM", "LSTM projected", "peephole", "GRU", "GRU before"]
)
def test_every_layer_with_every_option(kind, options, last, tmp_path):
    chosen = {
        "RNN relu": {"nonlinearity": "relu"},
        "LSTM projected": {"proj_size": 2},
        "peephole": {"peephole": True},
        "GRU before": {"reset_after": False},
    }.get(kind, {})
    name = {"peephole": "LSTM"}.get(kind, kind.split()[0])
    model = filled(Model(getattr(nn, name)(I, H, **options, **chosen), last=last))
    x = numbers((B, T, I) if options.get("batch_first") else (T, B, I), 1)
    shape = model.eval()(tg.tensor(x)).shape
    same(model, x, numbers(shape, 2), F.mse_loss, tmp_path)


class Two(nn.Module):
    """Two layers with ops between, ragged sequences, a state that is handed on, a skip, one weight twice."""

    def __init__(self):
        super().__init__()
        self.below, self.above = nn.GRU(I, H), nn.LSTM(H, H)
        self.middle = nn.Linear(H, H)
        self.norm = nn.LayerNorm(H)

    def forward(self, x):
        y, h = self.below(x, lengths=[T, 2, 4])
        between = self.middle(y).tanh() * 0.5
        z, (h, c) = self.above(between, (h, h * 0.1))
        return self.middle(self.norm(z + y)) + c[-1]


@pytest.mark.parametrize(
    "loss",
    [
        F.mse_loss,
        F.l1_loss,
        F.smooth_l1_loss,
        lambda a, b: F.binary_cross_entropy_with_logits(a, b.sigmoid()),
        lambda a, b: F.cross_entropy(a.reshape(-1, H), tg.softmax(b.reshape(-1, H), -1)),
        lambda a, b: tg.logsumexp((a - b).square(), -1).sum(),
    ],
)
def test_what_is_around_the_layers_runs_too(loss, tmp_path):
    same(filled(Two()), numbers((T, B, I), 1), numbers((T, B, H), 2), loss, tmp_path)


class Own(nn.Module):
    """A cell of the user's own in a Recurrent, in both directions."""

    def __init__(self):
        super().__init__()
        self.leak = nn.Parameter(np.zeros(H))
        self.read = nn.Linear(I + H, H)
        self.output_size = H

    def initial_state(self, batch):
        return tg.zeros(batch, H, dtype=tg.float64)

    def forward(self, x, h):
        h = h + self.leak.sigmoid() * (self.read(tg.cat([x, h], -1)).tanh() - h)
        return h, h


def test_cells_of_the_user_s_own(tmp_path):
    model = filled(Model(nn.Recurrent(Own())))
    same(model, numbers((T, B, I), 1), numbers((B, 2), 2), F.mse_loss, tmp_path)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_training_gives_the_weights_that_python_s_gives(kind, tmp_path):
    model, x, y = filled(Model(nn.LSTM(I, H))), numbers((T, B, I), 1), numbers((B, 2), 2)
    network = Network(model, x, y, F.mse_loss)
    lines = f"""
    const by = new Optimizer(net, "{kind}", 0.05);
    seen.losses = [];
    for (let k = 0; k < 30; k++) {{ seen.losses.push(net.forward()); net.backward(); by.step(); }}
    seen.weights = net.weights.map((w) => Array.from(w));
    """
    seen = node_of(network, x, y, lines, tmp_path)
    optimizer = {"sgd": optim.SGD, "adam": optim.Adam}[kind](model.parameters(), lr=0.05)
    losses, model.rnn.compiled = [], False
    for _ in range(30):
        optimizer.zero_grad()
        loss = F.mse_loss(model(tg.tensor(x)), tg.tensor(y))
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    np.testing.assert_allclose(seen["losses"], losses, rtol=1e-9)
    known = dict(model.named_parameters())
    for name, w in zip(network.names, seen["weights"], strict=True):
        np.testing.assert_allclose(w, known[name].detach().numpy().ravel(), rtol=1e-7, atol=1e-9)


def test_a_cut_gives_what_detaching_gives(tmp_path):
    model, x, y = filled(Model(nn.LSTM(I, H))), numbers((T, B, I), 1), numbers((B, 2), 2)
    network = Network(model, x, y, F.mse_loss)
    seen = node_of(
        network,
        x,
        y,
        "net.forward(); net.backward({cut: 4}); seen.grads = net.grads.map((g) => Array.from(g));",
        tmp_path,
    )
    _, (h, c) = model.rnn(tg.tensor(x[:4]))
    out, _ = model.rnn(tg.tensor(x[4:]), (h.detach(), c.detach()))
    F.mse_loss(model.head(out[-1]), tg.tensor(y)).backward()
    known = dict(model.named_parameters())
    for name, grad in zip(network.names, seen["grads"], strict=True):
        np.testing.assert_allclose(grad, known[name].grad.numpy().ravel(), rtol=1e-11, atol=1e-14)


def test_what_has_no_text_is_named():
    class Random(Model):
        def forward(self, x):
            return super().forward(x) + tg.randn(1)

    model = filled(Random(nn.LSTM(I, H)))
    with pytest.raises(NoText, match=r"random|draws|outside"):
        Network(model, numbers((T, B, I), 1), numbers((B, 2), 2), F.mse_loss)


def test_what_does_not_fit_is_named():
    model = filled(Model(nn.LSTM(I, H)))
    x, y = numbers((T, B, I), 1), numbers((B, 2), 2)
    with pytest.raises(ValueError, match="symbols: the model looks nothing up"):
        tg.Live(model, (x, y), F.mse_loss, symbols="abc")
    with pytest.raises(NoText, match="recurrent layer"):
        tg.Live(nn.Linear(I, 2).double(), (x, np.zeros((T, B, 2))), F.mse_loss)
    with pytest.raises(ValueError, match="one answer"):
        tg.Live(filled(Model(nn.LSTM(2, H))), (x[..., :2], y), F.mse_loss, tasks=[("adding", 5, 2)])
    with pytest.raises(ValueError, match="cannot take 'sine'"):
        tg.Live(model, (x, y), F.mse_loss, tasks=[("sine", 5, 2)])
