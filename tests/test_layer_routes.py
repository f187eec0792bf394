"""A quick slice of ``layer_routes.py``: layers by every route, whatever is done with their outputs."""

import numpy as np
import pytest
from layer_routes import check, draw

from tinygrad_rnn.scan import backends


def slice_of(seed, first, count):
    for n in range(first, first + count):
        yield n, draw(np.random.default_rng([seed, n]))


@pytest.mark.parametrize("first", range(0, 160, 20))
def test_layers_agree_with_plain_numpy_by_every_route(first):
    for n, case in slice_of(14, first, 20):
        ran = check(case, ["plain", "numpy"])
        assert ran["numpy"].startswith("compiled"), f"seed 14, case {n}: {ran}"


@pytest.mark.slow
@pytest.mark.skipif(backends.choice()[0] != "numba", reason="numba is not installed (extra fast)")
def test_layers_agree_as_machine_code():
    for n, case in slice_of(15, 0, 8):
        ran = check(case, ["plain", "numba"])
        assert "numba" in ran["numba"], f"seed 15, case {n}: {ran}"


@pytest.mark.peers
@pytest.mark.parametrize("first", range(0, 400, 100))
def test_layers_agree_with_pytorch(first):
    for _, case in slice_of(16, first, 100):
        check(case, ["torch", "plain", "numpy"])
