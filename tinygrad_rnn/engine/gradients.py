"""What do ``backward()`` and ``grad()`` do with what flows? Start it at a root, and keep what arrives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from .autograd import Observer, Reached, flow
from .lazy_output import materialize
from .places import state
from .stale import refuse_stale
from .switches import no_grad
from .values import Array, Handle, Leaf, Node, Value, handle

if TYPE_CHECKING:
    from ..tensors import Tensor
    from .inside import Hearing


def backward(
    tensor: Tensor,
    gradient: Any = None,
    observer: Observer | None = None,
    create_graph: bool = False,
    hearing: Hearing | None = None,
) -> None:
    """Add to every leaf's ``grad`` the derivative of ``tensor`` by it; see ``Tensor.backward``.

    Gradients are committed together at the end, so that a failed backward changes nothing.
    """
    root, seed = root_and_seed(tensor, gradient, create_graph)
    if state.watch is not None:
        observer = state.watch.observing(observer)
    if state.watch is not None or create_graph:  # every op is looked at
        hearing = None
    reached = flow([(root, seed)], observer=observer, recorded=create_graph, hearing=hearing)
    commit(reached.values(), root, create_graph)


def root_and_seed(
    tensor: Tensor, gradient: Any = None, create_graph: bool = False
) -> tuple[Node | Leaf, Any]:
    """Where a backward pass of ``tensor`` starts, and the gradient that enters there, checked."""
    root = _differentiable(tensor, "backward()")
    return root, _seed(tensor, gradient, create_graph)


def commit(reached: Collection[Reached], root: Value | None, create_graph: bool = False) -> None:
    """Add what a backward pass from ``root`` brought to each target's ``grad``, all or (if stale) nothing."""
    wrap, ndarray = Handle.kind._wrap, np.ndarray
    updates: list[tuple[Any, Tensor]] = []
    for (target, g, is_owned), references in zip(reached, _references(reached), strict=True):
        if target.op is None:
            before = target.grad
            if target.stale is not None:
                refuse_stale(reached, [root])
        else:
            before = target.retained[0]
        if create_graph:
            total = g if before is None else before + g
        elif before is not None:
            total = wrap(np.add(before._data, g, dtype=target.dtype), None)
        else:
            plain = g.__class__ is ndarray and g.dtype is target.dtype
            ours = plain and (is_owned or (references == _ONE and g.base is None))
            total = handle(g if ours else np.array(g, target.dtype), None)
        updates.append((target, total))
    for target, total in updates:
        if target.op is None:
            held = target.grad
            if held is None or create_graph or held._alias.__class__ is not tuple:
                target.grad = total
            else:  # it is a view of a buffer of the user's
                with no_grad():
                    held.copy_(total)
        else:
            target.retained[0] = total


def _references(reached: Collection[tuple[Any, Any, bool]]) -> list[int]:
    """How many references there are to each gradient."""
    return [getrefcount(g) for _, g, _ in reached]


# counted of what nobody else holds, no node, no hook
_ONE = _references([(None, np.zeros(1), True)])[0]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor, ...]:
    """The derivatives of (the sum of) ``outputs`` by each of ``inputs``, as a tuple; leaves stay as they are.

    With ``create_graph=True`` the result is itself recorded, by the same rules, and can be derived
    again, to any order. ``grad_outputs`` weights each output (needed where an output is no scalar).
    Raises RuntimeError where an input takes no part in the outputs, unless ``allow_unused`` (then its
    entry is None).

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> (dy,) = tg.grad(x**3, x, create_graph=True)
    >>> (ddy,) = tg.grad(dy, x)
    >>> dy.item(), ddy.item()
    (27.0, 18.0)
    """
    outs = [outputs] if isinstance(outputs, Handle) else list(outputs)
    ins = [inputs] if isinstance(inputs, Handle) else list(inputs)
    seeds = list(grad_outputs) if isinstance(grad_outputs, (list, tuple)) else [grad_outputs]
    if len(seeds) != len(outs):
        if grad_outputs is not None:
            raise ValueError(f"grad: {len(seeds)} grad_outputs for {len(outs)} outputs")
        seeds = [None] * len(outs)
    roots = [
        (_differentiable(t, "grad()"), _seed(t, s, create_graph))
        for t, s in zip(outs, seeds, strict=True)
    ]
    targets = [materialize(_differentiable(t, "grad(): an input")) for t in ins]
    wanted = {node.number: node for node in targets}
    observer = None if state.watch is None else state.watch.observing(None)
    reached = flow(roots, wanted=wanted, observer=observer, recorded=create_graph)
    keys = {node.key for node in targets if isinstance(node, Leaf)}
    refuse_stale(
        (r for r in reached.values() if getattr(r[0], "key", None) in keys), [n for n, _ in roots]
    )
    results: list[
        Any
    ] = []  # PyTorch, too, says tuple[Tensor, ...]: None comes by allow_unused alone
    for tensor, node in zip(ins, targets, strict=True):
        found = reached.get(node.number)
        if found is None:
            if not allow_unused:
                raise RuntimeError(
                    f"grad: an input of shape {tensor.shape} takes no part in the outputs; "
                    "pass allow_unused=True to get None for it"
                )
            results.append(None)
        elif create_graph:
            results.append(found[1])
        else:
            results.append(Handle.kind._wrap(np.array(found[1], node.dtype), None))
    return tuple(results)


def _differentiable(tensor: Tensor, who: str) -> Any:
    node = tensor._node
    if node is None or not node.needs:
        raise RuntimeError(
            f"{who}: this tensor of shape {tensor.shape} depends on nothing that requires a gradient; "
            "was it computed under no_grad, detached, or made without requires_grad=True?"
        )
    return node


def _seed(tensor: Tensor, gradient: Any, create_graph: bool) -> Any:
    """The gradient that enters at a root, checked, in the root's dtype."""
    if gradient is None:
        if tensor._data.size != 1:
            raise RuntimeError(
                f"backward() without a gradient needs a scalar, and this has shape {tensor.shape}: "
                "reduce it (loss.sum()), or pass gradient= of that shape"
            )
        data: Array = np.array(1, tensor.dtype)
        if tensor._data.ndim:
            data = data.reshape(tensor._data.shape)
    else:
        given = isinstance(gradient, Handle)
        if given and create_graph and gradient.shape == tensor.shape:
            return gradient
        data = np.asarray(gradient._data if given else gradient)
        if data.shape != tensor._data.shape:
            raise ValueError(
                f"backward(): gradient has shape {data.shape}, expected {tensor.shape}"
            )
        data = data.astype(tensor.dtype, copy=create_graph)  # a pass does not write into it
    return Handle.kind._wrap(data, None) if create_graph else data
