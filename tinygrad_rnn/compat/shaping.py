"""Which functions take tensors apart and put them together in PyTorch's scripts, beyond the engine's?

Each is a function, ``torch.hstack(...)``, and where its first argument is one tensor a method.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..ops import elementwise as e
from ..tensors import Tensor, as_tensor
from ..tensors.arrays import check_within, integers
from ..tensors.axes import Size, axis_of
from ..tensors.making import zeros
from ..tensors.several import cat, stack


def _tensors(given: Any) -> list[Tensor]:
    """Tensors that came as one list or one by one."""
    one = len(given) == 1 and isinstance(given[0], (list, tuple))
    return [as_tensor(t) for t in (given[0] if one else given)]


def atleast_1d(*tensors: Any) -> Any:
    """A number as a vector of one; several give a tuple."""
    made = tuple(t if t.ndim else t.reshape(1) for t in _tensors(tensors))
    return made if len(made) > 1 else made[0]


def atleast_2d(*tensors: Any) -> Any:
    """A number as (1, 1), a vector as one row; several give a tuple."""
    made = tuple(t if t.ndim > 1 else t.reshape(1, -1) for t in _tensors(tensors))
    return made if len(made) > 1 else made[0]


def atleast_3d(*tensors: Any) -> Any:
    """A number as (1, 1, 1), a vector as (1, n, 1), a matrix as (n, m, 1); several give a tuple."""
    made = tuple(
        t if t.ndim > 2 else t.unsqueeze(-1) if t.ndim == 2 else t.reshape(1, -1, 1)
        for t in _tensors(tensors)
    )
    return made if len(made) > 1 else made[0]


def hstack(tensors: Any) -> Tensor:
    """Joined along axis 1, vectors along axis 0."""
    parts = [atleast_1d(t) for t in tensors]
    return cat(parts, 0 if parts[0].ndim == 1 else 1)


def vstack(tensors: Any) -> Tensor:
    """Rows below each other: joined along axis 0, a vector as a row."""
    return cat([atleast_2d(t) for t in tensors], 0)


row_stack = vstack


def dstack(tensors: Any) -> Tensor:
    """Joined along axis 2."""
    return cat([atleast_3d(t) for t in tensors], 2)


def column_stack(tensors: Any) -> Tensor:
    """Joined along axis 1, a vector as a column."""
    made = [as_tensor(t) for t in tensors]
    return cat([t if t.ndim > 1 else t.reshape(-1, 1) for t in made], 1)


def concatenate(tensors: Any, dim: int = 0, axis: int | None = None) -> Tensor:
    """Joined along an axis; see ``cat``."""
    return cat(tensors, dim if axis is None else axis)


def block_diag(*tensors: Any) -> Tensor:
    """Matrices along the diagonal of one, 0 around them."""
    parts = [atleast_2d(t) for t in tensors]
    width, rows, start = sum(t.shape[1] for t in parts), [], 0
    for t in parts:
        n, m = t.shape
        around = [zeros(n, k, dtype=t.dtype) for k in (start, width - start - m)]
        rows.append(cat([around[0], t, around[1]], 1))
        start += m
    return cat(rows, 0)


def unflatten(input: Any, dim: int, sizes: Any) -> Tensor:
    """An axis as several of these sizes, one of which may be -1."""
    t = as_tensor(input)
    axis = axis_of(t, dim)
    return t.reshape(*t.shape[:axis], *sizes, *t.shape[axis + 1 :])


def movedim(input: Any, source: Any, destination: Any) -> Tensor:
    """Axes moved to other places, the others in their order.

    >>> import tinygrad_rnn as tg
    >>> tg.movedim(tg.ones(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    t = as_tensor(input)
    one = isinstance(source, (int, np.integer))
    here = [axis_of(t, d) for d in ((source,) if one else source)]
    there = [axis_of(t, d) for d in ((destination,) if one else destination)]
    if len(here) != len(there) or len(set(here)) < len(here) or len(set(there)) < len(there):
        raise ValueError(f"movedim: {source} and {destination} do not name as many different axes")
    rest = iter([k for k in range(t.ndim) if k not in here])
    order = [here[there.index(k)] if k in there else next(rest) for k in range(t.ndim)]
    return t.permute(*order)


moveaxis = movedim


def swapdims(input: Any, dim0: int, dim1: int) -> Tensor:
    """Two axes swapped; see ``transpose``."""
    return as_tensor(input).transpose(dim0, dim1)


def repeat_interleave(input: Any, repeats: Any, dim: Any = None, output_size: Any = None) -> Tensor:
    """Each slice along ``dim`` so many times in a row, or of the flattened tensor.

    >>> import tinygrad_rnn as tg
    >>> tg.repeat_interleave(tg.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    t = as_tensor(input)
    t, axis = (t.reshape(-1), 0) if dim is None else (t, axis_of(t, dim))
    times = np.asarray(as_tensor(repeats)._data)
    if times.dtype.kind not in "iu" or times.ndim > 1 or (times < 0).any():
        raise ValueError("repeat_interleave: repeats are whole numbers that are not negative")
    if times.ndim and len(times) not in (1, t.shape[axis]):
        raise ValueError(
            f"repeat_interleave: {len(times)} repeats for {t.shape[axis]} slices along axis {axis}"
        )
    return t.index_select(axis, Tensor._made(np.repeat(np.arange(t.shape[axis]), times)))


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape to which shapes broadcast."""
    return Size(np.broadcast_shapes(*(tuple(np.atleast_1d(s)) for s in shapes)))


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Tensors stretched to one shape."""
    made = _tensors(tensors)
    shape = np.broadcast_shapes(*(t.shape for t in made))
    return tuple(t.expand(shape) for t in made)


def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """So many parts of nearly equal size along ``dim``, the larger first, or cut before these places."""
    t = as_tensor(input)
    axis = axis_of(t, dim)
    side, given = t.shape[axis], indices_or_sections
    if isinstance(given, Tensor):
        given = given.tolist()
    if isinstance(given, (int, np.integer)):
        if given < 1:
            raise ValueError(f"tensor_split: {given} parts, and there must be at least 1")
        cuts = [0, *(len(part) for part in np.array_split(np.arange(side), given))]
        cuts = list(itertools.accumulate(cuts))
    else:
        cuts = [0, *(slice(None, k).indices(side)[1] for k in given), side]
    lead = (slice(None),) * axis
    return tuple(t[(*lead, slice(a, max(a, b)))] for a, b in itertools.pairwise(cuts))


def hsplit(input: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Parts along axis 1, of a vector along axis 0; see ``tensor_split``."""
    t = as_tensor(input)
    return tensor_split(t, indices_or_sections, 0 if t.ndim == 1 else 1)


def vsplit(input: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Parts along axis 0; see ``tensor_split``."""
    return tensor_split(input, indices_or_sections, 0)


def unfold(input: Any, dimension: int, size: int, step: int) -> Tensor:
    """Windows of ``size`` elements, each ``step`` on, along an axis; their elements are a new last axis.

    >>> import tinygrad_rnn as tg
    >>> tg.arange(4).unfold(0, 2, 1).tolist()
    [[0, 1], [1, 2], [2, 3]]
    """
    t = as_tensor(input)
    axis = axis_of(t, dimension)
    if not 0 <= size <= t.shape[axis] or step < 1:
        raise ValueError(
            f"unfold: windows of {size} every {step} of {t.shape[axis]} along axis {axis}"
        )
    starts = np.arange(0, t.shape[axis] - size + 1, step)
    t = movedim(t, axis, -1)[..., starts[:, None] + np.arange(size)]
    return movedim(t, -2, axis)


def fliplr(input: Any) -> Tensor:
    """Axis 1 reversed."""
    return as_tensor(input).flip(1)


def flipud(input: Any) -> Tensor:
    """Axis 0 reversed."""
    return as_tensor(input).flip(0)


def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Turned by ``k`` quarters in the plane of two axes, from the first towards the second."""
    t = as_tensor(input)
    a, b = dims
    return {
        0: lambda: t,
        1: lambda: t.flip(b).transpose(a, b),
        2: lambda: t.flip(a).flip(b),
        3: lambda: t.flip(a).transpose(a, b),
    }[k % 4]()


def select(input: Any, dim: int, index: int) -> Tensor:
    """The slice at a place along ``dim``, without that axis."""
    t = as_tensor(input)
    return t[(*(slice(None),) * axis_of(t, dim), int(index))]


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of matrices on two axes, as a new last axis; ``offset`` counts upwards.

    >>> import tinygrad_rnn as tg
    >>> tg.diagonal(tg.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    t = as_tensor(input)
    t = movedim(t, (dim1, dim2), (-2, -1))
    rows, columns = t.shape[-2:]
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    along = np.arange(count)
    return t[..., along - min(offset, 0), along + max(offset, 0)]


def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last axis on the diagonal of matrices that are 0 elsewhere."""
    t = as_tensor(input)
    side = t.shape[-1] + abs(offset)
    on = np.eye(side, k=offset, dtype=bool)
    lead = (0,) * max(offset, 0), (0,) * max(-offset, 0)
    padded = cat([zeros(*t.shape[:-1], len(z), dtype=t.dtype) for z in lead[:1]] + [t], -1)
    padded = cat([padded, zeros(*t.shape[:-1], side - padded.shape[-1], dtype=t.dtype)], -1)
    made = e.where(on, padded.unsqueeze(-2), as_tensor(0).to(t.dtype))
    return movedim(made, (-2, -1), (dim1, dim2))


def diag(input: Any, diagonal: int = 0) -> Tensor:
    """A vector as a matrix with it on the diagonal; of a matrix its diagonal.

    >>> import tinygrad_rnn as tg
    >>> tg.diag(tg.tensor([1, 2])).tolist()
    [[1, 0], [0, 2]]
    """
    t = as_tensor(input)
    if t.ndim not in (1, 2):
        raise ValueError(f"diag takes a vector or a matrix, not shape {t.shape}")
    return diag_embed(t, diagonal) if t.ndim == 1 else _diagonal(t, diagonal)


_diagonal = diagonal


def tril_indices(
    row: int, col: int, offset: int = 0, dtype: Any = None, device: Any = None
) -> Tensor:
    """The places of the lower triangle, (2, n): rows and columns."""
    return Tensor._made(np.stack(np.tril_indices(row, offset, col)), dtype or np.int64)


def triu_indices(
    row: int, col: int, offset: int = 0, dtype: Any = None, device: Any = None
) -> Tensor:
    """The places of the upper triangle, (2, n): rows and columns."""
    return Tensor._made(np.stack(np.triu_indices(row, offset, col)), dtype or np.int64)


def cartesian_prod(*tensors: Any) -> Tensor:
    """All choices of one element of each vector, a row a choice."""
    parts = _tensors(tensors)
    if len(parts) == 1:
        return parts[0]
    grids = np.meshgrid(*(np.arange(t.shape[0]) for t in parts), indexing="ij")
    return stack([t[g.ravel()] for t, g in zip(parts, grids, strict=True)], 1)


def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of ``r`` elements of a vector, in its order, a row a choice."""
    t = as_tensor(input)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(choose(range(t.shape[0]), r)), np.int64).reshape(-1, r)
    return t[places]


# ---- choosing and placing


def take(input: Any, index: Any) -> Tensor:
    """The elements of the flattened tensor at these places, in the shape of ``index``."""
    t = as_tensor(input).reshape(-1)
    where = integers("take", index)
    check_within("take", where, -t.shape[0], t.shape[0])
    return t[where]


def argwhere(input: Any) -> Tensor:
    """Where it is not 0, a row of indices an element."""
    found: Tensor = as_tensor(input).nonzero()
    return found


def masked_scatter(input: Any, mask: Any, source: Any) -> Tensor:
    """The elements of ``source``, in their order, where the mask is true."""
    t = as_tensor(input)
    chosen = np.broadcast_to(np.asarray(as_tensor(mask)._data, bool), t.shape)
    places, flat = np.flatnonzero(chosen), as_tensor(source).reshape(-1)
    if len(places) > flat.shape[0]:
        raise ValueError(f"masked_scatter: {len(places)} places and {flat.shape[0]} elements")
    order = np.zeros(t.numel(), np.int64)
    order[places] = np.arange(len(places))
    if not len(places):
        return t
    spread: Tensor = flat[order.reshape(t.shape)]
    return e.where(chosen, spread.to(t.dtype), t)


def _written(input: Any, method: str, *args: Any, **options: Any) -> Tensor:
    copy: Any = as_tensor(input).clone()
    made: Tensor = getattr(copy, method)(*args, **options)
    return made


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Tensor:
    """The slices of ``source`` added to those along ``dim`` that a vector names."""
    return _written(input, "index_add_", dim, index, source, alpha=alpha)


def index_fill(input: Any, dim: int, index: Any, value: Any) -> Tensor:
    """``value`` in the slices along ``dim`` that a vector names."""
    return _written(input, "index_fill_", dim, index, value)


def index_copy(input: Any, dim: int, index: Any, source: Any) -> Tensor:
    """The slices of ``source`` in place of those along ``dim`` that a vector names."""
    return _written(input, "index_copy_", dim, index, source)


def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """``values`` at the places that indices name, or added to what is there."""
    return _written(input, "index_put_", indices, values, accumulate)


def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Tensor:
    """``source`` at the places of the flattened tensor that ``index`` names."""
    t = as_tensor(input)
    where = integers("put", index).reshape(-1)
    flat = index_put(t.reshape(-1), (where,), as_tensor(source).reshape(-1), accumulate)
    return flat.reshape(t.shape)


def sum_to_size(input: Any, *size: Any) -> Tensor:
    """The sums over what broadcasting would stretch: a tensor of this shape."""
    t = as_tensor(input)
    shape = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else tuple(size)
    extra = t.ndim - len(shape)
    axes = [
        *range(extra),
        *(extra + k for k, n in enumerate(shape) if n == 1 != t.shape[extra + k]),
    ]
    if extra < 0 or any(n not in (1, t.shape[extra + k]) for k, n in enumerate(shape)):
        raise ValueError(f"sum_to_size: {t.shape} is not what {shape} broadcasts to")
    return (t.sum(axes, keepdim=True) if axes else t).reshape(shape)


# ---- what a tensor tells of itself


def stride(input: Any, dim: int | None = None) -> Any:
    """How many elements lie between neighbours along each axis, as PyTorch lays them out."""
    t = as_tensor(input)
    steps = [s // t._data.itemsize for s in t._data.strides]
    return tuple(steps) if dim is None else steps[dim]


def is_contiguous(input: Any) -> bool:
    """Whether its elements lie in their order (a tensor may be viewed in any shape here all the same)."""
    return bool(as_tensor(input)._data.flags.c_contiguous)


def element_size(input: Any) -> int:
    """How many bytes a number takes."""
    return int(as_tensor(input)._data.itemsize)


def ndimension(input: Any) -> int:
    """How many axes it has."""
    return as_tensor(input).ndim


def storage_offset(input: Any) -> int:
    """0: each tensor's elements count from its own first one."""
    return 0


def get_device(input: Any) -> int:
    """-1: the CPU."""
    return -1


def pin_memory(input: Any, device: Any = None) -> Tensor:
    """Itself: there is no GPU to copy to."""
    return as_tensor(input)


def share_memory_(input: Any) -> Tensor:
    """Itself: processes do not share tensors here."""
    return as_tensor(input)


def short(input: Any) -> Tensor:
    """In int16."""
    return as_tensor(input).to(np.int16)


def char(input: Any) -> Tensor:
    """In int8."""
    return as_tensor(input).to(np.int8)


def apply_(input: Any, callable: Any) -> Tensor:
    """Write f(x) for every number x, one by one.

    >>> import tinygrad_rnn as tg
    >>> tg.ones(2).apply_(lambda x: x + 2)
    tensor([3., 3.])
    """
    t: Any = input
    values = [callable(v) for v in t.detach().reshape(-1).tolist()]
    written: Tensor = t.copy_(Tensor._made(values, t.dtype).reshape(t.shape))
    return written


def map_(input: Any, tensor: Any, callable: Any) -> Tensor:
    """Write f(x, y) for every pair of numbers, one by one."""
    t: Any = input
    others = as_tensor(tensor).detach().expand(t.shape).reshape(-1).tolist()
    mine = t.detach().reshape(-1).tolist()
    values = [callable(a, b) for a, b in zip(mine, others, strict=True)]
    written: Tensor = t.copy_(Tensor._made(values, t.dtype).reshape(t.shape))
    return written
