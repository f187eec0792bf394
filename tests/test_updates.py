"""Updates as machine code give the bits that numpy gives, whatever numbers come."""

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.optim import updates
from tinygrad_rnn.scan import cells

MAKERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.3),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "Adam decay": lambda p: optim.Adam(p, lr=0.1, weight_decay=0.3),
    "AMSGrad": lambda p: optim.Adam(p, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.2),
    "AdamW, AMSGrad": lambda p: optim.AdamW(p, amsgrad=True),
    "a rate that numpy counts": lambda p: optim.Adam(p, lr=np.float64(0.1)),
    "a whole rate": lambda p: optim.SGD(p, lr=1, momentum=0.5),
}
SHAPES = [(3,), (4, 5), (200, 130), (), (0, 2)]  # together in a row, large, a number, none


@pytest.fixture
def by_machine(monkeypatch):
    """What applies updates as machine code; it is not asked before it is put in place."""
    pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    from tinygrad_rnn.scan import applied

    monkeypatch.setattr(updates, "machine", [])
    applied._loop.cache_clear()  # a test may have planted a compiler that fails
    return applied


def gradient(shape, seed):
    """Numbers of all sizes, and what is no number."""
    draw = np.random.default_rng(seed)
    a = draw.normal(size=shape) * 10.0 ** draw.integers(-30, 15, shape)
    odd = draw.random(shape)
    return np.where(odd < 0.02, np.nan, np.where(odd > 0.98, np.inf, np.where(odd > 0.9, 0.0, a)))


def trained(make, dtype, machine):
    updates.machine[:] = machine
    params = [nn.Parameter(numbers(shape, 3), dtype=dtype) for shape in SHAPES]
    optimizer = make(params)
    for k in range(5):
        for p in params:
            p.grad = tg.tensor(gradient(p.shape, k), dtype=dtype)
        params[1].numpy()  # it is handed out: its array cannot be written from now on
        with np.errstate(all="ignore"):
            optimizer.step()
    memories = [v for p in params for v in optimizer.state[p].values()]
    every = [np.asarray(v) for v in (*(p.numpy() for p in params), *memories)]
    return [np.where(np.isnan(a), np.nan, a).astype(a.dtype).tobytes() for a in every]  # one NaN


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
@pytest.mark.parametrize("name", MAKERS)
def test_machine_code_gives_the_bits_that_numpy_gives(name, dtype, by_machine):
    taken = []

    def counted(*given):
        found = by_machine.applied(*given)
        taken.append(found is not None)
        return found

    assert trained(MAKERS[name], dtype, [counted]) == trained(MAKERS[name], dtype, [])
    assert any(taken) == (name != "a rate that numpy counts")


def test_machine_code_takes_over_with_the_layers(by_machine, monkeypatch):
    for name in ("_loops", "_configurations"):  # as in a new process
        monkeypatch.setattr(cells, name, {})
    layer = nn.RNN(2, 3)
    with tg.no_grad():
        layer(tg.zeros(4, 1, 2))
    assert ("numba" in layer.explain()) == (updates.machine == [by_machine.applied])


def test_code_that_cannot_be_compiled_is_numpys_turn(by_machine, monkeypatch):
    def fails(*_given):
        raise OSError("no compiler")

    by_machine._loop.cache_clear()
    monkeypatch.setattr(by_machine, "function", fails)
    try:
        assert trained(MAKERS["Adam"], tg.float32, [by_machine.applied]) == trained(
            MAKERS["Adam"], tg.float32, []
        )
    finally:
        by_machine._loop.cache_clear()


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_what_is_not_alike_is_declined(name, by_machine):
    a = np.ones((4, 4), np.float32)
    arrays = {"adam": 5, "sgd": 3}[name]
    options = {"adam": [1, 0.1, 0.9, 0.1, 0.9, 0.1, 1.0, 1e-8, 0.1, False]}.get(
        name, [0.1, 0.9, 0.1, 0.1, True]
    )
    update = getattr(updates, name)

    def run(last, numbers=options):
        return by_machine.applied(update, [a] * (arrays - 1) + [last], numbers, 2)

    assert run(a) is not None
    for other in (a[:2], a.T[:, ::2], a.astype(float), 0.0, a.astype(int), np.float32(1)):
        assert run(other) is None
    laid = np.arange(16, dtype=np.float32).reshape(4, 4).T
    for x, y in zip(run(laid), update(*[a] * (arrays - 1), laid, *options), strict=False):
        np.testing.assert_array_equal(x, y)
    assert run(a, [np.float32(1), *options[1:]]) is None
