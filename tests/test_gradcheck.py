"""gradcheck finds what is wrong and says where; the complex step is used only where it is right."""

from __future__ import annotations

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.derivatives.checking import _Probe

GOOD = {  # the function, and whether the complex step takes it
    "tanh": (lambda x: x.tanh(), True),
    "sigmoid": (lambda x: x.sigmoid() * 2 + 1, True),
    "softmax": (lambda x: x.softmax(-1), True),
    "log_softmax": (lambda x: x.log_softmax(0), True),
    "logsumexp": (lambda x: x.logsumexp(1), True),
    "reductions": (lambda x: x.mean(0) * x.sum(0, keepdim=True) + x.var(0), True),
    "products": (lambda x: x @ tg.ones(3, 2, dtype=tg.float64) + (x @ x.T)[:, :2], True),
    "items": (lambda x: [a[0] * a[1] for a in x] + list(x[0]), True),
    "shapes": (lambda x: tg.cat([x, x.flip(0)]).reshape(-1, 2).T.chunk(2)[0] ** 3, True),
    "division": (lambda x: 1 / x, True),
    "abs": (lambda x: x.abs(), False),
    "relu": (lambda x: x.relu(), False),
    "max": (lambda x: x.max(0).values, False),
    "clip": (lambda x: x.clip(-0.5, 0.5), False),
    "where": (lambda x: tg.where(x > 0, x, x * x), False),
    "branch": (lambda x: x * x if x[0, 0].item() > 0 else x, False),
}


def leaf(shape=(4, 3), seed=0):
    return tg.tensor(numbers(shape, seed), requires_grad=True)


@pytest.mark.parametrize("name", GOOD)
def test_right_gradients_pass_at_both_orders(name):
    fn, is_analytic = GOOD[name]
    x = leaf()
    probe = _Probe(fn, (x,), [x])
    before = x.numpy().copy()
    assert (probe.complex_steps(0, probe.values()) is not None) == is_analytic
    assert tg.gradcheck(fn, (x,), order=2)
    assert tg.gradcheck(fn, x, method="difference")
    np.testing.assert_array_equal(x.numpy(), before)
    assert x.grad is None


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_layers_and_their_parameters(layer):
    net = layer(2, 3).double()
    x = leaf((4, 2, 2))
    assert tg.gradcheck(net, (x,), method="complex", order=2)
    parameters = list(net.parameters())
    assert tg.gradcheck(lambda *_: net(x)[0][-1], parameters, method="complex")


def cut_rnn(cut):
    """A tanh RNN of gain 0.5 over (40, 1, 2), detached ``cut`` steps before its end (0: not)."""
    gain = tg.tensor(0.5 * np.eye(2))

    def run(x):
        h = tg.zeros(1, 2, dtype=tg.float64)
        for t, x_t in enumerate(tg.steps(x)):
            if t == 40 - cut:
                h = h.detach()
            h = (h @ gain + x_t).tanh()
        return h.sum()

    return run


def test_a_state_cut_15_steps_before_the_end_is_found():
    x = tg.name(tg.tensor(numbers((40, 1, 2), 3), requires_grad=True), "x")
    assert tg.gradcheck(cut_rnn(0), (x,))
    with pytest.raises(
        tg.GradcheckError, match=r"by x\[\d+, 0, \d\] \(time step \d+\) is 0 by"
    ) as e:
        tg.gradcheck(cut_rnn(15), (x,))
    assert str(e.value).endswith(", 18 ... 24")  # the last that the cut took away
    assert tg.gradcheck(cut_rnn(15), (x,), atol=1e-5)  # what an absolute tolerance does not see
    with pytest.raises(tg.GradcheckError, match="central differences"):
        tg.gradcheck(cut_rnn(15), (x,), method="difference")


def test_the_time_axis_is_the_one_that_is_unbound():
    x = leaf((2, 5, 1))

    def run(x):
        h = tg.zeros(2, 1, dtype=tg.float64)
        for t, x_t in enumerate(x.unbind(1)):
            h = (h + (x_t.detach() if t == 3 else x_t)).tanh()
        return h.sum()

    with pytest.raises(
        tg.GradcheckError, match=r"input 0\[\d, 3, 0\] \(time step 3\).*time steps 3$"
    ):
        tg.gradcheck(run, (x,))


def test_wrong_gradients_are_named():
    net = nn.Linear(2, 2).double()
    x = leaf((3, 2))

    def wrong(*_):
        return net(x).sum() + (net.weight.detach() ** 2).sum()

    with pytest.raises(tg.GradcheckError, match=r"linear\.weight"):
        tg.gradcheck(wrong, list(net.parameters()))
    assert not tg.gradcheck(wrong, list(net.parameters()), raise_exception=False)
    with pytest.raises(tg.GradcheckError, match=r"output 1\[2\]"):
        tg.gradcheck(lambda x: (x * 2, x.at[2].set(x[2].detach())), (leaf(3),))


def test_out_through_numpy_is_measured_by_differences():
    with pytest.raises(tg.GradcheckError, match="central differences"):
        tg.gradcheck(lambda x: x * tg.tensor(x.numpy()), (leaf(),))


def test_order_2_goes_through_a_checkpoint():
    def fn(x):
        return tg.checkpoint(lambda x: x**3, x)

    assert tg.gradcheck(fn, (leaf(),), order=2)


def test_errors():
    with pytest.raises(TypeError, match="float32, expected float64"):
        tg.gradcheck(lambda x: x, (tg.ones(2, requires_grad=True),))
    with pytest.raises(ValueError, match="none of the inputs"):
        tg.gradcheck(lambda x: x, (tg.ones(2),))
    with pytest.raises(ValueError, match="does not allow the complex step"):
        tg.gradcheck(lambda x: x.abs(), (leaf(),), method="complex")
    with pytest.raises(ValueError, match="other values when called again"):
        tg.gradcheck(lambda x: x * tg.rand(3, dtype=tg.float64), (leaf(),))
    with pytest.raises(ValueError, match="order"):
        tg.gradcheck(lambda x: x, (leaf(),), order=3)
