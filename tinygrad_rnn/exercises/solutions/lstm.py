"""LSTM forward: four gates, a cell state and a hidden state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * a))


def lstm_step(
    x: Array, h_prev: Array, c_prev: Array, W_ih: Array, W_hh: Array, b: Array
) -> tuple[Array, Array]:
    """One time step. The rows of W_ih, W_hh and b hold the gates i, f, g, o in this order, H rows each.

    a = W_ih x_t + W_hh h_{t-1} + b;  i, f, o = sigmoid and g = tanh of their quarters of a;
    c_t = f c_{t-1} + i g;  h_t = o tanh(c_t).
    x (N, I), h_prev (N, H), c_prev (N, H), W_ih (4H, I), W_hh (4H, H), b (4H,). Return h, c, each (N, H).
    """
    a = x @ W_ih.T + h_prev @ W_hh.T + b
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    i = sigmoid(a_i)
    f = sigmoid(a_f)
    g = np.tanh(a_g)
    o = sigmoid(a_o)
    c = f * c_prev + i * g
    h = o * np.tanh(c)
    return h, c


def lstm_forward(
    x: Array, h0: Array, c0: Array, W_ih: Array, W_hh: Array, b: Array
) -> tuple[Array, Array]:
    """All T steps: the same weights at each of them; h and c go from step to step.

    x (T, N, I), h0 and c0 (N, H), weights as in ``lstm_step``. Return hs and cs, each (T, N, H).
    """
    T, N, _ = x.shape
    hs = np.zeros((T, N, h0.shape[1]))
    cs = np.zeros((T, N, h0.shape[1]))
    h = h0
    c = c0
    for t in range(T):
        h, c = lstm_step(x[t], h, c, W_ih, W_hh, b)
        hs[t] = h
        cs[t] = c
    return hs, cs
