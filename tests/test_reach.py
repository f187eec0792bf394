"""A gradient comes to what the loss depends on and to nothing else, compiled as recorded."""

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.stepping import parts
from tinygrad_rnn.ops import ROWS as OPS
from tinygrad_rnn.scan import backends, cells


class Apart(nn.Module):
    """Two states that know nothing of each other, a weight that nothing uses."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(numbers((2, 3), 1))
        self.b = nn.Parameter(numbers((3,), 2))
        self.idle = nn.Parameter(numbers((3,), 3))

    def forward(self, x, state):
        s, r = state
        s, r = (s + x @ self.a).tanh(), r * self.b
        return s, (s, r)


class Line(Apart):
    """What goes in comes out three steps later."""

    def forward(self, x, state):
        s, r = state
        return r * self.b, (x @ self.a, s + 0.0)


class Swap(Apart):
    """Two states that change places."""

    def forward(self, x, state):
        s, r = state
        return x @ self.a, (r * self.b, s + 0.0)


class Compared(Apart):
    """A state that only decides: no gradient goes through a comparison."""

    def forward(self, x, state):
        s, r = state
        return tg.where(r > 0, x @ self.a, s), (s * 0.5, r * self.b)


class HandsOn(Apart):
    """A new state that is a Parameter, and one that is the old one's."""

    def forward(self, x, state):
        s, r = state
        return s * r + x @ self.a, (self.idle.expand(2, 3), s)


class ParameterItself(Apart):
    def forward(self, x, state):
        s, r = state
        return s + (x @ self.a).tanh(), (self.whole, r * self.b + s)


def called(kind, compiled, steps, loss_of, then=lambda loss: loss.backward(), only=None):
    """The gradients, or None, of Parameters, input and first states; which outputs need one; how it ran.

    ``only`` is the one Parameter that asks for a gradient, where nothing else does.
    """
    cell = kind()
    if kind is ParameterItself:
        cell.whole = nn.Parameter(numbers((2, 3), 9))
    for name, p in cell.named_parameters():
        p.requires_grad_(only in (None, name))
    x = tg.tensor(numbers((steps, 2, 2), 5), requires_grad=only is None)
    state = tuple(tg.tensor(numbers((2, 3), k), requires_grad=only is None) for k in (6, 7))
    layer = nn.Recurrent(cell)
    layer.compiled = compiled
    with backends.using("numpy"):
        y, last = layer(x, state)
        needs = [t.requires_grad for t in (y, *last)]
        loss = loss_of(y, last)
        if loss.requires_grad:
            then(loss)
    grads = {n: p.grad for n, p in cell.named_parameters()}
    return grads | {"x": x.grad, "s0": state[0].grad, "s1": state[1].grad}, needs, layer.explain()


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [Apart, Line, Swap, Compared, HandsOn])
@pytest.mark.parametrize("what", ["y", "first", "second"])
def test_gradients_come_where_they_come_recorded(kind, steps, what):
    def loss(y, last):
        return {"y": y, "first": last[0], "second": last[1]}[what].square().sum()

    ours, our_needs, ran = called(kind, True, steps, loss)
    theirs, their_needs, _ = called(kind, False, steps, loss)
    assert our_needs == their_needs
    assert {n for n, g in ours.items() if g is None} == {n for n, g in theirs.items() if g is None}
    for name, g in theirs.items():
        if g is not None:
            np.testing.assert_allclose(ours[name], g, rtol=1e-12, err_msg=f"{name}, {ran}")


@pytest.mark.parametrize("only", ["a", "b", "idle"])
def test_outputs_need_a_gradient_as_they_do_recorded(only):
    for kind in (Apart, Line, Swap):
        (ours, needs, ran), theirs = (
            called(kind, on, 2, lambda y, last: y.sum() + last[1].sum(), only=only)
            for on in (True, False)
        )
        assert ran.startswith("compiled"), kind
        assert needs == theirs[1], kind
        assert [n for n, g in ours.items() if g is None] == [
            n for n, g in theirs[0].items() if g is None
        ]


def test_such_cells_are_compiled():
    for kind in (Apart, Line):
        assert called(kind, True, 5, lambda y, last: y.sum())[2].startswith("compiled"), kind


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("kind", [ParameterItself, HandsOn])
def test_the_steps_behind_a_state_that_is_an_input(kind, steps):
    """The ledger and second derivatives look behind the call: a state may be a leaf there."""

    def loss(y, last):
        return (y * y).sum() + sum((t * t).sum() for _, t in parts(last))

    plain = called(kind, False, steps, loss)[0]
    by_ledger = called(kind, True, steps, loss, lambda loss: loss.backward(ledger=True))[0]
    for name, g in plain.items():
        assert (g is None) == (by_ledger[name] is None), name
        if g is not None:
            np.testing.assert_allclose(by_ledger[name], g, rtol=1e-12, err_msg=name)


class Product(nn.Module):
    """A product, whose gradient is not the product by the factor where that is 0."""

    def forward(self, x, h):
        h = 0.5 * h + (x * h).prod(-1, keepdim=True).sin()
        return h, h


def test_a_product_of_nothing_has_its_gradient():
    layer = nn.Recurrent(Product())
    zeros = numbers((2, 3), 1)
    zeros[0, 1] = zeros[1, 0] = zeros[1, 2] = 0.0
    for start in (numbers((2, 3), 1), zeros, np.zeros((2, 3))):
        found = []
        for layer.compiled in (True, False):
            h = tg.tensor(start, requires_grad=True)
            y, _ = layer(tg.tensor(numbers((3, 2, 3), 2)), h)
            assert layer.explain().startswith("compiled") is layer.compiled
            y.sum().backward()
            found.append(h.grad.numpy())
        np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-15)


def test_a_rule_that_asks_for_values_is_not_compiled(monkeypatch):
    """It may have another derivative for other numbers."""

    def rule(g, _y, a):
        return g if bool((a > 100).any()) else g * OPS["cos"].call(a)

    op = OPS["sin"]
    monkeypatch.setattr(op, "rules", (rule,))
    monkeypatch.setattr(cells, "_loops", {})
    layer = nn.Recurrent(Product())
    h = tg.tensor(numbers((2, 3), 1), requires_grad=True)
    y, _ = layer(tg.tensor(numbers((3, 2, 3), 2)), h)
    assert "reads values" in layer.explain()
    y.sum().backward()
    assert np.isfinite(h.grad.numpy()).all()
