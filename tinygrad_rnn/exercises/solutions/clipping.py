"""Clipping: gradients whose common norm is too large are made shorter, all by the same factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def clip_by_norm(grads: list[Array], max_norm: float) -> tuple[list[Array], float]:
    """Scale all gradients by one factor, so that their common norm is at most ``max_norm``.

    The norm is the square root of the sum of the squares of all entries of all arrays. Gradients whose
    norm is at most ``max_norm``, zeros among them, stay as they are. Return the list of new arrays (the
    given ones are left alone) and the norm before clipping.
    """
    squares = [(g * g).sum() for g in grads]
    norm = np.sqrt(sum(squares))
    scale = max_norm / max(norm, max_norm)
    clipped = [g * scale for g in grads]
    return clipped, norm
