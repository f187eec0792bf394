"""At which dates does a series stand, what comes next, and what does the calendar say of a date?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .dates import Dates, dates_of

Numbers: TypeAlias = Any
DAY = 86_400
LENGTHS = {"h": 3_600, "D": DAY}
SEASONS = {"B": 5, "M": 12, "3M": 4, 7 * DAY: 52, DAY: 7, 3_600: 24, 1_800: 48, 900: 96}


class Frequency(NamedTuple):
    """How far it is from one row to the next: ``every`` seconds ("s"), months ("M") or workdays ("B").

    Months end where the series' months do: ``end`` says that its dates are the last days of months.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import Frequency
    >>> days = np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "M8[s]")
    >>> step = Frequency.of(days)
    >>> step, step.after(days[-1], 2).astype("M8[D]")
    (Frequency(every=1, unit='M', end=True), array(['2024-04-30', '2024-05-31'], dtype='datetime64[D]'))
    """

    every: int
    unit: str
    end: bool = False

    @classmethod
    def of(cls, dates: Any) -> Frequency:
        """The frequency of dates in order, some of which may be absent.

        Raises ValueError for fewer than two, and for dates that are not on one grid, with the first that
        is off it.
        """
        given = _seconds(dates)
        if len(given) < 2:
            raise ValueError("a series with dates needs at least 2 rows to tell their frequency")
        gaps = np.diff(given).astype(np.int64)
        if gaps.min() >= 28 * DAY and (months := _months(given)) is not None:
            return months
        days = given.astype("M8[D]")
        if gaps.min() == DAY and gaps.max() > DAY and (given == days).all():
            workdays = np.is_busday(days)
            if workdays.all() and (np.busday_count(days[:-1], days[1:]) == 1).mean() > 0.5:
                return cls(1, "B")
        step = int(gaps.min())
        off = np.flatnonzero(gaps % step)
        if off.size:
            kinds, counts = np.unique(gaps, return_counts=True)
            usual = int(kinds[counts.argmax()])
            i = int(np.flatnonzero(gaps % usual)[0]) if (gaps % usual).any() else int(off[0])
            raise ValueError(
                f"the dates are irregular: most steps are {_words(usual)}, and {day_name(given[i + 1])} (row "
                f"{i + 1}) comes {_words(int(gaps[i]))} after {day_name(given[i])}; bring the series to one "
                "frequency first, such as frame.resample('D').mean()"
            )
        return cls(step, "s")

    def after(self, date: Any, n: int) -> Dates:
        """The ``n`` dates that follow ``date``."""
        start = np.array([date], "M8[s]")
        steps = np.arange(1, n + 1) * self.every
        if self.unit == "B":
            return np.busday_offset(start.astype("M8[D]"), steps).astype("M8[s]")
        if self.unit == "s":
            return start + steps
        month = start.astype("M8[M]")
        day = start - month.astype("M8[s]")
        last = _last_days(month + steps) + (day - day.astype("m8[D]").astype("m8[s]"))
        return last if self.end else np.minimum((month + steps).astype("M8[s]") + day, last)

    def rows(self, dates: Any) -> Numbers:
        """How many steps after the first date each one comes."""
        given = _seconds(dates)
        if self.unit == "B":
            days = given.astype("M8[D]")
            counted: Numbers = np.busday_count(days[0], days)
            return counted
        if self.unit == "M":
            months = given.astype("M8[M]").astype(np.int64)
            return (months - months[0]) // self.every
        return (given - given[0]).astype(np.int64) // self.every

    def __str__(self) -> str:
        words = {"M": "month", "B": "workday"}.get(self.unit)
        return _words(self.every) if words is None else _counted(self.every, words)

    @property
    def season(self) -> int | None:
        """Rows in the cycle that such series usually have: 7 of days, 24 of hours, 12 of months."""
        if self.unit == "s":
            return SEASONS.get(self.every)
        return SEASONS.get(self.unit if self.every == 1 else f"{self.every}{self.unit}")


def _part(dates: Dates, whole: str, unit: str) -> Numbers:
    """How much of the ``unit`` that a date lies in has passed, in ``whole``."""
    begin = dates.astype(f"M8[{unit}]").astype("M8[s]")
    return (dates - begin).astype(np.float64) / LENGTHS[whole]


def _year(dates: Dates) -> Numbers:
    year = dates.astype("M8[Y]")
    length = ((year + 1).astype("M8[s]") - year.astype("M8[s]")).astype(np.float64)
    return (dates - year.astype("M8[s]")).astype(np.float64) / length


def _weekday(dates: Dates) -> Numbers:
    return (dates.astype("M8[D]").astype(np.int64) + 3) % 7 / 7  # 1970-01-01 was a Thursday


CYCLES: dict[str, Any] = {
    "hour": lambda dates: _part(dates, "h", "D") / 24,
    "dayofweek": _weekday,
    "dayofmonth": lambda dates: _part(dates, "D", "M") / 31,
    "month": lambda dates: dates.astype("M8[M]").astype(np.int64) % 12 / 12,
    "dayofyear": _year,
}


def calendar(dates: Any, features: Iterable[str] = ("dayofweek", "month")) -> Numbers:
    """Features of dates, as columns: sine and cosine of each feature's cycle.

    ``dates`` are those of a series (see ``tg.data.table``): days with a zone as they are, hours in UTC.
    ``features`` are of "hour", "dayofweek" (Monday is 0), "dayofmonth", "month", "dayofyear"; n dates
    give (n, 2 * features) floats, in which the end of a cycle lies beside its beginning. Raises ValueError
    for another feature.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import calendar
    >>> calendar(np.array(["2024-01-01", "2024-04-01"], "M8[D]"), ["month"]).round(3)
    array([[0., 1.],
           [1., 0.]])
    """
    given, names = _seconds(dates), check_features(features)
    turns = [2 * np.pi * CYCLES[name](given) for name in names]
    columns = [wave(turn) for turn in turns for wave in (np.sin, np.cos)]
    return np.stack(columns, -1) if columns else np.zeros((len(given), 0))


def check_features(features: Iterable[str]) -> tuple[str, ...]:
    """The features as a tuple. Raises ValueError for one that the calendar does not have."""
    if not isinstance(features, Iterable):
        raise TypeError(f"calendar: features are of {', '.join(CYCLES)}, got {features!r}")
    names = (features,) if isinstance(features, str) else tuple(features)
    for name in names:
        if name not in CYCLES:
            raise ValueError(f"calendar: {name!r} is no feature; there are {', '.join(CYCLES)}")
    return names


# ---- dates ----------------------------------------------------------------------------------------


def _seconds(dates: Any) -> Dates:
    """Dates in any of the ways that a series may have them."""
    found = dates if isinstance(dates, np.ndarray) and dates.dtype.kind == "M" else None
    return (dates_of(dates, "dates") if found is None else found).astype("M8[s]")


def _last_days(months: Any) -> Dates:
    return ((months + 1).astype("M8[D]") - 1).astype("M8[s]")


def _months(dates: Dates) -> Frequency | None:
    """A frequency in months, where all dates are one day of the month, or the last."""
    month = dates.astype("M8[M]")
    day = dates.astype("M8[D]")
    same = len({*(day - month.astype("M8[D]")).astype(np.int64).tolist()}) == 1
    end = bool((day.astype("M8[s]") == _last_days(month)).all())
    count = int(np.diff(month.astype(np.int64)).min())
    if not (same or end) or count < 1 or (np.diff(month.astype(np.int64)) % count).any():
        return None
    return Frequency(count, "M", end)


def day_name(date: Any) -> str:
    """A date as people write it: without its time where that is midnight."""
    return str(date).removesuffix("T00:00:00")


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" + "s" * (count != 1)


def _words(seconds: int) -> str:
    for length, word in ((DAY, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % length == 0:
            return _counted(seconds // length, word)
    return f"{seconds} seconds"  # pragma: no cover - the length 1 divides all
