"""How does a quasi-Newton method train? L-BFGS asks for the loss as often as it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..engine.switches import enable_grad
from ..engine.values import Array
from ..tensors import Tensor
from ..tensors.all_or_none import all_or_none
from .optimizers import Group, Memory, Optimizer, options

Closure = Callable[[], Tensor]


class Trial(NamedTuple):
    """The loss along the search direction: at step ``t``, with its gradient and its slope."""

    t: float
    loss: float
    gradient: Array
    slope: float


class LBFGS(Optimizer):
    """L-BFGS (Liu & Nocedal 1989), PyTorch's form; ``line_search_fn`` is "strong_wolfe" or None.

    ``d = -H g``, H from the last ``history_size`` pairs of steps and changes of the gradient; then
    ``p = p + t d``: t is ``lr``, or what the line search finds from there. One ``step(closure)`` makes
    up to ``max_iter`` such moves and ``max_eval`` (1.25 ``max_iter``) calls of the closure, which
    forgets the gradients, computes the loss, calls ``backward()`` and returns the loss. It ends early
    where every gradient is within ``tolerance_grad``, or loss and Parameters move less than
    ``tolerance_change``. For full batches: the loss must be the same function at each call. Takes one
    group of Parameters.

    Raises TypeError without a closure and FloatingPointError where the loss is not finite; the
    Parameters are then as they were.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = tg.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - 1) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item(), w
    (13.0, tensor([1., 1.], requires_grad=True))
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        super().__init__(params, options(locals()))

    def _check(self, group: Group) -> None:
        super()._check(group)
        if self.param_groups:
            raise ValueError("LBFGS takes one group of Parameters")
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(
                "LBFGS: line_search_fn must be 'strong_wolfe' or None, "
                f"got {group['line_search_fn']!r}"
            )
        for name in ("max_iter", "max_eval", "history_size"):
            if group[name] < 1:
                raise ValueError(f"LBFGS: {name} must be at least 1, got {group[name]}")

    def _memory_shape(self, p: Tensor) -> tuple[int, ...]:
        return (sum(q.numel() for q in self.param_groups[0]["params"]),)

    def step(self, closure: Closure | None = None) -> Tensor:
        """Move up to ``max_iter`` times; returns the loss as it was before."""
        if closure is None:
            raise TypeError("LBFGS.step needs a closure that computes the loss and its gradients")
        params = self.param_groups[0]["params"]
        memory = {"n_iter": 0, "func_evals": 0, "history": [], **self.state.get(params[0], {})}
        with all_or_none(params):
            with enable_grad():
                loss = self._iterate(closure, memory)
            self.state = {**self.state, params[0]: memory}  # the last thing that may fail
        return loss

    def _iterate(self, closure: Closure, memory: Memory) -> Tensor:
        """The moves of one ``step``; what the next one needs goes into ``memory``."""
        group = self.param_groups[0]
        small, max_eval = group["tolerance_change"], group["max_eval"]
        first = closure()
        loss, g, calls = _finite(first), self._gradient(), 1
        for n in range(group["max_iter"]):
            if np.abs(g).max() <= group["tolerance_grad"]:
                break
            history, t = memory["history"], group["lr"]
            if memory["n_iter"]:
                moved, change = memory["t"] * memory["d"], g - memory["prev_flat_grad"]
                if change @ moved > 1e-10:
                    history = [*history, (moved, change)][-group["history_size"] :]
            else:
                t *= min(1.0, 1.0 / float(np.abs(g).sum()))
            d = _direction(g, history)
            here = Trial(0.0, loss, g, float(g @ d))
            memory.update(n_iter=memory["n_iter"] + 1, history=history, d=d, t=t, prev_flat_grad=g)
            if here.slope > -small:
                break
            x = np.concatenate([p._data.ravel() for p in group["params"]])
            if group["line_search_fn"]:
                along = partial(self._trial, closure, x, d)
                found, tries = strong_wolfe(
                    along, here, t, float(np.abs(d).max()), small, max_eval - calls
                )
                t, loss, g, _ = found
                memory["t"] = t
                calls += tries
            self._write(x + t * d)
            if n + 1 == group["max_iter"]:
                break
            if not group["line_search_fn"]:
                loss, g = _finite(closure()), self._gradient()
                calls += 1
            if calls >= max_eval or np.abs(t * d).max() <= small or abs(loss - here.loss) < small:
                break
        memory["func_evals"] += calls
        return first

    def _trial(self, closure: Closure, x: Array, d: Array, t: float) -> Trial:
        """What the loss is a step of t along d."""
        self._write(x + t * d)
        loss, g = float(closure()), self._gradient()
        return Trial(t, loss, g, float(g @ d))

    def _gradient(self) -> Array:
        """All gradients as one vector, zeros for a Parameter without."""
        params = self.param_groups[0]["params"]
        grads = [np.zeros_like(p._data) if p.grad is None else p.grad._data for p in params]
        return np.concatenate([g.ravel() for g in grads])

    def _write(self, values: Array) -> None:
        """Give the Parameters their parts of one vector."""
        start = 0
        for p in self.param_groups[0]["params"]:
            part = values[start : start + p.numel()].reshape(p.shape)
            p._install(part.astype(p.dtype), "LBFGS.step()")
            start += p.numel()


def _finite(loss: Tensor) -> float:
    value = float(loss)
    if not math.isfinite(value):
        raise FloatingPointError(
            f"LBFGS: the loss is {value}: lower the learning rate, use "
            'line_search_fn="strong_wolfe", or look for the first bad value'
        )
    return value


def _direction(g: Array, history: list[tuple[Array, Array]]) -> Array:
    """``-H g`` by two loops over the pairs (step, change of the gradient); ``-g`` without any."""
    q, shares = -g, []
    for moved, change in reversed(history):
        share = (moved @ q) / (moved @ change)
        q = q - share * change
        shares.append(share)
    if history:
        moved, change = history[-1]
        q = q * ((moved @ change) / (change @ change))
    for (moved, change), share in zip(history, reversed(shares), strict=True):
        q = q + (share - (change @ q) / (moved @ change)) * moved
    return q


def strong_wolfe(
    along: Callable[[float], Trial],
    start: Trial,
    t: float,
    reach: float,
    tolerance_change: float,
    max_tries: int,
) -> tuple[Trial, int]:
    """A step that lowers the loss enough and flattens it enough, and how often ``along`` was asked.

    ``f(t) <= f(0) + c1 t f'(0)`` and ``|f'(t)| <= c2 |f'(0)|`` with c1 = 1e-4, c2 = 0.9 (Wolfe 1969;
    Nocedal & Wright 2006, algorithms 3.5 and 3.6): steps grow until two of them bracket such a point,
    then the bracket shrinks. A loss that is not finite counts as too high.

    >>> from tinygrad_rnn.optim.lbfgs import Trial, strong_wolfe
    >>> import numpy as np
    >>> bowl = lambda t: Trial(t, (t - 3) ** 2, np.zeros(1), 2 * (t - 3))
    >>> found, tries = strong_wolfe(bowl, bowl(0.0), 100.0, 1.0, 1e-9, 25)
    >>> round(found.t, 4), tries
    (3.0, 2)
    """

    def too_high(trial: Trial) -> bool:
        return not trial.loss <= start.loss + 1e-4 * trial.t * start.slope

    def flat(trial: Trial) -> bool:
        return abs(trial.slope) <= -0.9 * start.slope

    before, trial, tries = start, along(t), 1
    while tries <= max_tries:
        if too_high(trial) or (tries > 2 and trial.loss >= before.loss):
            break
        if flat(trial):
            return trial, tries
        if trial.slope >= 0:
            break
        bounds = trial.t + 0.01 * (trial.t - before.t), 10 * trial.t
        before, trial = trial, along(_lowest(before, trial, bounds))
        tries += 1
    else:
        before = start
    low, high = (trial, before) if trial.loss < before.loss else (before, trial)
    stuck = False  # the last trial was close to the end of the bracket
    while tries <= max_tries and abs(high.t - low.t) * reach >= tolerance_change:
        left, right = sorted((low.t, high.t))
        t, margin = _lowest(low, high, (left, right)), 0.1 * (right - left)
        close = min(right - t, t - left) < margin
        if close and (stuck or not left < t < right):
            t = right - margin if right - t < t - left else left + margin
            close = False
        stuck = close
        trial = along(t)
        tries += 1
        if too_high(trial) or trial.loss >= low.loss:
            low, high = (trial, low) if trial.loss < low.loss else (low, trial)
        elif flat(trial):
            return trial, tries
        else:
            low, high = trial, (low if trial.slope * (high.t - low.t) >= 0 else high)
    return low, tries


def _lowest(a: Trial, b: Trial, bounds: tuple[float, float]) -> float:
    """Where the cubic through two losses and slopes is lowest within bounds; their middle if nowhere."""
    if a.t > b.t:
        a, b = b, a
    middle, width = sum(bounds) / 2, b.t - a.t
    d1 = a.slope + b.slope + 3 * (a.loss - b.loss) / width if width else math.nan
    square = d1 * d1 - a.slope * b.slope
    if not 0 <= square < math.inf:
        return middle
    d2 = math.sqrt(square)
    bend = b.slope - a.slope + 2 * d2
    if not bend:
        return middle
    return min(max(b.t - width * (b.slope + d2 - d1) / bend, bounds[0]), bounds[1])
