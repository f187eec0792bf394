"""RMSprop and L-BFGS, every optimizer against PyTorch's stored steps, states that continue."""

import math

import numpy as np
import pytest
from golden import optim_table
from support import assert_close, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.optim.lbfgs import Trial, strong_wolfe

STEPS = optim_table.stored("optim_steps")


@pytest.mark.parametrize("name", optim_table.OPTIMIZERS)
def test_twenty_steps_as_pytorch(name):
    ours = optim_table.run(tg, "optim_steps", name)["parameters"]
    expected = STEPS[name]["parameters"]
    assert ours.shape == expected.shape == (20, 9)
    assert np.abs(ours - expected).max() < 1e-9


@pytest.mark.parametrize("name", optim_table.LBFGS)
def test_lbfgs_learns_a_sine_as_pytorch(name):
    ours = optim_table.run(tg, "optim_steps", name)["losses"]
    expected = STEPS[name]["losses"]
    assert_close(ours[:3], expected[:3], 1e-6, name)  # then roundings grow, in any two libraries
    assert ours[-1] < 1.02 * expected[-1] < 0.002


# ---- states ---------------------------------------------------------------------------------------------


TRAINERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "LBFGS": lambda p: optim.LBFGS(p, lr=0.3, max_iter=3, history_size=4),
    "LBFGS wolfe": lambda p: optim.LBFGS(p, max_iter=3, line_search_fn="strong_wolfe"),
}


def train(trainer, w, b, loss, steps):
    def closure():
        trainer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(steps):
        trainer.step(closure)
    return np.concatenate([w.numpy().ravel(), b.numpy()])


@pytest.mark.parametrize("name", TRAINERS)
def test_a_loaded_state_continues_to_the_same_bits(name):
    w, b, loss = optim_table.problem(tg)
    whole = train(TRAINERS[name]([w, b]), w, b, loss, 9)

    w, b, loss = optim_table.problem(tg)
    first = TRAINERS[name]([w, b])
    train(first, w, b, loss, 4)
    state, values = first.state_dict(), (w.numpy().copy(), b.numpy().copy())
    train(first, w, b, loss, 2)  # what goes on must not reach into the snapshot

    w, b, loss = optim_table.problem(tg)
    with tg.no_grad():
        w.copy_(values[0])
        b.copy_(values[1])
    second = TRAINERS[name]([w, b])
    second.load_state_dict(state)
    np.testing.assert_array_equal(train(second, w, b, loss, 5), whole)


@pytest.mark.parametrize("name", TRAINERS)
def test_a_state_of_other_shapes_is_refused_before_anything_changes(name):
    w, b, loss = optim_table.problem(tg)
    trainer = TRAINERS[name]([w, b])
    train(trainer, w, b, loss, 2)
    other = TRAINERS[name]([tg.zeros(4, requires_grad=True), tg.zeros(6, requires_grad=True)])
    with pytest.raises(ValueError, match="has shape"):
        other.load_state_dict(trainer.state_dict())
    assert other.state == {}


def test_rmsprop_groups_and_options():
    a, b = tg.ones(1, requires_grad=True), tg.ones(1, requires_grad=True)
    trainer = optim.RMSprop([{"params": [a], "lr": 0.5}, {"params": [b], "alpha": 0.0}], lr=0.1)
    (a + b).sum().backward()
    trainer.step()
    assert_close(a.numpy(), [1 - 0.5 / 0.1], 1e-6)
    assert_close(b.numpy(), [0.9], 1e-6)
    with pytest.raises(ValueError, match="alpha must not be negative"):
        optim.RMSprop([a], alpha=-1)


def test_centered_rmsprop_stays_finite_when_the_variance_is_nothing():
    w = tg.ones(1, requires_grad=True)
    trainer = optim.RMSprop([w], lr=1e-9, alpha=0.5, centered=True)
    for _ in range(200):
        trainer.zero_grad()
        (w * 0.1).sum().backward()
        trainer.step()
    assert np.isfinite(w.numpy()).all()


# ---- L-BFGS ---------------------------------------------------------------------------------------------


def rosenbrock():
    p = tg.tensor([-1.2, 1.0], dtype=tg.float64, requires_grad=True)
    return p, lambda: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def closure_of(trainer, loss):
    def closure():
        trainer.zero_grad()
        value = loss()
        value.backward()
        return value

    return closure


def test_lbfgs_walks_the_rosenbrock_valley():
    p, loss = rosenbrock()
    trainer = optim.LBFGS([p], 1, 60, 200, tolerance_change=1e-15, line_search_fn="strong_wolfe")
    first = trainer.step(closure_of(trainer, loss))
    assert first.item() == pytest.approx(24.2)
    assert_close(p.numpy(), [1.0, 1.0], 1e-6)
    memory = trainer.state_dict()["state"][0]
    assert memory["n_iter"] < 50
    assert memory["func_evals"] < 70


def test_lbfgs_solves_least_squares():
    a, b = numbers((8, 3), 1), numbers(8, 2)
    w = tg.zeros(3, dtype=tg.float64, requires_grad=True)
    trainer = optim.LBFGS([w], max_iter=30, line_search_fn="strong_wolfe")
    trainer.step(closure_of(trainer, lambda: ((tg.from_numpy(a) @ w - b) ** 2).sum()))
    assert_close(w.numpy(), np.linalg.lstsq(a, b, rcond=None)[0], 1e-6)


def test_lbfgs_stops_at_a_minimum_and_keeps_to_its_evaluations():
    p, loss = rosenbrock()
    calls = []
    trainer = optim.LBFGS([p], max_iter=50, max_eval=7, line_search_fn="strong_wolfe")
    closure = closure_of(trainer, loss)
    trainer.step(lambda: calls.append(1) or closure())
    assert 7 <= len(calls) <= 8
    with tg.no_grad():
        p.copy_([1.0, 1.0])
    calls.clear()
    trainer.step(lambda: calls.append(1) or closure())
    assert len(calls) == 1


def test_lbfgs_line_search_comes_back_from_where_the_loss_is_not_finite():
    w = tg.tensor([0.5], dtype=tg.float64, requires_grad=True)
    trainer = optim.LBFGS([w], lr=50.0, line_search_fn="strong_wolfe")
    with np.errstate(all="ignore"):
        trainer.step(
            closure_of(trainer, lambda: (w - (3 - w).log()).sum() + 0 * (3 - w).sqrt().sum())
        )
        found = w.numpy()
    assert np.isfinite(found).all()
    assert found[0] < 0.5


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_that_fails_leaves_everything_as_it_was(search):
    p, loss = rosenbrock()
    trainer = optim.LBFGS([p], lr=1e-3, line_search_fn=search)
    closure, calls = closure_of(trainer, loss), []

    def failing():
        calls.append(1)
        if len(calls) == 4:
            raise KeyError("data")
        return closure()

    before = p.numpy().copy()
    with pytest.raises(KeyError):
        trainer.step(failing)
    np.testing.assert_array_equal(p.numpy(), before)
    assert trainer.state == {}


def test_lbfgs_refuses():
    w = tg.ones(1, requires_grad=True)
    trainer = optim.LBFGS([w])
    with pytest.raises(TypeError, match="closure"):
        trainer.step()
    with pytest.raises(FloatingPointError, match="loss is nan"):
        trainer.step(closure_of(trainer, lambda: (w * math.nan).sum()))
    with pytest.raises(ValueError, match="strong_wolfe"):
        optim.LBFGS([w], line_search_fn="armijo")
    with pytest.raises(ValueError, match="one group"):
        optim.LBFGS([{"params": [w]}, {"params": [tg.ones(1, requires_grad=True)]}])
    with pytest.raises(ValueError, match="max_iter"):
        optim.LBFGS([w], max_iter=0)


@pytest.mark.parametrize("t", [1e-3, 0.1, 1.0, 7.0, 300.0])
@pytest.mark.parametrize("slope", [0.3, 5.0])
def test_strong_wolfe_finds_what_it_promises(t, slope):
    def along(t):
        return Trial(t, math.cosh(t - 2) - slope * t, np.zeros(1), math.sinh(t - 2) - slope)

    start = along(0.0)
    found, tries = strong_wolfe(along, start, t, 1.0, 1e-9, 25)
    assert found.loss <= start.loss + 1e-4 * found.t * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)
    assert tries <= 25


def test_an_lstm_trains_with_lbfgs_in_float32():
    t = tg.arange(21.0) / 3
    wave = t.numpy()[:, None, None]
    x = tg.tensor(np.sin(wave).astype(np.float32))
    lstm, head = nn.LSTM(1, 6), nn.Linear(6, 1)
    parameters = [*lstm.parameters(), *head.parameters()]
    trainer = optim.LBFGS(parameters, line_search_fn="strong_wolfe")
    closure = closure_of(trainer, lambda: nn.functional.mse_loss(head(lstm(x[:-1])[0]), x[1:]))
    first, second = trainer.step(closure).item(), trainer.step(closure).item()
    assert second < first / 10
    assert all(p.dtype == tg.float32 for p in parameters)
