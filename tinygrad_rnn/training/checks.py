"""What is ``fit`` given, and is it of the right kind? Words for what is not, with what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizers import Optimizer
from ..tensors import Tensor
from .history import History

Callback = Callable[[History], Any]
LOSSES = {  # a part of a name that a loss has elsewhere
    "binary": "BCEWithLogitsLoss",
    "bce": "BCEWithLogitsLoss",
    "cross": "CrossEntropyLoss",
    "nll": "NLLLoss",
    "mae": "L1Loss",
    "l1": "L1Loss",
    "absolute": "L1Loss",
    "huber": "HuberLoss",
}


def check_kinds(model: Any, loss: Any, optimizer: Any, scheduler: Any) -> None:
    """Raise TypeError for what is no model, loss, optimizer or schedule, with what to write instead."""
    if not isinstance(model, Module):
        raise TypeError(f"fit: model must be a Module that is made, not {shown(model)}")
    if isinstance(loss, type) or not callable(loss):
        made = (
            f"make it: {loss.__name__}()" if isinstance(loss, type) else f"{_loss_for(loss)}, say"
        )
        raise TypeError(
            f"fit: loss must be a function of (prediction, y), not {shown(loss)}: {made}"
        )
    try:
        inspect.signature(loss).bind(None, None)
    except TypeError as error:
        raise TypeError(f"fit: loss must be a function of (prediction, y): {error}") from None
    except ValueError:  # a function without a signature
        pass
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"fit: optimizer must be one that is made, optim.Adam(model.parameters()), "
            f"not {shown(optimizer)}"
        )
    if scheduler is None:
        return
    if not isinstance(scheduler, LRScheduler):
        raise TypeError(
            "fit: scheduler must be one that is made, optim.lr_scheduler.StepLR(optimizer, 10), "
            f"not {shown(scheduler)}"
        )
    if scheduler.optimizer is not optimizer:
        raise ValueError(
            "fit: the scheduler was made of another optimizer, so that no rate of this one would change: "
            "make it of the optimizer that fit is given"
        )


def _loss_for(loss: Any) -> str:
    """What a loss that was named is here."""
    said = loss.lower() if isinstance(loss, str) else ""
    return f"nn.{next((kind for part, kind in LOSSES.items() if part in said), 'MSELoss')}()"


def check_data(data: Any, validation: Any) -> None:
    """Raise TypeError for what holds no batches."""
    for name, batches in (("data", data), ("validation", validation)):
        if batches is None and name == "validation":
            continue
        many = hasattr(batches, "__iter__") or hasattr(batches, "__getitem__")
        series = any(hasattr(batches, name) for name in ("iloc", "frequency", "to_numpy"))
        if not many or series or isinstance(batches, (str, bytes, dict)):
            cut = ": tg.data.windows(series, window=...) cuts a series into examples"
            raise TypeError(
                f"fit: {name} must be a DataLoader, a list of batches (x, y) or one such tuple, "
                f"not {shown(batches)}{cut if series else ''}"
            )


def check_numbers(epochs: Any, patience: Any, clip: Any) -> None:
    """Raise TypeError or ValueError for what is no number of epochs, or no norm."""
    for name, value in (("epochs", epochs), ("patience", patience)):
        if value is None and name == "patience":
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"fit: {name} must be a whole number, not {value!r}")
        if value < 0:
            raise ValueError(f"fit: {name} must not be negative, got {value}")
    if clip is None:
        return
    if isinstance(clip, (bool, str)) or not isinstance(clip, (int, float, np.number)):
        raise TypeError(f"fit: clip is the largest norm of the gradients, a number, not {clip!r}")
    if not clip > 0:
        raise ValueError(f"fit: clip must be above 0, so that something is trained, got {clip}")


def listed(callbacks: Any) -> list[Callback]:
    """Callbacks as a list. Raises TypeError for what cannot be called."""
    found = list(callbacks) if hasattr(callbacks, "__iter__") else [callbacks]
    for one in found:
        if not callable(one):
            raise TypeError(
                f"fit: a callback is called with the History, and {one!r} cannot be called"
            )
    return found


def number(loss: Any) -> Tensor:
    """What a loss gave. Raises TypeError where it is not one number that gradients come from."""
    if not isinstance(loss, Tensor):
        raise TypeError(
            f"fit: the loss must give one number as a Tensor, and gave {shown(loss)}: compute it of the "
            "prediction with tensors, without float(), item() or numpy()"
        )
    if loss.numel() != 1:
        raise TypeError(
            f"fit: the loss must give one number, and gave a Tensor of shape {loss.shape}: take its mean()"
        )
    return loss


def shown(value: Any) -> str:
    """A value that came where another kind was expected, for an error."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return repr(value) if isinstance(value, str) else f"a {type(value).__name__}"


def check_trained(model: Module, optimizer: Optimizer) -> None:
    """Raise ValueError where no step of the optimizer would change the model."""
    own = {id(p) for p in model.parameters()}
    listed = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if own and not own & listed:
        raise ValueError(
            f"fit: the optimizer has none of the model's Parameters, so that nothing of the "
            f"{type(model).__name__} would be trained: make it of model.parameters()"
        )
