"""How far back does a layer remember? What a state of the past does to a later one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.gradients import grad
from ..engine.switches import no_grad
from ..engine.values import Array

if TYPE_CHECKING:
    from ..nn.module import Module
    from ..tensors import Tensor


def memory_curve(layer: Module, x: Any, state: Any = None) -> Array:
    """How much the last h still depends on the h of k steps before: (T,), entry k for a lag of k.

    Entry k is the largest singular value of dh_T/dh_{T-k}, averaged over the batch, so entry 0 is 1. It
    is a block of the product J_T J_{T-1} ... J_{T-k+1} of the Jacobians of the whole state (h, and c in
    an LSTM), so that what travels by way of c counts. x is (time, batch, features) as the layer takes
    it; all layers of a stack count as one state. ``state`` is the initial one. Time and memory grow
    with T N^2 for a state of N numbers.

    Raises TypeError for a bidirectional layer, ValueError for fewer than two steps.

    Source: Pascanu, Mikolov & Bengio, On the difficulty of training recurrent neural networks (2013).

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(1, 1, nonlinearity="relu")
    >>> _ = tg.nn.init.constant_(rnn.weight_hh_l0, 0.5)  # h_t = relu(h_{t-1} / 2 + x_t + ...)
    >>> tg.memory_curve(rnn, tg.full((4, 2, 1), 99.0) * rnn.weight_ih_l0.detach().sign()).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """
    jacobians, size = _jacobians(layer, x, state)
    product = np.broadcast_to(np.eye(jacobians.shape[-1]), jacobians.shape[1:])
    curve = [1.0]
    for jacobian in jacobians[::-1]:
        product = product @ jacobian
        curve.append(float(np.linalg.norm(product[:, :size, :size], 2, (1, 2)).mean()))
    return np.array(curve)


def spectral_radius(layer: Module, x: Any, state: Any = None) -> Array:
    """The spectral radius of the recurrent Jacobian at each step: (T - 1, batch).

    Row k is max |eigenvalue| of J = ds_{k+1}/ds_k at x_{k+1}, with s the whole state (h, and c in an
    LSTM) after a step, steps counted from 0. Where it stays below 1 the state's past fades; above 1
    gradients may explode. Arguments and errors as for :func:`memory_curve`.

    Source: Pascanu, Mikolov & Bengio (2013).

    >>> import tinygrad_rnn as tg
    >>> tg.spectral_radius(tg.nn.GRU(2, 3), tg.zeros(6, 4, 2)).shape
    (5, 4)
    """
    jacobians, _ = _jacobians(layer, x, state)
    return np.asarray(np.abs(np.linalg.eigvals(jacobians)).max(-1))


def _jacobians(layer: Module, x: Any, state: Any) -> tuple[Array, int]:
    """ds_t/ds_{t-1} for t = 1 .. T-1, (T - 1, batch, N, N) in float64, and how many of the N are h's."""
    from ..nn.recurrent import Recurrent, initial_state
    from ..tensors import as_tensor

    x = as_tensor(x)
    if getattr(layer, "batch_first", False) and x.ndim == 3:
        x = x.transpose(0, 1)
    if len(x) < 2:
        raise ValueError(f"x has {len(x)} steps, and a memory needs at least two")
    if x.ndim == 2:
        x = x.unsqueeze(1)
    recurrent = isinstance(layer, Recurrent)
    if recurrent and layer.reverse is not None:
        raise TypeError("a bidirectional layer has no memory of its past alone: take one direction")
    batch_axis = 0 if recurrent else 1

    def step(x_t: Tensor, s: Any) -> Any:
        if recurrent:
            return getattr(layer.cell, "step", layer.cell)(x_t, s)[1]
        return layer.step(x_t, s)[1]

    with no_grad():
        if recurrent and state is None:
            state = initial_state(layer.cell, x.shape[1])
        state = step(x[0], state)
    found, size = [], 0
    for t in range(1, len(x)):
        jacobian, state, size = _jacobian(step, x[t], state, batch_axis)
        found.append(jacobian)
    return np.stack(found), size


def _jacobian(step: Any, x_t: Tensor, state: Any, axis: int) -> tuple[Array, Any, int]:
    """The derivative of one step's state by the state before it, a batch of (N, N); the state; h's size."""
    from ..nn.stepping import mapped, parts

    before = mapped(lambda t: t.detach().requires_grad_(), state)
    after = step(x_t, before)
    old, new = ([t for _, t in parts(s)] for s in (before, after))
    batch = x_t.shape[0]
    sizes = [t.numel() // batch for t in new]
    rows = []
    for k, size in enumerate(sizes):
        shape = np.moveaxis(np.empty(new[k].shape), axis, 0).shape
        for unit in range(size):
            seeds = [np.zeros(t.shape, t.numpy().dtype) for t in new]
            one = np.zeros((batch, size))
            one[:, unit] = 1
            seeds[k][...] = np.moveaxis(one.reshape(shape), 0, axis)
            gradients = grad(new, old, seeds, allow_unused=True)
            flat = [
                np.zeros((batch, t.numel() // batch))
                if g is None
                else np.moveaxis(g.numpy(), axis, 0).reshape(batch, -1)
                for g, t in zip(gradients, old, strict=True)
            ]
            rows.append(np.concatenate(flat, 1))
    jacobian = np.stack(rows, 1).astype(np.float64)
    return jacobian, mapped(lambda t: t.detach(), after), sizes[0]
