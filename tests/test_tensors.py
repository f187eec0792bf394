"""What a tensor is: dtypes, shapes, conversions, comparisons, and names that two worlds share."""

import ast
import copy
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg

CUBE = numbers((2, 3, 4), 1)

# ---- dtypes --------------------------------------------------------------------------------------

MADE = {
    "python float": (2.0, "float32"),
    "python int": (2, "int64"),
    "python bool": (True, "bool"),
    "list of floats": ([1.0, 2.0], "float32"),
    "nested list": ([[1.0], [2.0]], "float32"),
    "list of ints": ([1, 2], "int64"),
    "mixed list": ([1, 2.5], "float32"),
    "empty list": ([], "float32"),
    "float64 array": (np.ones(2), "float64"),
    "float32 array": (np.ones(2, np.float32), "float32"),
    "float16 array": (np.ones(2, np.float16), "float16"),
    "int32 array": (np.ones(2, np.int32), "int32"),
    "uint8 array": (np.ones(2, np.uint8), "uint8"),
    "bool array": (np.ones(2, bool), "bool"),
    "numpy scalar": (np.float64(2.0), "float64"),
    "list of arrays": ([np.ones(2), np.ones(2)], "float64"),
    "big-endian array": (np.ones(2, ">f4"), "float32"),
    "tensor": (tg.ones(2, dtype=tg.float64), "float64"),
    "list of tensors": ([tg.ones(2), tg.ones(2)], "float32"),
}


@pytest.mark.parametrize("name", MADE)
def test_dtype_of_what_is_made(name):
    data, dtype = MADE[name]
    for make in (tg.tensor, tg.as_tensor):
        t = make(data)
        assert t.dtype == dtype
        assert t.dtype.isnative
        assert t.shape == np.shape(data)
        np.testing.assert_array_equal(t.numpy(), np.asarray(data))


@pytest.mark.parametrize(
    "data",
    [
        1j,
        "text",
        [[1.0], [1.0, 2.0]],
        np.ones(2, np.longdouble),
        None,
        {"a": 1},
        np.datetime64("now"),
    ],
)
def test_what_no_tensor_holds(data):
    with pytest.raises((TypeError, ValueError)):
        tg.tensor(data)


DTYPES = {
    "float16": tg.float16, "half": tg.half, "float32": tg.float32, "float": tg.float,
    "float64": tg.float64, "double": tg.double, "int8": tg.int8, "int16": tg.int16, "int32": tg.int32,
    "int": tg.int, "int64": tg.int64, "long": tg.long, "uint8": tg.uint8, "bool": tg.bool,
}  # fmt: skip
METHODS = {
    "double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32",
    "bool": "bool",
}  # fmt: skip


@pytest.mark.parametrize("name", DTYPES)
def test_dtype_names(name):
    dtype = DTYPES[name]
    assert isinstance(dtype, np.dtype)
    for t in (tg.ones(2, dtype=dtype), tg.ones(2).to(dtype), tg.ones(2).astype(dtype.name)):
        assert t.dtype == dtype
    assert tg.tensor([1, 0]).to(tg.ones(1, dtype=dtype)).dtype == dtype
    assert tg.tensor([1, 0]).type_as(tg.ones(1, dtype=dtype)).dtype == dtype
    if name in METHODS:
        assert getattr(tg.tensor([1, 0]), name)().dtype == METHODS[name]


def test_default_dtype_is_for_floats_without_one():
    tg.set_default_dtype(tg.float64)
    assert tg.get_default_dtype() == tg.float64
    assert tg.tensor(1.0).dtype == tg.zeros(2).dtype == tg.randn(2).dtype == tg.float64
    assert tg.nn.Linear(2, 2).weight.dtype == tg.float64
    assert tg.nn.LSTM(2, 2).weight_hh_l0.dtype == tg.float64
    assert (tg.tensor([1]) / 2).dtype == tg.float64
    assert tg.tensor(np.ones(2, np.float32)).dtype == tg.float32
    with pytest.raises(TypeError, match="must be a float, not int64"):
        tg.set_default_dtype(tg.int64)


@pytest.mark.parametrize("dtype", [tg.float16, tg.float32, tg.float64], ids=str)
def test_python_numbers_never_promote(dtype):
    t = tg.tensor([1.0, 2.0], dtype=dtype)
    results = [t + 1, 1 + t, t * 2.5, 2.5 - t, t / 3, 3 / t, t**2, t**0.5, 2.0**t, t.maximum(0.5)]
    results += [
        tg.where(t > 1, t, 0.0),
        t.clip(0, 1),
        t - True,
        tg.maximum(0.5, t),
        t.at[0].set(1.5),
    ]
    assert {r.dtype for r in results} == {dtype}


def test_python_numbers_are_not_rounded_on_the_way():
    """0.1 beside float64 is 0.1, not the float32 nearest to it."""
    t = tg.tensor(np.array([0.0, 1.0]))
    for result in (
        tg.maximum(0.1, t),
        tg.where(t > 0, t, 0.1),
        tg.pow(0.1, t + 1),
        t + 0.1,
        t.clip(0.1),
    ):
        assert result.numpy()[0] == 0.1


# ---- making --------------------------------------------------------------------------------------


def test_makers():
    assert tg.zeros(2, 3).shape == tg.ones((2, 3)).shape == tg.full((2, 3), 1.0).shape == (2, 3)
    assert tg.zeros(()).shape == tg.rand().shape == ()
    np.testing.assert_array_equal(tg.full((2,), 7).numpy(), [7, 7])
    assert tg.full((2,), 7).dtype == tg.int64
    assert tg.full((2,), 7.0).dtype == tg.float32
    np.testing.assert_array_equal(tg.eye(2, 3).numpy(), np.eye(2, 3))
    np.testing.assert_array_equal(tg.arange(5).numpy(), np.arange(5))
    np.testing.assert_array_equal(tg.arange(1, 2, 0.25).numpy(), [1, 1.25, 1.5, 1.75])
    assert (tg.arange(3).dtype, tg.arange(3.0).dtype) == (tg.int64, tg.float32)
    np.testing.assert_allclose(tg.linspace(0, 1, 5, dtype=tg.float64).numpy(), np.linspace(0, 1, 5))
    like = tg.ones(2, dtype=tg.float64)
    assert tg.zeros_like(like).dtype == tg.ones_like(like).dtype == tg.float64
    assert tg.zeros_like(like, dtype=tg.float32).dtype == tg.float32
    for t in (tg.zeros(2, requires_grad=True), tg.randn(2, requires_grad=True)):
        assert t.requires_grad
        assert t.is_leaf
    with pytest.raises(TypeError, match="use tensor"):
        tg.from_numpy([1.0])


def test_as_tensor_keeps_what_is_one():
    t = tg.ones(2, requires_grad=True)
    assert tg.as_tensor(t) is t
    assert tg.as_tensor(t, dtype=tg.float32) is t
    wide = tg.as_tensor(t, dtype=tg.float64)
    wide.sum().backward()
    assert t.grad.dtype == tg.float32
    assert tg.is_tensor(t)
    assert not tg.is_tensor(np.ones(2))


def test_seeds_and_generators():
    g = tg.manual_seed(5)
    assert isinstance(g, np.random.Generator)
    a = tg.randn(3), tg.rand(3)
    tg.manual_seed(5)
    b = tg.randn(3), tg.rand(3)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.numpy(), y.numpy())
    one, two = (
        tg.randn(1000, generator=np.random.default_rng(1), dtype=tg.float64) for _ in range(2)
    )
    np.testing.assert_array_equal(one.numpy(), two.numpy())
    assert abs(one.mean().item()) < 0.1
    assert abs(one.std().item() - 1) < 0.1
    u = tg.rand(1000).numpy()
    assert 0 <= u.min() < 0.02 < 0.98 < u.max() < 1


# ---- out of the tensor ---------------------------------------------------------------------------


def test_python_protocols():
    t = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(t) == 2
    assert [row.tolist() for row in t] == [[1.0, 2.0], [3.0, 4.0]]
    assert 3.0 in t
    assert 5.0 not in t
    assert (float(tg.tensor(2.5)), int(tg.tensor(2)), math.sqrt(tg.tensor(4.0))) == (2.5, 2, 2.0)
    assert [10, 20, 30][tg.tensor(1)] == 20
    assert range(tg.tensor(3))[-1] == 2
    assert bool(tg.tensor(1.0))
    assert not tg.tensor([0])
    assert {t: 1}[t] == 1
    assert +t is t
    assert copy.copy(t) is not t
    assert (t.size(), t.size(-1), t.dim(), t.numel(), t.nelement()) == ((2, 2), 2, 2, 4, 4)
    assert t.cpu() is t.contiguous() is t.to("cpu") is t


BAD_PROTOCOLS = {
    "len": (lambda: len(tg.tensor(1.0)), TypeError, "0-d tensor has no len"),
    "iter": (lambda: list(tg.tensor(1.0)), TypeError, "cannot be iterated"),
    "bool": (
        lambda: bool(tg.ones(2)),
        ValueError,
        r"shape \(2,\) is ambiguous.*\.any\(\) or \.all\(\)",
    ),
    "item": (lambda: tg.ones(2).item(), ValueError, r"one element, and this has shape \(2,\)"),
    "float": (lambda: float(tg.ones(2)), ValueError, "one element"),
    "index": (lambda: [1, 2][tg.tensor(1.0)], TypeError, None),
}


@pytest.mark.parametrize("name", BAD_PROTOCOLS)
def test_python_protocols_refuse(name):
    function, error, words = BAD_PROTOCOLS[name]
    with pytest.raises(error, match=words):
        function()


def test_repr():
    w = tg.ones(2, requires_grad=True)
    assert repr(tg.tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(tg.tensor(3)) == "tensor(3)"
    assert repr(tg.ones(1, dtype=tg.float64)) == "tensor([1.], dtype=float64)"
    assert repr(w) == "tensor([1., 1.], requires_grad=True)"
    assert repr(w * 2) == "tensor([2., 2.], grad_fn=<mul>)"
    assert repr(w > 0) == "tensor([ True,  True])"


def test_scalars_format_as_numbers():
    loss = tg.tensor(1.25, requires_grad=True) * 2
    assert f"{loss:.3f} {tg.tensor(7):>3d} {loss}" == "2.500   7 2.5"
    assert f"{tg.ones(1)}" == "tensor([1.])"
    with pytest.raises(TypeError, match="unsupported format"):
        f"{tg.ones(2):.2f}"


@pytest.mark.parametrize(
    ("dtype", "lost"), [(tg.float16, 6e-8), (tg.float32, 1e-38), (tg.float64, 1e-307)], ids=str
)
def test_sigmoid_is_right_in_both_tails(dtype, lost):
    """To rounding, but for what is smaller than the dtype's smallest numbers."""
    x = np.array([-1000, -100, -20, -12, -9, 0, 9, 12, 20, 1000], dtype)
    with np.errstate(all="ignore"):
        exact = (1 / (1 + np.exp(-x.astype(np.longdouble)))).astype(dtype)
    y = tg.tensor(x).sigmoid().numpy()
    np.testing.assert_allclose(y, exact, rtol=4 * np.finfo(dtype).eps, atol=lost)


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64], ids=str)
def test_a_sigmoid_of_a_huge_number_has_slope_0(dtype):
    """Not a tiny one, which an input of 1e308 would make a gradient of order one."""
    most = np.finfo(dtype).max
    x = tg.tensor(np.array([-np.inf, -most, -800, 800, most, np.inf], dtype), requires_grad=True)
    y = x.sigmoid()
    y.backward(tg.tensor(np.full(6, most, dtype)))
    assert y.tolist() == [0, 0, 0, 1, 1, 1]
    assert x.grad.tolist() == [0] * 6


def test_comparisons_are_plain():
    a = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for other in (2.0, tg.tensor(2.0), np.float64(2.0), np.full(3, 2.0), [2.0, 2.0, 2.0]):
        assert (a == other).tolist() == [False, True, False]
        assert (a != other).tolist() == [True, False, True]
        assert (a < other).tolist() == [True, False, False]
        assert (a >= other).tolist() == [False, True, True]
    assert (a == "text") is False
    assert (a == None) is False  # noqa: E711
    mask = (a > 1) & (a < 3) | (a == 1) ^ True
    assert mask.dtype == tg.bool
    assert (~(a > 1)).tolist() == [True, False, False]
    assert (True & (a > 1)).tolist() == [False, True, True]


@pytest.mark.parametrize("name", ["f4", "f8", "i8", "i4", "?", "f2"])
def test_a_tensor_has_the_one_object_of_its_dtype(name):
    """As numpy's results have, though an array that was unpickled has a twin of it."""
    known = np.dtype(name)
    array = pickle.loads(pickle.dumps(np.ones(3, known)))
    assert array.dtype == known
    assert array.dtype is not known
    t = tg.tensor(array)
    twins = [t, tg.from_numpy(array), tg.as_tensor(array), pickle.loads(pickle.dumps(t)), t.clone()]
    twins += [tg.tensor(array, dtype=array.dtype), tg.zeros(3, dtype=array.dtype)]
    t.data = array
    assert all(twin._data.dtype is known for twin in [*twins, t, t + t if name != "?" else t])


@pytest.mark.parametrize("grad", [True, False])
def test_copies_and_pickles(grad):
    t = tg.tensor([1.0, 2.0], requires_grad=grad)
    if grad:
        (t * t).sum().backward()
    for twin in (copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
        assert twin is not t
        assert twin.requires_grad == grad
        np.testing.assert_array_equal(twin.numpy(), t.numpy())
        assert twin.dtype == t.dtype
    assert (copy.deepcopy(t).grad is None) == (not grad)
    with pytest.raises(RuntimeError, match="detach"):
        pickle.dumps(tg.ones(1, requires_grad=True) * 2)


# ---- names of two worlds -------------------------------------------------------------------------

BOTH_NAMES = ["sum", "mean", "var", "std", "amax", "amin", "logsumexp"]


@pytest.mark.parametrize("name", BOTH_NAMES)
def test_dim_and_axis_keepdim_and_keepdims(name):
    t = tg.tensor(CUBE)
    method = getattr(t, name)
    expected = method(dim=1, keepdim=True).numpy()
    assert expected.shape == (2, 1, 4)
    for result in (
        method(axis=1, keepdims=True),
        method(1, keepdim=True),
        method(axis=-2, keepdims=1),
    ):
        np.testing.assert_array_equal(result.numpy(), expected)
    assert method(dim=(0, 2)).shape == method(axis=(0, -1)).shape == (3,)
    assert method().shape == ()
    assert method(keepdim=True).shape == (1, 1, 1)
    with pytest.raises(TypeError, match="dim or axis, not both"):
        method(dim=0, axis=0)
    with pytest.raises(IndexError, match=r"dim 3 is out of range .*\(2, 3, 4\)"):
        method(dim=3)
    with pytest.raises(ValueError, match="names an axis twice"):
        method(dim=(0, -3))


@pytest.mark.parametrize(
    "name", ["max", "min", "argmax", "argmin", "softmax", "log_softmax", "all", "any"]
)
def test_axis_of_single_axis_methods(name):
    t = tg.tensor(CUBE)
    a, b = getattr(t, name)(dim=1), getattr(t, name)(axis=1)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
    with pytest.raises(IndexError, match="out of range"):
        getattr(t, name)(dim=5)


def test_max_along_is_a_named_pair():
    values, indices = tg.tensor(CUBE).max(1)
    found = tg.tensor(CUBE).max(dim=1)
    np.testing.assert_array_equal(found.values.numpy(), CUBE.max(1))
    np.testing.assert_array_equal(values.numpy(), CUBE.max(1))
    np.testing.assert_array_equal(indices.numpy(), CUBE.argmax(1))
    assert tg.tensor(CUBE).max(1, keepdim=True).indices.shape == (2, 1, 4)
    with pytest.raises(ValueError, match=r"empty tensor of shape \(0, 2\)"):
        tg.zeros(0, 2).max()
    with pytest.raises(TypeError, match="dim"):
        tg.ones(2).softmax()


SHAPES = {
    "reshape": (lambda t: t.reshape(6, -1), (6, 4)),
    "reshape a tuple": (lambda t: t.reshape((4, 6)), (4, 6)),
    "view": (lambda t: t.view(-1), (24,)),
    "flatten": (lambda t: t.flatten(1), (2, 12)),
    "flatten 0-d": (lambda t: t[0, 0, 0].flatten(), (1,)),
    "transpose": (lambda t: t.transpose(0, -1), (4, 3, 2)),
    "swapaxes": (lambda t: t.swapaxes(0, 1), (3, 2, 4)),
    "T": (lambda t: t.T, (4, 3, 2)),
    "mT": (lambda t: t.mT, (2, 4, 3)),
    "t": (lambda t: t[0].t(), (4, 3)),
    "permute": (lambda t: t.permute(2, 0, 1), (4, 2, 3)),
    "permute a tuple": (lambda t: t.permute((1, 0, -1)), (3, 2, 4)),
    "expand": (lambda t: t[:1].expand(5, -1, 4), (5, 3, 4)),
    "broadcast_to": (lambda t: t.broadcast_to((7, 2, 3, 4)), (7, 2, 3, 4)),
    "squeeze": (lambda t: t[:1, :, :1].squeeze(), (3,)),
    "squeeze one": (lambda t: t[:1, :, :1].squeeze(-1), (1, 3)),
    "squeeze two": (lambda t: t[:1, :, :1].squeeze((0, 2)), (3,)),
    "unsqueeze": (lambda t: t.unsqueeze(0).unsqueeze(-1), (1, 2, 3, 4, 1)),
    "gather": (lambda t: t.gather(2, np.zeros((2, 3, 5), int)), (2, 3, 5)),
    "stack": (lambda t: tg.stack([t, t], 1), (2, 2, 3, 4)),
    "cat": (lambda t: tg.concat([t, t], -1), (2, 3, 8)),
    "none index": (lambda t: t[None, ..., 0], (1, 2, 3)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    function, shape = SHAPES[name]
    assert function(tg.tensor(CUBE)).shape == shape


PARTS = {
    "split": (lambda t: t.split(3, -1), [(2, 3, 3), (2, 3, 1)]),
    "split sizes": (lambda t: t.split([1, 0, 3], 2), [(2, 3, 1), (2, 3, 0), (2, 3, 3)]),
    "chunk": (lambda t: t.chunk(2, 1), [(2, 2, 4), (2, 1, 4)]),
    "chunk fewer": (lambda t: t.chunk(3, 2), [(2, 3, 2), (2, 3, 2)]),
    "chunk more": (lambda t: t.chunk(9, 0), [(1, 3, 4), (1, 3, 4)]),
    "unbind": (lambda t: t.unbind(1), [(2, 4)] * 3),
    "split nothing": (lambda t: t[:, :, :0].split(2, 2), [(2, 3, 0)]),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts(name):
    function, shapes = PARTS[name]
    parts = function(tg.tensor(CUBE))
    assert isinstance(parts, tuple)
    assert [p.shape for p in parts] == shapes


WRONG = {
    "transpose": (lambda t: t.transpose(0, 3), IndexError, "dim 3 is out of range"),
    "t": (lambda t: t.t(), ValueError, "at most 2 axes"),
    "permute": (lambda t: t.permute(0, 0, 1), ValueError, r"\(0, 0, 1\) is no order of the 3 axes"),
    "unsqueeze": (lambda t: t.unsqueeze(5), IndexError, "dim 5 is out of range"),
    "split sizes": (lambda t: t.split([1, 1], 1), ValueError, "make 2, and axis 1 of .* has 3"),
    "split of 0": (lambda t: t.split(0), ValueError, "parts of 0"),
    "chunk": (lambda t: t.chunk(0), ValueError, "0 parts"),
    "gather": (lambda t: t.gather(0, [0]), ValueError, "index has 1 axes, the tensor 3"),
    "clip": (lambda t: t.clip(), ValueError, "min, max or both"),
    "stack": (lambda t: tg.stack([]), ValueError, "at least one"),
    "cat": (lambda t: tg.cat([]), ValueError, "at least one"),
    "cat of 0-d": (lambda t: tg.cat([t.sum(), t.sum()]), ValueError, "use stack"),
    "stack dim": (lambda t: tg.stack([t], 7), IndexError, "stack: dim 7 is out of range"),
    "cat dim": (lambda t: tg.cat([t], 7), IndexError, "dim 7 is out of range"),
    "index": (lambda t: t[5], IndexError, "out of bounds"),
    "division with rest": (lambda t: divmod(t, 2), TypeError, "unsupported operand"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_shapes_refuse(name):
    function, error, words = WRONG[name]
    with pytest.raises(error, match=words):
        function(tg.tensor(CUBE))


def test_where_and_clip_as_methods():
    t = tg.tensor(CUBE)
    np.testing.assert_array_equal(t.where(t > 0, 0.0).numpy(), np.where(CUBE > 0, CUBE, 0))
    np.testing.assert_array_equal(t.clamp(min=-0.1, max=0.1).numpy(), np.clip(CUBE, -0.1, 0.1))
    assert tg.tensor([1, 5]).clip(2, 3).dtype == tg.int64
    assert tg.tensor([1, 5]).clip(2.5, 3).tolist() == [2.5, 3.0]
    assert t.isnan().any().item() is False
    assert t.isfinite().all().item() is True
    assert tg.argmax(t, 1).tolist() == CUBE.argmax(1).tolist()


CONSTRUCTED = {
    "integers": (([1, 2],), [1.0, 2.0]),
    "nested": (([[1], [2]],), [[1.0], [2.0]]),
    "an array of doubles": ((np.array([1.5, 2.0]),), [1.5, 2.0]),
    "an array of integers": ((np.array([1, 2]),), [1.0, 2.0]),
    "a tensor": ((tg.tensor([1, 2]),), [1.0, 2.0]),
    "a tuple": (((2, 3),), [2.0, 3.0]),
    "sizes": ((2, 3), [[0.0] * 3] * 2),
    "one size": ((3,), [0.0] * 3),
    "nothing": ((), []),
}


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_the_constructor_is_pytorchs(name):
    given, values = CONSTRUCTED[name]
    t = tg.Tensor(*given)
    assert (t.tolist(), t.dtype) == (values, tg.float32)
    assert type(t) is tg.Tensor
    assert tg.Tensor(*given, dtype=tg.float64, requires_grad=True).dtype == tg.float64


def test_the_constructor_copies_and_refuses():
    array = np.zeros(2, np.float32)
    t = tg.Tensor(array)
    array[0] = 5.0
    assert t.tolist() == [0, 0]
    for wrong in ((2.5,), (True,), ([1], [2]), (2, [1])):
        with pytest.raises(TypeError, match=r"use tensor\(data"):
            tg.Tensor(*wrong)
    w = tg.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match=r"tg\.stack"):
        tg.Tensor([w[0], w[1]])


def test_the_package_does_not_call_the_constructor():
    """Its float32 is for users; inside, ``Tensor._made`` (or ``tensor``) keeps dtypes."""
    package = Path(tg.__file__).parent
    calls = [
        f"{path.name}:{node.lineno}"
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Tensor"
    ]
    assert not calls, calls


def test_tensors_are_written_in_place():
    t = tg.ones(2, 2)
    assert t.fill_(3.0) is t
    assert t.copy_(np.array([1.0, 2.0])) is t
    assert t.tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert t.zero_().tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert t.dtype == tg.float32
    with pytest.raises(ValueError, match=r"copy_: a value of shape \(3,\) does not fit \(2, 2\)"):
        t.copy_(np.ones(3))


# ---- what the wider functions accept and refuse ---------------------------------------------------

VECTOR = tg.tensor([1.0, 2.0, 3.0])
WIDER_REFUSE = {
    "gather below 0": (lambda: VECTOR.gather(0, [-1]), IndexError, "gather: index -1 is outside 0 ... 2"),
    "gather too large": (lambda: tg.gather(VECTOR, 0, [1, 3]), IndexError, "index 3 is outside"),
    "gather too wide": (lambda: tg.ones(2, 3).gather(0, np.zeros((3, 4), int)), ValueError, "beyond"),
    "gather by floats": (lambda: VECTOR.gather(0, [0.5]), TypeError, "integers"),
    "take_along_dim too large": (lambda: VECTOR.take_along_dim([3], 0), IndexError, "-3 ... 2"),
    "take_along_dim axes": (lambda: VECTOR.take_along_dim([[0]], 0), ValueError, "2 axes"),
    "take_along_dim sides": (
        lambda: tg.ones(2, 3).take_along_dim(np.zeros((2, 2), int), 0), ValueError, "broadcast",
    ),
    "dot of matrices": (lambda: tg.dot(tg.ones(2, 2), tg.ones(2)), ValueError, "dot takes two vectors"),
    "dot of lengths": (lambda: VECTOR.dot(tg.ones(2)), ValueError, "dot takes two vectors"),
    "outer of a matrix": (lambda: tg.outer(tg.ones(2, 1), VECTOR), ValueError, "outer takes two vectors"),
    "norm by name": (lambda: VECTOR.norm("nuc"), ValueError, "a number or 'fro'"),
    "norm of nothing": (lambda: tg.ones(0).norm(float("inf")), ValueError, "norm cannot take"),
    "cumsum without dim": (lambda: VECTOR.cumsum(), TypeError, "needs the dim"),
    "roll two by none": (lambda: tg.roll(VECTOR, (1, 2)), ValueError, "2 shifts and no dims"),
    "roll two along one": (lambda: tg.roll(VECTOR, (1, 2), 0), ValueError, "2 shifts and 1 dims"),
    "roll of a scalar": (lambda: tg.roll(tg.tensor(1.0), 1, 0), IndexError, "0-d"),
    "repeat too few": (lambda: tg.ones(2, 2).repeat(2), ValueError, "fewer numbers"),
    "repeat negative": (lambda: VECTOR.repeat(-1), ValueError, "negative"),
    "expand a new axis by -1": (lambda: VECTOR.expand(-1, 3), ValueError, "-1 at 0"),
    "pad odd": (lambda: tg.nn.functional.pad(VECTOR, (1,)), ValueError, "even number"),
    "pad too many": (lambda: tg.nn.functional.pad(VECTOR, (1, 1, 1, 1)), ValueError, "at most 2"),
    "pad mode": (lambda: tg.nn.functional.pad(VECTOR, (1, 1), "mirror"), NotImplementedError, "mirror"),
    "pad away": (lambda: tg.nn.functional.pad(VECTOR, (-2, -2)), ValueError, "pad cannot take"),
    "np.pad negative": (lambda: np.pad(VECTOR, -1), ValueError, "negative"),
    "gelu": (lambda: tg.nn.functional.gelu(VECTOR, "erf"), ValueError, "'none' or 'tanh'"),
    "GELU": (lambda: tg.nn.GELU("erf"), ValueError, "'none' or 'tanh'"),
    "integer powers": (lambda: tg.tensor([2]) ** -1, ValueError, r"make the base a float, x.float\(\)"),
    "einsum terms": (lambda: tg.einsum("i,j", VECTOR), ValueError, "2 terms for 1 operands"),
    "einsum letters": (lambda: tg.einsum("ij->i", VECTOR), ValueError, "does not fit shape"),
    "einsum signs": (lambda: tg.einsum("1->1", VECTOR), ValueError, "letters"),
    "einsum unknown": (lambda: tg.einsum("i->j", VECTOR), ValueError, "names 'j'"),
    "einsum twice": (lambda: tg.einsum("i,i->ii", VECTOR, VECTOR), ValueError, "twice"),
    "einsum uneven": (lambda: tg.einsum("ii", tg.ones(1, 2)), ValueError, "repeats an axis"),
    "einsum sides": (lambda: tg.einsum("i,i", VECTOR, tg.ones(2)), ValueError, "einsum cannot take"),
    "einsum by lists": (lambda: tg.einsum(VECTOR, [0]), TypeError, "the equation comes first"),
    "np.einsum lost dots": (lambda: np.einsum("...i->i", VECTOR), ValueError, "'...'"),
}  # fmt: skip


@pytest.mark.parametrize("name", WIDER_REFUSE)
def test_what_the_wider_functions_refuse(name):
    function, kind, words = WIDER_REFUSE[name]
    with pytest.raises(kind, match=words):
        function()


def test_the_normal_distribution_is_right_in_both_tails():
    from tinygrad_rnn.ops.normal import normal_share

    x = np.linspace(-37, 9, 4001)
    exact = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x])
    np.testing.assert_allclose(normal_share(x), exact, rtol=1e-12, atol=0)
    middle = np.abs(x) < 2
    np.testing.assert_allclose(normal_share(x)[middle], exact[middle], rtol=2e-15, atol=0)
    assert normal_share(np.array([np.inf, -np.inf, 0.0])).tolist() == [1.0, 0.0, 0.5]
    assert np.isnan(normal_share(np.array(np.nan)))


def test_second_derivatives_at_a_zero_are_finite():
    for function in (lambda a: a.std(), lambda a: a.norm(), lambda a: a.norm(3)):
        x = tg.tensor(np.zeros(3), requires_grad=True)
        (first,) = tg.grad(function(x), x, create_graph=True)
        (second,) = tg.grad(first.sum(), x)
        assert first.tolist() == second.tolist() == [0.0, 0.0, 0.0]


# ---- PyTorch's empty tensor ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 4), (0, 3)])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_tensor_of_no_elements_joins_with_any_and_adds_nothing(shape, place):
    x = tg.tensor(np.arange(np.prod(shape)).reshape(shape), tg.float32, requires_grad=True)
    nothing = tg.tensor([], requires_grad=True)
    for dim in range(-len(shape), len(shape)):
        parts = [x, x]
        parts.insert(place, nothing)
        joined = tg.cat(parts, dim)
        np.testing.assert_array_equal(joined.numpy(), np.concatenate([x.numpy()] * 2, dim))
        x.grad = nothing.grad = None
        joined.square().sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), 4 * x.numpy())
        assert nothing.grad.shape == (0,)
    with pytest.raises(IndexError, match="out of range"):
        tg.cat([nothing, x], len(shape))


def test_only_that_one_joins_with_other_numbers_of_axes():
    assert tg.cat([tg.tensor([]), tg.tensor([])]).shape == (0,)
    assert tg.cat([tg.tensor([]), tg.tensor([[1, 2]])]).dtype == tg.float32
    for first in (tg.zeros(0, 2), tg.zeros(1), tg.zeros(0, 0)):
        with pytest.raises(ValueError, match="cat"):
            tg.cat([first, tg.zeros(2, 3, 4)])
