"""The golden cases: values and every gradient as PyTorch computed them in float64, to 1e-10 relative.

Made by ``golden/make_golden.py``; what they compute is in ``golden/table.py``.
"""

import numpy as np
import pytest
from golden import store, table
from support import assert_close

import tinygrad_rnn as tg

TOLERANCE = 1e-10


EXPECTED, DTYPES = store.read("golden"), store.read_table("golden", "dtypes")


def test_every_case_is_stored():
    assert list(EXPECTED) == list(table.CASES), "run tests/golden/make_golden.py"


@pytest.mark.parametrize("name", table.CASES)
def test_as_pytorch(name):
    with np.errstate(all="ignore"):
        ours = table.run(tg, name)
    expected = EXPECTED[name]
    assert list(ours) == list(expected)
    for key, array in expected.items():
        assert_close(ours[key], array, TOLERANCE, f"{name}: {key}")


@pytest.mark.parametrize("name", [n for n, (f, _) in table.CASES.items() if f is table.recurrent])
def test_every_step_as_pytorch(name):
    """The outputs and the gradient of the input, each time step against its own size."""
    ours, expected = table.run(tg, name), EXPECTED[name]
    axis = 1 if "batch_first" in name else 0
    for key in ("out0", "grad in0"):
        pairs = zip(
            np.moveaxis(ours[key], axis, 0), np.moveaxis(expected[key], axis, 0), strict=True
        )
        for t, (a, b) in enumerate(pairs):
            assert_close(a, b, TOLERANCE, f"{name}: {key} at step {t}")


# PyTorch refuses these: its softmax and mean take floats alone, abs and argmax no bools. Here integers
# become floats first, as in numpy.
REFUSED_BY_PYTORCH = {
    *(
        f"{op}: {d}"
        for op in ("mean", "softmax")
        for d in ("bool", "uint8", "int8", "int32", "int64")
    ),
    "abs: bool",
    "argmax: bool",
}


def test_result_dtypes_as_pytorch():
    ours = table.dtypes(tg)
    assert set(ours) == set(DTYPES)
    wrong = {
        key: f"{ours[key]}, PyTorch {dtype}"
        for key, dtype in DTYPES.items()
        if ours[key] != dtype and not (dtype == "-" and key in REFUSED_BY_PYTORCH)
    }
    assert not wrong, "\n".join(f"{key}: {what}" for key, what in wrong.items())
