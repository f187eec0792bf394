"""``register_hook``: what sees a gradient, and may change it, in every way to run a backward pass."""

import copy
import pickle

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


def parts():
    """A leaf, a computed tensor used twice, an item of a split, and the loss of all."""
    w = tg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    h = w * 2.0
    a, b = h.chunk(2)
    return w, h, a, (a * a).sum() + (b * h[:2]).sum()


# how gradients of the loss by w are come by
ROUTES = {
    "backward": lambda w, loss: loss.backward(),
    "ledger": lambda w, loss: loss.backward(ledger=True),
    "create_graph": lambda w, loss: loss.backward(create_graph=True),
    "step by step": lambda w, loss: list(loss.backward_steps()),
    "tg.grad": lambda w, loss: setattr(w, "grad", tg.grad(loss, w)[0]),
    "tg.grad of a graph": lambda w, loss: setattr(
        w, "grad", tg.grad(loss, w, create_graph=True)[0]
    ),
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_hook_changes_what_goes_on(route):
    run = ROUTES[route]
    w, h, a, loss = parts()
    run(w, loss)
    plain = w.grad.detach().numpy()
    expected = np.array([2 * (2 * 2 + 6), 2 * (2 * 4 + 8), 2 * 2.0, 2 * 4.0])
    np.testing.assert_allclose(plain, expected)
    cases = {
        "leaf": (lambda w, h, a: w, [3.0 * g for g in expected]),
        "computed": (lambda w, h, a: h, [3.0 * g for g in expected]),
        "an item": (lambda w, h, a: a, [2 * (3 * 4 + 6), 2 * (3 * 8 + 8), 4.0, 8.0]),
    }
    for name, (which, changed) in cases.items():
        w, h, a, loss = parts()
        seen = []

        def hook(g, seen=seen):
            seen.append(g.detach().numpy().copy())
            return g * 3.0

        which(w, h, a).register_hook(hook)
        run(w, loss)
        np.testing.assert_allclose(w.grad.detach().numpy(), changed, err_msg=name)
        assert len(seen) == 1, f"{name}: once a pass, with the sum of all that arrived"
        if name != "an item":
            np.testing.assert_allclose(seen[0], expected / (1 if name == "leaf" else 2))


def test_hooks_look_run_in_order_and_end():
    w, h, _, loss = parts()
    seen = []
    first = h.register_hook(lambda g: seen.append("look"))
    h.register_hook(lambda g: seen.append("half") or g * 0.5)
    with h.register_hook(lambda g: seen.append("inside") or g * 0.0):
        loss.backward()
    assert seen == ["look", "half", "inside"]
    assert w.grad.tolist() == [0.0] * 4
    first.remove()
    first.remove()
    w.grad = None
    loss.backward()
    assert seen == ["look", "half", "inside", "half"]
    assert w.grad.tolist() == [10.0, 16.0, 2.0, 4.0]


def test_a_handle_that_is_kept_can_be_copied_and_ends_its_own_hook_alone():
    layer = nn.Linear(2, 1, bias=False)
    layer.handle = layer.weight.register_hook(lambda g: g * 2)
    layer.handle.function = abs  # a function that a pickle can name
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        other.handle.remove()
        layer.weight.grad = None
        layer.weight.neg().sum().backward()
        assert layer.weight.grad.tolist() == [[1.0, 1.0]]
    layer.handle.remove()
    layer.weight.grad = None
    layer.weight.neg().sum().backward()
    assert layer.weight.grad.tolist() == [[-1.0, -1.0]]


def test_a_retained_gradient_is_what_the_hook_made_of_it():
    w, h, _, loss = parts()
    h.retain_grad()
    h.register_hook(lambda g: g.clip(-1.0, 1.0))
    loss.backward()
    assert h.grad.tolist() == [1.0] * 4
    assert w.grad.tolist() == [2.0] * 4


def test_a_hook_of_a_parameter_stays_through_steps():
    layer = nn.LSTM(2, 3)
    x = tg.tensor(numbers((4, 1, 2), 1), dtype=tg.float32)
    sizes = []
    layer.weight_hh_l0.register_hook(lambda g: sizes.append(g.shape) or g * 0.0)
    before = layer.weight_hh_l0.detach().numpy().copy()
    step = optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        step.zero_grad()
        y, _ = layer(x)
        y.sum().backward()
        step.step()
    assert sizes == [(12, 3)] * 3
    np.testing.assert_array_equal(layer.weight_hh_l0.numpy(), before)
    assert layer.weight_ih_l0.grad.abs().sum().item() > 0


@pytest.mark.parametrize("compiled", [True, False])
def test_hooks_of_the_outputs_of_a_layer(compiled):
    layer = nn.GRU(2, 3)
    layer.compiled = compiled
    x = tg.tensor(numbers((4, 1, 2), 1), dtype=tg.float32)
    y, h = layer(x)
    y.register_hook(lambda g: g * 0.0)
    (y.sum() + h.sum()).backward()
    found = layer.weight_hh_l0.grad.numpy().copy()
    layer.zero_grad()
    layer(x)[1].sum().backward()
    np.testing.assert_allclose(found, layer.weight_hh_l0.grad.numpy(), rtol=1e-6)


class Clipped(nn.Module):
    """A cell that clips the gradient of its state (Graves 2013), or, without, lets it through."""

    def __init__(self, clips):
        super().__init__()
        self.W = nn.Linear(5, 3)
        self.clips = clips

    def initial_state(self, batch):
        return tg.zeros(batch, 3)

    def forward(self, x, h):
        h = tg.tanh(self.W(tg.cat([x, h], -1)))
        if self.clips and h.requires_grad:
            h.register_hook(lambda g: g.clip(-0.01, 0.01))
        return h, h


def test_a_cell_that_registers_hooks_is_recorded():
    x, grads = tg.tensor(numbers((6, 1, 2), 1), dtype=tg.float32), []
    for compiled in (True, False):
        tg.manual_seed(0)
        layer = nn.Recurrent(Clipped(True))
        layer.compiled = compiled
        y, _ = layer(x)
        (y * 3.0).sum().backward()
        grads.append(layer.cell.W.weight.grad.numpy())
    np.testing.assert_array_equal(*grads)
    assert np.abs(grads[0]).max() < 0.2


def test_what_hooks_may_not_be():
    with pytest.raises(RuntimeError, match="requires a gradient"):
        tg.ones(2).register_hook(print)
    w, h, _, loss = parts()
    for odd, words in ((3.0, "float"), (tg.ones(3), r"\(3,\)")):
        with h.register_hook(lambda g, odd=odd: odd), pytest.raises(ValueError, match=words):
            loss.backward()
    assert w.grad is None, "a pass that fails changes nothing"
    h.register_hook(lambda g: g.double())
    loss.backward()
    assert w.grad.dtype == np.float32


def test_a_kept_gradient_is_not_written_later():
    w, h, _, loss = parts()
    kept = []
    h.register_hook(kept.append)
    w.register_hook(kept.append)
    loss.backward()
    first = [g.numpy().copy() for g in kept]
    loss.backward()
    for g, before in zip(kept, first, strict=False):
        np.testing.assert_array_equal(g.numpy(), before)
