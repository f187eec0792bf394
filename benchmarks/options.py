"""What options of a compiled layer cost: lengths, further cells, more layers, gates that are kept.

    python benchmarks/options.py [--repeats 41] [--json FILE]

Forward and backward of the layer alone, from a gradient of its outputs, float32, one thread, beside the plain
layer at the same size. With ``lengths`` the value is the time over the plain layer's times the share of
steps that are valid: 1 is time in proportion to them. Otherwise it is the time over the plain layer's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pairs import TURN, Run, paired, pin, write  # first: it sets threads and the back end

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

SIZES = [(50, 4, 8, 16), (100, 16, 8, 32), (100, 32, 16, 64), (100, 32, 32, 128), (60, 64, 64, 256)]
PLAIN = (100, 16, 8, 32)
GOAL = 1.15  # of lengths
CELLS = {
    "Recurrent(LSTMCell)": lambda i, h: nn.Recurrent(nn.LSTMCell(i, h)),
    "Recurrent(GRUCell)": lambda i, h: nn.Recurrent(nn.GRUCell(i, h)),
    "Recurrent(LayerNormLSTMCell)": lambda i, h: nn.Recurrent(nn.LayerNormLSTMCell(i, h)),
    "LSTM peephole": lambda i, h: nn.LSTM(i, h, peephole=True),
    "LSTM num_layers=2": lambda i, h: nn.LSTM(i, h, num_layers=2),
    "LSTM bidirectional": lambda i, h: nn.LSTM(i, h, bidirectional=True),
}


def training(layer: Any, x: Any, **options: Any) -> Run:
    """Forward and backward: a loss would take time for steps that are not valid too."""
    slope = tg.ones_like(layer(x, **options)[0])

    def run() -> None:
        layer.zero_grad()
        layer(x, **options)[0].backward(slope)

    return run


def given(size: tuple[int, ...]) -> Any:
    """An input of this size."""
    steps, batch, inputs, _ = size
    numbers = np.random.default_rng(0).standard_normal((steps, batch, inputs))
    return tg.tensor(numbers, dtype=tg.float32)


def pairs() -> Iterator[tuple[str, tuple[int, ...], Run, Run, float, float]]:
    """What it is, the size, the run, the plain layer's run, the share of its work, the goal."""
    for size in SIZES:
        steps, batch, inputs, hidden = size
        x = given(size)
        spread = np.random.default_rng(1).integers(1, steps + 1, batch)
        lengths = {"lengths, drawn": spread, "lengths, sorted": np.sort(spread)[::-1]}
        for kind in ("LSTM", "GRU"):
            layer = getattr(nn, kind)(inputs, hidden)
            for what, each in lengths.items():
                share = float(each.sum()) / (steps * batch)
                ragged = training(layer, x, lengths=each.tolist())
                yield f"{kind} {what}", size, ragged, training(layer, x), share, GOAL
    for size in (PLAIN, (20, 1, 8, 32)):
        x, plain = given(size), nn.LSTM(*size[2:])
        for what, make in CELLS.items():
            yield what, size, training(make(*size[2:]), x), training(plain, x), 1.0, 0.0
        kept = nn.LSTM(*size[2:])
        step = training(kept, x)

        def recorded(layer: Any = kept, run: Run = step) -> None:
            with nn.record_gates(layer):
                run()

        yield "LSTM record_gates", size, recorded, training(plain, x), 1.0, 0.0


def main() -> None:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=41)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pin()
    rows = []
    for what, size, run, plain, share, goal in pairs():
        us, theirs, by_call = paired(run, plain, options.repeats, 0.0)
        _, _, in_turns = paired(run, plain, max(5, options.repeats // 4), TURN)
        both = {"call by call": 1 / (share * by_call), "in turns": 1 / (share * in_turns)}
        rows.append(
            {"what": what, "size": size, "us": us, "plain_us": theirs, "share": share}
            | both
            | {"goal": goal}
        )
        print(
            f"{what:30s} {size!s:20s} {us:9.1f} us, plain {theirs:9.1f} us, share {share:.2f}: "
            f"{both['call by call']:.2f} call by call, {both['in turns']:.2f} in turns",
            flush=True,
        )
    write(rows, options.json)


if __name__ == "__main__":
    main()
