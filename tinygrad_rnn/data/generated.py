"""Which classic tasks are generated? Exact ones, the same for the same generator.

Each function takes a ``numpy.random.Generator`` (the library's own unless given) and returns numpy arrays
with time first, as layers read them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.random import generator_or_default


class Batch(NamedTuple):
    """Inputs ``x`` (time, batch, features) and targets ``y``; floats are float32 unless said otherwise."""

    x: NDArray[Any]
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
    values. The mean squared error of the mean is 2 Var = (high - low)^2 / 6: 1/6 for U[0, 1], 2/3 for
    U[-1, 1]. (In 1997 marks were -1 at both ends too, lengths varied, and the target was scaled to [0, 1].)

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


def sine_waves(
    steps: int, batch: int, generator: np.random.Generator | None = None, *, period: float = 25.0
) -> Batch:
    """Sine waves that start anywhere: x_t = sin(2 pi t / period + phase), and y_t = x_{t+1}.

    The phases are from U[0, 2 pi]; x and y (steps, batch, 1) are float64, for a forecast that is fed to
    itself turns rounding into phase. A linear forecast is exact, x_{t+1} = 2 cos(2 pi / period) x_t -
    x_{t-1}, and the mean, 0, has a root mean square error of sqrt(1/2). Raises ValueError for no
    step, a batch of none, or a period of at most 2 steps.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import sine_waves
    >>> x, y = sine_waves(100, 3, np.random.default_rng(0))
    >>> x.shape, bool(np.array_equal(x[1:], y[:-1])), bool(np.allclose(x[25:], x[:-25]))
    ((100, 3, 1), True, True)
    """
    _sizes("sine_waves", steps, batch, least=1)
    if not period > 2:
        raise ValueError(f"sine_waves: a period is more than 2 steps long, got {period}")
    phases = generator_or_default(generator).uniform(0, 2 * np.pi, batch)
    wave = np.sin(2 * np.pi * np.arange(steps + 1)[:, None] / period + phases)[:, :, None]
    return Batch(wave[:-1], wave[1:])


def temporal_order(
    steps: int, batch: int, generator: np.random.Generator | None = None, *, bits: int = 3
) -> Batch:
    """The temporal order problem (Hochreiter & Schmidhuber 1997, experiments 6a and 6b), at a fixed length.

    One-hot symbols in the order EBabcdXY: a sequence begins with E and ends with B; between them are
    distractors from abcd but for ``bits`` places, each X or Y. The class is their order read as a binary
    number, the first place the highest bit, X 0 and Y 1: 8 classes for 3 bits, 4 for 2. The places are
    uniform in windows at 10% to 20%, 33% to 43% and 66% to 76% of the length; for 2 bits 10% to 20% and
    50% to 60%, as in 1997, where lengths varied from 100 to 110.

    x (steps, batch, 8) float32 and y (batch,) int64. Raises ValueError for less than 10 steps, a batch of
    none, or other than 2 or 3 bits.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import temporal_order
    >>> x, y = temporal_order(50, 4, np.random.default_rng(0))
    >>> x.shape, y.shape, int(x[0, 0].argmax()), int(x[-1, 0].argmax())
    ((50, 4, 8), (4,), 0, 1)
    """
    _sizes("temporal_order", steps, batch, least=10)
    if bits not in (2, 3):
        raise ValueError(f"temporal_order: bits must be 2 or 3, got {bits}")
    rng = generator_or_default(generator)
    symbols = rng.integers(2, 6, (steps, batch))
    symbols[0], symbols[-1] = 0, 1
    y = np.zeros(batch, np.int64)
    rows = np.arange(batch)
    for percent in (10, 33, 66) if bits == 3 else (10, 50):
        first, last = percent * steps // 100, (percent + 10) * steps // 100
        at, bit = rng.integers(first, last + 1, batch), rng.integers(0, 2, batch)
        symbols[at, rows] = 6 + bit
        y = 2 * y + bit
    return Batch(np.eye(8, dtype=np.float32)[symbols], y)


def copying_memory(
    delay: int, batch: int, generator: np.random.Generator | None = None, *, length: int = 10
) -> Batch:
    """The copying memory problem (Hochreiter & Schmidhuber 1997; in this form Arjovsky et al. 2016).

    Ten symbols, each one of eight, then blanks for ``delay`` steps, the last of them a mark that asks for
    them, then blanks; the target is blank until, in the last ten steps, it is the ten symbols in order.
    With ``length`` symbols there are ``delay + 2 length`` steps. Without memory the best forecast is blank
    and then guess: cross entropy ``length ln 8 / (delay + 2 length)``.

    x (delay + 2 length, batch, 10) float32, one-hot with the blank at 8 and the mark at 9; y (delay +
    2 length, batch) int64. Raises ValueError for a delay, batch or length below 1.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import copying_memory
    >>> x, y = copying_memory(5, 1, np.random.default_rng(0), length=2)
    >>> x[:, 0].argmax(-1).tolist(), y[:, 0].tolist()
    ([6, 5, 8, 8, 8, 8, 9, 8, 8], [8, 8, 8, 8, 8, 8, 8, 6, 5])
    """
    _sizes("copying_memory", delay, batch, least=1)
    if length < 1:
        raise ValueError(f"copying_memory: length must be at least 1, got {length}")
    rng = generator_or_default(generator)
    steps = delay + 2 * length
    symbols = np.full((steps, batch), 8)
    symbols[:length] = rng.integers(0, 8, (length, batch))
    y = np.full((steps, batch), 8, np.int64)
    y[-length:] = symbols[:length]
    symbols[length + delay - 1] = 9
    return Batch(np.eye(10, dtype=np.float32)[symbols], y)


def _sizes(who: str, steps: int, batch: int, least: int) -> None:
    if steps < least:
        raise ValueError(f"{who}: needs at least {least} steps, got {steps}")
    if batch < 1:
        raise ValueError(f"{who}: needs a batch of at least 1, got {batch}")
