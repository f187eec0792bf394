"""The compiled step: equal to the recorded loop in values, gradients and graph, on both back ends."""

import dis
import gc
import threading
import weakref
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from made_up_cells import (
    CELLS,
    Attending,
    Delay,
    H,
    I,
    MadeUp,
    Untouched,
    at_random,
    filled,
    tensors,
)
from support import assert_close, numbers, on_both

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.engine.random import generator_or_default
from tinygrad_rnn.scan import backends, cells, numpy_text, runtime
from tinygrad_rnn.scan.tracing import CellCopy

INSTALLED = backends.choice()[0] == "numba"


@pytest.fixture(
    params=[
        "numpy",
        pytest.param(
            "numba",
            marks=pytest.mark.skipif(not INSTALLED, reason="numba is not installed (extra fast)"),
        ),
    ]
)
def backend(request):
    with backends.using(request.param):
        yield request.param


def outcome(layer, x, state, compiled, **options):
    """Values and gradients, with a different weight on every number that comes out."""
    layer.compiled = compiled
    layer.zero_grad()
    x = tg.tensor(x, requires_grad=True)
    given = [tg.tensor(s, requires_grad=True) for s in state]
    start = None if not given else given[0] if len(given) == 1 else tuple(given)
    y, last = layer(x, start, **options)
    outs = [y, *tensors(last)]
    sum((t * tg.tensor(numbers(t.shape, 7 + k))).sum() for k, t in enumerate(outs)).backward()
    leaves = [x, *given, *layer.parameters()]
    grads = [np.zeros(p.shape) if p.grad is None else p.grad.numpy() for p in leaves]
    return [t.detach().numpy() for t in outs], grads, y


def same(layer, x, state=(), tol=1e-12, compiles=True, **options):
    """The compiled call, and one more like it, equal the recorded one; x's gradient does step by step."""
    fast, again, slow = (outcome(layer, x, state, on, **options) for on in (True, True, False))
    for kind in (0, 1):
        for a, b, c in zip(fast[kind], slow[kind], again[kind], strict=True):
            assert_close(a, b, tol)
            np.testing.assert_array_equal(a, c)
    axis = 1 if getattr(layer, "batch_first", False) and x.ndim == 3 else 0
    dx, expected = (np.moveaxis(r[1][0], axis, 0) for r in (fast, slow))
    size = np.abs(expected).max()
    for t in range(len(dx)):
        if np.abs(expected[t]).max() > 1e-9 * size:
            assert_close(dx[t], expected[t], tol * 10)
    layer.compiled = True
    layer(tg.tensor(x), None, **options)
    assert layer.explain().startswith("compiled" if compiles else "recorded"), layer.explain()
    return fast, slow


# ---- equal to the recorded loop ----------------------------------------------------------------


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    kind=some.sampled_from(["RNN", "LSTM", "GRU"]),
    layers=some.integers(1, 3),
    both=some.booleans(),
    first=some.booleans(),
    bias=some.booleans(),
    batch=some.sampled_from([None, 1, 2, 5]),
    steps=some.integers(1, 6),
    option=some.booleans(),
    ragged=some.booleans(),
    with_state=some.booleans(),
)
@pytest.mark.parametrize("which", ["numpy", "numba"])
def test_every_option_of_the_layers(
    which, kind, layers, both, first, bias, batch, steps, option, ragged, with_state
):
    if which == "numba" and not INSTALLED:
        pytest.skip("numba is not installed (extra fast)")
    chosen = {"RNN": {"nonlinearity": "relu"}, "GRU": {"reset_after": False}, "LSTM": {}}[kind]
    if kind == "LSTM" and option:
        chosen = {"proj_size": 2} if bias else {"peephole": True}
    layer = filled(
        getattr(nn, kind)(
            I,
            H,
            layers,
            bias=bias,
            batch_first=first,
            bidirectional=both,
            **(chosen if option else {}),
        )
    )
    shape = (steps, I) if batch is None else (batch, steps, I) if first else (steps, batch, I)
    options = {}
    if ragged and batch is not None:
        options["lengths"] = np.arange(batch) * 7 % (steps + 1)
    state = ()
    if with_state:
        middle = () if batch is None else (batch,)
        sizes = layer._first.state_sizes().values()
        state = [0.5 * numbers((layers * (1 + both), *middle, s), 3) for s in sizes]
    with backends.using(which):
        same(layer, numbers(shape, 1), state, **options)


@pytest.mark.parametrize(
    ("kind", "batch", "backend"), on_both(CELLS, [(1,), (3,)], INSTALLED), indirect=["backend"]
)
def test_made_up_cells(backend, kind, batch):
    layer = filled(nn.Recurrent(kind()))
    x = numbers((5, batch, I), 1)
    same(layer, x, compiles=kind is not Untouched)
    fast, slow = same(layer, x, lengths=[5, 2, 0][:batch], compiles=kind is not Untouched)
    same(layer, x[:1], compiles=kind not in (Untouched, Delay))  # here the state is where it began
    assert tg.graph(fast[2]).to_dot() == tg.graph(slow[2]).to_dot()


@pytest.mark.parametrize("seed", range(60))
def test_cells_at_random(seed):
    layer, batch = filled(nn.Recurrent(at_random(seed))), 1 + 2 * (seed % 2)
    x = numbers((5, batch, I), 1)
    state = [0.5 * numbers((batch, H), 3 + k) for k in range(layer.cell.parts)]
    with backends.using("numpy"):
        layer(tg.tensor(x))
        same(layer, x, state, 1e-11, layer.explain().startswith("compiled"))


def test_there_are_twenty_of_them():
    assert len(CELLS) >= 20


@pytest.mark.parametrize("kind", [nn.LayerNormLSTMCell, nn.CoupledLSTMCell, nn.PeepholeLSTMCell])
def test_built_in_cells_in_both_directions(backend, kind):
    same(filled(nn.Recurrent(kind(I, H), reverse=kind(I, H))), numbers((4, 3, I), 1))


def test_constants_of_the_call(backend):
    layer = filled(nn.Recurrent(Attending()))
    held = tg.tensor(numbers((2, 5, H), 4), requires_grad=True)
    grads = []
    for compiled in (True, False):
        layer.compiled, held.grad = compiled, None
        layer(numbers((3, 2, I), 1), memory=held)[0].square().sum().backward()
        grads.append(held.grad.numpy())
    assert_close(*grads, 1e-12)
    layer.compiled = True
    layer(numbers((3, 2, I), 1), memory=held)
    assert layer.explain().startswith("compiled")


def test_dropout_between_layers_draws_the_same(backend):
    layer = filled(nn.LSTM(I, H, 3, dropout=0.4, bidirectional=True, batch_first=True))
    results = []
    for compiled in (True, False):
        tg.manual_seed(5)
        results.append(outcome(layer, numbers((2, 4, I), 1), (), compiled))
    for a, b in zip(results[0][0] + results[0][1], results[1][0] + results[1][1], strict=True):
        assert_close(a, b, 1e-12)
    assert tg.graph(results[0][2]).to_dot() == tg.graph(results[1][2]).to_dot()


def test_float32_and_padding_of_nan(backend):
    layer, x = nn.LSTM(I, H), numbers((6, 2, I), 1).astype(np.float32)
    x[3:, 1] = np.nan
    layer.compiled = True
    y, _ = layer(x, lengths=[6, 3])
    y.sum().backward()
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(layer.weight_hh_l0.grad.numpy()).all()


def test_nan_stays_nan_and_infinities_behave(backend):
    layer = nn.GRU(1, 2)
    x = np.zeros((3, 1, 1), np.float32)
    x[1] = np.nan
    y = layer(x)[0].numpy()
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1:]).all()
    with tg.no_grad():
        layer.weight_ih_l0.fill_(1.0)
        x[1] = np.inf
        y = layer(x)[0].numpy()
    assert np.isfinite(y).all()  # every gate saturates


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra fast)")
@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN, *CELLS], ids=lambda kind: kind.__name__)
def test_backward_a_block_of_steps_at_a_time(kind, block, monkeypatch):
    from tinygrad_rnn.scan import numba_loops

    monkeypatch.setattr(cells, "_loops", {})
    monkeypatch.setattr(cells, "_configurations", {})
    made = numba_loops.NumbaLoops.__init__

    def smaller(self, *arguments):
        made(self, *arguments)
        self.block = block

    monkeypatch.setattr(numba_loops.NumbaLoops, "__init__", smaller)
    layer = filled(nn.Recurrent(kind()) if kind in CELLS else kind(I, H))
    state = [] if kind in CELLS else [numbers((1, 2, H), k) for k in range(1 + (kind is nn.LSTM))]
    with backends.using("numba"):
        same(layer, numbers((7, 2, I), 1), state, compiles=kind is not Untouched)


# ---- nothing of the truth is lost --------------------------------------------------------------


def test_the_graph_is_the_recorded_graph_and_parents_lead_to_every_step(backend):
    layer = nn.LSTM(I, H, 2)
    y, (h, c) = layer(numbers((30, 2, I), 1))
    loss = y.square().mean() + h.sum() + c.sum()
    assert len(tg.graph(loss).uses(layer.weight_hh_l0)) == 30
    seen, stack, uses = set(), [layer(numbers((30, 2, I), 1))[0]._node], 0
    while stack:
        node = stack.pop()
        for parent in node.parents:
            uses += parent is layer.weight_hh_l1._node
            if id(parent) not in seen:
                seen.add(id(parent))
                stack.append(parent)
    assert uses == 30


def test_looking_changes_no_gradient(backend):
    layer = filled(nn.GRU(I, H))
    y, h = layer(numbers((5, 2, I), 1))
    loss = y.square().sum() + h.sum()
    loss.backward()
    before = layer.weight_hh_l0.grad.numpy().copy()
    tg.graph(loss)
    loss.backward()
    assert_close(layer.weight_hh_l0.grad.numpy(), 2 * before, 1e-15)
    ledger = loss.backward(ledger=True)
    assert_close(ledger.total(layer.weight_hh_l0), before, 1e-12)
    assert ledger.steps(layer.weight_hh_l0) == list(range(5))


def test_an_old_graph_shows_the_values_of_its_time(backend):
    layer = filled(nn.RNN(I, H))
    x = numbers((4, 2, I), 1)
    loss = layer(x)[0].sum()
    old = layer.weight_hh_l0.numpy().copy()
    loss.backward()
    optim.SGD(layer.parameters(), lr=0.5).step()
    new = layer.weight_hh_l0.numpy().copy()
    assert (old != new).any()
    graph = tg.graph(loss)
    assert len(graph.uses("rnn.weight_hh_l0")) == 4
    assert (layer.weight_hh_l0.numpy() == new).all(), "looking leaves the layer as it is"
    with pytest.raises(tg.StaleGraphError, match="rnn, step 3"):
        loss.backward()


def test_second_derivatives_and_retained_gradients(backend):
    layer = filled(nn.LSTM(I, H))
    results = []
    for compiled in (True, False):
        layer.compiled = compiled
        x = tg.tensor(numbers((4, 2, I), 1), requires_grad=True)
        y, _ = layer(x)
        y.retain_grad()
        y.square().sum().backward()
        (d,) = tg.grad(layer(x)[0].square().sum(), x, create_graph=True)
        (dd,) = tg.grad(d.square().sum(), layer.weight_hh_l0)
        results.append((y.grad.numpy(), dd.numpy()))
    for a, b in zip(*results, strict=True):
        assert_close(a, b, 1e-11)


def test_only_what_asks_for_a_gradient_gets_one(backend):
    layer = filled(nn.LSTM(I, H))
    layer.weight_hh_l0.requires_grad = False
    layer(numbers((4, 2, I), 1))[0].sum().backward()
    assert layer.weight_hh_l0.grad is None
    frozen = layer.weight_ih_l0.grad.numpy()
    layer.compiled = False
    layer.zero_grad()
    layer(numbers((4, 2, I), 1))[0].sum().backward()
    assert_close(frozen, layer.weight_ih_l0.grad.numpy(), 1e-12)
    with tg.no_grad():
        assert layer(numbers((4, 2, I), 1))[0]._node is None
    layer.compiled = True
    with tg.no_grad():
        assert layer(numbers((4, 2, I), 1))[0]._node is None


def test_a_weight_that_two_cells_share_gets_both_gradients(backend):
    cell = nn.LSTMCell(I, H)
    same(filled(nn.Recurrent(cell, reverse=cell)), numbers((4, 2, I), 1))


def test_a_dropped_graph_is_gone_at_once(backend):
    layer = nn.LSTM(I, H)
    gc.collect()
    gc.disable()
    try:
        y, _ = layer(numbers((4, 2, I), 1).astype(np.float32))
        tg.graph(y.sum())
        node = weakref.ref(y._node)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_threads_share_a_layer(backend):
    layer = filled(nn.GRU(I, H))
    x = [numbers((20, 3, I), k) for k in range(4)]
    expected = [layer(v)[0].detach().numpy() for v in x]
    wrong = []

    def work(k):
        for _ in range(20):
            y, _ = layer(x[k])
            tg.grad(y.sum(), layer.weight_hh_l0)
            if not np.array_equal(y.detach().numpy(), expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- what is not compiled, and why ---------------------------------------------------------------


class Counting(MadeUp):
    t = 0

    def forward(self, x, h):
        self.t += 1
        h = (self.drive(x, h) * self.t).tanh()
        return h, h


class Noisy(MadeUp):
    def forward(self, x, h):
        h = self.drive(x, h).tanh() + tg.randn(*h.shape, dtype=tg.float64)
        return h, h


class Deciding(MadeUp):
    def forward(self, x, h):
        h = self.drive(x, h) if h.sum().item() >= 0 else -h
        return h, h


class Branching(MadeUp):
    def forward(self, x, h):
        h = self.drive(x, h).tanh()
        return (h if (h > 5).any() else 2 * h), h


HELD = tg.tensor(numbers((H,), 9))


class Outside(MadeUp):
    def forward(self, x, h):
        h = self.drive(x, h) * HELD
        return h, h


class Logging(MadeUp):
    def more(self):
        self.seen = []

    def forward(self, x, h):
        h = self.drive(x, h).tanh()
        self.seen.append(h)
        return h, h


class Rebinding(MadeUp):
    last = None

    def forward(self, x, h):
        h = self.last = self.drive(x, h).tanh()
        return h, h


class Dropping(MadeUp):
    def more(self):
        self.drop = nn.Dropout(0.5)

    def forward(self, x, h):
        h = self.drop(self.drive(x, h).tanh())
        return h, h


REASONS = {
    Counting: "it sets .t",
    Noisy: "draws random numbers",
    Deciding: "reads values",
    Branching: "reads values",
    Outside: "from outside",
    Logging: "changes a list",
    Rebinding: "it sets .last",
    Dropping: "draws random numbers",
}


@pytest.mark.parametrize("kind", REASONS, ids=lambda kind: kind.__name__)
def test_what_cannot_be_traced_is_recorded_and_says_why(kind):
    results = []
    for compiled in (True, False):
        tg.manual_seed(3)
        layer = filled(nn.Recurrent(kind()))
        results.append(outcome(layer, numbers((5, 2, I), 1), (), compiled))
        if compiled:
            assert layer.explain().startswith("recorded op by op")
            assert REASONS[kind] in layer.explain(), layer.explain()
        if kind is Counting:
            assert layer.cell.t == 5, "as often as there are steps"
        if kind is Logging:
            assert len(layer.cell.seen) == 5
    for a, b in zip(results[0][0] + results[0][1], results[1][0] + results[1][1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_cell_whose_number_changes_between_calls_is_seen(backend):
    class Scaled(MadeUp):
        scale = 1.0

        def forward(self, x, h):
            h = (self.scale * self.drive(x, h)).tanh()
            return h, h

    layer = filled(nn.Recurrent(Scaled()))
    for scale in (1.0, 0.5):
        layer.cell.scale = scale
        same(layer, numbers((4, 2, I), 1))


def test_explain_says_what_runs_and_why():
    layer = nn.LSTM(I, H)
    assert layer.explain() == "not run yet"
    layer(numbers((2, 1, I)).astype(np.float32))
    assert layer.explain().startswith("compiled, run by ")
    layer.compiled = False
    layer(numbers((2, 1, I)).astype(np.float32))
    assert layer.explain() == "recorded op by op: layer.compiled is False"
    layer.compiled = True
    with nn.record_gates(layer):
        layer(numbers((2, 1, I)).astype(np.float32))
    assert "record_gates" in layer.explain()
    with tg.detect_anomaly():
        layer(numbers((2, 1, I)).astype(np.float32))
    assert "detect_anomaly" in layer.explain()


def test_tracing_leaves_the_cell_and_the_generator_alone():
    cell = filled(Noisy())
    nodes = [p._node for p in cell.parameters()]
    state = generator_or_default(None).bit_generator.state
    shadow = CellCopy(cell)
    assert [p._node for p in cell.parameters()] == nodes
    assert shadow.cell.W._data is cell.W._data
    assert shadow.cell.W._node is not cell.W._node
    assert state == generator_or_default(None).bit_generator.state


# ---- few calls of numpy ------------------------------------------------------------------------


def calls_of_a_step(loop):
    """How many functions a loop calls at every step."""
    lines = list(dis.get_instructions(loop))
    starts = [k for k, line in enumerate(lines) if line.opname == "FOR_ITER"]
    return sum(line.opname in ("CALL", "CALL_KW") for line in lines[starts[-1] :])


@pytest.mark.parametrize(("kind", "most"), [("LSTM", (10, 9)), ("GRU", (14, 7)), ("RNN", (3, 3))])
@pytest.mark.parametrize("batch", [1, 8])
def test_a_step_is_few_calls_of_numpy(kind, most, batch):
    layer = getattr(nn, kind)(4, 16)
    x = np.zeros((7, batch, 4), np.float32)
    with backends.using("numpy"):
        found, _ = cells.compiled(layer._first, x, layer._first.initial_state(batch), None, {})
        loops = found.loops(True, False).loops
    for backward, count in enumerate(most):
        assert calls_of_a_step(loops[bool(backward)]) <= count


@pytest.mark.parametrize(("kind", "piece"), [("LSTM", 800), ("GRU", 800), ("RNN", 100)])
@pytest.mark.parametrize("batch", [1, 3])
def test_backward_by_pieces_of_time(kind, piece, batch, monkeypatch):
    monkeypatch.setattr(numpy_text, "PIECE", piece * batch)
    layer = filled(getattr(nn, kind)(3, 5))  # sizes of its own: what is compiled is remembered
    with backends.using("numpy"):
        same(layer, numbers((41, batch, 3), 2))
        x, state = np.zeros((41, batch, 3)), layer._first.initial_state(batch)
        loop = cells.compiled(layer._first, x, state, None, {})[0].loops(True, True).loops[True]
    assert any(isinstance(c, int) and -41 < c < -4 for c in loop.__code__.co_consts), "one piece"


@pytest.mark.parametrize("batch", [1, 3])
def test_results_lie_in_the_order_of_their_axes(backend, batch):
    y, state = nn.LSTM(2, 6)(tg.tensor(numbers((9, batch, 2), 1)))
    assert all(t.numpy().flags.c_contiguous for t in (y, *state))


# ---- what is kept, and memory used again --------------------------------------------------------


def held(kept):
    """The arrays in what forward leaves for backward: loops that have others beside them keep a pair."""
    if isinstance(kept, np.ndarray):
        return [kept]
    return [array for part in kept or () for array in held(part)]


def test_an_lstm_keeps_five_numbers_a_unit_and_step_beside_its_output():
    layer, batch, steps = nn.LSTM(2, 32), 8, 50
    x = np.zeros((steps, batch, 2), np.float32)
    found, weights = cells.compiled(layer._first, x, layer._first.initial_state(batch), None, {})
    loops = found.loops(True, False)
    arrays = [x, *(t._data for t in layer._first.initial_state(batch)), *(w._data for w in weights)]
    y, _, kept = loops.forward(arrays, steps, True)
    blocks = {}
    for array in held(kept):
        while array.base is not None:
            array = array.base
        blocks[id(array)] = array.nbytes
    given = {id(a) for a in arrays} | {id(a.base) for a in arrays}
    output = y
    while output.base is not None:
        output = output.base
    numbers_kept = sum(n for key, n in blocks.items() if key not in given and key != id(output)) / 4
    assert numbers_kept / (batch * 32 * steps) < 5.2


def test_large_arrays_are_used_again_once_nobody_has_them():
    first = runtime.empty((300, 300), np.float32, 360_000)
    first[:] = 1
    view = first[5:]
    where = first.ctypes.data
    del first
    second = runtime.empty((300, 300), np.float32, 360_000)
    assert second.ctypes.data != where, "a view still has it"
    assert (view == 1).all()
    del view
    assert runtime.empty((300, 300), np.float32, 360_000).ctypes.data == where


def test_results_outlive_later_calls(backend):
    layer, x = nn.RNN(2, 40), numbers((60, 9, 2)).astype(np.float32)
    y, _ = layer(x)
    before = y.numpy().copy()
    layer(2 * x)[0].sum().backward()
    layer(3 * x)
    np.testing.assert_array_equal(y.numpy(), before)


@pytest.mark.parametrize("name", ["name", "steps", "checkpoint"])
def test_a_name_that_is_imported_when_first_asked_for_is_no_change(monkeypatch, name):
    """As in a new process: the cell's first call is the first to read it."""

    class Cell(nn.Module):
        def initial_state(self, batch):
            return tg.zeros(batch, 2)

        def forward(self, x, h):
            h = tg.tanh(x + h)
            if name == "name":
                h = tg.name(h, "h")
            if name == "steps" and tg.steps is None:
                h = h + 1
            if name == "checkpoint" and tg.checkpoint is None:
                h = h + 1
            return h, h

    monkeypatch.delitem(vars(tg), name, raising=False)
    y, _ = nn.Recurrent(Cell())(tg.randn(3, 1, 2, requires_grad=True))
    assert "t = 3" in tg.graph(y).to_dot()
