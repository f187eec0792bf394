"""Gradients over time: projections, cancellation, credit, memory, and the backward pass step by step."""

import builtins

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn

LAYERS = {
    "rnn": lambda: nn.RNN(2, 3),
    "lstm, two layers": lambda: nn.LSTM(2, 3, num_layers=2),
    "gru both ways": lambda: nn.GRU(2, 3, bidirectional=True),
    "lstm projection": lambda: nn.LSTM(2, 4, proj_size=2),
    "peephole": lambda: nn.LSTM(2, 3, peephole=True),
    "layer norm": lambda: nn.Recurrent(nn.LayerNormLSTMCell(2, 3)),
    "variational": lambda: nn.Recurrent(nn.LSTMCell(2, 3), variational=0.3),
}


def loss_of(layer, steps=5, lengths=None):
    x = tg.randn(steps, 3, 2, dtype=tg.float64)
    y, _ = layer(x, lengths=lengths) if lengths else layer(x)
    return (y * tg.randn(*y.shape, dtype=tg.float64)).sum()


# ---- the parts are the whole -------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [None, [5, 2, 0]])
@pytest.mark.parametrize("kind", LAYERS)
def test_parts_and_projections_sum_to_the_whole(kind, lengths):
    tg.manual_seed(3)
    layer = LAYERS[kind]().double()
    ledger = loss_of(layer, lengths=lengths).backward(ledger=True)
    for name, p in layer.named_parameters():
        whole = np.asarray(p.grad)
        np.testing.assert_allclose(ledger[p].sum(0), whole, rtol=1e-12, atol=1e-14, err_msg=name)
        parts = ledger.projection(p)
        by_hand = (ledger[p] * whole).reshape(len(parts), -1).sum(1) / np.linalg.norm(whole)
        np.testing.assert_allclose(parts, by_hand, rtol=1e-9, atol=1e-13, err_msg=name)
        assert parts.sum() == pytest.approx(np.linalg.norm(whole), rel=1e-12)
        assert np.all(np.abs(parts) <= ledger.norms(p) * (1 + 1e-7) + 1e-12)


@settings(max_examples=20, deadline=None)
@given(k1=st.integers(1, 4), k2=st.integers(1, 9), steps=st.integers(1, 9))
def test_parts_sum_in_truncated_backpropagation(k1, k2, steps):
    if k2 < k1:
        k1, k2 = k2, k1
    tg.manual_seed(k1 * 100 + k2 * 10 + steps)
    layer = nn.GRU(2, 3).double()
    y, state, total = None, None, None
    ledgers = []
    x = tg.randn(steps, 3, 2, dtype=tg.float64)
    for start in range(0, steps, k1):
        y, state = layer(x[start : start + k1], state, first_step=start)
        ledgers.append(y.square().sum().backward(ledger=True))
        state = tg.detach(state)
    for p in layer.parameters():
        total = sum(book[p].sum(0) for book in ledgers)
        np.testing.assert_allclose(total, p.grad, rtol=1e-12, atol=1e-14)
    assert [t for b in ledgers for t in b.steps(layer.weight_hh_l0)] == list(range(steps))


def test_cancellation():
    w = tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)
    ledger = (w * tg.tensor([3.0, 0.0]) - w * tg.tensor([1.0, 0.0])).sum().backward(ledger=True)
    assert ledger.cancellation(w) == pytest.approx(0.5)  # |3 - 1| of |3| + |1|
    np.testing.assert_allclose(ledger.projection(w), [3, -1])
    still = (w * 0.0).sum().backward(ledger=True)
    assert still.cancellation(w) == 0
    assert still.projection(w).tolist() == [0]
    both = (w - w).sum().backward(ledger=True)
    assert both.cancellation(w) == 1
    assert both.projection(w).tolist() == [0, 0]


def test_dataframe():
    pandas = pytest.importorskip("pandas")
    tg.manual_seed(0)
    lstm, head = nn.LSTM(2, 3), nn.Linear(3, 1)
    y, _ = lstm(tg.randn(4, 1, 2))
    ledger = head(y[-1]).square().sum().backward(ledger=True)
    frame = ledger.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == 4 * 4 + 2
    rows = frame[frame.parameter == "lstm.weight_hh_l0"]
    assert rows.step.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(rows.norm, ledger.norms(lstm.weight_hh_l0))
    np.testing.assert_allclose(rows.projection, ledger.projection(lstm.weight_hh_l0), atol=1e-12)
    assert frame.step.isna().sum() == 2  # the head is used outside of time


def test_dataframe_names_what_is_missing(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    w = tg.tensor(1.0, requires_grad=True)
    ledger = (w * 2).backward(ledger=True)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install pandas"):
        ledger.to_dataframe()


# ---- credit ------------------------------------------------------------------------------------


def test_credit_of_a_net_worked_by_hand():
    w = tg.tensor(0.6, dtype=tg.float64, requires_grad=True)
    x, losses = tg.tensor(0.1, dtype=tg.float64), []
    for _ in tg.steps(range(6)):
        x = w * x
        losses.append(x)
    t = np.arange(6)
    expected = np.where(t[:, None] >= t, 0.1 * 0.6 ** t[:, None], 0)  # d(w^(t+1) x0) in t+1 parts
    np.testing.assert_allclose(tg.credit(losses, w), expected, rtol=1e-13)
    assert w.grad is None


def test_credit_rows_are_the_ledgers_norms():
    tg.manual_seed(1)
    lstm = nn.LSTM(2, 3).double()
    y, _ = lstm(tg.randn(5, 2, 2, dtype=tg.float64))
    losses = [y[t].square().sum() for t in range(5)]
    matrix = tg.credit(losses, lstm.weight_ih_l0)
    for t, loss in enumerate(losses):
        norms = loss.backward(ledger=True).norms(lstm.weight_ih_l0)
        np.testing.assert_allclose(matrix[t, : t + 1], norms[: t + 1], rtol=1e-10)
        assert not matrix[t, t + 1 :].any()


def test_credit_joins_two_uses_at_one_step():
    w = tg.tensor(2.0, requires_grad=True)
    for _ in tg.steps(range(1)):
        loss = w * 3 - w * 1
    assert tg.credit([loss], w).tolist() == [[2.0]]


def test_credit_without_a_use():
    w, v = tg.tensor(2.0, requires_grad=True), tg.tensor(2.0, requires_grad=True)
    with pytest.raises(KeyError, match="none of the 1 losses"):
        tg.credit([v * v], w)


# ---- memory ------------------------------------------------------------------------------------


class Decay(nn.Module):
    """h = A h + x, whose memory is known."""

    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(tg.tensor(a, dtype=tg.float64))

    def initial_state(self, batch):
        return tg.zeros(batch, len(self.a), dtype=tg.float64)

    def forward(self, x, h):
        h = x + h @ self.a.T
        return h, h


def test_memory_of_a_linear_cell():
    a = np.array([[0.9, 0.3], [0.0, 0.5]])
    layer, x = nn.Recurrent(Decay(a)), tg.randn(6, 2, 2, dtype=tg.float64)
    powers = [np.linalg.norm(np.linalg.matrix_power(a, k), 2) for k in range(6)]
    np.testing.assert_allclose(tg.memory_curve(layer, x)[:5], powers[:5], rtol=1e-12)
    np.testing.assert_allclose(tg.spectral_radius(layer, x), np.full((5, 2), 0.9), rtol=1e-12)


@pytest.mark.parametrize(
    "make", [nn.LSTM, nn.GRU, nn.RNN, lambda i, h: nn.LSTM(i, h, num_layers=2)]
)
def test_memory_against_differences(make):
    """dh_T / dh_s by moving h_s alone and running the rest of the sequence again."""
    tg.manual_seed(2)
    layer, steps = make(2, 3).double(), 5
    x = tg.randn(steps, 1, 2, dtype=tg.float64)

    def last(state, after):
        with tg.no_grad():
            for t in range(after, steps):
                _, state = layer.step(x[t], state)
        h = state if isinstance(state, tg.Tensor) else state[0]
        return np.array(h).ravel()

    curve = tg.memory_curve(layer, x)
    assert curve[0] == 1
    assert len(curve) == steps
    for s in range(steps - 1):
        with tg.no_grad():
            state = None
            for t in range(s + 1):
                _, state = layer.step(x[t], state)
        h, others = (state, ()) if isinstance(state, tg.Tensor) else (state[0], state[1:])
        columns = []
        for unit in range(h.numel()):
            ends = []
            for sign in (1, -1):
                moved = np.array(h)
                moved.reshape(-1)[unit] += sign * 1e-5
                moved = tg.tensor(moved)
                ends.append(last((moved, *others) if others else moved, s + 1))
            columns.append((ends[0] - ends[1]) / 2e-5)
        jacobian = np.stack(columns, 1)
        assert curve[steps - 1 - s] == pytest.approx(np.linalg.norm(jacobian, 2), rel=1e-6)


def test_an_open_forget_gate_remembers_longer_than_a_tanh_rnn():
    tg.manual_seed(0)
    x = tg.randn(30, 4, 2)
    rnn = tg.memory_curve(nn.RNN(2, 8), x)
    lstm = tg.memory_curve(nn.LSTM(2, 8, forget_bias=4.0), x)
    assert lstm[-1] > 100 * rnn[-1]


def test_memory_takes_layouts_and_leaves_no_gradient():
    tg.manual_seed(0)
    layer, x = nn.GRU(2, 3, batch_first=True), tg.randn(4, 6, 2)
    curve = tg.memory_curve(layer, x)
    assert len(curve) == 6
    assert all(p.grad is None for p in layer.parameters())
    assert len(tg.memory_curve(nn.GRU(2, 3), tg.randn(6, 2))) == 6  # without a batch


def test_memory_needs_one_direction_and_two_steps():
    both, own = nn.LSTM(2, 3, bidirectional=True), nn.LSTMCell(2, 3)
    with pytest.raises(TypeError, match="bidirectional"):
        tg.memory_curve(both, tg.zeros(4, 1, 2))
    with pytest.raises(TypeError, match="bidirectional"):
        tg.memory_curve(nn.Recurrent(own, reverse=nn.LSTMCell(2, 3)), tg.zeros(4, 1, 2))
    with pytest.raises(ValueError, match="at least two"):
        tg.spectral_radius(nn.LSTM(2, 3), tg.zeros(1, 1, 2))


# ---- backward, a node at a time ----------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_backward_steps_is_backward(kind, compiled):
    tg.manual_seed(5)
    layer = LAYERS[kind]()
    layer.compiled = compiled
    x = tg.randn(5, 3, 2, requires_grad=True)
    if kind == "variational":
        layer.eval()
    y = layer(x)[0]
    y.retain_grad()
    loss = y[2].square().sum() + y[4].sum() + y[tg.tensor([0, 0, 1])].sum()
    loss.backward()
    leaves = [*layer.parameters(), x, y]
    expected = [np.array(leaf.grad) for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    for _ in loss.backward_steps():
        assert x.grad is None
    for leaf, gradient in zip(leaves, expected, strict=True):
        off = np.abs(np.array(leaf.grad) - gradient).max() / np.abs(gradient).max()
        assert off <= (1e-6 if compiled else 0)  # op by op the same bits


def test_backward_steps_says_what_flowed_where():
    w = tg.name(tg.tensor(2.0, dtype=tg.float64, requires_grad=True), "w")
    h = tg.tensor(1.0, dtype=tg.float64)
    for _ in tg.steps(range(3)):
        h = w * h
    turns = list(h.backward_steps())
    assert [(t.op, t.step) for t in turns] == [
        ("mul", 2),
        ("mul", 1),
        ("mul", 0),
        ("parameter", None),
    ]
    assert [dict(t.sent)[0].item() for t in turns[:3]] == [4, 4, 4]  # each use's part
    assert turns[-1].name == "w"
    assert turns[-1].gradient == w.grad.item() == 12
    with pytest.raises(ValueError, match="read-only"):
        turns[0].gradient[...] = 0


def test_closing_backward_steps_early_changes_nothing():
    w = tg.tensor(2.0, requires_grad=True)
    turns = (w * w).backward_steps()
    next(turns)
    turns.close()
    assert w.grad is None
    with pytest.raises(RuntimeError, match="scalar"):
        next((w * tg.ones(3)).backward_steps())
    loss = w * w
    with tg.no_grad():
        w += 1
    with pytest.raises(tg.StaleGraphError):
        list(loss.backward_steps())


def test_backward_steps_never_writes_into_a_borrowed_gradient():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    v = tg.tensor([3.0, 4.0], requires_grad=True)
    p, q = w * 2, v * 2
    part = p[1]  # recorded before the sum below, so that its gradient comes to p second
    for _ in (((p + q) * tg.tensor([5.0, 6.0])).sum() + part).backward_steps():
        pass
    assert w.grad.tolist() == [10, 14]
    assert v.grad.tolist() == [10, 12]


# ---- a ledger as a whole -------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    make=st.sampled_from([nn.RNN, nn.LSTM, nn.GRU]),
    layers=st.integers(1, 3),
    both=st.booleans(),
    batch=st.integers(1, 3),
    steps=st.integers(1, 6),
    ragged=st.booleans(),
    compiled=st.booleans(),
    double=st.booleans(),
    seed=st.integers(0, 999),
)
def test_rows_sum_to_grad_whatever_the_layer(
    make, layers, both, batch, steps, ragged, compiled, double, seed
):
    tg.manual_seed(seed)
    layer = make(2, 3, num_layers=layers, bidirectional=both)
    layer = layer.double() if double else layer
    layer.compiled = compiled
    dtype = tg.float64 if double else tg.float32
    draw = np.random.default_rng(seed)
    more = {"lengths": [steps, *draw.integers(0, steps + 1, batch - 1)]} if ragged else {}
    y, _ = layer(tg.randn(steps, batch, 2, dtype=dtype), **more)
    for p in layer.parameters():
        p.grad = tg.ones(*p.shape, dtype=dtype)  # what was there before stays apart
    ledger = (y * tg.randn(*y.shape, dtype=dtype)).sum().backward(ledger=True)
    tol = 1e-12 if double else 2e-5
    for name, p in layer.named_parameters():
        added = np.asarray(p.grad, np.float64) - 1
        size = max(np.abs(added).max(), 1.0)
        assert np.abs(ledger[p].sum(0, np.float64) - added).max() <= tol * size, name
        assert np.abs(ledger.total(p) - added).max() <= tol * size, name
        assert ledger.projection(p).sum() == pytest.approx(
            np.linalg.norm(added), abs=30 * tol * size
        )
        assert ledger.norms(p).sum() + 1e-6 >= np.linalg.norm(added) - 30 * tol * size
        assert 0 <= ledger.cancellation(p) <= 1


def test_what_a_ledger_keeps_grows_with_the_steps_alone():
    tg.manual_seed(0)
    sizes = {}
    for steps in (10, 20):
        for wide in (4, 9):
            lstm = nn.LSTM(wide, 8, num_layers=2)
            y, _ = lstm(tg.randn(steps, 3, wide))
            sizes[steps, wide] = y.sum().backward(ledger=True).nbytes
    assert sizes[20, 4] == 2 * sizes[10, 4]
    assert sizes[10, 9] == sizes[10, 4]  # inputs are the graph's, and counted there
    per_step = sizes[10, 4] / 10
    assert per_step == 2 * 4 * (
        3 * 4 * 8 + 2 * 4 * 8
    )  # two layers: of the sums (B, 4H), two biases (4H,)


def test_a_ledger_names_its_parameters_and_shows_itself():
    tg.manual_seed(0)
    first, second = nn.GRU(2, 3), nn.GRU(3, 3)
    w = tg.tensor(2.0, requires_grad=True)
    loss = second(first(tg.randn(200, 1, 2))[0])[0].sum() * tg.name(w, "<b>w")
    ledger = loss.backward(ledger=True)
    assert set(ledger.names.values()) == set(tg.graph(loss).parameters)
    html = ledger._repr_html_()
    assert ">gru_1.weight_hh_l0</td>" in html
    assert "&lt;b&gt;w" in html
    assert "<b>w" not in html
    assert html.count("<rect") <= 130 * len(ledger)
    size = np.linalg.norm(first.weight_hh_l0.grad)
    assert f">{size:.2f}</td>" in html or f">{size:.1f}</td>" in html
    assert "svg" in tg.graph(loss)._repr_svg_()
