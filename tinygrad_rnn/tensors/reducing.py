"""What does a tensor do along its axes? Sums, extremes, norms, products, running values, order, draws."""

# mypy: disable-error-code="misc,no-any-return"
# `self` is the Tensor that inherits these methods (mypy wants a supertype there); operators with an operand
# of any kind give Any.

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ..engine.places import state
from ..engine.random import generator_or_default
from ..ops import elementwise as e
from ..ops import indexing, products, reductions
from .arrays import as_tensor, is_tensor, made
from .axes import Extremes, NumpyNames, Sorted, axes_and_keep, axes_of, axis_of
from .several import mm
from .untracked import no_gradient, unrecorded

if TYPE_CHECKING:
    from .value import Tensor


class Reducing:
    """What a tensor does along one axis, some, or all."""

    __slots__ = ()

    # ---- sums

    def sum(
        self: Tensor,
        dim: Any = None,
        keepdim: Any = False,
        *,
        dtype: Any = None,
        **names: Unpack[NumpyNames],
    ) -> Tensor:
        """The sum over some axes, or over all; with ``dtype``, of the values in it."""
        if dtype is not None:
            return self.to(dtype).sum(dim, keepdim, **names)
        if dim is None and keepdim is False and not names:
            return reductions.sum(self, tuple(range(self._data.ndim)), False)
        return reductions.sum(self, *axes_and_keep(self, dim, keepdim, names))

    def mean(
        self: Tensor,
        dim: Any = None,
        keepdim: Any = False,
        *,
        dtype: Any = None,
        **names: Unpack[NumpyNames],
    ) -> Tensor:
        """The mean over some axes, or over all; with ``dtype``, of the values in it."""
        if dtype is not None:
            return self.to(dtype).mean(dim, keepdim, **names)
        return reductions.mean(self, *axes_and_keep(self, dim, keepdim, names))

    def var(
        self: Tensor,
        dim: Any = None,
        correction: Any = 1,
        keepdim: Any = False,
        *,
        unbiased: Any = None,
        **names: Unpack[NumpyNames],
    ) -> Tensor:
        """The variance, divided by n - ``correction`` (1, as in PyTorch; ``np.var(t)`` divides by n).

        >>> import tinygrad_rnn as tg
        >>> tg.var(tg.tensor([1.0, 3.0])).item()
        2.0
        """
        dim, correction = _divisor(dim, correction, unbiased)
        axes, keep = axes_and_keep(self, dim, keepdim, names)
        return reductions.var(self, axes, correction, keep)

    def std(
        self: Tensor,
        dim: Any = None,
        correction: Any = 1,
        keepdim: Any = False,
        *,
        unbiased: Any = None,
        **names: Unpack[NumpyNames],
    ) -> Tensor:
        """The square root of ``var``; its gradient is 0 where it is 0.

        >>> import tinygrad_rnn as tg
        >>> tg.std(tg.tensor([1.0, 2.0, 3.0])).item()
        1.0
        """
        dim, correction = _divisor(dim, correction, unbiased)
        axes, keep = axes_and_keep(self, dim, keepdim, names)
        return reductions.std(self, axes, correction, keep)

    def prod(
        self: Tensor, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]
    ) -> Tensor:
        """The product over some axes, or over all; the gradient is right where factors are 0."""
        return reductions.prod(self, *axes_and_keep(self, dim, keepdim, names))

    def cumsum(self: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
        """The sums of the elements up to each one along ``dim``."""
        dim = dim if axis is None else axis
        if dim is None:
            raise TypeError("cumsum needs the dim along which to add (np.cumsum(t) flattens)")
        return reductions.cumsum(self, axis_of(self, dim))

    def cumprod(self: Tensor, dim: Any) -> Tensor:
        """The products of the elements up to each one along ``dim``; the gradient is right at zeros."""
        return reductions.cumprod(self, axis_of(self, dim))

    def norm(
        self: Tensor, p: Any = 2, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]
    ) -> Tensor:
        """The p-norm of the elements, ``sum(|x|**p)**(1/p)``, over some axes, or over all.

        ``p`` is any number, ``inf`` and ``-inf`` too ("fro" is 2). Where the norm is 0 its gradient is
        0. Raises ValueError for another p, and for the largest or smallest of nothing.

        >>> import tinygrad_rnn as tg
        >>> tg.norm(tg.tensor([3.0, -4.0])).item(), tg.norm(tg.tensor([3.0, -4.0]), 1).item()
        (5.0, 7.0)
        """
        if p == "fro" or p is None:
            p = 2
        if isinstance(p, str):
            raise ValueError(f"norm: p is a number or 'fro', not {p!r}")
        axes, keep = axes_and_keep(self, dim, keepdim, names)
        return reductions.norm(self, float(p), axes, keep)

    def logsumexp(
        self: Tensor, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]
    ) -> Tensor:
        """log(sum(exp(x))), without overflow.

        >>> import tinygrad_rnn as tg
        >>> tg.logsumexp(tg.zeros(2), 0)
        tensor(0.6931)
        """
        return reductions.logsumexp(self, *axes_and_keep(self, dim, keepdim, names))

    def softmax(self: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
        """exp(x) / sum(exp(x)) along ``dim``."""
        return reductions.softmax(self, _one_axis(self, "softmax", dim, axis))

    def log_softmax(self: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
        """log(softmax(x)) along ``dim``."""
        return reductions.log_softmax(self, _one_axis(self, "log_softmax", dim, axis))

    # ---- extremes

    def amax(
        self: Tensor, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]
    ) -> Tensor:
        """The largest values over some axes; ties share the gradient evenly.

        >>> import tinygrad_rnn as tg
        >>> tg.amax(tg.tensor([[1.0, 3.0], [2.0, 0.0]]), 1)
        tensor([3., 2.])
        """
        return reductions.amax(self, *axes_and_keep(self, dim, keepdim, names))

    def amin(
        self: Tensor, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]
    ) -> Tensor:
        """The smallest values over some axes; ties share the gradient evenly.

        >>> import tinygrad_rnn as tg
        >>> tg.amin(tg.tensor([[1.0, 3.0], [2.0, 0.0]]), 1)
        tensor([1., 0.])
        """
        return reductions.amin(self, *axes_and_keep(self, dim, keepdim, names))

    def max(
        self: Tensor, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]
    ) -> Any:
        """The largest value; along one ``dim`` a pair (values, indices); ``maximum`` of two tensors.

        Without ``dim`` ties share the gradient evenly; with it the index that is returned gets it all.

        >>> import tinygrad_rnn as tg
        >>> tg.max(tg.tensor([[1.0, 3.0]]), dim=1).indices
        tensor([1])
        """
        return _extreme(self, True, dim, keepdim, names)

    def min(
        self: Tensor, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]
    ) -> Any:
        """The smallest value; along one ``dim`` a pair (values, indices); ``minimum`` of two tensors.

        >>> import tinygrad_rnn as tg
        >>> tg.min(tg.tensor([2.0, 1.0])).item()
        1.0
        """
        return _extreme(self, False, dim, keepdim, names)

    def argmax(self: Tensor, dim: Any = None, keepdim: Any = False, *, axis: Any = None) -> Tensor:
        """The index of the largest value, in all or along one axis.

        >>> import tinygrad_rnn as tg
        >>> tg.argmax(tg.tensor([1.0, 3.0])).item()
        1
        """
        return _arg(np.argmax, self, dim if axis is None else axis, keepdim)

    def argmin(self: Tensor, dim: Any = None, keepdim: Any = False, *, axis: Any = None) -> Tensor:
        """The index of the smallest value, in all or along one axis.

        >>> import tinygrad_rnn as tg
        >>> tg.argmin(tg.tensor([1.0, 3.0])).item()
        0
        """
        return _arg(np.argmin, self, dim if axis is None else axis, keepdim)

    def all(self: Tensor, dim: Any = None, keepdim: Any = False, *, axis: Any = None) -> Tensor:
        """Whether every value is true (not 0).

        >>> import tinygrad_rnn as tg
        >>> tg.all(tg.tensor([True, False])).item()
        False
        """
        return _arg(np.all, self, dim if axis is None else axis, keepdim)

    def any(self: Tensor, dim: Any = None, keepdim: Any = False, *, axis: Any = None) -> Tensor:
        """Whether any value is true (not 0).

        >>> import tinygrad_rnn as tg
        >>> tg.any(tg.tensor([True, False])).item()
        True
        """
        return _arg(np.any, self, dim if axis is None else axis, keepdim)

    def cummax(self: Tensor, dim: Any) -> Sorted:
        """The largest value up to each element along ``dim``, and where it was (last, of equal ones).

        >>> import tinygrad_rnn as tg
        >>> tg.cummax(tg.tensor([2.0, 1.0, 3.0]), 0).values
        tensor([2., 2., 3.])
        """
        return _running(self, np.maximum, dim)

    def cummin(self: Tensor, dim: Any) -> Sorted:
        """The smallest value up to each element along ``dim``, and where it was; see ``cummax``.

        >>> import tinygrad_rnn as tg
        >>> tg.cummin(tg.tensor([2.0, 1.0, 3.0]), 0).values
        tensor([2., 1., 1.])
        """
        return _running(self, np.minimum, dim)

    def median(self: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        """The middle value, the lower of two; along ``dim`` a pair (values, indices).

        Without ``dim`` equal values share the gradient evenly; with it the index that is returned gets it
        all. NaN where there is one. (``np.median`` takes the mean of two.)

        >>> import tinygrad_rnn as tg
        >>> tg.median(tg.tensor([4.0, 1.0, 2.0, 3.0])).item()
        2.0
        """
        if not self.numel() and (dim is None or not self.shape[axis_of(self, dim)]):
            raise ValueError(f"median: a tensor of shape {self.shape} has no middle value")
        flat = self.reshape(-1) if dim is None or not self.ndim else self
        found = _middles(flat, 0 if dim is None or not self.ndim else dim)
        if dim is None:
            value = flat.detach()[found._data[0]]
            same = flat == value if not bool(value != value) else flat.isnan()
            return value + (flat[same] - value).mean() if self.requires_grad else value
        if not self.ndim:
            return Sorted(self, found.reshape(()))
        values = self.gather(dim, found)
        return Sorted(*(t if keepdim else t.squeeze(dim) for t in (values, found)))

    # ---- products

    def matmul(self: Tensor, other: Any) -> Tensor:
        """The matrix product, 1-d to batched n-d."""
        return products.matmul(self, other)

    mm = matmul

    bmm = matmul

    def __matmul__(self: Tensor, other: Any) -> Tensor:
        return products.matmul(self, other)

    def __rmatmul__(self: Tensor, other: Any) -> Tensor:
        return products.matmul(other, self)

    def dot(self: Tensor, other: Any) -> Tensor:
        """The sum of the products of two vectors of one length (PyTorch's; see ``np.dot``).

        >>> import tinygrad_rnn as tg
        >>> tg.dot(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])).item()
        11.0
        """
        other = as_tensor(other)
        if self.ndim != 1 or self.shape != other.shape:
            raise ValueError(
                f"{state.place}dot takes two vectors of one length, not shapes "
                f"{self.shape} and {other.shape}: use a @ b"
            )
        return products.dot(self, other)

    def outer(self: Tensor, other: Any) -> Tensor:
        """Every element of a vector times every element of another: (n,), (m,) give (n, m)."""
        other = as_tensor(other)
        if self.ndim != 1 or other.ndim != 1:
            raise ValueError(
                f"{state.place}outer takes two vectors, not shapes {self.shape} and {other.shape}"
            )
        return products.outer(self, other)

    def mv(self: Tensor, vec: Any) -> Tensor:
        """The product of a matrix and a vector: (n, m), (m,) give (n,). Raises ValueError for other shapes.

        >>> import tinygrad_rnn as tg
        >>> tg.mv(tg.ones(2, 3), tg.ones(3))
        tensor([3., 3.])
        """
        if self.ndim != 2 or len(vec.shape) != 1:
            raise ValueError(
                f"mv takes a matrix and a vector, not shapes {self.shape}, {vec.shape}"
            )
        return self @ vec

    def addmm(self: Tensor, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """``beta`` times this plus ``alpha (mat1 @ mat2)``: (n, m), (m, p), and this broadcasts to (n, p).

        >>> import tinygrad_rnn as tg
        >>> tg.addmm(tg.ones(2), tg.ones(1, 3), tg.ones(3, 2))
        tensor([[4., 4.]])
        """
        product = mm(mat1, mat2)
        return (product if alpha == 1 else product * alpha) + _scaled(self, beta)

    # ---- order and chance

    def argsort(
        self: Tensor, dim: Any = -1, descending: bool = False, stable: bool = True
    ) -> Tensor:
        """The order that sorts along ``dim``; equal values keep theirs, NaN counts as largest.

        >>> import tinygrad_rnn as tg
        >>> tg.argsort(tg.tensor([1.0, 3.0, 2.0]))
        tensor([0, 2, 1])
        """
        return _order(self, dim, descending)

    def sort(self: Tensor, dim: Any = -1, descending: bool = False, stable: bool = True) -> Sorted:
        """The values in order along ``dim``, and where they were; see ``argsort``.

        >>> import tinygrad_rnn as tg
        >>> tg.sort(tg.tensor([1.0, 3.0, 2.0]), descending=True).values
        tensor([3., 2., 1.])
        """
        order = _order(self, dim, descending)
        return Sorted(self.gather(dim, order) if self.ndim else self, order)

    def topk(
        self: Tensor, k: int, dim: Any = -1, largest: bool = True, sorted: bool = True
    ) -> Sorted:
        """The k largest (or smallest) values along ``dim``, in order, and where they were.

        >>> import tinygrad_rnn as tg
        >>> tg.topk(tg.tensor([1.0, 3.0, 2.0]), 2).indices
        tensor([1, 2])
        """
        n = self.shape[dim] if self.ndim else 1
        if not 0 <= k <= n:
            raise ValueError(f"topk: k={k} of {n} values along dim {dim}")
        order = _order(self, dim, largest)
        if not self.ndim:
            return Sorted(self, order)
        first = order.split([k, n - k], dim)[0]
        return Sorted(self.gather(dim, first), first)

    def unique(
        self: Tensor,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: Any = None,
    ) -> Any:
        """The different values in order (or slices along ``dim``), and on demand which each is, and how many.

        There is no gradient: raises TypeError for a tensor that requires one (detach it first).

        >>> import tinygrad_rnn as tg
        >>> tg.unique(tg.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
        """
        no_gradient(self, "unique")
        found = np.unique(
            self._data, False, True, True, axis=dim, equal_nan=False
        )  # inverse and counts
        values, inverse, counts = (made(a) for a in found)
        inverse = inverse.reshape(self.shape if dim is None else (-1,))
        result = [
            values,
            *([inverse] if return_inverse else []),
            *([counts] if return_counts else []),
        ]
        return tuple(result) if len(result) > 1 else values

    def bincount(self: Tensor, weights: Any = None, minlength: int = 0) -> Tensor:
        """How often each whole number from 0 occurs in a vector, or the sums of their ``weights``.

        >>> import tinygrad_rnn as tg
        >>> tg.bincount(tg.tensor([2, 0, 2]))
        tensor([1, 0, 2])
        """
        if self.ndim != 1 or self.dtype.kind not in "iu" or (self._data < 0).any():
            raise ValueError("bincount takes a vector of whole numbers that are not negative")
        if weights is None:
            return made(np.bincount(self._data, minlength=minlength))
        w = as_tensor(weights)
        if w.shape != self.shape:
            raise ValueError(f"bincount: weights have shape {w.shape}, expected {self.shape}")
        w = w if w.dtype.kind == "f" else w.to(np.float64)
        size = max(int(self._data.max(initial=-1)) + 1, minlength)
        return indexing.place(w, ((np.array(self._data),),), (size,), w.dtype)

    def multinomial(
        self: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None
    ) -> Tensor:
        """Indices drawn with the weights in each row, from ``generator`` or the library's.

        Raises ValueError for weights that are negative, not finite, all 0, or too few.

        >>> import tinygrad_rnn as tg
        >>> tg.multinomial(tg.tensor([0.0, 1.0]), 1)
        tensor([1])
        """
        weights = np.asarray(self._data, np.float64)
        if not weights.ndim or weights.ndim > 2:
            raise ValueError(f"multinomial takes (classes,) or (rows, classes), not {self.shape}")
        rows, draw, found = np.atleast_2d(weights), generator_or_default(generator), []
        for row in rows:
            if not (np.isfinite(row).all() and (row >= 0).all() and row.sum() > 0):
                raise ValueError("multinomial: weights must be finite, not negative, and not all 0")
            if not replacement and num_samples > np.count_nonzero(row):
                raise ValueError(
                    f"multinomial: {num_samples} samples of {np.count_nonzero(row)} weights that are not "
                    "0: draw with replacement=True"
                )
            found.append(draw.choice(row.size, num_samples, replacement, row / row.sum()))
        indices = np.array(found, np.int64).reshape(len(rows), num_samples)
        return made(indices[0] if weights.ndim == 1 else indices)


def _divisor(dim: Any, correction: Any, unbiased: Any) -> tuple[Any, Any]:
    """PyTorch's older ways to say what is taken from n: a bool in either place, or ``unbiased=``."""
    if isinstance(dim, bool):
        dim, correction = None, int(dim)
    if unbiased is not None:
        correction = unbiased
    return dim, 1 if correction is None else int(correction) if correction is True else correction


def _one_axis(tensor: Tensor, who: str, dim: Any, axis: Any) -> tuple[int, ...]:
    dim = dim if axis is None else axis
    if dim is None:
        raise TypeError(f"{who} needs the dim along which to normalise")
    return axes_of(tensor, int(dim))


def _extreme(t: Tensor, largest: bool, dim: Any, keepdim: bool, names: NumpyNames) -> Any:
    if is_tensor(dim):
        return e.maximum(t, dim) if largest else e.minimum(t, dim)
    axes, keep = axes_and_keep(t, dim, keepdim, names)
    dim = dim if names.get("axis") is None else names["axis"]
    _check_some(t, axes)
    if dim is None:
        if not keep:
            return reductions.max_of_all(t) if largest else reductions.min_of_all(t)
        return reductions.amax(t, axes, keep) if largest else reductions.amin(t, axes, keep)
    if t.ndim and state.tracer is None:
        return Extremes(*_found(t, largest, axes[0], keep))
    indices = _arg(np.argmax if largest else np.argmin, t, dim, True)
    if t.ndim and state.tracer is not None and state.tracer.whole:
        values = reductions.amax(t, axes, True) if largest else reductions.amin(t, axes, True)
    else:
        values = t if not t.ndim else t.gather(axes[0], indices)
    if not keep and t.ndim:
        values, indices = values.squeeze(axes[0]), indices.squeeze(axes[0])
    return Extremes(values, indices)


def _check_some(t: Tensor, axes: tuple[int, ...]) -> None:
    """There is no extreme along an axis of length 0; the other axes may have it."""
    if not all(t.shape[k] for k in axes):
        raise ValueError(f"an empty tensor of shape {t.shape} has no largest or smallest value")


def _found(t: Tensor, largest: bool, axis: int, keep: bool) -> tuple[Tensor, Tensor]:
    """The extreme elements along an axis, taken from where they were found, and the places."""
    at = t._data.argmax(axis) if largest else t._data.argmin(axis)
    index: Any = indexing.beside(axis, at)
    if keep:
        at = np.expand_dims(at, axis)
        index = tuple([np.expand_dims(i, axis) for i in index])
    return indexing.getitem(t, index), made(at)


def _arg(function: Any, t: Tensor, dim: Any, keepdim: bool) -> Tensor:
    several = isinstance(dim, (tuple, list)) and function in (np.all, np.any)
    axis: Any = axes_of(t, dim) or None if several else None
    if dim is not None and not several and t.ndim:
        axis = axis_of(t, dim)
    if function in (np.argmax, np.argmin):
        _check_some(t, tuple(range(t.ndim)) if axis is None else (axis,))
    found = function(t._data, axis=axis, keepdims=keepdim)
    return unrecorded(function.__name__, found, t, axis, bool(keepdim))


def _scaled(tensor: Any, by: float) -> Any:
    """``by`` times a tensor; 0 times NaN is 0 here (PyTorch's ``beta=0``)."""
    if by == 0:
        return tensor.detach().new_zeros(tensor.shape)
    return tensor if by == 1 else tensor * by


def _running(tensor: Any, pick: Any, dim: Any) -> Sorted:
    """The extreme value so far: an element is one where it equals what numpy accumulates, or is NaN."""
    if state.tracer is not None:
        state.tracer.looks(f"the running {pick.__name__}")
    if not tensor.ndim:
        return Sorted(tensor, made(np.array(0)))
    axis, a = axis_of(tensor, dim), tensor._data
    best = pick.accumulate(a, axis)
    shape = [-1 if i == axis else 1 for i in range(a.ndim)]
    at = np.where((a == best) | (a != a), np.arange(a.shape[axis]).reshape(shape), 0)
    found = made(np.maximum.accumulate(at, axis))
    return Sorted(tensor.gather(axis, found), found)


def _middles(tensor: Any, dim: Any) -> Any:
    """Where the lower middle value is along ``dim``, kept as an axis of length 1; a NaN comes first."""
    if state.tracer is not None:
        state.tracer.looks("the median")
    axis, a = axis_of(tensor, dim), tensor._data
    order = np.argsort(a, axis, kind="stable")
    middle = np.take(order, [(a.shape[axis] - 1) // 2], axis)
    odd = a != a
    return made(np.where(odd.any(axis, keepdims=True), odd.argmax(axis, keepdims=True), middle))


def _order(tensor: Any, dim: Any, descending: bool) -> Any:

    if state.tracer is not None:
        state.tracer.looks("sorting")
    if not tensor.ndim:
        return made(np.array(0))
    axis = axis_of(tensor, dim)
    if not descending:
        return made(np.argsort(tensor._data, axis, kind="stable"))
    back = np.flip(tensor._data, axis)  # stable, and NaN first
    order = np.flip(np.argsort(back, axis, kind="stable"), axis)
    return made(tensor.shape[axis] - 1 - order)
