"""Which of PyTorch's words remain? Devices, dtypes, new tensors like this one, hooks, other libraries."""

# mypy: disable-error-code="misc,no-any-return"
# `self` is the Tensor that inherits these methods (mypy wants a supertype there); operators with an operand
# of any kind give Any.

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..doors import method_for_scripts, typed
from ..engine.devices import CPU, check_device, device, is_device, no_gpu
from ..engine.hooks import Hook
from ..engine.lazy_output import materialize
from ..engine.places import state
from ..engine.values import Leaf, Node
from ..ops import elementwise as e
from ..ops import watching
from .arrays import as_tensor, dtype_of, is_tensor, made
from .axes import sizes_of
from .untracked import no_gradient, unrecorded
from .writing import adopt, data

if TYPE_CHECKING:
    from .value import Tensor


class TorchNames:
    """Where a tensor lives and in which dtype, and what it offers to others."""

    __slots__ = ()

    def __getattr__(self: Tensor, name: str) -> Any:
        """What PyTorch's scripts alone call, imported when they do."""
        return method_for_scripts("tensors.Tensor", self, name)

    # ---- where it lives

    @property
    def device(self: Tensor) -> device:
        """The CPU, always."""
        return CPU

    @property
    def is_cuda(self: Tensor) -> bool:
        """False, always."""
        return False

    def cpu(self: Tensor) -> Tensor:
        """Itself: tensors live on the CPU."""
        return self

    def cuda(self: Tensor, device: Any = None) -> NoReturn:
        """Raises RuntimeError: there is no GPU here."""
        no_gpu("cuda()")

    @property
    def data(self: Tensor) -> Tensor:
        """The values outside the graph, in the same memory: ``p.data[0].zero_()`` writes p, unrecorded.

        ``p.data = x`` lets p have the memory of x instead of its own.
        """
        return data(self)

    @data.setter
    def data(self: Tensor, value: Any) -> None:

        new = as_tensor(value)
        if new.shape != self.shape:
            raise ValueError(f"data has shape {new.shape}, expected {self.shape}")
        adopt(self, new, "data =")

    # ---- what is in it

    def size(self: Tensor, dim: int | None = None) -> Any:
        """The shape, or the length of one axis (PyTorch's ``size``; numpy's is ``numel()``)."""
        return self.shape if dim is None else self._data.shape[dim]

    def dim(self: Tensor) -> int:
        """How many axes it has."""
        return self._data.ndim

    def nelement(self: Tensor) -> int:
        """How many numbers it holds."""
        return self._data.size

    def is_floating_point(self: Tensor) -> bool:
        """Whether its values are floats (only those can require a gradient)."""
        return self._data.dtype.kind in "fc"  # complex only inside gradcheck

    # ---- dtypes

    def to(self: Tensor, dtype: Any = None, *more: Any, **keywords: Any) -> Tensor:
        """The values in another dtype (of a Tensor: in its dtype); gradients come back in this one.

        PyTorch's ``to(device)`` and ``to(device, dtype)`` are taken too, where the device is the CPU.
        """
        if more or keywords or dtype is None or is_device(dtype):
            return _placed(self, (dtype, *more), keywords)
        target = dtype.dtype if is_tensor(dtype) else dtype_of(dtype)
        if target == self.dtype:
            return self
        if target.kind != "f":
            return unrecorded("cast", self._data.astype(target), self, target)
        return e.cast(self, target)

    def astype(self: Tensor, dtype: Any) -> Tensor:
        """numpy's name for ``to``."""
        return self.to(dtype)

    def type_as(self: Tensor, other: Tensor) -> Tensor:
        """The values in the dtype of ``other``."""
        return self.to(other.dtype)

    def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
        """In another dtype, which may be ``LongTensor`` or "torch.LongTensor"; without one, that name."""
        return typed("named")(self) if dtype is None else self.to(typed("dtype_of")(dtype))

    # ---- new tensors like it

    def new_zeros(self: Tensor, *size: Any, **options: Any) -> Tensor:
        """Zeros in another shape and this dtype, unless ``dtype`` is given."""
        return _like(self, np.zeros, size, **options)

    def new_ones(self: Tensor, *size: Any, **options: Any) -> Tensor:
        """Ones in another shape and this dtype, unless ``dtype`` is given."""
        return _like(self, np.ones, size, **options)

    def new_full(self: Tensor, size: Any, fill_value: Any, **options: Any) -> Tensor:
        """One value in another shape and this dtype, unless ``dtype`` is given."""
        return _like(self, lambda shape: np.full(shape, fill_value), (size,), **options)

    def new_empty(self: Tensor, *size: Any, **options: Any) -> Tensor:
        """Zeros in another shape and this dtype, unless ``dtype`` is given, to be written."""
        return _like(self, np.zeros, size, **options)

    def new_tensor(self: Tensor, data: Any) -> Tensor:
        """Other data in this dtype."""
        return made(data, self.dtype)

    def new(self: Tensor, *data: Any, device: Any = None) -> Tensor:
        """What ``LongTensor(*data)`` and its like make, of this dtype: zeros of these sizes, or this data."""
        check_device(device)
        return typed("made")("new", self.dtype, data)

    # ---- to others

    def __dlpack__(self: Tensor, **options: Any) -> Any:
        """A copy of the values for ``torch.from_dlpack`` and the like (values here never change)."""
        no_gradient(self, "__dlpack__")
        return np.array(self._data).__dlpack__(**options)

    def __dlpack_device__(self: Tensor) -> tuple[int, int]:
        """The CPU."""
        return self._data.__dlpack_device__()

    @property
    def grad_fn(self: Tensor) -> Any:
        """The node of the recorded op that made this tensor; None of a leaf."""
        return None if self.is_leaf else self._node

    def register_hook(self: Tensor, hook: Any) -> Hook:
        """Have ``hook(gradient)`` called with this tensor's gradient in every backward pass.

        What it returns, if not None, takes the gradient's place, here and for all that comes after. It is
        called once a pass, with the sum of all that arrived. Returns a handle whose ``remove()``
        ends it. Raises RuntimeError for a tensor without a gradient.

        >>> import tinygrad_rnn as tg
        >>> w = tg.tensor(3.0, requires_grad=True)
        >>> handle = w.register_hook(lambda g: g.clip(-1.0, 1.0))
        >>> (w * w).backward()
        >>> w.grad.item()
        1.0
        """
        if state.tracer is not None:
            state.tracer.looks("register_hook()")
        if not self.requires_grad:
            raise RuntimeError("register_hook() needs a tensor that requires a gradient")
        node = self._node
        assert isinstance(node, (Node, Leaf))
        return Hook(materialize(node), hook)

    # ---- dtypes by name: last, since they hide Python's

    def double(self: Tensor) -> Tensor:
        """The values as float64."""
        return self.to(np.float64)

    def float(self: Tensor) -> Tensor:
        """The values as float32."""
        return self.to(np.float32)

    def half(self: Tensor) -> Tensor:
        """The values as float16."""
        return self.to(np.float16)

    def long(self: Tensor) -> Tensor:
        """The values as int64."""
        return self.to(np.int64)

    def int(self: Tensor) -> Tensor:
        """The values as int32."""
        return self.to(np.int32)

    def bool(self: Tensor) -> Tensor:
        """The values as bool."""
        return self.to(np.bool_)

    def byte(self: Tensor) -> Tensor:
        """In uint8."""
        return self.to(np.uint8)


def _placed(tensor: Tensor, given: tuple[Any, ...], keywords: dict[str, Any]) -> Tensor:
    """PyTorch's ``to(device)``, ``to(device, dtype)``, ``to(dtype=..., device=...)``."""
    known = {"device": None, "dtype": None, "non_blocking": False, "copy": False}
    if odd := keywords.keys() - known.keys():
        raise TypeError(f"to() has no argument {', '.join(sorted(odd))}")
    dtype = keywords.get("dtype")
    check_device(keywords.get("device"))
    for part in given:
        if is_device(part):
            check_device(part)
        elif part is not None and not isinstance(part, bool):
            dtype = part
    return tensor if dtype is None else tensor.to(dtype)


def _like(
    tensor: Any,
    make: Any,
    size: tuple[Any, ...],
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    check_device(device)
    data = make(sizes_of(size))
    t = made(data, tensor.dtype if dtype is None else dtype, requires_grad)
    return watching.written_down(t, data)
