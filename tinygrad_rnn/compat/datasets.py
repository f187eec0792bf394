"""Which data sets and helpers do scripts take from ``utils.data`` beside those that fit uses?"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from ..training.datasets import Dataset, collate


class ConcatDataset(Dataset):
    """Data sets one after the other, as one.

    >>> from tinygrad_rnn.utils.data import ConcatDataset
    >>> both = ConcatDataset([["a", "b"], ["c"]])
    >>> len(both), both[2], both[-3]
    (3, 'c', 'a')
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: no data sets")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: Any) -> Any:
        place = int(index) + (len(self) if index < 0 else 0)
        if not 0 <= place < len(self):
            raise IndexError(f"ConcatDataset: no example {index} of {len(self)}")
        which = bisect_right(self.cumulative_sizes, place)
        return self.datasets[which][place - (self.cumulative_sizes[which - 1] if which else 0)]


def default_collate(batch: list[Any]) -> Any:
    """Examples as one batch, as the DataLoader joins them.

    >>> from tinygrad_rnn.utils.data import default_collate
    >>> default_collate([1, 2])
    tensor([1, 2])
    """
    return collate(batch)


def get_worker_info() -> None:
    """None: the DataLoader loads in this process."""
