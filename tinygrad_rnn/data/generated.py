"""The classic tasks that are generated: exact, and the same for the same generator.

Each function takes a ``numpy.random.Generator`` (the library's own unless given) and returns numpy arrays
with time first, as layers read them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..random import generator_or_default


class Batch(NamedTuple):
    """Inputs ``x`` (time, batch, features) float32 and targets ``y``."""

    x: NDArray[np.float32]
    y: NDArray[Any]


def adding(
    steps: int,
    batch: int,
    generator: np.random.Generator | None = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
) -> Batch:
    """The adding problem (Hochreiter & Schmidhuber 1997, experiment 4; in this form Le et al. 2015).

    At each step a value from U[low, high] and a mark. Two marks are 1, the first uniformly in the first
    half of the sequence, the second in the rest; all others are 0. The target is the sum of the two marked
    values. Who says the mean errs by 2 Var = (high - low)^2 / 6: 1/6 for U[0, 1], 2/3 for U[-1, 1].
    (In 1997 marks were -1 at both ends too, lengths varied, and the target was scaled to [0, 1].)

    x (steps, batch, 2) and y (batch, 1), both float32. Raises ValueError for less than 2 steps or a batch
    of none.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import adding
    >>> x, y = adding(100, 32, np.random.default_rng(0))
    >>> x.shape, y.shape, bool(np.allclose((x[..., 0] * x[..., 1]).sum(0), y[:, 0]))
    ((100, 32, 2), (32, 1), True)
    """
    _sizes("adding", steps, batch, least=2)
    if not low < high:
        raise ValueError(f"adding: low must be below high, got low={low}, high={high}")
    rng = generator_or_default(generator)
    x = np.zeros((steps, batch, 2), np.float32)
    x[..., 0] = rng.uniform(low, high, (steps, batch))
    first = rng.integers(0, steps // 2, batch)
    second = rng.integers(steps // 2, steps, batch)
    rows = np.arange(batch)
    x[first, rows, 1] = x[second, rows, 1] = 1.0
    y = x[first, rows, 0] + x[second, rows, 0]
    return Batch(x, y[:, None])


def _sizes(who: str, steps: int, batch: int, least: int) -> None:
    if steps < least:
        raise ValueError(f"{who}: needs at least {least} steps, got {steps}")
    if batch < 1:
        raise ValueError(f"{who}: needs a batch of at least 1, got {batch}")
