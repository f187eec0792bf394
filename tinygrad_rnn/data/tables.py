"""What is a series, however it came? Numbers on one grid of dates, named columns, gaps as NaN."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calendars import Dates, Frequency, day_name
from .series import Series, Weekly

Values = NDArray[np.float64]
MISSING = ("error", "interpolate", "forward")
ABSENT = ("", "na", "nan", "null", "none", "-", "?")  # what a cell without a number says in a file


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
        asked = [names] if isinstance(names, (str, int, np.integer)) else list(names)
        found = []
        for name in asked:
            if isinstance(name, (int, np.integer)) and -len(self.names) <= name < len(self.names):
                found.append(int(name) % len(self.names))
            elif str(name) in self.names:
                found.append(self.names.index(str(name)))
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


def table(series: Any, dates: Any = None) -> Table:
    """A series as a :class:`Table`: an array (n,) or (n, k), a DataFrame or Series of pandas, a Table.

    A frame's dates are its index, or the column named by ``dates``, or else its one column of dates; an
    array's may be given as ``dates`` (n,). They must rise, each once, on one grid; rows absent from the grid
    are missing values. Times with a zone are taken in
    UTC, and days with a zone as they are. Raises TypeError for a column that is no numbers,
    with its name and dtype, and ValueError for dates that do not rise or are irregular, infinite values, and
    an empty series.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import table
    >>> days = np.array(["2024-01-01", "2024-01-02", "2024-01-04"], "M8[D]")
    >>> table([1.0, 2.0, 4.0], dates=days).values.ravel()
    array([ 1.,  2., nan,  4.])
    """
    if isinstance(series, Table):
        return series
    if isinstance(series, Series):
        return _on_grid(series.values[:, None], ("values",), (series.years - 1970).astype("M8[Y]"))
    if isinstance(series, Weekly):
        return _on_grid(series.values[:, None], ("values",), series.dates)
    if hasattr(series, "to_frame") or hasattr(series, "columns"):
        return _from_frame(series, dates)
    if isinstance(series, (str, os.PathLike)):
        raise TypeError(f"a series is numbers; tg.data.read_csv({str(series)!r}) reads a file")
    masked = isinstance(series, np.ma.MaskedArray)
    values = series.astype(np.float64).filled(np.nan) if masked else np.asarray(series)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"a series is numbers, and this one has dtype {values.dtype}")
    if values.ndim not in (1, 2):
        raise ValueError(
            f"a series is (n,) or (n, columns), and this one has shape {values.shape}; several series "
            "are a list of them"
        )
    values = np.array(values[:, None] if values.ndim == 1 else values, np.float64)
    names = tuple(map(str, range(values.shape[1])))
    if dates is None:
        return _checked(Table(values, names))
    return _on_grid(values, names, dates)


def read_csv(
    path: str | os.PathLike[str], dates: str | None = None, columns: Sequence[str] | None = None
) -> Table:
    """A CSV file with a heading as a :class:`Table`; no pandas is needed.

    ``dates`` names the column of dates, by default the first whose cells are all ISO dates (2024-01-31,
    2024-01-31T12:00); ``columns`` those to read, all others unless given. Empty cells and "NA", "nan",
    "null" are missing values. Commas, semicolons and tabs part cells. Raises ValueError that names line and
    column for a cell that is no number, and for all that :func:`table` refuses; FileNotFoundError where
    there is no file.

    >>> import pathlib, tempfile
    >>> from tinygrad_rnn.data import read_csv
    >>> path = pathlib.Path(tempfile.mkdtemp(), "load.csv")
    >>> _ = path.write_text("date,load\\n2024-01-01,5\\n2024-01-02,\\n2024-01-03,7\\n")
    >>> read_csv(path).values.ravel(), read_csv(path).names
    (array([ 5., nan,  7.]), ('load',))
    """
    head, rows = _cells(Path(path))
    cells = {name: [row[k] for row in rows] for k, name in enumerate(head)}
    if dates is not None and dates not in cells:
        raise ValueError(f"{path}: no column {dates!r}, only {', '.join(map(repr, head))}")
    found = dates or next((name for name in head if _iso(cells[name]) is not None), None)
    when = None if found is None else _iso(cells[found])
    if found is not None and when is None:
        bad = next(i for i, cell in enumerate(cells[found]) if _iso([cell]) is None)
        raise ValueError(
            f"{path}, line {bad + 2}: {cells[found][bad]!r} in column {found!r} is no ISO date such as "
            "2024-01-31"
        )
    for name in columns or ():
        if name not in head:
            raise ValueError(f"{path}: no column {name!r}, only {', '.join(map(repr, head))}")
    names = [name for name in (columns or head) if name != found]
    if not names:
        raise ValueError(f"{path}: there is no column of numbers beside {found!r}")
    values = np.array(
        [[_number(path, name, i, c) for i, c in enumerate(cells[name])] for name in names]
    )
    if when is None:
        return _checked(Table(values.T, tuple(names)))
    return _on_grid(values.T, tuple(names), when)


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


# ---- frames -----------------------------------------------------------------------------------------


def _from_frame(given: Any, dates: Any) -> Table:
    """A DataFrame or a Series of pandas, or of a library with the same attributes."""
    frame = given if hasattr(given, "columns") else given.to_frame(given.name or "value")
    if len({str(name) for name in frame.columns}) != frame.shape[1]:
        raise ValueError(f"the frame has columns of one name: {list(frame.columns)}")
    when = _index_dates(frame.index) if dates is None else None
    place = dates
    if when is None and place is None:
        place = next((name for name in frame.columns if _is_dates(frame[name])), None)
    if place is not None:
        if np.ndim(place) == 0:
            if place not in frame.columns:
                raise ValueError(f"no column {place!r}, only {', '.join(map(repr, frame.columns))}")
            when = _column_dates(frame[place], place)
            frame = frame.drop(columns=[place])
        else:
            when = place
    columns = [_numbers(frame[name], name) for name in frame.columns]
    if not columns:
        raise ValueError("the frame has no column of numbers")
    names = tuple(str(name) for name in frame.columns)
    values = np.stack(columns, 1)
    return _checked(Table(values, names)) if when is None else _on_grid(values, names, when)


def _index_dates(index: Any) -> Any:
    """The dates of an index, or None where it has none."""
    if hasattr(index, "to_timestamp"):
        index = index.to_timestamp()
    if _is_dates(index):
        return _column_dates(index, "the index")
    return None


def _is_dates(column: Any) -> bool:
    return str(column.dtype).startswith("datetime64")


def _column_dates(column: Any, name: Any) -> Any:
    if _is_dates(column):
        found = np.asarray(column if not hasattr(column.dtype, "tz") else _plain(column), "M8[us]")
    else:
        try:
            found = np.array([str(cell) for cell in column], "M8[us]")
        except ValueError:
            raise TypeError(
                f"column {name!r} has dtype {column.dtype} and holds no ISO dates: "
                f"frame[{name!r}] = pd.to_datetime(frame[{name!r}])"
            ) from None
    if np.isnat(found).any():
        raise ValueError(f"{name}: row {int(np.isnat(found).argmax())} has no date")
    return found


def _plain(column: Any) -> Any:
    """Dates with a zone without it: local days and months as they are, and what is finer in UTC."""
    times = getattr(column, "dt", column)
    local = np.asarray(times.tz_localize(None), "M8[us]")
    of_day = local - local.astype("M8[D]")
    return local if (of_day == of_day[:1]).all() else times.tz_convert(None)


def _numbers(column: Any, name: Any) -> Values:
    kind = getattr(column.dtype, "kind", "O")
    if kind not in "fiub":
        dates = _iso([str(cell) for cell in column[:50]]) is not None
        cure = (
            f"it looks like dates: frame[{name!r}] = pd.to_datetime(frame[{name!r}])"
            if dates
            else f"drop it, frame.drop(columns={name!r}), or write it as numbers (pd.get_dummies)"
        )
        raise TypeError(
            f"column {name!r} has dtype {column.dtype}, and a network takes numbers; {cure}"
        )
    try:
        return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))
    except TypeError:
        return np.asarray(column, np.float64)


# ---- files ------------------------------------------------------------------------------------------


def _cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """The heading, and a list of cells a row."""
    text = path.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    part = max(",;\t", key=first.count)
    rows = [
        [c.strip() for c in row] for row in csv.reader(text.splitlines(), delimiter=part) if row
    ]
    if len(rows) < 2:
        raise ValueError(f"{path}: expected a heading and rows of numbers, found {len(rows)} rows")
    head = rows[0]
    for k, row in enumerate(rows[1:], 2):
        if len(row) != len(head):
            raise ValueError(f"{path}, line {k}: {len(row)} cells, and the heading has {len(head)}")
    if len({*head}) != len(head):
        raise ValueError(f"{path}: two columns have one name: {', '.join(head)}")
    if all(_is_number(cell) for cell in head):
        raise ValueError(f"{path}: the first row holds numbers, {head}; it must be a heading")
    return head, rows[1:]


def _iso(cells: Sequence[str]) -> Any:
    """The dates that cells say, or None where one says no ISO date; a bare number is none."""
    if any(cell[4:5] != "-" for cell in cells):
        return None
    try:
        found = np.array([cell.removesuffix("Z") for cell in cells], "M8[us]")
    except ValueError:
        return None
    return None if np.isnat(found).any() else found


def _number(path: Any, name: str, row: int, cell: str) -> float:
    if cell.lower() in ABSENT:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise ValueError(
            f"{path}, line {row + 2}: {cell!r} in column {name!r} is no number; columns= reads some alone"
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


# ---- the grid ---------------------------------------------------------------------------------------


def _on_grid(values: Values, names: tuple[str, ...], dates: Any) -> Table:
    """The rows at their places on the grid of dates, with NaN for the dates that are absent."""
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
