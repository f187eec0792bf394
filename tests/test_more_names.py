"""Names of PyTorch's that its samples do not reach: what is refused, ties, NaN, other libraries."""

import numpy as np
import pytest
from support import along, assert_each_close, numbers

import tinygrad_rnn as tg

NAN, INF = float("nan"), float("inf")


def leaf(values, dtype=tg.float64):
    return tg.tensor(values, dtype=dtype, requires_grad=True)


def test_extremes_so_far_take_the_last_of_equal_ones_and_keep_nan():
    found = tg.cummax(tg.tensor([1.0, 3.0, 3.0, 2.0, NAN, 9.0, NAN, 1.0]), 0)
    assert found.indices.tolist() == [0, 1, 2, 2, 4, 4, 6, 6]
    np.testing.assert_array_equal(found.values.numpy(), [1, 3, 3, 3, NAN, NAN, NAN, NAN])
    low = tg.cummin(tg.tensor([[2.0, 1.0], [2.0, 5.0]]), 0)
    assert (low.values.tolist(), low.indices.tolist()) == (
        [[2.0, 1.0], [2.0, 1.0]],
        [[0, 0], [1, 0]],
    )
    w = leaf([1.0, 3.0, 2.0])
    (w.cummax(0).values * tg.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert w.grad.tolist() == [1.0, 110.0, 0.0]


def test_the_median_is_the_lower_and_shares_its_gradient_among_equals():
    w = leaf([3.0, 1.0, 2.0, 2.0, 9.0, 0.0])
    w.median().backward()
    assert w.grad.tolist() == [0.0, 0.0, 0.5, 0.5, 0.0, 0.0]
    values, at = tg.median(tg.tensor([[4.0, 1.0], [3.0, NAN]]), dim=1, keepdim=True)
    np.testing.assert_array_equal(values.numpy(), [[1.0], [NAN]])
    assert at.tolist() == [[1], [1]]
    assert np.isnan(tg.median(tg.tensor([1.0, NAN, 0.0])).item())
    assert tg.median(tg.tensor([4, 1, 2])).item() == 2
    assert tg.tensor(2.0).median(0).indices.item() == 0
    with pytest.raises(ValueError, match="no middle"):
        tg.zeros(0).median()


def test_scatter_refuses_what_is_chance_and_what_does_not_fit():
    v = leaf([5.0, 7.0])
    with pytest.raises(IndexError, match="scatter_add"):
        tg.zeros(3, dtype=tg.float64).scatter(0, tg.tensor([2, 2]), v)
    assert tg.zeros(3).scatter(0, tg.tensor([2, 2]), tg.tensor([5.0, 7.0]))[2].item() in (5.0, 7.0)
    assert tg.zeros(3).scatter(0, tg.tensor([2, 2]), value=4.0).tolist() == [0.0, 0.0, 4.0]
    summed = tg.zeros(3, dtype=tg.float64).scatter(0, tg.tensor([2, 2]), v, reduce="add")
    (summed * tg.tensor([1.0, 1.0, 3.0])).sum().backward()
    assert (summed.tolist(), v.grad.tolist()) == ([0.0, 0.0, 12.0], [3.0, 3.0])
    for index, src, error in (
        ([3], [1.0], IndexError),
        ([-1], [1.0], IndexError),
        ([0, 1], [1.0], ValueError),
        ([[0]], [[1.0]], ValueError),
    ):
        with pytest.raises(error):
            tg.zeros(3).scatter(0, tg.tensor(index), tg.tensor(src))
    for odd in ({"reduce": "multiply"}, {"other": 1}):
        with pytest.raises(TypeError, match="scatter has no"):
            tg.zeros(3).scatter(0, tg.tensor([0]), 1.0, **odd)


def test_counting_and_what_is_different():
    x = tg.tensor([[3, 1], [3, 2]])
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    assert (values.tolist(), inverse.tolist(), counts.tolist()) == (
        [1, 2, 3],
        [[2, 0], [2, 1]],
        [1, 1, 2],
    )
    assert tg.unique(tg.tensor([NAN, NAN, 1.0])).shape == (3,)
    with pytest.raises(TypeError, match="detach"):
        leaf([1.0]).unique()
    with tg.no_grad():
        assert leaf([1.0]).unique().tolist() == [1.0]
    w = leaf([0.5, 2.0, 4.0])
    sums = tg.bincount(tg.tensor([1, 1, 3]), w, minlength=5)
    assert sums.tolist() == [0.0, 2.5, 0.0, 4.0, 0.0]
    (sums * tg.arange(5).double()).sum().backward()
    assert w.grad.tolist() == [1.0, 1.0, 3.0]
    for odd in (tg.tensor([1.0]), tg.tensor([-1]), tg.tensor([[1]])):
        with pytest.raises(ValueError, match="whole numbers"):
            odd.bincount()
    with pytest.raises(ValueError, match="weights"):
        tg.bincount(tg.tensor([1]), tg.ones(2))


def test_numbers_that_are_none_take_no_gradient():
    w = leaf([1.0, NAN, INF, -INF])
    y = tg.nan_to_num(w, nan=7.0)
    assert y.tolist() == [1.0, 7.0, np.finfo(np.float64).max, np.finfo(np.float64).min]
    y.sum().backward()
    assert w.grad.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert tg.nan_to_num(tg.tensor([1])).tolist() == [1]
    triangle = tg.triu(tg.tensor([[1.0, 2.0], [INF, 4.0]]))
    assert triangle.tolist() == [[1.0, 2.0], [0.0, 4.0]]
    assert tg.addmm(tg.tensor([NAN]), tg.ones(1, 2), tg.ones(2, 1), beta=0).item() == 2.0
    assert tg.cumprod(tg.tensor([2.0, INF, 3.0]), 0).tolist() == [2.0, INF, INF]


REFUSED = {
    "tril": (lambda: tg.ones(3).tril(), "matrices"),
    "mv": (lambda: tg.mv(tg.ones(2, 2), tg.ones(2, 2)), "a matrix and a vector"),
    "meshgrid": (lambda: tg.meshgrid(tg.ones(2, 2)), "vectors"),
    "meshgrid's order": (lambda: tg.meshgrid(tg.ones(2), indexing="ji"), "'ij' or 'xy'"),
    "diff": (lambda: tg.diff(tg.tensor(1.0)), "no neighbours"),
    "diff n": (lambda: tg.diff(tg.ones(3), -1), "negative"),
    "div": (lambda: tg.div(tg.ones(1), 2.0, rounding_mode="up"), "rounding_mode"),
    "matrix norm": (lambda: tg.linalg.matrix_norm(tg.ones(2, 2), 2), "no derivative here"),
    "norm": (lambda: tg.linalg.norm(tg.ones(2, 2, 2), 1), "1 or 2 axes"),
    "vector norm": (lambda: tg.linalg.vector_norm(tg.ones(2), "fro"), "a number"),
    "axes": (lambda: tg.linalg.matrix_norm(tg.ones(2, 2), 1, 0), "two axes"),
    "pad too far": (lambda: tg.nn.functional.pad(tg.ones(2), (2, 0), "reflect"), "do not fit"),
    "padding side": (
        lambda: tg.nn.utils.pad_sequence([tg.ones(2)], padding_side="top"),
        "'right' or",
    ),
    "lengths": (lambda: tg.nn.utils.unpad_sequence(tg.ones(2, 1), [3]), "0 to 2"),
    "number of lengths": (lambda: tg.nn.utils.unpad_sequence(tg.ones(2, 1), [1, 1]), "1 integers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    action, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        action()


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_on_either_side_and_back(side, batch_first):
    rnn = tg.nn.utils.rnn
    parts = [leaf(numbers((n, 2), n)) for n in (2, 4, 0, 1)]
    padded = rnn.pad_sequence(parts, batch_first, 9.0, side)
    rows = padded if batch_first else padded.transpose(0, 1)
    for row, part in zip(rows, parts, strict=True):
        n = len(part)
        own = row[:n] if side == "right" else row[4 - n :]
        rest = row[n:] if side == "right" else row[: 4 - n]
        np.testing.assert_array_equal(own.numpy(), part.numpy())
        assert (rest.numpy() == 9.0).all()
    if side == "right":
        again = rnn.unpad_sequence(padded, [2, 4, 0, 1], batch_first)
        for part, own in zip(parts, again, strict=True):
            np.testing.assert_array_equal(own.numpy(), part.numpy())
        sum((p * p).sum() for p in again).backward()
        for part in parts:
            np.testing.assert_array_equal(part.grad.numpy(), 2 * part.numpy())
    packed = rnn.pack_sequence(parts[1::-1] + parts[3:])
    assert [len(p) for p in rnn.unpack_sequence(packed)] == [4, 2, 1]


def test_python_numbers_keep_their_digits_beside_float64():
    t = tg.tensor(0.3, dtype=tg.float64)
    for function, plain in (
        (tg.add, lambda a, b: a + b),
        (tg.sub, lambda a, b: a - b),
        (tg.mul, lambda a, b: a * b),
        (tg.div, lambda a, b: a / b),
        (tg.atan2, np.arctan2),
        (lambda a, b: tg.lerp(a, b, 0.25), lambda a, b: a + 0.25 * (b - a)),
        (lambda a, b: tg.add(a, b, alpha=0.1), lambda a, b: a + b * 0.1),
        (lambda a, b: tg.sub(a, b, alpha=3), lambda a, b: a - b * 3),
    ):
        assert function(0.7, t).item() == pytest.approx(plain(0.7, 0.3), rel=1e-15)
        assert function(t, 0.7).item() == pytest.approx(plain(0.3, 0.7), rel=1e-15)


def test_flattening_parameters_does_nothing():
    for kind in (tg.nn.RNN, tg.nn.LSTM, tg.nn.GRU):
        assert kind(2, 3).flatten_parameters() is None


def test_arrays_for_other_libraries_are_copies():
    t = tg.tensor([1.0, 2.0])
    other = np.from_dlpack(t)
    assert (other.tolist(), np.shares_memory(other, t.numpy())) == ([1.0, 2.0], False)
    assert tg.from_dlpack(np.arange(3)).tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="detach"):
        np.from_dlpack(leaf([1.0]))


@pytest.mark.peers
def test_dlpack_with_pytorch():
    torch = pytest.importorskip("torch")
    t = tg.tensor(numbers((2, 3), 1))
    theirs = torch.from_dlpack(t)
    np.testing.assert_array_equal(theirs.numpy(), t.numpy())
    theirs.zero_()
    assert t.abs().sum().item() > 0
    back = tg.from_dlpack(torch.ones(2, 2))
    assert (back.tolist(), back.dtype) == ([[1.0, 1.0], [1.0, 1.0]], np.float32)


@pytest.mark.parametrize("second", ["mul", "median", "lerp", "diff", "scatter", "tril", "addmm"])
def test_composed_ones_have_second_derivatives(second):
    functions = {
        "mul": lambda v: tg.mul(tg.sub(v, v * v, alpha=2), tg.add(v, 1.0, alpha=3)).sum(),
        "median": lambda v: v.median() ** 3,
        "lerp": lambda v: tg.lerp(v, v * v, v[0]).sum(),
        "diff": lambda v: (v.diff(2) ** 3).sum(),
        "scatter": lambda v: (v.scatter(0, tg.tensor([1, 0]), v * v) ** 2).sum(),
        "tril": lambda v: (tg.outer(v, v).tril() ** 2).sum(),
        "addmm": lambda v: (tg.addmm(v, v[:, None], v[None], beta=0.5, alpha=2) ** 2).sum(),
    }
    function, v, d = functions[second], numbers(4, 3) + 1.5, numbers(4, 5)
    assert tg.gradcheck(function, leaf(v))
    _, product = tg.func.hvp(function, tg.tensor(v), tg.tensor(d))
    slope = tg.func.grad(function)
    (expected,) = along(lambda arrays: [slope(tg.tensor(arrays[0])).numpy()], [v], [d])
    assert_each_close(product, expected, 1e-8, second, 1e-3)


def test_broadcasting_to_fewer_axes_is_refused():
    for shape in ((1,), (1, 1)):
        with pytest.raises(ValueError, match="broadcast"):
            tg.ones(*shape).broadcast_to(())


@pytest.mark.parametrize(
    ("ours", "right"),
    [
        (lambda x, c: c % x, lambda x, c: np.mod(c, x)),
        (lambda x, c: c // x, lambda x, c: np.floor(c / x)),
        (tg.fmod, np.fmod),
        (lambda x, c: tg.fmod(c, x), lambda x, c: np.fmod(c, x)),
        (lambda x, c: tg.remainder(c, x), lambda x, c: np.mod(c, x)),
        (tg.fmax, np.maximum),
        (tg.fmin, np.minimum),
        (tg.hypot, np.hypot),
        (tg.logaddexp, np.logaddexp),
        (tg.xlogy, lambda x, c: x * np.log(c)),
        (lambda x, c: tg.xlogy(c, x), lambda x, c: c * np.log(x)),
        (lambda x, c: tg.float_power(c, x), lambda x, c: c**x),
        (lambda x, c: tg.addcmul(c, x, c), lambda x, c: c + x * c),
        (lambda x, c: tg.addcdiv(c, c, x), lambda x, c: c + c / x),
        (lambda x, c: tg.heaviside(x * 0, c), lambda x, c: x * 0 + c),
        (lambda x, c: tg.rsub(c, x), lambda x, c: x - c),
        (lambda x, c: tg.quantile(x, c), lambda x, c: np.quantile(x, c)),
        (lambda x, c: tg.nanquantile(x, c), lambda x, c: np.quantile(x, c)),
        (lambda x, c: tg.dist(x, c), lambda x, c: np.linalg.norm(x - c)),
    ],
)
def test_a_number_beside_float64_is_not_rounded_to_float32_before(ours, right):
    values = np.array([0.3, 0.9, 1.7, 2.3, 0.11])
    found = ours(tg.tensor(values), 0.7)
    assert found.dtype == tg.float64
    np.testing.assert_allclose(found.numpy(), right(values, 0.7), rtol=1e-14)


def test_a_bound_that_is_nan_gives_nan_whether_it_asks_for_a_gradient_or_not():
    for asks in (False, True):
        x, t = tg.tensor([0.5, -1.0, NAN]), tg.tensor([NAN, 0.0, 0.0], requires_grad=asks)
        np.testing.assert_array_equal(tg.clamp(x, min=t).detach().numpy(), [NAN, 0.0, NAN])
        np.testing.assert_array_equal(tg.clamp(x, max=t).detach().numpy(), [NAN, -1.0, NAN])
