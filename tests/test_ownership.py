"""A Parameter has one owner: whatever is assigned, deleted or registered, layer and cell stay one."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends

LAYERS = {
    "rnn": lambda: nn.RNN(3, 3),
    "lstm": lambda: nn.LSTM(3, 3),
    "two gru": lambda: nn.GRU(3, 3, 2),
    "both ways": lambda: nn.LSTM(3, 3, 2, bidirectional=True),
    "projected": lambda: nn.LSTM(3, 4, proj_size=3),
    "peephole": lambda: nn.LSTM(3, 3, peephole=True),
    "learned": lambda: nn.GRU(3, 3, bidirectional=True, learned_state=True),
    "without bias": lambda: nn.LSTM(3, 3, bias=False),
}
CELLS = {
    "rnn": lambda: nn.RNNCell(3, 3),
    "lstm": lambda: nn.LSTMCell(3, 3),
    "gru": lambda: nn.GRUCell(3, 3),
    "paper's gru": lambda: nn.GRUCell(3, 3, reset_after=False),
    "peephole": lambda: nn.PeepholeLSTMCell(3, 3),
    "coupled": lambda: nn.CoupledLSTMCell(3, 3),
    "normalised": lambda: nn.LayerNormLSTMCell(3, 3),
}


@pytest.fixture(autouse=True)
def double():
    tg.set_default_dtype("float64")
    yield
    tg.set_default_dtype("float32")


def sequence():
    return tg.tensor(np.random.default_rng(3).normal(size=(4, 2, 3)))


def where(layer, name):
    """The cell behind a name, and its name there; the layer itself for what no cell has."""
    for at, cell in enumerate(layer.cells()):
        short = name.removesuffix(layer._suffix(at))
        if short != name and hasattr(cell, short):
            return cell, short
    return layer, name


def run(layer, parameters):
    """Values, and the gradients of some leaves (None where nothing came), by a plain call."""
    for p in parameters:
        p.grad = None
    y, last = layer(sequence())
    parts = (last,) if isinstance(last, tg.Tensor) else last
    (y.square().sum() + sum((p * p).sum() for p in parts)).backward()
    return y.numpy(), [None if p.grad is None else p.grad.numpy() for p in parameters]


def expected(make, values):
    """The same of a fresh layer that was given the values by ``load_state_dict``, recorded op by op."""
    layer = make()
    layer.load_state_dict(values)
    layer.compiled = False
    parameters = dict(layer.named_parameters())
    y, grads = run(layer, parameters.values())
    return y, dict(zip(parameters, grads, strict=True))


def new(p):
    return nn.Parameter(p.numpy() * 0.5 + 0.1)


def on_the_layer(layer, name, value):
    setattr(layer, name, value)


def on_the_cell(layer, name, value):
    owner, short = where(layer, name)
    setattr(owner, short, value)


def registered(layer, name, value):
    layer.register_parameter(name, value)


def registered_in_the_cell(layer, name, value):
    owner, short = where(layer, name)
    owner.register_parameter(short, value)


def deleted_first(layer, name, value):
    delattr(layer, name)
    setattr(layer, name, value)


def deleted_in_the_cell(layer, name, value):
    owner, short = where(layer, name)
    delattr(owner, short)
    registered(layer, name, value)


def in_the_table(layer, name, value):
    layer._parameters[name] = value


def deleted_from_the_table(layer, name, value):
    del layer._parameters[name]
    on_the_cell(layer, name, value)


WAYS = [
    on_the_layer,
    on_the_cell,
    registered,
    registered_in_the_cell,
    deleted_first,
    deleted_in_the_cell,
    in_the_table,
    deleted_from_the_table,
]


def one(layer):
    """Layer and cells agree about every name, and every Parameter is listed once."""
    listed = dict(layer.named_parameters())
    for name, p in listed.items():
        owner, short = where(layer, name)
        assert getattr(layer, name) is p
        assert getattr(owner, short) is p
        assert name in dir(layer)
        assert layer._parameters[name] is p
    inside = [p for cell in layer.cells() for p in cell.parameters()]
    assert {id(p) for p in inside} <= {id(p) for p in listed.values()}
    assert set(layer.state_dict()) >= set(listed)
    assert len({id(p) for p in layer.parameters()}) == len(list(layer.parameters()))


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "recorded"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_parameter_assigned_anywhere_is_the_one_that_counts(kind, way, compiled):
    layer = LAYERS[kind]()
    layer.compiled = compiled
    run(layer, [])  # what is remembered of the old weights must not count
    for name in [n for n, _ in layer.named_parameters()]:
        value = new(getattr(layer, name))
        way(layer, name, value)
        assert getattr(layer, name) is value
        one(layer)
    parameters = dict(layer.named_parameters())
    for _ in range(2):
        y, grads = run(layer, parameters.values())
        right, right_grads = expected(LAYERS[kind], layer.state_dict())
        np.testing.assert_allclose(y, right, rtol=1e-12)
        for name, g in zip(parameters, grads, strict=True):
            np.testing.assert_allclose(g, right_grads[name], rtol=1e-9, atol=1e-12)
    layer.zero_grad()
    assert all(p.grad is None for p in parameters.values())
    layer.requires_grad_(False)
    assert not any(p.requires_grad for p in parameters.values())
    layer.float()
    assert {p.dtype.name for p in parameters.values()} == {"float32"}


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "recorded"])
@pytest.mark.parametrize("where_", ["layer", "cell"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_computed_tensor_in_a_parameters_place_passes_its_gradient_on(kind, where_, compiled):
    layer = LAYERS[kind]()
    layer.compiled = compiled
    run(layer, [])
    names = [n for n, p in layer.named_parameters()]
    raw = {n: nn.Parameter(getattr(layer, n).numpy() + 0.1) for n in names}
    rng = np.random.default_rng(0)
    for step in range(3):
        masks = {n: rng.integers(0, 3, p.shape).astype(float) for n, p in raw.items()}
        values = {}
        for name, p in raw.items():
            owner, short = (layer, name) if where_ == "layer" else where(layer, name)
            if step == 0:
                delattr(owner, short)
            setattr(owner, short, p * tg.tensor(masks[name]))
            values[name] = getattr(layer, name).detach()
            assert getattr(layer, name) is getattr(*where(layer, name))
        assert not list(layer.parameters())
        y, grads = run(layer, raw.values())
        right, right_grads = expected(LAYERS[kind], values)
        np.testing.assert_allclose(y, right, rtol=1e-12)
        for name, g in zip(raw, grads, strict=True):
            np.testing.assert_allclose(g, right_grads[name] * masks[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "recorded"])
@pytest.mark.parametrize("kind", CELLS)
def test_a_bare_cell_with_computed_weights(kind, compiled):
    def over_time(cell):
        state = cell.initial_state(2)
        for x_t in sequence():
            state = cell(x_t, state)
        parts = (state,) if isinstance(state, tg.Tensor) else state
        sum((k + 1.0) * (s * s).sum() for k, s in enumerate(parts)).backward()
        return parts[0].numpy()

    plain, cell = CELLS[kind](), CELLS[kind]()
    cell.compiled, plain.compiled = compiled, False
    over_time(cell)
    names = [n for n, _ in cell.named_parameters() if "." not in n]
    raw = {n: nn.Parameter(getattr(cell, n).numpy() + 0.1) for n in names}
    for name in names:
        delattr(cell, name)
    for factor in (2.0, -0.5):
        for name, p in raw.items():
            p.grad = None
            setattr(cell, name, p * factor)
            setattr(plain, name, nn.Parameter(p.numpy() * factor))
        np.testing.assert_allclose(over_time(cell), over_time(plain), rtol=1e-12)
        for name, p in raw.items():
            right = getattr(plain, name).grad.numpy() * factor
            np.testing.assert_allclose(p.grad.numpy(), right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("lengths", [None, [4, 2]])
@pytest.mark.parametrize("kind", CELLS)
def test_both_cells_of_a_recurrent_with_computed_weights(kind, lengths):
    results = []
    for compiled in (True, False):
        tg.manual_seed(0)
        layer = nn.Recurrent(CELLS[kind](), reverse=CELLS[kind]())
        layer.compiled = compiled
        raw = [nn.Parameter(cell.weight_hh.detach()) for cell in layer.cells()]
        for factor in (1.5, -0.5):
            for cell, w in zip(layer.cells(), raw, strict=True):
                cell._parameters.pop("weight_hh", None)
                cell.weight_hh = w * factor
            y, _ = layer(sequence(), lengths=lengths)
            y.square().sum().backward()
        assert layer.explain().startswith("compiled") == compiled
        results.append([y.numpy(), *(p.grad.numpy() for p in (*raw, *layer.parameters()))])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "recorded"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_constant_in_a_parameters_place_takes_no_gradient(kind, compiled):
    layer = LAYERS[kind]()
    layer.compiled = compiled
    value = layer.weight_hh_l0.numpy() + 0.1
    del layer.weight_hh_l0
    layer.weight_hh_l0 = tg.tensor(value)
    _, right = expected(LAYERS[kind], {**layer.state_dict(), "weight_hh_l0": value})
    parameters = dict(layer.named_parameters())
    assert "weight_hh_l0" not in parameters
    for _ in range(2):
        _, grads = run(layer, parameters.values())
        for name, g in zip(parameters, grads, strict=True):
            np.testing.assert_allclose(g, right[name], rtol=1e-9, atol=1e-12)
    with tg.no_grad():
        y, state = layer(sequence())
        if not layer.bidirectional:
            step, _ = layer.step(sequence()[0])
            np.testing.assert_allclose(step.numpy(), y[0].numpy(), rtol=1e-12)
            layer.step(sequence()[0], state)
    layer.requires_grad_(False)
    assert not layer(sequence())[0].requires_grad


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "recorded"])
def test_a_learned_state_is_owned_by_the_layer(compiled):
    layer = LAYERS["learned"]()
    layer.compiled = compiled
    with pytest.raises(ValueError, match=r"GRU\.h_0 has shape \(2, 3\), and this one has \(1, 3\)"):
        layer.h_0 = nn.Parameter(np.zeros((1, 3)))
    with pytest.raises(TypeError, match="h_0 cannot be None"):
        layer.h_0 = None
    raw = nn.Parameter(np.full((2, 3), 0.3))
    del layer.h_0
    with pytest.raises(AttributeError, match="h_0 was deleted"):
        layer(sequence())
    layer.h_0 = raw * 2.0
    y, (g,) = run(layer, [raw])
    right, grads = expected(LAYERS["learned"], {**layer.state_dict(), "h_0": np.full((2, 3), 0.6)})
    np.testing.assert_allclose(y, right, rtol=1e-12)
    np.testing.assert_allclose(g, 2 * grads["h_0"], rtol=1e-9)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "recorded"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "two gru"])
def test_weights_that_are_shared_inside_a_layer(kind, compiled):
    layer = LAYERS[kind]()
    layer.compiled = compiled
    run(layer, [])
    ends = [layer._suffix(at) for at in range(len(layer.cells()))]
    for end in ends:
        setattr(layer, f"bias_hh{end}", layer.bias_ih_l0)
        setattr(layer, f"weight_hh{end}", layer.weight_hh_l0)
        if kind == "rnn":
            setattr(layer, f"weight_hh{end}", layer.weight_ih_l0)
    parameters = dict(layer.named_parameters())
    _, right = expected(LAYERS[kind], layer.state_dict())
    _y, grads = run(layer, parameters.values())
    for (name, p), g in zip(parameters.items(), grads, strict=True):
        alike = [n for n in layer.state_dict() if getattr(layer, n) is p]
        np.testing.assert_allclose(g, sum(right[n] for n in alike), rtol=1e-9, err_msg=name)
    assert len(parameters) == {"rnn": 2, "lstm": 3, "two gru": 5}[kind]


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("how", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_one_too(kind, how):
    layer = LAYERS[kind]()
    twin = how(layer)
    one(twin)
    assert not {id(p) for p in layer.parameters()} & {id(p) for p in twin.parameters()}
    y, _ = run(layer, [])
    np.testing.assert_array_equal(run(twin, [])[0], y)
    twin.weight_hh_l0 = new(twin.weight_hh_l0)
    one(twin)
    assert np.abs(run(twin, [])[0] - y).max() > 1e-3
    np.testing.assert_array_equal(run(layer, [])[0], y)


def test_a_stream_follows_the_weights():
    layer, x = nn.LSTM(3, 3), sequence()
    with tg.no_grad():
        state = layer(x[:1])[1]
        before = layer.step(x[1], state)[0].numpy()
        np.testing.assert_array_equal(layer.step(x[1], state)[0].numpy(), before)
        for value in (tg.zeros(12, 3), tg.ones(12, 3)):
            if "weight_hh_l0" in dict(layer.named_parameters()):
                del layer.weight_hh_l0
            layer.weight_hh_l0 = value
            after = layer.step(x[1], state)[0].numpy()
            np.testing.assert_allclose(after, layer(x[1:2], state)[0][0].numpy(), rtol=1e-12)
            assert np.abs(after - before).max() > 1e-3


@pytest.mark.parametrize("kind", LAYERS)
def test_every_weight_left_out_or_misshapen_is_refused_by_name(kind):
    layer = LAYERS[kind]()
    before = layer.state_dict()
    y = run(layer, [])[0]
    for name in before:
        owner, short = where(layer, name)
        wrong = nn.Parameter(np.zeros((2, 2, 2)))
        for refused in (
            lambda name=name, wrong=wrong: setattr(layer, name, wrong),
            lambda name=name, wrong=wrong: layer.register_parameter(name, wrong),
            lambda owner=owner, short=short, wrong=wrong: setattr(owner, short, wrong),
            lambda owner=owner, short=short, wrong=wrong: owner.register_parameter(short, wrong),
        ):
            with pytest.raises(
                ValueError, match=rf"\w+\.{short}\w* has shape \(.*\), and this one"
            ):
                refused()
        with pytest.raises(ValueError, match="data has shape"):
            getattr(layer, name).data = tg.zeros(2, 2, 2)
        with pytest.raises(TypeError, match=f"'{name}' is a Parameter of {type(layer).__name__}"):
            setattr(layer, name, getattr(layer, name) * 1.0)
        if not short.startswith("bias"):
            with pytest.raises(TypeError, match=f"{name} cannot be None"):
                setattr(layer, name, None)
    one(layer)
    assert list(layer.state_dict()) == list(before)
    np.testing.assert_array_equal(run(layer, [])[0], y)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "recorded"])
def test_a_bias_that_is_left_out_counts_as_zero(compiled):
    layer = nn.GRU(3, 3)
    layer.compiled = compiled
    run(layer, [])
    layer.bias_ih_l0 = None
    zero = {**layer.state_dict(), "bias_ih_l0": tg.zeros(9)}
    y, grads = run(layer, [layer.weight_hh_l0])
    right, right_grads = expected(lambda: nn.GRU(3, 3), zero)
    np.testing.assert_allclose(y, right, rtol=1e-12)
    np.testing.assert_allclose(grads[0], right_grads["weight_hh_l0"], rtol=1e-9)
    layer.bias_ih_l0 = nn.Parameter(np.ones(9))
    assert np.abs(run(layer, [])[0] - y).max() > 1e-3


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "recorded"])
def test_a_deleted_weight_is_missed_by_name(compiled):
    layer, x = nn.LSTM(3, 3), sequence()
    layer.compiled = compiled
    layer(x)
    del layer.weight_hh_l0
    for use in (
        lambda: layer(x),
        lambda: layer.step(x[0]),
        lambda: layer.weight_hh_l0,
        lambda: layer.cells()[0](x[0]),
    ):
        with pytest.raises(AttributeError, match=r"weight_hh was deleted: assign .* \(12, 3\)"):
            use()
    with pytest.raises(AttributeError, match="weight_hh"):
        del layer.weight_hh_l0
    for wrong, error in ((np.zeros((12, 3)), TypeError), (tg.zeros(12, 3).long(), TypeError)):
        with pytest.raises(error, match=r"LSTM\.weight_hh_l0"):
            layer.weight_hh_l0 = wrong
    with pytest.raises(TypeError, match="equations here have no bias_hh"):
        nn.LayerNormLSTMCell(2, 3).bias_hh = nn.Parameter(np.zeros(12))


def test_what_is_registered_on_a_layers_cell_is_listed_by_the_layer():
    layer = nn.GRU(3, 3, bidirectional=True)
    layer.cells()[1].scale = nn.Parameter(np.ones(3))
    layer.cells()[0].register_buffer("seen", tg.zeros(1))
    layer.own = nn.Parameter(np.ones(1))
    names = list(layer.state_dict())
    assert "scale_l0_reverse" in names
    assert "seen_l0" in names
    assert "own" in names
    assert layer.scale_l0_reverse is layer.cells()[1].scale
    layer.float()
    assert layer.seen_l0.dtype == layer.cells()[0].seen.dtype == np.float32
    layer.seen_l0 = tg.ones(1)
    assert layer.cells()[0].seen.item() == 1
    assert "seen_l0" not in layer.__dict__


def test_the_tables_of_any_module_write_through():
    module = nn.Linear(2, 3)
    weight = module.weight
    assert dict(module._parameters) == {"weight": weight, "bias": module.bias}
    del module._parameters["weight"]
    with pytest.raises(AttributeError, match="weight"):
        module.weight  # noqa: B018 (it is asked for)
    module.weight = weight * 2
    module(tg.ones(1, 2)).sum().backward()
    np.testing.assert_array_equal(weight.grad.numpy(), np.full((3, 2), 2.0))
    assert list(module._parameters) == ["bias"]
    assert len(module._parameters) == 1
    with pytest.raises(KeyError):
        del module._parameters["weight"]
    module._modules["inner"] = nn.Tanh()
    assert [n for n, _ in module.named_children()] == ["inner"]
    assert module.inner
    module._buffers["kept"] = tg.ones(2)
    assert "kept" in module.state_dict()


# ---- PyTorch does the same ------------------------------------------------------------------------


@pytest.mark.peers
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_weight_drop_is_pytorchs(kind, layers, bidirectional):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, kind)(3, 4, layers, bidirectional=bidirectional).double()
    ours = tg.interop.from_torch(theirs)
    names = [n for n, _ in ours.named_parameters()]
    assert names == [n for n, _ in theirs.named_parameters()]
    raw = {n: (nn.Parameter(p.detach()), None) for n, p in ours.named_parameters()}
    raw = {
        n: (p, torch.nn.Parameter(getattr(theirs, n).detach().clone())) for n, (p, _) in raw.items()
    }
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 2, 3))
    for name in names:
        delattr(ours, name)
        delattr(theirs, name)
    for _ in range(2):
        for name, (p, q) in raw.items():
            mask = rng.integers(0, 3, p.shape).astype(float)
            setattr(ours, name, p * tg.tensor(mask))
            setattr(theirs, name, q * torch.tensor(mask))
            p.grad = q.grad = None
        y, right = ours(tg.tensor(x))[0], theirs(torch.tensor(x))[0]
        y.square().sum().backward()
        right.square().sum().backward()
        np.testing.assert_allclose(y.numpy(), right.detach().numpy(), rtol=1e-10)
        for name, (p, q) in raw.items():
            np.testing.assert_allclose(
                p.grad.numpy(), q.grad.numpy(), rtol=1e-8, atol=1e-12, err_msg=name
            )


# ---- what a graph was made of, and programs drawn at random ------------------------------------------


@pytest.fixture
def loops_on_numpy():
    with backends.using("numpy"):
        yield


@pytest.mark.usefixtures("loops_on_numpy")
@pytest.mark.parametrize("again", ["computed", "Parameter", "None", "deleted"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "two gru", "both ways"])
def test_a_graph_knows_the_weights_that_it_was_made_of(kind, again):
    """A ledger, or a second derivative, after the weight of the layer is another one."""
    seen = []
    for compiled in (True, False):
        tg.manual_seed(0)
        layer = LAYERS[kind]()
        layer.compiled = compiled
        raw = nn.Parameter(layer.weight_hh_l0.detach())
        bias = layer.bias_ih_l0
        del layer.weight_hh_l0
        layer.weight_hh_l0 = raw * 2.0
        loss = layer(sequence())[0].square().sum()
        if again == "computed":
            layer.weight_hh_l0 = raw * 3.0
        elif again == "Parameter":
            layer.weight_hh_l0 = nn.Parameter(np.ones(raw.shape))
        elif again == "None":
            layer.bias_ih_l0 = None
        else:
            del layer.weight_hh_l0
        ledger = loss.backward(ledger=True)
        (first,) = tg.grad(loss, [raw], create_graph=True)
        (second,) = tg.grad(first.sum(), [raw])
        seen.append([ledger[bias], raw.grad.numpy(), bias.grad.numpy(), second.numpy()])
        np.testing.assert_allclose(ledger[bias].sum(0), bias.grad.numpy(), rtol=1e-9, atol=1e-12)
    for a, b in zip(*seen, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


class Program:
    """A layer to which things are done at random, and a plain note of what each name stands for."""

    def __init__(self, seed):
        self.draw = np.random.default_rng(seed)
        tg.manual_seed(seed)
        self.make = LAYERS[self.draw.choice(["rnn", "lstm", "two gru", "both ways"])]
        self.layer = self.make()
        self.layer.compiled = bool(self.draw.random() < 0.7)
        # name: (the leaf, or None where it is left out; what it is multiplied by, or None)
        self.values = {n: (p, None) for n, p in self.layer.named_parameters()}

    def act(self):
        """One random act."""
        name = str(self.draw.choice(list(self.values)))
        leaf, factor = self.values[name]
        owner, short = self.layer, name
        shape = self.make().state_dict()[name].shape
        new = nn.Parameter(self.draw.normal(size=shape) * 0.5)
        act = self.draw.choice(["assign", "compute", "tie", "leave out", "freeze", "load"])
        if act == "assign":
            if factor is None:
                WAYS[self.draw.integers(len(WAYS))](
                    self.layer, name, new
                ) if leaf is not None else (setattr(owner, short, new))
            else:
                setattr(self.layer, name, new)
            self.values[name] = (new, None)
        elif act == "compute":
            if factor is None:
                delattr(self.layer, name)
            self.values[name] = (new, float(self.draw.integers(2, 4)))
            setattr(self.layer, name, new * self.values[name][1])
        elif act == "tie":
            alike = [p for p, k in self.values.values() if k is None and p is not None]
            alike = [p for p in alike if p.shape == shape]
            if alike:
                setattr(self.layer, name, alike[0])
                self.values[name] = (alike[0], None)
        elif act == "leave out" and name.startswith("bias"):
            self.layer.register_parameter(name, None)
            self.values[name] = (None, None)
        elif act == "freeze" and leaf is not None:
            leaf.requires_grad = not leaf.requires_grad
        elif act == "load":
            drawn = {id(p): self.draw.normal(size=p.shape) * 0.5 for p in self.layer.parameters()}
            state = {
                n: drawn[id(p)] for n, (p, k) in self.values.items() if id(p) in drawn and not k
            }
            self.layer.load_state_dict(state)

    def check(self):
        """Values, gradients and names are those of a fresh layer with the same values."""
        leaves = {id(p): p for p, _ in self.values.values() if p is not None}
        for name, (p, k) in self.values.items():
            if k is not None:
                setattr(self.layer, name, p * k)
        listed = {id(p) for p, k in self.values.values() if p is not None and k is None}
        assert {id(p) for p in self.layer.parameters()} == listed
        own = {n for n, (p, k) in self.values.items() if p is not None and k is None}
        assert set(self.layer.state_dict()) == own
        shapes = {n: t.shape for n, t in self.make().state_dict().items()}
        plain = {
            n: np.zeros(shapes[n]) if p is None else p.numpy() * (1 if k is None else k)
            for n, (p, k) in self.values.items()
        }
        right, grads = expected(self.make, plain)
        if not any(p.requires_grad for p in leaves.values()):
            np.testing.assert_allclose(self.layer(sequence())[0].numpy(), right, rtol=1e-9)
            return
        y, found = run(self.layer, list(leaves.values()))
        np.testing.assert_allclose(y, right, rtol=1e-9, atol=1e-12)
        for p, g in zip(leaves.values(), found, strict=True):
            parts = [grads[n] * (k or 1) for n, (q, k) in self.values.items() if q is p]
            assert (g is not None) == p.requires_grad
            if g is not None:
                np.testing.assert_allclose(g, sum(parts), rtol=1e-8, atol=1e-10)


@pytest.mark.usefixtures("loops_on_numpy")
@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_done_to_a_layer_in_whatever_order(seed):
    program = Program(seed)
    for _ in range(4):
        for _ in range(int(program.draw.integers(1, 4))):
            program.act()
        program.check()
