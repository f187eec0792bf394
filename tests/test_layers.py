"""What goes around the recurrent layers: slips, variants beside plain numpy, dropout, gates, streams."""

import copy
import warnings

import numpy as np
import pytest
from made_up import filled, flat
from support import assert_close, complex_gradient, numbers, weights

import tinygrad_rnn as tg
from tinygrad_rnn import nn

I, H, T, B = 2, 3, 4, 2  # noqa: E741 (the docs' names)


def scored(*values):
    """One number in which every element of every value matters differently."""
    tensors = flat(values)
    return sum((t * tg.tensor(weights(t.shape, 50 + k))).sum() for k, t in enumerate(tensors))


def arrays(tensors):
    return [t.detach().numpy() for t in flat(tensors)]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# ---- slips ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
def test_dropout_on_a_single_layer_warns_that_it_does_nothing(make):
    with pytest.warns(
        UserWarning, match=r"dropout=0.3 acts between layers.*num_layers=1"
    ) as caught:
        layer = make(I, H, dropout=0.3)
    assert caught[0].filename == __file__
    assert_close(*(layer(tg.ones(T, B, I))[0].detach() for _ in range(2)), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(I, H, num_layers=2, dropout=0.3)


def lstm(x=(7, 5, 3), hx=None, lengths=None, **options):
    """A call of an LSTM (3, 4) on ones of these shapes."""
    state = None if hx is None else tuple(tg.ones(*s) for s in hx)
    return lambda: nn.LSTM(3, 4, **options)(tg.ones(*x), state, lengths=lengths)


def gru(x, h, **options):
    return lambda: nn.GRU(3, 4, **options)(tg.ones(*x), tg.ones(*h))


def cell_state(state, x=(7, 5, 3), **options):
    return lambda: nn.Recurrent(nn.LSTMCell(3, 4), **options)(tg.ones(*x), state)


ZEROS = tg.zeros(5, 4)
SLIPS = {
    "batch in front of h_0": (
        lstm(hx=[(5, 2, 4), (2, 5, 4)], num_layers=2),
        r"^lstm: h_0 has shape \(5, 2, 4\), expected \(2, 5, 4\) = \(layers, batch, hidden\): "
        r"use h_0\.transpose\(0, 1\)$",
    ),
    "batch in front of c_0, batch_first": (
        lstm((5, 7, 3), [(2, 5, 4), (5, 2, 4)], batch_first=True, bidirectional=True),
        r"c_0 has shape \(5, 2, 4\), expected \(2, 5, 4\) = \(layers \* directions, batch, hidden\): "
        r"use c_0\.transpose\(0, 1\)$",
    ),
    "batch in front of a GRU's state": (
        gru((7, 5, 3), (5, 1, 4)),
        r"^gru: h_0 has shape \(5, 1, 4\).*use h_0\.transpose\(0, 1\)$",
    ),
    "state of another batch": (
        gru((7, 5, 3), (1, 6, 4)),
        r"h_0 has shape \(1, 6, 4\), expected \(1, 5, 4\)",
    ),
    "state of one direction": (
        gru((7, 5, 3), (1, 5, 4), bidirectional=True),
        r"expected \(2, 5, 4\) = \(layers \* directions, batch, hidden\)",
    ),
    "h_0 without the projection": (
        lstm(hx=[(1, 5, 4), (1, 5, 4)], proj_size=2),
        r"h_0 has shape \(1, 5, 4\), expected \(1, 5, 2\)",
    ),
    "a cell's state of one row": (
        cell_state((tg.zeros(1, 4), tg.zeros(1, 4))),
        r"recurrent: LSTMCell: h has shape \(1, 4\), expected \(5, 4\)",
    ),
    "a cell's c of another batch": (
        cell_state((ZEROS, tg.zeros(4, 4))),
        r"LSTMCell: c has shape \(4, 4\), expected \(5, 4\)",
    ),
    "a cell on four axes": (
        cell_state(None, (7, 5, 5, 3)),
        r"recurrent: x has shape \(7, 5, 5, 3\), expected \(time, batch, features\)",
    ),
    "a length beyond the input": (
        lstm(lengths=[1, 2, 8, 7, 0]),
        r"^lstm: lengths must be 0 to 7 \(the input's time steps\); got 0 to 8$",
    ),
    "a negative length": (lstm(lengths=[1, 2, -1, 7, 0]), "got -1 to 7"),
    "lengths of another batch": (
        lstm(lengths=[1, 2]),
        r"lengths must be 5 integers, one a sequence of the batch; got shape \(2,\) of int64",
    ),
    "lengths that are no integers": (lstm(lengths=[1.0, 2, 3, 4, 5]), "5 integers.*float64"),
    "lengths that are a mask": (lstm(lengths=np.ones((7, 5), bool)), "5 integers.*bool"),
    "lengths without a batch": (lstm((7, 3), lengths=[7]), "lengths need a batch"),
    "a step of two": (
        lambda: nn.GRU(3, 4).step(tg.ones(7, 5, 3)),
        r"gru: x_t has shape \(7, 5, 3\)",
    ),
    "features of a step": (lambda: nn.GRU(3, 4).step(tg.ones(5, 2)), "gru: x has 2 features"),
    "a negative dropout": (
        lambda: nn.GRU(3, 4, 2, dropout=-0.1),
        "dropout must be between 0 and 1",
    ),
    "a wide projection": (
        lambda: nn.LSTM(3, 4, proj_size=4),
        "proj_size must be 0.*hidden_size - 1",
    ),
    "all dropped": (
        lambda: nn.Recurrent(nn.GRUCell(3, 4), variational=1.0),
        r"variational must be at least 0 and below 1, got 1\.0",
    ),
    "a short chrono": (lambda: nn.init.chrono_(nn.LSTM(3, 4), 2), "time_steps must be at least 3"),
}
WRONG_KINDS = {
    "a step in both directions": (
        lambda: nn.LSTM(3, 4, bidirectional=True).step(tg.ones(5, 3)),
        "lstm: a bidirectional layer needs the whole sequence, not a step",
    ),
    "one part of two": (cell_state(ZEROS), r"LSTMCell: the state must be \(h, c\), got Tensor"),
    "no pair of directions": (
        cell_state(ZEROS, reverse=nn.LSTMCell(3, 4)),
        r"with a reverse cell the state is a pair \(forward's, reverse's\), got Tensor",
    ),
    "the state of one direction": (
        cell_state((ZEROS, ZEROS), reverse=nn.LSTMCell(3, 4)),
        r"LSTMCell: the state must be \(h, c\), got Tensor",
    ),
    "a reverse that is no cell": (
        lambda: nn.Recurrent(nn.GRUCell(3, 4), reverse=nn.Module()),
        "Module has neither step nor forward",
    ),
    "chrono_ of an RNN": (
        lambda: nn.init.chrono_(nn.RNN(3, 4), 9),
        "gate 'f', and RNNCell has none",
    ),
    "forget_bias_ without biases": (
        lambda: nn.init.forget_bias_(nn.LSTM(3, 4, bias=False)),
        "a cell with biases, and LSTMCell has none",
    ),
    "identity_ of an LSTM": (lambda: nn.init.identity_(nn.LSTM(3, 4)), "cells without gates"),
    "forget_bias_ of a user's cell": (
        lambda: nn.init.forget_bias_(nn.Recurrent(Attending())),
        "Attending is neither a recurrent layer nor a built-in cell",
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_slips_are_caught(name):
    function, words = SLIPS[name]
    with pytest.raises(ValueError, match=words):
        function()


@pytest.mark.parametrize("name", WRONG_KINDS)
def test_wrong_kinds_are_caught(name):
    function, words = WRONG_KINDS[name]
    with pytest.raises(TypeError, match=words):
        function()


def test_the_transpose_that_the_message_shows_is_the_cure():
    layer, x, h = nn.GRU(3, 4, num_layers=2), tg.ones(7, 5, 3), tg.tensor(numbers((5, 2, 4)))
    with pytest.raises(ValueError, match=r"use h_0.transpose\(0, 1\)"):
        layer(x, h)
    assert layer(x, h.transpose(0, 1))[0].shape == (7, 5, 4)


def test_a_state_of_another_precision_or_of_plain_arrays_goes_straight_in():
    zeros = np.zeros((B, H))
    y, (h, c) = nn.Recurrent(nn.LSTMCell(I, H))(tg.ones(T, B, I), (zeros, zeros))
    assert {y.dtype, h.dtype, c.dtype} == {tg.float32}


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nn.RNN(I, H, nonlinearity="relu"), "RNN(2, 3, nonlinearity='relu')"),
        (nn.LSTM(I, H, proj_size=2, peephole=True), "LSTM(2, 3, proj_size=2, peephole=True)"),
        (nn.GRU(I, H, 2, bidirectional=True, reset_after=False),
         "GRU(2, 3, num_layers=2, bidirectional=True, reset_after=False)"),
        (nn.Recurrent(nn.GRUCell(I, H), True, variational=0.5),
         "Recurrent(batch_first=True, variational=0.5)"),
    ],
)  # fmt: skip
def test_what_differs_from_the_default_is_shown(layer, words):
    assert repr(layer).splitlines()[0].split("  #")[0] == words


# ---- variants beside a plain numpy loop, their gradients beside a complex step -------------------


def norm(x, w):
    """Layer normalisation with gain and bias."""
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5) * w["weight"] + w["bias"]


def inner(w, name):
    return {k.split(".")[1]: v for k, v in w.items() if k.startswith(name + ".")}


def product(w, x, h):
    """W_ih x + b_ih + W_hh h + b_hh."""
    return x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]


def peephole_step(w, x, h, c):
    i, f, g, o = np.split(product(w, x, h), 4, -1)
    p_i, p_f, p_o = np.split(w["weight_peephole"], 3)
    c, old = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g), c
    assert c.shape == old.shape
    h = sigmoid(o + p_o * c) * np.tanh(c)
    return h, c


def layer_norm_step(w, x, h, c):
    z = norm(x @ w["weight_ih"].T, inner(w, "norm_ih"))
    z = z + norm(h @ w["weight_hh"].T, inner(w, "norm_hh")) + w["bias_ih"]
    i, f, g, o = np.split(z, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(norm(c, inner(w, "norm_c"))), c


def coupled_step(w, x, h, c):
    f, g, o = np.split(product(w, x, h), 3, -1)
    f = sigmoid(f)
    c = f * c + (1 - f) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def projected_step(w, x, h, c):
    i, f, g, o = np.split(product(w, x, h), 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return (sigmoid(o) * np.tanh(c)) @ w["weight_hr"].T, c


def projected_peephole_step(w, x, h, c):
    h, c = peephole_step(w, x, h, c)
    return h @ w["weight_hr"].T, c


def early_reset_step(w, x, h):
    x_r, x_z, x_n = np.split(x @ w["weight_ih"].T + w["bias_ih"], 3, -1)
    (w_r, w_z, w_n), (b_r, b_z, b_n) = np.split(w["weight_hh"], 3), np.split(w["bias_hh"], 3)
    r, z = sigmoid(x_r + h @ w_r.T + b_r), sigmoid(x_z + h @ w_z.T + b_z)
    n = np.tanh(x_n + (r * h) @ w_n.T + b_n)
    return ((1 - z) * n + z * h,)


def late_reset_step(w, x, h):
    x_r, x_z, x_n = np.split(x @ w["weight_ih"].T + w["bias_ih"], 3, -1)
    h_r, h_z, h_n = np.split(h @ w["weight_hh"].T + w["bias_hh"], 3, -1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return ((1 - z) * np.tanh(x_n + r * h_n) + z * h,)


VARIANTS = {
    "PeepholeLSTMCell": (lambda: nn.PeepholeLSTMCell(I, H), peephole_step),
    "LayerNormLSTMCell": (lambda: nn.LayerNormLSTMCell(I, H), layer_norm_step),
    "CoupledLSTMCell": (lambda: nn.CoupledLSTMCell(I, H), coupled_step),
    "LSTMCell, proj_size": (lambda: nn.LSTMCell(I, H, proj_size=2), projected_step),
    "PeepholeLSTMCell, proj_size": (
        lambda: nn.PeepholeLSTMCell(I, H, proj_size=2),
        projected_peephole_step,
    ),
    "GRUCell": (lambda: nn.GRUCell(I, H), late_reset_step),
    "GRUCell, reset before": (lambda: nn.GRUCell(I, H, reset_after=False), early_reset_step),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_its_equations_and_every_step_adds_its_own_gradient(name):
    """Outputs by a numpy loop; each step's part of each gradient by a complex step through a loop that
    has a copy of the weights for each step."""
    make, step = VARIANTS[name]
    cell = filled(make())
    names = [n for n, _ in cell.named_parameters()]
    own = [p.numpy() for p in cell.parameters()]
    x = numbers((T, B, I), 1, 2.0)
    start = [numbers((B, n), 2 + k) for k, n in enumerate(cell.state_sizes().values())]

    def loop(x, *rest):
        state, each = rest[: len(start)], rest[len(start) :]
        outputs = []
        for t in range(T):
            state = step(dict(zip(names, (w[t] for w in each), strict=True)), x[t], *state)
            outputs.append(state[0])
        return np.stack(outputs), *state

    def score(*given):
        return sum((v * weights(v.shape, 50 + k)).sum() for k, v in enumerate(loop(*given)))

    copies = [np.stack([w] * T) for w in own]
    x_t = tg.tensor(x, requires_grad=True)
    given = [tg.tensor(s, requires_grad=True) for s in start]
    y, last = nn.Recurrent(cell)(x_t, tuple(given) if len(given) > 1 else given[0])
    for ours, plain in zip([y, *flat(last)], loop(x, *start, *copies), strict=True):
        assert_close(ours.detach(), plain, 1e-14, name)

    ledger = scored(y, last).backward(ledger=True)
    by_x, *rest = complex_gradient(score, [x, *start, *copies])
    for t in range(T):
        assert_close(x_t.grad.numpy()[t], by_x[t], 1e-12, f"{name}: x at step {t}")
    for k, s in enumerate(given):
        assert_close(s.grad, rest[k], 1e-12, f"{name}: state {k}")
    for (key, p), expected in zip(cell.named_parameters(), rest[len(start) :], strict=True):
        for t in range(T):
            assert_close(ledger[p][t], expected[t], 1e-12, f"{name}: {key} at step {t}")
        assert_close(p.grad, expected.sum(0), 1e-12, f"{name}: {key}")


def test_a_peephole_layer_is_its_cell_and_at_its_start_a_plain_lstm():
    layer, plain = nn.LSTM(I, H, 2, peephole=True), nn.LSTM(I, H, 2)
    x = tg.tensor(numbers((T, B, I)))
    names = list(layer.state_dict())
    assert names[4] == "weight_peephole_l0"
    assert names[9] == "weight_peephole_l1"
    assert layer.weight_peephole_l0.shape == (3 * H,)
    assert not layer.weight_peephole_l0.numpy().any()
    entries = {k: v for k, v in layer.state_dict().items() if "peephole" not in k}
    plain.load_state_dict(entries)
    # two programs: machine code may fuse a product and a sum in one that it does not in the other
    np.testing.assert_allclose(layer(x)[0].numpy(), plain(x)[0].numpy(), rtol=1e-5, atol=1e-7)
    filled(layer)
    cells = [filled(nn.PeepholeLSTMCell(n, H)) for n in (I, H)]
    for k, cell in enumerate(cells):
        own = {n.removesuffix(f"_l{k}"): p for n, p in layer.state_dict().items()}
        cell.load_state_dict({n: own[n] for n in cell.state_dict()})
    y = x.double()
    for cell in cells:
        y, _ = nn.Recurrent(cell)(y)
    np.testing.assert_array_equal(layer(x)[0].numpy(), y.numpy())


# ---- the ledger and the uses of every variant ----------------------------------------------------

LEDGERS = {
    "RNN": lambda both: nn.RNN(I, H, 2, bidirectional=both),
    "LSTM": lambda both: nn.LSTM(I, H, 2, bidirectional=both),
    "LSTM, proj_size": lambda both: nn.LSTM(I, H, 2, bidirectional=both, proj_size=2),
    "LSTM, peephole": lambda both: nn.LSTM(I, H, 2, bidirectional=both, peephole=True),
    "GRU": lambda both: nn.GRU(I, H, 2, bidirectional=both),
    "GRU, reset before": lambda both: nn.GRU(I, H, bidirectional=both, reset_after=False),
    "GRU without bias": lambda both: nn.GRU(
        I, H, bias=False, bidirectional=both, reset_after=False
    ),
    **{
        name: lambda both, make=make: nn.Recurrent(make(), reverse=make() if both else None)
        for name, (make, _) in VARIANTS.items()
    },
}


@pytest.mark.parametrize("lengths", [None, [3, 0], [T, 2]], ids=["full", "short", "ragged"])
@pytest.mark.parametrize("both", [False, True], ids=["forward", "both ways"])
@pytest.mark.parametrize("name", LEDGERS)
def test_one_parameter_has_a_use_a_step_and_the_parts_are_the_whole(name, both, lengths):
    layer = filled(LEDGERS[name](both))
    y, last = layer(numbers((T, B, I), 1), lengths=lengths)
    loss = scored(y, last)
    graph = tg.graph(loss)
    ledger = loss.backward(ledger=True)
    assert len(graph.parameters) == len(ledger) == len(list(layer.parameters()))
    for key, p in layer.named_parameters():
        assert [use.step for use in graph.uses(p)] == list(range(T)), key
        assert ledger.steps(p) == list(range(T)), key
        assert ledger[p].shape == (T, *p.shape)
        assert_close(ledger[p].sum(0), p.grad, 1e-13, key)
        assert_close(ledger.total(p), p.grad, 1e-13, key)
        norms = [np.linalg.norm(row) for row in ledger[p]]
        assert_close(ledger.norms(p), norms, 1e-7, key)
        assert (ledger.norms(p) > 0).sum() >= max(lengths or [T]) - 1, key


# ---- learned initial states ----------------------------------------------------------------------


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_learned_states_are_given_states_shared_by_the_batch(kind, both):
    layer = filled(getattr(nn, kind)(I, H, 2, bidirectional=both, learned_state=True))
    names = ["h_0", "c_0"] if kind == "LSTM" else ["h_0"]
    count = 4 if both else 2
    learned = [getattr(layer, n) for n in names]
    assert list(layer.state_dict())[-len(names) :] == names
    assert {p.shape for p in learned} == {(count, H)}
    x = numbers((T, B, I), 1)
    scored(*layer(x)).backward()
    got = [p.grad.numpy() for p in learned]
    layer.zero_grad()
    given = [tg.tensor(np.repeat(p.numpy()[:, None], B, 1), requires_grad=True) for p in learned]
    y, last = layer(x, tuple(given) if len(given) > 1 else given[0])
    for a, b in zip([y, *flat(last)], flat(layer(x)), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    scored(y, last).backward()
    for mine, whole, p in zip(got, given, learned, strict=True):
        assert p.grad is None, "a given state takes the place of the learned one"
        assert np.abs(mine).min() > 0
        assert_close(mine, whole.grad.numpy().sum(1), 1e-13)
    one, _ = layer(x[:, 0])
    assert_close(one.detach(), layer(x[:, :1])[0][:, 0].detach(), 1e-14)


def test_learned_states_start_at_zero_and_are_one_use_outside_time():
    layer = nn.LSTM(I, H, proj_size=2, learned_state=True)
    assert layer.h_0.shape == (1, 2)
    assert layer.c_0.shape == (1, H)
    assert not layer.h_0.numpy().any()
    y, _ = layer(tg.ones(T, B, I))
    ledger = y.square().sum().backward(ledger=True)
    assert ledger.steps(layer.h_0) == [None]
    assert_close(ledger[layer.h_0].sum(0), layer.h_0.grad, 1e-6)
    z, _ = layer.step(tg.ones(B, I))
    np.testing.assert_array_equal(z.numpy(), y[0].numpy())


# ---- dropout -------------------------------------------------------------------------------------


class Echo(nn.Module):
    """Its output is the input and the state as they came in; its state is always ones."""

    def forward(self, x, state):
        h, other = state
        ones = tg.ones(*h.shape), tg.ones(*other.shape)
        return tg.cat([x, h, other], -1), ones

    def initial_state(self, batch):
        return tg.ones(batch, 3), tg.ones(batch, 4)


def test_variational_dropout_is_one_mask_for_all_steps_on_input_and_state():
    layer = nn.Recurrent(Echo(), variational=0.25, generator=np.random.default_rng(3))
    y = layer(tg.ones(6, 4000, 2))[0].numpy()
    assert (y == y[0]).all(), "the same mask at every step"
    dropped, other = y[0, :, :5], y[0, :, 5:]
    assert (other == 1).all(), "only the first part of the state drops"
    np.testing.assert_allclose(np.unique(dropped), [0, 1 / 0.75], rtol=1e-6)
    np.testing.assert_allclose(dropped.mean(0), 1.0, atol=0.03)  # 4 standard deviations
    assert len(np.unique(dropped[:50], axis=0)) > 15, (
        "sequences and features have masks of their own"
    )
    again = layer(tg.ones(6, 4000, 2))[0].numpy()
    assert (again != y).any(), "another call draws another mask"


def test_variational_dropout_is_off_in_evaluation_and_spares_the_last_state():
    layer = nn.Recurrent(nn.LSTMCell(I, H), variational=0.5)
    x = tg.tensor(numbers((T, B, I)))
    plain, _ = nn.Recurrent(layer.cell)(x)
    trained, (h, _) = layer(x)
    np.testing.assert_array_equal(h.numpy(), trained[-1].numpy())
    assert (trained.numpy() != plain.numpy()).any()
    ragged, (h, _) = layer(x, lengths=[T, 2])
    np.testing.assert_array_equal(h[1].numpy(), ragged[1, 1].numpy())
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].numpy(), plain.numpy())


def test_variational_dropout_in_both_directions_draws_a_mask_for_each():
    layer = nn.Recurrent(Echo(), reverse=Echo(), variational=0.5)
    y = layer(tg.ones(3, 50, 2), lengths=[3] * 49 + [1])[0].numpy()
    ahead, back = np.split(y, 2, -1)
    assert (ahead[:, :49] == ahead[0, :49]).all()
    assert (back[:, :49] == back[0, :49]).all()
    assert (ahead[0] != back[0]).any()
    assert not y[1:, 49].any()


def test_dropout_between_layers_leaves_first_inputs_and_last_outputs_whole():
    layer = nn.RNN(3, 3, 2, nonlinearity="relu", dropout=0.5, generator=np.random.default_rng(0))
    nn.init.identity_(layer, 0.0)
    with tg.no_grad():
        for w in (layer.weight_ih_l0, layer.weight_ih_l1):
            w.copy_(np.eye(3))
    y = layer(tg.ones(400, 20, 3))[0].numpy()  # what remains is the mask
    assert set(np.unique(y)) == {0.0, 2.0}
    assert abs(y.mean() - 1) < 0.03
    assert (y[0] != y[1]).any(), "each step has its own mask"
    assert (layer.eval()(tg.ones(4, 2, 3))[0].numpy() == 1).all()


def test_dropout_of_everything_feeds_zeros_to_the_next_layer():
    layer = filled(nn.GRU(I, H, 2, dropout=1.0))
    second = nn.GRU(H, H).double()
    second.load_state_dict(
        {k.replace("_l1", "_l0"): v for k, v in layer.state_dict().items() if "_l1" in k}
    )
    y, _ = layer(numbers((T, B, I)))
    np.testing.assert_array_equal(y.numpy(), second(np.zeros((T, B, H)))[0].numpy())


# ---- gates ---------------------------------------------------------------------------------------

GATES = {"RNN": {"z": H, "h": H}, "GRU": dict.fromkeys("rznh", H)}
GATES["LSTM"] = {"z": 4 * H, **dict.fromkeys("ifgoch", H)}


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", GATES)
def test_every_gate_and_state_is_kept_by_name(kind, layers, both):
    layer = getattr(nn, kind)(I, H, layers, bidirectional=both)
    suffixes = [f"_l{k}{way}" for k in range(layers) for way in ("", "_reverse")[: 1 + both]]
    with nn.record_gates(layer) as gates:
        y, last = layer(tg.tensor(numbers((T, B, I), 1, 9.0)))
    layer(tg.ones(2, B, I))  # after the context nothing is kept
    several = len(suffixes) > 1
    shapes = {n + s * several: (T, B, size) for s in suffixes for n, size in GATES[kind].items()}
    assert {name: gates[name].shape for name in gates} == shapes
    assert len(gates) == len(shapes)
    assert "h_l7" not in gates
    top = np.concatenate([gates["h" + s * several] for s in suffixes[-1 - both :]], -1)
    np.testing.assert_array_equal(top, y.numpy())
    for k, suffix in enumerate(
        suffixes
    ):  # the last state is the last recorded one of its direction
        at = 0 if suffix.endswith("reverse") else -1
        np.testing.assert_array_equal(gates["h" + suffix * several][at], flat(last)[0].numpy()[k])
    squashed = {"RNN": "", "LSTM": "ifo", "GRU": "rz"}[kind]
    share = gates.saturation()
    assert set(share) == {g + s * several for g in squashed for s in suffixes}
    for name, found in share.items():
        v = gates[name]
        assert found == pytest.approx(((v < 0.05) | (v > 0.95)).mean())
        assert gates.saturation(0.0, 1.0)[name] == 0
        assert gates.saturation(0.5, 0.5)[name] == 1
    if kind == "LSTM":
        i, f, g, o, c, h = (gates[n + suffixes[0] * several] for n in "ifgoch")
        old = np.concatenate([np.zeros_like(c[:1]), c[:-1]])
        np.testing.assert_allclose(c, f * old + i * g, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(h, o * np.tanh(c), rtol=1e-5, atol=1e-6)
    with pytest.raises(KeyError, match="no value 'nothing' was recorded; there are: "):
        gates["nothing"]


def test_dead_units_and_saturated_gates_are_found():
    layer = nn.LSTM(I, H)
    with tg.no_grad():
        w, b = np.array(layer.weight_ih_l0.numpy()), np.array(layer.bias_ih_l0.numpy())
        w[[1, H + 1, 2 * H + 1]], b[2 * H + 1] = 0, 0.0
        b[0], b[H] = 40.0, -40.0  # unit 0: its input gate is open, its forget gate shut
        layer.weight_ih_l0.copy_(w)
        layer.bias_ih_l0.copy_(b)
        layer.weight_hh_l0.zero_()
    with nn.record_gates(layer) as gates:
        layer(tg.tensor(numbers((T, B, I))))
    assert gates.dead_units() == [1]
    assert gates.dead_units("c", tolerance=1e9) == [0, 1, 2]
    assert gates.saturation()["i"] == pytest.approx(1 / 3)
    assert gates.saturation()["f"] == pytest.approx(1 / 3)
    assert gates.saturation()["o"] == 0


def test_what_lies_beyond_a_sequence_does_not_count():
    layer, lengths = nn.GRU(I, H, 2, bidirectional=True), [T, 1]
    x = numbers((T, B, I), 1, 9.0)
    with nn.record_gates(layer) as ragged:
        layer(x, lengths=lengths)
    for name, found in ragged.saturation().items():
        v = np.concatenate([ragged[name][:n, b] for b, n in enumerate(lengths)])
        assert found == pytest.approx(((v < 0.05) | (v > 0.95)).mean()), name
    with nn.record_gates(layer) as alone:
        layer(x[:, :1], lengths=[2])
    assert alone.dead_units("h_l0", np.ptp(alone["h_l0"][:2], axis=(0, 1)).max()) == [0, 1, 2]


def test_a_second_run_replaces_the_first_and_a_stream_adds_up():
    layer = nn.LSTM(I, H, bidirectional=True)
    with nn.record_gates(layer) as gates:
        layer(tg.ones(7, 5, I))
        y, _ = layer(tg.ones(T, B, I))
    assert gates["h_l0"].shape == gates["c_l0_reverse"].shape == (T, B, H)
    np.testing.assert_array_equal(gates["h_l0"], y.numpy()[..., :H])
    layer, x = nn.GRU(I, H), tg.tensor(numbers((7, B, I)))
    whole, _ = layer(x)
    with nn.record_gates(layer) as gates:
        _, h = layer(x[:4])
        layer(x[4:], h, first_step=4)
    np.testing.assert_allclose(gates["h"], whole.numpy(), rtol=1e-5, atol=1e-7)


def test_gates_of_cells_of_recurrent_and_of_no_grad():
    cell, other, h = nn.GRUCell(I, H), nn.GRUCell(I, H), None
    with tg.no_grad(), nn.record_gates(cell) as gates:
        for x_t in tg.ones(T, B, I):
            h = cell(x_t, h)
            other(x_t, h)
    assert {gates[n].shape for n in "rznh"} == {(T, B, H)}
    np.testing.assert_array_equal(gates["h"][-1], h.numpy())
    both = nn.Recurrent(nn.LayerNormLSTMCell(I, H), reverse=nn.CoupledLSTMCell(I, H))
    with nn.record_gates(both) as gates, nn.record_gates(both.cell) as one:
        both(tg.ones(T, B, I))
    assert {n for n in gates if n.startswith(("i", "f"))} == {"i_0", "f_0", "f_1"}
    np.testing.assert_array_equal(gates["c_0"], one["c"])
    assert set(gates.saturation()) == {"i_0", "f_0", "o_0", "f_1", "o_1"}
    assert "f (4, 2, 3)" in repr(one)
    with nn.record_gates(nn.LSTM(I, H)) as nothing:
        pass
    assert "nothing yet" in repr(nothing)


def test_a_users_names_are_gates_too():
    layer = nn.Recurrent(Attending())
    with nn.record_gates(layer) as gates:
        y, _ = layer(numbers((T, B, H)), memory=tg.tensor(numbers((B, 5, H))))
    assert gates["attention"].shape == (T, B, 5)
    np.testing.assert_allclose(gates["attention"].sum(-1), 1.0)
    np.testing.assert_array_equal(gates["h"], y.numpy())


# ---- one step at a time --------------------------------------------------------------------------

STREAMS = {
    "RNN": lambda: nn.RNN(I, H, 2),
    "LSTM": lambda: nn.LSTM(I, H, 2, batch_first=True),
    "LSTM, proj_size": lambda: nn.LSTM(I, H, 3, proj_size=2),
    "LSTM, peephole": lambda: nn.LSTM(I, H, peephole=True),
    "GRU": lambda: nn.GRU(I, H, 2),
    "GRU, learned state": lambda: nn.GRU(I, H, 2, learned_state=True, reset_after=False),
}


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("name", STREAMS)
def test_steps_are_the_sequence(name, batch):
    layer = filled(STREAMS[name]())
    x = numbers((T, *(() if batch is None else (batch,)), I), 1)
    whole = np.swapaxes(x, 0, 1) if layer.batch_first and batch else x
    y, last = layer(whole)
    scored(y, last).backward()
    expected = {n: p.grad.numpy() for n, p in layer.named_parameters()}
    layer.zero_grad()
    state, outputs = None, []
    for x_t in x:
        y_t, state = layer.step(x_t, state)
        outputs.append(y_t)
    time = 1 if layer.batch_first and batch else 0
    steps = tg.stack(outputs, time)
    for a, b in zip([y, *flat(last)], [steps, *flat(state)], strict=True):
        assert_close(b.detach(), a.detach(), 1e-14)
    scored(steps, state).backward()
    for n, p in layer.named_parameters():
        assert_close(p.grad, expected[n], 1e-12, n)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_step_knows_its_time_and_its_layer(kind):
    layer = getattr(nn, kind)(I, H, 2)
    state, x_t = None, tg.ones(B, I)
    for _ in range(3):
        y, state = layer.step(x_t, state)
    graph = tg.graph(y)
    for k in range(2):
        weight = getattr(layer, f"weight_hh_l{k}")
        assert [use.step for use in graph.uses(weight)] == [0, 1, 2]
    assert next(iter(graph.parameters)) == f"{kind.lower()}.weight_ih_l0"
    assert {call.path for call in graph.calls} == {kind.lower()}
    state = tg.detach(state)
    y, state = layer.step(x_t, state)
    assert tg.graph(y).steps == [3]
    y, _ = layer.step(x_t, layer(tg.ones(5, B, I))[1])
    assert tg.graph(y).steps == [0, 1, 2, 3, 4, 5]
    with tg.no_grad():
        _, state = layer.step(x_t)
    y, _ = layer.step(x_t, state)
    assert tg.graph(y).steps == [1], "time counts on where nothing is recorded"
    state = None
    for t in tg.steps(5):
        if t % 2:  # the loop's own time wins
            y, state = layer.step(x_t, state)
    assert tg.graph(y).steps == [1, 3]


def test_a_step_keeps_gates_and_fails_by_name_inside_a_model():
    layer = nn.Sequential(nn.GRU(I, H))[0]
    state = None
    with nn.record_gates(layer) as gates:
        for _ in range(T):
            _, state = layer.step(tg.ones(B, I), state)
    assert gates["z"].shape == (T, B, H)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = layer

        def forward(self, x_t):
            return self.encoder.step(x_t)

    with pytest.raises(ValueError, match=r"^model\.encoder: x has 5 features, expected 2"):
        Model()(tg.ones(B, 5))
    y, _ = Model()(tg.ones(B, I))
    assert y.requires_grad


# ---- how weights start ---------------------------------------------------------------------------


def test_identity_makes_an_irnn():
    layer = nn.init.identity_(nn.RNN(I, H, 2, nonlinearity="relu", bidirectional=True), 0.5)
    for cell in layer.cells():
        np.testing.assert_array_equal(cell.weight_hh.numpy(), 0.5 * np.eye(H))
        assert not cell.bias_ih.numpy().any()
        assert not cell.bias_hh.numpy().any()
        assert cell.weight_ih.numpy().all(), "inputs stay as they were"
    keeps = nn.init.identity_(nn.Recurrent(nn.RNNCell(I, H, nonlinearity="relu")))
    h = tg.tensor(np.abs(numbers((B, H))), dtype=tg.float32)
    _, last = keeps(tg.zeros(50, B, I), h)
    np.testing.assert_array_equal(last.numpy(), h.numpy())
    bare = nn.init.identity_(nn.RNNCell(I, H, bias=False))
    np.testing.assert_array_equal(bare.weight_hh.numpy(), np.eye(H))


def biases(cell, gate):
    """The sum of both biases of a gate."""
    k = list(cell.gates).index(gate)
    total = sum(b.numpy() for b in (cell.bias_ih, cell.bias_hh) if b is not None)
    return total[k * cell.hidden_size : (k + 1) * cell.hidden_size]


FORGETFUL = {
    "LSTM": lambda: nn.LSTM(I, 8, 2, bidirectional=True),
    "peephole": lambda: nn.LSTM(I, 8, peephole=True),
    "cell": lambda: nn.LSTMCell(I, 8),
    "layer norm": lambda: nn.Recurrent(nn.LayerNormLSTMCell(I, 8)),
    "coupled": lambda: nn.Recurrent(nn.CoupledLSTMCell(I, 8), reverse=nn.CoupledLSTMCell(I, 8)),
}


@pytest.mark.parametrize("name", FORGETFUL)
def test_forget_bias_is_the_sum_of_both_biases(name):
    module = FORGETFUL[name]()
    cells = module.cells() if hasattr(module, "cells") else [module]
    others = [g for g in cells[0].gates if g != "f"]
    for value in (1.0, 2.5, -1.0):  # it starts at 1, and is set, not added to
        for cell in cells:
            assert (biases(cell, "f") == value).all()
            assert not any(biases(cell, g).any() for g in others)
        nn.init.forget_bias_(module, {1.0: 2.5, 2.5: -1.0}.get(value, 0.0))
    filled_cell = cells[0]
    with tg.no_grad():
        filled_cell.bias_ih.copy_(numbers(filled_cell.bias_ih.shape))
    before = {g: biases(filled_cell, g) for g in others}
    assert nn.init.forget_bias_(module, 3.0) is module
    assert (biases(filled_cell, "f") == 3).all()
    for g in others:
        np.testing.assert_array_equal(biases(filled_cell, g), before[g])


@pytest.mark.parametrize("name", FORGETFUL)
def test_chrono_spreads_the_memory_from_one_step_to_all(name):
    """b_f = log U[1, T - 1] and b_i = -b_f: the mean and the bounds of exp(b_f) are the uniform's."""
    module = FORGETFUL[name]()
    with tg.no_grad():
        for p in module.parameters():
            p.fill_(0.25)
    generator = np.random.default_rng(0)
    found = []
    for _ in range(40):
        assert nn.init.chrono_(module, 101, generator=generator) is module
        for cell in module.cells() if hasattr(module, "cells") else [module]:
            found.append(np.exp(biases(cell, "f").astype(np.float64)))
            if "i" in cell.gates:
                np.testing.assert_array_equal(biases(cell, "i"), -biases(cell, "f"))
            assert (biases(cell, "o") == 0.25 * (1 + (cell.bias_hh is not None))).all()
    spans = np.concatenate(found)
    assert 1 <= spans.min() < 5
    assert 95 < spans.max() <= 100.001
    assert abs(spans.mean() - 50.5) < 4 * 99 / np.sqrt(12 * spans.size)
    twins = [
        arrays(
            nn.init.chrono_(nn.LSTM(I, 8, generator=np.random.default_rng(1)), 9, g).parameters()
        )
        for g in (np.random.default_rng(5), np.random.default_rng(5))
    ]
    for a, b in zip(*twins, strict=True):
        np.testing.assert_array_equal(a, b)


def test_chrono_of_a_gru_is_of_the_gate_that_keeps():
    """A state that nothing writes is z h after a step: after t, (span / (span + 1))^t is left."""
    gru = nn.GRU(I, 64)
    before = {g: biases(gru.cells()[0], g) for g in "rn"}
    assert nn.init.chrono_(gru, 101, generator=np.random.default_rng(0)) is gru
    spans = np.exp(biases(gru.cells()[0], "z").astype(np.float64))
    assert 1 <= spans.min() < 5
    assert 95 < spans.max() <= 100.001
    for g in "rn":
        np.testing.assert_array_equal(biases(gru.cells()[0], g), before[g])
    with tg.no_grad():
        gru.weight_ih_l0.zero_()
        gru.weight_hh_l0.zero_()
    y, _ = gru(tg.zeros(50, 1, I), tg.ones(1, 1, 64))
    np.testing.assert_allclose(y[-1, 0].numpy(), (spans / (spans + 1)) ** 50, rtol=1e-4)


SCALES = {  # (the function, the standard deviation that it should have on (60, 240), the bound or None)
    "xavier_uniform_": (lambda t: nn.init.xavier_uniform_(t, 2.0), 2 * np.sqrt(2 / 300)),
    "xavier_normal_": (lambda t: nn.init.xavier_normal_(t), np.sqrt(2 / 300)),
    "kaiming_uniform_": (lambda t: nn.init.kaiming_uniform_(t), np.sqrt(2 / 240)),
    "kaiming_uniform_ out": (
        lambda t: nn.init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"),
        np.sqrt(2 / 60),
    ),
    "kaiming_normal_": (lambda t: nn.init.kaiming_normal_(t, a=1.0), np.sqrt(1 / 240)),
    "kaiming_normal_ out": (
        lambda t: nn.init.kaiming_normal_(t, mode="fan_out", nonlinearity="tanh"),
        5 / 3 / np.sqrt(60),
    ),
    "normal_": (lambda t: nn.init.normal_(t, 0.0, 0.3), 0.3),
    "uniform_": (lambda t: nn.init.uniform_(t, -0.6, 0.6), 0.6 / np.sqrt(3)),
}


@pytest.mark.parametrize("name", SCALES)
def test_the_scale_of_random_weights(name):
    function, std = SCALES[name]
    t = tg.zeros(60, 240, dtype=tg.float64)
    assert function(t) is t
    v = t.numpy()
    assert abs(v.mean()) < 4 * std / np.sqrt(v.size)
    assert v.std() == pytest.approx(std, rel=0.03)
    bound = np.sqrt(3) * std
    if "uniform" in name:
        assert 0.99 * bound < np.abs(v).max() <= bound
    else:
        assert np.abs(v).max() > 1.5 * bound


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 2, 3)])
def test_orthogonal_rows_or_columns(shape):
    t = nn.init.orthogonal_(tg.zeros(*shape, dtype=tg.float64), gain=2.0)
    q = t.numpy().reshape(shape[0], -1)
    small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


@pytest.mark.parametrize("make", [nn.RNNCell, nn.LSTMCell, nn.GRUCell, nn.CoupledLSTMCell])
def test_every_gates_recurrent_block_starts_orthogonal(make):
    cell = make(I, 6).double()
    for block in np.split(cell.weight_hh.numpy(), max(len(cell.gates), 1)):
        np.testing.assert_allclose(block @ block.T, np.eye(6), atol=1e-6)


# ---- a cell of the user's own --------------------------------------------------------------------


class Attending(nn.Module):
    """h = tanh(W [x; what attention finds in a memory]): the memory is a constant of the call."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(numbers((H, 2 * H), 7))

    def forward(self, x, h, memory, sharpness=1.0):
        scores = (memory @ h.unsqueeze(-1)).squeeze(-1) * sharpness
        attention = tg.name(scores.softmax(-1), "attention")
        found = (attention.unsqueeze(1) @ memory).squeeze(1)
        h = (tg.cat([x, found], -1) @ self.w.T).tanh()
        return h, h

    def initial_state(self, batch):
        return tg.zeros(batch, H, dtype=tg.float64)


def test_constants_get_the_sum_of_what_every_step_says_of_them():
    cell, x = Attending(), numbers((T, B, H), 1)
    memory = tg.tensor(numbers((B, 5, H), 2), requires_grad=True)
    y, last = nn.Recurrent(cell)(x, memory=memory, sharpness=2.0)
    scored(y, last).backward()

    def score(each, w):
        h, outputs = np.zeros((B, H)), []
        for t in range(T):
            e = np.exp(2.0 * (each[t] @ h[..., None])[..., 0])
            a = e / e.sum(-1, keepdims=True)
            h = np.tanh(np.concatenate([x[t] + 0 * h, (a[:, None] @ each[t])[:, 0]], -1) @ w.T)
            outputs.append(h)
        values = np.stack(outputs), h
        return sum((v * weights(v.shape, 50 + k)).sum() for k, v in enumerate(values))

    by_step, by_w = complex_gradient(score, [np.stack([memory.numpy()] * T), cell.w.numpy()])
    assert np.abs(by_step).reshape(T, -1).max(1).min() > 0
    assert_close(memory.grad, by_step.sum(0), 1e-12)
    assert_close(cell.w.grad, by_w, 1e-12)


class Nested(nn.Module):
    """A state of dicts, tuples and lists, that leaves with another order of its parts' values."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(numbers((I, I), 7))

    def forward(self, x, state):
        h, (c, [d]) = state["h"], state["rest"]
        h = (x @ self.w + 0.5 * h - 0.1 * d).tanh()
        return h * c, {"h": h, "rest": (c + h, [0.9 * d + c])}

    def initial_state(self, batch):
        zeros = tg.zeros(*(() if batch is None else (batch,)), I, dtype=tg.float64)
        return {"h": zeros, "rest": (zeros + 1.0, [zeros])}


def test_the_reverse_cell_runs_from_the_end_and_stacks():
    first = nn.Recurrent(Nested(), reverse=Nested())
    with tg.no_grad():
        first.reverse.w.copy_(numbers((I, I), 8))
    x = tg.tensor(numbers((T, B, I), 1))
    y, (ahead, back) = first(x)
    one, last = nn.Recurrent(first.cell)(x)
    other, end = nn.Recurrent(first.reverse)(x.flip(0))
    np.testing.assert_array_equal(y.numpy(), tg.cat([one, other.flip(0)], -1).numpy())
    for a, b in zip(flat((ahead, back)), flat((last, end)), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    again, _ = first(x, (ahead, back))
    assert (again.numpy() != y.numpy()).any()
    by_batch, _ = nn.Recurrent(first.cell, True, first.reverse)(x.transpose(0, 1))
    np.testing.assert_array_equal(by_batch.transpose(0, 1).numpy(), y.numpy())
    unbatched, _ = first(x[:, 1])
    assert_close(unbatched.detach(), y[:, 1].detach(), 1e-14)
    z, _ = nn.Recurrent(nn.GRUCell(2 * I, H).double())(y)
    ledger = z.sum().backward(ledger=True)
    for cell in (first.cell, first.reverse):
        assert ledger.steps(cell.w) == list(range(T))
        assert_close(ledger[cell.w].sum(0), cell.w.grad, 1e-13)


def test_two_directions_of_cells_are_a_bidirectional_layer():
    layer = filled(nn.LSTM(I, H, bidirectional=True))
    twin = nn.Recurrent(nn.LSTMCell(I, H), reverse=nn.LSTMCell(I, H)).double()
    for cell, own in zip(twin.cells(), layer.cells(), strict=True):
        cell.load_state_dict(own.state_dict())
    x = numbers((T, B, I), 1)
    (y, (h, c)), (z, states) = layer(x, lengths=[3, T]), twin(x, lengths=[3, T])
    np.testing.assert_array_equal(y.numpy(), z.numpy())
    for k, (h_k, c_k) in enumerate(states):
        np.testing.assert_array_equal(h[k].numpy(), h_k.numpy())
        np.testing.assert_array_equal(c[k].numpy(), c_k.numpy())


# ---- copies and files ----------------------------------------------------------------------------

COPIES = {
    "RNN": lambda: nn.RNN(I, H, 2, bidirectional=True),
    "LSTM": lambda: nn.LSTM(I, H, 2, proj_size=2, peephole=True, learned_state=True),
    "GRU": lambda: nn.GRU(I, H, bias=False, reset_after=False),
    "Recurrent": lambda: nn.Recurrent(nn.LayerNormLSTMCell(I, H), reverse=nn.CoupledLSTMCell(I, H)),
    "in a model": lambda: nn.ModuleList([nn.LSTM(I, H), nn.Linear(H, 1)])[0],
}


@pytest.mark.parametrize("name", COPIES)
def test_a_deep_copy_is_the_same_layer_and_shares_nothing(name):
    layer = filled(COPIES[name]())
    x = numbers((T, B, I), 1)
    before = arrays(layer(x))
    twin = copy.deepcopy(layer)
    for a, b in zip(before, arrays(twin(x)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert list(twin.state_dict()) == list(layer.state_dict())
    scored(*twin(x)).backward()
    assert all(p.grad is not None for p in twin.parameters()), "its loop runs on its own Parameters"
    assert all(p.grad is None for p in layer.parameters())
    with tg.no_grad():
        for p in twin.parameters():
            p.copy_(p.detach() * 0.5)
    for a, b in zip(before, arrays(layer(x)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (arrays(twin(x))[0] != before[0]).any()
    assert len(tg.graph(twin(x)[0]).parameters) == len(list(twin.parameters()))


@pytest.mark.parametrize("name", COPIES)
def test_a_state_dict_makes_another_layer_the_same(name):
    layer, other = filled(COPIES[name]()), COPIES[name]().double()
    x = numbers((T, B, I), 1)
    entries = layer.state_dict()
    keys = other.load_state_dict(entries)
    assert not keys.missing_keys
    assert not keys.unexpected_keys
    for a, b in zip(arrays(layer(x)), arrays(other(x)), strict=True):
        np.testing.assert_array_equal(a, b)
    first = next(iter(entries))
    snapshot = entries[first].numpy().copy()
    with tg.no_grad():
        next(layer.parameters()).zero_()
    np.testing.assert_array_equal(entries[first].numpy(), snapshot)
    assert next(other.parameters()).numpy().any()
    with pytest.raises(RuntimeError, match=f"{first} is missing"):
        other.load_state_dict({k: v for k, v in entries.items() if k != first})
    with pytest.raises(RuntimeError, match=r"extra is not known here"):
        other.load_state_dict({**entries, "extra": tg.ones(1)})
