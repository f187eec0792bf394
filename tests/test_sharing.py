"""What is shared stays shared, and optimizers know it: copies, pickles, files, PyTorch's modules."""

import copy
import io
import pickle

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.scan import backends


@pytest.fixture(autouse=True)
def _loops_on_numpy():
    with backends.using("numpy"):
        yield


class Tied(nn.Module):
    """One module under two names, one Parameter under two more."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.again = self.first
        self.rnn = nn.GRU(3, 3, 2)
        self.rnn.weight_hh_l1 = self.rnn.weight_hh_l0
        self.last = nn.Linear(3, 3, bias=False)
        self.last.weight = self.first.weight

    def forward(self, x):
        return self.last(self.rnn(self.again(self.first(x)))[0])


NAMES = ["first.weight", "first.bias", "again.weight", "again.bias"]
ALIASES = ["again.weight", "again.bias", "rnn.weight_hh_l1", "last.weight"]


def tied():
    tg.manual_seed(0)
    return Tied()


def whole(model):
    """What was tied is tied."""
    assert model.again is model.first
    assert model.last.weight is model.first.weight
    assert model.rnn.weight_hh_l1 is model.rnn.weight_hh_l0
    assert len(list(model.parameters())) == 9
    cells = model.rnn.cells()
    assert cells[0].weight_hh is cells[1].weight_hh is model.rnn.weight_hh_l0


def like(a, b):
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


# ---- state dicts and files ------------------------------------------------------------------------


def test_a_state_dict_has_every_name():
    names = list(tied().state_dict())
    assert names[:4] == NAMES
    assert set(ALIASES) < set(names)
    assert len(names) == 13


@pytest.mark.parametrize(
    "left_out", [[], ["again.weight"], ALIASES, ["first.weight", "again.weight"]]
)
def test_one_name_of_what_is_shared_is_enough(left_out):
    state = {n: t.numpy() + 1 for n, t in tied().state_dict().items() if n not in left_out}
    model = tied()
    assert model.load_state_dict(state) == ([], [])
    whole(model)
    np.testing.assert_array_equal(
        model.last.weight.numpy(),
        state["last.weight"] if "last.weight" in state else state["first.weight"],
    )
    file = io.BytesIO()
    tg.save(state, file)
    model = tied()
    assert model.load(io.BytesIO(file.getvalue())) == ([], [])
    whole(model)


def test_all_names_missing_are_missing():
    state = tied().state_dict()
    for name in ("first.weight", "again.weight", "last.weight"):
        del state[name]
    model = tied()
    with pytest.raises(
        RuntimeError, match=r"first\.weight is missing; again\.weight is missing; last"
    ):
        model.load_state_dict(state)
    missing = model.load_state_dict(state, strict=False).missing_keys
    assert missing == ["first.weight", "again.weight", "last.weight"]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "pair",
    [
        ("first.weight", "last.weight"),
        ("first.bias", "again.bias"),
        ("rnn.weight_hh_l0", "rnn.weight_hh_l1"),
    ],
)
def test_two_different_tensors_for_one_parameter_are_refused_by_name(pair, strict):
    model, (a, b) = tied(), pair
    before = model.state_dict()
    state = {n: t.numpy() + 1 for n, t in before.items()}
    state[b] = state[b] + 1e-3
    words = f"{a} and {b} are one Parameter here".replace(".", r"\.")
    with pytest.raises(RuntimeError, match=words):
        model.load_state_dict(state, strict=strict)
    file = io.BytesIO()
    tg.save(state, file)
    with pytest.raises(RuntimeError, match=words):
        model.load(io.BytesIO(file.getvalue()), strict=strict)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name].numpy())
    whole(model)
    nan = np.full(before[a].shape, np.nan)  # a NaN is equal to itself here
    model.load_state_dict({a: nan, b: np.array(nan)}, strict=False)
    assert np.isnan(dict(model._everywhere("_parameters"))[b].numpy()).all()


def test_a_module_below_itself_has_an_end():
    model = nn.Sequential(nn.Linear(1, 1))
    model.me = model
    assert "0.weight" in model.state_dict()
    assert len(list(model.parameters())) == 2


# ---- copies ---------------------------------------------------------------------------------------

HOW = {"deepcopy": copy.deepcopy, "pickle": lambda it: pickle.loads(pickle.dumps(it))}
OPTIMIZERS = {
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.1, momentum=0.9, centered=True),
    "LBFGS": lambda p: optim.LBFGS(p, lr=0.5, max_iter=2),
}
X = tg.tensor(np.random.default_rng(1).normal(size=(4, 2, 3)).astype(np.float32))


class WithScale(Tied):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(1.5)  # 0-d

    def forward(self, x):
        return super().forward(x) * self.scale


def train(model, optimizer, steps):
    def closure():
        optimizer.zero_grad()
        loss = model(X).square().mean()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_copied_model_and_optimizer_train_on_to_the_same_bits(name, how):
    tg.manual_seed(0)
    model = WithScale()
    optimizer = OPTIMIZERS[name](model.parameters())
    train(model, optimizer, 2)
    twin, second = HOW[how]((model, optimizer))
    whole_names = [n for n, _ in twin.named_parameters()]
    assert whole_names == [n for n, _ in model.named_parameters()]
    assert twin.last.weight is twin.again.weight
    for p, q in zip(twin.parameters(), second.param_groups[0]["params"], strict=True):
        assert p is q
    assert len(second.state) == len(optimizer.state) > 0
    assert all(any(p is q for q in twin.parameters()) for p in second.state)
    train(model, optimizer, 3)
    train(twin, second, 3)
    like(model, twin)
    train(twin, second, 1)
    assert np.abs(model.scale.numpy() - twin.scale.numpy()) > 0


@pytest.mark.parametrize("how", HOW)
def test_a_schedule_is_copied_along(how):
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    schedule.step()
    second, after = HOW[how]((optimizer, schedule))
    assert after.optimizer is second
    after.step()
    assert (optimizer.param_groups[0]["lr"], second.param_groups[0]["lr"]) == (0.5, 0.25)


def test_a_copy_has_a_gradient_of_its_own():
    w = nn.Parameter([1.0, 2.0])
    (w * w).sum().backward()
    for twin in (copy.deepcopy(w), copy.deepcopy({"w": w})["w"]):
        assert twin.grad is not w.grad
        assert not np.shares_memory(twin.grad.numpy(), w.grad.numpy())
        assert not np.shares_memory(twin.numpy(), w.numpy())
        twin.grad = None
        assert w.grad is not None
    with pytest.raises(RuntimeError, match="detach"):
        copy.deepcopy(w * 2)


@pytest.mark.parametrize("how", HOW)
def test_a_frozen_parameter_stays_one(how):
    layer = nn.LSTM(2, 3)
    layer.requires_grad_(False)
    twin = HOW[how](layer)
    assert not any(p.requires_grad for p in twin.parameters())
    twin.zero_grad()
    twin.requires_grad_(True)
    twin(tg.ones(2, 1, 2))[0].sum().backward()
    assert twin.weight_hh_l0.grad is not None
    assert [p._node.name for p in twin.parameters()] == list(layer.state_dict())


def test_a_shallow_copy_has_tables_of_its_own():
    model = nn.Sequential(nn.Linear(1, 1), nn.Tanh())
    twin = copy.copy(model)
    twin[1] = nn.Sigmoid()
    assert type(model[1]) is nn.Tanh
    assert twin[0] is model[0]
    linear = copy.copy(model[0])
    linear.weight = nn.Parameter(np.ones((1, 1)))
    assert model[0].weight is dict(model[0].named_parameters())["weight"]
    assert linear.weight is not model[0].weight


# ---- arrays, never scalars --------------------------------------------------------------------------


def arrays_only(value, path=""):
    assert not isinstance(value, np.generic), path
    if isinstance(value, dict):
        for key, part in value.items():
            arrays_only(part, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for k, part in enumerate(value):
            arrays_only(part, f"{path}[{k}]")
    elif isinstance(value, tg.Tensor):
        assert isinstance(value._data, np.ndarray), path
        value.numpy()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_0d_parameter_is_stepped_read_saved_and_loaded(name, tmp_path):
    model = nn.Module()
    model.w, model.v = nn.Parameter(2.0), nn.Parameter([1.0])
    optimizer = OPTIMIZERS[name](model.parameters())

    def closure():
        optimizer.zero_grad()
        loss = (model.w * model.w * model.v).sum()
        loss.backward()
        (model.w * 3).backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        nn.utils.clip_grad_value_(model.parameters(), 0.01)
        for p in model.parameters():
            arrays_only([p, p.grad])
    arrays_only(optimizer.state_dict())
    tg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run")
    found = tg.load(tmp_path / "run")
    arrays_only(found)
    again = nn.Module()
    again.w, again.v = nn.Parameter(0.0), nn.Parameter([0.0])
    second = OPTIMIZERS[name](again.parameters())
    again.load_state_dict(found["model"])
    second.load_state_dict(found["optimizer"])
    arrays_only(second.state_dict())
    like(model, again)


# ---- bounds of gradients ----------------------------------------------------------------------------


def with_grads(*grads):
    made = []
    for g in grads:
        p = nn.Parameter(np.zeros(np.shape(g)))
        p.grad = tg.tensor(np.array(g, np.float64))
        made.append(p)
    return made


@pytest.mark.parametrize("clip", [nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_])
@pytest.mark.parametrize("bound", [float("nan"), -1.0, -np.inf, tg.tensor(np.nan), np.float32(-2)])
def test_a_bound_that_is_none_is_refused(clip, bound):
    parameters = with_grads([3.0, 4.0])
    with pytest.raises(ValueError, match="must be a number of at least 0, got"):
        clip(parameters, bound)
    np.testing.assert_array_equal(parameters[0].grad.numpy(), [3.0, 4.0])
    clip(parameters, np.inf)
    np.testing.assert_array_equal(parameters[0].grad.numpy(), [3.0, 4.0])
    clip(parameters, 0.0)
    np.testing.assert_array_equal(parameters[0].grad.numpy(), [0.0, 0.0])


@pytest.mark.parametrize(
    ("kind", "norm"), [(1, 8.0), (2, 26.0**0.5), (np.inf, 4.0), ("inf", 4.0), (3, 92.0 ** (1 / 3))]
)
def test_norms_of_every_kind(kind, norm):
    parameters = with_grads([3.0, -4.0], 1.0, [])
    found = nn.utils.clip_grad_norm_(parameters, 0.5, kind)
    np.testing.assert_allclose(found.item(), norm, rtol=1e-12)
    scale = 0.5 / (norm + 1e-6)
    np.testing.assert_allclose(parameters[0].grad.numpy(), [3 * scale, -4 * scale], rtol=1e-12)
    np.testing.assert_allclose(parameters[1].grad.numpy(), scale, rtol=1e-12)
    with pytest.raises(ValueError, match="norm_type must be a number"):
        nn.utils.clip_grad_norm_(parameters, 0.5, float("nan"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_or_spreads_and_never_passes(bad):
    parameters = with_grads([bad, 1.0], [2.0])
    with pytest.raises(RuntimeError, match="not finite"):
        nn.utils.clip_grad_norm_(parameters, 1.0)
    np.testing.assert_array_equal(parameters[0].grad.numpy(), [bad, 1.0])
    nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=False)
    expected = ([np.nan, np.nan], [np.nan]) if np.isnan(bad) else ([np.nan, 0.0], [0.0])
    for p, values in zip(parameters, expected, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), values)


@pytest.mark.peers
@pytest.mark.parametrize("kind", [1.0, 2.0, 3.0, 0.5, np.inf])
@pytest.mark.parametrize("bad", [None, np.nan, np.inf])
@pytest.mark.parametrize("bound", [0.0, 0.7, np.inf])
def test_clipping_is_pytorchs(kind, bad, bound):
    torch = pytest.importorskip("torch")
    if bad == bound:  # no bound: infinite gradients stay, which are NaN there
        return
    values = [[3.0, -4.0, 0.0], [1.0 if bad is None else bad]]
    ours, theirs = with_grads(*values), []
    for v in values:
        p = torch.nn.Parameter(torch.zeros(len(v), dtype=torch.float64))
        p.grad = torch.tensor(v, dtype=torch.float64)
        theirs.append(p)
    a = nn.utils.clip_grad_norm_(ours, bound, kind, error_if_nonfinite=False)
    b = torch.nn.utils.clip_grad_norm_(theirs, bound, kind)
    np.testing.assert_allclose(a.item(), b.item(), rtol=1e-12)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)
    nn.utils.clip_grad_value_(ours, bound)
    torch.nn.utils.clip_grad_value_(theirs, bound)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)


def test_only_parameters_and_tensors_are_registered_and_under_names():
    module, layer = nn.Linear(1, 1), nn.LSTM(1, 1)
    for owner in (module, layer):
        names = list(owner.state_dict())
        with pytest.raises(TypeError, match="'q' must be a Parameter, not a Tensor"):
            owner.register_parameter("q", tg.ones(1))
        with pytest.raises(TypeError, match="'q' must be a tensor, not a int"):
            owner.register_buffer("q", 3)
        for name in ("a.b", "", 3):
            with pytest.raises(KeyError, match="a name without dots"):
                owner.register_parameter(name, nn.Parameter([1.0]))
            with pytest.raises(KeyError, match="a name without dots"):
                owner.register_buffer(name, tg.ones(1))
        assert list(owner.state_dict()) == names
    with pytest.raises(TypeError, match="must be a Parameter"):
        layer.register_parameter("weight_hh_l0", tg.ones(4, 1))


# ---- lists of modules -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
def test_lists_of_modules_are_lists(kind):
    parts = [nn.Linear(2, 2) for _ in range(4)]
    made = nn.Sequential(*parts) if kind == "Sequential" else nn.ModuleList(parts)
    expected = list(parts)
    new = nn.Tanh()

    def agree():
        assert list(made) == expected
        assert len(made) == len(expected)
        assert [n for n, _ in made.named_children()] == [str(k) for k in range(len(expected))]
        for k, module in enumerate(expected):
            assert getattr(made, str(k)) is module
            assert made[k] is made[k - len(expected)] is module

    for act in (
        lambda it: it.__setitem__(1, new),
        lambda it: it.__setitem__(-1, new),
        lambda it: it.__delitem__(0),
        lambda it: it.insert(1, parts[0]),
        lambda it: it.extend([parts[1], new]),
        lambda it: it.append(parts[2]),
        lambda it: it.pop(),
        lambda it: it.pop(0),
        lambda it: it.__delitem__(slice(1, 3)),
        lambda it: it.__iadd__([parts[3]]),
    ):
        act(made)
        act(expected)
        agree()
    some = made[1:]
    assert type(some).__name__ == kind
    assert list(some) == expected[1:]
    for wrong, error in (
        (lambda: made[9], IndexError),
        (lambda: made["0"], TypeError),
        (lambda: made.append(3), TypeError),
        (lambda: made.__setitem__(0, None), TypeError),
        (lambda: made.extend([new, "x"]), TypeError),
        (lambda: type(made)(3) if kind == "Sequential" else type(made)([3]), TypeError),
    ):
        with pytest.raises(error):
            wrong()
        agree()


def test_a_name_that_was_given_is_kept():
    made = nn.Sequential(nn.Linear(1, 1))
    made.add_module("head", nn.Linear(1, 1))
    made.append(nn.Tanh())
    made[1] = nn.Linear(1, 2)
    assert [n for n, _ in made.named_children()] == ["0", "head", "2"]
    assert made.head.out_features == 2
    setattr(made, "0", None)
    made.append(nn.Tanh())
    assert [n for n, _ in made.named_children()] == ["head", "2", "3"]


# ---- names of files, optimizers of others --------------------------------------------------------------


@pytest.mark.parametrize(
    "end", [".h5", ".hdf5", ".keras", ".npz", ".onnx", ".json", ".pkl", ".H5", ".pt"]
)
def test_a_model_is_not_saved_under_another_formats_name(end, tmp_path):
    path = tmp_path / f"m{end}"
    with pytest.raises(ValueError, match=rf"m\{end}: the file would be in the safetensors format"):
        nn.Linear(1, 1).save(path)
    if end != ".pt":
        with pytest.raises(ValueError, match=r"call it m\.safetensors"):
            tg.save({"a": tg.ones(1)}, str(path))
        with pytest.raises(ValueError, match="safetensors"):
            tg.fit(
                nn.Linear(1, 1),
                (tg.ones(1, 1), tg.ones(1, 1)),
                nn.functional.mse_loss,
                optim.SGD(nn.Linear(1, 1).parameters()),
                epochs=1,
                checkpoint=path,
            )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["m.safetensors", "m.checkpoint", "m.ckpt", "m", "m-0.5", "m.2", ".m"]
)
def test_names_that_are_taken(name, tmp_path):
    if name != ".m":
        nn.Linear(1, 1).save(tmp_path / name)
        assert nn.Linear(1, 1).load(tmp_path / name) == ([], [])
    for state in (f"{name}.pt", "m.pth", "m.bin"):
        tg.save(nn.Linear(1, 1).state_dict(), tmp_path / state)


def test_fit_refuses_an_optimizer_of_another_model():
    model, other = nn.Linear(1, 1), nn.Linear(1, 1)
    data = (tg.ones(1, 1), tg.ones(1, 1))
    with pytest.raises(ValueError, match="none of the model's Parameters"):
        tg.fit(
            model,
            data,
            nn.functional.mse_loss,
            optim.SGD(other.parameters(), lr=0.1),
            epochs=1,
            progress=False,
        )
    part = optim.SGD([model.bias, other.bias], lr=0.1)
    tg.fit(model, data, nn.functional.mse_loss, part, epochs=1, progress=False)


SCHEDULES = {
    "LambdaLR": lambda o: optim.lr_scheduler.LambdaLR(o, lambda n: 1 / (1 + n)),
    "StepLR": lambda o: optim.lr_scheduler.StepLR(o, 2, 0.5),
    "MultiStepLR": lambda o: optim.lr_scheduler.MultiStepLR(o, [1, 3], 0.5),
    "ExponentialLR": lambda o: optim.lr_scheduler.ExponentialLR(o, 0.5),
    "CosineAnnealingLR": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 5),
    "OneCycleLR": lambda o: optim.lr_scheduler.OneCycleLR(o, 1.0, 20),
    "ReduceLROnPlateau": lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, factor=0.5),
}


@pytest.mark.parametrize("order", ["optimizer first", "schedule first", "made after"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_that_is_loaded_goes_on_at_its_rate_in_any_order(name, order):
    def made():
        return optim.Adam(
            [{"params": [nn.Parameter([1.0])]}, {"params": [nn.Parameter([1.0])], "lr": 0.2}],
            lr=0.1,
        )

    def look(optimizer):
        return [(g["lr"], g["betas"]) for g in optimizer.param_groups]

    def go(schedule):
        schedule.step(*([1.0] if name == "ReduceLROnPlateau" else []))

    first = made()
    schedule = SCHEDULES[name](first)
    for _ in range(3):
        go(schedule)
    saved = copy.deepcopy((first.state_dict(), schedule.state_dict()))
    second = made()
    if order == "made after":
        second.load_state_dict(saved[0])
        again = SCHEDULES[name](second)
        again.load_state_dict(saved[1])
    else:
        again = SCHEDULES[name](second)
        if order == "optimizer first":
            second.load_state_dict(saved[0])
            again.load_state_dict(saved[1])
        else:
            again.load_state_dict(saved[1])
            second.load_state_dict(saved[0])
    for _ in range(4):
        assert look(second) == look(first)
        assert again.get_last_lr() == schedule.get_last_lr()
        go(schedule)
        go(again)
    fewer = optim.Adam([nn.Parameter([1.0])], lr=0.1)
    other = SCHEDULES[name](fewer)
    with pytest.raises(ValueError, match="groups"):
        other.load_state_dict(saved[1])
    with pytest.raises(ValueError, match="groups of"):
        fewer.load_state_dict(saved[0])


def test_the_state_of_another_optimizer_is_refused():
    w = nn.Parameter([1.0])
    w.grad = tg.ones(1)
    sgd, adam = optim.SGD([w], lr=0.1, momentum=0.9), optim.Adam([w], lr=0.1)
    sgd.step()
    with pytest.raises(ValueError, match="not the state of a Adam: it has no betas, eps"):
        adam.load_state_dict(sgd.state_dict())
    state = sgd.state_dict()
    state["state"][7] = state["state"][0]
    with pytest.raises(ValueError, match="state for Parameter 7"):
        sgd.load_state_dict(state)
    assert not adam.state


# ---- PyTorch --------------------------------------------------------------------------------------------


def their_tied(torch):
    first = torch.nn.Linear(3, 3)
    made = torch.nn.Sequential(
        first, torch.nn.Tanh(), first, torch.nn.Linear(3, 3), torch.nn.GRU(3, 3, 2)
    )
    made[3].weight = first.weight
    made[4].weight_hh_l1 = made[4].weight_hh_l0
    made[4].bias_ih_l0.requires_grad_(False)
    return made


@pytest.mark.peers
def test_what_pytorch_shares_crosses_and_comes_back():
    torch = pytest.importorskip("torch")
    theirs = their_tied(torch)
    ours = tg.interop.from_torch(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert len(list(ours.parameters())) == len(list(theirs.parameters()))
    assert ours[0] is ours[2]
    assert ours[3].weight is ours[0].weight
    assert ours[4].weight_hh_l1 is ours[4].weight_hh_l0
    assert not ours[4].bias_ih_l0.requires_grad
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    ours(tg.tensor(x))[0].square().sum().backward()
    theirs(torch.tensor(x))[0].square().sum().backward()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if q.grad is None:
            assert p.grad is None, name
        else:
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-5)
    back = tg.interop.to_torch(ours)
    assert len(list(back.parameters())) == len(list(theirs.parameters()))
    assert back[0] is back[2]
    assert back[3].weight is back[0].weight
    assert back[4].weight_hh_l1 is back[4].weight_hh_l0
    assert not back[4].bias_ih_l0.requires_grad
    assert torch.equal(back(torch.tensor(x))[0], theirs(torch.tensor(x))[0])
    ours.load_state_dict(theirs.state_dict())
    tg.interop.from_torch(theirs, into=ours)
    tg.interop.to_torch(ours, into=theirs)


@pytest.mark.peers
def test_into_a_module_that_shares_otherwise_is_refused():
    torch = pytest.importorskip("torch")
    loose = torch.nn.GRU(3, 3, 2)
    shared = torch.nn.GRU(3, 3, 2)
    shared.weight_hh_l1 = shared.weight_hh_l0
    ours = tg.interop.from_torch(shared)
    before = {n: t.numpy() for n, t in ours.state_dict().items()}
    two = "weight_hh_l0 and weight_hh_l1 are one Parameter in the source and two in into"
    one = "weight_hh_l0 and weight_hh_l1 are one Parameter in into, and two different ones in"
    for act, words in (
        (lambda: tg.interop.from_torch(shared, into=nn.GRU(3, 3, 2)), two),
        (lambda: tg.interop.to_torch(ours, into=torch.nn.GRU(3, 3, 2)), two),
        (lambda: tg.interop.from_torch(loose, into=ours), one),
        (lambda: tg.interop.to_torch(nn.GRU(3, 3, 2), into=shared), one),
    ):
        with pytest.raises(RuntimeError, match=words):
            act()
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
