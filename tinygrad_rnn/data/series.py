"""Series as numpy arrays, read from the files beside this one."""

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


def sunspots() -> Series:
    """Yearly mean sunspot numbers, 1700 to 2008 (NOAA; public domain, see the README beside it).

    >>> from tinygrad_rnn.data import sunspots
    >>> years, values = sunspots()
    >>> int(years[0]), int(years[-1]), float(values.max())
    (1700, 2008, 190.2)
    """
    text = (files(__package__) / "sunspots.csv").read_text(encoding="ascii")
    table = np.loadtxt(text.splitlines(), delimiter=",", skiprows=1)
    return Series(table[:, 0].astype(np.int64), table[:, 1])
