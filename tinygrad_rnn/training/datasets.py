"""What is a data set? It gives one example at a time, as PyTorch's do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.random import generator_or_default
from ..tensors import Tensor, as_tensor
from ..tensors.several import stack

__all__ = ["Dataset", "IterableDataset", "Subset", "TensorDataset", "random_split"]


class Dataset:
    """The base of data sets of your own: write ``__len__`` and ``__getitem__``.

    >>> from tinygrad_rnn.utils.data import DataLoader, Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, i):
    ...         return float(i), i * i
    >>> [(x.tolist(), y.tolist()) for x, y in DataLoader(Squares(), batch_size=2)]
    [([0.0, 1.0], [0, 1]), ([2.0], [4])]
    """

    def __getitem__(self, index: Any) -> Any:
        """One example."""
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__")


class IterableDataset(Dataset):
    """The base of data sets that are gone through: write ``__iter__``, which gives one example at a time.

    >>> from tinygrad_rnn.utils.data import DataLoader, IterableDataset
    >>> class Count(IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(5))
    >>> [batch.tolist() for batch in DataLoader(Count(), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __iter__(self) -> Iterator[Any]:
        """The examples."""
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")


class TensorDataset(Dataset):
    """Tensors or arrays with an example a row: example i is a tuple of their rows i.

    Raises ValueError where they differ in their number of rows.

    >>> import tinygrad_rnn as tg
    >>> data = tg.utils.data.TensorDataset(tg.ones(3, 2), tg.arange(3))
    >>> len(data), data[1]
    (3, (tensor([1., 1.]), tensor(1)))
    """

    def __init__(self, *tensors: Any) -> None:
        self.tensors: tuple[Tensor, ...] = tuple(as_tensor(t) for t in tensors)
        counts = [len(t) for t in self.tensors]
        if len(set(counts)) != 1:
            raise ValueError(f"TensorDataset: the tensors have {counts} rows")

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> Any:
        """A tuple of rows."""
        return tuple(t[index] for t in self.tensors)


class Subset(Dataset):
    """The examples of a data set at some places.

    >>> import tinygrad_rnn as tg
    >>> tg.utils.data.Subset([5, 6, 7], [2, 0])[0]
    7
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, list(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        """One example."""
        return self.dataset[self.indices[index]]


def random_split(
    dataset: Any, lengths: Sequence[float], generator: np.random.Generator | None = None
) -> list[Subset]:
    """Subsets of some lengths (or shares that sum to 1), drawn without putting back.

    Raises ValueError where the lengths do not sum to the data set's.

    >>> import tinygrad_rnn as tg
    >>> [len(part) for part in tg.utils.data.random_split(range(10), [0.7, 0.3])]
    [7, 3]
    """
    count = len(dataset)
    sizes = [int(n) for n in lengths]
    if any(
        n != int(n) for n in lengths
    ):  # shares: what rounding down leaves goes to the first ones
        if abs(sum(lengths) - 1) > 1e-9:
            raise ValueError(f"random_split: shares {list(lengths)} do not sum to 1")
        sizes = [int(count * share) for share in lengths]
        for k in range(count - sum(sizes)):
            sizes[k % len(sizes)] += 1
    if sum(sizes) != count:
        raise ValueError(f"random_split: lengths {sizes} do not sum to {count}")
    order = generator_or_default(generator).permutation(count).tolist()
    ends = np.cumsum([0, *sizes])
    return [Subset(dataset, order[a:b]) for a, b in itertools.pairwise(ends)]


def collate(examples: list[Any]) -> Any:
    """Examples as one batch: tensors, arrays and numbers stacked, tuples and dicts by their parts.

    As PyTorch's ``default_collate``: Python floats become float64, whole numbers int64, text stays a list.
    Gradients of tensors are kept. Raises ValueError where examples differ in shape or number of parts,
    TypeError for what is neither.

    >>> from tinygrad_rnn.training.datasets import collate
    >>> collate([{"x": [1.0, 2]}, {"x": [3.0, 4]}])
    {'x': [tensor([1., 3.], dtype=float64), tensor([2, 4])]}
    """
    first = examples[0]
    if isinstance(first, (str, bytes)):
        return examples
    if isinstance(first, Mapping):
        return _like_dict(first, {key: collate([e[key] for e in examples]) for key in first})
    if isinstance(first, (tuple, list)):
        if len({len(e) for e in examples}) > 1:
            raise ValueError(
                f"DataLoader: examples have {sorted({len(e) for e in examples})} parts: as many in each"
            )
        parts = [collate(list(column)) for column in zip(*examples, strict=True)]
        return _like_sequence(first, parts)
    if isinstance(first, float):  # what np.float64 is as well
        return Tensor._made(np.array(examples, np.float64))
    rows = [as_tensor(e) for e in examples]
    if len({row.shape for row in rows}) > 1:
        raise ValueError(
            f"DataLoader: examples have the shapes {sorted({row.shape for row in rows})}: give a "
            "collate_fn that pads them (nn.utils.rnn.pad_sequence)"
        )
    return stack(rows)


def converted(example: Any) -> Any:
    """One example with its arrays as tensors, and all else as it is: PyTorch's ``default_convert``."""
    if isinstance(example, (np.ndarray, np.generic)):
        return as_tensor(example)
    if isinstance(example, Mapping):
        return _like_dict(example, {key: converted(part) for key, part in example.items()})
    if isinstance(example, (tuple, list)):
        return _like_sequence(example, [converted(part) for part in example])
    return example


def _like_dict(example: Any, parts: dict[Any, Any]) -> Any:
    """Parts in the type of an example's mapping, where that can be made of them."""
    try:
        return type(example)(parts)
    except TypeError:
        return parts


def _like_sequence(example: Any, parts: list[Any]) -> Any:
    if hasattr(example, "_fields"):
        return type(example)(*parts)
    return tuple(parts) if isinstance(example, tuple) else parts
