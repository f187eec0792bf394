"""Checkpoints change memory and nothing else: bits, refusals, higher orders, random numbers."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from support import assert_close, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def segments(lstm, x, size, wrap):
    state, outputs = None, []
    for start in range(0, x.shape[0], size):
        y, state = wrap(lstm, x[start : start + size], state)
        outputs.append(y)
    return tg.cat(outputs), state


def call(function, *args, **_):
    return function(*args)


def lstm_and_x(steps=12, dtype=np.float64):
    tg.manual_seed(0)
    x = tg.tensor(numbers((steps, 2, 3)), dtype=dtype, requires_grad=True)
    return nn.LSTM(3, 4).to(dtype), x


def gradients(wrap, **how):
    lstm, x = lstm_and_x()
    y, (h, _) = segments(lstm, x, 4, wrap)
    loss = (y * y).sum() + h.sum()
    result = loss.backward(**how)
    return loss, [x.grad, *(p.grad for p in lstm.parameters())], result, lstm


def test_values_and_gradients_are_the_same():
    loss, with_, _, _ = gradients(tg.checkpoint)
    plain, without, _, _ = gradients(call)
    assert loss.item() == plain.item()
    for a, b in zip(with_, without, strict=True):
        assert_close(a, b.numpy(), 1e-14)


def test_twice_adds_twice():
    lstm, x = lstm_and_x()
    loss = segments(lstm, x, 4, tg.checkpoint)[0].sum()
    loss.backward()
    once = lstm.weight_hh_l0.grad.numpy().copy()
    loss.backward()
    assert_close(lstm.weight_hh_l0.grad, 2 * once, 1e-15)


def test_ledger_rows_sum_and_graph_shows_one_use_a_call():
    loss, _, ledger, lstm = gradients(tg.checkpoint, ledger=True)
    assert ledger[lstm.weight_hh_l0].shape == (3, 16, 4)
    assert_close(ledger[lstm.weight_hh_l0].sum(0), lstm.weight_hh_l0.grad.numpy(), 1e-14)
    graph = tg.graph(loss)
    assert sum(node.op == "checkpoint" for node in graph.nodes) == 3


def test_closed_over_results_and_plain_returns():
    w = tg.tensor(numbers(3), requires_grad=True)
    twice = w * 2

    def fn(x):
        return {"y": x * twice, "x": x, "n": 3, "const": tg.ones(2)}

    x = tg.tensor(numbers(3, 1), requires_grad=True)
    out = tg.checkpoint(fn, x)
    assert out["n"] == 3
    ((out["y"] + out["x"]) * twice).sum().backward()
    expected = 2 * (x.numpy() * twice.numpy() * 2 + x.numpy())
    assert_close(w.grad, expected, 1e-15)
    assert_close(x.grad, twice.numpy() ** 2 + twice.numpy(), 1e-15)


def test_nested_and_any_order():
    x = tg.tensor(numbers(3), requires_grad=True)
    w = tg.tensor(numbers(3, 2), requires_grad=True)

    def inner(x):
        return (w * x).tanh()

    def outer(x):
        return tg.checkpoint(inner, x * w) * x

    def second(f):
        gx, gw = tg.grad(f(x).sum(), [x, w], create_graph=True)
        return tg.grad((gx * gx + gw.exp()).sum(), [x, w])

    for a, b in zip(
        second(lambda x: tg.checkpoint(outer, x)), second(lambda x: inner(x * w) * x), strict=True
    ):
        assert_close(a, b.numpy(), 1e-14)
    assert tg.gradcheck(lambda x, w: tg.checkpoint(outer, x), (x, w), order=2)
    h = tg.func.hessian(lambda x: tg.checkpoint(outer, x).sum())(x.detach())
    assert_close(h, tg.func.hessian(lambda x: (inner(x * w) * x).sum())(x.detach()).numpy(), 1e-14)


def test_dropout_is_drawn_again_the_same():
    drop = nn.Dropout(0.5)
    x = tg.ones(1000, requires_grad=True)
    tg.manual_seed(5)
    y = tg.checkpoint(drop, x)
    after = tg.rand(3).numpy()
    y.sum().backward()
    assert_close(x.grad, y.numpy(), 0)
    tg.manual_seed(5)
    drop(x)
    np.testing.assert_array_equal(after, tg.rand(3).numpy())


def test_other_values_the_second_time_are_refused():
    x = tg.ones(1000, requires_grad=True)
    for y in (
        tg.checkpoint(nn.Dropout(0.5), x, preserve_rng_state=False),
        tg.checkpoint(nn.Dropout(0.5, generator=np.random.default_rng(0)), x),
    ):
        with pytest.raises(RuntimeError, match="other values when it was computed again"):
            y.sum().backward()
    assert x.grad is None


def test_a_written_parameter_is_refused_by_name():
    layer = nn.Linear(2, 2)
    x = tg.ones(2, requires_grad=True)
    loss = tg.checkpoint(layer, x).sum()
    with tg.no_grad():
        layer.weight -= 1.0
    with pytest.raises(tg.StaleGraphError, match=r"changed by -="):
        loss.backward()
    with pytest.raises(tg.StaleGraphError):
        tg.grad(loss, x)
    assert layer.bias.grad is None


def test_frozen_values_that_changed_are_refused():
    frozen = tg.ones(2)
    x = tg.ones(2, requires_grad=True)
    loss = tg.checkpoint(lambda x: x * frozen, x).sum()
    frozen.copy_(3.0)
    with pytest.raises(RuntimeError, match="other values"):
        loss.backward()


def test_leaves_made_inside_are_refused():
    with pytest.raises(RuntimeError, match="makes or writes a leaf"):
        tg.checkpoint(lambda x: x * tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="determinism_check"):
        tg.checkpoint(lambda x: x, tg.ones(2), determinism_check="yes")


def test_without_recording_it_only_calls():
    x = tg.ones(2, requires_grad=True)
    with tg.no_grad():
        assert not tg.checkpoint(lambda x: x * 2, x).requires_grad
    assert not tg.checkpoint(lambda x: x * 2, tg.ones(2)).requires_grad


def test_states_keep_their_steps():
    cell = nn.RNNCell(1, 1)
    h = tg.checkpoint(lambda h: cell(tg.ones(1, 1), h), None)
    h = cell(tg.ones(1, 1), h)
    assert h._step == 1


def test_memory_is_less():
    def held(wrap):
        lstm, x = lstm_and_x(200)
        lstm.compiled = False  # compiled keeps five numbers a unit and step, and that is little
        gc.collect()
        tracemalloc.start()
        kept = segments(lstm, x, 20, wrap)
        now, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept
        return now

    assert held(tg.checkpoint) < held(call) / 10
