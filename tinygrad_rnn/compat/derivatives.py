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


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: Any = None, **_: Any) -> None:
    """``backward()`` of several tensors, one after the other, each with its gradient.

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
    if total is not None:
        total.backward()


class functional:  # noqa: N801 (PyTorch's name)
    """``autograd.functional``: derivatives of a function at inputs, a tensor or a tuple of them."""

    @staticmethod
    def jacobian(func: Callable[..., Any], inputs: Any, *_: Any, **options: Any) -> Any:
        """The Jacobian of ``func`` at ``inputs``; see ``func.jacobian``."""
        return _at(transforms.jacobian, func, inputs)

    @staticmethod
    def hessian(func: Callable[..., Any], inputs: Any, *_: Any, **options: Any) -> Any:
        """The second derivatives of ``func`` at ``inputs``; see ``func.hessian``."""
        return _at(transforms.hessian, func, inputs)

    @staticmethod
    def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, **options: Any) -> Any:
        """What ``func`` gives, and v times its Jacobian."""
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        leaves = [as_tensor(t).detach().requires_grad_() for t in given]
        y = func(*leaves)
        made = grad(y, leaves, grad_outputs=v)
        return y.detach(), made if isinstance(inputs, tuple) else made[0]


def _at(transform: Any, func: Callable[..., Any], inputs: Any) -> Any:
    if isinstance(inputs, tuple):
        return transform(func, tuple(range(len(inputs))))(*inputs)
    return transform(func)(inputs)
