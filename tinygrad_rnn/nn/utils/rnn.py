"""How do sequences of several lengths share a batch? Padded, masked, and packed in PyTorch's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...engine.places import state
from ...engine.signatures import readable
from ...ops import indexing
from ...ops.elementwise import where
from ...tensors import Tensor, as_tensor
from ...tensors.making import zeros


def pad_sequence(
    sequences: Sequence[Any],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences of several lengths as one tensor, the short ones filled up with ``padding_value``.

    ``padding_side`` "left" puts the padding before them.

    ``sequences`` are tensors or arrays (length, ...), alike but for their lengths (0 is allowed); the
    result is (longest, count, ...), with ``batch_first`` (count, longest, ...). Each sequence gets the
    gradient of its own steps. Raises ValueError where there are none or their shapes do not fit.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.utils.pad_sequence([tg.ones(2), tg.ones(1)], batch_first=True)
    tensor([[1., 1.],
            [1., 0.]])
    """
    parts = [as_tensor(s) for s in sequences]
    if not parts:
        raise ValueError("pad_sequence needs at least one sequence")
    for k, part in enumerate(parts):
        if not part.ndim or part.shape[1:] != parts[0].shape[1:]:
            raise ValueError(
                f"pad_sequence: sequence {k} has shape {part.shape}, and the first "
                f"{parts[0].shape}: they may differ in their length alone"
            )
    count, steps = len(parts), max(len(part) for part in parts)
    lead = (count, steps) if batch_first else (steps, count)
    shape, dtype = lead + parts[0].shape[1:], np.result_type(*[part.dtype for part in parts])
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side is 'right' or 'left', not {padding_side!r}")
    right = padding_side == "right"
    own = [slice(len(p)) if right else slice(steps - len(p), steps) for p in parts]
    where = tuple((k, s) if batch_first else (s, k) for k, s in enumerate(own))
    padded = indexing.place(*parts, where, shape, dtype)
    if not padding_value:
        return padded
    fill = np.full(shape, padding_value, dtype)
    for index in where:
        fill[index] = 0
    return padded + Tensor._made(fill)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences, each of its own length, that were padded: the way back from ``pad_sequence``.

    >>> import tinygrad_rnn as tg
    >>> padded = tg.nn.utils.pad_sequence([tg.ones(2), tg.ones(1)])
    >>> tg.nn.utils.rnn.unpad_sequence(padded, [2, 1])
    [tensor([1., 1.]), tensor([1.])]
    """
    x, own = as_tensor(padded_sequences), as_tensor(lengths)._data
    x = x if batch_first else x.transpose(0, 1)
    if own.shape != (x.shape[0],) or own.dtype.kind not in "iu":
        raise ValueError(
            f"unpad_sequence: lengths must be {x.shape[0]} integers, got {own.dtype} {own.shape}"
        )
    if own.size and not (own.min() >= 0 and own.max() <= x.shape[1]):
        raise ValueError(f"unpad_sequence: lengths must be 0 to {x.shape[1]}, got {own.tolist()}")
    return [x[k, : int(n)] for k, n in enumerate(own)]


def sequence_mask(lengths: Any, steps: int | None = None, batch_first: bool = False) -> Tensor:
    """Which steps of padded sequences are their own: (steps, batch) of bools, or (batch, steps).

    ``lengths`` (batch,) are integers, ``steps`` is the longest of them unless given. A mask picks what
    counts before a loss sees it, so that the padding has no part in the value, its mean or any
    gradient: ``loss(y[mask], target[mask])``, for every loss. Raises ValueError for lengths outside 0
    to ``steps``.

    >>> import tinygrad_rnn as tg
    >>> mask = tg.nn.utils.sequence_mask([1, 2])
    >>> mask
    tensor([[ True,  True],
            [False,  True]])
    >>> y, target = tg.tensor([[1.0, 2.0], [99.0, 3.0]]), tg.zeros(2, 2)
    >>> tg.nn.functional.l1_loss(y[mask], target[mask]).item()
    2.0
    """
    given = np.asarray(as_tensor(lengths)._data)
    if given.dtype.kind not in "iu" or given.ndim != 1 or not given.size:
        raise ValueError(
            f"sequence_mask: lengths must be integers (batch,), got {given.dtype} {given.shape}"
        )
    longest = int(given.max())
    steps = longest if steps is None else steps
    if given.min() < 0 or longest > steps:
        raise ValueError(f"sequence_mask: lengths must be 0 to {steps}, got {given.tolist()}")
    mask = np.arange(steps) < given[:, None]
    return Tensor._made(mask if batch_first else mask.T)


class PackedSequence:
    """Sequences and their lengths in one value, as recurrent layers take and return them.

    It is made of ``data``, the steps without the padding, step by step and longest sequences first, of
    ``batch_sizes``, how many sequences run at each step, and of ``sorted_indices``, which of the batch the
    longest, the next, ... are (in order, if left out); it unpacks into these and ``unsorted_indices``.
    ``padded`` is (time, batch, ...), up to the longest; ``lengths`` (batch,).
    (``layer(x, lengths=lengths)`` does the same as packing.) Raises ValueError where they do not fit.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.utils.rnn
    >>> packed = rnn.pack_padded_sequence(tg.ones(3, 2, 4), [3, 1])
    >>> doubled = rnn.PackedSequence(packed.data * 2, packed.batch_sizes)
    >>> rnn.pad_packed_sequence(doubled)[0][:, 1, 0]
    tensor([2., 0., 0.])
    """

    padded: Tensor
    lengths: Tensor

    def __init__(
        self,
        data: Any,
        batch_sizes: Any,
        sorted_indices: Any = None,
        unsorted_indices: Any = None,
    ) -> None:
        data, sizes = as_tensor(data), np.asarray(as_tensor(batch_sizes)._data)
        if (
            sizes.ndim != 1
            or sizes.dtype.kind not in "iu"
            or not sizes.size
            or (np.diff(sizes) > 0).any()
            or sizes[-1] < 1
            or data.shape[:1] != (sizes.sum(),)
        ):
            raise ValueError(
                f"PackedSequence: batch_sizes are integers that do not grow, and sum to the length of "
                f"data; got {sizes.tolist()} and data of shape {data.shape}"
            )
        count = int(sizes[0])
        order = np.arange(count)
        if sorted_indices is not None:
            order = np.asarray(as_tensor(sorted_indices)._data)
        elif unsorted_indices is not None:
            order = np.argsort(as_tensor(unsorted_indices)._data)
        if sorted(order.tolist()) != list(range(count)):
            raise ValueError(f"PackedSequence: sorted_indices are 0 to {count - 1} in some order")
        times, places = np.nonzero(np.arange(count) < sizes[:, None])
        lengths = np.empty(count, np.int64)
        lengths[order] = (np.arange(count) < sizes[:, None]).sum(0)
        shape = (sizes.size, count, *data.shape[1:])
        self.padded = zeros(*shape, dtype=data.dtype).at[times, order[places]].set(data)
        self.lengths = Tensor._made(lengths)

    @classmethod
    def _of(cls, padded: Tensor, lengths: Tensor) -> PackedSequence:
        """Of padded sequences and their lengths."""
        made = cls.__new__(cls)
        made.padded, made.lengths = padded, lengths
        return made

    @property
    def sorted_indices(self) -> Tensor:
        """Which of the batch the longest sequence is, and the next, ..."""
        return Tensor._made(self._order)

    @property
    def unsorted_indices(self) -> Tensor:
        """Where each of the batch is among them."""
        return Tensor._made(np.argsort(self._order))

    def _parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.data, self.batch_sizes, self.sorted_indices, self.unsorted_indices

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self._parts())

    def __getitem__(self, at: int) -> Tensor:
        return self._parts()[at]

    def _replace(self, **parts: Any) -> PackedSequence:
        """The same with other parts, as PyTorch's, a named tuple, has it."""
        names = ("data", "batch_sizes", "sorted_indices", "unsorted_indices")
        return PackedSequence(**{**dict(zip(names, self._parts(), strict=True)), **parts})

    @property
    def _order(self) -> Any:
        """The sequences from the longest to the shortest, equal ones in their order."""
        return np.argsort(-self.lengths._data, kind="stable")

    @property
    def data(self) -> Tensor:
        """The steps without the padding, as PyTorch lays them: step by step, longest sequences first."""
        steps, order = np.arange(self.padded.shape[0]), self._order
        mask = steps[:, None] < self.lengths._data[order]
        times, places = np.nonzero(mask)
        return self.padded[times, order[places]]

    @property
    def batch_sizes(self) -> Tensor:
        """How many sequences are still running at each step."""
        steps = np.arange(self.padded.shape[0])
        return Tensor._made((steps[:, None] < self.lengths._data).sum(1))

    def __repr__(self) -> str:
        return f"PackedSequence(padded {self.padded.shape}, lengths {self.lengths.tolist()})"


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Padded sequences (time, batch, ...), or with ``batch_first`` (batch, time, ...), and their lengths.

    Raises ValueError for lengths that do not fit, or where ``enforce_sorted`` and they do not descend.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.utils.rnn
    >>> packed = rnn.pack_padded_sequence(tg.ones(3, 2, 4), [3, 1])
    >>> y, h = tg.nn.GRU(4, 5)(packed)
    >>> rnn.pad_packed_sequence(y)[0].shape
    (3, 2, 5)
    """
    x, own = as_tensor(input), as_tensor(lengths)
    x = x.transpose(0, 1) if batch_first else x
    steps = own._data
    if own.dtype.kind not in "iu" or own.shape != (x.shape[1],) or not steps.size:
        raise ValueError(
            f"pack_padded_sequence: lengths must be {x.shape[1]} integers, got {own.dtype} {own.shape}"
        )
    if steps.min() < 1 or steps.max() > x.shape[0]:
        raise ValueError(
            f"pack_padded_sequence: lengths must be 1 to {x.shape[0]}, got {steps.tolist()}"
        )
    if (
        state.tracer is not None and state.tracer.whole
    ):  # the example's longest is not every batch's
        return PackedSequence._of(x, own)
    if enforce_sorted and (np.diff(steps) > 0).any():
        raise ValueError(
            f"pack_padded_sequence: lengths {steps.tolist()} do not descend: enforce_sorted=False"
        )
    return PackedSequence._of(x[: int(steps.max())], own)


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (length, ...) padded and packed.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.utils.rnn.pack_sequence([tg.ones(3, 2), tg.ones(1, 2)])
    PackedSequence(padded (3, 2, 2), lengths [3, 1])
    """
    lengths = np.array([len(s) for s in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences, each of its own length, that were packed: the way back from ``pack_sequence``.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.utils.rnn
    >>> rnn.unpack_sequence(rnn.pack_sequence([tg.ones(2), tg.ones(1)]))
    [tensor([1., 1.]), tensor([1.])]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences))


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """What was packed, padded with ``padding_value`` up to the longest or ``total_length``; and the lengths.

    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.utils.rnn
    >>> rnn.pad_packed_sequence(rnn.pack_padded_sequence(tg.ones(2, 2), [2, 1]), padding_value=7)[0]
    tensor([[1., 1.],
            [1., 7.]])
    """
    x, lengths = sequence.padded, sequence.lengths
    steps = x.shape[0] if total_length is None else total_length
    if steps < x.shape[0]:
        raise ValueError(
            f"pad_packed_sequence: total_length {steps} is less than the longest, {x.shape[0]}"
        )
    if steps > x.shape[0]:
        more = Tensor._made(np.zeros((steps - x.shape[0], *x.shape[1:])), x.dtype)
        from ...tensors.several import cat

        x = cat([x, more])
    if state.tracer is not None and state.tracer.whole:
        mask = as_tensor(np.arange(steps)[:, None]) < lengths
    else:
        mask = sequence_mask(lengths, steps)
    x = where(mask.reshape(*mask.shape, *(1,) * (x.ndim - 2)), x, padding_value)
    return (x.transpose(0, 1) if batch_first else x), lengths


readable(__name__)
