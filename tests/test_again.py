"""Calls like an earlier one: nothing is asked twice, and whatever has changed since is seen."""

from contextlib import nullcontext
from unittest.mock import Mock

import numpy as np
import pytest
from changed_layers import CHANGES, a_method
from made_up_cells import CELLS, H, I, MadeUp, filled, tensors
from support import assert_close, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, call_cache, cells
from tinygrad_rnn.scan.tracing import Untraceable

LAYERS = {
    "RNN": lambda: nn.RNN(I, H, nonlinearity="relu"),
    "LSTM": lambda: nn.LSTM(I, H),
    "projected": lambda: nn.LSTM(I, H, proj_size=2),
    "peephole": lambda: nn.LSTM(I, H, peephole=True),
    "GRU": lambda: nn.GRU(I, H, batch_first=True),
    "no bias": lambda: nn.GRU(I, H, bias=False),
}


def outcome(layer, x, hx=None):
    """Values, and the gradients of all Parameters from differently weighted outputs."""
    layer.zero_grad()
    y, last = layer(x, hx)
    outs = [y, *tensors(last)]
    total = sum((t * tg.tensor(numbers(t.shape, 7 + k))).sum() for k, t in enumerate(outs))
    if total.requires_grad:
        total.backward()
    grads = [np.zeros(p.shape) if p.grad is None else p.grad.numpy() for p in layer.parameters()]
    return [t.detach().numpy() for t in outs], grads


def right(layer, x, hx=None, compiled=True):
    """What the layer gives is what it gives op by op."""
    got = outcome(layer, x, hx)
    assert layer.explain().startswith("compiled" if compiled else "recorded"), layer.explain()
    layer.compiled = False
    expected = outcome(layer, x, hx)
    layer.compiled = True
    for a, b in zip(got[0] + got[1], expected[0] + expected[1], strict=True):
        assert_close(a, b, 1e-12)
    return got


@pytest.fixture
def nothing_traced(monkeypatch):
    """From when it is called: no cell is traced."""

    refuse = Mock(side_effect=Untraceable("it was to be traced again"))
    return lambda: monkeypatch.setattr(cells, "_trace_twice", refuse)


# ---- built-in layers ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LAYERS)
def test_a_call_like_the_last_goes_the_short_way_and_is_right(kind, nothing_asked):
    layer = filled(LAYERS[kind]())
    outcome(layer, tg.tensor(numbers((2, 2, I), 1)))
    nothing_asked()
    for steps in (5, 1, 8):
        shape = (2, steps, I) if layer.batch_first else (steps, 2, I)
        for hx in (None, layer(tg.tensor(numbers(shape, 4)))[1]):
            hx = tg.detach(hx)
            right(layer, tg.tensor(numbers(shape, steps)), hx)
    with tg.no_grad():
        y, last = layer(tg.tensor(numbers(shape, 2)))
    assert not any(t.requires_grad for t in (y, *tensors(last)))


def test_the_inputs_gradient_comes_the_short_way_too(nothing_asked):
    layer = filled(nn.LSTM(I, H))
    grads = []
    for compiled in (True, True, False):
        layer.compiled = compiled
        x = tg.tensor(numbers((5, 2, I), 1), requires_grad=True)
        y, (_, c) = layer(x)
        (y.square().sum() + c.sum()).backward()
        grads.append(x.grad.numpy())
    np.testing.assert_array_equal(grads[0], grads[1])
    for t in range(5):
        assert_close(grads[1][t], grads[2][t], 1e-12)


def test_a_gradient_that_comes_from_a_last_state_alone():
    layer = filled(nn.LSTM(I, H))
    x, found = tg.tensor(numbers((5, 2, I), 1)), []
    for compiled in (True, True, False):
        layer.compiled = compiled
        layer.zero_grad()
        layer(x)[1][1].square().sum().backward()
        found.append([p.grad.numpy() for p in layer.parameters()])
    for a, b, c in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
        assert_close(b, c, 1e-12)


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_since_is_seen(change):
    layer, x = filled(nn.LSTM(I, H)), tg.tensor(numbers((5, 2, I), 1))
    before = right(layer, x)
    change(layer)
    after = right(layer, x, compiled=change is not a_method)
    same = [
        np.array_equal(a, b)
        for a, b in zip(before[0] + before[1], after[0] + after[1], strict=True)
    ]
    assert not all(same)


def test_another_precision_and_another_nonlinearity():
    layer, x = filled(nn.RNN(I, H)), numbers((5, 2, I), 1)
    right(layer, tg.tensor(x))
    layer._first.nonlinearity = layer.nonlinearity = "relu"
    right(layer, tg.tensor(x))
    layer.float()
    assert layer(tg.tensor(x.astype(np.float32)))[0].dtype == tg.float32


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("make", [lambda: nn.LSTM(3, 3), lambda: nn.Recurrent(nn.GRUCell(3, 3))])
def test_weights_of_another_precision_than_the_inputs_are_no_memory_to_read_wrongly(make, backend):
    """A program for float32 read float64 weights as if they were float32."""
    if backend == "numba":
        pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    layer, x = make(), tg.tensor(numbers((4, 2, 3)).astype(np.float32))
    with backends.using(backend):
        layer(x)[0].sum().backward()
        layer.to(tg.float64).zero_grad()
        found = {}
        for layer.compiled in (True, False):
            y = layer(x)[0]
            y.sum().backward()
            found[layer.compiled] = [y.detach(), *(p.grad for p in layer.parameters())]
            layer.zero_grad()
    for ours, right in zip(found[True], found[False], strict=True):
        assert ours.dtype == right.dtype == tg.float64
        assert_close(ours, right, 1e-12)


def test_a_state_that_asks_for_a_gradient_gets_it():
    layer, x = filled(nn.GRU(I, H)), tg.tensor(numbers((5, 2, I), 1))
    layer(x)
    h = tg.tensor(numbers((1, 2, H), 3), requires_grad=True)
    layer(x, h)[0].square().sum().backward()
    got = h.grad.numpy()
    h.grad, layer.compiled = None, False
    layer(x, h)[0].square().sum().backward()
    assert_close(got, h.grad.numpy(), 1e-12)


@pytest.mark.parametrize(
    ("x", "hx"),
    [
        (np.zeros((4, 2, I + 1)), None),
        (np.zeros((0, 2, I)), None),
        (np.zeros((4, 2, 1, I)), None),
        (np.zeros((4, 2, I), int), None),
        (np.zeros((4, 2, I)), np.zeros((1, 3, H))),
        (np.zeros((4, 2, I)), (np.zeros((1, 2, H)), np.zeros((1, 2, H)))),
    ],
)
def test_what_is_wrong_is_told_as_at_the_first_call(x, hx):
    def said(layer):
        given = tg.tensor(hx) if isinstance(hx, np.ndarray) else hx and tuple(map(tg.tensor, hx))
        with pytest.raises((ValueError, TypeError)) as caught:
            layer(tg.tensor(x), given)
        return str(caught.value)

    used = filled(nn.GRU(I, H))
    used(tg.tensor(numbers((4, 2, I), 1)))
    assert said(used) == said(filled(nn.GRU(I, H)))


def test_listeners_and_anomaly_mode_go_the_recorded_way():
    layer, x = filled(nn.LSTM(I, H)), tg.tensor(numbers((4, 2, I), 1))
    layer(x)
    with nn.record_gates(layer) as gates:
        layer(x)
    assert gates["f"].shape == (4, 2, H)
    with tg.detect_anomaly():
        layer(x)
    assert "detect_anomaly" in layer.explain()
    layer(x)
    assert layer.explain().startswith("compiled")


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_graph_of_such_a_call_is_the_recorded_one(kind):
    layer, x, dots = filled(LAYERS[kind]()), tg.tensor(numbers((2, 6, I), 1)), []
    for compiled in (True, True, False):
        layer.compiled = compiled
        y, last = layer(x, None, first_step=3)
        dots.append(tg.graph(y.sum() + tensors(last)[0].sum()).to_dot(level="op"))
        assert tensors(last)[0]._step == 3 + (5 if layer.batch_first else 1)
    assert dots[0] == dots[1] == dots[2]


def test_a_given_state_is_drawn_with_the_values_of_its_time():
    layer, x = filled(nn.GRU(I, H)), tg.tensor(numbers((3, 2, I), 1))
    layer(x)
    h = tg.tensor(numbers((1, 2, H), 3))
    y, _ = layer(x, h)
    before = y.detach().numpy().copy()
    h.zero_()
    layer.weight_hh_l0.requires_grad = False
    with tg.no_grad():
        layer.weight_hh_l0.zero_()
    y.sum()._node.parents[0].parents  # noqa: B018 (looking records the steps)
    assert len(tg.graph(y).steps) == 3
    np.testing.assert_array_equal(y.detach().numpy(), before)


def test_a_layer_that_is_gone_leaves_nothing():
    layer = nn.LSTM(I, H)
    layer(tg.tensor(numbers((3, 2, I)).astype(np.float32)))
    known = len(call_cache._prepared)
    del layer
    assert len(call_cache._prepared) == known - 1


# ---- cells of the user's own ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", CELLS, ids=lambda kind: kind.__name__)
def test_a_cell_that_is_as_it_was_is_neither_traced_nor_run(kind, nothing_traced):
    layer, x = filled(nn.Recurrent(kind())), tg.tensor(numbers((5, 2, I), 1))
    first = outcome(layer, x)
    said = layer.explain()
    nothing_traced()
    second = outcome(layer, x)
    assert layer.explain() == said
    assert said.startswith("recorded" if kind.__name__ == "Untouched" else "compiled")
    for a, b in zip(first[0] + first[1], second[0] + second[1], strict=True):
        np.testing.assert_array_equal(a, b)


FACTOR = 1.0


class Changeable(MadeUp):
    """Everything that can change between calls."""

    def more(self):
        self.scale, self.twice, self.kinds, self.names = 1.0, False, [2.0], {"k": 1.0}
        self.inner = nn.Linear(H, H)
        self.norm = nn.LayerNorm(H)
        self.inner.extra = 1.0
        self.shift = 0.0

    def forward(self, x, h):
        z = self.drive(x, h) * self.scale * self.kinds[0] * self.names["k"] * FACTOR + self.shift
        z = self.norm(self.inner(z)) * self.inner.extra
        for _ in range(2 if self.twice else 1):
            z = z.tanh()
        h = z - h if self.training else z + h
        return h, h


def another_global(cell):
    global FACTOR
    FACTOR = 0.5


CELL_CHANGES = {
    "a number": lambda cell: setattr(cell, "scale", 0.5),
    "the sign of zero": lambda cell: setattr(cell, "shift", -0.0),
    "a switch": lambda cell: setattr(cell, "twice", True),
    "a list's item": lambda cell: cell.kinds.__setitem__(0, 3.0),
    "a dict's item": lambda cell: cell.names.__setitem__("k", 3.0),
    "a number of a module inside": lambda cell: setattr(cell.inner, "extra", 0.5),
    "a module": lambda cell: setattr(cell, "inner", filled_with_extra()),
    "a Parameter": lambda cell: setattr(cell, "b", nn.Parameter(numbers(H, 8))),
    "a Parameter's shape": lambda cell: setattr(cell, "b", nn.Parameter(numbers((1, H), 8))),
    "evaluation": lambda cell: cell.eval(),
    "a global": another_global,
    "a method": lambda cell: setattr(cell, "drive", lambda x, h: x.mean(-1, keepdim=True) - h),
    "values of a Parameter": lambda cell: write(cell.W),
}


def write(parameter):
    with tg.no_grad():
        parameter.mul_(0.5)


def filled_with_extra():
    inner = nn.Linear(H, H).double()
    inner.extra = 1.0
    return inner


@pytest.mark.parametrize("change", CELL_CHANGES)
def test_a_cell_that_changed_is_seen(change, monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", 1.0)
    layer, x = filled(nn.Recurrent(Changeable())), tg.tensor(numbers((5, 2, I), 1))
    for _ in range(2):
        before = right(layer, x)
    CELL_CHANGES[change](layer.cell)
    for _ in range(2):
        after = right(layer, x)
    if change != "the sign of zero":
        assert not all(
            a.shape == b.shape and np.allclose(a, b)
            for a, b in zip(before[0], after[0], strict=True)
        )


def test_a_cell_that_begins_to_differ_from_step_to_step_is_recorded():
    counted = [0]

    class Begins(MadeUp):
        def forward(self, x, h):
            counted[0] += started
            second = started and counted[0] % 2 == 0  # the first step is as ever
            h = (self.drive(x, h) * (2.0 if second else 1.0)).tanh()
            return h, h

    started = 0
    layer, x = filled(nn.Recurrent(Begins())), tg.tensor(numbers((5, 2, I), 1))
    right(layer, x, compiled=False)
    started = 1
    layer(x)
    assert "it changes a list that outlives the step" in layer.explain()


def test_a_cell_that_begins_to_look_at_values_is_recorded():
    class Looks(MadeUp):
        def forward(self, x, h):
            z = self.drive(x, h)
            try:
                double = looks and float(z.sum()) > 0
            except Exception:  # as careless code does
                double = False
            h = (2 * z if double else z).tanh()
            return h, h

    looks = False
    layer, x = filled(nn.Recurrent(Looks())), tg.tensor(numbers((5, 2, I), 1))
    right(layer, x, compiled=False)
    looks = True
    got = outcome(layer, x)
    assert "forward catches exceptions" in layer.explain()
    layer.compiled = False
    expected = outcome(layer, x)
    for a, b in zip(got[0] + got[1], expected[0] + expected[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_cell_that_stops_recording_is_not_followed():
    """The same ops without a derivative: the gradient is another one."""

    class Held(MadeUp):
        def forward(self, x, h):
            z = self.drive(x, h)
            with tg.no_grad() if held else nullcontext():
                s = 2 * z + 1
            h = (z * s).tanh()
            return h, h

    layer, x = filled(nn.Recurrent(Held())), tg.tensor(numbers((5, 2, I), 1))
    found = []
    for now in (False, False, True, True, False):
        held = now
        found.append(right(layer, x)[1])  # compiled, and equal to the recorded loop
    assert not np.allclose(found[1][0], found[2][0])
    np.testing.assert_array_equal(found[0][0], found[4][0])


def test_an_output_without_a_gradient_is_recorded():
    class Quiet(MadeUp):
        def forward(self, x, h):
            h = self.drive(x, h).tanh()
            with tg.no_grad():
                y = 2 * h
            return y, h

    layer, x = filled(nn.Recurrent(Quiet())), tg.tensor(numbers((5, 2, I), 1))
    for _ in range(2):
        right(layer, x, compiled=False)
    layer(x)
    assert "computed without a gradient" in layer.explain()


def test_tracing_draws_nothing_and_marks_nothing():
    class Draws(MadeUp):
        def forward(self, x, h):
            z = self.drive(x, h)
            if draws:
                z = nn.functional.dropout(z, 0.5, True)
            return z, z

    draws = False
    layer, x = filled(nn.Recurrent(Draws())), tg.tensor(numbers((5, 2, I), 1))
    layer(x)
    nodes = [p._node for p in layer.parameters()]
    layer(x)
    assert [p._node for p in layer.parameters()] == nodes
    draws = True
    results = []
    for compiled in (True, False):
        tg.manual_seed(3)
        layer.compiled = compiled
        results.append(layer(x)[0].detach().numpy())
    np.testing.assert_array_equal(*results)


def test_constants_of_the_call_are_taken_with_their_own_values(nothing_traced):
    class Told(MadeUp):
        def forward(self, x, h, *, told):
            h = (self.drive(x, h) + told).tanh()
            return h, h

    layer, x = filled(nn.Recurrent(Told())), tg.tensor(numbers((5, 2, I), 1))
    layer(x, told=tg.tensor(numbers(H, 3)))
    nothing_traced()
    for seed in (4, 5):
        told = tg.tensor(numbers(H, seed), requires_grad=True)
        layer(x, told=told)[0].sum().backward()
        got = told.grad.numpy()
        told.grad, layer.compiled = None, False
        layer(x, told=told)[0].sum().backward()
        layer.compiled = True
        assert_close(got, told.grad.numpy(), 1e-12)


def test_variants_are_few_and_go_with_their_cell(monkeypatch):
    monkeypatch.setattr(cells, "MOST", 4)
    layer = filled(nn.Recurrent(Changeable()))
    for batch in range(1, 8):
        layer(tg.tensor(numbers((3, batch, I), 1)))
    assert len(cells._variants[layer.cell]) == 4
    known = len(cells._variants)
    del layer
    assert len(cells._variants) == known - 1


# ---- built-in cells in a loop of the user's own ----------------------------------------------------

BARE = {
    "RNNCell": lambda: nn.RNNCell(I, H),
    "relu": lambda: nn.RNNCell(I, H, nonlinearity="relu"),
    "LSTMCell": lambda: nn.LSTMCell(I, H),
    "projected": lambda: nn.LSTMCell(I, H, proj_size=2),
    "without bias": lambda: nn.LSTMCell(I, H, bias=False),
    "GRUCell": lambda: nn.GRUCell(I, H),
    "reset before": lambda: nn.GRUCell(I, H, reset_after=False),
    "PeepholeLSTMCell": lambda: nn.PeepholeLSTMCell(I, H),
    "CoupledLSTMCell": lambda: nn.CoupledLSTMCell(I, H),
    "LayerNormLSTMCell": lambda: nn.LayerNormLSTMCell(I, H),
}


def looped(cell, xs, start=None, compiled=True):
    """The states of a loop over a bare cell, all of them used, and the gradients."""
    cell.compiled = compiled
    cell.zero_grad()
    xs = [tg.tensor(x, requires_grad=True) for x in xs]
    state = start
    outs = []
    for x in xs:
        state = cell(x, state)
        outs += tensors(state)
    total = sum((t * tg.tensor(numbers(t.shape, 7 + k))).sum() for k, t in enumerate(outs))
    total.backward()
    grads = [x.grad.numpy() for x in xs] + [p.grad.numpy() for p in cell.parameters()]
    return [t.detach().numpy() for t in outs], grads, outs, total


@pytest.mark.parametrize("kind", BARE)
def test_a_cell_in_a_loop_of_ones_own_is_one_node_a_call_and_is_right(kind):
    cell, xs = filled(BARE[kind]()), [numbers((2, I), k) for k in range(5)]
    got, expected = (looped(cell, xs, compiled=on) for on in (True, False))
    nodes = [t._node for t in got[2]]
    assert all(type(node).__name__ == "LazyOutput" and node.fold is not None for node in nodes)
    for a, b in zip(got[0] + got[1], expected[0] + expected[1], strict=True):
        assert_close(a, b, 1e-12)


@pytest.mark.parametrize("kind", BARE)
@pytest.mark.parametrize("level", ["cell", "op"])
def test_the_graph_of_such_a_loop_is_the_recorded_one(kind, level):
    cell, xs = filled(BARE[kind]()), [numbers((2, I), k) for k in range(6)]
    dots = [tg.graph(looped(cell, xs, compiled=on)[3]).to_dot(level=level) for on in (True, False)]
    assert dots[0] == dots[1]


def test_such_a_loops_ledger_and_steps_are_the_recorded_ones():
    cell, xs, found = filled(nn.LSTMCell(I, H)), [numbers((2, I), k) for k in range(4)], []
    for compiled in (True, False):
        _, _, outs, total = looped(cell, xs, compiled=compiled)
        assert [t._step for t in outs] == [0, 0, 1, 1, 2, 2, 3, 3]
        ledger = total.backward(ledger=True)
        assert ledger.steps(cell.weight_hh) == [0, 1, 2, 3]
        found.append(ledger[cell.weight_hh])
    for a, b in zip(*found, strict=True):
        assert_close(np.asarray(a), np.asarray(b), 1e-12)


def test_the_weights_of_a_folded_step_are_among_its_parents_parents():
    cell = filled(nn.GRUCell(I, H))
    h1 = cell(tg.tensor(numbers((2, I), 1)))
    h2 = cell(tg.tensor(numbers((2, I), 2)), h1)
    assert h2._node.fold is not None
    seen, stack = set(), [h2._node]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            stack += node.parents
    assert id(cell.weight_hh._node) in seen
    assert id(h1._node) in seen


def test_a_bare_cell_without_gradients_leaves_no_node():
    cell = filled(nn.LSTMCell(I, H))
    with tg.no_grad():
        h, c = cell(tg.tensor(numbers((2, I), 1)))
        h, c = cell(tg.tensor(numbers((2, I), 1)), (h, c))
    assert h._node is None
    assert h._step == c._step == 1


@pytest.mark.parametrize("change", ["replaced", "written", "method", "float32", "batch", "frozen"])
def test_a_bare_cell_that_changed_is_seen(change):
    cell, xs = filled(nn.RNNCell(I, H)), [numbers((2, I), k) for k in range(3)]
    looped(cell, xs)
    if change == "replaced":
        cell.weight_hh = nn.Parameter(numbers((H, H), 9))
    elif change == "written":
        write(cell.weight_ih)
    elif change == "method":
        cell.step = lambda x, h: (
            h + x.sum(),
            h + x.sum() + 0 * sum(p.sum() for p in cell.parameters()),
        )
    elif change == "float32":
        cell.float()
        assert cell(tg.tensor(xs[0].astype(np.float32))).dtype == tg.float32
        return
    elif change == "batch":
        xs = [numbers((5, I), k) for k in range(3)]
    elif change == "frozen":
        cell.weight_ih.requires_grad = False
        cell.zero_grad()
        state = cell(tg.tensor(xs[0]))
        state.sum().backward()
        assert cell.weight_ih.grad is None
        assert cell.weight_hh.grad is not None
        return
    got, expected = (looped(cell, xs, compiled=on) for on in (True, False))
    for a, b in zip(got[0] + got[1], expected[0] + expected[1], strict=True):
        assert_close(a, b, 1e-12)


def test_gates_of_a_bare_cell_are_heard_and_nan_is_found_where_it_is_made():
    cell = filled(nn.LSTMCell(I, H))
    state = cell(tg.tensor(numbers((2, I), 1)))
    with nn.record_gates(cell) as gates:
        cell(tg.tensor(numbers((2, I), 1)), state)
    assert gates["f"].shape == (1, 2, H)
    x = numbers((2, I), 1)
    x[0, 0] = np.nan
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match="step 1"):
        cell(tg.tensor(x), state)


def test_a_long_loop_over_a_bare_cell_needs_no_recursion_and_leaves_nothing():
    import gc
    import weakref

    cell = nn.RNNCell(1, 2)
    h, x = cell.initial_state(1), tg.ones(1, 1)
    for _ in range(5000):
        h = cell(x, h)
    node = weakref.ref(h._node)
    h.sum().backward()
    gc.collect()
    gc.disable()
    try:
        del h
        assert node() is None
    finally:
        gc.enable()


def test_checkpoint_takes_cells_called_bare():
    cell = filled(nn.LSTMCell(I, H))
    xs = [tg.tensor(numbers((2, I), k)) for k in range(4)]

    def half(state, *xs):
        for x in xs:
            state = cell(x, state)
        return state

    found = []
    for again_ in (False, True):
        cell.zero_grad()
        run = (lambda *a: tg.checkpoint(half, *a)) if again_ else half
        h, c = run(run(cell.initial_state(2), *xs[:2]), *xs[2:])
        (h.sum() + c.square().sum()).backward()
        found.append([p.grad.numpy() for p in cell.parameters()])
    for a, b in zip(*found, strict=True):
        assert_close(a, b, 1e-14)


@pytest.mark.parametrize("how", ["grad", "retain"])
@pytest.mark.parametrize("kind", ["LSTMCell", "PeepholeLSTMCell"])
def test_the_derivative_by_c_holds_the_way_through_h(kind, how):
    """c and h come of one node, and h is made of c."""
    cell, found = filled(BARE[kind]()), []
    for compiled in (True, False):
        cell.compiled = compiled
        x, states, state = tg.tensor(numbers((2, I), 1)), [], None
        for _ in range(3):
            state = cell(x, state)
            states.append(state)
            if how == "retain":
                [t.retain_grad() for t in state]
        loss = state[0].square().sum()
        asked = [t for pair in states for t in pair]
        if how == "grad":
            grads = tg.grad(loss, asked)
        else:
            loss.backward()
            grads = [t.grad for t in asked]
        found.append([g.numpy() for g in grads])
    for a, b in zip(*found, strict=True):
        assert_close(a, b, 1e-12)
    assert found[0][-1].any(), "the last c is in the loss by h alone"
