"""How good would the forecasts have been? From one origin after another, beside what needs no training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data import Table, persistence, seasonal_naive
from ..data.cutting import check_count
from ..data.dates import dates_of
from ..data.tables import is_many, table
from .results import pandas_or_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .forecaster import Forecaster

Values = NDArray[np.float64]
MODEL, PERSISTENCE = "model", "persistence"


@dataclass(frozen=True)
class Backtest:
    """Forecasts (origins, horizon, targets) by name, and ``actual``, what came; made by ``backtest``.

    ``forecasts`` has "model", "persistence" and, with a season, "seasonal naive"; ``origins`` are the numbers
    of the first rows that were forecast, ``starts`` their dates or None. Missing actual values are NaN.

    >>> import numpy as np
    >>> from tinygrad_rnn.forecasting import Backtest
    >>> came = np.array([[[1.0], [2.0]], [[2.0], [3.0]]])
    >>> made = Backtest({"model": came + 1, "persistence": came - 2}, came, ("load",), np.array([5, 6]))
    >>> made.rmse("persistence").tolist(), made.skill().tolist()
    ([[2.0], [2.0]], [[0.75], [0.75]])
    """

    forecasts: dict[str, Values]
    actual: Values
    names: tuple[str, ...]
    origins: NDArray[np.int64]
    starts: Any = None
    level: float | None = None
    lower: Values | None = None
    upper: Values | None = None

    @property
    def horizon(self) -> int:
        """How many rows each forecast has."""
        return int(self.actual.shape[1])

    def rmse(self, name: str = MODEL) -> Values:
        """The root of the mean squared error by step of the horizon, (horizon, targets)."""
        found: Values = np.sqrt(_mean((self._named(name) - self.actual) ** 2))
        return found

    def mae(self, name: str = MODEL) -> Values:
        """The mean absolute error by step of the horizon, (horizon, targets)."""
        return _mean(np.abs(self._named(name) - self.actual))

    def skill(self, name: str = MODEL, against: str = PERSISTENCE) -> Values:
        """1 - MSE / MSE of another forecast, by step: 1 is perfect, below 0 worse than the other.

        NaN where the other makes no error at all.
        """
        ours, other = self.rmse(name), self.rmse(against)
        found: Values = 1 - (ours / np.where(other == 0, np.nan, other)) ** 2
        return found

    def coverage(self) -> Values:
        """The share of what came that lay in the intervals, by step: to be near ``level``.

        Raises ValueError where the backtest was made without a level.
        """
        if self.lower is None or self.upper is None:
            raise ValueError("the backtest has no intervals: backtest(..., level=0.9)")
        inside = (self.actual >= self.lower) & (self.actual <= self.upper)
        return _mean(np.where(np.isnan(self.actual), np.nan, inside))

    def rows(self, target: Any = None) -> tuple[list[str], list[list[str]]]:
        """RMSE by step as a table, head and rows of text; the last row is the mean over the steps."""
        k = self._place(target)
        head = ["step", *self.forecasts]
        columns = [self.rmse(name)[:, k] for name in self.forecasts]
        if self.level is not None:
            head.append(f"in {self.level:.0%}")
            columns.append(self.coverage()[:, k])
        lines = [[str(h + 1), *(_said(c[h]) for c in columns)] for h in range(self.horizon)]
        return head, [*lines, ["mean", *(_said(c.mean()) for c in columns)]]

    def best(self, target: Any = None) -> str:
        """The name of the forecast with the smallest mean RMSE."""
        k = self._place(target)
        return min(self.forecasts, key=lambda name: float(self.rmse(name)[:, k].mean()))

    def to_frame(self) -> Any:
        """A DataFrame of RMSE and MAE by target, name and step. Raises ImportError without pandas."""
        pandas = pandas_or_error()
        lines = [
            {"target": target, "forecast": name, "step": h + 1, "rmse": rmse, "mae": mae}
            for k, target in enumerate(self.names)
            for name in self.forecasts
            for h, (rmse, mae) in enumerate(
                zip(self.rmse(name)[:, k], self.mae(name)[:, k], strict=True)
            )
        ]
        return pandas.DataFrame(lines)

    def plot(self, target: Any = None) -> Figure:
        """RMSE by step of each forecast. Returns a matplotlib Figure (ImportError without it)."""
        from ..plots import plot_history

        k = self._place(target)
        return plot_history(
            {name: self.rmse(name)[:, k] for name in self.forecasts},
            ylabel=f"RMSE of {self.names[k]}",
            xlabel="steps ahead",
            log=False,
        )

    def __str__(self) -> str:
        said = []
        for name in self.names:
            head, rows = self.rows(name)
            wide = [max(len(line[i]) for line in (head, *rows)) for i in range(len(head))]
            lines = [
                "  ".join(cell.rjust(w) for cell, w in zip(line, wide, strict=True))
                for line in (head, *rows)
            ]
            said.append("\n".join([f"RMSE of {name}, {len(self.origins)} origins", *lines]))
        return "\n\n".join(said)

    def __repr__(self) -> str:
        return f"Backtest({len(self.origins)} origins, horizon {self.horizon}, best: {self.best()})"

    def _named(self, name: str) -> Values:
        """A forecast by its name, or by how only one of them begins ("seasonal naive")."""
        found = [one for one in self.forecasts if one.startswith(str(name))]
        if name in self.forecasts or len(found) == 1:
            return self.forecasts[name if name in self.forecasts else found[0]]
        raise ValueError(f"there is no forecast {name!r}: {', '.join(map(repr, self.forecasts))}")

    def _place(self, target: Any) -> int:
        if target is None:
            return 0
        if target not in self.names:
            raise ValueError(f"there is no target {target!r}: {', '.join(map(repr, self.names))}")
        return self.names.index(target)


def rolling_origin(
    forecaster: Forecaster,
    series: Any,
    horizon: int,
    start: Any,
    stride: int,
    season: int | None,
    level: float | None,
    samples: int,
    refit: bool,
) -> Backtest:
    """The work of ``Forecaster.backtest``."""
    for name, value in (("horizon", horizon), ("stride", stride)):
        check_count(name, value)
    forecaster._check_level(level, samples)
    if is_many(series):
        raise ValueError("backtest takes one series: call it for each of the list")
    whole = forecaster._checked(table(series))
    origins = _origins(forecaster, whole, horizon, start, stride, refit)
    if season is None:
        season = whole.frequency.season if whole.frequency else None
    check_count("season", 1 if season is None else season)
    made: dict[str, list[Values]] = {MODEL: [], PERSISTENCE: []}
    bounds: list[tuple[Values, Values]] = []
    targets = whole.columns(forecaster.targets)
    for origin in origins.tolist():
        before = whole[:origin].filled(forecaster.missing)
        model = forecaster
        if refit:
            model = forecaster.clone().fit(
                whole[:origin], forecaster.targets, **forecaster._training, progress=False
            )
        known = None
        if forecaster.known:
            ahead = whole[origin : origin + horizon].columns(forecaster.known)
            known = ahead.filled(forecaster.missing)
        forecast = model.forecast(horizon, before, known=known, level=level, samples=samples)
        made[MODEL].append(forecast.values)
        if level is not None:
            bounds.append((forecast.lower, forecast.upper))
        past = before.columns(forecaster.targets).values
        made[PERSISTENCE].append(persistence(past, horizon))
        if season is not None and 1 < season <= int(origins[0]):
            made.setdefault(f"seasonal naive ({season})", []).append(
                seasonal_naive(past, horizon, season)
            )
    rows = origins[:, None] + np.arange(horizon)
    starts = None if whole.dates is None else whole.dates[origins]
    lower, upper = (
        (np.stack(side) for side in zip(*bounds, strict=True)) if bounds else (None, None)
    )
    return Backtest(
        {name: np.stack(many) for name, many in made.items()},
        targets.values[rows], forecaster.targets, origins, starts, level, lower, upper,
    )  # fmt: skip


def _origins(
    forecaster: Forecaster, whole: Table, horizon: int, start: Any, stride: int, refit: bool
) -> NDArray[np.int64]:
    """The rows at which forecasts begin."""
    fitted = _fitted_rows(forecaster, whole)
    if start is None:
        first = fitted or forecaster.window
    elif isinstance(start, (int, np.integer)):
        first = int(start) + (len(whole) if start < 0 else 0)
    elif whole.dates is None:
        raise ValueError(f"start={start!r} is a date, and the series has none")
    else:
        (when,) = dates_of([start], "start")
        first = int(np.searchsorted(whole.dates, when))
    if first < fitted and not refit:
        raise ValueError(
            f"{whole.row(first)} is among the {fitted} rows that were fitted: its forecast would be tested "
            "on what it was trained on; start later, or refit=True"
        )
    least = forecaster.window + 1 if refit else 1
    if first < least or first + horizon > len(whole):
        raise ValueError(
            f"the series has {len(whole)} rows, {fitted} of them fitted, and none is left to test "
            f"{horizon} rows ahead from row {first} on: fit on its beginning, such as series[:-100]"
        )
    return np.arange(first, len(whole) - horizon + 1, stride)


def _fitted_rows(forecaster: Forecaster, whole: Table) -> int:
    """How many rows of a series were fitted: by their dates, or as if it began with them."""
    if whole.dates is None or forecaster.last_date is None:
        return forecaster.trained_rows
    return int(np.searchsorted(whole.dates, forecaster.last_date, side="right"))


def _mean(values: Values) -> Values:
    """Over the origins, without what is missing."""
    there = ~np.isnan(values)
    count = there.sum(0)
    with np.errstate(invalid="ignore"):
        found: Values = np.where(there, values, 0.0).sum(0) / count
    return found


def _said(value: float) -> str:
    return f"{value:.4g}"
