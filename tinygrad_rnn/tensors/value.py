"""What is a tensor? A numpy array and the node that made it.

A :class:`Tensor` is a thin handle. Values under a graph never change: making one copies what it is
given, an array that it hands out is a locked view, and a write in place (``writing``) gives the handle
another. Methods mean what they mean in PyTorch; ``dim`` / ``axis`` and ``keepdim`` / ``keepdims`` are both
accepted. Where a method stands: in ``pointwise`` if it works on each element by itself, in ``reducing`` if
along axes, in ``shaping`` if it moves, picks or puts elements, in ``in_place`` if it writes, in
``leaving`` if it takes the values out, in ``copying`` if it copies or pickles it, in ``torch_names`` if only
PyTorch has a word for it, and here if it says what the tensor is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from ..doors import door
from ..engine import gradients
from ..engine.lazy_output import materialize
from ..engine.places import state
from ..engine.values import Array, Handle, Leaf, Node, as_array
from ..ops import dtypes
from .arrays import as_tensor, new_array, sizes_or_data
from .axes import Size
from .copying import Copying
from .in_place import InPlace
from .leaving import Leaving
from .pointwise import Pointwise
from .reducing import Reducing
from .shaping import Shaping
from .torch_names import TorchNames
from .writing import leave, share

if TYPE_CHECKING:
    from ..graphs.ledger import Ledger
    from ..graphs.replay import BackwardStep


class Tensor(Pointwise, Reducing, Shaping, InPlace, Leaving, Copying, TorchNames, Handle):
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
    __hash__ = object.__hash__

    def __init__(self, *data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        self._begin(sizes_or_data(data), dtypes.default_dtype if dtype is None else dtype)
        if requires_grad:
            self.requires_grad = True

    def _begin(self, data: Any, dtype: Any) -> None:
        """Hold a copy of the data, as a constant that shares its memory with nobody."""
        self._data = new_array(data, dtype)
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
        t._data = data if data.__class__ is np.ndarray else as_array(data)
        t._node, t._tag, t._alias = node, tag, None
        return t

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

    def numel(self) -> int:
        """How many numbers it holds.

        >>> import tinygrad_rnn as tg
        >>> tg.numel(tg.ones(2, 3))
        6
        """
        return self._data.size

    # ---- gradients

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
            self._node = Leaf(self.shape, self.dtype, True, name).hold(self._data).by_user()

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
        if node.__class__ is Leaf:
            return node.grad
        return node.retained[0] if isinstance(node, Node) and node.retained is not None else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            value = as_tensor(value)
            if value._data.shape != self._data.shape:
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
        node = self._node if self._node is None else materialize(self._node)
        if isinstance(node, Node) and node.retained is None:
            node.retained = [None]

    @property
    def _step(self) -> int | None:
        """The time step that rides on this value: its tag, else where it was recorded."""
        if self._tag is not None:
            return self._tag
        node = self._node
        return node.place.step if isinstance(node, Node) else None

    @overload
    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        *,
        ledger: Literal[False] = False,
    ) -> None: ...

    @overload
    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        *,
        ledger: Literal[True],
    ) -> Ledger: ...

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        *,
        ledger: bool = False,
    ) -> Ledger | None:
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
        book: Ledger = door("Ledger")()
        gradients.backward(self, gradient, book.note, create_graph, hearing=book)
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
        if state.tracer is not None:
            state.tracer.detached(t, self)
        return share(self, t)

    def _install(self, data: Array, by: str) -> Tensor:
        """Take a new array that nobody else holds; the old leaf becomes stale, views keep the old values."""
        if self._alias is not None:
            leave(self, by)
        self._data = data = as_array(data)
        node = self._node
        if node.__class__ is Leaf:
            self._node = node.replaced(data.shape, data.dtype, by).hold(data)
        else:
            self._node = None
        return self


Handle.kind = Tensor
