"""How do values leave a tensor? As numbers, arrays, lists and text, where no gradient is lost by that."""

# mypy: disable-error-code="misc"
# (`self` is the Tensor that inherits these methods; mypy wants a supertype there)

from __future__ import annotations

import sys
from collections.abc import Iterator
from opcode import opmap
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.places import state
from ..engine.values import Array, Node
from ..ops import dtypes
from .arrays import plain
from .untracked import would_be_lost

if TYPE_CHECKING:
    from .value import Tensor

_STORE = opmap["STORE_SUBSCR"]


def _is_stored() -> bool:
    """Whether a number is asked for by ``array[i] = t``, which numpy takes for ``float(t)``.

    The instruction that runs in the code that called ``__float__`` tells the two apart.
    """
    frame = sys._getframe(2)
    return frame.f_code.co_code[frame.f_lasti] == _STORE


class Leaving:
    """What takes the values out of a tensor."""

    __slots__ = ()

    # ---- out of the tensor

    def numpy(self: Tensor) -> Array:
        """The values as a read-only view."""
        if state.tracer is not None:
            state.tracer.looks("numpy()")
        self._data.flags.writeable = False
        return self._data.view()

    def item(self: Tensor) -> Any:
        """The value of a tensor of one element, as a Python number."""
        if state.tracer is not None:
            state.tracer.looks("item()")
        if self._data.size != 1:
            raise ValueError(f"item() needs one element, and this has shape {self.shape}")
        return self._data.item()

    def tolist(self: Tensor) -> Any:
        """The values as nested lists of Python numbers."""
        if state.tracer is not None:
            state.tracer.looks("tolist()")
        return self._data.tolist()

    def __float__(self: Tensor) -> float:
        if state.recording and self.requires_grad and _is_stored():
            raise TypeError(would_be_lost("an array"))
        return float(self.item())

    def __int__(self: Tensor) -> int:
        return int(self.item())

    def __index__(self: Tensor) -> int:
        if state.tracer is not None:
            state.tracer.looks("int()")
        return int(self._data.__index__())

    def __bool__(self: Tensor) -> bool:
        if state.tracer is not None:
            state.tracer.looks("its truth")
        if self._data.size != 1:
            raise ValueError(
                f"the truth of a tensor of shape {self.shape} is ambiguous: use .any() or .all()"
            )
        return bool(self._data)

    def __len__(self: Tensor) -> int:
        if not self.ndim:
            raise TypeError("a 0-d tensor has no len()")
        return self.shape[0]

    def __iter__(self: Tensor) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("a 0-d tensor cannot be iterated over")
        return iter(self.unbind(0))

    def __contains__(self: Tensor, value: Any) -> bool:
        if state.tracer is not None:
            state.tracer.looks("in")
        return bool((self._data == plain(value)).any())

    def __repr__(self: Tensor) -> str:
        if state.tracer is not None:
            state.tracer.looks("repr")
        body = np.array2string(self._data, precision=4, separator=", ", prefix="tensor(")
        if self.dtype not in (dtypes.default_dtype, np.dtype(np.int64), np.dtype(bool)):
            body += f", dtype={self.dtype}"
        if isinstance(self._node, Node):
            body += f", grad_fn=<{self._node.op.name}>"
        elif self.requires_grad:
            body += ", requires_grad=True"
        return f"tensor({body})"

    def __format__(self: Tensor, spec: str) -> str:
        return object.__format__(self, spec) if self.ndim else format(self.item(), spec)

    # ---- numpy's protocols

    __array_priority__ = 1000

    __pandas_priority__ = (
        5000  # above Series and DataFrame: series * tensor is ours, with its gradient
    )

    def __array__(self: Tensor, dtype: Any = None, copy: Any = None) -> Array:
        """The values for numpy and whoever asks it, where no gradient is lost by that; else TypeError.

        ``np.asarray(t)``, ``rows[i] = t``, ``np.mean([t, t])``, ``frame @ t`` and plots all end here and
        look alike, so that a tensor that requires a gradient says what to write instead.
        """
        if state.tracer is not None:
            state.tracer.looks("numpy()")
        if state.recording and self.requires_grad:
            raise TypeError(would_be_lost("an array"))
        if dtype is not None and np.dtype(dtype) != self.dtype:
            if copy is False:
                raise ValueError(f"a view cannot change dtype from {self.dtype} to {dtype}")
            return self._data.astype(dtype)
        return np.array(self._data) if copy else self.numpy()
