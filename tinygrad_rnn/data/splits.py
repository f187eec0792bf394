"""Which examples are for what? To fit on, to choose settings on, to measure on once; parts share none."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Split(NamedTuple, Generic[T]):
    """``train`` is fitted, on ``validation`` settings are chosen, ``test`` takes no part in any choice."""

    train: T
    validation: T
    test: T


def every(n: int, rows: Iterable[T]) -> Split[list[T]]:
    """Of every ``n`` rows in their order the last is for the test, the one before it for validation.

    >>> from tinygrad_rnn.data.splits import every
    >>> every(5, range(11))
    Split(train=[0, 1, 2, 5, 6, 7, 10], validation=[3, 8], test=[4, 9])
    """
    given = list(rows)
    held = set(range(n - 2, len(given), n)) | set(range(n - 1, len(given), n))
    train = [row for k, row in enumerate(given) if k not in held]
    return Split(train, list(islice(given, n - 2, None, n)), list(islice(given, n - 1, None, n)))
