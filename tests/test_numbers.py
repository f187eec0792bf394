"""Functions of single numbers and their slopes, on both sides, near 0, at ends and beyond: numpy's values."""

import operator

import numpy as np
import pytest
from small_cells import Clock

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional as F
from tinygrad_rnn.scan import backends

SMALL = [1e-30, 1e-12, 1e-5, 1e-3]
SIDES = [0.0, *SMALL, 0.1, 0.5, 1.0, 3.0, 20.0, 30.0, 80.0]
REAL = np.array([*SIDES, *(-s for s in SIDES)])
WITHIN = np.array([0.0, *SMALL, 0.3, 0.9, 0.999])
WITHIN = np.concatenate([WITHIN, -WITHIN])
FUNCTIONS = {  # where, values, slopes, second derivatives: numpy's words
    "sinh": (REAL, np.sinh, np.cosh, np.sinh),
    "cosh": (REAL, np.cosh, np.sinh, np.cosh),
    "asinh": (
        np.concatenate([REAL, [1e6, -1e6, 1e30, -1e30]]),
        np.arcsinh,
        lambda x: 1 / np.hypot(x, 1),
        lambda x: -(x / np.hypot(x, 1)) / np.hypot(x, 1) ** 2,
    ),
    "acosh": (
        1 + np.array([1e-6, 1e-3, 0.1, 1.0, 10.0, 1e6, 1e30]),
        np.arccosh,
        lambda x: 1 / np.sqrt(x - 1) / np.sqrt(x + 1),
        lambda x: -(x / np.sqrt(x - 1) / np.sqrt(x + 1)) / (x - 1) / (x + 1),
    ),
    "atanh": (WITHIN, np.arctanh, lambda x: 1 / (1 - x * x), lambda x: 2 * x / (1 - x * x) ** 2),
    "asin": (
        WITHIN,
        np.arcsin,
        lambda x: 1 / np.sqrt(1 - x * x),
        lambda x: x / np.sqrt(1 - x * x) ** 3,
    ),
    "acos": (
        WITHIN,
        np.arccos,
        lambda x: -1 / np.sqrt(1 - x * x),
        lambda x: -x / np.sqrt(1 - x * x) ** 3,
    ),
    "atan": (REAL, np.arctan, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_slopes_are_numpys(name, dtype):
    where, value, slope, bend = FUNCTIONS[name]
    points = where.astype(dtype)
    with np.errstate(all="ignore"):
        wide = points.astype("float64")
        expected = [f(wide) for f in (value, slope, bend)]
    some = np.abs(expected[1]) < 1e30
    rtol, atol = (3e-6, 2e-7) if dtype == "float32" else (1e-12, 1e-15)
    x = tg.tensor(points[some], requires_grad=True)
    y = getattr(tg, name)(x)
    (first,) = tg.grad(y.sum(), x, create_graph=True)
    (second,) = tg.grad(first.sum(), x)
    np.testing.assert_allclose(y.numpy(), expected[0][some], rtol, 1e-44)
    np.testing.assert_allclose(first.numpy(), expected[1][some], rtol, 1e-40)
    np.testing.assert_allclose(second.numpy(), expected[2][some], 4 * rtol, atol)


ENDS = {  # at the ends of where they are defined, and where a square would overflow
    "sinh": [(np.inf, np.inf), (-np.inf, np.inf)],
    "asinh": [(np.inf, 0.0), (-np.inf, 0.0), (1e308, 1e-308), (-1e200, 1e-200)],
    "acosh": [(1.0, np.inf), (1e308, 1e-308)],
    "asin": [(1.0, np.inf), (-1.0, np.inf)],
    "acos": [(1.0, -np.inf), (-1.0, -np.inf)],
    "atanh": [(1.0, np.inf), (-1.0, np.inf)],
    "cosh": [(700.0, np.sinh(700.0)), (-np.inf, -np.inf)],
}


@pytest.mark.parametrize(("name", "at", "slope"), [(n, *c) for n in ENDS for c in ENDS[n]])
def test_ends(name, at, slope):
    x = tg.tensor(at, dtype=tg.float64, requires_grad=True)
    with np.errstate(all="ignore"):
        y = getattr(tg, name)(x)
        y.backward()
        np.testing.assert_allclose(y.item(), getattr(np, FUNCTIONS[name][1].__name__)(at), 1e-14)
    np.testing.assert_allclose(x.grad.item(), slope, 1e-12)


# ---- quotients and what they leave ------------------------------------------------------------------

NUMBERS = [0.0, 1.0, -1.0, 0.1, 0.3, -0.3, 0.5, -0.5, 3.0, 5.5, -5.5, 2.0, 1e6, np.inf, -np.inf]
PAIRS = np.array([(a, b) for a in NUMBERS for b in NUMBERS]).T


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_whole_quotients_are_those_of_the_exact_ones(dtype):
    with np.errstate(all="ignore"):
        a, b = PAIRS.astype(dtype)
        expected, rest, other = np.floor_divide(a, b), np.remainder(a, b), np.fmod(a, b)
        found = [(tg.tensor(a) // tg.tensor(b)).numpy(), tg.floor_divide(tg.tensor(a), b).numpy()]
        left = (tg.tensor(a) % tg.tensor(b)).numpy(), tg.fmod(tg.tensor(a), tg.tensor(b)).numpy()
    for f in found:
        np.testing.assert_array_equal(f, expected)
    near = np.isfinite(a) & np.isfinite(b) & (b != 0)
    tolerance = 8 * np.finfo(dtype).eps * np.abs(a[near])
    for mine, theirs in zip(left, (rest, other), strict=True):
        assert (np.abs(mine[near] - theirs[near]) <= tolerance).all()
        np.testing.assert_array_equal(mine[~near], np.where(b[~near] == 0, np.nan, theirs[~near]))


def test_numbers_of_python_on_either_side():
    x = tg.tensor([0.5, 3.0, -2.0], dtype=tg.float64)
    for f in (operator.mod, operator.floordiv):
        for n in (0.1, 2, -0.7):
            for mine, theirs in ((f(x, n), f(x.numpy(), n)), (f(n, x), f(n, x.numpy()))):
                np.testing.assert_allclose(mine.numpy(), theirs, atol=1e-15)
    whole = tg.tensor([7, -7, 3])
    assert (20 % whole).tolist() == [20 % 7, 20 % -7, 20 % 3]
    assert (20 // whole).tolist() == [20 // 7, 20 // -7, 20 // 3]


INTEGERS = [tg.int8, tg.uint8, tg.int16, tg.int32, tg.int64]


@pytest.mark.parametrize("second", INTEGERS)
@pytest.mark.parametrize("first", INTEGERS)
@pytest.mark.parametrize("name", ["remainder", "floor_divide", "fmod"])
def test_integers_promote_before_they_are_divided(name, first, second):
    a = np.array([100, 7, 90]).astype(first)
    b = np.array([min(np.iinfo(second).max, 1000), 3, 7]).astype(second)
    expected = getattr(np, name)(a.astype("int64"), b.astype("int64"))
    found = getattr(tg, name)(tg.tensor(a), tg.tensor(b))
    assert found.dtype == np.promote_types(first, second)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("name", ["remainder", "fmod"])
def test_slopes_of_remainders(name):
    a, b = np.array([5.5, -5.5, 0.0, -0.0, 0.3]), np.array([2.0, 2.0, 2.0, 3.0, -0.7])
    x, y = (tg.tensor(v, requires_grad=True) for v in (a, b))
    getattr(tg, name)(x, y).sum().backward()
    q = np.floor(a / b) if name == "remainder" else np.trunc(a / b)
    assert x.grad.tolist() == [1.0] * 5
    np.testing.assert_array_equal(y.grad.numpy(), -q)


@pytest.mark.parametrize("back_end", ["numpy", "numba"])
def test_a_cell_by_its_clock_is_compiled_to_what_is_recorded(back_end):
    if back_end == "numba":
        pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    cell = Clock().double()
    x = tg.tensor(np.random.default_rng(0).normal(size=(9, 3, 4)), requires_grad=True)
    found = []
    for compiled in (False, True):
        layer = nn.Recurrent(cell)
        layer.compiled = compiled
        with backends.using(back_end):
            y, (h, _) = layer(x)
            gradients = tg.grad((y * y).sum() + h.sum(), [x, cell.period, cell.w])
        found.append([y.numpy(), *(g.numpy() for g in gradients)])
    assert f"run by {back_end}" in layer.explain()
    for recorded, compiled in zip(*found, strict=True):
        np.testing.assert_allclose(compiled, recorded, 1e-12, 1e-12)
    t, period = np.arange(1, 10) * 0.5, cell.period.detach().numpy()
    h, w, steps = np.zeros((3, 4)), cell.w.detach().numpy(), []
    for k in range(9):
        phase = np.remainder(t[k], period) / period
        h = h * 0.5 + phase * w * x.detach().numpy()[k]
        h = (
            h
            + np.floor_divide(t[k], period) * 0.1
            + np.remainder(steps[-1] if steps else 0 * h, 0.3)
        )
        steps.append(h)
    np.testing.assert_allclose(found[0][0], steps, 1e-12, 1e-12)


CURVES = {
    "sinh": tg.sinh,
    "cosh": tg.cosh,
    "asinh": tg.asinh,
    "acosh": lambda a: tg.acosh(a.square() + 1.5),
    "asin": lambda a: tg.asin(a * 0.2),
    "acos": lambda a: tg.acos(a * 0.2),
    "fmod": lambda a: tg.fmod(a, 0.37),
    "hypot": lambda a: tg.hypot(a, 0.5 - a),
    "xlogy": lambda a: tg.xlogy(a, a.square() + 0.1),
    "fmax": lambda a: tg.fmax(a, 0.1 - a),
    "rms_norm": lambda a: F.rms_norm(a, (4,)),
}


class Curved(nn.Module):
    """A cell of one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.U, self.V = (
            nn.Parameter(tg.tensor(np.random.default_rng(n).normal(0, 0.4, (n, 4)))) for n in (3, 4)
        )

    def initial_state(self, batch):
        return tg.zeros(batch, 4, dtype=tg.float64)

    def forward(self, x, h):
        h = (self.function(x @ self.U + h @ self.V) * 0.3).tanh()
        return h, h


@pytest.mark.parametrize("name", CURVES)
def test_cells_of_these_functions_are_compiled_to_what_is_recorded(name):
    x = tg.tensor(np.random.default_rng(5).normal(size=(6, 3, 3)), requires_grad=True)
    found = []
    for compiled in (False, True):
        layer = nn.Recurrent(Curved(CURVES[name]))
        layer.compiled = compiled
        with backends.using("numpy"):
            y, _ = layer(x)
            gradients = tg.grad(y.square().sum(), [x, layer.cell.U, layer.cell.V])
        found.append([y.numpy(), *(g.numpy() for g in gradients)])
    assert "run by numpy" in layer.explain()
    for recorded, compiled in zip(*found, strict=True):
        np.testing.assert_allclose(compiled, recorded, 1e-11, 1e-12)


# ---- pairs ------------------------------------------------------------------------------------------


def test_xlogy_has_a_slope_where_its_value_is_0():
    x = tg.tensor(np.array([0.0, 0.0, 2.0, 0.0]), requires_grad=True)
    y = tg.tensor(np.array([0.5, 3.0, 3.0, 0.0]), requires_grad=True)
    z = tg.xlogy(x, y)
    z.sum().backward()
    np.testing.assert_allclose(z.detach().numpy(), [0.0, 0.0, 2 * np.log(3), 0.0])
    np.testing.assert_allclose(x.grad.numpy()[:3], np.log([0.5, 3.0, 3.0]))
    np.testing.assert_allclose(y.grad.numpy()[:3], [0.0, 0.0, 2 / 3])


def test_hypot_of_infinity_is_infinity():
    x = tg.tensor(np.array([np.inf, -np.inf, 3.0]), requires_grad=True)
    y = tg.tensor(np.array([1.0, np.inf, 4.0]), requires_grad=True)
    with np.errstate(all="ignore"):
        z = tg.hypot(x, y)
        z.sum().backward()
    assert z.tolist() == [np.inf, np.inf, 5.0]
    assert y.grad.tolist()[::2] == [0.0, 0.8]


@pytest.mark.parametrize("name", ["hypot", "logaddexp", "xlogy"])
def test_an_integer_beside_floats_becomes_one_of_them(name):
    for dtype in (tg.float16, tg.float32, tg.float64):
        for pair in (
            (tg.ones(2, dtype=dtype), tg.tensor([2, 3])),
            (tg.tensor([2, 3]), tg.ones(2, dtype=dtype)),
        ):
            assert getattr(tg, name)(*pair).dtype == dtype


def test_the_larger_of_two_equal_ones_is_the_first():
    for name, sign in (("fmax", 1), ("fmin", -1)):
        a = tg.tensor(sign * np.array([1.0, np.nan, 2.0, 1.0]), requires_grad=True)
        b = tg.tensor(sign * np.array([1.0, 3.0, np.nan, 4.0]), requires_grad=True)
        z = getattr(tg, name)(a, b)
        z.sum().backward()
        assert z.tolist() == [sign, 3.0 * sign, 2.0 * sign, 4.0 * sign]
        assert (a.grad.tolist(), b.grad.tolist()) == ([1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0])


def test_a_threshold_hides_no_nan():
    found = F.threshold(tg.tensor([np.nan, 0.0, 0.1, 0.2]), 0.1, 20.0)
    assert np.isnan(found.numpy()[0])
    assert found.tolist()[1:3] == [20.0, 20.0]
