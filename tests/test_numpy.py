"""numpy's functions called on Tensors mean what they mean in numpy, and are recorded."""

import math
import operator
import re
from pathlib import Path

import numpy as np
import pytest
from support import assert_each_close, complex_gradient, numbers, weights

import tinygrad_rnn as tg
from tinygrad_rnn.tensors import numpy_names

A, B, V = numbers((3, 4), 1), numbers((3, 4), 2) + 1.5, numbers((4,), 3)

# functions of (a, b): a and b are Tensors, or arrays for numpy alone
FUNCTIONS = {
    "arithmetic": lambda a, b: np.add(a, b) * np.subtract(a, 2) / np.divide(b, a + 3),
    "array first": lambda a, b: A + a - V * b,
    "array matmul": lambda a, b: A.T @ a @ V + np.matmul(a.T, b) @ V,
    "scalar first": lambda a, b: np.float64(2.0) * a + np.float64(0.5) ** b,
    "power": lambda a, b: np.power(b, a) + b**2,
    "maximum": lambda a, b: np.maximum(a, b - 1.5) + np.minimum(a, 0.1),
    "negative": lambda a, b: np.negative(a) - (-b),
    "sqrt": lambda a, b: np.sqrt(b) + np.square(a),
    "exp": lambda a, b: np.exp(a) + np.log(b) + np.tanh(a),
    "sum": lambda a, b: np.sum(a) + np.sum(b, axis=1) + np.sum(a, axis=(0, 1), keepdims=True),
    "method sum": lambda a, b: a.sum(axis=0) + b.sum(axis=-1, keepdims=True),
    "add.reduce": lambda a, b: np.add.reduce(a) + np.add.reduce(b, axis=1)[:, None],
    "add.reduce of all": lambda a, b: np.add.reduce(a, axis=None) + b,
    "mean": lambda a, b: np.mean(a, axis=0) + np.mean(b) + a.mean(axis=1, keepdims=True),
    "amax": lambda a, b: np.max(a, axis=1) + np.amin(b) + np.min(a, axis=(0, 1)),
    "where": lambda a, b: np.where(A > 0, a, b) + np.where(A[0] > 0, a, 0.0),
    "reshape": lambda a, b: np.reshape(a, (2, 6)) + np.ravel(b)[:6],
    "transpose": lambda a, b: np.transpose(a) @ b + np.transpose(a, (1, 0)) @ a,
    "swapaxes": lambda a, b: np.swapaxes(a, 0, 1) @ np.swapaxes(b, 1, 0).T,
    "expand_dims": lambda a, b: np.expand_dims(a, 1) * np.expand_dims(b, -1)[:1].squeeze(),
    "squeeze": lambda a, b: np.squeeze(a[:1]) + np.squeeze(b[:, None], axis=1),
    "broadcast_to": lambda a, b: np.broadcast_to(a[0], (2, 3, 4)) * b,
    "flip": lambda a, b: np.flip(a) + np.flip(b, 1) + np.flip(a, axis=(0,)),
    "stack": lambda a, b: np.stack([a, b, A], axis=-1),
    "concatenate": lambda a, b: np.concatenate([a, b]) @ np.concatenate((a, b), axis=1)[:, :4].T,
    "split": lambda a, b: np.split(a, 2, axis=1)[1] * np.split(b, 2, 1)[0],
    "split at": lambda a, b: np.concatenate(np.split(a, [1, 3], axis=-1)[::-1], 1) * b,
    "split at odd places": lambda a, b: [*np.split(a, [3, 1, -1, 9], axis=1), b],
    "dot": lambda a, b: np.dot(a, b.T) @ np.dot(a, V) + np.dot(a[0], b[0]),
    "dot of numbers": lambda a, b: np.dot(2.0, a) + np.dot(b, 0.5),
    "dot of more axes": lambda a, b: [np.dot(a[None], np.stack([b.T, a.T])), np.dot(a[None], b.T)],
    "copy": lambda a, b: np.copy(a) * b,
    "sines": lambda a, b: np.sin(a) * np.cos(b) + np.log1p(b) + np.expm1(a),
    "products": lambda a, b: np.prod(a) + np.prod(b, axis=0, keepdims=True),
    "cumsum": lambda a, b: np.cumsum(a)[:3, None] * np.cumsum(b, axis=1) + np.cumsum(b, 0),
    "outer": lambda a, b: np.outer(a, b[0]) * np.outer(V, a)[:1, :4],
    "einsum": lambda a, b: np.einsum("ij,kj", a, b) @ np.einsum("ij->ij", a, optimize=True),
    "roll": lambda a, b: np.roll(a, 1) + np.roll(b, (1, -2), (0, 1)) + np.roll(a, 2, (0, 1)),
    "pad": lambda a, b: np.pad(a, 1) * np.pad(b, ((2, 0), (1, 1)), constant_values=2.0),
    "pad by a dict": lambda a, b: np.pad(a, {0: (1, 0)}) @ np.pad(b, {-1: 1})[0, 1:-1],
    "repeat": lambda a, b: (
        np.repeat(a, 2, axis=1) * np.repeat(b, [1, 2, 1, 4], 1) + np.repeat(V, 2)
    ),
    "repeat of all": lambda a, b: np.repeat(a, 2) * np.repeat(b, 2),
    "tile": lambda a, b: np.tile(a, 2) + np.tile(b, (1, 2)),
    "take_along_axis": lambda a, b: (
        np.take_along_axis(a, np.argsort(A, 0), 0) * np.take_along_axis(b, np.array([[-1]]), axis=1)
    ),
    "moveaxis": lambda a, b: np.moveaxis(a[None], 0, -1) * np.moveaxis(b[None], (0, 2), (2, 1)),
    "indexing": lambda a, b: a[1:, ::2] + b[[0, 2]][:, :2] + a[np.array([0, 1]), np.array([1, 1])],
    "shape protocols": lambda a, b: a * len(a) * np.ndim(b) + b * np.size(a) * np.shape(b)[0],
}
OLD = np.lib.NumpyVersion(np.__version__) < "2.3.0"
NOT_ANALYTIC = {
    "norm": lambda a, b: np.linalg.norm(b) + np.linalg.norm(a, axis=1) + np.linalg.norm(b[0], 3),
    "abs": lambda a, b: np.abs(a) + abs(b),
    "sign": lambda a, b: np.sign(a) * b,
    "clip": lambda a, b: np.clip(a, -0.5, 0.5) + np.clip(b, 1.0, None),
    "clip keywords": lambda a, b: np.clip(a, min=-0.5) + np.clip(b, a_min=0.0, a_max=1.0),
    "var": lambda a, b: np.var(a) + np.var(b, axis=1, ddof=1) + np.var(a, axis=0)[:3],
    "std": lambda a, b: np.std(a, axis=0) + np.std(b, keepdims=True, ddof=1),
}
if OLD:  # numpy's own functions do not take these arguments yet
    del FUNCTIONS["pad by a dict"], NOT_ANALYTIC["clip keywords"]
NOT_RECORDED = {
    "comparisons": lambda a, b: np.greater(a, b) | (a <= b) & np.isfinite(a) ^ (a == b),
    "logic": lambda a, b: np.logical_and(a > 0, b > 0) & np.logical_not(a > b) & ~np.isnan(a),
    "rounding": lambda a, b: np.floor(a) + np.ceil(b) + np.rint(a),
    "argmax": lambda a, b: (np.argmax(a), np.argmin(b, axis=0), np.argsort(a)),
    "all": lambda a, b: (np.all(a > -2), np.any(b > 9), np.nonzero(a > 0)[0]),
    "close": lambda a, b: (np.allclose(a, b), np.isclose(a, a), np.array_equal(a, b)),
    "likes": lambda a, b: np.zeros_like(a) + np.ones_like(b),
    "kinds": lambda a, b: (np.isrealobj(a), np.result_type(a, b), np.array_str(a)),
}


def outputs_of(result):
    return list(result) if isinstance(result, (list, tuple)) else [result]


@pytest.mark.parametrize("name", [*FUNCTIONS, *NOT_ANALYTIC])
def test_values_are_numpys_and_recorded(name):
    function = {**FUNCTIONS, **NOT_ANALYTIC}[name]
    tensors = [tg.tensor(a, requires_grad=True) for a in (A, B)]
    ours = outputs_of(function(*tensors))
    for y, expected in zip(ours, outputs_of(function(A, B)), strict=True):
        assert isinstance(y, tg.Tensor)
        assert y.requires_grad
        assert y.dtype == np.float64
        np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_numpy_functions(name):
    function = FUNCTIONS[name]

    def total(outputs, convert=np.asarray):
        return sum(
            (y * convert(weights(tuple(y.shape), k))).sum()
            for k, y in enumerate(outputs_of(outputs))
        )

    tensors = [tg.tensor(a, requires_grad=True) for a in (A, B)]
    grads = tg.grad(total(function(*tensors), tg.tensor), tensors)
    expected = complex_gradient(lambda *arrays: total(function(*arrays)), [A, B])
    for ours, other in zip(grads, expected, strict=True):
        assert_each_close(ours, other, 1e-11)


@pytest.mark.parametrize("name", NOT_RECORDED)
def test_what_has_no_derivative_is_plain(name):
    function = NOT_RECORDED[name]
    tensors = [tg.tensor(a, requires_grad=True) for a in (A, B)]
    for y, expected in zip(outputs_of(function(*tensors)), outputs_of(function(A, B)), strict=True):
        assert not getattr(y, "requires_grad", False)
        np.testing.assert_array_equal(np.asarray(y), expected)


def test_a_row_of_a_ufunc_is_what_the_ufunc_does():
    """``np.arctan2``, of which numpy has no complex version: the slopes are (b, -a) / (a**2 + b**2)."""
    a, b = (tg.tensor(x, requires_grad=True) for x in (A, B))
    y = np.arctan2(a, b)
    assert_each_close(y, np.arctan2(A, B), 1e-15)
    for ours, side in zip(tg.grad(y.sum(), (a, b)), (B, -A), strict=True):
        assert_each_close(ours, side / (A**2 + B**2), 1e-12)


REFUSED = {
    "unknown ufunc": (
        lambda t: np.hypot(t, t),
        r"np.hypot has no derivative here.*t.numpy\(\)",
    ),
    "unknown function": (lambda t: np.linalg.svd(t), r"np.svd has no derivative here.*t.numpy\(\)"),
    "unknown reduction": (lambda t: np.multiply.reduce(t), "np.multiply of a Tensor does not take"),
    "accumulate": (lambda t: np.add.accumulate(t), "np.add of a Tensor does not take accumulate"),
    "where=": (lambda t: np.add(t, 1, where=A > 0), "np.add of a Tensor does not take where"),
    "dtype=": (lambda t: np.exp(t, dtype=np.float32), "does not take dtype"),
    "out= of a ufunc": (lambda t: np.tanh(t, out=np.zeros((3, 4))), "np.tanh: out="),
    "pad by the edge": (lambda t: np.pad(t, 1, mode="edge"), "np.pad.*constant"),
    "norm of a matrix": (lambda t: np.linalg.norm(t, 2), "np.linalg.norm of a matrix.*'fro'"),
    "out of a tensor": (lambda t: np.add(1.0, 1.0, out=t), "out="),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_numpy_functions_refuse(name):
    function, words = REFUSED[name]
    with pytest.raises(TypeError, match=words):
        function(tg.tensor(A, requires_grad=True))


def test_squeeze_of_a_longer_axis_is_an_error_in_numpy_alone():
    t = tg.ones(2, 1)
    assert t.squeeze(0).shape == (2, 1)
    with pytest.raises(ValueError, match="squeeze"):
        np.squeeze(t, axis=0)


# names that mean one thing in PyTorch and another in numpy: the method is PyTorch's, np.* is numpy's
CLASHES = {
    "split": (
        lambda t: [p.shape for p in t.split(2, 1)],
        lambda t: [p.shape for p in np.split(t, 2, 1)],
        [(3, 2), (3, 2), (3, 2)],
        [(3, 3), (3, 3)],
    ),
    "transpose": (
        lambda t: t[None].transpose(0, 2).shape,
        lambda t: np.transpose(t[None], (2, 0, 1)).shape,
        (6, 3, 1),
        (6, 1, 3),
    ),
    "std": (
        lambda t: round(t.std().item(), 9),
        lambda t: round(np.std(t).item(), 9),
        round(float(np.std(np.arange(18.0), ddof=1)), 9),
        round(float(np.std(np.arange(18.0))), 9),
    ),
    "var": (lambda t: t.var().item(), lambda t: np.var(t).item(), 28.5, 323 / 12),
    "max": (
        lambda t: [part.tolist() for part in t.max(1)],
        lambda t: np.max(t, 1).tolist(),
        [[5.0, 11.0, 17.0], [5, 5, 5]],
        [5.0, 11.0, 17.0],
    ),
    "min": (
        lambda t: t.min(dim=0).indices.tolist(),
        lambda t: np.min(t, 0).tolist(),
        [0] * 6,
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
    ),
    "repeat": (
        lambda t: t[0, :2].repeat(2).tolist(),
        lambda t: np.repeat(t[0, :2], 2).tolist(),
        [0.0, 1.0, 0.0, 1.0],
        [0.0, 0.0, 1.0, 1.0],
    ),
    "pad": (
        lambda t: tg.nn.functional.pad(t, (1, 0)).shape,
        lambda t: np.pad(t, (1, 0)).shape,
        (3, 7),
        (4, 7),
    ),
    "sign": (
        lambda t: (t[0, :1] * float("nan")).sign().tolist(),
        lambda t: np.isnan(np.sign(t[0, :1] * float("nan"))).tolist(),
        [0.0],
        [True],
    ),
    "size": (lambda t: t.size(), lambda t: np.size(t), (3, 6), 18),
}


@pytest.mark.parametrize("name", CLASHES)
def test_methods_are_pytorchs_and_functions_numpys(name):
    method, function, pytorch, numpys = CLASHES[name]
    t = tg.tensor(np.arange(18.0).reshape(3, 6))
    assert method(t) == pytorch
    assert function(t) == (pytest.approx(numpys) if isinstance(numpys, float) else numpys)


def test_tg_functions_mean_what_methods_mean():
    t = tg.tensor(np.arange(18.0).reshape(3, 6))
    assert [p.shape for p in tg.split(t, 2, 1)] == [(3, 2)] * 3
    assert tg.transpose(t, 0, 1).shape == (6, 3)
    assert tg.var(t).item() == t.var().item()
    assert tg.max(t, 1).indices.tolist() == [5, 5, 5]


def test_arrays_of_tensors_and_conversions():
    t = tg.tensor(A)
    assert type(np.asarray(t)) is np.ndarray
    assert np.asarray(t, dtype=np.float32).dtype == np.float32
    assert np.array(t, copy=True).flags.writeable
    with pytest.raises(ValueError, match="float64"):
        t.__array__(np.float32, copy=False)
    assert np.asarray([tg.tensor(1.0), tg.tensor(2.0)]).tolist() == [1.0, 2.0]
    assert tg.tensor(np.array(t)).dtype == np.float64


def test_saving_tensors_with_numpy(tmp_path):
    np.save(tmp_path / "t.npy", tg.tensor(A))
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy", allow_pickle=False), A)


# ---- what would lose the gradient without being asked by name ------------------------------------


def stored(target, index, value):
    target[index] = value


def put_in_column(frame, name, value):
    frame[name] = value


# (matrix, vector, w of shape (2,), w[0]): all of these took plain numbers
LOSSES_IN_NUMPY = {
    "a row": lambda m, a, w, s: stored(m, 0, w),
    "rows": lambda m, a, w, s: stored(m, slice(None), w),
    "a column": lambda m, a, w, s: stored(m, (slice(None), 0), s),
    "a mask": lambda m, a, w, s: stored(m, m < 1, s),
    "an element": lambda m, a, w, s: stored(a, 0, s),
    "an element of two axes": lambda m, a, w, s: stored(m, (0, 1), s),
    "a list of numbers": lambda m, a, w, s: stored(a, slice(0, 2), [s, w[1]]),
    "mean of losses": lambda m, a, w, s: np.mean([s, w[1]]),
    "sum of losses": lambda m, a, w, s: np.sum([s, s]),
    "max of losses": lambda m, a, w, s: np.max((s, w[1])),
    "std": lambda m, a, w, s: np.std([s, w[1]]),
    "median": lambda m, a, w, s: np.median([s, w[1]]),
    "average": lambda m, a, w, s: np.average([s, w[1]], weights=[1, 2]),
    "exp of a list": lambda m, a, w, s: np.exp([s, w[1]]),
    "product of lists": lambda m, a, w, s: np.multiply([s, w[1]], 2.0),
    "dot of a list": lambda m, a, w, s: np.dot([s, w[1]], [1.0, 2.0]),
    "where of a list": lambda m, a, w, s: np.where([True, False], [s, s], 0.0),
    "cumsum of a list": lambda m, a, w, s: np.cumsum([s, s]),
    "array of a list": lambda m, a, w, s: np.array([s, w[1]]),
    "array of rows": lambda m, a, w, s: np.array([w, w], dtype=np.float32),
    "array of a nest": lambda m, a, w, s: np.asarray([[s, 1.0], [0.0, w[1]]]),
    "objects": lambda m, a, w, s: np.array([s, s], dtype=object),
    "array times list": lambda m, a, w, s: np.ones(2) * [s, w[1]],
    "full": lambda m, a, w, s: np.full(3, s),
    "append": lambda m, a, w, s: np.append(a, s),
    "arange": lambda m, a, w, s: np.arange(0, s),
    "place": lambda m, a, w, s: np.place(a, a < 1, [s]),
    "a draw around it": lambda m, a, w, s: np.random.default_rng(0).normal(w),
    "vectorize": lambda m, a, w, s: np.vectorize(lambda x: 2 * x)(w),
    "array +=": lambda m, a, w, s: operator.iadd(m, w),
    "array -=": lambda m, a, w, s: operator.isub(m, w),
    "array *=": lambda m, a, w, s: operator.imul(a, s),
    "array /=": lambda m, a, w, s: operator.itruediv(m, w),
    "array @=": lambda m, a, w, s: operator.imatmul(a, tg.eye(3, requires_grad=True)),
    "array += list": lambda m, a, w, s: operator.iadd(m, [s, w[1]]),
    "add, out": lambda m, a, w, s: np.add(m, w, out=m),
    "dot, out": lambda m, a, w, s: np.dot(m, w, out=a),
    "add, out, where": lambda m, a, w, s: np.add(m, w, out=m, where=m > 0),
    "sum, out": lambda m, a, w, s: np.sum(w, out=np.zeros(())),
}
LOSSES_IN_PANDAS = {
    "frame @": lambda pd, f, x, w, s: f @ w,
    "frame.dot": lambda pd, f, x, w, s: f.dot(w),
    "series @": lambda pd, f, x, w, s: x @ w,
    "series.dot": lambda pd, f, x, w, s: x.dot(w),
    "assign": lambda pd, f, x, w, s: f.assign(y=w),
    "a column": lambda pd, f, x, w, s: put_in_column(f, "y", w),
    "loc": lambda pd, f, x, w, s: stored(f.loc, 0, s),
    "loc of a row": lambda pd, f, x, w, s: stored(f.loc, 0, w),
    "iloc": lambda pd, f, x, w, s: stored(x.iloc, 0, s),
    "Series": lambda pd, f, x, w, s: pd.Series(w),
    "DataFrame": lambda pd, f, x, w, s: pd.DataFrame({"a": w}),
    "DataFrame of a matrix": lambda pd, f, x, w, s: pd.DataFrame(w[None]),
    "where": lambda pd, f, x, w, s: x.where(x > 1, w),
    "clip": lambda pd, f, x, w, s: x.clip(w),
}


def arguments(requires_grad):
    w = tg.tensor([0.5, 2.0], dtype=tg.float64, requires_grad=requires_grad)
    return np.ones((3, 2)), np.ones(3), w, w[0]


@pytest.mark.parametrize("name", LOSSES_IN_NUMPY)
def test_numpy_never_takes_a_gradient_away_unasked(name):
    """With a gradient TypeError (numpy wraps it where an element is stored); without, plain numbers."""
    function = LOSSES_IN_NUMPY[name]
    matrix, vector, w, s = arguments(True)
    with pytest.raises((TypeError, ValueError)) as caught:
        function(matrix, vector, w, s)
    words = f"{caught.value} {caught.value.__cause__}"
    assert "gradient" in words or "has no derivative here" in words
    assert "detach" in words or "t.numpy()" in words
    assert (matrix == 1).all()
    assert (vector == 1).all()
    assert w.detach().tolist() == [0.5, 2.0]
    if "=" not in name and "out" not in name and name != "append":
        function(*arguments(False))
        with tg.no_grad():
            function(*arguments(True))


@pytest.mark.parametrize("name", LOSSES_IN_PANDAS)
def test_pandas_never_takes_a_gradient_away_unasked(name):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")

    def run(requires_grad):
        frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
        _, _, w, s = arguments(requires_grad)
        return LOSSES_IN_PANDAS[name](pandas, frame, frame["a"].copy(), w, s)

    with pytest.raises((TypeError, ValueError)) as caught:
        run(True)
    assert "the gradient would be lost" in f"{caught.value} {caught.value.__cause__}"
    run(False)


def test_values_that_numpy_may_have_are_the_right_ones():
    matrix, vector, w, s = arguments(False)
    with pytest.raises(ValueError, match="single item"):  # all that numpy says of it
        matrix.flat[0] = arguments(True)[3]
    matrix[0], matrix[1, 1], vector[1] = w, s, w[1]
    assert matrix.tolist() == [[0.5, 2.0], [1.0, 0.5], [1.0, 1.0]]
    assert vector.tolist() == [1.0, 2.0, 1.0]
    assert np.mean([s, w[1]]) == 1.25
    grown = tg.tensor([0.5, 2.0], dtype=tg.float64, requires_grad=True)
    matrix[0] = grown.detach()
    vector[0] = grown[0].item()
    vector[1] = float(grown[1])
    assert [round(float(x), 1) for x in grown] == [0.5, 2.0]
    assert {float(grown[0]): 1} == {0.5: 1}
    assert grown.numpy().tolist() == np.asarray(grown.detach()).tolist() == [0.5, 2.0]
    assert f"{grown[0]:.1f} {int(grown[1])} {math.sqrt(grown[1] * 2)}" == "0.5 2 2.0"


def test_an_array_inside_a_series_of_tensors_keeps_the_tensors():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    w = tg.tensor([0.5, 2.0], dtype=tg.float64, requires_grad=True)
    if OLD:  # its arrays of objects ask each object for an array, which is refused
        with pytest.raises(TypeError, match="the gradient would be lost"):
            pandas.Series([w[0], w[1]])
        return
    total = sum(pandas.Series([w[0], w[1]]) * 3.0)
    assert isinstance(total, tg.Tensor)
    total.backward()
    assert w.grad.tolist() == [3.0, 3.0]


# ---- pandas and lists where arrays are ------------------------------------------------------------


@pytest.mark.parametrize(
    "operation", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
)
def test_pandas_on_the_left_keeps_the_gradient(operation):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    series, frame = pandas.Series([1.0, 2.0]), pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    for left in (series, frame):
        w = tg.full(left.shape, 0.5, dtype=tg.float64, requires_grad=True)
        y = operation(left, w)
        assert isinstance(y, tg.Tensor)
        y.sum().backward()
        same = tg.full(left.shape, 0.5, dtype=tg.float64, requires_grad=True)
        operation(tg.tensor(left.to_numpy()), same).sum().backward()
        assert w.grad.tolist() == same.grad.tolist()


def test_pandas_and_lists_are_accepted_where_arrays_are():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.5]})
    series, labels = frame["a"], pandas.Series([0, 1, 1])
    assert tg.tensor(frame).dtype == tg.tensor(series).dtype == np.float64
    assert tg.tensor(labels).dtype == np.int64
    for x in (frame, frame.to_numpy(), frame.to_numpy().tolist()):
        assert tg.nn.LSTM(2, 4)(x)[0].shape == (3, 4)
        assert tg.nn.Linear(2, 1)(x).shape == (3, 1)
        assert tg.nn.functional.cross_entropy(x, labels).shape == ()
        assert tg.cat([x, x]).shape == (6, 2)
        assert next(iter(tg.DataLoader((np.asarray(x), labels), 2)))[0].shape == (2, 2)
    assert tg.nn.functional.mse_loss(series, series).item() == 0
    assert tg.nn.GRU(2, 3)(np.ones((4, 3, 2)), lengths=labels)[0].shape == (4, 3, 3)
    assert tg.nn.Embedding(2, 3)(labels).shape == (3, 3)
    assert tg.arange(3)[series > 1].tolist() == [1, 2]
    assert tg.utils.data.TensorDataset(frame, labels)[2][1].item() == 1
    for odd in (pandas.Series(["x", "y"]), pandas.Series(["x"], dtype="category")):
        with pytest.raises(TypeError, match="cannot make a tensor of Series"):
            tg.tensor(odd)


def test_asarray_is_a_view_that_cannot_be_written():
    t = tg.ones(3)
    view = np.asarray(t)
    assert np.shares_memory(view, t.numpy())
    assert not view.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 2


def test_the_docs_list_every_function_and_every_other_is_an_error_that_says_what_to_call():
    page = (Path(__file__).parent.parent / "docs" / "guides" / "names.md").read_text(
        encoding="utf-8"
    )
    known = {f.__name__ for f in (*numpy_names.UFUNCS, *numpy_names.FUNCTIONS)}
    for name in known | {f.__name__ for f in (*numpy_names._COMPARISONS, *numpy_names._PLAIN)}:
        assert re.search(rf"\b{name}\b", page), name
    t = tg.ones(2, 2, requires_grad=True)
    others = (
        np.median,
        np.cov,
        np.diff,
        np.trace,
        np.linalg.inv,
        np.linalg.svd,
        np.sinh,
        np.arctan,
    )
    for function in others:
        with pytest.raises(
            TypeError, match=r"has no derivative here: use the tensor's own methods"
        ):
            function(t)
