"""What is a series, however it came? Numbers on one grid of dates, named columns, gaps as NaN."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.keywords import clear_keywords
from .calendars import Frequency, day_name
from .dates import Dates, dates_of, groups
from .frames import is_frame, of_frame
from .series import Series, Weekly

Values = NDArray[np.float64]
MISSING = ("error", "interpolate", "forward")


@dataclass(frozen=True)
class Table:
    """A series: ``values`` (n, k) float64, NaN where one is missing; ``names`` of the k columns.

    ``dates`` (n,) datetime64[s] are on the grid of ``frequency``, both None for a series without dates.
    Made by :func:`table` and :func:`read_csv`. A slice of it is the table of those rows.

    >>> from tinygrad_rnn.data import table
    >>> series = table([1.0, 2.0, float("nan"), 4.0])
    >>> len(series), series.names, series.filled("interpolate").values.ravel()
    (4, ('0',), array([1., 2., 3., 4.]))
    """

    values: Values
    names: tuple[str, ...]
    dates: Dates | None = None
    frequency: Frequency | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> Table:
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError(f"a Table is cut by slices of rows, not {rows!r}")
        dates = None if self.dates is None else self.dates[rows]
        return replace(self, values=self.values[rows], dates=dates)

    def places(self, names: Any, what: str = "column") -> list[int]:
        """The places of columns given by name or number, one or several; all of them for None.

        Raises ValueError that lists the names where one is not there.
        """
        if names is None:
            return list(range(len(self.names)))
        asked = list(names) if isinstance(names, (list, tuple, set)) else [names]
        found = []
        for name in asked:
            number = isinstance(name, (int, np.integer)) and not isinstance(name, bool)
            if str(name) in self.names:  # also the label 0 of a frame, wherever it stands
                found.append(self.names.index(str(name)))
            elif number and -len(self.names) <= name < len(self.names):
                found.append(int(name) % len(self.names))
            else:
                raise ValueError(
                    f"there is no {what} {name!r}: the series has {', '.join(map(repr, self.names))}"
                )
        if len({*found}) != len(found) or not found:
            raise ValueError(f"{what}: expected columns, each once, got {names!r}")
        return found

    def columns(self, names: Any) -> Table:
        """The table of these columns alone."""
        places = self.places(names)
        return replace(
            self, values=self.values[:, places], names=tuple(self.names[i] for i in places)
        )

    def filled(self, missing: str = "error") -> Table:
        """The table without missing values, by choice.

        "error" raises ValueError that says where they are; "interpolate" puts straight lines through the
        gaps, and the nearest value at the ends; "forward" repeats the value before. Raises ValueError too for
        a column with nothing in it, and for "forward" where the first value is missing.
        """
        check_missing(missing)
        absent = np.isnan(self.values)
        if not absent.any():
            return self
        if missing == "error":
            raise ValueError(
                f"missing values: {self._where(absent)}; choose missing='interpolate' (straight lines) or "
                "missing='forward' (the value before), or fill them in the data"
            )
        if absent.all(0).any():
            name = self.names[int(absent.all(0).argmax())]
            raise ValueError(f"column {name!r} has no value at all to fill its gaps from")
        if missing == "forward" and absent[0].any():
            name = self.names[int(absent[0].argmax())]
            raise ValueError(
                f"missing='forward': column {name!r} begins without a value, and there is none before it"
            )
        fill = _interpolated if missing == "interpolate" else _forward
        return replace(self, values=np.stack([fill(column) for column in self.values.T], 1))

    def row(self, i: int) -> str:
        """How to call a row: by its date, or its number."""
        return f"row {i}" if self.dates is None else day_name(self.dates[i])

    def _where(self, absent: NDArray[np.bool_]) -> str:
        said = []
        for k in np.flatnonzero(absent.any(0)):
            rows = np.flatnonzero(absent[:, k])
            shown = ", ".join(self.row(int(i)) for i in rows[:3]) + ", ..." * (len(rows) > 3)
            said.append(f"{len(rows)} in column {self.names[k]!r} ({shown})")
        return "; ".join(said)


@clear_keywords
def table(series: Any, dates: Any = None) -> Table:
    """A series as a :class:`Table`: an array (n,) or (n, k), a DataFrame or Series of pandas, a Table.

    A frame's dates are its index, or the column named by ``dates``, or else its one column of dates; an
    array's may be given as ``dates`` (n,), as pandas, Python or numpy has them or as text. Whole numbers are
    dates in a column called "year" or "date", and where all are days such as 20240131. They must rise, each
    once, on one grid; rows absent from the grid are missing values. Times with a zone are taken in UTC, and
    days with a zone as they are. Raises TypeError for a column that is no numbers, with its name and dtype,
    and ValueError for dates that do not rise or are irregular, several series in one frame, infinite values,
    and an empty series.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import table
    >>> days = np.array(["2024-01-01", "2024-01-02", "2024-01-04"], "M8[D]")
    >>> table([1.0, 2.0, 4.0], dates=days).values.ravel()
    array([ 1.,  2., nan,  4.])
    """
    if isinstance(series, Table):
        return series
    if isinstance(series, Series):
        return on_grid(series.values[:, None], ("values",), (series.years - 1970).astype("M8[Y]"))
    if isinstance(series, Weekly):
        return on_grid(series.values[:, None], ("values",), series.dates)
    if is_frame(series):
        return on_grid(*of_frame(series, dates))
    values = _numbers(series)
    when = None if dates is None else dates_of(dates, "dates")
    return on_grid(values, tuple(map(str, range(values.shape[1]))), when)


def _numbers(series: Any) -> Values:
    """An array, or a list of numbers, as (n, k)."""
    if isinstance(series, (str, os.PathLike)):
        raise TypeError(f"a series is numbers; tg.data.read_csv({str(series)!r}) reads a file")
    masked = isinstance(series, np.ma.MaskedArray)
    values = series.astype(np.float64).filled(np.nan) if masked else np.asarray(series)
    if (
        values.dtype == object
        and values.ndim
        and all(v is None or _is_real(v) for v in values.ravel())
    ):
        values = values.astype(np.float64)  # None is a missing value
    if values.dtype.kind not in "fiub":
        kind = type(series).__name__
        plain = isinstance(series, (np.ndarray, list, tuple))
        came = f"this one has dtype {values.dtype}" if plain else f"this is a {kind}"
        cure = (
            "; tg.data.table(pandas.DataFrame(...)) takes columns by name" if kind == "dict" else ""
        )
        raise TypeError(
            f"a series is numbers, an array, a list or a DataFrame of them, and {came}{cure}"
        )
    if values.ndim not in (1, 2):
        raise ValueError(
            f"a series is (n,) or (n, columns), and this one has shape {values.shape}; several series "
            "are a list of them"
        )
    return np.array(values[:, None] if values.ndim == 1 else values, np.float64)


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating))


def tables(series: Any) -> list[Table]:
    """One series or a list of them, as tables with the same columns.

    Raises ValueError where the columns differ, or there is no series.
    """
    found = [table(one) for one in (series if is_many(series) else [series])]
    if not found:
        raise ValueError("an empty list holds no series")
    for k, one in enumerate(found):
        if one.names != found[0].names:
            raise ValueError(
                f"series {k} has the columns {list(one.names)}, and series 0 {list(found[0].names)}"
            )
    return found


def is_many(series: Any) -> bool:
    """Whether this is a list of series, and not one: a list of numbers is one."""
    if not isinstance(series, (list, tuple)) or isinstance(series, (Series, Weekly)):
        return False
    return not series or any(hasattr(one, "__len__") for one in series)


def check_missing(missing: str) -> None:
    """Raise ValueError for what is no way to treat missing values."""
    if missing not in MISSING:
        raise ValueError(f"missing must be one of {', '.join(MISSING)}, got {missing!r}")


# ---- the grid ---------------------------------------------------------------------------------------


def on_grid(values: Values, names: tuple[str, ...], dates: Any) -> Table:
    """The rows at their places on the grid of dates, with NaN for the dates that are absent."""
    if dates is None:
        return _checked(Table(values, names))
    when = np.asarray(dates, "M8[s]")
    if not len(values):
        raise ValueError("the series is empty")
    if (np.asarray(dates, "M8[us]") != when).any():
        raise ValueError(
            "the dates have parts of a second, and the finest step of a series is a second"
        )
    if len(when) != len(values):
        raise ValueError(f"{len(when)} dates for {len(values)} rows")
    steps = np.diff(when).astype(np.int64)
    if (steps <= 0).any():
        i = int((steps <= 0).argmax())
        what = "twice" if not steps[i] else f"after {day_name(when[i])}"
        cure = "keep one row of each" if not steps[i] else "sort the rows by date"
        hours = steps[i] >= -3_600 and when[i + 1] != when[i + 1].astype("M8[D]")
        if hours:
            cure += (
                ". Where clocks went back an hour, the zone tells its two hours apart: "
                "frame.index.tz_localize('Europe/Berlin', ambiguous='infer')"
            )
        for name, column in zip(names, values.T, strict=True):
            if many := groups(column.tolist(), when):
                cure = f"column {name!r} identifies {many} series: give them as a list of {many}"
        raise ValueError(
            f"the dates must rise: {day_name(when[i + 1])} (row {i + 1}) comes {what}; {cure}"
        )
    if len(when) == 1:  # nothing tells how far the next one is
        return _checked(Table(values, names, when))
    frequency = Frequency.of(when)
    rows = frequency.rows(when)
    if len(rows) < 0.5 * (rows[-1] + 1):
        raise ValueError(
            f"the dates are irregular: from {day_name(when[0])} to {day_name(when[-1])} more are absent "
            "than there; bring the series to one frequency first, such as frame.resample('D').mean()"
        )
    grid = np.concatenate([when[:1], frequency.after(when[0], int(rows[-1]))])
    placed = np.full((len(grid), values.shape[1]), np.nan)
    placed[rows] = values
    return _checked(Table(placed, names, grid, frequency))


def _checked(made: Table) -> Table:
    if not made.values.size:
        raise ValueError("the series is empty")
    if np.isinf(made.values).any():
        i, k = np.argwhere(np.isinf(made.values))[0]
        raise ValueError(f"column {made.names[k]!r} is infinite at {made.row(int(i))}")
    return made


def _interpolated(column: Values) -> Values:
    there = np.flatnonzero(~np.isnan(column))
    return np.interp(np.arange(len(column)), there, column[there])


def _forward(column: Values) -> Values:
    last = np.maximum.accumulate(np.where(np.isnan(column), 0, np.arange(len(column))))
    return column[last]
