"""Are a layer's sizes, flags and rates what they may be? Errors that name what came."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_sizes(who: str, **sizes: Any) -> None:
    """Raise where a size is no integer (TypeError) or below 1 (ValueError)."""
    for name, value in sizes.items():
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            raise TypeError(f"{who}: {name} must be an integer of at least 1, got {value!r}")
        if value < 1:
            raise ValueError(f"{who}: {name} must be at least 1, got {value!r}")


def check_flags(who: str, **flags: Any) -> None:
    """Raise TypeError where a flag is neither True nor False."""
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{who}: {name} must be True or False, got {value!r}")


def check_rate(who: str, dropout: Any) -> None:
    """Raise where a dropout rate is no number (TypeError) or not between 0 and 1 (ValueError)."""
    if not isinstance(dropout, (int, float, np.number)) or isinstance(dropout, bool):
        raise TypeError(f"{who}: dropout must be a number between 0 and 1, got {dropout!r}")
    if not 0 <= dropout <= 1:
        raise ValueError(f"{who}: dropout must be between 0 and 1, got {dropout}")


def check_projection(who: str, proj_size: Any, hidden_size: int) -> None:
    """Raise where a projection's size is no integer (TypeError) or not below the state's (ValueError)."""
    words = f"{who}: proj_size must be 0 (none) to hidden_size - 1, got {proj_size!r}"
    if not isinstance(proj_size, (int, np.integer)) or isinstance(proj_size, bool):
        raise TypeError(words)
    if not 0 <= proj_size < hidden_size:
        raise ValueError(words)
