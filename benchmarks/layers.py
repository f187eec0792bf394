"""What every recurrent layer and option costs: parameters, and microseconds a time step.

    python benchmarks/layers.py [--repeats 15]

T=100, B=16, I=8, H=32, float32, one thread, pinned to one core where the system allows. A figure is
the least over the repeats (the rows take turns) of the wall time of the forward pass, a sum over the
outputs and the backward pass, divided by T; the loop is recorded op by op. Rows that say so run the
forward pass alone. Prints the rows of the tables in docs/layers.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from pairs import pin  # first: it sets threads and the back end

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

T, B, I, H = 100, 16, 8, 32  # noqa: E741 (the docs' names)
RAGGED = [T - 6 * b for b in range(B)]

# What docs/layers.md calls a row: the layer, and what its call is given.
ROWS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "RNN": (lambda: nn.RNN(I, H), {}),
    "RNN relu": (lambda: nn.RNN(I, H, nonlinearity="relu"), {}),
    "GRU": (lambda: nn.GRU(I, H), {}),
    "GRU reset_after=False": (lambda: nn.GRU(I, H, reset_after=False), {}),
    "LSTM": (lambda: nn.LSTM(I, H), {}),
    "LSTM num_layers=2": (lambda: nn.LSTM(I, H, num_layers=2), {}),
    "LSTM num_layers=2, dropout=0.5": (lambda: nn.LSTM(I, H, num_layers=2, dropout=0.5), {}),
    "LSTM bidirectional": (lambda: nn.LSTM(I, H, bidirectional=True), {}),
    "LSTM bias=False": (lambda: nn.LSTM(I, H, bias=False), {}),
    "LSTM batch_first": (lambda: nn.LSTM(I, H, batch_first=True), {}),
    "LSTM proj_size=16": (lambda: nn.LSTM(I, H, proj_size=16), {}),
    "LSTM peephole": (lambda: nn.LSTM(I, H, peephole=True), {}),
    "LSTM learned_state": (lambda: nn.LSTM(I, H, learned_state=True), {}),
    "LSTM lengths": (lambda: nn.LSTM(I, H), {"lengths": RAGGED}),
    "LayerNormLSTMCell": (lambda: nn.Recurrent(nn.LayerNormLSTMCell(I, H)), {}),
    "CoupledLSTMCell": (lambda: nn.Recurrent(nn.CoupledLSTMCell(I, H)), {}),
    "LSTMCell variational=0.5": (lambda: nn.Recurrent(nn.LSTMCell(I, H), variational=0.5), {}),
}


def programs() -> dict[str, tuple[Any, Callable[[], None]]]:
    """Each row's layer and one turn of it."""
    x = tg.tensor(np.random.default_rng(0).standard_normal((T, B, I)), dtype=tg.float32)
    by_batch = x.transpose(0, 1)
    found: dict[str, tuple[Any, Callable[[], None]]] = {}

    def training(layer: Any, options: dict[str, Any], ledger: bool = False) -> Callable[[], None]:
        def run() -> None:
            layer.zero_grad()
            y, _ = layer(by_batch if layer.batch_first else x, **options)
            y.sum().backward(ledger=ledger)

        return run

    for row, (make, options) in ROWS.items():
        layer = make()
        layer.compiled = False  # this page tells what recording every op costs
        found[row] = layer, training(layer, options)
    plain = nn.LSTM(I, H)
    plain.compiled = False

    def recorded() -> None:
        with nn.record_gates(plain):
            training(plain, {})()

    def forward() -> None:
        with tg.no_grad():
            plain(x)

    def stream() -> None:
        state = None
        with tg.no_grad():
            for x_t in x:
                _, state = plain.step(x_t, state)

    found["LSTM record_gates"] = plain, recorded
    found["LSTM backward(ledger=True)"] = plain, training(plain, {}, ledger=True)
    found["LSTM no_grad, forward alone"] = plain, forward
    found["LSTM step, no_grad, forward alone"] = plain, stream
    return found


def parameters(layer: Any) -> int:
    """How many numbers a layer learns."""
    return sum(p.numel() for p in layer.parameters())


def measured(repeats: int) -> dict[str, tuple[int, float]]:
    """For each row the number of its parameters and the microseconds of a step."""
    rows = programs()
    best = dict.fromkeys(rows, float("inf"))
    for turn in range(repeats + 1):
        for row, (_, run) in rows.items():
            start = time.perf_counter()
            run()
            if turn:  # the first one warms up
                best[row] = min(best[row], time.perf_counter() - start)
    return {row: (parameters(layer), best[row] * 1e6 / T) for row, (layer, _) in rows.items()}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    pin()
    figures = measured(options.repeats)
    plain = figures["LSTM"][1]
    print("| layer | parameters | µs a step | beside LSTM |\n| --- | ---: | ---: | ---: |")
    for row, (count, us) in figures.items():
        print(f"| {row} | {count:,} | {us:.0f} | {us / plain:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
