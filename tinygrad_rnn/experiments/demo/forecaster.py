"""Which model does the demo train? One LSTM and a linear head, from this year's value to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import nn, optim
from ...engine.random import manual_seed
from ...engine.switches import no_grad
from ...tensors import Tensor, tensor

HIDDEN, STEPS, RATE = 8, 300, 0.03
FIRST, LAST_TRAINED, LAST_TESTED = 1700, 1920, 1955
VARIANCE_UNTIL = 1979  # the record that average relative variance was defined on ends here


class SunspotForecaster(nn.Module):
    """An LSTM that reads the series a year at a time, and a head that names the next value.

    ``y_t, (h_t, c_t) = LSTM(x_t, (h_{t-1}, c_{t-1}))``; ``forecast of x_{t+1} = head(y_t)``

    x (time, batch, 1) gives the forecasts (time, batch, 1).

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.experiments.demo.forecaster import SunspotForecaster
    >>> SunspotForecaster()(tg.zeros(7, 1, 1)).shape
    (7, 1, 1)
    """

    def __init__(self, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, hidden)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: Any) -> Tensor:
        """One forecast a step."""
        y, _ = self.lstm(x)
        result: Tensor = self.head(y)
        return result


class Trained(NamedTuple):
    """A trained model, the largest value of its years (it sees values divided by it), its losses."""

    model: SunspotForecaster
    scale: float
    losses: list[float]

    def sequence(self, values: NDArray[Any]) -> Tensor:
        """Values (n,) as the model reads them: (n, 1, 1)."""
        return tensor(values / self.scale).reshape(-1, 1, 1)

    def forecast(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """One-step forecasts: n values in, n - 1 out, the first of them of ``values[1]``."""
        with no_grad():
            made = self.model(self.sequence(values[:-1])).numpy()
        forecasts: NDArray[np.float64] = made.ravel().astype(np.float64) * self.scale
        return forecasts


def train(
    values: NDArray[Any],
    seed: int = 0,
    *,
    steps: int = STEPS,
    rate: float = RATE,
    falls: bool = True,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Trained:
    """Fit a :class:`SunspotForecaster` to a series (n,), by Adam on the whole sequence at once.

    The learning rate starts at ``rate`` and, where it ``falls``, goes down to 0 in equal steps.
    ``progress`` may wrap the count of the training steps in a bar. The same seed gives the same bits.
    """
    manual_seed(seed)
    model = SunspotForecaster()
    done = Trained(model, float(values.max()), [])
    series = done.sequence(values)
    optimizer = optim.Adam(model.parameters(), lr=rate)
    for k in progress(range(steps)):
        if falls:
            optimizer.param_groups[0]["lr"] = rate * (1 - k / steps)
        loss = nn.functional.mse_loss(model(series[:-1]), series[1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        done.losses.append(loss.item())
    return done
