"""Random expression graphs, shapes and indices against a derivative that is not ours.

Each program is drawn once and run twice: on Tensors, and on complex numpy arrays, whose complex step
is the derivative to compare with.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import along, assert_each_close, complex_gradient, numbers, weights

import tinygrad_rnn as tg

fast = settings(derandomize=True, deadline=None, max_examples=60, database=None)

# ---- random graphs -------------------------------------------------------------------------------

UNARY = {
    "tanh": (np.tanh, np.tanh),
    "neg": (np.negative, np.negative),
    "sigmoid": (tg.sigmoid, lambda a: 1 / (1 + np.exp(-a))),
    "square": (lambda a: a**2, lambda a: a**2),
    "half": (lambda a: 0.5 * a, lambda a: 0.5 * a),
    "over": (lambda a: 1 / (2 + a.tanh()), lambda a: 1 / (2 + np.tanh(a))),
    "softplus": (tg.nn.functional.softplus, lambda a: np.log(1 + np.exp(a))),
    "sum": (lambda a: a.sum(0, keepdim=True), lambda a: a.sum(0, keepdims=True)),
    "mean": (lambda a: a.mean(-1, keepdim=True), lambda a: a.mean(-1, keepdims=True)),
    "softmax": (lambda a: a.softmax(-1), lambda a: np.exp(a) / np.exp(a).sum(-1, keepdims=True)),
    "transpose": (lambda a: a.T, lambda a: a.T),
    "first": (lambda a: a[:1], lambda a: a[:1]),
    "last": (lambda a: a[..., -1:], lambda a: a[..., -1:]),
    "repeat": (lambda a: a[[0, -1, 0]], lambda a: a[[0, -1, 0]]),
    "flip": (lambda a: a.flip(0), lambda a: a[::-1]),
    "unbind": (
        lambda a: tg.stack([*a.unbind(1), a[:, 0]], 1),
        lambda a: np.concatenate([a, a[:, :1]], 1),
    ),
}
BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "gram": lambda a, b: (a.sum() * b).T @ b * 0.1,
    "outer": lambda a, b: a[:, :1] @ b[:1] * 0.5,
}
programs = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 10**6), st.integers(0, 10**6)),
    min_size=1,
    max_size=12,
)


def run(program, values, plain):
    """Each instruction takes earlier values and appends one; what does not broadcast is skipped."""
    values = list(values)
    for name, i, j in program:
        a, b = values[i % len(values)], values[j % len(values)]
        if name in UNARY:
            values.append(UNARY[name][plain](a))
        elif _fit(name, a, b):
            values.append(BINARY[name](a, b))
    return values


def _fit(name, a, b):
    if name in ("gram", "outer"):
        return True
    return all(p == q or 1 in (p, q) for p, q in zip(a.shape, b.shape, strict=True))


def total(values, convert=np.asarray):
    return sum((v * convert(weights(tuple(v.shape), k))).sum() for k, v in enumerate(values))


def inputs_of(rows, columns):
    return [numbers((rows, columns), 1), numbers((1, columns), 2), numbers((rows, 1), 3)]


@fast
@given(program=programs, rows=st.integers(1, 3), columns=st.integers(1, 3))
def test_random_graphs(program, rows, columns):
    arrays = inputs_of(rows, columns)
    leaves = [tg.tensor(a, requires_grad=True) for a in arrays]
    values = run(program, leaves, 0)
    loss = total(values, tg.tensor)
    loss.backward()
    plain = run(program, arrays, 1)
    for v, expected in zip(values, plain, strict=True):
        assert_each_close(v.detach(), expected, 1e-11)
    expected = complex_gradient(lambda *a: total(run(program, a, 1)), arrays)
    for leaf, other in zip(leaves, expected, strict=True):
        assert_each_close(leaf.grad, other, 1e-10, floor=1e-3)
    for leaf, again in zip(leaves, tg.grad(loss, leaves, create_graph=True), strict=True):
        assert_each_close(again.detach(), leaf.grad.numpy(), 1e-12, floor=1e-3)


@settings(fast, max_examples=25)
@given(program=programs)
def test_second_derivatives_of_random_graphs(program):
    arrays = inputs_of(2, 2)
    leaves = [tg.tensor(a, requires_grad=True) for a in arrays]
    v = [weights(a.shape, 70 + k) for k, a in enumerate(arrays)]
    first = tg.grad(total(run(program, leaves, 0), tg.tensor), leaves, create_graph=True)
    product = sum((g * tg.tensor(d)).sum() for g, d in zip(first, v, strict=True))
    expected = along(lambda a: complex_gradient(lambda *b: total(run(program, b, 1)), a), arrays, v)
    if not product.requires_grad:  # a linear program
        assert all(np.abs(e).max() < 1e-9 for e in expected)
        return
    second = tg.grad(product, leaves, allow_unused=True)
    for ours, other in zip(second, expected, strict=True):
        found = np.zeros(other.shape) if ours is None else ours.numpy()
        size = max(np.abs(other).max(), 1.0)
        np.testing.assert_allclose(found, other, rtol=1e-6, atol=1e-7 * size)


# ---- random shapes -------------------------------------------------------------------------------

shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3)


@fast
@given(pair=shapes, op=st.sampled_from(["add", "sub", "mul", "div", "maximum", "pow"]))
def test_random_broadcasting(pair, op):
    a, b = (np.abs(numbers(s, k)) + 0.3 + k for k, s in enumerate(pair.input_shapes))
    ufunc = {"div": np.divide, "pow": np.power, "sub": np.subtract, "mul": np.multiply}.get(op)
    ufunc = ufunc or getattr(np, op)
    leaves = [tg.tensor(t, requires_grad=True) for t in (a, b)]
    y = ufunc(*leaves)
    assert y.shape == pair.result_shape
    w = weights(y.shape)
    grads = tg.grad((y * tg.tensor(w)).sum(), leaves)
    expected = complex_gradient(
        lambda p, q: (ufunc(p, q) * w).sum(), [np.asarray(a), np.asarray(b)]
    )
    for ours, other in zip(grads, expected, strict=True):
        assert_each_close(ours, other, 1e-11)


@st.composite
def indexed(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    kind = draw(st.sampled_from(["basic", "integers", "mask", "mixed"]))
    if kind == "basic":
        return shape, draw(hnp.basic_indices(shape, allow_newaxis=True))
    if kind == "integers":
        return shape, draw(hnp.integer_array_indices(shape))
    if kind == "mask":
        return shape, draw(hnp.arrays(bool, shape))
    side = st.integers(-shape[0], shape[0] - 1)
    return shape, (draw(st.lists(side, min_size=1, max_size=4)), ...)


@settings(fast, max_examples=120)
@given(case=indexed())
def test_random_indexing(case):
    shape, index = case
    a = numbers(shape, 1)
    x = tg.tensor(a, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.detach().numpy(), a[index])
    w = weights(np.shape(a[index]))
    (y * y * tg.tensor(w)).sum().backward()
    expected = np.zeros(shape)
    np.add.at(expected, index, 2 * a[index] * w)
    assert_each_close(x.grad, expected, 1e-12)
    (g,) = tg.grad((x[index] ** 3).sum(), x, create_graph=True)
    (second,) = tg.grad(g.sum(), x)
    expected = np.zeros(shape)
    np.add.at(expected, index, 6 * a[index])
    assert_each_close(second, expected, 1e-12)


@fast
@given(case=indexed(), value=st.floats(-2, 2))
def test_random_functional_updates(case, value):
    shape, index = case
    a = numbers(shape, 1)
    x = tg.tensor(a, requires_grad=True)
    v = tg.tensor(np.float64(value), requires_grad=True)
    added = x.at[index].add(v)
    expected = a.copy()
    np.add.at(expected, index, value)
    np.testing.assert_allclose(added.detach().numpy(), expected, rtol=1e-15)
    w = weights(shape)
    (added * tg.tensor(w)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), w)
    assert v.grad.item() == pytest.approx(np.sum(w[index]), rel=1e-12, abs=1e-15)


@fast
@given(
    shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3),
    data=st.data(),
    op=st.sampled_from(["sum", "mean", "amax", "logsumexp"]),
)
def test_random_reductions(shape, data, op):
    axes = data.draw(st.sets(st.integers(-len(shape), len(shape) - 1)))
    axes = tuple({a % len(shape): a for a in axes}.values())
    keep = data.draw(st.booleans())
    count = np.prod([shape[i] for i in axes or range(len(shape))], dtype=int)
    if count == 0 and op in ("amax", "mean", "logsumexp"):
        return
    a = numbers(shape, 1)
    x = tg.tensor(a, requires_grad=True)
    y = getattr(x, op)(axes or None, keepdim=keep)
    numpys = {"logsumexp": lambda a, **k: np.log(np.exp(a).sum(**k))}.get(op) or getattr(np, op)
    expected = numpys(a, axis=axes or None, keepdims=keep)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-12)
    w = weights(y.shape)
    (g,) = tg.grad((y * tg.tensor(w)).sum(), x)
    (other,) = complex_gradient(
        lambda b: (numpys(b, axis=axes or None, keepdims=keep) * w).sum(), [a]
    )
    assert_each_close(g, other, 1e-11)


@fast
@given(
    sizes=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    lead=st.integers(1, 3),
    axis=st.integers(0, 1),
)
def test_split_and_cat_are_inverse(sizes, lead, axis):
    n = sum(sizes)
    shape = (n, lead) if axis == 0 else (lead, n)
    a = numbers(shape, 1)
    x = tg.tensor(a, requires_grad=True)
    parts = x.split(sizes, axis)
    y = tg.cat(parts, axis)
    np.testing.assert_array_equal(y.detach().numpy(), a)
    w = weights(shape)
    (y * tg.tensor(w)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), w)


@settings(fast, max_examples=15)
@given(
    kind=st.sampled_from(["RNN", "LSTM"]),
    steps=st.integers(1, 5),
    batch=st.integers(1, 3),
    layers=st.integers(1, 2),
    cut=st.integers(0, 5),
)
def test_random_layers_in_two_parts_are_the_whole(kind, steps, batch, layers, cut):
    layer = getattr(tg.nn, kind)(
        2, 3, num_layers=layers, generator=np.random.default_rng(0)
    ).double()
    x = tg.tensor(numbers((steps, batch, 2), 1), requires_grad=True)
    y, _ = layer(x)
    y.square().sum().backward()
    whole = [p.grad.numpy() for p in [x, *layer.parameters()]]
    layer.zero_grad()
    x.grad, state, loss = None, None, 0.0
    for part in (x[:cut], x[cut:]):
        if len(part):
            out, state = layer(part, state)
            loss = loss + out.square().sum()
    ledger = loss.backward(ledger=True)
    for p, g in zip([x, *layer.parameters()], whole, strict=True):
        assert_each_close(p.grad, g, 1e-10, floor=1e-3)
    for p in layer.parameters():
        assert len(ledger[p]) == steps
        np.testing.assert_allclose(ledger[p].sum(0), p.grad.numpy(), rtol=1e-9, atol=1e-14)
