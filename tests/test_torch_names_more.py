"""What PyTorch's scripts import and call beyond the engine, against values written out here."""

import io

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.autograd import Function, Variable
from tinygrad_rnn.distributions import Categorical
from tinygrad_rnn.nn import functional as f
from tinygrad_rnn.utils.data import DataLoader, RandomSampler, SequentialSampler


def central(function, x, step=1e-6):
    """The gradient of a function of a float64 array by central differences."""
    slope = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slope[i] = (function(up) - function(down)) / (2 * step)
    return slope


# ---- typed constructors --------------------------------------------------------------------------------

KINDS = {
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "ShortTensor": "int16",
    "CharTensor": "int8",
    "ByteTensor": "uint8",
    "BoolTensor": "bool",
}


@pytest.mark.parametrize(("name", "dtype"), KINDS.items())
def test_a_typed_constructor_takes_data_and_sizes(name, dtype):
    kind = getattr(tg, name)
    values = np.array([[0, 1], [2, 3]])
    for data in (values, values.tolist(), values.astype(np.float32), tg.tensor(values).to(dtype)):
        made = kind(data)
        assert made.dtype == dtype
        np.testing.assert_array_equal(made.numpy(), values.astype(dtype))
    assert kind(range(3)).tolist() == np.arange(3).astype(dtype).tolist()
    for made in (kind(2, 3), kind(tg.ones(2, 3).size())):
        assert (made.shape, made.dtype, bool(made.any())) == ((2, 3), dtype, False)
    assert kind().shape == (0,)
    x = tg.ones(2).type(kind)
    assert (x.dtype, x.type(), tg.ones(2).type(f"torch.{name}").dtype) == (
        dtype,
        f"torch.{name}",
        dtype,
    )
    assert isinstance(x, kind)
    assert [n for n in KINDS if isinstance(x, getattr(tg, n))] == [name]
    assert x.new(2, 3).shape == (2, 3)
    assert x.new([1, 0]).dtype == x.new().dtype == dtype


def test_a_shape_is_sizes_and_a_tuple_is_data():
    x = tg.ones(2, 3)
    for shape in (
        x.shape,
        x.size(),
        tg.Size([2, 3]),
        (x @ x.T).shape[:1] + tg.Size([3]),
        x.T.shape[::-1],
    ):
        assert tg.Tensor(shape).zero_().tolist() == tg.LongTensor(shape).tolist() == [[0] * 3] * 2
    assert x.new(x.shape[1:]).zero_().tolist() == [0, 0, 0]
    assert tg.Tensor((2, 3)).tolist() == tg.LongTensor((2, 3)).tolist() == [2, 3]
    assert repr(x.shape) == "(2, 3)"
    assert (x.shape[0], x.shape.numel()) == (2, 6)


def test_typed_constructors_refuse_what_is_not_clear():
    assert tg.LongTensor([1.7, -1.7]).tolist() == [1, -1]
    assert tg.ByteTensor([-1]).tolist() == [255]
    for wrong, error, words in [
        (lambda: tg.LongTensor(5.0), TypeError, "takes data"),
        (lambda: tg.LongTensor(tg.ones(2)), TypeError, "LongTensor.. of a tensor of float32"),
        (lambda: tg.ByteTensor([300]), ValueError, "does not fit uint8"),
        (lambda: tg.LongTensor([tg.nan]), ValueError, "does not fit int64"),
        (lambda: tg.FloatTensor(-1), ValueError, "must not be negative"),
        (lambda: tg.FloatTensor([1.0], device="cuda"), RuntimeError, "CPU alone"),
        (lambda: tg.ones(1).type("torch.cuda.FloatTensor"), RuntimeError, "CPU alone"),
        (lambda: tg.ones(1).type("FloatTensr"), TypeError, "no tensor is called"),
    ]:
        with pytest.raises(error, match=words):
            wrong()
    w = tg.ones(3, 3, requires_grad=True)
    w.new(2, 2).fill_(3)
    assert tg.Tensor(w.size()).tolist() == np.zeros((3, 3)).tolist()
    w.type("torch.DoubleTensor").sum().backward()
    assert w.grad.tolist() == np.ones((3, 3)).tolist()


def test_a_variable_is_a_tensor():
    x = tg.ones(2, requires_grad=True)
    y = Variable(x * 2)
    assert not y.requires_grad
    assert isinstance(x, Variable)
    v = Variable(tg.FloatTensor([3.0]), requires_grad=True)
    (v * v).backward()
    assert v.grad.item() == 6
    values = tg.zeros(2)
    Variable(values)[0] = 5.0  # one memory
    assert values.tolist() == [5, 0]
    with pytest.warns(UserWarning, match="no_grad"):
        assert Variable(x, volatile=True).tolist() == [1, 1]
    with pytest.raises(TypeError, match="takes a tensor, not list"):
        Variable([1.0])


# ---- choosing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 2), (1, 2, 2, 3)])
def test_softmax_without_dim_takes_pytorchs(shape, rng):
    x = rng.normal(size=shape)
    axis = 0 if len(shape) in (0, 1, 3) else 1
    e = np.exp(x)
    expected = e / e.sum(axis, keepdims=True) if shape else np.ones(())
    np.testing.assert_allclose(f.softmax(tg.tensor(x)).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(f.log_softmax(tg.tensor(x)).numpy(), np.log(expected), atol=1e-12)
    np.testing.assert_allclose(nn.Softmax()(tg.tensor(x)).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(nn.LogSoftmax()(tg.tensor(x)).numpy(), np.log(expected), atol=1e-12)


def test_where_it_is_not_zero(rng):
    for shape in [(), (4,), (3, 4), (2, 3, 2)]:
        x = rng.integers(0, 2, shape)
        t = tg.tensor(x)
        np.testing.assert_array_equal(
            t.nonzero().numpy(), np.argwhere(x).reshape(np.count_nonzero(x), len(shape))
        )
        for found in (tg.where(t), tg.nonzero(t, as_tuple=True), t.nonzero(as_tuple=True)):
            for a, b in zip(found, np.nonzero(np.atleast_1d(x)), strict=True):
                np.testing.assert_array_equal(a.numpy(), b)
    with pytest.raises(TypeError, match="a condition alone"):
        tg.where(tg.tensor([True]), 1.0)


def test_narrow_is_a_view_and_masked_select_has_a_gradient(rng):
    x = tg.tensor(rng.normal(size=(3, 4)))
    x.narrow(1, 1, 2).zero_()
    assert x[:, 1:3].abs().sum().item() == 0
    assert tg.narrow(x, 0, -1, 1).tolist() == x[2:].tolist()
    for start, length in [(2, 2), (-4, 1), (0, -1), (4, 0)]:
        with pytest.raises(IndexError, match="narrow"):
            x.narrow(0, start, length)
    y = tg.tensor(rng.normal(size=(3, 1)), requires_grad=True)
    mask = tg.tensor(rng.integers(0, 2, (3, 4)).astype(bool))
    chosen = tg.masked_select(y, mask)
    np.testing.assert_array_equal(chosen.detach(), np.broadcast_to(y.numpy(), (3, 4))[mask.numpy()])
    chosen.sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), mask.numpy().sum(1, keepdims=True))
    with pytest.raises(TypeError, match="mask of bools"):
        y.masked_select(tg.ones(3, 4))


def test_what_made_a_tensor():
    x = tg.ones(2, requires_grad=True)
    assert x.grad_fn is None
    assert (x * 2).grad_fn is not None
    assert (x * 2).detach().grad_fn is None
    assert nn.LSTM(2, 3)(tg.ones(2, 1, 2))[0].grad_fn is not None


# ---- old words of losses -------------------------------------------------------------------------------

LOSSES = {
    "mse_loss": nn.MSELoss,
    "l1_loss": nn.L1Loss,
    "smooth_l1_loss": nn.SmoothL1Loss,
    "binary_cross_entropy": nn.BCELoss,
    "binary_cross_entropy_with_logits": nn.BCEWithLogitsLoss,
    "cross_entropy": nn.CrossEntropyLoss,
    "nll_loss": nn.NLLLoss,
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("mean", [None, True, False])
@pytest.mark.parametrize("reduce", [None, True, False])
def test_size_average_and_reduce(name, mean, reduce, rng):
    x = tg.tensor(rng.uniform(0.1, 0.9, (4, 3)))
    classes = name in ("cross_entropy", "nll_loss")
    y = tg.tensor([0, 2, 1, 1]) if classes else tg.tensor(rng.uniform(0, 1, (4, 3)))
    each = getattr(f, name)(x, y, reduction="none").numpy()
    wanted = each if reduce is False else each.sum() if mean is False else each.mean()
    options = {"size_average": mean, "reduce": reduce}
    np.testing.assert_allclose(getattr(f, name)(x, y, **options).numpy(), wanted, rtol=1e-12)
    np.testing.assert_allclose(LOSSES[name](**options)(x, y).numpy(), wanted, rtol=1e-12)


# ---- modules -------------------------------------------------------------------------------------------


def test_every_path_of_a_module_is_the_same_class():
    from tinygrad_rnn.backends import cudnn
    from tinygrad_rnn.nn.modules import Module
    from tinygrad_rnn.nn.modules.batchnorm import BatchNorm1d
    from tinygrad_rnn.nn.modules.loss import MSELoss
    from tinygrad_rnn.nn.modules.rnn import LSTM
    from tinygrad_rnn.nn.parameter import Parameter
    from tinygrad_rnn.utils.data.dataloader import DataLoader as Loader
    from tinygrad_rnn.utils.data.sampler import SequentialSampler as InOrder

    assert (Module, MSELoss, LSTM, Parameter) == (nn.Module, nn.MSELoss, nn.LSTM, nn.Parameter)
    assert (BatchNorm1d, Loader, InOrder) == (nn.BatchNorm1d, DataLoader, SequentialSampler)
    cudnn.deterministic = True
    assert tg.backends.cudnn.deterministic is True
    assert not tg.backends.cudnn.is_available()
    cudnn.deterministic = False
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        nn.modules.Nothing  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tg.nothing  # noqa: B018


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell", "Linear"])
def test_device_and_dtype_of_a_layer(kind):
    layer = getattr(nn, kind)(2, 3, device="cpu", dtype=tg.float64)
    assert {p.dtype for p in layer.parameters()} == {tg.float64}
    assert {p.dtype for p in getattr(nn, kind)(2, 3, device=tg.device("cpu")).parameters()} == {
        tg.float32
    }
    with pytest.raises(RuntimeError, match="CPU alone"):
        getattr(nn, kind)(2, 3, device="cuda")


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("how", ["data", "Parameter", "detach", "list"])
def test_a_state_of_any_origin(kind, how, rng):
    x = tg.tensor(rng.normal(size=(4, 2, 3)).astype(np.float32))
    start = rng.normal(size=(1, 2, 5)).astype(np.float32)

    def given():
        made = {
            "data": lambda: tg.tensor(start, requires_grad=True).data,
            "Parameter": lambda: nn.Parameter(start),
            "detach": lambda: tg.tensor(start).detach(),
            "list": lambda: tg.FloatTensor(start.tolist()),
        }[how]()
        return (made, made) if kind == "LSTM" else made

    layer = getattr(nn, kind)(3, 5)
    plain = tg.tensor(start)
    expected, _ = layer(x, (plain, plain) if kind == "LSTM" else plain)
    for _ in range(3):  # compiled, and again
        y, _ = layer(x, given())
        np.testing.assert_array_equal(y.detach(), expected.detach())
    state = given()
    for _ in range(3):
        y, state = layer(x, state)
        state = tuple(s.data for s in state) if kind == "LSTM" else state.data


def test_containers():
    lists = nn.ParameterList([tg.ones(2), nn.Parameter(tg.zeros(3))])
    lists += [tg.ones(1)]
    assert [p.shape for p in lists] == [(2,), (3,), (1,)]
    assert list(lists.state_dict()) == ["0", "1", "2"]
    lists[1] = tg.ones(4)
    assert (lists[1].shape, lists[-1].shape, len(lists[:2])) == ((4,), (1,), 2)
    heads = nn.ModuleDict({"a": nn.Linear(2, 1)})
    heads["b"] = nn.Linear(1, 1)
    assert list(heads.keys()) == ["a", "b"]
    assert [n for n, _ in heads.named_parameters()] == ["a.weight", "a.bias", "b.weight", "b.bias"]
    assert "a" in heads
    assert heads.pop("a").in_features == 2
    assert len(heads) == 1
    for wrong, error in [
        ({"keys": nn.Tanh()}, KeyError),
        ({"a": 3}, TypeError),
        ({1: nn.Tanh()}, TypeError),
    ]:
        with pytest.raises(error):
            nn.ModuleDict(wrong)
    named = nn.Sequential({"first": nn.Linear(2, 3), "last": nn.Linear(3, 1)})
    assert [n for n, _ in named.named_children()] == ["first", "last"]
    assert named(tg.ones(5, 2)).shape == (5, 1)
    assert [n for n, _ in nn.ParameterDict({"w": tg.ones(2)}).named_parameters()] == ["w"]


def test_forward_hooks():
    layer = nn.Linear(2, 2)
    x, seen = tg.ones(1, 2), []
    expected = layer(x)
    first = layer.register_forward_hook(lambda m, i, o: seen.append((m, i, o)))
    second = layer.register_forward_hook(lambda m, i, o: o * 2)
    before = layer.register_forward_pre_hook(lambda m, i: (i[0] * 0,))
    np.testing.assert_allclose(layer(x).detach(), 2 * layer.bias.numpy()[None], rtol=1e-6)
    assert seen[0][0] is layer
    before.remove()
    np.testing.assert_allclose(layer(x).detach(), 2 * expected.numpy(), rtol=1e-6)
    second.remove()
    first.remove()
    np.testing.assert_array_equal(layer(x).detach(), expected.detach())
    assert len(seen) == 2


def test_a_hook_inside_a_cell_of_ones_own_is_called_at_every_step():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.W = nn.Linear(3, 3)

        def initial_state(self, batch):
            return tg.zeros(batch, 3)

        def forward(self, x, h):
            h = tg.tanh(self.W(x + h))
            return h, h

    layer, x = nn.Recurrent(Own()), tg.ones(5, 2, 3)
    plain = [layer(x)[0] for _ in range(3)]
    seen = []
    handle = layer.cell.W.register_forward_hook(lambda m, i, o: seen.append(1) or o * 0)
    for k in range(1, 4):
        y, _ = layer(x)
        assert not y.any()
        assert len(seen) == 5 * k
    handle.remove()
    np.testing.assert_allclose(layer(x)[0].detach(), plain[0].detach(), rtol=1e-6)


def test_packed_data_lies_step_by_step(rng):
    x = tg.tensor(rng.normal(size=(4, 3, 2)), requires_grad=True)
    packed = nn.utils.rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
    expected = [x.numpy()[t, k] for t in range(4) for k in (1, 0, 2) if t < [2, 4, 1][k]]
    np.testing.assert_array_equal(packed.data.detach(), expected)
    assert packed.batch_sizes.tolist() == [3, 2, 1, 1]
    packed.data.sum().backward()
    assert x.grad.sum().item() == 7 * 2


# ---- layers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [
        (1, 0, 1, 1),
        (2, 1, 1, 2),
        (1, "same", 2, 1),
        (3, 2, 2, 2),
        (1, "same", 1, 4),
        (2, "valid", 1, 1),
    ],
)
def test_a_convolution_over_time(stride, padding, dilation, groups, rng):
    n, c, t, o, k = 2, 4, 9, 8, 3
    x, w, b = rng.normal(size=(n, c, t)), rng.normal(size=(o, c // groups, k)), rng.normal(size=o)
    ends = (0, 0) if padding == "valid" else (padding, padding)
    if padding == "same":
        ends = (dilation * (k - 1) // 2, dilation * (k - 1) - dilation * (k - 1) // 2)

    def plain(x, w, b):
        p = np.pad(x, ((0, 0), (0, 0), ends))
        steps = (p.shape[2] - dilation * (k - 1) - 1) // stride + 1
        y = np.zeros((n, o, steps))
        for out in range(o):
            low = out // (o // groups) * (c // groups)
            for s in range(steps):
                part = p[
                    :,
                    low : low + c // groups,
                    s * stride : s * stride + dilation * (k - 1) + 1 : dilation,
                ]
                y[:, out, s] = (part * w[out]).sum((1, 2)) + b[out]
        return y

    ts = [tg.tensor(a, requires_grad=True) for a in (x, w, b)]
    y = f.conv1d(*ts, stride, padding, dilation, groups)
    np.testing.assert_allclose(y.detach(), plain(x, w, b), atol=1e-12)
    weights = rng.normal(size=y.shape)
    (y * tg.tensor(weights)).sum().backward()
    np.testing.assert_allclose(
        ts[0].grad, central(lambda a: (plain(a, w, b) * weights).sum(), x), atol=1e-6
    )
    np.testing.assert_allclose(
        ts[1].grad, central(lambda a: (plain(x, a, b) * weights).sum(), w), atol=1e-6
    )
    np.testing.assert_allclose(ts[2].grad, weights.sum((0, 2)), atol=1e-9)
    np.testing.assert_allclose(
        f.conv1d(ts[0][0], *ts[1:], stride, padding, dilation, groups).detach(),
        plain(x, w, b)[0],
        atol=1e-12,
    )


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm(shape, momentum, rng):
    norm = nn.BatchNorm1d(3, momentum=momentum, dtype=tg.float64)
    axes = (0,) if len(shape) == 2 else (0, 2)
    side = (1, 3) if len(shape) == 2 else (1, 3, 1)
    mean, var = np.zeros(3), np.ones(3)
    for k in range(1, 4):
        x = rng.normal(2, 3, shape)
        m, v = x.mean(axes), x.var(axes)
        y = norm(tg.tensor(x))
        expected = (x - m.reshape(side)) / np.sqrt(v.reshape(side) + 1e-5)
        np.testing.assert_allclose(y.detach(), expected, atol=1e-10)
        share = 1 / k if momentum is None else momentum
        mean, var = mean + share * (m - mean), var + share * (x.var(axes, ddof=1) - var)
    np.testing.assert_allclose(norm.running_mean, mean, atol=1e-10)
    np.testing.assert_allclose(norm.running_var, var, atol=1e-10)
    assert norm.num_batches_tracked.item() == 3
    y = norm.eval()(tg.tensor(x))
    expected = (x - mean.reshape(side)) / np.sqrt(var.reshape(side) + 1e-5)
    np.testing.assert_allclose(y.detach(), expected, atol=1e-10)
    t, weights = tg.tensor(x, requires_grad=True), rng.normal(size=shape)
    (norm.train()(t) * tg.tensor(weights)).sum().backward()

    def plain(a):
        centred = a - a.mean(axes, keepdims=True)
        return (centred / np.sqrt(a.var(axes, keepdims=True) + 1e-5) * weights).sum()

    np.testing.assert_allclose(t.grad, central(plain, x), atol=1e-6)
    with pytest.raises(ValueError, match="needs two values"):
        norm(tg.ones(1, 3))
    with pytest.raises(ValueError, match=r"expected \(batch, 3\)"):
        norm(tg.ones(4, 2))
    assert list(norm.state_dict()) == [
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "num_batches_tracked",
    ]


def test_dropout_of_channels():
    tg.manual_seed(0)
    x = tg.ones(40, 50, 4)
    for drop in (nn.Dropout1d(0.25), nn.Dropout2d(0.25)):
        y = drop(x).numpy()
        assert set(np.unique(y.std(2))) == {0}
        assert set(np.round(np.unique(y), 5)) == {0, np.float32(1.33333)}
        assert abs((y == 0).mean() - 0.25) < 0.05
        assert drop.eval()(x) is x
    y = nn.Dropout(0.5, inplace=True)(z := tg.ones(9))
    assert y is z
    assert set(z.tolist()) <= {0, 2}


def test_cosines(rng):
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(1, 3))
    expected = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(tg.cosine_similarity(tg.tensor(a), tg.tensor(b)), expected)
    np.testing.assert_allclose(nn.CosineSimilarity()(tg.tensor(a), tg.tensor(b)), expected)
    assert tg.cosine_similarity(tg.zeros(1, 2), tg.ones(1, 2)).item() == 0


def test_an_embedding_of_given_rows():
    rows = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer = nn.Embedding.from_pretrained(rows)
    assert layer(tg.tensor([1])).tolist() == [[3, 4]]
    assert not layer.weight.requires_grad
    assert nn.Embedding.from_pretrained(rows, freeze=False).weight.requires_grad


# ---- chance --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["probs", "logits"])
def test_categorical(by, rng):
    given = rng.uniform(0.1, 1, (2, 4))
    p = (given if by == "probs" else np.exp(given)) / (
        given if by == "probs" else np.exp(given)
    ).sum(1, keepdims=True)
    t = tg.tensor(given, requires_grad=True)
    choice = Categorical(**{by: t})
    np.testing.assert_allclose(choice.probs.detach(), p, rtol=1e-12)
    np.testing.assert_allclose(choice.entropy().detach(), -(p * np.log(p)).sum(1), rtol=1e-12)
    classes = np.array([[1, 3], [0, 2], [2, 2]])
    np.testing.assert_allclose(
        choice.log_prob(tg.tensor(classes)).detach(), np.log(p[[0, 1], classes]), rtol=1e-12
    )
    choice.log_prob(tg.tensor([1, 3])).sum().backward()

    def plain(a):
        q = a if by == "probs" else np.exp(a)
        return np.log(q / q.sum(1, keepdims=True))[[0, 1], [1, 3]].sum()

    np.testing.assert_allclose(t.grad, central(plain, given), atol=1e-6)
    tg.manual_seed(0)
    drawn = choice.sample((4000,))
    assert (drawn.shape, drawn.dtype) == ((4000, 2), tg.int64)
    for k in range(2):
        share = np.bincount(drawn.numpy()[:, k], minlength=4) / 4000
        np.testing.assert_allclose(share, p[k], atol=0.04)
    assert choice.sample().shape == (2,)
    assert Categorical(tg.tensor([0.0, 1.0, 0.0])).sample((50,)).eq(1).all()
    for wrong, words in [
        (lambda: Categorical(), "one of them"),
        (lambda: Categorical(tg.tensor([-1.0, 2.0])), "not negative"),
        (lambda: choice.log_prob(tg.tensor(4)), r"outside 0 \.\.\. 3"),
    ]:
        with pytest.raises(ValueError, match=words):
            wrong()


def test_a_generator_of_its_own():
    g = tg.Generator()
    tg.manual_seed(1)
    after = [tg.rand(1).item() for _ in range(2)]
    tg.manual_seed(1)
    draws = [
        lambda: tg.rand(3, generator=g.manual_seed(5)),
        lambda: tg.randn(3, generator=g.manual_seed(5)),
        lambda: tg.randint(0, 9, (3,), generator=g.manual_seed(5)),
        lambda: tg.randperm(9, generator=g.manual_seed(5)),
    ]
    for draw in draws:
        assert draw().tolist() == draw().tolist()
    assert [tg.rand(1).item() for _ in range(2)] == after  # the library's is left alone
    assert g.initial_seed() == 5
    order = [list(RandomSampler(range(9), generator=g.manual_seed(2))) for _ in range(2)]
    assert order[0] == order[1] != list(range(9))


def test_samplers():
    data = tg.utils.data
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    assert sorted(RandomSampler(range(5), num_samples=10)) == sorted([*range(5)] * 2)
    assert set(RandomSampler(range(3), replacement=True, num_samples=99)) == {0, 1, 2}
    assert sorted(data.SubsetRandomSampler([4, 7, 9])) == [4, 7, 9]
    assert set(data.WeightedRandomSampler([0, 1, 0, 1], 20)) == {1, 3}
    batches = data.BatchSampler(SequentialSampler(range(5)), 2, drop_last=True)
    assert (list(batches), len(batches)) == ([[0, 1], [2, 3]], 2)
    loader = DataLoader(
        list(range(10, 16)), batch_size=2, sampler=data.SubsetRandomSampler([1, 3, 5])
    )
    assert sorted(n for b in loader for n in b.tolist()) == [11, 13, 15]
    loader = DataLoader(list(range(10, 15)), batch_sampler=batches)
    assert [b.tolist() for b in loader] == [[10, 11], [12, 13]]


# ---- optimizers ----------------------------------------------------------------------------------------


def written_out(kind, p, g, memory, t):
    """Each optimizer's paper or PyTorch's page, a number at a time, with options of their own."""
    if kind == "Adagrad":
        memory["s"] = memory.get("s", 0.3) + g * g
        return p - 0.1 / (1 + (t - 1) * 0.05) * g / (np.sqrt(memory["s"]) + 1e-10)
    if kind == "Adadelta":
        v = memory["v"] = 0.8 * memory.get("v", 0) + 0.2 * g * g
        d = np.sqrt(memory.get("u", 0) + 1e-6) / np.sqrt(v + 1e-6) * g
        memory["u"] = 0.8 * memory.get("u", 0) + 0.2 * d * d
        return p - 0.5 * d
    m = memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    if kind == "Adamax":
        u = memory["u"] = max(0.99 * memory.get("u", 0), abs(g) + 1e-8)
        return p - 0.1 / (1 - 0.9**t) * m / u
    v = memory["v"] = 0.99 * memory.get("v", 0) + 0.01 * g * g
    if kind == "Adam":
        top = memory["top"] = max(memory.get("top", 0), v)
        return p - 0.1 / (1 - 0.9**t) * m / (np.sqrt(top) / np.sqrt(1 - 0.99**t) + 1e-8)
    mu, after = (0.9 * (1 - 0.5 * 0.96 ** (k * 0.01)) for k in (t, t + 1))
    product = memory["product"] = memory.get("product", 1) * mu
    step = (1 - mu) * g / (1 - product) + after * m / (1 - product * after)
    return p - 0.1 * step / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)


OPTIMIZERS = {
    "Adagrad": {"lr": 0.1, "lr_decay": 0.05, "initial_accumulator_value": 0.3},
    "Adadelta": {"lr": 0.5, "rho": 0.8},
    "Adamax": {"lr": 0.1, "betas": (0.9, 0.99)},
    "NAdam": {"lr": 0.1, "betas": (0.9, 0.99), "momentum_decay": 0.01},
    "Adam": {"lr": 0.1, "betas": (0.9, 0.99), "amsgrad": True},
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_an_optimizer_is_its_equations(kind, rng):
    decay, start = 0.02, rng.normal(size=3)
    w = tg.tensor(start, requires_grad=True)
    optimizer = getattr(tg.optim, kind)([w], **OPTIMIZERS[kind], weight_decay=decay)
    expected, memories = start.copy(), [{} for _ in range(3)]
    for t in range(1, 9):
        slopes = rng.normal(size=3) * (4 if t < 3 else 1)
        w.grad = tg.tensor(slopes)
        optimizer.step()
        if t == 4:  # through a file, in the middle
            file = io.BytesIO()
            tg.save(optimizer.state_dict(), file)
            optimizer = getattr(tg.optim, kind)([w], **OPTIMIZERS[kind], weight_decay=decay)
            optimizer.load_state_dict(tg.load(io.BytesIO(file.getvalue())))
        for i in range(3):
            g = slopes[i] + decay * expected[i]
            expected[i] = written_out(kind, expected[i], g, memories[i], t)
        np.testing.assert_allclose(w.detach(), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [
        ("Adagrad", "lr_decay", -0.1),
        ("Adagrad", "initial_accumulator_value", -0.1),
        ("Adadelta", "rho", 1.5),
        ("Adadelta", "rho", float("nan")),
        ("NAdam", "momentum_decay", -0.1),
        ("Adamax", "eps", -0.1),
    ],
)
def test_an_option_out_of_range_is_refused_for_all_and_for_one_group(kind, option, value):
    make, w = getattr(tg.optim, kind), tg.tensor([1.0], requires_grad=True)
    for params, options in (([w], {option: value}), ([{"params": [w], option: value}], {})):
        with pytest.raises(ValueError, match=f"{kind}: {option} must"):
            make(params, **options)


# ---- ops of one's own ----------------------------------------------------------------------------------


class Cubed(Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return scale * x * x * x

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * ctx.scale * 3 * x * x, None


class Both(Function):
    @staticmethod
    def forward(a, b):
        return a * b, a + b, (a > b)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, product, total, _none):
        a, b = ctx.saved_tensors
        assert ctx.needs_input_grad == (True, True)
        return product * b + total, product * a + total


def test_an_op_of_ones_own_sends_what_its_backward_says(rng):
    values = rng.normal(size=4)
    x = tg.tensor(values, requires_grad=True)
    y = Cubed.apply(x * 2, 0.5)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, 12 * values**2 * 1.0, rtol=1e-12)
    a, b = (tg.tensor(rng.normal(size=3), requires_grad=True) for _ in range(2))
    product, total, larger = Both.apply(a, b)
    assert larger.dtype == bool
    assert product.grad_fn is not None
    (product * 3).sum().backward()
    np.testing.assert_allclose(a.grad, 3 * b.numpy())
    (Both.apply(a, b)[1].sum() * 0 + total.sum()).backward()
    np.testing.assert_allclose(a.grad, 3 * b.numpy() + 1)
    ledger = Both.apply(a, a)[0].sum().backward(ledger=True)
    np.testing.assert_allclose(ledger[a].sum(0), 2 * a.numpy())
    with tg.no_grad():
        assert not Cubed.apply(x, 1.0).requires_grad


def test_what_was_saved_is_not_changed_by_writes():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    z = x * 1
    y = Cubed.apply(z, 1.0)
    z.mul_(10)
    y.sum().backward()
    assert x.grad.tolist() == [3, 12]


def test_an_op_of_ones_own_refuses_what_it_cannot():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, kind):
            ctx.kind = kind
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return {"few": gradient, "shape": (gradient[:2], None), "": (None, None)}[ctx.kind]

    x = tg.ones(3, requires_grad=True)
    for kind, words in [("few", "1 gradients, and forward took 2"), ("shape", r"shape \(2,\)")]:
        with pytest.raises(ValueError, match=words):
            Wrong.apply(x, kind).sum().backward()
    assert x.grad is None
    Wrong.apply(x, "").sum().backward()
    assert x.grad.tolist() == [0, 0, 0]
    with pytest.raises(RuntimeError, match="create_graph"):
        tg.grad(Cubed.apply(x, 1.0).sum(), x, create_graph=True)
    with pytest.raises(TypeError, match="apply"):
        Cubed()


def test_an_op_of_ones_own_in_a_cell():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(tg.ones(3))

        def initial_state(self, batch):
            return tg.zeros(batch, 3)

        def forward(self, x, h):
            h = Cubed.apply(tg.tanh(x * self.w + h), 0.5)
            return h, h

    layer, x = nn.Recurrent(Own()), tg.tensor(np.linspace(-1, 1, 24).reshape(4, 2, 3))
    layer.double()
    for _ in range(3):
        layer.zero_grad()
        y, _ = layer(x)
        y.sum().backward()
    h, w = tg.zeros(2, 3, dtype=tg.float64), tg.ones(3, dtype=tg.float64, requires_grad=True)
    total = 0
    for x_t in x:
        h = 0.5 * (x_t * w + h).tanh() ** 3
        total = total + h.sum()
    total.backward()
    np.testing.assert_allclose(layer.cell.w.grad, w.grad, rtol=1e-10)


def test_anomalies_are_looked_for_from_now_on():
    x = tg.tensor(200.0, requires_grad=True)
    with np.errstate(over="ignore"):
        look_for_anomalies(x)


def look_for_anomalies(x):
    tg.autograd.set_detect_anomaly(True)
    try:
        with pytest.raises(tg.AnomalyError):
            (x * x).exp()
        with tg.autograd.set_detect_anomaly(False):
            (x * x).exp()
        with pytest.raises(tg.AnomalyError):
            (x * x).exp()
    finally:
        tg.autograd.set_detect_anomaly(False)
    (x * x).exp()


def test_what_is_not_here_says_what_to_do():
    from tinygrad_rnn.utils.tensorboard import SummaryWriter

    with pytest.raises(RuntimeError, match="tensorboardX"):
        SummaryWriter("runs")
    with pytest.raises(TypeError, match="save its state_dict"):
        tg.save(tg.optim.SGD([tg.ones(1)], 0.1), io.BytesIO())


def test_old_spellings():
    assert nn.init.xavier_uniform is nn.init.xavier_uniform_
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nn.init.nothing  # noqa: B018
    file = io.BytesIO()
    tg.save({"w": tg.ones(2)}, file)
    read = tg.load(io.BytesIO(file.getvalue()), map_location=lambda storage, place: storage)
    assert read["w"].tolist() == [1, 1]


def test_interpolate_by_the_factor_or_by_what_the_lengths_make_it():
    x = tg.arange(4.0).reshape(1, 1, 4)
    resize = nn.functional.interpolate
    assert resize(x, scale_factor=1.7).flatten().tolist() == [0, 0, 1, 1, 2, 2]
    by_lengths = resize(x, scale_factor=1.7, recompute_scale_factor=True)
    assert by_lengths.flatten().tolist() == resize(x, 6).flatten().tolist() == [0, 0, 1, 2, 2, 3]
    with pytest.raises(ValueError, match="antialias"):
        resize(x, 2, mode="linear", antialias=True)
    with pytest.raises(TypeError, match="recompute"):
        resize(x, 2, recompute=True)


def test_a_quantile_has_no_gradient_for_its_q():
    with pytest.raises(TypeError, match="quantile by a q"):
        tg.quantile(tg.arange(4.0), tg.tensor(0.5, requires_grad=True))


@pytest.mark.parametrize(("kind", "shape"), [("1d", (3, 15)), ("2d", (3, 4, 5))])
def test_instance_norm_takes_one_example_as_a_batch_of_one(kind, shape):
    x = np.random.default_rng(0).normal(2.0, 3.0, shape)
    norm = getattr(nn, f"InstanceNorm{kind}")(3)
    axes = tuple(range(1, len(shape)))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    expected = (x - mean) / np.sqrt(var + 1e-5)
    np.testing.assert_allclose(norm(tg.tensor(x)).numpy(), expected, 1e-6, 1e-6)
    np.testing.assert_allclose(norm(tg.tensor(x[None])).numpy(), expected[None], 1e-6, 1e-6)
    with pytest.raises(ValueError, match="without the batch"):
        norm(tg.tensor(x[None, None]))


AGAIN = {
    "Linear": lambda: nn.Linear(30, 40),
    "Embedding": lambda: nn.Embedding(30, 40, padding_idx=3),
    "LSTM": lambda: nn.LSTM(30, 20),
    "GRUCell": lambda: nn.GRUCell(30, 20),
    "Conv1d": lambda: nn.Conv1d(6, 40, 5),
    "LayerNorm": lambda: nn.LayerNorm(30),
    "GroupNorm": lambda: nn.GroupNorm(2, 30),
    "BatchNorm1d": lambda: nn.BatchNorm1d(30),
}


@pytest.mark.parametrize("name", AGAIN)
def test_parameters_start_anew_as_they_started(name):
    module = AGAIN[name]()
    fresh = {k: v.numpy().copy() for k, v in module.state_dict().items()}
    with tg.no_grad():
        for value in [*module.parameters(), *module.buffers()]:
            value.fill_(7)
    tg.nn.Sequential(module).apply(lambda m: getattr(m, "reset_parameters", lambda: None)())
    assert module.state_dict().keys() == fresh.keys()
    for key, value in module.state_dict().items():
        now, before = value.numpy(), fresh[key]
        spread = 4 / np.sqrt(max(now.size, 1))
        assert now.dtype == before.dtype
        assert abs(now.mean() - before.mean()) <= spread
        assert abs(now.std() - before.std()) <= spread
        assert np.abs(now).max() <= np.abs(before).max() * 2 + 1e-9
    if name == "Embedding":
        assert not module.weight[3].numpy().any()


def test_a_subclass_says_how_it_starts():
    class Own(nn.Linear):
        def reset_parameters(self):
            nn.init.constant_(self.weight, 0.5)
            nn.init.zeros_(self.bias)

    assert Own(2, 3).weight.tolist() == [[0.5] * 2] * 3

    class Stack(nn.GRU):
        def reset_parameters(self):
            for name, p in self.named_parameters():
                nn.init.constant_(p, 0.25 if "weight" in name else -1.0)

    layer = Stack(2, 3, num_layers=2, bidirectional=True)
    assert {float(v) for p in layer.parameters() for v in p.flatten().tolist()} == {0.25, -1.0}


def test_buffers_of_a_module():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))
    assert [b.shape for b in net.buffers()] == [(2,), (2,), ()]
    assert net.get_buffer("0.running_var").tolist() == [1.0, 1.0]
    with pytest.raises(AttributeError, match=r"1\.mean"):
        net.get_buffer("1.mean")
