"""What is right at every step? A sequence run by the engine, with all values and gradients recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinygrad_rnn as tg

Array = NDArray[np.float64]
Values = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """T steps, a batch of N, inputs of width D, H units; chunks of ``k`` steps where gradients are cut."""

    T: int
    N: int
    D: int
    H: int
    k: int | None = None
    spread: float = 1.0

    def __str__(self) -> str:
        return f"T = {self.T}, N = {self.N}, I = {self.D}, H = {self.H}" + (
            f", k = {self.k}" if self.k else ""
        )


def run(sizes: Sizes, gates: int, seed: int) -> tuple[Values, list[Values]]:
    """A vanilla RNN (one gate) or an LSTM (four): values of the whole, and of each step.

    The loss is the sum of ``dhs * hs``. Each state that goes on is a value of its own, so that what arrives
    at c from the next step, and what comes to it through h, are known apart.
    """
    rng = np.random.default_rng(seed)
    T, N, D, H = sizes.T, sizes.N, sizes.D, sizes.H
    shapes = {"x": (T, N, D), "h0": (N, H), "c0": (N, H), "dhs": (T, N, H)}
    shapes |= {"W_ih": (gates * H, D), "W_hh": (gates * H, H), "b": (gates * H,)}
    whole: Values = {name: sizes.spread * rng.normal(size=shape) for name, shape in shapes.items()}
    leaf = {name: tg.tensor(value, requires_grad=True) for name, value in whole.items()}
    h, c = leaf["h0"], leaf["c0"]
    recorded: list[dict[str, tg.Tensor]] = []
    for t in tg.steps(range(T)):
        if sizes.k and t % sizes.k == 0:
            h = h.detach()
        now = {"x": leaf["x"][t], "h_prev": h * 1.0, "c_prev": c * 1.0}
        a = now["x"] @ leaf["W_ih"].T + now["h_prev"] @ leaf["W_hh"].T + leaf["b"]
        if gates == 1:
            h = tg.tanh(a)
        else:
            i, f, o = (tg.sigmoid(a[:, H * g : H * g + H]) for g in (0, 1, 3))
            g = tg.tanh(a[:, 2 * H : 3 * H])
            c = f * now["c_prev"] + i * g
            h = o * tg.tanh(c)
            now |= {"i": i, "f": f, "g": g, "o": o, "c": c}
        recorded.append(now | {"a": a, "h": h})
    hs = tg.stack([now["h"] for now in recorded])
    return _with_gradients(whole, leaf, recorded, (hs * leaf["dhs"]).sum())


def _with_gradients(
    whole: Values,
    leaf: dict[str, tg.Tensor],
    recorded: list[dict[str, tg.Tensor]],
    loss: tg.Tensor,
) -> tuple[Values, list[Values]]:
    """The recorded values as arrays, with the engine's gradients and the ledger's rows beside them."""
    ledger = loss.backward(ledger=True)
    steps: list[Values] = []
    for t, now in enumerate(recorded):
        step = {name: value.numpy() for name, value in now.items()}
        wanted = [name for name in ("x", "h_prev", "c_prev", "a", "h") if name in now]
        reached = [name for name in wanted if now[name].requires_grad]  # a cut state is not
        found = tg.grad(loss, [now[name] for name in reached], allow_unused=True)
        step |= {f"d{name}": np.zeros(now[name].shape) for name in wanted}
        step |= {
            f"d{name}": g.numpy() for name, g in zip(reached, found, strict=True) if g is not None
        }
        step |= {f"d{name}": ledger[leaf[name]][t] for name in ("W_ih", "W_hh", "b")}
        step |= {name: whole[name] for name in ("W_ih", "W_hh", "b")}
        steps.append(step)
    ends = [step["dc_prev"] for step in steps[1:]] + [np.zeros(whole["c0"].shape)]
    for step, arrives in zip(steps, ends, strict=True):
        step["dc"] = arrives  # what step t + 1 hands back; not what comes through h
    whole |= {f"d{name}": _gradient(tensor) for name, tensor in leaf.items() if name != "dhs"}
    for many, one in (("hs", "h"), ("cs", "c")):
        if one in steps[0]:
            whole[many] = np.stack([step[one] for step in steps])
    if "i" in steps[0]:
        whole["gates"] = np.stack(
            [np.concatenate([step[gate] for gate in "ifgo"], axis=1) for step in steps]
        )
    return whole, steps


def _gradient(tensor: tg.Tensor) -> Array:
    return np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
