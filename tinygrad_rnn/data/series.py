"""Which real series ship with the package? As numpy arrays, read from the files beside this one."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Series(NamedTuple):
    """One value a year: ``years`` (n,) integers and ``values`` (n,) float64."""

    years: NDArray[np.int64]
    values: NDArray[np.float64]

    def between(self, first: int, last: int) -> Series:
        """The years from ``first`` to ``last``, both included.

        Raises ValueError where the series does not have them all.

        >>> from tinygrad_rnn.data import sunspots
        >>> sunspots().between(1700, 1702).values
        array([ 5., 11., 16.])
        """
        if not self.years[0] <= first <= last <= self.years[-1]:
            raise ValueError(
                f"the series has the years {self.years[0]} to {self.years[-1]}, "
                f"not all of {first} to {last}"
            )
        inside: NDArray[Any] = (self.years >= first) & (self.years <= last)
        return Series(self.years[inside], self.values[inside])


class Weekly(NamedTuple):
    """One value a week: ``dates`` (n,) datetime64[D], ``values`` (n,) float64, NaN where one is missing."""

    dates: NDArray[np.datetime64]
    values: NDArray[np.float64]

    def pieces(self) -> list[slice]:
        """The stretches without a gap, in order: ``values[piece]`` has no NaN.

        >>> import numpy as np
        >>> from tinygrad_rnn.data import Weekly
        >>> days = np.arange("2000-01-01", "2000-02-12", 7, dtype="datetime64[D]")
        >>> Weekly(days, np.array([np.nan, 1.0, 2.0, np.nan, np.nan, 3.0])).pieces()
        [slice(1, 3, None), slice(5, 6, None)]
        """
        there = np.concatenate([[False], ~np.isnan(self.values), [False]])
        edges = np.flatnonzero(np.diff(there)).tolist()
        return [slice(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True)]

    def filled(self) -> NDArray[np.float64]:
        """The values with straight lines through the gaps. Raises ValueError where all are missing."""
        there = np.flatnonzero(~np.isnan(self.values))
        if not there.size:
            raise ValueError("no value is there to fill the gaps from")
        return np.interp(np.arange(len(self.values)), there, self.values[there])


def sunspots() -> Series:
    """Yearly mean sunspot numbers, 1700 to 2008 (NOAA; public domain, see the README beside it).

    >>> from tinygrad_rnn.data import sunspots
    >>> years, values = sunspots()
    >>> int(years[0]), int(years[-1]), float(values.max())
    (1700, 2008, 190.2)
    """
    table = np.array(_rows("sunspots.csv"), dtype=np.float64)
    return Series(table[:, 0].astype(np.int64), table[:, 1])


def co2() -> Weekly:
    """Weekly CO2 in the air of Mauna Loa in ppm, 29 March 1958 to 29 December 2001 (Keeling & Whorf 2004).

    2,284 Saturdays, 59 of them without a value. (Public domain, see the README beside it.)

    >>> import numpy as np
    >>> from tinygrad_rnn.data import co2
    >>> dates, values = co2()
    >>> len(values), int(np.isnan(values).sum()), str(dates[0]), float(values[0])
    (2284, 59, '1958-03-29', 316.1)
    """
    days, values = zip(*_rows("co2.csv"), strict=True)
    dates = np.array([f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in days], dtype="datetime64[D]")
    return Weekly(dates, np.array([float(v or "nan") for v in values]))


def _rows(name: str) -> list[list[str]]:
    """The cells of a file beside this one, without its heading."""
    lines = (files(__package__) / name).read_text(encoding="ascii").splitlines()
    return [line.split(",") for line in lines[1:]]
