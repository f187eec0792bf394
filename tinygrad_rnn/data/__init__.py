"""Real series that ship with the package, tasks that are generated, and the baselines to beat on them."""

from .forecast import Autoregression, Errors, fit_autoregression, forecast_errors
from .generated import Batch, adding, copying_memory, temporal_order
from .grammars import (
    REBER,
    counting_string,
    embedded_reber,
    legal_continuations,
    one_hot,
    symbol_numbers,
)
from .series import Series, sunspots

__all__ = [
    "REBER",
    "Autoregression",
    "Batch",
    "Errors",
    "Series",
    "adding",
    "copying_memory",
    "counting_string",
    "embedded_reber",
    "fit_autoregression",
    "forecast_errors",
    "legal_continuations",
    "one_hot",
    "sunspots",
    "symbol_numbers",
    "temporal_order",
]
