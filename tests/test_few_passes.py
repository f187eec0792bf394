"""The short cuts of ops on arrays, each against plain formulas in float64, on arrays that take them.

Values at which a curve bends, ends or is none (0, -0, infinity, NaN, denormal numbers) stand among the
others: what happens there is what the rows' own formulas, which Tensors go through, say too.
"""

import math
from importlib.util import find_spec

import numpy as np
import pytest
from test_ops import ALL, recorded, total

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.engine.scatter import add_at
from tinygrad_rnn.engine.values import Leaf, reachable
from tinygrad_rnn.ops import curves, few_passes, indexing
from tinygrad_rnn.ops import elementwise as e
from tinygrad_rnn.scan import backends

F = nn.functional
RNG = np.random.default_rng(7)
EDGES = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 1e-20, 1e30, -1e30, 89.0, -89.0, -104.0]

HERE = find_spec("numba") is not None
LOOPS = pytest.param(
    "numba", marks=pytest.mark.skipif(not HERE, reason="numba is not installed (extra fast)")
)
EITHER = pytest.mark.parametrize("by", ["numpy", LOOPS], indirect=True)


@pytest.fixture(autouse=True)
def by(request):
    """Passes of numpy, or a loop of machine code for those ops that have one."""
    with backends.using(getattr(request, "param", "numpy")):
        yield


def values(count, dtype):
    """Numbers near 0 and far from it, and the edges."""
    many = np.concatenate([RNG.standard_normal(count) * 2, RNG.uniform(-14, 14, count), EDGES])
    return many.astype(dtype)


erfc = np.vectorize(math.erfc, otypes=[float])


def logistic(x):
    return np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-np.abs(x)))


def normal(x):
    return erfc(-x / np.sqrt(2)) / 2


def bell(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


# What each is in float64, and its slope.
CURVES = {
    "relu": (tg.relu, lambda x: np.maximum(x, 0), lambda x: np.where(x <= 0, 0, 1.0)),
    "sigmoid": (tg.sigmoid, logistic, lambda x: logistic(x) * logistic(-x)),
    "tanh": (tg.tanh, np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "silu": (
        F.silu,
        lambda x: x * logistic(x),
        lambda x: logistic(x) * (1 + x * logistic(-x)),
    ),
    "softplus": (F.softplus, lambda x: np.logaddexp(0, x), logistic),
    "leaky_relu": (
        lambda x: F.leaky_relu(x, 0.3),
        lambda x: np.where(x > 0, x, 0.3 * x),
        lambda x: np.where(x > 0, 1, 0.3),
    ),
    "leaky_relu above 1": (
        lambda x: F.leaky_relu(x, 1.5),
        lambda x: np.where(x > 0, x, 1.5 * x),
        lambda x: np.where(x > 0, 1, 1.5),
    ),
    "elu": (
        F.elu,
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x: np.where(x <= 0, np.exp(np.minimum(x, 0)), 1),
    ),
    "elu 0.7": (
        lambda x: F.elu(x, 0.7),
        lambda x: np.where(x > 0, x, 0.7 * np.expm1(np.minimum(x, 0))),
        lambda x: np.where(x <= 0, 0.7 * np.exp(np.minimum(x, 0)), 1),
    ),
    "gelu": (F.gelu, lambda x: x * normal(x), lambda x: normal(x) + x * bell(x)),
    "normal_cdf": (curves.normal_cdf, normal, bell),
    "abs": (abs, np.abs, lambda x: np.where(x > 0, 1.0, np.where(x < 0, -1.0, 0.0))),
    "clip": (
        lambda x: x.clip(-0.5, 2.0),
        lambda x: np.clip(x, -0.5, 2.0),
        lambda x: np.where((x >= -0.5) & (x <= 2), 1.0, 0.0),
    ),
}


@EITHER
@pytest.mark.parametrize("layout", ["rows", "columns", "0-d"])
@pytest.mark.parametrize("count", [100, 3000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["32", "64"])
@pytest.mark.parametrize("name", CURVES)
def test_a_curve_and_its_slope(name, dtype, count, layout):
    ours, plain, slope = CURVES[name]
    x = values(count, dtype)
    x = x[: len(x) // 2 * 2].reshape(2, -1)
    x = {"rows": x, "columns": np.asfortranarray(x), "0-d": x[0, 3]}[layout]
    g = np.where(RNG.random(np.shape(x)) < 0.02, np.inf, RNG.standard_normal(np.shape(x)))
    t = tg.tensor(np.asarray(x), requires_grad=True)
    rtol, least = (3e-6, 1e-36) if dtype == np.float32 else (1e-12, 1e-300)
    with np.errstate(all="ignore"):
        wide = np.asarray(x, np.float64)
        y = ours(t)
        (plainly,) = tg.grad(y, t, tg.tensor(g, dtype=t.dtype))
        (by_tensors,) = tg.grad(y, t, tg.tensor(g, dtype=t.dtype), create_graph=True)
        expected, slopes = plain(wide), slope(wide)
        known = np.isfinite(wide) & (np.abs(wide) < 1e29) & np.isfinite(g)
        wanted = slopes * np.asarray(g, dtype).astype(float)
    assert y.dtype == plainly.dtype == dtype
    assert y.shape == np.shape(x)
    np.testing.assert_array_equal(np.isnan(y.detach()), np.isnan(x) | (np.isnan(expected)))
    at = np.isfinite(wide)
    np.testing.assert_allclose(np.asarray(y.detach())[at], expected[at], rtol=rtol, atol=least)
    scale = max(1.0, float(np.abs(wanted[known]).max())) if known.any() else 1.0
    close = {"rtol": 20 * rtol, "atol": rtol * scale}
    np.testing.assert_allclose(np.asarray(plainly)[known], wanted[known], **close)
    # where slopes end, both ways through a rule end alike
    away = np.abs(wide) < 1e29
    away = away | np.isnan(wide)
    np.testing.assert_allclose(
        np.asarray(plainly)[away], np.asarray(by_tensors.detach())[away], **close
    )


@EITHER
def test_the_tail_below_has_its_digits():
    """A relative error of a few units in the last place, as far as float32 reaches."""
    x = -np.linspace(0.01, 12.5, 5000).astype(np.float32)
    share = curves.normal_cdf(tg.tensor(x)).numpy()
    np.testing.assert_allclose(share, normal(x.astype(float)), rtol=1e-6)
    np.testing.assert_allclose(F.gelu(tg.tensor(x)).numpy(), x * normal(x.astype(float)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["32", "64"])
@pytest.mark.parametrize("side", [(3, 40), (60, 70)])
def test_a_choice_beside_0_is_a_choice(side, dtype):
    a = RNG.standard_normal(side).astype(dtype)
    a.flat[:5] = [np.nan, np.inf, -np.inf, -0.0, 1e-40]
    mask = RNG.random(side) < 0.5
    mask.flat[:3] = [True, False, True]
    for order in ("C", "F"):
        x, m = np.array(a, order=order), np.array(mask, order="C")
        for ours, plain in (
            (e.where(m, x, 0.0), np.where(mask, a, dtype(0))),
            (e.where(m, 0.0, x), np.where(mask, dtype(0), a)),
            (e.where(m, x, -0.0), np.where(mask, a, dtype(-0.0))),
            (e.where(m[:1], x, 0.0), np.where(mask[:1], a, dtype(0))),
            (few_passes.kept(m, x), np.where(mask, a, dtype(0))),
        ):
            assert ours.dtype == dtype
            np.testing.assert_array_equal(ours, plain)
            np.testing.assert_array_equal(np.signbit(ours), np.signbit(plain))


# ---- along rows ---------------------------------------------------------------------------------


def shifted(a, axes):
    return a - a.max(axis=axes, keepdims=True)


def soft(a, axes):
    x = np.exp(shifted(a, axes))
    return x / x.sum(axis=axes, keepdims=True)


def log_soft(a, axes):
    x = shifted(a, axes)
    return x - np.log(np.exp(x).sum(axis=axes, keepdims=True))


def norm(a, axes):
    c = a - a.mean(axis=axes, keepdims=True)
    return c / np.sqrt((c * c).mean(axis=axes, keepdims=True) + 1e-5)


def soft_slope(g, a, axes):
    y = soft(a, axes)
    return y * (g - (g * y).sum(axis=axes, keepdims=True))


def log_soft_slope(g, a, axes):
    return g - soft(a, axes) * g.sum(axis=axes, keepdims=True)


def norm_slope(g, a, axes):
    y, var = norm(a, axes), a.var(axis=axes, keepdims=True)
    g = g - g.mean(axis=axes, keepdims=True) - y * (g * y).mean(axis=axes, keepdims=True)
    return g / np.sqrt(var + 1e-5)


ALONG = {
    "softmax": (lambda t, _axes: t.softmax(-1), soft, soft_slope),
    "log_softmax": (lambda t, _axes: t.log_softmax(-1), log_soft, log_soft_slope),
    "layer_norm": (lambda t, axes: F.layer_norm(t, t.shape[-len(axes) :]), norm, norm_slope),
}
SIDES = [
    ((5, 7), 1),
    ((400, 300), 1),
    ((3, 50000), 1),
    ((7, 11, 30), 1),
    ((9, 40, 200), 2),
    ((6,), 1),
]


@EITHER
@pytest.mark.parametrize("turned", [False, True], ids=["as it lies", "turned"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["32", "64"])
@pytest.mark.parametrize(("side", "count"), SIDES)
@pytest.mark.parametrize("name", ALONG)
def test_along_rows(name, side, count, dtype, turned):
    ours, plain, slope = ALONG[name]
    if name != "layer_norm":
        count = 1
    axes = tuple(range(-count, 0))
    x = (RNG.standard_normal(side) * 3).astype(dtype)
    g = RNG.standard_normal(side).astype(dtype)
    leaf = tg.tensor(x.T if turned else x, requires_grad=True)
    t = leaf.permute(*range(len(side))[::-1]) if turned else leaf
    y = ours(t, axes)
    (d,) = tg.grad(y, leaf, tg.tensor(g))
    (by_tensors,) = tg.grad(y, leaf, tg.tensor(g), create_graph=True)
    tol = {"rtol": 1e-3, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-11}
    seen = [a.detach().numpy().T if turned else a.detach().numpy() for a in (d, by_tensors)]
    assert y.dtype == d.dtype == dtype
    np.testing.assert_allclose(y.detach(), plain(x.astype(float), axes), **tol)
    for a in seen:
        np.testing.assert_allclose(a, slope(g.astype(float), x.astype(float), axes), **tol)


@EITHER
@pytest.mark.parametrize("name", ALONG)
def test_a_row_without_a_number_stays_by_itself(name):
    ours = ALONG[name][0]
    x = RNG.standard_normal((300, 400)).astype(np.float32)
    x[17, 3] = np.nan
    t = tg.tensor(x, requires_grad=True)
    y = ours(t, (-1,))
    y.backward(tg.ones(300, 400))
    for a in (y.detach().numpy(), t.grad.numpy()):
        np.testing.assert_array_equal(np.isnan(a).any(1), np.arange(300) == 17)
        assert np.isnan(a[17]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["32", "64"])
@EITHER
@pytest.mark.parametrize("middle", [0, 30])  # from 32 on, something is taken off before exp
@pytest.mark.parametrize("side", [(4, 3), (300, 400), (5, 40000), (4, 3, 20)])
def test_cross_entropy_by_class(side, middle, dtype):
    x = (RNG.standard_normal(side) * 4 + middle).astype(dtype)
    axis = 1
    classes = RNG.integers(0, side[axis], (side[0], *side[2:]))
    g = RNG.standard_normal(classes.shape)
    t = tg.tensor(x, requires_grad=True)
    loss = F.cross_entropy(t, tg.tensor(classes), reduction="none")
    (d,) = tg.grad(loss, t, tg.tensor(g, dtype=t.dtype))
    (by_tensors,) = tg.grad(loss, t, tg.tensor(g, dtype=t.dtype), create_graph=True)
    wide, own = x.astype(float), np.expand_dims(classes, axis)
    hit = np.zeros(side)
    np.put_along_axis(hit, own, 1.0, axis)
    tol = 3e-5 if dtype == np.float32 else 1e-11
    wanted = -np.take_along_axis(log_soft(wide, (axis,)), own, axis).squeeze(axis)
    np.testing.assert_allclose(loss.detach(), wanted, rtol=tol, atol=tol)
    slope = np.expand_dims(g, axis) * (soft(wide, (axis,)) - hit)
    for a in (d, by_tensors.detach()):
        np.testing.assert_allclose(a, slope, rtol=tol, atol=tol)
    assert loss.dtype == d.dtype == dtype
    for kind in ("uint8", "uint64", "int32") if side[axis] < 256 else ("uint64",):
        others = F.cross_entropy(t, tg.tensor(classes.astype(kind)), reduction="none")
        assert others.detach().numpy().tobytes() == loss.detach().numpy().tobytes()
        (e,) = tg.grad(others, t, tg.tensor(g, dtype=t.dtype))
        assert e.numpy().tobytes() == d.numpy().tobytes()


@pytest.mark.parametrize("name", ["cross_entropy", "layer_norm", "gelu"])
def test_what_a_forward_leaves_for_its_slope_changes_no_bit(name):
    """The first pass back takes it, the next computes it again; with the operand it is gone."""
    x = tg.tensor(RNG.standard_normal((30, 50)).astype(np.float32), requires_grad=True)
    g = tg.tensor(RNG.standard_normal((30, 50)).astype(np.float32))
    call = {
        "cross_entropy": lambda t: F.cross_entropy(t, tg.arange(30)),
        "layer_norm": lambda t: (F.layer_norm(t, 50) * g).sum(),
        "gelu": lambda t: (F.gelu(t) * g).sum(),
    }[name]
    before = len(few_passes._left)
    y = call(x * 2)
    assert len(few_passes._left) == before + 1
    first, again = (tg.grad(y, x)[0].numpy() for _ in range(2))
    assert len(few_passes._left) == before
    assert first.any()
    assert first.tobytes() == again.tobytes()
    y = call(x * 3)
    assert len(few_passes._left) == before + 1
    del y
    assert len(few_passes._left) == before


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["32", "64"])
@EITHER
@pytest.mark.parametrize("side", [(3, 10), (100, 64), (7, 1000), (40, 77), (3, 5, 200), (4000,)])
def test_sums_up_to_each(side, dtype):
    x, g = (RNG.standard_normal(side).astype(dtype) for _ in range(2))
    t = tg.tensor(x, requires_grad=True)
    y = t.cumsum(-1)
    (d,) = tg.grad(y, t, tg.tensor(g))
    (by_tensors,) = tg.grad(y, t, tg.tensor(g), create_graph=True)
    tol = 2e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(y.detach(), x.astype(float).cumsum(-1), rtol=tol, atol=tol)
    wanted = g.astype(float)[..., ::-1].cumsum(-1)[..., ::-1]
    for a in (d, by_tensors.detach()):
        np.testing.assert_allclose(a, wanted, rtol=tol, atol=tol)
    assert y.dtype == d.dtype == dtype
    x[..., 6] = np.inf
    before = np.broadcast_to(np.arange(side[-1]) < 6, side)
    np.testing.assert_array_equal(np.isfinite(tg.tensor(x).cumsum(-1)), before)
    whole = RNG.integers(-9, 9, side)  # exact, whatever the order
    assert (tg.tensor(whole.astype(dtype)).cumsum(-1).numpy() == whole.cumsum(-1)).all()


@EITHER
@pytest.mark.parametrize("middle", [0.0, 1000.0])
def test_a_sure_answer_costs_no_digits(middle):
    """The loss of a class that is far above the others is its small number, whatever all have in common."""
    x = np.array([[10.0, 0.0], [-20.0, -10.0]], np.float32) + np.float32(middle)
    loss = F.cross_entropy(tg.tensor(x), tg.tensor([0, 1]), reduction="none")
    np.testing.assert_allclose(
        loss, np.log1p(np.exp(-10.0)), rtol=2e-2
    )  # log(1 + 4.5e-5) in float32


# ---- gradients at indices -----------------------------------------------------------------------

ALL_OF = slice(None)
CUBE = (4, 5, 6)


def indices():
    for n in (0, 1, 5, 300, 3000):
        for rows, width in ((3, 2), (60, 40), (2000, 5), (7, 1)):
            i = RNG.integers(-rows, rows, n)
            j = RNG.integers(0, width, n)
            for index in (
                i, (i,), (i, j), (i, width - 1), (ALL_OF, j[:9]), i.astype(np.int32).reshape(-1, 1),
                (None, i), (..., j[:9]), i.tolist(), (i % rows).astype(np.uint8) if rows < 200 else i,
            ):  # fmt: skip
                yield (rows, width), index
    i = RNG.integers(0, 4, 9)
    mask = RNG.random(CUBE) < 0.5
    some = mask[:, 0, 0]
    for index in (
        (ALL_OF, i), (ALL_OF, ALL_OF, i), (ALL_OF, i, i[:, None]), (i, ALL_OF, i), (i, slice(1, 3)),
        (slice(1, 3), i), mask, (some, slice(1, 3)), (ALL_OF, mask[0, :, 0]), (0, mask[0, :, 0]),
        some.tolist(), ([0, 0, 1], [1, 1, 2]), (i[:, None], i), (2, i), (some, 1), (-1, i, 0),
        np.array(2), (np.array(1), i), (i, None, i), (True, i), (slice(None, None, -1), i),
    ):  # fmt: skip
        yield CUBE, index


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["32", "64"])
@pytest.mark.parametrize(("side", "index"), list(indices()))
def test_adding_at_an_index(side, index, dtype):
    start = RNG.standard_normal(side).astype(dtype)
    for order in ("C", "F"):
        buffer, again = np.array(start, order=order), np.array(start, order=order)
        value = RNG.standard_normal(np.shape(start[index])).astype(dtype)
        expected = start.astype(np.float64)
        np.add.at(expected, index, value.astype(np.float64))
        add_at(buffer, index, value)
        add_at(again, index, value)
        tol = 3e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(buffer, expected, rtol=tol, atol=tol * 10)
        assert buffer.tobytes() == again.tobytes()


def test_one_bad_gradient_of_an_embedding_stays_in_its_row():
    for count, n in ((60, 1600), (5000, 1600), (4, 6)):
        at = np.arange(n) % (count - 1)
        weight = tg.tensor(RNG.standard_normal((count, 20)), requires_grad=True)
        g = RNG.standard_normal((n, 20))
        g[2, 5] = np.inf
        F.embedding(tg.tensor(at), weight, padding_idx=0).backward(tg.tensor(g))
        wrong = ~np.isfinite(weight.grad.numpy())
        assert wrong.sum() == 1
        assert wrong[2, 5]
        assert not weight.grad.numpy()[0].any()


def test_what_a_padding_row_is_told_does_not_count():
    weight = tg.tensor(np.ones((3, 2)), requires_grad=True)
    g = np.array([[np.nan, np.inf], [1.0, 2.0]])
    F.embedding(tg.tensor([0, 1]), weight, padding_idx=0).backward(tg.tensor(g))
    np.testing.assert_array_equal(weight.grad, [[0, 0], [1, 2], [0, 0]])


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize(("side", "axis"), [((5,), 0), ((4, 6), 1), ((4, 6), 0), ((2, 3, 4), 1)])
def test_the_extreme_along_an_axis(side, axis, largest, keep):
    x = RNG.integers(0, 3, side).astype(float)
    t = tg.tensor(x, requires_grad=True)
    values, at = (t.max if largest else t.min)(axis, keep)
    found = (np.argmax if largest else np.argmin)(x, axis, keepdims=True)
    picked = np.take_along_axis(x, found, axis)
    np.testing.assert_array_equal(at, found if keep else found.squeeze(axis))
    np.testing.assert_array_equal(values.detach(), picked if keep else picked.squeeze(axis))
    g = RNG.standard_normal(values.shape)
    values.backward(tg.tensor(g))
    expected = np.zeros(side)
    np.put_along_axis(expected, found, g if keep else np.expand_dims(g, axis), axis)
    np.testing.assert_array_equal(t.grad, expected)


def test_beside_is_numpys_index():
    x = RNG.standard_normal((3, 4, 5))
    for axis in range(3):
        at = x.argmax(axis)
        wanted = np.take_along_axis(x, np.expand_dims(at, axis), axis).squeeze(axis)
        np.testing.assert_array_equal(x[indexing.beside(axis, at)], wanted)


# ---- whose memory a gradient is -----------------------------------------------------------------


@pytest.mark.parametrize(("name", "sample"), ALL)
def test_a_leafs_gradient_is_its_own(name, sample):
    """It shares no memory with another's, with what entered at the root, or with a value of the graph."""
    leaves, outputs = recorded(sample)
    value = total(outputs, tg.tensor)
    seed = np.ones(value.shape)
    value.backward(seed)
    grads = [leaf.grad._data for leaf in leaves]
    held = [leaf._data for leaf in leaves] + [seed] + [y._data for y in outputs]
    for node in reachable([value._node]):
        if node.__class__ is not Leaf and node.op is not None:
            held += [a for a in (node.out, *node.saved) if isinstance(a, np.ndarray)]
    for k, g in enumerate(grads):
        assert g.flags.writeable
        for other in grads[:k] + held:
            assert not np.shares_memory(g, other), name


@pytest.mark.parametrize("function", [lambda a, b: a + b, lambda a, b: (a - b).reshape(2, 3)])
def test_a_gradient_that_passes_unchanged_is_copied(function):
    a, b = (tg.ones(2, 3, requires_grad=True) for _ in range(2))
    g = tg.ones(2, 3)
    kept = []
    a.register_hook(kept.append)
    function(a, b).backward(g)
    nn.utils.clip_grad_value_([a], 0.5)
    with tg.no_grad():
        a.grad *= 3
    np.testing.assert_array_equal(g, np.ones((2, 3)))
    np.testing.assert_array_equal(np.abs(b.grad.numpy()), np.ones((2, 3)))
    np.testing.assert_array_equal(kept[0], np.ones((2, 3)))


# ---- what a forward leaves for its slope ----------------------------------------------------------

ROWS_AT_ONE = {  # functions that leave something beside one (3, 5) array, and others like them
    "layer_norm of rows": lambda x: F.layer_norm(x, (5,)),
    "layer_norm of all": lambda x: F.layer_norm(x, (3, 5)),
    "layer_norm, eps": lambda x: F.layer_norm(x, (5,), eps=0.5),
    "cross entropy": lambda x: F.cross_entropy(x, tg.tensor([0, 4, 1]), reduction="none"),
    "cross entropy, others": lambda x: F.cross_entropy(x, tg.tensor([2, 2, 2]), reduction="none"),
    "gelu": F.gelu,
}


@EITHER
@pytest.mark.parametrize("first", ROWS_AT_ONE)
@pytest.mark.parametrize("second", ROWS_AT_ONE)
def test_what_is_left_is_for_its_own_slope(first, second):
    """Whatever else was computed of the same array, before or after, with its slope or without."""
    data = RNG.standard_normal((3, 5))
    x = tg.tensor(data, requires_grad=True)
    ys = [ROWS_AT_ONE[name](x) for name in (first, second)]

    def total_of(name, at):
        return float((ROWS_AT_ONE[name](tg.tensor(at)) ** 3).sum())

    for name, y in zip((first, second), ys, strict=True):
        (found,) = tg.grad([(y**3).sum()], [x])
        for at in np.ndindex(data.shape):
            step = np.zeros_like(data)
            step[at] = 1e-5
            central = (total_of(name, data + step) - total_of(name, data - step)) / 2e-5
            assert found.numpy()[at] == pytest.approx(central, rel=1e-5, abs=1e-7)


@EITHER
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logsumexp_of_one_number_is_that_number(dtype):
    x = np.array([[1e-30], [-1e-7], [0.3], [31.0], [-1e4], [np.inf], [-np.inf]], dtype)
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(tg.tensor(x).logsumexp(-1), x[:, 0])
    np.testing.assert_array_equal(tg.tensor(x[:3]).logsumexp(-1), x[:3, 0])  # all of them mild
