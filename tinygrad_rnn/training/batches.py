"""What a training loop goes through: arrays and ragged sequences, cut into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autograd import Array
from ..nn.utils import pad_sequence, sequence_mask
from ..random import generator_or_default
from ..tensors import Tensor, as_tensor
from .datasets import Dataset, collate

POOL = 50  # batches among which sequences of like length are sought


class DataLoader:
    """Batches of a data set: ``for x, y in DataLoader((inputs, targets), batch_size=32, shuffle=True)``.

    ``dataset`` is one column or a tuple of them, (inputs, targets), or a list of such examples. A
    column is an array with an example a row, or a list of sequences (length, ...). A batch has the
    rows of arrays as they are, and sequences padded to the longest: (time, batch, ...), or with
    ``batch_first`` (batch, time, ...). What the loop gets is, as a tuple of Tensors:

    - ``x, y`` (``x`` alone for one column), where no column has sequences;
    - ``x, y, lengths``, where the inputs are sequences: call ``model(x, lengths=lengths)``;
    - ``x, y, lengths, mask``, where the targets are too: compare ``y[mask]``, see
      ``nn.utils.sequence_mask``.

    ``shuffle`` draws a new order each time from ``generator``, or the library's; ``drop_last`` leaves
    out a last batch that is smaller. ``bucket`` puts sequences of like length together (among 50
    batches where shuffled, else among all), so that there is less padding; shuffling then also
    shuffles the batches. A ``Dataset`` (see ``tg.utils.data``) is asked for one example after the other,
    which ``collate_fn`` joins; PyTorch's ``num_workers`` and ``pin_memory`` have no effect. Raises
    ValueError where columns differ in number or lengths, or there is
    nothing to go through.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> loader = tg.DataLoader((np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])), batch_size=2)
    >>> [(x.shape, y.tolist()) for x, y in loader]
    [((2, 2), [0, 1]), ((1, 2), [0])]
    >>> ragged = tg.DataLoader(([np.ones((3, 2)), np.ones((1, 2))], [0, 1]), batch_size=2)
    >>> [(x.shape, y.tolist(), lengths.tolist()) for x, y, lengths in ragged]
    [((3, 2, 2), [0, 1], [3, 1])]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        bucket: bool = False,
        batch_first: bool = False,
        generator: np.random.Generator | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be at least 1, got {batch_size}")
        self.dataset, self.collate = dataset, collate_fn or collate
        self.one_by_one = isinstance(dataset, Dataset) or collate_fn is not None
        if self.one_by_one:
            dataset = (np.arange(len(dataset)),)  # its places, until a batch is asked for
        if isinstance(dataset, list) and dataset and isinstance(dataset[0], tuple):
            dataset = tuple(list(column) for column in zip(*dataset, strict=True))
        given = dataset if isinstance(dataset, tuple) else (dataset,)
        self.columns = [_column(column) for column in given]
        counts = [len(column) for column in self.columns]
        if len(set(counts)) != 1 or not counts[0]:
            raise ValueError(
                f"DataLoader: the columns have {counts} examples: as many in each, and at least one"
            )
        self.lengths = self._checked_lengths()
        if bucket and self.lengths is None:
            raise ValueError("DataLoader: bucket needs sequences, and the columns are arrays")
        if generator is not None:
            generator_or_default(generator)
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.bucket, self.batch_first, self.generator = bucket, batch_first, generator
        if not len(self):
            raise ValueError(f"DataLoader: {counts[0]} examples make no batch of {batch_size}")

    def _checked_lengths(self) -> Array | None:
        """The length of every example, the same in all columns of sequences."""
        found = None
        for k, column in enumerate(self.columns):
            if isinstance(column, list):
                lengths = np.array([len(sequence) for sequence in column])
                if found is not None and (lengths != found).any():
                    i = int(np.flatnonzero(lengths != found)[0])
                    raise ValueError(
                        f"DataLoader: example {i} has {found[i]} steps, and {lengths[i]} in column {k}; "
                        "if those are no steps, pass an array with a row an example"
                    )
                found = lengths
        if found is not None and not isinstance(self.columns[0], list):
            raise ValueError(
                "DataLoader: the targets are a list of sequences, and the inputs an array with a row "
                "an example: pass lists, or arrays"
            )
        return found

    def __len__(self) -> int:
        """How many batches there are."""
        whole, rest = divmod(len(self.columns[0]), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        return (self.batch(rows) for rows in self.order())

    def batch(self, rows: Any) -> Any:
        """The batch of the examples with these numbers, as the loop gets it.

        >>> import numpy as np, tinygrad_rnn as tg
        >>> tg.DataLoader(np.arange(5)).batch([4, 0])
        tensor([4, 0])
        """
        if self.one_by_one:
            return self.collate([self.dataset[int(i)] for i in rows])
        batch: list[Tensor] = []
        for column in self.columns:
            if isinstance(column, list):
                batch.append(pad_sequence([column[i] for i in rows], self.batch_first))
            else:
                batch.append(Tensor(column[rows]))
        if self.lengths is not None:
            own = self.lengths[rows]
            batch.append(Tensor(own))
            if any(isinstance(column, list) for column in self.columns[1:]):
                batch.append(sequence_mask(own, batch_first=self.batch_first))
        return tuple(batch) if len(batch) > 1 else batch[0]

    def order(self) -> list[Array]:
        """The examples of each batch of a new pass, by their numbers; shuffled where the loader shuffles.

        >>> import numpy as np, tinygrad_rnn as tg
        >>> tg.DataLoader(np.arange(3.0), batch_size=2).order()
        [array([0, 1]), array([2])]
        """
        generator = generator_or_default(self.generator) if self.shuffle else None
        count, size = len(self.columns[0]), self.batch_size
        order = np.arange(count) if generator is None else generator.permutation(count)
        if self.bucket and self.lengths is not None:
            pool = count if generator is None else POOL * size
            pools = [order[i : i + pool] for i in range(0, count, pool)]
            order = np.concatenate([p[np.argsort(self.lengths[p], kind="stable")] for p in pools])
        batches = [order[i : i + size] for i in range(0, count, size)][: len(self)]
        if self.bucket and generator is not None:
            batches = [batches[i] for i in generator.permutation(len(batches))]
        return batches


def _column(given: Any) -> Array | list[Array]:
    """An array with a row an example, or a list of sequences."""
    if isinstance(given, (list, tuple)):
        rows = [as_tensor(row)._data for row in given]
        if rows and rows[0].ndim:
            return rows
    array = as_tensor(given)._data
    if not array.ndim:
        raise ValueError("DataLoader: a column needs a row an example, and this is one number")
    return array
