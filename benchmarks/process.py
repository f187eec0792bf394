"""What a process costs: a small script from its start, a large cell's first call, memory of training.

    python benchmarks/process.py [--repeats 5] [--json benchmarks/results/process.json]

The script trains an LSTM (H=32) and a linear head by Adam on a sine of 100 steps, for 10 iterations, and
is run in a process of its own from import to exit: as installed (numpy runs the first calls), from machine
code alone with an empty cache and with a full one, on numpy alone, and the same script on PyTorch; wall time,
the median, pinned to one core. The large cell is a Runge-Kutta step of order four with 4 substeps, its first
training step with an empty cache. Memory is what numpy holds at the most in the first two training steps
(``tracemalloc``), of a GRU through that of an LSTM, T=200, B=32, I=16, H=64.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairs import pin, write  # first: it sets threads and the back end

from recurrent import OURS, SCRIPT, THEIRS

LARGE = """
import time, tinygrad_rnn as tg
from tinygrad_rnn import nn

class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.u = nn.Linear(4, 32), nn.Linear(32, 32)

    def slope(self, x, h):
        return tg.tanh(self.w(x) + self.u(h)) - h

    def forward(self, x, h):
        d = 0.25
        for _ in range(4):
            a = self.slope(x, h)
            b = self.slope(x, h + d / 2 * a)
            c = self.slope(x, h + d / 2 * b)
            e = self.slope(x, h + d * c)
            h = h + d / 6 * (a + 2 * b + 2 * c + e)
        return h, h

    def initial_state(self, batch):
        return tg.zeros(batch, 32)

layer, x = nn.Recurrent(Cell()), tg.randn(20, 8, 4)
start = time.perf_counter()
y, _ = layer(x)
(y * y).sum().backward()
print(time.perf_counter() - start)
"""


def process(code: str, cache: str, back_end: str | None, *words: str) -> tuple[float, str]:
    """(seconds from start to exit, what it printed)."""
    env = {**os.environ, "TINYGRAD_RNN_CACHE": cache}
    for name in ("TINYGRAD_RNN_BACKEND", "PYTHONDONTWRITEBYTECODE"):  # pip leaves bytecode, too
        env.pop(name, None)
    if back_end:
        env["TINYGRAD_RNN_BACKEND"] = back_end
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=env, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - start, done.stdout


def scripts(repeats: int) -> list[dict[str, Any]]:
    """The small script, each way."""
    code = OURS + SCRIPT.replace("range(200)", "range(10)")
    theirs = THEIRS + SCRIPT.replace("range(200)", "range(10)")
    with tempfile.TemporaryDirectory() as full:
        for back_end in ("numba", None):
            process(code, full, back_end)

        def median(run: Callable[[str], float]) -> float:
            taken = []
            for _ in range(repeats):
                with tempfile.TemporaryDirectory() as empty:
                    taken.append(run(empty))
            return statistics.median(taken)

        ways: dict[str, tuple[Callable[[str], float], float]] = {
            "as installed, empty cache": (lambda empty: process(code, empty, None)[0], 0.4),
            "as installed, full cache": (lambda _: process(code, full, None)[0], 0.4),
            "machine code from the first call, empty cache": (
                lambda empty: process(code, empty, "numba")[0],
                0,
            ),
            "machine code from the first call, full cache": (
                lambda _: process(code, full, "numba")[0],
                0,
            ),
            "numpy alone": (lambda empty: process(code, empty, "numpy")[0], 0),
        }
        if find_spec("torch"):
            ways["the same script on PyTorch"] = (lambda empty: process(theirs, empty, None)[0], 0)
        ways["import numpy alone"] = (lambda empty: process("import numpy", empty, None)[0], 0)
        found = []
        for words, (run, goal) in ways.items():
            row = {"what": f"script of 10 steps: {words}", "value": median(run), "unit": "s"}
            found.append({**row, "goal": goal})
    return found


def large(repeats: int) -> list[dict[str, Any]]:
    """The large cell's first training step, machine code, nothing cached."""
    taken = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as empty:
            taken.append(float(process(LARGE, empty, "numba")[1]))
    words = "Runge-Kutta cell with 4 substeps: first training step, empty cache"
    return [{"what": words, "value": statistics.median(taken), "unit": "s", "goal": 3.0}]


PEAK = """
import sys, tracemalloc, numpy as np, tinygrad_rnn as tg
from tinygrad_rnn import nn

layer, x = getattr(nn, sys.argv[-1])(16, 64), np.zeros((200, 32, 16), np.float32)

def step(data):
    layer.zero_grad()
    y, _ = layer(data)
    (y * y).sum().backward()

for _ in range(5):
    step(tg.tensor(x[:2]))  # what is compiled is compiled
data = tg.tensor(x)
tracemalloc.start()
step(data), step(data)
print(tracemalloc.get_traced_memory()[1])
"""


def memory() -> list[dict[str, Any]]:
    """Peaks of the first two training steps of a length, each in a process: buffers that are kept count."""
    with tempfile.TemporaryDirectory() as cache:
        kinds = ("LSTM", "GRU", "RNN")
        found = {kind: float(process(PEAK, cache, "numba", kind)[1]) / 1e6 for kind in kinds}
    rows = [
        {"what": f"{kind}, training step: most memory", "value": mb, "unit": "MB", "goal": 0}
        for kind, mb in found.items()
    ]
    ratio = found["GRU"] / found["LSTM"]
    return [
        *rows,
        {"what": "GRU's memory through LSTM's", "value": ratio, "unit": "", "goal": 0.75},
    ]


def main() -> None:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pin()
    rows = [*memory(), *large(min(3, options.repeats)), *scripts(options.repeats)]
    for row in rows:
        said = "" if not row["goal"] else "pass" if row["value"] <= row["goal"] else "MISS"
        print(f"{row['what']:70s} {row['value']:8.3f} {row['unit']:3s} {said}")
    write(rows, options.json)


if __name__ == "__main__":
    main()
