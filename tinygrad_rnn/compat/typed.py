"""How do PyTorch's scripts name a dtype by a class? ``LongTensor`` and its like make tensors of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.devices import check_device
from ..engine.values import Array, DType
from ..tensors import Tensor, as_tensor, get_default_dtype
from ..tensors.axes import Size


class _OfOneDtype(type):
    """The class of ``LongTensor`` and its like: called, they make a Tensor; it is an instance of theirs."""

    dtype: DType

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tensor) and value.dtype == cls.dtype

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        """Sizes make zeros of that shape, to be written; a list, an array or a tensor its values."""
        check_device(device)
        return made(cls.__name__, cls.dtype, data)


def made(who: str, dtype: Any, data: tuple[Any, ...]) -> Tensor:
    """What PyTorch's typed constructors make of their arguments: zeros of these sizes, or this data."""
    if all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in data):
        if any(n < 0 for n in data):
            raise ValueError(f"{who}: a size must not be negative: {data}")
        return Tensor._made(np.zeros(data or 0), dtype)
    if len(data) != 1 or isinstance(data[0], (bool, float, str, np.generic)):
        raise TypeError(
            f"{who}() takes data (a list, an array, a tensor) or sizes, not "
            f"{', '.join(map(repr, data))}"
        )
    given = data[0]
    if isinstance(given, Size):
        return Tensor._made(np.zeros(tuple(given)), dtype)
    if isinstance(given, Tensor):
        if given.dtype != dtype:
            raise TypeError(
                f"{who}() of a tensor of {given.dtype}: use its .to({np.dtype(dtype).name}) or .type(...)"
            )
        return given.detach()
    if isinstance(given, range):
        given = list(given)
    return Tensor._made(_whole(who, as_tensor(given).detach()._data, np.dtype(dtype)))


def _whole(who: str, values: Array, dtype: DType) -> Array:
    """Values cast as PyTorch casts them: fractions are cut off, and what does not fit is an error."""
    if dtype.kind in "iu" and values.size:
        ends = np.iinfo(dtype)
        low = -ends.max - 1 if dtype.kind == "u" else ends.min  # unsigned ones wrap small negatives
        if not (np.isfinite(values).all() and values.min() >= low and values.max() <= ends.max):
            raise ValueError(f"{who}: a value does not fit {dtype}")
    return values.astype(dtype)


class FloatTensor(metaclass=_OfOneDtype):
    """Tensors of float32: ``FloatTensor(2, 3)`` zeros of that shape, ``FloatTensor([1, 2])`` these values.

    >>> import tinygrad_rnn as tg
    >>> tg.FloatTensor([1, 2])
    tensor([1., 2.])
    """

    dtype = np.dtype(np.float32)


class LongTensor(metaclass=_OfOneDtype):
    """Tensors of int64; fractions are cut off; see ``FloatTensor``.

    >>> import tinygrad_rnn as tg
    >>> tg.LongTensor([1.7, 2]), tg.LongTensor(2, 3).shape
    (tensor([1, 2]), (2, 3))
    """

    dtype = np.dtype(np.int64)


def _of(name: str, dtype: Any) -> _OfOneDtype:
    """The class of another dtype."""
    kept = {"dtype": np.dtype(dtype), "__module__": __name__}
    return _OfOneDtype(
        name, (), {**kept, "__doc__": f"Tensors of {kept['dtype']}; see ``FloatTensor``."}
    )


DoubleTensor = _of("DoubleTensor", np.float64)
HalfTensor = _of("HalfTensor", np.float16)
IntTensor = _of("IntTensor", np.int32)
ShortTensor = _of("ShortTensor", np.int16)
CharTensor = _of("CharTensor", np.int8)
ByteTensor = _of("ByteTensor", np.uint8)
BoolTensor = _of("BoolTensor", np.bool_)
ALL = (FloatTensor, DoubleTensor, HalfTensor, LongTensor, IntTensor, ShortTensor, CharTensor)
BY_NAME: dict[str, Any] = {kind.__name__: kind for kind in (*ALL, ByteTensor, BoolTensor)}


def named(tensor: Tensor) -> str:
    """PyTorch's name of a tensor's dtype: ``torch.LongTensor``."""
    return next(f"torch.{name}" for name, kind in BY_NAME.items() if kind.dtype == tensor.dtype)


def dtype_of(kind: Any) -> Any:
    """The dtype that an argument of ``Tensor.type`` names. Raises TypeError for what names none."""
    if isinstance(kind, _OfOneDtype):
        return kind.dtype
    if kind is Tensor:
        return np.dtype(get_default_dtype())
    if isinstance(kind, str):
        if ".cuda." in kind:
            check_device("cuda")
        short = kind.removeprefix("torch.")
        if short in BY_NAME:
            return BY_NAME[short].dtype
        if kind == short or not hasattr(np, short):
            raise TypeError(
                f"type: no tensor is called {kind!r}: say 'torch.LongTensor' or a dtype"
            )
        return np.dtype(short)
    return np.dtype(kind)
