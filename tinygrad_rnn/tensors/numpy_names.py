"""What do numpy's functions do with Tensors? ``np.tanh(t)`` and friends return Tensors, numpy's meaning."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.places import state
from ..ops import elementwise as e
from ..ops import products, row, shapes
from . import making, several
from .arrays import as_tensor, plain, wrapped
from .axes import axes_of, axis_of
from .value import Tensor

_COMPARISONS = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.logical_and, np.logical_or, np.logical_not, np.isnan, np.isinf, np.isfinite,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.floor, np.ceil, np.rint,
)  # fmt: skip

# A row whose forward is numpy's ufunc is what the ufunc does with Tensors.
UFUNCS: dict[Any, Callable[..., Any]] = {
    op.forward: op.call for op in row.ROWS.values() if isinstance(op.forward, np.ufunc)
} | {
    np.power: e.pow,
    np.float_power: e.pow,
    np.square: e.square,
    np.matmul: products.matmul,
    np.sign: lambda a: _sign(a),
}


def call_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Tensor.__array_ufunc__``: a row for the ufunc, or an error that says what there is."""
    _no_out(ufunc.__name__, kwargs)
    if method == "reduce" and ufunc is np.add:
        return _sum(*inputs, **{"axis": 0, **kwargs})
    if method != "__call__" or kwargs:
        extra = ", ".join(kwargs) or method
        raise TypeError(f"np.{ufunc.__name__} of a Tensor does not take {extra}")
    if ufunc in UFUNCS:
        first, *rest = inputs
        return UFUNCS[ufunc](
            first if isinstance(first, Tensor) or rest else as_tensor(first), *rest
        )
    if ufunc in _COMPARISONS:
        result = wrapped(np.asarray(ufunc(*map(plain, inputs))))
        if state.tracer is not None:
            state.tracer.marked(ufunc.__name__, result, inputs, ())
        return result
    raise TypeError(
        f"np.{ufunc.__name__} has no derivative here: use the tensor's own methods, or "
        f"np.{ufunc.__name__}(t.numpy()) where no gradient is needed"
    )


def _no_out(name: str, kwargs: dict[str, Any]) -> None:
    """Refuse ``out=``, and ``array += t``, which is the same: nothing there has a gradient."""
    if kwargs.get("out") is not None:
        raise TypeError(
            f"np.{name}: out= (array += t is the same) writes values alone, so that the gradient would be "
            "lost: write x = x + t, or pass t.numpy() where no gradient is needed"
        )


def _keep(keepdims: Any) -> bool:
    return False if keepdims is np._NoValue else bool(keepdims)


def _sum(a: Any, axis: Any = None, keepdims: Any = False) -> Tensor:
    return as_tensor(a).sum(axis, _keep(keepdims))


def _mean(a: Any, axis: Any = None, keepdims: Any = False) -> Tensor:
    return as_tensor(a).mean(axis, _keep(keepdims))


def _var(a: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> Tensor:
    return as_tensor(a).var(axis, float(ddof), _keep(keepdims))


def _std(a: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> Tensor:
    return as_tensor(a).std(axis, float(ddof), _keep(keepdims))


def _prod(a: Any, axis: Any = None, keepdims: Any = False) -> Tensor:
    return as_tensor(a).prod(axis, _keep(keepdims))


def _cumsum(a: Any, axis: Any = None) -> Tensor:
    t = as_tensor(a)
    return t.reshape(-1).cumsum(0) if axis is None or not t.ndim else t.cumsum(axis)


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Tensor:
    """np.linalg.norm of vectors, and the Frobenius norm."""
    t = as_tensor(x)
    pair = t.ndim == 2 if axis is None else isinstance(axis, tuple) and len(axis) == 2
    if ord is not None and not (ord == "fro" and pair) and (pair or (axis is None and t.ndim != 1)):
        raise TypeError(
            f"np.linalg.norm of a matrix has no derivative here for ord={ord!r}: there is 'fro'"
        )
    if isinstance(ord, str) and not pair:
        raise ValueError(f"np.linalg.norm: ord={ord!r} is for matrices")
    return t.norm(2 if ord is None else ord, axis, _keep(keepdims))


def _sign(a: Any) -> Any:
    """np.sign: NaN stays NaN."""
    return e.where(np.isnan(a), a.detach(), e.sign(a))


def _max(a: Any, axis: Any = None, keepdims: Any = False) -> Tensor:
    return as_tensor(a).amax(axis, _keep(keepdims))


def _min(a: Any, axis: Any = None, keepdims: Any = False) -> Tensor:
    return as_tensor(a).amin(axis, _keep(keepdims))


def _transpose(a: Any, axes: Any = None) -> Tensor:
    return as_tensor(a).T if axes is None else as_tensor(a).permute(*axes)


def _split(a: Any, sections: Any, axis: int = 0) -> list[Tensor]:
    """np.split: a number of equal parts, or the places to cut at."""
    t = as_tensor(a)
    axis = axis_of(t, axis)
    n = t.shape[axis]
    if isinstance(sections, (int, np.integer)):
        if n % sections:
            raise ValueError("array split does not result in an equal division")
        return list(shapes.split(t, (n // sections,) * int(sections), axis))
    cuts, lead = [0, *(int(c) for c in sections), n], (slice(None),) * axis
    return [t[(*lead, slice(a, b))] for a, b in itertools.pairwise(cuts)]


def _clip(
    a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Tensor:
    return as_tensor(a).clip(a_min if min is None else min, a_max if max is None else max)


def _squeeze(a: Any, axis: Any = None) -> Tensor:
    t = as_tensor(a)
    if axis is not None and any(t.shape[i] != 1 for i in axes_of(t, axis)):
        raise ValueError(f"squeeze: axis {axis} of shape {t.shape} is not of length 1")
    return t.squeeze(axis)


def _dot(a: Any, b: Any) -> Tensor:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return e.mul(a, b)
    if np.ndim(b) < 3:
        return products.matmul(a, b)
    n, m = np.ndim(a), np.ndim(b)
    if np.shape(a)[-1] != np.shape(b)[-2]:
        raise ValueError(f"np.dot cannot take shapes {np.shape(a)} and {np.shape(b)}")
    left, right = tuple(range(n)), (*range(n, n + m - 2), n - 1, n + m - 2)
    to = (*range(n - 1), *range(n, n + m - 1))
    return products.einsum(as_tensor(a), as_tensor(b), (left, right), to)


def _outer(a: Any, b: Any) -> Tensor:
    return products.outer(as_tensor(a).reshape(-1), as_tensor(b).reshape(-1))


def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Tensor:
    if isinstance(subscripts, str) and "->" in subscripts:
        left, _, right = subscripts.partition("->")
        if "..." in left and "..." not in right:
            raise ValueError(f"np.einsum {subscripts!r}: the output must have the '...' too")
    return several.einsum(subscripts, *operands)


def _roll(a: Any, shift: Any, axis: Any = None) -> Tensor:
    t = as_tensor(a)
    if axis is None:
        return t.roll(int(np.sum(shift)))
    by, along = np.broadcast_arrays(shift, axis)
    return t.roll(by.ravel().tolist(), along.ravel().tolist())


def _pad(array: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0) -> Tensor:
    """np.pad with one constant: (before, after) of each axis, or of all."""
    t = as_tensor(array)
    if mode != "constant" or np.ndim(constant_values):
        raise TypeError("np.pad of a Tensor takes mode='constant' and one constant_values")
    if isinstance(pad_width, dict):
        rows = [(0, 0)] * t.ndim
        for axis, width in pad_width.items():
            rows[axis] = tuple(np.broadcast_to(width, 2).tolist())
        pad_width = rows
    widths = np.broadcast_to(np.asarray(pad_width), (t.ndim, 2)).tolist()
    if any(n < 0 for pair in widths for n in pair):
        raise ValueError("np.pad: a width is negative")
    return shapes.pad(t, tuple((a, b) for a, b in widths), plain(constant_values))


def _repeat(a: Any, repeats: Any, axis: Any = None) -> Tensor:
    """np.repeat: each element, so many times."""
    t = as_tensor(a)
    if axis is None:
        t, axis = t.reshape(-1), 0
    axis = axis_of(t, axis)
    index = np.repeat(np.arange(t.shape[axis]), plain(repeats))
    return t[(*(slice(None),) * axis, index)]


def _tile(A: Any, reps: Any) -> Tensor:  # noqa: N803 (numpy's name)
    return as_tensor(A).tile(tuple(np.atleast_1d(reps).tolist()))


def _take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Tensor:
    return as_tensor(arr).take_along_dim(indices, axis)


def _moveaxis(a: Any, source: Any, destination: Any) -> Tensor:
    t = as_tensor(a)
    order = np.moveaxis(np.empty((0,) * t.ndim), source, destination)  # raises what numpy raises
    del order
    pairs = zip(np.atleast_1d(destination).tolist(), np.atleast_1d(source).tolist(), strict=True)
    moved = {axis_of(t, to): axis_of(t, at) for to, at in pairs}
    rest = (i for i in range(t.ndim) if i not in moved.values())
    return t.permute(*(moved[i] if i in moved else next(rest) for i in range(t.ndim)))


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: _sum,
    np.mean: _mean,
    np.var: _var,
    np.std: _std,
    np.max: _max,
    np.min: _min,
    np.amax: _max,
    np.amin: _min,
    np.clip: _clip,
    np.where: several.where,
    np.reshape: lambda a, shape: as_tensor(a).reshape(shape),
    np.ravel: lambda a: as_tensor(a).reshape(-1),
    np.transpose: _transpose,
    np.swapaxes: lambda a, axis1, axis2: as_tensor(a).transpose(axis1, axis2),
    np.expand_dims: lambda a, axis: as_tensor(a).unsqueeze(axis),
    np.squeeze: _squeeze,
    np.broadcast_to: lambda array, shape: shapes.broadcast(
        as_tensor(array), tuple(np.broadcast_shapes(shape))
    ),
    np.flip: lambda m, axis=None: as_tensor(m).flip(
        tuple(range(as_tensor(m).ndim)) if axis is None else axis
    ),
    np.stack: lambda arrays, axis=0: several.stack(arrays, axis),
    np.concatenate: lambda arrays, axis=0: several.cat(arrays, axis),
    np.split: _split,
    np.dot: _dot,
    np.outer: _outer,
    np.einsum: _einsum,
    np.prod: _prod,
    np.cumsum: _cumsum,
    np.linalg.norm: _norm,
    np.roll: _roll,
    np.pad: _pad,
    np.repeat: _repeat,
    np.tile: _tile,
    np.take_along_axis: _take_along_axis,
    np.moveaxis: _moveaxis,
    np.zeros_like: lambda a: making.zeros_like(a),
    np.ones_like: lambda a: making.ones_like(a),
    np.copy: lambda a: as_tensor(a).clone(),
}

_PLAIN = (
    np.shape, np.ndim, np.size, np.allclose, np.isclose, np.array_equal, np.array2string,
    np.array_repr, np.array_str, np.argmax, np.argmin, np.argsort, np.all, np.any, np.may_share_memory,
    np.shares_memory, np.save, np.savetxt, np.result_type, np.iscomplexobj, np.isrealobj, np.nonzero,
)  # fmt: skip


def call_function(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """``Tensor.__array_function__``: numpy's meaning for those it has, an error for the others."""
    _no_out(function.__name__, kwargs)
    if function in FUNCTIONS:
        kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue and k != "out"}
        return FUNCTIONS[function](*args, **kwargs)
    if function in _PLAIN:
        return function(*_without_tensors(args), **_without_tensors(kwargs))
    raise TypeError(
        f"np.{function.__name__} has no derivative here: use the tensor's own methods, or call it on "
        "t.numpy() where no gradient is needed"
    )


def _without_tensors(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.numpy()
    if isinstance(value, dict):
        return {key: _without_tensors(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_without_tensors(part) for part in value)
    return value


def _array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    return call_ufunc(ufunc, method, inputs, kwargs)


def _array_function(self: Tensor, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    return call_function(function, args, kwargs)


# numpy's protocols: set here, where the tables are, since what they name stands on the tensor
Tensor.__array_ufunc__ = _array_ufunc  # type: ignore[attr-defined]
Tensor.__array_function__ = _array_function  # type: ignore[attr-defined]
