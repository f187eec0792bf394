"""Which statistics, counts and searches do PyTorch's scripts call beyond the engine's?

Each is a function, ``torch.quantile(x, q)``, and a method, ``x.quantile(q)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops import elementwise as e
from ..tensors import Tensor, as_tensor
from ..tensors.axes import Sorted, axis_of
from ..tensors.several import cat, stack
from ..tensors.untracked import no_gradient


def std_mean(input: Any, dim: Any = None, unbiased: Any = None, **options: Any) -> Any:
    """The standard deviation and the mean."""
    return _with_mean("std", input, dim, unbiased, options)


def var_mean(input: Any, dim: Any = None, unbiased: Any = None, **options: Any) -> Any:
    """The variance and the mean."""
    return _with_mean("var", input, dim, unbiased, options)


def _with_mean(kind: str, input: Any, dim: Any, unbiased: Any, options: dict[str, Any]) -> Any:
    t, keepdim = as_tensor(input), bool(options.get("keepdim", False))
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        options["correction"] = int(unbiased)
    return getattr(t, kind)(dim, **options), t.mean(dim, keepdim)


def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest and the largest value."""
    t = as_tensor(input)
    return t.amin(dim, keepdim), t.amax(dim, keepdim)


def nansum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of what is not NaN."""
    t = as_tensor(input, dtype)
    return e.where(t.isnan(), as_tensor(0).to(t.dtype), t).sum(dim, keepdim)


def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of what is not NaN."""
    t = as_tensor(input, dtype)
    count = (~t.isnan()).sum(dim, keepdim)
    return nansum(t, dim, keepdim) / count


def nanmedian(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The lower middle value of what is not NaN; along ``dim`` a pair (values, indices)."""
    t = as_tensor(input)
    no_gradient(t, "nanmedian")
    flat = t.reshape(-1) if dim is None else t
    axis = 0 if dim is None else axis_of(t, dim)
    order = np.argsort(flat._data, axis, kind="stable")  # NaN last
    many = (~np.isnan(flat._data)).sum(axis, keepdims=True)
    found = Tensor._made(np.take_along_axis(order, np.maximum(many - 1, 0) // 2, axis))
    values = flat.gather(axis, found)
    if dim is None:
        return values.reshape(())
    return Sorted(*(v if keepdim else v.squeeze(axis) for v in (values, found)))


def count_nonzero(input: Any, dim: Any = None) -> Tensor:
    """How many are not 0."""
    there: Tensor = as_tensor(input) != 0
    return there.sum(dim)


def msort(input: Any) -> Tensor:
    """In order along axis 0."""
    return as_tensor(input).sort(0).values


def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Sorted:
    """The k-th smallest value along ``dim``, counted from 1, and where it was.

    >>> import tinygrad_rnn as tg
    >>> tg.kthvalue(tg.tensor([3.0, 1.0, 2.0]), 2).values
    tensor(2.)
    """
    t = as_tensor(input)
    side = t.shape[axis_of(t, dim)] if t.ndim else 1
    if not 1 <= k <= side:
        raise ValueError(f"kthvalue: k={k} of {side} values")
    if not t.ndim:
        return Sorted(t, Tensor._made(np.array(0)))
    found = t.argsort(dim).narrow(dim, k - 1, 1)
    return Sorted(*(v if keepdim else v.squeeze(dim) for v in (t.gather(dim, found), found)))


def mode(input: Any, dim: int = -1, keepdim: bool = False) -> Sorted:
    """The value that is there most often along ``dim``, the smallest of several, and its last place.

    >>> import tinygrad_rnn as tg
    >>> tg.mode(tg.tensor([1, 2, 2, 3])).values
    tensor(2)
    """
    t = as_tensor(input)
    if not t.ndim:
        return Sorted(t, Tensor._made(np.array(0)))
    axis = axis_of(t, dim)

    def last_of_most(row: Any) -> Any:
        values, counts = np.unique(row, return_counts=True)
        return np.flatnonzero(row == values[counts.argmax()])[-1]

    found = Tensor._made(np.expand_dims(np.apply_along_axis(last_of_most, axis, t._data), axis))
    return Sorted(*(v if keepdim else v.squeeze(axis) for v in (t.gather(axis, found), found)))


def quantile(
    input: Any, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The value below which the part ``q`` lies; several q are a new first axis.

    ``interpolation`` between two neighbours is "linear", "lower", "higher", "midpoint" or "nearest".

    >>> import tinygrad_rnn as tg
    >>> tg.quantile(tg.tensor([3.0, 1.0, 2.0]), 0.75)
    tensor(2.5)
    """
    t, part = as_tensor(input), as_tensor(q, np.float64)
    no_gradient(part, "quantile by a q that requires a gradient")
    parts = part._data
    if not t.is_floating_point() or not t.numel():
        raise ValueError(f"quantile takes floats, not {t.dtype} of shape {t.shape}")
    if parts.ndim > 1 or not ((parts >= 0) & (parts <= 1)).all():
        raise ValueError(f"quantile: q is from 0 to 1, one number or a vector, not {parts}")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ValueError(f"quantile: there is no interpolation {interpolation!r}")
    axis = 0 if dim is None else axis_of(t, dim)
    ordered = (t.reshape(-1) if dim is None else t).sort(axis).values
    made = [_between(ordered, axis, p, interpolation) for p in np.atleast_1d(parts)]
    if keepdim:
        shape = (1,) * t.ndim if dim is None else tuple(ordered.narrow(axis, 0, 1).shape)
        made = [m.reshape(shape) for m in made]
    return stack(made) if parts.ndim else made[0]


def _between(ordered: Tensor, axis: int, part: float, how: str) -> Tensor:
    number = ordered.dtype.type  # in whose rounding PyTorch counts, too
    place = float(number(part) * number(ordered.shape[axis] - 1))
    rounds: dict[str, Any] = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}
    place = rounds.get(how, float)(place)
    low = int(np.floor(place))
    high, weight = int(np.ceil(place)), 0.5 if how == "midpoint" else float(place - low)
    a, b = (ordered.narrow(axis, k, 1).squeeze(axis) for k in (low, high))
    last = ordered.narrow(axis, ordered.shape[axis] - 1, 1).squeeze(axis).detach()
    return a + (b - a) * weight + (last - last)  # a NaN comes last, and makes all of it NaN


def nanquantile(input: Any, q: float, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The quantile of what is not NaN, without a gradient."""
    t = as_tensor(input)
    no_gradient(t, "nanquantile")
    parts = as_tensor(q, np.float64)._data
    axis = None if dim is None else axis_of(t, dim)
    return Tensor._made(np.nanquantile(t._data, parts, axis, keepdims=keepdim), t.dtype)


def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many values lie in each of so many equal steps from min to max (of all values where both are 0)."""
    t = as_tensor(input)
    low, high = (t.amin().item(), t.amax().item()) if min == max == 0 else (min, max)
    if low == high:
        low, high = low - 1, high + 1
    values = t.detach()._data.ravel()
    kept = values[(values >= low) & (values <= high)].astype(float)
    found = np.minimum(((kept - low) / (high - low) * bins).astype(int), bins - 1)
    return Tensor._made(np.bincount(found, minlength=bins), t.dtype)


def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Any:
    """Each run of equal values once; with its place of each element, and the runs' lengths.

    >>> import tinygrad_rnn as tg
    >>> tg.unique_consecutive(tg.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    t = as_tensor(input)
    no_gradient(t, "unique_consecutive")
    rows = t._data.reshape(-1) if dim is None else np.moveaxis(t._data, axis_of(t, dim), 0)
    flat = rows.reshape(len(rows), -1)
    new = np.concatenate([[True], (flat[1:] != flat[:-1]).any(1)])[: len(rows)]
    kept = rows[new] if dim is None else np.moveaxis(rows[new], 0, axis_of(t, dim))
    inverse = np.cumsum(new) - 1
    found: list[Any] = [kept]
    if return_inverse:
        found.append(inverse.reshape(t.shape) if dim is None else inverse)
    if return_counts:
        found.append(np.bincount(inverse) if len(rows) else inverse)
    made = tuple(Tensor._made(f) for f in found)
    return made if len(made) > 1 else made[0]


def logcumsumexp(input: Any, dim: int) -> Tensor:
    """log(sum(exp(x))) of the elements up to each one along ``dim``, without overflow."""
    t = as_tensor(input)
    if not t.ndim:
        return t
    axis = axis_of(t, dim)
    parts = [t.narrow(axis, 0, k + 1).logsumexp(axis, keepdim=True) for k in range(t.shape[axis])]
    return cat(parts, axis)


def trapezoid(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The integral of straight lines between the points along ``dim``."""
    return _strips(y, x, dx, dim).sum(dim)


trapz = trapezoid


def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The integral up to each point; see ``trapezoid``."""
    return _strips(y, x, dx, dim).cumsum(dim)


def _strips(y: Any, x: Any, dx: float, dim: int) -> Tensor:
    t = as_tensor(y)
    side = t.shape[axis_of(t, dim)]
    middle = (t.narrow(dim, 0, side - 1) + t.narrow(dim, 1, side - 1)) / 2
    if x is None:
        return middle * dx
    steps = as_tensor(x).diff(dim=-1 if as_tensor(x).ndim == 1 else dim)
    if steps.ndim == 1 < t.ndim:
        steps = steps.reshape([-1 if k == axis_of(t, dim) else 1 for k in range(t.ndim)])
    return middle * steps


def trace(input: Any) -> Tensor:
    """The sum of a matrix's diagonal."""
    t = as_tensor(input)
    if t.ndim != 2:
        raise ValueError(f"trace takes a matrix, not shape {t.shape}")
    along = np.arange(min(t.shape))
    return t[along, along].sum()


def cov(input: Any, *, correction: int = 1) -> Tensor:
    """The covariance of variables in rows, (n, samples) to (n, n); a vector's variance."""
    t = as_tensor(input)
    rows = t.reshape(1, -1) if t.ndim < 2 else t
    centred = rows - rows.mean(1, keepdim=True)
    made: Tensor = centred @ centred.t() / (rows.shape[1] - correction)
    return made.reshape(()) if t.ndim < 2 else made


def corrcoef(input: Any) -> Tensor:
    """The correlations of variables in rows."""
    c = cov(input)
    if not c.ndim:
        return c / c
    along = np.arange(len(c))
    size = c[along, along].sqrt()
    return (c / size.unsqueeze(1) / size.unsqueeze(0)).clip(-1, 1)


def searchsorted(
    sorted_sequence: Any, input: Any, *, right: bool = False, side: str | None = None
) -> Tensor:
    """Before which element of a sorted vector (or of the row) each value belongs.

    >>> import tinygrad_rnn as tg
    >>> tg.searchsorted(tg.tensor([1, 3, 5]), tg.tensor([3, 4]))
    tensor([1, 2])
    """
    order, t = as_tensor(sorted_sequence), as_tensor(input)
    end: Any = "right" if right or side == "right" else "left"
    if order.ndim == 1:
        found: Any = np.searchsorted(order._data, t._data, end)
        return Tensor._made(np.asarray(found, np.int64))
    if order.shape[:-1] != t.shape[:-1]:
        raise ValueError(f"searchsorted: rows of shapes {order.shape} and {t.shape} do not fit")
    pairs = zip(
        order._data.reshape(-1, order.shape[-1]), t._data.reshape(-1, t.shape[-1]), strict=True
    )
    return Tensor._made(np.array([np.searchsorted(a, v, end) for a, v in pairs]).reshape(t.shape))


def bucketize(input: Any, boundaries: Any, *, right: bool = False) -> Tensor:
    """Between which boundaries, a sorted vector, each value lies; see ``searchsorted``."""
    return searchsorted(boundaries, input, right=right)
