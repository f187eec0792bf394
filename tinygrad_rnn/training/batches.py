"""What does a training loop go through? Data sets, arrays and ragged sequences, cut into batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..engine.keywords import clear_keywords
from ..engine.places import state
from ..engine.random import generator_or_default
from ..engine.values import Array
from ..nn.utils import pad_sequence, sequence_mask
from ..tensors import Tensor, as_tensor
from .datasets import IterableDataset, collate, converted

POOL = 50  # batches among which sequences of like length are sought


class DataLoader:
    """Batches of a data set: ``for x, y in DataLoader((inputs, targets), batch_size=32, shuffle=True)``.

    As in PyTorch ``dataset`` is whatever has ``__len__`` and ``__getitem__``, a list too: it is asked for
    one example after the other, and ``collate_fn`` joins those of a batch along a new first axis
    (tuples and dicts by their parts). An ``IterableDataset`` is iterated over. And, beyond PyTorch:

    A *tuple* is taken as columns, (inputs, targets), as is an array alone. A column is an array with an
    example a row, or a list of sequences (length, ...), which a batch pads to the longest: (time,
    batch, ...), or with ``batch_first`` (batch, time, ...). A list of examples whose lengths differ, which
    PyTorch cannot join, is taken as its columns. What the loop gets of columns is, as a tuple of Tensors:

    - ``x, y`` (``x`` alone for one column), where no column has sequences;
    - ``x, y, lengths``, where the inputs are sequences: call ``model(x, lengths=lengths)``;
    - ``x, y, lengths, mask``, where the targets are too: compare ``y[mask]``, see
      ``nn.utils.sequence_mask``.

    ``shuffle`` draws a new order each time from ``generator``, or the library's; ``sampler`` gives the
    order, ``batch_sampler`` whole batches, of indices; ``drop_last`` leaves out a last batch that is
    smaller; ``batch_size=None`` gives examples instead of batches. ``bucket`` puts sequences of like length
    together (among 50 batches where shuffled, else among all), so that there is less padding; shuffling
    then also shuffles the batches. PyTorch's ``num_workers``, ``pin_memory``, ``persistent_workers``,
    ``prefetch_factor`` and ``timeout`` have no effect. Raises ValueError where columns differ in number or
    lengths, options exclude each other, or there is nothing to go through, TypeError for what is no
    data set.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> loader = tg.DataLoader((np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])), batch_size=2)
    >>> [(x.shape, y.tolist()) for x, y in loader]
    [((2, 2), [0, 1]), ((1, 2), [0])]
    >>> ragged = tg.DataLoader(([np.ones((3, 2)), np.ones((1, 2))], [0, 1]), batch_size=2)
    >>> [(x.shape, y.tolist(), lengths.tolist()) for x, y, lengths in ragged]
    [((3, 2, 2), [0, 1], [3, 1])]
    >>> examples = [(np.ones((5, 2)), 0), (np.ones((5, 2)), 1)]  # of one length: as in PyTorch
    >>> [(x.shape, y.tolist()) for x, y in tg.DataLoader(examples, batch_size=2)]
    [((2, 5, 2), [0, 1])]
    """

    @clear_keywords
    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = False,
        *,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        drop_last: bool = False,
        bucket: bool = False,
        batch_first: bool = False,
        generator: np.random.Generator | None = None,
        collate_fn: Callable[[Any], Any] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
        persistent_workers: bool = False,
        prefetch_factor: int | None = None,
        timeout: float = 0,
    ) -> None:
        shuffle = bool(shuffle)
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be at least 1, got {batch_size}")
        self.dataset = dataset
        self.iterated = isinstance(dataset, IterableDataset)
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.collate = collate_fn or (converted if batch_size is None else collate)
        self.one_by_one = not _is_columns(dataset, collate_fn, bucket)
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.bucket, self.batch_first, self.generator = bucket, batch_first, generator
        self._refuse_what_excludes()
        if generator is not None:
            generator_or_default(generator)
        self.columns, self.lengths = [], None
        if self.iterated:
            return
        if self.one_by_one:
            self.count = _count(dataset)
        else:
            if isinstance(dataset, list) and dataset and isinstance(dataset[0], tuple):
                dataset = tuple(list(column) for column in zip(*dataset, strict=True))
            given = dataset if isinstance(dataset, tuple) else (dataset,)
            self.columns = [_column(column) for column in given]
            counts = [len(column) for column in self.columns]
            if len(set(counts)) != 1 or not counts[0]:
                raise ValueError(
                    f"DataLoader: the columns have {counts} examples: as many in each, and at least one"
                )
            self.count = counts[0]
            self.lengths = self._checked_lengths()
        if bucket and self.lengths is None:
            raise ValueError("DataLoader: bucket needs sequences, and the columns are arrays")
        if sampler is None and batch_sampler is None and not len(self):
            raise ValueError(f"DataLoader: {self.count} examples make no batch of {batch_size}")

    def _refuse_what_excludes(self) -> None:
        """Raise ValueError for options of which one says what the other would say."""
        own_order = self.shuffle or self.bucket
        clashes = {
            "batch_sampler, which gives batches, with batch_size, shuffle, sampler, bucket, drop_last": (
                self.batch_sampler is not None
                and (
                    self.batch_size != 1 or own_order or self.sampler is not None or self.drop_last
                )
            ),
            "sampler, which gives the order, with shuffle or bucket": (
                self.sampler is not None and own_order
            ),
            "batch_size=None, which gives examples, with drop_last or bucket": (
                self.batch_size is None and (self.drop_last or self.bucket)
            ),
            "an IterableDataset, which has an order of its own, with shuffle, sampler or batch_sampler": (
                self.iterated
                and (own_order or self.sampler is not None or self.batch_sampler is not None)
            ),
        }
        for words, clash in clashes.items():
            if clash:
                raise ValueError(f"DataLoader does not take {words}")

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
        """How many batches there are (TypeError where a sampler or an IterableDataset does not say)."""
        if self.batch_sampler is not None:
            return _length(self.batch_sampler)
        if self.iterated:
            count = _length(self.dataset)
        else:
            count = self.count if self.sampler is None else _length(self.sampler)
        if self.batch_size is None:
            return count
        whole, rest = divmod(count, self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        if self.iterated:
            return (self.collate(part) for part in self._cut(self.dataset))
        return (self.batch(rows) for rows in self._chosen())

    def _cut(self, items: Iterable[Any]) -> Iterator[Any]:
        """Items in lists of the batch size, or one by one."""
        if self.batch_size is None:
            yield from items
            return
        rest = iter(items)
        while part := list(itertools.islice(rest, self.batch_size)):
            if len(part) == self.batch_size or not self.drop_last:
                yield part

    def _chosen(self) -> Iterable[Any]:
        """The examples of each batch of a new pass: lazily where a sampler says which."""
        if self.batch_sampler is not None:
            return self.batch_sampler
        return self.order() if self.sampler is None else self._cut(self.sampler)

    def batch(self, rows: Any) -> Any:
        """The batch of the examples with these numbers, as the loop gets it.

        >>> import numpy as np, tinygrad_rnn as tg
        >>> tg.DataLoader(np.arange(5)).batch([4, 0])
        tensor([4, 0])
        """
        alone = self.batch_size is None and self.batch_sampler is None
        if self.one_by_one:
            if alone:
                return self.collate(self.dataset[_plain(rows)])
            places = [_plain(i) for i in rows]
            many = getattr(self.dataset, "__getitems__", None)
            examples = [self.dataset[i] for i in places] if many is None else many(places)
            return self.collate(examples)
        if alone:
            parts = tuple(Tensor._made(column[rows]) for column in self.columns)
            return parts if len(parts) > 1 else parts[0]
        batch: list[Tensor] = []
        for column in self.columns:
            if isinstance(column, list):
                batch.append(pad_sequence([column[i] for i in rows], self.batch_first))
            else:
                batch.append(Tensor._made(column[rows]))
        if self.lengths is not None:
            own = self.lengths[rows]
            batch.append(Tensor._made(own))
            if any(isinstance(column, list) for column in self.columns[1:]):
                batch.append(sequence_mask(own, batch_first=self.batch_first))
        return tuple(batch) if len(batch) > 1 else batch[0]

    def order(self) -> list[Any]:
        """The examples of each batch of a new pass, by their numbers; shuffled where the loader shuffles.

        >>> import numpy as np, tinygrad_rnn as tg
        >>> tg.DataLoader(np.arange(3.0), batch_size=2).order()
        [array([0, 1]), array([2])]
        """
        if self.iterated:
            raise TypeError("DataLoader: the examples of an IterableDataset have no numbers")
        if self.sampler is not None or self.batch_sampler is not None:
            return list(self._chosen())
        generator = generator_or_default(self.generator) if self.shuffle else None
        count, size = self.count, self.batch_size
        order = np.arange(count) if generator is None else generator.permutation(count)
        if size is None:
            return list(order)
        if self.bucket and self.lengths is not None:
            pool = count if generator is None else POOL * size
            pools = [order[i : i + pool] for i in range(0, count, pool)]
            order = np.concatenate([p[np.argsort(self.lengths[p], kind="stable")] for p in pools])
        batches = [order[i : i + size] for i in range(0, count, size)][: len(self)]
        if self.bucket and generator is not None:
            batches = [batches[i] for i in generator.permutation(len(batches))]
        return batches


def _plain(index: Any) -> Any:
    """An index as data sets expect it: whole numbers as Python's."""
    return index.item() if isinstance(index, np.integer) else index


def _length(value: Any) -> int:
    if not hasattr(value, "__len__"):
        raise TypeError(
            f"DataLoader: {type(value).__name__} does not say how many there are (__len__)"
        )
    return len(value)


def _count(dataset: Any) -> int:
    """How many examples a data set has; raises TypeError for what is none."""
    missing = [name for name in ("__getitem__", "__len__") if not hasattr(dataset, name)]
    if missing:
        raise TypeError(
            f"DataLoader: {type(dataset).__name__} has no {' and no '.join(missing)}: a data set has both "
            "(or is an IterableDataset)"
        )
    if not len(dataset):
        raise ValueError("DataLoader: the data set has no examples")
    return len(dataset)


def _is_columns(dataset: Any, collate_fn: Any, bucket: bool) -> bool:
    """Whether a data set is columns of examples, and not examples."""
    if collate_fn is not None:
        return False
    if isinstance(dataset, list):
        return bucket or not dataset or _ragged(dataset)
    return isinstance(dataset, (tuple, np.ndarray, Tensor)) or hasattr(dataset, "to_numpy")


def _ragged(examples: list[Any]) -> bool:
    """Whether examples, or their parts of one place, are sequences of different lengths."""
    tuples = all(isinstance(e, tuple) and len(e) == len(examples[0]) for e in examples)
    columns = zip(*examples, strict=True) if tuples else [examples]
    return any(
        all(map(_is_sequence, column)) and len({len(part) for part in column}) > 1
        for column in columns
    )


def _is_sequence(part: Any) -> bool:
    return isinstance(part, list) or len(getattr(part, "shape", ())) > 0


def _column(given: Any) -> Array | list[Array]:
    """An array with a row an example, or a list of sequences."""
    if state.recording and isinstance(given, Tensor) and given.requires_grad:
        raise TypeError(
            "DataLoader: the rows of a column that requires a gradient would be copied without it: "
            "detach() it, or use a TensorDataset"
        )
    if isinstance(given, (list, tuple)):
        rows = [as_tensor(row)._data for row in given]
        if rows and rows[0].ndim:
            return rows
    array = as_tensor(given)._data
    if not array.ndim:
        raise ValueError("DataLoader: a column needs a row an example, and this is one number")
    return array
