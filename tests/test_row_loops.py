"""Ops as loops of machine code: which have one, what takes it, and what goes through the formulas of numpy.

What they compute is held against float64 in ``test_few_passes``, by both ways.
"""

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba is not installed (extra fast)")

import tinygrad_rnn as tg
from tinygrad_rnn.ops import few_passes
from tinygrad_rnn.ops.row import ROWS
from tinygrad_rnn.scan import backends, row_loops

RNG = np.random.default_rng(3)
X = (RNG.standard_normal((6, 5)) * 2).astype(np.float32)
CONSTANTS = {"leaky_relu": (0.2,), "elu": (0.7,), "layer_norm": ((1,), 1e-5)}
CONSTANTS |= dict.fromkeys(("softmax", "log_softmax"), ((1,),)) | {"logsumexp": ((1,), True)}
CONSTANTS |= dict.fromkeys(("var", "std"), ((1,), 1, False)) | {"norm": (2, (1,), False)}
CONSTANTS["cumsum"] = (1,)
OPS = sorted(name for name, op in ROWS.items() if op.constant_names is not None)


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """Loops are asked for, and none has been made before."""
    monkeypatch.setattr(row_loops, "_LOOPS", {})
    monkeypatch.setattr(row_loops, "_COUNTS", Counter())
    with backends.using("numba"):
        yield


@pytest.fixture
def ran(monkeypatch):
    """How often a loop gave a result, by op and whether it was the slope's."""
    found = []
    run = row_loops.RowLoop.__call__

    def told(self, sample, given):
        y = run(self, sample, given)
        found.append((ROWS_BY[self.op], self.slope, y is not None))
        return y

    monkeypatch.setattr(row_loops.RowLoop, "__call__", told)
    return found


ROWS_BY = {op: name for name, op in ROWS.items()}


def both(name, x, g=None):
    """The result and the gradient of a row's op."""
    leaf = tg.tensor(x, requires_grad=True)
    y = ROWS[name].call(leaf, *CONSTANTS.get(name, ()))
    g = np.cos(np.arange(y.numel())).reshape(y.shape).astype(x.dtype) if g is None else g
    return y.detach().numpy(), tg.grad(y, leaf, tg.tensor(g))[0].numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["32", "64"])
@pytest.mark.parametrize("name", OPS)
def test_an_op_that_is_marked_has_a_loop_and_its_slope_too(name, dtype, ran):
    found = both(name, X.astype(dtype))
    assert {(name, False, True), (name, True, True)} <= set(ran)
    with backends.using("numpy"):
        ran.clear()
        expected = both(name, X.astype(dtype))
        assert not ran
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype == dtype
        tol = 2e-6 if dtype == np.float32 else 1e-13
        np.testing.assert_allclose(a, b, rtol=20 * tol, atol=tol)


@pytest.mark.parametrize("name", OPS)
def test_arrays_that_lie_otherwise_come_to_the_same(name):
    """Read-only, in the order of columns, every second one; a gradient that is one number, spread."""
    y, d = both(name, X, np.ones(np.shape(both(name, X)[0]), np.float32))
    apart = np.zeros((6, 10), np.float32)
    apart[:, ::2] = X
    for other in (np.asfortranarray(X), apart[:, ::2]):
        leaf = tg.tensor(X, requires_grad=True)
        leaf._data = other
        z = ROWS[name].call(leaf, *CONSTANTS.get(name, ()))
        np.testing.assert_allclose(z.detach().numpy(), y, rtol=3e-5, atol=3e-7)
        z.sum().backward()
        np.testing.assert_allclose(leaf.grad.numpy(), d, rtol=3e-5, atol=3e-6)


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("name", ["softmax", "logsumexp", "layer_norm", "var", "norm"])
def test_other_axes_and_widths(name, axes, ran):
    """The last axes are a row's, whatever their number; others are numpy's."""
    constants = [axes if isinstance(c, tuple) else c for c in CONSTANTS[name]]
    for side in ((6, 5), (3, 4), (1, 9)):
        x = RNG.standard_normal(side)
        y = ROWS[name].call(tg.tensor(x), *constants).numpy()
        with backends.using("numpy"):
            expected = ROWS[name].call(tg.tensor(x), *constants).numpy()
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)
        assert y.shape == expected.shape
    assert any(took for _, _, took in ran) == (axes != (0,))


def test_a_number_that_depends_on_the_width_is_that_of_the_width(monkeypatch):
    monkeypatch.setattr(row_loops, "MOST", 3)
    for width in (2, 3, 4, 5, 6, 7, 3):  # beyond so many widths numpy goes on
        x = RNG.standard_normal((4, width))
        np.testing.assert_allclose(tg.tensor(x).var(-1), x.var(-1, ddof=1), rtol=1e-12)


def test_an_op_whose_numbers_change_at_every_call_leaves_room_for_others(monkeypatch, ran):
    monkeypatch.setattr(row_loops, "MOST", 3)
    for slope in np.linspace(0.1, 0.9, 9).tolist():  # from some on numpy goes on
        y = tg.nn.functional.leaky_relu(tg.tensor(X), slope)
        np.testing.assert_allclose(y, np.where(X > 0, X, slope * X), rtol=1e-6)
    assert Counter(ran) == {("leaky_relu", False, True): 4}
    both("softmax", X)
    assert {("softmax", False, True), ("softmax", True, True)} <= set(ran)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["32", "64"])
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 3, 40])
def test_what_is_not_finite_stays_in_its_row(dtype, bad, at):
    x = RNG.standard_normal((4, 41)).astype(dtype)
    x[2, at] = bad
    for name in ("softmax", "log_softmax", "logsumexp"):
        found = both(name, x)
        with np.errstate(all="ignore"):
            wide = tg.tensor(x.astype(float))
            with backends.using("numpy"):
                expected = ROWS[name].call(wide, *CONSTANTS[name]).numpy()
        np.testing.assert_allclose(found[0], expected, rtol=1e-5)
        np.testing.assert_array_equal(np.isnan(found[1]).any(1)[[0, 1, 3]], False)


@pytest.mark.parametrize("name", OPS)
def test_what_no_loop_takes(name, ran):
    """Nothing at all, half precision, complex steps."""
    constants = CONSTANTS.get(name, ())
    assert ROWS[name].call(tg.tensor(X[:0]), *constants).numpy().size == 0
    half = ROWS[name].call(tg.tensor(X.astype(np.float16)), *constants)
    assert half.dtype == np.float16
    assert not any(took for _, _, took in ran)


@pytest.mark.parametrize("middle", [0, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["32", "64"])
def test_cross_entropy_leaves_what_its_slope_needs(dtype, middle):
    """A pass back takes it, the next computes it again, to the same bits; small shares have a loss."""
    x = tg.tensor((RNG.standard_normal((30, 50)) * 3).astype(dtype), requires_grad=True)
    spread = np.zeros((30, 50), dtype)
    spread[4, 7] = -middle
    before = len(few_passes._left)
    y = tg.nn.functional.cross_entropy(x + tg.tensor(spread), tg.tensor([7] * 30))
    assert len(few_passes._left) == before + (not middle)
    first, again = (tg.grad(y, x)[0].numpy() for _ in range(2))
    assert len(few_passes._left) == before
    assert first.tobytes() == again.tobytes()
    wide = x.detach().numpy().astype(float) + spread
    top = wide.max(1, keepdims=True)
    logs = wide - top - np.log(np.exp(wide - top).sum(1, keepdims=True))
    np.testing.assert_allclose(y.detach(), -logs[:, 7].mean(), rtol=1e-6)
    slope = np.exp(logs)
    slope[:, 7] -= 1
    np.testing.assert_allclose(first, slope / 30, rtol=1e-4, atol=1e-7)


def test_only_who_asks_for_machine_code_by_name_has_it(ran):
    with backends.using("auto"):
        both("softmax", X)
    assert not ran
    both("softmax", X)
    assert ran


@pytest.mark.parametrize("alpha", [np.float32(0.3), np.float64(0.3), np.array(0.3)])
def test_numbers_of_numpys_are_constants_too(alpha):
    x = np.linspace(-2, 2, 9)
    t = tg.tensor(x, requires_grad=True)
    y = tg.nn.functional.elu(t, alpha)
    y.sum().backward()
    np.testing.assert_allclose(y.detach().numpy(), np.where(x > 0, x, alpha * np.expm1(x)))
    np.testing.assert_allclose(t.grad.numpy(), np.where(x > 0, 1, alpha * np.exp(x)))
