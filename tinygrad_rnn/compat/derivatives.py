"""By which names do PyTorch's scripts take derivatives? ``autograd.backward``, ``autograd.functional.*``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..derivatives import transforms
from ..derivatives.checking import gradcheck
from ..engine.gradients import grad
from ..tensors import Tensor, as_tensor
from ..tensors.making import ones_like

__all__ = ["backward", "functional", "gradcheck"]


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: Any = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """``backward()`` of several tensors at once, each with its gradient; to ``inputs`` alone where given.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> tg.autograd.backward([x * x, x * 3])
    >>> x.grad
    tensor(7.)
    """
    listed = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    one = grad_tensors is None or isinstance(grad_tensors, Tensor)
    gradients = [grad_tensors] * len(listed) if one else list(grad_tensors)
    total: Any = None
    for t, g in zip(listed, gradients, strict=True):
        if g is None and t.numel() != 1:
            raise RuntimeError(f"backward of a tensor of shape {t.shape} needs its gradient")
        part = (t * (ones_like(t) if g is None else as_tensor(g))).sum()
        total = part if total is None else total + part  # all or none of the leaves get theirs
    if total is None:
        return
    if inputs is None:
        total.backward(create_graph=create_graph)
        return
    leaves = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    found = grad(total, leaves, create_graph=create_graph, allow_unused=True)
    for leaf, g in zip(leaves, found, strict=True):
        if g is not None:
            leaf.grad = g if leaf.grad is None else leaf.grad + g


class functional:  # noqa: N801 (PyTorch's name)
    """``autograd.functional``: derivatives of a function at inputs, a tensor or a tuple of them.

    With ``create_graph=True`` what they give can be differentiated further; without it is detached.
    ``strict`` and ``vectorize`` change no value and have no effect.
    """

    @staticmethod
    def jacobian(
        func: Callable[..., Any], inputs: Any, create_graph: bool = False, *_: Any, **options: Any
    ) -> Any:
        """The Jacobian of ``func`` at ``inputs``; see ``func.jacobian``."""
        return _given(_at(transforms.jacobian, func, inputs), create_graph)

    @staticmethod
    def hessian(
        func: Callable[..., Any], inputs: Any, create_graph: bool = False, *_: Any, **options: Any
    ) -> Any:
        """The second derivatives of ``func`` at ``inputs``; see ``func.hessian``."""
        return _given(_at(transforms.hessian, func, inputs), create_graph)

    @staticmethod
    def vjp(
        func: Callable[..., Any],
        inputs: Any,
        v: Any = None,
        create_graph: bool = False,
        strict: bool = False,
    ) -> Any:
        """What ``func`` gives, and v times its Jacobian."""
        output, pull = transforms.vjp(func, *_several(inputs))
        made = pull(_ones(output) if v is None else v)
        return _given((output, made if isinstance(inputs, tuple) else made[0]), create_graph)

    @staticmethod
    def jvp(
        func: Callable[..., Any],
        inputs: Any,
        v: Any = None,
        create_graph: bool = False,
        strict: bool = False,
    ) -> Any:
        """What ``func`` gives, and its Jacobian times v."""
        given = _several(inputs)
        tangents = tuple(map(_ones, given)) if v is None else _several(v)
        return _given(transforms.jvp(func, given, tangents), create_graph)

    @staticmethod
    def hvp(
        func: Callable[..., Any],
        inputs: Any,
        v: Any = None,
        create_graph: bool = False,
        strict: bool = False,
    ) -> Any:
        """What a scalar ``func`` gives, and its second derivatives times v."""
        return _given(transforms.hvp(func, inputs, _ones(inputs) if v is None else v), create_graph)

    vhp = hvp  # second derivatives are symmetric


def _at(transform: Any, func: Callable[..., Any], inputs: Any) -> Any:
    if isinstance(inputs, tuple):
        return transform(func, tuple(range(len(inputs))))(*inputs)
    return transform(func)(inputs)


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _ones(value: Any) -> Tensor:
    """The v that may be left out: of a single number."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        raise RuntimeError("v may be left out of a function of, or to, a single number only")
    return ones_like(value)


def _given(value: Any, recorded: bool) -> Any:
    """What was computed, detached unless it is to be differentiated further."""
    if recorded:
        return value
    if isinstance(value, (tuple, list)):
        return type(value)(_given(part, recorded) for part in value)
    return value.detach()
