"""Cells as users write them: compiled, on every back end, they are what the recorded loop is."""

import numpy as np
import pytest
from support import numbers
from users_cells import TABLE, users_cell

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends

INSTALLED = backends.choice()[0] == "numba"
needs_numba = pytest.mark.skipif(not INSTALLED, reason="numba is not installed (extra fast)")
STEPS = 4
SIZES = [(3, 2, 4), (1, 3, 6)]


def outcome(layer, x, states, compiled):
    """Outputs, last states and all gradients of a weighted sum."""
    layer.compiled = compiled
    layer.zero_grad()
    x = tg.tensor(x, requires_grad=True)
    states = [tg.tensor(s, requires_grad=True) for s in states]
    y, last = layer(x, states[0] if len(states) == 1 else tuple(states))
    outs = [y, last] if isinstance(last, tg.Tensor) else [y, *last]
    ways = [tg.tensor(0.3 + numbers(t.shape, 70 + k).astype(t.dtype)) for k, t in enumerate(outs)]
    total = sum((t * w).sum() for t, w in zip(outs, ways, strict=True))
    total.backward()
    leaves = [x, *states, *layer.parameters()]
    return [t.detach().numpy() for t in outs] + [
        None if p.grad is None else p.grad.numpy() for p in leaves
    ]


def agree(equations, sizes, backend, dtype=np.float64, tol=1e-9):
    layer = nn.Recurrent(users_cell(equations, sizes, dtype))
    if dtype == np.float64 and any("tg.ones" in line for line in equations.lines):
        tol = 1e-6
    b, i, _ = sizes
    x = numbers((STEPS, b, i) if equations.batched else (STEPS, i), 3).astype(dtype)
    states = [
        0.5 * numbers(layer.cell.shape_of(k), 5 + k).astype(dtype)
        for k in range(len(equations.states))
    ]
    slow = outcome(layer, x, states, False)
    with backends.using(backend), np.errstate(all="ignore"):
        fast = outcome(layer, x, states, True)
    for k, (a, c) in enumerate(zip(fast, slow, strict=True)):
        assert (a is None) == (c is None), k
        if a is not None:
            np.testing.assert_allclose(
                a, c, rtol=tol, atol=tol * max(1e-3, np.abs(c).max()), err_msg=str(k)
            )
    return layer.explain()


def names(equations):
    return equations.name


@pytest.mark.parametrize("sizes", [(3, 2, 4), (1, 1, 4), (4, 4, 4)])
@pytest.mark.parametrize("equations", TABLE, ids=names)
def test_in_numpy_calls(equations, sizes):
    assert "run by numpy" in agree(equations, sizes, "numpy")


@needs_numba
@pytest.mark.parametrize("equations", TABLE[::16], ids=names)
def test_in_machine_code(equations):
    assert "run by numba" in agree(equations, (3, 2, 4), "numba")


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("equations", TABLE, ids=names)
def test_every_one_in_machine_code(equations, dtype, monkeypatch):
    monkeypatch.setenv("TINYGRAD_RNN_BOUNDSCHECK", "1")
    for sizes in SIZES:
        words = agree(equations, sizes, "numba", dtype, 1e-9 if dtype == np.float64 else 3e-4)
        assert "run by numba" in words, words
