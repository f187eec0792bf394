"""Recurrent layers: one set of weights for any number of steps, and steps that know their time."""

import numpy as np
import pytest
from support import assert_close, assert_each_close, numbers, weights

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


def x64(*shape, seed=1):
    return tg.tensor(numbers(shape, seed))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# ---- promise 1 and 2: one Parameter, T uses; the parts are the whole -----------------------------

MAKERS = {
    "rnn": lambda: nn.RNN(2, 3).double(),
    "relu rnn of 2 layers": lambda: nn.RNN(2, 3, num_layers=2, nonlinearity="relu").double(),
    "lstm": lambda: nn.LSTM(2, 3).double(),
    "lstm of 2 layers": lambda: nn.LSTM(2, 3, num_layers=2).double(),
    "lstm without bias": lambda: nn.LSTM(2, 3, bias=False).double(),
    "float32 lstm": lambda: nn.LSTM(2, 3),
    "recurrent": lambda: nn.Recurrent(nn.LSTMCell(2, 3)).double(),
}


@pytest.mark.parametrize("steps", [1, 3, 300])
@pytest.mark.parametrize("maker", MAKERS)
def test_one_parameter_of_as_many_uses_as_steps(maker, steps):
    layer = MAKERS[maker]()
    numbers_before = sum(p.numel() for p in layer.parameters())
    y, _ = layer(x64(steps, 2, 2))
    loss = (y * tg.tensor(weights(y.shape))).sum()
    graph = tg.graph(loss)
    assert graph.steps == list(range(steps))
    assert len(graph.parameters) == len(list(layer.parameters()))
    ledger = loss.backward(ledger=True)
    assert len(ledger) == len(graph.parameters)
    for p in layer.parameters():
        assert [use.step for use in graph.uses(p)] == list(range(steps))
        assert ledger.steps(p) == list(range(steps))
        rows = ledger[p]
        assert rows.shape == (steps, *p.shape)
        tol = 1e-13 if p.dtype == tg.float64 else 2e-5
        assert_close(rows.sum(0, dtype=np.float64), p.grad, tol)
        assert_close(ledger.total(p), p.grad, tol)
        flat = rows.reshape(steps, -1).astype(np.float64)
        assert_close(ledger.norms(p), np.sqrt((flat**2).sum(1)), max(tol, 1e-7))
    assert sum(p.numel() for p in layer.parameters()) == numbers_before
    assert sum(n.op == "parameter" for n in graph) == len(list(layer.parameters()))


def test_each_row_is_what_that_step_adds():
    """A row is the gradient by a copy of the weight that is used at that step alone."""
    copies = [tg.tensor(numbers((3, 3), 5), requires_grad=True) for _ in range(4)]
    shared = tg.tensor(numbers((3, 3), 5), requires_grad=True)
    x = x64(4, 3)

    def run(weight_at):
        h = tg.zeros(3, dtype=tg.float64)
        for t, x_t in enumerate(tg.steps(x)):
            h = (weight_at(t) @ h + x_t).tanh()
        return h.square().sum()

    run(lambda t: copies[t]).backward()
    ledger = run(lambda t: shared).backward(ledger=True)
    for row, other in zip(ledger[shared], copies, strict=True):
        assert_each_close(row, other.grad, 1e-13)
    assert_close(ledger[shared].sum(0), shared.grad, 1e-14)
    assert ledger[shared][1:].any(axis=(1, 2)).all()


def test_ledger_of_every_kind_of_use():
    """Steps, weight decay outside time, a tied weight, lookups, broadcasting: still the sum."""
    table = nn.Embedding(4, 3).double()
    rnn = nn.RNN(3, 3).double()
    ids = np.array([[0], [1], [1], [3]])
    y, _ = rnn(table(ids))
    logits = y @ table.weight.T
    decay = sum((p * p).sum() for p in [*rnn.parameters(), table.weight])
    ledger = (logits.tanh().sum() + 0.1 * decay).backward(ledger=True)
    for p in [*rnn.parameters(), table.weight]:
        assert_close(ledger[p].sum(0), p.grad, 1e-13)
        assert_close(
            ledger.norms(p), np.linalg.norm(ledger[p].reshape(len(ledger[p]), -1), axis=1), 1e-7
        )
    assert ledger.steps(rnn.weight_hh_l0) == [0, 1, 2, 3, None, None]
    assert ledger.steps(table.weight) == [None] * 4
    assert rnn.bias_hh_l0 in ledger
    assert tg.ones(1) not in ledger
    with pytest.raises(KeyError, match=r"shape \(2,\)"):
        ledger[tg.ones(2, requires_grad=True)]
    assert "uses" in repr(ledger)


@pytest.mark.parametrize("compiled", [False, True])
def test_ledger_leaves_the_gradients_as_they_are(compiled):
    layers = [nn.LSTM(2, 3) for _ in range(2)]
    layers[0].compiled = layers[1].compiled = compiled
    layers[1].load_state_dict(layers[0].state_dict())
    x = tg.tensor(numbers((5, 2, 2)), dtype=tg.float32)
    for layer, flag in zip(layers, (False, True), strict=True):
        layer(x)[0].sum().backward(ledger=flag)
    for p, q in zip(layers[0].parameters(), layers[1].parameters(), strict=True):
        off = np.abs(p.grad.numpy() - q.grad.numpy()).max() / np.abs(q.grad.numpy()).max()
        assert off <= (1e-6 if compiled else 0)  # op by op the same bits


def test_ledger_rows_last_after_the_gradients_change():
    rnn = nn.RNN(2, 3)
    ledger = rnn(tg.ones(3, 1, 2))[0].sum().backward(ledger=True)
    before = ledger[rnn.weight_hh_l0].copy()
    nn.utils.clip_grad_norm_(rnn.parameters(), 1e-3)
    optim.SGD(rnn.parameters(), lr=1.0).step()
    np.testing.assert_array_equal(ledger[rnn.weight_hh_l0], before)


# ---- the equations -------------------------------------------------------------------------------


def test_lstm_is_the_equations():
    lstm = nn.LSTM(2, 3).double()
    w_ih, w_hh, b_ih, b_hh = (p.numpy() for p in lstm.parameters())
    x, h, c = numbers((5, 2, 2)), np.zeros((2, 3)), np.zeros((2, 3))
    y, (h_n, c_n) = lstm(x)
    for t in range(5):
        z = x[t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh
        i, f, g, o = np.split(z, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        assert_each_close(y[t].detach(), h, 1e-13, f"step {t}")
    assert_each_close(h_n[0].detach(), h, 1e-13)
    assert_each_close(c_n[0].detach(), c, 1e-13)


def test_rnn_is_the_equations():
    rnn = nn.RNN(2, 3, nonlinearity="relu").double()
    w_ih, w_hh, b_ih, b_hh = (p.numpy() for p in rnn.parameters())
    x, h = numbers((5, 2)), np.array([0.3, 0.2, 0.1])
    y, h_n = rnn(x, tg.tensor(h[None]))
    for t in range(5):
        h = np.maximum(w_ih @ x[t] + b_ih + w_hh @ h + b_hh, 0)
        np.testing.assert_allclose(y[t].detach().numpy(), h, rtol=1e-13)
    np.testing.assert_array_equal(h_n.numpy()[0], y.numpy()[-1])


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_layer_recurrent_and_bare_cell_are_one(kind):
    layer = getattr(nn, kind)(2, 3).double()
    cell = getattr(nn, f"{kind}Cell")(2, 3).double()
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = x64(6, 2, 2)
    y, _ = layer(x)
    z, _ = nn.Recurrent(cell)(x)
    state, outputs = None, []
    for x_t in x:
        state = cell(x_t, state)
        outputs.append(state if kind == "RNN" else state[0])
    np.testing.assert_array_equal(y.numpy(), z.numpy())
    np.testing.assert_allclose(y.numpy(), tg.stack(outputs).numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_layouts_agree(kind):
    make = getattr(nn, kind)
    layer, swapped = make(2, 3, num_layers=2).double(), make(2, 3, num_layers=2, batch_first=True)
    swapped.double().load_state_dict(layer.state_dict())
    x = x64(5, 4, 2)
    y, state = layer(x)
    z, other = swapped(x.transpose(0, 1))
    assert_each_close(z.transpose(0, 1).detach(), y.detach(), 1e-14)
    one, last = swapped(x[:, 1])
    assert one.shape == (5, 3)
    assert_each_close(one.detach(), y[:, 1].detach(), 1e-13)
    states = [(state, other, last)] if kind == "RNN" else zip(state, other, last, strict=True)
    for a, b, c in states:
        assert a.shape == b.shape == (2, 4, 3)
        assert c.shape == (2, 3)
        assert_each_close(b.detach(), a.detach(), 1e-14)
        assert_each_close(c.detach(), a[:, 1].detach(), 1e-13)


def test_a_sequence_in_parts_is_the_sequence():
    lstm = nn.LSTM(2, 3, num_layers=2).double()
    x = x64(7, 2, 2)
    whole, last = lstm(x)
    state, parts = None, []
    for part in x.split([1, 4, 2]):
        y, state = lstm(part, state)
        parts.append(y)
    np.testing.assert_array_equal(tg.cat(parts).numpy(), whole.numpy())
    np.testing.assert_array_equal(state[1].numpy(), last[1].numpy())


# ---- how weights start ---------------------------------------------------------------------------


@pytest.mark.parametrize("forget_bias", [1.0, -0.5])
def test_start_of_an_lstm(forget_bias):
    lstm = nn.LSTM(5, 8, num_layers=2, forget_bias=forget_bias)
    for k in range(2):
        w_hh = getattr(lstm, f"weight_hh_l{k}").numpy().astype(np.float64)
        for block in np.split(w_hh, 4):
            np.testing.assert_allclose(block @ block.T, np.eye(8), atol=1e-6)
        total = getattr(lstm, f"bias_ih_l{k}").numpy() + getattr(lstm, f"bias_hh_l{k}").numpy()
        np.testing.assert_array_equal(total, np.repeat([0, forget_bias, 0, 0], 8))
        assert not getattr(lstm, f"bias_hh_l{k}").numpy().any()
        w_ih = getattr(lstm, f"weight_ih_l{k}").numpy()
        assert 0.8 / np.sqrt(8) < np.abs(w_ih).max() <= 1 / np.sqrt(8)


def test_generator_and_seed_decide_the_start():
    def start(**options):
        return [p.numpy() for p in nn.LSTM(2, 3, **options).parameters()]

    a = start(generator=np.random.default_rng(5))
    b = start(generator=np.random.default_rng(5))
    tg.manual_seed(7)
    c = start()
    tg.manual_seed(7)
    d = start()
    for one, two in ((a, b), (c, d)):
        for p, q in zip(one, two, strict=True):
            np.testing.assert_array_equal(p, q)
    assert not np.array_equal(a[0], c[0])
    with pytest.raises(TypeError, match="default_rng"):
        nn.LSTM(2, 3, generator=5)


def test_names_and_shapes_are_pytorchs():
    shapes = {k: v.shape for k, v in nn.LSTM(5, 3, num_layers=2).state_dict().items()}
    assert shapes == {
        "weight_ih_l0": (12, 5), "weight_hh_l0": (12, 3), "bias_ih_l0": (12,), "bias_hh_l0": (12,),
        "weight_ih_l1": (12, 3), "weight_hh_l1": (12, 3), "bias_ih_l1": (12,), "bias_hh_l1": (12,),
    }  # fmt: skip
    assert list(nn.RNN(5, 3, bias=False).state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    assert list(nn.LSTMCell(5, 3).state_dict()) == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]


def test_a_parameter_assigned_to_a_layer_is_the_one_that_it_uses():
    rnn = nn.RNN(2, 3)
    rnn.weight_hh_l0 = nn.Parameter(np.zeros((3, 3)))
    y, _ = rnn(tg.ones(2, 1, 2))
    np.testing.assert_allclose(y[0].detach().numpy(), y[1].detach().numpy())
    y.sum().backward()
    assert rnn.weight_hh_l0.grad is not None


# ---- precision -----------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [np.float64, np.float16, np.float32], ids=lambda d: d.__name__)
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "RNNCell", "LSTMCell"])
def test_input_of_another_precision_is_cast_to_the_parameters(kind, given):
    layer = getattr(nn, kind)(2, 3)
    shape = (2, 2) if "Cell" in kind else (4, 2, 2)
    x = tg.tensor(np.ones(shape, given), requires_grad=True)
    result = layer(x)
    outputs = result if isinstance(result, tuple) else (result,)
    flat = [t for part in outputs for t in (part if isinstance(part, tuple) else (part,))]
    assert {t.dtype for t in flat} == {tg.float32}
    sum(t.sum() for t in flat).backward()
    assert x.grad.dtype == given
    assert {p.grad.dtype for p in layer.parameters()} == {tg.float32}


def test_a_plain_array_goes_straight_in():
    y, _ = nn.LSTM(2, 3)(np.ones((4, 1, 2)))
    assert y.dtype == tg.float32


# ---- steps ride on the state ---------------------------------------------------------------------


def steps_of(value, parameter):
    return [use.step for use in tg.graph(value).uses(parameter)]


def test_bare_cells_count_by_their_state():
    cell, x = nn.LSTMCell(2, 3), tg.ones(1, 2)
    for _ in range(2):  # a second epoch starts at 0 again
        state = None
        for _ in range(4):
            state = cell(x, state)
        assert steps_of(state[0], cell.weight_hh) == [0, 1, 2, 3]
    state = tg.detach(state)
    for _ in range(2):
        state = cell(x, state)
    assert steps_of(state[0], cell.weight_hh) == [4, 5]
    state = (tg.zeros(1, 3), tg.zeros(1, 3))
    assert steps_of(cell(x, state)[0], cell.weight_hh) == [0]


def test_counting_without_recording_goes_on():
    cell, x, h = nn.RNNCell(2, 3), tg.ones(1, 2), None
    with tg.no_grad():
        for _ in range(3):
            h = cell(x, h)
    assert steps_of(cell(x, h), cell.weight_hh) == [3]


def test_siamese_use_and_encoder_decoder():
    """One cell reads two sequences by turns; then a second cell goes on from its state."""
    cell, decoder = nn.RNNCell(2, 3), nn.RNNCell(2, 3)
    left = right = None
    for x_t in tg.ones(3, 1, 2):
        left, right = cell(x_t, left), cell(x_t * 2, right)
    both = left + right
    assert steps_of(both, cell.weight_ih) == [0, 0, 1, 1, 2, 2]
    h = left
    for _ in range(2):
        h = decoder(tg.ones(1, 2), h)
    assert steps_of(h, decoder.weight_hh) == [3, 4]
    runs = [call.run for call in tg.graph(both).calls]
    assert runs == [0, 1, 0, 1, 0, 1]


def test_two_iterations_of_one_layer_each_count_from_0():
    rnn = nn.RNN(2, 3)
    first, _ = rnn(tg.ones(3, 1, 2))
    second, _ = rnn(tg.ones(2, 1, 2))
    graph = tg.graph(first.sum() + second.sum())
    assert [use.step for use in graph.uses(rnn.weight_hh_l0)] == [0, 0, 1, 1, 2]
    assert len(graph.parameters) == 4


def test_steps_marks_a_loop_over_bare_parameters():
    """The question's own loop: h = tanh(W_hh @ h + W_xh @ x_t)."""
    w_hh = tg.name(tg.tensor(numbers((3, 3)), requires_grad=True), "W_hh")
    w_xh = tg.name(tg.tensor(numbers((3, 2)), requires_grad=True), "W_xh")
    h = tg.zeros(3, dtype=tg.float64)
    for x_t in tg.steps(x64(5, 2)):
        h = tg.tanh(w_hh @ h + w_xh @ x_t)
    after = h * 2
    graph = tg.graph(after)
    assert list(graph.parameters) == ["W_hh", "W_xh"]
    assert steps_of(after, w_hh) == steps_of(after, w_xh) == [0, 1, 2, 3, 4]
    assert graph.nodes[graph.outputs[0]].step is None
    assert [n.step for n in graph.nodes if n.name == "x"] == [0, 1, 2, 3, 4]
    assert list(tg.steps(3)) == [0, 1, 2]


def _fails_at_step_1(w):
    for t in tg.steps(3):
        _ = w.expand(2) + tg.ones(2 + t)


def test_steps_end_with_the_loop_however_it_ends():
    w = tg.ones(1, requires_grad=True)
    for _ in tg.steps(3):
        break
    assert tg.graph(w * 2).steps == []
    with pytest.raises(ValueError, match=r"^step 1 \(t = 2\): add"):
        _fails_at_step_1(w)
    assert tg.graph(w * 2).steps == []
    values = [(w * t, s) for t in tg.steps(2) for s in tg.steps(3)]
    assert steps_of(values[-1][0], w) == [2]


def test_steps_inside_a_layer_and_cells_inside_steps():
    cell = nn.RNNCell(2, 3)
    h = None
    for t in tg.steps(4):
        if t % 2:  # the loop's time wins over a count of calls
            h = cell(tg.ones(1, 2), h)
    assert steps_of(h, cell.weight_hh) == [1, 3]


# ---- Recurrent with cells of one's own -----------------------------------------------------------


class Leaky(nn.Module):
    def __init__(self):
        super().__init__()
        self.rate = nn.Parameter(0.3, dtype=tg.float64)

    def forward(self, x, h):
        h = h + self.rate * (x - h)
        return h, h

    def initial_state(self, batch):
        return tg.zeros(*(() if batch is None else (batch,)), 2, dtype=tg.float64)


class Nested(nn.Module):
    """A state of any nesting, an output of another size, and a constant of the call."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(numbers((2, 2)))

    def step(self, x, state, scale=1.0):
        h, (c, extra) = state["h"], state["more"]
        h = (x @ self.w + h * scale).tanh()
        return tg.cat([h, c], -1), {"h": h, "more": (c + h, [extra[0] + 1.0])}

    def initial_state(self, batch):
        zeros = tg.zeros(batch, 2, dtype=tg.float64)
        return {"h": zeros, "more": (zeros, [zeros])}


def test_a_cell_of_ones_own():
    cell = Leaky()
    x = x64(6, 3, 2)
    y, h = nn.Recurrent(cell)(x)
    expected = np.zeros((3, 2))
    for t in range(6):
        expected = expected + 0.3 * (x.numpy()[t] - expected)
        np.testing.assert_allclose(y[t].detach().numpy(), expected, rtol=1e-13)
    np.testing.assert_array_equal(h.numpy(), y[-1].numpy())
    assert steps_of(h, cell.rate) == list(range(6))
    z, _ = nn.Recurrent(cell, batch_first=True)(x.transpose(0, 1))
    np.testing.assert_array_equal(z.transpose(0, 1).numpy(), y.numpy())
    one, _ = nn.Recurrent(cell)(x[:, 0])
    np.testing.assert_array_equal(one.numpy(), y[:, 0].numpy())


def test_any_nesting_of_state_and_constants():
    layer = nn.Recurrent(Nested())
    x = x64(4, 3, 2)
    y, state = layer(x, scale=0.5)
    assert y.shape == (4, 3, 4)
    np.testing.assert_array_equal(state["more"][1][0].numpy(), np.full((3, 2), 4.0))
    y2, again = layer(x, tg.detach(state), scale=0.5)
    np.testing.assert_array_equal(again["more"][1][0].numpy(), np.full((3, 2), 8.0))
    assert steps_of(y.sum() + y2.sum(), layer.cell.w) == [0, 0, 1, 1, 2, 2, 3, 3]
    w, h = layer.cell.w.numpy(), np.zeros((3, 2))
    for t in range(4):
        h = np.tanh(x.numpy()[t] @ w + h * 0.5)
    np.testing.assert_allclose(state["h"].detach().numpy(), h, rtol=1e-13)


def test_gradients_flow_through_every_part_of_a_nested_state():
    layer = nn.Recurrent(Nested())
    start = [tg.tensor(numbers((3, 2), k), requires_grad=True) for k in range(3)]
    _, state = layer(x64(4, 3, 2), {"h": start[0], "more": (start[1], [start[2]])})
    (state["more"][0] + state["more"][1][0] * 2).sum().backward()
    np.testing.assert_array_equal(start[1].grad.numpy(), np.ones((3, 2)))
    np.testing.assert_array_equal(start[2].grad.numpy(), np.full((3, 2), 2.0))
    assert start[0].grad.numpy().all()


# ---- errors: layer, step, what came, what was expected -------------------------------------------


class NoPair(nn.Module):
    def forward(self, x, h):
        return h

    def initial_state(self, batch):
        return tg.zeros(batch, 2)


class Breaks(Leaky):
    """Adds a shape that does not fit once x is large."""

    def forward(self, x, h):
        return super().forward(x if x.sum().item() < 9 else tg.ones(3, dtype=tg.float64), h)


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(3, 4)
        self.head = nn.Linear(5, 1)

    def forward(self, x):
        return self.head(self.encoder(x)[0])


def _lstm(*shape, state=None, **options):
    states = None if state is None else tuple(tg.ones(*s) for s in state)
    return lambda: nn.LSTM(3, 4, **{"num_layers": 2, **options})(tg.ones(*shape), states)


def _late_cell():
    cell, h = nn.RNNCell(3, 4), None
    for _ in range(2):
        h = cell(tg.ones(2, 3), h)
    cell(tg.ones(5, 3), h)


def _late_features():
    cell, h = nn.LSTMCell(3, 4), None
    for t in tg.steps(4):
        h = cell(tg.ones(2, 3 if t < 2 else 6), h)


ERRORS = {
    "features": (
        _lstm(7, 2, 5),
        r"^lstm \(layer 0\): x has 5 features, expected 3; "
        r"x has shape \(7, 2, 5\) = \(time, batch, features\)$",
    ),
    "features, batch first": (
        _lstm(2, 7, 5, batch_first=True),
        r"x has shape \(2, 7, 5\) = \(batch, time, features\)",
    ),
    "features, unbatched": (_lstm(7, 2), r"x has 2 features, expected 3.*= \(time, features\)"),
    "axes": (_lstm(3), r"lstm: x has shape \(3,\), expected \(time, batch, features\)"),
    "too many axes": (_lstm(1, 1, 1, 3), r"x has shape \(1, 1, 1, 3\), expected"),
    "no steps": (_lstm(0, 2, 3), "lstm: the sequence has no time steps"),
    "batch and time swapped": (
        _lstm(7, 2, 3, state=[(2, 7, 4), (2, 7, 4)]),
        r"lstm: h_0 has shape \(2, 7, 4\), expected \(2, 2, 4\) = \(layers, batch, hidden\); "
        r"x has 7 time steps and a batch of 2: were they swapped \(batch_first=True\)\?",
    ),
    "state with the batch first": (
        _lstm(7, 5, 3, state=[(2, 5, 4), (5, 2, 4)]),
        r"c_0 has shape \(5, 2, 4\), expected \(2, 5, 4\).*use c_0.transpose\(0, 1\)",
    ),
    "state of an unbatched input": (
        _lstm(7, 3, state=[(2, 1, 4), (2, 1, 4)]),
        r"h_0 has shape \(2, 1, 4\), expected \(2, 4\) = \(layers, hidden\)",
    ),
    "bare cell, later": (_late_cell, r"rnncell: h has shape \(2, 4\), expected \(5, 4\)"),
    "cell in steps": (_late_features, r"lstmcell, step 2 \(t = 3\): x has 6 features, expected 3"),
    "cell axes": (lambda: nn.RNNCell(3, 4)(tg.ones(2, 2, 3)), r"expected \(batch, 3\) or \(3,\)"),
    "recurrent features": (
        lambda: nn.Recurrent(nn.LSTMCell(3, 4))(tg.ones(7, 2, 5)),
        "recurrent: LSTMCell: x has 5 features, expected 3",
    ),
    "recurrent axes": (lambda: nn.Recurrent(Leaky())(tg.ones(2)), r"x has shape \(2,\), expected"),
    "own cell, op": (
        lambda: nn.Recurrent(Breaks())(tg.tensor(np.array([[1.0, 1], [2, 2], [9, 9]]))),
        r"recurrent.cell, step 2 \(t = 3\): sub cannot take shapes \(3,\) and \(2,\)",
    ),
    "inside a model": (lambda: Outer()(tg.ones(7, 2, 5)), r"^outer.encoder \(layer 0\): x has 5"),
    "head": (
        lambda: Outer()(tg.ones(7, 2, 3)),
        r"^outer.head: x has shape \(7, 2, 4\), expected \(..., 5\)",
    ),
    "sizes": (lambda: nn.LSTM(0, 4), "LSTM: input_size must be at least 1, got 0"),
    "layers": (lambda: nn.LSTM(3, 4, num_layers=0), "num_layers must be at least 1, got 0"),
    "nonlinearity": (lambda: nn.RNN(3, 4, nonlinearity="sin"), "'tanh' or 'relu', got 'sin'"),
}

TYPE_ERRORS = {
    "state of one part": (
        lambda: nn.LSTM(3, 4)(tg.ones(7, 2, 3), tg.ones(1, 2, 4)),
        r"lstm: the state must be \(h_0, c_0\), got Tensor",
    ),
    "cell state of one part": (
        lambda: nn.LSTMCell(3, 4)(tg.ones(2, 3), tg.ones(2, 4)),
        r"lstmcell: the state must be \(h, c\), got Tensor",
    ),
    "integers": (lambda: nn.LSTM(3, 4)(tg.ones(7, 2, 3).long()), "holds int64.*Embedding"),
    "no pair": (
        lambda: nn.Recurrent(NoPair())(tg.ones(3, 2, 2)),
        r"step 0 \(t = 1\): NoPair must return \(output, state\), and returned Tensor",
    ),
    "no forward": (lambda: nn.Recurrent(nn.Module()), "neither step nor forward"),
    "no initial state": (
        lambda: nn.Recurrent(nn.Linear(2, 2))(tg.ones(3, 2, 2)),
        r"Linear has no initial_state\(batch\)",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_wrong_shapes_name_layer_step_and_both_shapes(name):
    function, words = ERRORS[name]
    with pytest.raises(ValueError, match=words):
        function()


@pytest.mark.parametrize("name", TYPE_ERRORS)
def test_wrong_kinds_name_what_came(name):
    function, words = TYPE_ERRORS[name]
    with pytest.raises(TypeError, match=words):
        function()
