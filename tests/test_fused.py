"""Iterations of small arrays as one piece of machine code: the plain loop's values, guards and refusals."""

import threading

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.scan import backends
from tinygrad_rnn.training import compiled

f = nn.functional
IN, H, T, B = 3, 5, 4, 2
WHOLE = "replayed as one program, all of it machine code"


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Machine code of all of it after two replays."""
    pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    monkeypatch.setattr(compiled, "_patience", lambda: 2)
    with backends.using("numba"):
        yield


class Net(nn.Module):
    """A layer, and a head on its last output, on all of them or on its last state."""

    def __init__(self, layer, head="output", outputs=2):
        super().__init__()
        self.layer, self.out, self.how = layer, nn.Linear(H, outputs), head

    def forward(self, x):
        y, last = self.layer(x)
        if self.how == "state":
            return self.out(tg.tanh(last[-1]))
        return self.out(y) if self.how == "outputs" else self.out(y[-1])


def data(dtype, k=0, steps=T):
    x = tg.tensor(numbers((steps, B, IN), 1 + k), dtype=dtype)
    return x, tg.tensor(numbers((B, 2), 20 + k), dtype=dtype)


def plain(model, loss, optimizer, clip, x, y):
    optimizer.zero_grad()
    value = loss(model(x), y)
    value.backward()
    if clip is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return value


def both(make, loss, dtype="float32", clip=None):
    """Two models alike: one for the plain loop, one for the step; and their steps."""
    made = []
    for _ in range(2):
        tg.manual_seed(3)
        model = make().to(tg.float64) if dtype == "float64" else make()
        made.append((model, optim.Adam(model.parameters(), lr=0.01)))
    (model, adam), (other, second) = made
    step = tg.compile_step(other, loss, second, clip=clip)
    return model, other, lambda x, y: plain(model, loss, adam, clip, x, y), step


def agree(model, other, mine, step, batches, dtype="float32"):
    close = 1e-10 if dtype == "float64" else 2e-4
    for x, y in batches:
        right, found = mine(x, y), step(x, y)
        np.testing.assert_allclose(found.item(), right.item(), rtol=close)
        pairs = zip(model.parameters(), other.parameters(), strict=True)
        for p, q in pairs:
            assert p.grad is None if q.grad is None else p.grad is not None
            if q.grad is not None:
                np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=close, atol=close)
            np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=close, atol=close)


def test_it_is_the_plain_loop_and_every_guard_holds():
    model, other, mine, step = both(lambda: Net(nn.LSTM(IN, H)), f.mse_loss, clip=0.05)
    agree(model, other, mine, step, [data(tg.float32, k) for k in range(6)])
    assert step.explain() == WHOLE
    x, y = data(tg.float32, 9)
    # another array, as it need not lie: the lines take it, and the next one runs whole again
    for net in (model, other):
        net.layer.weight_hh_l0.data = tg.tensor(
            np.asfortranarray(numbers((4 * H, H), 8)), dtype=tg.float32
        )
        net.layer.weight_hh_l0._data = np.asfortranarray(net.layer.weight_hh_l0._data)
    agree(model, other, mine, step, [(x, y)])
    turned = tg.tensor(numbers((B, T, IN), 4), dtype=tg.float32).transpose(0, 1)
    agree(model, other, mine, step, [(turned, y), (x, y)])
    assert step.explain() == WHOLE
    # frozen, and free again; a new Parameter; a hook; other shapes; gradients that were there already
    for net in (model, other):
        net.out.bias.requires_grad = False
    agree(model, other, mine, step, [(x, y)] * 2)
    for net in (model, other):
        net.out.bias.requires_grad = True
        net.out.weight = nn.Parameter(numbers((2, H), 11), dtype=tg.float32)
    step.optimizer.param_groups[0]["params"] = [*other.parameters()]
    found = step(x, y)
    assert np.isclose(found.item(), f.mse_loss(other(x), y).item(), rtol=0.2)
    heard = []
    hook = other.out.bias.register_hook(lambda g: heard.append(g.shape))
    step(x, y)
    assert heard == [(2,)]
    assert "hook" in step.explain()
    hook.remove()
    step(*data(tg.float32, 3, steps=T + 1))
    assert step.explain() != WHOLE
    with tg.no_grad(), pytest.raises(RuntimeError, match="requires a gradient"):
        step(x, y)


def test_what_the_program_clips_and_what_it_leaves_to_python(monkeypatch):
    """The norm is that of all gradients of the model, whoever computed them."""
    by_python = []

    def clip(parameters, most):
        by_python.append(most)
        return nn.utils.clip_grad_norm_(parameters, most)

    monkeypatch.setattr(compiled, "clip_grad_norm_", clip)
    model, other, mine, step = both(lambda: Net(nn.LSTM(IN, H)), f.mse_loss, "float64", 0.05)
    batches = [data(tg.float64, k) for k in range(6)]
    agree(model, other, mine, step, batches, "float64")
    assert step.explain() == WHOLE
    before = len(by_python)
    agree(model, other, mine, step, batches, "float64")
    total = sum((p.grad.numpy() ** 2).sum() for p in other.parameters())
    np.testing.assert_allclose(total**0.5, 0.05, rtol=1e-4)
    assert len(by_python) == before
    # gradients that were there: accumulated, or of a Parameter that the optimizer does not train
    other.zero_grad(), model.zero_grad()
    step.accumulate(*batches[0])
    step(*batches[1])
    f.mse_loss(model(batches[0][0]), batches[0][1]).backward()
    f.mse_loss(model(batches[1][0]), batches[1][1]).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.05)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-8, atol=1e-10)
    model.load_state_dict(other.state_dict())
    other.more = nn.Parameter(np.ones(3), dtype=tg.float64)
    for _ in range(2):
        other.more.grad = tg.tensor([3.0, 0.0, 4.0], dtype=tg.float64)
        step(*batches[2])
        assert np.isclose(other.more.grad[2].item(), 0.04, rtol=1e-3), "the norm was about 5"
    assert len(by_python) == before + 3
    # a norm that is not finite: gradients stay, and the error names them
    del other.more
    step(*batches[3])
    x = batches[3][0] * float("inf")
    with pytest.raises(RuntimeError, match="the norm is nan"):
        step(x, batches[3][1])


def test_accumulated_gradients_and_threads():
    model, other, _, step = both(lambda: Net(nn.LSTM(IN, H)), f.mse_loss)
    batches = [data(tg.float32, k) for k in range(8)]
    for x, y in batches[:5]:
        step(x, y)
    assert step.explain() == WHOLE
    model.load_state_dict(other.state_dict())
    model.zero_grad()
    other.zero_grad()
    for x, y in batches[5:7]:
        f.mse_loss(model(x), y).backward()
        step.accumulate(x, y)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-4, atol=1e-6)
    found, x, y = [], *batches[7]
    iterations = step._iterations

    def look():
        (program,) = next(iter(iterations._kinds.values()))
        for _ in range(200):
            found.append(float(program.replay.run(x._data, y._data, None)[0]))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 400
    assert len(set(found)) == 1


def own(prediction, y):
    """A loss of the user's own."""
    return ((prediction - y).abs() + 0.1 * (prediction * y).exp()).mean()


CASES = {
    "gru, all outputs, float64": (lambda: Net(nn.GRU(IN, H), "outputs"), own, "float64"),
    "rnn relu": (lambda: Net(nn.RNN(IN, H, nonlinearity="relu")), f.l1_loss, "float32"),
    "lstm, batch first": (
        lambda: Net(nn.LSTM(IN, H, batch_first=True), "outputs"),
        own,
        "float32",
    ),
    "gru, last state": (lambda: Net(nn.GRU(IN, H), "state"), own, "float32"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_other_layers_losses_and_dtypes(case):
    make, loss, dtype = CASES[case]
    model, other, mine, step = both(make, loss, dtype)
    agree(model, other, mine, step, [data(getattr(tg, dtype), k) for k in range(6)], dtype)
    assert step.explain() == WHOLE


class Two(nn.Module):
    """Two layers: no program of one."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.out = nn.GRU(IN, H), nn.GRU(H, H), nn.Linear(H, 2)

    def forward(self, x):
        return self.out(self.b(self.a(x)[0])[0][-1])


class Behind(nn.Module):
    """A layer that takes what another op made."""

    def __init__(self):
        super().__init__()
        self.before, self.net = nn.Linear(IN, IN), Net(nn.GRU(IN, H))

    def forward(self, x):
        return self.net(self.before(x))


@pytest.mark.parametrize("make", [Two, Behind, lambda: nn.Sequential(nn.Linear(IN, 2))])
def test_what_is_no_such_program_stays_as_it_is(make):
    def loss(prediction, y):
        return f.mse_loss(prediction if prediction.ndim == 2 else prediction[-1], y)

    model, other, mine, step = both(make, loss)
    agree(model, other, mine, step, [data(tg.float32, k) for k in range(5)])
    assert step.explain() == "replayed as one program"


def test_large_arrays_stay_as_they_are():
    model = Net(nn.LSTM(IN, H))
    x = tg.zeros(4000, 64, IN)
    step = tg.compile_step(model, f.mse_loss, optim.SGD(model.parameters(), lr=0.1))
    for _ in range(5):
        step(x, tg.zeros(64, 2))
    assert step.explain() == "replayed as one program"


def test_an_error_in_a_loop_that_is_called_comes_out(tmp_path):
    from numba import njit
    from numba.core.errors import TypingError

    from tinygrad_rnn.scan import calling, native

    text = """import numpy as np
@compiled(fastmath={"contract"})
def loop(n, a):
    b = np.empty(n, np.float32)
    for k in range(min(n, 4)):
        b[k] = a[3 - k]
    for k in range(min(n, 4)):
        a[3 - k] = b[k] + 1
"""
    loop = native.CompiledLoop(text, "of a test", tmp_path)
    loop(4, np.zeros(4, np.float32))
    named = {}
    exec(f"of_loop = {calling.named(loop)}", named)
    call = calling.called(*named["of_loop"])

    @njit
    def caller(n, a):
        call(n, a)
        return a[3]

    assert caller(4, np.zeros(4, np.float32)) == 1
    with pytest.raises(MemoryError):
        caller(1 << 60, np.zeros(4, np.float32))
    with pytest.raises(TypingError, match="not compiled for"):
        caller(3, np.zeros(4))
