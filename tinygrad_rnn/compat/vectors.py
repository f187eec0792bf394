"""How do scripts handle all parameters at once? As one vector, by their norm, or by other names of before."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..nn.module import Module, Parameter
from ..nn.utils import clip_grad_norm_
from ..tensors import Tensor, as_tensor
from ..tensors.several import cat, stack


def parameters_to_vector(parameters: Iterable[Any]) -> Tensor:
    """All numbers of some parameters as one vector.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.utils.parameters_to_vector(tg.nn.Linear(2, 3).parameters()).shape
    (9,)
    """
    return cat([as_tensor(p).reshape(-1) for p in parameters])


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Write a vector's numbers into parameters, in the order of ``parameters_to_vector``.

    Raises ValueError where it has another length.
    """
    listed, start, t = list(parameters), 0, as_tensor(vec)
    many = sum(p.numel() for p in listed)
    if t.shape != (many,):
        raise ValueError(f"vector_to_parameters: {many} numbers are wanted, got shape {t.shape}")
    for p in listed:
        p.data = t.narrow(0, start, p.numel()).detach().clone().reshape(p.shape)
        start += p.numel()


def get_total_norm(
    tensors: Iterable[Any],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all numbers of some tensors. Raises RuntimeError, where asked, if it is not finite."""
    listed = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not listed:
        return as_tensor(0.0)
    total = stack([as_tensor(t).norm(norm_type) for t in listed]).norm(norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(f"the norm of the gradients is {total.item()}")
    return total


def clip_grad_norm(parameters: Any, max_norm: float, norm_type: float = 2.0) -> Tensor:
    """The name of ``clip_grad_norm_`` before PyTorch 0.4."""
    return clip_grad_norm_(parameters, max_norm, norm_type)


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """A weight as a length times a direction, ``g v / |v|`` (Salimans & Kingma 2016); the norm of each slice.

    ``name_g`` and ``name_v`` are the module's Parameters in its place, as in PyTorch; it is made anew
    before every forward. Of recurrent layers: raises TypeError, their weights are read elsewhere.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.utils.weight_norm(tg.nn.Linear(2, 3))
    >>> [name for name, _ in layer.named_parameters()], layer(tg.ones(1, 2)).shape
    (['bias', 'weight_g', 'weight_v'], (1, 3))
    """
    weight = getattr(module, name, None)
    if not isinstance(module, Module) or not isinstance(weight, Parameter):
        raise TypeError(f"weight_norm: {type(module).__name__} has no Parameter {name!r}")
    if hasattr(module, "all_weights"):
        raise TypeError("weight_norm: the weights of a recurrent layer are not made anew each call")
    g, v = Parameter(_length(weight.detach(), dim)), Parameter(weight.detach())
    delattr(module, name)
    module.register_parameter(f"{name}_g", g)
    module.register_parameter(f"{name}_v", v)

    def renew(owner: Any, _inputs: Any = None) -> None:
        long, way = getattr(owner, f"{name}_g"), getattr(owner, f"{name}_v")
        object.__setattr__(owner, name, way * (long / _length(way, dim)))

    renew(module)
    module.register_forward_pre_hook(renew)
    return module


def _length(t: Tensor, dim: int | None) -> Tensor:
    if dim is None:
        return t.norm()
    return t.norm(2, tuple(k for k in range(t.ndim) if k != dim % t.ndim), keepdim=True)
