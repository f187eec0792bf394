"""Derivatives of derivatives through parts of tensors, 0-d values and layers: orders 1 to 3.

The right values come from the complex step on plain numpy (first order) and from central differences,
extrapolated, of that (second and third); nothing of the package takes part in them.
"""

import numpy as np
import pytest
from support import along, assert_each_close, complex_gradient, numbers, weights

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.engine.values import reachable


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def tangled(x, y):
    return np.exp(x * y) * x + np.sin(x) * y * y + y / (2 + x * x) + np.tanh(x - y) * x


# each takes a vector of four apart; the same function on Tensors (t) and on arrays (for numpy alone)
TAKEN_APART = {
    "unpacked": lambda v: list(v),
    "unbind": lambda v: v.unbind(0) if isinstance(v, tg.Tensor) else list(v),
    "index": lambda v: [v[0], v[1], v[2], v[-1]],
    "iterated": lambda v: [part * 1 for part in v],
    "split and squeezed": lambda v: [p.reshape(()) for p in np.split(v, 4)],
    "chunks": lambda v: [
        part[k]
        for part in (v.chunk(2) if isinstance(v, tg.Tensor) else np.split(v, 2))
        for k in (0, 1)
    ],
    "slices": lambda v: [v[k : k + 1].sum() for k in range(4)],
    "reshaped rows": lambda v: [part for row in v.reshape((2, 2)) for part in row],
    "columns": lambda v: [row[k] for k in (0, 1) for row in v.reshape((2, 2))],
    "items of a stack": lambda v: list(np.stack([v[3], v[2], v[1], v[0]])),
    "of a concatenation": lambda v: list(np.concatenate([v[2:], v[:2]]) * np.ones(4)),
    "einsum": lambda v: [np.einsum("i,i->", v, np.eye(4)[k]) for k in range(4)],
    "outer diagonal": lambda v: list(np.einsum("ii->i", np.outer(v, np.ones(4)))),
    "unpacked twice": lambda v: [a + b - a for a, b in zip(list(v), list(v), strict=True)],
    "advanced index": lambda v: list(v[np.array([1, 0, 3, 2])]),
    "last kept axis": lambda v: [part.sum() for part in v.reshape((4, 1))],
}
TOGETHER = {
    "rosenbrock": lambda a, b, c, d: rosenbrock(a, b) + rosenbrock(c, d) * a,
    "tangled": lambda a, b, c, d: tangled(a, c) + tangled(d, b) * tangled(b, a),
    "one of them": lambda a, b, c, d: a * a * a * c,
    "stacked again": lambda a, b, c, d: (
        np.stack([a * b, c, d * d]) ** 3 * np.stack([d, a, b])
    ).sum(),
    "through reductions": lambda a, b, c, d: (
        np.prod(np.stack([a, b, c])) * d + np.mean(np.stack([a * d, b * b])) ** 2
    ),
    "powers": lambda a, b, c, d: (2 + a * a) ** b + c**3 * d + (1 + c * c) ** -0.5,
    "quotients": lambda a, b, c, d: a / (2 + b * b) / (2 + c) + np.sqrt(3 + d * a),
    "products": lambda a, b, c, d: np.stack([a, b]) @ np.stack([c * a, d]) * np.dot(a, b),
    "logs": lambda a, b, c, d: np.log(4 + a * b) * c + np.log1p(d * d) * np.expm1(b),
}
V = np.array([0.31, -0.72, 0.55, 0.93])
FUNCTIONS = {
    f"{apart}; {together}": (lambda v, take=take, join=join: join(*take(v)))
    for apart, take in TAKEN_APART.items()
    for together, join in TOGETHER.items()
}


def gradient_of(function):
    return lambda arrays: complex_gradient(function, arrays)


def true_hessian(function, v):
    return np.stack([along(gradient_of(function), [v], [e])[0] for e in np.eye(v.size)])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_hessian_by_every_route(name):
    function = FUNCTIONS[name]
    first, second = gradient_of(function)([V])[0], true_hessian(function, V)
    v = tg.tensor(V)
    assert_each_close(tg.func.grad(function)(v), first, 1e-11, "grad")
    assert_each_close(tg.func.hessian(function)(v), second, 1e-7, "hessian", 1e-3)
    d = weights(4)
    value, product = tg.func.hvp(function, v, tg.tensor(d))
    assert_each_close(value, np.real(function(V)), 1e-13, "hvp's value")
    assert_each_close(product, second @ d, 1e-7, "hvp", 1e-3)
    slopes, pushed = tg.func.jvp(tg.func.grad(function), (v,), (tg.tensor(d),))
    assert_each_close(slopes, first, 1e-11, "the gradient in jvp")
    assert_each_close(pushed, second @ d, 1e-7, "jvp of grad", 1e-3)
    _, pull = tg.func.vjp(tg.func.grad(function), v)
    assert_each_close(pull(tg.tensor(d))[0], second @ d, 1e-7, "vjp of grad", 1e-3)

    leaf = tg.tensor(V, requires_grad=True)
    (g,) = tg.grad(function(leaf), leaf, create_graph=True)
    rows = [tg.grad(part, leaf)[0].numpy() for part in g]
    assert_each_close(np.stack(rows), second, 1e-7, "tg.grad twice", 1e-3)
    function(leaf).backward(create_graph=True)
    (leaf.grad * tg.tensor(d)).sum().backward()
    assert_each_close(leaf.grad.detach(), first + second @ d, 1e-7, "backward twice", 1e-3)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if "tangled" in n or "powers" in n])
def test_the_third_order(name):
    function = FUNCTIONS[name]

    def along_twice(arrays):
        return along(gradient_of(function), arrays, [weights(4, 3)])

    expected = along(along_twice, [V], [weights(4, 5)], 3e-3)[0]
    a, b = tg.tensor(weights(4, 3)), tg.tensor(weights(4, 5))
    slope = tg.func.grad(function)

    def second(v):
        return tg.func.grad(lambda u: (slope(u) * a).sum())(v)

    third = tg.func.grad(lambda u: (second(u) * b).sum())(tg.tensor(V))
    assert_each_close(third, expected, 2e-5, "third order", 1e-2)


# ---- 0-d Parameters, as they are after a step, a load, a copy ------------------------------------

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.1, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.1, momentum=0.5),
}


@pytest.mark.parametrize("dtype", [tg.float64, tg.float32], ids=str)
@pytest.mark.parametrize("name", [*OPTIMIZERS, "LBFGS", "+=", "copy_", "data ="])
def test_second_derivatives_of_a_scalar_parameter_that_was_written(name, dtype):
    w = nn.Parameter(tg.tensor(0.4, dtype=dtype))
    b = nn.Parameter(tg.tensor([0.2], dtype=dtype))

    def loss():
        return (w * w * w + tg.exp(w * 0.5) * b.sum() + w**2 * b[0]) * 1.5

    if name in OPTIMIZERS or name == "LBFGS":
        step = optim.LBFGS([w, b], max_iter=2) if name == "LBFGS" else OPTIMIZERS[name]([w, b])

        def closure():
            step.zero_grad()
            value = loss()
            value.backward()
            return value

        for _ in range(3):
            step.step(closure)
        w.grad = b.grad = None
    else:
        with tg.no_grad():
            if name == "+=":
                w += 0.5
            elif name == "copy_":
                w.copy_(np.float64(0.25))
            else:
                w.data = tg.tensor(0.75)
    assert type(w._data) is type(b._data) is np.ndarray
    first, mixed = tg.grad(loss(), [w, b], create_graph=True)
    x, y = w.item(), b.item()
    tol = 1e-13 if dtype == tg.float64 else 1e-5
    slope = 1.5 * (3 * x * x + 0.5 * np.exp(x / 2) * y + 2 * x * y)
    assert_each_close(first.detach(), slope, tol)
    assert_each_close(mixed.detach(), [1.5 * (np.exp(x / 2) + x * x)], tol)
    by_w, by_b = tg.grad(first, [w, b])
    assert_each_close(by_w, 1.5 * (6 * x + 0.25 * np.exp(x / 2) * y + 2 * y), tol)
    assert_each_close(by_b, [1.5 * (0.5 * np.exp(x / 2) + 2 * x)], tol)
    first.backward()
    assert_each_close(w.grad, by_w, tol)


# ---- every value, everywhere, is an array ---------------------------------------------------------


def arrays_of_a_graph(tensors):
    for node in reachable([t._node for t in tensors if t._node is not None]):
        yield f"{node.op} keeps its output", getattr(node, "out", None)
        saved = getattr(node, "saved", ()) or ()
        for value in saved[: len(node.parents)]:
            yield f"{node.op} keeps an operand", value


def only_arrays(tensors, what):
    for t in tensors:
        if t is not None:
            assert type(t._data) is np.ndarray, f"{what}: {type(t._data)}"
            assert t.numpy().shape == t.shape
    for where, value in arrays_of_a_graph([t for t in tensors if t is not None]):
        assert not isinstance(value, np.generic), f"{what}: {where} as {type(value)}"


class Leaky(nn.Module):
    """A cell with a learned leak, a number, and a state taken in two parts."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(tg.tensor(numbers((4, 4), 4), dtype=tg.float64))
        self.leak = nn.Parameter(tg.tensor(0.3, dtype=tg.float64))

    def initial_state(self, batch):
        return tg.zeros(batch, 4, dtype=tg.float64)

    def forward(self, x, h):
        a, b = h.chunk(2, -1)
        h = self.leak * h + tg.tanh((tg.cat([x, x], -1) + tg.cat([b, a], -1)) @ self.weight)
        return h, h


LAYERS = {
    "LSTM": lambda: nn.LSTM(2, 3),
    "GRU, both ways": lambda: nn.GRU(2, 2, bidirectional=True),
    "a cell of one's own": lambda: nn.Recurrent(Leaky()),
}


@pytest.mark.parametrize("name", LAYERS)
def test_hessians_through_layers_are_differences_of_gradients(name):
    tg.manual_seed(3)
    layer = LAYERS[name]().to(tg.float64)
    x = tg.tensor(numbers((3, 2, 2), 7))
    names, parameters = zip(*layer.named_parameters(), strict=True)
    start = [p.detach().numpy().copy() for p in parameters]
    d = [weights(p.shape, 20 + k) for k, p in enumerate(parameters)]

    def loss():
        y, _ = layer(x)
        first, *_, last = y
        return (first * last).sum() + (y[1] ** 3).mean()

    def slopes(arrays):
        with tg.no_grad():
            for p, a in zip(parameters, arrays, strict=True):
                p.copy_(a)
        return [g.numpy() for g in tg.grad(loss(), parameters)]

    expected = along(slopes, start, d)
    slopes(start)
    first = tg.grad(loss(), parameters, create_graph=True)
    only_arrays(first, name)
    product = sum((g * tg.tensor(v)).sum() for g, v in zip(first, d, strict=True))
    for g, e, which in zip(tg.grad(product, parameters), expected, names, strict=True):
        assert_each_close(g, e, 1e-7, f"{name}: {which}", 1e-3)
