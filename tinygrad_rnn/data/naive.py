"""What forecasts need no training? The last value, and the value a season ago."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .cutting import check_count


def persistence(values: ArrayLike, horizon: int) -> NDArray[np.float64]:
    """The last value, ``horizon`` times: (n,) or (n, columns) in, (horizon,) or (horizon, columns) out.

    Raises ValueError for a horizon below 1, or no values.

    >>> from tinygrad_rnn.data import persistence
    >>> persistence([1.0, 2.0, 3.0], 2)
    array([3., 3.])
    """
    return seasonal_naive(values, horizon, 1)


def seasonal_naive(values: ArrayLike, horizon: int, season: int) -> NDArray[np.float64]:
    """The last whole season, again and again: step h is what came ``season`` rows before it.

    (n,) or (n, columns) in, (horizon,) or (horizon, columns) out. Raises ValueError for a horizon or season
    below 1, and where there is no whole season.

    >>> from tinygrad_rnn.data import seasonal_naive
    >>> seasonal_naive([9.0, 1.0, 2.0, 3.0], 5, season=3)
    array([1., 2., 3., 1., 2.])
    """
    found = np.asarray(values, np.float64)
    check_count("horizon", horizon)
    check_count("season", season)
    if len(found) < season:
        raise ValueError(f"a season of {season} rows needs as many values, got {len(found)}")
    last: NDArray[np.float64] = found[len(found) - season :]
    return last[np.arange(horizon) % season]
