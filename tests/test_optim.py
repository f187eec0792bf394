"""Optimizers: what a step writes and when (the updates themselves are golden cases of test_parity)."""

import numpy as np
import pytest
from support import assert_close, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

MAKERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
}


def pair():
    return [nn.Parameter(numbers(s, 1), dtype=tg.float32) for s in (3, (2, 2))]


def loss_of(parameters):
    return sum((p * p * p).sum() + p.sum() for p in parameters)


def train(optimizer, parameters, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(parameters).backward()
        optimizer.step()


@pytest.mark.parametrize("name", MAKERS)
def test_a_step_lowers_the_loss_and_keeps_the_dtype(name):
    parameters = pair()
    optimizer = MAKERS[name](parameters)
    before = loss_of(parameters).item()
    train(optimizer, parameters, 1)
    assert loss_of(parameters).item() < before
    assert {p.dtype for p in parameters} == {tg.float32}
    assert all(p.requires_grad and p.is_leaf for p in parameters)
    arrays = [v for m in optimizer.state.values() for v in m.values() if isinstance(v, np.ndarray)]
    assert {a.dtype for a in arrays} <= {tg.float32}


@pytest.mark.parametrize("name", MAKERS)
def test_a_saved_state_goes_on_to_the_same_bits(name):
    whole, parts = pair(), pair()
    train(MAKERS[name](whole), whole, 6)
    first = MAKERS[name](parts)
    train(first, parts, 3)
    saved = first.state_dict()
    train(first, [nn.Parameter(p.detach()) for p in parts], 2)  # must not write what was saved
    second = MAKERS[name](parts)
    second.load_state_dict(saved)
    train(second, parts, 3)
    for p, q in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


@pytest.mark.parametrize("name", MAKERS)
def test_a_saved_state_is_a_snapshot(name):
    parameters = pair()
    optimizer = MAKERS[name](parameters)
    train(optimizer, parameters, 2)
    saved = optimizer.state_dict()
    copies = {i: {k: np.copy(v) for k, v in memory.items()} for i, memory in saved["state"].items()}
    train(optimizer, parameters, 2)
    for i, memory in copies.items():
        for k, v in memory.items():
            np.testing.assert_array_equal(saved["state"][i][k], v)
    assert saved["param_groups"][0]["params"] == [0, 1]


def test_parameters_without_a_gradient_stay():
    a, b = pair()
    optimizer = optim.AdamW([a, b])
    (a * a).sum().backward()
    before = b.numpy()
    optimizer.step()
    np.testing.assert_array_equal(b.numpy(), before)
    assert list(optimizer.state) == [a]


def test_every_new_value_is_computed_before_any_is_written():
    a, b = pair()
    optimizer = optim.SGD([a, b], lr=0.1, momentum=0.9)
    loss_of([a, b]).backward()
    before, calls, real = a.numpy(), [], optimizer._updated

    def breaks(*args):
        calls.append(args)
        if len(calls) == 2:
            raise FloatingPointError("planted")
        return real(*args)

    optimizer._updated = breaks
    with pytest.raises(FloatingPointError):
        optimizer.step()
    np.testing.assert_array_equal(a.numpy(), before)


def test_groups_have_options_of_their_own():
    a, b = pair()
    start = a.numpy(), b.numpy()
    optimizer = optim.SGD([{"params": [a], "lr": 1.0}, {"params": b}], lr=0.1)
    (a.sum() + b.sum()).backward()
    optimizer.step()
    assert_close(a, start[0] - 1.0, 1e-6)
    assert_close(b, start[1] - 0.1, 1e-6)
    optimizer.param_groups[1]["lr"] = 0.0
    optimizer.step()
    assert_close(b, start[1] - 0.1, 1e-6)
    c = nn.Parameter([1.0])
    optimizer.add_param_group({"params": [c], "weight_decay": 1.0})
    c.grad = tg.tensor([0.0])
    optimizer.step()
    assert c.item() == pytest.approx(0.9)
    assert "3" not in repr(optimizer).split("\n")[1]
    assert repr(optimizer).count("Parameters:") == 3


def test_closure_and_zero_grad():
    (a, b), losses = pair(), []
    optimizer = optim.SGD([a, b], lr=0.01)

    def closure():
        optimizer.zero_grad()
        loss = loss_of([a, b])
        loss.backward()
        losses.append(loss.item())
        return loss

    with tg.no_grad():
        returned = optimizer.step(closure)
    optimizer.step(closure)
    assert returned.item() == losses[0] > losses[1]
    optimizer.zero_grad(set_to_none=False)
    assert not a.grad.numpy().any()
    optimizer.zero_grad()
    assert a.grad is None
    assert optimizer.step() is None


def test_a_step_leaves_earlier_values_true():
    (a, _), seen = pair(), []
    seen.append((a.numpy(), a.detach(), a.numpy().copy()))
    a.grad = tg.ones(3)
    optim.SGD([a], lr=1.0).step()
    for view, tensor, copy in seen:
        np.testing.assert_array_equal(view, copy)
        np.testing.assert_array_equal(tensor.numpy(), copy)
    assert a.grad is not None, "a step does not forget the gradient"


BAD = {
    "nothing": (lambda: optim.SGD([]), ValueError, "SGD got no parameters"),
    "a bare tensor": (lambda: optim.Adam(nn.Parameter([1.0])), TypeError, "list of Parameters"),
    "computed": (lambda: optim.SGD([nn.Parameter([1.0]) * 2]), TypeError, "leaves"),
    "twice": (
        lambda: (lambda p: optim.SGD([{"params": [p]}, {"params": [p]}]))(nn.Parameter([1.0])),
        ValueError,
        "two groups",
    ),
    "lr": (lambda: optim.SGD(pair(), lr=-1.0), ValueError, "lr must not be negative: -1.0"),
    "nan": (lambda: optim.Adam(pair(), lr=float("nan")), ValueError, "lr must not be negative"),
    "betas": (lambda: optim.Adam(pair(), betas=(0.9, 1.0)), ValueError, r"betas .*\(0.9, 1.0\)"),
    "nesterov": (lambda: optim.SGD(pair(), nesterov=True), ValueError, "needs a momentum"),
    "option": (lambda: optim.SGD([{"params": pair(), "beta": 1}]), ValueError, "no option beta"),
    "state of other groups": (
        lambda: optim.SGD(pair()).load_state_dict(optim.SGD(pair()[:1]).state_dict()),
        ValueError,
        r"groups of \[1\] Parameters, expected \[2\]",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_optimizers_refuse(name):
    function, error, words = BAD[name]
    with pytest.raises(error, match=words):
        function()


def test_training_a_recurrent_net_reaches_the_target():
    """The whole loop: an LSTM learns the running mean of its input to a twentieth of the start."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 16, 1)).astype(np.float32)
    target = np.cumsum(x, 0) / np.arange(1, 13).reshape(-1, 1, 1)
    lstm, head = nn.LSTM(1, 8, generator=rng), nn.Linear(8, 1, generator=rng)
    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = optim.Adam(parameters, lr=0.02)
    losses = []
    for _ in range(120):
        loss = nn.functional.mse_loss(head(lstm(x)[0]), target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 20
