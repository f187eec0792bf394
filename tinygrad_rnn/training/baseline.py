"""Which loss is to beat? What one constant forecast for every example reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..optim.lbfgs import LBFGS
from ..tensors import Tensor

Seen = list[tuple[tuple[int, ...], Tensor]]


def constant_loss(loss: Callable[[Any, Any], Tensor], fitted: Seen, judged: Seen) -> float | None:
    """The loss on ``judged`` of the constant that is best on ``fitted``; None where targets do not tell.

    Both are pairs (shape of the prediction, target). The constant is the value of each feature, for
    squared error their means; or the logit of each class, for cross entropy the logarithms of their
    shares. It is sought by L-BFGS from there, so that it is the best for any other loss as well.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.training.baseline import constant_loss
    >>> seen = [((4, 1), tg.tensor([[1.0], [1.0], [3.0], [3.0]]))]
    >>> constant_loss(tg.nn.functional.mse_loss, seen, seen)
    1.0
    """
    kind = _kind(*fitted[0])
    if kind is None or any(_kind(*pair) != kind for pair in (*fitted, *judged)):
        return None
    constant = Tensor._made(_start(*kind, fitted), np.float64, requires_grad=True)

    def mean_loss(seen: Seen, learn: bool) -> Tensor:
        count, total = sum(y.numel() for _, y in seen), 0.0
        for shape, y in seen:
            part = loss(_spread(constant, shape, y), y) * (y.numel() / count)
            total += part.item()
            if learn:
                part.backward()
        return Tensor._made(total, np.float64)

    search = LBFGS([constant], max_iter=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        return mean_loss(fitted, learn=True)

    search.step(closure)
    return float(mean_loss(judged, learn=False))


def _kind(shape: tuple[int, ...], y: Tensor) -> tuple[str, int] | None:
    """What a target is to a prediction: ("values", features), ("classes", how many), or None.

    Of values, targets may have fewer steps than the prediction, of which a loss takes the last, and each
    feature several predictions, as quantiles are.
    """
    if shape and shape == y.shape:
        return "values", shape[-1] if len(shape) > 1 else 1
    if len(shape) == y.ndim > 1 and y.dtype.kind == "f" and shape[0] == y.shape[0]:
        fewer = all(n >= m for n, m in zip(shape, y.shape, strict=True))
        if fewer and y.shape[-1] and shape[-1] % y.shape[-1] == 0:
            return "values", shape[-1]
    if len(shape) > 1 and shape[:1] + shape[2:] == y.shape and y.dtype.kind in "iu":
        return "classes", shape[1]
    return None


def _start(what: str, count: int, seen: Seen) -> Any:
    """The means of the features, or the logarithms of the classes' shares."""
    if what == "values":
        features = seen[0][1].shape[-1] if seen[0][1].ndim > 1 else 1
        means = np.concatenate([y._data.reshape(-1, features) for _, y in seen]).mean(0, np.float64)
        return np.tile(means, count // features)
    classes = np.concatenate([y._data.ravel() for _, y in seen])
    shares = np.bincount(classes[(classes >= 0) & (classes < count)], minlength=count)
    return np.log(np.maximum(shares / max(shares.sum(), 1), 1e-9))


def _spread(constant: Tensor, shape: tuple[int, ...], y: Tensor) -> Tensor:
    """The constant as a prediction of a shape."""
    if len(shape) == y.ndim:
        return constant.expand(shape)
    return constant.reshape((-1,) + (1,) * (len(shape) - 2)).expand(shape)
