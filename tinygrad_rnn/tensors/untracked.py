"""Which results have no derivative? Comparisons, whole numbers: whoever traces a step must hear of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..engine.places import state
from ..ops import dtypes
from .arrays import plain, wrapped

if TYPE_CHECKING:
    from .value import Tensor


def unrecorded(name: str, data: Any, operand: Any, *constants: Any) -> Tensor:
    """A result without a derivative, of which whoever follows what depends on what must hear."""
    result = wrapped(np.asarray(data))
    if state.tracer is not None:
        state.tracer.marked(name, result, (operand,), constants)
    return result


def compared(ufunc: Any, a: Any, b: Any) -> Tensor:
    """A comparison with a tensor, an array or a number; NotImplemented for anything else."""
    given, b = b, plain(b)
    if not isinstance(b, (np.ndarray, np.generic, *dtypes.NUMBERS)):
        try:
            b = np.asarray(b)
        except ValueError:
            return cast("Tensor", NotImplemented)  # Python asks the other operand then
        if b.dtype.kind not in "fiub":
            return cast("Tensor", NotImplemented)
    result = wrapped(np.asarray(ufunc(a._data, b)))
    if state.tracer is not None:
        state.tracer.compared(ufunc.__name__, result, (a, given))
    return result


def truth(ufunc: Any, *operands: Any) -> Tensor:
    """A comparison of truth values, which a trace must hear of."""
    result = wrapped(np.asarray(ufunc(*(getattr(a, "_data", a) for a in operands))))
    if state.tracer is not None:
        state.tracer.compared(ufunc.__name__, result, operands)
    return result


def whole(function: Any, *operands: Any) -> Tensor:
    """A function with the derivative 0, of arrays: what a trace must hear of like a comparison."""
    arrays = [getattr(a, "_data", a) for a in operands]
    result = wrapped(np.asarray(function(*arrays)).astype(arrays[0].dtype, copy=False))
    if state.tracer is not None:
        state.tracer.compared(function.__name__, result, operands)
    return result


def floor_quotient(a: Any, b: Any) -> Any:
    """``//`` of floats, by a name of its own: back ends write that of integers in other words."""
    return np.floor_divide(a, b)


def no_gradient(tensor: Any, who: str) -> None:
    """Raise TypeError where a gradient would be lost; tell a trace that values are looked at."""
    if state.tracer is not None:
        state.tracer.looks(who)
    if state.recording and tensor.requires_grad:
        raise TypeError(
            f"{who} gives values without a gradient, and this one would be lost: detach() first"
        )


def would_be_lost(what: str) -> str:
    """Why values alone are not handed out here, and what to write instead."""
    return (
        f"{what} would take the values of a tensor that requires a gradient, and the gradient would be "
        "lost: join tensors with tg.stack or tg.cat and use the tensor's own operations, or say that "
        "only values are wanted: t.detach(), t.numpy(), t.item()"
    )
