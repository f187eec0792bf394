"""Recurrent layers off the grid: sizes drawn at random, beside torch.nn and a jitted JAX scan.

    python benchmarks/drawn.py [--seed 20261129] [--sizes 16] [--against torch,jax] [--only lstm,gru,rnn]
                               [--repeats 15] [--json benchmarks/results/drawn.json] [--at 1,256,64,512 ...]
                               [--threads 1]

T of 1 to 2000, B of 1 to 500, I of 1 to 650 and H of 3 to 1024 are drawn with logarithms that are uniform,
and again where a step of training would take more than 8e9 multiply-adds. The seed is the day unless it is
given; ``--at`` measures named sizes instead. A training step is forward and backward of the sum of squares
of the output, float32, one pinned thread unless ``--threads`` says more. JAX is one jitted program,
with ``unroll`` 1, 2 and 4; ``--against pytensor`` is PyTensor's scan, compiled by numba for a minute a size.
Sides take turns call by call, and in turns of 20 ms; a ratio is the median over the pairs of the peer's
processor time through ours: above 1 we are faster.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import Any

from pairs import THREADS, Run, beside, mean, pin, write  # first: it sets threads and the back end

import numpy as np
from recurrent import jax_lstm, jax_training, our_training, torch_training

from tinygrad_rnn import nn

LARGEST = (2000, 500, 650, 1024)  # T, B, I, H
LEAST = (1, 1, 1, 3)
WORK = 8e9  # multiply-adds of a training step
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
Size = tuple[int, int, int, int]


def drawn(seed: int, count: int) -> list[Size]:
    """So many sizes (T, B, I, H)."""
    draw = np.random.default_rng(seed)
    found: list[Size] = []
    while len(found) < count:
        logs = draw.uniform(np.log(LEAST), np.log(LARGEST))
        steps, batch, features, hidden = (round(float(v)) for v in np.exp(logs))
        if 3 * 4 * steps * batch * hidden * (features + hidden) <= WORK:
            found.append((steps, batch, features, hidden))
    return found


def jax_gru(w: Any, h: Any, x: Any) -> Any:
    """torch.nn.GRU's step."""
    import jax
    import jax.numpy as jnp

    (h,) = h
    of_x = jnp.split(x @ w["weight_ih"].T + w["bias_ih"], 3, -1)
    of_h = jnp.split(h @ w["weight_hh"].T + w["bias_hh"], 3, -1)
    r, z = (jax.nn.sigmoid(of_x[k] + of_h[k]) for k in (0, 1))
    n = jnp.tanh(of_x[2] + r * of_h[2])
    h = (1 - z) * n + z * h
    return (h,), h


def jax_rnn(w: Any, h: Any, x: Any) -> Any:
    """torch.nn.RNN's step."""
    import jax.numpy as jnp

    (h,) = h
    h = jnp.tanh(x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"])
    return (h,), h


def of_pytensor(kind: str, layer: Any, x: Any) -> Run:
    """PyTensor's scan of the same step and its gradients, one function run by numba."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor.scan.basic import scan

    hidden = layer.hidden_size
    weights = {k.removesuffix("_l0"): p.numpy() for k, p in layer.named_parameters()}
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    held = [pytensor.shared(weights[name]) for name in names]

    def gates(z: Any) -> list[Any]:
        return [z[:, k * hidden : (k + 1) * hidden] for k in range(GATES[kind])]

    def lstm(x: Any, h: Any, c: Any, wi: Any, wh: Any, bi: Any, bh: Any) -> Any:
        i, f, g, o = gates(x @ wi.T + h @ wh.T + bi + bh)
        c = pt.sigmoid(f) * c + pt.sigmoid(i) * pt.tanh(g)
        return pt.sigmoid(o) * pt.tanh(c), c

    def gru(x: Any, h: Any, wi: Any, wh: Any, bi: Any, bh: Any) -> Any:
        (r, z, n), (a, b, c) = gates(x @ wi.T + bi), gates(h @ wh.T + bh)
        z = pt.sigmoid(z + b)
        return (1 - z) * pt.tanh(n + pt.sigmoid(r + a) * c) + z * h

    def rnn(x: Any, h: Any, wi: Any, wh: Any, bi: Any, bh: Any) -> Any:
        return pt.tanh(x @ wi.T + bi + h @ wh.T + bh)

    given = pt.tensor("x", dtype="float32", shape=(None, None, x.shape[2]))
    starts = [pt.zeros((given.shape[1], hidden), dtype="float32")] * CELLS[kind][1]
    step = {"lstm": lstm, "gru": gru, "rnn": rnn}[kind]
    found = scan(
        step, sequences=[given], outputs_info=starts, non_sequences=held, return_updates=False
    )
    y = found[0] if isinstance(found, (list, tuple)) else found
    loss = (y * y).sum()
    program = pytensor.function([given], [loss, *pt.grad(loss, held)], mode="NUMBA")
    ours = our_training(layer, x)
    ours()
    for name, slope in zip(names, program(x)[1:], strict=True):
        mine = dict(layer.named_parameters())[f"{name}_l0"].grad.numpy()
        assert np.abs(mine - slope).max() <= 1e-3 * np.abs(slope).max(), f"{kind} {name}"
    return lambda: program(x)


CELLS = {"lstm": (jax_lstm, 2), "gru": (jax_gru, 1), "rnn": (jax_rnn, 1)}


def of_jax(kind: str, layer: Any, size: Size, x: Any) -> dict[str, Run]:
    """The jitted scan, by how often it is unrolled."""
    cell, parts = CELLS[kind]
    weights = {k.removesuffix("_l0"): v.numpy() for k, v in layer.named_parameters()}
    unrolls = [n for n in (1, 2, 4) if n <= size[0]]
    return {
        f"JAX, unroll={n}": jax_training(cell, weights, size, x, parts, unroll=n) for n in unrolls
    }


def measured(
    sizes: list[Size], kinds: list[str], peers: list[str], repeats: int
) -> list[dict[str, Any]]:
    """A row for each kind of layer, size and peer."""
    if "torch" in peers:
        import torch

        torch.set_num_threads(int(THREADS))
    rows = []
    for kind in kinds:
        name = kind.upper()
        for size in sizes:
            steps, batch, features, hidden = size
            x = np.random.default_rng(0).standard_normal((steps, batch, features))
            x = x.astype(np.float32)
            layer = getattr(nn, name)(features, hidden)
            mine = our_training(layer, x)
            others: dict[str, Run] = {}
            if "torch" in peers:
                others["torch.nn"] = torch_training(getattr(torch.nn, name)(features, hidden), x)
            if "jax" in peers:
                others |= of_jax(kind, layer, size, x)
            if "pytensor" in peers:
                others["PyTensor, numba"] = of_pytensor(kind, layer, x)
            for peer, run in others.items():
                row = {"layer": kind, "size": size, "peer": peer}
                label = f"{kind:4s} {','.join(map(str, size)):18s}"
                rows.append(beside(row, label, mine, run, repeats, max(3, repeats // 3), 2))
        for peer in sorted({row["peer"] for row in rows}):
            found = [r["call by call"] for r in rows if (r["peer"], r["layer"]) == (peer, kind)]
            if found:
                print(
                    f"{kind:4s} {peer}: geometric mean {mean(found):.2f}, least {min(found):.2f}\n"
                )
    return rows


def main() -> None:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=int(f"{datetime.date.today():%Y%m%d}"))
    parser.add_argument("--sizes", type=int, default=16)
    parser.add_argument("--at", nargs="*", metavar="T,B,I,H")
    parser.add_argument("--against", default="torch,jax")
    parser.add_argument("--only", default="lstm,gru,rnn")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", help="of both sides (one; pairs reads it)")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    pin()
    sizes = drawn(arguments.seed, arguments.sizes)
    if arguments.at:
        sizes = [tuple(map(int, at.split(","))) for at in arguments.at]  # type: ignore[misc]
    kinds, peers = arguments.only.split(","), arguments.against.split(",")
    rows = measured(sizes, kinds, peers, arguments.repeats)
    write({"seed": arguments.seed, "rows": rows}, arguments.json)


if __name__ == "__main__":
    main()
