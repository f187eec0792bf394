"""``autograd.backward`` and ``autograd.functional``: every argument does what it says, by hand."""

import numpy as np
import pytest

import tinygrad_rnn as tg

X, V = np.array([0.5, -1.0, 2.0]), np.array([0.1, 0.2, -0.4])
F = tg.autograd.functional


def leaf(values=X):
    return tg.tensor(values, requires_grad=True)


def near(found, expected):
    np.testing.assert_allclose(found.detach().numpy(), expected, 1e-12, 1e-15)


def test_backward_gives_to_the_inputs_alone():
    x, w, u = leaf(), leaf(V), leaf()
    tg.autograd.backward((x * w).sum(), inputs=[x, u])
    near(x.grad, V)
    assert w.grad is None
    assert u.grad is None
    tg.autograd.backward((x * w).sum(), inputs=x)
    near(x.grad, 2 * V)


def test_backward_records_what_it_gives_where_it_is_asked_to():
    for inputs in (False, True):
        x = leaf()
        tg.autograd.backward(
            [(x**3).sum(), x * 2],
            [None, V],
            create_graph=True,
            **({"inputs": [x]} if inputs else {}),
        )
        first = x.grad
        near(first, 3 * X**2 + 2 * V)
        (second,) = tg.grad(first.sum(), x)
        near(second, 6 * X)
        assert not tg.is_tensor(tg.autograd.backward((x * 1).sum()))


CUBES = {  # value of the call with the function v -> v**3 (or its sum), at X
    "jacobian": (lambda f, x, **k: F.jacobian(f, x, **k), False, np.diag(3 * X**2)),
    "hessian": (lambda f, x, **k: F.hessian(f, x, **k), True, np.diag(6 * X)),
    "vjp": (lambda f, x, **k: F.vjp(f, x, tg.tensor(V), **k)[1], False, 3 * X**2 * V),
    "vjp of a number": (lambda f, x, **k: F.vjp(f, x, **k)[1], True, 3 * X**2),
    "jvp": (lambda f, x, **k: F.jvp(f, x, tg.tensor(V), **k)[1], False, 3 * X**2 * V),
    "hvp": (lambda f, x, **k: F.hvp(f, x, tg.tensor(V), **k)[1], True, 6 * X * V),
    "vhp": (lambda f, x, **k: F.vhp(f, x, tg.tensor(V), **k)[1], True, 6 * X * V),
}


@pytest.mark.parametrize("name", CUBES)
def test_what_is_given_is_detached_unless_a_graph_is_asked_for(name):
    call, scalar, expected = CUBES[name]
    x = leaf()

    def cube(v):
        return (v**3).sum() if scalar else v**3

    plain = call(cube, x)
    near(plain, expected)
    assert not plain.requires_grad
    assert not tg.is_tensor(x.grad)
    recorded = call(cube, x, create_graph=True)
    near(recorded, expected)
    (further,) = tg.grad(recorded.sum(), x)
    step = 1e-6
    moved = [call(cube, leaf(X + sign * step)).numpy().sum() for sign in (1, -1)]
    np.testing.assert_allclose(further.numpy().sum(), (moved[0] - moved[1]) / 2 / step, 1e-6)


def test_several_inputs_and_outputs():
    x, w = tg.tensor(X), tg.tensor(V)
    (by_x, by_w), (sum_by_x, sum_by_w) = F.jacobian(lambda a, b: (a * b, a.sum()), (x, w))
    for found, expected in (
        (by_x, np.diag(V)),
        (by_w, np.diag(X)),
        (sum_by_x, [1] * 3),
        (sum_by_w, [0] * 3),
    ):
        near(found, expected)
    outputs, (to_x, to_w) = F.vjp(lambda a, b: (a * b, a + b), (x, w), (w, x))
    near(outputs[0], X * V)
    near(to_x, V * V + X)
    near(to_w, X * V + X)
    _, pushed = F.jvp(lambda a, b: a * b, (x, w), (w, x))
    near(pushed, V * V + X * X)
    with pytest.raises(RuntimeError, match="left out"):
        F.vjp(lambda a: a * 2, x)
