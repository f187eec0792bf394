"""Symbols and classes as whole numbers in JavaScript: embeddings and losses by index, beside Python."""

import shutil

import numpy as np
import pytest
from made_up import filled
from test_live_network import node_of
from test_live_network import same as equal

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.nn import functional as F
from tinygrad_rnn.page.live.lowering import NoText
from tinygrad_rnn.page.live.network import Network
from tinygrad_rnn.page.live.recorded_network import RecordedNetwork

T, B, V, H = 6, 3, 7, 4
DRAW = np.random.default_rng(0)
X, Y = DRAW.integers(0, V, (T, B)), DRAW.integers(0, V, (T, B))
OTHER_X = DRAW.integers(0, V, (T, B))
LEFT_OUT = np.where(DRAW.random((T, B)) < 0.3, -100, Y)
WEIGHTS = np.linspace(0.5, 2, V)


@pytest.fixture(autouse=True)
def node():
    if shutil.which("node") is None:
        pytest.skip("needs node on the PATH")


def same(model, x, y, loss, folder):
    """The text is made on other data than it runs on: nothing of the first may be left in it."""
    first = OTHER_X if x.dtype.kind == "i" else x * 2
    equal(model, x, y, loss, folder, 1e-11, traced=(first, y[::-1].copy()))


class Characters(nn.Module):
    """Symbols in, a score of each symbol out, at every step or at the last."""

    def __init__(self, kind=nn.LSTM, last=False, padding=None, **options):
        super().__init__()
        self.table = nn.Embedding(V, 3, padding_idx=padding)
        self.rnn, self.head = kind(3, H, **options), nn.Linear(H * (1 + self.both(options)), V)
        self.last = last

    def both(self, options):
        return int(options.get("bidirectional", False))

    def forward(self, x):
        y = self.rnn(self.table(x))[0]
        return self.head(y[-1] if self.last else y)


class Floats(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(2, H), nn.Linear(H, V)

    def forward(self, x):
        return self.head(self.rnn(x)[0][-1])


def flat(loss, **options):
    return lambda p, t: loss(p.reshape(-1, V), t.reshape(-1), **options)


def turned(p, t):
    """Classes on axis 1, as PyTorch has them: (batch, classes, time)."""
    return F.cross_entropy(p.permute(1, 2, 0), t.permute(1, 0))


@pytest.mark.parametrize("padding", [None, 0, -1])
@pytest.mark.parametrize(
    "options",
    [{}, {"num_layers": 2}, {"bidirectional": True}, {"kind": nn.GRU}, {"kind": nn.RNN}],
    ids=str,
)
def test_embeddings_and_classes_at_every_step(options, padding, tmp_path):
    model = filled(Characters(padding=padding, **options))
    same(model, X, Y, flat(F.cross_entropy), tmp_path)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (flat(F.cross_entropy, reduction="sum"), Y),
        (flat(F.cross_entropy, label_smoothing=0.2), Y),
        (flat(F.cross_entropy, weight=WEIGHTS), Y),
        (flat(F.cross_entropy, weight=WEIGHTS, label_smoothing=0.1), LEFT_OUT),
        (flat(F.cross_entropy), LEFT_OUT),
        (flat(F.cross_entropy, reduction="sum", ignore_index=2), Y),
        (lambda p, t: F.nll_loss(F.log_softmax(p, -1).reshape(-1, V), t.reshape(-1)), Y),
        (lambda p, t: F.nll_loss(p.permute(1, 2, 0), t.T, weight=WEIGHTS), LEFT_OUT),
        (turned, LEFT_OUT),
        (lambda p, t: turned(p, t) + F.cross_entropy(p[-1], t[0]), Y),
        (lambda p, t: F.cross_entropy(p[2, 1], t[2, 1]), Y),
        (lambda p, t: nn.CrossEntropyLoss()(p.flatten(0, 1), t.flatten()), Y),
        (lambda p, t: -p.gather(-1, t.unsqueeze(-1)).mean(), Y),
        (lambda p, t: -tg.take_along_dim(p, (t - V).unsqueeze(-1), -1).sum(), Y),
        (lambda p, t: p.reshape(-1, V)[np.arange(T * B), t.reshape(-1)].square().sum(), Y),
        (lambda p, t: p[0, :, t[0]].square().sum() + p[t[:, 0] - 1, 1, :2].sum(), np.minimum(Y, 4)),
        (lambda p, t: (p * F.one_hot(t, V)).sum() / 9, Y),
        (lambda p, t: F.mse_loss(p.sum(-1), t), Y),
        (lambda p, t: F.binary_cross_entropy_with_logits(p[..., 0], t > 2), Y),
    ],
)
def test_every_way_in_which_a_class_chooses(loss, y, tmp_path):
    same(filled(Characters()), X, y, loss, tmp_path)


def test_a_class_a_sequence_and_other_ways_to_look_symbols_up(tmp_path):
    class Rows(Characters):
        def forward(self, x):
            return self.head(self.rnn(self.table.weight[x.T.flip(0).T])[0][-1])

    class OneHot(Characters):
        def forward(self, x):
            return self.head(self.rnn(F.one_hot(x, V).double() @ self.table.weight)[0][-1])

    class Tied(Characters):
        def forward(self, x):
            y = self.rnn(self.table(x))[0][-1]
            return self.head(y) + y[:, :3] @ self.table.weight.T

    for kind in (Characters, Rows, OneHot, Tied):
        same(filled(kind(last=True)), X, Y[0], F.cross_entropy, tmp_path)


def test_float_inputs_with_classes(tmp_path):
    model, x = filled(Floats()), DRAW.normal(size=(T, B, 2))
    same(model, x, Y[0], F.cross_entropy, tmp_path)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_training_follows_python_and_other_data_are_other_classes(kind, tmp_path):
    """The text is made on one set of data and run on another: nothing of the first is left in it."""
    model = filled(Characters())
    network = Network(model, X, Y, flat(F.cross_entropy))
    assert (network.symbols, network.classes) == (V, V)
    x, y = DRAW.integers(0, V, (T, B)), np.where(DRAW.random((T, B)) < 0.3, -100, Y[::-1])
    lines = f"""
    const by = new Optimizer(net, "{kind}", 0.05);
    seen.losses = [];
    for (let k = 0; k < 25; k++) {{ seen.losses.push(net.forward()); net.backward(); by.step(); }}
    seen.weights = net.weights.map((w) => Array.from(w));
    """
    seen = node_of(network, x, y, lines, tmp_path)
    optimizer = {"sgd": optim.SGD, "adam": optim.Adam}[kind](model.parameters(), lr=0.05)
    losses, model.rnn.compiled = [], False
    for _ in range(25):
        optimizer.zero_grad()
        loss = flat(F.cross_entropy)(model(tg.tensor(x)), tg.tensor(y))
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    np.testing.assert_allclose(seen["losses"], losses, rtol=1e-9)
    assert losses[-1] < 0.95 * losses[0]
    known = dict(model.named_parameters())
    for name, w in zip(network.names, seen["weights"], strict=True):
        np.testing.assert_allclose(w, known[name].detach().numpy().ravel(), rtol=1e-7, atol=1e-9)


def test_a_recorded_graph_with_classes(tmp_path):
    model, x = filled(Floats()), DRAW.normal(size=(T, B, 2))
    total = F.cross_entropy(model(tg.tensor(x)), tg.tensor(Y[0]))
    network = RecordedNetwork(tg.graph(total))
    seen = node_of(
        network,
        x,
        [],
        "seen.loss = net.forward(); net.backward();"
        "seen.grads = net.grads.map((g) => Array.from(g));",
        tmp_path,
    )
    total.backward()
    assert seen["loss"] == pytest.approx(float(total), rel=1e-12)
    known = dict(model.named_parameters())
    for name, grad in zip(network.names, seen["grads"], strict=True):
        right = next(p for n, p in known.items() if name.endswith(n) or n.endswith(name)).grad
        np.testing.assert_allclose(grad, right.numpy().ravel(), rtol=1e-10, atol=1e-13)


class Chosen(Characters):
    def forward(self, x):
        y = super().forward(x)
        return y * 2.0 if int(x[0, 0]) > 2 else y


class Masked(Characters):
    def forward(self, x):
        return super().forward(x).reshape(-1, V)[(x > 2).reshape(-1)]


class Sorted(Characters):
    def forward(self, x):
        return super().forward(x)[x[:, 0].argsort()]


class Lengths(Characters):
    def forward(self, x):
        return self.head(self.rnn(self.table(x), lengths=(x > 0).sum(0))[0])


class Past(Characters):
    """Numpy's arrays of the data, made where no trace hears."""

    def forward(self, x):
        return super().forward(x) + self.head.weight[np.array(x._data) % 4, 0].sum()


@pytest.mark.parametrize("kind", [Chosen, Masked, Sorted, Lengths, Past])
def test_what_no_program_can_follow_is_refused(kind):
    with pytest.raises(NoText, match=r"reads values|outside|argsort|index of its data"):
        Network(filled(kind()), X, Y, lambda p, t: p.square().sum())


def test_an_index_that_is_not_there_gives_no_number_and_no_gradient(tmp_path):
    network = Network(filled(Characters()), X, Y, flat(F.cross_entropy))
    y = Y.copy()
    y[0, 0] = V
    seen = node_of(network, X, y, "seen.nan = Number.isNaN(net.forward());", tmp_path)
    assert seen["nan"]
