"""Small cells of every kind: compiled loops, on both back ends, equal the recorded loop."""

import pytest
from small_cells import Written, difference, given, outcome

from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends

INSTALLED = backends.choice()[0] == "numba"
BACKENDS = [
    "numpy",
    pytest.param(
        "numba",
        marks=pytest.mark.skipif(not INSTALLED, reason="numba is not installed (extra fast)"),
    ),
]
Z = "z = (x @ self.U + s0 @ self.W).tanh()"
LOOPED = [
    "x[:, :1] * z",
    "z[:, 1:3].sum(-1, keepdim=True) * z",
    "(s0.reshape(-1, 4, 2).permute(1, 0, 2) @ self.W[:2, :2]).permute(1, 0, 2).reshape(-1, 8) + z",
    "nn.functional.leaky_relu(z, 0.1)",
    "z.round() + z",
    "z * z.norm(dim=-1, keepdim=True)",
]


@pytest.mark.parametrize("text", LOOPED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_cell_computes_is_what_it_says(backend, text):
    cell = Written([Z, f"n0 = {text}", "y = n0"], (3, 2, 8))
    layer = nn.Recurrent(cell).double()
    x, states = given(cell, 4)
    slow = outcome(layer, x, states, False)
    with backends.using(backend):
        fast = outcome(layer, x, states, True)
    assert not difference(fast, slow, 1e-9)
