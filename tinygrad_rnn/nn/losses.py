"""Which losses are modules? Those of ``loss_functions``, with their options held."""

from __future__ import annotations

from typing import Any

from ..tensors import Tensor, as_tensor
from . import functional as f
from .loss_functions import reduces
from .module import TensorModule


class _Loss(TensorModule):
    """A loss of an input and a target, reduced by "mean", "sum" or "none"."""

    @reduces
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
        self.reduction = reduction


class MSELoss(_Loss):
    """``mean((x - y)**2)``; see ``nn.functional.mse_loss``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.MSELoss()(tg.zeros(2), tg.ones(2)).item()
    1.0
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two tensors of one shape in, the loss out."""
        return f.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """``mean(|x - y|)``; see ``nn.functional.l1_loss``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.L1Loss()(tg.zeros(2), tg.ones(2)).item()
    1.0
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two tensors of one shape in, the loss out."""
        return f.l1_loss(input, target, self.reduction)


class _ClassLoss(_Loss):
    """A loss of classes, each with a weight, one of them perhaps ignored."""

    weight: Tensor | None

    @reduces
    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", None if weight is None else as_tensor(weight))
        self.ignore_index = ignore_index


class CrossEntropyLoss(_ClassLoss):
    """``-w[y] log softmax(x)[y]``; see ``nn.functional.cross_entropy``.

    >>> import tinygrad_rnn as tg
    >>> round(tg.nn.CrossEntropyLoss()(tg.zeros(1, 2), tg.tensor([0])).item(), 4)
    0.6931
    """

    @reduces
    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Tensor:
        """Logits and classes in, the loss out."""
        return f.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_ClassLoss):
    """``-w[y] x[y]``; see ``nn.functional.nll_loss``.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.NLLLoss()(tg.tensor([[-1.0, -2.0]]), tg.tensor([0])).item()
    1.0
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """Log-probabilities and classes in, the loss out."""
        return f.nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class BCEWithLogitsLoss(_Loss):
    """``log(1 + exp(x)) - x y``; see ``nn.functional.binary_cross_entropy_with_logits``.

    >>> import tinygrad_rnn as tg
    >>> round(tg.nn.BCEWithLogitsLoss()(tg.zeros(1), tg.ones(1)).item(), 4)
    0.6931
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    @reduces
    def __init__(
        self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
    ) -> None:
        super().__init__(reduction)
        for name, value in (("weight", weight), ("pos_weight", pos_weight)):
            self.register_buffer(name, None if value is None else as_tensor(value))

    def forward(self, input: Any, target: Any) -> Tensor:
        """Logits and targets of one shape in, the loss out."""
        return f.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class BCELoss(_Loss):
    """``-(y log p + (1 - y) log(1 - p))`` of probabilities; see ``nn.functional.binary_cross_entropy``.

    >>> import tinygrad_rnn as tg
    >>> round(tg.nn.BCELoss()(tg.tensor([0.5]), tg.ones(1)).item(), 4)
    0.6931
    """

    weight: Tensor | None

    @reduces
    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", None if weight is None else as_tensor(weight))

    def forward(self, input: Any, target: Any) -> Tensor:
        """Probabilities and targets of one shape in, the loss out."""
        return f.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """``d**2 / (2 beta)`` where d = |x - y| < beta, ``d - beta / 2`` elsewhere.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.SmoothL1Loss()(tg.zeros(1), tg.tensor([3.0])).item()
    2.5
    """

    @reduces
    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two tensors of one shape in, the loss out."""
        return f.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(_Loss):
    """``d**2 / 2`` where d = |x - y| < delta, ``delta (d - delta / 2)`` elsewhere (Huber 1964).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.HuberLoss()(tg.zeros(1), tg.tensor([3.0])).item()
    2.5
    """

    @reduces
    def __init__(self, *, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two tensors of one shape in, the loss out."""
        return f.huber_loss(input, target, self.reduction, self.delta)
