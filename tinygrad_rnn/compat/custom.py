"""How does an op with a derivative of the user's own come in? As a ``Function``, one node a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.places import state
from ..engine.switches import no_grad
from ..engine.values import Node, Value
from ..ops.row import ROWS, Op
from ..tensors import Tensor, as_tensor


class Context:
    """What ``forward`` leaves for ``backward``: saved tensors, and any attribute."""

    def __init__(self, needs: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs
        self._saved: tuple[Any, ...] = ()
        self._without: set[int] = set()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep the values of these tensors (or None): later writes in place to them leave these alone."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(f"save_for_backward takes tensors, not {type(t).__name__}")
        self._saved = tuple([None if t is None else Tensor._wrap(t._data, None) for t in tensors])

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was saved, in its order."""
        return self._saved

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """These outputs take no gradient."""
        self._without |= {id(t) for t in outputs}

    def mark_dirty(self, *inputs: Any) -> None:
        """Raises RuntimeError: a forward that writes its inputs is not supported."""
        raise RuntimeError(
            "mark_dirty: a Function here leaves its inputs alone: return a new tensor"
        )

    def set_materialize_grads(self, value: bool) -> None:
        """Raises RuntimeError for False: backward gets zeros, never None."""
        if not value:
            raise RuntimeError("set_materialize_grads(False): backward gets zeros here, never None")


class Function:
    """An op of your own: ``forward(ctx, *args)`` and ``backward(ctx, *gradients)``, static; call ``apply``.

    ``forward`` is not recorded; ``backward`` gets the gradient of every output and returns one for every
    argument, None for those without. Or ``forward(*args)`` with ``setup_context(ctx, inputs, output)``.
    Its own derivative is not known: ``create_graph=True`` raises RuntimeError. Raises ValueError where
    backward returns another number of gradients, or one whose shape does not fit.

    >>> import tinygrad_rnn as tg
    >>> class Reversed(tg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x.view_as(x)
    ...     @staticmethod
    ...     def backward(ctx, gradient):
    ...         return -gradient
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> Reversed.apply(x).sum().backward()
    >>> x.grad
    tensor([-1., -1.])
    """

    def __init__(self, *args: Any) -> None:
        raise TypeError(f"{type(self).__name__} is not made: call {type(self).__name__}.apply(...)")

    @staticmethod
    def forward(*args: Any) -> Any:
        """The values; subclasses write it."""
        raise NotImplementedError("a Function needs a forward, a staticmethod")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The gradients of the arguments; subclasses write it."""
        raise NotImplementedError("a Function needs a backward, a staticmethod, to send gradients")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """What ``backward`` will need, where ``forward`` takes no ctx; subclasses may write it."""

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call ``forward`` and record it as one op."""
        if state.tracer is not None:
            state.tracer.looks(f"{cls.__name__}.apply")
        needs = tuple([isinstance(a, Tensor) and a.requires_grad for a in args])
        ctx = Context(needs)
        with no_grad():
            if cls.setup_context is not Function.setup_context:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args)
        outputs = result if isinstance(result, tuple) else (result,)
        live = [k for k, t in enumerate(outputs) if _takes_gradient(t, ctx)]
        if not (state.recording and any(needs) and live):
            return result
        call = _FunctionCall(cls, ctx, args, outputs, live)
        shapes: Any = tuple([outputs[k].shape for k in live])
        whole = Node(
            _op(cls), call.parents, None, (call,), shapes, outputs[live[0]].dtype, state.place
        )
        made = list(outputs)
        for position, k in enumerate(live):
            made[k] = _item(whole, position, outputs[k], args)
        return tuple(made) if isinstance(result, tuple) else made[0]


def _takes_gradient(t: Any, ctx: Context) -> bool:
    return isinstance(t, Tensor) and t.is_floating_point() and id(t) not in ctx._without


def _item(whole: Node, position: int, t: Tensor, args: tuple[Any, ...]) -> Tensor:
    """An output as an item of the one node; what shares its memory with another tensor gets its own."""
    shared = t._alias is not None or any(t is a for a in args)
    node = Node(ROWS["item"], (whole,), None, (None, position), t.shape, t.dtype, whole.place)
    return Tensor._wrap(np.array(t._data) if shared else t._data, node)


class _FunctionCall:
    """One call of a Function: who sends its gradients, and those of the pass that is running."""

    def __init__(
        self, function: Any, ctx: Context, args: tuple[Any, ...], outputs: Any, live: list[int]
    ) -> None:
        self.function, self.ctx, self.live = function, ctx, live
        self.outputs = [(t.shape, t.dtype) if isinstance(t, Tensor) else None for t in outputs]
        self.places = [k for k, needs in enumerate(ctx.needs_input_grad) if needs]
        self.parents = tuple([args[k]._node for k in self.places])
        self.count = len(args)
        self.fetched: tuple[Any, list[Any]] | None = None

    def gradient(self, i: int, g: list[Any]) -> Any:
        """The gradient of the i-th parent; all of a pass are made when the first is asked for."""
        fetched = self.fetched
        if fetched is None or fetched[0] is not g:
            fetched = self.fetched = (g, self.gradients(g))
        if i == len(self.parents) - 1:
            self.fetched = None
        return fetched[1][i]

    def gradients(self, g: list[Any]) -> list[Any]:
        """What the user's backward makes of the gradients that came, checked."""
        name = self.function.__name__
        if any(isinstance(part, Tensor) for part in g):
            raise RuntimeError(
                f"{name}: the derivative of a Function's backward is not known (create_graph=True): "
                "write it in ops of torch"
            )
        came: list[Any] = []
        for k, of in enumerate(self.outputs):
            if k in self.live and of is not None:
                part = np.array(g[self.live.index(k)], of[1])
                came.append(Tensor._wrap(part, None))
            else:
                came.append(None if of is None else Tensor._wrap(np.zeros(*of), None))
        with no_grad():
            sent = self.function.backward(self.ctx, *came)
        sent = sent if isinstance(sent, tuple) else (sent,)
        if len(sent) < self.count or any(t is not None for t in sent[self.count :]):
            raise ValueError(
                f"{name}.backward returned {len(sent)} gradients, and forward took {self.count} arguments"
            )
        return [self._fitted(k, sent[k], p) for k, p in zip(self.places, self.parents, strict=True)]

    def _fitted(self, k: int, sent: Any, parent: Value) -> Any:
        """One gradient as an array of the argument's dtype, in a shape that sums to the argument's."""
        if sent is None:
            return np.zeros(parent.shape, parent.dtype)
        found = as_tensor(sent)._data
        side = found.shape[len(found.shape) - len(parent.shape) :]
        fits = len(found.shape) >= len(parent.shape) and all(
            a in (1, b) for a, b in zip(parent.shape, side, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{self.function.__name__}.backward returned shape {found.shape} for argument {k}, which has "
                f"{parent.shape}"
            )
        return found.astype(parent.dtype)


def _rule(i: int, g: Any, _y: Any, call: Any) -> Any:
    return call.gradient(i, g)


def _op(function: Any) -> Op:
    """The op of a class, which bears its name."""
    if "_op" not in function.__dict__:
        function._op = Op.of_calls(function.__name__, function.apply, _rule)
    found: Op = function.__dict__["_op"]
    return found
