"""The recurrent layers over all options that PyTorch has: values and every gradient, to 1e-10 relative.

Made by ``golden/make_layers.py``; what the cases compute is in ``golden/layers_table.py``.
"""

import numpy as np
import pytest
from golden import layers_table, store
from support import assert_close

import tinygrad_rnn as tg

TOLERANCE = 1e-10


EXPECTED, KEYS = store.read("layers"), store.read_table("layers", "keys")


def test_every_case_is_stored():
    assert list(EXPECTED) == list(layers_table.CASES), "run tests/golden/make_layers.py"


@pytest.mark.parametrize("name", layers_table.CASES)
def test_as_pytorch(name):
    """Each result against its own size; outputs and the input's gradient also at every step."""
    ours = layers_table.run(tg, name)
    expected = EXPECTED[name]
    assert list(ours) == list(expected)
    for key, array in expected.items():
        assert_close(ours[key], array, TOLERANCE, f"{name}: {key}")
    if "cell" in name:
        return
    axis = 1 if "batch_first" in name else 0
    for key in ("out0", "grad in0"):
        pairs = zip(
            np.moveaxis(ours[key], axis, 0), np.moveaxis(expected[key], axis, 0), strict=True
        )
        for t, (a, b) in enumerate(pairs):
            assert_close(a, b, TOLERANCE, f"{name}: {key} at step {t}")


def test_state_dicts_have_pytorchs_entries_in_its_order():
    ours = layers_table.keys(tg)
    assert list(ours) == list(KEYS)
    for name, entries in KEYS.items():
        assert ours[name] == entries, name
