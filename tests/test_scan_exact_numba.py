"""The tables of small cells in machine code: by numba where it takes them, and never beside an array."""

import itertools

import numpy as np
import pytest
from support import numbers
from test_scan_exact import (
    COLUMNS,
    HANDED_ON,
    IN_MACHINE_CODE,
    ROWS,
    agree,
    agree_at_random,
    layer_of,
    some,
    state_of,
)

from tinygrad_rnn.scan import backends, cells

if backends.choice()[0] != "numba":
    pytest.skip("numba is not installed (extra fast)", allow_module_level=True)

from tinygrad_rnn.scan import machine_code, numba_plan
from tinygrad_rnn.scan.verified import _Fenced


@pytest.fixture
def unknown(monkeypatch):
    """No program has been made yet."""
    monkeypatch.setattr(cells, "_loops", {})


@pytest.mark.parametrize(("text", "sizes"), some(COLUMNS, 54)[::3])
def test_operands_of_every_shape_in_machine_code(text, sizes):
    b, _, h = sizes
    taken = b == 1 or "self.W[:1]" not in text
    agree(
        layer_of([f"n0 = {text}", "y = n0"], sizes), 4, "numba", how="numba" if taken and h else ""
    )


@pytest.mark.parametrize(("text", "sizes"), some(ROWS, 80, [(3, 2, 4)])[::4])
def test_every_row_in_machine_code(text, sizes):
    agree(layer_of(state_of(text), sizes), 4, "numba")


@pytest.mark.parametrize("which", IN_MACHINE_CODE)
def test_states_are_handed_on_in_machine_code(which):
    lines, starts = HANDED_ON[which]
    starts = [{"column": (3, 1)}.get(s, s) for s in starts]
    layer = layer_of(lines, (3, 2, 4), (None, *starts))
    for steps in (4, 5):
        for only in (None, [0]):
            agree(
                layer,
                steps,
                "numba",
                only=only,
                how="numba cannot take" if () in starts else "run by numba",
            )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_cells_drawn_at_random_in_machine_code(seed):
    agree_at_random(seed, "numba", "columns")


def test_a_wrong_result_of_machine_code_goes_to_numpy(unknown, monkeypatch):
    monkeypatch.setitem(numba_plan.ELEMENTWISE, "sin", "math.cos({0})")
    layer = layer_of(["n0 = z * s0.sin()", "y = n0"], (3, 2, 4))
    agree(layer, 3, "numba", how="run by numpy (numba gave another output")


def test_what_numba_cannot_compile_goes_to_numpy(unknown, monkeypatch):
    monkeypatch.setitem(numba_plan.ELEMENTWISE, "sin", "math.no_such_function({0})")
    layer = layer_of(["n0 = z * s0.sin() * 0.5", "y = n0"], (3, 2, 4))
    agree(layer, 3, "numba", how="run by numpy (numba cannot run it: ")


def test_reading_beside_an_array_is_seen(unknown, monkeypatch):
    """A row that all rows share, read as if each had its own: beyond its end there is only NaN."""
    monkeypatch.setattr(numba_plan.Plan, "has_rows", lambda _self, _v: True)
    layer = layer_of(["n0 = z * self.bias", "y = n0"], (3, 2, 4))
    agree(layer, 3, "numba", how="run by numpy (numba gave another output")


@pytest.mark.parametrize(
    "lines",
    [
        ["n0 = x[:, :1] * z", "y = tg.cat([s0, s0.sum(-1, keepdim=True)], -1)"],
        ["n0 = tg.cat([x[:, :1].expand(B, H), z], -1)[:, 1:1 + H]", "y = n0"],
        ["n0 = z[:, 1:3].sum(-1, keepdim=True) * (z @ self.W) * self.row", "y = n0 * self.full"],
        ["n0 = F.softplus(z * s0[:, -1:]) + self.wide[:, 2:3]", "y = n0[:, :1]"],
    ],
)
def test_no_index_of_machine_code_is_outside(lines, unknown, monkeypatch):
    monkeypatch.setenv("TINYGRAD_RNN_BOUNDSCHECK", "1")
    for sizes in ((3, 2, 4), (4, 4, 4)):
        agree(layer_of(lines, sizes), 4, "numba", how="run by numba")


def test_an_index_outside_is_an_error_where_it_is_tested(unknown, monkeypatch):
    monkeypatch.setenv("TINYGRAD_RNN_BOUNDSCHECK", "1")
    monkeypatch.setattr(numba_plan.Plan, "has_rows", lambda _self, _v: True)
    layer = layer_of(["n0 = z * self.bias * 0.5", "y = n0"], (3, 2, 4))
    agree(layer, 3, "numba", how="IndexError")


@pytest.mark.parametrize("bits", [32, 64])
def test_products_stay_within_their_arrays(bits):
    from tinygrad_rnn.scan import products

    machine_code.kernels(bits)
    kind = np.dtype(f"f{bits // 8}")
    packed, checked = getattr(products, f"packed{bits}"), getattr(products, f"checked{bits}")
    for rows, inner, width in itertools.product((1, 2, 4, 5), (1, 3, 9), (1, 7, 16, 65)):
        fenced = _Fenced()
        a = fenced.copy(numbers((rows, inner), 1).astype(kind))
        w = numbers((inner, width), 2).astype(kind)
        laid_out = fenced.copy(packed(fenced.copy(w), False))
        out = fenced.empty((rows * width,), kind)
        checked(a.reshape(-1), laid_out, out, rows, inner, width, 0)
        fenced.check()
        assert np.abs(out.reshape(rows, width) - a @ w).max() < 1e-5
        for arrays in ((a.reshape(-1)[1:], laid_out, out), (a.reshape(-1), laid_out[1:], out)):
            with pytest.raises(IndexError, match="beyond"):
                checked(*arrays, rows, inner, width, 0)
        with pytest.raises(IndexError, match="beyond"):
            checked(a.reshape(-1), laid_out, out[1:], rows, inner, width, 0)
