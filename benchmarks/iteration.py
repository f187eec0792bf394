"""One whole iteration of training: forward, loss, backward, clipping and Adam, beside PyTorch and JAX.

    python benchmarks/iteration.py [--repeats 400] [--json benchmarks/results/iteration.json]

An LSTM with 4 inputs, a linear head on its last output, mean squared error, float32, one thread, pinned to
one core where the system allows. Ours is measured three ways: the plain loop, ``tg.compile_step``, and the
latter with ``clip=1.0`` (peers do not clip); PyTorch eager is ``torch.nn.LSTM`` with ``optim.Adam`` as it
comes and fused; JAX is one jitted program of a scan with all of the rest (the best of ``unroll`` 1 and 4),
where JAX is installed. Sides take turns call by call, and in turns of 20 ms; a ratio is the median over the
pairs of the peer's processor time through ours, so that above 1 means that we are faster.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairs import Run, beside, pin, write  # first: it sets threads and the back end

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

SIZES = [(1, 1, 32), (10, 1, 32), (50, 1, 32), (10, 16, 32), (50, 32, 128)]  # steps, batch, hidden
INPUTS = 4


def ours(steps: int, batch: int, hidden: int) -> dict[str, Run]:
    """The plain loop, the compiled step, and that with clipping."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(INPUTS, hidden), nn.Linear(hidden, 1)

        def forward(self, x: Any) -> Any:
            y, _ = self.lstm(x)
            return self.head(y[-1])

    loss = nn.functional.mse_loss
    x, y = tg.randn(steps, batch, INPUTS), tg.randn(batch, 1)
    plain = Net()
    adam = optim.Adam(plain.parameters())

    def loop() -> Any:
        adam.zero_grad()
        value = loss(plain(x), y)
        value.backward()
        adam.step()
        return value

    runs: dict[str, Run] = {"plain loop": loop}
    for words, clip in (("compile_step", None), ("compile_step, clip", 1.0)):
        model = Net()
        step = tg.compile_step(model, loss, optim.Adam(model.parameters()), clip=clip)
        for _ in range(300):  # after 256 all of a small one is machine code
            step(x, y)
        assert step.explain().startswith("replayed as one program"), step.explain()
        runs[words] = lambda step=step: step(x, y)
    return runs


def of_torch(steps: int, batch: int, hidden: int) -> dict[str, Run]:
    """PyTorch eager: Adam as it comes, and fused."""
    if find_spec("torch") is None:
        return {}
    import torch

    torch.set_num_threads(1)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = torch.nn.LSTM(INPUTS, hidden), torch.nn.Linear(hidden, 1)

        def forward(self, x: Any) -> Any:
            y, _ = self.lstm(x)
            return self.head(y[-1])

    x, y = torch.randn(steps, batch, INPUTS), torch.randn(batch, 1)

    def program(fused: bool) -> Run:
        model = Net()
        adam = torch.optim.Adam(model.parameters(), fused=fused)

        def run() -> Any:
            adam.zero_grad()
            value = torch.nn.functional.mse_loss(model(x), y)
            value.backward()
            adam.step()
            return value

        return run

    return {"PyTorch eager": program(False), "PyTorch eager, fused Adam": program(True)}


def of_jax(steps: int, batch: int, hidden: int) -> dict[str, Run]:
    """One jitted program, by how often its scan is unrolled."""
    if find_spec("jax") is None:
        return {}
    import jax
    import jax.numpy as jnp

    draw = np.random.default_rng(0)
    x = jnp.array(draw.normal(size=(steps, batch, INPUTS)), jnp.float32)
    y = jnp.array(draw.normal(size=(batch, 1)), jnp.float32)

    def program(unroll: int) -> Run:
        def predicted(p: Any, x: Any) -> Any:
            def cell(state: Any, x_t: Any) -> Any:
                h, c = state
                z = x_t @ p["wi"].T + p["bi"] + h @ p["wh"].T + p["bh"]
                i, f, g, o = jnp.split(z, 4, -1)
                c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
                h = jax.nn.sigmoid(o) * jnp.tanh(c)
                return (h, c), h

            start = jnp.zeros((x.shape[1], hidden), jnp.float32)
            (h, _), _ = jax.lax.scan(cell, (start, start), x, unroll=min(unroll, steps))
            return h @ p["w"].T + p["b"]

        def loss(p: Any, x: Any, y: Any) -> Any:
            return ((predicted(p, x) - y) ** 2).mean()

        def update(p: Any, m: Any, v: Any, t: Any, x: Any, y: Any) -> Any:
            value, g = jax.value_and_grad(loss)(p, x, y)
            t = t + 1
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            of_m, of_v = 1 - 0.9**t, 1 - 0.999**t
            p = jax.tree.map(
                lambda p, m, v: p - 1e-3 * (m / of_m) / (jnp.sqrt(v / of_v) + 1e-8), p, m, v
            )
            return p, m, v, t, value

        shapes = {
            "wi": (4 * hidden, INPUTS), "wh": (4 * hidden, hidden), "bi": (4 * hidden,),
            "bh": (4 * hidden,), "w": (1, hidden), "b": (1,),
        }  # fmt: skip
        p = {k: jnp.array(draw.uniform(-0.1, 0.1, s), jnp.float32) for k, s in shapes.items()}
        zeros = jax.tree.map(jnp.zeros_like, p)
        state: list[Any] = [p, zeros, zeros, jnp.float32(0)]
        jitted = jax.jit(update)

        def run() -> Any:
            *state[:], value = jitted(*state, x, y)
            return value.block_until_ready()

        return run

    return {f"JAX, unroll={unroll}": program(unroll) for unroll in (1, 4)}


def measured(repeats: int) -> list[dict[str, Any]]:
    """A row for each size, way of ours and peer."""
    rows = []
    for steps, batch, hidden in SIZES:
        peers = {**of_torch(steps, batch, hidden), **of_jax(steps, batch, hidden)}
        for way, mine in ours(steps, batch, hidden).items():
            for peer, others in peers.items():
                row = {"T": steps, "B": batch, "H": hidden, "ours": way, "peer": peer}
                label = f"{steps:4d} {batch:3d} {hidden:4d}  {way:20s}"
                turns = max(9, repeats // 40)
                rows.append(beside(row, label, mine, others, repeats, turns, 30))
    return rows


def main() -> None:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    pin()
    write(measured(arguments.repeats), arguments.json)


if __name__ == "__main__":
    main()
