"""Which numbers, names and dates does a data frame hold? pandas's, or one with the same columns."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dates import Dates, NoDates, by_name, dates_of, groups, is_dates, parted, said_by, years

Values = NDArray[np.float64]


def is_frame(given: Any) -> bool:
    """Whether something has columns by name, or is one of them."""
    return hasattr(given, "to_frame") or (hasattr(given, "columns") and hasattr(given, "shape"))


def of_frame(given: Any, dates: Any) -> tuple[Values, tuple[str, ...], Dates | None]:
    """(values (n, k), names, dates or None) of a DataFrame or a Series; see ``tg.data.table``."""
    frame = given if hasattr(given, "columns") else given.to_frame(_name(given))
    labels = list(frame.columns)
    if len({str(name) for name in labels}) != len(labels):
        raise ValueError(f"the frame has columns of one name: {labels}")
    place, when = None, None
    if dates is None:
        when = _of_index(getattr(frame, "index", None))
        place = None if when is not None else _place(frame, labels)
    elif np.ndim(dates) == 0:
        if dates not in labels:
            raise ValueError(f"no column {dates!r}, only {', '.join(map(repr, labels))}")
        place = dates
    else:
        when = dates_of(dates, "dates")
    if place is not None:
        when = dates_of(_column(frame, place), f"column {place!r}")
    columns = [name for name in labels if place is None or name != place]
    _one_series(frame, columns, when)
    beside = "the index" if place is None else f"column {place!r}"
    found = [
        _numbers(_column(frame, name), name, None if when is None else beside) for name in columns
    ]
    if not found:
        raise ValueError("the frame has no column of numbers")
    return np.stack(found, 1), tuple(str(name) for name in columns), when


def _one_series(frame: Any, columns: list[Any], when: Dates | None) -> None:
    """Raise ValueError where a column that is no numbers identifies several series."""
    for name in columns if when is not None else ():
        column = _column(frame, name)
        plain = getattr(column.dtype, "kind", "O") in "fiub"
        many = 0 if plain else groups(list(column), when)
        if many:
            raise ValueError(
                f"column {name!r} identifies {many} series: give a list of them, "
                f"[part.drop(columns={name!r}) for _, part in frame.groupby({name!r})]"
            )


def _column(frame: Any, name: Any) -> Any:
    """A column of pandas as it is, another library's as an array."""
    return frame[name] if hasattr(frame, "index") else np.asarray(frame[name].to_numpy())


def _name(series: Any) -> Any:
    return "value" if series.name is None or series.name == "" else series.name


def _place(frame: Any, labels: list[Any]) -> Any:
    """The column of dates: the first of that dtype, or else of whole numbers that are days or years."""
    for name in labels:
        if is_dates(_column(frame, name)):
            return name
    for name in labels:
        column = _column(frame, name)
        if getattr(column.dtype, "kind", "O") in "iu":
            cells = list(column)
            if (words := parted([*map(str, labels)], cells, str(name))) is not None:
                raise ValueError(f"{words}, pd.to_datetime(frame[['year', 'month', 'day']])")
            try:
                if by_name(cells, str(name)) is not None:
                    return name
            except NoDates as none:
                raise ValueError(
                    f"column {name!r}: {none.cell!r} is no date: frame[{name!r}] = "
                    f"pd.to_datetime(frame[{name!r}], ...), or frame.drop(columns={name!r})"
                ) from None
    return None


def _of_index(index: Any) -> Dates | None:
    """The dates of an index, or None where it numbers the rows. Raises TypeError for what is neither."""
    if index is None or not len(index):
        return None
    if getattr(index, "nlevels", 1) > 1:
        raise TypeError(
            f"the index has {index.nlevels} levels, as of several series: give a list of them, "
            "[part.droplevel(0) for _, part in frame.groupby(level=0)]"
        )
    if is_dates(index):
        return dates_of(index, "the index")
    kind = getattr(index.dtype, "kind", "O")
    if kind in "iu":
        return years(list(index), str(index.name))
    if kind in "fb":
        return None
    try:
        return said_by(list(index))
    except NoDates as none:
        cure = (
            "add them to the date of the first row, frame.index = pd.Timestamp('2024-01-01') + frame.index"
            if kind == "m"
            else "frame.index = pd.to_datetime(frame.index), or frame.reset_index(drop=True)"
        )
        raise TypeError(
            f"the index has dtype {index.dtype}, and {none.cell!r} is no date; {cure}"
        ) from None
    except ValueError as error:
        raise ValueError(f"the index: {index[0]!r} {error}") from None


def _numbers(column: Any, name: Any, beside: str | None) -> Values:
    kind = getattr(column.dtype, "kind", "O")
    if kind not in "fiub":
        raise TypeError(
            f"column {name!r} has dtype {column.dtype}, and a network takes numbers; "
            f"{_cure(column, name, kind, beside)}"
        )
    if str(name).startswith("Unnamed: ") and (np.diff(np.asarray(column)) == 1).all():
        raise ValueError(
            f"column {name!r} counts the rows, as an index does that was saved with them: "
            f"frame.drop(columns={name!r}), or pd.read_csv(..., index_col=0)"
        )
    if isinstance(column, np.ndarray):
        return column.astype(np.float64)
    try:
        return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))
    except TypeError:
        return np.asarray(column, np.float64)


def _cure(column: Any, name: Any, kind: str, beside: str | None) -> str:
    """What to do with a column that is no numbers."""
    cells = [cell for cell in list(column[:50]) if cell is not None and cell == cell]
    if is_dates(column):
        return f"the dates are {beside} already: frame.drop(columns={name!r})"
    if kind == "m":
        return f"a duration in seconds is one: frame[{name!r}].dt.total_seconds()"
    if cells and kind != "c" and all(map(_is_number, cells)):
        return f"its cells are: frame[{name!r}] = pd.to_numeric(frame[{name!r}])"
    if cells and all(isinstance(c, str) and _is_number(c.replace(",", ".", 1)) for c in cells):
        return f"its decimal mark is a comma: pd.read_csv(..., decimal=','), or frame[{name!r}].str.replace"
    try:
        said_by(cells)
        zones = {str(cell)[-6:] for cell in cells if re.search(r"[+-]\d\d:\d\d$", str(cell))}
        utc = ", utc=True" if len(zones) > 1 else ""
        return f"it looks like dates: frame[{name!r}] = pd.to_datetime(frame[{name!r}]{utc})"
    except ValueError:
        return f"drop it, frame.drop(columns={name!r}), or write it as numbers (pd.get_dummies)"


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True
