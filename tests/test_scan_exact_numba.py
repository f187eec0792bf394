"""The tables of small cells in machine code: by numba where it takes them, and never beside an array."""

import itertools
import re

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

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.ops.row import ROWS as OPS
from tinygrad_rnn.ops.row import Texts
from tinygrad_rnn.scan import backends, cells

if backends.choice()[0] != "numba":
    pytest.skip("numba is not installed (extra fast)", allow_module_level=True)

from test_scan_numba import product_of

from tinygrad_rnn.scan import machine_code, native, numba_plan, numba_text
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
            agree(layer, steps, "numba", only=only, how="run by numba")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_cells_drawn_at_random_in_machine_code(seed):
    agree_at_random(seed, "numba", "columns")


def test_a_wrong_result_of_machine_code_goes_to_numpy(unknown, monkeypatch):
    monkeypatch.setattr(OPS["sin"], "texts", Texts(machine="math.cos({0})"))
    layer = layer_of(["n0 = z * s0.sin()", "y = n0"], (3, 2, 4))
    agree(layer, 3, "numba", how="run by numpy (numba gave another output")


def test_what_numba_cannot_compile_goes_to_numpy(unknown, monkeypatch):
    monkeypatch.setattr(OPS["sin"], "texts", Texts(machine="math.no_such_function({0})"))
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
    from tinygrad_rnn.scan.runtime import laid_out

    kind = np.dtype(f"f{bits // 8}")
    checked = product_of(bits, "checked", "boundscheck=True")
    for rows, inner, width in itertools.product((1, 2, 4, 5), (1, 3, 9), (1, 7, 16, 65)):
        fenced = _Fenced()
        a = fenced.copy(numbers((rows, inner), 1).astype(kind))
        w = numbers((inner, width), 2).astype(kind)
        panels = fenced.copy(laid_out(fenced.copy(w), False))
        out = fenced.empty((rows * width,), kind)
        checked(a.reshape(-1), panels, out, rows, inner, width, 0, 0, 0)
        fenced.check()
        assert np.abs(out.reshape(rows, width) - a @ w).max() < 1e-5
        for arrays in ((a.reshape(-1)[1:], panels, out), (a.reshape(-1), panels[1:], out)):
            with pytest.raises(IndexError, match="out of bounds"):
                checked(*arrays, rows, inner, width, 0, 0, 0)
        with pytest.raises(IndexError, match="out of bounds"):
            checked(a.reshape(-1), panels, out[1:], rows, inner, width, 0, 0, 0)


PAST = re.compile(r"(= .*)(F\d+\[r\d+ \+ j)\]")  # a number of an array of the caller's


@pytest.mark.parametrize("tested", [True, False])
def test_nothing_but_the_option_sees_an_index_one_past_the_end(tested, unknown, monkeypatch):
    """The text reads one number late: an error with the option, a fence's NaN without it."""
    made = []

    def altered(text, *given):
        late, count = PAST.subn(r"\1\2 + np.uint64(1)]", text)
        made.append((count, machine_code.function(late, *given)))
        return made[-1][1]

    monkeypatch.setenv("TINYGRAD_RNN_BOUNDSCHECK", str(int(tested)))
    monkeypatch.setattr(numba_text, "function", altered)
    words = "IndexError: index is out of bounds" if tested else "numba gave another"
    layer = layer_of(["n0 = z * x[:, :1] * 0.25", "y = n0 + s0"], (3, 2, 4))
    agree(layer, 3, "numba", how=words)
    assert any(count for count, _ in made)
    assert all(isinstance(kept, native.TestedLoop) is tested for _, kept in made)


@pytest.mark.parametrize(
    "lines",
    [
        ["n0 = (z + (s0 + s1) @ self.W).tanh()", "n1 = 0.5 * s1 + n0", "y = n0"],
        ["v = z + (s0 + s1) @ self.W + s0 @ self.U", "n0 = v.tanh()", "n1 = n0", "y = n0"],
        ["v = z + (s0 + s1) @ self.U + s1 @ self.W", "n0 = v.tanh()", "n1 = n0 * 0.5", "y = n1"],
        ["y = s0 @ self.W.T", "n0 = (y + z @ self.U).tanh()"],
        ["y = z @ self.U", "n0 = (y + s0 @ self.W.T).tanh()"],
    ],
)
def test_a_product_that_is_wanted_by_itself_is_not_added_up_in_place(lines, unknown):
    layer = layer_of(lines, (3, 4, 4), (None,) * (2 if "s1" in " ".join(lines) else 1))
    agree(layer, 4, "numba", how="run by numba")


ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-310, -1e-310, 1e-40, 1.0, -1.0, 30.0, -30.0]
ODD += [sign * n for n in (88.0, 88.71, 90.0, 104.0, 709.0, 709.77, 720.0, 746.0, 1e4, 1e300)
        for sign in (1, -1)]  # fmt: skip
CURVES = ["exp", "tanh", "sigmoid", "sign", "abs", "sqrt", "log", "log1p", "expm1", "relu"]
CURVES += ["softplus", "silu", "elu", "floor", "gelu"]
POWERS = (-3, -2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2, 3, 4)
BENT = [*CURVES, *(f"power {p}" for p in POWERS)]


class Bent(nn.Module):
    """Curves of the state, alone and times x: infinity times it shows what is next to 0 and what is 0."""

    def __init__(self):
        super().__init__()
        self.curves = [getattr(nn.functional, c, None) or getattr(tg, c) for c in CURVES]

    def forward(self, x, h):
        bent = [curve(h) for curve in self.curves] + [h**p for p in POWERS]
        return tg.cat([*bent, *(b * x for b in bent)], -1), -h


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_curves_of_extreme_numbers_are_the_recorded_ones(kind, backend, unknown):
    """NaN, infinity and 0 where they are recorded, and at most 8 units in the last place apart."""
    layer, found = nn.Recurrent(Bent()), {}
    with np.errstate(all="ignore"), backends.using(backend):
        x, h = np.full((2, 1, len(ODD)), np.inf, kind), np.array([ODD]).astype(kind)
        for layer.compiled in (False, True):
            found[layer.compiled] = np.split(layer(x, tg.tensor(h))[0].numpy(), 2 * len(BENT), -1)
    assert f"run by {backend}" in layer.explain()
    eps, tiny = np.finfo(kind).eps, np.finfo(kind).smallest_subnormal
    for curve, fast, right in zip(2 * BENT, found[True], found[False], strict=True):
        np.testing.assert_allclose(fast, right, rtol=8 * eps, atol=8 * tiny, err_msg=curve)


class Pushed(nn.Module):
    """A gate that an input of 1e308 holds open or shut."""

    def __init__(self):
        super().__init__()
        self.W = nn.Parameter(numbers((2, 3)), dtype=tg.float64)

    def forward(self, x, h):
        y = (x @ self.W + h).sigmoid()
        return y, y


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_gate_held_by_a_huge_input_gives_no_gradient(kind, backend, unknown):
    """Its slope is 0, whatever it is multiplied by: what the other steps give is all there is."""
    huge = np.finfo(kind).max / 4
    x = np.array([[[0.3, -0.2]], [[huge, 0.0]], [[0.5, 0.1]], [[-huge, 0.0]]], kind)
    cell = Pushed()
    cell.W = nn.Parameter(cell.W.numpy().astype(kind))
    layer, zero = nn.Recurrent(cell), tg.tensor(np.zeros((1, 3), kind))
    with backends.using(backend):
        y, _ = layer(tg.tensor(x), zero)
        y.sum().backward()
    assert f"run by {backend}" in layer.explain()
    assert set(y.numpy()[[1, 3]].ravel().tolist()) <= {0.0, 1.0}
    slope = y.numpy() * (1 - y.numpy())  # the gates held have none, and pass nothing back in time
    expected = sum(np.outer(x[t], slope[t]) for t in (0, 2))
    np.testing.assert_allclose(cell.W.grad.numpy(), expected, rtol=4 * np.finfo(kind).eps)


class Annealed(nn.Module):
    """A leaky cell whose rate is a number of Python's."""

    def __init__(self):
        super().__init__()
        self.W, self.rate = nn.Parameter(numbers((4, 4)), dtype=tg.float64), 1.0

    def forward(self, x, h):
        h = (1 - self.rate) * h + self.rate * (x + h @ self.W).tanh().clip(-self.rate, 0.5)
        return h, h

    def initial_state(self, batch):
        return tg.zeros(batch, 4, dtype=tg.float64)


def test_other_numbers_need_no_other_machine_code(unknown, monkeypatch):
    monkeypatch.setattr(machine_code, "_functions", {})
    layer, x = nn.Recurrent(Annealed()), numbers((5, 3, 4))
    counts = []
    for rate in (1.0, 0.5, 0.25, 0.0, 2.0, 0.9, 1e-3):
        layer.cell.rate = rate
        got = []
        for layer.compiled in (False, True):
            layer.cell.W.grad = None
            with backends.using("numba"):
                y, _ = layer(x)
            y.sum().backward()
            got.append((y.numpy(), layer.cell.W.grad.numpy()))
        assert "run by numba" in layer.explain()
        for slow, fast in zip(*got, strict=True):
            np.testing.assert_allclose(fast, slow, rtol=1e-9, atol=1e-12)
        counts.append(len(machine_code._functions))
    assert counts == [2] * 7


def test_no_more_functions_are_remembered_than_a_limit(unknown, monkeypatch):
    monkeypatch.setattr(machine_code, "_functions", {})
    monkeypatch.setattr(machine_code, "MOST", 3)
    layers = [
        layer_of([f"n0 = {text} * z", "y = n0"], (3, 2, 4)) for text in ("s0", "z", "2", "s0 * 2")
    ]
    for _ in range(2):
        for layer in layers:
            agree(layer, 3, "numba", how="run by numba")
            assert len(machine_code._functions) <= 3


@pytest.mark.parametrize("text", ["(t + v) - v", "(t - v) + v"])
def test_what_is_lost_to_rounding_is_lost_in_machine_code(text, unknown):
    layer = layer_of(["v = self.full * 1e17", "t = z.tanh()", f"n0 = {text}", "y = n0"], (3, 2, 4))
    agree(layer, 1, "numba", how="run by numba")


def test_one_number_for_all_rows_is_no_column(unknown):
    """A clock, where no gradient is asked for: its one number is not taken for one of each row."""
    layer = layer_of(["n0 = z * s1", "n1 = s1 + 0.5", "y = n0"], (3, 2, 4), (None, ()))
    x, state = numbers((4, 3, 2)), (tg.tensor(numbers((3, 4))), tg.tensor(0.5, dtype=tg.float64))
    found = []
    for layer.compiled in (False, True):
        with tg.no_grad(), backends.using("numba"):
            y, (_, clock) = layer(x, state)
        found.append((y.numpy(), clock.numpy()))
    assert "run by numba" in layer.explain()
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-12)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-12)
