"""Weights lie ready for products until they change: every way to change one is seen by the next call.

The right values are plain numpy's, from the Parameters as they are.
"""

import copy
import gc
import threading

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.scan import backends

BACKENDS = ["numpy"] + ["numba"] * (backends.choice()[0] == "numba")
KINDS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
T, B, FEATURES, H = 4, 3, 5, 6
X = numbers((T, B, FEATURES), 1)


@pytest.fixture(params=BACKENDS)
def backend(request):
    with backends.using(request.param):
        yield


@pytest.fixture(params=KINDS)
def layer(request, backend):
    made = KINDS[request.param](FEATURES, H).double()
    with tg.no_grad():
        for k, p in enumerate(made.parameters()):
            p.copy_(tg.tensor(0.4 * numbers(p.shape, k)))
    return made


# ---- what is right


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def in_numpy(layer, xs):
    """The outputs of a layer of one cell, by its equations."""
    w = {name: np.array(p.numpy()) for name, p in layer.named_parameters()}
    h = c = np.zeros((xs.shape[1], H))
    outputs = []
    for x in xs:
        a = x @ w["weight_ih_l0"].T + w["bias_ih_l0"]
        b = h @ w["weight_hh_l0"].T + w["bias_hh_l0"]
        if isinstance(layer, nn.LSTM):
            i, f, g, o = np.split(a + b, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif isinstance(layer, nn.GRU):
            (r, z, n), (hr, hz, hn) = np.split(a, 3, -1), np.split(b, 3, -1)
            z = sigmoid(z + hz)
            h = (1 - z) * np.tanh(n + sigmoid(r + hr) * hn) + z * h
        else:
            h = np.tanh(a + b)
        outputs.append(h)
    return np.stack(outputs)


def check(layer):
    """Outputs without and with gradients, the input's gradient, and a step, are those of the weights now."""
    right = in_numpy(layer, X)
    with tg.no_grad():
        np.testing.assert_allclose(layer(tg.tensor(X))[0].numpy(), right, rtol=1e-10, atol=1e-12)
        y, state = layer.step(tg.tensor(X[0]))
        np.testing.assert_allclose(y.numpy(), right[0], rtol=1e-10, atol=1e-12)
        y, _ = layer.step(tg.tensor(X[1]), state)
        np.testing.assert_allclose(y.numpy(), right[1], rtol=1e-10, atol=1e-12)
    x = tg.tensor(X, requires_grad=True)
    y, _ = layer(x)
    np.testing.assert_allclose(y.detach().numpy(), right, rtol=1e-10, atol=1e-12)
    (dx,) = tg.grad(y.sum(), [x])
    step = 1e-6 * numbers(X.shape, 2)
    slope = in_numpy(layer, X + step).sum() - in_numpy(layer, X - step).sum()
    np.testing.assert_allclose(2 * (dx.numpy() * step).sum(), slope, rtol=1e-5, atol=1e-13)


# ---- every way to write


def new(p):
    return tg.tensor(numbers(p.shape, 9))


def optimizer(make):
    def write(layer, p):
        steps = make([p])
        layer.zero_grad()

        def loss():
            layer.zero_grad()
            y = layer(tg.tensor(X))[0].square().sum()
            y.backward()
            return y

        loss()
        steps.step(loss) if isinstance(steps, optim.LBFGS) else steps.step()

    return write


def loaded(layer, p):
    layer.load_state_dict({k: v * 2 + 0.1 for k, v in layer.state_dict().items()})


def replaced(layer, p):
    (name,) = (k for k, q in layer.named_parameters() if q is p)
    setattr(layer, name, nn.Parameter(new(p)))


def entry(layer, p):
    (name,) = (k for k, q in layer.named_parameters() if q is p)
    layer.state_dict()[name].mul_(0.5)


def swapped(layer, p):
    other = tg.tensor(numbers(p.shape, 3))
    p.data, other.data = other.data, p.data


def through_a_view(layer, p):
    view = p.data[1:]
    view.mul_(0.25)


def there_and_back(layer, p):
    layer.float()
    layer(tg.tensor(X.astype(np.float32)))
    layer.double()


def of_another_memory(layer, p):
    big = tg.tensor(numbers((3, *p.shape), 4))
    p.data = big[1]
    with tg.no_grad():
        layer(tg.tensor(X))
    big[1].mul_(0.3)


def turned(layer, p):
    p.data = tg.tensor(np.ascontiguousarray(numbers(p.shape, 4).T)).t()


WRITES = {
    "copy_": lambda _l, p: p.copy_(new(p)),
    "add_": lambda _l, p: p.add_(0.3),
    "mul_": lambda _l, p: p.mul_(0.5),
    "+=": lambda _l, p: p.__iadd__(0.25),
    "p[0] =": lambda _l, p: p.__setitem__(0, 0.7),
    "p[..., -1] =": lambda _l, p: p.__setitem__((..., -1), 0.7),
    "p[mask] =": lambda _l, p: p.__setitem__(p > 0, 0.1),
    "zero_": lambda _l, p: p.zero_(),
    "fill_": lambda _l, p: p.fill_(0.05),
    "clamp_": lambda _l, p: p.clamp_(-0.1, 0.1),
    "init": lambda _l, p: nn.init.uniform_(p, -0.2, 0.2),
    "data =": lambda _l, p: setattr(p, "data", new(p)),
    "data[...] =": lambda _l, p: p.data.__setitem__(..., new(p)),
    "data.copy_": lambda _l, p: p.data.copy_(new(p)),
    "data.add_": lambda _l, p: p.data.add_(0.2),
    "data[i, j] =": lambda _l, p: p.data.__setitem__((0,) * p.ndim, 0.9),
    "a view of data": through_a_view,
    "detach().mul_": lambda _l, p: p.detach().mul_(0.5),
    "a part of another memory, written there": of_another_memory,
    "a transposed memory": turned,
    "swapped": swapped,
    "replaced": replaced,
    "an entry of the state dict": entry,
    "load_state_dict": loaded,
    "to float and back": there_and_back,
    "reset_parameters": lambda layer, _p: layer.reset_parameters(),
    "SGD": optimizer(lambda ps: optim.SGD(ps, lr=0.1)),
    "SGD with momentum": optimizer(lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9)),
    "Adam": optimizer(lambda ps: optim.Adam(ps, lr=0.1)),
    "AdamW": optimizer(lambda ps: optim.AdamW(ps, lr=0.1)),
    "RMSprop": optimizer(lambda ps: optim.RMSprop(ps, lr=0.1)),
    "LBFGS": optimizer(lambda ps: optim.LBFGS(ps, lr=0.1, max_iter=3)),
}


@pytest.mark.parametrize("how", WRITES)
@pytest.mark.parametrize("frozen", [False, True])
def test_every_write_is_seen(layer, how, frozen):
    check(layer)
    names = [name for name, _ in layer.named_parameters()]
    for name in names if how not in ("load_state_dict", "to float and back") else names[:1]:
        p = getattr(layer, name)
        if p.ndim == 1 and how == "a transposed memory":
            continue
        if optimizes := how in ("SGD", "SGD with momentum", "Adam", "AdamW", "RMSprop", "LBFGS"):
            p.requires_grad_(True)
        else:
            p.requires_grad_(not frozen)
        before = np.array(p.numpy())
        if optimizes:
            WRITES[how](layer, p)
        else:
            with tg.no_grad():
                WRITES[how](layer, p)
        if how not in ("to float and back", "reset_parameters") or name.startswith("weight_ih"):
            assert not np.array_equal(getattr(layer, name).numpy(), before), "the test writes"
        check(layer)


def test_a_memory_that_is_given_back_and_used_again_is_not_taken_for_the_old_one(layer):
    for k in range(40):
        with tg.no_grad():
            layer.weight_hh_l0.data = tg.tensor(numbers((layer.weight_hh_l0.shape), k))
            found = layer(tg.tensor(X))[0].numpy()
        np.testing.assert_allclose(found, in_numpy(layer, X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_weights_that_lie_turned_in_memory_or_with_gaps(layer, steps, batch):
    """Forward and gradients, at once and again, are those of the recorded steps."""
    x = tg.tensor(numbers((steps, batch, FEATURES), 2))
    with tg.no_grad():
        layer.weight_hh_l0.data = tg.tensor(numbers(layer.weight_hh_l0.shape[::-1], 3)).T
        layer.weight_ih_l0.data = tg.tensor(numbers((layer.weight_ih_l0.shape[0], 10), 4))[:, ::2]
    plain = copy.deepcopy(layer)
    plain.compiled = False
    for _ in range(3):
        for each in (layer, plain):
            each.zero_grad()
            y, _ = each(x)
            (y * y).sum().backward()
        for (name, p), q in zip(layer.named_parameters(), plain.parameters(), strict=True):
            np.testing.assert_allclose(p.grad, q.grad, 1e-9, 1e-12, err_msg=name)


def test_layers_that_share_weights_or_were_copied(layer):
    other, tied = copy.deepcopy(layer), type(layer)(FEATURES, H).double()
    tied.weight_hh_l0 = layer.weight_hh_l0
    for each in (layer, other, tied):
        check(each)
    with tg.no_grad():
        layer.weight_hh_l0.mul_(0.5)
    for each in (layer, other, tied):
        check(each)


def test_threads_that_run_while_others_write_get_old_weights_or_new_ones(layer):
    """Never a mixture that no weights give: each thread has a layer of its own and writes it."""
    failed = []

    def work(seed):
        mine = copy.deepcopy(layer)
        for k in range(8):
            with tg.no_grad():
                mine.weight_hh_l0.copy_(tg.tensor(numbers(mine.weight_hh_l0.shape, 10 * seed + k)))
                found = mine(tg.tensor(X))[0].numpy()
            if not np.allclose(found, in_numpy(mine, X), rtol=1e-10, atol=1e-12):
                failed.append((seed, k))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_a_layout_that_is_being_made_is_nobody_elses(monkeypatch):
    """Another thread may ask meanwhile, and memory may lack."""
    if "numba" not in BACKENDS:
        pytest.skip("numba is not installed (extra fast)")
    from tinygrad_rnn.scan import runtime

    w, packed, inner = numbers((3, 5), 1), runtime._packed, []
    right = runtime.laid_out(w.copy(), True)

    def fails(*_):
        raise MemoryError

    def asks(*args):
        monkeypatch.setattr(runtime, "_packed", packed)
        inner.append(runtime.laid_out(w, True))
        return packed(*args)

    monkeypatch.setattr(runtime, "_packed", fails)
    with pytest.raises(MemoryError):
        runtime.laid_out(w, True)
    monkeypatch.setattr(runtime, "_packed", asks)
    for found in (runtime.laid_out(w, True), *inner, runtime.laid_out(w, True)):
        np.testing.assert_array_equal(found, right)
    assert len(inner) == 1


def test_what_lies_ready_goes_with_the_weights():
    if "numba" not in BACKENDS:
        pytest.skip("numba is not installed (extra fast)")
    from tinygrad_rnn.scan import runtime

    x = tg.randn(T, B, FEATURES, requires_grad=True)
    gc.collect()
    before = len(runtime._ready)
    layer = nn.LSTM(FEATURES, H)
    for _ in range(3):
        layer(x)[0].sum().backward()
        optim.SGD(layer.parameters(), lr=0.1).step()
        layer.zero_grad()
        with tg.no_grad():
            layer(x)
    assert before < len(runtime._ready) <= before + 4, "of two weights two layouts each"
    a = runtime.laid_out(layer.weight_hh_l0._data, True)
    assert runtime.laid_out(layer.weight_hh_l0._data, True) is a
    del layer, a
    gc.collect()
    assert len(runtime._ready) == before
