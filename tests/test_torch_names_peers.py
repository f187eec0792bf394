"""PyTorch's own answers to what its scripts call beyond the engine: the same calls in both."""

import numpy as np
import pytest

import tinygrad_rnn as tg

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


CALLS = [
    "t.LongTensor([1.7, -2.2])",
    "t.FloatTensor([[1, 2], [3, 4]])",
    "t.ByteTensor([-1, 7])",
    "t.BoolTensor([0, 2])",
    "t.DoubleTensor(x.numpy())",
    "t.ones(2).new([1, 2])",
    "x.long().new([1.7, 2])",
    "t.zeros(2, 3).new(x.size()).zero_()",
    "x.type(t.LongTensor)",
    "x.type('torch.DoubleTensor')",
    "x.narrow(1, -2, 1)",
    "x.nonzero()",
    "t.tensor(3.0).nonzero()",
    "t.where(x > 0)",
    "t.masked_select(x, x > 0)",
    "t.autograd.Variable(x * 2)",
    "t.nn.functional.softmax(x)",
    "t.nn.functional.log_softmax(x[0])",
    "t.nn.functional.softmax(x.view(2, 1, 3))",
    "t.nn.functional.softmax(x.view(2, 1, 1, 3))",
    "t.nn.functional.mse_loss(x, x * 0, size_average=False)",
    "t.nn.functional.cross_entropy(x, t.tensor([0, 2]), reduce=False)",
    "t.nn.BCEWithLogitsLoss(size_average=True)(x, x * 0 + 1)",
    "t.cosine_similarity(x, x.flip(0))",
    "t.nn.functional.cosine_similarity(x, x[:1], dim=-1)",
    "t.cosine_similarity(x * 0, x)",
    "t.nn.functional.conv1d(y, w)",
    "t.nn.functional.conv1d(y, w, None, 2, 1)",
    "t.nn.functional.conv1d(y, w, x[:, 0], padding='same', dilation=2)",
    "t.nn.functional.conv1d(y, w[:, :1], padding=2, groups=2)",
    "t.nn.functional.conv1d(y[0], w, stride=3)",
    "t.nn.functional.batch_norm(y, None, None, training=True)",
    "t.nn.functional.batch_norm(y, x[0, :2], x[1, :2].abs(), x[0, 1:], x[1, 1:])",
    "t.distributions.Categorical(x.abs()).entropy()",
    "t.distributions.Categorical(logits=x).log_prob(t.tensor([0, 2]))",
    "t.distributions.Categorical(probs=t.tensor([0.0, 1.0, 3.0])).log_prob(t.tensor([0, 1, 2]))",
    "t.distributions.Categorical(logits=x).probs",
    "t.distributions.Categorical(x.abs()).logits",
    "t.nn.utils.rnn.pack_padded_sequence(y.mT, [3, 5], True, enforce_sorted=False).data",
    "t.nn.utils.rnn.pack_padded_sequence(y.mT, [3, 5], True, enforce_sorted=False).batch_sizes",
]


def values(t):
    """The same tensors in either library."""
    rng = np.random.default_rng(4)
    made = {
        n: t.tensor(rng.normal(size=s))
        for n, s in [("x", (2, 3)), ("y", (2, 2, 5)), ("w", (2, 2, 3))]
    }
    return {"t": t, **made}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_gives_pytorchs_values(torch, call):
    ours, theirs = (eval(call, values(t)) for t in (tg, torch))
    pairs = zip(ours, theirs, strict=True) if isinstance(theirs, tuple) else [(ours, theirs)]
    for a, b in pairs:
        assert a.shape == tuple(b.shape)
        assert str(a.dtype) == str(b.dtype).removeprefix("torch.")
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (
            "Adagrad",
            {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2},
        ),
        ("Adadelta", {"lr": 0.7, "rho": 0.8, "weight_decay": 0.1}),
        ("Adamax", {"lr": 0.1, "weight_decay": 0.1}),
        ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.02}),
        ("Adam", {"lr": 0.1, "amsgrad": True}),
        ("AdamW", {"lr": 0.1, "amsgrad": True, "betas": (0.8, 0.9)}),
    ],
)
def test_an_optimizer_takes_pytorchs_steps(torch, kind, options):
    path = []
    for t in (tg, torch):
        w = t.tensor(np.linspace(-1, 1, 5), requires_grad=True)
        optimizer, rng = getattr(t.optim, kind)([w], **options), np.random.default_rng(0)
        for _ in range(12):
            optimizer.zero_grad()
            ((w - t.tensor(rng.normal(size=5))) ** 2).sum().backward()
            optimizer.step()
        path.append(w.detach().numpy())
    rtol = 1e-6 if kind == "NAdam" else 1e-9  # PyTorch keeps NAdam's product of momenta in float32
    np.testing.assert_allclose(*path, rtol=rtol)


def test_batch_norm_keeps_pytorchs_state(torch):
    rng = np.random.default_rng(1)
    norms = [t.nn.BatchNorm1d(3, momentum=None if k else 0.3) for k in (0, 1) for t in (tg, torch)]
    for _ in range(3):
        x = rng.normal(size=(4, 3, 2)).astype(np.float32)
        for ours, theirs in (norms[:2], norms[2:]):
            y, z = ours(tg.tensor(x)), theirs(torch.tensor(x))
            np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), atol=1e-5)
    for ours, theirs in (norms[:2], norms[2:]):
        state = theirs.state_dict()
        assert list(state) == list(ours.state_dict())
        for name, value in ours.state_dict().items():
            np.testing.assert_allclose(value.numpy(), state[name].numpy(), atol=1e-5)
        x = rng.normal(size=(4, 3)).astype(np.float32)
        y, z = ours.eval()(tg.tensor(x)), theirs.eval()(torch.tensor(x))
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), atol=1e-5)
