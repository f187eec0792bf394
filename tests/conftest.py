"""Every test starts from the same seed and leaves the default dtype as it found it."""

import numpy as np
import pytest

import tinygrad_rnn as tg

collect_ignore = ["golden/make_golden.py"]


@pytest.fixture(autouse=True)
def _same_start():
    tg.manual_seed(0)
    yield
    tg.set_default_dtype(tg.float32)
    assert tg.is_grad_enabled()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
