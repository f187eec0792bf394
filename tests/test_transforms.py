"""Derivatives of functions: values against closed forms and complex steps, nesting, order, recording."""

from __future__ import annotations

import numpy as np
import pytest
from support import assert_close, complex_gradient, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn

f64 = tg.float64


def t(shape, seed=0, **kwargs):
    return tg.tensor(numbers(shape, seed), dtype=f64, **kwargs)


def rnn_loss(p, x):
    h = tg.zeros(p["w"].shape[0], dtype=f64)
    for x_t in tg.steps(x):
        h = (p["w"] @ h + p["u"] @ x_t).tanh()
    return (h * h).sum()


def rnn_numpy(w, u, x):
    h = np.zeros(w.shape[0])
    for x_t in x:
        h = np.tanh(w @ h + u @ x_t)
    return (h * h).sum()


def test_grad_of_a_nest_is_the_complex_steps():
    p = {"w": t((3, 3), 1), "u": t((3, 2), 2)}
    x = t((5, 2), 3)
    got, gx = tg.func.grad(rnn_loss, argnums=(0, 1))(p, x)
    w, u, gx_expected = complex_gradient(rnn_numpy, [p["w"].numpy(), p["u"].numpy(), x.numpy()])
    assert_close(got["w"], w, 1e-13)
    assert_close(got["u"], u, 1e-13)
    assert_close(gx, gx_expected, 1e-13)
    assert not got["w"].requires_grad


def test_value_and_aux():
    def f(x):
        return (x * x).sum(), {"twice": x * 2, "n": 3}

    (value, aux), g = tg.func.value_and_grad(f, has_aux=True)(t(3))
    assert aux["n"] == 3
    assert not aux["twice"].requires_grad
    assert not value.requires_grad
    g2, _ = tg.func.grad(f, has_aux=True)(t(3))
    assert_close(g, g2, 0)


def test_unused_inputs_give_zeros():
    g = tg.func.grad(lambda a, b: a.sum(), argnums=(0, 1))(t(2), t((3, 1)))
    assert g[1].shape == (3, 1)
    assert not g[1].numpy().any()
    assert tg.func.grad(lambda a: tg.tensor(1.0))(t(2)).numpy().tolist() == [0, 0]
    _, s = tg.func.jvp(lambda a: tg.ones(3), (t(2),), (t(2),))
    assert s.numpy().tolist() == [0, 0, 0]
    j = tg.func.jacobian(lambda a: tg.ones(3))(t(2))
    assert j.shape == (3, 2)
    assert not j.numpy().any()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_any_order(order):
    f = tg.tanh
    for _ in range(order):
        f = tg.func.grad(f)
    y = np.tanh(0.3)
    expected = [
        1 - y**2,
        -2 * y * (1 - y**2),
        (1 - y**2) * (6 * y**2 - 2),
        (1 - y**2) * (16 * y - 24 * y**3),
    ][order - 1]
    assert_close(f(tg.tensor(0.3, dtype=f64)), expected, 1e-13)


UNARY = {
    "tanh": tg.tanh,
    "sigmoid": tg.sigmoid,
    "exp": tg.exp,
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1),
    "square": lambda x: x * x,
    "getitem": lambda x: x[[0, 0, 1]],
    "chunk": lambda x: x.chunk(2, -1)[1] * x.chunk(2, -1)[0],
    "relu": tg.relu,
    "matmul": lambda x: x @ x.T,
}


@pytest.mark.parametrize("name", UNARY)
def test_jvp_is_the_jacobian_times_v(name):
    f, x, v = UNARY[name], t((3, 4), 5), t((3, 4), 6)
    y, s = tg.func.jvp(f, (x,), (v,))
    jac = tg.func.jacobian(f)(x).numpy()
    assert_close(s, np.tensordot(jac, v.numpy(), 2), 1e-13)
    _, pull = tg.func.vjp(f, x)
    u = t(y.shape, 7)
    assert_close(pull(u)[0], np.tensordot(u.numpy(), jac, y.ndim), 1e-13)
    h = 1e-5
    central = (f(x + h * v).numpy() - f(x - h * v).numpy()) / (2 * h)
    assert_close(s, central, 1e-8)


def test_hessian_and_hvp():
    def f(x, y):
        return (
            (x.tanh() * y.exp()).sum() + (x.sum() * y).prod
            if False
            else ((x.tanh() * y.exp()).sum() + x.sum() ** 3)
        )

    x, y = t(3, 1), t(3, 2)
    (xx, xy), (yx, yy) = tg.func.hessian(f, (0, 1))(x, y)
    assert xx.shape == xy.shape == (3, 3)
    assert_close(xy, yx.numpy().T, 1e-13)
    v, w = t(3, 3), t(3, 4)
    value, (hx, hy) = tg.func.hvp(f, (x, y), (v, w))
    assert_close(value, f(x, y).numpy(), 0)
    assert_close(hx, xx.numpy() @ v.numpy() + xy.numpy() @ w.numpy(), 1e-13)
    assert_close(hy, yx.numpy() @ v.numpy() + yy.numpy() @ w.numpy(), 1e-13)
    forward_over_reverse = tg.func.jvp(tg.func.grad(f, (0, 1)), (x, y), (v, w))[1]
    assert_close(forward_over_reverse[0], hx.numpy(), 1e-13)


def test_jvp_of_jvp():
    def once(x):
        return tg.func.jvp(tg.sigmoid, (x,), (tg.ones(2, dtype=f64),))[1]

    x = t(2)
    _, second = tg.func.jvp(once, (x,), (tg.ones(2, dtype=f64),))
    y = x.sigmoid().numpy()
    assert_close(second, y * (1 - y) * (1 - 2 * y), 1e-13)


def test_closed_over_parameters_are_reached():
    layer = nn.Linear(2, 1).to(f64)
    x = t(2)
    g = tg.func.grad(lambda x: layer(x).tanh().sum())(x)
    assert g.requires_grad
    (g * g).sum().backward()
    w = layer.weight
    y = np.tanh(w.numpy() @ x.numpy() + layer.bias.numpy())
    s = (1 - y**2)[0]
    by_w = 2 * s * s * w.numpy() + (w.numpy() ** 2).sum() * 2 * s * (-2 * y[0] * s) * x.numpy()
    assert_close(w.grad, by_w, 1e-12)


def test_the_argument_is_told_from_the_closure():
    x = t(2, requires_grad=True)
    g = tg.func.grad(lambda a: (a * x).sum())(x)
    assert_close(g, x.numpy(), 0)
    g.sum().backward()
    assert_close(x.grad, np.ones(2), 0)


def test_no_grad_around_and_inside():
    with tg.no_grad():
        g = tg.func.grad(lambda a: (a * a).sum())(t(2, requires_grad=True))
    assert not g.requires_grad

    def f(a):
        with tg.no_grad():
            shift = a.max()
        return (a - shift).exp().sum()

    x = t(3)
    assert_close(tg.func.grad(f)(x), np.exp(x.numpy() - x.numpy().max()), 1e-13)


def test_layers_and_nested_outputs():
    lstm = nn.LSTM(2, 3).to(f64)
    x = t((4, 1, 2))
    (y, (h, c)), pull = tg.func.vjp(lstm, x)
    zero = tg.zeros_like
    (gx,) = pull((tg.ones_like(y), (zero(h), zero(c))))
    x2 = x.detach().requires_grad_()
    lstm(x2)[0].sum().backward()
    assert_close(gx, x2.grad.numpy(), 1e-13)


def test_errors_say_what_came():
    with pytest.raises(ValueError, match="0-d Tensor, and returned \\(2,\\)"):
        tg.func.grad(lambda x: x)(t(2))
    with pytest.raises(TypeError, match=r"argument 0\['w'\] is float, expected a Tensor"):
        tg.func.grad(lambda p: p["w"])({"w": 1.0})
    with pytest.raises(TypeError, match="holds int64, expected floats"):
        tg.func.grad(lambda x: x)(tg.tensor(1))
    with pytest.raises(ValueError, match="argnums 3, and the function was given 1"):
        tg.func.grad(lambda x: x, argnums=3)(t(()))
    with pytest.raises(ValueError, match=r"tangents\[0\]: shape \(3,\) came"):
        tg.func.jvp(lambda x: x, (t(2),), (t(3),))
    with pytest.raises(TypeError, match="primals must be a tuple"):
        tg.func.jvp(lambda x: x, t(2), t(2))
    with pytest.raises(ValueError, match="2 came, expected 1"):
        tg.func.vjp(lambda x: x, t(2))[1]((t(2), t(2)))
    with pytest.raises(TypeError, match="returned float"):
        tg.func.jacobian(lambda x: 1.0)(t(2))
    with pytest.raises(TypeError, match=r"return \(output, anything\)"):
        tg.func.grad(lambda x: x.sum(), has_aux=True)(t(2))
