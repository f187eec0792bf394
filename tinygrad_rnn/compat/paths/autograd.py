"""What is in PyTorch's ``autograd``? Derivatives, recording on and off, functions with rules of your own."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.doors import for_scripts
from tinygrad_rnn.engine.gradients import grad
from tinygrad_rnn.engine.signatures import readable
from tinygrad_rnn.engine.switches import enable_grad, is_grad_enabled, no_grad

__all__ = ["enable_grad", "grad", "is_grad_enabled", "no_grad"]


def __getattr__(name: str) -> Any:
    """What PyTorch's scripts alone ask for, imported when they do."""
    return for_scripts(__name__, name)


readable(__name__)
