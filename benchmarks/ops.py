"""What single ops cost: each forward, and forward and backward, beside PyTorch eager.

    python benchmarks/ops.py [--repeats 9] [--only gelu,softmax] [--json FILE]

One thread, pinned to one core where the system allows. The two take turns in one run: call by call (each
finds the processor's caches full of the other's), and for 20 ms each, as in a training loop; the ratio is
the median of the ratios of the pairs, theirs / ours: above 1 we are faster. An op is applied to leaves
and its result's ``backward`` gets a gradient of ones; gradients are dropped before. float32.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairs import TURN, Run, paired, pin, write  # first: it sets threads and the back end

import numpy as np

import tinygrad_rnn as tg

SIZES = [(16, 32), (64, 256)]

# What is applied, of the library (its functions are F), two leaves a and b, a positive one p, classes.
OPS: dict[str, Callable[..., Any]] = {
    "add": lambda _l, _f, a, b, _p, _c: a + b,
    "add number": lambda _l, _f, a, _b, _p, _c: a + 1.0,
    "sub": lambda _l, _f, a, b, _p, _c: a - b,
    "mul": lambda _l, _f, a, b, _p, _c: a * b,
    "mul number": lambda _l, _f, a, _b, _p, _c: a * 2.0,
    "div": lambda _l, _f, a, _b, p, _c: a / p,
    "pow 2": lambda _l, _f, a, _b, _p, _c: a**2,
    "square": lambda _l, _f, a, _b, _p, _c: a.square(),
    "sqrt": lambda _l, _f, _a, _b, p, _c: p.sqrt(),
    "abs": lambda _l, _f, a, _b, _p, _c: a.abs(),
    "exp": lambda _l, _f, a, _b, _p, _c: a.exp(),
    "log": lambda _l, _f, _a, _b, p, _c: p.log(),
    "tanh": lambda _l, _f, a, _b, _p, _c: a.tanh(),
    "sigmoid": lambda _l, _f, a, _b, _p, _c: a.sigmoid(),
    "relu": lambda _l, _f, a, _b, _p, _c: a.relu(),
    "leaky_relu": lambda _l, f, a, _b, _p, _c: f.leaky_relu(a, 0.1),
    "elu": lambda _l, f, a, _b, _p, _c: f.elu(a),
    "softplus": lambda _l, f, a, _b, _p, _c: f.softplus(a),
    "silu": lambda _l, f, a, _b, _p, _c: f.silu(a),
    "gelu": lambda _l, f, a, _b, _p, _c: f.gelu(a),
    "clamp": lambda _l, _f, a, _b, _p, _c: a.clamp(-0.5, 0.5),
    "maximum": lambda lib, _f, a, b, _p, _c: lib.maximum(a, b),
    "where": lambda lib, _f, a, b, _p, _c: lib.where(a > 0, a, b),
    "sum": lambda _l, _f, a, _b, _p, _c: a.sum(),
    "sum(-1)": lambda _l, _f, a, _b, _p, _c: a.sum(-1),
    "mean(-1)": lambda _l, _f, a, _b, _p, _c: a.mean(-1),
    "var(-1)": lambda _l, _f, a, _b, _p, _c: a.var(-1),
    "max(-1)": lambda _l, _f, a, _b, _p, _c: a.max(-1).values,
    "softmax": lambda _l, f, a, _b, _p, _c: f.softmax(a, -1),
    "log_softmax": lambda _l, f, a, _b, _p, _c: f.log_softmax(a, -1),
    "logsumexp": lambda lib, _f, a, _b, _p, _c: lib.logsumexp(a, -1),
    "layer_norm": lambda _l, f, a, b, _p, _c: f.layer_norm(a, a.shape[-1:], b[0], b[1]),
    "cross_entropy": lambda _l, f, a, _b, _p, c: f.cross_entropy(a, c),
    "mse_loss": lambda _l, f, a, b, _p, _c: f.mse_loss(a, b),
    "matmul": lambda _l, _f, a, b, _p, _c: a @ b.T,
    "linear": lambda _l, f, a, b, _p, _c: f.linear(a, b, b[:, 0]),
    "embedding": lambda _l, f, a, _b, _p, c: f.embedding(c, a),
    "getitem": lambda _l, _f, a, _b, _p, _c: a[:, 3:9],
    "cat": lambda lib, _f, a, b, _p, _c: lib.cat([a, b], -1),
    "stack": lambda lib, _f, a, b, _p, _c: lib.stack([a, b]),
    "chunk": lambda _l, _f, a, _b, _p, _c: a.chunk(4, -1)[0],
    "reshape": lambda _l, _f, a, _b, _p, _c: a.reshape(-1),
    "transpose": lambda _l, _f, a, _b, _p, _c: a.transpose(0, 1),
    "cumsum": lambda _l, _f, a, _b, _p, _c: a.cumsum(-1),
}


def programs(library: Any, name: str, size: tuple[int, int]) -> tuple[Run, Run]:
    """The op's forward, and its forward and backward, on one library's tensors."""
    rng = np.random.default_rng(0)
    rows, columns = size
    arrays = [rng.standard_normal(size) for _ in range(2)]
    arrays.append(np.abs(rng.standard_normal(size)) + 0.5)
    leaves = [library.tensor(x.astype(np.float32), requires_grad=True) for x in arrays]
    classes = library.tensor(rng.integers(0, min(rows, columns), rows))
    op, functional = OPS[name], library.nn.functional

    def forward() -> Any:
        return op(library, functional, *leaves, classes)

    ones = library.ones(tuple(forward().shape))

    def both() -> None:
        for leaf in leaves:
            leaf.grad = None
        forward().backward(ones)

    return forward, both


def measured(names: list[str], repeats: int) -> list[dict[str, Any]]:
    """A row for each op, size and program."""
    import torch

    torch.set_num_threads(1)
    found = []
    for size in SIZES:
        for name in names:
            ours, theirs = programs(tg, name, size), programs(torch, name, size)
            for what, mine, others in zip(("forward", "both"), ours, theirs, strict=True):
                us, peer, by_call = paired(mine, others, 40 * repeats, 0.0)
                _, _, in_turns = paired(mine, others, repeats, TURN)
                row = {"op": name, "size": size, "what": what, "us": us, "peer_us": peer}
                found.append({**row, "call by call": by_call, "in turns": in_turns})
    return found


def main() -> int:
    """Print the table; exit 1 where forward and backward is slower than the peer's in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", default=",".join(OPS))
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    pin()
    rows = measured(options.only.split(","), options.repeats)
    print(
        f"{'op':14} {'size':10} {'what':8} {'ours us':>8} {'peer us':>8} {'by call':>8} {'turns':>6}"
    )
    for r in rows:
        size = "x".join(map(str, r["size"]))
        print(
            f"{r['op']:14} {size:10} {r['what']:8} {r['us']:8.1f} {r['peer_us']:8.1f} "
            f"{r['call by call']:8.2f} {r['in turns']:6.2f}"
        )
    write(rows, options.json)
    return 0 if all(r["in turns"] >= 1 for r in rows if r["what"] == "both") else 1


if __name__ == "__main__":
    sys.exit(main())
