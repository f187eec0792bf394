"""What does an ONNX op do to tensors? A row an op: its name, and the call on Tensors that computes it.

Gradients flow wherever ONNX's op has a derivative. Integers, shapes and truth values are computed by numpy.
Source: the operators' documentation of ONNX, opset 1 to 22; where an op changed (axes as an attribute,
then as an input), both forms are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..compat.elementwise import fmod
from ..engine.values import Array, DType
from ..nn import functional as f
from ..ops.curves import erf
from ..tensors import Tensor, functions, several
from .onnx_read_layers import OnnxOutput


class ReadError(ValueError):
    """What a file holds and this library cannot compute: the message names file, node and op.

    >>> import tinygrad_rnn as tg
    >>> issubclass(tg.interop.ReadError, ValueError)
    True
    """


@dataclass(slots=True)
class OnnxNode:
    """One node of a graph: its op, the names of what goes in and out, and its attributes."""

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opset: int
    held: dict[str, Any] = field(default_factory=dict)  # what was made of it when the file was read

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def refuse(self, why: str) -> ReadError:
        """An error that names the node."""
        domain = "" if self.domain in ("", "ai.onnx") else f"{self.domain}."
        return ReadError(f"node {self.name!r} ({domain}{self.op}, opset {self.opset}): {why}")


Rule = Callable[..., Any]  # (node, *inputs) -> a Tensor, OnnxOutput or a tuple of them


# ---- reading operands --------------------------------------------------------------------------------


def array(t: Tensor) -> Array:
    """A tensor's values as an array."""
    return t._data


def whole(data: Any, dtype: Any = None) -> Tensor:
    """An array as a Tensor that takes no gradient."""
    return Tensor._wrap(np.array(data, dtype), None)


def ints(t: Tensor) -> tuple[int, ...]:
    """A vector of integers as a tuple."""
    return tuple(int(n) for n in np.atleast_1d(array(t)).ravel())


def axes_of(n: OnnxNode, given: Tensor | None, name: str = "axes") -> tuple[int, ...] | None:
    """Axes from an input where it is there, else from the attribute; None where neither says any."""
    if given is not None:
        return ints(given)
    value = n.get(name)
    if value is None:
        return None
    return (int(value),) if isinstance(value, int) else tuple(int(k) for k in value)


def floating(*tensors: Tensor) -> bool:
    """Whether the operands are floats."""
    return all(t.is_floating_point() for t in tensors)


def numpy_rule(function: Callable[..., Any]) -> Rule:
    """A rule without a derivative, by numpy."""
    return lambda n, *given: whole(function(*map(array, given)))


def method(name: str) -> Rule:
    """A rule that is a method of the tensor."""
    return lambda n, x: getattr(x, name)()


# ---- elementwise ---------------------------------------------------------------------------------------


def _binary(on_floats: Callable[[Any, Any], Any], on_ints: Callable[[Any, Any], Any]) -> Rule:
    def rule(n: OnnxNode, a: Tensor, b: Tensor) -> Tensor:
        if not floating(a, b):
            return whole(on_ints(array(a), array(b)), array(a).dtype)
        result: Tensor = on_floats(a, b)
        return result

    return rule


def _truncated(a: Array, b: Array) -> Array:
    """Integers divide towards zero."""
    return np.trunc(np.true_divide(a, b)) if (a < 0).any() or (b < 0).any() else a // b


def _power(n: OnnxNode, a: Tensor, b: Tensor) -> Tensor:
    if not floating(a):
        return whole(np.power(array(a), array(b)), array(a).dtype)
    if b._node is None and array(b).size == 1:
        exponent = array(b).item()
        return a ** (int(exponent) if exponent == int(exponent) else exponent)
    return a ** b.to(a.dtype)


def _mod(n: OnnxNode, a: Tensor, b: Tensor) -> Tensor:
    if floating(a):
        return fmod(a, b)
    return whole((np.fmod if n.get("fmod", 0) else np.mod)(array(a), array(b)), array(a).dtype)


def _variadic(on_floats: Callable[[Any, Any], Any], on_ints: Callable[[Any, Any], Any]) -> Rule:
    pair = _binary(on_floats, on_ints)

    def rule(n: OnnxNode, *given: Tensor) -> Tensor:
        total = given[0]
        for other in given[1:]:
            total = pair(n, total, other)
        return total

    return rule


def _average(n: OnnxNode, *given: Tensor) -> Tensor:
    total: Tensor = _variadic(lambda a, b: a + b, np.add)(n, *given)
    return total / len(given)


def _clip(n: OnnxNode, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    bounds = [
        n.get(name) if given is None else array(given).item()
        for name, given in (("min", low), ("max", high))
    ]
    if bounds == [None, None]:
        return x
    if not floating(x):
        return whole(np.clip(array(x), *bounds), array(x).dtype)
    if None not in bounds and bounds[0] > bounds[1]:  # then the upper bound wins
        return functions.clip(functions.clip(x, bounds[0], None), None, bounds[1])
    return functions.clip(x, *bounds)


def _prelu(n: OnnxNode, x: Tensor, slope: Tensor) -> Tensor:
    return several.where(x > 0, x, x * slope)


def _selu(n: OnnxNode, x: Tensor) -> Tensor:
    alpha, gamma = n.get("alpha", 1.6732631921768188), n.get("gamma", 1.0507010221481323)
    result: Tensor = f.elu(x, alpha) * gamma
    return result


def _celu(n: OnnxNode, x: Tensor) -> Tensor:
    alpha = float(n.get("alpha", 1.0))
    return f.elu(x / alpha, 1.0) * alpha


def _gelu(n: OnnxNode, x: Tensor) -> Tensor:
    return f.gelu(x, approximate="tanh" if n.get("approximate", "none") == "tanh" else "none")


def _erf(n: OnnxNode, x: Tensor) -> Tensor:
    return erf(x)


def _hard_sigmoid(n: OnnxNode, x: Tensor) -> Tensor:
    return functions.clip(x * float(n.get("alpha", 0.2)) + float(n.get("beta", 0.5)), 0.0, 1.0)


def _cast(n: OnnxNode, x: Tensor) -> Tensor:
    from onnx import helper

    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(n.attributes["to"]))
    except (KeyError, TypeError, ValueError) as error:
        raise n.refuse(f"no such dtype here: {n.get('to')}") from error
    return _as(n, x, dtype)


def _as(n: OnnxNode, x: Tensor, dtype: DType) -> Tensor:
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise n.refuse(f"no such dtype here: {dtype}")
    if dtype.kind == "f" and floating(x):
        return x.to(dtype)
    return whole(array(x).astype(dtype))


def _where(n: OnnxNode, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    if not floating(a, b):
        return whole(np.where(array(condition), array(a), array(b)), array(a).dtype)
    return several.where(condition, a, b)


def _dropout(
    n: OnnxNode, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None
) -> Any:
    if training is not None and array(training).any():
        raise n.refuse("training_mode is on: export the model in evaluation mode")
    kept = whole(np.ones(x.shape, bool))
    return (x, kept)[: len(n.outputs)]


def _is_inf(n: OnnxNode, x: Tensor) -> Tensor:
    found = np.isinf(array(x))
    if not n.get("detect_negative", 1):
        found &= array(x) > 0
    if not n.get("detect_positive", 1):
        found &= array(x) < 0
    return whole(found)


# ---- products --------------------------------------------------------------------------------------------


def _gemm(n: OnnxNode, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    alpha, beta = float(n.get("alpha", 1.0)), float(n.get("beta", 1.0))
    left = a.transpose(0, 1) if n.get("transA", 0) else a
    if n.get("transB", 0) and alpha == beta == 1.0 and c is not None and c.ndim == 1:
        return f.linear(left, b, c) if c.shape[0] == b.shape[0] else f.linear(left, b) + c
    product = left @ (b.transpose(0, 1) if n.get("transB", 0) else b)
    product = product if alpha == 1.0 else product * alpha
    if c is None:
        return product
    return product + (c if beta == 1.0 else c * beta)


def _matmul(n: OnnxNode, a: Tensor, b: Tensor) -> Tensor:
    if not floating(a, b):
        return whole(np.matmul(array(a), array(b)), array(a).dtype)
    return a @ b


def _einsum(n: OnnxNode, *given: Tensor) -> Tensor:
    return several.einsum(n.attributes["equation"].replace(" ", ""), *given)


# ---- shapes ----------------------------------------------------------------------------------------------


def _shape(n: OnnxNode, x: Any) -> Tensor:
    sides = x.shape[n.get("start", 0) or None : n.get("end")]
    return whole(sides, np.int64)


def _reshape(n: OnnxNode, x: Any, to: Tensor | None = None) -> Tensor:
    wanted = ints(to) if to is not None else tuple(n.attributes["shape"])
    if isinstance(x, OnnxOutput):
        short = x.reshaped(wanted)
        if short is not None:
            return short
        x = x.tensor()
    if not n.get("allowzero", 0):
        wanted = tuple(x.shape[k] if side == 0 else side for k, side in enumerate(wanted))
    result: Tensor = x.reshape(wanted)
    return result


def _flatten(n: OnnxNode, x: Tensor) -> Tensor:
    axis = int(n.get("axis", 1))
    axis += x.ndim if axis < 0 else 0
    rows = int(np.prod(x.shape[:axis], dtype=int))
    return x.reshape(rows, int(np.prod(x.shape[axis:], dtype=int)))


def _transpose(n: OnnxNode, x: Any) -> Any:
    ndim = 4 if isinstance(x, OnnxOutput) else x.ndim
    axes = tuple(n.get("perm") or range(ndim - 1, -1, -1))
    return x.permuted(axes) if isinstance(x, OnnxOutput) else x.permute(axes)


def _squeeze(n: OnnxNode, x: Any, given: Tensor | None = None) -> Tensor:
    axes = axes_of(n, given)
    if isinstance(x, OnnxOutput):
        short = x.squeezed(axes)
        if short is not None:
            return short
        x = x.tensor()
    if axes is None:
        axes = tuple(k for k, side in enumerate(x.shape) if side == 1)
    axes = tuple(k % x.ndim for k in axes)
    if any(x.shape[k] != 1 for k in axes):
        raise n.refuse(f"axes {axes} of shape {x.shape} are not all of length 1")
    result: Tensor = x.reshape(tuple(side for k, side in enumerate(x.shape) if k not in axes))
    return result


def _unsqueeze(n: OnnxNode, x: Tensor, given: Tensor | None = None) -> Tensor:
    axes = axes_of(n, given) or ()
    ndim = x.ndim + len(axes)
    places = {k % ndim for k in axes}
    sides = iter(x.shape)
    return x.reshape(tuple(1 if k in places else next(sides) for k in range(ndim)))


def _concat(n: OnnxNode, *given: Tensor) -> Tensor:
    axis = int(n.attributes["axis"])
    if not floating(*given):
        return whole(np.concatenate([array(t) for t in given], axis), array(given[0]).dtype)
    return several.cat(list(given), axis)


def _split(n: OnnxNode, x: Tensor, given: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = int(n.get("axis", 0)) % x.ndim
    count = len(n.outputs)
    sizes = axes_of(n, given, "split")
    if sizes is None:
        each = -(-x.shape[axis] // count)
        rest = x.shape[axis] - each * (count - 1)
        sizes = (*(each,) * (count - 1), rest)
    if not floating(x):
        cuts = np.cumsum(sizes)[:-1]
        return tuple(whole(part) for part in np.split(array(x), cuts, axis))
    return tuple(x.split(list(sizes), axis))


def _slice(n: OnnxNode, x: Tensor, *given: Any) -> Tensor:
    if given:
        words = [None if t is None else ints(t) for t in given]
    else:
        words = [n.attributes["starts"], n.attributes["ends"], n.get("axes")]
    starts, ends = words[0] or (), words[1] or ()
    axes, steps = [*words[2:], None, None][:2]
    places = range(len(starts)) if axes is None else axes
    strides = [1] * len(starts) if steps is None else steps
    index: list[Any] = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, places, strides, strict=True):
        side = x.shape[axis]
        if step > 0:
            low, high = (max(k + side, 0) if k < 0 else min(k, side) for k in (start, end))
            index[axis] = slice(low, max(low, high), step)
        else:  # from the last to the first: by numbers
            low = max(start + side, -1) if start < 0 else min(start, side - 1)
            high = max(end + side, -1) if end < 0 else min(end, side - 1)
            x = _taken(x, np.arange(low, high, step), axis)
    return x[tuple(index)] if index else x


def _taken(x: Tensor, at: Array, axis: int) -> Tensor:
    """Some places along one axis."""
    return x.index_select(axis, whole(at)) if floating(x) else whole(np.take(array(x), at, axis))


def _gather(n: OnnxNode, x: Any, index: Tensor) -> Tensor:
    x = plain(x)
    axis = int(n.get("axis", 0)) % x.ndim
    at = array(index)
    if at.size and (at.min() < -x.shape[axis] or at.max() >= x.shape[axis]):
        raise n.refuse(f"an index is not within 0 to {x.shape[axis] - 1}")
    at = np.where(at < 0, at + x.shape[axis], at)
    if not floating(x):
        return whole(np.take(array(x), at, axis))
    if axis == 0 and x.ndim == 2 and at.ndim:
        return f.embedding(whole(at), x)
    return x[(*(slice(None),) * axis, int(at) if at.ndim == 0 else at)]  # type: ignore[no-any-return]


def _gather_elements(n: OnnxNode, x: Tensor, index: Tensor) -> Tensor:
    axis = int(n.get("axis", 0)) % x.ndim
    at = np.where(array(index) < 0, array(index) + x.shape[axis], array(index))
    return x[_grid(at, axis)] if floating(x) else whole(array(x)[_grid(at, axis)])


def _grid(at: Array, axis: int) -> tuple[Any, ...]:
    """The index of every element of ``at``, taken along one axis."""
    places = list(np.ogrid[tuple(slice(side) for side in at.shape)])
    places[axis] = at
    return tuple(places)


def _gather_nd(n: OnnxNode, x: Tensor, index: Tensor) -> Tensor:
    lead, at = int(n.get("batch_dims", 0)), array(index)
    grids = np.ogrid[tuple(slice(side) for side in at.shape[:lead])] if lead else []
    grids = [g.reshape(g.shape + (1,) * (at.ndim - 1 - lead)) for g in grids]
    where = (*grids, *np.moveaxis(at, -1, 0))
    return x[where] if floating(x) else whole(array(x)[where])


def _scatter_elements(n: OnnxNode, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    axis = int(n.get("axis", 0)) % x.ndim
    at = np.where(array(index) < 0, array(index) + x.shape[axis], array(index))
    return _written(n, x, _grid(at, axis), updates)


def _scatter_nd(n: OnnxNode, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    return _written(n, x, tuple(np.moveaxis(array(index), -1, 0)), updates)


def _written(n: OnnxNode, x: Tensor, where: Any, updates: Tensor) -> Tensor:
    kind = n.get("reduction", "none")
    if kind not in ("none", "add"):
        raise n.refuse(f"reduction={kind!r} is not known here")
    if floating(x, updates):
        place = x.at[where]
        return place.add(updates) if kind == "add" else place.set(updates)
    data = np.array(array(x))
    if kind == "add":
        np.add.at(data, where, array(updates))
    else:
        data[where] = array(updates)
    return whole(data)


def _expand(n: OnnxNode, x: Tensor, to: Tensor) -> Tensor:
    shape = np.broadcast_shapes(x.shape, ints(to))
    return x.broadcast_to(shape) if floating(x) else whole(np.broadcast_to(array(x), shape))


def _tile(n: OnnxNode, x: Tensor, times: Tensor) -> Tensor:
    return x.tile(ints(times)) if floating(x) else whole(np.tile(array(x), ints(times)))


def _pad(
    n: OnnxNode,
    x: Tensor,
    pads: Tensor | None = None,
    value: Tensor | None = None,
    given: Tensor | None = None,
) -> Tensor:
    widths = ints(pads) if pads is not None else tuple(n.get("pads", n.get("paddings")))
    number = n.get("value", 0.0) if value is None else array(value).item()
    axes = range(x.ndim) if given is None else [k % x.ndim for k in ints(given)]
    half = len(widths) // 2
    mode = n.get("mode", "constant")
    for axis, low, high in zip(axes, widths[:half], widths[half:], strict=True):
        side = x.shape[axis]
        if mode == "constant":
            if low < 0 or high < 0:
                cut = slice(max(-low, 0), side - max(-high, 0))
                x = x[(*(slice(None),) * axis, cut)]
            low, high = max(low, 0), max(high, 0)
            ends = [
                whole(np.full((*x.shape[:axis], k, *x.shape[axis + 1 :]), number), array(x).dtype)
                for k in (low, high)
            ]
            if low or high:
                x = _concat(
                    OnnxNode("Concat", "", n.name, (), (), {"axis": axis}, n.opset),
                    ends[0],
                    x,
                    ends[1],
                )
            continue
        name = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}.get(mode)
        if name is None:
            raise n.refuse(f"mode={mode!r} is not known here")
        at = np.pad(np.arange(side), (low, high), mode=name)  # type: ignore[call-overload]
        x = _taken(x, at, axis)
    return x


def _filled(n: OnnxNode, shape: Tensor) -> Tensor:
    value = n.get("value")
    start = np.zeros(1, np.float32) if value is None else value
    return whole(np.broadcast_to(start.reshape(()), ints(shape)))


def _constant(n: OnnxNode) -> Tensor:
    kinds = {
        "value_float": np.float32,
        "value_floats": np.float32,
        "value_int": np.int64,
        "value_ints": np.int64,
    }
    for name, dtype in kinds.items():
        if name in n.attributes:
            return whole(n.attributes[name], dtype)
    if "value" not in n.attributes:
        raise n.refuse(f"its value is a {', '.join(n.attributes) or 'nothing'}, expected numbers")
    return whole(n.attributes["value"])


def _one_hot(n: OnnxNode, index: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    count = int(array(depth).item())
    at, axis = array(index).astype(int), int(n.get("axis", -1))
    at = np.where(at < 0, at + count, at)
    axis += at.ndim + 1 if axis < 0 else 0
    hot = np.expand_dims(at, axis) == np.arange(count).reshape((-1,) + (1,) * (at.ndim - axis))
    off, on = array(values)
    return whole(np.where(hot, on, off), array(values).dtype)


def _range(n: OnnxNode, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    low, high, step = (array(t).item() for t in (start, limit, delta))
    count = max(math.ceil((high - low) / step), 0)
    return whole(low + np.arange(count) * step, array(start).dtype)


def _trilu(n: OnnxNode, x: Tensor, k: Tensor | None = None) -> Tensor:
    at = 0 if k is None else int(array(k).item())
    cut = (np.triu if n.get("upper", 1) else np.tril)(np.ones(x.shape[-2:], bool), at)
    return (
        several.where(whole(cut), x, 0.0)
        if floating(x)
        else whole(np.where(cut, array(x), 0), array(x).dtype)
    )


def _reverse_sequence(n: OnnxNode, x: Tensor, lengths: Tensor) -> Tensor:
    time, batch = int(n.get("time_axis", 0)), int(n.get("batch_axis", 1))
    steps = np.arange(x.shape[time])[:, None]
    count = array(lengths)
    there = np.where(steps < count, count - 1 - steps, steps)
    rows = np.arange(x.shape[batch])[None]
    if (time, batch) == (1, 0):
        return x[rows.T, there.T]
    return x[there, rows]


def _size(n: OnnxNode, x: Any) -> Tensor:
    return whole(int(np.prod(plain(x).shape, dtype=int)), np.int64)


def _eye_like(n: OnnxNode, x: Tensor) -> Tensor:
    return whole(np.eye(x.shape[0], x.shape[1], int(n.get("k", 0))), array(x).dtype)


# ---- reductions ----------------------------------------------------------------------------------------


def _reduce(on_floats: Callable[..., Any], on_ints: Any = None) -> Rule:
    def rule(n: OnnxNode, x: Tensor, given: Tensor | None = None) -> Tensor:
        axes, keep = axes_of(n, given), bool(n.get("keepdims", 1))
        if not axes:
            if axes == () and n.get("noop_with_empty_axes", 0):
                return x
            axes = tuple(range(x.ndim))
        axes = tuple(k % x.ndim for k in axes) if x.ndim else ()
        if not floating(x):
            if on_ints is None:
                raise n.refuse(f"of {array(x).dtype}")
            return whole(on_ints(array(x), axis=axes, keepdims=keep), array(x).dtype)
        return on_floats(x, axes, keep)  # type: ignore[no-any-return]

    return rule


def _product(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def _arg(largest: bool) -> Rule:
    def rule(n: OnnxNode, x: Tensor) -> Tensor:
        axis, data = int(n.get("axis", 0)), array(x)
        best = np.argmax if largest else np.argmin
        if n.get("select_last_index", 0):
            found = data.shape[axis] - 1 - best(np.flip(data, axis), axis)
        else:
            found = best(data, axis)
        return whole(np.expand_dims(found, axis) if n.get("keepdims", 1) else found, np.int64)

    return rule


def _top_k(n: OnnxNode, x: Tensor, k: Tensor | None = None) -> tuple[Tensor, Tensor]:
    count = int(n.attributes["k"]) if k is None else int(array(k).item())
    axis = int(n.get("axis", -1)) % x.ndim
    data = array(x)
    keys = -data if n.get("largest", 1) else data
    order = np.take(np.argsort(keys, axis, kind="stable"), np.arange(count), axis)
    values = x[_grid(order, axis)] if floating(x) else whole(data[_grid(order, axis)])
    return values, whole(order, np.int64)


def _cum_sum(n: OnnxNode, x: Tensor, axis: Tensor) -> Tensor:
    at = int(array(axis).item()) % x.ndim
    back = bool(n.get("reverse", 0))
    if not floating(x):
        x = x.to(np.float64)
    y = x.flip(at) if back else x
    total = y.cumsum(at)
    total = total - y if n.get("exclusive", 0) else total
    return total.flip(at) if back else total


# ---- normalisation -------------------------------------------------------------------------------------


def _soft(name: str) -> Rule:
    def rule(n: OnnxNode, x: Tensor) -> Tensor:
        if n.opset >= 13:
            return getattr(x, name)(int(n.get("axis", -1)))  # type: ignore[no-any-return]
        axis = int(n.get("axis", 1)) % max(x.ndim, 1)  # all axes from here on as one
        rows = int(np.prod(x.shape[:axis], dtype=int))
        result: Tensor = getattr(x.reshape(rows, -1), name)(-1).reshape(x.shape)
        return result

    return rule


def _layer_norm(n: OnnxNode, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Any:
    axis = int(n.get("axis", -1)) % x.ndim
    eps = float(n.get("epsilon", 1e-5))
    shape = x.shape[axis:]
    gain = scale if scale.shape == shape else scale.broadcast_to(shape)
    shift = bias if bias is None or bias.shape == shape else bias.broadcast_to(shape)
    y = f.layer_norm(x, shape, gain, shift, eps)
    if len(n.outputs) == 1:
        return y
    axes = tuple(range(axis, x.ndim))
    mean = x.mean(axes, keepdim=True)
    spread = ((x - mean).square().mean(axes, keepdim=True) + eps).sqrt()
    return (y, mean, 1 / spread)[: len(n.outputs)]


def _rms_norm(n: OnnxNode, x: Tensor, scale: Tensor) -> Tensor:
    axes = tuple(range(int(n.get("axis", -1)) % x.ndim, x.ndim))
    mean = x.square().mean(axes, keepdim=True)
    return x / (mean + float(n.get("epsilon", 1e-5))).sqrt() * scale


def _batch_norm(
    n: OnnxNode, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor
) -> Tensor:
    if n.get("training_mode", 0):
        raise n.refuse("training_mode is on: export the model in evaluation mode")
    shape = (1, -1) + (1,) * (x.ndim - 2)
    s, b, m, v = (t.reshape(shape) for t in (scale, bias, mean, var))
    return (x - m) / (v + float(n.get("epsilon", 1e-5))).sqrt() * s + b


def _lp_norm(n: OnnxNode, x: Tensor) -> Tensor:
    axis, p = int(n.get("axis", -1)), int(n.get("p", 2))
    size = x.norm(p, axis, keepdim=True)
    return x / several.where(size == 0, 1.0, size)


def _hardmax(n: OnnxNode, x: Tensor) -> Tensor:
    axis = int(n.get("axis", -1 if n.opset >= 13 else 1)) % x.ndim
    data = array(x)
    flat = data if n.opset >= 13 else data.reshape(int(np.prod(x.shape[:axis], dtype=int)), -1)
    at = axis if n.opset >= 13 else 1
    best = np.expand_dims(flat.argmax(at), at)
    hot = np.zeros_like(flat)
    np.put_along_axis(hot, best, 1, at)
    return whole(hot.reshape(data.shape))


# ---- the table -----------------------------------------------------------------------------------------


def plain(x: Any) -> Any:
    """A value laid out as ONNX has it."""
    return x.tensor() if isinstance(x, OnnxOutput) else x


RULES: dict[str, Rule] = {
    "Add": _binary(lambda a, b: a + b, np.add),
    "Sub": _binary(lambda a, b: a - b, np.subtract),
    "Mul": _binary(lambda a, b: a * b, np.multiply),
    "Div": _binary(lambda a, b: a / b, _truncated),
    "Pow": _power,
    "Mod": _mod,
    "Max": _variadic(several.maximum, np.maximum),
    "Min": _variadic(several.minimum, np.minimum),
    "Sum": _variadic(lambda a, b: a + b, np.add),
    "Mean": _average,
    "Neg": lambda n, x: -x,
    "Abs": lambda n, x: x.abs(),
    "Reciprocal": lambda n, x: 1 / x,
    "Sqrt": method("sqrt"),
    "Exp": method("exp"),
    "Log": method("log"),
    "Sin": method("sin"),
    "Cos": method("cos"),
    "Tan": lambda n, x: x.sin() / x.cos(),
    "Sinh": lambda n, x: (x.expm1() - (-x).expm1()) * 0.5,
    "Cosh": lambda n, x: (x.exp() + (-x).exp()) * 0.5,
    "Tanh": method("tanh"),
    "Sigmoid": method("sigmoid"),
    "Relu": lambda n, x: x.relu() if floating(x) else whole(np.maximum(array(x), 0)),
    "LeakyRelu": lambda n, x: f.leaky_relu(x, float(n.get("alpha", 0.01))),
    "PRelu": _prelu,
    "Elu": lambda n, x: f.elu(x, float(n.get("alpha", 1.0))),
    "Selu": _selu,
    "Celu": _celu,
    "Gelu": _gelu,
    "Erf": _erf,
    "Softplus": lambda n, x: f.softplus(x),
    "Softsign": lambda n, x: x / (x.abs() + 1),
    "Mish": lambda n, x: x * f.softplus(x).tanh(),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda n, x: x * functions.clip(x * (1 / 6) + 0.5, 0.0, 1.0),
    "ThresholdedRelu": lambda n, x: several.where(x > float(n.get("alpha", 1.0)), x, 0.0),
    "Swish": lambda n, x: x * (x * float(n.get("alpha", 1.0))).sigmoid(),
    "Sign": numpy_rule(np.sign),
    "Floor": numpy_rule(np.floor),
    "Ceil": numpy_rule(np.ceil),
    "Round": numpy_rule(np.round),
    "Clip": _clip,
    "Where": _where,
    "Equal": numpy_rule(np.equal),
    "Less": numpy_rule(np.less),
    "LessOrEqual": numpy_rule(np.less_equal),
    "Greater": numpy_rule(np.greater),
    "GreaterOrEqual": numpy_rule(np.greater_equal),
    "And": numpy_rule(np.logical_and),
    "Or": numpy_rule(np.logical_or),
    "Xor": numpy_rule(np.logical_xor),
    "Not": numpy_rule(np.logical_not),
    "IsNaN": numpy_rule(np.isnan),
    "IsInf": _is_inf,
    "Identity": lambda n, x: x,
    "Dropout": _dropout,
    "Cast": _cast,
    "CastLike": lambda n, x, like: _as(n, x, array(like).dtype),
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Shape": _shape,
    "Size": _size,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "ConstantOfShape": _filled,
    "Constant": _constant,
    "OneHot": _one_hot,
    "Range": _range,
    "Trilu": _trilu,
    "EyeLike": _eye_like,
    "ReverseSequence": _reverse_sequence,
    "NonZero": lambda n, x: whole(np.stack(np.nonzero(array(x)))),
    "ReduceSum": _reduce(lambda x, axes, keep: x.sum(axes, keepdim=keep), np.sum),
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceMax": _reduce(lambda x, axes, keep: x.amax(axes, keepdim=keep), np.max),
    "ReduceMin": _reduce(lambda x, axes, keep: x.amin(axes, keepdim=keep), np.min),
    "ReduceProd": _reduce(_product, np.prod),
    "ReduceL1": _reduce(lambda x, axes, keep: x.abs().sum(axes, keepdim=keep)),
    "ReduceL2": _reduce(lambda x, axes, keep: x.norm(2, axes, keepdim=keep)),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: x.square().sum(axes, keepdim=keep)),
    "ReduceLogSum": _reduce(lambda x, axes, keep: x.sum(axes, keepdim=keep).log()),
    "ReduceLogSumExp": _reduce(lambda x, axes, keep: x.logsumexp(axes, keepdim=keep)),
    "ArgMax": _arg(True),
    "ArgMin": _arg(False),
    "TopK": _top_k,
    "CumSum": _cum_sum,
    "Softmax": _soft("softmax"),
    "LogSoftmax": _soft("log_softmax"),
    "Hardmax": _hardmax,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "BatchNormalization": _batch_norm,
    "LpNormalization": _lp_norm,
}
TAKES_LANES = frozenset(("Reshape", "Transpose", "Squeeze", "Size", "Gather"))


def apply(n: OnnxNode, given: Sequence[Any]) -> tuple[Any, ...]:
    """A node's outputs."""
    if n.op not in TAKES_LANES:
        given = [plain(x) for x in given]
    found = RULES[n.op](n, *given)
    return found if isinstance(found, tuple) else (found,)
