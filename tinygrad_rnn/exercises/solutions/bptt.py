"""Backpropagation through time by hand, for a vanilla RNN."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def rnn_step_backward(
    dh: Array, x: Array, h_prev: Array, h: Array, W_ih: Array, W_hh: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """The backward pass of one step h = tanh(a), a = x W_ih^T + h_prev W_hh^T + b.

    dh (N, H) is the gradient of the loss by h; x (N, I), h_prev (N, H), h (N, H), W_ih (H, I), W_hh (H, H).
    Return the gradients dx (N, I), dh_prev (N, H), dW_ih (H, I), dW_hh (H, H), db (H,).
    """
    da = dh * (1 - h * h)
    dx = da @ W_ih
    dh_prev = da @ W_hh
    dW_ih = da.T @ x
    dW_hh = da.T @ h_prev
    db = da.sum(axis=0)
    return dx, dh_prev, dW_ih, dW_hh, db


def rnn_backward(
    dhs: Array, x: Array, h0: Array, hs: Array, W_ih: Array, W_hh: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Backpropagation through all T steps, the last one first.

    dhs (T, N, H): dhs[t] is what the loss of step t alone adds to the gradient of h_t. x (T, N, I),
    h0 (N, H), hs (T, N, H) from the forward pass. Return dx (T, N, I), dh0 (N, H), dW_ih, dW_hh, db.
    """
    T = len(x)
    dx, dW_ih, dW_hh = np.zeros(x.shape), np.zeros(W_ih.shape), np.zeros(W_hh.shape)
    db, dh_next = np.zeros(len(W_hh)), np.zeros(h0.shape)
    for t in reversed(range(T)):
        h_prev = hs[t - 1] if t > 0 else h0
        dh = dhs[t] + dh_next
        dx[t], dh_next, dW_ih_t, dW_hh_t, db_t = rnn_step_backward(
            dh, x[t], h_prev, hs[t], W_ih, W_hh
        )
        dW_ih += dW_ih_t
        dW_hh += dW_hh_t
        db += db_t
    return dx, dh_next, dW_ih, dW_hh, db
