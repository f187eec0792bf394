"""How are functions derived? ``tg.func``: each takes a function and gives one of its derivatives.

They compose to any order and through any nesting of tuples, lists and dicts of float Tensors. An
argument that is derived enters as a node of its own, so that what else leads to the same tensor (a
closure, an outer derivative) is told apart. A result is recorded only where something outside asks
for gradients: an outer derivative, an argument or a closed-over Parameter that requires them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..engine import gradients
from ..engine.places import state
from ..engine.signatures import readable
from ..engine.switches import enable_grad
from ..engine.values import Node, reachable
from ..ops.recording import parent_of
from ..ops.shapes import reshape
from ..tensors import Tensor
from ..tensors.making import ones, zeros, zeros_like
from ..tensors.several import stack

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

Argnums = int | Sequence[int]


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Any:
    """The function that computes the gradient of a scalar function: ``grad(f)(x) = df/dx``.

    The gradient by ``argnums`` has the nesting and shapes of that argument (a tuple of them for
    several); zeros where the output does not depend on an input. With ``has_aux`` the function
    returns (output, anything) and the gradient comes as (gradient, anything). Raises ValueError for an
    output that is no 0-d Tensor, TypeError for an argument that holds no float Tensors.

    >>> import tinygrad_rnn as tg
    >>> tg.func.grad(tg.func.grad(lambda x: x**3))(tg.tensor(2.0))
    tensor(12.)
    >>> tg.func.grad(lambda p, x: (p["w"] * x).sum())({"w": tg.ones(2)}, tg.tensor([3.0, 4.0]))
    {'w': tensor([3., 4.])}
    """
    both = value_and_grad(func, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, slope = both(*args, **kwargs)
        return (slope, value[1]) if has_aux else slope

    return gradient


def value_and_grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Any:
    """The function that computes (value, gradient) of a scalar function in one pass; see ``grad``.

    With ``has_aux`` the result is ((value, anything), gradient).

    >>> import tinygrad_rnn as tg
    >>> tg.func.value_and_grad(lambda x: x * x)(tg.tensor(3.0))
    (tensor(9.), tensor(6.))
    """

    def both(*args: Any, **kwargs: Any) -> Any:
        call = _Pullback("grad", func, args, kwargs, argnums, has_aux)
        if not isinstance(call.output, Tensor) or call.output.shape != ():
            what = getattr(call.output, "shape", type(call.output).__name__)
            raise ValueError(
                f"grad: the function must return a 0-d Tensor, and returned {what}: "
                "reduce it (.sum()) or use tg.func.jacobian"
            )
        slope = call.nested(call.pull([ones((), dtype=call.output.dtype)]))
        value = call.outside(call.output)
        return ((value, call.outside(call.aux)) if has_aux else value), slope

    return both


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(output, pull): ``pull(v) = v^T J``, a tuple with the nesting of the ``primals``.

    ``v`` has the nesting and shapes of the output. The graph lives as long as ``pull``, which may be
    called again. With ``has_aux``, (output, pull, anything). Raises ValueError where ``v`` does not fit.

    >>> import tinygrad_rnn as tg
    >>> y, pull = tg.func.vjp(lambda x: x * x, tg.tensor([1.0, 2.0]))
    >>> pull(tg.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    call = _Pullback("vjp", func, primals, {}, range(len(primals)), has_aux)

    def pull(cotangents: Any) -> Any:
        return call.nested(call.pull(_fitting("vjp: cotangents", cotangents, call.outputs)))

    output = call.outside(call.output)
    return (output, pull, call.outside(call.aux)) if has_aux else (output, pull)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """(output, J v) for the tuple ``primals`` and its ``tangents`` v, of the same nesting and shapes.

    ``u^T J`` is linear in u, and its derivative by u is ``J``: the vjp of the vjp (Townsend 2017,
    https://j-towns.github.io/2017/06/12/A-new-trick.html), about twice the cost of a gradient. With
    ``has_aux``, (output, J v, anything). Raises TypeError where ``primals`` is no tuple, ValueError
    where the tangents do not fit.

    >>> import tinygrad_rnn as tg
    >>> tg.func.jvp(lambda x: x * x, (tg.tensor(3.0),), (tg.tensor(1.0),))
    (tensor(9.), tensor(6.))
    """
    primals = _tuple("jvp", "primals", primals)
    call = _Pullback("jvp", func, primals, {}, range(len(primals)), has_aux)
    v = _fitting("jvp: tangents", _tuple("jvp", "tangents", tangents), call.inputs)
    floats = [y for y in call.outputs if y.requires_grad]
    u = [zeros_like(y, requires_grad=True) for y in floats]
    with enable_grad():
        pulled = _derived(floats, call.inputs, u, record=True)
    linear = [(g, t) for g, t in zip(pulled, v, strict=True) if g is not None and g.requires_grad]
    pushed = _derived([g for g, _ in linear], u, [t for _, t in linear], call.records(v))
    found = iter(pushed)
    slopes = [_or_zeros(next(found) if y.requires_grad else None, y) for y in call.outputs]
    product = _rebuilt(call.output, iter(slopes))
    output = call.outside(call.output)
    return (output, product, call.outside(call.aux)) if has_aux else (output, product)


def jacobian(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Any:
    """The function that computes the Jacobian, (output's shape, input's shape), row by row.

    Nested outputs give the output's nesting, in each place the nesting of the argument (a tuple of
    them for several ``argnums``). One backward pass an element of the output. torch.func's ``jacrev``.

    >>> import tinygrad_rnn as tg
    >>> tg.func.jacobian(lambda x: x * x)(tg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def matrix(*args: Any, **kwargs: Any) -> Any:
        call = _Pullback("jacobian", func, args, kwargs, argnums, has_aux)
        blocks = [call.nested(call.jacobian(k)) for k in range(len(call.outputs))]
        result = _rebuilt(call.output, iter(blocks))
        return (result, call.outside(call.aux)) if has_aux else result

    return matrix


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Any:
    """The function that computes the second derivatives, the Jacobian of the Jacobian.

    For a scalar function of an argument of shape S the result has shape (\\*S, \\*S).

    >>> import tinygrad_rnn as tg
    >>> tg.func.hessian(lambda x: (x**3).sum())(tg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacobian(jacobian(func, argnums), argnums)


def hvp(func: Callable[..., Any], inputs: Any, v: Any) -> Any:
    """(value, H v) of a scalar function, without forming the Hessian: ``H v = d(v^T grad f)/dx``.

    ``inputs`` is a tuple of arguments (or the one argument) and ``v`` has its nesting and shapes, as
    H v has (Pearlmutter 1994; torch.autograd.functional.hvp).

    >>> import tinygrad_rnn as tg
    >>> tg.func.hvp(lambda x: (x**3).sum(), tg.tensor([1.0, 2.0]), tg.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    single = not isinstance(inputs, tuple)
    primals = (inputs,) if single else inputs
    both = value_and_grad(func, range(len(primals)))

    def slope(*args: Any) -> Any:
        value, gradient = both(*args)
        return gradient, value

    _, pull, value = vjp(slope, *primals, has_aux=True)
    product = pull((v,) if single else v)
    return value, product[0] if single else product


# ---- one call of a function, ready to be derived -------------------------------------------------


class _Pullback:
    """A function called with some arguments replaced by inputs of our own, and how to go back."""

    def __init__(
        self,
        who: str,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: Argnums,
        has_aux: bool,
    ) -> None:
        chosen = [argnums] if isinstance(argnums, int) else list(argnums)
        for k in chosen:
            if not isinstance(k, int) or not -len(args) <= k < len(args):
                raise ValueError(f"{who}: argnums {k!r}, and the function was given {len(args)}")
        places = [k % len(args) for k in chosen]
        self.single = isinstance(argnums, int)
        self.given = tuple(args[k] for k in places)
        self.inputs: list[Tensor] = []
        self._recording = state.recording
        with enable_grad():
            entered = list(args)
            for k in places:
                fresh = [_entering(t, f"{who}: argument {k}{at}") for at, t in _leaves(args[k])]
                self.inputs += fresh
                entered[k] = _rebuilt(args[k], iter(fresh))
            self.output = func(*entered, **kwargs)
        self.aux: Any = None
        if has_aux:
            if not isinstance(self.output, tuple) or len(self.output) != 2:
                raise TypeError(f"{who}: with has_aux the function must return (output, anything)")
            self.output, self.aux = self.output
        self.outputs: list[Tensor] = []
        for at, y in _leaves(self.output):
            if not isinstance(y, Tensor):
                raise TypeError(
                    f"{who}: the function returned {type(y).__name__}{at and ' at ' + at}, "
                    "expected Tensors (has_aux=True carries anything else)"
                )
            self.outputs.append(y)
        self.linked = self._recording and self._asked_from_outside()

    def _asked_from_outside(self) -> bool:
        """Whether anything but our own inputs wants a gradient of the outputs."""
        own = {id(x._node) for x in self.inputs}
        ends = [y._node for y in self.outputs]
        return any(
            node.needs and id(node) not in own and not any(p.needs for p in node.parents)
            for node in reachable(n for n in ends if n is not None and n.needs)
        )

    def records(self, seeds: Sequence[Tensor]) -> bool:
        """Whether a derivative with these seeds is to be recorded."""
        return state.recording and (self.linked or any(t.requires_grad for t in seeds))

    def outside(self, value: Any) -> Any:
        """A result as the caller gets it: cut from our own inputs where nothing else wants it."""
        if self.linked:
            return value
        parts = (t.detach() if isinstance(t, Tensor) else t for _, t in _leaves(value))
        return _rebuilt(value, parts)

    def pull(self, seeds: Sequence[Tensor]) -> list[Tensor]:
        """v^T J for one v a output, as one gradient an input."""
        pairs = [(y, s) for y, s in zip(self.outputs, seeds, strict=True) if y.requires_grad]
        outputs, weights = [y for y, _ in pairs], [s for _, s in pairs]
        found = _derived(outputs, self.inputs, weights, self.records(seeds))
        return [_or_zeros(g, x) for g, x in zip(found, self.inputs, strict=True)]

    def jacobian(self, k: int) -> list[Tensor]:
        """The Jacobian of the k-th output, (\\*output's shape, \\*input's shape) an input."""
        y, rows = self.outputs[k], []
        for i in np.ndindex(y.shape):
            seed = np.zeros(y.shape, y.dtype)
            seed[i] = 1
            live = [y] if y.requires_grad else []
            rows.append(_derived(live, self.inputs, [Tensor._made(seed)], self.records(())))
        columns = []
        for j, x in enumerate(self.inputs):
            parts = [_or_zeros(row[j], x) for row in rows]
            shape = (*y.shape, *x.shape)
            columns.append(stack(parts).reshape(shape) if parts else zeros(shape, dtype=x.dtype))
        return columns

    def nested(self, gradients: Sequence[Tensor]) -> Any:
        """One value an input, in the nesting of the arguments."""
        result = _rebuilt(self.given, iter(gradients))
        return result[0] if self.single else result


def _entering(tensor: Any, what: str) -> Tensor:
    """The same values as a node of its own that wants a gradient."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{what} is {type(tensor).__name__}, expected a Tensor of floats")
    if not tensor.is_floating_point():
        raise TypeError(f"{what} holds {tensor.dtype}, expected floats")
    shape = tensor.shape
    op: Any = reshape.op  # type: ignore[attr-defined]
    node = Node(op, (parent_of(tensor),), None, (shape, shape), shape, tensor.dtype, state.place)
    fresh = Tensor._wrap(tensor._data, node)
    fresh._tag = tensor._step
    return fresh


def _derived(
    outputs: list[Tensor], inputs: list[Tensor], seeds: list[Tensor], record: bool
) -> list[Tensor | None]:
    """The engine's ``grad``; None for an input that the outputs do not depend on."""
    if not outputs:
        return [None] * len(inputs)
    return list(gradients.grad(outputs, inputs, seeds, create_graph=record, allow_unused=True))


def _or_zeros(gradient: Tensor | None, like: Tensor) -> Tensor:
    return zeros_like(like) if gradient is None else gradient


# ---- nested values -------------------------------------------------------------------------------


def _leaves(tree: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """What a nest of tuples, lists and dicts holds, each with its place in words; None holds nothing."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from _leaves(part, f"{at}[{key!r}]")
    elif isinstance(tree, (tuple, list)):
        for k, part in enumerate(tree):
            yield from _leaves(part, f"{at}[{k}]")
    elif tree is not None:
        yield at, tree


def _rebuilt(tree: Any, values: Iterator[Any]) -> Any:
    """The same nest with other values."""
    if isinstance(tree, dict):
        return {key: _rebuilt(part, values) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        parts = [_rebuilt(part, values) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return None if tree is None else next(values)


def _tuple(who: str, what: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{who}: {what} must be a tuple of arguments, got {type(value).__name__}")
    return tuple(value)


def _fitting(what: str, given: Any, expected: Sequence[Tensor]) -> list[Tensor]:
    """One tensor for each expected one, of its shape and in its dtype."""
    found = list(_leaves(given))
    if len(found) != len(expected):
        raise ValueError(f"{what}: {len(found)} came, expected {len(expected)}")
    seeds = []
    for (at, t), like in zip(found, expected, strict=True):
        if not isinstance(t, Tensor) or t.shape != like.shape:
            came = f"shape {t.shape}" if isinstance(t, Tensor) else type(t).__name__
            raise ValueError(f"{what}{at}: {came} came, expected a Tensor of shape {like.shape}")
        seeds.append(t if t.dtype == like.dtype else t.to(like.dtype))
    return seeds


readable(__name__)
