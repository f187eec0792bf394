"""detect_anomaly names the first op that made a non-finite value, forward or backward."""

import threading

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.ops import watching


def line_of(text):
    """The number of the line of this file that ends with a marker."""
    with open(__file__, encoding="utf-8") as file:
        return next(k for k, line in enumerate(file, 1) if line.rstrip().endswith(text))


def test_the_earliest_forward_op_is_named_with_its_line():
    x = tg.tensor([1.0, 200.0], requires_grad=True)

    def work():
        big = x * 1.0
        y = big.exp()  # here it breaks
        return (y - y).sum()

    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError) as caught:
        work()
    text = str(caught.value)
    assert text.startswith("exp made inf in 1 of 2 values of finite values at ")
    assert f"{__file__}:{line_of('# here it breaks')}" in text
    assert "largest magnitude of each operand: 200" in text
    assert "mul: 200" in text


def test_layer_and_step_are_named():
    lstm = nn.LSTM(2, 3).double()
    with tg.no_grad():
        for p in lstm.parameters():
            p.fill_(10.0)
    x = np.zeros((5, 1, 2))
    x[3] = 1e308
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError) as caught:
        lstm(x)
    assert "lstm, step 3 (t = 4): linear made inf in 12 of 12 values" in str(caught.value)


def test_a_gate_is_named_where_it_breaks():
    class Strange(nn.LSTMCell):
        def step(self, x, state):
            h, c = state
            i, f, _, _ = nn.functional.linear(x, self.weight_ih, self.bias_ih).chunk(4, -1)
            c = c + i + f.log()
            return h + c, (h + c, c)

    cell = Strange(2, 3)
    with tg.no_grad():
        cell.weight_ih.zero_()
        cell.bias_ih.zero_()
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match="forget gate f: log made inf"):
        cell(tg.ones(1, 2))


def test_what_came_in_from_outside_is_said_to():
    w = tg.ones(2, requires_grad=True)
    with (
        tg.detect_anomaly(),
        pytest.raises(tg.AnomalyError, match="mul took in nan in 1 of 2 values"),
    ):
        w * np.array([1.0, np.nan], np.float32)


def test_the_backward_op_is_named_with_the_line_that_recorded_it():
    x = tg.tensor([0.0, 4.0], requires_grad=True)
    with tg.detect_anomaly():
        y = x.sqrt()  # recorded here
        with pytest.raises(tg.AnomalyError, match="the backward of sqrt") as caught:
            y.sum().backward()
    assert f"{__file__}:{line_of('# recorded here')} recorded" in str(caught.value)
    assert x.grad is None


def test_grad_is_watched_too_and_a_forward_outside_needs_no_line():
    x = tg.tensor(0.0, requires_grad=True)
    y = x.sqrt()
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match="the backward of sqrt made inf"):
        tg.grad(y, x)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_finite_work_passes_with_the_same_bits(kind, rng):
    layer, x = kind(2, 3, num_layers=2), rng.standard_normal((6, 4, 2))
    layer.compiled = False  # anomalies are looked for op by op
    layer(x)[0].square().sum().backward()
    plain = [p.grad.numpy() for p in layer.parameters()]
    layer.zero_grad()
    with tg.detect_anomaly():
        ledger = layer(x)[0].square().sum().backward(ledger=True)
    for p, g in zip(layer.parameters(), plain, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)
        np.testing.assert_allclose(ledger.total(p), g, rtol=1e-4, atol=1e-6)


def test_it_is_off_again_afterwards_and_in_other_threads():
    seen = []

    def elsewhere():
        with np.errstate(all="ignore"):
            seen.append(float(tg.tensor(200.0, requires_grad=True).exp()))

    with tg.detect_anomaly(), tg.detect_anomaly():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert seen == [np.inf]
    assert watching.watching == []
    with np.errstate(over="ignore"):
        assert np.isinf(tg.tensor(200.0, requires_grad=True).exp().item())
