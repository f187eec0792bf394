"""In which order does a loader take examples? PyTorch's samplers, for ``sampler=`` and ``batch_sampler=``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..engine.random import generator_or_default

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]


class Sampler:
    """The base of samplers of your own: write ``__iter__``, which gives indices, and ``__len__``."""

    def __init__(self, data_source: Any = None) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")


class SequentialSampler(Sampler):
    """0, 1, 2, ... as many as the data set has.

    >>> from tinygrad_rnn.utils.data import SequentialSampler
    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """All places of a data set in a new random order each time, or ``num_samples`` of them.

    ``replacement`` draws each anew. More samples than places go round in further orders.

    >>> from tinygrad_rnn.utils.data import RandomSampler
    >>> sorted(RandomSampler("abc"))
    [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ) -> None:
        super().__init__(data_source)
        self.replacement, self.generator = replacement, generator
        self.num_samples = len(data_source) if num_samples is None else num_samples
        if self.num_samples < 0 or (self.num_samples and not len(data_source)):
            raise ValueError(f"RandomSampler: {num_samples} samples of {len(data_source)}")

    def __iter__(self) -> Iterator[int]:
        draw, count = generator_or_default(self.generator), len(self.data_source)
        left = self.num_samples
        while left:
            order = draw.integers(count, size=left) if self.replacement else draw.permutation(count)
            yield from order[:left].tolist()
            left -= min(left, len(order))

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """These indices in a new random order each time.

    >>> from tinygrad_rnn.utils.data import SubsetRandomSampler
    >>> sorted(SubsetRandomSampler([5, 7]))
    [5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        super().__init__()
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in generator_or_default(self.generator).permutation(len(self.indices)):
            yield self.indices[int(i)]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """``num_samples`` places, drawn with these weights. Raises ValueError for weights that cannot be.

    >>> from tinygrad_rnn.utils.data import WeightedRandomSampler
    >>> list(WeightedRandomSampler([0.0, 2.0], 3))
    [1, 1, 1]
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: Any = None
    ) -> None:
        super().__init__()
        self.weights = np.array(weights, np.float64)
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator
        sound = np.isfinite(self.weights).all() and (self.weights >= 0).all()
        if self.weights.ndim != 1 or not sound or not self.weights.sum() > 0:
            raise ValueError(
                "WeightedRandomSampler: weights must be finite, not negative, not all 0"
            )
        if not replacement and num_samples > np.count_nonzero(self.weights):
            raise ValueError(f"WeightedRandomSampler: {num_samples} samples without replacement")

    def __iter__(self) -> Iterator[int]:
        p = self.weights / self.weights.sum()
        draw = generator_or_default(self.generator)
        drawn = draw.choice(len(p), self.num_samples, self.replacement, p)
        return iter(drawn.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """What another sampler gives, in lists of ``batch_size``; ``drop_last`` leaves out a smaller last one.

    >>> from tinygrad_rnn.utils.data import BatchSampler
    >>> list(BatchSampler(range(5), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"BatchSampler: batch_size must be at least 1, got {batch_size}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        batch: list[Any] = []
        for place in self.sampler:
            batch.append(place)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        count: int = len(self.sampler)  # type: ignore[arg-type]
        whole, rest = divmod(count, self.batch_size)
        return whole + bool(rest and not self.drop_last)
