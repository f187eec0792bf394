"""A stream of 10^6 steps in chunks with carried state: is the process's size flat, and the time a step?

    python benchmarks/streams.py [--steps 1000000] [--chunk 100]

An LSTM (1 feature, 8 hidden units, batch 1) learns to say the next value of a noisy sine that is made
as it goes: each chunk is a forward pass, a backward pass and an SGD step, then ``state.detach()``.
Printed at 10^3, 10^4 ... steps: microseconds a step since the line before, and the process's size.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import pairs  # noqa: F401 (first: it sets threads and the back end)

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


def size_in_mb() -> float:
    """The process's resident size now; its largest so far where the system tells only that."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )


def main() -> int:
    """Run the stream; exit 1 where size or time a step grew by more than a tenth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10**6)
    parser.add_argument("--chunk", type=int, default=100)
    options = parser.parse_args()
    tg.manual_seed(0)
    noise = np.random.default_rng(0)
    lstm, head = nn.LSTM(1, 8), nn.Linear(8, 1)
    optimizer = optim.SGD([*lstm.parameters(), *head.parameters()], lr=0.05)
    state, mark, rows = None, 1000, []
    start, last = time.perf_counter(), 0
    for begin in range(0, options.steps, options.chunk):
        t = np.arange(begin, begin + options.chunk + 1)
        wave = (np.sin(t / 5) + 0.1 * noise.standard_normal(t.size)).astype(np.float32)
        y, state = lstm(wave[:-1, None, None], state)
        loss = nn.functional.mse_loss(head(y), wave[1:, None, None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = tg.detach(state)
        done = begin + options.chunk
        if done >= mark:
            now = time.perf_counter()
            rows.append((done, (now - start) / (done - last) * 1e6, size_in_mb()))
            _, micros, size = rows[-1]
            print(
                f"{done:>9,} steps  {micros:6.1f} us a step  {size:6.1f} MB  loss {loss.item():.4f}"
            )
            start, last, mark = now, done, mark * 10
    first, final = rows[0], rows[-1]
    flat = final[2] <= 1.1 * first[2] and final[1] <= 1.1 * first[1]
    slower, larger = final[1] / first[1], final[2] / first[2]
    print(f"size x {larger:.2f}, time a step x {slower:.2f}: {'flat' if flat else 'GROWS'}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
