"""The engine: the right gradient or an exception, whatever is shared, repeated, carried or changed."""

import contextlib
import copy
import gc
import threading
import time

import numpy as np
import pytest
from support import assert_close, assert_each_close, complex_gradient, numbers, weights

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.engine import gradients, places

F = nn.functional


def leaf(values, dtype=tg.float64):
    return tg.tensor(values, dtype=dtype, requires_grad=True)


# ---- closed forms --------------------------------------------------------------------------------


def test_micrograd_sanity_check():
    x = leaf(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    assert (y.item(), x.grad.item()) == (-20.0, 46.0)  # as PyTorch has them


def test_micrograd_more_ops():
    a, b = leaf(-4.0), leaf(2.0)
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + (b + a).relu()
    d = d + 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g = g + 10.0 / f
    g.backward()
    assert g.item() == pytest.approx(24.70408163265306, rel=1e-14)
    assert a.grad.item() == pytest.approx(138.83381924198252, rel=1e-14)
    assert b.grad.item() == pytest.approx(645.5772594752186, rel=1e-14)


def test_closed_form_of_the_recurrence():
    """x_t = w x_{t-1}: dx_3/dw = 3 w**2 x_0, the sum of three equal shares."""
    w, x = leaf(0.2), tg.tensor(0.9, dtype=tg.float64)
    for _ in tg.steps(3):
        x = w * x
    ledger = x.backward(ledger=True)
    assert w.grad.item() == pytest.approx(0.108, rel=1e-14)
    np.testing.assert_allclose(ledger[w], [0.036] * 3, rtol=1e-14)


# ---- sharing -------------------------------------------------------------------------------------


def _diamond(a):
    b = a * 2
    return (b * b + b.tanh()) * b


def _ladder(a):
    for _ in range(30):
        a = a * 0.5 + a * 0.4  # 2**30 paths, 60 nodes
    return a


SHARED = {
    "a + a": (lambda a: a + a, lambda a: 2 + 0 * a),
    "a - a": (lambda a: a - a, lambda a: 0 * a),
    "a * a": (lambda a: a * a, lambda a: 2 * a),
    "a / a": (lambda a: a / a, lambda a: 0 * a),
    "a @ a": (lambda a: a @ a, lambda a: 2 * a),
    "a ** a": (lambda a: a**a, lambda a: a**a * (np.log(a) + 1)),
    "maximum(a, a)": (lambda a: tg.maximum(a, a), lambda a: 1 + 0 * a),
    "where(c, a, a)": (lambda a: tg.where(a > 0.5, a, a), lambda a: 1 + 0 * a),
    "stack of one": (lambda a: tg.stack([a, a, a]), lambda a: 3 + 0 * a),
    "cat of one": (lambda a: tg.cat([a, a]), lambda a: 2 + 0 * a),
    "parts and whole": (lambda a: a[:2].sum() + a.sum() + a[1:].sum(), lambda a: [2, 3, 2]),
    "parts, then whole": (lambda a: (lambda p: a.sum() + a.sum() + p)(a[0]), lambda a: [3, 2, 2]),
    "one item twice": (lambda a: (lambda p: p[0] * p[0] + p[0])(a.unbind()), None),
    "diamond": (_diamond, lambda a: 24 * a**2 + 2 * np.tanh(2 * a) + 4 * a / np.cosh(2 * a) ** 2),
    "ladder": (_ladder, lambda a: 0.9**30 + 0 * a),
}


@pytest.mark.parametrize("name", SHARED)
def test_a_value_used_more_than_once(name):
    function, derivative = SHARED[name]
    values = np.array([0.3, 0.7, 1.1])
    a = leaf(values)
    function(a).sum().backward()
    expected = derivative(values) if derivative else [2 * 0.3 + 1, 0, 0]
    np.testing.assert_allclose(a.grad.numpy(), expected, rtol=1e-12, atol=1e-15)


def test_a_scalar_taken_whole_and_by_an_empty_index():
    """0-d sums are numpy scalars on the way; a sparse gradient must still find a buffer."""
    x = leaf(3.0)
    part = x[()]
    (part + x * 2 + x * 3).backward()
    assert x.grad.item() == 6.0


def test_a_plus_a_is_two_edges():
    a = leaf(1.0)
    graph = tg.graph(a + a)
    assert len(graph.uses(a)) == 2
    assert [use.operand for use in graph.uses(a)] == [0, 1]


def test_subgraph_shared_by_two_losses():
    w = leaf([0.5, -0.3])
    hidden = (w * 3).tanh()
    first, second = hidden.sum(), (hidden * hidden).sum()
    first.backward()
    alone = w.grad.numpy()
    second.backward()
    w2 = leaf([0.5, -0.3])
    hidden = (w2 * 3).tanh()
    (hidden.sum() + (hidden * hidden).sum()).backward()
    assert_close(w.grad, w2.grad, 1e-15)
    assert not np.array_equal(alone, w.grad.numpy())


def test_a_parameter_of_two_layers():
    a, b = nn.Linear(3, 3).double(), nn.Linear(3, 3).double()
    b.weight = a.weight
    x = tg.tensor(numbers((2, 3)))
    b(a(x).tanh()).sum().backward()
    w, c, d = (p.numpy() for p in (a.weight, a.bias, b.bias))

    def loss(w, c, d):
        return (np.tanh(x.numpy() @ w.T + c) @ w.T + d).sum()

    for ours, expected in zip(
        (a.weight.grad, a.bias.grad, b.bias.grad), complex_gradient(loss, [w, c, d]), strict=True
    ):
        assert_each_close(ours, expected, 1e-12)


# ---- backward: calls, arguments, errors ----------------------------------------------------------


def _small_lstm():
    lstm = nn.LSTM(2, 3, num_layers=2)
    return lstm, lstm(tg.tensor(numbers((4, 2, 2)), dtype=tg.float32))[0].square().sum()


def test_backward_twice_adds_exactly_the_gradient_again():
    lstm, loss = _small_lstm()
    loss.backward()
    once = [p.grad.numpy() for p in lstm.parameters()]
    loss.backward()
    for p, g in zip(lstm.parameters(), once, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g + g)
    loss.backward(retain_graph=True)
    for p, g in zip(lstm.parameters(), once, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), (g + g) + g)


def test_plain_backward_returns_none():
    assert leaf(1.0).sum().backward() is None


@pytest.mark.parametrize("kind", [np.array, tg.tensor, list], ids=["array", "tensor", "list"])
def test_gradient_argument_weights_the_elements(kind):
    x = leaf([1.0, 2.0, 3.0])
    (x * x).backward(kind([1.0, 10.0, 0.0]))
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 40.0, 0.0])
    (x * x).backward(gradient=tg.tensor([1, 1, 1]))
    np.testing.assert_array_equal(x.grad.numpy(), [4.0, 44.0, 6.0])


@pytest.mark.parametrize("dtype", [tg.float16, tg.float32, tg.float64], ids=str)
def test_a_gradient_has_its_tensors_dtype_and_shape(dtype):
    x = leaf([[1.0, 2.0]], dtype)
    wide = x.double() * 3 + x.float()
    wide.backward(np.ones((1, 2)))
    assert (x.grad.dtype, x.grad.shape) == (dtype, (1, 2))
    np.testing.assert_array_equal(x.grad.numpy(), [[4.0, 4.0]])


BAD_BACKWARDS = {
    "no scalar": (lambda: leaf([1.0, 2.0]).backward(), RuntimeError, r"scalar.*shape \(2,\)"),
    "wrong gradient": (
        lambda: (leaf([1.0, 2.0]) * 2).backward(np.ones(3)),
        ValueError,
        r"shape \(3,\), expected \(2,\)",
    ),
    "nothing recorded": (lambda: tg.ones(()).backward(), RuntimeError, "requires a gradient"),
    "detached": (lambda: (leaf(1.0) * 2).detach().backward(), RuntimeError, "detached"),
    "grad of a constant": (
        lambda: tg.grad(leaf(1.0) * 2, tg.ones(())),
        RuntimeError,
        "requires a gradient",
    ),
    "grad of a stranger": (
        lambda: tg.grad(leaf(1.0) * 2, leaf(1.0)),
        RuntimeError,
        "takes no part.*allow_unused",
    ),
    "count of grad_outputs": (
        lambda: tg.grad(
            (lambda a: [a * 1, a * 2])(leaf(1.0)), leaf(1.0), grad_outputs=[tg.ones(())]
        ),
        ValueError,
        "1 grad_outputs for 2 outputs",
    ),
    "grad of the wrong shape": (
        lambda: setattr(leaf([1.0, 2.0]), "grad", tg.ones(3)),
        ValueError,
        r"shape \(3,\), expected \(2,\)",
    ),
    "grad of a computed tensor": (
        lambda: setattr(leaf([1.0]) * 2, "grad", tg.ones(1)),
        RuntimeError,
        "only a leaf",
    ),
    "integer that requires a gradient": (
        lambda: tg.tensor([1, 2], requires_grad=True),
        TypeError,
        "only floats.*int64",
    ),
    "computed tensor made no leaf": (
        lambda: (leaf(1.0) * 2).requires_grad_(False),
        RuntimeError,
        "detach",
    ),
    "retain_grad of a constant": (lambda: tg.ones(2).retain_grad(), RuntimeError, "requires"),
}


@pytest.mark.parametrize("name", BAD_BACKWARDS)
def test_what_cannot_be_derived_says_why(name):
    function, error, words = BAD_BACKWARDS[name]
    with pytest.raises(error, match=words):
        function()


def test_retain_grad_keeps_the_gradient_of_a_computed_tensor():
    x = leaf([1.0, 2.0])
    y = x * 3
    z = y * y
    y.retain_grad()
    z.sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [6.0, 12.0])
    np.testing.assert_array_equal(x.grad.numpy(), [18.0, 36.0])
    assert z.grad is None
    z.sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [12.0, 24.0])
    y.grad = None
    assert y.grad is None


def test_retain_grad_of_a_part_and_of_the_root():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    first, second = (x * 2).chunk(2)
    first.retain_grad()
    root = (first * second).sum()
    root.retain_grad()
    root.backward()
    np.testing.assert_array_equal(first.grad.numpy(), second.numpy())
    assert root.grad.item() == 1.0


def test_leaf_and_requires_grad_flags():
    x = tg.ones(2)
    assert (x.is_leaf, x.requires_grad, x.grad) == (True, False, None)
    y = x * 2
    assert (y.is_leaf, y.requires_grad) == (True, False)
    x.requires_grad_()
    z = x * 2
    assert (x.is_leaf, z.is_leaf, z.requires_grad) == (True, False, True)
    assert not y.requires_grad, "what was computed before takes no part"
    assert not (z > 1).requires_grad
    assert not z.long().requires_grad


# ---- recording on and off ------------------------------------------------------------------------


def test_no_grad_and_enable_grad_as_contexts_and_decorators():
    w = leaf([1.0])

    @tg.no_grad()
    def off():
        return w * 2

    @tg.enable_grad()
    def on():
        return w * 2

    assert not off().requires_grad
    with tg.no_grad():
        assert not tg.is_grad_enabled()
        assert not (w * 2).requires_grad
        assert on().requires_grad
        with tg.enable_grad():
            assert (w * 2).requires_grad
            assert not off().requires_grad
        assert not (w * 2).requires_grad
    assert tg.is_grad_enabled()
    assert off.__name__ == "off"


def test_recording_comes_back_after_an_error_and_when_one_object_is_nested():
    guard = tg.no_grad()
    with pytest.raises(KeyError), guard, guard:
        raise KeyError
    assert tg.is_grad_enabled()


def test_recording_is_per_thread():
    seen = {}
    inside, checked = threading.Event(), threading.Event()

    def other():
        seen["before"] = tg.is_grad_enabled()
        with tg.no_grad():
            inside.set()
            checked.wait(10)
            seen["inside"] = tg.is_grad_enabled()

    with tg.no_grad():
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait(10)
        with tg.enable_grad():
            assert tg.is_grad_enabled()
            checked.set()
        thread.join()
    assert seen == {"before": True, "inside": False}


def test_detach_cuts_and_shares_values():
    x = leaf([2.0])
    y = x * 3
    cut = y.detach()
    assert cut.is_leaf
    assert not cut.requires_grad
    (y * cut).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [18.0])


def test_detach_of_a_state_of_any_nesting():
    x = leaf([2.0])
    state = {"a": (x * 1, [x * 2]), "n": 3, "none": None}
    cut = tg.detach(state)
    assert cut["n"] == 3
    assert cut["none"] is None
    assert isinstance(cut["a"], tuple)
    assert isinstance(cut["a"][1], list)
    assert not cut["a"][0].requires_grad
    assert not cut["a"][1][0].requires_grad
    np.testing.assert_array_equal(cut["a"][1][0].numpy(), [4.0])


# ---- grad ----------------------------------------------------------------------------------------


def test_grad_of_any_order():
    x = leaf([0.3, 1.2])
    y, orders = x**5, [5, 20, 60, 120, 120]
    for k, factor in enumerate(orders):
        (y,) = tg.grad(y, x, grad_outputs=tg.ones(2, dtype=tg.float64), create_graph=True)
        assert_each_close(y.detach(), factor * x.numpy() ** (4 - k), 1e-13, f"order {k + 1}")
    assert x.grad is None, "grad leaves the leaves as they are"


def test_higher_orders_of_tanh():
    x = leaf(0.7)
    y = x.tanh()
    t = np.tanh(0.7)
    d1 = 1 - t * t
    expected = [d1, -2 * t * d1, (6 * t * t - 2) * d1, (16 * t - 24 * t**3) * d1]
    for value in expected:
        (y,) = tg.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(value, rel=1e-13)


def test_create_graph_through_backward():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = tg.grad(x.grad, x)
    assert second.item() == 18.0


def test_gradient_penalty_reaches_the_parameters():
    """A loss made of a gradient: d/dw of |d tanh(w x)/dx|^2."""
    w, x = leaf(0.8), leaf(0.5)
    (slope,) = tg.grad((w * x).tanh(), x, create_graph=True)
    (slope * slope).backward()

    def penalty(w):
        return ((w * (1 - np.tanh(w * 0.5) ** 2)) ** 2).item()

    (expected,) = complex_gradient(
        lambda w: (w * (1 - np.tanh(w * 0.5) ** 2)) ** 2, [np.array(0.8)]
    )
    assert penalty(np.array(0.8)) == pytest.approx((slope * slope).item(), rel=1e-14)
    assert_each_close(w.grad, expected, 1e-12)


def test_grad_of_several_outputs_and_inputs_computed_ones_too():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    middle = x * y
    out = middle.sum(), (middle * x).sum()
    dx, dm, dy = tg.grad(out, [x, middle, y])
    np.testing.assert_array_equal(dm.numpy(), 1 + x.numpy())
    np.testing.assert_array_equal(dx.numpy(), y.numpy() * (1 + x.numpy()) + middle.numpy())
    np.testing.assert_array_equal(dy.numpy(), x.numpy() * (1 + x.numpy()))
    (by_middle,) = tg.grad(out[1], middle)
    np.testing.assert_array_equal(by_middle.numpy(), x.numpy())


def test_grad_outputs_and_allow_unused():
    x, unused = leaf([1.0, 2.0]), leaf(1.0)
    first, second = tg.grad(
        [x * x, x.sum()], [x, unused], grad_outputs=[np.array([1.0, 3.0]), None], allow_unused=True
    )
    np.testing.assert_array_equal(first.numpy(), [3.0, 13.0])
    assert second is None
    (same,) = tg.grad(x.sum(), x)
    np.testing.assert_array_equal(same.numpy(), [1.0, 1.0])
    (itself,) = tg.grad(unused, unused)
    assert itself.item() == 1.0


def test_second_order_through_an_lstm():
    """Hessian times vector of a whole LSTM against differences of its gradients."""
    lstm = nn.LSTM(2, 2).double()
    x = tg.tensor(numbers((3, 1, 2)))
    names = [name for name, _ in lstm.named_parameters()]
    start = [p.numpy() for p in lstm.parameters()]

    def gradients(values, create_graph=False):
        lstm.load_state_dict(dict(zip(names, values, strict=True)))
        loss = lstm(x)[0].square().sum()
        return tg.grad(loss, list(lstm.parameters()), create_graph=create_graph)

    v = [weights(a.shape, k) for k, a in enumerate(start)]
    first = gradients(start, create_graph=True)
    total = sum((g * tg.tensor(u)).sum() for g, u in zip(first, v, strict=True))
    hv = tg.grad(total, list(lstm.parameters()))
    eps = 1e-4
    ahead = gradients([a + eps * u for a, u in zip(start, v, strict=True)])
    behind = gradients([a - eps * u for a, u in zip(start, v, strict=True)])
    for ours, p, m in zip(hv, ahead, behind, strict=True):
        assert_each_close(ours, (p.numpy() - m.numpy()) / (2 * eps), 1e-5, floor=1e-2)


# ---- stale leaves --------------------------------------------------------------------------------


class LeakyIntegrator(nn.Module):
    """h = 0.9 h + x + b: no rule of it reads a weight, so saved values cannot betray a write."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(np.full(2, 0.1))

    def forward(self, x, h):
        h = 0.9 * h + x + self.bias
        return h, h

    def initial_state(self, batch):
        return tg.zeros(batch, 2, dtype=tg.float64)


LAYERS = {
    "lstm": lambda: nn.LSTM(2, 2).double(),
    "rnn": lambda: nn.RNN(2, 2, num_layers=2).double(),
    "recurrent": lambda: nn.Recurrent(LeakyIntegrator()),
}
PLACES = {"lstm": "lstm", "rnn": "rnn", "recurrent": "recurrent.cell"}


def _minus(model, _):
    for p in model.parameters():
        with tg.no_grad():
            p -= 0.1 * p


def _each(method, *args):
    def write(model, _):
        with tg.no_grad():
            for p in model.parameters():
                getattr(p, method)(*args)

    return write


WRITERS = {
    "SGD.step()": lambda model, optimizer: optimizer.step(),
    "load_state_dict": lambda model, _: model.load_state_dict(model.state_dict()),
    "nn.init.zeros_": lambda model, _: [nn.init.zeros_(p) for p in model.parameters()],
    "nn.init.uniform_": lambda model, _: [nn.init.uniform_(p) for p in model.parameters()],
    "copy_": _each("copy_", 0.5),
    "zero_": _each("zero_"),
    "fill_": _each("fill_", 2.0),
    "-=": _minus,
    "to(float32)": lambda model, _: model.float(),
}


def _snapshot(model):
    return [None if p.grad is None else p.grad.numpy().copy() for p in model.parameters()]


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_write_between_forward_and_backward_is_refused(layer, writer):
    model = LAYERS[layer]()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x = tg.tensor(numbers((3, 1, 2)))
    model(x)[0].sum().backward()
    loss = model(x)[0].sum()
    WRITERS[writer](model, optimizer)
    before = _snapshot(model)
    with pytest.raises(tg.StaleGraphError) as caught:
        loss.backward()
    for p, g in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)
    text = str(caught.value)
    for word in (
        f"{PLACES[layer]}, step ",
        f"before {writer} changed it",
        "backward() before the write",
    ):
        assert word in text, text
    assert any(name in text for name, _ in model.named_parameters()), text


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_state_carried_past_an_optimizer_step_is_refused(layer, length):
    model = LAYERS[layer]()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x = tg.tensor(numbers((length, 1, 2)))
    y, state = model(x)
    y.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    y, state = model(x, state)
    with pytest.raises(tg.StaleGraphError) as caught:
        y.sum().backward()
    assert all(p.grad is None for p in model.parameters())
    text = str(caught.value)
    for word in (
        f"{PLACES[layer]}, step {length - 1}",
        "SGD.step()",
        "the state",
        "state.detach()",
    ):
        assert word in text, text
    y, state = model(x, tg.detach(state))
    y.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_bare_cell_carried_past_a_step_is_refused():
    cell = nn.LSTMCell(2, 2)
    optimizer = optim.Adam(cell.parameters())
    x = tg.ones(1, 2)
    state = cell(x)
    state[0].sum().backward()
    optimizer.step()
    state = cell(x, state)
    with pytest.raises(tg.StaleGraphError, match=r"lstmcell, step 0.*Adam.step\(\).*detach"):
        state[0].sum().backward()


@pytest.mark.parametrize("create_graph", [False, True])
def test_grad_refuses_a_carried_state_too(create_graph):
    """The new value of the weight takes part as well: half a gradient would be silently wrong."""
    w = leaf(0.5)
    h = w * 2.0
    with tg.no_grad():
        w -= 0.1
    with pytest.raises(tg.StaleGraphError, match="-="):
        tg.grad(h * w, w, create_graph=create_graph)
    with pytest.raises(tg.StaleGraphError, match="-="):
        tg.grad(h * 2, w, create_graph=create_graph)
    (fresh,) = tg.grad(h.detach() * w, w, create_graph=create_graph)
    assert fresh.item() == 1.0


def test_a_stale_leaf_that_no_gradient_reaches_does_no_harm():
    w, v = leaf(0.5), leaf(0.5)
    h = w * 2.0
    with tg.no_grad():
        w -= 0.1
    (h.detach() * w + v).backward()
    assert w.grad.item() == 1.0
    assert tg.grad(h * v, v)[0].item() == 1.0


def test_freezing_between_forward_and_backward_loses_nothing_silently():
    w, v = leaf(0.5), leaf(2.0)
    y = w * v
    w.requires_grad_(False)
    with pytest.raises(tg.StaleGraphError, match="requires_grad"):
        y.backward()
    assert v.grad is None
    z = w * v
    w.requires_grad_(True)
    z.backward()
    assert (v.grad.item(), w.grad) == (0.5, None)


def test_writing_a_leaf_needs_no_grad():
    w = leaf([1.0])
    for write in (lambda: w.copy_(2.0), lambda: w.__isub__(1.0), lambda: w.zero_()):
        with pytest.raises(RuntimeError, match="no_grad"):
            write()
    assert w.item() == 1.0


def test_in_place_operators_keep_the_tensor():
    w = leaf([4.0])
    alias = w
    w_before = w.numpy()
    with tg.no_grad():
        w += 1.0
        w *= 2.0
        w /= 5.0
        w -= 0.5
    assert alias is w
    assert w.item() == 1.5
    assert w_before.item() == 4.0
    assert w.requires_grad
    y = w * 2
    z = y
    before = y.numpy()
    y += 1.0
    assert z is y
    assert (before.item(), y.item()) == (3.0, 4.0)
    y.backward()
    assert w.grad.item() == 2.0


# ---- carried state without a write ---------------------------------------------------------------


@pytest.mark.parametrize("layer", LAYERS)
def test_carried_state_without_a_step_equals_full_bptt(layer):
    model = LAYERS[layer]()
    x = tg.tensor(numbers((6, 2, 2)))
    y, _ = model(x)
    y.square().sum().backward()
    whole = [p.grad.numpy() for p in model.parameters()]
    model.zero_grad()
    state, loss = None, 0.0
    for part in (x[:1], x[1:4], x[4:]):
        y, state = model(part, state)
        loss = loss + y.square().sum()
    loss.backward()
    for p, g in zip(model.parameters(), whole, strict=True):
        assert_each_close(p.grad, g, 1e-11)


# ---- values never change -------------------------------------------------------------------------


def test_writing_the_array_that_was_passed_in_changes_nothing():
    x0, w0, g0 = numbers((2, 3)), numbers((4, 3), 1), np.ones((2, 4))
    index, mask = np.array([0, 1]), np.array([True, False, True])
    w = leaf(w0)
    y = tg.from_numpy(x0) @ w.T + (x0 @ w.T)
    z = w[index][:, mask] * 2
    seen = y.numpy().copy()
    x0[:], w0[:], index[:], mask[:] = 7.0, 7.0, 1, False
    y.backward(g0)
    g0[:] = 5.0
    z.sum().backward()
    np.testing.assert_array_equal(y.numpy(), seen)
    expected = 2 * np.ones((2, 4)).T @ numbers((2, 3))
    expected[np.ix_([0, 1], [0, 2])] += 2.0
    assert_each_close(w.grad, expected, 1e-14)


def test_targets_constants_and_states_are_copied():
    w = leaf(numbers((3,)))
    target, low, condition = np.zeros(3), np.full(3, -0.5), np.array([True, False, True])
    loss = F.mse_loss(w, target) + tg.where(condition, w, 0.0).sum() + w.clip(low).sum()
    expected = tg.grad(loss, w)[0].numpy()
    target[:], low[:], condition[:] = 9.0, 9.0, False
    np.testing.assert_array_equal(tg.grad(loss, w)[0].numpy(), expected)


HANDED_OUT = {
    "numpy()": lambda t: t.numpy(),
    "asarray": lambda t: np.asarray(t.detach()),
    "__array__": lambda t: t.detach().__array__(),
    "a view of it": lambda t: t.numpy()[1:],
    "a reshape of it": lambda t: t.numpy().reshape(3, 1),
    "numpy() of a detached": lambda t: t.detach().numpy(),
    "numpy() of a part": lambda t: t[:2].numpy(),
    "gradient": lambda t: t.grad.numpy(),
}


@pytest.mark.parametrize("name", HANDED_OUT)
def test_arrays_handed_out_cannot_be_written(name):
    w = leaf([1.0, 2.0, 3.0])
    y = (w * w).sum()
    y.backward()
    array = HANDED_OUT[name](w)
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 5.0
    with pytest.raises(ValueError, match=r"read-only|not writeable"):
        np.add(array, 1.0, out=array)
    y.backward()
    np.testing.assert_array_equal(w.grad.numpy(), [4.0, 8.0, 12.0])


def test_views_taken_before_a_write_keep_the_old_values():
    w = leaf([1.0, 2.0])
    before = w.numpy()
    state = nn.Linear(2, 1).state_dict()
    with tg.no_grad():
        w.copy_([5.0, 6.0])
    np.testing.assert_array_equal(before, [1.0, 2.0])
    linear = nn.Linear(2, 1)
    linear.load_state_dict(state)
    saved = {k: v.numpy().copy() for k, v in linear.state_dict().items()}
    snapshot = linear.state_dict()
    linear(tg.ones(2)).sum().backward()
    optim.SGD(linear.parameters(), lr=1.0).step()
    for k, v in snapshot.items():
        np.testing.assert_array_equal(v.numpy(), saved[k])


def test_copies_are_copies():
    w = leaf([1.0, 2.0])
    array = np.array(w.detach(), copy=True)
    array[:] = 9.0
    other = copy.deepcopy(w)
    with tg.no_grad():
        other.zero_()
    np.testing.assert_array_equal(w.numpy(), [1.0, 2.0])
    with pytest.raises(RuntimeError, match="detach"):
        copy.deepcopy(w * 2)


def test_numpy_functions_name_out_as_what_they_cannot_write():
    with pytest.raises(TypeError, match="out="):
        np.add(tg.ones(2), 1.0, out=np.zeros(2))
    array = np.zeros(2)
    with pytest.raises(TypeError, match="out="):
        array += tg.ones(2)


def test_at_set_and_add_are_differentiable():
    x, v = leaf(numbers((3, 2))), leaf([5.0, 6.0])
    y = x.at[1].set(v) * tg.tensor(weights((3, 2)))
    y.sum().backward()
    w = weights((3, 2))
    np.testing.assert_array_equal(v.grad.numpy(), w[1])
    np.testing.assert_array_equal(x.grad.numpy(), w * [[1], [0], [1]])
    z = leaf([1.0, 2.0])
    out = z.at[np.array([0, 0])].add(v)
    np.testing.assert_array_equal(out.detach().numpy(), [12.0, 2.0])
    v.grad = None
    (out * tg.tensor([2.0, 1.0])).sum().backward()
    np.testing.assert_array_equal(v.grad.numpy(), [2.0, 2.0])
    np.testing.assert_array_equal(z.grad.numpy(), [2.0, 1.0])
    with pytest.raises(IndexError, match="twice"):
        z.at[np.array([0, 0])].set(v)


def test_leaf_gradients_are_owned_copies():
    a, b = leaf([3.0, 4.0]), leaf([3.0, 4.0])
    seed = np.array([3.0, 4.0])
    (a + b).backward(seed)
    assert not np.shares_memory(np.asarray(a.grad), np.asarray(b.grad))
    assert not np.shares_memory(np.asarray(a.grad), seed)
    norm = nn.utils.clip_grad_norm_([a, b], 1.0)
    assert norm.item() == pytest.approx(np.sqrt(50))
    for t in (a, b):
        assert_close(t.grad, seed / np.sqrt(50), 1e-6)
    held, kept = a.grad, a.grad.numpy().copy()
    (a + b).backward(seed)
    np.testing.assert_array_equal(held.numpy(), kept)


def test_clipping_twice_scales_once():
    a, b = leaf([3.0]), leaf([4.0])
    (a * 3 + b * 4).sum().backward()
    nn.utils.clip_grad_norm_([a, b], 1.0)
    first = a.grad.item(), b.grad.item()
    nn.utils.clip_grad_norm_([a, b], 1.0)
    assert (a.grad.item(), b.grad.item()) == first


def test_borrowed_gradients_are_never_written_by_another_branch():
    """One array is borrowed by three parents; a second gradient to one must not reach the others."""
    a, b, c = leaf([1.0]), leaf([1.0]), leaf([1.0])
    total = (a + b) + c
    (total + a * 10).sum().backward()
    assert (a.grad.item(), b.grad.item(), c.grad.item()) == (11.0, 1.0, 1.0)
    d = leaf(np.ones((2, 2)))
    rows = d + 0.0
    (rows[0].sum() + rows.sum() + (d * 1.0).sum()).backward()
    np.testing.assert_array_equal(d.grad.numpy(), [[3, 3], [2, 2]])


# ---- a failed backward ---------------------------------------------------------------------------


def test_a_failed_backward_changes_nothing(monkeypatch):
    a, b = leaf([1.0]), leaf([2.0])
    loss = (a.exp() * b).sum() + b.sum()
    loss.backward()
    before = a.grad.numpy().copy(), b.grad.numpy().copy()

    def broken(*_):
        raise FloatingPointError("planted")

    from tinygrad_rnn.ops import ROWS

    op = ROWS["exp"]
    with monkeypatch.context() as patch:
        patch.setattr(op, "rules", (broken,))
        with pytest.raises(FloatingPointError):
            loss.backward()
    assert (a.grad.numpy(), b.grad.numpy()) == before
    loss.backward()
    np.testing.assert_array_equal(a.grad.numpy(), 2 * before[0])
    np.testing.assert_array_equal(b.grad.numpy(), 2 * before[1])


def test_nothing_is_left_of_a_failed_forward():
    rnn = nn.RNN(2, 3)
    with pytest.raises(ValueError, match="features"):
        rnn(tg.ones(4, 1, 5))
    place = places.state.place
    assert (place.scope, place.step, place.call) == (None, None, None)
    for _ in tg.steps(3):
        break
    assert places.state.place.step is None


# ---- length: linear in time, flat in memory, no recursion ----------------------------------------


@pytest.mark.parametrize("by", ["index", "unbind", "loop"])
def test_taking_every_step_of_a_sequence_is_linear(by, monkeypatch):
    """2,000 steps: what is allocated for gradients and what crosses the edges grows with T, not T**2."""
    y = leaf(np.ones((2000, 4)))
    base = y * 1.0
    parts = {"index": (base[t] for t in range(2000)), "unbind": base.unbind(), "loop": iter(base)}
    loss = tg.stack([part.sum() for part in parts[by]]).sum()
    made = crossed = 0
    real = np.zeros

    def counted(shape, *args, **kwargs):
        nonlocal made
        array = real(shape, *args, **kwargs)
        made += array.size
        return array

    def observer(node, i, g, d):
        nonlocal crossed
        value = getattr(d, "value", d)
        crossed += value.size if hasattr(value, "size") else 0

    monkeypatch.setattr(np, "zeros", counted)
    gradients.backward(loss, observer=observer)
    assert made <= 3 * base.numel()
    assert crossed <= 8 * base.numel()
    np.testing.assert_array_equal(y.grad.numpy(), np.ones((2000, 4)))


@pytest.mark.slow
def test_indexing_every_step_takes_linear_time():
    def seconds(steps):
        y = leaf(np.ones((steps, 32, 64)))
        loss = tg.stack([y[t].sum() for t in range(steps)]).sum()
        start = time.perf_counter()
        loss.backward()
        return time.perf_counter() - start

    seconds(100)
    assert min(seconds(2000) for _ in range(3)) < 9 * min(seconds(500) for _ in range(3))


def _alive():
    return sum(str(type(o).__module__).startswith("tinygrad_rnn") for o in gc.get_objects())


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_graph_of_20_000_steps_comes_and_goes(no_collector):
    """Forward, backward, graph, deletion: no recursion, and nothing waits for the collector."""
    rnn = nn.RNN(1, 1)
    x = tg.tensor(numbers((20_000, 1, 1)), dtype=tg.float32)
    for _ in range(2):  # what is made once: by a first call, and by one that is like it
        rnn(x[:2])[0].sum().backward()
    alive = _alive()
    y, h = rnn(x)
    loss = y.sum() + h.sum()
    loss.backward()
    graph = tg.graph(loss)
    assert len(graph.uses(rnn.weight_hh_l0)) == 20_000
    assert graph.steps[-1] == 19_999
    assert "20,000 uses" in graph.summary()
    assert _alive() > alive + 100_000
    del y, h, loss, graph
    assert _alive() == alive


@pytest.mark.parametrize("kind", ["lstm", "cells", "ops", "second order", "ledger", "error"])
def test_no_reference_cycles(kind, no_collector):
    lstm, cell, w = nn.LSTM(2, 3, num_layers=2), nn.LSTMCell(2, 3), leaf(numbers((3, 3)))
    x = tg.ones(4, 2, 2)

    def work():
        if kind == "lstm":
            lstm(x)[0].sum().backward()
        elif kind == "cells":
            state = None
            for x_t in x:
                state = cell(x_t, state)
            state[0].sum().backward()
        elif kind == "ops":
            parts = (w @ w).chunk(3)
            tg.cat([p.softmax(-1) for p in parts])[0].logsumexp(0).backward()
        elif kind == "second order":
            (g,) = tg.grad((w @ w).tanh().sum(), w, create_graph=True)
            tg.grad(g.square().sum(), w)
        elif kind == "ledger":
            y, _ = lstm(x)
            ledger = y.sum().backward(ledger=True)
            ledger.norms(lstm.weight_hh_l0)
            tg.graph(y).summary()
        else:
            with contextlib.suppress(ValueError):
                lstm(tg.ones(4, 2, 5))

    work()
    lstm.zero_grad(), cell.zero_grad()
    w.grad = None
    alive = _alive()
    work()
    lstm.zero_grad(), cell.zero_grad()
    w.grad = None
    assert _alive() == alive


@pytest.mark.slow
def test_a_chain_of_a_million_nodes(no_collector):
    alive = _alive()
    x = leaf(1.0)
    y = x
    for _ in range(10**6):
        y = y + x
    y.backward()
    assert x.grad.item() == 10**6 + 1
    assert len(tg.graph(y)) == 10**6 + 1
    del x, y
    assert _alive() == alive


# ---- threads -------------------------------------------------------------------------------------


def _train(seed, barrier=None):
    generator = np.random.default_rng(seed)
    lstm = nn.LSTM(1, 4, generator=generator)
    head = nn.Linear(4, 1, generator=generator)
    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = optim.Adam(parameters, lr=0.05)
    x = tg.tensor(numbers((12, 2, 1), seed), dtype=tg.float32)
    for _ in range(15):
        if barrier is not None:
            barrier.wait(30)
        y, _ = lstm(x[:-1])
        loss = F.mse_loss(head(y), x[1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return np.concatenate([p.numpy().ravel() for p in parameters])


def test_two_threads_train_to_the_bits_that_they_reach_alone():
    alone = [_train(seed) for seed in (1, 2)]
    together, barrier = {}, threading.Barrier(2)

    def run(k, seed):
        together[k] = _train(seed, barrier)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate((1, 2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(2):
        np.testing.assert_array_equal(together[k], alone[k])


# ---- every step of a long net, relative ----------------------------------------------------------


T, H, GAIN = 40, 3, 0.5


def _long_rnn(detach_at=None):
    """The gradients of the last state of a tanh net of recurrent gain 0.5, by input step and weight."""
    q, _ = np.linalg.qr(numbers((H, H), 4))
    w_hh, w_ih, x = leaf(GAIN * q), leaf(numbers((H, 2), 5)), leaf(numbers((T, 2), 6))
    h = tg.zeros(H, dtype=tg.float64)
    for t, x_t in enumerate(tg.steps(x)):
        if t == detach_at:
            h = h.detach()
        h = (w_ih @ x_t + w_hh @ h).tanh()
    (h * tg.tensor(weights((H,)))).sum().backward()

    def forward(x, w_ih, w_hh):
        h = np.zeros(H, complex)
        for x_t in x:
            h = np.tanh(w_ih @ x_t + w_hh @ h)
        return (h * weights((H,))).sum()

    expected = complex_gradient(forward, [x.numpy(), w_ih.numpy(), w_hh.numpy()])
    return [x.grad, w_ih.grad, w_hh.grad], expected


def _assert_every_step(ours, expected):
    for t in range(T):
        assert_close(ours[0].numpy()[t], expected[0][t], 1e-10, f"x at step {t}")
    for a, b in zip(ours[1:], expected[1:], strict=True):
        assert_each_close(a, b, 1e-11)


def test_every_step_against_a_complex_step_derivative():
    ours, expected = _long_rnn()
    assert np.abs(expected[0][0]).max() < 1e-10 < np.abs(expected[0][-1]).max()
    _assert_every_step(ours, expected)


def test_that_check_sees_a_state_detached_15_steps_before_the_end():
    ours, expected = _long_rnn(detach_at=T - 15)
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b, atol=1e-5)  # what a plain check would say
    with pytest.raises(AssertionError, match="x at step 0"):
        _assert_every_step(ours, expected)
