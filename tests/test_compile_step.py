"""``tg.compile_step``: the plain loop's bits, replayed as one program, or run as Python with the reason."""

import itertools

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.scan import backends
from tinygrad_rnn.scan.variants import CALLS
from tinygrad_rnn.tensors.state_dicts import CALLED

f = nn.functional
IN, H, OUT = 3, 5, 2


class Net(nn.Module):
    """A recurrent layer and a head on its last output."""

    def __init__(self, layer, width=H, batch_first=False, outputs=OUT):
        super().__init__()
        self.layer, self.head, self.batch_first = layer, nn.Linear(width, outputs), batch_first

    def forward(self, x):
        y, _ = self.layer(x)
        return self.head(y[:, -1] if self.batch_first else y[-1])


class Leaky(nn.Module):
    """A cell of the user's own."""

    def __init__(self, size):
        super().__init__()
        self.W = nn.Linear(IN + size, size)

    def initial_state(self, batch):
        return tg.zeros(batch, self.W.out_features)

    def forward(self, x, h):
        h = 0.9 * h + 0.1 * tg.tanh(self.W(tg.cat([x, h], -1)))
        return h, h


class Learned(nn.Module):
    """States that are given: one learned, one a buffer; both used, and two outputs of a split."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(IN, H)
        self.h = nn.Parameter(numbers((1, 1, H), 5), dtype=tg.float32)
        self.register_buffer("c", tg.tensor(numbers((1, 1, H), 6), dtype=tg.float32))
        self.head = nn.Linear(H, 2 * OUT)

    def forward(self, x):
        batch = x.shape[1]
        state = self.h.expand(1, batch, H).contiguous(), self.c.expand(1, batch, H).contiguous()
        y, (h, c) = self.lstm(x, state)
        a, b = self.head(y.mean(0) + h[0] * c[0]).chunk(2, -1)
        return tg.sigmoid(a) * b + a


class Words(nn.Module):
    """Integers in, a class for every step out."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, IN, padding_idx=0)
        self.gru = nn.GRU(IN, H)
        self.norm = nn.LayerNorm(H)
        self.head = nn.Linear(H, 7)

    def forward(self, x):
        y, _ = self.gru(self.table(x))
        return self.head(self.norm(y)).flatten(0, 1)


class Tied(nn.Module):
    """One layer twice, one weight in two roles."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(IN, IN)
        self.W = nn.Parameter(numbers((IN, IN), 7), dtype=tg.float32)

    def forward(self, x):
        y, _ = self.rnn(x)
        y, _ = self.rnn(y @ self.W)
        return tg.relu(y @ self.W.T)[-1, :, :OUT].clamp(-1, 1) * 2.0 + (y > 0).float().mean()


class Plain(nn.Module):
    """No recurrent layer at all."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(IN, H), nn.Tanh(), nn.Linear(H, OUT))

    def forward(self, x):
        return self.body(x.mean(0)) + x[0, :, :OUT] * x.shape[0]


MODELS = {
    "RNN": lambda: Net(nn.RNN(IN, H)),
    "RNN relu": lambda: Net(nn.RNN(IN, H, nonlinearity="relu")),
    "LSTM": lambda: Net(nn.LSTM(IN, H)),
    "GRU": lambda: Net(nn.GRU(IN, H)),
    "batch first": lambda: Net(nn.LSTM(IN, H, batch_first=True), batch_first=True),
    "two layers": lambda: Net(nn.LSTM(IN, H, 2)),
    "both ways": lambda: Net(nn.GRU(IN, H, bidirectional=True), 2 * H),
    "projected": lambda: Net(nn.LSTM(IN, H, proj_size=2), 2),
    "dropout between": lambda: Net(
        nn.GRU(IN, H, 3, dropout=0.5, generator=np.random.default_rng(4))
    ),
    "learned state": lambda: Net(nn.GRU(IN, H, learned_state=True)),
    "own cell": lambda: Net(nn.Recurrent(Leaky(H))),
    "given states": Learned,
    "tied": Tied,
    "no layer": Plain,
}
LOSSES = {
    "mse": f.mse_loss,
    "L1": nn.L1Loss(),
    "smooth": nn.SmoothL1Loss(beta=0.3),
    "huber, summed": nn.HuberLoss(reduction="sum"),
    "own": lambda p, y: ((p - y) ** 2 * 0.5).mean() + 0.01 * p.abs().sum(),
    "logits": lambda p, y: f.binary_cross_entropy_with_logits(p, tg.sigmoid(y)),
    "classes": lambda p, y: f.cross_entropy(p, y[:, 0].clamp(0, 1).round().long().detach()),
}
OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.05),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01),
}


def made(maker, dtype=tg.float32):
    tg.manual_seed(0)
    model = maker()
    return model.double() if dtype is tg.float64 else model


def plain_step(model, loss, optimizer, clip, *inputs, update=True, zero=True):
    """What a user writes."""
    if zero:
        optimizer.zero_grad()
    value = loss(model(*inputs[:-1]), inputs[-1])
    value.backward()
    if update:
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
    return value


def same_bits(first, second):
    for (name, p), (_, q) in zip(first.named_parameters(), second.named_parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy(), err_msg=name)
        assert (p.grad is None) == (q.grad is None), name
        if p.grad is not None:
            np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy(), err_msg=name)


def data(k, steps=4, batch=2, dtype=tg.float32, batch_first=False):
    draw = np.random.default_rng(k)
    x = draw.normal(size=(batch, steps, IN) if batch_first else (steps, batch, IN))
    return tg.tensor(x, dtype=dtype), tg.tensor(draw.normal(size=(batch, OUT)), dtype=dtype)


class Pair:
    """A model trained by ``compile_step`` and its twin trained by the plain loop."""

    def __init__(self, maker, loss=f.mse_loss, optimizer="Adam", clip=None, dtype=tg.float32):
        self.model, self.twin = made(maker, dtype), made(maker, dtype)
        self.loss, self.clip = loss, clip
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.other = OPTIMIZERS[optimizer](self.twin.parameters())
        self.step = tg.compile_step(self.model, loss, self.optimizer, clip=clip)
        self.seed = 0

    def each(self):
        return (self.model, self.optimizer), (self.twin, self.other)

    def go(self, count=3, expect="replayed", inputs=data, **options):
        """Some iterations of both, held against each other."""
        for _ in range(count):
            self.seed += 1
            given = inputs(self.seed, **options)
            state = tg.get_rng_state()
            value = self.step(*given)
            tg.set_rng_state(state)
            known = plain_step(self.twin, self.loss, self.other, self.clip, *given)
            assert value.numpy().tobytes() == known.numpy().tobytes()
            assert value.requires_grad is False
            same_bits(self.model, self.twin)
        assert expect in self.step.explain(), self.step.explain()


FAMILY = [  # every model twice, every loss, every optimizer, every way of clipping
    (m, loss, o, clip)
    for m, loss, o, clip in zip(
        [m for m in MODELS for _ in range(2)],
        itertools.cycle(LOSSES),
        itertools.cycle(OPTIMIZERS),
        itertools.cycle([None, 0.1, 100.0, 1.0]),
        strict=False,
    )
]


@pytest.mark.parametrize(("model", "loss", "optimizer", "clip"), FAMILY)
def test_a_family_of_iterations_is_replayed_to_the_plain_loops_bits(model, loss, optimizer, clip):
    dtype = tg.float64 if len(model) % 2 else tg.float32
    pair = Pair(MODELS[model], LOSSES[loss], optimizer, clip, dtype)
    pair.go(5, dtype=dtype, batch_first=model == "batch first")


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_either_back_end(backend):
    if backend == "numba":
        pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    with backends.using(backend):
        Pair(MODELS["LSTM"], clip=0.1).go(4)
        Pair(MODELS["two layers"]).go(4)


def words(k, steps=4, batch=2):
    draw = np.random.default_rng(k)
    return tg.tensor(draw.integers(0, 7, (steps, batch))), tg.tensor(
        draw.integers(0, 7, steps * batch)
    )


@pytest.mark.parametrize(
    "loss",
    [
        f.cross_entropy,
        nn.CrossEntropyLoss(label_smoothing=0.1),
        nn.CrossEntropyLoss(ignore_index=3),
        nn.CrossEntropyLoss(weight=tg.tensor([1.0, 2, 3, 4, 5, 6, 7])),
        lambda p, y: f.nll_loss(f.log_softmax(p, -1), y, reduction="sum"),
    ],
)
def test_words_and_classes(loss):
    pair = Pair(Words, loss)
    pair.go(5, inputs=words)
    table = pair.model.table.weight.numpy()
    with pytest.raises(IndexError, match="outside 0"):
        pair.step(tg.tensor(np.full((4, 2), 7)), words(1)[1])
    with pytest.raises(IndexError, match="outside 0"):
        pair.step(tg.tensor(np.full((4, 2), -1)), words(1)[1])
    with pytest.raises(IndexError, match="outside 0"):
        pair.step(words(1)[0], tg.tensor(np.full(8, 7)))
    np.testing.assert_array_equal(pair.model.table.weight.numpy(), table)
    pair.go(1, inputs=words)


def test_a_loss_that_refuses_values_still_does():
    class Shares(Plain):
        def forward(self, x):
            return super().forward(x)

    pair = Pair(Shares, lambda p, y: f.binary_cross_entropy(p, y))
    good = tg.zeros(4, 2, IN), tg.ones(2, OUT)
    for model, _ in pair.each():
        with tg.no_grad():
            model.body[2].weight.mul_(0.0)
            model.body[2].bias.fill_(0.5)
    for _ in range(3):
        pair.step(*good)
    assert pair.step.explain() == "replayed as one program"
    with pytest.raises(ValueError, match="probabilities"):
        pair.step(tg.ones(4, 2, IN) * 9, good[1])


def test_shapes_come_and_go():
    pair = Pair(MODELS["LSTM"])
    for steps, batch in [
        (4, 2),
        (5, 2),
        (4, 2),
        (4, 1),
        (5, 2),
        (4, 2),
        (4, 1),
        (1, 1),
        (1, 1),
        (1, 1),
    ]:
        pair.go(1, expect="", steps=steps, batch=batch)
    assert pair.step.explain() == "replayed as one program"


class TwoWords(nn.Module):
    """Two words, each looked up in a table of its own."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Embedding(OUT, OUT), nn.Embedding(OUT, OUT)

    def forward(self, i, j):
        return self.first(i) - 2 * self.second(j)


@pytest.mark.parametrize("traced", list(itertools.product(range(2), repeat=3)))
def test_which_inputs_are_one_array_is_asked(traced):
    """What was traced where two inputs are one array is not for others that are: plain sums by hand."""
    one, other = tg.tensor([0]), tg.tensor([1])  # of one word, which no turning of the batch shows
    model = TwoWords()
    step = tg.compile_step(model, f.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    for which in [traced] * 3 + list(itertools.product(range(2), repeat=3)) * 2:
        i, j, y = ((one, other)[k] for k in which)
        logits = model.first.weight.numpy()[which[0]] - 2 * model.second.weight.numpy()[which[1]]
        share = np.exp(logits) / np.exp(logits).sum()
        assert step(i, j, y).item() == pytest.approx(-np.log(share[which[2]]), rel=1e-5)
        slope = share - np.eye(OUT)[which[2]]
        for table, at, factor in ((model.first, which[0], 1), (model.second, which[1], -2)):
            np.testing.assert_allclose(
                table.weight.grad, np.outer(np.eye(OUT)[at], factor * slope), rtol=1e-4, atol=1e-6
            )


def test_schedules_groups_and_a_loaded_state():
    pair = Pair(MODELS["GRU"])
    schedules = [optim.lr_scheduler.StepLR(o, 2, 0.5) for _, o in pair.each()]
    for _ in range(6):
        pair.go(1, expect="")
        for schedule in schedules:
            schedule.step()
    assert pair.optimizer.param_groups[0]["lr"] == 0.01 * 0.5**3
    saved = [(m.state_dict(), o.state_dict()) for m, o in pair.each()]
    pair.go(2)
    for (m, o), (of_model, of_optimizer) in zip(pair.each(), saved, strict=True):
        m.load_state_dict(of_model)
        o.load_state_dict(of_optimizer)
    pair.go(2)


def test_frozen_weights_and_flags_that_change():
    pair = Pair(MODELS["LSTM"])
    for model, _ in pair.each():
        model.layer.weight_hh_l0.requires_grad = False
    pair.go(3)
    for model, _ in pair.each():
        model.layer.weight_hh_l0.requires_grad = True
        model.head.weight.requires_grad = False
    pair.go(1, expect="run as Python, and traced")
    pair.go(2)
    for model, _ in pair.each():
        model.layer.requires_grad_(False)
    pair.go(3)


def test_gradients_are_accumulated():
    pair = Pair(MODELS["LSTM"], clip=0.5)
    for k in range(4):
        first, second, third = (data(3 * k + j) for j in range(3))
        pair.step.accumulate(*first)
        pair.step.accumulate(*second)
        value = pair.step(*third)
        plain_step(pair.twin, pair.loss, pair.other, None, *first, update=False)
        plain_step(pair.twin, pair.loss, pair.other, None, *second, update=False, zero=False)
        known = plain_step(pair.twin, pair.loss, pair.other, 0.5, *third, zero=False)
        assert value.item() == known.item()
        same_bits(pair.model, pair.twin)
    assert pair.step.explain() == "replayed as one program"


def test_a_parameter_that_the_optimizer_has_not_gathers_gradients():
    pair = Pair(MODELS["GRU"])
    pair.optimizer = optim.SGD(pair.model.head.parameters(), lr=0.1)
    pair.other = optim.SGD(pair.twin.head.parameters(), lr=0.1)
    pair.step = tg.compile_step(pair.model, f.mse_loss, pair.optimizer)
    pair.go(4)


def change_dropout(m):
    m.layer.dropout = 0.25


def change_weight(m):
    m.head.weight = nn.Parameter(numbers((OUT, H), 9), dtype=tg.float32)


def change_head(m):
    m.head = nn.Linear(H, OUT, bias=False)
    with tg.no_grad():
        m.head.weight.fill_(0.1)


def change_forward(m):
    m.forward = lambda x: m.head(m.layer(x)[0][0])


def write_in_place(m):
    with tg.no_grad():
        m.layer.weight_hh_l0[0] = 0.5
        m.head.weight.mul_(0.5)


def to_evaluation(m):
    m.eval()


def recorded(m):
    m.layer.compiled = False


@pytest.mark.parametrize(
    "change",
    [change_dropout, change_weight, change_head, change_forward, write_in_place, to_evaluation],
)
def test_what_is_changed_is_seen(change):
    pair = Pair(MODELS["dropout between"], optimizer="SGD")
    pair.go(4)
    for model, _ in pair.each():
        change(model)
    pair.optimizer, pair.other = (
        OPTIMIZERS["SGD"](m.parameters()) for m in (pair.model, pair.twin)
    )
    pair.step.optimizer = pair.optimizer
    pair.go(1, expect="")
    pair.go(3)


class Scaled(Plain):
    scale = 1.0
    table = (1.0, 2.0)

    def __init__(self):
        super().__init__()
        self.gain, self.gains = 2.0, [1.0, 2.0]

    def forward(self, x):
        return super().forward(x) * self.gain * self.gains[0] * self.scale * OUTSIDE * self.table[1]


OUTSIDE = 1.0


def test_settings_globals_and_lists_are_watched(monkeypatch):
    pair = Pair(Scaled)
    pair.go(3)
    for model, _ in pair.each():
        model.gain = 3.0
    pair.go(3)
    for model, _ in pair.each():
        model.gains[0] = 0.5
    pair.go(3)
    monkeypatch.setattr(Scaled, "scale", 2.0)
    pair.go(3)
    monkeypatch.setitem(globals(), "OUTSIDE", 0.25)
    pair.go(3)
    for model, _ in pair.each():
        model.gain = 2.0
    pair.go(3)


class Dropped(Plain):
    def forward(self, x):
        return f.dropout(super().forward(x), 0.5)


class Branching(Plain):
    def forward(self, x):
        y = super().forward(x)
        return y * 2 if y.sum().item() > 0 else y


class Truth(Plain):
    def forward(self, x):
        y = super().forward(x)
        return y * 2 if y.sum() > 0 else y


class Counting(Plain):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * self.calls


class Keeping(Plain):
    def __init__(self):
        super().__init__()
        self.kept = []

    def forward(self, x):
        y = super().forward(x)
        self.kept.append(y.detach())
        return y


class Sorting(Plain):
    def forward(self, x):
        y = super().forward(x)
        return y.sort(0)[0] * y.median()


class Arrays(Plain):
    def __init__(self):
        super().__init__()
        self.array = np.ones(OUT, np.float32)

    def forward(self, x):
        return super().forward(x) * self.array


class Measuring(Plain):
    def forward(self, x):
        with tg.no_grad():
            self.last = super().forward(x)
        return super().forward(x)


class Catching(Plain):
    def forward(self, x):
        try:
            return super().forward(x)
        except ValueError:
            return x


class Statistics(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", tg.zeros(OUT))

    def forward(self, x):
        y = super().forward(x)
        with tg.no_grad():
            self.mean = 0.9 * self.mean + 0.1 * y.mean(0)
        return y - self.mean


REASONS = {
    Dropped: "draws random numbers",
    Branching: "item()",
    Truth: "its truth",
    Counting: "sets .calls",
    Keeping: "append",
    Sorting: "",
    Arrays: "numpy array",
    Measuring: "sets .last",
    Catching: "catches exceptions",
    Statistics: "sets .mean",
}


@pytest.mark.parametrize("kind", REASONS)
def test_what_cannot_be_known_runs_as_python_and_says_why(kind):
    pair = Pair(kind)
    pair.go(4, expect="run as Python")
    assert REASONS[kind] in pair.step.explain()


class Quiet(Plain):
    """A block without gradients, and a detached factor: both stand in the program."""

    def forward(self, x):
        y = super().forward(x)
        with tg.no_grad():
            scale = tg.exp(y.mean() * 0.1).floor() + 1.5
        return y * scale + y.detach() * (y > 0)


def test_blocks_without_gradients_are_replayed():
    Pair(Quiet).go(5)


def test_hooks_of_modules_and_of_tensors_are_heard():
    pair = Pair(Plain)
    pair.go(3)
    heard = []
    hook = pair.model.body[0].register_forward_hook(lambda *_: heard.append(1))
    pair.go(3, expect="forward hooks")
    assert len(heard) >= 3
    hook.remove()
    pair.go(3)


def test_a_hook_for_a_gradient_is_called():
    from tinygrad_rnn.engine.hooks import Hook

    before = Hook.registered
    pair = Pair(Plain)
    pair.go(3)
    handles = [m.body[0].weight.register_hook(lambda g: g * 2) for m, _ in pair.each()]
    pair.go(2, expect="hook")
    for handle in handles:
        handle.remove()
    Hook.registered = before


def test_inputs_that_ask_for_gradients_arrays_and_keywords():
    pair = Pair(Plain)
    pair.go(3)
    x, y = data(50)
    x.requires_grad = True
    pair.step(x, y)
    assert x.grad is not None
    assert "an input requires a gradient" in pair.step.explain()
    pair.step(x.detach().numpy(), y.numpy().tolist())

    class Options(Plain):
        def forward(self, x, scale=1.0):
            return super().forward(x) * scale

    step = tg.compile_step(made(Options), f.mse_loss, optim.SGD([nn.Parameter([1.0])], lr=0.1))
    for scale in (1.0, 2.0, 2.0, 3.0):
        with tg.no_grad():
            known = f.mse_loss(made(Options)(*data(1)[:1], scale=scale), data(1)[1])
        assert step(*data(1), scale=scale).item() == known.item()
    assert "keyword" in step.explain()


def test_no_grad_around_and_anomalies():
    pair = Pair(Plain)
    pair.go(3)
    with tg.no_grad(), pytest.raises(RuntimeError, match="nothing that requires a gradient"):
        pair.step(*data(1))
    with tg.detect_anomaly():
        pair.go(1, expect="looks at every op")
    pair.go(1)


def test_an_error_in_the_middle_leaves_nothing_half_done():
    class Failing:
        fails = False

        def __call__(self, p, y):
            return f.mse_loss(p, y)

    pair = Pair(MODELS["LSTM"], clip=1.0)
    pair.go(3)
    before = [p.numpy() for p in pair.model.parameters()]
    nan = tg.tensor(np.full((4, 2, IN), np.nan), dtype=tg.float32)
    with pytest.raises(RuntimeError, match="the norm is nan"):
        pair.step(nan, data(1)[1])
    for p, q in zip(pair.model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.numpy(), q)
    with pytest.raises(ValueError, match="shape"):
        pair.step(data(1)[0], tg.zeros(7, 7))
    with pytest.raises(ValueError, match="features"):
        pair.step(tg.zeros(4, 2, IN + 1), data(1)[1])
    real = pair.optimizer._updated

    def fails(*_):
        raise MemoryError("planted")

    pair.optimizer._updated = fails
    with pytest.raises(MemoryError):
        pair.step(*data(1))
    pair.optimizer._updated = real
    for p, q in zip(pair.model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.numpy(), q)
    pair.go(2)


def test_what_is_no_model_loss_or_optimizer():
    model = Plain()
    adam = optim.Adam(model.parameters())
    with pytest.raises(TypeError, match="model must be a Module"):
        tg.compile_step(print, f.mse_loss, adam)
    with pytest.raises(TypeError, match="made first"):
        tg.compile_step(model, nn.MSELoss, adam)
    with pytest.raises(TypeError, match="optimizer must be one"):
        tg.compile_step(model, f.mse_loss, None)
    with pytest.raises(TypeError, match="LBFGS"):
        tg.compile_step(model, f.mse_loss, optim.LBFGS(model.parameters()))
    with pytest.raises(TypeError, match="inputs and a target"):
        tg.compile_step(model, f.mse_loss, adam)(data(1)[0])


def test_a_program_that_is_wrong_is_not_used(monkeypatch):
    """Planted: a program that leaves out a factor is found out before it is used."""
    from tinygrad_rnn.training import replay

    real = replay.Replay._name
    pair = Pair(Plain)

    def wrong(self, node):
        name = real(self, node)
        return f"({name} * 1.01)" if getattr(node.op, "name", "") == "tanh" else name

    monkeypatch.setattr(replay.Replay, "_name", wrong)
    pair.go(4, expect="other values than the plain iteration")


# ---- products by table ----------------------------------------------------------------------------

WORDS, WIDE, LONG = 5, 48, 12  # 36 steps of 5 words


class Looked(nn.Module):
    """A layer over an embedding, a class for every step out."""

    def __init__(self, layer, width=H, rows=WIDE, padding=None, tie=False):
        super().__init__()
        self.table = nn.Embedding(WORDS, rows, padding_idx=padding)
        self.layer, self.head, self.tie = layer, nn.Linear(width, rows if tie else WORDS), tie

    def forward(self, x):
        y, _ = self.layer(self.table(x))
        y = self.head(y)
        return (y @ self.table.weight.T if self.tie else y).flatten(0, 1)


def frozen(layer, name):
    getattr(layer, name).requires_grad_(False)
    return layer


BY_TABLE = {
    "LSTM": lambda: Looked(nn.LSTM(WIDE, H)),
    "GRU": lambda: Looked(nn.GRU(WIDE, H)),
    "RNN": lambda: Looked(nn.RNN(WIDE, H)),
    "RNN relu": lambda: Looked(nn.RNN(WIDE, H, nonlinearity="relu")),
    "no bias": lambda: Looked(nn.LSTM(WIDE, H, bias=False)),
    "two layers": lambda: Looked(nn.LSTM(WIDE, H, 2)),
    "batch first": lambda: Looked(nn.LSTM(WIDE, H, batch_first=True)),
    "projected": lambda: Looked(nn.LSTM(WIDE, H, proj_size=2), 2),
    "tied": lambda: Looked(nn.GRU(WIDE, H), tie=True),
    "frozen W_ih": lambda: Looked(frozen(nn.LSTM(WIDE, H), "weight_ih_l0")),
    "frozen W_hh": lambda: Looked(frozen(nn.LSTM(WIDE, H), "weight_hh_l0")),
}
AS_BEFORE = {
    "narrow rows": lambda: Looked(nn.LSTM(8, H), rows=8),
    "a padding row": lambda: Looked(nn.LSTM(WIDE, H), padding=0),
    "both ways": lambda: Looked(nn.LSTM(WIDE, H, bidirectional=True), 2 * H),
    "frozen rows": lambda: frozen_rows(Looked(nn.LSTM(WIDE, H))),
}


def frozen_rows(model):
    model.table.weight.requires_grad_(False)
    return model


def text(k, most=WORDS, steps=LONG):
    draw = np.random.default_rng(k)
    x, y = draw.integers(0, most, (steps, 3)), draw.integers(0, WORDS, 3 * steps)
    return tg.tensor(x), tg.tensor(y)


def by_table(step):
    (programs,) = step._iterations._kinds.values()
    return [bool(p.replay.iteration.tracer.finite) for p in programs]


def gradients_close(step, model, twin, given, dtype):
    """One iteration's loss and gradients beside the plain ones of a twin with the same weights."""
    twin.load_state_dict(model.state_dict())
    twin.zero_grad()
    known = f.cross_entropy(twin(given[0]), given[1])
    known.backward()
    value = step.accumulate(*given)
    step._begun = False
    tol = 1e-11 if dtype is tg.float64 else 3e-5
    np.testing.assert_allclose(value, known.detach(), rtol=tol)
    for (name, p), (_, q) in zip(model.named_parameters(), twin.named_parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None), name
        if p.grad is not None:
            a, b = p.grad.numpy(), q.grad.numpy()
            size = np.abs(b).max(initial=0, where=np.isfinite(b))
            np.testing.assert_allclose(a, b, rtol=tol, atol=tol * size, err_msg=name)


@pytest.mark.parametrize(
    ("name", "backend"),
    [*[(n, "numpy") for n in (*BY_TABLE, *AS_BEFORE)], ("LSTM", "numba"), ("GRU", "numba")],
)
def test_products_by_table_are_the_plain_ones(name, backend):
    if backend == "numba":
        pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    maker = BY_TABLE.get(name) or AS_BEFORE[name]
    dtype = tg.float64 if len(name) % 2 else tg.float32
    with backends.using(backend):
        model, twin = made(maker, dtype), made(maker, dtype)
        adam = optim.Adam(model.parameters(), lr=0.05)
        step = tg.compile_step(model, f.cross_entropy, adam)
        for k in range(4):
            gradients_close(step, model, twin, text(k), dtype)
            adam.step()
    assert step.explain() == "replayed as one program"
    assert by_table(step) == [name in BY_TABLE]


def test_a_run_that_goes_on_by_table_comes_to_the_same_bits():
    """What is traced is the program's from its first iteration on."""
    given = [text(k) for k in range(6)]

    def run(model, optimizer, texts):
        step = tg.compile_step(model, f.cross_entropy, optimizer)
        for each in texts:
            step(*each)
        assert by_table(step) == [True]

    whole, first, second = (made(BY_TABLE["GRU"]) for _ in range(3))
    adams = [optim.Adam(m.parameters(), lr=0.05) for m in (whole, first, second)]
    with backends.using("numpy"):
        run(whole, adams[0], given)
        run(first, adams[1], given[:3])
        second.load_state_dict(first.state_dict())
        adams[2].load_state_dict(adams[1].state_dict())
        run(second, adams[2], given[3:])
    same_bits(whole, second)


@pytest.mark.parametrize("where", ["table.weight", "layer.weight_ih_l0"])
def test_what_is_not_finite_stays_in_its_row_by_table(where):
    """A row that is not looked up has no part in any gradient, whatever it holds."""
    model, twin = made(BY_TABLE["LSTM"]), made(BY_TABLE["LSTM"])
    step = tg.compile_step(model, f.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    step(*text(0, WORDS - 1))
    step(*text(1, WORDS - 1))
    assert by_table(step) == [True]
    with tg.no_grad():
        dict(model.named_parameters())[where][-1] = float("inf")
    gradients_close(step, model, twin, text(2, WORDS - 1), tg.float32)
    assert "run as Python" in step.explain()
    assert not model.table.weight.grad.numpy()[-1].any()


# ---- which back end's turn it is -----------------------------------------------------------------


@pytest.fixture
def auto():
    pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    with backends.using("auto"):
        yield


def counts(model):
    return [cell.__dict__.get(CALLED) for cell in model.layer.cells()]


@pytest.mark.parametrize(
    "model", ["LSTM", "two layers", "both ways", "dropout between", "own cell"]
)
def test_machine_code_takes_over_at_the_plain_loops_call(auto, model):
    pair = Pair(MODELS[model])
    for _ in range(CALLS + 4):
        pair.go(1, expect="")
        assert counts(pair.model) == counts(pair.twin)
        assert pair.model.layer.explain() == pair.twin.layer.explain()
    assert pair.step.explain() == "replayed as one program"
    assert "numba" in pair.model.layer.explain()


def test_a_look_between_does_not_have_it_traced_anew(auto):
    pair = Pair(MODELS["LSTM"])
    pair.go(4)
    for _ in range(3):
        for model, _ in pair.each():
            with tg.no_grad():
                model(data(99)[0])
        pair.go(1)
    kinds = pair.step._iterations._kinds.values()
    assert [len(programs) for programs in kinds] == [1]


def test_a_run_that_goes_on_from_a_state_dict_comes_to_the_same_bits(auto):
    whole, parts = Pair(MODELS["GRU"]), Pair(MODELS["GRU"])
    whole.go(CALLS + 3, expect="")
    parts.go(CALLS - 2, expect="")
    saved = parts.model.state_dict(), parts.optimizer.state_dict()
    later = Pair(MODELS["GRU"])
    for model, optimizer in later.each():
        model.load_state_dict(saved[0])
        optimizer.load_state_dict(saved[1])
    later.seed = parts.seed
    later.go(5, expect="")
    same_bits(whole.model, later.model)


def test_what_fails_or_is_held_against_python_is_not_counted(auto):
    pair = Pair(MODELS["LSTM"])
    pair.go(3)
    before = counts(pair.model)
    with pytest.raises(ValueError, match="shape"):
        pair.step(data(1)[0], tg.zeros(7, 7))
    plain = counts(pair.model)[0][0] - before[0][0]
    assert plain == pytest.approx(1 / CALLS)  # the forward that ran, once
