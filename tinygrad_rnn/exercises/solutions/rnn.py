"""RNN step: a vanilla RNN's forward pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def rnn_step(x: Array, h_prev: Array, W_ih: Array, W_hh: Array, b: Array) -> Array:
    """One time step: h_t = tanh(W_ih x_t + W_hh h_{t-1} + b).

    x (N, I), h_prev (N, H), W_ih (H, I), W_hh (H, H), b (H,). Return h (N, H). A row is one sequence of the
    batch, so W_ih x_t is ``x @ W_ih.T``.
    """
    a = x @ W_ih.T + h_prev @ W_hh.T + b
    h: Array = np.tanh(a)
    return h


def rnn_forward(x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array) -> Array:
    """All T steps: the same weights at each of them.

    x (T, N, I), h0 (N, H), weights as in ``rnn_step``. Return hs (T, N, H): h after each step.
    """
    T, N, _ = x.shape
    hs = np.zeros((T, N, b.size))
    h = h0
    for t in range(T):
        h = rnn_step(x[t], h, W_ih, W_hh, b)
        hs[t] = h
    return hs
