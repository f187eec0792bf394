"""The same answers written out: no function is called for a step, as many people write them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .lstm import sigmoid
from .rnn import rnn_forward

Array = NDArray[np.float64]


def rnn_backward(
    dhs: Array, x: Array, h0: Array, hs: Array, W_ih: Array, W_hh: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """``bptt.rnn_backward`` in one loop."""
    T = len(x)
    dx, dW_ih, dW_hh = np.zeros(x.shape), np.zeros(W_ih.shape), np.zeros(W_hh.shape)
    db, dh_next = np.zeros(len(W_hh)), np.zeros(h0.shape)
    for t in reversed(range(T)):
        h_prev = hs[t - 1] if t > 0 else h0
        dh = dhs[t] + dh_next
        da = dh * (1 - hs[t] * hs[t])
        dx[t] = da @ W_ih
        dW_ih += da.T @ x[t]
        dW_hh += da.T @ h_prev
        db += da.sum(axis=0)
        dh_next = da @ W_hh
    return dx, dh_next, dW_ih, dW_hh, db


def rnn_tbptt(
    dhs: Array, x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array, k: int
) -> tuple[Array, Array, Array, Array]:
    """``tbptt.rnn_tbptt`` as one backward loop that hands nothing over the border of a chunk."""
    T = len(x)
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    dW_ih, dW_hh, db = np.zeros(W_ih.shape), np.zeros(W_hh.shape), np.zeros(b.shape)
    dh_next = np.zeros(h0.shape)
    for t in reversed(range(T)):
        h_prev = hs[t - 1] if t > 0 else h0
        dh = dhs[t] + dh_next
        da = dh * (1 - hs[t] * hs[t])
        dW_ih += da.T @ x[t]
        dW_hh += da.T @ h_prev
        db += da.sum(axis=0)
        dh_next = da @ W_hh if t % k != 0 else np.zeros(h0.shape)
    return hs, dW_ih, dW_hh, db


def lstm_forward(
    x: Array, h0: Array, c0: Array, W_ih: Array, W_hh: Array, b: Array
) -> tuple[Array, Array]:
    """``lstm.lstm_forward`` in one loop."""
    T, N, _ = x.shape
    hs = np.zeros((T, N, h0.shape[1]))
    cs = np.zeros((T, N, h0.shape[1]))
    for t in range(T):
        h_prev = hs[t - 1] if t > 0 else h0
        c_prev = cs[t - 1] if t > 0 else c0
        a = x[t] @ W_ih.T + h_prev @ W_hh.T + b
        a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
        i = sigmoid(a_i)
        f = sigmoid(a_f)
        g = np.tanh(a_g)
        o = sigmoid(a_o)
        c = f * c_prev + i * g
        h = o * np.tanh(c)
        hs[t] = h
        cs[t] = c
    return hs, cs


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
    """``lstm_backward.lstm_backward`` in one loop."""
    T = len(x)
    dx, dW_ih, dW_hh = np.zeros(x.shape), np.zeros(W_ih.shape), np.zeros(W_hh.shape)
    db, dh_next, dc_next = np.zeros(len(W_hh)), np.zeros(h0.shape), np.zeros(c0.shape)
    i, f, g, o = np.split(gates, 4, axis=2)
    for t in reversed(range(T)):
        h_prev = hs[t - 1] if t > 0 else h0
        c_prev = cs[t - 1] if t > 0 else c0
        tanh_c = np.tanh(cs[t])
        dh = dhs[t] + dh_next
        dc = dc_next + dh * o[t] * (1 - tanh_c * tanh_c)
        da_i = dc * g[t] * (i[t] * (1 - i[t]))
        da_f = dc * c_prev * (f[t] * (1 - f[t]))
        da_g = dc * i[t] * (1 - g[t] * g[t])
        da_o = dh * tanh_c * (o[t] * (1 - o[t]))
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
        dx[t] = da @ W_ih
        dW_ih += da.T @ x[t]
        dW_hh += da.T @ h_prev
        db += da.sum(axis=0)
        dh_next = da @ W_hh
        dc_next = dc * f[t]
    return dx, dh_next, dc_next, dW_ih, dW_hh, db


def clip_by_norm(grads: list[Array], max_norm: float) -> tuple[list[Array], float]:
    """``clipping.clip_by_norm`` over one vector of all entries."""
    vector = np.concatenate([g.ravel() for g in grads])
    norm = np.sqrt((vector * vector).sum())
    scale = max_norm / (norm + 1e-12) if norm > max_norm else 1.0
    clipped = [g * scale for g in grads]
    return clipped, norm
