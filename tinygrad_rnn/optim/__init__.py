"""What turns gradients into new values? Optimizers, in PyTorch's names and updates."""

from typing import Any

from ..doors import for_scripts, public_names
from ..engine.signatures import readable
from . import lr_scheduler
from .lbfgs import LBFGS
from .optimizers import SGD, Adam, AdamW, Optimizer, RMSprop


def __getattr__(name: str) -> Any:
    """What PyTorch's scripts alone ask for, imported when they do."""
    return for_scripts(__name__, name)


__all__ = ["LBFGS", "SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]


def __dir__() -> list[str]:
    """The public names and nothing else, for an editor's list."""
    return public_names(__name__, __all__)


readable(__name__)
