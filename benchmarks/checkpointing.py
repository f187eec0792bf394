"""What recomputing costs and saves: bytes held and time, an LSTM over T=1000 steps in segments.

    python benchmarks/checkpointing.py [--steps 1000] [--batch 16] [--hidden 32] [--repeats 5]

Bytes are tracemalloc's: held after the forward, and the peak of forward + backward; time is the median
of forward + backward without tracemalloc. One thread.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import tracemalloc
from typing import Any

from pairs import seconds  # first: it sets threads and the back end

import tinygrad_rnn as tg


def forward(lstm: Any, x: Any, size: int) -> Any:
    """The loss over all steps, in checkpointed segments of ``size`` (0: without)."""
    if not size:
        return lstm(x)[0].square().sum()
    state, loss = None, tg.tensor(0.0)
    for start in range(0, x.shape[0], size):
        y, state = tg.checkpoint(lstm, x[start : start + size], state)
        loss = loss + y.square().sum()
    return loss


def measure(lstm: Any, x: Any, size: int, repeats: int) -> tuple[float, float, float]:
    """(MB held after the forward, MB at the peak, ms)."""
    times = [
        seconds(lambda: forward(lstm, x, size).backward(), 1, time.perf_counter)
        for _ in range(repeats + 1)
    ]
    gc.collect()
    tracemalloc.start()
    loss = forward(lstm, x, size)
    held, _ = tracemalloc.get_traced_memory()
    loss.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / 1e6, peak / 1e6, 1e3 * statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    tg.manual_seed(0)
    lstm = tg.nn.LSTM(8, args.hidden)
    x = tg.randn(args.steps, args.batch, 8)
    print(f"{'segment':>8} {'held MB':>9} {'peak MB':>9} {'ms':>8} {'bytes':>7} {'time':>6}")
    base: tuple[float, float, float] | None = None
    for size in (0, 250, 100, 50, 32, 20, 10):
        held, peak, ms = measure(lstm, x, size, args.repeats)
        base = base or (held, peak, ms)
        print(
            f"{size or 'none':>8} {held:9.2f} {peak:9.2f} {ms:8.1f} "
            f"{peak / base[1]:6.2f}x {ms / base[2]:5.2f}x"
        )


if __name__ == "__main__":
    main()
