"""Which dates do the cells of a column, an index or a list say? As pandas has them, or written by people."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Dates: TypeAlias = Any  # arrays: mypy cannot follow numpy's arithmetic of dates

YEARS = ("year", "years", "yr", "date", "jahr", "ano", "año", "annee", "année", "anno")
MONTH = (
    "month",
    "months",
    "yearmonth",
    "year_month",
    "yyyymm",
    "monat",
    "mois",
    "mes",
    "mese",
    "period",
)
CALLED = ("date", "dates", "datetime", "timestamp", "ds", "datum", "fecha", "data", "jour")
PARTS = ("month", "monat", "mois", "mes", "mese", "mo", "quarter", "week", "day", "doy", "hour")
TIME = (
    r"(?:[T ]\s*(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2}(?:\.\d{1,6})?)\d*)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|[+-]\d{2}:?(?:\d{2})?)?)?"
)
ISO = re.compile(r"(?P<y>\d{4})(?P<part>[-/])(?P<m>\d{1,2})(?:(?P=part)(?P<d>\d{1,2}))?" + TIME)
WRITTEN = (
    ISO,
    re.compile(r"(?P<y>\d{4})\.(?P<m>\d{1,2})\.(?P<d>\d{1,2})\.?" + TIME),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})" + TIME),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
)
# 31/01/2024 or 01/31/2024: which of the two is the day, the whole column says
EITHER = re.compile(r"(?P<a>\d{1,2})(?P<part>[-/])(?P<b>\d{1,2})(?P=part)(?P<y>\d{4})" + TIME)
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
LIKE = "2024-01-31, 2024-01-31T12:00 or 31.01.2024"


class NoDates(ValueError):  # noqa: N818 (an answer, not a mistake)
    """Cells that are no dates: ``row`` is the first that is none, ``like`` one before it that is."""

    def __init__(self, row: int, cell: Any, like: Any = None) -> None:
        super().__init__(row, cell, like)
        self.row, self.like = row, like
        self.cell = cell.item() if isinstance(cell, np.generic) else cell

    def words(self, place: str = "") -> str:
        """What is wrong, with the column that the cell is in."""
        iso = self.like is None or ISO.fullmatch(str(self.like))
        said = "no ISO date such as 2024-01-31" if iso else f"no date written like {self.like!r}"
        return f"{self.cell!r}{f' in {place}' if place else ''} is {said}"


def is_dates(column: Any) -> bool:
    """Whether a column or index of a frame has a dtype of dates."""
    return str(getattr(column, "dtype", "")).startswith(("datetime64", "period"))


def dates_of(given: Any, place: str) -> Dates:
    """The dates that a column, an index, an array or a list says, as datetime64[us] without a zone.

    Days and months with a zone are taken as they are, what is finer in UTC. Whole numbers are years, days
    (20240131), months (202401), or seconds or milliseconds since 1970. Raises TypeError, with ``place``, for
    what is no date, and ValueError for one that is missing.
    """
    if is_dates(given):
        found = _of_pandas(given)
    else:
        cells = list(given)
        try:
            found = of_cells(cells)
        except NoDates as none:
            raise TypeError(_no_dates(given, place, none)) from None
        except ValueError as error:
            raise ValueError(f"{place}: {cells[0]!r} {error}") from None
    if np.isnat(found).any():
        raise ValueError(f"{place}: row {int(np.isnat(found).argmax())} has no date")
    return found


def _no_dates(given: Any, place: str, none: NoDates) -> str:
    named = re.fullmatch(r"column ('.*')", place)
    if named is None:
        return f"{place}: row {none.row}: {none.words()}; dates are {LIKE}"
    return (
        f"{place} has dtype {given.dtype} and holds no ISO dates, {none.cell!r} (row {none.row}): "
        f"frame[{named[1]}] = pd.to_datetime(frame[{named[1]}])"
    )


def of_cells(cells: Sequence[Any]) -> Dates:
    """The dates of cells of which it is known that they are some, numbers too; raises :class:`NoDates`."""
    return _of_numbers(cells) if whole(cells) else said_by(cells)


def said_by(cells: Sequence[Any]) -> Dates:
    """The dates that cells of text, dates of Python or of numpy say; raises :class:`NoDates`.

    All text is written in one way: ISO, with slashes, 31.01.2024, 20240131, or 31/01/2024 where the column
    tells the day from the month. Raises ValueError where it does not.
    """
    if cells and all(isinstance(cell, str) for cell in cells):
        return _written(cells)
    local: list[Any] = []
    ahead: list[float] = []
    for k, cell in enumerate(cells):
        if isinstance(cell, datetime.datetime) and cell == cell:
            offset = cell.utcoffset()
            local.append(np.datetime64(cell.replace(tzinfo=None), "us"))
            ahead.append(0.0 if offset is None else offset.total_seconds())
        elif isinstance(cell, (datetime.date, np.datetime64)):
            local.append(np.array(cell, "M8[us]"))
            ahead.append(0.0)
        elif cell is None or cell != cell:  # NaT, and pandas's NA
            local.append(np.datetime64("NaT", "us"))
            ahead.append(0.0)
        else:
            raise NoDates(k, cell)
    return _without_zone(np.array(local, "M8[us]"), np.array(ahead))


def years(cells: Sequence[Any], name: str) -> Dates | None:
    """The years of whole numbers in a column that is called so, rising by about one step; else None."""
    if name.strip().casefold() not in YEARS or not whole(cells):
        return None
    found = np.array([int(float(cell)) for cell in cells])
    if not len(found) or found.min() < 1000 or found.max() > 2999:
        return None
    return (found - 1970).astype("M8[Y]").astype("M8[us]")


def compact(cells: Sequence[Any]) -> Dates | None:
    """The days of whole numbers such as 20240131, where all are days and rise; else None."""
    return _rising([f"{int(float(cell)):08d}" for cell in cells]) if whole(cells) else None


def _rising(cells: Sequence[str]) -> Dates | None:
    try:
        found = _written(cells)
    except NoDates:
        return None
    rises = (np.diff(found).astype(np.int64) > 0).all() and found[0] >= np.datetime64("1000-01-01")
    return found if rises and len(cells) > 1 else None


def by_name(cells: Sequence[Any], name: str) -> Dates | None:
    """The dates of whole numbers: days, years in a column called so, and what one called date holds.

    None where they are numbers; raises :class:`NoDates` for whole numbers in a column that is called date
    and which are neither dates nor a count from 0 or 1.
    """
    if not whole(cells):
        return None
    if (when := compact(cells)) is not None or (when := years(cells, name)) is not None:
        return when
    called = name.strip().casefold()
    if called not in (*CALLED, *MONTH) or int(float(cells[0])) in range(32):
        return None
    try:
        return _of_numbers(cells)
    except NoDates:
        if called in MONTH:
            return None
        raise


def parted(names: Sequence[str], cells: Sequence[Any], name: str) -> str | None:
    """What to do where a date is in several columns, of which ``name`` has the years; else None."""
    others = [other for other in names if other.strip().casefold() in PARTS]
    if not others or years(cells, name) is None or len({*cells}) == len(cells):
        return None
    listed = ", ".join(map(repr, (name, *others)))
    return f"the date is in several columns, {listed}: write it in one, as 2024-01-31"


def groups(cells: Sequence[Any], dates: Dates) -> int:
    """How many series a column tells apart: those of its values, where dates rise in each and not in all.

    0 where it tells none apart: every value is another, or the dates rise anyway.
    """
    rows: dict[Any, list[int]] = {}
    for k, cell in enumerate(cells):
        rows.setdefault(cell, []).append(k)
    steps = np.diff(dates).astype(np.int64)
    if not 1 < len(rows) <= len(cells) / 2 or (steps > 0).all():
        return 0
    rise = all((np.diff(dates[many]).astype(np.int64) > 0).all() for many in rows.values())
    return len(rows) if rise else 0


def looks_like_a_date(cell: str) -> bool:
    """Whether a cell that was not understood has the look of a date."""
    numbers = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{4}[-/ ]?[WwQq]\d"
    return re.search(rf"(?<!\d)(?:{numbers})|(?i:{MONTHS})[a-zé.]* '?\d", cell) is not None


# ---- kinds of cells -----------------------------------------------------------------------------------


def _of_pandas(column: Any) -> Dates:
    times = getattr(column, "dt", column)
    if str(column.dtype).startswith("period"):
        return np.asarray(times.to_timestamp(), "M8[us]")
    if getattr(column.dtype, "tz", None) is None:
        return np.asarray(column, "M8[us]")
    local = np.asarray(times.tz_localize(None), "M8[us]")
    ahead = local - np.asarray(times.tz_convert(None), "M8[us]")
    return _without_zone(local, ahead / np.timedelta64(1, "s"))


def _without_zone(local: Dates, ahead: Any) -> Dates:
    """Local days and months as they are, and what is finer in UTC; ``ahead`` are the zones' seconds."""
    of_day = local - local.astype("M8[D]")
    if not ahead.any() or (of_day == of_day[:1]).all():
        return local
    return local - (ahead * 1e6).astype("m8[us]")


def whole(cells: Sequence[Any]) -> bool:
    """Whether cells are whole numbers, or text of them."""
    for cell in cells:
        if isinstance(cell, (bool, np.bool_)) or isinstance(cell, str) != isinstance(cells[0], str):
            return False
        if isinstance(cell, str):
            if not re.fullmatch(r"\d+(\.0+)?", cell):
                return False
        elif not (isinstance(cell, (int, float, np.integer, np.floating)) and cell % 1 == 0):
            return False
    return bool(len(cells))


def _of_numbers(cells: Sequence[Any]) -> Dates:
    """Years, days such as 20240131, seconds or milliseconds since 1970, by their size."""
    found = np.array([int(float(cell)) for cell in cells])
    low, high = found.min(), found.max()
    if low >= 1000 and high <= 2999:
        return (found - 1970).astype("M8[Y]").astype("M8[us]")
    if (days := compact(cells)) is not None:
        return days
    if low >= 100_001 and high <= 299_912:
        months = _rising([f"{n // 100:04d}-{n % 100:02d}" for n in found.tolist()])
        if months is not None:
            return months
    for unit, scale in (("s", 1), ("ms", 1000)):
        if low >= 1e8 * scale and high < 1e10 * scale:
            return found.astype(f"M8[{unit}]").astype("M8[us]")
    raise NoDates(0, cells[0])


# ---- text ---------------------------------------------------------------------------------------------


def _written(cells: Sequence[str]) -> Dates:
    """What text says, all of it in the way of the first cell."""
    first = cells[0].strip()
    for pattern in WRITTEN:
        if pattern.fullmatch(first):
            return _read(cells, pattern, "d", "m")
    if not EITHER.fullmatch(first):
        raise NoDates(0, cells[0])
    read: list[Dates] = []
    bad: list[NoDates] = []
    for day, month in ("ab", "ba"):
        try:
            read.append(_read(cells, EITHER, day, month))
        except NoDates as none:
            bad.append(none)
    if not read:
        raise max(bad, key=lambda none: none.row)
    if len(read) == 2:
        read = [one for one in read if (np.diff(one).astype(np.int64) > 0).all()]
    if len(read) != 1:
        raise ValueError(
            "may begin with the day or with the month, and the column does not tell: write 2024-01-31"
        )
    return read[0]


def _read(cells: Sequence[str], pattern: re.Pattern[str], day: str, month: str) -> Dates:
    local, ahead = [], []
    for k, cell in enumerate(cells):
        match = pattern.fullmatch(cell.strip())
        try:
            if match is None:
                raise ValueError
            local.append(_moment(match.groupdict(), day, month))
        except ValueError:
            raise NoDates(k, cell, cells[0] if k else None) from None
        ahead.append(_offset(match.groupdict().get("zone")))
    return _without_zone(np.array(local, "M8[us]"), np.array(ahead))


def _moment(part: dict[str, str | None], day: str, month: str) -> np.datetime64:
    """The local time. Raises ValueError for a day or an hour that there is not."""
    hour = int(part.get("H") or 0)
    if half := part.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + 12 * (half in "pP")
    said = f"{part['y']}-{int(part[month] or 1):02d}-{int(part.get(day) or 1):02d}"
    second = f"{part.get('S') or '00'}"
    return np.datetime64(f"{said}T{hour:02d}:{part.get('M') or '00'}:{second}", "us")


def _offset(zone: str | None) -> float:
    """How many seconds a zone is ahead of UTC."""
    if zone is None or zone in ("Z", "UTC"):
        return 0.0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = 3600.0 * int(digits[:2]) + 60.0 * int(digits[2:])
    return -seconds if zone[0] == "-" else seconds
