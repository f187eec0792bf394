"""What is a forecast measured against? Linear autoregression, and errors beside persistence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Autoregression:
    """A linear forecast from the last p values; made by :func:`fit_autoregression`.

    ``x_t = intercept + weights[0] x_{t-1} + ... + weights[p-1] x_{t-p} + known_t @ known_weights``,
    where ``known_t`` is what is known of step t beforehand (the time of the year); by default nothing.
    """

    intercept: float
    weights: Values
    known_weights: Values | None = None

    @property
    def order(self) -> int:
        """p, how many values back it looks."""
        return len(self.weights)

    def forecast(self, values: ArrayLike, known: ArrayLike | None = None) -> Values:
        """One-step forecasts: n values in, n - p out, the first of them of ``values[p]``.

        Each uses the p values before it, and its own row of ``known`` (n, k). Raises ValueError where
        there are no more than p values, or ``known`` is not what was fitted.

        >>> import numpy as np
        >>> from tinygrad_rnn.data import Autoregression
        >>> Autoregression(1.0, np.array([2.0])).forecast([3.0, 4.0])
        array([7.])
        """
        series = _series(values)
        found: Values = _lagged(series, self.order) @ self.weights + self.intercept
        columns = _known(known, len(series))
        fitted = np.zeros(0) if self.known_weights is None else self.known_weights
        if columns.shape[1] != len(fitted):
            raise ValueError(f"known has {columns.shape[1]} columns, and {len(fitted)} were fitted")
        return found + columns[self.order :] @ fitted


def fit_autoregression(
    values: ArrayLike, order: int, known: ArrayLike | None = None
) -> Autoregression:
    """The AR(p) with intercept that fits ``values`` (n,) best in squared error (Yule 1927).

    ``known`` (n, k) may hold what is known of each step beforehand, such as sine and cosine of the time of
    the year. Returns the fitted :class:`Autoregression`. Raises ValueError where ``order`` is no positive
    integer, the series has too few values to determine its ``order + k + 1`` numbers, or ``known`` has
    another number of rows.

    >>> from tinygrad_rnn.data import fit_autoregression
    >>> doubling = fit_autoregression([1.0, 2.0, 4.0, 8.0, 16.0], order=1)
    >>> round(float(doubling.weights[0]), 6)
    2.0
    """
    series = _series(values)
    if order < 1:
        raise ValueError(f"an autoregression looks back at least 1 step, got order={order}")
    beside = _known(known, len(series))
    least = 2 * order + 1 + beside.shape[1]
    if len(series) < least:
        raise ValueError(f"AR({order}) needs at least {least} values, got {len(series)}")
    lagged = _lagged(series, order)
    columns = np.column_stack([np.ones(len(lagged)), lagged, beside[order:]])
    found, *_ = np.linalg.lstsq(columns, series[order:], rcond=None)
    weights, rest = found[1 : order + 1], found[order + 1 :]
    return Autoregression(float(found[0]), weights, rest if known is not None else None)


class Errors(NamedTuple):
    """How far forecasts are off.

    ``rmse`` is in the series' own unit; ``skill`` is 1 - MSE / MSE of persistence (1 is perfect, 0
    as good as persistence, negative worse); ``arv`` is MSE / variance, the average relative variance
    (Weigend, Huberman & Rumelhart 1990).
    """

    rmse: float
    skill: float
    arv: float


def forecast_errors(
    forecast: ArrayLike, actual: ArrayLike, before: ArrayLike, variance: float
) -> Errors:
    """Measure forecasts (n,) against what came, ``actual`` (n,).

    ``before`` (n,) holds the values of one step earlier, which persistence forecasts; ``variance`` is
    that of the series. Where persistence makes no error at all, ``skill`` is NaN. Raises ValueError
    where the lengths differ or there is nothing to measure.

    >>> from tinygrad_rnn.data import forecast_errors
    >>> forecast_errors([2.0, 4.0], [3.0, 5.0], before=[1.0, 3.0], variance=4.0)
    Errors(rmse=1.0, skill=0.75, arv=0.25)
    """
    made, came, last = _series(forecast), _series(actual), _series(before)
    if not len(made) == len(came) == len(last) or not len(came):
        raise ValueError(
            f"forecast, actual and before must have one length: {len(made)}, {len(came)}, {len(last)}"
        )
    mse = float(np.mean((made - came) ** 2))
    persistence = float(np.mean((last - came) ** 2))
    skill = 1 - mse / persistence if persistence else float("nan")
    return Errors(mse**0.5, skill, mse / float(variance))


def _series(values: ArrayLike) -> Values:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1:
        raise ValueError(f"a series is one value after another, (n,), and this has {found.shape}")
    return found


def _known(known: ArrayLike | None, steps: int) -> Values:
    """What is known beforehand, a row a step; no columns for None."""
    found = np.zeros((steps, 0)) if known is None else np.asarray(known, dtype=np.float64)
    if found.ndim != 2 or len(found) != steps:
        raise ValueError(f"known must be ({steps}, k), a row a value; it has shape {found.shape}")
    return found


def _lagged(series: Values, order: int) -> NDArray[Any]:
    """Row t holds the ``order`` values before ``series[order + t]``, the latest first."""
    if len(series) <= order:
        raise ValueError(f"AR({order}) forecasts from {order} values on, got {len(series)}")
    windows: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(series[:-1], order)
    return windows[:, ::-1]
