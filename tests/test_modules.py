"""Modules, layers, losses, initialisers and gradient utilities; and every public name's docstring."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from support import assert_close, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

F = nn.functional


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 2)
        self.rnn = nn.LSTM(2, 3, num_layers=2)
        self.heads = nn.ModuleList([nn.Linear(3, 1), nn.Linear(3, 2, bias=False)])
        self.register_buffer("mean", tg.tensor([0.5]))

    def forward(self, ids):
        y, _ = self.rnn(self.table(ids))
        return [head(y) - self.mean for head in self.heads]


IDS = np.array([[0], [3], [1]])

# ---- every public name ---------------------------------------------------------------------------


def _public():
    spaces = {"tg": tg, "nn": nn, "nn.functional": F, "optim": optim}
    found = {f"{s}.{n}": getattr(m, n) for s, m in spaces.items() for n in m.__all__}
    for space, module in (("nn.init", nn.init), ("nn.utils", nn.utils)):
        for name, value in vars(module).items():
            own = inspect.isfunction(value) and value.__module__ == module.__name__
            if own and not name.startswith("_"):
                found[f"{space}.{name}"] = value
    return {name: v for name, v in found.items() if not isinstance(v, np.dtype)}


PUBLIC = _public()
METHODS = {
    f"{cls}.{name}": value
    for cls, kind in PUBLIC.items()
    if inspect.isclass(kind)
    for name, value in vars(kind).items()
    if not name.startswith("_")
    and (inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod)))
}


@pytest.mark.parametrize("name", [*PUBLIC, *METHODS])
def test_every_public_name_has_a_docstring(name):
    thing = {**PUBLIC, **METHODS}[name]
    assert (thing.__doc__ or "").strip(), f"{name} has no docstring"


@pytest.mark.parametrize("name", [n for n, v in PUBLIC.items() if inspect.isfunction(v)])
def test_every_public_function_has_an_example(name):
    assert ">>>" in PUBLIC[name].__doc__


def test_public_lists_are_sorted_and_true():
    for module in (tg, nn, F, optim):
        assert len(set(module.__all__)) == len(module.__all__)
        for name in module.__all__:
            assert hasattr(module, name), name
    with pytest.raises(AttributeError, match="nonsense"):
        tg.nonsense  # noqa: B018


# ---- state dicts ---------------------------------------------------------------------------------

KEYS = [
    "mean",
    "table.weight",
    *(f"rnn.{p}_{m}_l{k}" for k in range(2) for p in ("weight", "bias") for m in ("ih", "hh")),
    "heads.0.weight",
    "heads.0.bias",
    "heads.1.weight",
]


def test_state_dict_has_every_parameter_and_buffer():
    state = Net().state_dict()
    assert list(state) == KEYS
    assert not any(v.requires_grad for v in state.values())


@pytest.mark.parametrize("kind", ["tensors", "arrays", "lists"])
def test_load_state_dict(kind):
    source, target = Net(), Net()
    convert = {"tensors": lambda t: t, "arrays": lambda t: t.numpy(), "lists": lambda t: t.tolist()}
    state = {k: convert[kind](v) for k, v in source.state_dict().items()}
    result = target.load_state_dict(state)
    assert result == ([], [])
    for a, b in zip(source(IDS), target(IDS), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    with tg.no_grad():
        source.rnn.weight_hh_l0.zero_()
    assert target.rnn.weight_hh_l0.numpy().any(), "values were copied"


def test_load_state_dict_keeps_the_dtype_and_the_parameters_themselves():
    net = Net()
    before = dict(net.named_parameters())
    net.load_state_dict({k: v.double() for k, v in net.state_dict().items()})
    assert all(p is before[k] for k, p in net.named_parameters())
    assert {p.dtype for p in net.parameters()} == {tg.float32}
    assert all(p.requires_grad for p in net.parameters())


def test_load_state_dict_names_every_fault_at_once_and_changes_nothing():
    net = Net()
    state = {k: tg.zeros_like(v) for k, v in net.state_dict().items()}
    del state["table.weight"], state["mean"]
    state["extra"] = state["more.extra"] = tg.ones(1)
    state["heads.0.bias"] = tg.ones(7)
    before = {k: v.numpy() for k, v in net.state_dict().items()}
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    for words in (
        "load_state_dict of Net",
        "table.weight is missing",
        "mean is missing",
        "extra is not known here",
        "more.extra is not known here",
        "heads.0.bias has shape (7,), expected (1,)",
    ):
        assert words in text
    with pytest.raises(RuntimeError, match=r"heads\.0\.bias"):
        net.load_state_dict(state, strict=False)
    for k, v in net.state_dict().items():
        np.testing.assert_array_equal(v.numpy(), before[k])
    del state["heads.0.bias"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["mean", "table.weight", "heads.0.bias"]
    assert result.unexpected_keys == ["extra", "more.extra"]
    assert not net.rnn.weight_ih_l1.numpy().any()
    assert net.heads[0].bias.numpy().any()


def test_copies_and_pickles_are_models_of_their_own():
    net = Net()
    net(IDS)[0].sum().backward()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(twin.state_dict()) == KEYS
        for a, b in zip(net(IDS), twin(IDS), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        twin.zero_grad()
        twin(IDS)[0].sum().backward()
        assert_close(twin.rnn.weight_hh_l0.grad, net.rnn.weight_hh_l0.grad, 1e-6)
        with tg.no_grad():
            for p in twin.parameters():
                p.zero_()
        np.testing.assert_array_equal(twin(IDS)[0].numpy(), np.full((3, 1, 1), -0.5))
        assert net.rnn.weight_hh_l0.numpy().any()
        assert len(tg.graph(twin(IDS)[0]).uses(twin.rnn.weight_hh_l0)) == 3


# ---- walking, modes, attributes ------------------------------------------------------------------


def test_walking():
    net = Net()
    assert [n for n, _ in net.named_children()] == ["table", "rnn", "heads"]
    assert [n for n, _ in net.named_modules()] == [
        "",
        "table",
        "rnn",
        "heads",
        "heads.0",
        "heads.1",
    ]
    assert [n for n, _ in net.named_parameters()] == KEYS[1:]
    assert [n for n, _ in net.named_buffers()] == ["mean"]
    assert len(list(net.parameters())) == len(KEYS) - 1
    assert list(net.children()) == [net.table, net.rnn, net.heads]
    assert next(iter(net.modules())) is net


def test_a_shared_parameter_is_listed_once_and_saved_under_both_names():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    assert [n for n, _ in net.named_parameters()] == ["0.weight"]
    assert list(net.state_dict()) == ["0.weight", "1.weight"]


def test_apply_runs_from_the_inside_out():
    seen = []
    net = Net()
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Embedding", "LSTM", "Linear", "Linear", "ModuleList", "Net"]


def test_train_and_eval_reach_every_module():
    net = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())


def test_freezing_zero_grad_and_precision():
    net = Net()
    net(IDS)[0].sum().backward()
    net.zero_grad(set_to_none=False)
    assert not net.rnn.weight_hh_l0.grad.numpy().any()
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.rnn.requires_grad_(False)
    net(IDS)[0].sum().backward()
    assert net.rnn.weight_hh_l0.grad is None
    assert net.heads[0].weight.grad is not None
    net.requires_grad_()
    assert net.double() is net
    assert {v.dtype for v in net.state_dict().values()} == {tg.float64}
    assert net(IDS)[0].dtype == tg.float64
    assert net.half().float().mean.dtype == tg.float32


def test_precision_that_is_there_already_writes_nothing():
    linear = nn.Linear(2, 1)
    loss = linear(tg.ones(2)).sum()
    linear.float().to("cpu")
    loss.backward()
    assert linear.weight.grad is not None


class NoSuper(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(1, 1)


def _assign(name, value):
    return lambda: setattr(nn.Linear(2, 1), name, value)


ATTRIBUTE_ERRORS = {
    "before super": (NoSuper, AttributeError, r"super\(\).__init__\(\) before assigning 'layer'"),
    "parameter by a number": (
        _assign("weight", 3.0),
        TypeError,
        "'weight' is a Parameter of Linear",
    ),
    "unknown": (lambda: nn.Linear(2, 1).wieght, AttributeError, "Linear has no attribute 'wieght'"),
    "unknown deleted": (lambda: delattr(nn.Tanh(), "x"), AttributeError, "no attribute 'x'"),
    "no forward": (lambda: nn.Module()(1), TypeError, "Module has no forward"),
    "integers": (lambda: nn.Linear(2, 1).to(tg.int64), TypeError, "hold floats, not int64"),
    "integer parameter": (lambda: nn.Parameter([1, 2]), TypeError, "holds floats, not int64"),
}


@pytest.mark.parametrize("name", ATTRIBUTE_ERRORS)
def test_attribute_errors(name):
    function, error, words = ATTRIBUTE_ERRORS[name]
    with pytest.raises(error, match=words):
        function()


def test_attributes_come_and_go():
    linear = nn.Linear(2, 1)
    linear.bias = None
    assert list(linear.state_dict()) == ["weight"]
    assert linear(tg.ones(2)).shape == (1,)
    linear.weight = nn.Parameter(np.ones((1, 2)))
    assert linear(tg.ones(2)).item() == 2.0
    linear.extra = nn.Tanh()
    linear.extra = 5
    assert list(linear.children()) == []
    del linear.extra
    assert not hasattr(linear, "extra")
    linear.add_module("act", nn.ReLU())
    assert isinstance(linear.act, nn.ReLU)
    net = Net()
    net.mean = tg.tensor([2.0])
    assert net.state_dict()["mean"].item() == 2.0


def test_sequential_and_module_list():
    layers = [nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)]
    net = nn.Sequential(*layers)
    assert len(net) == 3
    assert list(net) == layers
    assert net[-1] is layers[2]
    x = tg.tensor(numbers((4, 2)), dtype=tg.float32)
    np.testing.assert_array_equal(net(x).numpy(), layers[2](layers[0](x).tanh()).numpy())
    listed = nn.ModuleList(layers[:1])
    assert listed.append(layers[2]) is listed
    assert (len(listed), listed[1]) == (2, layers[2])
    assert len(list(listed.parameters())) == 4


def test_repr_counts_parameters():
    assert repr(Net()) == (
        "Net()  # 200 parameters\n"
        "  (table): Embedding(5, 2)  # 10 parameters\n"
        "  (rnn): LSTM(2, 3, num_layers=2)  # 180 parameters\n"
        "  (heads): ModuleList()  # 10 parameters\n"
        "    (0): Linear(in_features=3, out_features=1, bias=True)  # 4 parameters\n"
        "    (1): Linear(in_features=3, out_features=2, bias=False)  # 6 parameters"
    )
    assert repr(nn.RNN(2, 1, bias=False, batch_first=True)) == (
        "RNN(2, 1, bias=False, batch_first=True)  # 3 parameters"
    )
    assert repr(nn.RNNCell(1, 1, nonlinearity="relu")).startswith(
        "RNNCell(1, 1, nonlinearity='relu')"
    )
    assert repr(nn.Dropout(0.3)) == "Dropout(p=0.3)"
    assert "1,000,000 parameters" in repr(nn.Linear(1000, 1000, bias=False))
    assert repr(nn.Parameter([1.0])) == ("Parameter containing:\ntensor([1.], requires_grad=True)")


# ---- layers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: nn.Linear(3, 2), lambda: nn.Sequential(nn.Linear(3, 2))])
def test_float64_input_into_a_float32_layer_gives_float32(make):
    x = tg.tensor(np.ones((4, 3)), requires_grad=True)
    layer = make()
    y = layer(x)
    assert y.dtype == tg.float32
    y.sum().backward()
    assert x.grad.dtype == tg.float64
    assert layer(np.ones(3)).dtype == tg.float32


@pytest.mark.parametrize("shape", [(4,), (2, 4), ()])
def test_linear_refuses_other_features(shape):
    with pytest.raises(ValueError, match=r"linear: x has shape \(.*\), expected \(..., 3\)"):
        nn.Linear(3, 2)(tg.ones(shape))


def test_linear_starts_within_its_bound():
    linear = nn.Linear(100, 50)
    for p in linear.parameters():
        assert 0.05 < np.abs(p.numpy()).max() <= 0.1


def test_embedding_padding_starts_at_0_and_takes_no_gradient():
    table = nn.Embedding(5, 3, padding_idx=-1)
    assert not table.weight.numpy()[4].any()
    table(tg.tensor([0, 4, 4, 1])).sum().backward()
    np.testing.assert_array_equal(table.weight.grad.numpy()[:, 0], [1, 1, 0, 0, 0])


EMBEDDING_ERRORS = {
    "above": ([0, 5], IndexError, r"index 5 is outside 0 \.\.\. 4"),
    "below": ([0, -1], IndexError, r"index -1 is outside"),
    "floats": ([0.0], TypeError, "integers, not by float32"),
}


@pytest.mark.parametrize("name", EMBEDDING_ERRORS)
def test_embedding_refuses(name):
    index, error, words = EMBEDDING_ERRORS[name]
    with pytest.raises(error, match=words):
        nn.Embedding(5, 3)(index)


def test_dropout_drops_scales_and_rests():
    x = tg.ones(10_000, requires_grad=True)
    drop = nn.Dropout(0.25, generator=np.random.default_rng(0))
    y = drop(x)
    kept = y.numpy() != 0
    assert 0.73 < kept.mean() < 0.77
    np.testing.assert_allclose(y.numpy()[kept], 1 / 0.75, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())
    assert not np.array_equal(drop(x).numpy(), y.numpy())
    assert drop.eval()(x) is x
    assert F.dropout(x, 0.0) is x
    assert not F.dropout(x, 1.0).numpy().any()
    assert F.dropout(x.double(), 0.5).dtype == tg.float64
    for make in (nn.Dropout, lambda p: F.dropout(x, p)):
        with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
            make(1.5)


def test_dropout_by_generator_is_repeatable():
    x = tg.ones(50)
    a, b = (F.dropout(x, 0.5, generator=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (nn.Tanh, np.tanh),
        (nn.Sigmoid, lambda a: 1 / (1 + np.exp(-a))),
        (nn.ReLU, lambda a: a * (a > 0)),
    ],
)
def test_activations_as_modules(module, function):
    x = numbers((3, 2))
    np.testing.assert_allclose(module()(tg.tensor(x)).numpy(), function(x), rtol=1e-14)


# ---- losses --------------------------------------------------------------------------------------

SAME_SHAPE = ["mse_loss", "l1_loss", "binary_cross_entropy_with_logits"]


@pytest.mark.parametrize("name", SAME_SHAPE)
@pytest.mark.parametrize(("a", "b"), [((4, 1), (4,)), ((4,), (4, 1)), ((4,), ()), ((2, 3), (3,))])
def test_losses_refuse_to_broadcast(name, a, b):
    with pytest.raises(ValueError, match=f"{name}: input has shape .* and target .* must be equal"):
        getattr(F, name)(tg.ones(a), tg.ones(b))


@pytest.mark.parametrize("name", SAME_SHAPE)
def test_losses_take_the_dtype_of_the_prediction(name):
    x = tg.zeros(3, requires_grad=True)
    loss = getattr(F, name)(x, np.ones(3))
    assert (loss.dtype, loss.shape) == (tg.float32, ())
    loss.backward()
    assert x.grad.dtype == tg.float32


LOSS_ERRORS = {
    "float classes": (lambda: F.nll_loss(tg.ones(2, 3), tg.ones(2)), TypeError, "integers"),
    "batch": (
        lambda: F.nll_loss(tg.ones(2, 3), tg.tensor([0, 1, 2])),
        ValueError,
        r"\(2, 3\) = \(batch, classes, ...\), so target must have \(2,\), and has \(3,\)",
    ),
    "class above": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.tensor([0, 3])),
        IndexError,
        "0 ... 2",
    ),
    "class below": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.tensor([0, -1])),
        IndexError,
        "outside",
    ),
    "probabilities": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.ones(3)),
        ValueError,
        "must be equal",
    ),
    "reduction": (lambda: F.mse_loss(tg.ones(2), tg.ones(2), "avg"), ValueError, "got 'avg'"),
    "module's reduction": (lambda: nn.MSELoss("avg"), ValueError, "'mean', 'sum' or 'none'"),
    "0-d logits": (lambda: F.nll_loss(tg.ones(()), tg.tensor(0)), ValueError, "classes"),
}


@pytest.mark.parametrize("name", LOSS_ERRORS)
def test_losses_refuse(name):
    function, error, words = LOSS_ERRORS[name]
    with pytest.raises(error, match=words):
        function()


def test_losses_are_stable_far_out():
    x = tg.tensor([1000.0, -1000.0], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, tg.tensor([0.0, 1.0]), reduction="none")
    np.testing.assert_array_equal(loss.detach().numpy(), [1000, 1000])
    loss.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1.0, -1.0])
    y = tg.tensor([[1000.0, 0.0]], requires_grad=True)
    F.cross_entropy(y, tg.tensor([1])).backward()
    np.testing.assert_array_equal(y.grad.numpy(), [[1.0, -1.0]])


# ---- init ----------------------------------------------------------------------------------------

BIG = (400, 300)
INITS = {
    "zeros_": (lambda t: nn.init.zeros_(t), lambda a: not a.any()),
    "ones_": (lambda t: nn.init.ones_(t), lambda a: (a == 1).all()),
    "constant_": (lambda t: nn.init.constant_(t, 2.5), lambda a: (a == 2.5).all()),
    "uniform_": (
        lambda t: nn.init.uniform_(t, -3, 1),
        lambda a: a.min() < -2.9 < 0.9 < a.max() <= 1 and abs(a.mean() + 1) < 0.02,
    ),
    "normal_": (
        lambda t: nn.init.normal_(t, 2, 3),
        lambda a: abs(a.mean() - 2) < 0.05 and abs(a.std() - 3) < 0.05,
    ),
    "xavier_uniform_": (
        lambda t: nn.init.xavier_uniform_(t, gain=2),
        lambda a: abs(np.abs(a).max() - 2 * np.sqrt(6 / 700)) < 1e-3,
    ),
    "xavier_normal_": (
        lambda t: nn.init.xavier_normal_(t, gain=2),
        lambda a: abs(a.std() - 2 * np.sqrt(2 / 700)) < 1e-3 > abs(a.mean()),
    ),
    "kaiming_uniform_": (
        lambda t: nn.init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"),
        lambda a: abs(np.abs(a).max() - np.sqrt(6 / 400)) < 1e-3,
    ),
    "kaiming_normal_": (
        lambda t: nn.init.kaiming_normal_(t, nonlinearity="tanh"),
        lambda a: abs(a.std() - 5 / 3 / np.sqrt(300)) < 1e-3 > abs(a.mean()),
    ),
    "eye_": (lambda t: nn.init.eye_(t), lambda a: (a == np.eye(*BIG)).all()),
    "orthogonal_": (
        lambda t: nn.init.orthogonal_(t, gain=2),
        lambda a: np.allclose(a.T @ a, 4 * np.eye(300), atol=1e-3),
    ),
    "recurrent_": (
        lambda t: nn.init.recurrent_(t, 4),
        lambda a: all(np.allclose(b @ b.T, np.eye(100), atol=1e-3) for b in np.split(a, 4)),
    ),
}


# These start whole layers, or compute a number: tests/test_layers.py has them.
OF_LAYERS = {"calculate_gain", "chrono_", "forget_bias_", "identity_"}


def test_every_initialiser_is_tested():
    names = {n.removeprefix("nn.init.") for n in PUBLIC if n.startswith("nn.init.")}
    assert names == set(INITS) | OF_LAYERS


@pytest.mark.parametrize("name", INITS)
def test_initialisers(name):
    function, holds = INITS[name]
    p = nn.Parameter(np.full(BIG, 7.0), dtype=tg.float32)
    assert function(p) is p
    assert p.requires_grad
    assert p.dtype == tg.float32
    assert holds(p.numpy().astype(np.float64))


def test_orthogonal_matrices_are_uniform():
    """Without the signs of R a QR decomposition prefers one half of the rotations."""
    corners = [
        nn.init.orthogonal_(tg.zeros(2, 2), generator=np.random.default_rng(k)).numpy()[0, 0]
        for k in range(200)
    ]
    assert 70 < np.sum(np.array(corners) > 0) < 130


def test_initialisers_leave_numpys_own_randomness_alone():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    nn.LSTM(2, 3), tg.randn(3), tg.rand(2), F.dropout(tg.ones(3))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("name", ["xavier_uniform_", "orthogonal_"])
def test_initialisers_of_matrices_refuse_vectors(name):
    with pytest.raises(ValueError, match=rf"{name} needs at least 2 axes, got shape \(3,\)"):
        getattr(nn.init, name)(tg.zeros(3))


# ---- clipping ------------------------------------------------------------------------------------


def with_gradients(*grads):
    owners = []
    for g in grads:
        p = nn.Parameter(np.zeros(len(g)), dtype=tg.float32)
        p.grad = tg.tensor(g)
        owners.append(p)
    return owners


def test_clip_grad_norm_scales_all_together():
    a, b = with_gradients([3.0, 0.0], [0.0, 4.0])
    skipped = nn.Parameter([1.0])
    norm = nn.utils.clip_grad_norm_([a, skipped, b], 1.0)
    assert norm.item() == 5.0
    assert norm.dtype == tg.float32
    assert_close(np.hypot(a.grad.numpy()[0], b.grad.numpy()[1]), np.array(1.0), 1e-5)
    assert a.grad.dtype == tg.float32
    assert skipped.grad is None
    before = a.grad
    nn.utils.clip_grad_norm_((p for p in (a, b)), 10.0)
    assert a.grad is before
    assert nn.utils.clip_grad_norm_([skipped], 1.0).item() == 0.0
    assert nn.utils.clip_grad_norm_(a, 1.0).item() == pytest.approx(0.6, rel=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_clip_grad_norm_refuses_what_is_not_finite(bad):
    linear = nn.Linear(2, 2)
    linear(tg.ones(2)).sum().backward()
    linear.bias.grad = tg.tensor([1.0, bad])
    before = linear.weight.grad.numpy().copy()
    with pytest.raises(RuntimeError, match=r"not finite in bias.*error_if_nonfinite=False"):
        nn.utils.clip_grad_norm_(linear.parameters(), 1.0)
    np.testing.assert_array_equal(linear.weight.grad.numpy(), before)
    with np.errstate(invalid="ignore"):
        norm = nn.utils.clip_grad_norm_(linear.parameters(), 1.0, error_if_nonfinite=False)
    assert not np.isfinite(norm.item())


def test_clip_grad_norm_does_not_overflow():
    (a,) = with_gradients([1e30, 1e30])
    assert nn.utils.clip_grad_norm_([a], 1.0).item() == pytest.approx(1.414e30, rel=1e-3)
    assert_close(a.grad, np.full(2, np.sqrt(0.5)), 1e-5)


def test_clip_grad_value_():
    a, b = with_gradients([3.0, -0.5], [-4.0])
    nn.utils.clip_grad_value_([a, b], 1.0)
    np.testing.assert_array_equal(a.grad.numpy(), [1.0, -0.5])
    np.testing.assert_array_equal(b.grad.numpy(), [-1.0])


def test_a_state_dict_lists_each_modules_own_buffers_before_what_is_below_it():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
            self.register_buffer("mean", tg.zeros(1))
            self.w = nn.Parameter(tg.ones(1))

    own = ["w", "mean", "inner.0.weight", "inner.0.bias", "inner.1.weight", "inner.1.bias"]
    names = list(Net().state_dict())
    assert names[:6] == own
    assert names[6:8] == ["inner.1.running_mean", "inner.1.running_var"]
