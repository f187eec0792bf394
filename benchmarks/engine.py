"""What recording costs: microseconds an op beside PyTorch eager, MyGrad and HIPS autograd.

    python benchmarks/engine.py [--repeats 200] [--json FILE]

One thread, pinned to one core where the system allows; the frameworks take turns call by call inside one
run, and the ratio is the median of the ratios of the pairs, in processor time of the process. Peers that
are not installed are left out. Programs:

chain      100 tanh on (16, 32), forward + backward; an op
wide       the same on (256, 1024)
lstm       an LSTM step written in primitive ops, B=16 I=8 H=32, T=100, forward + backward; a step:
           z = x @ W_ih.T + b_ih + h @ W_hh.T + b_hh, split in four, gates, c, h
linear     the same with z = linear(x, W_ih, b_ih) + linear(h, W_hh, b_hh), where a framework has it
import     wall time of `import tinygrad_rnn` as a process, beside `import numpy`
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairs import paired, pin, write  # first: it sets threads and the back end

import numpy as np

import tinygrad_rnn as tg

T, B, F, H = 100, 16, 8, 32  # steps, batch, features, hidden
RNG = np.random.default_rng(0)
START = RNG.standard_normal((B, H)).astype(np.float32)
WIDE = RNG.standard_normal((256, 1024)).astype(np.float32)
XS = RNG.standard_normal((T, B, F)).astype(np.float32)
WEIGHTS = [
    (0.1 * RNG.standard_normal(shape)).astype(np.float32)
    for shape in ((4 * H, F), (4 * H, H), (4 * H,), (4 * H,))
]
ZERO = np.zeros((B, H), np.float32)

# What the issue asks for: the least ratio peer / ours.
GOALS = {
    ("chain", "torch"): 1.5,
    ("wide", "torch"): 1.0,
    ("lstm", "torch"): 1.1,
    ("linear", "torch"): 1.1,
    ("lstm", "mygrad"): 4.0,
    ("lstm", "autograd"): 4.0,
}


class Framework:
    """How one framework writes the three programs."""

    def __init__(
        self, name: str, leaf: Any, plain: Any, tanh: Any, sigmoid: Any, split: Any, linear: Any
    ) -> None:
        self.name, self.leaf, self.plain = name, leaf, plain
        self.tanh, self.sigmoid, self.split, self.linear = tanh, sigmoid, split, linear

    def chain(self, start: Any) -> Callable[[], Any]:
        """100 tanh one after the other."""

        def run() -> None:
            x = y = self.leaf(start)
            for _ in range(100):
                y = self.tanh(y)
            y.sum().backward()
            assert x.grad is not None

        return run

    def forget(self, parameter: Any) -> None:
        """Drop a gradient."""
        parameter.grad = None

    def affine(self, x: Any, h: Any, w: list[Any]) -> Any:
        """The row z, in primitive ops."""
        return x @ w[0].T + w[2] + h @ w[1].T + w[3]

    def fused(self, x: Any, h: Any, w: list[Any]) -> Any:
        """The row z, with the framework's linear."""
        return self.linear(x, w[0], w[2]) + self.linear(h, w[1], w[3])

    def lstm(self, affine: Callable[..., Any]) -> Callable[[], Any]:
        """An LSTM over T steps."""
        w = [self.leaf(a) for a in WEIGHTS]
        xs = [self.plain(x) for x in XS]

        def run() -> None:
            h = c = self.plain(ZERO)
            for x in xs:
                h, c = self.step(affine(x, h, w), c)
            for p in w:
                self.forget(p)
            (h * h).sum().backward()

        return run

    def step(self, z: Any, c: Any) -> tuple[Any, Any]:
        """Gates and states from z."""
        i, f, g, o = self.split(z)
        i, f, g, o = self.sigmoid(i), self.sigmoid(f), self.tanh(g), self.sigmoid(o)
        c = f * c + i * g
        return o * self.tanh(c), c

    def programs(self) -> dict[str, Callable[[], Any]]:
        """Every program that this framework can write."""
        chains = {"chain": self.chain(START), "wide": self.chain(WIDE)}
        found = {**chains, "lstm": self.lstm(self.affine)}
        if self.linear is not None:
            found["linear"] = self.lstm(self.fused)
        return found


class MyGrad(Framework):
    """MyGrad forgets gradients by a method, and has no split."""

    def __init__(self, mygrad: Any) -> None:
        super().__init__(
            "mygrad",
            lambda a: mygrad.tensor(a.copy()),
            lambda a: mygrad.tensor(a.copy(), constant=True),
            mygrad.tanh,
            mygrad.nnet.activations.sigmoid,
            lambda z: [z[:, k * H : (k + 1) * H] for k in range(4)],
            None,
        )

    def forget(self, parameter: Any) -> None:
        """Drop a gradient."""
        parameter.null_grad()


class HipsAutograd(Framework):
    """autograd derives functions, so the program is a function of the weights."""

    def __init__(self, np_: Any, grad: Any) -> None:
        def split(z: Any) -> Any:
            return [z[:, k * H : (k + 1) * H] for k in range(4)]

        super().__init__(
            "autograd", None, None, np_.tanh, lambda a: 1 / (1 + np_.exp(-a)), split, None
        )
        self.np, self.grad = np_, grad

    def programs(self) -> dict[str, Callable[[], Any]]:
        """The chain and the LSTM as derivatives of functions."""

        def chain(y: Any) -> Any:
            for _ in range(100):
                y = self.np.tanh(y)
            return self.np.sum(y)

        def lstm(w: Any) -> Any:
            h = c = ZERO
            for x in XS:
                z = self.np.dot(x, w[0].T) + w[2] + self.np.dot(h, w[1].T) + w[3]
                h, c = self.step(z, c)
            return self.np.sum(h * h)

        by_start, by_weights = self.grad(chain), self.grad(lstm)
        return {
            "chain": lambda: by_start(START),
            "wide": lambda: by_start(WIDE),
            "lstm": lambda: by_weights(WEIGHTS),
        }


def frameworks() -> list[Framework]:
    """Ours, then every peer that is installed."""
    found = [
        Framework(
            "tinygrad_rnn",
            lambda a: tg.tensor(a, requires_grad=True),
            tg.tensor,
            tg.Tensor.tanh,
            tg.Tensor.sigmoid,
            lambda z: z.chunk(4, -1),
            tg.nn.functional.linear,
        )
    ]
    try:
        import torch

        torch.set_num_threads(1)
        found.append(
            Framework(
                "torch",
                lambda a: torch.tensor(a, requires_grad=True),
                torch.tensor,
                torch.Tensor.tanh,
                torch.Tensor.sigmoid,
                lambda z: z.chunk(4, -1),
                torch.nn.functional.linear,
            )
        )
    except ImportError:
        pass
    try:
        import mygrad
        import mygrad.nnet.activations

        found.append(MyGrad(mygrad))
    except ImportError:
        pass
    try:
        import autograd
        import autograd.numpy as anp

        found.append(HipsAutograd(anp, autograd.grad))
    except ImportError:
        pass
    return found


def compare(repeats: int) -> list[dict[str, Any]]:
    """Each peer against ours, program by program, alternating."""
    ours, *peers = frameworks()
    own = ours.programs()
    rows: list[dict[str, Any]] = []
    for peer in peers:
        for program, theirs in peer.programs().items():
            slow = (1 if peer.name == "torch" else 5) * (10 if program == "wide" else 1)
            a, b, ratio = paired(own[program], theirs, max(repeats // slow, 5), 0.0)
            goal = GOALS.get((program, peer.name))
            rows.append(
                {
                    "program": program,
                    "peer": peer.name,
                    "ours_us": a / 100,
                    "peer_us": b / 100,
                    "ratio": ratio,
                    "goal": goal,
                    "pass": goal is None or ratio >= goal,
                }
            )
    return rows


def import_times(repeats: int = 11) -> dict[str, Any]:
    """Wall seconds of a process that imports numpy, and of one that imports this package."""

    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        return time.perf_counter() - start

    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    seconds("import tinygrad_rnn")  # compiled once, as an installation does
    pairs = [
        (seconds("import tinygrad_rnn"), seconds("import numpy"), seconds("pass"))
        for _ in range(repeats)
    ]
    ours, numpy, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b, _ in pairs)
    return {"ours_s": ours, "numpy_s": numpy, "bare_s": bare, "ratio": ratio, "pass": ratio <= 1.5}


def main() -> int:
    """Print the table; exit 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    pin()
    rows = compare(options.repeats)
    print(f"{'program':8} {'peer':9} {'ours us':>8} {'peer us':>8} {'peer/ours':>9} {'goal':>5}")
    for r in rows:
        goal = "" if r["goal"] is None else f"{r['goal']:.1f}"
        verdict = "" if r["goal"] is None else "pass" if r["pass"] else "MISS"
        print(
            f"{r['program']:8} {r['peer']:9} {r['ours_us']:8.2f} {r['peer_us']:8.2f} "
            f"{r['ratio']:9.2f} {goal:>5} {verdict}"
        )
    imported = import_times()
    print(
        f"import: tinygrad_rnn {imported['ours_s']:.3f} s, numpy {imported['numpy_s']:.3f} s, "
        f"ratio {imported['ratio']:.2f} (at most 1.5) {'pass' if imported['pass'] else 'MISS'}"
    )
    write({"rows": rows, "import": imported}, options.json)
    return 0 if all(r["pass"] for r in rows) and imported["pass"] else 1


if __name__ == "__main__":
    sys.exit(main())
