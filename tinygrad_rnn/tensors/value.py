"""What a value is: a numpy array and the node that made it; operators, methods, numpy's protocols.

A :class:`Tensor` is a thin handle. Values under a graph never change: making one copies what it is
given, an array that it hands out is a locked view, and a write in place (``writing``) gives the handle
another. Methods mean what they mean in PyTorch; ``dim`` / ``axis`` and ``keepdim`` / ``keepdims`` are both
accepted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from opcode import opmap
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack

import numpy as np

from ..doors import door
from ..engine import gradients
from ..engine.devices import check_device, is_device
from ..engine.folded import by_itself
from ..engine.places import state
from ..engine.values import Array, Handle, Leaf, Node, as_array
from ..ops import elementwise as e
from ..ops import indexing, products, reductions, row, shapes
from .torch_names import Size, TorchNames
from .writing import become, leave, share, write

if TYPE_CHECKING:
    from ..graphs.replay import BackwardStep

Axis = int | Sequence[int] | None


class NumpyNames(TypedDict, total=False):
    """What reductions take beside ``dim`` and ``keepdim``: the same in numpy's words."""

    axis: Any
    keepdims: Any


class Extremes(NamedTuple):
    """What ``max(dim)`` and ``min(dim)`` return: the values and where they were found."""

    values: Tensor
    indices: Tensor


class Tensor(TorchNames, Handle):
    """An n-dimensional array that remembers how it was computed; ``()`` is a scalar.

    Called, it is PyTorch's constructor: ``Tensor(data)`` holds a copy of the data in the default float
    (float32, see ``set_default_dtype``) or in ``dtype``, ``Tensor(2, 3)`` zeros of that shape, to be written.
    ``tensor(data)`` keeps integers and the dtypes of arrays. ``requires_grad=True`` makes a leaf whose
    ``grad`` is filled by ``backward()``, of the tensor's own shape and dtype. Raises TypeError for a single
    number that is no size and for what is no float16/32/64, integer or bool.

    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([1, 2]), tg.Tensor(2, 3).shape
    (tensor([1., 2.]), (2, 3))
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> w.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__",)

    def __init__(self, *data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        self._begin(_given(data), row.default_dtype if dtype is None else dtype)
        if requires_grad:
            self.requires_grad = True

    def _begin(self, data: Any, dtype: Any) -> None:
        """Hold a copy of the data, as a constant that shares its memory with nobody."""
        self._data = _new_array(data, dtype)
        self._node = self._tag = self._alias = None

    @staticmethod
    def _made(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        """What ``tensor()`` makes: a copy of the data in its own dtype, or in the one that is given."""
        t = object.__new__(Tensor)
        t._begin(data, dtype)
        if requires_grad:
            t.requires_grad = True
        return t

    @staticmethod
    def _wrap(data: Array, node: Any, tag: int | None = None) -> Tensor:
        """A handle on an array that nobody else will write; what numpy made a scalar of is one again."""
        t = object.__new__(Tensor)
        t._data, t._node, t._tag, t._alias = as_array(data), node, tag, None
        return t

    # ---- what it is

    @property
    def shape(self) -> Size:
        """The lengths of its axes: a tuple that knows that it is a shape."""
        return Size(self._data.shape)

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return self._data.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy dtype of its values."""
        found = self._data.dtype
        return np.dtype(np.float64) if found.kind == "c" else found  # complex only inside gradcheck

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one axis (PyTorch's ``size``; numpy's is ``numel()``)."""
        return self.shape if dim is None else self._data.shape[dim]

    def dim(self) -> int:
        """How many axes it has."""
        return self._data.ndim

    def numel(self) -> int:
        """How many numbers it holds."""
        return self._data.size

    def nelement(self) -> int:
        """How many numbers it holds."""
        return self._data.size

    def is_floating_point(self) -> bool:
        """Whether its values are floats (only those can require a gradient)."""
        return self._data.dtype.kind in "fc"  # complex only inside gradcheck

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through it. Setting it makes or unmakes a leaf."""
        return self._node is not None and self._node.needs

    @requires_grad.setter
    def requires_grad(self, on: bool) -> None:
        node = self._node
        if isinstance(node, Node):
            if not on:
                raise RuntimeError("only a leaf can stop requiring a gradient: use detach()")
            return
        if on and not self.is_floating_point():
            raise TypeError(f"only floats can require a gradient, and this is {self.dtype}")
        if isinstance(node, Leaf):
            if node.needs != on:
                self._node = node.replaced(node.shape, node.dtype, f"requires_grad = {on}")
                self._node.hold(self._data).needs = on
        elif on:
            name = None if node is None else node.name
            self._node = Leaf(self.shape, self.dtype, True, name).hold(self._data)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set ``requires_grad`` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user and not by a recorded op."""
        return not isinstance(self._node, Node)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward()`` left here: on leaves, and after ``retain_grad()``."""
        node = self._node
        if isinstance(node, Node):
            return None if node.retained is None else node.retained[0]
        return node.grad if isinstance(node, Leaf) else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            value = as_tensor(value)
            if value.shape != self.shape:
                raise ValueError(f"grad has shape {value.shape}, expected {self.shape}")
            if value.dtype != self.dtype:
                value = value.detach().to(self.dtype)
        node = self._node
        if isinstance(node, Leaf):
            node.grad = value
        elif isinstance(node, Node) and node.retained is not None:
            node.retained[0] = value
        elif value is not None:
            raise RuntimeError("only a leaf that requires a gradient has one that can be set")

    def retain_grad(self) -> None:
        """Have ``backward()`` leave this tensor's gradient in ``.grad`` though it is no leaf."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad() needs a tensor that requires a gradient")
        node = by_itself(self._node)
        if isinstance(node, Node) and node.retained is None:
            node.retained = [None]

    @property
    def _step(self) -> int | None:
        """The time step that rides on this value: its tag, else where it was recorded."""
        if self._tag is not None:
            return self._tag
        node = self._node
        return node.place.step if isinstance(node, Node) else None

    # ---- derivatives

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        *,
        ledger: bool = False,
    ) -> Any:
        """Add the derivative of this tensor by every leaf to the leaf's ``grad``.

        ``gradient`` (this tensor's shape) weights its elements and may be left out of a scalar.
        Graphs live as long as the tensors that hold them: a second call adds the same gradient again
        (``retain_graph`` is accepted and has no effect). With ``ledger=True`` the result is a
        :class:`~tinygrad_rnn.Ledger` of what each use of each Parameter added; otherwise None.
        Nothing changes if it fails. Raises RuntimeError where nothing was recorded or the tensor is
        no scalar, ``StaleGraphError`` where a leaf was written since.

        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor(3.0, requires_grad=True)
        >>> (x * x).backward()
        >>> x.grad.item()
        6.0
        """
        if not ledger:
            gradients.backward(self, gradient, create_graph=create_graph)
            return None
        book = door("Ledger")()
        gradients.backward(self, gradient, observer=book.note, create_graph=create_graph)
        book.root = gradients.root_and_seed(self, gradient)
        book.loss = self.item() if self._data.size == 1 else None
        return book

    def backward_steps(self, gradient: Any = None) -> Iterator[BackwardStep]:
        """``backward(gradient)`` one node at a time: yields what arrived at each and what it sent on.

        Nodes come in the order of the backward pass, latest first. ``grad`` is added to, with the same
        result as ``backward``'s, when the last has been taken; a generator closed before that changes
        nothing. Raises what ``backward`` raises.

        >>> import tinygrad_rnn as tg
        >>> w = tg.tensor(3.0, requires_grad=True)
        >>> turns = list((w * w + w).backward_steps())
        >>> [(turn.op, float(turn.gradient)) for turn in turns], w.grad.item()
        ([('add', 1.0), ('mul', 1.0), ('parameter', 7.0)], 7.0)
        """
        turns: Iterator[BackwardStep] = door("backward_steps")(self, gradient)
        return turns

    def detach(self) -> Tensor:
        """The same values, cut from the graph; the time step that rides on a state stays.

        The memory is shared: a write in place to one is seen by the other.
        """
        t = Tensor._wrap(self._data, None)
        t._tag = self._step
        return _tensor(share(self, t))

    # ---- out of the tensor

    def numpy(self) -> Array:
        """The values as a read-only view."""
        if state.tracer is not None:
            state.tracer.looks("numpy()")
        self._data.flags.writeable = False
        return self._data.view()

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number."""
        if state.tracer is not None:
            state.tracer.looks("item()")
        if self._data.size != 1:
            raise ValueError(f"item() needs one element, and this has shape {self.shape}")
        return self._data.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        if state.tracer is not None:
            state.tracer.looks("tolist()")
        return self._data.tolist()

    def __float__(self) -> float:
        if state.recording and self.requires_grad and _is_stored():
            raise TypeError(_would_be_lost("an array"))
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if state.tracer is not None:
            state.tracer.looks("int()")
        return int(self._data.__index__())

    def __bool__(self) -> bool:
        if state.tracer is not None:
            state.tracer.looks("its truth")
        if self._data.size != 1:
            raise ValueError(
                f"the truth of a tensor of shape {self.shape} is ambiguous: use .any() or .all()"
            )
        return bool(self._data)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a 0-d tensor has no len()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("a 0-d tensor cannot be iterated over")
        return iter(self.unbind(0))

    def __contains__(self, value: Any) -> bool:
        if state.tracer is not None:
            state.tracer.looks("in")
        return bool((self._data == _plain(value)).any())

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        if state.tracer is not None:
            state.tracer.looks("repr")
        body = np.array2string(self._data, precision=4, separator=", ", prefix="tensor(")
        if self.dtype not in (row.default_dtype, np.dtype(np.int64), np.dtype(bool)):
            body += f", dtype={self.dtype}"
        if isinstance(self._node, Node):
            body += f", grad_fn=<{self._node.op.name}>"
        elif self.requires_grad:
            body += ", requires_grad=True"
        return f"tensor({body})"

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec) if self.ndim else format(self.item(), spec)

    def __copy__(self) -> Tensor:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """A leaf of its own with the same values; a computed tensor cannot be copied with its past."""
        if isinstance(self._node, Node):
            raise RuntimeError(
                "only leaves can be deep-copied, and this tensor was computed: detach() it first"
            )
        t = object.__new__(type(self))
        t._data, t._node, t._tag, t._alias = np.array(self._data), None, self._tag, None
        memo[id(self)] = t
        if isinstance(self._node, Leaf):
            t._node = Leaf(self.shape, self.dtype, self._node.needs, self._node.name)
            t._node.hold(t._data)
            grad = self._node.grad
            t._node.grad = None if grad is None else Tensor._wrap(np.array(grad._data), None)
        return t

    def __reduce__(self) -> Any:
        if isinstance(self._node, Node):
            raise RuntimeError("a computed tensor cannot be pickled with its past: detach() it")
        node = self._node
        leaf = (node.needs, node.name) if isinstance(node, Leaf) else (False, None)
        return _rebuilt, (type(self), np.array(self._data), *leaf, isinstance(node, Leaf))

    # ---- writing in place

    def copy_(self, source: Any, *, by: str = "copy_") -> Tensor:
        """Write new values, cast and broadcast, here and in whatever shares the memory; returns the tensor.

        Views see it and are seen, as in PyTorch: an item, a slice, a transpose, a part of a split,
        ``detach()``, ``data``. Values under a graph stay what they were: what has been recorded keeps the
        old ones, what is recorded from now on gets the new ones, and gradients go to ``source`` and, but for
        what was overwritten, to what this tensor was. A leaf that requires a gradient is written under
        ``no_grad`` (or by ``data``) alone; backward of graphs made before raises ``StaleGraphError`` and
        names ``by``. Raises RuntimeError for such a leaf while recording, ValueError where shapes do not fit.

        >>> import tinygrad_rnn as tg
        >>> x = tg.zeros(2, 3)
        >>> _ = x.T[0].copy_(tg.tensor([1.0, 2.0]))
        >>> x
        tensor([[1., 0., 0.],
                [2., 0., 0.]])
        """
        return _tensor(write(self, source, by))

    def _install(self, data: Array, by: str) -> Tensor:
        """Take a new array that nobody else holds; the old leaf becomes stale, views keep the old values."""
        leave(self, by)
        self._data = data = as_array(data)
        node = self._node
        fresh = node.replaced(data.shape, data.dtype, by) if isinstance(node, Leaf) else None
        self._node = None if fresh is None else fresh.hold(data)
        return self

    def zero_(self) -> Tensor:
        """Set every value to 0; see ``copy_``."""
        return _tensor(write(self, 0, "zero_"))

    def fill_(self, value: Any) -> Tensor:
        """Set every value to ``value``, a number or a 0-d tensor; see ``copy_``."""
        return _tensor(write(self, value, "fill_"))

    def __iadd__(self, other: Any) -> Any:
        return become(self, self + other, "+=")

    def __isub__(self, other: Any) -> Any:
        return become(self, self - other, "-=")

    def __imul__(self, other: Any) -> Any:
        return become(self, self * other, "*=")

    def __itruediv__(self, other: Any) -> Any:
        return become(self, self / other, "/=")

    def __ipow__(self, other: Any) -> Any:
        return become(self, self**other, "**=")

    def __ifloordiv__(self, other: Any) -> Any:
        return become(self, self // other, "//=")

    def __imod__(self, other: Any) -> Any:
        return become(self, self % other, "%=")

    def __iand__(self, other: Any) -> Any:
        return become(self, self & other, "&=")

    def __ior__(self, other: Any) -> Any:
        return become(self, self | other, "|=")

    def __ixor__(self, other: Any) -> Any:
        return become(self, self ^ other, "^=")

    def __setitem__(self, index: Any, value: Any) -> None:
        write(self, value, "x[...] = v", _index(index))

    @property
    def at(self) -> _At:
        """Functional updates: ``x.at[i].set(v)`` and ``x.at[i].add(v)`` return new tensors.

        >>> import tinygrad_rnn as tg
        >>> tg.zeros(3).at[1].set(5.0)
        tensor([0., 5., 0.])
        """
        return _At(self)

    # ---- operators

    def __add__(self, other: Any) -> Tensor:
        return e.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return e.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return e.sub(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return e.sub(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return e.mul(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return e.mul(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return e.div(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return e.div(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return e.pow(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return e.pow(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return products.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return products.matmul(other, self)

    def __neg__(self) -> Tensor:
        return e.neg(self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return e.abs(self)

    def __eq__(self, other: Any) -> Any:
        return _compared(np.equal, self, other)

    def __ne__(self, other: Any) -> Any:
        return _compared(np.not_equal, self, other)

    def __lt__(self, other: Any) -> Any:
        return _compared(np.less, self, other)

    def __le__(self, other: Any) -> Any:
        return _compared(np.less_equal, self, other)

    def __gt__(self, other: Any) -> Any:
        return _compared(np.greater, self, other)

    def __ge__(self, other: Any) -> Any:
        return _compared(np.greater_equal, self, other)

    def __and__(self, other: Any) -> Any:
        return _compared(np.bitwise_and, self, other)

    def __or__(self, other: Any) -> Any:
        return _compared(np.bitwise_or, self, other)

    def __xor__(self, other: Any) -> Any:
        return _compared(np.bitwise_xor, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Tensor:
        result = Tensor._wrap(~self._data, None)
        if state.tracer is not None:
            state.tracer.compared("invert", result, (self,))
        return result

    def __getitem__(self, index: Any) -> Tensor:
        return indexing.getitem(self, _index(index))

    # ---- elementwise methods

    def abs(self) -> Tensor:
        """|x|; the derivative at 0 is taken as 0."""
        return e.abs(self)

    def neg(self) -> Tensor:
        """-x."""
        return e.neg(self)

    def sign(self) -> Tensor:
        """-1, 0 or 1; of NaN 0 (PyTorch's meaning; ``np.sign`` gives NaN)."""
        return e.sign(self)

    def sqrt(self) -> Tensor:
        """The square root."""
        return e.sqrt(self)

    def square(self) -> Tensor:
        """x * x."""
        return e.square(self)

    def exp(self) -> Tensor:
        """e**x."""
        return e.exp(self)

    def log(self) -> Tensor:
        """The natural logarithm."""
        return e.log(self)

    def log1p(self) -> Tensor:
        """log(1 + x), exact for small x."""
        return e.log1p(self)

    def expm1(self) -> Tensor:
        """e**x - 1, exact for small x."""
        return e.expm1(self)

    def sin(self) -> Tensor:
        """The sine."""
        return e.sin(self)

    def cos(self) -> Tensor:
        """The cosine."""
        return e.cos(self)

    def tanh(self) -> Tensor:
        """The hyperbolic tangent."""
        return e.tanh(self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x))."""
        return e.sigmoid(self)

    def relu(self) -> Tensor:
        """max(x, 0); the derivative at 0 is taken as 0."""
        return e.relu(self)

    def pow(self, exponent: Any) -> Tensor:
        """x ** exponent."""
        return e.pow(self, exponent)

    def maximum(self, other: Any) -> Tensor:
        """The larger of two, elementwise; a tie shares the gradient evenly."""
        return e.maximum(self, other)

    def minimum(self, other: Any) -> Tensor:
        """The smaller of two, elementwise; a tie shares the gradient evenly."""
        return e.minimum(self, other)

    def clip(self, min: Any = None, max: Any = None) -> Tensor:
        """Values below ``min`` or above ``max`` become those; the gradient passes within and at them."""
        if min is None and max is None:
            raise ValueError("clip: give min, max or both")
        bounds = [
            b if b is None or isinstance(b, row.NUMBERS) else as_tensor(b) for b in (min, max)
        ]
        low, high = bounds
        t = self.to(row.common_dtype((self, *(b for b in bounds if b is not None))))
        if any(isinstance(b, Tensor) and b.requires_grad for b in bounds):
            t = t if low is None else e.where(t < low, low, t)
            return t if high is None else e.where(t > high, high, t)
        return e.clip(t, *(b._data.astype(t.dtype) if isinstance(b, Tensor) else b for b in bounds))

    clamp = clip

    def where(self, condition: Any, other: Any) -> Tensor:
        """This tensor where ``condition`` holds, ``other`` elsewhere."""
        return e.where(condition, self, other)

    def isnan(self) -> Tensor:
        """Where values are NaN."""
        return unrecorded("isnan", np.isnan(self._data), self)

    def isfinite(self) -> Tensor:
        """Where values are neither NaN nor infinite."""
        return unrecorded("isfinite", np.isfinite(self._data), self)

    # ---- dtypes

    def to(self, dtype: Any = None, *more: Any, **keywords: Any) -> Tensor:
        """The values in another dtype (of a Tensor: in its dtype); gradients come back in this one.

        PyTorch's ``to(device)`` and ``to(device, dtype)`` are taken too, where the device is the CPU.
        """
        if more or keywords or dtype is None or is_device(dtype):
            return _placed(self, (dtype, *more), keywords)
        target = dtype.dtype if isinstance(dtype, Tensor) else _dtype(dtype)
        if target == self.dtype:
            return self
        if target.kind != "f":
            return unrecorded("cast", self._data.astype(target), self, target)
        return e.cast(self, target)

    def astype(self, dtype: Any) -> Tensor:
        """numpy's name for ``to``."""
        return self.to(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """The values in the dtype of ``other``."""
        return self.to(other.dtype)

    def double(self) -> Tensor:
        """The values as float64."""
        return self.to(np.float64)

    def float(self) -> Tensor:
        """The values as float32."""
        return self.to(np.float32)

    def half(self) -> Tensor:
        """The values as float16."""
        return self.to(np.float16)

    def long(self) -> Tensor:
        """The values as int64."""
        return self.to(np.int64)

    def int(self) -> Tensor:
        """The values as int32."""
        return self.to(np.int32)

    def bool(self) -> Tensor:
        """The values as bool."""
        return self.to(np.bool_)

    # ---- reductions

    def sum(
        self,
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
        return reductions.sum(self, *_reduction(self, dim, keepdim, names))

    def mean(
        self,
        dim: Any = None,
        keepdim: Any = False,
        *,
        dtype: Any = None,
        **names: Unpack[NumpyNames],
    ) -> Tensor:
        """The mean over some axes, or over all; with ``dtype``, of the values in it."""
        if dtype is not None:
            return self.to(dtype).mean(dim, keepdim, **names)
        return reductions.mean(self, *_reduction(self, dim, keepdim, names))

    def var(
        self,
        dim: Any = None,
        correction: Any = 1,
        keepdim: Any = False,
        *,
        unbiased: Any = None,
        **names: Unpack[NumpyNames],
    ) -> Tensor:
        """The variance, divided by n - ``correction`` (1, as in PyTorch; ``np.var(t)`` divides by n)."""
        dim, correction = _divisor(dim, correction, unbiased)
        axes, keep = _reduction(self, dim, keepdim, names)
        return reductions.var(self, axes, correction, keep)

    def std(
        self,
        dim: Any = None,
        correction: Any = 1,
        keepdim: Any = False,
        *,
        unbiased: Any = None,
        **names: Unpack[NumpyNames],
    ) -> Tensor:
        """The square root of ``var``; its gradient is 0 where it is 0."""
        dim, correction = _divisor(dim, correction, unbiased)
        axes, keep = _reduction(self, dim, keepdim, names)
        return reductions.std(self, axes, correction, keep)

    def prod(self, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]) -> Tensor:
        """The product over some axes, or over all; the gradient is right where factors are 0."""
        return reductions.prod(self, *_reduction(self, dim, keepdim, names))

    def cumsum(self, dim: Any = None, *, axis: Any = None) -> Tensor:
        """The sums of the elements up to each one along ``dim``."""
        dim = dim if axis is None else axis
        if dim is None:
            raise TypeError("cumsum needs the dim along which to add (np.cumsum(t) flattens)")
        return reductions.cumsum(self, _axis(self, dim))

    def norm(
        self, p: Any = 2, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]
    ) -> Tensor:
        """The p-norm of the elements, ``sum(|x|**p)**(1/p)``, over some axes, or over all.

        ``p`` is any number, ``inf`` and ``-inf`` too ("fro" is 2). Where the norm is 0 its gradient is
        0. Raises ValueError for another p, and for the largest or smallest of nothing.
        """
        if p == "fro" or p is None:
            p = 2
        if isinstance(p, str):
            raise ValueError(f"norm: p is a number or 'fro', not {p!r}")
        axes, keep = _reduction(self, dim, keepdim, names)
        return reductions.norm(self, float_(p), axes, keep)

    def amax(self, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]) -> Tensor:
        """The largest values over some axes; ties share the gradient evenly."""
        return reductions.amax(self, *_reduction(self, dim, keepdim, names))

    def amin(self, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]) -> Tensor:
        """The smallest values over some axes; ties share the gradient evenly."""
        return reductions.amin(self, *_reduction(self, dim, keepdim, names))

    def max(self, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]) -> Any:
        """The largest value; along one ``dim`` a pair (values, indices), as in PyTorch.

        Without ``dim`` ties share the gradient evenly; with it the index that is returned gets it all.
        """
        return _extreme(self, True, dim, keepdim, names)

    def min(self, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]) -> Any:
        """The smallest value; along one ``dim`` a pair (values, indices); see ``max``."""
        return _extreme(self, False, dim, keepdim, names)

    def logsumexp(
        self, dim: Any = None, keepdim: Any = False, **names: Unpack[NumpyNames]
    ) -> Tensor:
        """log(sum(exp(x))), without overflow."""
        return reductions.logsumexp(self, *_reduction(self, dim, keepdim, names))

    def softmax(self, dim: Any = None, *, axis: Any = None) -> Tensor:
        """exp(x) / sum(exp(x)) along ``dim``."""
        return reductions.softmax(self, _one_axis(self, "softmax", dim, axis))

    def log_softmax(self, dim: Any = None, *, axis: Any = None) -> Tensor:
        """log(softmax(x)) along ``dim``."""
        return reductions.log_softmax(self, _one_axis(self, "log_softmax", dim, axis))

    def argmax(self, dim: Any = None, keepdim: Any = False, *, axis: Any = None) -> Tensor:
        """The index of the largest value, in all or along one axis."""
        return _arg(np.argmax, self, dim if axis is None else axis, keepdim)

    def argmin(self, dim: Any = None, keepdim: Any = False, *, axis: Any = None) -> Tensor:
        """The index of the smallest value, in all or along one axis."""
        return _arg(np.argmin, self, dim if axis is None else axis, keepdim)

    def all(self, dim: Any = None, keepdim: Any = False, *, axis: Any = None) -> Tensor:
        """Whether every value is true (not 0)."""
        return _arg(np.all, self, dim if axis is None else axis, keepdim)

    def any(self, dim: Any = None, keepdim: Any = False, *, axis: Any = None) -> Tensor:
        """Whether any value is true (not 0)."""
        return _arg(np.any, self, dim if axis is None else axis, keepdim)

    # ---- products

    def matmul(self, other: Any) -> Tensor:
        """The matrix product, 1-d to batched n-d."""
        return products.matmul(self, other)

    mm = matmul
    bmm = matmul

    def dot(self, other: Any) -> Tensor:
        """The sum of the products of two vectors of one length (PyTorch's; see ``np.dot``)."""
        other = as_tensor(other)
        if self.ndim != 1 or self.shape != other.shape:
            raise ValueError(
                f"{state.place}dot takes two vectors of one length, not shapes "
                f"{self.shape} and {other.shape}: use a @ b"
            )
        return products.dot(self, other)

    def outer(self, other: Any) -> Tensor:
        """Every element of a vector times every element of another: (n,), (m,) give (n, m)."""
        other = as_tensor(other)
        if self.ndim != 1 or other.ndim != 1:
            raise ValueError(
                f"{state.place}outer takes two vectors, not shapes {self.shape} and {other.shape}"
            )
        return products.outer(self, other)

    # ---- shapes

    def reshape(self, *shape: Any) -> Tensor:
        """The same values in another shape; one side may be -1."""
        return shapes.reshape(self, _sizes(shape))

    view = reshape

    def flatten(self, start_dim: Any = 0, end_dim: Any = -1) -> Tensor:
        """The axes from ``start_dim`` to ``end_dim`` as one."""
        if not self.ndim:
            return self.reshape(1)
        a, b = _axis(self, start_dim), _axis(self, end_dim)
        return self.reshape((*self.shape[:a], -1, *self.shape[b + 1 :]))

    def transpose(self, dim0: Any, dim1: Any) -> Tensor:
        """Two axes swapped (PyTorch's meaning; ``np.transpose(t, axes)`` permutes all)."""
        a, b = _axis(self, dim0), _axis(self, dim1)
        if not self.ndim:
            return self.clone()
        axes = list(range(self.ndim))
        axes[a], axes[b] = b, a
        return shapes.permute(self, tuple(axes))

    swapaxes = transpose

    def t(self) -> Tensor:
        """The transpose of a matrix; a vector or a scalar as it is."""
        if self.ndim > 2:
            raise ValueError(f"t() is for at most 2 axes, and this has shape {self.shape}: use mT")
        return self.T

    def permute(self, *dims: Any) -> Tensor:
        """The axes in another order."""
        axes = tuple(_axis(self, d) for d in _sizes(dims))
        if sorted(axes) != list(range(self.ndim)):
            raise ValueError(f"permute: {axes} is no order of the {self.ndim} axes of {self.shape}")
        return shapes.permute(self, axes)

    @property
    def T(self) -> Tensor:  # noqa: N802 (numpy's name)
        """All axes reversed."""
        n = self._data.ndim
        return shapes.permute(self, (1, 0) if n == 2 else tuple(range(n))[::-1])

    @property
    def mT(self) -> Tensor:  # noqa: N802 (numpy's name)
        """The last two axes swapped."""
        return self.transpose(-1, -2)

    def expand(self, *sizes: Any) -> Tensor:
        """Axes of length 1 stretched (-1 leaves one as it is) and new ones put in front."""
        to = list(_sizes(sizes))
        lead = len(to) - self.ndim
        for i, side in enumerate(to):
            if side == -1:
                if i < lead:
                    raise ValueError(f"expand: -1 at {i} of {tuple(to)} is no axis of {self.shape}")
                to[i] = self.shape[i - lead]
        return shapes.broadcast(self, tuple(to))

    def broadcast_to(self, shape: Sequence[Any]) -> Tensor:
        """Stretched to ``shape`` by broadcasting; -1 leaves an axis as it is (PyTorch's meaning)."""
        return self.expand(shape)

    def roll(self, shifts: Any, dims: Any = None) -> Tensor:
        """The elements moved on along some axes, the last ones to the front; flattened without ``dims``."""
        by = tuple(int_(k) for k in shifts) if isinstance(shifts, (tuple, list)) else (shifts,)
        if dims is None:
            if len(by) != 1:
                raise ValueError(f"roll: {len(by)} shifts and no dims")
            flat = self.reshape(-1)
            return shapes.roll(flat, (int_(by[0]),), (0,)).reshape(self.shape)
        along = tuple(dims) if isinstance(dims, (tuple, list)) else (dims,)
        if len(by) != len(along):
            raise ValueError(f"roll: {len(by)} shifts and {len(along)} dims")
        if not self.ndim:
            raise IndexError("roll: a 0-d tensor has no dims")
        return shapes.roll(self, tuple(map(int_, by)), tuple(_axis(self, d) for d in along))

    def repeat(self, *sizes: Any) -> Tensor:
        """The whole copied ``sizes`` times along each axis (PyTorch's; ``np.repeat`` repeats elements)."""
        times = _sizes(sizes)
        if len(times) < self.ndim:
            raise ValueError(f"repeat: {times} has fewer numbers than {self.shape} has axes")
        if any(k < 0 for k in times):
            raise ValueError(f"repeat: {times} has a negative number")
        return shapes.tile(self, times)

    def tile(self, *dims: Any) -> Tensor:
        """As ``repeat``, but ``dims`` may be fewer than the axes: the last ones are meant."""
        times = _sizes(dims)
        return self.repeat((1,) * (self.ndim - len(times)) + times)

    def squeeze(self, dim: Any = None, *, axis: Any = None) -> Tensor:
        """Without axes of length 1: all of them, or those in ``dim`` that have it."""
        dim = dim if axis is None else axis
        drop = range(self.ndim) if dim is None else _axes(self, dim)
        return self.reshape(tuple(s for i, s in enumerate(self.shape) if s != 1 or i not in drop))

    def unsqueeze(self, dim: Any) -> Tensor:
        """With a new axis of length 1 at ``dim``."""
        at = dim + self.ndim + 1 if dim < 0 else dim
        if not 0 <= at <= self.ndim:
            raise IndexError(f"unsqueeze: dim {dim} is out of range for shape {self.shape}")
        return self.reshape((*self.shape[:at], 1, *self.shape[at:]))

    def flip(self, *axes: Any, dims: Any = None) -> Tensor:
        """The order along some axes reversed."""
        over = _sizes(axes) if dims is None else _sizes((dims,))
        return shapes.flip(self, tuple(_axis(self, d) for d in over))

    def split(self, split_size_or_sections: Any, dim: Any = 0) -> tuple[Tensor, ...]:
        """Parts of a length, or of the lengths in a list, along ``dim`` (PyTorch's ``split``)."""
        axis = _axis(self, dim)
        n = self.shape[axis]
        if isinstance(split_size_or_sections, int_):
            k = split_size_or_sections
            if k < 1:
                raise ValueError(f"split: parts of {k}")
            sizes = tuple(min(k, n - i) for i in range(0, n, k)) or (0,)
        else:
            sizes = tuple(split_size_or_sections)
            if sum(sizes) != n:
                raise ValueError(
                    f"split: sections {sizes} make {sum(sizes)}, and axis {axis} of {self.shape} has {n}"
                )
        return _parts(shapes.split(self, sizes, axis))

    def chunk(self, chunks: Any, dim: Any = 0) -> tuple[Tensor, ...]:
        """``chunks`` parts of equal length (the last may be shorter) along ``dim``."""
        if chunks < 1:
            raise ValueError(f"chunk: {chunks} parts")
        axis = _axis(self, dim)
        n = self._data.shape[axis]
        if n % chunks:
            return self.split(-(-n // chunks), axis)
        return _parts(shapes.split(self, (n // chunks,) * chunks, axis))

    def unbind(self, dim: Any = 0) -> tuple[Tensor, ...]:
        """The slices along ``dim``, without that axis."""
        return _parts(shapes.unbind(self, _axis(self, dim)))

    def gather(self, dim: Any, index: Any) -> Tensor:
        """``out[i][j] = x[index[i][j]][j]`` for dim 0, and so on (PyTorch's ``gather``).

        Raises IndexError for an index below 0 or too large, ValueError where the shapes do not fit.
        """
        where, axis = _integers("gather", index), _axis(self, dim)
        if not self.ndim and where.ndim < 2:  # PyTorch takes no axis for one of length 1
            return self.reshape(1).gather(0, where.reshape(-1)).reshape(where.shape)
        if self.ndim == 1 and not where.ndim:
            return self.gather(0, where.reshape(1)).reshape(())
        if where.ndim != self.ndim and where.size:
            raise ValueError(f"gather: index has {where.ndim} axes, the tensor {self.ndim}")
        if not where.size:
            return indexing.getitem(self.reshape(-1), where)
        if any(
            k > n for i, (k, n) in enumerate(zip(where.shape, self.shape, strict=True)) if i != axis
        ):
            raise ValueError(
                f"gather: index of shape {where.shape} reaches beyond shape {self.shape} apart from "
                f"dim {axis}"
            )
        _within("gather", where, 0, self.shape[axis])
        grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in where.shape)])
        grid[axis] = where
        return indexing.getitem(self, tuple(grid))

    def take_along_dim(self, indices: Any, dim: Any = None) -> Tensor:
        """As ``gather``, but the other axes broadcast and an index may count from the end.

        Without ``dim`` the indices are into the flattened tensor, and the result is flat. Raises
        IndexError for an index out of range, ValueError where the shapes do not fit.
        """
        where = _integers("take_along_dim", indices)
        if dim is None:
            return self.reshape(-1).take_along_dim(where.reshape(-1), 0)
        axis = _axis(self, dim)
        if where.ndim != self.ndim or not self.ndim:
            raise ValueError(f"take_along_dim: index has {where.ndim} axes, the tensor {self.ndim}")
        n = self.shape[axis]
        _within("take_along_dim", where, -n, n)
        grid: list[Any] = []
        for i, side in enumerate(self.shape):
            if i == axis:
                grid.append(where)
                continue
            if side != where.shape[i] and 1 not in (side, where.shape[i]):
                raise ValueError(
                    f"take_along_dim: index of shape {where.shape} does not broadcast to {self.shape} "
                    f"apart from dim {axis}"
                )
            along = np.arange(side) if side != 1 else np.zeros(1, np.intp)
            grid.append(along.reshape((-1,) + (1,) * (self.ndim - 1 - i)))
        return indexing.getitem(self, tuple(grid))

    def clone(self) -> Tensor:
        """The same value as a node of its own; a write to one is not seen by the other."""
        t = shapes.reshape(self, self.shape)
        if state.tracer is None:
            t._alias, flags = None, t._data.flags
            if not (
                flags.c_contiguous or flags.f_contiguous
            ):  # a part of something: now it is whole
                t._data = t._data.copy("K")
        return t

    def contiguous(self) -> Tensor:
        """Itself where its elements lie in order, else a copy that shares no memory."""
        return self if state.tracer is not None or self._data.flags.c_contiguous else self.clone()

    # ---- numpy's protocols

    __array_priority__ = 1000
    __pandas_priority__ = (
        5000  # above Series and DataFrame: series * tensor is ours, with its gradient
    )

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        """The values for numpy and whoever asks it, where no gradient is lost by that; else TypeError.

        ``np.asarray(t)``, ``rows[i] = t``, ``np.mean([t, t])``, ``frame @ t`` and plots all end here and
        look alike, so that a tensor that requires a gradient says what to write instead.
        """
        if state.tracer is not None:
            state.tracer.looks("numpy()")
        if state.recording and self.requires_grad:
            raise TypeError(_would_be_lost("an array"))
        if dtype is not None and np.dtype(dtype) != self.dtype:
            if copy is False:
                raise ValueError(f"a view cannot change dtype from {self.dtype} to {dtype}")
            return self._data.astype(dtype)
        return np.array(self._data) if copy else self.numpy()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from .numpy_names import call_ufunc

        return call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from .numpy_names import call_function

        return call_function(function, args, kwargs)


class _At:
    """``x.at[i]``: where a functional update goes."""

    def __init__(self, tensor: Tensor, index: Any = ...) -> None:
        self._tensor, self._index = tensor, index

    def __getitem__(self, index: Any) -> _At:
        return _At(self._tensor, _index(index))

    def set(self, value: Any) -> Tensor:
        """The tensor with ``value`` at the index; its gradient there goes to ``value``."""
        t = self._tensor
        taken = np.arange(t.numel()).reshape(t.shape)[self._index]
        if np.unique(taken).size != np.size(taken):
            raise IndexError("at[...].set: the index names an element twice; use .add(value)")
        return indexing.put(t, _cast_like(value, t), self._index)

    def add(self, value: Any) -> Tensor:
        """The tensor with ``value`` added at the index; an element named twice gets both."""
        t = self._tensor
        shape, value = t._data[self._index].shape, _cast_like(value, t)
        while value.ndim > len(shape) and value.shape[0] == 1:  # as numpy writes
            value = value.squeeze(0)
        value = value.broadcast_to(shape)
        return t + indexing.place(value, (self._index,), t.shape, t.dtype)


Handle.kind = Tensor
int_, bool_, float_ = (
    int,
    bool,
    float,
)  # the methods of these names hide the builtins inside the class


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
        elif part is not None and not isinstance(part, bool_):
            dtype = part
    return tensor if dtype is None else tensor.to(dtype)


# ---- what the methods share ---------------------------------------------------------------------


def _parts(several: Any) -> tuple[Tensor, ...]:
    """What a row with several outputs returns."""
    parts: tuple[Tensor, ...] = several
    return parts


def _tensor(value: Any) -> Tensor:
    """What is known to be a Tensor."""
    tensor: Tensor = value
    return tensor


def _plain(value: Any) -> Any:
    return value._data if isinstance(value, Tensor) else value


def _would_be_lost(what: str) -> str:
    return (
        f"{what} would take the values of a tensor that requires a gradient, and the gradient would be "
        "lost: join tensors with tg.stack or tg.cat and use the tensor's own operations, or say that "
        "only values are wanted: t.detach(), t.numpy(), t.item()"
    )


_STORE = opmap["STORE_SUBSCR"]


def _is_stored() -> bool:
    """Whether a number is asked for by ``array[i] = t``, which numpy takes for ``float(t)``.

    The instruction that runs in the code that called ``__float__`` tells the two apart.
    """
    frame = sys._getframe(2)
    return frame.f_code.co_code[frame.f_lasti] == _STORE


def _cast_like(value: Any, tensor: Tensor) -> Tensor:
    return as_tensor(value).to(tensor.dtype)


def _dtype(dtype: Any) -> np.dtype[Any]:
    found = np.dtype(dtype)
    if found.kind not in "fiub" or found.char == "g":
        raise TypeError(f"tensors hold float16/32/64, integers and bool, not {found}")
    one: np.dtype[Any] = np.dtype(found.type)  # numpy's one object for it, compared by identity
    return one


def _new_array(data: Any, dtype: Any) -> Array:
    """A copy of the data as an array of a dtype that tensors have."""
    given = _plain(data)
    if isinstance(given, (list, tuple)) and state.recording and _holds_gradient(given):
        raise TypeError(
            "a list of tensors that require a gradient would be copied without it: "
            "join them with tg.stack (or tg.cat), or detach them first"
        )
    if not isinstance(given, np.ndarray) and hasattr(given, "__array__"):
        given = np.asarray(given)  # not all of those take copy=
    array = np.array(given)  # a copy; what follows copies only to convert
    if array.dtype.kind == "O":
        raise TypeError(
            f"cannot make a tensor of {type(data).__name__} with ragged or foreign items"
        )
    if dtype is not None:
        return array.astype(_dtype(dtype), order="C", copy=False)
    named = hasattr(given, "dtype") or hasattr(given, "dtypes")  # a data frame has several
    if not named and array.dtype.kind == "f" and not _holds_arrays(given):
        return array.astype(row.default_dtype, order="C", copy=False)
    return array.astype(_dtype(array.dtype), order="C", copy=False)


def _given(data: tuple[Any, ...]) -> Any:
    """What the arguments of ``Tensor(...)`` mean: sizes, or data."""
    if all(isinstance(size, (int_, np.integer)) and not isinstance(size, bool_) for size in data):
        return np.zeros(data or 0)
    if len(data) == 1 and isinstance(data[0], Size):
        return np.zeros(tuple(data[0]))
    if len(data) != 1 or isinstance(data[0], (bool_, float_, np.generic)):
        raise TypeError(
            f"Tensor() takes data (a list, an array, a tensor) or sizes, not {', '.join(map(repr, data))}: "
            "use tensor(data, dtype=...)"
        )
    return data[0]


def _holds_gradient(data: Any) -> bool:
    """Whether a nested list has a tensor in it that requires a gradient."""
    if isinstance(data, (list, tuple)):
        return any(_holds_gradient(part) for part in data)
    return isinstance(data, Tensor) and data.requires_grad


def _holds_arrays(data: Any) -> bool:
    """Whether a nested list has arrays in it, whose dtype is to be kept."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return hasattr(data, "dtype")


def _rebuilt(
    kind: Any, data: Array, requires_grad: bool, name: str | None = None, is_leaf: bool = False
) -> Tensor:
    """Unpickle a leaf (a frozen Parameter is one too) or a constant."""
    t: Tensor = object.__new__(kind)
    t._data, t._tag, t._node, t._alias = data, None, None, None
    if requires_grad or is_leaf:
        t._node = Leaf(t.shape, t.dtype, requires_grad, name).hold(data)
    return t


class all_or_none:  # noqa: N801 (said after ``with``)
    """Inside, leaves are written one after the other: an error gives all of them their old values back."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self.before = [(t, t._data, t._node) for t in tensors]

    def __enter__(self) -> None:
        """Nothing has been written yet."""

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is not None:
            for t, data, node in self.before:
                t._data, t._node = data, node
                if isinstance(node, Leaf):
                    node.stale, node.stale_at = None, 0


def unrecorded(name: str, data: Any, operand: Any, *constants: Any) -> Tensor:
    """A result without a derivative, of which whoever follows what depends on what must hear."""
    result = Tensor._wrap(np.asarray(data), None)
    if state.tracer is not None:
        state.tracer.marked(name, result, (operand,), constants)
    return result


def _compared(ufunc: Any, a: Any, b: Any) -> Any:
    given, b = b, _plain(b)
    if not isinstance(b, (np.ndarray, np.generic, *row.NUMBERS)):
        try:
            b = np.asarray(b)
        except ValueError:
            return NotImplemented
        if b.dtype.kind not in "fiub":
            return NotImplemented
    result = Tensor._wrap(np.asarray(ufunc(a._data, b)), None)
    if state.tracer is not None:
        state.tracer.compared(ufunc.__name__, result, (a, given))
    return result


def _index(index: Any) -> Any:
    """An index as numpy takes it, free of Tensors and of arrays that others may write."""
    if isinstance(index, tuple):
        return tuple(_index(part) for part in index)
    if isinstance(index, Tensor):
        return index._data
    if isinstance(index, (list, np.ndarray)):
        array = np.array([_plain(i) for i in index] if isinstance(index, list) else index)
        return array.astype(np.intp) if array.size == 0 and array.dtype.kind == "f" else array
    return index


def _integers(who: str, index: Any) -> Array:
    """An index of integers as an array that nobody else writes."""
    array = np.array(_plain(index))
    if array.size == 0 and array.dtype.kind == "f":
        return array.astype(np.intp)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{who} takes integers as its index, not {array.dtype}")
    return array


def _within(who: str, index: Array, low: int, high: int) -> None:
    """Raise IndexError unless low <= index < high."""
    if index.size and not (index.min() >= low and index.max() < high):
        wrong = int(index.min() if index.min() < low else index.max())
        raise IndexError(f"{who}: index {wrong} is outside {low} ... {high - 1}")


def _sizes(shape: tuple[Any, ...]) -> tuple[int, ...]:
    if len(shape) == 1 and not hasattr(shape[0], "__index__"):
        shape = tuple(shape[0])
    return tuple(int(side) for side in shape)


def _axis(tensor: Tensor, dim: Any) -> int:
    n = max(tensor.ndim, 1)
    at = int(dim)
    if not -n <= at < n:
        raise IndexError(f"dim {dim} is out of range for a tensor of shape {tensor.shape}")
    return at % n


def _axes(tensor: Tensor, dim: Axis) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(tensor.ndim))
    dims = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    axes = tuple(sorted(_axis(tensor, d) for d in dims))
    if len(set(axes)) != len(axes):
        raise ValueError(f"dim {dims} names an axis twice")
    return axes if tensor.ndim else ()


def _reduction(
    tensor: Tensor, dim: Axis, keepdim: bool, names: NumpyNames
) -> tuple[tuple[int, ...], bool]:
    """The axes of a reduction and whether they stay, by PyTorch's names or numpy's."""
    axis = names.get("axis")
    if unknown := names.keys() - {"axis", "keepdims"}:
        raise TypeError(
            f"no such argument: {', '.join(sorted(unknown))}; there are dim and keepdim"
        )
    if dim is not None and axis is not None:
        raise TypeError("give dim or axis, not both")
    return _axes(tensor, dim if axis is None else axis), bool(names.get("keepdims", keepdim))


def _divisor(dim: Any, correction: Any, unbiased: Any) -> tuple[Any, Any]:
    """PyTorch's older ways to say what is taken from n: a bool in either place, or ``unbiased=``."""
    if isinstance(dim, bool_):
        dim, correction = None, int_(dim)
    if unbiased is not None:
        correction = unbiased
    return dim, 1 if correction is None else int_(correction) if correction is True else correction


def _one_axis(tensor: Tensor, who: str, dim: Any, axis: Any) -> tuple[int, ...]:
    dim = dim if axis is None else axis
    if dim is None:
        raise TypeError(f"{who} needs the dim along which to normalise")
    return _axes(tensor, int(dim))


def _extreme(t: Tensor, largest: bool, dim: Any, keepdim: bool, names: NumpyNames) -> Any:
    if isinstance(dim, Tensor):
        return e.maximum(t, dim) if largest else e.minimum(t, dim)
    axes, keep = _reduction(t, dim, keepdim, names)
    dim = dim if names.get("axis") is None else names["axis"]
    if not t.numel():
        raise ValueError(f"an empty tensor of shape {t.shape} has no largest or smallest value")
    if dim is None:
        if not keep:
            return reductions.max_of_all(t) if largest else reductions.min_of_all(t)
        return reductions.amax(t, axes, keep) if largest else reductions.amin(t, axes, keep)
    indices = _arg(np.argmax if largest else np.argmin, t, dim, True)
    values = t if not t.ndim else t.gather(axes[0], indices)
    if not keep and t.ndim:
        values, indices = values.squeeze(axes[0]), indices.squeeze(axes[0])
    return Extremes(values, indices)


def _arg(function: Any, t: Tensor, dim: Any, keepdim: bool) -> Tensor:
    several = isinstance(dim, (tuple, list)) and function in (np.all, np.any)
    axis: Any = _axes(t, dim) or None if several else None
    if dim is not None and not several and t.ndim:
        axis = _axis(t, dim)
    found = function(t._data, axis=axis, keepdims=keepdim)
    return unrecorded(function.__name__, found, t, axis, bool(keepdim))


# ---- making tensors --------------------------------------------------------------------------


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of ``data``.

    Floats without a dtype of their own (Python numbers and lists) become the default float (float32, see
    ``set_default_dtype``), integers int64; arrays keep their dtype. ``requires_grad=True`` makes a leaf.
    Raises TypeError for what is no float16/32/64, integer or bool, and for a list of tensors that
    require a gradient, which would be lost.

    >>> import tinygrad_rnn as tg
    >>> tg.tensor([[1.0, 2.0]]).dtype, tg.tensor(3).dtype
    (dtype('float32'), dtype('int64'))
    """
    check_device(device)
    return Tensor._made(data, dtype, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` itself where it is a Tensor (of that dtype), else a tensor with a copy of it.

    >>> import tinygrad_rnn as tg
    >>> t = tg.ones(2)
    >>> tg.as_tensor(t) is t
    True
    """
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return Tensor._made(data, dtype)


def from_numpy(array: Array) -> Tensor:
    """A tensor with a copy of an array, in its dtype (PyTorch's would share the memory).

    >>> import numpy as np, tinygrad_rnn as tg
    >>> tg.from_numpy(np.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy takes an array, not {type(array).__name__}: use tensor()")
    return Tensor._made(array)


def set_default_dtype(dtype: Any) -> None:
    """The dtype that Python floats, lists of them and new parameters get: float32 unless set.

    >>> import tinygrad_rnn as tg
    >>> tg.set_default_dtype(tg.float64)
    >>> tg.tensor(1.0).dtype
    dtype('float64')
    >>> tg.set_default_dtype(tg.float32)
    """
    found = _dtype(dtype)
    if found.kind != "f":
        raise TypeError(f"the default dtype must be a float, not {found}")
    row.default_dtype = found


def get_default_dtype() -> np.dtype[Any]:
    """The dtype that Python floats get.

    >>> import tinygrad_rnn as tg
    >>> tg.get_default_dtype()
    dtype('float32')
    """
    found: np.dtype[Any] = row.default_dtype
    return found
