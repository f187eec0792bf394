"""Truncated backpropagation through time: gradients end at a chunk's border, the state goes on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bptt import rnn_backward
from .rnn import rnn_forward

Array = NDArray[np.float64]


def rnn_tbptt(
    dhs: Array, x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array, k: int
) -> tuple[Array, Array, Array, Array]:
    """A vanilla RNN over T steps in chunks of k (the last one may be shorter).

    The state that ends a chunk starts the next one, as a value: no gradient goes back over the border.
    dhs (T, N, H): dhs[t] is what the loss of step t alone adds to the gradient of h_t. x (T, N, I),
    h0 (N, H), weights as in ``rnn_step``. Return hs (T, N, H) and the gradients dW_ih, dW_hh, db, summed
    over all chunks.

    ``rnn_forward(x, h0, W_ih, W_hh, b)`` and ``rnn_backward(dhs, x, h0, hs, W_ih, W_hh)`` are given.
    """
    T = len(x)
    hs = np.zeros(dhs.shape)
    dW_ih, dW_hh, db = np.zeros(W_ih.shape), np.zeros(W_hh.shape), np.zeros(b.shape)
    h = h0
    for start in range(0, T, k):
        stop = min(start + k, T)
        here = slice(start, stop)
        hs[here] = rnn_forward(x[here], h, W_ih, W_hh, b)
        _, _, dW_ih_c, dW_hh_c, db_c = rnn_backward(dhs[here], x[here], h, hs[here], W_ih, W_hh)
        dW_ih += dW_ih_c
        dW_hh += dW_hh_c
        db += db_c
        h = hs[stop - 1]
    return hs, dW_ih, dW_hh, db
