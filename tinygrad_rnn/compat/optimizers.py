"""Which optimizers do PyTorch's scripts choose beside Adam and SGD? Adagrad, Adadelta, Adamax and NAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine.values import Array
from ..optim.optimizers import Adam, Group, Memory, Optimizer, decayed, options
from ..optim.together import elementwise


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011), PyTorch's form.

    ``g = grad + weight_decay p``; ``s = s + g**2``;
    ``p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)``; s starts as ``initial_accumulator_value``.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.Adagrad([w], lr=0.1)
    >>> (w * w).backward(); optimizer.step()
    >>> round(w.item(), 4)
    0.9
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(params, options(locals()))

    @elementwise
    def _updated(self, p: Array, g: Array, memory: Memory, group: Group) -> Array:
        g = decayed(p, g, group)
        t = memory["step"] = memory.get("step", 0) + 1
        start = np.full_like(p, group["initial_accumulator_value"])
        s = memory["sum"] = memory.get("sum", start) + g * g
        rate = group["lr"] / (1 + (t - 1) * group["lr_decay"])
        result: Array = p - rate * (g / (np.sqrt(s) + group["eps"]))
        return result


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012), PyTorch's form.

    ``g = grad + weight_decay p``; ``v = rho v + (1 - rho) g**2``;
    ``d = sqrt(u + eps) / sqrt(v + eps) g``; ``u = rho u + (1 - rho) d**2``; ``p = p - lr d``.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.Adadelta([w])
    >>> (w * w).backward(); optimizer.step()
    >>> round(w.item(), 4)
    0.9968
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, options(locals()))

    def _check(self, group: Group) -> None:
        super()._check(group)
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"Adadelta: rho must be in 0 ... 1: {group['rho']}")

    @elementwise
    def _updated(self, p: Array, g: Array, memory: Memory, group: Group) -> Array:
        g, rho, eps = decayed(p, g, group), group["rho"], group["eps"]
        zeros = np.zeros_like(p)
        memory["step"] = memory.get("step", 0) + 1
        v = memory["square_avg"] = rho * memory.get("square_avg", zeros) + (1 - rho) * (g * g)
        u = memory.get("acc_delta", zeros)
        d = np.sqrt(u + eps) / np.sqrt(v + eps) * g
        memory["acc_delta"] = rho * u + (1 - rho) * (d * d)
        result: Array = p - group["lr"] * d
        return result


class Adamax(Adam):
    """Adamax (Kingma & Ba 2015), PyTorch's form: Adam by the largest gradient instead of their squares.

    ``m = b1 m + (1 - b1) g``; ``u = max(b2 u, |g| + eps)``; ``p = p - lr / (1 - b1**t) m / u``.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.Adamax([w], lr=0.1)
    >>> (w * w).backward(); optimizer.step()
    >>> round(w.item(), 4)
    0.9
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    @elementwise
    def _updated(self, p: Array, g: Array, memory: Memory, group: Group) -> Array:
        b1, b2 = group["betas"]
        g, zeros = decayed(p, g, group), np.zeros_like(p)
        t = memory["step"] = memory.get("step", 0) + 1
        m = memory["exp_avg"] = b1 * memory.get("exp_avg", zeros) + (1 - b1) * g
        u = np.maximum(b2 * memory.get("exp_inf", zeros), np.abs(g) + group["eps"])
        memory["exp_inf"] = u
        result: Array = p - group["lr"] / (1 - b1**t) * (m / u)
        return result


class NAdam(Adam):
    """NAdam (Dozat 2016), PyTorch's form: Adam with Nesterov's momentum.

    ``mu(t) = b1 (1 - 0.96**(t momentum_decay) / 2)``, and M(t) the product of the mu up to t; m, v as Adam's;
    ``p = p - lr ((1 - mu(t)) / (1 - M(t)) g + mu(t+1) / (1 - M(t+1)) m) / (sqrt(v / (1 - b2**t)) + eps)``.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.NAdam([w], lr=0.1)
    >>> (w * w).backward(); optimizer.step()
    >>> w.item() < 1
    True
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
    ) -> None:
        Optimizer.__init__(self, params, options(locals()))

    @elementwise
    def _updated(self, p: Array, g: Array, memory: Memory, group: Group) -> Array:
        (b1, b2), lr, psi = group["betas"], group["lr"], group["momentum_decay"]
        g, zeros = decayed(p, g, group), np.zeros_like(p)
        t = memory["step"] = memory.get("step", 0) + 1
        mu, after = (b1 * (1 - 0.5 * 0.96 ** (k * psi)) for k in (t, t + 1))
        product = memory["mu_product"] = memory.get("mu_product", 1.0) * mu
        m = memory["exp_avg"] = b1 * memory.get("exp_avg", zeros) + (1 - b1) * g
        v = memory["exp_avg_sq"] = b2 * memory.get("exp_avg_sq", zeros) + (1 - b2) * (g * g)
        root = np.sqrt(v / (1 - b2**t)) + group["eps"]
        ahead = (1 - mu) / (1 - product) * g + after / (1 - product * after) * m
        result: Array = p - lr * (ahead / root)
        return result
