"""Which other ways do people take? Each a whole function: what no single edit of a solution makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.values import Array
from .solutions.bptt import rnn_backward
from .solutions.lstm import lstm_step, sigmoid
from .solutions.rnn import rnn_forward

Way = tuple[str, str, Callable[..., Any]]  # its subject, its words, and the way


def _by_value(grads: list[Array], max_norm: float) -> Any:
    norm = np.sqrt(sum((g * g).sum() for g in grads))
    return [np.clip(g, -max_norm, max_norm) for g in grads], norm


def _each_by_itself(grads: list[Array], max_norm: float) -> Any:
    norms = [np.sqrt((g * g).sum()) for g in grads]
    whole = np.sqrt(sum(n * n for n in norms))
    return [g * max_norm / max(n, max_norm) for g, n in zip(grads, norms, strict=True)], whole


def _one_by_one(grads: list[Array], max_norm: float) -> Any:
    norm = np.sqrt(sum((g * g).sum() for g in grads))
    return [g if abs(g).max() <= max_norm else g * max_norm / abs(g).max() for g in grads], norm


def _norm_after(grads: list[Array], max_norm: float) -> Any:
    norm = np.sqrt(sum((g * g).sum() for g in grads))
    return [g * max_norm / max(norm, max_norm) for g in grads], min(norm, max_norm)


def _sum_of_norms(grads: list[Array], max_norm: float) -> Any:
    norm = sum(np.sqrt((g * g).sum()) for g in grads)
    return [g * max_norm / max(norm, max_norm) for g in grads], norm


def _absolute_norm(grads: list[Array], max_norm: float) -> Any:
    norm = sum(abs(g).sum() for g in grads)
    return [g * max_norm / max(norm, max_norm) for g in grads], norm


def _largest_norm(grads: list[Array], max_norm: float) -> Any:
    norm = max(abs(g).max() for g in grads)
    return [g * max_norm / max(norm, max_norm) for g in grads], norm


def _whole_gradient(
    dhs: Array, x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array, k: int
) -> Any:
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    return hs, *rnn_backward(dhs, x, h0, hs, W_ih, W_hh)[2:]


def _reset_state(
    dhs: Array, x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array, k: int
) -> Any:
    return _chunks(dhs, x, h0, W_ih, W_hh, b, k, h0)


def _zero_state(dhs: Array, x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array, k: int) -> Any:
    return _chunks(dhs, x, h0, W_ih, W_hh, b, k, 0 * h0)


def _chunks(
    dhs: Array, x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array, k: int, again: Any
) -> Any:
    hs, sums = [], []
    for start in range(0, len(x), k):
        here, h = slice(start, start + k), again if start else h0
        hs.append(rnn_forward(x[here], h, W_ih, W_hh, b))
        sums.append(rnn_backward(dhs[here], x[here], h, hs[-1], W_ih, W_hh)[2:])
    return np.concatenate(hs), *(sum(parts) for parts in zip(*sums, strict=True))


def _mean_of_chunks(
    dhs: Array, x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array, k: int
) -> Any:
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    sums = []
    for start in range(0, len(x), k):
        here, h = slice(start, start + k), hs[start - 1] if start else h0
        sums.append(rnn_backward(dhs[here], x[here], h, hs[here], W_ih, W_hh)[2:])
    return hs, *(sum(parts) / len(sums) for parts in zip(*sums, strict=True))


def _last_step_of_chunk(
    dhs: Array, x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array, k: int
) -> Any:
    hs, sums = rnn_forward(x, h0, W_ih, W_hh, b), []
    for t in range(len(x)):
        h = hs[t - 1] if t else h0
        sums.append(rnn_backward(dhs[t : t + 1], x[t : t + 1], h, hs[t : t + 1], W_ih, W_hh)[2:])
    return hs, *(sum(parts) for parts in zip(*sums, strict=True))


def _cut(where: Callable[[int, int, int], bool]) -> Callable[..., Any]:
    """Backward in one loop, and what step t + 1 hands back is dropped ``where`` (t, k, T)."""

    def way(dhs: Array, x: Array, h0: Array, W_ih: Array, W_hh: Array, b: Array, k: int) -> Any:
        hs = rnn_forward(x, h0, W_ih, W_hh, b)
        before = np.concatenate([h0[None], hs[:-1]])
        da, dh_next = np.zeros(hs.shape), np.zeros(h0.shape)
        for t in reversed(range(len(x))):
            if where(t, k, len(x)):
                dh_next = 0 * dh_next
            da[t] = (dhs[t] + dh_next) * (1 - hs[t] * hs[t])
            dh_next = da[t] @ W_hh
        axes = ([0, 1], [0, 1])
        weights = (np.tensordot(da, x, axes), np.tensordot(da, before, axes))
        return hs, *weights, da.sum(axis=(0, 1))

    return way


def _turned_blocks(
    x: Array, h_prev: Array, c_prev: Array, W_ih: Array, W_hh: Array, b: Array
) -> Any:
    blocks = np.split(W_hh, 4, axis=0)
    turned = np.concatenate([block.T for block in blocks], axis=0)
    return lstm_step(x, h_prev, c_prev, W_ih, turned, b)


def _naive_tanh(x: Array, h_prev: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    twice = np.exp(2 * (x @ W_ih.T + h_prev @ W_hh.T + b))
    return (twice - 1) / (twice + 1)


def _interleaved(x: Array, h_prev: Array, c_prev: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    a = (x @ W_ih.T + h_prev @ W_hh.T + b).reshape(len(x), -1, 4)
    i, f, o = (sigmoid(a[:, :, k]) for k in (0, 1, 3))
    c = f * c_prev + i * np.tanh(a[:, :, 2])
    return o * np.tanh(c), c


def _tied_gates(x: Array, h_prev: Array, c_prev: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    i, _, g, o = np.split(x @ W_ih.T + h_prev @ W_hh.T + b, 4, axis=1)
    c = (1 - sigmoid(i)) * c_prev + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def _forget_one(x: Array, h_prev: Array, c_prev: Array, W_ih: Array, W_hh: Array, b: Array) -> Any:
    i, f, g, o = np.split(x @ W_ih.T + h_prev @ W_hh.T + b, 4, axis=1)
    c = sigmoid(f + 1) * c_prev + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def _naive_sigmoid(
    x: Array, h_prev: Array, c_prev: Array, W_ih: Array, W_hh: Array, b: Array
) -> Any:
    a = x @ W_ih.T + h_prev @ W_hh.T + b
    i, f, _, o = np.split(np.exp(a) / (1 + np.exp(a)), 4, axis=1)
    c = f * c_prev + i * np.tanh(np.split(a, 4, axis=1)[2])
    return o * np.tanh(c), c


WAYS: dict[str, tuple[Way, ...]] = {
    "clip_by_norm": (
        (
            "clipped",
            "is clipped by value, each entry to [-max_norm, max_norm], which turns the direction: all "
            "entries are to be scaled by one factor",
            _by_value,
        ),
        (
            "clipped",
            "is scaled array by array, each by its own norm: the norm is that of all arrays together",
            _each_by_itself,
        ),
        ("clipped", "is scaled by each array's largest entry, not by the common norm", _one_by_one),
        ("the norm", "is the one after clipping: return the one before", _norm_after),
        (
            "the norm",
            "is the sum of the arrays' norms: it is the square root of the sum of all squares",
            _sum_of_norms,
        ),
        (
            "the norm",
            "is the sum of absolute values, not the square root of the sum of squares",
            _absolute_norm,
        ),
        (
            "the norm",
            "is the largest entry, not the square root of the sum of squares",
            _largest_norm,
        ),
    ),
    "rnn_tbptt": (
        (
            "the gradient",
            "is not cut at the borders of the chunks: it is that of the whole sequence. Run backward within "
            "a chunk only",
            _whole_gradient,
        ),
        (
            "the state",
            "starts again from h0 at every chunk: h is to go on as a value",
            _reset_state,
        ),
        (
            "the state",
            "starts again from zeros at every chunk: h is to go on as a value",
            _zero_state,
        ),
        ("the gradient", "is the mean over the chunks: it is to be their sum", _mean_of_chunks),
        ("the gradient", "is cut after every step, as with k = 1", _last_step_of_chunk),
        (
            "the gradient",
            "is cut one step early, between the first two steps of a chunk: it is to be cut between chunks",
            _cut(lambda t, k, T: t % k == 0),
        ),
        (
            "the gradient",
            "is cut one step late, before the last step of a chunk: it is to be cut between chunks",
            _cut(lambda t, k, T: (t + 2) % k == 0),
        ),
        (
            "the gradient",
            "is cut every k steps counted from the end: chunks are counted from the first step",
            _cut(lambda t, k, T: (T - 1 - t) % k == 0),
        ),
    ),
    "rnn_step": (
        (
            "h",
            "is nan where its sum is large: exp overflows there. np.tanh does not",
            _naive_tanh,
        ),
    ),
    "lstm_step": (
        ("a", "uses the block of each gate in W_hh transposed", _turned_blocks),
        (
            "the split into gates",
            "takes every fourth number (i, f, g, o interleaved): each gate is a block of H numbers",
            _interleaved,
        ),
        ("f", "is taken as 1 - i: it is a gate of its own", _tied_gates),
        (
            "f",
            "has 1 added before the sigmoid: a forget bias belongs in b, when b is made",
            _forget_one,
        ),
        (
            "a gate",
            "is nan where its sum is large: exp(a) overflows there. Write 1 / (1 + exp(-a))",
            _naive_sigmoid,
        ),
    ),
}
