"""How does data become an array, and an index one that numpy takes? Copied, checked, in a dtype there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from ..engine.places import state
from ..engine.values import Array, DType, Handle
from ..ops import dtypes, watching
from .axes import Size

if TYPE_CHECKING:
    from .value import Tensor


def is_tensor(value: Any) -> TypeGuard[Tensor]:
    """Whether a value is a Tensor.

    >>> import tinygrad_rnn as tg
    >>> tg.is_tensor(tg.ones(1)), tg.is_tensor(1.0)
    (True, False)
    """
    return isinstance(value, Handle)


def made(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of the data in its own dtype, or in the one that is given."""
    return Handle.kind._made(data, dtype, requires_grad)


def wrapped(data: Any) -> Tensor:
    """A constant on an array that nobody else will write."""
    return Handle.kind._wrap(data, None)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` itself where it is a Tensor (of that dtype), else a tensor with a copy of it.

    >>> import tinygrad_rnn as tg
    >>> t = tg.ones(2)
    >>> tg.as_tensor(t) is t
    True
    """
    if is_tensor(data):
        return data if dtype is None else data.to(dtype)
    return watching.written_down(made(data, dtype), data)


def promoted(*operands: Any, floating: bool = False) -> list[Tensor]:
    """Tensors in the dtype that the operands promote to; a number is rounded to that one alone."""
    given = [v if v.__class__ in dtypes.NUMBERS else as_tensor(v) for v in operands]
    dtype = dtypes.common_dtype(tuple(given), floating)
    return [as_tensor(v, dtype) if v.__class__ is float else as_tensor(v).to(dtype) for v in given]


LAYER_RESULT = "tuple (output, state), as recurrent layers return: take its [0], the output"


def is_layer_result(data: tuple[Any, ...]) -> bool:
    """Whether a tuple is what a recurrent layer returns: its output, and its state or several."""
    if len(data) != 2 or not is_tensor(data[0]) or data[0].ndim < 2:
        return False
    state = data[1]
    if state.__class__ is tuple:
        return bool(state) and all(map(is_tensor, state))
    return is_tensor(state) and state.ndim >= 2


def plain(value: Any) -> Any:
    """The array of a tensor; anything else as it is."""
    return value._data if is_tensor(value) else value


def cast_like(value: Any, tensor: Tensor) -> Tensor:
    """A value as a tensor of another tensor's dtype."""
    return as_tensor(value).to(tensor.dtype)


def dtype_of(dtype: Any) -> DType:
    """A dtype that tensors have. Raises TypeError for any other."""
    found = np.dtype(dtype)
    if found.kind not in "fiub" or found.char == "g":
        raise TypeError(f"tensors hold float16/32/64, integers and bool, not {found}")
    one: DType = np.dtype(found.type)  # numpy's one object for it, compared by identity
    return one


def _foreign_columns(data: Any) -> str:
    """A data frame's columns that are no numbers, with their dtypes, for an error."""
    if not hasattr(data, "dtypes"):
        return ""
    if not hasattr(data, "columns"):
        return f": {data.dtypes}"
    kinds = [
        (name, dtype, getattr(dtype, "kind", "O") in "fiub") for name, dtype in data.dtypes.items()
    ]
    told = [f"column {name!r} is {dtype}" for name, dtype, number in kinds if not number]
    return ": " + ", ".join(told or [f"{name!r} is {dtype}" for name, dtype, _ in kinds])


def new_array(data: Any, dtype: Any) -> Array:
    """A copy of the data as an array of a dtype that tensors have."""
    given = plain(data)
    if given.__class__ is tuple and is_layer_result(given):
        raise TypeError(f"{state.place}expected a tensor, got {LAYER_RESULT}")
    if isinstance(given, (list, tuple)) and state.recording and _holds_gradient(given):
        raise TypeError(
            "a list of tensors that require a gradient would be copied without it: "
            "join them with tg.stack (or tg.cat), or detach them first"
        )
    if not isinstance(given, np.ndarray) and hasattr(given, "__array__"):
        given = np.asarray(given)  # not all of those take copy=
    array = np.array(given)  # a copy; what follows copies only to convert
    if array.dtype.kind in "mM" and hasattr(data, "dtypes"):
        raise TypeError(f"cannot make a tensor of {type(data).__name__}{_foreign_columns(data)}")
    if array.dtype.kind == "O":
        raise TypeError(
            f"cannot make a tensor of {type(data).__name__} with ragged or foreign items"
            f"{_foreign_columns(data)}"
        )
    named = hasattr(given, "dtype") or hasattr(given, "dtypes")  # a data frame has several
    if dtype is None and not named and array.dtype.kind == "f" and not _holds_arrays(given):
        dtype = dtypes.default_dtype
    kind = dtype_of(array.dtype if dtype is None else dtype)
    return of_the_one_dtype(array.astype(kind, order="C", copy=False))


def of_the_one_dtype(array: Array) -> Array:
    """The array with numpy's own object for its dtype: one that was unpickled has an equal one beside it.

    Loops and quick calls ask whether a dtype is the one that they know, not whether it is equal.
    """
    known = np.dtype(array.dtype.str)
    return array if array.dtype is known else array.view(known)


def sizes_or_data(data: tuple[Any, ...]) -> Any:
    """What the arguments of ``Tensor(...)`` mean: sizes, or data."""
    if all(isinstance(size, (int, np.integer)) and not isinstance(size, bool) for size in data):
        return np.zeros(data or 0)
    if len(data) == 1 and isinstance(data[0], Size):
        return np.zeros(tuple(data[0]))
    if len(data) != 1 or isinstance(data[0], (bool, float, np.generic)):
        raise TypeError(
            f"Tensor() takes data (a list, an array, a tensor) or sizes, not {', '.join(map(repr, data))}: "
            "use tensor(data, dtype=...)"
        )
    return data[0]


def _holds_gradient(data: Any) -> bool:
    """Whether a nested list has a tensor in it that requires a gradient."""
    if isinstance(data, (list, tuple)):
        return any(_holds_gradient(part) for part in data)
    return is_tensor(data) and data.requires_grad


def _holds_arrays(data: Any) -> bool:
    """Whether a nested list has arrays in it, whose dtype is to be kept."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return hasattr(data, "dtype")


def index_of(index: Any) -> Any:
    """An index as numpy takes it, free of Tensors and of arrays that others may write."""
    if isinstance(index, tuple):
        return tuple(index_of(part) for part in index)
    if is_tensor(index):
        return watching.index_known(index, index._data)
    if isinstance(index, (list, np.ndarray)):
        array = np.array([plain(i) for i in index] if isinstance(index, list) else index)
        array = array.astype(np.intp) if array.size == 0 and array.dtype.kind == "f" else array
        return watching.index_known(index, array)
    return index


def integers(who: str, index: Any) -> Array:
    """An index of integers as an array that nobody else writes."""
    array = np.array(plain(index))
    if array.size == 0 and array.dtype.kind == "f":
        return array.astype(np.intp)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{who} takes integers as its index, not {array.dtype}")
    return watching.index_known(index, array)


def check_within(who: str, index: Array, low: int, high: int) -> None:
    """Raise IndexError unless low <= index < high."""
    if index.size and not (index.min() >= low and index.max() < high):
        wrong = int(index.min() if index.min() < low else index.max())
        raise IndexError(f"{who}: index {wrong} is outside {low} ... {high - 1}")
