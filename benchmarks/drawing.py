"""How long a picture takes beside the recording of what it shows: T = 3, 100, 10^4, 10^5.

    python benchmarks/drawing.py [--repeats 3] [--steps 3 100 10000 100000]

An LSTM (4 inputs, 3 hidden units, batch 1), compiled as it is by itself, and recorded op by op
(``layer.compiled = False``). "recording" is the layer's call, "drawing" what comes after it: reading the
graph, placing everything, and Graphviz's SVG. The least over the repeats, seconds; "nodes" are those of
the DOT text. Prints the table in docs/guides/drawing.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.draw import to_dot
from tinygrad_rnn.drawing.output import backend


def measured(steps: int, compiled: bool, folder: Path) -> dict[str, float]:
    """The seconds of recording and of drawing at both levels, and how many nodes were written."""
    layer = nn.LSTM(4, 3)
    layer.compiled = compiled
    x = tg.randn(steps, 1, 4)
    start = time.perf_counter()
    y, _ = layer(x)
    found = {"recording": time.perf_counter() - start}
    for level in ("cell", "op"):
        start = time.perf_counter()
        tg.draw(y, folder / "drawing.svg", level=level)
        found[level] = time.perf_counter() - start
    for level in ("cell", "op"):
        found[f"{level} nodes"] = to_dot(tg.graph(y), level).count('pos="')
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, nargs="+", default=[3, 100, 10_000, 100_000])
    options = parser.parse_args()
    nn.LSTM(4, 3)(tg.randn(3, 1, 4))  # traced and compiled before the clock runs
    print(f"drawn by {backend()}\n")
    print("| LSTM | T | recording | drawing cells | drawing ops | nodes: cells | nodes: ops |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for compiled in (True, False):
            for steps in options.steps:
                runs = [measured(steps, compiled, Path(folder)) for _ in range(options.repeats)]
                best = {key: min(run[key] for run in runs) for key in runs[0]}
                times = [f"{best[key]:.3f} s" for key in ("recording", "cell", "op")]
                nodes = [f"{best[f'{level} nodes']:,}" for level in ("cell", "op")]
                name = "compiled" if compiled else "recorded op by op"
                print(f"| {name} | {steps:,} | {' | '.join([*times, *nodes])} |", flush=True)


if __name__ == "__main__":
    main()
