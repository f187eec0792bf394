"""How far is a forecast off? Losses as functions: PyTorch's names, re-exported by ``nn.functional``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from ..engine.places import state
from ..ops import curves, reductions
from ..ops import elementwise as e
from ..ops.watching import index_known
from ..tensors import Tensor, as_tensor
from ..tensors.functions import log_softmax
from ..tensors.several import where

F = TypeVar("F", bound=Callable[..., Any])


def reduces(loss: F) -> F:
    """A loss that takes PyTorch's old words for ``reduction``, ``size_average`` and ``reduce``, too."""

    code = loss.__code__
    names = code.co_varnames[: code.co_argcount]
    at = names.index("reduction") if "reduction" in names else len(names)
    # PyTorch's order: True, False or None there can be nothing else
    ignores = "ignore_index" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    middle = ("ignore_index",) if ignores else ()
    old = (
        "size_average",
        *middle,
        "reduce",
        "reduction",
        *(("label_smoothing",) if ignores else names[at + 1 :]),
    )

    @wraps(loss)
    def call(*args: Any, **options: Any) -> Any:
        if len(args) > at and (args[at] is None or isinstance(args[at], bool)):
            options = dict(zip(old, args[at:], strict=False)) | options
            args = args[:at]
        if "size_average" in options or "reduce" in options:
            mean, reduce = options.pop("size_average", None), options.pop("reduce", None)
            if mean is not None or reduce is not None:
                options["reduction"] = _in_new_words(mean, reduce)
        return loss(*args, **options)

    return cast(F, call)


def looks_at_values(loss: F) -> F:
    """A loss whose Python depends on values: who traces an iteration calls it again at every one."""

    @wraps(loss)
    def call(*args: Any, **options: Any) -> Any:
        again = None if state.tracer is None else state.tracer.called
        return loss(*args, **options) if again is None else again(loss, args, options)

    return cast(F, call)


def _in_new_words(size_average: Any, reduce: Any) -> str:
    if reduce is not None and not reduce:
        return "none"
    return "mean" if size_average is None or size_average else "sum"


def _pair(who: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Prediction and target of one shape: losses never broadcast."""
    x = as_tensor(input)
    y = as_tensor(target)
    if x.shape != y.shape:
        raise ValueError(
            f"{who}: input has shape {x.shape} and target {y.shape}; they must be equal, since "
            "broadcasting would compare every value with every other"
        )
    return x, y.to(x.dtype)


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


@reduces
def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """``(x - y)**2``, reduced. Raises ValueError where the shapes differ.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.mse_loss(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0])).item()
    2.0
    """
    x, y = _pair("mse_loss", input, target)
    return _reduced((x - y).square(), reduction)


@reduces
def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """``|x - y|``, reduced. Raises ValueError where the shapes differ.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.l1_loss(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0])).item()
    1.0
    """
    x, y = _pair("l1_loss", input, target)
    return _reduced((x - y).abs(), reduction)


@reduces
def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """``d**2 / (2 beta)`` where d = |x - y| < beta, ``d - beta / 2`` elsewhere, reduced.

    Raises ValueError where the shapes differ or beta is negative.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.smooth_l1_loss(tg.zeros(2), tg.tensor([1.0, 3.0]), "none").tolist()
    [0.5, 2.5]
    """
    x, y = _pair("smooth_l1_loss", input, target)
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    d = (x - y).abs()
    if not beta:
        return _reduced(d, reduction)
    far = d >= beta  # a NaN is not, so that its slope is NaN too
    bent = where(far, 0.0, d).square() * (0.5 / beta)
    return _reduced(where(far, d - 0.5 * beta, bent), reduction)


@reduces
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """``d**2 / 2`` where d = |x - y| < delta, ``delta (d - delta / 2)`` elsewhere, reduced (Huber 1964).

    Raises ValueError where the shapes differ or delta is not positive.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.huber_loss(tg.zeros(2), tg.tensor([1.0, 3.0]), "none", 2.0).tolist()
    [0.5, 4.0]
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    if delta == np.inf:  # all of it is the parabola
        return mse_loss(input, target, reduction) * 0.5
    return smooth_l1_loss(input, target, reduction, delta) * delta


@looks_at_values
@reduces
def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean"
) -> Tensor:
    """``-w (y log p + (1 - y) log(1 - p))`` of probabilities p, reduced; a log is at least -100.

    The slope is ``w (p - y) / max(p (1 - p), 1e-12)``, so that a probability that is exactly wrong is
    pulled back, by 1e12 (PyTorch's rule; the slope along y is that of the floored logs).
    ``binary_cross_entropy_with_logits`` is exact where this rounds. Raises ValueError where the shapes
    do not fit or p is outside 0 to 1.

    >>> import tinygrad_rnn as tg
    >>> p = tg.tensor([1.0, 0.0], requires_grad=True)
    >>> loss = tg.nn.functional.binary_cross_entropy(p, tg.tensor([1.0, 1.0]))
    >>> loss.backward()
    >>> loss.item(), f"{p.grad[1].item():.0e}"
    (50.0, '-5e+11')
    """
    p, y = _pair("binary_cross_entropy", input, target)
    if p._data.size and not (p._data.min() >= 0 and p._data.max() <= 1):
        raise ValueError("binary_cross_entropy: input must hold probabilities, 0 to 1")
    steepest = min(1e12, float(np.finfo(p.dtype).max))  # PyTorch's choice, and what float16 holds
    edge = p * (1 - p) < 1 / steepest
    inner = where(edge, 0.5, p)
    loss = where(edge, _at_the_edge(p, y, steepest), -(y * inner.log() + (1 - y) * e.log1p(-inner)))
    if weight is not None:
        loss = loss * _factor("binary_cross_entropy", "weight", weight, p)
    return _reduced(loss, reduction)


def _at_the_edge(p: Tensor, y: Tensor, steepest: float) -> Tensor:
    """``binary_cross_entropy`` where p is almost 0 or 1: its value, and the slope (p - y) steepest.

    The value does not lead to that slope, since it is floored: so ``d = p - p``, a zero that has one.
    """
    held = p.detach()
    d = p - held
    value = -(y * _floored_log(held) + (1 - y) * _floored_log(1 - held))
    return value + (d * (held - y) + d * d * 0.5) * steepest


def _floored_log(p: Tensor) -> Tensor:
    """log p of constants, but at least -100."""
    return where(p < np.exp(-100.0), -100.0, where(p > 0, p, 1.0).log())


@reduces
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """``w (p y log(1 + exp(-x)) + (1 - y) log(1 + exp(x)))``: x are logits, y in 0 to 1.

    ``weight`` w and ``pos_weight`` p, 1 unless given, broadcast to x; p > 1 makes positives count
    more. Raises ValueError where the shapes do not fit.

    >>> import tinygrad_rnn as tg
    >>> loss = tg.nn.functional.binary_cross_entropy_with_logits(tg.zeros(2), tg.ones(2))
    >>> round(loss.item(), 4)
    0.6931
    """
    who = "binary_cross_entropy_with_logits"
    x, y = _pair(who, input, target)
    if pos_weight is None:
        loss = curves.softplus(x) - x * y
    else:
        loss = (1 - y) * curves.softplus(x) + y * curves.softplus(-x) * _factor(
            who, "pos_weight", pos_weight, x
        )
    return _reduced(loss if weight is None else loss * _factor(who, "weight", weight, x), reduction)


@looks_at_values
@reduces
def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """``-w[y] x[y]``: log-probabilities (batch, classes, ...) and classes y (batch, ...), reduced.

    ``weight`` w (classes,) is 1 unless given. A target that is ``ignore_index`` counts nothing; the
    mean is over the others, ``sum(-w[y] x[y]) / sum(w[y])``. Raises ValueError where the shapes do not
    fit or a mean is left without any target, IndexError for a class out of range.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.nll_loss(tg.tensor([[-1.0, -2.0]]), tg.tensor([1])).item()
    2.0
    """
    return _class_loss(
        "nll_loss", as_tensor(input), as_tensor(target), weight, ignore_index, reduction, 0.0
    )


@looks_at_values
@reduces
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """``-w[y] log softmax(x)[y]``: logits (batch, classes, ...) and classes y (batch, ...), reduced.

    A floating target of the logits' shape is a distribution q over the classes, and the loss
    ``-sum(w q log softmax(x))``. ``label_smoothing`` s mixes the target with the uniform distribution,
    ``(1 - s) q + s / classes`` (Szegedy et al. 2016). ``weight``, ``ignore_index`` (of classes alone)
    and the mean are those of ``nll_loss``, and so is what is raised; the mean over distributions
    divides by their number.

    >>> import tinygrad_rnn as tg
    >>> loss = tg.nn.functional.cross_entropy(tg.zeros(1, 2), tg.tensor([0]))
    >>> round(loss.item(), 4)
    0.6931
    """
    x, y = as_tensor(input), as_tensor(target)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
    axis = 1 if x.ndim > 1 else 0
    if not y.is_floating_point():
        plain = weight is None and not label_smoothing and bool(x.ndim)
        logits = x if plain else log_softmax(x, axis)
        return _class_loss(
            "cross_entropy", logits, y, weight, ignore_index, reduction, label_smoothing, plain
        )
    if ignore_index >= 0:
        raise ValueError("cross_entropy: ignore_index needs classes, and target is a distribution")
    if y.shape != x.shape:
        raise ValueError(
            f"cross_entropy: input has shape {x.shape} and a target of floats, a distribution over "
            f"the classes, {y.shape}; they must be equal. Classes are integers, target.long(), of shape "
            f"{x.shape[:axis] + x.shape[axis + 1 :]}"
        )
    _, y = _pair("cross_entropy", x, y)
    logs = log_softmax(x, axis)
    if label_smoothing:
        y = y * (1 - label_smoothing) + label_smoothing / x.shape[axis]
    if weight is not None:
        y = y * _class_weights("cross_entropy", weight, x, axis)
    return _reduced(-(logs * y).sum(axis), reduction)


def _class_loss(
    who: str,
    logs: Tensor,
    y: Tensor,
    weight: Any,
    ignore_index: int,
    reduction: str,
    smoothing: float,
    of_logits: bool = False,
) -> Tensor:
    """``nll_loss``, its target mixed with the uniform distribution; ``logs`` may be logits still."""
    if y.dtype.kind not in "iu":
        raise TypeError(f"{who}: target holds classes as integers, not {y.dtype}")
    axis, shape = 1 if logs.ndim > 1 else 0, logs._data.shape
    wanted = shape[:axis] + shape[axis + 1 :]
    if not shape or wanted != y._data.shape:
        raise ValueError(
            f"{who}: input has shape {logs.shape} = (batch, classes, ...), "
            f"so target must have {wanted}, and has {y.shape}{_turned(shape, y.shape)}"
        )
    kept = _kept(who, y._data, shape[axis], ignore_index)
    if state.tracer is not None and state.tracer.takes(y, y._data):  # others when the trace runs
        logs = log_softmax(logs, axis) if of_logits else logs
        return _class_loss_of_any(who, logs, y, weight, ignore_index, reduction, smoothing, axis)
    classes = y._data if kept is None else np.where(kept, y._data, 0)
    if of_logits:
        loss = reductions.cross_entropy(logs, axis, index_known(y, classes))
        if kept is None:
            return _reduced(loss, reduction)
    at = Tensor._made(classes)
    if not of_logits:
        loss = -logs.gather(axis, at.unsqueeze(axis)).squeeze(axis)
    if kept is None:
        if weight is None and not smoothing:
            return _reduced(loss, reduction)
        kept = np.ones(y.shape, bool)
    counts = Tensor._made(kept, logs.dtype)
    loss, counts = _weighed(who, loss, logs, at, counts, weight, smoothing, axis)
    if not kept.all():
        loss = where(kept, loss, 0.0)
    elif weight is None:
        return _reduced(loss, reduction)
    if reduction != "mean":
        return _reduced(loss, reduction)
    total = counts.sum()
    if not total.item():
        raise ValueError(f"{who}: no target is left to take the mean of, or none with a weight")
    return loss.sum() / total


def _turned(shape: tuple[int, ...], given: tuple[int, ...]) -> str:
    """What to do where the classes come last, or a target has an axis too many."""
    if len(shape) > 2 and given == shape[:-1]:
        return ": with the classes last, flatten both, input.flatten(0, -2) and target.flatten()"
    return ": target.squeeze(-1)" if given == (*shape[:1], 1) and len(shape) == 2 else ""


def _weighed(
    who: str,
    loss: Tensor,
    logs: Tensor,
    at: Tensor,
    counts: Tensor,
    weight: Any,
    smoothing: float,
    axis: int,
) -> tuple[Tensor, Tensor]:
    """Losses with their classes' weights and a share of all classes, and what each target counts."""
    spread = logs
    if weight is not None:
        w = _class_weights(who, weight, logs, axis)
        counts, spread = w.flatten()[at] * counts, logs * w
        loss = loss * counts
    if smoothing:
        loss = (1 - smoothing) * loss - (smoothing / logs.shape[axis]) * spread.sum(axis)
    return loss, counts


def _class_loss_of_any(
    who: str,
    logs: Tensor,
    y: Tensor,
    weight: Any,
    ignore_index: int,
    reduction: str,
    smoothing: float,
    axis: int,
) -> Tensor:
    """The same in operations on tensors alone, whichever of the classes are left out."""
    kept = y != ignore_index
    at = where(kept, y, 0)
    loss = -logs.gather(axis, at.unsqueeze(axis)).squeeze(axis)
    counts = kept.to(logs.dtype)
    loss, counts = _weighed(who, loss, logs, at, counts, weight, smoothing, axis)
    loss = where(kept, loss, 0.0)
    if reduction != "mean":
        return _reduced(loss, reduction)
    return loss.sum() / counts.sum()


def _kept(who: str, y: Any, classes: int, ignored: int) -> Any:
    """Which targets count, None for all of them. Raises IndexError for a class that is not there."""
    if not y.size:
        return None
    least, most = y.item(y.argmin()), y.item(y.argmax())  # sooner than a reduction
    if least >= 0 and most < classes and not least <= ignored <= most:
        return None
    kept = y != ignored
    found = y[kept]
    if found.size and not (found.min() >= 0 and found.max() < classes):
        raise IndexError(f"{who}: a target class is outside 0 ... {classes - 1}")
    return kept


def _class_weights(who: str, weight: Any, x: Tensor, axis: int) -> Tensor:
    """One weight a class, in the shape that multiplies logits."""
    w, classes = as_tensor(weight), x.shape[axis]
    if w.shape != (classes,):
        raise ValueError(f"{who}: weight has shape {w.shape}, expected ({classes},), one a class")
    return w.to(x.dtype).reshape((classes,) + (1,) * (x.ndim - axis - 1))


def _factor(who: str, name: str, given: Any, x: Tensor) -> Tensor:
    """A weight of elements, which must broadcast to the input's shape."""
    w = as_tensor(given)
    sides = zip(reversed(w.shape), reversed(x.shape), strict=False)
    if w.ndim > x.ndim or any(a not in (1, b) for a, b in sides):
        raise ValueError(f"{who}: {name} has shape {w.shape}, which does not stretch to {x.shape}")
    return w.to(x.dtype)
