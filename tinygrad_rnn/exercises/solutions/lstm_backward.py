"""LSTM backward: the gradient through gates, c and h, step by step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def lstm_step_backward(
    dh: Array, dc: Array, i: Array, f: Array, g: Array, o: Array, c_prev: Array, c: Array
) -> tuple[Array, Array]:
    """The backward pass of one step c = f c_prev + i g, h = o tanh(c), up to the sums before the gates.

    dh (N, H) is the gradient by h; dc (N, H) the one that arrives at c from step t + 1 (what comes through h
    is yours to add). i, f, g, o (N, H) are the gates after sigmoid and tanh. Return da (N, 4H), the gradient
    by the sums before the gates, in the order i, f, g, o; and dc_prev (N, H).
    """
    tanh_c = np.tanh(c)
    dc_t = dc + dh * o * (1 - tanh_c * tanh_c)
    da_i = dc_t * g * (i * (1 - i))
    da_f = dc_t * c_prev * (f * (1 - f))
    da_g = dc_t * i * (1 - g * g)
    da_o = dh * tanh_c * (o * (1 - o))
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    dc_prev = dc_t * f
    return da, dc_prev


def lstm_backward(
    dhs: Array,
    x: Array,
    h0: Array,
    c0: Array,
    hs: Array,
    cs: Array,
    gates: Array,
    W_ih: Array,
    W_hh: Array,
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Backpropagation through all T steps, the last one first.

    dhs (T, N, H): dhs[t] is what the loss of step t alone adds to the gradient of h_t. x (T, N, I), h0 and
    c0 (N, H), hs and cs (T, N, H), gates (T, N, 4H): i, f, g, o after sigmoid and tanh. Return dx (T, N, I),
    dh0 and dc0 (N, H), dW_ih (4H, I), dW_hh (4H, H), db (4H,).
    """
    T = len(x)
    dx, dW_ih, dW_hh = np.zeros(x.shape), np.zeros(W_ih.shape), np.zeros(W_hh.shape)
    db, dh_next, dc_next = np.zeros(len(W_hh)), np.zeros(h0.shape), np.zeros(c0.shape)
    for t in reversed(range(T)):
        h_prev = hs[t - 1] if t > 0 else h0
        c_prev = cs[t - 1] if t > 0 else c0
        i, f, g, o = np.split(gates[t], 4, axis=1)
        dh = dhs[t] + dh_next
        da, dc_next = lstm_step_backward(dh, dc_next, i, f, g, o, c_prev, cs[t])
        dx[t] = da @ W_ih
        dh_next = da @ W_hh
        dW_ih += da.T @ x[t]
        dW_hh += da.T @ h_prev
        db += da.sum(axis=0)
    return dx, dh_next, dc_next, dW_ih, dW_hh, db
