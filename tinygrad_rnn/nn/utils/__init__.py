"""What do training loops need? Gradients clipped before ``step()``, sequences padded and masked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np

from ...engine.signatures import readable
from ...engine.values import Array, Leaf
from ...ops import dtypes
from ...optim.together import LARGEST
from ...tensors import Tensor
from .rnn import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    sequence_mask,
    unpack_sequence,
    unpad_sequence,
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
    "unpack_sequence",
    "unpad_sequence",
]


def _with_grad(parameters: Tensor | Iterable[Tensor]) -> tuple[list[Tensor], list[Array]]:
    """The Parameters that have a gradient, and the gradients."""
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    owners, grads = [], []
    for p in listed:
        node = p._node
        g = node.grad if node.__class__ is Leaf else p.grad
        if g is not None:
            owners.append(p)
            grads.append(g._data)
    return owners, grads


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> Tensor:
    """Scale all gradients together so that their norm is at most ``max_norm``; returns the norm before.

    (Pascanu, Mikolov & Bengio 2013.) ``norm_type`` is the p of the norm, ``inf`` for the largest
    element. Raises ValueError for a ``max_norm`` that is negative or NaN, and RuntimeError, with
    gradients as they were, where the norm is NaN or infinite; with ``error_if_nonfinite=False`` an
    infinite norm makes gradients 0 (and NaN where they are infinite), a NaN makes all of them NaN.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> tg.nn.utils.clip_grad_norm_([w], 1.0).item(), w.grad
    (5.0, tensor([0.6, 0.8]))
    """
    max_norm, norm_type = _bound("clip_grad_norm_", "max_norm", max_norm), float(norm_type)
    if math.isnan(norm_type):
        raise ValueError("clip_grad_norm_: norm_type must be a number, got nan")
    owners, grads = _with_grad(parameters)
    norms = [_norm(row, norm_type) for row in _rows(grads, norm_type)]
    norm = norms[0] if len(norms) == 1 else _norm(np.array(norms), norm_type)
    if error_if_nonfinite and not math.isfinite(norm):
        bad = [
            (p._node and p._node.name) or str(p.shape)
            for p, g in zip(owners, grads, strict=True)
            if not math.isfinite(_norm(g.astype(np.float64).ravel(), norm_type))
        ]
        raise RuntimeError(
            f"clip_grad_norm_: the norm is {norm}; not finite in {', '.join(bad)}: lower the learning "
            "rate or look for the first bad value, or pass error_if_nonfinite=False"
        )
    if not norm <= max_norm:
        scale = max_norm / (norm + 1e-6)
        by = {dtype: dtype.type(scale) for dtype in {g.dtype for g in grads}}
        with nullcontext() if math.isfinite(norm) else np.errstate(invalid="ignore"):
            _give(owners, [g * by[g.dtype] for g in grads])
    return Tensor._wrap(np.array(norm, grads[0].dtype if grads else dtypes.default_dtype), None)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clip each element of each gradient to -clip_value ... clip_value; a NaN stays one.

    Raises ValueError for a ``clip_value`` that is negative or NaN.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor([3.0, -4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> tg.nn.utils.clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([ 1., -1.])
    """
    bound = _bound("clip_grad_value_", "clip_value", clip_value)
    owners, grads = _with_grad(parameters)
    _give(owners, [g.clip(-bound, bound) for g in grads])


def _bound(who: str, name: str, given: Any) -> float:
    bound = float(given)
    if not bound >= 0:
        raise ValueError(f"{who}: {name} must be a number of at least 0, got {bound}")
    return bound


def _rows(grads: list[Array], kind: float) -> Iterator[Array]:
    """The gradients as rows of float64: small ones together, where it does not show in the norm."""
    small = [g for g in grads if g.size <= LARGEST] if kind == 2 else []
    if small:
        yield np.concatenate(small, None, dtype=np.float64)
    for g in grads:
        if g.size > LARGEST or kind != 2:
            yield g.astype(np.float64).ravel()


def _norm(values: Array, kind: float) -> float:
    if kind == 2:  # what numpy does, without its questions
        return math.sqrt(values.dot(values))
    return float(np.linalg.norm(values, kind)) if values.size else 0.0


def _give(owners: list[Tensor], arrays: list[Array]) -> None:
    """Replace all gradients or, after an error, none."""
    nodes, made = [owner._node for owner in owners], [Tensor._wrap(a, None) for a in arrays]
    if {Leaf}.issuperset(map(type, nodes)):  # as setting ``grad`` does, of what has shape and dtype
        for node, given in zip(nodes, made, strict=True):
            node.grad = given  # type: ignore[union-attr]
        return
    before = [owner.grad for owner in owners]
    try:
        for owner, given in zip(owners, made, strict=True):
            owner.grad = given
    except BaseException:
        for owner, old in zip(owners, before, strict=True):
            owner.grad = old
        raise


def __getattr__(name: str) -> Any:
    """What PyTorch's scripts alone ask for, imported when they do."""
    from ...doors import for_scripts

    return for_scripts(__name__, name)


readable(__name__)
