"""What is a forecast? Rows with dates and names, perhaps between bounds, that plot and become a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """``values`` (n, targets) in the series' unit, ``names`` of the targets, ``dates`` (n,) or None.

    With ``level`` the bounds ``lower`` and ``upper`` (n, targets) hold that share of the sampled courses.
    ``history`` is the series that it goes on from. numpy takes a forecast as its values.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import table
    >>> from tinygrad_rnn.forecasting import Forecast
    >>> made = Forecast(np.array([[3.0], [4.0]]), ("load",), table([1.0, 2.0]))
    >>> made
    Forecast(2 rows of load)
    >>> np.asarray(made).ravel()
    array([3., 4.])
    """

    values: Values
    names: tuple[str, ...]
    history: Table
    dates: Any = None
    level: float | None = None
    lower: Values | None = None
    upper: Values | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return np.array(self.values, dtype)

    def __repr__(self) -> str:
        bounds = "" if self.level is None else f", {self.level:.0%} interval"
        return f"Forecast({len(self)} rows of {', '.join(self.names)}{bounds})"

    def columns(self) -> dict[str, Values]:
        """The columns by name; the bounds of ``load`` are ``load lower`` and ``load upper``."""
        found = {}
        for k, name in enumerate(self.names):
            found[name] = self.values[:, k]
            if self.lower is not None and self.upper is not None:
                found[f"{name} lower"], found[f"{name} upper"] = self.lower[:, k], self.upper[:, k]
        return found

    def to_frame(self) -> Any:
        """A DataFrame of :meth:`columns`, by date. Raises ImportError where pandas is missing."""
        pandas = pandas_or_error()
        return pandas.DataFrame(self.columns(), index=self.dates)

    def plot(self, target: Any = None, *, rows: int | None = None) -> Figure:
        """The forecast of one target after the last ``rows`` of its history (four times its own length).

        Returns a matplotlib Figure. Raises ImportError where matplotlib is missing.
        """
        from ..plots import plot_forecast

        place = 0 if target is None else self.history.columns(self.names).places(target)[0]
        name, n = self.names[place], len(self)
        before = self.history.columns(name)[-(4 * n if rows is None else rows) :]
        times: Any = np.arange(1 - len(before), n + 1)
        if self.dates is not None and before.dates is not None:
            times = np.concatenate([before.dates, self.dates])
        gap = np.full(n, np.nan)
        actual = np.concatenate([before.values[:, 0], gap])
        begin = before.values[-1:, 0]  # the lines part where the history ends

        def after(column: Values) -> Values:
            return np.concatenate([np.full(len(before) - 1, np.nan), begin, column])

        band = None
        if self.lower is not None and self.upper is not None:
            band = (after(self.lower[:, place]), after(self.upper[:, place]))
        return plot_forecast(
            times,
            actual,
            {"forecast": after(self.values[:, place])},
            ylabel=name,
            bands={} if band is None else {f"{self.level:.0%} interval": band},
        )


def pandas_or_error() -> Any:
    """The library, or an error that says how to get it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "a DataFrame needs pandas, which is not installed: `pip install pandas`"
        ) from error
    return pandas
