"""What an exchange of gradients costs beside the step that it follows: run it on your own machines.

    mpiexec -n 2 python benchmarks/exchange.py [--repeats 100]

For LSTMs of several sizes: the numbers and bytes of a gradient, the time of one exchange with all ranks
ready (packing, Allreduce, unpacking), that of a training step on this rank's rows, forward and backward,
both float32: the turn at the fastest tenth (others keep a machine busy now and then), of the slowest rank.
One thread a rank. The efficiency that
follows, step / (step + exchange), is that of n ranks against n times one: what the sum itself costs.
"""

from __future__ import annotations

import argparse
import statistics
import time

import pairs  # noqa: F401 (first: it sets threads and the back end)

import tinygrad_rnn as tg
from tinygrad_rnn import distributed, nn

SIZES = [(100, 16, 8, 32), (400, 32, 2, 64), (100, 32, 32, 128), (100, 64, 64, 256)]


def measure(
    world: distributed.World, size: tuple[int, int, int, int], repeats: int
) -> tuple[int, float, float]:
    """(numbers in the gradient, seconds of a step, seconds of an exchange)."""
    steps, batch, features, hidden = size
    lstm = nn.LSTM(features, hidden)
    x = tg.randn(steps, -(-batch // world.size), features)
    taken: list[tuple[float, float]] = []
    for _ in range(repeats + 2):
        lstm.zero_grad()
        start = time.perf_counter()
        y, _ = lstm(x)
        y.square().mean().backward()
        step = time.perf_counter() - start
        world.share(None)  # all are ready
        start = time.perf_counter()
        world.sum_gradients(lstm.parameters())
        taken.append((step, time.perf_counter() - start))
    own = [statistics.quantiles(column, n=10)[0] for column in zip(*taken[2:], strict=True)]
    step, exchange = (max(column) for column in zip(*world.gather(own), strict=True))
    return sum(p.numel() for p in lstm.parameters()), step, exchange


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args()
    world = distributed.World()
    if world.rank == 0:
        print(f"{world.size} ranks, layers are {tg.info()['compiled layers']}")
        print("T, B, I, H            numbers     bytes   step, ms   exchange, ms   efficiency")
    for size in SIZES:
        count, step, exchange = measure(world, size, options.repeats)
        if world.rank == 0:
            print(
                f"{', '.join(map(str, size)):<18} {count:>10,} {4 * count:>9,} {1e3 * step:>10.2f} "
                f"{1e3 * exchange:>14.3f} {step / (step + exchange):>12.0%}"
            )


if __name__ == "__main__":
    main()
