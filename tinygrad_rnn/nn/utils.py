"""What training loops need: gradients clipped before ``step()``, sequences padded and masked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..ops import indexing
from ..tensors import Tensor, as_tensor


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


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0
) -> Tensor:
    """Sequences of several lengths as one tensor, the short ones filled up with ``padding_value``.

    ``sequences`` are tensors or arrays (length, ...), alike but for their lengths (0 is allowed); the
    result is (longest, count, ...), with ``batch_first`` (count, longest, ...). Each sequence gets the
    gradient of its own steps. Raises ValueError where there are none or their shapes do not fit.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.utils.pad_sequence([tg.ones(2), tg.ones(1)], batch_first=True)
    tensor([[1., 1.],
            [1., 0.]])
    """
    parts = [as_tensor(s) for s in sequences]
    if not parts:
        raise ValueError("pad_sequence needs at least one sequence")
    for k, part in enumerate(parts):
        if not part.ndim or part.shape[1:] != parts[0].shape[1:]:
            raise ValueError(
                f"pad_sequence: sequence {k} has shape {part.shape}, and the first "
                f"{parts[0].shape}: they may differ in their length alone"
            )
    count, steps = len(parts), max(len(part) for part in parts)
    lead = (count, steps) if batch_first else (steps, count)
    shape, dtype = lead + parts[0].shape[1:], np.result_type(*[part.dtype for part in parts])
    own = [slice(len(part)) for part in parts]
    where = tuple((k, s) if batch_first else (s, k) for k, s in enumerate(own))
    padded = indexing.place(*parts, where, shape, dtype)
    if not padding_value:
        return padded
    fill = np.full(shape, padding_value, dtype)
    for index in where:
        fill[index] = 0
    return padded + Tensor(fill)


def sequence_mask(lengths: Any, steps: int | None = None, batch_first: bool = False) -> Tensor:
    """Which steps of padded sequences are their own: (steps, batch) of bools, or (batch, steps).

    ``lengths`` (batch,) are integers, ``steps`` is the longest of them unless given. A mask picks what
    counts before a loss sees it, so that the padding has no part in the value, its mean or any
    gradient: ``loss(y[mask], target[mask])``, for every loss. Raises ValueError for lengths outside 0
    to ``steps``.

    >>> import tinygrad_rnn as tg
    >>> mask = tg.nn.utils.sequence_mask([1, 2])
    >>> mask
    tensor([[ True,  True],
            [False,  True]])
    >>> y, target = tg.tensor([[1.0, 2.0], [99.0, 3.0]]), tg.zeros(2, 2)
    >>> tg.nn.functional.l1_loss(y[mask], target[mask]).item()
    2.0
    """
    given = np.asarray(as_tensor(lengths)._data)
    if given.dtype.kind not in "iu" or given.ndim != 1 or not given.size:
        raise ValueError(
            f"sequence_mask: lengths must be integers (batch,), got {given.dtype} {given.shape}"
        )
    longest = int(given.max())
    steps = longest if steps is None else steps
    if given.min() < 0 or longest > steps:
        raise ValueError(f"sequence_mask: lengths must be 0 to {steps}, got {given.tolist()}")
    mask = np.arange(steps) < given[:, None]
    return Tensor(mask if batch_first else mask.T)
