"""Which losses do PyTorch's scripts use beside the engine's? As functions and as modules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..nn.loss_functions import _reduced, reduces
from ..nn.module import Module
from ..ops import elementwise as e
from ..tensors import Tensor, as_tensor
from ..tensors.arrays import promoted
from ..tensors.several import stack
from .activations import logsigmoid
from .elementwise import xlogy
from .layers import cosine_similarity
from .products import pairwise_distance


@reduces
def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """``y (log y - x)`` for x a logarithm of probabilities: how far from y (Kullback & Leibler 1951).

    "batchmean" is the sum divided by the first axis; ``log_target`` says that y is a logarithm too.

    >>> import tinygrad_rnn as tg
    >>> p = tg.tensor([[0.5, 0.5]])
    >>> tg.nn.functional.kl_div(p.log(), p, reduction="batchmean").item()
    0.0
    """
    x, y = as_tensor(input), as_tensor(target)
    each = y.exp() * (y - x) if log_target else xlogy(y, y) - y * x
    if reduction == "batchmean":
        return each.sum() / (each.shape[0] if each.ndim else 1)
    return _reduced(each, reduction)


@reduces
def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, reduction: str = "mean"
) -> Tensor:
    """``max(0, -y (a - b) + margin)``: a shall be above b where y is 1, below where it is -1."""
    a, b, y = as_tensor(input1), as_tensor(input2), as_tensor(target)
    return _reduced((-y * (a - b) + margin).relu(), reduction)


@reduces
def hinge_embedding_loss(
    input: Any, target: Any, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """x where y is 1, ``max(0, margin - x)`` where it is -1."""
    x, y = as_tensor(input), as_tensor(target)
    near = e.where(y != -1, x, 0.0)
    return _reduced(near + e.where(y != 1, (margin - x).relu(), 0.0), reduction)


@reduces
def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """``log(1 + exp(-y x))``, y of 1 and -1."""
    return _reduced(-logsigmoid(as_tensor(target) * input), reduction)


@reduces
def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, reduction: str = "mean"
) -> Tensor:
    """``1 - cos`` where y is 1, ``max(0, cos - margin)`` where it is -1."""
    y, dot = as_tensor(target), cosine_similarity(input1, input2, -1, 1e-12)
    return _reduced(e.where(y == 1, 1 - dot, (dot - margin).relu()), reduction)


@reduces
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, |a - p| - |a - n| + margin)``: a shall be nearer to p than to n."""
    near, far = (pairwise_distance(anchor, t, p, eps) for t in (positive, negative))
    if swap:
        far = e.minimum(far, pairwise_distance(positive, negative, p, eps))
    return _reduced((near - far + margin).relu(), reduction)


@reduces
def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """``sum(max(0, margin - x[y] + x[i])**p) / classes`` over the other classes i."""
    x, y = as_tensor(input), as_tensor(target)
    x = x if x.ndim == 2 else x.unsqueeze(0)
    own = y.reshape(-1, 1)
    gap = (margin - x.gather(1, own) + x).relu() ** p
    if weight is not None:
        gap = gap * as_tensor(weight)[own.reshape(-1)].unsqueeze(1)
    others = np.arange(x.shape[1]) != np.asarray(own._data)
    each = e.where(others, gap, 0.0).sum(1) / x.shape[1]
    return _reduced(each if y.ndim else each.squeeze(0), reduction)


@reduces
def multilabel_soft_margin_loss(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """The mean over classes of ``-(y log s(x) + (1 - y) log s(-x))``."""
    x, y = as_tensor(input), as_tensor(target)
    each = -(y * logsigmoid(x) + (1 - y) * logsigmoid(-x))
    return _reduced((each if weight is None else each * weight).mean(-1), reduction)


@reduces
def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """``exp(x) - y x``, or ``x - y log(x + eps)``; ``full`` adds Stirling's part where y > 1."""
    x, y = as_tensor(input), as_tensor(target)
    each = x.exp() - y * x if log_input else x - y * (x + eps).log()
    if full:
        safe = e.where(y > 1, y, 1.0)
        more = safe * safe.log() - safe + (safe * (2 * math.pi)).log() / 2
        each = each + e.where(y > 1, more, 0.0)
    return _reduced(each, reduction)


def gaussian_nll_loss(
    input: Any,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """``(log v + (x - y)**2 / v) / 2`` for a variance v, raised to ``eps`` without a slope."""
    x, y, v = promoted(input, target, var)
    if v.ndim == x.ndim - 1 and v.shape == x.shape[:-1]:
        v = v.unsqueeze(-1)
    if (v < 0).any():
        raise ValueError("gaussian_nll_loss: a variance is negative")
    v = v + (v.detach().clip(eps) - v.detach())
    each = (v.log() + (x - y).square() / v) / 2
    return _reduced(each + math.log(2 * math.pi) / 2 if full else each, reduction)


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of a text's probability, over all ways to spell it with repeats and blanks (Graves et al. 2006).

    ``log_probs`` (time, batch, classes) are logarithms of probabilities, ``targets`` (batch, longest) or
    one vector of all texts. "mean" divides each loss by its text's length first.

    >>> import tinygrad_rnn as tg
    >>> sure = tg.tensor([[[0.0, -40.0]], [[-40.0, 0.0]]])
    >>> tg.nn.functional.ctc_loss(sure, tg.tensor([[1]]), [2], [1]).item() < 1e-6
    True
    """
    p, texts = as_tensor(log_probs), np.asarray(as_tensor(targets)._data)
    steps, many = (
        np.asarray(as_tensor(n)._data).reshape(-1) for n in (input_lengths, target_lengths)
    )
    if p.ndim == 2:
        p = p.unsqueeze(1)
    if texts.ndim == 1:
        cuts = np.cumsum(many)[:-1]
        rows = np.split(texts[: int(many.sum())], cuts)
    else:
        rows = [row[:n] for row, n in zip(texts, many, strict=True)]
    if len(rows) != p.shape[1] or len(steps) != p.shape[1]:
        raise ValueError(f"ctc_loss: {len(rows)} texts for log_probs of shape {p.shape}")
    each = stack(
        [
            _spelled(p[: int(n), k], row, blank)
            for k, (n, row) in enumerate(zip(steps, rows, strict=True))
        ]
    )
    if zero_infinity:
        each = e.where(each == math.inf, 0.0, each)
    if reduction == "mean":
        return (each / as_tensor(np.maximum(many, 1)).to(each.dtype)).mean()
    return _reduced(each, reduction)


def _spelled(p: Tensor, text: Any, blank: int) -> Tensor:
    """-log of the probability of one text, by the ways to be at each place of blank, a, blank, b, ..."""
    places = np.full(2 * len(text) + 1, blank)
    places[1::2] = text
    size, far = len(places), -1e30  # a logarithm of nothing: -inf would make slopes of NaN
    skips = np.zeros(size, bool)
    skips[3::2] = places[3::2] != places[1:-2:2]
    at = p[:, places]
    begin = np.arange(size) < 2
    a = e.where(begin, at[0], far)
    for t in range(1, len(p)):
        one = _later(a, 1, far)
        two = e.where(skips, _later(a, 2, far), far)
        a = stack([a, one, two]).logsumexp(0) + at[t]
    end = a[-2:].logsumexp(0) if size > 1 else a[-1]
    return e.where(end.detach() < far / 2, math.inf, -end)


def _later(a: Tensor, by: int, far: float) -> Tensor:
    """Each element ``by`` places later."""
    rolled = a.roll(by, 0)
    return e.where(np.arange(len(a)) < by, far, rolled)


class _FunctionLoss(Module):
    """A loss function as a module, its options held by name."""

    _function: Any = None
    _options: tuple[tuple[str, Any], ...] = ()

    @reduces
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()
        names = [name for name, _ in self._options] + ["size_average", "reduce"]
        given = dict(zip(names, args, strict=False)) | options
        old = {k: given.pop(k) for k in ("size_average", "reduce") if k in given}
        if any(v is not None for v in old.values()):
            given["reduction"] = "sum" if old.get("size_average") is False else "mean"
            if old.get("reduce") is False:
                given["reduction"] = "none"
        self.reduction = given.pop("reduction", "mean")
        allowed = ("mean", "sum", "none", *(("batchmean",) if isinstance(self, KLDivLoss) else ()))
        if self.reduction not in allowed:
            raise ValueError(f"reduction must be one of {allowed}, got {self.reduction!r}")
        for name, default in self._options:
            setattr(self, name, given.pop(name, default))
        if given:
            raise TypeError(f"{type(self).__name__} has no argument {', '.join(given)}")

    def forward(self, *tensors: Any) -> Tensor:
        """What the function of this loss takes in, the loss out."""
        options = {name: getattr(self, name) for name, _ in self._options}
        made: Tensor = type(self)._function(*tensors, reduction=self.reduction, **options)
        return made


class KLDivLoss(_FunctionLoss):
    """``y (log y - x)``; see ``nn.functional.kl_div``.

    >>> import tinygrad_rnn as tg
    >>> p = tg.tensor([[0.5, 0.5]])
    >>> tg.nn.KLDivLoss(reduction="batchmean")(p.log(), p).item()
    0.0
    """

    _function = staticmethod(kl_div)

    @reduces
    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average=size_average, reduce=reduce, reduction=reduction)
        self.log_target = log_target

    def forward(self, *tensors: Any) -> Tensor:
        """Log-probabilities and probabilities in, the loss out."""
        input, target = tensors
        return kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class MarginRankingLoss(_FunctionLoss):
    """See ``nn.functional.margin_ranking_loss``."""

    _function, _options = staticmethod(margin_ranking_loss), (("margin", 0.0),)


class HingeEmbeddingLoss(_FunctionLoss):
    """See ``nn.functional.hinge_embedding_loss``."""

    _function, _options = staticmethod(hinge_embedding_loss), (("margin", 1.0),)


class SoftMarginLoss(_FunctionLoss):
    """See ``nn.functional.soft_margin_loss``."""

    _function = staticmethod(soft_margin_loss)


class CosineEmbeddingLoss(_FunctionLoss):
    """See ``nn.functional.cosine_embedding_loss``."""

    _function, _options = staticmethod(cosine_embedding_loss), (("margin", 0.0),)


class TripletMarginLoss(_FunctionLoss):
    """See ``nn.functional.triplet_margin_loss``."""

    _function = staticmethod(triplet_margin_loss)
    _options = (("margin", 1.0), ("p", 2.0), ("eps", 1e-6), ("swap", False))


class MultiMarginLoss(_FunctionLoss):
    """See ``nn.functional.multi_margin_loss``."""

    _function = staticmethod(multi_margin_loss)
    _options = (("p", 1), ("margin", 1.0), ("weight", None))


class MultiLabelSoftMarginLoss(_FunctionLoss):
    """See ``nn.functional.multilabel_soft_margin_loss``."""

    _function, _options = staticmethod(multilabel_soft_margin_loss), (("weight", None),)


class PoissonNLLLoss(_FunctionLoss):
    """See ``nn.functional.poisson_nll_loss``."""

    _function = staticmethod(poisson_nll_loss)
    _options = (("log_input", True), ("full", False), ("eps", 1e-8))


class GaussianNLLLoss(_FunctionLoss):
    """See ``nn.functional.gaussian_nll_loss``."""

    _function = staticmethod(gaussian_nll_loss)
    _options = (("full", False), ("eps", 1e-6))


class CTCLoss(_FunctionLoss):
    """See ``nn.functional.ctc_loss``."""

    _function = staticmethod(ctc_loss)

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, *tensors: Any) -> Tensor:
        """Log-probabilities, texts and both lengths in, the loss out."""
        log_probs, targets, times, sizes = tensors
        options = (self.blank, self.reduction, self.zero_infinity)
        return ctc_loss(log_probs, targets, times, sizes, *options)


class PairwiseDistance(Module):
    """See ``nn.functional.pairwise_distance``."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.p, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Any, x2: Any) -> Tensor:
        """Two tensors in, the distances out."""
        return pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)
