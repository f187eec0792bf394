"""What training loops need: gradients clipped before ``step()``, sequences padded and masked."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...tensors import Tensor
from .rnn import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    sequence_mask,
)

__all__ = [
    "PackedSequence",
    "clip_grad_norm_",
    "clip_grad_value_",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "sequence_mask",
]


def _with_grad(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p for p in listed if p.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> Tensor:
    """Scale all gradients together so that their norm is at most ``max_norm``; returns the norm before.

    (Pascanu, Mikolov & Bengio 2013.) Raises RuntimeError, with gradients as they were, where the norm
    is NaN or infinite, unless ``error_if_nonfinite=False``.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> tg.nn.utils.clip_grad_norm_([w], 1.0).item(), w.grad
    (5.0, tensor([0.6, 0.8]))
    """
    owners = _with_grad(parameters)
    grads = [p.grad._data for p in owners if p.grad is not None]
    norms = [np.linalg.norm(g.astype(np.float64).ravel(), norm_type) for g in grads]
    norm = float(np.linalg.norm(norms, norm_type)) if norms else 0.0
    if error_if_nonfinite and not np.isfinite(norm):
        bad = [
            p._node.name or str(p.shape)
            for p, n in zip(owners, norms, strict=True)
            if not np.isfinite(n)
        ]
        raise RuntimeError(
            f"clip_grad_norm_: the norm is {norm}; not finite in {', '.join(bad)}: lower the learning "
            "rate or look for the first bad value, or pass error_if_nonfinite=False"
        )
    scale = max_norm / (norm + 1e-6)
    if norm > max_norm:
        for owner, g in zip(owners, grads, strict=True):
            owner.grad = Tensor._wrap(g * g.dtype.type(scale), None)
    dtype = grads[0].dtype if grads else None
    return Tensor(norm, dtype)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clip each element of each gradient to -clip_value ... clip_value.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor([3.0, -4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> tg.nn.utils.clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([ 1., -1.])
    """
    for owner in _with_grad(parameters):
        if owner.grad is not None:
            owner.grad = owner.grad.clip(-clip_value, clip_value)
