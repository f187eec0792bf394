"""Which loss says what about which step? The gradient over time, taken apart a second time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..engine.autograd import flow
from ..engine.gradients import root_and_seed
from ..engine.values import Array
from .ledger import Ledger

if TYPE_CHECKING:
    from ..tensors import Tensor


def credit(losses: Sequence[Tensor], parameter: Tensor) -> Array:
    """Norms of the gradient that each loss sends to each step's use of a Parameter, (losses, T), float64.

    Entry (k, t) is |dL_k / dW_t|, the Euclidean norm of what the use of W at step t adds to the gradient
    of loss k (of all uses at that step, if there are several); 0 where loss k cannot have been
    influenced, as for steps after it. T is the last step of a use, plus 1. No ``grad`` is changed. One
    backward pass a loss.

    Raises KeyError where no loss depends on a use of ``parameter`` at a step.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor(0.5, requires_grad=True)
    >>> x, losses = tg.tensor(1.0), []
    >>> for _ in tg.steps(range(3)):
    ...     x = w * x
    ...     losses.append(x)
    >>> tg.credit(losses, w)
    array([[1.  , 0.  , 0.  ],
           [0.5 , 0.5 , 0.  ],
           [0.25, 0.25, 0.25]])
    """
    rows = [_by_step(loss, parameter) for loss in losses]
    steps = [t for row in rows for t in row]
    if not steps:
        raise KeyError(
            f"credit: none of the {len(rows)} losses depends on a use of that Parameter of shape "
            f"{parameter.shape} at a time step"
        )
    matrix = np.zeros((len(rows), max(steps) + 1))
    for k, row in enumerate(rows):
        for t, norm in row.items():
            matrix[k, t] = norm
    return matrix


def _by_step(loss: Tensor, parameter: Tensor) -> dict[int, float]:
    """The norm of the gradient that one loss sends to each step's uses."""
    book = Ledger()
    flow([root_and_seed(loss)], observer=book.note, hearing=book)
    if parameter not in book:
        return {}
    steps, norms = book.steps(parameter), book.norms(parameter)
    if len(set(steps)) == len(steps):
        return {t: float(n) for t, n in zip(steps, norms, strict=True) if t is not None}
    sums: dict[int, Array] = {}
    for t, part in zip(steps, book[parameter].astype(np.float64), strict=True):
        if t is not None:
            sums[t] = sums[t] + part if t in sums else part
    return {t: float(np.linalg.norm(part)) for t, part in sums.items()}
