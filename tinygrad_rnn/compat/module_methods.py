"""What do PyTorch's scripts ask of a module beyond what modules here are asked for?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..nn.module import Module, Parameter
from ..tensors import Tensor


def get_submodule(module: Module, target: str) -> Module:
    """The module below this one with a dotted name. Raises AttributeError where there is none.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Sequential(tg.nn.Tanh()).get_submodule("0")
    Tanh()
    """
    found = dict(module.named_modules()).get(target)
    if found is None:
        raise AttributeError(f"{type(module).__name__} has no module {target!r}")
    return found


def get_parameter(module: Module, target: str) -> Parameter:
    """The Parameter with a dotted name. Raises AttributeError where there is none."""
    found = dict(module.named_parameters()).get(target)
    if found is None:
        raise AttributeError(f"{type(module).__name__} has no Parameter {target!r}")
    return found


def get_buffer(module: Module, target: str) -> Tensor:
    """The buffer with a dotted name. Raises AttributeError where there is none."""
    found = dict(module.named_buffers()).get(target)
    if found is None:
        raise AttributeError(f"{type(module).__name__} has no buffer {target!r}")
    return found


def buffers(module: Module) -> Iterator[Tensor]:
    """Every buffer, each once."""
    return (buffer for _, buffer in module.named_buffers())


def share_memory(module: Module) -> Module:
    """Itself: processes do not share tensors here."""
    return module


def all_weights(layer: Module) -> list[list[Parameter]]:
    """The Parameters of a recurrent layer, a list a layer and direction."""
    return [[getattr(layer, name) for name in names] for names in _all_weights(layer)]


def _all_weights(layer: Module) -> list[list[str]]:
    """Their names."""
    grouped: dict[str, list[str]] = {}
    for name, _ in layer.named_parameters():
        grouped.setdefault(name[name.index("_l") :], []).append(name)
    return list(grouped.values())


def _flat_weights(layer: Module) -> list[Parameter]:
    """The Parameters of a recurrent layer, one after the other."""
    return [p for group in all_weights(layer) for p in group]


OF_ALL = ("get_submodule", "get_parameter", "get_buffer", "buffers", "share_memory")
OF_RECURRENT = ("all_weights", "_all_weights", "_flat_weights")


def asked(module: Module, name: str) -> Any:
    """A method bound to a module, or what a recurrent layer is asked for; raises AttributeError."""
    if name in OF_RECURRENT and hasattr(type(module), "flatten_parameters"):
        return globals()[name](module)
    if name not in OF_ALL:
        raise AttributeError(f"{type(module).__name__} has no attribute {name!r}")
    function = globals()[name]
    return lambda *args: function(module, *args)
